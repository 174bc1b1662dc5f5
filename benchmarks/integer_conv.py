"""Integer convolutions of the core against those of ONNX Runtime, in turn, on one and on several threads.

    python benchmarks/integer_conv.py [--threads 1,2] [--rounds 40] [--frames 500]

ONNX Runtime computes Conv in float, QLinearConv (uint8 activations, int8 weights, a scale per channel) and
ConvInteger (without requantization), each in a graph of its own. A round times every method once, in another
order each time, weights in the caches; with several threads each rests first, while those of the one before
stop spinning. Ratios are medians over rounds. Ours run without a runtime around them.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from whit.runtime import _core, packing
from whit.runtime.environment import describe_environment

Array = NDArray[np.generic]
Run = Callable[[], object]
REST_SECONDS = 0.02  # as in integer_models.py
FACTOR = (1 << 30, 39)  # 2^-9: the sums of random codes fill 8 bits
FLOAT = "onnxruntime Conv, float"
ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int32": 6}


@dataclass(frozen=True)
class Shape:
    """A convolution over frames; depthwise where `groups` is not 1."""

    name: str
    channels: int
    taps: int
    groups: int = 1

    @property
    def cols(self) -> int:
        """Weights of an output channel."""
        return self.taps * self.channels // self.groups


SHAPES = (
    Shape("pointwise 512 x 512", 512, 1),
    Shape("pointwise 256 x 256", 256, 1),
    Shape("depthwise 512 x 63 taps", 512, 63, 512),
)


def onnx_session(
    shape: Shape, num_threads: int, operator: str, inputs: Sequence[Array], output: str
) -> ort.InferenceSession:
    """Returns a session of one node; the first of its inputs is fed as `x`, the others are constants."""
    model = onnx.ModelProto(ir_version=10)
    model.opset_import.add(domain="", version=21)
    graph = model.graph
    graph.name = "layer"
    names = ["x", *(f"w{i}" for i in range(1, len(inputs)))]
    for name, array in zip(names[1:], inputs[1:], strict=True):
        graph.initializer.append(numpy_helper.from_array(array, name))
    node = graph.node.add(op_type=operator, input=names, output=["y"])
    node.attribute.add(name="group", type=onnx.AttributeProto.INT, i=shape.groups)
    padding = [shape.taps // 2] * 2
    node.attribute.add(name="pads", type=onnx.AttributeProto.INTS, ints=padding)
    x = graph.input.add(name="x").type.tensor_type
    x.elem_type = ELEMENT_TYPES[inputs[0].dtype.name]
    for length in inputs[0].shape:
        x.shape.dim.add(dim_value=length)
    graph.output.add(name="y").type.tensor_type.elem_type = ELEMENT_TYPES[output]
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnx_methods(shape: Shape, frames: int, num_threads: int, rng: np.random.Generator) -> dict[str, Run]:
    """Returns a call of each of ONNX Runtime's convolutions."""
    w_shape = (shape.channels, shape.channels // shape.groups, shape.taps)
    w = rng.integers(-127, 128, w_shape).astype(np.int8)
    q = rng.integers(0, 256, (1, shape.channels, frames)).astype(np.uint8)
    scale, zero = np.float32(0.02), np.uint8(128)
    scales = np.full(shape.channels, 0.01, np.float32)
    bias = np.zeros(shape.channels, np.int32)
    zeros = np.zeros(shape.channels, np.int8)
    real = q.astype(np.float32)
    y_scale = np.float32(0.02 * 0.01 * 512)
    scalars = [np.asarray(value) for value in (scale, zero, y_scale)]
    quantized = [q, scalars[0], scalars[1], w, scales, zeros, scalars[2], scalars[1], bias]
    cases: dict[str, tuple[str, Sequence[Array], str]] = {
        FLOAT: ("Conv", [real, w.astype(np.float32), scales], "float32"),
        "onnxruntime QLinearConv": ("QLinearConv", quantized, "uint8"),
        "onnxruntime ConvInteger": ("ConvInteger", [q, w, scalars[1]], "int32"),
    }
    methods: dict[str, Run] = {}
    for name, (operator, inputs, output) in cases.items():
        session = onnx_session(shape, num_threads, operator, inputs, output)
        methods[name] = lambda session=session, x=inputs[0]: session.run(None, {"x": x})
    return methods


def our_methods(shape: Shape, frames: int, num_threads: int, rng: np.random.Generator) -> dict[str, Run]:
    """Returns a call of the core at several widths."""
    x = rng.integers(-128, 128, (frames, shape.channels)).astype(np.int8)
    rows = shape.channels
    vectors = [np.full(-(-rows // 32) * 32, value, np.int32) for value in (0, *FACTOR)]
    threads = _core.ThreadPool(num_threads) if num_threads > 1 else None
    window = {"stride": 1, "dilation": 1, "padding": shape.taps // 2, "x_zero": -128}
    output = {"y_zero": -128, "low": -128, "high": 127}
    methods: dict[str, Run] = {}
    for bits in (8, 4):
        index = rng.integers(1, 1 << bits, (rows, shape.cols)).astype(np.uint8)
        entries = np.arange(1 << bits) - (1 << (bits - 1))
        tiles = np.tile(entries.astype(np.int8), (packing.num_tiles(rows), 1)) if bits < 7 else None
        data = packing.pack(index, bits=bits, layout="E")
        codebook = packing.pack_codebook(tiles, rows=rows, bits=bits, layout="E")
        matrix = {"rows": rows, "cols": shape.cols, "bits": bits}

        def run(data=data, codebook=codebook, matrix=matrix) -> object:
            arrays = (x, frames, data, codebook, *vectors)
            if shape.groups == 1:
                attributes = {**matrix, **window, **output, "kernel_size": shape.taps}
                return _core.int_conv1d(*arrays, None, **attributes, threads=threads)
            return _core.int_depthwise_conv1d(*arrays, **matrix, **window, **output, threads=threads)

        methods[f"whit, {bits} bits"] = run
    return methods


def measure(methods: dict[str, Run], num_threads: int, rounds: int) -> dict[str, list[float]]:
    """Returns seconds of each method in each round, in another order each time."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    for run in methods.values():
        for _ in range(3):
            run()
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(methods)).tolist():
            if num_threads > 1:
                time.sleep(REST_SECONDS)
            start = time.perf_counter()
            methods[name]()
            times[name].append(time.perf_counter() - start)
    return times


def table_rows(shape: Shape, frames: int, num_threads: int, rounds: int) -> list[str]:
    """Returns the rows of a Markdown table."""
    rng = np.random.default_rng(0)
    methods = onnx_methods(shape, frames, num_threads, rng) | our_methods(shape, frames, num_threads, rng)
    times = measure(methods, num_threads, rounds)
    products = frames * shape.channels * shape.cols
    lines = []
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(times[FLOAT], seconds, strict=True))
        median = statistics.median(seconds)
        cells = [shape.name, str(num_threads), name, f"{1e6 * median:.0f}", f"{products / median / 1e9:.0f}"]
        lines.append(f"| {' | '.join([*cells, f'{ratio:.2f}'])} |")
    return lines


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--frames", type=int, default=500)
    arguments = parser.parse_args()
    environment = describe_environment(num_threads=max(map(int, arguments.threads.split(","))))
    print(f"{arguments.frames} frames, {_core.chosen_isa()[0]}; {environment}\n")
    print("| convolution | threads | method | us | 10^9 products/s | times as fast as float |")
    print("|---|---|---|---|---|---|")
    for num_threads in map(int, arguments.threads.split(",")):
        for shape in SHAPES:
            print(*table_rows(shape, arguments.frames, num_threads, arguments.rounds), sep="\n", flush=True)


if __name__ == "__main__":
    main()
