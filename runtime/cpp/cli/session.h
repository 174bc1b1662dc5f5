#pragma once

#include <memory>
#include <span>

#include "chunk_log.h"
#include "latency.h"
#include "whit.h"

namespace whit::cli {

/// A recording on its way through a streaming transducer. Calls return 0, or 1 with whit_error_text() set.
class StreamSession {
 public:
  int create(const whit_model* model);
  /// Takes a block and decodes the chunks that it completes.
  int accept(int rate_hz, std::span<const float> samples, Latency& latency, ChunkLog& log);
  int finish(Latency& latency, ChunkLog& log);
  int result(whit_result* result) const { return whit_stream_result(stream_.get(), result); }
  bool is_endpoint() const { return whit_stream_is_endpoint(stream_.get(), nullptr); }
  int next_utterance() { return whit_stream_next_utterance(stream_.get()); }
  void report(whit_memory_report* report) const { whit_report(stream_.get(), report); }

 private:
  struct Free {
    void operator()(whit_stream* stream) const { whit_stream_free(stream); }
  };
  int decode_ready(Latency& latency, ChunkLog& log);

  std::unique_ptr<whit_stream, Free> stream_;
};

/// The same through a model that takes it as a whole: all of it is one chunk.
class UtteranceSession {
 public:
  int create(const whit_model* model);
  int accept(int rate_hz, std::span<const float> samples, Latency& latency, ChunkLog& log);
  int finish(Latency& latency, ChunkLog& log);
  int result(whit_result* result) const { return whit_offline_stream_result(stream_.get(), result); }
  bool is_endpoint() const { return false; }
  int next_utterance() { return 0; }
  void report(whit_memory_report* report) const { whit_offline_report(stream_.get(), report); }

 private:
  struct Free {
    void operator()(whit_offline_stream* stream) const { whit_offline_stream_free(stream); }
  };

  std::unique_ptr<whit_offline_stream, Free> stream_;
};

}  // namespace whit::cli
