#include "whit/stream_batch.h"

#include <array>

#include "whit/fail.h"

namespace whit {

void decode_together(Workspace& workspace, std::span<RecognizerStream* const> streams) {
  constexpr size_t kMax = Workspace::kMaxStreams;
  const TransducerConfig& config = workspace.model().config();
  const int64_t num_frames = workspace.model().encoded_frames();
  const size_t num_logits = config.tokens.size() + 1;
  std::array<EncodeCall, kMax> chunks;
  for (size_t i = 0; i < streams.size(); ++i) chunks[i] = streams[i]->take_chunk();
  workspace.encode(std::span(chunks).first(streams.size()));
  for (RecognizerStream* stream : streams) stream->search_.accept_frames(num_frames);

  // In each round every stream is asked once; those that want the same run together.
  for (;;) {
    std::array<PredictCall, kMax> predictions;
    std::array<JoinCall, kMax> joins;
    std::array<RecognizerStream*, kMax> predicting, joining;
    size_t num_predictions = 0, num_joins = 0;
    for (RecognizerStream* stream : streams) {
      const Request request = stream->search_.next();
      const auto& at = stream->at_;
      float* state = stream->state_.data();
      if (request.kind == RequestKind::kPredict) {
        predicting[num_predictions] = stream;
        predictions[num_predictions++] = {request.token, state + at.predictor_h, state + at.predictor_c,
                                          state + at.predicted};
      } else if (request.kind == RequestKind::kJoin) {
        const int64_t frame = request.frame - stream->first_encoded_frame_;
        joining[num_joins] = stream;
        joins[num_joins++] = {state + at.encoded + frame * config.joint_hidden, state + at.predicted};
      }
    }
    if (num_predictions + num_joins == 0) break;
    if (num_predictions) workspace.predict(std::span(predictions).first(num_predictions));
    for (size_t i = 0; i < num_predictions; ++i) predicting[i]->search_.provide_prediction();
    if (num_joins) {
      const float* logits = workspace.join(std::span(joins).first(num_joins));
      for (size_t i = 0; i < num_joins; ++i) {
        joining[i]->search_.provide_logits({logits + i * num_logits, num_logits});
      }
    }
  }
  for (RecognizerStream* stream : streams) stream->finish_chunk();
}

StreamBatch::StreamBatch(std::shared_ptr<const TransducerModel> model)
    : workspace_(std::move(model), Workspace::kMaxStreams) {}

std::optional<Error> StreamBatch::decode(std::span<RecognizerStream* const> streams) {
  const auto error = [](std::string expected, std::string received) {
    return Error{.place = "decode", .expected = std::move(expected), .received = std::move(received)};
  };
  for (size_t i = 0; i < streams.size(); ++i) {
    if (&streams[i]->model() != &workspace_.model()) {
      return error("streams of the batch's own model", text("one of another at place ", i));
    }
    for (size_t j = 0; j < i; ++j) {
      if (streams[i] == streams[j]) return error("each stream once", text("one at places ", j, " and ", i));
    }
  }
  // For all before the first is decoded: where memory runs out, nothing is.
  for (RecognizerStream* stream : streams) {
    if (stream->is_ready()) stream->make_room_for_chunk();
  }
  std::array<RecognizerStream*, Workspace::kMaxStreams> ready;
  size_t num_ready = 0;
  for (size_t i = 0; i < streams.size(); ++i) {
    if (streams[i]->is_ready()) ready[num_ready++] = streams[i];
    const bool last = i + 1 == streams.size();
    if (num_ready == ready.size() || (last && num_ready > 0)) {
      decode_together(workspace_, std::span(ready).first(num_ready));
      num_ready = 0;
    }
  }
  return std::nullopt;
}

}  // namespace whit
