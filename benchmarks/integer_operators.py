"""A Conformer's integer operators against its float ones, in turn: what each saves of a layer.

    python benchmarks/integer_operators.py [--frames 250] [--width 176] [--heads 4] [--rounds 31]

Both are called from Python and return new arrays; WHIT_ISA chooses the instruction set. Times are the calling
thread's; the ratio is the median over pairs.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from whit.exporter import integer_conformer_constants as constants
from whit.exporter.requantization import dyadic
from whit.runtime import _core

Call = Callable[[], object]


def factors(**real: float) -> dict[str, int]:
    """Returns `<name>_multiplier` and `<name>_shift` of real factors."""
    pairs = {name: dyadic(factor) for name, factor in real.items()}
    return {
        f"{name}_{part}": int(pair[number])
        for name, pair in pairs.items()
        for number, part in enumerate(("multiplier", "shift"))
    }


def operators(frames: int, width: int, heads: int) -> Iterator[tuple[str, Call, Call]]:
    """Yields an operator's name, its float call and its integer call."""
    random = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32)

    def int8s(*shape: int) -> np.ndarray:
        return random.integers(-127, 128, shape).astype(np.int8)

    full = {"low": -127, "high": 127}
    x, gain, bias = floats(frames, width), floats(width), floats(width)
    cache, positions = np.zeros((0, 2 * width + 1), np.float32), floats(2 * frames - 1, width)
    q, k, v, p = (
        int8s(frames, width),
        int8s(frames, width),
        int8s(frames, width),
        int8s(2 * frames - 1, width),
    )
    scores = factors(content=0.002, position=0.003, result=2.0**-14) | full
    yield (
        "RelativeAttention",
        lambda: _core.relative_attention(x, x, x, cache, positions, gain, bias, heads=heads),
        lambda: _core.int_relative_attention(q, q, k, v, p, frames, heads=heads, **scores),
    )
    wide = random.integers(-9000, 9000, (frames, width)).astype(np.int16)
    norm = constants.layer_norm_constants(gain, bias, 1e-3, 0.02)
    yield (
        "LayerNorm",
        lambda: _core.layer_norm(x, gain, bias, epsilon=1e-5),
        lambda: _core.int_layer_norm(
            wide, frames, norm.multiplier, norm.shift, norm.bias, epsilon=norm.epsilon, y_bits=8, **full
        ),
    )
    hidden, codes = floats(frames, 4 * width), int8s(frames, 4 * width)
    swish = constants.swish_table(0.05, 0.05, -127, 127)
    yield "Swish", lambda: _core.swish(hidden), lambda: _core.int_table(codes, frames, swish)
    pair, code_pair = floats(frames, 2 * width), int8s(frames, 2 * width)
    sigmoid, (multiplier, shift) = constants.sigmoid_table(0.05), map(int, dyadic(2.0**-14))
    yield (
        "Glu",
        lambda: _core.glu(pair),
        lambda: _core.int_glu(code_pair, frames, sigmoid, multiplier=multiplier, shift=shift, **full),
    )


def thread_us(call: Call) -> float:
    """Returns the calling thread's time of a call, us."""
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) / 1e3


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--width", type=int, default=176)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    print(f"{_core.chosen_isa()[0]}, {arguments.frames} frames, width {arguments.width}\n")
    print("| operator | float, us | integer, us | times as fast |\n|---|---|---|---|")
    for name, in_float, in_integers in operators(arguments.frames, arguments.width, arguments.heads):
        pairs = []
        for turn in range(arguments.rounds + 1):
            order = (in_float, in_integers) if turn % 2 else (in_integers, in_float)
            times = [thread_us(call) for call in order]
            pairs.append(times if turn % 2 else times[::-1])
        medians = [statistics.median(column) for column in zip(*pairs[1:], strict=True)]
        ratio = statistics.median(a / b for a, b in pairs[1:])
        print(f"| `{name}` | {medians[0]:.0f} | {medians[1]:.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
