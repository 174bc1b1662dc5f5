"""Whether a graph hangs together: names, order, shapes."""

from collections import Counter
from collections.abc import Callable

from whit.exporter.errors import GraphError
from whit.exporter.ir import ABSENT, Constant, Graph, Node, Shape
from whit.exporter.passes.check_ctc import CTC_RULES, must
from whit.exporter.passes.check_integer import INTEGER_RULES

Shapes = list[Shape]


def check(graph: Graph) -> Graph:
    """Returns the graph as it came.

    Raises:
        GraphError: a name is defined twice, used before it is defined or never used, or a shape
            does not follow from its operation; all are listed.
    """
    defined = [value.name for value in graph.inputs] + list(graph.constants)
    shapes: dict[str, Shape] = {value.name: value.shape for value in graph.inputs}
    shapes |= {name: _constant_shape(constant) for name, constant in graph.constants.items()}
    problems = []
    used: set[str] = set(graph.outputs)
    for node in graph.nodes:
        used.update(node.inputs)
        absent = [name for name in node.inputs if name != ABSENT and name not in shapes]
        if absent:
            problems.append(f"{node.name} reads {', '.join(absent)}, which nothing made before it")
        elif node.op not in RULES:
            problems.append(f"{node.name} is an unknown operation {node.op}")
        else:
            made = [value.shape for value in node.outputs]
            expected = _expected(node, [shapes.get(name, ()) for name in node.inputs])
            if made != expected:
                problems.append(f"{node.name} ({node.op}) is declared as {made}, its inputs give {expected}")
        shapes |= {value.name: value.shape for value in node.outputs}
        defined += [value.name for value in node.outputs]
    problems += [f"{name} is defined {count} times" for name, count in Counter(defined).items() if count > 1]
    problems += [f"output {name} is never made" for name in graph.outputs if name not in shapes]
    problems += [f"constant {name} is never used" for name in graph.constants if name not in used]
    if problems:
        raise GraphError(
            f"[{graph.name}] expected a well-formed graph, received one in which {'; '.join(problems)}"
        )
    return graph


def _constant_shape(constant: Constant) -> Shape:
    return tuple(constant.shape)


def _expected(node: Node, inputs: Shapes) -> Shapes | str:
    """Returns the shapes that a node's inputs give, or why there are none."""
    try:
        return RULES[node.op](node, inputs)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        return f"nothing ({error!r}) from {inputs}"


def _affine(node: Node, inputs: Shapes) -> Shapes:
    x, scale, offset = inputs
    must(scale == offset == x[1:], "a factor and an offset per column")
    return [x]


def _stack(node: Node, inputs: Shapes) -> Shapes:
    (frames, width), factor = inputs[0], int(node.attributes["factor"])
    return [(divided(frames, factor), int(width) * factor)]


def divided(frames: int | str, factor: int) -> int | str:
    """Returns a number of frames divided by a factor: 6 / 3 is 2, "T/3" / 2 is "T/6"."""
    if isinstance(frames, int):
        must(frames % factor == 0, f"{frames} frames are no multiple of {factor}")
        return frames // factor
    symbol, _, divisor = frames.partition("/")
    return f"{symbol}/{int(divisor or 1) * factor}"


def _lstm(node: Node, inputs: Shapes) -> Shapes:
    x, h, c, w, r, *biases = inputs
    hidden = int(node.attributes["hidden_size"])
    must(w == (4 * hidden, x[1]) and r == (4 * hidden, hidden), "weights of 4 gates")
    must(h == c == (1, hidden), "states of one row")
    must(len(biases) in (1, 2) and all(bias == (4 * hidden,) for bias in biases), "biases of 4 gates")
    return [(x[0], hidden), (1, hidden), (1, hidden)]


def _lstmp(node: Node, inputs: Shapes) -> Shapes:
    x, h, c, w, r, p, *biases = inputs
    hidden, width = int(node.attributes["hidden_size"]), p[0]
    must(w == (4 * hidden, x[1]) and r == (4 * hidden, width) and p[1] == hidden, "weights of 4 gates")
    must(h == (1, width) and c == (1, hidden), "states of one row")
    must(len(biases) in (1, 2) and all(bias == (4 * hidden,) for bias in biases), "biases of 4 gates")
    return [(x[0], width), (1, width), (1, hidden)]


def _packed_lstmp(node: Node, inputs: Shapes) -> Shapes:
    x, h, c, *packed = inputs
    hidden, width = int(node.attributes["hidden_size"]), int(node.attributes["projection_size"])
    must(h == (1, width) and c == (1, hidden), "states of one row")
    must(x[1] == node.attributes["input_size"] and len(packed) == 10, "packed inputs")
    return [(x[0], width), (1, width), (1, hidden)]


def _packed_lstm(node: Node, inputs: Shapes) -> Shapes:
    x, h, c, *packed = inputs
    hidden = int(node.attributes["hidden_size"])
    must(
        x[1] == node.attributes["input_size"] and h == c == (1, hidden) and len(packed) == 7, "packed inputs"
    )
    return [(x[0], hidden), (1, hidden), (1, hidden)]


def _matmul(node: Node, inputs: Shapes) -> Shapes:
    x, weight, *bias = inputs
    must(x[1] == weight[1] and bias in ([], [weight[:1]]), "columns as the input, a bias per row")
    return [(x[0], weight[0])]


def _packed_matmul(node: Node, inputs: Shapes) -> Shapes:
    must(inputs[0][1] == node.attributes["cols"], "columns as the input")
    return [(inputs[0][0], int(node.attributes["rows"]))]


def _packed_embedding(node: Node, inputs: Shapes) -> Shapes:
    return [(inputs[0][0], int(node.attributes["cols"]))]


def _add_relu(node: Node, inputs: Shapes) -> Shapes:
    a, b = inputs
    must(b == (1, a[1]), "one row to add")
    return [a]


def _add(node: Node, inputs: Shapes) -> Shapes:
    a, b = inputs
    must(a == b, "equal shapes")
    return [a]


def _glu(node: Node, inputs: Shapes) -> Shapes:
    frames, width = inputs[0]
    must(int(width) % 2 == 0, "two halves")
    return [(frames, int(width) // 2)]


def _depthwise_conv(node: Node, inputs: Shapes) -> Shapes:
    x, cache, weight, bias = inputs
    must(weight[1:] == bias == x[1:] and cache == (int(weight[0]) - 1, x[1]), "weights of each channel")
    return [x, cache]


def _attention(node: Node, inputs: Shapes) -> Shapes:
    q, k, v, cache, p, u, w = inputs
    (frames, width), left = q, int(cache[0])
    must(k == v == q and u == w == (width,) and cache[1] == 2 * int(width) + 1, "equal widths")
    must(p == (left + 2 * int(frames) - 1, width), "a row per distance")
    must(int(width) % int(node.attributes["heads"]) == 0, "equal heads")
    return [q, cache]


def _unfold(node: Node, inputs: Shapes) -> Shapes:
    (frames, width), cache = inputs
    channels = int(node.attributes["channels"])
    must(int(frames) % 2 == 0 and int(width) % channels == 0 and cache == (2, width), "an even chunk")
    return [(int(frames) // 2 * (int(width) // channels // 2 + 1), 9 * channels), cache]


def _rows(node: Node, inputs: Shapes) -> Shapes:
    (rows, width), parts = inputs[0], len(node.outputs)
    must(int(rows) % parts == 0, "equal parts")
    return [(int(rows) // parts, width)] * parts


def _concat(node: Node, inputs: Shapes) -> Shapes:
    must(len({shape[1:] for shape in inputs}) == 1, "equal widths")
    return [(sum(int(shape[0]) for shape in inputs), *inputs[0][1:])]


RULES: dict[str, Callable[[Node, Shapes], Shapes]] = {
    "Normalise": _affine,
    "Affine": _affine,
    "Stack": _stack,
    "LSTM": _lstm,
    "PackedLSTM": _packed_lstm,
    "LSTMP": _lstmp,
    "PackedLSTMP": _packed_lstmp,
    "MatMul": _matmul,
    "PackedMatMul": _packed_matmul,
    "Embedding": lambda node, inputs: [(inputs[0][0], inputs[1][1])],
    "PackedEmbedding": _packed_embedding,
    "AddRelu": _add_relu,
    "Add": _add,
    "LayerNorm": _affine,
    "Swish": lambda node, inputs: [inputs[0]],
    "Glu": _glu,
    "DepthwiseConv1d": _depthwise_conv,
    "RelativeAttention": _attention,
    "Unfold2d": _unfold,
    "Rows": _rows,
    "Concat": _concat,
    "Tail": lambda node, inputs: [(int(inputs[0][0]) - 1,)],
    "HistoryTokens": lambda node, inputs: [inputs[0][1:]],
    "HistoryState": lambda node, inputs: [(1, *inputs[0])],
    "Identity": lambda node, inputs: [inputs[0]],
    **CTC_RULES,
    **INTEGER_RULES,
}
"""The shapes of each operation's outputs from those of its inputs; also the list of operations."""
