#pragma once

namespace whit::cli {

/// Memory of this process in kB (1024 bytes), as Linux states it; -1 where it does not.
struct ProcessMemory {
  long peak_resident_kb;  ///< VmHWM: private memory and file pages
  long resident_kb;       ///< VmRSS
  long proportional_kb;   ///< Pss: shared pages divided by those who share them
  long private_dirty_kb;  ///< memory that is this process's own, and unwritten pages of files
  long unwritten_kb;      ///< of these, pages of mapped files that are not yet on the disk: see --help
};

ProcessMemory read_process_memory();

}  // namespace whit::cli
