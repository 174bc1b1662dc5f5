#include "int_io.h"

#include "whit/fail.h"
#include "whit/valid_rows.h"

namespace whit::ort {

size_t utterance_rows(const Call& call, size_t index, int64_t num_rows) {
  int32_t length = 0;
  std::memcpy(&length, call.input(index, "length", kInt32, {1}).data, sizeof(length));
  return valid_rows(length, size_t(num_rows));
}

const int16_t* int16_values(const char* op, const Tensor& tensor) {
  if (reinterpret_cast<uintptr_t>(tensor.data) % alignof(int16_t)) {
    fail(op, "int16 values at an even address", "an odd one");
  }
  return static_cast<const int16_t*>(tensor.data);
}

void write_count(const Call& call, size_t index, const char* name, size_t count) {
  *call.output<int32_t>(index, name, {1}) = int32_t(count);
}

}  // namespace whit::ort
