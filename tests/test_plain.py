"""Neither numba nor torch: the same rules run as plain Python, with the same numbers, and what needs torch says so."""
import json, os, re, subprocess, sys
from pathlib import Path

import numpy as np
import pytest

import spice_rl
from plain_script import main

HERE = Path(__file__).parent
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "llvmlite", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def plain(code, **env):
    "Run code in a process that can import neither numba nor torch: what it printed, and what it warned of"
    done = subprocess.run(
        [sys.executable, "-c", BLOCK + code], env=os.environ | env, capture_output=True, text=True, cwd=HERE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.strip()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    "What the script finds, compiled and plain"
    files = [tmp_path_factory.mktemp("plain") / name for name in ("compiled.json", "plain.json")]
    main(files[0])
    plain(
        f"import sys; sys.path.insert(0, '.')\nfrom plain_script import main; main({str(files[1])!r})",
        SPICE_RL_COMPILE="0",
    )
    return [json.loads(f.read_text()) for f in files]


def test_nothing_was_imported(both):
    assert "numba" in both[0]["_modules"] and both[1]["_modules"] == []


def test_the_same_numbers(both):
    compiled, other = both
    assert compiled.keys() == other.keys() and len(compiled) > 8
    for what, parts in compiled.items():
        if what == "_modules": continue
        assert parts.keys() == other[what].keys()
        for part, x in parts.items():
            np.testing.assert_allclose(other[what][part], x, rtol=1e-10, atol=1e-10, err_msg=f"{part} of {what}")
            if part in ("simulate", "play", "choices"): assert other[what][part] == x, f"{part} of {what}: other draws"


def test_what_needs_torch_says_so():
    said, warned = plain("""
import spice_rl
spice_rl.RescorlaWagner; spice_rl.Wiener; spice_rl.Equation
for use in (lambda: spice_rl.SpiceEstimator, lambda: spice_rl.discovery.rnn,
            lambda: spice_rl.demo_trials().to_dataset()):
    try: use()
    except ModuleNotFoundError as e: print(e)
from spice_rl.output.cli import main
from contextlib import redirect_stderr
with redirect_stderr(sys.stdout):
    print(main(["discover", str(spice_rl.demo_file()), "--participant", "participant", "--trial", "trial",
                "--choice", "choice", "--reward", "reward"]))
""", SPICE_RL_COMPILE="0")
    assert said.splitlines() == [
        "SpiceEstimator needs torch: pip install torch",
        "rnn needs torch: pip install torch",
        "tensors for networks need torch: pip install torch",
        "spice-rl: SpiceEstimator needs torch: pip install torch",
        "2",
    ]
    assert warned == "", "who asked for plain Python is not told that numba is missing"


def test_who_did_not_ask_is_told_once():
    assert (
        plain("import spice_rl; spice_rl.RescorlaWagner; spice_rl.Wiener; spice_rl.Equation")[1].count(
            "numba cannot be imported"
        )
        == 1
    )


def test_numba_may_stay_unused_where_it_is():
    code = ("import sys; from spice_rl import RescorlaWagner, demo_trials, nll; nll(RescorlaWagner(), "
            "trials=demo_trials().take([1])); assert 'numba' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], env=os.environ | dict(SPICE_RL_COMPILE="0"), check=True)


def test_one_module_imports_numba():
    home = Path(spice_rl.__file__).parent
    direct = [
        p.name
        for p in home.rglob("*.py")
        if re.search(r"^\s*(from|import) (numba|llvmlite)\b", p.read_text(), re.MULTILINE)
    ]
    assert direct == ["jit.py"], "take what numba has from spice_rl.core.jit, which has something in its place"


def test_discovery_in_plain_python():
    code = """
from spice_rl import demo_trials, discover, nll
trials = demo_trials().take(participants=[1, 2]).split_time(.5)[0]
found = discover(trials, most=3, verbose=False, threads=1)
numbers = [found.integrated_bic, *nll(found.cell, trials=trials)]
"""
    one, compiled = plain(code + "print(*numbers)", SPICE_RL_COMPILE="0")[0].split(), {}
    exec(code, compiled)
    assert [float(x) for x in one] == pytest.approx(compiled["numbers"], rel=1e-9)
