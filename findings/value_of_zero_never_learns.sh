#!/usr/bin/env bash
# cpm-toolbox, QLearningRule: how far a value moves depends on the value itself.
#
# Its page gives Watkins' rule, a change of alpha times the prediction error. One would guess that a value of 0 (where
# learners usually start) moves by alpha x reward, as every other value moves by alpha x its own error. A value above 0
# does. A value of exactly 0 never moves, whatever is paid, and a value below 0 moves away from the reward: the change is
# scaled by 1 for values above 0, and by the value itself for all others. So a learner that starts at 0 learns nothing, and
# one whose outcomes can be losses is driven further down by what it wins. Its other rules (delta rule) do not do this.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cpm-toolbox==0.26.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from cpm.models.learning import QLearningRule

alpha, reward = .5, 1.
start = np.array([.5, .001, 0., -.5])
moved = QLearningRule(alpha=alpha, gamma=0., values=start, reward=reward, maximum=0.).compute() - start
rule = alpha * (reward - start)
print(f"cpm-toolbox {version('cpm-toolbox')}, alpha = {alpha}, reward = {reward}")
for value, change, expected in zip(start, moved, rule):
    print(f"value {value:6.3f}: moves by {change:7.4f}, the rule says {expected:.4f}")
np.testing.assert_allclose(moved[:2], rule[:2])
assert moved[2] == 0 and moved[3] < 0
np.testing.assert_allclose(moved[3], rule[3] * start[3])
PY
