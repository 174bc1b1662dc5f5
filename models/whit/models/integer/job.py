"""What `whit quantize` does for a model without a prediction network, step by step, and what it prints."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

from whit.models.checkpoint_folder import check_folder
from whit.models.ctc_checkpoint import CtcCheckpointConfig, load_ctc_checkpoint
from whit.models.ctc_model import CtcModel
from whit.models.errors import CheckpointError
from whit.models.integer.calibrate import observe
from whit.models.integer.compare import comparison
from whit.models.integer.inputs import NOISE, SPEECH, ZERO_SHOT, InputConfig, input_batches
from whit.models.integer.quantize import IntegerConfig, IntegerModel, make_integer, save_integer_model
from whit.models.integer.taps import scale_kinds, taps_of
from whit.models.quantizers import QuantizationError
from whit.runtime.manifest import read_manifest

CACHE = Path("runs") / "synthetic"
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, kw_only=True)
class IntegerJob:
    """Everything the command was asked for."""

    checkpoint: Path
    out: Path
    inputs: InputConfig
    config: IntegerConfig
    device: str = "cpu"  # of the synthesis
    compare: Path | None = None  # manifest: print ranges beside those of its speech and of noise
    score: Path | None = None  # manifest: print error rates of the float and of the simulated integer model
    plot: Path | None = None  # picture of a synthetic input

    def __post_init__(self) -> None:
        if self.plot is not None and self.inputs.source != ZERO_SHOT:
            raise QuantizationError(f"[plot] expected zero-shot inputs, received {self.inputs.source}")
        if self.plot is not None and self.plot.suffix.lower() not in PICTURES:
            raise QuantizationError(f"[plot] expected a name with .png, .svg or .pdf, received {self.plot}")
        devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
        if self.device not in devices:
            raise QuantizationError(f"[device] expected {' or '.join(devices)}, received {self.device!r}")


def run_job(job: IntegerJob, console: Console) -> None:
    """Writes the checkpoint, then prints and draws what was asked for.

    Raises:
        CheckpointError: the checkpoint is no float one of a model without a prediction network.
        OutputError: the folder to write holds more than a checkpoint, or the one to quantize.
        ManifestError: a manifest to compare with or to score on that cannot be read.
        QuantizationError: settings, weights or activations that cannot be quantized as asked.
    """
    check_folder(job.out, made_from=job.checkpoint)
    for manifest in (job.compare, job.score):
        if manifest is not None:
            read_manifest(manifest)  # refused before the work, not after it
    model, config = load_ctc_checkpoint(job.checkpoint)
    if job.score is not None and config.model.head != "ctc":
        raise CheckpointError(f"[score] expected a model with the head ctc, received {config.model.head}")
    made = job.inputs.synthesis
    steps = made.batches * (made.iterations if job.inputs.source == ZERO_SHOT else 1)
    with _progress(console, job.inputs.source, steps) as advance:
        batches = input_batches(
            job.inputs,
            model,
            config.frontend,
            cache=CACHE,
            device=job.device,
            progress=lambda loss: advance(f"loss {loss:.3f}"),
        )
        each_batch = None if job.inputs.source == ZERO_SHOT else lambda: advance("")
        integer = make_integer(model, batches, job.config, progress=each_batch)
    save_integer_model(job.out, integer, config, job.inputs.provenance)
    console.print(f"checkpoint: {job.out}")
    if job.compare is not None:
        _compare(job, model, config, integer, job.compare, console)
    if job.score is not None:
        _score(model, config, integer, job.score, console)
    if job.plot is not None:
        _plot(job, model, config, job.plot)
        console.print(f"plot: {job.plot}")


def _others(job: IntegerJob, manifest: Path) -> dict[str, InputConfig]:
    made = job.inputs.synthesis
    return {
        SPEECH: InputConfig(source=SPEECH, manifest=manifest, synthesis=made),
        NOISE: InputConfig(source=NOISE, synthesis=made),
    }


def _compare(
    job: IntegerJob,
    model: CtcModel,
    config: CtcCheckpointConfig,
    integer: IntegerModel,
    manifest: Path,
    console: Console,
) -> None:
    ranges = {"this" if job.inputs.source == SPEECH else job.inputs.source: integer.ranges}
    for source, inputs in _others(job, manifest).items():
        if source not in ranges:
            batches = input_batches(inputs, model, config.frontend, cache=CACHE)
            ranges[source] = observe(integer.folded, batches, job.config.observer)
    console.print(comparison(ranges, scale_kinds(taps_of(model))), soft_wrap=True, highlight=False)


def _score(
    model: CtcModel, config: CtcCheckpointConfig, integer: IntegerModel, manifest: Path, console: Console
) -> None:
    from whit.models.integer.score import word_error_rates
    from whit.models.integer.simulate import SimulatedModel
    from whit.models.tokens import Tokenizer

    simulated = SimulatedModel(integer.folded, integer.codes, integer.scales, integer.config.activation_bits)
    with _progress(console, "scoring", len(read_manifest(manifest))) as advance:
        rates = word_error_rates(
            {"float": model, "integer (simulated)": simulated},
            manifest,
            config.frontend,
            Tokenizer(config.tokens),
            progress=lambda: advance(""),
        )
    for name, rate in rates.items():
        console.print(f"{name}: WER {rate:.2f} %")


def _plot(job: IntegerJob, model: CtcModel, config: CtcCheckpointConfig, path: Path) -> None:
    from whit.models.integer.plot import norm_divergences, plot_inputs

    sources = {ZERO_SHOT: job.inputs}
    if job.compare is not None:
        sources |= _others(job, job.compare)
    few = min(job.inputs.synthesis.batches, 4)
    spectrograms, divergences = {}, {}
    for name, inputs in sources.items():
        smaller = replace(inputs, synthesis=replace(inputs.synthesis, batches=few))
        batches = list(input_batches(smaller, model, config.frontend, cache=CACHE, device=job.device))
        first, num_frames = batches[0]
        if name != NOISE:
            spectrograms[name] = first[0, : int(num_frames[0])].numpy()
        divergences[name] = norm_divergences(model, batches)
    path.parent.mkdir(parents=True, exist_ok=True)
    plot_inputs(path, spectrograms, divergences)


@contextmanager
def _progress(console: Console, title: str, steps: int) -> Iterator[Callable[[str], None]]:
    """Gives a function that advances a bar by one step and says something beside it."""
    columns = (*Progress.get_default_columns()[:-1], TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=steps)
        yield lambda text: bar.update(task, advance=1, description=f"{title} {text}".strip())
