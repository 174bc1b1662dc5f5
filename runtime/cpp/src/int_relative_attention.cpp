#include "whit/int_relative_attention.h"

#include <algorithm>
#include <cstring>

#include "kernels/int_sequence_functions.h"
#include "whit/fail.h"
#include "whit/requantize.h"

namespace whit {
namespace {

constexpr auto whole_blocks = IntSequenceFunctions::whole_blocks;
constexpr size_t kQueries = IntSequenceFunctions::kQueries;
constexpr int64_t kMaxHeadWidth = 65536;  // 128 * 128 * 65536 is 2^30
constexpr int64_t kMaxFrames = 1 << 20;
constexpr size_t kAlignment = 64;

constexpr int32_t kWeightShift = 31;
constexpr size_t kLeastFramesToShare = 32;  // fewer take less time than waking a thread

// Where one head's arrays lie in its scratch, each at a 64-byte boundary.
class ScratchLayout {
 public:
  explicit ScratchLayout(const IntAttentionShape& shape) {
    const size_t width = shape.head_width();
    k = take(IntSequenceFunctions::packed_bytes(shape.num_frames, width));
    v = take(IntSequenceFunctions::packed_bytes(shape.num_frames, width));
    positions = take(IntSequenceFunctions::packed_bytes(shape.num_positions(), width));
    queries = take(IntSequenceFunctions::packed_query_bytes(width));
    score = take(kQueries * score_stride(shape) * sizeof(int32_t));
    position_score = take(kQueries * score_stride(shape) * sizeof(int32_t));
    weight = take(kQueries * score_stride(shape) * sizeof(int16_t));
    sums = take(kQueries * whole_blocks(width) * sizeof(int32_t));
  }

  // Of a query's scores: room for the distances of all queries, and for a zero behind the weights.
  static size_t score_stride(const IntAttentionShape& shape) {
    return whole_blocks(shape.num_frames + kQueries);
  }

  uint64_t num_bytes() const { return next_; }

  uint64_t k;               // (num_frames, head_width), packed
  uint64_t v;               // the same
  uint64_t positions;       // (num_positions, head_width), packed
  uint64_t queries;         // (kQueries, head_width), packed
  uint64_t score;           // int32 (kQueries, score_stride)
  uint64_t position_score;  // the same
  uint64_t weight;          // int16 (kQueries, score_stride)
  uint64_t sums;            // int32 (kQueries, head_width in whole blocks)

 private:
  uint64_t take(uint64_t num_bytes) {
    const uint64_t start = next_;
    next_ += (num_bytes + kAlignment - 1) / kAlignment * kAlignment;
    return start;
  }

  uint64_t next_ = 0;
};

// One head of one utterance.
class Head {
 public:
  Head(const IntAttentionShape& shape, const IntAttentionConstants& constants, size_t num_rows,
       std::byte* scratch)
      : constants_(constants),
        stride_(shape.width),
        width_(shape.head_width()),
        num_rows_(num_rows),
        score_stride_(ScratchLayout::score_stride(shape)) {
    const ScratchLayout layout(shape);
    k_ = reinterpret_cast<int8_t*>(scratch + layout.k);
    v_ = reinterpret_cast<int8_t*>(scratch + layout.v);
    positions_ = reinterpret_cast<int8_t*>(scratch + layout.positions);
    queries_ = reinterpret_cast<int8_t*>(scratch + layout.queries);
    score_ = reinterpret_cast<int32_t*>(scratch + layout.score);
    position_score_ = reinterpret_cast<int32_t*>(scratch + layout.position_score);
    weight_ = reinterpret_cast<int16_t*>(scratch + layout.weight);
    sums_ = reinterpret_cast<int32_t*>(scratch + layout.sums);
  }

  void run(const IntAttentionInputs& in, size_t channel, int8_t* y) const {
    functions_.pack_rows(in.k + channel, stride_, num_rows_, width_, k_);
    functions_.pack_rows(in.positions + channel, stride_, num_positions(), width_, positions_);
    functions_.pack_values(in.v + channel, stride_, num_rows_, width_, v_);
    std::memset(weight_, 0, kQueries * score_stride_ * sizeof(int16_t));
    for (size_t i = 0; i < num_rows_; i += kQueries) {
      const size_t at = i * stride_ + channel;
      attend(in.qu + at, in.qw + at, i, std::min(kQueries, num_rows_ - i), y + at);
    }
  }

 private:
  size_t num_positions() const { return 2 * num_rows_ - 1; }

  // `count` queries, the first being the i-th of the utterance.
  void attend(const int8_t* qu, const int8_t* qw, size_t i, size_t count, int8_t* y) const {
    functions_.pack_queries(qu, stride_, count, width_, queries_);
    functions_.dot_rows(queries_, k_, num_rows_, width_, 0, num_rows_, score_, score_stride_);
    functions_.pack_queries(qw, stride_, count, width_, queries_);
    // Distances begin one row earlier for each later query: all begin where the last one's do.
    functions_.dot_rows(queries_, positions_, num_positions(), width_, num_rows_ - i - count,
                        num_rows_ + count - 1, position_score_, score_stride_);
    for (size_t q = 0; q < count; ++q) {
      make_weights(score_ + q * score_stride_, position_score_ + q * score_stride_ + count - 1 - q,
                   weight_ + q * score_stride_);
    }
    functions_.weigh_values(weight_, score_stride_, v_, num_rows_, width_, sums_);
    for (size_t q = 0; q < count; ++q) write_result(sums_ + q * whole_blocks(width_), y + q * stride_);
  }

  void make_weights(int32_t* score, int32_t* position_score, int16_t* weight) const {
    const IntAttentionConstants& c = constants_;
    requantize_all(score, c.content_multiplier, c.content_shift, num_rows_, score);
    requantize_all(position_score, c.position_multiplier, c.position_shift, num_rows_, position_score);
    const int32_t greatest = functions_.add_scores(score, position_score, num_rows_);
    const uint64_t sum = functions_.exponentials(score, num_rows_, greatest);
    const int32_t inverse =
        int32_t((uint64_t{1} << 46) / sum);  // below 2^25: the greatest of the sum is 2924391
    requantize_all(score, inverse, kWeightShift, num_rows_, score);
    functions_.narrow_weights(score, num_rows_, weight);
  }

  void write_result(int32_t* sums, int8_t* y) const {
    const IntOutput& result = constants_.result;
    requantize_all(sums, result.multiplier, result.shift, width_, sums);
    functions_.clamp(sums, width_, result.low, result.high, y);
  }

  const IntSequenceFunctions& functions_ = int_sequence_functions();
  const IntAttentionConstants& constants_;
  size_t stride_;
  size_t width_;
  size_t num_rows_;
  size_t score_stride_;
  int8_t* k_;
  int8_t* v_;
  int8_t* positions_;
  int8_t* queries_;
  int32_t* score_;
  int32_t* position_score_;
  int16_t* weight_;
  int32_t* sums_;
};

}  // namespace

IntAttentionShape checked_int_attention(std::string_view place, int64_t num_frames, int64_t width,
                                        int64_t num_positions, int64_t heads,
                                        const IntAttentionConstants& constants) {
  if (heads < 1 || width < 1 || width % heads) {
    fail(place, "a width that is a multiple of heads", text(width, " and ", heads));
  }
  if (width / heads > kMaxHeadWidth) {
    fail(place, text("heads of at most ", kMaxHeadWidth, " channels"), text(width / heads));
  }
  if (num_frames < 1 || num_frames > kMaxFrames) {
    fail(place, text("from 1 to ", kMaxFrames, " frames"), text(num_frames));
  }
  if (num_positions != 2 * num_frames - 1) {
    fail(place, text("p of ", 2 * num_frames - 1, " rows"), text(num_positions));
  }
  const int32_t multiplier[] = {constants.content_multiplier, constants.position_multiplier};
  const int32_t shift[] = {constants.content_shift, constants.position_shift};
  check_requantization(place, multiplier, shift);
  check_int_output(place, constants.result);
  return {.num_frames = size_t(num_frames), .width = size_t(width), .heads = size_t(heads)};
}

uint64_t int_relative_attention_scratch_bytes(const IntAttentionShape& shape) {
  return shape.heads * ScratchLayout(shape).num_bytes();
}

void int_relative_attention(const IntAttentionShape& shape, const IntAttentionConstants& constants,
                            const IntAttentionInputs& inputs, size_t num_rows, int8_t* y, std::byte* scratch,
                            Workers* workers) {
  if (num_rows == 0) return;
  const uint64_t head_bytes = ScratchLayout(shape).num_bytes();
  for_ranges(num_rows < kLeastFramesToShare ? nullptr : workers, shape.heads, 1,
             [&](size_t first, size_t last) {
               for (size_t head = first; head < last; ++head) {
                 Head(shape, constants, num_rows, scratch + head * head_bytes)
                     .run(inputs, head * shape.head_width(), y);
               }
             });
}

}  // namespace whit
