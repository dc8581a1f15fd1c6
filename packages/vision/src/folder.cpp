#include "glia/vision/folder.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "formats.h"
#include "glia/data.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/runtime.h"

namespace glia::vision {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

// Whatever the file system says is an IoError.
template <class F>
auto reading(const std::string& folder, F&& f) {
  try {
    return f();
  } catch (const fs::filesystem_error& e) {
    throw IoError(folder + ": " + e.code().message());
  }
}

}  // namespace

bool is_picture(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const char* known :
       {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})
    if (extension == known) return true;
  return false;
}

std::vector<std::string> list_images(const std::string& folder) {
  return reading(folder, [&] {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (is_picture(entry.path()) && !entry.is_directory()) files.push_back(entry.path().string());
    return sorted(std::move(files));
  });
}

ImageFolder image_folder(const std::string& folder, const std::vector<std::string>& classes) {
  return reading(folder, [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_directory() && !entry.path().filename().string().starts_with("."))
        names.push_back(entry.path().filename());
    names = sorted(std::move(names));
    if (names.empty()) throw IoError(folder + ": has no folders, one for each class of pictures");
    ImageFolder out{.classes = classes.empty() ? names : classes};
    for (const std::string& name : names) {
      const auto at = std::ranges::find(out.classes, name);
      if (at == out.classes.end())
        throw IoError(folder + "/" + name + ": is none of the classes that are known");
      const auto files = list_images(folder + "/" + name);
      if (files.empty()) throw IoError(folder + "/" + name + ": holds no pictures");
      out.files.insert(out.files.end(), files.begin(), files.end());
      out.labels.resize(out.files.size(), at - out.classes.begin());
    }
    return out;
  });
}

SplitFolder split(const ImageFolder& folder, double share, uint64_t seed) {
  if (!(share > 0 && share < 1))
    throw ValueError("split: a share of " + std::to_string(share) + " is not between 0 and 1");
  std::map<int64_t, std::vector<size_t>> of_class;
  for (size_t i = 0; i < folder.files.size(); ++i) of_class[folder.labels[i]].push_back(i);
  std::vector<bool> tests(folder.files.size());
  for (auto& [label, members] : of_class) {
    const auto count = static_cast<int64_t>(members.size());
    if (count < 2)
      throw IoError(folder.files[members[0]] +
                    ": is the only picture of its class, which cannot be split");
    data::Random random(seed, 0, static_cast<uint64_t>(label));
    for (int64_t i = count - 1; i > 0; --i) std::swap(members[i], members[random.below(i + 1)]);
    const auto wanted = static_cast<int64_t>(share * static_cast<double>(count) + 0.5);
    for (int64_t i = 0; i < std::clamp<int64_t>(wanted, 1, count - 1); ++i)
      tests[members[i]] = true;
  }
  SplitFolder out;
  out.train.classes = out.test.classes = folder.classes;
  for (size_t i = 0; i < folder.files.size(); ++i) {
    ImageFolder& to = tests[i] ? out.test : out.train;
    to.files.push_back(folder.files[i]);
    to.labels.push_back(folder.labels[i]);
  }
  return out;
}

namespace {

// image(i) of each, by several threads, as the options want it.
Tensor load_all(int64_t count, const LoadOptions& options,
                const std::function<Tensor(int64_t i)>& image_of) {
  const int64_t size = options.size, channels = options.channels == 1 ? 1 : 3;
  if (size < 1 || size > 65536 || options.channels < 0 || options.channels == 2 ||
      options.channels > 3)
    throw ValueError("load_images: a size of " + std::to_string(size) + ", or " +
                     std::to_string(options.channels) + " channels");
  const double bytes = static_cast<double>(count) * static_cast<double>(size * size * channels);
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bytes > memory / 2)
    throw Error("load_images: " + std::to_string(count) + " pictures of " + std::to_string(size) +
                " x " + std::to_string(size) + " would take more than half of the memory");
  const size_t each = static_cast<size_t>(size * size * channels);
  std::vector<uint8_t> all(each * static_cast<size_t>(count));
  std::atomic<int64_t> next = 0, failed = count;
  std::atomic<bool> coloured = false;
  std::exception_ptr fault;
  std::mutex mutex;
  const auto work = [&] {
    for (int64_t i; (i = next++) < failed.load();) {
      try {
        const Tensor image = image_of(i);
        if (image.size(2) >= 3) coloured = true;
        const Tensor square = to_square(to_channels(image, channels), size, options.square);
        const auto pixels = square.data<uint8_t>();
        std::copy(pixels.begin(), pixels.end(), all.begin() + static_cast<int64_t>(each) * i);
      } catch (...) {  // of several the first counts, whichever thread met it
        const std::lock_guard hold(mutex);
        if (i < failed) {
          failed = i;
          fault = std::current_exception();
        }
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < num_threads(); ++i) threads.emplace_back(work);
    work();
  }
  if (fault) std::rethrow_exception(fault);
  const Tensor images = from_vector(all, {count, size, size, channels});
  if (options.channels != 0 || coloured) return images;
  const Tensor grey = index(images, {Ellipsis, Slice{0, 1}}) + zeros({}, kU8);  // not the three
  eval(grey);
  return grey;
}

}  // namespace

Tensor load_images(const std::vector<std::string>& files, const LoadOptions& options) {
  return load_all(static_cast<int64_t>(files.size()), options, [&](int64_t i) {
    return read_image(files[static_cast<size_t>(i)], options.most_pixels);
  });
}

ImageArchive load_archive(const std::string& path, const LoadOptions& options,
                          const std::vector<std::string>& classes) {
  constexpr int64_t kMostBytes = int64_t{1} << 30;  // of one picture
  std::map<std::string, std::string> files;         // by name
  io::read_tar(
      path,
      [&](const std::string& name, std::string_view bytes) {
        if (is_picture(name)) files[fs::path(name).lexically_normal().string()] = bytes;
      },
      kMostBytes);
  if (files.empty()) throw IoError(path + ": holds no pictures");
  const auto class_of = [](const std::string& name) {
    return fs::path(name).parent_path().filename().string();
  };
  ImageArchive out{.classes = classes};
  if (classes.empty()) {
    for (const auto& [name, bytes] : files)
      if (const std::string found = class_of(name);
          std::ranges::find(out.classes, found) == out.classes.end())
        out.classes.push_back(found);
    out.classes = sorted(std::move(out.classes));
  }
  std::vector<int64_t> labels;
  std::vector<const std::pair<const std::string, std::string>*> all;
  for (const auto& file : files) {
    const auto at = std::ranges::find(out.classes, class_of(file.first));
    if (at == out.classes.end() || at->empty())
      throw IoError(path + ": " + file.first + " is in none of the classes' folders");
    labels.push_back(at - out.classes.begin());
    all.push_back(&file);
  }
  out.labels = from_vector(labels, {static_cast<int64_t>(labels.size())});
  out.images = load_all(static_cast<int64_t>(all.size()), options, [&](int64_t i) {
    const auto& [name, bytes] = *all[static_cast<size_t>(i)];
    return decode_image(bytes, options.most_pixels, path + ": " + name);
  });
  return out;
}

}  // namespace glia::vision
