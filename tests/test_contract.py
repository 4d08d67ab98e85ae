"""The wide contract: cells that see, do or get more than options, choices and rewards; each judged by a plain numpy likelihood."""
import re

import numpy as np
import pandas as pd
import pytest

from spice_rl import fit, gradient, hessian, nll, parameter_recovery, play, read_trials, replay, simulate_like
from spice_rl.cell import Cell, make_trial
from spice_rl.data import Trials
from spice_rl.engine import Lanes
from spice_rl.params import Param


class Hyperbolic(Cell):
    "Delay discounting (Mazur, 1987): nothing is learned, so there is no state, `init` or `update`"
    params = dict(k=Param(.05, 0, 1), beta=Param(1, 0, 10))
    sees = "amount", "delay"
    def logit(p, state, trial, option): return p.beta * trial.amount[option] / (1 + p.k * trial.delay[option])


def offers(people=6, n=80, seed=0, **more):
    rng = np.random.default_rng(seed)
    shape = people * n, 2
    columns = dict(amount=rng.uniform(1, 6, shape), delay=rng.choice([0, 1, 3, 7, 20], shape))
    return Trials.from_arrays(rng.integers(0, 2, shape[0]), participant=np.repeat([f"p{i}" for i in range(people)], n), sees=columns, **more)


OFFERS = offers()


def softmax_nll(x, choice): return np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)) + x.max(1) - x[np.arange(len(x)), choice]


def by_person(each, trials): return np.bincount(trials.participant, each, trials.n_participants)


# sees

def test_delay_discounting_equals_numpy():
    for k, beta in ((.05, 1.), (0, 10), (.9, .3)):
        x = beta * OFFERS.columns["amount"] / (1 + k * OFFERS.columns["delay"])
        np.testing.assert_allclose(nll(Hyperbolic(), dict(k=k, beta=beta), OFFERS), by_person(softmax_nll(x, OFFERS.choice), OFFERS), rtol=1e-12)


def test_derivatives_are_those_of_the_formula():
    a, d, c = OFFERS.columns["amount"], OFFERS.columns["delay"], OFFERS.choice
    k, beta = .05, 1.
    def total(k, beta): return by_person(softmax_nll(beta * a / (1 + k * d), c), OFFERS)
    h = 1e-5
    slope = np.c_[total(k + h, beta) - total(k - h, beta), total(k, beta + h) - total(k, beta - h)] / (2 * h)
    np.testing.assert_allclose(gradient(Hyperbolic(), None, OFFERS), slope, rtol=1e-6)
    p = np.exp(beta * a / (1 + k * d)); p /= p.sum(1, keepdims=True)
    dx = np.stack([-beta * a * d / (1 + k * d)**2, a / (1 + k * d)], 1)                # (trial, parameter, option)
    centred = dx - (p[:, None] * dx).sum(2, keepdims=True)
    each = np.einsum("to,tio,tjo->tij", p, centred, centred)
    expected = np.stack([each[OFFERS.participant == i].sum(0) for i in range(6)])
    information = Lanes(Hyperbolic(), OFFERS).scoring(np.tile([k, beta], (6, 1)), np.arange(6))[2]
    np.testing.assert_allclose(information, expected, rtol=1e-3)   # one-sided differences
    curved = hessian(Hyperbolic(), None, OFFERS)
    bent = (total(k, beta + 1e-3) - 2 * total(k, beta) + total(k, beta - 1e-3)) / 1e-6
    np.testing.assert_allclose(curved[:, 1, 1], bent, rtol=1e-4)


def test_discounting_is_recovered():
    made = simulate_like(Hyperbolic(), OFFERS, dict(k=.1, beta=1.), seed=3)
    assert made.columns.keys() == OFFERS.columns.keys() and made.participants == OFFERS.participants
    p = replay(Hyperbolic(), made, dict(k=.1, beta=1.))[["p_0", "p_1"]].to_numpy()
    hit = made.choice == np.arange(2)[:, None]
    assert (abs((hit.T - p).sum(0)) < 4 * np.sqrt((p * (1 - p)).sum(0))).all()
    found = fit(Hyperbolic(), made)
    better = nll(Hyperbolic(), dict(k=.1, beta=1.), made) - found.nll          # twice this is a χ² of two degrees of freedom
    assert (better > -1e-6).all() and better.sum() < 20
    got = parameter_recovery(Hyperbolic(), offers(n=250), people=40, bounds=dict(k=(0, .3), beta=(.5, 3)), seed=1)
    assert (got.summary().r > .85).all() and (got.summary().coverage > .85).all()


def test_an_unseen_column_is_named():
    class Undeclared(Hyperbolic):
        sees = "amount"
    with pytest.raises(AttributeError, match=re.escape("the rule logit of Undeclared reads trial.delay, which the class does not name: a trial has options, choice, reward, context, amount")):
        nll(Undeclared(), None, OFFERS)
    class Narrow(Cell):
        params = dict(beta=Param(1., 0, 2))
        def logit(p, state, trial, option): return p.beta * trial.size[option]
    with pytest.raises(AttributeError, match="reads trial.size, which the class does not name"): nll(Narrow(), None, OFFERS)


def test_a_lacking_column_is_named():
    bare = Trials.from_arrays(OFFERS.choice, sees=dict(amount=OFFERS.columns["amount"]))
    with pytest.raises(ValueError, match=re.escape("Hyperbolic sees 'delay', which these trials lack (they have amount); name the column where they are read: read_trials(…, sees=dict(delay=")):
        nll(Hyperbolic(), None, bare)
    with pytest.raises(ValueError, match="they have no columns besides choices and rewards"): nll(Hyperbolic(), None, Trials.from_arrays(OFFERS.choice))


def test_a_hole_is_found_where_somebody_answered():
    amount = OFFERS.columns["amount"].copy()
    amount[85, 1] = np.nan
    def with_(choice): return Trials.from_arrays(choice, participant=np.repeat(range(6), 80), sees=dict(amount=amount, delay=OFFERS.columns["delay"]))
    with pytest.raises(ValueError, match=re.escape("amount is missing at trial 5 of participant 1, where an answer was made (1 such trials)")): nll(Hyperbolic(), None, with_(OFFERS.choice))
    there = np.arange(480) != 85
    left_out = offers()
    gone = nll(Hyperbolic(), None, with_(np.where(there, OFFERS.choice, -1)))
    x = .5 * 0 + OFFERS.columns["amount"] / (1 + .05 * OFFERS.columns["delay"])
    np.testing.assert_allclose(gone, by_person(softmax_nll(x, OFFERS.choice) * there, left_out), rtol=1e-12)


def test_what_is_not_on_offer_need_not_be_seen():
    rng = np.random.default_rng(0)
    offer = np.array([rng.permutation(3)[:2] for _ in range(60)])
    choice, amount = offer[np.arange(60), rng.integers(0, 2, 60)], rng.uniform(1, 9, (60, 3))
    full = Trials.from_arrays(choice, offer=offer, options=range(3), sees=dict(amount=amount, delay=0 * amount))
    holes = np.full_like(amount, np.nan)
    np.put_along_axis(holes, offer, np.take_along_axis(amount, offer, 1), 1)
    fewer = Trials.from_arrays(choice, offer=offer, options=range(3), sees=dict(amount=holes, delay=0 * holes))
    expected = softmax_nll(np.take_along_axis(amount, offer, 1), (offer == choice[:, None]).argmax(1)).sum()
    assert nll(Hyperbolic(), None, fewer).sum() == pytest.approx(expected, rel=1e-12)
    assert nll(Hyperbolic(), None, full).sum() == pytest.approx(expected, rel=1e-12)


def test_columns_are_carried_without_loss(tmp_path):
    t = Trials.from_arrays([0, 1, 1, 0, -1, 1, 0, 1], [1, 0, 1, 0, np.nan, 1, 0, 1], participant=list("aaaabbbb"), session=[0, 0, 1, 1, 0, 0, 1, 1],
                           sees=dict(size=np.arange(16.).reshape(8, 2), cue=np.arange(8)), does=dict(rt=[.3, np.nan, 1, 2, 3, 4, 5, 6]), gets=dict(loss=-np.arange(8.)))
    assert t.does == ("choice", "rt") and t.n_counted == 6
    rows = np.concatenate([np.flatnonzero(t.participant == i) for i in (1, 0)])
    swapped = Trials.concat([t.take("b"), t.take("a")])
    for name, x in t.columns.items(): np.testing.assert_array_equal(swapped.columns[name], x[rows])
    for part in (*t.split_time(.5), *t.split_sessions(.5, seed=1), *t.split_participants(.5, seed=1)):
        number = part.columns["cue"].astype(int)        # which trial this was
        assert part.does == t.does
        for name, x in t.columns.items(): np.testing.assert_array_equal(part.columns[name], x[number])
    t.to_frame().to_csv(tmp_path / "t.csv", index=False)
    again = read_trials(tmp_path / "t.csv", block="session", does="rt", gets="loss", sees=dict(size=["size_0", "size_1"], cue="cue"))
    for name, x in t.columns.items(): np.testing.assert_array_equal(again.columns[name], x)
    assert t.equals(t.take(["a", "b"])) and t.equals(again) and not t.equals(swapped)
    with pytest.warns(UserWarning, match="left out: size, cue, rt, loss"): t.to_dataset()


def test_callers_columns_stay():
    size = np.arange(8.)
    t = Trials.from_arrays([0, 1] * 4, sees=dict(size=size))
    assert size.flags.writeable and not t.columns["size"].flags.writeable
    class Scribbler(Cell):
        sees = "size"
        params = dict(beta=Param(1., 0, 2))
        def logit(p, state, trial, option):
            trial.reward[0] = 1
            return p.beta
    with pytest.raises(ValueError, match="a rule of Scribbler writes where it may only read"): nll(Scribbler(), None, t)


# Names

@pytest.mark.parametrize("body, message", [
    (dict(sees=("context",)), "names 'context', which every trial has"),
    (dict(sees=("a", "a")), "names 'a' twice"),
    (dict(sees=("a",), gets=("a",)), "names 'a' twice"),
    (dict(sees=("a b",)), "cannot have 'a b' as a name"),
    (dict(does=()), "does of Odd is empty"),
    (dict(state=dict(q=0)), "the latent value q of Odd has the shape 0"),
    (dict(state=dict(q="option")), "has the shape 'option'; needed 'options'"),
    (dict(updat=lambda p, state, trial: None), "has 'updat', which is no rule: is it 'update'?"),
    (dict(response=lambda p, state, trial: None, logits=lambda p, state, trial: None), "says in two ways how likely an answer is"),
])
def test_a_class_that_cannot_be(body, message):
    with pytest.raises(ValueError, match=re.escape(message)): type("Odd", (Cell,), body)


def test_rules_that_lack():
    class Alone(Cell):
        does = "rating"
        def log_likelihood(p, state, trial): return 0.
    class Mute(Cell):
        does = "rating"
    with pytest.raises(TypeError, match=re.escape("Alone lacks the rule sample(p, state, trial, rng)")): Alone()
    with pytest.raises(TypeError, match=re.escape("Mute lacks the rule response(p, state, trial), or log_likelihood and sample, for rating")): Mute()
