#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "whit/expected.h"
#include "whit/graph.h"
#include "whit/mapped_file.h"
#include "whit/model_config.h"
#include "whit/tflite_file.h"
#include "whit/thread_pool.h"

namespace whit {

struct LoadOptions {
  bool self_test = true;   ///< run the golden vectors and refuse the file when a bit differs
  size_t num_threads = 1;  ///< of one call, from 1 to ThreadPool::kMaxThreads; 1 starts none
};

/// A loaded `model.tflite`: immutable, so that any number of threads may run it, each with its own Workspace.
/// The weights stay in the mapped file.
class Model {
 public:
  /// Maps and checks a file.
  static Expected<std::shared_ptr<const Model>> load(const std::string& path,
                                                     const LoadOptions& options = {});

  /// The same for bytes that the caller keeps for the model's lifetime.
  /// @param[in] place  begins the messages.
  static Expected<std::shared_ptr<const Model>> load(std::span<const std::byte> bytes,
                                                     const std::string& place,
                                                     const LoadOptions& options = {});

  const ModelConfig& config() const { return config_; }
  std::string_view config_text() const { return config_text_; }
  std::string_view weights_sha256() const { return weights_sha256_; }

  const Graph& encode() const { return encode_; }    ///< features, states -> encoded, next states
  const Graph& predict() const { return predict_; }  ///< token, h, c -> predicted, h_next, c_next
  const Graph& join() const { return join_; }        ///< encoded, predicted -> logits

  /// Floats of all states of the encoder, one behind the other in the order of `encode()`.
  size_t encoder_state_floats() const;

  int64_t encoded_frames() const { return config_.chunk_frames / config_.subsampling; }

  /// Threads that calls share, or null; a call that finds them busy computes alone.
  Workers* workers() const { return thread_pool_.get(); }

  /// Working memory of one call of any signature, for one stream.
  size_t arena_bytes() const;
  size_t file_bytes() const { return bytes_.size(); }
  size_t data_section_bytes() const { return data_section_bytes_; }

 private:
  Model(std::optional<MappedFile> mapping, std::span<const std::byte> bytes, const TfliteFile& file,
        size_t num_threads);
  static std::shared_ptr<const Model> make(std::optional<MappedFile> mapping,
                                           std::span<const std::byte> bytes, const LoadOptions& options);
  void check_signatures() const;

  std::optional<MappedFile> mapping_;
  std::span<const std::byte> bytes_;
  size_t data_section_bytes_;
  std::string_view config_text_;     // in the file
  std::string_view weights_sha256_;  // in the file
  ModelConfig config_;
  Graph encode_;
  Graph predict_;
  Graph join_;
  std::unique_ptr<ThreadPool> thread_pool_;
};

}  // namespace whit
