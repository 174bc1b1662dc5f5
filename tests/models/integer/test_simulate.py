"""That it equals the integers themselves is tests/parity/test_integer_models.py's to show."""

import pytest
import torch
from tiny_ctc import SHAPES, tiny_model

from whit.models.integer.inputs import noise_batches
from whit.models.integer.quantize import IntegerConfig, IntegerModel, make_integer
from whit.models.integer.simulate import SimulatedModel
from whit.models.integer.synthesize import SynthesisConfig
from whit.models.integer.weights import WeightConfig

NOISE = SynthesisConfig(batches=3, batch_size=2, frames=40)


def integer_model(shape: str, *, bits: int = 8, activation_bits: int = 8) -> IntegerModel:
    model = tiny_model(SHAPES[shape])
    config = IntegerConfig(weights=WeightConfig(bits=bits), activation_bits=activation_bits)
    return make_integer(model, noise_batches(model.config.num_mels, NOISE), config)


def simulated(integer: IntegerModel) -> SimulatedModel:
    return SimulatedModel(integer.folded, integer.codes, integer.scales, integer.config.activation_bits)


@pytest.mark.parametrize("shape", SHAPES)
def test_more_bits_come_nearer_to_float(shape: str) -> None:
    features, num_frames = torch.randn(2, 33, SHAPES[shape].num_mels), torch.tensor([33, 20])
    errors = []
    for bits in (3, 5, 8):
        integer = integer_model(shape, bits=bits, activation_bits=bits)
        with torch.no_grad():
            exact, lengths = integer.folded(features, num_frames)
        found, found_lengths = simulated(integer)(features, num_frames)
        assert torch.equal(lengths, found_lengths)
        errors.append(float((found - exact)[0].norm() / exact[0].norm()))
    assert errors[2] < 0.5 * errors[1] < 0.25 * errors[0]


def test_the_float_model_is_left_as_it_was() -> None:
    model = tiny_model(SHAPES["dense"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    simulated(make_integer(model, noise_batches(5, NOISE), IntegerConfig()))
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
