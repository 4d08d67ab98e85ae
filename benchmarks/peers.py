"""Other packages on the golden data set, as black boxes. Run by benchmarks/hierarchy.py, in any Python that has them:
python peers.py q2_50x200.csv. Needs numpy and pandas only; prints a CSV table, a row for each package, or what was not
there.

cpm-toolbox (PyPI: cpm-toolbox) fits its own model RLRW, the same learner (Q0 = .5, softmax), hierarchically by
EmpiricalBayes: truncated normal groups of alpha and beta themselves, not on the line, so its means, variances and
evidence are those of another model of the group. pyEM and cbm are not on PyPI: what is called pyem and cbm there are
other things (virtual environments, farm subsidies), so a package counts only if its fitting function is there.
"""
import importlib
import os
import sys
import time

for threads in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ.setdefault(threads, '1')
import numpy as np
import pandas as pd

PEERS = {
    'pyEM': ('pyem.fitting', 'EMfit'),
    'cbm': ('cbm.hbi', 'hbi_main'),
    'cpm-toolbox': ('cpm.hierarchical', 'EmpiricalBayes'),
}


def there(module, function):
    "Whether the package with this function can be imported."
    try: return hasattr(importlib.import_module(module), function)
    except ImportError: return False


def cpm(data):
    "One chain of cpm's EmpiricalBayes, from two starts a person."
    from cpm import __version__
    from cpm.applications.reinforcement_learning import RLRW
    from cpm.hierarchical import EmpiricalBayes
    from cpm.optimisation import FminBound, minimise
    np.random.seed(0)
    table = (
        data.rename(columns={'participant': 'ppt', 'choice': 'response'})
        .assign(
            arm_0=0, arm_1=1, reward_0=lambda t: t.reward, reward_1=lambda t: t.reward, observed=lambda t: t.response
        )
        .drop(columns=['reward', 'trial'], errors='ignore')
    )
    model = RLRW(data=table[table.ppt == table.ppt.iloc[0]], dimensions=2, parameters_settings=[[.5, 0, 1], [5, 0, 20]])
    optimiser = FminBound(
        model=model,
        data=table.groupby('ppt'),
        initial_guess=None,
        number_of_starts=2,
        minimisation=minimise.LogLikelihood.bernoulli,
        parallel=False,
        prior=True,
        ppt_identifier='ppt',
        display=False,
        maxiter=200,
        approx_grad=True,
    )
    em = EmpiricalBayes(optimiser=optimiser, iteration=30, tolerance=1e-3, chain=1, quiet=True)
    start = time.process_time()
    em.optimise()
    seconds = time.process_time() - start
    last = em.hyperparameters.query('iteration == iteration.max()').set_index('parameter')
    return dict(
        cpu_s=seconds,
        mean_alpha=last['mean']['alpha'],
        mean_beta=last['mean']['temperature'],
        variance_alpha=last['sd']['alpha'] ** 2,
        variance_beta=last['sd']['temperature'] ** 2,
        log_likelihood=last.lme.iloc[0],
        note=f"{__version__}, EmpiricalBayes: alpha and beta themselves are (truncated) normal, not their logits; "
             f"{int(last.iteration.iloc[0])} iterations",
    )


def main(path):
    data, rows = pd.read_csv(path), []
    for name, (module, function) in PEERS.items():
        if not there(module, function): rows.append(dict(what=name, note=f'not there: no {module}.{function}'))
        elif name == 'cpm-toolbox': rows.append(dict(what=name, **cpm(data)))
        else: rows.append(dict(what=name, note='there, but nobody has run it yet'))
    pd.DataFrame(
        rows,
        columns=[
            'what',
            'cpu_s',
            'mean_alpha',
            'mean_beta',
            'variance_alpha',
            'variance_beta',
            'log_likelihood',
            'note',
        ],
    ).to_csv(sys.stdout, index=False)


if __name__ == '__main__': main(sys.argv[1])
