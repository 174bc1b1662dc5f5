"""Errors of the models area: one sentence a class, message = [place] expected ..., received ...."""

from whit.runtime.errors import WhitError


class ModelsError(WhitError):
    """Base of every error the models area raises for something its caller gave."""


class ModelConfigError(ModelsError, ValueError):
    """A model configuration holds a value outside its range or an unknown key."""


class ShapeError(ModelsError, ValueError):
    """A tensor's shape, dtype or length does not fit the operation."""


class CheckpointError(ModelsError, ValueError):
    """A checkpoint folder is missing, incomplete or contradicts itself."""


class OutputError(ModelsError):
    """A file or folder cannot be written: its place is taken, or the disk is full."""


class ManifestError(ModelsError, ValueError):
    """A manifest line is not what the manifest format says."""


class RecipeError(ModelsError, ValueError):
    """A training recipe is missing a key, has an unknown one or a value outside its range."""


class ResumeError(ModelsError, ValueError):
    """A saved training state does not belong to the model or recipe that resumes it."""


class DivergenceError(ModelsError, ArithmeticError):
    """A loss or a gradient of training is infinite or no number."""


class SynthesisError(ModelsError, RuntimeError):
    """A speech synthesiser is not installed or failed."""


class ForeignModelError(ModelsError, ValueError):
    """A foreign checkpoint is hostile, damaged, incomplete or of a kind that is not supported."""
