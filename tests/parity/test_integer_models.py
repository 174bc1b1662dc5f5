"""A float model made integer-only: what torch simulates is what the exporter reads and computes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_ctc import SHAPES, tiny_config, tiny_model

from whit.exporter.ctc_checkpoint import read_ctc_checkpoint
from whit.exporter.interpret_integer import interpret_integer
from whit.models.integer.inputs import noise_batches
from whit.models.integer.quantize import IntegerConfig, make_integer, save_integer_model
from whit.models.integer.simulate import SimulatedModel
from whit.models.integer.synthesize import SynthesisConfig
from whit.models.integer.weights import WeightConfig

NOISE = SynthesisConfig(batches=3, batch_size=2, frames=40)


@pytest.mark.parametrize(("bits", "activation_bits"), [(8, 8), (4, 8), (6, 6), (2, 8)])
@pytest.mark.parametrize("shape", SHAPES)
def test_simulation_equals_the_exporters_integers(
    tmp_path: Path, shape: str, bits: int, activation_bits: int
) -> None:
    model = tiny_model(SHAPES[shape])
    config = IntegerConfig(weights=WeightConfig(bits=bits), activation_bits=activation_bits)
    integer = make_integer(model, noise_batches(model.config.num_mels, NOISE), config)
    save_integer_model(tmp_path / "c", integer, tiny_config(SHAPES[shape]), {"inputs": "noise"})
    simulated = SimulatedModel(integer.folded, integer.codes, integer.scales, activation_bits)
    checkpoint = read_ctc_checkpoint(tmp_path / "c")
    step = integer.scales["decoder"]
    for frames in (1, 2, 31):
        features = torch.randn(1, frames, model.config.num_mels)
        logits, lengths = simulated(features, torch.tensor([frames]))
        found = logits[0].numpy()
        expected = interpret_integer(checkpoint, features[0].numpy())["logits"]
        assert found.shape == expected.shape == (int(lengths[0]), 4)
        if shape == "conformer":
            # Its softmax, norms and tables are float in the simulation: rounded codes then differ now and
            # then, by one. At 6 bits a code is 1/31 of its range.
            assert np.linalg.norm(found - expected) < 2 ** (2 - activation_bits) * np.linalg.norm(expected)
        else:
            # The same whole numbers, times the scale rounded to float32: 32767 steps off by 2^-24 of each.
            assert np.abs(found - expected).max() <= 2**-8 * step
