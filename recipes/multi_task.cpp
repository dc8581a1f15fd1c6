// Two tasks on one picture: which things lie at its left and at its right.
#include <fmt/format.h>

#include "glia/glia.h"
#include "glia/multitask/weighting.h"
#include "recipes/src/classification.h"
#include "recipes/src/multi_task_settings.h"
#include "recipes/src/overlays.h"

namespace glia::recipes {
namespace {

constexpr int64_t kPrefetch = 4;
const std::vector<std::string>& kTasks = MultiTaskSettings::kTasks;

multitask::Outcomes outcomes(const multitask::Model& model, const data::Sample& batch) {
  const std::vector<Tensor> logits = model(batch[0]);
  multitask::Outcomes out;
  for (size_t k = 0; k < kTasks.size(); ++k) {
    out.losses.push_back(cross_entropy(logits[k], batch[k + 1]));
    out.sums.push_back({"accuracy_" + kTasks[k], sum(argmax(logits[k]) == batch[k + 1])});
  }
  return out;
}

void train(Run& run, const MultiTaskSettings& s) {
  if (s.sharing == "single" && s.weighting != "equal" && s.weighting != "uncertainty" &&
      s.weighting != "dwa")
    throw Error("--weighting " + s.weighting +
                " balances gradients of what is shared, which is "
                "nothing with --sharing single");
  auto [images, unseen, form] = read_images(s.source(), 0);
  const Overlays training_set = overlaid(images, s.pairs), test_set = overlaid(unseen);
  form.size = training_set.images.size(1);
  auto training = data::from_tensors(training_set.images, training_set.left, training_set.right)
                      .shuffle(s.seed)
                      .batch(s.batch)
                      .map(normalizing(form))
                      .prefetch(kPrefetch);
  auto test = batches(test_set, form);
  const auto model = s.network(form);
  const auto weighting =
      multitask::make_weighting(s.weighting, kTasks.size(), static_cast<uint64_t>(s.seed));
  ParameterList parameters = model->parameters();
  for (const Variable& p : weighting->parameters()) parameters.push_back(p);
  optim::Adam optimizer(parameters, {.lr = s.lr});
  optimizer.set_schedule(optim::one_cycle(s.lr, s.epochs * training.size()));
  training::Trainer trainer(
      multitask::task(
          *model, optimizer, *weighting,
          [&](const data::Sample& batch) { return outcomes(*model, batch); }, kTasks),
      {.epochs = s.epochs, .note = run.note()});
  const std::string title = s.source().title() + " in pairs";
  run.say(fmt::format("{}: sharing {} with {} parameters, weighting {}, results in {}", title,
                      s.sharing, report::shown(model->parameter_count()), s.weighting,
                      run.folder()));
  run.fit(trainer, training, &test, "images");
  run.save(model->state_dict(), form.facts());

  report::Report page{
      .title = fmt::format("{}, sharing {}, weighting {}", title, s.sharing, s.weighting),
      .subtitle = fmt::format("Trained by {} for {} epochs on {} pictures of two things each",
                              version(), s.epochs, report::shown(training_set.images.size(0)))};
  const training::Values& last = trainer.history().back().values;
  double mean = 0;
  Results results;
  for (const std::string& name : kTasks) {
    page.sections.push_back(curves(trainer, "Accuracy, " + name, "accuracy_" + name, true));
    page.sections.push_back(curves(trainer, "Loss, " + name, "loss_" + name));
    page.sections.push_back(curve(trainer, "Weight, " + name, "weight_" + name));
    const double accuracy = training::value_of(last, "test_accuracy_" + name);
    results.push_back({"test_accuracy_" + name, accuracy, true});
    results.push_back({"test_loss_" + name, training::value_of(last, "test_loss_" + name)});
    mean += accuracy / static_cast<double>(kTasks.size());
  }
  results.insert(results.begin(), {"test_accuracy", mean, true});
  results.push_back({"parameters", model->parameter_count()});
  results.push_back({"steps", trainer.history().back().step});
  run.finish(page, results);
}

class Both : public Predictor {
 public:
  Both(const Saved& saved, const MultiTaskSettings& s)
      : source_(s.source()), form_(ImageForm::of(saved)), model_(s.network(form_)) {
    model_->load_state_dict(saved.weights);
    model_->eval();
  }

  Computation computation() const override {
    return {.module = model_.get(),
            .function = [this](const std::vector<Tensor>& x) { return (*model_)(x[0]); },
            .examples = {zeros({1, form_.size, form_.size, form_.channels})},
            .inputs = {"pictures"},
            .outputs = {kTasks.begin(), kTasks.end()}};
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    const std::vector<Tensor> logits =
        (*model_)(form_.normalized(form_.prepared(picture_of(input), note)));
    Results out;
    for (size_t k = 0; k < kTasks.size(); ++k) {
      const Results found = ranked(softmax(logits[k]).to_vector<double>(), form_.classes);
      out.push_back({kTasks[k], found[0].value});
      out.push_back({kTasks[k] + "_probabilities", found[1].value});
    }
    if (!note.empty()) out.push_back({"note", note});
    return out;
  }
  Results score(const Evaluation& what) const override {
    ImageSource source = source_;
    if (!what.data.empty()) source.data = what.data;
    ImageForm single = form_;
    single.size -= kOverlayShift;
    const bool own = source.data == source_.data;
    const data::Split split = what.split == "train" ? data::Train : data::Test;
    auto set = batches(overlaid(read_images(source, split, own, single), what.count), form_);
    Results out;
    for (size_t k = 0; k < kTasks.size(); ++k) {
      const auto logits = [&](const Tensor& x) { return (*model_)(x)[k]; };
      const auto task = set.map([k](const Tensor& x, const Tensor& left, const Tensor& right) {
        return std::array{x, k == 0 ? left : right};
      });
      for (Result& result : examine(logits, task, form_.classes).results("images"))
        if (result.name == "accuracy" || result.name == "loss")
          out.push_back({result.name + "_" + kTasks[k], result.value, result.percent});
    }
    return out;
  }

 private:
  const ImageSource source_;
  const ImageForm form_;
  const std::unique_ptr<multitask::Model> model_;
};

const Register<MultiTaskSettings> multi_task({
    .name = "multi-task",
    .task = "multi-task",
    .description = "Two things in one picture, each named by a task of its own.",
    .run_name = [](const MultiTaskSettings& s) { return "multi-task-" + s.sharing; },
    .references = [](const MultiTaskSettings& s) -> std::vector<Reference> {
      if (s.data != "mnist" || s.weighting != "mgda") return {};
      const std::string source = "MGDA-UB on MultiMNIST, Sener & Koltun 2018";
      return {{"test_accuracy_left", 0.9726, source}, {"test_accuracy_right", 0.9590, source}};
    },
    .train = train,
    .load = make_predictor<Both, MultiTaskSettings>,
    .input_help = "PNG or JPEG pictures of two things over each other.",
    .predict_help = "Prints what lies at the upper left and at the lower right.",
    .evaluate_help = "Prints accuracy and loss of both tasks.",
});

}  // namespace
}  // namespace glia::recipes
