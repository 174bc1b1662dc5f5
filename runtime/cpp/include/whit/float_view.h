#pragma once

#include <cstddef>
#include <cstring>

namespace whit {

/// Floats at any address: arrays in a mapped model file may be unaligned (docs/format.md, section 6).
class FloatView {
 public:
  FloatView() = default;
  explicit FloatView(const void* data) : bytes_(static_cast<const std::byte*>(data)) {}

  float operator[](size_t i) const {
    float value;
    std::memcpy(&value, bytes_ + i * sizeof(float), sizeof(float));
    return value;
  }
  FloatView operator+(size_t offset) const { return FloatView(bytes_ + offset * sizeof(float)); }
  explicit operator bool() const { return bytes_ != nullptr; }
  const std::byte* data() const { return bytes_; }

 private:
  const std::byte* bytes_ = nullptr;
};

}  // namespace whit
