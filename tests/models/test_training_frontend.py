"""Features as training takes them: the stream's, and those of whole utterances."""

import numpy as np
import torch

from whit.models.augment import AugmentConfig
from whit.models.augment_features import augment_features
from whit.models.augment_speech import SpeechAugmentConfig, augment_speech
from whit.models.batch import utterance_features
from whit.models.offline_features import OfflineFrontend, offline_batch
from whit.models.training_frontend import StreamingFrontend, WholeUtteranceFrontend

WHOLE = WholeUtteranceFrontend(config=OfflineFrontend(num_mels=31), frame_multiple=2)
SAMPLES = (0.1 * np.random.default_rng(0).standard_normal(5003)).astype(np.float32)


def test_the_stream_normalises_in_the_model() -> None:
    frontend = StreamingFrontend(num_mels=19, tail_ms=70)
    rows = frontend.log_mels(SAMPLES)
    np.testing.assert_array_equal(rows, utterance_features(SAMPLES, tail_ms=70, num_mels=19))
    assert frontend.normalized(rows) is rows


def test_whole_utterances_are_normalised_as_in_evaluation() -> None:
    rows = WHOLE.normalized(WHOLE.log_mels(SAMPLES))
    expected, num_frames = offline_batch([torch.from_numpy(SAMPLES)], WHOLE.config)
    assert rows.shape == (int(num_frames[0]), 31) == (5003 // 160 + 1, 31)
    # Means of 32 logarithms up to 16 in another order: 16 * 32 * 2^-24 = 3e-5, over deviations of 0.3.
    np.testing.assert_allclose(rows, expected[0].numpy(), rtol=0, atol=1e-4)


def test_what_is_too_short_to_reflect_is_completed_with_zeros() -> None:
    assert WHOLE.log_mels(SAMPLES[:100]).shape == (2, 31)
    assert np.isfinite(WHOLE.normalized(WHOLE.log_mels(SAMPLES[:0]))).all()


def test_front_ends_do_not_share_cached_rows() -> None:
    others = (
        WholeUtteranceFrontend(config=OfflineFrontend(num_mels=31, window_ms=25)),
        WholeUtteranceFrontend(config=OfflineFrontend(num_mels=30)),
        StreamingFrontend(num_mels=31, tail_ms=0),
    )
    assert len({WHOLE.key, *(other.key for other in others)}) == 4


def test_masks_come_after_normalisation() -> None:
    rows, fill = WHOLE.log_mels(SAMPLES), np.zeros(31, np.float32)
    read = SpeechAugmentConfig(
        tempo=(1.0, 1.0), mel_warp=(1.0, 1.0), noise=0.0, time_mask_every_frames=9, time_mask_frames=5
    )
    digits = AugmentConfig(mel_warp=0.0, frequency_masks=2, time_masks=2)
    plain = WHOLE.normalized(rows)
    masked = (
        augment_speech(rows, np.random.default_rng(1), read, fill, normalize=WHOLE.normalized),
        augment_features(rows, np.random.default_rng(1), digits, fill, normalize=WHOLE.normalized),
    )
    for found in masked:
        hidden = found == 0
        assert 0 < hidden.sum() < hidden.size
        # The level changed before the mean was taken away: roundings of 16 * 2^-24 over deviations of 0.3.
        np.testing.assert_allclose(found[~hidden], plain[~hidden], rtol=0, atol=2e-5)
