"""A program that is fed through a pipe, observed from outside."""

import fcntl
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HANG_S = 120
"""What these programs do takes seconds: only a machine far slower would be taken for a hang."""


@contextmanager
def piped(command: Sequence[str | Path], **options: Any) -> Generator[subprocess.Popen[bytes]]:
    """Runs a program between pipes; it is ended if it hangs, so that a test that waits for it fails."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes | options) as process:
        watchdog = threading.Timer(HANG_S, process.kill)
        watchdog.start()
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()


def feed(process: subprocess.Popen[bytes], content: bytes) -> None:
    """Writes to a program and returns when it has read all of it and waits for more, or has ended."""
    process.stdin.write(content)
    process.stdin.flush()
    while process.poll() is None and not waits_for_more(process):
        time.sleep(0.01)


def waits_for_more(process: subprocess.Popen[bytes]) -> bool:
    """Returns whether a program has read all of its input and sleeps."""
    unread = struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)))[0]
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return not unread and state == "S"
