"""From choices to equations: simulate, fit and discover models of reinforcement learning.

Every public name of every module is a name of the package, loaded on first use: `import spice_rl` costs nothing, and
`from spice_rl import Trials` imports the one module that defines it. Each folder is a layer that knows nothing of those
after it: `core`, `models`, `tasks`, `inference`, `discovery`, `output`. (Written by hand; the modules are exported.)
"""
__version__ = "0.2.0"

import ast, difflib, functools, importlib, re, sys
from importlib.machinery import ModuleSpec
from pathlib import Path

_LAYERS = "core", "models", "inference", "discovery", "output"
_TASKS = "tasks.published"  # the module of `tasks` whose names are the package's; the cells of a task stand in its own


@functools.cache
def _modules():
    "Where each module lies, by its name without the folder: `hierarchy` is `inference.hierarchy`"
    here = Path(__file__).parent
    return {path.stem: f"{layer}.{path.stem}" for layer in _LAYERS for path in sorted((here/layer).glob("[!_]*.py"))}


@functools.cache
def _owners():
    "The module of each public name, read from the modules' `__all__` without importing them"
    owners = {}
    for module in [*_modules().values(), _TASKS]:
        text = (Path(__file__).parent/f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        names = re.search(r"^__all__ = (\[.*?\])", text, re.DOTALL | re.MULTILINE)
        owners.update(dict.fromkeys(ast.literal_eval(names[1]) if names else [], module))
    return owners


def _module(path, name):
    "A module of the package, wanted for this name; networks are made of torch, which may not be there."
    try: return importlib.import_module(f"{__name__}.{path}")
    except ModuleNotFoundError as e:
        if e.name != "torch": raise
        raise ModuleNotFoundError(f"{name} needs torch: pip install torch", name="torch") from None


def _lazily(package):
    "`__getattr__` and `__dir__` of this package or of a layer: public names of its modules, and these modules"
    layer, space = package.removeprefix(__name__ + "."), vars(sys.modules[package])
    whole = package == __name__
    def owners(): return {n: m for n, m in _owners().items() if whole or m.startswith(f"{layer}.")}
    def modules(): return {n: m for n, m in _modules().items() if whole or m.startswith(f"{layer}.")}
    def folders(): return {*_LAYERS, "tasks"} if whole else set()

    def look_up(name):
        if name == "__all__": return sorted(owners())
        if name in owners():
            space[name] = getattr(_module(owners()[name], name), name)
            return space[name]
        if name in folders(): return _module(name, name)
        if name in modules(): return _module(modules()[name], name)
        if name in _owners():
            place = f"{__name__}.{_owners()[name].partition('.')[0]}"
            raise AttributeError(f"{package} has no {name!r}: it is in {place}; from {__name__} import {name}")
        near = difflib.get_close_matches(name, owners(), 1)
        raise AttributeError(f"{package} has no {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    return look_up, lambda: sorted({*space, *owners(), *modules(), *folders()})


class _WithoutFolder:
    """A module by its name without the folder, as published notebooks import it: `spice_rl.bandits` has what
    `spice_rl.models.bandits` has, and public names that have moved from there to another module."""
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        package, _, stem = name.rpartition(".")
        if package == __name__ and stem in _modules(): return ModuleSpec(name, cls())

    def create_module(self, spec): return None  # an empty one will do

    def exec_module(self, module):
        there = _module(_modules()[module.__name__.rpartition(".")[2]], module.__name__)
        module.__doc__, module.__all__ = there.__doc__, getattr(there, "__all__", [])
        module.__getattr__ = lambda name: getattr(there if hasattr(there, name) else sys.modules[__name__], name)


__getattr__, __dir__ = _lazily(__name__)
sys.meta_path.append(_WithoutFolder)
