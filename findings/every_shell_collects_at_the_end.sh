#!/usr/bin/env bash
# Where nbdev's pages, execnb's shells and Python's exit meet.
#
# nbdev makes pages in one process, with a new execnb shell for each notebook that documents something. One would guess that
# a shell that nobody holds any more is gone, or that leaving Python costs the same whatever was run before. But each shell
# registers its clean-up for the end of Python, and that is IPython's reset, with a full search for garbage: as many
# searches as there were notebooks, each through all that was ever imported. The 180 notebooks of a project that imports
# torch spent 70 CPU seconds so, after the last page was written, where the pages themselves took 35; `gc.freeze()` before
# the end takes them away, since there is nothing left to search.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check execnb==0.1.18 ipython==9.18.1 fastcore==1.14.5
cat > shells.py <<'PY'
"How many full searches for garbage do 20 shells, used and let go, leave for the end of Python?"
import atexit, gc, sys
searches = 0
atexit.register(lambda: print(searches))                      # registered first, so it is done last

from execnb.shell import CaptureShell
for _ in range(20): CaptureShell().run('1 + 1')
gc.collect()                                                  # what can go has gone
there = len(gc.get_objects())
if 'frozen' in sys.argv: gc.freeze()

def count(phase, info):
    global searches
    searches += phase == 'start' and info['generation'] == 2 and len(gc.get_objects()) > there // 2
gc.callbacks.append(count)
PY
export IPYTHONDIR="$folder/ipython"
venv/bin/python - <<'PY'
import subprocess, sys
from importlib.metadata import version

def searches(*words):
    "Full searches through most of what was there when the last shell was done."
    done = subprocess.run([sys.executable, 'shells.py', *words], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])

print(f"execnb {version('execnb')}, IPython {version('ipython')}, Python {sys.version.split()[0]}")
left, frozen = searches(), searches('frozen')
print(f"20 shells that nobody holds: {left} full searches at the end of Python, {frozen} after gc.freeze()")
if left < 20 or frozen: raise SystemExit("shells no longer search for garbage at the end of Python, or something else changed")
PY
