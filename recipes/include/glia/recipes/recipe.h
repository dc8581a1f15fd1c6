// Recipes: tasks that can be trained and used by name, by the program `glia` or any other.
//
//   const recipes::Recipe& recipe = recipes::named("image-classification");
//   recipes::Trained run = recipe.train({.given = {{"data", "mnist"}, {"epochs", 2}}});
//   auto predictor = recipes::load(run.folder);
//   for (const recipes::Result& r : predictor->predict("shoe.png")) ...
//
// Adding one is adding a file that defines a Register (docs/adding-a-recipe.md).
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "glia/io.h"
#include "glia/nn/module.h"
#include "glia/recipes/result.h"
#include "glia/recipes/settings.h"

namespace glia::recipes {

class Run;  // glia/recipes/run.h
namespace detail {
struct Functions;
}

// ---- Using a trained model ----------------------------------------------------------------------

// What a prediction is made of: a text (a file's name, a sentence, numbers; the recipe says), or
// the values themselves, such as an image u8 (H, W, C).
using Input = std::variant<std::string, Tensor>;

// What an evaluation goes over.
struct Evaluation {
  std::string data = {};       // as the setting "data"; empty: what the model was trained on
  std::string split = "test";  // or "train"
  int64_t count = 0;           // of samples, episodes, ... at most; 0: all, or the recipe's number
  // For models that are judged on `own` alone. Throws Error for other data.
  void require(const std::string& own) const;
};

// How a model writes: which of the likely tokens are drawn.
struct Generation {
  int64_t length = 500;    // tokens that are written
  double temperature = 1;  // 0: always the likeliest
  int64_t top_k = 0;       // only so many of the likeliest; 0: all
  double top_p = 1;        // only the likeliest that have this probability together
  double min_p = 0;        // only those that have this share of the likeliest one's probability
  double repetition_penalty = 1;  // what logits of tokens that were there are divided by
  int64_t seed = 0;
};

// How a model draws pictures.
struct Drawing {
  int64_t count = 64;
  std::string label = {};  // a class, by name or number from 0; empty: all in turn, if it has any
  int64_t steps = 0;       // of a diffusion model; 0: as its settings say
  double guidance = -1;    // likewise, of how much its classes count
  int64_t seed = 0;
};

// What a model computes of tensors, for files of other programs.
struct Computation {
  const nn::Module* module = nullptr;  // of the predictor, in evaluation mode
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> function;
  std::vector<Tensor> examples;              // of the inputs, with a batch of one
  std::vector<std::string> inputs, outputs;  // their names
};

class Predictor {
 public:
  virtual ~Predictor() = default;
  // The answer is the first of the values. A text "note" says what was done to the input. From any
  // thread. Throws IoError for a file that cannot be used, ValueError for another input.
  Results predict(const Input& input) const;
  Results evaluate(const Evaluation& what = {}) const;
  // What the model writes behind a prompt, which may be empty. Throws Error if it does not write.
  std::string generate(const std::string& prompt, const Generation& how = {}) const;
  // Pictures u8 (count, H, W, C) that the model draws. Throws Error if it does not draw, for a
  // class that it does not know, and for what it has not.
  Tensor draw(const Drawing& how = {}) const;
  // Writes a copy of a table of the user's with columns of predictions behind, and says how many
  // rows it has. Throws Error if it does not.
  int64_t fill(const std::string& table, const std::string& out) const;
  // How many answers a recipe that ranks lists; 0: its own number.
  int64_t top = 0;
  // Throws Error if the model is no network from tensors to tensors. Valid while this lives.
  virtual Computation computation() const;
  // What a text of the command line stands for: the pictures of a folder, for instance.
  virtual std::vector<std::string> inputs(const std::string& text) const { return {text}; }

 protected:  // both without gradients
  virtual Results answer(const Input& input) const = 0;
  virtual Results score(const Evaluation& what) const = 0;
  virtual std::string write(const std::string& prompt, const Generation& how) const;
  virtual Tensor draw_pictures(const Drawing& how) const;
  virtual int64_t fill_table(const std::string& table, const std::string& out) const;
};

// Pictures u8 (N, H, W, C) in rows of one picture, two pixels of black between: about as many rows
// as columns, or so many columns. Throws ShapeError for other shapes, and none.
Tensor picture_grid(const Tensor& pictures, int64_t columns = 0);

// ---- Recipes ------------------------------------------------------------------------------------

struct TrainJob {
  Values given = {};                       // what the user chose; the rest has defaults
  std::string out = {};                    // the folder to fill; empty: a new one under runs/
  bool resume = false;                     // go on from the checkpoint in `out`
  bool overwrite = false;                  // whatever run `out` holds is replaced
  bool find_lr = false;                    // the setting "lr" is what a range test suggests
  bool quiet = false;                      // prints nothing
  std::function<bool()> interrupted = {};  // asked after each step
};
struct Trained {
  std::string folder;
  Results results;  // those of summary.json
};

// A number to be reached, which is printed beside what was.
struct Reference {
  std::string result;  // the name of the result that it is compared with
  double value = 0;
  std::string source;
};

struct Recipe {
  std::string name;
  std::string task;  // what kind of task it is: "image-classification"
  std::string description;
  std::string input, input_help;  // what `predict` takes: "FILE", "PNG images."
  std::string predict_help;       // what it does with them
  std::string evaluate_help;      // what `evaluate` goes over
  bool resumes = true;            // keeps checkpoints
  bool generates = false;         // its models write texts
  bool draws = false;             // its models draw pictures
  bool fills = false;             // its models add columns to tables
  bool ranks = false;             // its answers are lists, of which Predictor::top is the length
  bool explains = false;          // its predictors are Explains (glia/recipes/explain.h)
  std::string input_option = {};  // what else names an input: "user" for --user U
  Values preset = {};             // of a shorthand: settings that are not to be chosen
  std::string shorthand_for = {};

  // What may be chosen.
  std::vector<Setting> settings() const;
  // Fills the folder of a run. Throws Error for a setting that is refused, Interrupted when
  // job.interrupted() said so.
  Trained train(const TrainJob& job) const;
  // The model of a run's folder, or of a file model.safetensors. Throws IoError.
  std::unique_ptr<Predictor> load(const std::string& model) const;

  std::shared_ptr<const detail::Functions> functions = {};  // what Register was given
};

// Every recipe, by name; and the one of that name: an Error lists those that there are.
std::vector<const Recipe*> all();
const Recipe& named(const std::string& name);
// By whichever recipe trained it.
std::unique_ptr<Predictor> load(const std::string& model);

// Thrown by train() after an interruption: what was saved, and how to go on.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// ---- Adding a recipe ----------------------------------------------------------------------------

// What a model file says beside weights and settings: classes, how inputs are prepared.
using Fact = std::variant<std::string, std::vector<std::string>, std::vector<double>>;
using Facts = std::vector<std::pair<std::string, Fact>>;

// A model file that was read.
struct Saved {
  std::string path;
  io::NamedTensors weights;
  Facts facts;
  // The fact of that name. Throws IoError if there is none, or one of another kind.
  const std::string& text(const std::string& name) const;
  const std::vector<std::string>& texts(const std::string& name) const;
  const std::vector<double>& numbers(const std::string& name) const;
  // One whole number, from `low` to `high`.
  int64_t whole(const std::string& name, int64_t low, int64_t high) const;
};

// S is derived from Settings.
template <class S>
struct Definition {
  std::string name, task, description;
  // The folder's name under runs/.
  std::function<std::string(const S&)> run_name = {};
  std::function<std::vector<Reference>(const S&)> references = {};
  // Trains, calls run.save() and ends with run.finish(). The random stream has the seed.
  std::function<void(Run&, const S&)> train;
  std::function<std::unique_ptr<Predictor>(const Saved&, const S&)> load;
  std::string input = "FILE", input_help, predict_help, evaluate_help;
  bool resumes = true, generates = false, draws = false, fills = false, ranks = false,
       explains = false;
  std::string input_option = {};
};

// For Definition::load: a predictor P that is made of the file and the settings.
template <class P, class S>
std::unique_ptr<Predictor> make_predictor(const Saved& saved, const S& settings) {
  return std::make_unique<P>(saved, settings);
}

namespace detail {
// A Definition whose type of settings is forgotten.
struct Functions {
  std::function<std::unique_ptr<Settings>()> make;
  std::function<std::string(const Settings&)> run_name;
  std::function<std::vector<Reference>(const Settings&)> references;
  std::function<void(Run&, const Settings&)> train;
  std::function<std::unique_ptr<Predictor>(const Saved&, const Settings&)> load;
};
void add(Recipe recipe);
}  // namespace detail

template <class S>
class Register {
 public:
  explicit Register(Definition<S> d) {
    const auto of = [](const Settings& s) -> const S& { return static_cast<const S&>(s); };
    detail::Functions f;
    f.make = [] { return std::make_unique<S>(); };
    f.run_name = [g = d.run_name, name = d.name, of](const Settings& s) {
      return g ? g(of(s)) : name;
    };
    f.references = [g = d.references, of](const Settings& s) {
      return g ? g(of(s)) : std::vector<Reference>{};
    };
    f.train = [g = d.train, of](Run& run, const Settings& s) { g(run, of(s)); };
    f.load = [g = d.load, of](const Saved& saved, const Settings& s) { return g(saved, of(s)); };
    detail::add({.name = d.name,
                 .task = d.task,
                 .description = d.description,
                 .input = d.input,
                 .input_help = d.input_help,
                 .predict_help = d.predict_help,
                 .evaluate_help = d.evaluate_help,
                 .resumes = d.resumes,
                 .generates = d.generates,
                 .draws = d.draws,
                 .fills = d.fills,
                 .ranks = d.ranks,
                 .explains = d.explains,
                 .input_option = d.input_option,
                 .functions = std::make_shared<const detail::Functions>(std::move(f))});
  }
};

// Another name for a recipe with some of its settings fixed, which must stand before it in the same
// file.
class Shorthand {
 public:
  Shorthand(const std::string& name, const std::string& description, const std::string& recipe,
            const Values& preset);
};

}  // namespace glia::recipes
