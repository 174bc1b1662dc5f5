#include "whit/flatbuffer.h"

#include "whit/fail.h"

namespace whit {
namespace {

bool inside(std::span<const std::byte> file, size_t position, size_t num_bytes) {
  return position <= file.size() && num_bytes <= file.size() - position;
}

[[noreturn]] void outside(const char* what, std::span<const std::byte> file, size_t position) {
  fail(what, text("a place within the flatbuffer of ", file.size(), " bytes"), text("byte ", position));
}

}  // namespace

FlatTable FlatTable::root(std::span<const std::byte> file, std::string_view identifier) {
  if (!inside(file, 0, 8) || std::memcmp(file.data() + 4, identifier.data(), identifier.size()) != 0) {
    fail("identifier", text(identifier, " at byte 4"), "another file");
  }
  uint32_t position;
  std::memcpy(&position, file.data(), sizeof(position));
  return FlatTable(file, position, "root");
}

FlatTable::FlatTable(std::span<const std::byte> file, size_t position, const char* what)
    : file_(file), position_(position) {
  if (!inside(file, position, sizeof(int32_t))) outside(what, file, position);
  const int64_t vtable = int64_t(position) - load<int32_t>(position);
  if (vtable < 0 || !inside(file, size_t(vtable), 4)) outside(what, file, size_t(vtable));
  vtable_ = size_t(vtable);
  vtable_bytes_ = load<uint16_t>(vtable_);
  table_bytes_ = load<uint16_t>(vtable_ + 2);
  if (vtable_bytes_ < 4 || vtable_bytes_ % 2 || !inside(file, vtable_, vtable_bytes_)) {
    fail(what, "a vtable within the flatbuffer", text(vtable_bytes_, " bytes at byte ", vtable_));
  }
  if (table_bytes_ < 4 || !inside(file, position, table_bytes_)) {
    fail(what, "a table within the flatbuffer", text(table_bytes_, " bytes at byte ", position));
  }
}

size_t FlatTable::find(int field, size_t field_bytes, const char* what) const {
  const size_t entry = 4 + 2 * size_t(field);
  if (entry + 2 > vtable_bytes_) return 0;
  const size_t offset = load<uint16_t>(vtable_ + entry);
  if (offset == 0) return 0;
  if (offset < 4 || offset > table_bytes_ || field_bytes > table_bytes_ - offset) {
    fail(what, text("a field within its table of ", table_bytes_, " bytes"), text("offset ", offset));
  }
  return position_ + offset;
}

size_t FlatTable::follow(size_t position, const char* what) const {
  const size_t target = position + load<uint32_t>(position);
  if (!inside(file_, target, sizeof(uint32_t))) outside(what, file_, target);
  return target;
}

FlatVector FlatTable::vector(int field, size_t element_bytes, size_t max_count, const char* what) const {
  const size_t position = find(field, sizeof(uint32_t), what);
  if (!position) return {};
  const size_t start = follow(position, what);
  const size_t count = load<uint32_t>(start);
  if (count > max_count) fail(what, text("at most ", max_count, " elements"), text(count));
  if (!inside(file_, start + sizeof(uint32_t), count * element_bytes)) {
    fail(what, "elements within the flatbuffer", text(count, " of them at byte ", start));
  }
  return FlatVector(file_, start + sizeof(uint32_t), count, element_bytes);
}

FlatTable FlatTable::element(const FlatVector& tables, size_t i, const char* what) const {
  return FlatTable(file_, follow(tables.position_ + i * sizeof(uint32_t), what), what);
}

std::string_view FlatTable::string(int field, size_t max_bytes, const char* what) const {
  const FlatVector characters = vector(field, 1, max_bytes, what);
  if (characters.count() == 0) return {};
  return {reinterpret_cast<const char*>(characters.bytes().data()), characters.count()};
}

std::optional<FlatTable> FlatTable::table(int field, const char* what) const {
  const size_t position = find(field, sizeof(uint32_t), what);
  if (!position) return std::nullopt;
  return FlatTable(file_, follow(position, what), what);
}

}  // namespace whit
