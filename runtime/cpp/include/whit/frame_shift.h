#pragma once

namespace whit {

/// Time from one feature frame to the next, of every model and front-end (docs/format.md, section 7).
inline constexpr int kFrameShiftMs = 10;

}  // namespace whit
