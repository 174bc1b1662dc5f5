"""GQ and additive quantizers: stored form, ranges, knobs, post-training quality."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from weight_distributions import LLOYD_DB, draw

from whit.models.quantizers import QuantizationError, build
from whit.models.quantizers.annealing import AnnealingSchedule
from whit.models.quantizers.code_range import check_distinct, code_range, separate
from whit.models.quantizers.companding import MU_BY_BITS, expand
from whit.models.quantizers.row_groups import group_of_rows, num_tiles, packed_row

SCHEMES = [("gq", bits) for bits in range(1, 7)] + [("planes", bits) for bits in range(1, 4)]
SHAPES = [(1, 1, "plain"), (33, 31, "plain"), (20, 7, "lstm"), (48, 65, "lstm")]


def weights(rows: int, cols: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rows * 100 + cols)
    weight = torch.randn(rows, cols, generator=generator) * torch.logspace(-2, 1, rows)[:, None]
    if rows > 2:
        weight[rows // 2] = 0
    return weight


def sqnr_db(weight: torch.Tensor, quantized: torch.Tensor) -> float:
    error = (weight - quantized.detach()).square().sum()
    return float(10 * torch.log10(weight.square().sum() / error))


def drift(quantizer: torch.nn.Module, amount: float) -> None:
    """Moves every trained parameter, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in quantizer.parameters():
            parameter += amount * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("groups", ["matrix", "tile"])
@pytest.mark.parametrize("scale", ["learned", "rms", "max"])
@pytest.mark.parametrize("scheme, bits", SCHEMES)
def test_hard_form_equals_eval_and_final_training_forward_exactly(scheme, bits, scale, groups):
    for rows, cols, order in SHAPES:
        weight = weights(rows, cols)
        options = {"scale": scale, "groups": groups}
        quantizer = build(scheme, bits, rows=rows, cols=cols, row_order=order, options=options)
        quantizer.initialize(weight)
        for amount in (0.0, 0.05):
            drift(quantizer, amount)
            stored = quantizer.harden(weight)
            assert stored.index.dtype == torch.uint8 and stored.index.shape == weight.shape
            assert stored.scale.dtype == torch.float32 and stored.scale.shape == (rows,)
            assert stored.codebook is not None and stored.codebook.dtype == torch.int8
            tiles = num_tiles(rows, order) if groups == "tile" else 1
            assert stored.codebook.shape == (tiles, 1 << bits)
            assert int(stored.index.max()) < 1 << bits
            lowest, highest = (-64, 63) if bits <= 4 else (-127, 127)
            assert lowest <= int(stored.codebook.min()) and int(stored.codebook.max()) <= highest
            check_distinct(stored.codebook.float())
            # The stored form spelled out, group by group, against the forward pass.
            group = group_of_rows(rows, groups=tiles, order=order)
            spelled = stored.scale[:, None] * stored.codebook[group[:, None], stored.index.long()].float()
            assert torch.equal(spelled, quantizer.eval()(weight))
            assert torch.equal(spelled, stored.dequantize())
            quantizer.train().set_progress(1.0)
            assert torch.equal(spelled, quantizer(weight))
            quantizer.set_progress(0.0)


@pytest.mark.parametrize("scheme, bits", SCHEMES)
@pytest.mark.parametrize("progress", [0.3, 0.9])
def test_gradients_reach_weights_centroids_and_scales(scheme, bits, progress):
    weight = weights(20, 33)[:8].requires_grad_()
    quantizer = build(scheme, bits, rows=8, cols=33, options={"hard_from": 0.5})
    quantizer.initialize(weight.detach())
    quantizer.train().set_progress(progress)
    quantizer(weight).square().sum().backward()
    assert float(weight.grad.abs().sum()) > 0
    for name, parameter in quantizer.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name
    if scheme == "gq" and bits <= 3:
        assert bool((quantizer.centroids.grad != 0).all())


def test_hard_gradients_are_those_of_fixed_assignments():
    weight = weights(4, 9)[:2].requires_grad_()
    quantizer = build("gq", 2, rows=2, cols=9)
    quantizer.initialize(weight.detach())
    quantizer.train().set_progress(1.0)
    upstream = torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
    quantized = quantizer(weight)
    quantized.backward(upstream)
    # The scale divides and multiplies: two roundings of 2^-24, and one of the division's slope.
    torch.testing.assert_close(weight.grad, upstream, rtol=1e-6, atol=0)
    # d/d log(s) of s * code is s * code itself.
    expected = (upstream * quantized.detach()).sum(1)
    torch.testing.assert_close(quantizer.log_scale.grad, expected, rtol=1e-5, atol=1e-5)


def test_soft_forward_approaches_the_hard_one():
    weight = weights(16, 64)
    quantizer = build("gq", 3, rows=16, cols=64, options={"start": 1.0, "end": 256.0, "hard_from": 1.0})
    quantizer.initialize(weight)
    hard = quantizer.eval()(weight)
    quantizer.train()
    gaps = []
    for progress in (0.0, 0.25, 0.5, 0.75, 0.99):
        quantizer.set_progress(progress)
        gaps.append(float(((quantizer(weight) - hard).norm() / hard.norm()).detach()))
    assert gaps == sorted(gaps, reverse=True)
    # At sharpness 242 only weights within some 1/250 of a step of a boundary differ, by half a step.
    assert gaps[-1] < 0.05 < gaps[0]


def test_quantization_frequency_skips_soft_steps_only():
    weight = weights(4, 8)
    quantizer = build("gq", 2, rows=4, cols=8, options={"every": 3, "hard_from": 0.5})
    quantizer.initialize(weight)
    quantizer.train()
    as_is = []
    for _ in range(7):
        quantizer.set_progress(0.1)
        as_is.append(torch.equal(quantizer(weight), weight))
    assert as_is == [True, True, False, True, True, False, True]
    for _ in range(3):
        quantizer.set_progress(0.6)
        assert not torch.equal(quantizer(weight), weight)
    quantizer.set_progress(0.1)
    assert not torch.equal(quantizer.eval()(weight), weight)


def test_state_resumes_at_the_same_step():
    weight = weights(8, 12)
    first = build("gq", 2, rows=8, cols=12, options={"every": 2})
    first.initialize(weight)
    for step in range(5):
        first.set_progress(step / 10)
    second = build("gq", 2, rows=8, cols=12, options={"every": 2})
    second.load_state_dict(first.state_dict())
    for quantizer in (first, second):
        quantizer.train().set_progress(0.5)
    assert torch.equal(first(weight), second(weight))
    assert not torch.equal(first(weight), weight)


@pytest.mark.parametrize(
    "knob", [{"mix": "companded"}, {"distance": "l2"}, {"mu": 0.0}, {"init": "linspace"}]
)
def test_knobs_change_the_way_and_not_the_goal(knob):
    weight = weights(8, 40)
    plain, other = (
        build("gq", 3, rows=8, cols=40, options={"hard_from": 1.0, "start": 4.0, "end": 2e4, **k})
        for k in ({}, knob)
    )
    for quantizer in (plain, other):
        quantizer.initialize(weight)
        quantizer.train().set_progress(0.0)
    assert not torch.equal(plain(weight), other(weight))
    other.set_progress(0.999)
    soft = other(weight)
    # 320 weights at sharpness 2e4: none is within 1e-3 steps of a boundary for this seed.
    torch.testing.assert_close(soft, other.eval()(weight), rtol=1e-3, atol=1e-3 * float(weight.abs().max()))


@pytest.mark.parametrize("bits", range(1, 7))
def test_even_centroids_stay_apart_when_rounded(bits):
    allowed = code_range(bits)
    spread = torch.linspace(-1, 1, 1 << bits, dtype=torch.float64)
    codes = (expand(spread, MU_BY_BITS[bits]) * allowed.unit).round()[None]
    check_distinct(codes)
    assert torch.equal(separate(codes, allowed), codes)


def test_a_large_mu_makes_neighbours_collide():
    codes = (expand(torch.linspace(-1, 1, 64), 255.0) * 127).round()[None]
    with pytest.raises(QuantizationError, match="64 different values"):
        check_distinct(codes)


@settings(max_examples=100)
@given(bits=st.integers(1, 6), spread=st.floats(0, 300), seed=st.integers(0, 2**16))
def test_separated_codes_ascend_inside_the_range(bits, spread, seed):
    allowed = code_range(bits)
    generator = torch.Generator().manual_seed(seed)
    codes = (torch.randn(3, 1 << bits, generator=generator) * spread).round().sort(-1).values
    apart = separate(codes, allowed)
    assert bool((apart.diff(dim=-1) >= 1).all())
    assert bool((apart >= allowed.lowest).all()) and bool((apart <= allowed.highest).all())
    if bool((codes.diff(dim=-1) >= 1).all() and (codes.abs() <= allowed.unit).all()):
        assert torch.equal(apart, codes)


def test_collapsed_centroids_are_repaired_or_refused():
    weight = weights(4, 16)
    for duplicates in ("repair", "reject"):
        quantizer = build("gq", 4, rows=4, cols=16, options={"duplicates": duplicates})
        quantizer.initialize(weight)
        with torch.no_grad():
            quantizer.centroids[:, 3:9] = 0.1
        if duplicates == "repair":
            check_distinct(quantizer.harden(weight).codebook.float())
        else:
            with pytest.raises(QuantizationError, match=r"\[codebook 0\] expected 16 different values"):
                quantizer.harden(weight)


@pytest.mark.parametrize("scheme", ["gq", "planes"])
def test_non_finite_weights_are_refused(scheme):
    weight = weights(4, 16)
    quantizer = build(scheme, 2, rows=4, cols=16)
    quantizer.initialize(weight)
    weight[0, 0] = float("inf")
    for call in (quantizer.harden, quantizer.initialize):
        with pytest.raises(QuantizationError, match="1 NaN or infinite"):
            call(weight)


@pytest.mark.parametrize(
    "scheme, bits, options, message",
    [
        ("gq", 7, {}, "1 to 6 bits"),
        ("planes", 4, {}, "1 to 3 bits"),
        ("gq", 4, {"alpha": 3}, "option alpha"),
        ("planes", 2, {"duplicates": "reject"}, "option duplicates"),
        ("gq", 4, {"duplicates": "keep"}, "received 'keep'"),
        ("gq", 4, {"scale": "mean"}, r"\[scale\].*'mean'"),
        ("gq", 4, {"groups": "row"}, r"\[groups\].*'row'"),
        ("gq", 4, {"mu": -1.0}, r"\[mu\]"),
        ("gq", 4, {"start": 9.0, "end": 3.0}, "start=9.0"),
        ("gq", 4, {"hard_from": 1.5}, "hard_from"),
        ("gq", 4, {"every": 0}, "every >= 1"),
        ("gq", 4, {"start": "8"}, r"\[gq\] expected start of type float, received '8'"),
        ("gq", 4, {"end": [64.0]}, "expected end of type float"),
        ("gq", 4, {"every": True}, "expected every of type int"),
        ("gq", 4, {"mu": "big"}, r"expected mu of type float \| None"),
        ("planes", 2, {"scale": 3}, r"expected scale of type Literal\['learned', 'rms', 'max'\]"),
    ],
)
def test_bad_knobs_are_refused(scheme, bits, options, message):
    with pytest.raises(QuantizationError, match=message):
        build(scheme, bits, rows=4, cols=4, options=options)


def test_schedule_is_geometric_then_hard():
    schedule = AnnealingSchedule(start=1, end=64, hard_from=0.6)
    assert schedule.sharpness(0.0) == 1
    assert schedule.sharpness(0.3) == pytest.approx(8)
    assert schedule.sharpness(0.6) == pytest.approx(64)
    assert [schedule.is_hard(p) for p in (0.0, 0.59, 0.6, 1.0)] == [False, False, True, True]


def test_packed_rows_interleave_gates_and_tiles_include_padding():
    # 5 units: unit 4 starts the second tile, and 2 tiles make a super-tile.
    assert packed_row(20, "lstm").tolist() == [
        0,
        1,
        2,
        3,
        16,
        4,
        5,
        6,
        7,
        20,
        8,
        9,
        10,
        11,
        24,
        12,
        13,
        14,
        15,
        28,
    ]
    assert [num_tiles(rows, "plain") for rows in (1, 32, 33)] == [2, 2, 4]
    assert [num_tiles(rows, "lstm") for rows in (20, 36)] == [2, 4]
    with pytest.raises(QuantizationError, match="21 rows"):
        packed_row(21, "lstm")


def test_tiles_have_their_own_codebooks():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 80, generator=generator)
    weight[packed_row(64, "lstm") < 16] **= 3  # the first tile's distribution has heavier tails
    errors = {}
    for groups in ("matrix", "tile"):
        quantizer = build("gq", 3, rows=64, cols=80, row_order="lstm", options={"groups": groups})
        quantizer.initialize(weight)
        errors[groups] = sqnr_db(weight, quantizer.eval()(weight))
    # The heavy tile holds most of the power, so a shared fit already leans to it.
    assert errors["tile"] > errors["matrix"] + 0.2


@pytest.mark.parametrize("distribution", LLOYD_DB)
def test_post_training_centroids_come_near_lloyd_max(distribution):
    weight = draw(distribution, 256 * 300, seed=7).view(256, 300) * torch.linspace(0.1, 2, 256)[:, None]
    for bits, best in LLOYD_DB[distribution].items():
        quantizer = build("gq", bits, rows=256, cols=300)
        quantizer.initialize(weight)
        # Below: 0.1 dB for int8 centroids, 0.1 for cells cut in companded space, 0.1 for one codebook over
        # rows of differing shape. Above is possible: each row's scale fits its own 300 weights.
        assert sqnr_db(weight, quantizer.eval()(weight)) > best - 0.3


def test_wide_codes_are_much_better_than_uniform_ones():
    weight = draw("laplace", 128 * 300, seed=7).view(128, 300)
    for bits in (4, 5, 6):
        found = {}
        for scheme in ("linear", "gq"):
            quantizer = build(scheme, bits, rows=128, cols=300)
            quantizer.initialize(weight)
            found[scheme] = sqnr_db(weight, quantizer.eval()(weight))
        assert found["gq"] > found["linear"] + 2.0


@pytest.mark.parametrize(
    "options",
    [{"start": 2.0}, {"end": 99.0}, {"every": 4}, {"distance": "l2"}, {"mix": "companded"}],
    ids=lambda options: next(iter(options)),
)
def test_options_of_a_soft_phase_that_there_is_none_of_are_refused(options: dict[str, object]) -> None:
    build("gq", 2, rows=16, cols=8, options=options)
    with pytest.raises(QuantizationError, match=f"received 0 and {next(iter(options))}"):
        build("gq", 2, rows=16, cols=8, options={**options, "hard_from": 0.0})


@pytest.mark.parametrize("options", [{"end": float("inf")}, {"mu": 1e7}, {"mu": float("nan")}])
def test_options_that_no_float_holds_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(QuantizationError, match="expected"):
        build("gq", 2, rows=16, cols=8, options=options)
