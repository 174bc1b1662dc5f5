"""Python for 64-bit Arm from Debian's packages, unpacked into a folder: headers, and a program for qemu.

Nothing is installed and no privilege is needed: apt works on private lists, read from this system's sources.
They have to offer the minor version of the Python that runs this.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
ROOT = Path(__file__).parents[2] / "build" / f"arm64-python{VERSION}"
INCLUDE = ROOT / "usr" / "include"
PYTHON_INCLUDE = INCLUDE / f"python{VERSION}"
PYTHON = ROOT / "usr" / "bin" / f"python{VERSION}"


def is_offered() -> bool:
    """Returns whether this system's package lists know the Python version that is running."""
    show = ["apt-cache", "show", f"libpython{VERSION}-dev"]
    return subprocess.run(show, capture_output=True).returncode == 0


def fetch() -> Path:
    """Returns the folder with the unpacked Python; downloads it the first time (about 20 MB).

    Raises:
        subprocess.CalledProcessError: apt has no such package, or no network.
    """
    if ROOT.exists():
        return ROOT
    ROOT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as scratch:
        root = Path(scratch) / "root"
        for package in download(Path(scratch)):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        if not (
            root / "lib"
        ).exists():  # Debian 13 ships nothing in /lib, where programs look for their loader
            (root / "lib").symlink_to("usr/lib")
        root.rename(ROOT)
    return ROOT


def download(scratch: Path) -> list[Path]:
    """Returns the packages of the interpreter with all it depends on, and of its headers alone."""
    archives = scratch / "cache" / "archives"
    for folder in (archives / "partial", scratch / "state" / "lists" / "partial"):
        folder.mkdir(parents=True)
    status = scratch / "state" / "status"  # of an empty system, so that every dependency is downloaded
    status.touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Debug::NoLocking": "true",
        "Dir::State": scratch / "state",
        "Dir::State::status": status,
        "Dir::Cache": scratch / "cache",
    }
    apt = ["apt-get", "-qq", "-y", *(f"-o{name}={value}" for name, value in settings.items())]
    wanted = [f"python{VERSION}-minimal", f"libpython{VERSION}-stdlib", "libstdc++6"]
    subprocess.run([*apt, "update"], check=True, capture_output=True)
    subprocess.run([*apt, "install", "--download-only", *wanted], check=True, capture_output=True)
    headers = [*apt, "download", f"libpython{VERSION}-dev"]
    subprocess.run(headers, check=True, capture_output=True, cwd=archives)
    return sorted(archives.glob("*.deb"))
