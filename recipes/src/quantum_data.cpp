#include "recipes/src/quantum_data.h"

#include <cmath>
#include <numbers>

#include "glia/classic/decomposition.h"
#include "glia/ops.h"
#include "glia/quantum/datasets.h"
#include "glia/tables/read.h"
#include "recipes/src/tabular.h"

namespace glia::recipes {
namespace {

constexpr double kPi = std::numbers::pi;

// Features of a table: columns of deviation 1, and of more than wires the components that vary
// most.
QuantumForm form_of_numbers(const Tensor& x, int64_t wires) {
  QuantumForm form;
  const Tensor mean_of = mean(x, {0});
  Tensor scale = sqrt(mean(square(x - mean_of), {0}));
  scale = where(scale > 0, scale, 1);
  form.mean = mean_of.to_vector<double>();
  const int64_t features = x.size(1);
  Tensor directions = eye(features, kF64) / unsqueeze(scale, 1);
  if (features > wires) {
    classic::PCA pca({.n_components = static_cast<double>(wires)});
    pca.fit((x - mean_of) / scale);
    Tensor axes = transpose(pca.components);  // (features, wires), each to deviation 1
    axes = axes / maximum(sqrt(pca.explained_variance), 1e-12);
    directions = axes / unsqueeze(scale, 1);
  }
  form.directions = directions.to_vector<double>();
  return form;
}

// Those of sets that are angles already.
QuantumForm form_as_is(int64_t features, double factor) {
  QuantumForm form;
  form.classes = {"0", "1"};
  form.mean.assign(static_cast<size_t>(features), 0.0);
  form.directions = (factor * eye(features, kF64)).to_vector<double>();
  return form;
}

}  // namespace

Tensor QuantumForm::prepared(const Tensor& x) const {
  return matmul(cast(x, kF64) - from_vector(mean, {features()}),
                from_vector(directions, {features(), wires()}));
}
Facts QuantumForm::facts() const {
  return {{"classes", classes}, {"mean", mean}, {"directions", directions}};
}
QuantumForm QuantumForm::of(const Saved& saved) {
  QuantumForm form{saved.texts("classes"), saved.numbers("mean"), saved.numbers("directions")};
  if (form.classes.size() < 2 || form.mean.empty() || form.directions.empty() ||
      form.directions.size() % form.mean.size() != 0 || form.wires() > 12)
    throw IoError(saved.path + ": what it says of its data cannot be");
  return form;
}

void QuantumData::declare(Fields& f) {
  f(name, "data", "moons", "A set that is drawn, or a table of the user's.",
    {{"moons", "parity", "ad-hoc"}, "FILE.csv"});
  f(target, "target", "", "The column of classes, of a table.");
  f(samples, "samples", name == "ad-hoc" ? 80 : 200, "How many are drawn.", {4, 100000});
  f(noise, "noise", name == "ad-hoc" ? 0.3 : 0.1, "Noise of moons, or the gap of ad-hoc.",
    {0, 0.9});
  f(bits, "bits", 4, "Of parity: all words of so many.", {1, 10});
  f(wires, "wires", 6, "At most so many: of more columns the principal components.", {1, 12});
  f(test, "test", 0.25, "The share that is tested on; of parity all are, and trained on.",
    {0.001, 0.999});
}

QuantumData::Read QuantumData::read() const {
  Read out;
  const auto drawn = static_cast<uint64_t>(seed);
  Tensor x, y;
  if (name == "parity") {
    const quantum::Labelled all = quantum::parity(bits);
    out.form = form_as_is(bits, kPi);
    out.train = out.test = {out.form.prepared(all.x), all.y};
    return out;
  }
  if (name == "moons" || name == "ad-hoc") {
    const int64_t even = samples + samples % 2;
    const quantum::Labelled all =
        name == "moons" ? quantum::moons(even, noise, drawn) : quantum::ad_hoc(even, noise, drawn);
    x = all.x;
    y = all.y;
  } else {
    if (target.empty()) throw Error("--target: no column is named");
    const tables::Table table = tables::read_csv(name);
    const TableForm form = form_of(name, table, target, {}, true);
    for (const auto& column : form.codes.columns)
      if (column.category || column.date)
        throw Error(name + ": the column " + column.name + " does not hold numbers");
    const TableSamples read = samples_of(table, form);
    x = read.x;
    y = read.y;
    out.form.classes = form.classes;
    if (!all(isfinite(x)).item<bool>()) throw Error(name + ": a number is missing");
  }
  const TableSplit rows = split_rows(y, true, test, seed);
  const Tensor x_train = take(x, rows.train), x_test = take(x, rows.test);
  const std::vector<std::string> classes = out.form.classes;
  out.form = name == "ad-hoc" ? form_as_is(2, 1) : form_of_numbers(x_train, wires);
  out.form.classes = classes.empty() ? std::vector<std::string>{"0", "1"} : classes;
  out.train = {out.form.prepared(x_train), take(y, rows.train)};
  out.test = {out.form.prepared(x_test), take(y, rows.test)};
  return out;
}

}  // namespace glia::recipes
