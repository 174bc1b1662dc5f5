"""Splits a checkpoint's tensors into files of a size that a repository takes.

Run as `python tools/shard_checkpoint.py CHECKPOINT OUT --max-mb 4`.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from whit.runtime.weight_files import INDEX, WHOLE, shard_name, weight_files


def shard_checkpoint(checkpoint: Path, out: Path, *, max_bytes: int) -> None:
    """Copies a checkpoint folder with its tensors in shards, in the order of their names.

    Args:
        checkpoint: folder to copy.
        out: folder that does not exist yet.
        max_bytes: of the tensors of one shard; a larger tensor stands alone.
    """
    tensors: dict[str, NDArray[np.generic]] = {}
    for path in weight_files(checkpoint):
        tensors |= load_file(path)
    shards: list[dict[str, NDArray[np.generic]]] = [{}]
    for name in sorted(tensors):
        if shards[-1] and sum(t.nbytes for t in shards[-1].values()) + tensors[name].nbytes > max_bytes:
            shards.append({})
        shards[-1][name] = tensors[name]
    names = [shard_name(number + 1, len(shards)) for number in range(len(shards))]
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())},
        "weight_map": {
            name: file for file, shard in zip(names, shards, strict=True) for name in sorted(shard)
        },
    }
    out.mkdir(parents=True)
    for file, shard in zip(names, shards, strict=True):
        save_file(shard, out / file)
        (out / file).chmod(0o644)  # safetensors makes it its owner's alone
    (out / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    for path in checkpoint.iterdir():
        if path.name not in (WHOLE, INDEX) and path.suffix != ".safetensors":
            shutil.copyfile(path, out / path.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-mb", type=float, default=4.0, help="10^6 bytes of tensors in a file")
    arguments = parser.parse_args()
    shard_checkpoint(arguments.checkpoint, arguments.out, max_bytes=int(arguments.max_mb * 1e6))
