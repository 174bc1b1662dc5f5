#include "whit/offline_model.h"

#include <cstring>

#include "whit/fail.h"

namespace whit {

OfflineModel::OfflineModel(ModelFile file, const TfliteFile& contents)
    : file_(std::move(file)),
      config_(parse_offline_config(file_.config_text())),
      encode_(contents, "encode", {"features", "length"}, {"logits", "logits_length"}, kUtteranceLimits) {
  const Shape one{.rank = 1, .dims = {1}};
  const Shape features = matrix_shape(config_.max_frames, config_.frontend.num_mels);
  const Shape logits = matrix_shape(config_.logits_frames(config_.max_frames), config_.num_outputs());
  check_port("encode features", encode_.input(0), TensorType::kFloat32, features);
  check_port("encode length", encode_.input(1), TensorType::kInt32, one);
  check_port("encode logits", encode_.output(0), TensorType::kFloat32, logits);
  check_port("encode logits_length", encode_.output(1), TensorType::kInt32, one);
}

std::span<const float> OfflineWorkspace::encode(std::span<const float> features) {
  const OfflineConfig& config = model_->config();
  const Graph& graph = model_->encode();
  std::byte* arena = arena_.data();
  const auto length = int32_t(features.size() / size_t(config.frontend.num_mels));
  std::memcpy(Graph::place(graph.input(0), arena, 1), features.data(), features.size_bytes());
  std::memcpy(Graph::place(graph.input(1), arena, 1), &length, sizeof(length));
  graph.run(arena, 1, model_->file().workers());
  int32_t logits_length;
  std::memcpy(&logits_length, Graph::place(graph.output(1), arena, 1), sizeof(logits_length));
  const int64_t expected = config.logits_frames(length);
  if (logits_length != expected) {
    fail("encode", text(expected, " frames of logits for ", length), text(logits_length));
  }
  const auto* logits = reinterpret_cast<const float*>(Graph::place(graph.output(0), arena, 1));
  return {logits, size_t(expected * config.num_outputs())};
}

}  // namespace whit
