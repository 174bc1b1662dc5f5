#pragma once

#include <span>

#include "whit/isa.h"

namespace whit {

/// Returns the last of a machine's functions that the chosen instruction set includes, or the plain ones.
/// @throws std::invalid_argument as `chosen_isa`.
template <typename Functions>
const Functions& best_of(const Functions& plain, std::span<const Functions> of_machine) {
  const Functions* best = &plain;
  for (const Functions& functions : of_machine) {
    if (functions.isa <= chosen_isa().isa) best = &functions;
  }
  return *best;
}

}  // namespace whit
