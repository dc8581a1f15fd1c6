// NumPy's npy and npz (NEP 1 and numpy.lib.format): a magic, a version, the length of a header,
// the header as the text of a Python dictionary, the values.
#include <algorithm>
#include <optional>

#include "glia/io.h"
#include "glia/ops.h"
#include "io/elements.h"
#include "io/zip.h"

namespace glia::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;
constexpr std::string_view kSuffix = ".npy";

struct Header {
  std::optional<Elements> elements;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> sizes;
};

// Reads the few Python literals that a header may hold.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !header.elements) {
        header.elements = elements();
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.sizes) {
        header.sizes = sizes();
      } else {
        broken();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty() || !header.elements || !header.fortran_order || !header.sizes) broken();
    return header;
  }

 private:
  [[noreturn]] void broken() { fail(path_, "corrupt npy header"); }

  void skip_space() {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \t\n"), text_.size()));
  }
  bool accept(std::string_view token) {
    skip_space();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  bool accept(char c) { return accept(std::string_view(&c, 1)); }
  void expect(char c) {
    if (!accept(c)) broken();
  }

  std::string_view quoted() {
    const char mark = accept('\'') ? '\'' : '"';
    if (mark == '"') expect('"');
    const size_t size = text_.find(mark);
    if (size == std::string_view::npos) broken();
    const std::string_view out = text_.substr(0, size);
    text_.remove_prefix(size + 1);
    return out;
  }

  bool boolean() {
    if (accept("True")) return true;
    if (!accept("False")) broken();
    return false;
  }

  int64_t integer() {
    skip_space();
    const size_t digits = std::min(text_.find_first_not_of("0123456789"), text_.size());
    if (digits == 0 || digits > 18) broken();
    const int64_t n = std::stoll(std::string(text_.substr(0, digits)));
    text_.remove_prefix(digits);
    accept('L');  // Python 2 wrote long integers so
    return n;
  }

  std::vector<int64_t> sizes() {
    std::vector<int64_t> out;
    expect('(');
    while (!accept(')')) {
      out.push_back(integer());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  Elements elements() {
    if (accept('[')) fail(path_, "holds records, which have no dtype here");
    const std::string_view descr = quoted();
    if (descr.size() != 3 || std::string_view("<>|=").find(descr[0]) == std::string_view::npos ||
        descr[2] < '1' || descr[2] > '9')
      fail(path_, "holds elements of type " + std::string(descr) + ", which have no dtype here");
    return {descr[1], descr[2] - '0', descr[0] == '>'};
  }

  const std::string& path_;
  std::string_view text_;
};

Tensor parse(const Content& content) {
  Cursor cursor(content.path, content.bytes);
  if (text_of(cursor.take(kMagic.size())) != kMagic) fail(content.path, "is no npy file");
  const uint64_t version = cursor.little(1);
  cursor.take(1);
  if (version < 1 || version > 3)
    fail(content.path, "is of npy version " + std::to_string(version) + ", not 1 to 3");
  const uint64_t header_size = cursor.little(version == 1 ? 2 : 4);
  const Header header = HeaderParser(content.path, text_of(cursor.take(header_size))).parse();

  const int element = header.elements->size;
  Shape shape = checked_shape(content.path, *header.sizes);
  const Bytes values = cursor.take(shape.numel() * element);
  if (cursor.left() > 0) fail(content.path, grouped(cursor.left()) + " bytes follow its values");
  if (!*header.fortran_order || shape.rank() < 2)
    return decode({content.path, values, content.owner}, shape, *header.elements);
  // The first axis is the innermost in the file.
  std::reverse(shape.begin(), shape.end());
  const Tensor reversed = decode({content.path, values, content.owner}, shape, *header.elements);
  Axes axes;
  for (int axis = shape.rank(); axis-- > 0;) axes.push_back(axis);
  return permute(reversed, axes);
}

const char* descr_of(DType dtype) {
  constexpr const char* kDescr[kDTypeCount] = {"|b1", "|u1", "|i1", "<i4", "<i8",
                                               "<f2", "",    "<f4", "<f8"};  // by DType
  return kDescr[static_cast<int>(dtype)];
}

// A tensor as NumPy can hold it.
Tensor writable(const Tensor& t) { return t.dtype() == kBF16 ? cast(t, kF32) : t; }

std::string header_for(const Tensor& t) {
  const std::string shape = t.shape().str();
  std::string text = std::string("{'descr': '") + descr_of(t.dtype()) +
                     "', 'fortran_order': False, 'shape': " + shape + ", }";
  const size_t before = kMagic.size() + 4, size = before + text.size() + 1;
  text.append((size + kAlignment - 1) / kAlignment * kAlignment - size, ' ');
  text += '\n';
  std::string out(kMagic);
  put_little(out, 1, 2);  // version 1.0
  put_little(out, text.size(), 2);
  return out + text;
}

}  // namespace

Tensor read_npy(const std::string& path) { return parse(map(path)); }

void write_npy(const std::string& path, const Tensor& values) {
  const Tensor t = writable(values);
  AtomicFile file(path);
  file.write(header_for(t));
  file.write(raw_bytes(t));
  file.commit();
}

NamedTensors read_npz(const std::string& path) {
  const Content archive = load(path);
  NamedTensors tensors;
  for (const auto& [name, content] : read_zip(archive)) {
    if (!name.ends_with(kSuffix)) fail(content.path, "is no npy member");
    tensors.emplace_back(name.substr(0, name.size() - kSuffix.size()), parse(content));
  }
  return tensors;
}

void write_npz(const std::string& path, const NamedTensors& tensors) {
  std::vector<Tensor> values;
  std::vector<std::string> headers;
  for (const auto& [name, tensor] : tensors) {
    values.push_back(writable(tensor));
    headers.push_back(header_for(values.back()));
  }
  std::vector<ZipParts> members;
  for (size_t i = 0; i < tensors.size(); ++i)
    members.push_back(
        {tensors[i].first + std::string(kSuffix), {bytes_of(headers[i]), raw_bytes(values[i])}});
  write_zip(path, members);
}

}  // namespace glia::io
