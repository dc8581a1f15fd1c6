#include "backend/cpu/jit/emitter.h"

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

namespace {

constexpr size_t kFirstCodeBytes = 4096;  // grows
constexpr int kSaved[] = {Operand::RBX, Operand::RBP, Operand::R12,
                          Operand::R13, Operand::R14, Operand::R15};
constexpr int kArrayRegisters[] = {Operand::RBX, Operand::RBP, Operand::R11, Operand::R12,
                                   Operand::R13, Operand::R14, Operand::R15};

}  // namespace

Emitter::Emitter(const Needs& needs, std::span<const Body* const> bodies)
    : CodeGenerator(kFirstCodeBytes, AutoGrow), needs_(needs) {
  vectors_ = needs.avx512 ? 32 : 16;
  first_running_ = vectors_ - needs.running;
  give_registers(bodies);
  int at = 0;
  const auto reserve = [&at](int vectors) {
    const int start = at;
    at += vectors * kVectorBytes;
    return start;
  };
  spills_at_ = reserve(kSpills);
  row_slots_at_ = reserve(needs.row_slots);
  scalars_at_ = reserve(static_cast<int>(scalars_.size()));
  keys_at_ = reserve(kKeyVectors * static_cast<int>(keys_.size()));
  part_at_ = reserve(1);
  bounce_at_ = reserve(1);
  slow_at_ = reserve(has_slow_ ? 2 : 0);
  saved_at_ = reserve(1);
}

Xmm Emitter::vector(int i) const {
  if (needs_.avx512) return Zmm(i);
  return Ymm(i);
}

Reg64 Emitter::array(int i) {
  if (i < static_cast<int>(array_registers_.size())) return array_registers_[i];
  mov(temporary, ptr[arguments + offsetof(Arguments, arrays)]);
  mov(temporary, ptr[temporary + 8 * i]);
  return temporary;
}

void Emitter::begin() {
  for (int r : kSaved) push(Reg64(r));
  mov(temporary, rsp);
  sub(rsp, saved_at_ + kVectorBytes);
  and_(rsp, -kVectorBytes);
  mov(ptr[rsp + saved_at_], temporary);
  mov(temporary, ptr[arguments + offsetof(Arguments, arrays)]);
  for (int r : kArrayRegisters) {
    const int i = static_cast<int>(array_registers_.size());
    if (i == needs_.arrays) break;
    mov(Reg64(r), ptr[temporary + 8 * i]);
    array_registers_.push_back(Reg64(r));
  }
  for (const auto& [key, scalar] : scalars_) {
    const auto [index, type] = key;
    broadcast_element(element_at(array(index), type), type);
    if (scalar.reg >= 0)
      vmovaps(vector(scalar.reg), vector(0));
    else
      vmovups(ptr[rsp + scalars_at_ + kVectorBytes * scalar.slot], vector(0));
  }
  for (const auto& [index, slot] : keys_) start_random(index, slot);
  for (const auto& [bits, constant] : constants_) {
    if (constant.reg >= 0) vmovups(vector(constant.reg), this->constant(bits));
  }
}

Function Emitter::finish() {
  mov(rsp, ptr[rsp + saved_at_]);
  for (size_t i = std::size(kSaved); i-- > 0;) pop(Reg64(kSaved[i]));
  vzeroupper();
  ret();
  if (has_slow_) slow_routine();
  align(kVectorBytes);
  L(pool_label_);
  for (uint64_t bits : pool_) {
    for (int k = 0; k < kVectorBytes / lane_bytes(); ++k) db(bits, lane_bytes());
  }
  ready(PROTECT_RE);
  return getCode<Function>();
}

void Emitter::set_part(int64_t count) {
  mov(temporary2, count);
  set_part(temporary2);
}

void Emitter::set_part(const Reg64& count) {
  if (needs_.avx512) {
    mov(temporary3, -1);
    bzhi(temporary3, temporary3, count);
    kmovw(Opmask(kPartMask), temporary3.cvt32());
    return;
  }
  // Lane i is inside where i < count: compared with bytes 0, 1, 2, ... widened.
  mov(ptr[rsp + part_at_ + 32], count);
  mov(temporary3, 0x0706050403020100);
  vmovq(Xmm(1), temporary3);
  vmovq(Xmm(0), count);
  if (needs_.f64) {
    vpmovzxbq(Ymm(1), Xmm(1));
    vpbroadcastq(Ymm(0), Xmm(0));
    vpcmpgtq(Ymm(0), Ymm(0), Ymm(1));
  } else {
    vpmovzxbd(Ymm(1), Xmm(1));
    vpbroadcastd(Ymm(0), Xmm(0));
    vpcmpgtd(Ymm(0), Ymm(0), Ymm(1));
  }
  vmovups(ptr[rsp + part_at_], Ymm(0));
}

void Emitter::emit(const Body& body, const Place& place) {
  body_ = &body;
  place_ = place;
  const int n = static_cast<int>(body.code.size());
  homes_.assign(n, {});
  last_use_.assign(n, -1);
  uses_.assign(n, {});
  for (int v = 0; v < n; ++v) {
    const Instruction& i = body.code[v];
    for (int x : {i.a, i.b, i.c}) {
      if (x < 0) continue;
      uses_[x].push_back(v);
      last_use_[x] = v;
    }
  }
  vector_user_.assign(first_fixed_, -1);
  mask_user_.assign(kMasks - 1, -1);  // the last serves reduce()
  vector_locked_.assign(first_fixed_, false);
  mask_locked_.assign(kMasks - 1, false);
  spill_user_.assign(kSpills, -1);
  for (now_ = 0; now_ < n; ++now_) {
    const Instruction& i = body.code[now_];
    if ((!is_effect(i.what) && last_use_[now_] < 0) || is_fixed(i) || is_folded(now_)) continue;
    instruction(now_);
    give_back();
  }
}

}  // namespace glia::cpu::jit
