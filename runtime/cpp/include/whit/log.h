#pragma once

#include <bit>
#include <cstdint>

namespace whit {

/// Natural logarithm, bit for bit as docs/format.md section 4 writes it (the polynomial of Cephes' logf).
/// NaN passes.
/// @param[in] x  positive and normal, or NaN.
inline float log(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  float e = float(int32_t(bits >> 23) - 126);
  const float half = std::bit_cast<float>((bits & 0x007FFFFFu) | 0x3F000000u);  // [0.5, 1)
  const bool low = half < 0.707106781f;
  e = low ? e - 1.0f : e;
  const float m = (low ? half + half : half) - 1.0f;
  const float s = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float y = (p * m) * s;
  y = y + e * -2.12194440e-4f;
  y = y - 0.5f * s;
  const float result = (m + y) + e * 0.693359375f;
  return x != x ? x : result;
}

}  // namespace whit
