// Glia's side of pictures.py: pictures KIND IN OUT.npy [HEIGHT WIDTH FILTER]
#include <cstdlib>
#include <string>

#include "glia/io.h"
#include "glia/vision/boxes.h"
#include "glia/vision/image.h"
#include "glia/vision/masks.h"

using namespace glia;

int main(int argc, char** a) {
  const std::string kind = a[1];
  if (kind == "read") {  // several files, each to FILE.npy and, of all bits, FILE.float.npy
    for (int i = 2; i < argc; ++i) {
      io::write_npy(std::string(a[i]) + ".npy", vision::read_image(a[i]));
      io::write_npy(std::string(a[i]) + ".float.npy", vision::read_image_float(a[i]));
    }
  } else if (kind == "resize") {
    io::write_npy(a[3], vision::resize(io::read_npy(a[2]), std::atoll(a[4]), std::atoll(a[5]),
                                       static_cast<vision::Filter>(std::atoi(a[6]))));
  } else if (kind == "alike") {
    const Tensor x = io::read_npy(a[2]), y = io::read_npy(a[3]);
    std::printf("%.17g %.17g %.17g\n", vision::psnr(x, y), vision::ssim(x, y),
                vision::ssim(x, y, {.gaussian = true}));
  } else if (kind ==
             "coco") {  // TRUTH.json and arrays of what was found: picture, box, score, class
    const vision::BoxedPictures truth = vision::read_coco(a[2], "");
    std::vector<vision::Detections> found;
    const io::NamedTensors all = io::read_npz(a[3]);
    for (size_t i = 0; i < truth.pictures.size(); ++i)
      found.push_back({all[3 * i].second, all[3 * i + 1].second, all[3 * i + 2].second});
    const vision::CocoResult r = vision::evaluate_coco(truth, found);
    for (const double v : {r.ap, r.ap50, r.ap75, r.ap_small, r.ap_medium, r.ap_large, r.ar1, r.ar10,
                           r.ar100, r.ar_small, r.ar_medium, r.ar_large})
      std::printf("%.17g ", v);
    std::printf("\n");
  } else {
    const io::NamedTensors in = io::read_npz(a[2]);
    io::write_npz(a[3], {{"iou", vision::box_iou(in[0].second, in[0].second)},
                         {"kept", vision::nms(in[0].second, in[1].second, 0.4)}});
  }
}
