"""A console for output that holds names of models, tensors and files."""

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """Returns a console that prints text as it is: brackets in a name are no markup, numbers no colours."""
    return Console(stderr=stderr, highlight=False, markup=False)
