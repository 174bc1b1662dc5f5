"""Additive codebooks for layout P: an offset plus one int8 weight for every index bit, 1 to 3 bits."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from whit.models.quantizers.centroid_fit import additive, bits_of_index, sample
from whit.models.quantizers.codebook_quantizer import (
    Codebook,
    CodebookConfig,
    CodebookQuantizer,
    companded_codes,
    fitted_centroids,
)
from whit.models.quantizers.companding import compand
from whit.models.quantizers.registry import check_bits, config_from, register
from whit.models.quantizers.row_groups import RowOrder

WIDEST_BITS = 3


@register("planes")
class PlanesQuantizer(CodebookQuantizer):
    """Assigns weights to the 2^bits sums `offset + planes of the set index bits`.

    `offset` (groups,) and `planes` (groups, bits) are trained in units of the code range. Each forward pass
    rounds them to integers whose sums stay in range and differ, straight-through.
    """

    scheme = "planes"

    def __init__(
        self,
        bits: int,
        *,
        rows: int,
        cols: int,
        row_order: RowOrder = "plain",
        options: Mapping[str, object] | None = None,
    ) -> None:
        check_bits("planes", bits, 1, WIDEST_BITS)
        config = config_from(CodebookConfig, "planes", options or {})
        super().__init__(bits, rows=rows, cols=cols, row_order=row_order, config=config)
        even = torch.tensor([2.0 ** (bits - p) / ((1 << bits) - 1) for p in range(bits)])
        self.offset = nn.Parameter(torch.full((self.groups,), -1.0))
        self.planes = nn.Parameter(even.repeat(self.groups, 1))
        self.register_buffer("members", bits_of_index(bits), persistent=False)
        self.members: Tensor  # (2^bits, bits)

    def codebook(self) -> Codebook:
        """Returns the sums of the rounded offset and planes."""
        planes = self.planes.sort(dim=-1, descending=True).values
        exact = (self.offset[:, None] + planes @ self.members.T) * self.range.unit
        with torch.no_grad():
            whole = self._round_planes(planes * self.range.unit)
            room = self.range.highest - whole.sum(dim=-1)
            offset = torch.minimum((self.offset * self.range.unit).round().clamp(min=self.range.lowest), room)
            codes = offset[:, None] + whole @ self.members.T
            order = codes.argsort(dim=-1)
            codes = codes.gather(1, order)
            centers = companded_codes(codes, self.range.unit, self.mu)
        exact = exact.gather(1, order)
        companded = compand(exact / self.range.unit, self.mu)
        return Codebook(
            values=codes + (exact - exact.detach()),
            centers=centers + (companded - companded.detach()),
            index_of_rank=order,
        )

    def _round_planes(self, planes: Tensor) -> Tensor:
        """Returns descending whole numbers whose subsets all have different sums that fit the range.

        Args:
            planes: descending, in codes, (groups, bits).
        """
        room = self.range.highest - self.range.lowest
        whole = planes.round()
        used = torch.zeros_like(whole[:, 0])
        least = torch.ones_like(used)
        for p in range(self.bits - 1, -1, -1):
            # The p greater planes are to be at least 1, 2, ... p above this one.
            most = ((room - used - p * (p + 1) // 2) / (p + 1)).floor()
            whole[:, p] = torch.minimum(torch.maximum(whole[:, p], least), most)
            used = used + whole[:, p]
            least = whole[:, p] + 1
        if self.bits == WIDEST_BITS:
            # a_0 = a_1 + a_2 makes an even sum, and the room is odd: one more fits.
            whole[:, 0] += whole[:, 0] == whole[:, 1] + whole[:, 2]
        return whole

    def fit(self, x: Tensor, importance: Tensor, start: Tensor) -> Tensor:
        """Sets offset and planes by the `init` knob; the outermost sum of each group becomes 1."""
        values = fitted_centroids(x, importance, start, init=self.config.init, mu=self.mu)
        if self.config.init == "lloyd":
            offset, planes = additive(sample(x, importance), values, self.mu)
        else:
            offset = values[:, 0]
            planes = (
                -2
                * offset[:, None]
                * bits_of_index(self.bits).new_tensor(
                    [2.0 ** (self.bits - 1 - p) / ((1 << self.bits) - 1) for p in range(self.bits)]
                )
            )
        reach = torch.maximum(offset.abs(), (offset + planes.sum(dim=-1)).abs())
        self.offset.copy_(offset / reach)
        self.planes.copy_(planes / reach[:, None])
        return reach.float()
