#!/usr/bin/env bash
# ssm-simulators, time limit of a simulated decision (`max_t`).
#
# A decision that has reached no boundary when the time is over has no outcome. The package has a sentinel for omitted
# answers (-999), so one would guess that such trials carry it, or no choice. They come back as ordinary trials: a response
# time of the limit plus the non-decision time, so more than the limit itself, all equal up to the size of a step, and
# one of the two choices. A likelihood takes them for fast-enough answers of that side; only the pile at one time tells.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ssm-simulators==0.12.5
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
import ssms
from ssms.basic_simulators.simulator import simulator

limit, non_decision = 2., .2
made = simulator(theta=dict(v=0., a=3., z=.5, t=non_decision), model='ddm', n_samples=2000, max_t=limit, random_state=1)
times, choices = made['rts'].ravel(), made['choices'].ravel()
late = abs(times - limit - non_decision) < 1e-3  # the pile: within one step of each other
print(f"ssm-simulators {version('ssm-simulators')}, max_t = {limit:g}, t = {non_decision:g}")
print(f"{late.sum()} of {len(times)} response times are {times[late].min():.3f} to {times[late].max():.3f}, the largest of all {times.max():.3f}")
print(f"omitted (= {ssms.OMISSION_SENTINEL:g}): {(times == ssms.OMISSION_SENTINEL).sum()}; choices of the late ones: {np.unique(choices[late])}")
assert late.mean() > .9 and times.max() == times[late].max() > limit
assert not (times == ssms.OMISSION_SENTINEL).any() and set(np.unique(choices[late])) <= {-1, 1}
PY
