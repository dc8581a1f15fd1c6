#include "data/files.h"

namespace glia::data {
namespace {

constexpr int64_t kMost = 1 << 26;

const RegisterEntry set({
    .name = "tinyshakespeare",
    .title = "Tiny Shakespeare",
    .home = "https://github.com/karpathy/char-rnn",
    .licence = "public domain",
    .task = "language-modelling",
    .files = {{"input.txt",
               "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"
               "input.txt",
               1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}},
    .text = tiny_shakespeare,
});

}  // namespace

std::string tiny_shakespeare(const std::string& folder) {
  const std::string path = file_in(find(entry("tinyshakespeare"), folder), "input.txt");
  std::string text = read_plain(path, kMost);
  if (text.empty()) throw IoError(path + ": is empty");
  return text;
}

}  // namespace glia::data
