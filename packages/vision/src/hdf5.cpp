// HDF5 files of the old style, as far as arrays of weights need: groups by B-trees of version 1,
// object headers of version 1, contiguous layouts.
#include <cstring>
#include <set>

#include "glia/error.h"
#include "glia/vision/weights.h"

namespace glia::vision {
namespace {

constexpr uint64_t kNone = ~uint64_t{0};
constexpr size_t kMostArrays = 100000;

class Hdf5 {
 public:
  explicit Hdf5(const std::string& path) : path_(path), bytes_(io::read_file(path)) {}

  io::NamedTensors read() {
    if (bytes_.compare(0, 8, "\x89HDF\r\n\x1a\n") != 0) fail("is no HDF5 file");
    if (number(8, 1) != 0) fail("is an HDF5 file of a newer kind than is read");
    if (number(13, 1) != 8 || number(14, 1) != 8) fail("has addresses that are not of 8 bytes");
    constexpr uint64_t kRoot = 24 + 4 * 8;  // the root group's entry of a symbol table
    object(number(kRoot + 8, 8), "");
    return std::move(arrays_);
  }

 private:
  [[noreturn]] void fail(const std::string& fault) const { throw IoError(path_ + ": " + fault); }

  uint64_t number(uint64_t at, uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) fail("ends too early, or is corrupt");
    uint64_t n = 0;
    for (uint64_t i = size; i-- > 0;) n = n << 8 | static_cast<uint8_t>(bytes_[at + i]);
    return n;
  }
  void expect(uint64_t at, const char* signature) const {
    number(at, 4);
    if (bytes_.compare(at, 4, signature) != 0) fail(std::string("has no ") + signature + " block");
  }

  struct Message {
    uint64_t kind, at, size;
  };
  // An object's messages, with those of its continuations.
  std::vector<Message> messages(uint64_t header) const {
    if (number(header, 1) != 1) fail("has an object header of a newer kind than is read");
    const uint64_t count = number(header + 2, 2);
    std::vector<std::pair<uint64_t, uint64_t>> parts = {{header + 16, number(header + 8, 4)}};
    std::vector<Message> all;
    for (size_t p = 0; p < parts.size() && all.size() < count; ++p) {
      uint64_t at = parts[p].first;
      number(at, parts[p].second);
      const uint64_t end = at + parts[p].second;
      while (at + 8 <= end && all.size() < count) {
        const Message m{number(at, 2), at + 8, number(at + 2, 2)};
        number(m.at, m.size);
        all.push_back(m);
        if (m.kind == 0x10) parts.emplace_back(number(m.at, 8), number(m.at + 8, 8));
        at = m.at + m.size;
      }
    }
    return all;
  }

  void object(uint64_t header, const std::string& name) {
    // An array may have several names, a group none that leads back to it.
    if (!open_.insert(header).second) fail("has a group within itself");
    if (arrays_.size() > kMostArrays) fail("has too many arrays");
    bool is_group = false;
    Shape shape;
    DType dtype = kF32;
    uint64_t data = kNone, size = 0;
    bool is_array = false;
    for (const Message& m : messages(header)) {
      if (m.kind == 0x11) {
        is_group = true;
        tree(number(m.at, 8), number(m.at + 8, 8), name);
      } else if (m.kind == 0x01) {
        shape = shape_of(m, name);
      } else if (m.kind == 0x03) {
        dtype = dtype_of(m, name);
      } else if (m.kind == 0x08) {
        is_array = true;
        if (number(m.at, 1) != 3 || number(m.at + 1, 1) != 1)
          fail("\"" + name + "\" is stored in pieces, which is not read");
        data = number(m.at + 2, 8);
        size = number(m.at + 10, 8);
      } else if (m.kind == 0x0b) {
        fail("\"" + name + "\" is compressed, which is not read");
      } else if (m.kind == 0x02 || m.kind == 0x06) {
        fail("has a group of a newer kind than is read");
      }
    }
    open_.erase(header);
    if (is_group || !is_array) return;
    const auto want = static_cast<uint64_t>(shape.numel()) * size_of(dtype);
    if (data == kNone || size < want || data > bytes_.size() || want > bytes_.size() - data)
      fail("\"" + name + "\" passes the end of the file");
    arrays_.emplace_back(name, from_bytes(bytes_.data() + data, shape, dtype));
  }

  Shape shape_of(const Message& m, const std::string& name) const {
    const uint64_t version = number(m.at, 1), rank = number(m.at + 1, 1);
    if (rank > kMaxRank) fail("\"" + name + "\" has " + std::to_string(rank) + " axes");
    std::vector<int64_t> sizes;
    int64_t all = 1;
    for (uint64_t i = 0; i < rank; ++i) {
      const uint64_t n = number(m.at + (version == 1 ? 8 : 4) + 8 * i, 8);
      if (n > bytes_.size() || __builtin_mul_overflow(all, static_cast<int64_t>(n), &all))
        fail("\"" + name + "\" is larger than the file");
      sizes.push_back(static_cast<int64_t>(n));
    }
    return Shape(std::span<const int64_t>(sizes));
  }
  DType dtype_of(const Message& m, const std::string& name) const {
    const uint64_t kind = number(m.at, 1) & 15, big_endian = number(m.at + 1, 1) & 1,
                   size = number(m.at + 4, 4);
    if (kind != 1 || big_endian || (size != 4 && size != 8))
      fail("\"" + name + "\" is neither f32 nor f64");
    return size == 4 ? kF32 : kF64;
  }

  // A group: a tree whose leaves are tables of names.
  void tree(uint64_t at, uint64_t heap, const std::string& prefix) {
    expect(heap, "HEAP");
    const uint64_t names = number(heap + 24, 8);
    if (!open_.insert(at).second) fail("has a tree within itself");
    expect(at, "TREE");
    const uint64_t level = number(at + 5, 1), used = number(at + 6, 2);
    for (uint64_t i = 0; i < used; ++i) {
      const uint64_t child = number(at + 24 + 8 + 16 * i, 8);
      if (level > 0)
        tree(child, heap, prefix);
      else
        leaf(child, names, prefix);
    }
    open_.erase(at);
  }
  void leaf(uint64_t at, uint64_t names, const std::string& prefix) {
    expect(at, "SNOD");
    const uint64_t used = number(at + 6, 2);
    for (uint64_t i = 0; i < used; ++i) {
      const uint64_t entry = at + 8 + 40 * i, text = names + number(entry, 8);
      number(text, 1);
      const size_t end = bytes_.find('\0', text);
      if (end == std::string::npos) fail("has a name without an end");
      const std::string name = bytes_.substr(text, end - text);
      object(number(entry + 8, 8), prefix.empty() ? name : prefix + "/" + name);
    }
  }

  const std::string path_, bytes_;
  std::set<uint64_t> open_;
  io::NamedTensors arrays_;
};

}  // namespace

io::NamedTensors read_hdf5(const std::string& path) { return Hdf5(path).read(); }

}  // namespace glia::vision
