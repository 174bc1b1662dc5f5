"""Which tensor of a NeMo model is which of ours."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from whit.models.conv_config import ConvConfig
from whit.models.ctc_model import CtcModel
from whit.models.errors import ForeignModelError

# Tables of the front-end, which is computed here, and counters of no use.
IGNORED = re.compile(r"preprocessor\..*|encoder\.pos_enc\.pe|.*\.num_batches_tracked")
NORM = ("weight", "bias", "running_mean", "running_var")
HEADS = {"ctc": "decoder.decoder_layers.0", "pooled": "decoder.decoder_layers.0", "frames": "decoder.layer0"}


def nemo_names(config: object, own: Mapping[str, Tensor]) -> dict[str, str]:
    """Returns the NeMo name of each of our tensors.

    Args:
        config: of the model.
        own: our tensors by name.
    """
    names = _conv_names(config) if isinstance(config, ConvConfig) else {}
    head = HEADS[config.head] if isinstance(config, ConvConfig) else HEADS["ctc"]
    names |= {f"decoder.{part}": f"{head}.{part}" for part in ("weight", "bias")}
    return {name: names.get(name, name.replace(".conv.norm.", ".conv.batch_norm.")) for name in own}


def _conv_names(config: ConvConfig) -> dict[str, str]:
    """Returns names by places in NeMo's lists: convolutions, norm, ReLU and dropout of each repetition."""
    suffix = ".conv.weight" if config.conv_mask else ".weight"  # its masked convolution wraps another
    names = {}
    panes = 0
    for b, block in enumerate(config.blocks):
        ours, theirs = f"encoder.blocks.{b}", f"encoder.encoder.{b}"
        convolutions = ("depthwise", "pointwise") if block.separable else ("conv",)
        for r in range(block.repeat):
            first = r * (len(convolutions) + 3)
            for i, name in enumerate(convolutions):
                names[f"{ours}.units.{r}.{name}.weight"] = f"{theirs}.mconv.{first + i}{suffix}"
            for part in NORM:
                norm = first + len(convolutions)
                names[f"{ours}.units.{r}.norm.{part}"] = f"{theirs}.mconv.{norm}.{part}"
        panes += block.residual_dense
        for p in range(panes if block.residual_dense else int(block.residual)):
            names[f"{ours}.residuals.{p}.conv.weight"] = f"{theirs}.res.{p}.0{suffix}"
            for part in NORM:
                names[f"{ours}.residuals.{p}.norm.{part}"] = f"{theirs}.res.{p}.1.{part}"
    return names


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:-1] if len(shape) == 3 and shape[-1] == 1 else shape


def fill(model: CtcModel, tensors: Mapping[str, Tensor]) -> None:
    """Puts a NeMo model's tensors into ours, as float32.

    Args:
        model: on the meta device or not; left on the CPU.
        tensors: by NeMo's names. Convolutions over single frames may keep or lack their last axis of one.

    Raises:
        ForeignModelError: names every tensor that is missing, left over, of another shape or not finite.
    """
    own = model.state_dict()
    names = nemo_names(model.config, own)
    wrong = [f"no {theirs}" for theirs in names.values() if theirs not in tensors]
    left_over = set(tensors) - set(names.values())
    wrong += [f"an unknown {name}" for name in sorted(left_over) if not IGNORED.fullmatch(name)]
    fitting = {}
    for name, theirs in names.items():
        if theirs not in tensors:
            continue
        expected, received = tuple(own[name].shape), tuple(tensors[theirs].shape)
        if _without_ones(received) != _without_ones(expected):
            wrong.append(f"{theirs} of {received} instead of {expected}")
        elif not tensors[theirs].is_floating_point():
            wrong.append(f"{theirs} of {tensors[theirs].dtype}")
        elif not torch.isfinite(tensors[theirs]).all():
            wrong.append(f"{theirs} with NaN or infinity")
        else:
            fitting[name] = tensors[theirs].float().reshape(expected)
    if wrong:
        raise ForeignModelError(
            f"[weights] expected the tensors of the configuration, received {', '.join(wrong)}"
        )
    nn.Module.to_empty(model, device="cpu")
    model.load_state_dict(fitting)
