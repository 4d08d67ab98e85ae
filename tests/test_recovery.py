"""Recovery: the truth comes back where it can, and where it cannot the reader is told."""
import matplotlib
matplotlib.use("Agg")
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from spice_rl import digest, recovery, simulation
from spice_rl.models.avoidance import AvoidanceTask, avoidance_tutorial_files, read_avoidance, to_files
from spice_rl.models.bandits import AgentQ, BanditsDrift
from spice_rl.core.cell import Cell
from spice_rl.core.engine import nll
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import rescorla_wagner_equation
from spice_rl.inference.fitting import fit
from spice_rl.models.ready import avoidance_model
from spice_rl.core.params import Param
from spice_rl.output.recovery_plots import plot_bic_matrix, plot_confusion, plot_inverse, plot_recovery
from spice_rl.inference.recovery import model_recovery, parameter_recovery
from spice_rl.inference.simulation import Simulated, simulate_like, simulate_people
from worlds import HELD, Rescorla

TASK = BanditsDrift(.1)


class Twice(Rescorla):
    "Only the product of beta and scale matters"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(2., 0, 15), scale=Param(1., .1, 5))
    def logit(p, state, trial, option): return p.beta * p.scale * state.q[option]


class Idle(Rescorla):
    "One parameter does nothing"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(2., 0, 15), idle=Param(.5, 0, 1))


class Half(Rescorla):
    "The same learner in other words"
    params = dict(alpha=Param(.6, 0, 2), beta=Param(3., 0, 12))
    def update(p, state, trial):
        state.q[trial.choice] += p.alpha / 2 * (trial.reward[trial.choice] - state.q[trial.choice])


BOUNDS = dict(alpha=(.05, .95), beta=(1, 8))


@pytest.fixture(scope="module")
def tutorial():
    trials = read_avoidance(*avoidance_tutorial_files())
    return trials.take([*trials.participants[:4], *trials.participants[-4:]])


@pytest.fixture(scope="module")
def good(): return parameter_recovery(Rescorla(), TASK, people=40, n_trials=400, bounds=BOUNDS, starts=3, seed=1)


@pytest.fixture(scope="module")
def told(tutorial):
    return model_recovery(
        [avoidance_model(n) for n in ("QLearning", "Relative")], tutorial, starts=2, datasets=2, seed=3
    )


# Parameter recovery

def test_an_easy_model_comes_back(good):
    s = good.summary().loc["Rescorla"]
    assert (s.r > .9).all() and (s["rank"] > .9).all() and (s.n == 40).all() and (abs(s.bias) < .2).all()
    t = good.table
    assert list(t) == ["model", "participant", "sequence", "parameter", "true", "fitted", "se", "at_bound"]
    assert t.at_bound.dtype == bool
    assert (t.se.isna() >= t.at_bound).all()
    assert not t.duplicated(["participant", "parameter"]).any()
    error = t.fitted[t.parameter == "alpha"] - t.true[t.parameter == "alpha"]
    assert s.rmse["alpha"] == pytest.approx(np.sqrt((error**2).mean()))
    assert s.bias["alpha"] == pytest.approx(error.mean())
    assert s.r["alpha"] == pytest.approx(np.corrcoef(*t[t.parameter == "alpha"][["true", "fitted"]].T.to_numpy())[0, 1])


def test_what_was_fitted_is_what_fit_says(good):
    made = simulate_people(Rescorla(), TASK, people=40, n_trials=400, bounds=BOUNDS, seed=1)[0]
    alone = fit(Rescorla(), made.trials, 3, bounds=BOUNDS)
    assert list(good.fits["Rescorla"]) == list(alone.table)
    assert abs(good.fits["Rescorla"].nll - alone.table.nll).max() < .01
    assert (good.fits["Rescorla"].nll < nll(Rescorla(), made.true, made.trials) + 1e-6).all(), (
        "the truth cannot be better than the optimum"
    )


def test_coverage():
    r = parameter_recovery(
        Rescorla(),
        TASK,
        people=300,
        n_trials=300,
        bounds=dict(alpha=(.2, .8), beta=(1, 12)),
        draw=dict(alpha=stats.uniform(.3, .4), beta=stats.uniform(2, 3)),
        starts=2,
        seed=5,
    )
    assert r.summary().coverage.between(.92, .975).all() and (r.summary().at_bound < .05).all()


def test_same_seed_same_table(good):
    again = parameter_recovery(Rescorla(), TASK, people=40, n_trials=400, bounds=BOUNDS, starts=3, seed=1)
    pd.testing.assert_frame_equal(good.table, again.table, check_exact=True)
    other = parameter_recovery(Rescorla(), TASK, people=40, n_trials=50, bounds=BOUNDS, starts=1, seed=2)
    assert not np.isin(other.table.true, good.table.true).any()


def test_a_person_is_the_same_in_any_company(good):
    more = parameter_recovery(
        [Half(), Rescorla()], TASK, people=70, n_trials=400, bounds=dict(Rescorla=BOUNDS), starts=3, seed=1
    )
    mine = more.table[(more.table.model == "Rescorla") & (more.table.participant < 40)]
    pd.testing.assert_frame_equal(
        mine.sort_values(["parameter", "participant"], ignore_index=True),
        good.table.sort_values(["parameter", "participant"], ignore_index=True),
        check_exact=True,
    )


def test_threads_and_a_folder_change_nothing(good, tmp_path):
    for threads in (1, 2):
        kept = parameter_recovery(
            Rescorla(), TASK, people=40, n_trials=400, bounds=BOUNDS, starts=3, seed=1, folder=tmp_path, threads=threads
        )
        pd.testing.assert_frame_equal(good.table, kept.table, check_exact=True)
    with pytest.raises(ValueError):
        parameter_recovery(Rescorla(), TASK, people=40, n_trials=400, bounds=BOUNDS, starts=3, seed=2, folder=tmp_path)


def test_two_parameters_that_trade_off_are_named():
    r = parameter_recovery(
        Twice(), TASK, people=12, n_trials=150, bounds=dict(beta=(1, 5), scale=(.5, 2)), starts=2, seed=1
    )
    worst = r.tradeoffs().iloc[0]
    assert {worst["first"], worst["second"]} == {"beta", "scale"} and worst.correlation < -.99
    assert worst.in_words == "who has beta estimated too high has scale estimated too low"
    direction = r.directions().loc["Twice"]
    assert "beta" in direction.direction
    assert "scale" in direction.direction
    assert "alpha" not in direction.direction
    assert direction.width > 100
    assert any("beta and scale trade off" in n for n in r.notes())
    assert any("no number of trials tells beta" in n for n in r.notes())
    assert all(n in repr(r) and n in r._repr_html_() for n in r.notes())


def test_a_parameter_that_does_nothing_is_named():
    r = parameter_recovery(Idle(), TASK, people=10, n_trials=100, starts=2, seed=1)
    assert any("say nothing about idle" in n for n in r.notes())
    assert not any("say nothing about alpha" in n for n in r.notes())


def test_too_few_trials_are_named():
    r = parameter_recovery(Rescorla(), TASK, people=30, n_trials=15, bounds=BOUNDS, starts=2, seed=1)
    assert any("too few trials for" in n for n in r.notes()) and any("at a bound" in n for n in r.notes())
    assert not any(
        "too few trials" in n
        for n in parameter_recovery(Rescorla(), TASK, people=30, n_trials=300, bounds=BOUNDS, starts=2, seed=1).notes()
    )


def test_the_correlation_is_that_of_the_estimates():
    "Repeat one person many times: their estimates correlate as the information says"
    truth = pd.DataFrame(dict(alpha=[.4] * 200, beta=[4.] * 200))
    r = parameter_recovery(Rescorla(), TASK, draw=truth, n_trials=200, starts=1, seed=1)
    wide = r.table.pivot(index="participant", columns="parameter", values="fitted")
    assert wide.corr().loc["alpha", "beta"] == pytest.approx(r.tradeoffs().correlation[0], abs=.15)
    assert r.summary().r.isna().all() and "r = nan" not in repr(r)


# Any cell, any source of truth, any trials

def test_agent_q():
    r = parameter_recovery(
        AgentQ(),
        BanditsDrift(),
        people=12,
        n_trials=200,
        hold=HELD,
        bounds=dict(beta_reward=(0, 15)),
        draw=dict(beta_reward=3.),
        starts=2,
        seed=2,
    )
    assert set(r.table.parameter) == {"alpha_reward", "alpha_penalty", "beta_reward"}
    assert (r.fits["AgentQ"].beta_choice == 0).all()
    assert abs(r.table.true[r.table.parameter == "beta_reward"] - 3).max() < 4


def test_equation():
    e = rescorla_wagner_equation(.3, 3.)
    free = [p for p in e.params if not p.startswith(("start", "weight"))]
    r = parameter_recovery(
        e,
        BanditsDrift(),
        people=8,
        n_trials=300,
        bounds={p: (e.values[p] - 1, e.values[p] + 1) for p in free},
        draw={p: e.values[p] for p in free},
        hold={p: e.values[p] for p in e.params if p not in free},
        starts=2,
        seed=1,
    )
    assert set(r.table.parameter) == set(free) and r.table.fitted.notna().all()


def test_avoidance_environment():
    r = parameter_recovery(
        avoidance_model("QLearning+novel"),
        AvoidanceTask(n_transfer=2, groups={i: "ab"[i % 2] for i in range(8)}),
        people=8,
        starts=2,
        seed=1,
    )
    assert list(r.groups) == list("abababab") and (r.fits["QLearning+novel"].n == 96 + 64).all()
    assert r.summary().loc[("QLearning+novel", "factual_lr"), "r"] > .5


def test_own_sequences(tutorial):
    r = parameter_recovery(avoidance_model("QLearning"), tutorial, starts=2, seed=1)
    assert list(r.fits["QLearning"].index) == list(tutorial.participants)
    assert (r.table.participant == r.table.sequence).all()
    assert r.groups.to_dict() == tutorial.per_participant("group_code").to_dict()
    more = parameter_recovery(avoidance_model("QLearning"), tutorial, people=10, starts=2, seed=1)
    assert list(more.fits["QLearning"].index) == list(range(10))
    assert set(more.table.sequence[more.table.participant == 9]) == {tutorial.participants[1]}
    assert (more.fits["QLearning"].nll.to_numpy()[:8] == r.fits["QLearning"].nll.to_numpy()).all()


def test_draws(tutorial):
    cell = avoidance_model("QLearning")
    found = fit(cell, tutorial, 2)
    people = simulate_people(cell, tutorial, draw=found, people=100)[0].true
    assert set(map(tuple, people.to_numpy())) <= set(map(tuple, found.parameters.to_numpy()))
    assert people.duplicated().any()
    exact = found.parameters.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        simulate_people(cell, tutorial, draw=exact)[0].true, found.parameters, check_names=False
    )
    around = simulate_people(cell, tutorial, draw={"QLearning": dict(temperature=.5, factual_lr=.02)}, people=2000)[
        0
    ].true
    assert around.temperature.std() == pytest.approx(.99 / 15, rel=.05)
    assert around.factual_lr.min() >= .01
    assert around.factual_lr.max() < .4
    assert stats.kstest(around.counterfactual_lr, stats.uniform(.01, .98).cdf).pvalue > .001
    own = simulate_people(cell, tutorial, draw=dict(temperature=stats.uniform(.1, .1)), people=500)[0].true.temperature
    assert own.between(.1, .2).all() and own.nunique() == 500


def test_bounds_with_and_without_options(tutorial):
    cells = [avoidance_model("QLearning"), avoidance_model("QLearning+novel")]
    made = simulate_people(
        cells,
        tutorial,
        bounds={
            "QLearning": dict(temperature=(.01, .1), novel_value=(0, .1)),
            "QLearning+novel": dict(temperature=(.2, .3)),
        },
        people=30,
    )
    assert made[0].true.temperature.max() <= .1
    assert made[1].true.temperature.between(.2, .3).all()
    assert made[1].true.novel_value.between(0, .1).all()
    shared = simulate_people(
        cells, tutorial, bounds={"QLearning": dict(temperature=(.01, .1), novel_value=(0, .1))}, people=30
    )
    assert shared[1].true.novel_value.between(0, .1).all() and shared[1].true.temperature.max() <= .1


def test_simulated_trials_are_those_of_the_person(tutorial, tmp_path):
    cell = avoidance_model("Advantage+novel")
    like = simulate_like(cell, tutorial, seed=4)
    for name in ("offer", "context", "counted", "reward"):
        np.testing.assert_array_equal(getattr(like, name), getattr(tutorial, name))
    assert (like.choice >= 0).all() and (like.choice != tutorial.choice).any()
    to_files(like, tmp_path/"l.csv", tmp_path/"t.csv")
    back = read_avoidance(tmp_path/"l.csv", tmp_path/"t.csv")
    np.testing.assert_array_equal(back.choice, like.choice)
    np.testing.assert_array_equal(back.reward, like.reward)
    frame = like.to_frame()
    better = np.where(frame.symbol_R_value > frame.symbol_L_value, 1, 0)
    assert ((frame.choice_made == better) == (frame.accuracy == 100)).all()


def test_sequences_of_a_bandit_with_full_feedback():
    real = simulate(Rescorla(), BanditsDrift(.2, counterfactual=True), people=3, sessions=2, n_trials=30, seed=1)
    like = simulate_like(
        Rescorla(), real, pd.DataFrame(dict(alpha=[.1, .9]), index=["x", "y"]), sequences=[2, 2], seed=1
    )
    np.testing.assert_array_equal(like.reward[like.participant == 0], real.reward[real.participant == 2])
    assert like.participants == ("x", "y") and like.n_sessions == 4
    parameter_recovery(Rescorla(), real, people=4, starts=1)


# Simulate first, fit later

def test_refit_gives_the_same(tutorial, told):
    made = simulate_people([avoidance_model(n) for n in ("QLearning", "Relative")], tutorial, datasets=2, seed=3)
    again = model_recovery([avoidance_model(n) for n in ("QLearning", "Relative")], made, starts=2, seed=3)
    pd.testing.assert_frame_equal(told.table, again.table, check_exact=True)
    first = [s for s in made if s.dataset == 0]
    pd.testing.assert_frame_equal(
        parameter_recovery(avoidance_model("QLearning"), first[0], starts=2, seed=3).table,
        parameter_recovery(avoidance_model("QLearning"), tutorial, starts=2, seed=3).table,
    )
    bare = [Simulated(s.model, s.trials, dataset=s.dataset) for s in made]
    pd.testing.assert_frame_equal(
        told.table,
        model_recovery([avoidance_model(n) for n in ("QLearning", "Relative")], bare, starts=2, seed=3).table,
    )
    with pytest.raises(ValueError, match="true parameters"): parameter_recovery(avoidance_model("QLearning"), bare[0])
    with pytest.raises(ValueError, match="simulated already"):
        model_recovery([avoidance_model("QLearning"), avoidance_model("Relative")], made, people=3)
    with pytest.raises(ValueError, match="unknown model"):
        model_recovery([avoidance_model("QLearning"), avoidance_model("Advantage")], made)


def test_many_people_are_joined():
    made = simulate_people(Rescorla(), TASK, people=130, n_trials=20, sessions=2, seed=1)[0]
    few = simulate_people(Rescorla(), TASK, people=61, n_trials=20, sessions=2, seed=1)[0]
    assert made.trials.participants == tuple(range(130)) and made.trials.n_sessions == 260
    np.testing.assert_array_equal(made.trials.choice[:few.trials.n_trials], few.trials.choice)
    np.testing.assert_array_equal(made.trials.take([70]).choice, made.trials.choice[made.trials.participant == 70])
    assert (made.trials.to_frame().participant.iloc[[0, -1]] == [0, 129]).all()


# Model recovery

def test_matrices(told):
    assert list(told.table) == ["generated", "fitted", "dataset", "participant", "group", "nll", "k", "n", "aic", "bic"]
    assert len(told.table) == 2 * 2 * 2 * 8
    for by in ("participant", "dataset"):
        np.testing.assert_allclose(told.confusion(by).sum(axis=1), 1)
        np.testing.assert_allclose(told.inverse(by).sum(), 1)
        c = told.confusion(by)
        np.testing.assert_allclose(told.inverse(by), c / c.sum(axis=0))
    by_hand = told.table.pivot(index=["generated", "dataset", "participant"], columns="fitted", values="bic").idxmin(
        axis=1
    )
    assert told.confusion().loc["Relative", "QLearning"] == pytest.approx((by_hand["Relative"] == "QLearning").mean())
    m = told.normalised()
    assert m.min().min() == -100 and m.max().max() == 100
    mean = told.table[(told.table.fitted == "QLearning") & (told.table.generated == "Relative")].bic.mean()
    every = told.table.groupby(["fitted", "generated"]).bic.mean()
    assert m.loc["QLearning", "Relative"] == pytest.approx(
        200 * (mean - every.min()) / (every.max() - every.min()) - 100
    )
    group = told.table.group.iloc[0]
    assert told.confusion(group=group).sum(axis=1).eq(1).all()
    assert {"generated", "dataset", "group", "factual_lr", "se_factual_lr"} <= set(told.fits["Relative"])
    assert len(told.fits["Relative"]) == 32


def test_a_model_that_never_wins():
    table = pd.DataFrame(
        [
            (g, f, 0, i, "everybody", 1., 1, 10, b, b)
            for g in "ab"
            for f, b in (("a", 1.), ("b", 5.))
            for i in range(3)
        ],
        columns=["generated", "fitted", "dataset", "participant", "group", "nll", "k", "n", "aic", "bic"],
    )
    r = recovery.ModelRecovery(table, "bic", {n: pd.DataFrame(dict(agree=[2])) for n in "ab"})
    assert r.inverse()["b"].isna().all() and r.inverse()["a"].tolist() == [.5, .5]
    assert r.notes() == ["b is taken for a: 100 % of its people are best described by a"]
    plot_inverse(r); plot_confusion(r)
    plt.close("all")


def test_models_that_cannot_be_told_apart():
    b = dict(beta=(1, 8))
    r = model_recovery(
        [Rescorla(), Half()], TASK, people=10, n_trials=80, bounds=dict(Rescorla=b, Half=b), starts=3, seed=1
    )
    assert r.notes()[0].startswith("Rescorla and Half cannot be told apart by these trials: 5")
    assert "cannot be told apart" in repr(r) and "cannot be told apart" in r._repr_html_()


def test_pieces_can_be_sent():
    models = simulation._models([Twice(), Half()], None, None, None)
    data = simulation._plan(models, TASK, 70, 10, 1, 1, 0)
    pieces = recovery._work(models, data, TASK, True, simulation._Length(10, 1), recovery._Search(2, 0, 1))
    assert len(pieces) == 4 and max(len(p["block"].sequence) for p in pieces.values()) == 60
    sent = pickle.loads(pickle.dumps(pieces["Twice, data set 0, people 60-69"]))
    pd.testing.assert_frame_equal(
        recovery._piece(**sent), recovery._piece(**pieces["Twice, data set 0, people 60-69"]), check_exact=True
    )


def test_what_a_run_is():
    "The digest of a run is the same in another process, and another for anything that matters"
    def about(cell=None, task=TASK, **more):
        return digest._about(
            "x",
            m := simulation._models(cell or avoidance_model("Hybrid2021+bias"), None, None, None),
            simulation._plan(m, task, 3, None, 1, 1, 0),
            task,
            **more,
        )
    code = (
        "from spice_rl.inference import digest, simulation as s; from spice_rl.models.avoidance import AvoidanceTask; "
        "from spice_rl.models.ready import avoidance_model; m = s._models(avoidance_model('Hybrid2021+bias'), None, "
        "None, None); t = AvoidanceTask(groups={0: 'a', 1: 'b', 2: 'c'});"
        "print(digest._about('x', m, s._plan(m, t, 3, None, 1, 1, 0), t))"
    )
    task = AvoidanceTask(groups={0: "a", 1: "b", 2: "c"})
    assert subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip() == str(about(task=task))
    assert (
        about(Rescorla())["models"]["Rescorla"]["rules"]
        != about(type("Rescorla", (Half,), {})())["models"]["Rescorla"]["rules"]
    )
    assert about(task=AvoidanceTask(n_transfer=3))["task"] != about(task=AvoidanceTask())["task"]


# Errors, before the work starts

Q = avoidance_model("QLearning")
FRAME = pd.DataFrame(dict(alpha=[.1, .2], beta=[1., 2.]))


@pytest.mark.parametrize(
    "cells, task, options, says",
    [
        (
            Q,
            AvoidanceTask(),
            dict(bounds={"QLaerning": dict(temperature=(.1, .2))}),
            "unknown model in bounds 'QLaerning'; did you mean 'QLearning'",
        ),
        (Q, AvoidanceTask(), dict(bounds={"QLearning": dict(temprature=(.1, .2))}), "did you mean 'temperature'"),
        (Q, AvoidanceTask(), dict(bounds=dict(temperature=(.2, .1))), "swapped"),
        (Q, AvoidanceTask(), dict(bounds=3), "bounds must be a dictionary"),
        (Q, AvoidanceTask(), dict(draw={"QLearning": dict(temprature=.1)}), "did you mean 'temperature'"),
        (Q, AvoidanceTask(), dict(draw="normal"), "draw must be 'uniform'"),
        (Q, AvoidanceTask(), dict(draw=dict(temperature=2.)), "number within the bounds"),
        (Q, AvoidanceTask(), dict(draw=dict(temperature=stats.norm(.5, 2))), "draw brings temperature"),
        (Q, AvoidanceTask(), dict(people=1), "at least 2"),
        (Q, AvoidanceTask(), dict(people=2.5), "whole number"),
        (Q, AvoidanceTask(), dict(n_trials=5), "own trials"),
        (Q, AvoidanceTask(), dict(hold=dict(temperature=.1), draw=dict(temperature=.1)), "is held"),
        (Q, AvoidanceTask(), dict(hold=dict(temperature=5.)), "hold['temperature'] of QLearning must lie"),
        (
            Rescorla(),
            TASK,
            dict(draw=FRAME, people=3),
            "draw has 2 rows for Rescorla, needed one for each of the 3 people",
        ),
        (
            Rescorla(),
            TASK,
            dict(draw=FRAME, bounds=dict(beta=(0, 1.5))),
            "draw brings beta = 2 for Rescorla, outside the bounds (0, 1.5)",
        ),
        (Rescorla(), TASK, dict(draw=FRAME, hold=dict(beta=3.)), "hold says beta = 3 for Rescorla, but draw brings 1"),
        (Rescorla(), TASK, dict(draw=FRAME.rename(columns=dict(beta="betta"))), "did you mean 'beta'"),
        ([Rescorla(), Half()], TASK, dict(draw=FRAME), "draw speaks of one model, but there are 2"),
        ([Rescorla(), Half()], TASK, dict(bounds=dict(beta=(1, 2))), "bounds speaks of one model"),
        ([Rescorla(), Rescorla(alpha=.5)], TASK, {}, "two cells are called 'Rescorla'"),
        (AgentQ(), TASK, {}, "beta_reward of AgentQ is bounded by (0, inf)"),
        ([], TASK, {}, "cells is empty"),
    ],
)
def test_errors(cells, task, options, says):
    with pytest.raises((ValueError, TypeError)) as e: parameter_recovery(cells, task, **options)
    assert says in str(e.value) and "\n" not in str(e.value)


def test_errors_of_type(tutorial):
    class Wordless(Cell, rules=False):
        params = dict(a=Param(0.))
        def init(self, p, n_options=2): pass
        def logits(self, p, state, trial): pass
        def update(self, p, state, trial): pass

    with pytest.raises(TypeError, match="no compiled rules"): parameter_recovery(Wordless(), TASK)
    with pytest.raises(TypeError, match="avoidance_model"): parameter_recovery("QLearning", AvoidanceTask())
    for task in (AgentQ(), "bandit", None, [1]):
        with pytest.raises(TypeError, match="task must be an environment"): parameter_recovery(Rescorla(), task)
    with pytest.raises(ValueError, match="pass the environment"):
        parameter_recovery(Rescorla(), simulate(Rescorla(), TASK, people=3))
    with pytest.raises(ValueError, match="for participant 's0"):
        parameter_recovery(Q, tutorial, draw=pd.DataFrame(dict(temperature=[.1]), index=["nobody"]))
    with pytest.raises(ValueError, match="two or more"): model_recovery(Q, tutorial)
    with pytest.raises(ValueError, match="criterion"):
        model_recovery([Q, avoidance_model("Relative")], tutorial, criterion="nll")
    with pytest.raises(ValueError, match="datasets"): simulate_people(Q, tutorial, datasets=0)
    with pytest.raises(ValueError, match="one person for each"): simulate_like(Q, tutorial, sequences=["s01"])
    with pytest.raises(ValueError, match="unknown participant"): simulate_like(Q, tutorial, sequences=["zoe"] * 8)


def test_nothing_of_the_callers_is_changed(tutorial):
    bounds = {"QLearning": dict(temperature=(.05, .2))}
    draw = pd.DataFrame(dict(temperature=.1), index=[*tutorial.participants, "more"])
    before, choice = (dict(bounds["QLearning"]), draw.copy()), tutorial.choice.copy()
    state = np.random.get_state()[1].copy()
    parameter_recovery(Q, tutorial, bounds=bounds, draw=draw, starts=1)
    assert bounds["QLearning"] == before[0]
    assert draw.equals(before[1])
    assert (tutorial.choice == choice).all()
    assert (np.random.get_state()[1] == state).all()


# Figures

def test_figures(good, told):
    fig, axs = plot_recovery(good)
    shown = [ax for ax in fig.axes if ax.get_visible()]
    assert shown == list(axs)
    assert len(shown) == 2 and all("r = 0.9" in ax.get_title() for ax in shown)
    at = good.table[good.table.parameter == "beta"].at_bound.sum()
    assert sum(len(c.get_offsets()) for ax in shown for c in ax.collections) == 80
    assert at == sum(len(c.get_offsets()) for c in shown[1].collections if c.get_label() == "at a bound")
    numbers = [float(t.get_text().replace("−", "-")) for t in plot_confusion(told)[1].texts]
    np.testing.assert_allclose(numbers, 100 * told.confusion().to_numpy().ravel(), atol=.51)
    for plot in (plot_inverse, plot_bic_matrix):
        _, ax = plot(told)
        assert len(ax.patches) == 2 and ax.get_xlabel() and ax.get_ylabel()
    with pytest.raises(ValueError, match="unknown model"): plot_recovery(good, "Resorla")
    plt.close("all")
