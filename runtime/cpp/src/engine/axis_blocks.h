#pragma once

#include <cstddef>

#include "engine/node.h"
#include "whit/tflite_file.h"

namespace whit {

/// A tensor cut at one axis: `num_outer` pieces of `block_bytes` contiguous bytes.
struct AxisBlocks {
  size_t num_outer = 1;  ///< product of the lengths before the axis
  size_t block_bytes;    ///< of the axis and those behind it

  AxisBlocks(const Shape& shape, int axis, TensorType type) : block_bytes(element_bytes(type)) {
    for (int i = 0; i < shape.rank; ++i)
      (i < axis ? num_outer : block_bytes) *= size_t(shape.dims[size_t(i)]);
  }
};

/// Whether two shapes are the same but for the length of one axis.
inline bool same_but_axis(Shape a, const Shape& b, int axis) {
  if (a.rank != b.rank) return false;
  a.dims[size_t(axis)] = b.dims[size_t(axis)];
  return a == b;
}

}  // namespace whit
