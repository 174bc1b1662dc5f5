"""The shapes of the operations of models without a prediction network."""

from collections.abc import Callable

from whit.exporter.ir import Node, Shape

Shapes = list[Shape]
LENGTH: Shape = (1,)


def must(condition: bool, reason: str) -> None:
    """Raises ValueError, with the reason, unless the condition holds."""
    if not condition:
        raise ValueError(reason)


def frames_out(node: Node, rows: int, kernel_size: int) -> int:
    """Returns the frames out of a convolution over time."""
    stride, dilation, padding = (int(node.attributes[name]) for name in ("stride", "dilation", "padding"))
    return max((rows + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1, 0)


def _conv1d(node: Node, inputs: Shapes) -> Shapes:
    x, length, weight, bias = inputs
    must(length == LENGTH and weight[2] == x[1] and bias == weight[:1], "weights of each channel")
    return [(frames_out(node, int(x[0]), int(weight[1])), weight[0]), LENGTH]


def _depthwise(node: Node, inputs: Shapes) -> Shapes:
    x, length, weight, bias = inputs
    must(length == LENGTH and weight[1:] == x[1:] == bias, "weights of each channel")
    return [(frames_out(node, int(x[0]), int(weight[0])), x[1]), LENGTH]


def _conv2d(node: Node, inputs: Shapes) -> Shapes:
    x, length, weight, bias = inputs
    channels = int(node.attributes["channels"])
    must(length == LENGTH and weight[1:] == (channels, 3, 3) and bias == weight[:1], "3 x 3 weights")
    must(int(x[1]) % channels == 0, "equal frequencies")
    frequencies = (int(x[1]) // channels + 1) // 2
    return [((int(x[0]) + 1) // 2, frequencies * int(weight[0])), LENGTH]


def _attention(node: Node, inputs: Shapes) -> Shapes:
    q, k, v, p, length, u, w = inputs
    must(k == v == q and u == w == q[1:] and length == LENGTH, "equal widths")
    must(p == (2 * int(q[0]) - 1, q[1]), "a row per distance")
    must(int(q[1]) % int(node.attributes["heads"]) == 0, "equal heads")
    return [q]


CTC_RULES: dict[str, Callable[[Node, Shapes], Shapes]] = {
    "Conv1d": _conv1d,
    "DepthwiseConv": _depthwise,
    "Conv2d": _conv2d,
    "Relu": lambda node, inputs: [inputs[0]],
    "FullAttention": _attention,
}
