/*
How near packed products come to reading memory: cold, one row of activations, one thread, no runtime.

    cmake -S runtime/cpp -B build/cli -G Ninja && cmake --build build/cli --target whit_core
    g++ -std=c++20 -O3 -Iruntime/cpp/include benchmarks/read_floor.cpp \
        build/cli/libwhit_core.a -pthread -o build/read_floor
    build/read_floor FOLDER [ROUNDS] [MILLIONS]

Files of MILLIONS * 2^20 weights (64) are written to FOLDER, mapped, and removed. Each of ROUNDS (15) reads
every method's file once and then runs every method over its layers in order, so that in between the
others' weights fill the caches. Times are this thread's own; a ratio is the median over rounds, a row the
geometric mean over shapes.
*/

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "whit/aligned_buffer.h"
#include "whit/mapped_file.h"
#include "whit/matmul.h"
#include "whit/packed_view.h"

namespace {

struct Shape {
  size_t rows, cols;
};
struct Method {
  const char* layout;
  int bits;
};

constexpr Shape kShapes[] = {{4096, 1024}, {4096, 2048}, {2560, 640}, {1024, 640}, {2048, 512}};
constexpr Method kMethods[] = {{"E", 8}, {"E", 5}, {"E", 4}, {"P", 3}, {"P", 2}, {"P", 1}};
constexpr size_t kTailBytes = 4096;  // kernels may prefetch past the last array

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// One tile's codebook: evenly spaced codes in [-64, 63], or planes that sum to them.
std::vector<int8_t> codebook_of(whit::Layout layout, int bits) {
  std::vector<int8_t> entries(whit::codebook_width(layout, bits));
  const int step = 127 / ((1 << bits) - 1);
  for (size_t i = 0; i < entries.size(); ++i) {
    if (layout == whit::Layout::kP) {
      entries[i] = int8_t(i == 0 ? -64 : step << (size_t(bits) - i));
    } else {
      entries[i] = int8_t(-64 + step * int(i % (size_t{1} << bits)));
    }
  }
  return entries;
}

/// Layers of one method in a mapped file that has no name any more.
class Layers {
 public:
  Layers(const Method& method, const Shape& shape, size_t num_layers, const std::string& path)
      : file_(write(method, shape, num_layers, path)), y_(shape.rows) {
    std::remove(path.c_str());
    const bool is_e = method.layout[0] == 'E';
    const whit::Layout layout = is_e ? whit::Layout::kE : whit::Layout::kP;
    const size_t width = whit::codebook_width(layout, method.bits), tiles = shape.rows / 16;
    const std::byte* at = file_.bytes().data();
    for (size_t i = 0; i < num_layers; ++i) {
      const size_t data_bytes = shape.rows * shape.cols * size_t(method.bits) / 8;
      const std::byte* codebook = at + aligned(data_bytes);
      const std::byte* scale = codebook + aligned(tiles * width);
      views_.push_back(whit::view_packed_matrix("layer", {.rows = int64_t(shape.rows),
                                                          .cols = int64_t(shape.cols),
                                                          .bits = method.bits,
                                                          .layout = method.layout,
                                                          .data = at,
                                                          .data_bytes = data_bytes,
                                                          .codebook = width ? codebook : nullptr,
                                                          .codebook_tiles = tiles,
                                                          .codebook_width = width,
                                                          .scale = scale,
                                                          .scale_count = shape.rows}));
      at = scale + aligned(shape.rows * sizeof(float));
    }
    scratch_bytes_.resize(whit::matmul_scratch_bytes(views_[0], 1) + 64);
    x_.assign(shape.cols, 0.0f);
    std::mt19937 random(1);
    for (float& value : x_) value = float(random() % 2001) / 1000.0f - 1.0f;
  }

  double read_seconds() const {
    const double start = thread_seconds();
    const auto* words = reinterpret_cast<const uint64_t*>(file_.bytes().data());
    uint64_t all = 0;
    for (size_t i = 0; i < file_.bytes().size() / 8; ++i) all |= words[i];
    sink = all;
    return thread_seconds() - start;
  }

  double run_seconds() {
    auto* scratch = reinterpret_cast<std::byte*>(aligned(reinterpret_cast<size_t>(scratch_bytes_.data())));
    const double start = thread_seconds();
    for (const whit::PackedMatrix& w : views_) {
      whit::matmul(w, whit::FloatView(x_.data()), 1, y_.data(), scratch);
    }
    return thread_seconds() - start;
  }

  double num_bytes() const { return double(file_.bytes().size()); }

 private:
  static whit::MappedFile write(const Method& method, const Shape& shape, size_t num_layers,
                                const std::string& path) {
    const whit::Layout layout = method.layout[0] == 'E' ? whit::Layout::kE : whit::Layout::kP;
    const std::vector<int8_t> tile = codebook_of(layout, method.bits);
    std::vector<uint8_t> data(shape.rows * shape.cols * size_t(method.bits) / 8);
    std::vector<int8_t> codebook;
    for (size_t i = 0; i < shape.rows / 16; ++i) codebook.insert(codebook.end(), tile.begin(), tile.end());
    const std::vector<float> scale(shape.rows, 0.01f);
    std::mt19937 random(0);
    std::ofstream file(path, std::ios::binary);
    const auto put = [&](const void* bytes, size_t count) {
      file.write(static_cast<const char*>(bytes), std::streamsize(count));
      file.write(std::string(aligned(count) - count, '\0').data(), std::streamsize(aligned(count) - count));
    };
    for (size_t i = 0; i < num_layers; ++i) {
      for (uint8_t& byte : data) byte = uint8_t(random() | (method.bits == 8 ? 1 : 0));
      put(data.data(), data.size());
      put(codebook.data(), codebook.size());
      put(scale.data(), scale.size() * sizeof(float));
    }
    file.write(std::string(kTailBytes, '\0').data(), kTailBytes);
    file.close();
    auto mapped = file ? whit::MappedFile::open(path)
                       : whit::Expected<whit::MappedFile>(
                             whit::Error{.place = path, .expected = "a file", .received = "a failed write"});
    if (!mapped) {
      std::fprintf(stderr, "%s\n", mapped.error().text().c_str());
      std::exit(2);
    }
    return std::move(*mapped);
  }

  static inline volatile uint64_t sink = 0;

  whit::MappedFile file_;
  std::vector<std::byte> scratch_bytes_;
  std::vector<whit::PackedMatrix> views_;
  std::vector<float> x_, y_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: read_floor FOLDER [ROUNDS] [MILLIONS]\n");
    return 2;
  }
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 15;
  const size_t num_weights = size_t(argc > 3 ? std::max(1, std::atoi(argv[3])) : 64) << 20;
  constexpr size_t kNumMethods = std::size(kMethods);
  std::vector<double> share(kNumMethods, 0.0), speed(kNumMethods, 0.0), reading(kNumMethods, 0.0);
  for (const Shape& shape : kShapes) {
    std::vector<Layers> methods;
    methods.reserve(kNumMethods);
    for (const Method& method : kMethods) {
      const size_t num_layers = std::max(size_t{1}, num_weights / (shape.rows * shape.cols));
      methods.emplace_back(method, shape, num_layers, std::string(argv[1]) + "/read_floor.bin");
    }
    std::vector<std::vector<double>> ratios(kNumMethods), runs(kNumMethods), reads(kNumMethods);
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < kNumMethods; ++i) reads[i].push_back(methods[i].read_seconds());
      for (size_t i = 0; i < kNumMethods; ++i) {
        runs[i].push_back(methods[i].run_seconds());
        ratios[i].push_back(reads[i].back() / runs[i].back());
      }
    }
    for (size_t i = 0; i < kNumMethods; ++i) {
      share[i] += std::log(median(ratios[i])) / double(std::size(kShapes));
      speed[i] += std::log(methods[i].num_bytes() / median(runs[i]) / 1e9) / double(std::size(kShapes));
      reading[i] += std::log(methods[i].num_bytes() / median(reads[i]) / 1e9) / double(std::size(kShapes));
    }
  }
  std::printf("| layout, bits | GB/s | reading alone, GB/s | of the floor |\n|---|---|---|---|\n");
  for (size_t i = 0; i < kNumMethods; ++i) {
    std::printf("| %s%d | %.1f | %.1f | %.2f |\n", kMethods[i].layout, kMethods[i].bits, std::exp(speed[i]),
                std::exp(reading[i]), std::exp(share[i]));
  }
  return 0;
}
