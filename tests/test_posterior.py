"""The posterior: gradients against differences, draws against a grid, what is said when it goes wrong, calibration,
and the package without the extra"""
import json, subprocess, sys
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from spice_rl import AvoidanceTask, BanditsDrift, Cell, Param, Trials, avoidance_model, nll, posterior_notes
from spice_rl import sample_posterior, simulate, simulation_based_calibration
from spice_rl import posterior as module
from worlds import Bias, Rescorla

az = pytest.importorskip("arviz")
pytest.importorskip("nutpie")


class Q(Rescorla):
    "Without an upper bound"
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3., 0))


def as_arviz(draws, sample_stats, **names):
    "What ArviZ below 1 (`InferenceData`) or above (`DataTree`) makes of draws"
    return module._of_groups(az, dict(posterior=draws, sample_stats=sample_stats), names["coords"], names["dims"])


class Breaks(Bias):
    def logit(p, state, trial, k): return np.nan * p.bias


def biased(counts, n=40):
    "People who took the second option so often of n times"
    choice = np.concatenate([np.repeat([1, 0], [a, n - a]) for a in counts])
    return Trials.from_arrays(choice, np.zeros(len(choice)), np.repeat(np.arange(len(counts)), n))


@pytest.fixture(scope="module")
def six():
    return simulate(
        Q(),
        BanditsDrift(.2),
        pd.DataFrame(dict(alpha=np.linspace(.2, .8, 6), beta=np.linspace(1., 6., 6))),
        n_trials=40,
        seed=1,
    )


# Gradients

def furthest(target, x, h=1e-5):
    "Largest difference between a gradient and central differences of its density, relative to the gradient"
    by_differences = [(target(x + e)[0] - target(x - e)[0]) / (2 * h) for e in h * np.eye(len(x))]
    return abs(target(x)[1] - by_differences).max() / max(1, abs(target(x)[1]).max())


@pytest.mark.parametrize(
    "given",
    [
        {},
        dict(alpha=stats.beta(2, 5), beta=stats.gamma(2, scale=2)),
        dict(alpha=stats.uniform(.1, .6), beta=stats.norm(3, 2)),
    ],
)
def test_gradients_are_those_of_the_density(six, given):
    line, priors = module._prepare(Q(), six, None, None, given)
    rng = np.random.default_rng(0)
    for _ in range(4):
        assert furthest(module._Person(line, priors, 2), rng.normal(size=2)) < 1e-6
        together = module._Everybody(line, priors, np.arange(6) % 2, .7, rng.random((6, 2)))
        assert furthest(together, rng.normal(size=together.size)) < 1e-6


@pytest.mark.parametrize("name", ["QLearning+novel+decay", "ActorCritic", "Hybrid2021"])
def test_gradients_of_models_with_many_parameters(name):
    cell = avoidance_model(name)
    line, priors = module._prepare(cell, simulate(cell, AvoidanceTask(n_transfer=2), seed=3), None, None, None)
    x = line.start + np.random.default_rng(1).normal(size=len(line.start))
    assert furthest(module._Person(line, priors, 0), x, 1e-6) < 1e-4


def test_coordinates_change_nothing(six):
    """However centred: the density of means, sds and people's parameters is the same, less the logarithm of how
    coordinates are stretched"""
    line, priors = module._prepare(Q(), six, None, None, None)
    rng, group = np.random.default_rng(2), np.arange(6) % 2
    mean, sd, u = rng.normal(size=(2, 2)), np.exp(.3 * rng.normal(size=2)), rng.normal(size=(6, 2))
    def density(centred):
        x = np.concatenate([mean.ravel(), np.log(sd), (centred * mean[group] + sd**centred * u).ravel()])
        return module._Everybody(line, priors, group, 1., centred)(x)[0] + (centred * np.log(sd)).sum()
    some = rng.random((6, 2))
    assert (
        density(some)
        == pytest.approx(density(np.zeros((6, 2))), abs=1e-8)
        == pytest.approx(density(np.ones((6, 2))), abs=1e-8)
    )


# Draws

@pytest.mark.parametrize(
    "given, prior",
    [
        ({}, stats.norm(.5, 1.5)),
        (dict(bias=stats.norm(-1, .5)), stats.norm(-1, .5)),
        (dict(bias=stats.expon(0, 1)), stats.expon(0, 1)),
    ],
)
def test_person_against_a_grid(given, prior):
    found = sample_posterior(Bias(), biased([28]), hierarchical=False, priors=given, draws=800, tune=200, chains=2)
    x = np.linspace(-6, 8, 200_001)
    w = np.exp(28 * np.log(expit(x)) + 12 * np.log(expit(-x)) + prior.logpdf(x))
    w /= w.sum()
    mean = (w * x).sum()
    theta = found.posterior.theta.sel(participant=0, parameter="bias")
    sd = np.sqrt((w * (x - mean)**2).sum())
    assert float(theta.mean()) == pytest.approx(mean, abs=.15 * sd) and float(theta.std()) == pytest.approx(sd, rel=.1)
    np.testing.assert_allclose(np.quantile(theta, [.05, .95]), np.interp([.05, .95], np.cumsum(w), x), atol=.25 * sd)


def test_group_against_a_grid():
    "Mean and sd of eight people, whose own numbers are integrated out on a grid"
    counts, z = np.array([8, 14, 18, 20, 22, 25, 30, 34]), np.linspace(-6, 6, 301)
    found = sample_posterior(Bias(), biased(counts), draws=800, tune=300, chains=2)
    mean, sd = np.meshgrid(np.linspace(-2, 2.5, 91), np.linspace(.02, 3, 75), indexing="ij")
    like = np.exp(counts[:, None] * np.log(expit(z)) + (40 - counts[:, None]) * np.log(expit(-z)))
    normal = np.exp(-.5 * ((z - mean[..., None]) / sd[..., None])**2)
    normal /= normal.sum(-1, keepdims=True)
    log = (
        np.log(normal @ (like / like.max(1, keepdims=True)).T).sum(-1)
        + stats.norm(.5, 1.5).logpdf(mean)
        + stats.halfnorm(0, 1).logpdf(sd)
    )
    w = np.exp(log - log.max())
    w /= w.sum()
    for name, x in (("mean", mean), ("sd", sd)):
        draws, m = found.posterior[name], (w * x).sum()
        s = np.sqrt((w * (x - m)**2).sum())
        assert float(draws.mean()) == pytest.approx(m, abs=.15 * s) and float(draws.std()) == pytest.approx(s, rel=.12)


def test_result_has_its_names(six, tmp_path):
    with pytest.warns(UserWarning, match="posterior of Q"):
        found = sample_posterior(
            Q(), six, {i: "ab"[i % 2] for i in range(6)}, draws=40, tune=40, chains=2, pointwise="trial", seed=4
        )
    p = found.posterior
    assert p.theta.dims == ("chain", "draw", "participant", "parameter")
    assert p.theta.shape == (2, 40, 6, 2)
    assert list(p.parameter.values) == ["alpha", "beta"]
    assert p["mean"].shape == p.typical.shape == (2, 40, 2, 2)
    assert list(p.group.values) == ["a", "b"]
    assert p.sd.shape == (2, 40, 2)
    np.testing.assert_allclose(p.typical.sel(parameter="alpha"), expit(p["mean"].sel(parameter="alpha")))
    row = p.theta.sel(chain=1, draw=7).to_pandas()
    by_person = found.log_likelihood.choice.sel(chain=1, draw=7).groupby(found.constant_data.whose).sum()
    np.testing.assert_allclose(by_person, -nll(Q(), row, six), rtol=1e-10)
    assert found.attrs["seed"] == 4
    assert "alpha: uniform in (0, 1)" in found.attrs["priors"]
    assert json.loads(found.attrs["notes"]) == posterior_notes(found)
    loo = az.loo(found)
    # the first choice tells nothing
    assert np.isfinite(loo.elpd if hasattr(loo, "elpd") else loo.elpd_loo)
    assert np.ptp(found.log_likelihood.choice.values[..., 0]) < 1e-8
    found.to_netcdf(tmp_path / "p.nc")
    assert az.from_netcdf(tmp_path / "p.nc").posterior.theta.equals(p.theta)


def test_same_seed_same_draws_whoever_else_is_there(six):
    def draws(t, threads=1, seed=0):
        return sample_posterior(
            Q(), t, hierarchical=False, draws=20, tune=20, chains=2, threads=threads, seed=seed
        ).posterior.theta
    with pytest.warns(UserWarning):
        a, b, c, d = draws(six), draws(six.take([3, 1]), threads=2), draws(six.take([5])), draws(six.take([5]), seed=1)
    # nor who stands before
    np.testing.assert_array_equal(a.sel(participant=[3, 1]).values, b.sel(participant=[3, 1]).values)
    np.testing.assert_array_equal(a.sel(participant=[5]).values, c.values)
    assert not np.array_equal(c, d)


# Never silent

def test_too_few_draws_are_named(six):
    with pytest.warns(UserWarning, match="effective sample size below 400"):
        found = sample_posterior(Q(), six, draws=30, tune=30, chains=2)
    assert any("least: " in note for note in posterior_notes(found))


def test_chains_that_disagree_are_named():
    x = np.random.default_rng(0).normal(size=(2, 1000, 2)) + np.array([[[0., 0.]], [[3., 0.]]])
    made = as_arviz(
        dict(theta=x),
        sample_stats=dict(
            diverging=np.arange(2000).reshape(2, 1000) == 5, energy=np.random.default_rng(1).normal(size=(2, 1000))
        ),
        dims=dict(theta=["parameter"]),
        coords=dict(parameter=["a", "b"]),
    )
    notes = posterior_notes(made)
    assert "1 of 2 quantities have an R-hat above 1.01 (worst: theta[a]" in notes[0]
    assert "least: theta[a]" in notes[1]
    assert "1 of 2000 draws diverged" in notes[2]


def test_a_model_that_breaks_down_is_named():
    with pytest.raises(FloatingPointError, match="Breaks gives no finite likelihood for participant 0"):
        sample_posterior(Breaks(), biased([3]), hierarchical=False, draws=10, tune=20)


@pytest.mark.parametrize(
    "call, error, says",
    [
        (dict(draws=0), ValueError, "draws must be a whole number"),
        (dict(chains=1.5), ValueError, "chains must be"),
        (dict(target_accept=1), ValueError, "between 0 and 1"),
        (dict(spread=0), ValueError, "spread must be"),
        (dict(pointwise="person"), ValueError, "pointwise must be"),
        (dict(hierarchical=False, groups={0: 1}), ValueError, "need hierarchical=True"),
        (dict(priors=dict(betta=stats.norm())), ValueError, "did you mean 'beta'"),
        (dict(priors=dict(beta=stats.poisson(2))), TypeError, "frozen continuous"),
        (dict(priors=dict(alpha=stats.norm()), hold=dict(alpha=.5)), ValueError, "alpha is held"),
        (dict(hold=dict(alpha=.5, beta=1)), ValueError, "nothing to sample"),
        (dict(priors=dict(alpha=stats.uniform(3, 1))), ValueError, "no probability"),
        (dict(groups={0: "a"}), ValueError, "groups says nothing about participant 1"),
    ],
)
def test_what_cannot_be_is_refused(six, call, error, says):
    with pytest.raises(error, match=says): sample_posterior(Q(), six, **call)


# Calibration

def calibrate(n, n_trials=20, **more):
    return simulation_based_calibration(
        Bias(), BanditsDrift(.2), simulations=n, n_trials=n_trials, draws=150, tune=100, chains=1, **more
    )


def test_calibrated():
    a, b = calibrate(n=15), calibrate(n=4, people=4)
    assert list(b.ranks) == ["mean bias", "sd bias", "bias", "log likelihood"]
    assert (a.table().p_ecdf > .005).all()
    assert (b.table().p_ecdf > .005).all()
    pd.testing.assert_frame_equal(calibrate(n=2).ranks, a.ranks.head(2))


def test_a_wrong_prior_is_found(monkeypatch):
    "Truths from a prior that is shifted by two of its sds; with few choices, so that the prior says much"
    draw = module._Priors.draw
    monkeypatch.setattr(module._Priors, "draw", lambda self, rng, n: draw(self, rng, n) + 3.)
    found = calibrate(n=20, n_trials=5, priors=dict(bias=stats.norm(0, 1.5)))
    assert found.table().p_ecdf["bias"] < .01 and "ranks are not uniform for bias" in found.notes()[0]


def test_a_wrong_likelihood_is_found(monkeypatch):
    "Choices counted twice: posteriors that are too narrow"
    loss = module._loss
    monkeypatch.setattr(module, "_loss", lambda *args: tuple(8 * x for x in loss(*args)))
    assert calibrate(n=30).table().p_ecdf["bias"] < .01


# Leaving out

def test_what_loo_cannot_say_is_named_in_words(six):
    with pytest.warns(UserWarning):
        by_trial, by_person = (
            sample_posterior(Q(), six, draws=100, tune=100, chains=2, pointwise=p, seed=1)
            for p in ("trial", "participant")
        )
        without = sample_posterior(Q(), six.take([0]), hierarchical=False, draws=20, tune=20, chains=2, pointwise=None)
    k = az.loo(by_trial, pointwise=True)
    tells = np.ptp(by_trial.log_likelihood.choice.values, axis=(0, 1)) > 1e-8
    bad = int((tells & ~(k.pareto_k.to_numpy() <= k.good_k)).sum())
    said = module.loo_notes(by_trial)
    assert (not said) if bad == 0 else said[0].startswith(f"for {bad} of {len(by_trial.constant_data.whose)} choices")
    k = az.loo(by_person, pointwise=True)
    bad = k.pareto_k.to_numpy() > k.good_k
    assert bad.any() and f"for {bad.sum()} of 6 participants (" in module.loo_notes(by_person)[0]
    with pytest.raises(ValueError, match="holds no log likelihood: sample it with pointwise='trial'"):
        module.loo_notes(without)


def test_a_choice_that_carries_all_the_weight_is_named():
    rng = np.random.default_rng(0)
    like = rng.normal(-.7, .05, size=(2, 500, 8))
    like[:, :, 3] = -20 * rng.exponential(size=(2, 500))   # one choice that hardly any draw can live with
    dims = dict(theta=["participant", "parameter"], whose=["trial"])
    coords = dict(participant=["a", "b"], parameter=["x"], trial=range(8))
    groups = dict(posterior=dict(theta=rng.normal(size=(2, 500, 2, 1))), constant_data=dict(whose=np.repeat([0, 1], 4)))
    made = module._of_groups(az, groups, coords, dims)
    each = module._of_groups(az, dict(log_likelihood=dict(choice=like)), coords, dict(choice=["trial"]))
    if module._tree(az): made["log_likelihood"] = each["log_likelihood"]
    else: made.add_groups(each)
    said = module.loo_notes(made)
    assert len(said) == 1 and said[0].startswith("for 1 of 8 choices (of a) PSIS-LOO does not say")


# The extra

def test_without_the_extra():
    code = (
        "import sys; sys.modules['nutpie'] = None\nimport spice_rl\nfrom spice_rl import sample_posterior, Trials, "
        "fit\n"
        "assert 'arviz' not in sys.modules\ntry: sample_posterior(None, None)\nexcept ImportError as e: print(e)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    ).stdout
    assert said == 'sampling a posterior needs nutpie, which is not installed: pip install nutpie arviz\n'
