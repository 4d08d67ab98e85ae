"""The avoidance task, its files and its models: frozen numbers, an independent likelihood, laws, bad input and
names."""
import json
import warnings
from functools import cache
from itertools import combinations, permutations
from math import exp, log

import numpy as np
import pandas as pd
import pytest

from spice_rl import avoidance
from spice_rl.models.avoidance import Avoidance, AvoidanceTask, read_avoidance, to_files, with_bias, with_decay
from spice_rl.models.avoidance import with_novel
from spice_rl.core.cell import make_trial
from spice_rl.core.engine import Lanes, nll, softmax
from spice_rl.core.playing import play, simulate
from spice_rl.core.replaying import replay_arrays
from spice_rl.models.ready import avoidance_model, avoidance_models
from spice_rl.core.params import Param

# What the models are, as the specification has it: names in order, defaults, bounds, options
RATES = "factual_lr counterfactual_lr factual_actor_lr counterfactual_actor_lr critic_lr contextual_lr".split()
BOUNDS = (
    dict.fromkeys(RATES, (.01, .99))
    | dict.fromkeys(["mixing_factor", "weighting_factor", "valence_factor"], (0, 1))
    | dict.fromkeys(["noise_factor", "decay_factor"], (0, .2))
    | dict(temperature=(.01, 1), novel_value=(-1, 1))
)
HYBRID = dict(
    factual_lr=.49,
    counterfactual_lr=.49,
    factual_actor_lr=.33,
    counterfactual_actor_lr=.33,
    critic_lr=.48,
    temperature=.06,
    mixing_factor=.7,
)
STANDARD = {k: v for k, v in HYBRID.items() if "counterfactual" not in k}
DEFAULTS = dict(
    QLearning=dict(factual_lr=.28, counterfactual_lr=.18, temperature=.06),
    ActorCritic=dict(factual_actor_lr=.33, counterfactual_actor_lr=.33, critic_lr=.48, temperature=.06),
    Relative=dict(factual_lr=.19, counterfactual_lr=.15, contextual_lr=.33, temperature=.05),
    Advantage=dict(factual_lr=.28, counterfactual_lr=.18, temperature=.06, weighting_factor=.5),
    Hybrid2012=HYBRID, Hybrid2021=HYBRID | dict(mixing_factor=.69, noise_factor=.04),
    StandardHybrid2012=STANDARD, StandardHybrid2021=STANDARD | dict(mixing_factor=.69, noise_factor=.04))
# in the order of the parameters
OPTION = dict(bias=("valence_factor", .33), novel=("novel_value", 0.), decay=("decay_factor", .08))
OPTIONS = {
    name: ["novel", "decay"] if name in ("QLearning", "Relative", "Advantage") else list(OPTION) for name in DEFAULTS
}
MODELS = ["+".join((name, *some)) for name in DEFAULTS for n in range(4) for some in combinations(OPTIONS[name], n)]
FULL = ["+".join((name, *OPTIONS[name])) for name in DEFAULTS]
GOLDEN = [m for m in MODELS if "+bias" not in m or m.count("+") != 2]
# Each takes a second to compile: all models with all options; without bias, which no value of its parameter turns off;
# some with less
COMPILED = [
    *FULL,
    *(f"{name}+novel+decay" for name in DEFAULTS if "bias" in OPTIONS[name]),
    "QLearning",
    "QLearning+novel",
    "Relative",
    "ActorCritic",
]


def whole(name):
    "Of a model, itself or the same with novel and decay, whose parameters change nothing at 0"
    return name if name in COMPILED else "+".join([name.split("+")[0], *["bias"] * ("+bias" in name), "novel", "decay"])


def model(name, **values):
    "The model, without the warning that the actor-critic does not decay"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "decay changes nothing in ActorCritic")
        return avoidance_model(name, **values)


@cache
def people(name="QLearning", n_learning=4, n_transfer=1, n=2, seed=3):
    "Simulated people who choose as the model does at a middling temperature"
    return simulate(
        model(name, temperature=.4), AvoidanceTask(n_learning=n_learning, n_transfer=n_transfer), people=n, seed=seed
    )


def tables(trials):
    "The two tables of these trials, as a reader of files would have them"
    frame = trials.to_frame()
    return [
        frame[frame.phase == phase].drop(columns="phase").reset_index(drop=True) for phase in ("learning", "transfer")
    ]


def draws(cell, n, seed=0, margin=.02):
    "Parameters drawn inside the bounds, (n, n_params)"
    low, high = (np.array([getattr(p, k) for p in cell.params.values()]) for k in ("lower", "upper"))
    return np.random.default_rng(seed).uniform(low + margin * (high - low), high - margin * (high - low), (n, len(low)))


def assert_same_trials(a, b):
    for k in ("choice", "reward", "offer", "context", "participant", "session", "counted"):
        np.testing.assert_array_equal(getattr(a, k), getattr(b, k))


# The independent likelihood: one person, symbol by symbol, from the two tables

WORTH = {"75R1": 4, "25R1": 3, "75R2": 4, "25R2": 3, "25P1": 2, "75P1": 1, "25P2": 2, "75P2": 1, "Zero": 0}


def reference_nll(name, p, learning, transfer):
    """Negative log-likelihood of one person's choices (0 left, 1 right; NaN: none made), each scored before anything
    is learned from it"""
    base, *options = name.split("+")
    mixing = p["mixing_factor"] if "Hybrid" in base else float(base != "ActorCritic")
    noise, total = p.get("noise_factor", 0.), 0.
    q, w = dict.fromkeys(WORTH, 0.), dict.fromkeys(WORTH, .01)
    critic, context = {}, {}  # by pair
    q["Zero"] = w["Zero"] = p["novel_value"] if "novel" in options else 0.

    def surprise(mine, other):
        h = {s: (1 - mixing) * w[s] + mixing * q[s] for s in (mine, other)}
        d = (h[other] - h[mine]) / p["temperature"]
        if not noise: return d + log(1 + exp(-d)) if d > 0 else log(1 + exp(d))
        chance = exp(-d) / (1 + exp(-d)) if d > 0 else 1 / (1 + exp(d))
        return -log((1 - noise) * chance + noise / 2)

    def seen(points):
        r = points / 10
        if "bias" not in options or r == 0: return r
        return (1 - p["valence_factor"]) * r if r > 0 else p["valence_factor"] * r

    for row in learning.to_dict("records"):
        if np.isnan(row["choice_made"]): continue
        sides = ("L", "R") if row["choice_made"] == 0 else ("R", "L")
        mine, other = (row[f"symbol_{side}_name"] for side in sides)
        r_mine, r_other = (seen(row[f"feedback_{side}"]) for side in sides)
        total += surprise(mine, other)
        pair, mean = row["symbol_names"], (r_mine + r_other) / 2
        v, c = critic.get(pair, 0.), context.get(pair, 0.)
        minus = dict(Relative=c, Advantage=p.get("weighting_factor", 0.) * mean).get(base, 0.)
        for symbol, r, kind in ((mine, r_mine, "factual"), (other, r_other, "counterfactual")):
            if kind == "counterfactual" and base.startswith("Standard"): continue
            if base != "ActorCritic": q[symbol] += p[f"{kind}_lr"] * (r - minus - q[symbol])
            if mixing < 1 or "Hybrid" in base: w[symbol] += p[f"{kind}_actor_lr"] * (r - v)
        size = abs(w[mine]) + abs(w[other])
        w[mine], w[other] = (w[mine] / size, w[other] / size) if size else (.5, .5)
        critic[pair] = v + p.get("critic_lr", 0.) * (r_mine - v)
        context[pair] = c + p.get("contextual_lr", 0.) * (mean - c)
    if "decay" in options: q = {s: (1 - p["decay_factor"]) * x for s, x in q.items()}
    for left, right, choice in zip(transfer.symbol_L_name, transfer.symbol_R_name, transfer.choice_made):
        if not np.isnan(choice): total += surprise(*((left, right) if choice == 0 else (right, left)))
    return total


def reference(name, parameters, learning, transfer):
    "The same for everybody in the tables; `parameters`: a dict by person"
    return {
        who: reference_nll(
            name, parameters[who], learning[learning.participant_id == who], transfer[transfer.participant_id == who]
        )
        for who in parameters
    }


# Numbers

@pytest.fixture(scope="module")
def golden(shared):
    "Rows of the reference implementation and the trials they speak of"
    file = shared/"golden/avoidance_nll.json"
    data = [shared/f"data/tutorial_{phase}_data.csv" for phase in ("learning", "transfer")]
    if not all(f.is_file() for f in (file, *data)): pytest.skip(f"no golden numbers in {shared}")
    return pd.DataFrame(json.loads(file.read_text())), read_avoidance(*data)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    rows, trials = golden
    rows, cell = rows[rows.model == name].set_index("participant"), model(whole(name))
    assert len(rows) == 2
    theta = pd.DataFrame(list(rows.parameters), index=rows.index)
    assert set(theta) == set(model(name).params)
    found = nll(
        cell, theta.reindex(columns=list(cell.params), fill_value=0.), trials.take(participants=list(rows.index))
    )
    np.testing.assert_allclose(found[rows.index], rows.nll, rtol=0, atol=1e-6)


def test_golden_leaves_no_model_out(golden):
    assert len(GOLDEN) == 42 and sorted(golden[0].model) == sorted(2 * GOLDEN)


def test_the_reference_here_is_the_reference(golden):
    "The judge of the next test, judged by the golden numbers"
    rows, trials = golden
    learning, transfer = tables(trials)
    for r in rows[rows.model.isin(FULL)].itertuples():
        assert reference(r.model, {r.participant: r.parameters}, learning, transfer)[r.participant] == pytest.approx(
            r.nll, abs=1e-6
        )


@pytest.mark.parametrize("name", COMPILED)
def test_likelihood_is_the_specified_one(name):
    cell, trials = model(name), people()
    for theta in draws(cell, 8).reshape(4, 2, -1):
        table = pd.DataFrame(theta, columns=list(cell.params))
        found, want = nll(cell, table, trials), reference(name, table.to_dict("index"), *tables(trials))
        np.testing.assert_allclose(found, [want[who] for who in trials.participants], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FULL)
def test_likelihood_on_the_bounds(name):
    "Also where a weight is 0, all noise is gone or one half of the mixture is"
    cell, trials = model(name), people()
    for side in ("lower", "upper", "default"):
        p = {k: getattr(v, side) for k, v in cell.params.items()}
        want = reference(name, dict.fromkeys(trials.participants, p), *tables(trials))
        np.testing.assert_allclose(
            nll(cell, p, trials), [want[who] for who in trials.participants], rtol=1e-12, atol=1e-9
        )


# Derivatives

@pytest.mark.parametrize("name", FULL)
def test_scoring_is_the_slope(name):
    cell, trials = model(name), people(n_transfer=2)
    lanes, who, theta, h = Lanes(cell, trials, 1), np.arange(4) % 2, draws(cell, 4, seed=5, margin=.1), 1e-6
    value, gradient, information = lanes.scoring(theta, who)
    np.testing.assert_array_equal(value, lanes.nll(theta, who))
    for k in range(theta.shape[1]):
        step = h * (np.arange(theta.shape[1]) == k)
        np.testing.assert_allclose(
            gradient[:, k],
            (lanes.nll(theta + step, who) - lanes.nll(theta - step, who)) / (2 * h),
            rtol=1e-4,
            atol=1e-3,
        )
    np.testing.assert_array_equal(information, information.transpose(0, 2, 1))
    assert (np.linalg.eigvalsh(information) >= -1e-9 * abs(information).max((1, 2))[:, None]).all()


@pytest.mark.parametrize("name", ["QLearning+novel+decay", "Hybrid2021+bias+novel+decay"])
def test_information_is_the_expected_one(name):
    """Of two options, P (1 − P) times the slope of their difference in logits, squared; the slope by central
    differences of a replay"""
    cell, trials, h = model(name), people(n_transfer=2), 1e-6
    theta = draws(cell, 1, seed=5, margin=.1)[0]
    def difference(at):
        x = replay_arrays(cell, dict(zip(cell.params, at)), trials)[0]
        return np.subtract(*(x[np.arange(len(x)), trials.offer[:, j]] for j in (0, 1)))
    p = 1 / (1 + np.exp(-difference(theta)))
    slope = np.array([(difference(theta + h * e) - difference(theta - h * e)) / (2 * h) for e in np.eye(len(theta))])
    found = Lanes(cell, trials, 1).scoring(np.tile(theta, (2, 1)), [0, 1])[2]
    for i in (0, 1):
        mine = trials.participant == i
        np.testing.assert_allclose(found[i], (slope * p * (1 - p))[:, mine] @ slope[:, mine].T, rtol=1e-3, atol=1e-3)


# Laws

def test_counting_transfer_together_changes_nothing():
    cell = model("StandardHybrid2021+bias+novel+decay")
    class OneByOne(type(cell), option="one by one"): needs_feedback = False
    assert type(cell).needs_feedback
    trials = people(n_transfer=3)
    theta, who = draws(cell, 4), np.arange(4) % 2
    together, single = Lanes(cell, trials, 1), Lanes(OneByOne(), trials, 1)
    assert len(together.rows.choice) < len(single.rows.choice)  # something was counted together
    np.testing.assert_allclose(together.nll(theta, who), single.nll(theta, who), rtol=1e-12)
    for a, b in zip(together.scoring(theta, who), single.scoring(theta, who)):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["Hybrid2021+bias+novel+decay", "Relative+novel+decay"])
def test_missing_choices_add_nothing(name):
    "They are not scored, and nothing is learned from them"
    rng, cell = np.random.default_rng(0), model(name)
    full = tables(people(n_transfer=2))
    gone = [rng.random(len(t)) < .3 for t in full]
    holes = [t.assign(choice_made=t.choice_made.mask(g)) for t, g in zip(full, gone)]
    some, fewer = read_avoidance(*holes, missing_choices=True), read_avoidance(*(t[~g] for t, g in zip(full, gone)))
    assert len(some) == sum(map(len, full)) and some.n_counted == fewer.n_counted == sum((~g).sum() for g in gone)
    np.testing.assert_allclose(nll(cell, None, some), nll(cell, None, fewer), rtol=1e-12)
    want = reference(name, dict.fromkeys((0, 1), cell.values), *holes)
    np.testing.assert_allclose(nll(cell, None, some), [want[0], want[1]], rtol=0, atol=1e-9)


def test_somebody_without_any_choice():
    full = [t.assign(choice_made=t.choice_made.mask(t.participant_id == 0)) for t in tables(people())]
    found = nll(model("QLearning"), None, read_avoidance(*full, missing_choices=True))
    assert found[0] == 0 and found[1] == nll(model("QLearning"), None, people())[1]


def test_left_and_right_are_names():
    "Tables with their sides exchanged are the same trials"
    def mirrored(t):
        return t.rename(
            columns=lambda c: c.translate(str.maketrans("LR", "RL")) if "_L" in c or "_R" in c else c
        ).assign(choice_made=1 - t.choice_made)
    full = tables(people(n_transfer=2))
    assert set(mirrored(full[0])) == set(full[0]) and not mirrored(full[0])[list(full[0])].equals(full[0])
    rng = np.random.default_rng(0)
    a, b = read_avoidance(*full), read_avoidance(*map(mirrored, full))
    some = [pd.concat([t[m], mirrored(t)[~m]]).sort_index() for t in full for m in [rng.random(len(t)) < .5]]
    for other in (b, read_avoidance(*some)):
        assert_same_trials(a, other)
        assert nll(model("Hybrid2012+novel+decay"), None, a).equals(nll(model("Hybrid2012+novel+decay"), None, other))


def test_pairs_of_one_kind_are_names():
    "Reward1 and Reward2 exchanged, Punish1 and Punish2 too: nobody can tell"
    other = {s: s[:-1] + "21"[int(s[-1]) - 1] if s != "Zero" else s for s in WORTH}
    full = tables(people(n_transfer=2))
    swapped = [t.assign(**{c: t[c].map(other) for c in ("symbol_L_name", "symbol_R_name")}) for t in full]
    swapped[0] = swapped[0].assign(symbol_names=swapped[0].symbol_names.map(lambda s: s[:-1] + "21"[int(s[-1]) - 1]))
    for name in ("Hybrid2021+bias+novel+decay", "Relative+novel+decay"):
        np.testing.assert_allclose(
            nll(model(name), None, read_avoidance(*full)), nll(model(name), None, read_avoidance(*swapped)), rtol=1e-12
        )


def test_order_of_participants_does_not_matter():
    full, cell = tables(people(n=4, n_transfer=2)), model("Advantage+novel+decay")
    want = nll(cell, None, read_avoidance(*full))
    by = lambda t, order: pd.concat([t[t.participant_id == who] for who in order])
    # everybody's first trial, everybody's second, …
    mixed = lambda t: t.iloc[np.argsort(t.groupby("participant_id").cumcount(), kind="stable")]
    for learning, transfer in (
        (by(full[0], [3, 1, 0, 2]), by(full[1], [0, 2, 3, 1])),
        (full[0], by(full[1], [3, 2, 1, 0])),
        (mixed(full[0]), mixed(full[1])),
    ):
        found = nll(cell, None, read_avoidance(learning, transfer))
        assert list(found.index) == list(pd.unique(learning.participant_id)) and found[want.index].equals(want)


def test_order_within_transfer_does_not_matter():
    full, cell = tables(people(n_transfer=2)), model("Hybrid2021+bias+novel+decay")
    shuffled = full[1].sample(frac=1, random_state=0)
    np.testing.assert_allclose(
        nll(cell, None, read_avoidance(full[0], shuffled))[[0, 1]], nll(cell, None, read_avoidance(*full)), rtol=1e-12
    )


def test_only_ratios_to_the_temperature_count():
    "Feedback in other units is the same person at another temperature, as long as all values come from feedback"
    full = tables(people(n_transfer=2))
    half = [full[0].assign(feedback_L=full[0].feedback_L / 2, feedback_R=full[0].feedback_R / 2), full[1]]
    for name in ("QLearning+novel+decay", "Relative", "Advantage+novel+decay"):   # a novel symbol is worth 0
        np.testing.assert_allclose(
            nll(model(name, temperature=.2), None, read_avoidance(*half)),
            nll(model(name, temperature=.4), None, read_avoidance(*full)),
            rtol=1e-12,
        )


@pytest.mark.parametrize(
    "outer, inner, values",
    [
        ("Hybrid2012+novel+decay", "QLearning+novel+decay", dict(mixing_factor=1.)),
        ("Hybrid2012+bias+novel+decay", "ActorCritic+bias+novel+decay", dict(mixing_factor=0.)),
        ("Hybrid2021+novel+decay", "Hybrid2012+novel+decay", dict(noise_factor=0.)),
        ("StandardHybrid2021+novel+decay", "StandardHybrid2012+novel+decay", dict(noise_factor=0.)),
        ("Advantage+novel+decay", "QLearning+novel+decay", dict(weighting_factor=0.)),
        ("QLearning+novel+decay", "QLearning+novel", dict(decay_factor=0.)),
        ("QLearning+novel", "QLearning", dict(novel_value=0.)),
        ("Relative+novel+decay", "Relative", dict(novel_value=0., decay_factor=0.)),
        ("ActorCritic+novel+decay", "ActorCritic", dict(novel_value=0., decay_factor=.17)),
    ],
)
def test_models_contain_each_other(outer, inner, values):
    a, b, trials = model(outer), model(inner), people(n_transfer=2)
    for p in draws(a, 3):
        p = dict(zip(a.params, p)) | values
        np.testing.assert_allclose(nll(a, p, trials), nll(b, {k: p[k] for k in b.params}, trials), rtol=1e-12)


def test_half_the_valence_is_half_the_feedback():
    full = tables(people())
    half = [full[0].assign(feedback_L=full[0].feedback_L / 2, feedback_R=full[0].feedback_R / 2), full[1]]
    np.testing.assert_allclose(
        nll(model("Hybrid2012+bias+novel+decay", valence_factor=.5), None, read_avoidance(*full)),
        nll(model("Hybrid2012+novel+decay"), None, read_avoidance(*half)),
        rtol=1e-12,
    )


def test_the_first_choice_costs_log_two():
    "Before the first trial both symbols are alike"
    learning, transfer = tables(people().take(participants=[0]))
    one = read_avoidance(learning[:1], transfer.assign(choice_made=np.nan), missing_choices=True)
    for name in FULL: assert nll(model(name), None, one)[0] == pytest.approx(np.log(2), rel=1e-12)


# Simulation

@pytest.mark.parametrize("name", ["QLearning+novel+decay", "Hybrid2021+bias+novel+decay"])
def test_simulation_follows_its_seed(name):
    cell, task = model(name), AvoidanceTask(n_learning=4, n_transfer=1)
    a, b, c = (simulate(cell, task, people=3, seed=s) for s in (1, 1, 2))
    assert a.to_frame().equals(b.to_frame())
    assert not a.to_frame().equals(c.to_frame())
    assert (a.choice != c.choice).any()
    assert (a.offer != c.offer).any()
    assert simulate(cell, task, people=3, seed=1, threads=2).to_frame().equals(a.to_frame())
    d, e = (simulate(cell, task, people=3, seed=np.random.default_rng(7)) for _ in range(2))
    assert d.to_frame().equals(e.to_frame())
    more = simulate(cell, task, people=5, seed=1).take(participants=[0, 1, 2])  # nobody depends on who else is there
    for k in ("choice", "reward", "offer"): np.testing.assert_array_equal(getattr(more, k), getattr(a, k))


def test_simulation_touches_no_global_generator():
    before = np.random.get_state()
    simulate(model("QLearning"), AvoidanceTask(n_learning=2, n_transfer=1), seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(before, np.random.get_state()))


def test_the_task_is_the_specified_one():
    trials = simulate(model("QLearning"), AvoidanceTask(), people=40, seed=0)
    learning, transfer = tables(trials)
    assert set(learning.groupby(["participant_id", "symbol_names"]).size()) == {24} and len(transfer) == 40 * 384
    pairs = transfer.apply(lambda r: frozenset((r.symbol_L_name, r.symbol_R_name)), axis=1)
    assert pairs.nunique() == 32 and set(pairs.groupby(transfer.participant_id).value_counts()) == {12}
    assert all(len({WORTH[s] for s in pair}) == 2 for pair in set(pairs))
    seen = pd.concat(
        [learning[[f"symbol_{s}_name", f"feedback_{s}"]].set_axis(["symbol", "points"], axis=1) for s in "LR"]
    )
    for symbol, points in seen.groupby("symbol").points:
        share = int(symbol[:2]) / 100  # how often it pays or costs
        assert set(points) == ({0, 10} if "R" in symbol else {-10, 0})
        assert (points != 0).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(points)))
    for t in (learning, transfer):
        assert (t.symbol_L_value > t.symbol_R_value).mean() == pytest.approx(.5, abs=4 * .5 / np.sqrt(len(t)))
    assert (
        learning.symbol_names.map(lambda s: s[:6])
        == learning.context_val_name.map({"Reward": "Reward", "Loss Avoid": "Punish"})
    ).all()
    right = np.where(
        learning.choice_made == 0,
        learning.symbol_L_value > learning.symbol_R_value,
        learning.symbol_R_value > learning.symbol_L_value,
    )
    assert (learning.accuracy == 100 * right).all()


@pytest.mark.parametrize("name", ["QLearning+novel+decay", "Hybrid2021+bias+novel+decay"])
def test_people_choose_as_the_likelihood_says(name):
    "Of the trials that promised 20-30 % for the better symbol, so many were chosen: in learning and in transfer"
    cell = model(name, temperature=.3)
    trials = simulate(cell, AvoidanceTask(n_learning=12, n_transfer=2), people=100, seed=4)
    p, rows = softmax(replay_arrays(cell, None, trials)[0]), np.arange(len(trials))
    assert (p > 0).sum(1).max() == 2
    better, hit = p[rows, trials.offer[:, 0]], trials.choice == trials.offer[:, 0]
    for phase in (trials.context < 4, trials.context == 4):
        for low in np.arange(0, 1, .1):
            here = phase & (better >= low) & (better < low + .1)
            if here.sum() > 20:
                assert abs((hit - better)[here].sum()) < 4.5 * np.sqrt((better * (1 - better))[here].sum())


def test_play_keeps_the_offers():
    trials, cell = people(n_transfer=2), model("Hybrid2012+novel+decay", temperature=.5)
    before = [getattr(trials, k).copy() for k in ("choice", "reward", "offer")]
    choices = play(cell, None, trials, times=30, seed=1)
    assert choices.shape == (30, len(trials)) and (choices[..., None] == trials.offer).any(2).all()
    assert len(np.unique(choices, axis=0)) == 30 and (np.sort(np.unique(choices)) == np.arange(9)).all()
    np.testing.assert_array_equal(choices, play(cell, None, trials, times=30, seed=1, threads=2))
    assert (choices != play(cell, None, trials, times=30, seed=2)).any()
    for k, was in zip(("choice", "reward", "offer"), before): np.testing.assert_array_equal(getattr(trials, k), was)


# Files

def test_files_come_back(tmp_path):
    groups = {"b_1": "no pain", "a_2_x": "Gruppe ä", "c": "no pain"}
    trials = simulate(
        model("QLearning"),
        AvoidanceTask(4, 1, groups=groups),
        pd.DataFrame(dict(temperature=.4), index=list(groups)),
        seed=2,
    )
    files = tmp_path/"l.csv", tmp_path/"t.csv"
    to_files(trials, *files)
    again = read_avoidance(*files)
    assert_same_trials(again, trials)
    assert again.participants == trials.participants == tuple(groups)
    assert again.per_participant("group_code").to_dict() == groups
    assert_same_trials(read_avoidance(*map(str, files)), trials)
    assert_same_trials(read_avoidance(*map(pd.read_csv, files)), trials)
    to_files(trials.take(participants=["c", "b_1"]), *files)
    assert_same_trials(read_avoidance(*files), trials.take(participants=["c", "b_1"]))


@pytest.mark.parametrize("share", [.3, 1.])
def test_files_with_missing_choices_come_back(share, tmp_path):
    "Even if nobody chose anything in transfer"
    learning, transfer = tables(people())
    gone = np.random.default_rng(0).random(len(transfer)) < share
    trials = read_avoidance(
        learning, transfer.assign(choice_made=transfer.choice_made.mask(gone)), missing_choices=True
    )
    to_files(trials, tmp_path/"l.csv", tmp_path/"t.csv")
    assert_same_trials(read_avoidance(tmp_path/"l.csv", tmp_path/"t.csv", missing_choices=True), trials)


def test_reading_leaves_the_tables_and_keeps_their_columns():
    full = [t.assign(rt=np.arange(len(t)) / 7, age=30) for t in tables(people())]
    copies = [t.copy() for t in full]
    frame = read_avoidance(*full).to_frame()
    for t, was, phase in zip(full, copies, ("learning", "transfer")):
        pd.testing.assert_frame_equal(t, was)
        part = frame[frame.phase == phase]
        assert part.rt.tolist() == was.rt.tolist() and (part.age == 30).all()


@pytest.mark.parametrize("ids", [[7, 12], ["7_a", "p_1_2"], ["007", "010"], ["Zoë", "x y"]])
@pytest.mark.parametrize("groups", [["one", "two"], [1, 2], ["all", "all"]])
def test_any_ids_and_groups(ids, groups, tmp_path):
    full = [
        t.assign(
            participant_id=np.array(ids, object)[t.participant_id],
            group_code=np.array(groups, object)[t.participant_id],
        )
        for t in tables(people())
    ]
    files = tmp_path/"l.csv", tmp_path/"t.csv"
    for t, f in zip(full, files): t.to_csv(f, index=False)
    for trials in (read_avoidance(*full), read_avoidance(*files)):
        assert trials.participants == tuple(ids)
        assert trials.per_participant("group_code").to_dict() == dict(zip(ids, groups))
        np.testing.assert_array_equal(nll(model("QLearning"), None, trials), nll(model("QLearning"), None, people()))


# Bad input

LEARNING, TRANSFER = 0, 1


def named():
    "Two tables of two people"
    return [t.assign(participant_id=t.participant_id.map({0: "ann", 1: "bob"})) for t in tables(people())]


def broken(which, column, value, row=3):
    "The two tables, with one cell changed"
    full = named()
    full[which] = full[which].assign(**{column: full[which][column].astype(object)})
    full[which].loc[row, column] = value
    return full


@pytest.mark.parametrize("which, phase", [(0, "learning"), (1, "transfer")])
def test_a_missing_file(which, phase, tmp_path):
    files = [tmp_path/"trials_learning.csv", tmp_path/"trials_transfer.csv"]
    to_files(people(), *files)
    files[which] = tmp_path/f"trial_{phase}.csv"
    with pytest.raises(FileNotFoundError, match=rf"no file '.*trial_{phase}.csv'.*did you mean 'trials_{phase}.csv'"):
        read_avoidance(*files)


@pytest.mark.parametrize(
    "text, message",
    [("", "is empty"), ("participant_id,group_code,symbol_L_name,symbol_R_name,choice_made\n", "no rows")],
)
@pytest.mark.parametrize("which, phase", [(0, "learning"), (1, "transfer")])
def test_an_empty_file(which, phase, text, message, tmp_path):
    files = [tmp_path/"l.csv", tmp_path/"t.csv"]
    to_files(people(), *files)
    files[which].write_text(text)
    with pytest.raises(ValueError, match=f"{phase} trials: .*{message}"): read_avoidance(*files)


@pytest.mark.parametrize(
    "which, phase, column, near",
    [
        (0, "learning", "choice_made", "choicemade"),
        (1, "transfer", "choice_made", "Choice_Made"),
        (0, "learning", "feedback_R", "Feedback_R"),
        (0, "learning", "symbol_names", "symbols_names"),
        (1, "transfer", "group_code", "group"),
        (0, "learning", "participant_id", "participant"),
        (1, "transfer", "symbol_L_name", "symbol_l_name"),
        (0, "learning", "group_code", "groupcode"),
    ],
)
def test_a_missing_column(which, phase, column, near):
    full = named()
    full[which] = full[which].rename(columns={column: near})
    with pytest.raises(ValueError, match=f"{phase} trials: no column '{column}'.*nearest is '{near}'") as e:
        read_avoidance(*full)
    assert "Name it" not in str(e.value)  # there is no such argument


@pytest.mark.parametrize(
    "which, column, value, message",
    [
        (
            LEARNING,
            "choice_made",
            np.nan,
            "choice_made is empty in the learning trials, participant 'ann', line 5.*missing_choices=True",
        ),
        (
            TRANSFER,
            "choice_made",
            None,
            "choice_made is empty in the transfer trials, participant 'ann', line 5.*missing_choices=True",
        ),
        (
            LEARNING,
            "choice_made",
            2,
            r"must be 0 \(left\) or 1 \(right\), got 2 in the learning trials, participant 'ann', line 5",
        ),
        (TRANSFER, "choice_made", -1, r"must be 0 \(left\) or 1 \(right\), got -1 in the transfer trials"),
        (TRANSFER, "choice_made", 0.5, "got 0.5"),
        (
            LEARNING,
            "choice_made",
            "left",
            "'choice_made' must hold numbers, got 'left' in the learning trials, participant 'ann', line 5",
        ),
        (
            LEARNING,
            "feedback_L",
            "ten",
            "'feedback_L' must hold numbers, got 'ten' in the learning trials, participant 'ann', line 5",
        ),
        (LEARNING, "feedback_R", np.nan, "feedback_R is empty in the learning trials, participant 'ann', line 5"),
        (LEARNING, "feedback_L", np.inf, "'feedback_L' must be finite, got inf"),
        (
            LEARNING,
            "symbol_L_name",
            "75X1",
            "unknown symbol '75X1' in column 'symbol_L_name' of the learning trials, participant 'ann', line 5.*'75R1'",
        ),
        (TRANSFER, "symbol_R_name", "zero", "unknown symbol 'zero' in column 'symbol_R_name' of the transfer trials"),
        (TRANSFER, "symbol_L_name", np.nan, "unknown symbol nan"),
        (
            LEARNING,
            "symbol_names",
            "Reward3",
            "unknown pair 'Reward3' in column 'symbol_names' of the learning trials, participant 'ann', line "
            "5.*'Punish2'",
        ),
        (LEARNING, "symbol_names", np.nan, "unknown pair nan"),
        (LEARNING, "group_code", np.nan, "group_code is empty in the learning trials, line 5"),
        (TRANSFER, "participant_id", None, "participant_id is empty in the transfer trials, line 5"),
        (
            LEARNING,
            "group_code",
            "others",
            r"participant 'ann' has two groups in the learning trials: \('everybody', 'others'\)",
        ),
        (TRANSFER, "group_code", "others", "participant 'ann' has two groups in the transfer trials"),
    ],
)
def test_a_bad_cell(which, column, value, message):
    with pytest.raises(ValueError, match=message): read_avoidance(*broken(which, column, value))


@pytest.mark.parametrize(
    "pair, symbols", [("Reward2", ("75R1", "25R1")), ("Reward1", ("75R1", "25R2")), ("Punish1", ("Zero", "25P1"))]
)
def test_symbols_that_are_not_the_pair(pair, symbols):
    learning, transfer = named()
    learning.loc[3, ["symbol_names", "symbol_L_name", "symbol_R_name"]] = pair, *symbols
    with pytest.raises(
        ValueError,
        match=f"'{symbols[0]}' and '{symbols[1]}' are not the pair '{pair}' in the learning trials, participant 'ann', "
              f"line 5",
    ):
        read_avoidance(learning, transfer)


@pytest.mark.parametrize("pair", [("75R1", "75R2"), ("25P2", "25P1"), ("Zero", "Zero")])
def test_a_pair_of_equal_value(pair):
    learning, transfer = named()
    transfer.loc[3, ["symbol_L_name", "symbol_R_name"]] = pair
    with pytest.raises(
        ValueError, match="two symbols of equal value in the transfer trials, participant 'ann', line 5"
    ):
        read_avoidance(learning, transfer)


@pytest.mark.parametrize("which, here, there", [(0, "transfer", "learning"), (1, "learning", "transfer")])
def test_somebody_in_one_file_only(which, here, there):
    full = named()
    full[which] = full[which][full[which].participant_id != "bob"]
    with pytest.raises(ValueError, match=rf"no {there} trials for participant \('bob'\), who has {here} trials"):
        read_avoidance(*full)


def test_a_group_that_changes_between_files():
    learning, transfer = named()
    transfer.loc[transfer.participant_id == "bob", "group_code"] = "others"
    with pytest.raises(
        ValueError,
        match="participant 'bob' is in group 'everybody' in the learning trials but in 'others' in the transfer trials",
    ):
        read_avoidance(learning, transfer)


@pytest.mark.parametrize("which", [0, 1])
def test_ids_as_numbers_here_and_text_there(which):
    full = tables(people())
    full[which] = full[which].assign(participant_id=full[which].participant_id.astype(str))
    with pytest.raises(ValueError, match="participant_id is read as text in one file and as numbers in the other"):
        read_avoidance(*full)


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("choice_made", 2, "got 2 in the learning trials, participant 0, line 5"),
        ("group_code", "others", "participant 0 has two groups in the learning trials"),
    ],
)
def test_numeric_ids_are_printed_as_in_the_file(column, value, message):
    learning, transfer = tables(people())
    learning.loc[3, column] = value
    with pytest.raises(ValueError, match=message): read_avoidance(learning, transfer)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: AvoidanceTask(n_learning=0), "n_learning must be a whole number of at least 1, got 0"),
        (lambda: AvoidanceTask(p_often=1.2), "p_often must be at least 0 and at most 1, got 1.2"),
        (lambda: simulate(model("QLearning"), AvoidanceTask(2, 1), n_trials=50), "AvoidanceTask has its own trials"),
        (
            lambda: simulate(model("QLearning"), AvoidanceTask(2, 1, groups={0: "a"}), people=2),
            r"no group for participant \(1\)",
        ),
        (lambda: play(model("QLearning"), None, people(), times=0), "times must be a whole number of at least 1"),
    ],
)
def test_bad_tasks(make, message):
    with pytest.raises(ValueError, match=message): make()


# Names, parameters and models of one's own

@pytest.fixture
def own_models():
    "What is defined here is forgotten afterwards"
    before = dict(avoidance._MODELS)
    yield
    avoidance._MODELS.clear()
    avoidance._MODELS.update(before)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_the_published_ones(name):
    base, *options = name.split("+")
    want = DEFAULTS[base] | dict(OPTION[o] for o in options)
    params = model(name).params
    assert list(params) == list(want) and {k: p.default for k, p in params.items()} == want == model(name).values
    assert {k: (p.lower, p.upper) for k, p in params.items()} == {k: BOUNDS[k] for k in want}


def test_names_of_models():
    assert set(avoidance_models()) >= set(DEFAULTS) and set(avoidance_models(options=True)) >= set(MODELS)


@pytest.mark.parametrize("name", FULL)
def test_options_in_any_order(name):
    base, *options = name.split("+")
    assert {type(model("+".join((base, *some)))) for some in permutations(options)} == {type(model(name))}
    assert repr(model(name)).startswith(f"{name}(") and model(name, temperature=.5).values["temperature"] == .5


@pytest.mark.parametrize(
    "name, message",
    [
        ("Qlearning", "unknown model 'Qlearning'; nearest is 'QLearning'"),
        ("ActorCritc+bias", r"unknown model 'ActorCritc'; nearest is 'ActorCritic\+bias'"),
        ("hybrid2012+novel", r"nearest is 'Hybrid2012\+novel'"),
        ("QLearning+novle", r"unknown option 'novle' in 'QLearning\+novle'; nearest is 'QLearning\+novel'"),
        ("QLearning+", "unknown option ''"),
        ("", "unknown model ''"),
        ("+novel", "unknown model ''"),
        ("QLearning+bias", "'bias' does not apply to QLearning; nearest is 'QLearning'.*novel, decay"),
        ("Relative+novel+bias", r"'bias' does not apply to Relative; nearest is 'Relative\+novel'"),
        ("Advantage+bias", "does not apply to Advantage; nearest is 'Advantage'"),
        ("Hybrid2012+novel+novel", "has the option 'novel' twice"),
        ("QLearning+decay+novel+decay", "has the option 'decay' twice"),
        (3, "a model's name is a text like .*, got 3"),
        (None, "is a text"),
        (["QLearning"], "is a text"),
        (("QLearning", "novel"), "is a text"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError, match=message): avoidance_model(name)


@pytest.mark.parametrize(
    "values, message",
    [
        (dict(temprature=0.1), "unknown parameter 'temprature'; did you mean 'temperature'"),
        (dict(novel_value=0.1), "unknown parameter 'novel_value'"),
        (dict(temperature=0.), r"temperature must lie in \[0.01, 1\], got 0"),
        (dict(factual_lr=1.), "factual_lr must lie in"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ValueError, match=message): avoidance_model("QLearning", **values)


def test_decay_of_the_actor_warns():
    "Each time it is asked for, not only the first time"
    for _ in range(2):
        with pytest.warns(UserWarning, match="decay changes nothing in ActorCritic.*only q-values decay"):
            avoidance_model("ActorCritic+decay")


def test_decay_of_others_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in FULL: name.startswith("ActorCritic") or avoidance_model(name)


def test_options_as_functions():
    base = type(model("Hybrid2012"))
    made = with_decay(with_novel(with_bias(base)))
    assert made.__name__ == "Hybrid2012+bias+novel+decay"
    assert made.with_options == ("bias", "novel", "decay")
    assert base.with_options == ()
    assert "valence_factor" not in base.params
    assert made.params == type(model(made.__name__)).params
    # the order changes no number
    other, cell = with_bias(with_decay(with_novel(base))), model("Hybrid2012+bias+novel+decay")
    after = [
        m.update(
            m.p(novel_value=.4), m.init(m.p(novel_value=.4), 9), make_trial(0, np.r_[1., -1, np.zeros(7)], 9, [0, 1])
        )
        for m in (other(), cell)
    ]
    np.testing.assert_array_equal(*after)
    with pytest.raises(ValueError, match=r"Hybrid2012\+novel has 'novel' already"): with_novel(with_novel(base))
    for name in ("QLearning", "Relative", "Advantage"):
        with pytest.raises(ValueError, match=f"'bias' does not apply to {name}; what does: novel, decay"):
            with_bias(type(model(name)))
    with pytest.warns(UserWarning, match="decay changes nothing in ActorCritic"):
        with_decay(type(model("ActorCritic")))()
    assert made.__name__ not in avoidance._MODELS  # a name has its options after the plus


def test_a_model_of_ones_own(own_models):
    "Found by name, with the options it allows, and its likelihood is what its rule says"
    class Sticky(Avoidance):
        params = dict(lr=Param(.3, 0, 1), stay=Param(.1, 0, 1), temperature=Param(.2, .01, 1))
        state, options = ("q", "k"), ("bias", "novel", "decay")
        def init(p, state): state.q[:] = .5
        def value(p, q, k): return q + p.stay * k
        def learn(p, state, chosen, other, r_chosen, r_other):
            state.q[chosen] += p.lr * (r_chosen - state.q[chosen])
            state.k[chosen], state.k[other] = 1., 0.
    assert "Sticky" in avoidance_models() and "Sticky+bias+novel+decay" in avoidance_models(options=True)
    cell = avoidance_model("Sticky+decay+novel+bias", lr=.4, novel_value=-.2, decay_factor=.15, valence_factor=.7)
    assert list(cell.params) == ["lr", "stay", "temperature", "valence_factor", "novel_value", "decay_factor"]
    learning, transfer = tables(people(n_transfer=2).take(participants=[1]))
    q, k, total = dict.fromkeys(WORTH, .5) | {"Zero": -.2}, dict.fromkeys(WORTH, 0.) | {"Zero": -.2}, 0.
    for phase, rows in (("learning", learning), ("transfer", transfer)):
        if phase == "transfer": q = {s: .85 * x for s, x in q.items()}
        for r in rows.to_dict("records"):
            mine, other = (r["symbol_L_name"], r["symbol_R_name"])[::1 - 2 * r["choice_made"]]
            total += log(1 + exp((q[other] + .1 * k[other] - q[mine] - .1 * k[mine]) / .2))
            if phase == "transfer": continue
            paid = r["feedback_R" if r["choice_made"] else "feedback_L"] / 10
            q[mine] += .4 * ((.3 if paid > 0 else .7) * paid - q[mine])
            k[mine], k[other] = 1., 0.
    assert nll(cell, None, people(n_transfer=2))[1] == pytest.approx(total, abs=1e-9)


def test_options_of_ones_own_model_by_default(own_models):
    class Slow(type(model("QLearning"))):
        params = type(model("QLearning")).params | dict(factual_lr=Param(.05, .01, .99))
    assert avoidance_model("Slow+decay").values == dict(
        factual_lr=.05, counterfactual_lr=.18, temperature=.06, decay_factor=.08
    )
    assert avoidance_model("QLearning").values["factual_lr"] == .28
    with pytest.raises(ValueError, match="'bias' does not apply to Slow"): avoidance_model("Slow+bias")
    with pytest.raises(ValueError, match="unknown model 'Slw'; nearest is 'Slow'"): avoidance_model("Slw")


def test_one_may_think_again(own_models):
    "A class of one's own defined twice, as in a notebook: the later one counts"
    for start in (.1, .2):
        class Again(type(model("QLearning"))):
            params = type(model("QLearning")).params | dict(factual_lr=Param(start, .01, .99))
        assert avoidance_model("Again+novel").values["factual_lr"] == start


@pytest.mark.parametrize("name", ["QLearning", "StandardHybrid2021"])
def test_a_built_in_name_is_taken(name, own_models):
    before = type(avoidance_model(name))
    with pytest.raises(ValueError, match=f"{name} is the name of a model of spice_rl"):
        type(name, (Avoidance,), dict(__module__=__name__))
    assert type(avoidance_model(name)) is before


def test_a_model_that_cannot_be_is_not_listed(own_models):
    "A definition that was refused leaves no name behind"
    with pytest.raises(ValueError, match="value of Lost asks for 'w', which is not in its state"):
        class Lost(Avoidance):
            params, state = dict(temperature=Param(.2, .01, 1)), ("q",)
            def value(p, w): return w
            def learn(p, state, chosen, other, r_chosen, r_other): pass
    assert "Lost" not in avoidance_models()
