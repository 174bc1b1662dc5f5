"""A checkpoint folder, read and checked: nothing behind this file needs to doubt a tensor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from whit.exporter.config import CheckpointConfig, ModelConfig, QuantizationEntry, parse_config
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.conformer_tensors import (
    FLOAT_SUFFIXES,
    PRE_ENCODE_OUT,
    conformer_encoder_shapes,
    memory_order,
)
from whit.exporter.errors import (
    CheckpointFileError,
    CodebookError,
    ConfigError,
    IndexRangeError,
    TensorSetError,
    TensorValueError,
)
from whit.exporter.quantized_matrix import WIDEST_CODEBOOK_BITS, QuantizedMatrix, group_of_rows, num_tiles
from whit.exporter.transducer_config import TransducerConfig

Matrix = NDArray[np.float32] | QuantizedMatrix
FLOATS = ("float16", "float32")


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A trained model as data.

    Attributes:
        config: what config.json says.
        matrices: what activations are multiplied by, float32 or quantized, (rows, cols); columns in the order
            of the activations.
        vectors: every other tensor, float32 in its own shape.
    """

    config: CheckpointConfig
    matrices: Mapping[str, Matrix]
    vectors: Mapping[str, NDArray[np.float32]]

    @property
    def float_matrices(self) -> list[str]:
        """Names of the matrices that are not quantized."""
        return [name for name, matrix in self.matrices.items() if not isinstance(matrix, QuantizedMatrix)]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Returns the checkpoint in a folder with `model.safetensors` and `config.json`.

    Raises:
        CheckpointFileError: a file is missing or not of its format.
        CheckpointVersionError: another format, version or architecture.
        ConfigError: a field of config.json is wrong.
        TensorSetError: tensors are missing, unknown or misshapen; all are named.
        TensorValueError: a tensor holds NaN, infinity or a value its role forbids.
        IndexRangeError: an index lies outside its codebook.
        CodebookError: a codebook breaks its range.
    """
    try:
        text = (folder / "config.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointFileError(
            f"[{folder / 'config.json'}] expected a text file, received: {reason}"
        ) from error
    config = parse_config(text)
    shapes = tensor_shapes(config.model, len(config.tokens))
    unknown = [name for name in config.quantization if not is_matrix(name, shapes.get(name, ()))]
    if unknown:
        raise ConfigError(
            f"[quantization] expected names of matrices, received {', '.join(map(repr, unknown))}"
        )
    tensors = _read_tensors(folder / "model.safetensors", stored_tensors(shapes, config.quantization))
    _check_finite(tensors)
    std = tensors["encoder.feature_std"].astype(np.float32)
    if not (std >= np.finfo(np.float32).tiny).all():
        at = int(np.argmin(std))
        raise TensorValueError(f"[encoder.feature_std] expected positive numbers, received {std[at]} at {at}")
    for name in (name for name in shapes if name.endswith(".running_var")):
        least = tensors[name].astype(np.float32).min()
        if least < 0:
            raise TensorValueError(f"[{name}] expected no negative variance, received {least}")
    matrices: dict[str, Matrix] = {}
    for name, shape in shapes.items():
        if name in config.quantization:
            matrices[name] = _quantized(name, config.quantization[name], tensors)
        elif is_matrix(name, shape):
            matrices[name] = tensors[name].astype(np.float32).reshape(shape[0], -1)
    if isinstance(config.model, ConformerConfig):
        matrices[PRE_ENCODE_OUT] = take_columns(matrices[PRE_ENCODE_OUT], memory_order(config.model))
    vectors = {
        name: tensors[name].astype(np.float32) for name, shape in shapes.items() if not is_matrix(name, shape)
    }
    return Checkpoint(config=config, matrices=matrices, vectors=vectors)


def is_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Tells whether a tensor is multiplied by activations, so that it can be quantized."""
    return len(shape) in (2, 4) and not name.endswith(FLOAT_SUFFIXES)


def take_columns(matrix: Matrix, columns: NDArray[np.int64]) -> Matrix:
    """Returns the matrix of these columns."""
    if isinstance(matrix, QuantizedMatrix):
        return replace(matrix, index=matrix.index[:, columns])
    return np.ascontiguousarray(matrix[:, columns])


def tensor_shapes(model: TransducerConfig, num_tokens: int) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every tensor of a transducer, by name, in execution order."""
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.feature_mean": (model.num_mels,),
        "encoder.feature_std": (model.num_mels,),
    }

    def lstm(name: str, inputs: int, hidden: int) -> None:
        shapes[f"{name}.weight_ih"] = (4 * hidden, inputs)
        shapes[f"{name}.weight_hh"] = (4 * hidden, hidden)
        shapes[f"{name}.bias_ih"] = shapes[f"{name}.bias_hh"] = (4 * hidden,)

    if isinstance(model, ConformerConfig):
        shapes |= conformer_encoder_shapes(model)
    if isinstance(model, ModelConfig):
        for layer in range(model.encoder_layers):
            inputs = model.encoder_inputs(layer)
            if model.layer_norm and layer > 0:
                norm = f"encoder.norm.{layer}"
                shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (inputs,)
            lstm(f"encoder.lstm.{layer}", inputs, model.encoder_hidden)
        if model.layer_norm:
            shapes["encoder.norm_out.weight"] = shapes["encoder.norm_out.bias"] = (model.encoder_hidden,)
    shapes["joint.encoder.weight"] = (model.joint_hidden, model.encoder_width)
    shapes["joint.encoder.bias"] = (model.joint_hidden,)
    shapes["predictor.embedding.weight"] = (num_tokens, model.embedding)
    if model.predictor == "stateless":
        shapes["predictor.linear.weight"] = (model.predictor_hidden, model.context * model.embedding)
        shapes["predictor.linear.bias"] = (model.predictor_hidden,)
    else:
        for layer in range(model.predictor_layers):
            lstm(
                f"predictor.lstm.{layer}",
                model.predictor_hidden if layer else model.embedding,
                model.predictor_hidden,
            )
    shapes["joint.predictor.weight"] = (model.joint_hidden, model.predictor_hidden)
    shapes["joint.output.weight"] = (num_tokens + 1, model.joint_hidden)
    shapes["joint.output.bias"] = (num_tokens + 1,)
    return shapes


def is_lstm_matrix(name: str) -> bool:
    """Tells whether the rows of a tensor are the gates of an LSTM."""
    return name.endswith((".weight_ih", ".weight_hh"))


@dataclass(frozen=True)
class StoredTensor:
    """What a tensor of the file must look like: any of some shapes and element types."""

    shapes: tuple[tuple[int, ...], ...]
    types: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' or '.join(self.types)} {' or '.join(map(str, self.shapes))}"


def stored_tensors(
    shapes: Mapping[str, tuple[int, ...]], quantization: Mapping[str, QuantizationEntry]
) -> dict[str, StoredTensor]:
    """Returns what the file must hold: a quantized tensor is its index, scale and codebook."""
    stored = {}
    for name, shape in shapes.items():
        if name not in quantization:
            stored[name] = StoredTensor((shape,), FLOATS)
            continue
        bits = quantization[name].bits
        stored[f"{name}.index"] = StoredTensor((shape,), ("uint8",))
        stored[f"{name}.scale"] = StoredTensor((shape[:1],), ("float32",))
        if bits <= WIDEST_CODEBOOK_BITS:
            tiles = num_tiles(shape[0], lstm=is_lstm_matrix(name))
            stored[f"{name}.codebook"] = StoredTensor(((1, 2**bits), (tiles, 2**bits)), ("int8",))
    return stored


TYPES = {"F16": "float16", "F32": "float32", "U8": "uint8", "I8": "int8"}


def _read_tensors(path: Path, expected: Mapping[str, StoredTensor]) -> dict[str, NDArray[np.generic]]:
    """Reads a safetensors file whose tensors are exactly the expected ones."""
    try:
        with safe_open(path, framework="np") as file:
            names = set(file.keys())
            problems = [f"no {name} ({stored})" for name, stored in expected.items() if name not in names]
            problems += [f"unknown {name!r}" for name in sorted(names - set(expected))]
            for name in sorted(names & set(expected)):
                view = file.get_slice(name)
                shape, kind = tuple(view.get_shape()), TYPES.get(view.get_dtype(), view.get_dtype())
                if shape not in expected[name].shapes or kind not in expected[name].types:
                    problems.append(f"{name} as {kind} {shape} instead of {expected[name]}")
            if problems:
                raise TensorSetError(
                    f"[{path}] expected the tensors of config.json, received {'; '.join(problems)}"
                )
            return {name: file.get_tensor(name) for name in expected}
    except (OSError, SafetensorError) as error:
        raise CheckpointFileError(f"[{path}] expected a safetensors file, received: {error}") from error


def _check_finite(tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Names every tensor with NaN or infinity and the first place of one."""
    problems = []
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(tensor))[0])
            problems.append(f"{tensor[at]} in {name} at {list(at)}")
    if problems:
        raise TensorValueError(f"[checkpoint] expected finite numbers, received {'; '.join(problems)}")


def _quantized(
    name: str, entry: QuantizationEntry, tensors: Mapping[str, NDArray[np.generic]]
) -> QuantizedMatrix:
    """Joins the parts of a quantized tensor and checks their values."""
    index = tensors[f"{name}.index"].astype(np.uint8)
    index = index.reshape(len(index), -1)
    lowest = 1 if entry.bits > WIDEST_CODEBOOK_BITS else 0  # linear codes leave index 0 unused
    outside = np.argwhere((index.astype(np.int16) >= 1 << entry.bits) | (index < lowest))
    if len(outside):
        at = tuple(int(i) for i in outside[0])
        raise IndexRangeError(
            f"[{name}.index] expected {lowest} to {2**entry.bits - 1} at {entry.bits} bits, "
            f"received {index[at]} at {list(at)}"
        )
    codebook = None
    if entry.bits <= WIDEST_CODEBOOK_BITS:
        codebook = tensors[f"{name}.codebook"].astype(np.int8)
        problem = next(_codebook_problems(codebook, entry), None)
        if problem:
            raise CodebookError(f"[{name}.codebook] expected {problem}")
    groups = 1 if codebook is None else codebook.shape[0]
    return QuantizedMatrix(
        index=index,
        bits=entry.bits,
        scheme=entry.scheme,
        codebook=codebook,
        group=group_of_rows(index.shape[0], groups=groups, lstm=is_lstm_matrix(name)),
        scale=tensors[f"{name}.scale"].astype(np.float32),
    )


def _codebook_problems(codebook: NDArray[np.int8], entry: QuantizationEntry) -> Iterator[str]:
    """Yields what is wrong with a codebook, as 'what is right, received what came'."""
    low, high = (-64, 63) if entry.bits <= 4 else (-127, 127)
    outside = np.argwhere((codebook < low) | (codebook > high))
    if len(outside):
        at = tuple(int(i) for i in outside[0])
        yield f"values from {low} to {high} at {entry.bits} bits, received {codebook[at]} at {list(at)}"
    if entry.scheme == "planes" and not is_additive(codebook):
        yield "z plus the sum of plane weights (scheme 'planes'), received a codebook that is not additive"
    if entry.scheme == "codebook":
        for group, centroids in enumerate(codebook):
            # A tile that is all padding has one repeated value: no row reads it.
            if 1 < len(np.unique(centroids)) < len(centroids):
                yield f"distinct centroids (scheme 'codebook'), received one twice in codebook {group}"


def is_additive(codebook: NDArray[np.int8]) -> bool:
    """Tells whether every codebook is z plus the sum of plane weights, one per index bit."""
    values = codebook.astype(np.int64)
    z = values[:, :1]
    index = np.arange(values.shape[1])
    sums = z.repeat(values.shape[1], axis=1)
    for bit in range(values.shape[1].bit_length() - 1):
        sums += (index >> bit & 1) * (values[:, 1 << bit : (1 << bit) + 1] - z)
    return bool((sums == values).all())
