#include "whit/model_file.h"

#include <algorithm>
#include <system_error>

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
  if (version != "2") fail("whit.format_version", "2", "another version");
  const std::string_view dialect = metadata_text(file, "whit.dialect", 64);
  if (dialect != "whit")
    fail("whit.dialect", "whit", dialect.starts_with("stock") ? "stock" : "another dialect");
  return metadata_text(file, "whit.config", kMaxConfigBytes);
}

std::unique_ptr<ThreadPool> make_threads(size_t num_threads) {
  if (num_threads < 1 || num_threads > ThreadPool::kMaxThreads) {
    fail("num_threads", text("from 1 to ", ThreadPool::kMaxThreads), text(num_threads));
  }
  if (num_threads == 1) return nullptr;
  try {
    return std::make_unique<ThreadPool>(num_threads);
  } catch (const std::system_error& error) {
    fail("num_threads", text(num_threads, " threads of the system"), error.what());
  }
}

}  // namespace

ModelFile::ModelFile(std::optional<MappedFile> mapping, std::span<const std::byte> bytes,
                     const TfliteFile& file, size_t num_threads)
    : mapping_(std::move(mapping)),
      bytes_(bytes),
      data_section_bytes_(file.data_section_bytes),
      config_text_(checked_config_text(file)),
      weights_sha256_(checked_sha256(file)),
      thread_pool_(make_threads(num_threads)) {}

}  // namespace whit
