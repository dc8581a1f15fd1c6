#include "glia/onnx/model.h"

#include <algorithm>
#include <filesystem>

#include "glia/error.h"
#include "glia/io.h"
#include "program.h"

namespace glia::onnx {
namespace {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// What a value is called beside ValueInfo::type.
std::string type_of(const Value& v) {
  switch (v.kind) {
    case Value::Kind::kTensor:
    case Value::Kind::kStrings:
      return name(v.type);
    case Value::Kind::kSequence:
      return "sequence";
    default:
      return "nothing";
  }
}

void check(const ValueInfo& info, const Value& value, const Where& where) {
  const std::string called = "onnx: input \"" + info.name + "\"";
  if (info.type.starts_with("optional")) return;
  if (info.type.starts_with("sequence")) {
    if (value.kind != Value::Kind::kSequence)
      throw ShapeError(called + " takes " + info.type + ", not " + type_of(value), where);
    return;
  }
  if (!info.type.empty() && info.type != type_of(value))
    throw ShapeError(called + " takes " + info.type + ", not " + type_of(value), where);
  if (!info.has_shape) return;
  const Shape shape =
      value.kind == Value::Kind::kStrings ? value.strings.shape : Held(value).shape();
  bool same = shape.rank() == static_cast<int>(info.shape.size());
  std::string wants;
  for (size_t i = 0; i < info.shape.size(); ++i) {
    const std::string& size = info.shape[i];
    wants += (i ? ", " : "") + size;
    const bool stated = size.find_first_not_of("0123456789") == size.npos && size != "0";
    if (same && stated && size != std::to_string(shape[static_cast<int>(i)])) same = false;
  }
  if (!same) throw ShapeError(called + " takes (" + wants + "), not " + shape.str(), where);
}

}  // namespace

Model::Model(const std::string& path) : Model(io::read_file(path), path, folder_of(path)) {}
Model Model::from_bytes(std::string_view bytes, const std::string& name,
                        const std::string& folder) {
  return {bytes, name, folder};
}
Model::Model(std::string_view bytes, const std::string& name, const std::string& folder) {
  Program program = compile(read_model(bytes, name, folder), name);
  for (ParameterInfo& p : program.parameters) parameters_.emplace_back(std::exchange(p.value, {}));
  for (ParameterInfo& b : program.buffers) buffers_.emplace_back(std::exchange(b.value, {}));
  program_ = std::make_shared<const Program>(std::move(program));
  plans_ = std::make_shared<Plans>();
}

const std::vector<ValueInfo>& Model::inputs() const { return program_->inputs; }
const std::vector<ValueInfo>& Model::outputs() const { return program_->outputs; }
int Model::opset() const { return program_->opset; }
std::vector<std::string> Model::op_types() const { return program_->op_types; }

std::vector<Value> Model::run(const std::vector<Value>& x, Where where) const {
  const Program& program = *program_;
  if (x.size() != program.inputs.size())
    throw ShapeError("onnx: the model has " + std::to_string(program.inputs.size()) +
                         " inputs and gets " + std::to_string(x.size()),
                     where);
  std::string key;
  std::vector<Held> inputs;
  for (size_t i = 0; i < x.size(); ++i) {
    check(program.inputs[i], x[i], where);
    Held held(x[i]);
    key += std::to_string(static_cast<int>(held.type)) + type_of(x[i])[0];
    if (held.is_tensor()) {
      const Shape& shape = held.tensor.shape();
      key += shape.str();
      // A single integer mostly says what is to be done: a rate, a number of steps.
      held.fixed = shape.rank() == 0 && !is_float(held.tensor.dtype());
      if (held.fixed) key += "=" + std::to_string(held.tensor.item<int64_t>());
    }
    held.shape_fixed = held.is_tensor();
    key += ';';
    inputs.push_back(std::move(held));
  }
  Run run{.program = program};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    run.parameters.push_back(parameters_[i].tensor());
    const ElementType type = element_type(run.parameters.back().dtype());
    if (type != program.parameters[i].type) key += std::to_string(i) + name(type);  // after to()
  }
  for (const Buffer& b : buffers_) run.buffers.push_back(b.tensor());
  std::shared_ptr<Folded> folded = plans_->find(key);
  const bool is_new = !folded;
  if (is_new) folded = std::make_shared<Folded>();
  const std::vector<Held> results =
      execute(program.graph, std::move(inputs), nullptr, *folded, run);
  if (is_new) plans_->keep(key, folded);
  std::vector<Value> out;
  for (const Held& held : results) out.push_back(held.value());
  return out;
}

std::vector<std::pair<std::string, Value>> Model::run(
    const std::vector<std::pair<std::string, Value>>& x, Where where) const {
  std::vector<Value> inputs(program_->inputs.size());
  for (const auto& [name, value] : x) {
    const auto at = std::ranges::find(program_->inputs, name, &ValueInfo::name);
    if (at == program_->inputs.end())
      throw Error("onnx: the model has no input \"" + name + "\"", where);
    inputs[at - program_->inputs.begin()] = value;
  }
  std::vector<Value> results = run(inputs, where);
  std::vector<std::pair<std::string, Value>> out;
  for (size_t i = 0; i < results.size(); ++i)
    out.emplace_back(program_->outputs[i].name, std::move(results[i]));
  return out;
}

std::vector<Tensor> Model::operator()(const std::vector<Tensor>& x, Where where) const {
  std::vector<Value> inputs;
  for (size_t i = 0; i < x.size(); ++i) {
    // u32 and the like arrive in what they are kept in.
    ElementType type = x[i].defined() ? element_type(x[i].dtype(where)) : ElementType::kUndefined;
    for (int t = 1; t < kElementTypes && i < program_->inputs.size(); ++t) {
      const auto stated = static_cast<ElementType>(t);
      if (program_->inputs[i].type == name(stated) && stated != ElementType::kString &&
          x[i].defined() && stored_as(stated) == x[i].dtype(where))
        type = stated;
    }
    inputs.push_back(x[i].defined() ? Value(x[i], type) : Value());
  }
  std::vector<Tensor> out;
  for (const Value& v : run(inputs, where)) {
    if (v.kind != Value::Kind::kTensor)
      throw Error("onnx: an output is no tensor of numbers: ask run() for it", where);
    out.push_back(v.tensor);
  }
  return out;
}

Tensor Model::operator()(const Tensor& x, Where where) const {
  return (*this)(std::vector<Tensor>{x}, where).at(0);
}

void Model::visit_fields(nn::FieldVisitor& visitor) const {
  for (size_t i = 0; i < parameters_.size(); ++i)
    visitor.parameter(program_->parameters[i].name, parameters_[i]);
  for (size_t i = 0; i < buffers_.size(); ++i)
    visitor.buffer(program_->buffers[i].name, buffers_[i]);
}

namespace {
bool is_channels_last(const Program& program, std::string_view name) {
  const auto at = std::ranges::find(program.parameters, name, &ParameterInfo::name);
  return at != program.parameters.end() && at->channels_last;
}
}  // namespace

Tensor Model::to_state(std::string_view name, const Tensor& value) const {
  return is_channels_last(*program_, name) ? to_channels_first(value) : value;
}
Tensor Model::from_state(std::string_view name, const Tensor& value) const {
  return is_channels_last(*program_, name) ? to_channels_last(value) : value;
}

}  // namespace glia::onnx
