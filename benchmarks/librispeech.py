"""The table of accuracy: float, 8-bit QAT, GQ and post-training widths on speech that tuned nothing.

    python benchmarks/librispeech.py DATA --float CHECKPOINT --baseline CHECKPOINT ROW... [--json FILE]

A ROW is NAME=CHECKPOINT; the baseline is 8-bit QAT unless it has a name too. Every quantized row is
exported and streamed by our own engine, float in ONNX Runtime. DATA holds `librispeech-dev.jsonl`, of
which the speakers that tuned nothing are recognised.
What the same file heard before by the same code (out/librispeech/heard) is not recognised again.
Changes are paired: the same utterances are drawn for both systems. A row called "float ..." is a float one.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from json_report import check_place, write_report
from one_sentence import one_sentence
from streamed_rows import Row, plain, recognise, relative_change, signed

from whit.models.checkpoint_folder import CONFIG
from whit.models.errors import CheckpointError
from whit.models.speech_data import reporting_half
from whit.runtime.bootstrap import Interval
from whit.runtime.error_rates import compare, score
from whit.runtime.errors import ConfigError, ManifestError
from whit.runtime.manifest import Recording, read_manifest

OUT = Path(__file__).parent.parent / "out" / "librispeech"
BASELINE = "8-bit QAT"  # name of a baseline without one


def named_checkpoint(text: str, usual: str = "") -> tuple[str, Path]:
    """Returns the name and the checkpoint folder of a row, NAME=CHECKPOINT: cut at the first "=".

    Args:
        text: as it was given.
        usual: name of a text without "="; where empty, such a text is refused.

    Raises:
        ConfigError: a part is missing.
    """
    name, _, folder = text.partition("=") if "=" in text else (usual, "", text)
    if not (name.strip() and folder.strip()):
        raise ConfigError(f"[row] expected NAME=CHECKPOINT, received {text!r}")
    return name, Path(folder)


def measured(
    recordings: Sequence[Recording], row: Row, float_row: Row, baseline: Row
) -> dict[str, Interval | None]:
    """Returns the rates of a row and its changes.

    A change is None where the row is itself what it is compared with, a relative one also where that has no
    error.
    """
    result: dict[str, Interval | None] = {}
    rates = score(recordings, row.transcripts)
    result["wer"], result["cer"] = rates.wer["utterance"], rates.cer
    result["wer_by_speaker"] = rates.wer.get("speaker")
    for name, other in (("float", float_row), ("baseline", baseline)):
        words = compare(recordings, row.transcripts, other.transcripts)["utterance"]
        result[f"wer_minus_{name}"] = None if row is other else words
        relative = relative_change(row, other) if any(other.character_errors) else None
        result[f"cer_over_{name}_percent"] = None if row is other else relative
    return result


def table(
    recordings: Sequence[Recording], rows: Sequence[Row], rates: Sequence[dict[str, Interval | None]]
) -> str:
    """Returns the rows in Markdown; the second is the baseline."""
    baseline = rows[1].name
    lines = [
        f"| model | file, MB | WER % (by utterance) | by speaker | minus float | minus {baseline} "
        f"| CER % | over float, relative % | over {baseline}, relative % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row, m in zip(rows, rates, strict=True):
        wer, speakers, cer = (
            plain(interval) if (interval := m[name]) else "" for name in ("wer", "wer_by_speaker", "cer")
        )
        lines.append(
            f"| {row.name} | {row.num_bytes / 1e6:.2f} | {wer} | {speakers} "
            f"| {signed(m['wer_minus_float'])} | {signed(m['wer_minus_baseline'])} | {cer} "
            f"| {signed(m['cer_over_float_percent'])} | {signed(m['cer_over_baseline_percent'])} |"
        )
    words = sum(len(r.text.split()) for r in recordings)
    speakers_count = len({r.speaker for r in recordings})
    summary = f"{len(recordings)} recordings, {words} words, {speakers_count} speakers; 95 % intervals."
    return "\n".join([*lines, "", summary])


@one_sentence
def main() -> None:
    """Exports, recognises, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds librispeech-dev.jsonl")
    parser.add_argument("--float", type=Path, required=True, help="float checkpoint")
    parser.add_argument(
        "--baseline", required=True, help="checkpoint of 8-bit QAT, or NAME=CHECKPOINT of another"
    )
    parser.add_argument("rows", nargs="*", help="NAME=CHECKPOINT of the other rows")
    parser.add_argument("--limit", type=int, help="only so many recordings")
    parser.add_argument("--json", type=Path, help="also write texts and rates here")
    arguments = parser.parse_intermixed_args()

    if arguments.limit is not None and arguments.limit < 1:
        raise ConfigError(f"[--limit] expected at least 1, received {arguments.limit}")
    if arguments.json:
        check_place(arguments.json)
    systems = [("float", arguments.float), named_checkpoint(arguments.baseline, BASELINE)]
    systems += [named_checkpoint(row) for row in arguments.rows]
    for name, checkpoint in systems:
        if not (checkpoint / CONFIG).is_file():
            raise CheckpointError(f"[{name}] expected a checkpoint folder, received {checkpoint}")
    manifest = arguments.data / "librispeech-dev.jsonl"
    recordings = reporting_half(read_manifest(manifest))[: arguments.limit]
    if not recordings:
        raise ManifestError(f"[{manifest}] expected recordings of two speakers or more, received one's")

    rows = [
        recognise(name, checkpoint, recordings, out=OUT, is_float=name.startswith("float"))
        for name, checkpoint in systems
    ]
    rates = [measured(recordings, row, *rows[:2]) for row in rows]
    print(table(recordings, rows, rates))
    if arguments.json:
        report = [
            asdict(row) | {name: interval and asdict(interval) for name, interval in m.items()}
            for row, m in zip(rows, rates, strict=True)
        ]
        write_report(arguments.json, report)
        print(f"texts and rates: {arguments.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
