"""Integer graphs against float64: every operator by itself within a bound that is derived, and the whole."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from ctc_checkpoints import (
    CONFORMER,
    JASPER,
    MODELS,
    QUARTZNET,
    features_of,
    float_checkpoint,
    integer_checkpoint,
)

from whit.exporter.arithmetic import Array
from whit.exporter.build_ctc import build_float_ctc, build_integer_ctc
from whit.exporter.ctc_builder import Kind
from whit.exporter.ctc_checkpoint import CtcCheckpoint, read_ctc_checkpoint
from whit.exporter.errors import RequantizationError
from whit.exporter.float_ctc_operators import FLOAT_OPERATORS
from whit.exporter.integer_constants import limits as limits_of
from whit.exporter.integer_operators import INTEGER_OPERATORS
from whit.exporter.interpret_integer import interpret_integer
from whit.exporter.ir import Graph, Node
from whit.exporter.lower import lower_to_integers
from whit.exporter.quantized_matrix import QuantizedMatrix
from whit.exporter.run_graph import run_graph

FRAMES = 41
SMALL = 0.02
"""Steps: what float32 scales and multipliers of 31 bits leave beside the roundings that are counted."""


@cache
def checkpoints(name: str, bits: int = 8, activation_bits: int = 8) -> tuple[CtcCheckpoint, CtcCheckpoint]:
    """The float checkpoint and the integer-only one made from it."""
    with TemporaryDirectory() as folder:
        data = float_checkpoint(MODELS[name])
        path = Path(folder)
        made = integer_checkpoint(data, path, bits=bits, activation_bits=activation_bits)
        return read_ctc_checkpoint(path / "float"), read_ctc_checkpoint(made.write(path / "integer"))


def float_run(checkpoint: CtcCheckpoint, features: Array) -> dict[str, Array]:
    graph = build_float_ctc(checkpoint, max_frames=len(features)).graph("encode")
    inputs: dict[str, Array] = {
        "features": features.astype(np.float64),
        "length": np.array([len(features)], np.int32),
    }
    return run_graph(graph, inputs, FLOAT_OPERATORS)


def signal_to_noise_db(received: Array, expected: Array) -> float:
    return float(10 * np.log10((expected**2).mean() / ((received - expected) ** 2).mean()))


class Dequantized:
    """The real values of an integer run, and the float operation of each with the weights' real values."""

    def __init__(self, checkpoint: CtcCheckpoint, features: Array) -> None:
        config = checkpoint.config
        assert config.integer is not None
        self.graph = build_integer_ctc(checkpoint, max_frames=len(features)).graph("encode")
        self.vectors, self.matrices = checkpoint.vectors, checkpoint.matrices
        self.values = interpret_integer(checkpoint, features)
        self.scales, self.activation_bits = config.integer.scales, config.integer.activation_bits
        self.made = {value.name: node for node in self.graph.nodes for value in node.outputs}

    def scale(self, name: str) -> float:
        """The scale of a value, from the table of docs/format.md, section 10."""
        if name in self.scales:
            return self.scales[name]
        if name == "encoder.features":
            return self.scales["features"]
        if name.startswith("encoder.distances"):
            return 1 / 127
        if name.endswith(("/patches", "/product")):
            node = self.made[name]
            source = node.inputs[0] if name.endswith("/patches") else name.removesuffix("/product")
            return self.scale(source)
        if "linear_q/" in name:
            return self.scales[name.split("/")[0]]
        if ".residuals." in name:
            block = name.split(".residuals.")[0]
            last = max(key for key in self.scales if key.startswith(f"{block}.units.") and key[-1].isdigit())
            return self.scales[last]
        parts = name.split(".")
        layer = int(parts[2]) if parts[1] == "layers" else 0
        return self.scales[f"encoder.layers.{layer + (parts[-1] == 'norm_out')}.stream"]

    def real(self, name: str) -> Array:
        """A value as real numbers."""
        if name in self.graph.constants:
            return np.asarray(self.graph.constants[name]) * self.scale(name)
        node = self.made[name]
        zero = -128 if self._is_unsigned(node) else 0
        return (self.values[name].astype(np.float64) - zero) * self.scale(name)

    def _is_unsigned(self, node: Node) -> bool:
        while node.op in ("Stack", "IntUnfold2d"):
            node = self.made[node.inputs[0]]
        return int(node.attributes.get("low", 0)) == -128

    def check_product(self, node: Node) -> None:
        """Rounding of the result, half a step, and of the bias, half a step of the sum."""
        layer = node.inputs[2].removesuffix(".weight")
        matrix = self.matrices[f"{layer}.weight"]
        assert isinstance(matrix, QuantizedMatrix)
        weight = matrix.scale[:, None].astype(np.float64) * matrix.codes()
        bias = self.vectors.get(f"{layer}.bias", np.zeros(len(weight))).astype(np.float64)
        for part in "uv":
            if node.name.endswith(f"linear_q/{part}"):
                bias = bias + self.vectors[node.name.replace(f"linear_q/{part}", f"pos_bias_{part}")].reshape(
                    -1
                )
        factor = 0.5 if ".feed_forward" in node.name and node.name.endswith(".sum") else 1.0
        if layer == "encoder.pre_encode.out":
            factor = np.sqrt(CONFORMER["d_model"])
        x = self.real(node.inputs[0])
        taps = int(node.attributes.get("kernel_size", node.attributes["cols"]))
        shape = {key: node.attributes[key] for key in ("stride", "dilation", "padding")}
        length = np.array([len(x)], np.int32)
        if node.op == "IntConv1d":
            expected = FLOAT_OPERATORS["Conv1d"](
                [x, length, weight.reshape(len(weight), taps, -1), bias], shape
            )[0]
        else:
            expected = FLOAT_OPERATORS["DepthwiseConv"]([x, length, weight.T, bias], shape)[0]
        expected = expected * factor
        if node.op == "IntConv1d" and node.inputs[-1]:
            expected = expected + self.real(node.inputs[-1])
        step = self.scale(node.inputs[0]) * matrix.scale * factor
        self._check(node, expected, 0.5 * step)

    def check_function(self, node: Node) -> None:
        """Half a step; GLU's sigmoid is rounded too, a norm to 2^-16 and to 1/256 step."""
        x = self.real(node.inputs[0])
        beside: Array | float = 0.0
        if node.op == "IntTable":
            (expected,) = FLOAT_OPERATORS["Swish"]([x], {})
        elif node.op == "IntGlu":
            (expected,) = FLOAT_OPERATORS["Glu"]([x], {})
            beside = np.abs(x[:, : expected.shape[1]]) * 2.0**-16
        else:
            layer = node.inputs[2].removesuffix(".multiplier")
            gain, bias = (self.vectors[f"{layer}.{part}"].astype(np.float64) for part in ("weight", "bias"))
            (expected,) = FLOAT_OPERATORS["LayerNorm"]([x, gain, bias], {"epsilon": 1e-5})
            beside = np.abs(gain) * 2.0**-14 + self.scale(node.name) / 128
        self._check(node, expected, beside)

    def check_attention(self, node: Node) -> None:
        """Half a step, and weights off by less than 1 % (I-BERT's polynomial, scores of 2^-10)."""
        content, position, key, value, distance = (self.real(name) for name in node.inputs[:5])
        heads, frames = int(node.attributes["heads"]), len(key)
        expected = np.zeros_like(value)
        width = key.shape[1] // heads
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            rows = frames - 1 - np.arange(frames)[:, None] + np.arange(frames)
            score = content[:, part] @ key[:, part].T
            score += np.take_along_axis(position[:, part] @ distance[:, part].T, rows, axis=1)
            e = np.exp((score - score.max(axis=1, keepdims=True)) / np.sqrt(width))
            expected[:, part] = e / e.sum(axis=1, keepdims=True) @ value[:, part]
        self._check(node, expected, 0.01 * np.abs(value).max())

    def _check(self, node: Node, expected: Array, beside: Array | float) -> None:
        zero = -128 if self._is_unsigned(node) else 0
        scale = self.scale(node.name)
        limits = limits_of(Kind.SIGNED, self.activation_bits)  # a table holds its own, as the checkpoint's
        low, high = (node.attributes.get("low", limits.low), node.attributes.get("high", limits.high))
        expected = np.clip(expected, scale * (int(low) - zero), scale * (int(high) - zero))
        error = np.abs(self.real(node.name) - expected)
        bound = scale * (0.5 + SMALL) + beside
        assert (error <= bound).all(), (node.name, node.op, (error - bound).max() / scale)


CHECKS = {
    "IntConv1d": Dequantized.check_product,
    "IntDepthwiseConv1d": Dequantized.check_product,
    "IntTable": Dequantized.check_function,
    "IntGlu": Dequantized.check_function,
    "IntLayerNorm": Dequantized.check_function,
    "IntRelativeAttention": Dequantized.check_attention,
}


@pytest.mark.parametrize(("bits", "activation_bits"), [(8, 8), (6, 8), (5, 8), (4, 8), (6, 6), (2, 4)])
@pytest.mark.parametrize("name", MODELS)
def test_every_operator_is_within_its_rounding(name: str, bits: int, activation_bits: int) -> None:
    _, checkpoint = checkpoints(name, bits, activation_bits)
    features = features_of(checkpoint.config.model.num_mels, FRAMES)
    run = Dequantized(checkpoint, features)
    checked = [node for node in run.graph.nodes if node.op in CHECKS]
    assert len(checked) == len([node for node in run.graph.nodes if node.op.startswith("Int")]) - (
        2 if name == "conformer" else 0  # IntUnfold2d only moves
    )
    for node in checked:
        CHECKS[node.op](run, node)
    logits = run.values["decoder"].astype(np.float32) * np.float32(run.scale("decoder"))
    assert (run.values["logits"] == logits).all()


@pytest.mark.parametrize(
    ("name", "bits", "activation_bits", "least_db"),
    # The models reach 23.5 to 27.5 dB at W8A8, 17.7 to 20.5 at W6A8, 6.6 to 9 at W4A8, 13.6 to 16.7 at W6A6.
    [(name, *rest) for name in MODELS for rest in ((8, 8, 20), (6, 8, 14), (4, 8, 4), (6, 6, 10))],
)
def test_logits_are_those_of_the_float_model(
    name: str, bits: int, activation_bits: int, least_db: float
) -> None:
    floats, integers = checkpoints(name, bits, activation_bits)
    features = features_of(floats.config.model.num_mels, FRAMES)
    received = interpret_integer(integers, features)["logits"]
    assert signal_to_noise_db(received, float_run(floats, features)["logits"]) > least_db


@pytest.mark.parametrize("name", MODELS)
def test_room_for_longer_utterances_changes_nothing(name: str) -> None:
    """Packed weights, rows of rubbish behind the utterance, a length that is greater than the file's."""
    _, checkpoint = checkpoints(name, 5)
    features = features_of(checkpoint.config.model.num_mels, FRAMES)
    expected = interpret_integer(checkpoint, features)
    graph = lower_to_integers(build_integer_ctc(checkpoint, max_frames=FRAMES + 24)).graph("encode")
    padded = np.full((FRAMES + 24, features.shape[1]), np.nan, np.float32)
    padded[:FRAMES] = features
    received = run(graph, padded, FRAMES)
    for value, wanted in expected.items():
        assert (received[value][: len(wanted)] == wanted).all(), value
    graph = lower_to_integers(build_integer_ctc(checkpoint, max_frames=FRAMES)).graph("encode")
    assert (run(graph, features, FRAMES + 1000)["logits"] == expected["logits"]).all()
    silent = run(graph, features, 0)
    assert silent["logits_length"] == [0] and not silent["logits"].any()


def run(graph: Graph, features: Array, length: int) -> dict[str, Array]:
    inputs: dict[str, Array] = {"features": features, "length": np.array([length], np.int32)}
    return run_graph(graph, inputs, INTEGER_OPERATORS)


def test_rows_of_one_matrix_are_shared() -> None:
    """Both queries of an attention read the same codes and factors; the sinusoids are there once."""
    _, checkpoint = checkpoints("conformer")
    graph = lower_to_integers(build_integer_ctc(checkpoint, max_frames=FRAMES)).graph("encode")
    nodes = {node.name: node for node in graph.nodes}
    u, v = (nodes[f"encoder.layers.0.self_attn.linear_q/{part}"].inputs for part in "uv")
    assert u[2] == v[2] and u[5:7] == v[5:7] and u[4] != v[4]
    assert [node.op for node in graph.nodes].count("DistanceRows") == 1


def test_dense_residuals_are_a_chain_of_addends() -> None:
    _, checkpoint = checkpoints("jasper")
    nodes = {
        node.name: node for node in build_integer_ctc(checkpoint, max_frames=FRAMES).graph("encode").nodes
    }
    block = "encoder.blocks.3"
    assert nodes[f"{block}.units.0"].inputs[-1] == f"{block}.residuals.2"
    assert nodes[f"{block}.residuals.2"].inputs[-1] == f"{block}.residuals.1"
    assert nodes[f"{block}.residuals.0"].inputs[-1] == ""
    sources = [nodes[f"{block}.residuals.{p}"].inputs[0] for p in range(3)]
    assert sources == ["encoder.blocks.0.units.0", "encoder.blocks.1.units.1", "encoder.blocks.2.units.1"]
    assert all(nodes[f"{block}.residuals.{p}"].attributes["y_bits"] == 16 for p in range(3))


def test_sums_that_leave_int32_are_refused(tmp_path: Path) -> None:
    """The bias is counted in steps of the input's scale times a weight's: 2^-60 needs more than 31 bits."""
    made = integer_checkpoint(float_checkpoint(JASPER), tmp_path)
    made.config["integer"]["scales"]["features"] = 2.0**-60
    checkpoint = read_ctc_checkpoint(made.write(tmp_path / "integer"))
    with pytest.raises(RequantizationError, match=r"\[encoder.blocks.0.units.0.conv\] .* int32 .* in row \d"):
        build_integer_ctc(checkpoint, max_frames=FRAMES)


def test_a_result_of_tiny_steps_is_refused(tmp_path: Path) -> None:
    made = integer_checkpoint(float_checkpoint(QUARTZNET), tmp_path)
    made.config["integer"]["scales"]["encoder.blocks.1.units.0.depthwise"] = 2.0**-40
    checkpoint = read_ctc_checkpoint(made.write(tmp_path / "integer"))
    with pytest.raises(RequantizationError, match=r"\[encoder.blocks.1.units.0.depthwise\] .* below 2\^15"):
        build_integer_ctc(checkpoint, max_frames=FRAMES)


@pytest.mark.parametrize(
    ("scale", "place"),
    [
        ("norm_conv", "encoder.layers.1.norm_conv"),
        ("conv.glu", "encoder.layers.1.conv.glu"),
        ("self_attn.context", "encoder.layers.1.self_attn, result"),
    ],
)
def test_steps_of_a_conformer_that_have_no_integers_are_named(tmp_path: Path, scale: str, place: str) -> None:
    made = integer_checkpoint(float_checkpoint(CONFORMER), tmp_path)
    made.config["integer"]["scales"][f"encoder.layers.1.{scale}"] = 2.0**-40
    checkpoint = read_ctc_checkpoint(made.write(tmp_path / "integer"))
    with pytest.raises(RequantizationError, match=rf"\[{place}\] expected"):
        build_integer_ctc(checkpoint, max_frames=FRAMES)


def test_float_graphs_are_the_models_of_torch(tmp_path: Path) -> None:
    """The walk over blocks and layers, which float and integer graphs share, against the training code.

    Torch is given the utterance alone: behind a shorter one in a batch its second subsampling sees padding.
    """
    torch = pytest.importorskip("torch")
    from whit.models.ctc_checkpoint import load_ctc_checkpoint

    for name, model in {**MODELS, "stride": {**JASPER, "blocks": JASPER["blocks"][:1]}}.items():
        folder = float_checkpoint(model).write(tmp_path / name)
        module, _ = load_ctc_checkpoint(folder)
        features = features_of(model["num_mels"], FRAMES)
        for length in (FRAMES, 30):
            received = float_values_of(read_ctc_checkpoint(folder), features, length)
            with torch.no_grad():
                logits, lengths = module.double()(
                    torch.tensor(features[None, :length], dtype=torch.float64), torch.tensor([length])
                )
            frames = int(received["logits_length"][0])
            assert frames == int(lengths[0])
            # Folded weights are rounded to float32 once; a few dozen layers multiply that.
            np.testing.assert_allclose(
                received["logits"][:frames], logits[0, :frames].numpy(), atol=1e-4 * float(logits.abs().max())
            )


def float_values_of(checkpoint: CtcCheckpoint, features: Array, length: int) -> dict[str, Any]:
    graph = build_float_ctc(checkpoint, max_frames=len(features)).graph("encode")
    inputs: dict[str, Array] = {
        "features": features.astype(np.float64),
        "length": np.array([length], np.int32),
    }
    return run_graph(graph, inputs, FLOAT_OPERATORS)
