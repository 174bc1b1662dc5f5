#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace whit {

struct IntUnfoldShape {
  size_t num_frames;
  size_t frequencies;
  size_t channels;

  size_t num_frames_out() const { return (num_frames + 1) / 2; }
  size_t frequencies_out() const { return (frequencies + 1) / 2; }
  size_t width() const { return frequencies * channels; }
  size_t num_patches() const { return num_frames_out() * frequencies_out(); }
  size_t patch_size() const { return 9 * channels; }
};

/// Returns the shape of an operator's input.
/// @param[in] place  begins the message.
/// @throws Failure channels do not divide the width, or zero is no int8.
IntUnfoldShape checked_int_unfold_shape(std::string_view place, int64_t num_frames, int64_t width,
                                        int64_t channels, int64_t zero);

/// Puts the inputs of a 3 x 3 convolution of stride 2 side by side, one row or column of padding on each side
/// (operator IntUnfold2d).
/// @param[in]  x         (num_frames, frequencies, channels)
/// @param[in]  num_rows  of x that are the utterance's; at most num_frames
/// @param[out] y         (num_patches, patch_size), of which (num_rows + 1) / 2 frames are written
void int_unfold2d(const IntUnfoldShape& shape, const int8_t* x, size_t num_rows, int8_t zero, int8_t* y);

/// Returns the rows of a table of 2 num_frames - 1 distances that an utterance of num_rows frames needs
/// (operator DistanceRows).
inline size_t num_distance_rows(size_t num_rows) { return num_rows == 0 ? 0 : 2 * num_rows - 1; }

/// Copies those rows.
/// @param[in]  table     (2 * num_frames - 1, width)
/// @param[in]  num_rows  at most num_frames
/// @param[out] y         (2 * num_frames - 1, width), of which num_distance_rows are written
void distance_rows(const int8_t* table, size_t num_frames, size_t width, size_t num_rows, int8_t* y);

}  // namespace whit
