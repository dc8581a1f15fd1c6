// Python's pickles (protocols 0 to 5), read as plain data: no class is looked up and nothing is
// called. What a pickle would call is kept as a `kCall`, for the reader of a format to take or
// refuse.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "io/file.h"

namespace glia::io {

struct Pickled {
  enum Kind {
    kNone,
    kBool,
    kInt,
    kLong,
    kFloat,
    kText,
    kBytes,  // a kLong has more than 64 bits, in `text`
    kList,
    kTuple,
    kDict,
    kSet,         // of a dict, keys and values in turn
    kGlobal,      // "module.name" in `text`
    kCall,        // a callable, then its arguments
    kPersistent,  // an id that the format gives a meaning
  };
  Kind kind = kNone;
  int64_t number = 0;  // kBool, kInt
  double real = 0;     // kFloat
  std::string text;
  std::vector<const Pickled*> items;

  bool is(Kind k) const { return kind == k; }
  bool is_number() const { return kind == kBool || kind == kInt || kind == kFloat; }
};

// All values of some pickles; they may refer to each other in any way, also in circles.
class PickleReader {
 public:
  // Reads one pickle at the cursor and leaves that behind it. IoError if it is cut or corrupt.
  const Pickled* read(const std::string& path, Cursor* cursor);

 private:
  friend class PickleMachine;
  std::deque<Pickled> values_;
};

}  // namespace glia::io
