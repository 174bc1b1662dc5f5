"""Attention against its formula, written frame by frame (docs/format.md, section 3: RelativeAttention)."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from whit.models import conformer_attention
from whit.models.activation import fake_quantize_rows
from whit.models.conformer_attention import RelativeAttention, Window, sinusoids
from whit.models.conformer_config import ConformerConfig
from whit.models.quantizers import QuantizationRule, apply_quantization

Array = NDArray[np.float64]


def make(**sizes: int) -> tuple[ConformerConfig, RelativeAttention]:
    config = ConformerConfig(d_model=12, heads=3, **sizes)
    attention = RelativeAttention(config, dropout=0.0).eval()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(std=0.5)
    return config, attention


def by_the_formula(config: ConformerConfig, attention: RelativeAttention, x: Array) -> Array:
    """Returns attention over frames (frames, d_model) from a stream's start, one query at a time."""
    weights = {name: t.detach().double().numpy() for name, t in attention.named_parameters()}

    def linear(name: str, rows: Array) -> Array:
        return rows @ weights[f"linear_{name}.weight"].T + weights.get(f"linear_{name}.bias", 0.0)

    def position(distance: int) -> Array:
        angles = [distance * 10000 ** (-2 * i / 12) for i in range(6)]
        return linear("pos", np.array([f(a) for a in angles for f in (math.sin, math.cos)]))

    q, k, v = (linear(role, x) for role in "qkv")
    y = np.zeros_like(q)
    for i in range(len(x)):
        first = i // config.chunk * config.chunk
        seen = range(max(first - config.left_context, 0), min(first + config.chunk, len(x)))
        for head in range(config.heads):
            c = slice(4 * head, 4 * head + 4)
            u, w = weights["pos_bias_u"][head], weights["pos_bias_v"][head]
            score = np.array([(q[i, c] + u) @ k[j, c] + (q[i, c] + w) @ position(i - j)[c] for j in seen]) / 2
            e = np.exp(score - score.max())
            y[i, c] = (e / e.sum()) @ v[list(seen), c]
    return linear("out", y)


@pytest.mark.parametrize(
    ("left", "chunk", "chunks"), [(7, 3, 6), (1, 1, 9), (2, 5, 3), (12, 4, 7), (30, 4, 2), (8, 4, 1)]
)
def test_attention_is_the_formula(left: int, chunk: int, chunks: int) -> None:
    config, attention = make(left_context=left, chunk=chunk)
    x = torch.randn(2, chunk * chunks, 12)
    cache = torch.zeros(2, left, 25)
    with torch.no_grad():
        y, _ = attention(x, cache, Window(config, cache[..., -1], x.shape[1]))
    expected = np.stack([by_the_formula(config, attention, row.double().numpy()) for row in x])
    # Sums of up to 12 terms of up to 10, four deep, and exponents of such sums: 4 * 12 * 10 * 2^-24 = 3e-5.
    np.testing.assert_allclose(y.numpy(), expected, rtol=0, atol=3e-5)


def test_the_cache_holds_the_last_keys_and_values_and_where_they_begin() -> None:
    config, attention = make(left_context=5, chunk=3)
    x, cache = torch.randn(1, 6, 12), torch.zeros(1, 5, 25)
    with torch.no_grad():
        key, value = attention.linear_k(x), attention.linear_v(x)
        _, three = attention(x[:, :3], cache, Window(config, cache[..., -1], 3))
        _, six = attention(x[:, 3:], three, Window(config, three[..., -1], 3))
    assert three[0, :, -1].tolist() == [0, 0, 1, 1, 1]
    assert not three[0, :2].any()
    assert six[0, :, -1].tolist() == [1, 1, 1, 1, 1]
    # The same products of rows as a whole and in parts: at most another order of 12 terms.
    torch.testing.assert_close(six[0, :, :12], key[0, 1:], rtol=0, atol=1e-5)
    torch.testing.assert_close(six[0, :, 12:24], value[0, 1:], rtol=0, atol=1e-5)


def test_what_a_cache_without_frames_holds_does_not_matter() -> None:
    config, attention = make(left_context=5, chunk=3)
    x = torch.randn(1, 3, 12)
    empty = torch.zeros(1, 5, 25)
    full = torch.cat((torch.randn(1, 5, 24), torch.zeros(1, 5, 1)), -1)
    with torch.no_grad():
        a, b = (attention(x, cache, Window(config, cache[..., -1], 3))[0] for cache in (empty, full))
    torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("quantized", [False, True])
def test_positions_are_rounded_where_queries_are_quantized(
    quantized: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, attention = make(left_context=5, chunk=3)
    if quantized:
        apply_quantization(attention, [("linear_q.weight", QuantizationRule(scheme="linear", bits=8))])
    x, cache = torch.randn(1, 6, 12), torch.zeros(1, 5, 25)
    plain, _ = attention(x, cache, Window(config, cache[..., -1], 6))
    monkeypatch.setattr(conformer_attention, "fake_quantize_rows", lambda rows: rows)
    unrounded, _ = attention(x, cache, Window(config, cache[..., -1], 6))
    attention.linear_pos.register_forward_hook(lambda module, inputs, p: fake_quantize_rows(p))
    rounded, _ = attention(x, cache, Window(config, cache[..., -1], 6))
    torch.testing.assert_close(plain, rounded if quantized else unrounded, rtol=0, atol=0)
    assert (rounded - unrounded).abs().max() > 1e-3
    (gradient,) = torch.autograd.grad(plain.sum(), attention.linear_pos.weight)
    assert gradient.abs().max() > 1e-3


def test_sinusoids_interleave_sines_and_cosines() -> None:
    table = sinusoids(torch.tensor([0, 3, -3]), 4)
    expected = [[0, 1, 0, 1], [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]]
    # One rounding of the angle, one of the sine: 2^-23.
    torch.testing.assert_close(table[:2], torch.tensor(expected, dtype=torch.float32), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(table[2, 0::2], -table[1, 0::2], rtol=0, atol=0)
    torch.testing.assert_close(table[2, 1::2], table[1, 1::2], rtol=0, atol=0)
