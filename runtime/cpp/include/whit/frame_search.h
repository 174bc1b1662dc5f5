#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "whit/offline_config.h"
#include "whit/search.h"

namespace whit {

/// Returns what the logits of a whole utterance say, by its head (docs/format.md, section 10): of `ctc` the
/// greatest token of every frame, repeats once and no blank; of `frames` the class of every run of frames; of
/// `pooled` the one class of their mean (summed in double precision, frames in ascending order, and rounded
/// to float). Each emission has the first frame that says so.
/// @param[in] logits       (frames, num_outputs), at least one frame.
/// @param[in] num_outputs  of `ctc`, the last is the blank.
std::vector<Emission> search_frames(OfflineHead head, std::span<const float> logits, size_t num_outputs);

}  // namespace whit
