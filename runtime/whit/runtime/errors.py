"""Errors a user of whit can cause. Each message names the place, what was expected and what came."""


class WhitError(Exception):
    """Base of every error that ends a command with exit code 2 and one sentence."""


def file_sentence(error: OSError, *, place: str) -> str:
    """Returns what a user is told of a file that the system refused; `place` where the error names none."""
    return (
        f"[{error.filename or place}] expected a file that can be used, received: {error.strerror or error}"
    )


class PackingError(WhitError, ValueError):
    """A matrix or codebook that the packed layouts cannot hold."""


class AudioError(WhitError, ValueError):
    """Samples or a recording that cannot be recognised."""


class ModelFileError(WhitError):
    """A model file that is missing, damaged, or of a version this program does not know."""


class UnsupportedEngine(WhitError):
    """An engine that this installation cannot run, or that cannot run this file."""


class MissingDependency(WhitError):
    """An optional package that a command needs."""


class ManifestError(WhitError, ValueError):
    """A manifest line that does not say what the command needs."""


class ConfigError(WhitError, ValueError):
    """A setting outside its range."""


class MeasurementError(WhitError):
    """A figure that could not be measured."""
