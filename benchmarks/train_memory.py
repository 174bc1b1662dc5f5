"""Peak memory and time of GQ training steps of a preset, on random input of the size of speech.

    python benchmarks/train_memory.py [--preset rnnt-45m] [--bits 5] [--batch 8] [--seconds 10] [--steps 2]

Prints a line per step; the peak is that of the whole process, optimiser and activations included.
"""

import argparse
import resource
import time

import torch

from whit.models.batch import Batch
from whit.models.losses import batch_loss
from whit.models.presets import preset
from whit.models.quantizers import QuantizationRule, apply_quantization, set_progress
from whit.models.recipe import OptimizationConfig
from whit.models.rnnt import Rnnt
from whit.models.train import make_optimizer

TOKENS_PER_S = 14  # characters of read speech


def main() -> None:
    """Trains and prints one line per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preset", default="rnnt-45m")
    parser.add_argument("--bits", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    shape = preset(arguments.preset)
    model = Rnnt(shape.model, len(shape.tokens)).train()
    apply_quantization(model, [("*", QuantizationRule(scheme="gq", bits=arguments.bits, options={}))])
    optimization = OptimizationConfig(steps=arguments.steps, learning_rate=1e-4)
    optimizer = make_optimizer(model, optimization)
    multiple = shape.model.frame_multiple
    num_frames = round(100 * arguments.seconds) // multiple * multiple
    num_tokens = round(TOKENS_PER_S * arguments.seconds)
    batch = Batch(
        features=torch.randn(arguments.batch, num_frames, shape.model.num_mels),
        num_frames=torch.full((arguments.batch,), num_frames),
        targets=torch.randint(len(shape.tokens), (arguments.batch, num_tokens)),
        num_targets=torch.full((arguments.batch,), num_tokens),
        windows=None,
    )
    for step in range(arguments.steps):
        start_s = time.perf_counter()
        set_progress(model, step / arguments.steps)
        optimizer.zero_grad()
        loss = batch_loss(model, batch, optimization)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        seconds = time.perf_counter() - start_s
        print(
            f"step {step}: loss {loss.item():.1f}, {seconds:.1f} s, peak RSS {peak_gib:.2f} GiB", flush=True
        )


if __name__ == "__main__":
    main()
