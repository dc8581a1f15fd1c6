#include "buffer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "values.h"

namespace glia::tables {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

uint32_t hash_of(std::string_view text) {
  constexpr uint64_t kPrime = 0x9E3779B97F4A7C15;
  uint64_t h = text.size() * kPrime;
  const char* p = text.data();
  size_t left = text.size();
  for (; left >= 8; left -= 8, p += 8) {
    uint64_t word = 0;
    std::memcpy(&word, p, 8);
    h = (h ^ word) * kPrime;
    h ^= h >> 29;
  }
  uint64_t word = 0;
  for (size_t i = 0; i < left; ++i)
    word |= static_cast<uint64_t>(static_cast<uint8_t>(p[i])) << (8 * i);
  h = (h ^ word) * kPrime;
  return static_cast<uint32_t>(h >> 32);
}

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
  std::vector<T>().swap(from);
}

}  // namespace

// ---- Dictionary -------------------------------------------------------------------------------

int32_t Dictionary::code(std::string_view text, bool keep) {
  if (last_ >= 0 && texts_[static_cast<size_t>(last_)] == text) return last_;
  if (texts_.size() * 2 >= slots_.size()) grow();
  const uint32_t hash = hash_of(text);
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const int32_t found = slots_[at];
    if (found < 0) {
      slots_[at] = last_ = static_cast<int32_t>(texts_.size());
      hashes_.push_back(hash);
      texts_.push_back(keep ? std::string_view(kept_.emplace_back(text)) : text);
      return last_;
    }
    const auto i = static_cast<size_t>(found);
    if (hashes_[i] == hash && texts_[i] == text) return last_ = found;
  }
}

std::vector<int32_t> Dictionary::merge(const Dictionary& other) {
  std::vector<int32_t> out;
  out.reserve(other.texts_.size());
  for (const std::string_view text : other.texts_) out.push_back(code(text, false));
  return out;
}

void Dictionary::grow() {
  slots_.assign(std::max<size_t>(32, slots_.size() * 2), -1);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < hashes_.size(); ++i) {
    size_t at = hashes_[i] & mask;
    while (slots_[at] >= 0) at = (at + 1) & mask;
    slots_[at] = static_cast<int32_t>(i);
  }
}

// ---- Kinds ------------------------------------------------------------------------------------

Kind joined(Kind a, Kind b) {
  if (a == b || b == Kind::kUnknown) return a;
  if (a == Kind::kUnknown) return b;
  const auto number = [](Kind k) { return k == Kind::kInteger || k == Kind::kFloat; };
  return number(a) && number(b) ? Kind::kFloat : Kind::kText;
}

Kind kind_of(ColumnType type) {
  constexpr Kind kKinds[] = {Kind::kFloat, Kind::kInteger, Kind::kBool, Kind::kText, Kind::kDate};
  return kKinds[static_cast<int>(type)];
}

bool ValueRules::is_missing(std::string_view text) const {
  return (default_missing && (text.empty() || is_missing_text(text))) ||
         (!missing.empty() && std::ranges::find(missing, text) != missing.end());
}

// ---- Buffer -----------------------------------------------------------------------------------

Kind Buffer::guess(std::string_view text, const ValueRules& rules) const {
  if (parse_integer(text)) return Kind::kInteger;
  if (parse_float(text)) return Kind::kFloat;
  if (parse_bool(text)) return Kind::kBool;
  if (rules.dates && parse_date(text)) return Kind::kDate;
  return Kind::kText;
}

// The first value that is not missing says what the column is.
void Buffer::start(Kind what) {
  const auto before = static_cast<size_t>(rows);
  kind = what == Kind::kInteger && rows > 0 ? Kind::kFloat : what;
  switch (kind) {
    case Kind::kFloat:
      floats.assign(before, kNaN);
      break;
    case Kind::kBool:
      bools.assign(before, -1);
      break;
    case Kind::kDate:
      integers.assign(before, kNoDate);
      break;
    case Kind::kText:
      codes.assign(before, -1);
      break;
    default:
      break;
  }
}

void Buffer::to_floats() {
  kind = Kind::kFloat;
  floats.reserve(std::max(integers.capacity(), floats.capacity()));
  floats.assign(integers.begin(), integers.end());
  std::vector<int64_t>().swap(integers);
}

bool Buffer::add_missing() {
  switch (kind) {
    case Kind::kUnknown:
      ++rows;
      return true;
    case Kind::kInteger:
      if (fixed) return false;
      to_floats();
      [[fallthrough]];
    case Kind::kFloat:
      floats.push_back(kNaN);
      return true;
    case Kind::kBool:
      bools.push_back(-1);
      return true;
    case Kind::kDate:
      integers.push_back(kNoDate);
      return true;
    case Kind::kText:
      codes.push_back(-1);
      return true;
  }
  return true;
}

Buffer::Added Buffer::add(std::string_view text, const ValueRules& rules, bool keep) {
  const Added other = fixed ? Added::kNo : Added::kNeedsText;
  if (rules.is_missing(text)) return add_missing() ? Added::kYes : Added::kNo;
  if (kind == Kind::kUnknown) start(guess(text, rules));
  switch (kind) {
    case Kind::kInteger:
      if (const auto value = parse_integer(text)) {
        integers.push_back(*value);
      } else if (const auto number = parse_float(text); number && !fixed) {
        add_float(*number);
      } else {
        return other;
      }
      return Added::kYes;
    case Kind::kFloat:
      if (const auto number = parse_float(text)) {
        floats.push_back(*number);
        return Added::kYes;
      }
      return other;
    case Kind::kBool:
      if (const auto flag = parse_bool(text)) {
        bools.push_back(*flag);
        return Added::kYes;
      }
      return other;
    case Kind::kDate:
      if (const auto date = parse_date(text)) {
        integers.push_back(*date);
        return Added::kYes;
      }
      return other;
    default:
      codes.push_back(dictionary.code(text, keep));
      return Added::kYes;
  }
}

// ---- Joining ----------------------------------------------------------------------------------

Column join_buffers(std::string name, Kind kind, std::vector<Buffer*> parts) {
  if (kind == Kind::kUnknown) kind = Kind::kFloat;
  Buffer all;
  all.kind = kind;
  size_t rows = 0;
  for (const Buffer* part : parts)
    rows += part->kind == Kind::kUnknown ? static_cast<size_t>(part->rows)
                                         : part->floats.size() + part->integers.size() +
                                               part->bools.size() + part->codes.size();
  if (kind == Kind::kFloat) all.floats.reserve(rows);
  if (kind == Kind::kInteger || kind == Kind::kDate) all.integers.reserve(rows);
  if (kind == Kind::kBool) all.bools.reserve(rows);
  if (kind == Kind::kText) all.codes.reserve(rows);
  bool lacks = false;  // integers that are missing
  for (const Buffer* part : parts) lacks |= part->kind == Kind::kUnknown && part->rows > 0;
  if (kind == Kind::kInteger && lacks) all.to_floats();
  for (Buffer* part : parts) {
    if (part->kind == Kind::kUnknown) {
      for (int64_t i = 0; i < part->rows; ++i) all.add_missing();
    } else if (kind == Kind::kText) {
      const std::vector<int32_t> codes = all.dictionary.merge(part->dictionary);
      for (const int32_t code : part->codes)
        all.codes.push_back(code < 0 ? -1 : codes[static_cast<size_t>(code)]);
    } else if (all.kind == Kind::kFloat && part->kind == Kind::kInteger) {
      all.floats.insert(all.floats.end(), part->integers.begin(), part->integers.end());
    } else {
      append(all.floats, part->floats);
      append(all.integers, part->integers);
      append(all.bools, part->bools);
    }
  }
  switch (all.kind) {
    case Kind::kInteger:
      return Column::from_integers(std::move(name), std::move(all.integers));
    case Kind::kBool:
      return Column::from_bools(std::move(name), std::move(all.bools));
    case Kind::kDate:
      return Column::from_dates(std::move(name), std::move(all.integers));
    case Kind::kText: {
      const auto& texts = all.dictionary.texts();
      return Column::from_texts(std::move(name), std::move(all.codes),
                                std::vector<std::string>(texts.begin(), texts.end()));
    }
    default:
      return Column::from_floats(std::move(name), std::move(all.floats));
  }
}

}  // namespace glia::tables
