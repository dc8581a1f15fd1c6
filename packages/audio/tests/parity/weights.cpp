// Glia's side of weights.py: weights vad|voice|crepe|spans WEIGHTS IN.npy OUT.npy [SAMPLES|DECODER]
#include <cstdlib>
#include <string>

#include "glia/audio/pretrained.h"
#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::audio;

int main(int count, char** a) {
  const std::string kind = a[1];
  const Tensor x = io::read_npy(a[3]);
  const NoGrad no_grad;
  if (kind == "vad") {
    const SileroVad vad = SileroVad::read(a[2]);
    const Tensor all = vad(x);
    // Step by step, as a stream has it.
    SileroVad::State state;
    std::vector<float> steps;
    const int64_t length = x.size(0);
    for (int64_t i = 0; i < length; i += SileroVad::kStep) {
      const int64_t end = std::min(length, i + SileroVad::kStep);
      const Tensor part = pad(slice(x, 0, {i, end}), {{0, i + SileroVad::kStep - end}});
      steps.push_back(static_cast<float>(vad.next(part, state)));
    }
    io::write_npy(a[4], stack({all, from_vector(steps, {all.size(0)})}));
  } else if (kind == "spans") {
    std::vector<int64_t> out;
    for (const SpeechSpan& s : speech_spans(x, std::atoll(a[5]))) {
      out.push_back(s.start);
      out.push_back(s.end);
    }
    io::write_npy(a[4], from_vector(out, {static_cast<int64_t>(out.size()) / 2, 2}));
  } else if (kind == "voice") {
    io::write_npy(a[4], VoiceEncoder::read(a[2]).embed(x));
  } else {
    const Crepe crepe = Crepe::read(a[2]);
    if (count == 5) {
      io::write_npy(a[4], crepe(x));
    } else {
      const auto decoder = static_cast<PitchDecoder>(std::atoi(a[5]));
      const Crepe::Pitch pitch = crepe.predict(x, 160, 50, 2006, decoder);
      io::write_npy(a[4], stack({pitch.frequency, pitch.periodicity}));
    }
  }
}
