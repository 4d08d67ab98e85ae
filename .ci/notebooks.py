"""The notebooks: run, check, export, README and pages. Called by the Makefile; `python .ci/notebooks.py --help`.

nbdev does the export, the cleaning and the processing of pages. What it does not do is here: running with outputs kept
(and nothing random kept with them), a README and pages without Quarto, and one answer to "is everything in sync?".
"""
import argparse, base64, hashlib, multiprocessing, os, re, sys, time
from concurrent.futures import ProcessPoolExecutor
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, IMAGES = ROOT/"README.md", "nbs/images/readme-"  # figures of the README: nbs/images/readme-<cell id>-<n>.png
ENV = dict(line.split("=") for line in (ROOT/".ci/env").read_text().split())


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

def run_one(path):
    "Run one notebook and store its outputs; the error as text, if there is one"
    from execnb.nbio import read_nb, write_nb
    from execnb.shell import CaptureShell
    from nbdev.clean import clean_nb
    nb = read_nb(path)
    os.chdir(path.parent)
    shell = CaptureShell(path, mpl_format="png")
    for cell in nb.cells:
        if cell.cell_type != "code" or "nbdev_export(" in cell.source or flags(cell).get("eval") == "false": continue
        cell.outputs = []
        shell.cell(cell)
        if shell.exc:
            last = [o for o in cell.outputs if o["output_type"] == "error"][-1]
            return f"{path.relative_to(ROOT)}, cell {cell.idx_} (id {cell.id}):\n{cell.source}\n\n{''.join(last['traceback'])}"
        if any(o.get("name") == "stderr" for o in cell.outputs):
            print(f"  {path.name}, cell {cell.idx_}: its stderr is stored as output", flush=True)
        if "show_doc(" in cell.source: cell.outputs = []  # the page shows the documentation anew
        cell.outputs = [o for o in map(still, cell.outputs) if o]
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


def check_one(path):
    "Run one notebook as nbdev does (without `#| eval: false` and the slow cells), writing nothing"
    from nbdev.config import get_config
    from nbdev.test import test_nb
    good, _ = test_nb(path, skip_flags=get_config(path=ROOT).tst_flags.split(), basepath=ROOT)
    if not good: return f"{path.relative_to(ROOT)} failed (its error stands above)"


def timed(job, path):
    start = time.time()
    error = job(path)
    print(f"  {'FAILED' if error else 'ok    '} {path.relative_to(ROOT)}  {time.time() - start:.1f} s", flush=True)
    return error


def each(job, paths):
    "Do `job` for each notebook, two at a time, each in a fresh process; exit with the errors"
    # not multiprocessing.Pool: its processes may not have children, and notebooks use joblib
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        errors = [e for e in pool.map(timed, [job]*len(paths), paths) if e]
    if errors: sys.exit("\n" + "\n\n".join(errors) + f"\n{len(errors)} of {len(paths)} notebooks failed")


def run(files): each(run_one, [Path(f).resolve() for f in files])


def check():
    before = state()
    each(check_one, notebooks())
    if left := changed(before, state()): sys.exit("Running the notebooks changed or left files:\n  " + "\n  ".join(left))


# In sync ------------------------------------------------------------------------------------------------------------

def export():
    "Clean the notebooks, export the modules, write the README"
    from nbdev.clean import nbdev_clean
    from nbdev.doclinks import nbdev_export
    os.environ.pop("IN_TEST", None)  # with it nbdev_export does nothing, and says nothing
    nbdev_clean.__wrapped__()
    nbdev_export.__wrapped__()
    text, images = readme()
    for old in ROOT.glob(IMAGES + "*"):
        if str(old.relative_to(ROOT)) not in images: old.unlink()
    for name, data in images.items():
        (ROOT/name).parent.mkdir(exist_ok=True)
        (ROOT/name).write_bytes(data)
    README.write_text(text, encoding="utf-8")


def insync():
    "Fail if cleaning, exporting and writing the README change anything; the tree need not be committed"
    before = state()
    export()
    if moved := changed(before, state()):
        sys.exit("Not in sync: `nbdev_clean`, `nbdev_export` and the README changed the files below (now written; look at\n"
                 "them, and edit notebooks, not spice_rl/):\n  " + "\n  ".join(moved))
    print("in sync: notebooks clean, modules and README as the notebooks give them")


# Markdown: the README and the pages ---------------------------------------------------------------------------------

def flags(cell):
    "The leading `#| name: value` lines of a code cell"
    lines = re.match(r"(?:\s*#\s*\|.*(?:\n|$))*", cell.source)[0]
    return {m[1]: m[2].strip().lower() for m in re.finditer(r"#\s*\|\s*([\w-]+):?(.*)", lines)}


def markdown(nb, image, table, prose):
    "The notebook as Markdown; `image(png, name)` gives a figure's address, `table(html)` a table, `prose(text)` a cell"
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
            if o["output_type"] == "stream": out.append(fence("".join(o["text"])))
            elif "text/markdown" in data: out.append(data["text/markdown"].strip())
            elif "image/png" in data: out.append(f"![]({image(base64.b64decode(data['image/png']), f'{cell.id}-{n}.png')})")
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

    def image(png, name):
        images[IMAGES + name] = png
        return IMAGES + name

    def table(html): return pypandoc.convert_text(html, "gfm-raw_html", "html", ["--columns=1000"]).strip()

    def prose(text):
        if text.startswith("# "): text = re.sub(r"^- [\w-]+: .*\n?", "", text, flags=re.M)  # nbdev's front matter
        text = re.sub(r"^:::+.*\n?", "", text, flags=re.M)  # Quarto's divisions mean nothing to GitHub
        return relink(text, lambda link: os.path.normpath(f"nbs/{link}")).strip()

    return "<!-- Written from nbs/index.ipynb by `make export`: edit that. -->\n\n" + markdown(nb, image, table, prose), images


PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.55 system-ui, "DejaVu Sans", sans-serif; margin: 0; display: flex; color: #222 }}
nav {{ flex: 0 0 13em; padding: 2em 1.5em; background: #f6f7f8; min-height: 100vh; font-size: 14px }}
nav a {{ display: block }} nav b {{ display: block; margin-top: 1em }} a {{ color: #1a5fb4; text-decoration: none }}
main {{ padding: 1em 3em; max-width: 52em; min-width: 0 }} img, svg {{ max-width: 100% }}
pre {{ padding: .6em .9em; overflow-x: auto; font-size: 13.5px; border-left: 3px solid #ddd }}
pre.sourceCode {{ background: #f4f6f8; border-color: #9bb7d4 }} blockquote {{ color: #555; margin-left: 0; font-style: italic }}
table {{ border-collapse: collapse; font-size: 14px }} td, th {{ padding: .2em .8em; border-bottom: 1px solid #ddd }}
[class*=callout] {{ border-left: 4px solid #e5a50a; background: #fdf8ec; padding: .1em 1em }}
.kw, .cf, .im {{ color: #8f2f8f }} .st {{ color: #1f7a33 }} .co {{ color: #777 }} .dv, .fl {{ color: #a33e00 }}
</style><nav>{nav}</nav><main>{body}</main>"""


def docs():
    "The pages in _docs/, as nbdev processes them, with the sidebar of _quarto.yml: to look at without Quarto"
    import pypandoc, yaml
    from execnb.nbio import read_nb
    from nbdev.config import get_config
    from nbdev.serve import proc_nbs
    cfg = get_config()
    sidebar = yaml.safe_load((ROOT/"_quarto.yml").read_text())["website"]["sidebar"]["contents"]
    rows = [r for item in sidebar for r in ([item["section"], *item["contents"]] if isinstance(item, dict) else [item])]
    cache = proc_nbs(".", n_workers=2)
    pages = {}  # notebook: (its address, title, processed notebook)
    for row in rows:
        if not (cache/row).exists():
            if row.endswith(".ipynb"): print("not there yet:", row)
            continue
        nb = read_nb(cache/row)
        front = next((yaml.safe_load(c.source.strip().strip("-")) for c in nb.cells if c.cell_type == "raw"), {})
        name = front.get("output-file") or re.sub(r"^\d+[a-z]?_", "", Path(row).stem) + ".html"
        pages[row] = str(Path(row).with_name(name)), front, nb
    for row, (page, front, nb) in pages.items():
        here, target = Path(row).parent, cfg.doc_path/page
        target.parent.mkdir(parents=True, exist_ok=True)
        to = lambda goal: os.path.relpath(goal, here)
        nav = "".join(f'<a href="{to(pages[r][0])}">{escape(pages[r][1].get("title", Path(r).stem))}</a>' if r in pages
                      else f"<b>{r}</b>" for r in rows if r in pages or not r.endswith(".ipynb"))

        def address(link):
            path, hash_, anchor = link.partition("#")
            goal = os.path.normpath(here/path)
            return to(pages[goal][0] if goal in pages else goal if goal.endswith(".html") else ROOT/goal) + hash_ + anchor

        def prose(text): return relink(text.replace(cfg.doc_host + cfg.doc_baseurl, to("nbs")), address)

        def image(png, name): return "data:image/png;base64," + base64.b64encode(png).decode()

        head = f"# {front.get('title', '')}\n\n" + (f"> {front['description']}\n\n" if front.get("description") else "")
        text = head + prose(markdown(nb, image, lambda html: html, lambda s: s))
        body = pypandoc.convert_text(text, "html5", "markdown-implicit_figures", ["--mathml"])
        target.write_text(PAGE.format(title=escape(front.get("title", row)), nav=nav, body=body), encoding="utf-8")
    print(f"{len(pages)} pages in {cfg.doc_path}; start at {cfg.doc_path}/nbs/index.html")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run notebooks and store their outputs").add_argument("files", nargs="+")
    for name, doc in dict(check="run all notebooks, writing nothing", export="clean, modules, README",
                          insync="export, and fail if that changed anything", docs="pages in _docs/").items():
        commands.add_parser(name, help=doc)
    commands.add_parser("readme", help="print README.md")
    args = vars(parser.parse_args())
    if any(os.environ.get(k) != v for k, v in ENV.items()):  # hashes are seeded when Python starts: start again
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENV)
    command = args.pop("command")
    if command == "run": args["files"] = [os.path.abspath(f) for f in args["files"]]
    os.chdir(ROOT)
    if command == "readme": print(readme()[0], end="")
    else: globals()[command](**args)
