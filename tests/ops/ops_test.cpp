// Tests generated from the registry of operations: each is held against an independent reference
// in every dtype, layout and shape, against its own eager, fused and threaded runs, and its
// derivatives against finite differences. docs/ops.md is the table of what was checked.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/op.h"
#include "runtime/backend.h"
#include "tests/support/array_cases.h"
#include "tests/support/elementwise_cases.h"
#include "tests/support/kernel_cases.h"
#include "tests/support/op_checker.h"
#include "tests/support/special_cases.h"

namespace glia::test {
namespace {

// Operations that cannot have these checks, which give each input numbers of its own and compare
// one result with a reference; why not, and the tests that hold them. Macro ops have macro_test.
struct Excuse {
  const char *why, *where;
};
const std::map<std::string, Excuse>& covered_elsewhere() {
  constexpr const char* kRows =
      "its inputs belong together: rising starts, and columns between them";
  constexpr const char* kSequences = "its inputs belong together: labels, and how many there are";
  static const std::map<std::string, Excuse> all{
      {"bag_argmax", {kRows, "sparse_test: embedding_bag"}},
      {"barrier", {"says when, not what: its value is its input", "transforms_test: checkpoint"}},
      {"ctc_loss", {kSequences, "ctc_test: against a sum over all paths"}},
      {"ctc_loss_backward", {kSequences, "ctc_test: gradients by differences"}},
      {"dot_rows", {kRows, "sparse_test: embedding_bag, spmm"}},
      {"fft", {"has two results of one kind", "fft_test"}},
      {"foreach", {"applies a rule that it is given", "optim_test: every optimizer"}},
      {"foreach_rows",
       {"applies a rule that it is given", "sparse_test: optimizers with row-sparse gradients"}},
      {"group_rows", {"has three results of one kind", "sparse_test: embedding_bag"}},
      {"irfft", {"its inputs belong together: two parts", "fft_test"}},
      {"placeholder", {"has no value", "transforms_test: vmap"}},
      {"rfft", {"has two results of one kind", "fft_test"}},
      {"sparse_cg", {"its inputs are one sparse matrix", "coo_test: cg"}},
      {"sparse_rows", {kRows, "sparse_test: row-sparse gradients"}},
      {"spread_rows", {kRows, "sparse_test: embedding_bag"}},
      {"sum_rows", {kRows, "sparse_test: embedding_bag, spmm"}}};
  return all;
}

const std::vector<OpCase>& all_cases() {
  static const std::vector<OpCase> cases = [] {
    std::vector<OpCase> all;
    add_elementwise(&all);
    add_arrays(&all);
    add_kernels(&all);
    add_running(&all);
    add_searches(&all);
    add_reductions_at(&all);
    add_special(&all);
    return all;
  }();
  return cases;
}

const Report& report_on(const OpCase& c) {
  static std::map<const OpCase*, Report> reports;
  auto found = reports.find(&c);
  if (found == reports.end()) found = reports.emplace(&c, Checker(c).run()).first;
  return found->second;
}

class Op : public testing::TestWithParam<const OpCase*> {};

TEST_P(Op, PassesEveryCheck) {
  const Report& report = report_on(*GetParam());
  constexpr size_t kShown = 12;
  for (size_t i = 0; i < std::min(report.faults.size(), kShown); ++i)
    ADD_FAILURE() << GetParam()->op << ": " << report.faults[i];
  if (report.faults.size() > kShown)
    ADD_FAILURE() << "and " << report.faults.size() - kShown << " more";
}

std::vector<const OpCase*> pointers() {
  std::vector<const OpCase*> out;
  for (const OpCase& c : all_cases()) out.push_back(&c);
  return out;
}
INSTANTIATE_TEST_SUITE_P(All, Op, testing::ValuesIn(pointers()),
                         [](const auto& info) { return info.param->op; });

// ---- The registry and its table -------------------------------------------------------------

TEST(Registry, HasATestForEveryOperation) {
  std::set<std::string> known;
  for (const OpCase& c : all_cases()) known.insert(c.op);
  for (const glia::Op* op : all_ops())
    EXPECT_TRUE(op->kind == Kind::kMacro || known.contains(op->name) ||
                covered_elsewhere().contains(op->name))
        << op->name << " has no inputs and no reference in tests/support";
  for (const OpCase& c : all_cases())
    EXPECT_TRUE(!c.registered || find_op(c.op)) << c.op << " is not registered";
  for (const auto& [op, excuse] : covered_elsewhere())
    EXPECT_TRUE(find_op(op)) << op << " is not registered";
}

TEST(Registry, NamesAreUnique) {
  std::set<std::string> seen;
  for (const glia::Op* op : all_ops()) EXPECT_TRUE(seen.insert(op->name).second) << op->name;
}

TEST(Registry, AttributesHaveNamesAndTypes) {
  for (const glia::Op* op : all_ops()) {
    std::set<std::string_view> seen;
    for (const AttributeField& field : op->attributes) {
      EXPECT_TRUE(seen.insert(field.name).second) << op->name << ": " << field.name;
      EXPECT_FALSE(field.name.empty()) << op->name;
      EXPECT_TRUE(
          std::ranges::all_of(field.name, [](char c) { return c == '_' || std::islower(c); }))
          << op->name << ": " << field.name;
      EXPECT_LE(field.type, AttributeType::kShape) << op->name;
    }
  }
}

TEST(Registry, WhatIsRecordedHasTheAttributesThatAreDeclared) {
  std::set<const glia::Op*> met;
  const Symbolic recording;
  for (const OpCase& c : all_cases()) {
    for (const Form& form : c.forms) {
      Numbers numbers(1);
      const Tensor out = form.apply(upload(form.inputs(c.dtypes[0], numbers)));
      std::vector<Node*> stack{out.node()};
      while (!stack.empty()) {
        const Node& node = *stack.back();
        stack.pop_back();
        stack.insert(stack.end(), node.inputs, node.inputs + node.input_count);
        if (node.is_computed() || node.op->kind == Kind::kScalar) continue;
        met.insert(node.op);
        size_t scalars = 0, shapes = 0;
        for (const AttributeField& field : node.op->attributes)
          ++(field.type == AttributeType::kShape ? shapes : scalars);
        const size_t words = node.words().span().size();
        EXPECT_TRUE(shapes ? words >= scalars && (words - scalars) % shapes == 0 : words == scalars)
            << node.op->name << " has " << words << " words";
      }
    }
  }
  // Of two by one name, one is what compositions record (core/positioned.h).
  std::set<std::string_view> names;
  for (const glia::Op* op : met) names.insert(op->name);
  for (const glia::Op* op : all_ops())
    // A gradient's alias is recorded only where somebody asks for one.
    EXPECT_TRUE(names.contains(op->name) || covered_elsewhere().contains(op->name) ||
                op->kind == Kind::kMacro || std::string_view(op->name) == "alias")
        << op->name;
}

std::string joined_names(const std::vector<DType>& dtypes) {
  if (dtypes.size() == kDTypeCount) return "all";
  std::string out;
  for (DType t : dtypes) out += (out.empty() ? "" : " ") + std::string(name(t));
  return out;
}

std::string table() {
  std::ostringstream out;
  out << "# Operations and what is checked of them\n\n"
         "Written by `tests/ops/ops_test.cpp`, which runs every check on every operation. An "
         "operation\n"
         "without tests fails there. **values**: against a reference of its own, in each dtype;\n"
         "**layouts**: transposed, stepped, flipped and repeated inputs; **= eager**, **= "
         "fused**,\n"
         "**= threads**: alone, among neighbours and for 1, 2 and 4 threads, bit for bit but for\n"
         "the order of sums; **d**, **d²**: first and second derivative against differences in\n"
         "f64; **vmap**: like a loop. *none*: there is no gradient, and asking for one is an error "
         "that names the\n"
         "operation. An empty field: the question does not arise.\n";
  std::string family;
  for (const OpCase& c : all_cases()) {
    if (c.family != family) {
      family = c.family;
      out << "\n## " << static_cast<char>(std::toupper(family[0])) << family.substr(1)
          << "\n\n| operation | dtypes |";
      for (const char* check : kCheckNames) out << ' ' << check << " |";
      out << "\n| --- | --- |";
      for (int i = 0; i < kChecks; ++i) out << " --- |";
      out << '\n';
    }
    const Report& report = report_on(c);
    out << "| `" << c.op << "` | " << joined_names(c.dtypes) << " |";
    for (int i = 0; i < kChecks; ++i) {
      const Check check = static_cast<Check>(i);
      const bool derivative = check == Check::kFirst || check == Check::kSecond;
      out << (report.done.contains(check)        ? " ✓ |"
              : derivative && report.no_gradient ? " none |"
                                                 : "   |");
    }
    out << '\n';
  }
  out << "\n## Macro operations\n\n"
         "Defined by other operations. `tests/ops/macro_test.cpp` holds each kernel against the\n"
         "composition, each gradient rule and second derivative against that of the composition, "
         "forward\n"
         "mode against differences, `vmap` against a loop, and eager mode against plans.\n\n"
         "| operation | results | gradient | `vmap` | kernel |\n| --- | --- | --- | --- | --- |\n";
  std::map<std::string, const glia::Op*> macros;
  for (const glia::Op* op : all_ops()) {
    if (op->kind == Kind::kMacro) macros.emplace(op->name, op);
  }
  for (const auto& [op_name, op] : macros) {
    std::vector<DType> fast;
    for (DType t : kEveryDType) {
      if (find_kernel(*op, t)) fast.push_back(t);
    }
    out << "| `" << op_name << "` | " << op->outputs << " | "
        << (op->vjp ? "a rule" : "of the composition") << " | "
        << (op->batch ? "a rule" : "the composition") << " | " << joined_names(fast) << " |\n";
  }
  out << "\n## Tested as part of something larger\n\n"
         "| operation | why | where |\n| --- | --- | --- |\n";
  for (const auto& [op, excuse] : covered_elsewhere())
    out << "| `" << op << "` | " << excuse.why << " | " << excuse.where << " |\n";
  return out.str();
}

TEST(Registry, TableInTheDocumentIsThisOne) {
  const std::string path = GLIA_SOURCE_DIR "/docs/ops.md", now = table();
  std::printf("%s", now.c_str());
  if (std::getenv("GLIA_UPDATE_DOCS")) std::ofstream(path) << now;
  std::ifstream file(path);
  std::string line, want;
  std::istringstream lines(now);
  for (int number = 1; std::getline(lines, want); ++number) {
    ASSERT_TRUE(std::getline(file, line)) << path << " ends before line " << number;
    ASSERT_EQ(line, want) << path << ":" << number << " (GLIA_UPDATE_DOCS=1 writes it anew)";
  }
  EXPECT_FALSE(std::getline(file, line)) << path << " goes on after the table";
}

}  // namespace
}  // namespace glia::test
