"""Greedy search over several streams whose predictors and joiners run together."""

from collections.abc import Sequence

from whit.runtime._core import RequestKind
from whit.runtime.engine import BatchEngine
from whit.runtime.stream import Stream


def search_together(streams: Sequence[Stream], engine: BatchEngine, *, blank: int) -> None:
    """Searches the new encoder frames of each stream; tokens are those of searching each alone.

    In each round every stream is asked once what it needs, and those that need the same run together.

    Args:
        streams: different ones, each with `encoder_outputs` that were not yet searched.
        engine: runs predictor and joiner.
        blank: id of the blank, after which a stream starts.
    """
    frames = dict.fromkeys(range(len(streams)), -1)  # the frame that each stream joined last
    for stream in streams:
        stream.search.accept_frames(len(stream.encoder_outputs))
    while True:
        requests = [(i, stream, stream.search.next()) for i, stream in enumerate(streams)]
        predicting = [item for item in requests if item[2].kind == RequestKind.PREDICT]
        joining = [item for item in requests if item[2].kind == RequestKind.JOIN]
        if not predicting and not joining:
            return
        for i, stream, request in predicting:
            if request.token != blank:  # every emission is followed by its prediction
                stream.tokens.append(request.token)
                stream.token_frames.append(frames[i])
        if predicting:
            tokens = [request.token for _, _, request in predicting]
            states = [stream.predictor_state for _, stream, _ in predicting]
            predictions = engine.predict_batch(tokens, states)
            for (_, stream, _), (output, state) in zip(predicting, predictions, strict=True):
                stream.predictor_output, stream.predictor_state = output, state
                stream.search.provide_prediction()
        if joining:
            outputs = [
                stream.encoder_outputs[request.frame - stream.first_encoder_frame]
                for _, stream, request in joining
            ]
            logits = engine.join_batch(outputs, [stream.predictor_output for _, stream, _ in joining])
            for (i, stream, request), values in zip(joining, logits, strict=True):
                frames[i] = request.frame
                stream.search.provide_logits(values)
