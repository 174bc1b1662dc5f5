"""What training saves is what the exporter reads: the same frames from torch and the interpreter."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.exact_arithmetic import ExactArithmetic
from whit.exporter.float_arithmetic import FloatArithmetic
from whit.exporter.interpreter import Interpreter
from whit.models.checkpoint import CheckpointConfig, StreamingConfig, save_checkpoint
from whit.models.conformer_config import ConformerConfig
from whit.models.quantizers import QuantizationRule, apply_quantization
from whit.models.rnnt import Rnnt

CONFIG = ConformerConfig(
    num_mels=13, conv_channels=5, time_reduction=2, layers=2, d_model=12, heads=3, kernel_size=4,
    left_context=5, chunk=3, embedding=8, predictor_hidden=8, joint_hidden=12,
)  # fmt: skip


@pytest.mark.parametrize("norm", ["layer_norm", "batch_norm"])
@pytest.mark.parametrize("bits", [None, 8])
def test_torch_and_the_interpreter_agree(tmp_path: Path, norm: str, bits: int | None) -> None:
    config = replace(CONFIG, norm=norm)
    model = Rnnt(config, 4)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith(("pos_bias_u", "pos_bias_v", "running_mean", "feature_mean")):
                tensor.normal_()
            elif name.endswith(("running_var", "feature_std")):
                tensor.uniform_(0.5, 2)
            tensor.copy_(tensor.half().float())  # what a checkpoint holds
    if bits is not None:
        apply_quantization(model, [("*", QuantizationRule(scheme="linear", bits=bits))])
    streaming = StreamingConfig(chunk_ms=10 * config.frame_multiple)
    described = CheckpointConfig(name="t", model=config, tokens=("▁a", "b", "c", "d"), streaming=streaming)
    save_checkpoint(tmp_path / "c", model.eval(), described)
    features = torch.randn(1, 4 * config.frame_multiple, 13)
    with torch.no_grad():
        encoded, state = model.encode(features)
    arithmetic = FloatArithmetic() if bits is None else ExactArithmetic()
    interpreter = Interpreter(read_checkpoint(tmp_path / "c"), arithmetic)
    ours, *states = interpreter.encode(features[0].numpy(), *interpreter.encoder_state())
    # Float: twenty layers of sums of up to 60 terms of order 1: 20 * 60 * 2^-24 = 7e-5. Quantized: torch's
    # sigmoids and attention differ in their last bits, which may move an activation by a 127th of its row.
    atol = 1e-4 if bits is None else 0.05
    np.testing.assert_allclose(ours, encoded[0].numpy(), rtol=0, atol=atol)
    attention, convolution, subsampling = state
    theirs = [attention[:, 0], convolution[:, 0], *(part[0] for part in subsampling)]
    for a, b in zip(states, theirs, strict=True):
        np.testing.assert_allclose(a.reshape(b.shape), b.numpy(), rtol=0, atol=atol)
