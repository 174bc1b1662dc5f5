#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "whit/aligned_buffer.h"
#include "whit/transducer_model.h"

namespace whit {

/// One chunk of one stream.
struct EncodeCall {
  const float* features;  ///< (chunk_frames, num_mels)
  float* state;           ///< (model.encoder_state_floats(),), replaced by the next
  float* encoded;         ///< (encoded_frames, joint_hidden), out
};

/// One token of one stream.
struct PredictCall {
  int32_t token;     ///< the last one, or the blank
  float* h;          ///< as the signature's shape, replaced by the next
  float* c;          ///< as the signature's shape, replaced by the next
  float* predicted;  ///< (joint_hidden,), out
};

/// An encoder frame and a prediction of one stream.
struct JoinCall {
  const float* encoded;    ///< (joint_hidden,)
  const float* predicted;  ///< (joint_hidden,)
};

/// The memory to run a model in, allocated once: one thread at a time. Calls of several streams run
/// together, and each weight is read once for all; the result of one does not depend on the others.
class Workspace {
 public:
  /// Most streams that run together: as many rows as kernels multiply at once.
  static constexpr size_t kMaxStreams = 8;

  /// @param[in] max_streams  from 1 to kMaxStreams: a workspace for eight takes eight times the memory.
  explicit Workspace(std::shared_ptr<const TransducerModel> model, size_t max_streams = 1)
      : model_(std::move(model)), max_streams_(max_streams), arena_(max_streams * model_->arena_bytes()) {}

  const TransducerModel& model() const { return *model_; }
  size_t max_streams() const { return max_streams_; }

  /// @param[in] calls  from 1 to max_streams(), each of another stream; so below.
  void encode(std::span<const EncodeCall> calls);

  void predict(std::span<const PredictCall> calls);

  /// Returns the logits (calls, tokens + 1), in the arena until the next call.
  const float* join(std::span<const JoinCall> calls);

 private:
  void set_input(const Graph::Port& port, size_t num_streams, size_t stream, const void* values);
  void get_output(const Graph::Port& port, size_t num_streams, size_t stream, float* values) const;
  void run(const Graph& graph, size_t num_streams);

  std::shared_ptr<const TransducerModel> model_;
  size_t max_streams_;
  AlignedBuffer arena_;  // (max_streams, model.arena_bytes())
};

}  // namespace whit
