#include "jinja.h"

#include <algorithm>
#include <cctype>

#include "jinja_parts.h"

namespace glia::llm::jinja {
namespace {

class Renderer {
 public:
  Renderer(const std::string& source, const Map& variables) : pieces_(pieces_of(source)) {
    context_.scopes = {variables};
  }
  std::string run() {
    block(0, pieces_.size(), 0);
    return std::move(out_);
  }

 private:
  // The end of the statement at `i`: the place of "else", "elif" or "end...", at its level.
  size_t next_branch(size_t i, size_t end) const;
  void block(size_t i, size_t end, int depth);
  size_t branch(size_t i, size_t end, int depth);
  size_t loop(size_t i, size_t end, int depth);
  void put(const std::string& text, const Source& source) {
    if (out_.size() + text.size() > kLongest) source.fail("its text is too long");
    out_ += text;
  }
  std::string keyword(size_t i) const {
    const std::string text = trimmed(pieces_[i].text);
    size_t end = 0;
    while (end < text.size() && std::isalpha(static_cast<unsigned char>(text[end]))) ++end;
    return text.substr(0, end);
  }
  std::string rest(size_t i) const {
    const std::string text = trimmed(pieces_[i].text);
    return text.substr(std::min(text.size(), keyword(i).size()));
  }

  const std::vector<Piece> pieces_;
  Context context_;
  std::string out_;
};

size_t Renderer::next_branch(size_t i, size_t end) const {
  int depth = 0;
  for (++i; i < end; ++i) {
    if (pieces_[i].kind != Kind::kStatement) continue;
    const std::string word = keyword(i);
    if (word == "if" || word == "for") ++depth;
    if (depth == 0 && (word == "else" || word == "elif" || word.starts_with("end"))) return i;
    if (word == "endif" || word == "endfor") --depth;
  }
  Source(pieces_[std::min(i, pieces_.size()) - 1].line).fail("a statement is not ended");
}

void Renderer::block(size_t i, size_t end, int depth) {
  if (depth > kDeepest) Source(pieces_[i].line).fail("it is nested too deep");
  while (i < end) {
    const Piece& piece = pieces_[i];
    const Source source(piece.line);
    context_.step(source);
    if (piece.kind == Kind::kText) {
      put(piece.text, source);
      ++i;
    } else if (piece.kind == Kind::kPrint) {
      Expression e(context_, piece.text, piece.line);
      put(text_of(e.all(), source), source);
      ++i;
    } else if (keyword(i) == "if") {
      i = branch(i, end, depth);
    } else if (keyword(i) == "for") {
      i = loop(i, end, depth);
    } else if (keyword(i) == "set") {
      Expression e(context_, rest(i), piece.line);
      const std::string name = e.name();
      Map* space = &context_.scopes.back();
      std::string key = name;
      if (e.take(".")) {
        space = map_of(context_.look_up(name));
        if (!space) source.fail(name + " is no namespace");
        key = e.name();
      }
      e.need("=");
      const Value value = e.all();
      // The scope may have moved while the value was made: nothing that does so is known.
      (*space)[key] = value;
      ++i;
    } else if (keyword(i) == "generation" || keyword(i) == "endgeneration") {
      ++i;  // a mark for those who train
    } else {
      source.fail("the statement '" + keyword(i) + "' is not known here");
    }
  }
}

size_t Renderer::branch(size_t i, size_t end, int depth) {
  bool done = false;
  for (;;) {
    const std::string word = keyword(i);
    const size_t next = next_branch(i, end);
    bool take = !done;
    if (word != "else") {
      Expression e(context_, rest(i), pieces_[i].line);
      take = take && is_true(e.all());
    }
    if (take) block(i + 1, next, depth + 1);
    done = done || take;
    i = next;
    if (keyword(i) == "endif") return i + 1;
    if (keyword(i).starts_with("end"))
      Source(pieces_[i].line).fail("'if' ends as '" + keyword(i) + "'");
  }
}

size_t Renderer::loop(size_t i, size_t end, int depth) {
  const Source source(pieces_[i].line);
  Expression e(context_, rest(i), pieces_[i].line);
  const std::string name = e.name();
  e.need("in");
  const Value over = e.value();
  size_t next = next_branch(i, end), otherwise = 0;
  const size_t body = next;
  if (keyword(next) == "else") {
    otherwise = next;
    next = next_branch(next, end);
  }
  if (keyword(next) != "endfor") source.fail("'for' ends as '" + keyword(next) + "'");
  const List* all = list_of(over);
  if (!all && !get<Undefined>(over)) source.fail("'for' goes over what is no list");
  List values = all ? *all : List{};
  if (!e.ends()) {  // "if ...": only such values
    e.need("if");
    List left;
    for (const Value& v : values) {
      Expression again(context_, rest(i), pieces_[i].line);
      again.name();
      again.need("in");
      again.value();
      again.need("if");
      context_.scopes.push_back({{name, v}});
      if (is_true(again.all())) left.push_back(v);
      context_.scopes.pop_back();
    }
    values = left;
  }
  const auto count = static_cast<int64_t>(values.size());
  for (int64_t k = 0; k < count; ++k) {
    Map about{{"index", {k + 1}},         {"index0", {k}},
              {"first", {k == 0}},        {"length", {count}},
              {"last", {k + 1 == count}}, {"revindex", {count - k}}};
    if (k > 0) about["previtem"] = values[k - 1];
    if (k + 1 < count) about["nextitem"] = values[k + 1];
    context_.scopes.push_back({{name, values[k]}, {"loop", {std::make_shared<Map>(about)}}});
    block(i + 1, body, depth + 1);
    context_.scopes.pop_back();
  }
  if (count == 0 && otherwise) block(otherwise + 1, next, depth + 1);
  return next + 1;
}

}  // namespace

std::string render(const std::string& source, const Map& variables) {
  return Renderer(source, variables).run();
}

}  // namespace glia::llm::jinja
