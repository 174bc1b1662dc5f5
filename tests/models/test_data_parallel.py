"""Two processes that share a batch: the same loss and the same weights as one process with all of it."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from whit.models.batch import collate
from whit.models.data_parallel import end_with_parent, share_of
from whit.models.train import METRICS, STATE
from whit.runtime.manifest import Recording, write_manifest

RECIPE = """
name = "shared"
preset = "rnnt-digits"
[optimization]
steps = 3
learning_rate = 1e-3
warmup_fraction = 0.0
dropout = 0.0
weight_decay = 0.0
log_every = 1
loss = "{loss}"
[speech]
manifests = ["words.jsonl"]
dev_manifest = "words.jsonl"
dev_utterances = 1
batch_s = 20.0
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five recordings of two speakers in one batch: an odd number for two processes."""
    rng = np.random.default_rng(0)
    recordings = []
    for i, text in enumerate(("one two", "three", "four one six", "nine", "two two")):
        path = tmp_path / f"{i}.flac"
        soundfile.write(path, 0.1 * rng.standard_normal(5000 + 900 * i), 16000)
        recordings.append(Recording(audio=path, duration_s=0.4, text=text, speaker="ab"[i % 2]))
    write_manifest(tmp_path / "words.jsonl", recordings)
    return tmp_path


def train(data: Path, loss: str, processes: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Returns the losses of the steps and the state after them, of `whit train` by itself."""
    recipe = data / "recipe.toml"
    recipe.write_text(RECIPE.format(loss=loss))
    run = data / f"run{processes}"
    options = ["--data", str(data), "--run", str(run), "--processes", str(processes)]
    code = "from whit.runtime.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", code, "train", str(recipe), *options],
        check=True,
        cwd=data,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line], load_file(run / STATE)


@pytest.mark.parametrize("loss", ["ctc", pytest.param("transducer", marks=pytest.mark.full)])
def test_two_processes_equal_one(data: Path, loss: str) -> None:
    (one, state), (two, shared) = (train(data, loss, processes) for processes in (1, 2))
    # The same sums over utterances and frames, some 300 terms, in another order: 300 * 2^-24 = 2e-5.
    assert len(one) == len(two) == 3
    np.testing.assert_allclose(two, one, rtol=2e-5)
    assert state.keys() == shared.keys()
    for name, tensor in state.items():
        if name.endswith("exp_avg"):  # the gradients' mean; three steps on, three times the rounding
            atol = 6e-5 * float(tensor.abs().max())
        elif name.startswith("model."):
            # Adam moves a weight by up to the learning rate, 1e-3, however small its gradient is beside the
            # others of its tensor: 2 % of a step is left to such.
            atol = 2e-5
        else:
            continue
        torch.testing.assert_close(shared[name], tensor, rtol=0, atol=atol, msg=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("words.jsonl", "none.jsonl"), "none.jsonl] expected a manifest"),
        (("learning_rate = 1e-3", "learning_rate = 1e30"), "at learning rate"),
    ],
)
def test_an_error_in_the_processes_is_one_sentence(data: Path, change: tuple[str, str], message: str) -> None:
    recipe = data / "recipe.toml"
    recipe.write_text(RECIPE.format(loss="ctc").replace(*change))
    options = ["--data", str(data), "--run", str(data / "run"), "--processes", "2"]
    code = "from whit.runtime.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(recipe), *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=data,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_shares_are_disjoint_and_their_weighted_means_are_the_batchs() -> None:
    features = [np.full((6, 4), i, np.float32) for i in range(5)]
    batch = collate(
        features, [[i] * (i + 1) for i in range(5)], [[(i, i)] * (i + 1) for i in range(5)], multiple=6
    )
    for processes in (1, 2, 3, 7):
        shares = [share_of(batch, rank=rank, processes=processes) for rank in range(processes)]
        seen = sorted(int(t[0]) for share, weight in shares if weight > 0 for t in share.targets)
        assert seen == [0, 1, 2, 3, 4]
        means = [float(share.features.mean(dim=(1, 2)).mean()) * weight for share, weight in shares]
        assert np.mean(means) == pytest.approx(2.0)
        for share, _ in shares:
            first = share.targets[:, 0]
            assert torch.equal(share.num_targets, first + 1)
            assert torch.equal(share.windows[:, 0, 0], first)
            assert share.targets.shape[1] == 5


def test_a_process_ends_with_the_one_that_launched_it() -> None:
    """One that was killed cannot end those it launched; they would go on training, beside a second start."""
    there, gone = multiprocessing.Process(), multiprocessing.Process()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gone, "is_alive", lambda: False)
        patch.setattr(there, "is_alive", lambda: True)
        for parent in (None, there):
            patch.setattr(multiprocessing, "parent_process", lambda parent=parent: parent)
            end_with_parent()
        patch.setattr(multiprocessing, "parent_process", lambda: gone)
        with pytest.raises(SystemExit, match="it was killed"):
            end_with_parent()
