import shutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import cast

import pytest
import torch


@pytest.fixture
def need_program() -> Callable[[str], None]:
    def need(name: str) -> None:
        if shutil.which(name) is None:
            pytest.skip(f"needs {name}")

    return need


@pytest.fixture
def need_module() -> Callable[[str], ModuleType]:
    def need(name: str) -> ModuleType:
        return cast(ModuleType, pytest.importorskip(name))

    return need


@pytest.fixture(autouse=True)
def one_thread_one_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
