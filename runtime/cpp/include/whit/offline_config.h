#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "whit/frame_shift.h"
#include "whit/offline_fbank.h"

namespace whit {

/// What the rows of logits mean (docs/format.md, section 5).
enum class OfflineHead {
  kCtc,     ///< tokens and, last, the blank
  kFrames,  ///< a class of every frame
  kPooled,  ///< their mean is one class of the utterance
};

/// What a recogniser needs of the configuration of a model that takes whole utterances (docs/format.md,
/// sections 5 and 10).
struct OfflineConfig {
  std::string name;
  OfflineHead head;
  OfflineFrontend frontend;
  int64_t max_frames;               ///< feature frames of the longest utterance
  int64_t subsampling;              ///< feature frames per frame of logits
  std::vector<std::string> tokens;  ///< without the blank; the classes of a classifier

  int64_t num_outputs() const { return int64_t(tokens.size()) + (head == OfflineHead::kCtc); }
  /// Returns the frames of logits for so many of features.
  int64_t logits_frames(int64_t num_frames) const { return (num_frames + subsampling - 1) / subsampling; }
  /// The longest utterance: N samples at 16 kHz give `N / 160 + 1` frames. A file of one frame takes none.
  int64_t max_ms() const { return (max_frames - 1) * kFrameShiftMs; }
  int64_t max_samples() const { return (max_frames - 1) * OfflineFbank::kFrameShift; }
};

/// Whether a configuration names an architecture that takes whole utterances; one that is damaged does not.
/// @throws Failure where it is no object of a version that we know.
bool is_offline(std::string_view text);

/// Reads and checks a configuration. @throws Failure for the first defect.
OfflineConfig parse_offline_config(std::string_view text);

}  // namespace whit
