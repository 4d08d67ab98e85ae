"""Hierarchical fits. Issue 6, points 1 and 2: the golden data set of ../shared in CPU seconds, and differences between groups: false positives and power. Run: make bench

Groups: two of 30, 200 trials each (two arms paying .8 and .2, reversed every 50 trials), parameters on the line normal with the means and variances of the golden data set; the second group's learning rate is 0, .5 or 1 sd
higher. Tests at the 5 % level: the hierarchical effect (Wald, t with 58 degrees of freedom), and t-tests of two steps, on maximum-likelihood estimates and on modes of a hierarchical fit that knows no groups. The inverse temperature never differs.
Also with 50 trials. Writes results/hierarchy_groups.csv and results/hierarchy_speed.csv. pyEM, cpm and cbm are not run here: no one has them
installed, so nothing about them could be tried; the table says whether they are (their seconds of another machine are in ../shared/golden/README.md).
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import time
from importlib.util import find_spec
from pathlib import Path
import numpy as np
import pandas as pd
from scipy import stats
from spice_rl import Cell, Param, Trials, fit, fit_hierarchical, from_line, play, read_trials

RESULTS = Path(__file__).parent / 'results'
GOLDEN = Path(__file__).parents[2] / 'shared' / 'golden' / 'q2_50x200.csv'
TIMES = 200


class Q2(Cell):
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3., 0, 20))
    state = 'q',
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, k): return p.beta * state.q[k]
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


def two_groups(effect, n_trials, seed, each=30):
    "Choices of two groups, and everybody's group."
    rng, n = np.random.default_rng([seed, n_trials, int(100 * effect)]), 2 * each
    group = pd.Series(np.repeat(['a', 'b'], each))
    z = np.c_[rng.normal(-.04, 1.35, n) + 1.35 * effect * (group == 'b'), rng.normal(-1.23, .64, n)]
    p = np.where(np.arange(n_trials) // 50 % 2 == 0, .8, .2)
    reward = (rng.random((n, n_trials, 2)) < np.stack([p, 1 - p], 1)).astype(float).reshape(-1, 2)
    who = np.repeat(np.arange(n), n_trials)
    truth = pd.DataFrame(from_line(z, list(Q2.params.values())), columns=list(Q2.params))
    choice = play(Q2(), truth, Trials.from_arrays(np.zeros(len(who), int), reward, who), seed=rng)[0]
    return Trials.from_arrays(choice, reward[np.arange(len(who)), choice], who), group


def p_values(effect, n_trials, seed):
    "p of each test and parameter."
    trials, group = two_groups(effect, n_trials, seed)
    together, blind, alone = fit_hierarchical(Q2(), trials, group, threads=1), fit_hierarchical(Q2(), trials, threads=1), fit(Q2(), trials, threads=1)
    out = []
    for q in Q2.params:
        two = {'t-test on maximum likelihood': alone.table[q], 't-test on hierarchical modes': blind.modes[q]}
        out += [dict(test='hierarchical effect', parameter=q, p=together.effects.p[q, 'b - a'], collapsed=together.variances.shrinkage[q] > .99)]
        out += [dict(test=name, parameter=q, p=stats.ttest_ind(x[group == 'a'], x[group == 'b']).pvalue, collapsed=False) for name, x in two.items()]
    return [dict(n_trials=n_trials, effect_in_sd=effect if row['parameter'] == 'alpha' else 0., of=effect, **row) for row in out]


def groups():
    "Share of p below .05, with its standard error."
    rows = [row for n_trials in (200, 50) for effect in (0., .5, 1.) for seed in range(TIMES) for row in p_values(effect, n_trials, seed)]
    t = pd.DataFrame(rows).assign(significant=lambda t: t.p < .05)
    out = t.groupby(['n_trials', 'parameter', 'effect_in_sd', 'test'], sort=False).agg(data_sets=('p', 'size'), significant=('significant', 'mean'), collapsed=('collapsed', 'sum')).reset_index()
    return out.assign(se=np.sqrt(out.significant * (1 - out.significant) / out.data_sets))


def seconds(work, times=10):
    "CPU seconds, the least of several runs, once compiled."
    work()
    def once():
        start = time.process_time()
        work()
        return time.process_time() - start
    return min(once() for _ in range(times))


def speed():
    "CPU seconds of the golden data set, hierarchical and by maximum likelihood, in the same run."
    trials = read_trials(GOLDEN, participant='participant', choice='choice', reward='reward')
    rows = [dict(what='fit_hierarchical', cpu_s=seconds(lambda: fit_hierarchical(Q2(), trials, threads=1))), dict(what='fit, maximum likelihood', cpu_s=seconds(lambda: fit(Q2(), trials, threads=1)))]
    return pd.DataFrame(rows + [dict(what=name, note='not installed here' if find_spec(name) is None else 'installed, not run') for name in ('pyEM', 'cpm', 'cbm')])


def main():
    RESULTS.mkdir(exist_ok=True)
    if GOLDEN.exists():
        table = speed()
        table.to_csv(RESULTS / 'hierarchy_speed.csv', index=False, float_format='%.4g')
        print(table.to_string())
    else: print(f'{GOLDEN} is not here: no timing')
    table = groups()
    table.to_csv(RESULTS / 'hierarchy_groups.csv', index=False, float_format='%.4g')
    print(table.round(3).to_string())


if __name__ == '__main__': main()
