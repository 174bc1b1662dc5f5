#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "whit/audio_intake.h"
#include "whit/error.h"
#include "whit/offline_fbank.h"
#include "whit/offline_model.h"
#include "whit/search.h"

namespace whit {

/// One utterance through a model that takes it as a whole: audio in, then one `decode`. One thread at a time;
/// streams of one model may run in parallel.
class OfflineStream {
 public:
  explicit OfflineStream(std::shared_ptr<const OfflineModel> model);

  /// Takes the next samples, in [-1, 1] by convention.
  /// @param[in] sample_rate_hz  from 1000 to 384000, the same in every call of a stream: see AudioIntake.
  /// @return an error for another rate, a sample that is not finite or beyond 1e5, and a stream after
  ///         `decode`: it stays as it was; and for more audio than the model takes, which ends the stream.
  std::optional<Error> accept_waveform(int sample_rate_hz, std::span<const float> samples);

  /// Decodes the audio that was taken, as a whole. Doing it again changes nothing.
  /// @return an error for an utterance that is too short or too long, and for logits of another length than
  ///         the configuration promises.
  std::optional<Error> decode();

  bool is_decoded() const { return finished_ && !error_; }
  const std::vector<Emission>& emissions() const { return emissions_; }
  /// Returns the words, or the names of the classes, separated by single spaces.
  std::string text() const;
  /// Start of a frame of logits in milliseconds.
  int64_t frame_ms(int64_t frame) const;

  /// Starts a new utterance; any sample rate may follow.
  void reset();

  const OfflineModel& model() const { return workspace_.model(); }

 private:
  std::optional<Error> compute();

  OfflineWorkspace workspace_;
  OfflineFbank fbank_;
  AudioIntake intake_;
  std::vector<float> samples_;   // (n,): at 16 kHz
  std::vector<float> features_;  // (frames, num_mels)
  std::vector<Emission> emissions_;
  bool finished_ = false;       // by decode
  std::optional<Error> error_;  // of decode, or of more audio than the model takes
};

}  // namespace whit
