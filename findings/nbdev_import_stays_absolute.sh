#!/usr/bin/env bash
# Imports of one's own package in a literate (nbdev) project, when they are broken over several lines.
#
# In notebooks a package imports itself by its full name, and the export turns `from package.module import …` into a relative
# import. One would guess that where the line is broken makes no difference. It does: if the last line of the statement is
# shorter than the words `from package.module`, the export leaves the full name standing. Nothing fails or warns, and all works
# until two copies of the package are on one machine: then a module of the one imports functions of the other.
#
# The same import of the same names is exported three times: on one line, broken with a long last line, and with a short one.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nbdev==2.4.14 'fastcore<2' 'execnb<0.2' 'ghapi<2' setuptools==80.9.0
venv/bin/python - <<'PY'
import json
from importlib.metadata import version
from pathlib import Path
from nbdev.export import nb_export

WAYS = {'on one line': 'from learner.signals import reward, choice, delay, effort, block, option',
        'long last line': 'from learner.signals import (\n    reward, choice,\n    delay, effort, block, option)',
        'short last line': 'from learner.signals import (\n    reward, choice, delay, effort, block,\n    option)'}


def exported(code):
    "The import as it stands in the exported module."
    def cell(source): return dict(cell_type='code', metadata={}, outputs=[], execution_count=None, source=source)
    book = dict(cells=[cell('#| default_exp models.ready'), cell(f'#| export\n{code}')], metadata={}, nbformat=4, nbformat_minor=5)
    Path('nbs').mkdir(exist_ok=True)
    Path('nbs/00_models.ipynb').write_text(json.dumps(book))
    nb_export('nbs/00_models.ipynb', lib_path='learner')
    text = Path('learner/models.py').read_text()
    return next(line for line in text.splitlines() if line.startswith('from '))


Path('settings.ini').write_text('[DEFAULT]\nlib_name = learner\nlib_path = learner\nnbs_path = nbs\nrepo = learner\nuser = me\n'
                                'author = me\nauthor_email = me@example.org\ndescription = d\nversion = 0.0.1\nmin_python = 3.9\n'
                                'license = mit\nbranch = main\ndoc_path = _docs\ncustom_sidebar = False\ncopyright = me\n'
                                'keywords = k\nlanguage = English\nstatus = 3\ndoc_host = https://example.org\n'
                                'doc_baseurl = /\ngit_url = https://example.org\ntitle = learner\ntst_flags = notest\n')
print(f"nbdev {version('nbdev')}")
seen = {way: exported(code) for way, code in WAYS.items()}
for way, line in seen.items(): print(f"  {way:16} {line}")
assert seen['on one line'].startswith('from .signals') and seen['long last line'].startswith('from .signals')
assert seen['short last line'].startswith('from learner.signals'), 'a short last line is no matter any more'
PY
