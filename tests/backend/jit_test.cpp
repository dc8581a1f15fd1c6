// Generated code against the tile interpreter, which tests/backend/tile_test.cpp holds against
// references: the same formulas, so the same bits.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/interpreter.h"
#include "backend/cpu/jit/kernel.h"
#include "backend/cpu/simd/tile.h"
#include "core/with_dtype.h"
#include "tests/support/host.h"

namespace glia::cpu {
namespace {

using Action = Program::Action;
using Extent = Program::Extent;
using Sink = Program::Sink;

constexpr DType kGenerated[] = {kF32, kF64, kBF16, kF16, kI32, kBool};
constexpr DType kReduced[] = {kF32, kF64};

struct Operation {
  const char* name;
  Code code;
  int inputs;
  bool compares;
};
const Operation kOperations[] = {
#define UNARY(code, ...) {#code, Code::code, 1, false},
#define BINARY(code, ...) {#code, Code::code, 2, false},
#define COMPARE(code, ...) {#code, Code::code, 2, true},
#include "ops/elementwise_table.h"
#undef UNARY
#undef BINARY
#undef COMPARE
};

// Bytes that end where memory does: what reads or writes behind them ends the test.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes) {
    const size_t page = sysconf(_SC_PAGESIZE);
    size_ = (bytes + page - 1) / page * page + page;
    begin_ = static_cast<char*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(begin_ + size_ - page, page, PROT_NONE);
    data_ = begin_ + size_ - page - bytes;
    std::memset(begin_, 0x5a, data_ - begin_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(begin_, size_); }

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Whether what lies before is as it was.
  bool is_intact() const {
    return std::all_of(begin_, data_, [](char c) { return c == 0x5a; });
  }

 private:
  size_t bytes_, size_ = 0;
  char *begin_ = nullptr, *data_ = nullptr;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// What formulas may go wrong at: limits, where they change their ways, values without a normal
// form.
constexpr double kSpecial[] = {
    0.0,     -0.0,     1,      -1,     0.5,       -0.5,       2,       -2,           3,
    -7,      1e-3,     -1e-3,  0.92,   -0.92,     4,          -4.01,   9.5,          -20.5,
    40,      -87.5,    88.5,   -89,    103.5,     -105,       1e-40,   -1e-40,       1e-45,
    -1e-45,  1e38,     -1e38,  3.4e38, 1.2e-38,   1e5,        -131073, 1e9,          -1e10,
    4194305, -8388609, 65504,  -70000, kInfinity, -kInfinity, 0x1p-24, std::nan(""), 1e-310,
    -5e-324, 1e308,    -700.5, 709.7,  -745,      6.1,        0x1.8p60};

// Value k of an operand: special ones in all pairs, between random ones.
double sample(int operand, int64_t k, test::Numbers& numbers) {
  constexpr auto n = static_cast<int64_t>(std::size(kSpecial));
  if (k % 3 == 0) return numbers.uniform(-6, 6);
  return kSpecial[(operand == 0 ? k : k / n + k) % n];
}

void fill(DType dtype, int operand, int64_t count, uint64_t seed, char* to) {
  test::Numbers numbers(seed + operand);
  with_dtype(dtype, [&]<class T>(T value) {
    for (int64_t k = 0; k < count; ++k) {
      const double x = sample(operand, k + static_cast<int64_t>(seed), numbers);
      if constexpr (std::is_same_v<T, bool>)
        value = x > 0;
      else if constexpr (std::numeric_limits<T>::is_integer)
        value = static_cast<T>(static_cast<int64_t>(std::abs(x) <= 1e10 ? x : 0));
      else
        value =
            std::is_same_v<T, double> ? static_cast<T>(x) : static_cast<T>(static_cast<float>(x));
      std::memcpy(to + k * sizeof(T), &value, sizeof(T));
    }
  });
}

// The first element that differs; -1: none. One NaN is as good as another.
int64_t difference(DType dtype, const char* a, const char* b, int64_t count) {
  const auto size = static_cast<int64_t>(size_of(dtype));
  for (int64_t k = 0; k < count; ++k) {
    if (std::memcmp(a + k * size, b + k * size, size) == 0) continue;
    bool nans = false;
    with_dtype(dtype, [&]<class T>(T x) {
      T y;
      std::memcpy(&x, a + k * size, size);
      std::memcpy(&y, b + k * size, size);
      nans = std::isnan(static_cast<double>(x)) && std::isnan(static_cast<double>(y));
    });
    if (!nans) return k;
  }
  return -1;
}

// ---- Programs ---------------------------------------------------------------------------------

class Builder {
 public:
  Builder(int64_t rows, int64_t cols) {
    program.rows = rows;
    program.cols = cols;
    program.space = Shape{rows, cols};
  }
  int input(DType dtype, Extent extent = Extent::kFull) {
    return add({.action = Action::kInput,
                .extent = extent,
                .dtype = dtype,
                .slot = program.input_arrays++});
  }
  int compute(Code code, DType dtype, int a, int b = -1, int c = -1) {
    Extent extent = Extent::kScalar;
    for (int x : {a, b, c}) {
      if (x >= 0) extent = wider(extent, program.values[x].extent);
    }
    return add({.action = Action::kCompute,
                .extent = extent,
                .dtype = dtype,
                .code = code,
                .a = a,
                .b = b,
                .c = c});
  }
  int reduce_row(ReduceCode code, int a) {
    program.row_resident = true;
    return add({.action = Action::kReduceRow,
                .extent = Extent::kRow,
                .dtype = program.values[a].dtype,
                .reduce = code,
                .a = a});
  }
  void output(int value, Sink sink = Sink::kStore, ReduceCode code = ReduceCode::kSum) {
    program.outputs.push_back({.sink = sink, .value = value, .reduce = code});
  }

  Program program;

 private:
  static Extent wider(Extent a, Extent b) {
    if (a == b || b == Extent::kScalar) return a;
    return a == Extent::kScalar ? b : Extent::kFull;
  }
  int add(const Program::Value& v) {
    program.values.push_back(v);
    return static_cast<int>(program.values.size()) - 1;
  }
};

int64_t elements(const Program& p, Extent extent) {
  switch (extent) {
    case Extent::kFull:
      return p.rows * p.cols;
    case Extent::kRow:
      return p.rows;
    case Extent::kColumn:
      return p.cols;
    case Extent::kScalar:
      break;
  }
  return 1;
}

int64_t elements(const Program& p, const Program::Output& o) {
  switch (o.sink) {
    case Sink::kStore:
      return elements(p, p.values[o.value].extent);
    case Sink::kReduceAll:
      return 1;
    case Sink::kReduceRows:
      return p.rows;
    case Sink::kReduceColumns:
      break;
  }
  return p.cols;
}

using Fill = std::function<void(DType, int slot, int64_t count, char* to)>;

// Runs a program both ways on arrays that lie before the end of memory.
void check(const Program& p, const Fill& fill) {
  const auto generated = jit::compile(p), interpreted = interpret(p);
  ASSERT_NE(generated, nullptr) << "no code for this";
  std::vector<std::unique_ptr<Guarded>> inputs, results, expected;
  for (const auto& v : p.values) {
    if (v.action != Action::kInput) continue;
    const int64_t count = elements(p, v.extent);
    inputs.push_back(std::make_unique<Guarded>(count * size_of(v.dtype)));
    fill(v.dtype, v.slot, count, inputs.back()->data());
  }
  for (const auto& o : p.outputs) {
    const size_t bytes = elements(p, o) * size_of(p.values[o.value].dtype);
    results.push_back(std::make_unique<Guarded>(bytes));
    expected.push_back(std::make_unique<Guarded>(bytes));
  }
  const auto addresses = [](const auto& arrays) {
    std::vector<void*> out;
    for (const auto& a : arrays) out.push_back(a->data());
    return out;
  };
  generated->run(addresses(inputs).data(), addresses(results).data());
  interpreted->run(addresses(inputs).data(), addresses(expected).data());
  for (size_t o = 0; o < p.outputs.size(); ++o) {
    EXPECT_TRUE(results[o]->is_intact()) << "wrote before output " << o;
    const DType dtype = p.values[p.outputs[o].value].dtype;
    const int64_t count = elements(p, p.outputs[o]);
    const int64_t k = difference(dtype, results[o]->data(), expected[o]->data(), count);
    if (k < 0) continue;
    with_dtype(dtype, [&]<class T>(T x) {
      T y;
      std::memcpy(&x, results[o]->data() + k * sizeof(T), sizeof(T));
      std::memcpy(&y, expected[o]->data() + k * sizeof(T), sizeof(T));
      ADD_FAILURE() << "output " << o << ", element " << k << " of " << count << ": "
                    << static_cast<double>(x) << " instead of " << static_cast<double>(y);
    });
  }
}

Fill samples(uint64_t seed) {
  return [seed](DType dtype, int slot, int64_t count, char* to) {
    fill(dtype, slot, count, seed, to);
  };
}
// Numbers picked from some, of which no sum or product is rounded in any order.
Fill picks(const std::vector<float>& from) {
  return [from](DType dtype, int slot, int64_t count, char* to) {
    test::Numbers numbers(slot);
    with_dtype(dtype, [&]<class T>(T value) {
      for (int64_t k = 0; k < count; ++k) {
        value = static_cast<T>(numbers.pick(from));
        std::memcpy(to + k * sizeof(T), &value, sizeof(T));
      }
    });
  };
}
const Fill kSummands = picks({-3, 0, 1, 2, 5}), kFactors = picks({-1, 0.5, 1, 2});

class JitTest : public testing::Test {
 protected:
  ~JitTest() override { set_level_for_test(before_.c_str()); }
  static void at_each_level(const std::function<void()>& test) {
    for (const char* level : {"avx2", "avx512"}) {
      if (!set_level_for_test(level)) continue;
      SCOPED_TRACE(level);
      test();
    }
  }

 private:
  const std::string before_{level()};
};

// ---- Tests ------------------------------------------------------------------------------------

Program program_of(const Operation& op, DType dtype, int64_t count) {
  Builder b(1, count);
  const int x = b.input(dtype), y = op.inputs == 2 ? b.input(dtype) : -1;
  b.output(b.compute(op.code, op.compares ? kBool : dtype, x, y));
  return b.program;
}

bool is_defined(const Operation& op, DType dtype) {
  try {
    interpret(program_of(op, dtype, 16));
  } catch (const Error&) {
    return false;
  }
  return true;
}

bool has_code(const Operation& op, DType dtype) {
  return is_defined(op, dtype) && jit::compile(program_of(op, dtype, 16));
}

TEST_F(JitTest, EveryOperationGivesTheInterpretersBits) {
  at_each_level([] {
    for (const Operation& op : kOperations) {
      for (DType dtype : kGenerated) {
        if (!has_code(op, dtype)) continue;
        SCOPED_TRACE(std::string(op.name) + " of " + name(dtype));
        for (int64_t count : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 6000}) {
          check(program_of(op, dtype, count), samples(count));
        }
      }
    }
  });
}

TEST_F(JitTest, OperationsHaveCode) {
  at_each_level([] {
    for (const Operation& op : kOperations) {
      const std::string name = op.name;
      const bool of_bits = name.starts_with("kBit");
      EXPECT_EQ(has_code(op, kF32), !of_bits) << name;
      EXPECT_EQ(has_code(op, kF64), !of_bits) << name;
      const bool divides = name == "kFloorDivide" || name == "kRemainder" || name == "kFmod";
      EXPECT_EQ(has_code(op, kI32), is_defined(op, kI32) && !divides) << name;
      EXPECT_EQ(has_code(op, kBool), is_defined(op, kBool)) << name;
    }
  });
}

TEST_F(JitTest, Casts) {
  at_each_level([] {
    for (DType from : {kF32, kF64, kBF16, kF16, kI32, kU8, kBool}) {
      for (DType to : kGenerated) {
        if (is_float(from) && to == kI32) continue;  // the interpreter's
        const bool f64 = from == kF64 || to == kF64;
        if (f64 && (size_of(from) == 2 || size_of(to) == 2 || from == kU8)) continue;
        SCOPED_TRACE(std::string(name(from)) + " to " + name(to));
        for (int64_t cols : {1, 15, 1001}) {
          Builder b(3, cols);
          const int x = b.compute(Code::kCast, to, b.input(from));
          b.output(x);
          for (Extent extent : {Extent::kColumn, Extent::kRow, Extent::kScalar}) {
            if (cols < 4) break;
            const int y = b.compute(Code::kCast, to, b.input(from, extent));
            if (from == kF64 && to != kBool) {  // beside f64, others are only compared
              b.output(b.compute(Code::kLess, kBool, x, y));
              b.output(b.compute(Code::kWhere, to, b.input(kBool), x, y));
            } else {
              b.output(b.compute(Code::kMaximum, to, x, y));
            }
          }
          check(b.program, samples(1));
        }
      }
    }
  });
}

TEST_F(JitTest, ChoicesAndBroadcasts) {
  at_each_level([] {
    for (DType dtype : kGenerated) {
      for (int64_t cols : {4, 5, 16, 31, 65}) {
        SCOPED_TRACE(std::string(name(dtype)) + ", columns: " + std::to_string(cols));
        Builder b(9, cols);
        const int full = b.input(dtype), column = b.input(dtype, Extent::kColumn);
        const int row = b.input(dtype, Extent::kRow), scalar = b.input(dtype, Extent::kScalar);
        const int less = b.compute(Code::kLess, kBool, full, column);
        const int equal = b.compute(Code::kEqual, kBool, row, scalar);
        b.output(b.compute(Code::kWhere, dtype, less, row, column));
        b.output(b.compute(Code::kWhere, dtype, equal, full, scalar));
        b.output(less);
        check(b.program, samples(cols));
      }
    }
  });
}

TEST_F(JitTest, Reductions) {
  at_each_level([] {
    for (DType dtype : kReduced) {
      SCOPED_TRACE(name(dtype));
      for (ReduceCode code :
           {ReduceCode::kSum, ReduceCode::kProd, ReduceCode::kMax, ReduceCode::kMin}) {
        for (int64_t cols = 1; cols <= 65; ++cols) {
          SCOPED_TRACE("columns: " + std::to_string(cols));
          for (Sink sink : {Sink::kReduceAll, Sink::kReduceColumns}) {
            Builder b(3, cols);
            b.output(b.input(dtype), sink, code);
            check(b.program, code == ReduceCode::kProd ? kFactors : kSummands);
          }
          if (cols < 4) continue;
          Builder b(3, cols);
          const int x = b.input(dtype), reduced = b.reduce_row(code, x);
          b.output(b.compute(Code::kSub, dtype, x, reduced));
          b.output(reduced);
          check(b.program, code == ReduceCode::kProd ? kFactors : kSummands);
        }
      }
    }
  });
}

// Columns that are summed in f32 for a few rows and in f64 from these on, in tiles, with one or
// several rows at once, beside rows that stay in cache; and given numbers, in f64 alone.
TEST_F(JitTest, ColumnsOfManyRows) {
  at_each_level([] {
    for (DType dtype : kReduced) {
      SCOPED_TRACE(name(dtype));
      for (int64_t rows : {64, 65, 72, 501}) {
        for (int64_t cols : {1, 4, 5, 16, 33, 64, 65, 130, 300, 1000, 4100}) {
          SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(cols));
          for (int sums : {1, 2, 5, 9}) {
            Builder b(rows, cols);
            const int x = b.input(dtype), y = b.input(dtype), row = b.input(dtype, Extent::kRow);
            for (int i = 0; i < sums; ++i) {
              const int value = i % 3 == 0   ? b.compute(Code::kMul, dtype, x, i % 2 ? y : row)
                                : i % 3 == 1 ? b.compute(Code::kSub, dtype, x, y)
                                             : x;
              b.output(value, Sink::kReduceColumns);
            }
            b.output(b.compute(Code::kAdd, dtype, x, y), Sink::kReduceColumns, ReduceCode::kMax);
            check(b.program, kSummands);
          }
          if (cols < 4) continue;
          Builder b(rows, cols);
          const int x = b.input(dtype), top = b.reduce_row(ReduceCode::kMax, x);
          const int y = b.compute(Code::kMul, dtype, x, top);
          b.output(y);
          b.output(y, Sink::kReduceColumns);
          b.output(x, Sink::kReduceColumns);
          b.output(b.compute(Code::kAdd, dtype, x, top), Sink::kReduceColumns);
          check(b.program, kSummands);
        }
      }
    }
  });
}

// Sums of arrays that are fetched ahead.
TEST_F(JitTest, SumsOfLargeArrays) {
  at_each_level([] {
    for (int64_t cols : {64, 65, 1 << 20, 1 << 24}) {
      for (Sink sink : {Sink::kReduceAll, Sink::kReduceColumns}) {
        Builder b((int64_t{1} << 24) / cols + 1, cols);
        b.output(b.input(kF32), sink);
        check(b.program, kSummands);
      }
    }
  });
}

// Arrays so large that what is stored goes past the caches; also where it may not, by address.
TEST_F(JitTest, LargeArrays) {
  at_each_level([] {
    for (DType dtype : kReduced) {
      for (int64_t cols : {int64_t{1} << 23, (int64_t{1} << 23) + 4}) {
        Builder b(1, cols);
        b.output(b.compute(Code::kAdd, dtype, b.input(dtype), b.input(dtype)));
        check(b.program, kSummands);
      }
      for (int64_t cols : {1024, 1028}) {
        Builder b(8192, cols);
        const int x = b.input(dtype), y = b.input(dtype, Extent::kColumn);
        const int top = b.reduce_row(ReduceCode::kMax, x);
        const int sum = b.compute(Code::kAdd, dtype, x, y);
        b.output(b.compute(Code::kSub, dtype, sum, top));
        b.output(sum);
        check(b.program, kSummands);
      }
    }
  });
}

// Mappings that may be executed; fails where one may also be written.
// Bytes that belong to no file and may be executed; mappings side by side may be one.
uint64_t executable_bytes() {
  uint64_t out = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::string rights = line.substr(line.find(' ') + 1, 4);
    if (rights[2] != 'x') continue;
    EXPECT_NE(rights[1], 'w') << line;
    if (line.find('/') != std::string::npos) continue;
    size_t end = 0;
    const uint64_t from = std::stoull(line, &end, 16);
    out += std::stoull(line.substr(end + 1), nullptr, 16) - from;
  }
  return out;
}

TEST_F(JitTest, CodeIsNeverWritableAndExecutable) {
  at_each_level([] {
    const uint64_t before = executable_bytes();
    Builder b(64, 100);
    const int x = b.input(kF32);
    // Of a form that no other test has: code is kept by form.
    b.output(
        b.compute(Code::kExp, kF32, b.compute(Code::kTanh, kF32, b.compute(Code::kExp, kF32, x))));
    const auto kernel = jit::compile(b.program);
    EXPECT_GT(executable_bytes(), before);
  });
}

}  // namespace
}  // namespace glia::cpu
