// A network that was trained elsewhere, for pictures of the user's: what is chosen of it.
#pragma once

#include <memory>
#include <string>

#include "glia/recipes/run.h"
#include "glia/vision/models.h"
#include "glia/vision/networks.h"
#include "recipes/src/images.h"

namespace glia::recipes {

struct TransferSettings : TrainingSettings {
  static constexpr int64_t kGroups = 8;  // parts of a network that may be trained

  std::string data, model, weights;
  int64_t size = 0, shots = 0, test_shots = 0, thaw = 0, epochs = 0, batch = 0;
  double lr = 0, lr_decay = 0, test_share = 0;
  bool mirror = false;

  void declare(Fields& f) override;
  ImageSource source() const { return {data, test_share, static_cast<uint64_t>(seed)}; }
  // The pictures with the values that the weights expect.
  ImageSplits read() const;
};

// The network behind a layer that makes pictures of its size and channels.
struct Transferred {
  std::shared_ptr<vision::Network> net;
  int64_t size;

  Transferred(const TransferSettings& s, const ImageForm& form);
  Tensor seen(Tensor x) const;
  Tensor operator()(const Tensor& x) const { return (*net)(seen(x)); }
  vision::Classifier classifier() const;
};

}  // namespace glia::recipes
