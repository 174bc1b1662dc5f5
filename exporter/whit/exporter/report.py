"""What an export did, for people and for machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from whit.exporter.ir import Model
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.tensors import Matrix
from whit.exporter.verify import CheckResult


@dataclass(frozen=True, kw_only=True)
class DialectReport:
    """One written folder.

    Attributes:
        files_bytes: size of each file by name.
    """

    dialect: str
    folder: str
    files_bytes: dict[str, int]
    self_check: CheckResult


@dataclass(frozen=True, kw_only=True)
class MatrixReport:
    """One matrix: bits is 32 for a float one; packed_bytes counts its indices."""

    name: str
    rows: int
    cols: int
    scheme: str
    bits: int
    layout: str = ""
    packed_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """Everything `whit export` prints."""

    name: str
    dialects: tuple[DialectReport, ...]
    matrices: tuple[MatrixReport, ...]
    notes: tuple[str, ...]

    @property
    def packed_bytes(self) -> int:
        """Bytes of all packed indices."""
        return sum(matrix.packed_bytes for matrix in self.matrices)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON values."""
        return {**asdict(self), "packed_bytes": self.packed_bytes}


def describe_matrices(matrices: Mapping[str, Matrix], packed: Model | None) -> tuple[MatrixReport, ...]:
    """Returns a line per matrix; layout and bytes from the packed model, where there is one."""
    layouts: dict[str, str] = {}
    data_bytes: dict[str, int] = {}
    for graph in packed.graphs if packed else ():
        for node in graph.nodes:
            names = [name.removesuffix(".data") for name in node.inputs if name.endswith(".data")]
            keys = [key for key in ("layout", "w_layout", "r_layout", "p_layout") if key in node.attributes]
            # Operators of integers know one layout only and do not name it.
            chosen = [str(node.attributes[key]) for key in keys] or ["E"] * len(names)
            layouts |= dict(zip(names, chosen, strict=True))
            data_bytes |= {name: graph.constants[f"{name}.data"].shape[0] for name in names}
    reports = []
    for name, matrix in matrices.items():
        rows, cols = matrix.shape
        scheme, bits = (matrix.scheme, matrix.bits) if isinstance(matrix, QuantizedMatrix) else ("float", 32)
        reports.append(
            MatrixReport(
                name=name,
                rows=rows,
                cols=cols,
                scheme=scheme,
                bits=bits,
                layout=layouts.get(name, ""),
                packed_bytes=data_bytes.get(name, 0),
            )
        )
    return tuple(reports)


def files_bytes(written: Path) -> dict[str, int]:
    """Returns the size of each file by name: those in a folder, or the one file."""
    paths = sorted(written.iterdir()) if written.is_dir() else [written]
    return {path.name: path.stat().st_size for path in paths}
