"""Do the architectures of `precoded` learn what they were made for? Run: make bench, or python
benchmarks/architectures.py [architecture …]

Learners whose mechanisms are known are simulated; the network made for them is trained, an equation is read out of it
and refined on the choices. Judged on other sessions: NLL a choice of learner, network and equation. Where the learner
has an exact equation: are exactly its terms found, and how far are the numbers off, in standard errors? One row per run
in results/architectures.csv, one per number in results/architecture_numbers.csv.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import sys
import time
import warnings
from pathlib import Path
import numpy as np
import pandas as pd
import torch
from spice_rl import AgentQ, BanditsDrift, Cell, Equation, LEARNING_RATE_CONFIG, LearningRateRNN
from spice_rl import PARTICIPANT_EMBEDDING_CONFIG, PERSEVERATION_CONFIG, Param, ParticipantEmbeddingRNN
from spice_rl import PerseverationRNN, Rule, SpiceEstimator, TrainingWarning, Trials, WEINHARDT_2024_CONFIG
from spice_rl import WORKING_MEMORY_CONFIG, Weinhardt2024RNN, WorkingMemoryRNN, create_dataset, refine, replay_arrays
from spice_rl import simulate, softmax

RESULTS = Path(__file__).parent / 'results'
CHOSEN, OTHERS, HABIT = 'x_value_reward_chosen', 'x_value_reward_not_chosen', 'x_value_choice'


class Surprised(Cell):
    "A learning rate that grows with surprise, alpha = sigmoid(-1.5 + 3 |pe|): no polynomial."
    params, state = dict(beta=Param(4., 0, 20)), ('q',)

    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, option): return p.beta * state.q[option]

    def update(p, state, trial):
        pe = trial.reward[trial.choice] - state.q[trial.choice]
        state.q[trial.choice] += pe / (1 + np.exp(1.5 - 3 * abs(pe)))


def two_back():
    "A value, and a habit that follows the last two choices: the second counts twice as much."
    rules = [Rule(CHOSEN, 'x_value_reward', (('c_action', 'action', 1.),), (('c_reward', 'reward'),), ((1, 0), (0, 1))),
             Rule(HABIT, HABIT, (), (('c_action', 'action'), ('x_choice_1', 'x_choice_1')), ((0, 1, 0), (0, 0, 1))),
             Rule('x_choice_1', 'x_choice_1', (), (('c_action', 'action'),), ((0, 1),), (1.,))]
    numbers = {
        'start: x_value_reward': 1.5,
        'start: x_value_choice': 0.,
        'start: x_choice_1': 0.,
        'weight: x_value_reward': 1.,
        'weight: x_value_choice': 1.,
        'weight: x_choice_1': 0.,
        f'{CHOSEN}: {CHOSEN}': .7,
        f'{CHOSEN}: c_reward': .9,
        f'{HABIT}: c_action': .4,
        f'{HABIT}: x_choice_1': .8,
        'x_choice_1: c_action': 1.,
    }
    return Equation(rules, ['x_value_reward', HABIT, 'x_choice_1'], numbers)


def q_terms(alpha, beta, forget=0., beta_choice=0., alpha_choice=1.):
    """The numbers of a Q-learner that starts at .5, as the equation prints them: values counted from where they
    start, if they are forgotten to there; else from 0."""
    out = {f'{CHOSEN}: {CHOSEN}': 1 - alpha, f'{CHOSEN}: c_reward': alpha * beta}
    out |= (
        {f'{CHOSEN}: 1': -alpha * beta / 2, f'{OTHERS}: {OTHERS}': 1 - forget}
        if forget
        else {'start: x_value_reward': beta / 2}
    )
    return out | (
        {f'{HABIT}: {HABIT}': 1 - alpha_choice, f'{HABIT}: c_action': alpha_choice * beta_choice} if beta_choice else {}
    )


def group(seed, n, habit):
    "Different people: keyword arguments of `AgentQ`."
    rng = np.random.default_rng(seed)
    return [
        dict(
            alpha_reward=rng.uniform(.2, .7),
            beta_reward=rng.uniform(3, 6),
            forget_rate=[0., .25][i % 2],
            **(dict(beta_choice=rng.uniform(.7, 1.5), alpha_choice=.5) if habit else {}),
        )
        for i in range(n)
    ]


def world(what, seed):
    """Network, config, number of options, learners (one for each person), sessions a person and the true numbers of
    each (None: no exact equation)."""
    asymmetric = {
        'start: x_value_reward': 1.5,
        f'{CHOSEN}: {CHOSEN}': .8,
        f'{CHOSEN}: c_reward': 1.8,
        f'{CHOSEN}: {CHOSEN} c_reward': -.4,
    }
    if what == 'perseveration':
        return (
            PerseverationRNN,
            PERSEVERATION_CONFIG,
            3,
            [AgentQ(3, alpha_reward=.3, forget_rate=.2, beta_choice=1., alpha_choice=.5)],
            100,
            [q_terms(.3, 3., .2, 1., .5)],
        )
    if what == 'two learning rates':
        return (
            LearningRateRNN,
            LEARNING_RATE_CONFIG,
            2,
            [AgentQ(alpha_reward=.6, alpha_penalty=.2)],
            100,
            [asymmetric],
        )
    if what == 'learning rate follows surprise':
        return LearningRateRNN, LEARNING_RATE_CONFIG, 2, [Surprised()], 100, None
    if what == 'two-back habit':
        return (
            WorkingMemoryRNN,
            WORKING_MEMORY_CONFIG,
            3,
            [two_back()],
            100,
            [
                {
                    k: v
                    for k, v in two_back().row().items()
                    if v and not k.startswith('weight') and not k.startswith('x_choice_1')
                }
            ],
        )
    people = group(seed, 4 if what == 'all of it' else 8, what == 'all of it')
    truth = [
        q_terms(
            p['alpha_reward'], p['beta_reward'], p['forget_rate'], p.get('beta_choice', 0.), p.get('alpha_choice', 1.)
        )
        for p in people
    ]
    if what == 'people differ':
        return ParticipantEmbeddingRNN, PARTICIPANT_EMBEDDING_CONFIG, 2, [AgentQ(**p) for p in people], 25, truth
    return Weinhardt2024RNN, WEINHARDT_2024_CONFIG, 3, [AgentQ(3, **p) for p in people], 15, truth


def sessions(learners, n_options, n_sessions, seed):
    "Choices of all learners as tensors, and the learners' own NLL a choice (from the second choice of a session on)."
    xs, ys, total, n = [], [], 0., 0
    for i, learner in enumerate(learners):
        trials = simulate(learner, BanditsDrift(.2, n_options), n_trials=100, sessions=n_sessions, seed=1000 * seed + i)
        dataset = trials.to_dataset()
        dataset.xs[..., -1] = i
        xs.append(dataset.xs); ys.append(dataset.ys)
        p = softmax(replay_arrays(learner, None, trials)[0])[np.arange(trials.n_trials), trials.choice]
        later = ~np.isin(np.arange(trials.n_trials), trials.starts[:-1])
        total, n = total - np.log(p[later]).sum(), n + later.sum()
    return torch.cat(xs), torch.cat(ys), total / n


def one_run(what, seed):
    "One row about the run, and one for each number."
    network, config, n_options, learners, n_sessions, truth = world(what, seed)
    xs, ys, _ = sessions(learners, n_options, n_sessions, 2 * seed)
    new_xs, new_ys, own = sessions(learners, n_options, 50 // len(learners) + 1, 2 * seed + 1)
    began = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always', TrainingWarning)
        estimator = SpiceEstimator(network, config, n_actions=n_options, seed=seed, refine=False, wide=False).fit(
            xs, ys
        )
    trained = time.process_time()
    people = list(estimator.equation_.coefficients.index)
    estimator.refinement_ = refine(
        estimator.equation_, estimator._trials(xs, ys), by=None if people == ['everybody'] else 'participant'
    )
    estimator.equation_ = estimator.refinement_.equation
    refined, scores = time.process_time(), estimator.scores(new_xs, new_ys).nll_per_choice
    row = dict(
        learner=what,
        network=network.__name__,
        seed=seed,
        people=len(learners),
        choices=int(np.nansum(ys.numpy())),
        own=own,
        network_nll=scores['network'],
        equation_nll=scores['equation'],
        starts=len(estimator.training_.table),
        warned=len(said),
        train_s=trained - began,
        refine_s=refined - trained,
    )
    numbers = []
    for who, true in zip(people, truth or []):
        found = estimator.refinement_._of(estimator.refinement_.estimates, who).set_index('parameter')
        for name in dict.fromkeys([*true, *found.index]):
            numbers.append(
                dict(
                    learner=what,
                    seed=seed,
                    who=who,
                    number=name,
                    true=true.get(name, np.nan),
                    estimate=found.estimate.get(name, np.nan),
                    se=found.se.get(name, np.nan),
                    exact=set(true) == set(found.index),
                )
            )
    return row, numbers


def main(asked):
    plan = [
        (what, seed)
        for seed in range(2)
        for what in asked
        or (
            'perseveration',
            'two learning rates',
            'learning rate follows surprise',
            'two-back habit',
            'people differ',
            'all of it',
        )
    ]
    rows, numbers = [], []
    for what, seed in plan:
        row, more = one_run(what, seed)
        rows, numbers = [*rows, row], [*numbers, *more]
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        RESULTS.mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(RESULTS / 'architectures.csv', index=False, float_format='%.6g')
        pd.DataFrame(numbers).to_csv(RESULTS / 'architecture_numbers.csv', index=False, float_format='%.6g')


if __name__ == '__main__': main(sys.argv[1:])
