// Where NaN comes from: each operation is computed when it is recorded, and looked at.
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/node.h"
#include "core/variable.h"
#include "glia/autodiff.h"
#include "glia/ops.h"

namespace glia {

namespace {

using Names = std::unordered_map<uint64_t, std::string>;  // of parameters, by place
thread_local const Names* names_in_force = nullptr;
constexpr size_t kMostAncestors = 10'000;

// Lets record what must not be watched.
class Unwatched {
 public:
  Unwatched() : hook_(set_record_hook(nullptr)) {}
  ~Unwatched() { set_record_hook(hook_); }

 private:
  RecordHook hook_;
};

bool holds_nan(const Tensor& t) {
  return is_float(t.dtype()) && t.numel() > 0 && any(isnan(t)).item<bool>();
}

// The first parameter met on the way back, as far as that is still known.
std::string nearest_parameter(Node* of) {
  std::deque<Node*> next{of};
  std::unordered_set<Node*> seen{of};
  while (!next.empty() && seen.size() < kMostAncestors) {
    Node* node = next.front();
    next.pop_front();
    if (node->trainable) {
      const auto found = names_in_force->find(node->place);
      if (found != names_in_force->end()) return found->second;
    }
    for (Node* in : node->input_span()) {
      if (seen.insert(in).second) next.push_back(in);
    }
  }
  return "";
}

void look_at(const Tensor& made) {
  Node* node = made.node();
  if (node->op->outputs > 1 || node->op->deferred) return;  // its results are looked at
  const Node* maker = node->op->kind == Kind::kOutput ? node->inputs[0] : node;
  if (node->op->may_throw || maker->op->effect || !is_float(node->dtype)) return;
  const Unwatched off;
  const NoGrad no_gradients;
  std::vector<Tensor> inputs;
  for (Node* in : maker->input_span()) inputs.push_back(handle(in));
  const std::string parameter = nearest_parameter(node);
  if (!holds_nan(made)) return;
  for (const Tensor& in : inputs) {
    if (in.node()->op->outputs == 1 && holds_nan(in)) return;
  }
  std::string shapes;
  for (const Tensor& in : inputs) shapes += (shapes.empty() ? "" : ", ") + in.shape().str();
  throw Error(std::string(maker->op->name) + " of " + shapes +
                  " makes NaN of numbers that are none" +
                  (recording_gradients() ? ", in a gradient" : "") +
                  (parameter.empty() ? "" : "; the nearest parameter is " + parameter),
              maker->where);
}

}  // namespace

struct AnomalyMode::Watch {
  Names names;
  const Names* outer = nullptr;
  RecordHook before = nullptr;
};

AnomalyMode::AnomalyMode() : watch_(std::make_unique<Watch>()) {
  watch_->outer = std::exchange(names_in_force, &watch_->names);
  watch_->before = set_record_hook(look_at);
}

AnomalyMode::~AnomalyMode() {
  names_in_force = watch_->outer;
  set_record_hook(watch_->before);
}

void AnomalyMode::name(const std::string& name, const Variable& parameter) {
  watch_->names[parameter.cell()->place] = name;
}

}  // namespace glia
