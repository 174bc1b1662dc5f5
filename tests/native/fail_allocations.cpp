// What is left of a stream when memory runs out at its end, once at each allocation, and what a stream that
// starts anew allocates: FAIL_ALLOCATIONS TRANSDUCER.tflite WHOLE_UTTERANCES.tflite prints how often memory
// ran out for either, or what went wrong.

#include <cstdio>
#include <cstdlib>
#include <new>
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

std::vector<float> make_noise() {
  std::vector<float> samples(kRateHz);
  unsigned state = 1;
  for (float& sample : samples) {
    state = state * 1664525u + 1013904223u;
    sample = float(int(state)) * 0x1p-33f;
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

// The memory of the first turn serves the second.
void reset(const whit_model* streaming, const whit_model* whole, const std::vector<float>& samples) {
  whit_stream* stream;
  whit_offline_stream* offline;
  must(!whit_stream_create(streaming, &stream) && !whit_offline_stream_create(whole, &offline), "create");
  for (int turn = 0; turn < 2; ++turn) {
    const long before = num_allocations;
    must(!whit_stream_reset(stream) && !whit_offline_stream_reset(offline), "reset");
    feed(stream, samples);
    must(!whit_offline_stream_accept_waveform(offline, kRateHz, samples.data(), samples.size()), "accept");
    if (turn == 1) must(num_allocations == before, "a stream that starts anew allocates");
    must(!whit_stream_input_finished(stream) && !whit_offline_stream_decode(offline), "end");
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
  const std::vector<float> samples = make_noise();
  const long num_ends = end_streams(streaming, samples);
  const long num_decodes = decode_utterances(whole, samples);
  reset(streaming, whole, samples);
  std::printf("%ld %ld\n", num_ends, num_decodes);
  whit_model_free(streaming);
  whit_model_free(whole);
}
