// Transfer: a network that was trained elsewhere, for pictures and classes of the user's.
#include <fmt/format.h>

#include "glia/glia.h"
#include "glia/vision/transfer.h"
#include "glia/vision/weights.h"
#include "recipes/src/classification.h"
#include "recipes/src/image_predictor.h"
#include "recipes/src/transferred.h"

namespace glia::recipes {
namespace {

double fit_last(const Transferred& model, const LabelledImages& set, const ImageForm& form) {
  std::vector<Tensor> parts;
  for (const auto& [x, labels] : batches(set, form))
    parts.push_back(vision::features_of(*model.net, model.seen(x)));
  return vision::fit_last_layer(*model.net, concat(parts), set.labels);
}

void train(Run& run, const TransferSettings& s) {
  const auto [images, unseen, form] = s.read();
  const Transferred model(s, form);
  const bool taken = s.weights != "none";
  if (taken)
    vision::load_weights(*model.net,
                         s.weights == "known" ? vision::pretrained_weights(s.model) : s.weights);
  auto test = batches(unseen, form);
  const std::string title = s.source().title();
  const int64_t count = images.labels.size(0);
  run.say(fmt::format("{}: {} on {} pictures, results in {}", title, s.model, count, run.folder()));
  report::Report page{.title = title + ", " + s.model,
                      .subtitle = fmt::format("Trained by {} on {} images of {} classes", version(),
                                              report::shown(count), form.classes.size())};
  Results results;
  model.net->eval();
  const auto examined = [&] {
    model.net->eval();
    return examine(model.classifier().logits, test, form.classes);
  };
  Verdict verdict;
  if (taken) {
    fit_last(model, images, form);
    verdict = examined();
    const double accuracy = verdict.accuracy();
    run.say(fmt::format("last layer alone: {:.2f} % right", 100 * accuracy));
    results.push_back({"last_layer_accuracy", accuracy, true});
  }
  if (s.thaw > 0) {
    const std::vector<ParameterList> groups =
        vision::layer_groups(*model.net, TransferSettings::kGroups);
    const size_t frozen = groups.size() - std::min<size_t>(groups.size(), s.thaw);
    for (size_t g = 0; g < frozen; ++g)
      for (Variable p : groups[g]) p.set_trainable(false);
    auto training = data::from_tensors(images.images, images.labels)
                        .shuffle(s.seed)
                        .batch(s.batch)
                        .augment(s.seed, [&form = form, &s](data::Random& random, const Tensor& x,
                                                            const Tensor& y) {
                          return std::array{form.augmented(random, x, 0, s.mirror), y};
                        });
    optim::AdamW optimizer(groups.back(), {.lr = s.lr, .weight_decay = 0.01});
    for (size_t g = groups.size() - 1; g-- > frozen;)
      optimizer.add_param_group(groups[g], {.lr = s.lr, .weight_decay = 0.01});
    double rate = s.lr;
    for (size_t g = 0; g < optimizer.group_count(); ++g, rate /= s.lr_decay)
      optimizer.set_schedule(optim::one_cycle(rate, s.epochs * training.size()), g);
    const auto outcome = [&](const data::Sample& b) -> training::Outcome {
      // Few pictures have no statistics of their own.
      if (taken) model.net->eval();
      const Tensor logits = model(b[0]);
      return {cross_entropy(logits, b[1]), {{"accuracy", sum(argmax(logits) == b[1])}}};
    };
    training::Trainer trainer(training::supervised(*model.net, optimizer, outcome),
                              {.epochs = s.epochs, .note = run.note()});
    run.fit(trainer, training, &test, "images");
    page.sections = {curves(trainer, "Loss", "loss"),
                     curves(trainer, "Accuracy", "accuracy", true)};
    verdict = examined();
  }
  if (verdict.samples == 0) verdict = examined();
  run.save(model.net->state_dict(), form.facts());
  for (report::Section& section : verdict.sections(unseen.images))
    page.sections.push_back(std::move(section));
  results.insert(results.begin(),
                 {{"test_accuracy", verdict.accuracy(), true}, {"test_loss", verdict.loss}});
  results.push_back({"parameters", model.net->parameter_count()});
  run.finish(page, results);
}

std::unique_ptr<Predictor> load(const Saved& saved, const TransferSettings& s) {
  const ImageForm form = ImageForm::of(saved);
  return std::make_unique<ImagePredictor>(saved, s.source(), form,
                                          Transferred(s, form).classifier());
}

const Register<TransferSettings> transfer({
    .name = "transfer",
    .task = "image-classification",
    .description = "A network that was trained on other pictures, for yours.",
    .run_name = [](const TransferSettings& s) { return s.source().name() + "-transfer"; },
    .train = train,
    .load = load,
    .input_help = "PNG or JPEG pictures of any size and kind, or folders of such.",
    .predict_help = "Prints the class of each picture and all probabilities.",
    .evaluate_help = "Prints accuracy and loss, and the accuracy of each class.",
    .explains = true,
});

}  // namespace
}  // namespace glia::recipes
