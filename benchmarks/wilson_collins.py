"""Model recovery of Wilson & Collins (2019): five bandit models, two priors, 100 data sets of 1000 trials each, all
fitted with all.

`python benchmarks/wilson_collins.py [recovery|starts|judge]` writes results/wilson_collins.csv, a row for each data
set: what it was made with, and each model's BIC; and results/wilson_collins_starts.csv: who wins the learners' data
sets of the first prior if each fit has one random start, as in the published code. Without a word it does both.
`judge` writes results/wilson_collins_search.csv: CPU seconds of the default search (10 starts), optima that it
misses, and how many data sets another model wins than in the most thorough one, beside shorter searches and one that
is twice as thorough. The models and the priors are those that nbs/wilson_collins.ipynb writes. CPU seconds on one
thread."""
import json
import sys
import time
from pathlib import Path
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from spice_rl import Lanes, fit, model_recovery, simulate_people

HERE = Path(__file__).parent


def notebook():
    "What the notebook's cells define: its models, their priors and the task."
    scope = {}
    for cell in json.loads((HERE / '../nbs/wilson_collins.ipynb').read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'code' and source.startswith(
            ('from ', 'import ', 'class ', 'def prior', 'models = ', 'arms = ')
        ):
            exec(source, scope)
    return scope


def people(nb, shift):
    "All data sets of one prior."
    return simulate_people(
        nb['models'], nb['arms'], people=100, draw=nb['prior'](shift), n_trials=1000, seed=shift, threads=1
    )


def recovery(nb):
    tables = []
    for shift in 0, 1:
        start = time.process_time()
        data = people(nb, shift)
        found = model_recovery(nb['models'], data, threads=1)
        cpu = time.process_time() - start
        print(f"beta + {shift}: {cpu:.0f} CPU s\n{found}", flush=True)
        fits = {m: f.set_index('generated', append=True) for m, f in found.fits.items()}
        row = pd.DataFrame({f'bic_{m}': f.bic for m, f in fits.items()})
        # two starts agree about every fit
        row['sure'] = np.all([f.converged & (f.agree >= 2) for f in fits.values()], axis=0)
        high = pd.DataFrame(
            {m: (f.reindex(columns=['beta', 'beta_c']) >= 50 - 1e-4).any(axis=1) for m, f in fits.items()}
        )
        row['beta_at_bound'] = [' '.join(high.columns[h]) for h in high.to_numpy()]
        true = (
            pd.concat([s.true.assign(generated=s.model) for s in data])
            .rename_axis('participant')
            .set_index('generated', append=True)
        )
        tables.append(true.join(row).assign(shift=shift, cpu_s=cpu / len(row)).reset_index())
    pd.concat(tables).to_csv(HERE / 'results/wilson_collins.csv', index=False, float_format='%.6g')


SEARCHES = 3, 5, 10, 20   # starts at least; 10 is the default


def judge(nb, shifts=(0, 1)):
    "The default search beside shorter ones and one that is twice as thorough, model by model."
    models, data = list(nb['models']), [s.trials for shift in shifts for s in people(nb, shift)]
    found = {}    # (model, starts): (CPU seconds, NLL and BIC of each data set)
    for m, starts in [(m, starts) for m in models for starts in SEARCHES]:
        begun = time.process_time()
        fits = [fit(nb['models'][m], trials, starts, threads=1).diagnostics for trials in data]
        found[m, starts] = (
            time.process_time() - begun,
            *(np.concatenate([f[what] for f in fits]) for what in ('nll', 'bic')),
        )
        print(m, starts, found[m, starts][0], flush=True)
    won = {starts: np.argmin([found[m, starts][2] for m in models], 0) for starts in SEARCHES}
    rows = []
    for m in models:
        best = np.min([found[m, starts][1] for starts in SEARCHES], 0)
        for starts in SEARCHES:
            cpu, nll, _ = found[m, starts]
            rows.append(
                dict(
                    model=m,
                    starts=starts,
                    fits=len(best),
                    cpu_s=cpu,
                    missed=(nll > best + .01).sum(),
                    worst=(nll - best).max(),
                    other_winners=(won[starts] != won[SEARCHES[-1]]).sum(),
                )
            )
    table = pd.DataFrame(rows)
    print(table.to_string(), table.groupby('starts').cpu_s.sum(), sep='\n')
    table.to_csv(HERE / 'results/wilson_collins_search.csv', index=False, float_format='%.6g')


def one_start(cell, trials, method, rng):
    """NLL of each person from one random start, drawn as the published code draws it: rates uniform, beta ~ Exp(1),
    beta_c ~ .5 + Exp(1), no upper bound for either."""
    lanes, beta, out = Lanes(cell, trials, 1), np.array([p.startswith('beta') for p in cell.params]), []
    for i in range(trials.n_participants):
        x = np.where(
            beta,
            rng.exponential(1, len(beta)) + np.array([.5 * (p == 'beta_c') for p in cell.params]),
            rng.random(len(beta)),
        )
        def nll(x):
            v = lanes.nll(x[None], np.array([i]))[0]
            return v if np.isfinite(v) else 1e6
        out.append(minimize(nll, x, method=method, bounds=[(0, None) if b else (1e-9, 1 - 1e-9) for b in beta]).fun)
    return np.array(out)


def starts(nb):
    ours, rows = pd.read_csv(HERE / 'results/wilson_collins.csv').query('shift == 0'), []
    for s in people(nb, 0)[2:]:   # the learners
        best = (
            ours[ours.generated == s.model][[f'bic_{m}' for m in nb['models']]]
            .set_axis(list(nb['models']), axis=1)
            .reset_index(drop=True)
        )
        for method in 'SLSQP', 'L-BFGS-B':
            rng = np.random.default_rng(0)
            bic = pd.DataFrame(
                {
                    m: 2 * one_start(c, s.trials, method, rng) + len(c.params) * np.log(1000)
                    for m, c in nb['models'].items()
                }
            )
            won = bic.idxmin(axis=1).value_counts(normalize=True).reindex(bic.columns, fill_value=0.)
            rows.append(
                dict(generated=s.model, method=method)
                | won.to_dict()
                | (bic > best + 2).mean().add_prefix('missed_').to_dict()
            )
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(HERE / 'results/wilson_collins_starts.csv', index=False, float_format='%.6g')


if __name__ == '__main__':
    if 'recovery' in sys.argv or len(sys.argv) == 1: recovery(notebook())
    if 'judge' in sys.argv: judge(notebook())
    if 'starts' in sys.argv or len(sys.argv) == 1: starts(notebook())
