// A recorded graph on its way into an ONNX file.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "glia/onnx/export.h"
#include "glia/op.h"
#include "glia/ops.h"
#include "wire.h"

namespace glia::onnx {

class Exporter;

struct AttributeValue {
  std::string name;
  std::variant<int64_t, double, std::vector<int64_t>, std::string> value;
};

// An operation as it is written. The graph is recorded for two sizes of the batch: what differs
// between both depends on it.
class Site {
 public:
  Site(Exporter& to, const Tensor& a, const Tensor& b)
      : to(to), a(a), b(b), one_(*a.node()), two_(*b.node()) {}

  const Recorded& one() const { return one_; }
  const Recorded& two() const { return two_; }
  Tensor in(int i) const { return one_.in(i); }
  const Op& op() const { return one_.op(); }
  // An attribute by its name; and the same of a Shape.
  int64_t integer(const char* name) const { return integer(one_, name); }
  bool same(const char* name) const { return integer(one_, name) == integer(two_, name); }
  Shape sizes(const char* name) const;
  [[noreturn]] void fail(const std::string& fault) const;
  [[noreturn]] void depends_on_batch() const { fail("is another operation for another batch"); }

  Exporter& to;
  const Tensor a, b;

 private:
  static int64_t integer(const Recorded& of, const char* name);
  Recorded one_, two_;
};

// How an operation is written: it names the value by Exporter::name().
using WriteOperation = void (*)(const Site&);
// Null: none.
WriteOperation find_writer(const std::string& op);

class Exporter {
 public:
  Exporter(const nn::Module& module, const WriteOptions& options);

  // Writes everything below these outputs.
  void write_all(const std::vector<Tensor>& inputs_a, const std::vector<Tensor>& inputs_b,
                 const std::vector<Tensor>& outputs_a, const std::vector<Tensor>& outputs_b);
  void save(const std::string& path) const;
  void set_data_file(std::string name) { data_file_ = std::move(name); }

  // ---- For operations ----
  // The names of a value that is written: as it is, or, of (N, H, W, C), as (N, C, H, W).
  std::string plain(const Tensor& t);
  std::string pictures(const Tensor& t);
  bool has_pictures(const Tensor& t) const;
  bool is_constant(const Tensor& t) const;
  // What broadcasts over (N, C, H, W) as t does over (N, H, W, C); empty: nothing.
  std::string over_pictures(const Tensor& t);
  void name(const Tensor& t, std::string plain, std::string pictures = "");
  void name_output(const Tensor& tuple, int which, std::string plain);

  std::string add(const std::string& op, const std::vector<std::string>& inputs,
                  const std::vector<AttributeValue>& attributes = {});
  std::vector<std::string> add_many(const std::string& op, const std::vector<std::string>& inputs,
                                    const std::vector<AttributeValue>& attributes, int outputs);
  std::string integers(const std::vector<int64_t>& values);
  std::string number(double value, DType dtype);
  // (rank) int64: a shape that may have the batch in it.
  std::string shape(const Shape& a, const Shape& b);
  // One size, (1) int64.
  std::string size(int64_t a, int64_t b);

  static constexpr int kOpset = 20;
  static constexpr int64_t kBatchA = 3, kBatchB = 5;

 private:
  struct Entry {
    std::string plain, pictures, channels;
    bool constant = false;
    Tensor alias = {};  // the same value
  };
  using Key = std::pair<Tensor, Tensor>;

  void visit(const Tensor& a, const Tensor& b);
  bool leaf(const Tensor& a, const Tensor& b);
  std::pair<Tensor, Tensor> composed(const Tensor& a, const Tensor& b, int which);
  Entry& entry(const Tensor& t);
  const Entry* find(const Tensor& t) const;
  std::string initializer(const std::string& name, const Tensor& value);
  std::string fresh(const std::string& stem);
  std::string batch();

  const WriteOptions& options_;
  std::unordered_map<const Node*, Entry> entries_;
  std::vector<Tensor> held_;  // so that no node's address is used again
  std::unordered_map<const Node*, std::string> parameters_;
  std::unordered_map<const Node*, std::pair<std::vector<Tensor>, std::vector<Tensor>>> composed_;
  std::map<std::pair<const Node*, int>, std::string> outputs_;
  std::map<std::string, std::string> constants_;  // by their bytes
  std::map<std::string, int> used_;               // names
  std::string batch_, first_input_;
  // Nodes and initializers, of which those are written that an output needs.
  struct Part {
    int field;  // of a GraphProto
    std::vector<std::string> inputs, outputs;
    WireWriter message;
  };
  std::vector<Part> parts_;
  WireWriter ends_;  // inputs and outputs
  std::vector<std::string> wanted_;
  std::string data_;  // of external data
  std::string data_file_;
};

}  // namespace glia::onnx
