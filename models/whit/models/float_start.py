"""What `init_from` of a recipe names: float weights, for stored codes cannot be trained."""

from pathlib import Path

from torch import nn

from whit.models.errors import RecipeError
from whit.models.quantizers import quantizers_of


def check_float_start(model: nn.Module, checkpoint: Path) -> None:
    """Raises RecipeError if a weight of the model that `checkpoint` holds is quantized."""
    if any(True for _ in quantizers_of(model)):
        raise RecipeError(f"[init_from] expected float weights, received quantized ones: {checkpoint}")
