// Random numbers, and calls of C for rare arguments.
#include "backend/cpu/jit/emitter.h"

#include <bit>

namespace glia::cpu::jit {

using namespace Xbyak;
using util::ptr;

namespace {

// Philox 4x32-10, as in simd/random.cpp: multipliers, and what each round adds to the key.
constexpr uint32_t kMultipliers[] = {0xd2511f53, 0xcd9e8d57}, kWeyl[] = {0x9e3779b9, 0xbb67ae85};

}  // namespace

// ---- Rare calls -------------------------------------------------------------------------------

void Emitter::slow(int v) {
  const Instruction& i = body_->code[v];
  const Xmm x = reg(i.b), y = reg(i.c), to = result(v, false);
  const Reg32 lanes = temporary3.cvt32();
  if (needs_.avx512)
    needs_.f64 ? kmovb(lanes, mask(i.a)) : kmovw(lanes, mask(i.a));
  else
    needs_.f64 ? vmovmskpd(lanes, reg(i.a)) : vmovmskps(lanes, reg(i.a));
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

// What temporary2 points to, with all registers saved around it, which a function of C may change.
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
  vzeroupper();
  call(temporary2);
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

}  // namespace glia::cpu::jit
