"""One encoder chunk in our own engine on one and on several threads, in turn.

    python benchmarks/threads.py MODEL... [--threads 2] [--chunks 400]

MODEL is what `whit export` wrote. The same chunk from the same state is computed again and again, so that the
weights of a small model stay in the caches. The ratio is the median over pairs.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from whit.runtime import _core
from whit.runtime.engines.native import NativeEngine
from whit.runtime.environment import describe_environment


def measure(path: Path, num_threads: int, chunks: int) -> tuple[dict[int, float], float]:
    """Returns median times of a chunk, ms, by threads, and the median ratio of one thread to the other."""
    engines = {n: NativeEngine.load(path, num_threads=n, self_test=False) for n in (1, num_threads)}
    info = engines[1].info
    features = (
        np.random.default_rng(0).standard_normal((info.chunk_frames, info.num_mels), np.float32) * 3 - 8
    )
    state = engines[1].initial_encoder_state()
    for engine in engines.values():
        engine.encode(features, state)
    times: dict[int, list[float]] = {n: [] for n in engines}
    for turn in range(chunks):
        for n in sorted(engines, reverse=bool(turn % 2)):
            start = time.perf_counter()
            engines[n].encode(features, state)
            times[n].append(time.perf_counter() - start)
    ratio = statistics.median(a / b for a, b in zip(times[1], times[num_threads], strict=True))
    return {n: 1000 * statistics.median(values) for n, values in times.items()}, ratio


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--chunks", type=int, default=400)
    arguments = parser.parse_args()
    print(f"| model | 1 thread, ms | {arguments.threads} threads, ms | times as fast |\n|---|---|---|---|")
    for path in arguments.models:
        times, ratio = measure(path, arguments.threads, arguments.chunks)
        print(f"| {path} | {times[1]:.2f} | {times[arguments.threads]:.2f} | {ratio:.2f} |")
    print(f"\n{_core.chosen_isa()[0]}; {describe_environment(num_threads=arguments.threads)}")


if __name__ == "__main__":
    main()
