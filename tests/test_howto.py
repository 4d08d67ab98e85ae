"""The how-to guides answer in the first sentence and lead on; the comparison's tables are whole, and each note has
its mark."""
import configparser, importlib.util, json, re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDES = sorted((ROOT/"nbs/howto").glob("*.ipynb"))


def prose(path):
    return [
        "".join(c["source"])
        for c in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if c["cell_type"] == "markdown"
    ]


@pytest.mark.parametrize("path", GUIDES, ids=lambda p: p.stem)
def test_guide_answers_first_and_leads_on(path):
    title, badge, first, *_, last = prose(path)
    assert re.fullmatch(r"# .+\n> .+", title)
    assert first.startswith("**") and "**" in first.split("\n")[0][2:], "the answer, in bold, comes first"
    end = last[last.index("**Go on**"):]
    assert "../tutorials/" in end and re.search(r"\.\./\d0_\w+/\d\d_\w+\.ipynb", end), (
        "a guide ends with a tutorial and an API page"
    )


def test_comparison_is_whole():
    text = "\n\n".join(prose(ROOT/"nbs/explanations/comparison.ipynb"))
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        widths = {row.count("|") for row in table.strip().split("\n")}
        assert len(widths) == 1, table.split("\n")[0]
    marks = set(re.findall(r"\(([a-z])\) \|", text))
    notes = set(re.findall(r"(?:^Notes: |· )\(([a-z])\) ", text, re.MULTILINE))
    assert marks and marks == notes, f"marks without a note, or notes without a mark: {sorted(marks ^ notes)}"


def test_places_of_a_new_trace_are_there():
    """Each name of the table that says where a developer goes stands in that module; further signals are named in
    `_REPEATS`, all of them"""
    table = next(cell for cell in prose(ROOT/"nbs/howto/extend.ipynb") if "| pulls: `_OPTION` or `_COMMON` |" in cell)
    modules, seen = dict(pulls="pulls", equations="trace_equations", search="trace_search"), 0
    for where, place in re.findall(
        r"^\| (?=pulls|equations)(.+?) \| (?=the|when|where|which|is|its)|^\| (search: .+?) \|", table, re.MULTILINE
    ):
        for part in (where or place).split("; "):
            module, _, names = part.partition(": ")
            text = (ROOT/f"spice_rl/discovery/{modules[module]}.py").read_text(encoding="utf-8")
            for name in re.findall(r"`(\w+)`", names):
                seen += 1
                assert re.search(rf"\b{name}\b", text), f"{name} is not in {module}"
    assert seen >= 14, seen
    from spice_rl.discovery.pulls import _COMMON
    from spice_rl.discovery.trace_equations import _REPEATS
    assert set(_REPEATS) == set(_COMMON)


def test_oldest_versions_are_the_bounds_of_the_settings():
    spec = importlib.util.spec_from_file_location("versions", ROOT/".ci/versions.py")
    versions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(versions)
    parser = configparser.ConfigParser(delimiters=["="])
    parser.read(ROOT/"settings.ini")
    assert versions.bounds() == parser["DEFAULT"]["requirements"].split()
    assert all((ROOT/t).exists() for t in versions.TESTS) and len(versions.TUTORIALS) == 19
