"""Threads and streams that run together change no bit of a product or an LSTM."""

import numpy as np
import pytest
from numpy.typing import NDArray
from random_matrix import WIDTHS, random_lstm, random_matrix

from whit.runtime import _core

Float = NDArray[np.float32]
NUM_THREADS = (1, 2, 3, 4)
ENOUGH = 600  # rows and columns of a product that several threads share, also for one row of activations


@pytest.fixture(scope="module")
def pools() -> dict[int, _core.ThreadPool]:
    return {count: _core.ThreadPool(count) for count in NUM_THREADS}


@pytest.mark.parametrize("num_rows", [0, 1, 3, 8, 17])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (33, 31), (ENOUGH + 411, ENOUGH + 491)])
@pytest.mark.parametrize(("layout", "bits"), WIDTHS)
def test_products_do_not_depend_on_the_threads(
    layout: str, bits: int, rows: int, cols: int, num_rows: int, pools: dict[int, _core.ThreadPool]
) -> None:
    w = random_matrix(bits, rows, cols, bits, layout)
    x = np.random.default_rng(num_rows).standard_normal((num_rows, cols)).astype(np.float32)
    arrays = (x, w.data, w.packed_codebook, w.packed_scale, w.packed_scale)
    expected = _core.packed_matmul(*arrays, **w.attributes)
    for count, pool in pools.items():
        assert pool.num_threads == count
        for _ in range(3):  # a thread that woke late for one call must not disturb the next
            y = _core.packed_matmul(*arrays, **w.attributes, threads=pool)
            np.testing.assert_array_equal(y, expected, err_msg=f"{count} threads")


def run_lstm(layer, x: Float, h: Float, c: Float, pool: _core.ThreadPool | None = None):
    arguments: dict[str, object] = {"x": x, "h": h, "c": c, "bias": layer.packed_bias, **layer.attributes}
    for prefix, matrix in (("w", layer.w), ("r", layer.r)):
        arguments[f"{prefix}_data"] = matrix.data
        arguments[f"{prefix}_codebook"] = matrix.packed_codebook
        arguments[f"{prefix}_scale"] = matrix.packed_scale
    return _core.packed_lstm(**arguments, threads=pool)


@pytest.mark.parametrize("hidden_size", [1, 7, 9, 24, 25, 301])
@pytest.mark.parametrize("num_streams", [1, 2, 3, 8, 19])
@pytest.mark.parametrize(("w", "r"), [(("E", 8), ("P", 1)), (("P", 3), ("E", 4))])
def test_lstm_streams_and_threads(
    w: tuple[str, int], r: tuple[str, int], num_streams: int, hidden_size: int, pools
) -> None:
    num_frames, input_size = 3, 33
    layer = random_lstm(hidden_size, input_size, hidden_size, w, r)
    rng = np.random.default_rng(num_streams)
    x = rng.standard_normal((num_streams, num_frames, input_size)).astype(np.float32)
    x[-1, 1, 5] = np.nan  # what happens to one stream stays there
    h = rng.uniform(-1, 1, (num_streams, hidden_size)).astype(np.float32)
    c = rng.standard_normal((num_streams, hidden_size)).astype(np.float32)
    alone = [run_lstm(layer, x[i], h[i : i + 1], c[i : i + 1]) for i in range(num_streams)]
    expected = [np.concatenate(arrays) for arrays in zip(*alone, strict=True)]
    assert np.isfinite(expected[0][: (num_streams - 1) * num_frames + 1]).all()
    for pool in (None, *pools.values()):
        together = run_lstm(layer, x.reshape(-1, input_size), h, c, pool)
        for name, got, want in zip(("y", "h", "c"), together, expected, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=name)


@pytest.mark.parametrize("num_streams", [0, 2])
def test_frames_that_streams_cannot_share_are_refused(num_streams: int) -> None:
    layer = random_lstm(1, 20, 12, ("E", 8), ("E", 8))
    state = np.zeros((num_streams, 12), np.float32)
    with pytest.raises(ValueError, match=rf"as many frames for each, received {num_streams} streams and 3"):
        run_lstm(layer, np.zeros((3, 20), np.float32), state, state)


@pytest.mark.parametrize("count", [0, 65])
def test_impossible_pools_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"\[ThreadPool\] expected from 1 to 64 threads, received {count}"):
        _core.ThreadPool(count)
