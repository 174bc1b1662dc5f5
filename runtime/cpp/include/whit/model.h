#pragma once

#include <memory>
#include <span>
#include <string>
#include <variant>

#include "whit/expected.h"
#include "whit/fail.h"
#include "whit/model_file.h"
#include "whit/offline_model.h"
#include "whit/transducer_model.h"

namespace whit {

/// What a `model.tflite` holds.
using Model = std::variant<std::shared_ptr<const TransducerModel>, std::shared_ptr<const OfflineModel>>;

/// Maps and checks a file.
Expected<Model> load_model(const std::string& path, const LoadOptions& options = {});

/// The same for bytes that the caller keeps for the model's lifetime.
/// @param[in] place  begins the messages.
Expected<Model> load_model(std::span<const std::byte> bytes, const std::string& place,
                           const LoadOptions& options = {});

/// Returns the model where it is of the kind T, else an error that says what each is.
template <typename T>
Expected<std::shared_ptr<const T>> of_kind(const Model& model, const std::string& place) {
  if (const auto* found = std::get_if<std::shared_ptr<const T>>(&model)) return *found;
  const auto kind = [](const auto& other) { return std::string(other->kKind); };
  return Error{.place = place, .expected = std::string(T::kKind), .received = std::visit(kind, model)};
}

/// Maps and checks a file of one kind.
template <typename T>
Expected<std::shared_ptr<const T>> load(const std::string& path, const LoadOptions& options = {}) {
  Expected<Model> model = load_model(path, options);
  if (!model) return model.error();
  return of_kind<T>(*model, path);
}

}  // namespace whit
