"""Laws that hold for every cell, whoever wrote it: a rule, an equation or a trained network; `reference.py` is the
judge."""
import re
from collections import namedtuple
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
import torch

import reference as ref
from spice_rl.models.avoidance import Avoidance
from spice_rl import fit, fit_hierarchical, identify, parameter_recovery, plot_session, power
from spice_rl.models.bandits import AgentQ, BanditsDrift, RescorlaWagner
from spice_rl.core.cell import Cell, make_trial
from spice_rl.core.data import Trials
from spice_rl.core.engine import Lanes, gradient, hessian, nll, softmax
from spice_rl.core.playing import play, simulate
from spice_rl.core.replaying import replay, replay_arrays
from spice_rl.discovery.equation import CHOSEN, OTHERS, Equation, rescorla_wagner_equation
from spice_rl.discovery.rules import Rule
from spice_rl.core.params import Param
from spice_rl.discovery.network_cell import NetworkCell
from worlds import ARCHITECTURES, Coin, PearceHall, Rescorla, TwoRates, equation_of, network, people, rebuild

# make: the cell; n: options; full: with full feedback; learner: its judge, and values: the parameters the judge reads;
# zero: parameters with which all options are alike; value: the latent value that only rewards move; labels: what it
# calls people
Case = namedtuple(
    "Case", "make n full learner values zero value labels", defaults=(3, False, None, None, None, 0, None)
)
TRIALS = simulate(RescorlaWagner(), BanditsDrift(.2), people=2, n_trials=20, seed=0)
ALL = dict(
    alpha_reward=.3,
    alpha_penalty=.15,
    alpha_counterfactual_reward=.2,
    alpha_counterfactual_penalty=.1,
    beta_reward=3.,
    beta_choice=.8,
    alpha_choice=.6,
    forget_rate=.1,
)


def q_values(agent): return agent.values


def line_values(e):
    row = e.row()
    out = dict(
        start=row.get("start: x_value_reward", 0.),
        weight=row.get("weight: x_value_reward", 1.),
        c0=row.get(f"{CHOSEN}: 1", 0.),
        c1=row[f"{CHOSEN}: {CHOSEN}"],
        c2=row[f"{CHOSEN}: c_reward"],
        d0=row.get(f"{OTHERS}: 1", 0.),
        d1=row.get(f"{OTHERS}: {OTHERS}", 1.),
    )
    return {k: float(v) for k, v in out.items()}


def all_free(*values, **options):
    "A Rescorla-Wagner equation whose start and weight are parameters, too"
    e = rescorla_wagner_equation(*values, **options)
    return Equation(e.equation_rules, e.state, e.coefficients)


def discovered():
    "As `refine` and `search_library` return it: held numbers, bounds, no constant"
    rule = Rule(CHOSEN, "x_value_reward", (("c_action", "action", 1.),), (("c_reward", "reward"),), ((1, 0), (0, 1)))
    own, reward = rule.parameter((1, 0)), rule.parameter((0, 1))
    return Equation(
        [rule],
        ["x_value_reward"],
        {"start: x_value_reward": 1.5, "weight: x_value_reward": 1., own: .7, reward: .9},
        held=["weight: x_value_reward"],
        bounds={"start: x_value_reward": (-15, 15), own: (-1, 1), reward: (-9, 9)},
    )


NO_BETA = dict(beta_reward=0, beta_choice=0)
CASES = dict(
    q=Case(partial(AgentQ, 3, alpha_reward=.3), learner=ref.q_learner, values=q_values, zero=NO_BETA),
    q_all=Case(partial(AgentQ, 3, **ALL), learner=ref.q_learner, values=q_values, zero=NO_BETA),
    q_asymmetric=Case(
        partial(AgentQ, 3, alpha_reward=.6, alpha_penalty=.2), learner=ref.q_learner, values=q_values, zero=NO_BETA
    ),
    q_full=Case(partial(AgentQ, 3, **ALL), full=True, learner=ref.q_learner, values=q_values, zero=NO_BETA),
    equation=Case(
        partial(all_free, .3, 3), learner=ref.line_learner, values=line_values, zero={"weight: x_value_reward": 0}
    ),
    equation_forgetting=Case(
        partial(all_free, .3, 3, forget=.2),
        learner=ref.line_learner,
        values=line_values,
        zero={"weight: x_value_reward": 0},
    ),
    equation_discovered=Case(
        discovered,
        learner=ref.line_learner,
        values=line_values,
        zero={"start: x_value_reward": 0, f"{CHOSEN}: {CHOSEN}": 0, f"{CHOSEN}: c_reward": 0},
    ),
    pearce_hall=Case(PearceHall, learner=ref.pearce_hall, values=q_values, zero=dict(beta=0)),
    coin=Case(Coin, n=2, learner=ref.coin, values=q_values, zero=dict(bias=0), value=None),
    rescorla_network=Case(lambda: NetworkCell(network("rescorla")), n=2),
    forgetting_network=Case(lambda: NetworkCell(network("forgetting")), n=2),
    people_network=Case(
        lambda: NetworkCell(network("people"), ["ann", "bob", "cem"]), n=2, labels=["ann", "bob", "cem"]
    ),
)
PEOPLE = ["ann", "bob", "cem"]
for kind in ARCHITECTURES:
    own = dict(labels=PEOPLE) if kind in ("embedding", "weinhardt") else {}
    CASES[f"{kind}_network"] = Case(
        lambda kind=kind, own=own: NetworkCell(network(kind), own.get("labels")), n=2, **own
    )
    CASES[f"{kind}_equation"] = Case(partial(equation_of, kind), n=2)
COMPILED = [name for name, c in CASES.items() if c.learner]
each = pytest.mark.parametrize("name", CASES)
compiled = pytest.mark.parametrize("name", COMPILED)
_cells = {}


def world(name):
    "The case, its cell (made once) and its trials"
    case = CASES[name]
    if name not in _cells: _cells[name] = case.make()
    return case, _cells[name], people(case.n, case.full)


def total(cell, trials, parameters=None): return nll(cell, parameters, trials).sum()


def python_nll(cell, trials, parameters):
    "NLL of each person by the cell's three functions, called one by one; `parameters`: a dict for each person"
    out = dict.fromkeys(trials.participants, 0.)
    for s in range(trials.n_sessions):
        who = trials.participants[trials.session_participant[s]]
        p = cell.p(**parameters[who])
        state = cell.init(p, trials.n_options)
        for t in range(trials.starts[s], trials.starts[s + 1]):
            options = trials.offer[t][trials.offer[t] >= 0]
            x = dict(enumerate(cell.logits(p, state, make_trial(n_options=trials.n_options, options=options))))
            if trials.choice[t] >= 0 and trials.counted[t]:
                out[who] += ref.minus_log_softmax({k: float(x[k]) for k in options}, int(trials.choice[t]))
            state = cell.update(
                p, state, make_trial(int(trials.choice[t]), trials.reward[t], trials.n_options, options)
            )
    return pd.Series(out)


def own_parameters(cell, trials):
    table = (
        cell.table(trials.participants)
        if hasattr(cell, "table")
        else pd.DataFrame(cell.values, index=list(trials.participants))
    )
    return table.to_dict("index")


# Three ways to the same number

@each
def test_engine_agrees_with_the_rules_run_by_hand(name):
    _, cell, trials = world(name)
    np.testing.assert_allclose(
        nll(cell, None, trials), python_nll(cell, trials, own_parameters(cell, trials)), rtol=1e-10
    )


@compiled
def test_engine_agrees_with_the_reference(name):
    case, cell, trials = world(name)
    for who, value in nll(cell, None, trials).items():
        assert value == pytest.approx(ref.nll(case.learner, case.values(cell), ref.sessions_of(trials, who)), rel=1e-10)


@pytest.mark.parametrize("name", ["q", "q_all", "equation_forgetting", "pearce_hall"])
def test_only_what_is_on_offer_counts(name):
    case, cell, trials = world(name)
    rng = np.random.default_rng(1)
    offer = np.array(
        [rng.permutation([c, (c + 1) % 3, -1] if c >= 0 and rng.random() < .5 else [0, 1, 2]) for c in trials.choice]
    )
    fewer = rebuild(trials, offer=offer)
    for who, value in nll(cell, None, fewer).items():
        assert value == pytest.approx(ref.nll(case.learner, case.values(cell), ref.sessions_of(fewer, who)), rel=1e-10)
    p = replay(cell, fewer)[[f"p_{k}" for k in range(3)]].to_numpy()
    np.testing.assert_allclose(p.sum(1), 1)
    for t in range(fewer.n_trials): assert set(np.flatnonzero(p[t])) == set(fewer.offer[t][fewer.offer[t] >= 0])


@pytest.mark.parametrize("kind", ["rescorla", "forgetting"])
def test_network_agrees_with_its_formula(kind):
    net, (trials) = network(kind), people(2)
    w = net.submodules_rnn["x_value_reward_chosen"].weight[0].detach().numpy()
    d = net.submodules_rnn["x_value_reward_not_chosen"].weight[0].detach().numpy() if kind == "forgetting" else None
    x, states = replay_arrays(NetworkCell(net), None, trials)
    for s in range(trials.n_sessions):
        v = [.5, .5]
        for t in range(trials.starts[s], trials.starts[s + 1]):
            np.testing.assert_allclose(states[t, 0], v, atol=1e-10)
            np.testing.assert_allclose(x[t] - x[t].mean(), np.array(v) - np.mean(v), atol=1e-10)
            c = trials.choice[t]
            if c < 0: continue
            v = [
                ref.module(w, v[k], [trials.reward[t, k]]) if k == c else v[k] if d is None else ref.module(d, v[k], [])
                for k in range(2)
            ]


# Time

@each
def test_the_future_changes_nothing(name):
    _, cell, trials = world(name)
    x, states = replay_arrays(cell, None, trials)
    for t in (0, 5, trials.starts[3] + 4, trials.n_trials - 1):
        choice, reward = trials.choice.copy(), trials.reward.copy()
        choice[t] = (choice[t] + 1) % trials.n_options
        reward[t] = np.where(np.arange(trials.n_options) == choice[t], .25, np.nan)
        y, after = replay_arrays(cell, None, rebuild(trials, choice=choice, reward=reward))
        session = trials.session == trials.session[t]
        seen = ~session | (np.arange(trials.n_trials) <= t)  # all that does not come behind t in the same session
        np.testing.assert_array_equal(x[seen], y[seen])
        np.testing.assert_array_equal(states[seen], after[seen])
        if name != "coin" and (~seen).any(): assert (x[~seen] != y[~seen]).any()


@each
def test_sessions_start_afresh(name):
    _, cell, trials = world(name)
    x, states = replay_arrays(cell, None, trials)
    for s in range(1, trials.n_sessions):
        if trials.session_participant[s] != trials.session_participant[s - 1]: continue
        np.testing.assert_array_equal(states[trials.starts[s]], states[trials.starts[s - 1]])
        np.testing.assert_array_equal(x[trials.starts[s]], x[trials.starts[s - 1]])


@each
@pytest.mark.parametrize("shown", [False, True])
def test_missing_is_dropped(name, shown):
    case, cell, trials = world(name)
    there = np.flatnonzero(trials.choice >= 0)
    dropped = rebuild(trials, keep=there)
    np.testing.assert_allclose(nll(cell, None, trials), nll(cell, None, dropped), rtol=1e-12)
    np.testing.assert_allclose(
        replay_arrays(cell, None, trials)[0][there], replay_arrays(cell, None, dropped)[0], atol=1e-12
    )
    rows = np.sort(np.r_[np.arange(trials.n_trials), np.random.default_rng(0).integers(0, trials.n_trials, 20)])
    new = np.r_[False, np.diff(rows) == 0]  # a missing trial behind some of the others, with rewards in sight or not
    reward = np.where(new[:, None], .7 if shown else np.nan, trials.reward[rows])
    more = rebuild(trials, keep=rows)
    more = rebuild(more, choice=np.where(new, -1, more.choice), reward=reward)
    np.testing.assert_allclose(nll(cell, None, more), nll(cell, None, trials), rtol=1e-12)


@each
def test_a_hidden_reward_leaves_the_value(name):
    case, cell, trials = world(name)
    if case.value is None: return
    before, after = replay_arrays(cell, None, trials)[1], replay_arrays(cell, None, trials, after=True)[1]
    hidden = [
        t for t in range(trials.n_trials) if trials.choice[t] >= 0 and np.isnan(trials.reward[t, trials.choice[t]])
    ]
    assert len(hidden) > 3
    for t in hidden:
        latents = range(before.shape[1]) if name == "pearce_hall" else [case.value]
        for i in latents: assert after[t, i, trials.choice[t]] == before[t, i, trials.choice[t]]
    shown = (trials.choice >= 0) & ~np.isin(np.arange(trials.n_trials), hidden)
    assert (before[shown] != after[shown]).any((1, 2)).mean() > .9  # and a shown one does not


@each
def test_a_hidden_trial_is_a_trial(name):
    "If nothing is shown, a reward of 0 is not imagined in its place"
    case, cell, trials = world(name)
    if case.value is None: return
    t = int(np.flatnonzero(trials.choice[:10] >= 0)[-1])
    variants = []
    for r in (np.nan, 0., 1.):
        reward = trials.reward.copy()
        reward[t] = np.where(np.arange(trials.n_options) == trials.choice[t], r, np.nan)
        variants.append(
            replay_arrays(cell, None, rebuild(trials, reward=reward), after=True)[1][t, case.value, trials.choice[t]]
        )
    assert len(set(variants)) == 3


@each
def test_uncounted_trials_teach(name):
    _, cell, trials = world(name)
    train, test = trials.split_time(.4)
    np.testing.assert_allclose(nll(cell, None, train) + nll(cell, None, test), nll(cell, None, trials), rtol=1e-12)
    counted = np.random.default_rng(0).random(trials.n_trials) < .5
    halves = [nll(cell, None, rebuild(trials, counted=c)) for c in (counted, ~counted)]
    np.testing.assert_allclose(halves[0] + halves[1], nll(cell, None, trials), rtol=1e-12)


# People and options

@each
def test_lanes_are_independent(name):
    case, cell, trials = world(name)
    group = nll(cell, None, trials)
    for who in trials.participants:
        alone = nll(cell, None, trials.take(participants=[who]))
        assert alone[who] == pytest.approx(group[who], rel=0 if case.learner else 1e-12, abs=0)
    some = nll(cell, None, trials.take(participants=["cem", "ann"]))
    np.testing.assert_allclose(some, group[some.index], rtol=1e-12)


@each
def test_threads_change_no_bit(name):
    _, cell, trials = world(name)
    assert nll(cell, None, trials, threads=1).equals(nll(cell, None, trials, threads=2))
    assert nll(cell, None, trials, threads=1).equals(nll(cell, None, trials))
    a, b = (
        simulate(
            cell,
            BanditsDrift(.2, trials.n_options),
            people=3 if CASES[name].labels is None else 1,
            n_trials=20,
            threads=k,
            parameters=None if CASES[name].labels is None else cell.table(["bob"]),
        )
        for k in (1, 2)
    )
    assert a.to_frame().equals(b.to_frame())


@each
def test_names_of_options_do_not_matter(name):
    case, cell, trials = world(name)
    order = np.array([1, 0] if case.n == 2 else [2, 0, 1])
    reward = np.empty_like(trials.reward)
    reward[:, order] = trials.reward
    other = rebuild(trials, choice=np.where(trials.choice >= 0, order[trials.choice], -1), reward=reward)
    np.testing.assert_allclose(
        nll(cell, dict(bias=-cell.values["bias"]) if name == "coin" else None, other),
        nll(cell, None, trials),
        rtol=1e-10,
    )
    if name != "coin":
        np.testing.assert_allclose(
            replay_arrays(cell, None, other)[0][:, order], replay_arrays(cell, None, trials)[0], atol=1e-10
        )


@compiled
def test_without_a_beta_all_is_chance(name):
    case, cell, trials = world(name)
    chosen = np.bincount(trials.participant[trials.choice >= 0])
    np.testing.assert_allclose(nll(cell, case.zero, trials), chosen * np.log(case.n), rtol=1e-12)


@pytest.mark.parametrize("name", COMPILED)
def test_people_may_differ(name):
    case, cell, trials = world(name)
    # rows in any order
    frame = pd.DataFrame([cell.values | case.zero, cell.values, cell.values], index=["cem", "ann", "bob"])
    mixed = nll(cell, frame, trials)
    assert mixed["ann"] == nll(cell, None, trials)["ann"] and mixed["cem"] == nll(cell, case.zero, trials)["cem"]


# Nothing of the caller's is changed

@each
def test_callers_things_stay(name):
    case, cell, trials = world(name)
    p = cell.p(participant=1.) if case.labels else cell.p()
    was = np.array(p, copy=True)
    state = cell.init(p, case.n)
    trial = make_trial(1, np.arange(1., case.n + 1), case.n)
    for _ in range(2): state = cell.update(p, state, trial)
    copies = [np.copy(s) for s in state]
    for t in (trial, make_trial(0, np.nan, case.n), make_trial(-1, n_options=case.n)):
        cell.logits(p, state, t)[:] = 99.
        new = cell.update(p, state, t)
        for own, copy in zip(state, copies): np.testing.assert_array_equal(own, copy)
        assert t.choice < 0 or all(a is not b for a, b in zip(new, state))
    np.testing.assert_array_equal(trial.reward, np.arange(1., case.n + 1))
    np.testing.assert_array_equal(np.array(p), was)
    for a, b in zip(cell.init(p, case.n), cell.init(p, case.n)): np.testing.assert_array_equal(a, b)


@each
def test_data_and_parameters_stay(name):
    case, cell, trials = world(name)
    own = pd.DataFrame(own_parameters(cell, trials)).T
    own = pd.DataFrame(index=list(trials.participants)) if not len(own) else own
    copies, before = [getattr(trials, k).copy() for k in ("choice", "reward", "offer", "counted")], own.copy()
    values = dict(cell.values)
    nll(cell, own, trials)
    replay(cell, trials, own)
    simulate(cell, BanditsDrift(.2, case.n), own, n_trials=5)
    for k, copy in zip(("choice", "reward", "offer", "counted"), copies):
        np.testing.assert_array_equal(getattr(trials, k), copy)
    assert own.equals(before) and cell.values == values


@each
def test_update_after_a_missing_choice_is_a_new_state(name):
    "The contract: `update` returns a new state, so that writing into it changes no other"
    case, cell, trials = world(name)
    p = cell.p()
    state = cell.init(p, case.n)
    after = cell.update(p, state, make_trial(-1, n_options=case.n))
    for new, old in zip(after, state):
        np.testing.assert_array_equal(new, old)
        assert not np.shares_memory(new, old)


@each
def test_logits_before_the_choice_see_nothing(name):
    case, cell, trials = world(name)
    p = cell.p()
    state = cell.update(p, cell.init(p, case.n), make_trial(0, 1., case.n))
    blind = cell.logits(p, state, make_trial(n_options=case.n))
    np.testing.assert_array_equal(blind, cell.logits(p, state, make_trial(1, np.ones(case.n), case.n)))


# Simulation

@pytest.fixture(scope="module")
def simulated():
    done = {}
    def get(name):
        if name not in done:
            case, cell, _ = world(name)
            task = BanditsDrift(.2, case.n, counterfactual=case.full)
            table = None if case.labels is None else cell.table(case.labels)
            done[name] = simulate(
                cell,
                task,
                table,
                **({} if case.labels else dict(people=3)),
                sessions=2,
                n_trials=500 if case.learner else 150,
                seed=4,
            )
        return done[name]
    return get


@each
def test_simulation_agrees_with_the_likelihood(name, simulated):
    case, cell, _ = world(name)
    t = simulated(name)
    assert t.n_participants == 3 and t.n_sessions == 6
    one = t.take(participants=[t.participants[-1]])
    np.testing.assert_allclose(nll(cell, None, one), python_nll(cell, one, own_parameters(cell, one)), rtol=1e-10)
    p = softmax(replay_arrays(cell, None, t)[0])
    hit = np.arange(case.n) == t.choice[:, None]
    z = (hit - p).sum(0) / np.sqrt((p * (1 - p)).sum(0))
    assert (abs(z) < 4).all()
    for low in np.arange(0, 1, .1):  # among the trials that promised 20-30 %, so many were chosen
        where = (p >= low) & (p < low + .1)
        if where.sum() > 20: assert abs((hit - p)[where].sum()) < 4.5 * np.sqrt((p * (1 - p))[where].sum())
    surprise, spread = -(p * np.log(p)).sum(1), (p * np.log(p) ** 2).sum(1) - (p * np.log(p)).sum(1) ** 2
    assert abs(nll(cell, None, t).sum() - surprise.sum()) < 4.5 * np.sqrt(spread.sum()) + 1e-9


@each
def test_simulation_follows_its_seed(name, simulated):
    case, cell, _ = world(name)
    task, n = BanditsDrift(.2, case.n, counterfactual=case.full), 30
    table = None if case.labels is None else cell.table(case.labels[:2])
    count = {} if case.labels else dict(people=2)
    a, b, c = (simulate(cell, task, table, **count, n_trials=n, seed=s).to_frame() for s in (1, 1, 2))
    assert a.equals(b) and not a.equals(c)
    d, e = (
        simulate(cell, task, table, **count, n_trials=n, seed=np.random.default_rng(7)).to_frame() for _ in range(2)
    )
    assert d.equals(e)
    if case.labels is None:
        more = simulate(cell, task, people=4, n_trials=n, seed=1)
        assert more.take(participants=[0, 1]).to_frame().equals(a)  # nobody depends on who else is there


@each
def test_simulation_touches_no_global_generator(name):
    case, cell, _ = world(name)
    state, torch_state = np.random.get_state(), torch.get_rng_state()
    table = None if case.labels is None else cell.table(case.labels)
    simulate(cell, BanditsDrift(.2, case.n), table, n_trials=10)
    assert all(np.array_equal(a, b) for a, b in zip(state, np.random.get_state()))
    assert torch.equal(torch_state, torch.get_rng_state())


@pytest.mark.parametrize("full", [False, True])
def test_feedback_is_what_the_task_shows(full):
    t = simulate(AgentQ(n_actions=3), BanditsDrift(.2, 3, counterfactual=full), n_trials=50)
    shown = ~np.isnan(t.reward)
    assert (shown.sum(1) == (3 if full else 1)).all() and shown[np.arange(50), t.choice].all()


# Derivatives, against complex steps

def exact(case, values, trials):
    return pd.DataFrame(
        {who: ref.gradient(case.learner, values, ref.sessions_of(trials, who)) for who in trials.participants}
    ).T


@pytest.mark.parametrize("name", ["q_all", "q_full", "pearce_hall", "coin"])
def test_gradient_is_exact(name):
    case, cell, trials = world(name)
    np.testing.assert_allclose(
        gradient(cell, None, trials), exact(case, cell.values, trials)[list(cell.params)], rtol=1e-6, atol=2e-6
    )


def test_gradient_of_an_equation():
    case, cell, trials = world("equation_forgetting")
    g = gradient(cell, None, trials)
    want = exact(case, line_values(cell), trials)
    mine = dict(
        start="start: x_value_reward",
        weight="weight: x_value_reward",
        c0=f"{CHOSEN}: 1",
        c1=f"{CHOSEN}: {CHOSEN}",
        c2=f"{CHOSEN}: c_reward",
        d0=f"{OTHERS}: 1",
        d1=f"{OTHERS}: {OTHERS}",
    )
    np.testing.assert_allclose(g[list(mine.values())], want[list(mine)], rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize(
    "values",
    [
        dict(alpha=0., beta=3.),
        dict(alpha=1., beta=3.),
        dict(alpha=.3, beta=0.),
        dict(alpha=.5, beta=20.),
        dict(alpha=0., beta=0.),
        dict(alpha=1., beta=20.),
    ],
)
def test_gradient_at_a_bound(values):
    cell, trials = TwoRates(), people(3)
    want = exact(Case(None, learner=ref.rescorla_wagner), values, trials)
    np.testing.assert_allclose(gradient(cell, values, trials), want[["alpha", "beta"]], rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize(
    "name, values",
    [
        ("pearce_hall", None),
        ("q_all", None),
        ("two_rates", dict(alpha=.3, beta=3.)),
        ("two_rates", dict(alpha=0., beta=3.)),
        ("two_rates", dict(alpha=1., beta=0.)),
    ],
)
def test_hessian_is_the_slope_of_the_gradient(name, values):
    trials = people(3)
    cell, learner = (TwoRates(), ref.rescorla_wagner) if name == "two_rates" else (world(name)[1], CASES[name].learner)
    values = cell.values if values is None else values
    got = hessian(cell, values, trials)
    np.testing.assert_array_equal(got, got.transpose(0, 2, 1))
    step = 1e-5
    for i, who in enumerate(trials.participants):
        sessions = ref.sessions_of(trials, who)
        for j, k in enumerate(cell.params):
            up, down = (ref.gradient(learner, values | {k: values[k] + s}, sessions) for s in (step, -step))
            want = [(up[m] - down[m]) / (2 * step) for m in cell.params]
            np.testing.assert_allclose(got[i, j], want, rtol=2e-3, atol=2e-3 * max(1, abs(got[i]).max()))


class Scaled(Cell):
    """Rescorla-Wagner whose parameters and rewards come in any unit: alpha in units of `rate`, beta in units of 1 /
    `pay`"""
    params = dict(alpha=Param(.3), beta=Param(3.), rate=Param(1.), pay=Param(1.))
    state = "q",
    def init(p, state): state.q[:] = .5 * p.pay
    def logit(p, state, trial, option): return p.beta * state.q[option]
    def update(p, state, trial):
        state.q[trial.choice] += p.alpha / p.rate * (trial.reward[trial.choice] - state.q[trial.choice])


@cache
def one_person(): return simulate(Rescorla(alpha=.3, beta=3.), BanditsDrift(), people=1, n_trials=80, seed=1)

@cache
def exact_at(alpha, beta): return tuple(map(np.array, ref.exact_derivatives(one_person(), alpha, beta)))


def lanes_in(pay, rate, bounds):
    "One person whose rewards are 0 or `pay`, and bounds: of the unit's size, none, or far too wide"
    one = one_person()
    trials = Trials.from_arrays(one.choice, one.reward * pay, options=one.options)
    lanes = Lanes(Scaled(), trials, 1)
    lanes.lower = np.zeros(4)
    lanes.upper = np.array(
        dict(
            fit=[rate, 40 / pay, 2 * rate, 2 * pay], none=[np.inf] * 4, wide=[1e3 * rate, 1e4 / pay, 2 * rate, 2 * pay]
        )[bounds]
    )
    lanes.wide = lanes.upper - lanes.lower
    return lanes


@pytest.mark.parametrize("bounds", ["fit", "none", "wide"])
@pytest.mark.parametrize("rate", [1e-6, 1., 1e6])
@pytest.mark.parametrize("pay", [1e-6, 1., 1e6])
def test_derivatives_at_any_scale(pay, rate, bounds):
    "The unit of a parameter, or of rewards, changes the unit of a derivative and nothing else; judged by 50 digits"
    lanes = lanes_in(pay, rate, bounds)
    unit = np.array([rate, 1 / pay])
    for alpha, beta in ((.3, 3.), (.02, 25.), (0., 3.), (.3, 0.), (1e-5, 3.)):
        theta = np.array([[alpha * rate, beta / pay, rate, pay]])
        slope, bend = exact_at(alpha, beta)
        error = 1 / np.sqrt(np.maximum(abs(np.diag(bend)), 1.))         # what a difference of one parameter is worth
        g, h = lanes.gradient(theta, [0])[0, :2] * unit, lanes.hessian(theta, [0])[0, :2, :2] * np.outer(unit, unit)
        s = lanes.scoring(theta, [0])[1][0, :2] * unit
        np.testing.assert_array_less(
            abs(g - slope) * error, 1e-8 + 1e-8 * abs(slope * error), f"gradient at {alpha}, {beta}"
        )
        np.testing.assert_array_less(abs(h - bend) * np.outer(error, error), 1e-4, f"hessian at {alpha}, {beta}")
        np.testing.assert_array_less(
            abs(s - slope) * error, 1e-3 + 1e-3 * abs(slope * error), f"scoring at {alpha}, {beta}"
        )


def test_derivatives_of_narrow_bounds():
    "A rate bounded by 1e-4, and a standard error that does not depend on the unit of rewards"
    class Slow(Rescorla):
        params = dict(alpha=Param(2e-5, 0, 1e-4), beta=Param(3., 0, 20))
        def update(p, state, trial):
            state.q[trial.choice] += p.alpha * 1e4 * (trial.reward[trial.choice] - state.q[trial.choice])
    trials = one_person()
    for alpha in (.2, .001, .99):
        slope, bend = exact_at(alpha, 3.)
        np.testing.assert_allclose(
            gradient(Slow(), dict(alpha=alpha * 1e-4), trials).to_numpy()[0], slope * [1e4, 1], rtol=1e-6
        )
        np.testing.assert_allclose(
            hessian(Slow(), dict(alpha=alpha * 1e-4), trials)[0], bend * [[1e8, 1e4], [1e4, 1]], rtol=1e-5
        )


def test_lanes_are_what_nll_and_gradient_are():
    _, cell, trials = world("q_all")
    lanes = Lanes(cell, trials, 1)
    theta = np.array([list(cell.values.values())] * 3)
    np.testing.assert_array_equal(lanes.nll(theta, [0, 1, 2]), nll(cell, None, trials))
    np.testing.assert_array_equal(lanes.nll(theta[:1], [2]), nll(cell, None, trials)[["cem"]])
    np.testing.assert_array_equal(lanes.gradient(theta, [0, 1, 2]), gradient(cell, None, trials))


def test_a_network_has_no_compiled_gradient():
    with pytest.raises((TypeError, ValueError), match="(?i)network"):
        gradient(NetworkCell(network("people"), ["ann", "bob", "cem"]), None, people(2))


# Edges

def test_extreme_parameters_stay_finite():
    trials = people(3)
    for values in (dict(alpha=1., beta=20.), dict(alpha=0., beta=20.)):
        assert np.isfinite(nll(TwoRates(), values, trials)).all()
    assert np.isfinite(nll(AgentQ(beta_reward=1e6), None, trials)).all()


def test_a_value_that_explodes_is_an_error():
    e = rescorla_wagner_equation(.3, 3)
    with pytest.raises(FloatingPointError, match="participant 'ann'"):
        nll(e, {f"{CHOSEN}: {CHOSEN}": 1e60, f"{CHOSEN}: 1": 1.}, people(3))


@pytest.mark.parametrize("name", ["q", "equation", "rescorla_network", "people_network"])
def test_unknown_parameters_are_refused(name):
    _, cell, trials = world(name)
    with pytest.raises(ValueError, match="unknown parameter 'alpah'"): nll(cell, dict(alpah=.3), trials)
    with pytest.raises(ValueError, match="unknown parameter 'alpah'"): cell.p(alpah=.3)


def test_a_person_a_network_does_not_know():
    with pytest.raises(ValueError, match="unknown participant 'dan'"):
        nll(
            NetworkCell(network("people"), ["ann", "bob", "cem"]),
            None,
            rebuild(people(2), participant=np.where(people(2).participant == 0, "dan", "cem").astype(object)),
        )


def test_a_network_tells_people_apart():
    cell, trials = NetworkCell(network("people"), ["ann", "bob", "cem"]), people(2)
    swapped = NetworkCell(network("people"), ["bob", "ann", "cem"])
    a, b = nll(cell, None, trials), nll(swapped, None, trials)
    assert a["cem"] == pytest.approx(b["cem"], rel=1e-12) and abs(a["ann"] - b["ann"]) > 1e-3
    one = nll(cell, dict(participant=0.), trials)
    assert one["ann"] == pytest.approx(a["ann"], rel=1e-12) and abs(one["bob"] - a["bob"]) > 1e-3


def test_a_cell_with_both_ways_to_write_logits():
    "`logit` of a parent gives way to `logits` of a child, and the other way round"
    class Whole(TwoRates):
        def logits(p, state, trial): return 2 * p.beta * state.q
    class Each(Whole):
        def logit(p, state, trial, option): return 3 * p.beta * state.q[option]
    trials = people(3)
    for cls, k in ((Whole, 2), (Each, 3)):
        np.testing.assert_allclose(
            nll(cls(), dict(beta=2.), trials), nll(TwoRates(), dict(beta=2. * k), trials), rtol=1e-12
        )


def test_rules_may_not_write_through_logits():
    "A rule that writes into the state while it should only look would spoil the likelihood: it is refused"
    class Scribbler(TwoRates):
        def logits(p, state, trial):
            state.q[0] += .1
            return p.beta * state.q
    cell = Scribbler()
    with pytest.raises(ValueError, match="Scribbler.*writes where it may only read"): nll(cell, None, people(3))
    with pytest.raises(ValueError, match="read-only"):
        cell.logits(cell.p(), cell.init(cell.p(), 3), make_trial(0, 0., 3))


def test_rules_may_not_write_into_the_trial():
    "A rule that fills hidden rewards in place would change what the next lane sees: it is refused, and the trial stays"
    class Filler(TwoRates):
        def update(p, state, trial):
            for k in trial.options:
                if np.isnan(trial.reward[k]): trial.reward[k] = 0.
            state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])
            trial.reward[trial.choice] = 1.
    cell, trial = Filler(), make_trial(0, 0., 3)
    before = trial.reward.copy()
    with pytest.raises(ValueError, match="Filler.*writes where it may only read"): nll(cell, None, people(3))
    with pytest.raises(ValueError, match="read-only"): cell.update(cell.p(), cell.init(cell.p(), 3), trial)
    np.testing.assert_array_equal(trial.reward, before)


def test_a_cell_that_lacks_a_rule_says_which():
    class Half(Cell):
        state = "q",
        def init(p, state): state.q[:] = 0
        def update(p, state, trial): state.q[trial.choice] = trial.reward[trial.choice]

    class Deaf(Avoidance):
        params = dict(temperature=Param(.1, .01, 1))
        state = "q",
        def value(p, q): return q

    with pytest.raises(
        TypeError, match=re.escape("Half lacks the rule logits(p, state, trial): write it into the class")
    ):
        Half()
    with pytest.raises(
        TypeError, match=re.escape("Deaf lacks the rule learn(p, state, chosen, other, r_chosen, r_other)")
    ):
        Deaf()


@pytest.mark.parametrize(
    "call",
    [
        lambda c: nll(c, trials=TRIALS),
        lambda c: simulate(c, BanditsDrift(.2)),
        lambda c: fit(c, TRIALS),
        lambda c: fit_hierarchical(c, TRIALS),
        lambda c: parameter_recovery(c, BanditsDrift(.2)),
        lambda c: power(c, BanditsDrift(.2)),
        lambda c: identify(c, TRIALS),
        lambda c: plot_session(c, TRIALS.take(sessions=0)),
    ],
)
def test_forgotten_brackets_are_named(call):
    with pytest.raises(TypeError, match=re.escape("RescorlaWagner is a class, not a learner: write RescorlaWagner()")):
        call(RescorlaWagner)


# Never wrong in silence

class Hidden(RescorlaWagner):
    "Learns from the reward of the option that was not chosen, which is not shown"
    def update(p, state, trial):
        for k in range(2): state.q[k] += p.alpha * (trial.reward[k] - state.q[k])


def test_simulation_and_replay_stop_where_the_likelihood_does():
    trials = simulate(RescorlaWagner(), BanditsDrift(), people=2, n_trials=20, seed=1)
    full = simulate(RescorlaWagner(), BanditsDrift(counterfactual=True), people=2, n_trials=20, seed=1)
    broken = dict(alpha=1., beta=3.)
    with pytest.raises(FloatingPointError, match="NaN or infinite logits"):
        simulate(Hidden(), BanditsDrift(), broken, people=2, n_trials=20)
    with pytest.warns(UserWarning, match="NaN or infinite logits"):
        assert replay(Hidden(), trials, broken).p_0[1:20].isna().all()
    assert play(Hidden(), broken, full).shape == (1, 40)
    with pytest.raises(ValueError, match=r"hide \(NaN\) what the options that were not chosen would have paid"):
        play(RescorlaWagner(), None, trials)


def test_trials_in_the_place_of_parameters():
    for f in (nll, gradient, hessian):
        with pytest.raises(TypeError, match=r"write nll\(cell, trials=trials\)"): f(RescorlaWagner(), TRIALS)
    with pytest.raises(TypeError, match="trials must be Trials, got nothing"): nll(RescorlaWagner())
    with pytest.raises(TypeError, match="task such as BanditsDrift"): simulate(RescorlaWagner(), TRIALS)
