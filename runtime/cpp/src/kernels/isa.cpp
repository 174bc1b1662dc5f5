#include "whit/isa.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include "whit/fail.h"

namespace whit {
namespace {

std::string names() {
  std::string list;
  for (const Isa isa : available_isas()) list += (list.empty() ? "" : ", ") + std::string(isa_name(isa));
  return list;
}

IsaChoice choose() {
  const char* wanted = std::getenv("WHIT_ISA");
  if (wanted == nullptr) return {available_isas().back(), "the best of this processor: " + names()};
  for (const Isa isa : available_isas()) {
    if (std::string_view(wanted) == isa_name(isa)) return {isa, "WHIT_ISA"};
  }
  fail("WHIT_ISA", "one of this processor's: " + names(), wanted);
}

}  // namespace

std::span<const Isa> available_isas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> found = {Isa::kPlain};
    for (const CpuFeature& feature : cpu_features()) {
      if (!feature.needed_by) continue;
      if (!feature.found) {
        std::erase(found, *feature.needed_by);  // of the features before this one, some were found
        break;
      }
      if (found.back() != *feature.needed_by) found.push_back(*feature.needed_by);
    }
    return found;
  }();
  return isas;
}

const char* isa_name(Isa isa) {
  static constexpr const char* kNames[] = {"plain", "avx2", "avx512", "neon", "neondot", "neoni8mm"};
  return kNames[size_t(isa)];
}

const IsaChoice& chosen_isa() {
  static const IsaChoice choice = choose();
  return choice;
}

}  // namespace whit
