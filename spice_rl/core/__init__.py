"""What everything stands on: data, the cell and its compiler, kinds of answer, the loop over trials, the look of figures."""
from .. import _lazily

__getattr__, __dir__ = _lazily(__name__)
