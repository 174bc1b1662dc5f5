"""Text that any terminal takes, whatever the names of files in it."""


def is_utf8(text: str) -> bool:
    """Tells whether a text can be written as UTF-8, which names of files in other encodings cannot."""
    return printable(text) == text


def printable(text: str) -> str:
    """Returns a text with `?` for what UTF-8 cannot write: bytes of file names in other encodings."""
    return text.encode(errors="replace").decode()
