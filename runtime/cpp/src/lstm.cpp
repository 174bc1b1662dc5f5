#include "whit/lstm.h"

#include <algorithm>
#include <cstring>

#include "packed_product.h"

namespace whit {
namespace {

// Two super-tiles are 16 units: what the gates of the widest instruction set take at once.
constexpr size_t kPairRows = 2 * kSuperTileRows;
constexpr size_t kPairUnits = kPairRows / 4;

// Where each part of the scratch starts.
struct Scratch {
  Scratch(const PackedLstm& layer, const LstmBatch& batch)
      : w_kernel(select_matmul_kernel(layer.w.layout, layer.w.bits)),
        r_kernel(select_matmul_kernel(layer.r.layout, layer.r.bits)),
        p_kernel(layer.p ? &select_matmul_kernel(layer.p->layout, layer.p->bits) : nullptr),
        wx(0),
        cell(uint64_t{batch.num_streams} * batch.num_frames * layer.w.rows * sizeof(float)),
        product(cell + (layer.p ? batch.num_streams * padded(layer.hidden_size) * sizeof(float) : 0)) {
    const size_t num_rows = batch.num_streams * batch.num_frames;
    bytes = product + std::max(PackedProduct::scratch_bytes(w_kernel, layer.w, num_rows),
                               PackedProduct::scratch_bytes(r_kernel, layer.r, batch.num_streams));
    if (layer.p) {
      bytes = std::max(bytes, product + PackedProduct::scratch_bytes(*p_kernel, *layer.p, batch.num_streams));
    }
  }

  const MatmulKernel& w_kernel;
  const MatmulKernel& r_kernel;
  const MatmulKernel* p_kernel;  // null without a projection
  uint64_t wx;                   // float (num_streams, num_frames, packed rows)
  uint64_t cell;                 // float (num_streams, hidden_size): what is projected
  uint64_t product;              // scratch of one product at a time
  uint64_t bytes;
};

// Makes h of what the gates gave, and y's frame t of h.
void project(const PackedProduct& p, const PackedLstm& layer, const LstmBatch& batch, const float* cell,
             size_t t, float* h, float* y, Workers* workers) {
  p.prepare(FloatView(cell));
  p.multiply_all(h, workers);
  const size_t size = layer.output_size();
  for (size_t stream = 0; stream < batch.num_streams; ++stream) {
    std::memcpy(y + (stream * batch.num_frames + t) * size, h + stream * size, size * sizeof(float));
  }
}

}  // namespace

uint64_t lstm_scratch_bytes(const PackedLstm& layer, const LstmBatch& batch) {
  return Scratch(layer, batch).bytes;
}

void lstm(const PackedLstm& layer, FloatView x, const LstmBatch& batch, float* h, float* c, float* y,
          std::byte* scratch, Workers* workers) {
  const Scratch at(layer, batch);
  float* wx = reinterpret_cast<float*>(scratch + at.wx);
  const size_t num_streams = batch.num_streams, num_frames = batch.num_frames;
  const size_t hidden_size = layer.hidden_size, num_rows = layer.r.rows;
  const RowFunctions& functions = row_functions();

  const PackedProduct w(at.w_kernel, layer.w, num_streams * num_frames, scratch + at.product);
  w.prepare(x);
  w.multiply_all(wx, workers);

  const PackedProduct r(at.r_kernel, layer.r, num_streams, scratch + at.product);
  std::optional<PackedProduct> p;
  if (layer.p) p.emplace(*at.p_kernel, *layer.p, num_streams, scratch + at.product);
  float* cell = p ? reinterpret_cast<float*>(scratch + at.cell) : h;
  for (size_t t = 0; t < num_frames; ++t) {
    r.prepare(FloatView(h));  // from here on, h may be overwritten
    // The gates of a pair follow its product while that is in the cache.
    const auto step = [&](size_t begin, size_t end) {
      for (size_t pair = begin; pair < end; ++pair) {
        const size_t first_unit = pair * kPairUnits;
        const size_t num_units = std::min(kPairUnits, hidden_size - first_unit);
        const size_t num_super_tiles = num_units > kPairUnits / 2 ? 2 : 1;
        for (size_t first = 0; first < num_streams; first += PackedProduct::kRowsAtOnce) {
          const size_t count = std::min(PackedProduct::kRowsAtOnce, num_streams - first);
          float rh[PackedProduct::kRowsAtOnce * kPairRows];  // (count, 64)
          for (size_t i = 0; i < num_super_tiles; ++i) {
            r.multiply(pair * 2 + i, first, count, rh + i * kSuperTileRows, kPairRows);
          }
          for (size_t i = 0; i < count; ++i) {
            const size_t stream = first + i, frame = stream * num_frames + t;
            const size_t unit = stream * hidden_size + first_unit;
            float unused[kPairUnits];  // y comes of the projection, where there is one
            functions.lstm_gates(wx + frame * num_rows + pair * kPairRows, rh + i * kPairRows, num_units,
                                 cell + unit, c + unit, p ? unused : y + frame * hidden_size + first_unit);
          }
        }
      }
    };
    const size_t num_pairs = (hidden_size + kPairUnits - 1) / kPairUnits;
    for_ranges(workers, num_pairs, (r.least_super_tiles() + 1) / 2, step);
    if (p) project(*p, layer, batch, cell, t, h, y, workers);
  }
}

}  // namespace whit
