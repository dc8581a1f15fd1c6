#include <functional>

#include "glia/recommend/explicit.h"
#include "glia/recommend/implicit.h"
#include "glia/recommend/neural.h"

namespace glia::recommend {
namespace {

using Made = std::unique_ptr<Recommender>;

template <class T>
void take(T& member, T value) {
  if (value > 0) member = value;
}
void take(NetworkOptions& network, const ModelOptions& o) {
  take(network.epochs, o.epochs);
  take(network.lr, o.lr);
  if (o.reg >= 0) network.weight_decay = o.reg;
  network.random_state = o.random_state;
}

template <class M>
Made knn(const ModelOptions& o, Similarity similarity, bool user_based) {
  KNNOptions own{.sim_options = {.name = similarity, .user_based = user_based}};
  take(own.k, o.k);
  return std::make_unique<M>(own);
}
template <class M, class O>
Made factors(const ModelOptions& o) {
  O own;
  take(own.n_factors, o.factors);
  take(own.n_epochs, o.epochs);
  take(own.lr_all, o.lr);
  if (o.reg >= 0) own.reg_all = o.reg;
  own.random_state = o.random_state;
  return std::make_unique<M>(own);
}
template <class M, class O>
Made network(const ModelOptions& o) {
  O own;
  if constexpr (requires { own.factors; }) take(own.factors, o.factors);
  take(own.network, o);
  return std::make_unique<M>(own);
}

Made nmf(const ModelOptions& o) {
  NMFOptions own{.random_state = o.random_state};
  take(own.n_factors, o.factors);
  take(own.n_epochs, o.epochs);
  if (o.reg >= 0) own.reg_pu = own.reg_qi = o.reg;
  return std::make_unique<NMF>(own);
}
Made als(const ModelOptions& o) {
  ALSOptions own{.random_state = o.random_state};
  take(own.factors, o.factors);
  take(own.iterations, o.epochs);
  if (o.reg >= 0) own.regularization = o.reg;
  return std::make_unique<ALS>(own);
}
Made bpr(const ModelOptions& o) {
  BPROptions own{.random_state = o.random_state};
  take(own.factors, o.factors);
  take(own.iterations, o.epochs);
  take(own.learning_rate, o.lr);
  if (o.reg >= 0) own.regularization = o.reg;
  return std::make_unique<BPR>(own);
}

struct Model {
  const char* name;
  std::function<Made(const ModelOptions&)> make;
};
const std::vector<Model>& models() {
  static const std::vector<Model> all = {
      {"baseline", [](const ModelOptions&) { return std::make_unique<BaselineOnly>(); }},
      {"knn-basic", [](const auto& o) { return knn<KNNBasic>(o, Similarity::kMSD, true); }},
      {"knn-means", [](const auto& o) { return knn<KNNWithMeans>(o, Similarity::kMSD, true); }},
      {"knn-zscore", [](const auto& o) { return knn<KNNWithZScore>(o, Similarity::kMSD, true); }},
      {"knn-baseline", [](const auto& o) { return knn<KNNBaseline>(o, Similarity::kMSD, true); }},
      {"knn-baseline-items",
       [](const auto& o) { return knn<KNNBaseline>(o, Similarity::kPearsonBaseline, false); }},
      {"svd", factors<SVD, SVDOptions>},
      {"svdpp", factors<SVDpp, SVDppOptions>},
      {"nmf", nmf},
      {"slope-one", [](const ModelOptions&) { return std::make_unique<SlopeOne>(); }},
      {"co-clustering",
       [](const ModelOptions& o) {
         return std::make_unique<CoClustering>(CoClusteringOptions{.random_state = o.random_state});
       }},
      {"fm", network<FM, FMOptions>},
      {"deepfm", network<DeepFM, FMOptions>},
      {"popular", [](const ModelOptions&) { return std::make_unique<MostPopular>(); }},
      {"item-knn",
       [](const ModelOptions& o) {
         ItemKNNOptions own;
         take(own.k, o.k);
         return std::make_unique<ItemKNN>(own);
       }},
      {"ease",
       [](const ModelOptions& o) {
         return std::make_unique<EASE>(
             EASEOptions{.reg_weight = o.reg >= 0 ? o.reg : EASEOptions{}.reg_weight});
       }},
      {"slim",
       [](const ModelOptions& o) {
         return std::make_unique<SLIM>(
             SLIMOptions{.alpha = o.reg >= 0 ? o.reg : SLIMOptions{}.alpha});
       }},
      {"als", als},
      {"bpr", bpr},
      {"neumf", network<NeuMF, NeuMFOptions>},
      {"mult-vae", network<MultVAE, MultVAEOptions>},
      {"lightgcn", network<LightGCN, LightGCNOptions>},
      {"two-tower", network<TwoTower, TwoTowerOptions>},
      {"gru4rec", network<GRU4Rec, GRU4RecOptions>},
      {"sasrec", network<SASRec, SASRecOptions>},
  };
  return all;
}

}  // namespace

std::vector<std::string> recommender_names() {
  std::vector<std::string> out;
  for (const Model& m : models()) out.emplace_back(m.name);
  return out;
}

std::unique_ptr<Recommender> make_recommender(const std::string& name,
                                              const ModelOptions& options) {
  for (const Model& m : models())
    if (m.name == name) return m.make(options);
  std::string all;
  for (const Model& m : models()) all += (all.empty() ? "" : ", ") + std::string(m.name);
  throw ValueError("there is no recommender '" + name + "': " + all);
}

}  // namespace glia::recommend
