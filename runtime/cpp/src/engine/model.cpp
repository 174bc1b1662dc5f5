#include "whit/model.h"

#include <algorithm>
#include <exception>
#include <new>

#include "engine/self_test.h"
#include "whit/fail.h"

namespace whit {
namespace {

constexpr size_t kMaxConfigBytes = 4 << 20;

std::string_view metadata_text(const TfliteFile& file, std::string_view name, size_t max_bytes) {
  const std::span<const std::byte> content = file.metadata_content(name);
  if (content.size() > max_bytes) fail(name, text("at most ", max_bytes, " bytes"), text(content.size()));
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

std::string_view checked_sha256(const TfliteFile& file) {
  const std::string_view digest = metadata_text(file, "whit.weights_sha256", 64);
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (digest.size() != 64 || !std::ranges::all_of(digest, is_hex)) {
    fail("whit.weights_sha256", "64 hexadecimal digits", text(digest.size(), " other bytes"));
  }
  return digest;
}

std::string_view checked_config_text(const TfliteFile& file) {
  const std::string_view version = metadata_text(file, "whit.format_version", 64);
  if (version != "1") fail("whit.format_version", "1", "another version");
  const std::string_view dialect = metadata_text(file, "whit.dialect", 64);
  if (dialect != "whit")
    fail("whit.dialect", "whit", dialect.starts_with("stock") ? "stock" : "another dialect");
  return metadata_text(file, "whit.config", kMaxConfigBytes);
}

void check_port(std::string_view place, const Graph::Port& port, TensorType type, Shape expected) {
  if (port.type == type && port.shape == expected) return;
  fail(place, text(type_name(type), " ", expected.text()),
       text(type_name(port.type), " ", port.shape.text()));
}

// The names of the encoder's ports: the first, then all states.
std::vector<std::string> encode_ports(const ModelConfig& config, std::string first, std::string_view suffix) {
  std::vector<std::string> names = {std::move(first)};
  for (const StateShape& state : config.encoder_states) names.push_back(text(state.name, suffix));
  return names;
}

Shape matrix(int64_t rows, int64_t cols) { return {.rank = 2, .dims = {rows, cols}}; }

// Turns whatever a loader throws into a value, with the file's name in front.
template <typename Load>
Expected<std::shared_ptr<const Model>> guarded(const std::string& place, Load load) {
  try {
    return load();
  } catch (const Failure& failure) {
    Error error = failure.error();
    error.place = text(place, ": ", error.place);
    return error;
  } catch (const std::bad_alloc&) {
    return Error{.place = place, .expected = "enough memory", .received = "none"};
  } catch (const std::exception& error) {
    return Error{.place = place, .expected = "a model", .received = error.what()};
  }
}

}  // namespace

Expected<std::shared_ptr<const Model>> Model::load(const std::string& path, const LoadOptions& options) {
  Expected<MappedFile> mapping = MappedFile::open(path);
  if (!mapping) return mapping.error();
  return guarded(path, [&] {
    const std::span<const std::byte> bytes = (*mapping).bytes();
    return make(std::move(*mapping), bytes, options);
  });
}

Expected<std::shared_ptr<const Model>> Model::load(std::span<const std::byte> bytes, const std::string& place,
                                                   const LoadOptions& options) {
  return guarded(place, [&] { return make(std::nullopt, bytes, options); });
}

std::shared_ptr<const Model> Model::make(std::optional<MappedFile> mapping, std::span<const std::byte> bytes,
                                         const LoadOptions& options) {
  if (options.num_threads < 1 || options.num_threads > ThreadPool::kMaxThreads) {
    fail("num_threads", text("from 1 to ", ThreadPool::kMaxThreads), text(options.num_threads));
  }
  const TfliteFile file = read_tflite(bytes);
  const std::shared_ptr<const Model> model(new Model(std::move(mapping), bytes, file, options.num_threads));
  model->check_signatures();
  if (options.self_test) run_self_test(model, file);
  return model;
}

Model::Model(std::optional<MappedFile> mapping, std::span<const std::byte> bytes, const TfliteFile& file,
             size_t num_threads)
    : mapping_(std::move(mapping)),
      bytes_(bytes),
      data_section_bytes_(file.data_section_bytes),
      config_text_(checked_config_text(file)),
      weights_sha256_(checked_sha256(file)),
      config_(parse_model_config(config_text_)),
      encode_(file, "encode", encode_ports(config_, "features", ""),
              encode_ports(config_, "encoded", "_next")),
      predict_(file, "predict", {"token", "h", "c"}, {"predicted", "h_next", "c_next"}),
      join_(file, "join", {"encoded", "predicted"}, {"logits"}),
      thread_pool_(num_threads > 1 ? std::make_unique<ThreadPool>(num_threads) : nullptr) {}

void Model::check_signatures() const {
  const auto f32 = TensorType::kFloat32;
  check_port("encode features", encode_.input(0), f32, matrix(config_.chunk_frames, config_.num_mels));
  check_port("encode encoded", encode_.output(0), f32, matrix(encoded_frames(), config_.joint_hidden));
  for (size_t i = 0; i < config_.encoder_states.size(); ++i) {
    const StateShape& state = config_.encoder_states[i];
    const std::string name = "encode " + state.name;
    check_port(name, encode_.input(1 + i), f32, matrix(state.rows, state.cols));
    check_port(name + "_next", encode_.output(1 + i), f32, matrix(state.rows, state.cols));
  }

  const Shape joint = matrix(1, config_.joint_hidden);
  const Shape history = matrix(config_.predictor_state[0], config_.predictor_state[1]);
  check_port("predict token", predict_.input(0), TensorType::kInt32, {.rank = 1, .dims = {1}});
  check_port("predict h", predict_.input(1), f32, history);
  check_port("predict c", predict_.input(2), f32, history);
  check_port("predict predicted", predict_.output(0), f32, joint);
  check_port("predict h_next", predict_.output(1), f32, history);
  check_port("predict c_next", predict_.output(2), f32, history);

  check_port("join encoded", join_.input(0), f32, joint);
  check_port("join predicted", join_.input(1), f32, joint);
  check_port("join logits", join_.output(0), f32, matrix(1, config_.blank() + 1));
}

size_t Model::encoder_state_floats() const {
  size_t count = 0;
  for (size_t i = 1; i < encode_.num_inputs(); ++i) count += size_t(encode_.input(i).shape.count());
  return count;
}

size_t Model::arena_bytes() const {
  return std::max({encode_.arena_bytes(), predict_.arena_bytes(), join_.arena_bytes()});
}

}  // namespace whit
