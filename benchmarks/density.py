"""What a Wiener density costs and how right it is, beside hddm-wfpt and PyDDM as black boxes.

Run: make bench (PEERS=/path/to/python says which Python has the others; without them nothing is written)

20,000 decisions drawn from Wiener(1, 1.5, .4, .3); CPU seconds of one thread, the least of seven repeats, in one run.
`worst_miss` is the largest difference of a log density from one with 60 digits, over the first 500 decisions (for a
start that varies: from ours, which tests/test_density.py holds to 1e-10). hddm-wfpt is asked for its logarithm, with
its default error (1e-4) and with 1e-10. PyDDM solves a model for all times at once: its cost is one solution and the
look-ups of all decisions, 1 ms apart. `ratio`: their time by ours. `python benchmarks/density.py peers FILE` is the
part that runs in their Python; it needs numpy only. Writes results/density.csv.
"""
import os
for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ.setdefault(name, '1')
import json, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / 'results'
VARIED = {'plain': {}, 'drift varies': dict(sv=.8), 'start varies': dict(sz=.3)}
V, A, Z, T0 = 1., 1.5, .4, .3
MIDDLE = 'plain, from the middle'


def cpu(work, repeats=7):
    "CPU seconds of `work`, the least of some repeats (the first run, which may compile, is not counted)."
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


# In the Python of the others

def of_hddm(choice, rt):
    "Rows for hddm-wfpt: what, seconds, log densities."
    try: from wfpt import pdf_array
    except ImportError: return
    from importlib.metadata import version
    signed = np.where(choice == 1, rt, -rt)
    for what, more in VARIED.items():
        for err in (1e-4, 1e-10):
            ask = lambda: pdf_array(signed, V, more.get('sv', 0.), A, Z, more.get('sz', 0.), T0, 0., err, 1)
            yield what, f"hddm-wfpt {version('hddm-wfpt')}, err={err:g}", cpu(ask), list(ask()[:500])


def of_pyddm(choice, rt):
    "Rows for PyDDM, whose bound is half of the distance and whose start is counted from the middle."
    try: import pyddm
    except ImportError: return
    model = pyddm.Model(drift=pyddm.DriftConstant(drift=V), noise=pyddm.NoiseConstant(noise=1),
                        bound=pyddm.BoundConstant(B=A / 2), IC=pyddm.ICPointSourceCenter(),
                        overlay=pyddm.OverlayNonDecision(nondectime=T0), dt=.001, T_dur=float(rt.max()) + .1)
    def ask():
        solution = model.solve_analytical()
        upper, lower, step = solution.pdf('correct'), solution.pdf('error'), solution.dt
        places = np.minimum((rt / step + .5).astype(int), len(upper) - 1)
        with np.errstate(divide='ignore'): return np.log(np.where(choice == 1, upper[places], lower[places]))
    yield MIDDLE, f"PyDDM {pyddm.__version__}, analytical, dt=.001", cpu(ask, 3), list(ask()[:500])


def peers(path):
    "Everything that is there, as JSON."
    trials = np.load(path)
    rows = [*of_hddm(trials['choice'], trials['rt']), *of_pyddm(trials['choice'], trials['rt'])]
    print(json.dumps([[what, who, seconds, [float(x) for x in logs]] for what, who, seconds, logs in rows]))


# In ours

def exact(choice, rt, sv, z=Z):
    "The log density with 60 digits."
    import mpmath as mp
    with mp.workdps(60):
        t, v, a, w, sv = (mp.mpf(float(x)) for x in (rt - T0, V, A, z, sv))
        if choice: v, w = -v, 1 - w
        u, spread = t / a**2, 1 + sv**2 * t
        early = lambda k: (w + 2*k) * mp.exp(-(w + 2*k)**2 / (2*u)) / mp.sqrt(2 * mp.pi * u**3)
        late = lambda k: mp.pi * k * mp.sin(k * mp.pi * w) * mp.exp(-(k * mp.pi)**2 * u / 2)
        s = mp.fsum(map(early, range(-9, 10)) if u < .1 else map(late, range(1, 40)))
        return float(mp.log(s / a**2 / mp.sqrt(spread)) + (sv**2 * a**2 * w**2 - 2*v*a*w - v*v*t) / (2 * spread))


def asked(choice, rt):
    "Rows of the others, by the Python that has them."
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/trials.npz'
        np.savez(path, choice=choice, rt=rt)
        run = subprocess.run([os.environ.get('PEERS', sys.executable), __file__, 'peers', path], capture_output=True,
                             text=True, env={**os.environ, 'PYTHONPATH': ''})
    if run.returncode: sys.exit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def main():
    import pandas as pd
    from numba import njit
    from spice_rl import Wiener, draw_answer, log_density
    choice, rt = draw_answer(Wiener(V, A, Z, T0), 1, n=20_000)
    out, ours, truth, rows = np.empty(len(rt)), {}, {}, []

    @njit(error_model='numpy', nogil=True)
    def each(answer, choice, rt, out):
        for i in range(len(rt)): out[i] = log_density(answer, choice[i], rt[i])

    def add(what, who, seconds, logs=np.nan):
        miss = abs(np.array(logs) - truth[what]).max() if what in truth else np.nan
        rows.append(dict(what=what, who=who, ns_a_density=1e9 * seconds / len(rt), worst_miss=miss))

    for what, z, sv, sz in [*((k, Z, m.get('sv', 0.), m.get('sz', 0.)) for k, m in VARIED.items()), (MIDDLE, .5, 0., 0.)]:
        answer = Wiener(V, A, z, T0, sv, sz)
        ours[what] = cpu(lambda: each(answer, choice, rt, out))
        if sz == 0: truth[what] = np.array([exact(c, t, sv, z) for c, t in zip(choice[:500], rt[:500])])
        add(what, 'spice_rl', ours[what], out[:500])
        truth.setdefault(what, out[:500].copy())
    add('a draw', 'spice_rl', cpu(lambda: draw_answer(Wiener(V, A, Z, T0), 1, n=len(rt))))
    theirs = asked(choice, rt)
    for row in theirs: add(*row)
    table = pd.DataFrame(rows)
    table['ratio'] = table.ns_a_density / (table.what.map(ours) * 1e9 / len(rt))
    print(table.to_string())
    if theirs: table.to_csv(RESULTS / 'density.csv', index=False, float_format='%.4g')
    else: print('neither hddm-wfpt nor PyDDM is installed (PEERS=/path/to/python): results/density.csv is left as it is')


if __name__ == '__main__': peers(sys.argv[2]) if sys.argv[1:2] == ['peers'] else main()
