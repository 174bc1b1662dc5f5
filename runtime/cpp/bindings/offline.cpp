#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "whit/frame_search.h"
#include "whit/model.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

// A model and the memory to run it; calls from several threads take turns.
class NativeOfflineModel {
 public:
  NativeOfflineModel(const std::string& path, bool self_test, size_t num_threads) {
    nb::gil_scoped_release release;
    auto loaded = whit::load<whit::OfflineModel>(path, {.self_test = self_test, .num_threads = num_threads});
    if (!loaded) throw whit::Failure(loaded.error());
    workspace_ = std::make_unique<whit::OfflineWorkspace>(*loaded);
  }

  Out<float, 2> encode(const FloatMatrix& features) {
    const whit::OfflineConfig& config = model().config();
    const size_t num_mels = size_t(config.frontend.num_mels), num_frames = features.shape(0);
    if (features.shape(1) != num_mels || num_frames < 1 || num_frames > size_t(config.max_frames)) {
      whit::fail("encode", whit::text("features of shape (1 to ", config.max_frames, ", ", num_mels, ")"),
                 whit::text("(", num_frames, ", ", features.shape(1), ")"));
    }
    Buffer<float> logits(size_t(config.logits_frames(int64_t(num_frames)) * config.num_outputs()));
    {
      nb::gil_scoped_release release;
      const std::lock_guard lock(mutex_);
      std::ranges::copy(workspace_->encode({features.data(), features.size()}), logits.data());
    }
    return logits.release(config.logits_frames(int64_t(num_frames)), config.num_outputs());
  }

  const whit::OfflineModel& model() const { return workspace_->model(); }

 private:
  std::unique_ptr<whit::OfflineWorkspace> workspace_;
  std::mutex mutex_;
};

whit::OfflineHead head_of(std::string_view name) {
  if (name == "ctc") return whit::OfflineHead::kCtc;
  if (name == "frames") return whit::OfflineHead::kFrames;
  if (name == "pooled") return whit::OfflineHead::kPooled;
  whit::fail("search_frames", "head ctc, frames or pooled", std::string(name));
}

std::tuple<std::vector<int32_t>, std::vector<int64_t>> search_frames(const FloatMatrix& logits,
                                                                     const std::string& head) {
  if (logits.size() == 0) whit::fail("search_frames", "at least one frame and one output", "none");
  std::vector<int32_t> tokens;
  std::vector<int64_t> frames;
  for (const whit::Emission& emission :
       whit::search_frames(head_of(head), {logits.data(), logits.size()}, logits.shape(1))) {
    tokens.push_back(emission.token);
    frames.push_back(emission.frame);
  }
  return {std::move(tokens), std::move(frames)};
}

}  // namespace

void bind_offline(nb::module_& m) {
  nb::class_<NativeOfflineModel>(m, "NativeOfflineModel",
                                 "A mapped model.tflite that takes whole utterances, run by our own engine.")
      .def(
          nb::init<const std::string&, bool, size_t>(), "path"_a, "self_test"_a = true, "num_threads"_a = 1,
          "Maps and checks a file and, with self_test, computes its golden vectors. Results do not depend on "
          "num_threads. Raises ValueError with one sentence for the first defect.")
      .def("encode", &NativeOfflineModel::encode, nb::arg("features").noconvert(),
           "One utterance: features float32 (frames, num_mels), frames from 1 to max_frames, give logits "
           "float32 (frames', outputs). Raises ValueError for other shapes.")
      .def_prop_ro(
          "config",
          [](const NativeOfflineModel& self) {
            const std::string_view text = self.model().file().config_text();
            return nb::bytes(text.data(), text.size());
          },
          "The checkpoint's configuration and max_frames, JSON in UTF-8.")
      .def_prop_ro(
          "weights_sha256",
          [](const NativeOfflineModel& self) { return std::string(self.model().file().weights_sha256()); },
          "The digest that the file states for its data section; not checked at load.")
      .def_prop_ro(
          "arena_bytes", [](const NativeOfflineModel& self) { return self.model().arena_bytes(); },
          "Working memory of the longest utterance; a shorter one touches less of it.");

  m.def(
      "search_frames", &search_frames, nb::arg("logits").noconvert(), "head"_a,
      "Tokens of a whole utterance and the frame of each, by head: \"ctc\" (repeats once, the last output is "
      "the blank), \"frames\" (the class of every run of frames) or \"pooled\" (the class of the mean). "
      "logits: float32 (frames, outputs), not empty. Raises ValueError otherwise.");
}
