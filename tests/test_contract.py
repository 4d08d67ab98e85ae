"""The wide contract: cells that see, do or get more than options, choices and rewards; each judged by a plain numpy
likelihood."""
import re

import numpy as np
import pandas as pd
import pytest

from spice_rl import fit, gradient, hessian, nll, parameter_recovery, play, read_trials, replay, simulate_like
from spice_rl.core.cell import Cell, make_trial
from spice_rl.core.data import Trials
from spice_rl.core.engine import Lanes
from spice_rl.core.jit import njit
from spice_rl.core.params import Param
from wide_cells import DiffusionQ, Hyperbolic, Rating


def offers(people=6, n=80, seed=0, **more):
    rng = np.random.default_rng(seed)
    shape = people * n, 2
    columns = dict(amount=rng.uniform(1, 6, shape), delay=rng.choice([0, 1, 3, 7, 20], shape))
    return Trials.from_arrays(
        rng.integers(0, 2, shape[0]), participant=np.repeat([f"p{i}" for i in range(people)], n), sees=columns, **more
    )


OFFERS = offers()


def softmax_nll(x, choice):
    return np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)) + x.max(1) - x[np.arange(len(x)), choice]


def by_person(each, trials): return np.bincount(trials.participant, each, trials.n_participants)


# sees

def test_delay_discounting_equals_numpy():
    for k, beta in ((.05, 1.), (0, 10), (.9, .3)):
        x = beta * OFFERS.columns["amount"] / (1 + k * OFFERS.columns["delay"])
        np.testing.assert_allclose(
            nll(Hyperbolic(), dict(k=k, beta=beta), OFFERS),
            by_person(softmax_nll(x, OFFERS.choice), OFFERS),
            rtol=1e-12,
        )


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
    # twice this is a χ² of two degrees of freedom
    better = nll(Hyperbolic(), dict(k=.1, beta=1.), made) - found.nll
    assert (better > -1e-6).all() and better.sum() < 20
    got = parameter_recovery(Hyperbolic(), offers(n=250), people=40, bounds=dict(k=(0, .3), beta=(.5, 3)), seed=1)
    assert (got.summary().r > .85).all() and (got.summary().coverage > .85).all()


def test_an_unseen_column_is_named():
    class Undeclared(Hyperbolic):
        sees = "amount"
    with pytest.raises(
        AttributeError,
        match=re.escape(
            "the rule logit of Undeclared reads trial.delay, which the class does not name: a trial has options, "
            "choice, reward, context, amount"
        ),
    ):
        nll(Undeclared(), None, OFFERS)
    class Narrow(Cell):
        params = dict(beta=Param(1., 0, 2))
        def logit(p, state, trial, option): return p.beta * trial.size[option]
    with pytest.raises(AttributeError, match="reads trial.size, which the class does not name"):
        nll(Narrow(), None, OFFERS)


def test_a_lacking_column_is_named():
    bare = Trials.from_arrays(OFFERS.choice, sees=dict(amount=OFFERS.columns["amount"]))
    with pytest.raises(
        ValueError,
        match=re.escape(
            "Hyperbolic sees 'delay', which these trials lack (they have amount); name the column where they are read: "
            "read_trials(…, sees=dict(delay="
        ),
    ):
        nll(Hyperbolic(), None, bare)
    with pytest.raises(ValueError, match="they have no columns besides choices and rewards"):
        nll(Hyperbolic(), None, Trials.from_arrays(OFFERS.choice))


def test_a_hole_is_found_where_somebody_answered():
    amount = OFFERS.columns["amount"].copy()
    amount[85, 1] = np.nan
    def with_(choice):
        return Trials.from_arrays(
            choice, participant=np.repeat(range(6), 80), sees=dict(amount=amount, delay=OFFERS.columns["delay"])
        )
    with pytest.raises(
        ValueError,
        match=re.escape("amount is missing at trial 5 of participant 1, where an answer was made (1 such trials)"),
    ):
        nll(Hyperbolic(), None, with_(OFFERS.choice))
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
    t = Trials.from_arrays(
        [0, 1, 1, 0, -1, 1, 0, 1],
        [1, 0, 1, 0, np.nan, 1, 0, 1],
        participant=list("aaaabbbb"),
        session=[0, 0, 1, 1, 0, 0, 1, 1],
        sees=dict(size=np.arange(16.).reshape(8, 2), cue=np.arange(8)),
        does=dict(rt=[.3, np.nan, 1, 2, 3, 4, 5, 6]),
        gets=dict(loss=-np.arange(8.)),
    )
    assert t.does == ("choice", "rt") and t.n_counted == 6
    rows = np.concatenate([np.flatnonzero(t.participant == i) for i in (1, 0)])
    swapped = Trials.concat([t.take("b"), t.take("a")])
    for name, x in t.columns.items(): np.testing.assert_array_equal(swapped.columns[name], x[rows])
    for part in (*t.split_time(.5), *t.split_sessions(.5, seed=1), *t.split_participants(.5, seed=1)):
        number = part.columns["cue"].astype(int)        # which trial this was
        assert part.does == t.does
        for name, x in t.columns.items(): np.testing.assert_array_equal(part.columns[name], x[number])
    t.to_frame().to_csv(tmp_path / "t.csv", index=False)
    again = read_trials(
        tmp_path / "t.csv", block="session", does="rt", gets="loss", sees=dict(size=["size_0", "size_1"], cue="cue")
    )
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

@pytest.mark.parametrize(
    "body, message",
    [
        (dict(sees=("context",)), "names 'context', which every trial has"),
        (dict(sees=("a", "a")), "names 'a' twice"),
        (dict(sees=("a",), gets=("a",)), "names 'a' twice"),
        (dict(sees=("a b",)), "cannot have 'a b' as a name"),
        (dict(does=()), "does of Odd is empty"),
        (dict(state=dict(q=0)), "the latent value q of Odd has the shape 0"),
        (dict(state=dict(q="option")), "has the shape 'option'; needed 'options'"),
        (dict(updat=lambda p, state, trial: None), "has 'updat', which is no rule: is it 'update'?"),
        (
            dict(response=lambda p, state, trial: None, logits=lambda p, state, trial: None),
            "says in two ways how likely an answer is",
        ),
    ],
)
def test_a_class_that_cannot_be(body, message):
    with pytest.raises(ValueError, match=re.escape(message)): type("Odd", (Cell,), body)


def test_rules_that_lack():
    class Alone(Cell):
        does = "rating"
        def log_likelihood(p, state, trial): return 0.
    class Mute(Cell):
        does = "rating"
    with pytest.raises(TypeError, match=re.escape("Alone lacks the rule sample(p, state, trial, rng)")): Alone()
    with pytest.raises(
        TypeError,
        match=re.escape("Mute lacks the rule response(p, state, trial), or log_likelihood and sample, for rating"),
    ):
        Mute()


# state of any shape, does, gets: each kind of answer beside a plain numpy likelihood

# noqa: E402
from spice_rl.core.density import LBA, LogNormal, Normal, Poisson, VonMises, Wiener, draw_answer, log_density
from spice_rl.core.density import mean_answer
from spice_rl.core.replaying import latent_names  # noqa: E402

RNG = np.random.default_rng(8)
PEOPLE, N = 4, 60
WHO = np.repeat(range(PEOPLE), N)
OUTCOME = np.round(RNG.normal(55, 12, PEOPLE * N))


class OwnRating(Rating):
    "The same by `log_likelihood` and `sample`"
    def log_likelihood(p, state, trial):
        z = (trial.rating - state.mean[0]) / p.sd
        return -.5 * z * z - np.log(p.sd) - .5 * np.log(2 * np.pi)
    def sample(p, state, trial, rng): return rng.normal(state.mean[0], p.sd)


def ratings(rating=None, **more):
    rating = OUTCOME[RNG.permutation(len(OUTCOME))] if rating is None else rating
    return Trials.from_arrays(
        participant=WHO, does=dict(rating=rating), gets=dict(outcome=more.pop("outcome", OUTCOME)), **more
    )


def rating_nll(alpha, sd, trials, counted=True):
    out = np.zeros(trials.n_participants)
    for s in range(trials.n_sessions):
        mean = 50.
        for t in range(trials.starts[s], trials.starts[s + 1]):
            y, x = trials.columns["rating"][t], trials.columns["outcome"][t]
            if np.isnan(y): continue
            if trials.counted[t]:
                out[trials.participant[t]] += .5 * ((y - mean) / sd) ** 2 + np.log(sd) + .5 * np.log(2 * np.pi)
            if not np.isnan(x): mean += alpha * (x - mean)
    return out


@pytest.mark.parametrize("cell", [Rating(), OwnRating()], ids=lambda c: type(c).__name__)
def test_ratings_equal_numpy(cell):
    t = ratings()
    for alpha, sd in ((.3, 8.), (0, .5), (1, 40)):
        np.testing.assert_allclose(nll(cell, dict(alpha=alpha, sd=sd), t), rating_nll(alpha, sd, t), rtol=1e-12)


def test_missing_hidden_and_uncounted():
    holes = np.where(RNG.random(len(WHO)) < .1, np.nan, ratings().columns["rating"])
    hidden = np.where(RNG.random(len(WHO)) < .2, np.nan, OUTCOME)
    t = ratings(holes, outcome=hidden)
    assert t.n_counted == (~np.isnan(holes)).sum()
    np.testing.assert_allclose(nll(Rating(), None, t), rating_nll(.3, 8, t), rtol=1e-12)
    early, late = t.split_time(.4)
    np.testing.assert_allclose(nll(Rating(), None, late), rating_nll(.3, 8, late), rtol=1e-12)
    np.testing.assert_allclose(
        nll(Rating(), None, early) + nll(Rating(), None, late), nll(Rating(), None, t), rtol=1e-12
    )


def test_a_class_that_watches_learns_where_nothing_was_answered():
    class Watcher(Rating):
        watches = True
    t = ratings(np.where(np.arange(len(WHO)) % 3 == 0, np.nan, OUTCOME[::-1]))
    all_there = ratings(
        np.where(np.isnan(t.columns["rating"]), 1., t.columns["rating"]), counted=~np.isnan(t.columns["rating"])
    )
    np.testing.assert_allclose(nll(Watcher(), None, t), nll(Rating(), None, all_there), rtol=1e-12)
    assert (nll(Watcher(), None, t) != nll(Rating(), None, t)).all()


def test_ratings_are_recovered():
    made = simulate_like(Rating(), ratings(), pd.DataFrame(dict(alpha=[.1, .3, .5, .7], sd=[4., 8, 12, 20])), seed=2)
    assert made.does == ("rating",) and (made.columns["outcome"] == OUTCOME).all() and made.options == ()
    found = fit(Rating(), made)
    assert abs(found.parameters.alpha - [.1, .3, .5, .7]).lt(4 * found.errors.alpha).all()
    np.testing.assert_allclose(found.errors.sd, found.parameters.sd / np.sqrt(2 * N), rtol=.02)      # as of any normal
    own = fit(OwnRating(), made)
    np.testing.assert_allclose(own.nll, found.nll, rtol=1e-9)


def choices_and_times(seed=1):
    from spice_rl.models.bandits import BanditsFixed, RescorlaWagner
    from spice_rl import simulate
    t = simulate(RescorlaWagner(), BanditsFixed(counterfactual=True), people=3, n_trials=80, seed=seed)
    return simulate_like(
        DiffusionQ(), Trials.from_arrays(t.choice, t.reward, t.participant, does=dict(rt=np.ones(240))), seed=5
    )


def test_choices_with_times_equal_numpy():
    t = choices_and_times()
    assert t.does == ("choice", "rt") and t.columns["rt"].min() > .2
    for v, a in ((2., 1.5), (-4., .8)):
        out = np.zeros(3)
        for i in range(3):
            q = np.full(2, .5)
            for r in np.flatnonzero(t.participant == i):
                c = t.choice[r]
                out[i] -= log_density(Wiener(v * (q[1] - q[0]), a, .5, .2), c, t.columns["rt"][r])
                q[c] += .3 * (t.reward[r, c] - q[c])
        np.testing.assert_allclose(nll(DiffusionQ(), dict(v=v, a=a), t), out, rtol=1e-12)


def test_choices_with_times_are_recovered():
    truth = dict(v=3., a=1.2)
    t = choices_and_times()
    made = simulate_like(DiffusionQ(), t, truth, seed=9)
    found = fit(DiffusionQ(), made)
    better = nll(DiffusionQ(), truth, made) - found.nll          # twice this is a χ² of four degrees of freedom
    assert (better > -1e-6).all() and better.sum() < 20
    assert abs(found.parameters.a - 1.2).lt(.4).all() and abs(found.parameters.t0 - .2).lt(.1).all()


def test_options_on_offer_have_places():
    "Of the options 2 and 1 on offer, in this order, 1 is the upper boundary"
    offer = np.array([[2, 1], [0, 2]] * 5)
    t = Trials.from_arrays(
        offer[np.arange(10), [0, 1, 1, 0, 0, 0, 1, 1, 0, 1]],
        np.tile(np.arange(10)[:, None] % 3 / 2, 3),
        offer=offer,
        options=range(3),
        does=dict(rt=np.linspace(.4, 1.3, 10)),
    )
    q, out = np.full(3, .5), 0.
    for c, (lower, upper), reward, rt in zip(t.choice, offer, t.reward, t.columns["rt"]):
        out -= log_density(Wiener(2 * (q[upper] - q[lower]), 1.5, .5, .2), int(c == upper), rt)
        q[c] += .3 * (reward[c] - q[c])
    assert nll(DiffusionQ(), None, t).sum() == pytest.approx(out, rel=1e-12)
    made = simulate_like(DiffusionQ(), t, seed=1)
    assert (made.offer == made.choice[:, None]).any(1).all()


def test_counts_and_angles_equal_numpy():
    class Count(Cell):
        params = dict(base=Param(1., -3, 3), slope=Param(.5, -3, 3))
        sees, does = "dose", "count"
        def response(p, state, trial): return Poisson(np.exp(p.base + p.slope * trial.dose))
    dose = RNG.normal(size=len(WHO))
    t = Trials.from_arrays(participant=WHO, sees=dict(dose=dose), does=dict(count=RNG.poisson(np.exp(1 + .5 * dose))))
    from scipy import stats
    np.testing.assert_allclose(
        nll(Count(), None, t),
        by_person(-stats.poisson.logpmf(t.columns["count"], np.exp(1 + .5 * dose)), t),
        rtol=1e-12,
    )

    class Turn(Cell):
        "An angle that follows a cue, with what is remembered of the last one"
        params = dict(kappa=Param(3., .01, 50), pull=Param(.2, 0, 1))
        sees, does, state = "target", "angle", dict(last=1)
        def response(p, state, trial): return VonMises(trial.target + p.pull * state.last[0], p.kappa)
        def update(p, state, trial): state.last[0] = trial.angle
    target, angle = RNG.uniform(-np.pi, np.pi, (2, len(WHO)))
    t = Trials.from_arrays(participant=WHO, sees=dict(target=target), does=dict(angle=angle))
    last = np.where(np.arange(len(WHO)) % N == 0, 0, np.roll(angle, 1))
    np.testing.assert_allclose(
        nll(Turn(), None, t), by_person(-stats.vonmises.logpdf(angle, 3., loc=target + .2 * last), t), rtol=1e-10
    )


class TwoStep(Cell):
    "Model-based and model-free (Daw et al., 2011), a row for each choice; learned transitions in a table"
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3, 0, 20), w=Param(.5, 0, 1))
    state = dict(q="options", last=1, seen=(2, 2))
    def init(p, state):
        state.seen[:, :] = 1
        state.last[0] = -1
    def logit(p, state, trial, option):
        q = state.q
        if option > 1: return p.beta * q[option]
        to_c = state.seen[option, 0] / (state.seen[option, 0] + state.seen[option, 1])
        return p.beta * (p.w * (to_c * max(q[2], q[3]) + (1 - to_c) * max(q[4], q[5])) + (1 - p.w) * q[option])
    def update(p, state, trial):
        c = trial.choice
        if c < 2:
            state.last[0] = c
            return
        first = int(state.last[0])
        state.seen[first, (c - 2) // 2] += 1
        state.q[first] += p.alpha * (trial.reward[c] - state.q[first])
        state.q[c] += p.alpha * (trial.reward[c] - state.q[c])


def two_steps(seed=0, n=50):
    rng = np.random.default_rng(seed)
    first, common = rng.integers(0, 2, n), rng.random(n) < .7
    land = np.where(common, first, 1 - first)
    second = 2 + 2 * land + rng.integers(0, 2, n)
    choice = np.c_[first, second].ravel()
    offer = np.stack([np.tile([0, 1], (n, 1)), np.c_[2 + 2 * land, 3 + 2 * land]], 1).reshape(-1, 2)
    reward = np.where(np.arange(2 * n) % 2, rng.integers(0, 2, 2 * n).astype(float), np.nan)
    return Trials.from_arrays(choice, reward, offer=offer, options=range(6))


def test_a_table_as_a_latent_value_equals_numpy():
    t = two_steps()
    q, seen, first, total = np.zeros(6), np.ones((2, 2)), None, 0.
    for r in range(len(t)):
        c, on = t.choice[r], t.offer[r]
        share = seen[:, 0] / seen.sum(1)
        x = np.where(
            on > 1,
            3 * q[on],
            3 * (.5 * (share[on % 2] * max(q[2:4]) + (1 - share[on % 2]) * max(q[4:6])) + .5 * q[on]),
        )
        total += np.log(np.exp(x).sum()) - x[(on == c).argmax()]
        if c < 2: first = c
        else:
            seen[first, (c - 2) // 2] += 1
            for k in (first, c): q[k] += .5 * (t.reward[r, c] - q[k])
    assert nll(TwoStep(), None, t).sum() == pytest.approx(total, rel=1e-12)
    names = latent_names(TwoStep(), t)
    assert names == [f"q_{k}" for k in range(6)] + ["last"] + [f"seen_{i}_{j}" for i in range(2) for j in range(2)]
    table = replay(TwoStep(), t)
    assert set(names) <= set(table)
    assert table.seen_0_0.iloc[0] == 1
    assert table.filter(regex="^seen").iloc[-1].sum() == 4 + 49
    np.testing.assert_allclose(table[[f"p_{k}" for k in range(6)]].sum(axis=1), 1)


class Lapse(Cell):
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3, 0, 20), lapse=Param(.1, 0, 1))
    state = "q"
    def probabilities(p, state, trial):
        e = np.exp(p.beta * state.q)
        return p.lapse / len(state.q) + (1 - p.lapse) * e / e.sum()
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


def test_probabilities_in_place_of_logits():
    class Plain(Lapse):
        def logits(p, state, trial): return p.beta * state.q
    rng = np.random.default_rng(4)
    t = Trials.from_arrays(rng.integers(0, 3, 90), rng.random(90), participant=np.repeat([0, 1, 2], 30))
    out = np.zeros(3)
    for i in range(3):
        q = np.zeros(3)
        for r in np.flatnonzero(t.participant == i):
            e = np.exp(3 * q)
            out[i] -= np.log(.1 / 3 + .9 * e[t.choice[r]] / e.sum())
            q[t.choice[r]] += .3 * (t.reward[r, t.choice[r]] - q[t.choice[r]])
    np.testing.assert_allclose(nll(Lapse(), None, t), out, rtol=1e-12)
    np.testing.assert_allclose(nll(Lapse(), dict(lapse=0), t), nll(Plain(), None, t), rtol=1e-12)
    np.testing.assert_allclose(nll(Lapse(), dict(lapse=1), t), 30 * np.log(3), rtol=1e-12)
    np.testing.assert_allclose(gradient(Lapse(), dict(lapse=1), t)[["alpha", "beta"]], 0, atol=1e-6)
    class Unfair(Lapse):
        def probabilities(p, state, trial): return p.beta * np.ones(3)
    with pytest.raises(ValueError, match="must be at least 0 and sum to 1 over the options on offer"):
        nll(Unfair(), None, t)
    with pytest.raises(
        ValueError, match=re.escape("Rounded, at trial 0 of participant 0: probabilities of Rounded must be")
    ):
        nll(Rounded(), dict(alpha=.5), t)


class Rounded(Cell):
    "Probabilities that do not sum to 1 at other parameters than its own"
    params = dict(alpha=Param(1., 0, 1))
    def probabilities(p, state, trial): return p.alpha * np.ones(3) / 3


def test_gains_and_losses_are_two_signals():
    class TwoSignals(Cell):
        params = dict(gain_rate=Param(.3, 0, 1), loss_rate=Param(.1, 0, 1), beta=Param(2, 0, 20))
        gets, state = ("gain", "loss"), ("g", "l")
        def logits(p, state, trial): return p.beta * (state.g - state.l)
        def update(p, state, trial):
            c = trial.choice
            state.g[c] += p.gain_rate * (trial.gain - state.g[c])
            state.l[c] += p.loss_rate * (trial.loss - state.l[c])
    rng = np.random.default_rng(4)
    gain, loss = rng.random((2, 50))
    loss[7] = np.nan                     # one was not shown: what it would move stays
    t = Trials.from_arrays(rng.integers(0, 2, 50), gets=dict(gain=gain, loss=loss))
    g, l, total = np.zeros(2), np.zeros(2), 0.
    for r, c in enumerate(t.choice):
        x = 2 * (g - l)
        total += np.log(np.exp(x).sum()) - x[c]
        g[c] += .3 * (gain[r] - g[c])
        if r != 7: l[c] += .1 * (loss[r] - l[c])
    assert nll(TwoSignals(), None, t).sum() == pytest.approx(total, rel=1e-12)


def test_two_answers_a_trial():
    "A choice and how sure one is, by a likelihood of their own"
    class Sure(Cell):
        params = dict(beta=Param(1.5, 0, 10), noise=Param(.2, .01, 2))
        sees, does = "evidence", ("choice", "confidence")
        def log_likelihood(p, state, trial):
            x = p.beta * trial.evidence * (2 * trial.choice - 1)
            right = 1 / (1 + np.exp(-x))
            return np.log(right) - .5 * ((trial.confidence - right) / p.noise)**2 - np.log(p.noise)
        def sample(p, state, trial, rng):
            right = 1 / (1 + np.exp(-p.beta * trial.evidence))
            choice = 1 if rng.random() < right else 0
            return choice, rng.normal(right if choice == 1 else 1 - right, p.noise)
    rng = np.random.default_rng(2)
    design = Trials.from_arrays(
        rng.integers(0, 2, 300),
        options=[0, 1],
        sees=dict(evidence=rng.normal(size=300)),
        does=dict(confidence=np.full(300, .5)),
    )
    both = play(Sure(), None, design, times=2, seed=1)
    assert set(both) == {"choice", "confidence"}
    assert both["choice"].shape == (2, 300)
    assert (both["choice"][0] != both["choice"][1]).any()
    made = simulate_like(Sure(), design, seed=1)
    np.testing.assert_array_equal(made.choice, both["choice"][0])
    np.testing.assert_array_equal(made.columns["confidence"], both["confidence"][0])
    right = 1 / (1 + np.exp(-1.5 * made.columns["evidence"] * (2 * made.choice - 1)))
    total = -(np.log(right) - .5 * ((made.columns["confidence"] - right) / .2)**2 - np.log(.2)).sum()
    assert nll(Sure(), None, made).sum() == pytest.approx(total, rel=1e-12)
    assert abs(fit(Sure(), made).parameters.iloc[0] - [1.5, .2]).lt([.5, .03]).all()


# Bad input

from spice_rl.core.wide_trials import check_response  # noqa: E402


def test_times_that_cannot_be():
    t = choices_and_times()
    def with_(rt): return Trials.from_arrays(t.choice, t.reward, t.participant, does=dict(rt=rt))
    rt = t.columns["rt"].copy()
    with pytest.raises(ValueError, match=re.escape("half of all rt are above")) as e:
        nll(DiffusionQ(), None, with_(1000 * rt))
    assert "are these milliseconds? Wiener takes seconds: divide them by 1000" in str(e.value)
    with pytest.raises(
        FloatingPointError, match=re.escape("it is not after t0 = 0.9 (the fastest of this participant is")
    ):
        nll(DiffusionQ(), dict(t0=0.9), t)
    rt[85] = 0
    with pytest.raises(
        ValueError, match=re.escape("rt must be above 0, got 0 at trial 5 of participant 1 (1 such trials)")
    ):
        nll(DiffusionQ(), None, with_(rt))
    rt[85] = np.nan
    assert np.isfinite(nll(DiffusionQ(), None, with_(rt))).all() and with_(rt).n_counted == 239


def test_a_density_that_says_nothing():
    class Shrinking(Rating):
        params = dict(alpha=Param(.3, 0, 1), sd=Param(8, -40, 40))
    t = ratings()
    with pytest.raises(FloatingPointError, match=re.escape("at trial 0 of participant 0 the answer rating = ")) as e:
        nll(Shrinking(), dict(sd=-1), t)
    assert "has the log likelihood nan, where the rule response says Normal(mean=50.0, sd=-1.0)" in str(e.value)
    with pytest.raises(
        ValueError, match=re.escape("Shrinking, at trial 0 of participant 0: sd of Normal must be above 0, got -1")
    ):
        nll(Shrinking(sd=-1), None, t)
    found = fit(Shrinking(sd=20), t)                            # the half where nothing can be said is no obstacle
    np.testing.assert_allclose(found.nll, fit(Rating(), t).nll, rtol=1e-6)


def test_answers_of_another_kind():
    class Both(Rating):
        def response(p, state, trial): return Wiener(1., 1., .5, .1)
    class Number(Rating):
        def response(p, state, trial): return state.mean[0]
    t = ratings()
    with pytest.raises(ValueError, match="Wiener is an answer of choice and rt, and Both does rating"):
        nll(Both(), None, t)
    with pytest.raises(TypeError, match="the rule response of Number must return a kind of answer"):
        nll(Number(), None, t)
    with pytest.raises(ValueError, match="Rating does 'rating', which these trials lack"): nll(Rating(), None, OFFERS)
    with pytest.raises(ValueError, match="Hyperbolic speaks of choices, and these trials have none: people do rating"):
        nll(Hyperbolic(), None, t)
    with pytest.raises(ValueError, match="nobody answers in these trials: rating is missing everywhere"):
        nll(
            Rating(),
            None,
            Trials.from_arrays(
                participant=WHO, does=dict(rating=np.full(len(WHO), np.nan)), gets=dict(outcome=OUTCOME)
            ),
        )


def test_an_index_that_only_the_data_know():
    "Late there is a third pair on offer, for which the table of transitions has no column"
    offer = np.tile([[0, 1], [2, 3]], (12, 1))
    def trials():
        return Trials.from_arrays(offer[:, 0], np.ones((24, 8)), np.repeat([0, 1], 12), offer=offer, options=range(8))
    assert np.isfinite(nll(TwoStep(), None, trials())).all()
    offer[21] = 6, 7
    with pytest.raises(
        IndexError,
        match=re.escape(
            "a rule of TwoStep reaches for what is not there, at trial 9 of participant 1: index 2 is out of bounds"
        ),
    ):
        nll(TwoStep(), None, trials())
    for reaches in (
        lambda: fit(TwoStep(), trials()),
        lambda: replay(TwoStep(), trials()),
        lambda: play(TwoStep(), None, trials()),
    ):
        with pytest.raises(IndexError, match="trial 9 of participant 1"): reaches()


def test_halves_that_disagree_are_found():
    class Wrong(OwnRating):
        def sample(p, state, trial, rng): return rng.normal(state.mean[0], 2 * p.sd)
    class Heavy(OwnRating):
        def log_likelihood(p, state, trial):
            return .5 - .5 * ((trial.rating - state.mean[0]) / p.sd) ** 2 - np.log(p.sd) - .5 * np.log(2 * np.pi)
    class Outside(OwnRating):
        def log_likelihood(p, state, trial): return np.log(1 / 100) if 0 <= trial.rating <= 100 else -np.inf
        def sample(p, state, trial, rng): return rng.uniform(0, 130)
    class Twice(OwnRating):
        def sample(p, state, trial, rng): return 1., 2.
    t = ratings()
    for cell in (Rating(), OwnRating(), OwnRating(alpha=.9)): assert (check_response(cell, t, n=1000) < 8).all()
    with pytest.raises(
        ValueError, match=re.escape("sample and log_likelihood of Wrong do not agree at trial 0 of participant 0")
    ):
        check_response(Wrong(), t, n=1000)
    with pytest.raises(ValueError, match="the likelihood sums to 1.5"): check_response(Heavy(), t, n=1000)
    with pytest.raises(
        FloatingPointError,
        match="which its likelihood holds to be impossible: sample and log_likelihood must speak of the same answers",
    ):
        play(Outside(), None, t)
    with pytest.raises(ValueError, match="the rule sample of Twice must return one number"): nll(Twice(), None, t)
    with pytest.raises(TypeError, match="chooses by logits or probabilities"): check_response(Hyperbolic(), OFFERS)


def test_a_rule_that_cannot_be_compiled():
    class Text(Rating):
        def response(p, state, trial): return Normal(float({"a": 50}["a"]), p.sd) if isinstance(trial, tuple) else None
    with pytest.raises(TypeError, match="the rules of Text cannot be compiled: use numbers, loops and numpy only"):
        nll(Text(), None, ratings())


# Memory

def test_simulation_of_many_trials_needs_little_memory():
    "Two million trials in at most 300 MB beyond what is there before (a tenth of them here, and a tenth of the memory)"
    import tracemalloc
    from spice_rl import BanditsDrift, RescorlaWagner, simulate
    simulate(RescorlaWagner(), BanditsDrift(.2), people=2, n_trials=10)
    tracemalloc.start()
    t = simulate(RescorlaWagner(), BanditsDrift(.2), people=100, n_trials=2000, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(t) == 200_000 and peak < 30e6


# Worlds that show

from spice_rl import Bandits, BanditsDrift, simulate  # noqa: E402


class TwoStepTask(Bandits):
    "Two stages: 0 and 1 lead to 2, 3 or to 4, 5, usually (70 %) to the pair of their own"
    settings = dict(common=Param(.7, 0, 1))
    extra, n_offer = 1, 2
    def start(e, uniform, normal, world):
        for k in range(2, 6): world[k] = .25 + .5 * uniform[k]
    def show(e, world, uniform, normal, seen):
        seen.options[0] = 2 * int(world[6])
        seen.options[1] = 2 * int(world[6]) + 1
    def pay(e, world, choice, uniform, normal, reward):
        if world[6] == 0:
            reward[:] = np.nan
            own = uniform[0] < e.common
            world[6] = 1 + choice if own else 2 - choice
        else:
            for k in range(6): reward[k] = 1. if uniform[k] < world[k] else 0.
            world[6] = 0


class Staircase(Bandits):
    "Delay discounting whose amount now follows what was chosen"
    sees, extra = dict(amount="options", delay="options", level=1), 1
    def start(e, uniform, normal, world): world[2] = 10
    def show(e, world, uniform, normal, seen):
        seen.amount[0], seen.amount[1] = world[2], 20
        seen.delay[0], seen.delay[1] = 0, 30
        seen.level[0] = world[2]
    def pay(e, world, choice, uniform, normal, reward):
        reward[:] = np.nan
        world[2] += 1 if choice == 1 else -1


def test_the_two_step_task_is_simulated_as_it_is():
    t = simulate(TwoStep(), TwoStepTask(6), people=3, sessions=2, n_trials=200, seed=1)
    assert t.n_sessions == 6 and set(map(tuple, t.offer)) == {(0, 1), (2, 3), (4, 5)}
    first, second = np.arange(0, 1200, 2), np.arange(1, 1200, 2)
    assert (t.offer[first] == [0, 1]).all() and (t.offer[second] > 1).all()
    assert np.isnan(t.reward[first]).all() and np.isfinite(t.reward[second, t.choice[second]]).all()
    own = t.offer[second, 0] == 2 + 2 * t.choice[first]
    assert abs(own.mean() - .7) < 4 * np.sqrt(.7 * .3 / 600)
    p = replay(TwoStep(), t)[[f"p_{k}" for k in range(6)]].fillna(0).to_numpy()
    hit = np.arange(6) == t.choice[:, None]
    assert (abs((hit - p).sum(0)) < 4 * np.sqrt((p * (1 - p)).sum(0))).all()     # simulation agrees with the likelihood
    again = simulate(TwoStep(), TwoStepTask(6), people=4, sessions=2, n_trials=200, seed=1)
    assert again.take([0, 1, 2]).to_frame().equals(t.to_frame())                  # nobody depends on who else is there
    got = parameter_recovery(
        TwoStep(), TwoStepTask(6), people=20, n_trials=200, draw=dict(alpha=.5, beta=5., w=.5), hold=None, seed=2
    )
    assert got.summary().r.droplevel(0).beta > .5


def test_a_world_without_columns_takes_wide_cells_too():
    """Here one that answers; one of probabilities lives in a world of the explorer's test, and those of logits in
    the worlds that show"""
    t = simulate(DiffusionQ(), BanditsDrift(.2), people=2, n_trials=300, seed=3)
    assert t.does == ("choice", "rt") and t.offer.shape == (600, 2) and {"p_0", "p_1"} <= set(t.to_frame())
    assert np.isfinite(nll(DiffusionQ(), None, t)).all()
    assert (nll(DiffusionQ(), dict(v=0), t) > nll(DiffusionQ(), None, t)).all()


def test_offers_follow_what_was_chosen():
    t = simulate(Hyperbolic(k=.02, beta=2), Staircase(), people=2, n_trials=60, seed=1)
    now = t.columns["level"]
    assert (t.columns["amount"][:, 0] == now).all() and (t.columns["delay"] == [0, 30]).all()
    for i in range(2):
        mine = t.participant == i
        assert now[mine][0] == 10 and (np.diff(now[mine]) == np.where(t.choice[mine][:-1] == 1, 1, -1)).all()
    assert abs(now[-20:].mean() - 20 / 1.6) < 2          # where both offers are worth the same
    with pytest.raises(
        ValueError, match=re.escape("Hyperbolic sees 'amount', which BanditsDrift does not show (it shows no columns)")
    ):
        simulate(Hyperbolic(), BanditsDrift(.2))
    with pytest.raises(ValueError, match="BanditsDrift pays for choices, and Rating does rating"):
        simulate(Rating(), BanditsDrift(.2))


def test_cells_of_choices_live_in_worlds_that_show():
    from spice_rl import RescorlaWagner
    t = simulate(RescorlaWagner(), TwoStepTask(6), people=2, n_trials=100, seed=1)
    assert set(map(tuple, t.offer)) == {(0, 1), (2, 3), (4, 5)} and len(set(t.choice)) == 6
    assert np.isfinite(nll(RescorlaWagner(), None, t)).all()
    from spice_rl import rescorla_wagner_equation
    with pytest.raises(TypeError, match="must both be written as rules to be simulated together"):
        simulate(rescorla_wagner_equation(.3, 3.), TwoStepTask(6))


# Laws: what holds of every cell holds of these, too

from spice_rl import check, explore, fit_hbi, fit_hierarchical, identify, plot_session, trialwise  # noqa: E402
from spice_rl.core.replaying import replay_arrays  # noqa: E402


@pytest.fixture(scope="module")
def worlds():
    "Cells with trials of several people that they simulated themselves"
    return dict(
        rating=(Rating(), simulate_like(Rating(), ratings(), seed=1)),
        offers=(Hyperbolic(), simulate_like(Hyperbolic(), OFFERS, seed=1)),
        steps=(TwoStep(), simulate(TwoStep(), TwoStepTask(6), people=3, sessions=2, n_trials=30, seed=1)),
        timed=(DiffusionQ(), choices_and_times()),
    )


each = pytest.mark.parametrize("name", ["rating", "offers", "steps", "timed"])


def in_python(cell, trials):
    "NLL of each person by the cell's rules, called one by one in plain Python"
    from spice_rl.core.wide_trials import _log_likelihood, _trial_at
    out = np.zeros(trials.n_participants)
    for s in range(trials.n_sessions):
        state = cell.init(cell.p(), trials.n_options)
        for t in range(trials.starts[s], trials.starts[s + 1]):
            trial = _trial_at(cell, trials, t)
            out[trials.participant[t]] -= _log_likelihood(cell, cell.p(), state, trial)
            state = cell.update(cell.p(), state, trial)
    return out


@each
def test_compiled_rules_are_the_rules(name, worlds):
    cell, t = worlds[name]
    np.testing.assert_allclose(nll(cell, None, t), in_python(cell, t), rtol=1e-12)


@each
def test_the_future_changes_nothing(name, worlds):
    cell, t = worlds[name]
    row = t.starts[1] + 8
    later = np.arange(len(t)) > row
    same = ~later | (t.session != t.session[row])
    columns = {
        n: np.where(later if x.ndim == 1 else later[:, None], x[::-1], x) for n, x in t.columns.items() if n != "rt"
    }
    reward = np.where(later[:, None], 1 - t.reward, t.reward)
    options = dict(choice=t.choice, reward=reward, options=t.options, offer=t.offer) if t.options else {}
    does = {n: t.columns[n] if n == "rt" else columns[n] for n in t.does if n != "choice"}
    other = Trials.from_arrays(
        **options,
        participant=t.participant,
        session=t.session,
        does=does,
        sees={n: x for n, x in columns.items() if n not in does},
    )
    before, after = (replay(cell, x).iloc[:, 3:].to_numpy(float) for x in (t, other))
    np.testing.assert_array_equal(before[same & (np.arange(len(t)) <= row)], after[same & (np.arange(len(t)) <= row)])
    assert not np.array_equal(before[later], after[later], equal_nan=True)


@each
def test_nobody_depends_on_others_threads_or_the_seed_of_the_world(name, worlds):
    cell, t = worlds[name]
    group = nll(cell, None, t)
    for who in t.participants: assert nll(cell, None, t.take(who))[who] == group[who]
    assert nll(cell, None, t, threads=2).equals(group)
    state = np.random.get_state()[1].copy()
    if name != "steps":
        a, b, c = (simulate_like(cell, t, seed=s) for s in (3, 3, 4))
        assert a.equals(b) and not a.equals(c)
    assert (np.random.get_state()[1] == state).all()


@each
def test_simulation_agrees_with_the_likelihood(name, worlds):
    "At the truth the mean gradient is 0: each is within four of its standard errors"
    cell, t = worlds[name]
    slope = gradient(cell, None, t)
    lanes = Lanes(cell, t)
    information = lanes.scoring(
        np.tile(list(cell.values.values()), (t.n_participants, 1)).astype(float), np.arange(t.n_participants)
    )[2]
    z = slope.sum() / np.sqrt(np.diagonal(information, 0, 1, 2).sum(0))
    assert (abs(z) < 4).all()


@each
def test_the_tools_follow(name, worlds):
    cell, t = worlds[name]
    found = fit(cell, t, starts=3)
    better = nll(cell, None, t) - found.nll
    assert (better > -1e-6).all() and better.sum() < 30
    together = fit_hierarchical(cell, t)
    assert np.isfinite(together.log_evidence) and set(together.parameters.columns) == set(cell.params)
    assert identify(cell, t).n == np.median(np.bincount(t.participant[t.answered()]))
    table = trialwise(cell, t)
    np.testing.assert_allclose(
        table.surprise[table.counted].groupby(table.participant).sum(),
        nll(cell, None, t).groupby(level=0).sum(),
        rtol=1e-9,
    )
    for latent in latent_names(cell, t): assert f"{latent}_change" in table
    with pytest.raises(ValueError, match="check knows the avoidance task only"): check(found, t)
    if name == "offers":  # choices by logits, and nothing of another shape: drawn like a bandit's
        x, states = replay_arrays(cell, None, t)
        np.testing.assert_array_equal(x, replay(cell, t)[["logit_0", "logit_1"]])
        assert states.shape == (len(t), 0, 2)
        return
    with pytest.raises(
        TypeError, match="has latent values or answers of its own kind, so there are no arrays by option"
    ):
        replay_arrays(cell, None, t)


# The union: each tool follows each kind of answer, or says in a sentence why it does not

import warnings  # noqa: E402

from matplotlib import pyplot as plt  # noqa: E402

import spice_rl as s  # noqa: E402

BOUNDS = dict(
    rating=dict(alpha=(.1, .6), sd=(4, 12)),
    offers=dict(k=(.01, .2), beta=(.3, 2)),
    timed=dict(alpha=(.05, .5), v=(1, 4), a=(1, 2), t0=(.1, .3)),
)
NO_CEILING = ("a ceiling is measured from guessing, and nobody guesses .*: leave it out, and put a model beside the "
              "others whose answers are the same")
NO_EQUATION = "an equation speaks of choices and rewards, and these trials have none: people do rating"


def pair(cell):
    "A model and the same one with its first parameter held"
    first = next(iter(cell.params))
    return dict(free=cell, held=cell), dict(held={first: cell.values[first]})


def one(t): return t.take(t.participants[0])


def fitted(cell, t): return fit(cell, t, starts=2)


TOOLS = dict(
    gradient=lambda c, t, b: gradient(c, None, t),
    hessian=lambda c, t, b: hessian(c, None, t),
    play=lambda c, t, b: play(c, None, t),
    replay_after=lambda c, t, b: replay(c, t, after=True),
    trialwise=lambda c, t, b: trialwise(c, t, keep=list(t.columns)[:1] if "choice" in c.sees else ()),
    fit=lambda c, t, b: repr(fitted(c, t)) + fitted(c, t)._repr_html_(),
    check=lambda c, t, b: check(fitted(c, t), t, times=2),
    compare=lambda c, t, b: repr(s.compare([fitted(c, t), fit(c, t, starts=2, name="held", hold=pair(c)[1]["held"])])),
    ceiling=lambda c, t, b: s.compare([fitted(c, t)], ceiling=c, trials=t),
    cross_validate=lambda c, t, b: s.cross_validate([c], t, folds=2, starts=2).table(),
    fit_hierarchical=lambda c, t, b: repr(fit_hierarchical(c, t)),
    fit_hbi=lambda c, t, b: repr(fit_hbi(pair(c)[0], t, starts=1)),
    parameter_recovery=lambda c, t, b: (
        repr(parameter_recovery(c, t, starts=1, bounds=b)) + parameter_recovery(c, t, starts=1, bounds=b)._repr_html_()
    ),
    recovery_of_fits=lambda c, t, b: parameter_recovery(c, t, starts=1, draw=fitted(c, t)),
    model_recovery=lambda c, t, b: repr(
        s.model_recovery(pair(c)[0], t, starts=1, bounds=dict.fromkeys(("free", "held"), b), hold=pair(c)[1])
    ),
    power=lambda c, t, b: s.power(c, lambda n: t, people=[4], trials=[20], starts=1, bounds=b),
    identify=lambda c, t, b: repr(identify(c, t)),
    profile=lambda c, t, b: s.plot_profile(s.profile_likelihood(c, one(t), next(iter(c.params)))),
    plot_parameters=lambda c, t, b: s.plot_parameters(fitted(c, t)),
    plot_recovery=lambda c, t, b: s.plot_recovery(parameter_recovery(c, t, starts=1, bounds=b)),
    plot_session=lambda c, t, b: plot_session(c, one(t)),
    explore=lambda c, t, b: explore(c, one(t)),
    check_response=lambda c, t, b: s.check_response(c, t, n=1000),
    to_dataset=lambda c, t, b: t.to_dataset(),
    discover=lambda c, t, b: s.discover(t),
    search_library=lambda c, t, b: s.search_library(t),
    bandit_models=lambda c, t, b: s.bandit_models(t),
    simulate=lambda c, t, b: s.simulate(c, BanditsDrift(.2), n_trials=5),
    pipeline=lambda c, t, b: s.Pipeline(seed=1).run(
        mode="fit", learning_filename="a.csv", transfer_filename="b.csv", models=[c]
    ),
)
REFUSED = {
    (tool, name): said
    for tool, names, said in (
        ("check", "rating offers timed", "check knows the avoidance task only"),
        ("ceiling", "rating timed", NO_CEILING),
        ("check_response", "offers", "chooses by logits or probabilities"),
        ("to_dataset", "rating", "tensors hold choices and their rewards"),
        ("search_library", "rating", NO_EQUATION),
        ("discover", "rating", "speaks of choices, and these trials have none: people do rating"),
        ("search_library", "offers", "no reward is shown in these trials, and the usual library learns from rewards"),
        ("bandit_models", "rating", "these models speak of choices, and these trials have none: people do rating"),
        ("simulate", "rating", "BanditsDrift pays for choices, and Rating does rating"),
        ("simulate", "offers", "sees 'amount', which BanditsDrift does not show"),
        ("pipeline", "rating offers timed", "models must hold names such as"),
    )
    for name in names.split()
}


@pytest.mark.parametrize("cell", [Rating(), DiffusionQ()], ids=lambda c: type(c).__name__)
def test_the_expected_answer_is_the_mean_of_its_kind(cell):
    """`replay`, `trialwise`, `explore` and `plot_session` show what an answer of one number, or of a choice and its
    time, says of itself (test_density has the mean of each kind)"""
    rng, timed = np.random.default_rng(0), "rt" in cell.does
    if timed: t = Trials.from_arrays(rng.integers(0, 2, 12), rng.random((12, 2)), does=dict(rt=.3 + rng.random(12)))
    else: t = Trials.from_arrays(does=dict(rating=rng.normal(50, 8, 12)), gets=dict(outcome=rng.normal(50, 8, 12)))
    frame, name, latent = trialwise(cell, t), cell.does[-1], "q" if timed else "mean"
    if timed: means = [mean_answer(Wiener(2 * d, 1.5, .5, .2)) for d in frame.q_1 - frame.q_0]
    else: means = [mean_answer(Normal(m, 8)) for m in frame["mean"]]
    assert len(set(means)) == 12
    np.testing.assert_allclose(frame[f"expected_{name}"], [m[1] if timed else m for m in means], rtol=1e-12)
    if timed: np.testing.assert_allclose(frame[["p_0", "p_1"]], [(1 - m[0], m[0]) for m in means], rtol=1e-12)
    assert f"expected_{name}" not in replay(cell, t, expected=False)
    drawn = plot_session(cell, t, [latent])[1], *([explore(cell, t).figure()[1]] if timed else [])
    for axs in drawn:
        row = axs[int(timed)]
        np.testing.assert_allclose(row.get_lines()[0].get_ydata(), t.columns[name])
        lines = [x for x in row.get_lines() if len(x.get_xdata()) >= 12 and x.get_marker() != "o"]
        np.testing.assert_allclose(np.array(lines[0].get_ydata())[-12:], frame[f"expected_{name}"], rtol=1e-12)
        np.testing.assert_allclose(axs[-1].get_lines()[0].get_ydata(), frame["q_0" if timed else "mean"])
    plt.close("all")


def test_expected_choices_among_three_and_where_nothing_is_seen():
    "Chances of a race among those on offer; a trial that shows nothing expects nothing"
    class Race(Cell):
        params, sees = dict(v=Param(1, 0, 9)), "strength"
        does = "choice", "rt"
        def response(p, state, trial):
            drifts = np.empty(len(trial.options))
            # (an index of many takes seconds to compile)
            for i, k in enumerate(trial.options): drifts[i] = 1 + p.v * trial.strength[k]
            return LBA(drifts, 1.2, .5, .15)
    strength = np.array([[1., 2., .5], [1., 2., .5], [np.nan] * 3])
    offer = np.array([[0, 1, 2], [0, 2, -1], [0, 1, 2]])
    t = Trials.from_arrays(
        [1, 2, -1], options=range(3), offer=offer, sees=dict(strength=strength), does=dict(rt=[.6, .9, np.nan])
    )
    frame = replay(Race(), t)
    p = frame[["p_0", "p_1", "p_2"]].to_numpy()
    np.testing.assert_allclose(p[:2].sum(1), 1, rtol=1e-12)
    grid = np.exp(np.linspace(-6, 5, 4001)) + .15
    for k in range(3):
        mass = np.trapezoid(
            np.exp(log_density(LBA(1 + strength[0], 1.2, .5, .15), k, grid)) * (grid - .15), np.log(grid - .15)
        )
        assert p[0, k] == pytest.approx(mass, abs=1e-6)
    assert p[1, 1] == 0 and p[1, 2] == pytest.approx(mean_answer(LBA([2., 1.5], 1.2, .5, .15))[0], rel=1e-12)
    assert np.isnan(p[2]).all() and np.isnan(frame.expected_rt[2])


def test_the_explorer_follows_answers_of_every_kind(worlds):
    "Impossible answers and rounds of another length are said and drawn, and nothing crashes"
    cell, t = worlds["timed"]
    e = explore(cell, one(t))
    assert "NLL" in e.words()[0] and "the model expects" in e.words()[1]
    assert e.set(t0=1.).numbers["nll"] == np.inf and "impossible" in e.words()[0]
    assert e.reset().numbers["nll"] == pytest.approx(nll(cell, None, one(t)).iloc[0])
    # a mean that nobody knows
    assert explore(OwnRating(), one(worlds["rating"][1])).words()[1].startswith("Mean rating of the person: ")
    class Pumps(Bandits):
        most, extra = 30, 1
        def start(e, uniform, normal, world): world[2] = 0
        def show(e, world, uniform, normal, seen): pass
        def pay(e, world, choice, uniform, normal, reward):
            reward[choice] = choice
            world[2] = 0 if choice == 0 or world[2] == 8 else world[2] + 1
        def over(e, world): return world[2] == 0
    class Pumper(Cell):
        params = dict(bold=Param(.5, 0, 1))
        def probabilities(p, state, trial): return np.array([1 - p.bold, p.bold])
    e = explore(Pumper(), Pumps(), n_trials=5)
    many = len(e.trials)
    assert len(e.set(bold=.95).trials) > many
    _, axs = e.figure()
    assert len(axs[0].get_lines()[0].get_xdata()) == len(e.trials)
    plt.close("all")


@pytest.mark.parametrize("name", ["rating", "offers", "timed"])
@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_follows_or_says_why(tool, name, worlds):
    cell, t = worlds[name]
    said = REFUSED.get((tool, name))
    with warnings.catch_warnings():
        # numpy's, of a number that nobody meant to take the logarithm of
        warnings.simplefilter("error", RuntimeWarning)
        if said is None: TOOLS[tool](cell, t, BOUNDS[name])
        else:
            with pytest.raises((TypeError, ValueError), match=said): TOOLS[tool](cell, t, BOUNDS[name])
    plt.close("all")


def test_a_held_out_answer_before_t0_is_said():
    "The fastest response of somebody is held out: t0 is fitted above it, and no note hides that"
    t = choices_and_times()
    row = np.flatnonzero(t.participant == 0)[t.columns["rt"][t.participant == 0].argmin()]
    rt = t.columns["rt"].copy()
    rt[row] = .02
    found = s.cross_validate(
        dict(q=DiffusionQ()), Trials.from_arrays(t.choice, t.reward, t.participant, does=dict(rt=rt)), folds=4, starts=2
    )
    assert np.isinf(found.values.q[0]) and np.isfinite(found.values.q[1:]).all()
    assert any("under q, answers of 0 cannot be" in note for note in found.notes()) and "inf" in repr(found)


def test_models_are_compared_and_mixed(worlds):
    cell, t = worlds["rating"]
    # who learns nothing says the same on all trials: what stands in the place of guessing
    mixed = fit_hbi(dict(learns=cell, same=Rating(alpha=0)), t, options=dict(same=dict(hold=dict(alpha=0))))
    assert mixed.models.frequency.learns > .6
    with pytest.raises(ValueError, match="a ceiling is measured from guessing, and nobody guesses rating"):
        from spice_rl.inference.comparison import _limits
        _limits(cell, t, None, None)


def test_narrow_cells_say_what_they_need():
    from spice_rl import RescorlaWagner
    with pytest.raises(
        ValueError, match="RescorlaWagner speaks of choices, and these trials have none: people do rating"
    ):
        nll(RescorlaWagner(), None, ratings())
    class Undeclared(Hyperbolic):
        sees = "amount"
    with pytest.raises(AttributeError, match="the rule logit of Undeclared reads trial.delay"):
        simulate(Undeclared(), Staircase(), n_trials=5)
    timed = choices_and_times()
    from spice_rl.models.bandits import RescorlaWagner as RW
    assert np.isfinite(nll(RW(), None, timed)).all()                  # a model of choices alone, on choices with times
    made = simulate_like(RW(), timed, seed=1)
    assert made.does == ("choice",) and "rt" not in made.columns      # times of other choices are nobody's


def test_what_speaks_of_choices_alone_says_so():
    from spice_rl import rescorla_wagner_equation
    for call in (lambda c: nll(c, None, ratings()), lambda c: fit(c, ratings()), lambda c: replay(c, ratings())):
        with pytest.raises(ValueError, match="speaks of choices, and these trials have none: people do rating"):
            call(rescorla_wagner_equation(.3, 3.))
    with pytest.raises(
        ValueError, match="tensors hold choices and their rewards, and here people do something else: rating"
    ):
        ratings().to_dataset()


def test_another_kind_of_answer_under_the_same_name_is_another_model():
    """Loops are kept by what they are made of; a kind of answer is one of these things, whatever it is called in the
    rule"""
    import math
    from collections import namedtuple
    from numba import njit
    from spice_rl.core.density import AnswerKind, add_density
    class Laplace(namedtuple("Laplace", "mean sd"), metaclass=AnswerKind): "Heavier tails"
    add_density(
        Laplace,
        njit(lambda answer, value: -abs(value - answer.mean) / answer.sd - math.log(2 * answer.sd)),
        njit(lambda answer, rng: answer.mean + answer.sd * (rng.standard_exponential() - rng.standard_exponential())),
        njit(lambda answer: answer.mean),
        support="any number",
    )
    def made(kind):
        class Model(Rating):
            def response(p, state, trial): return kind(state.mean[0], p.sd)
            def update(p, state, trial): pass
        return Model()
    t, away = ratings(), None
    away = abs(t.columns["rating"] - 50)
    for _ in range(2):
        np.testing.assert_allclose(nll(made(Normal), None, t), rating_nll(0, 8, t), rtol=1e-12)
        np.testing.assert_allclose(nll(made(Laplace), None, t), by_person(away / 8 + np.log(16), t), rtol=1e-12)
