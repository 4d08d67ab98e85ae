"""One look: colours mean roles on every page, every drawing function takes axes, returns (figure, axes) and has its
picture in the docs."""
import inspect, re
from dataclasses import replace
from types import SimpleNamespace

import matplotlib
matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image
import base64, io

import spice_rl
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, avoidance_model, check, check_fit, compare, fit
from spice_rl import individual_equations, model_recovery, parameter_recovery, plot_checkup, power, profile_likelihood
from spice_rl import rescorla_wagner_equation, select_models, simulate, stability
from spice_rl.output.equation_plots import *
from spice_rl.output.fit_plots import *
from spice_rl.output.plotting import *
from spice_rl.inference.sbc import Calibration
from spice_rl.output.recovery_plots import *
from spice_rl.core.style import COLOURS, SERIES, save_figure

from test_project import HOME, MODULES, NOTEBOOKS, ROOT, cells, public
from worlds import HELD

DRAWING = {name: module for module in MODULES for name in public(module) if name.startswith("plot_")}


# What every drawing function does

@pytest.fixture(scope="module")
def world():
    "Something small for each function to draw"
    task = AvoidanceTask(n_learning=6, n_transfer=1, groups={i: "ab"[i % 2] for i in range(6)})
    models = [avoidance_model(n) for n in ("QLearning", "Advantage")]
    trials = simulate(models[0], task, people=6, seed=1)
    bounds = {m: dict(temperature=(.05, .2)) for m in ("QLearning", "Advantage")}
    fits = {f.name: f for f in (fit(m, trials, starts=2) for m in models)}
    bandit = simulate(AgentQ(alpha_reward=.3), BanditsDrift(.2), people=6, sessions=2, n_trials=60, seed=1)
    return SimpleNamespace(
        task=task,
        models=models,
        trials=trials,
        fits=fits,
        checks={n: check(f, trials, times=5) for n, f in fits.items()},
        bandit=bandit,
        recovery=parameter_recovery(models[0], task, people=6, starts=1, bounds=bounds["QLearning"]),
        told=model_recovery(models, task, people=4, starts=1, bounds=bounds),
        profile=profile_likelihood(
            AgentQ(),
            bandit.take(list(bandit.participants[:1])),
            "beta_reward",
            hold=HELD,
            bounds=dict(beta_reward=(0, 15)),
        ),
        plan=power(
            models[0],
            lambda n: AvoidanceTask(n_learning=n, n_transfer=1),
            people=[10, 20],
            trials=[6],
            starts=1,
            bounds=dict(temperature=(.05, .2)),
        ),
        stability=stability(bandit, n=3),
        individuals=individual_equations(bandit, kinds=1),
        checkup=check_fit(AgentQ(), bandit, times=20),
    )


def small(world): return plot_recovery(world.recovery)   # any figure, quickly drawn


CALLS = dict(
    plot_session=lambda w, **a: plot_session(AgentQ(), w.bandit.take(sessions=0), **a),
    plot_fit_quality=lambda w, **a: plot_fit_quality(
        pd.DataFrame(dict(probability=[.5, .6]), index=["guessing", "network"]), **a
    ),
    plot_equation=lambda w, **a: plot_equation(rescorla_wagner_equation(.3, 3), **a),
    plot_comparison=lambda w, **a: plot_comparison(compare(list(w.fits.values())), **a),
    plot_selection=lambda w, **a: plot_selection(select_models(compare(list(w.fits.values()))), **a),
    plot_behaviour=lambda w, **a: plot_behaviour(w.checks["QLearning"], **a),
    plot_simulations=lambda w, **a: plot_simulations(w.checks, "a", **a),
    plot_parameters=lambda w, **a: plot_parameters(w.fits["QLearning"], **a),
    plot_fits=lambda w, **a: plot_fits(w.fits, **a),
    plot_runs=lambda w, **a: plot_runs(w.fits, **a),
    plot_contrast=lambda w, **a: plot_contrast(w.fits["QLearning"], **a),
    plot_recovery=lambda w, **a: plot_recovery(w.recovery, **a),
    plot_confusion=lambda w, **a: plot_confusion(w.told, **a),
    plot_inverse=lambda w, **a: plot_inverse(w.told, **a),
    plot_bic_matrix=lambda w, **a: plot_bic_matrix(w.told, **a),
    plot_power=lambda w, **a: plot_power(w.plan, **a),
    plot_profile=lambda w, **a: plot_profile(w.profile, **a),
    plot_stability=lambda w, **a: plot_stability(w.stability, **a),
    plot_individuals=lambda w, **a: plot_individuals(w.individuals, **a),
    plot_checkup=lambda w, **a: plot_checkup(w.checkup, **a),
)


def test_no_drawing_function_is_left_out(): assert set(CALLS) == set(DRAWING)


@pytest.mark.parametrize("name", DRAWING)
def test_takes_and_returns_axes(world, name):
    plt.close("all")
    before = dict(plt.rcParams)
    given = [a for a in inspect.signature(getattr(spice_rl, name)).parameters if a in ("ax", "axs")]
    assert len(given) == 1, "it takes `ax`, or `axs` if it needs several"
    figure, axs = CALLS[name](world)
    n = np.size(axs)
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == [figure.number]
    assert all(ax.figure is figure for ax in np.ravel(axs))
    assert (given == ["ax"]) == (not isinstance(axs, np.ndarray))
    own, grid = plt.subplots(1, n + 1, squeeze=False)
    mine = grid[0, :n] if given == ["axs"] else grid[0, 0]
    back = CALLS[name](world, **{given[0]: mine})
    assert back[0] is own and [*np.ravel(back[1])] == [*np.ravel(mine)] and len(plt.get_fignums()) == 2
    assert all(ax.has_data() for ax in np.ravel(mine)) and not grid[0, n].has_data()
    with pytest.raises(ValueError, match=rf"{given[0]} must hold {n} axes.*got {n + 1}"):
        CALLS[name](world, **{given[0]: grid[0]})
    plt.close("all")


@pytest.mark.parametrize("name", DRAWING)
def test_has_a_picture_in_its_docs(name):
    code = [c for c in NOTEBOOKS[HOME[DRAWING[name]]]["cells"] if c["cell_type"] == "code"]
    text = ["".join(c["source"]) for c in code]
    start = next(i for i, t in enumerate(text) if re.search(rf"^def {name}\(", t, re.MULTILINE))
    end = next((i for i in range(start + 1, len(text)) if re.search(r"^def plot_", text[i], re.MULTILINE)), len(text))
    shown = [
        i
        for i in range(start + 1, end)
        if f"{name}(" in text[i] and any("image/png" in o.get("data", {}) for o in code[i]["outputs"])
    ]
    assert shown, f"no cell after {name} calls it and shows its figure"


def test_calibration_draws_like_the_rest():
    runs = pd.DataFrame(dict(divergences=0, ess=999.), index=range(20))
    ranks = pd.DataFrame(dict(a=np.arange(20) * 5, b=np.arange(20)), index=runs.index)
    own, axs = plt.subplots(1, 2)
    figure, back = Calibration("made up", ranks, 99, ranks, runs).plot(axs=axs)
    assert figure is own and list(back) == list(axs) and all(ax.has_data() for ax in axs)
    plt.close("all")


# One look

@pytest.mark.parametrize("path", [*NOTEBOOKS, *(f"spice_rl/{m.replace('.', '/')}.py" for m in MODULES)])
def test_colours_come_from_one_place(path):
    code = "\n".join(cells(NOTEBOOKS[path], "code")) if path in NOTEBOOKS else (ROOT/path).read_text()
    if path in ("nbs/00_core/05_style.ipynb", "spice_rl/core/style.py"): return
    if re.search(r"tasks/(34_cgt|36_alt|cgt|alt)\.", path): return   # colours are what people choose between in these
    named = re.findall(
        r"""#[0-9A-Fa-f]{6}\b|["'](?:C\d|tab:\w+|red|blue|green|orange|steelblue|crimson)["']""",
        re.sub(r"labels=\[[^\]]*\]|options=\[[^\]]*\]|colours? = \[[^\]]*\]", "", code),
    )
    assert not named, f"{named}: take COLOURS or SERIES"
    assert "rcParams[" not in code.replace("plt.rcParams['figure.dpi']", "").replace(
        "plt.rcParams['xtick.labelsize']", ""
    ), "the style sheet says how figures look"


@pytest.mark.parametrize(
    "path",
    [
        p
        for p, nb in NOTEBOOKS.items()
        if re.search(r"plt\.(subplots|figure)\(|\.plot\.\w+\(", "\n".join(cells(nb, "code")))
    ],
)
def test_own_figures_have_the_style(path): assert "'spice_rl.figures'" in "\n".join(cells(NOTEBOOKS[path], "code"))


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_figures_are_sharp(path):
    for cell in NOTEBOOKS[path]["cells"]:
        for o in cell.get("outputs", []):
            if "image/png" not in o.get("data", {}): continue
            shown = o["metadata"].get("image/png", {}).get("width")
            assert shown, f"cell {cell['id']}: its picture has no width, so it is as large as its pixels"
            assert Image.open(io.BytesIO(base64.b64decode("".join(o["data"]["image/png"])))).width >= 1.9 * shown, (
                f"cell {cell['id']}: fewer than two pixels for each one on the page"
            )


def test_colours_differ():
    roles = [COLOURS[k] for k in ("person", "model", "truth", "network", "equation", "gain", "loss", "guide")]
    assert len({*roles, *SERIES}) == len(roles) + len(SERIES)


# Files

@pytest.mark.parametrize("kind, begin", [("pdf", b"%PDF"), ("svg", b"<?xml"), ("eps", b"%!PS"), ("png", b"\x89PNG")])
def test_files(world, tmp_path, kind, begin):
    for given in (0, 1, slice(2)):   # the figure, its axes, or both
        figure, axs = small(world)
        path = save_figure((figure, axs)[given], tmp_path/f"{given}.{kind}", width=120)
        assert path.read_bytes().startswith(begin) and figure.get_size_inches()[0] == pytest.approx(120 / 25.4)
        plt.close("all")
    if kind != "eps": assert len({p.read_bytes() for p in tmp_path.iterdir()}) == 1   # PostScript is dated


def test_letters_of_a_pdf_can_be_edited(world, tmp_path):
    data = save_figure(small(world), tmp_path/"a.pdf").read_bytes()
    assert b"/Type3" not in data and b"/FontFile2" in data   # TrueType
    plt.close("all")


# Whatever the reader has set

@pytest.mark.parametrize("style", ["dark_background", "ggplot", "seaborn-v0_8-poster"])
def test_our_figures_are_black_on_white_in_any_style(world, tmp_path, style):
    plain = save_figure(small(world), tmp_path/"plain.png")
    with plt.style.context(style):
        figure, axs = small(world)
        assert figure.get_facecolor() == axs[0].get_facecolor() == (1, 1, 1, 1)
        assert not axs[0].xaxis.get_gridlines()[0].get_visible()
        for made_late in (axs[0].xaxis.get_major_ticks()[0].label1, axs[0].yaxis.label, axs[0].title):
            assert made_late.get_color() in ("black", "#000000")
        other = save_figure((figure, axs), tmp_path/"other.png")
    corner = [Image.open(p).convert("RGB").getpixel((0, 0)) for p in (plain, other)]
    assert corner == [(255, 255, 255)] * 2
    plt.close("all")


def test_letters_on_given_axes_have_their_colour():
    with plt.style.context("dark_background"):
        ax = plt.subplots()[1]
        for given in ((ax,), ()):
            plot_fit_quality(
                pd.DataFrame(dict(probability=[.5, .6]), index=["guessing", "network"]),
                *given,
                **({} if given else dict(ax=ax)),
            )
            assert ax.texts[-1].get_color() == "white" and ax.yaxis.get_major_ticks()[0].label1.get_color() == "white"
    plt.close("all")


@pytest.mark.parametrize("setting", [{"savefig.bbox": "tight"}, {"figure.autolayout": True}])
def test_width_of_a_file_is_the_one_asked_for(world, tmp_path, setting):
    with plt.rc_context(setting): path = save_figure(small(world), tmp_path/"a.png", width=88)
    assert Image.open(path).width == round(88 / 25.4 * 300)
    plt.close("all")


def test_parts_of_figures_are_saved(tmp_path):
    figure = plt.figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subfigures(1, 2)
    ax = left.subplots()
    drawn = plot_fit_quality(pd.DataFrame(dict(probability=[.5, .6]), index=["guessing", "network"]), ax=ax)
    for given in (drawn, ax, left, [ax], dict(a=ax)):
        assert save_figure(given, tmp_path / "a.PNG", width=100).is_file() and figure.get_size_inches()[
            0
        ] == pytest.approx(100 / 25.4)
    for width in ("88", np.inf, np.nan, 3):
        with pytest.raises((TypeError, ValueError), match="width is in mm"):
            save_figure(drawn, tmp_path / "a.png", width=width)
    plt.close("all")


def test_a_figure_that_cannot_be_drawn_is_not_left_open(world):
    for make in (
        lambda: plot_session(
            [world.individuals.equation],
            simulate(AgentQ(), BanditsDrift(.2), people=8, n_trials=9, seed=1).take(participants=[7]),
        ),
        lambda: plot_parameters(world.fits["QLearning"], []),
    ):
        with pytest.raises(ValueError): make()
        assert plt.get_fignums() == []


# Roles and groups

def test_the_greatest_reward_is_the_gain_in_any_order():
    for rewards in ((1, 0), (1, -1, 0)):
        lines = {
            line.get_label(): line.get_color()
            for line in plot_equation(rescorla_wagner_equation(.3, 3), rewards=rewards)[1][0].lines
        }
        assert lines[f"reward {max(rewards)}"] == COLOURS["gain"] and lines[f"reward {min(rewards)}"] == COLOURS["loss"]
    plt.close("all")


def test_bad_names(world):
    with pytest.raises(ValueError, match="unknown group 'c'.*a, b"): plot_simulations(world.checks, "c")
    with pytest.raises(ValueError, match="checks is empty"): plot_simulations({}, "a")
    with pytest.raises(ValueError, match="names is empty"): plot_parameters(world.fits["QLearning"], [])
    assert len(plot_parameters(world.fits["QLearning"], "temperature")[1]) == 1
    assert plot_fits(dict(enumerate(world.fits.values())))
    plt.close("all")


@pytest.mark.filterwarnings("error")
def test_groups_of_one_person_have_no_contrast(world):
    f = world.fits["QLearning"]
    two = replace(f, table=f.table.iloc[:2], groups=f.groups.iloc[:2])
    figure, ax = plot_contrast(two)
    assert np.isnan([c.lines[0].get_xdata()[0] for c in ax.containers]).all()
    plt.close("all")
