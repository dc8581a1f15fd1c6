// A test of recipes: a folder of its own in which it runs, and what is thrown.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "glia/recipes/recipe.h"
#include "tests/support/scratch.h"

namespace glia::recipes {

namespace fs = std::filesystem;

class RecipeTest : public test::ScratchWorkingFolder {
 protected:
  template <class F>
  static std::string fault(F&& f) {
    try {
      f();
    } catch (const std::exception& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
      return e.what();
    }
    ADD_FAILURE() << "nothing is thrown";
    return "";
  }
  static Trained train(const std::string& recipe, TrainJob job) {
    job.quiet = true;
    return named(recipe).train(job);
  }
  static std::string fault_of(const std::string& recipe, const TrainJob& job) {
    return fault([&] { train(recipe, job); });
  }
  template <class T>
  static T value(const Results& results, const std::string& name) {
    for (const Result& result : results)
      if (result.name == name) return std::get<T>(result.value);
    throw Error("no result " + name);
  }
};

}  // namespace glia::recipes
