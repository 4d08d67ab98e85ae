"The tutorials as one course: each opens, proceeds and ends alike, and leads to the next."
import re

import pytest

from test_project import NOTEBOOKS, cells

COURSE = sorted(p for p in NOTEBOOKS if p.startswith("nbs/tutorials/"))
NAMES = [p.rpartition("/")[2] for p in COURSE]


@pytest.mark.parametrize("path", COURSE)
def test_opens_with_what_is_learned_how_long_it_takes_and_which_study(path):
    opening = next(s for s in cells(NOTEBOOKS[path], "markdown") if s.startswith("You will"))
    assert opening.count("\n- ") >= 4 and re.search(r"It takes .* to read, .*and runs in ", opening)
    assert "bandit" in opening or "avoidance study" in opening
    assert re.search("notice|wrong|mistake|mislead", opening), "say what goes wrong"


@pytest.mark.parametrize("path", COURSE)
def test_cells_are_short_with_a_sentence_between(path):
    before = ""
    for cell in NOTEBOOKS[path]["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            assert sum(map(bool, map(str.strip, source.splitlines()))) <= 6 or source.startswith("class "), source
            assert not before or re.match(r"(import|from|#\| hide) ?", before), f"no sentence before\n{source}"
        before = source if cell["cell_type"] == "code" else ""


@pytest.mark.parametrize("path", COURSE)
def test_ends_with_exercises_and_folded_answers(path):
    end = cells(NOTEBOOKS[path], "markdown")[-1]
    questions, _, answers = end.partition("## Exercises")[2].partition("<details><summary>Answers</summary>")
    count = len(re.findall(r"^\d\. ", questions, re.MULTILINE))
    assert 2 <= count <= 3 and len(re.findall(r"^\d\. .{30}", answers.partition("</details>")[0], re.MULTILINE)) == count


def test_one_chain_leads_through_all():
    for path, after in zip(COURSE, NAMES[1:]):
        assert re.search(rf"Next: \[[^]]+\]\({after}\)", cells(NOTEBOOKS[path], "markdown")[-1]), f"{path}: the next is {after}"
    assert "Where to go from here" in cells(NOTEBOOKS[COURSE[-1]], "markdown")[-1]
