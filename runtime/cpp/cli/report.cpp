#include "report.h"

#include <cstdio>
#include <string_view>

namespace whit::cli {
namespace {

double real_time_factor(const Report& report) {
  return report.audio_s > 0 ? report.work_ms / 1000 / report.audio_s : 0;
}

void print_string(std::string_view text) {
  std::putchar('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      std::printf("\\%c", c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::printf("\\u%04x", unsigned(c));
    } else {
      std::putchar(c);
    }
  }
  std::putchar('"');
}

}  // namespace

void print_report(const Report& r) {
  std::fprintf(stderr, "model    %s, %.1f kB, loaded in %.1f ms, first result after %.1f ms\n",
               r.model_name.c_str(), double(r.memory.file_bytes) / 1000, r.load_ms, r.first_result_ms);
  std::fprintf(stderr, "audio    %.2f s%s, real-time factor %.4f\n", r.audio_s, r.paced ? ", paced" : "",
               real_time_factor(r));
  std::fprintf(stderr, "compute  %zu chunks, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, %zu deadlines missed\n",
               r.compute.num_chunks, r.compute.p50_ms, r.compute.p90_ms, r.compute.p99_ms,
               r.compute.num_missed);
  std::fprintf(stderr,
               "memory   arena %zu B, state %zu B, private dirty %ld kB, resident %ld kB, peak %ld kB\n",
               r.memory.arena_bytes, r.memory.state_bytes, r.process.private_dirty_kb, r.process.resident_kb,
               r.process.peak_resident_kb);
  if (r.process.unwritten_kb > 0) {
    std::fprintf(
        stderr,
        "         of private dirty, %ld kB are of files not yet written to the disk: run sync first\n",
        r.process.unwritten_kb);
  }
}

void print_json(const whit_model* model, const whit_result& result, const Report& r,
                const std::string& defect) {
  std::printf("{\"model\": ");
  print_string(r.model_name);
  if (!defect.empty()) {
    std::printf(", \"error\": ");
    print_string(defect);
  }
  std::printf(", \"text\": ");
  print_string(result.text);
  std::printf(", \"tokens\": [");
  for (size_t i = 0; i < result.num_tokens; ++i) {
    if (i) std::printf(", ");
    print_string(whit_model_token(model, result.tokens[i]));
  }
  std::printf("], \"token_ids\": [");
  for (size_t i = 0; i < result.num_tokens; ++i) std::printf("%s%d", i ? ", " : "", result.tokens[i]);
  std::printf("], \"token_times_ms\": [");
  for (size_t i = 0; i < result.num_tokens; ++i) {
    std::printf("%s%lld", i ? ", " : "", static_cast<long long>(result.frames_ms[i]));
  }
  std::printf(
      "], \"audio_s\": %.6f, \"paced\": %s, \"load_ms\": %.3f, \"first_result_ms\": %.3f, "
      "\"work_ms\": %.4f, \"real_time_factor\": %.6f",
      r.audio_s, r.paced ? "true" : "false", r.load_ms, r.first_result_ms, r.work_ms, real_time_factor(r));
  std::printf(
      ", \"compute\": {\"chunks\": %zu, \"p50_ms\": %.4f, \"p90_ms\": %.4f, \"p99_ms\": %.4f, "
      "\"deadlines_missed\": %zu}",
      r.compute.num_chunks, r.compute.p50_ms, r.compute.p90_ms, r.compute.p99_ms, r.compute.num_missed);
  if (r.has_chunks) std::printf(", \"chunks\": [");
  for (size_t i = 0; i < r.chunks.size(); ++i) {
    const ChunkTiming& chunk = r.chunks[i];
    std::printf("%s[%.4f, %.4f, %.4f, %zu, %d]", i ? ", " : "", chunk.ready_ms, chunk.start_ms, chunk.emit_ms,
                chunk.num_tokens, int(chunk.is_flush));
  }
  if (r.has_chunks) std::putchar(']');
  std::printf(
      ", \"memory\": {\"file_bytes\": %zu, \"data_section_bytes\": %zu, \"arena_bytes\": %zu, "
      "\"state_bytes\": %zu, \"private_dirty_after_load_kb\": %ld, \"private_dirty_kb\": %ld, "
      "\"unwritten_kb\": %ld, "
      "\"resident_kb\": %ld, \"proportional_kb\": %ld, \"peak_resident_kb\": %ld}}\n",
      r.memory.file_bytes, r.memory.data_section_bytes, r.memory.arena_bytes, r.memory.state_bytes,
      r.loaded.private_dirty_kb, r.process.private_dirty_kb, r.process.unwritten_kb, r.process.resident_kb,
      r.process.proportional_kb, r.process.peak_resident_kb);
}

}  // namespace whit::cli
