"""Shapes of CTC models with a name: the public configurations of QuartzNet, Jasper and Conformer-CTC."""

from dataclasses import dataclass
from pathlib import Path

import torch

from whit.models.checkpoint import save_checkpoint
from whit.models.checkpoint_folder import check_folder
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conv_config import ConvBlockConfig, ConvConfig
from whit.models.ctc_checkpoint import CtcCheckpointConfig
from whit.models.ctc_model import CtcModel, CtcModelConfig
from whit.models.errors import ModelConfigError
from whit.models.offline_features import OfflineFrontend
from whit.models.presets import LETTERS, preset


@dataclass(frozen=True, kw_only=True)
class CtcPreset:
    """A model shape, its front-end and its vocabulary without the blank."""

    model: CtcModelConfig
    frontend: OfflineFrontend
    tokens: tuple[str, ...]


def quartznet(repeats: int) -> ConvConfig:
    """Returns QuartzNet (5 `repeats`) x 5 of NeMo's quartznet_15x5.yaml."""
    first = ConvBlockConfig(filters=256, kernel_size=33, stride=2, separable=True)
    middle = [
        ConvBlockConfig(filters=filters, kernel_size=kernel_size, repeat=5, separable=True, residual=True)
        for filters, kernel_size in ((256, 33), (256, 39), (512, 51), (512, 63), (512, 75))
        for _ in range(repeats)
    ]
    last = ConvBlockConfig(filters=512, kernel_size=87, dilation=2, separable=True)
    return ConvConfig(blocks=(first, *middle, last, ConvBlockConfig(filters=1024, kernel_size=1)))


def jasper_10x5dr() -> ConvConfig:
    """Returns Jasper 10 x 5 with dense residuals of NeMo's jasper_10x5dr.yaml."""
    first = ConvBlockConfig(filters=256, kernel_size=11, stride=2, dropout=0.2)
    groups = ((256, 11, 0.2), (384, 13, 0.2), (512, 17, 0.2), (640, 21, 0.3), (768, 25, 0.3))
    middle = [
        ConvBlockConfig(
            filters=filters,
            kernel_size=kernel_size,
            repeat=5,
            residual=True,
            residual_dense=True,
            dropout=dropout,
        )
        for filters, kernel_size, dropout in groups
        for _ in range(2)
    ]
    last = ConvBlockConfig(filters=896, kernel_size=29, dilation=2, dropout=0.4)
    end = ConvBlockConfig(filters=1024, kernel_size=1, dropout=0.4)
    return ConvConfig(blocks=(first, *middle, last, end))


def small_quartznet(
    first: list[tuple[int, int]], groups: list[tuple[int, int]], end: int, *, dropout: float = 0.0
) -> ConvConfig:
    """Returns a QuartzNet for training on a CPU.

    Args:
        first: filters and kernel size of each block of stride 2 that the network begins with.
        groups: of each residual block; the last one's are also those of the block of dilation 2 after them.
        end: filters of the last block.
        dropout: inside residual blocks.
    """
    strided = [ConvBlockConfig(filters=f, kernel_size=k, stride=2, separable=True) for f, k in first]
    middle = [
        ConvBlockConfig(filters=f, kernel_size=k, repeat=3, separable=True, residual=True, dropout=dropout)
        for f, k in groups
    ]
    filters, kernel_size = groups[-1]
    dilated = ConvBlockConfig(filters=filters, kernel_size=kernel_size, dilation=2, separable=True)
    last = ConvBlockConfig(filters=end, kernel_size=1, dropout=0.1)
    return ConvConfig(blocks=(*strided, *middle, dilated, last))


def small_jasper(first: list[tuple[int, int]], groups: list[tuple[int, int]], end: int) -> ConvConfig:
    """Returns a Jasper with dense residuals for training on a CPU; arguments as `small_quartznet`'s."""
    strided = [ConvBlockConfig(filters=f, kernel_size=k, stride=2) for f, k in first]
    middle = [
        ConvBlockConfig(filters=f, kernel_size=k, repeat=2, residual=True, residual_dense=True, dropout=0.05)
        for f, k in groups
    ]
    last = ConvBlockConfig(filters=end, kernel_size=1, dropout=0.1)
    return ConvConfig(blocks=(*strided, *middle, last))


def conformer(layers: int, d_model: int, heads: int) -> ConformerCtcConfig:
    """Returns a Conformer-CTC of NeMo's conformer_ctc_bpe.yaml."""
    return ConformerCtcConfig(layers=layers, d_model=d_model, conv_channels=d_model, heads=heads)


CONV_FRONTEND = OfflineFrontend(num_mels=64, window_ms=20)
CONFORMER_FRONTEND = OfflineFrontend(num_mels=80, window_ms=25)
DIGIT_TOKENS = preset("rnnt-digits").tokens
CTC_PRESETS = {
    "quartznet-5x5": CtcPreset(model=quartznet(1), frontend=CONV_FRONTEND, tokens=LETTERS),
    "quartznet-10x5": CtcPreset(model=quartznet(2), frontend=CONV_FRONTEND, tokens=LETTERS),
    "quartznet-15x5": CtcPreset(model=quartznet(3), frontend=CONV_FRONTEND, tokens=LETTERS),
    "jasper-10x5dr": CtcPreset(model=jasper_10x5dr(), frontend=CONV_FRONTEND, tokens=LETTERS),
    # Vocabularies are word pieces; give your own where the letters are too few.
    "conformer-ctc-s": CtcPreset(model=conformer(16, 176, 4), frontend=CONFORMER_FRONTEND, tokens=LETTERS),
    "conformer-ctc-m": CtcPreset(model=conformer(18, 256, 4), frontend=CONFORMER_FRONTEND, tokens=LETTERS),
    "conformer-ctc-l": CtcPreset(model=conformer(18, 512, 8), frontend=CONFORMER_FRONTEND, tokens=LETTERS),
    # Connected English digits, one token a word, encoded frames of 40 ms: trained in minutes.
    "quartznet-digits": CtcPreset(
        model=small_quartznet(
            [(64, 11), (96, 11)], [(96, 9), (96, 11), (128, 13), (128, 15)], 192, dropout=0.05
        ),
        frontend=CONV_FRONTEND,
        tokens=DIGIT_TOKENS,
    ),
    "jasper-digits": CtcPreset(
        model=small_jasper([(64, 11), (64, 11)], [(64, 7), (64, 9), (96, 9), (128, 11)], 160),
        frontend=CONV_FRONTEND,
        tokens=DIGIT_TOKENS,
    ),
    "conformer-ctc-digits": CtcPreset(
        model=ConformerCtcConfig(conv_channels=32, layers=4, d_model=64, kernel_size=15),
        frontend=CONFORMER_FRONTEND,
        tokens=DIGIT_TOKENS,
    ),
    # Read speech in letters, encoded frames of 40 ms.
    "quartznet-small": CtcPreset(
        model=small_quartznet(
            [(192, 11), (256, 11)], [(256, 13), (256, 17), (320, 21), (384, 25), (384, 29)], 512
        ),
        frontend=CONV_FRONTEND,
        tokens=LETTERS,
    ),
    "jasper-small": CtcPreset(
        model=small_jasper([(96, 11), (160, 11)], [(160, 9), (192, 11), (224, 13), (256, 15)], 384),
        frontend=CONV_FRONTEND,
        tokens=LETTERS,
    ),
    "conformer-ctc-small": CtcPreset(
        model=ConformerCtcConfig(conv_channels=32, layers=6, d_model=160, kernel_size=15),
        frontend=CONFORMER_FRONTEND,
        tokens=LETTERS,
    ),
    # conformer-5m and -10m over whole utterances, which they can begin with (streaming_start.py).
    "conformer-ctc-5m": CtcPreset(
        model=ConformerCtcConfig(conv_channels=32, layers=3, d_model=256, kernel_size=15),
        frontend=CONFORMER_FRONTEND,
        tokens=LETTERS,
    ),
    "conformer-ctc-10m": CtcPreset(
        model=ConformerCtcConfig(conv_channels=32, layers=6, d_model=256, kernel_size=15),
        frontend=CONFORMER_FRONTEND,
        tokens=LETTERS,
    ),
}


def ctc_preset(name: str) -> CtcPreset:
    """Returns the preset called `name`."""
    if name not in CTC_PRESETS:
        raise ModelConfigError(f"[preset] expected one of {', '.join(CTC_PRESETS)}, received {name!r}")
    return CTC_PRESETS[name]


def write_seeded_ctc_checkpoint(folder: Path, preset: CtcPreset, *, name: str, seed: int) -> None:
    """Writes a float checkpoint of `preset` with weights drawn from `seed`, for speed and memory.

    Args:
        folder: the checkpoint folder to write.
        preset: shape, front-end and tokens.
        name: what config.json calls the model.
        seed: of torch's generator; the caller's random state is left as it was.
    """
    check_folder(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CtcModel(preset.model, len(preset.tokens))
    config = CtcCheckpointConfig(
        name=name, model=preset.model, tokens=preset.tokens, frontend=preset.frontend
    )
    save_checkpoint(folder, model.eval(), config)
