// What a program is made of: which loops, which values where, how many running reductions.
#include <algorithm>
#include <bit>

#include "backend/cpu/jit/generator.h"

namespace glia::cpu::jit {
namespace {

constexpr int64_t kRunningSums = 64, kFewRunningSums = 16;  // elements of a row summed apart
constexpr int64_t kShortSum = 64;  // of so many rows' columns, all is in f64
constexpr int64_t kShortestRow = 4;
constexpr int kCheap = 8;         // instructions that are repeated rather than their result kept
constexpr int kCostly = 8;        // what a division or a root counts for
constexpr int kUniformCost = 50;  // and random numbers
constexpr int kLongBody = 64;     // instructions beside which random numbers have no room
constexpr int64_t kPartColumns = 64;  // see Epilogue::Part
// Where arrays have together more than caches hold, what is stored goes past them: a line is then
// not read before it is overwritten.
constexpr int64_t kStreamedBytes = int64_t{64} << 20;

bool has_code(DType t, bool f64) {
  if (f64) return t == kF64 || t == kF32 || t == kI32 || t == kBool;
  return t == kF32 || t == kBF16 || t == kF16 || t == kBool || t == kI32 || t == kU8;
}

}  // namespace

bool Generator::is_uniform(int v) const {
  return value(v).action == Action::kCompute && value(v).code == Code::kUniform;
}

// Random numbers come four at a time: where vectors begin between fours, they are made before.
// So they are for a long body, of which a processor can't begin the next while one still runs.
bool Generator::is_made(int v) const {
  const bool two_axes = value(v).extent == Extent::kRow || value(v).extent == Extent::kColumn;
  return (value(v).action == Action::kInput && (value(v).strided || (flattened_ && two_axes))) ||
         (is_uniform(v) &&
          (is_long_ || f64_ || (loops_->cols % 4 != 0 && loops_->kind != Loops::Kind::kFlat)));
}

bool Generator::choose_kind() {
  bool two_axes = false, columns = false, rows = false;
  std::vector<bool> is_key(values());
  for (const auto& v : program_.values) {
    if (v.action == Action::kCompute && v.code == Code::kUniform) is_key[v.a] = true;
  }
  for (int v = 0; v < values(); ++v) f64_ |= !is_key[v] && value(v).dtype == kF64;
  lanes_ = (avx512_ ? 64 : 32) / static_cast<int>(size_of(lane_type()));
  for (int v = 0; v < values(); ++v) {
    const Program::Value& x = value(v);
    if (is_key[v]) continue;
    if (!has_code(x.dtype, f64_)) return false;
    two_axes |= x.extent == Extent::kRow || x.extent == Extent::kColumn;
    if (x.action == Action::kReduceRow && x.dtype != lane_type()) return false;
    if (is_uniform(v) && x.dtype != lane_type()) return false;
  }
  for (const auto& output : program_.outputs) {
    const DType dtype = value(output.value).dtype;
    if (dtype == kU8) return false;  // is only read
    if (output.sink == Sink::kStore) continue;
    if (dtype != lane_type()) return false;
    columns |= output.sink == Sink::kReduceColumns;
    rows |= output.sink == Sink::kReduceRows;
  }
  if (!program_.many && program_.rows * program_.cols == 0) return false;
  loops_->cols = program_.cols;
  are_large_ = !program_.many && !program_.by_parts && bytes_of_arrays() > kStreamedBytes;
  if (program_.row_resident) {
    loops_->kind = Loops::Kind::kResident;
    if (rows || program_.cols < kShortestRow) return false;
  } else if (columns) {
    loops_->kind = Loops::Kind::kColumns;
  } else if (two_axes || rows || program_.by_parts) {
    loops_->kind = Loops::Kind::kRows;
    flattened_ = program_.cols < kShortestRow;
    if (flattened_ && (rows || program_.by_parts || stores_rows())) return false;
  }
  if (loops_->kind == Loops::Kind::kFlat || flattened_) {
    loops_->kind = Loops::Kind::kFlat;
    loops_->cols = program_.rows * program_.cols;
  }
  return true;
}

// The stage in which a value can be known: after as many reductions of the row.
bool Generator::find_levels() {
  levels_.assign(values(), 0);
  int instructions = 0;
  for (int v = 0; v < values(); ++v) {
    if (value(v).action == Action::kCompute && !is_uniform(v)) instructions += own_cost(v);
  }
  is_long_ = instructions > kLongBody;
  for (int v = 0; v < values(); ++v) {
    const Program::Value& x = value(v);
    if (is_row(v)) slots_.emplace(v, static_cast<int>(slots_.size()));
    for (int y : {x.a, x.b, x.c}) {
      if (y >= 0) levels_[v] = std::max(levels_[v], levels_[y]);
    }
    if (is_made(v)) {
      levels_[v] = 0;
      made_at_[v] = arrays() + static_cast<int>(loops_->made.size());
      loops_->made.push_back({v, x.action == Action::kCompute});
    }
    if (x.action == Action::kReduceRow) ++levels_[v];
  }
  int last = 0;
  for (int v = 0; v < values(); ++v) {
    if (value(v).action == Action::kReduceRow) last = std::max(last, levels_[v] - 1);
  }
  for (const auto& output : program_.outputs) last = std::max(last, levels_[output.value]);
  stages_.resize(last + 1);
  // An output that lies over an input is stored when nothing reads that any more.
  for (const auto& output : program_.outputs)
    stored_at_.push_back(output.overwrites >= 0 ? last : levels_[output.value]);
  return true;
}

// Whether the full values of a stage are needed in a later one and too costly to repeat.
void Generator::choose_kept() {
  if (!resident()) return;
  costs_.assign(values(), 0);
  for (size_t s = 0; s < stages_.size(); ++s) {
    for (int root : roots(static_cast<int>(s))) find_kept(root, static_cast<int>(s));
  }
}

std::vector<int> Generator::roots(int stage) const {
  std::vector<int> out;
  for (int v = 0; v < values(); ++v) {
    if (value(v).action == Action::kReduceRow && levels_[v] == stage + 1) out.push_back(value(v).a);
  }
  for (size_t o = 0; o < program_.outputs.size(); ++o) {
    if (stored_at_[o] == stage) out.push_back(program_.outputs[o].value);
  }
  return out;
}

bool Generator::is_full_result(int v) const {
  return value(v).action == Action::kCompute && !is_row(v) && !is_made(v);
}

void Generator::find_kept(int v, int stage) {
  if (!is_full_result(v) || kept_.contains(v)) return;
  if (levels_[v] < stage && cost(v) > kCheap && value(v).dtype != kBool && value(v).dtype != kI32) {
    kept_.emplace(v, static_cast<int>(kept_.size()));
    return;
  }
  for (int x : {value(v).a, value(v).b, value(v).c}) {
    if (x >= 0) find_kept(x, stage);
  }
}

// Instructions that computing the value from arrays and row values takes.
int Generator::cost(int v) {
  if (!is_full_result(v)) return 1;
  if (is_uniform(v)) return kUniformCost;
  if (costs_[v] > 0) return costs_[v];
  int total = own_cost(v);
  for (int y : {value(v).a, value(v).b, value(v).c}) {
    if (y >= 0) total += cost(y);
  }
  return costs_[v] = std::min(total, 1 << 20);
}

// The same from its operands.
int Generator::own_cost(int v) const {
  Body body = new_body();
  body.has_scale = true;
  const Program::Value& x = value(v);
  int total = 0;
  std::vector<int> operands;
  for (int y : {x.a, x.b, x.c}) {
    if (y < 0) continue;
    operands.push_back(body.add(
        {.what = Do::kLoad, .type = value(y).dtype, .index = static_cast<int>(operands.size())}));
  }
  operands.resize(3, -1);
  const size_t before = body.code.size();
  compute(&body, v, operands);
  for (size_t i = before; i < body.code.size(); ++i) {
    const Do what = body.code[i].what;
    total += what == Do::kDiv || what == Do::kSqrt ? kCostly : what != Do::kConstant;
  }
  return total;
}

int Generator::registers_of_column(size_t o) const {
  return grouped_columns_[o] ? 1 : registers_of(program_.outputs[o].reduce);
}

bool Generator::any_in_f32() const {
  for (size_t o = 0; o < grouped_columns_.size(); ++o) {
    if (grouped_columns_[o] && in_registers_[o]) return true;
  }
  return false;
}

// How many running reductions there are, and how many vectors a loop goes forward at once.
bool Generator::choose_running() {
  const int most = avx512_ ? 16 : 8;
  if (loops_->kind == Loops::Kind::kColumns) {
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const int more = registers_of_column(o);
      in_registers_.push_back(program_.outputs[o].sink == Sink::kReduceColumns &&
                              column_sums_ + more <= most);
      if (in_registers_.back()) column_sums_ += more;
    }
    const int64_t vectors = (loops_->cols + lanes_ - 1) / lanes_;
    int64_t copies = std::min<int64_t>(vectors, most / column_sums_);
    // Parts begin and end at multiples of the tile.
    if (program_.by_parts && loops_->cols > kPartColumns)
      copies = std::bit_floor(static_cast<uint64_t>(std::min(copies, kPartColumns / lanes_)));
    stages_[0].copies = copies;
    if (loops_->cols <= kShortRow && copies == vectors && slots_.empty())
      rows_at_once_ = std::bit_floor(
          static_cast<uint64_t>(std::min(kRowsAtOnce, most / (column_sums_ * copies))));
    running_ = static_cast<int>(copies * rows_at_once_) * column_sums_;
    loops_->column_tile = copies * lanes_;
    if (any_in_f32())
      block_rows_ = kRowsInF32 * rows_at_once_;
    else if (copies < vectors)
      block_rows_ = kRowsInF64;
    return true;
  }
  for (size_t s = 0; s < stages_.size(); ++s) {
    Stage& stage = stages_[s];
    for (int v = 0; v < values(); ++v) {
      if (value(v).action == Action::kReduceRow && levels_[v] == static_cast<int>(s) + 1)
        stage.reduced.push_back({value(v).reduce, value(v).a, v, -1});
    }
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const auto& output = program_.outputs[o];
      if (stored_at_[o] == static_cast<int>(s) && output.sink != Sink::kStore &&
          output.sink != Sink::kReduceColumns)
        stage.reduced.push_back({output.reduce, output.value, -1, static_cast<int>(o)});
    }
    if (stage.reduced.empty()) continue;
    int count = 0;
    for (auto& r : stage.reduced) {
      r.running = count;
      count += registers_of(r.code);
    }
    const int64_t many = f64_ ? kRunningSums / 2 : kRunningSums;
    const int64_t sums = loops_->cols >= many || !resident() ? many : kFewRunningSums;
    stage.copies = sums / lanes_;
    while (stage.copies > 1 && stage.copies * count > most) stage.copies /= 2;
    if (stage.copies * count > most) return false;
    running_ = std::max(running_, static_cast<int>(stage.copies * count));
  }
  return true;
}

bool Generator::reduces_only() const {
  return std::ranges::none_of(program_.outputs,
                              [](const auto& o) { return o.sink == Sink::kStore; });
}

// Sums that do not leave the row serve other numbers, each rounded; and numbers that are none
// that are given, nor differences of such ones or their squares, have been rounded themselves.
int64_t Generator::passes_in_f32(const Stage::Reduced& r, const Stage& stage) const {
  if (f64_ || r.code != ReduceCode::kSum || stage.copies == 1) return 0;
  if (r.to >= 0 && !leaves_[r.to]) return kPassesInF32;
  return is_unrounded(r.value) ? 0 : 1;
}

bool Generator::is_unrounded(int v) const {
  const auto computes = [&](int x, Code code) {
    return value(x).action == Action::kCompute && value(x).code == code;
  };
  if (computes(v, Code::kSquare) || (computes(v, Code::kMul) && value(v).a == value(v).b))
    v = value(v).a;
  return computes(v, Code::kSub) || (value(v).action == Action::kInput && value(v).dtype == kF32);
}

bool Generator::sums_many_rows(const Program::Output& output) const {
  return output.sink == Sink::kReduceColumns && program_.rows / output.segments > kShortSum;
}

// All that the code depends on, after choose_kind(): of the sizes only what decides something.
std::string Generator::form() const {
  std::vector<int64_t> words;
  words.reserve(9 + 10 * program_.values.size() + 5 * program_.outputs.size());
  words = {avx512_,           are_large_,
           program_.many,     program_.row_resident,
           program_.by_parts, program_.input_arrays,
           flattened_,        loops_->kind == Loops::Kind::kFlat ? 0 : loops_->cols};
  for (const Program::Value& v : program_.values) {
    for (const int64_t word : {int64_t(v.action), int64_t(v.extent), int64_t(v.dtype),
                               int64_t(v.code), int64_t(v.reduce), int64_t{v.a}, int64_t{v.b},
                               int64_t{v.c}, int64_t{v.slot}, int64_t{v.strided}})
      words.push_back(word);
  }
  for (const Program::Output& o : program_.outputs) {
    for (const int64_t word : {int64_t(o.sink), int64_t{o.value}, int64_t(o.reduce),
                               int64_t{o.overwrites}, int64_t{sums_many_rows(o)}})
      words.push_back(word);
  }
  words.push_back(static_cast<int64_t>(program_.outputs.size()));
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(int64_t)};
}

// Columns of many rows whose sums are kept in f32 for a few rows before they are put aside: in
// registers, or beside what rows keep.
void Generator::find_grouped_columns() {
  for (const auto& output : program_.outputs) {
    const bool grouped = !f64_ && output.sink == Sink::kReduceColumns &&
                         output.reduce == ReduceCode::kSum && !is_unrounded(output.value) &&
                         sums_many_rows(output);
    grouped_columns_.push_back(grouped);
    kept_sum_.push_back(static_cast<int>(kept_.size()) + kept_sums_);
    kept_sums_ += grouped && resident();
  }
}

// Which row values are stored, or serve row values that are.
void Generator::find_leaving() {
  leaves_.assign(values(), false);
  for (const auto& output : program_.outputs) leaves_[output.value] = true;
  for (int v = values(); v-- > 0;) {
    if (!leaves_[v] || !is_row(v) || value(v).action != Action::kCompute) continue;
    for (int x : {value(v).a, value(v).b, value(v).c}) {
      if (x >= 0) leaves_[x] = true;
    }
  }
}

int64_t Generator::bytes_of_arrays() const {
  int64_t bytes = 0;
  const auto count = [&](int v) {
    if (value(v).extent == Extent::kFull) bytes += static_cast<int64_t>(size_of(value(v).dtype));
  };
  for (int v = 0; v < values(); ++v) {
    if (value(v).action == Action::kInput) count(v);
  }
  for (const auto& output : program_.outputs) {
    if (output.sink == Sink::kStore && output.overwrites < 0) count(output.value);
  }
  return bytes * program_.rows * program_.cols;
}

// Whether an output goes past the caches, which only whole vectors at their own alignment can.
bool Generator::streams(const Program::Output& output) const {
  return are_large_ && output.sink == Sink::kStore && output.overwrites < 0 &&
         value(output.value).extent == Extent::kFull &&
         size_of(value(output.value).dtype) == size_of(lane_type()) &&
         (loops_->kind == Loops::Kind::kFlat || loops_->cols % lanes_ == 0);
}

bool Generator::stores_rows() const {
  return std::ranges::any_of(program_.outputs, [&](const auto& o) {
    return o.sink == Sink::kStore && value(o.value).extent == Extent::kRow &&
           value(o.value).action != Action::kInput;
  });
}

// A computed row value leaves as one element a row.
bool Generator::stores_row(const Program::Output& output) const {
  return output.sink == Sink::kStore && is_row(output.value) &&
         value(output.value).action != Action::kInput;
}

}  // namespace glia::cpu::jit
