"""Three published models beside hBayesDM's own Stan programs: the same posterior, and how long does it take?

STAN=/path/to/python python benchmarks/beside_stan.py [ts_par7 igt_orl choiceRT_ddm]: a Python with `pip install pystan
pandas` and `pip install --no-deps hbayesdm==1.0.0`, and a C++ compiler. Ten simulated people (six in
choiceRT_ddm, whose density takes Stan long). Four posteriors and one fit:

- Stan, published: the program with its own group model (for a parameter between 0 and 1, its probit is normal between
  people; mean normal(0, 1), spread half-normal(.2); in igt_orl half-Cauchy for two of them);
- Stan, ours: the same program with the group model of `sample_posterior` in it (MODELS says which lines change);
- NUTS, ours: `sample_posterior` as it is; the same posterior as "Stan, ours";
- NUTS, near the published: with priors as close to the published ones as the arguments of `sample_posterior` allow;
- fit_hierarchical.

Writes results/beside_stan.csv, a row for each method, person and parameter (mean, sd, and mcse, the standard error of
the mean by sampling), and results/beside_stan_time.csv, a row for each method. Seconds of sampling without compiling;
CPU of all processes.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
import arviz as az
import numpy as np
import pandas as pd
from scipy import stats
from spice_rl import find_task, fit_hierarchical, sample_posterior, simulate, task_model, task_world
from spice_rl.core.params import from_line, to_line

RESULTS, CHAINS, TUNE, DRAWS = Path(__file__).parent / 'results', 2, 500, 1000
LOGIT = {'Phi_approx(': 'inv_logit('}
WIDE = {'sigma ~ normal(0, 0.2);': 'sigma ~ normal(0, 1);'}
MODELS = dict(
    ts_par7=dict(   # typical: around which simulated people differ, by sd .3 on the line; two choices a trial
        typical=dict(a1=.5, beta1=4, a2=.5, beta2=4, pi=1, w=.6, lambda_=.5), world={}, trials=200, people=10,
        replace=LOGIT | WIDE | {
            'mu_pr  ~ normal(0, 1);': 'mu_pr[{1, 3, 5, 6, 7}] ~ logistic(0, 1); mu_pr[{2, 4}] ~ normal(0, 1.5);'},
        near=dict(priors=dict(beta1=stats.lognorm(1), beta2=stats.lognorm(1)), spread=.32)),
    igt_orl=dict(
        typical=dict(Arew=.2, Apun=.1, K=.6, betaF=1, betaP=1), world=dict(n_trials=100), trials=None, people=10,
        replace=LOGIT | {   # a plus in the published program leaves the spread of K at 1, and adds sigma to its mean
            'sigma[3] + K_pr[i]': 'sigma[3] * K_pr[i]', 'sigma[4:5] ~ cauchy(0, 1.0);': '',
            'sigma[1:3] ~ normal(0, 0.2);': 'sigma ~ normal(0, 1);', 'mu_pr  ~ normal(0, 1);':
            'mu_pr[1:3] ~ logistic(0, 1); mu_pr[4] ~ normal(0.1, 1.5); mu_pr[5] ~ normal(1, 1.5);'},
        near=dict(priors=dict(betaF=stats.norm(0, 1), betaP=stats.norm(0, 1)), spread=1.)),
    choiceRT_ddm=dict(
        typical=dict(alpha=1.2, beta=.5, delta=.5, tau=.2), world=dict(n_trials=50), trials=None, people=6,
        replace=LOGIT | WIDE | {
            '(minRT[i] - RTbound) + RTbound': '1', '(mean(minRT)-RTbound) + RTbound': '1',
            'lower=RTbound, upper=max(minRT)': 'lower=0, upper=1', 'mu_pr  ~ normal(0, 1);':
            'mu_pr[1] ~ normal(log(0.5), 1.5); mu_pr[{2, 4}] ~ logistic(0, 1); mu_pr[3] ~ normal(0, 1.5);'},
        init=[dict(mu_pr=[0, 0, 0, x], sigma=[.2] * 4, alpha_pr=[0] * 6, beta_pr=[0] * 6,
                   delta_pr=[0] * 6, tau_pr=[0] * 6) for x in (-4, -3)],   # tau before the shortest answer
        near=dict(priors=dict(alpha=stats.lognorm(1), delta=stats.norm(0, 1)), spread=.2)))


def simulated(name):
    "People of a model, and their true parameters."
    cell, about = task_model(name), MODELS[name]
    params = [cell.params[n] for n in about['typical']]
    line = to_line(np.array([*about['typical'].values()], float), params)
    z = line + .3 * np.random.default_rng(1).standard_normal((about['people'], len(params)))
    truth = pd.DataFrame(from_line(z, params), columns=list(about['typical']))
    more = dict(n_trials=about['trials']) if about['trials'] else {}
    trials = simulate(cell, task_world(find_task(name).name, **about['world']), truth, seed=1, **more)
    truth.index = list(trials.participants)
    return cell, trials, truth


def for_stan(name, trials):
    "The data block of the published program."
    n = trials.n_participants
    choice = trials.choice.reshape(n, -1)
    paid = trials.reward[np.arange(trials.n_trials), trials.choice].reshape(n, -1)
    many = dict(N=n, T=choice.shape[1], Tsubj=[choice.shape[1]] * n)
    if name == 'igt_orl':
        return many | dict(choice=(choice + 1).tolist(), outcome=(paid / 100).tolist(), sign_out=np.sign(paid).tolist())
    if name == 'ts_par7':
        t = choice.shape[1] // 2
        return many | dict(T=t, Tsubj=[t] * n, trans_prob=.7, level1_choice=(choice[:, ::2] + 1).tolist(),
                           level2_choice=(choice[:, 1::2] - 1).tolist(), reward=paid[:, 1::2].astype(int).tolist())
    rt, upper = trials.columns['RT'].reshape(n, -1), choice == 1
    def padded(which):
        rows, width = [list(x[w]) for x, w in zip(rt, which)], which.sum(1).max()
        return [row + [-1.] * (width - len(row)) for row in rows]
    nu, nl = upper.sum(1), (~upper).sum(1)
    return dict(N=n, Nu_max=int(nu.max()), Nl_max=int(nl.max()), Nu=nu.tolist(), Nl=nl.tolist(), RTu=padded(upper),
                RTl=padded(~upper), minRT=rt.min(1).tolist(), RTbound=.1)


def by_stan(name, trials, cell, replace, init):
    "Draws (chain, draw, person, parameter) of the Stan program, and seconds."
    keep = {n: n.rstrip('_') for n in cell.params}
    work = dict(data=for_stan(name, trials), replace=replace, init=init, keep=list(keep.values()),
                sample=dict(num_chains=CHAINS, num_warmup=TUNE, num_samples=DRAWS))
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / 'work.json', Path(folder) / 'draws.npz'
        files[0].write_text(json.dumps(work))
        told = subprocess.run([os.environ['STAN'], Path(__file__).parent / 'stan_program.py', name, *files],
                              capture_output=True, text=True)
        if told.returncode: raise RuntimeError(f"the Stan program of {name} did not run:\n{told.stderr[-3000:]}")
        found = np.load(files[1])
        seconds = dict(wall=float(found['wall']), cpu=float(found['cpu']))
        seconds |= dict(zip(['wall_compile', 'cpu_compile'], found['build'].tolist()))
        return np.stack([found[k] for k in keep.values()], -1), seconds


def timed(work):
    "What it gives, and wall and CPU seconds."
    wall, cpu = time.perf_counter(), time.process_time()
    return work(), dict(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def by_nuts(cell, trials, **more):
    "Draws of `sample_posterior`, and seconds."
    found, seconds = timed(lambda: sample_posterior(cell, trials, draws=DRAWS, tune=TUNE, chains=CHAINS, threads=CHAINS,
                                                    pointwise=None, seed=1, **more))
    return found.posterior.theta.to_numpy(), seconds


def summary(theta, cell, trials):
    "Mean, sd and mcse of each person's parameters, and the least effective sample size and the worst R-hat."
    data = az.convert_to_dataset(dict(theta=theta))
    def table(x): return pd.DataFrame(np.asarray(x), list(trials.participants), list(cell.params)).stack()
    parts = dict(mean=table(theta.mean((0, 1))), sd=table(theta.std((0, 1))), mcse=table(az.mcse(data).theta))
    good = dict(least_ess=float(az.ess(data).theta.min()), worst_r_hat=float(az.rhat(data).theta.max()))
    return pd.DataFrame(parts), good


def compared(name):
    "A row for each method, person and parameter; and a row for each method."
    cell, trials, truth = simulated(name)
    about, first = MODELS[name], trials.take(participants=list(trials.participants[:3]))
    fit_hierarchical(cell, first, threads=1)   # compiles
    ways = {'Stan, published': lambda: by_stan(name, trials, cell, {}, None),
            'Stan, ours': lambda: by_stan(name, trials, cell, about['replace'], about.get('init')),
            'NUTS, ours': lambda: by_nuts(cell, trials),
            'NUTS, near the published': lambda: by_nuts(cell, trials, **about['near'])}
    for way, work in ways.items():
        theta, seconds = work()
        each, good = summary(theta, cell, trials)
        yield way, each.assign(truth=truth.stack()), seconds | good
    together, seconds = timed(lambda: fit_hierarchical(cell, trials, threads=1))
    yield 'fit_hierarchical', pd.DataFrame(dict(mean=together.parameters.stack(), truth=truth.stack())), seconds


def kept(file, rows, model):
    "These rows of a model, and those of other models that were there."
    before = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=['model'])
    pd.concat([before[before.model != model], rows]).to_csv(file, index=False, float_format='%.5g')


if __name__ == '__main__':
    if 'STAN' not in os.environ:
        sys.exit(print('beside_stan needs STAN=/path/to/python, a Python with PyStan and hBayesDM'))
    for name in sys.argv[1:] or MODELS:
        means, times = [], []
        for way, each, seconds in compared(name):
            each = each.rename_axis(['participant', 'parameter']).reset_index().assign(model=name, method=way)
            means.append(each[['model', 'method', *each.columns.drop(['model', 'method'])]])
            sampled = dict(chains=CHAINS, tune=TUNE, draws=DRAWS) if 'mcse' in each else {}
            times.append(dict(model=name, method=way, people=MODELS[name]['people']) | sampled | seconds)
            print(name, way, {k: round(x, 3) for k, x in seconds.items()}, flush=True)
        kept(RESULTS / 'beside_stan.csv', pd.concat(means), name)
        kept(RESULTS / 'beside_stan_time.csv', pd.DataFrame(times), name)
