"""The folder of a checkpoint: which one may be written, and writing it whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whit.models.errors import OutputError
from whit.runtime.json_text import parse_json
from whit.runtime.weight_files import INDEX, WHOLE, is_shard, weight_files

FORMAT = "whit-checkpoint"
WEIGHTS, CONFIG, CARD = WHOLE, "config.json", "README.md"


def check_folder(folder: Path, *, made_from: Path | None = None) -> None:
    """Raises OutputError unless a checkpoint may be written to `folder`: new, empty or one of a checkpoint.

    Commands ask before their work; what else a folder holds would be lost with the earlier checkpoint.

    Args:
        folder: to write.
        made_from: folder of the checkpoint that the new one is made from, which has to stay.
    """
    if folder.name in ("", ".."):
        raise OutputError(f"[{folder}] expected the name of a checkpoint folder, received none")
    place = folder.resolve()
    if made_from is not None and place == made_from.resolve():
        raise OutputError(f"[{folder}] expected another folder than the checkpoint's own, received the same")
    if not place.exists():
        above = next(parent for parent in place.parents if parent.exists())
        if not above.is_dir():
            raise OutputError(f"[{folder}] expected folders above it, received the file {above}")
        return
    if not place.is_dir():
        raise OutputError(f"[{folder}] expected a checkpoint folder, received a file")
    others = sorted(
        entry.name
        for entry in place.iterdir()
        if not (entry.name in (WEIGHTS, INDEX, CONFIG, CARD) or is_shard(entry.name)) or not entry.is_file()
    )
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise OutputError(
            f"[{folder}] expected a new or empty folder or that of a checkpoint, "
            f"received one that holds {', '.join(others[:3])}{more}"
        )
    if any(entry.name != CARD for entry in place.iterdir()) and not _is_ours(place / CONFIG):
        raise OutputError(
            f"[{folder}] expected a new or empty folder or that of a checkpoint, "
            f"received a {CONFIG} of another format than {FORMAT}, or none"
        )


def _is_ours(config: Path) -> bool:
    """Returns whether a file is the config.json of a checkpoint of whit, of whatever version."""
    try:
        parsed = parse_json(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(parsed, dict) and parsed.get("format") == FORMAT


def weights_sha256(folder: Path) -> str:
    """Returns the digest of a checkpoint's weight files, one after the other, as hexadecimal digits."""
    digest = hashlib.sha256()
    for path in weight_files(folder):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that replaces `folder` when the block ends well; an earlier README.md stays.

    Raises:
        OutputError: `folder` is no place for a checkpoint.
    """
    check_folder(folder)
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        yield building
        if (place / CARD).exists():
            shutil.copy2(place / CARD, building)
        building.chmod(0o755)
        _replace(place, building)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _replace(place: Path, building: Path) -> None:
    """Renames `building` to `place`; an earlier folder there is put back when that fails."""
    if not place.exists():
        os.replace(building, place)
        return
    earlier = building.with_name(building.name + ".earlier")
    os.replace(place, earlier)
    try:
        os.replace(building, place)
    except BaseException:
        os.replace(earlier, place)
        raise
    shutil.rmtree(earlier)
