// What goes between registers and memory.
#include "backend/cpu/jit/emitter.h"

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

// An element that lies at `from`, in all lanes of vector 0: a bool as all bits of its lane.
void Emitter::broadcast_element(const Address& from, DType type) {
  if (needs_.f64) return broadcast_f64(from, type);
  const Xmm v = vector(0);
  const Reg32 number = temporary2.cvt32();
  switch (type) {
    case kBool:
      movzx(number, from);
      neg(number);
      break;
    case kU8:
      movzx(number, from);
      break;
    case kBF16:
      movzx(number, from);
      shl(number, 16);
      break;
    case kF16:
      movzx(number, from);
      vmovd(Xmm(0), number);
      vcvtph2ps(Xmm(0), Xmm(0));
      vbroadcastss(v, Xmm(0));
      return;
    default:
      vbroadcastss(v, from);
      return;
  }
  vmovd(Xmm(0), number);
  vbroadcastss(v, Xmm(0));
}

void Emitter::broadcast_double(const Operand& x) {
  needs_.avx512 ? vbroadcastsd(Zmm(0), x) : vbroadcastsd(Ymm(0), x);
}

// The same where lanes are f64.
void Emitter::broadcast_f64(const Address& from, DType type) {
  const Xmm first(0);
  switch (type) {
    case kBool:
      movzx(temporary2.cvt32(), from);
      neg(temporary2);
      vmovq(first, temporary2);
      break;
    case kF32:
      vmovss(first, from);
      vcvtss2sd(first, first, first);
      break;
    case kI32:
      vmovd(first, from);
      vcvtdq2pd(first, first);
      break;
    default:
      return broadcast_double(from);
  }
  broadcast_double(first);
}

Address Emitter::element_at(const RegExp& at, DType type) {
  if (size_of(type) == 1) return byte[at];
  if (size_of(type) == 2) return word[at];
  return size_of(type) == 4 ? dword[at] : qword[at];
}

void Emitter::load_row_slot(int slot, int from, DType type) {
  const RegExp at = array(from) + row * static_cast<int>(size_of(type));
  broadcast_element(element_at(at, type), type);
  vmovups(row_slot(slot), vector(0));
}

void Emitter::store_row_slot(int slot, int to, DType type) {
  const RegExp at = array(to) + row * static_cast<int>(size_of(type));
  if (needs_.f64) return store_f64_slot(slot, at, type);
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

void Emitter::store_f64_slot(int slot, const RegExp& to, DType type) {
  const Address from = qword[rsp + row_slots_at_ + kVectorBytes * slot];
  if (type == kBool) {
    mov(temporary2, from);
    and_(temporary2.cvt32(), 1);
    mov(byte[to], temporary2.cvt8());
  } else if (type == kF32) {
    vmovsd(Xmm(0), from);
    vcvtsd2ss(Xmm(0), Xmm(0), Xmm(0));
    vmovss(dword[to], Xmm(0));
  } else if (type == kI32) {
    vcvtsd2si(temporary2.cvt32(), from);
    mov(dword[to], temporary2.cvt32());
  } else {
    mov(temporary2, from);
    mov(qword[to], temporary2);
  }
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
  if (size > 1) shl(temporary2, size == 2 ? 1 : 2);
  L(loop);
  const Address outside = byte[temporary + temporary2 - 1];
  const Address inside = byte[rsp + temporary2 + (bounce_at_ - 1)];
  mov(temporary3.cvt8(), out ? inside : outside);
  mov(out ? outside : inside, temporary3.cvt8());
  dec(temporary2);
  jnz(loop);
}

void Emitter::load(int v) {
  if (needs_.f64) return load_f64(v);
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
      needs_.f64 ? vpmovm2q(x, m) : vpmovm2d(x, m);
    } else {
      x = reg(i.a);
    }
    return vmovups(row_slot(i.index), x);
  }
  if (needs_.f64) return store_f64(i);
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

// ---- Where lanes are f64 ----------------------------------------------------------------------

void Emitter::load_f64(int v) {
  const Instruction& i = body_->code[v];
  const bool wide = needs_.avx512, kept = i.what == Do::kLoadKept;
  const bool part = place_.part && !kept;
  const auto size = kept ? 8 : static_cast<int64_t>(size_of(i.type));
  const RegExp at = position(i, size);
  const Opmask inside(kPartMask);
  if (size == 8) {
    if (part && !wide) {
      const Xmm m = part_mask();
      return vmaskmovpd(result(v), m, ptr[at]);
    }
    const Xmm to = result(v);
    return vmovupd(part ? to | inside | T_z : to, ptr[at]);
  }
  if (wide && i.type == kBool) {
    const Xmm bytes = Xmm(scratch().getIdx());
    if (part)
      vmovdqu8(bytes | inside | T_z, ptr[at]);
    else
      vmovq(bytes, ptr[at]);
    return vptestmb(mask_result(v), bytes, bytes);
  }
  if (part && !wide) copy_part_bytes(at, size, false);
  const Address from = part && !wide ? bounce() : ptr[at];
  const Xmm to = result(v), masked = part && wide ? to | inside | T_z : to;
  if (i.type == kF32) return vcvtps2pd(masked, from);
  if (i.type == kI32) return vcvtdq2pd(masked, from);
  const Xmm zero = scratch();  // a bool
  vpmovzxbq(to, from);
  vpxor(zero, zero, zero);
  vpcmpgtq(to, to, zero);
}

void Emitter::store_f64(const Instruction& i) {
  const bool wide = needs_.avx512, part = place_.part && i.what != Do::kKeep;
  const auto size = i.what == Do::kKeep ? 8 : static_cast<int64_t>(size_of(i.type));
  const Opmask inside(kPartMask);
  if (size == 8) {
    const Xmm x = reg(i.a);
    const RegExp at = position(i, size);
    if (part && !wide) {
      const Xmm m = part_mask();
      return vmaskmovpd(ptr[at], m, x);
    }
    if (place_.streams && i.what == Do::kStore && i.bits != 0 && !part) return vmovntpd(ptr[at], x);
    return vmovupd(part ? ptr[at] | inside : ptr[at], x);
  }
  // Packed into the low bytes of a register.
  Xmm packed(0);
  if (wide && i.type == kBool) {
    const Opmask m = mask(i.a);
    packed = Xmm(scratch().getIdx());
    vpmovm2b(packed, m);
    vpabsb(packed, packed);
  } else {
    const Xmm x = reg(i.a), to = scratch();
    packed = i.type == kBool ? Xmm(to.getIdx()) : half(to);
    if (i.type == kF32) {
      vcvtpd2ps(packed, x);
    } else if (i.type == kI32) {
      vcvtpd2dq(packed, x);
    } else {
      vextractf128(packed, Ymm(x.getIdx()), 1);
      vshufps(packed, Xmm(x.getIdx()), packed, 0b10001000);
      vpackssdw(packed, packed, packed);
      vpacksswb(packed, packed, packed);
      vpabsb(packed, packed);
    }
  }
  const RegExp at = position(i, size);
  if (part && !wide) {
    vmovups(bounce(), Xmm(packed.getIdx()));
    return copy_part_bytes(at, size, true);
  }
  if (i.type != kBool) return vmovups(part ? ptr[at] | inside : ptr[at], packed);
  if (part) return vmovdqu8(ptr[at] | inside, packed);
  wide ? vmovq(ptr[at], packed) : vmovd(ptr[at], packed);
}

}  // namespace glia::cpu::jit
