"""Compares the bits of engines and instruction sets over a manifest; stop it and repeat it to go on.

python tests/same_bits/run.py DATA/librispeech-dev.jsonl --write docs/same-bits.md
"""

import argparse
import importlib.metadata
import platform
import sys
from pathlib import Path

import numpy as np
from cells import ENGINES, PACKAGES, Cell, code_sha256, compute, explain
from comparison import compare, markdown, reference_of, write_between_marks
from emulated_table import emulated_markdown
from models import MODELS, ROOT, make_models

from whit.runtime import _core
from whit.runtime.manifest import read_manifest

WORK = ROOT / "build" / "same-bits"


def main() -> int:
    """Runs what the arguments say; returns 1 where a bit differs."""
    levels = _core.isa_names()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="recordings, JSON lines")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS, metavar="MODEL")
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES, metavar="ENGINE")
    parser.add_argument("--levels", nargs="+", default=levels[::-1], choices=levels, metavar="LEVEL")
    parser.add_argument("--limit", type=int, help="only so many recordings from the start")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--work", type=Path, default=WORK, help="where models and results are kept")
    parser.add_argument(
        "--only-compare", action="store_true", help="compute nothing: compare all that is kept"
    )
    parser.add_argument("--arm", type=Path, help="stream_bits for 64-bit Arm, to be run under qemu")
    parser.add_argument("--write", type=Path, help="document that receives the table")
    arguments = parser.parse_args()

    best, results = levels[-1], arguments.work / "results"
    models = make_models(arguments.work / "models", arguments.models, jobs=arguments.jobs)
    references = [Cell(model=model, engine="native", level=best) for model in models]
    cells = [
        Cell(model=model, engine=engine, level=level)
        for level in arguments.levels
        for engine in arguments.engines
        for model in models
    ]
    if not arguments.only_compare:
        for group in (references, cells):
            compute(group, arguments.manifest, results, limit=arguments.limit, jobs=arguments.jobs)
    cells.sort(
        key=lambda cell: (models.index(cell.model), ENGINES.index(cell.engine), -levels.index(cell.level))
    )
    rows = compare(cells, best, arguments.manifest, results)
    table = about(arguments.manifest) + "\n" + markdown(rows, best)
    differences = []
    if arguments.arm:
        emulated, differences = emulated_markdown(models, arguments.arm, results)
        table += "\n" + emulated
    print(table, end="")
    if arguments.write:
        write_between_marks(arguments.write, table)
    for row in rows:
        if row.differing:
            reference = reference_of(row.cell, best)
            differences.append(explain(row.cell, reference, row.differing[0], arguments.manifest, results))
    print("\n".join(differences), end="\n" if differences else "", file=sys.stderr)
    return 1 if differences else 0


def about(manifest: Path) -> str:
    """Returns what was compared, where and with which code."""
    recordings = read_manifest(manifest)
    seconds = sum(recording.duration_s or 0 for recording in recordings)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES.values())
    codes = ", ".join(f"{engine} `{code_sha256(engine)[:12]}`" for engine in ENGINES)
    return (
        f"`{manifest.name}`: {len(recordings)} recordings, {seconds:.0f} s; a row of fewer has the first.\n"
        f"{platform.system()} {platform.machine()} with {', '.join(_core.isa_names())}; "
        f"Python {platform.python_version()}, numpy {np.__version__}, {versions}.\n"
        f"SHA-256 of the code: {codes}.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
