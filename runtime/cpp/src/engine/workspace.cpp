#include "whit/workspace.h"

#include <cstring>

namespace whit {

void Workspace::set_input(const Graph::Port& port, size_t num_streams, size_t stream, const void* values) {
  std::byte* first = Graph::place(port, arena_.data(), num_streams);
  std::memcpy(first + stream * port.num_bytes(), values, port.num_bytes());
}

void Workspace::get_output(const Graph::Port& port, size_t num_streams, size_t stream, float* values) const {
  const std::byte* first = Graph::place(port, arena_.data(), num_streams);
  std::memcpy(values, first + stream * port.num_bytes(), port.num_bytes());
}

void Workspace::run(const Graph& graph, size_t num_streams) {
  graph.run(arena_.data(), num_streams, model_->file().workers());
}

void Workspace::encode(std::span<const EncodeCall> calls) {
  const Graph& graph = model_->encode();
  for (size_t i = 0; i < calls.size(); ++i) {
    set_input(graph.input(0), calls.size(), i, calls[i].features);
    const float* state = calls[i].state;
    for (size_t port = 1; port < graph.num_inputs(); ++port) {
      set_input(graph.input(port), calls.size(), i, state);
      state += graph.input(port).shape.count();
    }
  }
  run(graph, calls.size());
  for (size_t i = 0; i < calls.size(); ++i) {
    get_output(graph.output(0), calls.size(), i, calls[i].encoded);
    float* state = calls[i].state;
    for (size_t port = 1; port < graph.num_inputs(); ++port) {
      get_output(graph.output(port), calls.size(), i, state);
      state += graph.output(port).shape.count();
    }
  }
}

void Workspace::predict(std::span<const PredictCall> calls) {
  const Graph& graph = model_->predict();
  for (size_t i = 0; i < calls.size(); ++i) {
    set_input(graph.input(0), calls.size(), i, &calls[i].token);
    set_input(graph.input(1), calls.size(), i, calls[i].h);
    set_input(graph.input(2), calls.size(), i, calls[i].c);
  }
  run(graph, calls.size());
  for (size_t i = 0; i < calls.size(); ++i) {
    get_output(graph.output(0), calls.size(), i, calls[i].predicted);
    get_output(graph.output(1), calls.size(), i, calls[i].h);
    get_output(graph.output(2), calls.size(), i, calls[i].c);
  }
}

const float* Workspace::join(std::span<const JoinCall> calls) {
  const Graph& graph = model_->join();
  for (size_t i = 0; i < calls.size(); ++i) {
    set_input(graph.input(0), calls.size(), i, calls[i].encoded);
    set_input(graph.input(1), calls.size(), i, calls[i].predicted);
  }
  run(graph, calls.size());
  return reinterpret_cast<const float*>(Graph::place(graph.output(0), arena_.data(), calls.size()));
}

}  // namespace whit
