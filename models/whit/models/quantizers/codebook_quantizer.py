"""What GQ and additive codebooks share: row scales, annealed assignment to centroids, and the stored form."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from whit.models.quantizers.annealing import AnnealingSchedule
from whit.models.quantizers.centroid_fit import lloyd_max, sample
from whit.models.quantizers.code_range import check_distinct, code_range
from whit.models.quantizers.companding import MU_BY_BITS, compand, expand, midpoints
from whit.models.quantizers.errors import QuantizationError
from whit.models.quantizers.quantizer import CheckpointScheme, QuantizedTensor, WeightQuantizer
from whit.models.quantizers.row_groups import TILE_ROWS, RowOrder, group_of_rows, num_tiles, packed_row
from whit.models.quantizers.soft_assignment import (
    Distance,
    gap_index,
    hard_values,
    soft_values,
    soft_values_direct,
)

ScaleKind = Literal["learned", "rms", "max"]
Grouping = Literal["matrix", "tile"]
Initializer = Literal["lloyd", "linspace"]
Mix = Literal["values", "companded"]

REACH_BY_BITS = {1: 0.8, 2: 1.5, 3: 2.2, 4: 2.8, 5: 3.2, 6: 3.6}
"""Outermost centroid in units of a row's RMS: the best for Gaussian weights (docs/quantization.md)."""

LARGEST_MU = 1e6  # float32 holds what comes of it

OF_THE_SOFT_PHASE = ("start", "end", "every", "distance", "mix")

SMALLEST_SCALE = 1e-12
"""Least learned row scale, for rows of zeros: its logarithm must be finite."""


@dataclass(frozen=True, kw_only=True)
class CodebookConfig:
    """The knobs; docs/quantization.md tells what each settles.

    Attributes:
        start: sharpness of the first step.
        end: sharpness reached at `hard_from`.
        hard_from: share of training after which assignment is hard.
        every: soft steps quantize only every n-th time.
        scale: row scale: a parameter, or a multiple of the row's RMS, or its maximum.
        groups: one codebook for the matrix, or one for each 16-row tile in packed order.
        init: centroids fitted to the weights, or evenly spaced in companded space.
        mu: of the companding; None takes the width's own, 0 is linear.
        distance: of weights to centroids in companded space; "l2" costs 2^bits exponentials per weight.
        mix: what the softmax averages: expanded centroids, or companded ones, expanded afterwards.
    """

    start: float = 8.0
    end: float = 64.0
    hard_from: float = 0.6
    every: int = 1
    scale: ScaleKind = "learned"
    groups: Grouping = "matrix"
    init: Initializer = "lloyd"
    mu: float | None = None
    distance: Distance = "l1"
    mix: Mix = "values"

    def __post_init__(self) -> None:
        AnnealingSchedule(start=self.start, end=self.end, hard_from=self.hard_from, every=self.every)
        choices = {
            "scale": ScaleKind,
            "groups": Grouping,
            "init": Initializer,
            "distance": Distance,
            "mix": Mix,
        }
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise QuantizationError(
                    f"[{name}] expected {' or '.join(get_args(kind))}, received {getattr(self, name)!r}"
                )
        if self.mu is not None and not 0 <= self.mu <= LARGEST_MU:
            raise QuantizationError(f"[mu] expected a number from 0 to {LARGEST_MU:g}, received {self.mu}")
        idle = [name for name in OF_THE_SOFT_PHASE if getattr(self, name) != getattr(CodebookConfig, name)]
        if self.hard_from == 0 and idle:
            raise QuantizationError(
                f"[hard_from] expected more than 0 beside options of the soft phase, "
                f"received 0 and {', '.join(idle)}"
            )

    @property
    def schedule(self) -> AnnealingSchedule:
        """The annealing part."""
        return AnnealingSchedule(start=self.start, end=self.end, hard_from=self.hard_from, every=self.every)


class Codebook(NamedTuple):
    """The centroids of this step, ascending; each tensor (groups, 2^bits).

    Attributes:
        values: whole numbers; their gradient reaches the trained parameters as if nothing was rounded.
        centers: the same in companded space, where 1 is the range's unit.
        index_of_rank: stored index of each, int64; None where index and rank are the same.
    """

    values: Tensor
    centers: Tensor
    index_of_rank: Tensor | None


class CodebookQuantizer(WeightQuantizer):
    """Base of quantizers that assign each normalised weight to the nearest of 2^bits trained centroids."""

    scheme: CheckpointScheme
    reach: Tensor  # (groups,): row scale in units of the row's RMS or maximum, where it is not learned
    progress: Tensor  # (), float64
    step: Tensor  # (), int64
    packed_rows: Tensor  # (rows,)
    row_group: Tensor  # (rows,)

    def __init__(
        self, bits: int, *, rows: int, cols: int, row_order: RowOrder, config: CodebookConfig
    ) -> None:
        super().__init__(bits, rows=rows, cols=cols, row_order=row_order)
        self.config = config
        self.schedule = config.schedule
        self.range = code_range(bits)
        self.mu = MU_BY_BITS[bits] if config.mu is None else float(config.mu)
        self.groups = num_tiles(rows, row_order) if config.groups == "tile" else 1
        self.register_buffer("packed_rows", packed_row(rows, row_order), persistent=False)
        self.register_buffer(
            "row_group", group_of_rows(rows, groups=self.groups, order=row_order), persistent=False
        )
        self.register_buffer("reach", torch.full((self.groups,), REACH_BY_BITS[bits]))
        # Buffers, so that a resumed run continues at the very step.
        self.register_buffer("progress", torch.zeros((), dtype=torch.float64))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        if config.scale == "learned":
            self.log_scale = nn.Parameter(torch.zeros(rows))

    @abstractmethod
    def codebook(self) -> Codebook:
        """Returns the centroids of this step."""

    @abstractmethod
    def fit(self, x: Tensor, importance: Tensor, start: Tensor) -> Tensor:
        """Fits the centroids to a sample and keeps them.

        Args:
            x: normalised weights, (groups, n).
            importance: of each, (groups, n).
            start: ascending values to begin from, (2^bits,).

        Returns:
            The reach of each group, (groups,): the value in units of x that companded 1 stands for.
        """

    def set_progress(self, fraction: float) -> None:
        """Moves to the next step at this share of training."""
        self.progress.fill_(fraction)
        self.step += 1

    def _spread(self) -> Tensor:
        """Returns evenly spaced companded centroids, (2^bits,)."""
        return torch.linspace(-1, 1, 1 << self.bits, device=self.reach.device)

    def _into_groups(self, x: Tensor) -> Tensor:
        """Returns (rows, cols) as (groups, n), padded tiles holding zeros."""
        if self.groups == 1:
            return x.reshape(1, -1)
        packed = x.new_zeros(self.groups * TILE_ROWS, self.cols)
        return packed.index_copy(0, self.packed_rows, x).view(self.groups, -1)

    def _from_groups(self, x: Tensor) -> Tensor:
        """Returns (groups, n) as (rows, cols)."""
        if self.groups == 1:
            return x.view(self.rows, self.cols)
        return x.view(-1, self.cols).index_select(0, self.packed_rows)

    def _row_scale(self, weight: Tensor) -> Tensor:
        """Returns what companded 1 is worth in each row, (rows,)."""
        if self.config.scale == "learned":
            return self.log_scale.exp()
        with torch.no_grad():
            return self._row_measure(weight, self.config.scale) * self.reach[self.row_group]

    def _row_measure(self, weight: Tensor, measure: ScaleKind) -> Tensor:
        """Returns the RMS or the maximum of each row, (rows,)."""
        if measure == "max":
            return weight.abs().amax(dim=1)
        return weight.square().mean(dim=1).sqrt()

    def _normalised(self, weight: Tensor, scale: Tensor) -> Tensor:
        """Returns the weights in units of their row's scale, (groups, n); rows of scale 0 give 0."""
        divisor = torch.where(scale > 0, scale, torch.ones_like(scale))
        return self._into_groups(weight / divisor[:, None])

    @torch.no_grad()
    def initialize(self, weight: Tensor) -> None:
        """Fits row scales and centroids to a float weight, which makes `harden` a post-training quantizer.

        Raises:
            QuantizationError: a weight is not finite.
        """
        self.check_finite(weight)
        if self.config.scale == "learned":
            # RMS suits narrow codes, the maximum wide ones and heavy tails: keep what errs less.
            trials = [self._fit_with(weight, measure) for measure in ("rms", "max")]
            _, state = min(trials, key=lambda trial: trial[0])
            self.load_state_dict(state)
        else:
            self._fit_with(weight, self.config.scale)

    def _fit_with(self, weight: Tensor, measure: ScaleKind) -> tuple[float, dict[str, Tensor]]:
        """Fits to rows normalised by a measure; returns the squared error and a copy of the state."""
        row = self._row_measure(weight, measure)
        importance = self._into_groups((row**2)[:, None].expand(-1, self.cols))
        # A row's maximum is some 3.5 RMS, as for a thousand Gaussian weights.
        start = REACH_BY_BITS[self.bits] if measure == "rms" else min(1.0, REACH_BY_BITS[self.bits] / 3.5)
        reach = self.fit(self._normalised(weight, row), importance, expand(self._spread(), self.mu) * start)
        self.reach.copy_(reach)
        if self.config.scale == "learned":
            self.log_scale.copy_((row * reach[self.row_group]).clamp(min=SMALLEST_SCALE).log())
            self._fit_row_scales(weight)
        scale = self._row_scale(weight)
        codes = self._from_groups(self._hard(self._normalised(weight, scale)))
        error = weight - (scale / self.range.unit)[:, None] * codes
        return float(error.square().sum()), {k: v.clone() for k, v in self.state_dict().items()}

    def _fit_row_scales(self, weight: Tensor) -> None:
        """Moves each learned scale to its least-squares value for the codes it leads to."""
        for _ in range(3):
            scale = self._row_scale(weight)
            codes = self._from_groups(self._hard(self._normalised(weight, scale))) / self.range.unit
            best = (weight * codes).sum(dim=1) / codes.square().sum(dim=1).clamp(min=1e-30)
            self.log_scale.copy_(torch.where(best > SMALLEST_SCALE, best, scale).log())

    def _hard(self, x: Tensor) -> Tensor:
        """Returns the nearest whole-number centroid of each x, (groups, n)."""
        book = self.codebook()
        return hard_values(x, book.values, midpoints(book.centers, self.mu), slope=float(self.range.unit))

    def _soft(self, x: Tensor, sharpness: float) -> Tensor:
        """Returns the softmax mean of the centroids for each x, (groups, n)."""
        book = self.codebook()
        delta = 2.0 / ((1 << self.bits) - 1)
        values = book.values if self.config.mix == "values" else book.centers
        if self.config.distance == "l1":
            mean = soft_values(
                x,
                book.centers,
                values,
                alpha=sharpness / delta,
                mu=self.mu,
                boundaries=expand(book.centers, self.mu),
            )
        else:
            mean = soft_values_direct(
                x, book.centers, values, alpha=sharpness / delta**2, mu=self.mu, distance="l2"
            )
        return mean if self.config.mix == "values" else expand(mean, self.mu) * self.range.unit

    def forward(self, weight: Tensor) -> Tensor:
        """Returns the quantized weight: hard in eval mode and at the end of training, soft before."""
        progress = float(self.progress)
        if self.training and not self.schedule.quantizes(int(self.step), progress):
            return weight
        scale = self._row_scale(weight)
        hard = not self.training or self.schedule.is_hard(progress)
        # With fixed assignments a weight is scale * code: the scale's gradient is the code alone.
        x = self._normalised(weight, scale.detach() if hard else scale)
        codes = self._hard(x) if hard else self._soft(x, self.schedule.sharpness(progress))
        return (scale / self.range.unit)[:, None] * self._from_groups(codes)

    @torch.no_grad()
    def harden(self, weight: Tensor) -> QuantizedTensor:
        """Returns nearest-centroid indices, row scales and the codebook.

        Raises:
            QuantizationError: a weight is not finite, or a codebook holds a value twice.
        """
        self.check_finite(weight)
        scale = self._row_scale(weight)
        book = self.codebook()
        check_distinct(book.values)
        flat = gap_index(self._normalised(weight, scale), midpoints(book.centers, self.mu)).long()
        index, values = flat % (1 << self.bits), book.values
        if book.index_of_rank is not None:
            index = torch.take(book.index_of_rank, flat)
            values = torch.empty_like(values).scatter_(1, book.index_of_rank, values)
        return QuantizedTensor(
            index=self._from_groups(index.to(torch.uint8)),
            scale=(scale / self.range.unit).detach(),
            codebook=values.round().to(torch.int8),
            bits=self.bits,
            scheme=self.scheme,
            row_order=self.row_order,
        )


def companded_codes(codes: Tensor, unit: int, mu: float) -> Tensor:
    """Returns where whole-number codes lie in companded space."""
    return compand(codes / unit, mu)


def fitted_centroids(x: Tensor, importance: Tensor, start: Tensor, *, init: Initializer, mu: float) -> Tensor:
    """Returns ascending float64 centroids (groups, K) in units of x, as the `init` knob asks."""
    if init == "linspace":
        return start.double().expand(x.shape[0], -1)
    return lloyd_max(sample(x, importance), start, mu)
