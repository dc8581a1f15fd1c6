// A column while a part of a file is read: its type is that of the values so far.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "glia/tables/table.h"

namespace glia::tables {

// Different texts with their numbers, in the order of their first appearance. They are views of
// what lives longer, or kept.
class Dictionary {
 public:
  int32_t code(std::string_view text, bool keep);
  const std::vector<std::string_view>& texts() const { return texts_; }
  // Adds the texts of another, and gives the number here of each of them.
  std::vector<int32_t> merge(const Dictionary& other);

 private:
  void grow();

  std::vector<std::string_view> texts_;
  std::vector<uint32_t> hashes_;
  std::vector<int32_t> slots_;  // -1: free; a power of two of them
  std::deque<std::string> kept_;
  int32_t last_ = -1;
};

enum class Kind : int8_t {
  kUnknown,
  kInteger,
  kFloat,
  kBool,
  kDate,
  kText
};  // unknown: all missing

// What both have in common: integers are floats, others texts.
Kind joined(Kind a, Kind b);
Kind kind_of(ColumnType type);

// What a value may be.
struct ValueRules {
  std::vector<std::string> missing;
  bool default_missing = true, dates = true;

  bool is_missing(std::string_view text) const;
};

struct Buffer {
  Kind kind = Kind::kUnknown;
  bool fixed = false;  // the kind was given
  int64_t rows = 0;    // of kUnknown
  std::vector<double> floats;
  std::vector<int64_t> integers;  // and dates
  std::vector<int8_t> bools;
  std::vector<int32_t> codes;
  Dictionary dictionary;

  enum class Added { kYes, kNeedsText, kNo };  // no: of a fixed kind
  // `keep`: the text does not live on.
  Added add(std::string_view text, const ValueRules& rules, bool keep);
  bool add_missing();  // false: of a fixed kind that cannot
  void add_integer(int64_t value) {
    if (kind == Kind::kInteger)
      integers.push_back(value);
    else
      floats.push_back(static_cast<double>(value));
  }
  void add_float(double value) {
    if (kind == Kind::kInteger) to_floats();
    floats.push_back(value);
  }
  void to_floats();

 private:
  Kind guess(std::string_view text, const ValueRules& rules) const;
  void start(Kind what);
};

// The buffers of a column in order, all of which can be of that kind, as one column.
Column join_buffers(std::string name, Kind kind, std::vector<Buffer*> parts);

}  // namespace glia::tables
