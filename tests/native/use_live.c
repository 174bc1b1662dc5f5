/* Follows a stream of 16 kHz float samples as a dictation would: USE_LIVE MODEL.tflite AFTER_MS WITHOUT_MS <
 * SAMPLES prints after each chunk how much of the text is committed, whether the utterance has ended by the
 * default rule and by another, and the text. */
#include <stdio.h>
#include <stdlib.h>

#include "whit.h"

enum { kBlock = 160 };

static void check(int status) {
  if (!status) return;
  fprintf(stderr, "%s\n", whit_error_text());
  exit(2);
}

static void decode(whit_stream* stream, const whit_endpoint_rule* rule) {
  whit_result result;
  while (whit_stream_is_ready(stream)) {
    check(whit_stream_decode(stream));
    check(whit_stream_result(stream, &result));
    const int has_ended = whit_stream_is_endpoint(stream, rule);
    const int last_ms = result.num_tokens ? (int)result.frames_ms[result.num_tokens - 1] : -1;
    printf("%zu %d %d %d %s\n", result.committed_bytes, whit_stream_is_endpoint(stream, NULL), has_ended, last_ms,
           result.text);
    if (has_ended) check(whit_stream_next_utterance(stream));
  }
}

int main(int argc, char** argv) {
  float block[kBlock];
  size_t count;
  whit_model* model;
  whit_stream* stream;
  whit_endpoint_rule rule;
  if (argc != 4) return 3;
  rule.after_word_ms = atoi(argv[2]);
  rule.without_word_ms = atoi(argv[3]);
  check(whit_model_load(argv[1], NULL, &model));
  check(whit_stream_create(model, &stream));
  while ((count = fread(block, sizeof(float), kBlock, stdin))) {
    check(whit_stream_accept_waveform(stream, 16000, block, count));
    decode(stream, &rule);
  }
  check(whit_stream_input_finished(stream));
  decode(stream, &rule);
  whit_stream_free(stream);
  whit_model_free(model);
  return 0;
}
