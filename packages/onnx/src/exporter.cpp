#include "exporter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/onnx/value.h"
#include "glia/runtime.h"

namespace glia::onnx {
namespace {

void read_input(const KernelCall&) {
  throw ValueError("onnx::write: the function reads a value that depends on an input");
}
const Op kInput{.name = "onnx_input",
                .kind = Kind::kKernel,
                .run = read_input,
                .may_throw = true,
                .deferred = true};
const RegisterOp registered(kInput);

std::string line_of(const Recorded& r) {
  const Where& w = r.where();
  return std::filesystem::path(w.file_name()).filename().string() + ":" + std::to_string(w.line());
}

// Operations are recorded and not computed meanwhile.
class Recording {
 public:
  Recording() : eager_(eager()) { set_eager(false); }
  ~Recording() { set_eager(eager_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  const bool eager_;
  NoGrad no_grad_;
};

std::string_view bytes_of(const Tensor& t) {
  const size_t size = static_cast<size_t>(t.numel()) * size_of(t.dtype());
  const auto of = [&]<class T>(T) { return reinterpret_cast<const char*>(t.data<T>().data()); };
  switch (t.dtype()) {
    case kBool:
      return {of(bool{}), size};
    case kU8:
      return {of(uint8_t{}), size};
    case kI8:
      return {of(int8_t{}), size};
    case kI32:
      return {of(int32_t{}), size};
    case kI64:
      return {of(int64_t{}), size};
    case kF16:
      return {of(float16{}), size};
    case kBF16:
      return {of(bfloat16{}), size};
    case kF32:
      return {of(float{}), size};
    default:
      return {of(double{}), size};
  }
}

WireWriter value_info(const std::string& name, const Tensor& t, bool dynamic, const Shape& other) {
  WireWriter shape;
  for (int i = 0; i < t.rank(); ++i) {
    WireWriter dim;
    if (dynamic && t.size(i) != other[i])
      dim.bytes(2, t.size(i) == Exporter::kBatchA ? "batch" : "batch_" + std::to_string(i));
    else
      dim.integer(1, t.size(i));
    shape.message(1, dim);
  }
  WireWriter tensor, type, info;
  tensor.integer(1, static_cast<int>(element_type(t.dtype())));
  tensor.message(2, shape);
  type.message(1, tensor);
  info.bytes(1, name);
  info.message(2, type);
  return info;
}

}  // namespace

// ---- Site ----

void Site::fail(const std::string& fault) const {
  throw Error(std::string("onnx::write: ") + op().name + " (" + line_of(one_) + ") " + fault);
}

int64_t Site::integer(const Recorded& of, const char* name) {
  size_t word = 0;
  for (const AttributeField& f : of.op().attributes) {
    if (f.type == AttributeType::kShape) continue;
    if (f.name == name) return of.words().span()[word];
    ++word;
  }
  throw Error(std::string("onnx::write: ") + of.op().name + " has no attribute " + name);
}

Shape Site::sizes(const char* name) const {
  size_t numbers = 0, shapes = 0;
  for (const AttributeField& f : op().attributes)
    (f.type == AttributeType::kShape ? shapes : numbers)++;
  const auto words = one_.words().span();
  const size_t rank = shapes ? (words.size() - numbers) / shapes : 0;
  size_t at = numbers;
  for (const AttributeField& f : op().attributes) {
    if (f.type != AttributeType::kShape) continue;
    if (f.name == name) return Shape(words.subspan(at, rank));
    at += rank;
  }
  fail(std::string("has no attribute ") + name);
}

// ---- Names ----

Exporter::Exporter(const nn::Module& module, const WriteOptions& options) : options_(options) {
  const auto note = [&](const nn::NamedVariable& v) {
    const Tensor value = v.variable.tensor();
    eval(value);
    held_.push_back(value);
    parameters_.emplace(value.node(), v.name);
  };
  for (const auto& p : module.named_parameters()) note(p);
  for (const auto& b : module.named_buffers()) note(b);
}

std::string Exporter::fresh(const std::string& stem) {
  const int n = used_[stem]++;
  return n == 0 ? stem : stem + "_" + std::to_string(n);
}

Exporter::Entry& Exporter::entry(const Tensor& t) {
  const auto at = entries_.find(t.node());
  if (at == entries_.end()) throw Error("onnx::write: a value is used before it is written");
  return at->second.alias.defined() ? entry(at->second.alias) : at->second;
}
const Exporter::Entry* Exporter::find(const Tensor& t) const {
  const auto at = entries_.find(t.node());
  if (at == entries_.end()) return nullptr;
  return at->second.alias.defined() ? find(at->second.alias) : &at->second;
}

void Exporter::name(const Tensor& t, std::string plain, std::string pictures) {
  Entry& e = entries_[t.node()];
  e.plain = std::move(plain);
  e.pictures = std::move(pictures);
  held_.push_back(t);
}
void Exporter::name_output(const Tensor& tuple, int which, std::string plain) {
  outputs_[{tuple.node(), which}] = std::move(plain);
}

bool Exporter::has_pictures(const Tensor& t) const {
  const Entry* e = find(t);
  return e && !e->pictures.empty();
}
bool Exporter::is_constant(const Tensor& t) const {
  const Entry* e = find(t);
  return e && e->constant;
}

std::string Exporter::plain(const Tensor& t) {
  Entry& e = entry(t);
  if (!e.plain.empty()) return e.plain;
  if (e.constant) {
    const auto parameter = parameters_.find(t.node());
    const Tensor value = t;
    e.plain = initializer(parameter == parameters_.end() ? "" : parameter->second, value);
  } else {
    e.plain = add("Transpose", {e.pictures}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}});
  }
  return e.plain;
}

std::string Exporter::pictures(const Tensor& t) {
  Entry& e = entry(t);
  if (!e.pictures.empty()) return e.pictures;
  if (e.constant) {
    const auto parameter = parameters_.find(t.node());
    e.pictures = initializer(parameter == parameters_.end() ? "" : parameter->second,
                             permute(t, {0, 3, 1, 2}) + 0);
  } else {
    e.pictures = add("Transpose", {e.plain}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
  }
  return e.pictures;
}

std::string Exporter::over_pictures(const Tensor& t) {
  if (t.rank() == 0) return plain(t);
  if (t.rank() == 4) {
    const bool small = t.size(1) == 1 && t.size(2) == 1;
    return has_pictures(t) || is_constant(t) || small ? pictures(t) : "";
  }
  if (t.rank() != 1) return "";
  Entry& e = entry(t);
  if (!e.channels.empty()) return e.channels;
  const std::string name = plain(t);
  return entry(t).channels = add("Reshape", {name, integers({-1, 1, 1})});
}

// ---- Nodes ----

std::vector<std::string> Exporter::add_many(const std::string& op,
                                            const std::vector<std::string>& inputs,
                                            const std::vector<AttributeValue>& attributes,
                                            int outputs) {
  WireWriter node;
  for (const std::string& i : inputs) node.bytes(1, i);
  std::vector<std::string> out;
  for (int o = 0; o < outputs; ++o) {
    out.push_back(fresh(op));
    node.bytes(2, out.back());
  }
  node.bytes(3, out[0]);
  node.bytes(4, op);
  for (const AttributeValue& a : attributes) {
    WireWriter w;
    w.bytes(1, a.name);
    if (const auto* i = std::get_if<int64_t>(&a.value)) {
      w.integer(3, *i);
      w.integer(20, 2);
    } else if (const auto* r = std::get_if<double>(&a.value)) {
      w.real(2, static_cast<float>(*r));
      w.integer(20, 1);
    } else if (const auto* list = std::get_if<std::vector<int64_t>>(&a.value)) {
      for (int64_t i : *list) w.integer(8, i);
      w.integer(20, 7);
    } else {
      w.bytes(4, std::get<std::string>(a.value));
      w.integer(20, 3);
    }
    node.message(5, w);
  }
  parts_.push_back({1, inputs, out, std::move(node)});
  return out;
}
std::string Exporter::add(const std::string& op, const std::vector<std::string>& inputs,
                          const std::vector<AttributeValue>& attributes) {
  return add_many(op, inputs, attributes, 1)[0];
}

std::string Exporter::initializer(const std::string& called, const Tensor& value) {
  eval(value);
  const std::string_view bytes = bytes_of(value);
  std::string key;
  if (called.empty() && bytes.size() <= 4096) {  // equal constants are one
    key = value.shape().str() + glia::name(value.dtype()) + std::string(bytes);
    if (const auto at = constants_.find(key); at != constants_.end()) return at->second;
  }
  const std::string name = fresh(called.empty() ? "constant" : called);
  WireWriter tensor;
  for (int64_t d : value.shape()) tensor.integer(1, d);
  tensor.integer(2, static_cast<int>(element_type(value.dtype())));
  tensor.bytes(8, name);
  if (options_.external_data && bytes.size() >= 1024) {
    data_.resize((data_.size() + 63) / 64 * 64);
    for (const auto& [k, v] : std::vector<std::pair<std::string, std::string>>{
             {"location", data_file_},
             {"offset", std::to_string(data_.size())},
             {"length", std::to_string(bytes.size())}}) {
      WireWriter says;
      says.bytes(1, k);
      says.bytes(2, v);
      tensor.message(13, says);
    }
    tensor.integer(14, 1);
    data_ += bytes;
  } else {
    tensor.bytes(9, bytes);
  }
  parts_.push_back({5, {}, {name}, std::move(tensor)});
  if (!key.empty()) constants_[key] = name;
  return name;
}

std::string Exporter::integers(const std::vector<int64_t>& values) {
  return initializer("", from_vector(values, {static_cast<int64_t>(values.size())}));
}
std::string Exporter::number(double value, DType dtype) {
  return initializer("", full({}, value, dtype));
}

std::string Exporter::batch() {
  if (batch_.empty())
    batch_ = add("Shape", {first_input_}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  return batch_;
}

std::string Exporter::size(int64_t a, int64_t b) {
  if (a == b) return integers({a});
  const int64_t slope = (b - a) / (kBatchB - kBatchA), rest = a - slope * kBatchA;
  if (slope * kBatchB + rest != b) throw Error("onnx::write: a size is no multiple of the batch");
  std::string out = batch();
  if (slope != 1) out = add("Mul", {out, integers({slope})});
  if (rest != 0) out = add("Add", {out, integers({rest})});
  return out;
}

std::string Exporter::shape(const Shape& a, const Shape& b) {
  if (a == b) return integers({a.begin(), a.end()});
  std::vector<std::string> parts;
  std::vector<int64_t> known;
  const auto flush = [&] {
    if (!known.empty()) parts.push_back(integers(known));
    known.clear();
  };
  for (int i = 0; i < a.rank(); ++i) {
    if (a[i] == b[i]) {
      known.push_back(a[i]);
      continue;
    }
    flush();
    parts.push_back(size(a[i], b[i]));
  }
  flush();
  return parts.size() == 1 ? parts[0] : add("Concat", parts, {{"axis", int64_t{0}}});
}

// ---- The walk ----

// What is no operation on something that is written: constants, parameters, numbers.
bool Exporter::leaf(const Tensor& a, const Tensor& b) {
  const Recorded one(*a.node());
  if (parameters_.contains(a.node())) {
    entries_[a.node()].constant = true;
    return true;
  }
  const Op& op = one.op();
  if (op.draws || (op.kind == Kind::kKernel && std::string_view(op.name) == kInput.name))
    throw Error(std::string("onnx::write: ") + op.name + " (" + line_of(one) +
                ") draws random numbers");
  if (op.kind == Kind::kScalar || one.inputs() == 0 || op.kind == Kind::kLeaf) {
    if (op.kind == Kind::kScalar) {
      const double va = a.item(), vb = b.item();
      if (va != vb) {  // a number that follows from the batch
        const auto typed = [&](const std::string& v) {
          return add("Squeeze",
                     {add("Cast", {v}, {{"to", static_cast<int64_t>(element_type(a.dtype()))}})});
        };
        std::string out;
        if (va == std::floor(va) && vb == std::floor(vb)) {
          out = typed(size(static_cast<int64_t>(va), static_cast<int64_t>(vb)));
        } else if (std::abs(va * kBatchA - vb * kBatchB) <= 1e-6 * std::abs(vb)) {  // of a mean
          out = add("Div", {number(va * kBatchA, a.dtype()), typed(batch())});
        } else {
          throw Error("onnx::write: a number (" + line_of(one) + ") depends on the batch");
        }
        name(a, out);
        return true;
      }
    }
    if (a.shape() != b.shape())
      throw Error("onnx::write: a constant (" + line_of(one) + ") depends on the batch");
    entries_[a.node()].constant = true;
    held_.push_back(a);
    return true;
  }
  return false;
}

std::pair<Tensor, Tensor> Exporter::composed(const Tensor& a, const Tensor& b, int which) {
  auto& both = composed_[a.node()];
  if (both.first.empty()) {
    const auto of = [](const Tensor& t) {
      const Recorded r(*t.node());
      std::vector<Tensor> inputs;
      for (int i = 0; i < r.inputs(); ++i) inputs.push_back(r.in(i));
      return r.op().compose(r, inputs);
    };
    both = {of(a), of(b)};
    held_.push_back(a);
  }
  return {both.first.at(which), both.second.at(which)};
}

void Exporter::visit(const Tensor& root_a, const Tensor& root_b) {
  std::vector<Key> stack{{root_a, root_b}};
  while (!stack.empty()) {
    const auto [a, b] = stack.back();
    if (entries_.contains(a.node())) {
      stack.pop_back();
      continue;
    }
    if (leaf(a, b)) {
      held_.push_back(a);
      stack.pop_back();
      continue;
    }
    const Site site(*this, a, b);
    const Recorded &one = site.one(), &two = site.two();
    if (std::string_view(one.op().name) != two.op().name || one.inputs() != two.inputs() ||
        a.rank() != b.rank())
      site.depends_on_batch();
    const bool is_output = one.op().kind == Kind::kOutput;
    const Tensor owner_a = is_output ? one.in(0) : a, owner_b = is_output ? two.in(0) : b;
    const int which = is_output ? static_cast<int>(one.attributes<OutputAttributes>().which) : 0;
    const Recorded owner_one(*owner_a.node()), owner_two(*owner_b.node());
    WriteOperation write = find_writer(owner_one.op().name);
    if (write || owner_one.op().kind != Kind::kMacro) {
      bool waits = false, constant = !is_output && a.shape() == b.shape();
      for (int i = 0; i < owner_one.inputs(); ++i) {
        const Tensor in = owner_one.in(i);
        if (!in.defined()) continue;
        if (!entries_.contains(in.node())) {
          stack.emplace_back(in, owner_two.in(i));
          waits = true;
        } else {
          constant &= is_constant(in) && !parameters_.contains(in.node());
        }
      }
      if (waits) continue;
      if (constant) {
        entries_[a.node()].constant = true;
        held_.push_back(a);
        stack.pop_back();
        continue;
      }
      if (!write) {
        if (one.op().kind == Kind::kView && one.op().identity) {
          entries_[a.node()].alias = one.in(0);
          held_.push_back(a);
          stack.pop_back();
          continue;
        }
        site.fail("has no counterpart in ONNX");
      }
      if (is_output) {
        const auto key = std::pair<const Node*, int>(owner_a.node(), which);
        if (!outputs_.contains(key)) write(Site(*this, owner_a, owner_b));
        if (outputs_.contains(key)) {
          name(a, outputs_[key]);
          stack.pop_back();
          continue;
        }
      } else {
        write(site);
        if (entries_.contains(a.node())) {
          stack.pop_back();
          continue;
        }
      }
      if (owner_one.op().kind != Kind::kMacro)
        site.fail("has no counterpart in ONNX with these arguments");
    }
    // By the operations that it stands for.
    const auto [part_a, part_b] = composed(owner_a, owner_b, which);
    if (!part_a.defined()) site.fail("gives nothing");
    if (entries_.contains(part_a.node())) {
      entries_[a.node()].alias = part_a;
      held_.push_back(a);
      stack.pop_back();
    } else {
      stack.emplace_back(part_a, part_b);
    }
  }
}

void Exporter::write_all(const std::vector<Tensor>& inputs_a, const std::vector<Tensor>& inputs_b,
                         const std::vector<Tensor>& outputs_a,
                         const std::vector<Tensor>& outputs_b) {
  const auto called = [](const std::vector<std::string>& names, const char* stem, size_t i) {
    if (i < names.size()) return names[i];
    return i == 0 ? std::string(stem) : stem + ("_" + std::to_string(i));
  };
  for (size_t i = 0; i < options_.output_names.size() || i < outputs_a.size(); ++i)
    used_[called(options_.output_names, "output", i)] = 1;
  for (size_t i = 0; i < inputs_a.size(); ++i) {
    const std::string given = called(options_.input_names, "input", i);
    used_[given] = 1;
    name(inputs_a[i], given);
    if (i == 0) first_input_ = given;
    ends_.message(11, value_info(given, inputs_a[i], options_.dynamic_batch, inputs_b[i].shape()));
  }
  if (outputs_a.size() != outputs_b.size())
    throw Error("onnx::write: the function gives another number of values for another batch");
  for (size_t i = 0; i < outputs_a.size(); ++i) {
    visit(outputs_a[i], outputs_b[i]);
    const std::string given = called(options_.output_names, "output", i);
    const std::string value = plain(outputs_a[i]);
    WireWriter node;
    node.bytes(1, value);
    node.bytes(2, given);
    node.bytes(3, given);
    node.bytes(4, "Identity");
    parts_.push_back({1, {value}, {given}, std::move(node)});
    wanted_.push_back(given);
    ends_.message(12,
                  value_info(given, outputs_a[i], options_.dynamic_batch, outputs_b[i].shape()));
  }
}

void Exporter::save(const std::string& path) const {
  std::set<std::string> needed(wanted_.begin(), wanted_.end());
  std::vector<bool> kept(parts_.size());
  for (size_t i = parts_.size(); i-- > 0;) {  // inputs of a node stand before it
    const Part& part = parts_[i];
    kept[i] = std::ranges::any_of(part.outputs, [&](const auto& o) { return needed.contains(o); });
    if (kept[i]) needed.insert(part.inputs.begin(), part.inputs.end());
  }
  WireWriter graph = ends_, model, opset;
  graph.bytes(2, "glia");
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (kept[i]) graph.message(parts_[i].field, parts_[i].message);
  }
  model.integer(1, 9);
  model.bytes(2, "Glia");
  model.message(7, graph);
  opset.bytes(1, "");
  opset.integer(2, kOpset);
  model.message(8, opset);
  if (model.str().size() > (size_t{1} << 31) - 1)
    throw Error("onnx::write: the model has more than 2 GB: ask for external data");
  if (options_.external_data) io::write_file_atomic(path + ".data", data_);
  io::write_file_atomic(path, model.str());
}

void write(const std::string& path, const nn::Module& module,
           const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
           const std::vector<Tensor>& examples, const WriteOptions& options) {
  if (module.is_training())
    throw Error("onnx::write: the module is in training mode: call eval() before");
  if (examples.empty()) throw Error("onnx::write: there is no example of an input");
  const Recording recording;
  const auto inputs = [&](int64_t batch) {
    std::vector<Tensor> out;
    for (const Tensor& e : examples) {
      Shape shape = e.shape();
      if (options.dynamic_batch && shape.rank() > 0) shape[0] = batch;
      out.push_back(record(kInput, {}, shape, e.dtype(), AttributeWords(), Where::current()));
    }
    return out;
  };
  const auto in_a = inputs(Exporter::kBatchA), in_b = inputs(Exporter::kBatchB);
  const auto out_a = f(in_a), out_b = options.dynamic_batch ? f(in_b) : out_a;
  Exporter exporter(module, options);
  exporter.set_data_file(std::filesystem::path(path).filename().string() + ".data");
  exporter.write_all(in_a, options.dynamic_batch ? in_b : in_a, out_a, out_b);
  exporter.save(path);
}

}  // namespace glia::onnx
