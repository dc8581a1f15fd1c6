// What the readers of several data sets share.
#pragma once

#include <string>

#include "glia/catalogue.h"

namespace glia::data {

// The file's bytes, decompressed if it is gzipped; a set's file is no larger than `most`.
std::string read_plain(const std::string& path, int64_t most);

// Labels u8 as i64; an IoError names the file and the first that is none of `classes`.
Tensor checked_labels(const std::string& path, const Tensor& labels, int64_t classes);

// The four idx files of MNIST and of what is made in its image: images (28, 28, 1) u8, ten classes.
Dataset<2> read_idx_images(const Entry& set, Split split, const std::string& folder);

}  // namespace glia::data
