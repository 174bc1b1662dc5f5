#include "mutation.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace whit::fuzz {

size_t structure_bytes(const uint8_t* data, size_t num_bytes) {
  size_t end = std::min<size_t>(num_bytes, 64 << 10);
  while (end > 1 && data[end - 1] == 0) --end;
  return end;
}

void Mutation::damage(Bytes& bytes) {
  const size_t structure = structure_bytes(bytes.data(), bytes.size());
  const size_t num_changes = 1 + below(4);
  for (size_t i = 0; i < num_changes && !bytes.empty(); ++i) change(bytes, structure);
}

void Mutation::change(Bytes& bytes, size_t structure_bytes) {
  const size_t range = below(5) ? std::min(structure_bytes, bytes.size()) : bytes.size();
  const size_t at = below(range);
  const size_t field = at / 4 * 4;
  const size_t field_bytes = std::min<size_t>(4, bytes.size() - field);
  constexpr uint32_t kValues[] = {0, 1, 2, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
  switch (below(10)) {
    case 0:
    case 1:
      bytes[at] ^= uint8_t(1 << below(8));
      break;
    case 2:
      bytes[at] = uint8_t(random_());
      break;
    case 3:
    case 4:
      std::memcpy(bytes.data() + field, kValues + below(std::size(kValues)), field_bytes);
      break;
    case 5:  // a small step
      bytes[at] = uint8_t(bytes[at] + (below(2) ? 1 + below(8) : 255 - below(8)));
      break;
    case 6: {  // another part of the file
      const size_t count = std::min(1 + below(64), bytes.size() - at);
      std::memmove(bytes.data() + at, bytes.data() + below(bytes.size() - count + 1), count);
      break;
    }
    case 7: {  // another field of the structure: an offset, a number or a length where one is expected
      const size_t from = below(range) / 4 * 4;
      std::memmove(bytes.data() + field, bytes.data() + from, std::min(field_bytes, bytes.size() - from));
      break;
    }
    case 8: {  // an offset that points elsewhere
      uint32_t value = 0;
      std::memcpy(&value, bytes.data() + field, field_bytes);
      value += uint32_t(below(64)) * 4 - 128;
      std::memcpy(bytes.data() + field, &value, field_bytes);
      break;
    }
    case 9:
      if (below(4) == 0) bytes.resize(below(bytes.size()));
      break;
  }
}

}  // namespace whit::fuzz
