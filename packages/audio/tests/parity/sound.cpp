// Glia's side of sound.py: sound IN.npy FROM TO WIDTH ROLLOFF OUT.npy
#include <cstdlib>

#include "glia/audio/augment.h"
#include "glia/io.h"

int main(int, char** a) {
  using namespace glia;
  io::write_npy(a[6], audio::resample(
                          io::read_npy(a[1]), std::atoll(a[2]), std::atoll(a[3]),
                          {.lowpass_filter_width = std::atoll(a[4]), .rolloff = std::atof(a[5])}));
}
