// What goes between registers and memory.
#include "backend/cpu/jit/emitter.h"

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

// An element that lies at `from`, in all lanes of vector 0: a bool as all bits of its lane.
void Emitter::broadcast_element(const Address& from, DType type) {
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

Address Emitter::element_at(const RegExp& at, DType type) {
  if (size_of(type) == 1) return byte[at];
  return size_of(type) == 2 ? word[at] : dword[at];
}

void Emitter::load_row_slot(int slot, int from, DType type) {
  const RegExp at = array(from) + row * static_cast<int>(size_of(type));
  broadcast_element(element_at(at, type), type);
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

}  // namespace glia::cpu::jit
