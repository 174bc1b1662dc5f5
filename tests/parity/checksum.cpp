// Prints a checksum of the core's results for every layout and width, and of the functions: two machines, two
// compilers or two kernels must print the same lines. Weights start at an odd address. Every kernel is
// compared with the plain one, and named in a line that begins with '#'.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/depthwise_conv.h"
#include "whit/elementwise.h"
#include "whit/embedding.h"
#include "whit/exp.h"
#include "whit/isa.h"
#include "whit/layer_norm.h"
#include "whit/log.h"
#include "whit/lstm.h"
#include "whit/matmul.h"
#include "whit/matmul_kernel.h"
#include "whit/packed_view.h"
#include "whit/relative_attention.h"
#include "whit/sigmoid.h"
#include "whit/tanh.h"
#include "whit/unfold.h"

/// In checksum_int_sequence.cpp.
uint64_t checksum_int_sequence();
/// In checksum_int_conv.cpp.
uint64_t checksum_int_conv();

namespace {

constexpr size_t kHidden = 37;
constexpr size_t kOutput = 21;  // of a projected layer
constexpr size_t kInput = 70;
constexpr size_t kFrames = 9;

uint32_t random_bits() {
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

float random_float() { return float(random_bits()) / 8388608.0f - 1.0f; }  // [-1, 1)

struct Checksum {
  uint64_t value = 1469598103934665603u;  // FNV-1a

  void add(const std::vector<float>& values) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (size_t i = 0; i < values.size() * sizeof(float); ++i) value = (value ^ bytes[i]) * 1099511628211u;
  }
};

struct Matrix {
  Matrix(size_t rows, size_t cols, int bits, bool planes)
      : data(whit::padded(rows) / 8 * whit::padded(cols) * size_t(bits) + 1), scale(whit::padded(rows)) {
    const size_t width = whit::codebook_width(planes ? whit::Layout::kP : whit::Layout::kE, bits);
    const size_t tiles = whit::padded(rows) / whit::kTileRows;
    codebook.resize(tiles * width);
    for (uint8_t& byte : data) byte = uint8_t(random_bits());
    for (float& value : scale) value = 0.01f + 0.005f * random_float();
    for (size_t i = 0; i < codebook.size(); ++i) {
      const size_t entry = i % width;
      if (planes) {
        codebook[i] = int8_t(random_bits() % 30) - 15;
      } else if (entry < size_t{1} << bits) {
        codebook[i] = int8_t(random_bits() % 128) - 64;
      } else {
        codebook[i] = codebook[i - (size_t{1} << bits)];
      }
    }
    view = whit::view_packed_matrix("checksum", {
                                                    .rows = int64_t(rows),
                                                    .cols = int64_t(cols),
                                                    .bits = bits,
                                                    .layout = planes ? "P" : "E",
                                                    .data = data.data() + 1,
                                                    .data_bytes = data.size() - 1,
                                                    .codebook = width ? codebook.data() : nullptr,
                                                    .codebook_tiles = tiles,
                                                    .codebook_width = width,
                                                    .scale = scale.data(),
                                                    .scale_count = scale.size(),
                                                });
  }

  std::vector<uint8_t> data;
  std::vector<int8_t> codebook;
  std::vector<float> scale;
  whit::PackedMatrix view;
};

Checksum run_lstm(int bits, bool planes) {
  const size_t rows = whit::lstm_packed_rows(kHidden);
  const Matrix w(rows, kInput, bits, planes);
  const Matrix r(rows, kHidden, bits, planes);
  whit::PackedLstm layer{.hidden_size = kHidden, .w = w.view, .r = r.view};
  layer.w.bias = layer.w.scale;
  std::vector<float> x(kFrames * kInput), h(kHidden), c(kHidden), y(kFrames * kHidden);
  for (float& value : x) value = 3 * random_float();
  const whit::AlignedBuffer scratch(whit::lstm_scratch_bytes(layer, kFrames));
  whit::lstm(layer, whit::FloatView(x.data()), kFrames, h.data(), c.data(), y.data(), scratch.data());
  Checksum sum;
  sum.add(y);
  sum.add(c);

  const Matrix fed_back(rows, kOutput, bits, planes);
  const Matrix projection(kOutput, kHidden, bits, planes);
  const whit::PackedLstm projected{
      .hidden_size = kHidden, .w = layer.w, .r = fed_back.view, .p = projection.view};
  std::vector<float> output(kOutput), outputs(kFrames * kOutput);
  const whit::AlignedBuffer memory(whit::lstm_scratch_bytes(projected, kFrames));
  whit::lstm(projected, whit::FloatView(x.data()), kFrames, output.data(), c.data(), outputs.data(),
             memory.data());
  sum.add(outputs);
  sum.add(c);
  if (!planes) {
    const int32_t tokens[] = {0, 5, -1};
    std::vector<float> rows_of_w(3 * kInput);
    whit::embedding(w.view, tokens, 3, rows_of_w.data());
    sum.add(rows_of_w);
  }
  return sum;
}

// Rows of every awkward kind, as many as no kernel takes at once.
std::vector<float> awkward_rows(size_t num_rows, size_t cols) {
  std::vector<float> x(num_rows * cols);
  for (size_t m = 0; m < num_rows; ++m) {
    for (size_t k = 0; k < cols; ++k) {
      float value = random_float();
      if (m == 1) value = k % 2 ? 1.0f : -1.0f;     // groups of four decide the scale
      if (m == 2) value = k % 4 ? 0.0f : value;     // one of four decides it
      if (m == 3 && k == 5) value = 1e6f;           // one outlier
      if (m == 4) value = 0.0f;                     //
      if (m == 5) value *= 1e-38f;                  // near the smallest scale
      if (m == 6 && k + 1 == cols) value = NAN;     //
      if (m == 7) value = k % 4 < 2 ? 1.0f : 0.0f;  // only positive
      x[m * cols + k] = value;
    }
  }
  return x;
}

// Runs every kernel on 1 to 9 rows; false where a bit differs from the plain kernel's.
bool compare_kernels(int bits, bool planes) {
  constexpr size_t kRows = 41, kCols = 1091, kMostRows = 9;
  const Matrix w(kRows, kCols, bits, planes);
  const std::vector<float> x = awkward_rows(kMostRows, kCols);
  const auto multiply = [&](const whit::MatmulKernel& kernel, size_t num_rows) {
    const whit::AlignedBuffer scratch(whit::matmul_scratch_bytes(kernel, w.view, num_rows));
    std::vector<float> y(num_rows * kRows);
    whit::matmul(kernel, w.view, whit::FloatView(x.data()), num_rows, y.data(), scratch.data());
    return y;
  };
  const whit::MatmulKernel* plain = nullptr;
  for (const whit::MatmulKernel* kernel : whit::matmul_kernels()) {
    if (!kernel->serves(w.view.layout, bits)) continue;
    if (plain == nullptr) plain = kernel;
    for (const size_t num_rows : {1, 2, 3, 4, 5, 8, 9}) {
      const std::vector<float> y = multiply(*kernel, num_rows), expected = multiply(*plain, num_rows);
      for (size_t i = 0; i < y.size(); ++i) {
        if (y[i] == expected[i] || (std::isnan(y[i]) && std::isnan(expected[i]))) continue;
        std::fprintf(stderr, "%s, %d bits, %zu rows: differs at %zu\n", kernel->name, bits, num_rows, i);
        return false;
      }
    }
    std::printf("# %s\n", kernel->name);
  }
  return true;
}

Checksum run_functions() {
  std::vector<float> values;
  for (int i = 0; i < 20000; ++i) {
    const float x = 90 * random_float();
    for (const float y :
         {whit::exp(x), whit::tanh(x / 20), whit::sigmoid(x), whit::log(std::fabs(x) + 1e-6f)}) {
      values.push_back(y);
    }
  }
  Checksum sum;
  sum.add(values);
  return sum;
}

std::vector<float> random_floats(size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = 2 * random_float();
  return values;
}

// The operators on float rows, of widths that are no whole vectors.
Checksum run_sequence() {
  Checksum sum;
  for (const size_t width : {1, 15, 16, 33, 100}) {
    const std::vector<float> x = random_floats(6 * width), gain = random_floats(width),
                             bias = random_floats(width);
    std::vector<float> y(3 * width), wide(6 * width), cache_next(2 * width);
    whit::layer_norm(whit::FloatView(x.data()), whit::FloatView(gain.data()), whit::FloatView(bias.data()),
                     1e-5f, 6, width, wide.data());
    sum.add(wide);
    whit::swish(whit::FloatView(x.data()), x.size(), wide.data());
    sum.add(wide);
    whit::glu(whit::FloatView(x.data()), 3, width, y.data());
    sum.add(y);
    const whit::DepthwiseConvShape conv{.num_frames = 3, .kernel_size = 3, .channels = width};
    const whit::AlignedBuffer conv_scratch(whit::depthwise_conv_scratch_bytes(conv));
    whit::depthwise_conv(conv, whit::FloatView(x.data()), whit::FloatView(x.data() + 3 * width),
                         whit::FloatView(wide.data()), whit::FloatView(bias.data()), y.data(),
                         cache_next.data(), conv_scratch.data());
    sum.add(y);
    sum.add(cache_next);

    const auto attention =
        whit::checked_attention_shape("checksum", 3, 20, int64_t(3 * width), int64_t(6 * width + 1), 25, 3);
    const std::vector<float> qkv = random_floats(3 * 3 * 3 * width),
                             positions = random_floats(25 * 3 * width);
    std::vector<float> cache = random_floats(20 * attention.cache_width()), next(cache.size());
    for (size_t row = 0; row < 7; ++row) cache[(row + 1) * attention.cache_width() - 1] = 0;
    const whit::AlignedBuffer scratch(whit::relative_attention_scratch_bytes(attention));
    std::vector<float> context(3 * 3 * width);
    whit::relative_attention(attention,
                             {.q = whit::FloatView(qkv.data()),
                              .k = whit::FloatView(qkv.data() + 9 * width),
                              .v = whit::FloatView(qkv.data() + 18 * width),
                              .cache = whit::FloatView(cache.data()),
                              .positions = whit::FloatView(positions.data()),
                              .content_bias = whit::FloatView(x.data()),
                              .position_bias = whit::FloatView(x.data() + 3 * width)},
                             context.data(), next.data(), scratch.data());
    sum.add(context);
    sum.add(next);

    const auto unfold = whit::checked_unfold_shape("checksum", 4, int64_t(width), 1);
    std::vector<float> patches(unfold.num_patches() * unfold.patch_size());
    whit::unfold2d(unfold, whit::FloatView(x.data()), whit::FloatView(x.data() + 4 * width), patches.data(),
                   cache_next.data());
    sum.add(patches);
  }
  return sum;
}

}  // namespace

int main() {
  std::printf("# isa %s\n", whit::isa_name(whit::chosen_isa().isa));
  for (const bool planes : {false, true}) {
    for (int bits = 1; bits <= (planes ? 3 : 8); ++bits) {
      const auto value = static_cast<unsigned long long>(run_lstm(bits, planes).value);
      std::printf("%c%d %016llx\n", planes ? 'P' : 'E', bits, value);
    }
  }
  for (const bool planes : {false, true}) {
    for (int bits = 1; bits <= (planes ? 3 : 8); ++bits) {
      if (!compare_kernels(bits, planes)) return 1;
    }
  }
  std::printf("functions %016llx\n", static_cast<unsigned long long>(run_functions().value));
  std::printf("sequence %016llx\n", static_cast<unsigned long long>(run_sequence().value));
  std::printf("integers %016llx\n", static_cast<unsigned long long>(checksum_int_sequence()));
  std::printf("convolutions %016llx\n", static_cast<unsigned long long>(checksum_int_conv()));
}
