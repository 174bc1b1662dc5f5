"""Word error rates of several models over whole utterances, by CTC's greedy search on the same features."""

from collections.abc import Callable, Mapping
from pathlib import Path

import jiwer
import torch
from torch import Tensor

from whit.models.greedy import collapse_ctc
from whit.models.integer.inputs import speech_batches
from whit.models.offline_features import OfflineFrontend
from whit.models.tokens import Tokenizer
from whit.runtime.manifest import read_manifest

Model = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # features, num_frames to logits, lengths


@torch.no_grad()
def word_error_rates(
    models: Mapping[str, Model],
    manifest: Path,
    frontend: OfflineFrontend,
    tokenizer: Tokenizer,
    *,
    progress: Callable[[], None] | None = None,
) -> dict[str, float]:
    """Returns the word error rate of each model in percent.

    Args:
        models: by name, in evaluation mode, with the head "ctc".
        manifest: recordings; one at a time, so that no padding is involved.
        frontend: of the models.
        tokenizer: of the models.
        progress: told after every recording.
    """
    texts = [recording.text for recording in read_manifest(manifest)]
    hypotheses: dict[str, list[str]] = {name: [] for name in models}
    for features, num_frames in speech_batches(manifest, frontend, batches=len(texts), batch_size=1):
        for name, model in models.items():
            logits, lengths = model(features, num_frames)
            (emissions,) = collapse_ctc(logits.argmax(-1), lengths, len(tokenizer.tokens))
            hypotheses[name].append(tokenizer.decode(emission.token for emission in emissions))
        if progress:
            progress()
    return {name: 100.0 * jiwer.wer(texts, found) for name, found in hypotheses.items()}
