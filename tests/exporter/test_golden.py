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
    frames = golden["features"].shape[2]
    out, _, h_next, c_next, _ = encoder.run(
        None,
        {
            "audio_signal": golden["features"],
            "length": np.array([frames]),
            "cache_last_channel": golden["h"],
            "cache_last_time": golden["c"],
            "cache_last_channel_len": np.zeros(1, np.int64),
        },
    )
    np.testing.assert_array_equal(out, golden["encoder_outputs"])
    np.testing.assert_array_equal(h_next, golden["h_next"])
    np.testing.assert_array_equal(c_next, golden["c_next"])
    h, c = golden["decoder_h"], golden["decoder_c"]
    assert golden["targets"][0] == 4 and len(golden["targets"]) == 8
    for i, target in enumerate(golden["targets"]):
        feeds = {"targets": target.reshape(1, 1), "target_length": np.ones(1, np.int32), "h": h, "c": c}
        prediction, _, h, c = decoder.run(None, feeds)
        np.testing.assert_array_equal(prediction.reshape(-1), golden["decoder_outputs"][i])
        frame = out[:, :, i % out.shape[2]][..., None]
        (logits,) = joiner.run(None, {"encoder_outputs": frame, "decoder_outputs": prediction})
        np.testing.assert_array_equal(logits.reshape(-1), golden["logits"][i])
