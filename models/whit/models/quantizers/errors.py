"""Errors of the weight quantizers."""

from whit.runtime.errors import WhitError


class QuantizationError(WhitError):
    """A rule, an option, a weight or a trained codebook that cannot be quantized as asked."""
