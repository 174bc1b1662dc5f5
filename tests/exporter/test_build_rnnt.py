import pytest
from random_checkpoint import LSTM_MODEL, STATELESS_MODEL, random_checkpoint

from whit.exporter.build_rnnt import build_rnnt
from whit.exporter.checkpoint import read_checkpoint
from whit.exporter.passes.check import check

SMALL = {**LSTM_MODEL, "post_layers": 1, "predictor_layers": 1}

ENCODE = """\
graph encode (features [T, 7], encoder.h [2, 13], encoder.c [2, 13])
  encoder.normalised [T, 7] = Normalise (features, encoder.feature_mean, encoder.feature_std)
  encoder.stacked [T/3, 21] = Stack factor=3 (encoder.normalised)
  encoder.lstm.0.h [1, 13], encoder.lstm.1.h [1, 13] = Rows (encoder.h)
  encoder.lstm.0.c [1, 13], encoder.lstm.1.c [1, 13] = Rows (encoder.c)
  encoder.lstm.0.output [T/3, 13], encoder.lstm.0.h_next [1, 13], encoder.lstm.0.c_next [1, 13] = \
LSTM hidden_size=13 (encoder.stacked, encoder.lstm.0.h, encoder.lstm.0.c, encoder.lstm.0.weight_ih, \
encoder.lstm.0.weight_hh, encoder.lstm.0.bias_ih, encoder.lstm.0.bias_hh)
  encoder.reduced [T/6, 26] = Stack factor=2 (encoder.lstm.0.output)
  encoder.lstm.1.output [T/6, 13], encoder.lstm.1.h_next [1, 13], encoder.lstm.1.c_next [1, 13] = \
LSTM hidden_size=13 (encoder.reduced, encoder.lstm.1.h, encoder.lstm.1.c, encoder.lstm.1.weight_ih, \
encoder.lstm.1.weight_hh, encoder.lstm.1.bias_ih, encoder.lstm.1.bias_hh)
  encoder.projected [T/6, 17] = MatMul (encoder.lstm.1.output, joint.encoder.weight, joint.encoder.bias)
  encoder.h_next [2, 13] = Concat (encoder.lstm.0.h_next, encoder.lstm.1.h_next)
  encoder.c_next [2, 13] = Concat (encoder.lstm.0.c_next, encoder.lstm.1.c_next)
  return encoder.projected, encoder.h_next, encoder.c_next"""

PREDICT = """\
graph predict (predictor.token int32 [1], predictor.h [1, 2], predictor.c [1, 2])
  predictor.history int32 [2] = HistoryTokens blank=4 (predictor.h)
  predictor.tokens int32 [3] = Concat (predictor.history, predictor.token)
  predictor.embedded [3, 9] = Embedding (predictor.tokens, predictor.embedding.weight)
  predictor.context [1, 27] = Stack factor=3 (predictor.embedded)
  predictor.linear [1, 11] = MatMul (predictor.context, predictor.linear.weight)
  predictor.hidden [1, 11] = AddRelu (predictor.linear, predictor.linear.bias)
  predictor.projected [1, 17] = MatMul (predictor.hidden, joint.predictor.weight)
  predictor.history_next int32 [2] = Tail (predictor.tokens)
  predictor.h_next [1, 2] = HistoryState blank=4 (predictor.history_next)
  predictor.c_next [1, 2] = Identity (predictor.c)
  return predictor.projected, predictor.h_next, predictor.c_next"""

JOIN = """\
graph join (joint.encoder [1, 17], joint.predictor [1, 17])
  joint.hidden [1, 17] = AddRelu (joint.encoder, joint.predictor)
  joint.logits [1, 5] = MatMul (joint.hidden, joint.output.weight, joint.output.bias)
  return joint.logits"""


@pytest.mark.parametrize(
    ("model", "name", "text"),
    [(SMALL, "encode", ENCODE), (STATELESS_MODEL, "predict", PREDICT), (SMALL, "join", JOIN)],
    ids=["encode", "predict", "join"],
)
def test_graphs_are_these(tmp_path, model, name, text):
    graph = build_rnnt(read_checkpoint(random_checkpoint(model).write(tmp_path))).graph(name)
    assert str(graph) == text
    check(graph)


def test_a_context_of_one_needs_no_history(tmp_path):
    model = {**STATELESS_MODEL, "context": 1}
    graph = check(build_rnnt(read_checkpoint(random_checkpoint(model).write(tmp_path))).graph("predict"))
    assert [node.op for node in graph.nodes] == [
        "Embedding",
        "Stack",
        "MatMul",
        "AddRelu",
        "MatMul",
        "Identity",
        "Identity",
    ]


def test_metadata_is_what_sherpa_onnx_reads(tmp_path):
    metadata = build_rnnt(read_checkpoint(random_checkpoint().write(tmp_path))).metadata
    assert {key: value for key, value in metadata.items() if not key.startswith("whit.")} == {
        "model_type": "EncDecRNNTModel", "normalize_type": "", "vocab_size": "4", "window_size": "12",
        "chunk_shift": "12", "subsampling_factor": "6", "pred_rnn_layers": "2", "pred_hidden": "11",
        "cache_last_channel_dim1": "3", "cache_last_channel_dim2": "1", "cache_last_channel_dim3": "13",
        "cache_last_time_dim1": "3", "cache_last_time_dim2": "1", "cache_last_time_dim3": "13",
    }  # fmt: skip
    assert metadata["whit.config"] == (tmp_path / "config.json").read_text()
