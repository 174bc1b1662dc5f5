"""What is shown while speech comes: committed words and the ends of utterances, as Python has them."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from build_tools import ROOT, link_c_program
from piped_program import feed, piped
from typer.testing import CliRunner

from whit.exporter.export import ExportRequest, run_export
from whit.runtime.cli import app
from whit.runtime.recognizer import Recognizer
from whit.runtime.settings import EndpointRule, RecognizerSettings

HERE = Path(__file__).parent
RATE_HZ = 16000
BLOCK = 160
RULES = [  # others than the default; those below 0.3 s end an utterance before what it heard again is over
    EndpointRule(after_word_s=0.3, without_word_s=0.9),
    EndpointRule(after_word_s=0.06, without_word_s=0.06),
    EndpointRule(after_word_s=0.2, without_word_s=0.3),
]


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Eight seconds: bursts of noise with pauses, int16."""
    bursts = (np.arange(8 * RATE_HZ) // (RATE_HZ // 4)) % 7 == 1
    return (np.random.default_rng(3).normal(0, 0.1, len(bursts)) * bursts * 32767).astype(np.int16)


def blocks_of(samples: np.ndarray) -> list[np.ndarray]:
    return np.split(samples.astype(np.float32) / 32768, range(BLOCK, len(samples), BLOCK))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_c_api(rule: EndpointRule, pausing_model, samples, native_build, tmp_path) -> None:
    program = link_c_program(HERE / "use_live.c", native_build, tmp_path)
    rule_ms = [str(round(1000 * s)) for s in (rule.after_word_s, rule.without_word_s)]
    done = subprocess.run(
        [program, pausing_model, *rule_ms],
        input=(samples.astype(np.float32) / 32768).tobytes(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr

    recognizer = Recognizer.from_file(pausing_model, engine="native")
    other = Recognizer(recognizer.engine, settings=RecognizerSettings(endpoint=rule))
    stream = recognizer.create_stream()
    expected = []

    def decode() -> None:
        while recognizer.is_ready(stream):
            recognizer.decode_stream(stream)
            result = recognizer.get_result(stream)
            default, other_ends = (int(r.is_endpoint(stream)) for r in (recognizer, other))
            last_ms = round(1000 * result.token_times_s[-1]) if result.tokens else -1
            committed = len(result.committed.encode())
            expected.append(f"{committed} {default} {other_ends} {last_ms} {result.text}")
            if other_ends:
                recognizer.next_utterance(stream)

    for block in blocks_of(samples):
        stream.accept_waveform(RATE_HZ, block)
        decode()
    stream.input_finished()
    decode()
    assert done.stdout.decode().splitlines() == expected
    said = [line.split(" ", 4) for line in expected]
    ends = [int(by_other) for _, _, by_other, *_ in said]
    assert sum(ends) > 2
    num_chunks = len(samples) / (RATE_HZ // 100) / recognizer.info.chunk_frames
    assert len(ends) < 6.5 * num_chunks  # 0.3 s are five chunks: each is heard so often at most
    times = [int(last_ms) for *_, last_ms, _ in said if last_ms != "-1"]
    assert times == sorted(times)
    if rule is RULES[0]:  # the others end an utterance before a word could be tentative, or be at all
        assert any(int(committed) < len(text.encode()) for committed, *_, text in said)
        assert times[-1] > 5000  # of the audio, not of the utterance


def test_utterances_are_lines(cli, pausing_model, samples) -> None:
    recognizer = Recognizer.from_file(pausing_model, engine="native")
    stream = recognizer.create_stream()
    lines = []
    for block in blocks_of(samples):
        stream.accept_waveform(RATE_HZ, block)
        recognizer.decode(stream)
        if recognizer.is_endpoint(stream):
            lines.append(recognizer.get_result(stream).text)
            recognizer.next_utterance(stream)
    stream.input_finished()
    recognizer.decode(stream)
    lines.append(recognizer.get_result(stream).text)
    done = subprocess.run(
        [cli, pausing_model, "--raw", str(RATE_HZ), "--utterances"],
        input=samples.tobytes(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == [line for line in lines if line]
    assert sum(map(bool, lines)) > 1


def test_python_prints_the_same_lines(cli, pausing_model, samples, tmp_path) -> None:
    path = tmp_path / "pauses.wav"
    soundfile.write(path, samples, RATE_HZ)
    expected = subprocess.run([cli, pausing_model, path, "--utterances"], capture_output=True).stdout

    def lines(*options: str) -> list[str]:
        result = CliRunner().invoke(app, ["transcribe", str(pausing_model), str(path), *options])
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    texts = expected.decode().splitlines()
    assert len(texts) > 1
    assert lines("--utterances") == [f"{path}: {text}" for text in texts]
    objects = [json.loads(line) for line in lines("--utterances", "--json")]
    assert [each["text"] for each in objects] == texts
    times = [time for each in objects for time in each["token_times_s"]]
    assert times == sorted(times)
    assert times[-1] > 5  # of the audio, not of the utterance
    heard = [each["duration_s"] for each in objects]
    assert heard == sorted(heard)
    assert heard[-1] <= 8
    for each in objects[:-1]:
        assert each["token_times_s"][-1] + EndpointRule().after_word_s <= each["duration_s"]


@pytest.mark.parametrize("options", [[], ["--utterances"]])
def test_words_come_while_one_speaks(options: list[str], cli, pausing_model, samples) -> None:
    command = [cli, pausing_model, "--raw", str(RATE_HZ), *options]
    expected = subprocess.run(command, input=samples.tobytes(), capture_output=True).stdout
    with piped(command) as process:
        feed(process, samples.tobytes())
        early = os.read(process.stdout.fileno(), 1 << 16)  # what was printed before the audio's end
        process.stdin.close()
        late = process.stdout.read()
    assert process.returncode == 0
    assert early + late == expected
    assert len(early) > len(expected) // 2


@pytest.mark.parametrize("lead_s", [2.04, 2.06, 2.08])
def test_a_word_that_began_before_a_line_ended_is_whole(lead_s: float, cli, tmp_path) -> None:
    """After 2.4 s without a token the next utterance begins: here within the first word."""
    run_export(
        ExportRequest(
            checkpoint=ROOT / "checkpoints" / "rnnt-digits-gq",
            output=tmp_path,
            dialect="whit",
            format="tflite",
        )
    )
    speech, rate_hz = soundfile.read(ROOT / "demo" / "digits-1.flac", dtype="int16")
    audio = np.concatenate([np.zeros(round(lead_s * rate_hz), np.int16), speech])
    command = [cli, tmp_path / "model.tflite", "--raw", str(rate_hz), "--utterances"]
    done = subprocess.run(command, input=audio.tobytes(), capture_output=True)
    assert done.stdout.decode().split() == ["four", "seven", "one", "nine"]


def test_utterances_refusals(cli, pausing_model, export_offline) -> None:
    for arguments, message in [
        ([pausing_model, "--json"], "expected no --json beside it, received --json"),
        ([export_offline("quartznet")], "expected a streaming model, received one of whole utterances"),
    ]:
        done = subprocess.run(
            [cli, *arguments, "--raw", "16000", "--utterances"], input=b"", capture_output=True
        )
        assert done.returncode == 2
        assert done.stderr.decode() == f"whit-cli: [--utterances] {message}\n"
        assert not done.stdout


def test_lines_that_cannot_be_written_end_the_program(cli, pausing_model, samples) -> None:
    command = [cli, pausing_model, "--raw", str(RATE_HZ), "--utterances"]
    with open("/dev/full", "wb") as full, piped(command, stdout=full, bufsize=0) as process:
        with suppress(BrokenPipeError):
            for block in np.split(samples, 100):
                process.stdin.write(block.tobytes())
        said = process.stderr.read().decode()  # to its end, though the audio has not ended
    assert process.returncode == 2
    assert said.startswith("whit-cli: [standard output] expected room for what is printed, received No space")
