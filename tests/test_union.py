"""A discovered equation goes wherever a hand-written model goes, with no special case."""
import pickle
import joblib
import numpy as np
import pandas as pd
import pytest
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, Cell, Param, avoidance_model, check, compare, cross_validate
from spice_rl import search_library, explore, fit, model_recovery, nll, parameter_recovery, play, power, replay
from spice_rl import simulate

TASK = BanditsDrift(sigma=.2)


class OneRate(Cell):
    "Q-learning"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3, 0, 30))
    state = 'q',
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


@pytest.fixture(scope="module")
def people():
    return simulate(
        OneRate(),
        TASK,
        pd.DataFrame(dict(alpha=[.2, .3, .4, .5], beta=[3., 4., 3., 4.]), list("abcd")),
        sessions=10,
        n_trials=100,
        seed=3,
    )


@pytest.fixture(scope="module")
def equation(people): return search_library(people).equation


@pytest.fixture(scope="module")
def avoidance():
    return simulate(
        avoidance_model("QLearning"),
        AvoidanceTask(n_transfer=4, groups={i: "ab"[i % 2] for i in range(6)}),
        people=6,
        seed=3,
    )


def start(equation): return {p: x for p, x in equation.values.items() if p.startswith("start: ")}


def test_fit_and_compare(people, equation):
    found = fit(equation, people, name="discovered", hold=start(equation))
    assert found.table.converged.all() and found.table.agree.min() >= 2
    alone = nll(equation, trials=people).sum()
    assert found.table.nll.sum() < alone  # numbers of one's own
    q = fit(OneRate(), people, name="one rate")
    ranking = compare([found, q], ceiling=OneRate(), trials=people).ranking()
    # it is Q-learning, but for the start
    assert set(ranking.index) == {"discovered", "one rate"} and abs(ranking.behind).max() < 10
    assert ranking.parameters.tolist() == [8, 8]
    slope = next(p for p in found.names if p.endswith(": x_value_reward_chosen"))
    np.testing.assert_allclose(1 - found.table[slope], q.table.alpha, atol=.06)


def test_cross_validation(people, equation):
    held_out = cross_validate(
        {"discovered": equation, "one rate": OneRate()}, people.take(participants=["a", "b"]), folds=2, starts=1
    ).values
    assert abs(held_out.discovered - held_out["one rate"]).max() < 12


def test_recovery(equation, people):
    found = fit(equation, people, hold=start(equation), starts=2)
    r = parameter_recovery(
        {"discovered": equation},
        TASK,
        people=12,
        draw=found,
        hold=start(equation),
        n_trials=200,
        sessions=3,
        starts=1,
        seed=2,
    )
    assert (r.summary().r > .5).all() and set(r.table.parameter) == set(found.names)
    told = model_recovery(
        {"discovered": equation, "random": AgentQ(beta_reward=0)},
        TASK,
        people=5,
        draw={"discovered": found, "random": dict(beta_reward=.1)},
        hold={
            "discovered": start(equation),
            "random": {p: x for p, x in AgentQ(beta_reward=0).values.items() if p != "beta_reward"},
        },
        bounds={"random": dict(beta_reward=(0., 1.))},
        n_trials=100,
        starts=1,
        seed=2,
    )
    assert told.confusion().loc["discovered", "discovered"] >= .8


def test_recovery_in_other_processes(equation):
    options = dict(
        people=6,
        draw={p: x for p, x in equation.values.items() if not p.startswith("start: ")},
        hold=start(equation),
        bounds={p: (x - .2, x + .2) for p, x in equation.values.items() if not p.startswith("start: ")},
        n_trials=50,
        starts=1,
        seed=2,
    )
    here = parameter_recovery(equation, TASK, **options).table
    with joblib.parallel_config(backend="loky", n_jobs=2): there = parameter_recovery(equation, TASK, **options).table
    pd.testing.assert_frame_equal(here, there)


def test_avoidance_task(avoidance):
    equation = search_library(avoidance).equation
    found = fit(equation, avoidance, name="discovered", starts=1)
    behaviour = check(found, avoidance, times=2, seed=1)
    shares = behaviour.learning.select_dtypes(float).to_numpy()
    assert np.isfinite(shares).all() and shares.std() > 0
    assert found.table.nll.sum() < found.table.n.sum() * np.log(2)
    others = [fit(avoidance_model(m), avoidance, name=m, starts=1) for m in ("QLearning", "Relative")]
    assert len(compare([found, *others]).ranking()) == 3


def test_simulate_replay_play(equation, people):
    again = simulate(equation, TASK, people=2, n_trials=20, seed=5)
    assert list(replay(equation, again).filter(like="x_value_reward")) == ["x_value_reward_0", "x_value_reward_1"]
    shown = simulate(equation, BanditsDrift(.2, counterfactual=True), people=2, n_trials=20, seed=5)
    assert play(equation, None, shown, times=2, seed=1).shape == (2, 40)
    twin = pickle.loads(pickle.dumps(equation))
    pd.testing.assert_series_equal(nll(twin, trials=people), nll(equation, trials=people))


def test_power_and_explore(equation):
    bounds = {p: (x - .2, x + .2) for p, x in equation.values.items() if not p.startswith("start: ")}
    planned = power(equation, TASK, people=[10], trials=[50], bounds=bounds, hold=start(equation), starts=1)
    assert set(planned.table.parameter) == set(bounds)
    panel = explore(equation, TASK, n_trials=30)
    assert set(panel.values) == set(equation.params)
