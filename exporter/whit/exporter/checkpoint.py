"""A checkpoint folder, read and checked: nothing behind this file needs to doubt a tensor."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.exporter.config import CheckpointConfig, ModelConfig, parse_config
from whit.exporter.conformer_config import ConformerConfig
from whit.exporter.conformer_tensors import (
    FLOAT_SUFFIXES,
    PRE_ENCODE_OUT,
    conformer_encoder_shapes,
    memory_order,
)
from whit.exporter.errors import CheckpointFileError, ConfigError, TensorValueError
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.quantized_parts import join_parts
from whit.exporter.tensor_file import check_finite, check_variances, read_tensors, stored_tensors
from whit.exporter.tensors import Matrix
from whit.exporter.transducer_config import TransducerConfig


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
    config = parse_config(read_config_text(folder))
    shapes = tensor_shapes(config.model, len(config.tokens))
    unknown = [name for name in config.quantization if not is_matrix(name, shapes.get(name, ()))]
    if unknown:
        raise ConfigError(
            f"[quantization] expected names of matrices, received {', '.join(map(repr, unknown))}"
        )
    tensors = read_tensors(folder, stored_tensors(shapes, config.quantization))
    check_finite(tensors)
    std = tensors["encoder.feature_std"].astype(np.float32)
    if not (std >= np.finfo(np.float32).tiny).all():
        at = int(np.argmin(std))
        raise TensorValueError(f"[encoder.feature_std] expected positive numbers, received {std[at]} at {at}")
    check_variances(tensors)
    matrices: dict[str, Matrix] = {}
    for name, shape in shapes.items():
        if name in config.quantization:
            matrices[name] = join_parts(name, shape, config.quantization[name], tensors)
        elif is_matrix(name, shape):
            matrices[name] = tensors[name].astype(np.float32).reshape(shape[0], -1)
    if isinstance(config.model, ConformerConfig):
        matrices[PRE_ENCODE_OUT] = take_columns(matrices[PRE_ENCODE_OUT], memory_order(config.model))
    vectors = {
        name: tensors[name].astype(np.float32) for name, shape in shapes.items() if not is_matrix(name, shape)
    }
    return Checkpoint(config=config, matrices=matrices, vectors=vectors)


def read_config_text(folder: Path) -> str:
    """Returns the text of a checkpoint's config.json.

    Raises:
        CheckpointFileError: it is missing or no text.
    """
    try:
        return (folder / "config.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointFileError(
            f"[{folder / 'config.json'}] expected a text file, received: {reason}"
        ) from error


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

    def lstm(name: str, inputs: int, hidden: int, projection: int | None = None) -> None:
        shapes[f"{name}.weight_ih"] = (4 * hidden, inputs)
        shapes[f"{name}.weight_hh"] = (4 * hidden, projection or hidden)
        if projection:
            shapes[f"{name}.weight_hr"] = (projection, hidden)
        shapes[f"{name}.bias_ih"] = shapes[f"{name}.bias_hh"] = (4 * hidden,)

    if isinstance(model, ConformerConfig):
        shapes |= conformer_encoder_shapes(model)
    if isinstance(model, ModelConfig):
        for layer in range(model.encoder_layers):
            inputs = model.encoder_inputs(layer)
            if model.layer_norm and layer > 0:
                norm = f"encoder.norm.{layer}"
                shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (inputs,)
            lstm(f"encoder.lstm.{layer}", inputs, model.encoder_hidden, model.projection)
        if model.layer_norm:
            shapes["encoder.norm_out.weight"] = shapes["encoder.norm_out.bias"] = (model.encoder_width,)
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
