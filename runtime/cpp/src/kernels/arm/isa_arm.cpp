#include <sys/auxv.h>

#include <array>

#include "whit/isa.h"

namespace whit {

std::span<const CpuFeature> cpu_features() {
  constexpr unsigned long kDotProducts = 1ul << 20;     // HWCAP_ASIMDDP of Linux's asm/hwcap.h
  constexpr unsigned long kMatrixProducts = 1ul << 13;  // HWCAP2_I8MM
  static const auto features = std::to_array<CpuFeature>({
      {"NEON", true, Isa::kNeon},  // every 64-bit Arm has it
      // Came with Armv8.2: Cortex-A76 has them, A53 and A72 not.
      {"DotProd", bool(getauxval(AT_HWCAP) & kDotProducts), Isa::kNeonDot},
      // Came with Armv8.6: Cortex-A710, Neoverse V1.
      {"I8MM", bool(getauxval(AT_HWCAP2) & kMatrixProducts), Isa::kNeonI8mm},
  });
  return features;
}

}  // namespace whit
