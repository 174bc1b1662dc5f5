#include "whit/isa.h"

namespace whit {

std::span<const Isa> available_isas() {
  static constexpr Isa kIsas[] = {Isa::kPlain};
  return kIsas;
}

}  // namespace whit
