#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace whit {

/// Returns the CRC-32 of zip files and PNG (ISO 3309): bits from the lowest on, polynomial 0xedb88320.
inline uint32_t crc32(std::span<const std::byte> bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const std::byte byte : bytes) {
    crc ^= uint32_t(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

}  // namespace whit
