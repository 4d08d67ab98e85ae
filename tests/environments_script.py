"""Ready tasks beyond bandits, lived and judged one trial at a time. `test_environments.py` runs it as plain Python:
nothing is compiled."""
import numpy as np
import pytest

from spice_rl import AdjustingOffers, Balloons, Bandits, Cell, ChangePoints, Decks, Motion, Normal, Param, SymbolPairs
from spice_rl import TwoSteps, Wiener, gradient, nll, parameter_recovery, replay, simulate
from spice_rl.core.wide_trials import _log_likelihood, _trial_at


class Learner(Cell):
    params = dict(alpha=Param(.3, 0, 1), beta=Param(4, 0, 20))
    state = "q"
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


class Hyperbolic(Cell):
    params = dict(k=Param(.02, 0, 1), beta=Param(.2, 0, 10))
    sees = "amount", "delay"
    def logit(p, state, trial, option): return p.beta * trial.amount[option] / (1 + p.k * trial.delay[option])


class TwoSignals(Cell):
    params = dict(alpha=Param(.2, 0, 1), aversion=Param(1.5, 0, 10), beta=Param(1, 0, 20))
    gets, state = ("gain", "loss"), "q"
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial):
        c = trial.choice
        state.q[c] += p.alpha * (trial.gain[c] - p.aversion * trial.loss[c] - state.q[c])


class Pumper(Cell):
    params = dict(target=Param(6, 0, 32), beta=Param(.6, 0, 5), learns=Param(.5, 0, 5))
    sees, gets, state = "pumps", ("reward", "burst"), dict(target=1)
    def init(p, state): state.target[0] = p.target
    def logit(p, state, trial, option): return p.beta * (state.target[0] - trial.pumps) if option == 1 else 0.
    def update(p, state, trial):
        if trial.burst == 1: state.target[0] = max(0., state.target[0] - p.learns)
        elif trial.choice == 0: state.target[0] = state.target[0] + p.learns


class Predictor(Cell):
    params = dict(alpha=Param(.3, 0, 1), sigma=Param(8, .5, 40))
    does, gets, state = "rating", "outcome", dict(mean=1)
    def init(p, state): state.mean[0] = 150
    def response(p, state, trial): return Normal(state.mean[0], p.sigma)
    def update(p, state, trial): state.mean[0] += p.alpha * (trial.outcome - state.mean[0])


class Diffusion(Cell):
    params = dict(v=Param(8, 0, 40), a=Param(1.5, .3, 6), t0=Param(.3, 0, 1))
    sees, does = "coherence", ("choice", "rt")
    def response(p, state, trial): return Wiener(p.v * trial.coherence, p.a, .5, p.t0)


EACH = [
    (Learner, TwoSteps()),
    (Learner, SymbolPairs()),
    (Hyperbolic, AdjustingOffers()),
    (TwoSignals, Decks()),
    (Pumper, Balloons(size=16)),
    (Predictor, ChangePoints()),
    (Diffusion, Motion()),
]
each = pytest.mark.parametrize("kind, task", EACH, ids=[type(task).__name__ for _, task in EACH])


def one_by_one(cell, trials):
    "NLL of each person by the cell's rules, called for one trial after the other"
    out = np.zeros(trials.n_participants)
    for s in range(trials.n_sessions):
        state = cell.init(cell.p(), trials.n_options)
        for t in range(trials.starts[s], trials.starts[s + 1]):
            trial = _trial_at(cell, trials, t)
            out[trials.participant[t]] -= _log_likelihood(cell, cell.p(), state, trial)
            state = cell.update(cell.p(), state, trial)
    return out


@each
def test_what_was_lived_is_what_is_judged(kind, task):
    cell = kind()
    t = simulate(cell, task, people=2, sessions=2, n_trials=14, seed=3)
    assert t.n_sessions == 4
    assert np.isfinite(nll(cell, trials=t)).all()
    assert np.isfinite(gradient(cell, trials=t)).all(axis=None)
    np.testing.assert_allclose(nll(cell, trials=t), one_by_one(cell, t), rtol=1e-10)
    assert len(replay(cell, t)) == len(t)


@each
def test_the_seed_says_all_and_nobody_depends_on_others(kind, task):
    a, b, c = (simulate(kind(), task, people=n, n_trials=8, seed=s) for n, s in ((2, 1), (3, 1), (2, 2)))
    assert a.equals(b.take([0, 1])) and not a.equals(c)


@each
def test_columns_are_in_the_table(kind, task):
    t = simulate(kind(), task, people=2, n_trials=8, seed=1)
    assert {*t.columns} <= {name for name in t.to_frame()} | {name.rsplit("_", 1)[0] for name in t.to_frame()}
    assert {*task.sees} <= {*t.columns}


def test_balloons_burst_where_they_should():
    "A balloon bursts at each pump alike often: whoever pumps on and on sees a mean of (size + 1) / 2"
    class Always(Pumper):
        def logit(p, state, trial, option): return 50. * option
    t = simulate(Always(), Balloons(size=8), people=4, n_trials=100, seed=1)
    assert (t.choice == 1).all() and t.columns["burst"].sum() == 400
    pumped = t.columns["pumps"][t.columns["burst"] == 1] + 1
    assert abs(pumped.mean() - 4.5) < 4 * np.sqrt((64 - 1) / 12 / 400) and set(pumped) == set(range(1, 9))
    class Never(Pumper):
        def logit(p, state, trial, option): return -50. * option
    t = simulate(Never(), Balloons(size=8), n_trials=30)
    assert len(t) == 30 and (t.reward[:, 0] == 0).all() and np.isnan(t.reward[:, 1]).all()


def test_two_steps_lead_where_they_should():
    t = simulate(Learner(), TwoSteps(common=.8), people=3, n_trials=200, seed=1)
    first, second = np.arange(0, 600, 2), np.arange(1, 600, 2)
    usual = t.offer[second, 0] == 2 + 2 * t.choice[first]
    assert abs(usual.mean() - .8) < 4 * np.sqrt(.16 / 300) and set(map(tuple, t.offer)) == {(0, 1), (2, 3), (4, 5)}
    p = t.to_frame()[[f"p_{k}" for k in range(2, 6)]].to_numpy()
    assert (p >= .25).all() and (p <= .75).all() and np.isnan(t.reward[first]).all()
    shown = t.reward[second, t.choice[second]]
    assert abs((shown - p[second, t.choice[second] - 2]).sum()) < 4 * np.sqrt(.25 * 300)


def test_decks_pay_what_they_are_known_for():
    t = simulate(TwoSignals(), Decks(counterfactual=True), people=10, n_trials=100, seed=1)
    gain, loss = t.columns["gain"], t.columns["loss"]
    assert (gain == [1, 1, .5, .5]).all() and np.isnan(t.reward).all()
    off = abs(loss.mean(0) - [1.25, 1.25, .25, .25])
    assert (off < 4 * np.array([1.25, 3.75, .25, .75]) / np.sqrt(1000)).all()
    assert set(np.unique(loss)) == {0., .5, 2.5, 12.5}


def test_numbers_jump_as_often_as_said():
    t = simulate(Predictor(), ChangePoints(sd=.001, hazard=.2), people=2, n_trials=300, seed=1)
    jumps = abs(np.diff(t.columns["outcome"].reshape(2, 300))) > .1
    assert abs(jumps.mean() - .2) < 4 * np.sqrt(.16 / 598)
    assert t.options == ()
    assert np.isfinite(t.columns["rating"]).all()


def test_right_answers_are_paid():
    t = simulate(Diffusion(), Motion(), people=2, n_trials=60, seed=1)
    assert ((t.reward[:, 1] == 1) == (t.columns["coherence"] > 0)).all() and (t.columns["rt"] > .3).all()
    assert len(np.unique(abs(t.columns["coherence"]))) == 5


def test_parameters_come_back():
    r = parameter_recovery(Predictor(), ChangePoints(), people=8, n_trials=30, starts=1, seed=1).summary().r
    assert (r > .8).all()


def test_a_task_that_cannot_be():
    with pytest.raises(TypeError, match="Half names does or gets, so it needs the rule give"):
        class Half(Bandits): gets = dict(gain="options")
    with pytest.raises(
        ValueError, match="the column gain of Odd must have 1 number or one for each of the 'options', got 3"
    ):
        class Odd(Bandits):
            gets = dict(gain=3)
            def give(e, world, done, uniform, normal, paid): pass
    with pytest.raises(ValueError, match="TwoSignals gets gain and loss, and Balloons gives burst"):
        simulate(TwoSignals(), Balloons())
    with pytest.raises(ValueError, match="Predictor does rating"):
        parameter_recovery(Predictor(), Motion(), people=4, n_trials=5)
