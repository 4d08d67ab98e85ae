#!/usr/bin/env bash
# ArviZ 1, PSIS-LOO of a learning model, trial by trial.
#
# The first choice of a learner is a coin toss whatever the parameters are: values start equal, so its log likelihood is
# log(1/2) in every draw of the posterior. To leave it out changes nothing, so one would guess that it adds log(1/2) to
# the elpd, with a Pareto k that says that all is well. ArviZ 0.23 adds it, and reports an infinite k, with the warning
# that the model may not be robust. ArviZ 1.3 computes nothing: one such choice among any number of others, and `az.loo`
# ends in a ValueError about tail values that are the same. Whoever compares models of learning has one in each session.
# (ArviZ 1.3 needs Python 3.12: the script looks for one.)
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
for python in python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then break; fi
done
"$python" -c 'import sys; sys.exit(f"needs Python 3.12 or newer, found {sys.version}" if sys.version_info < (3, 12) else 0)'
cd "$folder"
cat > look.py <<'PY'
import sys
import warnings
from importlib.metadata import version

import arviz as az
import numpy as np

rng = np.random.default_rng(0)
alpha, beta = rng.beta(6, 14, (4, 500)), rng.normal(3, .3, (4, 500))     # four chains of what a sampler might have drawn
reward, choice = rng.random((30, 2)) < (.8, .2), rng.integers(0, 2, 30)
value, log_likelihood = np.full((4, 500, 2), .5), np.empty((4, 500, 30))
for t, k in enumerate(choice):                                          # Rescorla-Wagner and softmax
    log_likelihood[..., t] = -np.log1p(np.exp(-beta * (value[..., k] - value[..., 1 - k])))
    value[..., k] += alpha * (reward[t, k] - value[..., k])
assert np.ptp(log_likelihood[..., 0]) == 0 and (np.ptp(log_likelihood[..., 1:], axis=(0, 1)) > 0).all()
given = dict(posterior=dict(alpha=alpha, beta=beta), log_likelihood=dict(choice=log_likelihood))
new = version('arviz').startswith('1.')
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    try: found = az.loo(az.from_dict(given) if new else az.from_dict(**given), pointwise=True)
    except ValueError as error:
        print(f"arviz {version('arviz')}: ValueError: {error}")
        sys.exit(0 if new and 'tail values' in str(error) else 1)
k = np.asarray(found.pareto_k)
print(f"arviz {version('arviz')}: elpd {found.elpd_loo:.2f}, k of the first choice {k[0]}, of the others at most {k[1:].max():.2f};"
      f" warnings: {[str(w.message)[:60] for w in said]}")
sys.exit(0 if not new and np.isinf(k[0]) and k[1:].max() < .7 and any('robust' in str(w.message) for w in said) else 1)
PY
for pinned in 0.23.4 1.3.0; do
  "$python" -m venv "venv-$pinned"
  "venv-$pinned/bin/pip" install --quiet --disable-pip-version-check "arviz==$pinned"
  "venv-$pinned/bin/python" look.py
done
