"""Where the custom operators for ONNX Runtime are."""

from pathlib import Path

from whit.runtime import _core


def library_path() -> Path:
    """Returns the library for `SessionOptions.register_custom_ops_library`, installed beside the core."""
    return Path(_core.__file__).with_name("libwhit_onnxruntime.so")
