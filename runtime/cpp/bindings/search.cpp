#include "whit/search.h"

#include <nanobind/stl/vector.h>

#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

void set_forced(whit::GreedySearch& search, const std::vector<int32_t>& tokens,
                const std::vector<int64_t>& frames) {
  if (tokens.size() != frames.size()) {
    throw std::invalid_argument("[GreedySearch] expected as many forced frames as tokens, " +
                                std::to_string(tokens.size()) + ", received " +
                                std::to_string(frames.size()));
  }
  std::vector<whit::Emission> emissions;
  for (size_t i = 0; i < tokens.size(); ++i) emissions.push_back({tokens[i], frames[i]});
  search.set_forced(std::move(emissions));
}

std::vector<int32_t> tokens(const whit::GreedySearch& search) {
  std::vector<int32_t> result;
  for (const whit::Emission& emission : search.emissions()) result.push_back(emission.token);
  return result;
}

std::vector<int64_t> frames(const whit::GreedySearch& search) {
  std::vector<int64_t> result;
  for (const whit::Emission& emission : search.emissions()) result.push_back(emission.frame);
  return result;
}

}  // namespace

void bind_search(nb::module_& m) {
  nb::enum_<whit::RequestKind>(m, "RequestKind", "What a search asks its driver for.")
      .value("PREDICT", whit::RequestKind::kPredict,
             "Run the predictor on `token`, then provide_prediction().")
      .value("JOIN", whit::RequestKind::kJoin,
             "Join encoder frame `frame` with the prediction, then provide_logits().")
      .value("IDLE", whit::RequestKind::kIdle, "All frames are searched.");

  nb::class_<whit::Request>(m, "Request", "One wish of a search.")
      .def_ro("kind", &whit::Request::kind)
      .def_ro("token", &whit::Request::token,
              "PREDICT: the last emitted token, or the blank at the start; else -1.")
      .def_ro("frame", &whit::Request::frame,
              "JOIN: the encoder frame, counted from the stream's start; else -1.");

  nb::class_<whit::GreedySearch>(
      m, "GreedySearch",
      "Greedy transducer search that asks for each predict and join and is fed the answer. "
      "A verb that was not asked for raises RuntimeError.")
      .def(nb::init<int32_t, int>(), "blank"_a, "max_symbols"_a = 10,
           "blank: its id, the last of the vocabulary. max_symbols: tokens one frame may emit, at least 1. "
           "Raises "
           "ValueError otherwise.")
      .def("accept_frames", &whit::GreedySearch::accept_frames, "num_frames"_a,
           "Says that so many further encoder frames exist.")
      .def("next", &whit::GreedySearch::next,
           "What the search needs now; asking twice gives the same answer.")
      .def("provide_prediction", &whit::GreedySearch::provide_prediction,
           "Says that the predictor ran on the token that was asked for.")
      .def(
          "provide_logits",
          [](whit::GreedySearch& self, const FloatVector& logits) {
            self.provide_logits({logits.data(), logits.size()});
          },
          nb::arg("logits").noconvert(),
          "Takes the joiner's output, float32 (blank + 1,). A greatest blank ends the frame; another token "
          "is emitted, "
          "and ends the frame only as its max_symbols-th.")
      .def("set_forced", &set_forced, "tokens"_a, "frames"_a,
           "Emits these tokens at these frames (not decreasing) and blanks elsewhere, whatever the logits "
           "say, so that "
           "a model of random weights does a trained one's work. Before the first logits; kept by reset().")
      .def(
          "clear_forced", [](whit::GreedySearch& self) { self.set_forced(std::nullopt); },
          "Lets the logits decide again.")
      .def_prop_ro("tokens", &tokens, "Emitted tokens, list[int].")
      .def_prop_ro("frames", &frames, "The encoder frame of each token, list[int].")
      .def_prop_ro("num_frames_done", &whit::GreedySearch::num_frames_done,
                   "Encoder frames the driver may forget.")
      .def("reset", &whit::GreedySearch::reset, "Starts a new stream.");
}
