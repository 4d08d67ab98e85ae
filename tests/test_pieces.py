"""Work in pieces: bit for bit from disk and from every backend, resumed after kill -9, refused where it would mix
two runs."""
import os, random, signal, subprocess, sys, time, warnings
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from numba import njit

from spice_rl.models.avoidance import Avoidance, AvoidanceTask, with_bias
from spice_rl.models.bandits import AgentQ, BanditsDrift
from spice_rl.core.cell import Cell
from spice_rl.core.engine import nll
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import rescorla_wagner_equation
from spice_rl.models.ready import avoidance_model
from spice_rl.core.params import Param
from spice_rl.core.pieces import _file, _from_text, _to_text, run_pieces
from spice_rl.inference.digest import _digest as digest

SCRIPT = Path(__file__).with_name("pieces_script.py")


# A frame on disk

def bits(x):
    "A value down to its bits"
    if isinstance(x, tuple): return tuple(map(bits, x))
    return type(x), x.hex() if type(x) is float and x == x else np.asarray(x).tobytes() if isinstance(
        x, (float, np.generic)
    ) else x


ODD = [
    np.nan,
    -np.nan,
    np.inf,
    -np.inf,
    0.,
    -0.,
    5e-324,
    1.7976931348623157e308,
    .1 + .2,
    1 / 3,
    np.frombuffer(bytes.fromhex("010000000000f87f"))[0],
]
FRAMES = {
    "floats": pd.DataFrame(dict(x=ODD, y=np.float32(ODD[:5] + [.1] * 6))),
    "integers":
        pd.DataFrame(
            dict(a=[2**63 - 1, -(2**63)], b=np.array([2**64 - 1, 0], np.uint64), c=np.array([-128, 127], np.int8))
        ),
    "bools and texts":
        pd.DataFrame(
            dict(b=[True, False], s=pd.array(["é\n\"'\\ \ud800", ""], pd.StringDtype("python", na_value=np.nan)))
        ),  # pyarrow's cannot hold half a surrogate pair
    "text with gaps": pd.DataFrame(dict(s=pd.Series(["a", None]), t=pd.array(["a", None], "string"))),
    "objects":
        pd.DataFrame(
            dict(
                o=pd.Series(
                    [
                        None,
                        True,
                        1,
                        1.,
                        "1",
                        np.nan,
                        -0.,
                        -np.inf,
                        (1, ("a", 2.)),
                        np.float32(.1),
                        np.int64(7),
                        np.bool_(True),
                        10**30,
                    ],
                    dtype=object,
                )
            )
        ),
    "ids as text": pd.DataFrame(dict(x=[1, 2]), index=pd.Index(["007", "7"], name="participant")),
    "ids of all kinds":
        pd.DataFrame(dict(x=[1, 2, 3, 4]), index=pd.Index(["7", 7, 7., ("a", 7)], dtype=object, tupleize_cols=False)),
    "ids twice": pd.DataFrame(dict(x=[1, 2], y=["a", "b"]), index=[5, 5]),
    "ids that are floats": pd.DataFrame(dict(x=[1, 2]), index=[np.nan, -0.]),
    "columns twice": pd.DataFrame([[1, 2.]], columns=["a", "a"]),
    "columns of numbers": pd.DataFrame([[1, 2.]], columns=[3, 1]),
    "a range": pd.DataFrame(dict(x=[1, 2]), index=pd.RangeIndex(3, 9, 3, name="i")),
    "no rows": pd.DataFrame(dict(x=pd.Series([], dtype=float), s=pd.Series([], dtype=object))),
    "no columns": pd.DataFrame(index=["a", "b"]),
    "nothing": pd.DataFrame(),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_comes_back_bit_for_bit(name, tmp_path):
    frame = FRAMES[name]
    run_pieces(lambda: frame, {"a": {}}, folder=tmp_path)
    back = run_pieces(None, {"a": {}}, folder=tmp_path)["a"]
    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_column_type=True, check_index_type=True)
    assert list(back.dtypes) == list(frame.dtypes)
    assert type(back.index) is type(frame.index)
    assert back.columns.dtype == frame.columns.dtype
    for a, b in zip([back.index, back.columns, *(back.iloc[:, j] for j in range(back.shape[1]))],
                    [frame.index, frame.columns, *(frame.iloc[:, j] for j in range(frame.shape[1]))]):
        assert a.name == b.name and list(map(bits, a)) == list(map(bits, b))
        if isinstance(a.dtype, np.dtype) and a.dtype != object: assert a.to_numpy().tobytes() == b.to_numpy().tobytes()


@pytest.mark.parametrize("frame, says", [
    (pd.DataFrame(dict(t=pd.to_datetime(["2026-01-01"]))), "the column 't' has the type datetime64"),
    (pd.DataFrame(dict(c=pd.Categorical(["a"]))), "the column 'c' has the type category"),
    (pd.DataFrame(dict(c=[1j])), "the column 'c' has the type complex128"),
    (pd.DataFrame(dict(o=[[1]])), "the column 'o' holds \\[1\\], a list"),
    (pd.DataFrame(dict(o=[1]), index=pd.MultiIndex.from_tuples([(1, 2)])), "the index has several levels"),
    (pd.Series([1]), "work must return a frame, got Series"), (None, "work must return a frame, got NoneType")])
def test_what_cannot_be_kept_is_refused(frame, says):
    with pytest.raises(RuntimeError, match=f"the piece 'a' failed: TypeError: {says}"):
        run_pieces(lambda: frame, {"a": {}})


# Runs

def square(x, ran=None):
    if ran is not None: ran.append(x)
    return pd.DataFrame(dict(x=[x], y=[x * x / 3]))


def never(**arguments): raise AssertionError("this piece is done already")


def texts(found): return {k: _to_text(f) for k, f in found.items()}


PIECES = {f"piece {i}": dict(x=i) for i in range(6)}


def test_resumes(tmp_path):
    def until(x):
        if x == 3: raise ValueError("no more")
        return square(x)

    with pytest.raises(RuntimeError, match="the piece 'piece 3' failed: ValueError: no more .*next run goes on") as e:
        run_pieces(until, PIECES, folder=tmp_path)
    assert "in until" in e.value.__notes__[0]
    done = {p: p.stat().st_mtime_ns for p in (tmp_path/"pieces").iterdir()}
    assert len(done) == 3
    ran = []
    found = run_pieces(lambda x: square(x, ran), PIECES, folder=tmp_path)
    assert ran == [3, 4, 5] and list(found) == list(PIECES)
    assert all(p.stat().st_mtime_ns == t for p, t in done.items()), "a finished piece is written once"
    assert (
        texts(found)
        == texts(run_pieces(square, PIECES))
        == texts(run_pieces(never, dict(reversed(PIECES.items())), folder=tmp_path))
    )


DAMAGE = {
    "cut": lambda b: b[:-1],
    "half": lambda b: b[: len(b) // 2],
    "empty": lambda b: b"",
    "longer": lambda b: b + b"\n",
    "not text": lambda b: bytes(range(128, 256)),
    "head only": lambda b: b.partition(b"\n")[0],
    "another key": lambda b: b.replace(b"piece 2", b"piece 3", 1),
    "zeros": lambda b: bytes(len(b)),
}


@pytest.mark.parametrize("kind", [*DAMAGE, "each byte"])
def test_a_damaged_piece_is_done_again(kind, tmp_path):
    whole = run_pieces(square, PIECES, folder=tmp_path)
    path = _file(tmp_path, "piece 2")
    good = path.read_bytes()
    flips = (
        [good[:i] + bytes([good[i] ^ 1 << (i % 8)]) + good[i + 1 :] for i in range(len(good))]
        if kind == "each byte"
        else [DAMAGE[kind](good)]
    )
    for bad in flips:
        path.write_bytes(bad)
        ran = []
        with pytest.warns(UserWarning, match="the piece 'piece 2' is damaged on disk"):
            found = run_pieces(lambda x: square(x, ran), PIECES, folder=tmp_path)
        assert ran == [2] and texts(found) == texts(whole) and path.read_bytes() == good


def test_left_overs_go_and_other_files_stay(tmp_path):
    (tmp_path/"pieces").mkdir()
    mine = [tmp_path/"results.csv", tmp_path/"x.part", tmp_path/"pieces"/"notes.txt"]
    left = [tmp_path/"run.json.part", tmp_path/"pieces"/"a-0123.piece.part"]
    for p in mine + left: p.write_text("half")
    run_pieces(square, PIECES, folder=tmp_path)
    assert all(p.read_text() == "half" for p in mine) and not any(p.exists() for p in left)


def test_a_folder_of_another_run_is_refused(tmp_path):
    about = dict(models=["a", "b"], people=15, nested=dict(seed=1, tolerance=np.nan))
    run_pieces(square, PIECES, folder=tmp_path, about=about)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert texts(run_pieces(never, PIECES, folder=tmp_path, about=dict(reversed(about.items()))))
    for other, says in (
        (about | dict(people=16), r"about\['people'\] is 15 there, now 16"),
        (about | dict(nested=dict(seed=2, tolerance=np.nan)), r"about\['nested'\]\['seed'\] is 1 there, now 2"),
        (about | dict(more=1), r"about\['more'\] is asked for now, but not there"),
        (None, "about is .* there, now None"),
    ):
        with pytest.raises(ValueError, match=f"another run: {says}.*choose another folder"):
            run_pieces(never, PIECES, folder=tmp_path, about=other)
    with pytest.raises(ValueError, match=r"it has 6 pieces, now 7 are asked for \(the piece 'x' is only here\)"):
        run_pieces(never, PIECES | dict(x=dict(x=1)), folder=tmp_path, about=about)
    assert {p: p.read_bytes() for p in before} == before
    (tmp_path/"run.json").write_text("{")
    with pytest.raises(ValueError, match="run.json is damaged"): run_pieces(never, PIECES, folder=tmp_path, about=about)
    (tmp_path/"run.json").unlink()
    with pytest.raises(ValueError, match="holds pieces, but no run.json"):
        run_pieces(never, PIECES, folder=tmp_path, about=about)


def test_any_text_is_a_key(tmp_path):
    keys = [
        "",
        "a b",
        "a/b",
        "../../up",
        "a_b",
        "A_B",
        ".",
        "CON",
        "x" * 5000,
        "é",
        "e\u0301",
        "line\nbreak",
        "\0",
        "\ud800",
    ]
    found = run_pieces(square, {k: dict(x=i) for i, k in enumerate(keys)}, folder=tmp_path)
    assert [f.x[0] for f in found.values()] == list(range(len(keys)))
    assert texts(run_pieces(never, {k: dict(x=0) for k in keys}, folder=tmp_path)) == texts(found)
    names = [p.name for p in (tmp_path/"pieces").iterdir()]
    assert len({n.lower() for n in names}) == len(keys) and max(map(len, names)) < 80


def test_bad_arguments(tmp_path):
    for pieces, says in (
        ([], "pieces must be a dict"),
        ({1: {}}, r"keys of pieces must be texts, got 1, int; use str\(1\)"),
        ({"a": [1]}, "the piece 'a' must be a dict of arguments, got list"),
    ):
        with pytest.raises(TypeError, match=says): run_pieces(square, pieces, folder=tmp_path)
    for about in (dict(x=np.arange(3)), dict(x=square)):
        with pytest.raises(TypeError, match="about must be plain data"):
            run_pieces(square, PIECES, folder=tmp_path, about=about)
    with pytest.raises(TypeError, match="about must be a dict"): run_pieces(square, PIECES, folder=tmp_path, about="me")
    assert run_pieces(square, {}, folder=tmp_path/"empty") == {} == run_pieces(square, {})
    (tmp_path/"file").write_text("mine")
    with pytest.raises(ValueError, match="is a file; name a folder"): run_pieces(square, PIECES, folder=tmp_path/"file")
    with pytest.raises(TypeError, match="work must be a function"): run_pieces(1, PIECES)
    assert (tmp_path/"file").read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path):
    if not hasattr(os, "geteuid"): pytest.skip("this system has no such folders")
    tmp_path.chmod(0o500)
    root = os.geteuid() == 0
    try:
        if root: os.seteuid(65534)  # root may write everywhere
        with pytest.raises(ValueError, match="cannot (make|write into) the folder .*choose another place"):
            run_pieces(square, PIECES, folder=tmp_path)
    finally:
        if root: os.seteuid(0)
        tmp_path.chmod(0o700)


# Backends

def chance(cell, environment, seed):
    "Simulate and score: what a piece of a recovery does"
    trials = simulate(
        cell,
        environment,
        people=3,
        n_trials=None if isinstance(environment, AvoidanceTask) else 50,
        seed=seed,
        threads=1,
    )
    return (
        nll(cell, None, trials, threads=1)
        .to_frame()
        .assign(model=type(cell).__name__, kind=str(id(type(cell))), process=os.getpid(), seed=seed)
    )


def numbers(found): return texts({k: f.drop(columns=["kind", "process"]) for k, f in found.items()})


@njit
def toward(q, r, alpha): return q + alpha * (r - q)


class Mine(Cell):
    params, state = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0)), ("q",)
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial):
        state.q[trial.choice] = toward(state.q[trial.choice], trial.reward[trial.choice], p.alpha)


class MyModel(Avoidance):
    params, state = dict(alpha=Param(.3, 0, 1), lapse=Param(.1, 0, .5), temperature=Param(.2, .01, 1)), ("q", "n")
    options = ("bias", "novel")
    def init(p, state): state.q[:] = .1
    def value(p, q): return q
    def learn(p, state, chosen, other, r_chosen, r_other):
        state.n[chosen] += 1.
        state.q[chosen] = toward(state.q[chosen], r_chosen, p.alpha / state.n[chosen])
    def log_odds(p, d): return (1. - p.lapse) * d


for mine in (Mine, MyModel): mine.__module__ = "__main__"  # pickled by value, as a class of a script or a notebook is
for rule in (*Mine.rules.values(), *MyModel.rules.values(), *(p.f for p in MyModel.parts.values()), toward.py_func):
    rule.__module__ = "__main__"


def cells():
    bandit, task = BanditsDrift(), AvoidanceTask(n_learning=4, n_transfer=1)
    here = dict(agent=AgentQ(alpha_reward=.4), equation=rescorla_wagner_equation(.3, 3.), mine=Mine(alpha=.5))
    avoid = dict(
        options=avoidance_model("Hybrid2021+bias+novel", temperature=.2),
        my_model=MyModel(alpha=.4),
        my_options=with_bias(MyModel)(alpha=.2),
        subclass=MyHybrid(mixing_factor=.2),
    )
    return {k: (c, bandit) for k, c in here.items()} | {k: (c, task) for k, c in avoid.items()}


class MyHybrid(type(avoidance_model("Hybrid2021"))):
    def value(p, q, w): return p.mixing_factor * w + (1. - p.mixing_factor) * q


MyHybrid.__module__ = MyHybrid.parts["value"].f.__module__ = "__main__"


@pytest.fixture(scope="module")
def work():
    return {
        f"{name}, seed {seed}": dict(cell=cell, environment=world, seed=seed)
        for name, (cell, world) in cells().items()
        for seed in range(3)
    }


@pytest.fixture(scope="module")
def alone(work): return run_pieces(chance, work)


def check_classes(found):
    "One class of each model in each process, and more than one process"
    frame = pd.concat(found)
    assert (frame.groupby(["process", "model"]).kind.nunique() == 1).all(), "a class was made twice in one process"
    assert frame.process.nunique() == 2 and os.getpid() not in set(frame.process)


def test_threads_and_processes_give_the_same(work, alone, tmp_path):
    assert pd.concat(alone).process.unique().tolist() == [os.getpid()]
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert numbers(run_pieces(chance, work)) == numbers(alone)
    with joblib.parallel_config(backend="loky", n_jobs=2): found = run_pieces(chance, work, folder=tmp_path)
    assert numbers(found) == numbers(alone) and list(found) == list(work)
    check_classes(found)
    assert texts(run_pieces(never, work, folder=tmp_path)) == texts(found)


def test_dask_gives_the_same(work, alone, tmp_path):
    from dask.distributed import Client, LocalCluster
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        # compiling takes a while: those of a script, which a worker has to be taught
        work = {k: v for k, v in work.items() if k.split(",")[0] in ("mine", "my_options")}
        found = run_pieces(chance, work, folder=tmp_path)
        with pytest.raises(RuntimeError, match="the piece 'bad' failed: ZeroDivisionError"):
            run_pieces(chance_or_not, dict(bad=dict(x=0)))
    assert numbers(found) == numbers({k: alone[k] for k in work}) and list(found) == list(work)
    check_classes(found)
    assert texts(run_pieces(never, work, folder=tmp_path)) == texts(found)


def chance_or_not(x): return pd.DataFrame(dict(y=[1 / x]))


def slow_first(x, folder):
    "The first piece waits until all the others are on disk."
    start = time.monotonic()
    while x == 0 and sum(1 for _ in Path(folder, "pieces").glob("*.piece")) < 5:
        assert time.monotonic() - start < 30, "the other pieces are not written as they are finished"
        time.sleep(.01)
    return square(x)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_each_piece_is_written_when_it_is_finished(backend, tmp_path):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = run_pieces(slow_first, {k: v | dict(folder=str(tmp_path)) for k, v in PIECES.items()}, folder=tmp_path)
    assert list(found) == list(PIECES) and texts(found) == texts(run_pieces(square, PIECES))


def fail_early(x):
    if x in (1, 2): raise KeyError(x)
    time.sleep(.3 if x == 0 else .03)
    return square(x)


def test_after_a_failure_pieces_at_work_are_finished_and_no_others_begun(tmp_path):
    pieces = {f"piece {i}": dict(x=i) for i in range(20)}
    with (
        joblib.parallel_config(backend="threading", n_jobs=2),
        warnings.catch_warnings(),
        pytest.raises(RuntimeError, match="'piece 1' failed: KeyError: 1; also failed: 'piece 2'"),
    ):
        warnings.simplefilter("error")
        run_pieces(fail_early, pieces, folder=tmp_path)
    assert _file(tmp_path, "piece 0").exists() and finished(tmp_path) < 15
    with pytest.raises(RuntimeError, match="'piece 1' failed: KeyError: 1\n"): run_pieces(fail_early, pieces)


def fail_last(x):
    if x == 19: raise KeyError("nineteen")
    return square(x)


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_what_was_finished_before_an_error_is_kept(backend, tmp_path):
    "Multiprocessing has no generator and goes in rounds"
    pieces = {str(i): dict(x=i) for i in range(20)}
    with (
        joblib.parallel_config(backend=backend, n_jobs=2),
        pytest.raises(RuntimeError, match="the piece '19' failed: KeyError: 'nineteen'") as e,
    ):
        run_pieces(fail_last, pieces, folder=tmp_path)
    assert "in fail_last" in e.value.__notes__[0]
    assert finished(tmp_path) == 19
    assert texts(run_pieces(lambda x: square(x) if x == 19 else never(), pieces, folder=tmp_path)) == texts(
        run_pieces(square, pieces)
    )


@pytest.mark.parametrize("name", list(cells()))
def test_a_cell_travels(name):
    cell = cells()[name][0]
    twice = [cloudpickle.loads(cloudpickle.dumps(cell)) for _ in range(2)]
    assert type(twice[0]) is type(twice[1]) and twice[0].values == cell.values and repr(twice[0]) == repr(cell)
    # made outside avoidance_model, which has its own class
    if name != "my_options": assert type(twice[0]) is type(cell)


def test_models_that_arrive_are_known_by_name(tmp_path):
    some = [cell for cell, _ in cells().values()]
    (tmp_path/"cells").write_bytes(cloudpickle.dumps([cloudpickle.dumps((c, type(c))) for c in some]))
    code = (
        "import pickle, sys\nfrom spice_rl.models.ready import avoidance_model, avoidance_models\n"
        "twice = [[pickle.loads(b)[0] for b in pickle.loads(open(sys.argv[1], 'rb').read())] for _ in range(2)]\n"
        "assert all(type(a) is type(b) for a, b in zip(*twice))\nmine = [c for c in twice[0] if type(c).__name__ == "
        "'MyModel']\n"
        "assert type(avoidance_model('MyModel')) is type(mine[0]) and not [n for n in avoidance_models() if '+' in "
        "n]\nprint(*map(repr, twice[0]), sep='|')"
    )
    out = subprocess.run([sys.executable, "-c", code, str(tmp_path/"cells")], capture_output=True, text=True)
    assert out.stdout.strip() == "|".join(map(repr, some)), out.stderr


# Two at once, and kill -9

def start(folder, pause):
    child = subprocess.Popen([sys.executable, str(SCRIPT), str(folder), str(pause)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "started\n"
    return child


def finished(folder): return len(list(Path(folder, "pieces").glob("*.piece")))


def test_a_second_run_is_refused_until_the_first_is_dead(tmp_path):
    first = start(tmp_path, .5)
    while not finished(tmp_path): time.sleep(.02)
    pieces = {f"person {i}": dict(seed=i, trials=100) for i in range(20)}
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="another run is at work in .*choose another folder"):
        run_pieces(never, pieces, folder=tmp_path, about=dict(trials=100))
    assert time.monotonic() - begin < 1 and first.poll() is None
    first.kill()
    first.wait()
    run_pieces(lambda seed, trials: square(seed), pieces, folder=tmp_path, about=dict(trials=100))


def test_killed_five_times_the_result_is_the_same(tmp_path):
    "(benchmarks/kills.py does it twenty times)"
    whole = start(tmp_path/"whole", 0).communicate()[0]
    rng, midway, before = random.Random(2026), 0, 0
    for _ in range(5):
        child = start(tmp_path/"killed", .05)
        time.sleep(rng.uniform(0, .15))
        child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        child.wait()
        there = finished(tmp_path/"killed")
        midway, before = midway + (before < there < 20), there
    assert midway >= 2, f"only {midway} of the kills came midway"
    again = start(tmp_path/"killed", 0)
    assert again.communicate()[0] == whole and again.returncode == 0
    files = [{p.name: p.read_bytes() for p in (tmp_path/name/"pieces").iterdir()} for name in ("whole", "killed")]
    assert files[0] == files[1] and len(files[0]) == 20


# What a run is

LONG, OTHER = np.arange(2000), np.r_[np.arange(1000), -1, np.arange(1001, 2000)]


@pytest.mark.parametrize(
    "hold",
    [
        lambda x: [x],
        lambda x: (1, x),
        lambda x: [["a", [x]]],
        lambda x: {"a": [x]},
        lambda x: [{"a": x}],
        lambda x: [SimpleNamespace(a=x)],
        lambda x: SimpleNamespace(a=[x]),
        lambda x: np.array([x, None], object),
        lambda x: [pd.DataFrame(dict(a=x))],
        lambda x: pd.Series([x, "b"]),
        lambda x: [pd.Series(x)],
        lambda x: lambda: x,
    ],
)
def test_what_differs_in_the_middle_is_another_run(hold):
    "Python prints three numbers of a long array at each end"
    assert digest(hold(LONG)) == digest(hold(LONG.copy())) != digest(hold(OTHER))


def test_what_a_run_may_hold():
    assert digest([1, "a", None, .5]) != digest([1, "a", None, .25]) and digest(np.int64(3)) != digest(np.int64(4))
    assert digest({"a", "b"}) == digest({"b", "a"}) != digest({"a"}) and digest([(1,), [2]]) != digest([[1], (2,)])
    assert digest(lambda x: x + 1) != digest(lambda x: x + 2) and digest(lambda x=1: x) != digest(lambda x=2: x)
