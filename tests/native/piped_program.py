"""A program that is fed through a pipe, observed from outside."""

import fcntl
import struct
import subprocess
import termios
import time
from pathlib import Path


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
