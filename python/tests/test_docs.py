"""The blocks of docs/python.md, run one after the other."""
import pathlib
import re

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/python.md"


def test_snippets():
    blocks = re.findall(r"^```python run\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    assert len(blocks) >= 5
    names = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)
