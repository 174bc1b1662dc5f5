"""The table of accuracy: float, 8-bit QAT, GQ and post-training widths on speech that tuned nothing.

    python benchmarks/librispeech.py DATA --float CHECKPOINT --baseline CHECKPOINT ROW... [--json FILE]

A ROW is NAME=CHECKPOINT. Every quantized row is exported and streamed by our own engine, float in ONNX
Runtime. DATA holds `librispeech-dev.jsonl`, of which the speakers that tuned nothing are recognised.
Changes are paired: the same utterances are drawn for both systems. A row called "float ..." is a float one.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamed_rows import Row, difference, rate, recognise, relative_change

from whit.models.speech_data import reporting_half
from whit.runtime.bootstrap import Interval
from whit.runtime.manifest import Recording, read_manifest

OUT = Path(__file__).parent.parent / "out" / "librispeech"


def measured(
    recordings: Sequence[Recording], row: Row, float_row: Row, baseline: Row
) -> dict[str, Interval | None]:
    """Returns the rates of a row and its changes; None where it is itself what it is compared with."""

    def unless_same(change: Any, other: Row, unit: str) -> Interval | None:
        return None if row is other else change(recordings, row, other, unit)

    return {
        "wer": rate(recordings, row, "word"),
        "wer_by_speaker": rate(recordings, row, "word", by_speaker=True),
        "cer": rate(recordings, row, "character"),
        "wer_minus_float": unless_same(difference, float_row, "word"),
        "wer_minus_8bit": unless_same(difference, baseline, "word"),
        "cer_over_float_percent": unless_same(relative_change, float_row, "character"),
        "cer_over_8bit_percent": unless_same(relative_change, baseline, "character"),
    }


def table(recordings: Sequence[Recording], rows: Sequence[Row], float_row: Row, baseline: Row) -> str:
    """Returns the rows in Markdown."""
    lines = [
        "| model | file, MB | WER % (by utterance; by speaker) | minus float | minus 8-bit QAT "
        "| CER % | over float, relative % | over 8-bit QAT, relative % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        m = measured(recordings, row, float_row, baseline)
        speakers = m["wer_by_speaker"]
        assert speakers is not None
        lines.append(
            f"| {row.name} | {row.num_bytes / 1e6:.2f} "
            f"| {_plain(m['wer'])}; {speakers.low:.1f} to {speakers.high:.1f} "
            f"| {_signed(m['wer_minus_float'])} | {_signed(m['wer_minus_8bit'])} | {_plain(m['cer'])} "
            f"| {_signed(m['cer_over_float_percent'])} | {_signed(m['cer_over_8bit_percent'])} |"
        )
    words = sum(len(r.text.split()) for r in recordings)
    speakers_count = len({r.speaker for r in recordings})
    summary = f"{len(recordings)} recordings, {words} words, {speakers_count} speakers; 95 % intervals."
    return "\n".join([*lines, "", summary])


def _plain(interval: Interval | None) -> str:
    return f"{interval.estimate:.1f} ({interval.low:.1f} to {interval.high:.1f})" if interval else ""


def _signed(interval: Interval | None) -> str:
    return f"{interval.estimate:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})" if interval else ""


def main() -> None:
    """Exports, recognises, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds librispeech-dev.jsonl")
    parser.add_argument("--float", type=Path, required=True, help="float checkpoint")
    parser.add_argument("--baseline", type=Path, required=True, help="8-bit QAT checkpoint")
    parser.add_argument("rows", nargs="*", help="NAME=CHECKPOINT of the other rows")
    parser.add_argument("--limit", type=int, help="only so many recordings")
    parser.add_argument("--json", type=Path, help="also write texts and rates here")
    arguments = parser.parse_intermixed_args()

    recordings = reporting_half(read_manifest(arguments.data / "librispeech-dev.jsonl"))[: arguments.limit]
    float_row = recognise("float", arguments.float, recordings, out=OUT, is_float=True)
    baseline = recognise("8-bit QAT", arguments.baseline, recordings, out=OUT)
    rows = [float_row, baseline]
    for name, _, checkpoint in (row.partition("=") for row in arguments.rows):
        is_float = name.startswith("float")
        rows.append(recognise(name, Path(checkpoint), recordings, out=OUT, is_float=is_float))
    print(table(recordings, rows, float_row, baseline))
    if arguments.json:
        report = [
            {
                **asdict(row),
                **{
                    key: interval and asdict(interval)
                    for key, interval in measured(recordings, row, float_row, baseline).items()
                },
            }
            for row in rows
        ]
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
        print(f"texts and rates: {arguments.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
