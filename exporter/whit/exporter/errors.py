"""Errors of the exporter. Each message reads: [place] expected ..., received ...."""

from whit.runtime.errors import WhitError


class ExportError(WhitError):
    """Base of everything that stops an export."""


class CheckpointError(ExportError):
    """The checkpoint cannot be used; base of the defects below."""


class CheckpointFileError(CheckpointError):
    """A file of the checkpoint is missing, truncated or not of its format."""


class CheckpointVersionError(CheckpointError):
    """The checkpoint is of another format, version or architecture."""


class ConfigError(CheckpointError, ValueError):
    """A field of config.json is missing or out of range."""


class TensorSetError(CheckpointError):
    """Tensors are missing, unknown, of another shape or of another element type."""


class TensorValueError(CheckpointError, ValueError):
    """A tensor holds NaN, infinity or a value that its role forbids."""


class IndexRangeError(CheckpointError, ValueError):
    """A weight index lies outside its codebook."""


class CodebookError(CheckpointError, ValueError):
    """A codebook breaks the ranges of docs/format.md, section 1."""


class NotQuantizedError(ExportError):
    """The dialect needs every matrix quantized, and some are float."""


class LayoutError(ExportError, ValueError):
    """A matrix cannot be written in the layout that was asked for."""


class RequantizationError(ExportError, ValueError):
    """A real factor has no integer form: its scales contradict one another."""


class GraphError(ExportError):
    """A graph is not well formed: the exporter itself is at fault."""


class OutputError(ExportError):
    """The output folder cannot be written."""


class SelfCheckError(ExportError):
    """The written file computes something else than the checkpoint."""


class GateError(ExportError):
    """An exported file recognises worse than the gate allows."""
