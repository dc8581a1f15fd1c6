"""What the generator of the Python module knows of C++: names, types, what can be bound and what not."""
import keyword
import re

# Bound by hand in python/bindings, or in Python in python/glia.
BY_HAND = {
    "glia::Tensor", "glia::Variable", "glia::Parameter", "glia::Buffer", "glia::ParameterList",
    "glia::Operand", "glia::Number", "glia::Index", "glia::Slice", "glia::Shape", "glia::DType",
    "glia::EllipsisType", "glia::NewAxisType", "glia::bfloat16", "glia::float16",
    "glia::Error", "glia::ShapeError", "glia::ValueError", "glia::IoError",
    "glia::recipes::Interrupted", "glia::nn::Module", "glia::nn::NamedVariable",
    "glia::nn::Sequential", "glia::data::Value", "glia::data::Sample", "glia::data::Field",
    "glia::data::Dataset", "glia::data::PassIterator", "glia::data::PassEnd",
    "glia::training::Amount",
    "glia::optim::DeferredSteps", "glia::training::Part", "glia::report::Table::Cell",
    "glia::rl::Action", "glia::rl::Observation", "glia::rl::ObservationView",
    # functions
    "glia::from_bytes", "glia::from_external", "glia::from_vector", "glia::tensor", "glia::index",
    "glia::index_update", "glia::data::from_tensors", "glia::data::zip", "glia::dtype_of",
    "glia::name",
}
# What Python has no use for.
NO_USE = {
    "glia::nn::FieldVisitor": "a Python module's attributes are its fields",
    "glia::nn::visit_field": "a Python module's attributes are its fields",
    "glia::nn::visit_each_field": "a Python module's attributes are its fields",
    "glia::nn::Activation": "its instances are bound",
    "glia::optim::Elementwise": "a base of optimizers in C++",
    "glia::data::Stages": "its members are those of Samples",
    "glia::nn::functional_call": "it is one of Python",
}
# What a template's parameter is where Python calls it: member functions for any model take Module.
INSTANCES = {"glia::AnomalyMode::AnomalyMode": {"M": "nn::Module"}}
HEADERS_OF_CXX = {"glia/op.h": "for operations with kernels of C++",
                  "glia/parallel.h": "for kernels of C++"}
OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "==": "eq", "!=": "ne", "<": "lt",
             "<=": "le", ">": "gt", ">=": "ge", "&": "and", "|": "or", "^": "xor"}
SCALARS = {"bool", "int", "unsigned", "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t",
           "uint16_t", "uint32_t", "uint64_t", "size_t", "float", "double", "long", "char"}
STD = {"std::vector": 1, "std::optional": 1, "std::pair": 2, "std::array": 2, "std::span": 1,
       "std::map": 2, "std::unique_ptr": 1, "std::shared_ptr": 1, "std::deque": 1}
# Classes for which casters.h or a unit by hand has a caster, as arguments and results.
CAST = {"glia::Tensor", "glia::Operand", "glia::Number", "glia::Shape", "glia::Slice", "glia::Index",
        "glia::DType", "glia::Variable", "glia::Parameter", "glia::Buffer", "glia::ParameterList",
        "glia::nn::Module", "glia::nn::NamedVariable", "glia::nn::Sequential",
        "glia::data::Value", "glia::data::Sample", "glia::data::Dataset",
        "glia::training::Amount", "glia::training::Part",
        "glia::report::Table::Cell", "glia::rl::Action", "glia::rl::Observation",
        "glia::rl::ObservationView"}
NO_RESULT = {"glia::Operand", "glia::Index", "glia::rl::Action", "glia::rl::Observation"}
DATASETS = {"1", "2", "3", "4"}


class Unbindable(Exception):
    pass


def snake(name):
    """kStrongWolfe -> strong_wolfe, kReLU -> relu, Train -> train."""
    if re.fullmatch(r"k[A-Z0-9].*", name):
        name = name[1:]
    name = name.replace("ReLU", "Relu").replace("SELU", "Selu").replace("AdamW", "Adamw").replace("DType", "Dtype")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def python_name(name):
    return name + "_" if keyword.iskeyword(name) else name


def text_literal(text):
    return 'R"doc(' + text.replace(")doc", ") doc") + ')doc"'


class Names:
    """All that the headers declare, by qualified name."""

    def __init__(self, schema):
        self.things, self.header_of = {}, {}
        for header in schema["headers"]:
            for d in header["declarations"]:
                self.add(d, d.get("namespace", ""), header["path"])

    def add(self, d, space, path):
        if d["kind"] not in ("class", "enum", "alias"):
            return
        full = f"{space}::{d['name']}" if space else d["name"]
        if full in self.things and d.get("forward"):
            return
        self.things[full] = dict(d, full=full, space=space)
        self.header_of[full] = path
        if d["kind"] == "class":
            for m in d["members"]:
                if m.get("access", "public") == "public":
                    self.add(m, full, path)

    def find(self, name, scope):
        """The qualified name that `name` has within `scope`, or None."""
        if name.startswith("::"):
            return name[2:] if name[2:] in self.things else None
        parts = scope.split("::") if scope else []
        while True:
            full = "::".join(parts + [name])
            if full in self.things:
                return full
            # Names of bases are seen in a class.
            here = self.things.get("::".join(parts))
            if here and here["kind"] == "class":
                for base in here.get("bases", []):
                    found = self.find(base["type"], "::".join(parts[:-1]))
                    if found and f"{found}::{name}" in self.things:
                        return f"{found}::{name}"
            if not parts:
                return None
            parts.pop()


TOKEN = re.compile(r"::|\.\.\.|&&|[A-Za-z_]\w*|\d+|[<>,()&*]")


class Type:
    """A parsed type: `text` is qualified; `name` is that of a class, enum or std template."""

    def __init__(self, text, name, args=(), const=False, ref="", pointer=False):
        self.text, self.name, self.args = text, name, args
        self.const, self.ref, self.pointer = const, ref, pointer

    def full(self):
        out = ("const " if self.const else "") + self.text
        return out + ("*" if self.pointer else "") + self.ref


class Parser:
    def __init__(self, names):
        self.names = names

    def parse(self, text, scope):
        self.tokens = TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise Unbindable(f"the type {text}")
        self.at, self.scope, self.text = 0, scope, text
        out = self.one()
        if self.at != len(self.tokens):
            raise Unbindable(f"the type {text}")
        return out

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token):
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def one(self):
        const = self.take("const")
        name = ""
        if self.take("unsigned"):
            name = "unsigned"
            if self.peek() in ("int", "long", "char"):
                name += " " + self.tokens[self.at]
                self.at += 1
        else:
            if self.take("::"):
                name = "::"
            while re.match(r"[A-Za-z_]", self.peek()):
                name += self.tokens[self.at]
                self.at += 1
                if self.peek() == "::":
                    self.at += 1
                    name += "::"
                else:
                    break
        args, function = [], None
        if self.take("<"):
            while not self.take(">"):
                if re.match(r"\d", self.peek()):
                    args.append(Type(self.peek(), "number"))
                    self.at += 1
                else:
                    args.append(self.one())
                    if self.take("("):
                        function = []
                        while not self.take(")"):
                            t = self.one()
                            if re.match(r"[a-z_]\w*$", self.peek()):
                                self.at += 1  # a parameter's name
                            function.append(t)
                            self.take(",")
                self.take(",")
        const = self.take("const") or const
        made = self.named(name, args, function)
        made.const = const
        if self.take("*"):
            made.pointer = True
            self.take("const")
        if self.peek() in ("&", "&&"):
            made.ref = self.tokens[self.at]
            self.at += 1
        return made

    def named(self, name, args, function):
        if name in SCALARS or name == "void" or name.startswith("unsigned"):
            return Type(name, name)
        if name in ("std::string", "std::string_view", "std::size_t"):
            return Type(name, name)
        if name in ("Where", "std::source_location", "glia::Where"):
            return Type("::glia::Where", "Where")
        if name == "std::function" and function is not None:
            t = Type(f"std::function<{args[0].full()}({', '.join(f.full() for f in function)})>",
                     name, [args[0], *function])
            return t
        if name in STD or name in ("std::tuple", "std::variant", "std::monostate"):
            if name in STD and len(args) != STD[name]:
                raise Unbindable(f"the type {self.text}")
            inner = f"<{', '.join(a.full() for a in args)}>" if args else ""
            return Type(name + inner, name, args)
        full = self.names.find(name, self.scope)
        if not full:
            raise Unbindable(f"the type {name}")
        thing = self.names.things[full]
        if thing["kind"] == "alias":
            if thing.get("template"):
                raise Unbindable(f"the template {name}")
            keep = self.tokens, self.at, self.scope, self.text
            try:
                out = self.parse(thing["type"], thing["space"])
            finally:
                self.tokens, self.at, self.scope, self.text = keep
            if out.name not in ("Where",):
                out.text = "::" + full if not out.const and not out.pointer else out.text
            return out
        text = "::" + full
        if args:
            text += f"<{', '.join(a.full() for a in args)}>"
        return Type(text, full, args)


class Binder:
    """Says of each declaration whether and how Python can have it."""

    def __init__(self, schema):
        self.schema, self.names = schema, Names(schema)
        self.parser = Parser(self.names)
        self.bound, self.unbound, self.methods = [], [], []
        self.enums, self.sizes = [], []
        self.units = []
        self.classes = self.choose_classes()
        self.dropped = []

    # ---- What is bound ----

    def choose_classes(self):
        chosen = {}
        for header in self.schema["headers"]:
            if header["path"] in HEADERS_OF_CXX:
                continue
            for d in header["declarations"]:
                if d["kind"] == "class":
                    self.choose(d, d.get("namespace", ""), header["path"], chosen)
                elif (d["kind"] == "enum" and not d.get("private") and
                      f"{d.get('namespace', '')}::{d['name']}" not in BY_HAND):
                    self.enums.append((f"{d.get('namespace', '')}::{d['name']}", d, header["path"]))
        return chosen

    def choose(self, d, space, path, chosen):
        full = f"{space}::{d['name']}"
        reason = self.why_no_class(d, full)
        if reason == "by hand":
            self.bound.append({"name": full, "kind": "class", "by": "hand"})
        elif reason:
            self.unbound.append({"name": full, "kind": "class", "reason": reason})
        elif self.sizes_base(d, space):
            self.sizes.append((full, self.sizes_base(d, space), path))
            self.bound.append({"name": full, "kind": "class", "by": "a caster"})
        else:
            chosen[full] = dict(d, full=full, space=space, path=path)
        for m in d["members"]:
            if m.get("access", "public") != "public" or m.get("private"):
                continue
            if m["kind"] == "enum" and full not in BY_HAND:
                self.enums.append((f"{full}::{m['name']}", m, path))
            elif m["kind"] == "class" and full in chosen and not m.get("forward"):
                self.choose(m, full, path, chosen)

    def why_no_class(self, d, full):
        if full in BY_HAND:
            return "by hand"
        if full in NO_USE:
            return NO_USE[full]
        if d.get("private") or "detail" in full.split("::"):
            return "private to the library"
        if d.get("forward"):
            return "declared without a definition"
        if any(m["kind"] == "field" and m["type"].startswith("std::unique_ptr") for m in d["members"]):
            return "it owns what cannot be copied"
        if "template" in d:
            return "a template"
        return None

    def sizes_base(self, d, space):
        for base in d.get("bases", []):
            if base["type"].startswith(("std::pair<", "std::array<", "std::tuple<")):
                return self.parser.parse(base["type"], space).text
        return None

    def is_plain(self, c):
        """A struct of fields alone, which designated initialisers make."""
        if c["key"] != "struct":
            return False
        for base in c.get("bases", []):
            found = self.names.find(base["type"], c["space"])
            if found not in self.classes or not self.is_plain(self.classes[found]):
                return False
        return all(m.get("access", "public") == "public" and
                   m["kind"] not in ("constructor", "destructor") and
                   "virtual" not in m.get("specifiers", []) for m in c["members"])

    def fields(self, c):
        """Of a class and its plain bases: (field, scope)."""
        out = []
        for base in c.get("bases", []):
            found = self.names.find(base["type"], c["space"])
            if found in self.classes:
                out += self.fields(self.classes[found])
        return out + [(m, c["full"]) for m in c["members"]
                      if m["kind"] == "field" and m.get("access", "public") == "public"]

    def is_module(self, full):
        c = self.names.things.get(full)
        if full == "glia::nn::Module":
            return True
        if not c or c["kind"] != "class":
            return False
        return any(self.is_module(self.names.find(re.sub(r"<.*", "", b["type"]), c["space"]))
                   for b in c.get("bases", []))

    def base_of(self, c):
        for base in c.get("bases", []):
            found = self.names.find(re.sub(r"<.*", "", base["type"]), c["space"])
            while found and found not in self.classes and found not in BY_HAND:
                up = self.names.things[found]
                bases = up.get("bases", [])
                found = self.names.find(bases[0]["type"], up["space"]) if bases else None
            if found in self.classes or found in ("glia::nn::Module",):
                return found
        return None

    def is_abstract(self, c):
        """Where private members, which the schema does not have, may define what bases leave open,
        a public constructor says that they do."""
        if any("pure" in m.get("specifiers", []) for m in c["members"]):
            return True
        return bool(self.open_methods(c)) and not any(
            m["kind"] == "constructor" and m.get("access", "public") == "public"
            for m in c["members"])

    def open_methods(self, c):
        """Pure methods that are yet to be defined: (name, number of parameters)."""
        out = set()
        for base in c.get("bases", []):
            found = self.names.find(re.sub(r"<.*", "", base["type"]), c["space"])
            if found:
                out |= self.open_methods(self.names.things[found])
        for m in c["members"]:
            if m["kind"] == "method":
                key = (m["name"], len(m["parameters"]))
                if "pure" in m.get("specifiers", []):
                    out.add(key)
                else:
                    out.discard(key)
        return out

    # ---- Types ----

    def check(self, t, result=False, inner=False):
        """Throws Unbindable unless Python can pass, or get, such a value."""
        if t.name == "number" or t.name in SCALARS or t.name.startswith("unsigned"):
            if t.pointer and t.name != "char":
                raise Unbindable(f"a pointer to {t.name}")
            if t.ref == "&" and not t.const and not result:
                raise Unbindable(f"a {t.name} that is changed")
            return
        if t.name == "void":
            if t.pointer:
                raise Unbindable("a pointer to void")
            return
        if t.name == "std::monostate":
            return  # None
        if t.name in ("std::string", "std::string_view", "std::size_t"):
            if t.pointer or (t.ref == "&" and not t.const and not result):
                raise Unbindable("a text that is changed")
            return
        if t.name == "Where":
            if result:
                raise Unbindable("a line of C++")
            return
        if t.name == "std::function":
            for i, a in enumerate(t.args):
                if a.name == "Where":
                    raise Unbindable("a function of a line of C++")
                self.check(a, result if i == 0 else not result)
            return
        if t.name.startswith("std::"):
            if t.pointer:
                raise Unbindable(f"a pointer to {t.name}")
            if t.ref == "&" and not t.const and not result:
                raise Unbindable(f"a {t.name} that is changed in place")
            if t.name == "std::span" and not t.args[0].const and not result:
                raise Unbindable("a span that is written to")
            if t.name == "std::deque" and not result:
                raise Unbindable("a deque")
            if t.name == "std::unique_ptr" and inner:
                raise Unbindable("owners within a container")
            for a in t.args:
                if a.pointer and not result and not (a.name in self.classes or
                                                     self.is_module(a.name)):
                    raise Unbindable("pointers within a container")
                self.check(a, result, True)
            return
        thing = self.names.things.get(t.name)
        if not thing:
            raise Unbindable(f"the type {t.name}")
        if thing["kind"] == "enum":
            if t.pointer or (t.ref == "&" and not t.const):
                raise Unbindable(f"a pointer or reference to {t.name}")
            return
        if t.name == "glia::data::Dataset":
            if len(t.args) != 1 or t.args[0].text not in DATASETS:
                raise Unbindable("a data set of any number of tensors")
            return
        if t.name in CAST:
            if result and t.name in NO_RESULT:
                raise Unbindable(f"a result {t.name}")
            if t.ref == "&" and not t.const and t.name in (
                    "glia::Tensor", "glia::Shape", "glia::DType", "glia::Number") and not result:
                raise Unbindable("a Tensor that is changed in place")
            if t.pointer and t.name in ("glia::Operand", "glia::Number", "glia::Index"):
                raise Unbindable(f"a pointer to {t.name}")
            return
        if t.name in self.classes or any(t.name == s[0] for s in self.sizes):
            if t.args:
                raise Unbindable(f"the template {t.name}")
            return
        raise Unbindable(f"the class {t.name}, which is not bound")

    # ---- Parameters ----

    def default_of(self, text, t, scope):
        """A default as C++ outside its class."""
        if t.name in ("glia::Tensor", "glia::training::Amount") and text in ("{}", "Tensor{}",
                                                                             "Tensor()"):
            return "nb::none()"
        if t.name == "std::optional" and text in ("{}", "std::nullopt"):
            return "nb::none()"
        if t.pointer and text == "nullptr":
            return "nb::none()"
        if t.name == "std::function" and text in ("{}", "nullptr"):
            return "nb::none()"
        if t.name == "glia::Operand":
            return text  # a number, which the caster makes one of
        thing = self.names.things.get(t.name)
        if thing and thing["kind"] == "enum" and "::" in text:
            return f"::{t.name}::{text.rpartition('::')[2]}"
        owner = self.names.things.get(scope)
        if owner and owner["kind"] == "class":
            known = {m["name"] for m in owner["members"] if m.get("name")}
            text = re.sub(r"(?<![\w:.])(k[A-Z]\w*)(?!\s*\()",
                          lambda m: f"::{scope}::{m.group(1)}" if m.group(1) in known else m.group(1),
                          text)
        plain = t.text
        if t.name == "std::string_view":
            plain = "std::string"
        if t.name == "std::span":
            plain = f"std::vector<{t.args[0].text}>"
        if text.startswith("{"):
            return f"{plain}{text}"
        if t.name == "char" and t.pointer:
            return text
        return f"static_cast<{plain}>({text})"

    def parameters(self, list_, scope, owner_options=True):
        """[(name, C++ type, default or None)], and the statements and arguments of the call."""
        out, before, call = [], [], []
        taken = {p.get("name") for p in list_}
        for i, p in enumerate(list_):
            t = self.parser.parse(p["type"], scope)
            name = p.get("name", f"arg{i}")
            if t.name == "Where":
                call.append("::glia::Where()")
                continue
            c = self.classes.get(t.name)
            expands = (c and not t.pointer and self.is_plain(c) and c["name"].endswith("Options") and
                       not (t.ref == "&" and not t.const) and p["name"] == "options")
            # What has no default does not stand behind what has one.
            if expands and all("default" in q for q in list_[i + 1:]):
                made = self.expanded(c, taken)
                if made is not None:
                    if any(d is None for _, _, d in made[0]) and out and out[-1][2] is not None:
                        made = None
                if made is not None:
                    out += made[0]
                    before += made[1]
                    call.append(made[2])
                    continue
            try:
                self.check(t)
            except Unbindable as why:
                if "default" not in p:
                    raise
                self.dropped.append(f"{name}: {why}")
                call.append("{}" if p["default"] == "{}" else f"{p['default']}")
                continue
            default = self.default_of(p["default"], t, scope) if "default" in p else None
            call.append(self.passed(name, t))
            out.append((name, self.lambda_type(t), default))
        return out, before, call

    def lambda_type(self, t):
        if t.name == "std::span" or t.name == "glia::Operand":
            return t.text if t.name == "std::span" else "const ::glia::Operand&"
        if t.name.startswith("std::") and not t.ref and not t.pointer:
            return t.text
        if t.ref == "&&":
            return t.text
        return t.full()

    def passed(self, name, t):
        name = python_name(name)
        if t.pointer or t.ref == "&" or t.name in SCALARS:
            return name
        return f"std::move({name})"

    def expanded(self, c, taken):
        """The fields of options as parameters."""
        out, before, designated = [], [], []
        inherits = bool(c.get("bases"))
        for f, scope in self.fields(c):
            if f["name"] in taken:
                return None
            try:
                t = self.parser.parse(f["type"], scope)
                if t.name == "Where":
                    raise Unbindable("a line")
                self.check(t)
            except Unbindable as why:
                if "default" not in f:
                    return None
                self.dropped.append(f"{f['name']}: {why}")
                continue
            default = self.default_of(f["default"], t, scope) if "default" in f else None
            kind = self.lambda_type(t)
            out.append((f["name"], kind, default))
            designated.append(f".{f['name']} = {self.passed(f['name'], t)}")
            before.append(f"options_.{f['name']} = {self.passed(f['name'], t)};")
        # Those without a default come first.
        out.sort(key=lambda o: o[2] is not None)
        text = "::" + c["full"]
        if inherits:
            return out, [f"{text} options_;", *before], "options_"
        return out, [], f"{text}{{{', '.join(designated)}}}"

    @staticmethod
    def annotations(parameters):
        out = ""
        for name, kind, default in parameters:
            out += f', nb::arg("{python_name(name)}")'
            if default is not None:
                out += f" = {default}"
            elif kind.endswith("*") or (kind == "const ::glia::Tensor&" and
                                        name in ("weight", "bias")):
                out += ".none()"
        return out

    @staticmethod
    def signature(parameters):
        return ", ".join(f"{kind} {python_name(name)}" for name, kind, _ in parameters)

    def doc(self, d):
        text = d.get("comment", "")
        if self.dropped:
            text += "\n\nNot in Python: " + "; ".join(self.dropped)
        self.dropped = []
        return ", " + text_literal(text) if text.strip() else ""
