"""A projected RNN-T that training saves is what the exporter reads: the same frames from both."""

from pathlib import Path

import numpy as np
import pytest
import torch

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter
from whit.models.checkpoint import CheckpointConfig, StreamingConfig, load_checkpoint, save_checkpoint
from whit.models.quantizers import QuantizationRule, apply_quantization, quantizers_of
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig

CONFIG = RnntConfig(
    num_mels=5, stack=2, pre_layers=1, time_reduction=2, post_layers=2, encoder_hidden=9, projection=6,
    layer_norm=True, residual=True, embedding=7, predictor_hidden=6, joint_hidden=8,
)  # fmt: skip


@pytest.mark.parametrize("bits", [None, 8, 5])
def test_torch_and_the_interpreter_agree(tmp_path: Path, bits: int | None) -> None:
    model = Rnnt(CONFIG, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())  # what a checkpoint holds
    if bits is not None:
        apply_quantization(
            model, [("*", QuantizationRule(scheme="gq" if bits == 5 else "linear", bits=bits))]
        )
        assert "encoder.lstm.2.weight_hr" in {place.name for place in quantizers_of(model)}
    described = CheckpointConfig(
        name="t", model=CONFIG, tokens=("▁a", "b", "c", "d"), streaming=StreamingConfig(chunk_ms=40)
    )
    save_checkpoint(tmp_path / "c", model.eval(), described)
    features = torch.randn(1, 24, 5)
    with torch.no_grad():
        encoded, (h, c) = model.encode(features)
        again, _ = load_checkpoint(tmp_path / "c")[0].encode(features)
    torch.testing.assert_close(again, encoded, rtol=0, atol=0)
    assert h.shape == (3, 1, 6) and c.shape == (3, 1, 9)
    arithmetic = FloatArithmetic() if bits is None else ExactArithmetic()
    interpreter = Interpreter(read_checkpoint(tmp_path / "c"), arithmetic)
    ours, *states = interpreter.encode(features[0].numpy(), *interpreter.encoder_state())
    # Float: six steps of sums of up to 20 terms of order 1: 6 * 20 * 2^-24 = 7e-6, carried on by the state.
    # Quantized: torch's sigmoid and tanh differ in their last bits, which may move an activation by a code.
    atol = 1e-4 if bits is None else 0.05
    np.testing.assert_allclose(ours, encoded[0].numpy(), rtol=0, atol=atol)
    for a, b in zip(states, (h[:, 0], c[:, 0]), strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=atol)
