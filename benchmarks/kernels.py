"""How fast packed layers run, beside ONNX Runtime's own, in one process and in turn.

    python benchmarks/kernels.py [--shapes 4096x1024,lstm1024] [--lhs 1,4,8] [--rounds 15] [--json FILE]

All run inside ONNX Runtime on one thread, from files: ours as custom operators that read the mapped file in
place. *Cold* walks distinct layers of 64 M weights in order, with every other method in between; *hot*
repeats one layer, less what a call without work takes. Times are those of the thread, so that a turn of
another process on the same core does not count; the ratio to int8 is the median over rounds of the ratio
within a round. The floor is the time of reading the same bytes: memchr over a mapped file, cold.
WHIT_ISA=avx2 and the like force an instruction set of ours; ONNX Runtime chooses its own.
"""

import argparse
import ctypes
import gc
import json
import mmap
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from kernels_models import BASELINE, METHODS, NO_WORK, Method, Shape, make_layer, open_model, write_model

from whit.runtime import _core

SHAPES = ("4096x1024", "4096x2048", "2560x640", "1024x640", "2048x512", "lstm1024", "lstm640", "lstm512")
FLOOR_BYTES = 64 << 20


@dataclass(frozen=True)
class Row:
    """Medians of one method on one shape."""

    shape: str
    num_lhs: int
    method: str
    cold_us: float
    cold_ratio: float  # int8's time over this, within a round
    cold_gbytes_per_s: float
    cold_of_floor: float  # 1 is the speed of reading the same bytes
    hot_us: float
    hot_ratio: float


def parse_shape(text: str) -> Shape:
    """Returns the shape of "4096x1024" or "lstm640"."""
    if text.startswith("lstm"):
        hidden = int(text.removeprefix("lstm"))
        return Shape(4 * hidden, hidden, hidden)
    rows, cols = map(int, text.split("x"))
    return Shape(rows, cols)


class ReadFloor:
    """Reads a file-mapped array once: the time that no kernel can beat where memory is the limit."""

    def __init__(self, folder: Path) -> None:
        path = folder / "floor.bin"
        path.write_bytes(bytes(FLOOR_BYTES))
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._array = np.frombuffer(self._map, np.uint8)
        self._memchr = ctypes.CDLL(None).memchr
        self._memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        self._memchr.restype = ctypes.c_void_p

    def __call__(self) -> None:
        """Reads all."""
        assert self._memchr(self._array.ctypes.data, 1, FLOOR_BYTES) is None


def runner(method: Method, shape: Shape, num_lhs: int, num_layers: int, folder: Path) -> Callable[[], None]:
    """Returns a call that runs the layers once, outputs bound beforehand."""
    rng = np.random.default_rng(0)
    layers = [make_layer(method, shape, rng) for _ in range(num_layers)]
    path = folder / f"{method.kind}{method.bits}-{num_layers}.onnx"
    write_model(path, layers, num_lhs, shape)
    session = open_model(path, method.session_config)
    x = rng.standard_normal(session.get_inputs()[0].shape).astype(np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    for name, y in zip((o.name for o in session.get_outputs()), session.run(None, {"x": x}), strict=True):
        binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(y))
    options = ort.RunOptions()
    return lambda: session.run_with_iobinding(binding, options)


def seconds(call: Callable[[], None], repeats: int = 1) -> float:
    """Returns the thread's time per call: what others do on the same processor is left out."""
    start = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - start) / repeats


def measure(shape: Shape, num_lhs: int, methods: list[Method], rounds: int, cold_weights: int) -> list[Row]:
    """Returns a row per method; each round runs all of them, one after the other."""
    num_layers = -(-cold_weights // shape.num_weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = ReadFloor(folder)
        cold = {m: runner(m, shape, num_lhs, num_layers, folder) for m in methods}
        hot = {m: runner(m, shape, num_lhs, 1, folder) for m in methods}
        cold_s, hot_s, floor_s = {m: [] for m in methods}, {m: [] for m in methods}, []
        for _ in range(rounds):
            floor_s.append(seconds(floor))
            for method in methods:
                cold_s[method].append(seconds(cold[method]) / num_layers)
            for method in methods:
                hot[method]()
                hot_s[method].append(seconds(hot[method], 5))
        del cold, hot
        gc.collect()
    call_s = np.array(hot_s[NO_WORK])
    # Nothing is measured below a microsecond: the difference of two calls is uncertain by about as much.
    net_s = {method: np.maximum(np.array(hot_s[method]) - call_s, 1e-6) for method in methods}
    floor_speed = FLOOR_BYTES / np.median(floor_s)
    rows = []
    for method in methods:
        speed = method.weight_bytes(shape) / np.median(cold_s[method])
        rows.append(
            Row(
                str(shape),
                num_lhs,
                method.name,
                float(np.median(cold_s[method])) * 1e6,
                float(np.median(np.divide(cold_s[BASELINE], cold_s[method]))),
                float(speed) / 1e9,
                float(speed / floor_speed),
                float(np.median(net_s[method])) * 1e6,
                float(np.median(net_s[BASELINE] / net_s[method])),
            )
        )
    return rows


TABLE_HEAD = (
    f"{'shape':10s} {'M':>2s}  {'method':26s} {'cold us':>9s} {'x int8':>7s} {'GB/s':>6s} {'of floor':>8s}"
    f" {'hot us':>9s} {'x int8':>7s}"
)


def table_line(row: Row) -> str:
    """Returns a row under TABLE_HEAD."""
    cold = f"{row.cold_us:9.1f} {row.cold_ratio:7.2f} {row.cold_gbytes_per_s:6.1f} {row.cold_of_floor:8.2f}"
    return f"{row.shape:10s} {row.num_lhs:2d}  {row.method:26s} {cold} {row.hot_us:9.1f} {row.hot_ratio:7.2f}"


def geometric_means(rows: list[Row]) -> list[str]:
    """Returns a line per method over the shapes, products and LSTM layers apart."""
    lines = []
    for title, keep in (("products", "x"), ("LSTM layers", "LSTM")):
        for num_lhs in dict.fromkeys(r.num_lhs for r in rows):
            for method in dict.fromkeys(r.method for r in rows if r.cold_of_floor > 0):
                chosen = [r for r in rows if keep in r.shape and (r.num_lhs, r.method) == (num_lhs, method)]
                if chosen:
                    cold, hot, of_floor = (
                        float(np.exp(np.mean(np.log([getattr(r, name) for r in chosen]))))
                        for name in ("cold_ratio", "hot_ratio", "cold_of_floor")
                    )
                    name = f"{title:12s} M={num_lhs}  {method:26s}"
                    lines.append(f"{name} cold {cold:6.2f}x  {of_floor:5.2f} of the floor  hot {hot:6.2f}x")
    return lines


def main() -> None:
    """Measures, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--lhs", default="1,4,8", help="rows of activations (frames) per call")
    parser.add_argument("--methods", default="", help="a part of their names; int8 is always there")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cold-weights", type=int, default=64 << 20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    methods = [m for m in METHODS if m in (NO_WORK, BASELINE) or arguments.methods in m.name]
    isa, reason = _core.chosen_isa()
    load = os.getloadavg()[0]
    print(f"kernels: {isa} ({reason}); onnxruntime {ort.__version__}; 1 thread; load {load:.1f}")
    print(TABLE_HEAD)
    rows: list[Row] = []
    for shape in map(parse_shape, arguments.shapes.split(",")):
        for num_lhs in map(int, arguments.lhs.split(",")):
            able = [m for m in methods if m.serves(shape)]
            for row in measure(shape, num_lhs, able, arguments.rounds, arguments.cold_weights):
                rows.append(row)
                print(table_line(row), flush=True)
    print("\nGeometric means over the shapes:", *geometric_means(rows), sep="\n")
    if arguments.json:
        report = {"isa": isa, "reason": reason, "onnxruntime": ort.__version__, "threads": 1, "load": load}
        arguments.json.write_text(
            json.dumps(report | {"rows": [asdict(row) for row in rows]}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
