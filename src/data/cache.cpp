// A stage's samples on disk: files of records, each with its checksum, that only grow.
//
// A file is "GLIACACH", the key, then records: position, bytes, checksum of these bytes, checksum
// of what stands before it, the bytes. A process writes to a file that it has locked and reads
// those of all. What is no whole record at the end of a file was being written when its process was
// killed.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <unordered_map>

#include "core/variable.h"
#include "data/bytes.h"
#include "data/stage.h"
#include "glia/io.h"

namespace glia::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "GLIACACH";
constexpr int64_t kHeader = 16, kRecordHeader = 32, kMostFiles = 1024;
constexpr uint64_t kSeed = 0x676C6961;

uint64_t sum_of(std::string_view bytes) { return mixed_whole(kSeed, io::bytes_of(bytes)); }

// ---- Samples as bytes -------------------------------------------------------------------------

void put_text(std::string& out, std::string_view text) {
  io::put_little(out, text.size(), 8);
  out += text;
}

std::string packed(const Sample& sample) {
  std::string out;
  io::put_little(out, sample.size(), 4);
  io::put_little(out, sample.names() != nullptr, 1);
  for (size_t i = 0; i < sample.size(); ++i) {
    if (sample.names()) put_text(out, (*sample.names())[i]);
    const Value& value = sample.value(i);
    io::put_little(out, static_cast<uint64_t>(value.kind()), 1);
    if (const int64_t* n = value.integer()) io::put_little(out, static_cast<uint64_t>(*n), 8);
    if (const double* x = value.number()) io::put_little(out, std::bit_cast<uint64_t>(*x), 8);
    if (const std::string* text = value.text()) put_text(out, *text);
    if (const Texts* texts = value.texts()) {
      io::put_little(out, texts->size(), 8);
      for (const std::string& text : *texts) put_text(out, text);
    }
    if (const Tensor* t = value.tensor()) {
      io::put_little(out, t->defined(), 1);
      if (!t->defined()) continue;
      io::put_little(out, static_cast<uint64_t>(t->dtype()), 1);
      io::put_little(out, static_cast<uint64_t>(t->rank()), 1);
      for (const int64_t size : t->shape()) io::put_little(out, static_cast<uint64_t>(size), 8);
      out.append(bytes_of(*t), t->node()->bytes());
    }
  }
  return out;
}

Tensor unpacked_tensor(io::Cursor* in) {
  if (!in->little(1)) return {};
  const uint64_t dtype = in->little(1), rank = in->little(1);
  if (dtype >= static_cast<uint64_t>(kDTypeCount) || rank > kMaxRank) throw Error("no tensor");
  Shape shape;
  for (uint64_t axis = 0; axis < rank; ++axis) shape.push_back(static_cast<int64_t>(in->little(8)));
  const auto type = static_cast<DType>(dtype);
  const io::Bytes bytes = in->take(static_cast<uint64_t>(shape.numel()) * size_of(type));
  return from_bytes(bytes.data(), shape, type);
}

std::string unpacked_text(io::Cursor* in) {
  return std::string(io::text_of(in->take(in->little(8))));
}

// Throws Error for anything that packed() does not make.
Sample unpacked(const std::string& path, std::string_view bytes) {
  io::Cursor in(path, io::bytes_of(bytes));
  const uint64_t count = in.little(4), named = in.little(1);
  std::vector<Value> values;
  std::vector<std::string> names;
  for (uint64_t i = 0; i < count; ++i) {
    if (named) names.push_back(unpacked_text(&in));
    switch (static_cast<Value::Kind>(in.little(1))) {
      case Value::Kind::kInteger:
        values.emplace_back(static_cast<int64_t>(in.little(8)));
        break;
      case Value::Kind::kFloat:
        values.emplace_back(std::bit_cast<double>(in.little(8)));
        break;
      case Value::Kind::kText:
        values.emplace_back(unpacked_text(&in));
        break;
      case Value::Kind::kTexts: {
        Texts texts;
        for (uint64_t left = in.little(8); left > 0; --left) texts.push_back(unpacked_text(&in));
        values.emplace_back(std::move(texts));
        break;
      }
      case Value::Kind::kTensor:
        values.emplace_back(unpacked_tensor(&in));
        break;
      default:
        throw Error("no field");
    }
  }
  if (in.left() > 0) throw Error("bytes behind the last field");
  if (!named) return Sample(std::move(values));
  return Sample(std::move(values), std::make_shared<const std::vector<std::string>>(names));
}

// ---- Files ------------------------------------------------------------------------------------

struct Record {
  int64_t offset = 0, bytes = 0;  // of what was packed
  uint64_t sum = 0;
};

// Whether `count` bytes are there, which are then in `out`.
bool read_at(int file, int64_t offset, int64_t count, std::string* out) {
  out->resize(static_cast<size_t>(count));
  for (int64_t have = 0; have < count;) {
    const ssize_t n = ::pread(file, out->data() + have, count - have, offset + have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    have += n;
  }
  return true;
}

class File {
 public:
  File(const std::string& path, int descriptor) : path_(path), file_(path, descriptor) {}

  const std::string& path() const { return path_; }
  bool lock() { return ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0; }

  // Calls found(position, record) for each whole one; false for a file of something else.
  template <class F>
  bool scan(uint64_t key, F&& found) {
    struct stat status = {};
    if (::fstat(file_.get(), &status) != 0) io::fail_errno(path_);
    std::string header;
    if (!read_at(file_.get(), 0, kHeader, &header) || header != header_of(key)) return false;
    end_ = kHeader;
    while (read_at(file_.get(), end_, kRecordHeader, &header)) {
      io::Cursor in(path_, io::bytes_of(header));
      const auto position = static_cast<int64_t>(in.little(8));
      const uint64_t bytes = in.little(8), sum = in.little(8);
      const int64_t start = end_ + kRecordHeader;
      if (in.little(8) != sum_of(std::string_view(header).substr(0, 24))) break;
      if (start > status.st_size || bytes > static_cast<uint64_t>(status.st_size - start)) break;
      found(position, Record{start, static_cast<int64_t>(bytes), sum});
      end_ = start + static_cast<int64_t>(bytes);
    }
    return true;
  }
  // Makes it end behind what scan() found, or begin anew. It must be locked.
  void trim(uint64_t key) {
    if (::ftruncate(file_.get(), end_) != 0) io::fail_errno(path_);
    if (end_ >= kHeader) return;
    write_at_end(header_of(key));
  }
  Record append(int64_t position, const std::string& bytes) {
    std::string record;
    io::put_little(record, static_cast<uint64_t>(position), 8);
    io::put_little(record, bytes.size(), 8);
    const Record made{end_ + kRecordHeader, static_cast<int64_t>(bytes.size()), sum_of(bytes)};
    io::put_little(record, made.sum, 8);
    io::put_little(record, sum_of(record), 8);
    write_at_end(record + bytes);
    return made;
  }
  // Nothing where it is damaged.
  std::optional<Sample> read(const Record& record) const {
    std::string bytes;
    try {
      if (!read_at(file_.get(), record.offset, record.bytes, &bytes) || sum_of(bytes) != record.sum)
        return std::nullopt;
      return unpacked(path_, bytes);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

 private:
  static std::string header_of(uint64_t key) {
    std::string header(kMagic);
    io::put_little(header, key, 8);
    return header;
  }
  void write_at_end(const std::string& bytes) {
    for (size_t have = 0; have < bytes.size();) {
      const ssize_t n = ::pwrite(file_.get(), bytes.data() + have, bytes.size() - have,
                                 end_ + static_cast<int64_t>(have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) io::fail_errno(path_);
      have += static_cast<size_t>(n);
    }
    end_ += static_cast<int64_t>(bytes.size());
  }

  const std::string path_;
  const io::Descriptor file_;
  int64_t end_ = 0;
};

// ---- The stage --------------------------------------------------------------------------------

class Cached : public Source {
 public:
  Cached(SourcePtr inner, const std::string& folder, const std::string& name)
      : inner_(std::move(inner)),
        key_(mixed(inner_->fingerprint(), io::bytes_of(name))),
        stem_(folder + "/" + name + "."),
        generation_(process_generation) {
    if (inner_->changes() != Changes::kNothing)
      throw Error(
          "cache: the samples are not the same in each epoch: augment and shuffle behind it");
    if (name.empty() || name[0] == '.' || !std::ranges::all_of(name, [](unsigned char c) {
          return std::isalnum(c) || c == '.' || c == '-' || c == '_';
        }))
      throw Error("cache: \"" + name + "\" is no name of letters, digits, and . - _");
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) io::fail(folder, error.message());
    remove_others(folder, name);
    open_files();
  }
  int64_t size() const override { return inner_->size(); }
  Sample get(int64_t epoch, int64_t position) const override {
    if (auto sample = kept(position)) return std::move(*sample);
    Sample sample = inner_->get(epoch, position);
    keep(position, sample);
    return sample;
  }
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (auto sample = kept(position)) return sample;
    std::optional<Sample> sample = inner_->find(epoch, position);
    if (sample) keep(position, *sample);
    return sample;
  }
  uint64_t fingerprint() const override { return key_; }

 private:
  struct Place {
    File* file;
    Record record;
  };

  std::string path(int64_t number) const {
    return stem_ + hex(key_) + "." + std::to_string(number) + ".cache";
  }
  static std::string hex(uint64_t n) {
    std::string out(16, '0');
    for (size_t i = 16; i-- > 0; n >>= 4) out[i] = "0123456789abcdef"[n & 15];
    return out;
  }

  // Of other data under this name, unless a process is at them.
  void remove_others(const std::string& folder, const std::string& name) const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string file = entry.path().filename();
      if (!file.starts_with(name + ".") || !file.ends_with(".cache")) continue;
      const std::string rest = file.substr(name.size() + 1, file.size() - name.size() - 7);
      const auto is = [](int (*kind)(int)) {
        return [kind](unsigned char c) { return kind(c) != 0; };
      };
      if (rest.size() < 18 || rest[16] != '.' || rest.substr(0, 16) == hex(key_) ||
          !std::all_of(rest.begin(), rest.begin() + 16, is(std::isxdigit)) ||
          !std::all_of(rest.begin() + 17, rest.end(), is(std::isdigit)))
        continue;
      const int opened = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
      if (opened < 0) continue;
      if (File old(entry.path(), opened); old.lock()) ::unlink(entry.path().c_str());
    }
  }

  void open_files() {
    for (int64_t number = 0; number < kMostFiles; ++number) {
      const bool exists = ::access(path(number).c_str(), F_OK) == 0;
      if (!exists && own_) return;
      auto file = std::make_unique<File>(
          path(number), ::open(path(number).c_str(), O_RDWR | O_CLOEXEC | O_CREAT, 0644));
      const bool mine = !own_ && file->lock();
      const bool right = file->scan(key_, [&](int64_t position, const Record& record) {
        places_.insert_or_assign(position, Place{file.get(), record});
      });
      if (mine) {
        file->trim(key_);
        own_ = file.get();
      }
      if (right || mine) files_.push_back(std::move(file));
    }
  }

  std::optional<Sample> kept(int64_t position) const {
    Place place;
    {
      std::lock_guard hold(mutex_);
      const auto found = places_.find(position);
      if (found == places_.end()) return std::nullopt;
      place = found->second;
    }
    std::optional<Sample> sample = place.file->read(place.record);
    if (sample) return sample;
    std::lock_guard hold(mutex_);
    places_.erase(position);  // made anew
    return std::nullopt;
  }
  void keep(int64_t position, const Sample& sample) const {
    // A child process has the same file and the same lock on it.
    if (!own_ || generation_ != process_generation) return;
    const std::string bytes = packed(sample);
    std::lock_guard hold(mutex_);
    if (places_.contains(position)) return;
    places_.emplace(position, Place{own_, own_->append(position, bytes)});
  }

  const SourcePtr inner_;
  const uint64_t key_;
  const std::string stem_;
  const uint32_t generation_;
  std::vector<std::unique_ptr<File>> files_;
  File* own_ = nullptr;  // the one that this process writes
  mutable std::mutex mutex_;
  mutable std::unordered_map<int64_t, Place> places_;
};

}  // namespace

SourcePtr cached(SourcePtr source, const std::string& folder, const std::string& name) {
  return std::make_shared<Cached>(std::move(source), folder, name);
}

}  // namespace glia::data
