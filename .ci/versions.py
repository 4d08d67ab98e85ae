"""Does it run with the oldest versions that settings.ini admits, and with the newest? `make versions`, or `python .ci/versions.py oldest`.

Each set of versions gets an environment of its own (.venv-oldest, .venv-newest). pip has to resolve all lower bounds at once; then the quick tests and all
tutorials run there, as on Colab: without nbdev. torch is the CPU build of constraints.txt in the newest, and what PyPI has in the oldest (gigabytes of CUDA).
"""
import argparse, configparser, json, os, subprocess, sys, venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENV = dict(line.split("=") for line in (ROOT/".ci/env").read_text().split())
TESTS = [f"tests/test_{name}.py" for name in "data cells fitting estimator refinement hierarchy plotting".split()]
TUTORIALS = sorted((ROOT/"nbs/tutorials").glob("[0-9]*.ipynb"))
TOOLS = "pytest pyyaml nbclient ipykernel".split()  # what runs the checks


def bounds():
    "The package's requirements, as settings.ini has them"
    parser = configparser.ConfigParser(delimiters=["="])
    parser.read(ROOT/"settings.ini")
    return parser["DEFAULT"]["requirements"].split()


def make(which):
    "A fresh environment; the versions that it got"
    home = ROOT/f".venv-{which}"
    venv.create(home, with_pip=True, clear=True)
    limits = ROOT/"constraints.txt"
    if which == "oldest":
        limits = home/"oldest.txt"
        limits.write_text("\n".join(r.replace(">=", "==") for r in bounds() if ">=" in r))
    python = home/"bin/python"
    subprocess.run([python, "-m", "pip", "install", "-qq", "--use-pep517", "--prefer-binary", "-c", limits, ROOT, *TOOLS], check=True)
    subprocess.run([python, "-m", "pip", "uninstall", "-qqy", "spice_rl"], check=True)  # the working tree is what is tested
    return python


def versions(python):
    found = subprocess.run([python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True).stdout
    found = {p["name"].lower(): p["version"] for p in json.loads(found)}
    return " ".join(f"{name}=={found[name]}" for name in (r.split(">=")[0].lower() for r in bounds()))


def notebook(path):
    "Run a notebook in this interpreter's kernel, writing nothing; cells that say `#| eval: false` are left out"
    import nbformat
    from nbclient import NotebookClient
    nb = nbformat.read(path, 4)
    nb.cells = [c for c in nb.cells if "#| eval: false" not in c.source]
    NotebookClient(nb, timeout=600, resources=dict(metadata=dict(path=str(path.parent)))).execute()


def check(which, again):
    "Tests and tutorials in one environment; which of them failed"
    python = ROOT/f".venv-{which}/bin/python" if again else make(which)
    env, failed = os.environ | ENV | dict(PYTHONPATH=str(ROOT)), []
    print(f"== {which}: Python {sys.version.split()[0]} {versions(python)}", flush=True)
    if subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS], cwd=ROOT, env=env).returncode: failed.append("tests")
    for path in TUTORIALS:
        good = not subprocess.run([python, __file__, "--notebook", path], cwd=ROOT, env=env).returncode
        print(f"  {'ok    ' if good else 'FAILED'} {path.stem}", flush=True)
        if not good: failed.append(path.stem)
    return [f"{which}: {name}" for name in failed]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", help="oldest, newest (default: both)")
    parser.add_argument("--again", action="store_true", help="use the environments of the last run")
    parser.add_argument("--notebook", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.notebook: sys.exit(notebook(args.notebook))
    if unknown := set(args.which) - {"oldest", "newest"}: parser.error(f"oldest or newest, got {unknown.pop()!r}")
    failed = [f for which in args.which or ["newest", "oldest"] for f in check(which, args.again)]
    sys.exit("\n".join(["failed:", *failed]) if failed else 0)
