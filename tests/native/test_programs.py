"""The programs around the engine: whit-cli, the C API, and what a stream allocates."""

import array
import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from build_tools import ROOT
from piped_program import feed, piped
from programs import needs

from whit.runtime.recognizer import Recognizer

MAX_CLI_BYTES = 3_000_000
PAGE_BYTES = 16384
PT_LOAD = 1


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return (np.random.default_rng(5).normal(0, 0.1, 16000 * 2 + 31) * 32767).astype(np.int16)


def run(cli: Path, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([cli, *arguments], input=stdin, capture_output=True)


@pytest.mark.parametrize("kind", ["PCM_16", "FLOAT", "stereo 44100", "raw"])
def test_cli_says_what_python_says(kind: str, cli, model_file, samples, tmp_path) -> None:
    rate, audio = 16000, samples
    if kind == "stereo 44100":
        rate, audio = 44100, np.stack([samples, samples[::-1]], axis=1)
    if kind == "raw":
        completed = run(cli, model_file, "--raw", "16000", "--json", stdin=samples.tobytes())
    else:
        wav = tmp_path / "audio.wav"
        soundfile.write(wav, audio, rate, subtype="FLOAT" if kind == "FLOAT" else "PCM_16")
        audio = soundfile.read(wav, dtype="float32")[0]
        completed = run(cli, model_file, wav, "--json")
    assert completed.returncode == 0, completed.stderr
    report = json.loads(completed.stdout)

    recognizer = Recognizer.from_file(model_file, engine="native")
    stream = recognizer.create_stream()
    stream.accept_waveform(rate, audio)
    stream.input_finished()
    recognizer.decode(stream)
    result = recognizer.get_result(stream)
    assert report["text"] == result.text
    assert tuple(report["tokens"]) == result.tokens
    assert report["token_times_ms"] == [round(1000 * s) for s in result.token_times_s]
    assert report["audio_s"] == pytest.approx(len(audio) / rate)
    assert len(result.tokens) > 3

    assert report["compute"]["chunks"] >= 1
    assert report["compute"]["p50_ms"] <= report["compute"]["p90_ms"] <= report["compute"]["p99_ms"]
    memory = report["memory"]
    assert memory["file_bytes"] == model_file.stat().st_size
    assert memory["data_section_bytes"] < memory["file_bytes"]
    assert memory["peak_resident_kb"] >= memory["resident_kb"] > 0


def test_paced_input_takes_its_time(cli, model_file, samples) -> None:
    begin_s = time.perf_counter()
    completed = run(cli, model_file, "--raw", "16000", "--paced", "--json", stdin=samples[:8000].tobytes())
    assert time.perf_counter() - begin_s >= 0.5
    report = json.loads(completed.stdout)
    plain = json.loads(
        run(cli, model_file, "--raw", "16000", "--json", stdin=samples[:8000].tobytes()).stdout
    )
    assert report["paced"]
    assert report["tokens"] == plain["tokens"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_audio_and_keeps_the_transcript(number: int, cli, model_file, samples) -> None:
    expected = run(cli, model_file, "--raw", "16000", stdin=samples.tobytes())
    command = [cli, model_file, "--raw", "16000"]
    # Its own handling, for a shell's `make test &` ignores Ctrl-C.
    with piped(command, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as process:
        feed(process, samples.tobytes())
        process.send_signal(number)
        text = process.stdout.read()  # the pipe of the audio is still open
    assert process.returncode == 0
    assert text == expected.stdout
    assert len(text) > 3


def test_a_signal_while_output_waits_loses_none_of_it(cli, model_file, samples) -> None:
    audio = np.tile(samples, 200).tobytes()
    arguments = [cli, model_file, "--raw", "16000", "--json", "--chunks"]
    expected = json.loads(subprocess.run(arguments, input=audio, capture_output=True, check=True).stdout)
    with piped(arguments, preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL)) as process:
        process.stdin.write(audio)
        process.stdin.close()
        fill = array.array("i", [0])
        while fill[0] < fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ):
            assert process.poll() is None
            fcntl.ioctl(process.stdout, termios.FIONREAD, fill)
            time.sleep(0.1)  # it waits in the next write then
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # it is told before there is room again
        report = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert report["tokens"] == expected["tokens"]
    assert len(report["chunks"]) == len(expected["chunks"])


def test_raw_audio_that_ends_inside_a_sample_is_told_after_what_was_heard(cli, model_file, samples) -> None:
    expected = run(cli, model_file, "--raw", "16000", stdin=samples.tobytes())
    done = subprocess.run(
        [cli, model_file, "--raw", "16000"], input=samples.tobytes() + b"x", capture_output=True
    )
    assert done.returncode == 2
    assert done.stdout == expected.stdout
    assert done.stderr.decode() == (
        "whit-cli: [audio] expected whole samples of 2 bytes, received 1 more bytes at the end\n"
    )


def test_a_signal_that_the_parent_ignores_is_ignored(cli, model_file, samples) -> None:
    expected = run(cli, model_file, "--raw", "16000", stdin=samples.tobytes())
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", cli, model_file, "--raw", "16000"]
    with piped(command) as process:
        feed(process, samples[:8000].tobytes())
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(samples[8000:].tobytes())
    assert process.returncode == 0
    assert text == expected.stdout


def test_threads_that_the_system_does_not_give_are_told(cli, model_file) -> None:
    command = ["sh", "-c", 'ulimit -v 100000; exec "$@"', "sh", cli, model_file, "--raw", "16000"]
    done = subprocess.run([*command, "--threads", "64"], input=b"", capture_output=True)
    assert done.returncode == 2
    assert f"[{model_file}: num_threads] expected 64 threads of the system, received" in done.stderr.decode()


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--help"]])
def test_output_that_cannot_be_written_is_an_error(arguments: list[str], cli, model_file, samples) -> None:
    command = [cli, model_file, "--raw", "16000", *arguments]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, input=samples.tobytes(), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "whit-cli: [standard output] expected room for what is printed, received No space left on device\n"
    )


def test_audio_that_cannot_be_read_is_an_error(cli, model_file, tmp_path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    done = subprocess.run([cli, model_file, "--raw", "16000"], stdin=folder, capture_output=True)
    os.close(folder)
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "whit-cli: [audio] expected audio that can be read to its end, received Is a directory\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "[whit-cli] expected a model (see --help), received none"),
        (["MODEL"], "[whit-cli] expected a WAV file or --raw RATE, received neither"),
        (["MODEL", "a.wav", "--raw", "8000"], "expected a WAV file or --raw RATE, received both"),
        (["MODEL", "--raw", "x"], "[--raw] expected a sample rate in Hz, received x"),
        (["MODEL", "--raw"], "[--raw] expected a sample rate in Hz, received none"),
        (["MODEL", "a.wav", "--chunks"], "[--chunks] expected --json beside it, received none"),
        (["MODEL", "a.wav", "--threads", "0"], "[--threads] expected a number of threads, received 0"),
        (["MODEL", "--threads"], "[--threads] expected a number of threads, received none"),
        (
            ["MODEL", "--raw", "16000", "--threads", "65"],
            "num_threads] expected from 1 to 64, received 65",
        ),
        (["MODEL", "a.wav", "--quick"], "[whit-cli] expected an option of --help, received --quick"),
        (["MODEL", "missing.wav"], "[missing.wav] expected a WAV file, received No such file or directory"),
        (["MODEL", "--raw", "16000"], "[audio] expected at least 1 sample, received none"),
        (["/dev/null", "--raw", "16000"], "[/dev/null] expected a model file"),
        (
            ["missing", "--raw", "16000"],
            "[missing] expected a model file, received No such file or directory",
        ),
    ],
)
def test_cli_refuses(arguments: list[str], message: str, cli, model_file, tmp_path) -> None:
    words = [model_file if word == "MODEL" else word for word in arguments]
    completed = subprocess.run([cli, *words], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path)
    assert completed.returncode == 2
    assert message in completed.stderr.decode()
    assert not completed.stdout


METADATA = b"LIST" + struct.pack("<I", 9000) + bytes(9000)


def wav(
    format_chunk: bytes, data: bytes = bytes(3200), size: int | None = None, *, riff_size: int = 0
) -> bytes:
    chunk = b"fmt " + struct.pack("<I", len(format_chunk)) + format_chunk
    data_chunk = b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + METADATA + chunk + data_chunk


def pcm(channels: int = 1, rate: int = 16000, bits: int = 16, code: int = 1) -> bytes:
    return struct.pack("<HHIIHH", code, channels, rate & 0xFFFFFFFF, 0, 0, bits)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"RIFF\0\0\0\0WAVX", "another file"),
        (b"RIFF\0\0\0\0WAVE", "expected chunks fmt and data, received the end of the file"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0\0\0\0\0", "expected the chunk fmt before data"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xff", "received the end of the file"),
        (wav(pcm()[:14]), "expected a chunk fmt of at least 16 bytes, received 14 bytes"),
        (wav(pcm(bits=20)), "received format 1 of 20 bits"),
        (wav(pcm(code=6)), "received format 6 of 16 bits"),
        (wav(pcm(channels=0)), "expected from 1 to 64 channels, received 0"),
        (wav(pcm(channels=65535)), "expected from 1 to 64 channels, received 65535"),
        (wav(pcm(rate=0)), "expected a sample rate above 0 Hz, received 0"),
        (wav(pcm(rate=-1)), "expected a sample rate above 0 Hz"),
        (wav(pcm(rate=2**31 - 1)), "expected a sample rate from 1000 to 384000 Hz, received 2147483647"),
        (wav(pcm(bits=32, code=3), np.array([np.nan] * 99, "<f4").tobytes()), "received nan at sample 0"),
        (wav(pcm(), b""), "expected at least 1 sample"),
        (wav(pcm(bits=32, code=3), np.array([0] * 999 + [np.inf], "<f4").tobytes()), "inf at sample 999"),
        (wav(pcm(rate=44101)), "[Resampler] expected rates whose ratio needs at most 1048576 filter"),
        (
            wav(pcm(), METADATA, size=0, riff_size=20000),
            "audio.wav] expected at least 1 sample, received none",
        ),
    ],
    ids=range(18),
)
def test_cli_refuses_recordings(content: bytes, message: str, cli, model_file, tmp_path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(content)
    completed = run(cli, model_file, path)
    assert completed.returncode == 2
    assert message in completed.stderr.decode()


def test_recordings_of_unknown_size_are_read_to_their_end(cli, model_file, samples, tmp_path) -> None:
    texts = []
    for size in (None, 0, 0xFFFFFFFF):
        (tmp_path / "audio.wav").write_bytes(wav(pcm(), samples.tobytes(), size))
        done = run(cli, model_file, tmp_path / "audio.wav")
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert len(set(texts)) == 1 and len(texts[0]) > 3


def test_a_recording_may_come_through_a_pipe(cli, model_file, samples, tmp_path) -> None:
    content = wav(pcm(), samples.tobytes())
    (tmp_path / "audio.wav").write_bytes(content)
    piped = run(cli, model_file, "/dev/stdin", stdin=content)
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout == run(cli, model_file, tmp_path / "audio.wav").stdout


def test_cli_is_small_static_and_aligned_to_large_pages(cli) -> None:
    content = cli.read_bytes()
    assert len(content) <= MAX_CLI_BYTES
    assert content[:5] == b"\x7fELF\x02"
    offset, entry_bytes, num_entries = (
        struct.unpack_from("<Q", content, 32)[0],
        *struct.unpack_from("<HH", content, 54),
    )
    headers = [struct.unpack_from("<IIQQQQQQ", content, offset + i * entry_bytes) for i in range(num_entries)]
    loaded = [header for header in headers if header[0] == PT_LOAD]
    assert loaded
    assert all(header[7] >= PAGE_BYTES and header[7] % PAGE_BYTES == 0 for header in loaded)
    assert not any(header[0] == 3 for header in headers)  # PT_INTERP: no dynamic loader


def test_c_api_is_c(tmp_path) -> None:
    compiler = needs("gcc")
    source = tmp_path / "use.c"
    source.write_text('#include "whit.h"\nint main(void) { return whit_error_text() == 0; }\n')
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    include = f"-I{ROOT / 'runtime' / 'cpp' / 'include'}"
    subprocess.run([compiler, *flags, include, source], check=True)


def test_a_stream_allocates_nothing_per_chunk(native_build, model_file, tmp_path) -> None:
    program = tmp_path / "count_allocations"
    source = Path(__file__).parent / "count_allocations.cpp"
    include = ROOT / "runtime" / "cpp" / "include"
    command = [needs("g++"), "-std=c++20", "-O1", f"-I{include}", source, native_build / "libwhit_core.a"]
    subprocess.run([*command, "-pthread", "-o", program], check=True)
    for settings in (("16000", "1", "1"), ("44100", "1", "1"), ("16000", "2", "1"), ("16000", "2", "3")):
        counted = subprocess.run([program, model_file, *settings], capture_output=True, check=True, text=True)
        before, during, num_chunks, num_tokens = map(int, counted.stdout.split())
        assert before > 0  # the counter works
        assert num_chunks > 10
        assert num_tokens > 3
        assert during == 0


def test_the_floor_of_products_is_measured(native_build, tmp_path) -> None:
    """Every row once, on few weights: the shares have no meaning then."""
    program, source = tmp_path / "read_floor", ROOT / "benchmarks" / "read_floor.cpp"
    include = ROOT / "runtime" / "cpp" / "include"
    command = [needs("g++"), "-std=c++20", "-O1", f"-I{include}", source, native_build / "libwhit_core.a"]
    subprocess.run([*command, "-pthread", "-o", program], check=True)
    measured = subprocess.run([program, tmp_path, "1", "2"], capture_output=True, check=True, text=True)
    rows = [line.split("|")[1:-1] for line in measured.stdout.splitlines()[2:]]
    assert [row[0].strip() for row in rows] == ["E8", "E5", "E4", "P3", "P2", "P1"]
    assert all(float(value) > 0 for row in rows for value in row[1:])
    assert list(tmp_path.iterdir()) == [program]
