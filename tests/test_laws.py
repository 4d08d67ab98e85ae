"""Laws of the likelihood on random trials: it is what plain Python says, and names, order, company and types of
columns change nothing."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from spice_rl import AgentQ, BanditsDrift, Cell, Param, RescorlaWagner, Trials, nll, replay, simulate, softmax

LAW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


class Odd(Cell):
    "Two latents, contexts, a hidden reward that teaches nothing, and a logarithm."
    params = dict(alpha=Param(.3, 0, 1), beta=Param(2., -10, 10), stick=Param(.5, -5, 5))
    state = 'v', 'last'
    def init(p, state): state.v[:] = .1
    def logit(p, state, trial, option):
        sign = 1. if trial.context == 0 else -1.
        return sign * p.beta * np.log(1. + state.v[option]**2) + p.stick * state.last[option]
    def update(p, state, trial):
        for k in trial.options: state.last[k] *= .5
        state.last[trial.choice] = 1.
        state.v[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.v[trial.choice])


CELLS = [
    RescorlaWagner(),
    AgentQ(alpha_penalty=.4, alpha_counterfactual_reward=.2, forget_rate=.1, beta_choice=.5, alpha_choice=.6),
    Odd(),
]


@st.composite
def tables(draw, n_options=3):
    """Arrays of some people's trials: offers of 2 or 3 options, contexts, missing choices, hidden and foregone
    rewards, uncounted choices"""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, people = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    offer = np.array([rng.permutation(n_options) for _ in range(n)])
    offer[rng.random(n) < .4, 2] = -1
    choice = np.array([rng.choice(row[row >= 0]) for row in offer])
    choice[rng.random(n) < draw(st.sampled_from([0., .2]))] = -1
    reward = np.full((n, n_options), np.nan)
    shown = np.arange(n_options) == choice[:, None]
    shown[rng.random(n) < .3] |= np.isin(np.arange(n_options), offer[0])
    reward[shown] = rng.integers(0, 2, shown.sum())
    reward[rng.random(n) < .2] = np.nan
    reward[choice < 0] = np.nan
    who = np.sort(rng.integers(0, people, n))
    block = rng.integers(0, 2, n).cumsum() // 8
    return dict(
        choice=choice,
        reward=reward,
        participant=who,
        block=block,
        offer=offer,
        context=rng.integers(0, 2, n),
        counted=rng.random(n) < .9,
    )


def made(t, order=None, **more):
    order = np.arange(len(t['choice'])) if order is None else order
    t = {k: v[order] for k, v in t.items()} | more
    return Trials.from_arrays(
        t['choice'],
        t['reward'],
        t['participant'],
        t['block'],
        options=range(3),
        offer=t['offer'],
        context=t['context'],
        counted=t['counted'],
    )


def by_hand(cell, trials):
    "NLL of each participant, by the cell's own methods in plain Python."
    from spice_rl import Trial
    total = np.zeros(trials.n_participants)
    for s in range(trials.n_sessions):
        p, rows = cell.p(), np.flatnonzero(trials.session == s)
        state = cell.init(p, trials.n_options)
        for t in rows:
            offer = trials.offer[t][trials.offer[t] >= 0]
            trial = Trial(offer, int(trials.choice[t]), trials.reward[t].copy(), int(trials.context[t]))
            if trial.choice >= 0 and trials.counted[t]:
                x = np.full(trials.n_options, np.nan)
                x[offer] = cell.logits(p, state, trial)[offer]
                total[trials.participant[t]] -= np.log(softmax(x)[trial.choice])
            state = cell.update(p, state, trial)
    return total


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: type(c).__name__)
@LAW
@given(tables())
def test_the_likelihood_is_what_plain_python_says(cell, t):
    trials = made(t)
    np.testing.assert_allclose(nll(cell, trials=trials), by_hand(cell, trials), rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", CELLS[:2], ids=lambda c: type(c).__name__)
@LAW
@given(tables(), st.permutations([0, 1, 2]))
def test_relabelling_options_changes_nothing(cell, t, new):
    new = np.array(new)
    back = np.argsort(new)
    again = dict(
        t,
        choice=np.where(t['choice'] < 0, -1, new[t['choice']]),
        offer=np.where(t['offer'] < 0, -1, new[t['offer']]),
        reward=t['reward'][:, back],
    )
    np.testing.assert_allclose(nll(cell, trials=made(t)), nll(cell, trials=made(again)), rtol=0, atol=1e-10)


@LAW
@given(tables(), st.integers(0, 2**32 - 1))
def test_order_of_people_and_company_change_nothing(t, seed):
    cell, whole = CELLS[2], nll(CELLS[2], trials=made(t))
    people = np.random.default_rng(seed).permutation(np.unique(t['participant']))
    order = np.concatenate([np.flatnonzero(t['participant'] == who) for who in people])
    pd.testing.assert_series_equal(nll(cell, trials=made(t, order)).sort_index(), whole.sort_index(), check_exact=True)
    for who in people:
        alone = nll(cell, trials=made(t, np.flatnonzero(t['participant'] == who)))
        assert alone.iloc[0] == whole[who]


@LAW
@given(tables())
def test_types_of_columns_change_nothing(t):
    other = dict(
        t,
        choice=t['choice'].astype(np.int8),
        reward=t['reward'].astype(np.float32),
        context=t['context'].astype(float),
        participant=t['participant'].astype(object),
    )
    np.testing.assert_array_equal(nll(CELLS[2], trials=made(t)), nll(CELLS[2], trials=made(other)))


@pytest.mark.parametrize("cell", CELLS[:2], ids=lambda c: type(c).__name__)
def test_simulated_choices_have_the_probabilities_of_the_likelihood(cell):
    """The probability that was given to what was chosen, over 20,000 choices: its mean is that of the sum of squared
    probabilities."""
    trials = simulate(cell, BanditsDrift(), people=20, n_trials=1000, seed=4)
    p = replay(cell, trials)[["p_0", "p_1"]].to_numpy()
    chosen, expected = p[np.arange(len(p)), trials.choice], (p**2).sum(1)
    spread = np.sqrt(((p**3).sum(1) - expected**2).sum())
    assert abs((chosen - expected).sum()) < 4 * spread
