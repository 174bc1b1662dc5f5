#include "whit/graph.h"

#include <algorithm>
#include <string>

#include "engine/ops/ops.h"
#include "whit/arena_plan.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr int kNever = -2;
constexpr int kBefore = -1;  // the step before the first operator, when inputs are filled

// Finds the tensors of a signature's ports by name, in the given order.
std::vector<size_t> find_ports(std::string_view place, const std::vector<NamedTensor>& ports,
                               const std::vector<int32_t>& tensors, const std::vector<std::string>& names) {
  if (ports.size() != names.size() || tensors.size() != names.size()) {
    fail(place, text(names.size(), " tensors"),
         text(ports.size(), " in the signature, ", tensors.size(), " in the subgraph"));
  }
  std::vector<size_t> found;
  for (const std::string_view name : names) {
    const auto port = std::ranges::find(ports, name, &NamedTensor::name);
    if (port == ports.end()) fail(place, text("the tensor ", name), "none");
    if (std::ranges::find(tensors, port->tensor) == tensors.end()) {
      fail(place, text(name, " among the subgraph's own tensors"), "another");
    }
    found.push_back(size_t(port->tensor));
  }
  return found;
}

// When each tensor of a subgraph is first written and last read, by operator.
class Usage {
 public:
  Usage(const TfliteSubgraph& subgraph, std::string_view key, const std::vector<size_t>& inputs)
      : subgraph_(subgraph), key_(key), first_(subgraph.tensors.size(), kNever), last_(first_) {
    for (const size_t input : inputs) write(input, kBefore, text(key_, " inputs"));
  }

  void write(size_t tensor, int step, std::string_view place) {
    if (subgraph_.tensors[tensor].constant) fail(place, "outputs that are no constants", name(tensor));
    if (first_[tensor] != kNever) fail(place, "each tensor written once", name(tensor));
    first_[tensor] = last_[tensor] = step;
  }
  void read(size_t tensor, int step, std::string_view place) {
    if (subgraph_.tensors[tensor].constant) return;
    if (first_[tensor] == kNever) fail(place, "inputs that were computed before", name(tensor));
    last_[tensor] = step;
  }
  void read_output(size_t tensor, int step) {
    const std::string place = text(key_, " outputs");
    if (subgraph_.tensors[tensor].constant) fail(place, "computed tensors", name(tensor));
    read(tensor, step, place);
  }
  Lifetime lifetime(size_t tensor) const {
    if (first_[tensor] == kNever) return {.num_bytes = 0, .first = 0, .last = 0};
    return {
        .num_bytes = subgraph_.tensors[tensor].num_bytes(), .first = first_[tensor], .last = last_[tensor]};
  }

 private:
  std::string name(size_t tensor) const {
    return text("tensor ", tensor, " ", subgraph_.tensors[tensor].name);
  }

  const TfliteSubgraph& subgraph_;
  std::string_view key_;
  std::vector<int> first_;
  std::vector<int> last_;
};

}  // namespace

Graph::Graph(const TfliteFile& file, std::string_view key, const std::vector<std::string>& inputs,
             const std::vector<std::string>& outputs, const GraphLimits& limits) {
  const TfliteSignature& signature = file.signature(key);
  const TfliteSubgraph& subgraph = file.subgraphs[signature.subgraph];
  const auto input_tensors = find_ports(text(key, " inputs"), signature.inputs, subgraph.inputs, inputs);
  const auto output_tensors = find_ports(text(key, " outputs"), signature.outputs, subgraph.outputs, outputs);

  Usage usage(subgraph, key, input_tensors);
  std::vector<Lifetime> scratch;
  size_t copied = 0;
  for (size_t i = 0; i < subgraph.operators.size(); ++i) {
    const TfliteOperator& op = subgraph.operators[i];
    const OpKind& kind = find_op(op, text(key, "/operator ", i));
    const Node node(subgraph, op, text(key, "/", kind.name, " ", i), copied);
    steps_.push_back({.op = kind.make(node), .scratch_offset = 0});
    for (const int32_t tensor : op.inputs) {
      if (tensor >= 0) usage.read(size_t(tensor), int(i), node.place());
    }
    for (const int32_t tensor : op.outputs) usage.write(size_t(tensor), int(i), node.place());
    scratch.push_back({.num_bytes = steps_.back().op->scratch_bytes(), .first = int(i), .last = int(i)});
    work_ += std::min(steps_.back().op->work(), limits.work + 1);
    // Here and not at the end: checking an operator costs less than running it, so this bounds loading, too.
    if (work_ > limits.work) fail(key, text("at most ", limits.work, " multiply-adds"), "more");
  }
  for (const size_t tensor : output_tensors) usage.read_output(tensor, int(subgraph.operators.size()));

  std::vector<Lifetime> blocks;
  for (size_t tensor = 0; tensor < subgraph.tensors.size(); ++tensor)
    blocks.push_back(usage.lifetime(tensor));
  blocks.insert(blocks.end(), scratch.begin(), scratch.end());
  const ArenaPlan plan = plan_arena(blocks);
  if (plan.num_bytes > limits.arena_bytes) {
    fail(key, text("at most ", limits.arena_bytes, " bytes of working memory"), text(plan.num_bytes));
  }
  arena_bytes_ = size_t(plan.num_bytes);  // from here on, all sizes and offsets are below the limit
  const size_t num_tensors = subgraph.tensors.size();
  for (size_t tensor = 0; tensor < num_tensors; ++tensor) {
    const auto& constant = subgraph.tensors[tensor].constant;
    places_.push_back({.constant = constant ? constant->data() : nullptr,
                       .offset = size_t(plan.offsets[tensor]),
                       .num_bytes = size_t(subgraph.tensors[tensor].num_bytes())});
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].scratch_offset = size_t(plan.offsets[num_tensors + i]);
  }
  const auto port = [&](size_t tensor) {
    return Port{.type = subgraph.tensors[tensor].type,
                .shape = subgraph.tensors[tensor].shape,
                .offset = size_t(plan.offsets[tensor])};
  };
  for (const size_t tensor : input_tensors) inputs_.push_back(port(tensor));
  for (const size_t tensor : output_tensors) outputs_.push_back(port(tensor));
}

void check_port(std::string_view place, const Graph::Port& port, TensorType type, const Shape& expected) {
  if (port.type == type && port.shape == expected) return;
  fail(place, text(type_name(type), " ", expected.text()),
       text(type_name(port.type), " ", port.shape.text()));
}

void Graph::run(std::byte* arena, size_t num_streams, Workers* workers) const {
  const TensorMemory memory(places_.data(), arena, num_streams);
  const CloseRuns close_runs(workers);
  for (const Step& step : steps_) step.op->run(memory, arena + num_streams * step.scratch_offset, workers);
}

}  // namespace whit
