"""The notebooks: run, check, export and README. Called by the Makefile; `python .ci/notebooks.py --help`.

nbdev does the export and the cleaning. What it does not do is here: running with outputs kept (and nothing random kept
with them), a README without Quarto, and one answer to "is everything in sync?".
"""
import argparse, base64, gc, hashlib, io, json, multiprocessing, os, re, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from docstrings import documented, plain

ROOT = Path(__file__).resolve().parents[1]
README, IMAGES = ROOT/"README.md", "nbs/images/readme-"  # figures of the README: nbs/images/readme-<cell id>-<n>.png
ENV = dict(line.split("=") for line in (ROOT/".ci/env").read_text().split())

OTHERS = [
    "nbdev.test",
    "nbdev.clean",
    "execnb.shell",
    "fastcore.test",
    "matplotlib.pyplot",
    "numba",
    "pandas",
    "pysindy",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.linear_model",
    "sympy",
    "torch",
    "tqdm.auto",
    "joblib",
    "formulaic",
    "ipywidgets",
]


def notebooks():
    "Every notebook of the project, in order"
    return sorted(p for p in (ROOT/"nbs").rglob("*.ipynb") if not any(o[0] in "._" for o in p.relative_to(ROOT).parts))


def state():
    "What is under version control here by meaning: the digest of each file of nbs/, spice_rl/ and of the README"
    skip = {"__pycache__", "_quarto.yml", "nbdev.yml", "sidebar.yml"}
    files = [README, *(ROOT/"nbs").rglob("*"), *(ROOT/"spice_rl").rglob("*")]
    names = {p: p.relative_to(ROOT) for p in files if p.is_file()}
    return {str(n): hashlib.sha256(p.read_bytes()).hexdigest() for p, n in names.items()
            if not skip & set(n.parts) and not any(o[0] == "." for o in n.parts)}


def changed(before, after): return sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))


# Running ------------------------------------------------------------------------------------------------------------

def forget(path):
    "Import this package anew where a notebook defines models: two of one name may not be known in a process"
    if path.parent.name == "10_models":
        for name in [n for n in sys.modules if n.partition(".")[0] == "spice_rl"]: del sys.modules[name]


def run_one(path):
    "Run one notebook and store its outputs; the error as text, if there is one"
    forget(path)
    from execnb.nbio import read_nb, write_nb
    from execnb.shell import CaptureShell
    from nbdev.clean import clean_nb
    nb = read_nb(path)
    os.chdir(path.parent)
    shell = CaptureShell(path, mpl_format="retina")  # two pixels for each one on the page: sharp on every screen
    for cell in nb.cells:
        if cell.cell_type != "code" or "nbdev_export(" in cell.source or flags(cell).get("eval") == "false": continue
        cell.outputs = []
        shell.cell(cell)
        if shell.exc:
            last = [o for o in cell.outputs if o["output_type"] == "error"][-1]
            return (f"{path.relative_to(ROOT)}, cell {cell.idx_} (id "
                    f"{cell.id}):\n{cell.source}\n\n{''.join(last['traceback'])}")
        if any(o.get("name") == "stderr" for o in cell.outputs):
            print(f"  {path.name}, cell {cell.idx_}: its stderr is stored as output", flush=True)
        if "show_doc(" in cell.source: cell.outputs = []  # the page shows the documentation anew
        cell.outputs = [small(placeless(o)) for o in map(still, cell.outputs) if o]
    for key in "widgets", "jupytext": nb.metadata.pop(key, None)
    clean_nb(nb)
    write_nb(nb, path)


def still(output):
    "An output without a widget's view, which is random state that no page can use; None if no picture stands beside it"
    data = output.get("data", {})
    views = [kind for kind in data if "widget" in kind]
    if views and "image/png" not in data: return None
    for kind in views: del data[kind]
    return output


def placeless(output):
    "An output whose text does not tell where on this machine the project lies"
    if "text" in output: output["text"] = [line.replace(f"{ROOT}/", "") for line in output["text"]]
    return output


def small(output):
    """An output whose picture has at most 256 colours, each the commonest of those that it stands for: half the
    bytes, and nobody sees it"""
    import numpy as np
    from PIL import Image
    data = output.get("data", {})
    if "image/png" not in data: return output
    picture, file = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"), io.BytesIO()
    few = picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    place, colour = np.asarray(few).ravel(), np.asarray(picture).reshape(-1, 3) @ [1 << 16, 1 << 8, 1]
    pairs, often = np.unique(place.astype(np.int64) << 24 | colour, return_counts=True)
    best = {pair >> 24: pair & 0xffffff for pair in pairs[np.argsort(often, kind="stable")]}  # the commonest comes last
    few.putpalette(b"".join(int(best.get(k, 0)).to_bytes(3, "big") for k in range(256)))
    few.save(file, "png", optimize=True)
    data["image/png"] = base64.b64encode(file.getvalue()).decode() + "\n"
    return output


def check_one(path, slow=False):
    "Run one notebook as nbdev does (without `#| eval: false` and, if not asked for, the slow cells), writing nothing"
    gc.set_threshold(50_000, 20, 20)  # to compile makes many objects, few of them in circles
    gc.freeze()  # what was imported stays
    forget(path)
    from nbdev.config import get_config
    from nbdev.test import test_nb
    skip = [] if slow else get_config(path=ROOT).tst_flags.split()
    good, _ = test_nb(path, skip_flags=skip, basepath=ROOT)
    if not good: return f"{path.relative_to(ROOT)} failed (its error stands above)"


def timed(job, path):
    start = time.time()
    error = job(path)
    print(f"  {'FAILED' if error else 'ok    '} {path.relative_to(ROOT)}  {time.time() - start:.1f} s", flush=True)
    return error


def processes():
    """How to start the process of a notebook: forked from one that has imported what notebooks import, this package too

    (Where nothing can be forked, each imports everything anew.)"""
    if "forkserver" not in multiprocessing.get_all_start_methods(): return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    ours = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules()]
    context.set_forkserver_preload([*OTHERS, *ours])
    return context


def each(job, paths):
    "Do `job` for each notebook, two at a time, each in a process of its own; exit with the errors"
    # not multiprocessing.Pool: its processes may not have children, and notebooks use joblib
    with ProcessPoolExecutor(2, processes(), max_tasks_per_child=1) as pool:
        errors = [e for e in pool.map(timed, [job]*len(paths), paths) if e]
    if errors: sys.exit("\n" + "\n\n".join(errors) + f"\n{len(errors)} of {len(paths)} notebooks failed")


def run(files): each(run_one, [Path(f).resolve() for f in files])


def check():
    before = state()
    each(check_one, notebooks())
    if left := changed(before, state()):
        sys.exit("Running the notebooks changed or left files:\n  " + "\n  ".join(left))


# Colab --------------------------------------------------------------------------------------------------------------

BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{repo}/blob/{branch}/{path})"
)
INSTALL = """#| hide
#| eval: false
import sys
if 'google.colab' in sys.modules:
    %pip install -q git+{url}@{branch}"""


def taught():
    "The notebooks that people open in Colab"
    return [p for p in notebooks() if p.parent.name in ("tutorials", "howto")]


def for_colab(path, text):
    """The notebook with its badge and the cell that installs the package in Colab, each in a cell of its own behind
    the title"""
    from nbdev.config import get_config
    cfg, name, nb = get_config(path=ROOT), path.relative_to(ROOT).as_posix(), json.loads(text)
    fill = dict(repo=cfg.git_url.removeprefix("https://github.com/"), url=cfg.git_url, branch=cfg.branch, path=name)
    number = lambda what: hashlib.sha256(f"{name} {what}".encode()).hexdigest()[:8]  # an id that stays
    badge = dict(cell_type="markdown", id=number("badge"), metadata={}, source=[BADGE.format(**fill)])
    install = dict(
        cell_type="code",
        execution_count=None,
        id=number("install"),
        metadata={},
        outputs=[],
        source=INSTALL.format(**fill).splitlines(True),
    )
    rest = [c for c in nb["cells"] if not re.search("colab-badge|google.colab", "".join(c["source"]))]
    if nb["cells"] == (cells := [rest[0], badge, install, *rest[1:]]): return text
    return json.dumps(nb | dict(cells=cells), indent=1, ensure_ascii=False) + "\n"


# In sync ------------------------------------------------------------------------------------------------------------

def export():
    "Clean the notebooks, put the cells for Colab in place, export the modules with their docstrings, write the README"
    from nbdev.clean import nbdev_clean
    from nbdev.doclinks import nbdev_export
    os.environ.pop("IN_TEST", None)  # with it nbdev_export does nothing, and says nothing
    for path in taught(): path.write_text(for_colab(path, path.read_text(encoding="utf-8")), encoding="utf-8")
    nbdev_clean.__wrapped__()
    nbdev_export.__wrapped__()
    for path in modules(): path.write_text(documented(path.read_text(encoding="utf-8")), encoding="utf-8")
    text, images = readme()
    for old in ROOT.glob(IMAGES + "*"):
        if str(old.relative_to(ROOT)) not in images: old.unlink()
    for name, data in images.items():
        (ROOT/name).parent.mkdir(exist_ok=True)
        (ROOT/name).write_bytes(data)
    README.write_text(text, encoding="utf-8")


def modules():
    "The exported modules"
    return sorted((ROOT/"spice_rl").glob("*/[!_]*.py"))


def update():
    """Carry what was changed in the modules back into the notebooks, without what `export` wrote into docstrings;
    then export"""
    from nbdev.sync import nbdev_update
    os.environ.pop("IN_TEST", None)
    for path in modules(): path.write_text(plain(path.read_text(encoding="utf-8")), encoding="utf-8")
    nbdev_update.__wrapped__()
    export()


def insync():
    "Fail if cleaning, exporting and writing the README change anything; the tree need not be committed"
    before = state()
    export()
    if moved := changed(before, state()):
        sys.exit(
            "Not in sync: `nbdev_clean`, `nbdev_export` and the README changed the files below (now written; look at\n"
            "them, and edit notebooks, not spice_rl/):\n  " + "\n  ".join(moved)
        )
    print("in sync: notebooks clean, modules and README as the notebooks give them")


# Markdown: the README and the pages ---------------------------------------------------------------------------------

def flags(cell):
    "The leading `#| name: value` lines of a code cell"
    lines = re.match(r"(?:\s*#\s*\|.*(?:\n|$))*", cell.source)[0]
    return {m[1]: m[2].strip().lower() for m in re.finditer(r"#\s*\|\s*([\w-]+):?(.*)", lines)}


def markdown(nb, image, table, prose):
    "The notebook as Markdown; `image(png, name, width)` gives a figure, `table(html)` a table, `prose(text)` a cell"
    out = []
    for cell in nb.cells:
        if cell.cell_type == "markdown": out.append(prose(cell.source))
        if cell.cell_type != "code": continue
        opts = flags(cell)
        if "hide" in opts or opts.get("include") == "false": continue
        code = re.sub(r"^(\s*#\s*\|.*(\n|$))*", "", cell.source).strip()
        if code and opts.get("echo") != "false" and "hide_input" not in opts: out.append(f"```python\n{code}\n```")
        if opts.get("output") == "false" or "hide_output" in opts: continue
        for n, o in enumerate(cell.get("outputs", [])):
            data = {k: v if isinstance(v, str) else "".join(v) for k, v in o.get("data", {}).items()}
            if o["output_type"] == "error":
                raise ValueError(f"cell {cell.id} stores an error: {o['ename']} {o['evalue']}")
            if o["output_type"] == "stream": out.append(fence("".join(o["text"])))
            elif "text/markdown" in data: out.append(data["text/markdown"].strip())
            elif "image/png" in data:
                width = o.get("metadata", {}).get("image/png", {}).get("width")
                out.append(image(base64.b64decode(data["image/png"]), f"{cell.id}-{n}.png", width))
            elif "text/html" in data: out.append(table(re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.S)))
            elif "text/latex" in data: out.append(data["text/latex"].replace(r"\displaystyle ", "").strip())
            elif "text/plain" in data: out.append(fence(data["text/plain"]))
    return "\n\n".join(o for o in out if o.strip()) + "\n"


def fence(text): return "```\n" + re.sub(r"\x1b\[[\d;]*m", "", text).strip("\n") + "\n```" if text.strip() else ""


def relink(text, address):
    "`text` with each relative link and picture replaced by `address(link)`"
    new = lambda m: m[1] + (m[2] if re.match(r"[a-z]+:|[#/]", m[2]) else address(m[2])) + m[3]
    return re.sub(r"(\]\(|(?:src|href)=\")([^)\s\"]+)(\)|\"|\s)", new, text)


def readme():
    "README.md as `nbs/index.ipynb` gives it, and its figures by path: nothing is written here"
    import pypandoc
    from execnb.nbio import read_nb
    nb, images = read_nb(ROOT/"nbs/index.ipynb"), {}

    def image(png, name, width):
        images[IMAGES + name] = png
        return f'<img src="{IMAGES}{name}"' + (f' width="{width}"' if width else "") + ' alt="">'

    def table(html): return pypandoc.convert_text(html, "gfm-raw_html", "html", ["--columns=1000"]).strip()

    def prose(text):
        if text.startswith("# "): text = re.sub(r"^- [\w-]+: .*\n?", "", text, flags=re.M)  # nbdev's front matter
        text = re.sub(r"^:::+.*\n?", "", text, flags=re.M)  # Quarto's divisions mean nothing to GitHub
        return relink(text, lambda link: os.path.normpath(f"nbs/{link}")).strip()

    return "<!-- Written from nbs/index.ipynb by `make export`: edit that. -->\n\n" + markdown(
        nb, image, table, prose
    ), images


def same_environment():
    "Start again with the environment of .ci/env if this is another: hashes are seeded when Python starts"
    if any(os.environ.get(k) != v for k, v in ENV.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENV)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run notebooks and store their outputs").add_argument("files", nargs="+")
    for name, doc in dict(check="run all notebooks, writing nothing", export="clean, modules, README",
                          update="carry small changes made in spice_rl/ back into the notebooks",
                          insync="export, and fail if that changed anything").items():
        commands.add_parser(name, help=doc)
    commands.add_parser("readme", help="print README.md")
    args = vars(parser.parse_args())
    same_environment()
    command = args.pop("command")
    if command == "run": args["files"] = [os.path.abspath(f) for f in args["files"]]
    os.chdir(ROOT)
    if command == "readme": print(readme()[0], end="")
    else: globals()[command](**args)
