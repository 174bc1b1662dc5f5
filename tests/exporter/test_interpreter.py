import numpy as np
import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, Scheme, random_checkpoint

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter, stack


def interpreter_of(tmp_path, model=LSTM_MODEL, arithmetic=None, schemes=Scheme("linear", 8)):  # noqa: B008
    checkpoint = read_checkpoint(random_checkpoint(model, schemes).write(tmp_path))
    return Interpreter(checkpoint, arithmetic or ExactArithmetic())


@pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["reduced", "not-reduced"])
def test_cutting_frames_into_chunks_changes_no_bit(tmp_path, model):
    interpreter = interpreter_of(tmp_path, model)
    step = model["stack"] * model["time_reduction"]
    features = np.random.default_rng(1).normal(-6, 3, (10 * step, 7)).astype(np.float32)
    whole, *state = interpreter.encode(features, *interpreter.encoder_state())
    parts, h, c = [], *interpreter.encoder_state()
    for begin, end in ((0, 1), (1, 4), (4, 10)):
        frames, h, c = interpreter.encode(features[begin * step : end * step], h, c)
        parts.append(frames)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal([h, c], state)


def test_stacking_puts_the_oldest_first():
    np.testing.assert_array_equal(
        stack(np.arange(12).reshape(6, 2), 3), [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    )


def test_a_stateless_predictor_remembers_its_context_only(tmp_path):
    interpreter = interpreter_of(tmp_path, STATELESS_MODEL)
    results = []
    for tokens in ([4, 0, 1, 2], [3, 3, 0, 1, 2], [0, 1, 2], [1, 2]):
        h, c = interpreter.predictor_state()
        for token in tokens:
            prediction, h, c = interpreter.predict(token, h, c)
        results.append(prediction)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    assert (results[2] != results[3]).any()  # the start symbol is not token 0
    np.testing.assert_array_equal(h, [[4 - 1, 4 - 2]])  # blank - id


def test_exact_and_float_arithmetic_agree_but_for_activation_rounding(tmp_path):
    exact = interpreter_of(tmp_path)
    floats = Interpreter(exact.checkpoint, FloatArithmetic())
    features = np.random.default_rng(1).normal(-6, 3, (12, 7)).astype(np.float32)
    a, b = (i.encode(features, *i.encoder_state())[0] for i in (exact, floats))
    assert 0 < np.abs(a - b).max() < 0.03 * np.abs(b).max()  # int8 activations: about 1 % of the range


def test_float_bounds_hold_for_float32_and_are_tight(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint(schemes=None).write(tmp_path))
    w, r = checkpoint.matrices["encoder.lstm.1.weight_ih"], checkpoint.matrices["encoder.lstm.1.weight_hh"]
    bias_ih, bias_hh = (
        checkpoint.vectors["encoder.lstm.1.bias_ih"],
        checkpoint.vectors["encoder.lstm.1.bias_hh"],
    )
    random = np.random.default_rng(0)
    x, h, c = (random.normal(0, 1, shape).astype(np.float32) for shape in ((2, 26), (1, 13), (1, 13)))
    results = FloatArithmetic().lstm(x, h, c, w=w, r=r, bias_ih=bias_ih, bias_hh=bias_hh)
    for row in x:
        i, f, g, o = np.split(w @ row + r @ h[0] + (bias_ih + bias_hh), 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    for result, received in zip(results[1:], (h, c), strict=True):
        assert received.dtype == np.float32
        assert (np.abs(received - result.value) <= result.bound).all()
        assert result.bound.max() < 1e-4
