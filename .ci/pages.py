"""The site without Quarto: build its pages and check them. `make docs` does both, tests/test_site.py too.

Quarto is pandoc and a theme. nbdev processes the notebooks, pandoc writes the pages, `_quarto.yml` gives navigation and
style sheet: what is checked here is what the published workflow hands to Quarto.

Why not `smalldocs` (0.5.4 on PyPI), which reads `_quarto.yml`? Tried in November 2026: it builds the site unchanged, in
6 CPU seconds, where ours takes 40. But half of these are nbdev's, who documents functions and links their names:
smalldocs runs no code, so from the bare notebooks it makes pages without one documented function (358 names stood on no
page), and from those of `stage` pages of other names (it does not read `output-file`), whose brand leads to an
index.html that it does not write. Formulas and fonts come from other sites, ours from none; code is torn apart by our
style sheet, which is made for pandoc's. And it checks links, as we do, but neither pictures, nor litter, nor
documentation, nor what scrolls sideways. So: pandoc here, Quarto for the public.
"""
import argparse, ast, base64, gc, importlib, inspect, json, os, re, shutil, subprocess, sys, tempfile
from functools import cache
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

sys.path.append(str(Path(__file__).parent))
from docstrings import unexplained
from notebooks import ROOT, markdown, relink, same_environment


# Building -----------------------------------------------------------------------------------------------------------

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {site}</title><meta name="description" content="{description}"><link rel="stylesheet" href="{css}"></head><body class="site">
<header><label for="menu" title="Pages">☰</label><a class="brand" href="{home}">{site}</a>{navbar}<span class="search"><input id="search"
type="search" placeholder="Search" aria-label="Search the site" data-root="{root}"><span id="found"></span></span></header>
<input type="checkbox" id="menu" aria-label="Show the pages of the site"><nav id="pages">{sidebar}</nav>
<main>{body}<footer>{near}</footer></main><aside id="toc">{toc}</aside><script src="{root}search.js"></script></body></html>"""

SEARCH = """const pages = %s
const box = document.getElementById('search'), found = document.getElementById('found')
box.oninput = () => {
  const words = box.value.toLowerCase().split(/\\s+/).filter(w => w)
  const hits = words.length ? pages.filter(p => words.every(w => (p[1] + ' ' + p[2]).toLowerCase().includes(w))) : []
  hits.sort((a, b) => b[1].toLowerCase().startsWith(words[0]) - a[1].toLowerCase().startsWith(words[0]))
  found.replaceChildren(...hits.slice(0, 12).map(([href, text, page]) => {
    const a = document.createElement('a'), em = document.createElement('em')
    a.href = box.dataset.root + href; a.textContent = text; em.textContent = page === text ? '' : page; a.append(em)
    return a
  }))
}
"""


def rows(contents, depth=0):
    "What a sidebar holds, in order: (depth, heading or None, file or None)"
    for item in contents:
        if isinstance(item, str): yield depth, None, item
        elif "section" in item:
            yield depth, item["section"], None
            yield from rows(item["contents"], depth + 1)
        else: yield depth, item["text"], item["href"]


def processed(path):
    "A notebook as Quarto gets it: processed by nbdev, without the links that nbdev puts where none can be"
    from execnb.nbio import mk_cell, read_nb
    from nbdev.config import get_config
    from nbdev.process import Processor
    from nbdev.processors import FilterDefaults, add_show_docs

    class add_methods(Processor):
        """Documentation of the methods of an exported class, behind that of the class, where nbdev has none. What is
        exported is imported, not run: that is faster"""
        def begin(self):
            methods = {
                name: own
                for cell in self.nb.cells
                if cell.cell_type == "code" and "export" in cell.directives_
                for name, own in public_methods(cell.source)
            }
            for at in reversed(range(len(self.nb.cells))):
                cell = self.nb.cells[at]
                for method in reversed(
                    methods.get(cell.source[len("show_doc(") : -1], []) if getattr(cell, "has_sd", False) else []
                ):
                    self.nb.cells.insert(
                        at + 1, mk_cell(f"show_doc({cell.source[len('show_doc(') : -1]}.{method}, title_level=4)")
                    )
            exported = [
                cell
                for cell in self.nb.cells
                if cell.cell_type == "code" and {"export", "exporti"} & cell.directives_.keys()
            ]
            for cell in exported: cell.source = ""
            module = [
                cell.directives_["default_exp"][0]
                for cell in self.nb.cells
                if cell.cell_type == "code" and "default_exp" in cell.directives_
            ]
            if module: late_types(importlib.import_module(f"{get_config().lib_name}.{module[0]}"))
            if module:
                self.nb.cells.insert(
                    1, mk_cell(f"#| hide\n#| exec_doc\nfrom {get_config().lib_name}.{module[0]} import *")
                )

    class Filter(FilterDefaults):
        def base_procs(self):
            return [
                step
                for proc in super().base_procs()
                for step in ([proc, add_methods] if proc is add_show_docs else [proc])
            ]

    nb = read_nb(path)
    Filter()(nb)
    for cell in nb.cells:
        if cell.cell_type == "markdown": cell.source = without_links(cell.source)
        for data in (o["data"] for o in cell.get("outputs", []) if "text/markdown" in o.get("data", {})):
            data["text/markdown"] = whole_sentence(said_once(with_line(without_links("".join(data["text/markdown"])))))
    # the shell of each notebook looks for garbage when Python ends: 180 times through all that is there took a minute
    gc.freeze()
    return nb


def late_types(module):
    """Give a module what it imports for its types only (`if TYPE_CHECKING:`): nbdev evaluates types that stand in
    quotation marks"""
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(node.body, []), module.__file__, "exec"), vars(module))


def with_line(text):
    "Documentation with the line of its source, which nbdev knows only of what the notebook itself defined"
    what = re.search(r"/blob/[^/\s]+/(\S+\.py)#LNone.*?^#+ ([\w.]+)", text, re.DOTALL | re.MULTILINE)
    return text.replace("#LNone", f"#L{lines(ROOT/what[1])[what[2]]}") if what else text


def said_once(text):
    """Documentation without a comment behind what a function returns that is its last argument's: of one line nbdev
    takes it for both"""
    return re.sub(r", # (.+)\n\)->(.+): # \1\n", r", # \1\n)->\2:\n", text)


def whole_sentence(text):
    """Documentation whose first sentence is in italics to its end: nbdev sets the first line so, and sentences go on
    below it"""
    def joined(m): return m[0] if "*" in m[2] else f"*{m[1]} {m[2]}*"
    return re.sub(r"^\*([^*\n]+)\*\n([^\n].*?)(?=\n\n|\Z)", joined, text, flags=re.DOTALL | re.MULTILINE)


def wrapped(text):
    ("`text` with formulas that stand side by side (`\\qquad` between them) as formulas of their own, which a narrow "
     "page sets below each other")
    def apart(m):
        parts = [part.strip() for part in m[1].split(r"\qquad")]
        if len(parts) < 2 or r"\begin" in m[1] or any(part.count("{") != part.count("}") or not part for part in parts):
            return m[0]
        return "::: equations\n\n" + "\n\n".join(f"$${part}$$" for part in parts) + "\n\n:::"
    return re.sub(r"^\$\$([^$\n]+)\$\$$", apart, text, flags=re.MULTILINE)


@cache
def lines(path):
    "The line of each function, class and method of a module"
    nodes = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if hasattr(node, "name")]
    return {node.name: node.lineno for node in nodes} | {
        f"{node.name}.{m.name}": m.lineno for node in nodes for m in node.body if hasattr(m, "name")
    }


def public_methods(code):
    "The classes that `code` defines, each with its methods that have a docstring of their own"
    if not re.search(r"^class \w", code, re.MULTILINE): return []
    return [
        (
            c.name,
            [
                m.name
                for m in c.body
                if isinstance(m, ast.FunctionDef) and m.name[0] != "_" and ast.get_docstring(m) and not m.decorator_list
            ],
        )
        for c in ast.parse(code).body
        if isinstance(c, ast.ClassDef)
    ]


def without_links(text):
    """`text` without links to private names, which have no heading, without links inside of links, and inside of
    code, where they are noise"""
    text = re.sub(r"\[\[(`[^`\n]*`)\]\([^)\s]*\)\]\(", r"[\1](", text)
    link = r"\[(`[^`\n]*`)\]\([^)\s]*%s[^)\s]*\)"
    text = re.sub(link % "#_", r"\1", text)
    return re.sub(r"^```.*?^```", lambda code: re.sub(link % "", r"\1", code[0]), text, flags=re.DOTALL | re.MULTILINE)


def content(path):
    "The front matter and the Markdown of a file, and its figures by name"
    if path.suffix == ".md": return front_of(path), re.sub(r"\A# .*\n", "", path.read_text(encoding="utf-8")), {}
    nb, figures = processed(path), {}
    front = front_of(nb)

    def image(png, name, width):
        figures[f"{path.stem}_files/{name}"] = png
        return f"![]({path.stem}_files/{name})" + (f"{{width={width}}}" if width else "")

    # as Quarto does: pandoc would read what stands in a div
    def raw(html): return f"``````{{=html}}\n{html}\n``````" if "<script" in html else html

    return front, markdown(nb, image, raw, lambda s: s), figures


def llms(fronts, page):
    """`llms.txt`: what the package is, its first calls, and each page with its address and what it is about, all of
    it taken from the pages. `fronts`: the front matter of each file; `page`: where each is written"""
    site, order = quarto()["website"], []
    for _, text, file in rows(site["sidebar"]["contents"]):
        if not file: order.append(f"\n## {text}\n")
        else:
            about = " ".join((fronts[file].get("description") or "").split())
            title = text or fronts[file].get("title", Path(file).stem)
            order.append(f"- [{title}]({site['site-url']}/{page[file]})" + (f": {about}" if about else ""))
    home = json.loads((ROOT/"nbs/index.ipynb").read_text(encoding="utf-8"))["cells"]
    what = next(
        "".join(c["source"]) for c in home if c["cell_type"] == "markdown" and not "".join(c["source"]).startswith("# ")
    )
    what = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", what.partition("\n```")[0])
    calls = [
        "".join(c["source"]) for c in home if c["cell_type"] == "code" and not "".join(c["source"]).startswith("#|")
    ]
    return "\n".join(
        [
            f"# {site['title']}\n\n> {site['description']}\n\n{what.strip()}\n\nThe first calls, as on the first page "
            f"(code: {site['repo-url']}):\n\n```python",
            *calls,
            "```\n\n## First\n",
            *order,
            "",
        ]
    )


def pages_of(fronts):
    "Where the page of each file is written, beside it"
    return {
        row: str(Path(row).with_name(front.get("output-file") or Path(row).stem + ".html"))
        for row, front in fronts.items()
    }


def stage(out):
    """Write what Quarto renders into the folder `out`, which is emptied: the processed notebooks, and what stands
    beside them"""
    from execnb.nbio import write_nb
    config = quarto()
    shutil.rmtree(out, ignore_errors=True)
    files = [row for _, _, row in rows(config["website"]["sidebar"]["contents"]) if row]
    extra = [str(p.relative_to(ROOT)) for p in (ROOT/"nbs/images").iterdir()]
    fronts = {}
    for row in [*files, *extra, "_quarto.yml", config["format"]["html"]["css"]]:
        (out/row).parent.mkdir(parents=True, exist_ok=True)
        if row.endswith(".ipynb"):
            nb = processed(ROOT/row)
            write_nb(nb, out/row)
            fronts[row] = front_of(nb)
        else:
            shutil.copy(ROOT/row, out/row)
            if row in files: fronts[row] = front_of(ROOT/row)
    (out/"llms.txt").write_text(llms(fronts, pages_of(fronts)), encoding="utf-8")
    return len(files)


def front_of(what):
    "The front matter of a processed notebook, or the title of a Markdown file"
    import yaml
    if isinstance(what, Path): return dict(title=re.match(r"# (.*)", what.read_text(encoding="utf-8"))[1])
    return next((yaml.safe_load(c.source.strip().strip("-")) for c in what.cells if c.cell_type == "raw"), {})


@cache
def quarto():
    "What `_quarto.yml` says"
    import yaml
    return yaml.safe_load((ROOT/"_quarto.yml").read_text(encoding="utf-8"))


def build(out):
    "Write the site of `_quarto.yml` into the folder `out`, which is emptied"
    import pypandoc
    from nbdev.config import get_config
    site, cfg = quarto(), get_config(path=ROOT)
    css, site = Path(site["format"]["html"]["css"]), site["website"]
    side = list(rows(site["sidebar"]["contents"]))
    shutil.rmtree(out, ignore_errors=True)
    files = {row: content(ROOT/row) for _, _, row in side if row}
    fronts = {row: front for row, (front, *_) in files.items()}
    page = pages_of(fronts)
    name = {row: text or files[row][0].get("title", Path(row).stem) for _, text, row in side if row}
    order, index = list(files), []
    for row, (front, text, figures) in files.items():
        here, target = Path(row).parent, out/page[row]
        to = lambda goal: os.path.relpath(goal, here)
        link = lambda row, text=None: f'<a href="{to(page[row])}">{escape(text or name[row])}</a>'

        def address(link):
            path, hash_, anchor = link.partition("#")
            goal = os.path.normpath(here/path)
            if (ROOT/goal).is_file() and goal not in page and Path(goal).suffix in (".png", ".svg", ".jpg"):
                (out/goal).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT/goal, out/goal)
            return (to(page[goal]) if goal in page else path) + hash_ + anchor

        for file, png in figures.items():
            (out/here/file).parent.mkdir(parents=True, exist_ok=True)
            (out/here/file).write_bytes(png)
        text = relink(text.replace(cfg.doc_host + cfg.doc_baseurl, to("nbs")), address)
        body = pypandoc.convert_text(wrapped(text), "html5", "markdown-implicit_figures", ["--mathml"])
        body = re.sub(
            r'<math display="block".*?</math>|(?<=<p>)<math(?:(?!</math>).)*</math>(?=</p>)',
            r'<span class="equation">\g<0></span>',
            body,
            flags=re.DOTALL,
        )
        # else "log a" reads "loga"
        body = re.sub(
            r"(<mi[^>]*>\w+</mi>)<mo>&#8289;</mo>",
            r'<mspace width="0.17em"></mspace>\1<mspace width="0.17em"></mspace>',
            body,
        )
        heads = [
            (int(h), i, re.sub("<.*?>", "", t))
            for h, i, t in re.findall(r'<h([23])[^>]* id="([^"]+)">(.*?)</h', body, re.DOTALL)
        ]
        index += [(page[row], name[row], name[row])] + [
            (f"{page[row]}#{i}", unescape(t), name[row]) for _, i, t in heads
        ]
        head = f'<h1>{escape(front.get("title", ""))}</h1>' + (
            f'<p class="subtitle">{escape(front["description"])}</p>' if front.get("description") else ""
        )
        k = order.index(row)
        near = "".join(
            f'<span>{arrow[0]}{link(order[n])}{arrow[1]}</span>' if 0 <= n < len(order) else "<span></span>"
            for n, arrow in ((k - 1, "← "), (k + 1, " →"))
            for arrow in [(arrow, "") if arrow[0] == "←" else ("", arrow)]
        )
        sidebar = "".join(
            f'<span class="depth{depth}{" here" if file == row else ""}">{link(file)}</span>'
            if file
            else f'<b class="depth{depth}">{escape(text)}</b>'
            for depth, text, file in side
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            PAGE.format(
                title=escape(front.get("title", row)),
                description=escape(front.get("description") or site["description"]),
                site=escape(site["title"]),
                css=to(css),
                home=to(page[order[0]]),
                root=to(".") + "/",
                sidebar=sidebar,
                body=head + body,
                near=near,
                navbar="".join(link(item["href"], item["text"]) for item in site["navbar"]["left"]),
                toc="<b>On this page</b>" + "".join(f'<a class="h{h}" href="#{i}">{t}</a>' for h, i, t in heads)
                if heads
                else "",
            ),
            encoding="utf-8",
        )
    (out/css).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT/css, out/css)
    (out/"llms.txt").write_text(llms(fronts, page), encoding="utf-8")
    (out/"search.js").write_text(SEARCH % json.dumps(index, ensure_ascii=False), encoding="utf-8")
    (out / "index.html").write_text(
        f'<!doctype html><title>{escape(site["title"])}</title><meta http-equiv="refresh" content="0; '
        f'url={page[order[0]]}">',
        encoding="utf-8",
    )
    return len(files)


# Checking -----------------------------------------------------------------------------------------------------------

class Page(HTMLParser):
    "What a page links to and shows: `anchors`, `links`, `pictures` and the `text` that a reader sees"

    def __init__(self, html):
        super().__init__()
        self.anchors, self.links, self.pictures, self.text, self.silent = {""}, [], [], "", 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id", ""))
        self.links += [attributes[k] for k in ("href",) if attributes.get(k)] + (
            [attributes["src"]] if tag == "script" and "src" in attributes else []
        )
        if tag == "img": self.pictures.append(attributes.get("src", ""))
        self.silent += tag in ("script", "style")

    def handle_endtag(self, tag): self.silent -= tag in ("script", "style")

    def handle_data(self, data): self.text += "" if self.silent else data


def read(folder):
    return {p.relative_to(folder): Page(p.read_text(encoding="utf-8")) for p in sorted(folder.rglob("*.html"))}


def missing_file(folder, page, link):
    "The file that a link goes to if it should be here and is not: in the site, or in the repository"
    site = quarto()["website"]
    repo = site["repo-url"].removeprefix("https://github.com/")
    inside = re.match(
        rf"https://(?:github|colab\.research\.google)\.com/(?:github/)?{repo}/(?:blob|tree)/([\w.-]+)/([^#?]*)", link
    )
    if inside: return None if inside[1] == site["repo-branch"] and (ROOT/unquote(inside[2])).exists() else inside[0]
    if re.match(r"[a-z]+:", link): return None
    goal = (
        os.path.normpath((folder / page).parent / unquote(link.partition("#")[0]))
        if link.partition("#")[0]
        else folder / page
    )
    return None if Path(goal).is_file() else link


def dead_links(folder):
    "Links and anchors that lead nowhere, between pages and into the repository"
    pages = read(folder)
    for name, page in pages.items():
        for link in dict.fromkeys(page.links):
            path, _, anchor = link.partition("#")
            if missing_file(folder, name, link): yield f"{name}: {link} leads nowhere"
            elif not re.match(r"[a-z]+:", link):
                goal = (
                    Path(os.path.relpath(os.path.normpath((folder / name).parent / unquote(path)), folder))
                    if path
                    else name
                )
                if goal in pages and unquote(anchor) not in pages[goal].anchors:
                    yield f"{name}: {link}: {goal} has no such heading"


def missing_pictures(folder):
    "Pictures that are not there, or are no pictures"
    magic = dict(png=b"\x89PNG", jpg=b"\xff\xd8", jpeg=b"\xff\xd8", svg=b"<")
    for name, page in read(folder).items():
        for source in page.pictures:
            if re.match("https?:", source): continue
            inline = re.match(r"data:image/(\w+)[^,]*;base64,(.*)", source, re.DOTALL)
            file = (folder/name).parent/unquote(source)
            if not source or not inline and not file.is_file(): yield f"{name}: picture {source[:80]!r} is not there"
            else:
                kind, data = (
                    (inline[1], base64.b64decode(inline[2])) if inline else (file.suffix[1:], file.read_bytes())
                )
                if not data.lstrip().startswith(magic.get(kind, b"?")):
                    yield f"{name}: {source[:80]!r} is no {kind} picture"


LITTER = {
    "an error": r"Traceback \(most recent call last\)|^\w*Error\s+Traceback",
    "a memory address": r"\b0x[0-9a-f]{6,16}\b",
    "a progress bar": r"\d+%\|[ #█▏▎▍▌▋▊▉]*\||\d+(?:\.\d+)?(?:it/s|s/it)\b",
    "an ANSI code": r"\x1b\[|\[(?:0;)?3[0-7]m",
    "raw markup": r"^:::+|^```|\]\(\.{0,2}/?[\w/]+\.(?:html|ipynb)",
}


def litter(folder):
    "Errors, memory addresses, remains of progress bars, ANSI codes and unread markup that a reader would see"
    for name, page in read(folder).items():
        for what, pattern in LITTER.items():
            if hit := re.search(pattern, page.text, re.MULTILINE):
                yield f"{name} shows {what}: …{page.text[max(hit.start() - 30, 0) : hit.end() + 50]!r}"


def undocumented(package="spice_rl"):
    """Public names without a docstring, public functions, methods and classes with an argument that their docstring
    does not explain"""
    package = importlib.import_module(package)
    for name in package.__all__:
        thing = getattr(package, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)): continue
        for called, what in [(name, thing), *(methods(thing) if inspect.isclass(thing) else [])]:
            if not inspect.getdoc(what): yield f"{thing.__module__}: {called} has no docstring"
            elif not isinstance(what, property): yield from (f"{thing.__module__}: no comment explains {p!r} of "
                                                             f"{called}" for p in unexplained(what))


def methods(thing):
    """The public methods and properties that a class defines; those that take another's docstring are left out, and
    so are the rules of an environment (e, world, …), which `Bandits` describes"""
    found = {}
    for key, value in vars(thing).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if key[0] == "_" or not inspect.isfunction(function) or function.__name__ == "<lambda>": continue
        if function.__code__.co_varnames[:2] == ("e", "world"): continue
        what = value if isinstance(value, property) else getattr(thing, key)
        if function.__doc__ or not inspect.getdoc(what): found[f"{thing.__name__}.{key}"] = what
    return found.items()


def undescribed(folder, package="spice_rl"):
    "Public functions and classes that no page documents"
    anchors = {a.lower() for page in read(folder).values() for a in page.anchors}
    package = importlib.import_module(package)
    for name in package.__all__:
        thing = getattr(package, name)
        # named tuples are described in the text
        if not (inspect.isclass(thing) or inspect.isfunction(thing)) or hasattr(thing, "_fields"): continue
        if thing.__module__.startswith(package.__name__) and name.lower() not in anchors:
            yield f"{thing.__module__}: {name} stands on no page"


MEASURE = """<!doctype html><body>%s<script>onload = () => document.body.innerHTML = [...document.querySelectorAll('iframe')].map(f => {
  const page = f.contentDocument.documentElement
  return `<p>${f.dataset.name} ${f.width} ${page.scrollWidth} ${page.clientHeight && page.scrollHeight}</p>` }).join('')</script>"""


def too_wide(folder, widths=(1280, 390), chromium=None):
    "Pages that scroll sideways at these widths, in pixels, as Chromium lays them out; None without Chromium"
    chromium = chromium or shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if not chromium: return None
    names, problems = [p.relative_to(folder) for p in sorted(folder.rglob("*.html")) if p != folder/"index.html"], []
    with tempfile.TemporaryDirectory() as tmp:
        frames = "".join(
            f'<iframe data-name="{n}" src="file://{(folder / n).resolve()}" width="{w}" height="900" '
            f'style="border:0"></iframe>'
            for n in names
            for w in widths
        )
        (Path(tmp)/"measure.html").write_text(MEASURE % frames, encoding="utf-8")
        dump = subprocess.run(
            [
                chromium,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--allow-file-access-from-files",
                f"--user-data-dir={tmp}/profile",
                "--dump-dom",
                f"file://{tmp}/measure.html",
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        ).stdout
    measured = [(n, int(w), int(s)) for n, w, s in re.findall(r"<p>(\S+) (\d+) (\d+) \d+</p>", dump)]
    if len(measured) != len(names) * len(widths):
        raise RuntimeError(f"Chromium measured {len(measured)} of {len(names) * len(widths)} pages:\n{dump[:2000]}")
    return [
        f"{name} is {wide} pixels wide in a window of {width}: it scrolls sideways"
        for name, width, wide in measured
        if wide > width
    ]


def problems(folder):
    "Everything that is wrong with the pages in `folder` and with the documentation of the package"
    found = [p for check in (dead_links, missing_pictures, litter, undescribed) for p in check(folder)] + list(
        undocumented()
    )
    return found + (too_wide(folder) or [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["make", "build", "check", "stage"], nargs="?", default="make",
                        help="build pages, check them, or both (default); stage: write what Quarto renders")
    parser.add_argument("--out", type=Path, help="folder (default: _docs; of stage: _proc)")
    args = parser.parse_args()
    same_environment()
    out = (args.out or ROOT/("_proc" if args.command == "stage" else "_docs")).resolve()
    os.chdir(ROOT)
    if args.command == "stage": sys.exit(print(f"{stage(out)} files for Quarto in {out}"))
    if args.command != "check": print(f"{build(out)} pages in {out}; start at {out}/index.html")
    if args.command != "build":
        sys.path.insert(0, str(ROOT))
        if wrong := problems(out): sys.exit("\n".join(wrong) + f"\n{len(wrong)} problems")
        print(
            "no dead link, no missing picture, no error or litter on a page, nothing undocumented, nothing that "
            "scrolls sideways"
        )
