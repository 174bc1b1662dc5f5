"""Memory and latency of models on another machine, measured there by whit-cli."""

import shlex
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from whit.runtime.audio import AudioFile
from whit.runtime.device_program import NAME, DeviceReport, memory_of
from whit.runtime.device_shell import DeviceShell
from whit.runtime.errors import ConfigError, MeasurementError
from whit.runtime.json_text import parse_json
from whit.runtime.load_time import take_turns, turn_order
from whit.runtime.manifest import Recording
from whit.runtime.speech_sample import told_as_measurement, write_speech_sample

ELF_MACHINES = {0x28: "arm", 0x3E: "x86_64", 0xB7: "aarch64"}
FACTS = {
    "system": "uname -srm",
    "model": "getprop ro.product.model || tr -d '\\0' < /proc/device-tree/model",
    "android": "getprop ro.build.version.release",
    "cpu": "grep -m1 -E '^(model name|Hardware|Model)' /proc/cpuinfo | cut -d: -f2-",
    "cores": "nproc",
    "governor": "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "temperature_millidegrees": "cat /sys/class/thermal/thermal_zone0/temp",
    "load_average": "cut -d' ' -f1 /proc/loadavg",
}


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """What is played, how, and how often loading is timed."""

    paced: bool
    num_threads: int = 1
    memory_s: float = 60.0
    load_runs: int = 5


@dataclass(frozen=True, kw_only=True)
class DeviceMeasurement:
    """One model on a device."""

    memory: DeviceReport
    first_result_ms: tuple[float, ...]  # one per run
    recordings: tuple[dict[str, Any], ...]  # what `whit-cli --json --chunks` printed of each

    @property
    def median_first_result_ms(self) -> float:
        """Returns the median of the load times."""
        return float(np.median(self.first_result_ms))


def check_program(shell: DeviceShell, program: Path) -> None:
    """Checks that a program is one for the device's processor, before minutes are spent.

    Raises:
        ConfigError: it is not, with what it is.
        MeasurementError: the device cannot be reached.
    """
    with program.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20:
        raise ConfigError(f"[--cli] expected {NAME}, a Linux program, received {program}")
    number = int.from_bytes(header[18:20], "little")
    built_for = ELF_MACHINES.get(number, f"machine {number}")
    machine = shell.run("uname -m").strip()
    if built_for != ("arm" if machine.startswith("arm") else machine):
        raise ConfigError(
            f"[--cli] expected {NAME} for {machine}, as {shell.name} is, received one for {built_for} "
            "(docs/install.md builds others)"
        )


def device_facts(shell: DeviceShell) -> dict[str, str]:
    """Returns what a device says of itself; what it does not know is left out."""
    script = "; ".join(
        f"printf '%s\\t' {key}; ({command}) 2>/dev/null | head -n 1 | tr -d '\\n'; echo"
        for key, command in FACTS.items()
    )
    pairs = (line.split("\t", 1) for line in shell.run(script).splitlines() if "\t" in line)
    return {key: value.strip() for key, value in pairs if value.strip()}


def measure_on_device(
    shell: DeviceShell,
    program: Path,
    models: Sequence[Path],
    recordings: Sequence[Recording],
    settings: DeviceSettings,
    *,
    progress: Callable[[], None] = lambda: None,
) -> list[DeviceMeasurement]:
    """Returns memory, load times and every recording's chunks of each model.

    Models take turns within each recording, and another one begins each time. Each run is a new process.
    What was copied is removed at the end.

    Args:
        shell: of the device.
        program: whit-cli for its processor.
        models: files of model.tflite.
        recordings: to play.
        settings: how.
        progress: called once per model and once per run of a recording.

    Raises:
        AudioError: a recording cannot be read.
        MeasurementError: the device failed; its sentence is passed on.
    """
    names = [f"{number}.tflite" for number in range(len(models))]
    with tempfile.TemporaryDirectory() as local, shell.new_folder() as folder:
        waves = _write_waves(Path(local), recordings, memory_s=settings.memory_s)
        named = [Path(shutil.copyfile(program, Path(local) / NAME))]
        for model, name in zip(models, names, strict=True):
            named.append(Path(shutil.copyfile(model, Path(local) / name)))
        shell.copy([*named, *waves], folder)
        # Pages of a file written moments ago count as dirty until they are on the disk.
        shell.run(f"cd {folder} && chmod 755 {NAME} && sync")

        def run(model: str, audio: str, *options: str) -> dict[str, Any]:
            words = [f"./{NAME}", model, audio, "--threads", str(settings.num_threads), "--json", *options]
            printed = shell.run(f"cd {folder} && {shlex.join(words)}")
            try:
                report = parse_json(printed)
            except ValueError:
                report = None
            if not isinstance(report, dict) or not {"memory", "work_ms"} <= report.keys():
                place = f"{NAME} on {shell.name}"
                raise MeasurementError(f"[{place}] expected its report, received {printed[:80]!r}")
            return report

        memory = []
        for name in names:
            memory.append(memory_of(run(name, "speech.wav")))
            progress()
        loads = [lambda name=name: float(run(name, "opening.wav")["first_result_ms"]) for name in names]
        first_result_ms = take_turns(loads, rounds=settings.load_runs)
        pace = ("--paced",) if settings.paced else ()
        reports: list[list[dict[str, Any]]] = [[] for _ in names]
        for number in range(len(recordings)):
            for index in turn_order(len(names), number):
                reports[index].append(run(names[index], f"{number}.wav", "--chunks", *pace))
                progress()
    return [
        DeviceMeasurement(memory=used, first_result_ms=tuple(times), recordings=tuple(played))
        for used, times, played in zip(memory, first_result_ms, reports, strict=True)
    ]


def _write_waves(folder: Path, recordings: Sequence[Recording], *, memory_s: float) -> list[Path]:
    """Writes the recordings as whit-cli reads them, sample for sample, and speech to measure memory."""
    paths = [folder / "speech.wav", folder / "opening.wav"]
    write_speech_sample(recordings, paths[0], seconds=memory_s)
    write_speech_sample(recordings, paths[1], seconds=min(1.0, memory_s))
    for number, recording in enumerate(recordings):
        paths.append(folder / f"{number}.wav")
        with AudioFile(recording.audio) as audio:
            samples = np.concatenate(list(audio.blocks()))
            with told_as_measurement(paths[-1]):
                soundfile.write(paths[-1], samples, audio.sample_rate_hz, subtype="FLOAT")
    return paths
