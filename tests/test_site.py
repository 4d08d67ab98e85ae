"""The site: built once as `make docs` builds it, checked, and each check shown to fail where it should."""
import inspect, json, re, subprocess, sys
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest
from execnb.nbio import dict2nb
from IPython.core.inputtransformer2 import TransformerManager

import spice_rl
from test_project import NOTEBOOKS, QUARTO, ROOT, TOOLS, cells, load, settings

sys.modules.setdefault("notebooks", TOOLS)
documented = TOOLS.documented
PAGES = load(ROOT/".ci/pages.py")
ROWS = [file for _, _, file in PAGES.rows(QUARTO["website"]["sidebar"]["contents"]) if file]
COURSES = [p for p in NOTEBOOKS if p.startswith(("nbs/tutorials/", "nbs/howto/"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "The folder of the built site"
    out = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, str(ROOT / ".ci/pages.py"), "build", "--out", str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    return out


# The pages

def test_every_page_is_there(site):
    assert len(list(site.rglob("*.html"))) == len(ROWS) + 1  # and the one that leads home
    home = (site/"index.html").read_text()
    assert (site/re.search("url=([^\"]+)", home)[1]).is_file()


@pytest.mark.parametrize("check", ["dead_links", "missing_pictures", "litter", "undescribed"])
def test_pages(site, check):
    found = list(getattr(PAGES, check)(site))
    assert not found, "\n".join(found)


def test_everything_is_documented():
    found = list(PAGES.undocumented())
    assert not found, "\n".join(found)


def test_nothing_scrolls_sideways(site):
    found = PAGES.too_wide(site)
    if found is None: pytest.skip("no Chromium here")
    assert not found, "\n".join(found)


def test_search_finds_pages_and_functions(site):
    index = json.loads((site/"search.js").read_text().split("\n")[0].removeprefix("const pages = "))
    for href, *_ in index: assert (site/href.partition("#")[0]).is_file()
    found = {(href.partition("#")[0], text) for href, text, _ in index}
    assert {
        ("nbs/20_inference/fitting.html", "fit"),
        ("nbs/start.html", "Start here"),
        ("nbs/explanations/numerics.html", "Slopes"),
    } <= found


def test_the_changelog_is_a_page_newest_first(site):
    versions = re.findall(r"<h2[^>]*>(\d+)\.(\d+)\.(\d+)", (site/"CHANGELOG.html").read_text())
    assert ".".join(versions[0]) == settings()["version"]
    assert versions == sorted(versions, key=lambda v: [int(n) for n in v], reverse=True)


# Each check can fail

def broken(tmp_path, body):
    "A site of two pages, the first with this body"
    (tmp_path/"a.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    (tmp_path/"b.html").write_text('<html><body><h2 id="there">There</h2></body></html>', encoding="utf-8")
    return tmp_path


REPO = "https://github.com/spice-rl/spice_rl/blob/main"

@pytest.mark.parametrize(
    "link",
    [
        "c.html",
        "b.html#nowhere",
        "#nowhere",
        f"{REPO}/no_such_file.py",
        f"{REPO.replace('main', 'master')}/README.md",
        "../nbs/index.ipynb",
        "https://colab.research.google.com/github/spice-rl/spice_rl/blob/main/nbs/tutorials/00_gone.ipynb",
    ],
)
def test_a_dead_link_is_seen(tmp_path, link):
    (message,) = PAGES.dead_links(broken(tmp_path, f'<a href="{link}">x</a>'))
    assert link in message


@pytest.mark.parametrize(
    "link", ["b.html", "b.html#there", "https://example.org/gone", f"{REPO}/README.md", "mailto:a@b.c"]
)
def test_a_good_link_is_none(tmp_path, link):
    assert not list(PAGES.dead_links(broken(tmp_path, f'<a href="{link}">x</a>')))


@pytest.mark.parametrize("source", ["gone.png", "", "b.html", "data:image/png;base64,AAAA"])
def test_a_missing_picture_is_seen(tmp_path, source):
    assert len(list(PAGES.missing_pictures(broken(tmp_path, f'<img src="{source}">')))) == 1


def test_a_picture_is_none(tmp_path):
    (tmp_path/"x.png").write_bytes(b"\x89PNG...")
    assert not list(PAGES.missing_pictures(broken(tmp_path, '<img src="x.png"><img src="https://example.org/x.svg">')))


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last)\n  File",
        "<object at 0x7f3a5c0d1e50>",
        " 45%|####      | 9/20",
        "12.3it/s",
        "\x1b[31mred",
        "[0;31mred",
        "\n::: {.callout}",
        "see [`fit`](./fitting.html#fit)",
    ],
)
def test_litter_is_seen(tmp_path, text):
    assert len(list(PAGES.litter(broken(tmp_path, f"<pre>{text.replace('<', '&lt;')}</pre>")))) == 1


def test_prose_is_no_litter(tmp_path):
    assert not list(
        PAGES.litter(
            broken(
                tmp_path, "<p>45% | of 0x people; a ValueError; 5 s a trial</p><script>var at = 0x7f3a5c0d1e50</script>"
            )
        )
    )


def test_a_stored_error_is_seen():
    cell = dict(
        cell_type="code",
        id="a",
        source="1/0",
        metadata={},
        outputs=[dict(output_type="error", ename="ZeroDivisionError", evalue="", traceback=[])],
    )
    with pytest.raises(ValueError, match="cell a stores an error: ZeroDivisionError"):
        TOOLS.markdown(dict2nb(dict(cells=[cell], metadata={})), None, None, None)


def test_a_page_that_is_too_wide_is_seen(tmp_path):
    found = PAGES.too_wide(broken(tmp_path, '<div style="width:600px">x</div>'))
    if found is None: pytest.skip("no Chromium here")
    assert found == ["a.html is 608 pixels wide in a window of 390: it scrolls sideways"]


def test_what_is_undocumented_is_seen(tmp_path, monkeypatch):
    (tmp_path/"bare_package.py").write_text(documented('''__all__ = ["bare", "half", "Thing", "Made", "whole"]
from dataclasses import dataclass
def bare(): pass
def half(
    a, # Explained
    b
):
    "Says what it does."
class Thing:
    "A thing."
    def __init__(self, x): pass
    def told(self): "Says it."
    def half(self, y): "Says it, but for `y`."
    def untold(self): pass
    @property
    def size(self): return 1
@dataclass
class Made(Thing):
    "Made of `a`."
    a: int
    b: int # Explained
    def half(self, y): return y
def whole(
    a,     # Explained
    **rest # Explained, too
):
    "Says what it does."
'''))
    monkeypatch.syspath_prepend(tmp_path)
    messages = [m.partition(": ")[2] for m in PAGES.undocumented("bare_package")]
    assert messages == [
        "bare has no docstring",
        "no comment explains 'b' of half",
        "no comment explains 'x' of Thing",
        "no comment explains 'y' of Thing.half",
        "Thing.untold has no docstring",
        "Thing.size has no docstring",
    ]
    assert "bare_package: whole stands on no page" in list(
        PAGES.undescribed(broken(tmp_path, '<h3 id="bare">bare</h3>'), "bare_package")
    )


def test_a_page_explains_an_argument_once(site):
    text = unescape((site/"nbs/20_inference/fitting.html").read_text())
    said = next(
        line for line in inspect.getsource(spice_rl.fit).splitlines() if line.strip().startswith("hold: ")
    ).partition("# ")[2]
    assert said in spice_rl.fit.__doc__ and text.count(said) == 1 and "----------" not in text


def test_links_stay_out_of_code():
    text = ("Of [`fit`](./fitting.html#fit), [[`fit`](./fitting.html#fit)](20_fitting.ipynb) and "
            "[`_inner`](./a.html#_inner)\n\n```python\nx, # See [`fit`](./fitting.html#fit)\n```\n")
    assert (
        PAGES.without_links(text)
        == "Of [`fit`](./fitting.html#fit), [`fit`](20_fitting.ipynb) and `_inner`\n\n```python\nx, # See `fit`\n```\n"
    )


def test_a_comment_is_of_an_argument_or_of_what_comes_back():
    assert (
        PAGES.said_once("def f(\n    path:str, # Where\n)->None: # Where\n")
        == "def f(\n    path:str, # Where\n)->None:\n"
    )
    other = "def f(\n    path:str, # Where\n)->int: # How many\n"
    assert PAGES.said_once(other) == other


def test_a_first_sentence_is_in_italics_to_its_end():
    assert (
        PAGES.whole_sentence("```python\ndef f(*values):\n```\n\n*One two*\nthree.\n\nMore.")
        == "```python\ndef f(*values):\n```\n\n*One two three.*\n\nMore."
    )
    assert PAGES.whole_sentence("*All of it.*\n\nMore.") == "*All of it.*\n\nMore."
    assert PAGES.whole_sentence("*One*\ntwo *three*.") == "*One*\ntwo *three*."


def test_formulas_side_by_side_may_stand_below_each_other():
    assert PAGES.wrapped("So\n$$a = b, \\qquad c$$\nand") == "So\n::: equations\n\n$$a = b,$$\n\n$$c$$\n\n:::\nand"
    for whole in ("$$a = b$$", "$$\\begin{cases} a \\qquad b \\end{cases}$$", "$$\\text{a \\qquad b}$$"):
        assert PAGES.wrapped(whole) == whole


def test_llms_txt_leads_to_every_page(site):
    text = (site/"llms.txt").read_text(encoding="utf-8")
    assert (
        text.startswith(f"# {QUARTO['website']['title']}\n\n> {QUARTO['website']['description']}\n")
        and "discover(trials)" in text
    )
    links = re.findall(r"^- \[[^]]+\]\((\S+?)\)", text, re.MULTILINE)
    assert len(links) == len(ROWS)
    for link in links: assert (site/link.removeprefix(QUARTO["website"]["site-url"] + "/")).is_file(), link


def test_what_moves_reaches_the_page_as_it_is(site):
    for page, script in {"tutorials/explore": "learner", "tutorials/discover": "learner", "start": "bandit"}.items():
        html = (site/f"nbs/{page}.html").read_text(encoding="utf-8")
        assert (ROOT/f"spice_rl/templates/page/{script}.js").read_text(encoding="utf-8").strip() in html, page


# What Quarto gets

def test_quarto_gets_the_same_notebooks():
    for row in ROWS:
        assert any(Path(row).match(glob) for glob in QUARTO["project"]["render"]), (
            f"{row} is in the sidebar, but not rendered: see `render` in _quarto.yml"
        )
    assert (ROOT/QUARTO["format"]["html"]["css"]).is_file()
    for item in QUARTO["website"]["navbar"]["left"]:
        assert item["href"] in ROWS, f"the bar on top leads to {item['href']}, which is no page"


def test_the_workflow_runs_what_make_runs():
    workflow = (ROOT/".github/workflows/test.yaml").read_text()
    at = [workflow.index(step) for step in (".ci/run", "make docs", ".ci/pages.py stage", "quarto render")]
    assert at == sorted(at)


# The path through the site

def test_start_names_every_tutorial_in_order():
    text = "\n".join(cells(NOTEBOOKS["nbs/start.ipynb"], "markdown"))
    path = text[text.index("## The path"):]
    named = re.findall(r"\]\((tutorials/[^)]+)\)", path)
    assert [f"nbs/{n}" for n in named] == [row for row in ROWS if "/tutorials/" in row], (
        "nbs/start.ipynb must list the tutorials of _quarto.yml, in order, under 'The path'"
    )


# Colab

@pytest.mark.parametrize("path", COURSES)
def test_opens_in_colab(path):
    title, badge, install, *rest = NOTEBOOKS[path]["cells"]
    cfg, text = settings(), "".join(badge["source"])
    assert [c["cell_type"] for c in (title, badge, install)] == ["markdown", "markdown", "code"], (
        "title, badge, install cell: `make export` puts them in place"
    )
    assert f"/{cfg['user']}/{cfg['repo']}/blob/{cfg['branch']}/{path})" in text
    assert text.startswith("[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]")
    assert not re.search("google.colab", "".join(cells(dict(cells=rest), "code")))
    assert "".join(install["source"]) == "".join(NOTEBOOKS[COURSES[0]]["cells"][2]["source"])


def test_the_install_cell_installs_in_colab_and_nowhere_else(monkeypatch):
    source, called = "".join(NOTEBOOKS[COURSES[0]]["cells"][2]["source"]), []
    code = TransformerManager().transform_cell(source)
    class Shell:
        def run_line_magic(self, *arguments): called.append(arguments[:2])
    run = lambda: exec(code, dict(get_ipython=Shell))
    run()
    assert not called
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    run()
    cfg = settings()
    assert called == [("pip", f"install -q git+{cfg['git_url']}@{cfg['branch']}")]


@pytest.mark.parametrize("path", COURSES)
def test_needs_no_file_beside_it(path):
    "In Colab a notebook stands alone"
    for code in cells(NOTEBOOKS[path], "code"):
        assert not re.search(r"['\"]\.\./", code), f"reads a file of the repository:\n{code}"


def test_the_colab_cells_are_put_in_place():
    path = ROOT/COURSES[0]
    text = path.read_text(encoding="utf-8")
    nb = json.loads(text)
    lost = nb | dict(cells=[c for i, c in enumerate(nb["cells"]) if i not in (1, 2)])
    assert TOOLS.for_colab(path, text) == text and json.loads(TOOLS.for_colab(path, json.dumps(lost))) == nb


# Notebooks

@pytest.mark.parametrize("path", NOTEBOOKS)
def test_what_is_not_run_says_why(path):
    for cell in NOTEBOOKS[path]["cells"]:
        code = "".join(cell["source"])
        if (
            cell["cell_type"] == "code"
            and re.search(r"^#\s*\|\s*eval:\s*false", code, re.MULTILINE)
            and "google.colab" not in code
        ):
            assert re.search(r"^# not run here: \w+", code, re.MULTILINE), (
                f"a cell that is never run needs a line `# not run here: why`:\n{code}"
            )


def test_size_of_all_notebooks():
    assert sum((ROOT / p).stat().st_size for p in NOTEBOOKS) < 12_000_000, (
        "over 12 MB of notebooks: fewer or smaller figures"
    )
