"""What the operators of a stock convolutional model over whole utterances expect.

Section 10 of docs/format.md; a value is (1, 1, frames, channels).
"""

from whit.runtime.stock_node import FLOAT32, INT8, INT32, NONE, RELU, StockNode, StockTensor

SAME, VALID = 0, 1
MAX_STEP = 1 << 10  # of strides, dilations and paddings
FLOAT_VERSION, INT8_VERSION = 2, 3


def check_convolution(node: StockNode) -> None:
    """Checks CONV_2D along time."""
    x, w = _operands(node, scale_axis=0)
    node.expect(w.shape[3] == x.shape[3], f"weights of {x.shape[3]} channels", w)
    _gives_frames(node, x, taps=w.shape[2], channels=w.shape[0])


def check_depthwise_convolution(node: StockNode) -> None:
    """Checks DEPTHWISE_CONV_2D along time."""
    x, w = _operands(node, scale_axis=3)
    node.expect(w.shape[0] == 1 and w.shape[3] == x.shape[3], f"weights of {x.shape[3]} channels", w)
    multiplier = node.options.get("depth_multiplier", 0)
    node.expect(multiplier == 1, "a depth multiplier of 1", multiplier)
    _gives_frames(node, x, taps=w.shape[2], channels=x.shape[3])


def _operands(node: StockNode, *, scale_axis: int) -> tuple[StockTensor, StockTensor]:
    """Returns input and weights of a convolution, after types, constants and axes of scales."""
    node.ports(3, 1)
    node.activation(NONE, RELU)
    x = node.input(0, FLOAT32, INT8, rank=4)
    w = node.input(1, x.type, rank=4)
    bias = node.input(2, FLOAT32 if x.type == FLOAT32 else INT32, rank=1)
    node.expect(w.is_constant and bias.is_constant, "constant weights and bias", w)
    node.expect(x.shape[:2] == (1, 1) and w.shape[1] == 1, "one row of frames", x)
    node.expect(bias.shape == (w.shape[scale_axis],), f"a bias of {w.shape[scale_axis]}", bias)
    if x.type == INT8:
        axes = (w.scale_axis, bias.scale_axis)
        node.expect(axes == (scale_axis, 0), f"scales of the axes {scale_axis} and 0", axes)
    version = FLOAT_VERSION if x.type == FLOAT32 else INT8_VERSION
    node.expect(node.version == version, f"version {version}", node.version)
    return x, w


def _gives_frames(node: StockNode, x: StockTensor, *, taps: int, channels: int) -> None:
    options = node.options
    steps = [options.get(name, 1) for name in ("stride_w", "dilation_w")]
    node.expect(all(1 <= step <= MAX_STEP for step in steps), f"steps from 1 to {MAX_STEP}", steps)
    rows = [options.get(name, 1) for name in ("stride_h", "dilation_h")]
    node.expect(rows == [1, 1], "steps of 1 across rows", rows)
    padding = options.get("padding", SAME)
    node.expect(padding in (SAME, VALID), "padding SAME or VALID", padding)
    stride, reach = steps[0], steps[1] * (taps - 1)
    frames = (x.shape[2] - 1 - (reach if padding == VALID else 0)) // stride + 1
    node.expect(frames > 0, f"more than {reach} frames", x)
    node.gives(x.type, (1, 1, frames, channels))


def check_pad(node: StockNode) -> None:
    """Checks PAD along time."""
    node.ports(2, 1)
    x = node.input(0, FLOAT32, INT8, rank=4)
    amounts = node.constant_ints(1, most_rank=2)
    before, after = amounts[4:6] if len(amounts) == 8 else (0, 0)
    is_right = amounts == (0, 0, 0, 0, before, after, 0, 0) and 0 <= min(before, after)
    node.expect(is_right and max(before, after) <= MAX_STEP, f"up to {MAX_STEP} frames on each side", amounts)
    node.gives(x.type, (*x.shape[:2], x.shape[2] + before + after, x.shape[3]))


def check_quantize(node: StockNode) -> None:
    """Checks QUANTIZE of floats."""
    node.ports(1, 1)
    node.gives(INT8, node.input(0, FLOAT32).shape)


def check_dequantize(node: StockNode) -> None:
    """Checks DEQUANTIZE to floats."""
    node.ports(1, 1)
    node.gives(FLOAT32, node.input(0, INT8).shape)


def check_floor_div(node: StockNode) -> None:
    """Checks FLOOR_DIV of a length by a constant: LiteRT divides by whatever is there."""
    node.ports(2, 1)
    x, divisor = node.input(0, INT32, rank=1), node.constant_ints(1)
    node.expect(len(divisor) == 1 and divisor[0] > 0, "one positive divisor", divisor)
    node.gives(INT32, x.shape)
