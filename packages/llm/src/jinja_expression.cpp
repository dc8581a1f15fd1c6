#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "glia/error.h"
#include "jinja_parts.h"

namespace glia::llm::jinja {
namespace {

Value list(List values) { return {std::make_shared<List>(std::move(values))}; }

}  // namespace

Expression::Expression(Context& owner, const std::string& text, int64_t line)
    : source(line), owner_(owner), tokens_(tokens_of(text, source)) {}

bool Expression::take(const std::string& text) {
  if ((now().kind != 'o' && now().kind != 'n') || now().text != text) return false;
  ++at_;
  return true;
}
void Expression::need(const std::string& text) {
  if (!take(text)) source.fail(fmt::format("'{}' is not '{}'", now().text, text));
}
std::string Expression::name() {
  if (now().kind != 'n') source.fail(fmt::format("'{}' is no name", now().text));
  return tokens_[at_++].text;
}
Value Expression::all() {
  Value v = choice();
  if (!ends()) source.fail(fmt::format("'{}' is not understood", now().text));
  return v;
}
Value Expression::value() { return either(); }
int64_t Expression::whole(const Value& v) const {
  if (const auto* i = get<int64_t>(v)) return *i;
  source.fail("a value is no whole number");
}
std::string Expression::string(const Value& v) const {
  if (const auto* s = get<std::string>(v)) return *s;
  source.fail("a value is no text");
}

// Whether "if" stands in what is left of this expression, outside of brackets.
bool Expression::has_choice() const {
  int depth = 0;
  for (size_t i = at_; tokens_[i].kind != 0 && depth >= 0; ++i) {
    const Token& t = tokens_[i];
    if (t.kind == 'n' && depth == 0 && t.text == "if") return true;
    if (t.kind != 'o') continue;
    if (depth == 0 && (t.text == "," || t.text == ":")) return false;
    depth += t.text == "(" || t.text == "[" ? 1 : t.text == ")" || t.text == "]" ? -1 : 0;
  }
  return false;
}

// Of `a if c else b` one side alone takes effect, but both are read.
Value Expression::choice() {
  if (++depth_ > kDeepest) source.fail("an expression is nested too deep");
  Value out;
  if (has_choice()) {
    const size_t start = at_;
    const bool live = owner_.live;
    owner_.live = false;  // what stands before "if" may not be meant
    either();
    owner_.live = live;
    need("if");
    const bool yes = is_true(either());
    const size_t behind = at_;
    if (yes) {
      at_ = start;
      out = either();
      at_ = behind;
    }
    if (take("else")) {
      owner_.live = live && !yes;
      const Value other = choice();
      owner_.live = live;
      if (!yes) out = other;
    }
  } else {
    out = either();
  }
  --depth_;
  return out;
}

Value Expression::either() {
  Value v = both();
  while (take("or")) {
    const bool known = is_true(v), live = owner_.live;
    owner_.live = live && !known;
    const Value other = both();
    owner_.live = live;
    if (!known) v = other;
  }
  return v;
}
Value Expression::both() {
  Value v = negation();
  while (take("and")) {
    const bool known = !is_true(v), live = owner_.live;
    owner_.live = live && !known;
    const Value other = negation();
    owner_.live = live;
    if (!known) v = other;
  }
  return v;
}
Value Expression::negation() {
  bool turned = false, any = false;
  while (take("not")) {
    turned = !turned;
    any = true;
  }
  Value v = comparison();
  return any ? Value{is_true(v) != turned} : v;
}

Value Expression::comparison() {
  Value v = sum();
  for (;;) {
    if (take("==")) {
      v = {same(v, sum())};
    } else if (take("!=")) {
      v = {!same(v, sum())};
    } else if (take("is")) {
      v = test(v);
    } else if (now().kind == 'n' && (now().text == "in" || now().text == "not")) {
      const bool no = take("not");
      need("in");
      const Value in = sum();
      bool found = false;
      if (const auto* l = list_of(in))
        found = std::ranges::any_of(*l, [&](const Value& x) { return same(x, v); });
      else if (const auto* m = map_of(in))
        found = get<std::string>(v) && m->contains(*get<std::string>(v));
      else if (const auto* s = get<std::string>(in))
        found = !get<std::string>(v) ? false : s->find(*get<std::string>(v)) != std::string::npos;
      v = {found != no};
    } else {
      int order = -1;
      const char* const orders[] = {"<", ">", "<=", ">="};
      for (int i = 0; i < 4 && order < 0; ++i)
        if (now().kind == 'o' && take(orders[i])) order = i;
      if (order < 0) return v;
      const Value right = sum();
      const int64_t a = owner_.live ? whole(v) : 0, b = owner_.live ? whole(right) : 0;
      const bool results[] = {a<b, a> b, a <= b, a >= b};
      v = {results[order]};
    }
  }
}

Value Expression::test(const Value& v) {
  const bool no = take("not");
  const std::string what = name();
  bool is = false;
  if (what == "defined")
    is = !get<Undefined>(v);
  else if (what == "undefined")
    is = get<Undefined>(v);
  else if (what == "none")
    is = get<None>(v);
  else if (what == "string")
    is = get<std::string>(v);
  else if (what == "mapping")
    is = map_of(v);
  else if (what == "iterable" || what == "sequence")
    is = list_of(v) || get<std::string>(v) || map_of(v);
  else if (what == "true")
    is = get<bool>(v) && *get<bool>(v);
  else if (what == "false")
    is = get<bool>(v) && !*get<bool>(v);
  else
    source.fail("the test '" + what + "' is not known here");
  return {is != no};
}

Value Expression::sum() {
  Value v = product();
  for (;;) {
    if (take("~")) {
      const Value right = product();
      v = {text_of(v, source) + text_of(right, source)};
    } else if (take("+")) {
      const Value right = product();
      if (get<std::string>(v) && get<std::string>(right))
        v = {*get<std::string>(v) + *get<std::string>(right)};
      else if (list_of(v) && list_of(right)) {
        List all = *list_of(v);
        all.insert(all.end(), list_of(right)->begin(), list_of(right)->end());
        v = list(all);
      } else if (get<int64_t>(v) && get<int64_t>(right)) {
        int64_t out;
        if (__builtin_add_overflow(whole(v), whole(right), &out))
          source.fail("a number is too large");
        v = {out};
      } else if (owner_.live) {
        source.fail("'+' stands between values that it does not add");
      }
    } else if (take("-")) {
      const Value right = product();
      int64_t out = 0;
      if (owner_.live && __builtin_sub_overflow(whole(v), whole(right), &out))
        source.fail("a number is too large");
      v = {out};
    } else {
      if (const auto* s = get<std::string>(v); s && s->size() > kLongest)
        source.fail("a text is too long");
      return v;
    }
  }
}

Value Expression::product() {
  Value v = signed_value();
  for (;;) {
    const char of = take("*") ? '*' : take("//") ? '/' : take("%") ? '%' : 0;
    if (!of) return v;
    const Value right = signed_value();
    if (!owner_.live) continue;
    const int64_t a = whole(v), b = whole(right);
    int64_t out = 0;
    if (of == '*') {
      if (__builtin_mul_overflow(a, b, &out)) source.fail("a number is too large");
    } else if (b == 0 || b == -1) {
      source.fail("a number is divided by " + std::to_string(b));
    } else {  // as Python rounds: down
      const int64_t quotient = a / b - (a % b != 0 && (a < 0) != (b < 0));
      out = of == '/' ? quotient : a - quotient * b;
    }
    v = {out};
  }
}

Value Expression::signed_value() {
  if (!take("-")) return postfix();
  const Value v = postfix();
  return {owner_.live ? -whole(v) : 0};
}

Value Expression::postfix() {
  Value v = primary();
  for (;;) {
    owner_.step(source);
    if (take(".")) {
      const std::string key = name();
      v = at("(") ? method(v, key) : member(v, {key});
    } else if (take("[")) {
      const Value key = at(":") ? Value{int64_t{0}} : choice();
      if (take(":"))
        v = cut(v, key, at("]") ? Value{} : choice());
      else
        v = member(v, key);
      need("]");
    } else if (take("|")) {
      v = filter(v);
    } else {
      return v;
    }
  }
}

// Of v[from:to], which counts from the end where it is negative.
Value Expression::cut(const Value& v, const Value& from, const Value& to) const {
  if (!owner_.live) return {};
  const List* const l = list_of(v);
  if (!l) source.fail("what is cut is no list");
  const auto size = static_cast<int64_t>(l->size());
  const auto place = [&](int64_t i) { return std::clamp(i < 0 ? i + size : i, int64_t{0}, size); };
  const int64_t a = place(whole(from)), b = get<Undefined>(to) ? size : place(whole(to));
  return list(a < b ? List(l->begin() + a, l->begin() + b) : List());
}

Value Expression::member(const Value& of, const Value& key) const {
  if (const auto* m = map_of(of)) {
    const auto* name = get<std::string>(key);
    const auto found = name ? m->find(*name) : m->end();
    return found == m->end() ? Value{} : found->second;
  }
  const auto* i = get<int64_t>(key);
  if (const auto* l = list_of(of); l && i) {
    const auto size = static_cast<int64_t>(l->size()), at = *i < 0 ? *i + size : *i;
    return at >= 0 && at < size ? (*l)[at] : Value{};
  }
  if (get<Undefined>(of) && owner_.live) source.fail("what is not defined has no members");
  return {};
}

Value Expression::primary() {
  const Token token = tokens_[at_];
  if (token.kind != 0) ++at_;
  if (token.kind == 's') {
    std::string text = token.text;  // texts side by side are one
    while (now().kind == 's') text += tokens_[at_++].text;
    return {text};
  }
  if (token.kind == 'i') {
    int64_t value = 0;
    for (const char c : token.text)
      if (!std::isdigit(static_cast<unsigned char>(c)) ||
          __builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, c - '0', &value))
        source.fail("'" + token.text + "' is no number that is known here");
    return {value};
  }
  if (token.kind == 'n') {
    const std::string& t = token.text;
    if (t == "true" || t == "True") return {true};
    if (t == "false" || t == "False") return {false};
    if (t == "none" || t == "None") return {None{}};
    if (at("(")) return call(t);
    return owner_.look_up(t);
  }
  if (token.text == "(") {
    const Value v = choice();
    need(")");
    return v;
  }
  if (token.text == "[") {
    List all;
    while (!take("]")) {
      all.push_back(choice());
      if (!take(",") && !at("]")) need("]");
    }
    return list(all);
  }
  source.fail(token.kind == 0 ? "an expression is not complete"
                              : "'" + token.text + "' is not understood");
}

List Expression::arguments(Map* named) {
  List all;
  need("(");
  while (!take(")")) {
    if (named && now().kind == 'n' && tokens_[at_ + 1].text == "=" &&
        tokens_[at_ + 1].kind == 'o') {
      const std::string key = name();
      need("=");
      (*named)[key] = choice();
    } else {
      all.push_back(choice());
    }
    if (!take(",") && !at(")")) need(")");
  }
  return all;
}

Value Expression::call(const std::string& function) {
  Map named;
  const List in = arguments(&named);
  if (function == "namespace") return {std::make_shared<Map>(named)};
  if (!owner_.live) return {};
  if (function == "raise_exception")
    throw ValueError("chat template: " + (in.empty() ? "it refuses" : string(in[0])));
  if (function == "range" && (in.size() == 1 || in.size() == 2)) {
    const int64_t from = in.size() == 2 ? whole(in[0]) : 0, to = whole(in.back());
    if (to > from && static_cast<uint64_t>(to) - static_cast<uint64_t>(from) > kMost)
      source.fail("a range is too long");
    List all(to > from ? to - from : 0);
    for (size_t i = 0; i < all.size(); ++i) all[i].is = from + static_cast<int64_t>(i);
    return list(all);
  }
  source.fail("the function '" + function + "' is not known here");
}

Value Expression::method(const Value& on, const std::string& what) {
  const List in = arguments();
  if (!owner_.live) return {};
  if (Map* m = map_of(on)) {
    if (what == "get" && !in.empty()) {
      const auto found = m->find(string(in[0]));
      return found != m->end() ? found->second : in.size() > 1 ? in[1] : Value{None{}};
    }
    source.fail("the method '" + what + "' is not known here");
  }
  const std::string text = string(on);
  if (in.empty()) {
    if (what == "strip") return {trimmed(text)};
    if (what == "lstrip") return {trimmed(text, true, false)};
    if (what == "rstrip") return {trimmed(text, false, true)};
  } else if (what == "startswith") {
    return {text.starts_with(string(in[0]))};
  } else if (what == "endswith") {
    return {text.ends_with(string(in[0]))};
  } else if (what == "split" && !string(in[0]).empty()) {
    List parts;
    const std::string by = string(in[0]);
    size_t from = 0, at;
    while ((at = text.find(by, from)) != std::string::npos) {
      parts.push_back({text.substr(from, at - from)});
      from = at + by.size();
    }
    parts.push_back({text.substr(from)});
    return list(parts);
  }
  source.fail("the method '" + what + "' is not known here");
}

Value Expression::filter(const Value& v) {
  const std::string what = name();
  const List in = at("(") ? arguments() : List{};
  if (what == "default") return get<Undefined>(v) && !in.empty() ? in[0] : v;
  if (!owner_.live) return {};
  if (what == "trim") return {trimmed(string(v))};
  if (what == "string") return {text_of(v, source)};
  if (what == "length" || what == "count") {
    if (const auto* l = list_of(v)) return {static_cast<int64_t>(l->size())};
    if (const auto* m = map_of(v)) return {static_cast<int64_t>(m->size())};
    return {static_cast<int64_t>(string(v).size())};
  }
  if (what == "first" || what == "last") return member(v, {int64_t{what == "first" ? 0 : -1}});
  if (what == "upper" || what == "lower") {
    std::string text = string(v);
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 128)
        c = static_cast<char>(what == "upper" ? std::toupper(c) : std::tolower(c));
    return {text};
  }
  source.fail("the filter '" + what + "' is not known here");
}

}  // namespace glia::llm::jinja
