"""Errors a user of whit can cause. Each message names the place, what was expected and what came."""


class WhitError(Exception):
    """Base of every error that ends a command with exit code 2 and one sentence."""


class PackingError(WhitError, ValueError):
    """A matrix or codebook that the packed layouts cannot hold."""
