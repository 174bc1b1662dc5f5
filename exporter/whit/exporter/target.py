"""What an export is made fast for: which layout each matrix of 1 to 3 bits gets (docs/kernels.md)."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, kw_only=True)
class Target:
    """Processors with one rule. A target changes speed, never a result.

    Attributes:
        name: as in `whit export --target` and in the file's metadata.
        most_plane_rows: rows of activations up to which planes beat indices, at 1, 2 and 3 bits.
    """

    name: str
    most_plane_rows: tuple[float, float, float]

    def prefers_planes(self, bits: int, num_rows: int) -> bool:
        """Returns whether layout P is the faster one for a product of so many rows of activations."""
        return num_rows <= self.most_plane_rows[bits - 1]


TARGETS = {
    target.name: target
    for target in (
        # Where E is the faster one it wins less than it loses on processors without dot products.
        Target(name="any", most_plane_rows=(inf, inf, inf)),
        Target(name="cortex-a72", most_plane_rows=(inf, inf, inf)),
        # From four rows on, expanding an index is shared by enough products to pay.
        Target(name="dotprod", most_plane_rows=(3, 3, 3)),
        Target(name="x86", most_plane_rows=(inf, 4, 3)),
    )
}
ANY = "any"
