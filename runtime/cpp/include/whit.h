/* whit: speech recognition from one mapped file. The C API of the native engine.
 *
 *     whit_model* model;
 *     whit_stream* stream;
 *     if (whit_model_load("model.tflite", 0, &model) || whit_stream_create(model, &stream)) {
 *       fprintf(stderr, "%s\n", whit_error_text());
 *       return 2;
 *     }
 *     while (read_audio(samples, &num_samples)) {
 *       whit_stream_accept_waveform(stream, 16000, samples, num_samples);
 *       while (whit_stream_is_ready(stream)) whit_stream_decode(stream);
 *     }
 *     whit_stream_input_finished(stream);
 *     while (whit_stream_is_ready(stream)) whit_stream_decode(stream);
 *     whit_result result;
 *     if (!whit_stream_result(stream, &result)) puts(result.text);
 *     whit_stream_free(stream);
 *     whit_model_free(model);
 *
 * From a microphone, utterances end at pauses; what is committed of a text may be shown at once:
 *
 *     while (whit_stream_is_ready(stream)) {
 *       whit_stream_decode(stream);
 *       whit_stream_result(stream, &result);
 *       show(result.text, result.committed_bytes);
 *       if (whit_stream_is_endpoint(stream, NULL)) whit_stream_next_utterance(stream);
 *     }
 *
 * A model is of one of two kinds (whit_model_info). A streaming transducer decodes chunks while speech comes
 * in: streams and batches, as above. A model that takes whole utterances decodes once, at their end:
 *
 *     whit_offline_stream* stream;
 *     if (whit_offline_stream_create(model, &stream)) ...
 *     while (read_audio(samples, &num_samples)) {
 *       whit_offline_stream_accept_waveform(stream, 16000, samples, num_samples);
 *     }
 *     if (whit_offline_stream_decode(stream) || whit_offline_stream_result(stream, &result)) ...
 *
 * Functions that can fail return 0, or 1 with whit_error_text() set; nothing is thrown across this border.
 * A model is immutable and may be shared by threads; a stream, offline stream or batch belongs to one thread
 * at a time. Pointers must not be null where not said otherwise.
 */
#ifndef WHIT_H_
#define WHIT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct whit_model whit_model;
typedef struct whit_stream whit_stream;
typedef struct whit_batch whit_batch;
typedef struct whit_offline_stream whit_offline_stream;

/* Returns what went wrong in this thread's last failed call: "[place] expected ..., received ...", UTF-8.
 * Valid until this thread's next call that fails. */
const char* whit_error_text(void);

/* How a model is loaded and run; all zero is the default. */
typedef struct whit_load_options {
  int32_t num_threads;    /* of one decode, up to 64; 0 or 1: the caller's alone. Others sleep between calls.
                             Results do not depend on it. */
  int32_t skip_self_test; /* 1: do not compute the file's golden vectors */
} whit_load_options;

/* Maps and checks a model.tflite, and computes its golden vectors: a file that this machine computes
 * otherwise is refused.
 * options  may be null
 * model    receives the model, to be freed; null on failure */
int whit_model_load(const char* path, const whit_load_options* options, whit_model** model);

/* The same for a file's bytes in memory, such as an Android asset (AAsset_getBuffer). They are not copied:
 * they must stay as they are until the model and all that was made from it are freed.
 * bytes  (num_bytes,), at any address */
int whit_model_load_bytes(const void* bytes, size_t num_bytes, const whit_load_options* options,
                          whit_model** model);

/* Frees a model; what was made from it stays valid. Null is allowed. */
void whit_model_free(whit_model* model);

typedef struct whit_model_info {
  const char* name;     /* UTF-8; valid as long as the model */
  int32_t chunk_ms;     /* audio of one decode; of a model of whole utterances, of the longest it takes */
  int32_t frame_ms;     /* audio of one frame that can emit a token */
  int32_t num_tokens;   /* without the blank; of a classifier, its classes */
  int32_t is_streaming; /* 1: a streaming transducer; 0: takes whole utterances */
} whit_model_info;

void whit_model_get_info(const whit_model* model, whit_model_info* info);

/* Returns a token's text (UTF-8, valid as long as the model), or null outside [0, num_tokens). */
const char* whit_model_token(const whit_model* model, int32_t token);

/* Starts a stream of a streaming transducer; of another model, fails.
 * stream  receives it, to be freed; null on failure */
int whit_stream_create(const whit_model* model, whit_stream** stream);

/* Frees a stream. Null is allowed. */
void whit_stream_free(whit_stream* stream);

/* Takes the next samples of one channel.
 * sample_rate_hz  1000 to 384000, the same in every call; one whose ratio to 16000 needs more than
 *                 2^20 filter coefficients, such as 44101, is refused
 * samples         (num_samples,), in [-1, 1]; may be null where num_samples is 0
 * Fails for another rate, a sample that is not finite or beyond 1e5, after input_finished, and where memory
 * runs out; the stream stays as it was. */
int whit_stream_accept_waveform(whit_stream* stream, int32_t sample_rate_hz, const float* samples,
                                size_t num_samples);

/* Says that no more audio comes. Fails where memory runs out: then call it again, or reset. Once it has
 * succeeded, calling it again changes nothing. */
int whit_stream_input_finished(whit_stream* stream);

/* Returns 1 when a chunk waits for decode, else 0. */
int whit_stream_is_ready(const whit_stream* stream);

/* Decodes one chunk; does nothing where none is ready. Fails where memory runs out; the stream stays as it
 * was. */
int whit_stream_decode(whit_stream* stream);

/* Makes the memory to decode several streams of one streaming transducer together: each weight is read once
 * for up to eight of them. batch receives it, to be freed; null on failure. */
int whit_batch_create(const whit_model* model, whit_batch** batch);

/* Frees a batch. Null is allowed. */
void whit_batch_free(whit_batch* batch);

/* Decodes one chunk of each stream that is ready, with the results of whit_stream_decode.
 * streams  (num_streams,), each once
 * Fails for a stream of another model, for one that is there twice, and where memory runs out; then nothing
 * is decoded. */
int whit_batch_decode(whit_batch* batch, whit_stream* const* streams, size_t num_streams);

typedef struct whit_result {
  const char* text;       /* words separated by single spaces, UTF-8 */
  size_t committed_bytes; /* of the text: later results of the utterance begin with them; what follows may be
                             the beginning of a longer word */
  const int32_t* tokens;  /* (num_tokens,) */
  const int64_t* frames_ms; /* (num_tokens,): start of the encoder frame that emitted each token */
  size_t num_tokens;
  int is_final; /* 1 when the whole stream is decoded */
} whit_result;

/* Returns what was recognised so far. Pointers stay valid until the next call with this stream. */
int whit_stream_result(whit_stream* stream, whit_result* result);

/* When an utterance has ended; all zero is the default. */
typedef struct whit_endpoint_rule {
  int32_t after_word_ms;   /* so long without a token ends an utterance that has one; 0: 800 */
  int32_t without_word_ms; /* the same where none has come; 0: 2400 */
} whit_endpoint_rule;

/* Returns 1 when the utterance has ended, else 0: to be asked after whit_stream_decode.
 * rule  may be null */
int whit_stream_is_endpoint(const whit_stream* stream, const whit_endpoint_rule* rule);

/* Begins the next utterance of the same audio, with no tokens. Audio that waits is kept, and the last 0.3 s
 * that were decoded since the last token are decoded once more: a word that had begun without a token is
 * heard whole. Times go on from the start of the audio. */
int whit_stream_next_utterance(whit_stream* stream);

/* Starts a new stream in the same memory; any sample rate may follow. Audio that was accepted and not decoded
 * yet is dropped: decode while whit_stream_is_ready, after whit_stream_input_finished, to hear all of it. */
int whit_stream_reset(whit_stream* stream);

/* Starts an utterance of a model that takes whole ones; of another model, fails.
 * stream  receives it, to be freed; null on failure */
int whit_offline_stream_create(const whit_model* model, whit_offline_stream** stream);

/* Frees an utterance. Null is allowed. */
void whit_offline_stream_free(whit_offline_stream* stream);

/* Takes the next samples: as whit_stream_accept_waveform. Fails also after decode, and for more audio
 * than the model takes (chunk_ms), after which it and decode fail until whit_offline_stream_reset. */
int whit_offline_stream_accept_waveform(whit_offline_stream* stream, int32_t sample_rate_hz,
                                        const float* samples, size_t num_samples);

/* Decodes what was taken as one utterance. Doing it again changes nothing and returns the same.
 * Fails for less than 257 samples at 16 kHz, where memory runs out, and where a file computes another length
 * of logits than its configuration promises; the utterance is lost then. */
int whit_offline_stream_decode(whit_offline_stream* stream);

/* Returns what was recognised; is_final says whether decode has succeeded. Of a classifier, tokens are the
 * class of every run of frames, or the one class of the utterance, and the text has their names. Pointers
 * stay valid until the next call with this stream. */
int whit_offline_stream_result(whit_offline_stream* stream, whit_result* result);

/* Starts a new utterance in the same memory; any sample rate may follow. */
int whit_offline_stream_reset(whit_offline_stream* stream);

typedef struct whit_memory_report {
  size_t file_bytes;         /* mapped; clean pages that the system may drop and read again */
  size_t data_section_bytes; /* of these, weights in place */
  size_t arena_bytes;        /* working memory of a stream, allocated once; a short utterance touches less */
  size_t state_bytes; /* what the model remembers between chunks; beside it, a stream keeps 0.3 s of features
                       * and room for the longest block that it was given */
} whit_memory_report;

void whit_report(const whit_stream* stream, whit_memory_report* report);
void whit_offline_report(const whit_offline_stream* stream, whit_memory_report* report);

#ifdef __cplusplus
}
#endif

#endif /* WHIT_H_ */
