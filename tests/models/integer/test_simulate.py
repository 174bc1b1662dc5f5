"""The simulation against integers written as sums in numpy, by docs/format.md, section 10."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_ctc import SHAPES, tiny_model

from whit.models.conv_config import ConvConfig
from whit.models.integer.inputs import noise_batches
from whit.models.integer.quantize import IntegerConfig, IntegerModel, make_integer
from whit.models.integer.simulate import SimulatedModel
from whit.models.integer.synthesize import SynthesisConfig
from whit.models.integer.weights import WeightConfig

Array = NDArray[np.int64]
NOISE = SynthesisConfig(batches=3, batch_size=2, frames=40)


def integer_model(shape: str, *, bits: int = 8, activation_bits: int = 8) -> IntegerModel:
    model = tiny_model(SHAPES[shape])
    config = IntegerConfig(weights=WeightConfig(bits=bits), activation_bits=activation_bits)
    return make_integer(model, noise_batches(model.config.num_mels, NOISE), config)


def simulated(integer: IntegerModel) -> SimulatedModel:
    return SimulatedModel(integer.folded, integer.codes, integer.scales, integer.config.activation_bits)


def requantize(a: Array, factor: NDArray[np.float64]) -> Array:
    """Returns the 64-bit form: a multiplier of 31 bits, a shift, half up."""
    mantissa, exponent = np.frexp(factor)
    m, e = np.floor(mantissa * 2**31 + 0.5).astype(np.int64), 31 - exponent.astype(np.int64)
    return np.stack([(row * mm + (1 << (ee - 1))) >> ee for row, mm, ee in zip(a, m, e, strict=True)])


class IntegerOracle:
    """Convolutions in whole numbers, zero points left out: q - zero throughout."""

    def __init__(self, integer: IntegerModel) -> None:
        self.integer = integer
        self.biases = {n: t.double().numpy() for n, t in integer.folded.state_dict().items() if "bias" in n}

    def convolve(
        self, x: Array, name: str, source: str, to: str, *, stride: int, dilation: int
    ) -> tuple[Array, NDArray[np.float64]]:
        """Returns the sums (outputs, frames') and each row's factor to the scale `to`."""
        hard, scales = self.integer.codes[f"{name}.weight"], self.integer.scales
        axes = self.integer.folded.get_submodule(name).weight.shape  # type: ignore[union-attr]
        codes = hard.codes().view((len(axes) > 2 and axes) or (*axes, 1)).numpy().astype(np.int64)
        outputs, inputs, size = codes.shape
        step = scales[source] * hard.scale.double().numpy()
        bias = np.rint(self.biases.get(f"{name}.bias", np.zeros(outputs)) / step).astype(np.int64)
        pad = dilation * (size - 1) // 2
        padded = np.pad(x, ((0, 0), (pad, pad)))
        frames = (x.shape[1] - 1) // stride + 1
        sums = np.zeros((outputs, frames), dtype=np.int64)
        for o in range(outputs):
            first = o if inputs == 1 and len(x) == outputs else 0
            for t in range(frames):
                span = slice(t * stride, t * stride + dilation * (size - 1) + 1, dilation)
                sums[o, t] = np.sum(padded[first : first + inputs, span] * codes[o])
        return sums + bias[:, None], step / scales[to]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns (frames', outputs) of one utterance (frames, mels)."""
        scales, bits = self.integer.scales, self.integer.config.activation_bits
        signed, unsigned = 2 ** (bits - 1) - 1, 2**bits - 1
        config = self.integer.folded.config
        assert isinstance(config, ConvConfig)
        x = np.rint(features.T.astype(np.float64) / scales["features"]).astype(np.int64).clip(-signed, signed)
        name, dense = "features", list[tuple[Array, str]]()
        for b, block in enumerate(config.blocks):
            dense = [*dense, (x, name)] if block.residual_dense else dense
            around = dense if block.residual_dense else [(x, name)] * block.residual
            last = f"encoder.blocks.{b}.units.{block.repeat - 1}"
            addend: Array | int = 0
            for p, (source, source_name) in enumerate(around):
                place = f"encoder.blocks.{b}.residuals.{p}.conv"
                addend = addend + requantize(
                    *self.convolve(source, place, source_name, last, stride=block.stride, dilation=1)
                )
            for r in range(block.repeat):
                unit = f"encoder.blocks.{b}.units.{r}"
                shape = {"stride": block.stride, "dilation": block.dilation}
                if block.separable:
                    to = f"{unit}.depthwise"
                    y = requantize(*self.convolve(x, to, name, to, **shape)).clip(-signed, signed)
                    sums = self.convolve(y, f"{unit}.pointwise", to, unit, stride=1, dilation=1)
                else:
                    sums = self.convolve(x, f"{unit}.conv", name, unit, **shape)
                x = (requantize(*sums) + (addend if unit == last else 0)).clip(0, unsigned)
                name = unit
        sums = self.convolve(x, "decoder", name, "decoder", stride=1, dilation=1)
        return requantize(*sums).clip(-32767, 32767).T * scales["decoder"]


@pytest.mark.parametrize(("bits", "activation_bits"), [(8, 8), (4, 8), (6, 6)])
@pytest.mark.parametrize("shape", ["separable", "dense"])
def test_convolutions_equal_whole_numbers(shape: str, bits: int, activation_bits: int) -> None:
    integer = integer_model(shape, bits=bits, activation_bits=activation_bits)
    model, oracle = simulated(integer), IntegerOracle(integer)
    step = integer.scales["decoder"]
    for frames in (1, 2, 31):
        features = torch.randn(1, frames, 5)
        logits, lengths = model(features, torch.tensor([frames]))
        expected = oracle.logits(features[0].numpy())
        assert lengths.tolist() == [len(expected)]
        # Whole numbers of steps on both sides: a few values may differ where a 31-bit multiplier rounds a
        # near tie otherwise, one value in 10^7 or so.
        np.testing.assert_allclose(logits[0].numpy() / step, expected / step, rtol=0, atol=1e-6)


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
