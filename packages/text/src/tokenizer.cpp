#include "glia/text/tokenizer.h"

#include <algorithm>
#include <atomic>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "json.h"
#include "tokenizer_parts.h"
#include "unicode.h"
#include "word_cache.h"

namespace glia::text {

using Json = nlohmann::json;
using Parts = Tokenizer::Parts;

namespace {

// Adds a text's tokens to an encoding; of `trims` see PostProcessor.
void append(const Parts::Cut& cut, size_t count, int64_t type_id, Encoding* out) {
  for (size_t i = 0; i < count; ++i) {
    out->ids.push_back(cut.ids[i]);
    out->begins.push_back(cut.ranges[i].begin);
    out->ends.push_back(cut.ranges[i].end);
    out->type_ids.push_back(type_id);
    out->special.push_back(false);
  }
}

// How many bytes of white space a token of bytes begins or ends with, written as characters.
std::pair<uint32_t, uint32_t> white_ends(const std::string& token) {
  const auto white = [&](size_t at) {
    const char32_t c = decode_at(token, at).character;
    return c == 0x120 || (classes_of(c) & kWhite);
  };
  uint32_t leading = 0, trailing = 0;
  for (size_t at = 0; at < token.size() && white(at); at += decode_at(token, at).bytes) ++leading;
  for (size_t end = token.size(); end > 0 && white(before(token, end)); end = before(token, end))
    ++trailing;
  return {leading, trailing};
}

void trim(const Parts& parts, const std::string& text, Parts::Cut* cut) {
  for (size_t i = 0; i < cut->ids.size(); ++i) {
    Range& range = cut->ranges[i];
    const AddedTokens::One* added = parts.added.find(cut->ids[i]);
    auto [leading, trailing] =
        white_ends(added ? added->token.content : parts.tokens()[cut->ids[i]]);
    if (leading > 0 && (i == 0 || range.begin == 0) && parts.post.trims_prefix) --leading;
    for (; leading > 0 && range.begin < range.end; --leading)
      range.begin += std::max(valid_bytes(text, range.begin), 1u);
    for (; trailing > 0 && range.begin < range.end; --trailing)
      range.end = static_cast<uint32_t>(before(text, range.end));
  }
}

// The lengths of two texts that have room for `most` tokens together.
std::pair<size_t, size_t> shared_room(size_t a, size_t b, size_t most) {
  if (a + b <= most) return {a, b};
  const bool swapped = a > b;
  if (swapped) std::swap(a, b);
  b = a > most ? a : std::max(a, most - a);
  if (a + b > most) {
    a = most / 2;
    b = a + most % 2;
  }
  if (swapped) std::swap(a, b);
  return {a, b};
}

Encoding assembled(const Parts& parts, const std::vector<Parts::Cut>& cuts,
                   const EncodeOptions& options) {
  static const std::vector<PostProcessor::Item> plain[2] = {{{0, 0, {}}}, {{0, 0, {}}, {1, 1, {}}}};
  const bool two = cuts.size() == 2;
  const auto& items = !options.add_special_tokens || parts.pieces ? plain[two]
                      : two                                       ? parts.post.pair
                                                                  : parts.post.single;
  size_t counts[2] = {cuts[0].ids.size(), two ? cuts[1].ids.size() : 0};
  const int64_t most = options.max_length == 0 ? parts.max_length : options.max_length;
  if (most > 0) {
    size_t around = 0;
    for (const auto& item : items) around += item.ids.size();
    const size_t room = static_cast<size_t>(most) > around ? static_cast<size_t>(most) - around : 0;
    std::tie(counts[0], counts[1]) = two ? shared_room(counts[0], counts[1], room)
                                         : std::pair{std::min(counts[0], room), size_t{0}};
  }
  Encoding out;
  for (const auto& item : items) {
    if (item.which >= 0) {
      const auto which = static_cast<size_t>(item.which);
      if (which < cuts.size()) append(cuts[which], counts[which], item.type_id, &out);
      continue;
    }
    for (const int64_t id : item.ids) {
      out.ids.push_back(id);
      out.begins.push_back(0);
      out.ends.push_back(0);
      out.type_ids.push_back(item.type_id);
      out.special.push_back(true);
    }
  }
  return out;
}

}  // namespace

// ---- From text to tokens ------------------------------------------------------------------------

void Parts::finish() {
  static std::atomic<uint64_t> last{0};
  serial = ++last;
  const auto part = [&](const char* name, auto&& read) {
    try {
      return read(member_or_null(settings, name));
    } catch (const ValueError& e) {
      throw ValueError(std::string(name) + ": " + e.what());
    }
  };
  normalizers = part("normalizer", read_normalizers);
  pre_tokenizers = part("pre_tokenizer", [&](const Json& json) {
    return read_pre_tokenizers(json, model->takes_bytes());
  });
  post = part("post_processor", PostProcessor::read);
  decoders = part("decoder", read_decoders);
  has_decoder = !member_or_null(settings, "decoder").is_null();
  if (const Json& truncation = member_or_null(settings, "truncation"); !truncation.is_null())
    max_length = integer_of(truncation, "max_length", 0);
  part("added_tokens", [&](const Json& json) {
    for (const Json& one : json) {
      const bool special = flag_of(one, "special", false);
      const int64_t id = integer_of(one, "id", -1, Tokens::kMost - 1);
      if (id < 0) throw ValueError("there is no \"id\"");
      added.add({.content = text_of(one, "content"),
                 .single_word = flag_of(one, "single_word", false),
                 .lstrip = flag_of(one, "lstrip", false),
                 .rstrip = flag_of(one, "rstrip", false),
                 .normalized = flag_of(one, "normalized", !special),
                 .special = special},
                static_cast<int32_t>(id));
    }
    return 0;
  });
  added.build(normalizers);
}

Pieces Parts::words(const std::string& text) const {
  Pieces out;
  Aligned whole = Aligned::of(text);
  const std::vector<Piece> sections =
      added.empty() ? std::vector<Piece>{{0, whole.size()}} : added.cut(whole.bytes, false);
  const bool one = sections.size() == 1 && sections[0].token < 0;
  for (const Piece& section : sections) {
    Aligned part = one ? std::move(whole) : whole.part(section.begin, section.end);
    std::vector<Piece> pieces{{0, part.size(), section.token}};
    if (section.token < 0) {
      apply(normalizers, &part);
      pieces = added.empty() ? std::vector<Piece>{{0, part.size()}} : added.cut(part.bytes, true);
    }
    const uint32_t at = out.text.size();
    for (const Piece& piece : pieces)
      if (piece.end > piece.begin)
        out.all.push_back({at + piece.begin, at + piece.end, piece.token});
    if (one) {
      out.text = std::move(part);
    } else {
      for (uint32_t i = 0; i < part.size(); ++i) out.text.from.push_back(part.origin_at(i));
      out.text.bytes += part.bytes;
    }
  }
  for (const auto& step : pre_tokenizers.all) step->apply(&out);
  return out;
}

void Parts::cut(const std::string& text, bool ranges, Cut* out) const {
  if (pieces) {
    std::vector<Range> unused;
    pieces->encode(Aligned::of(text), &out->ids, &out->ranges);
    return;
  }
  thread_local WordCache cache;
  const Pieces all = words(text);
  out->ids.reserve(text.size() / 3 + 4);
  for (const Piece& piece : all.all) {
    if (piece.token >= 0) {
      out->ids.push_back(piece.token);
      if (ranges) out->ranges.push_back(all.text.origin(piece.begin, piece.end));
      continue;
    }
    const std::string_view word =
        std::string_view(all.text.bytes).substr(piece.begin, piece.end - piece.begin);
    uint32_t at = piece.begin;
    for (const Token& token :
         cache.get(serial, word,
                   [&](std::string_view w, std::vector<Token>*to) { model->encode(w, to); })) {
      out->ids.push_back(token.id);
      if (ranges) out->ranges.push_back(all.text.origin(at, at + token.bytes));
      at += token.bytes;
    }
  }
  if (ranges && post.trims) trim(*this, text, out);
}

const Parts& Tokenizer::parts() const {
  if (!parts_) throw Error("a tokeniser that was neither read nor trained");
  return *parts_;
}

Encoding Tokenizer::encode(const std::string& text, const EncodeOptions& options) const {
  std::vector<Parts::Cut> cuts(1);
  parts().cut(text, true, &cuts[0]);
  return assembled(parts(), cuts, options);
}

Encoding Tokenizer::encode_pair(const std::string& first, const std::string& second,
                                const EncodeOptions& options) const {
  std::vector<Parts::Cut> cuts(2);
  parts().cut(first, true, &cuts[0]);
  parts().cut(second, true, &cuts[1]);
  return assembled(parts(), cuts, options);
}

std::vector<Encoding> Tokenizer::encode_batch(const std::vector<std::string>& texts,
                                              const EncodeOptions& options) const {
  constexpr size_t kTogether = 64;
  std::vector<Encoding> out(texts.size());
  parts();
  parallel_for(static_cast<int64_t>((texts.size() + kTogether - 1) / kTogether), [&](int64_t i) {
    const size_t begin = static_cast<size_t>(i) * kTogether;
    for (size_t k = begin; k < std::min(begin + kTogether, texts.size()); ++k)
      out[k] = encode(texts[k], options);
  });
  return out;
}

std::vector<int64_t> Tokenizer::ids(const std::string& text, bool add_special_tokens) const {
  const Parts& p = parts();
  if (p.max_length > 0) return encode(text, {.add_special_tokens = add_special_tokens}).ids;
  Parts::Cut cut;
  p.cut(text, false, &cut);
  if (!add_special_tokens || p.pieces) return {cut.ids.begin(), cut.ids.end()};
  std::vector<int64_t> out;
  out.reserve(cut.ids.size() + 2);
  for (const auto& item : p.post.single)
    if (item.which == 0)
      out.insert(out.end(), cut.ids.begin(), cut.ids.end());
    else
      out.insert(out.end(), item.ids.begin(), item.ids.end());
  return out;
}

std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> Tokenizer::words(
    const std::string& text) const {
  std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> out;
  if (parts().pieces) throw Error("words: SentencePiece cuts no words");
  const Pieces all = parts().words(text);
  for (const Piece& piece : all.all) {
    const Range from = all.text.origin(piece.begin, piece.end);
    out.push_back(
        {all.text.bytes.substr(piece.begin, piece.end - piece.begin), {from.begin, from.end}});
  }
  return out;
}

// ---- From tokens to text ------------------------------------------------------------------------

std::string Tokenizer::decode(const std::vector<int64_t>& ids, bool skip_special_tokens) const {
  const Parts& p = parts();
  if (p.pieces) return p.pieces->decode(ids, skip_special_tokens);
  std::vector<std::string> tokens;
  for (const int64_t id : ids) {
    const AddedTokens::One* added = p.added.find(id);
    if (added && added->token.special && skip_special_tokens) continue;
    std::string token = added ? added->token.content : p.tokens()[id];
    if (!token.empty()) tokens.push_back(std::move(token));
  }
  for (const auto& step : p.decoders) step->apply(&tokens);
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !p.has_decoder) out += ' ';
    out += tokens[i];
  }
  return out;
}

int64_t Tokenizer::size() const {
  int64_t out = parts().tokens().size();
  for (const auto& one : parts().added.all()) out = std::max<int64_t>(out, one.id + 1);
  return out;
}

std::string Tokenizer::token(int64_t id) const {
  const AddedTokens::One* added = parts().added.find(id);
  return added ? added->token.content : parts().tokens()[id];
}

std::vector<std::string> Tokenizer::tokens(const std::vector<int64_t>& ids) const {
  std::vector<std::string> out;
  for (const int64_t one : ids) out.push_back(token(one));
  return out;
}

std::optional<int64_t> Tokenizer::id(const std::string& token) const {
  if (const AddedTokens::One* added = parts().added.find(token)) return added->id;
  const auto id = parts().tokens().find(token);
  return id ? std::optional<int64_t>(*id) : std::nullopt;
}

bool Tokenizer::is_special(int64_t id) const {
  if (parts().pieces) return parts().pieces->is_special(id);
  const AddedTokens::One* added = parts().added.find(id);
  return added && added->token.special;
}

Tokenizer Tokenizer::with_tokens(const std::vector<AddedToken>& tokens) const {
  if (parts().pieces) throw Error("with_tokens: a model of SentencePiece has its own tokens");
  auto made = std::make_shared<Parts>();
  made->settings = parts().settings;
  made->model = parts().model;
  Json& all = made->settings["added_tokens"];
  if (!all.is_array()) all = Json::array();
  int64_t next = size();
  for (const AddedToken& token : tokens) {
    const auto known = id(token.content);
    all.push_back({{"id", known ? *known : next++},
                   {"content", token.content},
                   {"single_word", token.single_word},
                   {"lstrip", token.lstrip},
                   {"rstrip", token.rstrip},
                   {"normalized", token.normalized},
                   {"special", token.special}});
  }
  made->finish();
  return Tokenizer(made);
}

std::string Tokenizer::to_json() const {
  const Parts& p = parts();
  if (p.pieces) return p.source;
  Json out = p.settings;
  out["version"] = "1.0";
  out["model"] = p.model->to_json();
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Tokenizer::save(const std::string& path) const { io::write_file_atomic(path, to_json()); }

PaddedEncodings padded(const std::vector<Encoding>& encodings, int64_t pad) {
  size_t longest = 1;
  for (const Encoding& one : encodings) longest = std::max(longest, one.ids.size());
  const size_t total = encodings.size() * longest;
  std::vector<int64_t> ids(total, pad), types(total, 0), mask(total, 0);
  for (size_t i = 0; i < encodings.size(); ++i) {
    const Encoding& one = encodings[i];
    std::ranges::copy(one.ids, ids.begin() + static_cast<std::ptrdiff_t>(i * longest));
    std::ranges::copy(one.type_ids, types.begin() + static_cast<std::ptrdiff_t>(i * longest));
    std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(i * longest), one.ids.size(), 1);
  }
  const Shape shape{static_cast<int64_t>(encodings.size()), static_cast<int64_t>(longest)};
  return {from_vector(ids, shape), from_vector(types, shape), from_vector(mask, shape) != 0};
}

}  // namespace glia::text
