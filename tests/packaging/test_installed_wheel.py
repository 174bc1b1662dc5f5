"""The wheel in an empty environment, away from the source tree: what came with it, and what it hears."""

import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from transcription import CLEAN, transcribe

OURS_FIRST_THEN_THE_RUNTIMES = """
import sys
sys.path.append({site!r})  # the runtime of the development environment; whit is found before
from whit.runtime.cli import main
main()
"""


@pytest.fixture(scope="module")
def environment(host_wheel, tmp_path_factory) -> Path:
    """A fresh virtual environment with the wheel and what pip brings along."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, env=CLEAN)
    install = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", host_wheel]
    subprocess.run(install, check=True, env=CLEAN, capture_output=True)
    return folder


def installed(environment: Path) -> dict[str, Distribution]:
    """Returns the distributions in an environment by their canonical names."""
    (site,) = environment.glob("lib/python*/site-packages")
    return {canonicalize_name(found.name): found for found in distributions(path=[str(site)])}


def needed(name: str, found: dict[str, Distribution]) -> set[str]:
    """Returns a distribution and all it requires where no extra is asked for."""
    closure, waiting = set(), [name]
    while waiting:
        if (current := waiting.pop()) in closure:
            continue
        closure.add(current)
        for requirement in map(Requirement, found[current].requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return closure


def test_only_base_dependencies_come(environment) -> None:
    found = installed(environment)
    assert set(found) - {"pip", "setuptools"} == needed("whit", found)
    assert not {"torch", "onnx", "onnxruntime", "ai-edge-litert", "safetensors", "flatbuffers"} & set(found)


def test_help_names_the_commands(environment, tmp_path) -> None:
    run = subprocess.run(
        [environment / "bin" / "whit", "--help"], cwd=tmp_path, env=CLEAN, capture_output=True
    )
    assert run.returncode == 0
    assert b"transcribe" in run.stdout


def test_the_native_engine_hears_the_same(environment, model_folder, expected, tmp_path) -> None:
    whit = environment / "bin" / "whit"
    assert transcribe([whit], model_folder / "model.tflite", "native", tmp_path) == expected


@pytest.mark.parametrize("engine", ["onnxruntime", "litert"])
def test_plugins_hear_the_same(engine, environment, model_folder, expected, tmp_path) -> None:
    pytest.importorskip({"onnxruntime": "onnxruntime", "litert": "ai_edge_litert"}[engine])
    program = OURS_FIRST_THEN_THE_RUNTIMES.format(site=sysconfig.get_path("platlib"))
    command = [environment / "bin" / "python", "-c", program]
    model = model_folder if engine == "onnxruntime" else model_folder / "model.tflite"
    assert transcribe(command, model, engine, tmp_path) == expected
