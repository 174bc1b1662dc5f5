#include "whit/model_config.h"

#include <algorithm>

#include "whit/fail.h"
#include "whit/json.h"

namespace whit {
namespace {

constexpr int64_t kLargest = 1 << 16;
constexpr int kFrameShiftMs = 10;

// One object of the configuration, read with checks.
class Section {
 public:
  Section(const Json& json, std::string place) : json_(json), place_(std::move(place)) {}

  Section section(const char* name) const {
    return Section(value(name, Json::Kind::kObject, "an object"), text(place_, ".", name));
  }
  const std::string& string(const char* name) const {
    return value(name, Json::Kind::kString, "a string").string;
  }
  int64_t number(const char* name, int64_t least = 1) const {
    const int64_t number = value(name, Json::Kind::kInteger, "a whole number").integer;
    if (number < least || number > kLargest) {
      fail(place_, text(name, " from ", least, " to ", kLargest), text(number));
    }
    return number;
  }
  void expect(const char* name, std::string_view expected) const {
    if (string(name) != expected) fail(place_, text(name, " ", expected), string(name));
  }
  const std::vector<Json>& array(const char* name) const {
    return value(name, Json::Kind::kArray, "a list").elements;
  }
  const std::string& place() const { return place_; }

 private:
  const Json& value(const char* name, Json::Kind kind, const char* expected) const {
    const Json* found = json_.find(name);
    if (!found || found->kind != kind) {
      fail(place_, text(expected, " ", name), found ? "a value of another type" : "none");
    }
    return *found;
  }

  const Json& json_;
  std::string place_;
};

std::vector<std::string> read_tokens(const Section& config) {
  const std::vector<Json>& values = config.array("tokens");
  if (values.empty() || int64_t(values.size()) >= kLargest) {
    fail(config.place(), text("from 1 to ", kLargest - 1, " tokens"), text(values.size()));
  }
  std::vector<std::string> tokens;
  for (const Json& value : values) {
    // Space and control characters would make texts ambiguous.
    const bool visible =
        std::ranges::all_of(value.string, [](char c) { return uint8_t(c) > ' ' && c != 127; });
    if (value.kind != Json::Kind::kString || value.string.empty() || !visible) {
      fail(config.place(), "tokens of visible characters", text("another one at ", tokens.size()));
    }
    tokens.push_back(value.string);
  }
  return tokens;
}

// The encoder of each architecture (docs/format.md, section 5).
struct Encoder {
  int64_t subsampling;  ///< feature frames per encoder frame
  int64_t chunk;        ///< encoder frames that a chunk must have; 0: any
  std::vector<StateShape> states;
};

Encoder read_lstm(const Section& model) {
  const int64_t layers = model.number("pre_layers") + model.number("post_layers", 0);
  const int64_t hidden = model.number("encoder_hidden");
  return {.subsampling = model.number("stack") * model.number("time_reduction"),
          .chunk = 0,
          .states = {{"h", layers, hidden}, {"c", layers, hidden}}};
}

Encoder read_conformer(const Section& model) {
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

Encoder read_encoder(const Section& config) {
  const Section model = config.section("model");
  const std::string& architecture = config.string("architecture");
  if (architecture == "conformer") return read_conformer(model);
  if (architecture == "rnnt") return read_lstm(model);
  fail(config.place(), "architecture rnnt or conformer", architecture);
}

}  // namespace

ModelConfig parse_model_config(std::string_view content) {
  const Json json = Json::parse("whit.config", content);
  if (json.kind != Json::Kind::kObject) fail("whit.config", "an object", "another value");
  const Section config(json, "whit.config");
  config.expect("format", "whit-checkpoint");
  if (config.number("version") != 1) fail("whit.config", "version 1", text(config.number("version")));
  const Encoder encoder = read_encoder(config);
  const Section model = config.section("model");
  const Section frontend = config.section("frontend");
  const Section streaming = config.section("streaming");

  ModelConfig result{
      .name = config.string("name"),
      .num_mels = int(frontend.number("num_mels")),
      .subsampling = int(std::min(kLargest, encoder.subsampling)),
      .chunk_frames = int(streaming.number("chunk_ms") / kFrameShiftMs),
      .tail_ms = int(streaming.number("tail_ms", 0)),
      .flavour = frontend.string("flavour") == "kaldi" ? FbankFlavour::kKaldi : FbankFlavour::kNemo,
      .encoder_states = encoder.states,
      .golden_states = encoder.chunk == 0,
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
