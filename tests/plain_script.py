"""What `test_plain.py` runs twice, compiled and as plain Python: `python plain_script.py FILE` writes numbers there."""
import json, math, sys

import matplotlib
matplotlib.use("Agg")
import numpy as np

from spice_rl import (AvoidanceTask, BanditsDrift, Cell, Param, RescorlaWagner, Trials, avoidance_model,
                      demo_trials, explore, fit, gradient, hessian, nll, parameter_recovery, play, plot_recovery,
                      plot_session, refine, replay, rescorla_wagner_equation, simulate)
from spice_rl.core.jit import njit
from wide_cells import DiffusionQ, Hyperbolic, Rating


@njit
def familiar(n): return max(-5., math.log(n))      # math.log(0.) is an error in Python, and −∞ in machine code


class Careful(Cell):
    "A rule and a helper that use `math`"
    params = dict(alpha=Param(.3, 0, 1), beta=Param(2., 0, 20))
    state = "q",
    def logit(p, state, trial, option):
        return p.beta * state.q[option] + option * familiar(p.alpha) - 1e-3 / math.sqrt(p.beta)
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


def numbers(x):
    "Everything as a list of numbers"
    if isinstance(x, Trials): return numbers([x.choice, np.nan_to_num(x.reward, nan=-1.), *x.columns.values()])
    if hasattr(x, "table"): return numbers(x.table)
    if hasattr(x, "select_dtypes"): return numbers(x.select_dtypes("number").to_numpy(float))
    if isinstance(x, dict): return numbers(list(x.values()))
    if isinstance(x, list): return [n for part in x for n in numbers(part)]
    return np.asarray(x, float).ravel().tolist()


def through(cell, trials):
    "What every cell can do with trials"
    return {
        "nll": nll(cell, trials=trials),
        "gradient": gradient(cell, trials=trials),
        "hessian": hessian(cell, trials=trials),
        "replay": replay(cell, trials),
        "fit": fit(cell, trials, starts=2),
    }


def main(out):
    rng, found = np.random.default_rng(1), {}
    demo, task = demo_trials(), BanditsDrift(sigma=.2)
    few = demo.take(participants=list(demo.participants[:2]))
    found["demo"] = {"choices": [demo.choice], "html": [len(demo._repr_html_())]}
    found["RescorlaWagner"] = through(RescorlaWagner(), few) | {
        "simulate": simulate(RescorlaWagner(), task, people=2, n_trials=30, seed=3)
    }
    # equations are slow in plain Python
    equation, fewer = rescorla_wagner_equation(.3, 3), Trials.from_arrays(few.choice[:40], few.reward[:40])
    found["equation"] = through(equation, fewer) | {"refine": refine(equation, fewer).equation.values}
    model = avoidance_model("Hybrid2021+bias+novel+decay")
    lived = simulate(model, AvoidanceTask(n_learning=4, n_transfer=1), people=2, seed=1)
    found["avoidance"] = {"simulate": lived, "nll": nll(model, trials=lived), "gradient": gradient(model, trials=lived)}
    who, choice, reward = np.repeat([0, 1], 30), rng.integers(2, size=60), rng.integers(2, size=(60, 2)).astype(float)
    outcome = rng.normal(40, 10, 60)
    rated = Trials.from_arrays(
        None, None, who, does=dict(rating=outcome + rng.normal(0, 8, 60)), gets=dict(outcome=outcome)
    )
    timed = Trials.from_arrays(choice, reward, who, does=dict(rt=.2 + rng.exponential(.5, 60)))
    offered = Trials.from_arrays(
        choice, reward, who, sees=dict(amount=rng.uniform(1, 20, (60, 2)), delay=rng.uniform(0, 30, (60, 2)))
    )
    for cell, trials in ((Careful(), few), (Rating(), rated), (DiffusionQ(), timed), (Hyperbolic(), offered)):
        found[type(cell).__name__] = {"nll": nll(cell, trials=trials), "gradient": gradient(cell, trials=trials)}
    found["Careful"]["at the bound"] = nll(Careful(), dict(alpha=0.), few)
    found["Rating"] |= through(Rating(), rated)
    found["DiffusionQ"] |= {"play": list(play(DiffusionQ(), None, timed, seed=2).values())}
    recovery = parameter_recovery(RescorlaWagner(), task, people=4, n_trials=30, starts=2)
    found["recovery"] = {"table": recovery}
    plot_session(RescorlaWagner(), few.take(sessions=0)), plot_recovery(recovery)
    found["explore"] = {"trials": explore(RescorlaWagner(), task, n_trials=20).trials}
    found = {k: {what: numbers(x) for what, x in v.items()} for k, v in found.items()}
    with open(out, "w") as file:
        json.dump(found | {"_modules": sorted(m for m in ("numba", "torch") if m in sys.modules)}, file)


if __name__ == "__main__": main(sys.argv[1])
