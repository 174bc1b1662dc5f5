from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from whit.models import cli
from whit.models.errors import RecipeError
from whit.models.pieces import learn_pieces, read_pieces, write_pieces
from whit.models.tokens import Tokenizer
from whit.runtime.manifest import Recording, write_manifest

TEXTS = ["the cat sat on the mat", "the hat of the cat", "that rat ate the oats at the gate"] * 20


@pytest.fixture
def manifest(tmp_path: Path, need_module: Callable[[str], ModuleType]) -> Path:
    need_module("sentencepiece")
    recordings = [Recording(audio=tmp_path / f"{i}.flac", text=text) for i, text in enumerate(TEXTS)]
    write_manifest(tmp_path / "texts.jsonl", recordings)
    return tmp_path / "texts.jsonl"


def test_pieces_cover_the_texts_and_join_what_is_frequent(manifest: Path) -> None:
    pieces = learn_pieces([manifest], 30)
    assert len(pieces) == len(set(pieces)) == 30
    assert set("".join(TEXTS)) - {" "} <= set(pieces)
    assert "▁the" in pieces
    tokenizer = Tokenizer(pieces)
    for text in TEXTS[:3]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert len(ids) < len(text) / 1.5
    assert learn_pieces([manifest], 30) == pieces


def test_a_size_that_cannot_be_reached_is_an_error(manifest: Path) -> None:
    for size in (5, 4000, 10**12):
        with pytest.raises(RecipeError, match=rf"these texts allow, received {size}"):
            learn_pieces([manifest], size)


def test_the_command_writes_what_it_learned(manifest: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(cli.pieces)
    result = CliRunner().invoke(app, [str(manifest), "--size", "30", "-o", str(tmp_path / "a.pieces")])
    assert result.exit_code == 0, result.output
    assert read_pieces(tmp_path / "a.pieces") == learn_pieces([manifest], 30)


def test_files_hold_one_piece_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.pieces"
    write_pieces(path, ("▁a", "b", "'"))
    assert path.read_bytes() == "▁a\nb\n'\n".encode()
    assert read_pieces(path) == ("▁a", "b", "'")


@pytest.mark.parametrize("content", ["▁a\n▁a\n", "▁a\n\nb\n", "a\nb\n", "", b"\xff\xfe"])
def test_a_file_that_is_no_vocabulary_is_an_error(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "bad.pieces"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecipeError, match=r"bad\.pieces"):
        read_pieces(path)
    with pytest.raises(RecipeError, match=r"none\.pieces"):
        read_pieces(tmp_path / "none.pieces")


def test_the_vocabulary_of_the_recipes_is_one() -> None:
    recipes = Path(__file__).parents[2] / "models" / "recipes"
    pieces = read_pieces(recipes / "librispeech-128.pieces")
    assert len(pieces) == 128
    assert Tokenizer(pieces).decode(Tokenizer(pieces).encode("don't panic")) == "don't panic"
