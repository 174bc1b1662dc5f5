"""Changes one thing in a file that was written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

Change = Callable[[Any], None]
"""Of a GraphProto."""


def edit_bytes(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content and len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def edit_onnx(path: Path, change: Change) -> None:
    model = onnx.load(path, load_external_data=False)
    change(model.graph)
    path.write_bytes(model.SerializeToString())


def rename(old: str, new: str) -> Change:
    """Renames a tensor wherever a graph names it."""

    def change(graph: Any) -> None:
        renamed = 0
        for names in [side for node in graph.node for side in (node.input, node.output)]:
            renamed += old in names
            names[:] = [new if name == old else name for name in names]
        for value in (*graph.input, *graph.output):
            value.name = new if value.name == old else value.name
        assert renamed

    return change
