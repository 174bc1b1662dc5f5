#include <span>
#include <vector>

#include "engine/golden_vectors.h"
#include "engine/self_test.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr int64_t kMaxWork = int64_t{1} << 36;  // multiply-adds: more than a loader should wait for

}  // namespace

void run_self_test(std::shared_ptr<const OfflineModel> model, const TfliteFile& file) {
  const GoldenVectors golden(file);
  const OfflineConfig& config = model->config();
  const size_t num_mels = size_t(config.frontend.num_mels);
  const int64_t num_frames = int64_t(golden.num_features() / num_mels);
  if (golden.num_features() % num_mels || num_frames == 0 || num_frames > config.max_frames) {
    fail("whit.golden.features", text("from 1 to ", config.max_frames, " frames of ", num_mels, " values"),
         text(golden.num_features(), " values"));
  }
  // Work grows with the frames, or faster.
  if (model->encode().work() / config.max_frames * num_frames > kMaxWork) {
    fail("whit.golden.features", text("at most ", kMaxWork, " multiply-adds"),
         text(num_frames, " frames, which take more"));
  }
  OfflineWorkspace workspace(model);
  golden.compare("logits", workspace.encode(golden.features()));
}

}  // namespace whit
