"""The SignatureDefs of model.tflite (docs/format.md, section 9): names of a file and of the graph IR."""

from dataclasses import dataclass

from whit.exporter.ir import Graph

FILE = "model.tflite"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs in their order: name in the file to name in the graph IR."""

    inputs: dict[str, str]
    outputs: dict[str, str]


GRAPHS = ("encode", "predict", "join")
"""The signatures in the order of their subgraphs."""

_SIGNATURES = {
    "predict": Signature(
        inputs={"token": "predictor.token", "h": "predictor.h", "c": "predictor.c"},
        outputs={
            "predicted": "predictor.projected",
            "h_next": "predictor.h_next",
            "c_next": "predictor.c_next",
        },
    ),
    "join": Signature(
        inputs={"encoded": "joint.encoder", "predicted": "joint.predictor"},
        outputs={"logits": "joint.logits"},
    ),
}


_UTTERANCE = Signature(
    inputs={"features": "features", "length": "length"},
    outputs={"logits": "logits", "logits_length": "logits_length"},
)
"""`encode` of a model over whole utterances (docs/format.md, section 10)."""


def signature_of(graph: Graph) -> Signature:
    """Returns the signature of a graph; the states of `encode` go by the graph's own names."""
    if graph.name in _SIGNATURES:
        return _SIGNATURES[graph.name]
    if graph.outputs == tuple(_UTTERANCE.outputs):
        return _UTTERANCE
    states = [value.name.removeprefix("encoder.") for value in graph.inputs[1:]]
    return Signature(
        inputs={"features": "features", **{name: f"encoder.{name}" for name in states}},
        outputs={
            "encoded": "encoder.projected",
            **{f"{name}_next": f"encoder.{name}_next" for name in states},
        },
    )
