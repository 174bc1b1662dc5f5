#include "whit/isa.h"

namespace whit {
namespace {

constexpr Isa kIsas[] = {Isa::kPlain, Isa::kAvx2, Isa::kAvx512};

size_t count_available() {
  __builtin_cpu_init();  // also asks the operating system whether it saves the
                         // wide registers
  if (!__builtin_cpu_supports("avx2")) return 1;
  // VNNI multiplies, VBMI looks codes up; the first processor with both is Ice
  // Lake (2019), then Zen 4.
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
  return avx512 ? 3 : 2;
}

}  // namespace

std::span<const Isa> available_isas() {
  static const size_t count = count_available();
  return std::span(kIsas).first(count);
}

}  // namespace whit
