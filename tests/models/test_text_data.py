"""Text without speech: what is kept of a file, what a step reads, its loss, each process's share of it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from whit.models.batch import Batch, collate
from whit.models.data_parallel import share_of
from whit.models.errors import RecipeError
from whit.models.losses import batch_loss, text_loss
from whit.models.presets import LETTERS
from whit.models.recipe import OptimizationConfig
from whit.models.rnnt import Rnnt
from whit.models.rnnt_config import RnntConfig
from whit.models.text_data import TextConfig, TextData
from whit.models.tokens import Tokenizer

TOKENIZER = Tokenizer(LETTERS)
TINY = RnntConfig(num_mels=5, encoder_hidden=9, embedding=7, predictor_hidden=6, joint_hidden=11)
BLANK = 3


def text_data(folder: Path, text: str, *, rows: int = 200, row_tokens: int = 8, seed: int = 1) -> TextData:
    (folder / "book.txt").write_text(text, encoding="utf-8")
    config = TextConfig(files=("book.txt",), rows=rows, row_tokens=row_tokens)
    return TextData(config, data=folder, tokenizer=TOKENIZER, seed=seed)


def test_rows_begin_with_words_and_hold_only_what_the_model_spells(tmp_path: Path) -> None:
    text = "CHAPTER 12\n\nIt isn\u2019t \u2018so\u2019--she _said_; caf\u00e9 1811.\nYes!"
    found = {TOKENIZER.decode(row) for row in text_data(tmp_path, text).rows(0).tolist()}
    # Of "chapter it isn't so she said yes" every eight tokens that begin with a word; a mark is a token.
    assert found == {"chapter", "it isn'", "isn't s", "so she", "she sai", "said ye"}


def test_a_step_and_a_seed_draw_rows_of_their_own_and_always_the_same(tmp_path: Path) -> None:
    text = " ".join(f"{a}{b}" for a in "abcdefgh" for b in "stuvwxyz")
    data = text_data(tmp_path, text)
    assert torch.equal(data.rows(3), text_data(tmp_path, text).rows(3))
    assert not torch.equal(data.rows(3), data.rows(4))
    assert not torch.equal(data.rows(3), text_data(tmp_path, text, seed=2).rows(3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one two", "at least 9 tokens of words that the model spells, received 8"),
        (b"1811 1812 1813 1814", "received 0 in book.txt"),
        (b"\xff\xfe", "a text in UTF-8"),
        (None, "a text in UTF-8, received .*No such file"),
    ],
)
def test_a_text_of_no_use_is_an_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "book.txt").write_bytes(content)
    config = TextConfig(files=("book.txt",), row_tokens=9)
    with pytest.raises(RecipeError, match=message):
        TextData(config, data=tmp_path, tokenizer=TOKENIZER, seed=0)


def test_the_loss_is_of_each_token_after_those_before_it() -> None:
    model, text = Rnnt(TINY, BLANK), torch.tensor([[0, 2, 1], [1, 1, 0]])
    expected = 0.0
    with torch.no_grad():
        for row in text.tolist():
            for node, token in enumerate(row):
                predicted, _ = model.predict(torch.tensor([[BLANK, *row[:node]]]))
                logits = model.joint.output(predicted[0, -1].relu())[:BLANK].double()
                expected -= float(logits.log_softmax(-1)[token])
        found = float(text_loss(model, text))
    assert found == pytest.approx(expected / 2, rel=1e-5)  # sums of some 20 floats


def test_text_teaches_what_hears_nothing() -> None:
    model = Rnnt(TINY, BLANK)
    text_loss(model, torch.tensor([[0, 2, 1]])).backward()
    idle = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert idle == {name for name, _ in model.named_parameters() if "encoder" in name}


def spoken_and_read(rows: int) -> Batch:
    rng = np.random.default_rng(0)
    features = [rng.standard_normal((frames, 5)).astype(np.float32) for frames in (24, 30, 12)]
    batch = collate(features, [[0, 1], [2, 2, 0], [1]], multiple=6)
    return replace(batch, text=torch.from_numpy(rng.integers(0, BLANK, (rows, 4))))


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [1, 4, 7])
def test_the_shares_of_all_processes_are_the_joint_loss(processes: int, rows: int) -> None:
    model, batch = Rnnt(TINY, BLANK), spoken_and_read(rows)
    config = OptimizationConfig(steps=1, text_weight=0.7)
    with torch.no_grad():
        joint = float(batch_loss(model, batch, config))
        shares = [share_of(batch, rank=rank, processes=processes) for rank in range(processes)]
        found = [float(batch_loss(model, share, config)) * weight for share, weight in shares]
        silent = float(batch_loss(model, replace(batch, text=None), replace(config, text_weight=0.0)))
    assert math.fsum(found) / processes == pytest.approx(joint, rel=1e-5)  # sums of some 100 floats
    assert joint == pytest.approx(silent + 0.7 * float(text_loss(model, batch.text).detach()), rel=1e-6)


def test_passages_that_a_judging_transcript_quotes_are_left_out(tmp_path: Path) -> None:
    book = "once God said, let the light be there, for ever"
    (tmp_path / "book.txt").write_text(book)
    config = TextConfig(files=("book.txt",), rows=200, row_tokens=4)

    def begins(*apart: str) -> set[str]:
        data = TextData(config, data=tmp_path, tokenizer=TOKENIZER, seed=1, apart=apart)
        return {TOKENIZER.decode(row) for row in data.rows(0).tolist()}

    everything = {"onc", "god", "sai", "let", "the", "lig", "be", "for", "eve"}  # a word's mark is a token
    assert begins() == begins("he heard let the light be there") == everything  # five words in a row
    assert begins("he heard God SAID let the light be") == {"onc", "the", "for", "eve"}  # seven
