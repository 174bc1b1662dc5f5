"""The list of weight quantizers by scheme name, and the one way to build one."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

from whit.models.quantizers.errors import QuantizationError
from whit.models.quantizers.quantizer import WeightQuantizer
from whit.models.quantizers.row_groups import RowOrder


class QuantizerFactory(Protocol):
    """A class or function that makes a quantizer for one matrix."""

    def __call__(
        self, bits: int, *, rows: int, cols: int, row_order: RowOrder, options: Mapping[str, object]
    ) -> WeightQuantizer:
        """Returns the quantizer; raises QuantizationError for options or bits it does not know."""
        ...


_factories: dict[str, QuantizerFactory] = {}

F = TypeVar("F", bound=QuantizerFactory)
C = TypeVar("C")


def register(scheme: str) -> Callable[[F], F]:
    """Returns a decorator that lists a quantizer under `scheme`."""

    def add(factory: F) -> F:
        _factories[scheme] = factory
        return factory

    return add


def schemes() -> tuple[str, ...]:
    """Returns the registered scheme names, sorted."""
    return tuple(sorted(_factories))


def build(
    scheme: str,
    bits: int,
    *,
    rows: int,
    cols: int,
    row_order: RowOrder = "plain",
    options: Mapping[str, object] | None = None,
) -> WeightQuantizer:
    """Returns a new quantizer for a (rows, cols) matrix.

    Args:
        scheme: a name of `schemes()`.
        bits: width of the index; which widths are possible depends on the scheme.
        rows: rows of the matrix, at least 1.
        cols: columns of the matrix, at least 1.
        row_order: "lstm" when the rows are four gate blocks.
        options: the scheme's knobs by name.

    Raises:
        QuantizationError: an unknown scheme, width or option, or an empty matrix.
    """
    check_scheme(scheme)
    if rows < 1 or cols < 1:
        raise QuantizationError(f"[{scheme}] expected a matrix with elements, received {rows} x {cols}")
    return _factories[scheme](bits, rows=rows, cols=cols, row_order=row_order, options=options or {})


def check_scheme(scheme: str) -> None:
    """Raises QuantizationError unless `scheme` is that of a quantizer."""
    if scheme not in _factories:
        raise QuantizationError(f"[scheme] expected one of {', '.join(schemes())}, received {scheme!r}")


def check_bits(scheme: str, bits: int, lowest: int, highest: int) -> None:
    """Raises QuantizationError unless `lowest <= bits <= highest`."""
    if type(bits) is not int or not lowest <= bits <= highest:
        raise QuantizationError(f"[{scheme}] expected {lowest} to {highest} bits, received {bits!r}")


def config_from(config: Callable[..., C], scheme: str, options: Mapping[str, Any]) -> C:
    """Returns the scheme's frozen config dataclass filled from a recipe's options.

    Raises:
        QuantizationError: an option the dataclass does not have, or a value of another type.
    """
    known = sorted(field.name for field in fields(config))  # type: ignore[arg-type]
    unknown = sorted(set(options) - set(known))
    if unknown:
        expected = ", ".join(known) or "no options"
        raise QuantizationError(f"[{scheme}] expected {expected}, received option {', '.join(unknown)}")
    hints = get_type_hints(config)
    for name, value in options.items():
        if not _fits(hints[name], value):
            hint = hints[name]
            kind = hint.__name__ if isinstance(hint, type) else str(hint).removeprefix("typing.")
            raise QuantizationError(f"[{scheme}] expected {name} of type {kind}, received {value!r}")
    return config(**options)


def _fits(hint: Any, value: object) -> bool:
    """Returns whether a value is of a field's type; whole numbers are fractional ones too."""
    if get_origin(hint) is UnionType:
        return any(_fits(kind, value) for kind in get_args(hint))
    if get_origin(hint) is Literal:
        return isinstance(value, str)
    return type(value) is hint or (hint is float and type(value) is int)
