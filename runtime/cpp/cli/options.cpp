#include "options.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace whit::cli {

Expected<Options> parse_options(int num_arguments, char** arguments) {
  Options options;
  const auto refuse = [](std::string_view place, std::string expected, std::string_view received) {
    return Error{
        .place = std::string(place), .expected = std::move(expected), .received = std::string(received)};
  };
  // The number from 1 on that follows an option; what stands there instead, if none.
  const auto read_number = [&](int& i, int& number) -> std::optional<std::string_view> {
    const std::string_view value = ++i < num_arguments ? arguments[i] : "";
    const auto result = std::from_chars(value.data(), value.data() + value.size(), number);
    if (result.ec == std::errc{} && result.ptr == value.data() + value.size() && number >= 1) return {};
    return value.empty() ? "none" : value;
  };
  for (int i = 1; i < num_arguments; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--paced") {
      options.paced = true;
    } else if (argument == "--utterances") {
      options.utterances = true;
    } else if (argument == "--json") {
      options.json = true;
    } else if (argument == "--chunks") {
      options.chunks = true;
    } else if (argument == "--no-self-test") {
      options.self_test = false;
    } else if (argument == "--help") {
      options.help = true;
      return options;
    } else if (argument == "--raw") {
      const auto other = read_number(i, options.raw_rate_hz);
      if (other) return refuse("--raw", "a sample rate in Hz", *other);
    } else if (argument == "--threads") {
      const auto other = read_number(i, options.num_threads);
      if (other) return refuse("--threads", "a number of threads", *other);
    } else if (argument.starts_with("-")) {
      return refuse("whit-cli", "an option of --help", argument);
    } else if (options.model.empty()) {
      options.model = argument;
    } else if (options.audio.empty()) {
      options.audio = argument;
    } else {
      return refuse("whit-cli", "one model and one recording", argument);
    }
  }
  if (options.chunks && !options.json) return refuse("--chunks", "--json beside it", "none");
  if (options.utterances && options.json) return refuse("--utterances", "no --json beside it", "--json");
  if (options.model.empty()) return refuse("whit-cli", "a model (see --help)", "none");
  if (options.audio.empty() == (options.raw_rate_hz == 0)) {
    return refuse("whit-cli", "a WAV file or --raw RATE", options.raw_rate_hz ? "both" : "neither");
  }
  return options;
}

}  // namespace whit::cli
