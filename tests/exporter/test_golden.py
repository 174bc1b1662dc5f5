import zlib

import numpy as np
import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, random_checkpoint

from whit.exporter.export import ExportRequest, run_export
from whit.exporter.onnx_session import open_session


@pytest.mark.parametrize("model", [LSTM_MODEL, STATELESS_MODEL], ids=["lstm", "stateless"])
def test_the_final_files_repeat_the_golden_vectors(tmp_path, model):
    checkpoint = random_checkpoint(model).write(tmp_path / "checkpoint")
    run_export(ExportRequest(checkpoint=checkpoint, output=tmp_path / "out", dialect="whit"))
    folder = tmp_path / "out" / "onnx"
    with np.load(folder / "golden.npz") as archive:
        golden = dict(archive)
    encoder, decoder, joiner = (
        open_session(folder / f"{name}.onnx", packed=True) for name in ("encoder", "decoder", "joiner")
    )
    features = golden["features"] * golden["feature_step"]
    assert len(features) == 4 * model["stack"] * model["time_reduction"]
    assert len(np.unique(features)) > features.size // 10
    states = {port.name: np.zeros(port.shape, np.float32) for port in encoder.get_inputs()[2:4]}
    feeds = {"audio_signal": features.T[None], "length": np.array([len(features)]), **states}
    out, _, *after, _ = encoder.run(None, {**feeds, "cache_last_channel_len": np.zeros(1, np.int64)})
    assert zlib.crc32(out[0].T.tobytes()) == golden["encoder_outputs_crc32"][0]
    assert zlib.crc32(b"".join(state.tobytes() for state in after)) == golden["encoder_states_crc32"][0]
    h, c = (np.zeros(port.shape, np.float32) for port in decoder.get_inputs()[2:])
    predictions, all_logits = [], []
    assert golden["targets"][0] == 4 and len(golden["targets"]) == 8
    for i, target in enumerate(golden["targets"]):
        feeds = {"targets": target.reshape(1, 1), "target_length": np.ones(1, np.int32), "h": h, "c": c}
        prediction, _, h, c = decoder.run(None, feeds)
        predictions.append(prediction)
        frame = out[:, :, i % out.shape[2]][..., None]
        (logits,) = joiner.run(None, {"encoder_outputs": frame, "decoder_outputs": prediction})
        all_logits.append(logits)
    assert zlib.crc32(np.array(predictions).tobytes()) == golden["decoder_outputs_crc32"][0]
    assert zlib.crc32(h.tobytes() + c.tobytes()) == golden["decoder_states_crc32"][0]
    assert zlib.crc32(np.array(all_logits).tobytes()) == golden["logits_crc32"][0]
