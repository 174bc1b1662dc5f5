#pragma once

namespace whit::cli {

/// Memory of this process in kB (1024 bytes), as Linux states it; -1 where it does not.
struct ProcessMemory {
  long peak_resident_kb;  ///< VmHWM: private memory and file pages
  long resident_kb;       ///< VmRSS
  long private_dirty_kb;  ///< memory that is this process's own
};

ProcessMemory read_process_memory();

}  // namespace whit::cli
