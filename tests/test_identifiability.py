"""Identifiability: what the information says is how estimates scatter, and what cannot be told apart is named,
exactly."""
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.optimize import minimize_scalar

from spice_rl.models.avoidance import AvoidanceTask
from spice_rl.models.bandits import AgentQ, BanditsDrift
from spice_rl.core.cell import Cell
from spice_rl.core.data import Trials
from spice_rl.core.engine import nll
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import Equation, rescorla_wagner_equation
from spice_rl.inference.fitting import fit
from spice_rl.inference.hierarchy import fit_hierarchical
from spice_rl.inference.identifiability import identify
from spice_rl.inference.profiles import profile_likelihood
from spice_rl.models.ready import avoidance_model
from spice_rl.core.params import Param
from spice_rl.output.recovery_plots import plot_profile
from worlds import Rescorla

TASK = BanditsDrift(.2)


class AlphaBeta(Rescorla):
    "Values start at 0 and are never compared with what was paid: only alpha * beta enters"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 12), stay=Param(.5, -2, 2))
    def init(p, state): state.q[:] = 0.
    def logit(p, state, trial, option): return p.beta * state.q[option] + p.stay * (option == 0)
    def update(p, state, trial): state.q[trial.choice] += .1 * p.alpha * (trial.reward[trial.choice] - .5)


class Sum(AlphaBeta):
    params = dict(one=Param(1., 0, 5), other=Param(1., 0, 5))
    def logit(p, state, trial, option): return (p.one + p.other) * state.q[option]
    def update(p, state, trial): state.q[trial.choice] += .3 * (trial.reward[trial.choice] - state.q[trial.choice])


class Ratio(Rescorla):
    params = dict(alpha=Param(.3, 0, 1), gain=Param(2., .1, 10), temperature=Param(.5, .1, 3))
    def logit(p, state, trial, option): return p.gain / p.temperature * state.q[option]


class Difference(Rescorla):
    params = dict(alpha=Param(.3, 0, 1), left=Param(0., -2, 2), right=Param(0., -2, 2))
    def logit(p, state, trial, option): return 3 * state.q[option] + (p.left if option == 0 else p.right)


class Three(Rescorla):
    params = dict(alpha=Param(.3, 0, 1), a=Param(2., 0, 4), b=Param(1., 0, 4), c=Param(1., 0, 4))
    def logit(p, state, trial, option): return (p.a + p.b**2 + 2 * p.c) * state.q[option]


class Idle(Rescorla):
    params = dict(alpha=Param(.3, 0, 1), beta=Param(2., 0, 12), idle=Param(.5, 0, 1))


class Rates(Rescorla):
    "Two rates that can change places, and a mixture that does so with its weight"
    params = dict(one=Param(.7, 0, 1), other=Param(.1, 0, 1), beta=Param(4., 0, 12))
    state = "q", "u"
    def init(p, state): state.q[:] = state.u[:] = .5
    def logit(p, state, trial, option): return p.beta * (state.q[option] + state.u[option]) / 2
    def update(p, state, trial):
        c = trial.choice
        state.q[c] += p.one * (trial.reward[c] - state.q[c])
        state.u[c] += p.other * (trial.reward[c] - state.u[c])


class Mixture(Rates):
    params = dict(one=Param(.7, 0, 1), other=Param(.1, 0, 1), weight=Param(.3, 0, 1), beta=Param(4., 0, 12))
    def logit(p, state, trial, option): return p.beta * (p.weight * state.q[option] + (1 - p.weight) * state.u[option])


class Signs(Rescorla):
    "A gain whose sign cannot be told from that of another"
    params = dict(alpha=Param(.3, 0, 1), gain=Param(1.5, -3, 3), sign=Param(1., -3, 3))
    def logit(p, state, trial, option): return p.gain * p.sign * state.q[option] + .1 * p.gain**2 * (option == 0)


@pytest.fixture(scope="module")
def good(): return identify(Rescorla(), TASK, at=dict(alpha=.3, beta=4.), n_trials=400, people=200, starts=1)


@pytest.fixture(scope="module")
def short(): return identify(Rescorla(), TASK, at=dict(alpha=.2, beta=4.), n_trials=5, sessions=40, people=40, starts=1)


def look(cell, n_trials=120, people=4, **options):
    return identify(cell, TASK, n_trials=n_trials, people=people, starts=1, **options)


# Predictions against what happens

def test_errors_and_correlations_are_those_of_200_estimates(good):
    e, t = good.errors(), good.fitted.table
    assert (t[["alpha", "beta"]].std() / e.se).between(.85, 1.15).all() and e.scatter.between(.8, 1.2).all()
    happened = t.alpha.corr(t.beta)
    assert good.correlations().loc["alpha", "beta"] == pytest.approx(happened, abs=.15)
    assert good.tradeoffs().simulated[0] == pytest.approx(happened, abs=.1)
    z = (t[["alpha", "beta"]].to_numpy() - [.3, 4.]) / good.people().se.to_numpy().reshape(-1, 2)
    assert ((abs(z) < 1.96).mean(0) > .9).all()


def test_a_model_of_the_avoidance_task_against_200_estimates():
    i = identify(avoidance_model("QLearning"), AvoidanceTask(), at=dict(temperature=.15), people=200, starts=1)
    t, off = i.fitted.table, i.fitted.table.at_bound == ""
    assert (t[off][i.names].std() / i.errors().se).between(.85, 1.25).all()
    assert abs(i.correlations() - t[off][i.names].corr()).to_numpy().max() < .15 and i.notes() == []


def test_a_good_model_is_left_alone(good):
    assert good.notes() == []
    assert "nothing stands out" in repr(good)
    assert not len(good.flat)
    assert not good.symmetries
    assert not len(good.rivals)


def test_trials_that_are_needed(good):
    "So many trials, in sessions like these, give the error that is wanted"
    n = good.errors().trials.beta
    assert n == pytest.approx(400 * (good.errors().se.beta / 1.2)**2)
    wanted = identify(
        Rescorla(),
        TASK,
        at=dict(alpha=.3, beta=4.),
        n_trials=400,
        people=20,
        target=dict(beta=good.errors().se.beta / 2),
        starts=1,
    )
    more = identify(Rescorla(), TASK, at=dict(alpha=.3, beta=4.), n_trials=400, sessions=4, people=20, starts=1)
    assert more.errors().se.beta == pytest.approx(wanted.wanted.beta, rel=.1)
    assert wanted.errors().trials.beta == pytest.approx(1600, rel=.15)
    assert more.errors().grows.between(.8, 1.3).all() and more.n == 1600


def test_learning_that_is_over_tells_no_more_of_the_rate():
    "Where nothing changes, rates are seen at the beginning only"
    still = identify(
        Rescorla(), BanditsDrift(0.), at=dict(alpha=.02, beta=8.), n_trials=1000, people=6, starts=1
    ).errors()
    moving = identify(Rescorla(), TASK, at=dict(alpha=.3, beta=4.), n_trials=1000, people=6, starts=1).errors()
    assert still.grows.alpha < moving.grows.alpha and moving.grows.alpha == pytest.approx(1., abs=.15)


# Trade-offs

def test_the_product_is_named_where_it_is_what_is_known(short):
    t = short.tradeoffs().iloc[0]
    assert t.correlation < -.95 and t.combination == "product"
    note = short.notes()[0]
    assert note.startswith("alpha and beta trade off (r = −.99): report their product, or add trials (about ")
    assert "in place of 200" in note
    x = np.log(short.fitted.table[["alpha", "beta"]].clip(lower=1e-3))
    assert x.sum(axis=1).std() < .5 * x.std().min(), "the estimates must say the same"
    assert not len(short.flat), "it is known badly, but it is not flat"


def test_no_product_where_it_is_not_known():
    "Strongly related, yet no simple combination is known twice as well"
    i = identify(Rescorla(), TASK, at=dict(alpha=.05, beta=4.), n_trials=100, people=30, starts=1)
    t = i.tradeoffs().iloc[0]
    assert t.correlation < -.8 and t.combination == "" and "hold one of them, or add trials" in i.notes()[0]


def test_person_by_person(good):
    each = np.array([good.correlations(who).loc["alpha", "beta"] for who in range(200)])
    assert np.median(each) == pytest.approx(good.correlations().loc["alpha", "beta"]) and each.std() > 0
    p = good.people()
    assert list(p) == ["participant", "parameter", "value", "se", "of_range", "at_bound"] and len(p) == 400
    f = good.information[7]
    assert p.se[14:16].to_numpy() == pytest.approx(np.sqrt(np.diag(np.linalg.inv(f))), rel=1e-6)
    assert good.correlations(7).loc["alpha", "beta"] == pytest.approx(-f[0, 1] / np.sqrt(f[0, 0] * f[1, 1]), rel=1e-6)


def test_sloppy_directions_are_the_eigenvectors(good):
    scaled = good.information * np.outer([1., 12.], [1., 12.])
    widths = np.sqrt(1 / np.linalg.eigvalsh(scaled))
    assert good.directions().width.to_numpy() == pytest.approx(np.median(widths, 0), rel=1e-6)


def test_hybrid_2012_is_not_identified():
    i = identify(
        avoidance_model("Hybrid2012"), AvoidanceTask(n_transfer=4), at=dict(temperature=.15), people=2, starts=1
    )
    lost = i.errors().of_range
    assert (lost[["factual_actor_lr", "counterfactual_actor_lr", "critic_lr"]] > .25).all() and lost.mixing_factor < .2
    assert any(n.startswith("critic_lr: a standard error of") and "add trials" in n for n in i.notes())
    assert i.directions().width[0] > .5


# Flat directions and symmetries

@pytest.mark.parametrize(
    "cell, kind, names",
    [
        (AlphaBeta(), "product", ("alpha", "beta")),
        (Sum(), "sum", ("one", "other")),
        (Ratio(), "ratio", ("gain", "temperature")),
        (Difference(), "difference", ("left", "right")),
    ],
)
def test_only_a_combination_enters(cell, kind, names):
    i = look(cell)
    assert list(i.flat.itertuples(index=False, name=None)) == [(kind, names, True)] and i.symmetries == []
    assert (
        i.notes()[0]
        == f"only the {kind} of {names[0]} and {names[1]} enters: no number of trials tells them apart; report their "
           f"{kind}, and hold one of them"
    )
    e = i.errors()
    assert np.isinf(e.se[list(names)]).all()
    assert np.isfinite(e.se.drop(list(names))).all()
    assert np.isinf(i.errors().trials[names[0]])
    assert look(cell, hold={names[1]: cell.values[names[1]]}).flat.empty, "holding one is enough"


def test_a_parameter_that_does_nothing():
    i = look(Idle())
    assert list(i.flat.parameters) == [("idle",)]
    assert "the choices say nothing about idle: hold it, or leave it out" in i.notes()


def test_three_that_enter_as_one():
    i = look(Three())
    assert i.flat.kind.tolist() == ["mixture"] * 2 and i.flat.exact.all() and set(i.flat.parameters[0]) == set("abc")
    note, = [n for n in i.notes() if "mixtures" in n]
    assert "2 mixtures of these cannot be seen however far one goes" in note
    assert "hold 2 of them" in note
    assert "alpha" not in note
    assert look(Three(), hold=dict(b=1., c=1.)).flat.empty


def test_rates_that_change_places():
    i = identify(Rates(), TASK, n_trials=300, people=8, at={}, starts=2)
    assert i.symmetries == ["one and other exchanged"] and i.flat.empty
    assert any("the same learner comes out with one and other exchanged" in n for n in i.notes())
    equal = i.rivals[i.rivals.above < .01]
    assert equal.participant.nunique() >= 6, "there are two best solutions"
    best = i.fitted.table.loc[equal.participant]
    np.testing.assert_allclose(equal[["one", "other"]].to_numpy(), best[["other", "one"]].to_numpy(), atol=.02)
    assert look(Rates(), bounds=dict(one=(.4, 1), other=(0, .4))).symmetries == [], "an order is enough"


def test_a_mixture_and_signs():
    assert look(Mixture()).symmetries == ["one and other exchanged, weight turned around between its bounds"]
    assert look(Signs()).symmetries == ["the sign of gain changed, the sign of sign changed"]
    for cell in (Rescorla(), avoidance_model("ActorCritic")):
        assert (
            identify(
                cell, TASK if isinstance(cell, Rescorla) else AvoidanceTask(n_transfer=1), people=3, starts=1
            ).symmetries
            == []
        )


def test_an_equation():
    exact = rescorla_wagner_equation(.3, 4)
    trials = simulate(exact, TASK, people=4, n_trials=300, seed=2)
    i = identify(exact, trials, starts=1)
    assert i.flat.empty
    assert not i.symmetries
    assert i.errors().of_range.isna().all()
    assert not any("range" in n for n in i.notes())
    loose = Equation(exact.equation_rules, exact.state, exact.coefficients)   # start and weight free: no unit
    i = identify(loose, trials, starts=1)
    assert i.flat.exact.all()
    assert "x_value_reward_chosen: x_value_reward_chosen" not in {n for p in i.flat.parameters for n in p}
    assert "weight: x_value_reward" in i.flat.parameters[0] or "weight: x_value_reward" in i.flat.parameters[1]


def test_an_agent():
    agent = AgentQ()
    hold = {p: x for p, x in agent.values.items() if p not in ("alpha_reward", "alpha_penalty", "beta_reward")}
    i = identify(
        agent,
        TASK,
        at=dict(alpha_reward=.3, beta_reward=4.),
        hold=hold,
        bounds=dict(beta_reward=(0, 12)),
        n_trials=500,
        people=20,
        starts=1,
    )
    assert i.names == ["alpha_reward", "alpha_penalty", "beta_reward"]
    assert i.notes() == []
    assert i.errors().scatter.between(.5, 1.6).all()


# Where it is taken

def test_bounds_are_counted():
    trials = simulate(
        Rescorla(),
        TASK,
        pd.DataFrame(dict(alpha=[.3, .3, .3], beta=[0., 0., 4.]), ["a", "b", "c"]),
        n_trials=60,
        seed=3,
    )
    f = fit(Rescorla(), trials)
    i = identify(Rescorla(), trials, at=f)
    for who in "abc":
        assert set(i.at_bound.columns[i.at_bound.loc[who]]) == set(filter(None, f.table.at_bound[who].split(", ")))
    assert i.errors().at_bound.sum() == i.at_bound.to_numpy().sum() > 0
    assert any("sits at a bound for" in n for n in i.notes())
    assert i.people().se.isna().to_numpy().tolist() == i.at_bound.to_numpy().ravel().tolist()


def test_a_fit_is_taken_as_it_is():
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=4.), people=5, n_trials=200, seed=1)
    f = fit(Rescorla(), trials, hold=dict(beta=4.), bounds=dict(alpha=(.01, .9)))
    i = identify(Rescorla(), trials, at=f)
    assert i.names == ["alpha"] and i.fitted is f and i.ranges.alpha == pytest.approx(.89) and not i.simulated
    np.testing.assert_array_equal(i.values.alpha, f.table.alpha)
    new = identify(Rescorla(), trials, hold=dict(beta=4.), bounds=dict(alpha=(.01, .9)))
    pd.testing.assert_frame_equal(i.errors(), new.errors())
    assert list(identify(Rescorla(), trials.take([3, 1]), at=f).values.index) == [3, 1] or set(
        identify(Rescorla(), trials.take([3, 1]), at=f).values.index
    ) == {1, 3}


def test_a_hierarchical_fit_and_given_values():
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=4.), people=5, n_trials=200, seed=1)
    h = identify(Rescorla(), trials, at=fit_hierarchical(Rescorla(), trials))
    there = identify(Rescorla(), trials, at=h.values, starts=1)
    np.testing.assert_allclose(h.information, there.information)
    same = identify(Rescorla(), trials, at=dict(alpha=.3, beta=4.), starts=1)
    assert (same.values == [.3, 4.]).all(axis=None) and same.errors().value.tolist() == [.3, 4.] and len(h.rivals) == 0


def test_same_seed_same_answer(short):
    again = identify(Rescorla(), TASK, at=dict(alpha=.2, beta=4.), n_trials=5, sessions=40, people=40, starts=1)
    assert repr(again) == repr(short) and again._repr_html_() == short._repr_html_()
    other = identify(
        Rescorla(),
        TASK,
        at=dict(alpha=.2, beta=4.),
        n_trials=5,
        sessions=40,
        people=60,
        starts=3,
        seed=np.random.default_rng(1),
    )
    assert repr(other) != repr(short)


def test_trials_are_not_touched():
    trials = simulate(Rescorla(), TASK, people=3, n_trials=60, seed=1)
    before = trials.to_frame().copy()
    identify(Rescorla(), trials, starts=1)
    profile_likelihood(Rescorla(), trials, "alpha", starts=1)
    pd.testing.assert_frame_equal(before, trials.to_frame())


def test_missing_choices_do_not_count():
    trials = simulate(Rescorla(), TASK, people=2, n_trials=100, seed=1)
    holes = Trials.from_arrays(np.where(np.arange(200) % 4 == 0, -1, trials.choice), trials.reward, trials.participant)
    assert identify(Rescorla(), holes, starts=1).n == 75


@pytest.mark.parametrize(
    "options, error, what",
    [
        (dict(at=dict(gamma=1.)), ValueError, "unknown parameter 'gamma'"),
        (dict(at=dict(alpha=2.)), ValueError, "outside the bounds"),
        (dict(at=3), TypeError, "at must be a dict"),
        (dict(draw=dict(alpha=.2)), ValueError, "say how many people"),
        (dict(n_trials=5), ValueError, "leave them out"),
        (dict(target=-1), ValueError, "target must be above 0"),
        (dict(target=dict(gamma=1)), ValueError, "unknown estimated parameter"),
        (dict(hold=dict(alpha=.2, beta=3.)), ValueError, "nothing to"),
        (dict(at=pd.DataFrame(dict(alpha=[.2]), [9])), ValueError, "no row for participant 0"),
    ],
)
def test_bad_input(options, error, what):
    trials = simulate(Rescorla(), TASK, people=2, n_trials=20, seed=1)
    with pytest.raises(error, match=what): identify(Rescorla(), trials, starts=1, **options)


# Profiles

def brute(cell, trials, who, value, name):
    "The least NLL with alpha free, and another number held"
    one = trials.take([who])
    f = lambda a: float(nll(cell, {"alpha": a, name: value}, one).iloc[0])
    grid = np.linspace(0, 1, 41)
    best = grid[np.argmin([f(a) for a in grid])]
    return minimize_scalar(
        f, bounds=(max(0, best - .03), min(1, best + .03)), method="bounded", options=dict(xatol=1e-6)
    ).fun


def test_a_profile_is_the_least_nll_at_each_value():
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=4.), people=3, n_trials=150, seed=4)
    f = fit(Rescorla(), trials)
    p = profile_likelihood(Rescorla(), trials, "beta", fitted=f)
    for row in p.table[p.table.participant == 1].iloc[::5].itertuples():
        assert row.nll == pytest.approx(brute(Rescorla(), trials, 1, row.value, "beta"), abs=1e-3)
    assert (p.table.groupby("participant").deviance.min() < 1e-6).all() and not p.notes()
    for who, t in p.intervals.iterrows():
        assert t.lower < t.estimate < t.upper and t.estimate == f.table.beta[who]
        for end in (t.lower, t.upper):
            assert 2 * (brute(Rescorla(), trials, who, end, "beta") - f.nll[who]) == pytest.approx(p.line, abs=.06)
    width = (p.intervals.upper - p.intervals.lower) / (2 * 1.96 * f.table.se_beta)
    assert width.between(.9, 1.4).all()


def test_intervals_hold_the_truth():
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=3.), people=200, n_trials=80, seed=5)
    t = profile_likelihood(Rescorla(), trials, "beta", starts=2, points=3).intervals
    assert ((t.lower <= 3) & (3 <= t.upper)).mean() == pytest.approx(.95, abs=.035)


def test_open_intervals():
    trials = simulate(Rescorla(), TASK, dict(alpha=.2, beta=4.), people=4, sessions=40, n_trials=5, seed=1)
    p = profile_likelihood(Rescorla(), trials, "beta")
    assert p.intervals.open_above.all()
    assert (p.intervals.upper == 12).all()
    assert "open above for 4 of 4" in p.notes()[0]
    assert p.notes()[0] in repr(p)
    flat = profile_likelihood(AlphaBeta(), trials, "alpha", who=[0, 1], bounds=dict(alpha=(.1, 1)))
    # the same all along, as far as beta can follow
    product = (flat.table.value * flat.table.beta).groupby(flat.table.participant).last()
    along = flat.table[flat.table.value > 1.01 * flat.table.participant.map(product) / 12]
    assert flat.intervals.open_above.all() and len(along) > 20 and along.deviance.max() < 1e-3
    equation = rescorla_wagner_equation(.3, 4)
    name = list(equation.params)[0]
    certain = profile_likelihood(equation, simulate(equation, TASK, people=2, n_trials=300, seed=2), name, starts=1)
    assert np.isfinite(certain.intervals[["lower", "upper"]]).all(axis=None)


def test_one_parameter_one_person():
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=4.), people=3, n_trials=200, seed=1)
    p = profile_likelihood(Rescorla(), trials, "alpha", who=2, hold=dict(beta=4.), level=.9)
    assert list(p.intervals.index) == [2]
    assert list(p.table) == ["participant", "value", "nll", "deviance"]
    assert p.line == pytest.approx(2.7055, abs=1e-3)
    wide = profile_likelihood(Rescorla(), trials, "alpha", who=2, hold=dict(beta=4.), level=.99)
    assert wide.intervals.lower[2] < p.intervals.lower[2] < p.intervals.upper[2] < wide.intervals.upper[2]


def test_a_better_point_is_told():
    "A fit that stopped short is found out"
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=4.), people=2, n_trials=200, seed=1)
    f = fit(Rescorla(), trials)
    f.table.loc[0, "beta"] = 6.
    p = profile_likelihood(Rescorla(), trials, "beta", fitted=f)
    assert p.intervals.gain[0] > .5 and p.intervals.gain[1] < 1e-4 and "for 1 of 2 a better point" in p.notes()[-1]


@pytest.mark.parametrize(
    "options, error, what",
    [
        (dict(parameter="gamma"), ValueError, "unknown estimated parameter"),
        (dict(level=95), ValueError, "level must be above 0 and below 1"),
        (dict(points=2), ValueError, "points must be"),
        (dict(who=7), ValueError, "7"),
        (dict(hold=dict(beta=3.)), ValueError, "unknown estimated parameter 'beta'"),
    ],
)
def test_bad_input_of_profiles(options, error, what):
    trials = simulate(Rescorla(), TASK, people=2, n_trials=20, seed=1)
    with pytest.raises(error, match=what):
        profile_likelihood(Rescorla(), trials, **dict(dict(parameter="beta", starts=1), **options))


def test_the_figure():
    trials = simulate(Rescorla(), TASK, dict(alpha=.3, beta=4.), people=3, n_trials=150, seed=4)
    p = profile_likelihood(Rescorla(), trials, "beta", starts=1)
    fig, ax = plot_profile(p, truth=4.)
    curves = {line.get_label(): line for line in ax.lines if line.get_label() in ("0", "1", "2")}
    for who in range(3):
        np.testing.assert_array_equal(
            curves[str(who)].get_xydata(), p.table[p.table.participant == who][["value", "deviance"]]
        )
    assert any(np.allclose(line.get_ydata(), p.line) for line in ax.lines)
    assert any(np.allclose(line.get_xdata(), 4.) for line in ax.lines)
    one, mine = plt.subplots()
    assert plot_profile(p, who=1, ax=mine)[0] is one and not mine.get_legend()
    plt.close("all")
