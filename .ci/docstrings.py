"""Docstrings of the exported modules: each argument explained, in numpydoc form, from the comment that stands beside
it.

In a notebook an argument is explained once, by its comment (`trials, # What people did`). nbdev's pages read such
comments; `help()`, `?` and editors do not. So `make export` writes them into the docstrings of `spice_rl/*.py`, under
"Parameters" and "Returns"; `plain` takes them out again, for `notebooks.py update`.
"""
import ast, inspect, io, re, textwrap, tokenize

WIDTH = 100  # of a line that is written
SECTIONS = re.compile(r"\n\n(?:Parameters\n----------|Returns\n-------)\n.*", re.DOTALL)


def documented(source):
    "The module `source`, each public docstring with the arguments that comments explain"
    comments = found_comments(source)
    def text(node): return "\n\n".join([said(node), *sections(node, comments)])
    return rewritten(source, text)


def plain(source):
    "The module `source` without what `documented` wrote into it"
    return rewritten(source, said)


def said(node):
    "The docstring of a function or class, as somebody wrote it"
    return SECTIONS.sub("", ast.get_docstring(node))


def found_comments(source):
    "The comments of a module by line: (column, text, does it stand alone?)"
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: (t.start[1], t.string.lstrip("#").strip(), not t.line[:t.start[1]].strip())
            for t in tokens if t.type == tokenize.COMMENT}


def public(tree):
    "The public functions and classes of a module and the public methods of these classes, if they have a docstring"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (m for m in node.body if isinstance(m, ast.FunctionDef) and m.name[0] != "_")


def rewritten(source, text):
    "The module `source` with the docstring `text(node)` for each public name; nothing else in it can change"
    tree, lines = ast.parse(source), source.encode().splitlines(keepends=True)  # columns of `ast` count bytes
    for node in sorted(public(tree), key=lambda node: node.body[0].lineno, reverse=True):
        if ast.get_docstring(node) is None or (new := text(node)) == ast.get_docstring(node): continue
        old = node.body[0].value
        indent = " " * old.col_offset if old.lineno > node.lineno else " " * (node.col_offset + 4)
        first, last = lines[old.lineno - 1][:old.col_offset], lines[old.end_lineno - 1][old.end_col_offset:]
        alone = (
            not lines[old.end_lineno - 1][: old.end_col_offset].decode().strip("\"' ") or old.lineno == old.end_lineno
        )
        lines[old.lineno - 1:old.end_lineno] = [first + literal(new, indent, alone).encode() + last]
    new = b"".join(lines).decode()
    if bare(new) != bare(source): raise AssertionError("writing docstrings changed more than docstrings")
    return new


def bare(source):
    "The code of a module without the docstrings of its public names"
    tree = ast.parse(source)
    for node in public(tree):
        if ast.get_docstring(node) is not None: node.body[0].value = ast.Constant("")
    return ast.dump(tree)


def literal(text, indent, alone):
    "Source that gives the docstring `text`; do the last quotation marks of several lines stand alone?"
    raw, lines, below = "r" * ("\\" in text), textwrap.indent(text, indent).strip(), f"\n{indent}"
    ends = ["\""] if "\n" not in text else [below + '"""', '"""'] if alone else ['"""', below + '"""']
    for end in ends:
        source = raw + end.strip() + lines + end
        try:
            if inspect.cleandoc(ast.literal_eval(source)) == text: return source
        except SyntaxError: continue
    raise ValueError(
        f"no literal gives the docstring {text!r}: it has quotation marks where they cannot stand, or a backslash at "
        f"its end"
    )


# What comments say --------------------------------------------------------------------------------------------------

def sections(node, comments):
    "What stands under the docstring of a function or class: its arguments, and what it returns"
    maker = node
    if isinstance(node, ast.ClassDef):
        maker = next((m for m in node.body if getattr(m, "name", "") == "__init__"), None)
    given = arguments(maker) if maker else fields(node)
    told = [entry(*one) for one in explained(given, comments) if one[2]]
    parts = ["Parameters\n----------\n" + "\n".join(told)] if told else []
    if maker is node and (what := returned(node, given, comments)):
        parts.append(
            "Returns\n-------\n" + (entry(written(node.returns), "", what) if node.returns else wrapped(what, ""))
        )
    return parts


def fields(node):
    "The fields of a dataclass or a named tuple, as `arguments` has them"
    marks = [ast.unparse(mark) for mark in [*node.decorator_list, *node.bases]]
    if not any(re.match(r"(?:\w+\.)?(?:dataclass|NamedTuple)\b", mark) for mark in marks): return []
    found = [f for f in node.body if isinstance(f, ast.AnnAssign) and "ClassVar" not in ast.unparse(f.annotation)]
    return [(f.target.id, f.annotation, f.lineno, f.end_lineno) for f in found]


def arguments(node):
    "The arguments of a function in order, but for `self`: (name as it is called, annotation, first line, last line)"
    given = node.args
    first = [*given.posonlyargs, *given.args]
    place = lambda star, a, default=None: (star + a.arg, a.annotation, a.lineno, (default or a).end_lineno)
    defaults = [None] * (len(first) - len(given.defaults)) + given.defaults
    named = [place("", a, default) for a, default in zip(first, defaults)]
    if first and first[0].arg in ("self", "cls"): del named[0]
    if given.vararg: named.append(place("*", given.vararg))
    named += [place("", a, default) for a, default in zip(given.kwonlyargs, given.kw_defaults)]
    return named + ([place("**", given.kwarg)] if given.kwarg else [])


def explained(given, comments):
    "The arguments with the comment that explains them: (names, type, comment); those that end in one line share it"
    lines = {}
    for name, annotation, first, last in given: lines.setdefault(last, []).append((name, annotation, first))
    for last, there in lines.items():
        kinds = {written(annotation) for _, annotation, _ in there if annotation}
        told = comment(last, comments) or comment(there[0][2], comments)
        yield ", ".join(name for name, *_ in there), kinds.pop() if len(kinds) == 1 else "", told


def comment(line, comments):
    "The comment that ends this line with those below it that go on in its column; or else those that stand above it"
    if line in comments and not comments[line][2]: return " ".join([comments[line][1], *going_on(line, comments)])
    above = []
    while (line := line - 1) in comments and comments[line][2] and not continues(line, comments):
        above.insert(0, comments[line][1])
    return " ".join(above)


def going_on(line, comments):
    "The comments below that of this line, in its column"
    while continues(line := line + 1, comments): yield comments[line][1]


def continues(line, comments):
    "Does the comment of this line go on with the one above it?"
    return (
        line in comments
        and comments[line][2]
        and line - 1 in comments
        and comments[line][0] == comments[line - 1][0]
        and (not comments[line - 1][2] or continues(line - 1, comments))
    )


def returned(node, given, comments):
    "The comment that ends a line of a signature behind all arguments"
    last = max([node.lineno - 1, *(last for *_, last in given)])
    line = next((n for n in range(last + 1, node.body[0].lineno) if n in comments and not comments[n][2]), None)
    return comment(line, comments) if line else ""


def written(annotation):
    "A type as readers see it: one that stands in quotation marks, because its library is loaded late, without them"
    return (
        annotation.value
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
        else ast.unparse(annotation)
    )


def entry(names, kind, what): return f"{names} : {kind}\n{wrapped(what)}" if kind else f"{names}\n{wrapped(what)}"


def wrapped(text, indent="    "):
    return textwrap.fill(
        text, WIDTH - 8, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


# What readers find --------------------------------------------------------------------------------------------------

def unexplained(thing):
    "The arguments of a function, method or class that its docstring does not explain"
    if inspect.isclass(thing):
        maker = next(c for c in thing.__mro__ if "__init__" in vars(c) or "__new__" in vars(c))
        if maker.__module__ == "builtins": return []
        # a dataclass has its base's fields
        docs = [inspect.cleandoc(c.__doc__ or "") for c in thing.__mro__ if c.__module__ != "builtins"]
        given, told = list(inspect.signature(maker).parameters), set(re.findall(r"`(\w+)`", "\n".join(docs)))
    else:
        docs, told = [inspect.getdoc(thing) or ""], set()
        given = [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]
    for doc in docs:
        section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n|\Z)", doc, re.DOTALL | re.MULTILINE)
        for line in re.findall(r"^(\S.*)$", section[1] if section else "", re.MULTILINE):
            told |= set(re.findall(r"\w+", line.partition(" : ")[0]))
    return [name for name in given if name not in told]
