"""Everything that the headers declare is bound, or stands on the generator's list with a reason."""
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import glia

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    schema = folder / "schema.json"
    subprocess.run([sys.executable, ROOT / "scripts/schema", "--out", schema], check=True)
    subprocess.run([sys.executable, ROOT / "python/generate", schema, folder], check=True,
                   stdout=subprocess.DEVNULL)
    read = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("bound", "unbound")}
    return json.loads(schema.read_text()), read["bound"], read["unbound"]


def thing(name):
    at = glia
    for part in name.split("::")[1:]:
        at = getattr(at, part)
    return at


def test_every_function_and_class_is_somewhere(lists):
    schema, bound, unbound = lists
    known = {b["name"] for b in bound} | {u["name"] for u in unbound}
    for header in schema["headers"]:
        for d in header["declarations"]:
            space = d.get("namespace", "")
            if d["kind"] in ("function", "class") and not d.get("private") and (
                    "detail" not in space.split("::")):
                assert f"{space}::{d['name']}" in known, d["name"]


def test_what_is_bound_exists(lists):
    for b in lists[1]:
        if b["by"] == "generated" and "operator" not in b["name"] and b["kind"] != "constant":
            assert callable(thing(b["name"])), b["name"]


def test_few_are_not_bound_and_each_has_a_reason(lists):
    unbound = [u for u in lists[2] if u["reason"] not in (
        "private to the library", "for operations with kernels of C++", "for kernels of C++")]
    assert all(u["reason"] for u in unbound)
    functions = [u["name"] for u in unbound if u["kind"] == "function"]
    assert len(functions) <= 8, functions
    assert len(unbound) <= 60, [u["name"] for u in unbound]


def test_docstrings_come_from_the_headers():
    assert "Vaswani" in glia.scaled_dot_product_attention.__doc__
    assert "Kingma" in glia.optim.Adam.__doc__
    assert "label_smoothing: float = 0.0" in glia.cross_entropy.__doc__


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="no mypy")
def test_stubs(tmp_path):
    package = pathlib.Path(glia.__file__).parent
    if not (package / "__init__.pyi").exists():
        pytest.skip("this build has no stubs")
    program = tmp_path / "program.py"
    program.write_text(
        "import glia\n"
        "class Net(glia.nn.Module):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        "        self.fc = glia.nn.Linear(2, 1)\n"
        "    def forward(self, x: glia.Tensor) -> glia.Tensor:\n"
        "        return glia.relu(self.fc(x)).sum(0, keepdim=True)\n"
        "net = Net()\n"
        "opt = glia.optim.Adam(net.parameters(), lr=1e-2)\n"
        "loss = glia.mse_loss(net(glia.ones((3, 2))), glia.zeros((1, 1)), reduction='sum')\n"
        "opt.step(glia.gradients(loss * 2 + 1, net.parameters()))\n"
        "n: int = loss.numel()\n")
    bad = tmp_path / "bad.py"
    bad.write_text("import glia\nglia.mse_loss(1, 2)\nglia.softmax(glia.ones((2,)), wrong=1)\n")

    environment = dict(os.environ)
    if "site-packages" not in package.parts:  # as PYTHONPATH has it
        environment["MYPYPATH"] = str(package.parent)

    def mypy(*what):
        return subprocess.run([sys.executable, "-m", "mypy", *what], text=True,
                              capture_output=True, cwd=tmp_path, env=environment)

    done = mypy("--strict", str(program))
    assert done.returncode == 0, done.stdout
    assert "error" in mypy(str(bad)).stdout
    done = mypy("-p", "glia")
    assert done.returncode == 0, done.stdout
