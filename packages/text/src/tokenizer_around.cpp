// Added tokens, and the special tokens around a text.
#include <algorithm>

#include "json.h"
#include "tokenizer_parts.h"
#include "unicode.h"

namespace glia::text {

using Json = nlohmann::json;

void AddedTokens::add(AddedToken token, int32_t id) {
  if (token.content.empty()) throw ValueError("an added token is empty");
  std::erase_if(all_, [&](const One& one) { return one.id == id; });
  all_.push_back({std::move(token), id});
}

void AddedTokens::build(const Normalizers& normalizers) {
  raw_ = normalized_ = {};
  for (size_t i = 0; i < all_.size(); ++i) {
    const AddedToken& token = all_[i].token;
    Aligned content = Aligned::of(token.content);
    if (token.normalized) apply(normalizers, &content);
    if (content.bytes.empty()) continue;
    Matcher& to = token.normalized ? normalized_ : raw_;
    to.trie.add(content.bytes, static_cast<int32_t>(i));
    to.begins[static_cast<uint8_t>(content.bytes[0])] = true;
    to.any = true;
  }
  raw_.trie.build();
  normalized_.trie.build();
}

const AddedTokens::One* AddedTokens::find(int64_t id) const {
  const auto at = std::ranges::find(all_, id, &One::id);
  return at == all_.end() ? nullptr : &*at;
}
const AddedTokens::One* AddedTokens::find(const std::string& content) const {
  const auto at =
      std::ranges::find_if(all_, [&](const One& one) { return one.token.content == content; });
  return at == all_.end() ? nullptr : &*at;
}

std::vector<Piece> AddedTokens::cut(std::string_view text, bool normalized) const {
  const Matcher& matcher = normalized ? normalized_ : raw_;
  const auto size = static_cast<uint32_t>(text.size());
  std::vector<Piece> out;
  const auto is = [&](size_t at, uint16_t classes) {
    return (classes_of(decode_at(text, at).character) & classes) != 0;
  };
  uint32_t done = 0;
  for (uint32_t at = 0; matcher.any && at < size;) {
    int32_t which = -1;
    uint32_t end = at;
    if (matcher.begins[static_cast<uint8_t>(text[at])])
      matcher.trie.prefixes(text.substr(at), [&](uint32_t bytes, int32_t value) {
        which = value;
        end = at + bytes;
      });
    if (which < 0) {
      ++at;
      continue;
    }
    const One& one = all_[static_cast<size_t>(which)];
    uint32_t begin = at;
    at = end;
    if (one.token.single_word &&
        ((begin > 0 && is(before(text, begin), kWord)) || (end < size && is(end, kWord))))
      continue;
    while (one.token.lstrip && begin > done && is(before(text, begin), kWhite))
      begin = static_cast<uint32_t>(before(text, begin));
    while (one.token.rstrip && end < size && is(end, kWhite)) end += decode_at(text, end).bytes;
    if (begin > done) out.push_back({done, begin});
    out.push_back({begin, end, one.id});
    done = end;
    at = std::max(at, end);
  }
  if (done < size) out.push_back({done, size});
  return out;
}

// ---- Around a text ------------------------------------------------------------------------------

namespace {

std::vector<int64_t> ids_of(const Json& json) {
  std::vector<int64_t> out;
  for (const Json& one : json) {
    if (!one.is_number_integer() || one.get<int64_t>() < 0)
      throw ValueError("a special token of the post-processor has no number");
    out.push_back(one.get<int64_t>());
  }
  return out;
}

std::vector<PostProcessor::Item> read_template(const Json& json, const Json& special) {
  std::vector<PostProcessor::Item> out;
  for (const Json& one : json) {
    PostProcessor::Item item;
    if (const Json& text = member_or_null(one, "Sequence"); !text.is_null()) {
      item.which = text_of(text, "id") == "B" ? 1 : 0;
      item.type_id = integer_of(text, "type_id", 0);
    } else {
      const Json& token = member(one, "SpecialToken");
      item.which = -1;
      item.type_id = integer_of(token, "type_id", 0);
      item.ids = ids_of(member(member(special, text_of(token, "id").c_str()), "ids"));
    }
    out.push_back(std::move(item));
  }
  return out;
}

// ["[SEP]", 102]
int64_t id_in_pair(const Json& json, const char* name) {
  const Json& pair = member(json, name);
  if (!pair.is_array() || pair.size() != 2 || !pair[1].is_number_integer())
    throw ValueError("\"" + std::string(name) + "\" is no token and its number");
  return pair[1].get<int64_t>();
}

}  // namespace

PostProcessor PostProcessor::read(const Json& json) {
  PostProcessor out;
  out.add(json, 0);
  return out;
}

void PostProcessor::add(const Json& json, int depth) {
  if (json.is_null()) return;
  if (depth > 16) throw ValueError("sequences within sequences without end");
  const std::string type = text_of(json, "type");
  const auto token = [](int64_t id, int64_t type_id) { return Item{-1, type_id, {id}}; };
  if (type == "Sequence") {
    for (const Json& one : member(json, "processors")) add(one, depth + 1);
  } else if (type == "ByteLevel") {
    trims = flag_of(json, "trim_offsets", true);
    trims_prefix = flag_of(json, "add_prefix_space", true);
  } else if (type == "TemplateProcessing") {
    const Json& special = member_or_null(json, "special_tokens");
    single = read_template(member(json, "single"), special);
    pair = read_template(member(json, "pair"), special);
  } else if (type == "BertProcessing") {
    const int64_t cls = id_in_pair(json, "cls"), sep = id_in_pair(json, "sep");
    single = {token(cls, 0), {0, 0, {}}, token(sep, 0)};
    pair = {token(cls, 0), {0, 0, {}}, token(sep, 0), {1, 1, {}}, token(sep, 1)};
  } else if (type == "RobertaProcessing") {
    const int64_t cls = id_in_pair(json, "cls"), sep = id_in_pair(json, "sep");
    single = {token(cls, 0), {0, 0, {}}, token(sep, 0)};
    pair = {token(cls, 0), {0, 0, {}}, token(sep, 0), token(sep, 0), {1, 0, {}}, token(sep, 0)};
    trims = flag_of(json, "trim_offsets", true);
    trims_prefix = flag_of(json, "add_prefix_space", true);
  } else {
    throw ValueError("the post-processor \"" + type + "\" is not known");
  }
}

}  // namespace glia::text
