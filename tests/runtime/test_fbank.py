import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from slaney_filters import slaney_filters
from speech_like import speech_like

from whit.runtime._core import Fbank, fbank

Samples = NDArray[np.float32]
F64 = NDArray[np.float64]

FLAVOURS = ["nemo", "kaldi"]
FLOOR = 2.0**-23
U = 2.0**-24  # half a unit in the last place of float32


def integers(num_samples: int) -> Samples:
    """Noise made by integer arithmetic alone: the same on every machine."""
    state = 12345
    out = np.empty(num_samples, np.float32)
    for i in range(num_samples):
        state = (1103515245 * state + 12345) % 2**31
        out[i] = (state >> 15) / 65536 - 0.5
    return out


# The oracle: the front-end's definition in float64, whole arrays at once.


def frames_of(x: Samples, window: int = 400, shift: int = 160) -> F64:
    padded = np.pad(
        x.astype(np.float64), (120, 200), mode="symmetric"
    )  # repeats the reflection for short input
    return np.stack([padded[t * shift : t * shift + window] for t in range((len(x) + 80) // 160)])


def htk_filters(num_mels: int) -> F64:
    def to_mel(hz: float | F64) -> F64:
        return np.asarray(1127 * np.log1p(np.asarray(hz) / 700))

    edges = np.linspace(to_mel(20.0), to_mel(7600.0), num_mels + 2)
    mel = to_mel(np.fft.rfftfreq(512, 1 / 16000))
    return np.array([np.interp(mel, edges[i : i + 3], [0, 1, 0]) for i in range(num_mels)])


def oracle(x: Samples, flavour: str, num_mels: int) -> tuple[F64, F64]:
    """Returns mel energies and a bound on their error in float32, both (T, num_mels).

    Shaping: subtracting the mean (a sum of 50 per lane), 0.97 times the neighbour and the window round a
    sample to within 8 u of the largest raw sample next to it: 8 u |x| as a vector. Transform: each of its
    9 levels of butterflies rounds by a few u of what it carries; taken as independent, a bin's error is
    sqrt(9) * 2 u times the norm of the frame, and five deviations of that are 30 u |s|. Power: 2 |X| dX +
    dX^2. Weights, products and sums (at most 33 terms a lane) and the logarithm (result below 32,
    relative error 2 u): 100 u E.
    """
    frames = frames_of(x)
    if flavour == "kaldi":
        frames = frames - frames.mean(axis=1, keepdims=True)
    shaped = frames.copy()
    shaped[:, 1:] -= 0.97 * frames[:, :-1]
    shaped[:, 0] *= 0.03
    hann = np.hanning(401)[:-1] if flavour == "nemo" else np.hanning(400) ** 0.85
    shaped *= hann
    spectrum = np.abs(np.fft.rfft(shaped, 512))
    filters = slaney_filters(num_mels) if flavour == "nemo" else htk_filters(num_mels)
    energy = spectrum**2 @ filters.T
    raw = np.linalg.norm(frames_of(x), axis=1, keepdims=True)
    error = 8 * U * raw + 30 * U * np.linalg.norm(shaped, axis=1, keepdims=True)
    return energy, (2 * spectrum * error + error**2) @ filters.T + 100 * U * energy


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("num_samples", "num_mels"), [(80, 80), (161, 1), (240, 23), (16013, 80)])
def test_equals_float64_definition(flavour: str, num_samples: int, num_mels: int) -> None:
    x = speech_like(num_samples)
    got = fbank(x, flavour=flavour, num_mels=num_mels)
    assert got.dtype == np.float32
    assert got.shape == ((num_samples + 80) // 160, num_mels)
    energy, bound = oracle(x, flavour, num_mels)
    error = np.abs(np.exp(got.astype(np.float64)) - np.maximum(energy, FLOOR))
    assert (error <= bound + 100 * U * FLOOR).all(), f"{(error / bound).max()} bounds"
    # The bound itself is of use: away from the floor it allows less than a hundredth of a neper.
    assert np.median(bound / np.maximum(energy, FLOOR)) < 0.01


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_equals_kaldi_native_fbank(flavour: str) -> None:
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = 80
    if flavour == "nemo":  # as sherpa-onnx sets them for NeMo models
        options.frame_opts.remove_dc_offset = False
        options.frame_opts.window_type = "hann"
        options.mel_opts.low_freq = 0
        options.mel_opts.high_freq = 8000
        options.mel_opts.is_librosa = True
    else:
        options.mel_opts.high_freq = -400
    x = speech_like(48077)
    theirs = knf.OnlineFbank(options)
    theirs.accept_waveform(16000, x.tolist())
    theirs.input_finished()
    expected = np.stack([theirs.get_frame(i) for i in range(theirs.num_frames_ready)])
    got = fbank(x, flavour=flavour)
    assert got.shape == expected.shape == (300, 80)
    # Both are float32, so each may be one bound off; its mel tables are float32 too: an edge near 8 kHz,
    # 300 Hz from the next, is off by 8000 / 300 * 4 u, which moves up to that share of the frame's energy.
    energy, bound = oracle(x, flavour, 80)
    tables = 8000 / 300 * 4 * U * energy.max(axis=1, keepdims=True)
    error = np.abs(np.exp(got.astype(np.float64)) - np.exp(expected.astype(np.float64)))
    assert (error <= 2 * bound + tables + 100 * U * FLOOR).all()
    # And in the units that a model sees, above the floor of the noise.
    assert np.abs(got - expected).max() < 5e-3


def stream(x: Samples, cuts: list[int], flavour: str, read: Callable[[int], int]) -> Samples:
    front_end = Fbank(flavour=flavour)
    blocks = []
    for i, part in enumerate(np.split(x, cuts)):
        front_end.accept_waveform(part)
        blocks.append(front_end.read(read(i)))
    front_end.input_finished()
    blocks.append(front_end.read())
    assert front_end.num_frames_ready == 0
    return np.concatenate(blocks)


@settings(max_examples=60)
@given(
    num_samples=st.integers(0, 2500),
    cuts=st.lists(st.integers(0, 2500), max_size=12),
    max_frames=st.integers(-1, 3),
    flavour=st.sampled_from(FLAVOURS),
)
def test_every_cut_gives_the_same_bits(
    num_samples: int, cuts: list[int], max_frames: int, flavour: str
) -> None:
    x = speech_like(num_samples)
    got = stream(x, sorted(min(c, num_samples) for c in cuts), flavour, lambda _: max_frames)
    np.testing.assert_array_equal(got, fbank(x, flavour=flavour))


@pytest.mark.parametrize("num_samples", [0, 1, 79, 80, 239, 240, 279, 280, 281, 1003])
def test_one_sample_at_a_time_gives_the_same_bits(num_samples: int) -> None:
    x = speech_like(num_samples)
    got = stream(x, list(range(1, num_samples)), "nemo", lambda i: -1 if i % 3 else 0)
    np.testing.assert_array_equal(got, fbank(x))


def test_frame_is_ready_with_its_last_sample() -> None:
    front_end = Fbank()
    front_end.accept_waveform(np.zeros(279, np.float32))
    assert front_end.num_frames_ready == 0
    front_end.accept_waveform(np.zeros(1, np.float32))
    assert front_end.num_frames_ready == 1
    front_end.accept_waveform(np.zeros(160, np.float32))
    assert front_end.num_frames_ready == 2
    assert front_end.read(1).shape == (1, 80)
    assert front_end.num_frames_ready == 1
    front_end.input_finished()  # 440 samples: (440 + 80) // 160 = 3 frames in all
    front_end.input_finished()
    assert front_end.num_frames_ready == 2


def test_silence_sits_on_the_floor() -> None:
    features = fbank(np.zeros(1600, np.float32), num_mels=40)
    # ln(2^-23) = -23 ln 2, which the two-part ln 2 of the definition rounds to the nearest float.
    np.testing.assert_array_equal(features, np.full((10, 40), np.float32(-23 * np.log(2)), np.float32))


@pytest.mark.parametrize(
    ("flavour", "digest"),
    [
        ("nemo", "c3183eb430e639814d4d4afe179ad66b"),
        ("kaldi", "ce84db2afbeb56f9a7c32cd7c80dcaae"),
    ],
)
def test_same_bits_on_every_machine(flavour: str, digest: str) -> None:
    assert hashlib.sha256(fbank(integers(5000), flavour=flavour).tobytes()).hexdigest()[:32] == digest


def test_reset_starts_a_new_stream() -> None:
    x = speech_like(999)
    front_end = Fbank()
    front_end.accept_waveform(speech_like(777, seed=8))
    front_end.read(2)
    front_end.input_finished()
    front_end.reset()
    front_end.accept_waveform(x)
    front_end.input_finished()
    np.testing.assert_array_equal(front_end.read(), fbank(x))


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_a_sample_that_is_not_finite_is_named_and_changes_nothing(bad: str) -> None:
    x = speech_like(400)
    front_end = Fbank()
    front_end.accept_waveform(x[:300])
    broken = x[300:].copy()
    broken[[17, 19]] = float(bad)
    with pytest.raises(
        ValueError, match=rf"^\[Fbank\] expected finite samples, received {bad} at sample 17$"
    ):
        front_end.accept_waveform(broken)
    front_end.accept_waveform(x[300:])
    front_end.input_finished()
    np.testing.assert_array_equal(front_end.read(), fbank(x))


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(width=32) | st.sampled_from([0.0, -0.0, 1e6, -1e6, 1e-40]), max_size=300),
    flavour=st.sampled_from(FLAVOURS),
)
def test_any_floats_give_finite_features_or_the_first_bad_index(values: list[float], flavour: str) -> None:
    x = np.array(values, np.float32)
    bad = np.flatnonzero(~(np.abs(x) <= 1e6))
    if len(bad):
        with pytest.raises(ValueError, match=rf"^\[Fbank\] expected .* at sample {bad[0]}$"):
            fbank(x, flavour=flavour)
    else:
        features = fbank(x, flavour=flavour)
        assert np.isfinite(features).all()
        assert (features >= np.float32(-23 * np.log(2))).all()


def test_largest_samples_give_finite_features() -> None:
    x = np.where(np.arange(1000) % 3 == 0, 1e6, -1e6).astype(np.float32)
    assert np.isfinite(fbank(x)).all()
    assert np.isfinite(fbank(x, flavour="kaldi")).all()
    with pytest.raises(
        ValueError, match=r"expected samples of magnitude up to 1e6, received 2000000\.0+ at sample 0"
    ):
        fbank(2 * np.abs(x))


def test_smallest_samples_give_the_floor() -> None:
    tiny = np.full(1000, np.finfo(np.float32).smallest_subnormal)
    np.testing.assert_array_equal(fbank(tiny), fbank(np.zeros(1000, np.float32)))


def test_samples_after_the_end_are_refused() -> None:
    front_end = Fbank()
    front_end.input_finished()
    with pytest.raises(RuntimeError, match=r"^\[Fbank\] expected reset\(\)"):
        front_end.accept_waveform(np.zeros(1, np.float32))


@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_other_types_are_refused(dtype: type) -> None:
    with pytest.raises(TypeError):
        fbank(np.zeros(400, dtype))


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("num_samples", "num_frames"), [(0, 0), (1, 0), (79, 0), (80, 1), (239, 1), (240, 2)]
)
def test_short_input(flavour: str, num_samples: int, num_frames: int) -> None:
    assert fbank(speech_like(num_samples), flavour=flavour, num_mels=7).shape == (num_frames, 7)


@pytest.mark.parametrize("num_mels", [0, -3, 257])
def test_number_of_mels_is_bounded(num_mels: int) -> None:
    with pytest.raises(ValueError, match=rf"expected num_mels from 1 to 256, received {num_mels}$"):
        Fbank(num_mels=num_mels)


def test_unknown_flavour_is_refused() -> None:
    with pytest.raises(ValueError, match='expected flavour "nemo" or "kaldi", received "whisper"'):
        Fbank(flavour="whisper")


def test_max_frames_is_checked() -> None:
    with pytest.raises(ValueError, match="expected max_frames"):
        Fbank().read(-2)
