#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "whit/workspace.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

using Matrix = Out<float, 2>;
using Vector = Out<float, 1>;

// A model and one workspace; calls from several threads take turns.
class NativeModel {
 public:
  NativeModel(const std::string& path, bool self_test) {
    nb::gil_scoped_release release;
    auto loaded = whit::Model::load(path, {.self_test = self_test});
    if (!loaded) throw whit::Failure(loaded.error());
    workspace_ = std::make_unique<whit::Workspace>(*loaded);
  }

  std::tuple<Matrix, Matrix, Matrix> encode(const FloatMatrix& features, const FloatMatrix& h,
                                            const FloatMatrix& c) {
    const whit::Graph& graph = model().encode();
    check("encode", "features", features, graph.input(0));
    auto [h_next, c_next] = copy_state("encode", graph, h, c);
    Buffer<float> encoded = buffer(graph.output(0));
    {
      nb::gil_scoped_release release;
      const std::lock_guard lock(mutex_);
      workspace_->encode(features.data(), h_next.data(), c_next.data(), encoded.data());
    }
    return {matrix(encoded, graph.output(0)), matrix(h_next, graph.output(1)),
            matrix(c_next, graph.output(2))};
  }

  std::tuple<Vector, Matrix, Matrix> predict(int32_t token, const FloatMatrix& h, const FloatMatrix& c) {
    const whit::Graph& graph = model().predict();
    auto [h_next, c_next] = copy_state("predict", graph, h, c);
    Buffer<float> predicted = buffer(graph.output(0));
    {
      nb::gil_scoped_release release;
      const std::lock_guard lock(mutex_);
      workspace_->predict(token, h_next.data(), c_next.data(), predicted.data());
    }
    return {predicted.release(graph.output(0).shape.dims[1]), matrix(h_next, graph.output(1)),
            matrix(c_next, graph.output(2))};
  }

  Vector join(const FloatVector& encoded, const FloatVector& predicted) {
    const size_t width = size_t(model().config().joint_hidden);
    if (encoded.size() != width || predicted.size() != width) {
      whit::fail("join", whit::text("a frame and a prediction of ", width, " values"),
                 whit::text(encoded.size(), " and ", predicted.size()));
    }
    Buffer<float> logits = buffer(model().join().output(0));
    {
      nb::gil_scoped_release release;
      const std::lock_guard lock(mutex_);
      workspace_->join(encoded.data(), predicted.data(), logits.data());
    }
    return logits.release(model().join().output(0).shape.dims[1]);
  }

  const whit::Model& model() const { return workspace_->model(); }

 private:
  static size_t count(const whit::Graph::Port& port) { return size_t(port.shape.count()); }
  static Buffer<float> buffer(const whit::Graph::Port& port) { return Buffer<float>(count(port)); }
  static Matrix matrix(Buffer<float>& values, const whit::Graph::Port& port) {
    return values.release(port.shape.dims[0], port.shape.dims[1]);
  }
  static void check(const char* place, const char* name, const FloatMatrix& a,
                    const whit::Graph::Port& port) {
    check_shape(place, name, a, size_t(port.shape.dims[0]), size_t(port.shape.dims[1]));
  }
  // The caller's state stays as it is: the engine works on a copy.
  static std::tuple<Buffer<float>, Buffer<float>> copy_state(const char* place, const whit::Graph& graph,
                                                             const FloatMatrix& h, const FloatMatrix& c) {
    check(place, "h", h, graph.input(1));
    check(place, "c", c, graph.input(2));
    Buffer<float> h_next(h.size()), c_next(c.size());
    std::copy_n(h.data(), h.size(), h_next.data());
    std::copy_n(c.data(), c.size(), c_next.data());
    return {std::move(h_next), std::move(c_next)};
  }

  std::unique_ptr<whit::Workspace> workspace_;
  std::mutex mutex_;
};

}  // namespace

void bind_native(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  nb::class_<NativeModel>(m, "NativeModel",
                          "A mapped model.tflite, run by our own engine; all state is explicit and float32.")
      .def(nb::init<const std::string&, bool>(), "path"_a, "self_test"_a = true,
           "Maps and checks a file and, with self_test, computes its golden vectors. Raises ValueError with "
           "one "
           "sentence for the first defect.")
      .def("encode", &NativeModel::encode, strict("features"), strict("h"), strict("c"),
           "One chunk: features (chunk_frames, num_mels), h and c (layers, hidden) give encoder frames "
           "(T', joint_hidden) and the next h and c. Raises ValueError for other shapes.")
      .def("predict", &NativeModel::predict, "token"_a, strict("h"), strict("c"),
           "One token and the predictor's state give the prediction (joint_hidden,) and the next state. "
           "Raises "
           "ValueError for other shapes.")
      .def("join", &NativeModel::join, strict("encoded"), strict("predicted"),
           "An encoder frame and a prediction, both (joint_hidden,), give logits (tokens + 1,).")
      .def_prop_ro(
          "config",
          [](const NativeModel& self) {
            return nb::bytes(self.model().config_text().data(), self.model().config_text().size());
          },
          "The checkpoint's configuration, JSON in UTF-8.")
      .def_prop_ro(
          "weights_sha256",
          [](const NativeModel& self) { return std::string(self.model().weights_sha256()); },
          "The digest that the file states for its data section; not checked at load.")
      .def_prop_ro(
          "file_bytes", [](const NativeModel& self) { return self.model().file_bytes(); },
          "Size of the mapped file.")
      .def_prop_ro(
          "data_section_bytes", [](const NativeModel& self) { return self.model().data_section_bytes(); },
          "Size of the file from its first array to its end.")
      .def_prop_ro(
          "arena_bytes", [](const NativeModel& self) { return self.model().arena_bytes(); },
          "Working memory of any call, allocated once.");
}
