#include "engine/self_test.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "whit/fail.h"
#include "whit/workspace.h"

namespace whit {
namespace {

// More than a loader should wait for.
constexpr size_t kMaxChunks = 256;
constexpr size_t kMaxTargets = 1024;

template <typename T>
std::vector<T> read_array(const TfliteFile& file, std::string_view key) {
  const std::span<const std::byte> content = file.metadata_content(text("whit.golden.", key));
  if (content.size() % sizeof(T)) {
    fail(text("whit.golden.", key), text("values of ", sizeof(T), " bytes"), text(content.size(), " bytes"));
  }
  std::vector<T> values(content.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), content.data(), content.size());
  return values;
}

std::vector<float> read_floats(const TfliteFile& file, std::string_view key, size_t count) {
  std::vector<float> values = read_array<float>(file, key);
  if (values.size() != count) fail(text("whit.golden.", key), text(count, " values"), text(values.size()));
  return values;
}

void compare(const TfliteFile& file, std::string_view key, const std::vector<float>& computed) {
  const std::vector<float> stored = read_floats(file, key, computed.size());
  for (size_t i = 0; i < computed.size(); ++i) {
    if (std::bit_cast<uint32_t>(computed[i]) == std::bit_cast<uint32_t>(stored[i])) continue;
    fail(text("whit.golden.", key), text("the stored bits, ", stored[i], " at value ", i), text(computed[i]));
  }
}

// The whole test may cost as much as one greatest call.
void check_work(const char* place, size_t num_calls, int64_t work_per_call) {
  if (int64_t(num_calls) <= Graph::kMaxWork / std::max<int64_t>(work_per_call, 1)) return;
  fail(place, text("at most ", Graph::kMaxWork, " multiply-adds"), text(num_calls, " times ", work_per_call));
}

size_t count(const Graph::Port& port) { return size_t(port.shape.count()); }

}  // namespace

void run_self_test(std::shared_ptr<const Model> model, const TfliteFile& file) {
  Workspace workspace(model);
  const Graph& encode = model->encode();
  // The large states of a Conformer are not stored: they begin at zero.
  const std::vector<StateShape> states =
      model->config().golden_states ? model->config().encoder_states : std::vector<StateShape>();
  const auto features = read_array<float>(file, "features");
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
    const std::vector<float> part = read_floats(file, states[i].name, count(encode.input(1 + i)));
    state.insert(state.end(), part.begin(), part.end());
  }
  const size_t encoded_chunk = count(encode.output(0));
  std::vector<float> encoded(num_chunks * encoded_chunk);  // (frames', joint_hidden)
  for (size_t i = 0; i < num_chunks; ++i) {
    const EncodeCall call{features.data() + i * chunk, state.data(), encoded.data() + i * encoded_chunk};
    workspace.encode({&call, 1});
  }
  compare(file, "encoder_outputs", encoded);
  auto next = state.begin();
  for (size_t i = 0; i < states.size(); ++i) {
    const auto end = next + int64_t(count(encode.input(1 + i)));
    compare(file, states[i].name + "_next", {next, end});
    next = end;
  }

  const auto targets = read_array<int32_t>(file, "targets");
  if (targets.empty() || targets.size() > kMaxTargets) {
    fail("whit.golden.targets", text("from 1 to ", kMaxTargets, " values"), text(targets.size()));
  }
  const Graph& predict = model->predict();
  check_work("whit.golden.targets", targets.size(), predict.work() + model->join().work());
  std::vector<float> decoder_h = read_floats(file, "decoder_h", count(predict.input(1)));
  std::vector<float> decoder_c = read_floats(file, "decoder_c", count(predict.input(2)));
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
  compare(file, "decoder_outputs", predicted);
  compare(file, "logits", logits);
}

}  // namespace whit
