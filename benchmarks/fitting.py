"""Fits of the avoidance models to the tutorial's 15 people (../shared/data): are the optima found, at what price, and how long does the first fit wait?

`python benchmarks/fitting.py [optima|speed]` writes results/fitting_optima.csv, results/fitting_speed.csv; without a word it does both. CPU seconds on one thread."""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from spice_rl import Lanes, Pipeline, avoidance_model, fit, fixed_priors, read_avoidance
from spice_rl.fitting import _anywhere, _Descent, _Objective

SHARED, RESULTS = Path(__file__).resolve().parents[2] / 'shared/data', Path(__file__).parent / 'results'
FILES = SHARED / 'tutorial_learning_data.csv', SHARED / 'tutorial_transfer_data.csv'
# mean NLL a person of the best known solutions, from hundreds of starts, differential evolution and a polish (shared/SPEC_RL.md)
KNOWN = {'QLearning+novel': 196.179, 'ActorCritic+novel': 168.538, 'Relative+novel': 172.402, 'Advantage+novel': 170.922, 'Hybrid2012+novel': 158.044, 'Hybrid2021+novel': 156.162, 'StandardHybrid2012+novel': 185.226}
# CPU seconds of one fit of the reference: its own likelihood, scipy's L-BFGS-B, one start (the issue, measured there)
REFERENCE = {'QLearning+novel': 1.6, 'ActorCritic+novel': 4.3, 'Advantage+novel': 2.8, 'Relative+novel': 4.4, 'Hybrid2012+novel': 13.7, 'Hybrid2021+novel': 19.5}
MODELS = [*KNOWN, 'StandardHybrid2021+novel', *[f'{m}+bias+novel' for m in ('ActorCritic', 'Hybrid2012', 'Hybrid2021', 'StandardHybrid2012', 'StandardHybrid2021')]]


def objective(name, trials):
    cell = avoidance_model(name)
    return _Objective(cell, trials, {n: (p.lower, p.upper) for n, p in cell.params.items()}, {}, {}, 1)


def single_starts(name, trials, n):
    "Uniform starts, each brought to its own end: values (people, starts) and CPU seconds."
    o, people = objective(name, trials), trials.n_participants
    x = np.concatenate([_anywhere(o, n, np.random.default_rng([7, i])) for i in range(people)])
    o.scoring(x[:1], [0])
    start = time.process_time()
    d = _Descent(o, x, np.repeat(np.arange(people), n))
    d.run(np.arange(len(x)), 200, 1e-3)
    return d.v.reshape(people, n), time.process_time() - start


def optima(trials):
    "Default fits with two seeds: is one ever worse than the other, or than what is known?"
    rows = []
    for name in MODELS:
        found, cpu = [], []
        for seed in (0, 1):
            start = time.process_time()
            found.append(fit(avoidance_model(name), trials, seed=seed, threads=1))
            cpu.append(time.process_time() - start)
        v, t = np.array([f.nll for f in found]), found[0].table
        singles, _ = single_starts(name, trials, 40)
        best = np.minimum(v.min(0), singles.min(1))
        rows.append(dict(model=name, mean_nll=v[0].mean(), known_mean=KNOWN.get(name), best_of_all=best.mean(), missed_seed_0=int((v[0] > best + .01).sum()), missed_seed_1=int((v[1] > best + .01).sum()), worst_miss=(v - best).max(),
                         starts_a_person=t.starts.mean(), most_starts=t.starts.max(), share_of_single_starts_at_best=(singles < best[:, None] + .01).mean(), cpu_s=cpu[-1], no_two_starts_agree=int((t.agree < 2).sum()), not_converged=int((~t.converged).sum())))
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / 'fitting_optima.csv', index=False, float_format='%.6g')


def plain_fit(trials, who):
    "Q-learning in plain numpy with scipy's L-BFGS-B: what most people would write."
    one = trials.take(participants=[who])
    rows = list(zip(one.offer[:, :2].tolist(), (one.choice == one.offer[:, 0]).tolist(), one.reward.tolist()))
    def nll(p):
        q, total = np.zeros(9), 0.
        q[8] = p[3]
        for (a, b), first, r in rows:
            d = (q[a] - q[b]) / p[2] * (1 if first else -1)
            total += np.logaddexp(0, -d)
            if r[a] == r[a]:
                q[a] += (p[0] if first else p[1]) * (r[a] - q[a])
                q[b] += (p[1] if first else p[0]) * (r[b] - q[b])
        return total
    start = time.process_time()
    minimize(nll, [.28, .18, .06, 0.], method='L-BFGS-B', bounds=[(.01, .99), (.01, .99), (.01, 1), (-1, 1)])
    return time.process_time() - start


FIRST_FIT = """
import time; start = time.process_time()
from spice_rl import avoidance_model, avoidance_tutorial_files, fit, read_avoidance
trials = read_avoidance(*avoidance_tutorial_files())
loaded = time.process_time()
fit(avoidance_model('QLearning+novel'), trials.take(participants=['s01']), threads=1)
first = time.process_time()
fit(avoidance_model('QLearning+novel'), trials.take(participants=['s01']), threads=1)
print(loaded - start, first - loaded, time.process_time() - first)
"""


def speed(trials):
    rows = [dict(what='one start of QLearning+novel: plain numpy and L-BFGS-B', cpu_s=np.mean([plain_fit(trials, who) for who in trials.participants[:5]]))]
    for name, theirs in REFERENCE.items():
        cpu = min(single_starts(name, trials, 40)[1] / (40 * trials.n_participants) for _ in range(3))
        rows.append(dict(what=f'one start of {name}', cpu_s=cpu, fits_a_second=1 / cpu, reference_s=theirs, ratio=theirs / cpu))
        o = objective(name, trials)
        x, who = _anywhere(o, 3000, np.random.default_rng(0)), np.arange(3000) % trials.n_participants
        o.value(x[:1], who[:1])
        best = np.inf
        for _ in range(5):
            start = time.process_time()
            o.value(x, who)
            best = min(best, time.process_time() - start)
        rows.append(dict(what=f'one likelihood of {name} (480 trials)', cpu_s=best / 3000))
    models = ['QLearning+novel', 'ActorCritic+novel', 'Advantage+novel']
    start = time.process_time()
    Pipeline(seed=1251).run(mode='fit', learning_filename=FILES[0], transfer_filename=FILES[1], models=models, random_params='normal', fixed=fixed_priors(models), output_dir=tempfile.mkdtemp())
    cpu = time.process_time() - start
    rows.append(dict(what='the tutorial: 3 models, 15 people, all files and figures', cpu_s=cpu, reference_s=186., ratio=186 / cpu))
    with tempfile.TemporaryDirectory() as cache:
        for when in ('fresh environment', 'second time'):
            said = subprocess.run([sys.executable, '-c', FIRST_FIT], env=os.environ | dict(NUMBA_CACHE_DIR=cache), capture_output=True, text=True, check=True).stdout.split()
            for what, s in zip(('import and read', 'first fit of one person', 'the same fit again'), said): rows.append(dict(what=f'{when}: {what}', cpu_s=float(s)))
    frame = pd.DataFrame(rows)
    frame.to_csv(RESULTS / 'fitting_speed.csv', index=False, float_format='%.6g')
    print(frame.to_string())


if __name__ == '__main__':
    if not FILES[0].is_file(): sys.exit(print(f"{FILES[0]} is not here: nothing done"))   # status 0: the others go on
    data = read_avoidance(*FILES)
    if 'speed' in sys.argv or len(sys.argv) == 1: speed(data)
    if 'optima' in sys.argv or len(sys.argv) == 1: optima(data)
