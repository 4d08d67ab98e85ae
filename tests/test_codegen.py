"""The specialised loop: the pointer loop's numbers to the bit; never stale; whatever lies in its folder, right or
not at all"""
import importlib
import json
import os
import shutil
import subprocess
import sys
import types

import numba
import numpy as np
import pytest

import spice_rl.models.bandit_rules as bandit_rules
import spice_rl.core.codegen as codegen
import spice_rl.core.machine_code as machine_code
from spice_rl.models.avoidance import AvoidanceTask
from spice_rl.models.bandits import BanditsDrift, RescorlaWagner
from spice_rl.core.cell import Cell
from spice_rl.core.codegen import Loop, one_option
from spice_rl.core.machine_code import contents, kept_or_compiled
from spice_rl.core.data import Trials
from spice_rl.core.engine import Lanes, nll
from spice_rl.core.playing import simulate
from spice_rl.models.ready import avoidance_model
from spice_rl.core.params import Param
from worlds import Coin


class Situations(Cell):
    "Reads everything that a rule may read, and makes an array for its logits"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(2., 0, 9), bias=Param(.1, -3, 3))
    state = "q", "seen"

    def init(p, state):
        for k in range(len(state.seen)): state.seen[k] = 1.       # (`[:] =` takes longer to compile)

    def logits(p, state, trial):
        x = p.beta * state.q + p.bias / (1 + trial.context)
        x[trial.options[0]] += np.log(state.seen[trial.options[0]])
        return x

    def update(p, state, trial):
        for k in trial.options:
            if not np.isnan(trial.reward[k]): state.q[k] += p.alpha * (trial.reward[k] - state.q[k])
        state.seen[trial.choice] += 1. + len(trial.options)


class Sum(Situations):
    "Logits that are one expression, of several latent values"
    def logits(p, state, trial): return -p.beta * (state.q - p.bias) / 2 + state.seen / (3 + trial.context)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    "An empty folder for compiled loops, and a process that has none"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    for memory in ("_READY", "_WORK", "_TOOK"): monkeypatch.setattr(codegen, memory, {})
    return tmp_path / "numba" / "spice_rl"


def loops(folder):
    "The files of loops; those of rules and of worlds are smaller"
    return [file for file in folder.glob("*.loop") if file.stat().st_size > 100_000]


def odd_trials(n_options, seed, length=60, people=4, offers=True):
    """Choices with all that may happen: missing ones, hidden and shown rewards, contexts, trials that do not count,
    sessions, offers of 2 to k options"""
    rng = np.random.default_rng(seed)
    n = people * length
    offered = [
        np.sort(rng.permutation(n_options)[: rng.integers(2, n_options + 1) if offers else n_options]) for _ in range(n)
    ]
    choice = np.array([rng.choice(o) for o in offered])
    reward = np.where(rng.random((n, n_options)) < .5, np.nan, rng.normal(.5, 1, (n, n_options)))
    reward[rng.random(n) < .2] = np.nan
    missing = rng.random(n) < .1
    offer = np.array([np.r_[o, np.full(n_options - len(o), -1)] for o in offered])
    return Trials.from_arrays(
        np.where(missing, -1, choice),
        reward,
        np.repeat(np.arange(people), length),
        np.tile(np.arange(length) // 23, people),
        options=range(n_options),
        offer=offer,
        context=rng.integers(0, 3, n),
        counted=rng.random(n) < .8,
    )


def lanes_of(cell, trials, seed):
    "1 to 100 lanes for each person, in no order: parameters inside the bounds, some at them"
    rng = np.random.default_rng(seed)
    who = rng.permutation(
        np.repeat(
            np.arange(trials.n_participants),
            np.r_[1, 100, rng.integers(2, 99, trials.n_participants)][: trials.n_participants],
        )
    )
    lower, upper = (np.array([getattr(p, end) for p in cell.params.values()]) for end in ("lower", "upper"))
    low, high = np.where(np.isfinite(lower), lower, -5.), np.where(np.isfinite(upper), upper, 5.)
    theta = low + (high - low) * rng.random((len(who), len(low)))
    return np.where(rng.random(theta.shape) < .05, low, theta), who


def same_bits(cell, trials, monkeypatch, slopes=(True,)):
    "Both loops, with slopes (the first of their numbers is the NLL) or without: every number is the same"
    theta, who = lanes_of(cell, trials, 0)
    found = {}
    for how in ("pointers", "now"):
        monkeypatch.setenv("SPICE_RL_COMPILE", how)
        lanes = Lanes(cell, trials, 1)
        found[how] = [
            x for with_slopes in slopes for x in (lanes.scoring(theta, who) if with_slopes else [lanes.nll(theta, who)])
        ]
        used = [lanes.loop.ready(len(cell.params) if with_slopes else 0, 0.) for with_slopes in slopes]
        assert all(used) if how == "now" else not any(used)
    assert np.isfinite(found["now"][0]).any()
    for one, other in zip(*found.values(), strict=True): np.testing.assert_array_equal(one, other)


# A loop takes seconds to compile, so each thing that its text is made of is here once: what is on offer (always both
# options, any number of them, below a pair of nine), logits that are one expression, an array or of one option, no
# latent value, one or several, and slopes of 1 to 8 parameters or none
EVERY = [
    (RescorlaWagner(), 2, False, (False, True)),
    (Situations(), 2, False, (True,)),
    (Sum(), 3, True, (True,)),
    (Coin(), 2, False, (True,)),
]


@pytest.mark.parametrize(
    "cell, n_options, offers, slopes", EVERY, ids=lambda x: type(x).__name__ if isinstance(x, Cell) else ""
)
def test_bandit_cells_have_the_pointers_bits(cell, n_options, offers, slopes, monkeypatch):
    trials = odd_trials(n_options, seed=3, offers=offers)
    assert Loop(type(cell), n_options, trials.offer, (trials.offer >= 0).sum(1)).offers == ("any" if offers else "two")
    same_bits(cell, trials, monkeypatch, slopes)


def test_one_class_on_tasks_of_other_sizes(folder, monkeypatch):
    "How many options there are stands in the loop as a number: each number has its own, in memory and on disk"
    for n_options in (3, 4, 3):
        same_bits(RescorlaWagner(), odd_trials(n_options, seed=n_options), monkeypatch, slopes=(False,))
    assert len(loops(folder)) == 2


@pytest.mark.parametrize("name", ["QLearning", "StandardHybrid2021+bias+novel+decay"])
def test_avoidance_models_have_the_pointers_bits(name, monkeypatch):
    "Pairs on offer: one latent value and the fewest parameters; three and all options, the most"
    cell = avoidance_model(name)
    trials = simulate(cell, AvoidanceTask(), people=4, seed=1)
    assert Loop(type(cell), trials.n_options, trials.offer, (trials.offer >= 0).sum(1)).offers == "pair"
    same_bits(cell, trials, monkeypatch)


def test_many_rows_have_the_pointers_bits(monkeypatch):
    "Logarithms of several hundred rows are taken at once; some of these rows more often"
    same_bits(RescorlaWagner(), odd_trials(2, seed=5, length=3000, people=2, offers=False), monkeypatch)


def test_a_logit_that_is_infinite_or_nan_has_the_pointers_bits(monkeypatch):
    class Steep(Cell):
        params = dict(height=Param(0., -np.inf, np.inf), beta=Param(1., 0, 5))
        state = "q",
        def init(p, state): pass
        def logit(p, state, trial, option):
            return p.height * (option + state.q[option]) if trial.context < 2 else p.beta
        def update(p, state, trial): state.q[trial.choice] = trial.context - 1.
    trials, who = odd_trials(2, 1, offers=False), np.tile(np.arange(4), 5)
    theta = np.c_[np.repeat([np.inf, -np.inf, np.nan, 1e308, 0.], 4), np.ones(20)]
    found = []
    for how in ("pointers", "now"):
        monkeypatch.setenv("SPICE_RL_COMPILE", how)
        found.append(Lanes(Steep(), trials, 1).nll(theta, who))
    assert np.isnan(found[0]).any() and np.isfinite(found[0]).any()
    np.testing.assert_array_equal(*found)


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setenv("SPICE_RL_COMPILE", "now")
    cell, trials = RescorlaWagner(), odd_trials(2, seed=3, offers=False)
    theta, who = (np.repeat(x, 60, 0) for x in lanes_of(cell, trials, 0))
    monkeypatch.setattr("spice_rl.core.engine._WORTH", 0)
    for one, other in zip(Lanes(cell, trials, 1).scoring(theta, who), Lanes(cell, trials, 3).scoring(theta, who)):
        np.testing.assert_array_equal(one, other)


# Logits that are one expression

RATE = 3


@pytest.mark.parametrize(
    "rule, text",
    [
        (lambda p, state, trial: p.beta * state.q, "(p.beta * state.q[option])"),
        (
            lambda p, state, trial: state.q / p.tau - RATE * state.trace,
            "((state.q[option] / p.tau) - ((3) * state.trace[option]))",
        ),
        (
            lambda p, state, trial: -(p.a - 0.5) * trial.reward + trial.context,
            "(((-(p.a - (0.5))) * trial.reward[option]) + trial.context)",
        ),
    ],
)
def test_a_rule_of_one_expression_is_written_for_one_option(rule, text): assert one_option(rule).text == text


def outside(x): return x


@pytest.mark.parametrize(
    "rule",
    [
        lambda p, state, trial: np.exp(state.q),
        lambda p, state, trial: outside(state.q),
        lambda p, state, trial: state.q[::-1],
        lambda p, state, trial: state.q if p.beta > 1 else -state.q,
        lambda p, state, trial: state.q**2,
        lambda p, state, trial: state.q + (p.beta > 1),
        lambda p, state, trial: np.array([p.beta, 0.]),
        lambda p, state, trial: p.beta,
        lambda p, state, trial: state.q + trial.options,
        lambda p, state, trial: state.q + True,
    ],
)
def test_any_other_rule_stays_as_it_is(rule): assert one_option(rule) is None


# What a loop is made of

TABLE, NUMBER = np.array([1., 2.]), 2.
MODULE = types.ModuleType("somebody")
MODULE.rate = 3.


def helper(x): return NUMBER * x
def uses_helper(p, state): state.q[:] = helper(p.beta)
def uses_table(p, state): state.q[:] = TABLE
def uses_module(p, state): state.q[:] = MODULE.rate
def closes_over(x):
    def init(p, state): state.q[:] = x
    return init


@pytest.mark.parametrize(
    "rule, change",
    [
        (uses_helper, ("NUMBER", 3.)),
        (uses_table, ("TABLE", np.array([1., 3.]))),
        (uses_module, ("MODULE.rate", 4.)),
    ],
)
def test_contents_follow_what_a_rule_reads(rule, change, monkeypatch):
    before = contents(rule)
    monkeypatch.setattr(f"{__name__}.{change[0]}", change[1])
    assert before is not None and contents(rule) not in (None, before)
    monkeypatch.undo()
    assert contents(rule) == before


def test_contents_tell_apart_what_python_holds_equal():
    values = [1, 1., True, "1", (1,), [1], None, np.float64(1), np.array([1]), np.array([1.]), {"a": 1}]
    assert len({contents(closes_over(v)) for v in values}) == len(values)
    assert contents(closes_over(1)) == contents(closes_over(1)) and contents(closes_over(object())) is None


def test_contents_do_not_stumble_over_a_global_that_only_shares_a_name(monkeypatch):
    "`state.q` mentions q, and a notebook may hold anything under that name"
    before = contents(uses_table)
    monkeypatch.setitem(globals(), "q", object())
    assert contents(uses_table) == before


def cell_of(start, table=None):
    "A class made anew on each call, as in a loop of a notebook; always of the same name"
    class Made(Cell):
        params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 9))
        state = "q",
        def init(p, state): state.q[0] = state.q[1] = start if table is None else table[1]
        def logits(p, state, trial): return p.beta * state.q * (0., 1.)[1] if table is None else p.beta * state.q
        def update(p, state, trial):
            state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])
    return Made()


@pytest.fixture(scope="module")
def guesses():
    "Choices and rewards of two people; nothing need be compiled for them, as it were to simulate them"
    rng = np.random.default_rng(0)
    return Trials.from_arrays(rng.integers(0, 2, 100), rng.random(100), np.repeat([0, 1], 50))


def by_hand(start, trials, alpha=.3, beta=3.):
    "The same likelihood as a plain loop"
    total = 0.
    for t in range(trials.n_trials):
        if t in trials.starts: q = np.full(2, start)
        c, x = trials.choice[t], beta * q
        total += np.log(np.exp(x).sum()) - x[c]
        q[c] += alpha * (trials.reward[t, c] - q[c])
    return total


def test_classes_made_in_a_loop_are_never_stale(folder, guesses, monkeypatch):
    monkeypatch.setenv("SPICE_RL_COMPILE", "now")
    for start in (.5, .1, .5):
        assert nll(cell_of(start), trials=guesses).sum() == pytest.approx(by_hand(start, guesses), rel=1e-12)
    assert len(loops(folder)) == 2


def test_a_table_that_changes_in_place_is_never_stale(folder, guesses, monkeypatch):
    monkeypatch.setenv("SPICE_RL_COMPILE", "now")
    table = np.array([0., .5])
    cell = cell_of(0., table)
    assert nll(cell, trials=guesses).sum() == pytest.approx(by_hand(.5, guesses), rel=1e-12)
    table *= .25
    assert nll(cell, trials=guesses).sum() == pytest.approx(by_hand(.125, guesses), rel=1e-12)


@pytest.fixture
def compiled(monkeypatch):
    "Where each function that is compiled meanwhile is kept"
    took, keep = [], machine_code._keep
    monkeypatch.setattr(machine_code, "_keep", lambda path, made: took.append(path) or keep(path, made))
    return took


def test_rules_are_read_from_disk_and_never_stale(folder, guesses, monkeypatch, compiled):
    monkeypatch.setenv("SPICE_RL_COMPILE", "pointers")
    for start, new in (
        (.5, 3),
        (.1, 3),
        (.5, 0),
    ):  # another class each time; the third is made of what the first was
        before = len(compiled)
        assert nll(cell_of(start), trials=guesses).sum() == pytest.approx(by_hand(start, guesses), rel=1e-12)
        assert len(compiled) - before == new


def test_rules_of_a_world_are_read_from_disk(folder, compiled):
    task, rewards = BanditsDrift(), []
    shutil.rmtree(folder, ignore_errors=True)               # where the rules of this task may lie by now
    uniform, normal = np.full(task.n_uniform, .3), np.full(task.n_normal, .1)
    for new in (2, 0):
        before = len(compiled)
        rules = bandit_rules._compile.__wrapped__(BanditsDrift)
        assert len(compiled) - before == new
        world, reward = np.zeros(task.n_world), np.zeros(2)
        rules.start(task.values, uniform, normal, world)
        rules.pay(task.values, world, 1, uniform, normal, reward)
        rewards.append([*world, *reward])
    assert rewards[0] == rewards[1] and np.isfinite(rewards[0]).all() and any(rewards[0])


# When

LEARNER = """
import json, sys
from pathlib import Path
import numpy as np
import spice_rl.core.codegen as codegen, spice_rl.core.machine_code as machine_code
# of this package's loops alone: what numba keeps by itself is not compiled anew
codegen.cache_folder = machine_code.cache_folder = lambda: Path(sys.argv[1])
from spice_rl.models.bandits import RescorlaWagner
from spice_rl.core.data import Trials
from spice_rl.core.engine import Lanes
rng = np.random.default_rng(0)
trials = Trials.from_arrays(rng.integers(0, 2, 300), rng.random(300), np.repeat(range(3), 100))
lanes = Lanes(RescorlaWagner(), trials, 1)
out = lanes.nll(np.tile([.25, 2.5], (3, 1)), np.arange(3))
print(json.dumps(dict(out=[x.hex() for x in out], compiled=len(codegen._TOOK),
                      there=lanes.loop.ready(0, 0.) is not None,
                      digest=codegen.contents(RescorlaWagner.rules))))
"""


def process(folder, seed):
    "Another process that asks for a likelihood"
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | dict(
        SPICE_RL_COMPILE="now", PYTHONHASHSEED=seed
    )
    return subprocess.Popen([sys.executable, "-c", LEARNER, folder], env=env, stdout=subprocess.PIPE, text=True)


def said(p):
    out = p.communicate()[0]
    assert p.returncode == 0
    return json.loads(out.splitlines()[-1])


def test_two_processes_at_once_then_a_third_that_need_not_compile(folder, monkeypatch, capsys):
    first = [process(folder, seed) for seed in ("1", "2")]
    one, other = map(said, first)
    assert one["compiled"] and other["compiled"] and one["out"] == other["out"] and one["digest"] == other["digest"]
    monkeypatch.setenv("SPICE_RL_COMPILE", "auto")
    # put back what the code changes
    for module in (codegen, machine_code): monkeypatch.setattr(module, "cache_folder", machine_code.cache_folder)
    monkeypatch.setattr(sys, "argv", ["", folder])
    exec(LEARNER, {})                                       # in this process, the third
    third = json.loads(capsys.readouterr().out)
    assert not third["compiled"] and third["there"] and third["out"] == one["out"] and third["digest"] == one["digest"]
    assert len(loops(folder)) == 1 and not list(folder.glob("*.part"))


def test_little_work_is_left_to_the_pointers(folder, monkeypatch):
    monkeypatch.setenv("SPICE_RL_COMPILE", "auto")
    monkeypatch.setattr(Loop, "_compiled", lambda loop, n_steps, kept: kept is None and n_steps)       # when, not what
    loop = Loop(RescorlaWagner, 2, np.array([[0, 1]]), np.array([2]))
    seconds, a_lane = codegen._COMPILE, codegen._POINTER
    assert loop.ready(0, .6 * seconds / a_lane) is None and loop.ready(2, .6 * seconds / a_lane) is None
    assert loop.ready(0, .6 * seconds / a_lane) == 0
    assert loop.ready(1, 1e12) is None          # neighbours of one parameter only: the pointers can


def test_the_variable_is_checked(monkeypatch):
    monkeypatch.setenv("SPICE_RL_COMPILE", "yes")
    with pytest.raises(ValueError, match="SPICE_RL_COMPILE must be 'auto', 'pointers' or 'now', got 'yes'"):
        nll(RescorlaWagner(), trials=odd_trials(2, 0, offers=False))


# What lies in the folder

def made(monkeypatch):
    """Whether a function is compiled: it is not if it was kept. (The notebook shows the same of a loop, and of a
    loop whose file is damaged: they are read and written alike.)"""
    took, keep = [], machine_code._keep
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "_keep", lambda path, compiled: took.append(path) or keep(path, compiled))
        assert kept_or_compiled(lambda x: 3 * x, numba.float64(numba.float64), "a_digest")(.5) == 1.5
    return bool(took)


CALLERS = """
import sys
import numpy as np
from numba import njit, types
from spice_rl.core.machine_code import kept_or_compiled

def loop_of(number):
    # too long to be taken into its caller
    steps = "".join(f"    x = np.sin(x) + np.exp(-x * x) + {number}\\n" for _ in range(60))
    scope = dict(np=np, njit=njit, __name__="spice_rl.core.machine_code")
    loop = "def loop(x): return begin(x) + begin(-x) * begin(2 * x)"
    exec(f"@njit\\ndef begin(x):\\n{steps}    return x\\n{loop}", scope)
    return scope["loop"]

for number in sys.argv[1:]:
    loop = loop_of(number)
    print(kept_or_compiled(loop, types.float64(types.float64), number)(.5) == loop(.5))
"""


def test_functions_of_one_name_from_two_processes_stay_apart(tmp_path, monkeypatch, capsys):
    """Each process compiles a loop that calls its own `begin`; a third one, this, reads both, and neither takes the
    other's"""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for number in "12":
        assert subprocess.run(
            [sys.executable, "-c", CALLERS, number], capture_output=True, text=True, check=True
        ).stdout.split() == ["True"]
    monkeypatch.setattr(sys, "argv", ["", "1", "2"])
    monkeypatch.setattr(machine_code, "_keep", lambda *_: pytest.fail("compiled what two processes had kept"))
    exec(CALLERS, {})
    assert capsys.readouterr().out.split() == ["True", "True"]
    assert sorted(p.name for p in (tmp_path/"spice_rl").iterdir()) == ["1.loop", "2.loop"]


def test_a_damaged_file_is_compiled_anew(folder, monkeypatch):
    assert made(monkeypatch) and not made(monkeypatch)
    file, = folder.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:20], whole[:-1], whole + b"x", whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]):
        file.write_bytes(damaged)
        assert made(monkeypatch)
        assert file.read_bytes()[:len(machine_code._HEAD)] == machine_code._HEAD and not made(monkeypatch)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and permissions as on POSIX")
def test_what_others_may_write_is_not_read(folder, monkeypatch):
    assert made(monkeypatch)
    file, = folder.iterdir()
    file.chmod(0o622)
    assert made(monkeypatch)                  # written anew
    assert not made(monkeypatch)
    folder.chmod(0o777)
    assert made(monkeypatch) and made(monkeypatch)
    folder.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    assert made(monkeypatch)


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="links as on POSIX")
def test_links_are_not_followed(folder, monkeypatch, tmp_path):
    assert made(monkeypatch)
    file, = folder.iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert made(monkeypatch)


def test_no_folder_no_space_no_home_no_word(folder, monkeypatch, recwarn, capfd):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    assert made(monkeypatch)
    folder.unlink()
    def full(*args, **kwargs): raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", full)
    assert made(monkeypatch)
    assert not list(folder.iterdir())            # nothing half-written stays
    def homeless(): raise RuntimeError("Could not determine home directory.")
    monkeypatch.setattr(machine_code, "cache_folder", homeless)
    assert made(monkeypatch)
    assert not len(recwarn) and not any(capfd.readouterr())


def test_the_folder_is_bounded(folder, monkeypatch):
    monkeypatch.setattr(machine_code, "_MOST", 3)
    for i in range(5):
        machine_code._write(folder / f"{i}.loop", b"x")
        os.utime(folder / f"{i}.loop", (i, i))
    machine_code._write(folder / "5.loop", b"x")
    assert {f.name for f in folder.iterdir()} == {"3.loop", "4.loop", "5.loop"}


def test_a_kept_loop_imports_nothing(folder, monkeypatch, tmp_path):
    "A rule of a module that is not there any more: the file is not read, and nothing of that name is run"
    (tmp_path / "gone.py").write_text(
        "from spice_rl.models.bandits import RescorlaWagner\nclass Gone(RescorlaWagner):\n    def init(p, state): "
        "state.q[:] = .5 / float(len(state.q) - 1)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SPICE_RL_COMPILE", "now")
    gone = importlib.import_module("gone").Gone
    loop = Loop(gone, 2, np.array([[0, 1]]), np.array([2]))
    assert loop.ready(0, 0.) is not None
    monkeypatch.delitem(sys.modules, "gone")
    (tmp_path / "gone.py").write_text("raise SystemExit('run')")
    monkeypatch.setattr(codegen, "_READY", {})
    machine_code._load(loop._path(0))                 # a loop, or None
    assert "gone" not in sys.modules


def test_where_it_is(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.path.abspath("there"))
    assert machine_code.cache_folder() == __import__("pathlib").Path(os.path.abspath("there")) / "spice_rl"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    if sys.platform.startswith("linux"):
        monkeypatch.setenv("XDG_CACHE_HOME", "/x")
        assert str(machine_code.cache_folder()) == "/x/spice_rl"
