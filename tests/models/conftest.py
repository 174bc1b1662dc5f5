import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import cast

import pytest
import torch

torch.set_num_threads(1)  # waiting threads spin: on a busy machine small models crawl


@pytest.fixture
def need_module() -> Callable[[str], ModuleType]:
    def need(name: str) -> ModuleType:
        return cast(ModuleType, pytest.importorskip(name))

    return need


@pytest.fixture
def small_files() -> Callable[[int], AbstractContextManager[None]]:
    """Gives a context inside which larger files cannot be written, as on a full disk."""

    @contextmanager
    def of_at_most(num_bytes: int) -> Iterator[None]:
        own = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, own[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, own)

    return of_at_most


@pytest.fixture(autouse=True)
def one_seed() -> None:
    torch.manual_seed(0)
