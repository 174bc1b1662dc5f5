#pragma once

#include <immintrin.h>

#include <cstdint>

// GCC 12 takes its own _mm512_undefined for a mistake (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// Function of Isa::kAvx512, and one to be inlined into such a function.
#define WHIT_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi")))
#define WHIT_AVX512_INLINE WHIT_AVX512 __attribute__((always_inline)) inline

namespace whit {

/// Asks for cache lines 2 KB ahead. A loop that does much with each line has too few of them in flight for
/// the memory's latency; one row of activations waits for memory alone and is only slowed.
template <int kLines>
WHIT_AVX512_INLINE void prefetch_ahead(const uint8_t* weights) {
  constexpr int kAheadBytes = 2048;
#pragma GCC unroll 16
  for (int line = 0; line < kLines; ++line) {
    _mm_prefetch(reinterpret_cast<const char*>(weights) + kAheadBytes + 64 * line, _MM_HINT_T0);
  }
}

}  // namespace whit
