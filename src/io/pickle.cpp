// The pickle machine (pickletools' documentation of the opcodes): a stack, marks, and a memo.
#include "io/pickle.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace glia::io {

class PickleMachine {
 public:
  PickleMachine(const std::string& path, Cursor* cursor, std::deque<Pickled>* values)
      : path_(path), in_(*cursor), values_(*values) {}

  const Pickled* run() {
    for (;;) {
      const auto op = static_cast<uint8_t>(in_.little(1));
      if (op == '.') return pop();
      step(op);
    }
  }

 private:
  using Kind = Pickled::Kind;

  [[noreturn]] void broken(const char* why) { fail(path_, std::string("corrupt pickle: ") + why); }

  Pickled* make(Kind kind) {
    values_.push_back({});
    values_.back().kind = kind;
    return &values_.back();
  }
  Pickled* push(Kind kind) {
    stack_.push_back(make(kind));
    return stack_.back();
  }
  Pickled* top() {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) broken("the stack is empty");
    return stack_.back();
  }
  Pickled* pop() {
    Pickled* v = top();
    stack_.pop_back();
    return v;
  }
  // What was pushed since the last mark.
  std::vector<const Pickled*> pop_marked() {
    if (marks_.empty()) broken("no mark");
    const size_t from = marks_.back();
    marks_.pop_back();
    std::vector<const Pickled*> out(stack_.begin() + static_cast<ptrdiff_t>(from), stack_.end());
    stack_.resize(from);
    return out;
  }

  std::string_view line() {
    const size_t start = in_.at();
    while (in_.little(1) != '\n') {
    }
    const size_t size = in_.at() - start - 1;
    Cursor again(path_, whole(), start);
    return text_of(again.take(size));
  }
  Bytes whole() { return in_.all(); }

  void push_text(Kind kind, uint64_t size) {
    const Bytes bytes = in_.take(size);
    push(kind)->text = text_of(bytes);
  }
  void push_int(int64_t n) { push(Kind::kInt)->number = n; }

  // Two's complement, little-endian.
  void push_long(uint64_t size) {
    const Bytes bytes = in_.take(size);
    if (size > 8) {
      push(Kind::kLong)->text = text_of(bytes);
      return;
    }
    uint64_t n = size > 0 && bytes[size - 1] & 0x80 ? ~uint64_t{0} : 0;
    for (size_t i = size; i-- > 0;) n = n << 8 | bytes[i];
    push_int(static_cast<int64_t>(n));
  }
  void push_decimal(std::string_view digits, bool may_be_bool) {
    if (may_be_bool && (digits == "00" || digits == "01")) {
      push(Kind::kBool)->number = digits == "01";
      return;
    }
    if (digits.ends_with('L')) digits.remove_suffix(1);
    int64_t n = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (error != std::errc() || end != digits.data() + digits.size()) broken("no whole number");
    push_int(n);
  }
  void push_real(std::string_view digits) {
    double x = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), x);
    if (error != std::errc() || end != digits.data() + digits.size()) broken("no number");
    push(Kind::kFloat)->real = x;
  }

  void push_tuple(size_t count) {
    std::vector<const Pickled*> items(count);
    while (count-- > 0) items[count] = pop();
    push(Kind::kTuple)->items = std::move(items);
  }
  void push_marked(Kind kind) {
    std::vector<const Pickled*> items = pop_marked();
    if (kind == Kind::kDict && items.size() % 2 != 0) broken("a key has no value");
    push(kind)->items = std::move(items);
  }
  // `items` become part of the container below them. A call stands for what it gives, which may be
  // a container: an ordered dictionary is filled after it was made.
  void extend(std::vector<const Pickled*> items, Kind kind) {
    Pickled* to = top();
    if (to->kind != kind && to->kind != Kind::kCall) broken("its container is of another kind");
    if (kind == Kind::kDict && items.size() % 2 != 0) broken("a key has no value");
    to->items.insert(to->items.end(), items.begin(), items.end());
  }
  void extend_by(size_t count, Kind kind) {
    std::vector<const Pickled*> items(count);
    while (count-- > 0) items[count] = pop();
    extend(std::move(items), kind);
  }

  void push_global(std::string_view module, std::string_view name) {
    push(Kind::kGlobal)->text = std::string(module) + "." + std::string(name);
  }
  // callable, arguments -> call
  void call() {
    const Pickled* arguments = pop();
    const Pickled* callable = pop();
    push(Kind::kCall)->items = {callable, arguments};
  }
  void persistent(const Pickled* id) { push(Kind::kPersistent)->items = {id}; }

  void remember(uint64_t at) { memo_[at] = top(); }
  void recall(uint64_t at) {
    const auto found = memo_.find(at);
    if (found == memo_.end()) broken("a memo that was never written");
    stack_.push_back(found->second);
  }
  uint64_t index(std::string_view digits) {
    push_decimal(digits, false);
    return static_cast<uint64_t>(pop()->number);
  }

  void step(uint8_t op) {
    switch (op) {
      case 0x80:
        in_.take(1);
        return;  // protocol
      case 0x95:
        in_.take(8);
        return;  // frame
      case '(':
        marks_.push_back(stack_.size());
        return;
      case '0':
        pop();
        return;
      case '1':
        pop_marked();
        return;
      case '2':
        stack_.push_back(top());
        return;
      case 'N':
        push(Kind::kNone);
        return;
      case 0x88:
        push(Kind::kBool)->number = 1;
        return;
      case 0x89:
        push(Kind::kBool);
        return;
      case 'I':
        return push_decimal(line(), true);
      case 'L':
        return push_decimal(line(), false);
      case 'F':
        return push_real(line());
      case 'J':
        return push_int(static_cast<int32_t>(in_.little(4)));
      case 'K':
        return push_int(static_cast<int64_t>(in_.little(1)));
      case 'M':
        return push_int(static_cast<int64_t>(in_.little(2)));
      case 0x8a:
        return push_long(in_.little(1));
      case 0x8b:
        return push_long(in_.little(4));
      case 'G':
        push(Kind::kFloat)->real = std::bit_cast<double>(in_.big(8));
        return;
      case 'V':
        push(Kind::kText)->text = line();
        return;
      case 'T':
      case 'X':
        return push_text(Kind::kText, in_.little(4));
      case 'U':
      case 0x8c:
        return push_text(Kind::kText, in_.little(1));
      case 0x8d:
        return push_text(Kind::kText, in_.little(8));
      case 'B':
        return push_text(Kind::kBytes, in_.little(4));
      case 'C':
        return push_text(Kind::kBytes, in_.little(1));
      case 0x8e:
        return push_text(Kind::kBytes, in_.little(8));
      default:
        return step_container(op);
    }
  }
  void step_container(uint8_t op) {
    switch (op) {
      case ']':
        push(Kind::kList);
        return;
      case ')':
        push(Kind::kTuple);
        return;
      case '}':
        push(Kind::kDict);
        return;
      case 0x8f:
        push(Kind::kSet);
        return;
      case 'l':
        return push_marked(Kind::kList);
      case 't':
        return push_marked(Kind::kTuple);
      case 'd':
        return push_marked(Kind::kDict);
      case 0x91:
        return push_marked(Kind::kSet);
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple(op - 0x84u);
      case 'a':
        return extend_by(1, Kind::kList);
      case 's':
        return extend_by(2, Kind::kDict);
      case 'e':
        return extend(pop_marked(), Kind::kList);
      case 'u':
        return extend(pop_marked(), Kind::kDict);
      case 0x90:
        return extend(pop_marked(), Kind::kSet);
      default:
        return step_object(op);
    }
  }
  void step_object(uint8_t op) {
    switch (op) {
      case 'c': {
        const std::string_view module = line();
        return push_global(module, line());
      }
      case 0x93: {
        const Pickled *name = pop(), *module = pop();
        return push_global(module->text, name->text);
      }
      case 'R':
      case 0x81:
        return call();
      case 'b':
        pop();
        return;  // attributes: of what is read here they say nothing that is wanted
      case 'P': {
        Pickled* id = make(Kind::kText);
        id->text = line();
        return persistent(id);
      }
      case 'Q':
        return persistent(pop());
      case 'p':
        return remember(index(line()));
      case 'q':
        return remember(in_.little(1));
      case 'r':
        return remember(in_.little(4));
      case 0x94:
        return remember(memo_.size());
      case 'g':
        return recall(index(line()));
      case 'h':
        return recall(in_.little(1));
      case 'j':
        return recall(in_.little(4));
      default: {
        constexpr char kDigits[] = "0123456789abcdef";
        const char hex[] = {kDigits[op >> 4], kDigits[op & 15], 0};
        fail(path_, std::string("corrupt pickle: no operation 0x") + hex);
      }
    }
  }

  const std::string& path_;
  Cursor& in_;
  std::deque<Pickled>& values_;
  std::vector<Pickled*> stack_;
  std::vector<size_t> marks_;  // the stack's sizes there
  std::unordered_map<uint64_t, Pickled*> memo_;
};

const Pickled* PickleReader::read(const std::string& path, Cursor* cursor) {
  return PickleMachine(path, cursor, &values_).run();
}

}  // namespace glia::io
