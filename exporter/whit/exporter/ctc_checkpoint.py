"""A checkpoint folder of a model without a prediction network, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whit.exporter.checkpoint import read_config_text, take_columns
from whit.exporter.conformer_ctc_config import ConformerCtcConfig
from whit.exporter.conformer_tensors import PRE_ENCODE_OUT
from whit.exporter.ctc_config import LEAST_BITS, CtcConfig, parse_ctc_config
from whit.exporter.ctc_model_config import Shapes
from whit.exporter.errors import CodebookError, ConfigError, NotQuantizedError, TensorValueError
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.quantized_parts import join_parts
from whit.exporter.tensor_file import check_finite, check_variances, read_tensors, stored_tensors
from whit.exporter.tensors import Matrix

FLOAT_SUFFIXES = (".pos_bias_u", ".pos_bias_v")
"""Tensors of two axes that are added, not multiplied."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CtcCheckpoint:
    """A trained model as data.

    Attributes:
        config: what config.json says.
        matrices: what activations are multiplied by, float32 or quantized, (rows, cols). Columns are in the
            order of the activations: of a convolution in time by tap, then channel.
        vectors: every other tensor, float32 in its own shape.
    """

    config: CtcConfig
    matrices: Mapping[str, Matrix]
    vectors: Mapping[str, NDArray[np.float32]]


def read_ctc_checkpoint(folder: Path) -> CtcCheckpoint:
    """Returns the checkpoint in a folder with `model.safetensors` and `config.json`.

    Raises:
        CheckpointFileError: a file is missing or not of its format.
        CheckpointVersionError: another format, version or architecture.
        ConfigError: a field of config.json is wrong.
        TensorSetError: tensors are missing, unknown or misshapen; all are named.
        TensorValueError: a tensor holds NaN, infinity or a value its role forbids.
        IndexRangeError: an index lies outside its codebook.
        CodebookError: a codebook breaks its range, or is not symmetric in an integer checkpoint.
        NotQuantizedError: an integer checkpoint has float matrices.
    """
    config = parse_ctc_config(read_config_text(folder))
    shapes = ctc_tensor_shapes(config)
    unknown = [name for name in config.quantization if not is_ctc_matrix(name, shapes.get(name, ()))]
    if unknown:
        raise ConfigError(
            f"[quantization] expected names of matrices, received {', '.join(map(repr, unknown))}"
        )
    if config.integer:
        _check_integer_quantization(config, shapes)
    tensors = read_tensors(folder, stored_tensors(shapes, config.quantization))
    check_finite(tensors)
    check_variances(tensors)
    matrices: dict[str, Matrix] = {}
    for name, shape in shapes.items():
        if not is_ctc_matrix(name, shape):
            continue
        if name in config.quantization:
            matrix: Matrix = join_parts(name, shape, config.quantization[name], tensors)
            if config.integer:
                _check_integer_matrix(name, matrix)
        else:
            matrix = tensors[name].astype(np.float32).reshape(shape[0], -1)
        order = _memory_order(name, shape, config)
        matrices[name] = matrix if order is None else take_columns(matrix, order)
    vectors = {
        name: tensors[name].astype(np.float32)
        for name, shape in shapes.items()
        if not is_ctc_matrix(name, shape)
    }
    return CtcCheckpoint(config=config, matrices=matrices, vectors=vectors)


def ctc_tensor_shapes(config: CtcConfig) -> Shapes:
    """Returns the shape of every tensor of a model, by name, in execution order."""
    shapes = config.model.encoder_shapes(folded=config.folded)
    shapes["decoder.weight"] = (config.num_outputs, config.model.encoder_width)
    shapes["decoder.bias"] = (config.num_outputs,)
    return shapes


def is_ctc_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Tells whether a tensor is multiplied by activations, so that it can be quantized."""
    return len(shape) > 1 and not name.endswith(FLOAT_SUFFIXES)


def _memory_order(name: str, shape: tuple[int, ...], config: CtcConfig) -> NDArray[np.int64] | None:
    """Returns which column of the tensor each value of its input meets; None: its own order."""
    columns = np.arange(int(np.prod(shape[1:])))
    if len(shape) == 3:  # (filters, channels, taps)
        return columns.reshape(shape[1:]).T.reshape(-1)
    if name == PRE_ENCODE_OUT and isinstance(config.model, ConformerCtcConfig):
        # The tensor's columns are by channel, then frequency; activations lie by frequency, then channel.
        return columns.reshape(config.model.conv_channels, -1).T.reshape(-1)
    return None


def _check_integer_quantization(config: CtcConfig, shapes: Shapes) -> None:
    """Refuses an integer checkpoint with a float matrix or one of another scheme."""
    names = [name for name, shape in shapes.items() if is_ctc_matrix(name, shape)]
    floats = [name for name in names if name not in config.quantization]
    if floats:
        raise NotQuantizedError(
            f"[quantization] expected every matrix of an integer checkpoint, received none of "
            f"{', '.join(floats)}"
        )
    for name, entry in config.quantization.items():
        if entry.scheme != "linear" or entry.bits < LEAST_BITS:
            raise ConfigError(
                f"[quantization: {name!r}] expected scheme 'linear' at {LEAST_BITS} to 8 bits in an integer "
                f"checkpoint, received {entry.scheme!r} at {entry.bits}"
            )


def _check_integer_matrix(name: str, matrix: Matrix) -> None:
    """Refuses codes that are not symmetric and scales that are not positive."""
    if not isinstance(matrix, QuantizedMatrix):
        raise NotQuantizedError(f"[{name}] expected a quantized matrix, received a float one")
    if matrix.codebook is not None:
        half = 1 << (matrix.bits - 1)
        symmetric = np.maximum(np.arange(2 * half) - half, 1 - half)
        if (matrix.codebook != symmetric).any():
            raise CodebookError(
                f"[{name}.codebook] expected index - {half}, index 0 repeating index 1, received another"
            )
    if not (matrix.scale > 0).all():
        at = int(np.argmin(matrix.scale))
        raise TensorValueError(
            f"[{name}.scale] expected positive numbers, received {matrix.scale[at]} at {at}"
        )
