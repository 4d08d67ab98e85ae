"""Cells that are ready to fit: bandits and the eight models of avoidance learning, and the worlds that they act in."""
from .. import _lazily

__getattr__, __dir__ = _lazily(__name__)
