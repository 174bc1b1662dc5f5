#include "process_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace whit::cli {
namespace {

// Finds the line `key: number kB`.
long read_field(const char* path, const char* key) {
  std::FILE* file = std::fopen(path, "r");
  if (!file) return -1;
  char line[256];
  long value = -1;
  while (value < 0 && std::fgets(line, sizeof(line), file)) {
    const size_t length = std::strlen(key);
    if (std::strncmp(line, key, length) == 0 && line[length] == ':')
      std::sscanf(line + length + 1, "%ld", &value);
  }
  std::fclose(file);
  return value;
}

}  // namespace

ProcessMemory read_process_memory() {
  ProcessMemory memory;
  const char* rollup = "/proc/self/smaps_rollup";
  memory.proportional_kb = read_field(rollup, "Pss");
  memory.private_dirty_kb = read_field(rollup, "Private_Dirty");
  const long anonymous_kb = read_field(rollup, "Anonymous");
  memory.unwritten_kb = anonymous_kb < 0 ? -1 : std::max(0L, memory.private_dirty_kb - anonymous_kb);
  memory.resident_kb = read_field("/proc/self/status", "VmRSS");
  memory.peak_resident_kb = read_field("/proc/self/status", "VmHWM");  // last: reading needs memory, too
  return memory;
}

}  // namespace whit::cli
