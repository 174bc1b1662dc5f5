"""A damaged model is refused in one sentence or gives what it stores, in every engine: no crash, no hang.

Hypothesis draws the damage, always the same; a failure prints it: `edits=[...]`.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from edits import Edit, edit_lists
from hypothesis import HealthCheck, Phase, given, settings
from mutant_process import MutantProcess

SENTENCE = re.compile(r"\[[^\n]+\] expected [^\n]+, received [^\n]*")


@dataclass(frozen=True)
class Target:
    """One file of a model and the engines that read it; donor: what splices come from."""

    model: str
    file: str
    engines: tuple[str, ...]
    donor: str
    mutants: int

    @property
    def id(self) -> str:
        return f"{self.model}/{self.file}"


BOTH = ("native", "litert")
DATA_SECTION = 64 << 10  # where weights begin at the earliest (docs/format.md, section 9)
PADDING = 4096  # what follows them
TARGETS = [
    Target("lstm", "model.tflite", BOTH, "stateless/model.tflite", 150),
    Target("stateless", "model.tflite", BOTH, "lstm/model.tflite", 150),
    Target("lstm/stock-int8", "model.tflite", ("litert",), "stateless/stock-int8/model.tflite", 100),
    Target("stateless/stock-int4", "model.tflite", ("litert",), "lstm/stock-int4/model.tflite", 100),
    Target("stateless/stock-float", "model.tflite", ("litert",), "lstm/stock-float/model.tflite", 50),
    Target("quartznet", "model.tflite", BOTH, "conformer/model.tflite", 100),
    Target("conformer", "model.tflite", BOTH, "quartznet/model.tflite", 150),
    Target("quartznet/stock-int8", "model.tflite", ("litert",), "quartznet/stock-float/model.tflite", 100),
    Target("quartznet/stock-float", "model.tflite", ("litert",), "lstm/stock-float/model.tflite", 50),
    *(
        Target(model, file, ("onnxruntime",), donor, mutants)
        for model, file, donor, mutants in (
            ("lstm/onnx", "encoder.onnx", "stateless/onnx/encoder.onnx", 60),
            ("lstm/onnx", "decoder.onnx", "stateless/onnx/decoder.onnx", 40),
            ("stateless/onnx", "decoder.onnx", "lstm/onnx/decoder.onnx", 40),
            ("lstm/onnx", "joiner.onnx", "stateless/onnx/joiner.onnx", 40),
            ("lstm/onnx", "weights.bin", "stateless/onnx/weights.bin", 20),
            ("lstm/onnx", "tokens.txt", "stateless/onnx/tokens.txt", 20),
            ("lstm/onnx", "golden.npz", "stateless/onnx/golden.npz", 40),
            ("lstm/stock-int8", "encoder.onnx", "stateless/stock-int8/encoder.onnx", 60),
            ("stateless/stock-float", "decoder.onnx", "lstm/stock-float/decoder.onnx", 40),
            ("quartznet/onnx", "model.onnx", "conformer/onnx/model.onnx", 60),
            ("conformer/onnx", "model.onnx", "quartznet/onnx/model.onnx", 60),
            ("quartznet/onnx", "weights.bin", "conformer/onnx/weights.bin", 20),
            ("quartznet/onnx", "golden.npz", "conformer/onnx/golden.npz", 20),
            ("quartznet/stock-int8", "model.onnx", "conformer/stock-int8/model.onnx", 40),
            ("conformer/stock-float", "model.onnx", "quartznet/stock-float/model.onnx", 40),
        )
    ),
]


def job_of(target: Target, models: Path) -> dict[str, Any]:
    """Returns what the process is asked, but for the edits."""
    return {
        "model": str(models / target.model),
        "file": target.file,
        "donor": str(models / target.donor),
        "engines": list(target.engines),
    }


def try_damage(target: Target, models: Path, process: MutantProcess, mutants: int) -> Counter[str]:
    """Tries damage of one file and returns how often each thing came out."""
    model, job = models / target.model, job_of(target, models)
    counts: Counter[str] = Counter()
    whole = process.outcomes(job | {"edits": []})
    for outcomes in whole.values():
        assert outcomes[0].startswith("ok") and outcomes[0] == outcomes[1]

    @settings(
        max_examples=mutants,
        phases=[Phase.generate],  # to shrink a crash would start the child hundreds of times
        suppress_health_check=list(HealthCheck),
    )
    @given(edits=edit_lists(model / target.file))
    def property(edits: list[Edit]) -> None:
        outcomes = process.outcomes(job | {"edits": edits})
        for tested, untested in outcomes.values():
            for outcome in (tested, untested):
                assert outcome.startswith("ok ") or SENTENCE.fullmatch(outcome), outcome
            if tested.startswith("ok"):  # the self-test refuses, it changes nothing
                assert untested == tested
            passed = (tested.startswith("ok"), untested.startswith("ok"))
            counts["accepted" if passed[0] else "by bits" if passed[1] else "refused"] += 1
        if target.engines == BOTH:
            # One file, one arithmetic. A host may be stricter: it also reads what the core passes over.
            for native, litert in zip(outcomes["native"], outcomes["litert"], strict=True):
                assert not litert.startswith("ok") or native == litert

    property()
    return counts


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_damage_is_refused_or_harmless(target: Target, models: Path, process: MutantProcess) -> None:
    counts = try_damage(target, models, process, target.mutants)
    assert counts["refused"] + counts["by bits"] > target.mutants // 5  # the damage does reach what matters
    if target.engines == BOTH:
        assert counts["accepted"] > 0


@pytest.mark.parametrize("target", [t for t in TARGETS if t.engines == BOTH], ids=lambda target: target.id)
def test_golden_vectors_show_damaged_weights(target: Target, models: Path, process: MutantProcess) -> None:
    """Some bits of weights are refused for their values; of the others most change what is computed."""
    size = (models / target.model / target.file).stat().st_size
    shown = 0
    for at in range(DATA_SECTION, size - PADDING, (size - PADDING - DATA_SECTION) // 40):
        edit = ("flip", at, 6, 0)
        outcomes = process.outcomes(job_of(target, models) | {"edits": [edit]})
        assert outcomes["native"] == outcomes["litert"]
        tested, untested = outcomes["native"]
        shown += untested.startswith("ok") and "the stored bits" in tested
    assert shown > 5


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_much_damage(target: Target, models: Path, process: MutantProcess) -> None:
    try_damage(target, models, process, 20 * target.mutants)
