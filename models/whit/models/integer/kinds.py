"""The kinds of integer activations (docs/format.md, section 10), and the scale each makes of a range."""

from dataclasses import dataclass

from whit.models.quantizers import QuantizationError

WIDE_BITS = 16
MIN_ACTIVATION_BITS, MAX_ACTIVATION_BITS = 2, 8


@dataclass(frozen=True)
class Kind:
    """What the values of one place are stored as; real = scale * (q - zero)."""

    name: str
    signed: bool = True
    bits: int | None = None  # whatever the model's activation bits are
    headroom: float = 1.0  # of the greatest value over what calibration saw

    def limits(self, activation_bits: int) -> tuple[int, int]:
        """Returns the least and the greatest of `q - zero`."""
        bits = self.bits or activation_bits
        if self.signed:
            highest = 2 ** (bits - 1) - 1
            return -highest, highest
        return 0, 2**bits - 1

    def scale(self, lowest: float, highest: float, activation_bits: int) -> float:
        """Returns the scale that makes a range of real values fit; of a range of nothing but 0, that of 1."""
        reach = max(abs(lowest), abs(highest)) if self.signed else highest
        return (reach * self.headroom if reach > 0 else 1.0) / self.limits(activation_bits)[1]


SIGNED = Kind("signed")
UNSIGNED = Kind("unsigned", signed=False)
# A sum that leaves its range is worse than one bit of sixteen.
WIDE = Kind("wide", bits=WIDE_BITS, headroom=2.0)


def check_activation_bits(bits: int) -> None:
    """Raises QuantizationError unless section 10 has codes of this width."""
    if not MIN_ACTIVATION_BITS <= bits <= MAX_ACTIVATION_BITS:
        raise QuantizationError(
            f"[activation bits] expected {MIN_ACTIVATION_BITS} to {MAX_ACTIVATION_BITS}, received {bits}"
        )
