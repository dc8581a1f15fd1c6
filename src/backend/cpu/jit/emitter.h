// Machine code for bodies: registers are given out along the straight line, and what does not fit
// is spilled to the stack.
#pragma once

#include <xbyak/xbyak.h>

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "backend/cpu/jit/body.h"

namespace glia::cpu::jit {

// What generated code is called with: the part of the space to compute, and the addresses of the
// arrays' first elements.
struct Arguments {
  int64_t row, row_end, column, column_end;
  char* kept;  // room for values that a row keeps from one of its loops to the next
  void* const* arrays;
  int64_t block = 0, block_end = 0;  // rows, for the code itself
};
using Function = void (*)(Arguments*);

// More values at once than there is room for.
struct TooManyValues {};

class Emitter : public Xbyak::CodeGenerator {
 public:
  // Counters of the loops around the bodies; those called temporary are free between bodies.
  const Xbyak::Reg64 arguments = rdi, element = rax, column = rcx, row = rdx, column_end = rsi;
  const Xbyak::Reg64 temporary = r8, temporary2 = r9, temporary3 = r10;

  // Running reductions take the last registers. `kept_bytes`: from one kept value to the next.
  struct Needs {
    bool avx512 = false, f64 = false;  // f64: all lanes, of all bodies
    int running = 0, row_slots = 0, arrays = 0;
    int64_t kept_bytes = 0;
  };
  Emitter(const Needs& needs, std::span<const Body* const> bodies);

  int lane_bytes() const { return needs_.f64 ? 8 : 4; }
  int lanes() const { return (needs_.avx512 ? 64 : 32) / lane_bytes(); }
  void begin();
  // Ends the function and makes it executable, no longer writable.
  Function finish();

  // What a vector that is only partly inside the array has of it: its first `count` lanes.
  void set_part(int64_t count);
  void set_part(const Xbyak::Reg64& count);

  // The vector `at` elements behind the current one, in the row `row_at` elements behind; running
  // reduction i is that of number first_running + i * running_stride. `streams`: what kStore marks
  // goes past the caches, to whole vectors' addresses.
  struct Place {
    int64_t at = 0, row_at = 0;
    bool part = false, streams = false;
    int first_running = 0, running_stride = 1;
  };
  void emit(const Body& body, const Place& place);

  // Vector registers; between bodies, the first few are free.
  Xbyak::Xmm vector(int i) const;
  Xbyak::Xmm running(int i) const { return vector(first_running_ + i); }
  Xbyak::Address row_slot(int i) { return ptr[rsp + row_slots_at_ + 64 * i]; }
  Xbyak::Address constant(uint64_t bits);
  void load_row_slot(int slot, int array, DType type);
  void store_row_slot(int slot, int array, DType type);
  uint64_t all_ones() const { return needs_.f64 ? ~uint64_t{0} : ~uint32_t{0}; }
  Xbyak::Reg64 array(int i);  // its address, in a register or in `temporary`

  // to = reduce(a, b) in vectors of the width of `to`, of f64 if is_wide(code) or all lanes
  // are; vector 3 and mask 7 are overwritten.
  void reduce(ReduceCode code, const Xbyak::Xmm& to, const Xbyak::Xmm& a, const Xbyak::Xmm& b);
  // Reduces the lanes of running reduction i into the first lane of vector 0.
  void fold(ReduceCode code, int i);
  // Adds the floats x to f64: their low half to `low`, the high one to `high`. Overwrites vector 0.
  void add_widened(const Xbyak::Xmm& low, const Xbyak::Xmm& high, const Xbyak::Xmm& x);
  // An f64 into all lanes of vector 0.
  void broadcast_double(const Xbyak::Operand& x);
  // What running reduction i starts from, in all lanes.
  void start(ReduceCode code, int i);

 private:
  struct Home {
    int reg = -1, spill = -1;
  };
  // A value that lies in all lanes, in a register or in memory.
  struct Fixed {
    int uses = 0, reg = -1, slot = -1;
  };
  enum { kPartMask = 1, kFirstMask = 2, kMasks = 8 };
  static constexpr int kSpills = 48, kVectorBytes = 64;
  // Of a random key in memory: counters, multipliers, then the key of each round.
  static constexpr int kRounds = 10, kKeyVectors = 2 + kRounds;

  Fixed* fixed(const Instruction& i);
  bool is_fixed(const Instruction& i) { return fixed(i) || i.what == Do::kRunning || in_slot(i); }
  bool in_slot(const Instruction& i) const {
    return i.what == Do::kRowSlot && !(needs_.avx512 && i.type == kBool);
  }
  void give_registers(std::span<const Body* const> bodies);

  void instruction(int v);
  // Half as wide a register.
  Xbyak::Xmm half(const Xbyak::Xmm& x) const;
  void load(int v);
  void load_f64(int v);
  void store_f64(const Instruction& i);
  void widen(int v);
  void inside_wide(int v);
  void accumulate(const Instruction& i);
  void uniform(int v);
  void slow(int v);
  void slow_routine();
  void start_random(int array, int slot);
  void store(const Instruction& i);
  // An element that lies at `from`, in all lanes of vector 0: a bool as all bits of its lane.
  void broadcast_element(const Xbyak::Address& from, DType type);
  void broadcast_f64(const Xbyak::Address& from, DType type);
  void store_f64_slot(int slot, const Xbyak::RegExp& to, DType type);
  Xbyak::Address element_at(const Xbyak::RegExp& at, DType type);
  bool is_mask(int v) const { return needs_.avx512 && body_->is_mask(v); }
  std::vector<int>& users(bool mask) { return mask ? mask_user_ : vector_user_; }
  std::vector<bool>& locked(bool mask) { return mask ? mask_locked_ : vector_locked_; }
  int take(bool mask);
  int next_use(int v) const;
  Xbyak::Address spilled(bool mask, int slot);
  bool dies(int v) const { return last_use_[v] == now_; }
  // Whether an element of an array is only widened, and can be from where it lies.
  bool is_folded(int v) const;
  bool in_own_register(int v) { return !is_fixed(body_->code[v]) && homes_[v].reg >= 0; }
  // An operand in a register, or wherever it is: the references live until the instruction ends.
  Xbyak::Xmm reg(int v);
  const Xbyak::Operand& any(int v);
  Xbyak::Opmask mask(int v);
  Xbyak::Xmm scratch() { return vector(take(false)); }
  // Where the result goes, perhaps in place of an operand that is used for the last time.
  Xbyak::Xmm result(int v, bool may_alias = true);
  Xbyak::Opmask mask_result(int v);
  void give_back();
  void fma(int v);
  void binary(int v, bool commutes,
              void (Xbyak::CodeGenerator::*f)(const Xbyak::Xmm&, const Xbyak::Operand&,
                                              const Xbyak::Operand&));

  Xbyak::RegExp position(const Instruction& i, int64_t size);
  Xbyak::Xmm part_mask();
  void copy_part_bytes(const Xbyak::RegExp& array, int64_t size, bool out);
  Xbyak::Address bounce() { return ptr[rsp + bounce_at_]; }

  const Needs needs_;
  int vectors_, first_running_, first_fixed_;
  std::vector<Xbyak::Reg64> array_registers_;
  std::map<uint64_t, Fixed> constants_;
  std::map<std::pair<int, DType>, Fixed> scalars_;
  std::map<int, int> keys_;  // of random numbers: the slot for each array
  std::vector<uint64_t> pool_;
  Xbyak::Label pool_label_, slow_label_;
  bool has_slow_ = false;
  int spills_at_, row_slots_at_, scalars_at_, keys_at_, part_at_, bounce_at_, slow_at_, saved_at_;

  // Of the body that is being emitted.
  const Body* body_ = nullptr;
  Place place_;
  int now_ = 0;
  std::vector<Home> homes_;
  std::vector<int> last_use_;
  std::vector<std::vector<int>> uses_;
  std::vector<int> vector_user_, mask_user_, spill_user_;  // values; -1: free
  std::vector<bool> vector_locked_, mask_locked_;
  std::deque<Xbyak::Xmm> registers_;  // what any() refers to
  std::deque<Xbyak::Address> addresses_;
};

}  // namespace glia::cpu::jit
