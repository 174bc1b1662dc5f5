"""Small seeded models of every family, with norms far from doing nothing."""

import torch

from whit.models.conformer_ctc_config import ConformerCtcConfig
from whit.models.conv_config import ConvBlockConfig, ConvConfig
from whit.models.ctc_checkpoint import CtcCheckpointConfig
from whit.models.ctc_model import CtcModel, CtcModelConfig
from whit.models.offline_features import OfflineFrontend

SEPARABLE = ConvConfig(
    num_mels=5,
    blocks=(
        ConvBlockConfig(filters=7, kernel_size=5, stride=2, separable=True),
        ConvBlockConfig(filters=9, kernel_size=3, repeat=3, separable=True, residual=True),
        ConvBlockConfig(filters=6, kernel_size=7, dilation=3, separable=True),
        ConvBlockConfig(filters=8, kernel_size=1),
    ),
)
DENSE = ConvConfig(
    num_mels=5,
    blocks=(
        ConvBlockConfig(filters=7, kernel_size=5, stride=2),
        ConvBlockConfig(filters=9, kernel_size=3, repeat=2, residual=True, residual_dense=True),
        ConvBlockConfig(filters=6, kernel_size=5, repeat=2, residual=True, residual_dense=True),
        ConvBlockConfig(filters=8, kernel_size=1),
    ),
)
CONFORMER = ConformerCtcConfig(num_mels=13, conv_channels=6, layers=2, d_model=12, heads=3, kernel_size=5)
SHAPES: dict[str, CtcModelConfig] = {"separable": SEPARABLE, "dense": DENSE, "conformer": CONFORMER}
TOKENS = ("a", "b", "c")


def tiny_model(shape: CtcModelConfig, seed: int = 0) -> CtcModel:
    """Returns a model in evaluation mode whose every parameter is drawn from a seed."""
    torch.manual_seed(seed)
    model = CtcModel(shape, len(TOKENS)).eval()
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_var", "norm.weight")):
            tensor.uniform_(0.5, 2.0)
        elif ".norm." in name or "pos_bias" in name:
            tensor.normal_()
    return model


def tiny_config(shape: CtcModelConfig) -> CtcCheckpointConfig:
    """Returns what config.json says of such a model."""
    frontend = OfflineFrontend(num_mels=shape.num_mels)
    return CtcCheckpointConfig(name="tiny", model=shape, tokens=TOKENS, frontend=frontend, metrics={"a": 1})
