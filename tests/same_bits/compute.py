"""Computes digests in a process of its own, for `WHIT_ISA` is read once: `compute.py < JOBS.json`.

A job is {"model": path, "engine": name, "streams": recordings decoded together, "manifest": path, "limit":
utterances or null, "results": file}; its digests are appended to the file as they come, and those already
there are not computed again. With "dump": utterance, all bits of that one go to the file instead.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from utterance_bits import stream_together

from whit.runtime.audio import AudioFile
from whit.runtime.manifest import read_manifest
from whit.runtime.recognizer import Recognizer


def run_job(job: dict[str, Any]) -> None:
    """Computes what is missing of one job."""
    results, manifest = Path(job["results"]), Path(job["manifest"])
    dump = job.get("dump")
    done = set()
    if not dump:
        drop_unfinished_line(results)
        done = {(line["utterance"], line["audio"]) for line in read_results(results)}
    missing = []
    for recording in read_manifest(manifest, limit=job["limit"]):
        utterance = recording.audio.relative_to(manifest.parent).as_posix()
        audio_sha256 = hashlib.sha256(recording.audio.read_bytes()).hexdigest()
        if (utterance, audio_sha256) not in done and dump in (None, utterance):
            missing.append((utterance, audio_sha256, recording.audio))
    if not missing:
        return
    recognizer = Recognizer.from_file(job["model"], engine=job["engine"])
    audios = (AudioFile(path) for _, _, path in missing)
    for number, bits in stream_together(recognizer, audios, streams=job["streams"]):
        utterance, audio_sha256, path = missing[number]
        if dump:
            results.write_bytes(bits.to_bytes())
            return
        with AudioFile(path) as audio:
            seconds = audio.duration_s
        line = {
            "utterance": utterance,
            "audio": audio_sha256,
            "seconds": round(seconds, 3),
            "chunks": len(bits.chunks),
            "tokens": len(bits.tokens),
            "sha256": bits.sha256,
        }
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_results(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a results file, without one that is being written or was cut short."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def drop_unfinished_line(path: Path) -> None:
    """Takes away what a stopped process left behind."""
    if path.exists():
        content = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        run_job(each)
