import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch


def _missing(what: str) -> None:
    """Continuous integration has every tool, so there a missing one is a failure and not a skip."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


@pytest.fixture
def need_program() -> Callable[[str], None]:
    def need(name: str) -> None:
        if shutil.which(name) is None:
            _missing(name)

    return need


@pytest.fixture
def need_module() -> Callable[[str], ModuleType]:
    def need(name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except ImportError:
            _missing(name)
            raise

    return need


@pytest.fixture(autouse=True)
def one_thread_one_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
