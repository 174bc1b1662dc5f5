"""Checkpoint folders with random weights, written from docs/format.md, section 5, alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

LSTM_MODEL = {
    "num_mels": 7,
    "stack": 3,
    "pre_layers": 1,
    "time_reduction": 2,
    "post_layers": 2,
    "encoder_hidden": 13,
    "predictor": "lstm",
    "embedding": 9,
    "predictor_layers": 2,
    "predictor_hidden": 11,
    "context": 1,
    "joint_hidden": 17,
}
STATELESS_MODEL = {**LSTM_MODEL, "predictor": "stateless", "context": 3, "time_reduction": 1, "pre_layers": 2}
NORM_MODEL = {**LSTM_MODEL, "post_layers": 3, "layer_norm": True, "residual": True}
PROJECTED_MODEL = {**NORM_MODEL, "projection": 10}
CONFORMER_MODEL = {
    "num_mels": 13,
    "conv_channels": 5,
    "time_reduction": 1,
    "layers": 2,
    "d_model": 20,
    "heads": 2,
    "ff_expansion": 3,
    "kernel_size": 5,
    "norm": "layer_norm",
    "left_context": 7,
    "chunk": 3,
    "predictor": "lstm",
    "embedding": 9,
    "predictor_layers": 1,
    "predictor_hidden": 11,
    "context": 1,
    "joint_hidden": 17,
}
FLOAT = ("linear_pos.weight", "pos_bias_u", "pos_bias_v", "depthwise_conv.weight")
TOKENS = ("\u2581zero", "\u2581one", "two", "\u00e9")


@dataclass(frozen=True)
class Scheme:
    """How one matrix is quantized; per_tile: a codebook for each 16 packed rows."""

    scheme: str
    bits: int
    per_tile: bool = False


@dataclass
class CheckpointData:
    """A checkpoint before it is written, its indices in their tensors' shapes; tests damage it."""

    config: dict[str, Any]
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config), encoding="utf-8")
        tensors = {name: np.ascontiguousarray(self._stored(name)) for name in self.tensors}
        save_file(tensors, folder / "model.safetensors")
        return folder

    def _stored(self, name: str) -> NDArray[Any]:
        tensor = self.tensors[name]
        entry = self.config["quantization"].get(name.removesuffix(".index"))
        if not name.endswith(".index") or entry is None:
            return tensor
        each = tensor.reshape(-1, 1) >> np.arange(entry["bits"]) & 1
        return np.packbits(each, bitorder="little").view(tensor.dtype)


def shapes_of(model: Mapping[str, Any], num_tokens: int) -> dict[str, tuple[int, ...]]:
    """The table of docs/format.md, section 5."""
    m, shapes = model, {}
    shapes["encoder.feature_mean"] = shapes["encoder.feature_std"] = (m["num_mels"],)
    stacks = []
    if "d_model" in m:
        shapes |= conformer_shapes(m)
    else:
        stacks.append(("encoder", m["encoder_hidden"], m["pre_layers"] + m["post_layers"]))
    if m["predictor"] == "lstm":
        stacks.append(("predictor", m["predictor_hidden"], m["predictor_layers"]))
    for prefix, hidden, layers in stacks:
        width = m.get("projection", hidden) if prefix == "encoder" else hidden
        for i in range(layers):
            inputs = width
            if i == 0:
                inputs = m["stack"] * m["num_mels"] if prefix == "encoder" else m["embedding"]
            elif prefix == "encoder" and i == m["pre_layers"]:
                inputs = m["time_reduction"] * width
            name = f"{prefix}.lstm.{i}"
            if prefix == "encoder" and i > 0 and m.get("layer_norm"):
                shapes |= {f"encoder.norm.{i}.weight": (inputs,), f"encoder.norm.{i}.bias": (inputs,)}
            shapes |= {f"{name}.weight_ih": (4 * hidden, inputs), f"{name}.weight_hh": (4 * hidden, width)}
            if prefix == "encoder" and "projection" in m:
                shapes[f"{name}.weight_hr"] = (width, hidden)
            shapes |= {f"{name}.bias_ih": (4 * hidden,), f"{name}.bias_hh": (4 * hidden,)}
    if m.get("layer_norm"):
        width = m.get("projection", m["encoder_hidden"])
        shapes["encoder.norm_out.weight"] = shapes["encoder.norm_out.bias"] = (width,)
    shapes["predictor.embedding.weight"] = (num_tokens, m["embedding"])
    if m["predictor"] == "stateless":
        shapes["predictor.linear.weight"] = (m["predictor_hidden"], m["context"] * m["embedding"])
        shapes["predictor.linear.bias"] = (m["predictor_hidden"],)
    encoder_width = m.get("d_model") or m.get("projection") or m["encoder_hidden"]
    shapes["joint.encoder.weight"] = (m["joint_hidden"], encoder_width)
    shapes["joint.encoder.bias"] = (m["joint_hidden"],)
    shapes["joint.predictor.weight"] = (m["joint_hidden"], m["predictor_hidden"])
    shapes["joint.output.weight"] = (num_tokens + 1, m["joint_hidden"])
    shapes["joint.output.bias"] = (num_tokens + 1,)
    return shapes


def conformer_shapes(m: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The table of docs/format.md, section 5, of a Conformer's encoder."""
    d, channels, shapes = m["d_model"], m["conv_channels"], {}
    frequencies = (m["num_mels"] // 2 + 1) // 2 + 1
    linear = {
        "encoder.pre_encode.conv.0": (channels, 1, 3, 3),
        "encoder.pre_encode.conv.2": (channels, channels, 3, 3),
        "encoder.pre_encode.out": (d, m["time_reduction"] * channels * frequencies),
    }
    for i in range(m["layers"]):
        name = f"encoder.layers.{i}"
        for part in ("feed_forward1", "feed_forward2"):
            linear[f"{name}.norm_{part}"] = (d,)
            linear[f"{name}.{part}.linear1"] = (m["ff_expansion"] * d, d)
            linear[f"{name}.{part}.linear2"] = (d, m["ff_expansion"] * d)
        linear |= {f"{name}.{norm}": (d,) for norm in ("norm_self_att", "norm_conv", "conv.norm", "norm_out")}
        linear |= {f"{name}.self_attn.linear_{part}": (d, d) for part in ("q", "k", "v", "out")}
        linear[f"{name}.conv.pointwise_conv1"] = (2 * d, d)
        linear[f"{name}.conv.pointwise_conv2"] = (d, d)
        linear[f"{name}.conv.depthwise_conv"] = (d, 1, m["kernel_size"])
        shapes[f"{name}.self_attn.linear_pos.weight"] = (d, d)
        for part in ("u", "v"):
            shapes[f"{name}.self_attn.pos_bias_{part}"] = (m["heads"], d // m["heads"])
        if m["norm"] == "batch_norm":
            shapes |= {f"{name}.conv.norm.running_{part}": (d,) for part in ("mean", "var")}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def random_checkpoint(
    model: Mapping[str, Any] = LSTM_MODEL,
    schemes: Mapping[str, Scheme] | Scheme | None = Scheme("linear", 8),
    *,
    tokens: tuple[str, ...] = TOKENS,
    seed: int = 0,
    gain: float = 1.0,
) -> CheckpointData:
    """A checkpoint with random weights; one scheme for all matrices, one each (absent: float), or None."""
    random = np.random.default_rng(seed)
    conformer = "d_model" in model
    frame_ms = 10 * (4 if conformer else model["stack"]) * model["time_reduction"]
    config: dict[str, Any] = {
        "format": "whit-checkpoint",
        "version": 1,
        "architecture": "conformer" if conformer else "rnnt",
        "name": "random",
        "model": dict(model),
        "frontend": {"flavour": "nemo", "sample_rate_hz": 16000, "num_mels": model["num_mels"]},
        "streaming": {"chunk_ms": model.get("chunk", 2) * frame_ms, "lookahead_ms": 0, "tail_ms": 480},
        "tokens": list(tokens),
        "quantization": {},
        "metrics": {},
    }
    data = CheckpointData(config)
    for name, shape in shapes_of(model, len(tokens)).items():
        scheme = schemes if isinstance(schemes, Scheme) else (schemes or {}).get(name)
        if len(shape) in (2, 4) and not name.endswith(FLOAT) and scheme is not None:
            config["quantization"][name] = {"scheme": scheme.scheme, "bits": scheme.bits}
            add_quantized(data, name, shape, scheme, random, gain)
        elif name == "encoder.feature_mean":
            data.tensors[name] = random.normal(-6, 2, shape).astype(np.float16)
        elif name == "encoder.feature_std":
            data.tensors[name] = random.uniform(2, 5, shape).astype(np.float32)
        elif name.endswith("running_var"):
            data.tensors[name] = random.uniform(0.2, 2, shape).astype(np.float32)
        elif len(shape) > 1:
            inputs = int(np.prod(shape[1:]))
            data.tensors[name] = (random.normal(0, gain, shape) / np.sqrt(inputs)).astype(np.float16)
        else:
            data.tensors[name] = random.normal(0, 0.3, shape).astype(np.float32)
    return data


def add_quantized(
    data: CheckpointData,
    name: str,
    shape: tuple[int, ...],
    scheme: Scheme,
    random: np.random.Generator,
    gain: float,
) -> None:
    rows, cols = shape[0], int(np.prod(shape[1:]))
    bits = scheme.bits
    lstm = name.endswith(("weight_ih", "weight_hh"))
    packed_rows = 16 * -(-rows // 16) if lstm else rows  # 4 units x 4 gates per tile: hidden rounded up to 4
    groups = 2 * -(-packed_rows // 32) if scheme.per_tile else 1
    spread = 127
    if bits <= 6:
        codebook = np.stack([codebook_of(scheme, random) for _ in range(groups)])
        data.tensors[f"{name}.codebook"] = codebook.astype(np.int8)
        spread = max(1, int(np.abs(codebook).max()))
    data.tensors[f"{name}.index"] = random.integers(1 if bits > 6 else 0, 1 << bits, shape).astype(np.uint8)
    scale = gain * random.uniform(0.5, 2.5, rows) / spread / np.sqrt(cols)
    data.tensors[f"{name}.scale"] = scale.astype(np.float32)


def codebook_of(scheme: Scheme, random: np.random.Generator) -> NDArray[np.int64]:
    size, (low, high) = 1 << scheme.bits, (-64, 63) if scheme.bits <= 4 else (-127, 127)
    if scheme.scheme == "linear":
        return np.arange(size) - size // 2
    if scheme.scheme == "codebook":
        return np.sort(random.choice(np.arange(low, high + 1), size, replace=False))
    z = int(random.integers(-20, -10))
    weights = random.choice([*range(-10, 0), *range(1, 25)], scheme.bits, replace=False)
    sums = [
        z + sum(int(w) for p, w in enumerate(weights) if i >> (scheme.bits - 1 - p) & 1) for i in range(size)
    ]
    return np.clip(sums, low, high) if max(sums) <= high and min(sums) >= low else codebook_of(scheme, random)
