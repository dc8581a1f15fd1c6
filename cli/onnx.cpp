#include "cli/onnx.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/help.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/onnx/export.h"
#include "glia/onnx/model.h"
#include "glia/ops.h"
#include "glia/recipes/recipe.h"

namespace glia {
namespace {

struct Job {
  std::string model, out;
  std::vector<std::string> inputs;
};

void describe(const onnx::Model& model) {
  const auto list = [](const char* what, const std::vector<onnx::ValueInfo>& values) {
    for (const onnx::ValueInfo& v : values) {
      const std::string shape = v.has_shape ? fmt::format(" ({})", fmt::join(v.shape, ", ")) : "";
      fmt::print("{:<11} {} {}{}\n", what, v.name, v.type, shape);
    }
  };
  list("input", model.inputs());
  list("output", model.outputs());
  fmt::print("{:<11} {}\n", "parameters", model.parameter_count());
  fmt::print("{:<11} {}\n", "opset", model.opset());
  fmt::print("{:<11} {}\n", "operators", fmt::join(model.op_types(), " "));
}

// "NAME=x.npy", or a file for the next input that has none yet.
std::vector<onnx::Value> read_inputs(const onnx::Model& model,
                                     const std::vector<std::string>& texts) {
  std::vector<onnx::Value> values(model.inputs().size());
  size_t next = 0;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    std::string file = text;
    size_t place = 0;
    if (equals != text.npos && !std::filesystem::exists(text)) {
      const std::string name = text.substr(0, equals);
      while (place < values.size() && model.inputs()[place].name != name) ++place;
      if (place == values.size()) throw Error("run: the model has no input \"" + name + "\"");
      if (values[place].kind != onnx::Value::Kind::kNone)
        throw Error("run: there are two files for the input \"" + name + "\"");
      file = text.substr(equals + 1);
    } else {
      while (next < values.size() && values[next].kind != onnx::Value::Kind::kNone) ++next;
      if (next == values.size())
        throw Error(fmt::format("run: there are {} files for the model's {} input{}", texts.size(),
                                values.size(), values.size() == 1 ? "" : "s"));
      place = next;
    }
    const Tensor x = io::read_npy(file);
    const onnx::ElementType type = onnx::element_type(x.dtype());
    // Such as uint16, which is read as i32.
    for (int t = 1; t < onnx::kElementTypes; ++t) {
      const auto stated = static_cast<onnx::ElementType>(t);
      if (stated == onnx::ElementType::kString || model.inputs()[place].type != name(stated))
        continue;
      if (onnx::stored_as(stated) == x.dtype()) values[place] = onnx::Value(x, stated);
    }
    if (values[place].kind == onnx::Value::Kind::kNone) values[place] = onnx::Value(x, type);
  }
  return values;
}

void print(const std::string& name, const onnx::Value& value) {
  switch (value.kind) {
    case onnx::Value::Kind::kTensor:
      fmt::print("{} {} {}\n{}\n", name, onnx::name(value.type), value.tensor.shape().str(),
                 value.tensor.str());
      break;
    case onnx::Value::Kind::kStrings:
      fmt::print("{} string {}\n{}\n", name, value.strings.shape.str(),
                 fmt::join(value.strings.values, "\n"));
      break;
    case onnx::Value::Kind::kSequence:
      for (size_t i = 0; i < value.sequence.size(); ++i)
        print(fmt::format("{}[{}]", name, i), value.sequence[i]);
      break;
    default:
      fmt::print("{} nothing\n", name);
  }
}

void run(const Job& job) {
  onnx::Model model(job.model);
  model.eval();
  if (job.inputs.empty()) return describe(model);
  const NoGrad no_grad;
  const std::vector<onnx::Value> results = model.run(read_inputs(model, job.inputs), {});
  if (!job.out.empty()) {
    std::error_code error;
    std::filesystem::create_directories(job.out, error);
    if (error) throw IoError(job.out + ": " + error.message());
  }
  for (size_t i = 0; i < results.size(); ++i) {
    std::string name = model.outputs()[i].name;
    print(name, results[i]);
    if (job.out.empty() || results[i].kind != onnx::Value::Kind::kTensor) continue;
    for (char& c : name) {
      if (c == '/' || c == ':') c = '_';  // a name may be a path
    }
    io::write_npy(job.out + "/" + name + ".npy", results[i].tensor);
  }
}

struct ExportJob {
  std::string model, file;
  bool external = false;
};

void write(const ExportJob& job) {
  const auto predictor = recipes::load(job.model);
  const recipes::Computation c = predictor->computation();
  onnx::write(job.file, *c.module, c.function, c.examples,
              {.input_names = c.inputs, .output_names = c.outputs, .external_data = job.external});
  describe(onnx::Model(job.file));
}

}  // namespace

void add_onnx(CLI::App& app, const Session& session) {
  auto job = std::make_shared<Job>();
  CLI::App* command = app.add_subcommand("run", "Runs an ONNX model, or says what it is.");
  command->add_option("model", job->model, "The model.")->type_name("FILE.onnx")->required();
  command
      ->add_option("--input", job->inputs,
                   "An input, NAME=FILE or in order; none: says what the model has.")
      ->type_name("FILE.npy");
  command->add_option("--out", job->out, "Writes each output into this folder, NAME.npy.")
      ->type_name("FOLDER");
  command->footer(
      "\nExample:\n"
      "  glia run resnet18.onnx --input picture.npy --out results");
  command->callback([job, session] {
    session.begin();
    run(*job);
  });

  auto exported = std::make_shared<ExportJob>();
  CLI::App* to = app.add_subcommand("export", "Writes a trained model as an ONNX file.");
  to->add_option("--model", exported->model, "Folder of a run, or its model.safetensors.")
      ->type_name("DIR")
      ->required();
  to->add_option("file", exported->file, "The file.")->type_name("FILE.onnx")->required();
  to->add_flag("--external-data", exported->external,
               "Weights stand beside it, in FILE.onnx.data.");
  to->footer(
      "\nInputs are what the recipe makes of data: pictures are (N, H, W, C), without mean and "
      "deviation.\n"
      "The batch may have any size.");
  to->callback([exported, session] {
    session.begin();
    write(*exported);
  });
}

}  // namespace glia
