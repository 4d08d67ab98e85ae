#!/usr/bin/env bash
# The spread of one parameter in the ORL model of the Iowa gambling task, as hBayesDM's Stan program has it.
#
# In a non-centred hierarchical program each person's parameter is mean + spread × a standard normal deviate. One would guess
# that for all five parameters of igt_orl (Haines, Vassileva & Ahn, 2018), and it is so for four. For the forgetting rate K the
# spread is added, not multiplied: however small or large sigma[3] is, people differ by a standard deviation of 1 on the line,
# and sigma[3] and mu_pr[3] shift everybody alike, so that data tell only their sum. K of people is hardly shrunk together, and
# mu_K as reported leaves the shift out. Nothing fails or warns.
#
# The program's own lines are taken from the installed package and evaluated with numbers, for two spreads.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.2.6
venv/bin/pip install --quiet --disable-pip-version-check --no-deps hbayesdm==1.0.0
venv/bin/python - <<'PY'
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

program = (Path(find_spec('hbayesdm').origin).parent / 'common' / 'stan_files' / 'igt_orl.stan').read_text()
deviates = np.random.default_rng(1).standard_normal(100_000)


def sd_on_the_line(name, spread):
    "Standard deviation between people of what stands inside the link, as the program computes it for this parameter."
    inside = re.search(rf'^\s*{name}(?:\[i\])?\s*=\s*(.*?);', program, flags=re.MULTILINE)[1]
    inside = re.sub(r'^Phi_approx\s*\((.*)\)\s*(?:\*\s*5)?$', r'\1', inside)
    inside = re.sub(r'mu_pr\[\d\]', '0.', inside)
    inside = re.sub(r'sigma\[\d\]', f'{spread}', inside)
    inside = re.sub(rf'{name}_pr(?:\[i\])?', 'deviates', inside)
    return float(np.std(eval(inside, {'deviates': deviates})))


print(f"hbayesdm {version('hbayesdm')}, igt_orl: sd between people on the line")
seen = {name: [round(sd_on_the_line(name, spread), 2) for spread in (.2, 2.)] for name in ('Arew', 'Apun', 'K', 'betaF', 'betaP')}
for name, (narrow, wide) in seen.items(): print(f"  {name:6} spread .2: {narrow:.2f}   spread 2: {wide:.2f}")
assert seen.pop('K') == [1., 1.], "the spread of K is a spread now, or something else changed"
assert all(abs(narrow - .2) < .01 and abs(wide - 2.) < .02 for narrow, wide in seen.values()), 'another parameter changed'
PY
