"""Any name may be a parameter's: the numbers are those of the same model with ordinary names, in fits, hierarchies, comparisons, recoveries and plots."""
import matplotlib.pyplot as plt
import numpy as np
import pytest

from spice_rl import (BanditsDrift, Cell, Param, RescorlaWagner, column_of, compare, cross_validate, fit, fit_hbi, fit_hierarchical,
                      identify, parameter_recovery, plot_fits, plot_parameters, plot_runs)

# (name of the learning rate, name of the inverse temperature): all that tables of fits, recoveries and comparisons have as columns
NAMES = [pair.split() for pair in ("k n", "aic bic", "nll starts", "agree converged", "at_bound run", "participant group",
                                   "evidence responsibility", "se_beta beta", "lower_beta beta", "upper_beta beta",
                                   "model parameter", "true value", "fitted generated", "dataset mean", "sd beta")]
TASK = BanditsDrift()
RULES = """
def init(p, state): state.q[:] = .5
def logit(p, state, trial, option): return p.{temperature} * state.q[option]
def update(p, state, trial): state.q[trial.choice] += p.{rate} * (trial.reward[trial.choice] - state.q[trial.choice])
"""


def learner(rate="alpha", temperature="beta"):
    "Rescorla-Wagner whose parameters have these names"
    rules = {}
    exec(RULES.format(rate=rate, temperature=temperature), rules)
    body = dict(params={rate: Param(.3, 0, 1), temperature: Param(3., 0, 20)}, state=("q",))
    return type("Learner", (Cell,), body | {name: rules[name] for name in ("init", "logit", "update")})()


@pytest.fixture(scope="module")
def trials():
    from spice_rl import simulate
    return simulate(RescorlaWagner(alpha=.3, beta=3.), TASK, people=5, n_trials=50, seed=1)


@pytest.fixture(scope="module")
def usual(trials): return fit(learner(), trials, starts=2), fit_hierarchical(learner(), trials, starts=2)


def named(function): return pytest.mark.parametrize("names", NAMES, ids=" ".join)(function)

def as_usual(text, names):
    "A table's words with the names that everybody uses"
    for name, usual in zip(names, ("alpha", "beta")): text = text.replace(name, usual)
    return text.split()


@named
def test_fits_and_comparisons(names, trials, usual):
    plain, _ = usual
    found = fit(learner(*names), trials, starts=2)
    assert list(found.parameters) == names and list(found.diagnostics) == list(plain.diagnostics)
    np.testing.assert_array_equal(found.parameters, plain.parameters)
    np.testing.assert_array_equal(found.errors, plain.errors)
    np.testing.assert_array_equal(found.nll, plain.nll)
    assert as_usual(repr(found), names) == as_usual(repr(plain), names)
    both = compare([found, fit(RescorlaWagner(), trials, starts=1)])
    np.testing.assert_array_equal(both.values.Learner, plain.diagnostics.bic)
    assert cross_validate(dict(a=learner(*names)), trials, folds=2, starts=1).values.shape == (5, 1)


@named
def test_hierarchies(names, trials, usual):
    _, plain = usual
    found = fit_hierarchical(learner(*names), trials, starts=2)
    np.testing.assert_array_equal(found.parameters, plain.parameters)
    np.testing.assert_array_equal(found.errors, plain.errors)
    np.testing.assert_array_equal(found.evidence, plain.evidence)
    assert found.integrated_bic == plain.integrated_bic and found.diagnostics.n.tolist() == plain.diagnostics.n.tolist()
    ends = [f"{side}_{names[0]}" for side in ("lower", "upper")]
    assert (found.table[column_of(ends[0], found.cell.params)] < found.table[column_of(ends[1], found.cell.params)]).all()
    repr(found)


@pytest.mark.parametrize("name", ["k", "nll", "participant", "se_beta"])
def test_models_and_people_at_once(name, trials):
    found = fit_hbi(dict(a=learner(name), b=learner()), trials, starts=2)
    np.testing.assert_allclose(found.fits["a"].evidence, found.fits["b"].evidence, rtol=1e-9)


def recovered(rate, temperature):
    kw = dict(people=3, n_trials=30, starts=1, seed=1)
    return parameter_recovery(learner(rate, temperature), TASK, **kw, bounds={temperature: (1, 8)}).summary()


@pytest.fixture(scope="module")
def usually_recovered(): return recovered("alpha", "beta")


@named
def test_recovery(names, usually_recovered):
    one = recovered(*names)
    np.testing.assert_array_equal(one, usually_recovered)
    assert list(one.index.get_level_values("parameter")) == names


@pytest.mark.parametrize("name", ["k", "nll", "run", "participant", "se_beta"])
def test_identifiability_and_plots(name, trials):
    assert repr(identify(learner(name), trials, starts=1))
    found = fit(learner(name), trials, starts=2)
    for figure, _ in (plot_fits({"one": found}), plot_runs({"one": found}), plot_parameters(found), plot_parameters(fit_hierarchical(learner(name), trials, starts=1))):
        assert figure.axes[0].has_data()
        plt.close(figure)
