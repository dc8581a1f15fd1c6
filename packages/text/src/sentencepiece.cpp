// Models of SentencePiece (Kudo, Richardson 2018): the file, a protobuf, and what it does with
// texts.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "glia/error.h"
#include "merger.h"
#include "tokenizer_parts.h"
#include "unicode.h"

namespace glia::text {
namespace {

enum Type { kNormal = 1, kUnknown = 2, kControl = 3, kUser = 4, kUnused = 5, kByte = 6 };
constexpr double kOwnScore = 0.1;  // of each byte of a piece of the user's own but one
constexpr std::string_view kSpace = "\xE2\x96\x81";

// ---- protobuf -----------------------------------------------------------------------------------

// The fields of a message, one after the other.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}
  // Goes to the next field; false at the end.
  bool next() {
    if (at_ >= bytes_.size()) return false;
    const uint64_t tag = varint();
    number = tag >> 3;
    wire = static_cast<int>(tag & 7);
    text = {};
    if (wire == 0) {
      value = varint();
    } else if (wire == 2) {
      text = take(varint());
    } else if (wire == 1 || wire == 5) {
      text = take(wire == 1 ? 8 : 4);
    } else {
      broken();
    }
    return true;
  }
  float real() const {
    if (wire != 5) broken();
    float out;
    std::memcpy(&out, text.data(), 4);
    return out;
  }

  uint64_t number = 0, value = 0;
  int wire = 0;
  std::string_view text;

 private:
  [[noreturn]] static void broken() { throw ValueError("no model of SentencePiece, or cut short"); }
  uint64_t varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ >= bytes_.size()) broken();
      const auto b = static_cast<uint8_t>(bytes_[at_++]);
      out |= static_cast<uint64_t>(b & 0x7F) << shift;
      if (b < 0x80) return out;
    }
    broken();
  }
  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) broken();
    const std::string_view out = bytes_.substr(at_, size);
    at_ += size;
    return out;
  }
  std::string_view bytes_;
  size_t at_ = 0;
};

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string number_field(int number, uint64_t value) {
  return varint(static_cast<uint64_t>(number) << 3) + varint(value);
}
std::string text_field(int number, std::string_view text) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(text.size()) + std::string(text);
}

}  // namespace

std::string write_sentencepiece(const std::vector<SentencePiece::PieceOf>& pieces,
                                const SentencePiece::Settings& settings) {
  std::string out;
  for (const SentencePiece::PieceOf& piece : pieces) {
    const auto score = static_cast<float>(piece.score);
    std::string own = text_field(1, piece.text) + varint(2 << 3 | 5);
    own.append(reinterpret_cast<const char*>(&score), 4);
    out += text_field(1, own + number_field(3, static_cast<uint64_t>(piece.type)));
  }
  out += text_field(2, number_field(3, settings.unigram ? 1 : 2) +
                           number_field(24, settings.whitespace_as_suffix) +
                           text_field(44, settings.unk_surface));
  return out + text_field(3, text_field(2, settings.charsmap) +
                                 number_field(3, settings.add_dummy_prefix) +
                                 number_field(4, settings.remove_extra_whitespaces) +
                                 number_field(5, settings.escape_whitespaces));
}

std::shared_ptr<const SentencePiece> read_sentencepiece(std::string_view bytes) {
  std::vector<SentencePiece::PieceOf> pieces;
  SentencePiece::Settings settings;
  uint64_t kind = 1;
  for (Fields model(bytes); model.next();) {
    if (model.number == 1 && model.wire == 2) {
      SentencePiece::PieceOf piece{"", 0, kNormal};
      for (Fields f(model.text); f.next();) {
        if (f.number == 1) piece.text = f.text;
        if (f.number == 2) piece.score = f.real();
        if (f.number == 3) piece.type = static_cast<int64_t>(f.value);
      }
      pieces.push_back(std::move(piece));
    } else if (model.number == 2 && model.wire == 2) {
      for (Fields f(model.text); f.next();) {
        if (f.number == 3) kind = f.value;
        if (f.number == 24) settings.whitespace_as_suffix = f.value != 0;
        if (f.number == 44) settings.unk_surface = f.text;
      }
    } else if (model.number == 3 && model.wire == 2) {
      for (Fields f(model.text); f.next();) {
        if (f.number == 2) settings.charsmap = f.text;
        if (f.number == 3) settings.add_dummy_prefix = f.value != 0;
        if (f.number == 4) settings.remove_extra_whitespaces = f.value != 0;
        if (f.number == 5) settings.escape_whitespaces = f.value != 0;
      }
    }
  }
  if (kind != 1 && kind != 2)
    throw ValueError("a SentencePiece model of words or characters is not supported");
  settings.unigram = kind == 1;
  return std::make_shared<SentencePiece>(pieces, settings);
}

SentencePiece::SentencePiece(const std::vector<PieceOf>& pieces, Settings settings)
    : settings_(std::move(settings)), pieces_(pieces) {
  if (pieces.empty()) throw ValueError("no model of SentencePiece: there are no pieces");
  std::vector<int32_t> bytes(256, -1);
  least_ = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const PieceOf& p = pieces[i];
    const auto id = static_cast<int32_t>(i);
    if (p.text.empty() || !is_valid_utf8(p.text))
      throw ValueError("the piece " + std::to_string(i) + " is empty or not UTF-8");
    if (p.type < kNormal || p.type > kByte || !std::isfinite(p.score))
      throw ValueError("the piece " + std::to_string(i) + " has a type or score that is none");
    tokens_.add(p.text, id);
    if (p.type == kNormal || p.type == kUser) trie_.add(p.text, id);
    if (p.type == kNormal) least_ = std::min(least_, p.score);
    if (p.type == kUser) {
      own_.add(p.text, id);
      any_own_ = true;
    }
    if (p.type == kUnused && !settings_.unigram)
      throw ValueError("a BPE model of SentencePiece with unused pieces is not supported");
    if (p.type == kUnknown) {
      if (unk_ >= 0) throw ValueError("two pieces are for what is unknown");
      unk_ = id;
    }
    for (int b = 0; p.type == kByte && b < 256; ++b)
      if (p.text == byte_token(static_cast<uint8_t>(b))) bytes[static_cast<size_t>(b)] = id;
  }
  if (unk_ < 0) throw ValueError("no piece is for what is unknown");
  trie_.build();
  own_.build();
  if (std::ranges::none_of(bytes, [](int32_t id) { return id < 0; })) bytes_ = bytes;
  if (!settings_.charsmap.empty()) map_.emplace(settings_.charsmap);
  if (!settings_.unigram) {
    std::vector<double> scores;
    for (const PieceOf& p : pieces) scores.push_back(p.score);
    std::ranges::sort(scores, std::greater<>());
    const auto end = std::unique(scores.begin(), scores.end());
    for (const PieceOf& p : pieces)
      ranks_.push_back(static_cast<uint32_t>(
          std::lower_bound(scores.begin(), end, p.score, std::greater<>()) - scores.begin()));
  }
}

uint32_t SentencePiece::own(std::string_view text, int32_t* id) const {
  uint32_t out = 0;
  if (any_own_)
    own_.prefixes(text, [&](uint32_t bytes, int32_t which) {
      out = bytes;
      if (id) *id = which;
    });
  return out;
}

Aligned SentencePiece::normalized(const Aligned& text) const {
  const std::string_view in = text.bytes;
  // What the text goes on with, normalised, and of how many bytes.
  const auto next = [&](size_t at) -> CharacterMap::Found {
    const std::string_view rest = in.substr(at);
    if (const uint32_t bytes = own(rest)) return {rest.substr(0, bytes), bytes};
    if (map_)
      if (const auto found = map_->find(rest, true); found.bytes) return found;
    const uint32_t bytes = decode_at(in, at).bytes;
    return {rest.substr(0, bytes), bytes};
  };
  Rewriter out(text);
  size_t at = 0;
  if (settings_.remove_extra_whitespaces)
    while (at < in.size()) {
      const auto found = next(at);
      if (found.text != " ") break;
      at += found.bytes;
    }
  if (at == in.size()) return Rewriter(text).take();
  const std::string_view space = settings_.escape_whitespaces ? kSpace : " ";
  if (!settings_.whitespace_as_suffix && settings_.add_dummy_prefix)
    out.replace(static_cast<uint32_t>(at), space);
  bool after_space = settings_.remove_extra_whitespaces;
  while (at < in.size()) {
    auto [put, bytes] = next(at);
    const Range from = text.origin(static_cast<uint32_t>(at), static_cast<uint32_t>(at + bytes));
    while (after_space && put.starts_with(' ')) put.remove_prefix(1);
    if (!put.empty()) {
      for (size_t i = 0; i < put.size(); ++i)
        out.put(put[i] == ' ' ? space : put.substr(i, 1), from);
      after_space = put.back() == ' ';
    }
    if (!settings_.remove_extra_whitespaces) after_space = false;
    at += bytes;
  }
  Aligned made = out.take();
  size_t size = made.bytes.size();
  while (settings_.remove_extra_whitespaces &&
         std::string_view(made.bytes).substr(0, size).ends_with(space))
    size -= space.size();
  made.bytes.resize(size);
  made.from.resize(size);
  if (settings_.whitespace_as_suffix && settings_.add_dummy_prefix && size > 0) {
    const Range last = made.from.back();
    made.bytes += space;
    made.from.resize(made.bytes.size(), last);
  }
  return made;
}

// Two neighbours are joined where the text that both cover is a piece, that of the highest score
// first.
void SentencePiece::cut_bpe(std::string_view text, std::vector<Token>* out) const {
  // Of the part that begins at each byte: its bytes, where the one to its left begins, and whether
  // it is one of the user's own, which stays as it is.
  std::vector<uint32_t> sizes(text.size() + 1), left_of(text.size() + 1, UINT32_MAX);
  std::vector<bool> frozen(text.size() + 1);
  for (size_t at = 0; at < text.size(); at += sizes[at]) {
    const uint32_t whole = own(text.substr(at));
    sizes[at] = whole ? whole : decode_at(text, at).bytes;
    frozen[at] = whole > 0;
    left_of[at + sizes[at]] = static_cast<uint32_t>(at);
  }
  struct Candidate {
    uint32_t rank, left, size, right_size;
    bool operator>(const Candidate& o) const {
      return std::tie(rank, left) > std::tie(o.rank, o.left);
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto push = [&](size_t left) {
    const size_t right = left + sizes[left];
    if (right >= text.size() || frozen[left] || frozen[right]) return;
    const uint32_t size = sizes[left] + sizes[right];
    const auto id = tokens_.find(text.substr(left, size));
    if (!id || pieces_[static_cast<size_t>(*id)].type != kNormal) return;
    heap.push(
        {ranks_[static_cast<size_t>(*id)], static_cast<uint32_t>(left), sizes[left], sizes[right]});
  };
  for (size_t at = 0; at < text.size(); at += sizes[at]) push(at);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    const size_t left = best.left, right = left + best.size;
    if (sizes[left] != best.size || sizes[right] != best.right_size) continue;
    sizes[left] += sizes[right];
    sizes[right] = 0;
    left_of[left + sizes[left]] = best.left;
    if (left_of[left] != UINT32_MAX) push(left_of[left]);
    push(left);
  }
  for (size_t at = 0; at < text.size(); at += sizes[at]) {
    const auto id = tokens_.find(text.substr(at, sizes[at]));
    const bool known = id && pieces_[static_cast<size_t>(*id)].type != kControl;
    out->push_back({known ? *id : unk_, sizes[at]});
  }
}

void SentencePiece::cut_unigram(std::string_view text, std::vector<Token>* out) const {
  struct Best {
    float score = 0;  // as SentencePiece adds them
    int32_t id = -1;
    uint32_t begin = UINT32_MAX;
  };
  std::vector<Best> best(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, float score, int32_t id) {
    const float sum = score + best[begin].score;
    if (best[end].begin == UINT32_MAX || sum > best[end].score)
      best[end] = {sum, id, static_cast<uint32_t>(begin)};
  };
  for (size_t at = 0; at < text.size();) {
    const uint32_t bytes = decode_at(text, at).bytes;
    bool single = false;
    trie_.prefixes(text.substr(at), [&](uint32_t size, int32_t id) {
      const PieceOf& piece = pieces_[static_cast<size_t>(id)];
      offer(at, at + size,
            static_cast<float>(piece.type == kUser ? kOwnScore * (size - 1) : piece.score), id);
      single |= size == bytes;
    });
    if (!single) offer(at, at + bytes, static_cast<float>(least_) - 10, unk_);
    at += bytes;
  }
  const size_t from = out->size();
  for (size_t end = text.size(); end > 0; end = best[end].begin)
    out->push_back({best[end].id, static_cast<uint32_t>(end) - best[end].begin});
  std::reverse(out->begin() + static_cast<std::ptrdiff_t>(from), out->end());
}

void SentencePiece::encode(const Aligned& text, std::vector<int32_t>* ids,
                           std::vector<Range>* ranges) const {
  const Aligned made = normalized(text);
  std::vector<Token> tokens;
  settings_.unigram ? cut_unigram(made.bytes, &tokens) : cut_bpe(made.bytes, &tokens);
  const size_t first = ids->size();
  uint32_t at = 0;
  for (const Token& token : tokens) {
    const Range from = made.origin(at, at + token.bytes);
    if (token.id == unk_ && !bytes_.empty()) {
      for (uint32_t i = at; i < at + token.bytes; ++i) {
        ids->push_back(bytes_[static_cast<uint8_t>(made.bytes[i])]);
        ranges->push_back(from);
      }
    } else if (token.id == unk_ && ids->size() > first && ids->back() == unk_) {
      ranges->back().end = from.end;  // what is unknown is one token
    } else {
      ids->push_back(token.id);
      ranges->push_back(from);
    }
    at += token.bytes;
  }
}

bool SentencePiece::is_special(int64_t id) const {
  return id >= 0 && id < tokens_.size() && pieces_[static_cast<size_t>(id)].type == kControl;
}

std::string SentencePiece::decode(const std::vector<int64_t>& ids, bool skip_special) const {
  std::string out, bytes;
  bool first = true;
  const auto flush = [&] {
    // A character at a time: what is none gives U+FFFD for each of its bytes.
    for (size_t at = 0; at < bytes.size();) {
      const uint32_t size = valid_bytes(bytes, at);
      out += size ? std::string_view(bytes).substr(at, size) : std::string_view("\xEF\xBF\xBD");
      at += std::max(size, 1u);
    }
    bytes.clear();
  };
  for (const int64_t id : ids) {
    if (id < 0 || id >= tokens_.size()) continue;
    const PieceOf& piece = pieces_[static_cast<size_t>(id)];
    if (piece.type == kByte) {
      for (int b = 0; b < 256; ++b)
        if (!bytes_.empty() && bytes_[static_cast<size_t>(b)] == id) bytes += static_cast<char>(b);
      first = false;
      continue;
    }
    flush();
    if (piece.type == kControl) {
      if (!skip_special) out += piece.text;
    } else if (piece.type == kUnknown) {
      out += settings_.unk_surface;
      first = false;
    } else {
      std::string_view text = piece.text;
      if (first && !settings_.whitespace_as_suffix &&
          (settings_.add_dummy_prefix || settings_.remove_extra_whitespaces) &&
          text.starts_with(kSpace)) {
        text.remove_prefix(kSpace.size());
        if (text.empty() && settings_.remove_extra_whitespaces) {
          continue;
        }
      }
      first = false;
      for (size_t at = 0; at < text.size();) {
        const bool space = text.substr(at).starts_with(kSpace);
        out += space ? std::string_view(" ") : text.substr(at, 1);
        at += space ? kSpace.size() : 1;
      }
    }
  }
  flush();
  return out;
}

}  // namespace glia::text
