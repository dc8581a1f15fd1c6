// An ONNX file's messages (onnx.proto), read whole, with tensors as values.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/onnx/model.h"

namespace glia::onnx {

struct GraphMessage;

struct Attribute {
  std::string name, reference;  // `reference`: the attribute of the function's call that it is
  enum class Kind : uint8_t {
    kNone,
    kReal,
    kInteger,
    kText,
    kValue,
    kGraph,
    kReals,
    kIntegers,
    kTexts
  };
  Kind kind = Kind::kNone;
  double real = 0;
  int64_t integer = 0;
  std::string text;
  Value value;
  std::shared_ptr<const GraphMessage> graph;
  std::vector<double> reals;
  std::vector<int64_t> integers;
  std::vector<std::string> texts;
};

struct NodeMessage {
  std::string name, op, domain;
  std::vector<std::string> inputs, outputs;  // "": not given
  std::vector<Attribute> attributes;
};

struct GraphMessage {
  std::string name;
  std::vector<NodeMessage> nodes;
  std::vector<std::pair<std::string, Value>> initializers;
  std::vector<ValueInfo> inputs, outputs;
};

using Opsets = std::vector<std::pair<std::string, int>>;  // of domains

// A function of the model's own, which a node calls as if it were an operator.
struct FunctionMessage {
  std::string name, domain;
  std::vector<std::string> inputs, outputs;
  std::vector<Attribute> defaults;
  std::vector<NodeMessage> nodes;
  Opsets opsets;
};

struct ModelMessage {
  Opsets opsets;
  GraphMessage graph;
  std::vector<FunctionMessage> functions;
};

// Throws IoError "file: fault".
ModelMessage read_model(std::string_view bytes, const std::string& file, const std::string& folder);

}  // namespace glia::onnx
