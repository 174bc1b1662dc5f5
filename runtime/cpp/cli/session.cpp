#include "session.h"

#include <chrono>

namespace whit::cli {
namespace {

// Calls a decode and notes its time.
template <typename Decode>
int timed(Decode decode, Latency& latency) {
  const auto start = std::chrono::steady_clock::now();
  if (const int error = decode()) return error;
  latency.add(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  return 0;
}

}  // namespace

int StreamSession::create(const whit_model* model) {
  whit_stream* stream;
  if (const int error = whit_stream_create(model, &stream)) return error;
  stream_.reset(stream);
  return 0;
}

int StreamSession::accept(int rate_hz, std::span<const float> samples, Latency& latency) {
  const int error = whit_stream_accept_waveform(stream_.get(), rate_hz, samples.data(), samples.size());
  return error ? error : decode_ready(latency);
}

int StreamSession::finish(Latency& latency) {
  const int error = whit_stream_input_finished(stream_.get());
  return error ? error : decode_ready(latency);
}

int StreamSession::decode_ready(Latency& latency) {
  while (whit_stream_is_ready(stream_.get())) {
    if (const int error = timed([&] { return whit_stream_decode(stream_.get()); }, latency)) return error;
  }
  return 0;
}

int UtteranceSession::create(const whit_model* model) {
  whit_offline_stream* stream;
  if (const int error = whit_offline_stream_create(model, &stream)) return error;
  stream_.reset(stream);
  return 0;
}

int UtteranceSession::accept(int rate_hz, std::span<const float> samples, Latency&) {
  return whit_offline_stream_accept_waveform(stream_.get(), rate_hz, samples.data(), samples.size());
}

int UtteranceSession::finish(Latency& latency) {
  return timed([&] { return whit_offline_stream_decode(stream_.get()); }, latency);
}

}  // namespace whit::cli
