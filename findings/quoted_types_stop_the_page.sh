#!/usr/bin/env bash
# Where nbdev's pages meet Python's advice for libraries that are slow to import.
#
# Importing a class for a type only, behind `if TYPE_CHECKING:`, and writing the type in quotation marks is how typing's own
# documentation keeps imports light. help(), inspect and editors show such a type as it was written, and one would guess that
# nbdev's `show_doc` does, too, since it documents functions without running them. It evaluates the text instead, in the
# module, where the name does not exist, so one such argument stops the page with a NameError: the cost of the import that
# the quotation marks avoid has to be paid, or the names put into the module, before a page is made.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nbdev==2.4.14 fastcore==1.14.5 execnb==0.1.18 ghapi==1.1.1 setuptools==80.9.0
cat > quoted.py <<'PY'
"A module with a type for checkers only."
from typing import TYPE_CHECKING
if TYPE_CHECKING: from decimal import Decimal

def price(
    amount: 'Decimal', # What it costs
):
    "In words."
PY
venv/bin/python - <<'PY'
import inspect
from importlib.metadata import version

from nbdev.showdoc import show_doc
import quoted

print(f"nbdev {version('nbdev')}, fastcore {version('fastcore')}")
print("inspect shows", inspect.signature(quoted.price))
try: show_doc(quoted.price)
except NameError as error: print("show_doc:", error)
else: raise SystemExit("show_doc now shows a quoted type as it was written, or something else changed")
from decimal import Decimal
quoted.Decimal = Decimal
print("with the name in the module:", 'Decimal' in str(show_doc(quoted.price).sig))
PY
