#include "whit/tflite_file.h"

#include <algorithm>

#include "whit/fail.h"

namespace whit {
namespace {

// More is no model: bounds what a hostile file can make the loader do.
constexpr size_t kMaxBuffers = 1 << 16;
constexpr size_t kMaxSubgraphs = 16;
constexpr size_t kMaxTensors = 4096;
constexpr size_t kMaxOperators = 1024;
constexpr size_t kMaxOperatorPorts = 64;
constexpr size_t kMaxOperatorCodes = 256;
constexpr size_t kMaxMetadata = 256;
constexpr size_t kMaxNameBytes = 1024;
constexpr size_t kMaxCustomOptionsBytes = 256;
constexpr int64_t kMaxElements = (int64_t{1} << 31) - 1;
constexpr size_t kMaxFlatbufferBytes = (size_t{1} << 31) - 1;  // offsets are 32 bits

constexpr uint64_t kNone = UINT64_MAX;
constexpr size_t kDataSectionAlignment = 64 << 10;
constexpr size_t kArrayAlignment = 64;
constexpr size_t kTailBytes = 4096;  // kernels may prefetch past the last array

// A Buffer is empty (computed tensors), inside the flatbuffer, or in the data section.
struct FileBuffer {
  std::span<const std::byte> content;
  bool in_data_section = false;
};

struct OperatorCode {
  int32_t builtin_code;
  std::string_view custom_name;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : file_(file) {}

  TfliteFile read() {
    find_data_section();
    const FlatTable model = FlatTable::root(flatbuffer_, "TFL3");
    const auto version = model.scalar<uint32_t>(0, 0, "Model.version");
    if (version != 3) fail("Model.version", "schema 3", text(version));
    read_buffers(model);
    read_operator_codes(model);
    TfliteFile result;
    result.data_section_bytes = file_.size() - flatbuffer_.size();
    const FlatVector subgraphs = model.tables(2, kMaxSubgraphs, "Model.subgraphs");
    for (size_t i = 0; i < subgraphs.count(); ++i) {
      result.subgraphs.push_back(read_subgraph(model.element(subgraphs, i, "Model.subgraphs")));
    }
    const FlatVector signatures = model.tables(7, kMaxSubgraphs, "Model.signature_defs");
    for (size_t i = 0; i < signatures.count(); ++i) {
      const FlatTable table = model.element(signatures, i, "Model.signature_defs");
      result.signatures.push_back(read_signature(table, result.subgraphs));
    }
    const FlatVector metadata = model.tables(6, kMaxMetadata, "Model.metadata");
    for (size_t i = 0; i < metadata.count(); ++i) {
      const FlatTable table = model.element(metadata, i, "Model.metadata");
      const auto buffer = table.scalar<uint32_t>(1, 0, "Metadata.buffer");
      const FileBuffer& content = buffer_at(buffer, "Metadata.buffer");
      if (content.in_data_section) fail("Metadata.buffer", "bytes inside the flatbuffer", "others");
      result.metadata.push_back(
          {.name = table.string(0, kMaxNameBytes, "Metadata.name"), .content = content.content});
    }
    return result;
  }

 private:
  // The first array begins the data section, and nothing of the flatbuffer may reach into it.
  void find_data_section() {
    const auto whole = file_.first(std::min(file_.size(), kMaxFlatbufferBytes));
    const FlatTable model = FlatTable::root(whole, "TFL3");
    const FlatVector buffers = model.tables(4, kMaxBuffers, "Model.buffers");
    uint64_t start = kNone;
    for (size_t i = 0; i < buffers.count(); ++i) {
      const FlatTable buffer = model.element(buffers, i, "Model.buffers");
      const auto offset = buffer.scalar<uint64_t>(1, 0, "Buffer.offset");
      if (offset > 1) start = std::min(start, offset);  // the schema uses 0 and 1 for "none"
    }
    if (start == kNone) {  // of another dialect, which its metadata will say
      flatbuffer_ = whole;
      return;
    }
    if (start % kDataSectionAlignment) {
      fail("data section", text("a start at a multiple of ", kDataSectionAlignment), text("byte ", start));
    }
    const uint64_t num_bytes = file_.size() - std::min<uint64_t>(start, file_.size());
    if (num_bytes < kTailBytes) {
      fail("data section", text("at least the ", kTailBytes, " bytes that end a file"), text(num_bytes));
    }
    const auto tail = file_.last(kTailBytes);
    if (std::ranges::any_of(tail, [](std::byte byte) { return byte != std::byte{0}; })) {
      fail("data section", text(kTailBytes, " zero bytes at the end"), "others");
    }
    flatbuffer_ = file_.first(std::min(size_t(start), kMaxFlatbufferBytes));
  }

  void read_buffers(const FlatTable& model) {
    const FlatVector buffers = model.tables(4, kMaxBuffers, "Model.buffers");
    for (size_t i = 0; i < buffers.count(); ++i) {
      const std::string place = text("buffer ", i);
      const FlatTable buffer = model.element(buffers, i, "Model.buffers");
      const auto offset = buffer.scalar<uint64_t>(1, 0, "Buffer.offset");
      const auto num_bytes = buffer.scalar<uint64_t>(2, 0, "Buffer.size");
      const FlatVector data = buffer.scalars<uint8_t>(0, kMaxFlatbufferBytes, "Buffer.data");
      if (offset <= 1) {
        if (num_bytes > 1) fail(place, "an offset beside the size", text("a size of ", num_bytes, " alone"));
        buffers_.push_back({.content = data.bytes()});
        continue;
      }
      const uint64_t end = file_.size() - kTailBytes;
      if (offset > end || num_bytes > end - offset) {
        fail(place, text("bytes within the data section, which ends at ", end),
             text(num_bytes, " from ", offset));
      }
      if (offset % kArrayAlignment) {
        fail(place, text("an offset at a multiple of ", kArrayAlignment), text(offset));
      }
      if (data.count()) fail(place, "data in one place", "both inside and behind the flatbuffer");
      buffers_.push_back({.content = file_.subspan(offset, num_bytes), .in_data_section = true});
    }
  }

  void read_operator_codes(const FlatTable& model) {
    const FlatVector codes = model.tables(1, kMaxOperatorCodes, "Model.operator_codes");
    for (size_t i = 0; i < codes.count(); ++i) {
      const FlatTable code = model.element(codes, i, "Model.operator_codes");
      const int32_t old_code = code.scalar<int8_t>(0, 0, "OperatorCode.deprecated_builtin_code");
      const auto new_code = code.scalar<int32_t>(3, 0, "OperatorCode.builtin_code");
      codes_.push_back({.builtin_code = std::max(old_code, new_code),
                        .custom_name = code.string(1, kMaxNameBytes, "OperatorCode.custom_code")});
      const auto version = code.scalar<int32_t>(2, 1, "OperatorCode.version");
      if (codes_.back().builtin_code == 32 && version != 1) {
        fail(text("operator ", codes_.back().custom_name), "version 1", text(version));
      }
    }
  }

  const FileBuffer& buffer_at(size_t index, const char* what) const {
    if (index >= buffers_.size()) fail(what, text("a buffer below ", buffers_.size()), text(index));
    return buffers_[index];
  }

  TfliteTensor read_tensor(const FlatTable& table) const {
    TfliteTensor tensor{.name = table.string(3, kMaxNameBytes, "Tensor.name"),
                        .type = TensorType(table.scalar<uint8_t>(1, 0, "Tensor.type"))};
    const std::string place = text("tensor ", tensor.name);
    if (element_bytes(tensor.type) == 0) {
      fail(place, "type float32, int32, uint8, int16 or int8", text("type ", int(tensor.type)));
    }
    const FlatVector dims = table.scalars<int32_t>(0, Shape::kMaxRank, "Tensor.shape");
    tensor.shape.rank = int(dims.count());
    int64_t count = 1;
    for (size_t i = 0; i < dims.count(); ++i) {
      const int64_t dim = dims.scalar<int32_t>(i);
      if (dim < 1 || dim > kMaxElements / count) {
        fail(place, text("lengths from 1 and at most ", kMaxElements, " elements"),
             text("a length of ", dim));
      }
      tensor.shape.dims[i] = dim;
      count *= dim;
    }
    const auto index = table.scalar<uint32_t>(2, 0, "Tensor.buffer");
    const FileBuffer& buffer = buffer_at(index, "Tensor.buffer");
    if (index == 0 || (buffer.content.empty() && !buffer.in_data_section)) return tensor;  // computed
    if (buffer.content.size() != tensor.num_bytes()) {
      fail(place, text(tensor.num_bytes(), " bytes for ", type_name(tensor.type), " ", tensor.shape.text()),
           text(buffer.content.size()));
    }
    tensor.constant = buffer.content;
    tensor.in_data_section = buffer.in_data_section;
    return tensor;
  }

  TfliteOperator read_operator(const FlatTable& table, size_t num_tensors) const {
    const auto index = table.scalar<uint32_t>(0, 0, "Operator.opcode_index");
    if (index >= codes_.size()) {
      fail("Operator.opcode_index", text("a code below ", codes_.size()), text(index));
    }
    TfliteOperator op{
        .builtin_code = codes_[index].builtin_code,
        .custom_name = codes_[index].custom_name,
        .inputs = read_indices(table, 1, kMaxOperatorPorts, -1, num_tensors, "Operator.inputs"),
        .outputs = read_indices(table, 2, kMaxOperatorPorts, 0, num_tensors, "Operator.outputs"),
        .custom_options =
            table.scalars<uint8_t>(5, kMaxCustomOptionsBytes, "Operator.custom_options").bytes(),
        .options_type = table.scalar<uint8_t>(3, 0, "Operator.builtin_options_type"),
        .options = table.table(4, "Operator.builtin_options"),
    };
    if (table.scalar<uint64_t>(9, 0, "Operator.large_custom_options_offset") > 1) {
      fail("Operator.large_custom_options_offset", "none", "one");
    }
    return op;
  }

  static std::vector<int32_t> read_indices(const FlatTable& table, int field, size_t max_count, int32_t least,
                                           size_t num_tensors, const char* what) {
    const FlatVector values = table.scalars<int32_t>(field, max_count, what);
    std::vector<int32_t> indices(values.count());
    for (size_t i = 0; i < indices.size(); ++i) {
      indices[i] = values.scalar<int32_t>(i);
      if (indices[i] < least || indices[i] >= int64_t(num_tensors)) {
        fail(what, text("tensors from ", least, " to ", int64_t(num_tensors) - 1), text(indices[i]));
      }
    }
    return indices;
  }

  TfliteSubgraph read_subgraph(const FlatTable& table) const {
    TfliteSubgraph subgraph;
    const FlatVector tensors = table.tables(0, kMaxTensors, "SubGraph.tensors");
    for (size_t i = 0; i < tensors.count(); ++i) {
      subgraph.tensors.push_back(read_tensor(table.element(tensors, i, "SubGraph.tensors")));
    }
    const size_t count = tensors.count();
    subgraph.inputs = read_indices(table, 1, kMaxOperatorPorts, 0, count, "SubGraph.inputs");
    subgraph.outputs = read_indices(table, 2, kMaxOperatorPorts, 0, count, "SubGraph.outputs");
    const FlatVector operators = table.tables(3, kMaxOperators, "SubGraph.operators");
    for (size_t i = 0; i < operators.count(); ++i) {
      subgraph.operators.push_back(read_operator(table.element(operators, i, "SubGraph.operators"), count));
    }
    return subgraph;
  }

  static std::vector<NamedTensor> read_names(const FlatTable& table, int field, size_t num_tensors,
                                             const char* what) {
    const FlatVector maps = table.tables(field, kMaxOperatorPorts, what);
    std::vector<NamedTensor> names;
    for (size_t i = 0; i < maps.count(); ++i) {
      const FlatTable map = table.element(maps, i, what);
      const auto tensor = map.scalar<uint32_t>(1, 0, "TensorMap.tensor_index");
      if (tensor >= num_tensors) {
        fail("TensorMap.tensor_index", text("a tensor below ", num_tensors), text(tensor));
      }
      names.push_back({.name = map.string(0, kMaxNameBytes, "TensorMap.name"), .tensor = int32_t(tensor)});
    }
    return names;
  }

  static TfliteSignature read_signature(const FlatTable& table,
                                        const std::vector<TfliteSubgraph>& subgraphs) {
    const auto index = table.scalar<uint32_t>(4, 0, "SignatureDef.subgraph_index");
    if (index >= subgraphs.size()) {
      fail("SignatureDef.subgraph_index", text("a subgraph below ", subgraphs.size()), text(index));
    }
    const size_t num_tensors = subgraphs[index].tensors.size();
    return {.key = table.string(2, kMaxNameBytes, "SignatureDef.signature_key"),
            .subgraph = index,
            .inputs = read_names(table, 0, num_tensors, "SignatureDef.inputs"),
            .outputs = read_names(table, 1, num_tensors, "SignatureDef.outputs")};
  }

  std::span<const std::byte> file_;
  std::span<const std::byte> flatbuffer_;
  std::vector<FileBuffer> buffers_;
  std::vector<OperatorCode> codes_;
};

}  // namespace

size_t element_bytes(TensorType type) {
  switch (type) {
    case TensorType::kFloat32:
    case TensorType::kInt32:
      return 4;
    case TensorType::kInt16:
      return 2;
    case TensorType::kUint8:
    case TensorType::kInt8:
      return 1;
  }
  return 0;  // a number of the file that is none of ours
}

const char* type_name(TensorType type) {
  switch (type) {
    case TensorType::kFloat32:
      return "float32";
    case TensorType::kInt32:
      return "int32";
    case TensorType::kUint8:
      return "uint8";
    case TensorType::kInt16:
      return "int16";
    case TensorType::kInt8:
      return "int8";
  }
  return "unknown";
}

int64_t Shape::count() const {
  int64_t product = 1;
  for (int axis = 0; axis < rank; ++axis) product *= dims[size_t(axis)];
  return product;
}

std::string Shape::text() const {
  std::string result = "(";
  for (int axis = 0; axis < rank; ++axis) {
    if (axis) result += ", ";
    result += dims[size_t(axis)] < 0 ? "any" : std::to_string(dims[size_t(axis)]);
  }
  return result + ")";
}

std::span<const std::byte> TfliteFile::metadata_content(std::string_view name) const {
  for (const TfliteMetadata& entry : metadata) {
    if (entry.name == name) return entry.content;
  }
  fail("metadata", text("the entry ", name), "none");
}

const TfliteSignature& TfliteFile::signature(std::string_view key) const {
  for (const TfliteSignature& entry : signatures) {
    if (entry.key == key) return entry;
  }
  fail("signatures", text("the signature ", key), "none");
}

TfliteFile read_tflite(std::span<const std::byte> file) { return Reader(file).read(); }

}  // namespace whit
