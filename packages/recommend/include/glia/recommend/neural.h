// Networks that recommend, trained by Adam on drawn batches; f32. Losses are means of a batch.
#pragma once

#include <optional>

#include "glia/nn/layers.h"
#include "glia/nn/recurrent.h"
#include "glia/nn/transformer.h"
#include "glia/recommend/model.h"
#include "glia/sparse.h"

namespace glia::recommend {

// Linear layers with ReLU behind each, or behind all but the last.
struct MLP : nn::Module {
  MLP() = default;
  // {in, hidden..., out}
  explicit MLP(const std::vector<int64_t>& sizes, bool relu_last = true);
  Tensor operator()(const Tensor& x) const;
  std::vector<nn::Linear> layers;
  bool relu_last = true;
  GLIA_FIELDS(layers)
};

// How a network is trained, whatever its kind.
struct NetworkOptions {
  int64_t epochs = 20, batch_size = 1024;
  double lr = 1e-3, weight_decay = 0;
  uint64_t random_state = 0;
};

// ---- Ratings by fields ------------------------------------------------------------------------

// w0 + sum w_f + sum over pairs of fields of v_f . v_g (Rendle 2010): indices (N, fields), each
// below its field's size, -> (N). Throws ShapeError, and ValueError for an index out of range.
struct FactorizationMachine : nn::Module {
  FactorizationMachine(const std::vector<int64_t>& field_sizes, int64_t factors);
  Tensor operator()(const Tensor& fields) const;
  Tensor factors_of(const Tensor& fields) const;  // (N, fields, F)

  Tensor offsets;             // i64 (fields): where each begins in the tables
  Parameter bias, linear, v;  // (), (all, 1), (all, F)
  GLIA_FIELDS(bias, linear, v)
};
// The same and a network over the factors of all fields (Guo et al. 2017).
struct DeepFactorizationMachine : nn::Module {
  DeepFactorizationMachine(const std::vector<int64_t>& field_sizes, int64_t factors,
                           const std::vector<int64_t>& hidden = {128, 128}, double dropout = 0.2);
  Tensor operator()(const Tensor& fields) const;

  FactorizationMachine fm;
  MLP deep;
  nn::Linear out;
  nn::Dropout drop;
  GLIA_FIELDS(fm, deep, out, drop)
};

struct FMOptions {
  int64_t factors = 16;
  std::vector<int64_t> hidden = {128, 128};  // of DeepFM
  double dropout = 0.2;                      // of DeepFM
  NetworkOptions network = {.epochs = 20, .batch_size = 256, .weight_decay = 1e-5};
};
// Ratings by the fields user and item, by the mean square of errors.
class FM : public RatingModel {
 public:
  explicit FM(const FMOptions& options = {}) : options(options) {}
  FMOptions options;
  std::optional<FactorizationMachine> net;
  GLIA_FIELDS(net)

 private:
  void begin() override;
  void run() override;
  std::vector<double> estimates(const std::vector<int32_t>& users,
                                const std::vector<int32_t>& items) const override;
};
class DeepFM : public RatingModel {
 public:
  explicit DeepFM(const FMOptions& options = {}) : options(options) {}
  FMOptions options;
  std::optional<DeepFactorizationMachine> net;
  GLIA_FIELDS(net)

 private:
  void begin() override;
  void run() override;
  std::vector<double> estimates(const std::vector<int32_t>& users,
                                const std::vector<int32_t>& items) const override;
};

// ---- Users and items --------------------------------------------------------------------------

struct NeuMFOptions {
  int64_t factors = 8;                            // of the product
  std::vector<int64_t> layers = {64, 32, 16, 8};  // the first is twice the size of embeddings
  int64_t negatives = 4;
  NetworkOptions network = {.epochs = 20, .batch_size = 256};
};
// A product of factors beside a network over both, told from items that are drawn, by
// cross-entropy (He et al. 2017).
class NeuMF : public Recommender {
 public:
  explicit NeuMF(const NeuMFOptions& options = {}) : options(options) {}
  Tensor logits(const Tensor& users, const Tensor& items) const;  // (N), (N) -> (N)

  NeuMFOptions options;
  Parameter gmf_user, gmf_item, mlp_user, mlp_item;  // (U, F), (I, F), (U, E), (I, E)
  MLP mlp;
  std::optional<nn::Linear> out;
  GLIA_FIELDS(gmf_user, gmf_item, mlp_user, mlp_item, mlp, out)

 private:
  void begin() override;
  void run() override;
  Tensor score(const std::vector<int32_t>& users) const override;
};

struct MultVAEOptions {
  std::vector<int64_t> layers = {600, 200};  // of the encoder, the latent one last
  double dropout = 0.5, anneal_cap = 0.2;
  int64_t total_anneal_steps = 200000;
  NetworkOptions network = {.epochs = 100, .batch_size = 500};
};
// A variational autoencoder of all items of a user with a multinomial likelihood (Liang et al.
// 2018).
class MultVAE : public Recommender {
 public:
  explicit MultVAE(const MultVAEOptions& options = {}) : options(options) {}

  MultVAEOptions options;
  MLP encoder, decoder;  // tanh between layers
  GLIA_FIELDS(encoder, decoder)

 private:
  void begin() override;
  void run() override;
  Tensor score(const std::vector<int32_t>& users) const override;
  Tensor row(const std::vector<int32_t>& users) const;
};

struct LightGCNOptions {
  int64_t factors = 64, n_layers = 3;
  double reg_weight = 1e-4;  // of the squares of the embeddings that a batch begins with
  NetworkOptions network = {.epochs = 100, .batch_size = 2048};
};
// The mean over layers of embeddings that are passed along the graph of users and items, by BPR's
// loss (He et al. 2020).
class LightGCN : public Recommender {
 public:
  explicit LightGCN(const LightGCNOptions& options = {}) : options(options) {}
  Tensor propagated() const;  // (U + I, F)

  LightGCNOptions options;
  Parameter embedding;  // (U + I, F)
  GLIA_FIELDS(embedding)

 private:
  void begin() override;
  void run() override;
  Tensor score(const std::vector<int32_t>& users) const override;
  std::optional<Csr> graph_;
};

struct TwoTowerOptions {
  int64_t factors = 64;
  std::vector<int64_t> hidden = {64};  // of both towers, behind the embeddings
  double temperature = 0.1;
  NetworkOptions network = {.epochs = 30, .batch_size = 1024};
};
// Two networks whose unit vectors are near for pairs, by the softmax over the items of the batch,
// corrected for how often each is drawn (Yi et al. 2019).
class TwoTower : public Recommender {
 public:
  explicit TwoTower(const TwoTowerOptions& options = {}) : options(options) {}
  Tensor user_vectors(const Tensor& users) const;  // (N) -> (N, F), of length 1
  Tensor item_vectors(const Tensor& items) const;

  TwoTowerOptions options;
  Parameter user, item;  // (U, F), (I, F)
  MLP user_tower, item_tower;
  GLIA_FIELDS(user, item, user_tower, item_tower)

 private:
  void begin() override;
  void run() override;
  Tensor score(const std::vector<int32_t>& users) const override;
};

// ---- Sequences --------------------------------------------------------------------------------

// What comes next, of each user's items in order of time: at every step the softmax over all items.
class SequenceModel : public Recommender {
 public:
  // States (N, T, F) behind items i64 (N, T); 0 fills up at the end, item i is i + 1.
  virtual Tensor states(const Tensor& items) const = 0;
  // Of a sequence of item numbers that need not be a known user's: f32 (I). Throws ValueError.
  Tensor next(const std::vector<int32_t>& items) const;

  Parameter item;  // (I + 1, F)
  GLIA_FIELDS(item)

 protected:
  void begin_items(int64_t factors);
  void run_sequences(const NetworkOptions& network, int64_t max_length);
  Tensor score(const std::vector<int32_t>& users) const override;
  int64_t max_length_ = 50;

 private:
  Tensor batch(const std::vector<std::vector<int32_t>>& sequences) const;
  Tensor last(const std::vector<std::vector<int32_t>>& sequences) const;
  std::vector<std::vector<int32_t>> sequences_;  // of users, by time
};

struct GRU4RecOptions {
  int64_t factors = 64, hidden = 128, num_layers = 1, max_length = 50;
  double dropout = 0.3;
  NetworkOptions network = {.epochs = 50, .batch_size = 128};
};
// A gated recurrent network over the items (Hidasi et al. 2016).
class GRU4Rec : public SequenceModel {
 public:
  explicit GRU4Rec(const GRU4RecOptions& options = {}) : options(options) {}
  Tensor states(const Tensor& items) const override;

  GRU4RecOptions options;
  std::optional<nn::GRU> gru;
  std::optional<nn::Linear> out;
  std::optional<nn::Dropout> drop;
  GLIA_FIELDS(item, gru, out, drop)

 private:
  void begin() override;
  void run() override { run_sequences(options.network, options.max_length); }
};

struct SASRecOptions {
  int64_t factors = 64, n_heads = 2, n_layers = 2, inner_size = 256, max_length = 50;
  double dropout = 0.3;
  NetworkOptions network = {.epochs = 50, .batch_size = 128};
};
// Self-attention over the items before (Kang & McAuley 2018).
class SASRec : public SequenceModel {
 public:
  explicit SASRec(const SASRecOptions& options = {}) : options(options) {}
  Tensor states(const Tensor& items) const override;

  SASRecOptions options;
  Parameter position;  // (max_length, F)
  std::optional<nn::TransformerEncoder> encoder;
  std::optional<nn::LayerNorm> norm;
  std::optional<nn::Dropout> drop;
  GLIA_FIELDS(item, position, encoder, norm, drop)

 private:
  void begin() override;
  void run() override { run_sequences(options.network, options.max_length); }
};

}  // namespace glia::recommend
