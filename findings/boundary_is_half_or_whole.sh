#!/usr/bin/env bash
# Where two packages of one family meet: the drift diffusion model's `a`.
#
# hddm-wfpt (the likelihood of HDDM) and ssm-simulators (the simulators of HDDM and HSSM) both call a parameter `a`, the
# boundary, beside `v`, `z` and `t`. One would guess that trials simulated with a = 1 are most likely under a = 1. They are
# most likely under a = 2: for the simulator `a` is the distance from the middle to a boundary, for the density the
# distance between the two boundaries. The mean response time shows which is which: without drift it is a²/4 for a whole
# separation a, and a² for half of it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ssm-simulators==0.12.5 hddm-wfpt==0.1.7
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from ssms.basic_simulators.simulator import simulator
from wfpt import pdf_array

made = simulator(theta=dict(v=0., a=1., z=.5, t=0.), model='ddm', n_samples=20_000, random_state=1)
times, choices = made['rts'].ravel().astype(float), made['choices'].ravel()
mean = times.mean()
grid = np.round(np.arange(.6, 3.01, .05), 2)
signed = np.where(choices > 0, times, -times)  # the density takes the lower boundary's times as negative
fit = [pdf_array(signed, 0., 0., a, .5, 0., 0., 0., 1e-10, 1).sum() for a in grid]
best = grid[int(np.argmax(fit))]
print(f"ssm-simulators {version('ssm-simulators')}, hddm-wfpt {version('hddm-wfpt')}")
print(f"simulated with a = 1: mean response time {mean:.2f} (a whole separation of 1 gives .25, half of one 1.00)")
print(f"most likely a under the density: {best:.2f}")
assert abs(mean - 1) < .08 and abs(best - 2) < .11, 'the two packages now mean the same by a, or something else changed'
PY
