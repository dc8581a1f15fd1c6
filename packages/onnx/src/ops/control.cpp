// Control flow, sequences and optionals.
#include <algorithm>

#include "call.h"
#include "glia/ops/arrange.h"

namespace glia::onnx {
namespace {

void set_all(Call& c, std::vector<Held> values) {
  if (static_cast<int>(values.size()) < c.outputs())
    c.fail("its graph gives " + std::to_string(values.size()) + " values");
  for (int o = 0; o < c.outputs(); ++o) c.set(o, std::move(values[o]));
}

// What is different in each repetition.
Held loose(Held held, bool shape_too = true) {
  held.fixed = false;
  if (shape_too) held.shape_fixed = false;
  return held;
}
Held stacked(const std::vector<Held>& parts, int axis) {
  if (parts.empty()) return Held(zeros({0}));
  std::vector<Tensor> tensors;
  for (const Held& p : parts) tensors.push_back(p.logical());
  return {stack(tensors, axis), parts[0].type};
}

void if_op(Call& c) { set_all(c, c.run(c.integer(0) != 0 ? "then_branch" : "else_branch", {})); }

void loop_op(Call& c) {
  const int64_t most = c.has(0) ? c.integer(0) : INT64_MAX;
  bool go_on = !c.has(1) || c.integer(1) != 0;
  std::vector<Held> state;
  for (int i = 2; i < c.inputs(); ++i) state.push_back(c.has(i) ? loose(c.in(i)) : Held());
  const size_t carried = state.size();
  const size_t given = c.graph("body").outputs.size();
  if (given < carried + 1) c.fail("its graph gives " + std::to_string(given) + " values");
  std::vector<std::vector<Held>> scans(given - 1 - carried);
  for (int64_t i = 0; i < most && go_on; ++i) {
    std::vector<Held> inputs{loose(Held(tensor(i))), loose(Held(full({}, go_on, kBool)))};
    inputs.insert(inputs.end(), state.begin(), state.end());
    std::vector<Held> out = c.run("body", std::move(inputs));
    go_on = out[0].logical().item<bool>();
    for (size_t s = 0; s < carried; ++s) state[s] = loose(out[1 + s]);
    for (size_t s = 0; s < scans.size(); ++s) scans[s].push_back(out[1 + carried + s]);
  }
  for (const auto& parts : scans) state.push_back(loose(stacked(parts, 0)));
  set_all(c, std::move(state));
}

void scan_op(Call& c) {
  const bool old = c.opset() < 9;  // with lengths, and examples in front
  const int first = old ? 1 : 0;
  const auto scans_in = static_cast<int>(c.integer_of("num_scan_inputs", 0));
  const int carried = c.inputs() - first - scans_in;
  if (scans_in < 1 || carried < 0) c.fail("num_scan_inputs is " + std::to_string(scans_in));
  const auto list = [&](const char* name, size_t n) {
    return c.integers_of(name, std::vector<int64_t>(n, 0));
  };
  const size_t given = c.graph("body").outputs.size();
  if (given < static_cast<size_t>(carried))
    c.fail("its graph gives " + std::to_string(given) + " values");
  const size_t scans_out = given - carried;
  std::vector<int64_t> in_axes = list("scan_input_axes", scans_in),
                       in_back = list("scan_input_directions", scans_in);
  const auto out_axes = list("scan_output_axes", scans_out),
             out_back = list("scan_output_directions", scans_out);
  if (old) in_back = list("directions", scans_in);
  if (in_axes.size() != static_cast<size_t>(scans_in) || in_back.size() != in_axes.size() ||
      out_axes.size() != scans_out || out_back.size() != scans_out)
    c.fail("axes or directions are not as many as scans");
  const int64_t batch = old ? c.shape(first + carried)[0] : 1;
  std::vector<std::vector<Held>> results(given);
  for (int64_t n = 0; n < batch; ++n) {
    const auto example = [&](int i) {
      const Tensor t = c.tensor(i);
      return old ? squeeze(narrow(t, 0, n, 1), 0) : t;
    };
    std::vector<Held> state;
    for (int i = 0; i < carried; ++i)
      state.push_back(loose(Held(example(first + i), c.type(first + i)), false));
    int64_t steps = -1;
    for (int i = 0; i < scans_in; ++i) {
      const Tensor t = example(first + carried + i);
      in_axes[i] = c.axis(in_axes[i], t.rank());
      const int64_t here = t.size(static_cast<int>(in_axes[i]));
      if (steps >= 0 && here != steps)
        c.fail("scans of " + std::to_string(steps) + " and " + std::to_string(here) + " steps");
      steps = here;
    }
    std::vector<std::vector<Held>> scans(scans_out);
    for (int64_t t = 0; t < steps; ++t) {
      std::vector<Held> inputs = state;
      for (int i = 0; i < scans_in; ++i) {
        const int axis = static_cast<int>(in_axes[i]);
        const Tensor part =
            narrow(example(first + carried + i), axis, in_back[i] != 0 ? steps - 1 - t : t, 1);
        inputs.push_back(loose(Held(squeeze(part, axis), c.type(first + carried + i)), false));
      }
      std::vector<Held> out = c.run("body", std::move(inputs));
      for (int i = 0; i < carried; ++i) state[i] = loose(out[i], false);
      for (size_t s = 0; s < scans_out; ++s) scans[s].push_back(out[carried + s]);
    }
    for (int i = 0; i < carried; ++i) results[i].push_back(state[i]);
    for (size_t s = 0; s < scans_out; ++s) {
      if (out_back[s] != 0) std::ranges::reverse(scans[s]);
      const int rank = scans[s].empty() ? 1 : scans[s][0].logical().rank() + 1;
      results[carried + s].push_back(loose(stacked(scans[s], c.axis(out_axes[s], rank)), false));
    }
  }
  std::vector<Held> all;
  for (const auto& parts : results) all.push_back(old ? stacked(parts, 0) : parts[0]);
  for (Held& held : all) held.shape_fixed = true;
  set_all(c, std::move(all));
}

// ---- Sequences ----

Held sequence(std::vector<Held> items) {
  Held out(std::move(items));
  if (!out.sequence->empty()) out.type = out.sequence->front().type;
  return out;
}
int64_t place(Call& c, int input, int64_t size, bool behind) {
  const int64_t given = c.integer(input), at = given < 0 ? given + size : given;
  if (at < 0 || at > (behind ? size : size - 1))
    c.fail("place " + std::to_string(given) + " of " + std::to_string(size));
  return at;
}
void sequence_construct(Call& c) {
  std::vector<Held> items;
  for (int i = 0; i < c.inputs(); ++i) items.push_back(c.in(i));
  c.set(0, sequence(std::move(items)));
}
void sequence_empty(Call& c) {
  Held out{std::vector<Held>{}};
  out.type = static_cast<ElementType>(c.integer_of("dtype", 1));
  c.set(0, std::move(out));
}
void sequence_at(Call& c) {
  const auto& items = c.sequence(0);
  const int64_t at = place(c, 1, static_cast<int64_t>(items.size()), false);
  c.set(0, items[at]);
}
void sequence_insert(Call& c) {
  std::vector<Held> items = c.sequence(0);
  const auto size = static_cast<int64_t>(items.size());
  items.insert(items.begin() + (c.has(2) ? place(c, 2, size, true) : size), c.in(1));
  c.set(0, sequence(std::move(items)));
}
void sequence_erase(Call& c) {
  std::vector<Held> items = c.sequence(0);
  const auto size = static_cast<int64_t>(items.size());
  if (size == 0) c.fail("the sequence is empty");
  items.erase(items.begin() + (c.has(1) ? place(c, 1, size, false) : size - 1));
  c.set(0, sequence(std::move(items)));
}
void sequence_length(Call& c) {
  c.depends_on_values();
  c.set(0, tensor(static_cast<int64_t>(c.sequence(0).size())), ElementType::kInt64);
}
void split_to_sequence(Call& c) {
  const Tensor x = c.tensor(0);
  const int axis = c.axis(c.integer_of("axis", 0), x.rank());
  const int64_t size = x.size(axis);
  std::vector<int64_t> sizes;
  bool squeezed = false;
  if (!c.has(1)) {
    sizes.assign(size, 1);
    squeezed = c.integer_of("keepdims", 1) == 0;
  } else if (c.tensor(1).rank() == 0) {
    const int64_t each = c.integer(1);
    if (each < 1) c.fail("parts of " + std::to_string(each));
    for (int64_t at = 0; at < size; at += each) sizes.push_back(std::min(each, size - at));
  } else {
    sizes = c.integers(1);
  }
  std::vector<Held> items;
  int64_t at = 0;
  for (int64_t s : sizes) {
    const Tensor part = narrow(x, axis, at, s);
    items.emplace_back(squeezed ? squeeze(part, axis) : part, c.type(0));
    at += s;
  }
  if (at != size) c.fail("parts that do not make up " + std::to_string(size));
  c.set(0, sequence(std::move(items)));
}
void concat_from_sequence(Call& c) {
  std::vector<Tensor> parts;
  for (const Held& h : c.sequence(0)) parts.push_back(h.logical());
  if (parts.empty()) c.fail("the sequence is empty");
  const bool fresh = c.integer_of("new_axis", 0) != 0;
  const int axis = c.axis(c.integer_of("axis", 0), parts[0].rank() + fresh);
  c.set(0, fresh ? stack(parts, axis) : concat(parts, axis), c.sequence(0)[0].type);
}
void sequence_map(Call& c) {
  const size_t count = c.sequence(0).size();
  std::vector<std::vector<Held>> results(c.outputs());
  for (size_t i = 0; i < count; ++i) {
    std::vector<Held> inputs;
    for (int k = 0; k < c.inputs(); ++k) {
      const bool each = c.in(k).kind == Value::Kind::kSequence;
      if (each && c.sequence(k).size() != count) c.fail("sequences of different lengths");
      inputs.push_back(loose(each ? c.sequence(k)[i] : c.in(k)));
    }
    const std::vector<Held> out = c.run("body", std::move(inputs));
    if (static_cast<int>(out.size()) < c.outputs()) c.fail("its graph gives too few values");
    for (int o = 0; o < c.outputs(); ++o) results[o].push_back(out[o]);
  }
  for (int o = 0; o < c.outputs(); ++o) c.set(o, loose(sequence(std::move(results[o]))));
}

// ---- Optionals ----

void optional_op(Call& c) { c.set(0, c.inputs() > 0 ? c.in(0) : Held()); }
void optional_get(Call& c) {
  if (!c.has(0)) c.fail("the optional is empty");
  c.set(0, c.in(0));
}
void optional_has(Call& c) {
  c.depends_on_values();
  c.set(0, full({}, c.has(0), kBool), ElementType::kBool);
}

const Operators list{
    {"If", if_op, {.read = 1}},
    {"Loop", loop_op, {.read = 3}},
    {"Scan", scan_op},
    {"SequenceConstruct", sequence_construct},
    {"SequenceEmpty", sequence_empty},
    {"SequenceAt", sequence_at, {.read = 2}},
    {"SequenceInsert", sequence_insert, {.read = 4}},
    {"SequenceErase", sequence_erase, {.read = 2}},
    {"SequenceLength", sequence_length},
    {"SplitToSequence", split_to_sequence, {.read = 2}},
    {"ConcatFromSequence", concat_from_sequence},
    {"SequenceMap", sequence_map},
    {"Optional", optional_op},
    {"OptionalGetElement", optional_get},
    {"OptionalHasElement", optional_has},
};

}  // namespace
}  // namespace glia::onnx
