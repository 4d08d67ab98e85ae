"""Model selection when there is nothing to find, and when there is. Run: make bench

People follow models of given frequencies; each person's evidences are exact (a data point from a normal distribution
around the model's own axis, `APART` standard deviations from the origin). Writes results/selection_null.csv: 500 data
sets each in which all models are equally frequent, and 500 in which frequencies are drawn uniformly, by numbers of
models and people; results/selection_risk.csv: half of each kind together, cut by the omnibus risk that was reported:
how many of them were equal in truth; the same for two groups of 25 people, half of them with the same frequencies.
Beside each, the probability by exact summation in place of free energies.

Models and people at once (`fit_hbi`), people × 200 trials of a two-armed bandit with drifting rewards, Q-learning with
one learning rate or two (the design of Piray et al., 2019): results/selection_hbi.csv, 20 data sets each of 30/10,
20/20 and 10/30 people, against MAP fits + BIC + `select_models` and separate hierarchical fits + `select_models`;
errors are those of the group's mean on the line from the mean of those who follow the model; `covered`: share of 95 %
intervals of means that hold the mean of the population; results/selection_hbi_null.csv: protected exceedance
probabilities where there is nothing to find, 20 data sets each (20/20 people; two models that differ in the starting
value, on data of guessing). results/selection_hbi_time.csv: CPU seconds, compiled, 60 people × 200 trials.
"""
import os
import time
os.environ.setdefault('OMP_NUM_THREADS', '1')
from itertools import product
from pathlib import Path
import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, gammaln, logsumexp
from spice_rl import BanditsDrift, Cell, Param, RescorlaWagner, compare, fit, fit_hbi, fit_hierarchical, from_line
from spice_rl import read_trials, select_models, simulate, to_line

RESULTS = Path(__file__).parent / 'results'
APART, SETS = 2., 500


def simulate_evidence(rng, frequencies, people):
    "Log evidences (people, models) of people who follow models of these frequencies."
    model = rng.choice(len(frequencies), people, p=frequencies)
    y = rng.standard_normal((people, len(frequencies)))
    y[np.arange(people), model] += APART
    return APART * y


def exact_evidence(L):
    """Log probability of all data with unknown frequencies, uniform a priori: summed over how many people follow
    each model."""
    people, models = L.shape
    # log sum over assignments, by the numbers of people of all models but the last
    total = np.zeros((1,) * (models - 1))
    for i, row in enumerate(L):
        grown = np.full((i + 2,) * (models - 1), -np.inf)
        same = (slice(0, i + 1),) * (models - 1)
        grown[same] = total + row[-1]
        for k in range(models - 1):
            up = tuple(slice(1, i + 2) if j == k else slice(0, i + 1) for j in range(models - 1))
            grown[up] = np.logaddexp(grown[up], total + row[k])
        total = grown
    counts = np.stack(np.meshgrid(*[np.arange(people + 1)] * (models - 1), indexing='ij'))
    last = people - counts.sum(0)
    fits = last >= 0
    weight = gammaln(counts[:, fits] + 1).sum(0) + gammaln(last[fits] + 1) + gammaln(models) - gammaln(people + models)
    return logsumexp(total[fits] + weight)


def run(rng, models, people, equal):
    frequencies = np.full(models, 1 / models) if equal else rng.dirichlet(np.ones(models))
    L = simulate_evidence(rng, frequencies, people)
    found = select_models(pd.DataFrame(L, columns=[f'm{k}' for k in range(models)]))
    t = found.models.loc['full']
    exact = expit((logsumexp(L, axis=1) - np.log(models)).sum() - exact_evidence(L)) if models < 4 else np.nan
    return dict(
        models=models,
        people=people,
        equal=equal,
        risk=found.risks.models['full'],
        exact_risk=exact,
        first_exceedance=t.exceedance.iloc[0],
        first_protected=t.protected.iloc[0],
        top_exceedance=t.exceedance.max(),
        top_protected=t.protected.max(),
        top_is_right=t.protected.to_numpy().argmax() == frequencies.argmax(),
    )


def run_groups(rng, models, same, people=25):
    first = rng.dirichlet(np.ones(models))
    L = np.concatenate(
        [simulate_evidence(rng, f, people) for f in (first, first if same else rng.dirichlet(np.ones(models)))]
    )
    found = select_models(
        pd.DataFrame(L, columns=[f'm{k}' for k in range(models)]), groups=dict(enumerate(np.repeat(['a', 'b'], people)))
    )
    return dict(
        equal=same,
        risk=found.same.probability[0],
        exact_risk=expit(exact_evidence(L) - exact_evidence(L[:people]) - exact_evidence(L[people:])),
    )


def cut(rows, kind):
    "How often it was true, by the probability that was reported (five equal parts)."
    each = lambda column: (
        rows.groupby(np.floor(rows[column] * 5).clip(upper=4) / 5)
        .agg(sets=('equal', 'size'), mean_probability=(column, 'mean'), true=('equal', 'mean'))
        .rename_axis('reported_from')
        .reset_index()
    )
    return pd.concat(
        [
            each('risk').assign(question=kind, by='free energy'),
            each('exact_risk').assign(question=kind, by='exact summation'),
        ]
    )


class Two(Cell):
    "Q-learning, a learning rate for good news and one for bad news"
    params = dict(up=Param(.5, 0, 1), down=Param(.5, 0, 1), beta=Param(3., 0, 20))
    state = 'q',
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, k): return p.beta * state.q[k]
    def update(p, state, trial):
        pe = trial.reward[trial.choice] - state.q[trial.choice]
        state.q[trial.choice] += (p.up if pe > 0 else p.down) * pe


class Low(RescorlaWagner):
    "As `RescorlaWagner`, but nothing is expected at first"
    def init(p, state): state.q[:] = 0.


class Bias(Cell):
    "A preference for the second option"
    params = dict(bias=Param(0.))
    state = 'w',
    def init(p, state): state.w[:] = 0.
    def logit(p, state, trial, k): return p.bias * k
    def update(p, state, trial): pass


PRIORS = dict(
    alpha=stats.beta(1.1, 1.1), up=stats.beta(1.1, 1.1), down=stats.beta(1.1, 1.1), beta=stats.gamma(1.2, scale=5)
)
CELLS = dict(one=RescorlaWagner(), two=Two())
GROUP = dict(one=([-.5, -1.2], [.8, .5]), two=([1., -2., -1.2], [.6, .6, .5]))   # means and sds on the line


def learners(seed, people, n_trials=200): # people: how many follow each model, a dict
    "Choices of people of these groups, and their parameters on the line."
    rng, frames, lines = np.random.default_rng(seed), [], {}
    for m, n in people.items():
        lines[m] = pd.DataFrame(rng.normal(*GROUP[m], (n, len(GROUP[m][0]))), columns=list(CELLS[m].params))
        truth = pd.DataFrame(
            from_line(lines[m].to_numpy(), list(CELLS[m].params.values())), columns=list(CELLS[m].params)
        )
        frame = simulate(
            CELLS[m], BanditsDrift(.15), truth, n_trials=n_trials, seed=int(rng.integers(2**31))
        ).to_frame()
        frames.append(frame.assign(participant=m + frame.participant.astype(str)))
    return read_trials(
        pd.concat(frames, ignore_index=True), participant='participant', choice='choice', reward='reward'
    ), lines


def separate(comparison):
    "Frequencies and protected exceedance probabilities, and who follows which model, from separate fits."
    found = select_models(comparison)
    return found.models.loc['full'], found.best().model


def compare_ways(seed, people):
    "Frequencies, attribution and errors of the groups' means: three ways on one data set."
    trials, lines = learners(seed, people)
    hbi = fit_hbi(CELLS, trials)
    alone = {m: fit_hierarchical(c, trials, name=m) for m, c in CELLS.items()}
    each = {m: fit(c, trials, name=m, starts=1, priors={p: PRIORS[p] for p in c.params}) for m, c in CELLS.items()}
    medians = {
        m: pd.DataFrame(
            dict(
                mean=to_line(f.parameters.median().to_numpy(), list(f.cell.params.values())), lower=np.nan, upper=np.nan
            ),
            list(f.cell.params),
        )
        for m, f in each.items()
    }
    ways = {'HBI': (hbi.models, hbi.assigned, {m: f.means for m, f in hbi.fits.items()}),
            'hierarchical fits, then BMS':
                (*separate(compare(list(alone.values()))), {m: f.means.droplevel('group') for m, f in alone.items()}),
            'MAP, BIC, then BMS': (*separate(compare(list(each.values()))), medians)}
    true = pd.Series(
        [m for m, n in people.items() for _ in range(n)], [f'{m}{i}' for m, n in people.items() for i in range(n)]
    )
    out = []
    for way, (models, assigned, means) in ways.items():
        errors = {f'{m}.{p}': means[m]['mean'][p] - lines[m][p].mean() for m in people for p in lines[m]}
        held = {
            m: np.mean([means[m].lower[p] < mu < means[m].upper[p] for p, mu in zip(lines[m], GROUP[m][0])])
            if means[m].lower.notna().all()
            else np.nan
            for m in people
        }
        out.append(
            dict(
                people='/'.join(map(str, people.values())),
                way=way,
                frequency_one=models.frequency['one'],
                protected_one=models.protected['one'],
                protected_right=models.protected[max(people, key=people.get)],
                attributed=(assigned == true.reindex(assigned.index)).mean(),
                covered_one=held['one'],
                covered_two=held['two'],
                **errors,
            )
        )
    return out


def nothing_to_find(seed, kind):
    "The protected and plain exceedance probability of the first model, and the omnibus risk."
    if kind == '20/20 people':
        cells, trials = CELLS, learners(seed, dict(one=20, two=20))[0]
    else:
        cells, trials = (
            dict(one=RescorlaWagner(), low=Low()),
            simulate(Bias(), BanditsDrift(.15), pd.DataFrame(dict(bias=np.zeros(40))), n_trials=200, seed=seed),
        )
    found = fit_hbi(cells, trials)
    first = found.models.iloc[0]
    return dict(
        kind=kind,
        first_exceedance=first.exceedance,
        first_protected=first.protected,
        top_exceedance=found.models.exceedance.max(),
        top_protected=found.models.protected.max(),
        frequency=first.frequency,
        risk=found.risk,
    )


def write(name, table):
    table.to_csv(RESULTS / f'selection_{name}.csv', index=False, float_format='%.4g')
    print(table.round(3).T.to_string(), flush=True)


def hbi_null(sets=20):
    null = pd.DataFrame(
        [
            nothing_to_find(seed, kind)
            for kind in ('20/20 people', 'two starting values, guessing')
            for seed in range(sets)
        ]
    )
    by = null.groupby('kind', sort=False)
    over = by[['top_exceedance', 'top_protected']].agg(lambda x: (x > .95).mean()).add_suffix('_over_95')
    write(
        'hbi_null',
        by[['first_exceedance', 'first_protected', 'top_exceedance', 'top_protected', 'frequency', 'risk']]
        .mean()
        .join(over)
        .reset_index(),
    )


def hbi_time():
    trials, spent = learners(0, dict(one=45, two=15))[0], []
    for models in (CELLS, CELLS | dict(bias=Bias())):
        fit_hbi(models, trials)
        start = time.process_time()
        for seed in range(3): fit_hbi(models, trials, seed=seed)
        spent.append(dict(models=len(models), people=60, n_trials=200, cpu_seconds=(time.process_time() - start) / 3))
    write('hbi_time', pd.DataFrame(spent))


def hbi_ways(sets=20):
    rows = pd.DataFrame(
        [
            row
            for seed in range(sets)
            for people in (dict(one=30, two=10), dict(one=20, two=20), dict(one=10, two=30))
            for row in compare_ways(seed, people)
        ]
    )
    by, errors = rows.groupby(['people', 'way'], sort=False), [c for c in rows if '.' in c]
    table = (
        by[['frequency_one', 'protected_one', 'protected_right', 'attributed', 'covered_one', 'covered_two']]
        .mean()
        .join(by[errors].mean().add_prefix('bias '))
        .join(by[errors].agg(lambda x: (x**2).mean() ** .5).add_prefix('rmse '))
    )
    write('hbi', table.reset_index())


def main():
    RESULTS.mkdir(exist_ok=True)
    hbi_time()
    hbi_null()
    hbi_ways()
    evidences()


def evidences():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [
            run(rng, models, people, equal)
            for models, people, equal in product((2, 3, 5), (20, 50), (True, False))
            for _ in range(SETS)
        ]
    )
    by = rows.groupby(['models', 'people', 'equal'])
    table = (
        by[['first_exceedance', 'first_protected', 'risk', 'exact_risk']]
        .mean()
        .join(by[['top_exceedance', 'top_protected']].agg(lambda x: (x > .95).mean()).add_suffix('_over_95'))
    )
    said = (
        rows[rows.top_protected > .95]
        .groupby(['models', 'people', 'equal'])
        .top_is_right.mean()
        .where(lambda s: ~s.index.get_level_values('equal'))
    )
    table = table.assign(right_where_over_95=said).reset_index()
    groups = pd.DataFrame(
        [run_groups(rng, models, same) for models, same in product((2, 3), (True, False)) for _ in range(SETS)]
    )
    bins = pd.concat([cut(rows[rows.models < 4], 'all models equally frequent'), cut(groups, 'two groups alike')])
    table.to_csv(RESULTS / 'selection_null.csv', index=False, float_format='%.4g')
    bins.to_csv(RESULTS / 'selection_risk.csv', index=False, float_format='%.4g')
    print(table.round(3).to_string(), '\n\n' + bins.round(3).to_string())


if __name__ == '__main__': main()
