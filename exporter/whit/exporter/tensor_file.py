"""A checkpoint's safetensors files: which tensors they must hold, and reading exactly those."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from whit.exporter.config_fields import QuantizationEntry
from whit.exporter.errors import CheckpointFileError, TensorSetError, TensorValueError
from whit.exporter.quantized_matrix import WIDEST_CODEBOOK_BITS, is_lstm_matrix, num_tiles
from whit.runtime.dense_codes import dense_bytes
from whit.runtime.errors import file_sentence
from whit.runtime.weight_files import weight_files

FLOATS = ("float16", "float32")


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
    """Returns what the file must hold: a quantized tensor is its packed index, scale and codebook."""
    stored = {}
    for name, shape in shapes.items():
        if name not in quantization:
            stored[name] = StoredTensor((shape,), FLOATS)
            continue
        bits = quantization[name].bits
        index_bytes = dense_bytes(math.prod(shape), bits=bits)
        stored[f"{name}.index"] = StoredTensor(((index_bytes,),), ("uint8",))
        stored[f"{name}.scale"] = StoredTensor((shape[:1],), ("float32",))
        if bits <= WIDEST_CODEBOOK_BITS:
            tiles = num_tiles(shape[0], lstm=is_lstm_matrix(name))
            stored[f"{name}.codebook"] = StoredTensor(((1, 2**bits), (tiles, 2**bits)), ("int8",))
    return stored


TYPES = {"F16": "float16", "F32": "float32", "U8": "uint8", "I8": "int8"}


def read_tensors(folder: Path, expected: Mapping[str, StoredTensor]) -> dict[str, NDArray[np.generic]]:
    """Reads the safetensors files of a folder, whose tensors together are exactly the expected ones."""
    with ExitStack() as stack:
        holders: dict[str, Any] = {}
        problems = []
        files = _files(folder)
        place = files[0] if len(files) == 1 else folder
        for path in files:
            try:
                file = stack.enter_context(safe_open(path, framework="np"))
            except (OSError, SafetensorError) as error:
                raise _unreadable(path, error) from error
            problems += [f"{name!r} twice" for name in file.keys() if name in holders]
            holders |= dict.fromkeys(file.keys(), file)
        problems += [f"no {name} ({stored})" for name, stored in expected.items() if name not in holders]
        problems += [f"unknown {name!r}" for name in sorted(holders.keys() - expected.keys())]
        try:
            for name in sorted(holders.keys() & expected.keys()):
                view = holders[name].get_slice(name)
                shape, kind = tuple(view.get_shape()), TYPES.get(view.get_dtype(), view.get_dtype())
                if shape not in expected[name].shapes or kind not in expected[name].types:
                    problems.append(f"{name} as {kind} {shape} instead of {expected[name]}")
            if problems:
                raise TensorSetError(
                    f"[{place}] expected the tensors of config.json, received {'; '.join(problems)}"
                )
            return {name: holders[name].get_tensor(name) for name in expected}
        except (OSError, SafetensorError) as error:
            raise _unreadable(place, error) from error


def _files(folder: Path) -> list[Path]:
    try:
        return weight_files(folder)
    except ValueError as error:
        raise CheckpointFileError(str(error)) from error
    except OSError as error:
        raise CheckpointFileError(file_sentence(error, place=str(folder))) from error


def _unreadable(path: Path, error: Exception) -> CheckpointFileError:
    return CheckpointFileError(f"[{path}] expected a safetensors file, received: {error}")


def check_finite(tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Names every tensor with NaN or infinity and the first place of one."""
    problems = []
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(tensor))[0])
            problems.append(f"{tensor[at]} in {name} at {list(at)}")
    if problems:
        raise TensorValueError(f"[checkpoint] expected finite numbers, received {'; '.join(problems)}")


def check_variances(tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Refuses a batch norm with a negative variance."""
    for name in (name for name in tensors if name.endswith(".running_var")):
        least = tensors[name].astype(np.float32).min()
        if least < 0:
            raise TensorValueError(f"[{name}] expected no negative variance, received {least}")
