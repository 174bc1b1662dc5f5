#pragma once

#include <bit>
#include <cstdint>

#include "whit/exp.h"

namespace whit {

/// Hyperbolic tangent, bit for bit as docs/format.md section 4 writes it (Cephes' tanhf). NaN passes.
inline float tanh(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = bits & 0x80000000u;
  const float z = std::bit_cast<float>(bits ^ sign);
  const float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const float near_zero = (p * s) * x + x;
  const float far = 1.0f - 2.0f / (exp(z + z) + 1.0f);
  return z < 0.625f ? near_zero : std::bit_cast<float>(std::bit_cast<uint32_t>(far) | sign);
}

}  // namespace whit
