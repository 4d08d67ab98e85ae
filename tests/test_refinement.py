"""Refinement judged by others: a plain loop for the likelihood, scipy for the optimum and the intervals, random
walks for the bounds."""
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from spice_rl.models.avoidance import AvoidanceTask, read_avoidance
from spice_rl.models.bandits import AgentQ, BanditsDrift
from spice_rl.core.data import Trials
from spice_rl.core.reading import read_trials
from spice_rl.core.engine import nll
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import Equation, rescorla_wagner_equation
from spice_rl.discovery.rules import Rule, equation_names
from spice_rl.inference.fitting import fit
from spice_rl.models.qlearning import QLearning
from spice_rl.discovery.refinement import Refinement, _units, search_library, refine
from spice_rl.discovery.term_search import _Search
from spice_rl.discovery.resampling import pooled_or_apart, stability
from spice_rl.discovery.structures import TRACE, VALUE, _fit, _Library, _range, bandit_library
from test_equation import equation_of, loop_nll
from worlds import messy, rebuild

C, O = f"{VALUE}_chosen", f"{VALUE}_not_chosen"
START, OWN, PAID, BOTH, KEPT = f"start: {VALUE}", f"{C}: {C}", f"{C}: c_reward", f"{C}: {C} c_reward", f"{O}: {O}"


# Data, each made once

LEARNERS = {
    "slow": (dict(alpha_reward=.1), {START, OWN, PAID}),
    "fast": (dict(alpha_reward=.6), {START, OWN, PAID}),
    "two rates": (dict(alpha_reward=.6, alpha_penalty=.2), {START, OWN, PAID, BOTH}),
    "forgetting": (dict(alpha_reward=.3, forget_rate=.2), {f"{C}: 1", OWN, PAID, KEPT}),
    "perseveration":
        (
            dict(alpha_reward=.3, beta_choice=1., alpha_choice=.5),
            {START, OWN, PAID, f"{TRACE}: {TRACE}", f"{TRACE}: c_action"},
        ),
}


@cache
def learner(name):
    """With a slow change of values that are not chosen, or of a trace, it takes more choices until the exact terms
    are by far the best"""
    return simulate(
        AgentQ(**LEARNERS[name][0]),
        BanditsDrift(.2),
        sessions=100 if name in ("forgetting", "perseveration") else 30,
        seed=1,
    )


@cache
def found(name): return search_library(learner(name))


@cache
def small():
    "Two people, 8 sessions of 40 trials each, with two rates"
    return simulate(
        AgentQ(alpha_reward=.7, alpha_penalty=.3, beta_reward=4.),
        BanditsDrift(.2),
        people=2,
        sessions=8,
        n_trials=40,
        seed=3,
    )


@cache
def small_found(): return search_library(small())


FEW = bandit_library(1, trace=False)   # a value and what is paid: where it does not matter what else there may be


@cache
def points():
    "Rewards of any size between 0 and 1, learned from"
    rng = np.random.default_rng(0)
    return rebuild(small(), reward=small().reward * rng.random(small().reward.shape))


@cache
def points_found(): return search_library(points())


def labels(trials): return np.array(trials.participants, object)[trials.participant]


def same(a, b, rel=1e-4):
    "Two refinements say the same: the terms, their numbers, the likelihood"
    assert list(a.estimates.parameter) == list(b.estimates.parameter)
    assert a.scores.nll.sum() == pytest.approx(b.scores.nll.sum(), abs=1e-4)
    np.testing.assert_allclose(a.estimates[["estimate", "se"]], b.estimates[["estimate", "se"]], rtol=50 * rel)
    return True


# The learners come back

@pytest.mark.parametrize("name", LEARNERS)
def test_the_learner_comes_back(name):
    "The exact terms, nothing else; its parameters within four standard errors; never less likely than the truth"
    agent, terms = LEARNERS[name]
    d = found(name)
    assert set(d.estimates.parameter) == terms
    read, truth = d.as_rl().parameters, AgentQ(**agent).values
    truth = dict(truth, alpha=truth["alpha_reward"], beta=truth["beta_reward"]) | {
        "Q at the start": .5,
        "forgets toward": .5,
    }
    for what, (value, se) in read.iterrows():
        if np.isfinite(se): assert abs(value - truth[what]) < 4 * se, what
    assert d.scores.nll["everybody"] < nll(AgentQ(**agent), None, learner(name)).sum() + 1e-6
    assert d.scores.nll["everybody"] == pytest.approx(nll(d.equation, None, learner(name)).sum(), abs=1e-6)


@pytest.mark.parametrize("name", ["fast", "forgetting"])
def test_no_move_makes_it_better(name):
    "The table of terms: none in that is better out, none out that is better in"
    d = found(name)
    assert (d.terms.bic_change.dropna() > -.02).all()
    assert set(d.terms.parameter[d.terms.in_equation]) == set(d.estimates.parameter)
    numbers = (d.terms.bic_change - 2 * d.terms.nll_change) / np.log(len(learner(name)))
    np.testing.assert_allclose(numbers, np.round(numbers), atol=1e-7)
    assert d.structures.weight.sum() == pytest.approx(1)
    assert d.structures.bic.iloc[0] <= d.structures.bic.min() + .02
    assert (d.structures.bic < d.structures.bic.min() + 6).all()
    assert set(d.shared()) <= set(d.structures.terms.iloc[0])


def test_what_leaving_a_term_out_costs():
    "As `fit` finds it, with the term held"
    d = small_found()
    assert BOTH in set(d.estimates.parameter)
    e = Equation(
        d.equation.equation_rules, d.equation.state, dict(d.equation.row()) | {BOTH: 0.}, held=[*d.equation.held, BOTH]
    )
    own = fit(
        e, rebuild(small(), participant=np.zeros(len(small()), int)), bounds={n: (-9, 9) for n in e.params}
    ).table.nll.sum()
    assert d.terms.set_index("parameter").nll_change[BOTH] == pytest.approx(own - d.scores.nll.sum(), abs=1e-3)


# The optimum, its errors, its intervals

def loop_of(d, trials):
    "The NLL as a function of the estimates, by the plain loop"
    row, names = d.equation.row().copy(), list(d.estimates.parameter)
    def f(x):
        row[names] = x
        return loop_nll(d.equation.equation_rules, d.equation.state, row, trials)
    return f, d.estimates.estimate.to_numpy(), names


def test_no_numbers_are_more_likely():
    f, x, _ = loop_of(small_found(), small())
    assert f(x) == pytest.approx(small_found().scores.nll.sum(), rel=1e-9)
    assert minimize(f, x, method="BFGS", options=dict(gtol=.05)).fun > f(x) - 1e-4


def test_standard_errors():
    "From the second derivatives of the plain loop, by differences"
    d = small_found()
    f, x, _ = loop_of(d, small())
    h, n = 2e-3 * np.maximum(abs(x), .1), len(x)
    hessian = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            e, g = np.eye(n)[i] * h, np.eye(n)[j] * h
            hessian[i, j] = hessian[j, i] = (f(x + e + g) - f(x + e - g) - f(x - e + g) + f(x - e - g)) / (
                4 * h[i] * h[j]
            )
    np.testing.assert_allclose(d.estimates.se, np.sqrt(np.diag(np.linalg.inv(hessian))), rtol=2e-3)
    np.testing.assert_allclose(d.equation.covariance[0], np.linalg.inv(hessian), rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("number", [OWN, PAID])
def test_intervals(number):
    "At each end of an interval the best that the others can do loses 1.92 nats"
    d = small_found()
    f, x, names = loop_of(d, small())
    i = names.index(number)
    # of the others, so that the search is short
    scale = np.linalg.cholesky(
        np.linalg.inv(np.delete(np.delete(np.linalg.inv(d.equation.covariance[0].to_numpy()), i, 0), i, 1))
    )
    for end in d.estimates.set_index("parameter").loc[number, ["lower", "upper"]]:
        others = np.delete(
            x + d.equation.covariance[0].to_numpy()[:, i] / d.equation.covariance[0].iloc[i, i] * (end - x[i]), i
        )
        profile = minimize(
            lambda y: f(np.insert(others + scale @ y, i, end)),
            np.zeros(len(others)),
            method="BFGS",
            options=dict(gtol=.05),
        ).fun
        assert profile - f(x) == pytest.approx(1.9207, abs=.03)


# What must not matter

@pytest.mark.parametrize("times", [1e-4, 1e3])
@pytest.mark.parametrize("data, in_shares", [(small, small_found), (points, points_found)])
def test_rewards_in_another_unit(data, in_shares, times):
    "Points in place of shares: the same terms and likelihood, coefficients and errors by the power of the unit"
    a, b = in_shares(), search_library(rebuild(data(), reward=data().reward * times))
    power = [n.split(": ")[1].count("c_reward") + n.endswith("c_reward^2") for n in a.estimates.parameter]
    scale = times ** np.array(power, float)
    b.estimates[["estimate", "se", "lower", "upper"]] = b.estimates[["estimate", "se", "lower", "upper"]].mul(
        scale, axis=0
    )
    assert same(a, b) and np.isfinite(a.estimates.se).all()
    np.testing.assert_allclose(b.estimates[["lower", "upper"]], a.estimates[["lower", "upper"]], rtol=.02, atol=1e-3)
    assert set(a.unseen) == set(b.unseen) and len(set(a.unseen)) == len(a.unseen)


def test_rates_at_what_is_paid():
    "The same choices, rewards of -1 and 1, or of 0 and 100, in place of 0 and 1: the same two rates"
    a, b, c = (
        d.as_rl()
        for d in (
            small_found(),
            *(search_library(rebuild(small(), reward=r)) for r in (small().reward * 100, small().reward * 2 - 1)),
        )
    )
    assert dict(a.parameters.value[["alpha_reward", "alpha_penalty"]]) == pytest.approx(
        dict(b.parameters.value[["alpha_reward", "alpha_penalty"]]), rel=1e-3
    )
    np.testing.assert_allclose(
        a.parameters.se[["alpha_reward", "alpha_penalty"]],
        b.parameters.se[["alpha_reward", "alpha_penalty"]],
        rtol=1e-2,
    )
    for what, truth in (("alpha_reward", .7), ("alpha_penalty", .3)):
        assert abs(c.parameters.value[what] - truth) < 4 * c.parameters.se[what]
    assert "alpha_reward" not in points_found().as_rl().parameters.index


@pytest.mark.parametrize("change", ["options", "sessions", "people", "missing", "taken"])
def test_order_and_names_do_not_matter(change):
    t = small()
    if change == "options": t = rebuild(t, choice=1 - t.choice, reward=t.reward[:, ::-1])
    if change == "people": t = rebuild(t, participant=np.array([f"s{s}" for s in t.session], object))
    if change == "sessions":
        order = np.concatenate(
            [np.flatnonzero(t.session == s) for s in np.random.default_rng(0).permutation(t.n_sessions)]
        )
        t = rebuild(rebuild(t, participant=np.zeros(len(t), int)), order)
    if change == "missing":   # trials without a choice, put in between, teach nothing
        rows = np.repeat(np.arange(len(t)), 1 + (np.arange(len(t)) % 7 == 3))
        extra = np.r_[False, rows[1:] == rows[:-1]]
        t = rebuild(t, rows)
        t = rebuild(t, choice=np.where(extra, -1, t.choice), reward=np.where(extra[:, None], np.nan, t.reward))
    if change == "taken":
        other = simulate(AgentQ(alpha_reward=.1), BanditsDrift(.2), n_trials=50, seed=9)
        t = Trials.from_arrays(
            np.r_[other.choice, t.choice],
            np.r_[other.reward, t.reward],
            np.r_[np.full(50, 9), labels(t).astype(int)],
            np.r_[other.session, t.session + 1],
            options=t.options,
        )
        t = t.take(participants=[0, 1])
    assert same(search_library(t), small_found())


def test_the_way_an_equation_is_written_does_not_matter():
    "Weight 1 or 3, values shifted, another module's name: refined, the same equation in logits"
    ways = [equation_of(.5, 3., **how) for how in (dict(), dict(shift=-2.), dict(weight=3.), dict(shift=1., weight=.2))]
    first, *others = [refine(e, small()) for e in ways]
    for r in others: assert same(first, r) and r.equation.row()["weight: v"] == 1.
    # the chosen option's rule is all that it takes
    assert first.scores.nll.sum() == pytest.approx(small_found().scores.nll.sum(), abs=1e-3)
    assert same(refine(rescorla_wagner_equation(.1, 8.), small(), library=bandit_library()), small_found())


def test_the_same_seed():
    state = np.random.get_state()[1].copy()
    a, b = (search_library(small(), FEW, criterion="heldout", folds=4, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(a.estimates, b.estimates)
    assert a.scores.held_out.equals(b.scores.held_out) and (np.random.get_state()[1] == state).all()
    assert a.scores.held_out.sum() > a.scores.nll.sum() and a.scores.held_out.sum() < np.log(2) * len(small())
    c = search_library(small(), FEW, criterion="heldout", folds=4, seed=np.random.default_rng(7))
    assert c.criterion == "heldout" and np.isfinite(c.scores.held_out).all()


# The search

@pytest.mark.parametrize("seed", [3, 17, 31])
def test_the_search_misses_nothing(seed):
    """Against all structures of a small library, one after another: forgetting was missed where values are counted
    from where they start"""
    agent = (
        AgentQ(alpha_reward=.9, beta_reward=6., forget_rate=.1)
        if seed % 4 == 3
        else AgentQ(alpha_reward=.6, forget_rate=.3)
    )
    library = made(
        bandit_library(1, trace=False), simulate(agent, BanditsDrift(.2), sessions=8, n_trials=40, seed=seed)
    )
    search, best = _Search(library), np.inf
    starts, found = [search.first(rate) for rate in (.1, .5)], search.run()
    for free in (f for k in range(len(library.can) + 1) for f in combinations(library.can, k)):
        for gone in ((), *((j,) for j in library.own if j not in free), tuple(j for j in library.own if j not in free)):
            for x in starts:
                s = _fit(library, frozenset(free), frozenset(gone), x)
                if s is not None and s.sound: best = min(best, s.bic)
    assert found.sound and found.bic < best + .02


# Values that cannot run away

def walk(library, numbers, trials, n=10_000, seed=0):
    "Least and greatest value of each latent on a long walk of random choices and rewards that were seen"
    rng, values = np.random.default_rng(seed), {s: np.full(2, numbers[i]) for i, s in enumerate(library.latents)}
    signal = {}
    paid = np.unique(trials.reward[~np.isnan(trials.reward)])
    c, low, high = dict(zip(library.names, numbers)), dict(values), dict(values)
    for _ in range(n):
        choice, reward = rng.integers(2) if rng.random() < .5 else int(rng.random() < rng.random()), rng.choice(paid, 2)
        old = {s: v.copy() for s, v in values.items()}
        for r in library.rules:
            for k in range(2):
                get = lambda kind: (
                    float(k == choice)
                    if kind == "action"
                    else reward[k]
                    if kind == "reward"
                    else reward[choice]
                    if kind == "chosen_reward"
                    else old[kind][k]
                )
                if any(get(kind) != v for _, kind, v in r.filters): continue
                u = [old[r.state][k], *(get(kind) for _, kind in r.signals)]
                values[r.state][k] = sum(
                    c[r.parameter(t)] * np.prod([a**e for a, e in zip(u, t)]) for t in r.terms if c[r.parameter(t)]
                )
        low = {s: np.minimum(low[s], v) for s, v in values.items()}
        high = {s: np.maximum(high[s], v) for s, v in values.items()}
        if max(abs(v).max() for v in values.values()) > 1e6: break
    return np.array([[v.min() for v in low.values()], [v.max() for v in high.values()]])


def made(rules, trials):
    latents = list(dict.fromkeys(r.state for r in rules))
    return _Library(rules, latents, dict.fromkeys(latents, 1.), trials)


@pytest.mark.parametrize(
    "rules",
    [
        bandit_library(),
        [
            Rule(
                "v",
                "v",
                (("a", "action", 1.),),
                (("r", "reward"), ("h", "h")),
                ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1)),
            ),
            Rule("h", "h", (), (("a", "action"),), ((0, 0), (1, 0), (0, 1))),
        ],
    ],
    ids=["default", "cross"],
)
def test_no_value_leaves_its_bounds(rules):
    """Numbers at random: where bounds are claimed, 600 random steps stay within them; where a walk explodes, none
    are claimed"""
    trials = rebuild(small(), reward=small().reward * 2 - 1)
    library, rng, claimed, exploded = made(rules, trials), np.random.default_rng(0), 0, 0
    for i in range(16):
        x = library.base + rng.normal(size=len(library.names)) * .25
        x[library.own] = rng.uniform(-.5, 1.1, len(library.own))
        bounds, seen = _range(library, x), walk(library, x, trials, 600, i)
        if bounds is not None:
            claimed += 1
            assert (seen[0] >= bounds[0] - 1e-3).all() and (seen[1] <= bounds[1] + 1e-3).all(), (x, bounds, seen)
        exploded += bounds is None and abs(seen).max() > 1e3
    assert claimed >= 4 and exploded >= 2


def test_bounds_of_what_was_found():
    "A long walk, 10000 steps"
    d, trials = found("two rates"), learner("two rates")
    library = made(d.equation.equation_rules, trials)
    low, high = map(float, d.scores[f"{VALUE} stays in"].iloc[0].strip("[]").split(","))
    (least,), (most,) = walk(library, d.equation.row()[library.names].to_numpy(), trials)
    assert low - .006 <= least and most <= high + .006
    assert high - low < 1.5 * (most - least) + .05   # and not much wider than it takes


@pytest.mark.parametrize(
    "own, square, stays",
    [
        (.9, 0., True),
        (1., 0., False),
        (1.2, 0., False),
        (.5, .02, True),
        (.5, 2., False),
        (-.9, 0., True),
        (-1.1, 0., False),
    ],
)
def test_exploding_maps_are_refused(own, square, stays):
    library = made(bandit_library(trace=False), small())
    x = pd.Series(library.base, library.names)
    x[OWN], x[f"{C}: {C}^2"], x[PAID] = own, square, .5
    assert (_range(library, x.to_numpy()) is not None) == stays


# All kinds of data

def judged(d, trials):
    "Its likelihood is that of the loop, its interval holds each number, its values are bounded"
    for who in d.scores.index:
        mine = trials if who == "everybody" else trials.take(participants=[who])
        assert d.scores.nll[who] == pytest.approx(
            loop_nll(d.equation.equation_rules, d.equation.state, d.equation.row(who), mine), rel=1e-7
        )
        assert d.scores.n[who] == mine.n_counted
        assert d.scores.bic[who] == pytest.approx(2 * d.scores.nll[who] + d.scores.k[who] * np.log(mine.n_counted))
        assert d.scores.k[who] == (d.estimates.who == who).sum()
    e = d.estimates
    assert not (e.lower > e.estimate).any() and not (e.upper < e.estimate).any()
    assert repr(d) and d._repr_html_() and d.text()
    return d


def uneven():
    "Sessions of 2 to 60 trials, missing choices, hidden rewards"
    t = simulate(AgentQ(alpha_reward=.5, beta_reward=5.), BanditsDrift(.2), people=3, sessions=6, n_trials=60, seed=4)
    length = np.random.default_rng(0).integers(2, 60, t.n_sessions)
    return messy(rebuild(t, np.concatenate([np.arange(a, a + n) for a, n in zip(t.starts, length)])), seed=1)


KINDS = {
    "three options":
        lambda: simulate(
            AgentQ(n_actions=3, alpha_reward=.4, beta_reward=4.),
            BanditsDrift(.2, 3),
            people=2,
            sessions=4,
            n_trials=60,
            seed=1,
        ),
    "full feedback":
        lambda: simulate(
            AgentQ(
                alpha_reward=.4, alpha_counterfactual_reward=.3, alpha_counterfactual_penalty=.3, beta_reward=4.
            ),
            BanditsDrift(.2, counterfactual=True),
            sessions=10,
            n_trials=60,
            seed=1,
        ),
    "offers that vary": lambda: simulate(QLearning(), AvoidanceTask(), people=2, seed=0),
    "sizes of rewards": points,
    "uneven": uneven,
    "one session": lambda: small().take(sessions=[0]),
    "constant reward": lambda: rebuild(small(), reward=np.where(np.isnan(small().reward), np.nan, 3.)),
    "constant choice":
        lambda: rebuild(
            small(),
            choice=np.zeros(len(small()), int),
            reward=np.c_[np.nan_to_num(small().reward.max(1), nan=1.), np.full(len(small()), np.nan)],
        ),
    "two trials": lambda: Trials.from_arrays([0, 1], [1., 0.]),
    "one choice": lambda: Trials.from_arrays([0, -1], [1., np.nan], options=[0, 1]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_data(kind, recwarn):
    d = judged(search_library(KINDS[kind]()), KINDS[kind]())
    assert not recwarn.list
    if kind == "full feedback": assert d.as_rl().name == "Rescorla-Wagner with counterfactual learning"
    if kind == "three options":
        assert abs(d.as_rl().parameters.value["alpha"] - .4) < 4 * d.as_rl().parameters.se["alpha"]
    if kind == "constant reward": assert "it never varies there" in " ".join(d.unseen)
    if kind == "constant choice": assert d.scores.nll.sum() < .1 * len(small())   # certainty pays


def test_certain_choices():
    "Always option 0: a start far off and no learning is found, for the BIC of one number"
    t = KINDS["constant choice"]()
    d = search_library(t)
    assert d.scores.bic.sum() < 60 and d.structures.bic.min() >= d.scores.bic.min() - .02


def test_the_avoidance_data(shared):
    files = [shared/"data"/f"tutorial_{phase}_data.csv" for phase in ("learning", "transfer")]
    if not all(f.exists() for f in files): pytest.skip("no avoidance data")
    trials = read_avoidance(*files)
    trials = trials.take(participants=list(trials.participants[:2]))
    d = search_library(trials)
    assert d.scores.nll.sum() == pytest.approx(
        loop_nll(d.equation.equation_rules, d.equation.state, d.equation.row(), trials), rel=1e-7
    )
    assert d.scores.nll.sum() < np.log(2) * trials.n_counted


# Whose equation

@cache
def crowd():
    "Four people, two fast, two slow learners, with groups as text and as numbers"
    t = simulate(
        AgentQ(beta_reward=4.),
        BanditsDrift(.2),
        pd.DataFrame(dict(alpha_reward=[.15, .15, .8, .8]), ["d", "c", "b", "a"]),
        sessions=8,
        n_trials=60,
        seed=2,
    )
    slow = t.participant < 2
    return Trials.from_arrays(
        t.choice,
        t.reward,
        labels(t),
        t.session,
        options=t.options,
        extra=dict(
            kind=np.where(slow, "slow", "fast"),
            code=np.where(slow, 7, 3),
            some=np.where(t.participant == 1, None, "x"),
            mixed=np.arange(len(t)) % 2,
        ),
    )


@cache
def crowd_found(): return search_library(crowd(), FEW)


@pytest.mark.parametrize(
    "by, who", [("participant", ["d", "c", "b", "a"]), ("kind", ["slow", "fast"]), ("code", [7, 3])]
)
def test_one_for_each(by, who):
    d = search_library(crowd(), FEW, by=by)
    assert set(d.scores.index) == set(who) == set(d.equation.coefficients.index)
    people = {
        w: [
            p
            for p, g in zip(["d", "c", "b", "a"], ["d", "c", "b", "a"] if by == "participant" else np.repeat(who, 2))
            if g == w
        ]
        for w in who
    }
    alone = search_library(crowd().take(participants=people[who[0]]), FEW)
    mine = d.estimates[d.estimates.who == who[0]]
    assert list(mine.parameter) == list(alone.estimates.parameter)
    np.testing.assert_allclose(mine.estimate, alone.estimates.estimate, rtol=1e-4)
    for w in who: assert str(round(float(d.equation.row(w)[PAID]), 3))[:4] in d.text(w)
    first, last = d.as_rl(who[0]).parameters, d.as_rl(who[-1]).parameters
    assert d.as_rl(who[0]).name and first.value.iloc[0] < last.value.iloc[0]
    with pytest.raises(ValueError, match="nobody"): d.text("nobody")


def test_rows_of_their_own_are_refined():
    frame = pd.DataFrame([dict(rescorla_wagner_equation(a, 3.).row()) for a in (.2, .2, .6, .6)], ["d", "c", "b", "a"])
    e = Equation(rescorla_wagner_equation(.1, 1.).equation_rules, [VALUE], frame)
    d = refine(e, crowd())
    assert list(d.scores.index) == ["d", "c", "b", "a"]
    pooled = refine(rescorla_wagner_equation(.3, 3.), crowd())
    assert d.scores.nll.sum() < pooled.scores.nll.sum() and list(pooled.scores.index) == ["everybody"]
    assert nll(d.equation, None, crowd()).to_dict() == pytest.approx(d.scores.nll.to_dict(), rel=1e-7)


def test_how_much_people_share():
    unlike, alike = pooled_or_apart(crowd(), FEW, groups="kind"), pooled_or_apart(small(), FEW)
    assert unlike.index[0] == "one per group" and alike.index[0] == "one for everybody"
    own = fit(crowd_found().equation, crowd()).table.nll.sum()
    assert unlike.nll["the same terms, everyone's own numbers"] == pytest.approx(own, abs=1e-3)
    assert unlike.bic.is_monotonic_increasing
    np.testing.assert_allclose(unlike.bic, 2 * unlike.nll + unlike.k * np.log(len(crowd())))


def test_sharing_where_nothing_is_learned():
    rng = np.random.default_rng(0)
    t = Trials.from_arrays(rng.integers(0, 2, 200), rng.integers(0, 2, 200).astype(float), np.arange(200) // 100)
    assert search_library(t).as_rl().name == "choice at random"
    assert pooled_or_apart(t).nll["one for everybody"] == pytest.approx(200 * np.log(2))


def test_somebody_who_was_shown_nothing():
    "A person whose rewards are all hidden has an equation without reward, and bounds that are numbers"
    t = rebuild(crowd(), reward=np.where((labels(crowd()) == "d")[:, None], np.nan, crowd().reward))
    d = judged(search_library(t, FEW, by="participant"), t)
    assert PAID not in set(d.estimates.parameter[d.estimates.who == "d"])
    assert PAID in set(d.estimates.parameter[d.estimates.who == "a"])


# Libraries

def test_a_library_of_ones_own():
    "A value that leaks into a habit: the habit's rule reads the value of another latent"
    v = Rule("v", "v", (("a", "action", 1.),), (("r", "reward"),), ((0, 0), (1, 0), (0, 1)))
    h = Rule("h", "h", (), (("a", "action"), ("v", "v")), ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)))
    truth = Equation(
        [v, h],
        ["v", "h"],
        {
            "start: v": .5,
            "weight: v": .3,
            "start: h": 0.,
            "weight: h": 1.,
            "v: 1": 0.,
            "v: v": .6,
            "v: r": 1.2,
            "h: 1": 0.,
            "h: h": .5,
            "h: a": 0.,
            "h: v": 0.,
            "h: a v": .7,
        }
        | {n: 0. for n in equation_names([h], ["h"]) if n not in ("start: h", "weight: h")}
        | {"h: h": .5},
    )
    product = next(h.parameter(t) for t in h.terms if t == (0, 1, 1))
    truth = Equation([v, h], ["v", "h"], dict(truth.row()) | {product: .7})
    trials = simulate(truth, BanditsDrift(.2), sessions=20, n_trials=80, seed=0)
    d = judged(search_library(trials, [v, h]), trials)
    assert d.scores.nll.sum() < nll(truth, None, trials).sum() + 2 and "h" in d.equation.state


def test_filters_by_reward():
    "Rules that exclude each other may move the same value: one for wins, one for losses"
    won, lost = (
        Rule(n, "v", (("a", "action", 1.), ("r", "reward", x)), (), ((0,), (1,)))
        for n, x in (("won", 1.), ("lost", 0.))
    )
    d = judged(search_library(small(), [won, lost]), small())
    assert d.scores.nll.sum() <= small_found().scores.nll.sum() + .5   # the same family of equations


def test_terms_of_binary_signals_never_enter():
    d = small_found()
    assert not any("c_reward^2" in n or "c_action^2" in n for n in d.terms.parameter)
    assert any("powers of c_reward" in s for s in d.unseen)
    assert any(f"{TRACE}: 1, which moves all options alike" in s for s in d.unseen)
    assert f"{C}: c_reward^2" in set(points_found().terms.parameter)


@pytest.mark.parametrize(
    "library, error, said",
    [
        ([], TypeError, r"at least one Rule.* got \[\]"),
        (bandit_library()[0], TypeError, "a library is a list"),
        (["x"], TypeError, "got 'x', a str"),
        ([replace(bandit_library()[0], terms=((0,), (1,)))], ValueError, r"the term \(0,\).*2 exponents"),
        ([replace(bandit_library()[0], signals=(("z", "zz"),))], ValueError, f"{C}.*'zz'"),
        ([bandit_library()[0]] * 2, ValueError, "two numbers are called"),
        (
            [Rule("a", "v", (), (), ((0,), (1,))), Rule("b", "v", (("c", "action", 1.),), (), ((0,), (1,)))],
            ValueError,
            "'a' and 'b' move 'v' of the same option",
        ),
        (bandit_library(counterfactual=True), ValueError, f"{O}.*never shown"),
    ],
)
def test_libraries_that_cannot_be(library, error, said):
    for what in (lambda: search_library(small(), library), lambda: stability(small(), library, n=2)):
        with pytest.raises(error, match=said): what()


@pytest.mark.parametrize(
    "what, error, said",
    [
        (lambda t: refine(AgentQ(), t), TypeError, "needs an Equation .*AgentQ"),
        (lambda t: refine(rescorla_wagner_equation(.3, 3), "x"), TypeError, "must be Trials, got str"),
        (lambda t: search_library("x"), TypeError, "must be Trials, got str"),
        (lambda t: stability("x"), TypeError, "must be Trials, got str"),
        (lambda t: pooled_or_apart("x"), TypeError, "must be Trials, got str"),
        (
            lambda t: refine(rescorla_wagner_equation(.3, 3), t, library=bandit_library()[1:]),
            ValueError,
            "the library lacks",
        ),
        (lambda t: search_library(t, criterion="aic"), ValueError, "'bic' or 'heldout', got 'aic'"),
        (lambda t: search_library(t, criterion="heldout", folds=1), ValueError, "folds .*got 1"),
        (lambda t: search_library(t, criterion="heldout", folds=17), ValueError, r"\(16 of everybody\), got 17"),
        (lambda t: search_library(t, criterion="heldout", folds=9, by="participant"), ValueError, r"\(8 of 0\), got 9"),
        (lambda t: search_library(t, criterion="heldout", folds="x"), TypeError, "folds .*got 'x'"),
        (lambda t: search_library(t, by="nope"), ValueError, "by must be None, 'participant' or a column .*got 'nope'"),
        (lambda t: search_library(crowd(), by="some"), ValueError, "'some' says nothing about participant 'c'"),
        (lambda t: search_library(crowd(), by="mixed"), ValueError, "one thing about each participant"),
        (lambda t: search_library(rebuild(t, counted=np.zeros(len(t), bool))), ValueError, "no choice to learn from"),
        (
            lambda t: search_library(rebuild(t, counted=t.participant == 0), by="participant"),
            ValueError,
            "no choice of 1 to learn from",
        ),
        (lambda t: pooled_or_apart(rebuild(t, counted=t.participant == 0)), ValueError, "no choice of 1 to learn from"),
        (
            lambda t: search_library(rebuild(t, reward=t.reward * np.nan)),
            ValueError,
            "no reward is shown in these trials",
        ),
        (lambda t: pooled_or_apart(t.take(participants=[0])), ValueError, "only one participant"),
        (lambda t: stability(t.take(sessions=[0])), ValueError, "only one"),
        (lambda t: stability(t, n=1), ValueError, "at least 2, got 1"),
        (lambda t: bandit_library(0), ValueError, "got 0"),
        (lambda t: bandit_library(1.5), ValueError, "got 1.5"),
    ],
)
def test_what_cannot_be_asked(what, error, said):
    with pytest.raises(error, match=said): what(small())


# Would it come out again

def test_sessions_drawn_anew():
    """The spread over draws is about the standard error for what is always chosen; the same seed draws the same; the
    data are left as they are"""
    trials = learner("fast").take(sessions=list(range(8)))
    before, d = trials.choice.copy(), search_library(trials, FEW).estimates.set_index("parameter")
    a, b, c = (stability(trials, FEW, n=n, seed=s) for n, s in ((4, 1), (2, 1), (2, 2)))
    pd.testing.assert_frame_equal(a.draws.head(2), b.draws)
    assert not b.draws.equals(c.draws) and np.array_equal(before, trials.choice)
    assert a.table.share_chosen[PAID] == 1
    assert a.structures.share.sum() == pytest.approx(1)
    assert repr(a)
    assert a._repr_html_()
    assert .2 < a.table.sd[PAID] / d.se[PAID] < 3
    assert a.table.estimate[OWN] == pytest.approx(d.estimate[OWN] - 1, abs=1e-4)
    assert a.table.estimate[PAID] == pytest.approx(d.estimate[PAID], abs=1e-4)


def test_it_is_a_model_like_others():
    "Fitted to each person, within bounds, from a file, simulated: with no special case"
    d = crowd_found()
    own = fit(d.equation, crowd())
    assert set(own.names) == set(d.estimates.parameter) and own.table.nll.sum() <= d.scores.nll.sum() + 1e-4
    again = simulate(d.equation, BanditsDrift(.2), people=2, sessions=3, n_trials=50, seed=0)
    assert nll(d.equation, None, again).sum() < np.log(2) * len(again)
    assert isinstance(d, Refinement)


def test_sessions_are_drawn_from_all_people():
    "With a session each there would be nothing to draw within a person, and everything would look stable"
    people = simulate(AgentQ(alpha_reward=.3), BanditsDrift(.2), people=12, sessions=1, n_trials=60, seed=3)
    draws = stability(people, FEW, n=4, seed=0).draws
    assert draws[PAID].nunique() == 4


def test_draws_are_kept_and_belong_to_their_data(tmp_path):
    trials, library = small().take(sessions=[0, 1, 2]), FEW
    kept = stability(trials, library, n=2, folder=tmp_path)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "pieces").iterdir()}
    pd.testing.assert_frame_equal(stability(trials, library, n=2, folder=tmp_path).draws, kept.draws)
    assert files == {p: p.stat().st_mtime_ns for p in (tmp_path / "pieces").iterdir()}
    for other, rules in ((small().take(sessions=[0, 1]), library), (trials, bandit_library(2, trace=False))):
        with pytest.raises(ValueError, match="holds the pieces of another run"):
            stability(other, rules, n=2, folder=tmp_path)


def test_people_are_taken_apart_in_one_pass():
    "The trials of each, as `take` gives them: sessions of one person may lie among those of others"
    rng = np.random.default_rng(0)
    who = np.repeat(rng.integers(0, 6, 30), 4)
    trials = Trials.from_arrays(
        rng.integers(0, 2, 120), rng.integers(0, 2, 120).astype(float), who, np.repeat(np.arange(30), 4)
    )
    units = _units(trials, "participant")
    assert list(units) == list(trials.participants)
    for label, mine in units.items():
        other = trials.take(participants=[label])
        for name in ("choice", "reward", "offer", "participant", "session", "context", "counted"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))
        assert mine.participants == other.participants and mine.to_frame().equals(other.to_frame())


@pytest.mark.parametrize(
    "call, kind, said",
    [
        (lambda t: search_library(t.to_frame()), TypeError, "trials must be Trials, got DataFrame"),
        (lambda t: search_library(None), TypeError, "trials must be Trials, got nothing"),
        (lambda t: search_library(t, library="poly"), TypeError, "a library is a list"),
        (
            lambda t: search_library(t, by="who"),
            ValueError,
            "by must be None, 'participant' or a column of the trials .*got 'who'",
        ),
        (lambda t: search_library(t, criterion="aic"), ValueError, "criterion must be 'bic' or 'heldout'"),
        (lambda t: search_library(t, criterion="heldout", folds=1), ValueError, "folds must be a whole number"),
        (lambda t: search_library(t, criterion="heldout", folds="x"), TypeError, "folds must be a whole number"),
        (lambda t: search_library(t, criterion="heldout", seed=None), TypeError, "seed must be"),
        (lambda t: refine(t, t), TypeError, "refine needs an Equation"),
        (lambda t: stability(t, n="many"), TypeError, "n must be a whole number"),
        (lambda t: stability(t, n=1.5), ValueError, "n must be a whole number"),
        (lambda t: pooled_or_apart(t, groups="sex"), ValueError, "groups must be None or a column"),
        (lambda t: bandit_library("2"), TypeError, "degree must be a whole number"),
        (lambda t: bandit_library(0), ValueError, "degree must be"),
    ],
)
def test_wrong_calls(call, kind, said):
    t = Trials.from_arrays([0, 1, 0, 1] * 5, [1., 0, 1, 0] * 5, np.repeat([0, 1], 10))
    with pytest.raises(kind, match=said): call(t)


def test_what_was_no_choice_has_no_price():
    "Trials with one option on offer tell of nothing: no term may cost more for them."
    frame = simulate(AgentQ(alpha_reward=.4), BanditsDrift(.2), sessions=8, n_trials=60, seed=1).to_frame()
    forced = np.arange(len(frame)) % 3 == 0
    frame = frame.assign(left=0, right=np.where(forced, np.nan, 1), choice=np.where(forced, 0, frame.choice))
    trials = read_trials(frame, block="session", offer=["left", "right"])
    scores = search_library(trials).scores.iloc[0]
    assert scores.n == (~forced).sum()
    assert scores.bic == pytest.approx(2 * scores.nll + scores.k * np.log((~forced).sum()))
    with pytest.raises(ValueError, match="had no other option"):
        odd = np.arange(len(frame)) % 2
        alone = frame.assign(left=np.where(odd, np.nan, 0), right=np.where(odd, 1, np.nan), choice=odd)
        search_library(read_trials(alone, block="session", offer=["left", "right"]))
