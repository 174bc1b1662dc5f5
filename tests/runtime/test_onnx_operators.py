"""Each operator's inputs, outputs and attributes: what they may be, and the nearest that they may not."""

from typing import Any

import pytest
from one_onnx_operator import KNOWN, add_attribute, check, good_model, refusal, values_of

from whit.runtime.onnx_graph import OPERATORS


def test_every_operator_is_known() -> None:
    assert {f"{domain}.{op}" for domain, op in OPERATORS} == KNOWN.keys()


@pytest.mark.parametrize("operator", KNOWN)
def test_counts(operator: str, tmp_path) -> None:
    least_inputs, most_inputs, least_outputs, most_outputs, *_ = KNOWN[operator]
    for inputs in range(least_inputs - 1, most_inputs + 2):
        model = good_model(operator)
        model.graph.node[0].input[:] = ["x"] * inputs
        if least_inputs <= inputs <= most_inputs:
            check(model, tmp_path)
            continue
        expected = f"expected {least_inputs} to {most_inputs} inputs, received {inputs}"
        assert refusal(model, tmp_path).endswith(expected)
    for outputs in (least_outputs - 1, most_outputs + 1):
        model = good_model(operator)
        model.graph.node[0].output[:] = [f"y{i}" for i in range(outputs)]
        expected = f"expected {least_outputs} to {most_outputs} outputs, received {outputs}"
        assert refusal(model, tmp_path).endswith(expected)


@pytest.mark.parametrize("operator", [name for name, known in KNOWN.items() if known[4] or known[5]])
def test_attributes(operator: str, tmp_path) -> None:
    *_, required, optional = KNOWN[operator]
    op = operator.rpartition(".")[2]
    for name in f"{required} {optional}".split():
        good, bad = values_of(op, name)
        for value in good:
            check(good_model(operator, **{name: value}), tmp_path)
        for value in bad:
            message = refusal(good_model(operator, **{name: value}), tmp_path)
            assert f": node 0 '{op}'] expected a possible {name}, received" in message
    for name in required.split():
        model = good_model(operator)
        kept = [attribute for attribute in model.graph.node[0].attribute if attribute.name != name]
        del model.graph.node[0].attribute[:]
        model.graph.node[0].attribute.extend(kept)
        names = [attribute.name for attribute in kept]
        assert refusal(model, tmp_path).endswith(f", received {names}")


def test_split_has_the_outputs_that_it_states(tmp_path) -> None:
    message = refusal(good_model(".Split", num_outputs=2), tmp_path)
    assert message == f"[{tmp_path / 'model.onnx'}: node 0 'Split'] expected 2 outputs, received 1"


def test_an_attribute_is_there_once(tmp_path) -> None:
    model = good_model("whit.RelativeAttention")
    add_attribute(model.graph.node[0], "heads", 2)
    assert refusal(model, tmp_path).endswith("expected the attributes heads, received ['heads']")


@pytest.mark.parametrize(
    "fields",
    [{"i": 1}, {"type": 1, "i": 1}, {"type": 2, "i": 1, "f": 1.0}, {"type": 2}],
    ids=["no type", "another type", "two values", "no value"],
)
def test_an_attribute_has_the_type_that_it_states(tmp_path, fields: dict[str, Any]) -> None:
    model = good_model("whit.RelativeAttention")
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.add(name="heads", **fields)
    expected = "expected an attribute of the type that it states, received 'heads'"
    assert refusal(model, tmp_path).endswith(f": node 0 'RelativeAttention'] {expected}")
