// Glia's side of features.py: features KIND IN.npy OUT.npy NUMBERS...
#include "glia/audio/features.h"

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "glia/io.h"
#include "glia/ops.h"

using namespace glia;
using namespace glia::audio;

namespace {

Tensor made(const std::string& kind, const Tensor& x, const std::vector<double>& a) {
  const auto whole = [&](size_t i) { return static_cast<int64_t>(a[i]); };
  const auto spectrogram = [&] {
    return MelSpectrogramOptions{.sample_rate = whole(0),
                                 .n_fft = whole(1),
                                 .hop_length = whole(2),
                                 .win_length = whole(3),
                                 .n_mels = whole(4),
                                 .mel = {.fmin = a[5],
                                         .fmax = a[6],
                                         .scale = a[7] != 0 ? MelScale::kHtk : MelScale::kSlaney,
                                         .norm = a[8] != 0},
                                 .power = a[9],
                                 .center = a[10] != 0,
                                 .pad_mode = a[11] != 0 ? StftPad::kReflect : StftPad::kConstant};
  };
  const auto fbank_of = [&] {
    FbankOptions o{.frames = {.sample_rate = whole(0),
                              .frame_length = a[1],
                              .frame_shift = a[2],
                              .preemphasis = a[3],
                              .remove_dc_offset = a[4] != 0,
                              .window = static_cast<KaldiWindow>(whole(5)),
                              .round_to_power_of_two = true,
                              .snip_edges = a[6] != 0},
                   .num_bins = whole(7),
                   .low_freq = a[8],
                   .high_freq = a[9],
                   .use_power = a[10] != 0};
    return o;
  };
  if (kind == "filters")
    return mel_filters(whole(0), whole(1), whole(2),
                       {.fmin = a[3],
                        .fmax = a[4],
                        .scale = a[5] != 0 ? MelScale::kHtk : MelScale::kSlaney,
                        .norm = a[6] != 0});
  if (kind == "mel") return mel_spectrogram(x, spectrogram());
  if (kind == "logmel") return log_mel(x, spectrogram());
  if (kind == "mfcc")
    return mfcc(x, {.n_mfcc = whole(12), .spectrogram = spectrogram(), .lifter = a[13]});
  if (kind == "preemphasis") return preemphasis(x, a[0]);
  if (kind == "preemphasis0") return preemphasis(x, a[0], 0.0);
  if (kind == "delta")
    return delta(x, whole(0), whole(1), static_cast<int>(whole(2)),
                 a[3] != 0 ? DeltaMode::kNearest : DeltaMode::kInterp);
  if (kind == "cmvn") return cmvn(x, static_cast<int>(whole(0)), {.norm_vars = a[1] != 0});
  if (kind == "fbank") return fbank(x, fbank_of());
  return kaldi_mfcc(x, {.fbank = fbank_of(),
                        .num_ceps = whole(11),
                        .cepstral_lifter = a[12],
                        .use_energy = a[13] != 0});
}

}  // namespace

int main(int count, char** a) {
  std::vector<double> numbers;
  for (int i = 4; i < count; ++i) numbers.push_back(std::atof(a[i]));
  io::write_npy(a[3], made(a[1], io::read_npy(a[2]), numbers));
}
