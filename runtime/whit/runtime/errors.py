"""Errors a user of whit can cause. Each message names the place, what was expected and what came."""


class WhitError(Exception):
    """Base of every error that ends a command with exit code 2 and one sentence."""


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
