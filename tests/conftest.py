"""What all tests share: the oracles of tests/parity, and what a skip means in continuous integration."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

sys.path.insert(0, str(Path(__file__).parent / "parity"))

for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # rich reads them: what is printed is compared whole
    os.environ.pop(name, None)

# No example by chance: they change only with hypothesis and the code that is imported, so a count of outcomes
# still needs room. And no limit on what one takes on a loaded machine.
settings.register_profile("whit", derandomize=True, database=None, deadline=None)
settings.load_profile("whit")

LISTED_NOT_FAILED = ("this machine", "this system")
"""How the reason of a skip begins when no install can mend it: hardware, kernel, what no package has."""


BUILDERS = ("same_bits", "packaging", "native", "fuzz")
"""Folders whose tests share what takes long to build, in one place under build/."""


class OneBuilderEach(LoadScopeScheduling):
    """With pytest-xdist, one process runs all tests of a builders' folder, or of a file elsewhere."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::")[0])
        return file.parent.name if file.parent.name in BUILDERS else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneBuilderEach:
    config.option.loadscopereorder = False  # as collected
    return OneBuilderEach(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets builders begin, so that no process is left alone with them at the end."""
    items.sort(key=lambda item: item.path.parent.name not in BUILDERS)


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
