"""A program that is fed through a pipe, observed from outside."""

import fcntl
import struct
import subprocess
import termios
from pathlib import Path


def waits_for_more(process: subprocess.Popen[bytes]) -> bool:
    """Returns whether a program has read all of its input and sleeps."""
    unread = struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)))[0]
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return not unread and state == "S"
