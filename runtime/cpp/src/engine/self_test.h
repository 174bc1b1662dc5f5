#pragma once

#include <memory>

#include "whit/offline_model.h"
#include "whit/tflite_file.h"
#include "whit/transducer_model.h"

namespace whit {

/// Runs the file's golden vectors (docs/format.md, sections 9 and 10) on this machine.
/// @throws Failure that names the first output that differs, or what is wrong with the vectors.
void run_self_test(std::shared_ptr<const TransducerModel> model, const TfliteFile& file);
void run_self_test(std::shared_ptr<const OfflineModel> model, const TfliteFile& file);

}  // namespace whit
