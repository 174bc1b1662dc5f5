/* Decodes eleven streams of one noise alone and together through the C API: USE_BATCH MODEL.tflite THREADS
 * prints how many tokens came, or what differs. Streams begin and end at different times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whit.h"

enum { kNumStreams = 11, kBlock = 1777, kNumBlocks = 25 };

static int check(int status) {
  if (status) {
    fprintf(stderr, "%s\n", whit_error_text());
    exit(2);
  }
  return 0;
}

static whit_stream* streams[2][kNumStreams]; /* alone, together */

static int feed(int i, int block) {
  static float samples[kBlock];
  unsigned state = (unsigned)(1 + i + 100 * block);
  int ready;
  if (block < i || block > 15 + i) return 0;
  for (int k = 0; k < kBlock; ++k) {
    state = state * 1664525u + 1013904223u;
    samples[k] = (float)(int)state * 0x1p-33f;
  }
  for (int way = 0; way < 2; ++way) {
    check(whit_stream_accept_waveform(streams[way][i], 16000, samples, kBlock));
    if (block == 15 + i) check(whit_stream_input_finished(streams[way][i]));
  }
  ready = whit_stream_is_ready(streams[0][i]);
  while (whit_stream_is_ready(streams[0][i])) check(whit_stream_decode(streams[0][i]));
  return ready;
}

int main(int argc, char** argv) {
  const whit_load_options options = {.num_threads = argc > 2 ? atoi(argv[2]) : 1};
  whit_model *model, *other;
  whit_batch* batch;
  whit_stream* foreign;
  size_t num_tokens = 0;
  int num_partial = 0;
  check(whit_model_load(argv[1], &options, &model));
  check(whit_batch_create(model, &batch));
  for (int way = 0; way < 2; ++way) {
    for (int i = 0; i < kNumStreams; ++i) check(whit_stream_create(model, &streams[way][i]));
  }
  for (int block = 0; block < kNumBlocks + kNumStreams; ++block) {
    int num_ready = 0;
    for (int i = 0; i < kNumStreams; ++i) num_ready += feed(i, block);
    num_partial += num_ready > 0 && num_ready < kNumStreams;
    for (int i = 0; i < kNumStreams; ++i) {
      while (whit_stream_is_ready(streams[1][i])) check(whit_batch_decode(batch, streams[1], kNumStreams));
    }
  }
  for (int i = 0; i < kNumStreams; ++i) {
    whit_result alone, together;
    check(whit_stream_result(streams[0][i], &alone));
    check(whit_stream_result(streams[1][i], &together));
    if (!alone.is_final || !together.is_final || alone.num_tokens != together.num_tokens ||
        strcmp(alone.text, together.text) ||
        memcmp(alone.tokens, together.tokens, alone.num_tokens * sizeof(int32_t)) ||
        memcmp(alone.frames_ms, together.frames_ms, alone.num_tokens * sizeof(int64_t))) {
      printf("stream %d: %s | %s\n", i, alone.text, together.text);
      return 1;
    }
    num_tokens += alone.num_tokens;
  }
  streams[1][1] = streams[1][0];
  if (!whit_batch_decode(batch, streams[1], kNumStreams)) return 3;
  puts(whit_error_text());
  check(whit_model_load(argv[1], NULL, &other));
  check(whit_stream_create(other, &foreign));
  if (!whit_batch_decode(batch, &foreign, 1)) return 3;
  puts(whit_error_text());
  printf("%zu %d\n", num_tokens, num_partial);
  return 0;
}
