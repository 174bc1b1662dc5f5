"""What all tests share: the oracles of tests/parity, and what a skip means in continuous integration."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "parity"))

LISTED_NOT_FAILED = ("this machine", "this system")
"""How the reason of a skip begins when no install can mend it: hardware, kernel, what no package has."""


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
