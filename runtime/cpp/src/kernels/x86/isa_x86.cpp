#include <cpuid.h>

#include <array>

#include "whit/isa.h"

namespace whit {
namespace {

// A bit of CPUID leaf 7 for what older compilers' __builtin_cpu_supports does not know.
bool has_leaf7(unsigned subleaf, bool in_edx, int bit) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, subleaf, &eax, &ebx, &ecx, &edx)) return false;
  return (in_edx ? edx : eax) >> bit & 1;
}

}  // namespace

std::span<const CpuFeature> cpu_features() {
  static const auto features = [] {
    __builtin_cpu_init();  // also asks the operating system whether it saves the wide registers
    return std::to_array<CpuFeature>({
        {"AVX2", bool(__builtin_cpu_supports("avx2")), Isa::kAvx2},
        // VNNI multiplies, VBMI looks codes up; the first processor with both is Ice Lake (2019), then Zen 4.
        {"AVX512F", bool(__builtin_cpu_supports("avx512f")), Isa::kAvx512},
        {"AVX512BW", bool(__builtin_cpu_supports("avx512bw")), Isa::kAvx512},
        {"AVX512DQ", bool(__builtin_cpu_supports("avx512dq")), Isa::kAvx512},
        {"AVX512VL", bool(__builtin_cpu_supports("avx512vl")), Isa::kAvx512},
        {"AVX512_VNNI", bool(__builtin_cpu_supports("avx512vnni")), Isa::kAvx512},
        {"AVX512_VBMI", bool(__builtin_cpu_supports("avx512vbmi")), Isa::kAvx512},
        // Products of int8 that no kernel uses (docs/kernels.md).
        {"AVX-VNNI", has_leaf7(1, false, 4), std::nullopt},
        {"AMX-INT8", has_leaf7(0, true, 25), std::nullopt},
    });
  }();
  return features;
}

}  // namespace whit
