#include <algorithm>
#include <span>
#include <string>
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

size_t count(const Graph::Port& port) { return size_t(port.shape.count()); }

}  // namespace

void run_self_test(std::shared_ptr<const TransducerModel> model, const TfliteFile& file) {
  const GoldenVectors golden(file);
  Workspace workspace(model);
  const Graph& encode = model->encode();
  // The large states of a Conformer are not stored: they begin at zero.
  const std::vector<StateShape> states =
      model->config().golden_states ? model->config().encoder_states : std::vector<StateShape>();
  const auto features = golden.read<float>("features");
  const size_t chunk = count(encode.input(0));
  const size_t num_chunks = features.size() / chunk;
  if (features.size() % chunk || num_chunks == 0 || num_chunks > kMaxChunks) {
    fail("whit.golden.features", text("from 1 to ", kMaxChunks, " chunks of ", chunk, " values"),
         text(features.size(), " values"));
  }
  check_work("whit.golden.features", num_chunks, encode.work());
  std::vector<float> state;  // of all names, one behind the other
  if (states.empty()) state.resize(model->encoder_state_floats());
  for (size_t i = 0; i < states.size(); ++i) {
    const std::vector<float> part = golden.read_floats(states[i].name, count(encode.input(1 + i)));
    state.insert(state.end(), part.begin(), part.end());
  }
  const size_t encoded_chunk = count(encode.output(0));
  std::vector<float> encoded(num_chunks * encoded_chunk);  // (frames', joint_hidden)
  for (size_t i = 0; i < num_chunks; ++i) {
    const EncodeCall call{features.data() + i * chunk, state.data(), encoded.data() + i * encoded_chunk};
    workspace.encode({&call, 1});
  }
  golden.compare("encoder_outputs", encoded);
  auto next = state.begin();
  for (size_t i = 0; i < states.size(); ++i) {
    const auto end = next + int64_t(count(encode.input(1 + i)));
    golden.compare(states[i].name + "_next", std::span(next, end));
    next = end;
  }

  const auto targets = golden.read<int32_t>("targets");
  if (targets.empty() || targets.size() > kMaxTargets) {
    fail("whit.golden.targets", text("from 1 to ", kMaxTargets, " values"), text(targets.size()));
  }
  const Graph& predict = model->predict();
  check_work("whit.golden.targets", targets.size(), predict.work() + model->join().work());
  std::vector<float> decoder_h = golden.read_floats("decoder_h", count(predict.input(1)));
  std::vector<float> decoder_c = golden.read_floats("decoder_c", count(predict.input(2)));
  const size_t width = count(predict.output(0));
  const size_t num_logits = count(model->join().output(0));
  const size_t num_frames = encoded.size() / width;
  std::vector<float> predicted(targets.size() * width);
  std::vector<float> logits(targets.size() * num_logits);
  for (size_t i = 0; i < targets.size(); ++i) {
    float* prediction = predicted.data() + i * width;
    const PredictCall predict_call{targets[i], decoder_h.data(), decoder_c.data(), prediction};
    workspace.predict({&predict_call, 1});
    const JoinCall join_call{encoded.data() + i % num_frames * width, prediction};
    std::copy_n(workspace.join({&join_call, 1}), num_logits, logits.data() + i * num_logits);
  }
  golden.compare("decoder_outputs", predicted);
  golden.compare("logits", logits);
}

}  // namespace whit
