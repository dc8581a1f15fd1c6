// Rows of 64 values from 0 to 16 and the digit, with commas between.
#include <charconv>

#include "data/files.h"
#include "glia/ops.h"

namespace glia::data {
namespace {

constexpr int64_t kPixels = 64, kMost = 1 << 24;

// scikit-learn's example of classification trains on the first half and tests on the second.
Dataset<2> half(Split split, const std::string& folder) {
  const Dataset<2> all = digits(folder);
  return split == Train ? all.take(all.size() / 2) : all.skip(all.size() / 2);
}

const RegisterEntry set({
    .name = "digits",
    .title = "digits",
    .home = "https://archive.ics.uci.edu/dataset/80",
    .licence = "CC BY 4.0",
    .task = "image-classification",
    .files = {{"digits.csv.gz",
               "https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.2.1/sklearn/datasets/"
               "data/digits.csv.gz",
               57512, "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"}},
    .package = "python3-sklearn",
    .package_folder = "/usr/lib/python3/dist-packages/sklearn/datasets/data",
    .classes = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
    .labelled = half,
});

}  // namespace

Dataset<2> digits(const std::string& folder) {
  const std::string path = file_in(find(entry("digits"), folder), "digits.csv.gz");
  const std::string text = read_plain(path, kMost);
  std::vector<uint8_t> pixels, classes;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    for (int64_t column = 0; column <= kPixels; ++column) {
      int value = -1;
      const auto [after, error] = std::from_chars(at, end, value);
      if (after < end && column == kPixels && *after == '\r')
        at = after + 1;
      else
        at = after;
      const bool closed = column < kPixels ? at < end && *at == ',' : at == end || *at == '\n';
      if (error != std::errc() || !closed || value < 0 || value > (column < kPixels ? 16 : 9))
        throw IoError(path + ": line " + std::to_string(classes.size() + 1) +
                      " is not 64 numbers from 0 to 16 and a digit");
      (column < kPixels ? pixels : classes).push_back(static_cast<uint8_t>(value));
      at += at < end;
    }
  }
  if (classes.empty()) throw IoError(path + ": holds no images");
  const int64_t count = static_cast<int64_t>(classes.size());
  return from_tensors(from_vector(pixels, {count, 8, 8, 1}),
                      cast(from_vector(classes, {count}), kI64));
}

}  // namespace glia::data
