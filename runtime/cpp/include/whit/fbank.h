#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "whit/fft.h"
#include "whit/mel.h"

namespace whit {

enum class FbankFlavour { kNemo, kKaldi };

/// @param[in] name  "nemo" or "kaldi"; anything else throws std::invalid_argument.
FbankFlavour fbank_flavour(std::string_view name);

/// All that a front-end remembers between calls.
struct FbankState {
  std::vector<float> samples;  // (num_samples - first_sample,): the input that later frames still need
  int64_t first_sample = 0;    // number in the stream of samples[0]
  int64_t num_samples = 0;     // accepted since the start of the stream
  int64_t next_frame = 0;      // the first frame that was not read
  bool finished = false;
};

/// Streaming log-mel features of 16 kHz audio, 25 ms windows every 10 ms (docs/format.md, section 7).
///
/// A frame depends on the samples of the stream and on nothing else, so features are the same bits for every
/// cut of the audio into calls. Frames near the end, whose window is reflected there, become ready at
/// `input_finished`.
class Fbank {
 public:
  static constexpr int kSampleRateHz = 16000;
  static constexpr int kFrameShift = 160;   // samples: 10 ms
  static constexpr int kFrameLength = 400;  // samples: 25 ms

  /// Larger samples are refused, so that no energy overflows: 400 of them squared stay far below the greatest
  /// float.
  static constexpr float kMaxMagnitude = 1e6f;

  /// @param[in] num_mels  in [1, 256]; anything else throws std::invalid_argument.
  explicit Fbank(FbankFlavour flavour = FbankFlavour::kNemo, int num_mels = 80);

  int num_mels() const { return mel_.num_mels(); }

  /// @param[in] samples  in [-1, 1] by convention. A sample that is not finite or exceeds kMaxMagnitude
  /// throws
  ///                     std::invalid_argument and leaves the stream as it was. After `input_finished`:
  ///                     std::logic_error.
  void accept_waveform(std::span<const float> samples);

  /// Makes room for so many further samples: accepting them then allocates nothing.
  void make_room(size_t num_samples);

  /// Says that no more samples come. Calling it again changes nothing.
  void input_finished() { state_.finished = true; }

  /// Frames that `read` can give now.
  int64_t num_frames_ready() const;

  /// Computes the next frames and moves past them.
  /// @param[in]  num_frames  in [0, num_frames_ready()]; anything else throws std::invalid_argument.
  /// @param[out] features    (num_frames, num_mels)
  void read(int64_t num_frames, float* features);

  /// Starts a new stream in the same memory.
  void reset() {
    state_.samples.clear();
    state_ = FbankState{.samples = std::move(state_.samples)};
  }

 private:
  void copy_frame(int64_t frame, float* window) const;
  void compute(float* window, float* features) const;

  bool remove_dc_;
  std::array<float, kFrameLength> window_;  // (400,)
  RealFft512 fft_;
  MelBanks mel_;
  FbankState state_;
};

}  // namespace whit
