"""Log-mel features of whole utterances as NeMo's `FilterbankFeatures` computes them, dither off.

The streaming front-end (docs/format.md, section 7) differs in what a stream cannot do or need not: here
pre-emphasis runs over the whole signal, frames are centred, and each utterance is normalised by itself.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from whit.models.clip import SAMPLE_RATE_HZ
from whit.models.conv_config import check_fields, known_keys
from whit.models.errors import ModelConfigError, ShapeError

FLAVOUR = "nemo_offline"
FFT_SIZE, SHIFT = 512, 160  # samples
PREEMPHASIS = 0.97
GUARD = 2.0**-24  # added to the energies before the logarithm
SMALLEST_DEVIATION = 1e-5  # added to every deviation
KINDS, NORMALIZATIONS = ("log_mel", "mfcc"), ("per_feature", "none")


@dataclass(frozen=True, kw_only=True)
class OfflineFrontend:
    """What `frontend` in config.json says: features every 10 ms at 16 kHz."""

    num_mels: int = 64
    window_ms: int = 20
    kind: str = "log_mel"  # or "mfcc", whose coefficients are not computed here
    normalize: str = "per_feature"  # or "none"

    def __post_init__(self) -> None:
        check_fields(self, "frontend")
        for name, known in (("kind", KINDS), ("normalize", NORMALIZATIONS)):
            if getattr(self, name) not in known:
                raise ModelConfigError(
                    f"[frontend.{name}] expected {' or '.join(known)}, received {getattr(self, name)!r}"
                )
        if self.window > FFT_SIZE:
            raise ModelConfigError(f"[frontend.window_ms] expected at most 32, received {self.window_ms}")

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.window_ms * SAMPLE_RATE_HZ // 1000

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the front-end in `values`; another flavour or rate, or an unknown key, is an error."""
        rest = dict(values)
        found = (rest.pop("flavour", None), rest.pop("sample_rate_hz", None))
        if found != (FLAVOUR, SAMPLE_RATE_HZ):
            raise ModelConfigError(
                f"[frontend] expected flavour and rate {(FLAVOUR, SAMPLE_RATE_HZ)}, received {found}"
            )
        return cls(**known_keys(cls, rest, "frontend"))

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object that `from_json` reads."""
        return {"flavour": FLAVOUR, "sample_rate_hz": SAMPLE_RATE_HZ, **asdict(self)}


@cache
def mel_filters(num_mels: int) -> Tensor:
    """Returns Slaney's triangles with Slaney's norm over 0 to 8000 Hz, float64 (num_mels, 257)."""
    nyquist_hz = SAMPLE_RATE_HZ / 2
    knee_hz, knee_mel = 1000.0, 15.0  # linear below, 27 steps to each 6.4-fold above
    per_mel = math.log(6.4) / 27
    top_mel = knee_mel + math.log(nyquist_hz / knee_hz) / per_mel
    mel = torch.linspace(0, top_mel, num_mels + 2, dtype=torch.float64)
    above = knee_hz * torch.exp((mel - knee_mel) * per_mel)
    edge = torch.where(mel < knee_mel, mel * (knee_hz / knee_mel), above)  # (num_mels + 2,), in Hz
    bins = torch.linspace(0, nyquist_hz, FFT_SIZE // 2 + 1, dtype=torch.float64)
    width = edge.diff()
    rising = (bins - edge[:-2, None]) / width[:-1, None]
    falling = (edge[2:, None] - bins) / width[1:, None]
    return torch.minimum(rising, falling).clamp(min=0) * (2 / (edge[2:] - edge[:-2]))[:, None]


def log_mel(samples: Tensor, frontend: OfflineFrontend) -> Tensor:
    """Returns features before normalisation, float32 (n // 160 + 1, num_mels).

    Args:
        samples: float32 (n,) in [-1, 1] at 16 kHz; more than 256, which the reflected edges need.
        frontend: of kind "log_mel".

    Raises:
        ShapeError: too few samples, or another kind of features.
    """
    if samples.ndim != 1 or len(samples) <= FFT_SIZE // 2 or frontend.kind != "log_mel":
        raise ShapeError(
            f"[log_mel] expected more than {FFT_SIZE // 2} samples and kind log_mel, "
            f"received shape {tuple(samples.shape)} and kind {frontend.kind}"
        )
    x = torch.cat((samples[:1], samples[1:] - PREEMPHASIS * samples[:-1]))
    spectrum = torch.stft(
        x,
        FFT_SIZE,
        SHIFT,
        frontend.window,
        torch.hann_window(frontend.window, periodic=False),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )  # (257, frames)
    power = spectrum.real.square() + spectrum.imag.square()
    energy = torch.matmul(mel_filters(frontend.num_mels).float(), power)
    return (energy + GUARD).log().T


def normalize_features(features: Tensor, num_frames: Tensor, normalize: str = "per_feature") -> Tensor:
    """Returns features of mean 0 and deviation 1 in each mel of each utterance, 0 in frames of padding.

    Args:
        features: (batch, frames, num_mels).
        num_frames: int64, (batch,); at least 2 of each where "per_feature".
        normalize: "per_feature", or "none", which only zeroes the padding.
    """
    present = (torch.arange(features.shape[1]) < num_frames[:, None]).unsqueeze(2)
    if normalize == "none":
        return features * present
    if int(num_frames.min()) < 2:
        raise ShapeError(f"[normalize] expected two frames or more, received {int(num_frames.min())}")
    count = num_frames[:, None, None]
    mean = torch.where(present, features, 0.0).sum(1, keepdim=True) / count
    centred = torch.where(present, features - mean, 0.0)
    deviation = (centred.square().sum(1, keepdim=True) / (count - 1)).sqrt() + SMALLEST_DEVIATION
    return centred / deviation


def offline_batch(samples: list[Tensor], frontend: OfflineFrontend) -> tuple[Tensor, Tensor]:
    """Returns normalised features (batch, frames, num_mels) of several utterances, and the frames of each."""
    features = [log_mel(s, frontend) for s in samples]
    num_frames = torch.tensor([len(f) for f in features])
    longest = int(num_frames.max())
    padded = torch.stack([functional.pad(f, (0, 0, 0, longest - len(f))) for f in features])
    return normalize_features(padded, num_frames, frontend.normalize), num_frames
