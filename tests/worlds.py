"""Small data, cells and trained networks that several test files share. Each is made once, when first asked for."""
from functools import cache

import numpy as np
import torch

from spice_rl.models.bandits import AgentQ, BanditsDrift, create_dataset
from spice_rl.core.cell import Cell
from spice_rl.core.data import Trials
from spice_rl.core.params import Param
from spice_rl.discovery.equation import Equation
from spice_rl.discovery.precoded import LEARNING_RATE_CONFIG, PARTICIPANT_EMBEDDING_CONFIG, PERSEVERATION_CONFIG
from spice_rl.discovery.precoded import RESCORLA_WAGNER_CONFIG, WEINHARDT_2024_CONFIG, WORKING_MEMORY_CONFIG
from spice_rl.discovery.precoded import ForgettingRNN, LearningRateRNN, ParticipantEmbeddingRNN, PerseverationRNN
from spice_rl.discovery.precoded import RescorlaWagnerRNN, Weinhardt2024RNN, WorkingMemoryRNN
from spice_rl.discovery.rnn import BaseRNN
from spice_rl.discovery.sindy import regress
from spice_rl.discovery.training import train


# Parameters of AgentQ that make it Q-learning with a rate for rewards and one for penalties.
HELD = dict(
    alpha_counterfactual_reward=0.,
    alpha_counterfactual_penalty=0.,
    beta_choice=0.,
    alpha_choice=1.,
    forget_rate=0.,
)


class PearceHall(Cell):
    "A learning rate that follows surprise: two latent values, written with whole arrays"
    params = dict(kappa=Param(.5, 0, 1), eta=Param(.3, 0, 1), beta=Param(4., 0, 50))
    state = "q", "surprise"

    def init(p, state):
        state.q[:] = .5
        state.surprise[:] = 1.

    def logits(p, state, trial): return p.beta * state.q

    def update(p, state, trial):
        c = trial.choice
        pe = trial.reward[c] - state.q[c]
        state.q[c] += p.kappa * state.surprise[c] * pe
        state.surprise[c] = (1 - p.eta) * state.surprise[c] + p.eta * abs(pe)


class Coin(Cell):
    "Prefers option 1: nothing is learned, so there is no state"
    params = dict(bias=Param(.7))
    def init(p, state): pass
    def logit(p, state, trial, option): return p.bias if option == 1 else 0.
    def update(p, state, trial): pass


class Rescorla(Cell):
    "Rescorla-Wagner with bounds"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 12))
    state = "q",
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


class TwoRates(Rescorla):
    "Bounds as the golden data were fitted"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 20))


class Q(Rescorla):
    "The same, starting in the middle"
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3., 0, 20))


class Bias(Cell):
    "One number: the logit of the second option"
    params = dict(bias=Param(.5))
    state = "w",
    def init(p, state): state.w[:] = 0.
    def logit(p, state, trial, k): return p.bias * k
    def update(p, state, trial): pass


class PeopleRNN(BaseRNN):
    "Rescorla-Wagner whose module and whose beta depend on the participant"
    init_values = {"x_value_reward": .5}

    def __init__(self, n_actions=2, n_participants=1, **kwargs):
        super().__init__(n_actions=n_actions, n_participants=n_participants, embedding_size=2, **kwargs)
        self.participant_embedding = self.setup_embedding(n_participants, 2)
        self.submodules_rnn["x_value_reward_chosen"] = self.setup_module(input_size=3)
        self.betas["x_value_reward"] = self.setup_constant(2)

    def forward(self, inputs, prev_state=None, batch_first=False):
        inputs, (participant, _), logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        actions, rewards, _, _ = inputs
        embedding = self.participant_embedding(participant)
        beta = self.betas["x_value_reward"](embedding)
        for timestep, action, reward in zip(timesteps, actions, rewards):
            self.record_signal("c_action", action)
            self.record_signal("c_reward", reward)
            chosen = self.call_module(
                "x_value_reward_chosen", "x_value_reward", action=action, inputs=reward, participant_embedding=embedding
            )
            self.state["x_value_reward"] = chosen + self.state["x_value_reward"] * (1 - action)
            logits[timestep] = self.state["x_value_reward"] * beta
        return self.post_forward_pass(logits, batch_first), self.get_state()


PEOPLE_CONFIG = RESCORLA_WAGNER_CONFIG


def messy(trials, seed=0, missing=.1, hidden=.1):
    "The same trials with some choices missing and some rewards hidden"
    rng = np.random.default_rng(seed)
    choice, reward = trials.choice.copy(), trials.reward.copy()
    reward[rng.random(len(choice)) < hidden] = np.nan
    gone = rng.random(len(choice)) < missing
    # one session starts with a hole
    gone[trials.starts[:-1]], gone[trials.starts[1:] - 1] = [True] + [False] * (trials.n_sessions - 1), False
    choice[gone], reward[gone] = -1, np.nan
    return rebuild(trials, choice=choice, reward=reward)


def rebuild(trials, keep=None, **new):
    "The same trials with other `choice`, `reward`, `counted`, …, or only the rows in `keep`"
    d = (
        dict(
            choice=trials.choice,
            reward=trials.reward,
            participant=np.array(trials.participants, object)[trials.participant],
            session=trials.session,
            offer=trials.offer,
            context=trials.context,
            counted=trials.counted,
        )
        | new
    )
    keep = slice(None) if keep is None else keep
    return Trials.from_arrays(**{k: v[keep] for k, v in d.items()}, options=trials.options)


@cache
def people(n_options=2, full=False, seed=0):
    "Three people with two sessions of different lengths each, missing choices and hidden rewards"
    rng, rows = np.random.default_rng(seed), []
    for who in ("ann", "bob", "cem"):
        for s in range(2):
            task = BanditsDrift(.2, n_options, counterfactual=full, seed=int(rng.integers(1e9)))
            for _ in range(rng.integers(15, 25)):
                c = int(rng.integers(n_options))
                rows.append((c, task.step(c), who, s))
    choice, reward, who, session = zip(*rows)
    return messy(
        Trials.from_arrays(
            np.array(choice), np.array(reward), np.array(who, object), np.array(session), options=range(n_options)
        ),
        seed,
    )


@cache
def q_dataset(n_sessions=30, n_trials=60, seed=3, **agent):
    "The tutorial's data in small: one learner, many sessions"
    dataset = create_dataset(
        AgentQ(**({"alpha_reward": .3} | agent)),
        BanditsDrift(.2),
        n_trials=n_trials,
        n_sessions=n_sessions,
        seed=seed,
    )[0]
    dataset.xs[..., -1] = 0
    return dataset


@cache
def people_dataset(n_sessions=6, n_trials=50):
    "Three learners with different rates and betas, several sessions each"
    agents = [AgentQ(alpha_reward=a, beta_reward=b) for a, b in ((.2, 5), (.5, 3), (.8, 2))]
    return create_dataset(agents, BanditsDrift(.2), n_trials=n_trials, n_sessions=n_sessions, seed=5)[0]


@cache
def network(kind):
    "A network trained for a moment"
    import warnings
    if kind in ARCHITECTURES:
        cls, _, data = ARCHITECTURES[kind]
    else:
        cls, data = dict(
            rescorla=(RescorlaWagnerRNN, q_dataset),
            forgetting=(ForgettingRNN, q_dataset),
            people=(PeopleRNN, people_dataset),
        )[kind]
    make = cls if data is q_dataset else lambda: cls(n_participants=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short training: the starts need not agree
        return train(make(), data().xs, data().ys, starts=2, rounds=1, epochs=30, seed=1).network


ARCHITECTURES = dict(
    perseveration=(PerseverationRNN, PERSEVERATION_CONFIG, q_dataset),
    learning_rate=(LearningRateRNN, LEARNING_RATE_CONFIG, q_dataset),
    embedding=(ParticipantEmbeddingRNN, PARTICIPANT_EMBEDDING_CONFIG, people_dataset),
    weinhardt=(Weinhardt2024RNN, WEINHARDT_2024_CONFIG, people_dataset),
    memory=(WorkingMemoryRNN, WORKING_MEMORY_CONFIG, q_dataset),
)


@cache
def regression(kind):
    "What is read out of that network"
    _, config, data = ARCHITECTURES[kind]
    return regress(network(kind), config, data().xs, data().ys)


def equation_of(kind):
    "The equation of a network; of the second person, if it tells people apart"
    e = regression(kind).equation
    return Equation(e.equation_rules, e.state, dict(e.coefficients.iloc[-1 if len(e.coefficients) == 1 else 1]), e.held)


def exact_network(coefficients=(-.3, -.3, .9), product=0., others=None):
    """A network with weights set by hand: chosen value += c0 + c1 V + c2 r + product V r, no bends; `others` (d0,
    d1) for the rest"""
    net = (RescorlaWagnerRNN() if others is None else ForgettingRNN()).reset(1, np.random.default_rng(0)).eval()
    with torch.no_grad():
        w = net.submodules_rnn["x_value_reward_chosen"].weight
        w.zero_()
        w[0, :4] = torch.tensor([*coefficients, product], dtype=torch.float64)
        if others is not None:
            w = net.submodules_rnn["x_value_reward_not_chosen"].weight
            w.zero_()
            w[0, :2] = torch.tensor(others, dtype=torch.float64)
    return net
