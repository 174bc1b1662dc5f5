#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace whit {

/// A vector of a flatbuffer: its elements lie inside the bytes it was read from.
class FlatVector {
 public:
  FlatVector() = default;
  FlatVector(std::span<const std::byte> file, size_t position, size_t count, size_t element_bytes)
      : file_(file), position_(position), count_(count), element_bytes_(element_bytes) {}

  size_t count() const { return count_; }
  std::span<const std::byte> bytes() const { return file_.subspan(position_, count_ * element_bytes_); }

  /// @param[in] i  below count()
  template <typename T>
  T scalar(size_t i) const {
    T value;
    std::memcpy(&value, file_.data() + position_ + i * element_bytes_, sizeof(T));
    return value;
  }

 private:
  friend class FlatTable;

  std::span<const std::byte> file_;
  size_t position_ = 0;
  size_t count_ = 0;
  size_t element_bytes_ = 1;
};

/// A table of a flatbuffer from an untrusted source. Every offset is checked against the bytes before it is
/// followed; a defect throws a Failure whose place is `what`, the schema's name of the field.
class FlatTable {
 public:
  /// Returns the root of a flatbuffer.
  /// @param[in] identifier  four characters at bytes 4 to 7.
  static FlatTable root(std::span<const std::byte> file, std::string_view identifier);

  /// Returns a scalar field, or `absent`.
  /// @param[in] field  number in the schema, from 0.
  template <typename T>
  T scalar(int field, T absent, const char* what) const {
    const size_t position = find(field, sizeof(T), what);
    return position ? load<T>(position) : absent;
  }

  /// Returns a vector of scalars; empty where it is absent.
  /// @param[in] max_count  more elements are refused.
  template <typename T>
  FlatVector scalars(int field, size_t max_count, const char* what) const {
    return vector(field, sizeof(T), max_count, what);
  }

  /// Returns a vector of tables, for `element`.
  FlatVector tables(int field, size_t max_count, const char* what) const {
    return vector(field, sizeof(uint32_t), max_count, what);
  }
  FlatTable element(const FlatVector& tables, size_t i, const char* what) const;

  /// Returns a string without its final zero; empty where it is absent.
  std::string_view string(int field, size_t max_bytes, const char* what) const;

  /// Returns a table field, if it is there.
  std::optional<FlatTable> table(int field, const char* what) const;

 private:
  FlatTable(std::span<const std::byte> file, size_t position, const char* what);

  template <typename T>
  T load(size_t position) const {
    T value;
    std::memcpy(&value, file_.data() + position, sizeof(T));
    return value;
  }
  /// Returns where a field's value starts, 0 where it is absent.
  size_t find(int field, size_t field_bytes, const char* what) const;
  /// Returns where the offset at `position` points to.
  size_t follow(size_t position, const char* what) const;
  FlatVector vector(int field, size_t element_bytes, size_t max_count, const char* what) const;

  std::span<const std::byte> file_;
  size_t position_;      // of the table
  size_t vtable_;        // of its vtable
  size_t vtable_bytes_;  // at least 4
  size_t table_bytes_;   // at least 4
};

}  // namespace whit
