"""From a NeMo model to a checkpoint folder of the project."""

from pathlib import Path

import torch

from whit.models.checkpoint import save_checkpoint
from whit.models.checkpoint_folder import check_folder
from whit.models.ctc_checkpoint import CtcCheckpointConfig
from whit.models.ctc_model import CtcModel
from whit.models.errors import ForeignModelError, ModelConfigError
from whit.models.nemo_archive import read_nemo
from whit.models.nemo_config import understand
from whit.models.nemo_names import fill

MAX_PARAMETERS = 2**31


def import_nemo(source: Path, *, name: str | None = None) -> tuple[CtcModel, CtcCheckpointConfig]:
    """Returns the model in a `.nemo` file or unpacked folder, in evaluation mode, and its configuration.

    Args:
        source: archive, or folder with model_config.yaml and model_weights.safetensors.
        name: what config.json calls the model; the source's name without its ending where none is given.

    Raises:
        ForeignModelError: the source is hostile, damaged, incomplete or of a kind that is not supported.
    """
    read = read_nemo(source)
    found = understand(read.config, read.vocabularies)
    try:
        config = CtcCheckpointConfig(
            name=name or source.stem, model=found.model, tokens=found.tokens, frontend=found.frontend
        )
    except ModelConfigError as error:
        raise ForeignModelError(
            f"[{source}] expected a model that can be imported, received {error}"
        ) from error
    with torch.device("meta"):
        model = CtcModel(config.model, len(config.tokens))
    count = sum(p.numel() for p in model.parameters())
    if count > MAX_PARAMETERS:
        raise ForeignModelError(f"[{source}] expected at most {MAX_PARAMETERS} parameters, received {count}")
    fill(model, read.tensors)
    return model.eval(), config


def import_checkpoint(source: Path, out: Path) -> None:
    """Writes the model of a NeMo archive or folder as a checkpoint folder, in float32."""
    check_folder(out)
    model, config = import_nemo(source)
    save_checkpoint(out, model, config, dtype=torch.float32)
