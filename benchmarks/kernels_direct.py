"""Our operators called from Python on a mapped file, on several threads: the plug-ins use one."""

import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np
from kernels_models import Array, Layer, Shape

from whit.runtime import _core

ALIGNMENT_BYTES = 64
TAIL_BYTES = 4096


def runner(
    path: Path, layers: list[Layer], num_lhs: int, shape: Shape, num_threads: int
) -> Callable[[], None]:
    """Returns a call that runs layers of the operators PackedMatMul or PackedLSTM once."""
    calls = [
        _call(layer, mapped, num_lhs, shape) for layer, mapped in zip(layers, _map(path, layers), strict=True)
    ]
    pool = _core.ThreadPool(num_threads)

    def run() -> None:
        for call in calls:
            call(pool)

    return run


def _map(path: Path, layers: list[Layer]) -> list[list[Array]]:
    """Returns the arrays of each layer, written to a file and mapped."""
    places = []
    with path.open("wb") as file:
        for layer in layers:
            place = []
            for value in layer.inputs:
                if isinstance(value, np.ndarray):
                    file.write(bytes(-file.tell() % ALIGNMENT_BYTES))
                    place.append((file.tell(), value.dtype, value.shape))
                    file.write(value.tobytes())
            places.append(place)
        file.write(bytes(TAIL_BYTES))
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return [
        [
            np.frombuffer(content, type, int(np.prod(shape)), offset).reshape(shape)
            for offset, type, shape in place
        ]
        for place in places
    ]


def _call(
    layer: Layer, mapped: list[Array], num_lhs: int, shape: Shape
) -> Callable[[_core.ThreadPool], object]:
    x = np.random.default_rng(0).standard_normal((num_lhs, shape.cols), np.float32)
    arrays = iter(mapped)
    given = [next(arrays) if isinstance(value, np.ndarray) else None for value in layer.inputs[1:]]
    function = _core.packed_lstm if layer.operator == "PackedLSTM" else _core.packed_matmul
    return lambda pool: function(x, *given, **layer.attributes, threads=pool)
