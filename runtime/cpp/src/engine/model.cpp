#include "whit/model.h"

#include <exception>
#include <new>

#include "engine/self_test.h"

namespace whit {
namespace {

template <typename T>
Model make_model(ModelFile file, const TfliteFile& contents, bool self_test) {
  const auto model = std::make_shared<const T>(std::move(file), contents);
  if (self_test) run_self_test(model, contents);
  return model;
}

Model make(std::optional<MappedFile> mapping, std::span<const std::byte> bytes, const LoadOptions& options) {
  const TfliteFile contents = read_tflite(bytes);
  ModelFile file(std::move(mapping), bytes, contents, options.num_threads);
  if (is_offline(file.config_text())) {
    return make_model<OfflineModel>(std::move(file), contents, options.self_test);
  }
  return make_model<TransducerModel>(std::move(file), contents, options.self_test);
}

// Turns whatever a loader throws into a value, with the file's name in front.
template <typename Load>
Expected<Model> guarded(const std::string& place, Load load) {
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

Expected<Model> load_model(const std::string& path, const LoadOptions& options) {
  Expected<MappedFile> mapping = MappedFile::open(path);
  if (!mapping) return mapping.error();
  return guarded(path, [&] {
    const std::span<const std::byte> bytes = (*mapping).bytes();
    return make(std::move(*mapping), bytes, options);
  });
}

Expected<Model> load_model(std::span<const std::byte> bytes, const std::string& place,
                           const LoadOptions& options) {
  return guarded(place, [&] { return make(std::nullopt, bytes, options); });
}

}  // namespace whit
