#include "backend/cpu/jit/loops.h"

#include <algorithm>
#include <bit>
#include <map>

#include "glia/error.h"

namespace glia::cpu::jit {
namespace {

using Xbyak::Label;
using Action = Program::Action;
using Extent = Program::Extent;
using Sink = Program::Sink;

constexpr int64_t kRunningSums = 64, kFewRunningSums = 16;  // elements of a row summed apart
constexpr int64_t kPassesInF32 = 8;                         // a power of two
// Rows whose columns are summed before the sums are put aside: of few, memory is read along them.
constexpr int64_t kRowsInF32 = 8, kRowsInF64 = 16;
constexpr int64_t kShortSum = 64;  // of so many rows' columns, all is in f64
constexpr int64_t kShortestRow = 4;
constexpr int64_t kShortRow = 64, kRowsAtOnce = 4;  // of short rows
constexpr int kCheap = 8;         // instructions that are repeated rather than their result kept
constexpr int kCostly = 8;        // what a division or a root counts for
constexpr int kUniformCost = 50;  // and random numbers
constexpr size_t kLongestBody = 4000;
constexpr int kLongBody = 64;         // instructions beside which random numbers have no room
constexpr int64_t kPartColumns = 64;  // see Epilogue::Part
// Where arrays have together more than caches hold, what is stored goes past them: a line is then
// not read before it is overwritten.
constexpr int64_t kStreamedBytes = int64_t{64} << 20;
constexpr int kAlignment = 64;              // bytes, of what may be streamed
constexpr int64_t kFetchedBytes = 1 << 16;  // of a row, of all arrays
constexpr int64_t kFetchedAhead = 4096;     // bytes

bool has_code(DType t) {
  return t == kF32 || t == kBF16 || t == kF16 || t == kBool || t == kI32 || t == kU8;
}

class Generator {
 public:
  Generator(const Program& program, bool avx512)
      : program_(program), avx512_(avx512), lanes_(avx512 ? 16 : 8), loops_(new Loops) {}

  std::unique_ptr<Loops> make() {
    if (!choose_kind() || !find_levels()) return nullptr;
    choose_kept();
    find_leaving();
    find_grouped_columns();
    if (!choose_running() || !write_bodies()) return nullptr;
    Emitter::Needs needs{.avx512 = avx512_,
                         .running = running_,
                         .row_slots = static_cast<int>(slots_.size()),
                         .arrays = arrays() + static_cast<int>(loops_->made.size()),
                         .kept_bytes = kept_stride()};
    loops_->kept_bytes = kept_stride() * (static_cast<int64_t>(kept_.size()) + kept_sums_);
    std::vector<const Body*> bodies;
    for (const Stage& s : stages_) {
      for (const Body* b : {&s.rows, &s.whole, &s.part}) bodies.push_back(b);
    }
    for (const auto* more : {&put_aside_, &start_kept_}) {
      for (const Body& b : *more) bodies.push_back(&b);
    }
    loops_->emitter = std::make_unique<Emitter>(needs, bodies);
    emit();
    return std::move(loops_);
  }

 private:
  // One loop over the columns of a row, and what is computed for the row before it.
  struct Stage {
    Body rows, whole, part;
    std::vector<int> slots_read;  // row inputs to be loaded before
    struct Reduced {
      ReduceCode code;
      int value;
      int to;           // the row's value that it gives, or
      int output;       // the output that it goes into
      int running = 0;  // the first of its running reductions
      // So many passes are added in f32, and what they give in f64; 0: all is in f64.
      int64_t grouped = 0;
    };
    std::vector<Reduced> reduced;
    int64_t copies = 1;  // vectors of one pass, each with its own running reductions
  };

  const Program::Value& value(int v) const { return program_.values[v]; }
  int values() const { return static_cast<int>(program_.values.size()); }
  int arrays() const { return program_.input_arrays + static_cast<int>(program_.outputs.size()); }
  int output_array(size_t o) const { return program_.input_arrays + static_cast<int>(o); }
  bool is_uniform(int v) const {
    return value(v).action == Action::kCompute && value(v).code == Code::kUniform;
  }
  // Random numbers come four at a time: where vectors begin between fours, they are made before.
  // So they are for a long body, of which a processor can't begin the next while one still runs.
  bool is_made(int v) const {
    const bool two_axes = value(v).extent == Extent::kRow || value(v).extent == Extent::kColumn;
    return (value(v).action == Action::kInput && (value(v).strided || (flattened_ && two_axes))) ||
           (is_uniform(v) &&
            (is_long_ || (loops_->cols % 4 != 0 && loops_->kind != Loops::Kind::kFlat)));
  }
  bool is_row(int v) const { return value(v).extent == Extent::kRow && !flattened_; }
  bool resident() const { return loops_->kind == Loops::Kind::kResident; }

  // ---- Analysis ----

  bool choose_kind() {
    bool two_axes = false, columns = false, rows = false;
    std::vector<bool> is_key(values());
    for (const auto& v : program_.values) {
      if (v.action == Action::kCompute && v.code == Code::kUniform) is_key[v.a] = true;
    }
    for (int v = 0; v < values(); ++v) {
      const Program::Value& x = value(v);
      if (is_key[v]) continue;
      if (!has_code(x.dtype)) return false;
      two_axes |= x.extent == Extent::kRow || x.extent == Extent::kColumn;
      if (x.action == Action::kReduceRow && x.dtype != kF32) return false;
      if (is_uniform(v) && x.dtype != kF32) return false;
    }
    for (const auto& output : program_.outputs) {
      const DType dtype = value(output.value).dtype;
      if (dtype == kU8) return false;  // is only read
      if (output.sink == Sink::kStore) continue;
      if (dtype != kF32) return false;
      columns |= output.sink == Sink::kReduceColumns;
      rows |= output.sink == Sink::kReduceRows;
    }
    if (!program_.many && program_.rows * program_.cols == 0) return false;
    loops_->rows = program_.rows;
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
      loops_->rows = 1;
    }
    return true;
  }

  // The stage in which a value can be known: after as many reductions of the row.
  bool find_levels() {
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
  void choose_kept() {
    if (!resident()) return;
    costs_.assign(values(), 0);
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (int root : roots(static_cast<int>(s))) find_kept(root, static_cast<int>(s));
    }
  }

  std::vector<int> roots(int stage) const {
    std::vector<int> out;
    for (int v = 0; v < values(); ++v) {
      if (value(v).action == Action::kReduceRow && levels_[v] == stage + 1)
        out.push_back(value(v).a);
    }
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      if (stored_at_[o] == stage) out.push_back(program_.outputs[o].value);
    }
    return out;
  }

  bool is_full_result(int v) const {
    return value(v).action == Action::kCompute && !is_row(v) && !is_made(v);
  }

  void find_kept(int v, int stage) {
    if (!is_full_result(v) || kept_.contains(v)) return;
    if (levels_[v] < stage && cost(v) > kCheap && value(v).dtype != kBool &&
        value(v).dtype != kI32) {
      kept_.emplace(v, static_cast<int>(kept_.size()));
      return;
    }
    for (int x : {value(v).a, value(v).b, value(v).c}) {
      if (x >= 0) find_kept(x, stage);
    }
  }

  // Instructions that computing the value from arrays and row values takes.
  int cost(int v) {
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
  int own_cost(int v) const {
    Body body;
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

  static int registers_of(ReduceCode code) { return is_wide(code) ? 2 : 1; }
  int registers_of_column(size_t o) const {
    return grouped_columns_[o] ? 1 : registers_of(program_.outputs[o].reduce);
  }
  bool any_in_f32() const {
    for (size_t o = 0; o < grouped_columns_.size(); ++o) {
      if (grouped_columns_[o] && in_registers_[o]) return true;
    }
    return false;
  }

  // How many running reductions there are, and how many vectors a loop goes forward at once.
  bool choose_running() {
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
      const int64_t sums =
          loops_->cols >= kRunningSums || !resident() ? kRunningSums : kFewRunningSums;
      stage.copies = sums / lanes_;
      while (stage.copies > 1 && stage.copies * count > most) stage.copies /= 2;
      if (stage.copies * count > most) return false;
      running_ = std::max(running_, static_cast<int>(stage.copies * count));
    }
    return true;
  }

  // ---- Bodies ----

  int64_t kept_stride() const { return (loops_->cols * 4 + 64 + 63) / 64 * 64; }

  void compute(Body* body, int v, const std::vector<int>& operands) const {
    const Program::Value& x = value(v);
    const DType from = value(x.code == Code::kWhere ? x.b : x.a).dtype;
    result_ = x.code == Code::kCast
                  ? append_cast(body, from, x.dtype, operands[0])
                  : append(body, x.code, from, operands[0], operands[1], operands[2]);
  }

  int slot(int v) const { return slots_.at(v); }

  // The value in a body of a stage; of the row's own body if `rows`.
  int lower(Body* body, int v, int stage, bool rows) {
    auto& known = rows ? lowered_rows_ : lowered_;
    if (const auto found = known.find(v); found != known.end()) return found->second;
    return known[v] = lower_new(body, v, stage, rows);
  }
  int lower_new(Body* body, int v, int stage, bool rows) {
    const Program::Value& x = value(v);
    const bool here = rows && x.action == Action::kCompute && levels_[v] == stage;
    if (is_row(v) && !here) {
      if (x.action == Action::kInput) read_slots_.push_back(v);
      return body->add({.what = Do::kRowSlot, .type = x.dtype, .index = slot(v)});
    }
    if (is_made(v)) return body->add({.what = Do::kLoad, .type = x.dtype, .index = made_at_[v]});
    if (x.action == Action::kInput) {
      const Do what = x.extent == Extent::kScalar   ? Do::kScalar
                      : x.extent == Extent::kColumn ? Do::kLoadColumn
                                                    : Do::kLoad;
      return body->add({.what = what, .type = x.dtype, .index = x.slot});
    }
    const auto kept = kept_.find(v);
    if (kept != kept_.end() && levels_[v] < stage)
      return body->add({.what = Do::kLoadKept, .index = kept->second});
    if (is_uniform(v)) return body->add({.what = Do::kUniform, .index = value(x.a).slot});
    std::vector<int> operands;
    for (int y : {x.a, x.b, x.c}) operands.push_back(y < 0 ? -1 : lower(body, y, stage, rows));
    compute(body, v, operands);
    return result_;
  }

  bool write_bodies() {
    for (size_t s = 0; s < stages_.size(); ++s) {
      read_slots_.clear();
      const int stage = static_cast<int>(s);
      write_rows(stage);
      write_columns(stage, false);
      write_columns(stage, true);
      stages_[s].slots_read = read_slots_;
      for (const Body* b : {&stages_[s].rows, &stages_[s].whole, &stages_[s].part}) {
        if (b->unsupported || b->code.size() > kLongestBody) return false;
      }
    }
    write_put_aside();
    fetch_next_row();
    fetch_ahead();
    // Row inputs are loaded once, before the first stage.
    std::vector<int>& first = stages_[0].slots_read;
    for (size_t s = 1; s < stages_.size(); ++s) {
      first.insert(first.end(), stages_[s].slots_read.begin(), stages_[s].slots_read.end());
      stages_[s].slots_read.clear();
    }
    std::sort(first.begin(), first.end());
    first.erase(std::unique(first.begin(), first.end()), first.end());
    return true;
  }

  // The longest loop of a row brings what the next row reads into cache: the loops that read it
  // first are too short to wait for memory.
  void fetch_next_row() {
    if (!resident()) return;
    std::vector<Instruction> fetches;
    int64_t bytes = 0;
    for (int v = 0; v < values(); ++v) {
      const Program::Value& x = value(v);
      if (x.action != Action::kInput || x.extent != Extent::kFull || is_made(v)) continue;
      bytes += loops_->cols * static_cast<int64_t>(size_of(x.dtype));
      fetches.push_back({.what = Do::kFetch,
                         .type = x.dtype,
                         .index = x.slot,
                         .bits = static_cast<uint32_t>(loops_->cols)});
    }
    if (bytes > kFetchedBytes) return;
    const auto longest = std::ranges::max_element(
        stages_, {}, [](const Stage& stage) { return stage.whole.code.size(); });
    for (const Instruction& fetch : fetches) longest->whole.add(fetch);
  }

  // What is only summed and lies in one piece comes faster than the processor itself would fetch
  // it, which ends with each page.
  void fetch_ahead() {
    if (resident() || !are_large_ || !reduces_only()) return;
    for (int v = 0; v < values(); ++v) {
      const Program::Value& x = value(v);
      if (x.action != Action::kInput || x.extent != Extent::kFull || is_made(v)) continue;
      const auto size = static_cast<int64_t>(size_of(x.dtype));
      stages_[0].whole.add({.what = Do::kFetch,
                            .type = x.dtype,
                            .index = x.slot,
                            .bits = static_cast<uint32_t>(kFetchedAhead / size)});
    }
  }
  bool reduces_only() const {
    return std::ranges::none_of(program_.outputs,
                                [](const auto& o) { return o.sink == Sink::kStore; });
  }

  void write_rows(int stage) {
    Body& body = stages_[stage].rows;
    body.has_scale = avx512_;
    lowered_rows_.clear();
    for (int v = 0; v < values(); ++v) {
      if (!is_row(v) || value(v).action != Action::kCompute || levels_[v] != stage) continue;
      const int result = lower(&body, v, stage, true);
      body.add({.what = Do::kSetRowSlot, .type = value(v).dtype, .a = result, .index = slot(v)});
    }
  }

  void write_columns(int stage, bool part) {
    Body& body = part ? stages_[stage].part : stages_[stage].whole;
    body.has_scale = avx512_;
    lowered_.clear();
    const auto inside = [&](ReduceCode code, int x) {
      if (!part) return x;
      return body.add({.what = Do::kInside, .a = x, .b = body.constant(identity_of(code))});
    };
    const auto reduce = [&](ReduceCode code, int v, int running) {
      const int x = lower(&body, v, stage, false);
      if (is_wide(code)) return reduce_wide(&body, code, x, part, true, running);
      const int before = body.add({.what = Do::kRunning, .index = running});
      body.add({.what = Do::kSetRunning,
                .a = append_reduction(&body, code, before, inside(code, x)),
                .index = running});
    };
    for (const auto& [v, index] : kept_) {
      if (levels_[v] != stage) continue;
      body.add({.what = Do::kKeep, .a = lower(&body, v, stage, false), .index = index});
    }
    for (auto& r : stages_[stage].reduced) {
      const int x = lower(&body, r.value, stage, false);
      r.grouped = passes_in_f32(r, stages_[stage]);
      if (r.grouped == 0) {
        reduce(r.code, r.value, r.running);
        continue;
      }
      int sum = inside(r.code, x);
      if (r.grouped > 1)
        sum = append_reduction(&body, r.code, body.add({.what = Do::kRunning, .index = r.running}),
                               sum);
      body.add({.what = Do::kSetRunning, .a = sum, .index = r.running});
    }
    int running = 0;
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const auto& output = program_.outputs[o];
      if (stored_at_[o] != stage || output.sink != Sink::kReduceColumns) continue;
      const bool in_register = !resident() && in_registers_[o];
      if (in_register && !grouped_columns_[o]) {
        reduce(output.reduce, output.value, running);
        running += registers_of_column(o);
        continue;
      }
      const int x = lower(&body, output.value, stage, false);
      if (in_register) {
        const int before = body.add({.what = Do::kRunning, .index = running});
        body.add({.what = Do::kSetRunning,
                  .a = append_reduction(&body, output.reduce, before, inside(output.reduce, x)),
                  .index = running++});
        continue;
      }
      if (resident() && grouped_columns_[o]) {
        const int before = body.add({.what = Do::kLoadKept, .index = kept_sum_[o]});
        body.add({.what = Do::kKeep,
                  .a = append_reduction(&body, output.reduce, before, inside(output.reduce, x)),
                  .index = kept_sum_[o]});
        continue;
      }
      if (is_wide(output.reduce)) {
        reduce_wide(&body, output.reduce, x, part, false, output_array(o));
        continue;
      }
      const int before = body.add({.what = Do::kLoadColumn, .index = output_array(o)});
      body.add({.what = Do::kStoreColumn,
                .a = append_reduction(&body, output.reduce, before, x),
                .index = output_array(o)});
    }
    // What lies over an input is stored when everything has been read.
    std::vector<Instruction> last;
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const auto& output = program_.outputs[o];
      if (stored_at_[o] != stage || output.sink != Sink::kStore || stores_row(output)) continue;
      const Instruction store{.what = Do::kStore,
                              .type = value(output.value).dtype,
                              .a = lower(&body, output.value, stage, false),
                              .index = output_array(o),
                              .bits = streams(output)};
      if (output.overwrites < 0)
        body.add(store);
      else
        last.push_back(store);
    }
    for (const Instruction& store : last) body.add(store);
  }

  // Sums that do not leave the row serve other numbers, each rounded; and numbers that are none
  // that are given, nor differences of such ones or their squares, have been rounded themselves.
  int64_t passes_in_f32(const Stage::Reduced& r, const Stage& stage) const {
    if (r.code != ReduceCode::kSum || stage.copies == 1) return 0;
    if (r.to >= 0 && !leaves_[r.to]) return kPassesInF32;
    return is_unrounded(r.value) ? 0 : 1;
  }
  bool is_unrounded(int v) const {
    const auto computes = [&](int x, Code code) {
      return value(x).action == Action::kCompute && value(x).code == code;
    };
    if (computes(v, Code::kSquare) || (computes(v, Code::kMul) && value(v).a == value(v).b))
      v = value(v).a;
    return computes(v, Code::kSub) || (value(v).action == Action::kInput && value(v).dtype == kF32);
  }

  // Columns of many rows whose sums are kept in f32 for a few rows before they are put aside: in
  // registers, or beside what rows keep.
  void find_grouped_columns() {
    for (const auto& output : program_.outputs) {
      const bool grouped = output.sink == Sink::kReduceColumns &&
                           output.reduce == ReduceCode::kSum && !is_unrounded(output.value) &&
                           program_.rows / output.segments > kShortSum;
      grouped_columns_.push_back(grouped);
      kept_sum_.push_back(static_cast<int>(kept_.size()) + kept_sums_);
      kept_sums_ += grouped && resident();
    }
  }

  // Which row values are stored, or serve row values that are.
  void find_leaving() {
    leaves_.assign(values(), false);
    for (const auto& output : program_.outputs) leaves_[output.value] = true;
    for (int v = values(); v-- > 0;) {
      if (!leaves_[v] || !is_row(v) || value(v).action != Action::kCompute) continue;
      for (int x : {value(v).a, value(v).b, value(v).c}) {
        if (x >= 0) leaves_[x] = true;
      }
    }
  }

  // More of a running reduction in f64, or of an array of column sums. A square of a difference is
  // computed in f64 from its operands: no rounding is left in a variance.
  void reduce_wide(Body* body, ReduceCode code, int x, bool part, bool running, int index) const {
    const auto constant = [&](int y) {
      const Do what = body->code[y].what;
      return what == Do::kConstant || what == Do::kScalar || what == Do::kRowSlot;
    };
    const auto widen = [&](int y, uint32_t half) {
      return body->add({.what = Do::kWiden, .a = y, .bits = constant(y) ? 0 : half});
    };
    const bool product = code == ReduceCode::kProd;
    if (product && part)
      x = body->add({.what = Do::kInside, .a = x, .b = body->constant(identity_of(code))});
    const bool square =
        !product && body->code[x].what == Do::kMul && body->code[x].a == body->code[x].b;
    if (square) x = body->code[x].a;
    for (uint32_t half : {0u, 1u}) {
      const Instruction from = body->code[x];
      int y = !product && from.what == Do::kSub
                  ? body->add(
                        {.what = Do::kSubWide, .a = widen(from.a, half), .b = widen(from.b, half)})
                  : widen(x, half);
      if (part && !product) y = body->add({.what = Do::kInsideWide, .a = y, .bits = half});
      const Do what = running ? (product ? Do::kMulRunning : Do::kAddRunning)
                              : (product ? Do::kMulColumn : Do::kAddColumn);
      body->add({.what = what,
                 .a = y,
                 .b = square ? y : -1,
                 .index = running ? index + static_cast<int>(half) : index,
                 .bits = half});
    }
  }

  // What running reductions of columns hold goes into the outputs, and so do kept sums.
  void write_put_aside() {
    int running = 0;
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const bool kept = resident() && grouped_columns_[o];
      if (!kept && (loops_->kind != Loops::Kind::kColumns || !in_registers_[o])) continue;
      Body body;
      body.has_scale = avx512_;
      const ReduceCode code = program_.outputs[o].reduce;
      const int more = kept ? body.add({.what = Do::kLoadKept, .index = kept_sum_[o]})
                            : body.add({.what = Do::kRunning, .index = running});
      if (is_wide(code)) {
        const auto half_of = [&](uint32_t half) {
          if (grouped_columns_[o]) return body.add({.what = Do::kWiden, .a = more, .bits = half});
          return half ? body.add({.what = Do::kRunning, .index = running + 1}) : more;
        };
        const Do what = code == ReduceCode::kProd ? Do::kMulColumn : Do::kAddColumn;
        for (uint32_t half : {0u, 1u})
          body.add({.what = what, .a = half_of(half), .index = output_array(o), .bits = half});
      } else {
        const int before = body.add({.what = Do::kLoadColumn, .index = output_array(o)});
        body.add({.what = Do::kStoreColumn,
                  .a = append_reduction(&body, code, before, more),
                  .index = output_array(o)});
      }
      if (kept) {
        body.add({.what = Do::kKeep, .a = body.constant(0), .index = kept_sum_[o]});
        Body start;
        start.add({.what = Do::kKeep, .a = start.constant(0), .index = kept_sum_[o]});
        start_kept_.push_back(std::move(start));
      } else {
        running += registers_of_column(o);
      }
      put_aside_.push_back(std::move(body));
    }
  }

  int64_t bytes_of_arrays() const {
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
  bool streams(const Program::Output& output) const {
    return are_large_ && output.sink == Sink::kStore && output.overwrites < 0 &&
           value(output.value).extent == Extent::kFull &&
           size_of(value(output.value).dtype) == sizeof(float) &&
           (loops_->kind == Loops::Kind::kFlat || loops_->cols % lanes_ == 0);
  }

  bool stores_rows() const {
    return std::ranges::any_of(program_.outputs, [&](const auto& o) {
      return o.sink == Sink::kStore && value(o.value).extent == Extent::kRow &&
             value(o.value).action != Action::kInput;
    });
  }
  // A computed row value leaves as one element a row.
  bool stores_row(const Program::Output& output) const {
    return output.sink == Sink::kStore && is_row(output.value) &&
           value(output.value).action != Action::kInput;
  }

  // ---- Code ----

  void emit() {
    Emitter& e = *loops_->emitter;
    e.begin();
    e.mov(e.column_end, e.ptr[e.arguments + offsetof(Arguments, column_end)]);
    e.mov(e.temporary, e.ptr[e.arguments + offsetof(Arguments, row_end)]);
    e.mov(e.ptr[e.arguments + offsetof(Arguments, block_end)], e.temporary);
    Label aside, end;
    e.xor_(e.temporary2.cvt32(), e.temporary2.cvt32());
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      if (!streams(program_.outputs[o])) continue;
      streams_ = true;
      e.or_(e.temporary2, e.array(output_array(o)));
    }
    if (streams_) {
      e.test(e.temporary2, kAlignment - 1);
      e.jnz(aside, Xbyak::CodeGenerator::T_NEAR);
      emit_loops();
      e.sfence();
      e.jmp(end, Xbyak::CodeGenerator::T_NEAR);
      e.L(aside);
      streams_ = false;
    }
    emit_loops();
    e.L(end);
    loops_->function = e.finish();
  }

  void emit_loops() {
    if (loops_->kind == Loops::Kind::kColumns)
      emit_column_tiles();
    else if (has_short_rows())
      emit_short_rows();
    else
      emit_rows();
  }

  // f() for blocks of so many rows, or for all if that is 0.
  template <class F>
  void each_block(int64_t rows, F f) {
    Emitter& e = *loops_->emitter;
    const auto argument = [&](size_t at) { return e.ptr[e.arguments + static_cast<int>(at)]; };
    const Xbyak::Address block = argument(offsetof(Arguments, block)),
                         block_end = argument(offsetof(Arguments, block_end)),
                         row_end = argument(offsetof(Arguments, row_end));
    Label next;
    e.mov(e.temporary, argument(offsetof(Arguments, row)));
    e.L(next);
    e.mov(block, e.temporary);
    if (rows > 0) {
      e.add(e.temporary, static_cast<int>(rows));
      e.mov(e.temporary2, row_end);
      e.cmp(e.temporary, e.temporary2);
      e.cmovg(e.temporary, e.temporary2);
      e.mov(block_end, e.temporary);
    }
    f();
    if (rows == 0) return;
    e.mov(e.temporary, block_end);
    e.cmp(e.temporary, row_end);
    e.jl(next, Xbyak::CodeGenerator::T_NEAR);
  }

  void emit_rows() {
    Emitter& e = *loops_->emitter;
    if (resident() && loops_->cols % lanes_ != 0) e.set_part(loops_->cols % lanes_);
    const bool reduces = !resident() && !stages_[0].reduced.empty();
    if (!start_kept_.empty()) emit_along_columns(start_kept_);
    each_block(start_kept_.empty() ? 0 : kRowsInF32, [&] {
      Label next_row;
      e.mov(e.row, e.ptr[e.arguments + offsetof(Arguments, block)]);
      if (reduces) start_running(stages_[0]);
      e.L(next_row);
      for (size_t s = 0; s < stages_.size(); ++s) {
        Stage& stage = stages_[s];
        for (int v : stage.slots_read) e.load_row_slot(slot(v), value(v).slot, value(v).dtype);
        e.emit(stage.rows, {});
        if (is_empty(stage)) continue;
        if (resident()) {
          emit_whole_row(stage);
        } else {
          emit_range(stage);
        }
      }
      store_rows();
      e.inc(e.row);
      e.cmp(e.row, e.ptr[e.arguments + offsetof(Arguments, block_end)]);
      e.jl(next_row, Xbyak::CodeGenerator::T_NEAR);
      if (reduces) finish_running(stages_[0]);
      if (!start_kept_.empty()) emit_along_columns(put_aside_);
    });
  }

  // Bodies of what lies beside the columns of a row.
  void emit_along_columns(const std::vector<Body>& bodies) {
    Emitter& e = *loops_->emitter;
    Label loop;
    e.xor_(e.column.cvt32(), e.column.cvt32());
    e.L(loop);
    for (const Body& body : bodies) e.emit(body, {});
    e.add(e.column, lanes_);
    e.cmp(e.column, static_cast<int>(loops_->cols));
    e.jl(loop, Xbyak::CodeGenerator::T_NEAR);
  }

  void store_rows() {
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const auto& output = program_.outputs[o];
      if (stores_row(output))
        loops_->emitter->store_row_slot(slot(output.value), output_array(o),
                                        value(output.value).dtype);
    }
  }

  // Rows that are always whole and have no values of their own.
  bool has_short_rows() const {
    return loops_->kind == Loops::Kind::kRows && loops_->cols <= kShortRow && slots_.empty() &&
           stages_.size() == 1 && stages_[0].reduced.empty();
  }

  // f(how many rows), for as many at once as can be, up to the last.
  template <class F>
  void each_row(int64_t at_once, F f) {
    Emitter& e = *loops_->emitter;
    Label several, one, end;
    const Xbyak::Address end_of_rows = e.ptr[e.arguments + offsetof(Arguments, block_end)];
    const auto loop_of = [&](int64_t rows, Label& begin, Label& next) {
      e.L(begin);
      e.lea(e.temporary, e.ptr[e.row + static_cast<int>(rows)]);
      e.cmp(e.temporary, end_of_rows);
      e.jg(next, Xbyak::CodeGenerator::T_NEAR);
      f(rows);
      e.add(e.element, static_cast<int>(rows * loops_->cols));
      e.add(e.row, static_cast<int>(rows));
      e.jmp(begin, Xbyak::CodeGenerator::T_NEAR);
    };
    if (at_once > 1) loop_of(at_once, several, one);
    loop_of(1, one, end);
    e.L(end);
  }

  void emit_short_rows() {
    Emitter& e = *loops_->emitter;
    const int64_t whole = loops_->cols / lanes_, left = loops_->cols % lanes_;
    if (left != 0) e.set_part(left);
    e.xor_(e.column.cvt32(), e.column.cvt32());
    e.mov(e.row, e.ptr[e.arguments + offsetof(Arguments, row)]);
    locate_element();
    each_row(kRowsAtOnce, [&](int64_t rows) {
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t k = 0; k < whole + (left != 0); ++k) {
          Emitter::Place at = place(stages_[0], k, k == whole);
          at.row_at = r * loops_->cols;
          e.emit(k == whole ? stages_[0].part : stages_[0].whole, at);
        }
      }
    });
  }

  static bool is_empty(const Stage& stage) {
    return std::none_of(stage.whole.code.begin(), stage.whole.code.end(),
                        [](const Instruction& i) { return is_effect(i.what); });
  }

  void start_running(const Stage& stage) {
    Emitter& e = *loops_->emitter;
    int first = 0;
    for (const auto& r : stage.reduced) {
      for (int64_t k = 0; k < stage.copies * registers_of(r.code); ++k) e.start(r.code, first++);
    }
  }

  // What so many vectors of `passes` passes have left in running reductions that add as many in
  // f32.
  void add_groups(const Stage& stage, int64_t passes, int64_t vectors) {
    Emitter& e = *loops_->emitter;
    const int copies = static_cast<int>(stage.copies);
    for (const auto& r : stage.reduced) {
      if (r.grouped != passes) continue;
      const int first = r.running * copies;
      for (int count = static_cast<int>(vectors); count > 1; count = (count + 1) / 2) {
        for (int k = (count + 1) / 2; k < count; ++k) {
          const Xbyak::Xmm to = e.running(first + k - (count + 1) / 2);
          e.vaddps(to, to, e.running(first + k));
        }
      }
      e.add_widened(e.running(first + copies), e.running(first + copies + 1), e.running(first));
      for (int k = 0; passes > 1 && k < copies; ++k) e.start(r.code, first + k);
    }
  }

  // Each reduction's vectors pairwise into its first, and the lanes of that into one number: the
  // row's value, or more of an output.
  void finish_running(const Stage& stage) {
    Emitter& e = *loops_->emitter;
    int first = 0;
    for (const auto& r : stage.reduced) {
      const bool wide = is_wide(r.code);
      const int all = static_cast<int>(stage.copies) * registers_of(r.code);
      const int vectors = r.grouped > 0 ? 2 : all;
      if (r.grouped > 0) first += static_cast<int>(stage.copies);
      for (int half = vectors / 2; half > 0; half /= 2) {
        for (int k = first; k < first + half; ++k)
          e.reduce(r.code, e.running(k), e.running(k), e.running(k + half));
      }
      e.fold(r.code, first);
      first = r.running * static_cast<int>(stage.copies) + all;
      const Xbyak::Xmm result(0), before(1);
      if (r.to >= 0) {
        if (wide) e.vcvtsd2ss(result, result, result);
        e.vbroadcastss(e.vector(0), result);
        e.vmovups(e.row_slot(slot(r.to)), e.vector(0));
      } else {
        const Xbyak::Reg64 to = e.array(output_array(r.output));
        wide ? e.vmovsd(before, e.qword[to]) : e.vmovss(before, e.dword[to]);
        e.reduce(r.code, result, before, result);
        wide ? e.vmovsd(e.qword[to], result) : e.vmovss(e.dword[to], result);
      }
    }
  }

  Emitter::Place place(const Stage& stage, int64_t copy, bool part = false) const {
    return {.at = copy * lanes_,
            .part = part,
            .streams = streams_,
            .first_running = static_cast<int>(copy),
            .running_stride = static_cast<int>(stage.copies)};
  }

  // element = row * cols + column.
  void locate_element() {
    Emitter& e = *loops_->emitter;
    e.mov(e.element, loops_->cols);
    e.imul(e.element, e.row);
    e.add(e.element, e.column);
  }
  void go_forward(int64_t elements) {
    Emitter& e = *loops_->emitter;
    e.add(e.column, static_cast<int>(elements));
    e.add(e.element, static_cast<int>(elements));
  }

  // All columns, whose number is known, and what their reductions give.
  void emit_whole_row(const Stage& stage) {
    Emitter& e = *loops_->emitter;
    const int64_t step = stage.copies * lanes_, passes = loops_->cols / step;
    start_running(stage);
    e.xor_(e.column.cvt32(), e.column.cvt32());
    locate_element();
    if (passes > 0) {
      Label loop;
      e.L(loop);
      for (int64_t k = 0; k < stage.copies; ++k) e.emit(stage.whole, place(stage, k));
      add_groups(stage, 1, stage.copies);
      go_forward(step);
      if (passes > kPassesInF32) add_long_groups(stage);
      if (passes > 1) {
        e.cmp(e.column, static_cast<int>(passes * step));
        e.jl(loop, Xbyak::CodeGenerator::T_NEAR);
      }
    }
    const int64_t left = loops_->cols % step;
    for (int64_t k = 0; k < left / lanes_; ++k) e.emit(stage.whole, place(stage, k));
    if (left % lanes_ != 0) e.emit(stage.part, place(stage, left / lanes_, true));
    if (left != 0) add_groups(stage, 1, (left + lanes_ - 1) / lanes_);
    add_groups(stage, kPassesInF32, stage.copies);
    finish_running(stage);
  }

  void add_long_groups(const Stage& stage) {
    Emitter& e = *loops_->emitter;
    if (std::ranges::count(stage.reduced, kPassesInF32, &Stage::Reduced::grouped) == 0) return;
    Label go_on;
    e.test(e.column, static_cast<uint32_t>(kPassesInF32 * stage.copies * lanes_ - 1));
    e.jnz(go_on, Xbyak::CodeGenerator::T_NEAR);
    add_groups(stage, kPassesInF32, stage.copies);
    e.L(go_on);
  }

  // The columns of the arguments.
  void emit_range(const Stage& stage) {
    Emitter& e = *loops_->emitter;
    e.mov(e.column, e.ptr[e.arguments + offsetof(Arguments, column)]);
    if (loops_->kind == Loops::Kind::kFlat)
      e.mov(e.element, e.column);
    else
      locate_element();
    const auto loop_of = [&](int64_t copies) {
      Label loop, end;
      e.L(loop);
      e.lea(e.temporary, e.ptr[e.column + static_cast<int>(copies * lanes_)]);
      e.cmp(e.temporary, e.column_end);
      e.jg(end, Xbyak::CodeGenerator::T_NEAR);
      for (int64_t k = 0; k < copies; ++k) e.emit(stage.whole, place(stage, k));
      add_groups(stage, 1, copies);
      go_forward(copies * lanes_);
      e.jmp(loop, Xbyak::CodeGenerator::T_NEAR);
      e.L(end);
    };
    loop_of(stage.copies);
    if (stage.copies > 1) loop_of(1);
    Label none;
    e.mov(e.temporary2, e.column_end);
    e.sub(e.temporary2, e.column);
    e.jle(none, Xbyak::CodeGenerator::T_NEAR);
    e.set_part(e.temporary2);
    e.emit(stage.part, place(stage, 0, true));
    add_groups(stage, 1, 1);
    e.L(none);
  }

  // Tiles of columns, each down a block of rows with its running reductions in registers.
  void emit_column_tiles() {
    Emitter& e = *loops_->emitter;
    const Stage& stage = stages_[0];
    const int64_t tile = loops_->column_tile, left = loops_->cols % tile;
    if (left % lanes_ != 0) e.set_part(left % lanes_);
    each_block(block_rows_, [&] {
      Label loop, rest, end;
      e.mov(e.column, e.ptr[e.arguments + offsetof(Arguments, column)]);
      if (loops_->cols >= tile) {
        e.L(loop);
        e.lea(e.temporary, e.ptr[e.column + static_cast<int>(tile)]);
        e.cmp(e.temporary, e.column_end);
        e.jg(rest, Xbyak::CodeGenerator::T_NEAR);
        emit_tile(stage.copies, false);
        e.add(e.column, static_cast<int>(tile));
        e.jmp(loop, Xbyak::CodeGenerator::T_NEAR);
      }
      e.L(rest);
      if (left != 0) {
        e.cmp(e.column, e.column_end);
        e.jge(end, Xbyak::CodeGenerator::T_NEAR);
        emit_tile(left / lanes_, left % lanes_ != 0);
      }
      e.L(end);
    });
  }

  void emit_tile(int64_t whole, bool part) {
    Emitter& e = *loops_->emitter;
    const Stage& stage = stages_[0];
    const int64_t count = whole + part, stride = stage.copies * rows_at_once_;
    const auto at = [&](int64_t row, int64_t k) {
      Emitter::Place p = place(stage, k, k == whole);
      p.row_at = row * loops_->cols;
      p.first_running += static_cast<int>(row * stage.copies);
      p.running_stride = static_cast<int>(stride);
      return p;
    };
    const auto start = [&] {
      int running = 0;
      for (size_t o = 0; o < program_.outputs.size(); ++o) {
        if (!in_registers_[o]) continue;
        for (int64_t k = 0; k < stride * registers_of_column(o); ++k)
          e.start(program_.outputs[o].reduce, running++);
      }
    };
    const auto put_aside = [&] {
      int running = 0;
      size_t sink = 0;
      for (size_t o = 0; o < program_.outputs.size(); ++o) {
        if (!in_registers_[o]) continue;
        const ReduceCode code = program_.outputs[o].reduce;
        for (int half = 0; half < registers_of_column(o); ++half) {
          for (int64_t k = stage.copies; k < stride; ++k) {
            const Xbyak::Xmm sum = e.running(running + static_cast<int>(k % stage.copies)),
                             more = e.running(running + static_cast<int>(k));
            grouped_columns_[o] ? e.vaddps(sum, sum, more) : e.reduce(code, sum, sum, more);
          }
          running += static_cast<int>(stride);
        }
        for (int64_t k = 0; k < count; ++k) e.emit(put_aside_[sink], at(0, k));
        ++sink;
      }
    };
    e.mov(e.row, e.ptr[e.arguments + offsetof(Arguments, block)]);
    locate_element();
    start();
    if (rows_at_once_ > 1) {
      each_row(rows_at_once_, [&](int64_t rows) {
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t k = 0; k < count; ++k)
            e.emit(k == whole ? stage.part : stage.whole, at(r, k));
        }
      });
    } else {
      emit_tile_rows(count, whole);
    }
    put_aside();
  }

  // A tile's rows, one by one.
  void emit_tile_rows(int64_t count, int64_t whole) {
    Emitter& e = *loops_->emitter;
    const Stage& stage = stages_[0];
    Label next_row;
    e.L(next_row);
    for (int v : stage.slots_read) e.load_row_slot(slot(v), value(v).slot, value(v).dtype);
    e.emit(stage.rows, {});
    if (stores_rows()) {  // once a row: with its first tile
      Label stored;
      e.test(e.column, e.column);
      e.jnz(stored, Xbyak::CodeGenerator::T_NEAR);
      store_rows();
      e.L(stored);
    }
    for (int64_t k = 0; k < count; ++k)
      e.emit(k == whole ? stage.part : stage.whole, place(stage, k, k == whole));
    e.add(e.element, static_cast<int>(loops_->cols));
    e.inc(e.row);
    e.cmp(e.row, e.ptr[e.arguments + offsetof(Arguments, block_end)]);
    e.jl(next_row, Xbyak::CodeGenerator::T_NEAR);
  }

  const Program& program_;
  const bool avx512_;
  const int lanes_;
  std::unique_ptr<Loops> loops_;
  bool is_long_ = false;
  bool are_large_ = false;  // the arrays
  bool streams_ = false;    // in the loops that are being emitted
  bool flattened_ = false;  // too short for a loop: flat, their two axes' inputs made before
  std::vector<int> levels_, stored_at_, costs_;
  std::map<int, int> kept_, slots_, made_at_;
  std::vector<bool> leaves_;
  std::vector<Stage> stages_;
  // Of kColumns: outputs whose running reductions have registers (the others are added in memory),
  // the registers of one vector of each, and what stores each.
  std::vector<bool> in_registers_;
  int column_sums_ = 0;
  std::vector<Body> put_aside_;
  // Outputs that are summed in f32 for some rows; of kResident, where, and what that begins with.
  std::vector<bool> grouped_columns_;
  std::vector<int> kept_sum_;
  int kept_sums_ = 0;
  std::vector<Body> start_kept_;
  int64_t block_rows_ = 0;  // of kColumns: rows of a tile before the next one; 0: all
  int running_ = 0;
  int64_t rows_at_once_ = 1;  // of kColumns, each with its own running reductions
  // While a body is written.
  std::map<int, int> lowered_, lowered_rows_;
  std::vector<int> read_slots_;
  mutable int result_ = -1;
};

}  // namespace

std::unique_ptr<Loops> generate(const Program& program, bool avx512) {
  try {
    return Generator(program, avx512).make();
  } catch (const TooManyValues&) {
    return nullptr;
  }
}

}  // namespace glia::cpu::jit
