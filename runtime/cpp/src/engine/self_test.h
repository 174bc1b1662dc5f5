#pragma once

#include <memory>

#include "whit/model.h"
#include "whit/tflite_file.h"

namespace whit {

/// Runs the file's golden vectors (docs/format.md, section 9) on this machine.
/// @throws Failure that names the first difference, or what is wrong with the vectors.
void run_self_test(std::shared_ptr<const Model> model, const TfliteFile& file);

}  // namespace whit
