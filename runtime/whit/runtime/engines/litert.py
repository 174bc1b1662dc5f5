"""Stock LiteRT, or tflite-runtime; files of the `whit` dialect also need our delegate."""

from __future__ import annotations

import ctypes
import importlib
from pathlib import Path
from typing import Any

import numpy as np

from whit.runtime.engine import Floats, State
from whit.runtime.errors import MissingDependency, ModelFileError
from whit.runtime.golden import TRANSDUCER_KEYS, GoldenVectors
from whit.runtime.litert_check import check_for_litert
from whit.runtime.model_info import ModelInfo, read_model_info
from whit.runtime.self_test import check_golden
from whit.runtime.tflite_metadata import find_tflite, read_metadata

PACKAGES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of inputs and of outputs."""
GRAPHS = ("encode", "predict", "join")
SIGNATURES: dict[str, Signature] = {
    "predict": (("token", "h", "c"), ("predicted", "h_next", "c_next")),
    "join": (("encoded", "predicted"), ("logits",)),
}


class LitertEngine:
    """Runs the signatures of one `model.tflite`, one call at a time: an interpreter is not thread-safe."""

    name = "litert"

    def __init__(self, path: Path, info: ModelInfo, interpreter: Any) -> None:
        self.path = path
        self._info = info
        states = [name for name, _ in info.encoder_states]
        encode = (("features", *states), ("encoded", *(f"{name}_next" for name in states)))
        self._signatures = {"encode": encode, **SIGNATURES}
        self._runners = {name: open_signature(path, interpreter, name) for name in GRAPHS}
        _check_shapes(path, info, self._signatures, self._runners)

    @classmethod
    def load(cls, path: Path, *, num_threads: int = 1, self_test: bool = True) -> LitertEngine:
        """Returns the engine for a .tflite file or its folder; see `whit.runtime.engines.load_engine`."""
        file = find_tflite(path)
        metadata = read_metadata(file)
        info = read_model_info(texts(metadata), place=str(file))
        check_for_litert(file, dialect=info.dialect)
        interpreter = open_interpreter(import_litert(), file, info.dialect, num_threads)
        engine = cls(file, info, interpreter)
        if self_test and info.dialect == "whit":
            check_golden(
                engine,
                GoldenVectors.of_metadata(metadata, TRANSDUCER_KEYS, info.num_mels, file),
            )
        return engine

    @property
    def info(self) -> ModelInfo:
        """Returns what the model file says about itself."""
        return self._info

    def initial_encoder_state(self) -> State:
        """Returns the states of the signature `encode`, float32."""
        return tuple(np.zeros(shape, np.float32) for _, shape in self.info.encoder_states)

    def initial_predictor_state(self) -> State:
        """Returns (h, c), each float32 (layers, hidden)."""
        shapes = predictor_shape(self.info.predictor_state_h), predictor_shape(self.info.predictor_state_c)
        return np.zeros(shapes[0], np.float32), np.zeros(shapes[1], np.float32)

    def encode(self, features: Floats, state: State) -> tuple[Floats, State]:
        """See `Engine.encode`; T must be whole chunks, for the file's shapes are static."""
        chunk_frames = self.info.chunk_frames
        if len(features) == 0 or len(features) % chunk_frames:
            raise ModelFileError(
                f"[{self.path}] expected chunks of {chunk_frames} frames, received {len(features)} frames"
            )
        outputs = []
        for begin in range(0, len(features), chunk_frames):
            encoded, *next_state = self._run("encode", features[begin : begin + chunk_frames], *state)
            state = tuple(next_state)
            outputs.append(encoded)
        return np.concatenate(outputs), state

    def predict(self, token: int, state: State) -> tuple[Floats, State]:
        """See `Engine.predict`."""
        predicted, h, c = self._run("predict", np.array([token], np.int32), *state)
        return predicted.reshape(-1), (h, c)

    def join(self, encoder_output: Floats, predictor_output: Floats) -> Floats:
        """See `Engine.join`."""
        (logits,) = self._run("join", encoder_output.reshape(1, -1), predictor_output.reshape(1, -1))
        return logits.reshape(-1)

    def _run(self, signature: str, *inputs: Any) -> list[Floats]:
        names, outputs = self._signatures[signature]
        try:
            values = self._runners[signature](**dict(zip(names, inputs, strict=True)))
        except (RuntimeError, ValueError) as error:
            raise ModelFileError(
                f"[{self.path}: {signature}] expected a graph that runs, received {one_sentence(error)}"
            ) from error
        return [values[name] for name in outputs]


def predictor_shape(onnx_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Returns (layers, hidden) of a predictor's state: that of ONNX without the stream axis."""
    return onnx_shape[0], onnx_shape[2]


def texts(metadata: dict[str, bytes]) -> dict[str, str]:
    """Returns the metadata without golden vectors."""
    return {name: raw.decode(errors="replace") for name, raw in metadata.items() if ".golden." not in name}


def import_litert() -> Any:
    """Returns the module of whichever package is installed.

    Raises:
        MissingDependency: none is.
    """
    for package in PACKAGES:
        try:
            return importlib.import_module(package)
        except ImportError:
            continue
    raise MissingDependency(
        "[--engine litert] expected the package ai-edge-litert (pip install 'whit[litert]') "
        "or tflite-runtime, received none"
    )


def open_interpreter(litert: Any, path: Path, dialect: str, num_threads: int) -> Any:
    """Returns an interpreter, with our delegate for dialect `whit`.

    Raises:
        ModelFileError: LiteRT refuses the file.
        MissingDependency: this installation has no delegate.
    """
    delegates = []
    resolver = litert.OpResolverType.AUTO
    if dialect == "whit":
        # The host's own delegates would round elsewhere: the file promises the same bits on every machine.
        resolver = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        delegates = [_load_delegate(litert)]
    try:
        return litert.Interpreter(
            model_path=str(path),
            experimental_delegates=delegates,
            num_threads=num_threads,
            experimental_op_resolver_type=resolver,
        )
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(
            f"[{path}] expected a model that LiteRT loads, received {one_sentence(error)}"
        ) from error


def _load_delegate(litert: Any) -> Any:
    path = str(_delegate())
    try:
        ctypes.CDLL(path)  # LiteRT's own object of a library that does not load cannot be thrown away cleanly
    except OSError as error:
        raise MissingDependency(
            f"[--engine litert] expected the delegate {path}, received {one_sentence(error)}"
        ) from error
    return litert.load_delegate(path)


def _delegate() -> Path:
    from whit.runtime.litert_library import library_path

    path = library_path()
    if not path.is_file():
        raise MissingDependency(
            f"[--engine litert] expected the delegate {path}, received none: "
            "this installation was built without it"
        )
    return path


def open_signature(path: Path, interpreter: Any, name: str) -> Any:
    """Returns the runner of a signature.

    Raises:
        ModelFileError: the file has none of that name.
    """
    try:
        return interpreter.get_signature_runner(name)
    except ValueError as error:
        raise ModelFileError(
            f"[{path}] expected the signature {name!r}, received a file without it"
        ) from error


def _check_shapes(
    path: Path, info: ModelInfo, signatures: dict[str, Signature], runners: dict[str, Any]
) -> None:
    """Compares the tensors of each signature with what the configuration says."""
    encoder = [shape for _, shape in info.encoder_states]
    states = predictor_shape(info.predictor_state_h), predictor_shape(info.predictor_state_c)
    joint = (1, info.joint_hidden)
    expected = {
        "encode": (
            (info.chunk_frames, info.num_mels), *encoder,
            (info.chunk_frames // info.subsampling, info.joint_hidden), *encoder,
        ),
        "predict": ((1,), *states, joint, *states),
        "join": (joint, joint, (1, info.blank + 1)),
    }  # fmt: skip
    for signature, runner in runners.items():
        tensors = _tensors(path, signature, runner)
        names = [(name, side) for side in (0, 1) for name in signatures[signature][side]]
        for (name, side), shape in zip(names, expected[signature], strict=True):
            dtype = np.int32 if name == "token" else np.float32
            tensor = tensors[side].get(name)
            received = None if tensor is None else (tensor["dtype"], tuple(map(int, tensor["shape"])))
            if received != (dtype, shape):
                said = "none" if received is None else f"{received[0].__name__} {received[1]}"
                raise ModelFileError(
                    f"[{path}: {name} of {signature}] expected {dtype.__name__} {shape}, received {said}"
                )


def _tensors(path: Path, signature: str, runner: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return runner.get_input_details(), runner.get_output_details()
    except (RuntimeError, ValueError) as error:  # a tensor's name may be no UTF-8
        raise ModelFileError(
            f"[{path}: {signature}] expected named tensors, received {one_sentence(error)}"
        ) from error


def one_sentence(error: Exception) -> str:
    """Returns LiteRT's message in one line."""
    return " ".join(str(error).split())[:300]
