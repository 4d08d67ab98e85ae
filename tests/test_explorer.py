"""The explorer: a slider moves the picture and the words, nothing else does, and what is drawn is what the engine
says."""
import base64
import matplotlib
matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib import pyplot as plt

from spice_rl.models.avoidance import SYMBOLS, AvoidanceTask
from spice_rl.models.bandits import AgentQ, BanditsDrift, BanditsFixed, demo_trials
from spice_rl.core.cell import Cell
from spice_rl.core.data import Trials
from spice_rl.core.engine import nll
from spice_rl.core.replaying import replay
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import Equation, rescorla_wagner_equation
from spice_rl.output.explorer import explore
from spice_rl.models.ready import avoidance_model
from spice_rl.core.params import Param
from spice_rl.discovery.precoded import RescorlaWagnerRNN
from spice_rl.discovery.network_cell import NetworkCell

TASK = BanditsDrift(.2)
SLOPE = "x_value_reward_chosen: x_value_reward_chosen"


@pytest.fixture(autouse=True)
def nothing_left():
    before, open_ = dict(plt.rcParams), plt.get_fignums()
    yield
    assert dict(plt.rcParams) == before
    plt.close("all")


def equation(): return rescorla_wagner_equation(.3, 3, forget=.2)


CASES = {
    "q": lambda: explore(AgentQ(), TASK),
    "three arms": lambda: explore(AgentQ(3), BanditsDrift(.2, 3), n_trials=30),
    "equation": lambda: explore(equation(), TASK),
    "person": lambda: explore(AgentQ(), demo_trials(), participant=3),
    "equation, person": lambda: explore(equation(), demo_trials(), participant=3),
    "hybrid": lambda: explore(avoidance_model("Hybrid2012+bias+novel+decay"), AvoidanceTask(4, 2)),
}


@pytest.mark.parametrize("name", ["q", "equation, person", "hybrid"])
def test_each_slider_moves_the_picture(name):
    e = CASES[name]()
    assert list(e.sliders) == list(e.cell.params)
    first, still, words = e._image.value, [], e.words()
    for parameter, slider in e.sliders.items():
        low, high = e._ranges[parameter]
        slider.value = low + .9 * (high - low) if slider.value < (low + high) / 2 else low + .1 * (high - low)
        if e._image.value == first: still.append(parameter)
        assert e.values[parameter] == slider.value
        e.reset()
        # the picture depends on where sliders are, not on where they were
        assert e._image.value == first and e.words() == words
    # it works before transfer, which is in the words alone
    assert still == (["decay_factor"] if name == "hybrid" else [])


@pytest.mark.parametrize("name", CASES)
def test_what_is_drawn_is_what_the_engine_says(name):
    e = CASES[name]()
    e.set(**{p: lo + .6 * (hi - lo) for p, (lo, hi) in list(e._ranges.items())[:2]})
    told = replay(e.cell, e.trials, pd.DataFrame([e.values], index=e.trials.participants))
    _, axs = e.figure()
    labels = e.trials.options
    for ax, what in zip(axs, ["p", *e.cell.state]):
        lines = [
            line for line in ax.get_lines() if not line.get_label().startswith("_") and "reward" not in line.get_label()
        ]
        assert len(lines) == len(labels)
        for k, line in enumerate(lines):
            x, y = line.get_data()
            assert (np.diff(x[np.isfinite(x)]) > 0).all() or what == "p"
            for t, v in zip(x[np.isfinite(x)].astype(int), y[np.isfinite(x)]):
                assert v == pytest.approx(told[f"{what}_{labels[k]}"][t])
            offered = (e.trials.offer == k).any(1) & (e.trials.context != 4)
            if what == "p": assert sorted(x[np.isfinite(x)]) == list(np.flatnonzero(offered))


def test_a_learner_plays_with_the_same_luck():
    e = explore(AgentQ(), TASK, seed=5, n_trials=40)
    e.set(alpha_reward=.7)
    same = simulate(AgentQ(), TASK, e.values, n_trials=40, seed=5)
    assert np.array_equal(e.trials.choice, same.choice) and np.array_equal(e.trials.reward, same.reward, equal_nan=True)
    one, other = (explore(AgentQ(), TASK, seed=s) for s in (5, 5))
    assert one._image.value == other._image.value
    assert one._repr_mimebundle_()[0]["image/png"] == other._repr_mimebundle_()[0]["image/png"]
    assert explore(AgentQ(), TASK, seed=6)._image.value != one._image.value
    a, b = (explore(AgentQ(), TASK, seed=np.random.default_rng(1)) for _ in range(2))
    assert a.numbers == b.numbers


def test_the_avoidance_task_is_played_as_simulate_plays_it():
    cell, task = avoidance_model("Hybrid2012"), AvoidanceTask(6, 2)
    e = explore(cell, task, seed=3).set(mixing_factor=.1)
    same = simulate(cell, task, e.values, seed=3)
    assert np.array_equal(e.trials.choice, same.choice)
    frame = same.to_frame()
    accuracy = frame.groupby("phase").accuracy.mean() / 100
    assert e.numbers["accuracy"] == pytest.approx(accuracy["learning"])
    assert e.numbers["accuracy_transfer"] == pytest.approx(accuracy["transfer"])


def test_two_explorers_share_nothing():
    cell = AgentQ()
    one, other = explore(cell, TASK), explore(cell, TASK)
    before = other._image.value, other.values, other.words()
    one.set(alpha_reward=.9, beta_reward=1.)
    assert (other._image.value, other.values, other.words()) == before
    assert cell.values == AgentQ().values


def test_one_picture_for_all_that_is_set():
    e, drawn = explore(AgentQ(), TASK), []
    e._image.observe(lambda change: drawn.append(1), "value")
    e.set(alpha_reward=.5, alpha_penalty=.1, beta_reward=5.)
    assert len(drawn) == 1


def test_the_likelihood_is_that_of_the_engine():
    trials = demo_trials()
    e = explore(AgentQ(), trials, participant=4)
    for alpha in (.1, .8):
        e.sliders["alpha_reward"].value = alpha
        expected = nll(AgentQ(), e.values, trials.take(participants=4)).iloc[0]
        assert e.numbers["nll"] == pytest.approx(expected)
        assert e.numbers["nll_per_choice"] == pytest.approx(expected / 100)
        assert f"{expected / 100:.4f}" in e._text.value
    assert e.numbers["guessing"] == pytest.approx(np.log(2))


def switches(trials):
    "Share of switches after a reward and after none, by hand"
    found = {True: [], False: []}
    for t in range(1, len(trials)):
        found[trials.reward[t - 1, trials.choice[t - 1]] > .5].append(trials.choice[t] != trials.choice[t - 1])
    return np.mean(found[True]), np.mean(found[False])


def test_switches_and_rewards_by_hand():
    e = explore(AgentQ(), TASK, seed=2)
    n = e.numbers
    assert (n["switch_after_reward"], n["switch_after_none"]) == pytest.approx(switches(e.trials))
    paid = e.trials.reward[np.arange(100), e.trials.choice]
    assert n["mean_reward"] == pytest.approx(paid.mean())
    p = e.trials.to_frame()[["p_0", "p_1"]].to_numpy()
    assert n["accuracy"] == pytest.approx((p[np.arange(100), e.trials.choice] == p.max(1)).mean())
    shown = explore(AgentQ(), e.trials)
    assert [shown.numbers[f"person_{k}"] for k in ("switch_after_reward", "switch_after_none", "mean_reward")] == \
           [n[k] for k in ("switch_after_reward", "switch_after_none", "mean_reward")]
    told, what = replay(AgentQ(), e.trials), e.trials.choice
    other = np.array([1 - told[f"p_{what[t - 1]}"][t] for t in range(1, 100)])
    assert shown.numbers["switch_after_reward"] == pytest.approx(other[paid[:-1] > .5].mean())


def test_sessions_missing_choices_and_hidden_rewards():
    trials = Trials.from_arrays([0, 1, -1, 0, 1, 1], [1., np.nan, np.nan, 0, 1, 0], session=[0, 0, 0, 1, 1, 1])
    e = explore(AgentQ(), trials)
    _, axs = e.figure()
    assert any(t.get_text() == "missing" for t in axs[0].get_yticklabels())
    x = axs[1].get_lines()[0].get_xdata()
    assert np.array_equal(x, [0, 1, 2, np.nan, 3, 4, 5], equal_nan=True)  # a new session starts a new line
    assert e.numbers["nll"] == pytest.approx(nll(AgentQ(), None, trials).iloc[0])


def test_a_panel_and_its_picture():
    e = explore(AgentQ(), BanditsFixed(), hold=dict(alpha_choice=.5), signals="x_value_reward")
    bundle, size = e._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"])[:4] == e._image.value[:4] == b"\x89PNG"
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == e.panel.model_id
    assert "alpha_choice = 0.5" in bundle["text/plain"] and all(w.split()[0] in bundle["text/plain"] for w in e.words())
    assert "alpha_choice" not in e.sliders and e.values["alpha_choice"] == .5
    assert len(plt.get_fignums()) == 0 and len(e.figure()[1]) == 2 and len(plt.get_fignums()) == 1
    assert {"image/png", "text/plain"} <= set(DisplayFormatter().format(e)[0])


def test_a_broken_model_says_so():
    e = explore(rescorla_wagner_equation(.3, 3), demo_trials(), bounds={SLOPE: (-1e9, 1e9)})
    words = e.words()
    e.sliders[SLOPE].value = 1e9
    assert "breaks down" in e._text.value and np.isnan(e.numbers["nll"]) and len(e._image.value) > 1000
    assert e.reset().words() == words
    played = explore(rescorla_wagner_equation(.3, 3), TASK, bounds={SLOPE: (-1e9, 1e9)}).set(**{SLOPE: 1e9})
    assert "breaks down" in played._text.value


class Wild(Cell):
    "Parameters of every kind of bounds"
    params = dict(any=Param(10.), up=Param(-2., upper=0), down=Param(4., 1), both=Param(.2, 0, 1))
    state = "q",
    def init(p, state): pass
    def logit(p, state, trial, option): return p.both * state.q[option]
    def update(p, state, trial): state.q[trial.choice] += 1


def test_ranges_come_from_bounds():
    e = explore(Wild(), TASK)
    assert e._ranges == dict(any=(-10, 30), up=(-7, 0), down=(1, 12), both=(0, 1))
    assert explore(Wild(), TASK, bounds=dict(any=(5, 15)))._ranges["any"] == (5, 15)
    assert all(s.min == lo and s.max == hi for s, (lo, hi) in zip(e.sliders.values(), e._ranges.values()))


def test_an_equation_of_several_people():
    one = rescorla_wagner_equation(.3, 3)
    table = pd.concat([one.coefficients, one.coefficients * .5]).set_axis([3, 4])
    both = Equation(one.equation_rules, one.state, table)
    for task in (demo_trials(), TASK):
        assert explore(both, task, participant=4).values == pytest.approx(table.loc[4].to_dict())
    assert explore(both, TASK).values == pytest.approx(table.loc[3].to_dict())
    with pytest.raises(ValueError, match="unknown participant 5"): explore(both, TASK, participant=5)
    with pytest.raises(ValueError, match="it was found for"): explore(both, demo_trials(), participant=7)


@pytest.mark.parametrize("task", [BanditsFixed(), demo_trials()], ids=["plays", "is shown"])
@pytest.mark.parametrize("people", [None, (1, 2, 3)])
def test_a_network_has_no_sliders(task, people):
    cell = NetworkCell(RescorlaWagnerRNN(2, n_participants=len(people or [1])), participants=people)
    e = explore(cell, task)
    assert not e.sliders and e._image.value[:4] == b"\x89PNG" and len(e.panel.children) == 2
    with pytest.raises(ValueError, match="unknown slider 'alpha'"): e.set(alpha=.3)
    with pytest.raises(TypeError, match="cannot play AvoidanceTask; show it trials"):
        explore(NetworkCell(RescorlaWagnerRNN(9)), AvoidanceTask())


ERRORS = [
    (TypeError, "explore needs a cell", (AgentQ, TASK), {}),
    (TypeError, "got int; of an estimator take rnn_agent", (3, TASK), {}),
    (TypeError, "task must be an environment", (AgentQ(), "bandit"), {}),
    (TypeError, r"got BanditsDrift: write BanditsDrift\(\)", (AgentQ(), BanditsDrift), {}),
    (ValueError, "did you mean 'beta_reward'", (AgentQ(), TASK), dict(bounds=dict(beta_rewrd=(0, 3)))),
    (ValueError, "unknown parameter 'beta'", (AgentQ(), TASK), dict(hold=dict(beta=3))),
    (ValueError, r"alpha_reward must lie in \[0, 1\], got 2", (AgentQ(), TASK), dict(hold=dict(alpha_reward=2))),
    (
        ValueError,
        r"bounds of alpha_reward must lie in \[0, 1\]",
        (AgentQ(), TASK),
        dict(bounds=dict(alpha_reward=(0, 2))),
    ),
    (ValueError, "must be .lowest, highest.", (AgentQ(), TASK), dict(bounds=dict(alpha_reward=(0.5, 0.1)))),
    (ValueError, "starts at 0.2, outside", (AgentQ(), TASK), dict(bounds=dict(alpha_reward=(0.5, 0.6)))),
    (ValueError, "is in hold", (AgentQ(), TASK), dict(bounds=dict(alpha_reward=(0, 0.6)), hold=dict(alpha_reward=0.3))),
    (ValueError, "did you mean 'x_value_reward'", (AgentQ(), TASK), dict(signals=["x_value_rewards"])),
    (ValueError, "unknown option 2", (AgentQ(), TASK), dict(options=[2])),
    (ValueError, "did you mean '75R", (avoidance_model("QLearning"), AvoidanceTask()), dict(options=["75R3"])),
    (ValueError, "unknown participant 'x'", (AgentQ(), demo_trials()), dict(participant="x")),
    (ValueError, "is the same for everybody", (AgentQ(), TASK), dict(participant=3)),
    (ValueError, "leave out n_trials and seed", (AgentQ(), demo_trials()), dict(n_trials=3)),
    (ValueError, "leave out n_trials and seed", (AgentQ(), demo_trials()), dict(seed=3)),
    (ValueError, "n_trials must be a whole number of at least 1", (AgentQ(), TASK), dict(n_trials=0)),
    (
        ValueError,
        "made no choice that counts",
        (AgentQ(), Trials.from_arrays([-1, -1], [np.nan] * 2, options=[0, 1])),
        {},
    ),
]


@pytest.mark.parametrize("kind, says, args, options", ERRORS, ids=[f"{i}" for i in range(len(ERRORS))])
def test_errors(kind, says, args, options):
    with pytest.raises(kind, match=says): explore(*args, **options)


def test_set_refuses_what_no_slider_can_show():
    e = explore(AgentQ(), TASK)
    before = e.values
    with pytest.raises(ValueError, match="did you mean 'alpha_reward'"): e.set(alpha_rewar=.3)
    for value in (99., np.nan):
        with pytest.raises(ValueError, match="bounds="): e.set(alpha_reward=.4, beta_reward=value)
    assert e.values == before


def test_symbols_of_the_avoidance_task_are_options():
    e = explore(avoidance_model("QLearning"), AvoidanceTask(4, 2), options="75R1")
    assert [line.get_label() for line in e.figure()[1][1].get_lines()][:1] == ["75R1"] and e.trials.options == SYMBOLS
