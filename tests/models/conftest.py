import shutil
from collections.abc import Callable
from types import ModuleType
from typing import cast

import pytest
import torch

torch.set_num_threads(1)  # waiting threads spin: on a busy machine small models crawl


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
def one_seed() -> None:
    torch.manual_seed(0)
