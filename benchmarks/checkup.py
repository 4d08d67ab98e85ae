"""Checks: how often `check_fit` tells people from simulated people, where the model is right and where perseveration is
missing.

`python benchmarks/checkup.py [SETS [CASE …]]` writes results/checkup.csv, anew after each data set: `SETS` (default:
40) of each case, or of these (numbered from 0; the rows of the others stay), in as many processes as there are cores,
or as `WORKERS` says; fewer sets are the first ones of more. Seeds are the number of the case and of the data set. A set
takes one to ten seconds of a core. `sets`: how many data sets. `remark`: share of checks with a remark (any `p_all` of
.05 or below); `any_p`: share with any view whose own `p` is .05 or below; both with 95 % intervals."""
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pandas as pd
from scipy import stats
from spice_rl import BanditsFlip, RescorlaWagner, Trials, check_fit, fit, fit_hierarchical, simulate
from spice_rl.models.ready import Perseveration

RESULTS = Path(__file__).parent / 'results'
SETS, STUDIES = 40, 60
CASES = [   # people, trials of each, perseveration (logits), do the trials say how probably each option pays?
    (100, 30, 0., True), (300, 30, 0., True), (30, 60, .5, True),
    (100, 60, 0., False), (300, 30, 0., False), (30, 60, .5, False)]


def people(n, n_trials, kappa, schedule, rng):
    "Choices of people who differ: learning rates of mean .43 (sd .17), inverse temperatures of mean 4 (sd 2)."
    truth = pd.DataFrame(dict(alpha=rng.beta(3, 4, n), beta=rng.gamma(4, 1, n)), index=[f'p{i}' for i in range(n)])
    cell = RescorlaWagner()
    if kappa: cell, truth = Perseveration(), truth.assign(kappa=kappa)
    trials = simulate(cell, BanditsFlip(flip=.03), truth, n_trials=n_trials, seed=int(rng.integers(2**31)))
    if schedule: return trials
    return Trials.from_arrays(trials.choice, trials.reward, np.array(trials.participants)[trials.participant])


def verdicts(checked):
    "Was a remark made; was any view's own p small?"
    return len(checked.remarks()) > 0, bool((checked.tests.p <= .05).any())


def one_set(job):
    "Checks of one data set, by whose parameters simulated people have."
    case, number = job
    rng = np.random.default_rng([case, number])
    trials, seed = people(*CASES[case], rng), int(rng.integers(2**31))
    alone = fit(RescorlaWagner(), trials, starts=3, seed=seed, threads=1)
    together = fit_hierarchical(RescorlaWagner(), trials, seed=seed, threads=1)
    modes = SimpleNamespace(name='modes', cell=together.cell, parameters=together.parameters, silent=together.silent)
    out = []
    def keep(what, found, **options):
        start, checked = time.process_time(), check_fit(found, trials, times=STUDIES, seed=seed, **options)
        out.append((what, *verdicts(checked), time.process_time() - start))
        return checked
    plain = keep('estimates of each alone', alone, refits=0)
    anew = f"the same, {'fitted together' if plain.way == 'one step ahead' else 'refitted'} where people differ"
    if plain.remarks(): keep(anew, alone)
    else: out.append((anew, *out[-1][1:]))
    keep('modes of a hierarchical fit', modes)
    keep('draws of a hierarchical fit', together)
    return case, out


def interval(hits):
    "The exact 95 % interval of a share (Clopper & Pearson, 1934, Biometrika 26, 404–413)."
    k, n = int(hits.sum()), len(hits)
    return (stats.beta.ppf(.025, k, n - k + 1) if k else 0., stats.beta.ppf(.975, k + 1, n - k) if k < n else 1.)


KEYS = ['people', 'trials', 'perseveration', 'way']


def about(case):
    "What a case is, as the table says it."
    n, n_trials, kappa, schedule = CASES[case]
    return dict(zip(KEYS, (n, n_trials, kappa, 'schedule' if schedule else 'one step ahead')))


def written(rows, others):
    "Write the table of all cases so far, beside the rows of others, {case: frame}."
    table = pd.DataFrame(rows, columns=['case', 'parameters', 'remark', 'any_p', 'cpu_s'])
    kept = dict(others)
    for (case, what), t in table.groupby(['case', 'parameters'], sort=False):
        row = about(case) | dict(parameters=what, sets=len(t))
        for name in ('remark', 'any_p'):
            row[name], (row[f'{name}_low'], row[f'{name}_high']) = t[name].mean(), interval(t[name])
        kept[case] = pd.concat([kept.get(case), pd.DataFrame([row | dict(cpu_s=t.cpu_s.mean())])])
    pd.concat([kept[case] for case in sorted(kept)]).to_csv(RESULTS / 'checkup.csv', index=False, float_format='%.3g')


def known_rows(cases):
    "Rows of these cases in the table that is there, {case: frame}."
    path = RESULTS / 'checkup.csv'
    if not path.is_file(): return {}
    table = pd.read_csv(path)
    found = {case: table[(table[KEYS] == pd.Series(about(case))).all(axis=1)] for case in cases}
    return {case: t for case, t in found.items() if len(t)}


def main(sets=SETS, *cases):
    cases = cases or tuple(range(len(CASES)))
    others, rows = known_rows(set(range(len(CASES))) - set(cases)), []
    jobs = [(case, number) for number in range(sets) for case in cases]
    with ProcessPoolExecutor(int(os.environ.get('WORKERS', os.cpu_count()))) as pool:
        for case, out in pool.map(one_set, jobs):
            rows += [(case, *row) for row in out]
            written(rows, others)


if __name__ == '__main__': main(*map(int, sys.argv[1:]))
