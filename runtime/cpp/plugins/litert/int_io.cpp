#include "int_io.h"

#include "whit/fail.h"
#include "whit/valid_rows.h"

namespace whit::litert {

size_t utterance_rows(const OpNode& node, TfLiteContext* context, size_t index, int64_t num_rows) {
  int32_t length = 0;
  std::memcpy(&length, node.input(context, index, "length", kInt32, {1}).data, sizeof(length));
  return valid_rows(length, size_t(num_rows));
}

void check_length(const OpNode& node, TfLiteContext* context, size_t index) {
  node.input_shape(context, index, "length", kInt32, {1});
}

const int16_t* int16_values(const OpNode& node, const Tensor& tensor) {
  if (reinterpret_cast<uintptr_t>(tensor.data) % alignof(int16_t)) {
    fail(node.op(), "int16 values at an even address", "an odd one");
  }
  return static_cast<const int16_t*>(tensor.data);
}

void write_count(const OpNode& node, TfLiteContext* context, size_t index, const char* name, size_t count) {
  if (!node.has_memory(context, index, name)) return;
  const int32_t value = int32_t(count);
  std::memcpy(node.output<int32_t>(context, index, name, {1}), &value, sizeof(value));
}

}  // namespace whit::litert
