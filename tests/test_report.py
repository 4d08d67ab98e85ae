"""The report: printed equations are the code, numbers are those of the files, what is missing is said, and the page
needs nothing from outside"""
import copy
import inspect
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from spice_rl import Avoidance, Param, Pipeline, QLearning, RunFolder, apa_number, apa_p, apa_r, apa_table, apa_test
from spice_rl import avoidance_model, avoidance_models, avoidance_tutorial_files, rescorla_wagner_equation, ten_rules
from spice_rl import with_mathml, write_report
from spice_rl.models.avoidance import NOVEL, SYMBOL_OF, TRANSFER
from spice_rl.core.cell import make_trial
from spice_rl.core.style import _figure
from spice_rl.output import report
from spice_rl.output.cli import main
from spice_rl.output.run_folder import comparison_table, disagreements, misses
from spice_rl.output.run_folder import outside, recovery_table, run_call, worst_recovered

MODELS = ["QLearning+novel", "Advantage"]


def coarse(drawn, path):
    """What `save_figure` writes, with few pixels and without what a PDF holds: to render figures takes most of a
    run, and test_pipeline.py does it"""
    _figure(drawn).savefig(path, dpi=20) if path.suffix == ".png" else path.touch()


@pytest.fixture(scope="module", autouse=True)
def coarse_figures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spice_rl.core.style.save_figure", coarse)
        yield


@pytest.fixture
def no_pixels(monkeypatch):
    "Figures are files without anything in them"
    monkeypatch.setattr("spice_rl.core.style.save_figure", lambda drawn, path: path.touch())


@pytest.fixture(scope="module", autouse=True)
def executed_once():
    "A notebook that was run for a folder is not run for it again: to start a process for it takes most of a report"
    execute = report._executed
    known = cache(lambda template, *parameters: execute(template, **dict(parameters)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            report, "_executed", lambda template, **parameters: copy.deepcopy(known(template, *parameters.items()))
        )
        yield


@pytest.fixture(scope="module")
def tables():
    "Six people in three groups"
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    return [f[f.participant_id.isin(["s01", "s02", "s16", "s17", "s31", "s32"])].reset_index(drop=True) for f in frames]


@pytest.fixture(scope="module")
def folders(tables, tmp_path_factory):
    "The same people: a fit alone, a parameter recovery alone, and all three kinds of runs"
    base = tmp_path_factory.mktemp("runs")
    files = [base/"learning.csv", base/"transfer.csv"]
    for t, f in zip(tables, files): t.to_csv(f, index=False)
    common = dict(learning_filename=str(files[0]), transfer_filename=str(files[1]), models=MODELS, number_of_runs=1)
    Pipeline(seed=1).run(mode="fit", simulations=5, output_dir=base/"fit", **common)
    Pipeline(seed=2).run(
        mode="validation",
        recovery="parameter",
        bounds={"Advantage": {"temperature": (.01, .2)}},
        output_dir=base / "recovery",
        **common,
    )
    for out in ("fit", "recovery"): shutil.copytree(base/out, base/"all", dirs_exist_ok=True)
    Pipeline(seed=2).run(
        mode="validation",
        recovery="model",
        generate_data=False,
        bounds={"Advantage": {"temperature": (.01, .2)}},
        output_dir=base / "all",
        **common,
    )
    return SimpleNamespace(fit=base/"fit", recovery=base/"recovery", all=base/"all")


@pytest.fixture(scope="module")
def pages(folders):
    return {name: write_report(folder)[0].read_text() for name, folder in vars(folders).items()}


def text_of(page):
    "What a reader sees, in one line"
    body = re.sub(r"<style.*?</style>|<annotation.*?</annotation>", "", page, flags=re.DOTALL)
    return (
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )


# Equations are the code

def as_python(line):
    "A printed line of a model as Python: (names that it sets, right-hand side, condition)"
    left, right = re.split(r"&=|&\\leftarrow", line)
    right, _, condition = right.partition(r"\quad\text{if }")
    def plain(x):
        while r"\frac" in x:
            x = re.sub(r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"((\1)/(\2))", x, count=1)
        x = re.sub(r"\|(\w+)\|", r"abs(\1)", x)
        x = re.sub(r"e\^\{([^{}]*)\}", r"exp(\1)", x)
        return re.sub(r"<(\w+)>", r"\1", x.replace(r"\,", "*").replace("P(c)", "P")).strip()
    return plain(left), plain(right), plain(condition) or "True"


def follow(lines, space):
    "Do what printed lines say, in order; a line about i is about c and u (and N, where there is one)"
    for left, right, condition in map(as_python, lines):
        at = [k for k in "cuN" if left != left.replace("_i", f"_{k}") and (k != "N" or f"{left[0]}_N" in space)] or [""]
        put = lambda x, k: re.sub(r"\b(\w)_i\b", rf"\1_{k}", x)
        new = {
            put(left, k): eval(put(right, k), {"exp": np.exp}, space) for k in at if eval(put(condition, k), {}, space)
        }
        space.update(new)
    return space


# not those that other test files have added
ALL = [
    name
    for name in avoidance_models(options=True)
    if type(avoidance_model(name.split("+")[0])).__module__.startswith("spice_rl.")
]


@pytest.mark.filterwarnings("ignore:decay changes nothing")
@pytest.mark.parametrize("name", ALL)
def test_printed_equations_are_the_code(name):
    cell, rng = avoidance_model(name), np.random.default_rng(1)
    p = cell.p(**{k: rng.uniform(q.lower, q.upper) for k, q in cell.params.items()})
    values, maths = dict(zip(cell.params, p)), cell.equations
    compared = list(inspect.signature(cell.parts["value"]).parameters)[1:]
    start = cell.init(p, 9)
    space = values | {f"{x}_{k}": 0. for x in compared for k in "N"}
    # the novel symbol's own line holds in place of the others'
    follow([line for line in maths["start"] if "_N" not in line], space)
    for x in compared: space[f"{x}_N"] = 0.
    follow([line for line in maths["start"] if "_N" in line], space)
    for x in compared:
        np.testing.assert_allclose(
            [getattr(start, x)[k] for k in (0, 1, NOVEL)],
            [space[f"{x}_{k}"] for k in "cuN"],
            err_msg=f"{name}: start of {x}",
        )
    state, n = start, 0
    for r in ([1., 0.], [0., 1.], [-1., 0.], [0., -1.], [1., 1.]):
        chosen = int(rng.integers(2))
        follow(
            maths["choice"],
            space := space
            | dict(r_c=r[chosen], r_u=r[1 - chosen])
            | ({f"{x}_{a}": getattr(state, x)[k] for x in cell.state for a, k in (("c", chosen), ("u", 1 - chosen))}),
        )
        trial = make_trial(chosen, [*r, *[np.nan] * 7], 9, options=[0, 1], context=0)
        logits = cell.logits(p, state, trial)
        np.testing.assert_allclose(1 / (1 + np.exp(logits[1 - chosen] - logits[chosen])), space["P"], err_msg=name)
        for x in set(cell.state) & {"v", "c"}: space["v"] = getattr(state, x)[0]   # of the pair
        follow(maths["learning"], space)
        state = cell.update(p, state, trial)
        for x in set(cell.state) & {"q", "w"}:
            np.testing.assert_allclose(
                [getattr(state, x)[k] for k in (chosen, 1 - chosen)],
                [space[f"{x}_c"], space[f"{x}_u"]],
                err_msg=f"{name}: {x}",
            )
        for x in set(cell.state) & {"v", "c"}:
            np.testing.assert_allclose(getattr(state, x)[0], space["v"], err_msg=f"{name}: {x}")
    kept = {f"{x}_{a}": getattr(state, x)[k] for x in compared for a, k in (("c", 0), ("u", NOVEL))}
    follow([*maths.get("transfer", ()), *maths["choice"]], space := space | kept)
    logits = cell.logits(p, state, make_trial(0, [np.nan] * 9, 9, options=[0, NOVEL], context=TRANSFER))
    np.testing.assert_allclose(1 / (1 + np.exp(logits[NOVEL] - logits[0])), space["P"], err_msg=f"{name}: transfer")


@pytest.mark.filterwarnings("ignore:decay changes nothing")
@pytest.mark.parametrize("name", ALL)
def test_equations_name_the_parameters(name):
    cell = avoidance_model(name)
    used = [k for k in cell.params if k != "decay_factor" or "q" in cell.state]   # without q, nothing decays
    assert set(re.findall(r"<(\w+)>", " ".join(line for part in cell.equations.values() for line in part))) == set(used)
    symbols = [SYMBOL_OF[k][0] for k in used]
    assert len(set(symbols)) == len(symbols)
    assert all(s in cell.latex() for s in symbols)
    assert "<" not in cell.latex().replace("r_i < 0", "")


def test_equations_of_another_class_are_not_inherited():
    class OwnRule(QLearning):
        def learn(p, state, chosen, other, r_chosen, r_other): state.q[chosen] += p.factual_lr * r_chosen
    with pytest.raises(ValueError, match="OwnRule gives no equations"): OwnRule().latex()
    with pytest.raises(ValueError, match="gives no equations"): avoidance_model("OwnRule+novel").latex()


# Numbers

@pytest.mark.parametrize(
    "x, digits, bounded, text",
    [
        (0.876, 2, True, ".88"),
        (-0.876, 2, True, "−.88"),
        (1., 2, True, "1.00"),
        (0.999, 2, True, "1.00"),
        (12.345, 1, False, "12.3"),
        (-0.004, 2, False, "0.00"),
        (-0.004, 2, True, ".00"),
        (np.nan, 2, True, "–"),
        (np.inf, 2, False, "–"),
    ],
)
def test_apa_number(x, digits, bounded, text): assert apa_number(x, digits, bounded) == text


def test_apa_p_and_tests():
    assert [apa_p(p) for p in (.0009, .001, .0496, 1.)] == ["*p* < .001", "*p* = .001", "*p* = .050", "*p* = 1.000"]
    x = np.random.default_rng(0).normal(size=(15, 2)) @ [[1, .9], [0, .4]]
    r, p = stats.pearsonr(*x.T)
    assert apa_r(r, 15) == f"*r*(13) = {apa_number(r, 2, True)}, {apa_p(p)}"
    assert apa_test("t", -1.5, 12.345, .16) == "*t*(12.35) = −1.50, *p* = .160"


def test_apa_table():
    t = apa_table(
        pd.DataFrame({"a|b": ["x|y"], "n": ["−1.50"]}, index=pd.Index(["row"], name="Name")), 3, "A Title", "A note."
    )
    assert t.split("\n") == [
        "**Table 3**  ",
        "*A Title*",
        "",
        r"| Name | a\|b | n |",
        "| --- | :-- | --: |",
        r"| row | x\|y | −1.50 |",
        "",
        "*Note.* A note.",
    ]


def test_formulas_of_any_equation():
    html = with_mathml(f"$${rescorla_wagner_equation(.3, 3.).latex()}$$", lambda text: text)
    assert html.count("<mtr>") == rescorla_wagner_equation(.3, 3.).latex().count(r"\\") + 1
    assert "&amp;" not in html
    assert "\\" not in html


# The record and what is read from it

def test_record(folders):
    r = RunFolder(folders.all)
    assert (r.fit["seed"], r.parameter["seed"], r.model["what"]) == (1, 2, "MODEL")
    assert set(r.fit["versions"]) == {"spice_rl", "python", "numpy", "scipy", "pandas", "numba"}
    assert r.fit["data"]["groups"] == {"acute pain": 2, "chronic pain": 2, "no pain": 2}
    assert r.fit["data"]["learning"] == [96, 96]
    a = r.parameter["models"]["Advantage"]
    assert a["parameters"]["temperature"] | dict(start=0, words="") == dict(
        symbol=r"\tau", words="", lower=.01, upper=.2, start=0
    )
    assert a["latex"] == avoidance_model("Advantage").latex()
    assert a["code"] is None
    assert r.best == pd.read_csv(folders.all/"group_BIC.csv").best_model.iloc[-1]


def test_calls_make_the_same_run(folders, tmp_path, no_pixels):
    call = run_call(RunFolder(folders.fit), "FIT")
    eval(call.replace(repr(str(folders.fit)), repr(str(tmp_path))), {"Pipeline": Pipeline})
    assert (tmp_path/"fits.csv").read_bytes() == (folders.fit/"fits.csv").read_bytes()
    lost = run_call(RunFolder(folders.fit), "PARAMETER")
    assert lost.startswith("Pipeline(seed=1).run(mode='validation', recovery='parameter', ")
    assert "simulations" not in lost
    eval(lost.replace(repr(str(folders.fit)), repr(str(tmp_path))), {"Pipeline": Pipeline})   # and then both are there
    assert (
        disagreements(RunFolder(tmp_path)) == [] or "outside the true values" in disagreements(RunFolder(tmp_path))[0]
    )


def test_numbers_are_those_of_the_files(folders, pages):
    run, page = RunFolder(folders.all), text_of(pages["all"])
    fits = pd.read_csv(folders.all/"fits.csv")
    bic = fits.groupby("model").bic.mean()
    assert comparison_table(run).bic.to_dict() == pytest.approx(bic.to_dict()) and f"M = {bic.min():.1f}" in page
    s = pd.read_csv(folders.all/"param_recovery_summary.csv")
    w = s.loc[s.r.idxmin()]
    assert worst_recovered(run).parameter == w.parameter
    assert f"the least recovered is {w.parameter} of {w.model}, {apa_r(w.r, 6).replace('*', '')}" in page
    for _, row in recovery_table(run).iterrows(): assert row["*r*"] in page
    c = pd.read_csv(folders.all/"model_recovery_confusion.csv", index_col=0)
    assert f"The right model wins for {100 * c.iloc[0, 0]:.0f} % of the people of {c.index[0]}" in page
    n, out = misses(run, run.best)
    assert n == 3 * (2 * 4 + 5) and f"{n - len(out)} lie in the 95 % interval of {run.best}" in page


def test_methods_say_what_was_done(folders, pages):
    page = text_of(pages["all"])
    for words in (
        "There were 6 participants in 3 groups (acute pain, n = 2, chronic pain, n = 2, no pain, n = 2)",
        "96 learning trials",
        "maximum likelihood",
        "There are no priors",
        "drawn uniformly within the bounds",
        "1 in the first round, more where there are more than two parameters or where they disagree",
        "Seed: 1, 2",
        "spice_rl 0",
        "Watkins, C. J. C. H.",
        "Wilson, R. C., & Collins, A. G. E. (2019)",
        "5 times, with this person's estimates",
    ):
        assert words in page, words
    assert pages["all"].count('display="block"') == 2
    assert "$" not in page
    assert r"\frac" not in page
    assert "Traceback" not in page


# Ten rules

def test_rules(folders):
    done = {name: ten_rules(RunFolder(folder)).done.to_dict() for name, folder in vars(folders).items()}
    assert [n for n, yes in done["fit"].items() if yes] == [2, 4, 7, 8]
    assert [n for n, yes in done["recovery"].items() if yes] == [1, 2, 3, 5]
    r = ten_rules(RunFolder(folders.all))
    assert not r.done[9] and {2, 3, 4, 6, 7, 8} <= set(r.index[r.done]) and list(r.index) == list(range(1, 11))
    assert "recovery='parameter'" in ten_rules(RunFolder(folders.fit)).evidence[5]
    assert "mode='fit'" in ten_rules(RunFolder(folders.recovery)).evidence[8]


def test_a_recovery_of_other_bounds_does_not_speak_for_the_fit(folders):
    run = RunFolder(folders.all)
    said = disagreements(run)
    assert (
        sum(
            "used other bounds than the fit: temperature of Advantage (0.01, 0.2) in place of (0.01, 1)" in s
            for s in said
        )
        == 2
    )
    beyond, fits = outside(run), pd.read_csv(folders.all/"fits.csv")
    true = pd.read_csv(folders.all/"param_recovery.csv")
    for row in beyond.itertuples():
        x = fits[fits.model == row.model][row.parameter]
        t = true[(true.model == row.model) & (true.parameter == row.parameter)].true
        assert row.people == ((x < t.min()) | (x > t.max())).sum() > .6
    rules = ten_rules(run)
    if (beyond.people > beyond.of / 2).any():
        assert not rules.done[5] and "lie outside the true values" in rules.evidence[5]


# The page

@pytest.mark.parametrize("name", ["fit", "recovery", "all"])
def test_page_needs_nothing_from_outside(folders, pages, name):
    page = pages[name]
    assert not re.search(r"<script|<link|<iframe|@import|url\(|src=\"(?!data:)|href=\"(?!#)", page)
    assert set(re.findall(r"https?://[^\"' )<]+", page)) == {"http://www.w3.org/1998/Math/MathML"}
    figures = [f for what in ("FIT", "PARAMETER", "MODEL") for f in RunFolder(vars(folders)[name]).figures(what)]
    assert len(figures) == page.count("<img") == len(set(re.findall(r'alt="([^"]+)"', page))) >= 3
    numbers = lambda kind: [int(n) for n in re.findall(rf"<strong>{kind} (\d+)</strong>", page)]
    for kind in ("Table", "Figure"): assert numbers(kind) == list(range(1, len(numbers(kind)) + 1))


def test_what_is_missing_is_said(pages):
    assert "Not run: parameter recovery, model recovery." in text_of(
        pages["fit"]
    ) and "recovery='parameter'" in text_of(pages["fit"]).replace("&#39;", "'")
    assert "Not run: a fit to people, model recovery." in text_of(pages["recovery"])
    assert "no people were fitted, so there are no results about people" in text_of(pages["recovery"])
    assert "Not run" not in text_of(pages["all"])


def test_one_model_one_group_and_a_class_without_equations(tables, tmp_path):
    class Bare(Avoidance):
        params = dict(lr=Param(.1, 0, 1), temperature=Param(.2, .01, 1))
        state = "q",
        def value(p, q): return q
        def learn(p, state, chosen, other, r_chosen, r_other): state.q[chosen] += p.lr * (r_chosen - state.q[chosen])
    pipeline = Pipeline(seed=0)
    pipeline.run(
        mode="fit",
        learning_filename=tables[0].assign(group_code="g"),
        transfer_filename=tables[1].assign(group_code="g"),
        models=[Bare],
        random_params=False,
        number_of_runs=1,
        simulations=2,
        output_dir=tmp_path,
    )
    page = text_of(pipeline.report()[0].read_text())
    assert "state.q[chosen] += p.lr * (r_chosen - state.q[chosen])" in page
    assert "one model (Bare) has no rival" in page
    assert "Bare gives no equations: write them into the class" in page
    assert "Groups differ" not in page
    assert "It needs two models or more." in page and "random_params" not in run_call(RunFolder(tmp_path), "PARAMETER")
    assert "from one start, the point in the table" in page
    assert "differential evolution" not in page
    assert not ten_rules(RunFolder(tmp_path)).done[4]


# Calls

def test_pipeline_report(folders, tmp_path):
    with pytest.raises(ValueError, match="nothing was run yet.*call run"): Pipeline(seed=1).report()
    assert Pipeline(seed=1).report(folders.fit, tmp_path/"x.html") == [tmp_path/"x.html"]
    assert not list(tmp_path.glob(".*"))


def test_command_line(folders, tmp_path, capsys):
    assert main(["report", str(folders.recovery), "--out", str(tmp_path/"r.html")]) == 0
    assert capsys.readouterr().out == f"Written: {tmp_path/'r.html'}\n" and (tmp_path/"r.html").is_file()
    (tmp_path/"empty").mkdir()
    for bad, message in (
        ([str(tmp_path / "nowhere")], "no folder"),
        ([str(tmp_path / "empty")], "holds no run"),
        ([str(folders.fit), "--out", str(tmp_path / "r.pdf")], "must end in .html"),
        ([str(folders.fit), "--out", str(tmp_path / "no/r.html")], "make it, or choose another place"),
    ):
        assert main(["report", *bad]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
    with pytest.raises(SystemExit): main(["report", "--help"])
    assert "Example: spice-rl report modelling" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_template_of_ones_own(folders, tmp_path):
    import nbformat
    cells = [
        nbformat.v4.new_code_cell("folder = 'none'", metadata=dict(tags=["parameters"])),
        nbformat.v4.new_code_cell(
            "from IPython.display import Markdown\nfrom spice_rl import RunFolder\nMarkdown(f'Best: "
            "**{RunFolder(folder).best}**')"
        ),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path/"mine.ipynb")
    page, = write_report(folders.fit, tmp_path/"mine.html", template=tmp_path/"mine.ipynb")
    assert f"<strong>{RunFolder(folders.fit).best}</strong>" in page.read_text() and "RunFolder" not in page.read_text()
    for code, tag, message in (
        ("1 / 0", "parameters", "failed: ZeroDivisionError: division by zero"),
        ("1", "other", "needs one cell with the tag 'parameters', got 0"),
    ):
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, metadata=dict(tags=[tag]))]),
            tmp_path / "bad.ipynb",
        )
        with pytest.raises(ValueError, match=message):
            write_report(folders.fit, tmp_path / "bad.html", template=tmp_path / "bad.ipynb")
    assert not (tmp_path/"bad.html").exists()


FAKE = """#!{python}
import json, sys
from pathlib import Path
nb = json.loads(Path("report.ipynb").read_text())
assert any(o for c in nb["cells"] for o in c.get("outputs", [])), "not run"
if {fails}: sys.exit("ERROR: no LaTeX")
Path(sys.argv[sys.argv.index("--output") + 1]).write_text(" ".join(sys.argv[1:]))
"""


@pytest.mark.parametrize("fails", [False, True])
def test_pdf_by_quarto(folders, tmp_path, monkeypatch, fails):
    quarto = tmp_path/"bin/quarto"
    quarto.parent.mkdir()
    quarto.write_text(FAKE.format(python=sys.executable, fails=fails))
    quarto.chmod(quarto.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{quarto.parent}{os.pathsep}{os.environ['PATH']}")
    out = tmp_path/"r.html"
    if fails:
        with pytest.warns(
            UserWarning, match="no PDF was made, the HTML was: quarto ended with status 1: ERROR: no LaTeX"
        ):
            assert write_report(folders.recovery, out) == [out]
    else:
        assert write_report(folders.recovery, out) == [out, tmp_path/"r.pdf"]
        assert (tmp_path/"r.pdf").read_text() == "render report.ipynb --to pdf --no-execute --output report.pdf"


def test_template_is_clean_and_ships():
    import spice_rl
    folder = Path(spice_rl.__file__).parent/"templates/report"
    for name in ("report.ipynb", "discovery.ipynb"):
        nb = json.loads((folder/name).read_text())
        assert not any(c.get("outputs") or c.get("execution_count") for c in nb["cells"])
    assert sorted(p.name for p in folder.iterdir()) == ["conf.json", "discovery.ipynb", "index.html.j2", "report.ipynb"]
    assert [c["metadata"]["tags"] for c in nb["cells"] if c["metadata"].get("tags")] == [["parameters"]]
