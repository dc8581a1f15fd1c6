// What the workloads share: how one is run, timed and compared.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "glia/glia.h"

namespace glia::bench {

struct Options {
  std::string start;    // a safetensors file of weights and inputs to start from; "": random ones
  double seconds = 4;   // how long to time
  int proof_steps = 0;  // if not 0: nothing is timed, and the results of so many steps given
  double lr = 0;        // if not 0: in place of the workload's learning rate
  int steps = 0;        // of varying_*: if not 0, the process's memory over so many steps
};

struct Result {
  double ms = 0;          // median time of a step
  double peak_bytes = 0;  // most memory of tensors during a step, parameters included
  double plan_bytes = 0, plan_bytes_least = 0;  // of the last plan: see GraphStats
  double planning_ms = 0;                       // of all plans of the process
  std::vector<double> results;                  // mean absolute value of what each proof step gave
  std::vector<std::pair<std::string, double>> facts;  // work of a step: "flops", "bytes", ...
};

using Workload = Result (*)(const Options&);

// The median of a call's time in ms, over rounds of about 0.2 s after warming up.
double median_ms(const std::function<void()>& call, double seconds);

// Times `step`, or proves it.
Result run(const Options& options, const std::function<Tensor()>& step);

// Weights and inputs by name: those of options.start, or random ones.
class Start {
 public:
  explicit Start(const Options& options);
  // The f32 tensor of that name; throws Error if the file's has another shape or there is none.
  Tensor operator()(const std::string& name, const Shape& shape) const;
  bool from_file() const { return !tensors_.empty(); }
  // Gives the model the file's weights, if there is one; throws Error if it lacks any.
  void load(nn::Module& model) const;

 private:
  io::NamedTensors tensors_;
};

Result chain(const Options&);           // 1,000 dependent products of 16 elements
Result chain_grad(const Options&);      // 100 of them, summed, and the gradient
Result node(const Options&);            // cost of recording, planning and freeing one node
Result planning(const Options&);        // a plan at new sizes, and of long graphs
Result dqn_step(const Options&);        // 4-120-84-2, batch 128, Adam
Result mlp_small(const Options&);       // 784-512-512-10, batch 128, SGD with momentum
Result mlp_large(const Options&);       // 4096-4096-4096-1000, batch 256
Result mlp_small_bf16(const Options&);  // the same under Autocast(kBF16)
Result mlp_large_bf16(const Options&);
Result lstm_train(const Options&);  // 128-256, 100 steps, batch 32, clipped SGD
Result lstm_b1(const Options&);     // 24-32, 63 steps, batch 1, forward
Result gpt_train(const Options&);   // 4 layers of 128, 4 heads, 128 tokens, batch 16, AdamW
Result gpt_train_bf16(const Options&);
Result gpt_decode(const Options&);      // a token of 128 by a growing cache, batch 1
Result adamw_small(const Options&);     // 200 parameters of 64 elements
Result adamw_large(const Options&);     // 50 parameters of 200,000 elements
Result resnet20_train(const Options&);  // ResNet-20, batch 128, SGD with momentum
Result resnet20_train_bf16(const Options&);
Result resnet20_infer1(const Options&);   // the same in evaluation mode, one image
Result resnet20_infer64(const Options&);  // 64 images
Result bandwidth(const Options&);         // layer norm, gelu, dropout, softmax and gradients
Result add16m(const Options&);            // a sum of 16 M elements
Result gelu16m(const Options&);           // gelu of 16 M elements
Result embedding_bag(const Options&);     // 4096 bags of 20 of 1 M rows, Adagrad
Result gcn(const Options&);               // an epoch on a graph as large as Cora, Adam
Result varying_text(const Options&);      // LSTM on sentences padded to 5 to 60 words, batch 32
Result varying_graphs(const Options&);    // GIN of 3 layers on 32 random graphs of 10 to 60 nodes
Result varying_trees(const Options&);     // Tree-LSTM on 16 random trees of 10 to 40 nodes
Result varying_audio(const Options&);     // convolutions and a GRU on 1 to 4 s of sound, batch 8
Result loader(const Options&);            // an epoch of augmented images
Result start(const Options&);             // new process: load a 10 MB model, predict once
Result peak(const Options&);              // what the machine can do: the floor of the others

}  // namespace glia::bench
