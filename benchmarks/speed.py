"""How fast is it? CPU seconds on one thread, every figure beside a named reference in the same run. Run: make bench

Writes results/speed.csv (one row per figure, with the reference and the ratio) and results/fit_profile.csv (where the
time of a fit goes). A fit is network and regression here, and once all that follows by default: refinement, a wide
search and a ceiling beside it. Run it on a quiet machine; it takes about a minute.

`python benchmarks/speed.py loop [PATH]` measures the specialised loop alone and replaces its rows only: each figure
beside the pointer loop of the same build or, with PATH, beside another build of the package (a folder that holds
`spice_rl/`). Both sides run in processes of their own, by turns.

`python benchmarks/speed.py lanes PATH` measures it beside another build that has it, too, for few and for many lanes a
person (a step of a hierarchical fit asks one), and writes results/speed_lanes.csv.

`python benchmarks/speed.py fit` measures networks and the plain engine alone, and replaces their rows only.

`python benchmarks/speed.py wide` measures cells that see, do or get other things (delays, ratings, response times) and
replaces their rows only; `python benchmarks/speed.py wide short` tries that on few people, and writes nothing.
"""
import json
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import cProfile
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path
import numpy as np
import pandas as pd
import torch
from spice_rl import AgentQ, BanditsDrift, Cell, Lanes, Normal, Param, RESCORLA_WAGNER_CONFIG, RescorlaWagnerRNN
from spice_rl import SpiceEstimator, Trials, Wiener, create_dataset, simulate

RESULTS = Path(__file__).parent / 'results'
torch.set_num_threads(1)


def cpu(work, repeats=5):
    "CPU seconds of `work`, the least of some repeats (the first run, which compiles, is not counted)."
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


class ReferenceRNN(torch.nn.Module):
    """The network of autospice 0.1.7, re-stated: for each option a linear layer, a GRU with one unit that starts
    from the value, and a linear layer."""
    def __init__(self):
        super().__init__()
        self.into, self.gru, self.out = torch.nn.Linear(1, 9), torch.nn.GRU(9, 1), torch.nn.Linear(1, 1)

    def forward(self, xs):
        value, logits = torch.full((xs.shape[0], 2), .5), torch.zeros(xs.shape[1], xs.shape[0], 2)
        for t in range(xs.shape[1]):
            action, reward = xs[:, t, :2], xs[:, t, 2:4]
            hidden = self.gru(self.into(reward.reshape(1, -1, 1)), value.reshape(1, -1, 1).contiguous())[1].view(
                -1, 2, 1
            )
            new = torch.clip((value + self.out(hidden).squeeze(-1)) * action, -10, 10)
            value = new + value * (1 - action)
            logits[t] = value
        return logits.transpose(0, 1)


def reference_epoch(dataset):
    "CPU seconds of one epoch of the reference: forward, backward, Adam."
    network = ReferenceRNN()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    xs, ys = torch.nan_to_num(dataset.xs), torch.nan_to_num(dataset.ys)

    def epoch():
        optimizer.zero_grad()
        loss = -(torch.log_softmax(network(xs), -1) * ys).sum() / ys.sum()
        loss.backward()
        optimizer.step()
    return cpu(epoch)


def fit_times(rows):
    dataset, _, _ = create_dataset(AgentQ(alpha_reward=.3), BanditsDrift(.2), n_trials=100, n_sessions=100, seed=0)
    def fit(**more):
        settings = dict(learning_rate=1e-2, epochs=1024, refine=False, wide=False) | more
        return SpiceEstimator(RescorlaWagnerRNN, RESCORLA_WAGNER_CONFIG, **settings).fit(dataset.xs, dataset.ys)
    ours, epoch = cpu(fit, 3), reference_epoch(dataset)
    rows.append(dict(what='the same, refined, with a wide search and a ceiling beside it (as by default)',
                     ours=cpu(lambda: fit(refine=True, wide=True), 3), unit='CPU s',
                     reference='the first network and equation alone', theirs=ours))
    rows.append(
        dict(
            what="the tutorial's fit (3 starts, network and equation)",
            ours=ours,
            unit='CPU s',
            reference='autospice network re-stated in eager torch, 1024 epochs of Adam, 1 start',
            theirs=1024 * epoch,
        )
    )
    profile = cProfile.Profile()
    estimator = profile.runcall(fit)
    passes = int(estimator.training_.table.passes.iloc[0])
    rows.append(
        dict(
            what=f'one pass over the data (3 starts; {passes} passes in the fit)',
            ours=1e3 * ours / passes,
            unit='CPU ms',
            reference='one epoch of the reference (1 start)',
            theirs=1e3 * epoch,
        )
    )
    stats = pstats.Stats(profile)
    total = stats.total_tt
    shares = {}
    for (file, _, name), (_, _, own, _, _) in stats.stats.items():
        group = (
            'compiled step (forward and backward)'
            if name in ('_forward', '_backward')
            else "torch's backward engine"
            if 'run_backward' in name
            else "moving between torch and numpy"
            if name
            in (
                "<method 'numpy' of 'torch._C.TensorBase' objects>",
                "<method 'detach' of 'torch._C.TensorBase' objects>",
            )
            else 'other torch operations'
            if 'torch' in name or 'torch' in file
            else 'Python of the network and the optimiser'
            if 'spice_rl' in file
            else 'regression, likelihoods, the rest'
        )
        shares[group] = shares.get(group, 0) + own / total
    pd.Series(shares, name='share').sort_values(ascending=False).rename_axis('where').round(3).to_csv(
        RESULTS / 'fit_profile.csv'
    )


class QLearning(Cell):
    "Two-parameter Q-learning, as a user writes it."
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 50))
    state = 'q',
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial):
        c = trial.choice
        state.q[c] += p.alpha * (trial.reward[c] - state.q[c])


def plain_nll(alpha, beta, choice, reward):
    "The same likelihood as a plain loop over trials in numpy."
    total, n = 0., len(choice)
    for start in range(0, n, 100):
        q = np.full(2, .5)
        for t in range(start, start + 100):
            x, c = beta * q, choice[t]
            total += np.log(np.exp(x - x.max()).sum()) + x.max() - x[c]
            q[c] += alpha * (reward[t] - q[c])
    return total


def torch_nll(alpha, beta, choice, reward):
    "All sessions in one torch batch, a loop over trials: choice and reward (sessions, trials)."
    q, total, rows = torch.full((len(choice), 2), .5), 0., torch.arange(len(choice))
    for t in range(choice.shape[1]):
        c = choice[:, t]
        total = total - torch.log_softmax(beta * q, 1)[rows, c].sum()
        q = q.clone()
        q[rows, c] += alpha * (reward[:, t] - q[rows, c])
    return total


def engine_times(rows):
    cell, task = QLearning(), BanditsDrift(.2)
    trials = simulate(cell, task, people=100, n_trials=100, seed=0)
    reward = trials.reward[np.arange(trials.n_trials), trials.choice]
    lanes, theta, who = Lanes(cell, trials, threads=1), np.tile([.3, 3.], (100, 1)), np.arange(100)
    t_choice = torch.tensor(trials.choice).reshape(100, 100)
    t_reward = torch.tensor(reward, dtype=torch.float32).reshape(100, 100)
    values = [
        lanes.nll(theta, who).sum(),
        plain_nll(.3, 3., trials.choice, reward),
        float(torch_nll(.3, 3., t_choice, t_reward)),
    ]
    assert np.allclose(values, values[0], rtol=1e-5), values
    ours = cpu(lambda: [lanes.nll(theta, who) for _ in range(20)]) / 20
    for name, work in {
        'plain numpy loop': lambda: plain_nll(.3, 3., trials.choice, reward),
        'torch, all sessions in a batch, loop over trials': lambda: torch_nll(.3, 3., t_choice, t_reward),
    }.items():
        rows.append(
            dict(
                what='likelihood of Q-learning, 100 people × 100 trials',
                ours=1e9 * ours / 1e4,
                unit='ns a trial',
                reference=name,
                theirs=1e9 * cpu(work, 3) / 1e4,
            )
        )
    many = cpu(lambda: simulate(cell, task, people=1000, n_trials=1000, seed=0, threads=1), 3)
    plain = cpu(lambda: plain_simulation(20_000), 3) / 20_000
    rows.append(
        dict(
            what='simulation of Q-learning in BanditsDrift, 1000 people × 1000 trials',
            ours=1e9 * many / 1e6,
            unit='ns a trial',
            reference='plain numpy loop',
            theirs=1e9 * plain,
        )
    )


def plain_simulation(n):
    "The same simulation as a plain loop."
    rng = np.random.default_rng(0)
    q, p = np.full(2, .5), rng.random(2)
    for _ in range(n):
        c = int(rng.random() < 1 / (1 + np.exp(-3 * (q[1] - q[0]))))
        r = float(rng.random() < p[c])
        q[c] += .3 * (r - q[c])
        p = np.clip(p + rng.normal(0, .2, 2), 0, 1)


LANES = """
import json, sys, time
import numpy as np
from spice_rl import AgentQ, BanditsDrift, Lanes, RescorlaWagner, avoidance_model, simulate
from spice_rl import AvoidanceTask
out = {}
for name in sys.argv[1:]:
    cell = {'RescorlaWagner': RescorlaWagner, 'AgentQ': AgentQ}.get(name, lambda: avoidance_model(name))()
    task = dict(environment=BanditsDrift(), n_trials=200)
    if hasattr(cell, 'parts'): task = dict(environment=AvoidanceTask())
    trials, rng = simulate(cell, people=20, seed=0, **task), np.random.default_rng(1)
    low, high = ([max(-10, min(10, getattr(p, end))) for p in cell.params.values()] for end in ('lower', 'upper'))
    theta, who = rng.uniform(low, high, (20 * 64, len(low))), np.repeat(np.arange(20), 64)
    lanes = Lanes(cell, trials, 1)
    for what in 'nll', 'scoring':
        work, times = getattr(lanes, what), []
        work(theta, who)
        for _ in range(7):
            began = time.process_time()
            work(theta, who)
            times.append(time.process_time() - began)
        out[f'{name} {what}'] = 1e9 * min(times) / len(who) / lanes.n_rows
print(json.dumps(out))
"""
FEW_AND_MANY = """
import json, sys, time
import numpy as np
from spice_rl import AgentQ, BanditsDrift, GQL, Lanes, RescorlaWagner, simulate
out = {}
for cell in RescorlaWagner(), AgentQ(), GQL():
    trials = simulate(cell, BanditsDrift(), people=50, n_trials=200, seed=0)
    own = np.array([p.default for p in cell.params.values()])
    for n in 1, 4, 32:
        who = np.repeat(np.arange(50), n)
        theta, times = own * np.random.default_rng(1).uniform(.8, 1.1, (len(who), len(own))), []
        lanes = Lanes(cell, trials, 1)
        lanes.scoring(theta, who)
        for _ in range(30 if n < 32 else 5):
            began = time.process_time()
            lanes.scoring(theta, who)
            times.append(time.process_time() - began)
        out[f'{type(cell).__name__} {n}'] = 1e9 * min(times) / len(who) / lanes.n_rows
print(json.dumps(out))
"""
FIRST = """
import json, sys, time
from spice_rl import BanditsDrift, RescorlaWagner, nll, simulate, fit
if sys.argv[1] == 'first call':
    import numpy as np
    from spice_rl import Trials
    rng = np.random.default_rng(0)
    trials = Trials.from_arrays(rng.integers(0, 2, 200), rng.integers(0, 2, 200).astype(float))
    work = lambda: nll(RescorlaWagner(), trials=trials)
else:
    trials = simulate(RescorlaWagner(), BanditsDrift(), people=50, n_trials=200, seed=0, threads=1)
    work = lambda: fit(RescorlaWagner(), trials, threads=1)
    if sys.argv[1] == 'fit, later': work()
began = time.process_time()
work()
print(json.dumps({sys.argv[1]: time.process_time() - began}))
"""
RECOVERY = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import wilson_collins
from spice_rl import model_recovery, simulate_people
nb = wilson_collins.notebook()
data = simulate_people(nb['models'], nb['arms'], people=10, draw=nb['prior'](0), n_trials=1000, seed=0, threads=1)
began = time.process_time()
found = model_recovery(nb['models'], data, threads=1)
print(json.dumps({'recovery': time.process_time() - began}))
"""


def measured(script, arguments, path, how, cache):
    "What a script prints in a process of its own, with the build in `path`."
    env = os.environ | dict(PYTHONPATH=str(path), SPICE_RL_COMPILE=how, NUMBA_CACHE_DIR=cache)
    done = subprocess.run(
        [sys.executable, '-c', script, *arguments], env=env, cwd=path, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def loop_times(rows, other=None):
    "The specialised loop beside the pointer loop, or beside another build."
    here = Path(__file__).resolve().parents[1]
    there = Path(other).resolve() if other else Path(__file__).resolve().parents[1]
    reference = 'the build before it' if other else 'the pointer loop'
    models = [
        'RescorlaWagner',
        'AgentQ',
        'QLearning',
        'ActorCritic',
        'Relative',
        'Advantage',
        'Hybrid2012',
        'StandardHybrid2012',
        'Hybrid2021',
        'StandardHybrid2021',
    ]
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        best = [{}, {}]
        for turn in range(2):
            for side, (path, how, cache) in zip(best, ((here, 'now', ours), (there, 'pointers', theirs))):
                for what, ns in measured(LANES, models, path, how, cache).items():
                    side[what] = min(ns, side.get(what, np.inf))
        said = dict(nll='likelihood', scoring='likelihood, gradient and information')
        for what, ns in best[0].items():
            name, kind = what.split()
            rows.append(
                dict(
                    what=f'{said[kind]} of {name}, 64 lanes a person',
                    ours=ns,
                    unit='ns a trial and lane',
                    reference=reference,
                    theirs=best[1][what],
                )
            )
        for name, script, arguments, repeats in (
            ('first call', FIRST, ['first call'], 5),
            ('fit, first in a process', FIRST, ['fit'], 3),
            ('fit, later', FIRST, ['fit, later'], 3),
            ('recovery', RECOVERY, [str(here / 'benchmarks')], 1),
        ):
            # what is kept on disk is there
            measured(script, arguments, here, 'now', ours), measured(script, arguments, there, 'pointers', theirs)
            times = [
                [next(iter(measured(script, arguments, *side).values())) for _ in range(repeats)]
                for side in ((here, 'auto', ours), (there, 'pointers', theirs))
            ]
            what = {
                'first call': 'first likelihood in a process, RescorlaWagner, one person, loops on disk',
                'recovery': 'recovery of Wilson & Collins, 50 data sets × 5 models',
            }.get(name, f'{name}: RescorlaWagner, 50 people × 200 trials')
            rows.append(dict(what=what, ours=min(times[0]), unit='CPU s', reference=reference, theirs=min(times[1])))
        cold = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as empty:
                # the package's own loops
                subprocess.run(
                    [sys.executable, '-c', 'import spice_rl.core.engine'],
                    env=os.environ | dict(PYTHONPATH=str(here), NUMBA_CACHE_DIR=empty),
                    check=True,
                )
                cold.append(next(iter(measured(FIRST, ['first call'], here, 'auto', empty).values())))
        rows.append(
            dict(
                what='first likelihood in a process, RescorlaWagner, one person, nothing on disk',
                ours=min(cold),
                unit='CPU s',
                reference=reference,
                theirs=rows[-4]['theirs'],
            )
        )


def few_and_many(other):
    """Likelihood, gradient and information of few and of many lanes a person, beside another build: ns a trial and
    lane, by turns."""
    best = [{}, {}]
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        for turn in range(3):
            for side, path, cache in zip(
                best, (Path(__file__).resolve().parents[1], Path(other).resolve()), (ours, theirs)
            ):
                for what, ns in measured(FEW_AND_MANY, [], path, 'now', cache).items():
                    side[what] = min(ns, side.get(what, np.inf))
    table = pd.DataFrame(
        [
            dict(
                model=what.split()[0],
                lanes=int(what.split()[1]),
                ours=ns,
                before=best[1][what],
                ratio=best[1][what] / ns,
            )
            for what, ns in best[0].items()
        ]
    )
    table.to_csv(RESULTS / 'speed_lanes.csv', index=False, float_format='%.4g')
    print(table.round(2).to_string())


WIDE = 'plain numpy, trial by trial'   # the reference of cells with columns of their own


class Hyperbolic(Cell):
    "Delay discounting."
    params = dict(k=Param(.05, 0, 1), beta=Param(1, 0, 10))
    sees = 'amount', 'delay'
    def logit(p, state, trial, option): return p.beta * trial.amount[option] / (1 + p.k * trial.delay[option])


class Rating(Cell):
    "A rating that follows outcomes."
    params = dict(alpha=Param(.3, 0, 1), sigma=Param(8, .5, 40))
    does, gets, state = 'rating', 'outcome', dict(mean=1)
    def init(p, state): state.mean[0] = 50
    def response(p, state, trial): return Normal(state.mean[0], p.sigma)
    def update(p, state, trial): state.mean[0] += p.alpha * (trial.outcome - state.mean[0])


class DiffusionQ(Cell):
    "Reinforcement learning with response times."
    params = dict(alpha=Param(.1, 0, 1), v=Param(2, -10, 10), a=Param(1.5, .3, 6), t0=Param(.1, 0, 1))
    does, state = ('choice', 'rt'), 'q'
    def response(p, state, trial): return Wiener(p.v * (state.q[1] - state.q[0]), p.a, .5, p.t0)
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


def plain_hyperbolic(p, t):
    total = 0.
    for c, amount, delay in zip(t.choice, t.columns['amount'], t.columns['delay']):
        x = p[1] * amount / (1 + p[0] * delay)
        total += np.log(np.exp(x - x.max()).sum()) + x.max() - x[c]
    return total


def plain_rating(p, t):
    mean, total = 50., 0.
    for y, outcome in zip(t.columns['rating'], t.columns['outcome']):
        total += .5 * ((y - mean) / p[1])**2 + np.log(p[1]) + .5 * np.log(2 * np.pi)
        mean += p[0] * (outcome - mean)
    return total


def plain_diffusion(p, t):
    "The density of Navarro and Fuss (2009, J Math Psychol 53, 222-230): of both series the one for the time."
    (alpha, v, a, t0), q, total = p, np.zeros(2), 0.
    k = np.arange(-5, 6)
    for c, reward, rt in zip(t.choice, t.reward, t.columns['rt']):
        drift, w, s = v * (q[1] - q[0]) * (-1 if c else 1), .5, rt - t0
        u = s / a**2
        if u < .3: series = ((w + 2 * k) * np.exp(-(w + 2 * k)**2 / (2 * u))).sum() / np.sqrt(2 * np.pi * u**3)
        else: series = np.pi * (k[6:] * np.exp(-k[6:]**2 * np.pi**2 * u / 2) * np.sin(k[6:] * np.pi * w)).sum()
        total -= np.log(series) - drift * a * w - drift**2 * s / 2 - 2 * np.log(a)
        q[c] += alpha * (reward[c] - q[c])
    return total


def wide_times(rows, people=20, n_trials=200):
    "Cells with columns of their own: nanoseconds a trial and lane, 64 lanes a person, beside a plain loop of one lane."
    rng, n = np.random.default_rng(0), people * n_trials
    who, outcome = np.repeat(range(people), n_trials), rng.normal(50, 10, n)
    choice, reward = rng.integers(0, 2, n), rng.integers(0, 2, (n, 2)).astype(float)
    offers = Trials.from_arrays(
        choice, reward, who, sees=dict(amount=rng.uniform(1, 6, (n, 2)), delay=rng.uniform(0, 20, (n, 2)))
    )
    rated = Trials.from_arrays(
        None, None, who, does=dict(rating=outcome + rng.normal(0, 8, n)), gets=dict(outcome=outcome)
    )
    timed = Trials.from_arrays(choice, reward, who, does=dict(rt=.15 + rng.exponential(.5, n)))
    for what, cell, trials, plain in (
        ('delay discounting', Hyperbolic(), offers, plain_hyperbolic),
        ('rating', Rating(), rated, plain_rating),
        ('diffusion with Q-learning', DiffusionQ(), timed, plain_diffusion),
    ):
        p, alone = np.array(list(cell.values.values()), float), trials.take(participants=[0])
        lanes, many = Lanes(cell, trials, threads=1), np.repeat(np.arange(people), 64)
        theta, k = np.tile(p, (len(many), 1)), len(p)
        assert np.isclose(lanes.nll(p[None], [0])[0], plain(p, alone), rtol=1e-10)
        theirs = 1e9 * cpu(lambda: plain(p, alone), 3) / n_trials
        for kind, work, times in (
            ('likelihood', lambda: lanes.nll(theta, many), 1),
            ('likelihood, gradient and information', lambda: lanes.scoring(theta, many), k + 1),
        ):
            rows.append(
                dict(
                    what=f'{kind} of {what}, 64 lanes a person',
                    ours=1e9 * cpu(work) / len(many) / n_trials,
                    unit='ns a trial and lane',
                    reference=WIDE,
                    theirs=times * theirs,
                )
            )


def replaced(new, old_rows):
    "Put new rows in the place of those that `old_rows` picks from the recorded table, and show them."
    new, old = pd.DataFrame(new), pd.read_csv(RESULTS / 'speed.csv')
    new['ratio'] = new.theirs / new.ours
    pd.concat([old[~old_rows(old)], new]).to_csv(RESULTS / 'speed.csv', index=False, float_format='%.4g')
    print(new.round(3).to_string())


def only_wide(short):
    "Replace the rows of cells with columns of their own, or print those of few people."
    rows = []
    wide_times(rows, *((2, 50) if short else ()))
    if short: return print(pd.DataFrame(rows).round(3).to_string())
    replaced(rows, lambda old: old.reference == WIDE)


def only_loops(other):
    "Replace the rows of the specialised loop in the recorded results."
    rows = []
    loop_times(rows, other)
    replaced(rows, lambda old: old.reference.isin(['the pointer loop', 'the build before it']))


def only_fits():
    "Replace the rows of networks and of the plain engine."
    rows = []
    fit_times(rows)
    engine_times(rows)
    mine = {row['what'] for row in rows}
    replaced(rows, lambda old: old.what.isin(mine) | old.what.str.startswith('one pass over the data'))


def main():
    if sys.argv[1:2] == ['loop']: return only_loops(*(sys.argv[2:] or [None]))
    if sys.argv[1:2] == ['lanes']: return few_and_many(sys.argv[2])
    if sys.argv[1:2] == ['fit']: return only_fits()
    if sys.argv[1:2] == ['wide']: return only_wide(sys.argv[2:] == ['short'])
    rows = []
    fit_times(rows)
    engine_times(rows)
    loop_times(rows)
    wide_times(rows)
    table = pd.DataFrame(rows)
    table['ratio'] = table.theirs / table.ours
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / 'speed.csv', index=False, float_format='%.4g')
    print(table.round(3).to_string())


if __name__ == '__main__': main()
