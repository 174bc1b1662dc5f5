"""Stock ONNX Runtime; files of the `whit` dialect also need our custom-operator library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whit.runtime.engine import Floats, State
from whit.runtime.errors import MissingDependency, ModelFileError
from whit.runtime.golden import TRANSDUCER_KEYS, GoldenVectors
from whit.runtime.model_folder import ModelFolder, open_model_folder
from whit.runtime.model_info import ModelInfo
from whit.runtime.self_test import check_golden

if TYPE_CHECKING:
    import onnxruntime as ort

NUM_PORTS = {"decoder": (4, 4), "joiner": (2, 1)}
"""Inputs and outputs."""


class OnnxruntimeEngine:
    """Runs `encoder.onnx`, `decoder.onnx` and `joiner.onnx`."""

    name = "onnxruntime"

    def __init__(self, folder: ModelFolder[ModelInfo], sessions: dict[str, ort.InferenceSession]) -> None:
        self.folder = folder
        self._sessions = sessions
        # NeMo's signature of h and c also hands a cache length through.
        self._has_cache_length = not self.info.fixed_chunk
        num_encoder_ports = 2 + len(self.info.encoder_states) + self._has_cache_length
        self._inputs = {graph: [i.name for i in session.get_inputs()] for graph, session in sessions.items()}
        for graph, session in sessions.items():
            received = (len(self._inputs[graph]), len(session.get_outputs()))
            expected = NUM_PORTS.get(graph, (num_encoder_ports, num_encoder_ports))
            if received != expected:
                raise ModelFileError(
                    f"[{folder.graphs[graph].path}] expected {expected[0]} inputs and {expected[1]} outputs, "
                    f"received {received[0]} and {received[1]}"
                )

    @classmethod
    def load(cls, path: Path, *, num_threads: int = 1, self_test: bool = True) -> OnnxruntimeEngine:
        """Returns the engine for an export folder; see `whit.runtime.engines.load_engine`."""
        folder = open_model_folder(path)
        ort = import_onnxruntime()
        options = session_options(ort, folder.info.dialect, num_threads)
        sessions = {name: open_session(ort, graph.path, options) for name, graph in folder.graphs.items()}
        engine = cls(folder, sessions)
        if self_test and folder.info.dialect == "whit":
            golden = GoldenVectors.of_archive(folder.golden_path, TRANSDUCER_KEYS, folder.info.num_mels)
            check_golden(engine, golden)
        return engine

    @property
    def info(self) -> ModelInfo:
        """Returns what the model file says about itself."""
        return self.folder.info

    def initial_encoder_state(self) -> State:
        """Returns the states of `encoder.onnx`, float32: h, c (1, layers, 1, hidden), others (1, ...)."""
        axes = (0,) if self.info.fixed_chunk else (0, 2)
        shapes = [shape for _, shape in self.info.encoder_states]
        return tuple(np.expand_dims(np.zeros(shape, np.float32), axes) for shape in shapes)

    def initial_predictor_state(self) -> State:
        """Returns (h, c), each float32 (layers, 1, hidden)."""
        return np.zeros(self.info.predictor_state_h, np.float32), np.zeros(
            self.info.predictor_state_c, np.float32
        )

    def encode(self, features: Floats, state: State) -> tuple[Floats, State]:
        """See `Engine.encode`; where a frame sees its whole chunk, T must be whole chunks."""
        step = self.info.chunk_frames if self.info.fixed_chunk else max(len(features), 1)
        outputs = []
        for begin in range(0, max(len(features), 1), step):
            encoded, state = self._encode(features[begin : begin + step], state)
            outputs.append(encoded)
        return np.concatenate(outputs), state

    def _encode(self, features: Floats, state: State) -> tuple[Floats, State]:
        cache_length = [np.zeros(1, np.int64)] if self._has_cache_length else []
        outputs, _, *next_state = self._run(
            "encoder",
            np.ascontiguousarray(features.T)[None],  # (1, num_mels, T)
            np.array([len(features)], np.int64),
            *state,
            *cache_length,
        )
        return np.ascontiguousarray(outputs[0].T), tuple(next_state[: len(state)])

    def predict(self, token: int, state: State) -> tuple[Floats, State]:
        """See `Engine.predict`."""
        outputs, _, h, c = self._run("decoder", np.array([[token]], np.int32), np.ones(1, np.int32), *state)
        return outputs.reshape(-1), (h, c)

    def join(self, encoder_output: Floats, predictor_output: Floats) -> Floats:
        """See `Engine.join`."""
        (logits,) = self._run("joiner", encoder_output.reshape(1, -1, 1), predictor_output.reshape(1, -1, 1))
        return np.asarray(logits.reshape(-1), np.float32)

    def _run(self, graph: str, *inputs: Any) -> list[Any]:
        feeds = dict(zip(self._inputs[graph], inputs, strict=True))
        try:
            return list(self._sessions[graph].run(None, feeds))
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise ModelFileError(
                f"[{self.folder.graphs[graph].path}] expected a graph that runs, "
                f"received {one_sentence(error)}"
            ) from error


def import_onnxruntime() -> Any:
    """Returns the package.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependency(
            "[--engine onnxruntime] expected the package onnxruntime (pip install 'whit[ort]'), received none"
        ) from error
    return onnxruntime


def session_options(ort: Any, dialect: str, num_threads: int) -> ort.SessionOptions:
    """Returns the options for files of a dialect; those of `whit` get our operators.

    Raises:
        MissingDependency: this installation has no library of operators that loads.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions, too
    if dialect == "whit":
        # Fused operators would round elsewhere: the file promises the same bits on every machine.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        path = _custom_operators()
        try:
            options.register_custom_ops_library(str(path))
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise MissingDependency(
                f"[--engine onnxruntime] expected the custom-operator library {path}, "
                f"received {one_sentence(error)}"
            ) from error
    return options


def _custom_operators() -> Path:
    from whit.runtime.onnxruntime_library import library_path

    path = Path(library_path())
    if not path.is_file():
        raise MissingDependency(
            f"[--engine onnxruntime] expected the custom-operator library {path}, received none: "
            "this installation was built without it"
        )
    return path


def open_session(ort: Any, path: Path, options: Any) -> ort.InferenceSession:
    """Returns a session on the CPU.

    Raises:
        ModelFileError: ONNX Runtime refuses the file.
    """
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        raise ModelFileError(
            f"[{path}] expected a graph that ONNX Runtime loads, received {one_sentence(error)}"
        ) from error


def one_sentence(error: Exception) -> str:
    """Returns ONNX Runtime's message in one line, without its error code and source location."""
    text = " ".join(str(error).split())
    return text.split(" : ", 3)[-1][:300] if text.startswith("[ONNXRuntimeError]") else text[:300]
