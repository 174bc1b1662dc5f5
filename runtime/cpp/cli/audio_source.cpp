#include "audio_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

namespace whit::cli {
namespace {

constexpr size_t kMaxChannels = 64;
constexpr uint16_t kPcm = 1;
constexpr uint16_t kIeeeFloat = 3;
constexpr uint16_t kExtensible = 0xFFFE;  // the type is then the first two bytes of a GUID

// Little-endian, as every machine this runs on.
template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

size_t sample_bytes(SampleType type) {
  return type == SampleType::kInt16 ? 2 : type == SampleType::kInt24 ? 3 : 4;
}

double load_sample(SampleType type, const std::byte* bytes) {
  if (type == SampleType::kFloat32) return load<float>(bytes);
  if (type == SampleType::kInt16) return load<int16_t>(bytes) * 0x1p-15;
  return (int32_t{load<int8_t>(bytes + 2)} * 65536 + load<uint16_t>(bytes)) * 0x1p-23;
}

std::optional<SampleType> sample_type(uint16_t code, uint16_t bits) {
  if (code == kPcm && bits == 16) return SampleType::kInt16;
  if (code == kPcm && bits == 24) return SampleType::kInt24;
  if (code == kIeeeFloat && bits == 32) return SampleType::kFloat32;
  return std::nullopt;
}

struct ChunkHeader {
  char id[4];
  uint32_t num_bytes;

  bool is(const char* name) const { return std::memcmp(id, name, 4) == 0; }
};

bool read_header(std::FILE* file, ChunkHeader& header) {
  std::byte bytes[8];
  if (std::fread(bytes, 1, sizeof(bytes), file) != sizeof(bytes)) return false;
  std::memcpy(header.id, bytes, 4);
  header.num_bytes = load<uint32_t>(bytes + 4);
  return true;
}

// Reads, as a pipe cannot seek.
bool skip(std::FILE* file, uint64_t num_bytes) {
  std::byte dropped[4096];
  for (uint64_t left = num_bytes; left > 0;) {
    const size_t count = std::fread(dropped, 1, size_t(std::min<uint64_t>(left, sizeof(dropped))), file);
    if (count == 0) return false;
    left -= count;
  }
  return true;
}

// Chunks are padded to even sizes.
uint64_t padded_bytes(const ChunkHeader& header) { return uint64_t{header.num_bytes} + header.num_bytes % 2; }

// What stands where a RIFF file should begin.
std::string describe_other(std::FILE* file, const ChunkHeader& header) {
  if (std::ferror(file)) return std::strerror(errno);  // a folder, for example
  if (std::feof(file)) return std::ftell(file) == 0 ? "an empty file" : "the end of the file";
  return header.is("RIFX") || header.is("RF64") ? std::string(header.id, 4) : "another file";
}

// Streaming writers leave a size 0 or at its greatest.
bool is_unknown(uint32_t num_bytes) { return num_bytes == 0 || num_bytes == UINT32_MAX; }

// Some leave one near 2^31, which a large file may have too.
constexpr uint32_t kLeastDoubtfulBytes = 0x7fff0000;

}  // namespace

Expected<AudioSource> AudioSource::open_wav(const std::string& path) {
  const auto refuse = [&](std::string expected, std::string received) {
    return Error{.place = path, .expected = std::move(expected), .received = std::move(received)};
  };
  AudioSource source;
  source.place_ = path;
  source.file_.reset(std::fopen(path.c_str(), "rb"));
  std::FILE* file = source.file_.get();
  if (!file) return refuse("a WAV file", std::strerror(errno));
  ChunkHeader header = {};
  char wave[4];
  if (!read_header(file, header) || !header.is("RIFF") || std::fread(wave, 1, 4, file) != 4 ||
      std::memcmp(wave, "WAVE", 4) != 0) {
    return refuse("a WAV file (little-endian RIFF)", describe_other(file, header));
  }
  const uint32_t riff_bytes = header.num_bytes;
  while (true) {
    if (!read_header(file, header)) return refuse("chunks fmt and data", "the end of the file");
    if (header.is("data")) break;
    if (!header.is("fmt ")) {
      if (!skip(file, padded_bytes(header))) return refuse("chunks fmt and data", "the end of the file");
      continue;
    }
    std::byte format[40] = {};
    const size_t num_bytes = std::min<size_t>(header.num_bytes, sizeof(format));
    if (header.num_bytes < 16 || std::fread(format, 1, num_bytes, file) != num_bytes ||
        !skip(file, padded_bytes(header) - num_bytes)) {
      return refuse("a chunk fmt of at least 16 bytes", std::to_string(header.num_bytes) + " bytes");
    }
    uint16_t code = load<uint16_t>(format);
    if (code == kExtensible && num_bytes >= 26) code = load<uint16_t>(format + 24);
    const uint16_t bits = load<uint16_t>(format + 14);
    const auto type = sample_type(code, bits);
    if (!type) {
      return refuse("16-bit or 24-bit PCM or 32-bit float",
                    "format " + std::to_string(code) + " of " + std::to_string(bits) + " bits");
    }
    source.type_ = *type;
    source.num_channels_ = load<uint16_t>(format + 2);
    const uint32_t rate = load<uint32_t>(format + 4);
    if (source.num_channels_ == 0 || source.num_channels_ > kMaxChannels) {
      return refuse("from 1 to " + std::to_string(kMaxChannels) + " channels",
                    std::to_string(source.num_channels_));
    }
    const size_t frame_bytes = source.num_channels_ * sample_bytes(*type);
    const uint16_t stated_bytes = load<uint16_t>(format + 12);
    if (stated_bytes != 0 && stated_bytes != frame_bytes) {  // some writers leave it out
      return refuse("frames of " + std::to_string(frame_bytes) + " bytes", std::to_string(stated_bytes));
    }
    if (rate == 0 || rate > uint32_t(std::numeric_limits<int32_t>::max())) {
      return refuse("a sample rate above 0 Hz", std::to_string(rate));
    }
    source.sample_rate_hz_ = int(rate);
  }
  if (source.sample_rate_hz_ == 0) return refuse("the chunk fmt before data", "data");
  // Of an unknown size, the file's end counts. A data size of 0 in a file of known size is no audio.
  const bool unknown = header.num_bytes == 0 ? is_unknown(riff_bytes) : is_unknown(header.num_bytes);
  source.bytes_left_ = unknown ? UINT64_MAX : header.num_bytes;
  source.is_size_certain_ = !unknown && header.num_bytes < kLeastDoubtfulBytes;
  return source;
}

AudioSource AudioSource::standard_input(int sample_rate_hz) {
  AudioSource source;
  source.place_ = "audio";
  source.file_.reset(stdin);
  source.sample_rate_hz_ = sample_rate_hz;
  source.is_raw_ = true;
  return source;
}

Expected<size_t> AudioSource::read(std::span<float> samples) {
  const size_t frame_bytes = sample_bytes(type_) * num_channels_;
  const uint64_t wanted = std::min<uint64_t>(samples.size(), bytes_left_ / frame_bytes);
  block_.resize(size_t(wanted) * frame_bytes);
  const size_t num_bytes = std::fread(block_.data(), 1, block_.size(), file_.get());
  const size_t num_frames = num_bytes / frame_bytes;
  // A signal that interrupts a read ends the audio.
  if (num_frames < wanted && std::ferror(file_.get()) && errno != EINTR) {
    return Error{
        .place = place_, .expected = "audio that can be read to its end", .received = std::strerror(errno)};
  }
  if (num_frames == 0 && wanted > 0 && is_size_certain_ && std::feof(file_.get())) {
    return Error{.place = place_,
                 .expected = std::to_string(bytes_left_) + " more bytes of audio",
                 .received = "the end of the file"};
  }
  if (is_raw_ && num_frames == 0 && num_bytes + loose_bytes_ > 0 && std::feof(file_.get())) {
    return Error{.place = place_,
                 .expected = "whole samples of " + std::to_string(frame_bytes) + " bytes",
                 .received = std::to_string(num_bytes + loose_bytes_) + " more bytes at the end"};
  }
  loose_bytes_ = num_bytes % frame_bytes;
  bytes_left_ -= num_frames * frame_bytes;
  for (size_t i = 0; i < num_frames; ++i) {
    const std::byte* frame = block_.data() + i * frame_bytes;
    if (num_channels_ == 1 && type_ == SampleType::kFloat32) {
      samples[i] = load<float>(frame);
      continue;
    }
    double sum = 0;  // so that no order of summing shows in the result
    for (size_t channel = 0; channel < num_channels_; ++channel) {
      sum += load_sample(type_, frame + channel * sample_bytes(type_));
    }
    samples[i] = float(sum / double(num_channels_));
  }
  return num_frames;
}

}  // namespace whit::cli
