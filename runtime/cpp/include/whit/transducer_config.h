#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "whit/fbank.h"

namespace whit {

/// A state that the encoder keeps of a stream: float (rows, cols).
struct StateShape {
  std::string name;  ///< of the signature's input; the output's ends in "_next"
  int64_t rows;
  int64_t cols;
};

/// What a recogniser needs of a checkpoint's configuration (docs/format.md, section 5).
struct TransducerConfig {
  std::string name;
  int num_mels;
  int subsampling;   ///< feature frames per encoder frame
  int chunk_frames;  ///< feature frames per call of the encoder
  int tail_ms;
  FbankFlavour flavour;
  std::vector<StateShape> encoder_states;  ///< in the order of the signature
  int64_t joint_hidden;
  int64_t predictor_state[2];       ///< rows, columns of h and of c
  std::vector<std::string> tokens;  ///< without the blank; UTF-8, no white space

  int32_t blank() const { return int32_t(tokens.size()); }
};

/// Reads and checks a configuration. @throws Failure for the first defect.
TransducerConfig parse_transducer_config(std::string_view text);

}  // namespace whit
