#include "whit/frame_search.h"

namespace whit {
namespace {

std::vector<Emission> search_pooled(std::span<const float> logits, size_t num_outputs) {
  std::vector<double> sums(num_outputs);
  for (size_t i = 0; i < logits.size(); ++i) sums[i % num_outputs] += double(logits[i]);
  const double num_frames = double(logits.size() / num_outputs);
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(float(sum / num_frames));
  return {{.token = int32_t(argmax(mean)), .frame = 0}};
}

}  // namespace

std::vector<Emission> search_frames(OfflineHead head, std::span<const float> logits, size_t num_outputs) {
  if (head == OfflineHead::kPooled) return search_pooled(logits, num_outputs);
  const int32_t blank = head == OfflineHead::kCtc ? int32_t(num_outputs) - 1 : -1;
  std::vector<Emission> emissions;
  int32_t previous = -1;
  for (size_t frame = 0; frame * num_outputs < logits.size(); ++frame) {
    const auto best = int32_t(argmax(logits.subspan(frame * num_outputs, num_outputs)));
    if (best != previous && best != blank) emissions.push_back({.token = best, .frame = int64_t(frame)});
    previous = best;
  }
  return emissions;
}

}  // namespace whit
