"""benchmarks/gq_ablations.py: what a variant changes, which are left out, and what is refused untrained."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "models" / "recipes"
MIXED, GQ5, ANNEALED = (
    f"rnnt-librispeech-{name}.toml" for name in ("mixed", "gq5", "gq2-annealed")
)  # hard from the first step beside rules of another scheme; likewise, GQ alone; soft at first
OF_THE_SOFT_PHASE = {
    "softer start, 2": {"start": 2.0},
    "sharper start, 32": {"start": 32.0},
    "quantized every 4th soft step": {"every": 4},
    "quantized every 16th soft step": {"every": 16},
    "L2 distance": {"distance": "l2"},
    "mix of companded centroids": {"mix": "companded"},
}
pytest.importorskip("torch")
pytest.importorskip("onnx")


@pytest.fixture
def ablations(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gq_ablations

    return gq_ablations


@pytest.fixture
def run(ablations, tmp_path, monkeypatch):
    """Runs main() on a recipe in a folder with its manifest `mine.jsonl`; returns the runs it trained."""
    monkeypatch.chdir(tmp_path)
    entry = {"audio": "1.flac", "text": "one two", "speaker": "a"}
    Path("mine.jsonl").write_text(json.dumps(entry) + "\n")
    trained = []

    def recognise(name, checkpoint, recordings, *, out):
        assert [recording.text for recording in recordings] == ["one two"]
        return ablations.Row(name=name, num_bytes=1, transcripts=["one twa"], character_errors=[1])

    monkeypatch.setattr(ablations, "train_recipe", lambda recipe, *, run, **_: trained.append((recipe, run)))
    monkeypatch.setattr(ablations, "recognise", recognise)

    def main(base, *arguments, more=""):
        trained.clear()
        of_speech = '[speech]\ndev_manifest = "mine.jsonl"\n' if "librispeech" in base else ""
        Path("mine.toml").write_text(f'extends = "{RECIPES / base}"\nname = "mine"\n{of_speech}{more}')
        monkeypatch.setattr(sys, "argv", ["gq_ablations.py", ".", "--recipe", "mine.toml", *arguments])
        ablations.main()
        return list(trained)

    return main


def options_of(recipe):
    return [rule.options for _, rule in recipe.quantization_spec() if rule.scheme == "gq"]


@pytest.mark.parametrize("file", [MIXED, GQ5, ANNEALED])
def test_every_variant_is_a_recipe(ablations, file):
    recipe = ablations.read_recipe(RECIPES / file)
    others = [entry for entry in recipe.quantization if entry.scheme != "gq"]
    assert bool(others) == (file == MIXED)
    for name, change in ablations.VARIANTS.items():
        changed = ablations.variant(recipe, name, 7)
        assert changed.name != recipe.name and changed.optimization.steps == 7
        assert [entry for entry in changed.quantization if entry.scheme != "gq"] == others
        is_idle = file != ANNEALED and name in OF_THE_SOFT_PHASE
        expected = {"hard_from": 0.6 if file == ANNEALED else 0.0, **({} if is_idle else change)}
        assert options_of(changed) == [expected] * (len(recipe.quantization) - len(others))
        rate = 10 if name.endswith("ten times as fast") else recipe.optimization.quantizer_rate
        assert changed.optimization.quantizer_rate == rate


@pytest.mark.parametrize("file", [MIXED, GQ5, ANNEALED])
def test_as_it_is_trains_what_the_recipe_trains(ablations, file):
    recipe = ablations.read_recipe(RECIPES / file)
    same = ablations.variant(recipe, ablations.AS_IS, 7)
    optimization = replace(recipe.optimization, steps=7, evaluate_every=7, distill_weight=0)
    by_hand = replace(recipe, name=same.name, tokens="", optimization=optimization)
    without_files = replace(same, tokens="", optimization=replace(same.optimization, distill_weight=0))
    assert without_files.identity() == by_hand.identity()


def test_a_hard_variant_has_no_options_of_the_soft_phase(ablations):
    recipe = ablations.read_recipe(RECIPES / ANNEALED)
    table = {"gq": {"hard_from": 0.6, "start": 4.0, "mu": 1.0}}
    own = tuple(replace(entry, options={"every": 2}) for entry in recipe.quantization)
    recipe = replace(recipe, quantizers=table, quantization=own)
    soft, hard = (
        ablations.variant(recipe, name, 7) for name in ("hard from 0.9", "hard from the first step")
    )
    assert options_of(soft) == [{"hard_from": 0.9, "start": 4.0, "mu": 1.0, "every": 2}]
    assert options_of(hard) == [{"hard_from": 0.0, "mu": 1.0}]


def test_variants_that_train_alike_are_left_out(ablations, run, capsys):
    soft_first = [recipe.name for recipe, _ in run(ANNEALED, "--steps", "7")]
    assert len(soft_first) == len(ablations.VARIANTS)
    assert "left out" not in capsys.readouterr().err

    trained = run(MIXED, "--steps", "7")
    idle = [*OF_THE_SOFT_PHASE, "hard from the first step"]
    assert len(trained) == len(ablations.VARIANTS) - len(idle)
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("left out"))
    said = line.removeprefix("left out, trained as another: ").split("; ")
    assert sorted(said) == sorted(f"{name} = {ablations.AS_IS}" for name in idle)

    more = "[quantizers.gq]\nhard_from = 0.9\nmu = 0\n"  # whole numbers are fractional ones too
    trained = run(ANNEALED, "--only", "mu 0, linear", "mu 255", "mu 255", "hard from 0.9", more=more)
    assert [recipe.name for recipe, _ in trained] == ["mine-as-in-the-recipe", "mine-mu-255"]
    assert f"mu 0, linear = {ablations.AS_IS}; hard from 0.9 = {ablations.AS_IS}" in capsys.readouterr().err


def test_other_steps_and_other_code_train_anew(ablations, run, monkeypatch):
    def folders(steps):
        return [folder for _, folder in run(GQ5, "--steps", steps, "--only", "mu 255")]

    first = folders("7")
    assert len(set(first)) == 2 and folders("7") == first
    assert not set(folders("8")) & set(first)
    monkeypatch.setattr(ablations, "made_by", lambda: "other")
    assert not set(folders("7")) & set(first)


def test_changes_are_written(ablations, run, capsys):
    run(GQ5, "--only", "mu 255", "--json", "report.json")
    assert [row["name"] for row in json.loads(Path("report.json").read_text())] == [ablations.AS_IS, "mu 255"]
    assert "| mu 255 | 14.29 | +0.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("base", "more", "arguments", "said"),
    [
        ("rnnt-librispeech-qat8.toml", "", [], "[mine.toml] expected a rule of scheme gq, received none"),
        ("rnnt-digits-gq.toml", "", [], "[mine.toml] expected a recipe of speech, received one of digits"),
        # Only one variant, not the first, cannot be: nothing is trained all the same.
        (ANNEALED, "[quantizers.gq]\nend = 16.0\n", [], "expected 0 < start <= end"),
        (GQ5, "", ["--steps", "0"], "[optimization.steps] expected at least 1, received 0"),
        (GQ5, "", ["--threads", "0"], "[--threads] expected at least 1, received 0"),
        (GQ5, "", ["--json", "nowhere/report.json"], "[--json] expected a file in a folder that exists"),
        (GQ5, 'dev_manifest2 = "x"\n', [], "received dev_manifest2"),
    ],
)
def test_refused_before_any_training(ablations, run, monkeypatch, capsys, base, more, arguments, said):
    monkeypatch.setattr(ablations, "train_recipe", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(SystemExit) as ended:
        run(base, *arguments, more=more)
    printed = capsys.readouterr().err
    assert ended.value.code == 2 and said in printed and printed.count("\n") == 1
