// Glia's side of backend.py: backend FOLDER... runs each folder's model.onnx on its test data sets
// and prints a line for what differs: NAME: fault. The last line says how many passed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "glia/error.h"
#include "glia/onnx/model.h"

using namespace glia;
using onnx::Value;
namespace fs = std::filesystem;

namespace {

// As ONNX's own runner holds values against each other, or as data.json says.
struct Tolerance {
  double rtol = 1e-3, atol = 1e-7;
};

std::string differs(const Value& got, const Value& want, const Tolerance& t, bool values) {
  if (got.kind != want.kind) return "is of another kind";
  if (want.kind == Value::Kind::kStrings)
    return got.strings.shape == want.strings.shape && got.strings.values == want.strings.values
               ? ""
               : "other texts";
  if (want.kind == Value::Kind::kSequence) {
    if (got.sequence.size() != want.sequence.size()) return "a sequence of another length";
    for (size_t i = 0; i < want.sequence.size(); ++i) {
      const std::string fault = differs(got.sequence[i], want.sequence[i], t, values);
      if (!fault.empty()) return fault;
    }
    return "";
  }
  if (want.kind == Value::Kind::kNone) return "";
  if (got.type != want.type)
    return std::string("is ") + name(got.type) + ", not " + name(want.type);
  if (got.tensor.shape() != want.tensor.shape())
    return "has shape " + got.tensor.shape().str() + ", not " + want.tensor.shape().str();
  const auto a = got.tensor.to_vector<double>(), b = want.tensor.to_vector<double>();
  double worst = 0;
  for (size_t i = 0; values && i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double d = std::abs(a[i] - b[i]) - t.atol - t.rtol * std::abs(b[i]);
    if (!(d <= 0)) worst = std::isnan(d) ? INFINITY : std::max(worst, std::abs(a[i] - b[i]));
  }
  return worst > 0 ? "differs by " + std::to_string(worst) : "";
}

// Old files keep bfloat16 as NumPy's uint16.
Value as_bfloat16(const Value& bits) {
  std::vector<bfloat16> values;
  for (int64_t b : bits.tensor.to_vector<int64_t>()) {
    values.emplace_back();
    values.back().bits = static_cast<uint16_t>(b);
  }
  return from_vector(values, bits.tensor.shape());
}

Value read(const fs::path& path, const std::string& type) {
  if (type == "bfloat16") {
    const Value value = onnx::read_value(path.string());
    return value.type == onnx::ElementType::kUint16 ? as_bfloat16(value) : value;
  }
  if (type.starts_with("sequence")) return onnx::read_sequence(path.string());
  if (type.starts_with("optional")) return onnx::read_optional(path.string());
  return onnx::read_value(path.string());
}

std::string run(const fs::path& folder, bool values) {
  const onnx::Model model((folder / "model.onnx").string());
  Tolerance tolerance;
  if (std::ifstream in(folder / "tolerance"); in) in >> tolerance.rtol >> tolerance.atol;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    std::vector<Value> inputs, wanted;
    for (size_t i = 0; i < model.inputs().size(); ++i) {
      const fs::path file = entry.path() / ("input_" + std::to_string(i) + ".pb");
      inputs.push_back(fs::exists(file) ? read(file, model.inputs()[i].type) : Value());
    }
    for (size_t i = 0; i < model.outputs().size(); ++i)
      wanted.push_back(
          read(entry.path() / ("output_" + std::to_string(i) + ".pb"), model.outputs()[i].type));
    // Twice: what is folded in the first run serves the second one.
    for (int time = 0; time < 2; ++time) {
      const std::vector<Value> out = model.run(inputs);
      for (size_t i = 0; i < wanted.size(); ++i) {
        const std::string fault = differs(out[i], wanted[i], tolerance, values);
        if (!fault.empty())
          return "output " + std::to_string(i) + " " + fault + (time ? " the second time" : "");
      }
    }
  }
  return "";
}

}  // namespace

int main(int count, char** a) {
  int passed = 0, all = 0;
  for (int i = 1; i < count; ++i) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(a[i])) {
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
    }
    std::ranges::sort(folders);
    for (const fs::path& folder : folders) {
      const std::string name = folder.filename().string();
      // Of numbers drawn at random only types and shapes are compared.
      const bool drawn = name.find("bernoulli") != name.npos;
      std::string fault;
      try {
        fault = run(folder, !drawn);
      } catch (const std::exception& e) {
        fault = e.what();
      }
      ++all;
      passed += fault.empty();
      if (!fault.empty()) std::printf("%s: %s\n", name.c_str(), fault.c_str());
      std::fflush(stdout);
    }
  }
  std::printf("%d of %d\n", passed, all);
}
