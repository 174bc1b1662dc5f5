"""Vocabularies of word pieces, learned from the texts of manifests by SentencePiece (BPE)."""

import io
from collections.abc import Sequence
from pathlib import Path

from whit.models.errors import RecipeError
from whit.models.presets import WORD_START
from whit.runtime.manifest import read_manifest
from whit.runtime.whole_file import whole_file


def learn_pieces(manifests: Sequence[Path], size: int) -> tuple[str, ...]:
    """Returns `size` pieces, every character of the texts among them.

    The tokenizer cuts words by longest match, so the list alone says how a text is cut.

    Raises:
        RecipeError: `size` cannot be reached with these texts.
    """
    import sentencepiece

    texts = [recording.text for path in manifests for recording in read_manifest(path)]
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=size + 1,  # and the unknown piece, which no text of these characters needs
            character_coverage=1.0,
            normalization_rule_name="identity",
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
    except (RuntimeError, ValueError) as error:
        raise RecipeError(f"[pieces] expected a size these texts allow, received {size}: {error}") from error
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    return tuple(piece for piece in pieces if piece != "<unk>")


def write_pieces(path: Path, pieces: Sequence[str]) -> None:
    """Writes one piece a line."""
    with whole_file(path) as unfinished:
        unfinished.write_text("".join(piece + "\n" for piece in pieces), encoding="utf-8")


def read_pieces(path: Path) -> tuple[str, ...]:
    """Returns the pieces of a file.

    Raises:
        RecipeError: no such file, or it holds a piece twice, an empty one, or none that starts a word.
    """
    try:
        pieces = tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"[{path}] expected one piece a line, received {error}") from error
    starts_words = any(piece.startswith(WORD_START) for piece in pieces)
    if len(set(pieces)) != len(pieces) or "" in pieces or not starts_words:
        raise RecipeError(
            f"[{path}] expected different pieces, one a line, some of them starting with {WORD_START!r}"
        )
    return pieces
