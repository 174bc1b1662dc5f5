"""The closed form of the annealed assignment against its definition, and the memory it needs."""

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whit.models.quantizers.companding import compand, compand_slope, expand, midpoints
from whit.models.quantizers.soft_assignment import hard_values, soft_values, soft_values_direct


def grid(bits: int, groups: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns float64 centroids that are unevenly spaced, and unrelated values."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.linspace(-1, 1, 1 << bits, dtype=torch.float64).repeat(groups, 1)
    centers = (centers + torch.randn(centers.shape, generator=generator) * 0.3 / (1 << bits)).sort(-1).values
    return centers, torch.randn(centers.shape, generator=generator, dtype=torch.float64)


@settings(max_examples=60)
@given(
    bits=st.integers(1, 6),
    groups=st.integers(1, 3),
    sharpness=st.floats(0.05, 200),
    mu=st.sampled_from([0.0, 0.5, 4.0, 255.0]),
    seed=st.integers(0, 2**16),
)
def test_closed_form_is_the_softmax_with_its_gradients(bits, groups, sharpness, mu, seed):
    centers, values = grid(bits, groups, seed)
    x = torch.randn(groups, 37, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    alpha = sharpness * ((1 << bits) - 1) / 2
    upstream = torch.randn(groups, 37, generator=torch.Generator().manual_seed(seed + 2), dtype=torch.float64)
    results = []
    for form in ("gaps", "direct"):
        leaves = [t.clone().requires_grad_() for t in (x, centers, values)]
        if form == "gaps":
            out = soft_values(*leaves, alpha=alpha, mu=mu, boundaries=expand(leaves[1], mu))
        else:
            out = soft_values_direct(*leaves, alpha=alpha, mu=mu, distance="l1")
        results.append((out.detach(), *torch.autograd.grad(out, leaves, upstream)))
    # Logits reach 2 alpha |u| < 126000, where doubles are 3e-11 apart; gradients are alpha times larger.
    tolerances = (1e-9, 1e-9 * max(1.0, alpha), 1e-9 * max(1.0, alpha), 1e-9)
    for gaps, direct, tolerance in zip(*results, tolerances, strict=True):
        torch.testing.assert_close(gaps, direct, rtol=1e-7, atol=tolerance)


@settings(max_examples=40)
@given(bits=st.integers(1, 6), sharpness=st.floats(0.5, 64), seed=st.integers(0, 2**16))
def test_single_precision_error_is_bounded(bits, sharpness, seed):
    centers, _ = grid(bits, 1, seed)
    values = expand(centers, 4.0)
    x = torch.rand(1, 257, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2.4 - 1.2
    alpha = sharpness * ((1 << bits) - 1) / 2
    exact = soft_values_direct(x, centers, values, alpha=alpha, mu=4.0, distance="l1")
    got = soft_values(
        x.float(),
        centers.float(),
        values.float(),
        alpha=alpha,
        mu=4.0,
        boundaries=expand(centers, 4.0).float(),
    )
    # The sigmoid's argument, below 4 alpha, carries 4 roundings of 2^-24 of it; its slope is at most 1/4 of
    # the span of one gap, which is under 4 steps; the sums over K carry K roundings.
    step = float((values[0, 1:] - values[0, :-1]).max())
    bound = 4 * alpha * 4 * 2**-24 * step + (1 << bits) * 2**-22
    assert float((got.double() - exact).abs().max()) <= bound


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_direct_form_does_not_depend_on_blocks(distance, monkeypatch):
    centers, values = grid(3, 2, 5)
    x = torch.randn(2, 101, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    whole = soft_values_direct(x, centers, values, alpha=9.0, mu=2.0, distance=distance)
    gaps = soft_values(x, centers, values, alpha=9.0, mu=2.0, boundaries=expand(centers, 2.0))
    monkeypatch.setattr("whit.models.quantizers.soft_assignment.BLOCK_WEIGHTS", 48)
    torch.testing.assert_close(
        soft_values_direct(x, centers, values, alpha=9.0, mu=2.0, distance=distance),
        whole,
        rtol=0,
        atol=1e-12,
    )
    torch.testing.assert_close(
        soft_values(x, centers, values, alpha=9.0, mu=2.0, boundaries=expand(centers, 2.0)),
        gaps,
        rtol=0,
        atol=0,
    )


# Evenly spaced centroids, u uniform on [-1, 1]: mean |soft - hard| / Delta and entropy in bits by sharpness.
SOFTNESS = {
    5: {1: (0.261, 2.37), 2: (0.218, 1.45), 4: (0.157, 0.684), 8: (0.086, 0.300), 16: (0.043, 0.148),
        32: (0.022, 0.074), 64: (0.011, 0.037)},
    1: {1: (0.380, None), 2: (0.283, None), 4: (0.169, None), 8: (0.087, None), 16: (0.043, None),
        32: (0.022, None), 64: (0.011, None)},
}  # fmt: skip


@pytest.mark.parametrize("bits", SOFTNESS)
def test_soft_becomes_hard_as_sharpness_grows(bits):
    k = 1 << bits
    delta = 2 / (k - 1)
    u = torch.linspace(-1, 1, 20001, dtype=torch.float64)[None]
    centers = torch.linspace(-1, 1, k, dtype=torch.float64)[None]
    hard = hard_values(u, centers, midpoints(centers, 0.0), slope=1.0)
    for sharpness, (gap, entropy_bits) in SOFTNESS[bits].items():
        alpha = sharpness / delta
        soft = soft_values(u, centers, centers, alpha=alpha, mu=0.0, boundaries=centers)
        # The figures have three digits; the grid of u adds less than 1e-4.
        assert float((soft - hard).abs().mean()) / delta == pytest.approx(gap, abs=6e-4)
        if entropy_bits is not None:
            a = (-alpha * (u[0, :, None] - centers).abs()).softmax(-1)
            entropy = float(-(a * a.clamp(min=1e-300).log2()).sum(-1).mean())
            assert entropy == pytest.approx(entropy_bits, abs=6e-3)
    if bits == 1:
        top = soft_values(u[:, -1:], centers, centers, alpha=0.5, mu=0.0, boundaries=centers)
        assert float(top) == pytest.approx(
            0.462, abs=5e-4
        )  # tanh(1/2): the soft output shrinks at low sharpness


def test_hard_gradients_are_straight_through_and_by_cell():
    values = torch.tensor([[-3.0, 1.0, 5.0]], requires_grad=True)
    x = torch.tensor([[-9.0, 0.1, 0.2, 0.9]], requires_grad=True)
    out = hard_values(x, values, torch.tensor([[0.0, 0.5]]), slope=63.0)
    assert out.tolist() == [[-3.0, 1.0, 1.0, 5.0]]
    out.backward(torch.tensor([[1.0, 10.0, 100.0, 1000.0]]))
    assert values.grad.tolist() == [[1.0, 110.0, 1000.0]]
    assert x.grad.tolist() == [[63.0, 630.0, 6300.0, 63000.0]]


@settings(max_examples=50)
@given(x=st.floats(-3, 3), mu=st.sampled_from([0.0, 0.5, 4.0, 255.0]))
def test_companding_inverts_and_its_slope_is_its_derivative(x, mu):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    u = compand(x, mu)
    # expand grows e^|u| like: errors of u are multiplied by at most (1 + mu |x|) ln(1 + mu) / mu.
    plain = x.detach()
    assert float(expand(u.detach(), mu)) == pytest.approx(float(plain), abs=1e-12)
    if abs(float(plain)) > 1e-6:
        u.backward()
        assert float(compand_slope(plain, mu)) == pytest.approx(float(x.grad), rel=1e-9)


MEMORY_PROBE = """
import json, resource, torch
from whit.models.quantizers import build
torch.set_num_threads(1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
weight = torch.nn.Parameter(torch.randn(4096, 2048))
quantizer = build("gq", 6, rows=4096, cols=2048, row_order="lstm", options={"scale": "rms"})
before = peak()
quantizer.set_progress(0.3)
quantizer(weight).sum().backward()
print(json.dumps({"grew_kib": peak() - before, "moved": float(weight.grad.abs().sum())}))
"""


def test_memory_does_not_grow_with_the_number_of_centroids():
    probe = subprocess.run([sys.executable, "-c", MEMORY_PROBE], capture_output=True, text=True, check=True)
    result = json.loads(probe.stdout)
    assert result["moved"] > 0
    # A float copy of the matrix is 32 MiB: normalised weights, output, product, and gradients of each make 8.
    # All 64 soft assignments of all weights would be 64 copies for the forward pass alone.
    assert result["grew_kib"] <= 8 * 32 * 1024
