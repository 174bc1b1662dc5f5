"""Tables and constants of a Conformer's integer operators (docs/format.md, section 10), made in float64."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whit.exporter.errors import RequantizationError
from whit.exporter.requantization import dyadic

Doubles = NDArray[np.float64]
Int32s = NDArray[np.int32]

SIGMOID_SCALE = 2.0**-15
SINUSOID_SCALE = 1 / 127
WEIGHT_SCALE = 2.0**-15
SCORE_SCALE = 2.0**-10
EPSILON = 1e-5


class LayerNormConstants(NamedTuple):
    """What IntLayerNorm is given besides its rows.

    Attributes:
        multiplier: int32, (N,), negative where the gain is.
        shift: int32, (N,).
        bias: int32, (N,), in units of 1/256 step of the result.
        epsilon: in squared steps of the input.
    """

    multiplier: Int32s
    shift: Int32s
    bias: Int32s
    epsilon: int


def sigmoid(x: Doubles) -> Doubles:
    """Returns 1 / (1 + e^-x)."""
    y: Doubles = 0.5 * (1 + np.tanh(0.5 * x))
    return y


def function_table(
    function: Callable[[Doubles], Doubles], x_scale: float, y_scale: float, low: int, high: int
) -> Doubles:
    """Returns the whole numbers nearest to function(x_scale q) / y_scale, q = -128 to 127; half to even."""
    y: Doubles = np.clip(np.rint(function(x_scale * np.arange(-128.0, 128)) / y_scale), low, high)
    return y


def swish_table(x_scale: float, y_scale: float, low: int, high: int) -> NDArray[np.int8]:
    """Returns the table of x sigmoid(x), int8, (256,), clamped to [low, high]."""
    return function_table(lambda x: x * sigmoid(x), x_scale, y_scale, low, high).astype(np.int8)


def sigmoid_table(x_scale: float) -> NDArray[np.int16]:
    """Returns the table of the sigmoid in units of 2^-15, int16, (256,)."""
    return function_table(sigmoid, x_scale, SIGMOID_SCALE, 0, 32767).astype(np.int16)


def glu_factor(x_scale: float, y_scale: float) -> float:
    """Returns the factor of IntGlu's requantization: both halves of its input have x_scale."""
    return x_scale * SIGMOID_SCALE / y_scale


def layer_norm_constants(
    gain: ArrayLike, bias: ArrayLike, x_scale: float, y_scale: float
) -> LayerNormConstants:
    """Returns the constants of an IntLayerNorm.

    Args:
        gain: (N,).
        bias: (N,).
        x_scale: of the int16 input.
        y_scale: of the result.

    Raises:
        RequantizationError: a constant is out of its range.
    """
    gain, bias = np.asarray(gain, np.float64), np.asarray(bias, np.float64)
    magnitude, shift = dyadic(np.abs(gain) / 256 / y_scale)
    fine_bias = np.rint(bias * 256 / y_scale)
    epsilon = max(1, round(EPSILON / x_scale**2))
    if np.abs(fine_bias).max(initial=0) >= 2**29 or epsilon >= 2**31:
        raise RequantizationError(
            "expected scales that keep bias below 2^29 and epsilon below 2^31, "
            f"received {x_scale} and {y_scale}"
        )
    multiplier = np.where(gain < 0, -magnitude, magnitude)
    return LayerNormConstants(multiplier, shift, fine_bias.astype(np.int32), epsilon)


def score_factor(query_scale: float, key_scale: float, head_width: int) -> float:
    """Returns the factor from a sum of query times key (or distance) to a score in units of 2^-10."""
    return float(query_scale * key_scale / np.sqrt(head_width) / SCORE_SCALE)


def context_factor(value_scale: float, y_scale: float) -> float:
    """Returns the factor from a weighted sum of values to the result of IntRelativeAttention."""
    return value_scale * WEIGHT_SCALE / y_scale


def sinusoid_table(num_frames: int, width: int) -> NDArray[np.int8]:
    """Returns the sinusoids of the distances num_frames - 1 down to 1 - num_frames, in units of 1/127.

    Args:
        num_frames: T, at least 1.
        width: d, even.

    Returns:
        int8, (2T - 1, d): the sine of an angle in column 2i, its cosine in column 2i + 1.
    """
    distance = num_frames - 1 - np.arange(2 * num_frames - 1)
    frequency = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = distance[:, None] * frequency
    sinusoids = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(distance), -1)
    return np.rint(sinusoids / SINUSOID_SCALE).astype(np.int8)
