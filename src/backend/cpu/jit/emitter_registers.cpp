// Which values have which registers.
#include "backend/cpu/jit/emitter.h"

#include <algorithm>

#include "glia/error.h"

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

namespace {

// Registers that bodies have at least.
constexpr int kBodyRegisters512 = 14, kBodyRegisters256 = 10;

}  // namespace

// The most used get a register, the others stay in memory.
void Emitter::give_registers(std::span<const Body* const> bodies) {
  std::vector<Fixed*> all;
  for (const Body* body : bodies) {
    for (const Instruction& i : body->code) {
      has_slow_ |= i.what == Do::kSlow;
      if (i.what == Do::kUniform) keys_.emplace(i.index, static_cast<int>(keys_.size()));
      for (int x : {i.a, i.b, i.c}) {
        if (x < 0) continue;
        const Instruction& from = body->code[x];
        if (from.what == Do::kConstant) ++constants_[from.bits].uses;
        if (from.what == Do::kScalar) ++scalars_[{from.index, from.type}].uses;
      }
    }
  }
  int slot = 0;
  for (auto& [key, scalar] : scalars_) {
    scalar.slot = slot++;
    if (key.second != kBool) all.push_back(&scalar);
  }
  for (auto& [bits, constant] : constants_) {
    constant.slot = static_cast<int>(pool_.size());
    pool_.push_back(bits);
    all.push_back(&constant);
  }
  std::stable_sort(all.begin(), all.end(), [](Fixed* a, Fixed* b) { return a->uses > b->uses; });
  const int least = needs_.avx512 ? kBodyRegisters512 : kBodyRegisters256;
  first_fixed_ = first_running_;
  for (Fixed* f : all) {
    if (first_fixed_ <= least) break;
    f->reg = --first_fixed_;
  }
}

Emitter::Fixed* Emitter::fixed(const Instruction& i) {
  if (i.what == Do::kConstant) return &constants_.at(i.bits);
  if (i.what == Do::kScalar && !(needs_.avx512 && i.type == kBool))
    return &scalars_.at({i.index, i.type});
  return nullptr;
}

Address Emitter::constant(uint64_t bits) {
  const auto found = std::find(pool_.begin(), pool_.end(), bits);
  const auto k = static_cast<int>(found - pool_.begin());
  if (found == pool_.end()) pool_.push_back(bits);
  return ptr[rip + pool_label_ + k * kVectorBytes];
}

int Emitter::next_use(int v) const {
  const auto& uses = uses_[v];
  const auto next = std::lower_bound(uses.begin(), uses.end(), now_);
  return next == uses.end() ? INT32_MAX : *next;
}

Address Emitter::spilled(bool is_mask, int slot) {
  const RegExp at = rsp + spills_at_ + kVectorBytes * slot;
  return is_mask ? word[at] : ptr[at];
}

int Emitter::take(bool is_mask) {
  auto& user = users(is_mask);
  auto& lock = locked(is_mask);
  const int first = is_mask ? kFirstMask : 0, end = static_cast<int>(user.size());
  int best = -1;
  for (int r = first; r < end && best < 0; ++r) {
    if (user[r] == -1 && !lock[r]) best = r;
  }
  if (best < 0) {
    for (int r = first; r < end; ++r) {
      if (!lock[r] && (best < 0 || next_use(user[r]) > next_use(user[best]))) best = r;
    }
    if (best < 0) throw Error("generated code: no register is free");
    Home& home = homes_[user[best]];
    if (home.spill < 0) {
      const auto free = std::find(spill_user_.begin(), spill_user_.end(), -1);
      if (free == spill_user_.end()) throw TooManyValues();
      home.spill = static_cast<int>(free - spill_user_.begin());
      *free = user[best];
      if (is_mask)
        kmovw(spilled(true, home.spill), Opmask(best));
      else
        vmovups(spilled(false, home.spill), vector(best));
    }
    home.reg = -1;
    user[best] = -1;
  }
  lock[best] = true;
  return best;
}

Xmm Emitter::reg(int v) {
  const Instruction& i = body_->code[v];
  if (i.what == Do::kRunning)
    return running(place_.first_running + i.index * place_.running_stride);
  if (const Fixed* f = fixed(i); f && f->reg >= 0) return vector(f->reg);
  if (is_fixed(i)) {
    const Xmm to = scratch();
    vmovups(to, any(v));
    return to;
  }
  Home& home = homes_[v];
  if (home.reg < 0) {
    home.reg = take(false);
    vector_user_[home.reg] = v;
    vmovups(vector(home.reg), spilled(false, home.spill));
  }
  vector_locked_[home.reg] = true;
  return vector(home.reg);
}

const Operand& Emitter::any(int v) {
  const Instruction& i = body_->code[v];
  const Fixed* f = fixed(i);
  if (f && f->reg < 0) {
    return addresses_.emplace_back(i.what == Do::kConstant
                                       ? constant(i.bits)
                                       : ptr[rsp + scalars_at_ + kVectorBytes * f->slot]);
  }
  if (in_slot(i)) return addresses_.emplace_back(row_slot(i.index));
  if (!is_fixed(i) && homes_[v].reg < 0)
    return addresses_.emplace_back(spilled(false, homes_[v].spill));
  return registers_.emplace_back(reg(v));
}

Opmask Emitter::mask(int v) {
  Home& home = homes_[v];
  if (home.reg < 0) {
    home.reg = take(true);
    mask_user_[home.reg] = v;
    kmovw(Opmask(home.reg), spilled(true, home.spill));
  }
  mask_locked_[home.reg] = true;
  return Opmask(home.reg);
}

Xmm Emitter::result(int v, bool may_alias) {
  const Instruction& i = body_->code[v];
  if (may_alias) {
    for (int x : {i.a, i.b, i.c}) {
      if (x >= 0 && !is_mask(x) && in_own_register(x) && dies(x)) {
        const int r = homes_[x].reg;
        homes_[x].reg = -1;
        homes_[v].reg = r;
        vector_user_[r] = v;
        return vector(r);
      }
    }
  }
  const int r = take(false);
  homes_[v].reg = r;
  vector_user_[r] = v;
  return vector(r);
}

Opmask Emitter::mask_result(int v) {
  const int r = take(true);
  homes_[v].reg = r;
  mask_user_[r] = v;
  return Opmask(r);
}

// Registers and spill slots of values that are not used again.
void Emitter::give_back() {
  const Instruction& i = body_->code[now_];
  for (int x : {i.a, i.b, i.c, now_}) {
    if (x < 0 || is_fixed(body_->code[x]) || last_use_[x] > now_) continue;
    Home& home = homes_[x];
    auto& user = users(is_mask(x));
    if (home.reg >= 0 && user[home.reg] == x) user[home.reg] = -1;
    if (home.spill >= 0 && spill_user_[home.spill] == x) spill_user_[home.spill] = -1;
    home = {};
  }
  std::fill(vector_locked_.begin(), vector_locked_.end(), false);
  std::fill(mask_locked_.begin(), mask_locked_.end(), false);
  registers_.clear();
  addresses_.clear();
}

}  // namespace glia::cpu::jit
