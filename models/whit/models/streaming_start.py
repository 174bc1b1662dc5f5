"""A streaming Conformer that begins with the weights of one over whole utterances (docs/decisions/0010).

Such a model learns in fewer steps, and there are trained ones (`whit import`). What the streaming one cannot
see, the frames to come, it has to learn to do without.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from whit.models.conformer_config import ConformerConfig
from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.ctc_checkpoint import load_ctc_checkpoint
from whit.models.errors import ModelConfigError
from whit.models.float_start import check_float_start
from whit.models.rnnt import Joint, Rnnt

SAME_SIZES = ("num_mels", "conv_channels", "layers", "d_model", "heads", "ff_expansion", "kernel_size")


@torch.no_grad()
def begin_with_whole_utterances(model: Rnnt, tokens: tuple[str, ...], folder: Path) -> None:
    """Copies the encoder of a Conformer-CTC checkpoint, and its output layer where there is room.

    Args:
        model: a streaming Conformer with batch norms and the checkpoint's sizes; its feature statistics stay.
        tokens: of `model`.
        folder: of the checkpoint.

    Raises:
        CheckpointError: `folder` is no checkpoint of a model over whole utterances.
        ModelConfigError: its encoder is another one.
        RecipeError: its weights are quantized.
    """
    offline, started = load_ctc_checkpoint(folder)
    check_float_start(offline, folder)
    config = model.config
    if not isinstance(config, ConformerConfig) or not isinstance(started.model, ConformerCtcConfig):
        raise ModelConfigError(f"[{folder}] expected a Conformer for a streaming Conformer to begin with")
    _check_sizes(folder, config, started.model)
    for name, tensor in model.encoder.state_dict().items():
        if not name.startswith("feature_"):
            tensor.copy_(_streaming_tensor(name, offline.encoder.state_dict()[name], config, started.model))
    if tokens == started.tokens and 2 * len(offline.decoder.weight) <= config.joint_hidden:
        _begin_joint(model.joint, offline.decoder.weight, offline.decoder.bias)


def _check_sizes(folder: Path, config: ConformerConfig, started: ConformerCtcConfig) -> None:
    if (config.norm, config.time_reduction) != ("batch_norm", 1):
        raise ModelConfigError(
            f"[{folder}] expected to begin a model of norm batch_norm and time_reduction 1, "
            f"received {config.norm} and {config.time_reduction}"
        )
    for name in SAME_SIZES:
        if getattr(started, name) != getattr(config, name):
            raise ModelConfigError(
                f"[{folder}: {name}] expected {getattr(config, name)}, received {getattr(started, name)}"
            )


def _streaming_tensor(
    name: str, tensor: Tensor, config: ConformerConfig, started: ConformerCtcConfig
) -> Tensor:
    """Returns what computes in a stream what `tensor` does in a whole utterance, but for the future."""
    scale = math.sqrt(config.d_model) if started.xscaling else 1.0
    if name == "pre_encode.out.bias":
        return tensor * scale
    if name == "pre_encode.out.weight":
        # Frequencies are padded by two zeros before the first, not one: their centres lie one mel higher.
        columns = tensor.view(config.d_model, config.conv_channels, started.frequencies[1])
        room = config.frequencies[1] - started.frequencies[1]
        return torch.nn.functional.pad(columns, (room, 0)).flatten(1) * scale
    if name.endswith("depthwise_conv.weight"):
        past = config.kernel_size // 2 + 1
        return torch.nn.functional.pad(tensor[..., :past], (config.kernel_size - past, 0))
    return tensor


def _begin_joint(joint: Joint, weight: Tensor, bias: Tensor) -> None:
    """Makes CTC's logits those of a linear layer: y = relu(y) - relu(-y)."""
    outputs = len(weight)
    joint.encoder.weight[: 2 * outputs] = torch.cat((weight, -weight))
    joint.encoder.bias[: 2 * outputs] = torch.cat((bias, -bias))
    joint.output.bias.zero_()
    joint.output.weight[:, : 2 * outputs] = torch.cat((torch.eye(outputs), -torch.eye(outputs)), 1)
    joint.output.weight[:, 2 * outputs :] = 0.0
