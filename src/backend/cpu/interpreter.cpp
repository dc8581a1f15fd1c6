// The portable way to run a fused group: tile by tile, each instruction a SIMD kernel over a run
// of elements that stays in the L1 cache.
#include "backend/cpu/interpreter.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "backend/cpu/simd/tile.h"
#include "backend/cpu/strided.h"
#include "core/node.h"
#include "runtime/backend.h"
#include "runtime/threads.h"

namespace glia::cpu {
namespace {

using Extent = Program::Extent;
using Sink = Program::Sink;

constexpr int64_t kTile = 1024;              // elements of a tile when few registers are live
constexpr int64_t kManyRegisters = 6;        // above: half a tile
constexpr int64_t kChunkElements = 1 << 15;  // the least that is worth a thread's while
constexpr int64_t kMaxChunks = 64;
constexpr int64_t kWideColumns = 4096;  // columns that are cut rather than rows

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }
int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A place that instructions read and write: scratch memory, or an array that moves along with
// the tile by so many bytes for each element, row or column passed.
struct Location {
  enum class Home : uint8_t { kScratch, kInput, kOutput } home = Home::kScratch;
  int index = 0;       // slot of an input, number of an output
  int64_t offset = 0;  // of scratch
  int64_t by_element = 0, by_row = 0, by_column = 0;
  bool moves() const { return by_element || by_row || by_column; }
};

struct Instruction {
  enum class Do : uint8_t { kCompute, kUniform, kGather, kSpread, kReduceRow, kCopy, kSink };
  Do what = Do::kCompute;
  bool rows_only = false;  // over one value a row
  TileFunction function = nullptr;
  RowFunction fold = nullptr;           // kReduceRow, kSink
  int to = -1, a = -1, b = -1, c = -1;  // locations
  int64_t size = 0;                     // bytes of an element, where the kind needs it
  int strided = -1;                     // kGather: which input layout
  int output = -1;                      // kSink
  DType dtype = kF32;                   // kUniform
};

// The part of the space that one call of a tile computes.
struct Tile {
  int64_t row, rows, column, columns;
};

class Interpreter final : public FusedKernel {
 public:
  explicit Interpreter(const Program& p) : program_(p) {
    choose_tile();
    translate();
    for (size_t l = 0; l < locations_.size(); ++l) {
      if (locations_[l].moves()) moving_.push_back(static_cast<int>(l));
    }
    choose_chunks();
    place_partials();
  }

  void run(void* const* inputs, void* const* outputs) const override {
    MemoryRef partials;
    if (partial_bytes_) partials = MemoryRef(allocate_memory(partial_bytes_));
    const Arrays arrays{inputs, outputs, partials ? static_cast<char*>(partials->data) : nullptr};
    const int64_t chunks = segments_ * row_chunks_ * column_chunks_;
    if (chunks == 1) {
      run_chunk(0, arrays);
    } else {
      parallel_for(chunks, [&](int64_t i) { run_chunk(i, arrays); });
    }
    if (partial_bytes_) combine(arrays);
  }

  void run_many(int64_t problems, const int64_t* counts, void* const* const* inputs,
                void* const* const* outputs) const override {
    struct Piece {
      int64_t problem, first, count;
    };
    int64_t total = 0;
    for (int64_t j = 0; j < problems; ++j) total += counts[j];
    if (total < 2 * kChunkElements) {
      Frame frame(*this);
      for (int64_t j = 0; j < problems; ++j) run_flat(&frame, inputs[j], outputs[j], 0, counts[j]);
      return;
    }
    std::vector<Piece> pieces;
    for (int64_t j = 0; j < problems; ++j) {
      for (int64_t first = 0; first < counts[j]; first += kChunkElements)
        pieces.push_back({j, first, std::min(kChunkElements, counts[j] - first)});
    }
    parallel_for(static_cast<int64_t>(pieces.size()), [&](int64_t i) {
      const Piece& p = pieces[i];
      Frame frame(*this);
      run_flat(&frame, inputs[p.problem], outputs[p.problem], p.first, p.count);
    });
  }

 private:
  // ---- Translation ----

  void choose_tile() {
    const int64_t computed = std::ranges::count_if(program_.values, [](const auto& v) {
      return v.action != Program::Action::kInput || v.strided;
    });
    const int64_t tile = computed > kManyRegisters ? kTile / 2 : kTile;
    if (program_.many) {
      tile_columns_ = tile;
      return;
    }
    const bool whole_rows = program_.row_resident || program_.cols <= tile;
    tile_columns_ = whole_rows ? std::max<int64_t>(program_.cols, 1) : tile;
    tile_rows_ = whole_rows ? std::max<int64_t>(tile / tile_columns_, 1) : 1;
    if (program_.rows == 1) tile_rows_ = 1;
  }

  int64_t full_bytes(DType t) const {
    return aligned(tile_rows_ * tile_columns_ * static_cast<int64_t>(size_of(t)));
  }
  int64_t row_bytes(DType t) const {
    return aligned(tile_rows_ * static_cast<int64_t>(size_of(t)));
  }

  int add(Location l) {
    locations_.push_back(l);
    return static_cast<int>(locations_.size()) - 1;
  }
  int scratch(int64_t bytes) {
    Location l;
    l.offset = scratch_bytes_;
    scratch_bytes_ += bytes;
    return add(l);
  }

  // A register that no live value uses; registers are shared by values of one element size.
  int take_register(DType dtype) {
    auto& free = free_registers_[size_of(dtype)];
    if (free.empty()) return scratch(full_bytes(dtype));
    const int r = free.back();
    free.pop_back();
    return r;
  }
  void give_back(int location, DType dtype) { free_registers_[size_of(dtype)].push_back(location); }

  void translate() {
    const int n = static_cast<int>(program_.values.size());
    rows_at_.assign(n, -1);
    full_at_.assign(n, -1);
    std::vector<int> last_use(n, -1), register_of(n, -1);
    for (int v = 0; v < n; ++v) {
      for (int x : {program_.values[v].a, program_.values[v].b, program_.values[v].c}) {
        if (x >= 0) last_use[x] = v;
      }
    }
    for (const auto& output : program_.outputs) last_use[output.value] = n;

    for (int v = 0; v < n; ++v) {
      const Program::Value& value = program_.values[v];
      if (value.action == Program::Action::kInput) continue;
      compute(v, last_use, &register_of);
      for (int x : {value.a, value.b, value.c}) {
        if (x >= 0 && last_use[x] == v && register_of[x] >= 0) {
          give_back(register_of[x], program_.values[x].dtype);
          register_of[x] = -1;
        }
      }
    }
    for (size_t o = 0; o < program_.outputs.size(); ++o) finish(static_cast<int>(o), &register_of);
  }

  // Where a value is found by instructions over full tiles, produced there if need be.
  int full(int v, std::vector<int>* register_of) {
    if (full_at_[v] >= 0) return full_at_[v];
    const Program::Value& value = program_.values[v];
    const auto size = static_cast<int64_t>(size_of(value.dtype));
    Location l{.home = Location::Home::kInput, .index = value.slot};
    if (value.action != Program::Action::kInput || value.extent == Extent::kRow) {
      // A row value, spread over the columns.
      const int from = row(v);
      full_at_[v] = (*register_of)[v] = take_register(value.dtype);
      instructions_.push_back(
          {.what = Instruction::Do::kSpread, .to = full_at_[v], .a = from, .size = size});
    } else if (value.strided) {
      full_at_[v] = (*register_of)[v] = take_register(value.dtype);
      instructions_.push_back({.what = Instruction::Do::kGather,
                               .to = full_at_[v],
                               .size = size,
                               .strided = add_strided(value)});
    } else if (value.extent == Extent::kFull) {
      l.by_element = size;
      full_at_[v] = add(l);
    } else if (value.extent == Extent::kColumn && tile_rows_ == 1) {
      l.by_column = size;
      full_at_[v] = add(l);
    } else {
      // The same for every tile: filled once.
      full_at_[v] = scratch(full_bytes(value.dtype));
      invariants_.push_back({.what = value.extent == Extent::kColumn ? Instruction::Do::kCopy
                                                                     : Instruction::Do::kSpread,
                             .to = full_at_[v],
                             .a = add(l),
                             .size = size});
    }
    return full_at_[v];
  }

  // Where a value is found by instructions over one element a row.
  int row(int v) {
    if (rows_at_[v] >= 0) return rows_at_[v];
    const Program::Value& value = program_.values[v];
    const auto size = static_cast<int64_t>(size_of(value.dtype));
    Location l{.home = Location::Home::kInput, .index = value.slot};
    if (value.extent == Extent::kRow) {
      l.by_row = size;
      return rows_at_[v] = add(l);
    }
    rows_at_[v] = scratch(row_bytes(value.dtype));
    invariants_.push_back({.what = Instruction::Do::kSpread,
                           .rows_only = true,
                           .to = rows_at_[v],
                           .a = add(l),
                           .size = size});
    return rows_at_[v];
  }

  // An output that a value can be computed straight into.
  int direct_output(int v, const std::vector<int>& last_use) {
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const Program::Output& output = program_.outputs[o];
      if (output.value != v || output.sink != Sink::kStore || written_[o]) continue;
      if (output.overwrites >= 0) {  // not while the input that lies there is still to be read
        for (size_t x = 0; x < program_.values.size(); ++x) {
          const Program::Value& in = program_.values[x];
          if (in.action == Program::Action::kInput && in.slot == output.overwrites &&
              last_use[x] > v)
            return -1;
        }
      }
      return static_cast<int>(o);
    }
    return -1;
  }

  void compute(int v, const std::vector<int>& last_use, std::vector<int>* register_of) {
    const Program::Value& value = program_.values[v];
    written_.resize(program_.outputs.size(), false);
    if (value.action == Program::Action::kReduceRow)
      return reduce_row(v, full(value.a, register_of));
    const bool rows_only = value.extent == Extent::kRow;
    Instruction i{.rows_only = rows_only, .dtype = value.dtype};
    const auto at = [&](int x) { return x < 0 ? -1 : rows_only ? row(x) : full(x, register_of); };
    if (value.code == Code::kUniform) {
      i.what = Instruction::Do::kUniform;
      i.a = add({.home = Location::Home::kInput, .index = program_.values[value.a].slot});
    } else {
      i.a = at(value.a);
      i.b = at(value.b);
      i.c = at(value.c);
      const DType operand = program_.values[value.code == Code::kWhere ? value.b : value.a].dtype;
      i.function = value.code == Code::kCast ? cast_function(operand, value.dtype)
                                             : tile_function(value.code, operand);
      if (!i.function)
        throw Error(std::string("no kernel for ") + elementwise_op(value.code).name + " of " +
                    name(operand));
    }
    if (rows_only) {
      i.to = rows_at_[v] = scratch(row_bytes(value.dtype));
    } else if (const int o = direct_output(v, last_use); o >= 0) {
      Location l{.home = Location::Home::kOutput, .index = o};
      l.by_element = static_cast<int64_t>(size_of(value.dtype));
      i.to = full_at_[v] = add(l);
      written_[o] = true;
    } else {
      i.to = full_at_[v] = (*register_of)[v] = take_register(value.dtype);
    }
    instructions_.push_back(i);
  }

  // The reduction of each row, rounded to the value's dtype.
  void reduce_row(int v, int from) {
    const Program::Value& value = program_.values[v];
    const DType wide = accumulated(value.reduce, value.dtype);
    rows_at_[v] = scratch(row_bytes(value.dtype));
    const int sums = wide == value.dtype ? rows_at_[v] : scratch(row_bytes(wide));
    instructions_.push_back({.what = Instruction::Do::kReduceRow,
                             .fold = row_function(value.reduce, value.dtype),
                             .to = sums,
                             .a = from});
    if (wide != value.dtype)
      instructions_.push_back({.rows_only = true,
                               .function = cast_function(wide, value.dtype),
                               .to = rows_at_[v],
                               .a = sums});
  }

  // What remains to be done for an output at the end of a tile.
  void finish(int o, std::vector<int>* register_of) {
    written_.resize(program_.outputs.size(), false);
    if (written_[o]) return;
    const Program::Output& output = program_.outputs[o];
    const Program::Value& value = program_.values[output.value];
    const auto size = static_cast<int64_t>(size_of(value.dtype));
    Instruction i{.what = Instruction::Do::kCopy, .size = size, .output = o, .dtype = value.dtype};
    Location l{.home = Location::Home::kOutput, .index = o};
    if (output.sink != Sink::kStore) {
      i.what = Instruction::Do::kSink;
      i.a = full(output.value, register_of);
      i.fold = output.sink == Sink::kReduceColumns ? column_function(output.reduce, value.dtype)
                                                   : row_function(output.reduce, value.dtype);
    } else if (value.action != Program::Action::kInput && value.extent == Extent::kRow) {
      l.by_row = size;
      i.rows_only = true;
      i.a = row(output.value);
      i.to = add(l);
    } else {
      l.by_element = size;
      i.a = full(output.value, register_of);
      i.to = add(l);
    }
    instructions_.push_back(i);
  }

  int add_strided(const Program::Value& v) {
    strided_.push_back({v.slot, StridedInput(program_.space, v)});
    return static_cast<int>(strided_.size()) - 1;
  }

  // Cuts the space by its shape alone, so that sums do not depend on the number of threads.
  void choose_chunks() {
    for (const auto& output : program_.outputs) {
      if (output.sink == Sink::kReduceColumns) segments_ = output.segments;
    }
    segment_rows_ = segments_ ? program_.rows / segments_ : 0;
    const int64_t elements = segment_rows_ * program_.cols;
    const int64_t wanted =
        std::clamp<int64_t>(elements / kChunkElements, 1,
                            std::max<int64_t>(kMaxChunks / std::max<int64_t>(segments_, 1), 1));
    const int64_t row_tiles = divide_up(segment_rows_, tile_rows_);
    const int64_t column_tiles = divide_up(program_.cols, tile_columns_);
    const bool reduces_columns = std::ranges::any_of(
        program_.outputs, [](const auto& o) { return o.sink == Sink::kReduceColumns; });
    const bool by_columns = reduces_columns ? program_.cols >= kWideColumns : row_tiles < wanted;
    if (by_columns) {
      column_chunks_ = std::max<int64_t>(std::min(wanted, column_tiles), 1);
    } else {
      row_chunks_ = std::max<int64_t>(std::min(wanted, row_tiles), 1);
    }
    rows_per_chunk_ = divide_up(std::max<int64_t>(row_tiles, 1), row_chunks_) * tile_rows_;
    columns_per_chunk_ =
        divide_up(std::max<int64_t>(column_tiles, 1), column_chunks_) * tile_columns_;
    // Chunks of whole tiles may reach the end before their number does.
    row_chunks_ = std::max<int64_t>(divide_up(segment_rows_, rows_per_chunk_), 1);
    column_chunks_ = std::max<int64_t>(divide_up(program_.cols, columns_per_chunk_), 1);
    column_tiles_ = std::max<int64_t>(column_tiles, 1);
    tiles_ = divide_up(program_.rows, tile_rows_) * column_tiles;
  }

  // ---- Execution ----

  // What one thread needs to run tiles: registers, and the addresses of all locations.
  struct Frame {
    explicit Frame(const Interpreter& k) : kernel(k) {
      thread_local std::vector<char> memory;
      thread_local std::vector<char*> pointers;
      if (static_cast<int64_t>(memory.size()) < k.scratch_bytes_ + 64)
        memory.resize(k.scratch_bytes_ + 64);
      scratch = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) &
                                        ~uintptr_t{63});
      if (pointers.size() < 2 * k.locations_.size()) pointers.resize(2 * k.locations_.size());
      at = pointers.data();
      base = at + k.locations_.size();
    }

    void bind(void* const* inputs, void* const* outputs) {
      for (size_t l = 0; l < kernel.locations_.size(); ++l) {
        const Location& x = kernel.locations_[l];
        char* p = x.home == Location::Home::kScratch ? scratch + x.offset
                  : x.home == Location::Home::kInput ? static_cast<char*>(inputs[x.index])
                                                     : static_cast<char*>(outputs[x.index]);
        base[l] = at[l] = p;
      }
      ins = inputs;
    }

    void move_to(const Tile& t) {
      const int64_t element = t.row * kernel.program_.cols + t.column;
      for (int l : kernel.moving_) {
        const Location& x = kernel.locations_[l];
        at[l] = base[l] + element * x.by_element + t.row * x.by_row + t.column * x.by_column;
      }
    }

    const Interpreter& kernel;
    char* scratch;
    char** at;
    char** base;
    void* const* ins = nullptr;
  };

  // The arrays of one run, and the memory of unfinished reductions.
  struct Arrays {
    void* const* inputs;
    void* const* outputs;
    char* partials;
  };

  DType accumulated_dtype(const Program::Output& o) const {
    return accumulated(o.reduce, program_.values[o.value].dtype);
  }
  int64_t accumulated_bytes(const Program::Output& o) const {
    return static_cast<int64_t>(size_of(accumulated_dtype(o)));
  }

  // Columns are reduced straight into an output of the accumulated dtype when one chunk has all
  // their rows; everything else leaves a partial result for each tile, or for a chunk's columns.
  void place_partials() {
    for (const auto& output : program_.outputs) {
      const bool columns = output.sink == Sink::kReduceColumns;
      const bool in_place = output.sink == Sink::kStore ||
                            (columns && row_chunks_ == 1 &&
                             accumulated_dtype(output) == program_.values[output.value].dtype);
      partial_offsets_.push_back(in_place ? -1 : partial_bytes_);
      if (in_place) continue;
      const int64_t count = columns ? segments_ * row_chunks_ * program_.cols : tiles_;
      partial_bytes_ += aligned(std::max<int64_t>(count, 1) * accumulated_bytes(output));
    }
  }

  void combine(const Arrays& arrays) const {
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      if (partial_offsets_[o] < 0) continue;
      const auto& output = program_.outputs[o];
      const DType dtype = program_.values[output.value].dtype;
      char* from = arrays.partials + partial_offsets_[o];
      if (output.sink == Sink::kReduceColumns) {
        const int64_t cols = program_.cols, step = row_chunks_ * cols * accumulated_bytes(output);
        char* const to = static_cast<char*>(arrays.outputs[o]);
        for (int64_t s = 0; s < segments_; ++s)
          reduce_groups(output.reduce, dtype, to + s * cols * static_cast<int64_t>(size_of(dtype)),
                        from + s * step, row_chunks_, cols, cols);
      } else {
        const int64_t rows = output.sink == Sink::kReduceRows ? program_.rows : 1;
        reduce_parts(output.reduce, dtype, arrays.outputs[o], from, rows, rows ? tiles_ / rows : 0);
      }
    }
  }

  void run_chunk(int64_t chunk, const Arrays& arrays) const {
    const int64_t column_chunk = chunk % column_chunks_;
    const int64_t row_chunk = chunk / column_chunks_ % row_chunks_;
    const int64_t segment = chunk / column_chunks_ / row_chunks_;
    const int64_t first_row = segment * segment_rows_ + row_chunk * rows_per_chunk_;
    const int64_t end_row = std::min(first_row + rows_per_chunk_, (segment + 1) * segment_rows_);
    const int64_t first_column = column_chunk * columns_per_chunk_;
    const int64_t end_column = std::min(first_column + columns_per_chunk_, program_.cols);

    Frame frame(*this);
    frame.bind(arrays.inputs, arrays.outputs);
    fill_invariants(&frame);
    const int64_t group = segment * row_chunks_ + row_chunk;
    start_columns(group, first_column, end_column, arrays);
    for (int64_t row = first_row; row < end_row; row += tile_rows_) {
      int64_t column = first_column;
      do {
        const Tile t{row, std::min(tile_rows_, end_row - row), column,
                     std::min(tile_columns_, end_column - column)};
        frame.move_to(t);
        for (const Instruction& i : instructions_) {
          if (i.what == Instruction::Do::kSink)
            sink(i, t, frame, group, arrays);
          else
            execute(i, t, &frame);
        }
        column += tile_columns_;
      } while (column < end_column);
    }
  }

  // Elements [first, first + count) of a problem without rows.
  void run_flat(Frame* frame, void* const* inputs, void* const* outputs, int64_t first,
                int64_t count) const {
    const bool same_scalars = frame->ins && std::ranges::all_of(invariants_, [&](const auto& i) {
                                const int slot = locations_[i.a].index;
                                return frame->ins[slot] == inputs[slot];
                              });
    frame->bind(inputs, outputs);
    if (!same_scalars) fill_invariants(frame);
    for (int64_t column = first; column < first + count; column += tile_columns_) {
      const Tile t{0, 1, column, std::min(tile_columns_, first + count - column)};
      frame->move_to(t);
      for (const Instruction& i : instructions_) execute(i, t, frame);
    }
  }

  void fill_invariants(Frame* frame) const {
    for (const Instruction& i : invariants_) {
      if (i.what == Instruction::Do::kCopy) {
        const int64_t bytes = program_.cols * i.size;
        for (int64_t r = 0; r < tile_rows_; ++r)
          std::memcpy(frame->at[i.to] + r * bytes, frame->at[i.a], bytes);
      } else {
        const int64_t n = i.rows_only ? tile_rows_ : tile_rows_ * tile_columns_;
        fill_tile(frame->at[i.to], frame->at[i.a], n, i.size);
      }
    }
  }

  void execute(const Instruction& i, const Tile& t, Frame* frame) const {
    char** at = frame->at;
    const int64_t n = i.rows_only ? t.rows : t.rows * t.columns;
    switch (i.what) {
      case Instruction::Do::kCompute:
        i.function(at[i.to], at[i.a], i.b < 0 ? nullptr : at[i.b], i.c < 0 ? nullptr : at[i.c], n);
        break;
      case Instruction::Do::kUniform:
        uniform_tile(at[i.to], i.dtype, reinterpret_cast<const uint64_t*>(at[i.a]),
                     t.row * program_.cols + t.column, n);
        break;
      case Instruction::Do::kGather:
        strided_[i.strided].input.gather(frame->ins[strided_[i.strided].slot], at[i.to],
                                         t.row * program_.cols + t.column, n, i.size);
        break;
      case Instruction::Do::kSpread:
        spread_tile(at[i.to], at[i.a], t.rows, t.columns, i.size);
        break;
      case Instruction::Do::kReduceRow:
        i.fold(at[i.to], at[i.a], t.rows, t.columns);
        break;
      case Instruction::Do::kCopy:
        if (!i.rows_only || t.column == 0) std::memcpy(at[i.to], at[i.a], n * i.size);
        break;
      case Instruction::Do::kSink:
        break;
    }
  }

  char* column_sums(size_t o, int64_t group, const Arrays& arrays) const {
    char* const groups = partial_offsets_[o] < 0 ? static_cast<char*>(arrays.outputs[o])
                                                 : arrays.partials + partial_offsets_[o];
    return groups + group * program_.cols * accumulated_bytes(program_.outputs[o]);
  }

  void start_columns(int64_t group, int64_t first, int64_t end, const Arrays& arrays) const {
    for (size_t o = 0; o < program_.outputs.size(); ++o) {
      const Program::Output& output = program_.outputs[o];
      if (output.sink != Sink::kReduceColumns) continue;
      char* to = column_sums(o, group, arrays);
      fill_identity(output.reduce, accumulated_dtype(output),
                    to + first * accumulated_bytes(output), end - first);
    }
  }

  void sink(const Instruction& i, const Tile& t, const Frame& frame, int64_t group,
            const Arrays& arrays) const {
    const Program::Output& output = program_.outputs[i.output];
    const int64_t size = accumulated_bytes(output), n = t.rows * t.columns;
    if (output.sink == Sink::kReduceColumns) {
      char* to = column_sums(i.output, group, arrays);
      i.fold(to + t.column * size, frame.at[i.a], t.rows, t.columns);
    } else if (n > 0) {
      const int64_t tile = t.row / tile_rows_ * column_tiles_ + t.column / tile_columns_;
      i.fold(arrays.partials + partial_offsets_[i.output] + tile * size, frame.at[i.a], 1, n);
    }
  }

  Program program_;
  int64_t tile_rows_ = 1, tile_columns_ = 1, column_tiles_ = 1, tiles_ = 1;
  int64_t segments_ = 1, segment_rows_ = 0;
  int64_t row_chunks_ = 1, column_chunks_ = 1, rows_per_chunk_ = 0, columns_per_chunk_ = 0;
  std::vector<Location> locations_;
  std::vector<int> moving_;  // locations that move with the tile
  std::vector<int64_t> partial_offsets_;
  int64_t partial_bytes_ = 0;
  std::vector<Instruction> invariants_, instructions_;
  struct Strided {
    int slot;
    StridedInput input;
  };
  std::vector<Strided> strided_;
  int64_t scratch_bytes_ = 0;
  // Used while translating.
  std::vector<int> rows_at_, full_at_;
  std::vector<bool> written_;
  std::vector<int> free_registers_[9];
};

}  // namespace

std::unique_ptr<FusedKernel> interpret(const Program& program) {
  return std::make_unique<Interpreter>(program);
}

}  // namespace glia::cpu
