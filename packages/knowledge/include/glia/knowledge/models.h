// Embeddings of knowledge graphs: models that score triples, the higher the likelier.
//
// Names and formulas are PyKEEN's and the papers'. h, r and t are i64 indices, (N) or shapes that
// broadcast; D is the dimension, E and R how many entities and relations there are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glia/knowledge/triples.h"
#include "glia/nn/layers.h"
#include "glia/sparse.h"

namespace glia::knowledge {

struct ModelOptions {
  int64_t dim = 200;
  int64_t relation_dim = 0;  // of TransR and TuckER; 0: dim
  // Each relation has a second embedding for the way back, with which heads are asked for
  // (Lacroix et al. 2018). ConvE and TuckER cannot do without.
  bool reciprocal = false;
  int64_t p = 1;                  // the norm of distances: 1 or 2
  double input_dropout = 0;       // of entities, in training
  double hidden_dropout = 0;      // of what is compared with tails: ConvE, TuckER
  double feature_dropout = 0;     // of ConvE's pictures
  double init_std = 0;            // of embeddings, normal; 0: Glorot's
  int64_t bases = 2, layers = 2;  // of R-GCN
  uint64_t seed = 0;
};

// The base.
class Model : public nn::Module {
 public:
  // Of the broadcast shape.
  virtual Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const = 0;
  // Of all entities as tails of (h, r), and as heads of (r, t): (N) -> (N, E).
  virtual Tensor score_tails(const Tensor& h, const Tensor& r) const;
  Tensor score_heads(const Tensor& r, const Tensor& t) const;
  // What regularisers are of: for each triple the sizes of its factors, (N, D) each.
  virtual std::vector<Tensor> factors(const Tensor& h, const Tensor& r, const Tensor& t) const;

  int64_t n_entities() const { return n_entities_; }
  int64_t n_relations() const { return n_relations_; }  // without those for the way back
  bool reciprocal() const { return options.reciprocal; }

  ModelOptions options;
  Parameter entity, relation;  // (E, D...), (R or 2 R, D...)
  GLIA_FIELDS(entity, relation)

 protected:
  Model(int64_t entities, int64_t relations, const ModelOptions& options);
  virtual Tensor score_all_heads(const Tensor& r, const Tensor& t) const;
  Tensor drawn(const Shape& shape) const;  // by init_std
  int64_t relation_rows() const { return n_relations_ * (options.reciprocal ? 2 : 1); }

 private:
  int64_t n_entities_, n_relations_;
};

// ---- Distances --------------------------------------------------------------------------------

// -|h + r - t|_p (Bordes et al. 2013).
class TransE : public Model {
 public:
  TransE(int64_t entities, int64_t relations, const ModelOptions& options = {});
  Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const override;
};
// The same within a plane of each relation, whose normal has length 1 (Wang et al. 2014).
class TransH : public Model {
 public:
  TransH(int64_t entities, int64_t relations, const ModelOptions& options = {});
  Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const override;
  Parameter normal;  // (R, D)
  GLIA_FIELDS(entity, relation, normal)
};
// The same in a space of each relation, M_r h and M_r t, which are of length 1 at most (Lin et al.
// 2015).
class TransR : public Model {
 public:
  TransR(int64_t entities, int64_t relations, const ModelOptions& options = {});
  Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const override;
  Parameter projection;  // (R, D, D of relations)
  GLIA_FIELDS(entity, relation, projection)
};
// -|h o r - t|_p over D complex numbers, r turns (Sun et al. 2019): entities (E, 2 D), real parts
// before imaginary ones, relations (R, D) angles. p = 1 sums the D sizes as the authors do; p = 2
// is PyKEEN's.
class RotatE : public Model {
 public:
  RotatE(int64_t entities, int64_t relations, const ModelOptions& options = {});
  Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const override;
};

// ---- Products ---------------------------------------------------------------------------------

// Models whose score is a product of the tail with what head and relation make.
class Bilinear : public Model {
 public:
  Tensor score(const Tensor& h, const Tensor& r, const Tensor& t) const override;
  Tensor score_tails(const Tensor& h, const Tensor& r) const override;

 protected:
  using Model::Model;
  virtual Tensor tail_query(const Tensor& h, const Tensor& r) const = 0;  // (..., D)
  // With which heads are asked for. Throws Error where only reciprocal relations can.
  virtual Tensor head_query(const Tensor& r, const Tensor& t) const;
  Tensor score_all_heads(const Tensor& r, const Tensor& t) const override;
  virtual Tensor bias() const { return {}; }  // of entities, (E)
  virtual Tensor entities() const { return entity; }
};
// sum h r t (Yang et al. 2015).
class DistMult : public Bilinear {
 public:
  DistMult(int64_t entities, int64_t relations, const ModelOptions& options = {});

 protected:
  Tensor tail_query(const Tensor& h, const Tensor& r) const override;
  Tensor head_query(const Tensor& r, const Tensor& t) const override;
};
// Re sum h r conj(t) over D complex numbers (Trouillon et al. 2016): rows of 2 D, real parts first.
class ComplEx : public Bilinear {
 public:
  ComplEx(int64_t entities, int64_t relations, const ModelOptions& options = {});
  std::vector<Tensor> factors(const Tensor& h, const Tensor& r, const Tensor& t) const override;

 protected:
  Tensor tail_query(const Tensor& h, const Tensor& r) const override;
  Tensor head_query(const Tensor& r, const Tensor& t) const override;
};
// h' M_r t (Nickel et al. 2011): relations (R, D, D).
class RESCAL : public Bilinear {
 public:
  RESCAL(int64_t entities, int64_t relations, const ModelOptions& options = {});

 protected:
  Tensor tail_query(const Tensor& h, const Tensor& r) const override;
  Tensor head_query(const Tensor& r, const Tensor& t) const override;
};
// W x1 h x2 r x3 t with a core W (D of relations, D, D), norms and dropout (Balazevic et al. 2019).
class TuckER : public Bilinear {
 public:
  TuckER(int64_t entities, int64_t relations, const ModelOptions& options = {});
  Parameter core;
  nn::BatchNorm1d norm0, norm1;
  nn::Dropout drop_in, drop_core, drop_out;
  GLIA_FIELDS(entity, relation, core, norm0, norm1, drop_in, drop_core, drop_out)

 protected:
  Tensor tail_query(const Tensor& h, const Tensor& r) const override;
};
// A convolution over head and relation as one picture of 2 x 10 rows (Dettmers et al. 2018).
// The dimension is a multiple of 10. Each entity has a bias.
class ConvE : public Bilinear {
 public:
  ConvE(int64_t entities, int64_t relations, const ModelOptions& options = {});
  Parameter entity_bias;  // (E)
  nn::BatchNorm2d norm0;
  nn::Conv2d conv;
  nn::BatchNorm2d norm1;
  nn::Linear out;
  nn::BatchNorm1d norm2;
  nn::Dropout drop_in, drop_feature, drop_out;
  GLIA_FIELDS(entity, relation, entity_bias, norm0, conv, norm1, out, norm2, drop_in, drop_feature,
              drop_out)

 protected:
  Tensor tail_query(const Tensor& h, const Tensor& r) const override;
  Tensor bias() const override { return entity_bias; }
};

// DistMult on what a relational graph convolution makes of the entities (Schlichtkrull et al.
// 2018): h_i' = relu(W0 h_i + sum over relations and their neighbours j of W_r h_j / n_ir), of
// which each W_r is a mix of a few. The way back is a relation of its own.
class RGCN : public Bilinear {
 public:
  RGCN(int64_t entities, int64_t relations, const std::vector<Triple>& train,
       const ModelOptions& options = {});
  struct Layer : nn::Module {
    Layer(int64_t dim, int64_t relations, int64_t bases);
    nn::Linear self;
    std::vector<Parameter> bases;  // (D, D) each
    Parameter mix;                 // (2 R, bases)
    GLIA_FIELDS(self, bases, mix)
  };
  std::vector<Layer> layers;
  nn::Dropout drop;
  GLIA_FIELDS(entity, relation, layers, drop)

 protected:
  Tensor tail_query(const Tensor& h, const Tensor& r) const override;
  Tensor head_query(const Tensor& r, const Tensor& t) const override;
  Tensor entities() const override;

 private:
  std::optional<Csr> graph_;
  Tensor edge_relation_, edge_weight_;  // (edges)
};

// "complex", "transe", ...; R-GCN sees the training triples of the graph.
std::vector<std::string> model_names();
std::unique_ptr<Model> make_model(const std::string& name, const KnowledgeGraph& graph,
                                  const ModelOptions& options = {});

}  // namespace glia::knowledge
