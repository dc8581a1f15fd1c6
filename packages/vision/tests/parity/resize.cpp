// Glia's side of resize.py: resize IN.npy HEIGHT WIDTH OUT.npy
#include <cstdlib>

#include "glia/io.h"
#include "glia/vision/image.h"

int main(int, char** a) {
  glia::io::write_npy(
      a[4], glia::vision::resize(glia::io::read_npy(a[1]), std::atoll(a[2]), std::atoll(a[3])));
}
