"""The packed LSTM, bit for bit against numpy (docs/format.md, section 3)."""

import numpy as np
import numpy_formulas
import pytest
from numpy.typing import NDArray
from random_matrix import RandomLstm, random_lstm

from whit.runtime import _core

Float = NDArray[np.float32]
Width = tuple[str, int]


def run(layer: RandomLstm, x: Float, h: Float, c: Float, /, **change: object) -> tuple[Float, Float, Float]:
    arguments: dict[str, object] = {"x": x, "h": h, "c": c, "bias": layer.packed_bias, **layer.attributes}
    for prefix, matrix in (("w", layer.w), ("r", layer.r)):
        arguments[f"{prefix}_data"] = matrix.data
        arguments[f"{prefix}_codebook"] = matrix.packed_codebook
        arguments[f"{prefix}_scale"] = matrix.packed_scale
    return _core.packed_lstm(**(arguments | change))


def state(rng: np.random.Generator, hidden_size: int) -> tuple[Float, Float]:
    h = rng.uniform(-1, 1, (1, hidden_size)).astype(np.float32)
    return h, rng.standard_normal((1, hidden_size)).astype(np.float32)


@pytest.mark.parametrize("num_frames", [0, 1, 5])
@pytest.mark.parametrize(("input_size", "hidden_size"), [(1, 1), (7, 9), (70, 40), (33, 65)])
@pytest.mark.parametrize(
    ("w", "r"), [(("E", 8), ("E", 8)), (("E", 4), ("P", 1)), (("P", 3), ("E", 5)), (("E", 1), ("P", 2))]
)
def test_same_bits_as_the_formula(
    w: Width, r: Width, input_size: int, hidden_size: int, num_frames: int
) -> None:
    layer = random_lstm(hidden_size, input_size, hidden_size, w, r)
    rng = np.random.default_rng(num_frames)
    x = rng.standard_normal((num_frames, input_size)).astype(np.float32)
    h, c = state(rng, hidden_size)
    actual = run(layer, x, h, c)
    expected = numpy_formulas.lstm(
        x, h, c, (layer.w.codes, layer.w.scale), (layer.r.codes, layer.r.scale), layer.bias
    )
    for name, got, want in zip(("y", "h", "c"), actual, expected, strict=True):
        np.testing.assert_array_equal(got, want, err_msg=name)


def test_result_does_not_depend_on_the_chunks() -> None:
    layer = random_lstm(1, 20, 12, ("E", 4), ("P", 2))
    rng = np.random.default_rng(2)
    x = rng.standard_normal((11, 20)).astype(np.float32)
    h, c = state(rng, 12)
    whole = run(layer, x, h, c)
    parts = []
    for start, stop in ((0, 1), (1, 4), (4, 11)):
        y, h, c = run(layer, x[start:stop], h, c)
        parts.append(y)
    np.testing.assert_array_equal(np.concatenate(parts), whole[0])
    np.testing.assert_array_equal(h, whole[1])
    np.testing.assert_array_equal(c, whole[2])


def test_nan_frame_gives_nan_from_there_on() -> None:
    layer = random_lstm(1, 20, 12, ("E", 8), ("E", 8))
    x = np.ones((3, 20), np.float32)
    x[1, 7] = np.nan
    zeros = np.zeros((1, 12), np.float32)
    y, h, c = run(layer, x, zeros, zeros)
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1:]).all()
    assert np.isnan(h).all()
    assert np.isnan(c).all()


def test_state_arguments_are_left_alone() -> None:
    layer = random_lstm(1, 20, 12, ("E", 8), ("E", 8))
    h, c = state(np.random.default_rng(0), 12)
    before = h.copy(), c.copy()
    run(layer, np.ones((2, 20), np.float32), h, c)
    np.testing.assert_array_equal(h, before[0])
    np.testing.assert_array_equal(c, before[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 0}, r"\[packed_lstm\] expected hidden_size in \[1, 131072\], received 0"),
        ({"hidden_size": 17}, r"\[packed_lstm W\] expected data of"),
        ({"x": np.zeros((2, 19), np.float32)}, r"expected x of shape \(2, 20\), received \(2, 19\)"),
        ({"h": np.zeros((2, 12), np.float32)}, r"expected c of shape \(2, 12\), received \(1, 12\)"),
        ({"h": np.zeros((1, 13), np.float32)}, r"expected h of shape \(1, 12\), received \(1, 13\)"),
        ({"c": np.zeros((1, 11), np.float32)}, r"expected c of shape \(1, 12\), received \(1, 11\)"),
        ({"bias": np.zeros(48, np.float32)}, r"\[packed_lstm W\] expected bias of 64 values"),
        ({"r_codebook": None}, r"\[packed_lstm R\] expected codebook of shape \(4, 16\)"),
        ({"r_layout": "X"}, r"\[packed_lstm R\] expected layout"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], message: str) -> None:
    layer = random_lstm(1, 20, 12, ("E", 8), ("E", 4))
    zeros = np.zeros((1, 12), np.float32)
    with pytest.raises(ValueError, match=message):
        run(layer, np.zeros((2, 20), np.float32), zeros, zeros, **change)
