#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "config.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/llm/bert.h"
#include "glia/ops.h"
#include "glia/ops/normalize.h"

namespace glia::llm {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kLengthStep = 8;  // batches are filled up to multiples: fewer plans
constexpr uintmax_t kLargest = uintmax_t{64} << 20;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

text::Tokenizer tokenizer_of(const std::string& folder) {
  bool lowercase = true;
  const std::string about = folder + "/tokenizer_config.json", words = folder + "/vocab.txt";
  if (exists(about)) JsonFile(about).read("do_lower_case", lowercase);
  if (exists(words)) return text::Tokenizer::from_vocabulary(words, lowercase);
  return text::Tokenizer::from_file(folder + "/tokenizer.json");
}

Pooling pooling_of(const std::string& path) {
  if (!exists(path)) return Pooling::kMean;
  const JsonFile file(path);
  constexpr std::pair<const char*, Pooling> kKinds[] = {
      {"pooling_mode_mean_tokens", Pooling::kMean},
      {"pooling_mode_cls_token", Pooling::kCls},
      {"pooling_mode_max_tokens", Pooling::kMax},
      {"pooling_mode_mean_sqrt_len_tokens", Pooling::kMeanSqrtLen}};
  std::vector<Pooling> said;
  for (const auto& [key, kind] : kKinds) {
    bool on = false;
    file.read(key, on);
    if (on) said.push_back(kind);
  }
  if (said.size() != 1) file.fail("names not one kind of pooling, which alone is known here");
  return said[0];
}

// Well-formed enough to be a text: no byte 0, and of bytes above 127 only sequences of UTF-8.
bool is_text(const std::string& s) {
  for (size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    const size_t more = c < 0x80                ? 0
                        : c >= 0xc2 && c < 0xe0 ? 1
                        : c >= 0xe0 && c < 0xf0 ? 2
                        : c >= 0xf0 && c < 0xf5 ? 3
                                                : 4;
    if (c == 0 || more == 4 || i + more >= s.size()) return false;
    for (size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xc0) != 0x80) return false;
    i += more + 1;
  }
  return true;
}

std::vector<std::string> files_of(const std::string& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> files;
  std::error_code fault;
  auto at =
      fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, fault);
  if (fault) throw IoError(path + ": " + fault.message());
  for (; at != fs::recursive_directory_iterator(); at.increment(fault)) {
    if (fault) throw IoError(path + ": " + fault.message());
    const std::string name = at->path().filename().string();
    if (name.starts_with(".") && at->is_directory(fault)) at.disable_recursion_pending();
    if (!name.starts_with(".") && at->is_regular_file(fault) && at->file_size(fault) <= kLargest)
      files.push_back(at->path().string());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Tensor pool(const Tensor& hidden, const Tensor& mask, Pooling how) {
  if (!hidden.defined() || !mask.defined() || hidden.rank() != 3 ||
      mask.shape() != Shape{hidden.size(0), hidden.size(1)})
    throw ShapeError("pool: needs states (N, T, C) and a mask (N, T)");
  if (how == Pooling::kCls) return index(hidden, {Slice{}, 0});
  const Tensor there = unsqueeze(cast(mask, kBool), 2);
  if (how == Pooling::kMax) return max(where(there, hidden, -1e9), {1});
  const Tensor kept = cast(there, hidden.dtype());
  const Tensor count = maximum(sum(kept, {1}), 1e-9), all = sum(hidden * kept, {1});
  return all / (how == Pooling::kMean ? count : sqrt(count));
}

Tensor multiple_negatives_ranking_loss(const Tensor& a, const Tensor& b, double scale) {
  if (!a.defined() || !b.defined() || a.rank() != 2 || a.shape() != b.shape())
    throw ShapeError("multiple_negatives_ranking_loss: needs (N, C) twice");
  const Tensor scores = linear(normalize(a), normalize(b)) * scale;
  return cross_entropy(scores, arange(a.size(0)));
}

SentenceEncoder::SentenceEncoder(const std::string& folder)
    : model(load_bert(folder)),
      tokenizer(tokenizer_of(folder)),
      pooling(pooling_of(folder + "/1_Pooling/config.json")) {
  model.eval();
  const std::string about = folder + "/sentence_bert_config.json", parts = folder + "/modules.json";
  if (exists(about)) JsonFile(about).read("max_seq_length", max_seq_length);
  max_seq_length = std::min(max_seq_length, model.config.max_position_embeddings);
  if (max_seq_length < 2) throw IoError(about + ": max_seq_length is below 2");
  if (exists(parts)) normalize = io::read_file(parts).find("Normalize") != std::string::npos;
  if (tokenizer.size() > model.config.vocab_size)
    throw IoError(folder + ": has more tokens than rows of weights for them");
}

text::PaddedEncodings SentenceEncoder::tokens(const std::vector<std::string>& texts) const {
  return text::padded(tokenizer.encode_batch(texts, {.max_length = max_seq_length}),
                      model.config.pad_token_id);
}

Tensor SentenceEncoder::operator()(const text::PaddedEncodings& batch) const {
  const Tensor vectors = pool(model(batch.ids, batch.mask), batch.mask, pooling);
  return normalize ? glia::normalize(vectors) : vectors;
}

Tensor SentenceEncoder::encode(const std::vector<std::string>& texts, int64_t batch_size) const {
  if (batch_size < 1) throw ValueError("SentenceEncoder: batches of fewer than 1 text");
  const NoGrad no_grad;
  const auto count = static_cast<int64_t>(texts.size()), width = model.config.hidden_size;
  const auto all = tokenizer.encode_batch(texts, {.max_length = max_seq_length});
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](int64_t i) { return all[i].size(); });
  const auto out = std::make_shared<std::vector<float>>(count * width);
  for (int64_t first = 0; first < count; first += batch_size) {
    const int64_t rows = std::min(batch_size, count - first);
    const int64_t longest = std::max<int64_t>(all[order[first]].size(), 1);
    const int64_t length = std::min((longest + kLengthStep - 1) / kLengthStep * kLengthStep,
                                    model.config.max_position_embeddings);
    std::vector<int64_t> ids(rows * length, model.config.pad_token_id);
    std::vector<bool> mask(rows * length);
    for (int64_t r = 0; r < rows; ++r) {
      const std::vector<int64_t>& from = all[order[first + r]].ids;
      std::ranges::copy(from, ids.begin() + r * length);
      std::fill_n(mask.begin() + r * length, from.size(), true);
    }
    const Tensor vectors = (*this)({.ids = from_vector(ids, {rows, length}),
                                    .type_ids = {},
                                    .mask = from_vector(mask, {rows, length})});
    const auto values = vectors.data<float>();
    for (int64_t r = 0; r < rows; ++r)
      std::ranges::copy(values.subspan(r * width, width), out->begin() + order[first + r] * width);
  }
  return from_external(out->data(), {count, width}, kF32, out);
}

// ---- Passages ---------------------------------------------------------------------------------

std::vector<Found> passages(const std::string& file, const std::string& text, int64_t characters) {
  if (characters < 1) throw ValueError("passages: of fewer than 1 character");
  std::vector<Found> out;
  Found now{.file = file};
  const auto end = [&] {
    if (!now.text.empty()) out.push_back(now);
    now.text.clear();
  };
  const auto add = [&](const std::string& part, int64_t line) {
    if (!now.text.empty() && static_cast<int64_t>(now.text.size() + part.size()) > characters)
      end();
    if (now.text.empty()) now.line = line;
    now.text += (now.text.empty() ? "" : " ") + part;
  };
  int64_t line = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t stop = std::min(text.find('\n', at), text.size());
    ++line;
    const std::string all = text.substr(at, stop - at);
    at = stop + 1;
    const size_t a = all.find_first_not_of(" \t\r"), b = all.find_last_not_of(" \t\r");
    if (a == std::string::npos) {
      end();
      continue;
    }
    std::string rest = all.substr(a, b + 1 - a);
    while (static_cast<int64_t>(rest.size()) > characters) {  // whole words, or whole characters
      size_t cut = rest.rfind(' ', characters);
      if (cut == std::string::npos || cut == 0)
        for (cut = characters; cut < rest.size() && (rest[cut] & 0xc0) == 0x80; ++cut) {
        }
      add(rest.substr(0, cut), line);
      const size_t next = rest.find_first_not_of(' ', cut);
      rest = next == std::string::npos ? "" : rest.substr(next);
    }
    if (!rest.empty()) add(rest, line);
  }
  end();
  return out;
}

std::vector<Found> find_passages(const SentenceEncoder& encoder, const std::string& path,
                                 const std::string& query, int64_t count) {
  if (count < 0) throw ValueError("find_passages: a negative number is wanted");
  std::vector<Found> all;
  for (const std::string& file : files_of(path)) {
    const std::string text = io::read_file(file);
    if (!is_text(text)) continue;
    for (Found& one : passages(file, text)) all.push_back(std::move(one));
  }
  if (all.empty()) throw IoError(path + ": there is no text");
  std::vector<std::string> texts{query};
  for (const Found& one : all) texts.push_back(one.text);
  const Tensor vectors = normalize(encoder.encode(texts));
  const Tensor scores = linear(slice(vectors, 0, {1, Slice::kNone}), slice(vectors, 0, {0, 1}));
  const std::vector<double> values = scores.to_vector<double>();
  for (size_t i = 0; i < all.size(); ++i) all[i].score = values[i];
  std::ranges::stable_sort(all, std::greater(), &Found::score);
  if (count < static_cast<int64_t>(all.size())) all.resize(count);
  return all;
}

}  // namespace glia::llm
