"""Any name may be a parameter's: the numbers are those of the same model with ordinary names, in fits, hierarchies,
comparisons, recoveries and plots."""
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spice_rl import BanditsDrift, Cell, Param, RescorlaWagner, column_of, compare, cross_validate, fit, fit_hbi
from spice_rl import fit_hierarchical, identify, parameter_recovery, plot_fits, plot_parameters, plot_runs

# All that tables of fits, recoveries and comparisons have as columns, beside names that are others' with something
# before them; six to a model
NAMES = [
    names.split()
    for names in (
        "k n aic bic participant dataset",
        "nll starts agree converged group mean",
        "at_bound run evidence responsibility model fitted",
        "se_beta beta lower_beta upper_beta sd generated",
        "parameter true value delta theta zeta",
    )
]
USUAL = ["alpha", "beta", "gamma", "delta", "theta", "zeta"]
TASK = BanditsDrift()
RULES = """
def init(p, state): state.q[0] = state.q[1] = p.{5}
def logit(p, state, trial, option): return p.{1} * state.q[option] + p.{4} * option
def update(p, state, trial):
    c = trial.choice
    state.q[c] += (p.{0} if trial.reward[c] > state.q[c] else p.{2}) * (trial.reward[c] - state.q[c])
    state.q[1 - c] -= p.{3} * state.q[1 - c]
"""
BOUNDS = [Param(.3, 0, 1), Param(3., 0, 20), Param(.3, 0, 1), Param(.1, 0, 1), Param(0., -2, 2), Param(.5, 0, 1)]


def learner(*names):
    """A learner of two rates whose parameters have these names: rate of gains, inverse temperature, rate of losses,
    of forgetting, bias, first value"""
    rules = {}
    exec(RULES.format(*names), rules)
    body = dict(params=dict(zip(names, BOUNDS)), state=("q",))
    return type("Learner", (Cell,), body | {name: rules[name] for name in ("init", "logit", "update")})()


@pytest.fixture(scope="module")
def trials():
    from spice_rl import simulate
    return simulate(RescorlaWagner(alpha=.3, beta=3.), TASK, people=5, n_trials=30, seed=1)


@pytest.fixture(scope="module")
def fitted(trials):
    "Fits of a learner of these names: each person alone, and all together"
    @cache
    def both(names): return fit(learner(*names), trials, starts=2), fit_hierarchical(learner(*names), trials, starts=2)
    return lambda names: both(tuple(names))


@pytest.fixture(scope="module")
def usual(fitted): return fitted(USUAL)


def named(function): return pytest.mark.parametrize("names", NAMES, ids=" ".join)(function)

def as_usual(text, names):
    "A table's words with the names that everybody uses"
    for name, usual in sorted(zip(names, USUAL), key=lambda pair: -len(pair[0])): text = text.replace(name, usual)
    return text.split()


@named
def test_fits_and_comparisons(names, trials, fitted, usual):
    plain, found = usual[0], fitted(names)[0]
    assert list(found.parameters) == names and list(found.diagnostics) == list(plain.diagnostics)
    np.testing.assert_array_equal(found.parameters, plain.parameters)
    np.testing.assert_array_equal(found.errors, plain.errors)
    np.testing.assert_array_equal(found.nll, plain.nll)
    assert as_usual(repr(found), names) == as_usual(repr(plain), names)
    both = compare([found, fit(RescorlaWagner(), trials, starts=1)])
    np.testing.assert_array_equal(both.values.Learner, plain.diagnostics.bic)
    assert cross_validate(dict(a=found.cell), trials, folds=2, starts=1).values.shape == (5, 1)


@named
def test_hierarchies(names, fitted, usual):
    plain, found = usual[1], fitted(names)[1]
    np.testing.assert_array_equal(found.parameters, plain.parameters)
    np.testing.assert_array_equal(found.errors, plain.errors)
    np.testing.assert_array_equal(found.evidence, plain.evidence)
    assert found.integrated_bic == plain.integrated_bic and found.diagnostics.n.tolist() == plain.diagnostics.n.tolist()
    ends = [f"{side}_{names[0]}" for side in ("lower", "upper")]
    assert (
        found.table[column_of(ends[0], found.cell.params)] < found.table[column_of(ends[1], found.cell.params)]
    ).all()
    assert as_usual(found._head(), names) == as_usual(plain._head(), names)


@named
def test_models_and_people_at_once(names, trials):
    found = fit_hbi(dict(a=learner(*names), b=learner(*USUAL)), trials, starts=2)
    np.testing.assert_allclose(found.fits["a"].evidence, found.fits["b"].evidence, rtol=1e-9)
    models = found.table[column_of("model", {*names, *USUAL})]
    for who, model in found.assigned.items():
        assert models[who] == model
        for name in found.fits[model].cell.params:
            assert found.table.loc[who, name] == found.fits[model].table.loc[who, name]


def recovered(names):
    kw = dict(people=3, n_trials=30, starts=1, seed=1)
    return parameter_recovery(learner(*names), TASK, **kw, bounds={names[1]: (1, 8)}).summary()


@pytest.fixture(scope="module")
def usually_recovered(): return recovered(USUAL)


@named
def test_recovery(names, usually_recovered):
    one = recovered(names)
    np.testing.assert_array_equal(one, usually_recovered)
    assert list(one.index.get_level_values("parameter")) == names


@named
def test_identifiability_and_plots(names, trials, fitted):
    alone, together = fitted(names)
    assert repr(identify(alone.cell, trials, starts=1))
    for figure, _ in (
        plot_fits({"one": alone}),
        plot_runs({"one": alone}),
        plot_parameters(alone),
        plot_parameters(together),
    ):
        assert figure.axes[0].has_data()
        plt.close(figure)
