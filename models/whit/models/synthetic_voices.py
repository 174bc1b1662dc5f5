"""Synthetic speakers for training: espeak-ng and flite speak random digit strings into a cached folder."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from whit.models.clip import SAMPLE_RATE_HZ, read_audio
from whit.models.errors import RecipeError, SynthesisError
from whit.models.presets import DIGITS
from whit.runtime.manifest import Recording, write_manifest

ESPEAK_ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
ESPEAK_VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5"),
    *(
        "Adam",
        "Alicia",
        "Andrea",
        "Annie",
        "Belinda",
        "David",
        "Gene",
        "Iven",
        "John",
        "Linda",
        "Michael",
        "Steph",
    ),
)
FLITE_VOICES = ("kal16", "awb", "rms", "slt")


@dataclass(frozen=True, kw_only=True)
class SyntheticVoicesConfig:
    """What to synthesise."""

    utterances: int = 1500
    words: tuple[int, int] = (1, 5)
    flite_share: float = 0.4  # flite's voices are cut from real speech; espeak-ng's are formants, but many
    seed: int = 0

    def __post_init__(self) -> None:
        if self.utterances < 1 or not 0 <= self.flite_share <= 1:
            raise RecipeError(
                f"[synthetic] expected utterances of at least 1 and flite_share from 0 to 1, "
                f"received {self.utterances} and {self.flite_share}"
            )
        if not 1 <= self.words[0] <= self.words[1] or self.seed < 0:
            raise RecipeError(
                f"[synthetic] expected words of at least 1, the lower first, and a seed of at least 0, "
                f"received {self.words} and {self.seed}"
            )


def synthesize(folder: Path, config: SyntheticVoicesConfig) -> Path:
    """Returns the manifest of the synthesised strings; an existing one of the same request is used again.

    Raises:
        SynthesisError: espeak-ng or flite is missing or failed.
    """
    words = f"{config.words[0]}to{config.words[1]}"
    request = f"synthetic-{config.utterances}-{words}-{config.flite_share}-{config.seed}"
    manifest = folder / request / "manifest.jsonl"
    if manifest.exists():
        return manifest
    for program in ("espeak-ng", "flite"):
        if shutil.which(program) is None:
            raise SynthesisError(
                f"[synthetic voices] expected {program} to be installed, received none on the path"
            )
    manifest.parent.mkdir(parents=True, exist_ok=True)
    recordings = [_speak(manifest.parent, number, config) for number in range(config.utterances)]
    write_manifest(manifest, recordings)
    return manifest


def _speak(folder: Path, number: int, config: SyntheticVoicesConfig) -> Recording:
    rng = np.random.default_rng([config.seed, number])
    words = rng.choice(DIGITS, int(rng.integers(config.words[0], config.words[1] + 1)))
    text = (", " if rng.random() < 0.3 else " ").join(words)
    with tempfile.TemporaryDirectory() as scratch:
        wave = Path(scratch) / "speech.wav"
        if rng.random() < config.flite_share:
            speaker = str(rng.choice(FLITE_VOICES))
            pitch_hz = rng.uniform(140, 240) if speaker == "slt" else rng.uniform(85, 150)
            options = ["--setf", f"duration_stretch={rng.uniform(0.75, 1.4):.2f}"]
            options += ["--setf", f"int_f0_target_mean={pitch_hz:.0f}"]
            command = ["flite", "-voice", speaker, *options, "-t", text, "-o", str(wave)]
        else:
            speaker = f"{rng.choice(ESPEAK_ACCENTS)}+{rng.choice(ESPEAK_VARIANTS)}"
            options = ["-s", str(rng.integers(110, 220)), "-p", str(rng.integers(15, 85))]
            command = ["espeak-ng", "-v", speaker, *options, "-w", str(wave), text]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not wave.exists():
            raise SynthesisError(
                f"[{command[0]}] expected speech for {text!r}, received {done.stderr.strip()!r}"
            )
        samples, _ = read_audio(wave)
    path = folder / f"{number:05d}.flac"
    soundfile.write(path, np.clip(samples, -1, 1), SAMPLE_RATE_HZ, subtype="PCM_16")
    return Recording(
        audio=path, duration_s=len(samples) / SAMPLE_RATE_HZ, text=" ".join(words), speaker=speaker
    )
