"""The published models of tasks: can their parameters be recovered, do intervals hold, and what does a fit cost?

For each model 100 people are simulated in the task's own world, with parameters drawn evenly from a range that people
may have (RANGES; a number between 0 and 1 otherwise from .1 to .9), fitted one by one by maximum likelihood and all
together by `fit_hierarchical`. r: correlation of true and fitted values; coverage: of 95 % intervals; CPU seconds on
one thread, without compiling. Writes results/tasks.csv, a row for each parameter, and of it
spice_rl/datasets/task_recovery.csv, from which `task_models()` names what was not recovered. `python
benchmarks/tasks.py dd ts_par7` does these tasks and models alone; PEOPLE=30 in the environment makes it shorter.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import sys
import time
from pathlib import Path
import numpy as np
import pandas as pd
from spice_rl import find_task, fit, fit_hierarchical, simulate, task_model, task_models, task_world

RESULT = Path(__file__).parent / 'results' / 'tasks.csv'
SHIPPED = Path(__file__).parents[1] / 'spice_rl' / 'datasets' / 'task_recovery.csv'
RANGES = dict(
    alt=dict(A=(.05, .6), beta=(.02, .2), gamma=(.3, 2)),
    bandit2arm=dict(tau=(.5, 4)),
    bandit4arm=dict(R=(.5, 10), P=(.5, 10), xi=(0, .3)),
    banditNarm=dict(R=(.5, 10), P=(.5, 10), xi=(0, .3), tau=(.5, 4)),
    bart=dict(phi=(.8, .99), eta=(.001, .1), gam=(.3, 2), tau=(.1, 1), lambda_=(.2, 2), rho=(-.3, .3)),
    cgt=dict(alpha=(.5, 4), c=(.3, .7), rho=(.2, 3), beta=(0, 2), gamma=(2, 20)),
    choiceRT=dict(alpha=(.5, 2.5), beta=(.3, .7), delta=(-3, 3), tau=(.1, .4)),
    cra=dict(alpha=(.4, 1.2), beta=(-1, 1), gamma=(.5, 2)),
    dbdm=dict(tau=(.3, 1), rho=(.4, 1), lambda_=(.5, 3), beta=(.1, 1)),
    dd=dict(k=(.002, .1), r=(.002, .1), s=(.5, 1.5), beta=(.2, 2)),
    gng=dict(xi=(0, .3), b=(-2, 2), pi=(-1, 1), rho=(1, 10), rhoRew=(1, 10), rhoPun=(1, 10)),
    hgf=dict(kappa_2=(.5, 1.5), omega_2=(-5, -.5), omega_3=(-8, -3), zeta=(.3, 2)),
    igt=dict(
        alpha=(.1, 1),
        cons=(.1, 1.5),
        lambda_=(.2, 3),
        epP=(-2, 2),
        epN=(-2, 2),
        K=(.1, .9),
        betaF=(-3, 3),
        betaP=(-3, 3),
    ),
    kalman=dict(lambda_=(.7, .99), theta=(30, 70), beta=(.05, .3), mu0=(50, 90), s0=(3, 10), sD=(1, 6)),
    peer=dict(rho=(.3, 1.2), tau=(.3, 2), ocu=(-2, 2)),
    prl=dict(alpha=(-.5, .5), beta=(1, 8)),
    pst=dict(beta=(1, 8)),
    pstRT=dict(
        a=(.8, 2.5),
        tau=(.1, .4),
        v=(1, 6),
        alpha=(.01, .5),
        alpha_pos=(.01, .5),
        alpha_neg=(.01, .5),
        bp=(-.2, .2),
        d1=(0, 3),
        d2=(0, 3),
        d3=(0, 3),
    ),
    ra=dict(rho=(.3, 1.2), lambda_=(.3, 4), tau=(.3, 5)),
    rdt=dict(w0=(-1, 1), w1=(.002, .02), w2=(.002, .02), w3=(.002, .02), gam=(.3, .9), sig=(.1, .6)),
    task2AFC=dict(d=(0, 3), c=(-1, 1)),
    ts=dict(beta=(1, 8), beta1=(1, 8), beta2=(1, 8), pi=(0, 1)),
    ug=dict(alpha=(.5, 6), beta=(0, 2), tau=(.1, 1.5)),
    wcs=dict(d=(.3, 3)),
    changepoint=dict(hazard=(.05, .4), alpha=(.1, .9), sd=(5, 20)),
    effort=dict(k=(.3, 3), beta=(.5, 3)),
    effort_others=dict(k=(2, 8), k_self=(2, 8), k_other=(2, 8), beta=(.5, 3)),
    meta=dict(
        d=(.5, 2),
        c=(-.5, .5),
        M=(.4, 1.2),
        **{f'{side}_{i}': (.3, .8) for side in ('up', 'down') for i in (1, 2, 3)},
    ),
    probability=dict(k=(.3, 4), beta=(.1, .6)),
    social=dict(k=(.01, .3), w=(.6, 1.2), beta=(.5, 3)),
    pt=dict(alpha=(.5, 1.2), beta=(.5, 1.2), lambda_=(1, 4), gamma=(.4, .9), delta=(.5, 1.2), mu=(.3, 3)),
    ts_kool=dict(beta=(1, 8), pi=(-1, 1), rho=(-1, 1)),
)


def ranges_of(row, cell):
    "Where each parameter is drawn from."
    of = RANGES['kalman'] if 'kalman' in row.model else RANGES.get(row.task, RANGES.get(row.task.split('_')[0], {}))
    if row.model == 'bart_ewmv': of = of | dict(phi=(.01, .2), tau=(1, 10))
    if row.model.startswith('igt_orl'): of = of | dict(K=(.1, 3))
    if row.model in ('bandit2arm_hmm', 'bandit2arm_changepoint'): of = of | dict(p_good=(.6, .95), hazard=(.02, .3))
    if row.model == 'ts_hybrid_mbmf': of = of | dict(r=(-1, 1))
    return {name: of.get(name, (.1, .9)) for name in cell.params}


def drawn(ranges, people, seed):
    "True parameters: a row for each person."
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.uniform(low, high, people) for name, (low, high) in ranges.items()})


def timed(work):
    start = time.process_time()
    return work(), time.process_time() - start


def holds(truth, found, name):
    "Share of 95 % intervals that hold the truth, and of people without one."
    low, high = found.table[f'lower_{name}'], found.table[f'upper_{name}']
    known = np.isfinite(low) & np.isfinite(high)
    inside = (low <= truth[name]) & (truth[name] <= high)
    return inside[known].mean() if known.any() else np.nan, 1 - known.mean()


def measured(row, people):
    "A row for each parameter of a model."
    cell = task_model(row.model)
    truth = drawn(ranges := ranges_of(row, cell), people, 1)
    trials = simulate(cell, task_world(row.task), truth, seed=1)
    truth.index = list(trials.participants)
    few = trials.take(participants=list(trials.participants[:3]))
    fit(cell, few, starts=2, threads=1), fit_hierarchical(cell, few, threads=1)     # compiles
    alone, cpu = timed(lambda: fit(cell, trials, starts=5, threads=1))
    together, cpu_together = timed(lambda: fit_hierarchical(cell, trials, threads=1))
    for name, (low, high) in ranges.items():
        z = (alone.parameters[name] - truth[name]) / alone.errors[name]
        covered, without = holds(truth, together, name)
        yield dict(
            task=row.task,
            model=row.model,
            parameter=name.rstrip('_'),
            low=low,
            high=high,
            people=people,
            trials=trials.n_trials // people,
            r=np.corrcoef(truth[name], alone.parameters[name])[0, 1],
            coverage=(abs(z[np.isfinite(z)]) < 1.96).mean(),
            without_interval=1 - np.isfinite(z).mean(),
            r_hierarchical=np.corrcoef(truth[name], together.parameters[name])[0, 1],
            coverage_hierarchical=covered,
            without_hierarchical=without,
            cpu_fit=cpu,
            cpu_hierarchical=cpu_together,
        )


def known_as(row, rows):
    "Rows of a model that is the same cell in the same task, under this model's name: it is measured once."
    models = find_task(row.task).models
    same = [r for r in rows if r['task'] == row.task and models[r['model']] is models[row.model]]
    return [r | dict(model=row.model) for r in same if r['model'] == same[0]['model']]


def written(rows):
    "The whole table, and what the package says of it."
    rows.to_csv(RESULT, index=False)
    rows[['model', 'parameter', 'people', 'trials', 'r', 'r_hierarchical']].to_csv(SHIPPED, index=False)


if __name__ == '__main__':
    known, people = task_models(), int(os.environ.get('PEOPLE', 100))
    chosen = known[known.task.isin(sys.argv[1:]) | known.model.isin(sys.argv[1:])] if sys.argv[1:] else known
    before = pd.read_csv(RESULT) if sys.argv[1:] and RESULT.exists() else pd.DataFrame(columns=['model'])
    rows = before[~before.model.isin(chosen.model)].to_dict('records')
    for row in chosen.itertuples():
        new = known_as(row, rows) or list(measured(row, people))
        rows += new
        written(pd.DataFrame(rows).round(3))
        print(
            pd.DataFrame(new)[
                [
                    'model',
                    'parameter',
                    'r',
                    'coverage',
                    'r_hierarchical',
                    'coverage_hierarchical',
                    'cpu_fit',
                    'cpu_hierarchical',
                ]
            ]
            .round(2)
            .to_string(index=False, header=row.Index == chosen.index[0]),
            flush=True,
        )
