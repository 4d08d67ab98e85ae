"""Model selection against judges that share no line with it: sums over all ways to assign people to models,
integrals over frequencies, sampling, numbers of SPM and of the VBA toolbox's Python port."""
from itertools import product
from math import lgamma
from types import SimpleNamespace

import matplotlib
matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy import integrate, stats
from scipy.special import expit, logit, logsumexp, softmax

from spice_rl.inference.comparison import Comparison
from spice_rl.output.fit_plots import plot_selection
from spice_rl.inference.selection import _posterior, _select, exceedance, select_models

TEN = pd.DataFrame(
    [
        [-91.5, -89.9, -89.2],
        [-72.0, -76.6, -72.1],
        [-76.3, -72.7, -72.2],
        [-78.2, -80.2, -80.2],
        [-114.7, -113.1, -113.4],
        [-78.8, -78.9, -79.9],
        [-71.8, -73.1, -73.2],
        [-79.7, -83.9, -81.0],
        [-69.9, -66.7, -68.9],
        [-77.2, -79.2, -78.4],
    ],
    [f"s{i}" for i in range(10)],
    list("ABC"),
)
FAMILIES = {"without": ["A"], "with": ["B", "C"]}


def people(seed=0, n=30, frequencies=(.6, .3, .1), apart=2.):
    "Log evidences (people, models) of people who follow models of these frequencies."
    rng = np.random.default_rng(seed)
    y = rng.standard_normal((n, len(frequencies)))
    y[np.arange(n), rng.choice(len(frequencies), n, p=frequencies)] += apart
    return pd.DataFrame(
        apart * y - rng.gamma(4, 20, (n, 1)), [f"p{i}" for i in range(n)], list("ABCDEF")[: len(frequencies)]
    )


def log_beta(a): return sum(map(lgamma, a)) - lgamma(sum(a))


def by_assignments(L, prior):
    "Log evidence, posterior mean and sd of the frequencies, summed over every way to assign people to models."
    logs, means, squares = [], [], []
    for who in product(range(L.shape[1]), repeat=len(L)):
        a = prior + np.bincount(who, minlength=L.shape[1])
        logs.append(L[np.arange(len(L)), who].sum() + log_beta(a) - log_beta(prior))
        means.append(a / a.sum())
        squares.append(a * (a + 1) / a.sum() / (a.sum() + 1))
    mean = softmax(logs) @ np.array(means)
    return logsumexp(logs), mean, np.sqrt(softmax(logs) @ np.array(squares) - mean**2)


# The reference

def test_numbers_of_spm():
    "spm_BMS and spm_BMS_bor, GNU Octave 7.3, convergence at 1e-9"
    full = select_models(TEN)
    np.testing.assert_allclose(full.models.frequency * 13, [5.904767, 3.550147, 3.545086], atol=2e-6)
    np.testing.assert_allclose(full.risks.models["full"], .802265, atol=1e-6)
    two = select_models(TEN[["A", "B"]])
    np.testing.assert_allclose(two.models.frequency * 12, [6.703196, 5.296804], atol=2e-6)
    np.testing.assert_allclose(two.risks.models["full"], .718782, atol=1e-6)
    counts, _, free = _posterior(TEN.to_numpy(), np.array([1., .5, .5]))
    np.testing.assert_allclose(counts, [6.395693, 3.014346, 2.589961], atol=2e-6)
    np.testing.assert_allclose(free, -807.142226, atol=2e-6)
    np.testing.assert_allclose(select_models(TEN, families=FAMILIES).families.exceedance.iloc[0], .593548, atol=1e-6)
    np.testing.assert_allclose(
        select_models(TEN, groups=dict(zip(TEN.index, "aaaaabbbbb"))).same.probability, .450825, atol=1e-6
    )


def test_families_risk_of_spm_is_a_bound():
    """SPM bounds the evidence of equal families with responsibilities that leave the family prior out: our risk with
    theirs in place of the exact evidence is their number"""
    L, f = TEN.to_numpy(), np.array([.5, .25, .25])
    g = softmax(L, axis=1)
    theirs, ours = (g * (L + np.log(f) - np.log(g))).sum(), np.log((np.exp(L) * f).sum(1)).sum()
    free = ours - logit(select_models(TEN, families=FAMILIES).risks.families["full"])
    assert theirs < ours
    np.testing.assert_allclose(expit(theirs - free), .846337, atol=1e-6)


def test_numbers_of_the_vba_port():
    "groupBMC 1.0 (PyPI), whose prior counts sum to one; exceedance probabilities by quadrature there, too"
    row, *_ = _select(TEN.to_numpy(), np.full(3, 1 / 3), np.eye(3))
    np.testing.assert_allclose(row["frequency"], [.51074875, .26778431, .22146694], atol=2e-6)
    np.testing.assert_allclose(row["sd"], [.14430421, .12782666, .11986775], atol=2e-6)
    np.testing.assert_allclose(row["exceedance"], [.76469124, .14543817, .08987059], atol=5e-6)
    np.testing.assert_allclose(row["protected"], [.36418196, .31989598, .31592206], atol=2e-6)


# The truth

@pytest.mark.parametrize("prior", [np.ones(2), np.ones(3), np.array([1., .5, .5])])
def test_free_energy_is_below_the_evidence(prior):
    for seed in range(4):
        L = people(seed, 8, np.full(len(prior), 1 / len(prior))).to_numpy()
        evidence, mean, _ = by_assignments(L, prior)
        counts, g, free = _posterior(L, prior)
        assert evidence - .7 < free < evidence
        np.testing.assert_allclose(counts / counts.sum(), mean, atol=.1)
        np.testing.assert_allclose(counts, prior + g.sum(0), atol=1e-8)


def test_what_the_bound_costs_ten_people():
    "Summed exactly: frequency of the first model .431 (here .454), its sd .182 (.133), omnibus risk .623 (.802)"
    L, prior = TEN.to_numpy(), np.ones(3)
    evidence, mean, sd = by_assignments(L, prior)
    risk = expit(logsumexp(L, axis=1).sum() - 10 * np.log(3) - evidence)
    found = select_models(TEN)
    np.testing.assert_allclose([mean[0], sd[0], risk], [.4314, .1818, .6232], atol=1e-4)
    assert abs(found.models.frequency.iloc[0] - mean[0]) < .03
    assert found.models.sd.iloc[0] < sd[0]
    assert found.risks.models["full"] > risk


def test_sure_people_leave_no_gap():
    L = np.where(np.arange(3) == np.array([0, 0, 0, 1, 2, 0, 1])[:, None], 0., -60.)
    evidence, mean, _ = by_assignments(L, np.ones(3))
    found = select_models(pd.DataFrame(L, columns=list("ABC")))
    np.testing.assert_allclose(_posterior(L, np.ones(3))[2], evidence, atol=1e-9)
    np.testing.assert_allclose(found.models.frequency, mean, atol=1e-9)
    null = logsumexp(L, axis=1).sum() - len(L) * np.log(3)
    np.testing.assert_allclose(found.risks.models["full"], expit(null - evidence), atol=1e-9)


def test_evidence_by_integration():
    "Two models: the integral over the frequency of the first"
    L = people(3, 12, (.7, .3)).to_numpy()
    r, top = np.linspace(0, 1, 20_001), L.max(1, keepdims=True)
    e = np.exp(L - top)
    density = np.exp(np.log(e[:, :1] * r + e[:, 1:] * (1 - r)).sum(0))
    evidence = np.log(integrate.simpson(density, x=r)) + top.sum()
    np.testing.assert_allclose(by_assignments(L, np.ones(2))[0], evidence, atol=1e-8)
    frequency = integrate.simpson(density * r, x=r) / integrate.simpson(density, x=r)
    np.testing.assert_allclose(select_models(pd.DataFrame(L)).models.frequency.iloc[0], frequency, atol=.03)
    assert evidence - .3 < _posterior(L, np.ones(2))[2] < evidence


@pytest.mark.parametrize("counts", [[4., 9.], [2., 3., 4.], [.1, .2, .3, .4], [30., 33., 1., 1.], [.5, .5]])
def test_exceedance_by_sampling(counts):
    n = 400_000
    best = np.random.default_rng(1).dirichlet(counts, n).argmax(1)
    np.testing.assert_allclose(exceedance(counts), np.bincount(best, minlength=len(counts)) / n, atol=4 * .5 / n**.5)


def test_exceedance_of_two_among_many():
    "A model with hardly a count never wins: the others are as if it were not there"
    np.testing.assert_allclose(exceedance([7., 4., 1e-9])[:2], exceedance([7., 4.]), atol=1e-7)
    np.testing.assert_allclose(exceedance([7., 4.])[0], stats.beta(7, 4).sf(.5))
    for a in ([.01] * 20, [1000., 1., .001], [5000., 5010., 4990.]):
        np.testing.assert_allclose(exceedance(a).sum(), 1, atol=1e-9)


# Laws

def test_only_differences_within_a_person_count():
    L = people()
    a, b = select_models(L), select_models(L.add(np.linspace(-1e4, 1e4, len(L)), axis=0))
    np.testing.assert_allclose(a.models, b.models, atol=1e-6)
    np.testing.assert_allclose(a.people, b.people, atol=1e-6)


def test_order_does_not_matter():
    L, groups = people(), {f"p{i}": "xy"[i % 2] for i in range(30)}
    a = select_models(L, families=FAMILIES, groups=groups)
    b = select_models(
        L.iloc[::-1, [2, 0, 1]], families=dict(reversed(FAMILIES.items())), groups=pd.Series(groups)[::-1]
    )
    for one, two in (
        (a.models, b.models),
        (a.families, b.families),
        (a.risks, b.risks),
        (a.people, b.people),
        (a.people_by_group, b.people_by_group),
    ):
        pd.testing.assert_frame_equal(one, two.reindex(index=one.index, columns=one.columns), atol=1e-7)
    np.testing.assert_allclose(a.same.probability, b.same.probability, atol=1e-7)
    assert list(select_models(L.iloc[::-1]).people.index) == list(L.index[::-1])


def test_group_is_its_people_alone():
    L, groups = people(), {f"p{i}": "xyz"[i % 3] for i in range(30)}
    both = select_models(L, groups=groups)
    alone = select_models(L[1::3])
    np.testing.assert_allclose(both.models.loc["y"], alone.models.loc["full"])
    np.testing.assert_allclose(both.people_by_group.loc[alone.people.index], alone.people)
    assert list(both.models.index.levels[0].sort_values()) == ["full", "x", "y", "z"] and len(both.same) == 3
    np.testing.assert_allclose(both.models.groupby("group").frequency.sum(), 1)
    np.testing.assert_allclose(both.models.groupby("group").protected.sum(), 1)
    assert both.models.loc["full"].people.sum() == pytest.approx(30)
    assert both.people.sum(axis=1).to_numpy() == pytest.approx(1)


def test_families_of_one_are_models():
    L = people()
    found = select_models(L, families={m: [m] for m in L})
    np.testing.assert_allclose(found.families, found.models, atol=1e-9)
    pd.testing.assert_series_equal(found.risks.models, found.risks.families, check_names=False)
    pd.testing.assert_frame_equal(found.models, select_models(L).models)


def test_a_model_given_twice_in_one_family():
    "In truth nothing changes (by summation, exactly); the variational posterior moves a little"
    L = people(1, 7, (.5, .5))
    twice = L.assign(C=L.B)
    evidence, mean, sd = by_assignments(L.to_numpy(), np.ones(2))
    again, means, sds = by_assignments(twice.to_numpy(), np.array([1., .5, .5]))
    np.testing.assert_allclose([again, means[0], sds[0]], [evidence, mean[0], sd[0]], atol=1e-9)
    for seed in range(3):
        L = people(seed, 40, (.5, .5))
        family, plain = select_models(L.assign(C=L.B), families=FAMILIES), select_models(L)
        np.testing.assert_allclose(family.families.frequency, plain.models.frequency, atol=.05)
        np.testing.assert_allclose(family.models.frequency.loc["full", "B"], family.models.frequency.loc["full", "C"])


def test_groups_that_differ_and_groups_that_do_not():
    one, other, alike = people(0, 40, (.9, .1)), people(1, 40, (.1, .9)), people(2, 40, (.9, .1))
    groups = [f"{g}{i}" for g in "ab" for i in range(40)]
    same = lambda x, y: select_models(
        pd.concat([x, y]).set_axis(groups), groups={g: g[0] for g in groups}
    ).same.probability[0]
    assert same(one, other) < .001 and same(one, alike) > .5
    np.testing.assert_allclose(same(one, other), same(other, one))


def test_no_difference_is_chance():
    found = select_models(pd.DataFrame(np.zeros((20, 4)), columns=list("ABCD")))
    np.testing.assert_allclose(found.models.frequency, .25)
    np.testing.assert_allclose(found.models.protected, .25)


# What goes in and out

def test_comparison_becomes_evidence():
    values, groups = -2 * people(), pd.Series("x", [f"p{i}" for i in range(30)]).where(np.arange(30) < 12, "y")
    expected = select_models(values / -2, groups=groups)
    for criterion in ("BIC", "AIC"):
        found = select_models(Comparison(values, criterion, groups))
        pd.testing.assert_frame_equal(found.models, expected.models)
        assert criterion in found.source
    np.testing.assert_allclose(
        select_models(Comparison(values / 2, "held-out NLL", None)).models, expected.models.loc["full"]
    )
    assert list(
        select_models(Comparison(values, "BIC", groups), groups=dict.fromkeys(values.index, "all"))
        .models.index.get_level_values(0)
        .unique()
    ) == ["all", "full"]


def test_fits_are_matched_by_label():
    L = people()
    fits = [
        SimpleNamespace(name=m, evidence=L[m].sample(frac=1, random_state=i), groups=pd.Series("x", L.index))
        for i, m in enumerate(L)
    ]
    pd.testing.assert_frame_equal(select_models(fits).people.loc[L.index], select_models(L).people)
    assert list(select_models(fits).people.index) == list(fits[0].evidence.index)
    assert select_models(fits).groups.eq("x").all()
    fits[1].evidence = fits[1].evidence.rename({"p3": "q3"})
    with pytest.raises(ValueError, match="B was fitted to other people than A.*p3.*q3"): select_models(fits)


def test_fits_of_other_choices():
    L = people()
    fits = [SimpleNamespace(name=m, evidence=L[m], diagnostics=pd.DataFrame(dict(n=60), L.index)) for m in L]
    assert len(select_models(fits).people) == len(L)
    fits[1].diagnostics.loc["p3", "n"] = 40
    with pytest.raises(ValueError, match="B was fitted to other choices than A: 'p3' has 40 there and 60 in A"):
        select_models(fits)


def test_nothing_of_the_callers_changes():
    L, groups = people(), {f"p{i}": "xy"[i % 2] for i in range(30)}
    before = L.copy()
    assert repr(select_models(L, families=FAMILIES, groups=groups)) == repr(
        select_models(L, families=FAMILIES, groups=groups)
    )
    pd.testing.assert_frame_equal(L, before)


def test_words():
    clear = select_models(people(0, 60, (.9, .05, .05)))
    assert "full: A describes most people" in clear.notes()[0]
    assert "with probability under .001 all models are equally frequent" in clear.notes()[0]
    assert "people are better described by another model than A" in clear.notes()[1]
    assert "full: no model stands out" in select_models(TEN).notes()[0]
    assert "with probability .802" in select_models(TEN).notes()[0]
    both = select_models(TEN, families=FAMILIES, groups=dict(zip(TEN.index, "aaaaabbbbb")))
    assert "no family stands out" in repr(both)
    assert "a and b: models are equally frequent in both with probability .451" in both._repr_html_()
    assert both.table(families=True) is both.families and both.best().model["s0"] == "C"


@pytest.mark.parametrize("families", [False, True])
def test_figure_shows_the_table(families):
    found = select_models(TEN, families=FAMILIES, groups=dict(zip(TEN.index, "aaaaabbbbb")))
    (_, ax), table = plot_selection(found, families), found.table(families)
    np.testing.assert_allclose([b.get_height() for b in ax.patches], table.loc[["a", "b"]].frequency)
    np.testing.assert_allclose(
        np.concatenate([l.get_ydata() for l in ax.get_lines() if l.get_marker() == "D"]),
        table.loc[["a", "b"]].protected,
    )
    assert plot_selection(select_models(TEN), ax=ax)[1] is ax
    plt.close("all")


def spoiled(value, dtype=float):
    L = TEN.astype(dtype)
    L.loc["s3", "B"] = value
    return L


@pytest.mark.parametrize(
    "evidence, options, error, words",
    [
        (spoiled(np.nan), {}, ValueError, "person 's3' under model 'B' is nan"),
        (spoiled(-np.inf), {}, ValueError, "person 's3' under model 'B' is -inf"),
        (spoiled("-80", object), {}, ValueError, "those of 'A' are not"),
        (TEN[["A"]], {}, ValueError, "two models or more, got .'A'."),
        (TEN[:1], {}, ValueError, "two people or more, got .'s0'."),
        (TEN[["A", "B", "A"]], {}, ValueError, "the model 'A' is there twice"),
        (TEN.rename({"s1": "s0"}), {}, ValueError, "the person 's0' is there twice"),
        (TEN.to_numpy(), {}, TypeError, "must be a frame"),
        ([], {}, TypeError, "must be a frame"),
        ([SimpleNamespace(name="A", evidence=-3.)], {}, TypeError, "a Series `evidence`"),
        ([SimpleNamespace(name="A", evidence=TEN.A)] * 2, {}, ValueError, "the model 'A' is there twice"),
        (
            [SimpleNamespace(name=m, evidence=TEN[m].rename({"s1": "s0"})) for m in TEN],
            {},
            ValueError,
            "the person 's0' is there twice",
        ),
        (TEN, dict(groups=pd.Series("x", [*TEN.index, "s2"])), ValueError, "the person 's2' is there twice"),
        (TEN, dict(families=["A", "B", "C"]), ValueError, "must be a dict"),
        (TEN, dict(families=dict(x=["A", "B", "C"])), ValueError, "two families or more"),
        (TEN, dict(families=dict(x=["A", "B"], y=["B", "C"])), ValueError, "model 'B' is in two places"),
        (TEN, dict(families=dict(x=["A"], y=["B"])), ValueError, "no family has the model 'C'"),
        (TEN, dict(families=dict(x=["A", "B"], y=["C", "D"])), ValueError, "family 'y' has the model 'D'"),
        (TEN, dict(families=dict(x=["A", "B", "C"], y=[])), ValueError, "family 'y' has no model"),
        (TEN, dict(groups=dict(s0="x", s1="x")), ValueError, "no group is given for 8 of 10 people: s2, s3"),
        (
            TEN,
            dict(groups=pd.Series(["x"] * 9 + [None], TEN.index)),
            ValueError,
            "no group is given for 1 of 10 people: s9",
        ),
        (TEN, dict(groups=dict.fromkeys(TEN.index, "x") | dict(s4="y")), ValueError, "group 'y' has one person"),
        (TEN, dict(groups=dict.fromkeys(TEN.index, "full")), ValueError, "called 'full'"),
    ],
)
def test_bad_input(evidence, options, error, words):
    with pytest.raises(error, match=words): select_models(evidence, **options)


@pytest.mark.parametrize("counts", [[1.], [1., 0.], [1., -2.], [1., np.nan], [[1., 2.]], []])
def test_bad_counts(counts):
    with pytest.raises(ValueError, match="two or more positive numbers"): exceedance(counts)
