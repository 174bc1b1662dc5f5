#include "session.h"

#include <chrono>

namespace whit::cli {
namespace {

// Decodes a chunk and notes its time, and where that is asked for what is on the screen then.
template <typename Decode, typename Result>
int timed(Decode decode, Result result, Latency& latency, ChunkLog& log) {
  const auto start = std::chrono::steady_clock::now();
  if (const int error = decode()) return error;
  latency.add(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  if (!log.is_kept()) return 0;
  whit_result shown;
  if (const int error = result(&shown)) return error;
  log.add(shown.num_tokens);
  return 0;
}

}  // namespace

int StreamSession::create(const whit_model* model) {
  whit_stream* stream;
  if (const int error = whit_stream_create(model, &stream)) return error;
  stream_.reset(stream);
  return 0;
}

int StreamSession::accept(int rate_hz, std::span<const float> samples, Latency& latency, ChunkLog& log) {
  const int error = whit_stream_accept_waveform(stream_.get(), rate_hz, samples.data(), samples.size());
  return error ? error : decode_ready(latency, log);
}

int StreamSession::finish(Latency& latency, ChunkLog& log) {
  const int error = whit_stream_input_finished(stream_.get());
  return error ? error : decode_ready(latency, log);
}

int StreamSession::decode_ready(Latency& latency, ChunkLog& log) {
  while (whit_stream_is_ready(stream_.get())) {
    const int error = timed([&] { return whit_stream_decode(stream_.get()); },
                            [&](whit_result* shown) { return result(shown); }, latency, log);
    if (error) return error;
  }
  return 0;
}

int UtteranceSession::create(const whit_model* model) {
  whit_offline_stream* stream;
  if (const int error = whit_offline_stream_create(model, &stream)) return error;
  stream_.reset(stream);
  return 0;
}

int UtteranceSession::accept(int rate_hz, std::span<const float> samples, Latency&, ChunkLog&) {
  return whit_offline_stream_accept_waveform(stream_.get(), rate_hz, samples.data(), samples.size());
}

int UtteranceSession::finish(Latency& latency, ChunkLog& log) {
  return timed([&] { return whit_offline_stream_decode(stream_.get()); },
               [&](whit_result* shown) { return result(shown); }, latency, log);
}

}  // namespace whit::cli
