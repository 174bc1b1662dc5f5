"""Which files hold a checkpoint's tensors: one, or shards with an index in the layout of Hugging Face."""

from pathlib import Path

from whit.runtime.json_text import parse_json
from whit.runtime.printable import is_utf8

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


def weight_files(folder: Path) -> list[Path]:
    """Returns the safetensors files of a checkpoint folder: the shards of its index, or `model.safetensors`.

    Raises:
        ValueError: the index is not one, names files outside the folder, or stands beside a whole file.
        OSError: the index cannot be read.
    """
    index = folder / INDEX
    if not index.exists():
        return [folder / WHOLE]
    if (folder / WHOLE).exists():
        raise ValueError(f"[{folder}] expected {WHOLE} or {INDEX}, received both")
    try:
        parsed = parse_json(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"[{index}] expected a JSON text, received: {error}") from error
    places = parsed.get("weight_map") if isinstance(parsed, dict) else None
    if not isinstance(places, dict) or not places:
        raise ValueError(
            f"[{index}] expected a weight_map of tensors to files, received {type(places).__name__}"
        )
    names = {name for name in places.values() if isinstance(name, str)}
    outside = [name for name in places.values() if not isinstance(name, str) or not is_shard(name)]
    if outside:
        raise ValueError(
            f"[{index}] expected names like model-00001-of-00002.safetensors, received {outside[0]!r}"
        )
    return [folder / name for name in sorted(names)]


def shard_name(number: int, shards: int) -> str:
    """Returns the name of shard `number` of `shards`, counted from 1."""
    return f"model-{number:05}-of-{shards:05}.safetensors"


def is_shard(name: str) -> bool:
    """Tells whether a file may be named so that holds a part of the tensors."""
    is_plain = Path(name).name == name and is_utf8(name)
    return is_plain and name.startswith("model-") and name.endswith(".safetensors")
