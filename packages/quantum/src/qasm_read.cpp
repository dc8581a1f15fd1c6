#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <string_view>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/quantum/qasm.h"

namespace glia::quantum {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr size_t kMostGates = 1000000, kDeepest = 200;

struct Token {
  enum class Kind { kName, kNumber, kText, kSign, kEnd } kind = Kind::kEnd;
  std::string text;
  double number = 0;
  int line = 1;
};

struct Known {
  int angles = 0, wires = 0;
  std::function<std::vector<Operation>(const std::vector<double>&, const Wires&)> make;
};

std::vector<Operation> relative_toffoli(const Wires& q) {
  const int64_t a = q[0], b = q[1], c = q[2];
  return {U2(0, kPi, c), PhaseShift(kPi / 4, c), CNOT(b, c), PhaseShift(-kPi / 4, c),
          CNOT(a, c),    PhaseShift(kPi / 4, c), CNOT(b, c), PhaseShift(-kPi / 4, c),
          U2(0, kPi, c)};
}

const std::map<std::string, Known>& library() {
  using P = const std::vector<double>&;
  using Q = const Wires&;
  using List = std::vector<Operation>;
  const auto one = [](Operation (*f)(int64_t)) {
    return Known{0, 1, [f](P, Q q) { return List{f(q[0])}; }};
  };
  const auto turn = [](Operation (*f)(const Angle&, int64_t)) {
    return Known{1, 1, [f](P p, Q q) { return List{f(p[0], q[0])}; }};
  };
  const auto two = [](Operation (*f)(int64_t, int64_t)) {
    return Known{0, 2, [f](P, Q q) { return List{f(q[0], q[1])}; }};
  };
  const auto both = [](Operation (*f)(const Angle&, int64_t, int64_t)) {
    return Known{1, 2, [f](P p, Q q) { return List{f(p[0], q[0], q[1])}; }};
  };
  const auto three = [](Operation (*f)(int64_t, int64_t, int64_t)) {
    return Known{0, 3, [f](P, Q q) { return List{f(q[0], q[1], q[2])}; }};
  };
  const auto inverse = [](Operation (*f)(int64_t)) {
    return Known{0, 1, [f](P, Q q) { return List{adjoint(f(q[0]))}; }};
  };
  const Known u3{3, 1, [](P p, Q q) { return List{U3(p[0], p[1], p[2], q[0])}; }},
      many_x{0, 4, [](P, Q q) {
               return List{MultiControlledX({q.begin(), q.end() - 1}, q.back())};
             }};
  Known c4x = many_x;
  c4x.wires = 5;
  static const std::map<std::string, Known> all{
      {"U", u3},
      {"u3", u3},
      {"u", u3},
      {"u2", {2, 1, [](P p, Q q) { return List{U2(p[0], p[1], q[0])}; }}},
      {"u1", turn(PhaseShift)},
      {"p", turn(PhaseShift)},
      {"u0", {1, 1, [](P, Q) { return List{}; }}},
      {"id", one(Identity)},
      {"x", one(PauliX)},
      {"y", one(PauliY)},
      {"z", one(PauliZ)},
      {"h", one(Hadamard)},
      {"s", one(S)},
      {"sdg", inverse(S)},
      {"t", one(T)},
      {"tdg", inverse(T)},
      {"sx", one(SX)},
      {"sxdg", inverse(SX)},
      {"rx", turn(RX)},
      {"ry", turn(RY)},
      {"rz", turn(RZ)},
      {"CX", two(CNOT)},
      {"cx", two(CNOT)},
      {"cy", two(CY)},
      {"cz", two(CZ)},
      {"ch", two(CH)},
      {"csx", {0, 2, [](P, Q q) { return List{ctrl(SX(q[1]), {q[0]})}; }}},
      {"swap", two(SWAP)},
      {"ccx", three(Toffoli)},
      {"cswap", three(CSWAP)},
      {"crx", both(CRX)},
      {"cry", both(CRY)},
      {"crz", both(CRZ)},
      {"cu1", both(ControlledPhaseShift)},
      {"cp", both(ControlledPhaseShift)},
      {"cu3", {3, 2, [](P p, Q q) { return List{ctrl(U3(p[0], p[1], p[2], q[1]), {q[0]})}; }}},
      {"cu",
       {4, 2,
        [](P p, Q q) {
          return List{PhaseShift(p[3], q[0]), ctrl(U3(p[0], p[1], p[2], q[1]), {q[0]})};
        }}},
      {"rxx", both(IsingXX)},
      {"ryy", both(IsingYY)},
      {"rzz", both(IsingZZ)},
      {"rccx", {0, 3, [](P, Q q) { return relative_toffoli(q); }}},
      {"c3x", many_x},
      {"c4x", c4x},
      {"c3sqrtx",
       {0, 4,
        [](P, Q q) {
          return List{ctrl(SX(q[3]), {q[0], q[1], q[2]})};
        }}},
  };
  return all;
}

class Reader {
 public:
  Reader(const std::string& text, const std::string& name) : name_(name) { scan(text); }

  void read() {
    if (now().text != "OPENQASM") fail("a text begins with OPENQASM 2.0;");
    next();
    if (now().kind != Token::Kind::kNumber || now().number != 2) fail("the version is not 2.0");
    next();
    expect(";");
    while (now().kind != Token::Kind::kEnd) statement();
    if (wires_ == 0) fail("there is no qreg");
  }
  int64_t wires() const { return wires_; }
  const std::vector<Operation>& operations() const { return operations_; }

 private:
  struct Register {
    int64_t first = 0, size = 0;
    bool quantum = true;
  };
  struct Defined {
    std::vector<std::string> angles, wires;
    size_t begin = 0, end = 0;  // tokens of the body
    bool opaque = false;
  };
  struct Names {  // what a body's names stand for
    std::map<std::string, double> angles;
    std::map<std::string, int64_t> wires;
  };

  [[noreturn]] void fail(const std::string& fault) const { fail(fault, now().line); }
  [[noreturn]] void fail(const std::string& fault, int line) const {
    throw IoError(name_ + ": line " + std::to_string(line) + ": " + fault);
  }
  // What can be printed of a text, not too long.
  static std::string shown(const std::string& text) {
    std::string out = "'";
    for (size_t i = 0; i < std::min<size_t>(text.size(), 24); ++i)
      out += text[i] >= 32 && text[i] < 127 ? text[i] : '?';
    return out + (text.size() > 24 ? "...'" : "'");
  }

  void scan(const std::string& text) {
    size_t i = 0;
    int line = 1;
    const auto is_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (i < text.size()) {
      const char c = text[i];
      if (c == '\n') ++line;
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++i;
      } else if (c == '/' && i + 1 < text.size() && text[i + 1] == '/') {
        while (i < text.size() && text[i] != '\n') ++i;
      } else if ((c >= '0' && c <= '9') || c == '.') {
        Token t{Token::Kind::kNumber, "", 0, line};
        const auto read = std::from_chars(text.data() + i, text.data() + text.size(), t.number);
        if (read.ec != std::errc()) fail("a number that is none", line);
        t.text = text.substr(i, static_cast<size_t>(read.ptr - text.data()) - i);
        i = static_cast<size_t>(read.ptr - text.data());
        tokens_.push_back(std::move(t));
      } else if (is_word(c)) {
        size_t end = i;
        while (end < text.size() && is_word(text[end])) ++end;
        tokens_.push_back({Token::Kind::kName, text.substr(i, end - i), 0, line});
        i = end;
      } else if (c == '"') {
        const size_t end = text.find_first_of("\"\n", i + 1);
        if (end == std::string::npos || text[end] == '\n') fail("a text that does not end", line);
        tokens_.push_back({Token::Kind::kText, text.substr(i + 1, end - i - 1), 0, line});
        i = end + 1;
      } else {
        std::string sign(1, c);
        if (text.compare(i, 2, "->") == 0 || text.compare(i, 2, "==") == 0)
          sign = text.substr(i, 2);
        if (sign.size() == 1 && std::string_view(";,(){}[]+-*/^").find(c) == std::string_view::npos)
          fail("a character that means nothing: " + shown(sign), line);
        i += sign.size();
        tokens_.push_back({Token::Kind::kSign, std::move(sign), 0, line});
      }
    }
    tokens_.push_back({Token::Kind::kEnd, "", 0, line});
  }

  const Token& now() const { return tokens_[at_]; }
  void next() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  bool is(const char* sign) const { return now().kind == Token::Kind::kSign && now().text == sign; }
  void expect(const char* sign) {
    if (!is(sign))
      fail(std::string("'") + sign + "' is missing before " +
           (now().kind == Token::Kind::kEnd ? "the end" : shown(now().text)));
    next();
  }
  std::string name() {
    if (now().kind != Token::Kind::kName) fail("a name is missing before " + shown(now().text));
    std::string text = now().text;
    next();
    return text;
  }
  int64_t whole(int64_t most) {
    if (now().kind != Token::Kind::kNumber || now().number != std::floor(now().number) ||
        now().number > static_cast<double>(most))
      fail(shown(now().text) + " is no whole number up to " + std::to_string(most));
    const auto value = static_cast<int64_t>(now().number);
    next();
    return value;
  }

  void statement() {
    if (now().kind != Token::Kind::kName)
      fail("a statement does not begin with " + shown(now().text));
    const std::string& word = now().text;
    if (word == "include") {
      next();
      if (now().kind != Token::Kind::kText || now().text != "qelib1.inc")
        fail("only qelib1.inc is included, which is known");
      next();
      expect(";");
    } else if (word == "qreg" || word == "creg") {
      declare(word == "qreg");
    } else if (word == "gate" || word == "opaque") {
      define(word == "opaque");
    } else if (word == "barrier") {
      while (!is(";") && now().kind != Token::Kind::kEnd) next();
      expect(";");
    } else if (word == "measure") {
      next();
      const std::vector<int64_t> from = argument(true);
      expect("->");
      if (argument(false).size() != from.size()) fail("a measurement of one size into another");
      for (int64_t wire : from) measured_[static_cast<size_t>(wire)] = true;
      expect(";");
    } else if (word == "reset" || word == "if") {
      fail(word + " is not supported: a circuit is a list of gates");
    } else {
      apply();
    }
  }

  void declare(bool quantum) {
    next();
    const int line = now().line;
    const std::string text = name();
    if (registers_.contains(text)) fail("the register " + shown(text) + " is there already", line);
    expect("[");
    const int64_t size = whole(1000000);
    if (size == 0) fail("a register of no bits", line);
    expect("]");
    expect(";");
    registers_[text] = {quantum ? wires_ : 0, size, quantum};
    if (!quantum) return;
    wires_ += size;
    if (wires_ > 28) fail(std::to_string(wires_) + " qubits; there may be 28", line);
    measured_.resize(static_cast<size_t>(wires_), false);
  }

  // A bit or all of a register: wires, or numbers of classical bits.
  std::vector<int64_t> argument(bool quantum) {
    const std::string text = name();
    const auto found = registers_.find(text);
    if (found == registers_.end() || found->second.quantum != quantum)
      fail("there is no " + std::string(quantum ? "qreg " : "creg ") + shown(text));
    const Register& r = found->second;
    if (is("[")) {
      next();
      const int line = now().line;
      const int64_t i = whole(1000000000);
      expect("]");
      if (i >= r.size)
        fail(text + "[" + std::to_string(i) + "] is beyond " + text + "[" + std::to_string(r.size) +
                 "]",
             line);
      return {r.first + i};
    }
    std::vector<int64_t> all(static_cast<size_t>(r.size));
    for (int64_t i = 0; i < r.size; ++i) all[static_cast<size_t>(i)] = r.first + i;
    return all;
  }

  std::vector<std::string> names_until(const char* end) {
    std::vector<std::string> out;
    while (!is(end)) {
      out.push_back(name());
      if (std::ranges::count(out, out.back()) > 1) fail("the name " + shown(out.back()) + " twice");
      if (!is(end)) expect(",");
    }
    return out;
  }

  void define(bool opaque) {
    next();
    const int line = now().line;
    const std::string text = name();
    if (defined_.contains(text)) fail("the gate " + shown(text) + " is there already", line);
    Defined gate;
    gate.opaque = opaque;
    if (is("(")) {
      next();
      gate.angles = names_until(")");
      next();
    }
    gate.wires = names_until(opaque ? ";" : "{");
    if (gate.wires.empty()) fail("a gate on no qubits", line);
    next();
    if (!opaque) {
      gate.begin = at_;
      while (!is("}")) {
        if (now().kind == Token::Kind::kEnd || is("{"))
          fail("the gate " + shown(text) + " does not end");
        next();
      }
      gate.end = at_;
      next();
      // What is wrong in it is said here, whatever its angles will be.
      Names names;
      for (const std::string& a : gate.angles) names.angles[a] = 0.5;
      for (size_t i = 0; i < gate.wires.size(); ++i)
        names.wires[gate.wires[i]] = static_cast<int64_t>(i);
      const size_t back = at_;
      trying_ = true;
      body(gate, names, 0);
      trying_ = false;
      at_ = back;
    }
    defined_[text] = std::move(gate);
  }

  void body(const Defined& gate, const Names& names, size_t depth) {
    if (depth > kDeepest) fail("gates within gates, too deep");
    for (at_ = gate.begin; at_ < gate.end;) {
      if (now().text == "barrier") {
        while (at_ < gate.end && !is(";")) next();
        expect(";");
        continue;
      }
      const int line = now().line;
      const std::string text = name();
      const std::vector<double> angles = is("(") ? expressions(names) : std::vector<double>();
      Wires wires;
      while (!is(";")) {
        const std::string wire = name();
        const auto found = names.wires.find(wire);
        if (found == names.wires.end()) fail("there is no qubit " + shown(wire), line);
        wires.push_back(found->second);
        if (!is(";")) expect(",");
      }
      expect(";");
      const size_t back = at_;
      put(text, angles, wires, line, depth);
      at_ = back;
    }
  }

  void apply() {
    const int line = now().line;
    const std::string text = name();
    const std::vector<double> angles = is("(") ? expressions({}) : std::vector<double>();
    std::vector<std::vector<int64_t>> arguments;
    size_t many = 1;
    do {
      if (!arguments.empty()) next();
      arguments.push_back(argument(true));
      if (arguments.back().size() == 1) continue;
      if (many != 1 && arguments.back().size() != many) fail("registers of different sizes", line);
      many = arguments.back().size();
    } while (is(","));
    expect(";");
    const size_t back = at_;
    for (size_t i = 0; i < many; ++i) {
      Wires wires;
      for (const auto& a : arguments) wires.push_back(a.size() == 1 ? a[0] : a[i]);
      for (int64_t wire : wires)
        if (measured_[static_cast<size_t>(wire)])
          fail("a gate on a qubit that is measured before", line);
      put(text, angles, wires, line, 0);
    }
    at_ = back;
  }

  void put(const std::string& text, const std::vector<double>& angles, const Wires& wires, int line,
           size_t depth) {
    for (size_t i = 0; i < wires.size(); ++i)
      if (std::find(wires.begin(), wires.begin() + static_cast<std::ptrdiff_t>(i), wires[i]) !=
          wires.begin() + static_cast<std::ptrdiff_t>(i))
        fail("the gate " + shown(text) + " names a qubit twice", line);
    const auto needs = [&](size_t angle_count, size_t wire_count) {
      if (angles.size() != angle_count || wires.size() != wire_count)
        fail("the gate " + shown(text) + " has " + std::to_string(angle_count) + " angles and " +
                 std::to_string(wire_count) + " qubits",
             line);
    };
    if (++steps_ > 2 * kMostGates || operations_.size() > kMostGates)
      fail("more than a million gates", line);
    const auto found = defined_.find(text);
    if (found == defined_.end()) {
      const auto known = library().find(text);
      if (known == library().end()) fail("there is no gate " + shown(text), line);
      needs(static_cast<size_t>(known->second.angles), static_cast<size_t>(known->second.wires));
      if (trying_) return;
      for (const double angle : angles)
        if (!std::isfinite(angle)) fail("an angle of " + shown(text) + " is no number", line);
      for (Operation& o : known->second.make(angles, wires)) operations_.push_back(std::move(o));
      return;
    }
    const Defined& gate = found->second;
    needs(gate.angles.size(), gate.wires.size());
    if (gate.opaque) fail("the gate " + shown(text) + " is opaque", line);
    if (trying_) return;  // it was tried when it was defined
    Names names;
    for (size_t i = 0; i < angles.size(); ++i) names.angles[gate.angles[i]] = angles[i];
    for (size_t i = 0; i < wires.size(); ++i) names.wires[gate.wires[i]] = wires[i];
    body(gate, names, depth + 1);
  }

  std::vector<double> expressions(const Names& names) {
    expect("(");
    std::vector<double> out;
    while (!is(")")) {
      out.push_back(sum(names, 0));
      if (!is(")")) expect(",");
    }
    next();
    return out;
  }
  double sum(const Names& names, size_t depth) {
    if (depth > kDeepest) fail("an expression that is too deep");
    double value = product(names, depth);
    while (is("+") || is("-")) {
      const bool plus = is("+");
      next();
      const double other = product(names, depth);
      value = plus ? value + other : value - other;
    }
    return value;
  }
  double product(const Names& names, size_t depth) {
    double value = power(names, depth);
    while (is("*") || is("/")) {
      const bool times = is("*");
      next();
      const double other = power(names, depth);
      value = times ? value * other : value / other;
    }
    return value;
  }
  double power(const Names& names, size_t depth) {
    if (depth > kDeepest) fail("an expression that is too deep");
    if (is("-") || is("+")) {
      const bool minus = is("-");
      next();
      const double value = power(names, depth + 1);
      return minus ? -value : value;
    }
    const double base = single(names, depth);
    if (!is("^")) return base;
    next();
    return std::pow(base, power(names, depth + 1));
  }
  double single(const Names& names, size_t depth) {
    if (now().kind == Token::Kind::kNumber) {
      const double value = now().number;
      next();
      return value;
    }
    if (is("(")) {
      next();
      const double value = sum(names, depth + 1);
      expect(")");
      return value;
    }
    const std::string text = name();
    if (const auto found = names.angles.find(text); found != names.angles.end())
      return found->second;
    if (text == "pi") return kPi;
    using Function = double (*)(double);
    static const std::map<std::string, Function> functions{{"sin", std::sin}, {"cos", std::cos},
                                                           {"tan", std::tan}, {"exp", std::exp},
                                                           {"ln", std::log},  {"sqrt", std::sqrt}};
    const auto f = functions.find(text);
    if (f == functions.end()) fail("there is no number " + shown(text));
    expect("(");
    const double value = f->second(sum(names, depth + 1));
    expect(")");
    return value;
  }

  const std::string name_;
  std::vector<Token> tokens_;
  size_t at_ = 0, steps_ = 0;
  bool trying_ = false;
  std::map<std::string, Register> registers_;
  std::map<std::string, Defined> defined_;
  std::vector<bool> measured_;
  int64_t wires_ = 0;
  std::vector<Operation> operations_;
};

}  // namespace

Circuit from_qasm(const std::string& text, const CircuitOptions& options, const std::string& name) {
  Reader reader(text, name);
  reader.read();
  try {
    Circuit circuit(reader.wires(), options);
    circuit.add(reader.operations());
    return circuit;
  } catch (const ValueError& fault) {
    throw IoError(name + ": " + fault.what());
  }
}

Circuit read_qasm(const std::string& path, const CircuitOptions& options) {
  return from_qasm(io::read_file(path), options, path);
}

}  // namespace glia::quantum
