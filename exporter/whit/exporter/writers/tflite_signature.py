"""The SignatureDefs of model.tflite (docs/format.md, section 9): names of a file and of the graph IR."""

from dataclasses import dataclass

FILE = "model.tflite"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs in their order: name in the file to name in the graph IR."""

    inputs: dict[str, str]
    outputs: dict[str, str]


SIGNATURES = {
    "encode": Signature(
        inputs={"features": "features", "h": "encoder.h", "c": "encoder.c"},
        outputs={"encoded": "encoder.projected", "h_next": "encoder.h_next", "c_next": "encoder.c_next"},
    ),
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
