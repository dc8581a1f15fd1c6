// ONNX models as modules: read from a file, run, trained further, written again.
//
//   const onnx::Model net("mobilenet.onnx");
//   const Tensor scores = net(image);  // (1, 3, 224, 224) -> (1, 1000)
//
// Operators of opset 1 to 28 and a part of ai.onnx.ml; docs/onnx.md lists them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/nn/module.h"
#include "glia/onnx/value.h"

namespace glia::onnx {

// An input or an output.
struct ValueInfo {
  std::string name;
  // "float32", "string", "sequence(float32)", "optional(int64)"; empty: the file does not say.
  std::string type;
  // Numbers, names of sizes that are free, or "?"; nothing may be said of a shape at all.
  std::vector<std::string> shape;
  bool has_shape = false;
};

struct Program;  // private: packages/onnx/src/program.h
class Plans;     // private: packages/onnx/src/program.h

// A graph of operators. Its initializers that are floats are parameters under their names (running
// statistics of batch normalisation buffers), other numbers are constants. What depends on
// constants and the shapes of inputs alone, such as the arguments of a Reshape, is computed once
// for each combination of shapes. Copies are independent models, as of all modules; runs of several
// threads at once are allowed.
class Model : public nn::Module {
 public:
  // Reads a file, and what it keeps outside (external data), which must lie in the file's folder.
  // Throws IoError "FILE: fault" for a file that is no model: cut short, with a circle, an operator
  // that there is not, sizes that its bytes do not have.
  explicit Model(const std::string& path);
  // The same of a file's bytes; `name` is what errors call it. Empty `folder`: external data are
  // refused.
  static Model from_bytes(std::string_view bytes, const std::string& name = "ONNX model",
                          const std::string& folder = "");

  const std::vector<ValueInfo>& inputs() const;
  const std::vector<ValueInfo>& outputs() const;
  int opset() const;  // of ONNX's own operators
  // The operators that it has, each once, "ai.onnx.ml.Scaler" with their domain.
  std::vector<std::string> op_types() const;

  // A model of one input: its first output.
  Tensor operator()(const Tensor& x, Where where = Where::current()) const;
  // Inputs in the order of inputs(), all outputs. Throws ShapeError for another number of inputs,
  // or another dtype or shape than the file says, and Error "NODE: fault" where an operator fails.
  std::vector<Tensor> operator()(const std::vector<Tensor>& x,
                                 Where where = Where::current()) const;
  // The same of values of any kind. What the file has a default for may be nothing.
  std::vector<Value> run(const std::vector<Value>& x, Where where = Where::current()) const;
  // By name.
  std::vector<std::pair<std::string, Value>> run(
      const std::vector<std::pair<std::string, Value>>& x, Where where = Where::current()) const;

  void visit_fields(nn::FieldVisitor& visitor) const override;

 protected:
  Tensor to_state(std::string_view name, const Tensor& value) const override;
  Tensor from_state(std::string_view name, const Tensor& value) const override;

 private:
  Model(std::string_view bytes, const std::string& name, const std::string& folder);

  std::shared_ptr<const Program> program_;
  std::shared_ptr<Plans> plans_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
};

// A file of one TensorProto, SequenceProto or OptionalProto, as ONNX's tests have them.
Value read_value(const std::string& path);
Value read_sequence(const std::string& path);
Value read_optional(const std::string& path);

}  // namespace glia::onnx
