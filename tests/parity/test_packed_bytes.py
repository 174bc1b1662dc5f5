"""The packer and a decoder written from the specification alone agree on every bit."""

import numpy as np
import pytest
from random_matrix import WIDTHS, random_matrix
from spec_decoder import decode_codes


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (40, 70)])
@pytest.mark.parametrize(("layout", "bits"), WIDTHS)
def test_packed_bytes_decode_to_the_codes(layout: str, bits: int, shape: tuple[int, int]) -> None:
    w = random_matrix(bits, *shape, bits, layout)
    decoded = decode_codes(w.data, w.packed_codebook, w.rows, w.cols, bits, layout)
    np.testing.assert_array_equal(decoded, w.codes)


def test_padding_is_index_zero() -> None:
    w = random_matrix(3, 17, 33, 7, "E")
    decoded = decode_codes(w.data, None, 32, 64, 7, "E")
    assert (decoded[17:] == -64).all()
    assert (decoded[:, 33:] == -64).all()
