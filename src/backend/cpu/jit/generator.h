// Makes machine code of one program: what must be known of it, what each of its loops computes, and
// the loops.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/jit/loops.h"

namespace glia::cpu::jit {

class Generator {
 public:
  Generator(const Program& program, bool avx512)
      : program_(program), avx512_(avx512), loops_(new Loops) {}
  // Whether generated code may do it at all: before the others.
  bool choose_kind();
  std::string form() const;
  std::unique_ptr<Loops> make();

 private:
  using Action = Program::Action;
  using Extent = Program::Extent;
  using Sink = Program::Sink;

  static constexpr int64_t kPassesInF32 = 8;  // a power of two
  // Rows whose columns are summed before the sums are put aside: of few, memory is read along them.
  static constexpr int64_t kRowsInF32 = 8, kRowsInF64 = 16;
  static constexpr int64_t kShortRow = 64, kRowsAtOnce = 4;  // of short rows

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
  bool is_row(int v) const { return value(v).extent == Extent::kRow && !flattened_; }
  bool resident() const { return loops_->kind == Loops::Kind::kResident; }

  // ---- Analysis: loops_analysis.cpp ----

  bool is_uniform(int v) const;
  bool is_made(int v) const;
  bool find_levels();
  void choose_kept();
  std::vector<int> roots(int stage) const;
  bool is_full_result(int v) const;
  void find_kept(int v, int stage);
  int cost(int v);
  int own_cost(int v) const;
  // Whether numbers are reduced in lanes of f64, half as many.
  bool is_widened(ReduceCode code) const { return !f64_ && is_wide(code); }
  int registers_of(ReduceCode code) const { return is_widened(code) ? 2 : 1; }
  DType lane_type() const { return f64_ ? kF64 : kF32; }
  int registers_of_column(size_t o) const;
  bool any_in_f32() const;
  bool choose_running();
  bool reduces_only() const;
  int64_t passes_in_f32(const Stage::Reduced& r, const Stage& stage) const;
  bool is_unrounded(int v) const;
  bool sums_many_rows(const Program::Output& output) const;
  void find_grouped_columns();
  void find_leaving();
  int64_t bytes_of_arrays() const;
  bool streams(const Program::Output& output) const;
  bool stores_rows() const;
  bool stores_row(const Program::Output& output) const;

  // ---- Bodies: loops_bodies.cpp ----

  int64_t kept_stride() const {
    return (loops_->cols * static_cast<int64_t>(size_of(lane_type())) + 64 + 63) / 64 * 64;
  }
  Body new_body() const;
  void compute(Body* body, int v, const std::vector<int>& operands) const;
  int slot(int v) const { return slots_.at(v); }
  int lower(Body* body, int v, int stage, bool rows);
  int lower_new(Body* body, int v, int stage, bool rows);
  bool write_bodies();
  void fetch_next_row();
  void fetch_ahead();
  void write_rows(int stage);
  void write_columns(int stage, bool part);
  void reduce_wide(Body* body, ReduceCode code, int x, bool part, bool running, int index) const;
  void write_put_aside();

  // ---- Code: loops_code.cpp ----

  void emit();
  void emit_loops();
  template <class F>
  void each_block(int64_t rows, F f);
  void emit_rows();
  void emit_along_columns(const std::vector<Body>& bodies);
  void store_rows();
  bool has_short_rows() const;
  template <class F>
  void each_row(int64_t at_once, F f);
  void emit_short_rows();
  static bool is_empty(const Stage& stage);
  void start_running(const Stage& stage);
  void add_groups(const Stage& stage, int64_t passes, int64_t vectors);
  void finish_running(const Stage& stage);
  Emitter::Place place(const Stage& stage, int64_t copy, bool part = false) const;
  void locate_element();
  void go_forward(int64_t elements);
  void emit_whole_row(const Stage& stage);
  void add_long_groups(const Stage& stage);
  void emit_range(const Stage& stage);
  void emit_column_tiles();
  void emit_tile(int64_t whole, bool part);
  void emit_tile_rows(int64_t count, int64_t whole);

  const Program& program_;
  const bool avx512_;
  bool f64_ = false;  // all lanes
  int lanes_ = 0;
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

}  // namespace glia::cpu::jit
