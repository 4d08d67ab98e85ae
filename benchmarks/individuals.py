"""Equations of single people. Run: make bench, or python benchmarks/individuals.py [mixed] [pairs] [spread]

- mixed: two kinds of learner, 50 people of each with one session of 100 trials, one library for all (5 seeds): how many
  people get the terms of their own kind from `individual_equations`; from `search_library` with each person alone
  (2 seeds); and with the kinds' true numbers known, which is the most that these choices can give ->
  results/individuals_mixed.csv
- pairs: two people, one of each kind, 50 sessions of 100 trials each (10 seeds): whose equation has exactly the true
  terms -> results/individuals_pairs.csv
- spread: 60 people of one kind with rates and temperatures of their own, 200 trials each (5 seeds): the terms of one
  equation for everybody and of `individual_equations`, and how far each person's alpha is from the truth, beside
  maximum likelihood and a hierarchical fit of the true model -> results/individuals_spread.csv
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import sys
import time
from pathlib import Path
import numpy as np
import pandas as pd
from spice_rl import AgentQ, BanditsDrift, Cell, Param, search_library, fit, fit_hierarchical, individual_equations, nll
from spice_rl import read_trials, simulate
from spice_rl.discovery.equation import CHOSEN, OTHERS
from spice_rl.discovery.structures import VALUE

RESULTS = Path(__file__).parent / 'results'
SLOW = AgentQ(alpha_reward=.2)
MIXED = {
    'alpha .2 / alpha .6': (SLOW, AgentQ(alpha_reward=.6)),
    'alpha .2 / alpha .6 with forgetting .2': (SLOW, AgentQ(alpha_reward=.6, forget_rate=.2)),
}
START, ONE, OWN, REWARD = f'start: {VALUE}', f'{CHOSEN}: 1', f'{CHOSEN}: {CHOSEN}', f'{CHOSEN}: c_reward'
OTHER, OTHER_ONE = f'{OTHERS}: {OTHERS}', f'{OTHERS}: 1'
ORIGIN = {START, ONE, OTHER_ONE}   # where values are counted from: 100 choices of one person do not tell


def save(frame, name):
    frame.to_csv(RESULTS / f'individuals_{name}.csv', index=False, float_format='%.5g')
    print(frame.to_string(), flush=True)


def mixture(cells, seed, people=50, sessions=1):
    parts = [
        simulate(
            cell, BanditsDrift(sigma=.2), people=people, sessions=sessions, n_trials=100, seed=2 * seed + i
        ).to_frame()
        for i, cell in enumerate(cells)
    ]
    return read_trials(
        pd.concat(
            [p.assign(participant=f'{i} ' + p.participant.astype(str)) for i, p in enumerate(parts)], ignore_index=True
        ),
        block='session',
    )


def terms(equation, who):
    "The terms of a participant that change something, without those of the origin."
    row, there = equation.row(who), set()
    for r in equation.equation_rules:
        own = (1,) + (0,) * len(r.signals)
        there |= {r.parameter(t) for t in r.terms if row[r.parameter(t)] != float(t == own)}
    return there - ORIGIN


def right(equation, trials, cells):
    "Share of people whose terms are those of their own learner."
    true = [{OWN, REWARD} | ({OTHER} if c.values['forget_rate'] > 0 else set()) for c in cells]
    return np.mean([terms(equation, who) == true[int(who[0])] for who in trials.participants])


def rates(equation, trials):
    "alpha of each participant, as far as the equation is a learning rule."
    read = [equation.as_rl(who).parameters.value for who in trials.participants]
    return np.array([r.get('alpha', np.nan) for r in read])


def mixed():
    rows = []
    for what, cells in MIXED.items():
        for seed in range(5):
            trials, began = mixture(cells, seed), time.process_time()
            found = individual_equations(trials)
            spent, kind = time.process_time() - began, np.array([int(w[0]) for w in trials.participants])
            known = np.stack([nll(c, trials=trials) for c in cells], 1).argmin(1)
            of_kind = pd.crosstab(kind, found.people.kind.to_numpy())
            row = dict(
                learners=what,
                seed=seed,
                kinds=len(found.kinds),
                right_terms=right(found.equation, trials, cells),
                right_kind=of_kind.max(axis=1).sum() / len(kind) if len(found.kinds) > 1 else .5,
                kind_if_all_were_known=(known == kind).mean(),
                cpu_s=spent,
            )
            true = np.array([c.values['alpha_reward'] for c in cells])[kind]
            row['alpha_rmse'] = np.sqrt(np.nanmean((rates(found.equation, trials) - true)**2))
            if seed < 2:
                alone = search_library(trials, by='participant').equation
                row |= dict(
                    right_terms_alone=right(alone, trials, cells),
                    alpha_rmse_alone=np.sqrt(np.nanmean((rates(alone, trials) - true) ** 2)),
                    no_alpha_alone=np.isnan(rates(alone, trials)).mean(),
                )
            rows.append(row)
            print(row, flush=True)
    save(pd.DataFrame(rows), 'mixed')


def pairs():
    rows = []
    for what, cells in MIXED.items():
        for seed in range(10):
            trials = mixture(cells, seed, people=1, sessions=50)
            found = search_library(trials, by='participant')
            for who, cell in zip(trials.participants, cells):
                names = set(found.estimates.query('who == @who').parameter)
                exact = {START, OWN, REWARD} if cell.values['forget_rate'] == 0 else {ONE, OWN, REWARD, OTHER}
                alpha = found.as_rl(who).parameters
                rows.append(
                    dict(
                        learners=what,
                        seed=seed,
                        who=who,
                        exact=names == exact,
                        right_terms=names - ORIGIN == exact - ORIGIN,
                        alpha=alpha.value.get('alpha', np.nan),
                        se=alpha.se.get('alpha', np.nan),
                        true=cell.values['alpha_reward'],
                    )
                )
    save(pd.DataFrame(rows), 'pairs')


class OneRate(Cell):
    "Q-learning with one rate (Watkins & Dayan, 1992)."
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3, 0, 50))
    state = 'q',
    def init(p, state): state.q[:] = .5
    def logits(p, state, trial): return p.beta * state.q
    def update(p, state, trial):
        c = trial.choice
        state.q[c] += p.alpha * (trial.reward[c] - state.q[c])


def spread():
    rows = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        true = pd.DataFrame(dict(alpha=rng.beta(4, 6, 60), beta=rng.gamma(9, 1 / 3, 60)))
        trials = simulate(OneRate(), BanditsDrift(sigma=.2), true, n_trials=200, seed=seed)
        pooled, began = search_library(trials), time.process_time()
        found = individual_equations(trials)
        row = dict(
            seed=seed,
            cpu_s=time.process_time() - began,
            kinds=len(found.kinds),
            right_pooled=terms(pooled.equation, None) == {OWN, REWARD},
            pooled_more='; '.join(sorted(terms(pooled.equation, None) - {OWN, REWARD})),
            right=np.mean([terms(found.equation, who) == {OWN, REWARD} for who in trials.participants]),
        )
        error = lambda alpha: np.sqrt(np.nanmean((alpha - true.alpha.to_numpy())**2))
        row |= dict(
            alpha_rmse=error(rates(found.equation, trials)),
            alpha_rmse_true_model=error(fit(OneRate(), trials).parameters.alpha.to_numpy()),
            alpha_rmse_true_model_hierarchical=error(fit_hierarchical(OneRate(), trials).parameters.alpha.to_numpy()),
        )
        about = found.spread().loc[found.kinds.index[0], 'alpha']
        rows.append(
            row
            | dict(
                sd_found=about.sd, sd_true=true.alpha.std(ddof=0), mean_found=about['mean'], mean_true=true.alpha.mean()
            )
        )
        print(rows[-1], flush=True)
    save(pd.DataFrame(rows), 'spread')


if __name__ == '__main__':
    for part in sys.argv[1:] or ['mixed', 'pairs', 'spread']: dict(mixed=mixed, pairs=pairs, spread=spread)[part]()
