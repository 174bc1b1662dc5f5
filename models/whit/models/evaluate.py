"""Word error rate of a model on features in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jiwer
import torch

from whit.models.augment_features import Features
from whit.models.batch import collate
from whit.models.ctc_model import CtcModel, greedy_ctc
from whit.models.data import manifest_set
from whit.models.greedy import Emission, ctc_greedy_search, greedy_search
from whit.models.rnnt import Rnnt
from whit.models.tokens import Tokenizer
from whit.models.training_frontend import StreamingFrontend

Search = Callable[[torch.Tensor, torch.Tensor], list[list[Emission]]]  # of features and their lengths


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a model made of a set."""

    wer: float  # percent of reference words
    cer: float  # percent of reference characters, spaces included
    hypotheses: tuple[str, ...]
    last_frame: tuple[int, ...]  # encoder frame of each utterance's last token, -1 without one


def evaluate_manifest(model: Rnnt, manifest: Path, tokenizer: Tokenizer, *, tail_ms: int) -> Score:
    """Returns the score of a model on the recordings of a manifest."""
    recordings = manifest_set(manifest, StreamingFrontend(num_mels=model.config.num_mels, tail_ms=tail_ms))
    return evaluate(model, recordings.features, recordings.texts, tokenizer)


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
    search = partial(ctc_greedy_search if with_ctc else greedy_search, model)
    training = model.training
    model.eval()
    result = _score(search, features, texts, tokenizer, batch_size, multiple=model.config.frame_multiple)
    model.train(training)
    return result


def evaluate_ctc(
    model: CtcModel,
    features: Sequence[Features],
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    batch_size: int = 64,
) -> Score:
    """Returns the score of greedy CTC search; the model is put in evaluation mode and back.

    Args:
        model: any mode, its head "ctc".
        features: normalised, (frames, mels) of each utterance.
        texts: reference words of each.
        tokenizer: of the model.
        batch_size: utterances decoded together, of similar lengths.
    """
    training = model.training
    model.eval()
    result = _score(partial(greedy_ctc, model), features, texts, tokenizer, batch_size, multiple=1)
    model.train(training)
    return result


def _score(
    search: Search,
    features: Sequence[Features],
    texts: Sequence[str],
    tokenizer: Tokenizer,
    batch_size: int,
    *,
    multiple: int,
) -> Score:
    hypotheses = [""] * len(texts)
    last_frame = [-1] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(features[i]))
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        batch = collate([features[i] for i in chosen], [[] for _ in chosen], multiple=multiple)
        for i, emissions in zip(chosen, search(batch.features, batch.num_frames), strict=True):
            hypotheses[i] = tokenizer.decode(e.token for e in emissions)
            last_frame[i] = emissions[-1].frame if emissions else -1
    wer = 100.0 * jiwer.wer(list(texts), hypotheses)
    cer = 100.0 * jiwer.cer(list(texts), hypotheses)
    return Score(wer=wer, cer=cer, hypotheses=tuple(hypotheses), last_frame=tuple(last_frame))
