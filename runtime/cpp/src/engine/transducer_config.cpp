#include "whit/transducer_config.h"

#include <algorithm>

#include "engine/config_section.h"
#include "whit/fail.h"
#include "whit/frame_shift.h"

namespace whit {
namespace {

// The encoder of each architecture (docs/format.md, section 5).
struct Encoder {
  int64_t subsampling;  ///< feature frames per encoder frame
  int64_t chunk;        ///< encoder frames that a chunk must have; 0: any
  std::vector<StateShape> states;
};

Encoder read_lstm(const ConfigSection& model) {
  const int64_t layers = model.number("pre_layers") + model.number("post_layers", 0);
  const int64_t hidden = model.number("encoder_hidden");
  const int64_t output = model.has("projection") ? model.number("projection") : hidden;
  return {.subsampling = model.number("stack") * model.number("time_reduction"),
          .chunk = 0,
          .states = {{"h", layers, output}, {"c", layers, hidden}}};
}

Encoder read_conformer(const ConfigSection& model) {
  constexpr int64_t kStride = 2, kHistory = 2;  // of each of two convolutions
  const int64_t layers = model.number("layers"), width = model.number("d_model");
  const int64_t num_mels = model.number("num_mels");
  return {.subsampling = kStride * kStride * model.number("time_reduction"),
          .chunk = model.number("chunk"),
          .states = {
              {"attention_cache", layers * model.number("left_context"), 2 * width + 1},
              {"convolution_cache", layers * (model.number("kernel_size", 2) - 1), width},
              {"subsampling_cache_0", kHistory, num_mels},
              {"subsampling_cache_1", kHistory, (num_mels / kStride + 1) * model.number("conv_channels")},
          }};
}

Encoder read_encoder(const ConfigSection& config) {
  const ConfigSection model = config.section("model");
  const std::string& architecture = config.string("architecture");
  if (architecture == "conformer") return read_conformer(model);
  if (architecture == "rnnt") return read_lstm(model);
  fail(config.place(), "architecture rnnt, conformer, conv_ctc, conv_classifier or conformer_ctc",
       architecture);
}

}  // namespace

TransducerConfig parse_transducer_config(std::string_view content) {
  const Json json = parse_config(content);
  const ConfigSection config(json, "whit.config");
  const Encoder encoder = read_encoder(config);
  const ConfigSection model = config.section("model");
  const ConfigSection frontend = config.section("frontend");
  const ConfigSection streaming = config.section("streaming");

  TransducerConfig result{
      .name = read_name(config),
      .num_mels = int(frontend.number("num_mels")),
      .subsampling = int(std::min(ConfigSection::kLargest, encoder.subsampling)),
      .chunk_frames = int(streaming.number("chunk_ms") / kFrameShiftMs),
      .tail_ms = int(streaming.number("tail_ms", 0)),
      .flavour = frontend.string("flavour") == "kaldi" ? FbankFlavour::kKaldi : FbankFlavour::kNemo,
      .encoder_states = encoder.states,
      .joint_hidden = model.number("joint_hidden"),
      .predictor_state = {1, std::max<int64_t>(model.number("context") - 1, 1)},
      .tokens = read_tokens(config),
  };
  if (frontend.string("flavour") != "kaldi") frontend.expect("flavour", "nemo");
  if (frontend.number("sample_rate_hz") != Fbank::kSampleRateHz) {
    fail(frontend.place(), text("a sample rate of ", Fbank::kSampleRateHz, " Hz"),
         text(frontend.number("sample_rate_hz")));
  }
  if (result.num_mels > MelBanks::kMaxNumMels || result.num_mels != model.number("num_mels")) {
    fail(frontend.place(), text("num_mels up to ", MelBanks::kMaxNumMels, ", as in model"),
         text(result.num_mels));
  }
  if (result.chunk_frames == 0 || result.chunk_frames % result.subsampling ||
      streaming.number("chunk_ms") % kFrameShiftMs) {
    fail(streaming.place(), text("chunk_ms a multiple of ", result.subsampling * kFrameShiftMs),
         text(streaming.number("chunk_ms")));
  }
  if (encoder.chunk && result.chunk_frames != encoder.chunk * result.subsampling) {
    fail(streaming.place(), text("chunk_ms ", encoder.chunk * result.subsampling * kFrameShiftMs),
         text(streaming.number("chunk_ms")));
  }
  if (model.string("predictor") == "lstm") {
    result.predictor_state[0] = model.number("predictor_layers");
    result.predictor_state[1] = model.number("predictor_hidden");
  } else {
    model.expect("predictor", "stateless");
  }
  return result;
}

}  // namespace whit
