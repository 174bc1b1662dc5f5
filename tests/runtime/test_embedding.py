"""PackedEmbedding, Affine and AddRelu against numpy (docs/format.md, section 3)."""

import numpy as np
import pytest
from random_matrix import random_matrix

from whit.runtime import _core


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (40, 70)])
@pytest.mark.parametrize("bits", range(1, 9))
def test_embedding_rows_are_scaled_codes(bits: int, shape: tuple[int, int]) -> None:
    table = random_matrix(bits, *shape, bits, "E")
    tokens = np.array([0, shape[0] - 1, shape[0], -1, 2**31 - 1, -(2**31), shape[0] // 2], np.int32)
    y = _core.packed_embedding(
        tokens, table.data, table.packed_codebook, table.packed_scale, **table.attributes
    )
    expected = np.zeros((len(tokens), table.cols), np.float32)
    for m, token in enumerate(tokens):
        if 0 <= token < table.rows:
            expected[m] = table.scale[token] * table.codes[token].astype(np.float32)
    np.testing.assert_array_equal(y, expected)


def test_embedding_has_layout_e_only() -> None:
    table = random_matrix(0, 5, 5, 2, "P")
    with pytest.raises(ValueError, match=r'\[packed_embedding\] expected layout "E", received "P"'):
        _core.packed_embedding(
            np.zeros(1, np.int32), table.data, table.packed_codebook, table.packed_scale, **table.attributes
        )


@pytest.mark.parametrize("shape", [(1, 1), (0, 5), (3, 37)])
def test_affine_rounds_twice(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    scale, offset = rng.standard_normal((2, shape[1])).astype(np.float32)
    np.testing.assert_array_equal(_core.affine(x, scale, offset), x * scale + offset)


def test_affine_refuses_another_width() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"\[affine\] expected scale and offset of 3 values, received 3 and 4"
    ):
        _core.affine(x, np.zeros(3, np.float32), np.zeros(4, np.float32))


def test_add_relu_keeps_nan() -> None:
    a = np.array([[1, -3, np.nan, -1], [np.inf, -np.inf, 0, 2]], np.float32)
    b = np.array([[1, 1, 1, 1]], np.float32)
    y = _core.add_relu(a, b)
    np.testing.assert_array_equal(y, np.array([[2, 0, np.nan, 0], [np.inf, 0, 1, 3]], np.float32))
    assert not np.signbit(y[0, 3])  # -1 + 1 and max(-0, 0) are +0


def test_add_relu_refuses_another_shape() -> None:
    a = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\[add_relu\] expected b of shape \(1, 3\), received \(2, 3\)"):
        _core.add_relu(a, a)
