"""The rules of the house that a program can keep (docs/format.md and CONTRIBUTING.md say why)."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
AREAS = ("runtime", "exporter", "models")
MAY_IMPORT = {"runtime": {"runtime"}, "exporter": {"runtime", "exporter"}, "models": {"runtime", "models"}}
FORBIDDEN_LIBRARIES = {
    "runtime": {"torch", "onnx", "safetensors", "lightning_fabric"},
    "exporter": {"torch", "lightning_fabric"},
    "models": set(),
}


def tracked(*patterns: str) -> list[Path]:
    """Returns the files git knows that match the patterns."""
    command = ["git", "ls-files", *patterns]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).exists()]


def imported_modules(path: Path) -> set[str]:
    """Returns the dotted names of everything a Python file imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("area", AREAS)
def test_imports_go_one_way(area: str) -> None:
    for path in tracked(f"{area}/whit/**.py"):
        for name in imported_modules(path):
            parts = name.split(".")
            if parts[0] == "whit" and len(parts) > 1:
                assert parts[1] in MAY_IMPORT[area], f"{path.relative_to(ROOT)} imports {name}"
            assert parts[0] not in FORBIDDEN_LIBRARIES[area], f"{path.relative_to(ROOT)} imports {name}"


def test_whit_is_a_namespace_package() -> None:
    assert not [path for path in tracked("*__init__.py") if path.parent.name == "whit"]


def test_areas_are_not_importable_by_folder_name(tmp_path: Path) -> None:
    outside = subprocess.run([sys.executable, "-c", "import exporter"], cwd=tmp_path, capture_output=True)
    assert outside.returncode != 0


@pytest.mark.parametrize("document", [str(path.relative_to(ROOT)) for path in tracked("*.md")])
def test_paths_in_documents_exist(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), f"{document} links to {target}"


def commands_in(document: Path, word: str) -> set[str]:
    """Returns X of every `word X` that stands in code in a Markdown file."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", document.read_text(), re.DOTALL))
    return set(re.findall(rf"(?:^|[`\n;&|]\s*){word} ([a-z][a-z-]*)", code))


@pytest.mark.parametrize("document", [str(path.relative_to(ROOT)) for path in tracked("*.md")])
def test_commands_in_documents_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    from whit.runtime import cli

    known = set(project["entry-points"]["whit.commands"]) | set(cli.COMMANDS)
    assert commands_in(ROOT / document, "make") <= targets
    assert commands_in(ROOT / document, "whit") <= known


def test_no_file_is_large() -> None:
    large = {path.name: path.stat().st_size for path in tracked() if path.stat().st_size > 5 << 20}
    assert not large


def test_public_names_are_declared() -> None:
    """A package that states `__all__` states names that exist, in sorted order."""
    for path in tracked("*/whit/**/__init__.py"):
        tree = ast.parse(path.read_text())
        bound = {name.split(".")[-1] for name in imported_modules(path)}
        bound |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        targets = {t.id: node for node in assigned for t in node.targets if isinstance(t, ast.Name)}
        if "__all__" in targets:
            declared = ast.literal_eval(targets["__all__"].value)
            assert set(declared) <= bound | set(targets), path
            assert declared == sorted(declared), path
