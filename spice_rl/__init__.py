"""From choices to equations: simulate, fit and discover models of reinforcement learning.

Every public name of every module is a name of the package, loaded on first use: `import spice_rl` costs nothing, and
`from spice_rl import Trials` imports the one module that defines it. (Written by hand; the modules are exported.)
"""
__version__ = "0.2.0"

import ast, difflib, functools, importlib, re
from pathlib import Path

_TASKS = "tasks.published"  # the module of `tasks` whose names are the package's; the cells of a task stand in its own


@functools.cache
def _owners():
    "The module of each public name, read from the modules' `__all__` without importing them"
    owners = {}
    here = Path(__file__).parent
    modules = {path.stem: path for path in sorted(here.glob("[!_]*.py"))} | {_TASKS: here/"tasks/published.py"}
    for module, path in modules.items():
        names = re.search(r"^__all__ = (\[.*?\])", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        owners.update(dict.fromkeys(ast.literal_eval(names[1]) if names else [], module))
    return owners


def _module(stem, name):
    "A module of the package, wanted for this name; networks are made of torch, which may not be there."
    try: return importlib.import_module(f"{__name__}.{stem}")
    except ModuleNotFoundError as e:
        if e.name != "torch": raise
        raise ModuleNotFoundError(f"{name} needs torch: pip install torch", name="torch") from None


def __getattr__(name):
    if name == "__all__": return sorted(_owners())
    if name in _owners():
        value = globals()[name] = getattr(_module(_owners()[name], name), name)
        return value
    if name in {*_owners().values(), "tasks"}: return _module(name, name)
    near = difflib.get_close_matches(name, _owners(), 1)
    raise AttributeError(f"spice_rl has no {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def __dir__(): return sorted({*globals(), *_owners(), *_owners().values(), "tasks"} - {_TASKS})
