"""Checkpoint folders: `model.safetensors` and `config.json`, as docs/format.md, section 5 describes them."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from whit.models.checkpoint_folder import CONFIG, FORMAT, WEIGHTS, whole_folder
from whit.models.conformer_config import ConformerConfig
from whit.models.errors import CheckpointError, ModelConfigError
from whit.models.quantizers import QuantizedTensor, WeightQuantizer, quantizers_of, register_quantizer
from whit.models.quantizers.quantizer import CheckpointScheme
from whit.models.quantizers.row_groups import RowOrder, num_tiles
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.tensor_file import write_tensors
from whit.models.transducer_config import TransducerConfig
from whit.runtime.dense_codes import dense_bytes, pack_dense, unpack_dense
from whit.runtime.errors import PackingError, file_sentence
from whit.runtime.json_text import parse_json
from whit.runtime.weight_files import weight_files

Model = TypeVar("Model", bound=nn.Module)

VERSION = 1
ARCHITECTURES: dict[str, type[TransducerConfig]] = {
    config.architecture: config for config in (RnntConfig, ConformerConfig)
}


class SavedConfig(Protocol):
    """What stands in config.json beside the weights."""

    def to_json(self, quantization: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the JSON object of config.json."""
        ...


@dataclass(frozen=True, kw_only=True)
class StreamingConfig:
    """How a stream of this model is cut, in milliseconds (docs/format.md, section 8)."""

    chunk_ms: int = 60
    lookahead_ms: int = 0
    tail_ms: int = 480

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int or value < 0:
                raise ModelConfigError(
                    f"[streaming.{name}] expected a whole number, at least 0, received {value!r}"
                )


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Everything of config.json that the tensors do not say themselves."""

    name: str
    model: TransducerConfig
    tokens: tuple[str, ...]
    streaming: StreamingConfig = field(default_factory=StreamingConfig)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_tokens(self.tokens)
        if not isinstance(self.metrics, Mapping):
            raise ModelConfigError(f"[metrics] expected an object, received {self.metrics!r:.60}")
        self.model.check_chunk(self.streaming.chunk_ms)

    def to_json(self, quantization: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the JSON object of config.json."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "architecture": self.model.architecture,
            "name": self.name,
            "model": self.model.to_json(),
            "frontend": {"flavour": "nemo", "sample_rate_hz": 16000, "num_mels": self.model.num_mels},
            "streaming": vars(self.streaming),
            "tokens": list(self.tokens),
            "quantization": dict(quantization),
            "metrics": dict(self.metrics),
        }


def checked_tokens(tokens: Any) -> tuple[str, ...]:
    """Returns the tokens of a model.

    Raises:
        ModelConfigError: they are no list of different texts, or one of them is empty.
    """
    is_list = isinstance(tokens, list | tuple) and bool(tokens)
    if not is_list or not all(isinstance(token, str) and token for token in tokens):
        raise ModelConfigError(f"[tokens] expected a list of texts, none empty, received {tokens!r:.60}")
    if len(set(tokens)) != len(tokens):
        raise ModelConfigError(
            f"[tokens] expected different tokens, received {len(tokens)} with {len(set(tokens))} different"
        )
    return tuple(tokens)


class StoredQuantizer(WeightQuantizer):
    """The hard codes of a checkpoint, fixed: what is loaded is what was stored."""

    index: Tensor
    scale: Tensor
    codebook: Tensor | None

    def __init__(self, stored: QuantizedTensor) -> None:
        rows, cols = stored.index.shape
        super().__init__(stored.bits, rows=rows, cols=cols, row_order=stored.row_order)
        self.scheme = stored.scheme
        for name in ("index", "scale", "codebook"):
            self.register_buffer(name, getattr(stored, name))

    def harden(self, weight: Tensor) -> QuantizedTensor:
        """Returns the stored codes, whatever `weight` holds."""
        return QuantizedTensor(self.index, self.scale, self.codebook, self.bits, self.scheme, self.row_order)

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the stored weight, float32 (rows, cols)."""
        return self.harden(weight).dequantize()


def collect(model: nn.Module, dtype: torch.dtype = torch.float16) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns the tensors of a checkpoint and its `quantization` entry.

    Quantized matrices become their hard codes; everything else becomes `dtype`, but the statistics of
    batch norms stay float32: they may lie beyond half precision.
    """
    tensors: dict[str, Tensor] = {}
    quantization: dict[str, Any] = {}
    for place in quantizers_of(model):
        hard = place.quantizer.harden(place.weight.detach())
        quantization[place.name] = {"scheme": hard.scheme, "bits": hard.bits}
        codes = pack_dense(hard.index.cpu().numpy(), bits=hard.bits)
        tensors[place.name + ".index"] = torch.from_numpy(codes)
        tensors[place.name + ".scale"] = hard.scale
        if hard.codebook is not None:
            tensors[place.name + ".codebook"] = hard.codebook
    for name, tensor in model.state_dict().items():
        if ".parametrizations." not in name:
            is_statistic = name.endswith(("running_mean", "running_var"))
            tensors[name] = tensor.float() if is_statistic else tensor.to(dtype)
    _check_finite(tensors, "checkpoint")
    return {name: tensor.detach().contiguous() for name, tensor in sorted(tensors.items())}, quantization


def _check_finite(tensors: Mapping[str, Tensor], place: str) -> None:
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise CheckpointError(
            f"[{place}] expected finite tensors, received NaN or infinity in {', '.join(broken)}"
        )


def save_checkpoint(
    folder: Path, model: nn.Module, config: SavedConfig, *, dtype: torch.dtype = torch.float16
) -> None:
    """Writes a checkpoint folder whole or not at all; an earlier one of the same name is replaced.

    Raises:
        CheckpointError: a tensor is not finite.
        OutputError: the folder holds more than a checkpoint, or cannot be written.
    """
    tensors, quantization = collect(model, dtype)
    text = json.dumps(config.to_json(quantization), indent=2, ensure_ascii=True)
    with whole_folder(folder) as building:
        write_tensors(building / WEIGHTS, tensors, place=folder / WEIGHTS)
        (building / WEIGHTS).chmod(0o644)
        (building / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, architectures: tuple[str, ...]) -> dict[str, Any]:
    """Returns the object in config.json; its architecture is one of those given."""
    try:
        raw = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"[{path}] expected a readable JSON file, received {error}") from error
    found = (raw.get("format"), raw.get("version"), raw.get("architecture")) if isinstance(raw, dict) else raw
    if not isinstance(raw, dict) or found not in [(FORMAT, VERSION, name) for name in architectures]:
        expected = f"{FORMAT} version {VERSION} of one of {', '.join(architectures)}"
        raise CheckpointError(f"[{path}] expected {expected}, received {found}")
    return raw


def read_quantization(raw: Any, path: Path) -> dict[str, Mapping[str, Any]]:
    """Returns the `quantization` of a configuration: what is said of each tensor.

    Raises:
        CheckpointError: it is no object of objects.
    """
    if not isinstance(raw, dict) or not all(isinstance(entry, dict) for entry in raw.values()):
        raise CheckpointError(
            f"[{path}: quantization] expected an object for each tensor, received {raw!r:.60}"
        )
    return raw


def read_config(folder: Path) -> tuple[CheckpointConfig, dict[str, Any]]:
    """Returns config.json of a checkpoint folder and its `quantization` entry."""
    path = folder / CONFIG
    raw = read_json(path, tuple(ARCHITECTURES))
    try:
        config = CheckpointConfig(
            name=raw["name"],
            model=ARCHITECTURES[raw["architecture"]].from_json(raw["model"]),
            tokens=checked_tokens(raw["tokens"]),
            streaming=StreamingConfig(**raw["streaming"]),
            metrics=raw.get("metrics", {}),
        )
        frontend = config.to_json({})["frontend"]
        if raw["frontend"] != frontend:
            raise ModelConfigError(f"[frontend] expected {frontend}, received {raw['frontend']!r:.100}")
        return config, read_quantization(raw["quantization"], path)
    except (KeyError, TypeError, ModelConfigError) as error:
        raise CheckpointError(f"[{path}] expected every key of docs/format.md, received {error!r}") from error


def load_checkpoint(folder: Path, *, dropout: float = 0.0) -> tuple[Rnnt, CheckpointConfig]:
    """Returns the model of a checkpoint folder, in evaluation mode, and its configuration.

    Quantized matrices hold their stored codes and cannot be trained; load a float checkpoint to train.
    """
    config, quantization = read_config(folder)
    model = filled_model(
        lambda: Rnnt(config.model, len(config.tokens), dropout=dropout), folder, quantization
    )
    if not (model.encoder.feature_std > 0).all():
        raise CheckpointError(f"[{folder}] expected encoder.feature_std above 0, received others")
    return model.eval(), config


def filled_model(make: Callable[[], Model], folder: Path, quantization: Mapping[str, Any]) -> Model:
    """Returns the model that `make` makes, filled with the tensors of a checkpoint folder.

    No memory is taken for weights until the shapes are known to be those of the folder's tensors.

    Raises:
        CheckpointError: the tensors are of another model, contradict `quantization` or are not finite.
    """
    try:
        with torch.device("meta"):
            model = make()
    except (RuntimeError, TypeError) as error:  # torch's, of numbers beyond 64 bits
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"[{folder / CONFIG}: model] expected sizes that tensors can have, received: {reason}"
        ) from error
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tensors = _load_tensors(folder)
    stored = {
        name: _stored(tensors, name, entry, expected.get(name, ())) for name, entry in quantization.items()
    }
    received = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    received |= {name: expected[name] for name in stored}
    if received != expected:
        different = sorted(dict(received.items() ^ expected.items()))
        raise CheckpointError(
            f"[{folder}] expected the tensors and shapes of docs/format.md, "
            f"received others for {', '.join(different)}"
        )
    _check_finite(tensors, str(folder))
    others = sorted(name for name, t in tensors.items() if t.dtype not in (torch.float16, torch.float32))
    if others:
        raise CheckpointError(
            f"[{folder}] expected tensors of float16 or float32, received others for {', '.join(others)}"
        )
    model.to_empty(device="cpu")
    model.load_state_dict(tensors | {name: torch.zeros(expected[name]) for name in stored})
    for name, hard in stored.items():
        path, _, attribute = name.rpartition(".")
        register_quantizer(model.get_submodule(path), attribute, StoredQuantizer(hard))
    return model


def _load_tensors(folder: Path) -> dict[str, Tensor]:
    """Returns the tensors of a checkpoint folder's files."""
    tensors: dict[str, Tensor] = {}
    try:
        for path in weight_files(folder):
            try:
                part = load_file(path)
            except (OSError, SafetensorError) as error:
                raise ValueError(f"[{path}] expected a safetensors file, received {error}") from error
            twice = sorted(part.keys() & tensors.keys())
            if twice:
                raise ValueError(f"[{path}] expected other tensors, received again {', '.join(twice)}")
            tensors |= part
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(file_sentence(error, place=str(folder))) from error
    return tensors


def _stored(
    tensors: dict[str, Tensor], name: str, entry: Mapping[str, Any], shape: tuple[int, ...]
) -> QuantizedTensor:
    """Takes the parts of one quantized tensor out of `tensors`; `shape` is () of one that no model has."""
    index, scale = tensors.pop(name + ".index", None), tensors.pop(name + ".scale", None)
    codebook = tensors.pop(name + ".codebook", None)
    bits, scheme = entry.get("bits"), entry.get("scheme")
    if scheme not in tuple(get_args(CheckpointScheme)):
        raise CheckpointError(f"[{name}] expected a scheme of docs/format.md, received {scheme!r}")
    if len(shape) < 2 or type(bits) is not int or not 1 <= bits <= 8 or index is None or scale is None:
        raise CheckpointError(
            f"[{name}] expected a known matrix with bits, index and scale, received {dict(entry)}"
        )
    is_index = (index.dtype, *index.shape) == (torch.uint8, dense_bytes(math.prod(shape), bits=bits))
    if not is_index or tuple(scale.shape) != shape[:1] or (codebook is None) != (bits >= 7):
        raise CheckpointError(
            f"[{name}] expected index and scale of {shape} at {bits} bits and a codebook below 7 bits only, "
            f"received {index.dtype} {tuple(index.shape)} and {tuple(scale.shape)}"
        )
    order: RowOrder = "lstm" if name.endswith(("weight_ih", "weight_hh")) else "plain"
    if codebook is not None:
        widths = [(groups, 2**bits) for groups in (1, num_tiles(shape[0], order))]
        if codebook.dtype != torch.int8 or tuple(codebook.shape) not in widths:
            raise CheckpointError(
                f"[{name}] expected a codebook of torch.int8 {' or '.join(map(str, widths))}, "
                f"received {codebook.dtype} {tuple(codebook.shape)}"
            )
    if scale.dtype != torch.float32 or not torch.isfinite(scale).all():
        raise CheckpointError(f"[{name}] expected finite float32 row scales, received others")
    rows_cols = shape[0], math.prod(shape[1:])
    try:
        unpacked = torch.from_numpy(unpack_dense(index.numpy(), shape=rows_cols, bits=bits))
    except PackingError as error:
        raise CheckpointError(f"[{name}.index] {error}") from error
    return QuantizedTensor(unpacked, scale, codebook, bits, scheme, order)  # type: ignore[arg-type]
