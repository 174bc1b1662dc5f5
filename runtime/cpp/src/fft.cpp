#include "whit/fft.h"

#include "whit/tables.h"

namespace whit {
namespace {

// One Stockham pass: `stride` interleaved transforms of length n become 4 * stride of length n / 4.
template <int n, int stride>
void radix4_pass(const float* __restrict xr, const float* __restrict xi, float* __restrict yr,
                 float* __restrict yi, const float* twiddle_re, const float* twiddle_im) {
  constexpr int quarter = n / 4;
  for (int p = 0; p < quarter; ++p) {
    const float w1r = twiddle_re[3 * p], w2r = twiddle_re[3 * p + 1], w3r = twiddle_re[3 * p + 2];
    const float w1i = twiddle_im[3 * p], w2i = twiddle_im[3 * p + 1], w3i = twiddle_im[3 * p + 2];
    for (int q = 0; q < stride; ++q) {
      const int in = q + stride * p;
      const int out = q + stride * 4 * p;
      const float ar = xr[in], ai = xi[in];
      const float br = xr[in + stride * quarter], bi = xi[in + stride * quarter];
      const float cr = xr[in + stride * 2 * quarter], ci = xi[in + stride * 2 * quarter];
      const float dr = xr[in + stride * 3 * quarter], di = xi[in + stride * 3 * quarter];
      const float acr = ar + cr, aci = ai + ci, amr = ar - cr, ami = ai - ci;
      const float bdr = br + dr, bdi = bi + di, bmr = br - dr, bmi = bi - di;
      const float t1r = amr + bmi, t1i = ami - bmr;  // (a - c) - i (b - d)
      const float t2r = acr - bdr, t2i = aci - bdi;
      const float t3r = amr - bmi, t3i = ami + bmr;  // (a - c) + i (b - d)
      yr[out] = acr + bdr;
      yi[out] = aci + bdi;
      yr[out + stride] = w1r * t1r - w1i * t1i;
      yi[out + stride] = w1r * t1i + w1i * t1r;
      yr[out + 2 * stride] = w2r * t2r - w2i * t2i;
      yi[out + 2 * stride] = w2r * t2i + w2i * t2r;
      yr[out + 3 * stride] = w3r * t3r - w3i * t3i;
      yi[out + 3 * stride] = w3r * t3i + w3i * t3r;
    }
  }
}

}  // namespace

RealFft512::RealFft512() {
  int at = 0;
  for (int n = kPoints; n >= 4; n /= 4) {
    for (int p = 0; p < n / 4; ++p) {
      for (int power = 1; power <= 3; ++power, ++at) {
        twiddle_re_[at] = float(table_cos(double(power * p) / n));
        twiddle_im_[at] = float(-table_sin(double(power * p) / n));
      }
    }
  }
  for (int k = 0; k < kPoints / 2; ++k) {
    split_re_[k] = float(table_cos(double(k) / kNumSamples));
    split_im_[k] = float(-table_sin(double(k) / kNumSamples));
  }
}

void RealFft512::power_spectrum(const float* samples, float* power) const {
  alignas(64) float xr[kPoints], xi[kPoints], yr[kPoints], yi[kPoints];
  for (int k = 0; k < kPoints; ++k) {
    xr[k] = samples[2 * k];
    xi[k] = samples[2 * k + 1];
  }
  const float* wr = twiddle_re_.data();
  const float* wi = twiddle_im_.data();
  radix4_pass<256, 1>(xr, xi, yr, yi, wr, wi);
  radix4_pass<64, 4>(yr, yi, xr, xi, wr + 3 * 64, wi + 3 * 64);
  radix4_pass<16, 16>(xr, xi, yr, yi, wr + 3 * 80, wi + 3 * 80);
  radix4_pass<4, 64>(yr, yi, xr, xi, wr + 3 * 84, wi + 3 * 84);

  // Even samples E[k] and odd samples O[k] from Z[k] = E[k] + i O[k]:  X[k] = E + w O,  X[256 - k] = conj(E -
  // w O).
  const float sum = xr[0] + xi[0], difference = xr[0] - xi[0];
  power[0] = sum * sum;
  power[kPoints] = difference * difference;
  for (int k = 1; k < kPoints / 2; ++k) {
    const float zr = xr[k], zi = xi[k], mr = xr[kPoints - k], mi = xi[kPoints - k];
    const float er = 0.5f * (zr + mr), ei = 0.5f * (zi - mi);
    const float or_ = 0.5f * (zi + mi), oi = 0.5f * (mr - zr);
    const float wor = split_re_[k] * or_ - split_im_[k] * oi;
    const float woi = split_re_[k] * oi + split_im_[k] * or_;
    const float ar = er + wor, ai = ei + woi, br = er - wor, bi = ei - woi;
    power[k] = ar * ar + ai * ai;
    power[kPoints - k] = br * br + bi * bi;
  }
  power[kPoints / 2] = xr[kPoints / 2] * xr[kPoints / 2] + xi[kPoints / 2] * xi[kPoints / 2];
}

}  // namespace whit
