#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "whit/model.h"
#include "whit/workspace.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

using Matrix = Out<float, 2>;
using Vector = Out<float, 1>;
using Tensor = Out<float, 3>;
using FloatTensor = In<float, 3>;
using whit::Graph;
using whit::Workspace;

// A model and the memory to run it; calls from several threads take turns.
class NativeModel {
 public:
  NativeModel(const std::string& path, bool self_test, size_t num_threads) {
    nb::gil_scoped_release release;
    auto loaded =
        whit::load<whit::TransducerModel>(path, {.self_test = self_test, .num_threads = num_threads});
    if (!loaded) throw whit::Failure(loaded.error());
    model_ = *loaded;
    workspace_ = std::make_unique<Workspace>(model_);
  }

  std::tuple<Matrix, std::vector<Matrix>> encode(const FloatMatrix& features,
                                                 const std::vector<FloatMatrix>& state) {
    const Graph& graph = model_->encode();
    check("encode", "features", features, graph.input(0));
    std::vector<float> next = gather("encode", 1, state);
    Buffer<float> encoded = buffer(graph.output(0), 1);
    encode(1, features.data(), next.data(), encoded.data());
    std::vector<Matrix> states;
    const float* part = next.data();
    for (size_t i = 1; i < graph.num_inputs(); ++i) {
      Buffer<float> values = buffer(graph.output(i), 1);
      std::copy_n(part, count(graph.output(i)), values.data());
      part += count(graph.output(i));
      states.push_back(matrix(values, graph.output(i)));
    }
    return {matrix(encoded, graph.output(0)), std::move(states)};
  }

  std::tuple<Tensor, std::vector<Tensor>> encode_batch(const FloatTensor& features,
                                                       const std::vector<FloatTensor>& state) {
    const Graph& graph = model_->encode();
    const size_t num_streams = features.shape(0), stream_floats = model_->encoder_state_floats();
    check("encode_batch", "features", features, num_streams, graph.input(0));
    std::vector<float> next = gather("encode_batch", num_streams, state);
    Buffer<float> encoded = buffer(graph.output(0), num_streams);
    encode(num_streams, features.data(), next.data(), encoded.data());
    std::vector<Tensor> states;
    size_t offset = 0;  // of a state among those of its stream
    for (size_t i = 1; i < graph.num_inputs(); ++i) {
      Buffer<float> values = buffer(graph.output(i), num_streams);
      const size_t size = count(graph.output(i));
      for (size_t stream = 0; stream < num_streams; ++stream) {
        std::copy_n(next.data() + stream * stream_floats + offset, size, values.data() + stream * size);
      }
      offset += size;
      states.push_back(tensor(values, num_streams, graph.output(i)));
    }
    return {tensor(encoded, num_streams, graph.output(0)), std::move(states)};
  }

  std::tuple<Vector, Matrix, Matrix> predict(int32_t token, const FloatMatrix& h, const FloatMatrix& c) {
    const Graph& graph = model_->predict();
    auto [h_next, c_next] = copy_state("predict", graph, 1, h, c);
    Buffer<float> predicted = buffer(graph.output(0), 1);
    predict(1, &token, h_next.data(), c_next.data(), predicted.data());
    return {predicted.release(graph.output(0).shape.dims[1]), matrix(h_next, graph.output(1)),
            matrix(c_next, graph.output(2))};
  }

  std::tuple<Matrix, Tensor, Tensor> predict_batch(const In<int32_t, 1>& tokens, const FloatTensor& h,
                                                   const FloatTensor& c) {
    const Graph& graph = model_->predict();
    const size_t num_streams = tokens.size();
    auto [h_next, c_next] = copy_state("predict_batch", graph, num_streams, h, c);
    Buffer<float> predicted = buffer(graph.output(0), num_streams);
    predict(num_streams, tokens.data(), h_next.data(), c_next.data(), predicted.data());
    return {predicted.release(num_streams, graph.output(0).shape.dims[1]),
            tensor(h_next, num_streams, graph.output(1)), tensor(c_next, num_streams, graph.output(2))};
  }

  Vector join(const FloatVector& encoded, const FloatVector& predicted) {
    const size_t width = size_t(model_->config().joint_hidden);
    if (encoded.size() != width || predicted.size() != width) {
      whit::fail("join", whit::text("a frame and a prediction of ", width, " values"),
                 whit::text(encoded.size(), " and ", predicted.size()));
    }
    Buffer<float> logits = buffer(model_->join().output(0), 1);
    join(1, encoded.data(), predicted.data(), logits.data());
    return logits.release(model_->join().output(0).shape.dims[1]);
  }

  Matrix join_batch(const FloatMatrix& encoded, const FloatMatrix& predicted) {
    const size_t num_streams = encoded.shape(0), width = size_t(model_->config().joint_hidden);
    check_shape("join_batch", "encoded", encoded, num_streams, width);
    check_shape("join_batch", "predicted", predicted, num_streams, width);
    Buffer<float> logits = buffer(model_->join().output(0), num_streams);
    join(num_streams, encoded.data(), predicted.data(), logits.data());
    return logits.release(num_streams, model_->join().output(0).shape.dims[1]);
  }

  const whit::TransducerModel& model() const { return *model_; }

 private:
  static size_t count(const Graph::Port& port) { return size_t(port.shape.count()); }
  static Buffer<float> buffer(const Graph::Port& port, size_t num_streams) {
    return Buffer<float>(num_streams * count(port));
  }
  static Matrix matrix(Buffer<float>& values, const Graph::Port& port) {
    return values.release(port.shape.dims[0], port.shape.dims[1]);
  }
  static Tensor tensor(Buffer<float>& values, size_t num_streams, const Graph::Port& port) {
    return values.release(num_streams, port.shape.dims[0], port.shape.dims[1]);
  }
  static void check(const char* place, const char* name, const FloatMatrix& a, const Graph::Port& port) {
    check_shape(place, name, a, size_t(port.shape.dims[0]), size_t(port.shape.dims[1]));
  }
  static void check(const char* place, const char* name, const FloatTensor& a, size_t num_streams,
                    const Graph::Port& port) {
    check_shape(place, name, a, num_streams, size_t(port.shape.dims[0]), size_t(port.shape.dims[1]));
  }
  static void check(const char* place, const char* name, const FloatMatrix& a, size_t,
                    const Graph::Port& port) {
    check(place, name, a, port);
  }
  // Returns the states of each stream, one behind the other.
  template <typename Array>
  std::vector<float> gather(const char* place, size_t num_streams, const std::vector<Array>& state) const {
    const std::vector<whit::StateShape>& shapes = model_->config().encoder_states;
    if (state.size() != shapes.size()) {
      whit::fail(place, whit::text(shapes.size(), " states"), whit::text(state.size()));
    }
    const size_t stream_floats = model_->encoder_state_floats();
    std::vector<float> values(num_streams * stream_floats);
    size_t offset = 0;  // of a state among those of its stream
    for (size_t i = 0; i < state.size(); ++i) {
      const Graph::Port& port = model_->encode().input(1 + i);
      check(place, shapes[i].name.c_str(), state[i], num_streams, port);
      for (size_t stream = 0; stream < num_streams; ++stream) {
        std::copy_n(state[i].data() + stream * count(port), count(port),
                    values.data() + stream * stream_floats + offset);
      }
      offset += count(port);
    }
    return values;
  }
  // The caller's state stays as it is: the engine works on a copy.
  template <typename Array>
  static std::tuple<Buffer<float>, Buffer<float>> copy_state(const char* place, const Graph& graph,
                                                             size_t num_streams, const Array& h,
                                                             const Array& c) {
    check(place, "h", h, num_streams, graph.input(1));
    check(place, "c", c, num_streams, graph.input(2));
    Buffer<float> h_next(h.size()), c_next(c.size());
    std::copy_n(h.data(), h.size(), h_next.data());
    std::copy_n(c.data(), c.size(), c_next.data());
    return {std::move(h_next), std::move(c_next)};
  }

  // Calls `run(workspace, first, count)` for groups of as many streams as a workspace holds.
  template <typename Run>
  void in_groups(size_t num_streams, const Run& run) {
    nb::gil_scoped_release release;
    const std::lock_guard lock(mutex_);
    if (num_streams > 1 && !batch_workspace_) {
      batch_workspace_ = std::make_unique<Workspace>(model_, Workspace::kMaxStreams);
    }
    Workspace& workspace = num_streams > 1 ? *batch_workspace_ : *workspace_;
    for (size_t first = 0; first < num_streams; first += workspace.max_streams()) {
      run(workspace, first, std::min(workspace.max_streams(), num_streams - first));
    }
  }

  void encode(size_t num_streams, const float* features, float* state, float* encoded) {
    const Graph& graph = model_->encode();
    const size_t stream_floats = model_->encoder_state_floats();
    in_groups(num_streams, [&](Workspace& workspace, size_t first, size_t group) {
      std::array<whit::EncodeCall, Workspace::kMaxStreams> calls;
      for (size_t i = 0; i < group; ++i) {
        const size_t stream = first + i;
        calls[i] = {features + stream * count(graph.input(0)), state + stream * stream_floats,
                    encoded + stream * count(graph.output(0))};
      }
      workspace.encode(std::span(calls).first(group));
    });
  }

  void predict(size_t num_streams, const int32_t* tokens, float* h, float* c, float* predicted) {
    const Graph& graph = model_->predict();
    in_groups(num_streams, [&](Workspace& workspace, size_t first, size_t group) {
      std::array<whit::PredictCall, Workspace::kMaxStreams> calls;
      for (size_t i = 0; i < group; ++i) {
        const size_t stream = first + i;
        calls[i] = {tokens[stream], h + stream * count(graph.input(1)), c + stream * count(graph.input(2)),
                    predicted + stream * count(graph.output(0))};
      }
      workspace.predict(std::span(calls).first(group));
    });
  }

  void join(size_t num_streams, const float* encoded, const float* predicted, float* logits) {
    const Graph& graph = model_->join();
    in_groups(num_streams, [&](Workspace& workspace, size_t first, size_t group) {
      std::array<whit::JoinCall, Workspace::kMaxStreams> calls;
      for (size_t i = 0; i < group; ++i) {
        const size_t stream = first + i;
        calls[i] = {encoded + stream * count(graph.input(0)), predicted + stream * count(graph.input(1))};
      }
      const float* result = workspace.join(std::span(calls).first(group));
      std::copy_n(result, group * count(graph.output(0)), logits + first * count(graph.output(0)));
    });
  }

  std::shared_ptr<const whit::TransducerModel> model_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Workspace> batch_workspace_;  // from the first batch on
  std::mutex mutex_;
};

}  // namespace

void bind_native(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  using EncodeOne = std::tuple<Matrix, std::vector<Matrix>> (NativeModel::*)(const FloatMatrix&,
                                                                             const std::vector<FloatMatrix>&);
  using PredictOne =
      std::tuple<Vector, Matrix, Matrix> (NativeModel::*)(int32_t, const FloatMatrix&, const FloatMatrix&);
  using JoinOne = Vector (NativeModel::*)(const FloatVector&, const FloatVector&);
  nb::class_<NativeModel>(
      m, "NativeModel",
      "A mapped model.tflite, run by our own engine; all state is explicit and float32.\n\n"
      "The calls named _batch run several streams together and read each weight once for "
      "up to eight of them; each stream's result is that of the single call.")
      .def(nb::init<const std::string&, bool, size_t>(), "path"_a, "self_test"_a = true, "num_threads"_a = 1,
           "Maps and checks a file and, with self_test, computes its golden vectors. With num_threads above "
           "1, others sleep until a call shares its work with them; results do not depend on it. Raises "
           "ValueError with one sentence for the first defect.")
      .def("encode", EncodeOne(&NativeModel::encode), strict("features"), strict("state"),
           "One chunk: features (chunk_frames, num_mels) and the states in the order of the signature give "
           "encoder "
           "frames (T', joint_hidden) and the next states. Raises ValueError for other shapes.")
      .def("encode_batch", &NativeModel::encode_batch, strict("features"), strict("state"),
           "One chunk of each of n streams: as encode, every array with a first axis of n.")
      .def("predict", PredictOne(&NativeModel::predict), "token"_a, strict("h"), strict("c"),
           "One token and the predictor's state give the prediction (joint_hidden,) and the next state. "
           "Raises ValueError for other shapes.")
      .def("predict_batch", &NativeModel::predict_batch, strict("tokens"), strict("h"), strict("c"),
           "One token of each of n streams: as predict, tokens int32 (n,), every array with a first axis of "
           "n.")
      .def("join", JoinOne(&NativeModel::join), strict("encoded"), strict("predicted"),
           "An encoder frame and a prediction, both (joint_hidden,), give logits (tokens + 1,).")
      .def("join_batch", &NativeModel::join_batch, strict("encoded"), strict("predicted"),
           "A frame and a prediction of each of n streams, both (n, joint_hidden), give logits (n, tokens + "
           "1).")
      .def_prop_ro(
          "config",
          [](const NativeModel& self) {
            return nb::bytes(self.model().file().config_text().data(),
                             self.model().file().config_text().size());
          },
          "The checkpoint's configuration, JSON in UTF-8.")
      .def_prop_ro(
          "weights_sha256",
          [](const NativeModel& self) { return std::string(self.model().file().weights_sha256()); },
          "The digest that the file states for its data section; not checked at load.")
      .def_prop_ro(
          "file_bytes", [](const NativeModel& self) { return self.model().file().file_bytes(); },
          "Size of the mapped file.")
      .def_prop_ro(
          "data_section_bytes",
          [](const NativeModel& self) { return self.model().file().data_section_bytes(); },
          "Size of the file from its first array to its end.")
      .def_prop_ro(
          "arena_bytes", [](const NativeModel& self) { return self.model().arena_bytes(); },
          "Working memory of any single call, allocated once; batches take eight times as much.");
}
