"""Reading recordings block by block."""

import struct
import tracemalloc
import wave

import numpy as np
import pytest
import soundfile

from whit.runtime.audio import AudioFile
from whit.runtime.errors import AudioError
from whit.runtime.wav_size import missing_bytes


def sine(rate_hz, num_samples):
    return 0.25 * np.sin(2 * np.pi * 440 * np.arange(num_samples) / rate_hz)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus"])
@pytest.mark.parametrize("channels", [1, 2])
def test_formats(tmp_path, suffix, channels):
    path = tmp_path / f"tone.{suffix}"
    samples = np.repeat(sine(16000, 8000)[:, None], channels, axis=1)
    format_ = {"opus": {"format": "OGG", "subtype": "OPUS"}}.get(suffix, {})
    soundfile.write(path, samples, 16000, **format_)
    with AudioFile(path) as audio:
        assert audio.sample_rate_hz == 16000
        assert audio.duration_s == pytest.approx(0.5, abs=0.01)
        blocks = list(audio.blocks(block_ms=30))
    read = np.concatenate(blocks)
    assert read.dtype == np.float32
    assert {len(block) for block in blocks[:-1]} == {480}
    lossy = suffix in ("ogg", "opus")
    middle = slice(1600, 6400)  # lossy coders fade in and out
    # Lossless: a step of 16 bits. Lossy: a loud tone within 0.1 of full scale.
    assert np.abs(read[middle] - samples[middle, 0]).max() < (0.1 if lossy else 2**-15)


@pytest.mark.parametrize("block_ms", [0.01, 7, 1000])
def test_blocks_hold_every_sample_once(tmp_path, block_ms):
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(8000, 1001), 8000, subtype="FLOAT")
    with AudioFile(path) as audio:
        read = np.concatenate(list(audio.blocks(block_ms=block_ms)))
    assert np.array_equal(read, sine(8000, 1001).astype(np.float32))


def test_three_hours_are_not_held_in_memory(tmp_path):
    path = tmp_path / "long.wav"
    rate_hz, num_samples = 8000, 3 * 3600 * 8000
    with path.open("wb") as file:  # a sparse file: zeros take no disk
        size = 2 * num_samples
        file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt ")
        file.write(
            struct.pack("<IHHIIHH", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16) + b"data" + struct.pack("<I", size)
        )
        file.truncate(44 + size)
    tracemalloc.start()
    with AudioFile(path) as audio:
        assert audio.duration_s == 3 * 3600
        assert sum(len(block) for block in audio.blocks(block_ms=5000)) == num_samples
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 << 20  # the samples are 346 MB as floats


def zero_hz(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(20))
    content = bytearray(path.read_bytes())
    content[24:28] = bytes(4)
    path.write_bytes(content)


def not_a_number(path):
    samples = sine(8000, 3000)
    samples[2345] = np.nan
    soundfile.write(path, samples, 8000, subtype="FLOAT")


BAD = {
    "missing": (lambda path: None, "without one"),
    "empty": (lambda path: path.write_bytes(b""), "empty file"),
    "text": (lambda path: path.write_text("hello" * 100), "expected WAV"),
    "no samples": (lambda path: soundfile.write(path, np.zeros(0), 8000), "at least 1 sample"),
    "0 Hz": (zero_hz, "expected WAV, FLAC, Ogg or other audio, received"),
    "NaN": (not_a_number, "sample 2345"),
    "folder": (lambda path: path.mkdir(), "without one"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_recordings_are_named(tmp_path, name):
    make, expected = BAD[name]
    path = tmp_path / "bad.wav"
    make(path)
    with pytest.raises(AudioError, match=expected) as error, AudioFile(path) as audio:
        list(audio.blocks())
    assert "bad.wav" in str(error.value)


def test_a_cut_recording_gives_what_is_there_and_says_what_is_not(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(8000, 8000), 8000)
    path.write_bytes(path.read_bytes()[:9000])
    heard = 0
    with AudioFile(path) as audio, pytest.raises(AudioError, match=r"0\.56 s\] expected 7044 more bytes"):
        for block in audio.blocks():
            heard += len(block)
    assert heard == (9000 - 44) // 2


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFDC])
def test_a_header_without_a_size_is_no_cut_recording(tmp_path, size):
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(8000, 8000), 8000)
    content = bytearray(path.read_bytes())
    content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert missing_bytes(path) == 0


def flac_of_unknown_length(path):
    """As encoders write into a pipe: STREAMINFO states 0 samples, in the last 36 bits before its MD5."""
    soundfile.write(path, sine(16000, 20011), 16000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)


def test_a_flac_of_unknown_length_is_counted_and_read(tmp_path):
    path = tmp_path / "piped.flac"
    flac_of_unknown_length(path)
    assert soundfile.info(path).frames > 1 << 60
    with AudioFile(path) as audio:
        assert audio.num_samples == 20011
        read = np.concatenate(list(audio.blocks()))
    assert np.abs(read - sine(16000, 20011)).max() < 2**-15  # a step of 16 bits


def test_a_cut_flac_gives_what_is_there_and_says_what_is_not(tmp_path):
    path = tmp_path / "tone.flac"
    soundfile.write(path, sine(16000, 40000), 16000)
    frames = [at for at in range(len(path.read_bytes())) if path.read_bytes()[at : at + 2] == b"\xff\xf8"]
    path.write_bytes(path.read_bytes()[: frames[2]])
    heard = 0
    with AudioFile(path) as audio, pytest.raises(AudioError, match=r"expected \d+ more samples"):
        for block in audio.blocks():
            heard += len(block)
    assert 0 < heard < 40000 and heard % 1024 == 0  # whole frames of FLAC


def test_a_cut_rf64_is_a_cut_recording(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, sine(8000, 8000), 8000, format="RF64")
    assert missing_bytes(path) == 0
    path.write_bytes(path.read_bytes()[:-1000])
    assert missing_bytes(path) == 1000
