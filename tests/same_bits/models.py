"""The models whose bits are compared: the bundled checkpoints, and a device-size one of seeded weights.

`models.py FOLDER NAME...` makes them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]
WIDTHS = (8, 5, 4, 2, 1)
SEEDED = tuple(f"rnnt-45m-{bits}bit" for bits in WIDTHS)
BUNDLED = ("rnnt-digits-gq", "rnnt-digits-qat8", "rnnt-librispeech-gq")
MODELS = SEEDED + BUNDLED
BALANCE_FRAMES = slice(7, 31)  # encoder frames of 60 ms with speech in them
BLANK_LEAD = 2.5  # standard deviations of a logit


def make_models(folder: Path, names: Sequence[str] = MODELS, *, jobs: int = 1) -> list[Path]:
    """Returns the exports of models below `folder`; those missing are made by `jobs` processes."""
    missing = [name for name in names if not (folder / name).exists()]
    command = [sys.executable, __file__, folder]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([*command, *share], env=one_thread, stderr=subprocess.PIPE, text=True)
        for share in (missing[i::jobs] for i in range(jobs))
        if share
    ]
    errors = [process.communicate()[1] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("".join(errors))
    return [folder / name for name in names]


def make_model(name: str, folder: Path) -> None:
    """Exports a bundled checkpoint or a seeded one, dialect whit."""
    from whit.exporter.export import ExportRequest, run_export

    checkpoint = ROOT / "checkpoints" / name
    if name in SEEDED:
        checkpoint = folder / f"checkpoint-{name}"
        write_seeded(checkpoint, name)
    run_export(ExportRequest(checkpoint=checkpoint, output=folder / name, dialect="whit"))
    if name in SEEDED:
        shutil.rmtree(checkpoint)


def write_seeded(folder: Path, name: str) -> None:
    """Writes what `whit init rnnt-45m --bits BITS` writes, with output biases that let it speak."""
    from whit.models.presets import preset
    from whit.models.seeded_checkpoint import write_seeded_checkpoint

    bits = WIDTHS[SEEDED.index(name)]
    write_seeded_checkpoint(folder, preset("rnnt-45m"), name=name, seed=0, bits=bits)
    balance_output(folder)


def balance_output(folder: Path) -> None:
    """Moves the joint's output biases so that tokens and blanks alternate on speech.

    Random weights say the blank for ever, or one token for ever: the mean of the hidden layer decides.
    Without the mean of each logit, what varies with the speech and the last token decides.
    """
    from safetensors.numpy import load_file, save_file

    from whit.exporter.checkpoint import read_checkpoint
    from whit.exporter.exact_arithmetic import ExactArithmetic
    from whit.exporter.interpreter import Interpreter
    from whit.runtime._core import fbank

    checkpoint = read_checkpoint(folder)
    interpreter = Interpreter(checkpoint, ExactArithmetic())
    samples, _ = soundfile.read(ROOT / "demo" / "digits-1.flac", dtype="float32")
    step = checkpoint.config.model.subsampling_factor
    features = fbank(samples)[step * BALANCE_FRAMES.start : step * BALANCE_FRAMES.stop]
    frames, *_ = interpreter.encode(features, *interpreter.encoder_state())
    random = np.random.default_rng(0)
    state = interpreter.predictor_state()
    logits = []
    for frame in frames:
        prediction, *state = interpreter.predict(int(random.integers(interpreter.blank)), *state)
        logits.append(interpreter.join(frame[None], prediction)[0])
    tensors = load_file(folder / "model.safetensors")
    bias = tensors["joint.output.bias"] - np.mean(logits, axis=0)
    bias[-1] += BLANK_LEAD * np.std(logits, axis=0).mean()
    tensors["joint.output.bias"] = bias.astype(np.float32)
    save_file(tensors, folder / "model.safetensors")


if __name__ == "__main__":
    for each in sys.argv[2:]:
        make_model(each, Path(sys.argv[1]))
