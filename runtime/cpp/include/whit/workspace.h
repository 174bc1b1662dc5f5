#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "whit/aligned_buffer.h"
#include "whit/model.h"

namespace whit {

/// The memory to run a model in, allocated once: one thread at a time.
class Workspace {
 public:
  explicit Workspace(std::shared_ptr<const Model> model)
      : model_(std::move(model)), arena_(model_->arena_bytes()) {}

  const Model& model() const { return *model_; }

  /// Runs one chunk of the encoder.
  /// @param[in]     features  (chunk_frames, num_mels)
  /// @param[in,out] h, c      (layers, hidden)
  /// @param[out]    encoded   (encoded_frames, joint_hidden)
  void encode(const float* features, float* h, float* c, float* encoded);

  /// Runs the predictor on one token.
  /// @param[in,out] h, c       as the signature's shapes
  /// @param[out]    predicted  (joint_hidden,)
  void predict(int32_t token, float* h, float* c, float* predicted);

  /// Joins an encoder frame and a prediction.
  /// @param[in]  encoded, predicted  (joint_hidden,)
  /// @param[out] logits              (tokens + 1,)
  void join(const float* encoded, const float* predicted, float* logits);

  /// Joins as above; the logits stay in the arena until the next call.
  const float* join(const float* encoded, const float* predicted);

 private:
  void set_input(const Graph& graph, size_t i, const void* values);
  void get_output(const Graph& graph, size_t i, float* values) const;

  std::shared_ptr<const Model> model_;
  AlignedBuffer arena_;  // (model.arena_bytes(),)
};

}  // namespace whit
