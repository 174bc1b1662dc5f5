from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whit.exporter.errors import RequantizationError
from whit.exporter.requantization import dyadic, requant

FACTORS = st.floats(2.0**-32, 32767.9)


@given(FACTORS)
def test_a_multiplier_has_31_bits_and_is_the_nearest(factor):
    m, e = map(int, dyadic(factor))
    assert 2**30 <= m < 2**31 and 16 <= e <= 62
    assert abs(Fraction(m, 2**e) - Fraction(factor)) <= Fraction(1, 2 ** (e + 1))


def test_a_mantissa_that_rounds_up_to_31_bits_and_one_more():
    assert dyadic(float(np.nextafter(1.0, 0.0))) == (2**30, 30) == dyadic(1.0)


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.0, (0, 31)), (2.0**-33, (0, 31)), (2.0**-32, (2**30, 62))]
)
def test_small_factors(factor, expected):
    assert dyadic(factor) == expected


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), 2.0**15])
def test_what_has_no_integer_form_is_refused(factor):
    with pytest.raises(RequantizationError, match=r"expected (finite )?factors"):
        dyadic(factor)


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([0, 1, -1]),
    st.integers(2**30, 2**31 - 1),
    st.integers(16, 62),
)
def test_requantization_is_exact_and_rounds_half_up(acc, sign, m, e):
    m = sign * m
    expected = min(max((acc * m + 2 ** (e - 1)) // 2**e, -(2**30)), 2**30)
    np.testing.assert_array_equal(
        requant(np.array([acc, 0]), np.array([m, m]), np.array([e, e])), [expected, 0]
    )
