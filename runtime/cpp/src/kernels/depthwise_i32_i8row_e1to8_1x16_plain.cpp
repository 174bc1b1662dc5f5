#include <cstring>

#include "kernels/depthwise_kernels.h"

// Codes tap after tap, rows as they are.

namespace whit {
namespace {

void prepare_codes(const int8_t* codes, size_t num_groups, std::byte* prepared) {
  auto* out = reinterpret_cast<int8_t*>(prepared);  // (taps, 16)
  for (size_t group = 0; group < num_groups; ++group, codes += kChannelTile * kTapGroup) {
    for (size_t tap = 0; tap < kTapGroup; ++tap, out += kChannelTile) {
      for (size_t c = 0; c < kChannelTile; ++c) out[c] = codes[c * kTapGroup + tap];
    }
  }
}

void prepare_rows(const int8_t* rows, size_t num_rows, std::byte* prepared) {
  std::memcpy(prepared, rows, (num_rows + 3) * kChannelTile);
}

void accumulate(const std::byte* codes, size_t num_groups, const std::byte* rows, const uint32_t* first_rows,
                size_t num_outputs, int32_t* sums) {
  const auto* code = reinterpret_cast<const int8_t*>(codes);
  for (size_t m = 0; m < num_outputs; ++m) {
    const auto* row = reinterpret_cast<const int8_t*>(rows) + first_rows[m] * kChannelTile;
    int32_t sum[kChannelTile] = {};
    for (size_t tap = 0; tap < num_groups * kTapGroup; ++tap) {
      for (size_t c = 0; c < kChannelTile; ++c) {
        sum[c] += int32_t(code[tap * kChannelTile + c]) * row[tap * kChannelTile + c];
      }
    }
    std::memcpy(sums + m * kChannelTile, sum, sizeof(sum));
  }
}

}  // namespace

constexpr DepthwiseKernel depthwise_i32_i8row_e1to8_1x16_plain = {
    "depthwise_i32_i8row_e1to8_1x16_plain", Isa::kPlain, prepare_codes, prepare_rows, accumulate};

}  // namespace whit
