import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whit.runtime.dense_codes import dense_bytes, pack_dense, unpack_dense
from whit.runtime.errors import PackingError


@given(st.data(), st.integers(1, 8), st.integers(0, 40))
def test_codes_lie_end_to_end_in_one_number(data: st.DataObject, bits: int, count: int) -> None:
    """The bytes, read as one little-endian number, have code i at bit `i * bits`."""
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=count, max_size=count))
    packed = pack_dense(np.array(codes, np.uint8), bits=bits)
    assert packed.shape == (dense_bytes(count, bits=bits),)
    number = int.from_bytes(packed.tobytes(), "little")
    assert number == sum(code << i * bits for i, code in enumerate(codes))
    assert unpack_dense(packed, shape=(count,), bits=bits).tolist() == codes


def test_axes_are_those_asked_for() -> None:
    codes = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(unpack_dense(pack_dense(codes, bits=5), shape=(2, 3, 4), bits=5), codes)


def test_codes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PackingError, match="below 8, received 8"):
        pack_dense(np.array([7, 8], np.uint8), bits=3)


@pytest.mark.parametrize("size", [2, 4])
def test_another_size_is_refused(size: int) -> None:
    with pytest.raises(PackingError, match="expected 3 bytes for 5 codes of 4 bits"):
        unpack_dense(np.zeros(size, np.uint8), shape=(5,), bits=4)


def test_bits_past_the_last_code_are_refused() -> None:
    packed = pack_dense(np.array([7, 7, 7], np.uint8), bits=3)
    packed[-1] |= 0x80
    with pytest.raises(PackingError, match="bits past the last code to be 0, received 0x81"):
        unpack_dense(packed, shape=(3,), bits=3)
