import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from whit.runtime._core import GreedySearch, RequestKind

BLANK = 4
Logits = NDArray[np.float32]


class ToyModel:
    """A transducer whose logits are a table look-up, and which writes down what it was asked for."""

    def __init__(self, seed: int, blank_bias: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        # Few distinct values, so that ties are common: (frames, last token, vocabulary).
        self.table: Logits = rng.integers(0, 4, (64, BLANK + 1, BLANK + 1)).astype(np.float32)
        self.table[..., BLANK] += blank_bias
        self.calls: list[tuple[str, int]] = []
        self.context = -1

    def predict(self, token: int) -> None:
        self.calls.append(("predict", token))
        self.context = token

    def join(self, frame: int) -> Logits:
        self.calls.append(("join", frame))
        return self.table[frame, self.context]


def plain_greedy(model: ToyModel, num_frames: int, max_symbols: int) -> tuple[list[int], list[int]]:
    """The loop as sherpa-onnx writes it."""
    tokens, frames = [], []
    model.predict(BLANK)
    for frame in range(num_frames):
        for _ in range(max_symbols):
            logits = model.join(frame)
            nan = np.flatnonzero(np.isnan(logits))
            token = int(nan[0]) if len(nan) else int(np.argmax(logits))
            if token == BLANK:
                break
            tokens.append(token)
            frames.append(frame)
            model.predict(token)
    return tokens, frames


def drive(search: GreedySearch, model: ToyModel) -> None:
    while (request := search.next()).kind != RequestKind.IDLE:
        if request.kind == RequestKind.PREDICT:
            assert request.frame == -1
            model.predict(request.token)
            search.provide_prediction()
        else:
            assert request.token == -1
            search.provide_logits(model.join(request.frame))


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    chunks=st.lists(st.integers(0, 7), max_size=8),
    max_symbols=st.integers(1, 11),
    blank_bias=st.sampled_from([-1.0, 0.0, 1.5]),
)
def test_equals_the_plain_loop(seed: int, chunks: list[int], max_symbols: int, blank_bias: float) -> None:
    expected_model, model = ToyModel(seed, blank_bias), ToyModel(seed, blank_bias)
    tokens, frames = plain_greedy(expected_model, sum(chunks), max_symbols)
    search = GreedySearch(BLANK, max_symbols=max_symbols)
    drive(search, model)
    for num_frames in chunks:
        search.accept_frames(num_frames)
        drive(search, model)
    assert search.tokens == tokens
    assert search.frames == frames
    assert search.num_frames_done == sum(chunks)
    assert model.calls == expected_model.calls  # in particular: the predictor runs after emissions only


def logits(*values: float) -> Logits:
    return np.array(values, np.float32)


def ready(max_symbols: int = 10, num_frames: int = 1) -> GreedySearch:
    search = GreedySearch(BLANK, max_symbols=max_symbols)
    search.accept_frames(num_frames)
    search.provide_prediction()
    return search


@pytest.mark.parametrize(
    ("row", "winner"),
    [
        (logits(0, 0, 0, 0, 0), 0),
        (logits(1, 3, 2, 3, 3), 1),
        (logits(1, 3, np.nan, np.inf, np.nan), 2),
        (logits(-np.inf, -np.inf, -np.inf, -1, -np.inf), 3),
        (logits(-0.0, 0.0, -1, -1, -1), 0),
        (logits(-1, -1, -1, -1, 0), BLANK),
        (logits(np.inf, 0, 0, 0, np.nan), BLANK),
    ],
)
def test_first_greatest_or_first_nan_wins(row: Logits, winner: int) -> None:
    search = ready()
    search.provide_logits(row)
    assert search.tokens == ([] if winner == BLANK else [winner])


def test_first_request_is_the_blank_and_asking_changes_nothing() -> None:
    search = GreedySearch(BLANK)
    for _ in range(2):
        request = search.next()
        assert (request.kind, request.token) == (RequestKind.PREDICT, BLANK)
    search.provide_prediction()
    assert search.next().kind == RequestKind.IDLE
    search.accept_frames(2)
    for _ in range(2):
        request = search.next()
        assert (request.kind, request.frame) == (RequestKind.JOIN, 0)


def test_a_frame_ends_with_its_last_symbol() -> None:
    search = ready(max_symbols=2, num_frames=2)
    search.provide_logits(logits(0, 1, 0, 0, 0))
    assert search.num_frames_done == 0
    assert search.next().token == 1
    search.provide_prediction()
    assert search.next().frame == 0
    search.provide_logits(logits(0, 0, 1, 0, 0))
    assert search.num_frames_done == 1
    search.provide_prediction()
    assert search.next().frame == 1
    search.provide_logits(logits(0, 0, 0, 1, 0))
    assert (search.tokens, search.frames) == ([1, 2, 3], [0, 0, 1])


def test_verbs_that_were_not_asked_for_are_refused() -> None:
    search = GreedySearch(BLANK)
    search.accept_frames(1)
    row = logits(0, 0, 0, 0, 1)
    with pytest.raises(RuntimeError, match=r"expected provide_prediction\(\), received provide_logits\(\)$"):
        search.provide_logits(row)
    search.provide_prediction()
    with pytest.raises(RuntimeError, match=r"expected provide_logits\(\), received provide_prediction\(\)$"):
        search.provide_prediction()
    search.provide_logits(row)
    with pytest.raises(RuntimeError, match=r"expected accept_frames\(\), received provide_logits\(\)$"):
        search.provide_logits(row)
    with pytest.raises(RuntimeError, match=r"expected accept_frames\(\), received provide_prediction\(\)$"):
        search.provide_prediction()
    assert (search.tokens, search.num_frames_done) == ([], 1)


@pytest.mark.parametrize("size", [0, BLANK, BLANK + 2])
def test_number_of_logits_is_checked(size: int) -> None:
    search = ready()
    with pytest.raises(ValueError, match=rf"^\[GreedySearch\] expected 5 logits, received {size}$"):
        search.provide_logits(np.zeros(size, np.float32))
    assert search.next().frame == 0


def test_numbers_are_checked() -> None:
    with pytest.raises(ValueError, match=r"expected a blank id of at least 0, received -1$"):
        GreedySearch(-1)
    with pytest.raises(ValueError, match=r"expected max_symbols of at least 1, received 0$"):
        GreedySearch(BLANK, max_symbols=0)
    with pytest.raises(ValueError, match=r"expected at least 0 frames, received -1$"):
        GreedySearch(BLANK).accept_frames(-1)


def test_reset_starts_a_new_stream() -> None:
    model = ToyModel(5)
    search = GreedySearch(BLANK)
    search.accept_frames(9)
    drive(search, model)
    first = (search.tokens, search.frames, model.calls)
    search.reset()
    assert (search.tokens, search.frames, search.num_frames_done) == ([], [], 0)
    model.calls = []
    search.accept_frames(9)
    drive(search, model)
    assert (search.tokens, search.frames, model.calls) == first


@settings(max_examples=50)
@given(
    emissions=st.lists(st.tuples(st.integers(0, 30), st.integers(0, BLANK - 1)), max_size=40),
    num_frames=st.integers(0, 31),
    seed=st.integers(0, 99),
)
def test_forced_emissions_override_logits_but_every_call_is_made(
    emissions: list[tuple[int, int]], num_frames: int, seed: int
) -> None:
    max_symbols = 3
    kept = []
    for frame, token in sorted(emissions):
        if sum(frame == f for f, _ in kept) < max_symbols:
            kept.append((frame, token))
    search = GreedySearch(BLANK, max_symbols=max_symbols)
    search.set_forced([t for _, t in kept], [f for f, _ in kept])
    for _ in range(2):  # reset() keeps what is forced
        search.reset()
        model = ToyModel(seed)
        search.accept_frames(num_frames)
        drive(search, model)
        emitted = [(f, t) for f, t in kept if f < num_frames]
        assert list(zip(search.frames, search.tokens, strict=True)) == emitted
        calls = [("predict", BLANK)]
        for frame in range(num_frames):
            here = [t for f, t in emitted if f == frame]
            for token in here:
                calls += [("join", frame), ("predict", token)]
            if len(here) < max_symbols:
                calls.append(("join", frame))
        assert model.calls == calls


def test_forced_emissions_are_checked_and_can_be_taken_back() -> None:
    search = GreedySearch(BLANK, max_symbols=2)
    with pytest.raises(ValueError, match=r"forced tokens from 0 to 3, received 4$"):
        search.set_forced([BLANK], [0])
    with pytest.raises(ValueError, match=r"do not decrease, at least 3 here, received 2$"):
        search.set_forced([0, 0], [3, 2])
    with pytest.raises(ValueError, match=r"do not decrease, at least 0 here, received -1$"):
        search.set_forced([0], [-1])
    with pytest.raises(ValueError, match=r"at most 2 forced tokens in frame 1, received 3$"):
        search.set_forced([0, 1, 2], [1, 1, 1])
    with pytest.raises(ValueError, match=r"as many forced frames as tokens, 2, received 1$"):
        search.set_forced([0, 1], [1])
    search.set_forced([], [])
    search.accept_frames(2)
    search.provide_prediction()
    search.provide_logits(logits(9, 0, 0, 0, 0))
    assert search.tokens == []
    with pytest.raises(RuntimeError, match=r"expected set_forced\(\) before the first logits"):
        search.set_forced([], [])
    search.reset()
    search.clear_forced()
    search.accept_frames(1)
    search.provide_prediction()
    search.provide_logits(logits(9, 0, 0, 0, 0))
    assert search.tokens == [0]
