"""Log-mel features of whole utterances as NeMo's `FilterbankFeatures` computes them, dither off.

The streaming front-end (docs/format.md, section 7) differs in what a stream cannot do or need not: here
pre-emphasis runs over the whole signal, frames are centred, and each utterance is normalised by itself.
"""

import atexit
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
from whit.runtime._core import OfflineFbank

FLAVOUR = "nemo_offline"
FFT_SIZE = 512  # samples
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


def log_mel(samples: Tensor, frontend: OfflineFrontend) -> Tensor:
    """Returns features before normalisation, float32 (n // 160 + 1, num_mels): those of the recogniser.

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
    fbank = _fbank(frontend.num_mels, frontend.window_ms)
    return torch.from_numpy(fbank.compute(samples.contiguous().numpy()))


@cache
def _fbank(num_mels: int, window_ms: int) -> OfflineFbank:
    return OfflineFbank(num_mels=num_mels, window_ms=window_ms, normalize="none")


atexit.register(_fbank.cache_clear)  # what outlives the interpreter, its bindings report as leaked


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
