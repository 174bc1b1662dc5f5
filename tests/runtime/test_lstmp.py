"""The packed LSTM with a recurrent projection, bit for bit against numpy (docs/format.md, section 3)."""

from typing import NamedTuple

import numpy as np
import numpy_formulas
import pytest
from numpy.typing import NDArray
from random_matrix import RandomLstm, RandomMatrix, random_lstm, random_matrix

from whit.runtime import _core

Float = NDArray[np.float32]
Width = tuple[str, int]


class Layer(NamedTuple):
    """Gates and the projection of their result."""

    gates: RandomLstm
    p: RandomMatrix


def random_layer(input_size: int, hidden_size: int, output_size: int, w: Width, r: Width, p: Width) -> Layer:
    seed = hidden_size
    return Layer(
        random_lstm(seed, input_size, hidden_size, w, r, output_size=output_size),
        random_matrix(seed, output_size, hidden_size, p[1], p[0]),
    )


def run(layer: Layer, x: Float, h: Float, c: Float, /, **change: object) -> tuple[Float, Float, Float]:
    p = layer.p
    arguments: dict[str, object] = {"x": x, "h": h, "c": c, "bias": layer.gates.packed_bias}
    arguments |= {**layer.gates.attributes, "projection_size": p.rows, "p_bits": p.bits, "p_layout": p.layout}
    for prefix, matrix in (("w", layer.gates.w), ("r", layer.gates.r), ("p", p)):
        arguments[f"{prefix}_data"] = matrix.data
        arguments[f"{prefix}_codebook"] = matrix.packed_codebook
        arguments[f"{prefix}_scale"] = matrix.packed_scale
    return _core.packed_lstmp(**(arguments | change))


def state(rng: np.random.Generator, layer: Layer, streams: int = 1) -> tuple[Float, Float]:
    h = rng.uniform(-1, 1, (streams, layer.p.rows)).astype(np.float32)
    return h, rng.standard_normal((streams, layer.gates.hidden_size)).astype(np.float32)


@pytest.mark.parametrize("num_frames", [0, 1, 5])
@pytest.mark.parametrize(
    ("input_size", "hidden_size", "output_size"), [(1, 1, 1), (7, 9, 4), (33, 65, 33), (5, 6, 40)]
)
@pytest.mark.parametrize(
    ("w", "r", "p"),
    [(("E", 8), ("E", 8), ("E", 8)), (("E", 4), ("P", 1), ("E", 5)), (("P", 3), ("E", 5), ("P", 2))],
)
def test_same_bits_as_the_formula(
    w: Width, r: Width, p: Width, input_size: int, hidden_size: int, output_size: int, num_frames: int
) -> None:
    layer = random_layer(input_size, hidden_size, output_size, w, r, p)
    rng = np.random.default_rng(num_frames)
    x = rng.standard_normal((num_frames, input_size)).astype(np.float32)
    h, c = state(rng, layer)
    matrices = [(m.codes, m.scale) for m in (layer.gates.w, layer.gates.r, layer.p)]
    expected = numpy_formulas.lstm(x, h, c, matrices[0], matrices[1], layer.gates.bias, matrices[2])
    for name, got, want in zip(("y", "h", "c"), run(layer, x, h, c), expected, strict=True):
        np.testing.assert_array_equal(got, want, err_msg=name)


@pytest.mark.parametrize("threads", [None, 3])
def test_streams_together_have_the_bits_of_each_alone(threads: int | None) -> None:
    layer, streams, frames = random_layer(20, 70, 37, ("E", 5), ("E", 4), ("P", 2)), 19, 3
    rng = np.random.default_rng(1)
    x = rng.standard_normal((streams, frames, 20)).astype(np.float32)
    h, c = state(rng, layer, streams)
    pool = _core.ThreadPool(threads) if threads else None
    together = run(layer, x.reshape(-1, 20), h, c, threads=pool)
    for i in range(streams):
        alone = run(layer, x[i], h[i : i + 1], c[i : i + 1])
        np.testing.assert_array_equal(together[0].reshape(streams, frames, -1)[i], alone[0])
        np.testing.assert_array_equal(together[1][i], alone[1][0])
        np.testing.assert_array_equal(together[2][i], alone[2][0])


def test_nan_frame_gives_nan_from_there_on() -> None:
    layer = random_layer(20, 12, 5, ("E", 8), ("E", 8), ("E", 8))
    x = np.ones((3, 20), np.float32)
    x[1, 7] = np.nan
    y, h, c = run(layer, x, np.zeros((1, 5), np.float32), np.zeros((1, 12), np.float32))
    assert np.isfinite(y[0]).all() and np.isnan(y[1:]).all() and np.isnan(h).all() and np.isnan(c).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"projection_size": 0}, r"\[packed_lstmp R\] expected cols in \[1, 131072\], received 0"),
        ({"projection_size": 33}, r"\[packed_lstmp R\] expected data of"),
        ({"hidden_size": 33}, r"\[packed_lstmp W\] expected data of"),
        ({"p_bits": 5}, r"\[packed_lstmp P\] expected data of"),
        ({"p_codebook": None}, r"\[packed_lstmp P\] expected codebook of shape \(2, 16\)"),
        ({"h": np.zeros((1, 12), np.float32)}, r"\[packed_lstmp\] expected h of shape \(1, 5\)"),
        ({"c": np.zeros((1, 5), np.float32)}, r"\[packed_lstmp\] expected c of shape \(1, 12\)"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], message: str) -> None:
    layer = random_layer(20, 12, 5, ("E", 8), ("E", 4), ("E", 4))
    zeros = [np.zeros(shape, np.float32) for shape in ((2, 20), (1, 5), (1, 12))]
    with pytest.raises(ValueError, match=message):
        run(layer, *zeros, **change)
