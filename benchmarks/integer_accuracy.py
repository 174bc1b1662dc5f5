"""The table of integer-only models: calibrated without data, on speech and on noise, at every width.

    python benchmarks/integer_accuracy.py CHECKPOINT MANIFEST [--calibrate MANIFEST] [--json FILE]

Without `--calibrate`, half of MANIFEST's speakers calibrate and tune, the others are recognised.
CHECKPOINT is a float one of a model over whole utterances. It is quantized and exported once a row (kept in
`out/integer-accuracy`), and every row recognises each recording in turn, another row first each time: ours in
our own engine, float and the stock int8 file in ONNX Runtime. Differences to float are paired, recording by
recording; so is speed, the median over recordings of float's time over a row's, reading and front-end
included.
"""

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from made_by import made_by
from rich.console import Console
from rich.progress import track
from streamed_rows import plain, signed

from whit.exporter.export import run_export
from whit.exporter.request import ExportRequest
from whit.models.integer.inputs import NOISE, SPEECH, ZERO_SHOT, InputConfig
from whit.models.integer.job import IntegerJob, run_job
from whit.models.integer.observers import ObserverConfig
from whit.models.integer.quantize import IntegerConfig
from whit.models.integer.synthesize import SynthesisConfig
from whit.models.integer.weights import WeightConfig
from whit.models.speech_data import reporting_half, tuning_half
from whit.runtime.error_rates import compare, score
from whit.runtime.manifest import Recording, read_manifest, write_manifest
from whit.runtime.transcriber import open_transcriber
from whit.runtime.weight_files import weight_files

OUT = Path(__file__).parent.parent / "out" / "integer-accuracy"
CALIBRATIONS = {ZERO_SHOT: "zero-shot", SPEECH: "calibrated on speech", NOISE: "calibrated on noise"}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to make integers of a float model."""

    source: str
    weight_bits: int = 8
    activation_bits: int = 8

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"W{self.weight_bits}A{self.activation_bits}, {CALIBRATIONS[self.source]}"


VARIANTS = (
    Variant(source=ZERO_SHOT),
    Variant(source=SPEECH),
    Variant(source=NOISE),
    Variant(source=ZERO_SHOT, weight_bits=6),
    Variant(source=ZERO_SHOT, weight_bits=5),
    Variant(source=ZERO_SHOT, weight_bits=4),
    Variant(source=ZERO_SHOT, weight_bits=6, activation_bits=6),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One file and what it heard."""

    name: str
    num_bytes: int
    transcripts: list[str]
    elapsed_s: list[float]


def tuning_manifest(manifest: Path, recordings: Sequence[Recording]) -> Path:
    """Writes the manifest of the speakers that tune and returns its path."""
    path = OUT / f"{manifest.stem}-tuning.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(path, tuning_half(recordings))
    return path


def export(variant: Variant, arguments: argparse.Namespace) -> Path:
    """Returns the export folder of a variant, made once."""
    settings = [
        arguments.batches,
        arguments.iterations,
        arguments.statistics,
        arguments.observer,
        arguments.seed,
    ]
    inputs = [*weight_files(arguments.checkpoint), arguments.checkpoint / "config.json"]
    inputs += [arguments.calibrate] if variant.source == SPEECH else []
    digest = hashlib.sha256(
        b"".join(path.read_bytes() for path in inputs) + repr([*settings, made_by()]).encode()
    )
    folder: Path = OUT / digest.hexdigest()[:16] / variant.name.replace(", ", "-").replace(" ", "-")
    if (folder / "model.tflite").exists():
        return folder
    synthesis = SynthesisConfig(
        batches=arguments.batches,
        iterations=arguments.iterations,
        statistics=arguments.statistics,
        seed=arguments.seed,
    )
    job = IntegerJob(
        checkpoint=arguments.checkpoint,
        out=folder / "checkpoint",
        inputs=InputConfig(
            source=variant.source,
            manifest=arguments.calibrate if variant.source == SPEECH else None,
            synthesis=synthesis,
        ),
        config=IntegerConfig(
            weights=WeightConfig(bits=variant.weight_bits),
            activation_bits=variant.activation_bits,
            observer=ObserverConfig(observer=arguments.observer),
        ),
    )
    run_job(job, Console(stderr=True))
    run_export(ExportRequest(checkpoint=folder / "checkpoint", output=folder, force=True))
    return folder


def export_float(checkpoint: Path) -> Path:
    """Returns the folder of the float model's own export; that of integers would hold rounded weights."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in weight_files(checkpoint)))
    folder: Path = OUT / digest.hexdigest()[:16]
    run_export(ExportRequest(checkpoint=checkpoint, output=folder, dialect="stock", format="onnx"))
    return folder / "stock-float"


def recognise(systems: dict[str, tuple[Path, str]], recordings: Sequence[Recording]) -> list[Row]:
    """Returns what each system (its file, its engine) makes of the recordings, one recording at a time."""
    opened = {name: open_transcriber(path, engine=engine) for name, (path, engine) in systems.items()}
    texts: dict[str, list[str]] = {name: [] for name in systems}
    elapsed_s: dict[str, list[float]] = {name: [] for name in systems}
    names = list(opened)
    for transcriber in opened.values():
        transcriber.transcribe(recordings[0].audio)
    for number, recording in enumerate(track(recordings, console=Console(stderr=True))):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            transcriber = opened[name]
            start_s = time.perf_counter()
            texts[name].append(transcriber.transcribe(recording.audio))
            elapsed_s[name].append(time.perf_counter() - start_s)
    return [
        Row(name=name, num_bytes=_bytes_of(path), transcripts=texts[name], elapsed_s=elapsed_s[name])
        for name, (path, _) in systems.items()
    ]


def table(recordings: Sequence[Recording], rows: Sequence[Row]) -> str:
    """Returns the rows in Markdown; the first one is float."""
    first = rows[0]
    lines = [
        "| model | file, MB | WER % (95 %) | WER minus float | CER % | speed |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        result = score(recordings, row.transcripts)
        wer, cer = result.wer["utterance"], result.cer
        difference = None
        if row is not first:
            difference = compare(recordings, row.transcripts, first.transcripts)["utterance"]
        speed = statistics.median(f / s for f, s in zip(first.elapsed_s, row.elapsed_s, strict=True))
        lines.append(
            f"| {row.name} | {row.num_bytes / 1e6:.2f} | {plain(wer, 2)} | {signed(difference)} "
            f"| {cer.estimate:.2f} | {speed:.2f}x |"
        )
    words = sum(len(recording.text.split()) for recording in recordings)
    return "\n".join([*lines, "", f"{len(recordings)} recordings, {words} words."])


def main() -> None:
    """Quantizes, exports, recognises and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="float checkpoint folder")
    parser.add_argument("manifest", type=Path, help="recordings to recognise")
    parser.add_argument("--calibrate", type=Path, help="manifest of other recordings")
    parser.add_argument("--batches", type=int, default=20, help="of 8 inputs, to calibrate on")
    parser.add_argument("--iterations", type=int, default=200, help="of Adam, for each synthetic batch")
    parser.add_argument("--statistics", default="batch_norm", help="matched: batch_norm or layer_norm")
    parser.add_argument("--observer", default="ema", help="range of activations: ema, minmax or percentile")
    parser.add_argument("--seed", type=int, default=0, help="of synthetic inputs and noise")
    parser.add_argument("--every", type=int, default=1, help="only every n-th recording")
    parser.add_argument("--json", type=Path, help="also write texts and times here")
    arguments = parser.parse_args()

    recordings = read_manifest(arguments.manifest)
    if arguments.calibrate is None:
        arguments.calibrate = tuning_manifest(arguments.manifest, recordings)
        recordings = reporting_half(recordings)
    recordings = recordings[:: arguments.every]
    exported = {variant.name: export(variant, arguments) for variant in VARIANTS}
    zero_shot = exported[VARIANTS[0].name]
    systems = {
        "float, ONNX Runtime": (export_float(arguments.checkpoint), "onnxruntime"),
        "int8 QDQ of the zero-shot scales, ONNX Runtime": (zero_shot / "stock-int8", "onnxruntime"),
        **{name: (folder / "model.tflite", "native") for name, folder in exported.items()},
    }
    rows = recognise(systems, recordings)
    print(table(recordings, rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")


def _bytes_of(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*.onnx")
    return sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    main()
