// One of every construct that a public header may have.
// This is about the header.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

// Twice; a line
// that goes on.
#define EXAMPLE_TWICE(x, y) (x) + (x)

namespace example {

struct Hidden;   // private: src/hidden.h
class Declared;  // opaque

using Where = std::source_location;
using Numbers = std::vector<double>;  // in any order

inline constexpr int64_t kLimit = 1'000, kFewer = kLimit - 1;  // of numbers
inline constexpr std::array<const char*, 2> kNames = {"a, b", "<c>"};

// ---- Functions --------------------------------------------------------------------------------
// What they have in common.

// The sum of `a` and `b`:
//
//   add(1, 2)  // 3
//
// and that
// is all.
double add(double a, double b = 1.5e-3, Where where = Where::current());
float add(float a);  // another overload
inline double total(
    const Numbers& numbers, const std::vector<std::pair<int64_t, int64_t>>& pads = {},
    const char* text = "a, b",
    const std::function<double(double, int)>& f = [](double x, int) { return x; },
    std::source_location where = std::source_location::current()) {
  if (numbers.size() < 3) return f(0, 1) + text[0] + where.line() + pads.size();
  return numbers[0];
}
const std::string* longest(const std::string& a, Numbers&& b, int64_t&, const Declared* = nullptr);
double integral(double (*function)(double), double low, double (*)(double) = nullptr);
template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
constexpr auto doubled(T x) noexcept -> T {
  return x + x;
}
template <class... Args>
requires(sizeof...(Args) > 0) std::array<double, sizeof...(Args)> list(const Args&... args);
[[nodiscard]] Numbers operator+(const Numbers& a, const Numbers& b);
bool operator<(const Numbers& a, const Hidden& b);

template <class T>
concept Number = std::integral<T> || std::floating_point<T>;
template <class T>
inline constexpr int kCode = 0;
template <>
inline constexpr int kCode<double> = 1;

// ---- Types ------------------------------------------------------------------------------------

// Red,
// mostly.
enum class Colour : uint8_t {
  kRed,        // like a rose
  kGreen = 4,  // like
               // grass
  kBlack
};
enum Plain { One = 1, Two };  // unscoped

struct Options {
  double rate = 1e-3, decay{0.5};  // both
  // Above.
  std::pair<int64_t, int64_t> size{1, 2};
  std::vector<Colour> colours = {Colour::kRed, Colour::kBlack};
  int codes[3] = {1, 2, 3};
};
struct MoreOptions : Options {
  bool more = kLimit > 3;
};

// A base.
class Base {
 public:
  enum class Kind { kOne, kTwo };
  using Rule = double (*)(double);
  static constexpr int64_t kNone = -1;
  struct Result {
    Kind kind = Kind::kOne;
  };

  explicit Base(const std::string& name, int64_t size = kNone) : name_{name}, size_(size) {}
  Base(int64_t& size, Kind kind = Kind::kTwo);
  Base(const Base& other) = default;
  Base(Base&&) noexcept = default;
  Base& operator=(const Base& other) = delete;
  virtual ~Base() = default;

  virtual Result run(const Numbers& numbers, Rule rule = nullptr) const = 0;  // runs
  const std::string& name() const { return name_; }                           // its name
  static int64_t count(Kind kind);
  double& operator[](int64_t i);
  Numbers operator()(const Numbers& x, Where where = Where::current()) const;
  operator const std::string&() const;
  explicit operator bool() const { return size_ > 0; }
  template <Number T = double>
  T as() const;
  friend bool operator==(const Base& a, const Base& b) { return a.size_ == b.size_; }
  friend class Declared;

  // Private to the library: what is behind it.
  Hidden* hidden() const;
  static Base* made_of(Hidden* hidden);

  void after();

 protected:
  virtual void changed(Kind kind) {}
  int64_t size_;

 private:
  friend void look(const Base& base);
  std::string name_ = "none";
};

class Derived : public Base {
 public:
  using Base::Base;
  Result run(const Numbers& numbers, Rule rule) const override;
};

class Sealed final : public Derived {
 public:
  explicit Sealed(const Options& options = {});
};

// Holds one.
template <class T, size_t N = 1>
class Box {
 public:
  using Value = std::array<T, N>;
  class Iterator {
   public:
    Value operator*() const;
  };
  Box() = default;
  T get(size_t i = N - 1) const;
  auto begin() { return values_.begin(); }

 private:
  Value values_;
};

// ---- Private to the library ---------------------------------------------------------------------

void look(const Base& base);

namespace detail {
int helper();
}  // namespace detail

// ---- The rest -----------------------------------------------------------------------------------
// About the rest.
namespace rest {

// ---- Of it --------------------------------------------------------------------------------------
// About one.
int one();
int two();

// About both.

}  // namespace rest

}  // namespace example
