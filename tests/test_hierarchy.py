"""Hierarchical fits, judged by independent code: numerical integrals, plain EM, scipy; and what they say when there
is nothing to say"""
import re
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit, logit, logsumexp
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, Cell, Lanes, Param, RescorlaWagner, Trials, avoidance_model
from spice_rl import check, compare, fit, fit_hierarchical, from_line, nll, read_trials, rescorla_wagner_equation
from spice_rl import simulate
from spice_rl.inference import hierarchy, intervals, modes, population
from test_project import ROOT, load
from worlds import HELD, Bias, Q

SHARED = Path(__file__).resolve().parents[2] / "shared"


def people(n, n_trials, seed, effect=0., sd=(1.2, .6)):
    "People of a normal group on the line; every other one is in group b"
    rng = np.random.default_rng(seed)
    z = np.c_[rng.normal(0, sd[0], n) + effect * (np.arange(n) % 2), rng.normal(-1.2, sd[1], n)]
    truth = pd.DataFrame(from_line(z, list(Q.params.values())), columns=["alpha", "beta"])
    return simulate(Q(), BanditsDrift(.15), truth, n_trials=n_trials, seed=seed), truth


def line(frame): return np.c_[logit(frame.alpha), logit(frame.beta / 20)]


@pytest.fixture(scope="module")
def twenty(): return people(20, 100, 3)


@pytest.fixture(scope="module")
def found(twenty): return fit_hierarchical(Q(), twenty[0])


# The numbers

@pytest.mark.skipif(not (SHARED / "golden/q2_50x200.csv").is_file(), reason="../shared is not here")
def test_golden_numbers():
    trials = read_trials(SHARED / "golden/q2_50x200.csv", participant="participant", choice="choice", reward="reward")
    truth = pd.read_csv(SHARED / "golden/q2_50x200_truth.csv", index_col=0)
    f = fit_hierarchical(Q(), trials)
    np.testing.assert_allclose(f.means["mean"], [-.0399, -1.2285], atol=1e-4)
    np.testing.assert_allclose(f.variances.variance, [1.832, .4146], atol=1e-3)
    assert f.nll.sum() == pytest.approx(3215.671, abs=5e-3) and f.log_evidence == pytest.approx(-3390.25, abs=.01)
    r = [np.corrcoef(truth[q], f.table[q])[0, 1] for q in ("alpha", "beta")]
    assert r == pytest.approx([.858, .907], abs=1e-3) and f.notes() == []
    assert ((f.table.beta - truth.beta)**2).mean()**.5 == pytest.approx(.93, abs=.01)


def bias_people(n, n_trials, seed, mean=.4, sd=1.):
    rng = np.random.default_rng(seed)
    z = rng.normal(mean, sd, n)
    k = rng.binomial(n_trials, expit(z))
    choice = np.concatenate([np.repeat([1, 0], [a, n_trials - a]) for a in k])
    return Trials.from_arrays(choice, np.zeros(len(choice)), np.repeat(np.arange(n), n_trials)), k


def bias_marginal(k, n_trials, mean, variance):
    "Log marginal likelihood of each person by quadrature"
    x = np.linspace(-9, 9, 4001)
    z = mean + np.sqrt(variance) * x
    weight = -.5 * x**2 - np.log(np.exp(-.5 * x**2).sum())
    return logsumexp(k[:, None] * np.log(expit(z)) + (n_trials - k[:, None]) * np.log(expit(-z)) + weight, axis=1)


def curvature(cost, x):
    "Second derivatives of a smooth function by differences, Richardson-extrapolated"
    e = np.eye(len(x))
    plain = lambda h: np.array(
        [
            [
                (cost(x + h * (a + b)) - cost(x + h * (a - b)) - cost(x - h * (a - b)) + cost(x - h * (a + b)))
                / (4 * h * h)
                for a in e
            ]
            for b in e
        ]
    )
    return (4 * plain(.01) - plain(.02)) / 3


def test_evidence_against_quadrature():
    trials, k = bias_people(40, 60, 0)
    f = fit_hierarchical(Bias(), trials)
    mean, variance = f.means["mean"].iloc[0], f.variances.variance.iloc[0]
    np.testing.assert_allclose(f.table.evidence, bias_marginal(k, 60, mean, variance), atol=.01)
    cost = lambda x: -bias_marginal(k, 60, x[0], np.exp(x[1])).sum()
    best = minimize(cost, [0., 0.], method="Nelder-Mead", options=dict(xatol=1e-8, fatol=1e-10))
    # of the exact marginal likelihood; reported: for n − 1 degrees of freedom
    se, log_se = np.sqrt(np.diag(np.linalg.inv(curvature(cost, best.x))))
    # EM takes modes for posterior means, so its fixed point lies beside the top of the exact likelihood, by little of a
    # standard error
    assert abs(mean - best.x[0]) < .1 * se and abs(np.log(variance) - best.x[1]) < .2 * log_se
    assert f.means.se.iloc[0] == pytest.approx(se * np.sqrt(40 / 39), rel=.05)
    assert f.variances.se.iloc[0] == pytest.approx(variance * log_se, rel=.1)


def plain_em(trials, turns=150):
    "Means, variances and modes by EM as it is written in textbooks, with scipy and differences of the NLL"
    lanes, n = Lanes(Q(), trials, 1), trials.n_participants
    params, who = list(Q.params.values()), np.arange(n)
    cost = lambda z, i: lanes.nll(from_line(z[None], params), [i])[0]
    def hessian(z, h=2e-3):
        e, out = np.eye(2) * h, np.empty((n, 2, 2))
        f = lambda z: lanes.nll(from_line(z, params), who)
        for a in range(2):
            for b in range(2):
                out[:, a, b] = (f(z + e[a] + e[b]) - f(z + e[a] - e[b]) - f(z - e[a] + e[b]) + f(z - e[a] - e[b])) / (
                    4 * h * h
                )
        return out
    mean, variance, z = np.zeros(2), np.full(2, 4.), np.zeros((n, 2))
    for turn in range(turns):
        z = np.array(
            [
                minimize(
                    lambda x: cost(x, i) + .5 * ((x - mean) ** 2 / variance).sum(),
                    z[i],
                    method="BFGS",
                    options=dict(gtol=1e-5),
                ).x
                for i in who
            ]
        )
        C = np.linalg.inv(hessian(z) + np.diag(1 / variance))
        old, mean = np.r_[mean, variance], z.mean(0)
        variance = ((z - mean)**2 + np.diagonal(C, axis1=1, axis2=2)).mean(0)
        if abs(np.r_[mean, variance] - old).max() < 1e-4: break
    return mean, variance, z


def test_fixed_point_of_plain_em():
    trials, _ = people(8, 80, 5)
    f, (mean, variance, z) = fit_hierarchical(Q(), trials), plain_em(trials)
    np.testing.assert_allclose(f.means["mean"], mean, atol=.005)
    np.testing.assert_allclose(f.variances.variance, variance, rtol=.02, atol=.003)
    np.testing.assert_allclose(f.modes, z, atol=.02)


def test_modes_are_modes(twenty, found):
    lanes, mean = Lanes(Q(), twenty[0], 1), found.means["mean"].to_numpy()
    variance = found.variances.variance.to_numpy()
    params = list(Q.params.values())
    for i in (0, 7, 19):
        cost = lambda z: lanes.nll(from_line(z[None], params), [i])[0] + .5 * ((z - mean)**2 / variance).sum()
        best = min(
            (
                minimize(cost, s, method="Nelder-Mead", options=dict(xatol=1e-6, fatol=1e-9))
                for s in (found.modes.iloc[i].to_numpy(), mean, mean + 1)
            ),
            key=lambda r: r.fun,
        )
        np.testing.assert_allclose(found.modes.iloc[i], best.x, atol=1e-3)
    np.testing.assert_allclose(nll(Q(), found.parameters, twenty[0]), found.nll, rtol=1e-12)


def test_shrinks_toward_the_group(twenty, found):
    trials, truth = twenty
    alone, mean = fit(Q(), trials), found.means["mean"].to_numpy()
    inside = (alone.table.at_bound == "").to_numpy()
    assert (abs(found.modes - mean)[inside].mean() < abs(line(alone.table[inside]) - mean).mean(0)).all()
    assert (((found.parameters - truth)**2).mean() < ((alone.parameters - truth)**2).mean()).all()
    assert (found.nll >= alone.nll - 1e-6).all()


def test_interval_coverage():
    "Posterior intervals of people hold the truth as often as they say, roughly"
    hits = []
    for seed in range(4):
        trials, truth = people(30, 100, 100 + seed)
        t = fit_hierarchical(Q(), trials).table
        hits.append([t[f"lower_{q}"].lt(truth[q]) & t[f"upper_{q}"].gt(truth[q]) for q in ("alpha", "beta")])
    assert (np.array(hits).mean((0, 2)) > .88).all()


# Groups and covariates

def test_group_effect_is_recovered():
    trials, _ = people(60, 150, 7, effect=1.2)
    group = pd.Series(np.where(np.arange(60) % 2, "b", "a"))
    f = fit_hierarchical(Q(), trials, group)
    row = f.effects.loc["alpha", "b - a"]
    assert row.lower < 1.2 < row.upper and row.p < .01 and f.effects.p["beta", "b - a"] > .01
    assert f.test().p["alpha"] == pytest.approx(row.p, rel=1e-9) and f.test().F["alpha"] == pytest.approx(row.t**2)
    assert f.log_evidence > fit_hierarchical(Q(), trials).log_evidence
    other = fit_hierarchical(Q(), trials, 1 * (group == "a"))   # the same groups the other way round
    assert other.effects.effect["alpha", "1 - 0"] == pytest.approx(-row.effect, abs=1e-4)
    assert other.log_evidence == pytest.approx(f.log_evidence, abs=1e-3)


def test_with_many_choices_it_is_the_t_test():
    rng = np.random.default_rng(5)
    n = 8000
    k = rng.binomial(n, expit(rng.normal(.3, .7, 24) + .5 * (np.arange(24) < 12)))
    choice = np.concatenate([np.repeat([1, 0], [a, n - a]) for a in k])
    group = pd.Series(np.where(np.arange(24) < 12, "b", "a"))
    f = fit_hierarchical(Bias(), Trials.from_arrays(choice, np.zeros(len(choice)), np.repeat(np.arange(24), n)), group)
    z = logit(k / n)
    t = stats.ttest_ind(z[:12], z[12:])
    assert f.effects.t["bias", "b - a"] == pytest.approx(t.statistic, rel=2e-3)
    assert f.effects.p["bias", "b - a"] == pytest.approx(t.pvalue, rel=.02)
    ends = t.confidence_interval()
    np.testing.assert_allclose(f.effects[["lower", "upper"]].to_numpy()[0], [ends.low, ends.high], atol=5e-3)


def test_covariate_in_any_unit():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, 40)
    trials, k = bias_people(40, 80, 2)
    z = rng.normal(.4 + .8 * x, .6)
    choice = np.concatenate([np.repeat([1, 0], [a, 80 - a]) for a in rng.binomial(80, expit(z))])
    trials = Trials.from_arrays(choice, np.zeros(len(choice)), np.repeat(np.arange(40), 80))
    f, g = (
        fit_hierarchical(Bias(), trials, covariates={"x": pd.Series(x * unit + shift)})
        for unit, shift in ((1., 0.), (1e5, 4e6))
    )
    row = f.effects.loc["bias", "x"]
    assert row.lower < .8 < row.upper and row.p < 1e-4
    np.testing.assert_allclose(f.effects.t, g.effects.t, rtol=1e-4)
    np.testing.assert_allclose(f.effects.effect, g.effects.effect * 1e5, rtol=1e-4)
    assert f.variances.variance.iloc[0] < fit_hierarchical(Bias(), trials).variances.variance.iloc[0]


def test_three_groups_are_tested_together():
    trials, k = bias_people(30, 50, 4)
    group = pd.Series(np.arange(30) % 3)
    f = fit_hierarchical(Bias(), trials, group)
    assert list(f.effects.index.get_level_values(1)) == ["1 - 0", "2 - 0"] and f.test().df1["bias"] == 2
    z = pd.Series(f.modes.bias)
    assert (abs(f.means["mean"].droplevel(0) - z.groupby(group).mean()) < .05).all()


# No place in the data, no thread, no number of others changes anything

def test_same_seed_threads_and_order(twenty, found):
    trials, _ = twenty
    again = fit_hierarchical(Q(), trials, threads=2)
    pd.testing.assert_frame_equal(again.table, found.table)
    frame = trials.to_frame()
    shuffled = pd.concat(
        [frame[frame.participant == p] for p in np.random.default_rng(0).permutation(trials.participants)]
    )
    other = fit_hierarchical(
        Q(),
        read_trials(
            shuffled.assign(participant=shuffled.participant.map("p{:03d}".format)),
            participant="participant",
            choice="choice",
            reward="reward",
        ),
    )
    assert other.log_evidence == pytest.approx(found.log_evidence, abs=1e-4)
    np.testing.assert_allclose(np.sort(other.table.alpha), np.sort(found.table.alpha), atol=1e-4)
    assert fit_hierarchical(Q(), trials, seed=9).log_evidence == pytest.approx(found.log_evidence, abs=1e-3)


# Any cell

def test_agent_with_held_parameters_and_bounds(twenty, found):
    f = fit_hierarchical(AgentQ(), twenty[0], hold=HELD, bounds=dict(beta_reward=(0, 20)))
    assert f.names == ("alpha_reward", "alpha_penalty", "beta_reward")
    assert (f.parameters[list(HELD)] == pd.Series(HELD)).all().all()
    np.testing.assert_allclose(nll(AgentQ(), f.parameters, twenty[0]), f.nll)
    assert simulate(AgentQ(), BanditsDrift(.1), f.parameters, n_trials=5).n_participants == 20
    log = fit_hierarchical(AgentQ(), twenty[0], hold=HELD)
    assert (log.parameters.beta_reward > 0).all() and log.table.converged.all()


def test_an_equation():
    trials, _ = people(20, 150, 11, sd=(.5, .3))
    equation = rescorla_wagner_equation(.3, 3.)
    f = fit_hierarchical(equation, trials)
    assert f.table.converged.all()
    assert set(f.names) == set(equation.params)
    assert f.nll.sum() <= fit_hierarchical(Q(), trials).nll.sum() + 20


def test_with_compare_and_check():
    model = avoidance_model("QLearning")
    trials = simulate(model, AvoidanceTask(n_transfer=2, groups={i: "ab"[i % 2] for i in range(10)}), people=10, seed=2)
    f = fit_hierarchical(model, trials, "group_code")
    g = fit_hierarchical(avoidance_model("ActorCritic"), trials, "group_code", name="other")
    ranking = compare([f, g]).ranking()
    assert ranking.BIC[f.name] == pytest.approx(f.integrated_bic) and ranking.parameters[f.name] == f.numbers
    assert check(f, trials, times=10).learning.group.nunique() == 2
    with pytest.raises(ValueError, match="has no AIC"): compare([f, g], "aic")


def test_csv(found, tmp_path):
    found.to_csv(tmp_path / "x.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "x.csv", index_col=0), found.table, rtol=1e-12)


# Never silent

def test_a_person_without_information():
    "One with no choice that counts, one who was never shown a reward"
    frame = people(15, 80, 21)[0].to_frame()
    none = frame[frame.participant == 0].assign(participant=98)
    blind = frame[frame.participant == 1].assign(participant=99, reward=np.nan)
    trials = read_trials(
        pd.concat([frame, none, blind], ignore_index=True), participant="participant", choice="choice", reward="reward"
    )
    trials = replace(trials, counted=trials.counted & (np.array(trials.participants)[trials.participant] != 98))
    f, without = fit_hierarchical(Q(), trials), fit_hierarchical(Q(), people(15, 80, 21)[0])
    np.testing.assert_allclose(f.modes.loc[98], f.means["mean"].to_numpy(), atol=1e-3)
    assert f.table.evidence[98] == pytest.approx(0, abs=1e-6)
    assert f.table.evidence[99] == pytest.approx(-80 * np.log(2), abs=1e-3)
    np.testing.assert_allclose(f.means["mean"], without.means["mean"], atol=2e-3)
    np.testing.assert_allclose(f.variances.variance, without.variances.variance, rtol=.01)
    np.testing.assert_allclose(f.means.se * np.sqrt(16 / 17), without.means.se * np.sqrt(14 / 15), rtol=.01)


def test_a_collapsing_variance():
    rng = np.random.default_rng(0)
    trials, k = bias_people(30, 40, 8, sd=1e-9)
    f = fit_hierarchical(Bias(), trials)
    if f.variances.variance.iloc[0] > 1e-3: pytest.fail("needs data that vary less than chance")
    assert any("do not differ measurably in bias" in n for n in f.notes()) and f.table.converged.all()
    p = k.sum() / 1200
    assert f.means["mean"].iloc[0] == pytest.approx(logit(p), abs=1e-3) and np.isnan(f.variances.se.iloc[0])
    assert f.table.evidence.sum() == pytest.approx(k.sum() * np.log(p) + (1200 - k.sum()) * np.log(1 - p), abs=.01)


def test_an_uninformed_parameter(twenty, found):
    class Idle(Q): params = Q.params | dict(idle=Param(.5, 0, 1), none=Param(0.))
    f = fit_hierarchical(Idle(), twenty[0])
    assert sum("nobody's choices" in n for n in f.notes()) == 2 and f.numbers == found.numbers
    assert f.log_evidence == pytest.approx(found.log_evidence, abs=1e-3) and f.parameters.idle.eq(.5).all()
    np.testing.assert_allclose(f.means.se.iloc[:2], found.means.se, rtol=1e-3)


def test_two_that_do_the_same(twenty, found):
    class Twice(Q):
        params = Q.params | dict(scale=Param(1., .1, 5))
        def logit(p, state, trial, k): return p.beta * p.scale * state.q[k]
    f = fit_hierarchical(Twice(), twenty[0])
    assert f.notes() and abs(f.log_likelihood - found.log_likelihood) < 5 and np.isfinite(f.table.evidence).all()


def test_a_person_who_bends_the_wrong_way():
    "Always the better option from the first trial on: certain choices, at the edge of what the parameters can do"
    frame = people(15, 80, 31)[0].to_frame()
    odd = frame[frame.participant == 0].copy()
    odd["participant"], odd["choice"] = 97, np.arange(len(odd)) % 2
    odd["reward"] = np.where(np.arange(len(odd)) % 3 == 0, 1., 0.)
    trials = read_trials(
        pd.concat([frame, odd], ignore_index=True), participant="participant", choice="choice", reward="reward"
    )
    f = fit_hierarchical(Q(), trials)
    assert np.isfinite(f.table.evidence).all() and (f.table.evidence < 0).all() and f.table.converged.all()
    assert (np.linalg.eigvalsh(f.covariances) > 0).all()
    assert (f.covariances.diagonal(axis1=1, axis2=2) <= f.variances.variance.to_numpy() / .0999).all()


def test_two_groups_in_one_are_noticed():
    rng = np.random.default_rng(2)
    z = np.where(np.arange(60) % 2, 2., -2.) + rng.normal(0, .3, 60)
    choice = np.concatenate([np.repeat([1, 0], [a, 100 - a]) for a in rng.binomial(100, expit(z))])
    f = fit_hierarchical(Bias(), Trials.from_arrays(choice, np.zeros(len(choice)), np.repeat(np.arange(60), 100)))
    assert any("do not look like one normal group" in n for n in f.notes())


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(groups="no_column"), "no_column"),
        (dict(groups={i: "a" for i in range(20)}), "at least two groups"),
        (dict(groups={i: "b" if i == 3 else "a" for i in range(20)}), "has one participant"),
        (dict(groups={i: "ab"[i % 2] for i in range(19)}), "says nothing about participant 19"),
        (dict(covariates={"age": {i: 3. for i in range(20)}}), "for everybody"),
        (dict(covariates={"sex": {i: "mf"[i % 2] for i in range(20)}}), "must be numbers"),
        (
            dict(groups={i: i % 2 for i in range(20)}, covariates={"same": {i: i % 2 for i in range(20)}}),
            "cannot be told apart",
        ),
        (dict(hold=dict(alpha=.2, beta=1.)), "nothing to fit"),
        (dict(hold=dict(alph=.2)), "did you mean 'alpha'"),
        (dict(bounds=dict(alpha=(0, 2))), "must lie within"),
        (dict(starts=0), "at least 1"),
    ],
)
def test_bad_input(twenty, options, message):
    with pytest.raises(ValueError, match=message): fit_hierarchical(Q(), twenty[0], **options)


def test_prints(found):
    assert "20 participants together" in repr(found) and "<table" in found._repr_html_()
    with pytest.raises(ValueError, match="no effect to test"): found.test()


# What is believed beforehand

GAMMA = stats.gamma(2, scale=.5)


def test_a_prior_is_the_top_of_likelihood_and_prior():
    "Bias, by quadrature: marginal likelihood times the densities of the mean and the sd, and its errors"
    trials, k = bias_people(15, 20, 3)
    prior = dict(bias=dict(typical=stats.norm(-.5, .2), sd=stats.halfnorm(scale=.3)))
    f, plain = fit_hierarchical(Bias(), trials, prior=prior), fit_hierarchical(Bias(), trials)
    cost = lambda x: (
        -bias_marginal(k, 20, x[0], np.exp(x[1])).sum()
        - prior["bias"]["typical"].logpdf(x[0])
        - prior["bias"]["sd"].logpdf(np.exp(x[1] / 2))
    )
    best = minimize(cost, [0., 0.], method="Nelder-Mead", options=dict(xatol=1e-8, fatol=1e-10))
    mean_se, log_se = np.sqrt(np.diag(np.linalg.inv(curvature(cost, best.x))))
    assert abs(f.means["mean"].iloc[0] - best.x[0]) < .1 * mean_se
    assert abs(np.log(f.variances.variance.iloc[0]) - best.x[1]) < .25 * log_se
    assert f.means["mean"].iloc[0] < plain.means["mean"].iloc[0]
    assert f.variances.variance.iloc[0] < plain.variances.variance.iloc[0]
    assert f.means.se.iloc[0] < plain.means.se.iloc[0]
    assert f.means.se.iloc[0] == pytest.approx(mean_se, rel=.05)
    assert f.variances.se.iloc[0] / f.variances.variance.iloc[0] == pytest.approx(log_se, rel=.1)
    assert f.prior == prior
    assert any("prior of bias: typical norm(-0.5, 0.2), sd halfnorm(scale=0.3)" in n for n in f.notes())


def test_prior_in_the_units_of_the_parameter(twenty, found):
    """A logistic density on the line is a uniform one between the bounds; a narrow one wins over the choices; a flat
    one changes nothing"""
    flat = fit_hierarchical(Q(), twenty[0], prior=dict(alpha=stats.uniform(0, 1), beta=stats.uniform(0, 20)))
    assert abs(flat.means["mean"] - found.means["mean"]).max() < .15
    narrow = fit_hierarchical(Q(), twenty[0], prior=dict(alpha=stats.beta(2000, 8000)))
    assert narrow.means.typical["alpha", "everybody"] == pytest.approx(.2, abs=.01)
    assert narrow.means.se["alpha", "everybody"] < .1
    wide = fit_hierarchical(Q(), twenty[0], prior=dict(alpha=dict(sd=stats.halfcauchy(scale=1e3))))
    np.testing.assert_allclose(wide.variances.variance, found.variances.variance, rtol=1e-4)


def test_prior_of_each_group_does_not_depend_on_their_order():
    trials, _ = people(24, 80, 7, effect=1.2)
    group = pd.Series(np.where(np.arange(24) % 2, "b", "a"))
    one, other = (
        fit_hierarchical(Q(), trials, g, prior=dict(alpha=stats.beta(8, 8)))
        for g in (group, group.map(dict(a="b", b="a")))
    )
    assert one.effects.effect["alpha", "b - a"] == pytest.approx(-other.effects.effect["alpha", "b - a"], abs=1e-3)
    assert abs(one.effects.effect["alpha", "b - a"]) < abs(
        fit_hierarchical(Q(), trials, group).effects.effect["alpha", "b - a"]
    )


def test_a_prior_keeps_a_variance():
    trials, k = bias_people(30, 40, 8, sd=1e-9)
    f = fit_hierarchical(Bias(), trials, prior=dict(bias=dict(sd=GAMMA)))
    assert f.variances.variance.iloc[0] > .005
    assert np.isfinite(f.variances.se.iloc[0])
    assert not any("do not differ measurably" in n for n in f.notes())
    assert f.table.converged.all()


def test_a_prior_of_what_nobody_informs(twenty):
    class Idle(Q): params = Q.params | dict(idle=Param(.5, 0, 1))
    f = fit_hierarchical(Idle(), twenty[0], prior=dict(idle=stats.beta(2, 6)))
    assert f.parameters.idle.iloc[0] == pytest.approx(stats.beta(2, 6).median())
    assert any("nobody's choices say anything about idle" in n for n in f.notes())


# Parameters that go together

def together(n, n_trials, seed, r):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 2)) @ np.linalg.cholesky([[1, r], [r, 1]]).T * (1.2, .6) + (0, -1.2)
    return simulate(
        Q(),
        BanditsDrift(.15),
        pd.DataFrame(from_line(z, list(Q.params.values())), columns=["alpha", "beta"]),
        n_trials=n_trials,
        seed=seed,
    )


@pytest.fixture(scope="module")
def pair(): return together(60, 200, 1, .8)


@pytest.fixture(scope="module")
def full(pair): return fit_hierarchical(Q(), pair, covariance="full")


def test_full_is_a_fixed_point_of_em(full):
    "Means of the modes; covariance of the modes plus what each leaves open"
    dev = full.modes - full.means["mean"].to_numpy()
    assert abs(dev.mean()).max() < 1e-3
    S = (dev.T @ dev / len(dev)).to_numpy() + full.covariances.mean(0)
    np.testing.assert_allclose(full.between, S, rtol=.02, atol=2e-3)
    assert full.correlations.correlation["alpha", "beta"] == pytest.approx(
        S[0, 1] / np.sqrt(S[0, 0] * S[1, 1]), abs=.01
    )
    assert full.table.converged.all()


def test_modes_and_evidence_of_full(pair, full):
    lanes, mean, S = Lanes(Q(), pair, 1), full.means["mean"].to_numpy(), full.between.to_numpy()
    params = list(Q.params.values())
    for i in (0, 7, 19):
        cost = lambda z: lanes.nll(from_line(z[None], params), [i])[0] + .5 * (z - mean) @ np.linalg.solve(S, z - mean)
        best = minimize(cost, full.modes.iloc[i], method="Nelder-Mead", options=dict(xatol=1e-6, fatol=1e-9))
        np.testing.assert_allclose(full.modes.iloc[i], best.x, atol=1e-3)
        laplace = -best.fun - .5 * np.linalg.slogdet(S)[1] + .5 * np.linalg.slogdet(full.covariances[i])[1]
        assert full.table.evidence.iloc[i] == pytest.approx(laplace, abs=1e-4)
    rng = np.random.default_rng(0)   # the integral itself, by draws from the posterior's normal
    z = rng.multivariate_normal(full.modes.iloc[7], 1.5 * full.covariances[7], 20000)
    log = (
        -lanes.nll(from_line(z, params), np.full(len(z), 7))
        + stats.multivariate_normal(mean, S).logpdf(z)
        - stats.multivariate_normal(full.modes.iloc[7], 1.5 * full.covariances[7]).logpdf(z)
    )
    assert full.table.evidence.iloc[7] == pytest.approx(logsumexp(log) - np.log(len(z)), abs=.2)


def test_full_finds_the_correlation_and_the_diagonal_fit_names_it(pair, full):
    row, plain = full.correlations.loc["alpha", "beta"], fit_hierarchical(Q(), pair)
    assert row.lower < .8 < row.upper and row.p < .001 and full.numbers == plain.numbers + 1
    assert full.log_evidence > plain.log_evidence + 3 and full.integrated_bic < plain.integrated_bic
    assert any("go together: alpha and beta" in n and "covariance='full'" in n for n in plain.notes())
    assert not any("go together" in n for n in full.notes())
    assert len(plain.correlations) == 0 and (plain.between.to_numpy() == np.diag(plain.variances.variance)).all()


def test_full_where_nothing_goes_together(twenty, found):
    f = fit_hierarchical(Q(), twenty[0], covariance="full")
    assert f.correlations.lower.iloc[0] < 0 < f.correlations.upper.iloc[0]
    assert not any("go together" in n for n in found.notes())
    np.testing.assert_allclose(f.means["mean"], found.means["mean"], atol=.1)


def test_full_of_one_parameter_is_diagonal():
    trials, _ = bias_people(20, 60, 2)
    group = {i: i % 2 for i in range(20)}
    f, g = (fit_hierarchical(Bias(), trials, group, covariance=c) for c in ("full", "diagonal"))
    np.testing.assert_allclose(f.effects, g.effects, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(f.variances, g.variances, rtol=1e-3)
    assert f.log_evidence == pytest.approx(g.log_evidence, abs=1e-3)


def test_full_at_the_edge():
    "One parameter that is the other one's shadow: said, and with finite numbers"
    class Shadow(Q):
        params = Q.params | dict(bias=Param(0.), again=Param(0.))
        def logit(p, state, trial, k): return p.beta * state.q[k] + (p.bias + p.again) * k
    trials = people(15, 60, 2)[0]
    f = fit_hierarchical(Shadow(), trials, covariance="full")
    assert f.notes()
    assert np.isfinite(f.table.evidence).all()
    assert (np.linalg.eigvalsh(f.between) > 0).all()
    assert (np.linalg.eigvalsh(f.covariances) > 0).all()


def test_full_with_an_uninformed_parameter(twenty):
    class Idle(Q): params = Q.params | dict(idle=Param(.5, 0, 1))
    f, g = fit_hierarchical(Idle(), twenty[0], covariance="full"), fit_hierarchical(Q(), twenty[0], covariance="full")
    assert f.log_evidence == pytest.approx(g.log_evidence, abs=.01)
    assert f.numbers == g.numbers
    assert f.correlations.correlation.isna().sum() == 2
    np.testing.assert_allclose(f.correlations.correlation.iloc[0], g.correlations.correlation.iloc[0], atol=.01)


def test_full_with_a_prior_and_effects():
    trials, _ = people(30, 80, 7, effect=1.2)
    group = pd.Series(np.where(np.arange(30) % 2, "b", "a"))
    f = fit_hierarchical(
        Q(),
        trials,
        group,
        covariance="full",
        prior=dict(alpha=dict(typical=stats.beta(2, 2), sd=GAMMA), beta=dict(sd=GAMMA)),
    )
    assert f.table.converged.all()
    assert f.effects.p["alpha", "b - a"] < .05
    assert f.test().p["alpha"] == pytest.approx(f.effects.p["alpha", "b - a"], rel=1e-9)
    again = fit_hierarchical(
        Q(),
        trials,
        group,
        covariance="full",
        prior=dict(alpha=dict(typical=stats.beta(2, 2), sd=GAMMA), beta=dict(sd=GAMMA)),
        threads=2,
    )
    pd.testing.assert_frame_equal(again.table, f.table)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(prior=dict(alph=GAMMA)), "did you mean 'alpha'"),
        (dict(prior=dict(alpha=dict(mean=GAMMA))), "unknown belief about alpha"),
        (dict(prior=dict(alpha=.3)), "frozen scipy.stats distribution"),
        (dict(prior=dict(alpha=stats.poisson(3))), "frozen scipy.stats distribution"),
        (dict(prior=dict(alpha=stats.beta(2, 2, scale=.5))), "it may lie anywhere in"),
        (dict(prior=dict(beta=dict(sd=stats.uniform(0, 3)))), "positive all over"),
        (dict(prior=dict(alpha=GAMMA), hold=dict(alpha=.3)), "unknown free parameter in prior"),
        (dict(covariance="none"), "'diagonal' or 'full'"),
    ],
)
def test_bad_priors_and_covariances(twenty, options, message):
    with pytest.raises(ValueError, match=message): fit_hierarchical(Q(), twenty[0], **options)


def test_a_group_that_em_hardly_holds_is_fitted():
    "Three numbers of an equation made of two, with variances only"
    trials, group = load(ROOT/"benchmarks/hierarchy.py").two_groups(.5, 100, 99)
    f = fit_hierarchical(rescorla_wagner_equation(.3, 3.), trials, group, threads=1)
    assert np.isfinite(f.table.evidence).all() and np.isfinite(f.variances.variance).all()
    assert f.log_likelihood > fit_hierarchical(rescorla_wagner_equation(.3, 3.), trials, threads=1).log_likelihood - 1.
    assert f.table.converged.all()


@pytest.mark.parametrize("people, length, seed", [(8, 60, 4), (40, 40, 4)])
def test_a_variance_that_can_hardly_be_told_from_nothing_has_an_end(people, length, seed):
    """All people are the same: parabolas drawn where alpha's variance is large send it to 0, and those drawn there
    send it back"""
    trials = simulate(
        RescorlaWagner(), BanditsDrift(), dict(alpha=.3, beta=3.), people=people, n_trials=length, seed=seed
    )
    found = fit_hierarchical(RescorlaWagner(), trials, threads=1)
    assert found.table.converged.all() and not any("led nowhere" in note for note in found.notes())


def points(seed, by):
    "Rewards of 0 and 1 in points"
    t = simulate(Q(alpha=.3, beta=2.), BanditsDrift(), people=6, n_trials=60, seed=seed)
    return Trials.from_arrays(t.choice, t.reward * by, np.array(t.participants)[t.participant], options=[0, 1])


@pytest.mark.parametrize("seed", [0, 2, 24])
def test_rewards_in_points(seed):
    "Never worse than guessing, and the unit changes little where values start at .5"
    fits = [fit_hierarchical(AgentQ(), points(seed, by), hold=HELD, threads=1) for by in (5, 200)]
    values = np.array([f.log_likelihood for f in fits])
    assert (values > -360 * np.log(2)).all() and np.ptp(values) < 5 and all(f.table.converged.all() for f in fits)
    assert not any("say anything" in note for f in fits for note in f.notes())


class StaysOrSwitches(Cell):
    "Nothing that a learner of values does: the last choice, and nothing else"
    params = dict(stay=Param(1., -10, 10))
    state = "last",
    def init(p, state): pass
    def logit(p, state, trial, k): return p.stay * state.last[k]
    def update(p, state, trial):
        for k in range(len(state.last)): state.last[k] = 1. if k == trial.choice else 0.


def test_a_model_that_does_not_suit_has_several_tops_near_each_other():
    "Values are no account of these people: other seeds end at other tops, none far below the best that is known"
    truth = pd.DataFrame(dict(stay=np.linspace(-2, 3, 25)))
    people = simulate(StaysOrSwitches(), BanditsDrift(.15), truth, n_trials=150, seed=4)
    fits = [fit_hierarchical(Q(), people, seed=seed, threads=1) for seed in range(2)]
    assert all(f.log_likelihood > -2592.73 - 4 and f.table.converged.all() for f in fits)


def test_walls_are_named():
    "A mean within .1 % of a bound, a spread that puts nearly everybody at one bound or the other"
    trials = simulate(Q(), BanditsDrift(.15), people=3, n_trials=20, seed=1)
    line = modes._Line(Q(), trials, hierarchy._bounds(Q(), {}), {}, np.array([.3, 3.]), 1)
    prior, spread = population._Prior({}, line, np.ones((1, 1))), population._Variances(np.array([4., 36.]), line.unit)
    mean, wide = prior.leans(np.array([[8., 0.]]), spread)
    assert mean.tolist() == [True, False] and wide.tolist() == [False, True]
    said = hierarchy._at_walls(["alpha", "beta"], np.ones(2, bool), mean, wide)
    assert [note.split(" run")[0] for note in said] == ["the typical alpha", "people's beta"]
    narrow = population._Variances(np.array([4., 4.]), line.unit)
    assert not any(mask.any() for mask in prior.leans(np.array([[6., -6.]]), narrow))


def test_unit_of_reward_changes_units_alone():
    "Values that start at 0, bounds that follow the unit"
    base = simulate(Q(alpha=.3, beta=3.), BanditsDrift(.15), people=8, n_trials=80, seed=3)
    def evidence(by):
        class Zero(Cell):
            params = dict(alpha=Param(.3, 0, 1), beta=Param(3 / by, 0, 20 / by))
            state = "q",
            def init(p, state): pass
            def logit(p, state, trial, k): return p.beta * state.q[k]
            def update(p, state, trial):
                state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])
        t = Trials.from_arrays(
            base.choice, base.reward * by, np.array(base.participants)[base.participant], options=[0, 1]
        )
        f = fit_hierarchical(Zero(), t, threads=1)
        return [f.log_likelihood, f.nll.sum()]
    np.testing.assert_allclose([evidence(1e-6), evidence(1e6)], [evidence(1.)] * 2, atol=1e-4)


def test_intervals_do_not_close_where_a_variance_is_0():
    trials, k = bias_people(30, 40, 8, sd=1e-9)
    t = fit_hierarchical(Bias(), trials).table
    z = logit(k.sum() / 1200)
    assert (t.lower_bias < z).all() and (z < t.upper_bias).all() and (t.upper_bias - t.lower_bias > .1).all()


@pytest.mark.parametrize(
    "options, kind, message",
    [
        (dict(groups=pd.Series(["a", "b", "a"], index=[0, 1, 0])), ValueError, "names participant 0 twice"),
        (dict(groups=["a", "b"]), ValueError, "one value for each of 20"),
        (dict(groups=3), TypeError, "groups must be a column"),
        (dict(covariates=pd.Series(range(20), name="age")), TypeError, r"give dict\(age=…\)"),
        (dict(covariates=3), TypeError, "covariates must be"),
        (dict(prior="weak"), TypeError, "prior must be a dict"),
        (dict(starts="many"), TypeError, "starts must be a whole number"),
    ],
)
def test_wrong_kinds(twenty, options, kind, message):
    with pytest.raises(kind, match=message): fit_hierarchical(Q(), twenty[0], **options)


def test_a_list_of_groups_goes_by_position(twenty):
    trials = twenty[0].take([5, 2, 9, 7, 11, 4])
    group = ["b", "a", "b", "a", "b", "a"]
    f, g = (fit_hierarchical(Q(), trials, x, threads=1) for x in (group, dict(zip(trials.participants, group))))
    pd.testing.assert_series_equal(f.groups, g.groups)


def test_one_person_is_not_a_group(twenty):
    with pytest.raises(ValueError, match="at least two participants, got 1; use fit"):
        fit_hierarchical(Q(), twenty[0].take([0]))


# Formulas

@pytest.fixture(scope="module")
def studied():
    "Forty people with a group and an age in the table"
    trials = people(40, 60, 5, effect=-1.)[0]
    frame = trials.to_frame()
    frame["group"], frame["age"] = (
        np.where(frame.participant % 2, "patient", "healthy"),
        20 + frame.participant * 7 % 31,
    )
    return read_trials(frame)


def test_a_formula_says_what_groups_and_covariates_say(studied):
    a, b = fit_hierarchical(Q(), studied, "group", "age"), fit_hierarchical(Q(), studied, "alpha + beta ~ group + age")
    np.testing.assert_allclose(b.effects[["effect", "se", "p"]], a.effects[["effect", "se", "p"]], rtol=1e-4, atol=1e-6)
    assert b.log_likelihood == pytest.approx(a.log_likelihood, abs=1e-5) and b.numbers == a.numbers
    assert not any("led nowhere" in note for note in a.notes() + b.notes()), "the fixed point was not found"


def test_a_formula_without_a_left_side_is_one_of_every_parameter(studied):
    a, b = (fit_hierarchical(Q(), studied, f).effects for f in ("~ group", [f"{p} ~ group" for p in Q.params]))
    pd.testing.assert_frame_equal(a, b)


def test_formulas_give_each_parameter_its_own_effects(studied):
    f = fit_hierarchical(Q(), studied, ["alpha ~ group * age", "beta ~ age"])
    assert list(f.effects.index) == [
        ("alpha", "group[T.patient]"),
        ("alpha", "age"),
        ("alpha", "group[T.patient]:age"),
        ("beta", "age"),
    ]
    assert f.numbers == 4 + 2 + 2 and f.effects.df.tolist() == [36, 36, 36, 38] and np.isfinite(f.effects.se).all()
    assert list(f.test("age").index) == ["alpha", "beta"] and list(f.test("group[T.patient]").index) == ["alpha"]
    one = fit_hierarchical(Q(), studied, "alpha ~ group")
    assert one.log_likelihood < fit_hierarchical(Q(), studied, "alpha + beta ~ group").log_likelihood + 1e-6


def test_a_formula_says_whom_others_are_compared_with(studied):
    a = fit_hierarchical(Q(), studied, "alpha ~ group").effects.iloc[0]
    b = fit_hierarchical(Q(), studied, "alpha ~ C(group, Treatment('patient'))").effects
    assert b.index[0][1].endswith("[T.healthy]") and b.effect.iloc[0] == pytest.approx(-a.effect, abs=1e-5)


@pytest.mark.parametrize(
    "formula, said",
    [
        ("alpha ~ groups", "no column 'groups'"),
        ("alhpa ~ group", "did you mean 'alpha'"),
        ("alpha ~ group +", "cannot be read as a formula"),
        ("alpha ~ 0 + group", "leaves out the constant"),
        ("alpha ~ group ~ age", "a formula has parameters"),
        (["alpha ~ age", "alpha ~ group"], "two formulas"),
        ("alpha ~ C(group, Treatment('sick'))", "does not fit the columns group"),
        ("alpha ~ reward", "must say one thing about each participant"),
    ],
)
def test_formulas_that_cannot_be(studied, formula, said):
    with pytest.raises(ValueError, match=re.escape(said)): fit_hierarchical(Q(), studied, formula)


def test_a_formula_and_covariates(studied):
    with pytest.raises(ValueError, match="write the covariates into the formula"):
        fit_hierarchical(Q(), studied, "alpha ~ group", "age")


# Intervals and searches

def group_that_is_known(mean, sd):
    """One parameter of twelve people, 8 choices each: how many of them were the first option, and what `_intervals`
    takes"""
    trials, k = bias_people(12, 8, 3)
    f = fit_hierarchical(Bias(), trials)
    line = modes._Line(Bias(), trials, dict(bias=(-np.inf, np.inf)), {}, np.array([.5]), 1)
    z, x, one = f.modes.to_numpy(), np.ones((12, 1)), np.ones((1, 1))
    J, g = line.hessian(z), line.scoring(z, np.arange(12))[1]
    h = (J @ (z - mean)[..., None])[..., 0] - g
    draws = intervals._Draws(np.ones(1), sd * one, *intervals._given(x, J, h, one, sd * one, 1e12 * one)[1:], J, h)
    return k, (line, draws, np.full((12, 1), mean), np.array([True]))


def test_intervals_are_those_of_the_choices_not_of_parabolas():
    "One parameter, the group known: ends of each interval against quadrature, in standard deviations of the posterior"
    mean, sd = .4, 1.
    k, known = group_that_is_known(mean, sd)
    low, high, spread = intervals._intervals(*known)
    grid = np.linspace(-7, 8, 6001)
    mass = np.exp(
        k[:, None] * np.log(expit(grid)) + (8 - k[:, None]) * np.log(expit(-grid)) - .5 * ((grid - mean) / sd) ** 2
    )
    mass = np.cumsum(mass / mass.sum(1, keepdims=True), 1)
    exact = np.array([[np.interp(q, m, grid) for m in mass] for q in (.025, .975)])
    assert abs(np.array([low[:, 0], high[:, 0]]) - exact).max() < .12 * spread.max()


def test_a_person_whose_points_say_too_little_gets_the_interval_of_the_parabola(monkeypatch):
    "All the weight on one of the third person's points: their ends are those of a normal, and nobody else's change"
    _, known = group_that_is_known(.4, 1.)
    before, points = np.array(intervals._intervals(*known)), intervals._weighed
    def failing(*arguments):
        z, weight = points(*arguments)
        weight[:, 2] = np.arange(len(weight)) == 5
        return z, weight
    monkeypatch.setattr(intervals, "_weighed", failing)
    after, others = np.array(intervals._intervals(*known)), np.arange(12) != 2
    np.testing.assert_array_equal(after[:, others], before[:, others])
    middle, spread = .4 + known[1].mean[0, 2, 0], np.sqrt(known[1].var[0, 2, 0])
    np.testing.assert_allclose(after[:, 2, 0], [*(middle + spread * stats.norm.ppf([.025, .975])), spread], rtol=1e-6)


def test_the_seed_changes_nothing_where_there_is_one_top(twenty, found):
    other = fit_hierarchical(Q(), twenty[0], seed=7)
    assert other.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-5)
    np.testing.assert_allclose(other.variances.variance, found.variances.variance, rtol=1e-4)


def test_people_who_say_nothing_are_named_and_no_degrees_of_freedom(studied):
    "The first eight people never see a reward: values stay equal, and so nothing is said about any parameter"
    reward, who = studied.reward.copy(), np.array(studied.participants)[studied.participant]
    reward[studied.participant < 8] = np.nan
    group = {p: ["a", "b"][i % 2] for i, p in enumerate(studied.participants)}
    mute = Trials.from_arrays(studied.choice, reward, who, options=[0, 1])
    f = fit_hierarchical(Q(), mute, group)
    heard = fit_hierarchical(
        Q(), mute.take(list(mute.participants[8:])), {p: g for i, (p, g) in enumerate(group.items()) if i >= 8}
    )
    assert f.silent == tuple(mute.participants[:8]) and any("nothing is said by the choices of" in n for n in f.notes())
    assert f.effects.df.tolist() == heard.effects.df.tolist() == [30, 30]
    np.testing.assert_allclose(
        f.effects[["effect", "se", "p"]], heard.effects[["effect", "se", "p"]], rtol=2e-2, atol=1e-3
    )
    assert f.log_evidence + 8 * 60 * np.log(2) == pytest.approx(heard.log_evidence, abs=.05)


def test_a_model_in_which_nobody_says_anything_guesses(twenty):
    f = fit_hierarchical(Q(), twenty[0], hold=dict(alpha=0.))
    assert f.numbers == 0 and f.silent == () and f.log_evidence == pytest.approx(-2000 * np.log(2))


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_go_together_are_named(seed):
    "From variances alone; whatever those are, and in whatever order their principal axes stand"
    rng = np.random.default_rng(seed)
    deviations, sd = rng.standard_normal((60, 4)), rng.uniform(.3, 3., 4)
    deviations[:, 3] = .8 * deviations[:, 1] + .6 * deviations[:, 3]
    H = np.broadcast_to(np.diag(20 / sd**2), (60, 4, 4))
    z, first, second = hierarchy._score_test(
        dict(H=H, g=np.zeros((60, 4)), spread=population._Variances(sd**2, np.ones(4))), deviations * sd, np.arange(4)
    )
    best = abs(z).argmax()
    assert (first[best], second[best]) == (1, 3) and z[best] > 4


def test_the_seed_does_not_choose_the_solution():
    """Two learning rates do not suit these people: some have two solutions, and which one draws meet first must not
    matter"""
    data = SHARED / "data/dezfouli2019_train.csv.gz"
    if not data.exists(): pytest.skip("needs ../shared")

    class TwoRates(Cell):
        params = dict(gain=Param(.3, 0, 1), loss=Param(.3, 0, 1), beta=Param(3, 0, 20))
        state = "q",
        def init(p, state): pass
        def logit(p, state, trial, k): return p.beta * state.q[k]
        def update(p, state, trial):
            rate = p.gain if trial.reward[trial.choice] > 0 else p.loss
            state.q[trial.choice] += rate * (trial.reward[trial.choice] - state.q[trial.choice])

    table = pd.read_csv(data)
    trials = read_trials(table[~table.block.isin([2, 8])], block="block")
    some = trials.take(list(trials.participants[:25]))
    one, other = (fit_hierarchical(TwoRates(), some, seed=seed, threads=1) for seed in (0, 1))
    assert abs(one.log_likelihood - other.log_likelihood) < .1
