// From a program to machine code: which loops there are and what each computes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/cpu/jit/emitter.h"
#include "runtime/backend.h"

namespace glia::cpu::jit {

struct Loops {
  enum class Kind : uint8_t {
    kFlat,      // one row; any range of columns
    kRows,      // rows of any range of columns
    kResident,  // whole rows, each gone through several times
    kColumns,   // ranges of columns that are whole tiles, each down the rows: reduces columns
  };
  Kind kind = Kind::kFlat;
  int64_t cols = 1;         // of kFlat: those it was made for; it serves any
  int64_t column_tile = 1;  // of kColumns
  // Full arrays that exist for a part of the space at a time, after the program's own arrays: an
  // input to be read through strides, or random numbers of a key.
  struct Made {
    int value;  // of the program
    bool random;
  };
  std::vector<Made> made;
  int64_t kept_bytes = 0;  // room for what a row keeps

  std::unique_ptr<Emitter> emitter;
  Function function = nullptr;
};

// Null where generated code cannot do it. Programs that differ in sizes that are no part of the
// code share it: rows, and how long what has no rows is.
std::shared_ptr<const Loops> generate(const Program& program, bool avx512);

}  // namespace glia::cpu::jit
