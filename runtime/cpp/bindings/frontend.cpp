#include <nanobind/stl/string_view.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "arrays.h"
#include "whit/fail.h"
#include "whit/fbank.h"
#include "whit/offline_fbank.h"
#include "whit/resample.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace whit::bindings;

namespace {

// No conversion: int16 samples turned into float32 unscaled would be a silent error.
using Samples = FloatVector;
using Features = Out<float, 2>;
using Output = Out<float, 1>;

std::span<const float> span(const Samples& samples) { return {samples.data(), samples.size()}; }

// Methods of a stream keep the GIL: a chunk takes microseconds, and two threads in one stream would corrupt
// it.
Features read_frames(whit::Fbank& fbank, int64_t max_frames) {
  if (max_frames < -1) {
    throw std::invalid_argument("[Fbank] expected max_frames of at least 0, or -1 for all, received " +
                                std::to_string(max_frames));
  }
  const int64_t ready = fbank.num_frames_ready();
  const int64_t num_frames = max_frames == -1 ? ready : std::min(ready, max_frames);
  Buffer<float> features{size_t(num_frames * fbank.num_mels())};
  fbank.read(num_frames, features.data());
  return features.release(num_frames, fbank.num_mels());
}

Features fbank_offline(const Samples& samples, std::string_view flavour, int num_mels) {
  whit::Fbank fbank(whit::fbank_flavour(flavour), num_mels);
  Buffer<float> features;
  int64_t num_frames = 0;
  {
    nb::gil_scoped_release release;
    fbank.accept_waveform(span(samples));
    fbank.input_finished();
    num_frames = fbank.num_frames_ready();
    features = Buffer<float>(size_t(num_frames * num_mels));
    fbank.read(num_frames, features.data());
  }
  return features.release(num_frames, num_mels);
}

whit::OfflineFrontend offline_frontend(int num_mels, int window_ms, std::string_view normalize) {
  if (normalize != "per_feature" && normalize != "none") {
    whit::fail("OfflineFbank", "normalize per_feature or none", std::string(normalize));
  }
  return {.num_mels = num_mels, .window_ms = window_ms, .per_feature = normalize == "per_feature"};
}

Features offline_features(const whit::OfflineFbank& fbank, const Samples& samples) {
  const int64_t num_frames = whit::OfflineFbank::num_frames(int64_t(samples.size()));
  Buffer<float> features{size_t(num_frames * fbank.num_mels())};
  {
    nb::gil_scoped_release release;
    fbank.compute(span(samples), features.data());
  }
  return features.release(num_frames, fbank.num_mels());
}

Output process(whit::Resampler& resampler, const Samples& samples) {
  const int64_t size = resampler.num_samples_ready(int64_t(samples.size()));
  Buffer<float> out{size_t(std::max<int64_t>(size, 0))};
  resampler.process(span(samples), out.data());
  return out.release(size);
}

Output flush(whit::Resampler& resampler) {
  const int64_t size = resampler.num_samples_left();
  Buffer<float> out{size_t(size)};
  resampler.flush(out.data());
  return out.release(size);
}

Output resample_offline(const Samples& samples, int in_rate_hz, int out_rate_hz) {
  Buffer<float> out;
  int64_t size = 0;
  {
    nb::gil_scoped_release release;
    whit::Resampler resampler(in_rate_hz, out_rate_hz);
    const int64_t first = resampler.num_samples_ready(int64_t(samples.size()));
    size = (int64_t(samples.size()) * out_rate_hz + in_rate_hz - 1) / in_rate_hz;
    out = Buffer<float>(size_t(size));
    resampler.process(span(samples), out.data());
    resampler.flush(out.data() + first);
  }
  return out.release(size);
}

}  // namespace

void bind_frontend(nb::module_& m) {
  nb::class_<whit::Fbank>(
      m, "Fbank",
      "Streaming log-mel features of 16 kHz audio, 25 ms windows every 10 ms (docs/format.md, section "
      "7). The same bits for every cut of the audio into calls.")
      .def(
          "__init__",
          [](whit::Fbank* self, std::string_view flavour, int num_mels) {
            new (self) whit::Fbank(whit::fbank_flavour(flavour), num_mels);
          },
          "flavour"_a = "nemo", "num_mels"_a = 80,
          "flavour: \"nemo\" or \"kaldi\". num_mels: 1 to 256. Raises ValueError otherwise.")
      .def(
          "accept_waveform",
          [](whit::Fbank& self, const Samples& samples) { self.accept_waveform(span(samples)); },
          nb::arg("samples").noconvert(),
          "Takes the next samples: float32 (n,) in [-1, 1], 16 kHz. Raises ValueError for one that is not "
          "finite or "
          "exceeds 1e6 (the stream stays as it was), RuntimeError after input_finished().")
      .def("input_finished", &whit::Fbank::input_finished, "Says that no more samples come.")
      .def_prop_ro("num_frames_ready", &whit::Fbank::num_frames_ready, "Frames that read() can give now.")
      .def_prop_ro("num_mels", &whit::Fbank::num_mels)
      .def("read", &read_frames, "max_frames"_a = -1,
           "The next frames, at most max_frames (-1: all that are ready): float32 (n, num_mels). Moves past "
           "them.")
      .def("reset", &whit::Fbank::reset, "Starts a new stream.");

  m.def("fbank", &fbank_offline, nb::arg("samples").noconvert(), "flavour"_a = "nemo", "num_mels"_a = 80,
        "Log-mel features of a whole utterance: float32 (n,) at 16 kHz gives float32 ((n + 80) // 160, "
        "num_mels), the "
        "same bits as Fbank.");

  nb::class_<whit::OfflineFbank>(
      m, "OfflineFbank",
      "Log-mel features of whole utterances at 16 kHz, a centred window every 10 ms (docs/format.md, section "
      "7, nemo_offline).")
      .def(
          "__init__",
          [](whit::OfflineFbank* self, int num_mels, int window_ms, std::string_view normalize) {
            new (self) whit::OfflineFbank(offline_frontend(num_mels, window_ms, normalize));
          },
          "num_mels"_a = 64, "window_ms"_a = 20, "normalize"_a = "per_feature",
          "num_mels: 1 to 256. window_ms: 1 to 32. normalize: \"per_feature\" or \"none\". Raises ValueError "
          "otherwise.")
      .def(
          "compute", &offline_features, nb::arg("samples").noconvert(),
          "The features of one utterance: float32 (n,) in [-1, 1], n at least 257, gives float32 (n // 160 + "
          "1, num_mels). Raises ValueError for fewer samples and for one that is not finite or exceeds 1e6.")
      .def_prop_ro("num_mels", &whit::OfflineFbank::num_mels);

  nb::class_<whit::Resampler>(
      m, "Resampler",
      "Streaming band-limited resampler. The same bits for every cut of the audio into calls.")
      .def(nb::init<int, int>(), "in_rate_hz"_a, "out_rate_hz"_a,
           "Rates from 1000 to 384000 Hz. Raises ValueError for others and for a ratio with no short filter "
           "table.")
      .def("process", &process, nb::arg("samples").noconvert(),
           "Takes the next samples, float32 (n,), and returns those that are ready, float32 (m,). Raises "
           "ValueError "
           "for a sample that is not finite, RuntimeError after flush().")
      .def("flush", &flush,
           "Ends the stream and returns the rest: in all ceil(n * out_rate_hz / in_rate_hz) samples for n.")
      .def("reset", &whit::Resampler::reset, "Starts a new stream.");

  m.def(
      "resample", &resample_offline, nb::arg("samples").noconvert(), "in_rate_hz"_a, "out_rate_hz"_a,
      "A whole recording at another rate: float32 (n,) gives float32 (ceil(n * out_rate_hz / in_rate_hz),).");
}
