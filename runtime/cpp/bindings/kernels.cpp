#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "arrays.h"
#include "choose_kernel.h"
#include "whit/aligned_buffer.h"
#include "whit/elementwise.h"
#include "whit/embedding.h"
#include "whit/isa.h"
#include "whit/lstm.h"
#include "whit/matmul.h"
#include "whit/matmul_kernel.h"
#include "whit/packed_view.h"
#include "whit/quantize.h"
#include "whit/thread_pool.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;
using whit::FloatView;

namespace {

using Data = In<uint8_t, 1>;
using Codebook = std::optional<In<int8_t, 2>>;
using Bias = std::optional<FloatVector>;

whit::PackedMatrix view(const char* place, int64_t rows, int64_t cols, int64_t bits,
                        const std::string& layout, const Data& data, const Codebook& codebook,
                        const FloatVector& scale, const Bias& bias) {
  return whit::view_packed_matrix(place, {
                                             .rows = rows,
                                             .cols = cols,
                                             .bits = bits,
                                             .layout = layout,
                                             .data = data.data(),
                                             .data_bytes = data.size(),
                                             .codebook = codebook ? codebook->data() : nullptr,
                                             .codebook_tiles = codebook ? codebook->shape(0) : 0,
                                             .codebook_width = codebook ? codebook->shape(1) : 0,
                                             .scale = scale.data(),
                                             .scale_count = scale.size(),
                                             .bias = bias ? bias->data() : nullptr,
                                             .bias_count = bias ? bias->size() : 0,
                                         });
}

std::tuple<Out<int8_t, 2>, Out<float, 1>> quantize_rows(const FloatMatrix& a) {
  const size_t rows = a.shape(0), cols = a.shape(1);
  Buffer<int8_t> q(rows * cols);
  Buffer<float> scale(rows);
  {
    nb::gil_scoped_release release;
    for (size_t m = 0; m < rows; ++m) {
      scale.data()[m] = whit::quantize_row(FloatView(a.data() + m * cols), cols, q.data() + m * cols, cols);
    }
  }
  return {q.release(rows, cols), scale.release(rows)};
}

Out<float, 2> packed_matmul(const FloatMatrix& x, const Data& data, const Codebook& codebook,
                            const FloatVector& scale, const Bias& bias, int64_t rows, int64_t cols,
                            int64_t bits, const std::string& layout,
                            const std::optional<std::string>& kernel_name, whit::ThreadPool* threads) {
  const auto w = view("packed_matmul", rows, cols, bits, layout, data, codebook, scale, bias);
  const whit::MatmulKernel& kernel = choose_kernel("packed_matmul", w, kernel_name);
  const size_t num_lhs = x.shape(0);
  check_shape("packed_matmul", "x", x, num_lhs, w.cols);
  Buffer<float> y(num_lhs * w.rows);
  {
    nb::gil_scoped_release release;
    const whit::AlignedBuffer scratch(whit::matmul_scratch_bytes(kernel, w, num_lhs));
    whit::matmul(kernel, w, FloatView(x.data()), num_lhs, y.data(), scratch.data(), threads);
  }
  return y.release(num_lhs, w.rows);
}

using LstmOutputs = std::tuple<Out<float, 2>, Out<float, 2>, Out<float, 2>>;

LstmOutputs run_lstm(const char* place, const whit::PackedLstm& layer, const FloatMatrix& x,
                     const FloatMatrix& h, const FloatMatrix& c, whit::ThreadPool* threads) {
  const size_t num_streams = h.shape(0), num_rows = x.shape(0);
  if (num_streams == 0 || num_rows % num_streams) {
    whit::fail(place, "h of at least 1 stream, and x of as many frames for each",
               whit::text(num_streams, " streams and ", num_rows, " frames"));
  }
  check_shape(place, "x", x, num_rows, layer.w.cols);
  check_shape(place, "h", h, num_streams, layer.output_size());
  check_shape(place, "c", c, num_streams, layer.hidden_size);
  const whit::LstmBatch batch{.num_streams = num_streams, .num_frames = num_rows / num_streams};
  Buffer<float> y(num_rows * layer.output_size());
  Buffer<float> h_next(h.size());
  Buffer<float> c_next(c.size());
  {
    nb::gil_scoped_release release;
    std::copy_n(h.data(), h.size(), h_next.data());
    std::copy_n(c.data(), c.size(), c_next.data());
    const whit::AlignedBuffer scratch(whit::lstm_scratch_bytes(layer, batch));
    whit::lstm(layer, FloatView(x.data()), batch, h_next.data(), c_next.data(), y.data(), scratch.data(),
               threads);
  }
  return {y.release(num_rows, layer.output_size()), h_next.release(num_streams, layer.output_size()),
          c_next.release(num_streams, layer.hidden_size)};
}

LstmOutputs packed_lstm(const FloatMatrix& x, const FloatMatrix& h, const FloatMatrix& c, const Data& w_data,
                        const Codebook& w_codebook, const FloatVector& w_scale, const Data& r_data,
                        const Codebook& r_codebook, const FloatVector& r_scale, const FloatVector& bias,
                        int64_t input_size, int64_t hidden_size, int64_t w_bits, const std::string& w_layout,
                        int64_t r_bits, const std::string& r_layout, whit::ThreadPool* threads) {
  const int64_t packed_rows = whit::checked_lstm_packed_rows("packed_lstm", hidden_size);
  const whit::PackedLstm layer{
      .hidden_size = size_t(hidden_size),
      .w =
          view("packed_lstm W", packed_rows, input_size, w_bits, w_layout, w_data, w_codebook, w_scale, bias),
      .r = view("packed_lstm R", packed_rows, hidden_size, r_bits, r_layout, r_data, r_codebook, r_scale, {}),
  };
  return run_lstm("packed_lstm", layer, x, h, c, threads);
}

LstmOutputs packed_lstmp(const FloatMatrix& x, const FloatMatrix& h, const FloatMatrix& c, const Data& w_data,
                         const Codebook& w_codebook, const FloatVector& w_scale, const Data& r_data,
                         const Codebook& r_codebook, const FloatVector& r_scale, const Data& p_data,
                         const Codebook& p_codebook, const FloatVector& p_scale, const FloatVector& bias,
                         int64_t input_size, int64_t hidden_size, int64_t projection_size, int64_t w_bits,
                         const std::string& w_layout, int64_t r_bits, const std::string& r_layout,
                         int64_t p_bits, const std::string& p_layout, whit::ThreadPool* threads) {
  const int64_t rows = whit::checked_lstm_packed_rows("packed_lstmp", hidden_size);
  const whit::PackedLstm layer{
      .hidden_size = size_t(hidden_size),
      .w = view("packed_lstmp W", rows, input_size, w_bits, w_layout, w_data, w_codebook, w_scale, bias),
      .r = view("packed_lstmp R", rows, projection_size, r_bits, r_layout, r_data, r_codebook, r_scale, {}),
      .p = view("packed_lstmp P", projection_size, hidden_size, p_bits, p_layout, p_data, p_codebook, p_scale,
                {}),
  };
  return run_lstm("packed_lstmp", layer, x, h, c, threads);
}

Out<float, 2> packed_embedding(const In<int32_t, 1>& token, const Data& data, const Codebook& codebook,
                               const FloatVector& scale, int64_t rows, int64_t cols, int64_t bits,
                               const std::string& layout) {
  const auto table = view("packed_embedding", rows, cols, bits, layout, data, codebook, scale, {});
  if (table.layout != whit::Layout::kE) whit::fail("packed_embedding", "layout \"E\"", "\"P\"");
  const size_t num_tokens = token.size();
  Buffer<float> y(num_tokens * table.cols);
  {
    nb::gil_scoped_release release;
    whit::embedding(table, token.data(), num_tokens, y.data());
  }
  return y.release(num_tokens, table.cols);
}

Out<float, 2> affine(const FloatMatrix& x, const FloatVector& scale, const FloatVector& offset) {
  const size_t rows = x.shape(0), cols = x.shape(1);
  if (scale.size() != cols || offset.size() != cols) {
    whit::fail("affine", whit::text("scale and offset of ", cols, " values"),
               whit::text(scale.size(), " and ", offset.size()));
  }
  Buffer<float> y(rows * cols);
  {
    nb::gil_scoped_release release;
    whit::affine(FloatView(x.data()), FloatView(scale.data()), FloatView(offset.data()), rows, cols,
                 y.data());
  }
  return y.release(rows, cols);
}

Out<float, 2> add_relu(const FloatMatrix& a, const FloatMatrix& b) {
  const size_t rows = a.shape(0), cols = a.shape(1);
  check_shape("add_relu", "b", b, 1, cols);
  Buffer<float> y(rows * cols);
  {
    nb::gil_scoped_release release;
    whit::add_relu(FloatView(a.data()), FloatView(b.data()), rows, cols, y.data());
  }
  return y.release(rows, cols);
}

std::vector<std::string> matmul_kernel_names() {
  std::vector<std::string> names;
  for (const whit::MatmulKernel* kernel : whit::matmul_kernels()) names.emplace_back(kernel->name);
  return names;
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const whit::Isa isa : whit::available_isas()) names.emplace_back(whit::isa_name(isa));
  return names;
}

std::tuple<std::string, std::string> chosen_isa() {
  const whit::IsaChoice& choice = whit::chosen_isa();
  return {whit::isa_name(choice.isa), choice.reason};
}

std::vector<std::tuple<std::string, bool, std::optional<std::string>>> cpu_features() {
  std::vector<std::tuple<std::string, bool, std::optional<std::string>>> features;
  for (const whit::CpuFeature& feature : whit::cpu_features()) {
    std::optional<std::string> needed_by;
    if (feature.needed_by) needed_by = whit::isa_name(*feature.needed_by);
    features.emplace_back(feature.name, feature.found, needed_by);
  }
  return features;
}

std::map<std::string, std::string> selected_matmul_kernels() {
  std::map<std::string, std::string> names;
  for (int bits = 1; bits <= 8; ++bits) {
    names["E" + std::to_string(bits)] = whit::select_matmul_kernel(whit::Layout::kE, bits).name;
    if (bits > 3) continue;
    names["P" + std::to_string(bits)] = whit::select_matmul_kernel(whit::Layout::kP, bits).name;
  }
  return names;
}

}  // namespace

void bind_kernels(nb::module_& m) {
  const auto strict = [](const char* name) { return nb::arg(name).noconvert(); };
  const auto optional = [](const char* name) { return nb::arg(name).noconvert().none(); };

  nb::class_<whit::ThreadPool>(m, "ThreadPool",
                               "Threads that sleep until a call that is given them shares its work.")
      .def(
          "__init__",
          [](whit::ThreadPool* self, size_t num_threads) {
            if (num_threads < 1 || num_threads > whit::ThreadPool::kMaxThreads) {
              whit::fail("ThreadPool", whit::text("from 1 to ", whit::ThreadPool::kMaxThreads, " threads"),
                         whit::text(num_threads));
            }
            new (self) whit::ThreadPool(num_threads);
          },
          "num_threads"_a, "Starts num_threads - 1 threads: the caller's is the other one.")
      .def_prop_ro("num_threads", &whit::ThreadPool::num_threads);

  m.def("quantize_rows", quantize_rows, strict("a"),
        "Returns the rows of a (M, K) as int8 (M, K) and their scales (M,) (docs/format.md, section 1).");
  m.def("packed_matmul", packed_matmul, strict("x"), strict("data"), optional("codebook"), strict("scale"),
        optional("bias"), nb::kw_only(), "rows"_a, "cols"_a, "bits"_a, "layout"_a, "kernel"_a = nb::none(),
        "threads"_a = nb::none(),
        "Returns x W^T + bias (M, rows) for x (M, cols): operator PackedMatMul of docs/format.md, section "
        "3.\n\n"
        "`kernel` is one of matmul_kernel_names(), by default the best; all give the same bits, and so does "
        "any number of threads.\n"
        "Raises ValueError where sizes, shapes or codebook values contradict sections 1 and 2.");
  m.def("packed_lstm", packed_lstm, strict("x"), strict("h"), strict("c"), strict("w_data"),
        optional("w_codebook"), strict("w_scale"), strict("r_data"), optional("r_codebook"),
        strict("r_scale"), strict("bias"), nb::kw_only(), "input_size"_a, "hidden_size"_a, "w_bits"_a,
        "w_layout"_a, "r_bits"_a, "r_layout"_a, "threads"_a = nb::none(),
        "Returns y (n * T, H) and the next h and c (n, H) of n streams with T frames each, by default one: "
        "operator PackedLSTM of docs/format.md, section 3.\n\n"
        "x is (n * T, input_size), the frames of one stream behind each other. Neither streams nor threads "
        "change a result.\n"
        "Raises ValueError where sizes, shapes or codebook values contradict sections 1 and 2.");
  m.def("packed_lstmp", packed_lstmp, strict("x"), strict("h"), strict("c"), strict("w_data"),
        optional("w_codebook"), strict("w_scale"), strict("r_data"), optional("r_codebook"),
        strict("r_scale"), strict("p_data"), optional("p_codebook"), strict("p_scale"), strict("bias"),
        nb::kw_only(), "input_size"_a, "hidden_size"_a, "projection_size"_a, "w_bits"_a, "w_layout"_a,
        "r_bits"_a, "r_layout"_a, "p_bits"_a, "p_layout"_a, "threads"_a = nb::none(),
        "Returns y (n * T, P) and the next h (n, P) and c (n, H) as packed_lstm does, of a layer with a "
        "projection: operator PackedLSTMP of docs/format.md, section 3.\n\n"
        "Raises ValueError where sizes, shapes or codebook values contradict sections 1 and 2.");
  m.def("packed_embedding", packed_embedding, strict("token"), strict("data"), optional("codebook"),
        strict("scale"), nb::kw_only(), "rows"_a, "cols"_a, "bits"_a, "layout"_a,
        "Returns the decoded rows (M, cols) of the tokens (M,): operator PackedEmbedding of docs/format.md, "
        "section 3.");
  m.def("affine", affine, strict("x"), strict("scale"), strict("offset"),
        "Returns x * scale + offset (M, N): operator Affine of docs/format.md, section 3.");
  m.def("add_relu", add_relu, strict("a"), strict("b"),
        "Returns max(a + b, 0) (M, N) for b (1, N): operator AddRelu of docs/format.md, section 3.");
  m.def("matmul_kernel_names", matmul_kernel_names,
        "Returns the names of the kernels that this processor can run.");
  m.def("isa_names", isa_names,
        "Returns the instruction sets that this processor can run, the best last: the values of WHIT_ISA.");
  m.def("cpu_features", cpu_features,
        "Returns name, presence, and the instruction set that needs it (None where no kernel does), of what "
        "processors of this architecture may have; the least instruction set comes first.");
  m.def("chosen_isa", chosen_isa,
        "Returns the instruction set that kernels are chosen for, and why.\n\n"
        "Raises ValueError where the environment variable WHIT_ISA names none of isa_names().");
  m.def("selected_matmul_kernels", selected_matmul_kernels,
        "Returns the kernel's name by layout and width, such as \"E4\".\n\n"
        "Raises ValueError as chosen_isa().");
}
