#pragma once

#include <bit>
#include <cstdint>

namespace whit {

/// e^x, bit for bit as docs/format.md section 4 writes it (the polynomial of Cephes' expf).
/// The result is never 0, denormal or infinite: x is clamped to [-87, 88]. NaN passes.
inline float exp(float x) {
  x = x < -87.0f ? -87.0f : x;  // written so that a NaN, which compares false, stays
  x = x > 88.0f ? 88.0f : x;
  // Adding 1.5 * 2^23 rounds half to even and leaves n in the low bits: no conversion, so NaN is harmless.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = (p * (r * r) + r) + 1.0f;
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) - 0x4B400000u + 127u;
  return y * std::bit_cast<float>(exponent << 23);
}

}  // namespace whit
