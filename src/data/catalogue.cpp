#include "glia/catalogue.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "runtime/settings.h"

namespace glia::data {
namespace {

std::vector<const Entry*>& registry() {
  static std::vector<const Entry*> entries;
  return entries;
}

std::vector<const Form*>& forms() {
  static std::vector<const Form*> all;
  return all;
}

// The file, or the file with ".gz", in the folder; empty if it has neither.
std::string either(const std::string& folder, const std::string& name) {
  const std::string plain = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name;
  std::error_code ignored;
  for (const char* ending : {".gz", ""})
    if (const std::string path = folder + "/" + plain + ending;
        std::filesystem::exists(path, ignored))
      return path;
  return "";
}

bool has_any(const std::string& folder, const std::vector<DataFile>& files) {
  return std::ranges::any_of(files, [&](const auto& f) { return !either(folder, f.name).empty(); });
}

// The folder is empty if none has any file of the set.
Found first_with_any(const Entry& set, const std::vector<std::string>& folders, bool any_form) {
  for (const std::string& folder : folders) {
    if (has_any(folder, set.files)) return {folder};
    if (!any_form) continue;
    for (const Form* form : forms())
      if (form->set == set.name && has_any(folder, form->files)) return {folder, form};
  }
  return {};
}

// The words with commas between them and "or" before the last.
std::string any_of(const std::vector<std::string>& words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "" : i + 1 < words.size() ? ", " : " or ") + words[i];
  return out;
}

}  // namespace

RegisterEntry::RegisterEntry(Entry entry) : entry_(std::move(entry)) {
  auto& all = registry();
  all.insert(std::ranges::upper_bound(all, entry_.name, {}, &Entry::name), &entry_);
}

RegisterForm::RegisterForm(Form form) : form_(std::move(form)) { forms().push_back(&form_); }

RegisterForm::~RegisterForm() { std::erase(forms(), &form_); }

RegisterEntry::~RegisterEntry() { std::erase(registry(), &entry_); }

std::vector<const Entry*> catalogue() { return registry(); }

const Entry& entry(const std::string& name) {
  std::string known;
  for (const Entry* set : registry()) {
    if (set->name == name) return *set;
    known += (known.empty() ? "" : ", ") + set->name;
  }
  throw Error("unknown data set '" + name + "' (known: " + known + ")");
}

std::string cache_folder(const Entry& set) {
  // By the XDG specification a path that is not absolute is one that is not set.
  const char* cache = setting("XDG_CACHE_HOME");
  if (cache && cache[0] == '/') return std::string(cache) + "/glia/" + set.name;
  const char* home = setting("HOME");
  return home ? std::string(home) + "/.cache/glia/" + set.name : "";
}

std::vector<std::string> places(const Entry& set) {
  std::vector<std::string> folders;
  if (const char* root = setting("GLIA_DATA")) {
    if (std::error_code ignored; !std::filesystem::is_directory(root, ignored))
      throw IoError(std::string("GLIA_DATA is \"") + root + "\", which is no folder");
    folders.push_back(std::string(root) + "/" + set.name);
  }
  if (!set.package_folder.empty()) folders.push_back(set.package_folder);
  if (const std::string cache = cache_folder(set); !cache.empty()) folders.push_back(cache);
  return folders;
}

bool has_urls(const Entry& set) {
  return !set.files.empty() && std::ranges::none_of(set.files, &std::string::empty, &DataFile::url);
}

bool can_fetch(const Entry& set) {
#ifdef GLIA_FETCH
  return has_urls(set);
#else
  return has_urls(set) && false;
#endif
}

std::string how_to_get(const Entry& set) {
  std::vector<std::string> ways;
  if (!set.package.empty()) ways.push_back("run `apt-get install " + set.package + "`");
  if (can_fetch(set)) ways.push_back("run `glia data fetch " + set.name + "`");
  if (ways.empty() && !set.by_hand.empty()) {
    const std::string cache = cache_folder(set);
    ways.push_back(set.by_hand + (cache.empty() ? "" : " into " + cache));
  }
  ways.push_back("set GLIA_DATA to the folder that holds " + set.name + "/ (" + set.home + ")");
  return any_of(ways);
}

namespace {

Found found(const Entry& set, const std::string& folder, bool any_form) {
  const std::vector<std::string> folders =
      folder.empty() ? places(set) : std::vector<std::string>{folder};
  Found out = first_with_any(set, folders, any_form);
  if (out.folder.empty())
    throw IoError(set.title + ": its files are not in " + any_of(folders) + "; " + how_to_get(set));
  return out;
}

}  // namespace

std::string find(const Entry& set, const std::string& folder) {
  return found(set, folder, false).folder;
}

Found find_any(const Entry& set, const std::string& folder) { return found(set, folder, true); }

bool available(const Entry& set) {
  const auto [folder, form] = first_with_any(set, places(set), true);
  return !folder.empty() &&
         std::ranges::none_of(form ? form->files : set.files, [&](const DataFile& file) {
           return either(folder, file.name).empty();
         });
}

std::string title_of(const Entry& set, const std::string& folder) {
  const Found at = find_any(set, folder);
  return at.form ? set.title + ", " + at.form->difference : set.title;
}

Dataset<2> read_labelled(const Entry& set, Split split, const std::string& folder) {
  if (!set.labelled) throw Error(set.title + ": has no labelled samples");
  const Found at = find_any(set, folder);
  return at.form ? at.form->labelled(split, at.folder) : set.labelled(split, at.folder);
}

std::string file_in(const std::string& folder, const std::string& name) {
  const std::string path = either(folder, name);
  if (path.empty()) throw IoError(folder + "/" + name + ": is missing");
  return path;
}

}  // namespace glia::data
