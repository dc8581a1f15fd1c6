#include <algorithm>

#include "glia/classic/boosting.h"
#include "glia/classic/calibration.h"
#include "glia/classic/cluster.h"
#include "glia/classic/compose.h"
#include "glia/classic/conformal.h"
#include "glia/classic/covariance.h"
#include "glia/classic/cross_decomposition.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/density.h"
#include "glia/classic/discriminant_analysis.h"
#include "glia/classic/dummy.h"
#include "glia/classic/encoders.h"
#include "glia/classic/ensemble.h"
#include "glia/classic/feature_selection.h"
#include "glia/classic/forest.h"
#include "glia/classic/gaussian_process.h"
#include "glia/classic/hierarchy.h"
#include "glia/classic/hist_boosting.h"
#include "glia/classic/impute.h"
#include "glia/classic/isotonic.h"
#include "glia/classic/kernel_ridge.h"
#include "glia/classic/linear_model.h"
#include "glia/classic/manifold.h"
#include "glia/classic/mixture.h"
#include "glia/classic/multiclass.h"
#include "glia/classic/multioutput.h"
#include "glia/classic/naive_bayes.h"
#include "glia/classic/neighbors.h"
#include "glia/classic/preprocessing.h"
#include "glia/classic/random_projection.h"
#include "glia/classic/search.h"
#include "glia/classic/semi_supervised.h"
#include "glia/classic/svm.h"
#include "glia/classic/tree.h"
#include "glia/classic/voting.h"

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
    {"AdaBoostClassifier", make<AdaBoostClassifier>},
    {"AdaBoostRegressor", make<AdaBoostRegressor>},
    {"Adaline", make<Adaline>},
    {"AgglomerativeClustering", make<AgglomerativeClustering>},
    {"BaggingClassifier", make<BaggingClassifier>},
    {"BaggingRegressor", make<BaggingRegressor>},
    {"BayesianRidge", make<BayesianRidge>},
    {"BernoulliNB", make<BernoulliNB>},
    {"Binarizer", make<Binarizer>},
    {"CalibratedClassifierCV", make<CalibratedClassifierCV>},
    {"CategoricalNB", make<CategoricalNB>},
    {"ClassicalMDS", make<ClassicalMDS>},
    {"ClassifierChain", make<ClassifierChain>},
    {"ColumnTransformer", make<ColumnTransformer>},
    {"ComplementNB", make<ComplementNB>},
    {"ConformalizedQuantileRegressor", make<ConformalizedQuantileRegressor>},
    {"CrossConformalClassifier", make<CrossConformalClassifier>},
    {"CrossConformalRegressor", make<CrossConformalRegressor>},
    {"DBSCAN", make<DBSCAN>},
    {"DecisionTreeClassifier", make<DecisionTreeClassifier>},
    {"DecisionTreeRegressor", make<DecisionTreeRegressor>},
    {"DummyClassifier", make<DummyClassifier>},
    {"DummyRegressor", make<DummyRegressor>},
    {"ElasticNet", make<ElasticNet>},
    {"ElasticNetCV", make<ElasticNetCV>},
    {"EllipticEnvelope", make<EllipticEnvelope>},
    {"EmpiricalCovariance", make<EmpiricalCovariance>},
    {"ExtraTreeClassifier", make<ExtraTreeClassifier>},
    {"ExtraTreeRegressor", make<ExtraTreeRegressor>},
    {"ExtraTreesClassifier", make<ExtraTreesClassifier>},
    {"ExtraTreesRegressor", make<ExtraTreesRegressor>},
    {"FactorAnalysis", make<FactorAnalysis>},
    {"FastICA", make<FastICA>},
    {"FeatureUnion", make<FeatureUnion>},
    {"GammaRegressor", make<GammaRegressor>},
    {"GaussianMixture", make<GaussianMixture>},
    {"GaussianNB", make<GaussianNB>},
    {"GaussianProcessClassifier", make<GaussianProcessClassifier>},
    {"GaussianProcessRegressor", make<GaussianProcessRegressor>},
    {"GaussianRandomProjection", make<GaussianRandomProjection>},
    {"GradientBoostingClassifier", make<GradientBoostingClassifier>},
    {"GradientBoostingRegressor", make<GradientBoostingRegressor>},
    {"GridSearchCV", make<GridSearchCV>},
    {"HDBSCAN", make<HDBSCAN>},
    {"HalvingGridSearchCV", make<HalvingGridSearchCV>},
    {"HalvingRandomSearchCV", make<HalvingRandomSearchCV>},
    {"HistGradientBoostingClassifier", make<HistGradientBoostingClassifier>},
    {"HistGradientBoostingRegressor", make<HistGradientBoostingRegressor>},
    {"HuberRegressor", make<HuberRegressor>},
    {"IncrementalPCA", make<IncrementalPCA>},
    {"IsolationForest", make<IsolationForest>},
    {"Isomap", make<Isomap>},
    {"IsotonicRegression", make<IsotonicRegression>},
    {"KBinsDiscretizer", make<KBinsDiscretizer>},
    {"KMeans", make<KMeans>},
    {"KNNImputer", make<KNNImputer>},
    {"KNeighborsClassifier", make<KNeighborsClassifier>},
    {"KNeighborsRegressor", make<KNeighborsRegressor>},
    {"KernelPCA", make<KernelPCA>},
    {"KernelRidge", make<KernelRidge>},
    {"LabelPropagation", make<LabelPropagation>},
    {"LabelSpreading", make<LabelSpreading>},
    {"Lars", make<Lars>},
    {"Lasso", make<Lasso>},
    {"LassoCV", make<LassoCV>},
    {"LassoLars", make<LassoLars>},
    {"LedoitWolf", make<LedoitWolf>},
    {"LinearDiscriminantAnalysis", make<LinearDiscriminantAnalysis>},
    {"LinearRegression", make<LinearRegression>},
    {"LocallyLinearEmbedding", make<LocallyLinearEmbedding>},
    {"LogisticRegression", make<LogisticRegression>},
    {"MDS", make<MDS>},
    {"MaxAbsScaler", make<MaxAbsScaler>},
    {"MinCovDet", make<MinCovDet>},
    {"MinMaxScaler", make<MinMaxScaler>},
    {"MiniBatchKMeans", make<MiniBatchKMeans>},
    {"MultiOutputClassifier", make<MultiOutputClassifier>},
    {"MultiOutputRegressor", make<MultiOutputRegressor>},
    {"MultinomialNB", make<MultinomialNB>},
    {"NMF", make<NMF>},
    {"NearestNeighbors", make<NearestNeighbors>},
    {"Normalizer", make<Normalizer>},
    {"OAS", make<OAS>},
    {"OPTICS", make<OPTICS>},
    {"OneClassSVM", make<OneClassSVM>},
    {"OneHotEncoder", make<OneHotEncoder>},
    {"OneVsOneClassifier", make<OneVsOneClassifier>},
    {"OneVsRestClassifier", make<OneVsRestClassifier>},
    {"OrdinalEncoder", make<OrdinalEncoder>},
    {"PCA", make<PCA>},
    {"PLSRegression", make<PLSRegression>},
    {"Perceptron", make<Perceptron>},
    {"Pipeline", make<Pipeline>},
    {"PoissonRegressor", make<PoissonRegressor>},
    {"PolynomialFeatures", make<PolynomialFeatures>},
    {"PowerTransformer", make<PowerTransformer>},
    {"QuadraticDiscriminantAnalysis", make<QuadraticDiscriminantAnalysis>},
    {"QuantileRegressor", make<QuantileRegressor>},
    {"QuantileTransformer", make<QuantileTransformer>},
    {"RandomForestClassifier", make<RandomForestClassifier>},
    {"RandomForestRegressor", make<RandomForestRegressor>},
    {"RandomizedSearchCV", make<RandomizedSearchCV>},
    {"RegressorChain", make<RegressorChain>},
    {"Ridge", make<Ridge>},
    {"RidgeCV", make<RidgeCV>},
    {"RobustScaler", make<RobustScaler>},
    {"SGDClassifier", make<SGDClassifier>},
    {"SGDRegressor", make<SGDRegressor>},
    {"SVC", make<SVC>},
    {"SVR", make<SVR>},
    {"SelectKBest", make<SelectKBest>},
    {"ShrunkCovariance", make<ShrunkCovariance>},
    {"SimpleImputer", make<SimpleImputer>},
    {"SparseRandomProjection", make<SparseRandomProjection>},
    {"SpectralClustering", make<SpectralClustering>},
    {"SpectralEmbedding", make<SpectralEmbedding>},
    {"SplineTransformer", make<SplineTransformer>},
    {"SplitConformalClassifier", make<SplitConformalClassifier>},
    {"SplitConformalRegressor", make<SplitConformalRegressor>},
    {"StackingClassifier", make<StackingClassifier>},
    {"StackingRegressor", make<StackingRegressor>},
    {"StandardScaler", make<StandardScaler>},
    {"TPESearchCV", make<TPESearchCV>},
    {"TSNE", make<TSNE>},
    {"TargetEncoder", make<TargetEncoder>},
    {"TruncatedSVD", make<TruncatedSVD>},
    {"TweedieRegressor", make<TweedieRegressor>},
    {"UMAP", make<UMAP>},
    {"VarianceThreshold", make<VarianceThreshold>},
    {"VotingClassifier", make<VotingClassifier>},
    {"VotingRegressor", make<VotingRegressor>},
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
