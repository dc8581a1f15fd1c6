// The catalogue: data sets by name, where each is looked for, and how to get one that is missing.
//
//   const auto& set = data::entry("mnist");
//   auto train = set.labelled(data::Train, "");
//
// An entry is one file in src/data/sets, or anywhere in a program, that defines a RegisterEntry.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glia/data.h"

namespace glia::data {

// ---- Entries ----------------------------------------------------------------------------------

// A file of a data set, which is read whether it is gzipped or not.
struct DataFile {
  std::string name;         // in the set's folder
  std::string url = {};     // empty: it cannot be downloaded by itself
  int64_t bytes = 0;        // of what lies at that address; 0: not known
  std::string sha256 = {};  // of the same, 64 digits; empty: nobody has verified one
};

// Samples of an input and a class or number; and the whole of a text. The folder may be empty: the
// set is then looked for.
using ReadLabelled = std::function<Dataset<2>(Split, const std::string& folder)>;
using ReadText = std::function<std::string(const std::string& folder)>;

struct Entry {
  std::string name;     // of the entry, and of its folder
  std::string title;    // as messages call it
  std::string home;     // where it is published
  std::string licence;  // "not stated" if it is not
  std::string task;     // what kind of task it is for: "image-classification"
  std::vector<DataFile> files;
  std::string package = {};  // Debian's, and the folder into which that puts the files
  std::string package_folder = {};
  std::string by_hand = {};  // what to do, if neither package nor URLs serve: "unpack ..."
  std::vector<std::string> classes{};  // by label
  ReadLabelled labelled = {};          // the readers that make sense of it
  ReadText text = {};
};

// Every entry, by name; and the one of that name: an Error lists those that there are.
std::vector<const Entry*> catalogue();
const Entry& entry(const std::string& name);

// Another form in which a set of the catalogue may lie: other files, and what they differ in, as
// people are told it behind the set's title: "re-encoded as JPEG". A package that reads it adds it.
struct Form {
  std::string set;  // the name of the entry
  std::string difference;
  std::vector<DataFile> files;
  ReadLabelled labelled;
};

class RegisterForm {
 public:
  explicit RegisterForm(Form form);
  ~RegisterForm();
  RegisterForm(const RegisterForm&) = delete;
  RegisterForm& operator=(const RegisterForm&) = delete;

 private:
  Form form_;
};

class RegisterEntry {
 public:
  explicit RegisterEntry(Entry entry);
  ~RegisterEntry();
  RegisterEntry(const RegisterEntry&) = delete;
  RegisterEntry& operator=(const RegisterEntry&) = delete;

 private:
  Entry entry_;
};

// ---- Places -----------------------------------------------------------------------------------

// The folders in which a set is looked for, in order: $GLIA_DATA/NAME, the package's and the user's
// cache. Throws IoError if GLIA_DATA is set to what is no folder.
std::vector<std::string> places(const Entry& set);
// The user's cache: $XDG_CACHE_HOME/glia/NAME or ~/.cache/glia/NAME; empty for a user without home.
std::string cache_folder(const Entry& set);
// The first of these folders, or of `folder` alone if that is given, that holds any of the set's
// files: all must come from one place. The IoError without one says how to get the set.
std::string find(const Entry& set, const std::string& folder = "");
// The same of the set in any form.
struct Found {
  std::string folder;
  const Form* form = nullptr;  // or nullptr: as the entry has it
};
Found find_any(const Entry& set, const std::string& folder = "");
// Whether there is such a folder, and it holds all files of that form.
bool available(const Entry& set);
// The set's title, and what it differs in if it lies in another form.
std::string title_of(const Entry& set, const std::string& folder = "");
// The labelled samples, by the reader of the form that is there. Throws Error for a set without.
Dataset<2> read_labelled(const Entry& set, Split split, const std::string& folder = "");
// The path of a set's file in its folder, gzipped or not. Throws IoError if it is missing.
std::string file_in(const std::string& folder, const std::string& name);
// Whether each of the set's files has a URL, and whether this build can download them
// (glia/fetch.h).
bool has_urls(const Entry& set);
bool can_fetch(const Entry& set);
// How to get the set, as a clause: "run `glia data fetch mnist`".
std::string how_to_get(const Entry& set);

// ---- Readers ----------------------------------------------------------------------------------

// fashion_mnist() stands in data.h. The folder as for that; each throws IoError.

// MNIST (LeCun, Cortes, Burges): images (28, 28, 1) u8 and labels () i64, 60,000 or 10,000.
Dataset<2> mnist(Split split, const std::string& folder = "");
// CIFAR-10 (Krizhevsky 2009), the binary version (read_labelled() also takes archives of JPEG
// pictures, with package vision): images (32, 32, 3) u8 and labels () i64, 50,000
// or 10,000.
Dataset<2> cifar10(Split split, const std::string& folder = "");
// The 1,797 digits of scikit-learn (UCI): images (8, 8, 1) u8 of values up to 16, labels () i64.
Dataset<2> digits(const std::string& folder = "");
// Tiny Shakespeare (Karpathy 2015): 1,115,394 characters.
std::string tiny_shakespeare(const std::string& folder = "");

}  // namespace glia::data
