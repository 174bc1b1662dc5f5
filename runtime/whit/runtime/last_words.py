"""What a program said before it failed."""

from subprocess import CompletedProcess


def last_words(process: CompletedProcess[str]) -> str:
    """Returns what a program that failed told last, or else its exit code."""
    lines = process.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {process.returncode}"
