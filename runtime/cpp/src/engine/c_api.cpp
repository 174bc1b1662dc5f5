#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "whit.h"
#include "whit/recognizer.h"
#include "whit/stream_batch.h"

struct whit_model {
  std::shared_ptr<const whit::Model> model;
};

struct whit_stream {
  explicit whit_stream(const std::shared_ptr<const whit::Model>& model) : stream(model) {}

  whit::RecognizerStream stream;
  // What the last whit_stream_result points to.
  std::string text;
  std::vector<int32_t> tokens;
  std::vector<int64_t> frames_ms;
};

struct whit_batch {
  explicit whit_batch(const std::shared_ptr<const whit::Model>& model) : batch(model) {}

  whit::StreamBatch batch;
  std::vector<whit::RecognizerStream*> streams;  // of the last call
};

namespace {

// A fixed array: reporting that memory ran out must not allocate.
thread_local char error_text[1024];

int fail(std::string_view message) {
  const size_t length = std::min(message.size(), sizeof(error_text) - 1);
  std::copy_n(message.begin(), length, error_text);
  error_text[length] = 0;
  return 1;
}

template <typename Function>
int guarded(Function function) {
  try {
    return function();
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("[whit] expected no unknown exception, received one");
  }
}

}  // namespace

const char* whit_error_text(void) { return error_text; }

int whit_model_load(const char* path, const whit_load_options* options, whit_model** model) {
  *model = nullptr;
  return guarded([&] {
    whit::LoadOptions load_options;
    if (options) {
      load_options.self_test = !options->skip_self_test;
      // A negative number becomes one that is out of range.
      if (options->num_threads) load_options.num_threads = size_t(uint32_t(options->num_threads));
    }
    auto loaded = whit::Model::load(path, load_options);
    if (!loaded) return fail(loaded.error().text());
    *model = new whit_model{*loaded};
    return 0;
  });
}

void whit_model_free(whit_model* model) { delete model; }

void whit_model_get_info(const whit_model* model, whit_model_info* info) {
  const whit::ModelConfig& config = model->model->config();
  *info = {
      .name = config.name.c_str(),
      .chunk_ms = config.chunk_frames * 10,
      .frame_ms = config.subsampling * 10,
      .num_tokens = config.blank(),
  };
}

const char* whit_model_token(const whit_model* model, int32_t token) {
  const std::vector<std::string>& tokens = model->model->config().tokens;
  return token < 0 || size_t(token) >= tokens.size() ? nullptr : tokens[size_t(token)].c_str();
}

int whit_stream_create(const whit_model* model, whit_stream** stream) {
  *stream = nullptr;
  return guarded([&] {
    *stream = new whit_stream(model->model);
    return 0;
  });
}

void whit_stream_free(whit_stream* stream) { delete stream; }

int whit_stream_accept_waveform(whit_stream* stream, int32_t sample_rate_hz, const float* samples,
                                size_t num_samples) {
  return guarded([&] {
    const auto error = stream->stream.accept_waveform(sample_rate_hz, {samples, num_samples});
    return error ? fail(error->text()) : 0;
  });
}

int whit_stream_input_finished(whit_stream* stream) {
  return guarded([&] {
    stream->stream.input_finished();
    return 0;
  });
}

int whit_stream_is_ready(const whit_stream* stream) { return stream->stream.is_ready(); }

int whit_stream_decode(whit_stream* stream) {
  return guarded([&] {
    stream->stream.decode();
    return 0;
  });
}

int whit_batch_create(const whit_model* model, whit_batch** batch) {
  *batch = nullptr;
  return guarded([&] {
    *batch = new whit_batch(model->model);
    return 0;
  });
}

void whit_batch_free(whit_batch* batch) { delete batch; }

int whit_batch_decode(whit_batch* batch, whit_stream* const* streams, size_t num_streams) {
  return guarded([&] {
    batch->streams.clear();
    for (size_t i = 0; i < num_streams; ++i) batch->streams.push_back(&streams[i]->stream);
    const auto error = batch->batch.decode(batch->streams);
    return error ? fail(error->text()) : 0;
  });
}

int whit_stream_result(whit_stream* stream, whit_result* result) {
  return guarded([&] {
    stream->text = stream->stream.text();
    stream->tokens.clear();
    stream->frames_ms.clear();
    for (const whit::Emission& emission : stream->stream.emissions()) {
      stream->tokens.push_back(emission.token);
      stream->frames_ms.push_back(stream->stream.frame_ms(emission.frame));
    }
    *result = {
        .text = stream->text.c_str(),
        .tokens = stream->tokens.data(),
        .frames_ms = stream->frames_ms.data(),
        .num_tokens = stream->tokens.size(),
        .is_final = stream->stream.is_final(),
    };
    return 0;
  });
}

int whit_stream_reset(whit_stream* stream) {
  return guarded([&] {
    stream->stream.reset();
    return 0;
  });
}

void whit_report(const whit_stream* stream, whit_memory_report* report) {
  const whit::Model& model = stream->stream.model();
  *report = {
      .file_bytes = model.file_bytes(),
      .data_section_bytes = model.data_section_bytes(),
      .arena_bytes = model.arena_bytes(),
      .state_bytes = stream->stream.state_bytes(),
  };
}
