import numpy as np
import pytest
from random_matrix import WIDTHS

from whit.runtime import packing
from whit.runtime.errors import PackingError


@pytest.mark.parametrize("shape", [(1, 1), (15, 31), (16, 32), (33, 65), (96, 160)])
@pytest.mark.parametrize(("layout", "bits"), WIDTHS)
def test_unpack_inverts_pack(layout: packing.Layout, bits: int, shape: tuple[int, int]) -> None:
    index = np.random.default_rng(bits).integers(0, 1 << bits, shape, dtype=np.uint8)
    data = packing.pack(index, bits=bits, layout=layout)
    assert data.shape == (packing.packed_bytes(*shape, bits=bits),)
    np.testing.assert_array_equal(
        packing.unpack(data, rows=shape[0], cols=shape[1], bits=bits, layout=layout), index
    )


def test_first_byte_is_the_one_in_the_picture() -> None:
    """4 bits: byte 0 = row 0, k-group 0 low and k-group 1 high."""
    index = np.zeros((16, 32), np.uint8)
    index[0, 0], index[0, 4] = 0x3, 0xA
    data = packing.pack(index, bits=4, layout="E")
    assert data[0] == 0xA3
    assert np.count_nonzero(data) == 1


def test_planes_store_the_most_significant_bit_first() -> None:
    index = np.zeros((16, 32), np.uint8)
    index[2, 9] = 0b10  # row 2, chunk 1, bit 1
    data = packing.pack(index, bits=2, layout="P")
    assert data[16 + 2] == 0b10
    assert np.count_nonzero(data) == 1


@pytest.mark.parametrize(
    ("bits", "layout", "index", "message"),
    [
        (9, "E", np.zeros((1, 1), np.uint8), "expected 1 to 8 bits in layout E, received 9"),
        (4, "P", np.zeros((1, 1), np.uint8), "expected 1 to 3 bits in layout P, received 4"),
        (0, "P", np.zeros((1, 1), np.uint8), "expected 1 to 3 bits in layout P, received 0"),
        (2, "Q", np.zeros((1, 1), np.uint8), 'expected layout "E" or "P", received \'Q\''),
        (2, "E", np.full((1, 1), 4, np.uint8), "expected indices below 4, received 4"),
        (2, "E", np.zeros(4, np.uint8), "expected uint8 of shape"),
        (2, "E", np.zeros((1, 1), np.int64), "expected uint8 of shape"),
    ],
)
def test_pack_refuses(bits: int, layout: packing.Layout, index: np.ndarray, message: str) -> None:
    with pytest.raises(PackingError, match=r"\[pack\]") as error:
        packing.pack(index, bits=bits, layout=layout)
    assert message in str(error.value)


def test_unpack_refuses_another_size() -> None:
    with pytest.raises(PackingError, match=r"expected data of shape \(512,\), received \(511,\)"):
        packing.unpack(np.zeros(511, np.uint8), rows=32, cols=32, bits=4, layout="E")


@pytest.mark.parametrize("bits", range(1, 7))
def test_codebook_of_layout_e_is_repeated(bits: int) -> None:
    codebook = np.arange(1 << bits, dtype=np.int8)[None]
    packed = packing.pack_codebook(codebook, rows=33, bits=bits, layout="E")
    assert packed is not None
    assert packed.shape == (1, max(16, 1 << bits))
    np.testing.assert_array_equal(packed[0], np.arange(packed.shape[1]) % (1 << bits))
    of_each_tile = packing.pack_codebook(codebook.repeat(4, 0), rows=33, bits=bits, layout="E")
    np.testing.assert_array_equal(of_each_tile, packed.repeat(4, 0))


def test_plane_weights_come_most_significant_first() -> None:
    # z = -60, a = (50, 20, 3): index bits 2, 1, 0
    codebook = np.array([[-60, -57, -40, -37, -10, -7, 10, 13]], np.int8)
    packed = packing.pack_codebook(codebook, rows=1, bits=3, layout="P")
    np.testing.assert_array_equal(packed, [[-60, 50, 20, 3]])


@pytest.mark.parametrize(
    ("codebook", "bits", "layout", "message"),
    [
        (None, 4, "E", "received none"),
        (np.zeros((1, 8), np.int8), 4, "E", r"expected int8 of \(1 or 2, 16\), received int8 of \(1, 8\)"),
        (np.zeros((3, 16), np.int8), 4, "E", r"received int8 of \(3, 16\)"),
        (np.zeros((1, 16), np.float32), 4, "E", "received float32"),
        (np.full((1, 16), 64, np.int8), 4, "E", r"expected values in \[-64, 63\]"),
        (np.full((1, 32), -128, np.int8), 5, "E", r"expected values in \[-127, 127\]"),
        (np.zeros((1, 128), np.int8), 7, "E", "expected no codebook at 7 bits"),
        (
            np.array([[0, 1, 2, 4]], np.int8),
            2,
            "P",
            "expected entry 3 of tile 0 to be the sum 3 of its planes, received 4",
        ),
    ],
)
def test_pack_codebook_refuses(
    codebook: np.ndarray | None, bits: int, layout: packing.Layout, message: str
) -> None:
    with pytest.raises(PackingError, match=message):
        packing.pack_codebook(codebook, rows=20, bits=bits, layout=layout)


def test_linear_widths_have_no_codebook() -> None:
    assert packing.pack_codebook(None, rows=5, bits=8, layout="E") is None


@pytest.mark.parametrize("hidden_size", [1, 4, 7, 8, 33])
def test_lstm_rows_are_tiles_of_four_units(hidden_size: int) -> None:
    order = packing.lstm_row_order(hidden_size)
    assert len(order) % 32 == 0
    assert sorted(order[order >= 0]) == list(range(4 * hidden_size))
    for gate in range(4):
        for unit in range(hidden_size):
            assert order[16 * (unit // 4) + 4 * gate + unit % 4] == gate * hidden_size + unit


def test_reorder_lstm_rows_pads_with_zeros() -> None:
    values = np.arange(1, 13, dtype=np.float32)  # hidden 3
    packed = packing.reorder_lstm_rows(values, 3)
    np.testing.assert_array_equal(packed[:16], [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0])
    assert not packed[16:].any()
    with pytest.raises(PackingError, match="expected 8 rows, received 12"):
        packing.reorder_lstm_rows(values, 2)
