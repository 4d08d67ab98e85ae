"""How well is the equation recovered? Run: make bench, or python benchmarks/discovery.py

Simulated learners with known equations (100 sessions × 100 trials of BanditsDrift(.2)) are discovered from their
choices alone. What is judged is the equation of the regression, before it is refined on the choices. One row per fit
goes to results/discovery.csv: the coefficients, the terms that are there, NLL a choice of equation, network and the
learner itself, the starts, CPU seconds.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import time
import warnings
from pathlib import Path
import numpy as np
import pandas as pd
from spice_rl import AgentQ, BanditsDrift, BaseRNN, FORGETTING_CONFIG, ForgettingRNN, RESCORLA_WAGNER_CONFIG
from spice_rl import RescorlaWagnerRNN, SpiceEstimator, Trials, TrainingWarning, create_dataset, replay_arrays, softmax

RESULTS = Path(__file__).parent / 'results' / 'discovery.csv'


class CustomRNN(BaseRNN):
    "The network that the tutorial writes from scratch."
    init_values = {'x_value_reward': 0.5}

    def __init__(self, n_actions, **kwargs):
        super().__init__(n_actions=n_actions)
        self.submodules_rnn['x_value_reward_chosen'] = self.setup_module(input_size=1)

    def forward(self, inputs, prev_state=None, batch_first=False):
        inputs, ids, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        actions, rewards, _, _ = inputs
        for timestep, action, reward in zip(timesteps, actions, rewards):
            self.record_signal('c_action', action)
            self.record_signal('c_reward', reward)
            self.record_signal('x_value_reward_chosen', self.state['x_value_reward'])
            chosen = self.call_module(
                key_module='x_value_reward_chosen', key_state='x_value_reward', action=action, inputs=reward
            )
            self.state['x_value_reward'] = chosen + self.state['x_value_reward'] * (1 - action)
            logits[timestep] = self.state['x_value_reward']
        return self.post_forward_pass(logits, batch_first), self.get_state()


def own_nll(agent, dataset):
    "NLL a choice of the learner itself, on the choices that are predicted (the second of each session to its last)."
    trials = Trials.from_dataset(dataset)
    p = softmax(replay_arrays(agent, None, trials)[0])[np.arange(trials.n_trials), trials.choice]
    first = np.isin(np.arange(trials.n_trials), trials.starts[:-1])
    return -np.log(p[~first]).mean()


def one_fit(learner, network, config, agent, seed):
    "Simulate, discover, and describe the result in one row."
    dataset, _, _ = create_dataset(agent, BanditsDrift(.2), n_trials=100, n_sessions=100, seed=seed)
    began = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always', TrainingWarning)
        estimator = SpiceEstimator(
            network, config, learning_rate=1e-2, epochs=1024, seed=seed, refine=False, wide=False
        ).fit(dataset.xs, dataset.ys)
    seconds = time.process_time() - began
    scores, own = estimator.scores(dataset.xs, dataset.ys).nll_per_choice, own_nll(agent, dataset)
    terms = estimator.get_spice_features()['everybody']
    row = dict(
        learner=learner,
        network=network.__name__,
        seed=seed,
        cpu_s=round(seconds, 2),
        own_nll=own,
        network_nll=scores['network'],
        equation_nll=scores['equation'],
        starts=len(estimator.training_.table),
        replaced=int((~estimator.training_.table.verdict.isin(['best', 'agrees'])).sum()),
        warned=len(said),
    )
    chosen, others = terms['x_value_reward_chosen'], terms.get('x_value_reward_not_chosen', {})
    row |= dict(
        c_1=chosen.get('1', 0.), c_v=chosen.get('x_value_reward_chosen[k]', 0.), c_r=chosen.get('c_reward[k]', 0.)
    )
    return row | dict(u_1=others.get('1', 0.), u_v=others.get('x_value_reward_not_chosen[k]', 0.)) if others else row


def main():
    tutorial = AgentQ(alpha_reward=.3)
    plan = [
        ('alpha .3', net, RESCORLA_WAGNER_CONFIG, tutorial, seed)
        for net in (RescorlaWagnerRNN, CustomRNN)
        for seed in range(20)
    ]
    for name, agent in {
        'alpha .1': AgentQ(alpha_reward=.1),
        'alpha .6': AgentQ(alpha_reward=.6),
        'alpha .3, forgetting .2': AgentQ(alpha_reward=.3, forget_rate=.2),
    }.items():
        plan += [(name, ForgettingRNN, FORGETTING_CONFIG, agent, seed) for seed in range(10)]
    rows = []
    for job in plan:
        rows.append(one_fit(*job))
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS, index=False, float_format='%.6g')


if __name__ == '__main__': main()
