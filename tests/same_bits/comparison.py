"""The comparison of all cells with one reference, and its table."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cells import Cell, Utterance, utterances

BEGIN, END = "<!-- begin: written by the command -->", "<!-- end -->"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one cell has in common with its reference.

    Attributes:
        cell: the cell.
        num_utterances: computed in both.
        seconds: their audio.
        num_tokens: emitted in them.
        digest: of their digests, in the manifest's order.
        differing: the recordings whose bits differ.
    """

    cell: Cell
    num_utterances: int
    seconds: float
    num_tokens: int
    digest: str
    differing: tuple[str, ...]


def reference_of(cell: Cell, level: str) -> Cell:
    """Returns the cell that others of its model are compared with: the native engine at `level`."""
    return Cell(model=cell.model, engine="native", level=level)


def compare(cells: Sequence[Cell], level: str, manifest: Path, folder: Path) -> list[Row]:
    """Returns a row for each cell with results.

    Args:
        cells: what was computed.
        level: of the reference.
        manifest: the recordings.
        folder: where results are kept.
    """
    known: dict[Cell, dict[str, Utterance]] = {}

    def read(cell: Cell) -> dict[str, Utterance]:
        if cell not in known:
            known[cell] = utterances(cell, manifest, folder)
        return known[cell]

    rows = []
    for cell in cells:
        reference = read(reference_of(cell, level))
        own = {name: utterance for name, utterance in read(cell).items() if name in reference}
        if own:
            digests = "".join(utterance.sha256 for utterance in own.values())
            rows.append(
                Row(
                    cell=cell,
                    num_utterances=len(own),
                    seconds=sum(utterance.seconds for utterance in own.values()),
                    num_tokens=sum(utterance.num_tokens for utterance in own.values()),
                    digest=hashlib.sha256(digests.encode()).hexdigest(),
                    differing=tuple(n for n, u in own.items() if u.sha256 != reference[n].sha256),
                )
            )
    return rows


def markdown(rows: Sequence[Row], level: str) -> str:
    """Returns the rows as a table; a cell that covers fewer recordings has a digest of its own."""
    lines = [
        f"| model | engine | level | utterances | audio, s | tokens | SHA-256 | bits of native at {level} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cell = row.cell
        equal = f"{len(row.differing)} differ" if row.differing else "equal"
        equal = "the reference" if cell == reference_of(cell, level) else equal
        lines.append(
            f"| {cell.model.name} | {cell.engine} | {cell.level} | {row.num_utterances} | {row.seconds:.0f} "
            f"| {row.num_tokens} | `{row.digest[:12]}` | {equal} |"
        )
    return "\n".join(lines) + "\n"


def write_between_marks(document: Path, text: str) -> None:
    """Replaces what stands between the marks of a document."""
    before, rest = document.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
