"""Word error rate of a model on features in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer

from whit.models.augment_features import Features
from whit.models.batch import collate, utterance_features
from whit.models.clip import read_audio
from whit.models.greedy import ctc_greedy_search, greedy_search
from whit.models.rnnt import Rnnt
from whit.models.tokens import Tokenizer
from whit.runtime.manifest import read_manifest


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a model made of a set."""

    wer: float  # percent of reference words
    cer: float  # percent of reference characters, spaces included
    hypotheses: tuple[str, ...]
    last_frame: tuple[int, ...]  # encoder frame of each utterance's last token, -1 without one


def evaluate_manifest(model: Rnnt, manifest: Path, tokenizer: Tokenizer, *, tail_ms: int) -> Score:
    """Returns the score of a model on the recordings of a manifest."""
    utterances = read_manifest(manifest)
    num_mels = model.config.num_mels
    features = [
        utterance_features(read_audio(u.audio)[0], tail_ms=tail_ms, num_mels=num_mels) for u in utterances
    ]
    return evaluate(model, features, [u.text for u in utterances], tokenizer)


def evaluate(
    model: Rnnt,
    features: Sequence[Features],
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    batch_size: int = 64,
    with_ctc: bool = False,
) -> Score:
    """Returns the score of greedy search; the model is put in evaluation mode and back.

    Args:
        model: any mode.
        features: (frames, mels) of each utterance, tail included.
        texts: reference words of each.
        tokenizer: of the model.
        batch_size: utterances decoded together, of similar lengths.
        with_ctc: decode the joint without its prediction network as CTC.
    """
    training = model.training
    model.eval()
    hypotheses = [""] * len(texts)
    search = ctc_greedy_search if with_ctc else greedy_search
    last_frame = [-1] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(features[i]))
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        batch = collate(
            [features[i] for i in chosen], [[] for _ in chosen], multiple=model.config.frame_multiple
        )
        for i, emissions in zip(chosen, search(model, batch.features, batch.num_frames), strict=True):
            hypotheses[i] = tokenizer.decode(e.token for e in emissions)
            last_frame[i] = emissions[-1].frame if emissions else -1
    model.train(training)
    wer = 100.0 * jiwer.wer(list(texts), hypotheses)
    cer = 100.0 * jiwer.cer(list(texts), hypotheses)
    return Score(wer=wer, cer=cer, hypotheses=tuple(hypotheses), last_frame=tuple(last_frame))
