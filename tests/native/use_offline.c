/* What each kind of model says to the calls of the other kind, and one utterance in pieces:
 * USE_OFFLINE WHOLE_UTTERANCES.tflite TRANSDUCER.tflite */
#include <stdio.h>
#include <string.h>

#include "whit.h"

static float samples[16000];

static int refused(int status) {
  if (!status) return 0;
  puts(whit_error_text());
  return 1;
}

int main(int argc, char** argv) {
  whit_model *whole, *streaming;
  whit_stream* stream;
  whit_batch* batch;
  whit_offline_stream* offline;
  whit_model_info info;
  whit_result result;
  size_t num_tokens;
  (void)argc;
  if (whit_model_load(argv[1], 0, &whole) || whit_model_load(argv[2], 0, &streaming)) return 2;
  if (!refused(whit_stream_create(whole, &stream)) || stream) return 3;
  if (!refused(whit_batch_create(whole, &batch)) || batch) return 3;
  if (!refused(whit_offline_stream_create(streaming, &offline)) || offline) return 3;
  whit_model_get_info(streaming, &info);
  if (!info.is_streaming) return 4;
  whit_model_get_info(whole, &info);
  if (info.is_streaming) return 4;
  if (whit_model_token(whole, -1) || whit_model_token(whole, info.num_tokens)) return 4;
  if (!whit_model_token(whole, info.num_tokens - 1)) return 4;
  printf("%d %d %d\n", (int)info.chunk_ms, (int)info.frame_ms, (int)info.num_tokens);

  if (whit_offline_stream_create(whole, &offline)) return 5;
  if (!refused(whit_offline_stream_decode(offline))) return 5; /* nothing was said */
  if (whit_offline_stream_reset(offline)) return 5;
  for (unsigned k = 0, state = 1; k < 16000; ++k) {
    state = state * 1664525u + 1013904223u;
    samples[k] = (float)(int)state * 0x1p-33f;
  }
  for (size_t at = 0; at < 16000; at += 1600) {
    if (whit_offline_stream_accept_waveform(offline, 16000, samples + at, 1600)) return 6;
  }
  if (whit_offline_stream_result(offline, &result) || result.is_final) return 6;
  if (whit_offline_stream_decode(offline) || whit_offline_stream_decode(offline)) return 6;
  if (whit_offline_stream_result(offline, &result) || !result.is_final) return 6;
  num_tokens = result.num_tokens;
  if (!refused(whit_offline_stream_accept_waveform(offline, 16000, samples, 1))) return 7;

  whit_offline_stream_reset(offline);
  if (whit_offline_stream_accept_waveform(offline, 16000, samples, 16000)) return 8;
  if (whit_offline_stream_decode(offline) || whit_offline_stream_result(offline, &result)) return 8;
  if (result.num_tokens != num_tokens) return 8;
  whit_offline_stream_reset(offline);
  if (whit_offline_stream_accept_waveform(offline, 8000, samples, 15900)) return 9; /* 2 s are too many */
  for (int k = 0; k < 2; ++k) {
    if (!refused(whit_offline_stream_accept_waveform(offline, 8000, samples, 1000))) return 9;
  }
  if (!refused(whit_offline_stream_decode(offline))) return 9;
  whit_offline_stream_reset(offline); /* 88300 samples at 44.1 kHz are 2002 ms, of which 1998 ms are ready */
  for (int k = 0; k < 5; ++k) {
    if (whit_offline_stream_accept_waveform(offline, 44100, samples, 16000)) return 9;
  }
  if (!refused(whit_offline_stream_accept_waveform(offline, 44100, samples, 8300))) return 9;
  whit_model_free(whole); /* what was made from it stays valid */
  whit_offline_stream_reset(offline);
  if (whit_offline_stream_accept_waveform(offline, 16000, samples, 16000)) return 10;
  if (whit_offline_stream_decode(offline) || whit_offline_stream_result(offline, &result)) return 10;
  printf("%zu %zu\n", num_tokens, result.num_tokens);
  whit_offline_stream_free(offline);
  whit_offline_stream_free(0);
  whit_model_free(streaming);
  return 0;
}
