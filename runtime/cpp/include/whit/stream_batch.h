#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "whit/error.h"
#include "whit/recognizer.h"
#include "whit/workspace.h"

namespace whit {

/// Decodes streams of one model together, as a server does: each weight is read once for up to eight of them.
/// Results are those of each stream's own `decode`, bit for bit. One thread at a time; allocates nothing
/// after it was made, but for the streams' tokens.
class StreamBatch {
 public:
  explicit StreamBatch(std::shared_ptr<const TransducerModel> model);

  /// Decodes one chunk of each stream that is ready; the others stay as they are.
  /// @param[in] streams  any number, each once.
  /// @return an error for a stream of another model, and for one that is there twice; nothing is decoded, nor
  ///         where memory runs out.
  std::optional<Error> decode(std::span<RecognizerStream* const> streams);

 private:
  Workspace workspace_;
};

}  // namespace whit
