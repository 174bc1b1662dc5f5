"""Speech from the recordings in the tree, where no other data is at hand."""

from pathlib import Path

import numpy as np
import soundfile

from whit.runtime.manifest import Recording, write_manifest

ROOT = Path(__file__).parents[2]
NUM_VARIANTS = 6


def write_minute(folder: Path) -> Path:
    """Writes six variants of the demo's recordings, 61.6 s in all, and returns their manifest.

    A variant has its own loudness (0 to -10 dB), noise and order of the clips: no two chunks are alike.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = [soundfile.read(ROOT / "demo" / f"digits-{i}.flac") for i in (1, 2, 3)]
    recordings = []
    for variant in range(NUM_VARIANTS):
        random = np.random.default_rng(variant)
        samples = np.roll(np.concatenate([clips[i][0] for i in random.permutation(3)]), 997 * variant)
        noise = random.normal(0, 0.0005 * variant, len(samples))
        samples = np.clip(samples * 10 ** (-2 * variant / 20) + noise, -1, 1)
        path = folder / f"variant-{variant}.wav"
        soundfile.write(path, samples, clips[0][1], subtype="PCM_16")
        recordings.append(Recording(audio=path, text="", duration_s=len(samples) / clips[0][1]))
    manifest = folder / "minute.jsonl"
    write_manifest(manifest, recordings)
    return manifest


def write_seconds(path: Path, seconds: float) -> Path:
    """Writes the beginning of a recording, from its first word on, and returns its path."""
    samples, sample_rate_hz = soundfile.read(ROOT / "demo" / "digits-1.flac", dtype="int16")
    first_word = round(0.4 * sample_rate_hz)
    samples = samples[first_word : first_word + round(seconds * sample_rate_hz)]
    soundfile.write(path, samples, sample_rate_hz, subtype="PCM_16")
    return path
