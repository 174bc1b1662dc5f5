"""`whit inspect --cpu`: the choice of kernels and its reason."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from random_matrix import WIDTHS
from typer.testing import CliRunner

from whit.runtime import _core, cli, cpu_report
from whit.runtime.cpu_report import report_cpu


def run(*arguments: str):
    return CliRunner().invoke(cli.app, ["inspect", *arguments])


def test_report_agrees_with_what_products_use() -> None:
    report = report_cpu()
    assert report.chosen == _core.chosen_isa()[0]
    assert [isa.name for isa in report.instruction_sets if isa.available] == _core.isa_names()
    assert [isa.name for isa in report.instruction_sets if isa.chosen] == [report.chosen]
    assert {(choice.layout, choice.bits) for choice in report.kernels} == set(WIDTHS)
    selected = _core.selected_matmul_kernels()
    for choice in report.kernels:
        assert choice.kernel == selected[f"{choice.layout}{choice.bits}"]
        assert f"_{choice.rows}x" in choice.kernel


def test_table_and_json_say_the_same() -> None:
    report = json.loads(run("--cpu", "--json").stdout)
    table = run("--cpu")
    assert table.exit_code == 0
    assert f"instruction set: {report['chosen']} ({report['reason']})" in table.stdout
    for choice in report["kernels"]:
        assert choice["kernel"] in table.stdout


@pytest.mark.parametrize("arguments", [(), ("model", "--cpu")])
def test_a_model_or_the_processor(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "[inspect] expected a model or --cpu, received " in result.stderr


def test_the_processor_has_nothing_to_verify() -> None:
    result = run("--cpu", "--verify")
    assert result.exit_code == 2
    assert result.stderr == "[inspect] expected a model for --verify, received --cpu\n"


def inspect_with(isa: str) -> subprocess.CompletedProcess[str]:
    script = "from whit.runtime.cli import main; main()"
    command = [sys.executable, "-c", script, "inspect", "--cpu", "--json"]
    return subprocess.run(command, env=os.environ | {"WHIT_ISA": isa}, capture_output=True, text=True)


def test_override_is_told() -> None:
    report = json.loads(inspect_with("plain").stdout)
    assert (report["chosen"], report["reason"]) == ("plain", "WHIT_ISA")
    assert {choice["kernel"].rsplit("_", 1)[1] for choice in report["kernels"]} == {"plain"}
    refused = inspect_with("avx9")
    assert refused.returncode == 2
    assert refused.stderr.startswith("[WHIT_ISA] expected one of this processor's: plain")


@dataclass(frozen=True)
class OldCore:
    """A Haswell's answers, with a product of int8 that no kernel uses."""

    features: tuple[tuple[str, bool, str | None], ...] = (
        ("AVX2", True, "avx2"),
        ("AVX512F", True, "avx512"),
        ("AVX512_VBMI", False, "avx512"),
        ("AMX-INT8", True, None),
    )

    def cpu_features(self) -> list[tuple[str, bool, str | None]]:
        return list(self.features)

    def chosen_isa(self) -> tuple[str, str]:
        return "avx2", "the best of this processor: plain, avx2"

    def selected_matmul_kernels(self) -> dict[str, str]:
        return {"E4": "matmul_i32_i8row_e1to4_4x16_avx2"}


def test_what_is_missing_and_what_nobody_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_report, "_core", OldCore())
    report = report_cpu()
    assert [(isa.name, isa.missing) for isa in report.instruction_sets] == [
        ("plain", ()),
        ("avx2", ()),
        ("avx512", ("AVX512_VBMI",)),
    ]
    assert report.found == ("AVX2", "AVX512F")
    assert report.unused == ("AMX-INT8",)
    assert report.kernels[0].rows == 4
    table = run("--cpu").stdout
    assert "lacks AVX512_VBMI" in table
    assert "found, but no kernel uses it: AMX-INT8" in table
