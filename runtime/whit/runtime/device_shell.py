"""The shell of a machine that runs whit-cli: a phone by adb, a Raspberry Pi by ssh, or this one."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from whit.runtime.errors import ConfigError, MeasurementError, MissingDependency
from whit.runtime.last_words import last_words


@dataclass(frozen=True, kw_only=True)
class DeviceShell:
    """How files come to a device and how commands run there."""

    name: str  # as the user named it
    run_words: tuple[str, ...]  # before a script of the device's shell
    copy_words: tuple[str, ...]  # before the files to copy
    copy_target: str  # before the folder that they are copied to
    scratch: str  # folder of the device in which programs may be written and run

    def run(self, script: str) -> str:
        """Returns what a script prints.

        Raises:
            MeasurementError: it failed, or the device cannot be reached; its last line is passed on.
        """
        return self._call([*self.run_words, script], task="a command that succeeds")

    def copy(self, files: Sequence[Path], folder: str) -> None:
        """Copies files into a folder of the device.

        Raises:
            MeasurementError: the device does not take them.
        """
        words = [*self.copy_words, *map(str, files), self.copy_target + folder]
        self._call(words, task=f"room for {len(files)} files in {folder}")

    @contextmanager
    def new_folder(self) -> Iterator[str]:
        """Yields a new folder of the device, which is removed at the end with all that is in it."""
        folder = self.run(f"mktemp -d {self.scratch}/whit.XXXXXX").strip()
        if not folder.startswith(f"{self.scratch}/whit."):
            message = f"expected a new folder in {self.scratch}, received {folder!r}"
            raise MeasurementError(f"[{self.name}] {message}")
        remove = f"rm -rf {shlex.quote(folder)}"
        try:
            yield folder
        except BaseException:
            with suppress(MeasurementError):  # the device may be what failed
                self.run(remove)
            raise
        self.run(remove)

    def _call(self, words: Sequence[str], *, task: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise MeasurementError(f"[{self.name}] expected {task}, received: {last_words(done)}")
        return done.stdout


def open_shell(name: str) -> DeviceShell:
    """Returns the shell of a device.

    Args:
        name: `adb`, `adb:SERIAL`, `ssh:HOST` or `local`.

    Raises:
        ConfigError: another name.
        MissingDependency: adb or ssh is not installed.
    """
    kind, colon, address = name.partition(":")
    if kind == "adb" and bool(colon) == bool(address):
        adb = (_program("adb"), *(("-s", address) if address else ()))
        return DeviceShell(
            name=name,
            run_words=(*adb, "shell"),
            copy_words=(*adb, "push"),
            copy_target="",
            scratch="/data/local/tmp",
        )
    if kind == "ssh" and address and not address.startswith("-"):
        return DeviceShell(
            name=name,
            run_words=(_program("ssh"), address),
            copy_words=(_program("scp"), "-q"),
            copy_target=f"{address}:",
            scratch="/tmp",
        )
    if name == "local":
        return DeviceShell(
            name=name, run_words=("sh", "-c"), copy_words=("cp",), copy_target="", scratch="/tmp"
        )
    raise ConfigError(f"[--device] expected adb, adb:SERIAL, ssh:HOST or local, received {name}")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingDependency(f"[{name}] expected this program in PATH, received none")
    return path
