#include "backend/cpu/jit/emitter.h"

#include <algorithm>
#include <array>
#include <bit>

#include "glia/error.h"

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

namespace {

constexpr size_t kFirstCodeBytes = 4096;  // grows
constexpr int kSpills = 48, kVectorBytes = 64;
// Registers that bodies have at least.
constexpr int kBodyRegisters512 = 14, kBodyRegisters256 = 10;
constexpr int kSaved[] = {Operand::RBX, Operand::RBP, Operand::R12,
                          Operand::R13, Operand::R14, Operand::R15};
constexpr int kArrayRegisters[] = {Operand::RBX, Operand::RBP, Operand::R11, Operand::R12,
                                   Operand::R13, Operand::R14, Operand::R15};
constexpr uint8_t kUnordered = 3;
// Philox 4x32-10, as in simd/random.cpp: multipliers, and what each round adds to the key.
constexpr int kRounds = 10;
constexpr uint32_t kMultipliers[] = {0xd2511f53, 0xcd9e8d57}, kWeyl[] = {0x9e3779b9, 0xbb67ae85};
// Of a key in memory: counters, multipliers, then the key of each round.
constexpr int kKeyVectors = 2 + kRounds;

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

// ---- What lies in all lanes -----------------------------------------------------------------

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

Address Emitter::constant(uint32_t bits) {
  const auto found = std::find(pool_.begin(), pool_.end(), bits);
  const auto k = static_cast<int>(found - pool_.begin());
  if (found == pool_.end()) pool_.push_back(bits);
  return ptr[rip + pool_label_ + k * kVectorBytes];
}

// An element that lies at `from`, in all lanes of vector 0: a bool as all bits of its lane.
static void broadcast_element(Emitter* e, const Address& from, DType type) {
  const Xmm v = e->vector(0);
  const Reg32 word = e->temporary2.cvt32();
  switch (type) {
    case kBool:
      e->movzx(word, from);
      e->neg(word);
      break;
    case kU8:
      e->movzx(word, from);
      break;
    case kBF16:
      e->movzx(word, from);
      e->shl(word, 16);
      break;
    case kF16:
      e->movzx(word, from);
      e->vmovd(Xmm(0), word);
      e->vcvtph2ps(Xmm(0), Xmm(0));
      e->vbroadcastss(v, Xmm(0));
      return;
    default:
      e->vbroadcastss(v, from);
      return;
  }
  e->vmovd(Xmm(0), word);
  e->vbroadcastss(v, Xmm(0));
}

static Address element_at(Emitter* e, const RegExp& at, DType type) {
  if (size_of(type) == 1) return e->byte[at];
  return size_of(type) == 2 ? e->word[at] : e->dword[at];
}

void Emitter::load_row_slot(int slot, int from, DType type) {
  const RegExp at = array(from) + row * static_cast<int>(size_of(type));
  broadcast_element(this, element_at(this, at, type), type);
  vmovups(row_slot(slot), vector(0));
}

void Emitter::store_row_slot(int slot, int to, DType type) {
  const RegExp at = array(to) + row * static_cast<int>(size_of(type));
  const Reg32 word = temporary2.cvt32();
  mov(word, dword[rsp + row_slots_at_ + kVectorBytes * slot]);
  if (type == kBool) {
    and_(word, 1);
    mov(byte[at], temporary2.cvt8());
  } else if (type == kBF16) {
    shr(word, 16);
    mov(this->word[at], temporary2.cvt16());
  } else if (type == kF16) {
    vmovd(Xmm(0), word);
    vcvtps2ph(Xmm(0), Xmm(0), 0);
    vmovd(word, Xmm(0));
    mov(this->word[at], temporary2.cvt16());
  } else {
    mov(dword[at], word);
  }
}

// ---- Around the bodies ----------------------------------------------------------------------

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
    broadcast_element(this, element_at(this, array(index), type), type);
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
  for (uint32_t bits : pool_) {
    for (int k = 0; k < kVectorBytes / 4; ++k) dd(bits);
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
  vpmovzxbd(Ymm(1), Xmm(1));
  vmovq(Xmm(0), count);
  vpbroadcastd(Ymm(0), Xmm(0));
  vpcmpgtd(Ymm(0), Ymm(0), Ymm(1));
  vmovups(ptr[rsp + part_at_], Ymm(0));
}

// ---- Registers ------------------------------------------------------------------------------

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

// ---- Instructions -----------------------------------------------------------------------------

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

bool Emitter::is_folded(int v) const {
  const Instruction& i = body_->code[v];
  return (i.what == Do::kLoad || i.what == Do::kLoadColumn) && i.type == kF32 && !place_.part &&
         std::ranges::all_of(uses_[v], [&](int u) { return body_->code[u].what == Do::kWiden; });
}

void Emitter::binary(int v, bool commutes,
                     void (CodeGenerator::*f)(const Xmm&, const Operand&, const Operand&)) {
  const Instruction& i = body_->code[v];
  int a = i.a, b = i.b;
  if (commutes && !in_own_register(a) && in_own_register(b)) std::swap(a, b);
  const Xmm x = reg(a);
  const Operand& y = any(b);
  (this->*f)(result(v), x, y);
}

// a b + c: the result takes the place of an operand that ends here, if there is one.
void Emitter::fma(int v) {
  const Instruction& i = body_->code[v];
  const auto ends = [&](int x) { return in_own_register(x) && dies(x); };
  int a = i.a, b = i.b;
  const int c = i.c;
  if (ends(c) && c != a && c != b) {
    if (!in_own_register(a) && in_own_register(b)) std::swap(a, b);
    const Xmm x = reg(a), z = reg(c);
    const Operand& y = any(b);
    homes_[c].reg = -1;
    homes_[v].reg = z.getIdx();
    vector_user_[z.getIdx()] = v;
    return vfmadd231ps(z, x, y);
  }
  if (!ends(a) && ends(b)) std::swap(a, b);
  Xmm to = reg(a);
  const Xmm y = reg(b);
  const Operand& z = any(c);
  if (ends(a) && a != b && a != c) {
    homes_[a].reg = -1;
    homes_[v].reg = to.getIdx();
    vector_user_[to.getIdx()] = v;
  } else {
    const Xmm from = to;
    to = result(v, false);
    vmovaps(to, from);
  }
  vfmadd213ps(to, y, z);
}

void Emitter::instruction(int v) {
  const Instruction& i = body_->code[v];
  const bool wide = needs_.avx512;
  // Members that differ only in the first operand's type.
  using Three = void (CodeGenerator::*)(const Xmm&, const Xmm&, const Operand&);
  const auto apply = [&](bool commutes, Three f) {
    int a = i.a, b = i.b;
    if (commutes && !in_own_register(a) && in_own_register(b)) std::swap(a, b);
    const Xmm x = reg(a);
    const Operand& y = any(b);
    (this->*f)(result(v), x, y);
  };
  switch (i.what) {
    case Do::kConstant:
    case Do::kRunning:
      break;
    case Do::kScalar:
    case Do::kRowSlot: {  // a bool, on AVX-512
      const Xmm all = scratch();
      vmovups(all,
              i.what == Do::kRowSlot
                  ? row_slot(i.index)
                  : ptr[rsp + scalars_at_ + kVectorBytes * scalars_.at({i.index, i.type}).slot]);
      vpmovd2m(mask_result(v), all);
      break;
    }
    case Do::kLoad:
    case Do::kLoadColumn:
    case Do::kLoadKept:
      load(v);
      break;
    case Do::kUniform:
      uniform(v);
      break;
    case Do::kAdd:
      binary(v, true, &CodeGenerator::vaddps);
      break;
    case Do::kSub:
      binary(v, false, &CodeGenerator::vsubps);
      break;
    case Do::kMul:
      binary(v, true, &CodeGenerator::vmulps);
      break;
    case Do::kDiv:
      binary(v, false, &CodeGenerator::vdivps);
      break;
    case Do::kMin:
      binary(v, false, &CodeGenerator::vminps);
      break;
    case Do::kMax:
      binary(v, false, &CodeGenerator::vmaxps);
      break;
    case Do::kFma:
      fma(v);
      break;
    case Do::kSqrt: {
      const Operand& x = any(i.a);
      vsqrtps(result(v), x);
      break;
    }
    case Do::kRound: {
      const Operand& x = any(i.a);
      const auto mode = static_cast<uint8_t>(i.bits | 8);  // no exception for inexact results
      if (wide)
        vrndscaleps(result(v), x, mode);
      else
        vroundps(result(v), x, mode);
      break;
    }
    case Do::kScale:
      apply(false, &CodeGenerator::vscalefps);
      break;
    case Do::kAnd:
      apply(true, wide ? static_cast<Three>(&CodeGenerator::vpandd)
                       : static_cast<Three>(&CodeGenerator::vpand));
      break;
    case Do::kOr:
      apply(true, wide ? static_cast<Three>(&CodeGenerator::vpord)
                       : static_cast<Three>(&CodeGenerator::vpor));
      break;
    case Do::kXor:
      apply(true, wide ? static_cast<Three>(&CodeGenerator::vpxord)
                       : static_cast<Three>(&CodeGenerator::vpxor));
      break;
    case Do::kAddInt:
      apply(true, &CodeGenerator::vpaddd);
      break;
    case Do::kSubInt:
      apply(false, &CodeGenerator::vpsubd);
      break;
    case Do::kMulInt:
      apply(true, &CodeGenerator::vpmulld);
      break;
    case Do::kMinInt:
      apply(true, &CodeGenerator::vpminsd);
      break;
    case Do::kMaxInt:
      apply(true, &CodeGenerator::vpmaxsd);
      break;
    case Do::kShiftLeft:
    case Do::kShiftRight: {
      const Xmm x = reg(i.a), to = result(v);
      if (i.what == Do::kShiftLeft)
        vpslld(to, x, static_cast<uint8_t>(i.bits));
      else
        vpsrld(to, x, static_cast<uint8_t>(i.bits));
      break;
    }
    case Do::kIntToFloat: {
      const Operand& x = any(i.a);
      vcvtdq2ps(result(v), x);
      break;
    }
    case Do::kRoundToHalf: {
      const Xmm x = reg(i.a), to = result(v, false);
      const Xmm half = wide ? Xmm(Ymm(to.getIdx())) : Xmm(to.getIdx());
      vcvtps2ph(half, x, 0);
      vcvtph2ps(to, half);
      break;
    }
    case Do::kCompare: {
      const Xmm x = reg(i.a);
      const Operand& y = any(i.b);
      if (wide)
        vcmpps(mask_result(v), x, y, static_cast<uint8_t>(i.bits));
      else
        vcmpps(result(v), x, y, static_cast<uint8_t>(i.bits));
      break;
    }
    case Do::kCompareInt: {
      const Xmm x = reg(i.a);
      if (wide) {
        const Operand& y = any(i.b);
        vpcmpd(mask_result(v), x, y, static_cast<uint8_t>(i.bits));
        break;
      }
      const Xmm y = reg(i.b), to = result(v, false);
      const bool less = i.bits == kIntLt || i.bits == kIntLe;
      if (i.bits == kIntLt)
        vpcmpgtd(to, y, x);
      else if (less)
        vpcmpgtd(to, x, y);
      else
        vpcmpeqd(to, x, y);
      if (i.bits == kIntLe || i.bits == kIntNe) vpxor(to, to, constant(~0u));
      break;
    }
    case Do::kMaskAnd:
    case Do::kMaskOr:
      if (wide) {
        const Opmask x = mask(i.a), y = mask(i.b), to = mask_result(v);
        i.what == Do::kMaskAnd ? kandw(to, x, y) : korw(to, x, y);
      } else {
        binary(v, true, i.what == Do::kMaskAnd ? &CodeGenerator::vandps : &CodeGenerator::vorps);
      }
      break;
    case Do::kMaskNot:
      if (wide) {
        const Opmask x = mask(i.a), to = mask_result(v);
        knotw(to, x);
      } else {
        const Xmm x = reg(i.a), to = result(v);
        vpxor(to, x, constant(~0u));
      }
      break;
    case Do::kSelect: {
      const Operand& yes = any(i.b);
      if (!wide) {
        const Xmm m = reg(i.a), no = reg(i.c), to = result(v);
        vblendvps(to, no, yes, m);
        break;
      }
      const Opmask m = mask(i.a);
      const Instruction& other = body_->code[i.c];
      if (other.what == Do::kConstant && other.bits == 0) {
        vmovaps(result(v) | m | T_z, yes);
      } else {
        const Xmm no = reg(i.c);
        vblendmps(result(v) | m, no, yes);
      }
      break;
    }
    case Do::kSlow:
      slow(v);
      break;
    case Do::kInside: {
      const Operand& inside = any(i.a);
      const Xmm outside = reg(i.b);
      if (wide) {
        vblendmps(result(v) | Opmask(kPartMask), outside, inside);
      } else {
        const Xmm m = part_mask();
        vblendvps(result(v), outside, inside, m);
      }
      break;
    }
    case Do::kWiden:
      widen(v);
      break;
    case Do::kSubWide:
      binary(v, false, &CodeGenerator::vsubpd);
      break;
    case Do::kInsideWide:
      inside_wide(v);
      break;
    case Do::kFetch: {
      const auto size = static_cast<int>(size_of(i.type));
      prefetcht0(ptr[position(i, size) + static_cast<int>(i.bits) * size]);
      break;
    }
    case Do::kSetRunning: {
      const Operand& x = any(i.a);
      vmovups(running(place_.first_running + i.index * place_.running_stride), x);
      break;
    }
    case Do::kAddRunning:
    case Do::kMulRunning:
    case Do::kAddColumn:
    case Do::kMulColumn:
      accumulate(i);
      break;
    case Do::kStore:
    case Do::kStoreColumn:
    case Do::kKeep:
    case Do::kSetRowSlot:
      store(i);
      break;
  }
}

// ---- f64 --------------------------------------------------------------------------------------

Xmm Emitter::half(const Xmm& x) const {
  if (needs_.avx512) return Ymm(x.getIdx());
  return Xmm(x.getIdx());
}

// The high half of x, in the low half of `to`.
static void take_high(Emitter* e, bool avx512, const Xmm& to, const Xmm& x) {
  if (avx512)
    e->vextractf64x4(Ymm(to.getIdx()), Zmm(x.getIdx()), 1);
  else
    e->vextractf128(Xmm(to.getIdx()), Ymm(x.getIdx()), 1);
}

void Emitter::add_widened(const Xmm& low, const Xmm& high, const Xmm& x) {
  const Xmm t = vector(0);
  vcvtps2pd(t, half(x));
  vaddpd(low, low, t);
  take_high(this, needs_.avx512, t, x);
  vcvtps2pd(t, half(t));
  vaddpd(high, high, t);
}

void Emitter::widen(int v) {
  const Instruction& i = body_->code[v];
  if (is_folded(i.a)) {
    const int high = lanes() / 2 * static_cast<int>(sizeof(float));
    const RegExp at = position(body_->code[i.a], sizeof(float));
    return vcvtps2pd(result(v), ptr[at + (i.bits ? high : 0)]);
  }
  if (i.bits == 0) {
    const Operand& x = any(i.a);
    if (x.isMEM()) return vcvtps2pd(result(v), x);
    return vcvtps2pd(result(v), half(vector(x.getIdx())));
  }
  const Xmm x = reg(i.a), to = result(v);
  take_high(this, needs_.avx512, to, x);
  vcvtps2pd(to, half(to));
}

void Emitter::inside_wide(int v) {
  const Instruction& i = body_->code[v];
  const Xmm x = reg(i.a);
  if (needs_.avx512) {
    const Opmask inside(i.bits ? kMasks - 1 : kPartMask);
    if (i.bits) kshiftrw(inside, Opmask(kPartMask), 8);
    vmovapd(result(v) | inside | T_z, x);
  } else {
    const Xmm m = scratch();
    vpmovsxdq(m, ptr[rsp + part_at_ + 16 * static_cast<int>(i.bits)]);
    vandpd(result(v), x, m);
  }
}

void Emitter::accumulate(const Instruction& i) {
  const Operand& x = any(i.a);
  const auto apply = [&](const Xmm& to) {
    if (i.what == Do::kMulRunning || i.what == Do::kMulColumn)
      vmulpd(to, to, x);
    else if (i.b < 0)
      vaddpd(to, to, x);
    else
      vfmadd231pd(to, reg(i.b), x);
  };
  if (i.what == Do::kAddRunning || i.what == Do::kMulRunning)
    return apply(running(place_.first_running + i.index * place_.running_stride));
  const Xmm sum = scratch();
  const Address at =
      ptr[position(i, sizeof(double)) +
          static_cast<int>(i.bits) * (lanes() / 2 * static_cast<int>(sizeof(double)))];
  vmovupd(sum, at);
  apply(sum);
  vmovupd(at, sum);
}

// ---- Loads and stores -------------------------------------------------------------------------

RegExp Emitter::position(const Instruction& i, int64_t size) {
  const int disp = static_cast<int>(place_.at * size);
  const int scale = static_cast<int>(size);
  if (i.what == Do::kLoadKept || i.what == Do::kKeep) {
    mov(temporary, ptr[arguments + offsetof(Arguments, kept)]);
    return temporary + column * scale + (disp + static_cast<int>(needs_.kept_bytes) * i.index);
  }
  if (i.what == Do::kLoadColumn || i.what == Do::kStoreColumn || i.what == Do::kAddColumn ||
      i.what == Do::kMulColumn)
    return array(i.index) + column * scale + disp;
  return array(i.index) + element * scale + (disp + static_cast<int>(place_.row_at * size));
}

Xmm Emitter::part_mask() {
  const Xmm m = scratch();
  vmovups(m, ptr[rsp + part_at_]);
  return m;
}

// Between an array and the bounce buffer, byte by byte: nothing behind the array is touched.
void Emitter::copy_part_bytes(const RegExp& at, int64_t size, bool out) {
  Label loop;
  lea(temporary, ptr[at]);
  mov(temporary2, ptr[rsp + part_at_ + 32]);
  if (size == 2) add(temporary2, temporary2);
  L(loop);
  const Address outside = byte[temporary + temporary2 - 1];
  const Address inside = byte[rsp + temporary2 + (bounce_at_ - 1)];
  mov(temporary3.cvt8(), out ? inside : outside);
  mov(out ? outside : inside, temporary3.cvt8());
  dec(temporary2);
  jnz(loop);
}

void Emitter::load(int v) {
  const Instruction& i = body_->code[v];
  const bool wide = needs_.avx512, kept = i.what == Do::kLoadKept;
  const bool part = place_.part && !kept;
  const auto size = kept ? 4 : static_cast<int64_t>(size_of(i.type));
  const RegExp at = position(i, size);
  const Opmask inside(kPartMask);
  if (size == 4) {
    if (part && !wide) {
      const Xmm m = part_mask();
      vmaskmovps(result(v), m, ptr[at]);
    } else {
      const Xmm to = result(v);
      vmovups(part ? to | inside | T_z : to, ptr[at]);
    }
    return;
  }
  if (wide) {
    if (i.type == kBool) {
      const Xmm bytes = Xmm(scratch().getIdx());
      vmovdqu8(part ? bytes | inside | T_z : bytes, ptr[at]);
      vptestmb(mask_result(v), bytes, bytes);
      return;
    }
    const Xmm to = result(v), masked = part ? to | inside | T_z : to;
    if (i.type == kU8) return vpmovzxbd(masked, ptr[at]);
    if (i.type == kF16) return vcvtph2ps(masked, ptr[at]);
    vpmovzxwd(masked, ptr[at]);
    return vpslld(to, to, 16);
  }
  if (part) copy_part_bytes(at, size, false);
  const Address from = part ? bounce() : ptr[at];
  const Xmm to = result(v);
  if (i.type == kBool) {
    const Xmm zero = scratch();
    vpmovzxbd(to, from);
    vpxor(zero, zero, zero);
    vpcmpgtd(to, to, zero);
  } else if (i.type == kU8) {
    vpmovzxbd(to, from);
  } else if (i.type == kF16) {
    vcvtph2ps(to, from);
  } else {
    vpmovzxwd(to, from);
    vpslld(to, to, 16);
  }
}

void Emitter::store(const Instruction& i) {
  const bool wide = needs_.avx512;
  const Opmask inside(kPartMask);
  if (i.what == Do::kSetRowSlot) {
    Xmm x = Xmm(0);
    if (is_mask(i.a)) {
      const Opmask m = mask(i.a);
      x = scratch();
      vpmovm2d(x, m);
    } else {
      x = reg(i.a);
    }
    return vmovups(row_slot(i.index), x);
  }
  const bool part = place_.part && i.what != Do::kKeep;
  const auto size = i.what == Do::kKeep ? 4 : static_cast<int64_t>(size_of(i.type));
  if (size == 4) {
    const Xmm x = reg(i.a);
    const RegExp at = position(i, size);
    if (part && !wide) {
      const Xmm m = part_mask();
      return vmaskmovps(ptr[at], m, x);
    }
    if (place_.streams && i.what == Do::kStore && i.bits != 0 && !part) return vmovntps(ptr[at], x);
    return vmovups(part ? ptr[at] | inside : ptr[at], x);
  }
  if (wide) {
    if (i.type == kBool) {
      const Opmask m = mask(i.a);
      const Xmm bytes = Xmm(scratch().getIdx());
      vpmovm2b(bytes, m);
      vpabsb(bytes, bytes);
      const RegExp at = position(i, size);
      return vmovdqu8(part ? ptr[at] | inside : ptr[at], bytes);
    }
    const Xmm x = reg(i.a);
    const RegExp at = position(i, size);
    const Address to = part ? ptr[at] | inside : ptr[at];
    if (i.type == kF16) return vcvtps2ph(to, x, 0);
    const Xmm high = scratch();
    vpsrld(high, x, 16);
    return vpmovdw(to, high);
  }
  // Packed into the low bytes of a register.
  const Xmm x = reg(i.a), packed = scratch();
  const Xmm low(packed.getIdx());
  if (i.type == kF16) {
    vcvtps2ph(low, x, 0);
  } else {
    const Xmm high(scratch().getIdx());
    vpsrld(packed, x, i.type == kBool ? 31 : 16);
    vextracti128(high, Ymm(packed.getIdx()), 1);
    vpackusdw(low, low, high);
    if (i.type == kBool) vpackuswb(low, low, low);
  }
  const RegExp at = position(i, size);
  if (!part) return i.type == kBool ? vmovq(ptr[at], low) : vmovups(ptr[at], low);
  vmovups(bounce(), low);
  copy_part_bytes(at, size, true);
}

// ---- Rare calls -------------------------------------------------------------------------------

static void slow_lanes(uint32_t lanes, float* x, const float* y, Slow f) {
  for (; lanes != 0; lanes &= lanes - 1) {
    const int i = std::countr_zero(lanes);
    x[i] = static_cast<float>(f(double{x[i]}, double{y[i]}));
  }
}

void Emitter::slow(int v) {
  const Instruction& i = body_->code[v];
  const Xmm x = reg(i.b), y = reg(i.c), to = result(v, false);
  const Reg32 lanes = temporary3.cvt32();
  if (needs_.avx512)
    kmovw(lanes, mask(i.a));
  else
    vmovmskps(lanes, reg(i.a));
  Label none;
  vmovaps(to, x);  // not what the register held: nothing is to wait for that
  test(lanes, lanes);
  jz(none, T_NEAR);
  vmovups(ptr[rsp + slow_at_], x);
  vmovups(ptr[rsp + slow_at_ + kVectorBytes], y);
  mov(temporary2, i.slow);
  call(slow_label_);
  vmovups(to, ptr[rsp + slow_at_]);
  L(none);
}

// slow_lanes() with all registers saved around it, which a function of C may change.
void Emitter::slow_routine() {
  const Reg64 changed[] = {rax, rcx, rdx, rsi, rdi, r11};
  const int masks_at = vectors_ * kVectorBytes, changed_at = masks_at + kVectorBytes;
  const int frame = changed_at + kVectorBytes - 8;  // with the return address, whole vectors
  const auto each = [&](bool out) {
    for (int k = 0; k < vectors_; ++k) {
      const Address at = ptr[rsp + kVectorBytes * k];
      out ? vmovups(at, vector(k)) : vmovups(vector(k), at);
    }
    for (int k = 1; k < kMasks && needs_.avx512; ++k) {
      const Address at = word[rsp + masks_at + 8 * k];
      out ? kmovw(at, Opmask(k)) : kmovw(Opmask(k), at);
    }
    for (size_t k = 0; k < std::size(changed); ++k) {
      const Address at = ptr[rsp + changed_at + 8 * static_cast<int>(k)];
      out ? mov(at, changed[k]) : mov(changed[k], at);
    }
  };
  L(slow_label_);
  sub(rsp, frame);
  each(true);
  mov(edi, temporary3.cvt32());
  lea(rsi, ptr[rsp + frame + 8 + slow_at_]);
  lea(rdx, ptr[rsp + frame + 8 + slow_at_ + kVectorBytes]);
  mov(rcx, temporary2);
  mov(rax, reinterpret_cast<uintptr_t>(&slow_lanes));
  vzeroupper();
  call(rax);
  each(false);
  add(rsp, frame);
  ret();
}

// ---- Random numbers ---------------------------------------------------------------------------

// A vector holds whole blocks of four words a b c d: counters low, high, call low, high. A round
// takes products of a and c, of 64 bits, and turns each block's four words around.
void Emitter::start_random(int index, int slot) {
  const int at = keys_at_ + kVectorBytes * kKeyVectors * slot;
  const int blocks = lanes() / 4;
  const Reg64 key = array(index);
  mov(temporary2, ptr[key + 8]);
  // The same number into each block's half.
  const auto spread = [&](int vector, int half, const Reg64& number) {
    for (int b = 0; b < blocks; ++b)
      mov(ptr[rsp + at + kVectorBytes * vector + 16 * b + 8 * half], number);
  };
  spread(0, 1, temporary2);
  for (int b = 0; b < blocks; ++b) mov(qword[rsp + at + 16 * b], b);
  for (int half : {0, 1}) {
    mov(temporary2.cvt32(), kMultipliers[half]);
    spread(1, half, temporary2);
    mov(temporary2.cvt32(), dword[key + 4 * half]);
    for (int round = 0; round < kRounds; ++round) {
      spread(2 + round, half, temporary2);
      add(temporary2.cvt32(), kWeyl[half]);
    }
  }
}

void Emitter::uniform(int v) {
  const Instruction& i = body_->code[v];
  const int at = keys_at_ + kVectorBytes * kKeyVectors * keys_.at(i.index);
  const Xmm words = result(v), other = scratch();
  lea(temporary, ptr[element + static_cast<int>(place_.at + place_.row_at)]);
  shr(temporary, 2);
  const Xmm low(words.getIdx());
  vmovq(low, temporary);
  if (needs_.avx512)
    vshufi32x4(Zmm(words.getIdx()), Zmm(words.getIdx()), Zmm(words.getIdx()), 0);
  else
    vinserti128(Ymm(words.getIdx()), Ymm(words.getIdx()), low, 1);
  vpaddq(words, words, ptr[rsp + at]);
  for (int round = 0; round < kRounds; ++round) {
    const Address key = ptr[rsp + at + kVectorBytes * (2 + round)];
    vpsrlq(other, words, 32);
    vpmuludq(words, words, ptr[rsp + at + kVectorBytes]);
    vpshufd(words, words, 0b00011011);
    if (needs_.avx512) {
      vpternlogd(words, other, key, 0x96);  // a ^ b ^ c
    } else {
      vpxor(other, other, key);
      vpxor(words, words, other);
    }
  }
  vpsrld(words, words, 8);
  vcvtdq2ps(words, words);
  vmulps(words, words, constant(std::bit_cast<uint32_t>(0x1p-24f)));
}

// ---- Reductions -------------------------------------------------------------------------------

void Emitter::reduce(ReduceCode code, const Xmm& to, const Xmm& a, const Xmm& b) {
  if (code == ReduceCode::kSum) return vaddpd(to, a, b);
  if (code == ReduceCode::kProd) return vmulpd(to, a, b);
  // Where a is NaN, a; where only b is, the instruction gives b.
  const Xmm t(3, a.getKind());
  const auto extreme = [&](const Xmm& x) {
    code == ReduceCode::kMax ? vmaxps(x, a, b) : vminps(x, a, b);
  };
  if (needs_.avx512) {
    vcmpps(Opmask(kMasks - 1), a, a, kUnordered);
    extreme(t);
    vblendmps(to | Opmask(kMasks - 1), t, a);
  } else {
    const Xmm m(2, a.getKind());
    vcmpps(m, a, a, kUnordered);
    extreme(t);
    vblendvps(to, t, a, m);
  }
}

void Emitter::start(ReduceCode code, int i) {
  const Address identity = constant(std::bit_cast<uint32_t>(identity_of(code)));
  is_wide(code) ? vcvtps2pd(running(i), identity) : vmovups(running(i), identity);
}

void Emitter::fold(ReduceCode code, int i) {
  vmovaps(vector(0), running(i));
  if (needs_.avx512) {
    vextractf64x4(Ymm(1), Zmm(0), 1);
    reduce(code, Ymm(0), Ymm(0), Ymm(1));
  }
  vextractf128(Xmm(1), Ymm(0), 1);
  reduce(code, Xmm(0), Xmm(0), Xmm(1));
  vmovhlps(Xmm(1), Xmm(0), Xmm(0));
  reduce(code, Xmm(0), Xmm(0), Xmm(1));
  if (is_wide(code)) return;
  vmovshdup(Xmm(1), Xmm(0));
  reduce(code, Xmm(0), Xmm(0), Xmm(1));
}

}  // namespace glia::cpu::jit
