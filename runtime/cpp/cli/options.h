#pragma once

#include <string>

#include "whit/expected.h"

namespace whit::cli {

/// What the user asked for.
struct Options {
  std::string model;
  std::string audio;        ///< a WAV file; empty with raw_rate_hz
  int raw_rate_hz = 0;      ///< above 0: int16 of one channel from standard input
  int num_threads = 1;      ///< of one decode
  bool paced = false;       ///< feed the audio at the speed it was spoken
  bool utterances = false;  ///< end utterances at pauses, and print each as a line
  bool json = false;        ///< print one JSON object instead of text
  bool chunks = false;      ///< and in it when each chunk was there
  bool self_test = true;
  bool help = false;
};

inline constexpr const char* kUsage =
    "usage: whit-cli MODEL.tflite AUDIO.wav [options]\n"
    "       whit-cli MODEL.tflite --raw RATE [options] < PCM\n"
    "\n"
    "  AUDIO.wav        16-bit or 24-bit PCM or 32-bit float; channels are averaged\n"
    "  --raw RATE       read 16-bit little-endian samples of one channel at RATE Hz from standard input\n"
    "  --threads N      compute with N threads, up to 64; they sleep between chunks\n"
    "  --paced          feed the audio at the speed it was spoken\n"
    "  --utterances     print a line for each utterance: one ends 0.8 s after its last token\n"
    "  --json           print one JSON object: text, tokens, times, memory, latency\n"
    "  --chunks         in it also each chunk: ready, begun, shown (ms since the first sample), tokens, is "
    "flush\n"
    "  --no-self-test   do not compute the file's golden vectors at load\n"
    "  --help           print this\n"
    "\n"
    "Words are printed as soon as nothing can follow them, so that a microphone's come while one speaks.\n"
    "Ctrl-C ends the audio: the result of what was heard is printed. A second one ends the program.\n"
    "Audio that becomes unreadable part way gives what was heard, the error (error in JSON) and exit code "
    "2.\n"
    "\n"
    "Private dirty memory includes pages of a model that was written moments ago, until they are on the "
    "disk:\n"
    "run sync first, or take the reported unwritten part away.\n";

Expected<Options> parse_options(int num_arguments, char** arguments);

}  // namespace whit::cli
