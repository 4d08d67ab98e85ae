"""A cell as an agent: one trial at a time, with the same probabilities as all at once, and nothing of the future."""
import numpy as np
import pytest
from spice_rl import (Agent, AgentQ, BanditsDrift, Lapse, check_agent, nll, play, replay, rescorla_wagner_equation,
                      score_agent, simulate, to_agent, Trials)

CELLS = [(AgentQ(alpha_reward=.4, alpha_penalty=.2, beta_choice=1., forget_rate=.1), 4), (Lapse(), 3),
         (rescorla_wagner_equation(.3, 3.), 2)]


def trials_of(cell, n_options, seed=4):
    "Two people, two sessions each; a choice that was not made, an outcome that was not shown."
    rng, n = np.random.default_rng(seed), 60
    choice, reward = rng.integers(n_options, size=n), rng.integers(2, size=n).astype(float)
    choice[7], reward[7], reward[21] = -1, np.nan, np.nan
    return Trials.from_arrays(choice, reward, np.repeat(["a", "b"], n // 2), np.repeat(np.arange(4), n // 4),
                              options=list(range(1, n_options + 1)))


@pytest.mark.parametrize("cell, n_options", CELLS, ids=lambda x: type(x).__name__)
def test_agent_says_what_replay_says(cell, n_options):
    trials = trials_of(cell, n_options)
    agent = to_agent(cell, actions=trials.options)
    before = replay(cell, trials)[[f"p_{o}" for o in trials.options]].to_numpy()
    for session in range(trials.n_sessions):
        agent.reset()
        for row in range(trials.starts[session], trials.starts[session + 1]):
            np.testing.assert_allclose(agent.predict(), before[row], rtol=0, atol=1e-12)
            chosen = trials.choice[row]
            agent.update(None if chosen < 0 else trials.options[chosen], trials.reward[row, chosen])
    assert check_agent(agent, trials) > 0
    score = score_agent(agent, trials)
    assert score["choices"] == 59
    assert score["nll_per_choice"] * 59 == pytest.approx(nll(cell, trials=trials).sum(), abs=1e-9)


def test_a_history_is_gone_through_from_nothing():
    agent = to_agent(AgentQ(), actions=["left", "right"])
    history = [("left", 1.), ("right", 0.), ("left", 1.)]
    told = [agent.predict(history[:i]) for i in (3, 0, 2, 3)]
    np.testing.assert_array_equal(told[0], told[3])
    np.testing.assert_array_equal(told[1], [.5, .5])
    assert agent.history == history


def test_all_rewards_may_be_shown():
    cell = AgentQ(alpha_counterfactual_reward=.5, alpha_counterfactual_penalty=.5)
    own, both = to_agent(cell).update(1, 1.), to_agent(cell).update(1, [1., 1.])
    assert both.predict()[1] > own.predict()[1]


class Unnormalised(Agent):
    def predict(self, history=None): return super().predict() * 1.1


class Remembers(Agent):
    def reset(self, context=0):
        self.walks = getattr(self, "walks", 0) + 1
        return super().reset(context)

    def predict(self, history=None):
        p = super().predict()
        return p if self.walks % 2 else p[::-1]


@pytest.mark.parametrize("kind, said", [(Unnormalised, "sum to 1.1"), (Remembers, "before the reset")])
def test_dishonest_agents_are_caught(kind, said):
    cell = AgentQ()
    trials = simulate(cell, BanditsDrift(.2), people=2, n_trials=30, seed=1)
    with pytest.raises(AssertionError, match=said): check_agent(kind(cell, cell.p(), [1, 2]), trials)


def test_bad_input():
    from spice_rl import Cell, Normal, Param
    class Rating(Cell):
        params, does, state = dict(sd=Param(1., .1, 9.)), "rating", dict(mean=1)
        def response(p, state, trial): return Normal(state.mean[0], p.sd)
    with pytest.raises(TypeError, match="Rating has answers"): to_agent(Rating())
    with pytest.raises(ValueError, match=r"one of \[1, 2\].*got 7 on trial 1"): to_agent(AgentQ()).update(7, 1.)
    with pytest.raises(ValueError, match="each once"): to_agent(AgentQ(), actions=[1, 1])
    with pytest.raises(ValueError, match="context must be a whole number"): to_agent(AgentQ()).reset(.5)
    with pytest.raises(ValueError, match="nobody made a choice"):
        score_agent(
            to_agent(AgentQ()), Trials.from_arrays(np.full(4, -1), np.full(4, np.nan), ["a"] * 4, options=[1, 2])
        )
