"""What a NeMo model's configuration means here: shape, front-end and tokens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conv_config import ConvBlockConfig, ConvConfig
from whit.models.ctc_model import CtcModelConfig
from whit.models.errors import ForeignModelError, ModelConfigError
from whit.models.offline_features import GUARD, OfflineFrontend
from whit.models.presets import WORD_START

MAX_CLASSES = 2**16
MAX_REFERENCES = 16  # an interpolation that leads to another, at most so often
CONTINUATION = "##"  # WordPiece's mark of a piece that does not start a word
NEGLIGIBLE = ("", None, False)


@dataclass(frozen=True, kw_only=True)
class NemoModel:
    """A configuration, understood."""

    model: CtcModelConfig
    frontend: OfflineFrontend
    tokens: tuple[str, ...]


class Section:
    """A mapping of the YAML file; values `${a.b}` are looked up from the root."""

    def __init__(self, root: Mapping[str, Any], values: Any, place: str) -> None:
        if not isinstance(values, Mapping):
            raise ForeignModelError(f"[{place}] expected a mapping, received {type(values).__name__}")
        # NeMo before 1.0 kept arguments under `params`.
        nested = values.get("params")
        self._values = {**values, **nested} if isinstance(nested, Mapping) else dict(values)
        self._root, self.place = root, place

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the value of `key`."""
        value = self._values.get(key, default)
        for _ in range(MAX_REFERENCES):
            match = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
            if match is None:
                return value
            value = self._root
            for part in match[1].removeprefix("model.").split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is None:
                raise ForeignModelError(f"[{self.place}.{key}] expected a value at {match[0]}, received none")
        raise ForeignModelError(f"[{self.place}.{key}] expected references that end, received a circle")

    def section(self, key: str) -> "Section":
        """Returns the mapping at `key`."""
        return Section(self._root, self.get(key), f"{self.place}.{key}")

    def each(self, key: str) -> list["Section"]:
        """Returns the mappings of the list at `key`."""
        values = self.get(key)
        if not isinstance(values, list):
            raise ForeignModelError(f"[{self.place}.{key}] expected a list, received {type(values).__name__}")
        return [Section(self._root, value, f"{self.place}.{key}.{i}") for i, value in enumerate(values)]

    def kind(self) -> str:
        """Returns the class that NeMo makes of it, without its modules."""
        return str(self.get("_target_", self.get("cls", ""))).rpartition(".")[2]

    def only(self, **expected: Any) -> None:
        """Raises ForeignModelError where a key is there and holds anything but what is expected."""
        for key, value in expected.items():
            received = self.get(key, value)
            if received != value and not (received in NEGLIGIBLE and value in NEGLIGIBLE):
                raise ForeignModelError(f"[{self.place}.{key}] expected {value!r}, received {received!r}")

    def single(self, key: str, default: int | None = None) -> Any:
        """Returns a number that NeMo's blocks may write as a list of one."""
        value = self.get(key, default)
        return value[0] if isinstance(value, list) and len(value) == 1 else value


def understand(text: str, vocabularies: Mapping[str, str]) -> NemoModel:
    """Returns the model that model_config.yaml describes.

    Args:
        text: the YAML.
        vocabularies: texts of the archive's vocabulary files, used where the YAML names no tokens.

    Raises:
        ForeignModelError: the configuration is damaged or of a model that cannot be imported.
    """
    try:
        raw = yaml.safe_load(text)
        root = raw.get("model", raw) if isinstance(raw, Mapping) else raw
        config = Section(root, root, "config")
        encoder, decoder = config.section("encoder"), config.section("decoder")
        frontend = _frontend(config)
        model = _model(encoder, decoder, frontend.num_mels)
        tokens = _tokens(config, decoder, vocabularies, head=model.head)
    except (yaml.YAMLError, RecursionError) as error:
        raise ForeignModelError(f"[config] expected YAML, received {type(error).__name__}") from error
    except (ModelConfigError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ForeignModelError):
            raise
        raise ForeignModelError(
            f"[config] expected a model that can be imported, received {error}"
        ) from error
    return NemoModel(model=model, frontend=frontend, tokens=tokens)


def _frontend(config: Section) -> OfflineFrontend:
    place = config.section("preprocessor")
    kind = "mfcc" if "MFCC" in place.kind() else "log_mel"
    place.only(sample_rate=16000, window_stride=0.01, window="hann", frame_splicing=1)
    if kind == "log_mel":
        place.only(
            n_fft=512, log=True, preemph=0.97, mag_power=2.0, lowfreq=0, highfreq=None, exact_pad=False
        )
        place.only(log_zero_guard_type="add", log_zero_guard_value=GUARD, mel_norm="slaney")
    normalize = place.get("normalize", "none" if kind == "mfcc" else "per_feature")
    return OfflineFrontend(
        num_mels=place.get("n_mfcc", 64) if kind == "mfcc" else place.get("features", 64),
        window_ms=round(1000 * float(place.get("window_size", 0.02))),
        kind=kind,
        normalize="none" if normalize in ("NA", *NEGLIGIBLE) else normalize,
    )


def _model(encoder: Section, decoder: Section, num_mels: int) -> CtcModelConfig:
    encoder.only(feat_in=num_mels)
    if encoder.kind() == "ConvASREncoder":
        return _convolutional(encoder, decoder, num_mels)
    if encoder.kind() == "ConformerEncoder":
        return _conformer(encoder, decoder, num_mels)
    raise ForeignModelError(
        f"[encoder] expected ConvASREncoder or ConformerEncoder, received {encoder.kind() or 'no class'}"
    )


def _convolutional(encoder: Section, decoder: Section, num_mels: int) -> ConvConfig:
    heads = {
        "ConvASRDecoder": "ctc",
        "ConvASRDecoderClassification": "pooled",
        "MultiLayerPerceptron": "frames",
    }
    head = heads.get(decoder.kind())
    if head is None:
        raise ForeignModelError(f"[decoder] expected one of {', '.join(heads)}, received {decoder.kind()}")
    decoder.only(pooling_type="avg", num_layers=1)
    encoder.only(activation="relu", normalization_mode="batch", frame_splicing=1)
    blocks = encoder.each("jasper")
    return ConvConfig(
        num_mels=num_mels,
        blocks=tuple(_block(block, encoder.get("residual_mode", "add")) for block in blocks),
        head=head,
        conv_mask=encoder.get("conv_mask", True),
    )


def _block(block: Section, residual_mode: str) -> ConvBlockConfig:
    block.only(groups=1, heads=-1, se=False, future_context=-1)
    stride, repeat, residual = block.single("stride", 1), block.get("repeat", 1), block.get("residual", False)
    mode = block.get("residual_mode", residual_mode)
    right = ("add", "stride_add") if stride == 1 else ("stride_add",)
    if residual and mode not in right:
        raise ForeignModelError(f"[{block.place}.residual_mode] expected {right[-1]}, received {mode}")
    if stride != 1 and repeat != 1:
        block.only(stride_last=False)
    factor = float(block.get("kernel_size_factor", 1.0))
    kernel_size = block.single("kernel")
    if factor != 1.0 and isinstance(kernel_size, int):
        kernel_size = max(int(kernel_size * factor), 1)
    if isinstance(kernel_size, int):
        kernel_size |= 1  # NeMo rounds an even size up
    return ConvBlockConfig(
        filters=block.get("filters"),
        kernel_size=kernel_size,
        stride=stride,
        dilation=block.single("dilation", 1),
        repeat=repeat,
        separable=block.get("separable", False),
        residual=residual,
        residual_dense=residual and block.get("residual_dense", False),
        dropout=block.get("dropout", 0.0),
    )


def _conformer(encoder: Section, decoder: Section, num_mels: int) -> ConformerCtcConfig:
    if decoder.kind() != "ConvASRDecoder":
        raise ForeignModelError(f"[decoder] expected ConvASRDecoder, received {decoder.kind()}")
    encoder.only(
        subsampling="striding",
        subsampling_factor=4,
        causal_downsampling=False,
        self_attention_model="rel_pos",
        untie_biases=True,
        conv_norm_type="batch_norm",
        use_bias=True,
        reduction=None,
        stochastic_depth_drop_prob=0.0,
        feat_out=-1,
        global_tokens=0,
    )
    context, style = encoder.get("att_context_size"), encoder.get("att_context_style", "regular")
    if context not in (None, [-1, -1], [[-1, -1]]) or style != "regular":
        raise ForeignModelError(f"[encoder.att_context_size] expected [-1, -1], received {context}, {style}")
    size = encoder.get("d_model")
    kernel_size = encoder.get("conv_kernel_size", 31)
    context = encoder.get("conv_context_size")
    if context not in (None, [(kernel_size - 1) // 2] * 2):
        raise ForeignModelError(f"[encoder.conv_context_size] expected none, received {context}")
    channels = encoder.get("subsampling_conv_channels", -1)
    return ConformerCtcConfig(
        num_mels=num_mels,
        conv_channels=size if channels == -1 else channels,
        layers=encoder.get("n_layers"),
        d_model=size,
        heads=encoder.get("n_heads", 4),
        ff_expansion=encoder.get("ff_expansion_factor", 4),
        kernel_size=kernel_size,
        xscaling=encoder.get("xscaling", True),
    )


def _tokens(
    config: Section, decoder: Section, vocabularies: Mapping[str, str], *, head: str
) -> tuple[str, ...]:
    """Returns the labels of a classifier, or the tokens of a CTC model with the project's mark for spaces."""
    candidates = [decoder.get("vocabulary"), config.get("labels")]
    candidates += [_pieces(name, text) for name, text in sorted(vocabularies.items())]
    listed = next((c for c in candidates if isinstance(c, list) and c), None)
    classes = decoder.get("num_classes", -1)
    if listed is None and head != "ctc" and isinstance(classes, int) and 0 < classes <= MAX_CLASSES:
        listed = list(range(classes))
    if listed is None:
        raise ForeignModelError(
            "[config] expected labels, decoder.vocabulary or a vocabulary file, received none"
        )
    if isinstance(classes, int) and classes > 0 and classes != len(listed):
        raise ForeignModelError(f"[decoder.num_classes] expected {len(listed)} as listed, received {classes}")
    tokens = tuple(map(str, listed))
    if head != "ctc":
        return tokens
    if any(token.startswith(CONTINUATION) for token in tokens):
        return tuple(
            token.removeprefix(CONTINUATION) if token.startswith(CONTINUATION) else WORD_START + token
            for token in tokens
        )
    return tuple(WORD_START if token == " " else token for token in tokens)


def _pieces(name: str, text: str) -> list[str]:
    """Returns the pieces of a vocabulary file: one a line, with a score after a tab in SentencePiece's."""
    lines = text.split("\n")
    return [line.split("\t")[0] if name.endswith(".vocab") else line for line in lines if line]
