"""Model shapes with a name, and the tokens they were made for."""

import string
from dataclasses import dataclass, replace

from whit.models.conformer_config import ConformerConfig
from whit.models.errors import ModelConfigError
from whit.models.rnnt_config import RnntConfig
from whit.models.transducer_config import TransducerConfig

WORD_START = "\u2581"  # SentencePiece's mark for a space before the token
LETTERS = (WORD_START, *string.ascii_lowercase, "'")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model shape and its vocabulary without the blank."""

    model: TransducerConfig
    tokens: tuple[str, ...]


# Read speech in letters, frames of 40 ms: about 6.3 M parameters.
RNNT_6M = RnntConfig(
    stack=4,
    pre_layers=2,
    time_reduction=1,
    post_layers=3,
    encoder_hidden=384,
    layer_norm=True,
    residual=True,
    embedding=64,
    predictor_layers=1,
    predictor_hidden=256,
    joint_hidden=256,
)

PRESETS = {
    # About 1.2 M parameters: connected English digits, one token a word.
    "rnnt-digits": Preset(model=RnntConfig(), tokens=tuple(WORD_START + word for word in DIGITS)),
    "rnnt-6m": Preset(model=RNNT_6M, tokens=LETTERS),
    # About the same size with cells of 512, each layer's output projected to 256.
    "rnnt-6m-projected": Preset(model=replace(RNNT_6M, encoder_hidden=512, projection=256), tokens=LETTERS),
    # The layout of MLPerf inference's RNN-T (mlcommons/inference, rnnt.toml): 45,323,037 parameters.
    "rnnt-45m": Preset(
        model=RnntConfig(
            pre_layers=2,
            post_layers=3,
            encoder_hidden=1024,
            embedding=320,
            predictor_layers=2,
            predictor_hidden=320,
            joint_hidden=512,
        ),
        tokens=LETTERS,
    ),
    # About 10.2 M parameters: read speech in letters, frames of 40 ms, chunks of 320 ms. Every size is a
    # multiple of 32 and so are the 49 + 2 * 8 - 1 distances: packed, at 5 bits, nothing is padding.
    "conformer-10m": Preset(
        model=ConformerConfig(
            conv_channels=32,
            layers=6,
            d_model=256,
            kernel_size=15,
            norm="batch_norm",
            left_context=49,
            chunk=8,
            embedding=128,
            predictor_hidden=256,
            joint_hidden=256,
        ),
        tokens=LETTERS,
    ),
    # About 5.5 M parameters: half of conformer-10m's layers.
    "conformer-5m": Preset(
        model=ConformerConfig(
            conv_channels=32,
            layers=3,
            d_model=256,
            kernel_size=15,
            norm="batch_norm",
            left_context=49,
            chunk=8,
            embedding=128,
            predictor_hidden=256,
            joint_hidden=256,
        ),
        tokens=LETTERS,
    ),
    # NeMo's small Conformer transducer (conformer_transducer_bpe.yaml, d_model 176), made to stream: 14.0 M.
    "conformer-14m": Preset(
        model=ConformerConfig(conv_channels=176, embedding=320, predictor_hidden=320, joint_hidden=320),
        tokens=LETTERS,
    ),
}


def preset(name: str) -> Preset:
    """Returns the preset called `name`."""
    if name not in PRESETS:
        raise ModelConfigError(f"[preset] expected one of {', '.join(PRESETS)}, received {name!r}")
    return PRESETS[name]
