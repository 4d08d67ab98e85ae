"""What a Wiener density costs and how right it is, beside hddm-wfpt and PyDDM as black boxes.

Run: make bench (PEERS=/path/to/python says which Python has the others; without them nothing is written)

20,000 decisions drawn from Wiener(1, 1.5, .4, .3); CPU seconds of one thread, the least of seven repeats, in one run.
`worst_miss` is the largest difference of a log density from one with 60 digits, over the first 500 decisions (for a
start that varies: from ours, which tests/test_density.py holds to 1e-10). hddm-wfpt is asked for its logarithm, with
its default error (1e-4) and with 1e-10. PyDDM solves a model for all times at once: its cost is one solution and the
look-ups of all decisions, 1 ms apart. `ratio`: their time by ours. `python benchmarks/density.py peers FILE` is the
part that runs in their Python; it needs numpy only. Writes results/density.csv.

`python benchmarks/density.py fits [PEOPLE]` recovers a diffusion model (60 people × 200 trials, parameters drawn
evenly) and fits reinforcement learning with response times to as many: r, coverage, CPU seconds a person. With PEERS,
PyDDM fits the diffusion model to the first three people, as it does by itself (`fit_adjust_model`, on a grid of 5 ms).
Writes results/density_fits.csv (with PEOPLE: only prints).
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


def fitted_by_pyddm(path):
    "PyDDM's fit of the people in a file, as JSON: who, seconds, parameters (v, a, z, t0)."
    import pyddm
    trials, rows = np.load(path), []
    for who in np.unique(trials['who']):
        mine = trials['who'] == who
        sample = pyddm.Sample.from_numpy_array(np.c_[trials['rt'][mine], trials['choice'][mine]], [])
        value = lambda low, high: pyddm.Fittable(minval=low, maxval=high)
        model = pyddm.Model(
            drift=pyddm.DriftConstant(drift=value(-6, 6)),
            noise=pyddm.NoiseConstant(noise=1),
            bound=pyddm.BoundConstant(B=value(.2, 2)),
            IC=pyddm.ICPointRatio(x0=value(-.8, .8)),
            overlay=pyddm.OverlayNonDecision(nondectime=value(0, .8)),
            dt=.005,
            dx=.005,
            T_dur=float(trials['rt'].max()) + .1,
        )
        began = time.process_time()
        # the robust one: what it advises
        pyddm.fit_adjust_model(sample, model, lossfunction=pyddm.LossRobustLikelihood, verbose=False)
        took = time.process_time() - began
        v, b, x0, t0 = (float(x) for x in model.get_model_parameters())
        rows.append([int(who), took, [v, 2 * b, (1 + x0) / 2, t0]])
    print(json.dumps([f'PyDDM {pyddm.__version__}', rows]))


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
    return elsewhere('peers', choice=choice, rt=rt)


def elsewhere(part, **arrays):
    "What a part of this script prints in the Python of the others."
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/trials.npz'
        np.savez(path, **arrays)
        run = subprocess.run([os.environ.get('PEERS', sys.executable), __file__, part, path], capture_output=True,
                             text=True, env={**os.environ, 'PYTHONPATH': ''})
    if run.returncode: sys.exit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def fits(people=60, n_trials=200):
    "Recovery of a diffusion model, and fits of reinforcement learning with response times."
    import pandas as pd
    from spice_rl import BanditsFixed, Cell, Param, Wiener, fit, parameter_recovery, simulate_people

    class Diffusion(Cell):
        params = dict(v=Param(1, -6, 6), a=Param(1.5, .4, 4), z=Param(.5, .1, .9), t0=Param(.3, 0, .8))
        does = 'choice', 'rt'
        def response(p, state, trial): return Wiener(p.v, p.a, p.z, p.t0)

    class DiffusionQ(Cell):
        params = dict(alpha=Param(.3, 0, 1), v=Param(2, -10, 10), a=Param(1.5, .4, 4), t0=Param(.3, 0, .8))
        does, state = ('choice', 'rt'), 'q'
        def response(p, state, trial): return Wiener(p.v * (state.q[1] - state.q[0]), p.a, .5, p.t0)
        def update(p, state, trial):
            state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])

    rows, bounds = [], dict(v=(-3, 3), a=(.8, 2.5), z=(.3, .7), t0=(.1, .5))
    learner = dict(alpha=(.05, .7), v=(1, 5), a=(.8, 2.5), t0=(.1, .5))
    for cell, drawn in ((Diffusion(), bounds), (DiffusionQ(), learner)):
        name = type(cell).__name__
        made = simulate_people(cell, BanditsFixed(), people=people, n_trials=n_trials, bounds=drawn, seed=1, threads=1)
        work = lambda: fit(cell, made[0].trials, threads=1)
        work()                                                      # compiles
        began = time.process_time()
        found = work()
        took = time.process_time() - began
        summary = parameter_recovery(cell, made, threads=1).summary().droplevel(0)
        for parameter, row in summary.iterrows():
            rows.append(
                dict(
                    what=name,
                    who='spice_rl',
                    people=people,
                    cpu_s_a_person=took / people,
                    parameter=parameter,
                    r=row.r,
                    bias=row.bias,
                    coverage=row.coverage,
                )
            )
        if name == 'Diffusion' and 'PEERS' in os.environ: rows += beside(cell, made[0].trials, found, took / people)
    table = pd.DataFrame(rows)
    print(table.round(4).to_string())
    if people == 60: table.to_csv(RESULTS / 'density_fits.csv', index=False, float_format='%.4g')


def beside(cell, trials, found, ours):
    "A row for PyDDM: its time, and by how much the NLL at its parameters is above ours, at most."
    from spice_rl import nll
    few = trials.take(list(trials.participants[:3]))
    name, rows = elsewhere('fitted', who=few.participant, choice=few.choice, rt=few.columns['rt'])
    at = lambda i, x: nll(cell, dict(zip(cell.params, x)), few.take(participants=[few.participants[i]])).iloc[0]
    seconds, worse = np.mean([took for _, took, _ in rows]), max(at(i, x) - found.table.nll.iloc[i] for i, _, x in rows)
    return [dict(what='Diffusion', who=name, people=3, cpu_s_a_person=seconds, ratio=seconds / ours, nll_above=worse)]


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

    for what, z, sv, sz in [
        *((k, Z, m.get('sv', 0.), m.get('sz', 0.)) for k, m in VARIED.items()),
        (MIDDLE, .5, 0., 0.),
    ]:
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
    if theirs:
        table.to_csv(RESULTS / 'density.csv', index=False, float_format='%.4g')
    else:
        print('neither hddm-wfpt nor PyDDM is installed (PEERS=/path/to/python): results/density.csv is left as it is')


if __name__ == '__main__':
    part, *more = sys.argv[1:] or ['density']
    dict(peers=peers, fitted=fitted_by_pyddm, fits=lambda *n: fits(*map(int, n)), density=main)[part](*more)
