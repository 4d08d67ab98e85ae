"""What people read: figures, reports, checks, the page, the command line."""
from .. import _lazily

__getattr__, __dir__ = _lazily(__name__)
