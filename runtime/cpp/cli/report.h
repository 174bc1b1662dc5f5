#pragma once

#include <span>
#include <string>

#include "chunk_log.h"
#include "latency.h"
#include "process_memory.h"
#include "whit.h"

namespace whit::cli {

/// Everything that a run found out.
struct Report {
  std::string model_name;
  double load_ms;
  double first_result_ms;  ///< load_ms and all work until the first chunk was decoded
  double audio_s;
  bool paced;
  double work_ms;  ///< taking in all audio and decoding it
  LatencySummary compute;
  bool has_chunks;  ///< they were asked for
  std::span<const ChunkTiming> chunks;
  whit_memory_report memory;
  ProcessMemory loaded;   ///< before any audio
  ProcessMemory process;  ///< at the end
};

/// Prints the report to standard error.
void print_report(const Report& report);

/// Prints the transcript and the report as one JSON object.
/// @param[in] defect  what ended the audio early, its `error`; none of audio that was heard to its end
void print_json(const whit_model* model, const whit_result& result, const Report& report,
                const std::string& defect);

}  // namespace whit::cli
