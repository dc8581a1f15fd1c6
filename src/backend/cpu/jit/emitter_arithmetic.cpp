// Instructions that compute, of f32, integers, masks and f64, and reductions.
#include "backend/cpu/jit/emitter.h"

#include <algorithm>
#include <bit>

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

namespace {

constexpr uint8_t kUnordered = 3;

}  // namespace

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
    return needs_.f64 ? vfmadd231pd(z, x, y) : vfmadd231ps(z, x, y);
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
  needs_.f64 ? vfmadd213pd(to, y, z) : vfmadd213ps(to, y, z);
}

void Emitter::instruction(int v) {
  const Instruction& i = body_->code[v];
  const bool wide = needs_.avx512, f64 = needs_.f64;
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
      f64 ? vpmovq2m(mask_result(v), all) : vpmovd2m(mask_result(v), all);
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
      binary(v, true, f64 ? &CodeGenerator::vaddpd : &CodeGenerator::vaddps);
      break;
    case Do::kSub:
      binary(v, false, f64 ? &CodeGenerator::vsubpd : &CodeGenerator::vsubps);
      break;
    case Do::kMul:
      binary(v, true, f64 ? &CodeGenerator::vmulpd : &CodeGenerator::vmulps);
      break;
    case Do::kDiv:
      binary(v, false, f64 ? &CodeGenerator::vdivpd : &CodeGenerator::vdivps);
      break;
    case Do::kMin:
      binary(v, false, f64 ? &CodeGenerator::vminpd : &CodeGenerator::vminps);
      break;
    case Do::kMax:
      binary(v, false, f64 ? &CodeGenerator::vmaxpd : &CodeGenerator::vmaxps);
      break;
    case Do::kFma:
      fma(v);
      break;
    case Do::kSqrt: {
      const Operand& x = any(i.a);
      f64 ? vsqrtpd(result(v), x) : vsqrtps(result(v), x);
      break;
    }
    case Do::kRound: {
      const Operand& x = any(i.a);
      const auto mode = static_cast<uint8_t>(i.bits | 8);  // no exception for inexact results
      if (wide)
        f64 ? vrndscalepd(result(v), x, mode) : vrndscaleps(result(v), x, mode);
      else
        f64 ? vroundpd(result(v), x, mode) : vroundps(result(v), x, mode);
      break;
    }
    case Do::kScale:
      apply(false, f64 ? &CodeGenerator::vscalefpd : &CodeGenerator::vscalefps);
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
      const auto bits = static_cast<uint8_t>(i.bits);
      if (i.what == Do::kShiftLeft)
        f64 ? vpsllq(to, x, bits) : vpslld(to, x, bits);
      else
        f64 ? vpsrlq(to, x, bits) : vpsrld(to, x, bits);
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
    case Do::kRoundToFloat: {
      const Xmm x = reg(i.a), to = result(v, false);
      vcvtpd2ps(half(to), x);
      vcvtps2pd(to, half(to));
      break;
    }
    case Do::kCompare: {
      const Xmm x = reg(i.a);
      const Operand& y = any(i.b);
      const auto predicate = static_cast<uint8_t>(i.bits);
      if (wide)
        f64 ? vcmppd(mask_result(v), x, y, predicate) : vcmpps(mask_result(v), x, y, predicate);
      else
        f64 ? vcmppd(result(v), x, y, predicate) : vcmpps(result(v), x, y, predicate);
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
      if (i.bits == kIntLe || i.bits == kIntNe) vpxor(to, to, constant(all_ones()));
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
        vpxor(to, x, constant(all_ones()));
      }
      break;
    case Do::kSelect: {
      const Operand& yes = any(i.b);
      if (!wide) {
        const Xmm m = reg(i.a), no = reg(i.c), to = result(v);
        f64 ? vblendvpd(to, no, yes, m) : vblendvps(to, no, yes, m);
        break;
      }
      const Opmask m = mask(i.a);
      const Instruction& other = body_->code[i.c];
      if (other.what == Do::kConstant && other.bits == 0) {
        f64 ? vmovapd(result(v) | m | T_z, yes) : vmovaps(result(v) | m | T_z, yes);
      } else {
        const Xmm no = reg(i.c);
        f64 ? vblendmpd(result(v) | m, no, yes) : vblendmps(result(v) | m, no, yes);
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
        const Xmm to = result(v) | Opmask(kPartMask);
        f64 ? vblendmpd(to, outside, inside) : vblendmps(to, outside, inside);
      } else {
        const Xmm m = part_mask();
        f64 ? vblendvpd(result(v), outside, inside, m) : vblendvps(result(v), outside, inside, m);
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

// ---- Reductions -------------------------------------------------------------------------------

void Emitter::reduce(ReduceCode code, const Xmm& to, const Xmm& a, const Xmm& b) {
  if (code == ReduceCode::kSum) return vaddpd(to, a, b);
  if (code == ReduceCode::kProd) return vmulpd(to, a, b);
  // Where a is NaN, a; where only b is, the instruction gives b.
  const Xmm t(3, a.getKind());
  const bool f64 = needs_.f64;
  const auto extreme = [&](const Xmm& x) {
    if (code == ReduceCode::kMax)
      f64 ? vmaxpd(x, a, b) : vmaxps(x, a, b);
    else
      f64 ? vminpd(x, a, b) : vminps(x, a, b);
  };
  if (needs_.avx512) {
    const Opmask nan(kMasks - 1);
    f64 ? vcmppd(nan, a, a, kUnordered) : vcmpps(nan, a, a, kUnordered);
    extreme(t);
    f64 ? vblendmpd(to | nan, t, a) : vblendmps(to | nan, t, a);
  } else {
    const Xmm m(2, a.getKind());
    f64 ? vcmppd(m, a, a, kUnordered) : vcmpps(m, a, a, kUnordered);
    extreme(t);
    f64 ? vblendvpd(to, t, a, m) : vblendvps(to, t, a, m);
  }
}

void Emitter::start(ReduceCode code, int i) {
  const float number = identity_of(code);
  const Address identity = constant(needs_.f64 ? std::bit_cast<uint64_t>(double{number})
                                               : std::bit_cast<uint32_t>(number));
  is_wide(code) && !needs_.f64 ? vcvtps2pd(running(i), identity) : vmovups(running(i), identity);
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
  if (is_wide(code) || needs_.f64) return;
  vmovshdup(Xmm(1), Xmm(0));
  reduce(code, Xmm(0), Xmm(0), Xmm(1));
}

}  // namespace glia::cpu::jit
