from dataclasses import replace

import numpy as np
import pytest
from random_checkpoint import Scheme, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.errors import GraphError, LayoutError, NotQuantizedError, TensorValueError
from whit.exporter.ir import Graph, Node, Value
from whit.exporter.lower import lower_to_float, lower_to_packed
from whit.exporter.passes.check import check, divided
from whit.exporter.passes.choose_layout import choose_layout
from whit.exporter.passes.fold_normalisation import fold_normalisation
from whit.exporter.passes.merge_lstm_bias import merge_lstm_bias
from whit.exporter.passes.pack_weights import pack_weights
from whit.runtime import packing


def model_of(tmp_path, schemes=Scheme("linear", 8)):  # noqa: B008
    return build_rnnt(read_checkpoint(random_checkpoint(schemes=schemes).write(tmp_path)))


def test_biases_become_their_rounded_sum(tmp_path):
    graph = model_of(tmp_path).graph("encode")
    merged = merge_lstm_bias(graph)
    a, b = (graph.constants[f"encoder.lstm.1.bias_{part}"] for part in ("ih", "hh"))
    np.testing.assert_array_equal(merged.constants["encoder.lstm.1.bias"], a + b)
    assert merged.constants["encoder.lstm.1.bias"].dtype == np.float32
    assert not [name for name in merged.constants if name.endswith(("_ih", "_hh")) and "bias" in name]


def test_normalisation_becomes_one_affine(tmp_path):
    graph = model_of(tmp_path).graph("encode")
    folded = fold_normalisation(graph)
    mean, std = (graph.constants[f"encoder.feature_{part}"].astype(np.float64) for part in ("mean", "std"))
    assert folded.nodes[0].op == "Affine"
    scale, offset = (folded.constants[name] for name in folded.nodes[0].inputs[1:])
    np.testing.assert_array_equal(scale, (1 / std).astype(np.float32))
    np.testing.assert_array_equal(offset, (-mean / std).astype(np.float32))


def layouts(model):
    found = {}
    for graph in model.graphs:
        for node in graph.nodes:
            found |= {
                f"{node.name}.{key}": value for key, value in node.attributes.items() if "layout" in key
            }
    return found


@pytest.mark.parametrize(
    ("scheme", "layout", "expected"),
    [
        (Scheme("linear", 8), "auto", "E"),
        (Scheme("linear", 4), "P", "E"),
        (Scheme("linear", 3), "auto", "P"),
        (Scheme("planes", 2, per_tile=True), "auto", "P"),
        (Scheme("planes", 2), "E", "E"),
        (Scheme("codebook", 1), "auto", "P"),
        (Scheme("codebook", 3), "auto", "E"),
    ],
)
def test_layout_follows_width_and_codebook(tmp_path, scheme, layout, expected):
    found = layouts(choose_layout(model_of(tmp_path, scheme), layout))
    assert found.pop("predictor.embedded.layout") == "E"
    assert set(found.values()) == {expected} and len(found) == 2 * 5 + 3


@pytest.mark.parametrize(
    ("target", "bits", "indices"),
    [
        ("any", 3, False),
        ("cortex-a72", 3, False),
        ("x86", 3, True),
        ("x86", 2, False),
        ("dotprod", 3, True),
        ("dotprod", 1, True),
    ],
)
def test_targets_with_dot_products_take_indices_for_four_rows_and_more(tmp_path, target, bits, indices):
    model = choose_layout(model_of(tmp_path, Scheme("planes", bits)), target=target)
    assert model.metadata["whit.target"] == target
    found = layouts(model)
    assert found.pop("predictor.embedded.layout") == "E"
    # Chunks of 12 frames, 3 at a time: the first layer sees 4 rows, its recurrent half 1, all others 2 or 1.
    expected = {"encoder.lstm.0.output.w_layout"} if indices else set()
    assert {name for name, layout in found.items() if layout == "E"} == expected
    assert len(found) == 2 * 5 + 3


def test_planes_of_free_codebooks_are_refused_by_name(tmp_path):
    with pytest.raises(LayoutError, match=r"encoder\.lstm\.0\.weight_ih.*joint\.output\.weight"):
        choose_layout(model_of(tmp_path, Scheme("codebook", 3)), "P")


@pytest.mark.parametrize(
    "scheme", [Scheme("linear", 7), Scheme("codebook", 5, per_tile=True), Scheme("planes", 3, per_tile=True)]
)
def test_packed_bytes_hold_the_matrix(tmp_path, scheme):
    checkpoint = read_checkpoint(random_checkpoint(schemes=scheme).write(tmp_path))
    graph = lower_to_packed(build_rnnt(checkpoint)).graph("encode")
    node = next(node for node in graph.nodes if node.name == "encoder.lstm.1.output")
    matrix = checkpoint.matrices["encoder.lstm.1.weight_ih"]
    data = graph.constants["encoder.lstm.1.weight_ih.data"]
    index = packing.unpack(data, rows=64, cols=26, bits=scheme.bits, layout=node.attributes["w_layout"])
    scale, bias = graph.constants["encoder.lstm.1.weight_ih.scale"], graph.constants["encoder.lstm.1.bias"]
    b = checkpoint.vectors["encoder.lstm.1.bias_ih"] + checkpoint.vectors["encoder.lstm.1.bias_hh"]
    assert scale.shape == bias.shape == (64,)
    for gate in range(4):
        for unit in range(13):
            row, packed_row = gate * 13 + unit, 16 * (unit // 4) + 4 * gate + unit % 4
            np.testing.assert_array_equal(index[packed_row], matrix.index[row])
            assert scale[packed_row] == matrix.scale[row] and bias[packed_row] == b[row]
    assert np.count_nonzero(scale) == 52


def test_packing_float_weights_is_refused(tmp_path):
    graph = merge_lstm_bias(model_of(tmp_path, None).graph("encode"))
    with pytest.raises(NotQuantizedError, match="weight_ih"):
        pack_weights(graph)


def test_float_weights_are_scale_times_code(tmp_path):
    checkpoint = read_checkpoint(
        random_checkpoint(schemes=Scheme("codebook", 4, per_tile=True)).write(tmp_path)
    )
    graph = lower_to_float(build_rnnt(checkpoint)).graph("join")
    matrix = checkpoint.matrices["joint.output.weight"]
    expected = matrix.scale[:, None] * matrix.codes().astype(np.float32)
    np.testing.assert_array_equal(graph.constants["joint.output.weight"], expected)


X = Value("x", (2, 3))


@pytest.mark.parametrize(
    ("nodes", "outputs", "reason"),
    [
        ((Node("Identity", ("y",), (Value("z", (2, 3)),)),), ("z",), "reads y"),
        ((Node("Conv", ("x",), (Value("z", (2, 3)),)),), ("z",), "unknown operation"),
        ((Node("Identity", ("x",), (Value("z", (2, 4)),)),), ("z",), "declared as"),
        ((Node("Identity", ("x",), (Value("x", (2, 3)),)),), ("x",), "x is defined 2 times"),
        ((Node("Stack", ("x",), (Value("z", (1, 6)),), {"factor": 3}),), ("z",), "no multiple"),
        ((), ("z",), "never made"),
    ],
)
def test_broken_graphs_are_refused(nodes, outputs, reason):
    with pytest.raises(GraphError, match=reason):
        check(Graph("g", (X,), outputs, nodes, {}))


def test_unused_constants_are_refused(tmp_path):
    graph = model_of(tmp_path).graph("join")
    with pytest.raises(GraphError, match="left is never used"):
        check(replace(graph, constants={**graph.constants, "left": np.zeros(3)}))


def test_symbolic_lengths_divide():
    assert [divided("T", 3), divided("T/3", 2), divided(6, 3)] == ["T/3", "T/6", 2]


@pytest.mark.parametrize(
    ("tensors", "place"),
    [
        ({"encoder.feature_std": 1.2e-38, "encoder.feature_mean": -10}, "offset"),
        ({"encoder.lstm.1.bias_ih": 3e38, "encoder.lstm.1.bias_hh": 3e38}, "encoder.lstm.1.bias"),
    ],
)
@pytest.mark.parametrize("lower", [lower_to_packed, lower_to_float])
def test_constants_that_leave_float32_are_named(tmp_path, tensors, place, lower):
    """Both sides of the self-check would compute with the same infinity."""
    data = random_checkpoint(schemes=Scheme("linear", 8))
    for name, value in tensors.items():
        data.tensors[name][:] = value
    model = build_rnnt(read_checkpoint(data.write(tmp_path)))
    with pytest.raises(TensorValueError, match=f"finite numbers, received inf in .*{place}"):
        lower(model)
