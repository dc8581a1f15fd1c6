// Files: idx, PNG, safetensors, PyTorch's, npy and npz, tar, and TensorBoard's event files.
//
// Every failure is an IoError of one line, "FILE: fault". What a file claims about itself is
// checked against the bytes it really has before any memory is asked for. Whatever is written
// appears whole or not at all; only event files grow in place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::io {

// Tensors in a file's order, each under its name.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
// Adds tensors under their names behind a prefix; and those whose names have it, without it.
void append(NamedTensors& to, const std::string& prefix, const NamedTensors& from);
NamedTensors with_prefix(const NamedTensors& all, const std::string& prefix);
// Free text of a safetensors file: keys, each once, and values; in the keys' order when read.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// ---- Whole files ----------------------------------------------------------------------------

std::string read_file(const std::string& path);

// Puts `bytes` in place of the file: written beside it, synced to disk, then renamed over it, so
// that the old content stays whole until the new one is. Symbolic links are followed, also to a
// file that is yet to be; a file that is replaced keeps its mode, and its owner where that may be.
// What is no regular file (a device, a pipe) is written directly.
void write_file_atomic(const std::string& path, std::string_view bytes);

// ---- idx (the format of MNIST), plain or gzipped --------------------------------------------

// u8, i8, i32, f32, f64, and 16-bit integers as i32; any rank up to 8. Zeros may follow gzipped
// data, as tapes and block devices leave them.
Tensor read_idx(const std::string& path);
// u8, i8, i32, f32 or f64; gzipped if the path ends in ".gz".
void write_idx(const std::string& path, const Tensor& values);

// ---- PNG ------------------------------------------------------------------------------------

// (H, W, C) u8 with C as stored: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. Palettes and fewer bits
// than 8 are expanded, 16 bits reduced to 8. An image of more than `most_pixels` (2^28) is refused:
// a few bytes of a file may claim, and hold, very many.
Tensor read_png(const std::string& path);
Tensor read_png(const std::string& path, int64_t most_pixels);
// The same of a file's bytes; `name` is what errors call it.
Tensor decode_png(std::string_view bytes, int64_t most_pixels = int64_t{1} << 28,
                  const std::string& name = "PNG");
// `image` is u8: (H, W) or (H, W, C) with C from 1 to 4.
void write_png(const std::string& path, const Tensor& image);
// The bytes that write_png would write.
std::string encode_png(const Tensor& image);
// RFC 4648, padded: what a "data:image/png;base64," URL takes.
std::string base64(std::string_view bytes);

// ---- safetensors ----------------------------------------------------------------------------

// The tensors lie in the mapped file and are read when first used; the mapping lives as long as
// any of them. Only tensors that are misaligned in the file are copied. A file that another
// program cuts short in place meanwhile takes its tensors with it; write_safetensors never does.
NamedTensors read_safetensors(const std::string& path, Metadata* metadata = nullptr);
// Each tensor's data is aligned to its element, the first to 64 bytes.
void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const Metadata& metadata = {});

// ---- PyTorch --------------------------------------------------------------------------------

// The tensors of a file of torch.save: zip or, before PyTorch 1.6, not; nested dictionaries, lists
// and tuples give names such as "model.layers.0.weight". Tensors lie in the mapped file where they
// can. Numbers and texts go to `metadata`. Nothing is executed: a file that asks for anything but
// tensors and plain containers, such as a whole module, is refused with its name.
NamedTensors read_torch(const std::string& path, Metadata* metadata = nullptr);

// ---- NumPy ----------------------------------------------------------------------------------

// C or Fortran order, either byte order, versions 1 to 3. 16-bit integers are read as i32 and
// u32 as i64; u64, complex numbers, text and objects are refused. The values lie in the mapped file
// where they can, as those of safetensors do.
Tensor read_npy(const std::string& path);
// bf16, which NumPy lacks, is written as f32.
void write_npy(const std::string& path, const Tensor& values);
// The arrays of np.savez or np.savez_compressed.
NamedTensors read_npz(const std::string& path);
// As np.savez does: not compressed.
void write_npz(const std::string& path, const NamedTensors& tensors);

// ---- tar, plain or gzipped ------------------------------------------------------------------

// Calls `visit` with each file's name and bytes, in the archive's order; folders, links and devices
// are passed over. One of more than `most` bytes is refused before it is read. Whatever visit()
// throws goes through.
void read_tar(const std::string& path,
              const std::function<void(const std::string& name, std::string_view bytes)>& visit,
              int64_t most = int64_t{1} << 32);

// ---- TensorBoard ----------------------------------------------------------------------------

// Appends to a new event file in `folder`, which is made if missing. A resumed run makes another
// writer on the same folder. Events are held back until flush(), 64 KiB or the writer's end.
class EventWriter {
 public:
  explicit EventWriter(const std::string& folder);
  ~EventWriter();
  EventWriter(EventWriter&& other) noexcept;
  EventWriter& operator=(EventWriter&& other) noexcept;

  // `wall_time` is in seconds since 1970; now, if not given.
  void scalar(std::string_view tag, int64_t step, double value,
              std::optional<double> wall_time = {});
  // Shown as Markdown.
  void text(std::string_view tag, int64_t step, std::string_view value,
            std::optional<double> wall_time = {});
  // `image` as for write_png.
  void image(std::string_view tag, int64_t step, const Tensor& image,
             std::optional<double> wall_time = {});
  void flush();
  const std::string& path() const;

 private:
  struct File;  // private: src/io/events.cpp
  std::unique_ptr<File> file_;
};

}  // namespace glia::io
