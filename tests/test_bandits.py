"""The tasks pay as their definitions say, `step` and `simulate` tell the same story, and the golden likelihood is
reached."""
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import kstest, ks_2samp

from spice_rl.models.bandits import DEMO, AgentQ, BanditsDrift, BanditsFixed, BanditsFlip, BanditsGeneral
from spice_rl.models.bandits import BanditsReversal, BanditsSwitch, create_dataset, demo_trials
from spice_rl.core.data import Trials
from spice_rl.core.reading import read_trials
from spice_rl.core.engine import Lanes, gradient, nll
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import rescorla_wagner_equation
from spice_rl.discovery.network_cell import NetworkCell
from worlds import TwoRates, network

TASKS = dict(
    drift=BanditsDrift(.2),
    drift4=BanditsDrift(.1, 4),
    fixed=BanditsFixed(),
    flip=BanditsFlip(),
    switch=BanditsSwitch(),
    reversal=BanditsReversal(),
    general=BanditsGeneral(.1, .1, -.5, .1, .9),
    general3=BanditsGeneral(n_actions=3),
)
BLIND = dict(beta_reward=0.)  # chooses at random


def paths(task, people=200, n_trials=100, seed=0, **agent):
    "Simulated choices (session, trial), rewards and reward probabilities (session, trial, option)"
    t = simulate(AgentQ(task.n_actions, **(BLIND | agent)), task, people=people, n_trials=n_trials, seed=seed)
    p = t.to_frame()[[f"p_{k}" for k in range(task.n_actions)]].to_numpy()
    return t.choice.reshape(people, -1), t.reward.reshape(people, n_trials, -1), p.reshape(people, n_trials, -1)


def rate(hits, p, at=4.):
    "Is a share of hits what `p` promises, within `at` standard errors?"
    hits = np.asarray(hits, float).ravel()
    assert abs(hits.mean() - p) < at * np.sqrt(p * (1 - p) / hits.size) + 1e-12, (hits.mean(), p, hits.size)


@pytest.mark.parametrize("name", TASKS)
def test_pays_with_its_probability(name):
    task = TASKS[name]
    choice, reward, p = paths(task)
    got = np.take_along_axis(reward, choice[..., None], 2)[..., 0]
    promised = np.take_along_axis(p, choice[..., None], 2)[..., 0]
    assert set(np.unique(got)) <= {0, 1} and np.isnan(reward).sum() == reward.size - choice.size
    if name == "reversal": return  # its first correct choice is a gift
    assert abs((got - promised).sum()) < 4 * np.sqrt((promised * (1 - promised)).sum())
    for low in (0, .25, .5, .75):
        at = (promised >= low) & (promised < low + .25)
        if at.any():
            assert abs((got - promised)[at].sum()) < 4.5 * np.sqrt((promised * (1 - promised))[at].sum()) + 1e-9


# Each task

def test_drift():
    _, _, p = paths(BanditsDrift(.05), people=300)
    assert p.min() >= 0 and p.max() <= 1
    assert kstest(p[:, 0].ravel(), "uniform").pvalue > 1e-3
    free = (p[:, :-1] > .3) & (p[:, :-1] < .7)  # 6 standard deviations from the walls
    step = np.diff(p, axis=1)
    assert step[free].std() == pytest.approx(.05, rel=.02) and abs(step[free].mean()) < .002
    assert kstest(step[free] / .05, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(step[free.all(2)].T)[0, 1]) < .05  # arms drift on their own
    _, _, wide = paths(BanditsDrift(.5), people=50)
    assert (wide == 0).mean() > .1 and (wide == 1).mean() > .1  # it stops at the walls, and is not thrown back


def test_drift_of_nothing():
    _, _, p = paths(BanditsDrift(0.), people=5)
    assert (np.diff(p, axis=1) == 0).all()


def test_fixed():
    _, _, p = paths(BanditsFixed(.9, .3), people=3)
    assert (p == [.9, .3]).all()


def test_flip():
    _, _, p = paths(BanditsFlip(flip=.05), people=300)
    assert set(map(tuple, p.reshape(-1, 2))) == {(.8, .2), (.2, .8)}
    rate(p[:, 0, 0] == .8, .5)
    rate(p[:, 1:, 0] != p[:, :-1, 0], .05)


def test_switch():
    task = BanditsSwitch(switch=.1)
    _, _, p = paths(task, people=500)
    code = np.unique(p.reshape(-1, 2), axis=0, return_inverse=True)[1].reshape(p.shape[:2])
    pairs = {(.25, .5), (.25, .75), (.5, .25), (.5, .5), (.5, .75), (.75, .25), (.75, .5)}
    assert set(map(tuple, p.reshape(-1, 2))) == pairs
    for k in range(7): rate(code[:, 0] == k, 1 / 7)
    moved = code[:, 1:] != code[:, :-1]
    rate(moved, .1)
    for a in range(7):
        for b in set(range(7)) - {a}: rate(code[:, 1:][moved & (code[:, :-1] == a)] == b, 1 / 6, at=4.5)


def blocks(n=400):
    "Collected rewards of each finished block, and what the first correct choice paid"
    task, rewards, first = BanditsReversal(seed=1), [], []
    rng = np.random.default_rng(0)
    while len(rewards) < n:
        good, collected, correct = int(task.reward_probs.argmax()), 0, False
        while int(task.reward_probs.argmax()) == good:
            c = int(rng.random() < .8) if good == 1 else int(rng.random() > .8)
            r = task.step(c)[c]
            if c != good: assert r == 0
            elif not correct: correct = not first.append(r)
            collected += r
        rewards.append(int(collected))
    return np.array(rewards), np.array(first)


def test_reversal():
    rewards, first = blocks()
    assert (first == 1).all()
    assert rewards.min() == 7 and rewards.max() == 15
    for k in range(7, 16): rate(rewards == k, 1 / 9, at=4.5)


def test_reversal_pays_three_quarters():
    choice, reward, p = paths(BanditsReversal(), people=200)
    got = np.take_along_axis(reward, choice[..., None], 2)[..., 0]
    promised = np.take_along_axis(p, choice[..., None], 2)[..., 0]
    assert set(np.unique(p)) == {0, .75}
    assert (got[promised == 0] == 0).all()
    assert .75 < got[promised == .75].mean() < .8  # a gift in each block
    rate(p[:, 0, 0] == .75, .5)


def test_general_bounds_and_hazard():
    _, _, p = paths(BanditsGeneral(.1, .1, 0., .2, .7), people=200)
    assert p.min() > .2 - 1e-12 and p.max() < .7 + 1e-12
    assert kstest((p[:, 0].ravel() - .2) / .5, "uniform").pvalue > 1e-3
    _, _, still = paths(BanditsGeneral(0., .1, 0., .2, .7), people=200)
    jumped = still[:, 1:] != still[:, :-1]
    rate(jumped[..., 0], .1)
    assert (jumped[..., 0] == jumped[..., 1]).all()  # all arms at once
    np.testing.assert_allclose(still[:, 1:][jumped], (.9 - still[:, :-1])[jumped])


@pytest.mark.parametrize("c", [-1., -.5, 0., .5, 1.])
def test_general_correlation(c):
    _, _, p = paths(BanditsGeneral(.02, correlation=c), people=400)
    step = np.diff(p, axis=1)
    free = ((p[:, :-1] > .15) & (p[:, :-1] < .85)).all(2)
    assert np.corrcoef(step[free].T)[0, 1] == pytest.approx(c, abs=.03)
    assert step[free].std(0) == pytest.approx([.02, .02], rel=.03)
    assert np.corrcoef(p[:, 0].T)[0, 1] == pytest.approx(c, abs=.17)
    for k in (0, 1): assert kstest(p[:, 0, k], "uniform").pvalue > 1e-3


def test_general_against_each_other():
    _, _, p = paths(BanditsGeneral(.1, hazard=.1, correlation=-1.), people=20)
    np.testing.assert_allclose(p.sum(2), 1)


# By hand and compiled

@pytest.mark.parametrize("name", TASKS)
def test_step_and_simulate_agree(name):
    task, n = TASKS[name], 40
    rng, p, paid = np.random.default_rng(3), [], []
    for _ in range(150):
        task.new_session()
        for t in range(n):
            p.append(task.reward_probs)
            c = int(rng.integers(task.n_actions))
            paid.append(task.step(c)[c])
    choice, reward, q = paths(task, people=150, n_trials=n, seed=9)
    p, got = np.reshape(p, q.shape), np.take_along_axis(reward, choice[..., None], 2)[..., 0]
    assert abs(np.mean(paid) - got.mean()) < .04
    for at in (0, 1, n // 2, n - 1):
        for k in range(task.n_actions): assert ks_2samp(p[:, at, k], q[:, at, k], method="asymp").pvalue > 1e-4
    a, b = np.diff(p, axis=1), np.diff(q, axis=1)
    assert (a != 0).mean() == pytest.approx((b != 0).mean(), abs=.03) and a.std() == pytest.approx(b.std(), abs=.03)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_follows_its_seed(name):
    make, task = type(TASKS[name]), TASKS[name]
    settings = dict(zip(task.settings, task.values)) | ({"n_actions": task.n_actions} if task.n_actions != 2 else {})
    state = np.random.get_state()
    def path(seed):
        new = make(**settings, seed=seed)
        return [x for t in range(50) for x in (*new.reward_probs, *new.step(t % 2))]
    np.testing.assert_array_equal(path(1), path(1))
    assert not np.array_equal(path(1), path(2), equal_nan=True)
    np.testing.assert_array_equal(path(np.random.default_rng(4)), path(np.random.default_rng(4)))
    assert all(np.array_equal(a, b) for a, b in zip(state, np.random.get_state()))


def test_what_is_shown():
    task = BanditsDrift(.2, 3, seed=0)
    r = task.step(1)
    assert r.shape == (3,) and np.isnan(r[[0, 2]]).all() and r[1] in (0, 1)
    assert set(BanditsDrift(.2, 3, counterfactual=True).step(1)) <= {0, 1}
    task.reward_probs[:] = 9
    assert task.reward_probs.max() <= 1


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BanditsDrift(-1), "sigma must lie in"),
        (lambda: BanditsDrift(n_actions=1), "n_actions must be a whole number of at least 2, got 1"),
        (lambda: BanditsFixed(1.2), "high must lie in"),
        (lambda: BanditsFlip(flip=2), "flip must lie in"),
        (lambda: BanditsGeneral(lower=.5, upper=.2), "lower must be below upper"),
        (lambda: BanditsGeneral(correlation=-2), "correlation must lie in"),
        (lambda: BanditsDrift(float("nan")), "sigma must be a finite number, got nan"),
        (lambda: BanditsDrift().step(2), "choice must be 0..1, got 2"),
        (lambda: BanditsDrift().step(-1), "choice must be 0..1, got -1"),
    ],
)
def test_wrong_settings(make, message):
    with pytest.raises(ValueError, match=message): make()


# Agents

@pytest.mark.parametrize(
    "name",
    [
        "alpha_reward",
        "alpha_penalty",
        "alpha_counterfactual_reward",
        "alpha_counterfactual_penalty",
        "alpha_choice",
        "forget_rate",
    ],
)
@pytest.mark.parametrize("value", [1.5, -.1])
def test_rates_have_bounds(name, value):
    with pytest.raises(ValueError, match=f"{name} must lie in"): AgentQ(**{name: value})


@pytest.mark.parametrize("name", ["beta_reward", "beta_choice"])
def test_betas_have_bounds(name):
    with pytest.raises(ValueError, match=f"{name} must lie in"): AgentQ(**{name: -1.})


def test_draw_of_a_population():
    agent = AgentQ(alpha_reward=.1, beta_reward=3., forget_rate=.95, parameter_variance=.2)
    people = agent.draw(2000, seed=1)
    for name, param in agent.params.items():
        assert people[name].between(param.lower, param.upper).all()
        # what is switched off stays off
        assert (people[name] == 0).all() if agent.values[name] == 0 else people[name].nunique() == 2000
    assert ((people == 0) | (people == 1)).to_numpy()[:, [0, 7]].sum() == 0  # redrawn at the bounds, not moved there
    assert (people.alpha_penalty == people.alpha_reward).all()
    assert people.beta_reward.mean() == pytest.approx(3, abs=.02)
    assert people.beta_reward.std() == pytest.approx(.2, rel=.06)
    assert agent.draw(5, seed=1).equals(agent.draw(5, seed=1))
    assert not agent.draw(5, seed=1).equals(agent.draw(5, seed=2))
    assert agent.values["alpha_reward"] == .1


def test_draw_by_name():
    agent = AgentQ(
        alpha_reward=.5,
        alpha_penalty=.3,
        parameter_variance=dict(alpha_reward=.05, beta_reward=.5, beta_choice=1.),
    )
    people = agent.draw(4000)
    assert people.alpha_reward.std() == pytest.approx(.05, rel=.05)
    assert people.beta_reward.std() == pytest.approx(.5, rel=.05)
    assert people.beta_choice.between(0, np.inf, inclusive="neither").all()  # half a normal distribution around 0
    assert (people.alpha_penalty == .3).all() and (people.forget_rate == 0).all()
    with pytest.raises(ValueError, match="unknown parameter 'alpha'"): AgentQ(parameter_variance=dict(alpha=.1))


def test_draw_of_the_penalty_rate_is_not_ignored():
    "alpha_penalty is asked to vary by name, so it varies, or there is an error: it is not silently set to alpha_reward"
    try: people = AgentQ(alpha_reward=.5, parameter_variance=dict(alpha_penalty=.1)).draw(50)
    except ValueError: return
    assert people.alpha_penalty.nunique() == 50


@pytest.mark.parametrize("sd", [-.1, dict(alpha_reward=-.1), float("nan")])
def test_a_negative_spread_is_refused(sd):
    with pytest.raises(ValueError, match="parameter_variance"): AgentQ(parameter_variance=sd).draw(3)


def test_deterministic_agent():
    agent = AgentQ(alpha_reward=.5, deterministic=True)
    t = simulate(agent, BanditsDrift(.2), people=200, n_trials=30, seed=2)
    q = np.full((200, 2), .5)
    choice, reward = t.choice.reshape(200, 30), t.reward.reshape(200, 30, 2)
    ties = []
    for n in range(30):
        best = q == q.max(1, keepdims=True)
        assert best[np.arange(200), choice[:, n]].all()
        ties += list(choice[best.all(1), n])
        r = reward[np.arange(200), n, choice[:, n]]
        q[np.arange(200), choice[:, n]] += .5 * (r - q[np.arange(200), choice[:, n]])
    rate(ties, .5)
    assert len(ties) >= 200


def test_one_option_too_many():
    "An agent made for three options cannot do a task with two"
    with pytest.raises(ValueError, match="3.*2|2.*3"): create_dataset(AgentQ(3), BanditsDrift(.2), n_trials=5)


# Data sets

def test_dataset_of_one_agent():
    agent = AgentQ(alpha_reward=.3)
    data, sessions, parameters = create_dataset(agent, BanditsDrift(.2), n_trials=20, n_sessions=5)
    assert data.xs.shape == (5, 20, 5) and data.ys.shape == (5, 20, 2) and len(sessions) == 5
    assert parameters == [agent.values] and (data.xs[..., -1] == 0).all()
    for x, y, frame in zip(data.xs.numpy(), data.ys.numpy(), sessions):
        np.testing.assert_array_equal(x[:, :2].argmax(1), frame.choice)
        np.testing.assert_array_equal(x[:, 2:4][np.arange(20), frame.choice], frame.reward)
        np.testing.assert_array_equal(y[:-1], x[1:, :2])
        assert np.isnan(y[-1]).all() and list(frame.trial) == list(range(1, 21)) and frame.index[0] == 0
        assert frame[["p_0", "p_1"]].to_numpy().min() >= 0


def test_dataset_with_full_feedback():
    data, sessions, _ = create_dataset(AgentQ(), BanditsDrift(.2, counterfactual=True), n_trials=10, n_sessions=2)
    assert not np.isnan(data.xs.numpy()).any() and {"reward_0", "reward_1"} <= set(sessions[0])


def test_dataset_of_several_agents():
    agents = [
        AgentQ(alpha_reward=.1),
        AgentQ(alpha_reward=.9, beta_reward=20.),
        rescorla_wagner_equation(.3, 3),
        NetworkCell(network("rescorla")),
    ]
    data, sessions, parameters = create_dataset(agents, BanditsDrift(.2), n_trials=15, n_sessions=3)
    assert len(data.xs) == 12 and len(sessions) == 12 and len(parameters) == 4
    assert data.xs[:, 0, -1].tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert [f.participant[0] for f in sessions] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert parameters[1]["beta_reward"] == 20 and parameters[0]["alpha_reward"] == .1
    trials = Trials.from_dataset(data)
    assert (
        nll(agents[0], None, trials.take(participants=[0])).sum()
        < nll(agents[1], None, trials.take(participants=[0])).sum()
    )


def test_dataset_of_drawn_learners():
    agent = AgentQ(alpha_reward=.3, parameter_variance=dict(alpha_reward=.2))
    data, sessions, parameters = create_dataset(
        [agent, AgentQ(beta_reward=5.)], BanditsDrift(.2), n_trials=10, n_sessions=4, sample_parameters=True
    )
    assert len(parameters) == len(sessions) == 8 and data.xs[:, 0, -1].tolist() == list(range(8))
    assert len({p["alpha_reward"] for p in parameters[:4]}) == 4 and {p["beta_reward"] for p in parameters[4:]} == {5.}
    assert all(p["alpha_penalty"] == p["alpha_reward"] for p in parameters)


def test_cells_that_cannot_be_drawn_say_so():
    with pytest.raises((ValueError, TypeError), match="draw|sample_parameters"):
        create_dataset(rescorla_wagner_equation(.3, 3), BanditsDrift(.2), n_trials=5, sample_parameters=True)


def test_dataset_follows_its_seed():
    make = lambda seed: create_dataset([AgentQ(), AgentQ()], BanditsDrift(.2), n_trials=10, n_sessions=2, seed=seed)[
        0
    ].xs.numpy()
    np.testing.assert_array_equal(make(1), make(1))
    np.testing.assert_array_equal(make(np.random.default_rng(3)), make(np.random.default_rng(3)))
    assert not np.array_equal(make(1), make(2), equal_nan=True)
    a = make(1)
    assert not np.array_equal(a[:2, :, :4], a[2:, :, :4], equal_nan=True)  # equal agents are different people


def test_dataset_does_not_use_up_the_task():
    task = BanditsDrift(.2, seed=1)
    before, state = task.reward_probs, np.random.get_state()
    create_dataset(AgentQ(), task, n_trials=10)
    np.testing.assert_array_equal(task.reward_probs, before)
    assert all(np.array_equal(a, b) for a, b in zip(state, np.random.get_state()))


@pytest.mark.parametrize("what", [dict(n_trials=0), dict(n_sessions=0)])
def test_empty_datasets_are_refused(what):
    with pytest.raises(ValueError, match="at least 1, got 0"): create_dataset(AgentQ(), BanditsDrift(.2), **what)


def test_demo_data_come_from_their_parameters():
    trials, cell = demo_trials(), TwoRates()
    assert trials.n_participants == DEMO["people"] and trials.n_trials == DEMO["people"] * DEMO["n_trials"]
    pool = lambda x: nll(cell, dict(alpha=x[0], beta=x[1]), trials).sum()
    best = minimize(pool, [.5, 2.], method="L-BFGS-B", bounds=[(0, 1), (0, 20)])
    assert best.x == pytest.approx([DEMO["alpha_reward"], DEMO["beta_reward"]], rel=.06)
    # the truth is as good, up to noise: 2 × the difference is chi² with 2 degrees of freedom
    assert pool([.3, 3.]) - best.fun < 6


# Frozen numbers

def fit_each(cell, trials, starts):
    "Best NLL of each person and its parameters, by scipy from each start, with the engine's likelihood and gradient"
    lanes, bounds, best = Lanes(cell, trials, 1), [(p.lower, p.upper) for p in cell.params.values()], []
    for who in range(trials.n_participants):
        f = lambda x: (lanes.nll(x[None], [who])[0], lanes.gradient(x[None], [who])[0])
        runs = [
            minimize(f, x, jac=True, method="L-BFGS-B", bounds=bounds, options=dict(ftol=1e-13, gtol=1e-7))
            for x in starts
        ]
        best.append(min(runs, key=lambda r: r.fun))
    return np.array([b.fun for b in best]), np.array([b.x for b in best])


@pytest.fixture(scope="module")
def golden(shared):
    file = shared/"golden"/"q2_50x200.csv"
    if not file.exists(): pytest.skip(f"no {file}")
    return read_trials(file), pd.read_csv(shared/"golden"/"q2_50x200_truth.csv", index_col="participant")


def test_golden_maximum_likelihood(golden):
    trials, truth = golden
    fun, x = fit_each(TwoRates(), trials, [[.5, 3.], [.05, 18.]])
    assert fun.sum() == pytest.approx(3205.6841, abs=1e-3)
    assert np.corrcoef(truth.alpha, x[:, 0])[0, 1] == pytest.approx(.850, abs=2e-3)
    assert np.corrcoef(truth.beta, x[:, 1])[0, 1] == pytest.approx(.694, abs=2e-3)
    at = pd.DataFrame(x, list(trials.participants), ["alpha", "beta"])
    assert nll(TwoRates(), at, trials).sum() == pytest.approx(3205.6841, abs=1e-3)
    slope = gradient(TwoRates(), at, trials).to_numpy()
    free = (x > 1e-6) & (x < np.array([1, 20]) - 1e-6)
    assert abs(slope[free]).max() < 1e-2
    same = at.rename(columns=dict(alpha="alpha_reward", beta="beta_reward")).assign(alpha_penalty=at.alpha)
    np.testing.assert_allclose(nll(AgentQ(), same, trials), nll(TwoRates(), at, trials), rtol=1e-12)
    assert nll(TwoRates(), truth, trials).sum() > 3205.6841
