// What each loop computes for a vector of elements, and for a row.
#include <algorithm>

#include "backend/cpu/jit/generator.h"

namespace glia::cpu::jit {
namespace {

constexpr size_t kLongestBody = 4000;
constexpr int64_t kFetchedBytes = 1 << 16;  // of a row, of all arrays
constexpr int64_t kFetchedAhead = 4096;     // bytes

}  // namespace

Body Generator::new_body() const {
  Body body;
  body.has_scale = avx512_;
  body.f64 = f64_;
  return body;
}

void Generator::compute(Body* body, int v, const std::vector<int>& operands) const {
  const Program::Value& x = value(v);
  const DType from = value(x.code == Code::kWhere ? x.b : x.a).dtype;
  result_ = x.code == Code::kCast
                ? append_cast(body, from, x.dtype, operands[0])
                : append(body, x.code, from, operands[0], operands[1], operands[2]);
}

// The value in a body of a stage; of the row's own body if `rows`.
int Generator::lower(Body* body, int v, int stage, bool rows) {
  auto& known = rows ? lowered_rows_ : lowered_;
  if (const auto found = known.find(v); found != known.end()) return found->second;
  return known[v] = lower_new(body, v, stage, rows);
}

int Generator::lower_new(Body* body, int v, int stage, bool rows) {
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

bool Generator::write_bodies() {
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
void Generator::fetch_next_row() {
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
void Generator::fetch_ahead() {
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

void Generator::write_rows(int stage) {
  Body& body = stages_[stage].rows = new_body();
  lowered_rows_.clear();
  for (int v = 0; v < values(); ++v) {
    if (!is_row(v) || value(v).action != Action::kCompute || levels_[v] != stage) continue;
    const int result = lower(&body, v, stage, true);
    body.add({.what = Do::kSetRowSlot, .type = value(v).dtype, .a = result, .index = slot(v)});
  }
}

void Generator::write_columns(int stage, bool part) {
  Body& body = part ? stages_[stage].part : stages_[stage].whole;
  body = new_body();
  lowered_.clear();
  const auto inside = [&](ReduceCode code, int x) {
    if (!part) return x;
    return body.add({.what = Do::kInside, .a = x, .b = body.constant(identity_of(code))});
  };
  const auto reduce = [&](ReduceCode code, int v, int running) {
    const int x = lower(&body, v, stage, false);
    if (is_widened(code)) return reduce_wide(&body, code, x, part, true, running);
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
    if (is_widened(output.reduce)) {
      reduce_wide(&body, output.reduce, x, part, false, output_array(o));
      continue;
    }
    const int before =
        body.add({.what = Do::kLoadColumn, .type = lane_type(), .index = output_array(o)});
    body.add({.what = Do::kStoreColumn,
              .type = lane_type(),
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

// More of a running reduction in f64, or of an array of column sums. A square of a difference is
// computed in f64 from its operands: no rounding is left in a variance.
void Generator::reduce_wide(Body* body, ReduceCode code, int x, bool part, bool running,
                            int index) const {
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
    int y =
        !product && from.what == Do::kSub
            ? body->add({.what = Do::kSubWide, .a = widen(from.a, half), .b = widen(from.b, half)})
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
void Generator::write_put_aside() {
  int running = 0;
  for (size_t o = 0; o < program_.outputs.size(); ++o) {
    const bool kept = resident() && grouped_columns_[o];
    if (!kept && (loops_->kind != Loops::Kind::kColumns || !in_registers_[o])) continue;
    Body body = new_body();
    const ReduceCode code = program_.outputs[o].reduce;
    const int more = kept ? body.add({.what = Do::kLoadKept, .index = kept_sum_[o]})
                          : body.add({.what = Do::kRunning, .index = running});
    if (is_widened(code)) {
      const auto half_of = [&](uint32_t half) {
        if (grouped_columns_[o]) return body.add({.what = Do::kWiden, .a = more, .bits = half});
        return half ? body.add({.what = Do::kRunning, .index = running + 1}) : more;
      };
      const Do what = code == ReduceCode::kProd ? Do::kMulColumn : Do::kAddColumn;
      for (uint32_t half : {0u, 1u})
        body.add({.what = what, .a = half_of(half), .index = output_array(o), .bits = half});
    } else {
      const int before =
          body.add({.what = Do::kLoadColumn, .type = lane_type(), .index = output_array(o)});
      body.add({.what = Do::kStoreColumn,
                .type = lane_type(),
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

}  // namespace glia::cpu::jit
