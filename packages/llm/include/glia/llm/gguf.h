// GGUF, the file of llama.cpp and its kin: a model's settings, its tokens, and its weights, mostly
// in blocks of few bits (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
//
// Every failure of a file is an IoError of one line, "FILE: fault". What a file claims about itself
// is checked against the bytes that it has before any memory is asked for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::llm {

// ---- Weights in blocks ------------------------------------------------------------------------

// How weights lie in a file, with ggml's numbers. Q4_1 has blocks of 32 weights of 4 bits with a
// scale and a least value in f16 each, Q4_0 a scale alone; those with a K have blocks of 256 in
// parts of 16 or 32, whose scales have few bits themselves.
enum class Quant : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};
// "Q4_1"; and the kind of that name, in capitals or not. Throws ValueError for another.
std::string quant_name(Quant type);
Quant quant_named(const std::string& name);
// Weights of one block, and its bytes: {32, 20} for Q4_1, {1, 4} for F32.
std::pair<int64_t, int64_t> block_of(Quant type);

// Weights as a file has them. Rows, along the last axis, are whole blocks.
struct QuantizedTensor {
  Quant type = Quant::kF32;
  Shape shape;
  Tensor bytes;  // u8 (bytes), which may lie in a mapped file
};
// The numbers that they stand for, f32.
Tensor dequantize(const QuantizedTensor& weights);
// Rounds f32 (..., K) as ggml's reference does: to F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0.
// Throws ShapeError where K is no multiple of the block, ValueError for numbers that are not finite
// and for other kinds.
QuantizedTensor quantize(const Tensor& weights, Quant type);

// ---- Files ------------------------------------------------------------------------------------

// Of a setting, with GGUF's numbers.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};
// A setting, or a list of them: its values stand in the member of their kind, one unless it is a
// list. An u64 above 2^63 is the negative number of its bits.
struct GgufValue {
  GgufType type = GgufType::kInt32;  // of each value; no list of lists
  bool is_array = false;
  std::vector<int64_t> integers = {};  // bools too
  std::vector<double> numbers = {};
  std::vector<std::string> texts = {};
};

// What a file holds, in its order.
class Gguf {
 public:
  std::vector<std::pair<std::string, GgufValue>> metadata;
  std::vector<std::pair<std::string, QuantizedTensor>> tensors;

  bool has(const std::string& key) const;
  bool has_tensor(const std::string& name) const;
  // Throw Error naming what is missing, or a setting of another kind; the second where it may be.
  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  int64_t integer(const std::string& key) const;
  int64_t integer(const std::string& key, int64_t otherwise) const;
  double number(const std::string& key) const;
  double number(const std::string& key, double otherwise) const;
  std::vector<std::string> texts(const std::string& key) const;
  std::vector<int64_t> integers(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;
  const QuantizedTensor& tensor(const std::string& name) const;

  // Replaces, or adds behind the others: as a string, i32 (i64 if need be), f32, bool.
  void set_text(const std::string& key, const std::string& value);
  void set_integer(const std::string& key, int64_t value);  // as u32 if that holds it, else i64
  void set_number(const std::string& key, double value);
  void set_flag(const std::string& key, bool value);
  void set(const std::string& key, GgufValue value);

 private:
  const GgufValue* find(const std::string& key) const;
  const GgufValue& value(const std::string& key) const;
};

// Versions 2 and 3, little-endian. Weights lie in the mapped file and are read when they are used;
// the mapping lives as long as any of them. A file that another program cuts short in place
// meanwhile takes its weights with it.
Gguf read_gguf(const std::string& path);
// Version 3, weights at multiples of 32 bytes, or of the setting general.alignment. Appears whole
// or not at all.
void write_gguf(const std::string& path, const Gguf& content);

}  // namespace glia::llm
