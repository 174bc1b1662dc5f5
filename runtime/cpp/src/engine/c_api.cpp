#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "whit.h"
#include "whit/frame_shift.h"
#include "whit/model.h"
#include "whit/offline_stream.h"
#include "whit/recognizer.h"
#include "whit/stream_batch.h"
#include "whit/token_text.h"

struct whit_model {
  whit::Model model;
};

namespace {

// What the results of a stream point to: every token is spelled once.
class Words {
 public:
  void add_new(const whit::RecognizerStream& stream) try {
    const std::vector<std::string>& texts = stream.model().config().tokens;
    for (const whit::Emission& emission : std::span(stream.emissions()).subspan(tokens_.size())) {
      tokens_.push_back(emission.token);
      frames_ms_.push_back(stream.frame_ms(emission.frame));
      speller_.append(texts[size_t(emission.token)]);
      ends_.push_back(speller_.text().size());
    }
  } catch (...) {
    clear();  // all is spelled anew then
    throw;
  }

  void clear() { *this = {}; }

  whit_result result(const whit::RecognizerStream& stream) const {
    const size_t num_committed = stream.num_committed();
    return {
        .text = speller_.text().c_str(),
        .committed_bytes = num_committed ? ends_[num_committed - 1] : 0,
        .tokens = tokens_.data(),
        .frames_ms = frames_ms_.data(),
        .num_tokens = tokens_.size(),
        .is_final = stream.is_final(),
    };
  }

 private:
  whit::Speller speller_;
  std::vector<size_t> ends_;  // bytes of the text up to each token
  std::vector<int32_t> tokens_;
  std::vector<int64_t> frames_ms_;
};

}  // namespace

struct whit_stream {
  explicit whit_stream(const std::shared_ptr<const whit::TransducerModel>& model) : stream(model) {}

  whit::RecognizerStream stream;
  Words words;
};

struct whit_offline_stream {
  explicit whit_offline_stream(const std::shared_ptr<const whit::OfflineModel>& model) : stream(model) {}

  whit::OfflineStream stream;
  std::string text;  // of the last result, as are these
  std::vector<int32_t> tokens;
  std::vector<int64_t> frames_ms;
};

struct whit_batch {
  explicit whit_batch(const std::shared_ptr<const whit::TransducerModel>& model) : batch(model) {}

  whit::StreamBatch batch;
  std::vector<whit::RecognizerStream*> streams;  // of the last call
};

namespace {

// A fixed array: reporting that memory ran out must not allocate.
thread_local char error_text[1024];

int fail(std::string_view message) {
  size_t length = std::min(message.size(), sizeof(error_text) - 1);
  const auto continues = [&](size_t at) { return (static_cast<unsigned char>(message[at]) & 0xC0) == 0x80; };
  while (length > 0 && length < message.size() && continues(length)) --length;  // no part of a character
  std::copy_n(message.begin(), length, error_text);
  error_text[length] = 0;
  return 1;
}

template <typename Function>
int guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return fail("[whit] expected enough memory, received none");
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("[whit] expected no unknown exception, received one");
  }
}

// Makes an object of a model of one kind, K.
template <typename K, typename T>
int create(const char* place, const whit_model* model, T** object) {
  *object = nullptr;
  return guarded([&] {
    auto found = whit::of_kind<K>(model->model, place);
    if (!found) return fail(found.error().text());
    *object = new T(*found);
    return 0;
  });
}

// Loads a model from what `open` is given the options for.
template <typename Open>
int load(const char* place, const whit_load_options* options, whit_model** model, const Open& open) {
  *model = nullptr;
  return guarded([&] {
    whit::LoadOptions load_options;
    if (options) {
      if (options->num_threads < 0) {
        return fail(whit::Error{.place = place,
                                .expected = "num_threads from 0 to 64",
                                .received = std::to_string(options->num_threads)}
                        .text());
      }
      load_options.self_test = !options->skip_self_test;
      if (options->num_threads) load_options.num_threads = size_t(options->num_threads);
    }
    whit::Expected<whit::Model> loaded = open(load_options);
    if (!loaded) return fail(loaded.error().text());
    *model = new whit_model{*loaded};
    return 0;
  });
}

whit_memory_report file_report(const whit::ModelFile& file) {
  return {.file_bytes = file.file_bytes(),
          .data_section_bytes = file.data_section_bytes(),
          .arena_bytes = 0,
          .state_bytes = 0};
}

const std::vector<std::string>& tokens_of(const whit_model* model) {
  return std::visit([](const auto& m) -> const std::vector<std::string>& { return m->config().tokens; },
                    model->model);
}

}  // namespace

const char* whit_error_text(void) { return error_text; }

int whit_model_load(const char* path, const whit_load_options* options, whit_model** model) {
  return load("whit_model_load", options, model,
              [&](const whit::LoadOptions& load_options) { return whit::load_model(path, load_options); });
}

int whit_model_load_bytes(const void* bytes, size_t num_bytes, const whit_load_options* options,
                          whit_model** model) {
  return load("whit_model_load_bytes", options, model, [&](const whit::LoadOptions& load_options) {
    const std::span<const std::byte> content(static_cast<const std::byte*>(bytes), num_bytes);
    return whit::load_model(content, "model", load_options);
  });
}

void whit_model_free(whit_model* model) { delete model; }

void whit_model_get_info(const whit_model* model, whit_model_info* info) {
  info->num_tokens = int32_t(tokens_of(model).size());
  if (const auto* streaming = std::get_if<std::shared_ptr<const whit::TransducerModel>>(&model->model)) {
    const whit::TransducerConfig& config = (*streaming)->config();
    info->name = config.name.c_str();
    info->chunk_ms = config.chunk_frames * whit::kFrameShiftMs;
    info->frame_ms = config.subsampling * whit::kFrameShiftMs;
    info->is_streaming = 1;
    return;
  }
  const whit::OfflineConfig& config =
      std::get<std::shared_ptr<const whit::OfflineModel>>(model->model)->config();
  info->name = config.name.c_str();
  info->chunk_ms = int32_t(config.max_ms());
  info->frame_ms = int32_t(config.subsampling * whit::kFrameShiftMs);
  info->is_streaming = 0;
}

const char* whit_model_token(const whit_model* model, int32_t token) {
  const std::vector<std::string>& tokens = tokens_of(model);
  return token < 0 || size_t(token) >= tokens.size() ? nullptr : tokens[size_t(token)].c_str();
}

int whit_stream_create(const whit_model* model, whit_stream** stream) {
  return create<whit::TransducerModel>("whit_stream_create", model, stream);
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
  return create<whit::TransducerModel>("whit_batch_create", model, batch);
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
    stream->words.add_new(stream->stream);
    *result = stream->words.result(stream->stream);
    return 0;
  });
}

int whit_stream_is_endpoint(const whit_stream* stream, const whit_endpoint_rule* rule) {
  whit::EndpointRule endpoint;
  if (rule && rule->after_word_ms > 0) endpoint.after_word_ms = rule->after_word_ms;
  if (rule && rule->without_word_ms > 0) endpoint.without_word_ms = rule->without_word_ms;
  return stream->stream.is_endpoint(endpoint);
}

int whit_stream_next_utterance(whit_stream* stream) {
  return guarded([&] {
    stream->stream.next_utterance();
    stream->words.clear();
    return 0;
  });
}

int whit_stream_reset(whit_stream* stream) {
  return guarded([&] {
    stream->stream.reset();
    stream->words.clear();
    return 0;
  });
}

int whit_offline_stream_create(const whit_model* model, whit_offline_stream** stream) {
  return create<whit::OfflineModel>("whit_offline_stream_create", model, stream);
}

void whit_offline_stream_free(whit_offline_stream* stream) { delete stream; }

int whit_offline_stream_accept_waveform(whit_offline_stream* stream, int32_t sample_rate_hz,
                                        const float* samples, size_t num_samples) {
  return guarded([&] {
    const auto error = stream->stream.accept_waveform(sample_rate_hz, {samples, num_samples});
    return error ? fail(error->text()) : 0;
  });
}

int whit_offline_stream_decode(whit_offline_stream* stream) {
  return guarded([&] {
    const auto error = stream->stream.decode();
    return error ? fail(error->text()) : 0;
  });
}

int whit_offline_stream_result(whit_offline_stream* stream, whit_result* result) {
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
        .committed_bytes = stream->text.size(),
        .tokens = stream->tokens.data(),
        .frames_ms = stream->frames_ms.data(),
        .num_tokens = stream->tokens.size(),
        .is_final = stream->stream.is_decoded(),
    };
    return 0;
  });
}

int whit_offline_stream_reset(whit_offline_stream* stream) {
  return guarded([&] {
    stream->stream.reset();
    return 0;
  });
}

void whit_report(const whit_stream* stream, whit_memory_report* report) {
  const whit::TransducerModel& model = stream->stream.model();
  *report = file_report(model.file());
  report->arena_bytes = model.arena_bytes();
  report->state_bytes = stream->stream.state_bytes();
}

void whit_offline_report(const whit_offline_stream* stream, whit_memory_report* report) {
  const whit::OfflineModel& model = stream->stream.model();
  *report = file_report(model.file());
  report->arena_bytes = model.arena_bytes();
}
