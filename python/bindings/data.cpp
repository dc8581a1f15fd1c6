// Samples, pipelines and parts of a task in Python.
#include "python/bindings/data.h"

#include "python/bindings/bind.h"

namespace glia::python {

using namespace nb::literals;
using data::Sample;
using data::Value;

bool load_sample(PyObject* from, bool convert, Sample* sample) {
  *sample = Sample();
  const nb::handle h(from);
  if (PyDict_Check(from)) {
    for (auto [name, value] : nb::borrow<nb::dict>(h))
      sample->set(nb::cast<std::string_view>(name), nb::cast<Value>(value));
    return true;
  }
  if (PyTuple_Check(from) || PyList_Check(from)) {
    for (nb::handle value : nb::borrow<nb::sequence>(h)) sample->push_back(nb::cast<Value>(value));
    return true;
  }
  if (!convert || PyUnicode_Check(from) || h.is_none()) return false;
  sample->push_back(nb::cast<Value>(h));
  return true;
}

namespace {

nb::object value_of(const Sample& self, nb::handle key) {
  if (PyUnicode_Check(key.ptr())) {
    const auto name = nb::cast<std::string_view>(key);
    if (!self.has(name)) throw nb::key_error((std::string(name) + " of " + self.str()).c_str());
    return nb::cast(self.value(name));
  }
  int64_t i = nb::cast<int64_t>(key);
  const auto size = static_cast<int64_t>(self.size());
  if (i < -size || i >= size)
    throw nb::index_error(
        ("a sample of " + std::to_string(size) + " fields has none at " + std::to_string(i))
            .c_str());
  return nb::cast(self.value(static_cast<size_t>(i < 0 ? i + size : i)));
}

nb::list names_of(const Sample& self) {
  nb::list names;
  for (size_t i = 0; i < self.size(); ++i)
    if (self.names() && !(*self.names())[i].empty()) names.append((*self.names())[i]);
  return names;
}

void bind_sample(nb::module_& m) {
  nb::class_<Sample>(m, "Sample",
                     "The fields of one sample or batch, by position and, where they have one, by "
                     "name. It unpacks: x, y = batch.")
      .def(
          "__init__", [](Sample* self, const Sample& from) { new (self) Sample(from); }, "fields"_a)
      .def("__len__", &Sample::size)
      .def("__getitem__", value_of, "key"_a,
           nb::sig("def __getitem__(self, key: int | str) -> typing.Any"))
      .def("__setitem__", [](Sample& self, std::string_view name,
                             Value value) { self.set(name, std::move(value)); })
      .def("__delitem__", [](Sample& self, std::string_view name) { self.erase(name); })
      .def("__contains__", [](const Sample& self, std::string_view name) { return self.has(name); })
      .def(
          "__iter__", [](nb::object self) { return nb::steal(PySeqIter_New(self.ptr())); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[typing.Any]"))
      .def("keys", names_of, nb::sig("def keys(self) -> list[str]"))
      .def(
          "tensor", [](const Sample& self, std::string_view name) { return self.at(name); },
          "name"_a)
      .def("ragged", &Sample::ragged, "name"_a)
      .def("append", &Sample::append, "other"_a, "Adds the fields of another one.")
      .def(
          "push_back", [](Sample& self, Value value) { self.push_back(std::move(value)); },
          "value"_a)
      .def("__repr__", [](const Sample& self) { return "Sample(" + self.str() + ")"; });
}

// One pass over a pipeline.
struct Iterator {
  data::Pipeline::Pass pass;
};

}  // namespace

void bind_data(nb::module_& m) {
  nb::module_ data = module_of(m, "glia::data");
  bind_sample(data);
  nb::class_<Iterator>(data, "PassIterator")
      .def(
          "__iter__", [](nb::object self) { return self; },
          nb::sig("def __iter__(self) -> typing.Self"))
      .def("__next__", [](Iterator& self) {
        Sample sample;
        bool more = false;
        {
          nb::gil_scoped_release free;
          more = self.pass.next(sample);
        }
        if (!more) throw nb::stop_iteration();
        return sample;
      });

  nb::module_ training = module_of(m, "glia::training");
  using training::Part;
  nb::class_<Part>(training, "Part",
                   "Something that a run changes, by name: anything with state_dict() and "
                   "load_state_dict(), or a pipeline.")
      .def("name", &Part::name)
      .def("state_dict", &Part::state_dict)
      .def("load_state_dict", &Part::load_state_dict, "state"_a);
}

void finish_data(nb::module_& m) {
  auto pipeline = declared<data::Pipeline>();
  pipeline.def(
      "__iter__",
      [](data::Pipeline& self) {
        nb::gil_scoped_release free;
        return Iterator{self.pass()};
      },
      nb::keep_alive<0, 1>(), "One pass, from where state() tells.");
  pipeline.def("__len__", [](const data::Pipeline& self) {
    if (self.size() < 0) throw nb::type_error("the size of this pipeline is not known");
    return self.size();
  });
  nb::module_ data = module_of(m, "glia::data");
  data.def(
      "from_tensors",
      [](nb::args tensors) {
        if (tensors.size() == 0) throw nb::type_error("from_tensors: no tensors");
        return data::Samples(data::in_memory(nb::cast<Sample>(tensors)));
      },
      nb::sig("def from_tensors(*tensors: typing.Any) -> Samples"),
      "Samples are the slices of the tensors along axis 0, which must agree in its size.");
  data.def(
      "zip",
      [](const data::Samples& a, const data::Samples& b) {
        return data::Samples(data::zipped({a.source(), b.source()}));
      },
      "a"_a, "b"_a, "Samples with the fields of both, which end with the shorter.");

  using training::Part;
  nb::borrow<nb::class_<Part>>(nb::type<Part>())
      .def(
          "__init__",
          [](Part* self, std::string name, nn::Module& module) {
            new (self) Part(std::move(name), module);
          },
          "name"_a, "object"_a, nb::keep_alive<1, 3>())
      .def(
          "__init__",
          [](Part* self, std::string name, optim::Optimizer& optimizer) {
            new (self) Part(std::move(name), optimizer);
          },
          "name"_a, "object"_a, nb::keep_alive<1, 3>())
      .def(
          "__init__",
          [](Part* self, std::string name, data::Pipeline& pipeline) {
            new (self) Part(std::move(name), pipeline);
          },
          "name"_a, "object"_a, nb::keep_alive<1, 3>())
      .def(
          "__init__",
          [](Part* self, std::string name, nb::object any) {
            new (self)
                Part(std::move(name), nb::cast<std::function<StateDict()>>(any.attr("state_dict")),
                     nb::cast<std::function<void(const StateDict&)>>(any.attr("load_state_dict")));
          },
          "name"_a, "object"_a);
}

}  // namespace glia::python
