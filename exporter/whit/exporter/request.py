"""What an export is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from whit.exporter.errors import ExportError
from whit.exporter.gate import Gate
from whit.exporter.passes.choose_layout import Layout
from whit.exporter.target import ANY, TARGETS
from whit.runtime.printable import is_utf8, printable

Dialect = Literal["all", "whit", "stock"]
Formats = Literal["all", "tflite", "onnx"]
DEFAULT_MAX_SECONDS = 40
LONGEST_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export.

    Attributes:
        checkpoint: folder with model.safetensors and config.json.
        output: folder that receives model.tflite, onnx/, stock-float/, stock-int8/ and stock-int4/.
        dialect: "whit", "stock" or "all" that the checkpoint can have.
        format: "tflite", "onnx" or "all".
        layout: of packed matrices that may have either; P is refused where none may have it.
        target: processors that "auto" layouts are chosen for, a name of TARGETS.
        max_seconds: of the longest utterance, for models that take whole ones; None is 40.
        force: replace sub-folders that hold other files than this export writes.
        gate: what accuracy every written file must keep.
    """

    checkpoint: Path
    output: Path
    dialect: Dialect = "all"
    format: Formats = "all"
    layout: Layout = "auto"
    target: str = ANY
    max_seconds: int | None = None
    force: bool = False
    gate: Gate | None = None

    def __post_init__(self) -> None:
        if self.dialect not in ("all", "whit", "stock"):
            raise ExportError(f"[--dialect] expected all, whit or stock, received {self.dialect!r}")
        if self.format not in ("all", "tflite", "onnx"):
            raise ExportError(f"[--format] expected all, tflite or onnx, received {self.format!r}")
        if self.layout not in ("auto", "E", "P"):
            raise ExportError(f"[--layout] expected auto, E or P, received {self.layout!r}")
        if self.target not in TARGETS:
            raise ExportError(f"[--target] expected one of: {', '.join(TARGETS)}, received {self.target!r}")
        if self.layout != "auto" and self.target != ANY:
            raise ExportError(f"[--target] expected --layout auto to choose for, received {self.layout}")
        output = str(self.output)
        if not is_utf8(output):
            raise ExportError(f"[{printable(output)}] expected a path of UTF-8, received other bytes")
        if self.max_seconds is not None and not 1 <= self.max_seconds <= LONGEST_SECONDS:
            raise ExportError(f"[--max-seconds] expected 1 to {LONGEST_SECONDS}, received {self.max_seconds}")

    @property
    def layout_options(self) -> tuple[str, ...]:
        """Options that choose layouts, as far as they were given."""
        given = {"--layout": self.layout != "auto", "--target": self.target != ANY}
        return tuple(option for option, is_given in given.items() if is_given)

    @property
    def longest_s(self) -> int:
        """Seconds of the longest utterance."""
        return DEFAULT_MAX_SECONDS if self.max_seconds is None else self.max_seconds

    @property
    def formats(self) -> tuple[Literal["onnx", "tflite"], ...]:
        """The formats to write."""
        return ("onnx", "tflite") if self.format == "all" else (self.format,)
