#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "whit/graph.h"
#include "whit/lazy_pages.h"
#include "whit/model_file.h"
#include "whit/offline_config.h"

namespace whit {

/// For one call of a whole utterance, of which there may be half a minute.
inline constexpr GraphLimits kUtteranceLimits = {.arena_bytes = size_t{256} << 20, .work = int64_t{1} << 40};

/// A loaded model that takes whole utterances (docs/format.md, section 10): immutable, so that any number of
/// threads may run it, each with its own OfflineWorkspace.
class OfflineModel {
 public:
  static constexpr std::string_view kKind = "a model of whole utterances";

  /// @param[in] file  of which `contents` says what is in it.
  /// @throws Failure for the first defect.
  OfflineModel(ModelFile file, const TfliteFile& contents);

  const OfflineConfig& config() const { return config_; }
  const ModelFile& file() const { return file_; }
  const Graph& encode() const { return encode_; }  ///< features, length -> logits, logits_length

  /// Working memory of the longest utterance; a shorter one touches less of it.
  size_t arena_bytes() const { return encode_.arena_bytes(); }

 private:
  ModelFile file_;
  OfflineConfig config_;
  Graph encode_;
};

/// The memory to run a model in: one thread at a time. What no utterance has touched takes no memory.
class OfflineWorkspace {
 public:
  explicit OfflineWorkspace(std::shared_ptr<const OfflineModel> model)
      : model_(std::move(model)), arena_(model_->arena_bytes()) {}

  const OfflineModel& model() const { return *model_; }

  /// Computes the logits of one utterance.
  /// @param[in] features  (num_frames, num_mels), num_frames from 1 to max_frames
  /// @return (logits_frames(num_frames), num_outputs), in the arena until the next call.
  /// @throws Failure where the graph gives another number of frames than its configuration promises.
  std::span<const float> encode(std::span<const float> features);

 private:
  std::shared_ptr<const OfflineModel> model_;
  LazyPages arena_;  // (model.arena_bytes(),)
};

}  // namespace whit
