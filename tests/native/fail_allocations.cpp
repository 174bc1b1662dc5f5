// What is left of a stream when memory runs out in its audio, a chunk or its end, once at each allocation,
// and what a stream that starts anew allocates: FAIL_ALLOCATIONS TRANSDUCER.tflite WHOLE_UTTERANCES.tflite
// prints how often memory ran out for each, or what went wrong.

#include <cstdio>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "whit.h"

namespace {

long num_allocations = 0;
long fails_at = -1;  // the number of an allocation; -1: none fails

void* allocate(std::size_t num_bytes, std::size_t alignment) {
  if (num_allocations++ == fails_at) throw std::bad_alloc();
  void* memory = std::aligned_alloc(alignment, (num_bytes + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

void fail_after(long num_more) { fails_at = num_allocations + num_more; }

// Whether an allocation failed since fail_after.
bool has_failed() {
  const bool failed = num_allocations > fails_at;
  fails_at = -1;
  return failed;
}

constexpr int kRateHz = 44100;
constexpr std::size_t kBlock = 441;
constexpr std::size_t kReservedTokens = 1024;  // what a stream has room for from its beginning

std::vector<float> make_noise(int num_seconds) {
  std::vector<float> samples(std::size_t(num_seconds * kRateHz));
  unsigned state = 1;
  for (float& sample : samples) {
    state = state * 1664525u + 1013904223u;
    sample = float(int(state)) * 0x1p-33f;
  }
  return samples;
}

// Noise and silence, half a second each.
std::vector<float> make_bursts(int num_seconds) {
  std::vector<float> samples = make_noise(num_seconds);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i / (kRateHz / 2) % 2) samples[i] = 0;
  }
  return samples;
}

[[noreturn]] void give_up(const char* what) {
  std::printf("%s: %s\n", what, whit_error_text());
  std::exit(1);
}

void must(bool holds, const char* what) {
  if (!holds) give_up(what);
}

// In blocks, so that buffers stay shorter than what the end appends.
void feed(whit_stream* stream, const std::vector<float>& samples) {
  for (std::size_t at = 0; at < samples.size(); at += kBlock) {
    must(!whit_stream_accept_waveform(stream, kRateHz, samples.data() + at, kBlock), "accept");
    while (whit_stream_is_ready(stream)) must(!whit_stream_decode(stream), "decode");
  }
}

std::string text_of(whit_stream* stream) {
  while (whit_stream_is_ready(stream)) must(!whit_stream_decode(stream), "decode");
  whit_result result;
  must(!whit_stream_result(stream, &result) && result.is_final, "result");
  return result.text;
}

// A stream whose end could not be told is told again, and says what it always says.
long end_streams(const whit_model* model, const std::vector<float>& samples) {
  std::string expected;
  for (long n = -1;; ++n) {
    whit_stream* stream;
    must(!whit_stream_create(model, &stream), "create");
    feed(stream, samples);
    if (n >= 0) fail_after(n);
    const int status = whit_stream_input_finished(stream);
    const bool failed = n >= 0 && has_failed();
    must(status == int(failed), "input_finished");
    if (failed) must(!whit_stream_input_finished(stream), "input_finished again");
    const std::string text = text_of(stream);
    if (n < 0) expected = text;
    must(text == expected && text.size() > 3, "text");
    whit_stream_free(stream);
    if (n >= 0 && !failed) return n;
  }
}

int create(const whit_model* model, whit_stream** stream) { return whit_stream_create(model, stream); }
int create(const whit_model* model, whit_offline_stream** stream) {
  return whit_offline_stream_create(model, stream);
}
int accept(whit_stream* stream, std::span<const float> samples) {
  return whit_stream_accept_waveform(stream, kRateHz, samples.data(), samples.size());
}
int accept(whit_offline_stream* stream, std::span<const float> samples) {
  return whit_offline_stream_accept_waveform(stream, kRateHz, samples.data(), samples.size());
}
std::string end(whit_stream* stream) {
  must(!whit_stream_input_finished(stream), "input_finished");
  std::string text = text_of(stream);
  whit_stream_free(stream);
  return text;
}
std::string end(whit_offline_stream* stream) {
  whit_result result;
  must(!whit_offline_stream_decode(stream) && !whit_offline_stream_result(stream, &result), "decode");
  std::string text = result.text;
  whit_offline_stream_free(stream);
  return text;
}

// Audio that could not be taken, in the first block or in a long one after it, is taken again.
template <typename Stream>
long accept_blocks(const whit_model* model, std::span<const float> samples) {
  std::string expected;
  for (long n = -1;; ++n) {
    Stream* stream;
    must(!create(model, &stream), "create");
    bool refused = false;
    if (n >= 0) fail_after(n);
    for (const auto block : {samples.first(kBlock), samples.subspan(kBlock)}) {
      if (!accept(stream, block)) continue;
      must(!refused && !accept(stream, block), "accept again");
      refused = true;
    }
    const bool failed = n >= 0 && has_failed();
    must(refused == failed, "accept");
    const std::string text = end(stream);
    if (n < 0) expected = text;
    must(text == expected && text.size() > 3, "text after accept");
    if (n >= 0 && !failed) return n;
  }
}

std::size_t count_tokens(whit_stream* stream) {
  whit_result result;
  must(!whit_stream_result(stream, &result), "result");
  return result.num_tokens;
}

// A chunk that could not be decoded, alone or with those of other streams, is decoded again.
long decode_chunks(const whit_model* model, const std::vector<float>& samples, std::size_t num_streams) {
  std::string expected;
  long num_failures = 0;
  for (long n = -1;; ++n) {
    whit_batch* batch;
    must(!whit_batch_create(model, &batch), "create");
    std::vector<whit_stream*> streams(num_streams);
    for (whit_stream*& stream : streams) {
      must(!whit_stream_create(model, &stream) && !accept(stream, samples), "accept");
    }
    const auto decode = [&] {
      return num_streams == 1 ? whit_stream_decode(streams[0])
                              : whit_batch_decode(batch, streams.data(), num_streams);
    };
    const long before = num_failures;
    while (whit_stream_is_ready(streams[0])) {
      const std::size_t num_tokens = count_tokens(streams[0]);
      if (n >= 0) fail_after(n);
      const int status = decode();
      const bool failed = n >= 0 && has_failed();
      must(status == int(failed), "decode");
      if (failed) must(count_tokens(streams[0]) == num_tokens && !decode(), "decode again");
      num_failures += failed;
    }
    for (whit_stream* stream : streams) {
      const std::string text = end(stream);
      if (n < 0) expected = text;
      must(text == expected && text.size() > 3 * kReservedTokens, "text after decode");
    }
    whit_batch_free(batch);
    if (n >= 0 && num_failures == before) return num_failures;
  }
}

// An utterance that could not be decoded stays one.
long decode_utterances(const whit_model* model, const std::vector<float>& samples) {
  for (long n = 0;; ++n) {
    whit_offline_stream* stream;
    must(!whit_offline_stream_create(model, &stream), "create");
    must(!whit_offline_stream_accept_waveform(stream, kRateHz, samples.data(), samples.size()), "accept");
    fail_after(n);
    const int status = whit_offline_stream_decode(stream);
    const bool failed = has_failed();
    must(status == int(failed), "decode");
    if (failed)
      must(std::string(whit_error_text()).ends_with("expected enough memory, received none"), "text");
    must(whit_offline_stream_decode(stream) == status, "decode again");
    whit_result result;
    must(!whit_offline_stream_result(stream, &result) && result.is_final == int(!failed), "result");
    must((result.num_tokens > 0) == !failed, "tokens");
    whit_offline_stream_free(stream);
    if (!failed) return n;
  }
}

// The memory of the first turn serves the second, and nothing else of it does.
void reset(const whit_model* streaming, const whit_model* whole, const std::vector<float>& samples) {
  whit_stream* stream;
  whit_offline_stream* offline;
  must(!whit_stream_create(streaming, &stream) && !whit_offline_stream_create(whole, &offline), "create");
  std::string first;
  for (int turn = 0; turn < 2; ++turn) {
    const long before = num_allocations;
    must(!whit_stream_reset(stream) && !whit_offline_stream_reset(offline), "reset");
    feed(stream, samples);
    must(!whit_offline_stream_accept_waveform(offline, kRateHz, samples.data(), samples.size()), "accept");
    if (turn == 1) must(num_allocations == before, "a stream that starts anew allocates");
    must(!whit_stream_input_finished(stream) && !whit_offline_stream_decode(offline), "end");
    must(whit_stream_accept_waveform(stream, kRateHz, samples.data(), 1), "audio after the end");
    const std::string text = text_of(stream);
    if (turn == 0) first = text;
    must(text == first && text.size() > 3, "text of a stream that starts anew");
  }
  whit_stream_free(stream);
  whit_offline_stream_free(offline);
}

}  // namespace

void* operator new(std::size_t num_bytes) { return allocate(num_bytes ? num_bytes : 1, 16); }
void* operator new(std::size_t num_bytes, std::align_val_t alignment) {
  return allocate(num_bytes ? num_bytes : 1, std::size_t(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

int main(int, char** arguments) {
  whit_model *streaming, *whole;
  if (whit_model_load(arguments[1], nullptr, &streaming)) give_up("load");
  if (whit_model_load(arguments[2], nullptr, &whole)) give_up("load");
  const std::vector<float> samples = make_noise(1);
  const long num_ends = end_streams(streaming, samples);
  const long num_decodes = decode_utterances(whole, samples);
  const long num_accepts = accept_blocks<whit_stream>(streaming, samples);
  const long num_accepts_whole = accept_blocks<whit_offline_stream>(whole, samples);
  const std::vector<float> bursts = make_bursts(25);
  const long num_chunks = decode_chunks(streaming, bursts, 1);
  const long num_chunks_together = decode_chunks(streaming, bursts, 9);  // no more than 8 run at once
  reset(streaming, whole, samples);
  std::printf("%ld %ld %ld %ld %ld %ld\n", num_ends, num_decodes, num_accepts, num_accepts_whole, num_chunks,
              num_chunks_together);
  whit_model_free(streaming);
  whit_model_free(whole);
}
