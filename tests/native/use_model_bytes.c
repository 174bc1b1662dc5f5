/* A model from memory, at an odd address, hears what the file's hears; and what is said where a model cannot
 * be loaded: USE_MODEL_BYTES MODEL.tflite */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whit.h"

static int hear(const whit_model* model, char* text, size_t num_bytes) {
  static float samples[16000];
  whit_stream* stream;
  whit_result result;
  unsigned state = 1;
  for (int k = 0; k < 16000; ++k) {
    state = state * 1664525u + 1013904223u;
    samples[k] = (float)(int)state * 0x1p-33f;
  }
  if (whit_stream_create(model, &stream)) return 1;
  if (whit_stream_accept_waveform(stream, 16000, samples, 16000)) return 1;
  if (whit_stream_input_finished(stream)) return 1;
  while (whit_stream_is_ready(stream)) {
    if (whit_stream_decode(stream)) return 1;
  }
  if (whit_stream_result(stream, &result) || strlen(result.text) >= num_bytes) return 1;
  strcpy(text, result.text);
  whit_stream_free(stream);
  return 0;
}

int main(int argc, char** argv) {
  static char of_file[4096], of_bytes[4096], path[4096];
  const whit_load_options options = {.num_threads = -1};
  whit_model *file_model, *model;
  FILE* file = fopen(argv[1], "rb");
  long num_bytes;
  char* bytes;
  (void)argc;
  if (!file || fseek(file, 0, SEEK_END)) return 2;
  num_bytes = ftell(file);
  rewind(file);
  bytes = malloc((size_t)num_bytes + 1);
  if (!bytes || fread(bytes + 1, 1, (size_t)num_bytes, file) != (size_t)num_bytes) return 2;
  fclose(file);
  if (whit_model_load(argv[1], NULL, &file_model) || hear(file_model, of_file, sizeof(of_file))) return 3;
  if (whit_model_load_bytes(bytes + 1, (size_t)num_bytes, NULL, &model)) return 3;
  if (hear(model, of_bytes, sizeof(of_bytes)) || strcmp(of_file, of_bytes) || !of_bytes[0]) return 3;
  whit_model_free(model);
  whit_model_free(file_model);

  if (!whit_model_load_bytes(bytes + 1, (size_t)num_bytes - 1, NULL, &model) || model) return 4;
  puts(whit_error_text());
  if (!whit_model_load_bytes(NULL, 0, NULL, &model) || model) return 4;
  puts(whit_error_text());
  if (!whit_model_load(argv[1], &options, &model) || model) return 4;
  puts(whit_error_text());
  for (size_t k = 0; k + 2 < sizeof(path); k += 2) memcpy(path + k, "\303\251", 2);
  if (!whit_model_load(path, NULL, &model) || model) return 4;
  puts(whit_error_text()); /* cut, but not within a character of two bytes */
  if (!whit_model_load(path + 1, NULL, &model) || model) return 4;
  puts(whit_error_text());
  free(bytes);
  return 0;
}
