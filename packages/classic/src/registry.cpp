#include <algorithm>

#include "glia/classic/cluster.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/density.h"
#include "glia/classic/hierarchy.h"
#include "glia/classic/mixture.h"
#include "glia/classic/neighbors.h"
#include "glia/classic/preprocessing.h"
#include "glia/classic/search.h"
#include "glia/classic/semi_supervised.h"
#include "glia/classic/svm.h"

namespace glia::classic {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Estimator> (*make)();
};

template <class T>
std::unique_ptr<Estimator> make() {
  return std::make_unique<T>();
}

constexpr Entry kEntries[] = {
    {"AgglomerativeClustering", make<AgglomerativeClustering>},
    {"DBSCAN", make<DBSCAN>},
    {"FastICA", make<FastICA>},
    {"GaussianMixture", make<GaussianMixture>},
    {"GridSearchCV", make<GridSearchCV>},
    {"HDBSCAN", make<HDBSCAN>},
    {"HalvingGridSearchCV", make<HalvingGridSearchCV>},
    {"HalvingRandomSearchCV", make<HalvingRandomSearchCV>},
    {"KMeans", make<KMeans>},
    {"KNeighborsClassifier", make<KNeighborsClassifier>},
    {"KNeighborsRegressor", make<KNeighborsRegressor>},
    {"LabelPropagation", make<LabelPropagation>},
    {"LabelSpreading", make<LabelSpreading>},
    {"MiniBatchKMeans", make<MiniBatchKMeans>},
    {"NMF", make<NMF>},
    {"NearestNeighbors", make<NearestNeighbors>},
    {"OPTICS", make<OPTICS>},
    {"OneClassSVM", make<OneClassSVM>},
    {"PCA", make<PCA>},
    {"RandomizedSearchCV", make<RandomizedSearchCV>},
    {"SVC", make<SVC>},
    {"SVR", make<SVR>},
    {"SpectralClustering", make<SpectralClustering>},
    {"StandardScaler", make<StandardScaler>},
    {"TPESearchCV", make<TPESearchCV>},
    {"TruncatedSVD", make<TruncatedSVD>},
};

}  // namespace

std::unique_ptr<Estimator> make_estimator(std::string_view name, Where where) {
  for (const Entry& entry : kEntries)
    if (entry.name == name) return entry.make();
  std::string known;
  for (const std::string& other : estimator_names()) known += (known.empty() ? "" : ", ") + other;
  throw Error("there is no estimator \"" + std::string(name) + "\"; there are " + known, where);
}

std::vector<std::string> estimator_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace glia::classic
