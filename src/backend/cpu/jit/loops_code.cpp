// The loops around the bodies.
#include <algorithm>
#include <cstddef>

#include "backend/cpu/jit/generator.h"

namespace glia::cpu::jit {
namespace {

using Xbyak::Label;

constexpr int kAlignment = 64;  // bytes, of what may be streamed

}  // namespace

void Generator::emit() {
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

void Generator::emit_loops() {
  if (loops_->kind == Loops::Kind::kColumns)
    emit_column_tiles();
  else if (has_short_rows())
    emit_short_rows();
  else
    emit_rows();
}

// f() for blocks of so many rows, or for all if that is 0.
template <class F>
void Generator::each_block(int64_t rows, F f) {
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

void Generator::emit_rows() {
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
void Generator::emit_along_columns(const std::vector<Body>& bodies) {
  Emitter& e = *loops_->emitter;
  Label loop;
  e.xor_(e.column.cvt32(), e.column.cvt32());
  e.L(loop);
  for (const Body& body : bodies) e.emit(body, {});
  e.add(e.column, lanes_);
  e.cmp(e.column, static_cast<int>(loops_->cols));
  e.jl(loop, Xbyak::CodeGenerator::T_NEAR);
}

void Generator::store_rows() {
  for (size_t o = 0; o < program_.outputs.size(); ++o) {
    const auto& output = program_.outputs[o];
    if (stores_row(output))
      loops_->emitter->store_row_slot(slot(output.value), output_array(o),
                                      value(output.value).dtype);
  }
}

// Rows that are always whole and have no values of their own.
bool Generator::has_short_rows() const {
  return loops_->kind == Loops::Kind::kRows && loops_->cols <= kShortRow && slots_.empty() &&
         stages_.size() == 1 && stages_[0].reduced.empty();
}

// f(how many rows), for as many at once as can be, up to the last.
template <class F>
void Generator::each_row(int64_t at_once, F f) {
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

void Generator::emit_short_rows() {
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

bool Generator::is_empty(const Stage& stage) {
  return std::none_of(stage.whole.code.begin(), stage.whole.code.end(),
                      [](const Instruction& i) { return is_effect(i.what); });
}

void Generator::start_running(const Stage& stage) {
  Emitter& e = *loops_->emitter;
  int first = 0;
  for (const auto& r : stage.reduced) {
    for (int64_t k = 0; k < stage.copies * registers_of(r.code); ++k) e.start(r.code, first++);
  }
}

// What so many vectors of `passes` passes have left in running reductions that add as many in
// f32.
void Generator::add_groups(const Stage& stage, int64_t passes, int64_t vectors) {
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
void Generator::finish_running(const Stage& stage) {
  Emitter& e = *loops_->emitter;
  int first = 0;
  for (const auto& r : stage.reduced) {
    const bool wide = f64_ || is_wide(r.code);
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
      if (wide && !f64_) e.vcvtsd2ss(result, result, result);
      f64_ ? e.broadcast_double(result) : e.vbroadcastss(e.vector(0), result);
      e.vmovups(e.row_slot(slot(r.to)), e.vector(0));
    } else {
      const Xbyak::Reg64 to = e.array(output_array(r.output));
      wide ? e.vmovsd(before, e.qword[to]) : e.vmovss(before, e.dword[to]);
      e.reduce(r.code, result, before, result);
      wide ? e.vmovsd(e.qword[to], result) : e.vmovss(e.dword[to], result);
    }
  }
}

Emitter::Place Generator::place(const Stage& stage, int64_t copy, bool part) const {
  return {.at = copy * lanes_,
          .part = part,
          .streams = streams_,
          .first_running = static_cast<int>(copy),
          .running_stride = static_cast<int>(stage.copies)};
}

// element = row * cols + column.
void Generator::locate_element() {
  Emitter& e = *loops_->emitter;
  e.mov(e.element, loops_->cols);
  e.imul(e.element, e.row);
  e.add(e.element, e.column);
}

void Generator::go_forward(int64_t elements) {
  Emitter& e = *loops_->emitter;
  e.add(e.column, static_cast<int>(elements));
  e.add(e.element, static_cast<int>(elements));
}

// All columns, whose number is known, and what their reductions give.
void Generator::emit_whole_row(const Stage& stage) {
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

void Generator::add_long_groups(const Stage& stage) {
  Emitter& e = *loops_->emitter;
  if (std::ranges::count(stage.reduced, kPassesInF32, &Stage::Reduced::grouped) == 0) return;
  Label go_on;
  e.test(e.column, static_cast<uint32_t>(kPassesInF32 * stage.copies * lanes_ - 1));
  e.jnz(go_on, Xbyak::CodeGenerator::T_NEAR);
  add_groups(stage, kPassesInF32, stage.copies);
  e.L(go_on);
}

// The columns of the arguments.
void Generator::emit_range(const Stage& stage) {
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
void Generator::emit_column_tiles() {
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

void Generator::emit_tile(int64_t whole, bool part) {
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
        for (int64_t k = 0; k < count; ++k) e.emit(k == whole ? stage.part : stage.whole, at(r, k));
      }
    });
  } else {
    emit_tile_rows(count, whole);
  }
  put_aside();
}

// A tile's rows, one by one.
void Generator::emit_tile_rows(int64_t count, int64_t whole) {
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

}  // namespace glia::cpu::jit
