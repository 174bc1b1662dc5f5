#pragma once

namespace whit {

/// Double-precision series for tables made once. The C library's functions differ between machines in the
/// last bits; these are additions, multiplications and divisions in a fixed order, so every machine makes the
/// same tables.

/// @param[in] turns  Angle in turns (1 = a full circle), magnitude below 2^50. The reduction to a turn is
/// exact.
/// @return sine of the angle; absolute error below 1e-15.
double table_sin(double turns);
double table_cos(double turns);

/// @param[in] x  in [-700, 700].
double table_exp(double x);

/// @param[in] x  positive and normal.
double table_log(double x);

/// The modified Bessel function I0, given the *square* of its argument (so that a Kaiser window needs no
/// root).
/// @param[in] x_squared  in [0, 1000].
double table_bessel_i0(double x_squared);

}  // namespace whit
