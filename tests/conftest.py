"""What all tests share: the oracles of tests/parity, and what a skip means in continuous integration."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "parity"))

LISTED_NOT_FAILED = ("this machine", "this system")
"""How the reason of a skip begins when no install can mend it: hardware, kernel, what no package has."""


SHARED = ("same_bits", "packaging", "native", "fuzz")
"""Folders whose tests share what takes long to build: one process runs each of them, and they begin first."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in SHARED)
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder in SHARED else str(item.path)))


def fail_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turns the skip of a missing tool into a failure where `CI` is set: there everything is installed."""
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("CI"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(LISTED_NOT_FAILED):
        report.outcome = "failed"
        report.longrepr = f"skipped in continuous integration: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_in_ci(report)
    return report
