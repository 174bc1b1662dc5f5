#include "engine/golden_vectors.h"

#include <cstring>
#include <limits>
#include <string>

#include "engine/crc32.h"
#include "whit/fail.h"

namespace whit {

template <typename T>
std::vector<T> GoldenVectors::read(std::string_view key, size_t least, size_t most) const {
  const std::span<const std::byte> content = file_.metadata_content(text("whit.golden.", key));
  const size_t count = content.size() / sizeof(T);
  if (content.size() % sizeof(T) || count < least || count > most) {
    fail(text("whit.golden.", key), text("from ", least, " to ", most, " values of ", sizeof(T), " bytes"),
         text(content.size(), " bytes"));
  }
  std::vector<T> values(count);
  if (count) std::memcpy(values.data(), content.data(), content.size());
  return values;
}

size_t GoldenVectors::num_features() const { return file_.metadata_content("whit.golden.features").size(); }

std::vector<float> GoldenVectors::features() const {
  const float step = read<float>("feature_step", 1, 1)[0];
  if (!(step > 0 && step < std::numeric_limits<float>::infinity())) {
    fail("whit.golden.feature_step", "a finite value above 0", text(step));
  }
  const std::vector<int8_t> codes = read<int8_t>("features", 0, num_features());
  std::vector<float> features(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) features[i] = float(codes[i]) * step;
  return features;
}

std::vector<int32_t> GoldenVectors::targets(size_t most) const { return read<int32_t>("targets", 1, most); }

void GoldenVectors::compare(std::string_view output, std::span<const float> computed) const {
  const std::string key = text(output, "_crc32");
  const uint32_t stored = read<uint32_t>(key, 1, 1)[0];
  const uint32_t received = crc32(std::as_bytes(computed));
  if (received == stored) return;
  fail(text("whit.golden.", key), text("the stored bits, CRC-32 ", stored), text(received));
}

}  // namespace whit
