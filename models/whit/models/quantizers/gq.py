"""GQ: trainable centroids in a mu-law space, assigned by a softmax that anneals to hard (our reading).

docs/decisions/0003-gq-reading.md says what of this is the paper's and what is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from whit.models.quantizers.code_range import separate
from whit.models.quantizers.codebook_quantizer import (
    Codebook,
    CodebookConfig,
    CodebookQuantizer,
    companded_codes,
    fitted_centroids,
)
from whit.models.quantizers.companding import compand, expand
from whit.models.quantizers.errors import QuantizationError
from whit.models.quantizers.registry import check_bits, config_from, register
from whit.models.quantizers.row_groups import RowOrder


@dataclass(frozen=True, kw_only=True)
class GqConfig(CodebookConfig):
    """The shared knobs, and what becomes of centroids that round to one integer.

    Attributes:
        duplicates: "repair" keeps rounded neighbours apart by at least 1 in every forward pass;
            "reject" lets them meet, and the next evaluation or save refuses the codebook.
    """

    duplicates: Literal["repair", "reject"] = "repair"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.duplicates not in ("repair", "reject"):
            raise QuantizationError(f"[duplicates] expected repair or reject, received {self.duplicates!r}")


@register("gq")
class GqQuantizer(CodebookQuantizer):
    """Assigns weights to 2^bits free centroids, bits 1 to 6.

    `centroids` (groups, 2^bits) are trained in companded space. Each forward pass sorts them, expands them,
    rounds them to the int8 range of their width and uses the rounded ones, straight-through: the codebook
    that is trained is the codebook that is stored.
    """

    scheme = "codebook"

    def __init__(
        self,
        bits: int,
        *,
        rows: int,
        cols: int,
        row_order: RowOrder = "plain",
        options: Mapping[str, object] | None = None,
    ) -> None:
        check_bits("gq", bits, 1, 6)
        config = config_from(GqConfig, "gq", options or {})
        super().__init__(bits, rows=rows, cols=cols, row_order=row_order, config=config)
        self.repairs = config.duplicates == "repair"
        self.centroids = nn.Parameter(self._spread().repeat(self.groups, 1))

    def codebook(self) -> Codebook:
        """Returns the rounded centroids."""
        companded = self.centroids.sort(dim=-1).values
        exact = expand(companded, self.mu) * self.range.unit
        with torch.no_grad():
            codes = exact.round().clamp(self.range.lowest, self.range.highest)
            if self.repairs:
                codes = separate(codes, self.range)
            centers = companded_codes(codes, self.range.unit, self.mu)
        return Codebook(
            values=codes + (exact - exact.detach()),
            centers=centers + (companded - companded.detach()),
            index_of_rank=None,
        )

    def fit(self, x: Tensor, importance: Tensor, start: Tensor) -> Tensor:
        """Sets the centroids by the `init` knob; the outermost of each group becomes companded 1."""
        values = fitted_centroids(x, importance, start, init=self.config.init, mu=self.mu)
        reach = values.abs().amax(dim=-1)
        self.centroids.copy_(compand(values / reach[:, None], self.mu))
        return reach.float()
