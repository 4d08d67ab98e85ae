"""Fits of the avoidance models to the tutorial's 15 people (../shared/data): are the optima found, at what price, and
how long does the first fit wait?

`python benchmarks/fitting.py [optima|speed|avoidance|people|cases]` writes results/fitting_….csv; without a word it
does all. CPU seconds on one thread. `avoidance`: eight models and options, one seed (SEEDS says how many), against
the best totals that are known; `people`: twelve parameters a person (GQL, Dezfouli et al., 2019) on real people, at
ordinary effort and at twice that, and six parameters pooled over 70,000 choices; `cases`: people whose likelihood
has no single best point. BEFORE=/path/to/an/older/build times the same there, where there is a column for it."""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from spice_rl import Cell, Lanes, Param, Pipeline, RescorlaWagner, Trials, avoidance_model, fit, fixed_priors
from spice_rl import read_avoidance, read_trials
from spice_rl.inference.descent import _anywhere, _Descent, _Objective

SHARED, RESULTS = Path(__file__).resolve().parents[2] / 'shared/data', Path(__file__).parent / 'results'
FILES = SHARED / 'tutorial_learning_data.csv', SHARED / 'tutorial_transfer_data.csv'
# mean NLL a person of the best known solutions, from hundreds of starts, differential evolution and a polish
# (shared/SPEC_RL.md)
KNOWN = {
    'QLearning+novel': 196.179,
    'ActorCritic+novel': 168.538,
    'Relative+novel': 172.402,
    'Advantage+novel': 170.922,
    'Hybrid2012+novel': 158.044,
    'Hybrid2021+novel': 156.162,
    'StandardHybrid2012+novel': 185.226,
}
# CPU seconds of one fit of the reference: its own likelihood, scipy's L-BFGS-B, one start (the issue, measured there)
REFERENCE = {
    'QLearning+novel': 1.6,
    'ActorCritic+novel': 4.3,
    'Advantage+novel': 2.8,
    'Relative+novel': 4.4,
    'Hybrid2012+novel': 13.7,
    'Hybrid2021+novel': 19.5,
}
MODELS = [
    *KNOWN,
    'StandardHybrid2021+novel',
    *[
        f'{m}+bias+novel'
        for m in ('ActorCritic', 'Hybrid2012', 'Hybrid2021', 'StandardHybrid2012', 'StandardHybrid2021')
    ],
]


# total NLL of the same people: the best of everything that was ever tried, person by person
BEST = {'QLearning': 3154.546, 'ActorCritic': 2774.764, 'Relative': 2812.824, 'Advantage': 2781.107,
        'Hybrid2012': 2585.865, 'Hybrid2021': 2550.054, 'StandardHybrid2012': 2998.019,
        'StandardHybrid2021': 2951.184, 'QLearning+novel': 2942.683, 'ActorCritic+novel': 2528.07,
        'Relative+novel': 2586.026, 'Advantage+novel': 2563.826, 'Hybrid2012+novel': 2367.217,
        'Hybrid2021+novel': 2341.79, 'StandardHybrid2012+novel': 2778.387, 'StandardHybrid2021+novel': 2736.953,
        'Hybrid2012+bias': 2402.518, 'Hybrid2021+bias+decay': 2352.304}
SEEDS, TIMED = 1, ('ActorCritic', 'Hybrid2012', 'StandardHybrid2012')   # the latter are timed in the older build, too


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
        rows.append(
            dict(
                model=name,
                mean_nll=v[0].mean(),
                known_mean=KNOWN.get(name),
                best_of_all=best.mean(),
                missed_seed_0=int((v[0] > best + .01).sum()),
                missed_seed_1=int((v[1] > best + .01).sum()),
                worst_miss=(v - best).max(),
                starts_a_person=t.starts.mean(),
                most_starts=t.starts.max(),
                share_of_single_starts_at_best=(singles < best[:, None] + .01).mean(),
                cpu_s=cpu[-1],
                no_two_starts_agree=int((t.agree < 2).sum()),
                not_converged=int((~t.converged).sum()),
            )
        )
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
    rows = [
        dict(
            what='one start of QLearning+novel: plain numpy and L-BFGS-B',
            cpu_s=np.mean([plain_fit(trials, who) for who in trials.participants[:5]]),
        )
    ]
    for name, theirs in REFERENCE.items():
        cpu = min(single_starts(name, trials, 40)[1] / (40 * trials.n_participants) for _ in range(3))
        rows.append(
            dict(what=f'one start of {name}', cpu_s=cpu, fits_a_second=1 / cpu, reference_s=theirs, ratio=theirs / cpu)
        )
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
    Pipeline(seed=1251).run(
        mode='fit',
        learning_filename=FILES[0],
        transfer_filename=FILES[1],
        models=models,
        random_params='normal',
        fixed=fixed_priors(models),
        output_dir=tempfile.mkdtemp(),
    )
    cpu = time.process_time() - start
    rows.append(
        dict(
            what='the tutorial: 3 models, 15 people, all files and figures',
            cpu_s=cpu,
            reference_s=186.,
            ratio=186 / cpu,
        )
    )
    with tempfile.TemporaryDirectory() as cache:
        for when in ('fresh environment', 'second time'):
            said = subprocess.run(
                [sys.executable, '-c', FIRST_FIT],
                env=os.environ | dict(NUMBA_CACHE_DIR=cache),
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            for what, s in zip(('import and read', 'first fit of one person', 'the same fit again'), said):
                rows.append(dict(what=f'{when}: {what}', cpu_s=float(s)))
    frame = pd.DataFrame(rows)
    frame.to_csv(RESULTS / 'fitting_speed.csv', index=False, float_format='%.6g')
    print(frame.to_string())


def timed(cell, trials, **options):
    "A fit and its CPU seconds."
    start = time.process_time()
    return fit(cell, trials, threads=1, **options), time.process_time() - start


ELSEWHERE = """
import sys; sys.path.insert(0, sys.argv[1])
import fitting as f
data = f.read_avoidance(*f.FILES)
f.timed(f.avoidance_model(sys.argv[2]), data.take(participants=data.participants[:1]), draw=None)
print(f.timed(f.avoidance_model(sys.argv[2]), data, seed=0)[1])
"""


def before(model):
    "CPU seconds of the same fit in an older build, if there is one."
    if model not in TIMED or not os.environ.get('BEFORE'): return np.nan
    env = os.environ | dict(PYTHONPATH=os.environ['BEFORE'])
    arguments = [sys.executable, '-c', ELSEWHERE, str(Path(__file__).parent), model]
    return float(
        subprocess.run(arguments, env=env, capture_output=True, text=True, check=True, cwd=os.environ['BEFORE']).stdout
    )


def avoidance(trials):
    "Totals of some seeds, and how far the best of them is from the best total that is known."
    rows = []
    for name, known in BEST.items():
        timed(avoidance_model(name), trials.take(participants=trials.participants[:1]), draw=None)
        found, cpu = zip(*(timed(avoidance_model(name), trials, seed=seed) for seed in range(SEEDS)))
        v = np.array([f.nll for f in found])
        rows.append(
            dict(
                model=name,
                best_known=known,
                **{f'seed_{s}': x.sum() for s, x in enumerate(v)},
                best_of_seeds=v.min(0).sum(),
                people=len(v[0]),
                short_of_known=v.min(0).sum() - known,
                cpu_s=np.mean(cpu),
                cpu_s_before=before(name),
            )
        )
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(RESULTS / 'fitting_avoidance.csv', index=False, float_format='%.6f')


class GQL(Cell):
    "Two traces of reward and two of choice, and their products (Dezfouli et al., 2019)."
    params = (dict(phi1=Param(.5, 0, 1), phi2=Param(.1, 0, 1), chi1=Param(.5, 0, 1), chi2=Param(.1, 0, 1))
              | dict(b1=Param(1, -20, 20), b2=Param(1, -20, 20), k1=Param(.5, -20, 20), k2=Param(.5, -20, 20))
              | {f'c{i}{j}': Param(0, -20, 20) for i in (1, 2) for j in (1, 2)})
    state = 'q1', 'q2', 'h1', 'h2'
    def init(p, state): pass
    def logit(p, state, trial, k):
        return (
            p.b1 * state.q1[k]
            + p.b2 * state.q2[k]
            + p.k1 * state.h1[k]
            + p.k2 * state.h2[k]
            + state.h1[k] * (p.c11 * state.q1[k] + p.c12 * state.q2[k])
            + state.h2[k] * (p.c21 * state.q1[k] + p.c22 * state.q2[k])
        )
    def update(p, state, trial):
        for k in range(len(state.q1)):
            chosen = 1. if k == trial.choice else 0.
            reward = trial.reward[k] if k == trial.choice else 0.
            state.q1[k] += p.phi1 * (reward - state.q1[k])
            state.q2[k] += p.phi2 * (reward - state.q2[k])
            state.h1[k] += p.chi1 * (chosen - state.h1[k])
            state.h2[k] += p.chi2 * (chosen - state.h2[k])


class Six(Cell):
    "Two rates, forgetting, and a trace of choices."
    params = dict(gain=Param(.3, 0, 1), loss=Param(.3, 0, 1), forget=Param(.2, 0, 1), beta=Param(3, 0, 20),
                  trace=Param(.5, 0, 1), stay=Param(1, -10, 10))
    state = 'q', 'h'
    def init(p, state): pass
    def logit(p, state, trial, k): return p.beta * state.q[k] + p.stay * state.h[k]
    def update(p, state, trial):
        rate = p.gain if trial.reward[trial.choice] > 0 else p.loss
        for k in range(len(state.q)):
            if k == trial.choice: state.q[k] += rate * (trial.reward[k] - state.q[k])
            else: state.q[k] -= p.forget * state.q[k]
            state.h[k] += p.trace * ((1. if k == trial.choice else 0.) - state.h[k])


def people():
    "Real people one by one, and as if they were one person."
    frame = pd.read_csv(SHARED / 'dezfouli2019_train.csv.gz')
    names, rows = dict(participant='participant', choice='choice', reward='reward'), []
    one_by_one = read_trials(frame, **names, block='block')
    many = frame[frame.participant.isin(frame.participant.unique()[:72])]
    many = many.assign(run=many.participant.astype(str) + '/' + many.block.astype(str), participant='all')
    for what, cell, trials, seeds in (
        ('GQL, 101 people', GQL(), one_by_one, [(0, 10), (1, 10), (7, 20)]),
        ('six parameters pooled', Six(), read_trials(many, **names, block='run'), [(0, 10), (1, 10), (7, 20)]),
    ):
        timed(cell, one_by_one.take(participants=one_by_one.participants[:1]), draw=None)
        for seed, starts in seeds:
            f, cpu = timed(cell, trials, seed=seed, starts=starts)
            rows.append(
                dict(
                    what=what,
                    parameters=len(cell.params),
                    choices=int(f.table.n.sum()),
                    seed=seed,
                    starts=starts,
                    nll=f.nll.sum(),
                    starts_a_person=f.table.starts.mean(),
                    most_starts=f.table.starts.max(),
                    cpu_s=cpu,
                )
            )
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / 'fitting_people.csv', index=False, float_format='%.6f')


class Endless(RescorlaWagner):
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3., 0))


def cases():
    """A person who takes one option whatever happens, judged by a grid; one whose beta has no end, and what is said
    of it."""
    sided = Trials.from_arrays(np.zeros(120, int), np.random.default_rng(3).integers(0, 2, 120), options=[0, 1])
    a, b = np.meshgrid(np.r_[np.geomspace(1e-5, 1, 2000), 0], np.linspace(0, 20, 201))
    grid = Lanes(RescorlaWagner(), sided, 1).nll(np.c_[a.ravel(), b.ravel()], np.zeros(a.size, int)).min()
    follows = Trials.from_arrays([0, 1] + [1] * 38, [0., 1.] + [1.] * 38, ['3'] * 40, options=[0, 1])
    rows = []
    for seed in (731, 0):
        f, away = fit(RescorlaWagner(), sided, seed=seed, threads=1), fit(Endless(), follows, seed=seed, threads=1)
        rows.append(
            dict(
                case='one option only',
                seed=seed,
                nll=f.nll.iloc[0],
                grid=grid,
                converged=f.table.converged.iloc[0],
                said='; '.join(f.notes()),
            )
        )
        rows.append(
            dict(
                case='no bound',
                seed=seed,
                nll=away.nll.iloc[0],
                converged=away.table.converged.iloc[0],
                said='; '.join(away.notes()),
            )
        )
    frame = pd.DataFrame(rows)
    frame.to_csv(RESULTS / 'fitting_cases.csv', index=False, float_format='%.6f')
    print(frame.to_string())


if __name__ == '__main__':
    wanted = sys.argv[1:] or ['speed', 'optima', 'avoidance', 'people', 'cases']
    if 'cases' in wanted: cases()
    # status 0: the others go on
    if not FILES[0].is_file(): sys.exit(print(f"{FILES[0]} is not here: nothing else done"))
    data = read_avoidance(*FILES)
    if 'speed' in wanted: speed(data)
    if 'optima' in wanted: optima(data)
    if 'avoidance' in wanted: avoidance(data)
    if 'people' in wanted: people()
