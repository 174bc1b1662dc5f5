#pragma once

#include <cstddef>
#include <string_view>

#include "whit/graph.h"
#include "whit/model_file.h"
#include "whit/transducer_config.h"

namespace whit {

/// A loaded streaming transducer: immutable, so that any number of threads may run it, each with its own
/// Workspace.
class TransducerModel {
 public:
  static constexpr std::string_view kKind = "a streaming transducer";

  /// @param[in] file  of which `contents` says what is in it.
  /// @throws Failure for the first defect.
  TransducerModel(ModelFile file, const TfliteFile& contents);

  const TransducerConfig& config() const { return config_; }
  const ModelFile& file() const { return file_; }

  const Graph& encode() const { return encode_; }    ///< features, states -> encoded, next states
  const Graph& predict() const { return predict_; }  ///< token, h, c -> predicted, h_next, c_next
  const Graph& join() const { return join_; }        ///< encoded, predicted -> logits

  /// Floats of all states of the encoder, one behind the other in the order of `encode()`.
  size_t encoder_state_floats() const;

  int64_t encoded_frames() const { return config_.chunk_frames / config_.subsampling; }

  /// Working memory of one call of any signature, for one stream.
  size_t arena_bytes() const;

 private:
  void check_signatures() const;

  ModelFile file_;
  TransducerConfig config_;
  Graph encode_;
  Graph predict_;
  Graph join_;
};

}  // namespace whit
