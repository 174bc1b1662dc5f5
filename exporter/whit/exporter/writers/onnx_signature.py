"""The inputs and outputs of encoder, decoder and joiner as NeMo names them (docs/format.md, section 6).

Axes are letters: N streams, F mel bins, T frames, D joint width, L layers, H hidden, U tokens, V logits,
1 an axis of one. Values of the graph IR have no N; the stock dialect gives them N as their second axis.
"""

from dataclasses import dataclass

from whit.exporter.ir import Graph, Shape
from whit.exporter.writers.onnx_proto import GraphWriter

FILES = {"encode": "encoder", "predict": "decoder", "join": "joiner"}
"""ONNX file of each graph, without suffix, in execution order."""


@dataclass(frozen=True)
class Port:
    """An ONNX input or output and the value of the graph IR it carries."""

    name: str
    axes: str
    value: str
    value_axes: str


@dataclass(frozen=True)
class PassThrough:
    """An input and an output that only sherpa-onnx looks at; the output is the input divided by `divisor`."""

    input: str
    output: str
    element_type: str
    divided: bool = False


@dataclass(frozen=True)
class Signature:
    """Ports in their order: a PassThrough stands for one input and one output."""

    inputs: tuple[Port | PassThrough, ...]
    outputs: tuple[Port | PassThrough, ...]


_LENGTH = PassThrough("length", "encoded_lengths", "int64", divided=True)
_CACHE_LENGTH = PassThrough("cache_last_channel_len", "cache_last_channel_next_len", "int64")
_TARGET_LENGTH = PassThrough("target_length", "prednet_lengths", "int32")

_SIGNATURES = {
    "encode": Signature(
        inputs=(
            Port("audio_signal", "NFT", "features", "TF"),
            _LENGTH,
            Port("cache_last_channel", "NL1H", "encoder.h", "LH"),
            Port("cache_last_time", "NL1H", "encoder.c", "LH"),
            _CACHE_LENGTH,
        ),
        outputs=(
            Port("outputs", "NDT", "encoder.projected", "TD"),
            _LENGTH,
            Port("cache_last_channel_next", "NL1H", "encoder.h_next", "LH"),
            Port("cache_last_time_next", "NL1H", "encoder.c_next", "LH"),
            _CACHE_LENGTH,
        ),
    ),
    "predict": Signature(
        inputs=(
            Port("targets", "NU", "predictor.token", "U"),
            _TARGET_LENGTH,
            Port("h", "LNH", "predictor.h", "LH"),
            Port("c", "LNH", "predictor.c", "LH"),
        ),
        outputs=(
            Port("outputs", "NDU", "predictor.projected", "UD"),
            _TARGET_LENGTH,
            Port("h_next", "LNH", "predictor.h_next", "LH"),
            Port("c_next", "LNH", "predictor.c_next", "LH"),
        ),
    ),
    "join": Signature(
        inputs=(
            Port("encoder_outputs", "NDU", "joint.encoder", "UD"),
            Port("decoder_outputs", "NDU", "joint.predictor", "UD"),
        ),
        outputs=(Port("outputs", "N1UV", "joint.logits", "UV"),),
    ),
}


def signature_of(graph: Graph) -> Signature:
    """Returns a graph's signature: NeMo's, or one with the graph's own names for states but h and c."""
    states = [value.name for value in graph.inputs[1:]]
    if graph.name != "encode" or states == ["encoder.h", "encoder.c"]:
        return _SIGNATURES[graph.name]

    def port(name: str) -> Port:
        return Port(name.removeprefix("encoder."), "NLH", name, "LH")

    encode = _SIGNATURES["encode"]
    return Signature(
        inputs=(*encode.inputs[:2], *map(port, states)),
        outputs=(*encode.outputs[:2], *(port(f"{name}_next") for name in states)),
    )


def stock_shape(shape: Shape) -> Shape:
    """Returns the shape of an IR value in a graph that runs N streams at once: N is the second axis."""
    return (shape[0], "N", *shape[1:])


def read_inputs(writer: GraphWriter, graph: Graph, *, batched: bool) -> None:
    """Declares the inputs of a graph and brings each to the shape of its IR value."""
    values = graph.values()
    for port in signature_of(graph).inputs:
        if isinstance(port, PassThrough):
            writer.input(port.input, port.element_type, ["N" if batched else 1])
            continue
        value = values[port.value]
        writer.input(port.name, value.type.value, _port_shape(port, value.shape, batched))
        squeezed = [
            axis for axis, letter in enumerate(port.axes) if letter == "1" or (letter == "N" and not batched)
        ]
        kept = "".join(letter for axis, letter in enumerate(port.axes) if axis not in squeezed)
        _move(
            writer, port.name, port.value, squeezed=squeezed, order=_order(kept, _engine_axes(port, batched))
        )


def write_outputs(writer: GraphWriter, graph: Graph, *, batched: bool, subsampling_factor: int) -> None:
    """Brings each IR value to the shape of its output and declares the outputs."""
    values = graph.values()
    for port in signature_of(graph).outputs:
        if isinstance(port, PassThrough):
            if port.divided:
                writer.node("Div", [port.input, writer.axes(subsampling_factor)], [port.output])
            else:
                writer.node("Identity", [port.input], [port.output])
            writer.output(port.output, port.element_type, ["N" if batched else 1])
            continue
        value = values[port.value]
        added = [
            axis for axis, letter in enumerate(port.axes) if letter == "1" or (letter == "N" and not batched)
        ]
        kept = "".join(letter for axis, letter in enumerate(port.axes) if axis not in added)
        _move(writer, port.value, port.name, order=_order(_engine_axes(port, batched), kept), added=added)
        writer.output(port.name, value.type.value, _port_shape(port, value.shape, batched))


def _engine_axes(port: Port, batched: bool) -> str:
    """Returns the axes that the IR value has in the ONNX graph."""
    return port.value_axes[0] + "N" + port.value_axes[1:] if batched else port.value_axes


def _port_shape(port: Port, shape: Shape, batched: bool) -> Shape:
    lengths: dict[str, int | str] = dict(zip(port.value_axes, shape, strict=True))
    lengths |= {"1": 1, "N": "N" if batched else 1}
    return tuple(lengths[letter] for letter in port.axes)


def _order(axes: str, wanted: str) -> list[int]:
    return [axes.index(letter) for letter in wanted]


def _move(
    writer: GraphWriter,
    source: str,
    target: str,
    *,
    order: list[int],
    squeezed: list[int] | None = None,
    added: list[int] | None = None,
) -> None:
    """Adds Squeeze, Transpose and Unsqueeze, as needed, from one value to another."""
    steps: list[tuple[str, list[str], dict[str, list[int]]]] = []
    if squeezed:
        steps.append(("Squeeze", [writer.axes(*squeezed)], {}))
    if order != sorted(order):
        steps.append(("Transpose", [], {"perm": order}))
    if added:
        steps.append(("Unsqueeze", [writer.axes(*added)], {}))
    for number, (op, extra, attributes) in enumerate(steps or [("Identity", [], {})], start=1):
        last = number == max(len(steps), 1)
        output = target if last else f"{target}/{op.lower()}"
        writer.node(op, [source, *extra], [output], attributes=attributes)
        source = output
