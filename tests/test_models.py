"""Bandit models that are ready: each is its equation (the judge is a plain loop here), in any unit of rewards, for any
number of options, and can be recovered as far as is said."""
import copy, math, pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, norm, uniform

from spice_rl import (BanditModel, Bandits, BanditsDrift, BanditsFlip, Param, RescorlaWagner, ValueModel,
                      avoidance_model, bandit_models, compare, cross_validate, demo_trials, fit, fit_hierarchical,
                      for_rewards, make_trial, nll, replay, rlwm, simulate)
from spice_rl.core.data import Trials
from spice_rl.models.ready import MIDDLE
from worlds import people, rebuild

NAMES = [type(m).__name__ for m in bandit_models()]
CHOICES_ALONE = "RandomChoice", "ChoiceKernel"
TWO_ONLY = "ProbitHybrid",


# Judges: what someone would choose (a probability for each option), then what they see.
# M: where values start; s: spread of rewards

def softmax(x):
    e = [math.exp(v - max(x)) for v in x]
    return [v / sum(e) for v in e]


def seen(r): return not math.isnan(r)


def random_choice(p, n, M, s):
    while True: yield softmax([0., *(p[f"bias_{k}"] for k in range(1, n))])


def win_stay(p, n, M, s):
    out = [1 / n] * n
    while True:
        c, r = yield out
        if not seen(r[c]): continue
        aim = [float(k == c) if r[c] > M else (k != c) / (n - 1) for k in range(n)]
        out = [(1 - p["epsilon"]) * a + p["epsilon"] / n for a in aim]


def kernel(p, n, M, s):
    h = [0.] * n
    while True:
        c, _ = yield softmax([p["beta_c"] * v for v in h])
        h = [(1 - p["alpha_c"]) * v + p["alpha_c"] * (k == c) for k, v in enumerate(h)]


def learner(move):
    "A judge whose values start in the middle, and of which `move` says how they change"
    def judge(p, n, M, s):
        q = [M] * n
        while True:
            c, r = yield softmax([p["beta"] * v for v in q])
            move(p, q, c, r, M)
    return judge


def rescorla(p, q, c, r, M):
    if seen(r[c]): q[c] = (1 - p["alpha"]) * q[c] + p["alpha"] * r[c]


def two_rates(p, q, c, r, M):
    if seen(r[c]): q[c] += p["alpha_pos" if r[c] > q[c] else "alpha_neg"] * (r[c] - q[c])


def forgetting(p, q, c, r, M):
    rescorla(p, q, c, r, M)
    for k in range(len(q)):
        if k != c: q[k] = (1 - p["forget"]) * q[k] + p["forget"] * M


def counterfactual(p, q, c, r, M):
    for k in range(len(q)):
        if k == c: rescorla(p, q, c, r, M)
        else:
            other = r[k] if seen(r[k]) else 2 * M - r[c]
            if seen(other): q[k] += p.get("alpha_cf", p["alpha"]) * (other - q[k])


def perseveration(p, n, M, s):
    q, last = [M] * n, None
    while True:
        c, r = yield softmax([p["beta"] * v + p["kappa"] * (k == last) for k, v in enumerate(q)])
        rescorla(p, q, c, r, M)
        last = c


def both(p, n, M, s):
    q, h = [M] * n, [0.] * n
    while True:
        c, r = yield softmax([p["beta"] * a + p["beta_c"] * b for a, b in zip(q, h)])
        rescorla(p, q, c, r, M)
        h = [(1 - p["alpha_c"]) * v + p["alpha_c"] * (k == c) for k, v in enumerate(h)]


def lapse(p, n, M, s):
    q = [M] * n
    while True:
        c, r = yield [(1 - p["epsilon"]) * v + p["epsilon"] / n for v in softmax([p["beta"] * v for v in q])]
        rescorla(p, q, c, r, M)


def pearce_hall(p, n, M, s):
    q, a = [M] * n, [1.] * n
    while True:
        c, r = yield softmax([p["beta"] * v for v in q])
        if seen(r[c]):
            error = r[c] - q[c]
            q[c] += p["kappa"] * a[c] * error
            a[c] = (1 - p["eta"]) * a[c] + p["eta"] * abs(error) / s


def kalman(look):
    "A judge with beliefs: mean and variance; `look` says what they would choose"
    def judge(p, n, M, s):
        q, v = [M] * n, [1.] * n
        while True:
            c, r = yield look(p, q, v)
            if seen(r[c]):      # precisions add up
                q[c], v[c] = (q[c] / v[c] + r[c]) / (1 / v[c] + 1), 1 / (1 / v[c] + 1)
            v = [x + p["drift"]**2 for x in v]
    return judge


def probit(p, q, v):
    sd, V = [x**.5 for x in v], q[0] - q[1]
    x = p["w_v"] * V + p["w_ru"] * (sd[0] - sd[1]) + p["w_vtu"] * V / (v[0] + v[1])**.5
    return [float(norm.cdf(x)), float(norm.sf(x))]


def reversal(p, n, M, s):
    b = np.full(n, 1 / n)
    swap = (1 - p["hazard"]) * np.eye(n) + p["hazard"] / (n - 1) * (1 - np.eye(n))
    while True:
        c, r = yield softmax(p["beta"] * b)
        if seen(r[c]):
            won = np.where(np.arange(n) == c, p["p_good"], 1 - p["p_good"])
            b = b * (won if r[c] > M else 1 - won)
            b = b / b.sum()
        b = swap @ b


def gain_loss(p, n, M, s):
    q = [0.] * n
    while True:
        c, r = yield softmax(q)
        if seen(r[c]): q[c] += p["alpha"] * (p["rho_gain"] * max(r[c], 0) + p["rho_loss"] * min(r[c], 0) - q[c])


def stay(p, n, M, s):
    S, r_last, last, h, q = 0., 0., None, np.zeros(n), np.zeros(n)
    p = dict(k_both=0., g=0., kappa=0., alpha=0., beta=0.) | p
    while True:
        x = p["kappa"] * h + p["beta"] * q
        if last is not None: x[last] += p["b"] + p["k_stay"] * S + p["k_reward"] * r_last + p["k_both"] * S * r_last
        c, r = yield softmax(x)
        if last is not None: S += p["w"] * ((1 if c == last else -1) - S)
        if seen(r[c]): r_last = r[c]
        last, chosen = c, np.arange(n) == c
        h += p["g"] * (chosen - h)
        for k in range(n):
            if k != c: q[k] -= p["alpha"] * q[k]
            elif seen(r[c]): q[k] += p["alpha"] * (r[c] - q[k])


def gql(p, n, M, s):
    q, h = np.zeros((2, n)), np.zeros((2, n))
    phi, chi, b, kappa = (np.array([p[f"{name}_1"], p[f"{name}_2"]]) for name in ("phi", "chi", "beta", "kappa"))
    C = np.array([[p["c_11"], p["c_12"]], [p["c_21"], p["c_22"]]])
    while True:
        c, r = yield softmax(b @ q + kappa @ h + np.einsum("ik,ij,jk->k", h, C, q))
        for k in range(n):
            if k != c: q[:, k] *= 1 - phi
            elif seen(r[c]): q[:, k] += phi * (r[c] - q[:, k])
            h[:, k] += chi * ((k == c) - h[:, k])


def greedy(p, q, v): return softmax([p["beta"] * a for a in q])


def curious(p, q, v): return softmax([p["beta"] * a + p["phi"] * b**.5 for a, b in zip(q, v)])


JUDGES = dict(
    RandomChoice=random_choice, WinStayLoseShift=win_stay, ChoiceKernel=kernel, RescorlaWagner=learner(rescorla),
    Fictitious=learner(counterfactual), KalmanFilter=kalman(greedy), TwoRates=learner(two_rates),
    Forgetting=learner(forgetting), Perseveration=perseveration, Lapse=lapse, PearceHall=pearce_hall,
    KalmanBonus=kalman(curious), Counterfactual=learner(counterfactual), HiddenReversal=reversal, GainLoss=gain_loss,
    RescorlaWagnerKernel=both, ProbitHybrid=kalman(probit), Stay4=stay, Stay9=stay, GQL=gql)


def judged(name, trials, p, M, s):
    "NLL of each participant by the judge"
    total = dict.fromkeys(trials.participants, 0.)
    for i in range(trials.n_sessions):
        judge = JUDGES[name](p, trials.n_options, M, s)
        prob = next(judge)
        for t in range(trials.starts[i], trials.starts[i + 1]):
            c = int(trials.choice[t])
            if c < 0: continue
            if trials.counted[t]: total[trials.participants[trials.session_participant[i]]] -= math.log(prob[c])
            prob = judge.send((c, trials.reward[t].tolist()))
    return pd.Series(total)


def in_units(trials, low, high):
    "The same trials; rewards of 0 and 1 have become these"
    return rebuild(trials, reward=low + (high - low) * trials.reward)


def ready(trials, name):
    "This model for these trials; None if they cannot feed it"
    return {type(m).__name__: m for m in bandit_models(trials, most=12)}.get(name)


def somewhere(cell, seed):
    "Parameters inside the bounds, near the defaults' size"
    rng, out = np.random.default_rng(seed), {}
    for n, p in cell.params.items():
        reach = (p.upper - p.lower) / 8
        out[n] = float(rng.uniform(max(p.lower, p.default - reach), min(p.upper, p.default + reach)))
    return out


WORLDS = {"0, 1": (2, False, 0, 1), "four options, all rewards shown": (4, True, 0, 1),
          "four options": (4, False, 0, 1), "points": (2, False, 0, 100), "wins and losses": (2, True, -1, 1),
          "other points": (3, False, 20, 60)}
# each unit of rewards is a class of its own: not all, and uncompiled
SOME = {"points": ("RescorlaWagner", "ProbitHybrid", "Stay9"),
        "wins and losses": ("PearceHall", "Counterfactual", "GainLoss"),
        "other points":
            ("Forgetting", "HiddenReversal", "GainLoss")}


def world(key):
    n, full, low, high = WORLDS[key]
    return in_units(people(n, full), low, high), 0. if low < 0 < high else (low + high) / 2, high - low


@pytest.mark.parametrize("name, key", [(name, key) for key in WORLDS for name in SOME.get(key, NAMES)])
def test_each_model_is_its_equation(name, key):
    trials, M, s = world(key)
    cell = ready(trials, name)
    n, full, low, _ = WORLDS[key]
    presumes = name in ("Fictitious", "Counterfactual") and n > 2 and not full
    possible = not (name in TWO_ONLY and n > 2 or presumes or name == "GainLoss" and low >= 0)
    assert (cell is not None) == possible
    if not possible: return
    for seed in range(2):
        p = somewhere(cell, seed)
        found = by_hand(cell, p, trials) if key in SOME else nll(cell, p, trials)
        np.testing.assert_allclose(found, judged(name, trials, p, M, s), rtol=1e-10)


def test_each_model_has_its_judge():
    assert set(NAMES) == set(JUDGES) and len(NAMES) == 20
    trials = people(2)      # hidden rewards and missing choices are among the trials
    assert np.isnan(trials.reward[trials.choice >= 0]).all(1).any() and (trials.choice < 0).any()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "RandomChoice"])
@pytest.mark.parametrize("n", [2, 4])
def test_names_of_options_do_not_matter(name, n):
    trials = people(n, n == 4)
    new = np.random.default_rng(0).permutation(n)
    reward = np.empty_like(trials.reward)
    reward[:, new] = trials.reward
    other = rebuild(trials, choice=np.where(trials.choice < 0, -1, new[trials.choice]), reward=reward)
    cell = ready(trials, name)
    if cell is None: return
    np.testing.assert_allclose(nll(cell, trials=trials), nll(cell, trials=other), rtol=1e-12)


def test_a_bias_belongs_to_its_option():
    trials = people(2)
    other = rebuild(trials, choice=np.where(trials.choice < 0, -1, 1 - trials.choice), reward=trials.reward[:, ::-1])
    cell = ready(trials, "RandomChoice")
    np.testing.assert_allclose(nll(cell, dict(bias_1=.7), trials), nll(cell, dict(bias_1=-.7), other), rtol=1e-12)
    assert (nll(cell, dict(bias_1=.7), trials) != nll(cell, dict(bias_1=.7), other)).all()


def by_hand(cell, p, trials):
    "NLL of each participant by the cell's own rules, uncompiled"
    total, p = np.zeros(trials.n_participants), cell.p(**p)
    for i in range(trials.n_sessions):
        state = cell.init(p, trials.n_options)
        for t in range(trials.starts[i], trials.starts[i + 1]):
            trial = make_trial(int(trials.choice[t]), trials.reward[t], trials.n_options)
            if trials.choice[t] >= 0 and trials.counted[t]:
                total[trials.session_participant[i]] -= math.log(softmax(cell.logits(p, state, trial))[trial.choice])
            state = cell.update(p, state, trial)
    return total


@pytest.mark.parametrize("name", NAMES)
def test_the_unit_of_rewards_changes_nothing(name):
    trials = people(4, True) if name not in TWO_ONLY else people(2)
    if name == "GainLoss": trials = in_units(trials, -1, 1)
    hundred = rebuild(trials, reward=100 * trials.reward)
    one, other = ready(trials, name), ready(hundred, name)
    np.testing.assert_allclose(by_hand(one, {}, trials), by_hand(other, {}, hundred), rtol=1e-12)
    p = somewhere(one, 3)
    q = {n: v / 100 if n in getattr(one, "per_reward", ("beta",)) else v for n, v in p.items()}
    np.testing.assert_allclose(by_hand(one, p, trials), by_hand(other, q, hundred), rtol=1e-10)
    for n in one.params:
        shrink = other.params[n].upper / one.params[n].upper
        assert shrink == pytest.approx(q[n] / p[n])
        assert other.params[n].lower == pytest.approx(shrink * one.params[n].lower)


@pytest.mark.parametrize("name", ["RescorlaWagner", "KalmanBonus"])
def test_fits_do_not_hang_on_the_unit(name):
    trials = simulate(RescorlaWagner(), BanditsDrift(.1), people=4, n_trials=80, seed=5)
    hundred = rebuild(trials, reward=100 * trials.reward)
    one, other = fit(ready(trials, name), trials), fit(ready(hundred, name), hundred)
    np.testing.assert_allclose(one.nll, other.nll, atol=1e-4)


# The list

def test_what_trials_cannot_feed_is_named():
    def reasons(**new): return bandit_models(rebuild(people(2), **new), most=12).left_out
    trials = people(2)
    assert list(reasons()) == ["GainLoss"] and "rewards go from 0 to 1" in reasons()["GainLoss"]
    hidden = bandit_models(rebuild(trials, reward=np.full_like(trials.reward, np.nan)), most=12)
    assert [type(m).__name__ for m in hidden] == list(CHOICES_ALONE)
    assert set(hidden.left_out.values()) == {"no reward is shown"}
    nothing = bandit_models(rebuild(trials, reward=0 * trials.reward), most=12)
    assert [type(m).__name__ for m in nothing] == list(CHOICES_ALONE)
    assert nothing.left_out["TwoRates"] == "all rewards are 0"
    always = reasons(reward=5 + 0 * trials.reward)
    assert set(always) == {"GainLoss", "WinStayLoseShift", "HiddenReversal"}
    assert "all rewards are 5" in always["HiddenReversal"]
    once = rebuild(trials, session=np.arange(len(trials)))
    assert [type(m).__name__ for m in bandit_models(once)] == ["RandomChoice"]
    assert "GQL" in bandit_models(trials).left_out and "most=12" in bandit_models(trials).left_out["GQL"]
    for models in (bandit_models(trials), nothing):
        assert all(f"left out: {name}: {why}" in repr(models) for name, why in models.left_out.items())
        assert sorted([*models.table().index, *models.left_out]) == sorted(NAMES)


def test_the_list_without_trials():
    assert [len(m.params) for m in bandit_models()] == sorted(len(m.params) for m in bandit_models())
    few = bandit_models(most=2)
    assert all(len(m.params) <= 2 for m in few) and len(few) + len(few.left_out) == len(NAMES)
    for wrong, error in ((0, ValueError), ("many", TypeError)):
        with pytest.raises(error, match="most"): bandit_models(most=wrong)
    with pytest.raises(TypeError): bandit_models([1, 2])


def test_rewards_of_the_trials_are_what_counts():
    trials = in_units(people(2), 20, 60)
    models = {type(m).__name__: m for m in bandit_models(trials, most=12)}
    q = models["Forgetting"].init(models["Forgetting"].p(), 2).q
    assert (q == 40).all() and all(models[n].params["beta"].upper == .5 for n in ("Forgetting", "RescorlaWagner"))
    assert isinstance(models["RescorlaWagner"], RescorlaWagner)
    assert type(bandit_models(people(2))[3]) is RescorlaWagner     # rewards of 0 and 1: the one that everybody knows


def test_all_are_compared_in_one_line():
    trials = demo_trials().take(participants=list(demo_trials().participants)[:4])
    models = bandit_models(trials, most=3)
    found = compare([fit(m, trials, starts=1) for m in models])
    assert list(found.values.columns) == [type(m).__name__ for m in models] and np.isfinite(found.values).all(axis=None)
    assert cross_validate(models[:4], trials, folds=2, starts=1).values.shape == (4, 4)


# For other rewards

@pytest.mark.parametrize("name", NAMES)
def test_a_model_survives_a_journey(name):
    cell = for_rewards(bandit_models()[NAMES.index(name)], -5, 25)
    for there in (pickle.loads(pickle.dumps(cell)), copy.deepcopy(cell)):
        assert type(there) is type(cell) and there.values == cell.values and there.params == cell.params
    back = for_rewards(for_rewards(cell, 0, 3), 0, 1)
    assert type(back) is type(bandit_models()[NAMES.index(name)])
    assert back.values == pytest.approx(bandit_models()[NAMES.index(name)].values)


def test_for_rewards_refuses():
    with pytest.raises(TypeError, match="knows the models of bandit_models"):
        for_rewards(avoidance_model("QLearning"), 0, 10)
    with pytest.raises(TypeError, match="write RescorlaWagner()"): for_rewards(RescorlaWagner, 0, 10)
    with pytest.raises(ValueError, match="lowest must be below highest, got 2 and 2"):
        for_rewards(RescorlaWagner(), 2, 2)
    with pytest.raises(ValueError, match="highest"): for_rewards(RescorlaWagner(), 0, np.inf)


class Half(ValueModel):
    "A model of one's own"
    params = dict(beta=Param(3., 0, 20))
    def update(p, state, trial):
        state.q[trial.choice] += .5 * (trial.reward[trial.choice] - MIDDLE) + .5 * (MIDDLE - state.q[trial.choice])


def test_a_model_of_ones_own_takes_part():
    points, cell = rebuild(people(2), reward=10 * people(2).reward), for_rewards(Half(), 0, 10)
    np.testing.assert_allclose(nll(cell, trials=points), nll(Half(), trials=people(2)), rtol=1e-12)
    assert isinstance(pickle.loads(pickle.dumps(cell)), Half)
    with pytest.raises(TypeError, match="BanditModel lacks the rule logits"): BanditModel()


@pytest.mark.parametrize("name", ["WinStayLoseShift", "Lapse", "Fictitious", "Stay9"])
def test_only_what_is_on_offer_counts(name):
    trials = people(3, True)
    rng = np.random.default_rng(1)
    offer = np.array([rng.permutation([c, (c + 1) % 3, -1] if c >= 0 and rng.random() < .5 else [0, 1, 2])
                      for c in trials.choice])
    fewer = rebuild(trials, offer=offer)
    p = replay(ready(trials, name), fewer)[[f"p_{k}" for k in range(3)]].to_numpy()
    np.testing.assert_allclose(p.sum(1), 1)
    for t in range(fewer.n_trials): assert set(np.flatnonzero(p[t])) == set(fewer.offer[t][fewer.offer[t] >= 0])


def test_a_lapse_is_a_mixture_at_any_inverse_temperature():
    trials = people(2)
    p = replay(ready(trials, "Lapse"), trials, dict(alpha=1., beta=20., epsilon=.1))[["p_0", "p_1"]].to_numpy()
    assert p.min() == pytest.approx(.05, abs=1e-8) and p.max() == pytest.approx(.95, abs=1e-8)


def test_probit_far_out():
    from spice_rl.models.ready import _log_phi
    x = np.r_[-200, -38, np.linspace(-30.1, -29.9, 9), -8, -1, 0, 5, 50]
    np.testing.assert_allclose([_log_phi(v) for v in x], norm.logcdf(x), rtol=1e-9)


# Many stimuli

def remembered(p, blocks):
    "NLL of (stimulus, answer, rewards) triples, block by block, by a plain loop with tables of values and memory"
    total = 0.
    for block in blocks:
        q, m, n = {}, {}, len({s for s, _, _ in block})
        for s, c, r in block:
            K = len(r)
            for table in q, m: table.setdefault(s, [1 / K] * K)
            trust = p["rho"] * min(1, p["capacity"] / n)
            if c >= 0:
                pairs = zip(softmax([p["beta"] * v for v in m[s]]), softmax([p["beta"] * v for v in q[s]]))
                both = [trust * a + (1 - trust) * b for a, b in pairs]
                total -= math.log((1 - p["epsilon"]) * both[c] + p["epsilon"] / K)
                m = {t: [v + p["decay"] * (1 / K - v) for v in values] for t, values in m.items()}
                if seen(r[c]): q[s][c], m[s][c] = q[s][c] + p["alpha"] * (r[c] - q[s][c]), r[c]
    return total


def stimuli(order=None, seed=2):
    "Random answers to blocks of two, three and four stimuli, with shuffled numbers; some missing, some rewards hidden"
    rng, rows = np.random.default_rng(seed), []
    number = rng.permutation(9) if order is None else order
    for b, (first, n) in enumerate(((0, 2), (2, 3), (5, 4))):
        rows += [(number[first + s], b) for _ in range(8) for s in rng.permutation(n)]
    context, block = np.array(rows).T
    choice = np.where(rng.random(len(rows)) < .1, -1, rng.integers(3, size=len(rows)))
    reward = np.where(np.arange(3) == choice[:, None], rng.integers(2, size=(len(rows), 1)), np.nan)
    reward[rng.random(len(rows)) < .1] = np.nan
    return Trials.from_arrays(choice, reward, np.zeros(len(rows), int), block, options=range(3), context=context)


def test_memory_is_its_equation():
    trials = stimuli()
    cell = rlwm(trials)
    assert len(cell.state) == 8            # as many places as the largest block has stimuli
    blocks = [[(int(trials.context[t]), int(trials.choice[t]), trials.reward[t].tolist()) for t in range(a, b)]
              for a, b in zip(trials.starts[:-1], trials.starts[1:])]
    for seed in range(3):
        p = somewhere(cell, seed)
        np.testing.assert_allclose(nll(cell, p, trials), remembered(p, blocks), rtol=1e-10)
    other = stimuli(order=np.arange(9))    # other numbers for the same stimuli
    back = np.argsort(np.random.default_rng(2).permutation(9))
    again = rebuild(trials, context=back[trials.context])
    np.testing.assert_allclose(nll(rlwm(again), p, again), nll(cell, p, trials), rtol=1e-12)
    assert type(rlwm(other)) is type(pickle.loads(pickle.dumps(rlwm(other))))


def test_memory_refuses_what_it_cannot_tell():
    trials = stimuli()
    points, mixed = rebuild(trials, reward=100 * trials.reward), rebuild(trials, context=trials.context % 4)
    with pytest.raises(ValueError, match="rewards from 0 to 1, got 0 to 100"): rlwm(points)
    with pytest.raises(ValueError, match="stands in blocks of"): rlwm(mixed)
    with pytest.raises(TypeError): rlwm(RescorlaWagner())


def test_rewards_that_a_model_was_not_made_for():
    points = rebuild(people(2), reward=100 * people(2).reward)
    said = r"rewards go from 0 to 100, and this Forgetting is made for .*for_rewards\(Forgetting\(\), 0, 100\)"
    with pytest.warns(UserWarning, match=said):
        nll(bandit_models()[NAMES.index("Forgetting")], trials=points)


# What can be recovered: 60 people, 200 trials, two arms whose chances drift by .1 (or that swap, .8 and .2)

class GainsAndLosses(Bandits):
    "Each arm may pay 1 and may take 1; the chances of both drift"
    settings, extra, draws = dict(sigma=Param(.1, 0)), 2, staticmethod(lambda n: (2 * n, 2 * n))
    def start(e, uniform, normal, world): world[:4] = uniform
    def pay(e, world, choice, uniform, normal, reward):
        for k in range(2): reward[k] = 1. * (uniform[k] < world[k]) - 1. * (uniform[2 + k] < world[2 + k])
        for k in range(4): world[k] = min(max(world[k] + e.sigma * normal[k], 0.), 1.)


rate, strict, around, drift, habit = beta(2, 2), uniform(1, 5), norm(0, 1), uniform(.1, .9), uniform(.5, 3)
DRIFT, FLIP = BanditsDrift(.1), BanditsFlip(.8, .2, .05)
RECOVERED = dict(   # task, true parameters, least correlation; each person alone
    RandomChoice=(DRIFT, dict(bias_1=around), .95), WinStayLoseShift=(DRIFT, dict(epsilon=beta(2, 8)), .85),
    RescorlaWagner=(DRIFT, dict(alpha=rate, beta=strict), .7),
    KalmanFilter=(DRIFT, dict(drift=drift, beta=strict), .55))
TOGETHER = dict(    # and those that need the others: hierarchical
    Fictitious=(FLIP, dict(alpha=rate, beta=strict), .85), ChoiceKernel=(DRIFT, dict(alpha_c=rate, beta_c=habit), .65),
    TwoRates=(DRIFT, dict(alpha_pos=rate, alpha_neg=rate, beta=strict), .6),
    Forgetting=(DRIFT, dict(alpha=rate, beta=strict, forget=rate), .55),
    Perseveration=(DRIFT, dict(alpha=rate, beta=strict, kappa=around), .65),
    KalmanBonus=(DRIFT, dict(drift=drift, beta=strict, phi=around), .6),
    GainLoss=(GainsAndLosses(), dict(alpha=rate, rho_gain=strict, rho_loss=strict), .7),
    RescorlaWagnerKernel=(DRIFT, dict(alpha=rate, beta=strict, alpha_c=rate, beta_c=habit), .55))


@pytest.mark.parametrize("name", [*RECOVERED, *TOGETHER])
def test_parameters_are_recovered(name):
    task, draw, least = {**RECOVERED, **TOGETHER}[name]
    cell, rng = bandit_models()[NAMES.index(name)], np.random.default_rng(11)
    truth = pd.DataFrame({p: draw[p].rvs(size=60, random_state=rng) for p in cell.params})
    if name == "GainLoss": cell, truth = for_rewards(cell, -1, 1), truth / dict(alpha=1, rho_gain=2, rho_loss=2)
    trials = simulate(cell, task, truth, n_trials=200, seed=12)
    found = (fit if name in RECOVERED else fit_hierarchical)(cell, trials).parameters
    for p in cell.params:
        r = np.corrcoef(truth[p], found[p])[0, 1]
        assert r > least, f"{p}: r = {r:.2f}"
