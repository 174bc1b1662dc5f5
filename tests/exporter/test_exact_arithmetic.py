"""The vectorised arithmetic against docs/format.md written as loops over scalars."""

import numpy as np
import pytest
from random_checkpoint import STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import NotQuantizedError
from whit.exporter.exact_arithmetic import ExactArithmetic, quantize_rows
from whit.exporter.exact_functions import sigmoid, tanh

F = np.float32
MATRIX = "joint.encoder.weight"


def quantize_scalar(row):
    a = [F(v) for v in row] + [F(0)] * (-len(row) % 4)
    amax = max(abs(v) for v in a)
    gmax = max((abs(a[g]) + abs(a[g + 1])) + (abs(a[g + 2]) + abs(a[g + 3])) for g in range(0, len(a), 4))
    s = max(F(amax / F(127)), F(gmax / F(253)))
    if s < F(2.0**-126):
        return F(0), [0] * len(row)
    inverse = F(1) / s
    return s, [int(np.rint(F(v) * inverse)) for v in row]


@pytest.mark.parametrize("cols", [1, 3, 4, 31, 33])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_rows_are_quantized_by_the_formula(cols, size):
    a = (np.random.default_rng(cols).normal(0, size, (5, cols))).astype(F)
    a[3] = 0
    s, q = quantize_rows(a)
    for m in range(5):
        expected_s, expected_q = quantize_scalar(a[m])
        assert s[m] == expected_s
        np.testing.assert_array_equal(q[m], expected_q)
    padded = np.pad(np.abs(q), ((0, 0), (0, -cols % 4)))
    assert np.abs(q).max() <= 127 and padded.reshape(5, -1, 4).sum(axis=2).max() <= 255


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_broken_row_gives_only_nan(tmp_path, bad):
    matrix = read_checkpoint(random_checkpoint().write(tmp_path)).matrices[MATRIX]
    x = np.ones((3, 13), F)
    x[1, :3] = bad  # 3e38 is finite, its group sum is not
    y = ExactArithmetic().linear(x, matrix, None).value
    assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2]]).all()


@pytest.mark.parametrize(
    "scheme", [Scheme("linear", 8), Scheme("linear", 5), Scheme("codebook", 3, per_tile=True)]
)
def test_products_are_exact_and_rounded_in_order(tmp_path, scheme):
    checkpoint = read_checkpoint(random_checkpoint(schemes=scheme).write(tmp_path))
    matrix, bias = checkpoint.matrices[MATRIX], checkpoint.vectors["joint.encoder.bias"]
    codes = matrix.codes().astype(int)
    x = np.random.default_rng(0).normal(0, 1, (2, 13)).astype(F)
    y = ExactArithmetic().linear(x, matrix, bias).value
    for m in range(2):
        s, q = quantize_scalar(x[m])
        for r in range(17):
            acc = sum(q[k] * int(codes[r, k]) for k in range(13))
            assert y[m, r] == F(acc) * (s * matrix.scale[r]) + bias[r]


def test_wide_products_stay_exact(tmp_path):
    """2,500 columns of extreme 8-bit codes pass 2^24, where float32 sums would round."""
    model = {**STATELESS_MODEL, "context": 2, "embedding": 1250}
    data = random_checkpoint(model)
    data.tensors["predictor.linear.weight.index"][:] = 255
    matrix = read_checkpoint(data.write(tmp_path)).matrices["predictor.linear.weight"]
    x = np.ones((1, 2500), F)
    x[0, 0] = 1.004
    s, q = quantize_scalar(x[0])
    acc = 127 * sum(q)
    assert acc > 1 << 24
    y = ExactArithmetic().linear(x, matrix, None).value
    np.testing.assert_array_equal(y[0], F(acc) * (s * matrix.scale))


def test_lstm_steps_are_the_written_ones(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint().write(tmp_path))
    name, exact, random = "encoder.lstm.2", ExactArithmetic(), np.random.default_rng(3)
    w, r = checkpoint.matrices[f"{name}.weight_ih"], checkpoint.matrices[f"{name}.weight_hh"]
    bias_ih, bias_hh = checkpoint.vectors[f"{name}.bias_ih"], checkpoint.vectors[f"{name}.bias_hh"]
    x = random.normal(0, 1, (3, 13)).astype(F)
    h0, c0 = random.uniform(-1, 1, (2, 1, 13)).astype(F)
    y, h_last, c_last = exact.lstm(x, h0, c0, w=w, r=r, bias_ih=bias_ih, bias_hh=bias_hh)
    h, c = h0, c0
    for t in range(3):
        wx = exact.linear(x[t : t + 1], w, bias_ih + bias_hh).value[0]
        pre = wx + exact.linear(h, r, None).value[0]
        gate = pre.reshape(4, 13)
        c = (sigmoid(gate[1]) * c[0] + sigmoid(gate[0]) * tanh(gate[2]))[None]
        h = (sigmoid(gate[3]) * tanh(c[0]))[None]
        np.testing.assert_array_equal(y.value[t], h[0])
    np.testing.assert_array_equal(h_last.value, h)
    np.testing.assert_array_equal(c_last.value, c)


def test_unknown_tokens_embed_as_zeros(tmp_path):
    table = read_checkpoint(random_checkpoint().write(tmp_path)).matrices["predictor.embedding.weight"]
    tokens = np.array([-1, 0, 3, 4, 1 << 30], np.int32)
    rows = ExactArithmetic().embedding(tokens, table).value
    assert not rows[[0, 3, 4]].any() and rows[[1, 2]].any(axis=1).all()
    np.testing.assert_array_equal(rows[2], table.scale[3] * table.codes()[3].astype(F))


def test_relu_keeps_nan_and_gives_plus_zero():
    a = np.array([[-1.0, np.nan, 2.0, -0.0]], F)
    y = ExactArithmetic().add_relu(a, np.zeros((1, 4), F)).value
    assert np.isnan(y[0, 1]) and y[0, 2] == 2 and not np.signbit(y[0, [0, 3]]).any()


def test_a_float_matrix_has_no_exact_arithmetic():
    with pytest.raises(NotQuantizedError):
        ExactArithmetic().linear(np.ones((1, 2), F), np.ones((3, 2), F), None)
