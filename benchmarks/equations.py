"""Can the equation be trusted? Run: make bench, or python benchmarks/equations.py [structures] [sessions] [regression]
[time] [avoidance] [people]

Six learners whose equations are known, simulated with 20 seeds (100 sessions × 100 trials of BanditsDrift(.2)), and
`search_library` with one library for all (degree 2: the chosen option, the others, and a trace of choices):
- structures: which terms are found, how far each number is from the truth beside its Cramér-Rao bound, how often its
  interval holds the truth -> results/equation_structures.csv, equation_numbers.csv
- sessions: the same from 10, 20, 50, 100 and 200 sessions -> results/equation_sessions.csv
- regression: the equation of the network's regression with the same library, before it is refined (five seeds) ->
  results/equation_regression.csv
- time: CPU seconds of the refinement on the tutorial's data -> results/equation_time.csv
- avoidance: the shipped people of the avoidance task, in halves: the equation of one half beside the eight hand-written
  models on the other -> results/equation_avoidance.csv
- people: hBayesDM's example data, the refined equation beside hand-written models, by BIC and by five-fold held-out
  choices -> results/equation_people.csv, equation_pooled.csv
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import sys
import time
from pathlib import Path
import numpy as np
import pandas as pd
from spice_rl import AgentQ, BanditsDrift, BaseRNN, Cell, Param, SpiceConfig, SpiceEstimator, Trials, avoidance_model
from spice_rl import avoidance_models, avoidance_tutorial_files, bandit_library, compare, create_dataset, discover, fit
from spice_rl import nll, pooled_or_apart, read_avoidance, read_trials, refine, simulate, stability
from spice_rl.discovery.equation import CHOSEN, OTHERS
from spice_rl.discovery.structures import TRACE, VALUE, _fit, _Library, _tidy

RESULTS = Path(__file__).parent / 'results'
DATA = Path(__file__).parents[2] / 'shared' / 'data' / 'bandit2arm.tsv'
START, ONE, OWN, REWARD = f'start: {VALUE}', f'{CHOSEN}: 1', f'{CHOSEN}: {CHOSEN}', f'{CHOSEN}: c_reward'
BOTH, OTHER = f'{CHOSEN}: {CHOSEN} c_reward', f'{OTHERS}: {OTHERS}'
FADE, ACT = f'{TRACE}: {TRACE}', f'{TRACE}: c_action'
# Each learner, and its equation in the form that is printed: values start at beta / 2 (a reward of 0 pulls toward 0),
# or at 0 where they are forgotten toward their start.
LEARNERS = {
    'alpha .1': (dict(alpha_reward=.1), {START: 1.5, OWN: .9, REWARD: .3}),
    'alpha .3': (dict(alpha_reward=.3), {START: 1.5, OWN: .7, REWARD: .9}),
    'alpha .6': (dict(alpha_reward=.6), {START: 1.5, OWN: .4, REWARD: 1.8}),
    'alpha+ .6, alpha- .2': (dict(alpha_reward=.6, alpha_penalty=.2), {START: 1.5, OWN: .8, REWARD: 1.8, BOTH: -.4}),
    'alpha .3, forgetting .2': (dict(alpha_reward=.3, forget_rate=.2), {ONE: -.45, OWN: .7, REWARD: .9, OTHER: .8}),
    'alpha .3, perseveration':
        (dict(alpha_reward=.3, beta_choice=1., alpha_choice=.5), {START: 1.5, OWN: .7, REWARD: .9, FADE: .5, ACT: .5}),
}


def save(frame, name):
    frame.to_csv(RESULTS / f'equation_{name}.csv', index=False, float_format='%.5g')
    print(frame.to_string(), flush=True)


def choices(learner, seed, sessions=100):
    return simulate(AgentQ(**LEARNERS[learner][0]), BanditsDrift(sigma=.2), sessions=sessions, n_trials=100, seed=seed)


def exact(trials, true):
    """The true structure, fitted: (`Structure`, Cramér-Rao bound of each number, from the expected information at
    the truth)."""
    library = _Library(_tidy(bandit_library(), trials)[0], [VALUE, TRACE], {VALUE: 1., TRACE: 1.}, trials)
    free, numbers = [library.names.index(n) for n in true], library.base.copy()
    numbers[free] = list(true.values())
    score, there = library.scoring(sorted(free), ())
    bound = dict(
        zip([library.names[j] for j in sorted(free)], np.sqrt(np.diag(np.linalg.inv(score(numbers[there])[2]))))
    )
    return _fit(library, frozenset(free), frozenset(), numbers), bound


def structures():
    "The terms found, each number beside its bound, and the intervals."
    found, numbers = [], []
    for learner, (_, true) in LEARNERS.items():
        for seed in range(20):
            trials, began = choices(learner, seed), time.process_time()
            r = search_library(trials)
            seconds, (truth, bound) = time.process_time() - began, exact(trials, true)
            named = {n: row for n, row in r.estimates.set_index('parameter').iterrows()}
            found.append(
                dict(
                    learner=learner,
                    seed=seed,
                    exact=set(named) == set(true),
                    bic=r.scores.bic.iloc[0],
                    bic_above_exact=r.scores.bic.iloc[0] - truth.bic,
                    cpu_s=seconds,
                    missing='; '.join(sorted(set(true) - set(named))),
                    instead='; '.join(sorted(set(named) - set(true))),
                    within_6_bic=len(r.structures),
                    exact_among_them=any(set(t) == set(true) for t in r.structures.terms),
                )
            )
            for n, value in true.items():
                row = named.get(n)
                numbers.append(
                    dict(
                        learner=learner,
                        seed=seed,
                        exact=set(named) == set(true),
                        number=n,
                        true=value,
                        bound=bound[n],
                        **(
                            dict(estimate=row.estimate, se=row.se, lower=row.lower, upper=row.upper)
                            if row is not None
                            else {}
                        ),
                    )
                )
            print(found[-1], flush=True)
    save(pd.DataFrame(found), 'structures')
    save(pd.DataFrame(numbers), 'numbers')


def sessions():
    "Fewer and more sessions."
    rows = []
    for learner, (_, true) in LEARNERS.items():
        for n in (10, 20, 50, 100, 200):
            for seed in range(20):
                trials = choices(learner, seed, n)
                r, (truth, bound) = search_library(trials), exact(trials, true)
                e = r.estimates.set_index('parameter').estimate
                rows += [
                    dict(
                        learner=learner,
                        sessions=n,
                        seed=seed,
                        exact=set(e.index) == set(true),
                        bic_above_exact=r.scores.bic.iloc[0] - truth.bic,
                        number=k,
                        error=e.get(k, np.nan) - v,
                        bound=bound[k],
                    )
                    for k, v in true.items()
                ]
            print(
                learner,
                n,
                np.mean([row['exact'] for row in rows if row['learner'] == learner and row['sessions'] == n]),
                flush=True,
            )
    save(pd.DataFrame(rows), 'sessions')


class HabitRNN(BaseRNN):
    "The network of the same library: a value with two modules and a trace of choices."
    init_values = {VALUE: .5, TRACE: 0.}

    def __init__(self, n_actions=2, **kwargs):
        super().__init__(n_actions=n_actions, **kwargs)
        for name, size in ((CHOSEN, 1), (OTHERS, 0), (TRACE, 1)):
            self.submodules_rnn[name] = self.setup_module(input_size=size)

    def forward(self, inputs, prev_state=None, batch_first=False):
        inputs, ids, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        actions, rewards, _, _ = inputs
        for timestep, action, reward in zip(timesteps, actions, rewards):
            self.record_signal('c_action', action)
            self.record_signal('c_reward', reward)
            chosen = self.call_module(CHOSEN, VALUE, action=action, inputs=reward)
            self.state[VALUE] = chosen + self.call_module(OTHERS, VALUE, action=1 - action)
            self.state[TRACE] = self.call_module(TRACE, TRACE, action=action * 0 + 1, inputs=action)
            logits[timestep] = self.state[VALUE] + self.state[TRACE]
        return self.post_forward_pass(logits, batch_first), self.get_state()


CONFIG = SpiceConfig(
    rnn_modules=[CHOSEN, OTHERS, TRACE],
    control_parameters=['c_action', 'c_reward'],
    library_setup={CHOSEN: ['c_reward'], OTHERS: [], TRACE: ['c_action']},
    filter_setup={CHOSEN: ['c_action', 1, True], OTHERS: ['c_action', 0, True], TRACE: []},
)


def regression():
    """The network's equation before and after it is refined. Regression counts values from .5, so that there is a
    constant in place of a start."""
    rows = []
    for learner, (options, true) in LEARNERS.items():
        raw = {ONE, *(set(true) - {START}), *([f'{OTHERS}: 1'] if OTHER in true else [])}
        for seed in range(5):
            dataset, _, _ = create_dataset(AgentQ(**options), BanditsDrift(.2), n_trials=100, n_sessions=100, seed=seed)
            e = SpiceEstimator(HabitRNN, CONFIG, seed=seed, spice_library_polynomial_degree=2, wide=False).fit(
                dataset.xs, dataset.ys
            )
            terms, summary = e.regression_.equation.terms(), e.summary()
            changes = {
                f'{m}: {t}'.replace('[k]', '')
                for m, ts in terms.items()
                for t, c in ts.items()
                if not (t == f'{m}[k]' and c == 1)
            }
            refined = dict(zip(e.refinement_.estimates.parameter, e.refinement_.estimates.estimate))
            rows.append(
                dict(
                    learner=learner,
                    seed=seed,
                    exact_regression=changes == raw,
                    exact_refined=set(refined) == set(true),
                    terms_regression=len(changes),
                    terms_refined=len(refined),
                    terms_true=len(true),
                    slope_regression=terms[CHOSEN].get(f'{CHOSEN}[k]', 0.),
                    slope_refined=refined.get(OWN, np.nan),
                    slope_true=true[OWN],
                    bic_regression=summary.bic['equation (regression)'],
                    bic_refined=summary.bic['equation (refined)'],
                    share_kept=summary.share_kept['equation (refined)'],
                )
            )
            print(rows[-1], flush=True)
    save(pd.DataFrame(rows), 'regression')


def seconds(what, work):
    began = time.process_time()
    result = work()
    return result, dict(what=what, cpu_s=time.process_time() - began)


def timing():
    "The refinement on the tutorial's data, once everything is compiled."
    dataset, _, _ = create_dataset(AgentQ(alpha_reward=.3), BanditsDrift(sigma=.2), n_trials=100, n_sessions=100)
    raw = SpiceEstimator(refine=False, wide=False).fit(dataset.xs, dataset.ys).regression_.equation
    trials = Trials.from_dataset(dataset)
    refine(raw, trials.take(sessions=[0, 1]))
    rows = [
        seconds(what, work)[1]
        for what, work in [
            ('refine, the terms of the regression (degree 1)', lambda: refine(raw, trials)),
            ('refine, all terms of degree 2 and a trace', lambda: refine(raw, trials, library=bandit_library())),
            ('discover, with nothing but the library', lambda: search_library(trials)),
            ('stability, 10 draws', lambda: stability(trials, n=10)),
        ]
    ]
    save(pd.DataFrame(rows), 'time')


class Learner(Cell):
    "Q-learning from rewards of -1 and 1, with a rate of its own for each, forgetting, and a trace of choices."
    rate = dict(lower=0., upper=1.)
    params = dict(
        alpha_reward=Param(.3, **rate),
        alpha_penalty=Param(.3, **rate),
        beta=Param(1., 0, 50),
        forget=Param(0., **rate),
        alpha_choice=Param(.5, **rate),
        beta_choice=Param(0., -20, 20),
    )
    state = 'q', 'trace'
    def init(p, state): pass
    def logit(p, state, trial, option): return p.beta * state.q[option] + p.beta_choice * state.trace[option]
    def update(p, state, trial):
        for k in trial.options:
            state.trace[k] += p.alpha_choice * ((k == trial.choice) - state.trace[k])
            if k != trial.choice: state.q[k] -= p.forget * state.q[k]
        r = trial.reward[trial.choice]
        state.q[trial.choice] += (p.alpha_reward if r > 0 else p.alpha_penalty) * (r - state.q[trial.choice])


class OneRate(Learner):
    "The same with one learning rate."
    params = {('alpha' if n == 'alpha_reward' else n): p for n, p in Learner.params.items() if n != 'alpha_penalty'}
    def update(p, state, trial):
        for k in trial.options:
            state.trace[k] += p.alpha_choice * ((k == trial.choice) - state.trace[k])
            if k != trial.choice: state.q[k] -= p.forget * state.q[k]
        state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


NO_TRACE, NO_FORGETTING = dict(alpha_choice=.5, beta_choice=0.), dict(forget=0.)
MODELS = {
    'Q-learning, one rate': (OneRate(), NO_TRACE | NO_FORGETTING),
    'Q-learning, two rates': (Learner(), NO_TRACE | NO_FORGETTING),
    'one rate, forgetting': (OneRate(), NO_TRACE),
    'one rate, perseveration': (OneRate(), NO_FORGETTING),
    'one rate, forgetting, perseveration': (OneRate(), {}),
    'two rates, forgetting, perseveration': (Learner(), {}),
}


def people():
    "One set of numbers for twenty people; folds are people, and the equation's terms are chosen anew in each."
    if not DATA.exists(): return print(f"{DATA} is not here: this part needs the example data of hBayesDM")
    apart = read_trials(DATA, participant='subjID', choice='choice', reward='outcome', trial='trial')
    # all people as one, with a session each
    trials = Trials.from_arrays(apart.choice, apart.reward, None, apart.session, options=apart.options)
    folds = np.array_split(np.random.default_rng(0).permutation(trials.n_sessions), 5)
    learn, judge = zip(
        *(
            (trials.take(sessions=sorted(set(range(trials.n_sessions)) - set(f))), trials.take(sessions=sorted(f)))
            for f in folds
        )
    )
    rows = []
    for name, (cell, hold) in MODELS.items():
        f = fit(cell, trials, hold=hold)
        lost = sum(nll(cell, fit(cell, a, hold=hold).parameters, b).sum() for a, b in zip(learn, judge))
        rows.append(
            dict(
                model=name,
                numbers=int(f.table.k.iloc[0]),
                nll=f.table.nll.iloc[0],
                bic=f.table.bic.iloc[0],
                held_out_nll=lost,
                says=', '.join(f'{n} {f.table[n].iloc[0]:.2f}' for n in f.names),
            )
        )
    for name, library in {'equation, degree 1': bandit_library(1), 'equation, degree 2': bandit_library(2)}.items():
        r = search_library(trials, library)
        lost = sum(nll(search_library(a, library).equation, trials=b).sum() for a, b in zip(learn, judge))
        rows.append(
            dict(
                model=name,
                numbers=int(r.scores.k.iloc[0]),
                nll=r.scores.nll.iloc[0],
                bic=r.scores.bic.iloc[0],
                held_out_nll=lost,
                says=repr(r.as_rl()),
            )
        )
        print(r, r.structures.drop(columns='who').to_string(), flush=True)
    save(pd.DataFrame(rows).sort_values('bic'), 'people')
    save(pooled_or_apart(apart, bandit_library()).reset_index(), 'pooled')


def avoidance():
    "An equation found on one half of the people, beside the eight hand-written models on the other half."
    trials = read_avoidance(*avoidance_tutorial_files())
    ids = list(trials.participants)
    one, two = trials.take(participants=ids[::2]), trials.take(participants=ids[1::2])
    fits = [fit(search_library(one).equation, two, starts=1, name='discovered')]
    fits += [fit(avoidance_model(f'{m}+novel'), two, starts=1, name=f'{m}+novel') for m in avoidance_models()]
    save(compare(fits).ranking().rename_axis('model').reset_index(), 'avoidance')


if __name__ == '__main__':
    parts = dict(
        structures=structures, sessions=sessions, regression=regression, time=timing, avoidance=avoidance, people=people
    )
    for part in sys.argv[1:] or parts: parts[part]()
