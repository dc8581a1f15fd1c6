#include "glia/vision/weights.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "glia/error.h"
#include "glia/ops.h"

namespace glia::vision {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// From the kernel (H, W, in, out) of Keras.
Tensor from_keras(const Tensor& kernel) { return permute(kernel, {3, 2, 0, 1}); }

// The names that EfficientNet has in torchvision, of those it had before.
std::string efficientnet_name(const std::string& name) {
  const auto under = [&](const std::string& prefix, const std::string& place) -> std::string {
    return name.starts_with(prefix) ? place + name.substr(prefix.size()) : std::string();
  };
  for (const auto& [prefix, place] : {std::pair{"_conv_stem.", "features.0.0."},
                                      {"_bn0.", "features.0.1."},
                                      {"_conv_head.", "features.8.0."},
                                      {"_bn1.", "features.8.1."},
                                      {"_fc.", "classifier.1."}})
    if (const std::string found = under(prefix, place); !found.empty()) return found;
  if (!name.starts_with("_blocks.")) return name;
  constexpr int64_t kCounts[] = {1, 2, 2, 3, 3, 4, 1};  // of the smallest: B0 and Lite0
  size_t end = name.find('.', 8);
  if (end == std::string::npos || end - 8 > 2) return name;
  int64_t block = std::atoll(name.c_str() + 8), stage = 0;
  while (stage < 7 && block >= kCounts[stage]) block -= kCounts[stage++];
  if (stage == 7) return name;
  const bool expands = stage > 0;
  const std::string rest = name.substr(end + 1);
  const std::string at =
      "features." + std::to_string(stage + 1) + "." + std::to_string(block) + ".block.";
  const auto place = [&](int64_t i, const char* what) {
    return at + std::to_string(expands ? i : i - 1) + what + rest.substr(rest.find('.'));
  };
  const std::string layer = rest.substr(0, rest.find('.'));
  if (layer == "_expand_conv") return place(0, ".0");
  if (layer == "_bn0") return place(0, ".1");
  if (layer == "_depthwise_conv") return place(1, ".0");
  if (layer == "_bn1") return place(1, ".1");
  if (layer == "_project_conv") return place(2, ".0");
  if (layer == "_bn2") return place(2, ".1");
  return name;
}

// Keras' layers of Tiny Darknet are numbered in their order.
io::NamedTensors darknet_names(const Network& network, const io::NamedTensors& all,
                               const std::string& path) {
  const auto find = [&](const std::string& name) -> const Tensor& {
    for (const auto& [other, tensor] : all)
      if (other == name) return tensor;
    throw IoError(path + ": has no " + name);
  };
  io::NamedTensors out;
  int64_t layer = 0;
  for (const auto& [name, value] : network.state_dict()) {
    const std::string number = std::to_string(layer);
    if (name.ends_with(".0.weight") || name == "classifier.weight")
      out.emplace_back(name, from_keras(find("conv2d_" + std::to_string(++layer) + "/kernel")));
    else if (name == "classifier.bias")
      out.emplace_back(name, find("conv2d_" + number + "/bias"));
    else if (name.ends_with(".1.weight"))
      out.emplace_back(name, find("batch_normalization_" + number + "/gamma"));
    else if (name.ends_with(".1.bias"))
      out.emplace_back(name, find("batch_normalization_" + number + "/beta"));
    else if (name.ends_with(".running_mean"))
      out.emplace_back(name, find("batch_normalization_" + number + "/moving_mean"));
    else if (name.ends_with(".running_var"))
      out.emplace_back(name, find("batch_normalization_" + number + "/moving_variance"));
    else
      out.emplace_back(name, value);
  }
  return out;
}

std::string without_prefix(std::string name) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string prefix : {"state_dict.", "module.", "model."})
      if (name.starts_with(prefix)) {
        name.erase(0, prefix.size());
        found = true;
      }
  }
  return name;
}

}  // namespace

io::NamedTensors read_layers_model(const std::string& folder) {
  const std::string path = folder + "/model.json";
  io::NamedTensors all;
  try {
    const Json json = Json::parse(io::read_file(path));
    for (const Json& group : json.at("weightsManifest")) {
      std::string bytes;
      for (const Json& part : group.at("paths")) {
        const std::string name = part;
        if (name.empty() || name.find('/') != std::string::npos || name == "..")
          throw IoError(path + ": '" + name + "' is no file beside it");
        bytes += io::read_file(folder + "/" + name);
      }
      size_t at = 0;
      for (const Json& weight : group.at("weights")) {
        const std::string name = weight.at("name");
        if (weight.at("dtype") != "float32" || weight.contains("quantization"))
          throw IoError(path + ": '" + name + "' is not of f32");
        const std::vector<int64_t> sizes = weight.at("shape");
        int64_t count = 1;
        for (const int64_t size : sizes)
          if (size < 0 || __builtin_mul_overflow(count, size, &count) ||
              count > static_cast<int64_t>(bytes.size()))
            throw IoError(path + ": '" + name + "' is larger than its file");
        if (sizes.size() > kMaxRank || 4 * static_cast<size_t>(count) > bytes.size() - at)
          throw IoError(path + ": '" + name + "' passes the end of its file");
        all.emplace_back(
            name, from_bytes(bytes.data() + at, Shape(std::span<const int64_t>(sizes)), kF32));
        at += 4 * static_cast<size_t>(count);
      }
    }
  } catch (const Json::exception& e) {
    throw IoError(path + ": is no model of TensorFlow.js: " + e.what());
  }
  return all;
}

io::NamedTensors read_ncnn(const std::string& param) {
  if (!param.ends_with(".param")) throw IoError(param + ": is no file .param");
  const std::string bin = param.substr(0, param.size() - 5) + "bin";
  const std::string bytes = io::read_file(bin);
  size_t at = 0;
  const auto take = [&](int64_t count, DType dtype) {
    const size_t size = static_cast<size_t>(count) * size_of(dtype);
    if (size > bytes.size() - at) throw IoError(bin + ": ends too early");
    const Tensor t = from_bytes(bytes.data() + at, {count}, dtype);
    at = std::min(at + (size + 3) / 4 * 4, bytes.size());
    return dtype == kF32 ? t : cast(t, kF32);
  };
  std::istringstream lines(io::read_file(param));
  std::string line;
  if (!std::getline(lines, line) || !line.starts_with("7767517"))
    throw IoError(param + ": is no text of an ncnn model");
  std::getline(lines, line);  // how many layers and blobs there are
  io::NamedTensors all;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string type, name, word;
    int64_t inputs = 0, outputs = 0;
    if (!(words >> type)) continue;
    if (!(words >> name >> inputs >> outputs) || inputs < 0 || outputs < 0 || inputs > 64 ||
        outputs > 64)
      throw IoError(param + ": '" + line + "' is no layer");
    for (int64_t i = 0; i < inputs + outputs; ++i) words >> word;
    std::map<int64_t, int64_t> values;
    while (words >> word) {
      const size_t equals = word.find('=');
      if (equals == std::string::npos) throw IoError(param + ": '" + word + "' is no NAME=VALUE");
      values[std::atoll(word.c_str())] = std::atoll(word.c_str() + equals + 1);
    }
    const auto value = [&](int64_t key, int64_t fallback) {
      return values.contains(key) ? values[key] : fallback;
    };
    if (type == "Convolution" || type == "Deconvolution") {
      const int64_t out = value(0, 0), width = value(1, 0), height = value(11, width),
                    count = value(6, 0);
      constexpr int64_t kMost = 1 << 16;
      if (out < 1 || out > kMost || width < 1 || width > kMost || height < 1 || height > kMost ||
          count < 1 || count % (out * width * height) != 0 ||
          count > static_cast<int64_t>(bytes.size()))
        throw IoError(param + ": the sizes of '" + name + "' do not fit together");
      uint32_t tag = 0;  // f32; or f16
      if (bytes.size() - at < sizeof tag) throw IoError(bin + ": ends too early");
      std::memcpy(&tag, bytes.data() + at, sizeof tag);
      at += sizeof tag;
      constexpr uint32_t kHalf = 0x01306B47;
      if (tag != 0 && tag != kHalf) throw IoError(bin + ": '" + name + "' is quantised");
      all.emplace_back(name + ".weight",
                       reshape(take(count, tag == kHalf ? kF16 : kF32), {out, -1, height, width}));
      if (value(5, 0) == 1) all.emplace_back(name + ".bias", take(out, kF32));
    } else if (type != "Input" && type != "Split" && type != "Crop" && type != "Eltwise" &&
               type != "BinaryOp" && type != "ReLU") {
      throw IoError(param + ": has a layer " + type + ", which is not read");
    }
  }
  return all;
}

io::NamedTensors read_weights(const std::string& path) {
  if (fs::is_directory(path)) return read_layers_model(path);
  if (path.ends_with(".safetensors")) return io::read_safetensors(path);
  if (path.ends_with(".h5") || path.ends_with(".hdf5")) return read_hdf5(path);
  if (path.ends_with(".param")) return read_ncnn(path);
  return io::read_torch(path);
}

bool load_weights(Network& network, const std::string& path) {
  io::NamedTensors read = read_weights(path);
  if (network.name() == "darknet_tiny" && fs::is_directory(path))
    read = darknet_names(network, read, path);
  const bool efficient = network.name().starts_with("efficientnet");
  const StateDict own = network.state_dict();
  const std::string head = network.head_name() + ".";
  StateDict values;
  bool whole = true;
  for (auto& [name, value] : read) {
    std::string mine = without_prefix(name);
    if (efficient) mine = efficientnet_name(mine);
    if (mine.starts_with("aux_classifier.") || mine.starts_with("aux.")) continue;  // of training
    const auto there = std::find_if(own.begin(), own.end(),
                                    [&, mine = mine](const auto& v) { return v.first == mine; });
    if (mine.starts_with(head) && there != own.end() && there->second.shape() != value.shape()) {
      value = there->second;
      whole = false;
    }
    values.emplace_back(mine, value);
  }
  // Files of old versions do not count batches.
  for (const auto& [name, value] : own)
    if (name.ends_with("num_batches_tracked") &&
        std::none_of(values.begin(), values.end(), [&](const auto& v) { return v.first == name; }))
      values.emplace_back(name, value);
  try {
    network.load_state_dict(values);
  } catch (const Error& e) {
    std::string what = e.what();
    if (what.size() > 300) what = what.substr(0, 300) + " ...";
    throw IoError(path + ": is not of " + network.name() + ": " + what);
  }
  return whole;
}

}  // namespace glia::vision
