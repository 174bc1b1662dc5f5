"""`whit device-bench`: what whit-cli tells of a recording is what Python measures of it, on any device."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from whit.runtime import cli
from whit.runtime.benchmark import FEED_MS, read_blocks
from whit.runtime.clock import VirtualClock
from whit.runtime.device_playback import device_playback
from whit.runtime.play_recording import play_recording
from whit.runtime.recognizer import Recognizer

RATES_HZ = (16000, 44100)
FAKE_ADB = """#!/bin/sh
# A device whose /data/local/tmp is a folder here.
printf '%s %s\\n' "$1" "$2" >> {log}
[ "$1" = -s ] && [ "$2" = PHONE ] && shift 2
inside() {{ printf %s "$1" | sed 's#/data/local/tmp#{root}#g'; }}
case $1 in
  shell) shift; printed=$(sh -c "$(inside "$*")"); code=$?
         printf '%s\\n' "$printed" | sed 's#{root}#/data/local/tmp#g'; exit $code ;;
  push) shift; eval "folder=\\${{$#}}"
        for file; do [ "$file" = "$folder" ] || cp "$file" "$(inside "$folder")" || exit 1; done ;;
esac
"""

FAKE_SSH = """#!/bin/sh
# A machine that shares its folders with this one.
[ "$1" = pi ] || {{ echo "ssh: Could not resolve hostname $1" >&2; exit 255; }}
shift
{instead}
exec sh -c "$*"
"""
FAKE_SCP = """#!/bin/sh
[ "$1" = -q ] || exit 1
shift
eval "target=\\${{$#}}"
echo "${{target#pi:}}" >> {log}
for file; do [ "$file" = "$target" ] || cp "$file" "${{target#pi:}}" || exit 1; done
"""


@pytest.fixture(scope="module")
def program(native_build) -> Path:
    return native_build / "cli" / "whit-cli"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    """Bursts of noise with pauses; whit-cli feeds blocks of 10 ms, which at 44.1 kHz are 441 samples."""
    folder = tmp_path_factory.mktemp("played")
    rng = np.random.default_rng(3)
    lines = []
    for number, rate_hz in enumerate(RATES_HZ):
        bursts = (np.arange(4 * rate_hz) // (rate_hz // 4)) % 7 == number
        samples = rng.normal(0, 0.1, len(bursts)) * bursts
        soundfile.write(folder / f"{number}.wav", samples, rate_hz, subtype="FLOAT")
        words = [["abc", 0.1, 0.5], ["def", 1.9, 2.2]]
        lines.append(json.dumps({"audio": f"{number}.wav", "text": "abc def", "words": words}))
    (folder / "set.jsonl").write_text("\n".join(lines))
    return folder / "set.jsonl"


def device_bench(*arguments: object):
    return CliRunner().invoke(
        cli.app, ["device-bench", *map(str, arguments), "--memory-s", "0.5", "--load-runs", "2"]
    )


def shown(playback):
    """The words on the screen after each change, whichever way a playback remembers them."""
    screen: list[str] = []
    states = []
    for chunk, num_kept, words in playback.texts:
        screen[num_kept:] = words
        states.append((chunk, tuple(screen)))
    return states


def endpoint_chunks(playback):
    return [[chunk.emit_s for chunk in playback.chunks].index(s) for s in playback.endpoints_s]


@pytest.mark.parametrize("number", range(len(RATES_HZ)))
@pytest.mark.parametrize("model", ["model_file", "pausing_model"])
def test_whit_cli_plays_as_python_does(model: str, number: int, program, manifest, request) -> None:
    path = request.getfixturevalue(model)
    wave = manifest.parent / f"{number}.wav"
    recognizer = Recognizer.from_file(path, engine="native")
    expected = play_recording(recognizer, *read_blocks(wave, FEED_MS), VirtualClock())
    done = subprocess.run([program, path, wave, "--json", "--chunks"], capture_output=True, check=True)
    received = device_playback(json.loads(done.stdout), recognizer.info, recognizer.settings.endpoint)
    assert received.duration_s == pytest.approx(expected.duration_s, abs=1e-6)
    assert [chunk.is_flush for chunk in received.chunks] == [chunk.is_flush for chunk in expected.chunks]
    ready_s = [chunk.ready_s for chunk in expected.chunks]
    assert [chunk.ready_s for chunk in received.chunks] == pytest.approx(ready_s, abs=1e-6)
    assert shown(received) == shown(expected)
    assert len(shown(expected)) >= 2 or model == "pausing_model"
    assert endpoint_chunks(received) == endpoint_chunks(expected)
    for chunk in received.chunks:
        assert chunk.ready_s <= chunk.start_s + 1e-6 <= chunk.emit_s + 1e-6


def test_endpoints_are_among_what_was_compared(pausing_model, manifest) -> None:
    recognizer = Recognizer.from_file(pausing_model, engine="native")
    played = play_recording(recognizer, *read_blocks(manifest.parent / "0.wav", FEED_MS), VirtualClock())
    assert played.endpoints_s


def test_paced_chunks_wait_for_their_audio(program, model_file, manifest) -> None:
    command = [program, model_file, manifest.parent / "0.wav", "--json", "--chunks", "--paced"]
    report = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert report["audio_s"] == 4
    assert all(ready_ms <= start_ms <= emit_ms for ready_ms, start_ms, emit_ms, *_ in report["chunks"])
    assert report["chunks"][-1][2] >= 4000


def test_figures_of_this_machine(program, model_file, pausing_model, manifest) -> None:
    arguments = (model_file, manifest, "--against", pausing_model, "--device", "local", "--cli", program)
    result = device_bench(*arguments, "--no-paced", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["clock"] == "virtual clock"
    assert report["device"]["before"]["system"].startswith("Linux")
    first = report["models"][0]
    assert first["memory_bytes"]["file_size"] == model_file.stat().st_size
    assert len(first["memory_bytes"]["first_result_runs_ms"]) == 2
    assert first["latency"]["num_recordings"] == len(RATES_HZ)
    recognizer = Recognizer.from_file(model_file, engine="native")
    for number, text in enumerate(first["texts"]):
        rate_hz, blocks = read_blocks(manifest.parent / f"{number}.wav", FEED_MS)
        stream = recognizer.create_stream()
        stream.accept_waveform(rate_hz, np.concatenate(blocks))
        stream.input_finished()
        recognizer.decode(stream)
        assert text == recognizer.get_result(stream).text

    table = device_bench(*arguments, "--no-paced", "--limit", "1")
    assert table.exit_code == 0, table.output
    for expected in ("A = ", "A / B", "local", "peak RSS", "UPL, ms", "real-time factor", "threads 1"):
        assert expected in table.stdout


def test_models_of_whole_utterances(program, export_offline, manifest) -> None:
    model = export_offline("quartznet", max_seconds=5)
    result = device_bench(model, manifest, "--device", "local", "--cli", program, "--no-paced", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)["models"][0]["utterances"]
    assert report["num_recordings"] == len(RATES_HZ)
    assert report["finalization_ms"]["p50"] > 0


@pytest.fixture
def phone(tmp_path, monkeypatch) -> Path:
    """An `adb` in PATH whose device is a folder, which is returned."""
    root = tmp_path / "phone"
    root.mkdir()
    put_in_path(monkeypatch, tmp_path / "bin", adb=FAKE_ADB.format(root=root, log=tmp_path / "log"))
    return root


def put_in_path(monkeypatch: pytest.MonkeyPatch, folder: Path, **programs: str) -> None:
    folder.mkdir()
    for name, script in programs.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def put_ssh_in_path(monkeypatch: pytest.MonkeyPatch, folder: Path, *, instead: str = "") -> Path:
    """Returns where a line is written for every copy, with its target."""
    log = folder / "log"
    scripts = {"ssh": FAKE_SSH.format(instead=instead), "scp": FAKE_SCP.format(log=log)}
    put_in_path(monkeypatch, folder / "bin", **scripts)
    return log


def test_a_machine_by_ssh(monkeypatch, program, model_file, manifest, tmp_path) -> None:
    log = put_ssh_in_path(monkeypatch, tmp_path)
    result = device_bench(
        model_file, manifest, "--device", "ssh:pi", "--cli", program, "--no-paced", "--limit", "1", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["models"][0]["latency"]["num_recordings"] == 1
    (folder,) = log.read_text().split()
    assert folder.startswith("/tmp/whit.")
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("device", "instead", "message"),
    [
        ("other", "", "a command that succeeds, received: ssh: Could not resolve hostname other"),
        ("pi", 'case "$*" in *--json*) echo Killed; exit ;; esac', "its report, received 'Killed\\n'"),
    ],
)
def test_a_machine_that_fails_is_told(
    device: str, instead: str, message: str, monkeypatch, program, model_file, manifest, tmp_path
) -> None:
    log = put_ssh_in_path(monkeypatch, tmp_path, instead=instead)
    result = device_bench(
        model_file, manifest, "--device", f"ssh:{device}", "--cli", program, "--no-paced", "--limit", "1"
    )
    assert result.exit_code == 2
    assert f"ssh:{device}] expected {message}" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not log.exists() or not Path(log.read_text().strip()).exists()


@pytest.mark.parametrize("device", ["adb", "adb:PHONE"])
def test_a_phone_by_adb(device: str, phone, program, model_file, manifest, tmp_path) -> None:
    result = device_bench(
        model_file, manifest, "--device", device, "--cli", program, "--no-paced", "--limit", "1", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["models"][0]["latency"]["num_recordings"] == 1
    assert list(phone.iterdir()) == []  # nothing is left there
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) > 6
    assert all((line == "-s PHONE") == (device == "adb:PHONE") for line in lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("echo 'adb: no devices/emulators found' >&2; exit 1", "received: adb: no devices/emulators found"),
        (
            "[ \"$2\" = 'uname -m' ] && uname -m; exit 0",
            "expected a new folder in /data/local/tmp, received ''",
        ),
    ],
)
def test_a_phone_that_fails_is_told(line: str, message: str, phone, program, model_file, manifest) -> None:
    adb = phone.parent / "bin" / "adb"
    adb.write_text(f"#!/bin/sh\n{line}\n")
    result = device_bench(model_file, manifest, "--cli", program)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_program_that_fails_leaves_nothing(phone, program, model_file, manifest, tmp_path) -> None:
    broken = tmp_path / "whit-cli"
    broken.write_bytes(program.read_bytes()[:4096])
    broken.chmod(0o755)
    result = device_bench(model_file, manifest, "--cli", broken)
    assert result.exit_code == 2
    assert result.stderr.startswith("[adb] expected a command that succeeds, received: ")
    assert list(phone.iterdir()) == []


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("usb", "[--device] expected adb, adb:SERIAL, ssh:HOST or local, received usb"),
        ("adb:", "expected adb, adb:SERIAL, ssh:HOST or local, received adb:"),
        ("ssh:", "expected adb, adb:SERIAL, ssh:HOST or local, received ssh:"),
        ("ssh:-oProxyCommand=x", "expected adb, adb:SERIAL, ssh:HOST or local"),
    ],
)
def test_devices_that_are_none(device: str, message: str, program, model_file, manifest) -> None:
    result = device_bench(model_file, manifest, "--device", device, "--cli", program)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_program_for_another_processor(program, model_file, manifest, tmp_path) -> None:
    other = tmp_path / "whit-cli"
    header = bytearray(program.read_bytes()[:64])
    header[18:20] = (0x28 if header[18] != 0x28 else 0x3E).to_bytes(2, "little")
    other.write_bytes(bytes(header))
    other.chmod(0o755)
    result = device_bench(model_file, manifest, "--device", "local", "--cli", other)
    assert result.exit_code == 2
    assert "[--cli] expected whit-cli for" in result.stderr
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n")
    text.chmod(0o755)
    result = device_bench(model_file, manifest, "--device", "local", "--cli", text)
    assert "expected whit-cli, a Linux program, received" in result.stderr


def test_without_adb(monkeypatch, program, model_file, manifest, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = device_bench(model_file, manifest, "--cli", program)
    assert result.exit_code == 2
    assert "[adb] expected this program in PATH, received none" in result.stderr


def test_without_a_program(monkeypatch, model_file, manifest, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = device_bench(model_file, manifest, "--device", "local")
    assert result.exit_code == 2
    assert "[--cli] expected whit-cli for the device's processor, received none" in result.stderr
