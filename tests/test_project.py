"""The project itself: layers, pages, links, the README, and what `import spice_rl` costs. Nothing here writes a
file."""
import ast, configparser, importlib, importlib.util, inspect, io, json, pydoc, re, subprocess, sys, tokenize, warnings
from pathlib import Path

import pytest
import yaml

import spice_rl

ROOT = Path(__file__).resolve().parents[1]


def load(path):
    "A script of the project that is not part of the package"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOLS = load(ROOT/".ci/notebooks.py")
NOTEBOOKS = {str(p.relative_to(ROOT)): json.loads(p.read_text(encoding="utf-8")) for p in TOOLS.notebooks()}
MODULES = {
    ".".join(p.relative_to(ROOT / "spice_rl").with_suffix("").parts): ast.parse(p.read_text(encoding="utf-8"))
    for p in TOOLS.modules()
}
LAYERS = dict(core="nbs/00_core", models="nbs/10_models", tasks="nbs/tasks", inference="nbs/20_inference",
              discovery="nbs/30_discovery", output="nbs/40_output")  # in order: none knows of a later one
# their names are not the package's: `from spice_rl.tasks.dd import Hyperbolic`
OF_A_TASK = {m for m in MODULES if m.startswith("tasks.")} - {"tasks.published"}
QUARTO = yaml.safe_load((ROOT/"_quarto.yml").read_text())


def settings():
    parser = configparser.ConfigParser(delimiters=["="])
    parser.read(ROOT/"settings.ini")
    return parser["DEFAULT"]


def source(module): return ROOT/"spice_rl"/f"{module.replace('.', '/')}.py"


def cells(nb, kind): return ["".join(c["source"]) for c in nb["cells"] if c["cell_type"] == kind]


def public(module):
    "The `__all__` of a module"
    return next((ast.literal_eval(n.value) for n in MODULES[module].body
                 if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"), [])


HOME = {m[1]: path for path, nb in NOTEBOOKS.items()  # the notebook of each module
        if (m := re.search(r"^#\s*\|\s*default_exp ([\w.]+)", "\n".join(cells(nb, "code")), re.MULTILINE))}


# Settings and site

def test_setup_reads_settings():
    fields, cfg = load(ROOT/"setup.py").fields(), settings()
    assert (fields["name"], fields["version"]) == ("spice_rl", spice_rl.__version__)
    assert fields["python_requires"] == f">={cfg['min_python']}"
    assert fields["entry_points"]["console_scripts"] == ["spice-rl=spice_rl.output.cli:main"]
    assert fields["packages"] == ["spice_rl", *(f"spice_rl.{layer}" for layer in sorted(LAYERS))]
    assert fields["package_data"] == {"spice_rl": ["datasets/*.csv", "datasets/*/*.csv", "templates/*/*", "*.mplstyle"]}
    for need in fields["install_requires"]:
        assert re.fullmatch(r"[\w-]+(>=[\d.]+)?", need), f"{need}: the package asks for lower bounds only"
    assert "nbdev" not in " ".join(fields["install_requires"])
    assert any("nbdev==2" in r for r in fields["extras_require"]["dev"])


def test_quarto_agrees_with_settings():
    known = dict(
        project="type output-dir render resources",
        execute="enabled",
        format="html",
        website="title description site-url repo-url repo-branch repo-actions search page-navigation navbar sidebar",
    )
    for section, keys in QUARTO.items():
        assert section in known, f"_quarto.yml: unknown key {section}"
        assert set(keys) <= set(known[section].split()), f"_quarto.yml: unknown key in {section}"
    cfg, site = settings(), QUARTO["website"]
    assert QUARTO["project"]["output-dir"] == cfg["doc_path"]
    assert site["site-url"] + "/" + cfg["nbs_path"] == cfg["doc_host"] + cfg["doc_baseurl"]
    assert [site[k] for k in ("title", "description", "repo-url", "repo-branch")] == \
           [cfg[k] for k in ("title", "description", "git_url", "branch")]


def test_every_notebook_once_in_the_sidebar():
    def rows(item):
        if isinstance(item, dict):
            return [r for i in item["contents"] for r in rows(i)] if "section" in item else [item["href"]]
        return [item]
    listed = [r for item in QUARTO["website"]["sidebar"]["contents"] for r in rows(item)]
    assert sorted(r for r in listed if r.endswith(".ipynb")) == sorted(NOTEBOOKS)


def test_page_names_are_unique():
    names = [str(Path(p).with_name(re.sub(r"^\d+_", "", Path(p).name))) for p in NOTEBOOKS]
    assert len(names) == len(set(names)), "nbdev drops the number: two notebooks would be one page"


# Notebooks and README

@pytest.mark.parametrize("path", NOTEBOOKS)
def test_notebook_outputs(path):
    assert (ROOT/path).stat().st_size < 600_000, "over 600 kB: fewer or smaller figures (aim: under 300 kB)"
    for cell in NOTEBOOKS[path]["cells"]:
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error", f"cell {cell['id']} stores an error"
            assert not any("widget" in kind for kind in output.get("data", {})), f"cell {cell['id']} stores a widget"
            place = re.search(r"/\S*/spice_rl/\w+\.py:\d+", "".join(output.get("text", [])))
            assert not place, f"cell {cell['id']} stores where the project lay: {place[0]}; run the notebook anew"


def test_tutorials_show_figures():
    for path, nb in NOTEBOOKS.items():
        kinds = {kind for c in nb["cells"] for o in c.get("outputs", []) for kind in o.get("data", {})}
        assert "/tutorials/" not in path or "image/png" in kinds, f"{path} has no stored figure: make run NB={path}"


def test_readme_is_what_the_index_gives():
    text, images = TOOLS.readme()
    assert (ROOT/"README.md").read_text(encoding="utf-8") == text, "run `make export`"
    for name, data in images.items(): assert (ROOT/name).read_bytes() == data, f"{name}: run `make export`"


def anchors(text):
    "The anchors of a Markdown text's headings, and those given by hand"
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    heads = re.findall(r"^#+ (.*?)(?: *\{.*\})?$", text, re.MULTILINE)
    slugs = {re.sub(r"\s+", "-", re.sub(r"[^\w\s.-]", "", h.lower()).strip()) for h in heads}
    return slugs | {s.lstrip("0123456789-. ") for s in slugs} | set(re.findall(r"id=\"([\w.-]+)\"", text)) \
        | set(re.findall(r"\{#([\w.-]+)", text))


def test_no_dead_link():
    texts = {path: "\n\n".join(cells(nb, "markdown")) for path, nb in NOTEBOOKS.items()}
    texts |= {p.name: p.read_text(encoding="utf-8") for p in ROOT.glob("*.md")}
    dead = []
    for path, text in texts.items():
        prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)\"", prose):
            link = link[0] or link[1]
            if re.match(r"[a-z]+:", link): continue
            file, _, anchor = link.partition("#")
            goal = (ROOT/path).parent.joinpath(file).resolve() if file else ROOT/path
            if not goal.exists(): dead.append(f"{path}: {link}")
            elif anchor and (name := str(goal.relative_to(ROOT))) in texts:
                here = anchors(texts[name]) | {s.lower() for m, home in HOME.items() if home == name for s in public(m)}
                if anchor.lower() not in here: dead.append(f"{path}: {link} (no such heading)")
    assert not dead, "\n".join(dead)


def test_every_public_name_has_a_page():
    missing, flagged = [], r"(?:#\s*\|.*\n)*#\s*\|\s*"
    for module in MODULES:
        code, prose = (cells(NOTEBOOKS[HOME[module]], kind) for kind in ("code", "markdown"))
        shown = "\n".join(
            c for c in code if re.match(flagged + r"exports?\b", c) and not re.match(flagged + r"hide\b", c)
        )
        for name in public(module):  # nbdev documents functions and classes; anything else must be named in the prose
            documented = re.search(rf"^(?:async )?(?:def|class) {name}\b", shown, re.MULTILINE)
            if not documented and f"`{name}`" not in "\n".join(prose): missing.append(f"{HOME[module]}: {name}")
    assert not missing, "exported, but neither a documented function or class nor `named` in the text:\n" + "\n".join(
        missing
    )


# Docstrings

HARD = '''
def one(a, b="#", *, c): # What c is
    "Does it."
def two(
    é,         # Ünwritten
    b={"#": (1, # a comment inside, of no argument
             2)}, # The second, which
                  # needs two lines
    # Stands above
    c=3,
    *more,     # Others
    d, e=None, # Two in one line
    **rest     # What is "left": 1\\2
) -> dict: # What comes back
    "Says it."
    return {}
def _hidden(a): # Not public
    "Stays."
@dataclass(frozen=True)
class Fields:
    """One.

    Two."""
    a: int       # The first
    b: str = "#" # The second
    c: ClassVar = 3 # None of them
class Made(Base):
    "Is made."
    @decorated("#")
    def __init__(self, x): # An x
        "Stays, too."
    @property
    def size(self): # In mm
        "How big."
    @staticmethod
    def alone(y): "Beside its def."; return y
'''


def test_docstrings_explain_arguments():
    new = TOOLS.documented(HARD)
    docs = {n.name: ast.get_docstring(n) for n in ast.walk(ast.parse(new)) if hasattr(n, "body") and hasattr(n, "name")}
    assert docs["one"] == "Does it.\n\nParameters\n----------\na, b, c\n    What c is"
    assert docs["two"].split("\n\n")[1].splitlines()[2:] == [
        "é",
        "    Ünwritten",
        "b",
        "    The second, which needs two lines",
        "c",
        "    Stands above",
        "*more",
        "    Others",
        "d, e",
        "    Two in one line",
        "**rest",
        "    What is \"left\": 1\\2",
    ]
    assert docs["two"].endswith("Returns\n-------\ndict\n    What comes back")
    assert docs["Fields"] == "One.\n\nTwo.\n\nParameters\n----------\na : int\n    The first\nb : str\n    The second"
    assert docs["Made"].endswith("x\n    An x") and docs["size"].endswith("Returns\n-------\nIn mm")
    assert (docs["_hidden"], docs["__init__"], docs["alone"]) == ("Stays.", "Stays, too.", "Beside its def.")
    assert TOOLS.documented(new) == new and TOOLS.plain(new) == HARD


@pytest.mark.parametrize("module", HOME)
def test_docstrings_are_left_to_the_export(module):
    "`.ci/notebooks.py insync` looks that the modules have them"
    for code in cells(NOTEBOOKS[HOME[module]], "code"):
        assert "----------\n" not in code, (
            "an argument is explained by the comment beside it; `export` writes the docstring"
        )


def test_help_explains_arguments():
    said = pydoc.render_doc(spice_rl.read_trials, renderer=pydoc.plaintext)
    for name in inspect.signature(spice_rl.read_trials).parameters:
        assert re.search(rf"^    {name}( : .*)?\n        \S", said, re.MULTILINE), name


# The package

@pytest.mark.parametrize("path", HOME.values())
def test_imports_have_cells_of_their_own(path):
    "The pages of the site are made by running the imports of a notebook and nothing else"
    for code in cells(NOTEBOOKS[path], "code"):
        if re.search(r"^#\s*\|\s*export", code, re.MULTILINE): continue
        lines = [line for line in code.splitlines() if line.strip() and not line.startswith("#")]
        told = [bool(re.match("(from|import) ", line)) for line in lines]
        assert all(told) or not any(told), f"{path}: give the imports a cell of their own:\n{code}"


def test_modules_have_a_notebook():
    assert set(MODULES) == set(HOME), "a module without its notebook is a left-over: delete it"


def test_public_names_are_unique():
    owner = {}
    for module in sorted(set(MODULES) - OF_A_TASK):
        for name in public(module):
            assert name not in {*LAYERS, *(m.rpartition(".")[2] for m in MODULES)}, (
                f"{module}.{name} is also a module: `from spice_rl import {name}` could give either"
            )
            assert name not in owner, f"both {owner.get(name)} and {module} export {name}"
            owner[name] = module
    assert spice_rl._owners() == owner
    assert set(spice_rl.__all__) == set(owner) and set(owner) <= set(dir(spice_rl))


def test_every_public_name_loads():
    space = {}
    exec("from spice_rl import *", space)
    assert set(spice_rl.__all__) <= set(space)
    for name in spice_rl.__all__: assert getattr(spice_rl, name) is space[name]


def test_unknown_name_says_the_nearest():
    near = spice_rl.__all__[0]
    with pytest.raises(AttributeError, match=f"did you mean '{near}'"): getattr(spice_rl, near + "x")
    assert not hasattr(spice_rl, "no_such_name_at_all")


def test_import_is_lazy():
    code = ("import sys, time; t = time.process_time(); import spice_rl; dir(spice_rl); t = time.process_time() - t\n"
            "print(t, [m for m in ('torch', 'numba', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])")
    seconds, loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split(" ", 1)
    assert loaded.strip() == "[]" and float(seconds) < .5


def imported(tree, module):
    "The modules of the package that a module imports, wherever the import stands"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix("spice_rl.") for a in node.names if a.name.startswith("spice_rl."))
        elif isinstance(node, ast.ImportFrom):
            path = importlib.util.resolve_name(
                "." * node.level + (node.module or ""), f"spice_rl.{module}".rpartition(".")[0]
            )
            if path.partition(".")[0] != "spice_rl": continue
            inside = path.removeprefix("spice_rl").lstrip(".")
            if inside in MODULES: yield inside
            elif inside in LAYERS: yield from (f"{inside}.{a.name}" for a in node.names)
            else:
                owners, modules = spice_rl._owners(), spice_rl._modules()
                yield from (owners.get(a.name) or modules.get(a.name, a.name) for a in node.names)


def place(module):
    "Where a module stands in the order of imports: its layer, then the number of its notebook"
    return list(LAYERS).index(module.partition(".")[0]), HOME[module]


def test_modules_lie_where_their_notebooks_do():
    assert {m: str(Path(path).parent) for m, path in HOME.items()} == {m: LAYERS[m.partition(".")[0]] for m in HOME}


def test_no_upward_import():
    upward = [f"{HOME[m]} imports {HOME[i]}" for m, tree in MODULES.items() for i in imported(tree, m)
              if i in HOME and place(i) >= place(m)]
    assert not upward, "a notebook imports lower layers and lower numbers only:\n" + "\n".join(upward)


@pytest.mark.parametrize(
    "line",
    [
        "from .data import x",
        "from ..core.data import x",
        "from spice_rl.core.data import x",
        "import spice_rl.core.data as d",
        "from . import data",
        "from .. import data",
        "from spice_rl import check_trials",
        "from ..core import data",
        "def f():\n    from .data import x",
    ],
)
def test_layer_check_sees_each_form_of_import(line):
    assert list(imported(ast.parse(line), "core.cell")) == ["core.data"]


def test_modules_are_found_without_their_folder():
    """As published notebooks import them, whichever name came first; and where a name has moved, it is found all the
    same"""
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "from spice_rl.bandits import BanditsDrift; import spice_rl, spice_rl.models.bandits as b, spice_rl.priors\n"
        "assert b.BanditsDrift is BanditsDrift is spice_rl.bandits.BanditsDrift and spice_rl.models.bandits is b\n"
        "from spice_rl.models import avoidance_model"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(
            "from spice_rl import estimator, precoded, rnn, plotting, pipeline\n"
            "from spice_rl.data import Trials, read_trials; from spice_rl.engine import Lanes, as_seed, play, replay, "
            "simulate\n"
            "from spice_rl.plotting import *; assert plot_session is spice_rl.plot_session",
            dict(spice_rl=spice_rl),
        )
    with pytest.raises(ModuleNotFoundError, match="spice_rl.nothing"): importlib.import_module("spice_rl.nothing")
    with pytest.raises(ImportError, match="nothing"): exec("from spice_rl.bandits import nothing")


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_have_their_names(layer):
    package = importlib.import_module(f"spice_rl.{layer}")
    assert package.__doc__
    if layer == "tasks": return
    owned = {name for name, module in spice_rl._owners().items() if module.startswith(f"{layer}.")}
    assert set(package.__all__) == owned <= set(dir(package))
    assert all(getattr(package, n) is getattr(spice_rl, n) for n in owned)
    with pytest.raises(AttributeError, match=f"spice_rl.{layer} has no 'nothing_of_it'"): package.nothing_of_it


def test_a_name_of_another_layer_is_told_from_a_slip():
    "`write_discovery` writes files, so it is of `output`; the package has it as it has all names"
    import spice_rl.discovery
    with pytest.raises(
        AttributeError,
        match="^spice_rl.discovery has no 'write_discovery': it is in spice_rl.output; from spice_rl import "
              "write_discovery$",
    ):
        spice_rl.discovery.write_discovery
    assert spice_rl.output.write_discovery is spice_rl.write_discovery
    assert not hasattr(spice_rl.discovery, "write_discovery")
    with pytest.raises(AttributeError, match="spice_rl.output has no 'read_task': it is in spice_rl.tasks"):
        spice_rl.output.read_task


@pytest.mark.parametrize("module", MODULES)
def test_house_rules(module):
    for node in ast.walk(MODULES[module]):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"line {node.lineno}: bare `except:`"
        if not isinstance(node, ast.Attribute): continue
        for rule in ("warnings.filterwarnings", "warnings.simplefilter", "np.random.seed", "torch.manual_seed"):
            assert ast.unparse(node) != rule, f"line {node.lineno}: {rule} changes the caller's state"


@pytest.mark.parametrize("module", MODULES)
def test_no_import_that_nothing_uses(module):
    if module == "models.ready": return  # it imports all models, so that their names are known
    lines = source(module).read_text(encoding="utf-8").splitlines()
    for node in MODULES[module].body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)): continue
        rest = "\n".join(lines[:node.lineno - 1] + lines[node.end_lineno:])
        unused = [
            name for a in node.names if not re.search(rf"\b{(name := (a.asname or a.name).split('.')[0])}\b", rest)
        ]
        assert not unused, f"{module}.py imports {unused} for nothing: take it out of the notebook's exported imports"


@pytest.mark.parametrize("module", MODULES)
def test_lines_of_at_most_120_characters(module):
    "All but the first line, a notebook's description, and the names that nbdev lists."
    lines = source(module).read_text(encoding="utf-8").split("\n")[1:]
    generated = lambda line: line.startswith("__all__") or re.match(r" {11}'", line)
    long = [f"line {n + 2} ({len(line)})" for n, line in enumerate(lines) if len(line) > 120 and not generated(line)]
    assert not long, f"{module}.py has lines of more than 120 characters: {', '.join(long)}"

WRITTEN = {path: cells(nb, "code") for path, nb in NOTEBOOKS.items()} | {
    str(file.relative_to(ROOT)): [file.read_text(encoding="utf-8")]
    for folder in ("tests", "benchmarks", ".ci")
    for file in sorted((ROOT/folder).glob("*.py"))
}


def in_texts(code):
    "Numbers of the lines of texts that have several, such as a page or a script that is written to a file"
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    texts = [t for t in tokens if t.type == tokenize.STRING and t.end[0] > t.start[0]]
    return {n for t in texts for n in range(t.start[0], t.end[0] + 1)}


@pytest.mark.parametrize("path", WRITTEN)
def test_lines_of_at_most_120_characters_where_nothing_is_exported(path):
    "Cells of notebooks, tests, benchmarks, tools. Not asked: pages and scripts that stand there as texts."
    for code in WRITTEN[path]:
        long = [n for n, line in enumerate(code.split("\n"), 1) if len(line) > 120]
        long = long and [n for n in long if n not in in_texts(code)]
        assert not long, f"{path}: lines {long} of this have more than 120 characters:\n{code}"


# first argument of a rule of a cell or of an environment: `nbs/00_core/02_cell` says once what rules get
RULE = {"p", "e"}
OF_SEEDS = {"AgentQ", "BanditsGeneral", "BaseRNN"}  # published scripts call them by place


def public_functions(module):
    "Public functions of a module and methods of its public classes, rules left out: (name, function, its arguments)"
    for owner in MODULES[module].body:
        if not isinstance(owner, (ast.FunctionDef, ast.ClassDef)) or owner.name[0] == "_": continue
        alone = isinstance(owner, ast.FunctionDef)
        for f in [owner] if alone else owner.body:
            if not isinstance(f, ast.FunctionDef) or f.name[0] == "_" and f.name not in ("__init__", "__call__"):
                continue
            first = [*f.args.posonlyargs, *f.args.args]
            if not alone and first and first[0].arg in RULE: continue
            yield (
                f"{owner.name}.{f.name}" if not alone else f.name,
                f,
                [a for a in first if a.arg not in ("self", "cls")],
            )


@pytest.mark.parametrize("module", MODULES)
def test_public_arguments_have_types(module):
    missing = [
        f"{name}: {a.arg}"
        for name, f, first in public_functions(module)
        for a in [*first, *f.args.kwonlyargs, *filter(None, [f.args.vararg, f.args.kwarg])]
        if a.annotation is None
    ]
    missing += [
        f"{name}: what it returns"
        for name, f, _ in public_functions(module)
        if f.returns is None and f.name != "__init__"
    ]
    assert not missing, f"write a type beside each in {HOME[module]}: {missing}"


@pytest.mark.parametrize("module", MODULES)
def test_at_most_seven_arguments_by_place(module):
    "Further ones are given by name, so that a call can be read; compiled loops take arrays, as many as they need"
    long = [
        name for name, _, first in public_functions(module) if len(first) > 7 and name.split(".")[0] not in OF_SEEDS
    ]
    assert not long, f"put a * between what is given by place and what by name: {long}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_of_at_most_600_lines(module):
    if module == "core.density":
        pytest.skip("all kinds of answer share its cached loops: numba does not see changes in other files")
    lines = source(module).read_text(encoding="utf-8").count("\n")
    assert lines <= 600, f"{module}.py has {lines} lines: cut its notebook along its ideas"


@pytest.mark.parametrize("script", sorted((ROOT/"spice_rl/templates").rglob("*.js")), ids=lambda path: path.stem)
def test_lines_of_scripts_too(script):
    long = [n for n, line in enumerate(script.read_text(encoding="utf-8").splitlines(), 1) if len(line) > 120]
    assert not long, f"{script.name} has lines of more than 120 characters: {long}"
