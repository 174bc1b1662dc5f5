"""What a checkpoint may replace, and that nothing is lost when it cannot."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from whit.models import cli, presets
from whit.models.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from whit.models.errors import OutputError
from whit.models.presets import Preset
from whit.models.quantize_command import quantize
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.runtime.weight_files import INDEX, shard_name

TINY = RnntConfig(num_mels=5, encoder_hidden=9, embedding=7, predictor_hidden=6, joint_hidden=11)
TOKENS = ("▁a", "▁b", "▁c")
RECIPE = """
name = "t"
preset = "tiny"
[optimization]
steps = 2
[data]
source = [{ manifest = "clips.jsonl", weight = 1.0 }]
"""


def save(folder: Path, name: str = "tiny") -> None:
    save_checkpoint(folder, Rnnt(TINY, 3), CheckpointConfig(name=name, model=TINY, tokens=TOKENS))


def everything(folder: Path) -> dict[str, bytes | None]:
    """Returns every path below a folder, hidden ones too, with what it holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    ("taken", "out", "message"),
    [
        (["c/notes.txt"], "c", "holds notes.txt"),
        (["c/.git/config", "c/config.json"], "c", "holds .git"),
        (["c/README.md/x"], "c", r"holds README\.md"),
        ([f"c/{i}" for i in range(7)], "c", "holds 0, 1, 2 and 4 more"),
        (["c"], "c", "received a file"),
        (["c"], "c/d/e", "received the file"),
        ([], ".", "name of a checkpoint folder"),
        (["c/model.safetensors"], "c", r"\[c\] .* received a config\.json of another format"),
        (["c/model-00001-of-00002.safetensors", "c/README.md"], "c", "another format"),
        (["c/config.json"], "c", "another format"),
    ],
)
def test_what_else_is_there_is_not_replaced(
    tmp_path: Path, taken: list[str], out: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in taken:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("precious")
    before = everything(tmp_path)
    with pytest.raises(OutputError, match=message):
        save(Path(out))
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "config", ['{"model_type": "bert"}', "[]", "{", "[" * 100_000, "\0", '{"format": "other"}']
)
def test_a_folder_of_another_programs_model_is_not_replaced(tmp_path: Path, config: str) -> None:
    """The names are those of Hugging Face."""
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "config.json").write_text(config)
    (folder / "README.md").write_text("# BERT")
    (folder / INDEX).write_text("{}")
    (folder / shard_name(1, 1)).write_text("precious")
    before = everything(tmp_path)
    with pytest.raises(OutputError, match=r"bert\] .* received a config\.json of another format"):
        save(folder)
    assert everything(tmp_path) == before


def test_a_folder_with_a_card_alone_is_written(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "README.md").write_text("# A model")
    save(tmp_path / "c")
    assert (tmp_path / "c" / "README.md").read_text() == "# A model"


def test_an_empty_folder_and_one_through_a_link_are_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("first", "second"):
        save(tmp_path / "link", name)
        assert load_checkpoint(tmp_path / "real")[1].name == name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_a_model_card_stays(tmp_path: Path) -> None:
    save(tmp_path / "c", "first")
    (tmp_path / "c" / "README.md").write_text("# A model")
    save(tmp_path / "c", "second")
    assert load_checkpoint(tmp_path / "c")[1].name == "second"
    assert (tmp_path / "c" / "README.md").read_text() == "# A model"


def test_a_checkpoint_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "c", "first")
    before = everything(tmp_path)
    renames = []

    def fail_second(source: Path, target: Path, rename=os.replace) -> None:
        renames.append(target)
        if len(renames) == 2:
            raise PermissionError(1, "not now")
        rename(source, target)

    monkeypatch.setattr(os, "replace", fail_second)
    with pytest.raises(PermissionError, match="not now"):
        save(tmp_path / "c", "second")
    assert everything(tmp_path) == before


def test_a_full_disk_leaves_the_earlier_checkpoint(
    tmp_path: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    save(tmp_path / "c", "first")
    before = everything(tmp_path)
    with small_files(1000), pytest.raises(OutputError, match=r"c/model\.safetensors\] expected a file"):
        save(tmp_path / "c", "second")
    assert everything(tmp_path) == before


def app() -> typer.Typer:
    result = typer.Typer()
    for command in (cli.train, cli.init, cli.import_, quantize):
        result.command(command.__name__.strip("_"))(command)
    return result


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "recipe.toml", "--data", "nowhere"],
        ["init", "tiny"],
        ["init", "quartznet-digits"],
        ["import", "nowhere.nemo"],
        ["quantize", "float"],
    ],
)
def test_commands_ask_before_their_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Each would meet another error, or write, if it began."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(presets.PRESETS, "tiny", Preset(model=TINY, tokens=TOKENS))
    save(Path("float"))
    Path("float/model.safetensors").unlink()
    Path("recipe.toml").write_text(RECIPE)
    Path("out").mkdir()
    Path("out/notes.txt").write_text("precious")
    before = everything(tmp_path)
    result = CliRunner().invoke(app(), [*arguments, "-o", "out"])
    assert isinstance(result.exception, OutputError)
    assert everything(tmp_path) == before


def test_a_run_inside_the_folder_to_write_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(presets.PRESETS, "tiny", Preset(model=TINY, tokens=TOKENS))
    Path("recipe.toml").write_text(RECIPE)
    arguments = ["train", "recipe.toml", "--data", "x", "--run", "new/run", "-o"]
    for out in ("new/run", "new"):
        result = CliRunner().invoke(app(), [*arguments, out])
        assert isinstance(result.exception, OutputError)
        assert "does not hold the run" in str(result.exception)
