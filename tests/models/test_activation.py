import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from whit.models.activation import fake_quantize_rows, quantize_rows, round_rows


def scalar_quantize(row: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """docs/format.md, section 1, one operation at a time."""
    f = np.float32
    k = len(row)
    a = np.zeros(-(-k // 4) * 4, dtype=f)
    a[:k] = row
    if not np.isfinite(a).all():
        return np.zeros(k, f), f(np.nan)
    amax = gmax = f(0)
    with np.errstate(over="ignore"):
        for g in range(0, len(a), 4):
            m = np.abs(a[g : g + 4])
            amax = max(amax, m.max())
            gmax = max(gmax, f(f(m[0] + m[1]) + f(m[2] + m[3])))
    if not np.isfinite(gmax):
        return np.zeros(k, f), f(np.nan)
    s = max(f(amax / f(127)), f(gmax / f(253)))
    if s < 2.0**-126:
        return np.zeros(k, f), f(0)
    inverse = f(f(1) / s)
    return np.array([np.rint(f(x * inverse)) for x in a[:k]], dtype=f), s


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=37),
    st.sampled_from([1.0, 1e-30, 1e-38, 1e-44, 3e33]),
)
def test_equals_the_written_formula_bit_for_bit(values: list[float], factor: float) -> None:
    row = np.array(values, dtype=np.float32) * np.float32(factor)
    q, s = quantize_rows(torch.from_numpy(row)[None])
    expected_q, expected_s = scalar_quantize(row)
    np.testing.assert_array_equal(q[0].numpy(), expected_q)
    np.testing.assert_array_equal(s[0, 0].numpy(), expected_s)
    padded = np.zeros(-(-len(row) // 4) * 4)
    padded[: len(row)] = np.abs(expected_q)
    assert padded.max() <= 127
    assert padded.reshape(-1, 4).sum(1).max() <= 255


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_row_that_is_not_finite_has_scale_nan_and_codes_zero(bad: float) -> None:
    a = torch.ones(3, 5)
    a[1, 4] = bad
    q, s = quantize_rows(a)
    assert s.isnan().tolist() == [[False], [True], [False]]
    assert q[1].tolist() == [0] * 5
    assert round_rows(a).isnan().all(1).tolist() == [False, True, False]


def test_a_group_sum_that_overflows_is_not_finite() -> None:
    a = torch.full((1, 4), 3e38)
    assert quantize_rows(a)[1].isnan().all()
    assert round_rows(a).isnan().all()


def test_a_zero_row_stays_zero() -> None:
    q, s = quantize_rows(torch.zeros(2, 6))
    assert not q.any()
    assert not s.any()
    assert not round_rows(torch.zeros(2, 6)).any()
    assert not round_rows(torch.full((1, 6), 1e-40)).any()


def test_rounded_rows_are_codes_times_scale() -> None:
    a = torch.randn(7, 31)
    q, s = quantize_rows(a)
    torch.testing.assert_close(round_rows(a), q * s, rtol=0, atol=0)


def test_rows_in_bfloat16_have_the_codes_of_their_values() -> None:
    a = torch.randn(64, 32).bfloat16()
    q, s = quantize_rows(a)
    expected_q, expected_s = quantize_rows(a.float())
    assert q.abs().max() == 127
    torch.testing.assert_close(q, expected_q, rtol=0, atol=0)
    torch.testing.assert_close(s, expected_s, rtol=0, atol=0)
    torch.testing.assert_close(round_rows(a), (q * s).bfloat16(), rtol=0, atol=0)
    a.requires_grad_()
    weight = torch.randn(64, 32).bfloat16()
    (fake_quantize_rows(a) * weight).sum().backward()
    torch.testing.assert_close(a.grad, weight, rtol=0, atol=0)


def test_gradient_passes_straight_through() -> None:
    a = torch.randn(3, 9, requires_grad=True)
    weight = torch.randn(3, 9)
    (fake_quantize_rows(a) * weight).sum().backward()
    torch.testing.assert_close(a.grad, weight, rtol=0, atol=0)
