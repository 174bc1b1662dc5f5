#pragma once

#include "whit/exp.h"

namespace whit {

/// 1 / (1 + e^-x), bit for bit as docs/format.md section 4 writes it. NaN passes.
inline float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

}  // namespace whit
