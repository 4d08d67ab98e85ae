"""Model selection when there is nothing to find, and when there is. Issue 6, "must be shown" 3. Run: make bench

People follow models of given frequencies; each person's evidences are exact (a data point from a normal distribution around the model's own axis, `APART` standard deviations from the origin). Writes
results/selection_null.csv: 500 data sets each in which all models are equally frequent, and 500 in which frequencies are drawn uniformly, by numbers of models and people;
results/selection_risk.csv: half of each kind together, cut by the omnibus risk that was reported: how many of them were equal in truth; the same for two groups of 25 people, half of them with the same frequencies.
Beside each, the probability by exact summation in place of free energies.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
from itertools import product
from pathlib import Path
import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, logsumexp
from spice_rl import select_models

RESULTS = Path(__file__).parent / 'results'
APART, SETS = 2., 500


def simulate_evidence(rng, frequencies, people):
    "Log evidences (people, models) of people who follow models of these frequencies."
    model = rng.choice(len(frequencies), people, p=frequencies)
    y = rng.standard_normal((people, len(frequencies)))
    y[np.arange(people), model] += APART
    return APART * y


def exact_evidence(L):
    "Log probability of all data with unknown frequencies, uniform a priori: summed over how many people follow each model."
    people, models = L.shape
    total = np.zeros((1,) * (models - 1))  # log sum over assignments, by the numbers of people of all models but the last
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
    return dict(models=models, people=people, equal=equal, risk=found.risks.models['full'], exact_risk=exact, first_exceedance=t.exceedance.iloc[0], first_protected=t.protected.iloc[0],
                top_exceedance=t.exceedance.max(), top_protected=t.protected.max(), top_is_right=t.protected.to_numpy().argmax() == frequencies.argmax())


def run_groups(rng, models, same, people=25):
    first = rng.dirichlet(np.ones(models))
    L = np.concatenate([simulate_evidence(rng, f, people) for f in (first, first if same else rng.dirichlet(np.ones(models)))])
    found = select_models(pd.DataFrame(L, columns=[f'm{k}' for k in range(models)]), groups=dict(enumerate(np.repeat(['a', 'b'], people))))
    return dict(equal=same, risk=found.same.probability[0], exact_risk=expit(exact_evidence(L) - exact_evidence(L[:people]) - exact_evidence(L[people:])))


def cut(rows, kind):
    "How often it was true, by the probability that was reported (five equal parts)."
    each = lambda column: rows.groupby(np.floor(rows[column] * 5).clip(upper=4) / 5).agg(sets=('equal', 'size'), mean_probability=(column, 'mean'), true=('equal', 'mean')).rename_axis('reported_from').reset_index()
    return pd.concat([each('risk').assign(question=kind, by='free energy'), each('exact_risk').assign(question=kind, by='exact summation')])


def main():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([run(rng, models, people, equal) for models, people, equal in product((2, 3, 5), (20, 50), (True, False)) for _ in range(SETS)])
    by = rows.groupby(['models', 'people', 'equal'])
    table = by[['first_exceedance', 'first_protected', 'risk', 'exact_risk']].mean().join(by[['top_exceedance', 'top_protected']].agg(lambda x: (x > .95).mean()).add_suffix('_over_95'))
    said = rows[rows.top_protected > .95].groupby(['models', 'people', 'equal']).top_is_right.mean().where(lambda s: ~s.index.get_level_values('equal'))
    table = table.assign(right_where_over_95=said).reset_index()
    groups = pd.DataFrame([run_groups(rng, models, same) for models, same in product((2, 3), (True, False)) for _ in range(SETS)])
    bins = pd.concat([cut(rows[rows.models < 4], 'all models equally frequent'), cut(groups, 'two groups alike')])
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / 'selection_null.csv', index=False, float_format='%.4g')
    bins.to_csv(RESULTS / 'selection_risk.csv', index=False, float_format='%.4g')
    print(table.round(3).to_string(), '\n\n' + bins.round(3).to_string())


if __name__ == '__main__': main()
