#pragma once

#include <immintrin.h>

// GCC 12 takes its own _mm512_undefined for a mistake (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// Function of Isa::kAvx512, and one to be inlined into such a function.
#define WHIT_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi")))
#define WHIT_AVX512_INLINE WHIT_AVX512 __attribute__((always_inline)) inline
