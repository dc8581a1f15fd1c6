#include "glia/text/trees.h"

#include <cctype>
#include <utility>

#include "glia/error.h"

namespace glia::text {
namespace {

[[noreturn]] void fail(size_t at, const std::string& fault) {
  throw ValueError("read_trees: byte " + std::to_string(at) + ": " + fault);
}
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)); }
bool is_bracket(char c) { return c == '(' || c == ')'; }

int64_t add_node(BracketedTree* tree, int64_t parent) {
  tree->parents.push_back(parent);
  tree->labels.emplace_back();
  tree->words.emplace_back();
  return static_cast<int64_t>(tree->parents.size()) - 1;
}

// A node that has one word and nothing else keeps it; words among others become nodes.
struct Open {
  int64_t node;
  std::string word = {};  // the only thing in it so far
  bool others = false;
};
void add_word(BracketedTree* tree, Open* in, const std::string& word) {
  if (!in->others && in->word.empty()) {
    in->word = word;
    return;
  }
  if (!in->word.empty()) tree->words[add_node(tree, in->node)] = std::exchange(in->word, "");
  in->others = true;
  tree->words[add_node(tree, in->node)] = word;
}

}  // namespace

std::vector<BracketedTree> read_trees(const std::string& text) {
  std::vector<BracketedTree> all;
  std::vector<Open> open;
  for (size_t i = 0; i < text.size();) {
    if (is_space(text[i])) {
      ++i;
    } else if (text[i] == '(') {
      if (open.empty()) all.emplace_back();
      BracketedTree& tree = all.back();
      if (!open.empty()) {
        Open& in = open.back();
        if (!in.word.empty()) tree.words[add_node(&tree, in.node)] = std::exchange(in.word, "");
        in.others = true;
      }
      open.push_back({add_node(&tree, open.empty() ? -1 : open.back().node)});
      size_t end = ++i;
      while (end < text.size() && !is_space(text[end]) && !is_bracket(text[end])) ++end;
      tree.labels.back() = text.substr(i, end - i);
      i = end;
    } else if (text[i] == ')') {
      if (open.empty()) fail(i, "a bracket is closed that is not open");
      all.back().words[open.back().node] = open.back().word;
      open.pop_back();
      ++i;
    } else {
      if (open.empty()) fail(i, "a word stands outside of brackets");
      size_t end = i;
      while (end < text.size() && !is_space(text[end]) && !is_bracket(text[end])) ++end;
      add_word(&all.back(), &open.back(), text.substr(i, end - i));
      i = end;
    }
  }
  if (!open.empty()) fail(text.size(), "a bracket is not closed");
  return all;
}

}  // namespace glia::text
