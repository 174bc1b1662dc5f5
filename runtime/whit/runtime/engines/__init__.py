"""Engines by name. Each is imported only when it is asked for."""

from pathlib import Path

from whit.runtime.engine import Engine
from whit.runtime.errors import ConfigError, ModelFileError, UnsupportedEngine
from whit.runtime.offline_engine import OfflineEngine
from whit.runtime.printable import is_utf8, printable
from whit.runtime.shape_check import check_shapes
from whit.runtime.tflite_metadata import FILE, read_metadata

ENGINES = ("native", "onnxruntime", "litert")
AUTO = "auto"
MAX_THREADS = 64


def choose_engine(path: str | Path, engine: str = AUTO) -> str:
    """Returns an engine's name.

    `auto` is `native` for a model.tflite of ours, `litert` for a stock one, else `onnxruntime`.

    Raises:
        UnsupportedEngine: no such engine.
    """
    if engine == AUTO:
        path = Path(path)
        is_onnx = any((path / name).is_file() for name in ("encoder.onnx", "model.onnx"))
        is_export = (path / FILE).is_file() and not is_onnx
        is_file = path.suffix == ".tflite" or path.is_file()
        if not is_file and not is_export:
            return "onnxruntime"
        return "litert" if _is_stock(path / FILE if is_export else path) else "native"
    if engine not in ENGINES:
        expected = ", ".join((AUTO, *ENGINES))
        raise UnsupportedEngine(f"[--engine] expected one of: {expected}, received {engine!r}")
    return engine


def _is_stock(file: Path) -> bool:
    """Tells whether a .tflite file says that it needs no operator of ours; a damaged one does not."""
    try:
        return read_metadata(file).get("whit.dialect", b"").startswith(b"stock")
    except ModelFileError:
        return False


def load_engine(
    path: str | Path, *, engine: str = AUTO, num_threads: int = 1, self_test: bool = True
) -> Engine:
    """Returns an engine with the model loaded and, where the file holds golden vectors, checked against them.

    Args:
        path: what `whit export` wrote.
        engine: one of `ENGINES`, or `auto`: see `choose_engine`.
        num_threads: threads of one encoder call, 1 to 64.
        self_test: run the stored golden vectors and refuse the file when a bit differs.

    Raises:
        UnsupportedEngine: no such engine, or it does not read this kind of file.
        ModelFileError: the file is missing, damaged, or does not compute what it stores; or its path is not
            UTF-8.
        MissingDependency: the engine's package is not installed.
        ConfigError: num_threads is out of range.
    """
    _check_path(path)
    engine = choose_engine(path, engine)
    _check_threads(num_threads)
    loaded = _load(Path(path), engine, num_threads, self_test)
    check_shapes(loaded)
    return loaded


def load_offline_engine(
    path: str | Path, *, engine: str = AUTO, num_threads: int = 1, self_test: bool = True
) -> OfflineEngine:
    """Returns an engine with a model that takes whole utterances; otherwise as `load_engine`."""
    _check_path(path)
    engine = choose_engine(path, engine)
    _check_threads(num_threads)
    if engine == "native":
        from whit.runtime.engines.offline_native import NativeOfflineEngine

        return NativeOfflineEngine.load(Path(path), num_threads=num_threads, self_test=self_test)
    if engine == "litert":
        from whit.runtime.engines.offline_litert import LitertOfflineEngine

        return LitertOfflineEngine.load(Path(path), num_threads=num_threads, self_test=self_test)
    from whit.runtime.engines.offline_onnxruntime import OnnxruntimeOfflineEngine

    return OnnxruntimeOfflineEngine.load(Path(path), num_threads=num_threads, self_test=self_test)


def _check_path(path: str | Path) -> None:
    """Refuses what Python makes of a file name of another encoding, which no engine takes."""
    if not is_utf8(str(path)):
        raise ModelFileError(f"[{printable(str(path))}] expected a path of UTF-8, received other bytes")


def _check_threads(num_threads: int) -> None:
    if not 1 <= num_threads <= MAX_THREADS:
        raise ConfigError(f"[num_threads] expected from 1 to {MAX_THREADS}, received {num_threads}")


def _load(path: Path, engine: str, num_threads: int, self_test: bool) -> Engine:
    if engine == "native":
        from whit.runtime.engines.native import NativeEngine

        return NativeEngine.load(path, num_threads=num_threads, self_test=self_test)
    if engine == "litert":
        from whit.runtime.engines.litert import LitertEngine

        return LitertEngine.load(path, num_threads=num_threads, self_test=self_test)
    from whit.runtime.engines.onnxruntime import OnnxruntimeEngine

    return OnnxruntimeEngine.load(path, num_threads=num_threads, self_test=self_test)
