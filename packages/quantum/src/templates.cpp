#include "glia/quantum/templates.h"

#include <numbers>
#include <numeric>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::quantum {
namespace {

constexpr double kPi = std::numbers::pi;

// Features (F) or (B, F) as floats.
Tensor features_of(const char* name, const Tensor& features, const Wires& wires, Where where) {
  if (!features.defined() || features.rank() < 1 || features.rank() > 2 || features.numel() == 0)
    throw ShapeError(std::string(name) + ": features are (F) or (B, F)", where);
  const int64_t count = features.size(-1), most = static_cast<int64_t>(wires.size());
  if (count > most)
    throw ShapeError(std::string(name) + ": " + std::to_string(count) + " features for " +
                         std::to_string(most) + " wires",
                     where);
  return is_float(features.dtype()) ? features : cast(features, kF64);
}
Operation rotation_by(const char* name, char letter, const Angle& angle, int64_t wire,
                      Where where) {
  if (letter == 'X') return RX(angle, wire);
  if (letter == 'Y') return RY(angle, wire);
  if (letter == 'Z') return RZ(angle, wire);
  throw ValueError(std::string(name) + ": a rotation about '" + letter + "'", where);
}
// Weights (L, per layer...) as one row.
Tensor weights_of(const char* name, const Tensor& weights, const Shape& layer, Where where) {
  bool fits = weights.defined() && weights.rank() == layer.rank() + 1;
  for (int i = 0; fits && i < layer.rank(); ++i) fits = weights.size(i + 1) == layer[i];
  if (!fits)
    throw ShapeError(std::string(name) + ": the weights are (layers) of " + layer.str() +
                         (weights.defined() ? ", not " + weights.shape().str() : ""),
                     where);
  return reshape(weights, {weights.numel()});
}
Wires checked(const char* name, const Wires& wires, size_t least, Where where) {
  if (wires.size() < least)
    throw ValueError(std::string(name) + " needs at least " + std::to_string(least) + " wires",
                     where);
  return wires;
}

}  // namespace

Wires range(int64_t n) {
  Wires wires(static_cast<size_t>(std::max<int64_t>(n, 0)));
  std::iota(wires.begin(), wires.end(), 0);
  return wires;
}

std::vector<Operation> AngleEmbedding(const Tensor& features, const Wires& wires, char rotation,
                                      Where where) {
  const Tensor x = features_of("AngleEmbedding", features, wires, where);
  std::vector<Operation> out;
  for (int64_t i = 0; i < x.size(-1); ++i)
    out.push_back(
        rotation_by("AngleEmbedding", rotation, Angle(x, i), wires[static_cast<size_t>(i)], where));
  return out;
}

Complex AmplitudeEmbedding(const Tensor& features, int64_t wires, double pad_with, bool normalize,
                           Where where) {
  if (wires < 1 || wires > 28)
    throw ValueError("AmplitudeEmbedding: " + std::to_string(wires) + " wires", where);
  const int64_t size = int64_t{1} << wires;
  if (!features.defined() || features.rank() < 1 || features.rank() > 2 ||
      features.size(-1) > size || features.numel() == 0)
    throw ShapeError("AmplitudeEmbedding: features are (F) or (B, F), at most " +
                         std::to_string(size) + " of " + std::to_string(wires) + " wires",
                     where);
  Tensor x = is_float(features.dtype()) ? features : cast(features, kF64);
  if (x.size(-1) < size) {
    std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(x.rank()));
    pads.back().second = size - x.size(-1);
    x = pad(x, pads, pad_with);
  }
  if (normalize) x = x / sqrt(sum(square(x), {-1}, true));
  return {x, zeros_like(x)};
}

std::vector<Operation> BasisEmbedding(const std::vector<bool>& bits, const Wires& wires,
                                      Where where) {
  if (bits.size() != wires.size())
    throw ValueError("BasisEmbedding: " + std::to_string(bits.size()) + " bits for " +
                         std::to_string(wires.size()) + " wires",
                     where);
  std::vector<Operation> out;
  for (size_t i = 0; i < bits.size(); ++i)
    if (bits[i]) out.push_back(PauliX(wires[i]));
  return out;
}

std::vector<Operation> IQPEmbedding(const Tensor& features, const Wires& wires, int64_t repeats,
                                    Where where) {
  const Tensor x = features_of("IQPEmbedding", features, wires, where);
  const auto n = static_cast<size_t>(x.size(-1));
  std::vector<Operation> out;
  for (int64_t r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < n; ++i) {
      out.push_back(Hadamard(wires[i]));
      out.push_back(RZ(Angle(x, static_cast<int64_t>(i)), wires[i]));
    }
    for (size_t i = 0; i < n; ++i)
      for (size_t j = i + 1; j < n; ++j) {
        const auto feature = [&](size_t k) {
          return slice(x, -1, Slice{static_cast<int64_t>(k), static_cast<int64_t>(k) + 1});
        };
        out.push_back(MultiRZ(Angle(feature(i) * feature(j), 0), {wires[i], wires[j]}));
      }
  }
  return out;
}

std::vector<Operation> ZZFeatureMap(const Tensor& features, const Wires& wires, int64_t repeats,
                                    Where where) {
  const Tensor x = features_of("ZZFeatureMap", features, wires, where);
  const auto n = static_cast<size_t>(x.size(-1));
  const Tensor twice = 2 * x;
  std::vector<Operation> out;
  for (int64_t r = 0; r < repeats; ++r) {
    for (size_t i = 0; i < n; ++i) {
      out.push_back(Hadamard(wires[i]));
      out.push_back(PhaseShift(Angle(twice, static_cast<int64_t>(i)), wires[i]));
    }
    for (size_t i = 0; i < n; ++i)
      for (size_t j = i + 1; j < n; ++j) {
        const auto rest = [&](size_t k) {
          return kPi - slice(x, -1, Slice{static_cast<int64_t>(k), static_cast<int64_t>(k) + 1});
        };
        out.push_back(CNOT(wires[i], wires[j]));
        out.push_back(PhaseShift(Angle(2 * rest(i) * rest(j), 0), wires[j]));
        out.push_back(CNOT(wires[i], wires[j]));
      }
  }
  return out;
}

std::vector<Operation> BasicEntanglerLayers(const Tensor& weights, const Wires& wires,
                                            char rotation, Where where) {
  const auto n = static_cast<int64_t>(wires.size());
  checked("BasicEntanglerLayers", wires, 1, where);
  const Tensor w = weights_of("BasicEntanglerLayers", weights, {n}, where);
  std::vector<Operation> out;
  for (int64_t layer = 0; layer < weights.size(0); ++layer) {
    for (int64_t i = 0; i < n; ++i)
      out.push_back(rotation_by("BasicEntanglerLayers", rotation, Angle(w, layer * n + i),
                                wires[static_cast<size_t>(i)], where));
    if (n == 2) out.push_back(CNOT(wires[0], wires[1]));
    for (int64_t i = 0; n > 2 && i < n; ++i)
      out.push_back(CNOT(wires[static_cast<size_t>(i)], wires[static_cast<size_t>((i + 1) % n)]));
  }
  return out;
}

std::vector<Operation> StronglyEntanglingLayers(const Tensor& weights, const Wires& wires,
                                                Where where) {
  const auto n = static_cast<int64_t>(wires.size());
  checked("StronglyEntanglingLayers", wires, 1, where);
  const Tensor w = weights_of("StronglyEntanglingLayers", weights, {n, 3}, where);
  std::vector<Operation> out;
  for (int64_t layer = 0; layer < weights.size(0); ++layer) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = (layer * n + i) * 3;
      out.push_back(
          Rot(Angle(w, at), Angle(w, at + 1), Angle(w, at + 2), wires[static_cast<size_t>(i)]));
    }
    const int64_t apart = n > 1 ? layer % (n - 1) + 1 : 0;
    for (int64_t i = 0; n > 1 && i < n; ++i)
      out.push_back(
          CNOT(wires[static_cast<size_t>(i)], wires[static_cast<size_t>((i + apart) % n)]));
  }
  return out;
}

std::vector<Operation> SimplifiedTwoDesign(const Tensor& initial, const Tensor& weights,
                                           const Wires& wires, Where where) {
  const auto n = static_cast<int64_t>(wires.size());
  checked("SimplifiedTwoDesign", wires, 1, where);
  if (!initial.defined() || initial.shape() != Shape{n})
    throw ShapeError("SimplifiedTwoDesign: the initial weights are (" + std::to_string(n) + ")",
                     where);
  const Tensor first = initial, w = weights_of("SimplifiedTwoDesign", weights, {n - 1, 2}, where);
  std::vector<Operation> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(RY(Angle(first, i), wires[static_cast<size_t>(i)]));
  int64_t at = 0;
  for (int64_t layer = 0; layer < weights.size(0); ++layer)
    for (int64_t odd = 0; odd < 2; ++odd)
      for (int64_t i = odd; i + 1 < n; i += 2) {
        const int64_t a = wires[static_cast<size_t>(i)], b = wires[static_cast<size_t>(i + 1)];
        out.push_back(CZ(a, b));
        out.push_back(RY(Angle(w, at), a));
        out.push_back(RY(Angle(w, at + 1), b));
        at += 2;
      }
  return out;
}

std::vector<Operation> QAOALayer(const Angle& gamma, const Angle& beta, const Observable& cost,
                                 const Wires& wires, Where where) {
  const auto times = [](const Angle& a, double factor) -> Angle {
    if (a.is_number()) return a.number() * factor;
    const Tensor scaled = a.tensor() * factor;
    return a.at() < 0 ? Angle(scaled) : Angle(scaled, a.at());
  };
  std::vector<Operation> out;
  for (const PauliTerm& term : cost.terms()) {
    Wires on;
    for (const auto& [wire, letter] : term.word) {
      if (letter != 'Z') throw ValueError("QAOALayer: a cost is a sum of products of Z", where);
      on.push_back(wire);
    }
    if (!on.empty()) out.push_back(MultiRZ(times(gamma, 2 * term.factor), on));
  }
  for (int64_t wire : wires) out.push_back(RX(times(beta, 2), wire));
  return out;
}

Observable maxcut(const std::vector<std::pair<int64_t, int64_t>>& edges,
                  const std::vector<double>& weights, Where where) {
  if (!weights.empty() && weights.size() != edges.size())
    throw ValueError("maxcut: " + std::to_string(weights.size()) + " weights for " +
                         std::to_string(edges.size()) + " edges",
                     where);
  Observable cost;
  for (size_t e = 0; e < edges.size(); ++e) {
    const auto [a, b] = edges[e];
    if (a == b) throw ValueError("maxcut: an edge from " + std::to_string(a) + " to itself", where);
    const double w = weights.empty() ? 1 : weights[e];
    cost = cost + 0.5 * w * (Z(a) * Z(b) - I());
  }
  return cost;
}

QNode::QNode(int64_t wires, const Shape& weight_shape, Function function,
             const CircuitOptions& options)
    : weights(uniform(weight_shape, 0, 2 * kPi)),
      wires_(wires),
      function_(std::move(function)),
      options_(options) {
  if (!function_) throw ValueError("QNode: no function");
}

Tensor QNode::operator()(const Tensor& x, Where where) const {
  if (!x.defined() || x.rank() < 1 || x.rank() > 2)
    throw ShapeError("QNode: inputs are (F) or (B, F)", where);
  Circuit circuit(wires_, options_, where);
  return cast(function_(circuit, x, weights), is_float(x.dtype()) ? x.dtype() : weights.dtype());
}

}  // namespace glia::quantum
