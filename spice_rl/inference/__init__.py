"""Loops around a cell: fit it, alone or in a hierarchy, compare, recover, plan, check, draw its posterior."""
from .. import _lazily

__getattr__, __dir__ = _lazily(__name__)
