"""WAV files that whit-cli reads, and what it says of others and of audio that goes wrong part way."""

import json
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

BLOCK = 160  # samples at 16 kHz that the program reads at once


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return (np.random.default_rng(3).normal(0, 0.1, 100 * BLOCK) * 32767).astype("<i2")


def run(cli: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([cli, *arguments], capture_output=True)


def format_chunk(*, code: int = 1, frame_bytes: int = 2, bits: int = 16, more: bytes = b"") -> bytes:
    return struct.pack("<HHIIHH", code, 1, 16000, 32000, frame_bytes, bits) + more


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk as RIFF wants it: padded to an even size."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def wav(format_content: bytes, data: bytes) -> bytes:
    chunks = b"WAVE" + chunk(b"fmt ", format_content) + chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


@pytest.mark.parametrize("channels", [1, 3])
def test_24_bits_say_what_16_say(channels: int, cli, model_file, noise, tmp_path) -> None:
    samples = np.repeat(noise[:, None].astype(np.int32) << 16, channels, axis=1)
    texts = []
    for subtype in ("PCM_16", "PCM_24"):
        path = tmp_path / f"{subtype}.wav"
        soundfile.write(path, samples, 16000, subtype=subtype)
        done = run(cli, model_file, path)
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert texts[0] == texts[1] and len(texts[0]) > 3


def test_all_24_bits_count(cli, model_file, tmp_path) -> None:
    samples = np.random.default_rng(4).integers(-(1 << 21), 1 << 21, 16000).astype(np.int32)
    reports = []
    soundfile.write(tmp_path / "PCM_24.wav", samples << 8, 16000, subtype="PCM_24")
    exact = (samples / (1 << 23)).astype(np.float32)
    soundfile.write(tmp_path / "FLOAT.wav", exact, 16000, subtype="FLOAT")
    for subtype in ("PCM_24", "FLOAT"):
        done = run(cli, model_file, tmp_path / f"{subtype}.wav", "--json")
        reports.append(json.loads(done.stdout))
    assert len(reports[0]["tokens"]) > 3
    assert all(reports[0][key] == reports[1][key] for key in ("text", "token_ids", "token_times_ms"))


@pytest.mark.parametrize("num_more", [0, 3, 2, 24, 25])
def test_chunks_are_padded_to_even_sizes(num_more: int, cli, model_file, noise, tmp_path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(wav(format_chunk(), noise.tobytes()))
    expected = run(cli, model_file, path)
    path.write_bytes(wav(format_chunk(more=bytes(num_more)), noise.tobytes()))
    done = run(cli, model_file, path)
    assert (done.returncode, done.stdout) == (0, expected.stdout), done.stderr
    assert len(done.stdout) > 3


LITTLE = "expected a WAV file (little-endian RIFF), received"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{LITTLE} an empty file"),
        (b"RIF", f"{LITTLE} the end of the file"),
        (b"RIFX\0\0\0\0WAVE", f"{LITTLE} RIFX"),
        (b"RF64\xff\xff\xff\xffWAVE", f"{LITTLE} RF64"),
        (b"fLaC\0\0\0\x22\x10\0\x10\0", f"{LITTLE} another file"),
        (wav(format_chunk(frame_bytes=4), bytes(64)), "expected frames of 2 bytes, received 4"),
        (wav(format_chunk(frame_bytes=4, bits=24), bytes(64)), "expected frames of 3 bytes, received 4"),
        (
            wav(format_chunk(bits=32, frame_bytes=4), bytes(64)),
            "expected 16-bit or 24-bit PCM or 32-bit float, received format 1 of 32 bits",
        ),
    ],
    ids=range(8),
)
def test_refuses(content: bytes, message: str, cli, model_file, tmp_path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(content)
    done = run(cli, model_file, path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"whit-cli: [{path}] {message}\n"


def test_a_folder_is_no_recording(cli, model_file, tmp_path) -> None:
    done = run(cli, model_file, tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode() == f"whit-cli: [{tmp_path}] {LITTLE} Is a directory\n"


@pytest.mark.parametrize("kind", ["streaming", "whole utterances"])
def test_an_error_before_the_first_word_is_in_the_json(
    kind: str, cli, export_random, export_offline, tmp_path
) -> None:
    model, num_blocks = export_random("linear", 4, blank_bias=4.0) / "model.tflite", 1000
    if kind == "whole utterances":
        model, num_blocks = export_offline("quartznet"), 1  # too little to decode
    silence = np.zeros(num_blocks * BLOCK, np.float32)
    path = tmp_path / "spoiled.wav"
    soundfile.write(path, np.append(silence, np.float32(np.nan)), 16000, subtype="FLOAT")
    error = (
        f"[accept_waveform] expected samples of magnitude up to 100000, received nan at sample {len(silence)}"
    )
    plain, done = run(cli, model, path), run(cli, model, path, "--json")
    assert (plain.returncode, plain.stdout) == (2, b"")
    assert done.returncode == 2
    assert plain.stderr.decode() == done.stderr.decode() == f"whit-cli: {error}\n"
    report = json.loads(done.stdout)
    assert (report["error"], report["text"], report["tokens"]) == (error, "", [])
    assert report["audio_s"] == pytest.approx(len(silence) / 16000, abs=1e-6)  # six digits are printed


@pytest.mark.parametrize("kind", ["streaming", "whole utterances"])
def test_what_was_heard_before_an_error_is_printed(
    kind: str, cli, model_file, export_offline, noise, tmp_path
) -> None:
    model = model_file if kind == "streaming" else export_offline("quartznet")
    heard = noise.astype(np.float32) / 32768
    spoiled = np.concatenate([heard, np.full(BLOCK, np.nan, np.float32), heard])
    for name, samples in (("heard", heard), ("spoiled", spoiled)):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000, subtype="FLOAT")
    expected = run(cli, model, tmp_path / "heard.wav")
    error = (
        f"[accept_waveform] expected samples of magnitude up to 100000, received nan at sample {len(heard)}"
    )
    done = run(cli, model, tmp_path / "spoiled.wav")
    assert len(expected.stdout) > 3
    assert (done.returncode, done.stdout) == (2, expected.stdout)
    assert done.stderr.decode() == f"whit-cli: {error}\n"

    whole = json.loads(run(cli, model, tmp_path / "heard.wav", "--json").stdout)
    done = run(cli, model, tmp_path / "spoiled.wav", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 2
    assert done.stderr.decode() == f"whit-cli: {error}\n"
    assert report.pop("error") == error
    assert report.keys() == whole.keys()
    assert all(report[key] == whole[key] for key in ("text", "token_ids", "token_times_ms", "audio_s"))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_file_that_ends_before_its_stated_size_is_an_error(
    options, cli, model_file, noise, tmp_path
) -> None:
    whole, cut = tmp_path / "whole.wav", tmp_path / "cut.wav"
    soundfile.write(whole, noise[: 60 * BLOCK], 16000, subtype="PCM_16")
    expected = run(cli, model_file, whole, *options)
    soundfile.write(cut, noise, 16000, subtype="PCM_16")
    cut.write_bytes(cut.read_bytes()[: whole.stat().st_size])
    done = run(cli, model_file, cut, *options)
    assert done.returncode == 2
    message = f"[{cut}] expected {40 * BLOCK * 2} more bytes of audio, received the end of the file"
    assert done.stderr.decode() == f"whit-cli: {message}\n"
    if options:
        heard, report = json.loads(expected.stdout), json.loads(done.stdout)
        assert report["error"] == message
        assert report["tokens"] == heard["tokens"]
    else:
        assert done.stdout == expected.stdout


def test_a_size_near_2_to_31_is_a_placeholder(cli, model_file, noise, tmp_path) -> None:
    path = tmp_path / "pipe.wav"
    content = wav(format_chunk(), noise.tobytes())
    data = content.rindex(b"data") + 4
    path.write_bytes(content[:data] + struct.pack("<I", 0x7FFFFFFF) + content[data + 4 :])
    done = run(cli, model_file, path)
    assert done.returncode == 0, done.stderr
    path.write_bytes(content)
    assert done.stdout == run(cli, model_file, path).stdout
