"""Checkpoints of whole-utterance models with random weights, float and integer-only, from docs/format.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from random_checkpoint import CheckpointData

from whit.exporter.build_ctc import build_float_ctc
from whit.exporter.ctc_checkpoint import CtcCheckpoint, read_ctc_checkpoint
from whit.exporter.float_ctc_operators import FLOAT_OPERATORS
from whit.exporter.run_graph import run_graph

TOKENS = ("a", "b", "\u2581c", "\u00e9")
BLOCK = {
    "stride": 1,
    "dilation": 1,
    "repeat": 1,
    "separable": False,
    "residual": False,
    "residual_dense": False,
    "dropout": 0.0,
}
QUARTZNET = {
    "num_mels": 13,
    "head": "ctc",
    "conv_mask": True,
    "blocks": [
        {**BLOCK, "filters": 19, "kernel_size": 5, "stride": 2, "separable": True},
        {**BLOCK, "filters": 33, "kernel_size": 7, "repeat": 3, "separable": True, "residual": True},
        {**BLOCK, "filters": 21, "kernel_size": 3, "dilation": 2, "separable": True},
        {**BLOCK, "filters": 35, "kernel_size": 1},
    ],
}
JASPER = {
    "num_mels": 11,
    "head": "ctc",
    "conv_mask": True,
    "blocks": [
        {**BLOCK, "filters": 17, "kernel_size": 5, "stride": 2},
        {**BLOCK, "filters": 33, "kernel_size": 3, "repeat": 2, "residual": True, "residual_dense": True},
        {**BLOCK, "filters": 9, "kernel_size": 5, "repeat": 2, "residual": True, "residual_dense": True},
        {**BLOCK, "filters": 13, "kernel_size": 3, "repeat": 1, "residual": True, "residual_dense": True},
        {**BLOCK, "filters": 15, "kernel_size": 3, "dilation": 2},
        {**BLOCK, "filters": 14, "kernel_size": 1},
    ],
}
CLASSIFIER = {**QUARTZNET, "head": "pooled"}
CONFORMER = {
    "num_mels": 13,
    "conv_channels": 5,
    "layers": 2,
    "d_model": 36,
    "heads": 3,
    "ff_expansion": 2,
    "kernel_size": 5,
    "xscaling": True,
}
MODELS = {"quartznet": QUARTZNET, "jasper": JASPER, "conformer": CONFORMER}


def shapes_of(model: Mapping[str, Any], outputs: int) -> dict[str, tuple[int, ...]]:
    """The tables of docs/format.md, section 5."""
    shapes = conformer_shapes(model) if "d_model" in model else conv_shapes(model)
    width = model["d_model"] if "d_model" in model else model["blocks"][-1]["filters"]
    return {**shapes, "decoder.weight": (outputs, width), "decoder.bias": (outputs,)}


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def conv_shapes(model: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    width, dense = model["num_mels"], list[int]()
    for b, block in enumerate(model["blocks"]):
        filters, kernel_size = block["filters"], block["kernel_size"]
        dense = [*dense, width] if block["residual_dense"] else dense
        around = dense if block["residual_dense"] else [width] * block["residual"]
        for p, source in enumerate(around):
            name = f"encoder.blocks.{b}.residuals.{p}"
            shapes |= {f"{name}.conv.weight": (filters, source, 1), **norm(f"{name}.norm", filters)}
        for r in range(block["repeat"]):
            name = f"encoder.blocks.{b}.units.{r}"
            if block["separable"]:
                shapes[f"{name}.depthwise.weight"] = (width, 1, kernel_size)
                shapes[f"{name}.pointwise.weight"] = (filters, width, 1)
            else:
                shapes[f"{name}.conv.weight"] = (filters, width, kernel_size)
            shapes |= norm(f"{name}.norm", filters)
            width = filters
    return shapes


def conformer_shapes(m: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    d, channels, hidden = m["d_model"], m["conv_channels"], m["ff_expansion"] * m["d_model"]
    frequencies = ((m["num_mels"] + 1) // 2 + 1) // 2
    linear: dict[str, tuple[int, ...]] = {
        "encoder.pre_encode.conv.0": (channels, 1, 3, 3),
        "encoder.pre_encode.conv.2": (channels, channels, 3, 3),
        "encoder.pre_encode.out": (d, channels * frequencies),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(m["layers"]):
        name = f"encoder.layers.{i}"
        for part in ("feed_forward1", "feed_forward2"):
            linear |= {f"{name}.norm_{part}": (d,), f"{name}.{part}.linear1": (hidden, d)}
            linear[f"{name}.{part}.linear2"] = (d, hidden)
        linear |= {f"{name}.{part}": (d,) for part in ("norm_self_att", "norm_conv", "norm_out")}
        linear |= {f"{name}.self_attn.linear_{part}": (d, d) for part in ("q", "k", "v", "out")}
        linear |= {f"{name}.conv.pointwise_conv1": (2 * d, d), f"{name}.conv.pointwise_conv2": (d, d)}
        linear[f"{name}.conv.depthwise_conv"] = (d, 1, m["kernel_size"])
        shapes |= norm(f"{name}.conv.norm", d)
        shapes[f"{name}.self_attn.linear_pos.weight"] = (d, d)
        for part in ("u", "v"):
            shapes[f"{name}.self_attn.pos_bias_{part}"] = (m["heads"], d // m["heads"])
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def float_checkpoint(
    model: Mapping[str, Any], *, tokens: tuple[str, ...] = TOKENS, seed: int = 0
) -> CheckpointData:
    """A float checkpoint whose activations keep their size from layer to layer."""
    random = np.random.default_rng(seed)
    conformer, head = "d_model" in model, model.get("head")
    architecture = "conformer_ctc" if conformer else "conv_ctc" if head == "ctc" else "conv_classifier"
    data = CheckpointData(
        {
            "format": "whit-checkpoint",
            "version": 1,
            "architecture": architecture,
            "name": "random",
            "model": dict(model),
            "frontend": {
                "flavour": "nemo_offline",
                "sample_rate_hz": 16000,
                "num_mels": model["num_mels"],
                "window_ms": 20,
                "kind": "log_mel",
                "normalize": "per_feature",
            },
            "tokens": list(tokens),
            "quantization": {},
            "metrics": {},
        }
    )
    for name, shape in shapes_of(model, len(tokens) + (architecture != "conv_classifier")).items():
        if len(shape) > 1:
            inputs = int(np.prod(shape[1:]))
            tensor = random.normal(0, np.sqrt(1 if "pos_bias" in name else 2 / inputs), shape)
        elif name.endswith("running_var"):
            tensor = random.uniform(0.5, 2, shape)
        elif "norm" in name and name.endswith("weight"):
            tensor = random.uniform(0.7, 1.4, shape) * random.choice([1, 1, 1, -1], shape)
        else:
            tensor = random.normal(0, 0.3, shape)
        data.tensors[name] = tensor.astype(np.float32)
    return data


def features_of(num_mels: int, frames: int, *, seed: int = 1) -> NDArray[np.float32]:
    """Normalised features: each frame resembles the one before, as those of speech do."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((frames + 4, num_mels))
    smooth = sum(noise[i : i + frames] for i in range(5))
    smooth = (smooth - smooth.mean(axis=0)) / (smooth.std(axis=0) + 1e-5)
    return smooth.astype(np.float32)


def integer_checkpoint(
    data: CheckpointData, folder: Path, *, bits: int = 8, activation_bits: int = 8
) -> CheckpointData:
    """The integer-only checkpoint of a float one: folded, rounded, scales from one float run.

    Args:
        data: the float checkpoint.
        folder: for its files.
        bits: of every weight.
        activation_bits: of every activation of 8 bits.
    """
    folded = fold(data)
    checkpoint = read_ctc_checkpoint(data.write(folder / "float"))
    config: dict[str, Any] = {**data.config, "quantization": {}}
    made = CheckpointData(config)
    for name, tensor in folded.items():
        if tensor.ndim == 1 or "pos_bias" in name:
            made.tensors[name] = tensor.astype(np.float32)
            continue
        greatest = (1 << (bits - 1)) - 1
        flat = tensor.reshape(len(tensor), -1)
        scale = np.maximum(np.abs(flat).max(axis=1), 1e-6) / greatest
        codes = np.clip(np.rint(flat / scale[:, None]), -greatest, greatest)
        made.tensors[f"{name}.index"] = (codes + (1 << (bits - 1))).astype(np.uint8).reshape(tensor.shape)
        made.tensors[f"{name}.scale"] = scale.astype(np.float32)
        if bits < 7:
            codebook = np.maximum(np.arange(1 << bits) - (1 << (bits - 1)), -greatest)
            made.tensors[f"{name}.codebook"] = codebook[None].astype(np.int8)
        config["quantization"][name] = {"scheme": "linear", "bits": bits}
    scales = measured_scales(checkpoint, activation_bits)
    config["integer"] = {
        "activation_bits": activation_bits,
        "scales": scales,
        "calibration": {"kind": "test"},
    }
    return made


def fold(data: CheckpointData) -> dict[str, NDArray[np.float64]]:
    """The tensors without batch norms."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in data.tensors.items()}
    for name in [name for name in tensors if name.endswith(".running_var")]:
        norm = name.removesuffix(".running_var")
        parent = norm.removesuffix("norm")
        weight = next(
            f"{parent}{layer}.weight"
            for layer in ("pointwise", "conv", "depthwise_conv")
            if f"{parent}{layer}.weight" in tensors
        )
        epsilon = 1e-5 if "layers" in norm else 1e-3
        factor = tensors.pop(f"{norm}.weight") / np.sqrt(tensors.pop(name) + epsilon)
        shift = tensors.pop(f"{norm}.bias") - tensors.pop(f"{norm}.running_mean") * factor
        bias = weight.replace(".weight", ".bias")
        tensors[bias] = tensors.get(bias, np.zeros(len(factor))) * factor + shift
        tensors[weight] = tensors[weight] * factor.reshape(-1, *[1] * (tensors[weight].ndim - 1))
    return tensors


def float_values(
    checkpoint: CtcCheckpoint, features: NDArray[np.float32], length: int
) -> dict[str, NDArray[np.float64]]:
    """Every value of a checkpoint's float run."""
    graph = build_float_ctc(checkpoint, max_frames=len(features)).graphs[0]
    inputs = {"features": features.astype(np.float64), "length": np.array([length], np.int32)}
    return {**run_graph(graph, inputs, FLOAT_OPERATORS), "features": inputs["features"]} | {
        name: np.asarray(array) for name, array in graph.constants.items() if name.endswith("linear_pos")
    }


def measured_scales(checkpoint: CtcCheckpoint, activation_bits: int) -> dict[str, float]:
    """The scale of every place from the greatest magnitude of a float run."""
    config = checkpoint.config
    values = float_values(checkpoint, features_of(config.model.num_mels, 83, seed=7), 83)
    scales = {}
    for name in [*config.model.scale_names(), "decoder"]:
        if name.endswith(".stream"):
            layer = name.removesuffix(".stream")
            sums = ("feed_forward1.sum", "self_attn.sum", "conv.sum", "feed_forward2.sum")
            seen = [values[f"{layer}.{part}"] for part in sums]
            number = int(layer.split(".")[-1])
            before = f"encoder.layers.{number - 1}.norm_out" if number else "encoder.pre_encode.out"
            greatest, steps = max(np.abs(v).max() for v in [*seen, values[before]]), 32767
        elif name.endswith(".linear_q"):
            bias = [checkpoint.vectors[name.replace("linear_q", f"pos_bias_{p}")].reshape(-1) for p in "uv"]
            greatest = max(np.abs(values[name] + b).max() for b in bias)
            steps = (1 << (activation_bits - 1)) - 1
        else:
            greatest = np.abs(values["logits" if name == "decoder" else name]).max()
            after_relu = name.count(".units.") and not name.endswith(".depthwise")
            unsigned = after_relu or ".pre_encode.conv" in name
            steps = (1 << activation_bits) - 1 if unsigned else (1 << (activation_bits - 1)) - 1
            steps = 32767 if name == "decoder" else steps
        scales[name] = float(greatest / steps)
    return scales
