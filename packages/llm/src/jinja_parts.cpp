#include "jinja_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "glia/error.h"

namespace glia::llm::jinja {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_space(char c) { return is_blank(c) || c == '\n' || c == '\r'; }
}  // namespace

void Source::fail(const std::string& fault) const {
  throw ValueError(fmt::format("chat template: line {}: {}", line, fault));
}

std::string trimmed(const std::string& s, bool left, bool right) {
  size_t a = 0, b = s.size();
  while (left && a < b && is_space(s[a])) ++a;
  while (right && b > a && is_space(s[b - 1])) --b;
  return s.substr(a, b - a);
}

std::vector<Piece> pieces_of(const std::string& s) {
  std::vector<Piece> out;
  int64_t line = 1;
  size_t at = 0;
  bool trim = false, newline = false;  // what the last tag takes of the text behind it
  while (at < s.size()) {
    size_t tag = at;
    while ((tag = s.find('{', tag)) != std::string::npos &&
           !(tag + 1 < s.size() && std::string("{%#").find(s[tag + 1]) != std::string::npos))
      ++tag;
    std::string text = s.substr(at, tag == std::string::npos ? tag : tag - at);
    const auto breaks = std::ranges::count(text, '\n');
    if (trim) {
      text = trimmed(text, true, false);
    } else if (newline) {
      if (text.starts_with("\r\n"))
        text.erase(0, 2);
      else if (text.starts_with('\n'))
        text.erase(0, 1);
    }
    const bool ends = tag == std::string::npos;
    if (!ends && tag + 2 < s.size() && s[tag + 2] == '-') {
      text = trimmed(text, false, true);
    } else if (!ends && s[tag + 1] != '{') {  // blanks before a block that begins a line
      size_t start = tag;
      while (start > at && is_blank(s[start - 1])) --start;
      if (start == 0 || s[start - 1] == '\n')
        text.resize(text.size() - std::min(text.size(), tag - start));
    }
    if (!text.empty()) out.push_back({Kind::kText, text, line});
    line += breaks;
    if (ends) break;
    const char open = s[tag + 1];
    const std::string close = open == '{' ? "}}" : open == '%' ? "%}" : "#}";
    // Its end, outside of texts.
    size_t end = tag + 2;
    for (char quote = 0; end < s.size(); ++end) {
      if (quote) {
        if (s[end] == '\\')
          ++end;
        else if (s[end] == quote)
          quote = 0;
      } else if (open != '#' && (s[end] == '\'' || s[end] == '"')) {
        quote = s[end];
      } else if (s.compare(end, 2, close) == 0) {
        break;
      }
    }
    if (end >= s.size()) Source(line).fail(fmt::format("'{{{}' is not closed", open));
    std::string inside = s.substr(tag + 2, end - tag - 2);
    const auto inner = std::ranges::count(inside, '\n');
    if (inside.starts_with('-') || inside.starts_with('+')) inside.erase(0, 1);
    trim = inside.ends_with('-');
    newline = open != '{' && !inside.ends_with('+');
    if (trim || inside.ends_with('+')) inside.pop_back();
    if (open != '#') out.push_back({open == '{' ? Kind::kPrint : Kind::kStatement, inside, line});
    line += inner;
    at = end + 2;
  }
  return out;
}

std::vector<Token> tokens_of(const std::string& s, const Source& source) {
  const auto is_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  };
  std::vector<Token> out;
  for (size_t i = 0; i < s.size();) {
    const char c = s[i];
    size_t end = i + 1;
    if (is_space(c)) {
      ++i;
      continue;
    }
    if (c == '\'' || c == '"') {
      std::string text;
      for (; end < s.size() && s[end] != c; ++end) {
        if (s[end] != '\\' || end + 1 == s.size()) {
          text += s[end];
          continue;
        }
        const char next = s[++end];
        text += next == 'n' ? '\n' : next == 't' ? '\t' : next == 'r' ? '\r' : next;
      }
      if (end >= s.size()) source.fail("a text is not closed");
      out.push_back({'s', text});
      i = end + 1;
      continue;
    }
    if (is_name(c)) {
      while (end < s.size() && is_name(s[end])) ++end;
      out.push_back(
          {std::isdigit(static_cast<unsigned char>(c)) ? 'i' : 'n', s.substr(i, end - i)});
      i = end;
      continue;
    }
    for (const char* two : {"==", "!=", "<=", ">=", "//"})
      if (s.compare(i, 2, two) == 0) end = i + 2;
    out.push_back({'o', s.substr(i, end - i)});
    i = end;
  }
  out.push_back({0, ""});
  return out;
}

// ---- Values -----------------------------------------------------------------------------------

const List* list_of(const Value& v) {
  const auto* p = get<std::shared_ptr<List>>(v);
  return p ? p->get() : nullptr;
}
Map* map_of(const Value& v) {
  const auto* p = get<std::shared_ptr<Map>>(v);
  return p ? p->get() : nullptr;
}
bool is_true(const Value& v) {
  if (const auto* b = get<bool>(v)) return *b;
  if (const auto* i = get<int64_t>(v)) return *i != 0;
  if (const auto* s = get<std::string>(v)) return !s->empty();
  if (const auto* l = list_of(v)) return !l->empty();
  if (const auto* m = map_of(v)) return !m->empty();
  return false;
}
bool same(const Value& a, const Value& b, int depth) {
  if (a.is.index() != b.is.index() || depth > kDeepest) return false;
  if (get<bool>(a)) return *get<bool>(a) == *get<bool>(b);
  if (get<int64_t>(a)) return *get<int64_t>(a) == *get<int64_t>(b);
  if (get<std::string>(a)) return *get<std::string>(a) == *get<std::string>(b);
  if (const auto* l = list_of(a))
    return std::ranges::equal(
        *l, *list_of(b), [&](const Value& x, const Value& y) { return same(x, y, depth + 1); });
  return !map_of(a) || map_of(a) == map_of(b);
}
std::string text_of(const Value& v, const Source& source) {
  if (const auto* b = get<bool>(v)) return *b ? "True" : "False";
  if (const auto* i = get<int64_t>(v)) return std::to_string(*i);
  if (const auto* s = get<std::string>(v)) return *s;
  if (get<None>(v)) return "None";
  if (get<Undefined>(v)) return "";
  source.fail("a list or a map is no text");
}

Value Context::look_up(const std::string& name) const {
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
    if (const auto found = scope->find(name); found != scope->end()) return found->second;
  return {};
}

}  // namespace glia::llm::jinja
