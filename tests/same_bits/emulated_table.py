"""The table of emulated processors: two seconds of speech, each compared with this machine."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cells import files_sha256
from compute import read_results
from emulated_arm import PROCESSORS, run_emulated
from speech import write_seconds
from utterance_bits import first_difference, stream_utterance

from whit.runtime.audio import AudioFile
from whit.runtime.recognizer import Recognizer

SECONDS = 2.0


def emulated_markdown(models: Sequence[Path], program: Path, folder: Path) -> tuple[str, list[str]]:
    """Returns the table and a sentence for every difference; what `folder` holds is not computed again.

    Args:
        models: exports.
        program: stream_bits for 64-bit Arm.
        folder: where results are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    audio = write_seconds(folder / "seconds.wav", SECONDS)
    kept = folder / "emulated.jsonl"
    known = {line["key"]: line["difference"] for line in read_results(kept)}
    lines = [
        f"| native under qemu, {SECONDS:.0f} s | tokens | SHA-256 | {' | '.join(PROCESSORS)} |",
        "|---|---|---|" + "---|" * len(PROCESSORS),
    ]
    differences = []
    for model in models:
        file = model / "model.tflite"
        with AudioFile(audio) as recording:
            expected = stream_utterance(Recognizer.from_file(file, engine="native"), recording)
        said = []
        for processor in PROCESSORS:
            parts = files_sha256(program), files_sha256(file), processor, expected.sha256
            key = hashlib.sha256("".join(parts).encode()).hexdigest()
            if key not in known:
                emulated = run_emulated("qemu-aarch64", processor, program, file, audio)
                known[key] = first_difference(emulated, expected)
                with kept.open("a", encoding="utf-8") as output:
                    output.write(json.dumps({"key": key, "difference": known[key]}) + "\n")
            said.append("differs" if known[key] else "equal")
            if known[key]:
                differences.append(f"{model.name}, native on {processor} against this machine: {known[key]}")
        digest = f"`{expected.sha256[:12]}`"
        lines.append(f"| {model.name} | {len(expected.tokens)} | {digest} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n", differences
