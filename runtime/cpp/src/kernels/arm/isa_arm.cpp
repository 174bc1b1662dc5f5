#include <sys/auxv.h>

#include "whit/isa.h"

namespace whit {
namespace {

constexpr Isa kIsas[] = {Isa::kPlain, Isa::kNeon, Isa::kNeonDot, Isa::kNeonI8mm};

size_t count_available() {
  // Every 64-bit Arm has NEON. Dot products came with Armv8.2: Cortex-A76 has them, A53 and A72 not.
  constexpr unsigned long kDotProducts = 1ul << 20;  // HWCAP_ASIMDDP of Linux's asm/hwcap.h
  if (!(getauxval(AT_HWCAP) & kDotProducts)) return 2;
  // Matrix products came with Armv8.6: Cortex-A710, Neoverse V1.
  constexpr unsigned long kMatrixProducts = 1ul << 13;  // HWCAP2_I8MM
  return getauxval(AT_HWCAP2) & kMatrixProducts ? 4 : 3;
}

}  // namespace

std::span<const Isa> available_isas() {
  static const size_t count = count_available();
  return std::span(kIsas).first(count);
}

}  // namespace whit
