#include <algorithm>
#include <vector>

#include "engine/golden_vectors.h"
#include "engine/self_test.h"
#include "whit/fail.h"
#include "whit/workspace.h"

namespace whit {
namespace {

// More than a loader should wait for.
constexpr size_t kMaxChunks = 256;
constexpr size_t kMaxTargets = 1024;

// The whole test may cost as much as one greatest call.
void check_work(const char* place, size_t num_calls, int64_t work_per_call) {
  if (int64_t(num_calls) <= kChunkLimits.work / std::max<int64_t>(work_per_call, 1)) return;
  fail(place, text("at most ", kChunkLimits.work, " multiply-adds"),
       text(num_calls, " times ", work_per_call));
}

// What it computes is kept for the checksums.
void check_size(const char* place, size_t num_calls, size_t floats_per_call) {
  constexpr size_t kMaxFloats = kChunkLimits.arena_bytes / sizeof(float);
  if (num_calls <= kMaxFloats / std::max<size_t>(floats_per_call, 1)) return;
  fail(place, text("at most ", kMaxFloats, " values to be computed"),
       text(num_calls, " times ", floats_per_call));
}

size_t count(const Graph::Port& port) { return size_t(port.shape.count()); }

}  // namespace

void run_self_test(std::shared_ptr<const TransducerModel> model, const TfliteFile& file) {
  const GoldenVectors golden(file);
  Workspace workspace(model);
  const Graph& encode = model->encode();
  const size_t chunk = count(encode.input(0));
  const size_t num_chunks = golden.num_features() / chunk;
  if (golden.num_features() % chunk || num_chunks == 0 || num_chunks > kMaxChunks) {
    fail("whit.golden.features", text("from 1 to ", kMaxChunks, " chunks of ", chunk, " values"),
         text(golden.num_features(), " values"));
  }
  check_work("whit.golden.features", num_chunks, encode.work());
  const size_t encoded_chunk = count(encode.output(0));
  check_size("whit.golden.features", num_chunks, encoded_chunk);
  const std::vector<float> features = golden.features();
  std::vector<float> state(model->encoder_state_floats());
  std::vector<float> encoded(num_chunks * encoded_chunk);  // (frames', joint_hidden)
  for (size_t i = 0; i < num_chunks; ++i) {
    const EncodeCall call{features.data() + i * chunk, state.data(), encoded.data() + i * encoded_chunk};
    workspace.encode({&call, 1});
  }
  golden.compare("encoder_outputs", encoded);
  golden.compare("encoder_states", state);

  const std::vector<int32_t> targets = golden.targets(kMaxTargets);
  const Graph& predict = model->predict();
  check_work("whit.golden.targets", targets.size(), predict.work() + model->join().work());
  const size_t h_count = count(predict.input(1));
  std::vector<float> decoder_state(h_count + count(predict.input(2)));
  const size_t width = count(predict.output(0));
  const size_t num_logits = count(model->join().output(0));
  check_size("whit.golden.targets", targets.size(), width + num_logits);
  const size_t num_frames = encoded.size() / width;
  std::vector<float> predicted(targets.size() * width);
  std::vector<float> logits(targets.size() * num_logits);
  for (size_t i = 0; i < targets.size(); ++i) {
    float* prediction = predicted.data() + i * width;
    const PredictCall predict_call{targets[i], decoder_state.data(), decoder_state.data() + h_count,
                                   prediction};
    workspace.predict({&predict_call, 1});
    const JoinCall join_call{encoded.data() + i % num_frames * width, prediction};
    std::copy_n(workspace.join({&join_call, 1}), num_logits, logits.data() + i * num_logits);
  }
  golden.compare("decoder_outputs", predicted);
  golden.compare("decoder_states", decoder_state);
  golden.compare("logits", logits);
}

}  // namespace whit
