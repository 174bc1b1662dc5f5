"""The rules of the house that a program can keep (docs/format.md and CONTRIBUTING.md say why)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tracked_files import ROOT, tracked

AREAS = ("runtime", "exporter", "models")
MAY_IMPORT = {"runtime": {"runtime"}, "exporter": {"runtime", "exporter"}, "models": {"runtime", "models"}}
BASE = {"whit", "numpy", "soundfile", "typer", "rich", "onnxruntime", "ai_edge_litert", "sounddevice"}
LIBRARIES = {  # beside Python's own
    "runtime": BASE,
    "exporter": BASE | {"onnx", "flatbuffers", "tflite", "safetensors"},
    "models": BASE
    | {"torch", "lightning_fabric", "safetensors", "sentencepiece", "jiwer", "matplotlib", "yaml"},
}


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
    paths = tracked(f"{area}/whit/**.py")
    assert len(paths) > 20
    for path in paths:
        for name in imported_modules(path):
            parts = name.split(".")
            if parts[0] == "whit" and len(parts) > 1:
                assert parts[1] in MAY_IMPORT[area], f"{path.relative_to(ROOT)} imports {name}"
            known = parts[0] in LIBRARIES[area] | sys.stdlib_module_names | {"_typeshed"}
            assert known, f"{path.relative_to(ROOT)} imports {name}"


def test_whit_is_a_namespace_package() -> None:
    assert not [path for path in tracked("*__init__.py") if path.parent.name == "whit"]


@pytest.mark.parametrize("area", AREAS)
def test_areas_are_not_importable_by_folder_name(area: str, tmp_path: Path) -> None:
    outside = subprocess.run([sys.executable, "-c", f"import {area}"], cwd=tmp_path, capture_output=True)
    assert outside.returncode != 0


def test_no_file_is_large() -> None:
    large = {path.name: path.stat().st_size for path in tracked() if path.stat().st_size > 5 << 20}
    assert not large


def test_public_names_are_declared() -> None:
    """A package that states `__all__` states names that exist, in sorted order."""
    paths = tracked("*/whit/**/__init__.py")
    assert paths
    for path in paths:
        tree = ast.parse(path.read_text())
        bound = {name.split(".")[-1] for name in imported_modules(path)}
        bound |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        targets = {t.id: node for node in assigned for t in node.targets if isinstance(t, ast.Name)}
        if "__all__" in targets:
            declared = ast.literal_eval(targets["__all__"].value)
            assert set(declared) <= bound | set(targets), path
            assert declared == sorted(declared), path
