"""Real people: hBayesDM's example data (20 people × 100 trials, two arms, outcome ±1), read from ../shared where it is
there. Run: make bench

Compares, in NLL a choice: guessing, a two-parameter Rescorla-Wagner rule fitted by maximum likelihood with the engine
(one for all; one per person), the network, and the equation of the regression, before it is refined on the choices.
Writes results/people.csv and results/people_equation.txt.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
from pathlib import Path
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from spice_rl import AgentQ, FORGETTING_CONFIG, ForgettingRNN, Lanes, RESCORLA_WAGNER_CONFIG, RescorlaWagnerRNN
from spice_rl import SpiceEstimator, read_trials

RESULTS = Path(__file__).parent / 'results'
DATA = Path(__file__).parents[2] / 'shared' / 'data' / 'bandit2arm.tsv'


def fit_rescorla_wagner(trials, who):
    """Maximum-likelihood learning rate and inverse temperature of these people together, from nine starts: (nll,
    alpha, beta)."""
    agent = AgentQ()
    lanes, names = Lanes(agent, trials), list(agent.params)
    theta = np.tile([agent.values[n] for n in names], (len(who), 1))
    rates, beta = [names.index('alpha_reward'), names.index('alpha_penalty')], names.index('beta_reward')

    def total(x):
        theta[:, rates], theta[:, beta] = x[0], x[1]
        return lanes.nll(theta, who).sum()
    fits = [
        minimize(total, [a, b], bounds=[(0, 1), (0, 50)], method='L-BFGS-B')
        for a in (.1, .4, .8)
        for b in (.5, 2, 6)
    ]
    best = min(fits, key=lambda f: f.fun)
    return best.fun, *best.x


def main():
    if not DATA.exists(): return print(f"{DATA} is not here: this benchmark needs the example data of hBayesDM")
    trials = read_trials(DATA, participant='subjID', choice='choice', reward='outcome', trial='trial')
    dataset = trials.to_dataset()
    n, everyone = trials.n_counted - trials.n_sessions, np.arange(trials.n_participants)
    first = trials.n_sessions * np.log(2)  # everybody's first choice is a coin toss, and networks do not predict it
    rows = [dict(model='guessing', parameters=0, nll=n * np.log(2))]
    together, alpha, beta = fit_rescorla_wagner(trials, everyone)
    rows.append(
        dict(
            model=f'Rescorla-Wagner, one for all (alpha {alpha:.2f}, beta {beta:.2f})',
            parameters=2,
            nll=together - first,
        )
    )
    each = sum(fit_rescorla_wagner(trials, np.array([i]))[0] for i in everyone)
    rows.append(dict(model='Rescorla-Wagner, one per person', parameters=2 * len(everyone), nll=each - first))
    texts = []
    for name, network, config in [
        ('rescorla-wagner', RescorlaWagnerRNN, RESCORLA_WAGNER_CONFIG),
        ('forgetting', ForgettingRNN, FORGETTING_CONFIG),
    ]:
        estimator = SpiceEstimator(network, config, refine=False, wide=False).fit(dataset.xs, dataset.ys)
        scores = estimator.scores(dataset.xs, dataset.ys).nll_per_choice
        k = int(estimator.regression_.table.query('chosen').terms.iloc[0])
        rows += [
            dict(model=f'network ({name})', parameters=np.nan, nll=n * scores['network']),
            dict(model=f'equation ({name})', parameters=k, nll=n * scores['equation']),
        ]
        texts.append(f'--model {name}\n{estimator.equation_}\n')
    table = pd.DataFrame(rows)
    table['nll_per_choice'], table['bic'] = table.nll / n, 2 * table.nll + table.parameters * np.log(n)
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / 'people.csv', index=False, float_format='%.6g')
    (RESULTS / 'people_equation.txt').write_text('\n'.join(texts))
    print(table.round(4).to_string(), '\n\n' + '\n'.join(texts))


if __name__ == '__main__': main()
