// Layers that aggregate neighbours and map the result.
#include <cmath>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "layers.h"

namespace glia::graphs {

// ---- SAGEConv -----------------------------------------------------------------------------------

SAGEConv::SAGEConv(int64_t in_channels, int64_t out_channels, const SAGEOptions& options)
    : options(options), lin_l(in_channels, out_channels, {.bias = options.bias}) {
  if (options.project) lin.emplace(in_channels, in_channels);
  const int64_t own = options.in_channels_target > 0 ? options.in_channels_target : in_channels;
  if (options.root_weight) lin_r.emplace(own, out_channels, nn::LinearOptions{.bias = false});
}

Tensor SAGEConv::forward(const Features& x, const Graph& graph, const Tensor&,
                         const Where& where) const {
  require_channels("SAGEConv", x.channels(), lin_l.weight.shape()[1], where);
  const bool linear = options.aggr == Aggregation::kSum || options.aggr == Aggregation::kMean;
  Tensor out;
  if (!lin && linear && x.is_sparse()) {
    // Sums of products are products of sums, and there are fewer features behind the product.
    out = propagate(graph, x.linear(lin_l.weight, {}, where), options.aggr, {}, where);
    out = added(out, lin_l.bias);
  } else {
    const Tensor from = lin ? relu(applied(*lin, x, where)) : x.sources();
    out = lin_l(propagate(graph, from, options.aggr, {}, where), where);
  }
  if (lin_r) out = out + x.linear_targets(lin_r->weight, {}, where);
  if (!options.normalize) return out;
  return out / maximum(sqrt(sum(square(out), {-1}, true)), 1e-12);
}

// ---- GIN ----------------------------------------------------------------------------------------

GINConv::GINConv(nn::Sequential mlp, const GINOptions& options)
    : options(options), mlp(std::move(mlp)) {
  if (options.train_eps)
    trained_eps = Parameter(full({1}, options.eps));
  else
    fixed_eps = Buffer(full({1}, options.eps));
}

void GINConv::visit_fields(nn::FieldVisitor& visitor) const {
  if (options.train_eps)
    nn::visit_field(visitor, "eps", trained_eps);
  else
    nn::visit_field(visitor, "eps", fixed_eps);
  nn::visit_field(visitor, "nn", mlp);
  nn::visit_field(visitor, "lin", lin);
}

Tensor GINConv::combined(const Features& x, const Tensor& arrived) const {
  const Tensor own = x.targets();
  // Most often eps is 0 for good.
  if (!options.train_eps && options.eps == 0) return arrived + own;
  const Tensor eps =
      cast(options.train_eps ? trained_eps.tensor() : fixed_eps.tensor(), own.dtype());
  return arrived + (1 + eps) * own;
}

Tensor GINConv::forward(const Features& x, const Graph& graph, const Tensor&,
                        const Where& where) const {
  return mlp(combined(x, propagate(graph, x.sources(), options.aggr, {}, where)), where);
}

GINEConv::GINEConv(nn::Sequential net, const GINEOptions& options)
    : GINConv(std::move(net), options) {
  if (options.edge_dim > 0) {
    if (options.in_channels < 1)
      throw ValueError("GINEConv: edge_dim is given, but not in_channels");
    lin.emplace(options.edge_dim, options.in_channels);
  }
}

Tensor GINEConv::forward(const Features& x, const Graph& graph, const Tensor& edge,
                         const Where& where) const {
  require_edges("GINEConv", edge, graph, where);
  Tensor e = as_columns(edge);
  if (lin) e = (*lin)(e, where);
  if (e.size(1) != x.channels())
    throw ShapeError("GINEConv: edges have " + std::to_string(e.size(1)) + " features and nodes " +
                         std::to_string(x.channels()) + "; edge_dim maps them",
                     where);
  const Tensor messages = relu(at_sources(graph, x.sources(), where) + e);
  return mlp(combined(x, aggregate(graph, messages, options.aggr, Side::kTarget, where)), where);
}

// ---- GatedGraphConv -----------------------------------------------------------------------------

GatedGraphConv::GatedGraphConv(int64_t out_channels, int64_t num_layers, Aggregation aggr,
                               bool bias)
    : aggr(aggr), rnn(out_channels, out_channels, {.bias = bias}) {
  if (num_layers < 1) throw ValueError("GatedGraphConv: " + std::to_string(num_layers) + " layers");
  const double bound = 1 / std::sqrt(static_cast<double>(out_channels));
  weight = Parameter(uniform({num_layers, out_channels, out_channels}, -bound, bound));
}

Tensor GatedGraphConv::forward(const Features& x, const Graph& graph, const Tensor& edge,
                               const Where& where) const {
  const int64_t channels = weight.shape()[1];
  if (x.channels() > channels)
    throw ShapeError("GatedGraphConv: " + std::to_string(x.channels()) +
                         " features are more than " + std::to_string(channels),
                     where);
  Tensor h = x.sources();
  if (x.channels() < channels) h = pad(h, {{0, 0}, {0, channels - x.channels()}}, 0, where);
  for (int64_t l = 0; l < weight.shape()[0]; ++l) {
    const Tensor m = matmul(h, index(weight, {l}), where);
    h = rnn(propagate(graph, m, aggr, edge, where), h, where);
  }
  return h;
}

// ---- PNAConv ------------------------------------------------------------------------------------

Tensor degree_histogram(const std::vector<Graph>& graphs) {
  std::vector<int64_t> counts(1);
  for (const Graph& g : graphs)
    for (const int64_t d : g.degree().to_vector<int64_t>()) {
      if (d >= static_cast<int64_t>(counts.size())) counts.resize(static_cast<size_t>(d) + 1);
      ++counts[static_cast<size_t>(d)];
    }
  return from_vector(counts, {static_cast<int64_t>(counts.size())});
}

namespace {

nn::Sequential layers_of(int64_t in, int64_t out, int64_t hidden, int64_t count) {
  nn::Sequential net(nn::Linear(in, count > 1 ? hidden : out));
  for (int64_t i = 1; i < count; ++i) {
    net.push_back(relu);
    net.push_back(nn::Linear(hidden, i + 1 < count ? hidden : out));
  }
  return net;
}

}  // namespace

PNAConv::PNAConv(int64_t in_channels, int64_t out_channels, const PNAOptions& options)
    : in_channels(in_channels),
      out_channels(out_channels),
      options(options),
      lin(out_channels, out_channels) {
  const PNAOptions& o = options;
  if (o.towers < 1 || o.pre_layers < 1 || o.post_layers < 1 || o.aggregators.empty() ||
      o.scalers.empty() || out_channels % o.towers != 0 ||
      (o.divide_input && in_channels % o.towers != 0))
    throw ValueError("PNAConv: " + std::to_string(o.towers) + " towers of " +
                     std::to_string(in_channels) + " to " + std::to_string(out_channels) +
                     " channels, or no aggregators or scalers");
  if (!o.deg.defined() || o.deg.rank() != 1 || sum(o.deg).item() <= 0)
    throw ValueError("PNAConv: deg is no histogram of degrees");
  const Tensor count = cast(o.deg, kF64), degree = arange(count.numel(), kF64);
  aggr_module.avg_deg_lin = cast(reshape(sum(degree * count) / sum(count), {1}), kF32);
  aggr_module.avg_deg_log = cast(reshape(sum(log(degree + 1) * count) / sum(count), {1}), kF32);
  const int64_t in = o.divide_input ? in_channels / o.towers : in_channels;
  if (o.edge_dim > 0) edge_encoder.emplace(o.edge_dim, in);
  const auto kinds = static_cast<int64_t>(o.aggregators.size() * o.scalers.size());
  for (int64_t t = 0; t < o.towers; ++t) {
    pre_nns.push_back(layers_of((o.edge_dim > 0 ? 3 : 2) * in, in, in, o.pre_layers));
    post_nns.push_back(layers_of((kinds + 1) * in, out_channels / o.towers, out_channels / o.towers,
                                 o.post_layers));
  }
}

Tensor PNAConv::forward(const Features& x, const Graph& graph, const Tensor& edge,
                        const Where& where) const {
  const PNAOptions& o = options;
  require_channels("PNAConv", x.channels(), in_channels, where);
  const int64_t in = o.divide_input ? in_channels / o.towers : in_channels;
  Tensor encoded;
  if (edge_encoder) {
    require_edges("PNAConv", edge, graph, where);
    encoded = (*edge_encoder)(as_columns(edge), where);
  }
  const Tensor degree = unsqueeze(cast(graph.degree(), x.dtype()), 1), all = x.sources();
  const Tensor lin_mean = cast(aggr_module.avg_deg_lin.tensor(), x.dtype()),
               log_mean = cast(aggr_module.avg_deg_log.tensor(), x.dtype());
  std::vector<Tensor> outs;
  for (size_t t = 0; t < pre_nns.size(); ++t) {
    const auto first = static_cast<int64_t>(t) * in;
    const Tensor own = o.divide_input ? slice(all, 1, {first, first + in}) : all;
    // The first layer on [x_i, x_j, e]: parts of it apply to nodes, of which there are fewer.
    const nn::Sequential& pre = pre_nns[t];
    const auto& head = dynamic_cast<const nn::Linear&>(pre[0]);
    const auto part = [&](int64_t i) { return slice(head.weight, 1, {i * in, (i + 1) * in}); };
    Tensor m = at_targets(graph, linear(own, part(0), head.bias), where) +
               at_sources(graph, linear(own, part(1)), where);
    if (encoded.defined()) m = m + linear(encoded, part(2));
    for (size_t i = 1; i < pre.size(); ++i)
      m = i % 2 == 1 ? relu(m) : dynamic_cast<const nn::Linear&>(pre[i])(m);
    std::vector<Tensor> kinds;
    for (const Aggregation how : o.aggregators)
      kinds.push_back(aggregate(graph, m, how, Side::kTarget, where));
    const Tensor arrived = concat(kinds, 1);
    std::vector<Tensor> scaled{own};
    for (const Scaler scaler : o.scalers) switch (scaler) {
        case Scaler::kIdentity:
          scaled.push_back(arrived);
          break;
        case Scaler::kAmplification:
          scaled.push_back(arrived * (log(degree + 1) / log_mean));
          break;
        case Scaler::kAttenuation:
          scaled.push_back(arrived * (log_mean / log(maximum(degree, 1) + 1)));
          break;
        case Scaler::kLinear:
          scaled.push_back(arrived * (degree / lin_mean));
          break;
        case Scaler::kInverseLinear:
          scaled.push_back(arrived * (lin_mean / maximum(degree, 1)));
          break;
      }
    outs.push_back(post_nns[t](concat(scaled, 1), where));
  }
  return lin(concat(outs, 1), where);
}

}  // namespace glia::graphs
