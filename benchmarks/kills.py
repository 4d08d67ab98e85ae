"""Is it the old result or the new one, wherever a writer is killed? Twenty SIGKILLs for each writer. Run: python
benchmarks/kills.py

Every writer writes a second result over a first one and is killed before a change of the file system, ten times
anywhere, ten times in the last third, where files are moved (seed 0), and five times in the middle of writing a file.
After each kill the folder is compared bit for bit, as somebody sees it who lists it, and again after it was opened.
`mixed` counts folders that show files of two runs, or a record without its result; `opened_*` what is there once the
folder is opened. Then two runs are let loose on one folder. Writes results/kills.csv; some minutes. Needs a system with
fork.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from tqdm import tqdm
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tests'))
from killing import files, hidden, in_a_fork, verdict
from spice_rl import AgentQ, BanditsDrift, Pipeline, SpiceEstimator, avoidance_tutorial_files, fit, plot_equation
from spice_rl import rescorla_wagner_equation, run_pieces, save_figure, simulate, write_discovery, write_report
from spice_rl.core.folders import FolderHeld, held
from spice_rl.core.pieces import _to_text

RESULTS, KILLS = Path(__file__).parent / 'results', 20


def discovery(seed, alpha):
    trials = simulate(AgentQ(alpha_reward=alpha, beta_reward=3.), BanditsDrift(), people=4, n_trials=60, seed=seed)
    data = trials.to_dataset()
    return SpiceEstimator(starts=1, epochs=60).fit(data.xs, data.ys), trials


def pipeline(folder, models, **change):
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    frames = [f[f.participant_id.isin(['s01', 's02', 's16', 's17'])].reset_index(drop=True) for f in frames]
    arguments = dict(
        mode='fit',
        learning_filename=frames[0],
        transfer_filename=frames[1],
        models=models,
        number_of_runs=1,
        output_dir=folder,
    )
    return Pipeline(seed=1).run(**(arguments | (dict(simulations=2) if 'mode' not in change else {}) | change))


def square(x): return pd.DataFrame(dict(x=[x], y=[x * x / 3]))


def pieces(folder, n): return run_pieces(square, {f'piece {i}': dict(x=i) for i in range(n)}, folder=folder)


def drawn(alpha, path):
    "A figure made for this file: one that was saved before may be laid out a little otherwise."
    figure, _ = plot_equation(rescorla_wagner_equation(alpha, 3))
    save_figure(figure, path)
    plt.close(figure)


def writers(base):
    "{name: (first run, second run, record)}: each run takes a folder."
    (a, ta), (b, tb) = discovery(1, .3), discovery(2, .8)
    people = simulate(AgentQ(), BanditsDrift(), people=20, n_trials=30, seed=1)
    one, two = (fit(AgentQ(alpha_reward=x), people, starts=1, threads=1) for x in (.3, .3))
    two.table.nll += 1
    validation = dict(mode='validation', recovery='parameter', random_params=False)
    write_discovery(a, ta, base / 'of which the page is')
    return {
        'write_discovery':
            (lambda f: write_discovery(a, ta, f), lambda f: write_discovery(b, tb, f), 'run_DISCOVER.json'),
        'Pipeline, fit':
            (lambda f: pipeline(f, ['QLearning']), lambda f: pipeline(f, ['QLearning', 'Advantage']), 'run_FIT.json'),
        'Pipeline, validation':
            (
                lambda f: pipeline(f, ['QLearning'], **validation),
                lambda f: pipeline(f, ['Advantage'], **validation),
                'run_PARAMETER.json',
            ),
        'write_report':
            (
                lambda f: (
                    shutil.copytree(base / 'of which the page is', f, dirs_exist_ok=True),
                    (f / 'report.html').write_text('old'),
                ),
                write_report,
                None,
            ),
        'to_csv': (lambda f: one.to_csv(f / 'fits.csv'), lambda f: two.to_csv(f / 'fits.csv'), None),
        'save_figure, PDF': (lambda f: drawn(.3, f / 'a.pdf'), lambda f: drawn(.6, f / 'a.pdf'), None),
        'save_figure, PNG': (lambda f: drawn(.3, f / 'a.png'), lambda f: drawn(.6, f / 'a.png'), None)}


def looked_at(folder, old, new, record):
    "What somebody sees, and what is there when the folder has been opened; 'mixed' if it is of two runs."
    seen = files(folder)
    first = 'old' if seen == old else 'new' if seen == new else 'unfinished'
    try: return first, verdict(folder, old, new, record)
    except AssertionError as e: return first, f'mixed: {e}'


def killed(name, first, second, record, base):
    for label, runs in dict(old=[first], new=[first, second]).items():
        (base / label).mkdir(parents=True)
        for run in runs: run(base / label)
    old, new = files(base / 'old'), files(base / 'new')
    assert old != new, name

    def again():
        "A folder that holds the first result."
        shutil.rmtree(base / 'x', ignore_errors=True)
        shutil.copytree(base / 'old', base / 'x')
        return base / 'x'

    x = again()
    ended, n = in_a_fork(lambda: second(x), x)
    assert ended == 'done' and files(x) == new, (name, ended)
    rng, out = np.random.default_rng(0), []
    points = [*rng.integers(0, n, KILLS // 2), *rng.integers(2 * n // 3, n, KILLS // 2)]
    largest = max(p.stat().st_size for p in (base / 'new').rglob('*') if p.is_file())
    for stop in [*(dict(at=int(k)) for k in points), *(dict(size=int(s)) for s in rng.integers(1, largest, 5))]:
        x = again()
        if in_a_fork(lambda: second(x), x, **stop)[0] == 'killed': out.append(looked_at(x, old, new, record))
    t = pd.DataFrame(out, columns=['seen', 'opened'])
    return dict(
        writer=name,
        changes=n,
        kills=len(t),
        **{f'seen_{w}': int((t.seen == w).sum()) for w in ('old', 'new', 'unfinished')},
        **{f'opened_{w}': int((t.opened == w).sum()) for w in ('old', 'new')},
        mixed=int(t.opened.str.startswith('mixed').sum()),
        second_run=second_run(again(), second),
    )


def second_run(folder, run):
    "What a run says in a folder in which another one is at work."
    with held(folder, what='a first run'):
        try: run(folder)
        except FolderHeld: return 'refused'
    return 'whole' # single files need no lock: each is written at once, and the last one stays


def killed_pieces(base):
    "Pieces: every one that is there is whole, and the next run comes to the same result."
    whole, rng, resumed = {k: _to_text(f) for k, f in pieces(base / 'whole', 12).items()}, np.random.default_rng(0), 0
    ended, n = in_a_fork(lambda: pieces(base / 'count', 12), base / 'count')
    for at in rng.integers(0, n, KILLS):
        shutil.rmtree(base / 'x', ignore_errors=True)
        assert in_a_fork(lambda: pieces(base / 'x', 12), base / 'x', at=int(at))[0] == 'killed'
        bad = [
            p
            for p in (base / 'x').rglob('[!.]*.piece')
            if p.read_bytes() != (base / 'whole/pieces' / p.name).read_bytes()
        ]
        with warnings.catch_warnings():
            warnings.simplefilter('error')   # a damaged piece would be said
            resumed += (
                not bad
                and {k: _to_text(f) for k, f in pieces(base / 'x', 12).items()} == whole
                and not hidden(base / 'x')
            )
    try:
        with held(base / 'x', lock='run.lock'): pieces(base / 'x', 12)
    except FolderHeld: said = 'refused'
    return dict(
        writer='run_pieces',
        changes=n,
        kills=KILLS,
        opened_new=int(resumed),
        mixed=KILLS - int(resumed),
        second_run=said,
    )


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    tqdm.monitor_interval = 0   # no second thread: a fork of a process with threads may wait for ever
    base, rows = Path(tempfile.mkdtemp()), []
    for i, (name, (first, second, record)) in enumerate(writers(base).items()):
        began = time.perf_counter()
        rows.append(killed(name, first, second, record, base / str(i)))
        print(rows[-1], f'{time.perf_counter() - began:.0f} s', flush=True)
    rows.append(killed_pieces(base / 'pieces'))
    table = pd.DataFrame(rows)
    counts = [c for c in table if c not in ('writer', 'second_run')]
    table[counts] = table[counts].astype('Int64')
    table.to_csv(RESULTS / 'kills.csv', index=False)
    print(table.to_string())
    shutil.rmtree(base)
    if table.mixed.any(): sys.exit('a kill left a mixture')
