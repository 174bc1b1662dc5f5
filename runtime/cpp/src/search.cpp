#include "whit/search.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace whit {
namespace {

[[noreturn]] void reject(const std::string& expected, int64_t received) {
  throw std::invalid_argument("[GreedySearch] expected " + expected + ", received " +
                              std::to_string(received));
}

[[noreturn]] void reject_verb(RequestKind asked, const std::string& verb) {
  const std::string expected = asked == RequestKind::kPredict ? "provide_prediction()"
                               : asked == RequestKind::kJoin  ? "provide_logits()"
                                                              : "accept_frames()";
  throw std::logic_error("[GreedySearch] expected " + expected + ", received " + verb);
}

}  // namespace

int64_t argmax(std::span<const float> values) {
  size_t best = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != values[i]) return int64_t(i);
    if (values[i] > values[best]) best = i;
  }
  return int64_t(best);
}

GreedySearch::GreedySearch(int32_t blank, int max_symbols) : blank_(blank), max_symbols_(max_symbols) {
  if (blank < 0) reject("a blank id of at least 0", blank);
  if (max_symbols < 1) reject("max_symbols of at least 1", max_symbols);
}

void GreedySearch::accept_frames(int64_t num_frames) {
  if (num_frames < 0) reject("at least 0 frames", num_frames);
  state_.num_frames += num_frames;
}

Request GreedySearch::next() const {
  if (!state_.prediction_fresh) {
    return {.kind = RequestKind::kPredict,
            .token = state_.emissions.empty() ? blank_ : state_.emissions.back().token};
  }
  if (state_.frame < state_.num_frames) return {.kind = RequestKind::kJoin, .frame = state_.frame};
  return {.kind = RequestKind::kIdle};
}

void GreedySearch::provide_prediction() {
  const RequestKind asked = next().kind;
  if (asked != RequestKind::kPredict) reject_verb(asked, "provide_prediction()");
  state_.prediction_fresh = true;
}

void GreedySearch::provide_logits(std::span<const float> logits) {
  const RequestKind asked = next().kind;
  if (asked != RequestKind::kJoin) reject_verb(asked, "provide_logits()");
  if (logits.size() != size_t(blank_) + 1)
    reject(std::to_string(int64_t(blank_) + 1) + " logits", int64_t(logits.size()));
  state_.joined = true;
  const int32_t token = choose(logits);
  if (token != blank_) {
    state_.emissions.push_back({token, state_.frame});
    state_.prediction_fresh = false;
    if (++state_.symbols_in_frame < max_symbols_) return;
  }
  ++state_.frame;
  state_.symbols_in_frame = 0;
}

int32_t GreedySearch::choose(std::span<const float> logits) {
  if (!forced_) return int32_t(argmax(logits));
  const bool due =
      state_.next_forced < forced_->size() && (*forced_)[state_.next_forced].frame == state_.frame;
  return due ? (*forced_)[state_.next_forced++].token : blank_;
}

void GreedySearch::set_forced(std::optional<std::vector<Emission>> emissions) {
  if (state_.joined) {
    throw std::logic_error(
        "[GreedySearch] expected set_forced() before the first logits, received it after them");
  }
  if (emissions) {
    int64_t frame = 0;
    int symbols = 0;
    for (const Emission& emission : *emissions) {
      if (emission.token < 0 || emission.token >= blank_) {
        reject("forced tokens from 0 to " + std::to_string(blank_ - 1), emission.token);
      }
      if (emission.frame < frame) {
        reject("forced frames that do not decrease, at least " + std::to_string(frame) + " here",
               emission.frame);
      }
      symbols = emission.frame == frame ? symbols + 1 : 1;
      frame = emission.frame;
      if (symbols > max_symbols_) {
        reject("at most " + std::to_string(max_symbols_) + " forced tokens in frame " + std::to_string(frame),
               symbols);
      }
    }
  }
  forced_ = std::move(emissions);
}

}  // namespace whit
