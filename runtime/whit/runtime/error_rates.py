"""Word and character error rates of transcripts."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from whit.runtime.alignment import Alignment, align, edit_distance
from whit.runtime.bootstrap import Interval, error_rate
from whit.runtime.errors import ManifestError
from whit.runtime.manifest import Recording


@dataclass(frozen=True, kw_only=True)
class Score:
    """One system on one manifest."""

    num_recordings: int
    num_words: int
    num_errors: int
    substitutions: int
    deletions: int
    insertions: int
    wer: dict[str, Interval]  # by what was drawn: utterance; speaker or clip where named
    cer: Interval


def score(recordings: Sequence[Recording], transcripts: Sequence[str]) -> Score:
    """Returns the error rates of transcripts, one for each recording.

    Raises:
        ManifestError: the references have no word.
    """
    alignments = [align(r.text.split(), t.split()) for r, t in zip(recordings, transcripts, strict=True)]
    num_words = sum(len(recording.text.split()) for recording in recordings)
    if not num_words:
        raise ManifestError("[eval] expected at least 1 reference word, received none")
    wrong_letters = [
        edit_distance(letters(r.text), letters(t)) for r, t in zip(recordings, transcripts, strict=True)
    ]
    return Score(
        num_recordings=len(recordings),
        num_words=num_words,
        num_errors=sum(alignment.num_errors for alignment in alignments),
        substitutions=sum(len(alignment.substitutions) for alignment in alignments),
        deletions=sum(len(alignment.deletions) for alignment in alignments),
        insertions=sum(len(alignment.insertions) for alignment in alignments),
        wer={
            name: error_rate(errors, words, clusters)
            for name, (errors, words, clusters) in _units(recordings, alignments).items()
        },
        cer=error_rate(
            wrong_letters,
            [len(letters(recording.text)) for recording in recordings],
            range(len(recordings)),
        ),
    )


def letters(text: str) -> str:
    """Returns a text as its characters are counted: words separated by single spaces."""
    return " ".join(text.split())


def compare(
    recordings: Sequence[Recording], transcripts: Sequence[str], against: Sequence[str]
) -> dict[str, Interval]:
    """Returns the paired difference of word error rates (first minus second), by what was drawn."""
    first, second = (
        _units(recordings, [align(r.text.split(), t.split()) for r, t in zip(recordings, texts, strict=True)])
        for texts in (transcripts, against)
    )
    return {
        name: error_rate(errors, words, clusters, against=second[name][0])
        for name, (errors, words, clusters) in first.items()
    }


Units = tuple[list[int], list[int], list[Hashable]]  # errors, words and cluster of each unit


def _units(recordings: Sequence[Recording], alignments: Sequence[Alignment]) -> dict[str, Units]:
    errors = [alignment.num_errors for alignment in alignments]
    words = [len(recording.text.split()) for recording in recordings]
    units: dict[str, Units] = {"utterance": (errors, words, list(range(len(recordings))))}
    speakers = {recording.speaker for recording in recordings}
    if None not in speakers and len(speakers) > 1:
        units["speaker"] = (errors, words, [recording.speaker for recording in recordings])
    if all(recording.clips for recording in recordings):
        units["clip"] = _word_units(recordings, alignments)
    return units


def _word_units(recordings: Sequence[Recording], alignments: Sequence[Alignment]) -> Units:
    """Returns one unit per reference word; an inserted word counts for the reference word before it."""
    errors: list[int] = []
    clusters: list[Hashable] = []
    for recording, alignment in zip(recordings, alignments, strict=True):
        of_word = [0] * len(recording.clips)
        for position, _ in alignment.substitutions:
            of_word[position] += 1
        for position in alignment.deletions:
            of_word[position] += 1
        for position, _ in alignment.insertions:
            of_word[max(position - 1, 0)] += 1
        errors += of_word
        clusters += recording.clips
    return errors, [1] * len(errors), clusters
