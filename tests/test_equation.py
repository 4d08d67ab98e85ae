"""Equations against a plain loop over trials: likelihood, exact derivatives, the reading as a learning rule, files."""
import json

import numpy as np
import pandas as pd
import pytest

from spice_rl.models.bandits import AgentQ
from spice_rl.core.engine import Lanes, nll
from spice_rl.core.replaying import replay_arrays
from spice_rl.discovery.equation import Equation, equation_from_dict, equation_to_dict, rescorla_wagner_equation
from spice_rl.discovery.rules import Rule, Scoring, equation_names
from spice_rl.discovery.structures import TRACE, VALUE, bandit_library
from worlds import people, rebuild


# The judge

def loop_nll(rules, latents, row, trials, who=None):
    "NLL of an equation, one trial after another, in plain Python"
    signal = dict(
        action=lambda k, c, r, v: float(k == c), reward=lambda k, c, r, v: r[k], chosen_reward=lambda k, c, r, v: r[c]
    )
    row, total = dict(row), 0.   # a series is slow to look up
    for s in range(trials.n_sessions):
        if who is not None and trials.participants[trials.session_participant[s]] != who: continue
        values = {x: np.full(trials.n_options, float(row[f"start: {x}"])) for x in latents}
        for t in range(trials.starts[s], trials.starts[s + 1]):
            c, r, offer = trials.choice[t], trials.reward[t], trials.offer[t][trials.offer[t] >= 0]
            if c < 0: continue
            x = sum(row[f"weight: {name}"] * v for name, v in values.items())[offer]
            if trials.counted[t]: total -= x[list(offer).index(c)] - x.max() - np.log(np.exp(x - x.max()).sum())
            old, get = (
                {x: v.copy() for x, v in values.items()},
                lambda kind, k: signal[kind](k, c, r, old) if kind in signal else old[kind][k],
            )
            for k in offer:
                after = {}
                for rule in rules:
                    if any(get(kind, k) != value for _, kind, value in rule.filters): continue
                    u = [old[rule.state][k], *(get(kind, k) for _, kind in rule.signals)]
                    moved = (
                        u[0]
                        if np.isnan(u).any()
                        else sum(
                            row[rule.parameter(term)] * np.prod([a**e for a, e in zip(u, term)]) for term in rule.terms
                        )
                    )
                    after[rule.state] = after.get(rule.state, 0.) + moved
                for state, v in after.items(): values[state][k] = v
    return total


def numbers(rules, latents, seed=0, size=.3):
    "Some numbers for an equation, none alike"
    rng, names = np.random.default_rng(seed), equation_names(rules, latents)
    return pd.Series(rng.normal(size=len(names)) * size, names)


CROSS = [
    Rule(
        "v_chosen",
        "v",
        (("a", "action", 1.),),
        (("r", "reward"), ("habit", "h")),
        ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (2, 0, 0), (0, 1, 1)),
    ),
    Rule("v_others", "v", (("a", "action", 0.),), (("paid", "chosen_reward"),), ((0, 0), (1, 0), (0, 1), (1, 1))),
    Rule("habit", "h", (), (("a", "action"), ("v", "v")), ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1))),
]
STRUCTURES = {
    "library": (bandit_library(), [VALUE, TRACE]),
    "cubic": (bandit_library(3, trace=False), [VALUE]),
    "cross": (CROSS, ["v", "h"]),
    "together": (
        [Rule("a", "v", (), (), ((0,), (1,))), Rule("b", "v", (("won", "reward", 1.),), (), ((0,), (1,)))],
        ["v"],
    ),
}


def offers(trials, seed=0):
    "The same trials with one of three options not on offer now and then, and some that are not counted"
    rng, offer = np.random.default_rng(seed), np.tile(np.arange(3), (trials.n_trials, 1))
    for t in np.flatnonzero((rng.random(trials.n_trials) < .4) & (trials.choice >= 0)):
        left = [k for k in range(3) if k != (trials.choice[t] + 1) % 3]
        offer[t] = [*left, -1]
    return rebuild(trials, offer=offer, counted=rng.random(trials.n_trials) < .8)


DATA = {
    "two options": lambda: people(),
    "full feedback": lambda: people(2, True),
    "offers": lambda: offers(people(3, True)),
    "points": lambda: rebuild(people(), reward=people().reward * 40 - 10),
}


@pytest.mark.parametrize(
    "data, structure",
    [
        *((d, "library") for d in DATA),
        *((d, "cross") for d in ("full feedback", "offers")),
        *((d, "cubic") for d in ("two options", "offers")),
        *((d, "together") for d in ("two options", "points")),
    ],
)
def test_likelihood_gradient_and_information(structure, data):
    """NLL as in the loop, to the last digits; its gradient as by differences of the loop; the information is that of
    the logits"""
    (rules, latents), trials = STRUCTURES[structure], DATA[data]()
    x = numbers(rules, latents)
    if data == "points": x *= .002
    equation = Equation(rules, latents, dict(x))
    truth = loop_nll(rules, latents, x, trials)
    assert nll(equation, None, trials).sum() == pytest.approx(truth, rel=1e-9)
    free = list(x.index[::2]) + [x.index[1]]   # in another order, and not all
    value, gradient, information = Scoring(rules, latents, Lanes(equation, trials).rows, free)(x.to_numpy())
    assert value == pytest.approx(truth, rel=1e-9)
    for i, name in enumerate(free):
        h = 1e-5 * max(abs(x[name]), 1e-3)
        up, down = (loop_nll(rules, latents, x.where(x.index != name, x[name] + s), trials) for s in (h, -h))
        assert gradient[i] == pytest.approx(
            (up - down) / (2 * h), rel=2e-5, abs=1e-4 * max(1, abs(gradient).max() * 1e-3)
        ), name
    assert np.allclose(information, information.T)
    assert np.linalg.eigvalsh(information).min() >= -1e-8 * np.trace(information)


def test_information_is_the_expected_outer_product():
    """With two options and fixed values, information = sum of p q (difference of slopes)²: here by the plain loop,
    for the start and the weight"""
    trials = people()
    e = Equation(bandit_library(1, trace=False), [VALUE], dict(numbers(bandit_library(1, trace=False), [VALUE])))
    rows = Lanes(e, trials).rows
    total = Scoring(e.equation_rules, [VALUE], rows, [f"weight: {VALUE}"])(e.row().to_numpy())[2][0, 0]
    w = e.row()[f"weight: {VALUE}"]
    x = replay_arrays(e, None, trials)[0]
    made = (trials.choice >= 0) & trials.counted
    d = (x[:, 0] - x[:, 1])[made]
    by_hand = (1 / (1 + np.exp(-d)) / (1 + np.exp(d)) * (d / w)**2).sum()
    assert total == pytest.approx(by_hand, rel=1e-9)


def test_people_of_their_own():
    """A row for each participant: each one's likelihood is that of the loop with their own numbers; held ones and
    parameters alike"""
    trials, (rules, latents) = people(), STRUCTURES["library"]
    frame = pd.DataFrame([numbers(rules, latents, s) for s in range(3)], ["ann", "bob", "cem"])
    frame[f"weight: {VALUE}"] = 1.
    e = Equation(rules, latents, frame, held=[f"weight: {VALUE}"])
    assert f"weight: {VALUE}" not in e.params and len(e.params) == len(frame.columns) - 1
    for who in frame.index:
        assert nll(e, None, trials)[who] == pytest.approx(
            loop_nll(rules, latents, frame.loc[who], trials, who), rel=1e-9
        )


# What cannot be an equation

def two():
    frame = pd.concat([rescorla_wagner_equation(.3, 3).coefficients, rescorla_wagner_equation(.5, 2).coefficients])
    return frame.set_axis(["ann", "bob"])


RW = rescorla_wagner_equation(.3, 3)


@pytest.mark.parametrize("options, said", [
    (dict(held=["nope"]), "unknown parameter to be held 'nope'"),
    (dict(held=[f"{VALUE}_chosen: 1"]), f"'{VALUE}_chosen: 1' cannot be held: it differs between participants"),
    (dict(bounds={"nope": (0, 1)}), "unknown .*'nope'"),
    (dict(covariance=[]), "covariance .*each of the 2 rows.* got 0"),
    (dict(covariance=[pd.DataFrame()]), "covariance .*each of the 2 rows.* got 1"),
])
def test_what_cannot_be(options, said):
    with pytest.raises(ValueError, match=said): Equation(RW.equation_rules, RW.state, two(), **options)


def test_one_row_for_each():
    with pytest.raises(ValueError, match="two rows .*'ann'"):
        Equation(RW.equation_rules, RW.state, two().set_axis(["ann", "ann"]))


@pytest.mark.parametrize("rule, said", [
    (Rule("m", "other", (), (), ((0,),)), "'m' .*'other'.* latent values: v"),
    (Rule("m", "v", (), (("s", "nothing"),), ((0, 0),)), "'m' .*'nothing'.*action, reward, chosen_reward.*v"),
    (Rule("m", "v", (("s", "nothing", 1.),), (), ((0,),)), "'m' .*'nothing'"),
    (Rule("m", "v", (), (("s", "reward"),), ((0,),)), r"'m' .*\(0,\).*2 exponents"),
])
def test_rules_that_cannot_be(rule, said):
    c = {"start: v": 0., "weight: v": 1.} | {rule.parameter(t): 1. for t in rule.terms}
    with pytest.raises(ValueError, match=said): Equation([rule], ["v"], c)


def test_rules_of_one_name():
    rule = Rule("m", "v", (), (), ((0,),))
    with pytest.raises(ValueError, match="two .*'m: 1'"):
        Equation([rule, rule], ["v"], {"start: v": 0., "weight: v": 1., "m: 1": 1.})


@pytest.mark.parametrize("who", ["zoe", 0])
def test_nobody_of_that_name(who):
    for frame in (two(), two().iloc[:1]):
        e = Equation(RW.equation_rules, RW.state, frame)
        for ask in (e.row, e.as_rl, e.text, e.terms): 
            with pytest.raises(ValueError, match=f"knows nothing of participant {who!r}"): ask(who)


# Read as a learning rule

def equation_of(alpha, beta, *, penalty=None, forget=0., toward=.5, trace=None, cf=None, start=.5, shift=0., weight=1.):
    "AgentQ as an equation by hand: V = (beta Q + shift) / weight, with the trace and counterfactual learning in logits"
    penalty = alpha if penalty is None else penalty
    at = lambda q: (beta * q + shift) / weight
    rules = [Rule("chosen", "v", (("a", "action", 1.),), (("r", "reward"),), ((0, 0), (1, 0), (0, 1), (1, 1)))]
    won, lost = alpha * at(1), penalty * at(0)
    c = {
        "start: v": at(start),
        "weight: v": weight,
        "chosen: 1": lost,
        "chosen: chosen": 1 - penalty,
        "chosen: r": won - lost,
        "chosen: chosen r": penalty - alpha,
    }
    if cf is not None:
        rules.append(Rule("others", "v", (("a", "action", 0.),), (("r", "reward"),), ((0, 0), (1, 0), (0, 1))))
        c |= {"others: 1": cf * at(0), "others: others": 1 - cf, "others: r": cf * (at(1) - at(0))}
    elif forget:
        rules.append(Rule("others", "v", (("a", "action", 0.),), (), ((0,), (1,))))
        c |= {"others: 1": forget * at(toward), "others: others": 1 - forget}
    if trace:
        rules.append(Rule("trace", "h", (), (("a", "action"),), ((0, 0), (1, 0), (0, 1))))
        c |= {
            "start: h": 0.,
            "weight: h": 1.,
            "trace: 1": 0.,
            "trace: trace": 1 - trace[0],
            "trace: a": trace[0] * trace[1],
        }
    latents = ["v", "h"] if trace else ["v"]
    return Equation(rules, latents, {n: c[n] for n in equation_names(rules, latents)})


KNOWN = {
    "Rescorla-Wagner": (dict(alpha=.3, beta=3.), dict(alpha_reward=.3)),
    "Rescorla-Wagner with separate learning rates for reward and penalty": (
        dict(alpha=.6, beta=2., penalty=.2),
        dict(alpha_reward=.6, alpha_penalty=.2, beta_reward=2.),
    ),
    "Rescorla-Wagner with forgetting": (dict(alpha=.3, beta=3., forget=.2), dict(alpha_reward=.3, forget_rate=.2)),
    "Rescorla-Wagner with choice perseveration": (
        dict(alpha=.3, beta=3., trace=(.5, 1.)),
        dict(alpha_reward=.3, beta_choice=1., alpha_choice=.5),
    ),
    "Rescorla-Wagner with counterfactual learning": (
        dict(alpha=.3, beta=3., cf=.1),
        dict(alpha_reward=.3, alpha_counterfactual_reward=.1, alpha_counterfactual_penalty=.1),
    ),
    "Rescorla-Wagner with separate learning rates for reward and penalty, forgetting and choice perseveration": (
        dict(alpha=.5, beta=4., penalty=.1, forget=.3, trace=(1., .7)),
        dict(alpha_reward=.5, alpha_penalty=.1, beta_reward=4., forget_rate=.3, beta_choice=.7, alpha_choice=1.),
    ),
}
AS_AGENT = dict(
    alpha="alpha_reward",
    alpha_reward="alpha_reward",
    alpha_penalty="alpha_penalty",
    beta="beta_reward",
    forget_rate="forget_rate",
    alpha_choice="alpha_choice",
    beta_choice="beta_choice",
    alpha_counterfactual="alpha_counterfactual_reward",
)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize(
    "convention", [dict(), dict(shift=-1.3), dict(shift=.4, weight=3.)], ids=["plain", "shifted", "weighed"]
)
def test_a_known_rule_is_read(name, convention):
    """As AgentQ says it: the numbers read are the agent's, and an agent with the numbers read chooses as the
    equation does"""
    how, agent = KNOWN[name]
    e, trials = equation_of(**how, **convention), people(2, "cf" in how)
    assert nll(e, None, trials).to_numpy() == pytest.approx(nll(AgentQ(**agent), None, trials).to_numpy(), rel=1e-9)
    reading = e.as_rl()
    assert reading.name == name and reading.obstacles == ()
    read = {AS_AGENT[k]: v for k, v in reading.parameters.value.items() if k in AS_AGENT}
    if "cf" in how: read["alpha_counterfactual_penalty"] = read["alpha_counterfactual_reward"]
    assert read == pytest.approx({k: v for k, v in AgentQ(**agent).values.items() if k in read}, abs=1e-9)
    assert nll(AgentQ(**read), None, trials).to_numpy() == pytest.approx(nll(e, None, trials).to_numpy(), rel=1e-9)
    assert reading.parameters.value["Q at the start"] == pytest.approx(.5)
    if "forget" in how: assert reading.parameters.value["forgets toward"] == pytest.approx(.5)


def test_other_values_forgotten_at_once():
    """A rule without terms says V' = 0: that is forgetting with rate 1, toward the Q at which V is 0, not plain
    Rescorla-Wagner"""
    rules = [
        Rule("chosen", "v", (("a", "action", 1.),), (("r", "reward"),), ((0, 0), (1, 0), (0, 1))),
        Rule("others", "v", (("a", "action", 0.),), (), ()),
    ]
    e = Equation(
        rules, ["v"], {"start: v": 0., "weight: v": 1., "chosen: 1": -.45, "chosen: chosen": .7, "chosen: r": .9}
    )
    agent = AgentQ(alpha_reward=.3, forget_rate=1.)
    assert nll(e, None, people()).to_numpy() == pytest.approx(nll(agent, None, people()).to_numpy(), rel=1e-9)
    reading = e.as_rl()
    assert reading.name == "Rescorla-Wagner with forgetting"
    assert dict(reading.parameters.value) == pytest.approx(
        {"alpha": .3, "beta": 3., "Q at the start": .5, "forget_rate": 1., "forgets toward": .5}
    )


def test_values_that_are_not_learned_from_themselves():
    "The same where the term is there with 0"
    rules = [Rule("chosen", "v", (("a", "action", 1.),), (("r", "reward"),), ((0, 0), (1, 0), (0, 1)))]
    e = Equation(
        rules, ["v"], {"start: v": 1.5, "weight: v": 1., "chosen: 1": 0., "chosen: chosen": 0., "chosen: r": 3.}
    )
    assert dict(e.as_rl().parameters.value) == pytest.approx({"alpha": 1., "beta": 3., "Q at the start": .5})


@pytest.mark.parametrize("low, high", [(-1., 1.), (0., 100.), (2., 5.)])
def test_rates_for_other_payments(low, high):
    "Rewards are not 0 and 1: the rates are those at what is paid, beta per unit of reward"
    won, lost, beta, shift = .6, .2, 3. / (high - low), .7
    at = lambda q: beta * q + shift
    # V' = V + rate (beta r + shift - V) at both rewards: linear in r
    c1 = (won * at(high) - lost * at(low)) / (high - low)
    cv1 = -(won - lost) / (high - low)
    rules = [Rule("chosen", "v", (("a", "action", 1.),), (("r", "reward"),), ((0, 0), (1, 0), (0, 1), (1, 1)))]
    e = Equation(
        rules,
        ["v"],
        {
            "start: v": at(low),
            "weight: v": 1.,
            "chosen: 1": lost * at(low) - c1 * low,
            "chosen: chosen": 1 - lost - cv1 * low,
            "chosen: r": c1,
            "chosen: chosen r": cv1,
        },
    )
    reading = e.as_rl(rewards=(low, high))
    assert dict(reading.parameters.value) == pytest.approx(
        {"alpha_reward": won, "alpha_penalty": lost, "beta": beta, "Q at the start": low}
    )
    many = e.as_rl(rewards=(low, (low + high) / 2, high))
    assert many.name == "" and "chosen: chosen r" in "; ".join(many.obstacles)


def test_counterfactual_learning_toward_something_else():
    "What is learned of the options not chosen has its own zero: the reading tells it, or it would not be the equation"
    e = equation_of(.3, 3., cf=.1)
    moved = Equation(e.equation_rules, e.state, dict(e.row()) | {"others: 1": e.row()["others: 1"] + .06})
    assert not e.as_rl().parameters.value.round(9).equals(moved.as_rl().parameters.value.round(9))


@pytest.mark.parametrize(
    "change, said",
    [
        ({"chosen: chosen": 1.2}, "alpha would be -0.2, outside"),
        ({"chosen: r": -0.9}, "beta would be -3, not above 0"),
        ({"chosen: chosen": -0.5}, "alpha would be 1.5"),
    ],
)
def test_what_stands_in_the_way(change, said):
    c = dict(equation_of(.3, 3.).row()) | {"chosen: chosen r": 0.} | change
    reading = Equation(equation_of(.3, 3.).equation_rules, ["v"], c).as_rl()
    assert reading.name == "" and said in "; ".join(reading.obstacles) and said in repr(reading)


def test_errors_of_what_is_read():
    "By the delta method: against the spread of what is read from drawn coefficients"
    e = equation_of(.5, 3., penalty=.2, forget=.3)
    names = [n for n in e.params if not n.startswith("weight")]
    rng = np.random.default_rng(0)
    a = rng.normal(size=(len(names), len(names))) * 2e-3
    covariance = pd.DataFrame(a @ a.T, names, names)
    told = Equation(e.equation_rules, e.state, e.coefficients, covariance=[covariance]).as_rl().parameters
    drawn = []
    for x in rng.multivariate_normal(e.row()[names], covariance, 400):
        drawn.append(Equation(e.equation_rules, e.state, dict(e.row()) | dict(zip(names, x))).as_rl().parameters.value)
    assert told.se.to_numpy() == pytest.approx(pd.DataFrame(drawn).std().to_numpy(), rel=.12)


# As sympy, as a file

def test_sympy_says_the_same():
    sympy = pytest.importorskip("sympy")
    e = Equation(*STRUCTURES["cross"], dict(numbers(*STRUCTURES["cross"])))
    said = e.to_sympy()
    assert list(said) == [r.module for r in CROSS]
    value = said["v_chosen"].rhs.subs(dict(v=.3, r=1., habit=-.2))
    c, (v, r, h) = e.row(), (.3, 1., -.2)
    u = [c[CROSS[0].parameter(t)] * v**t[0] * r**t[1] * h**t[2] for t in CROSS[0].terms]
    assert float(value) == pytest.approx(sum(u), rel=1e-12) and str(said["v_chosen"].lhs) == "v_next"


def test_saved_and_read_back():
    frame = two()
    covariance = [pd.DataFrame([[.01]], [f"{VALUE}_chosen: 1"], [f"{VALUE}_chosen: 1"]), pd.DataFrame()]
    e = Equation(
        RW.equation_rules,
        RW.state,
        frame,
        held=[f"weight: {VALUE}"],
        bounds={f"{VALUE}_chosen: 1": (-5, np.inf)},
        covariance=covariance,
    )
    back = equation_from_dict(json.loads(json.dumps(equation_to_dict(e))))
    pd.testing.assert_frame_equal(back.coefficients, e.coefficients)
    assert back.held == e.held and back.bounds == e.bounds and list(back.params.items()) == list(e.params.items())
    assert back.as_rl("ann").parameters.equals(e.as_rl("ann").parameters)
    assert repr(back.as_rl("bob")) == repr(e.as_rl("bob"))
    assert back.equation_rules == e.equation_rules and np.array_equal(back.structure, e.structure)


@pytest.mark.parametrize("labels", [["ann", "bob"], [3, 7], [np.int64(3), np.int64(7)], [.5, 1.5]])
def test_labels_survive(labels):
    e = Equation(RW.equation_rules, RW.state, two().set_axis(labels))
    back = equation_from_dict(json.loads(json.dumps(equation_to_dict(e))))
    assert list(back.coefficients.index) == list(labels)
    assert back.as_rl(labels[1]).parameters.value["alpha"] == pytest.approx(.5)


# What cannot be

@pytest.mark.parametrize("exponent", [1.5, -2, True, "2", None, float("nan")])
def test_exponents_are_whole_numbers_from_0(exponent):
    "An exponent of 1.5 or -2 was printed, and something else was computed"
    with pytest.raises(
        (TypeError, ValueError), match="each exponent of the rule 'm' must be a whole number of at least 0"
    ):
        Rule("m", "v", (), (("r", "reward"),), ((0, 0), (1, exponent)))
    assert Rule("m", "v", (), (("r", "reward"),), [[0, 0.], (1, np.int64(2))]).terms == ((0, 0), (1, 2))


@pytest.mark.parametrize(
    "make, kind, said",
    [
        (lambda: Equation(None, None, None), TypeError, "equation_rules must be a list of Rules, got NoneType"),
        (lambda: Equation([], None, {}), TypeError, "latents must be a list"),
        (lambda: Equation([], ["v"], [1, 2]), TypeError, "coefficients must be a dict, or a frame"),
        (lambda: Equation([], ["v"], {}), ValueError, "coefficients must have exactly the columns"),
        (
            lambda: Equation([], ["v"], {"start: v": "x", "weight: v": 1.}),
            TypeError,
            "the coefficient 'start: v' of 'everybody' must be a number, got 'x'",
        ),
        (
            lambda: Equation([], ["v"], {"start: v": 0., "weight: v": float("nan")}),
            ValueError,
            "the coefficient 'weight: v' of 'everybody' must be a finite number",
        ),
        (
            lambda: Equation([], ["v"], {"start: v": 0., "weight: v": 1.}, bounds=[(0, 1)]),
            TypeError,
            "bounds must be a dict",
        ),
        (lambda: rescorla_wagner_equation("a", 1), TypeError, "alpha must be a number, got 'a'"),
        (lambda: rescorla_wagner_equation(.3, float("inf")), ValueError, "beta must be a finite number"),
        (lambda: rescorla_wagner_equation(.3, 3, forget="x"), TypeError, "forget must be a number"),
        (lambda: Rule("m", "v", "x", (), ()), TypeError, "filters of the rule 'm' must be a list"),
        (
            lambda: Rule("m", "v", (("a", "action"),), (), ()),
            ValueError,
            "each of the filters of the rule 'm' has 3 parts",
        ),
        (lambda: Rule("m", "v", (), (), ((0,),), ("x",)), TypeError, "in `fixed` of the rule 'm' must be a number"),
    ],
)
def test_wrong_calls(make, kind, said):
    with pytest.raises(kind, match=said): make()


def test_rewards_on_which_it_was_found_are_those_of_the_rates():
    "Two rates in rewards of -1 and 1, written as an equation and read back, also after a file."
    alpha, beta, plus, minus = .6, .2, 1., -1.   # value moves by alpha after 1, by beta after -1
    rate, more = (alpha + beta) / 2, (alpha - beta) / 2
    rule = Rule("x_value_reward_chosen", "x_value_reward", filters=(("c_action", "action", 1.),),
                signals=(("c_reward", "reward"),), terms=((1, 0), (0, 0), (0, 1), (1, 1)))
    numbers = {rule.parameter(t): c for t, c in zip(rule.terms, (1 - rate, more, rate, -more))}
    start = {"start: x_value_reward": 0., "weight: x_value_reward": 1.}
    equation = Equation([rule], ["x_value_reward"], numbers | start)
    equation.rewards = minus, plus
    for e in (equation, equation_from_dict(equation_to_dict(equation))):
        read = e.as_rl().parameters.value
        assert read.alpha_reward == pytest.approx(alpha)
        assert read.alpha_penalty == pytest.approx(beta)
    with pytest.raises(ValueError, match="rewards must be the values"): equation.as_rl(rewards=5)
    with pytest.raises(TypeError, match="each of rewards must be a number, got 'a'"): equation.as_rl(rewards=["a"])


def test_latex_says_what_text_says_of_the_logits():
    equation = rescorla_wagner_equation(.3, 2.)
    double = Equation(
        equation.equation_rules, equation.state, equation.row().to_dict() | {"weight: x_value_reward": 2.}
    )
    assert "logit" not in equation.latex()
    assert r"\operatorname{logit} &= 2.000\," in double.latex()
