// A model's graph as it is run: operators looked up, names replaced by places.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "messages.h"

namespace glia::onnx {

class Call;

// ---- Operators ----------------------------------------------------------------------------------

// One operator: adding one is adding an entry to a list of an `Operators` in src/ops.
struct Operator {
  const char* name;  // with its domain if that is not ONNX's own: "ai.onnx.ml.Scaler"
  void (*run)(Call&);
  struct Traits {
    uint32_t read = 0;     // inputs whose values say what is to be done, a bit for each
    uint32_t weights = 0;  // kernels of convolutions, kept with channels last
    uint32_t buffers = 0;  // running statistics
    bool draws = false;    // gives other numbers each time
  } traits = {};
};
struct Operators {
  Operators(std::initializer_list<Operator> list);
};
const Operator* find_operator(const std::string& name);
std::vector<std::string> operator_names();

// ---- Graphs -------------------------------------------------------------------------------------

// A value while a graph runs.
struct Held {
  Value::Kind kind = Value::Kind::kNone;
  ElementType type = ElementType::kUndefined;
  bool channels_last = false;  // the tensor is (N, ..., C) for ONNX's (N, C, ...)
  bool fixed = false;          // follows from constants and shapes of inputs
  bool shape_fixed = true;     // its shape does
  Tensor tensor = {};
  std::shared_ptr<const Strings> strings = {};
  std::shared_ptr<const std::vector<Held>> sequence = {};

  Held() = default;
  Held(const Tensor& t) : Held(t, element_type(t.dtype())) {}
  Held(const Tensor& t, ElementType its_type)
      : kind(Value::Kind::kTensor), type(its_type), tensor(t) {}
  explicit Held(Strings texts)
      : kind(Value::Kind::kStrings),
        type(ElementType::kString),
        strings(std::make_shared<const Strings>(std::move(texts))) {}
  explicit Held(std::vector<Held> items)
      : kind(Value::Kind::kSequence),
        sequence(std::make_shared<const std::vector<Held>>(std::move(items))) {}
  explicit Held(const Value& value);

  bool given() const { return kind != Value::Kind::kNone; }
  bool is_tensor() const { return kind == Value::Kind::kTensor; }
  Tensor logical() const;  // in ONNX's order of axes
  Shape shape() const;     // in ONNX's order
  Value value() const;
};
// (N, C, ...) -> (N, ..., C) and back.
Tensor to_channels_last(const Tensor& x);
Tensor to_channels_first(const Tensor& x);

struct Graph;
struct Node {
  const Operator* op = nullptr;
  std::string label;                  // what errors call it: "Conv \"conv1\""
  std::vector<int> inputs, outputs;   // places; -1: not given
  std::vector<int> last;              // places that nothing reads afterwards
  std::vector<Attribute> attributes;  // but graphs
  std::vector<std::pair<std::string, std::shared_ptr<const Graph>>> graphs;
  int opset = 0;
};

// An initializer that is a parameter (or buffer) of the model.
struct Variables {
  int place = 0, index = 0;
  bool buffer = false;
};
struct Graph {
  int places = 0;
  std::vector<int> inputs, outputs;
  std::vector<std::string> input_names, output_names;
  std::vector<Node> nodes;
  std::vector<std::pair<int, Held>> constants;
  std::vector<Variables> variables;
  std::vector<std::pair<int, int>> captures;  // places outside and here
};

struct ParameterInfo {
  std::string name;
  Tensor value;  // as it is kept
  ElementType type;
  bool buffer = false, channels_last = false;
};

struct Program {
  std::string file;
  int opset = 0;
  std::vector<ValueInfo> inputs, outputs;
  std::vector<std::string> op_types;
  std::vector<ParameterInfo> parameters, buffers;
  Graph graph;
};
// Throws IoError.
Program compile(const ModelMessage& model, const std::string& file);

// ---- Running ------------------------------------------------------------------------------------

// What a graph's nodes compute from constants and shapes alone, once for one combination of shapes.
struct Folded {
  struct Step {
    int node = 0;
    bool folded = false;
  };
  bool complete = false;
  std::vector<std::vector<Held>> outputs;  // of nodes that are folded
  std::vector<Step> steps;                 // nodes to run, and those whose outputs they need
  std::mutex lock;                         // of `inner`
  std::map<std::pair<int, std::string>, std::shared_ptr<Folded>> inner;  // of nodes' graphs
};

// The last combinations of shapes.
class Plans {
 public:
  std::shared_ptr<Folded> find(const std::string& key);
  void keep(const std::string& key, std::shared_ptr<Folded> folded);

 private:
  static constexpr size_t kMost = 16;
  std::mutex lock_;
  std::vector<std::pair<std::string, std::shared_ptr<Folded>>> kept_;  // the latest last
};

// The values of a model's variables, for one run.
struct Run {
  std::vector<Tensor> parameters, buffers;
  const Program& program;
};

struct Frame {
  const Graph& graph;
  Run& run;
  std::vector<Held> places;
  Folded& folded;
};
// `outer`: what the graph captures from. Makes `folded` complete.
std::vector<Held> execute(const Graph& graph, std::vector<Held> inputs, const Frame* outer,
                          Folded& folded, Run& run);

}  // namespace glia::onnx
