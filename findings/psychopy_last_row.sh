#!/usr/bin/env bash
# PsychoPy's wide CSV: the last row may belong to nobody, and a key that was not pressed is the word None.
#
# One would guess: what is known of the session (participant, session: extraInfo) stands in every row, and a trial in which
# no key was pressed has an empty cell for the key, as it has for the response time.
# What happens: data that is added after the last nextEntry() (a goodbye screen, as Builder writes it) becomes a last row
# in which participant and session are empty; a program that forward-fills or drops by participant treats it differently
# from all others. A key of None (what a keyboard component reports) is the four letters "None", while the response time of
# the same trial is an empty cell: "None" is not missing for a reader that knows empty cells only, and it is for pandas, so that
# a go/no-go task loses its no-go answers. Header and rows end with a separator, so there is a last column without a name.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT; cd "$here"
python3 -m venv v >/dev/null
v/bin/pip install -q --no-deps psychopy==2026.2.5 2>/dev/null
# of its 60 requirements those that its writer imports
v/bin/pip install -q --disable-pip-version-check numpy==2.4.6 pandas==3.1.1 packaging==26.4 json_tricks==3.17.3 msgpack==1.2.4 six==1.17.0 requests==2.34.2 \
    pyyaml==6.0.4 i18next==0.0.3 arabic_reshaper==3.1.0 python-bidi==0.6.12 2>/dev/null
cat >write.py <<'PY'
from psychopy import data
exp = data.ExperimentHandler(name='bandit', extraInfo={'participant': '01'}, savePickle=False, saveWideText=False)
loop = data.TrialHandler([{'card': 'A'}], nReps=2, method='sequential', name='trials')
exp.addLoop(loop)
for key, trial in zip(['left', None], loop):
    loop.addData('key_resp.keys', key)
    if key is not None: loop.addData('key_resp.rt', .5)
    exp.nextEntry()
exp.addData('goodbye.rt', 1.5)
exp.saveAsWideText('wide.csv')
PY
HOME=$here v/bin/python write.py >log.txt 2>&1 || { tail -3 log.txt; exit 1; }
echo "PsychoPy $(v/bin/pip show psychopy 2>/dev/null | sed -n 's/^Version: //p')"
cat wide.csv
v/bin/python - <<'PY'
import csv
with open('wide.csv', encoding='utf-8-sig', newline='') as f: header, *rows = list(csv.reader(f))
who, key, rt = (header.index(n) for n in ('participant', 'key_resp.keys', 'key_resp.rt'))
seen = dict(people=[r[who] for r in rows], keys=[r[key] for r in rows], times=[r[rt] for r in rows], last=header[-1])
expected = dict(people=['01', '01', ''], keys=['left', 'None', ''], times=['0.5', '', ''], last='')
print(seen)
if seen != expected: raise SystemExit('PsychoPy writes something else now')
PY
echo 'the last row has no participant; no key is "None", its time is empty; the last column has no name'
