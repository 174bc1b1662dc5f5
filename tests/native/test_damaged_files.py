"""A damaged model is refused in one sentence or computes what it stores: never a crash, never a hang."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

NUM_FILES = 150
TIMEOUT_S = 60


def damage(content: bytes, random: np.random.Generator) -> bytes:
    """Flips bits, overwrites fields, moves pieces, cuts the end off; mostly where the structure is."""
    data = np.frombuffer(content, np.uint8).copy()
    structure = int(np.flatnonzero(data[: 1 << 16])[-1]) + 1
    for _ in range(random.integers(1, 4)):
        at = int(random.integers(structure if random.random() < 0.8 else len(data)))
        match random.integers(4):
            case 0:
                data[at] ^= 1 << random.integers(8)
            case 1:
                field = at // 4 * 4
                value = random.choice(
                    [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, int(random.integers(1 << 16))]
                )
                data[field : field + 4] = np.frombuffer(np.uint32(value).tobytes(), np.uint8)
            case 2:
                length = int(random.integers(1, 64))
                source = int(random.integers(len(data) - 64))
                piece = data[source : source + length].copy()
                data[at : at + length] = piece[: len(data) - at]
            case 3:
                if random.random() < 0.3:
                    return data[:at].tobytes()
    return data.tobytes()


@pytest.mark.parametrize("stateless", [False, True])
def test_damaged_models_are_refused_or_right(stateless: bool, export_random, tmp_path) -> None:
    model = export_random("linear", 4, stateless=stateless) / "model.tflite"
    random = np.random.default_rng(7 + stateless)
    content = model.read_bytes()
    paths = [str(model)]
    for number in range(NUM_FILES):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(damage(content, random))
        paths.append(str(path))
    script = Path(__file__).parent / "load_damaged.py"
    command = [sys.executable, script, *paths]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    outcomes = [json.loads(line) for line in completed.stdout.splitlines()]
    assert completed.returncode == 0, (paths[len(outcomes)], completed.stderr[-2000:])
    assert outcomes[0] == ["ok", "ok"]
    for path, (tested, untested) in zip(paths, outcomes, strict=True):
        for message in (tested, untested):
            assert message == "ok" or (message.startswith(f"[{path}") and "] expected " in message), message
        if untested != "ok":
            assert tested != "ok"
    refused = sum(tested != "ok" for tested, _ in outcomes)
    only_by_bits = sum(tested != untested for tested, untested in outcomes)
    assert refused > NUM_FILES // 3  # the damage does reach what matters
    assert only_by_bits > 0  # and some of it only the golden vectors show
