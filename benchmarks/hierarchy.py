"""Hierarchical fits. The golden data set of ../shared in CPU seconds beside other packages, and differences between
groups: false positives and power. Run: make bench

Groups: two of 30, 200 trials each (two arms paying .8 and .2, reversed every 50 trials), parameters on the line normal
with the means and variances of the golden data set; the second group's learning rate is 0, .5 or 1 sd higher. Tests at
the 5 % level: the hierarchical effect (Wald, t with 58 degrees of freedom), and t-tests of two steps, on
maximum-likelihood estimates and on modes of a hierarchical fit that knows no groups. The inverse temperature never
differs. Also with 50 trials. Writes results/hierarchy_groups.csv and results/hierarchy_speed.csv.

Parameters that go together: the same groups with 100 trials, fitted with variances only and with a full covariance
matrix: the learner itself, whose alpha and beta correlate by .7 on the line, and the Rescorla-Wagner equation, whose
three numbers are made of two. Writes results/hierarchy_correlated.csv, and results/hierarchy_correlations.csv: known
correlations of 60 people with 150 trials recovered.

What holds: `points` (rewards of 0 and 5 … 200 points: is anything broken or far from the best factor?), `scale` (one
cell in any unit of reward), `coverage` (do 95 % intervals hold the truth?), `growth` (people against seconds and
memory), `real` (101 real people, the models of ../shared/prototypes/stay_cells.py, five seeds, judged on blocks that
were left out). COVERAGE=20 and SEEDS=2 in the environment make them shorter.

Other packages are run where they are installed, by benchmarks/peers.py, which needs none of ours: PEERS=/path/to/python
says which Python has them. Parts: python benchmarks/hierarchy.py speed groups correlated correlations points scale
coverage growth real
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import io
import subprocess
import sys
import time
from pathlib import Path
import numpy as np
import pandas as pd
from scipy import stats
from spice_rl import AgentQ, BanditsDrift, Cell, Param, RescorlaWagner, Trials, fit, fit_hierarchical, from_line, nll
from spice_rl import play, read_trials, rescorla_wagner_equation, simulate, to_line

RESULTS = Path(__file__).parent / 'results'
SHARED = Path(__file__).parents[2] / 'shared'
GOLDEN = SHARED / 'golden' / 'q2_50x200.csv'
TIMES = 200


def two_groups(effect, n_trials, seed, each=30, correlation=0.):
    "Choices of two groups, and everybody's group."
    rng, n = np.random.default_rng([seed, n_trials, int(100 * effect)]), 2 * each
    group = pd.Series(np.repeat(['a', 'b'], each))
    alpha, beta = rng.normal(-.04, 1.35, n), rng.normal(0, .64, n)
    z = np.c_[
        alpha + 1.35 * effect * (group == 'b'),
        -1.23 + correlation * .64 / 1.35 * (alpha + .04) + np.sqrt(1 - correlation**2) * beta,
    ]
    p = np.where(np.arange(n_trials) // 50 % 2 == 0, .8, .2)
    reward = (rng.random((n, n_trials, 2)) < np.stack([p, 1 - p], 1)).astype(float).reshape(-1, 2)
    who = np.repeat(np.arange(n), n_trials)
    truth = pd.DataFrame(from_line(z, list(RescorlaWagner.params.values())), columns=list(RescorlaWagner.params))
    choice = play(RescorlaWagner(), truth, Trials.from_arrays(np.zeros(len(who), int), reward, who), seed=rng)[0]
    return Trials.from_arrays(choice, reward[np.arange(len(who)), choice], who), group


def p_values(effect, n_trials, seed):
    "p of each test and parameter."
    trials, group = two_groups(effect, n_trials, seed)
    together = fit_hierarchical(RescorlaWagner(), trials, group, threads=1)
    blind, alone = fit_hierarchical(RescorlaWagner(), trials, threads=1), fit(RescorlaWagner(), trials, threads=1)
    out = []
    for q in RescorlaWagner.params:
        two = {'t-test on maximum likelihood': alone.table[q], 't-test on hierarchical modes': blind.modes[q]}
        out += [
            dict(
                test='hierarchical effect',
                parameter=q,
                p=together.effects.p[q, 'b - a'],
                collapsed=together.variances.shrinkage[q] > .99,
            )
        ]
        out += [
            dict(test=name, parameter=q, p=stats.ttest_ind(x[group == 'a'], x[group == 'b']).pvalue, collapsed=False)
            for name, x in two.items()
        ]
    return [
        dict(n_trials=n_trials, effect_in_sd=effect if row['parameter'] == 'alpha' else 0., of=effect, **row)
        for row in out
    ]


def groups():
    "Share of p below .05, with its standard error."
    rows = [
        row
        for n_trials in (200, 50)
        for effect in (0., .5, 1.)
        for seed in range(TIMES)
        for row in p_values(effect, n_trials, seed)
    ]
    t = pd.DataFrame(rows).assign(significant=lambda t: t.p < .05)
    out = (
        t.groupby(['n_trials', 'parameter', 'effect_in_sd', 'test'], sort=False)
        .agg(data_sets=('p', 'size'), significant=('significant', 'mean'), collapsed=('collapsed', 'sum'))
        .reset_index()
    )
    return out.assign(se=np.sqrt(out.significant * (1 - out.significant) / out.data_sets))


def effects_of(model, cell, correlation, effect, covariance, seed):
    "p of the group's effect on each parameter. The equation's first number has a true effect wherever alpha has."
    trials, group = two_groups(effect, 100, seed, correlation=correlation)
    # a variance without bound
    try:
        found = fit_hierarchical(cell, trials, group, covariance=covariance, threads=1)
    except FloatingPointError:
        return [
            dict(
                model=model,
                parameter=q.split(': ')[-1],
                effect_of_alpha=effect,
                covariance=covariance,
                p=np.nan,
                edge=False,
                named=False,
                behind=False,
                converged=False,
            )
            for q in cell.params
        ]
    said = dict(
        edge=any('as far as they can' in note for note in found.notes()),
        named=any("fit with covariance='full'" in note for note in found.notes()),
        behind=any('explain the choices better' in note for note in found.notes()),
        converged=bool(found.table.converged.all()),
    )
    return [
        dict(model=model, parameter=q.split(': ')[-1], effect_of_alpha=effect, covariance=covariance, p=p, **said)
        for (q, _), p in found.effects.p.items()
    ]


def correlated():
    "Share of p below .05 where parameters go together, by what the fit knows of that."
    models = {'learner, correlation .7': (RescorlaWagner(), .7), 'equation': (rescorla_wagner_equation(.3, 3.), 0.)}
    t = pd.DataFrame(
        [
            row
            for model, (cell, r) in models.items()
            for effect in (0., .5, 1.)
            for seed in range(TIMES if effect == 0 else TIMES // 2)
            for covariance in ('diagonal', 'full')
            for row in effects_of(model, cell, r, effect, covariance, seed)
        ]
    )
    t = t.assign(significant=t.p < .05, unknown=t.p.isna())
    out = (
        t.groupby(['model', 'parameter', 'effect_of_alpha', 'covariance'], sort=False)
        .agg(
            data_sets=('p', 'size'),
            significant=('significant', 'mean'),
            unknown=('unknown', 'sum'),
            at_the_edge=('edge', 'sum'),
            named=('named', 'sum'),
            behind=('behind', 'sum'),
            not_converged=('converged', lambda c: (~c).sum()),
        )
        .reset_index()
    )
    return out.assign(se=np.sqrt(out.significant * (1 - out.significant) / out.data_sets))


def correlations():
    """Known correlations, estimated: mean, sd, mean of the reported errors, and how often the 95 % interval holds
    the truth."""
    rows = []
    for r in (-.6, 0., .6, .9):
        for seed in range(TIMES // 2):
            row = fit_hierarchical(
                RescorlaWagner(), two_groups(0., 150, seed, correlation=r)[0], covariance='full', threads=1
            ).correlations.iloc[0]
            rows.append(
                dict(
                    true=r,
                    estimate=row.correlation,
                    reported_se=row.se,
                    inside=row.lower <= r <= row.upper if np.isfinite(row.se) else np.nan,
                )
            )
    return (
        pd.DataFrame(rows)
        .groupby('true')
        .agg(
            data_sets=('estimate', 'size'),
            mean=('estimate', 'mean'),
            sd=('estimate', 'std'),
            reported_se=('reported_se', 'mean'),
            inside=('inside', 'mean'),
            without_error=('reported_se', lambda x: x.isna().sum()),
        )
        .reset_index()
    )


def seconds(work, times=10):
    "CPU seconds, the least of several runs, once compiled."
    work()
    def once():
        start = time.process_time()
        work()
        return time.process_time() - start
    return min(once() for _ in range(times))


def timed(work):
    "What `work` gives, and its CPU seconds."
    start = time.process_time()
    return work(), time.process_time() - start


def row_of(what, found, cpu_s):
    "Estimates of a hierarchical fit as a row of the table."
    return dict(
        what=what,
        cpu_s=cpu_s,
        mean_alpha=found.means['mean'].iloc[0],
        mean_beta=found.means['mean'].iloc[1],
        variance_alpha=found.variances.variance.iloc[0],
        variance_beta=found.variances.variance.iloc[1],
        nll=found.nll.sum(),
        log_likelihood=found.log_likelihood,
        log_evidence=found.log_evidence,
    )


def speed():
    "The golden data set in the same run: CPU seconds and estimates, ours and those of other packages."
    trials, rows = read_trials(GOLDEN, participant='participant', choice='choice', reward='reward'), []
    for covariance in ('diagonal', 'full'):
        work = lambda: fit_hierarchical(RescorlaWagner(), trials, covariance=covariance, threads=1)
        rows.append(
            row_of('fit_hierarchical' + (", covariance='full'" if covariance == 'full' else ''), work(), seconds(work))
        )
    alone = lambda: fit(RescorlaWagner(), trials, threads=1)
    rows.append(dict(what='fit, maximum likelihood', cpu_s=seconds(alone), nll=alone().nll.sum()))
    script = Path(__file__).with_name('peers.py')
    run = subprocess.run(
        [os.environ.get('PEERS', sys.executable), str(script), str(GOLDEN)],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': ''},
    )
    if run.returncode: raise SystemExit(f"{script} failed:\n{run.stderr[-3000:]}")
    return pd.concat([pd.DataFrame(rows), pd.read_csv(io.StringIO(run.stdout))], ignore_index=True)


HELD = dict(
    alpha_counterfactual_reward=0.,
    alpha_counterfactual_penalty=0.,
    beta_choice=0.,
    alpha_choice=1.,
    forget_rate=0.,
)


def in_units(trials, by):
    "The same choices, rewards times `by`."
    return Trials.from_arrays(
        trials.choice, trials.reward * by, np.array(trials.participants)[trials.participant], options=[0, 1]
    )


def points():
    """Eight data sets (six people, 60 trials) times seven factors: how far each evidence is below the best of its
    data set."""
    rows = []
    for seed in range(8):
        base = simulate(RescorlaWagner(alpha=.3, beta=3.), BanditsDrift(), people=6, n_trials=60, seed=seed)
        for by in (5, 10, 20, 25, 50, 100, 200):
            found, cpu_s = timed(lambda: fit_hierarchical(AgentQ(), in_units(base, by), hold=HELD, threads=1))
            rows.append(
                dict(
                    seed=seed,
                    by=by,
                    evidence=found.log_likelihood,
                    converged=bool(found.table.converged.all()),
                    cpu_s=cpu_s,
                )
            )
    t = pd.DataFrame(rows)
    t['short'] = t.groupby('seed').evidence.transform('max') - t.evidence
    return t.assign(worse_than_guessing=t.evidence < -360 * np.log(2) - .01)


def from_zero(by):
    "Rescorla-Wagner whose values start at 0, and whose beta is counted in the unit of reward."
    class FromZero(Cell):
        params, state = dict(alpha=Param(.3, 0, 1), beta=Param(1 / by, 0, 20 / by)), ('q',)
        def init(p, state): pass
        def logits(p, state, trial): return p.beta * state.q
        def update(p, state, trial):
            state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])
    return FromZero()


def scale():
    """One data set in thirteen units of reward: what `fit` and `fit_hierarchical` say, and its largest difference
    from the unit 1."""
    base = simulate(from_zero(1.), BanditsDrift(sigma=.1), dict(alpha=.3, beta=3.), people=10, n_trials=200, seed=3)
    rows = []
    for by in 10.**np.arange(-6, 7):
        alone, together = (f(from_zero(by), in_units(base, by), threads=1) for f in (fit, fit_hierarchical))
        se = np.c_[
            alone.table[['se_alpha']],
            alone.table[['se_beta']] * by,
            together.table[['se_alpha']],
            together.table[['se_beta']] * by,
        ]
        rows.append(dict(by=by, nll=alone.nll.sum(), evidence=together.log_likelihood, se=se))
    one = rows[6]
    return pd.DataFrame(
        [
            dict(
                by=r['by'],
                nll_off=abs(r['nll'] - one['nll']),
                evidence_off=abs(r['evidence'] - one['evidence']),
                largest_se_ratio_off=np.nanmax(abs(r['se'] / one['se'] - 1)),
                se_missing=int(np.isnan(r['se']).sum()),
            )
            for r in rows
        ]
    )


PEOPLE = dict(natural=dict(alpha=(.2, .06), beta=(3.5, .7)), line=dict(alpha=(-.6, .9), beta=(-1.2, .5)))


def population(kind, n, rng):
    "Parameters of n people: normal as they are (within bounds), or normal on the line."
    x = rng.normal(*zip(*PEOPLE[kind].values()), (n, 2))
    x = np.clip(x, (.03, 1), (.7, 7)) if kind == 'natural' else from_line(x, list(RescorlaWagner.params.values()))
    return pd.DataFrame(x, columns=list(RescorlaWagner.params))


def one_coverage(kind, n, n_trials, seed, means):
    "Which intervals of one data set hold the truth, how wide they are, and errors."
    rng = np.random.default_rng([seed, n, n_trials])
    truth, p = population(kind, n, rng), np.where(np.arange(n_trials) // 50 % 2 == 0, .8, .2)
    reward = (rng.random((n, n_trials, 2)) < np.stack([p, 1 - p], 1)).astype(float).reshape(-1, 2)
    who = np.repeat(np.arange(n), n_trials)
    choice = play(RescorlaWagner(), truth, Trials.from_arrays(np.zeros(len(who), int), reward, who), seed=rng)[0]
    trials = Trials.from_arrays(choice, reward[np.arange(len(who)), choice], who)
    found, cpu_s = timed(lambda: fit_hierarchical(RescorlaWagner(), trials, threads=1))
    rows = []
    for q in RescorlaWagner.params:
        low, high = found.table[f'lower_{q}'].to_numpy(), found.table[f'upper_{q}'].to_numpy()
        group = found.means.loc[(q, 'everybody')]
        rows.append(
            dict(
                population=kind,
                people=n,
                trials=n_trials,
                parameter=q,
                person=((low <= truth[q]) & (truth[q] <= high)).mean(),
                width=(high - low).mean(),
                squared_error=((found.table[q] - truth[q]) ** 2).mean(),
                group_mean=float(group.lower <= means[q] <= group.upper),
                group_width=group.upper - group.lower,
                cpu_s=cpu_s,
            )
        )
    return rows


def coverage():
    "Coverage of 95 % intervals of people and of group means, their widths, and RMSE."
    rows, times = [], int(os.environ.get('COVERAGE', TIMES))
    for kind in PEOPLE:
        means = pd.DataFrame(
            to_line(
                population(kind, 400_000, np.random.default_rng(1)).to_numpy(), list(RescorlaWagner.params.values())
            ),
            columns=list(RescorlaWagner.params),
        ).mean()
        rows += [
            row
            for n, n_trials in ((15, 150), (8, 100), (30, 60))
            for seed in range(times)
            for row in one_coverage(kind, n, n_trials, seed, means)
        ]
    by = ['population', 'people', 'trials', 'parameter']
    t = (
        pd.DataFrame(rows)
        .groupby(by, sort=False)
        .agg(
            data_sets=('person', 'size'),
            person=('person', 'mean'),
            person_se=('person', 'sem'),
            width=('width', 'mean'),
            rmse=('squared_error', lambda x: x.mean() ** .5),
            group_mean=('group_mean', 'mean'),
            group_width=('group_width', 'mean'),
            cpu_s=('cpu_s', 'mean'),
        )
    )
    return t.reset_index()


def growth():
    "Seconds and largest memory of a fit of 100 … 100,000 people with 20 trials, each in a process of its own."
    script = (
        "import sys, time, resource, numpy as np; from spice_rl import *; n = int(sys.argv[1]); rng = "
        "np.random.default_rng(0); "
        "z = np.c_[rng.normal(-.5, 1, n), rng.normal(-1.2, .5, n)]; P = list(RescorlaWagner.params.values()); import "
        "pandas as pd; "
        "t = simulate(RescorlaWagner(), BanditsDrift(), pd.DataFrame(from_line(z, P), columns=['alpha', 'beta']), "
        "n_trials=20, seed=1, threads=1); "
        "fit_hierarchical(RescorlaWagner(), t.take(list(t.participants[:50])), threads=1); m0 = "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; s = time.process_time(); f = "
        "fit_hierarchical(RescorlaWagner(), t, threads=1); "
        "print(time.process_time() - s, m0 / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "
        "f.table.converged.all(), *f.means['mean'])"
    )
    rows = []
    for n in (100, 1000, 10_000, 100_000):
        run = subprocess.run(
            [sys.executable, '-c', script, str(n)], capture_output=True, text=True, check=True
        ).stdout.split()
        rows.append(
            dict(
                people=n,
                cpu_s=float(run[0]),
                mb_before=float(run[1]),
                mb_largest=float(run[2]),
                converged=run[3] == 'True',
                mean_alpha=float(run[4]),
                mean_beta=float(run[5]),
            )
        )
    return pd.DataFrame(rows)


def real():
    """101 people, fitted on seven blocks, judged on blocks 2 and 8: exp(-NLL/n) there, evidence, and CPU seconds, by
    model, covariance and seed."""
    if not (SHARED / 'data/dezfouli2019_train.csv.gz').exists(): return pd.DataFrame()
    sys.path.insert(0, str(SHARED / 'prototypes'))
    import stay_cells as cells
    table = pd.read_csv(SHARED / 'data/dezfouli2019_train.csv.gz')
    seen, left_out = (read_trials(table[table.block.isin([2, 8]) == out], block='block') for out in (False, True))
    rows = []
    for cell in (cells.Q, cells.Asym, cells.Forget, cells.Persev, cells.Stay4, cells.Stay9, cells.GQL):
        fit_hierarchical(cell(), seen.take(list(seen.participants[:3])), threads=1)   # compiled
        for covariance in ('diagonal', 'full'):
            for seed in range(int(os.environ.get('SEEDS', 5))):
                found, cpu_s = timed(
                    lambda: fit_hierarchical(cell(), seen, seed=seed, covariance=covariance, threads=1)
                )
                judged = np.exp(-nll(cell(), found.parameters, left_out).sum() / left_out.counted.sum())
                rows.append(
                    dict(
                        model=cell.__name__,
                        parameters=len(cell.params),
                        covariance=covariance,
                        seed=seed,
                        evidence=found.log_likelihood,
                        left_out=judged,
                        converged=bool(found.table.converged.all()),
                        cpu_s=cpu_s,
                    )
                )
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


PARTS = dict(
    speed=speed,
    groups=groups,
    correlated=correlated,
    correlations=correlations,
    points=points,
    scale=scale,
    coverage=coverage,
    growth=growth,
    real=real,
)


def main():
    RESULTS.mkdir(exist_ok=True)
    for part in sys.argv[1:] or PARTS:
        if part not in PARTS: raise SystemExit(f"there is no part {part!r}; there are {', '.join(PARTS)}")
        if part == 'speed' and not GOLDEN.exists():
            print(f'{GOLDEN} is not here: no timing')
            continue
        table = PARTS[part]()
        table.to_csv(
            RESULTS / f'hierarchy_{part}.csv', index=False, float_format='%.9g' if part in ('speed', 'real') else '%.4g'
        )
        print(table.round(3).to_string())


if __name__ == '__main__': main()
