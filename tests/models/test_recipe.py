from dataclasses import replace
from pathlib import Path

import pytest
from tracked_files import ROOT, tracked

from whit.models.errors import RecipeError
from whit.models.recipe import OptimizationConfig, Recipe, from_table, read_recipe
from whit.models.run_sources import run_sources
from whit.models.speech_data import SpeechDataConfig
from whit.models.training_task import task_of

GOOD = """
name = "x"
preset = "rnnt-digits"
[optimization]
steps = 10
[data]
source = [{ manifest = "m.jsonl", weight = 1 }]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", tracked("models/recipes/*.toml"), ids=lambda path: path.stem)
def test_every_recipe_of_the_tree_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # names of token files begin there
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    recipe.quantization_spec()
    assert task_of(recipe).tokenizer.tokens


def test_values_and_defaults(tmp_path: Path) -> None:
    text = (
        GOOD
        + "[data.augment]\npeak_db = [-10, -1.5]\n"
        + '[[quantization]]\ntensors = "*"\nscheme = "linear"\nbits = 8\n'
    )
    recipe = read_recipe(write(tmp_path, text))
    assert recipe.data.source[0].weight == 1.0
    assert recipe.data.augment.peak_db == (-10.0, -1.5)
    assert recipe.optimization.batch_size == 32
    assert recipe.streaming.tail_ms == 480
    ((pattern, rule),) = recipe.quantization_spec()
    assert (pattern, rule.scheme, rule.bits) == ("*", "linear", 8)


def test_options_of_a_scheme_count_where_a_rule_says_nothing_else(tmp_path: Path) -> None:
    rules = """
[[quantization]]
tensors = "*"
scheme = "gq"
bits = 3
[[quantization]]
tensors = "joint.*"
scheme = "gq"
bits = 5
options = { hard_from = 0.5, start = 4.0 }
[[quantization]]
tensors = "predictor.*"
scheme = "linear"
"""
    said_once = read_recipe(write(tmp_path, GOOD + rules + "[quantizers.gq]\nhard_from = 0.0\n"))
    assert [rule.options for _, rule in said_once.quantization_spec()] == [
        {"hard_from": 0.0},
        {"hard_from": 0.5, "start": 4.0},
        {},
    ]
    in_the_rule = rules.replace("bits = 3", "bits = 3\noptions = { hard_from = 0.0 }")
    assert read_recipe(write(tmp_path, GOOD + in_the_rule)).identity() == said_once.identity()
    assert read_recipe(write(tmp_path, GOOD + rules)).identity() != said_once.identity()


def test_a_key_of_a_table_leaves_the_others_as_they_are_by_default(tmp_path: Path) -> None:
    usual = read_recipe(write(tmp_path, GOOD)).data.join
    changed = read_recipe(write(tmp_path, GOOD + "[data.join]\nwords = [1, 4]\n")).data.join
    assert changed == replace(usual, words=(1, 4)) != usual


SPEECH = """
[speech]
manifests = ["m.jsonl"]
dev_manifest = "d.jsonl"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "TOML"),
        (GOOD.replace("steps = 10", "steps = 0"), "at least 1"),
        (GOOD.replace("steps = 10", "steps = 1.5"), "steps"),
        (GOOD.replace("steps = 10", "paces = 10"), "paces"),
        (GOOD.replace('preset = "rnnt-digits"', ""), "no default"),
        (GOOD.replace("weight = 1", 'weight = 1, hold_out = "some"'), "hold_out"),
        (GOOD.replace("steps = 10", "steps = 10\ndropout = 1.0"), "dropout"),
        (GOOD.replace("steps = 10", "steps = true"), "steps"),
        ("seed = -1" + GOOD, "seed"),
        ("seed = 9223372036854775808" + GOOD, "seed"),
        (GOOD.replace('source = [{ manifest = "m.jsonl", weight = 1 }]', "source = []"), "expected a source"),
        (GOOD[: GOOD.index("[data]")] + SPEECH + "dev_utterances = 0\n", "dev_utterances"),
        (GOOD + SPEECH, r"\[recipe\] expected either data or speech, received both or none"),
        (
            GOOD[: GOOD.index("[data]")],
            r"\[recipe\] expected either data or speech, received both or none",
        ),
        (GOOD.replace("steps = 10", "steps = 10\nband_behind = 4"), "no band with data.* received 4 and 0"),
        (GOOD.replace("steps = 10", "steps = 10\nband_ahead = 2"), "no band with data.* received 0 and 2"),
        (
            GOOD.replace("steps = 10", "steps = 10\ntext_weight = 0.3"),
            "text_weight.* 0 without, received 0.3",
        ),
        (
            GOOD[: GOOD.index("[data]")] + SPEECH + '[speech.text]\nfiles = ["book.txt"]\n',
            "text_weight.* more than 0 with speech.text .* received 0.0",
        ),
        (
            GOOD[: GOOD.index("[data]")] + SPEECH + "[speech.text]\nfiles = []\n",
            r"speech, text\] \[text\] expected files",
        ),
        (
            GOOD[: GOOD.index("[data]")].replace("steps = 10", "steps = 10\nbatch_size = 16") + SPEECH,
            "batch_size",
        ),
        (GOOD + "[quantizers.gp]\nhard_from = 0.0\n", r"\[quantizers\] expected tables of .*gq.*received gp"),
        (GOOD + "[quantizers]\ngq = 0.0\n", r"\[quantizers\] expected tables of .*received gq = 0.0"),
        (GOOD + "[quantizers.gq]\nhardfrom = 0.0\n", r"\[quantizers\] \[gq\] .*received option hardfrom"),
        (GOOD + "[quantizers.linear]\nhard_from = 0.0\n", r"\[quantizers\] \[linear\].*option hard_from"),
        (
            GOOD + '[[quantization]]\ntensors = "joint.*"\nscheme = "gq"\nbits = 7\n',
            r"\[joint\.\*\] .* 1 to 6 bits, received 7",
        ),
    ],
)
def test_a_wrong_recipe_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(write(tmp_path, text))


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        *[("optimization", f"learning_rate = {rate}", "learning_rate") for rate in ("-1", "0", "nan", "inf")],
        ("optimization", "clip_norm = 0", "clip_norm"),
        ("optimization", "weight_decay = -0.1", "weight_decay"),
        ("optimization", "fastemit = -0.1", "fastemit"),
        ("optimization", "ctc_weight = nan", "ctc_weight"),
        ("optimization", "band_behind = -1", "band_behind"),
        ("optimization", "band_ahead = -1", "band_ahead"),
        ("optimization", "distill_weight = nan", "distill_weight"),
        ("optimization", "history_noise = -0.1", "history_noise"),
        ("optimization", "history_noise = 1.0", "history_noise"),
        ("optimization", "predictor_dropout = 1.0", "predictor_dropout"),
        ("optimization", "predictor_gain = 0", "predictor_gain"),
        (
            "optimization",
            'loss = "ctc"\nhistory_noise = 0.1\npredictor_dropout = 0.0\npredictor_gain = 1.1',
            "received history_noise, predictor_dropout, predictor_gain",
        ),
        ("optimization", 'loss = "ctc"\nfastemit = 0.1\nband_ahead = 1', "received fastemit, band_ahead"),
        (
            "optimization",
            'loss = "ctc"\nctc_weight = 0.1\nband_behind = 1',
            "received ctc_weight, band_behind",
        ),
        (
            "optimization",
            'loss = "rnnt"',
            r"\[optimization\.loss\] expected transducer or ctc, received 'rnnt'",
        ),
        ("data.join", "words = [3]", r"join, words\] expected 2 values, received \[3\]"),
        ("data.join", "words = [3, 1]", "words"),
        ("data.join", "words = [0, 1]", "words"),
        ("data.join", "pause_s = [-0.1, 0.1]", "pause_s"),
        ("data.augment", "noise_snr_db = [45.0, 5.0]", r"data, augment\] \[augment\.noise_snr_db\]"),
        ("data.synthetic", "seed = -1", "seed"),
        ("data.synthetic", "utterances = 0", "utterances"),
        ("data.synthetic", "flite_share = 1.5", "flite_share"),
        ("data.synthetic", "flite_share = nan", "flite_share"),
        ("data.synthetic", "words = [1, 2, 3]", "expected 2 values"),
        ("data", "dev_strings = 0", "dev_strings"),
        *[
            (
                "data",
                f"emission_delay_s = {delay}",
                rf"\[data\.emission_delay_s\] expected a finite time from 0 on, received {delay}",
            )
            for delay in ("-0.1", "inf", "nan")
        ],
        ("streaming", "tail_ms = -5", "tail_ms"),
        ("streaming", "lookahead_ms = -1", "lookahead_ms"),
    ],
)
def test_a_value_outside_its_range_is_an_error(tmp_path: Path, table: str, line: str, message: str) -> None:
    heading = f"[{table}]\n"
    text = GOOD.replace(heading, heading + line + "\n") if heading in GOOD else GOOD + heading + line + "\n"
    with pytest.raises(RecipeError, match=message):
        read_recipe(write(tmp_path, text))


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml"):
        read_recipe(tmp_path / "none.toml")


def test_a_recipe_extends_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(GOOD + "[data.augment]\nnoise = 0.5\nnarrow = 0.25\n")
    text = 'extends = "base.toml"\nname = "y"\n[data.augment]\nnoise = 0.125\n'
    recipe = read_recipe(write(tmp_path, text))
    assert recipe.name == "y"
    assert recipe.optimization.steps == 10
    assert (recipe.data.augment.noise, recipe.data.augment.narrow) == (0.125, 0.25)


@pytest.mark.parametrize(
    ("extends", "message"),
    [('"recipe.toml"', "circle"), ('"none.toml"', "none.toml"), ("3", "name of a recipe")],
)
def test_what_a_recipe_cannot_extend(tmp_path: Path, extends: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe(write(tmp_path, f"extends = {extends}\n"))


def test_the_identity_leaves_defaults_out(tmp_path: Path) -> None:
    first = read_recipe(write(tmp_path, GOOD))
    second = read_recipe(write(tmp_path, GOOD.replace("steps = 10", "steps = 10\ndropout = 0.1")))
    third = read_recipe(write(tmp_path, GOOD.replace("steps = 10", "steps = 10\ndropout = 0.2")))
    assert first.identity() == second.identity() != third.identity()


def test_the_identity_holds_what_a_tokens_file_holds(tmp_path: Path) -> None:
    pieces = tmp_path / "own.pieces"
    pieces.write_text("\u2581a\nb\n", encoding="utf-8")
    recipe = read_recipe(write(tmp_path, f'tokens = "{pieces}"' + GOOD))
    first = recipe.identity()
    assert recipe.identity() == first
    pieces.write_text("\u2581a\nc\n", encoding="utf-8")
    assert recipe.identity() != first


def test_the_identity_without_a_tokens_file_is_that_of_earlier_states(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, GOOD)).identity() == (
        '{"data": {"source": [{"manifest": "m.jsonl", "weight": 1.0}]}, "name": "x", '
        '"optimization": {"steps": 10}, "preset": "rnnt-digits"}'
    )


@pytest.mark.parametrize("key", ["log_every", "evaluate_every", "save_every"])
def test_the_identity_leaves_out_when_a_run_logs_scores_and_saves(tmp_path: Path, key: str) -> None:
    often = GOOD.replace("steps = 10", f"steps = 10\n{key} = 3")
    assert read_recipe(write(tmp_path, often)).identity() == read_recipe(write(tmp_path, GOOD)).identity()


def test_a_circle_through_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = write(tmp_path, 'extends = "other/../recipe.toml"\n')
    with pytest.raises(RecipeError, match="circle"):
        read_recipe(path)


def test_options_of_a_float_rule_are_an_error(tmp_path: Path) -> None:
    rule = '[[quantization]]\ntensors = "*"\nscheme = "float"\noptions = { hard_from = 0.0 }\n'
    with pytest.raises(RecipeError, match="no options of float, received hard_from"):
        read_recipe(write(tmp_path, GOOD + rule))


def test_a_development_manifest_counts_where_it_decides_what_is_read(tmp_path: Path) -> None:
    for name in ("train.jsonl", "dev.jsonl", "book.txt"):
        (tmp_path / name).write_text(name)
    speech = {"manifests": ["train.jsonl"], "dev_manifest": "dev.jsonl"}
    recipe = Recipe(
        name="x",
        preset="rnnt-6m",
        optimization=OptimizationConfig(steps=1, text_weight=0.5),
        speech=from_table(SpeechDataConfig, {**speech, "text": {"files": ["book.txt"]}}, "speech"),
    )
    assert set(run_sources(recipe, tmp_path)) == {"train.jsonl", "dev.jsonl", "book.txt"}
    silent = replace(
        recipe,
        optimization=OptimizationConfig(steps=1),
        speech=from_table(SpeechDataConfig, speech, "speech"),
    )
    assert set(run_sources(silent, tmp_path)) == {"train.jsonl"}
