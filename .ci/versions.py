"""Does it run with the oldest versions that settings.ini admits, and with the newest? `make versions`, or `python
.ci/versions.py oldest`.

`python .ci/versions.py bayes` asks whether one environment holds us beside ArviZ 1, PyMC 6, Bambi and HSSM, on each
Python of BAYES: uv (from PyPI) resolves it for that Python without having it. Where this Python is one of them, the
environment is made, and the posterior's tests run in it. Each set of versions gets an environment of its own
(.venv-oldest, .venv-newest). pip has to resolve all lower bounds at once; then the quick tests and all tutorials run
there, as on Colab: without nbdev. torch is the CPU build of constraints.txt in the newest, and what PyPI has in the
oldest (gigabytes of CUDA).
"""
import argparse, configparser, json, os, subprocess, sys, venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENV = dict(line.split("=") for line in (ROOT/".ci/env").read_text().split())
TESTS = [f"tests/test_{name}.py" for name in "data cells fitting estimator refinement hierarchy plotting".split()]
TUTORIALS = sorted((ROOT/"nbs/tutorials").glob("[0-9]*.ipynb"))
TOOLS = "pytest pyyaml nbclient ipykernel".split()  # what runs the checks
# Pythons, and what is to live beside the extra `bayes`
BAYES, BESIDE = ("3.12", "3.13"), "arviz>=1 pymc>=6 bambi hssm".split()


def bounds(extra=""):
    "The package's requirements, or those of an extra, as settings.ini has them"
    parser = configparser.ConfigParser(delimiters=["="])
    parser.read(ROOT/"settings.ini")
    return parser["DEFAULT"][f"{extra}_requirements" if extra else "requirements"].split()


def make(which):
    "A fresh environment; the versions that it got"
    home = ROOT/f".venv-{which}"
    venv.create(home, with_pip=True, clear=True)
    limits = ROOT/"constraints.txt"
    if which == "oldest":
        limits = home/"oldest.txt"
        limits.write_text("\n".join(r.replace(">=", "==") for r in bounds() if ">=" in r))
    python = home/"bin/python"
    subprocess.run(
        [python, "-m", "pip", "install", "-qq", "--use-pep517", "--prefer-binary", "-c", limits, ROOT, *TOOLS],
        check=True,
    )
    # the working tree is what is tested
    subprocess.run([python, "-m", "pip", "uninstall", "-qqy", "spice_rl"], check=True)
    return python


def versions(python):
    found = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True
    ).stdout
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
    if subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS], cwd=ROOT, env=env).returncode:
        failed.append("tests")
    for path in TUTORIALS:
        good = not subprocess.run([python, __file__, "--notebook", path], cwd=ROOT, env=env).returncode
        print(f"  {'ok    ' if good else 'FAILED'} {path.stem}", flush=True)
        if not good: failed.append(path.stem)
    return [f"{which}: {name}" for name in failed]


def resolved(uv, version):
    "What an environment of this Python would hold; '' if there is none"
    wanted = "\n".join([*bounds(), *bounds("bayes"), *BESIDE])
    limits = ROOT/".venv-bayes/limits.txt"
    limits.write_text(
        "\n".join(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch"))
    )
    call = [uv, "pip", "compile", "-q", "--no-header", "--no-annotate", "--python-version", version, "-c", limits, "-"]
    done = subprocess.run(call, input=wanted, capture_output=True, text=True)
    if done.returncode: print(done.stderr, flush=True)
    return done.stdout


def bayes():
    """The environment beside PyMC, Bambi and HSSM: resolved for each Python, and tested where this is one of them;
    what failed"""
    home, failed = ROOT/".venv-bayes", []
    venv.create(home, with_pip=True, clear=True)
    subprocess.run([home/"bin/python", "-m", "pip", "install", "-qq", "uv"], check=True)
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    for version in BAYES:
        found = resolved(home/"bin/uv", version)
        shown = [
            line
            for line in found.splitlines()
            if line.split("==")[0] in ("arviz", "pymc", "bambi", "hssm", "nutpie", "numpy", "numba", "torch")
        ]
        print(f"== bayes: Python {version} {' '.join(shown) or 'does not resolve'}", flush=True)
        if not found: failed.append(f"bayes: Python {version} does not resolve")
        elif version == own and _posterior(home, found): failed.append(f"bayes: tests under Python {version}")
    if own not in BAYES:
        print(
            f"   resolved only: this is Python {own}, and the tests of the posterior run where it is "
            f"{' or '.join(BAYES)}",
            flush=True,
        )
    return failed


def _posterior(home, found):
    "Install what was resolved, run the posterior's tests; the exit status"
    (home/"lock.txt").write_text(found)
    subprocess.run(
        [home / "bin/python", "-m", "pip", "install", "-qq", "--prefer-binary", "-r", home / "lock.txt", *TOOLS],
        check=True,
    )
    env = os.environ | ENV | dict(PYTHONPATH=str(ROOT))
    return subprocess.run(
        [home / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_posterior.py"],
        cwd=ROOT,
        env=env,
    ).returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", help="oldest, newest, bayes (default: oldest and newest)")
    parser.add_argument("--again", action="store_true", help="use the environments of the last run")
    parser.add_argument("--notebook", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.notebook: sys.exit(notebook(args.notebook))
    if unknown := set(args.which) - {"oldest", "newest", "bayes"}:
        parser.error(f"oldest, newest or bayes, got {unknown.pop()!r}")
    failed = [
        f
        for which in args.which or ["newest", "oldest"]
        for f in (bayes() if which == "bayes" else check(which, args.again))
    ]
    sys.exit("\n".join(["failed:", *failed]) if failed else 0)
