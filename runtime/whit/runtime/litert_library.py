"""Where the delegate for LiteRT and tflite-runtime is."""

from pathlib import Path

from whit.runtime import _core


def library_path() -> Path:
    """Returns the library for `load_delegate`, installed beside the core."""
    return Path(_core.__file__).with_name("libwhit_litert.so")
