#include "backend/cpu/jit/kernel.h"

#include <algorithm>
#include <string_view>

#include "backend/cpu/gathered.h"
#include "backend/cpu/jit/loops.h"
#include "backend/cpu/simd/tile.h"
#include "backend/cpu/strided.h"
#include "core/node.h"
#include "glia/error.h"
#include "runtime/threads.h"

namespace glia::cpu::jit {
namespace {

using Sink = Program::Sink;

constexpr int64_t kChunkElements = 1 << 15;  // the least that is worth a thread's while
constexpr int64_t kMaxChunks = 64;
constexpr int64_t kMadeElements = 4096;  // of an array made for a part of the space, by itself
constexpr int64_t kWideColumns = 4096;   // columns that are cut rather than rows,
constexpr int64_t kManyRows = 64;        // unless a chunk has so many of these
constexpr int64_t kLargestElement = 8;   // bytes
constexpr int64_t kAlignment = 64;       // elements; columns are cut at multiples

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }
int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Memory of this thread, at least so large, until the next call.
char* thread_memory(int64_t bytes) {
  thread_local std::vector<char> memory;
  if (static_cast<int64_t>(memory.size()) < bytes + 64) memory.resize(bytes + 64);
  const auto at = reinterpret_cast<uintptr_t>(memory.data());
  return memory.data() + (64 - at % 64) % 64;
}

// The space in chunks, each one thread's, and these in pieces that one call of the code computes.
class Generated final : public FusedKernel {
 public:
  Generated(const Program& p, std::shared_ptr<const Loops> loops)
      : program_(p),
        loops_(std::move(loops)),
        rows_(loops_->kind == Loops::Kind::kFlat ? 1 : p.rows),
        cols_(loops_->kind == Loops::Kind::kFlat ? p.rows * p.cols : p.cols),
        ins_(p.input_arrays),
        outs_(p.outputs.size()) {
    for (const auto& made : loops_->made) {
      const Program::Value& v = p.values[made.value];
      strided_.push_back(made.random ? StridedInput() : StridedInput(p.space, v));
      if (!made.random) made_elements_ = std::max(made_elements_, elements_together(p.space, v));
    }
    if (p.many) return;
    cut();
    place_partials();
  }

  void run(void* const* inputs, void* const* outputs) const override {
    MemoryRef partials;
    if (partial_bytes_) partials = MemoryRef(allocate_memory(partial_bytes_));
    const Arrays arrays{inputs, outputs, partials ? static_cast<char*>(partials->data) : nullptr};
    if (chunks_.size() == 1)
      run_chunk(chunks_[0], arrays);
    else
      parallel_for(static_cast<int64_t>(chunks_.size()),
                   [&](int64_t i) { run_chunk(chunks_[i], arrays); });
    if (partial_bytes_) combine(arrays);
  }

  bool runs_by_parts() const override { return program_.by_parts; }
  bool needs_whole_rows() const override { return resident(); }

  void begin_parts(PartsRun* run) const override {
    if (program_.outputs.size() == stores()) return;
    const int64_t columns = run->parts * reduced_columns();
    int64_t bytes = 0;
    for (const auto& output : program_.outputs) bytes += columns * accumulated_bytes(output);
    run->sums = MemoryRef(allocate_memory(bytes));
    auto* to = static_cast<char*>(run->sums->data);
    for (const auto& output : program_.outputs) {
      if (output.sink == Sink::kStore) continue;
      fill_identity(output.reduce, accumulated_type(output), to, columns);
      to += columns * accumulated_bytes(output);
    }
  }

  void run_part(const PartsRun& run, const Epilogue::Part& part) const override {
    void** const out = addresses(run.inputs, run.outputs);
    char* sums = run.sums ? static_cast<char*>(run.sums->data) : nullptr;
    for (size_t o = 0; o < outs_; ++o) {
      const int64_t bytes = reduced_columns() * accumulated_bytes(program_.outputs[o]);
      if (bytes == 0) continue;
      out[o] = sums + part.index * bytes;
      sums += run.parts * bytes;
    }
    const int64_t row_end = part.row + part.rows, column_end = part.column + part.columns;
    const Size piece = piece_of(part.rows, part.columns);
    for (int64_t i = part.row; i < row_end; i += piece.rows) {
      for (int64_t j = part.column; j < column_end; j += piece.columns)
        call({i, std::min(row_end, i + piece.rows), j, std::min(column_end, j + piece.columns)});
    }
  }

  void end_parts(const PartsRun& run) const override {
    char* from = run.sums ? static_cast<char*>(run.sums->data) : nullptr;
    for (size_t o = 0; o < outs_; ++o) {
      const auto& output = program_.outputs[o];
      if (output.sink == Sink::kStore) continue;
      add_groups(output, from, run.parts, run.outputs[o]);
      from += run.parts * reduced_columns() * accumulated_bytes(output);
    }
  }

  void run_many(int64_t problems, const int64_t* counts, void* const* const* inputs,
                void* const* const* outputs) const override {
    struct Range {
      int64_t problem, first, end;
    };
    const auto run_range = [&](const Range& r) {
      addresses(inputs[r.problem], outputs[r.problem]);
      call({0, 1, r.first, r.end});
    };
    int64_t total = 0;
    for (int64_t j = 0; j < problems; ++j) total += counts[j];
    if (total < 2 * kChunkElements) {
      for (int64_t j = 0; j < problems; ++j) run_range({j, 0, counts[j]});
      return;
    }
    std::vector<Range> ranges;
    for (int64_t j = 0; j < problems; ++j) {
      for (int64_t first = 0; first < counts[j]; first += kChunkElements)
        ranges.push_back({j, first, std::min(counts[j], first + kChunkElements)});
    }
    parallel_for(static_cast<int64_t>(ranges.size()), [&](int64_t i) { run_range(ranges[i]); });
  }

 private:
  struct Box {
    int64_t row, row_end, column, column_end;
  };
  struct Chunk : Box {
    int64_t group;        // of rows whose columns are reduced together
    int64_t first_piece;  // of all
  };
  struct Size {
    int64_t rows, columns;
  };
  struct Arrays {
    void* const* inputs;
    void* const* outputs;
    char* partials;
  };

  // Columns are reduced into arrays of the accumulated dtype, with room for whole vectors.
  int64_t reduced_columns() const { return (cols_ + 15) / 16 * 16; }

  size_t stores() const {
    return std::ranges::count(program_.outputs, Sink::kStore, &Program::Output::sink);
  }
  // Of an element of what is reduced apart, if something is.
  int64_t accumulated_bytes(const Program::Output& output) const {
    if (output.sink == Sink::kStore) return 0;
    return static_cast<int64_t>(size_of(accumulated_type(output)));
  }
  DType type(const Program::Output& output) const { return program_.values[output.value].dtype; }
  DType accumulated_type(const Program::Output& output) const {
    return accumulated(output.reduce, type(output));
  }
  bool reduces(Sink sink) const {
    return std::ranges::any_of(program_.outputs, [&](const auto& o) { return o.sink == sink; });
  }

  // Cuts the space by its shape alone, so that sums do not depend on the number of threads.
  void cut() {
    for (const auto& output : program_.outputs) {
      if (output.sink == Sink::kReduceColumns) segments_ = output.segments;
    }
    const int64_t cols = cols_, rows = rows_ / segments_;
    const int64_t wanted = std::clamp<int64_t>(rows * cols / kChunkElements, 1,
                                               std::max<int64_t>(kMaxChunks / segments_, 1));
    int64_t chunk_rows = divide_up(rows, wanted), chunk_cols = cols;
    if (reduces(Sink::kReduceRows)) {
      chunk_rows = 1;
      chunk_cols = std::max(divide_up(cols, wanted), kChunkElements);
    } else if (!resident() &&
               (reduces(Sink::kReduceColumns) ? cols >= kWideColumns && rows < kManyRows * wanted
                                              : rows < wanted)) {
      chunk_rows = rows;
      chunk_cols = divide_up(cols, wanted);
    }
    chunk_cols = whole_units(chunk_cols);
    piece_ = piece_of(chunk_rows, chunk_cols);
    if (!loops_->made.empty()) {
      const Size most = piece_of(made_elements_, cols);
      made_stride_ = aligned(most.rows * most.columns * kLargestElement) + 64;
    }

    groups_ = 0;
    for (int64_t s = 0; s < segments_; ++s) {
      for (int64_t r = 0; r < rows; r += chunk_rows) {
        const int64_t chunk_end = std::min(rows, r + chunk_rows);
        for (int64_t c = 0; c < cols; c += chunk_cols) {
          const Box box{s * rows + r, s * rows + chunk_end, c, std::min(cols, c + chunk_cols)};
          chunks_.push_back({box, groups_, pieces_});
          pieces_ += divide_up(box.row_end - box.row, piece_.rows) *
                     divide_up(box.column_end - box.column, piece_.columns);
        }
        ++groups_;
      }
    }
  }

  bool resident() const { return loops_->kind == Loops::Kind::kResident; }

  int64_t whole_units(int64_t columns) const {
    const int64_t unit = loops_->kind == Loops::Kind::kColumns ? loops_->column_tile : kAlignment;
    return std::min(cols_, divide_up(columns, unit) * unit);
  }

  // How much of a box one call computes. Arrays that are made for a piece lie there as in the
  // whole: it has whole rows, or one.
  Size piece_of(int64_t rows, int64_t columns) const {
    if (loops_->made.empty()) return {rows, columns};
    if (!resident()) columns = std::min(columns, whole_units(made_elements_));
    if (columns < cols_) return {1, columns};
    return {std::clamp<int64_t>(made_elements_ / columns, 1, rows), columns};
  }

  // Columns are reduced into an output of the accumulated dtype where one group has all their rows;
  // everything else leaves a result for each piece, or for the columns of each group.
  void place_partials() {
    for (const auto& output : program_.outputs) {
      const bool columns = output.sink == Sink::kReduceColumns;
      const bool in_place =
          output.sink == Sink::kStore ||
          (columns && groups_ == segments_ && accumulated_type(output) == type(output));
      partial_offsets_.push_back(in_place ? -1 : partial_bytes_);
      if (in_place) continue;
      const int64_t count = columns ? groups_ * reduced_columns() : pieces_;
      partial_bytes_ += aligned(count * accumulated_bytes(output));
    }
  }

  // This thread's list of arrays, for call(): inputs, outputs, made ones. Where outputs begin.
  static std::vector<void*>& array_list() {
    thread_local std::vector<void*> list;
    return list;
  }
  void** addresses(void* const* inputs, void* const* outputs) const {
    std::vector<void*>& list = array_list();
    list.resize(ins_ + outs_ + loops_->made.size());
    std::copy_n(inputs, ins_, list.data());
    std::copy_n(outputs, outs_, list.data() + ins_);
    return list.data() + ins_;
  }

  // Computes a box from the arrays of the list.
  void call(const Box& box) const {
    void** const list = array_list().data();
    char* const memory =
        thread_memory(loops_->kept_bytes + made_stride_ * static_cast<int64_t>(strided_.size()));
    for (size_t m = 0; m < strided_.size(); ++m)
      list[ins_ + outs_ + m] = make(m, box, list, memory + loops_->kept_bytes + m * made_stride_);
    Arguments a{box.row, box.row_end, box.column, box.column_end, memory, list};
    loops_->function(&a);
  }

  void run_chunk(const Chunk& chunk, const Arrays& arrays) const {
    void** const out = addresses(arrays.inputs, arrays.outputs);
    start_columns(chunk, arrays, out);
    int64_t piece = chunk.first_piece;
    for (int64_t i = chunk.row; i < chunk.row_end; i += piece_.rows) {
      for (int64_t j = chunk.column; j < chunk.column_end; j += piece_.columns, ++piece) {
        for (size_t o = 0; o < outs_; ++o) {
          const auto& output = program_.outputs[o];
          if (output.sink != Sink::kReduceAll && output.sink != Sink::kReduceRows) continue;
          out[o] = arrays.partials + partial_offsets_[o] + piece * accumulated_bytes(output);
          fill_identity(output.reduce, accumulated_type(output), out[o], 1);
        }
        call({i, std::min(chunk.row_end, i + piece_.rows), j,
              std::min(chunk.column_end, j + piece_.columns)});
      }
    }
  }

  // Columns that are reduced have nothing yet.
  void start_columns(const Chunk& chunk, const Arrays& arrays, void** out) const {
    const int64_t column = chunk.column, end = chunk.column_end;
    for (size_t o = 0; o < outs_; ++o) {
      const auto& output = program_.outputs[o];
      if (output.sink != Sink::kReduceColumns) continue;
      const bool in_place = partial_offsets_[o] < 0;
      const int64_t bytes = accumulated_bytes(output);
      char* const to = (in_place ? static_cast<char*>(arrays.outputs[o])
                                 : arrays.partials + partial_offsets_[o]) +
                       chunk.group * bytes * (in_place ? cols_ : reduced_columns());
      fill_identity(output.reduce, accumulated_type(output), to + column * bytes,
                    in_place || end < cols_ ? end - column : reduced_columns() - column);
      out[o] = to;
    }
  }

  // Fills a made array for a box. Where its first element of all would lie.
  void* make(size_t m, const Box& p, void* const* inputs, char* to) const {
    const Program::Value& v = program_.values[loops_->made[m].value];
    const auto size = static_cast<int64_t>(size_of(v.dtype));
    const int64_t first = p.row * cols_ + p.column;
    const int64_t count = (p.row_end - p.row) * (p.column_end - p.column);
    if (loops_->made[m].random)
      uniform_tile(to, v.dtype, static_cast<const uint64_t*>(inputs[program_.values[v.a].slot]),
                   first, count);
    else
      strided_[m].gather(static_cast<const char*>(inputs[v.slot]), to, first, count, size);
    return to - first * size;
  }

  // to (cols) = the reduction of the groups' columns.
  void add_groups(const Program::Output& output, char* groups, int64_t count, void* to) const {
    reduce_groups(output.reduce, type(output), to, groups, count, cols_, reduced_columns());
  }

  void combine(const Arrays& arrays) const {
    const int64_t per_segment = groups_ / segments_;
    for (size_t o = 0; o < outs_; ++o) {
      if (partial_offsets_[o] < 0) continue;
      const auto& output = program_.outputs[o];
      char* const from = arrays.partials + partial_offsets_[o];
      if (output.sink == Sink::kReduceColumns) {
        const int64_t step = per_segment * reduced_columns() * accumulated_bytes(output);
        const int64_t columns = cols_ * static_cast<int64_t>(size_of(type(output)));
        for (int64_t s = 0; s < segments_; ++s)
          add_groups(output, from + s * step, per_segment,
                     static_cast<char*>(arrays.outputs[o]) + s * columns);
      } else {
        const int64_t rows = output.sink == Sink::kReduceRows ? rows_ : 1;
        reduce_parts(output.reduce, type(output), arrays.outputs[o], from, rows, pieces_ / rows);
      }
    }
  }

  const Program program_;
  const std::shared_ptr<const Loops> loops_;
  const int64_t rows_, cols_;  // of the code's loops
  const size_t ins_, outs_;
  std::vector<StridedInput> strided_;  // of each made array
  int64_t segments_ = 1, groups_ = 0, pieces_ = 0;
  int64_t made_elements_ = kMadeElements, made_stride_ = 0;
  Size piece_{1, 1};
  std::vector<Chunk> chunks_;
  std::vector<int64_t> partial_offsets_;
  int64_t partial_bytes_ = 0;
};

}  // namespace

std::unique_ptr<FusedKernel> compile(const Program& program) {
  const std::string_view has = level();
  if (has != "avx512" && has != "avx2") return nullptr;
  std::shared_ptr<const Loops> loops = generate(program, has == "avx512");
  return loops ? std::make_unique<Generated>(program, std::move(loops)) : nullptr;
}

}  // namespace glia::cpu::jit
