#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <span>

#include "whit/fail.h"

/// NumPy arrays as the core sees them: C order, exact type. Arguments never convert (a silent cast would
/// round).
namespace whit::bindings {

namespace nb = nanobind;

template <typename T, size_t kRank>
using In = nb::ndarray<const T, nb::ndim<kRank>, nb::c_contig, nb::device::cpu>;
template <typename T, size_t kRank>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<kRank>, nb::c_contig>;

/// The same of any rank.
template <typename T>
using InOfAnyRank = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <typename T>
using OutOfAnyRank = nb::ndarray<nb::numpy, T, nb::c_contig>;

using FloatMatrix = In<float, 2>;
using FloatVector = In<float, 1>;

/// An uninitialised array on its way to Python.
template <typename T>
class Buffer {
 public:
  explicit Buffer(size_t count = 0) : values_(std::make_unique_for_overwrite<T[]>(count)) {}

  T* data() { return values_.get(); }

  /// Hands the memory to a NumPy array; needs the GIL.
  template <typename... Sizes>
  Out<T, sizeof...(Sizes)> release(Sizes... shape) {
    T* data = values_.get();
    return Out<T, sizeof...(Sizes)>(data, {size_t(shape)...}, own());
  }
  /// The same for a shape of any rank.
  OutOfAnyRank<T> release_as(std::span<const size_t> shape) {
    T* data = values_.get();
    return OutOfAnyRank<T>(data, shape.size(), shape.data(), own());
  }

 private:
  // Lets go of the memory last: to make a capsule may throw.
  nb::capsule own() {
    nb::capsule owner(values_.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
    values_.release();
    return owner;
  }

  std::unique_ptr<T[]> values_;
};

/// Throws ValueError "[place] expected `name` of shape (rows, cols), received (...)" where they differ.
inline void check_shape(const char* place, const char* name, const FloatMatrix& a, size_t rows, size_t cols) {
  if (a.shape(0) == rows && a.shape(1) == cols) return;
  fail(place, text(name, " of shape (", rows, ", ", cols, ")"), text("(", a.shape(0), ", ", a.shape(1), ")"));
}

/// The same for a shape (count, rows, cols).
inline void check_shape(const char* place, const char* name, const In<float, 3>& a, size_t count, size_t rows,
                        size_t cols) {
  if (a.shape(0) == count && a.shape(1) == rows && a.shape(2) == cols) return;
  fail(place, text(name, " of shape (", count, ", ", rows, ", ", cols, ")"),
       text("(", a.shape(0), ", ", a.shape(1), ", ", a.shape(2), ")"));
}

}  // namespace whit::bindings
