#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "whit/audio_intake.h"
#include "whit/commitment.h"
#include "whit/endpoint.h"
#include "whit/error.h"
#include "whit/fbank.h"
#include "whit/recent_frames.h"
#include "whit/search.h"
#include "whit/transducer_model.h"
#include "whit/workspace.h"

namespace whit {

/// One stream of audio through one model: front-end, encoder, greedy search (docs/format.md, sections 7, 8).
///
/// The result depends on the audio only, never on how it was cut into calls. After the first second of audio,
/// nothing is allocated until a stream's next chunk could bring it beyond kReservedTokens tokens; room for
/// tokens then doubles. One thread at a time; streams of one model may run in parallel.
class RecognizerStream {
  friend void decode_together(Workspace& workspace, std::span<RecognizerStream* const> streams);

 public:
  static constexpr size_t kReservedTokens = 1024;  // some five minutes of speech
  static constexpr int64_t kPrerollMs = 300;       // far less than the silence that ends an utterance

  explicit RecognizerStream(std::shared_ptr<const TransducerModel> model);

  /// Takes the next samples, in [-1, 1] by convention.
  /// @param[in] sample_rate_hz  from 1000 to 384000, the same in every call of a stream: see AudioIntake.
  /// @return an error for another rate, a sample that is not finite or beyond 1e5, and a finished stream; the
  ///         stream stays as it was.
  std::optional<Error> accept_waveform(int sample_rate_hz, std::span<const float> samples);

  /// Says that no more audio comes: appends the model's tail of silence. Calling it again changes nothing.
  void input_finished();

  /// Whether a chunk waits for `decode`.
  bool is_ready() const;
  /// Decodes one chunk; does nothing where none is ready. Where memory runs out, the stream stays as it was.
  void decode();

  bool is_final() const { return finished_ && !is_ready(); }
  const std::vector<Emission>& emissions() const { return search_.emissions(); }
  /// How many tokens make words that stay as they are.
  size_t num_committed() const { return is_final() ? emissions().size() : commitment_.num_tokens(); }
  /// Whether the utterance has ended.
  bool is_endpoint(const EndpointRule& rule = {}) const;
  /// Start of an encoder frame of this utterance, in milliseconds since the start of the audio.
  int64_t frame_ms(int64_t frame) const;
  /// Returns the encoder frames of the last chunk, (encoded_frames, joint_hidden).
  std::span<const float> encoded() const {
    const size_t count = size_t(model().encoded_frames() * model().config().joint_hidden);
    return {state_.data() + at_.encoded, count};
  }

  /// Makes room for the tokens of one chunk: all the memory that decoding it takes.
  void make_room_for_chunk() { search_.make_room(model().encoded_frames()); }

  /// Begins the next utterance of the same audio. What waits is kept, and the last kPrerollMs that were
  /// decoded since the last token are decoded once more: a word that had begun without a token is heard
  /// whole. Each utterance begins at least a chunk later than the one before, or where nothing is left.
  void next_utterance();

  /// Starts a new stream in the same memory, without the audio that is not decoded yet; any sample rate may
  /// follow.
  void reset();

  const TransducerModel& model() const { return workspace_.model(); }
  /// Memory of the model's state: what the encoder and the prediction network remember.
  size_t state_bytes() const { return state_.size() * sizeof(float); }

 private:
  struct StateLayout {
    size_t encoder = 0;  // offsets in floats
    size_t predictor_h;
    size_t predictor_c;
    size_t predicted;
    size_t encoded;
    size_t num_floats;
  };
  static StateLayout layout_of(const TransducerModel& model);
  EncodeCall take_chunk();
  void finish_chunk();
  void begin_utterance();
  int64_t encoded_ms() const;

  Workspace workspace_;
  AudioIntake intake_;
  Fbank fbank_;
  GreedySearch search_;
  Commitment commitment_;
  StateLayout at_;
  std::vector<float> state_;     // (layout.num_floats,)
  std::vector<float> features_;  // (chunk_frames, num_mels)
  RecentFrames recent_;
  int64_t first_encoded_frame_ = 0;
  int64_t utterance_start_ = 0;  // feature frames since the start of the audio
  bool finished_ = false;
};

/// Decodes one chunk of each stream; allocates nothing.
/// @param[in] streams  different ones of the workspace's model, all ready and with room for a chunk; from 1
///                     to workspace.max_streams().
void decode_together(Workspace& workspace, std::span<RecognizerStream* const> streams);

}  // namespace whit
