"""What this processor offers, which instruction set was chosen, and which kernel serves what."""

from dataclasses import dataclass

from whit.runtime import _core
from whit.runtime.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class InstructionSet:
    """One that kernels are written for.

    Attributes:
        missing: features of the processor that it needs and that are not there.
    """

    name: str
    chosen: bool
    missing: tuple[str, ...]

    @property
    def available(self) -> bool:
        """Returns whether the processor can run it."""
        return not self.missing


@dataclass(frozen=True, kw_only=True)
class KernelChoice:
    """The kernel of one layout and width.

    Attributes:
        rows: rows of activations that one inner step takes; more of them take several steps.
    """

    layout: str
    bits: int
    kernel: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class CpuReport:
    """What `whit inspect --cpu` tells.

    Attributes:
        reason: why the instruction set was chosen.
        found: features of the processor that kernels use.
        unused: features of the processor that no kernel uses.
    """

    chosen: str
    reason: str
    found: tuple[str, ...]
    unused: tuple[str, ...]
    instruction_sets: tuple[InstructionSet, ...]
    kernels: tuple[KernelChoice, ...]


def report_cpu() -> CpuReport:
    """Returns the choices of this process: all its engines but stock models share them.

    Raises:
        ConfigError: the environment variable WHIT_ISA names an instruction set that is not there.
    """
    try:
        chosen, reason = _core.chosen_isa()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    features = _core.cpu_features()
    needs: dict[str, list[str]] = {"plain": []}
    lacks: list[str] = []
    for name, found, needed_by in features:
        if needed_by is not None:
            lacks += [] if found else [name]
            needs[needed_by] = list(lacks)  # an instruction set includes those before it
    return CpuReport(
        chosen=chosen,
        reason=reason,
        found=tuple(name for name, found, needed_by in features if found and needed_by),
        unused=tuple(name for name, found, needed_by in features if found and needed_by is None),
        instruction_sets=tuple(
            InstructionSet(name=name, chosen=name == chosen, missing=tuple(missing))
            for name, missing in needs.items()
        ),
        kernels=tuple(
            _kernel_choice(width, kernel) for width, kernel in _core.selected_matmul_kernels().items()
        ),
    )


def _kernel_choice(width: str, kernel: str) -> KernelChoice:
    tile = kernel.split("_")[-2]  # "4x16": the grammar of docs/kernels.md
    return KernelChoice(layout=width[0], bits=int(width[1:]), kernel=kernel, rows=int(tile.partition("x")[0]))
