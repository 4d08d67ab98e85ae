"The tutorials as one course: each opens, proceeds and ends alike, and leads to the next."
import ast, re

import pandas as pd
import pytest

import spice_rl
from test_project import NOTEBOOKS, ROOT, cells

COURSE = sorted(p for p in NOTEBOOKS if p.startswith("nbs/tutorials/"))
NAMES = [p.rpartition("/")[2] for p in COURSE]


def visible(path):
    "The cells that a reader sees, each with its text"
    pairs = [(c, "".join(c["source"])) for c in NOTEBOOKS[path]["cells"]]
    return [(c, s) for c, s in pairs if not re.match(r"#\s*\|\s*hide", s)]


def is_one_thing(source):
    "Is the cell one class or one function?"
    body = ast.parse(source).body
    return len(body) == 1 and isinstance(body[0], (ast.ClassDef, ast.FunctionDef))


@pytest.mark.parametrize("path", COURSE)
def test_opens_with_what_is_learned_how_long_it_takes_and_which_study(path):
    opening = next(s for s in cells(NOTEBOOKS[path], "markdown") if s.startswith("You will"))
    assert opening.count("\n- ") >= 4 and re.search(r"It takes .* to read, .*and runs in ", opening)
    assert "bandit" in opening or "avoidance study" in opening
    assert re.search("notice|wrong|mistake|mislead", opening), "say what goes wrong"


@pytest.mark.parametrize("path", COURSE)
def test_cells_are_short_with_a_sentence_between(path):
    before = ""
    for cell, source in visible(path):
        if cell["cell_type"] == "code":
            lines = sum(map(bool, map(str.strip, source.splitlines())))
            # a network is as long as in the published tutorial
            most = 27 if "RNN(BaseRNN)" in source else 12 if is_one_thing(source) else 6
            assert lines <= most, f"{lines} lines\n{source}"
            assert not before or re.match("(import|from) ", before), f"no sentence before\n{source}"
        before = source if cell["cell_type"] == "code" else ""


@pytest.mark.parametrize("path", COURSE)
def test_text_stands_between_any_two_cells_that_are_seen(path):
    seen = visible(path)
    for (one, _), (two, source) in zip(seen, seen[1:]):
        assert {one["cell_type"], two["cell_type"]} != {"code"}, f"no sentence before\n{source}"


@pytest.mark.parametrize("path", COURSE)
def test_no_line_of_code_is_cut_off_on_the_page(path):
    long = [line for c, s in visible(path) if c["cell_type"] == "code" for line in s.splitlines() if len(line) > 100]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("path", COURSE)
def test_each_figure_has_a_caption_in_italics(path):
    seen = visible(path)
    for (cell, source), (_, after) in zip(seen, seen[1:] + [(None, "")]):
        if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            assert re.match(r"\*[^*\s]", after), f"say in italics what to see in the figure of\n{source}\nnot\n{after}"


def test_one_learner_runs_through_the_course():
    "`RescorlaWagner` is written in tutorial 5 alone, as the package has it; the others import it"
    written = {p[14:16]: s for p in COURSE for s in cells(NOTEBOOKS[p], "code") if "class RescorlaWagner(" in s}
    used = {
        p[14:16]
        for p in COURSE
        if any(re.search(r"import .*\bRescorlaWagner\b", s) for s in cells(NOTEBOOKS[p], "code"))
    }
    assert list(written) == ["05"] and used >= {"06", "08", "10", "11", "12"}
    scope = dict(Cell=spice_rl.Cell, Param=spice_rl.Param)
    exec(written["05"], scope)
    trials = spice_rl.demo_trials()
    ours, here = (
        spice_rl.nll(cell(), dict(alpha=.4, beta=2.), trials)
        for cell in (spice_rl.RescorlaWagner, scope["RescorlaWagner"])
    )
    assert ours.equals(here)


@pytest.mark.parametrize("path", COURSE)
def test_ends_with_exercises_and_folded_answers(path):
    end = cells(NOTEBOOKS[path], "markdown")[-1]
    questions, _, answers = end.partition("## Exercises")[2].partition("<details><summary>Answers</summary>")
    count = len(re.findall(r"^\d\. ", questions, re.MULTILINE))
    assert 2 <= count <= 3
    assert len(re.findall(r"^\d\. .{30}", answers.partition("</details>")[0], re.MULTILINE)) == count


@pytest.mark.parametrize("path", COURSE)
def test_code_in_answers_can_be_typed(path):
    "Code blocks in the folded answers are Python, with lines that fit the page"
    for block in re.findall(r"(?ms)^ *```python\n(.*?)^ *```", cells(NOTEBOOKS[path], "markdown")[-1]):
        ast.parse(re.sub("(?m)^   ", "", block))
        assert max(map(len, block.splitlines())) <= 103, block


def test_one_chain_leads_through_all():
    for path, after in zip(COURSE, NAMES[1:]):
        assert re.search(rf"Next: \[[^]]+\]\({after}\)", cells(NOTEBOOKS[path], "markdown")[-1]), (
            f"{path}: the next is {after}"
        )
    assert "Where to go from here" in cells(NOTEBOOKS[COURSE[-1]], "markdown")[-1]


def test_no_tutorial_costs_more_than_two_minutes():
    "As benchmarks/tutorials.py measured them, on one core and with nothing compiled"
    costs = pd.read_csv(ROOT/"benchmarks/results/tutorials.csv").set_index("tutorial").cpu_s
    assert list(costs.index) == [name.removesuffix(".ipynb") for name in NAMES] and costs.max() <= 120
