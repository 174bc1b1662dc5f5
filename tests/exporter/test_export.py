"""Folders appear whole or not at all."""

import errno
import os
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ctc_checkpoints import QUARTZNET, float_checkpoint
from random_checkpoint import Scheme, random_checkpoint

from whit.exporter import export as pipeline
from whit.exporter import golden, jobs, transducer_export, verify_onnx
from whit.exporter.errors import ExportError, NotQuantizedError, OutputError, SelfCheckError
from whit.exporter.export import ExportRequest, run_export
from whit.exporter.staging import publish, staged


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def exported(tmp_path):
    """An export, and a checkpoint that would replace it."""
    first = random_checkpoint(seed=1).write(tmp_path / "first")
    run_export(ExportRequest(checkpoint=first, output=tmp_path / "out", dialect="whit"))
    second = random_checkpoint(seed=2).write(tmp_path / "second")
    return tmp_path, ExportRequest(checkpoint=second, output=tmp_path / "out", dialect="whit")


def expect_untouched(exported, error, match="stop"):
    tmp_path, request = exported
    before, names = contents(tmp_path / "out"), sorted(os.listdir(tmp_path))
    with pytest.raises(error, match=match):
        run_export(request)
    assert contents(tmp_path / "out") == before
    assert sorted(os.listdir(tmp_path)) == names


def test_all_dialects(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    report = run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "deep" / "out"))
    assert {d.dialect for d in report.dialects} == {"whit", "stock-float", "stock-int8", "stock-int4"}
    assert not report.notes
    graphs = ["decoder.onnx", "encoder.onnx", "joiner.onnx"]
    assert sorted(os.listdir(tmp_path / "deep" / "out" / "onnx")) == sorted(
        [*graphs, "weights.bin", "tokens.txt", "golden.npz"]
    )
    for name in ("stock-float", "stock-int8"):
        assert sorted(os.listdir(tmp_path / "deep" / "out" / name)) == [*graphs, "model.tflite", "tokens.txt"]
    assert os.listdir(tmp_path / "deep") == ["out"]
    lstm = next(m for m in report.matrices if m.name == "encoder.lstm.1.weight_ih")
    assert (lstm.rows, lstm.cols, lstm.bits, lstm.layout, lstm.packed_bytes) == (52, 26, 8, "E", 64 * 32)
    assert report.packed_bytes == sum(m.packed_bytes for m in report.matrices)


def test_exports_repeat_to_the_byte(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    for name in ("a", "b"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / name))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_export_replaces_the_first(exported):
    tmp_path, request = exported
    before = contents(tmp_path / "out")
    run_export(request)
    after = contents(tmp_path / "out")
    assert before.keys() == after.keys() and before["onnx/weights.bin"] != after["onnx/weights.bin"]
    assert sorted(os.listdir(tmp_path)) == ["first", "out", "second"]


def test_a_float_checkpoint_has_stock_dialects_only(tmp_path):
    schemes = {"joint.encoder.weight": Scheme("linear", 8)}
    checkpoint = random_checkpoint(schemes=schemes).write(tmp_path / "checkpoint")
    report = run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out"))
    assert {d.dialect for d in report.dialects} - {"stock-int4"} == {"stock-float", "stock-int8"}
    assert report.notes[0] == "13 of 14 matrices are float: no dialect whit"
    with pytest.raises(NotQuantizedError, match=r"13 float ones: encoder\.lstm\.0\.weight_ih"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="whit"))


def test_a_failed_export_leaves_no_folder_that_it_made(exported, monkeypatch):
    tmp_path, request = exported
    monkeypatch.setattr(jobs, "write_golden", lambda *_: (_ for _ in ()).throw(ExportError("stop")))
    with pytest.raises(ExportError, match="stop"):
        run_export(replace(request, output=tmp_path / "new" / "newer" / "out"))
    assert not (tmp_path / "new").exists()


def test_files_have_the_permissions_of_the_user(exported):
    tmp_path, request = exported
    mask = os.umask(0o077)
    try:
        run_export(replace(request, output=tmp_path / "private"))
    finally:
        os.umask(mask)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "private").rglob("*")}
    assert modes == {0o600, 0o700}


@pytest.mark.parametrize(
    ("module", "stage"), [(jobs, "write_golden"), (pipeline, "publish"), (verify_onnx, "verify_packed")]
)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ExportError, MemoryError])
def test_an_interrupted_export_leaves_the_earlier_one(exported, monkeypatch, module, stage, error):
    def stop(*args):
        raise error("stop")

    monkeypatch.setattr(module, stage, stop)
    expect_untouched(exported, error)


def test_a_full_disk_leaves_the_earlier_one(exported, monkeypatch):
    original = Path.write_bytes

    def full(self, content):
        if self.name == "joiner.onnx":
            original(self, content[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return original(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    expect_untouched(exported, OutputError, "No space left")


def test_a_file_size_limit_is_one_sentence(exported):
    """The limit holds for a whole process, so the export runs in another one."""
    tmp_path, request = exported
    before, names = contents(tmp_path / "out"), sorted(os.listdir(tmp_path))
    program = (
        "import sys, pathlib, whit.exporter.export as e\n"
        "from whit.exporter.errors import OutputError\n"
        "checkpoint, output = map(pathlib.Path, sys.argv[1:])\n"
        "try: e.run_export(e.ExportRequest(checkpoint=checkpoint, output=output))\n"
        "except OutputError as error: print(error); sys.exit(2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, request.checkpoint, request.output],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.count("\n")) == (2, 1), done.stderr
    assert "File too large" in done.stdout
    assert contents(tmp_path / "out") == before and sorted(os.listdir(tmp_path)) == names


def test_a_failed_rename_takes_the_others_back(tmp_path, monkeypatch):
    output = tmp_path / "out"
    for name in ("a", "b"):
        (output / name).mkdir(parents=True)
        (output / name / "file").write_text("earlier")
    rename = os.rename

    def broken(source, target):
        if Path(source).name == "b" and Path(target).parent == output:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    with pytest.raises(OutputError, match="Input/output"), staged(output) as staging:
        for name in ("a", "b"):
            (staging / name).mkdir()
            (staging / name / "file").write_text("new")
        with monkeypatch.context() as patch:
            once = iter([broken])
            patch.setattr(os, "rename", lambda s, t: next_rename(once, rename, s, t))
            publish(staging, output, ["a", "b"])
    assert contents(output) == {"a/file": b"earlier", "b/file": b"earlier"}
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("moment", range(4))
def test_a_signal_after_any_rename_leaves_what_was_there(tmp_path, monkeypatch, moment):
    output = tmp_path / "out"
    for name in ("a", "b"):
        (output / name).mkdir(parents=True)
        (output / name / "file").write_text("earlier")
    rename, calls = os.rename, iter(range(99))

    def interrupted(source, target):
        rename(source, target)
        if next(calls) == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), staged(output) as staging:
        for name in ("a", "b"):
            (staging / name).mkdir()
            (staging / name / "file").write_text("new")
        monkeypatch.setattr(os, "rename", interrupted)
        publish(staging, output, ["a", "b"])
    assert contents(output) == {"a/file": b"earlier", "b/file": b"earlier"}


def test_what_is_not_finished_lies_on_the_file_system_of_the_output(tmp_path):
    (tmp_path / "out").mkdir()  # where a disk may be mounted
    with staged(tmp_path / "out") as staging:
        assert staging.parent == tmp_path / "out"
    with staged(tmp_path / "deep" / "new") as staging:
        assert staging.parent == tmp_path / "deep"
    assert os.listdir(tmp_path / "out") == []


def next_rename(once, rename, source, target):
    """Fails the first time the new folder b is renamed into place; restoring it works."""
    if Path(source).name == "b" and ".partial-" in str(source) and Path(source).parent.name != "replaced":
        for broken in once:
            broken(source, target)
    rename(source, target)


@pytest.mark.parametrize("output", ["file", "file/below", "/proc/nothing/here"])
def test_an_unwritable_folder_is_one_sentence(tmp_path, output):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    (tmp_path / "file").write_text("content")
    with pytest.raises(OutputError, match=output):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / output))
    assert (tmp_path / "file").read_text() == "content"


def test_strange_folders_are_replaced_by_force_only(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    (tmp_path / "out" / "onnx").mkdir(parents=True)
    (tmp_path / "out" / "onnx" / "thesis.txt").write_text("years")
    (tmp_path / "out" / "other.txt").write_text("kept")
    request = {"checkpoint": checkpoint, "output": tmp_path / "out", "dialect": "whit"}
    with pytest.raises(OutputError, match="--force"):
        run_export(ExportRequest(**request))
    assert (tmp_path / "out" / "onnx" / "thesis.txt").is_file()
    run_export(ExportRequest(**request, force=True))
    assert not (tmp_path / "out" / "onnx" / "thesis.txt").exists()
    assert (tmp_path / "out" / "other.txt").is_file()


def test_a_file_in_the_place_of_a_folder_is_never_replaced(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "onnx").write_text("precious notes")
    for force in (False, True):
        with pytest.raises(OutputError, match="an earlier export or nothing, received something else"):
            run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", force=force))
    assert (tmp_path / "out" / "onnx").read_text() == "precious notes"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["onnx"]


@pytest.mark.parametrize(
    ("idle", "message"),
    [
        ({"max_seconds": 60}, r"\[--max-seconds\] expected a model of whole utterances"),
        ({"layout": "P", "dialect": "stock"}, r"\[--layout\] expected packed matrices"),
        ({"target": "x86", "dialect": "stock"}, r"\[--target\] expected packed matrices"),
    ],
)
def test_options_of_other_exports_are_refused(tmp_path, idle, message):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    with pytest.raises(ExportError, match=message):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", **idle))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "value"), [("layout", "E"), ("target", "x86")])
def test_layouts_of_whole_utterances_are_not_chosen(tmp_path, option, value):
    checkpoint = float_checkpoint(QUARTZNET).write(tmp_path / "checkpoint")
    message = rf"\[--{option}\] expected a transducer, received a model of whole utterances"
    with pytest.raises(ExportError, match=message):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", **{option: value}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"dialect": "tflite"}, {"layout": "Q"}, {"target": "arm"}, {"format": "whit"}]
)
def test_unknown_choices(tmp_path, wrong):
    with pytest.raises(ExportError, match=next(iter(wrong.values()))):
        ExportRequest(checkpoint=tmp_path, output=tmp_path, **wrong)


def test_one_format_at_a_time(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    for name in ("all", "onnx", "tflite"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / name, format=name))
    parts = [contents(tmp_path / name) for name in ("onnx", "tflite")]
    assert not parts[0].keys() & parts[1].keys()
    assert parts[0] | parts[1] == contents(tmp_path / "all")
    assert {path for path in parts[1] if not path.startswith("stock")} == {"model.tflite"}


WITHOUT_ONNX = (
    "import sys, pathlib\n"
    "sys.modules |= dict.fromkeys(('onnx', 'onnxruntime', 'ai_edge_litert'))\n"  # None: not importable
    "import whit.exporter.export as e\n"
    "from whit.runtime.errors import WhitError\n"
    "from whit.runtime.recognizer import Recognizer\n"
    "checkpoint, output = map(pathlib.Path, sys.argv[1:3])\n"
    "try: e.run_export(e.ExportRequest(checkpoint=checkpoint, output=output, format=sys.argv[3]))\n"
    "except WhitError as error: print(error); sys.exit(2)\n"
    "print(Recognizer.from_file(output).engine.name)\n"
)


@pytest.mark.parametrize("format", ["tflite", "all"])
def test_only_the_onnx_format_needs_onnx(tmp_path, format):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    command = [sys.executable, "-c", WITHOUT_ONNX, checkpoint, tmp_path / "out", format]
    done = subprocess.run(command, capture_output=True, text=True)
    if format == "tflite":
        assert (done.returncode, done.stdout) == (0, "native\n"), done.stderr
        assert os.listdir(tmp_path / "out") == ["model.tflite"]
    else:
        expected = "received none of the name onnx and onnxruntime; --format tflite needs neither\n"
        assert done.returncode == 2 and done.stdout.endswith(expected), done.stderr
        assert not (tmp_path / "out").exists()


def test_files_of_another_export_are_replaced_by_force_only(tmp_path):
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    options = {"checkpoint": checkpoint, "output": tmp_path / "out", "dialect": "whit"}
    run_export(ExportRequest(**options))
    notes = tmp_path / "out" / "onnx" / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(OutputError, match=r"out/onnx\] expected .* received also notes.txt \(see --force\)"):
        run_export(ExportRequest(**options))
    assert notes.read_text() == "mine"
    report = run_export(ExportRequest(**options, format="tflite"))
    assert report.notes[-1] == "onnx: from an earlier export, left as it was"
    run_export(ExportRequest(**options, force=True))
    assert not notes.exists()


def test_layouts_that_nothing_may_have_are_refused(tmp_path):
    checkpoint = random_checkpoint(schemes=Scheme("linear", 8)).write(tmp_path / "checkpoint")
    with pytest.raises(ExportError, match="may have layout P"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", layout="P"))
    with pytest.raises(ExportError, match=r"\[--target\] expected --layout auto"):
        ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", layout="E", target="x86")
    with pytest.raises(ExportError, match="expected a path of UTF-8"):
        ExportRequest(checkpoint=checkpoint, output=Path(os.fsdecode(b"out\xff")))


def test_an_export_of_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(transducer_export, "has_litert", lambda: False)
    checkpoint = random_checkpoint(schemes=None).write(tmp_path / "checkpoint")
    with pytest.raises(ExportError, match="expected something to write"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", format="tflite"))


@pytest.mark.parametrize(
    ("format", "place"),
    [("tflite", "model.tflite: whit.golden.logits_crc32"), ("onnx", "golden.npz: logits")],
)
def test_an_engine_must_take_the_files(tmp_path, monkeypatch, format, place):
    """Golden vectors that differ from what the files compute are found by the engine alone."""
    original = jobs.golden_vectors

    def edited(checkpoint):
        vectors = original(checkpoint)
        vectors["logits_crc32"] = vectors["logits_crc32"] ^ 1
        return vectors

    for module in (jobs, golden):
        monkeypatch.setattr(module, "golden_vectors", edited)
    checkpoint = random_checkpoint().write(tmp_path / "checkpoint")
    with pytest.raises(SelfCheckError, match=rf"^\[{re.escape(place)}"):
        run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", format=format))
    assert os.listdir(tmp_path) == ["checkpoint"]
