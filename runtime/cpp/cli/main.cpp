// whit-cli: transcribes a recording or a pipe with the native engine, through its C API alone.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "audio_clock.h"
#include "audio_source.h"
#include "chunk_log.h"
#include "end_signal.h"
#include "latency.h"
#include "live_text.h"
#include "options.h"
#include "process_memory.h"
#include "report.h"
#include "session.h"
#include "whit.h"

namespace whit::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBlockMs = 10;
constexpr int kMaxRateHz = 384000;  // what a stream takes
constexpr int kUserError = 2;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct FreeModel {
  void operator()(whit_model* model) const { whit_model_free(model); }
};

int refuse(const char* message) {
  std::fprintf(stderr, "whit-cli: %s\n", message);
  return kUserError;
}

int refuse(const Error& error) { return refuse(error.text().c_str()); }

int refuse_output(int error) {
  return refuse(
      {.place = "standard output", .expected = "room for what is printed", .received = std::strerror(error)});
}

// What was printed is on its way, or the error is told.
int finish_output() { return std::fflush(stdout) == 0 && !std::ferror(stdout) ? 0 : refuse_output(errno); }

// Feeds a recording to a session of the model's kind and prints what it found out.
template <typename Session>
int transcribe(const Options& options, AudioSource& audio, const whit_model* model,
               Clock::time_point load_start) {
  Session session;
  if (session.create(model)) return refuse(whit_error_text());
  const double load_ms = ms_since(load_start);
  double first_result_ms = load_ms;
  double work_ms = 0;
  const ProcessMemory loaded_memory = read_process_memory();

  whit_model_info info;
  whit_model_get_info(model, &info);
  Latency latency(info.chunk_ms);
  const int rate = audio.sample_rate_hz();
  const size_t block_samples = (size_t(std::min(rate, kMaxRateHz)) * kBlockMs + 500) / 1000;
  std::vector<float> block(std::max<size_t>(block_samples, 1));
  uint64_t num_samples = 0;  // a 32-bit count ends after a day
  AudioClock clock(options.paced);
  ChunkLog log(clock, options.chunks);
  // Time to the first result is all work until then, not the time that speech takes.
  const auto timed = [&](auto work) {
    const bool is_first = latency.num_chunks() == 0;
    const auto work_start = Clock::now();
    const int error = work();
    const double took_ms = ms_since(work_start);
    if (is_first) first_result_ms += took_ms;
    work_ms += took_ms;
    return error;
  };
  LiveText live;
  size_t num_shown = 0;  // chunks
  int output_error = 0;
  const auto show = [&] {
    if (options.json || latency.num_chunks() == num_shown) return 0;
    num_shown = latency.num_chunks();
    whit_result result;
    if (session.result(&result)) return 1;
    const bool has_ended = options.utterances && session.is_endpoint();
    if (!has_ended || *result.text) {
      output_error = has_ended ? live.end_line(result) : live.show(result);
    }
    return has_ended ? session.next_utterance() : 0;
  };
  catch_end_signals();
  std::string defect;  // what ended the audio early
  while (!end_signalled() && defect.empty()) {
    Expected<size_t> read = audio.read(block);
    const size_t count = read ? *read : 0;
    if (!read) defect = read.error().text();
    if (count == 0) break;
    // A block exists only once its last sample was spoken.
    const double ready_ms = 1000 * double(num_samples + count) / rate;
    clock.wait_until(ready_ms);
    log.begin(ready_ms, false);
    if (timed([&] { return session.accept(rate, {block.data(), count}, latency, log); }) || show()) {
      defect = whit_error_text();
    } else {
      num_samples += count;
    }
    if (output_error) return refuse_output(output_error);
  }
  if (num_samples == 0) {
    if (!defect.empty()) return refuse(defect.c_str());
    return refuse({.place = audio.place(), .expected = "at least 1 sample", .received = "none"});
  }
  // Audio may be spoiled before there is enough of it to decode: no words then, and the defect says why.
  log.begin(1000 * double(num_samples) / rate, true);
  const bool unfinished = timed([&] { return session.finish(latency, log); });
  whit_result result;
  if ((unfinished && defect.empty()) || session.result(&result)) return refuse(whit_error_text());
  if (!defect.empty() && !*result.text && !options.json) return refuse(defect.c_str());
  Report report{
      .model_name = info.name,
      .load_ms = load_ms,
      .first_result_ms = first_result_ms,
      .audio_s = double(num_samples) / rate,
      .paced = options.paced,
      .work_ms = work_ms,
      .compute = latency.summary(),
      .has_chunks = log.is_kept(),
      .chunks = log.chunks(),
      .memory = {},
      .loaded = loaded_memory,
      .process = read_process_memory(),
  };
  session.report(&report.memory);
  const WholeOutput whole;
  if (options.json) {
    print_json(model, result, report, defect);
  } else if (*result.text || !options.utterances) {
    output_error = live.end_line(result);
  }
  if (output_error) return refuse_output(output_error);
  if (const int error = finish_output()) return error;
  if (!defect.empty()) return refuse(defect.c_str());
  if (!options.json) print_report(report);
  return 0;
}

int run(const Options& options) {
  Expected<AudioSource> opened = options.raw_rate_hz
                                     ? Expected<AudioSource>(AudioSource::standard_input(options.raw_rate_hz))
                                     : AudioSource::open_wav(options.audio);
  if (!opened) return refuse(opened.error());

  const auto load_start = Clock::now();
  whit_model* loaded;
  const whit_load_options load_options{.num_threads = options.num_threads,
                                       .skip_self_test = !options.self_test};
  if (whit_model_load(options.model.c_str(), &load_options, &loaded)) return refuse(whit_error_text());
  const std::unique_ptr<whit_model, FreeModel> model(loaded);
  whit_model_info info;
  whit_model_get_info(model.get(), &info);
  if (options.utterances && !info.is_streaming) {
    return refuse(
        {.place = "--utterances", .expected = "a streaming model", .received = "one of whole utterances"});
  }
  return info.is_streaming ? transcribe<StreamSession>(options, *opened, model.get(), load_start)
                           : transcribe<UtteranceSession>(options, *opened, model.get(), load_start);
}

}  // namespace
}  // namespace whit::cli

int main(int num_arguments, char** arguments) {
  auto options = whit::cli::parse_options(num_arguments, arguments);
  if (!options) return whit::cli::refuse(options.error());
  if ((*options).help) {
    std::fputs(whit::cli::kUsage, stdout);
    return whit::cli::finish_output();
  }
  return whit::cli::run(*options);
}
