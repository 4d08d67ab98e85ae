"""The figures: what is drawn is what happened, and the same learner gives the same lines however it is written down."""
import matplotlib
matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.legend import Legend
from matplotlib.markers import TICKDOWN, TICKUP
from scipy import stats

from spice_rl.models.bandits import AgentQ, BanditsDrift, RescorlaWagner, create_dataset
from spice_rl.core.cell import Cell
from spice_rl.inference.comparison import compare
from spice_rl.core.data import Trials
from spice_rl.core.replaying import replay
from spice_rl.core.playing import simulate
from spice_rl.discovery.equation import Equation, rescorla_wagner_equation
from spice_rl.discovery.rules import Rule
from spice_rl.inference.fitting import fit
from spice_rl.inference.hierarchy import fit_hierarchical
from spice_rl.core.params import Param
from spice_rl.output.equation_plots import plot_equation
from spice_rl.output.fit_plots import plot_comparison, plot_fits, plot_parameters, plot_runs
from spice_rl.output.plotting import plot_fit_quality, plot_session
from spice_rl.output.recovery_plots import plot_confusion, plot_profile, plot_recovery
from spice_rl.discovery.precoded import RescorlaWagnerRNN
from spice_rl.discovery.network_cell import NetworkCell
from spice_rl.discovery.refinement import search_library
from spice_rl.discovery.structures import bandit_library
from spice_rl.core.style import COLOURS, save_figure

MARKERS = {"rewarded": TICKUP, "not rewarded": TICKDOWN, "reward not shown": "|", "choice missing": "."}


@pytest.fixture(autouse=True)
def no_figures_left():
    before = dict(plt.rcParams)
    yield
    assert dict(plt.rcParams) == before
    plt.close("all")


def session(options=2, n_trials=60, seed=0, hole=True):
    "One session as in `dataset.xs[0]`, with missing choices and hidden rewards"
    xs = create_dataset(AgentQ(options), BanditsDrift(.2, options), n_trials=n_trials, seed=seed)[0].xs[0].clone()
    if hole:
        xs[10:13, :2 * options] = np.nan
        xs[30:34, options:2 * options] = np.nan
    return xs


def lines(ax): return {line.get_label(): line for line in ax.get_lines()}


def drawn(ax):
    "Lane and outcome of each trial, as drawn: {trial: (name on the y axis at this height, outcome)}"
    names = {round(y, 9): t.get_text() for y, t in zip(ax.get_yticks(), ax.get_yticklabels())}
    out = {}
    for outcome, marker in MARKERS.items():
        if outcome not in lines(ax): continue
        line = lines(ax)[outcome]
        assert line.get_marker() == marker and line.get_linestyle() == "None"
        for t, y in line.get_xydata():
            assert int(t) not in out
            out[int(t)] = names[round(y, 9)], outcome
    return out


def happened(choice, reward, labels, middle=.5):
    "What `drawn` should be"
    out = {}
    for t, c in enumerate(choice):
        if c < 0: out[t] = "missing", "choice missing"
        elif np.isnan(reward[t, c]): out[t] = labels[c], "reward not shown"
        else: out[t] = labels[c], "rewarded" if reward[t, c] > middle else "not rewarded"
    return out


@pytest.mark.parametrize("options", [2, 3, 5])
def test_ticks_of_every_option(options):
    xs, labels = session(options), [f"arm {k}" for k in range(options)]
    _, axs = plot_session(AgentQ(options), xs, labels=labels)
    x = xs.numpy()
    choice = np.where(np.isnan(x[:, 0]), -1, x[:, :options].argmax(1))
    assert set(choice) == set(range(-1, options))
    assert drawn(axs[0]) == happened(choice, x[:, options:2 * options], labels)
    assert all(y < 0 for y in axs[0].get_yticks()[3:]) and axs[0].get_ylim()[0] < axs[0].get_yticks()[-1]


@pytest.mark.parametrize("paid, middle", [((-1., 1.), 0), ((0., 100.), 50), ((2., 3.), 2.5)])
def test_rewards_other_than_0_and_1(paid, middle):
    xs = session(hole=False)
    xs[:, 2:4] = xs[:, 2:4] * (paid[1] - paid[0]) + paid[0]
    _, axs = plot_session(rescorla_wagner_equation(.3, 3), xs)
    x = xs.numpy()
    expected = happened(x[:, :2].argmax(1), x[:, 2:4], ["option 0", "option 1"], middle)
    assert drawn(axs[0]) == expected and {o for _, o in expected.values()} == {"rewarded", "not rewarded"}


@pytest.mark.parametrize(
    "paid, outcome", [(1., "rewarded"), (0., "not rewarded"), (-1., "not rewarded"), (np.nan, "reward not shown")]
)
def test_a_session_that_always_pays_the_same(paid, outcome):
    _, axs = plot_session(AgentQ(), Trials.from_arrays([0, 1, 0], np.full(3, paid)))
    assert {o for _, o in drawn(axs[0]).values()} == {outcome}


def test_unchosen_rewards_are_not_what_was_paid():
    trials = Trials.from_arrays([0, 1, 1], [[0., 1], [1, 0], [0, 1]])
    _, axs = plot_session(AgentQ(alpha_counterfactual_reward=.2), trials)
    assert [o for _, (_, o) in sorted(drawn(axs[0]).items())] == ["not rewarded", "not rewarded", "rewarded"]


@pytest.mark.parametrize("options", [2, 3])
@pytest.mark.parametrize("forget", [0., .2])
def test_a_learner_and_its_equation_are_the_same_lines(options, forget):
    agents = {
        "groundtruth": AgentQ(options, alpha_reward=.3, forget_rate=forget),
        "spice": rescorla_wagner_equation(.3, 3, forget=forget),
    }
    for option in range(options):
        _, axs = plot_session(agents, session(options), ["x_value_reward"], option=option)
        for ax in axs:
            a, b = (lines(ax)[k].get_ydata() for k in agents)
            np.testing.assert_allclose(a, b, atol=1e-9)
        np.testing.assert_allclose(lines(axs[1])["spice"].get_ydata(), lines(axs[2])["spice"].get_ydata(), atol=1e-9)


def test_lines_are_the_replay():
    xs = session(3)
    agent = AgentQ(3, beta_choice=1., alpha_choice=.4)
    _, axs = plot_session({"a": agent}, xs, ["x_value_choice"], option=1)
    frame = replay(agent, Trials.from_dataset(xs[None]))
    np.testing.assert_allclose(lines(axs[0])["a"].get_ydata(), frame.p_1)
    logits = frame[["logit_0", "logit_1", "logit_2"]].to_numpy()
    np.testing.assert_allclose(lines(axs[1])["a"].get_ydata(), logits[:, 1] - logits.mean(1))
    trace = frame[["x_value_choice_0", "x_value_choice_1", "x_value_choice_2"]].to_numpy()
    np.testing.assert_allclose(lines(axs[2])["a"].get_ydata(), trace[:, 1] - trace.mean(1))


def test_missing_choices_move_nothing():
    _, axs = plot_session(AgentQ(), session(), ["x_value_reward"])
    for ax in axs: assert len(set(lines(ax)["AgentQ"].get_ydata()[10:14])) == 1


def test_options_not_on_offer_are_gaps():
    trials = Trials.from_arrays([0, 1, 2], [1., 0, 1], offer=[[0, 1, -1], [1, 2, -1], [0, 2, -1]])
    _, axs = plot_session(AgentQ(3), trials, ["x_value_reward"], option=1)
    for ax in axs: np.testing.assert_array_equal(np.isnan(lines(ax)["AgentQ"].get_ydata()), [False, False, True])
    p, q = (lines(ax)["AgentQ"].get_ydata()[:2] for ax in axs[:2])
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-2 * q)))  # two on offer: half of their difference is above the mean


class Own(Cell):
    "A cell of one's own, with a latent value nobody else has"
    params, state = dict(rate=Param(.1, 0, 1)), ("habit",)
    def init(p, state): pass
    def logits(p, state, trial): return state.habit
    def update(p, state, trial): state.habit[trial.choice] += p.rate


def test_a_signal_is_drawn_for_those_who_have_it():
    _, axs = plot_session({"own": Own(), "groundtruth": AgentQ()}, session(), ["habit", "x_value_reward"])
    assert "own" in lines(axs[2]) and "groundtruth" not in lines(axs[2])
    assert "own" not in lines(axs[3]) and "groundtruth" in lines(axs[3])


@pytest.mark.parametrize("weight", [1, 3])
def test_network_values_are_drawn_in_logits(weight):
    class Network(RescorlaWagnerRNN):
        def forward(self, inputs, prev_state=None, batch_first=False):
            logits, state = super().forward(inputs, prev_state, batch_first)
            return weight * logits, state
    _, axs = plot_session({"rnn": NetworkCell(Network())}, session(), ["x_value_reward"])
    q, value = (lines(ax)["rnn"].get_ydata() for ax in axs[1:])
    assert np.ptp(q) > .1
    np.testing.assert_allclose(q, value, atol=1e-6)


def test_a_network_that_is_no_weighted_sum_is_drawn_as_it_is():
    class Network(RescorlaWagnerRNN):
        def forward(self, inputs, prev_state=None, batch_first=False):
            logits, state = super().forward(inputs, prev_state, batch_first)
            return torch.tanh(3 * logits), state
    xs = session()
    _, axs = plot_session({"rnn": NetworkCell(Network())}, xs, ["x_value_reward"])
    frame = replay(NetworkCell(Network()), Trials.from_dataset(xs[None]))
    np.testing.assert_allclose(lines(axs[2])["rnn"].get_ydata(), (frame.x_value_reward_0 - frame.x_value_reward_1) / 2)


def test_people_have_their_own_coefficients():
    e = rescorla_wagner_equation(.3, 3)
    strong = {k: v * (3 if k.endswith("c_reward") else 1) for k, v in dict(e.row()).items()}
    people = Equation(e.equation_rules, e.state, pd.DataFrame([dict(e.row()), strong]))
    xs = session(hole=False)
    xs[:, -1] = 1
    _, axs = plot_session({"people": people, "second": Equation(e.equation_rules, e.state, strong), "first": e}, xs)
    a, b, c = (lines(axs[1])[k].get_ydata() for k in ("people", "second", "first"))
    np.testing.assert_allclose(a, b)
    assert abs(a - c).max() > .1


# Words, colours, errors

def test_labels_say_which_option():
    trials = simulate(AgentQ(), BanditsDrift(.2), n_trials=20)
    _, axs = plot_session(AgentQ(), trials, "x_value_reward")
    assert [ax.get_ylabel().split("\n")[0] for ax in axs] == ["P(option 0)", "Q(option 0)", "x_value_reward"]
    assert "(option 0)" in axs[2].get_ylabel()
    _, axs = plot_session(AgentQ(), trials, labels=["left", "right"], option=1)
    assert all("right" in ax.get_ylabel() for ax in axs)
    named = Trials.from_arrays([0, 1], [1., 0], options=["sun", "moon"])
    assert plot_session(AgentQ(), named)[1][0].get_ylabel() == "P(sun)"


def test_one_key_that_hides_no_data():
    agents = {
        k: AgentQ(alpha_reward=.1 + .1 * i) for i, k in enumerate(["groundtruth", "rnn", "spice", "four", "five"])
    }
    fig, axs = plot_session(agents, session(), ["x_value_reward"])
    fig.canvas.draw()
    keys = [child for ax in axs for child in ax.get_children() if isinstance(child, Legend)] + fig.legends
    words = [t.get_text() for key in keys for t in key.get_texts()]
    assert sorted(words) == sorted([*agents, *MARKERS])
    for key in keys:
        box = key.get_window_extent()
        assert not any(box.overlaps(ax.get_window_extent()) for ax in axs)
        assert fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 and box.y1 <= fig.bbox.y1
        assert not any(box.overlaps(other.get_window_extent()) for other in keys if other is not key)


def test_colours_belong_to_labels():
    def colours(labels):
        return {
            k: v.get_color()
            for k, v in lines(plot_session(dict.fromkeys(labels, AgentQ()), session())[1][1]).items()
            if k in labels
        }
    all_of_them = ["rnn", "groundtruth", "spice", "network", "equation", "mine"]
    many = colours(all_of_them)
    assert len(set(many.values())) == len(many) and many["groundtruth"] == COLOURS["truth"]
    assert all(colours([k])[k] == many[k] for k in ("rnn", "spice", "groundtruth"))


def test_equal_lines_stay_visible():
    _, axs = plot_session(dict.fromkeys(["rnn", "spice", "groundtruth"], AgentQ()), session())
    below, middle, top = sorted(
        (lines(axs[1])[k] for k in ("rnn", "spice", "groundtruth")), key=lambda line: line.get_zorder()
    )
    assert below.get_label() == "groundtruth"
    assert below.get_linewidth() > middle.get_linewidth() + 1
    assert top.get_linestyle() == "--"


def test_unknown_signal():
    with pytest.raises(ValueError, match="unknown signal 'x_valu_reward'; did you mean 'x_value_reward'"):
        plot_session(AgentQ(), session(), ["x_valu_reward"])
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(agents={}), ValueError, "agents is empty"),
        (dict(agents={"rnn": RescorlaWagnerRNN()}), TypeError, "NetworkCell"),
        (dict(option=2), ValueError, "option must be 0..1"),
        (dict(option=-1), ValueError, "option must be 0..1"),
        (dict(experiment=torch.zeros(1, 4, 5)), ValueError, "one session"),
        (dict(experiment=[[1, 0]]), ValueError, "got list"),
        (dict(experiment=simulate(AgentQ(), BanditsDrift(.2), people=3, n_trials=4)), ValueError, "got 3; pick one"),
        (dict(labels=["a", "b", "c"]), ValueError, "3"),
        (dict(axs=[None]), ValueError, "axs must hold 2 axes"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message): plot_session(**dict(agents=AgentQ(), experiment=session()) | arguments)


def test_nothing_of_the_callers_changes():
    xs = session()
    before, agents = xs.clone(), {"spice": rescorla_wagner_equation(.3, 3), "groundtruth": AgentQ()}
    signals, labels = ["x_value_reward"], ["l", "r"]
    plot_session(agents, xs, signals, labels)
    plot_session(agents, xs.numpy(), signals, labels)
    assert torch.equal(xs.nan_to_num(-9), before.nan_to_num(-9))
    assert list(agents) == ["spice", "groundtruth"] and signals == ["x_value_reward"] and labels == ["l", "r"]


def test_array_and_trials_give_the_same():
    xs = session()
    ways = [xs, xs.numpy(), Trials.from_dataset(xs[None])]
    a, b, c = ([line.get_xydata() for line in plot_session(AgentQ(), way)[1][0].get_lines()] for way in ways)
    for other in (b, c):
        for one, two in zip(a, other): np.testing.assert_array_equal(one, two)


def test_extra_features_with_labels():
    xs = session()
    wide = torch.cat([xs[:, :4], torch.zeros(60, 2), xs[:, 4:]], 1)
    a, b = (plot_session(AgentQ(), x, labels=["l", "r"])[1][0] for x in (xs, wide))
    assert drawn(a) == drawn(b)


def test_save_and_own_axes(tmp_path):
    plot_session(AgentQ(), session(), save=tmp_path/"a.png")
    assert (tmp_path/"a.png").read_bytes()[:4] == b"\x89PNG"
    plot_session(AgentQ(), session(), save=str(tmp_path/"a.pdf"))
    assert (tmp_path/"a.pdf").read_bytes()[:4] == b"%PDF"
    own, grid = plt.subplots(1, 2)
    fig, axs = plot_session(AgentQ(), session(), axs=grid)
    assert fig is own and list(axs) == list(grid)


# The other figures

def scores(**p): return pd.DataFrame(dict(probability=p, nll_per_choice={k: -np.log(v) for k, v in p.items()}))


@pytest.mark.parametrize(
    "p",
    [
        dict(guessing=.5, network=.58, equation=.575),
        dict(guessing=.25, equation=.2),
        dict(guessing=.5, network=.5),
    ],
)
def test_fit_quality(p):
    _, ax = plot_fit_quality(scores(**p))
    rows = {t.get_text(): y for y, t in zip(ax.get_yticks(), ax.get_yticklabels())}
    assert set(rows) == set(p) - {"guessing"}
    for name, y in rows.items(): assert tuple(lines(ax)[name].get_xydata()[0]) == (p[name], y)
    low, high = ax.get_xlim()
    assert low < min(p.values()) and max(p.values()) < high


def test_fit_quality_errors_and_axes():
    own = plt.figure().subplots()
    assert plot_fit_quality(scores(guessing=.5, network=.6), ax=own)[1] is own
    with pytest.raises(ValueError, match="unknown row of scores 'guessing'"): plot_fit_quality(scores(network=.6))
    with pytest.raises(ValueError, match="unknown column of scores 'probability'"):
        plot_fit_quality(scores(guessing=.5).rename(columns=dict(probability="p")))


def test_equation_lines():
    e = rescorla_wagner_equation(.3, 3, forget=.2)
    _, axs = plot_equation(e, truth=rescorla_wagner_equation(.3, 3))
    assert len(axs) == 2
    for r in (0, 1):
        v, after = lines(axs[0])[f"reward {r}"].get_data()
        np.testing.assert_allclose(after, -.3 + .7 * v + .9 * r)
    v, after = lines(axs[1])["any reward"].get_data()
    np.testing.assert_allclose(after, .1 + .8 * v)
    np.testing.assert_allclose(lines(axs[1])["truth"].get_ydata(), v)  # it has no such rule: the value stays
    assert v.min() < -1 and v.max() > 2  # the fixed points of the chosen option
    assert all(line.get_linestyle() == "--" for ax in axs for line in ax.get_lines() if line.get_label() == "truth")


def test_equation_is_drawn_in_logits():
    e = rescorla_wagner_equation(.3, 3)
    scaled = dict(e.row()) | {"weight: x_value_reward": 2., "start: x_value_reward": .25}
    for term in ("1", "c_reward"): scaled[f"x_value_reward_chosen: {term}"] /= 2
    a, b = (plot_equation(x)[1][0] for x in (e, Equation(e.equation_rules, e.state, scaled)))
    for r in (0, 1): np.testing.assert_allclose(*(lines(ax)[f"reward {r}"].get_xydata() for ax in (a, b)), atol=1e-6)


def test_equation_of_a_participant():
    e = rescorla_wagner_equation(.3, 3)
    people = Equation(
        e.equation_rules,
        e.state,
        pd.DataFrame([dict(e.row()), dict(rescorla_wagner_equation(.6, 3).row())], index=["ann", "bob"]),
    )
    _, axs = plot_equation(people, truth=people, participant="bob")
    v, after = lines(axs[0])["reward 1"].get_data()
    np.testing.assert_allclose(after, -.6 + .4 * v + 1.8)
    np.testing.assert_allclose(lines(axs[0])["truth"].get_linewidth(), 1.2)
    assert "participant bob" in axs[0].get_ylabel()
    assert "participant ann" in plot_equation(people)[1][0].get_ylabel()


@pytest.mark.parametrize("slope", [1., 1.5, -1.5])
def test_equation_that_never_settles(slope):
    e = rescorla_wagner_equation(.3, 3)
    _, axs = plot_equation(
        Equation(e.equation_rules, e.state, dict(e.row()) | {"x_value_reward_chosen: x_value_reward_chosen": slope})
    )
    assert np.isfinite(lines(axs[0])["reward 1"].get_xydata()).all()


def test_equation_errors():
    rule = Rule("both", "x", (), (("c_reward", "reward"), ("c_action", "action")), ((1, 0, 0),))
    with pytest.raises(ValueError, match="at most one signal"):
        plot_equation(Equation([rule], ["x"], {"start: x": 0., "weight: x": 1., "both: both": 1.}))
    assert not plt.get_fignums()
    with pytest.raises(ValueError, match="unknown latent value in truth"):
        plot_equation(rescorla_wagner_equation(.3, 3), truth=Equation([], ["x"], {"start: x": 0., "weight: x": 1.}))
    with pytest.raises(ValueError, match="axs must hold 1 axes"):
        plot_equation(rescorla_wagner_equation(.3, 3), axs=plt.figure().subplots(2))


def test_equation_with_filters_without_action():
    rule = Rule("all", "x", (), (("c_chosen", "chosen_reward"),), ((0, 0), (1, 0), (0, 1)))
    e = Equation([rule], ["x"], {"start: x": 0., "weight: x": 1., "all: 1": .1, "all: all": .5, "all: c_chosen": 2.})
    _, axs = plot_equation(e, rewards=(-1, 0, 1))
    for r in (-1, 0, 1):
        v, after = lines(axs[0])[f"reward {r}"].get_data()
        np.testing.assert_allclose(after, .1 + .5 * v + 2 * r)


# What is drawn is what was computed

def bars(ax):
    "Middle and ends of every error bar, (bars, 3), by axis: those along x, those along y"
    out = {}
    for c in ax.containers:
        if not hasattr(c, "has_xerr"): continue
        (x,), (y,) = c.lines[0].get_data()
        for along, has, middle, k in (("x", c.has_xerr, x, 0), ("y", c.has_yerr, y, 1)):
            if has:
                out.setdefault(along, []).append(
                    (
                        middle,
                        *np.ptp(np.array(c.lines[2][0].get_segments()[0])[:, k], keepdims=True),
                        c.lines[2][0].get_segments()[0][0][k],
                    )
                )
    return {k: np.array(v) for k, v in out.items()}


@pytest.fixture(scope="module")
def fits():
    trials = simulate(RescorlaWagner(alpha=.3, beta=3.), BanditsDrift(), people=12, n_trials=60, seed=2)
    groups = pd.Series(list("ab") * 6, index=trials.participants)
    cells = dict(a=RescorlaWagner(), b=AgentQ())
    return trials, groups, [fit(cell, trials, starts=1, threads=1, name=name) for name, cell in cells.items()]


def test_a_comparison_shows_differences_of_the_same_people(fits):
    comparison = compare(fits[2])
    fig, ax = plot_comparison(comparison)
    best = comparison.values.mean().idxmin()
    drawn = bars(ax)["x"]
    for (middle, width, low), model in zip(drawn, comparison.values):
        d = comparison.values[model] - comparison.values[best]
        assert middle == pytest.approx(d.mean())
        interval = (0., 0.) if model == best else stats.ttest_1samp(d, 0).confidence_interval()
        assert (low, low + width) == pytest.approx(tuple(interval))
    assert best in ax.get_xlabel() and ax.get_xlim()[0] <= 0 <= ax.get_xlim()[1] < comparison.values.mean().max(), (
        "not from 0 of the criterion"
    )
    plt.close(fig)


def test_people_stand_in_the_order_of_the_table(fits):
    trials, groups, (one, *_) = fits
    fig, axs = plot_parameters(one)
    for ax, name in zip(axs, one.names):
        x, y = ax.lines[0].get_data()
        assert (np.diff(x) > 0).all() and (y == one.table[name].to_numpy()).all()
    plt.close(fig)


def test_a_hierarchical_fit_is_drawn_with_its_own_intervals(fits):
    trials, groups, _ = fits
    h = fit_hierarchical(RescorlaWagner(), trials, groups=groups, threads=1)
    fig, axs = plot_parameters(h)
    for ax, name in zip(axs, h.names):
        middle, width, low = bars(ax)["y"].T
        own = h.means.loc[name].loc[["a", "b"]]
        np.testing.assert_allclose(np.c_[middle, low, low + width], own[["typical", "typical_lower", "typical_upper"]])
    plt.close(fig)


def test_an_equation_is_drawn_with_the_rewards_it_was_found_on():
    base = simulate(RescorlaWagner(alpha=.3, beta=2.), BanditsDrift(), people=3, n_trials=60, seed=1)
    found = search_library(
        Trials.from_arrays(
            base.choice, 2 * base.reward - 1, np.array(base.participants)[base.participant], options=[0, 1]
        ),
        bandit_library(1, trace=False),
    )
    for drawn, asked in ((found, None), (found.equation, None), (rescorla_wagner_equation(.3, 3), (-1, 1))):
        fig, axs = plot_equation(drawn, rewards=asked)
        assert [label for label in axs[0].get_legend_handles_labels()[1] if "reward" in label] == [
            "reward -1",
            "reward 1",
        ]
        plt.close(fig)
    fig, axs = plot_equation(rescorla_wagner_equation(.3, 3))
    assert [label for label in axs[0].get_legend_handles_labels()[1] if "reward" in label] == ["reward 0", "reward 1"]
    plt.close(fig)


@pytest.mark.parametrize(
    "draw, says",
    [
        (lambda f: plot_fits(f), r"fits must be a dict name -> what fit\(…\) returned, got Fit"),
        (lambda f: plot_runs([f]), "fits must be a dict"),
        (lambda f: plot_fits(dict(a=3)), r"fits\['a'\] must be what fit\(…\) returned, got int"),
        (lambda f: plot_recovery(f), r"recovery must be what parameter_recovery\(…\) returned, got Fit"),
        (lambda f: plot_confusion(f), "recovery must be what model_recovery"),
        (lambda f: plot_comparison(f), "comparison must be what compare"),
        (lambda f: plot_parameters(compare([f])), "fit must be what fit"),
        (lambda f: plot_equation(f), "equation must be an Equation"),
        (lambda f: plot_equation(rescorla_wagner_equation(.3, 3), rewards=1), "rewards must be a list of numbers"),
        (lambda f: plot_profile(f), "profile must be what profile_likelihood"),
        (lambda f: plot_fit_quality(f), "scores must be a frame"),
        (lambda f: save_figure(None, "x.png"), "drawn must be a figure"),
        (lambda f: save_figure([], "x.png"), "drawn must be a figure"),
    ],
)
def test_the_wrong_object_is_one_sentence(fits, draw, says):
    with pytest.raises(TypeError, match=says) as e: draw(fits[2][0])
    assert "\n" not in str(e.value)
