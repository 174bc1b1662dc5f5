#include <sys/auxv.h>

#include "whit/isa.h"

namespace whit {
namespace {

constexpr Isa kIsas[] = {Isa::kPlain, Isa::kNeon, Isa::kNeonDot};

size_t count_available() {
  // Every 64-bit Arm has NEON. Dot products came with Armv8.2: Cortex-A55 and A76 have them, A53 and A72 not.
  constexpr unsigned long kDotProducts = 1ul << 20;  // HWCAP_ASIMDDP of Linux's asm/hwcap.h
  return getauxval(AT_HWCAP) & kDotProducts ? 3 : 2;
}

}  // namespace

std::span<const Isa> available_isas() {
  static const size_t count = count_available();
  return std::span(kIsas).first(count);
}

}  // namespace whit
