#!/usr/bin/env bash
# hddm-wfpt (the likelihood of HDDM): what its argument `err` bounds, and what it does not.
#
# `err` is the allowed error of the first-passage density. One would guess that with err=1e-14 the density is right to some
# 1e-14, whatever the parameters, or at least that some tolerance makes it so. It is right as long as the starting point is
# fixed. Where it varies between trials (sz > 0, part of the "full" model) the density is an average over starts, taken as
# it comes with an adaptive rule: neither `err` nor that rule's own tolerance, `simps_err`, changes it, and early responses,
# which decide about the non-decision time, are off by per cents. With use_adaptive=0 and many nodes (n_sz) it is right.
# The judge is the same package's density with fixed starts, averaged over 400 Gauss-Legendre points.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hddm-wfpt==0.1.7
venv/bin/python - <<'PY'
from importlib.metadata import version

import numpy as np
from wfpt import pdf_array

v, z, t0 = .8, .5, .2
time = np.array([.21])
points, weights = np.polynomial.legendre.leggauss(400)


def off(a, sz, err, **more):
    "Relative error of the density over uniform starts, judged by an average of densities with fixed starts."
    fixed = [pdf_array(time, v, 0., a, z + sz / 2 * x, 0., t0, 0., 1e-14, 0)[0] for x in points]
    return pdf_array(time, v, 0., a, z, sz, t0, 0., err, 0, **more)[0] / (weights @ fixed / 2) - 1


for a, sz in ((1.6, .8), (2., .9)):
    asked = {'err=1e-4': off(a, sz, 1e-4), 'err=1e-14': off(a, sz, 1e-14), 'simps_err=1e-12': off(a, sz, 1e-14, simps_err=1e-12),
             'use_adaptive=0, n_sz=1000': off(a, sz, 1e-14, use_adaptive=0, n_sz=1000)}
    print(f"a {a}, sz {sz}: off by", ', '.join(f'{x:+.3%} ({how})' for how, x in asked.items()))
    *adaptive, many = asked.values()
    assert all(abs(x) > .008 for x in adaptive) and np.ptp(adaptive) < 1e-3 and abs(many) < 1e-3, 'a tolerance now helps'
print(f"hddm-wfpt {version('hddm-wfpt')}")
PY
