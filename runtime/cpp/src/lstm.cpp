#include "whit/lstm.h"

#include <algorithm>

#include "kernels/row_functions.h"
#include "whit/matmul.h"

namespace whit {
namespace {

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
  const RowFunctions& functions = row_functions();

  matmul(layer.w, x, num_frames, wx, product);
  for (size_t t = 0; t < num_frames; ++t) {
    matmul(layer.r, FloatView(h), 1, rh, product);
    const float* wx_row = wx + t * layer.w.rows;
    functions.lstm_gates(wx_row, rh, layer.hidden_size, h, c, y + t * layer.hidden_size);
  }
}

}  // namespace whit
