"""Cells that nobody wrote: networks, the equations read out of them, and the search for equations itself."""
from .. import _lazily

__getattr__, __dir__ = _lazily(__name__)
