#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace whit {

/// Instruction sets that kernels are written for; on one machine a later one includes the earlier.
enum class Isa : uint8_t {
  kPlain,     ///< portable C++
  kAvx2,      ///< as in Haswell and Zen
  kAvx512,    ///< F, BW, DQ, VL, VNNI and VBMI
  kNeon,      ///< 64-bit Arm as in Cortex-A53 and A72
  kNeonDot,   ///< with dot products, as in Cortex-A76
  kNeonI8mm,  ///< with matrix products of int8, as in Cortex-A710
};

/// Returns the name as in WHIT_ISA and in kernels' names.
const char* isa_name(Isa isa);

/// Something that a processor has or lacks.
struct CpuFeature {
  const char* name;              ///< as its maker writes it
  bool found;                    ///< on this processor
  std::optional<Isa> needed_by;  ///< the first instruction set with it; none where no kernel uses it
};

/// The features of this build's machine, those of the same instruction set together, the least one first;
/// which file defines it is chosen in CMakeLists.txt.
std::span<const CpuFeature> cpu_features();

/// What this processor can run, plain first, the best last.
std::span<const Isa> available_isas();

/// The instruction set that kernels are chosen for, and why.
struct IsaChoice {
  Isa isa;
  std::string reason;  ///< for example "the best of this processor: plain, avx2"
};

/// Returns the best of this processor, or what the environment variable WHIT_ISA asks for; read once.
/// @throws std::invalid_argument WHIT_ISA names none that this processor can run.
const IsaChoice& chosen_isa();

}  // namespace whit
