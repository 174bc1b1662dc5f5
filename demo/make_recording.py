"""Makes the bundled recordings: digit strings spoken by espeak-ng, with the times of their words.

Run as `python demo/make_recording.py`; needs espeak-ng. Words are spoken one by one and joined with pauses,
so that their ends are known to the sample, which is what latency is measured against.
"""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from whit.runtime._core import resample

FOLDER = Path(__file__).parent
RATE_HZ = 16000
STRINGS = (  # voice, words per minute, words
    ("en-us", 150, "four seven one nine"),
    ("en-gb", 135, "three zero eight two five"),
    ("en-us+f3", 145, "six six nine one"),
)
TimedWord = tuple[str, float, float]  # word, start_s, end_s
EDGE_S, PAUSE_S = 0.4, 0.18
THRESHOLD = 0.02  # of the peak: softer samples at the ends of a word are silence


def main() -> None:
    """Writes digits-N.flac and digits.jsonl."""
    lines = []
    for number, (voice, words_per_minute, text) in enumerate(STRINGS, start=1):
        samples, words = join(text.split(), voice, words_per_minute)
        path = FOLDER / f"digits-{number}.flac"
        soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
        line = {
            "audio": path.name,
            "duration_s": round(len(samples) / RATE_HZ, 4),
            "text": text,
            "speaker": f"espeak-ng {voice}",
            "words": words,
        }
        lines.append(json.dumps(line) + "\n")
    (FOLDER / "digits.jsonl").write_text("".join(lines))


def join(words: list[str], voice: str, words_per_minute: int) -> tuple[NDArray[np.float32], list[TimedWord]]:
    """Returns the samples of a string and the times of its words."""
    parts = [silence(EDGE_S)]
    times: list[TimedWord] = []
    for word in words:
        spoken = speak(word, voice, words_per_minute)
        start = sum(map(len, parts))
        times.append((word, round(start / RATE_HZ, 4), round((start + len(spoken)) / RATE_HZ, 4)))
        parts += [spoken, silence(PAUSE_S)]
    parts.append(silence(EDGE_S - PAUSE_S))
    return np.concatenate(parts), times


def speak(word: str, voice: str, words_per_minute: int) -> NDArray[np.float32]:
    """Returns a word at half of full scale, cut to its sound."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", word]
    wave = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(wave), dtype="float32")
    samples = resample(samples, rate_hz, RATE_HZ)
    loud = np.flatnonzero(np.abs(samples) > THRESHOLD * np.abs(samples).max())
    cut = samples[loud[0] : loud[-1] + 1]
    return cut * np.float32(0.5 / np.abs(cut).max())


def silence(seconds: float) -> NDArray[np.float32]:
    """Returns zeros."""
    return np.zeros(round(seconds * RATE_HZ), np.float32)


if __name__ == "__main__":
    main()
