// nn.Module for Python: layers of C++, and modules that are written in Python.
#include "glia/nn/module.h"

#include <nanobind/trampoline.h>

#include "glia/nn/sequential.h"
#include "glia/optim/optimizer.h"
#include "python/bindings/bindings.h"

namespace glia::python {
namespace {

using namespace nb::literals;
using nn::FieldVisitor;
using nn::Module;

// A module whose fields are the attributes of its Python object: parameters, buffers, modules, and
// lists, tuples and dicts of these.
class PythonModule : public Module {
 public:
  PythonModule() : nb_trampoline(this) {}
  void visit_fields(FieldVisitor& visitor) const override {
    nb::gil_scoped_acquire locked;
    const nb::dict attributes = nb::inst_dict(nb_trampoline.base());
    for (auto [name, value] : attributes) show(visitor, nb::cast<std::string_view>(name), value);
  }

 private:
  static bool has_fields(nb::handle value) {
    if (nb::isinstance<Variable>(value) || nb::isinstance<Module>(value)) return true;
    if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) {
      for (nb::handle element : nb::borrow<nb::sequence>(value))
        if (has_fields(element)) return true;
    } else if (PyDict_Check(value.ptr())) {
      for (auto [name, element] : nb::borrow<nb::dict>(value))
        if (PyUnicode_Check(name.ptr()) && has_fields(element)) return true;
    }
    return false;
  }
  static void show(FieldVisitor& visitor, std::string_view name, nb::handle value) {
    if (nb::isinstance<Parameter>(value)) {
      visitor.parameter(name, nb::cast<const Parameter&>(value));
    } else if (nb::isinstance<Buffer>(value)) {
      visitor.buffer(name, nb::cast<const Buffer&>(value));
    } else if (nb::isinstance<Module>(value)) {
      visitor.module(name, nb::cast<const Module&>(value));
    } else if (has_fields(value)) {
      visitor.enter(name);
      if (PyDict_Check(value.ptr())) {
        for (auto [key, element] : nb::borrow<nb::dict>(value))
          if (PyUnicode_Check(key.ptr())) show(visitor, nb::cast<std::string_view>(key), element);
      } else {
        int64_t i = 0;
        for (nb::handle element : nb::borrow<nb::sequence>(value))
          show(visitor, std::to_string(i++), element);
      }
      visitor.leave();
    }
  }

  nb::detail::trampoline nb_trampoline;
};

PyObject* call(PyObject* self, PyObject* arguments, PyObject* named) noexcept {
  static PyObject* const kForward = PyUnicode_InternFromString("forward");
  nb::object forward = nb::steal(PyObject_GetAttr(self, kForward));
  if (!forward.is_valid()) return nullptr;
  return PyObject_Call(forward.ptr(), arguments, named);
}

const PyType_Slot kSlots[] = {{Py_tp_call, reinterpret_cast<void*>(call)}, {0, nullptr}};

nb::list named(const std::vector<nn::NamedVariable>& all) {
  nb::list out;
  for (const nn::NamedVariable& v : all)
    out.append(nb::make_tuple(v.name, nb::cast(v.variable.alias())));
  return out;
}

void bind_parameter_list(nb::module_& m) {
  nb::class_<ParameterList>(m, "ParameterList",
                            "Handles on a model's parameters: the places, not copies.")
      .def(
          "__init__",
          [](ParameterList* self, const ParameterList& from) { new (self) ParameterList(from); },
          "parameters"_a)
      .def("__len__", &ParameterList::size)
      .def(
          "__getitem__",
          [](const ParameterList& self, int64_t i) {
            const auto size = static_cast<int64_t>(self.size());
            if (i < -size || i >= size) throw nb::index_error("ParameterList: no such parameter");
            return self[static_cast<size_t>(i < 0 ? i + size : i)].alias();
          },
          "i"_a)
      .def(
          "__iter__", [](nb::object self) { return nb::steal(PySeqIter_New(self.ptr())); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[glia.Variable]"))
      .def("__add__",
           [](const ParameterList& self, const ParameterList& other) {
             ParameterList all = self;
             for (const Variable& v : other) all.push_back(v);
             return all;
           })
      .def("tensors", &ParameterList::tensors, "The values they have now.");
}

}  // namespace

void bind_modules(nb::module_& m) {
  bind_parameter_list(m);
  nb::module_ nn = module_of(m, "glia::nn");
  nn.attr("Parameter") = m.attr("Parameter");
  nn.attr("Buffer") = m.attr("Buffer");
  nb::class_<Module, PythonModule> c(
      nn, "Module", nb::dynamic_attr(), nb::is_weak_referenceable(), nb::type_slots(kSlots),
      "The base of every layer and model. In a class that derives from it, attributes that are "
      "parameters, buffers or modules, and lists and dicts of these, are its fields; `forward` is "
      "what a call does.");
  nb::class_<Module::LoadResult>(c, "LoadResult")
      .def_ro("missing", &Module::LoadResult::missing)
      .def_ro("unexpected", &Module::LoadResult::unexpected);
  c.def(nb::init<>())
      .def("parameters", &Module::parameters, "The trainable parameters, each place once.")
      .def("all_parameters", &Module::all_parameters, "Frozen ones too.")
      .def(
          "named_parameters", [](const Module& self) { return named(self.named_parameters()); },
          nb::sig("def named_parameters(self) -> list[tuple[str, glia.Variable]]"))
      .def(
          "named_buffers", [](const Module& self) { return named(self.named_buffers()); },
          nb::sig("def named_buffers(self) -> list[tuple[str, glia.Variable]]"))
      .def("parameter_count", &Module::parameter_count)
      .def("state_dict", &Module::state_dict, nb::call_guard<Unlocked>(),
           "The values of all parameters and buffers by name, in PyTorch's layouts.")
      .def("load_state_dict", &Module::load_state_dict, "values"_a, "strict"_a = true,
           nb::call_guard<Unlocked>(),
           "Sets the values. Throws Error naming the keys that are wrong in shape or, if strict, "
           "missing or unexpected; then nothing has changed.")
      .def(
          "train",
          [](nb::object self, bool on) {
            nb::cast<Module&>(self).train(on);
            return self;
          },
          "on"_a = true, nb::sig("def train(self, on: bool = True) -> typing.Self"),
          "Training or evaluation mode, here and in all layers below.")
      .def(
          "eval",
          [](nb::object self) {
            nb::cast<Module&>(self).eval();
            return self;
          },
          nb::sig("def eval(self) -> typing.Self"))
      .def_prop_ro("training", &Module::is_training)
      .def("is_training", &Module::is_training)
      .def("freeze", &Module::freeze, "Frozen parameters get no gradient.")
      .def("unfreeze", &Module::unfreeze)
      .def(
          "to",
          [](nb::object self, DType dtype) {
            nb::cast<Module&>(self).to(dtype);
            return self;
          },
          "dtype"_a, nb::sig("def to(self, dtype: glia.DType | str | type) -> typing.Self"),
          "Converts the parameters and buffers that are floats to another float dtype.")
      .def(
          "apply",
          [](nb::object self, const std::function<void(Module&)>& f) {
            nb::cast<Module&>(self).apply(f);
            return self;
          },
          "f"_a,
          nb::sig("def apply(self, f: collections.abc.Callable[[glia.nn.Module], object]) -> "
                  "typing.Self"),
          "Calls f for each module below, children first, and for this one last.")
      .def("summary", &Module::summary, "A table of the layers that have parameters or buffers.")
      .def("__repr__", [](nb::object self) {
        return nb::cast<std::string>(self.type().attr("__name__")) + "(" +
               std::to_string(nb::cast<Module&>(self).parameter_count()) + " parameters)";
      });
  // What a network of C++ is made of: see glia.nn.Sequential for one of Python.
  nb::class_<nn::Sequential, Module>(nn, "NativeSequential", "Layers of C++ one after another.")
      .def(
          "__call__", [](const nn::Sequential& self, const Tensor& x) { return self(x, Where()); },
          "x"_a, nb::call_guard<Unlocked>())
      .def("__len__", &nn::Sequential::size)
      .def(
          "__getitem__", [](nn::Sequential& self, size_t i) -> Module& { return self[i]; }, "i"_a,
          nb::rv_policy::reference_internal);

  nb::module_ optim = module_of(m, "glia::optim");
  struct Deferred {
    std::vector<std::shared_ptr<optim::DeferredSteps>> alive;
  };
  nb::class_<Deferred>(
      optim, "DeferredSteps",
      "While one is entered, steps of optimizers only record what they do; leaving "
      "it computes them in one plan.")
      .def(nb::init<>())
      .def(
          "__enter__",
          [](nb::object self) {
            nb::cast<Deferred&>(self).alive.push_back(std::make_shared<optim::DeferredSteps>());
            return self;
          },
          nb::sig("def __enter__(self) -> typing.Self"))
      .def(
          "__exit__",
          [](Deferred& self, nb::handle type, nb::handle, nb::handle) {
            if (self.alive.empty()) return;
            auto steps = std::move(self.alive.back());
            self.alive.pop_back();
            Unlocked free;
            if (type.is_none()) steps->finish();
          },
          nb::arg().none(), nb::arg().none(), nb::arg().none(),
          nb::sig("def __exit__(self, *args: object) -> None"));
}

}  // namespace glia::python
