"""Text that any terminal takes, whatever the names of files in it."""


def printable(text: str) -> str:
    """Returns a text with `?` for what UTF-8 cannot write: bytes of file names in other encodings."""
    return text.encode(errors="replace").decode()
