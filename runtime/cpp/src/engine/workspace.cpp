#include "whit/workspace.h"

#include <cstring>

namespace whit {

void Workspace::set_input(const Graph& graph, size_t i, const void* values) {
  const Graph::Port& port = graph.input(i);
  std::memcpy(arena_.data() + port.offset, values, port.num_bytes());
}

void Workspace::get_output(const Graph& graph, size_t i, float* values) const {
  const Graph::Port& port = graph.output(i);
  std::memcpy(values, arena_.data() + port.offset, port.num_bytes());
}

void Workspace::encode(const float* features, float* h, float* c, float* encoded) {
  const Graph& graph = model_->encode();
  set_input(graph, 0, features);
  set_input(graph, 1, h);
  set_input(graph, 2, c);
  graph.run(arena_.data());
  get_output(graph, 0, encoded);
  get_output(graph, 1, h);
  get_output(graph, 2, c);
}

void Workspace::predict(int32_t token, float* h, float* c, float* predicted) {
  const Graph& graph = model_->predict();
  set_input(graph, 0, &token);
  set_input(graph, 1, h);
  set_input(graph, 2, c);
  graph.run(arena_.data());
  get_output(graph, 0, predicted);
  get_output(graph, 1, h);
  get_output(graph, 2, c);
}

const float* Workspace::join(const float* encoded, const float* predicted) {
  const Graph& graph = model_->join();
  set_input(graph, 0, encoded);
  set_input(graph, 1, predicted);
  graph.run(arena_.data());
  return reinterpret_cast<const float*>(arena_.data() + graph.output(0).offset);
}

void Workspace::join(const float* encoded, const float* predicted, float* logits) {
  std::memcpy(logits, join(encoded, predicted), model_->join().output(0).num_bytes());
}

}  // namespace whit
