#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "whit/make_room.h"

namespace whit {

/// First index of the greatest value; of the first NaN if there is one (docs/format.md, section 4).
/// @param[in] values  not empty.
int64_t argmax(std::span<const float> values);

enum class RequestKind {
  kPredict,  ///< run the predictor on `token`, then call provide_prediction()
  kJoin,     ///< run the joiner on encoder frame `frame` and the last prediction, then call provide_logits()
  kIdle,     ///< all frames are searched: accept_frames(), or the stream is over
};

struct Request {
  RequestKind kind;
  int32_t token = -1;  ///< kPredict: the last emitted token, or the blank at the start; otherwise -1
  int64_t frame = -1;  ///< kJoin: number of the encoder frame since the start of the stream; otherwise -1
};

/// One emitted token.
struct Emission {
  int32_t token;
  int64_t frame;  ///< number of the encoder frame that emitted it, since the start of the stream
};

/// All that a search remembers between calls.
struct GreedyState {
  std::vector<Emission> emissions;
  int64_t num_frames = 0;         // accepted since the start of the stream
  int64_t frame = 0;              // the first frame that is not searched to its end
  int symbols_in_frame = 0;       // emitted by `frame`
  bool prediction_fresh = false;  // the driver's prediction follows the last emitted token
  bool joined = false;            // logits have come in this stream
  size_t next_forced = 0;         // first forced emission not yet given
};

/// Greedy transducer search that knows no engine: `next()` says what to run, the driver runs it and tells.
///
///     search.accept_frames(n);
///     for (Request r = search.next(); r.kind != RequestKind::kIdle; r = search.next()) {
///       if (r.kind == RequestKind::kPredict) { predict(r.token); search.provide_prediction(); }
///       else { search.provide_logits(join(r.frame)); }
///     }
///
/// The driver keeps encoder frames, the predictor's output and its state. The predictor runs once with the
/// blank and then only after an emission; a frame ends with a blank, or with its `max_symbols`-th token
/// without asking again. These are sherpa-onnx's semantics. A verb that was not asked for throws
/// std::logic_error.
class GreedySearch {
 public:
  /// @param[in] blank        id of the blank, the last of the vocabulary; at least 0, else
  /// std::invalid_argument.
  /// @param[in] max_symbols  tokens that one frame may emit; at least 1, else std::invalid_argument.
  explicit GreedySearch(int32_t blank, int max_symbols = 10);

  /// @param[in] num_frames  further encoder frames that exist now; at least 0, else std::invalid_argument.
  void accept_frames(int64_t num_frames);

  /// What the search needs now. Asking twice gives the same answer.
  Request next() const;

  void provide_prediction();

  /// @param[in] logits  (blank + 1,), else std::invalid_argument.
  void provide_logits(std::span<const float> logits);

  /// Emissions of the stream, whatever the logits say: a model with random weights then does the work of a
  /// trained one, joiner and predictor included. Every join that is not forced to a token is forced to the
  /// blank.
  /// @param[in] emissions  frames not decreasing, at most max_symbols in each, tokens in [0, blank);
  /// otherwise
  ///                       std::invalid_argument. nullopt lets the logits decide again.
  /// Must come before the first logits of a stream (std::logic_error); reset() keeps it.
  void set_forced(std::optional<std::vector<Emission>> emissions);

  /// Starts a new stream in the same memory.
  void reset() {
    state_.emissions.clear();
    state_ = GreedyState{.emissions = std::move(state_.emissions)};
  }

  /// Makes room for emissions of the current stream: up to so many, the search allocates nothing.
  void reserve(size_t num_emissions) { state_.emissions.reserve(num_emissions); }

  /// Makes room for all that so many further frames can emit: searching them then allocates nothing.
  /// @param[in] num_frames  at least 0.
  void make_room(int64_t num_frames) {
    whit::make_room(state_.emissions, size_t(num_frames) * size_t(max_symbols_));
  }

  const std::vector<Emission>& emissions() const { return state_.emissions; }

  /// Encoder frames that the driver may forget.
  int64_t num_frames_done() const { return state_.frame; }

 private:
  int32_t choose(std::span<const float> logits);

  int32_t blank_;
  int max_symbols_;
  std::optional<std::vector<Emission>> forced_;
  GreedyState state_;
};

}  // namespace whit
