// Glia's side of attributions.py and shap_values.py: explain WHAT IN.npz OUT.npz. Pictures are (N,
// C, H, W) as PyTorch has them.
#include <sys/resource.h>

#include <iostream>
#include <map>
#include <string>

#include "glia/classic/boosting.h"
#include "glia/classic/forest.h"
#include "glia/explain/attribution.h"
#include "glia/explain/inspection.h"
#include "glia/explain/layers.h"
#include "glia/explain/metrics.h"
#include "glia/explain/perturb.h"
#include "glia/explain/shap.h"
#include "glia/io.h"
#include "glia/nn.h"
#include "glia/ops.h"

using namespace glia;

namespace {

// Two convolutions with ReLUs, a pool of means, and two layers.
struct Net : nn::Module {
  nn::Conv2d conv1{3, 6, {.kernel = 3, .padding = 1}}, conv2{6, 8, {.kernel = 3, .padding = 1}};
  nn::Linear fc1{128, 16}, fc2{16, 4};
  Tensor operator()(const Tensor& x) const {  // (N, 8, 8, 3)
    const Tensor h = avg_pool2d(relu(conv2(relu(conv1(x)))), 2);
    return fc2(relu(fc1(reshape(permute(h, {0, 3, 1, 2}), {x.size(0), 128}))));
  }
  GLIA_FIELDS(conv1, conv2, fc1, fc2)
};

std::map<std::string, Tensor> in;
const Tensor& given(const std::string& name) { return in.at(name); }
Tensor picture(const Tensor& x) { return permute(x, {0, 2, 3, 1}); }
Tensor back(const Tensor& x) { return permute(x, {0, 3, 1, 2}); }

StateDict attributions() {
  Net net;
  StateDict state;
  for (const auto& [name, value] : in)
    if (name.find('.') != std::string::npos) state.emplace_back(name, value);
  net.to(kF64);
  net.load_state_dict(state);
  const explain::Forward f = [&](const Tensor& x) { return net(x); };
  const Tensor x = picture(given("x")), base = picture(given("base")), target = given("target");
  const auto ig = explain::integrated_gradients(f, x, {.target = target, .baseline = base});
  const auto middle =
      explain::integrated_gradients(f, x,
                                    {.target = target,
                                     .baseline = base,
                                     .n_steps = 20,
                                     .method = explain::IntegralMethod::kRiemannMiddle});
  const auto lift = explain::deep_lift(f, x, {.target = target, .baseline = base});
  const auto lift_shap = explain::deep_lift_shap(f, x, base, target);
  const auto lrp = [&](explain::LrpRule rule) {
    return back(explain::lrp(f, x, {.target = target, .rule = rule}).attributions);
  };
  return {
      {"saliency", back(explain::saliency(f, x, {.target = target}))},
      {"input_x_gradient", back(explain::input_x_gradient(f, x, target))},
      {"integrated_gradients", back(ig.attributions)},
      {"ig_delta", ig.delta},
      {"ig_middle", back(middle.attributions)},
      {"guided_backprop", back(explain::guided_backprop(f, x, target))},
      {"deconvolution", back(explain::deconvolution(f, x, target))},
      {"deep_lift", back(lift.attributions)},
      {"deep_lift_delta", lift.delta},
      {"deep_lift_shap", back(lift_shap.attributions)},
      {"lrp_epsilon", lrp(explain::LrpRule::kEpsilon)},
      {"lrp_gamma", lrp(explain::LrpRule::kGamma)},
      {"lrp_alpha1_beta0", lrp(explain::LrpRule::kAlpha1Beta0)},
      {"grad_cam", explain::grad_cam(f, x, {.target = target, .layer = net.conv2.weight})},
      {"occlusion",
       back(explain::occlusion(
           f, x, {.target = target, .sliding_window_shapes = {3, 2, 3}, .strides = {2, 1, 3}}))},
      {"feature_ablation",
       back(explain::feature_ablation(f, x,
                                      {.target = target,
                                       .baseline = base,
                                       .feature_mask = squeeze(picture(given("mask")), 0)}))},
      {"logits", net(x)}};
}

StateDict shap_values() {
  const Tensor x = given("x"), y = given("y"), rows = given("rows"),
               background = given("background");
  classic::RandomForestRegressor forest({.n_estimators = 20, .max_depth = 6});
  forest.fit(x, y);
  classic::GradientBoostingClassifier boosted({.n_estimators = 20});
  boosted.fit(x, given("classes"));
  classic::RandomForestClassifier classes({.n_estimators = 10, .max_depth = 5});
  classes.fit(x, given("three"));
  const auto both = [&](const char* name, const classic::Estimator& model, StateDict* out) {
    const auto trees = explain::trees_of(model);
    const auto path = explain::tree_shap(trees, rows);
    const auto other = explain::tree_shap(trees, rows, background);
    out->emplace_back(std::string(name) + "_path", path.values);
    out->emplace_back(std::string(name) + "_path_base", path.expected_value);
    out->emplace_back(std::string(name) + "_interventional", other.values);
    out->emplace_back(std::string(name) + "_interventional_base", other.expected_value);
  };
  StateDict out;
  both("forest", forest, &out);
  both("boosted", boosted, &out);
  both("classes", classes, &out);
  const auto kernel = explain::kernel_shap([&](const Tensor& t) { return forest.predict(t); }, rows,
                                           {.background = background});
  out.emplace_back("kernel", kernel.values);
  const auto line = explain::linear_shap(given("coef"), given("intercept"), rows, background);
  out.emplace_back("linear", line.values);
  const auto pdp = explain::partial_dependence([&](const Tensor& t) { return forest.predict(t); },
                                               x, 2, {.grid_resolution = 20});
  out.emplace_back("pdp", pdp.average);
  out.emplace_back("pdp_grid", pdp.grid);
  out.emplace_back("forest_prediction", forest.predict(rows));
  return out;
}

// Of 100 trees of depth 8 all values, and the processor seconds that they took.
StateDict timed() {
  classic::RandomForestRegressor forest({.n_estimators = 100, .max_depth = 8});
  forest.fit(given("x"), given("y"));
  const auto trees = explain::trees_of(forest);
  const auto spent = [] {
    rusage use;
    getrusage(RUSAGE_SELF, &use);
    return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
  };
  const double before = spent();
  const auto found = explain::tree_shap(trees, given("x"));
  eval(found.values);
  std::cout << spent() - before << '\n';
  return {{"values", found.values}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  for (const auto& [name, value] : io::read_npz(argv[2])) in[name] = value;
  const std::string what = argv[1];
  io::write_npz(argv[3], what == "attributions" ? attributions()
                         : what == "time"       ? timed()
                                                : shap_values());
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
