"""Latency on a clock that tests turn by hand: every figure is known beforehand."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from fake_engine import FakeEngine, fake_info
from hypothesis import given, settings
from hypothesis import strategies as st

from whit.runtime.alignment import align
from whit.runtime.clock import PacedClock, VirtualClock
from whit.runtime.errors import ManifestError
from whit.runtime.forced_emission import forced_emissions
from whit.runtime.latency import ChunkTiming, Playback, word_latencies
from whit.runtime.latency_report import distribution, rounded, summarize
from whit.runtime.manifest import Recording, SpokenWord
from whit.runtime.play_recording import play_recording
from whit.runtime.recognizer import Recognizer
from whit.runtime.timed_alignment import match_words

RATE_HZ = 16000
LOOKAHEAD_S = 0.0075


class HandClock:
    label = "by hand"

    def __init__(self):
        self.time_s = 0.0

    def restart(self):
        self.time_s = 0.0

    def now_s(self):
        return self.time_s

    def wait_until(self, instant_s):
        self.time_s = max(self.time_s, instant_s)


class SlowEngine(FakeEngine):
    """Takes so many seconds for each chunk, by the hand clock."""

    def __init__(self, clock, costs_s, **changes):
        super().__init__(blank_bias=100, **changes)
        self.clock, self.costs_s, self.num_chunks = clock, costs_s, 0

    def encode(self, features, state):
        self.clock.time_s += self.costs_s[self.num_chunks % len(self.costs_s)]
        self.num_chunks += 1
        return super().encode(features, state)


def play(costs_s, words, duration_s, *, feed_ms=10, **changes):
    """Plays silence with words forced at their ends (chunks of 60 ms, encoder frames of 30 ms)."""
    clock = HandClock()
    recognizer = Recognizer(SlowEngine(clock, costs_s, **changes))
    forced = forced_emissions(words, recognizer.info, max_symbols_per_frame=10)
    samples = np.zeros(round(duration_s * RATE_HZ), np.float32)
    block = feed_ms * RATE_HZ // 1000
    blocks = [samples[i : i + block] for i in range(0, len(samples), block)]
    return play_recording(recognizer, RATE_HZ, blocks, clock, forced=forced)


def spoken(*words):
    return tuple(SpokenWord(text=text, start_s=start_s, end_s=end_s) for text, start_s, end_s in words)


def test_parts_of_one_word():
    words = spoken(("zero", 0.1, 0.29))
    playback = play([0.02], words, 1.0)
    (word,) = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    # Chunk 4 holds 0.24 to 0.30 s; its last window ends at 0.3075 s, which the block until 0.31 s brings.
    assert word.buffering_s == pytest.approx(0.31 - 0.29 - LOOKAHEAD_S)
    assert word.lookahead_s == pytest.approx(LOOKAHEAD_S)
    assert word.emission_s == pytest.approx(0)
    assert word.queueing_s == pytest.approx(0)
    assert word.compute_s == pytest.approx(0.02)
    assert word.upl_s == pytest.approx(0.31 + 0.02 - 0.29)
    assert word.first_upl_s == pytest.approx(word.upl_s)


def test_a_slow_machine_queues():
    words = spoken(("zero", 0.1, 0.29))
    playback = play([0.1], words, 1.0)  # every chunk of 60 ms takes 100 ms
    (word,) = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    # Chunk 0 is ready at 0.07 s, so chunk 4 is done at 0.07 + 5 * 0.1 s; it was ready at 0.31 s.
    assert word.queueing_s == pytest.approx(0.07 + 4 * 0.1 - 0.31)
    assert word.compute_s == pytest.approx(0.1)
    assert word.upl_s == pytest.approx(0.07 + 5 * 0.1 - 0.29)


def test_a_model_that_waits_has_emission_latency():
    words = spoken(("zero", 0.1, 0.29))
    late = spoken(("zero", 0.1, 0.41))  # emitted where a word until 0.41 s would be: chunk 6
    playback = play([0.02], late, 1.0)
    (word,) = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    assert word.emission_s == pytest.approx(0.12)
    early = play([0.02], spoken(("zero", 0.1, 0.2)), 1.0)
    (word,) = word_latencies(early, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    assert word.emission_s == pytest.approx(-0.06)


@settings(max_examples=40)
@given(
    ends=st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4, unique=True),
    costs_ms=st.lists(st.floats(0, 200), min_size=1, max_size=5),
    feed_ms=st.sampled_from([5, 10, 50]),
)
def test_the_parts_sum_to_the_whole(ends, costs_ms, feed_ms):
    words = spoken(
        *(("zero", 0.0 if i == 0 else sorted(ends)[i - 1], end) for i, end in enumerate(sorted(ends)))
    )
    playback = play([cost / 1000 for cost in costs_ms], words, 1.0, feed_ms=feed_ms)
    latencies = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    assert len(latencies) == len(words)
    for latency, word, (chunk, *_) in zip(latencies, words, by_word(playback, len(words)), strict=True):
        shown_s = playback.chunks[chunk].emit_s
        assert latency.upl_s == pytest.approx(shown_s - word.end_s, abs=1e-9)
        assert latency.buffering_s >= -1e-9
        assert latency.queueing_s >= -1e-9
        assert 0 <= latency.lookahead_s <= LOOKAHEAD_S


def by_word(playback, num_words):
    """Yields the text in which the n-th word appeared (forced words never change)."""
    for number in range(1, num_words + 1):
        yield next(entry for entry in playback.texts if entry[1] + len(entry[2]) >= number)


def chunk(ready_s, emit_s, is_flush=False):
    return ChunkTiming(ready_s=ready_s, start_s=ready_s, emit_s=emit_s, is_flush=is_flush)


def test_a_word_that_changes_is_stable_only_at_the_end():
    chunks = tuple(chunk(0.07 + 0.06 * i, 0.08 + 0.06 * i) for i in range(6))
    texts = ((1, 0, ("for",)), (2, 0, ("four",)), (3, 0, ("for", "t")), (4, 0, ("four", "two")))
    playback = Playback(duration_s=0.4, chunks=chunks, texts=texts)
    words = spoken(("four", 0.0, 0.1), ("two", 0.1, 0.2))
    four, two = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    assert four.upl_s == pytest.approx(0.08 + 0.24 - 0.1)
    assert four.first_upl_s == pytest.approx(0.08 + 0.12 - 0.1)
    assert two.upl_s == two.first_upl_s == pytest.approx(0.08 + 0.24 - 0.2)


def test_words_that_stay_need_not_be_said_again():
    chunks = tuple(chunk(0.07 + 0.06 * i, 0.08 + 0.06 * i) for i in range(6))
    words = spoken(("one", 0.0, 0.1), ("two", 0.1, 0.2), ("three", 0.2, 0.3))
    whole = ((1, 0, ("one",)), (2, 0, ("one", "two")), (4, 0, ("one", "two", "three")))
    changes = ((1, 0, ("one",)), (2, 1, ("two",)), (4, 1, ("two", "three")))
    playbacks = [Playback(duration_s=0.4, chunks=chunks, texts=texts) for texts in (whole, changes)]
    assert playbacks[0].words == playbacks[1].words == ("one", "two", "three")
    of_whole, of_changes = (
        word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S) for playback in playbacks
    )
    assert of_whole == of_changes
    assert [round(word.upl_s, 6) for word in of_whole] == [0.04, 0.0, 0.02]


class Watched(Recognizer):
    """Keeps the words of every whole result, and how many tokens it was asked for."""

    def __init__(self, engine):
        super().__init__(engine)
        self.words, self.num_asked = [], []

    def get_result(self, stream, *, max_tokens=None):
        whole = super().get_result(stream)
        self.words.append(tuple(word.text for word in whole.words))
        result = super().get_result(stream, max_tokens=max_tokens)
        self.num_asked.append(len(result.tokens))
        return result


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=30))
def test_changes_make_up_the_whole_text(emissions):
    tokens = ("▁zero", "ty", "▁", "a▁b", "▁c▁d", "e▁")
    recognizer = Watched(FakeEngine(tokens=tokens))
    forced = [(token, frame) for frame, token in sorted(emissions)]
    playback = play_recording(
        recognizer, RATE_HZ, np.split(np.zeros(12000, np.float32), 75), HandClock(), forced=forced
    )
    words = []
    for whole, (_, num_kept, after) in zip(recognizer.words, playback.texts, strict=True):
        words[num_kept:] = after
        assert tuple(words) == whole
    assert playback.words == tuple(words)


def test_a_long_recording_costs_what_it_changes():
    recognizer = Watched(FakeEngine())
    forced = [(i % 2, 4 * i) for i in range(200)]
    blocks = [np.zeros(960, np.float32)] * 402
    playback = play_recording(recognizer, RATE_HZ, blocks, HandClock(), forced=forced)
    assert len(playback.words) == len(playback.texts) == 200
    assert max(len(after) for *_, after in playback.texts) == 2
    assert max(recognizer.num_asked) == 2


def test_a_repeated_word_is_matched_by_time():
    chunks = tuple(chunk(0.07 + 0.06 * i, 0.08 + 0.06 * i) for i in range(20))
    words = spoken(("six", 0.0, 0.2), ("six", 0.3, 0.5), ("nine", 0.6, 0.9))
    for shown, end_s in ((3, 0.2), (8, 0.5)):
        texts = ((shown, 0, ("six",)), (15, 0, ("six", "nine")))
        playback = Playback(duration_s=1.2, chunks=chunks, texts=texts)
        six, nine = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
        assert six.upl_s == pytest.approx(chunks[shown].emit_s - end_s)
        assert nine.upl_s == pytest.approx(chunks[15].emit_s - 0.9)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_matching_by_time_has_least_edits(reference, hypothesis):
    matches = match_words(reference, range(len(reference)), hypothesis, range(len(hypothesis)))
    assert all(reference[i] == hypothesis[j] for i, j in matches)
    assert matches == sorted(matches)
    # Between two matches the longer side is edited away: the cost of the alignment, rebuilt from its matches.
    borders = [(-1, -1), *matches, (len(reference), len(hypothesis))]
    gaps = [(b[0] - a[0] - 1, b[1] - a[1] - 1) for a, b in itertools.pairwise(borders)]
    assert sum(max(gap) for gap in gaps) == align(reference, hypothesis).num_errors


def test_wrong_and_missing_words_are_not_counted():
    chunks = (chunk(0.07, 0.08), chunk(0.13, 0.14))
    playback = Playback(duration_s=0.2, chunks=chunks, texts=((1, 0, ("two", "five")),))
    words = spoken(("one", 0.0, 0.01), ("two", 0.01, 0.02), ("three", 0.02, 0.03))
    latencies = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    assert [latency.text for latency in latencies] == ["two"]


def test_flush_chunks_count_from_the_end_of_the_audio():
    words = spoken(("zero", 0.1, 0.39))
    playback = play([0.02], words, 0.4)
    (word,) = word_latencies(playback, words, chunk_s=0.06, lookahead_s=LOOKAHEAD_S)
    # Chunk 6 (0.36 to 0.42 s) is completed by the end of the input at 0.40 s.
    assert word.buffering_s + word.lookahead_s == pytest.approx(0.01)
    assert word.upl_s == pytest.approx(0.01 + 0.02)
    assert playback.chunks[6].is_flush
    assert playback.chunks[5].ready_s == pytest.approx(0.37)


def recording(words):
    text = " ".join(word.text for word in words)
    return Recording(audio="none", text=text, speaker=None, words=words, clips=())


def test_report():
    words = spoken(("zero", 0.1, 0.29), ("one", 0.3, 0.55))
    playback = play([0.02, 0.02, 0.09], words, 1.0)
    report = summarize([recording(words)], [playback], fake_info())
    assert report.num_matched_words == report.num_reference_words == 2
    assert report.upl_ms.count == 2
    parts = sum(report.parts_ms[part].mean for part in report.parts_ms)
    assert parts == pytest.approx(report.upl_ms.mean)
    paced = [c for c in playback.chunks if not c.is_flush]
    assert report.chunk_compute_ms.count == len(paced) == 16  # the last is ready at 0.97 s
    assert report.num_deadline_misses == 5  # every third chunk takes 90 of 60 ms
    total_s = sum(c.compute_s for c in playback.chunks)
    assert report.real_time_factor == pytest.approx(total_s / 1.0)
    assert report.num_partial_before_end == report.num_recordings == 1
    first_s = playback.chunks[4].emit_s
    assert report.first_partial_ms.p50 == pytest.approx(1000 * (first_s - 0.1))
    assert report.finalization_ms.p50 == pytest.approx(1000 * (playback.chunks[-1].emit_s - 0.55))
    assert report.flush_ms.p50 == pytest.approx(1000 * (playback.chunks[-1].emit_s - 1.0))


def test_speech_ends_with_its_recording_whatever_the_annotation_says():
    words = spoken(("zero", 0.1, 0.29), ("one", 0.3, 0.55))
    playback = play([0.02], words, 0.6)
    beyond = spoken(("zero", 0.1, 0.29), ("one", 0.3, 1.0))
    report = summarize([recording(beyond)], [playback], fake_info())
    assert report.finalization_ms.p50 == pytest.approx(report.flush_ms.p50)
    assert report.partial_ms.p50 > 0


def test_endpoint_latency():
    words = spoken(("zero", 0.1, 0.29))
    playback = play([0.02], words, 2.0)  # 0.8 s after the frame until 0.30 s: 1.10 s, chunk 18 until 1.14 s
    report = summarize([recording(words)], [playback], fake_info())
    assert report.endpoint_ms.p50 == pytest.approx(1000 * (1.15 + 0.02 - 0.29))


def test_early_endpoints_are_counted_apart():
    words = spoken(("zero", 0.1, 0.29), ("one", 1.5, 1.9))
    playback = play([0.02], words, 3.0)
    report = summarize([recording(words)], [playback], fake_info())
    assert report.num_early_endpoints == 1
    assert report.endpoint_ms.count == 1
    # 0.8 s after the frame until 1.92 s: 2.72 s, the chunk until 2.76 s, ready at 2.77 s.
    assert report.endpoint_ms.p50 == pytest.approx(1000 * (2.77 + 0.02 - 1.9))


def test_a_rule_that_began_early_and_still_holds_is_an_endpoint_too():
    words = spoken(("zero", 0.1, 0.29), ("one", 1.2, 1.5))
    playback = play([0.02], words[:1], 2.0)  # it misses the second word
    report = summarize([recording(words)], [playback], fake_info())
    assert report.num_early_endpoints == 1  # from 1.10 s on
    # The chunk until 1.50 s is ready at 1.51 s.
    assert report.endpoint_ms.p50 == pytest.approx(1000 * (1.51 + 0.02 - 1.5))


class SlowIntake(Recognizer):
    """Each block takes 5 ms by the hand clock before it is in."""

    def __init__(self, clock):
        super().__init__(SlowEngine(clock, [0.02]))
        self.clock = clock

    def create_stream(self, **options):
        stream = super().create_stream(**options)
        accept = stream.accept_waveform

        def accept_slowly(rate_hz, samples):
            self.clock.time_s += 0.005
            accept(rate_hz, samples)

        stream.accept_waveform = accept_slowly
        return stream


def test_the_real_time_factor_counts_blocks_that_complete_no_chunk():
    clock = HandClock()
    blocks = np.split(np.zeros(RATE_HZ, np.float32), 100)
    playback = play_recording(SlowIntake(clock), RATE_HZ, blocks, clock)
    assert playback.work_s == pytest.approx(100 * 0.005 + len(playback.chunks) * 0.02)
    report = summarize([recording(())], [playback], fake_info())
    assert report.real_time_factor == pytest.approx(playback.work_s)
    assert report.chunk_compute_ms.p50 == pytest.approx(25)


def test_json_keeps_the_digits_of_small_figures():
    said = rounded({"rtf": 0.00102345678, "ms": [123.456789], "n": 3})
    assert said == {"rtf": 0.00102346, "ms": [123.4568], "n": 3}


def test_report_without_word_times():
    playback = play([0.02], (), 0.5)
    report = summarize([recording(())], [playback], fake_info())
    assert report.upl_ms.count == report.finalization_ms.count == 0
    assert report.upl_ms.p50 is None
    assert report.num_partial_before_end == 0
    assert report.chunk_compute_ms.count > 0


def test_distribution():
    assert distribution([0.001 * i for i in range(101)]).p90 == pytest.approx(90)
    assert distribution([]).count == 0


def test_forced_tokens_spread_over_the_word():
    info = fake_info()
    emissions = forced_emissions(
        spoken(("zeroteen", 0.0, 0.3), ("one", 0.3, 0.36)), info, max_symbols_per_frame=10
    )
    zero, teen, one = (info.tokens.index(token) for token in ("▁zero", "teen", "▁one"))
    assert emissions == [(zero, 4), (teen, 9), (one, 11)]  # frames that end at 0.15, 0.30 and 0.36 s


def test_forced_tokens_obey_the_limit_of_a_frame():
    words = spoken(*(("zero", 0.01, 0.02) for _ in range(7)))
    emissions = forced_emissions(words, fake_info(), max_symbols_per_frame=3)
    assert [frame for _, frame in emissions] == [0, 0, 0, 1, 1, 1, 2]


def test_words_without_tokens_are_refused():
    with pytest.raises(ManifestError, match="'quux'"):
        forced_emissions(spoken(("quux", 0, 1)), fake_info(), max_symbols_per_frame=10)


def test_virtual_clock_skips_waiting_and_counts_work(monkeypatch):
    machine_s = [5.0]
    without_sleep = SimpleNamespace(perf_counter=lambda: machine_s[-1])
    monkeypatch.setattr("whit.runtime.clock.time", without_sleep)
    clock = VirtualClock()
    clock.restart()
    clock.wait_until(1000.0)
    assert clock.now_s() == 1000.0
    clock.wait_until(10.0)  # past: nothing to wait for
    machine_s.append(5.25)  # work
    assert clock.now_s() == 1000.25


def test_paced_clock_waits():
    clock = PacedClock()
    clock.restart()
    clock.wait_until(0.05)
    assert clock.now_s() >= 0.05
