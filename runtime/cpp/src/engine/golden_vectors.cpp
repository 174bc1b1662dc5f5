#include "engine/golden_vectors.h"

#include <bit>
#include <cstdint>

namespace whit {

std::vector<float> GoldenVectors::read_floats(std::string_view key, size_t count) const {
  std::vector<float> values = read<float>(key);
  if (values.size() != count) fail(text("whit.golden.", key), text(count, " values"), text(values.size()));
  return values;
}

void GoldenVectors::compare(std::string_view key, std::span<const float> computed) const {
  const std::vector<float> stored = read_floats(key, computed.size());
  for (size_t i = 0; i < computed.size(); ++i) {
    if (std::bit_cast<uint32_t>(computed[i]) == std::bit_cast<uint32_t>(stored[i])) continue;
    fail(text("whit.golden.", key), text("the stored bits, ", stored[i], " at value ", i), text(computed[i]));
  }
}

}  // namespace whit
