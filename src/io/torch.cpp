// PyTorch's files (torch.save): a zip with a pickle and an entry for each storage, or, before 1.6,
// pickles followed by the storages. Tensors and plain containers are built; whatever else a pickle
// asks for is refused, so that a hostile file can do nothing.
#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include "glia/io.h"
#include "glia/ops.h"
#include "io/elements.h"
#include "io/pickle.h"
#include "io/zip.h"

namespace glia::io {
namespace {

// torch.serialization's number in the files of before, as a pickled long.
constexpr std::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x00", 11);
constexpr int kDeepest = 64;
constexpr int64_t kMostEntries = 1'000'000;

struct Typed {
  std::string_view name;
  Elements elements;
  bool bfloat = false;
};
constexpr Typed kStorages[] = {
    {"FloatStorage", {'f', 4}},          {"DoubleStorage", {'f', 8}}, {"HalfStorage", {'f', 2}},
    {"BFloat16Storage", {'u', 2}, true}, {"LongStorage", {'i', 8}},   {"IntStorage", {'i', 4}},
    {"ShortStorage", {'i', 2}},          {"CharStorage", {'i', 1}},   {"ByteStorage", {'u', 1}},
    {"BoolStorage", {'b', 1}},
};
constexpr Typed kDtypes[] = {
    {"float32", {'f', 4}},        {"float64", {'f', 8}}, {"float16", {'f', 2}},
    {"bfloat16", {'u', 2}, true}, {"int64", {'i', 8}},   {"int32", {'i', 4}},
    {"int16", {'i', 2}},          {"int8", {'i', 1}},    {"uint8", {'u', 1}},
    {"bool", {'b', 1}},           {"uint16", {'u', 2}},  {"uint32", {'u', 4}},
};

// A stretch of a storage, in elements.
struct StorageRef {
  std::string key;
  const Typed* type = nullptr;  // null: bytes without a type, which the tensor gives
  int64_t offset = 0, size = 0;
};

class TorchFile {
 public:
  explicit TorchFile(const std::string& path) : path_(path), content_(map(path)) {
    if (text_of(content_.bytes).starts_with("PK"))
      open_zip();
    else
      open_legacy();
  }

  NamedTensors read(Metadata* metadata) {
    metadata_ = metadata;
    if (metadata_) metadata_->clear();
    flatten("", root_, 0);
    return std::move(tensors_);
  }

 private:
  [[noreturn]] void broken(const std::string& why) const { fail(path_, why); }

  // ---- The two containers ----

  void open_zip() {
    constexpr std::string_view kPickle = "data.pkl";
    std::string_view folder;
    members_ = read_zip(content_);
    const ZipMember* pickle = nullptr;
    for (const ZipMember& m : members_) {
      const std::string_view name = m.name;
      if (name == kPickle || name.ends_with("/data.pkl")) {
        pickle = &m;
        folder = name.substr(0, name.size() - kPickle.size());
      }
    }
    if (!pickle) broken("is a zip without data.pkl, so torch.save did not write it");
    for (const ZipMember& m : members_) {
      std::string_view name = m.name;
      if (!name.starts_with(folder)) continue;
      name.remove_prefix(folder.size());
      if (name == "byteorder") big_endian_ = text_of(m.content.bytes) == "big";
      if (name.starts_with("data/")) bytes_[std::string(name.substr(5))] = m.content.bytes;
      // Bytes that lie in the archive live as long as its mapping, others as long as the member.
      if (m.content.owner) owners_.push_back(m.content.owner);
    }
    Cursor cursor(path_, pickle->content.bytes);
    root_ = pickles_.read(path_, &cursor);
  }

  void open_legacy() {
    Cursor cursor(path_, content_.bytes);
    if (cursor.left() < 2 || content_.bytes[0] != 0x80) broken("is no file of torch.save");
    const Pickled* magic = pickles_.read(path_, &cursor);
    if (!magic->is(Pickled::kLong) ||
        std::string_view(magic->text).substr(0, 10) != kLegacyMagic.substr(0, 10))
      broken("is no file of torch.save");
    pickles_.read(path_, &cursor);  // the protocol's version
    pickles_.read(path_, &cursor);  // sizes and byte order of the machine that wrote it
    root_ = pickles_.read(path_, &cursor);
    const Pickled* keys = pickles_.read(path_, &cursor);
    if (!keys->is(Pickled::kList)) broken("has no list of storages");
    find_storages(root_, 0);
    for (const Pickled* key : keys->items) {
      const uint64_t count = cursor.little(8);
      const auto found = element_sizes_.find(key->text);
      if (found == element_sizes_.end()) broken("storage " + key->text + " is nobody's");
      uint64_t bytes = 0;
      if (__builtin_mul_overflow(count, static_cast<uint64_t>(found->second), &bytes))
        broken("storage " + key->text + " is impossibly large");
      bytes_[key->text] = cursor.take(bytes);
    }
  }

  // The sizes of elements, which only the persistent ids of a legacy file tell.
  void find_storages(const Pickled* v, int depth) {
    if (depth > kDeepest) broken("nests too deep");
    if (++entries_ > kMostEntries) broken("has more than a million entries");
    if (v->is(Pickled::kPersistent)) {
      const StorageRef ref = storage_ref(v);
      element_sizes_[ref.key] = ref.type ? ref.type->elements.size : 1;
      return;
    }
    for (const Pickled* item : v->items) find_storages(item, depth + 1);
  }

  // ---- Storages ----

  const Typed* typed(std::string_view name, std::span<const Typed> all) const {
    const auto found = std::ranges::find(all, name, &Typed::name);
    if (found == all.end())
      broken("holds elements of type " + std::string(name) + ", which have no dtype here");
    return &*found;
  }

  // ('storage', type, key, device, size[, view]); a view is (its key, offset, size).
  StorageRef storage_ref(const Pickled* persistent) const {
    const Pickled* id = persistent->items.empty() ? nullptr : persistent->items[0];
    if (!id || !id->is(Pickled::kTuple) || id->items.size() < 5 ||
        id->items[0]->text != "storage" || !id->items[1]->is(Pickled::kGlobal))
      broken("has an external reference that is no storage");
    std::string_view type = id->items[1]->text;
    type.remove_prefix(std::min(type.size(), type.rfind('.') + 1));
    StorageRef ref{.key = id->items[2]->text, .size = number(id->items[4])};
    if (type != "UntypedStorage") ref.type = typed(type, kStorages);
    if (id->items.size() > 5 && id->items[5]->is(Pickled::kTuple)) {
      const Pickled* view = id->items[5];
      if (view->items.size() != 3) broken("has a corrupt view of a storage");
      ref.offset = number(view->items[1]);
      ref.size = number(view->items[2]);
    }
    return ref;
  }

  int64_t number(const Pickled* v) const {
    if (!v->is(Pickled::kInt)) broken("has no whole number where a size must be");
    return v->number;
  }
  std::vector<int64_t> numbers(const Pickled* v) const {
    std::vector<int64_t> out;
    if (!v->is(Pickled::kTuple) && !v->is(Pickled::kList)) broken("has no tuple of sizes");
    for (const Pickled* item : v->items) out.push_back(number(item));
    return out;
  }

  // All of a storage as one line of numbers, once for all tensors that lie in it.
  const Tensor& storage(const std::string& key, const Typed& type) {
    Tensor& all = storages_[{key, type.name}];
    if (all.defined()) return all;
    const auto found = bytes_.find(key);
    if (found == bytes_.end()) broken("storage " + key + " is missing");
    Elements elements = type.elements;
    const int64_t count = static_cast<int64_t>(found->second.size()) / elements.size;
    const Content content{path_, found->second.first(count * elements.size), owner()};
    elements.big_endian = big_endian_;
    if (!type.bfloat) return all = decode(content, Shape{count}, elements);
    if (!big_endian_) return all = decode(content, Shape{count}, kBF16);
    return all = decode({path_, bytes_of(turned_.emplace_back(swapped(content.bytes, 2))), {}},
                        Shape{count}, kBF16);
  }
  std::shared_ptr<const void> owner() const {
    struct Owners {
      std::shared_ptr<const void> archive;
      std::vector<std::shared_ptr<const void>> members;
    };
    return std::make_shared<Owners>(Owners{content_.owner, owners_});
  }

  // ---- Tensors ----

  // Axes of stride 0 are expanded, so that their numbers take no memory; others are copied in order
  // unless they lie so.
  Tensor strided(StorageRef ref, const Typed& type, int64_t offset, std::vector<int64_t> sizes,
                 std::vector<int64_t> strides) {
    if (sizes.size() != strides.size()) broken("a tensor has other strides than axes");
    const Shape shape = checked_shape(path_, sizes);
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (strides[i] < 0) broken("a tensor has a negative stride");
      if (strides[i] == 0 && sizes[i] > 1) sizes[i] = 1;
    }
    const Shape dense = checked_shape(path_, sizes);
    int64_t last = 0;
    bool overflow =
        __builtin_add_overflow(ref.offset, offset, &last) || offset < 0 || ref.offset < 0;
    for (size_t i = 0; i < sizes.size() && !overflow; ++i) {
      int64_t step = 0;
      overflow = sizes[i] > 0 && (__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) ||
                                  __builtin_add_overflow(last, step, &last));
    }
    const Tensor& all = storage(ref.key, type);
    if (dense.numel() == 0) return zeros(shape, all.dtype());
    if (overflow || last >= all.numel())
      broken("a tensor of shape " + shape.str() + " passes the end of storage " + ref.key);
    if (dense.numel() > all.numel())
      broken("a tensor of shape " + shape.str() + " overlaps itself");
    const Tensor t = in_order(all, ref.offset + offset, dense, strides);
    return dense == shape ? t : expand(t, shape);
  }

  Tensor in_order(const Tensor& all, int64_t from, const Shape& shape,
                  const std::vector<int64_t>& strides) const {
    const auto size = static_cast<int64_t>(size_of(all.dtype()));
    const Bytes bytes = raw_bytes(all);
    int64_t expected = 1;
    bool contiguous = true;
    for (int i = shape.rank(); i-- > 0; expected *= shape[i])
      contiguous = contiguous && (shape[i] == 1 || strides[i] == expected);
    if (contiguous)
      return decode(
          {path_, bytes.subspan(from * size, shape.numel() * size), std::make_shared<Tensor>(all)},
          shape, all.dtype());
    std::vector<uint8_t> copy(shape.numel() * size);
    std::vector<int64_t> index(shape.rank());
    for (int64_t i = 0, at = from; i < shape.numel(); ++i) {
      std::copy_n(bytes.begin() + at * size, size, copy.begin() + i * size);
      for (int axis = shape.rank(); axis-- > 0;) {
        at += strides[axis];
        if (++index[axis] < shape[axis]) break;
        at -= strides[axis] * shape[axis];
        index[axis] = 0;
      }
    }
    return from_bytes(copy.data(), shape, all.dtype());
  }

  // The tensor that a call makes, if it makes one.
  std::optional<Tensor> tensor(const Pickled* v, int depth = 0) {
    if (!v->is(Pickled::kCall) || depth > kDeepest) return {};
    const std::string& name = v->items[0]->text;
    const std::vector<const Pickled*>& a = v->items[1]->items;
    if (name == "torch._utils._rebuild_parameter" ||
        name == "torch._utils._rebuild_parameter_with_state") {
      if (a.empty()) broken("has a parameter of nothing");
      return tensor(a[0], depth + 1);
    }
    if (name == "torch._tensor._rebuild_from_type_v2" && a.size() == 4) {
      Pickled call{.kind = Pickled::kCall, .items = {a[0], a[2]}};
      return tensor(&call, depth + 1);
    }
    const bool third = name == "torch._utils._rebuild_tensor_v3";
    if (name != "torch._utils._rebuild_tensor_v2" && name != "torch._utils._rebuild_tensor" &&
        !third)
      return {};
    if (a.size() < (third ? 7 : 4) || !a[0]->is(Pickled::kPersistent))
      broken("has a corrupt tensor");
    const StorageRef ref = storage_ref(a[0]);
    const Typed* type = ref.type;
    if (third) {
      std::string_view dtype = a[6]->text;
      if (!dtype.starts_with("torch.")) broken("has a corrupt tensor");
      type = typed(dtype.substr(6), kDtypes);
    }
    if (!type) broken("has a tensor without a dtype");
    return strided(ref, *type, number(a[1]), numbers(a[2]), numbers(a[3]));
  }

  // ---- Names ----

  static std::string join(const std::string& prefix, const std::string& name) {
    return prefix.empty() ? name : prefix + "." + name;
  }
  std::string key_text(const Pickled* key) const {
    if (key->is(Pickled::kText)) return key->text;
    if (key->is_number() && !key->is(Pickled::kFloat)) return std::to_string(key->number);
    broken("has a key that is neither text nor a whole number");
  }

  void note(const std::string& name, const Pickled* v) {
    if (!metadata_) return;
    std::string text = v->text;
    if (v->is(Pickled::kBool)) text = v->number ? "True" : "False";
    if (v->is(Pickled::kInt)) text = std::to_string(v->number);
    if (v->is(Pickled::kFloat)) {
      std::array<char, 32> digits;
      text.assign(digits.data(), std::snprintf(digits.data(), digits.size(), "%.17g", v->real));
    }
    metadata_->emplace_back(name, text);
  }

  void flatten_pairs(const std::string& name, std::span<const Pickled* const> items, int depth) {
    if (items.size() % 2 != 0) broken("has a dictionary with a key and no value");
    for (size_t i = 0; i < items.size(); i += 2)
      flatten(join(name, key_text(items[i])), items[i + 1], depth + 1);
  }
  void flatten_list(const std::string& name, std::span<const Pickled* const> items, int depth) {
    for (size_t i = 0; i < items.size(); ++i)
      flatten(join(name, std::to_string(i)), items[i], depth + 1);
  }

  void flatten(const std::string& name, const Pickled* v, int depth) {
    if (depth > kDeepest) broken("nests deeper than " + std::to_string(kDeepest));
    if (++entries_ > kMostEntries) broken("has more than a million entries");
    switch (v->kind) {
      case Pickled::kDict:
        return flatten_pairs(name, v->items, depth);
      case Pickled::kList:
      case Pickled::kTuple:
      case Pickled::kSet:
        return flatten_list(name, v->items, depth);
      case Pickled::kCall:
        return flatten_call(name, v, depth);
      case Pickled::kGlobal:
        if (!v->text.starts_with("torch.")) refuse(v->text);
        return note(name, v);
      case Pickled::kPersistent:
        broken("\"" + name + "\" is a storage and no tensor");
      case Pickled::kNone:
        return;
      default:
        return note(name, v);
    }
  }
  void flatten_call(const std::string& name, const Pickled* v, int depth) {
    const Pickled* arguments = v->items[1];
    if (!v->items[0]->is(Pickled::kGlobal) || !arguments->is(Pickled::kTuple))
      broken("corrupt call");
    const std::string& what = v->items[0]->text;
    if (const std::optional<Tensor> t = tensor(v)) {
      tensors_.emplace_back(name, *t);
      return;
    }
    if (what == "collections.OrderedDict" || what == "collections.defaultdict") {
      // Given as a list of pairs (protocol 1), or filled afterwards.
      for (const Pickled* pairs : arguments->items) {
        if (!pairs->is(Pickled::kList)) continue;
        for (const Pickled* pair : pairs->items) flatten_pairs(name, pair->items, depth);
      }
      return flatten_pairs(name, std::span(v->items).subspan(2), depth);
    }
    if (what == "torch.Size" || what == "builtins.set" || what == "__builtin__.set") {
      return flatten_list(name,
                          arguments->items.empty() ? std::span<const Pickled* const>()
                                                   : std::span(arguments->items[0]->items),
                          depth);
    }
    if (what == "torch.device") return;
    refuse(what);
  }
  [[noreturn]] void refuse(const std::string& what) const {
    broken("asks for " + what + ", which is not run; save a state_dict() of tensors instead");
  }

  const std::string path_;
  Content content_;
  std::vector<ZipMember> members_;
  std::vector<std::shared_ptr<const void>> owners_;
  std::deque<std::string> turned_;
  PickleReader pickles_;
  const Pickled* root_ = nullptr;
  bool big_endian_ = false;
  std::map<std::string, Bytes> bytes_;
  std::map<std::string, int> element_sizes_;
  std::map<std::pair<std::string, std::string_view>, Tensor> storages_;
  NamedTensors tensors_;
  Metadata* metadata_ = nullptr;
  int64_t entries_ = 0;
};

}  // namespace

NamedTensors read_torch(const std::string& path, Metadata* metadata) {
  return TorchFile(path).read(metadata);
}

}  // namespace glia::io
