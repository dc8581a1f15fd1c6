// What templates are made of: pieces, tokens and expressions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jinja.h"

namespace glia::llm::jinja {

inline constexpr int kDeepest = 100;                 // of statements and expressions
inline constexpr int64_t kMostSteps = 200'000;       // of one rendering
inline constexpr size_t kLongest = size_t{1} << 24;  // of a text
inline constexpr size_t kMost = 1 << 20;             // values of a range

// A line of the template, for errors.
class Source {
 public:
  explicit Source(int64_t its_line) : line(its_line) {}
  [[noreturn]] void fail(const std::string& fault) const;
  int64_t line;
};

std::string trimmed(const std::string& s, bool left = true, bool right = true);

enum class Kind { kText, kPrint, kStatement };
struct Piece {
  Kind kind;
  std::string text;
  int64_t line;
};
std::vector<Piece> pieces_of(const std::string& source);

struct Token {
  char kind;  // 'n' name, 's' text, 'i' integer, 'o' operator, 0 the end
  std::string text;
};
std::vector<Token> tokens_of(const std::string& s, const Source& source);

// ---- Values -----------------------------------------------------------------------------------

template <class T>
const T* get(const Value& v) {
  return std::get_if<T>(&v.is);
}
const List* list_of(const Value& v);
Map* map_of(const Value& v);
bool is_true(const Value& v);
bool same(const Value& a, const Value& b, int depth = 0);
std::string text_of(const Value& v, const Source& source);

// ---- Expressions ------------------------------------------------------------------------------

// What expressions know of the rendering.
struct Context {
  std::vector<Map> scopes;
  int64_t steps = 0;
  bool live = true;  // what an expression calls takes effect
  void step(const Source& source) {
    if (++steps > kMostSteps) source.fail("it takes too many steps");
  }
  Value look_up(const std::string& name) const;
};

// Evaluates an expression's tokens as it reads them. Where `live` is false, it only reads.
class Expression {
 public:
  Expression(Context& owner, const std::string& text, int64_t line);
  Value all();  // the whole of it
  Value value();
  std::string name();
  bool take(const std::string& text);
  void need(const std::string& text);
  bool ends() const { return tokens_[at_].kind == 0; }
  const Source source;

 private:
  bool has_choice() const;
  Value cut(const Value& v, const Value& from, const Value& to) const;
  Value choice();
  Value either();
  Value both();
  Value negation();
  Value comparison();
  Value sum();
  Value product();
  Value signed_value();
  Value postfix();
  Value primary();
  Value test(const Value& v);
  Value filter(const Value& v);
  Value call(const std::string& name);
  Value method(const Value& on, const std::string& name);
  Value member(const Value& of, const Value& key) const;
  List arguments(Map* named = nullptr);
  int64_t whole(const Value& v) const;
  std::string string(const Value& v) const;
  const Token& now() const { return tokens_[at_]; }
  bool at(const char* text) const { return now().kind == 'o' && now().text == text; }

  Context& owner_;
  const std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace glia::llm::jinja
