#include "whit/offline_config.h"

#include <algorithm>
#include <array>

#include "engine/config_section.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr std::string_view kConformer = "conformer_ctc", kConvolutions = "conv_ctc",
                           kClassifier = "conv_classifier";

// A convolution divides the frames by its stride, rounding up; and so do several after each other.
int64_t read_subsampling(const ConfigSection& config, const ConfigSection& model) {
  if (config.string("architecture") == kConformer) return 4;
  int64_t factor = 1;
  for (const ConfigSection& block : model.sections("blocks")) {
    const int64_t stride = block.has("stride") ? block.number("stride") : 1;
    for (int64_t i = block.has("repeat") ? block.number("repeat") : 1; i > 0 && stride > 1; --i) {
      factor *= stride;
      if (factor > ConfigSection::kLargest) fail(block.place(), "strides of a frame rate", "others");
    }
  }
  return factor;
}

OfflineHead read_head(const ConfigSection& config, const ConfigSection& model) {
  const std::string& architecture = config.string("architecture");
  if (architecture == kConformer) return OfflineHead::kCtc;
  const std::string head = model.has("head") ? model.string("head") : "ctc";
  if (architecture == kConvolutions && head == "ctc") return OfflineHead::kCtc;
  if (architecture == kClassifier && head == "frames") return OfflineHead::kFrames;
  if (architecture == kClassifier && head == "pooled") return OfflineHead::kPooled;
  fail(model.place(), architecture == kClassifier ? "head frames or pooled" : "head ctc", head);
}

OfflineFrontend read_frontend(const ConfigSection& frontend) {
  frontend.expect("flavour", "nemo_offline");
  frontend.expect("kind", "log_mel");
  if (frontend.number("sample_rate_hz") != OfflineFbank::kSampleRateHz) {
    fail(frontend.place(), text("a sample rate of ", OfflineFbank::kSampleRateHz, " Hz"),
         text(frontend.number("sample_rate_hz")));
  }
  const std::string& normalize = frontend.string("normalize");
  if (normalize != "per_feature") frontend.expect("normalize", "none");
  const int64_t window_ms = frontend.number("window_ms");
  if (window_ms > OfflineFbank::kMaxWindowMs) {
    fail(frontend.place(), text("window_ms up to ", OfflineFbank::kMaxWindowMs), text(window_ms));
  }
  return {.num_mels = int(frontend.number("num_mels")),
          .window_ms = int(window_ms),
          .per_feature = normalize == "per_feature"};
}

}  // namespace

bool is_offline(std::string_view content) {
  const Json json = parse_config(content);
  const Json* architecture = json.find("architecture");
  const std::array known = {kConformer, kConvolutions, kClassifier};
  return architecture && std::ranges::find(known, architecture->string) != known.end();
}

OfflineConfig parse_offline_config(std::string_view content) {
  const Json json = parse_config(content);
  const ConfigSection config(json, "whit.config");
  const ConfigSection model = config.section("model");
  OfflineConfig result{
      .name = read_name(config),
      .head = read_head(config, model),
      .frontend = read_frontend(config.section("frontend")),
      .max_frames = config.number("max_frames"),
      .subsampling = read_subsampling(config, model),
      .tokens = read_tokens(config),
  };
  const int num_mels = result.frontend.num_mels;
  if (num_mels > MelBanks::kMaxNumMels || num_mels != model.number("num_mels")) {
    fail("whit.config.frontend", text("num_mels up to ", MelBanks::kMaxNumMels, ", as in model"),
         text(num_mels));
  }
  return result;
}

}  // namespace whit
