#include "whit/tables.h"

#include <bit>
#include <cstdint>

namespace whit {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kLn2 = 0.69314718055994530942;

double round_to_integer(double x) { return double(int64_t(x < 0 ? x - 0.5 : x + 0.5)); }

// Taylor series on [-pi/4, pi/4]; the first term left out is below 1e-17 of the first.
double sin_series(double x) {
  const double square = x * x;
  double sum = 1;
  for (int k = 16; k >= 2; k -= 2) sum = 1 - sum * square / (k * (k + 1));
  return x * sum;
}

double cos_series(double x) {
  const double square = x * x;
  double sum = 1;
  for (int k = 17; k >= 1; k -= 2) sum = 1 - sum * square / (k * (k + 1));
  return sum;
}

}  // namespace

double table_sin(double turns) {
  turns -= round_to_integer(turns);
  const double quarter = round_to_integer(4 * turns);
  const double x = (turns - quarter / 4) * (2 * kPi);
  switch (int(quarter) & 3) {
    case 0:
      return sin_series(x);
    case 1:
      return cos_series(x);
    case 2:
      return -sin_series(x);
    default:
      return -cos_series(x);
  }
}

double table_cos(double turns) { return table_sin(turns - round_to_integer(turns) + 0.25); }

double table_exp(double x) {
  const double n = round_to_integer(x / kLn2);
  const double r = x - n * kLn2;
  double sum = 1;
  for (int k = 18; k >= 1; --k) sum = 1 + sum * r / k;
  return sum * std::bit_cast<double>(uint64_t(int64_t(n) + 1023) << 52);
}

double table_log(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  double exponent = double(int64_t(bits >> 52) - 1023);
  double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFu) | (uint64_t{1023} << 52));  // [1, 2)
  if (m > 1.41421356237309504880) {
    m /= 2;
    exponent += 1;
  }
  // log m = 2 atanh(s); |s| < 0.172, so s^2 shrinks each term by 34 or more.
  const double s = (m - 1) / (m + 1);
  double sum = 0;
  for (int k = 25; k >= 1; k -= 2) sum = sum * (s * s) + 1.0 / k;
  return exponent * kLn2 + 2 * s * sum;
}

double table_bessel_i0(double x_squared) {
  double term = 1;
  double sum = 1;
  for (int k = 1; term > sum * 1e-17; ++k) {
    term *= x_squared / 4 / (double(k) * k);
    sum += term;
  }
  return sum;
}

}  // namespace whit
