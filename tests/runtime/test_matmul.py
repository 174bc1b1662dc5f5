"""Activation quantizer and packed product, bit for bit against numpy (docs/format.md, sections 1 to 3)."""

import platform
import re
from pathlib import Path

import numpy as np
import numpy_formulas
import pytest
from numpy.typing import NDArray
from random_matrix import WIDTHS, RandomMatrix, random_matrix

from whit.runtime import _core


def product(
    w: RandomMatrix,
    x: NDArray[np.float32],
    bias: NDArray[np.float32] | None = None,
    kernel: str | None = None,
) -> NDArray[np.float32]:
    arrays = (x, w.data, w.packed_codebook, w.packed_scale, bias)
    return _core.packed_matmul(*arrays, **w.attributes, kernel=kernel)


KERNELS = Path(__file__).parents[2] / "runtime" / "cpp" / "src" / "kernels"
FAMILY = {"x86_64": "x86", "aarch64": "arm", "arm64": "arm", "armv7l": "arm"}.get(platform.machine(), "none")
KERNEL = re.compile(r"(?:matmul|depthwise)_i32_i8row_[ep]\d(?:to\d)?_\d+x\d+_[a-z][a-z0-9]+")
NAME = re.compile(r"matmul_i32_i8row_([ep])(\d)(?:to(\d))?_\d+x\d+_(?:plain|[a-z][a-z0-9]+)")


def widths_of_kernels() -> list[tuple[str, str, int]]:
    """Returns (kernel, layout, bits) of all that this processor can run, read from the kernels' names."""
    cases = []
    for name in _core.matmul_kernel_names():
        match = NAME.fullmatch(name)
        assert match, f"{name} does not follow the grammar of docs/kernels.md"
        layout, first, last = match.groups()
        cases += [(name, layout.upper(), bits) for bits in range(int(first), int(last or first) + 1)]
    return cases


def activations(rows: int, cols: int) -> NDArray[np.float32]:
    """Returns rows of every awkward kind, in turn."""
    x = np.random.default_rng(rows * 1000 + cols).standard_normal((rows, cols)).astype(np.float32)
    for m in range(rows):
        match m % 9:
            case 1:
                x[m] = 0
            case 2:
                x[m, m % cols] = 1e6  # one outlier
            case 3:
                x[m] = np.sign(x[m])  # groups of four decide the scale
            case 4:
                x[m, cols - 1] = np.nan
            case 5:
                x[m, 0] = -np.inf
            case 6:
                x[m] *= np.float32(1e-38)
            case 7:
                x[m] *= np.float32(1e-44)  # denormals: zero by the rule
            case 8:
                x[m] *= np.float32(3e37)
    return x


@pytest.mark.parametrize("cols", [1, 3, 4, 5, 31, 64, 127])
def test_quantize_rows(cols: int) -> None:
    x = activations(27, cols)
    q, scale = _core.quantize_rows(x)
    with np.errstate(invalid="ignore", over="ignore"):
        expected_q, expected_scale = numpy_formulas.quantize_rows(x)
    np.testing.assert_array_equal(q, expected_q)
    np.testing.assert_array_equal(scale, expected_scale)


def test_groups_of_four_sum_to_at_most_255() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 1, (4000, 32)).astype(np.float32) * rng.choice([-1, 1], (4000, 32)).astype(
        np.float32
    )
    q, _ = _core.quantize_rows(x)
    assert np.abs(q.astype(int)).reshape(4000, 8, 4).sum(axis=2).max() <= 255


def test_overflow_of_a_group_is_nan() -> None:
    q, scale = _core.quantize_rows(np.full((1, 4), 3e38, np.float32))
    assert np.isnan(scale).all()
    assert not q.any()


def test_smallest_scale_is_zero_or_normal() -> None:
    edge = np.float32(127 * 2.0**-126)
    _, scale = _core.quantize_rows(np.array([[edge], [np.nextafter(edge, np.float32(0))]], np.float32))
    assert scale.tolist() == [2.0**-126, 0.0]


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 63])
def test_odd_row_ends(rows: int) -> None:
    """The last rows of a matrix that does not fill its tile, and no byte beyond them."""
    w = random_matrix(8, rows, 45, 4, "E")
    x = activations(4, 45)
    with np.errstate(invalid="ignore", over="ignore"):
        expected = numpy_formulas.matmul(x, w.codes, w.scale, None)
    np.testing.assert_array_equal(product(w, x), expected)


@pytest.mark.parametrize("shape", [(1, 1), (33, 31), (64, 96), (50, 300)])
@pytest.mark.parametrize(("kernel", "layout", "bits"), widths_of_kernels())
def test_same_bits_as_the_formula(kernel: str, layout: str, bits: int, shape: tuple[int, int]) -> None:
    w = random_matrix(bits, *shape, bits, layout)
    bias = np.random.default_rng(bits).standard_normal(w.rows).astype(np.float32)
    packed_bias = np.zeros(len(w.packed_scale), np.float32)
    packed_bias[: w.rows] = bias
    for num_rows in range(0, 10):
        x = activations(num_rows, w.cols)
        with np.errstate(invalid="ignore", over="ignore"):
            expected = numpy_formulas.matmul(x, w.codes, w.scale, bias)
            unbiased = numpy_formulas.matmul(x, w.codes, w.scale, None)
        np.testing.assert_array_equal(product(w, x, packed_bias, kernel), expected)
        np.testing.assert_array_equal(product(w, x, None, kernel), unbiased)


@pytest.mark.parametrize("period", [1, 4])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("kernel", "layout", "bits"), widths_of_kernels())
def test_extreme_sums_are_exact(kernel: str, layout: str, bits: int, sign: int, period: int) -> None:
    """The most columns, every code at an extreme, one of four activations at 127 or all at 63."""
    w = random_matrix(0, 1, 1 << 17, bits, layout)
    x = np.zeros(w.codes.shape, np.float32)
    x[:, ::period] = np.where(w.codes < 0, -sign, sign)[:, ::period]
    np.testing.assert_array_equal(
        product(w, x, None, kernel), numpy_formulas.matmul(x, w.codes, w.scale, None)
    )


def test_rows_do_not_depend_on_their_neighbours() -> None:
    w = random_matrix(5, 70, 90, 4, "E")
    x = activations(9, 90)
    together = product(w, x)
    alone = np.concatenate([product(w, x[m : m + 1]) for m in range(9)])
    np.testing.assert_array_equal(together, alone)


def test_unaligned_arrays() -> None:
    """A model file that was written again may hold its arrays at any byte."""
    w = random_matrix(6, 40, 40, 3, "P")
    x = activations(3, 40)

    def shifted(a: np.ndarray) -> np.ndarray:
        raw = np.zeros(a.nbytes + 1, np.uint8)
        raw[1:] = a.reshape(-1).view(np.uint8)
        return raw[1:].view(a.dtype).reshape(a.shape)

    y = _core.packed_matmul(
        shifted(x), shifted(w.data), shifted(w.packed_codebook), shifted(w.packed_scale), None, **w.attributes
    )
    np.testing.assert_array_equal(y, product(w, x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "expected rows in [1, 16777216], received 0"),
        ({"rows": 2**40}, "expected rows in [1, 16777216], received 1099511627776"),
        ({"cols": 2**17 + 1}, "expected cols in [1, 131072], received 131073"),
        ({"bits": 9}, "expected bits of layout E in [1, 8], received 9"),
        ({"layout": "P"}, "expected bits of layout P in [1, 3], received 4"),
        ({"layout": "Q"}, 'expected layout "E" or "P", received "Q"'),
        ({"bits": 5}, "expected data of 1280 bytes for 40 x 20 at 5 bits, layout E, received 1024"),
        ({"rows": 65}, "expected data of 1536 bytes"),
        (
            {"data": np.zeros(5, np.uint8)},
            "expected data of 1024 bytes for 40 x 20 at 4 bits, layout E, received 5",
        ),
        (
            {"codebook": None},
            "expected codebook of shape (4, 16) for 40 x 20 at 4 bits, layout E, or one row for all tiles, "
            "received none",
        ),
        ({"codebook": np.zeros((4, 8), np.int8)}, "expected codebook of shape (4, 16)"),
        (
            {"codebook": np.full((4, 16), 64, np.int8)},
            "expected codebook values in [-64, 63], received 64 in tile 0",
        ),
        ({"scale": np.zeros(40, np.float32)}, "expected scale of 64 values"),
        ({"bias": np.zeros(40, np.float32)}, "expected bias of 64 values"),
        ({"x": np.zeros((3, 21), np.float32)}, "expected x of shape (3, 20), received (3, 21)"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], message: str) -> None:
    w = random_matrix(7, 40, 20, 4, "E")
    arguments: dict[str, object] = {"x": np.zeros((3, 20), np.float32), "data": w.data, "bias": None}
    arguments |= {"codebook": w.packed_codebook, "scale": w.packed_scale, **w.attributes}
    with pytest.raises(ValueError, match=re.escape(f"[packed_matmul] {message}")):
        _core.packed_matmul(**(arguments | change))


def test_codebook_refusals_of_other_widths() -> None:
    def multiply(bits: int, layout: str, codebook: np.ndarray) -> None:
        _core.packed_matmul(
            np.zeros((1, 32), np.float32),
            np.zeros(128 * bits, np.uint8),
            codebook.astype(np.int8),
            np.zeros(32, np.float32),
            None,
            rows=32,
            cols=32,
            bits=bits,
            layout=layout,
        )

    with pytest.raises(ValueError, match="expected no codebook for 32 x 32 at 8 bits"):
        multiply(8, "E", np.zeros((2, 16)))
    with pytest.raises(ValueError, match="entries that repeat after 4, received 4 at entry 4 of tile 0"):
        multiply(2, "E", np.arange(32).reshape(2, 16) % 16)
    with pytest.raises(ValueError, match=r"values in \[-64, 63\], received 80 in tile 1"):
        multiply(2, "P", np.array([[0, 1, 2], [0, 40, 40]]))
    with pytest.raises(ValueError, match=r"values in \[-127, 127\], received -128 in tile 0"):
        multiply(6, "E", np.full((2, 64), -128))
    multiply(2, "P", np.array([[0, 1, 2], [-64, 64, 63]]))


def test_every_width_has_a_plain_kernel() -> None:
    plain = {(layout, bits) for name, layout, bits in widths_of_kernels() if name.endswith("_plain")}
    assert plain == set(WIDTHS)


def test_linear_codes_bear_the_unused_index() -> None:
    """Index 0 at 7 and 8 bits is -64 and -128: a file may hold it, and every kernel must agree."""
    for kernel, layout, bits in widths_of_kernels():
        if bits < 7:
            continue
        w = random_matrix(0, 32, 32, bits, layout)
        data = np.zeros_like(w.data)
        x = np.full((1, 32), -1, np.float32)
        x[:, 1::2] = 0
        y = _core.packed_matmul(x, data, None, w.packed_scale, None, **w.attributes, kernel=kernel)
        codes = np.full((32, 32), -(2 ** (bits - 1)))
        np.testing.assert_array_equal(y, numpy_formulas.matmul(x, codes, w.scale, None))


def test_unknown_kernel_is_refused() -> None:
    w = random_matrix(0, 32, 32, 4, "E")
    x = np.zeros((1, 32), np.float32)
    for name in ("nothing", "matmul_i32_i8row_p1to3_1x16_plain"):
        with pytest.raises(ValueError, match=rf"\[packed_matmul\] expected a kernel of .* received {name}"):
            product(w, x, None, name)


def test_kernels_are_files_and_files_are_kernels() -> None:
    """Also of machines that this one is not: a file's kernel is listed beside it, under the file's name."""
    files = list(KERNELS.rglob("*_i32_i8row_*.cpp"))
    assert {*_core.matmul_kernel_names(), *_core.depthwise_kernel_names()} <= {path.stem for path in files}
    for path in files:
        assert KERNEL.fullmatch(path.stem), path.stem
        lists = [*path.parent.glob("table*.cpp"), *path.parent.glob("depthwise_kernels*.cpp")]
        listed = "".join(file.read_text() for file in lists)
        assert re.search(rf"\b{path.stem}[,}}]", listed), path.stem
        assert f'"{path.stem}"' in listed + path.read_text()


@pytest.mark.parametrize(
    "name",
    sorted(path.stem for folder in (KERNELS, KERNELS / FAMILY) for path in folder.glob("*_i32_i8row_*.cpp")),
)
def test_every_kernel_of_this_family_of_processors_is_tried(name: str) -> None:
    """The others of this file take the kernels that there are: what they leave out is listed by this one."""
    if name not in {*_core.matmul_kernel_names(), *_core.depthwise_kernel_names()}:
        pytest.skip(f"this machine cannot run {name}")
