#include "glia/knowledge/models.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "glia/ops.h"
#include "glia/random.h"

namespace glia::knowledge {
namespace {

Shape with(Shape shape, std::initializer_list<int64_t> more) {
  for (const int64_t size : more) shape.push_back(size);
  return shape;
}
Tensor flat(const Tensor& x) { return reshape(x, {-1}); }

Tensor half(const Tensor& x, int which) {
  const int64_t d = x.size(-1) / 2;
  return slice(x, -1, {.start = which * d, .stop = (which + 1) * d});
}

// |x|_p over the last axis; its slope at 0 is 0.
Tensor length(const Tensor& x, int64_t p) {
  if (p == 1) return sum(abs(x), {-1});
  return sqrt(maximum(sum(square(x), {-1}), 1e-30));
}

}  // namespace

Model::Model(int64_t entities, int64_t relations, const ModelOptions& options)
    : options(options), n_entities_(entities), n_relations_(relations) {
  if (entities < 1 || relations < 1)
    throw ValueError("a knowledge graph without entities or relations");
  if (options.dim < 1 || options.relation_dim < 0 || (options.p != 1 && options.p != 2))
    throw ValueError("ModelOptions: dim, relation_dim or p is out of range");
}

Tensor Model::drawn(const Shape& shape) const {
  if (options.init_std > 0) return normal(shape, 0, options.init_std);
  // Glorot & Bengio 2010, over the last two axes.
  const auto both = static_cast<double>(shape.size(-1) + shape.size(-2));
  return normal(shape, 0, std::sqrt(2 / both));
}

Tensor Model::score_tails(const Tensor& h, const Tensor& r) const {
  return score(unsqueeze(h, 1), unsqueeze(r, 1), arange(n_entities_));
}
Tensor Model::score_all_heads(const Tensor& r, const Tensor& t) const {
  return score(arange(n_entities_), unsqueeze(r, 1), unsqueeze(t, 1));
}
Tensor Model::score_heads(const Tensor& r, const Tensor& t) const {
  return options.reciprocal ? score_tails(t, r + n_relations_) : score_all_heads(r, t);
}

std::vector<Tensor> Model::factors(const Tensor& h, const Tensor& r, const Tensor& t) const {
  const auto sizes = [](const Tensor& x) { return abs(flatten(x, 1)); };
  return {sizes(take(entity, h)), sizes(take(relation, r)), sizes(take(entity, t))};
}

// ---- Distances --------------------------------------------------------------------------------

TransE::TransE(int64_t entities, int64_t relations, const ModelOptions& options)
    : Model(entities, relations, options) {
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), options.dim}));
}
Tensor TransE::score(const Tensor& h, const Tensor& r, const Tensor& t) const {
  return -length(embedding(h, entity) + embedding(r, relation) - embedding(t, entity), options.p);
}

TransH::TransH(int64_t entities, int64_t relations, const ModelOptions& options)
    : Model(entities, relations, options) {
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), options.dim}));
  normal = Parameter(drawn({relation_rows(), options.dim}));
}
Tensor TransH::score(const Tensor& h, const Tensor& r, const Tensor& t) const {
  const Tensor w = embedding(r, normal);
  const Tensor n = w * rsqrt(maximum(sum(square(w), {-1}, true), 1e-30));
  const Tensor apart = embedding(h, entity) - embedding(t, entity);
  return -length(apart - sum(n * apart, {-1}, true) * n + embedding(r, relation), options.p);
}

TransR::TransR(int64_t entities, int64_t relations, const ModelOptions& options)
    : Model(entities, relations, options) {
  const int64_t to = options.relation_dim ? options.relation_dim : options.dim;
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), to}));
  projection = Parameter(drawn({relation_rows(), options.dim, to}));
}
Tensor TransR::score(const Tensor& h, const Tensor& r, const Tensor& t) const {
  const Tensor m = take(projection, r);
  const auto projected = [&](const Tensor& i) {
    const Tensor x = squeeze(matmul(unsqueeze(embedding(i, entity), -2), m), -2);
    return x / maximum(sqrt(maximum(sum(square(x), {-1}, true), 1e-30)), 1.0);
  };
  return -length(projected(h) + embedding(r, relation) - projected(t), options.p);
}

RotatE::RotatE(int64_t entities, int64_t relations, const ModelOptions& options)
    : Model(entities, relations, options) {
  entity = Parameter(drawn({entities, 2 * options.dim}));
  relation = Parameter(uniform({relation_rows(), options.dim}, -M_PI, M_PI));
}
Tensor RotatE::score(const Tensor& h, const Tensor& r, const Tensor& t) const {
  const Tensor a = embedding(h, entity), b = embedding(t, entity), angle = embedding(r, relation);
  const Tensor c = cos(angle), s = sin(angle), re = half(a, 0), im = half(a, 1);
  const Tensor x = re * c - im * s - half(b, 0), y = re * s + im * c - half(b, 1);
  const Tensor squares = square(x) + square(y);
  if (options.p == 2) return -sqrt(maximum(sum(squares, {-1}), 1e-30));
  return -sum(sqrt(maximum(squares, 1e-30)), {-1});
}

// ---- Products ---------------------------------------------------------------------------------

Tensor Bilinear::score(const Tensor& h, const Tensor& r, const Tensor& t) const {
  const Tensor product = sum(tail_query(h, r) * embedding(t, entities()), {-1});
  const Tensor b = bias();
  return b.defined() ? product + take(b, t) : product;
}
Tensor Bilinear::score_tails(const Tensor& h, const Tensor& r) const {
  return linear(tail_query(h, r), entities(), bias());
}
Tensor Bilinear::score_all_heads(const Tensor& r, const Tensor& t) const {
  return linear(head_query(r, t), entities(), bias());
}
Tensor Bilinear::head_query(const Tensor&, const Tensor&) const {
  throw Error("this model asks for heads by reciprocal relations alone: set reciprocal");
}

DistMult::DistMult(int64_t entities, int64_t relations, const ModelOptions& options)
    : Bilinear(entities, relations, options) {
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), options.dim}));
}
Tensor DistMult::tail_query(const Tensor& h, const Tensor& r) const {
  return embedding(h, entity) * embedding(r, relation);
}
Tensor DistMult::head_query(const Tensor& r, const Tensor& t) const { return tail_query(t, r); }

ComplEx::ComplEx(int64_t entities, int64_t relations, const ModelOptions& options)
    : Bilinear(entities, relations, options) {
  entity = Parameter(drawn({entities, 2 * options.dim}));
  relation = Parameter(drawn({relation_rows(), 2 * options.dim}));
}
namespace {
// a b, or a conj(b), of rows with real parts first.
Tensor complex_product(const Tensor& a, const Tensor& b, bool conjugate) {
  const Tensor ar = half(a, 0), ai = half(a, 1), br = half(b, 0), bi = half(b, 1);
  return conjugate ? concat({ar * br + ai * bi, ai * br - ar * bi}, -1)
                   : concat({ar * br - ai * bi, ar * bi + ai * br}, -1);
}
}  // namespace
Tensor ComplEx::tail_query(const Tensor& h, const Tensor& r) const {
  return complex_product(embedding(h, entity), embedding(r, relation), false);
}
Tensor ComplEx::head_query(const Tensor& r, const Tensor& t) const {
  return complex_product(embedding(t, entity), embedding(r, relation), true);
}
std::vector<Tensor> ComplEx::factors(const Tensor& h, const Tensor& r, const Tensor& t) const {
  const auto sizes = [](const Tensor& x) {
    return sqrt(maximum(square(half(x, 0)) + square(half(x, 1)), 1e-30));
  };
  return {sizes(embedding(h, entity)), sizes(embedding(r, relation)), sizes(embedding(t, entity))};
}

RESCAL::RESCAL(int64_t entities, int64_t relations, const ModelOptions& options)
    : Bilinear(entities, relations, options) {
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), options.dim, options.dim}));
}
Tensor RESCAL::tail_query(const Tensor& h, const Tensor& r) const {
  return squeeze(matmul(unsqueeze(embedding(h, entity), -2), take(relation, r)), -2);
}
Tensor RESCAL::head_query(const Tensor& r, const Tensor& t) const {
  return squeeze(matmul(take(relation, r), unsqueeze(embedding(t, entity), -1)), -1);
}

TuckER::TuckER(int64_t entities, int64_t relations, const ModelOptions& options)
    : Bilinear(entities, relations, options),
      norm0(options.dim),
      norm1(options.dim),
      drop_in(options.input_dropout),
      drop_core(options.feature_dropout),
      drop_out(options.hidden_dropout) {
  if (!options.reciprocal) throw ValueError("TuckER: needs reciprocal relations");
  const int64_t of = options.relation_dim ? options.relation_dim : options.dim;
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), of}));
  core = Parameter(uniform({of, options.dim, options.dim}, -1, 1));
}
Tensor TuckER::tail_query(const Tensor& h, const Tensor& r) const {
  const int64_t d = options.dim;
  const Tensor x = drop_in(norm0(embedding(flat(h), entity)));
  const Tensor m = drop_core(
      reshape(matmul(embedding(flat(r), relation), flatten(core.tensor(), 1)), {-1, d, d}));
  const Tensor y = squeeze(matmul(unsqueeze(x, 1), m), 1);
  return reshape(drop_out(norm1(y)), with(h.shape(), {d}));
}

namespace {
constexpr int64_t kPictureRows = 10, kChannels = 32;
int64_t picture_width(int64_t dim) {
  if (dim % kPictureRows != 0 || dim < 3 * kPictureRows)
    throw ValueError("ConvE: dim " + std::to_string(dim) + " is no multiple of 10 from 30 on");
  return dim / kPictureRows;
}
}  // namespace

ConvE::ConvE(int64_t entities, int64_t relations, const ModelOptions& options)
    : Bilinear(entities, relations, options),
      norm0(1),
      conv(1, kChannels, {.kernel = 3}),
      norm1(kChannels),
      out((2 * kPictureRows - 2) * (picture_width(options.dim) - 2) * kChannels, options.dim),
      norm2(options.dim),
      drop_in(options.input_dropout),
      drop_feature(options.feature_dropout),
      drop_out(options.hidden_dropout) {
  if (!options.reciprocal) throw ValueError("ConvE: needs reciprocal relations");
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relation_rows(), options.dim}));
  entity_bias = Parameter(zeros({entities}));
}
Tensor ConvE::tail_query(const Tensor& h, const Tensor& r) const {
  const int64_t d = options.dim, width = picture_width(d);
  const auto picture = [&](const Tensor& x) { return reshape(x, {-1, kPictureRows, width, 1}); };
  const Tensor both =
      concat({picture(embedding(flat(h), entity)), picture(embedding(flat(r), relation))}, 1);
  const Tensor maps = relu(norm1(conv(drop_in(norm0(both)))));
  const Tensor kept = maps * drop_feature(ones({maps.size(0), 1, 1, kChannels}));
  const Tensor y = relu(norm2(drop_out(out(flatten(kept, 1)))));
  return reshape(y, with(h.shape(), {d}));
}

// ---- R-GCN ------------------------------------------------------------------------------------

RGCN::Layer::Layer(int64_t dim, int64_t relations, int64_t count)
    : self(dim, dim),
      mix(normal({2 * relations, count}, 0, 1 / std::sqrt(static_cast<double>(count)))) {
  for (int64_t b = 0; b < count; ++b)
    bases.emplace_back(normal({dim, dim}, 0, 1 / std::sqrt(static_cast<double>(dim))));
}

RGCN::RGCN(int64_t entities, int64_t relations, const std::vector<Triple>& train,
           const ModelOptions& options)
    : Bilinear(entities, relations, options), drop(options.hidden_dropout) {
  if (options.reciprocal) throw ValueError("RGCN: has the way back in its graph, not reciprocal");
  if (options.bases < 1 || options.layers < 1 || train.empty())
    throw ValueError("RGCN: there are no bases, no layers or no triples");
  entity = Parameter(drawn({entities, options.dim}));
  relation = Parameter(drawn({relations, options.dim}));
  for (int64_t l = 0; l < options.layers; ++l)
    layers.emplace_back(options.dim, relations, options.bases);
  // Each triple as an edge into its tail, and as one of another relation into its head.
  struct Edge {
    int64_t to, relation, from;
    auto operator<=>(const Edge&) const = default;
  };
  std::vector<Edge> edges;
  for (const Triple& t : train) {
    edges.push_back({t.tail, t.relation, t.head});
    edges.push_back({t.head, t.relation + relations, t.tail});
  }
  std::ranges::sort(edges);
  std::vector<int64_t> starts(static_cast<size_t>(entities) + 1, 0), cols, kinds;
  std::vector<float> weights;
  for (size_t first = 0; first < edges.size();) {
    size_t last = first;
    while (last < edges.size() && edges[last].to == edges[first].to &&
           edges[last].relation == edges[first].relation)
      ++last;
    for (; first < last; ++first) {
      cols.push_back(edges[first].from);
      kinds.push_back(edges[first].relation);
      ++starts[static_cast<size_t>(edges[first].to) + 1];
      weights.push_back(0);
    }
    size_t same = 0;
    for (size_t k = weights.size(); k-- > 0 && weights[k] == 0;) ++same;
    for (size_t k = weights.size() - same; k < weights.size(); ++k)
      weights[k] = 1 / static_cast<float>(same);
  }
  for (size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
  const auto count = static_cast<int64_t>(cols.size());
  edge_relation_ = from_vector(kinds, {count});
  edge_weight_ = from_vector(weights, {count});
  graph_.emplace(from_vector(starts, {entities + 1}), from_vector(cols, {count}), edge_weight_,
                 Shape{entities, entities});
}

Tensor RGCN::entities() const {
  Tensor x = entity;
  for (const Layer& layer : layers) {
    Tensor y = layer.self(x);
    for (size_t b = 0; b < layer.bases.size(); ++b) {
      const Tensor mixed =
          slice(layer.mix.tensor(), 1,
                {.start = static_cast<int64_t>(b), .stop = static_cast<int64_t>(b) + 1});
      const Tensor along = squeeze(take(mixed, edge_relation_), 1) * edge_weight_;
      y = y + spmm(graph_->with_values(along), matmul(x, layer.bases[b]));
    }
    x = drop(&layer == &layers.back() ? y : relu(y));
  }
  return x;
}
Tensor RGCN::tail_query(const Tensor& h, const Tensor& r) const {
  return embedding(h, entities()) * embedding(r, relation);
}
Tensor RGCN::head_query(const Tensor& r, const Tensor& t) const { return tail_query(t, r); }

// ---- By name ----------------------------------------------------------------------------------

namespace {

using Make = std::function<std::unique_ptr<Model>(const KnowledgeGraph&, const ModelOptions&)>;
template <class M>
std::unique_ptr<Model> made(const KnowledgeGraph& graph, const ModelOptions& options) {
  return std::make_unique<M>(graph.n_entities(), graph.n_relations(), options);
}
const std::vector<std::pair<std::string, Make>>& makers() {
  static const std::vector<std::pair<std::string, Make>> all = {
      {"complex", made<ComplEx>},
      {"conve", made<ConvE>},
      {"distmult", made<DistMult>},
      {"rescal", made<RESCAL>},
      {"rgcn",
       [](const KnowledgeGraph& graph, const ModelOptions& options) {
         return std::make_unique<RGCN>(graph.n_entities(), graph.n_relations(), graph.train,
                                       options);
       }},
      {"rotate", made<RotatE>},
      {"transe", made<TransE>},
      {"transh", made<TransH>},
      {"transr", made<TransR>},
      {"tucker", made<TuckER>}};
  return all;
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  for (const auto& [name, make] : makers()) out.push_back(name);
  return out;
}

std::unique_ptr<Model> make_model(const std::string& name, const KnowledgeGraph& graph,
                                  const ModelOptions& options) {
  const RandomState before = random_state();
  manual_seed(options.seed);
  std::unique_ptr<Model> model;
  std::string all;
  try {
    for (const auto& [known, make] : makers()) {
      all += (all.empty() ? "" : ", ") + known;
      if (known == name) model = make(graph, options);
    }
  } catch (...) {
    set_random_state(before);
    throw;
  }
  set_random_state(before);
  if (!model) throw ValueError("there is no model '" + name + "': " + all);
  return model;
}

}  // namespace glia::knowledge
