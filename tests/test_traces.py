"""Equations of traces: the likelihood against a slow one for every signal, exact slopes and scores, structures
recovered from people who differ, bounds, budget, kinds of people, unseen people, columns that trials see."""
import math
import pickle
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from tqdm import tqdm
from spice_rl import AgentQ, Bandits, BanditsDrift, Param, RescorlaWagner, TraceColumn, TraceEquation, TraceStructure
from spice_rl import Trials, check_fit, discover, fit, fit_hierarchical, make_trial, nll, parameter_recovery, play
from spice_rl import read_trials, replay, search_library, simulate, to_agent, write_page
from spice_rl import plot_equation
from spice_rl.discovery import pulls, trace_search, traces
from spice_rl.inference import modes
from spice_rl.core.engine import gradient
from spice_rl.core.params import from_line, to_line
from spice_rl.core.wide_trials import _log_likelihood, _trial_at

TERMS = [
    "value",
    "choice",
    "choice_2",
    "last",
    ("last", "stay"),
    ("last", "stay", "reward"),
    ("last", "reward"),
    ("last", "reward_rate"),
    ("last", "win_stay"),
    ("last", "since_switch"),
    ("choice", "stay"),
    ("value", "stay"),
]
STRUCTURES = (
    [TraceStructure((t,)) for t in TERMS]
    + [
        TraceStructure(("value",), rates=r, others=o, start=s)
        for r in ("one", "two")
        for o in ("kept", "forgotten", "together", "shown")
        for s in ("middle", "zero", "free")
    ]
    + [TraceStructure(tuple(TERMS), rates="two", others="forgotten", start="free")]
)


def odd_trials(n_options, seed=0, people=3, sessions=2, n=25, shown=.3, low=0):
    "Missing choices, hidden rewards, offers of some of the options, and now and then what the others would have paid"
    rng, rows = np.random.default_rng(seed), people * sessions * n
    reward = np.full((rows, n_options), np.nan)
    offer, choice = np.full((rows, n_options), -1), np.full(rows, -1)
    for t in range(rows):
        options = np.sort(rng.choice(n_options, rng.integers(min(2, n_options - 1), n_options + 1), replace=False))
        offer[t, :len(options)] = options
        if rng.random() < .1: continue
        choice[t] = rng.choice(options)
        if rng.random() < .85: reward[t, choice[t]] = rng.integers(low, 2)
        if rng.random() < shown:
            reward[t, options] = np.where(options == choice[t], reward[t, options], rng.integers(low, 2, len(options)))
    participant = np.repeat(np.arange(people), sessions * n)
    session = np.tile(np.repeat(np.arange(sessions), n), people)
    return Trials.from_arrays(choice, reward, participant, session, options=list(range(n_options)), offer=offer)


def numbers_of(structure, seed=1, rewards=(0, 1)):
    rng = np.random.default_rng(seed)
    cell = TraceEquation(structure, rewards=rewards)
    return {
        n: (
            rng.uniform(.05, .95)
            if p.upper == 1
            else .3
            if n == "start"
            else rng.uniform(1, 4)
            if p.lower == 0
            else rng.normal()
        )
        for n, p in cell.params.items()
    }


def slowly(s, p, trials, who, middle=.5):
    "NLL of one person in plain Python, written from the words of the page"
    total, session = 0., None
    origin = {"middle": middle, "zero": 0., "free": p.get("start", 0.)}[s.start]
    for t in np.flatnonzero(trials.participant == who):
        if trials.session[t] != session:
            session, last, before, run = trials.session[t], None, 0., 0
            value, lost = [origin] * trials.n_options, [0.] * trials.n_options
            habit = {x: [0.] * trials.n_options for x in ("choice", "choice_2")}
            common = dict(stay=0., win_stay=0., reward_rate=0., reward=0.)
        options, c = [k for k in trials.offer[t] if k >= 0], trials.choice[t]
        if c < 0: continue
        seen = {c.name: (trials.columns[c.name][t] - c.centre) / c.scale for c in s.columns}
        def logit(k):
            out = 0.
            own = dict(
                value=value[k],
                loss=lost[k],
                choice=habit["choice"][k],
                choice_2=habit["choice_2"][k],
                last=1. if k == last else 0.,
            )
            for term in s.terms:
                x = own[term[0]] if term[0] in own else seen[term[0]][k]
                for name in term[1:]:
                    x *= (
                        math.log(max(1, run))
                        if name == "since_switch"
                        else seen[name]
                        if name in seen
                        else common[name]
                    )
                out += p[s.weight(term)] * x
            return out
        z = {k: logit(k) for k in options}
        total += math.log(sum(math.exp(z[k] - z[c]) for k in options))
        r = trials.reward[t, c]
        known = not math.isnan(r)
        if last in options and len(options) > 1:
            again = 1 if c == last else -1
            run = max(run, 1) + 1 if again > 0 else 1
            if "alpha_stay" in p: common["stay"] += p["alpha_stay"] * (again - common["stay"])
            if "alpha_win_stay" in p:
                common["win_stay"] += p["alpha_win_stay"] * (again * np.sign(before) - common["win_stay"])
        if known and "alpha_reward_rate" in p:
            common["reward_rate"] += p["alpha_reward_rate"] * (r - middle - common["reward_rate"])
        for name, h in habit.items():
            for k in options if f"alpha_{name}" in p else (): h[k] += p[f"alpha_{name}"] * ((k == c) - h[k])
        rate = p.get("alpha", p.get("alpha_reward") if known and r > middle else p.get("alpha_penalty"))
        for k in options if rate is not None else ():
            if k == c: value[k] += rate * (r - value[k]) if known else 0.
            elif s.others == "forgotten": value[k] += p["forget"] * (origin - value[k])
            elif s.others == "together": value[k] += rate * (origin - value[k]) if known else 0.
            elif s.others == "shown" and not math.isnan(trials.reward[t, k]):
                value[k] += p["alpha_other"] * (trials.reward[t, k] - value[k])
        for k in options if "alpha_loss" in p else ():
            if k == c: lost[k] += p["alpha_loss"] * (max(0., -r) - lost[k]) if known else 0.
            elif s.others == "forgotten": lost[k] -= p["forget"] * lost[k]
            elif s.others == "together": lost[k] -= p["alpha_loss"] * lost[k] if known else 0.
            elif s.others == "shown" and not math.isnan(trials.reward[t, k]):
                lost[k] += p["alpha_other"] * (max(0., -trials.reward[t, k]) - lost[k])
        if known: before = common["reward"] = r - middle
        last = c
    return total


LOSSES = [
    TraceStructure(("loss",)),
    TraceStructure(("value", "loss", "last", ("loss", "stay")), rates="two", others="forgotten", start="free"),
    *(TraceStructure(("value", "loss"), others=o) for o in ("kept", "forgotten", "together", "shown")),
]


@pytest.mark.parametrize("low", [0, -1])
@pytest.mark.parametrize("n_options", [2, 4])
def test_the_likelihood_is_that_of_the_words(n_options, low):
    trials = odd_trials(n_options, low=low)
    data = pulls._Data(trials, (low + 1) / 2)
    for s in LOSSES if low else STRUCTURES:
        p = numbers_of(s, rewards=(low, 1))
        cell = TraceEquation(s, p, rewards=(low, 1))
        true = [slowly(s, p, trials, i, (low + 1) / 2) for i in range(trials.n_participants)]
        assert np.allclose(nll(cell, trials=trials), true, rtol=1e-10), s
        line = trace_search._TraceLine(cell, trials, data, 1)
        z = np.tile(to_line(np.array(list(p.values())), line.params), (3, 1))
        v, g, f = line.scoring(z, np.arange(3))
        assert np.allclose(v, true, rtol=1e-10) and np.allclose(line.nll(z, np.arange(3)), true, rtol=1e-10), s
        assert np.allclose(g, gradient(cell, trials=trials).to_numpy() * line.slope(z), atol=2e-4, rtol=1e-4), s
        assert np.allclose(f, modes._Line.scoring(line, z, np.arange(3))[2], atol=1e-4, rtol=1e-3), s


def test_trial_by_trial_it_is_what_the_loop_says():
    "init, logits and update of the cell, called one after the other"
    trials, s = odd_trials(3), STRUCTURES[-1]
    cell = TraceEquation(s, numbers_of(s))
    p, total = cell.p(), 0.
    for t in np.flatnonzero(trials.participant == 0):
        if t == 0 or trials.session[t] != trials.session[t - 1]: state = cell.init(p, 3)
        options = trials.offer[t][trials.offer[t] >= 0]
        trial = make_trial(int(trials.choice[t]), trials.reward[t], 3, options)
        if trial.choice >= 0:
            z = cell.logits(p, state, trial)
            total += np.log(np.exp(z[options]).sum()) - z[trial.choice]
        state = cell.update(p, state, trial)
    assert np.isclose(total, nll(cell, trials=trials).iloc[0], rtol=1e-10)


def test_rescorla_wagner_is_rescorla_wagner():
    trials = simulate(RescorlaWagner(alpha=.3, beta=3.), BanditsDrift(.2), people=3, n_trials=60, seed=0)
    cell = TraceEquation(TraceStructure(("value",)), dict(alpha=.4, beta=2.))
    assert np.allclose(nll(cell, trials=trials), nll(RescorlaWagner(alpha=.4, beta=2.), trials=trials), rtol=1e-12)
    assert cell.as_rl().name == "Rescorla-Wagner"
    assert (
        TraceEquation(TraceStructure(("value", "last"), others="forgotten")).as_rl().name
        == "Rescorla-Wagner with forgetting and perseveration"
    )
    assert np.allclose(
        fit(cell, trials).table.nll, fit(RescorlaWagner(), trials, bounds=dict(beta=(0, 20))).table.nll, atol=1e-3
    )


def searching(trials, alike=False, columns=()):
    search = trace_search._Search(trials, alike, 12, 1, columns=columns)
    search.bar = tqdm(disable=True)
    return search


@pytest.mark.parametrize("n_options", [2, 3])
def test_a_score_is_the_slope_of_a_refit(n_options):
    """By central differences of the likelihood with the new weight moved, everything else where it is; and the
    projected information against a dense one"""
    trials = odd_trials(n_options, people=4)
    search = searching(trials)
    model = search.fit(search.best, TraceStructure(("value",)))
    columns = trace_search._candidates(
        model, [("last",), ("last", "stay"), ("last", "stay", "reward"), ("choice",)], .5
    )
    g, A, f, h = trace_search._evidence_of(model, trace_search._Dictionary(model, columns, .5), search.data, False)
    theta = from_line(model.z, model.line.params)
    for j, c in enumerate(columns):
        s = TraceStructure((*model.structure.terms, c.term))
        cell = TraceEquation(s)
        def at(w):
            rows = pd.DataFrame(theta, trials.participants, model.names)
            rows = rows.assign(
                **{n: w if n == s.weight(c.term) else c.rate for n in cell.params if n not in model.names}
            )
            return nll(cell, rows[list(cell.params)], trials).to_numpy()
        assert np.allclose(g[:, j], -(at(1e-4) - at(-1e-4)) / 2e-4, atol=1e-6), c
    assert np.allclose(A, model.line.scoring(model.z, np.arange(4))[2], rtol=1e-9, atol=1e-12)
    P, C = np.diag(1 / model.v), np.linalg.inv(A + np.diag(1 / model.v))
    share = h[:, 0] - np.einsum("ij,ijk,ik->i", f[:, :, 0], C, f[:, :, 0])
    whole = np.concatenate(
        [np.concatenate([A + P, f[:, :, :1]], 2), np.concatenate([f[:, :, :1].transpose(0, 2, 1), h[:, :1, None]], 2)],
        1,
    )
    assert np.allclose(share, 1 / np.linalg.inv(whole)[:, -1, -1], rtol=1e-6)


def test_a_gain_is_the_best_normal_weight():
    "The closed form against an optimiser over mean and variance of the integral"
    rng = np.random.default_rng(0)
    g, h = rng.normal(1, 3, 20), rng.uniform(1, 4, 20)
    def minus(x):
        m, v = x[0], np.exp(x[1])
        return -(-.5 * np.log(1 + v * h) + (m * g + .5 * v * g**2 - .5 * h * m**2) / (1 + v * h)).sum()
    best = minimize(minus, [0., 0.], method="Nelder-Mead")
    gain, mean, variance = trace_search._gain(g, h, 1., 1.)
    assert gain <= -best.fun + 1e-9 and gain > -best.fun - .5 and np.isclose(minus([mean, np.log(variance)]), -gain)


@pytest.fixture(scope="module")
def people():
    "Habitual people who differ"
    rng = np.random.default_rng(3)
    truth = pd.DataFrame(
        dict(
            alpha=rng.beta(4, 6, 25),
            beta=rng.uniform(2, 5, 25),
            kappa_stay=rng.normal(1.5, .5, 25),
            alpha_stay=rng.beta(2, 8, 25),
        )
    )
    cell = TraceEquation(TraceStructure(("value", ("last", "stay"))))
    return simulate(cell, BanditsDrift(.2), truth[list(cell.params)], people=25, n_trials=120, seed=3)

@pytest.fixture(scope="module")
def found(people): return discover(people, threads=1, verbose=False)


def test_people_who_differ_get_the_structure_behind_them(found, people):
    assert found.structure == TraceStructure(("value", ("last", "stay")))
    assert found.name == "Rescorla-Wagner with a stay trace"
    again = fit_hierarchical(TraceEquation(found.structure), people)
    assert abs(again.log_likelihood - found.fit.log_likelihood) < .05
    assert np.allclose(again.means["mean"], found.fit.means["mean"], atol=.02)
    assert found.structures.integrated_bic.is_monotonic_increasing
    assert np.isclose(found.structures.weight.sum(), 1)
    assert found.structures.structure[0] == found.structure
    assert found.steps.integrated_bic.is_monotonic_decreasing
    assert found.steps.integrated_bic.iloc[-1] == found.integrated_bic
    assert "stay trace" in repr(found)
    assert "aligned" in found._repr_html_()
    assert found.group.typical_lower.le(found.group.typical).all()


def test_plain_people_get_nothing_more():
    rng = np.random.default_rng(7)
    truth = pd.DataFrame(dict(alpha=rng.beta(4, 6, 20), beta=rng.uniform(2, 5, 20)))
    trials = simulate(RescorlaWagner(), BanditsDrift(.2), truth, people=20, n_trials=100, seed=7)
    assert discover(trials, threads=1, verbose=False).structure == TraceStructure(("value",))


def test_the_result_is_a_cell_for_old_people_and_new(found, people):
    own = nll(found.cell, trials=people)
    assert np.allclose(own, nll(found.cell, found.people, people))
    assert np.isclose(found.score(people), np.exp(-own.sum() / len(people)))
    table = people.to_frame()
    new = read_trials(table.assign(participant="new " + table.participant.astype(str)))
    assert np.allclose(nll(found.cell, trials=new), nll(found.cell, dict(found.group.typical), new))
    copy = TraceEquation.from_dict(found.cell.to_dict())
    assert copy.structure == found.structure and np.allclose(nll(copy, trials=people), own)
    kept = parameter_recovery(
        TraceEquation(TraceStructure(("value",))), BanditsDrift(.2), people=4, n_trials=60, bounds=dict(beta=(1, 8))
    )
    assert set(kept.table.reset_index().parameter) == {"alpha", "beta"}


def test_the_same_at_any_seed_and_number_of_threads(found, people):
    other = discover(people, verbose=False, threads=2, seed=5)
    assert other.structure == found.structure and other.integrated_bic == found.integrated_bic
    assert np.allclose(other.group[["typical", "mean", "se"]], found.group[["typical", "mean", "se"]], rtol=1e-3)


@pytest.fixture(scope="module")
def found_alike(people): return discover(people, people="alike", threads=1, verbose=False)


def test_alike_is_maximum_likelihood(people, found_alike):
    found = found_alike
    total = nll(found.cell, trials=people).sum()
    n = len(people)
    assert np.isclose(found.integrated_bic, 2 * total + len(found.group) * np.log(n))
    assert (found.people.nunique() == 1).all()
    line = trace_search._TraceLine(found.cell, people, pulls._Data(people, .5), 1)
    _, g, f = (x.sum(0) for x in line.scoring(np.tile(found.group["mean"].to_numpy(), (25, 1)), np.arange(25)))
    assert g @ np.linalg.solve(f, g) < .01   # nats that are left


def test_a_budget_and_a_length_are_kept(people):
    short = discover(people, budget=0, verbose=False)
    assert short.structure == TraceStructure()
    assert "stopped after 0 seconds" in " ".join(short.notes())
    assert np.isclose(short.score(people), .5)
    few = discover(people, most=2, verbose=False, threads=1)
    assert len(few.group) <= 2 and any("no equation may have more than 2" in note for note in few.notes())


@pytest.mark.parametrize("how, stops", [("alike", 99), ("differ", 4)])
def test_a_search_that_was_stopped_ends_where_an_unbroken_one_does(people, found, found_alike, how, stops):
    """Also when it was stopped many times (people who are alike: after each structure), was kept in a file between,
    and goes on with another number of threads"""
    if how == "alike": found = found_alike
    part, turns = discover(people, people=how, budget=0, threads=1, verbose=False), 0
    while part.stopped:
        part = pickle.loads(pickle.dumps(part)).resume(
            0 if turns < stops else None, threads=1 + turns % 2, verbose=False
        )
        turns = turns + 1
        assert part.integrated_bic >= found.integrated_bic
        assert not part.stopped or "resume(budget=…) goes on" in " ".join(part.notes())
    assert turns > 3 and part.structure == found.structure and part.integrated_bic == found.integrated_bic
    pd.testing.assert_frame_equal(part.steps, found.steps)
    pd.testing.assert_frame_equal(part.structures, found.structures)
    pd.testing.assert_frame_equal(part.kinds, found.kinds)
    assert np.allclose(part.group, found.group) and part.resume() is part and found.search is None


def kinds_of_people(seed, forgets, habit, people=40, n_trials=250):
    "People who forget at these rates, and repeat by these weights"
    rng = np.random.default_rng(seed)
    cell = TraceEquation(TraceStructure(("value", "last"), others="forgotten"))
    truth = pd.DataFrame(
        dict(alpha=rng.beta(4, 6, people), beta=rng.uniform(2, 5, people), forget=forgets(rng), kappa=habit(rng))
    )
    return simulate(cell, BanditsDrift(.2), truth[list(cell.params)], people=people, n_trials=n_trials, seed=seed)


def test_people_of_two_kinds_are_found_as_two():
    some = np.arange(40) < 20
    trials = kinds_of_people(
        0, lambda rng: np.where(some, rng.beta(8, 12, 40), 0.), lambda rng: np.where(some, 0., rng.normal(1, .3, 40))
    )
    found = discover(trials, threads=1, verbose=False)
    assert set(found.kind_groups.name) == {"Rescorla-Wagner with forgetting", "Rescorla-Wagner with perseveration"}
    assert list(found.kinds.index) == list(trials.participants)
    assert ((found.kinds.name == "Rescorla-Wagner with forgetting") == some).sum() >= 38
    assert np.isclose(found.kind_groups.share.sum(), 1) and (found.kinds.probability >= 1 / 3).all()
    assert abs(found.kind_groups.forget.max() - .4) < .12 and found.kind_groups.forget.isna().sum() == 1
    assert sum("people are of 2 kinds rather than of one" in note for note in found.notes()) == 1


def test_people_who_are_spread_are_of_one_kind():
    "Numbers that differ widely, also to both sides of 0, are no kinds"
    found = discover(
        kinds_of_people(1, lambda rng: rng.beta(2, 6, 40), lambda rng: rng.normal(.5, .7, 40)),
        threads=1,
        verbose=False,
    )
    assert found.kind_groups is None and (found.kinds.kind == "kind 1").all() and (found.kinds.probability == 1).all()
    assert found.name == "Rescorla-Wagner with forgetting and perseveration"
    assert not any("kinds" in note for note in found.notes())


def test_what_is_known_of_kinds_by_parabolas_is_what_the_choices_say():
    "Evidence of a kind whose likelihood is a parabola, by sums over a fine grid"
    rng = np.random.default_rng(0)
    z, g, h = rng.normal(size=6), rng.normal(size=6), rng.uniform(.5, 3, 6)
    kind = traces._Kind(
        TraceStructure(("last",)),
        ["kappa"],
        np.array([.3]),
        np.array([.7]),
        z[:, None],
        g[:, None],
        h[:, None, None],
        np.full(6, 2.),
    )
    x = np.linspace(-15, 15, 20001)
    density = np.exp(-.5 * (x - .3)**2 / .7) / np.sqrt(2 * np.pi * .7)
    each = density * np.exp(-(2. + g[:, None] * (x - z[:, None]) + .5 * h[:, None] * (x - z[:, None])**2))
    assert np.allclose(kind.look(), np.log(np.trapezoid(each, x)), atol=1e-8)
    mean = np.trapezoid(each * x, x) / np.trapezoid(each, x)
    assert np.allclose(kind.at[:, 0], mean)
    assert np.allclose(kind.sure[:, 0], np.trapezoid(each * (x - mean[:, None])**2, x) / np.trapezoid(each, x))


def test_nobody_runs_away():
    "Traces stay within their inputs whatever happens, so logits do"
    s = STRUCTURES[-1]
    cell = TraceEquation(s, {n: p.upper if p.upper < 50 else 50. for n, p in TraceEquation(s).params.items()})
    assert np.isfinite(nll(cell, trials=odd_trials(3, n=200))).all()


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: TraceStructure(("stay",)), "first signal of a term"),
        (lambda: TraceStructure((("last", "habit"),)), "further signal"),
        (lambda: TraceStructure(rates="three"), "rates must be"),
        (lambda: TraceEquation(TraceStructure(("loss",))), "needs rewards below and above 0"),
        (lambda: TraceEquation("value"), "TraceStructure"),
        (lambda: TraceEquation(TraceStructure(("value",)), rewards=(1, 0)), "lowest, highest"),
        (lambda: TraceEquation(TraceStructure(("value",)), dict(alpha=2.)), "alpha must lie"),
        (lambda: TraceEquation(TraceStructure(("value",)), dict(gamma=2.)), "gamma"),
        (lambda: discover("file.csv"), "Trials"),
        (lambda: discover(odd_trials(2), people="all"), "people must be"),
        (lambda: discover(odd_trials(2), most=0), "most"),
        (lambda: discover(odd_trials(2), terms=[("stay",)]), "first signal"),
    ],
)
def test_what_cannot_be_is_said(wrong, says):
    with pytest.raises((ValueError, TypeError), match=says): wrong()


def test_names_from_an_array_are_names():
    one, two, last, stay = np.array(["forgotten", "two", "last", "stay"])
    s = TraceStructure(("value", (last, stay)), rates=two, others=one)
    assert s == TraceStructure(("value", ("last", "stay")), rates="two", others="forgotten") and "str_" not in repr(s)
    with pytest.raises(ValueError, match="rates must be 'one' or 'two', got 'tow'; did you mean 'two'"):
        TraceStructure(("value",), rates=np.str_("tow"))


def test_a_simpler_structure_is_tried_again_from_the_best_ones_numbers():
    """Three people of one mechanism: plain learning, fitted first and from poor numbers, ended 15 nats too low, and
    forgetting that forgets nothing won"""
    own = [.1, .4, .8]
    rates = pd.DataFrame(dict(alpha_reward=own, alpha_penalty=own), index=["ann", "bob", "cem"])
    three = simulate(AgentQ(), BanditsDrift(sigma=.2), rates, sessions=20, seed=5)
    found = discover(three, verbose=False, threads=1)
    assert found.structure == TraceStructure(("value",)) and set(found.group.index) == {"alpha", "beta"}
    assert all(m.integrated_bic > found.integrated_bic for m in found.structures.iloc[1:].itertuples())


def test_an_equation_of_traces_is_read_and_not_drawn():
    with pytest.raises(TypeError, match="an equation of traces is read, not drawn"):
        plot_equation(TraceEquation(TraceStructure((("value",),))))


def losing(weight, people=25, n=150, seed=0):
    "People who win or lose amounts by two options, and weigh losses apart; and the structure behind them"
    rng = np.random.default_rng(seed)
    truth = pd.DataFrame(dict(alpha=rng.beta(4, 6, people), beta=rng.uniform(.7, 1.5, people)))
    structure = TraceStructure(("value", "loss") if weight else ("value",))
    if weight: truth = truth.assign(alpha_loss=rng.beta(6, 6, people), beta_loss=rng.normal(weight, .2, people))
    cell = TraceEquation(structure, rewards=(-4, 4))
    better = np.tile(np.where(np.arange(n) // 30 % 2, .7, -.3), people)[:, None] * [1, -1]
    reward = np.clip(better + rng.normal(0, 1, (people * n, 2)), -4, 4)
    trials = Trials.from_arrays(np.zeros(people * n, int), reward, np.repeat(np.arange(people), n))
    choice = play(cell, truth[list(cell.params)], trials, seed=seed)[0]
    return Trials.from_arrays(
        choice, np.where(np.arange(2) == choice[:, None], reward, np.nan), trials.participant
    ), structure


@pytest.mark.parametrize("weight", [-1.2, 0.])
def test_losses_that_weigh_more_are_found_where_they_do(weight):
    trials, structure = losing(weight)
    found = discover(trials, verbose=False, threads=1)
    assert found.structure == structure
    if weight:
        assert found.group.typical_lower.beta_loss < weight < found.group.typical_upper.beta_loss
        assert "losses of their own weight" in found.name
        assert any("away from it" in w for w in found.words())
        assert r"\max(0,-r)" in found.latex()


COLUMNS = [TraceColumn("load"), TraceColumn("dose", 5., 2.), TraceColumn("bonus", 0., 1.5, True)]
SEEING = [
    TraceStructure((("last", "load"),), columns=COLUMNS),
    TraceStructure(("bonus",), columns=COLUMNS),
    TraceStructure(("value", ("value", "load")), start="free", columns=COLUMNS),
    TraceStructure(
        (
            "value",
            ("value", "stay", "dose"),
            "last",
            ("last", "dose"),
            ("choice", "load"),
            ("last", "win_stay", "load"),
            ("last", "since_switch"),
            ("bonus", "stay"),
            "bonus",
        ),
        rates="two",
        others="forgotten",
        columns=COLUMNS,
    ),
]


def shown(trials, seed=0, **more):
    "The same trials, which show a load, a dose and a bonus of each option, where something is chosen"
    rng, n = np.random.default_rng(seed), len(trials)
    sees = dict(
        load=np.where(rng.random(n) < .5, 1., 0.),
        dose=rng.normal(5, 2, n),
        bonus=rng.integers(0, 4, (n, trials.n_options)).astype(float),
    )
    for x in sees.values(): x[trials.choice < 0] = np.nan
    on = (trials.offer[:, :, None] == np.arange(trials.n_options)).any(1)
    sees["bonus"][~on] = np.nan   # what is not on offer offers nothing
    return Trials.from_arrays(
        np.array(trials.choice),
        np.array(trials.reward),
        np.array(trials.participant),
        np.array(trials.session),
        options=list(trials.options),
        offer=np.array(trials.offer),
        sees=sees | more,
    )


def by_rules(cell, trials, rows=None):
    """NLL of each person by a cell's rules as plain Python: they are written for each structure, and compiling them
    takes seconds"""
    out = np.zeros(trials.n_participants)
    for i, (first, last) in enumerate(zip(trials.starts[:-1], trials.starts[1:])):
        who = trials.session_participant[i]
        p = cell.p(**({} if rows is None else rows.iloc[who]))
        state = cell.init(p, trials.n_options)
        for t in range(first, last):
            if trials.choice[t] < 0: continue
            trial = _trial_at(cell, trials, t)
            out[who] -= _log_likelihood(cell, p, state, trial)
            state = cell.update(p, state, trial)
    return out


@pytest.mark.parametrize("n_options", [2, 3])
def test_the_likelihood_with_columns_is_that_of_the_words(n_options):
    "The rules of each structure as plain Python; those of the longest, which holds every kind of term, compiled too"
    trials = shown(odd_trials(n_options))
    data = pulls._Data(trials, .5, COLUMNS[::-1])
    for s in SEEING:
        p = numbers_of(s)
        cell = TraceEquation(s, p)
        assert cell.sees == tuple(c.name for c in s.columns)
        true = [slowly(s, p, trials, i) for i in range(trials.n_participants)]
        assert np.allclose(by_rules(cell, trials), true, rtol=1e-10), s
        line = trace_search._TraceLine(cell, trials, data, 1)
        z = np.tile(to_line(np.array(list(p.values())), line.params), (3, 1))
        v, g, f = line.scoring(z, np.arange(3))
        assert np.allclose(v, true, rtol=1e-10)
        at = [line.nll(z + h, np.arange(3)) for h in 1e-5 * np.r_[np.eye(len(p)), -np.eye(len(p))]]
        assert np.allclose(g, (np.array(at[:len(p)]) - at[len(p):]).T / 2e-5, atol=2e-4, rtol=1e-4), s
    assert np.allclose(nll(cell, trials=trials), true, rtol=1e-10)
    assert np.allclose(g, gradient(cell, trials=trials).to_numpy() * line.slope(z), atol=2e-4, rtol=1e-4)
    assert np.allclose(f, modes._Line.scoring(line, z, np.arange(3))[2], atol=1e-4, rtol=1e-3)
    # where nothing is chosen, nobody knows what was seen
    with pytest.warns(UserWarning, match="NaN or infinite logits"): x = replay(cell, trials)
    there = trials.choice >= 0
    assert np.isclose(
        -np.log(x[[f"p_{k}" for k in range(n_options)]].to_numpy()[there, trials.choice[there]]).sum(),
        sum(true),
        rtol=1e-10,
    )


def test_a_score_of_a_column_is_the_slope_of_a_refit():
    trials = shown(odd_trials(3, people=4))
    search = searching(trials, columns=COLUMNS)
    model = search.fit(search.best, TraceStructure(("value", ("value", "load")), columns=COLUMNS))
    columns = trace_search._candidates(
        model, [("value", "dose"), ("last", "load"), ("last", "stay", "dose"), ("bonus",)], .5
    )
    g = trace_search._evidence_of(
        model, trace_search._Dictionary(model, columns, .5, search.data.columns), search.data, False
    )[0]
    theta = pd.DataFrame(from_line(model.z, model.line.params), trials.participants, model.names)
    for j, c in enumerate(columns):
        s = TraceStructure((*model.structure.terms, c.term), columns=COLUMNS)
        cell = TraceEquation(s)
        def at(w):
            rows = theta.assign(
                **{n: w if n == s.weight(c.term) else c.rate for n in cell.params if n not in model.names}
            )
            return by_rules(cell, trials, rows[list(cell.params)])
        assert np.allclose(g[:, j], -(at(1e-4) - at(-1e-4)) / 2e-4, atol=1e-6), c


def under_load(change, seed, people=25, n=150, labels=None):
    "People whose values guide them by so much of their inverse temperature more while a load is there; and its weights"
    rng, rows = np.random.default_rng(seed), people * n
    chance = np.where(np.repeat(rng.random(rows // 20 + 1) < .5, 20)[:rows], .8, .2)
    reward = (rng.random((rows, 2)) < np.c_[chance, 1 - chance]).astype(float)
    who, sees = np.repeat(np.arange(people), n), dict(load=np.arange(rows) // 15 % 2)
    cell = TraceEquation(TraceStructure(("value", ("value", "load")), columns=["load"]))
    beta = rng.uniform(3, 5, people)
    truth = pd.DataFrame(dict(alpha=rng.beta(4, 6, people), beta=beta, beta_load=beta * change))
    choice = play(cell, truth, Trials.from_arrays(np.zeros(rows, int), reward, who, sees=sees), seed=seed)[0]
    if labels: sees = dict(load=np.array(labels)[sees["load"]])
    return Trials.from_arrays(
        choice, np.where(np.arange(2) == choice[:, None], reward, np.nan), who, sees=sees
    ), truth.beta_load


@pytest.fixture(scope="module")
def loaded(): return under_load(-.5, 1)

@pytest.fixture(scope="module")
def found_loaded(loaded): return discover(loaded[0], threads=1, verbose=False)

@pytest.fixture(scope="module")
def loaded_alike(loaded): return discover(loaded[0], people="alike", threads=1, verbose=False)


def test_what_a_column_changes_is_found(loaded, found_loaded):
    found, true = found_loaded, loaded[1]
    assert found.structure == TraceStructure(("value", ("value", "load")), columns=["load"])
    assert found.name == "Rescorla-Wagner with values by load"
    assert found.group.typical_lower.beta_load < true.mean() < found.group.typical_upper.beta_load < 0


@pytest.mark.parametrize("seed", range(4))
def test_what_a_column_does_not_change_is_not_found(seed):
    found = discover(under_load(0., seed)[0], threads=1, verbose=False)
    assert found.structure == TraceStructure(("value",))
    assert "looked at, and in no term, since none lowers the integrated BIC: 'load'" in found.notes()


def chosen_by_rules(cell, truth, trials, seed):
    "What people choose, by a cell's rules as plain Python"
    rng, out = np.random.default_rng(seed), np.zeros(len(trials), int)
    for first, last, (_, own) in zip(trials.starts[:-1], trials.starts[1:], truth.iterrows()):
        p = cell.p(**own)
        state = cell.init(p, trials.n_options)
        for t in range(first, last):
            trial = _trial_at(cell, trials, t)
            x = np.exp(cell.logits(p, state, trial))
            out[t] = rng.choice(len(x), p=x / x.sum())
            state = cell.update(p, state, trial._replace(choice=out[t]))
    return out


def test_a_bonus_and_a_dose_are_found_in_their_own_units():
    rng = np.random.default_rng(5)
    trials = shown(simulate(RescorlaWagner(), BanditsDrift(.2), people=25, n_trials=150, seed=5))
    s = TraceStructure(("value", "last", ("last", "dose"), "bonus"), columns=COLUMNS)
    truth = pd.DataFrame(
        dict(
            alpha=rng.beta(4, 6, 25),
            beta=rng.uniform(3, 5, 25),
            kappa=rng.normal(.5, .3, 25),
            kappa_dose=rng.normal(.8, .2, 25),
            beta_bonus=rng.normal(.9, .2, 25),
        )
    )
    reward = np.random.default_rng(6).integers(0, 2, trials.reward.shape).astype(float)
    sees = {name: np.array(x) for name, x in trials.columns.items()}
    choice = chosen_by_rules(
        TraceEquation(s),
        truth,
        Trials.from_arrays(np.array(trials.choice), reward, np.array(trials.participant), sees=sees),
        seed=1,
    )
    lived = Trials.from_arrays(
        choice, np.where(np.arange(2) == choice[:, None], reward, np.nan), np.array(trials.participant), sees=sees
    )
    found = discover(lived, threads=1, verbose=False)
    assert found.structure.terms == s.terms
    dose, bonus = found.structure.columns[1], found.structure.columns[0]
    assert (bonus.centre, bonus.each, dose.each) == (0, True, False)
    assert abs(dose.centre - 5) < .1
    assert abs(dose.scale - 2) < .1
    assert abs(bonus.scale - sees["bonus"].std()) < .05
    low, high = found.group.typical_lower, found.group.typical_upper
    assert low.kappa_dose < .8 / 2 * dose.scale < high.kappa_dose
    assert low.beta_bonus < .9 / 1.5 * bonus.scale < high.beta_bonus
    assert any(f"(dose - {dose.centre:g}) / {dose.scale:g}" in w for w in found.words())
    assert any("bonus pulls choices by itself" in w and "toward what has more" in w for w in found.words())


def test_centre_and_scale_are_chosen_openly():
    def column(x, each=False):
        x = np.asarray(x)
        return trace_search._column_of(
            Trials.from_arrays(np.zeros(len(x), int), np.ones(len(x)), options=[0, 1], sees=dict(load=x)), "load"
        )
    assert column([0, 1, 1, 0]) == TraceColumn("load")
    assert column([0, 1, 1, 0]).text == "load"
    assert column([0, 1]).step == "where load is 1 rather than 0"
    assert column([2, 4, 4, 2]) == TraceColumn("load", 2, 2, names=("2", "4")) and column([2, 4]).text == "[load = 4]"
    assert column(["lo", "hi", "lo"]) == TraceColumn("load", names=("hi", "lo"))
    assert column(["lo", "hi"]).step == "where load is lo rather than hi"
    numbers = column([10., 20., 30., 40.])
    assert numbers == TraceColumn("load", 25., 11.)
    assert numbers.text == "((load - 25) / 11)"
    assert numbers.step == "for each 11 of load above 25"
    assert numbers.latex == r"\tfrac{\mathrm{load}-25}{11}"
    assert column([[0, 5], [5, 0]]) == TraceColumn("load", 0, 5, True)
    assert column([[0, 5], [5, 0]]).text == "(load[k] / 5)"
    assert np.allclose(numbers.read(np.array([25., 36.])), [0, 1])


def test_an_equation_with_columns_is_a_cell_like_others(loaded, found_loaded, tmp_path):
    trials, found = loaded[0], found_loaded
    own, cell = nll(found.cell, trials=trials), found.cell
    assert np.isclose(found.score(trials), np.exp(-own.sum() / len(trials)))
    for copy in TraceEquation.from_dict(cell.to_dict()), pickle.loads(pickle.dumps(found)).cell:
        assert copy.structure == found.structure and np.allclose(nll(copy, trials=trials), own)
    again = fit_hierarchical(TraceEquation(found.structure), trials)
    assert abs(again.log_likelihood - found.fit.log_likelihood) < .05
    assert np.allclose(again.means["mean"], found.group["mean"], atol=.02)
    alone = fit(TraceEquation(found.structure), trials.take(participants=[0, 1]))
    assert (alone.table.nll <= own[:2].to_numpy() + 1e-6).all()
    checked = check_fit(found, trials, times=20)
    assert checked.table is not None
    assert "where load is 1 rather than 0 the inverse temperature is" in write_page(
        [found], trials, tmp_path, checks=checked
    )[0].read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="sees 'load', which these trials lack"):
        nll(
            cell,
            trials=Trials.from_arrays(np.array(trials.choice), np.array(trials.reward), np.array(trials.participant)),
        )
    with pytest.raises(
        ValueError, match="has a number for each option in these trials, and one number a trial in the equation"
    ):
        nll(cell, trials=Trials.from_arrays([0, 1], [1., 0.], sees=dict(load=np.zeros((2, 2)))))
    with pytest.raises(TypeError, match="sees load"): to_agent(cell)


class Loads(Bandits):
    "Two options that pay 80 and 20 %, under a load on half of the trials"
    sees = dict(load=1)
    draws = staticmethod(lambda n: (n + 1, 0))

    def __init__(self): super().__init__(2, False, 0)
    def start(e, uniform, normal, world): world[0], world[1] = .8, .2
    def show(e, world, uniform, normal, seen): seen.load[0] = 1. if uniform[2] < .5 else 0.
    def pay(e, world, choice, uniform, normal, reward):
        for k in range(2): reward[k] = 1. if uniform[k] < world[k] else 0.


def test_a_world_that_shows_the_column_holds_such_people():
    "Under load they take what pays more, and else anything"
    cell = TraceEquation(
        TraceStructure(("value", ("value", "load")), columns=["load"]), dict(alpha=.2, beta=0., beta_load=20.)
    )
    trials = simulate(cell, Loads(), people=5, n_trials=200, seed=1)
    better, load = trials.choice == 0, trials.columns["load"] == 1
    assert better[load].mean() > .9 and abs(better[~load].mean() - .5) < .07
    with pytest.raises(ValueError, match="which BanditsDrift does not show"): simulate(cell, BanditsDrift())


def test_labels_of_a_column_stay_with_the_equation(loaded_alike):
    trials, _ = under_load(-.5, 1, labels=("easy", "hard"))
    found = discover(trials, people="alike", threads=1, verbose=False)
    assert trials.words == dict(load=("easy", "hard")) and found.integrated_bic == loaded_alike.integrated_bic
    assert "[load = hard]" in found.cell.text()
    assert any("where load is hard rather than easy" in w for w in found.words())
    assert r"1_{\mathrm{load}=\mathrm{hard}}" in found.latex()
    other = read_trials(trials.to_frame().replace(dict(load=dict(easy="night", hard="day"))), sees="load")
    with pytest.raises(ValueError, match="load has day and night in these trials, and easy and hard in the equation"):
        nll(found.cell, trials=other)


def test_a_search_with_columns_that_was_stopped_goes_on(loaded, found_loaded, loaded_alike):
    part = discover(loaded[0], people="alike", budget=0, threads=1, verbose=False)
    whole = part.resume(threads=1, verbose=False)
    assert "load" in whole.cell.sees
    assert whole.structure == loaded_alike.structure
    assert whole.integrated_bic == loaded_alike.integrated_bic
    assert traces._refitted(found_loaded, loaded[0])[0].structure == found_loaded.structure


def test_columns_that_are_left_out_are_named(people):
    rng, n = np.random.default_rng(0), len(people)
    hole = rng.normal(size=n)
    hole[7] = np.nan
    sees = dict(
        always=np.ones(n),
        drug=people.participant % 2,
        hole=hole,
        both=np.repeat(rng.normal(size=(n, 1)), 2, 1),
        stay=rng.normal(size=n),
    )
    trials = Trials.from_arrays(
        np.array(people.choice),
        np.array(people.reward),
        np.array(people.participant),
        sees=sees,
        gets=dict(later=rng.normal(size=n)),
    )
    columns, own, why = trace_search._columns_for(trials, trace_search.TRACE_TERMS, None)
    assert columns == [] and own == []
    for part in (
        "'always' never varies",
        "'drug' is the same on all trials of each person",
        "'hole' is missing where a choice was made, first at trial 7 of participant 0 (1 such trials)",
        "'both' says the same of all options",
        "'stay' is the name of a signal: give the column another one, as in sees=dict(stay_='stay')",
    ):
        assert sum(part in reason for reason in why) == 1, part
    notes = discover(trials, budget=0, verbose=False).notes()
    assert sum(note.startswith("not looked at") for note in notes) == 6
    assert any("'later' say, which is known after the choice" in note for note in notes)
    assert trace_search._columns_for(trials, trace_search.TRACE_TERMS, ["drug"])[1] == [
        ("value", "drug"),
        ("last", "drug"),
    ]
    only = trace_search._columns_for(trials, [("value",), ("last", "drug")], None)
    assert [c.name for c in only[0]] == ["drug"]
    assert only[1] == []
    assert only[2] == ["what 'always' and 'hole' and 'both' and 'stay' say"]
    assert trace_search._columns_for(trials, trace_search.TRACE_TERMS, [])[0] == []


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(sees=["load", "hole"]), "'hole' is missing where"),
        (dict(sees="lod"), "did you mean 'load'"),
        (dict(sees=5), "columns of these trials"),
        (dict(terms=[("load",)]), "says the same of all options"),
        (dict(terms=[("value", "load")]), r"terms lack them: add \('value',\)"),
        (dict(terms=[("value",), ("last", "bonus")]), "it comes first in a term"),
        (dict(terms=[("value",), ("last", "lod")]), "further signal"),
    ],
)
def test_columns_that_cannot_be_asked_for_are_refused(wrong, says):
    trials = shown(odd_trials(2), hole=np.full(150, np.nan))
    with pytest.raises((ValueError, TypeError), match=says): discover(trials, verbose=False, **wrong)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: TraceColumn("stay"), "name of a signal"),
        (lambda: TraceColumn("a b"), "a name that a rule can read"),
        (lambda: TraceColumn("load", scale=0), "above 0"),
        (lambda: TraceColumn("load", names=("one",)), "must be two"),
        (lambda: TraceStructure(("value",), columns="load"), "list of names"),
        (lambda: TraceStructure(("value",), columns=["load", "load"]), "twice"),
        (
            lambda: TraceStructure((("last", "stay_reward"), ("last", "stay", "reward")), columns=["stay_reward"]),
            "have the weight kappa_stay_reward",
        ),
    ],
)
def test_columns_that_cannot_be_are_refused(wrong, says):
    with pytest.raises((ValueError, TypeError), match=says): wrong()


def test_columns_that_a_library_does_not_read_are_named():
    trials = Trials.from_arrays([0, 1, 0, 0], [1., 0., 1., 1.], [0, 0, 1, 1], sees=dict(load=[1., 2., 1., 2.]))
    assert any("load" in note and "Cell" in note for note in search_library(trials).notes())


def test_a_printed_reward_is_what_is_multiplied():
    "Terms multiply a reward's distance from the middle, and text, LaTeX and words say so."
    structure = TraceStructure((("last",), ("last", "reward")))
    for rewards, text, latex in (((0., 1.), "(reward − 0.5)", "(r-0.5)"), ((-10., 0.), "(reward + 5)", "(r+5)"),
                                 ((-1., 1.), "reward", "r")):
        e = TraceEquation(structure, dict(kappa=.5, kappa_reward=.8), rewards)
        assert f"last[k] × {text}\n" in e.text() + "\n"
        assert rf"L_k\,{latex} " in e.latex().replace(r"\end", " ")
        assert text.removeprefix("(") in " ".join(e.words())


def test_a_jackpot_does_not_say_where_people_begin():
    "One reward of 200 in a hundred of 0 and 10: the middle is 5, and an inverse temperature of .4 is within bounds."
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(dict(alpha=.4, beta=.4 * rng.lognormal(0, .2, 20)))
    class Learner(RescorlaWagner): params = RescorlaWagner.params | dict(beta=Param(.4, 0, 5))
    class Jackpots(BanditsDrift):
        def pay(e, world, choice, uniform, normal, reward):
            for k in range(len(reward)): reward[k] = 10. * (uniform[k] < world[k]) if uniform[k] < .99 else 200.
    found = discover(simulate(Learner(), Jackpots(.2), truth, n_trials=100, seed=1), verbose=False)
    assert found.cell.rewards == (0., 10.)
    assert found.group.typical.beta == pytest.approx(.4, rel=.25)


@pytest.mark.parametrize("rewards, counts", [
    ([0., 10.] * 50 + [200.], (0., 10.)), ([0., 1.] * 50, (0., 1.)), ([0.] * 99 + [1.], (0., 1.)),
    ([50., 100.] * 50 + [-1250.] * 3, (-1250., 100.)), ([-1., 1.] * 50 + [200.], (-1., 1.))])
def test_which_rewards_count_for_the_range(rewards, counts):
    "A jackpot does not, unless gains or losses would be gone with it: with both, 0 is the middle."
    assert (
        trace_search._paid(Trials.from_arrays(np.zeros(len(rewards), int), np.array(rewards), options=[0, 1])) == counts
    )


def test_nobody_else_has_numbers_under_their_name():
    trials = simulate(RescorlaWagner(), BanditsDrift(.2), people=6, n_trials=40, seed=1)
    found = discover(trials, verbose=False)
    with pytest.raises(ValueError, match="unknown participant 'nobody'"): found.as_rl("nobody")
