"""Files for different processors compute the same bits."""

import numpy as np
import pytest

from whit.exporter.target import TARGETS
from whit.runtime.model_contents import read_contents
from whit.runtime.recognizer import Recognizer


@pytest.mark.parametrize(("scheme", "bits"), [("planes", 3), ("linear", 2), ("linear", 1)])
def test_same_bits_from_the_file_of_each_target(scheme: str, bits: int, export_random) -> None:
    samples = np.random.default_rng(4).normal(0, 0.1, 3 * 16000).astype(np.float32)
    results, states, layouts = [], [], []
    for target in TARGETS:
        folder = export_random(scheme, bits, target=target)
        recognizer = Recognizer.from_file(folder, engine="native")
        stream = recognizer.create_stream()
        stream.accept_waveform(16000, samples)
        stream.input_finished()
        recognizer.decode(stream)
        results.append(recognizer.get_result(stream))
        states.append([array.view(np.uint32) for array in (*stream.encoder_state, stream.encoder_outputs)])
        contents = read_contents(folder / "model.tflite")
        assert contents.target == target
        layouts.append({y.name: y.layout for y in contents.layers if y.layout in ("E", "P")})
    assert len(results[0].tokens) > 3
    for result, state in zip(results, states, strict=True):
        assert result == results[0]
        for a, b in zip(state, states[0], strict=True):
            np.testing.assert_array_equal(a, b)
    by_target = dict(zip(TARGETS, layouts, strict=True))
    assert by_target["dotprod"] != by_target["cortex-a72"]  # the files do differ
    assert by_target["any"] == by_target["cortex-a72"]
