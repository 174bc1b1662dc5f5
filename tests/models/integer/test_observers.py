import numpy as np
import pytest
import torch

from whit.models.integer.kinds import SIGNED, UNSIGNED, WIDE, check_activation_bits
from whit.models.integer.observers import ObserverConfig, RangeObserver
from whit.models.quantizers import QuantizationError

BATCHES = [torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([[-4.0], [2.0]]), torch.tensor([0.5, 7.0])]


def observed(observer: str, *, exact: bool = False, percentile: float = 90.0) -> tuple[float, float]:
    found = RangeObserver(ObserverConfig(observer=observer, percentile=percentile), exact=exact)
    for batch in BATCHES:
        found.see(batch)
    return found.range


def test_minmax_keeps_the_extremes_of_all_batches() -> None:
    assert observed("minmax") == (-4.0, 7.0)


def test_the_first_batch_starts_the_average() -> None:
    low = 0.95 * (0.95 * -1.0 + 0.05 * -4.0) + 0.05 * 0.5
    high = 0.95 * (0.95 * 3.0 + 0.05 * 2.0) + 0.05 * 7.0
    assert observed("ema") == pytest.approx((low, high), rel=1e-14)


def test_percentiles_are_numpys_quantiles() -> None:
    x = torch.randn(37, 5)
    found = RangeObserver(ObserverConfig(observer="percentile", percentile=99.0))
    found.see(x)
    assert found.range == pytest.approx(np.quantile(x.double().numpy(), [0.01, 0.99]), rel=1e-12)


@pytest.mark.parametrize("observer", ["ema", "percentile"])
def test_exact_places_are_never_averaged_or_cut(observer: str) -> None:
    assert observed(observer, exact=True) == (-4.0, 7.0)


def test_an_empty_batch_changes_nothing_and_none_at_all_is_an_error() -> None:
    found = RangeObserver(ObserverConfig())
    found.see(torch.zeros(0, 3))
    with pytest.raises(QuantizationError, match="received none"):
        _ = found.range


def test_what_is_not_finite_is_an_error() -> None:
    with pytest.raises(QuantizationError, match="finite"):
        RangeObserver(ObserverConfig()).see(torch.tensor([1.0, torch.inf]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"observer": "mse"}, r"\[observer\] expected one of ema, minmax, percentile, received 'mse'"),
        ({"percentile": 50.0}, r"\[percentile\] expected more than 50 and at most 100, received 50\.0"),
        ({"percentile": 100.1}, r"\[percentile\] expected more than 50 and at most 100, received 100\.1"),
    ],
)
def test_settings_outside_their_range_are_errors(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(QuantizationError, match=f"^{sentence}$"):
        ObserverConfig(**change)  # type: ignore[arg-type]


def test_scales_of_each_kind() -> None:
    assert (SIGNED.limits(8), UNSIGNED.limits(8), WIDE.limits(6)) == ((-127, 127), (0, 255), (-32767, 32767))
    assert SIGNED.scale(-6.2, 3.0, 6) == pytest.approx(6.2 / 31)
    assert UNSIGNED.scale(0.0, 3.0, 8) == pytest.approx(3.0 / 255)
    assert WIDE.scale(-6.2, 3.0, 4) == pytest.approx(2 * 6.2 / 32767)  # as much again before it overflows
    assert UNSIGNED.scale(0.0, 0.0, 8) == pytest.approx(1 / 255)  # a ReLU that was never open


@pytest.mark.parametrize("bits", [1, 9])
def test_activations_of_other_widths_are_errors(bits: int) -> None:
    with pytest.raises(QuantizationError, match="2 to 8"):
        check_activation_bits(bits)
