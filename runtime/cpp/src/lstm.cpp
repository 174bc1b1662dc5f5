#include "whit/lstm.h"

#include <algorithm>
#include <cstring>

#include "whit/matmul.h"
#include "whit/sigmoid.h"
#include "whit/tanh.h"

namespace whit {
namespace {

constexpr size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where each part of the scratch starts.
struct Scratch {
  Scratch(const PackedLstm& layer, size_t num_frames)
      : wx(0),
        rh(num_frames * layer.w.rows * sizeof(float)),
        product(rh + layer.r.rows * sizeof(float)),
        bytes(product +
              std::max(matmul_scratch_bytes(layer.w, num_frames), matmul_scratch_bytes(layer.r, 1))) {}

  size_t wx;       // float (num_frames, packed rows)
  size_t rh;       // float (packed rows,)
  size_t product;  // scratch of either product
  size_t bytes;
};

// One tile: units 4t to 4t+3, pre-activations in order (i, f, g, o) x 4 units.
void step_tile(const float* wx, const float* rh, size_t num_units, float* h, float* c) {
  float pre[16];  // (gate, unit)
  for (size_t r = 0; r < 16; ++r) pre[r] = wx[r] + rh[r];
  for (size_t unit = 0; unit < num_units; ++unit) {
    const float i = sigmoid(pre[unit]);
    const float f = sigmoid(pre[4 + unit]);
    const float g = tanh(pre[8 + unit]);
    const float o = sigmoid(pre[12 + unit]);
    c[unit] = f * c[unit] + i * g;
    h[unit] = o * tanh(c[unit]);
  }
}

}  // namespace

size_t lstm_scratch_bytes(const PackedLstm& layer, size_t num_frames) {
  return Scratch(layer, num_frames).bytes;
}

void lstm(const PackedLstm& layer, FloatView x, size_t num_frames, float* h, float* c, float* y,
          std::byte* scratch) {
  const Scratch at(layer, num_frames);
  float* wx = reinterpret_cast<float*>(scratch + at.wx);
  float* rh = reinterpret_cast<float*>(scratch + at.rh);
  std::byte* product = scratch + at.product;

  matmul(layer.w, x, num_frames, wx, product);
  for (size_t t = 0; t < num_frames; ++t) {
    matmul(layer.r, FloatView(h), 1, rh, product);
    const float* pre = wx + t * layer.w.rows;
    for (size_t unit = 0; unit < layer.hidden_size; unit += 4) {
      const size_t num_units = std::min<size_t>(4, layer.hidden_size - unit);
      step_tile(pre + unit * 4, rh + unit * 4, num_units, h + unit, c + unit);
    }
    std::memcpy(y + t * layer.hidden_size, h, layer.hidden_size * sizeof(float));
  }
}

}  // namespace whit
