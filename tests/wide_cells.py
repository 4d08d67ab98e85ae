"""Cells with columns of their own that several test files and scripts share, so that their loops are compiled once.
Without torch."""
from spice_rl.core.cell import Cell
from spice_rl.core.density import Normal, Wiener
from spice_rl.core.params import Param


class Hyperbolic(Cell):
    "Delay discounting (Mazur, 1987): nothing is learned, so there is no state, `init` or `update`"
    params = dict(k=Param(.05, 0, 1), beta=Param(1, 0, 10))
    sees = "amount", "delay"
    def logit(p, state, trial, option): return p.beta * trial.amount[option] / (1 + p.k * trial.delay[option])


class Rating(Cell):
    "Predict a number, see the outcome, move toward it"
    params = dict(alpha=Param(.3, 0, 1), sd=Param(8, .5, 40))
    does, gets, state = "rating", "outcome", dict(mean=1)
    def init(p, state): state.mean[0] = 50
    def response(p, state, trial): return Normal(state.mean[0], p.sd)
    def update(p, state, trial): state.mean[0] += p.alpha * (trial.outcome - state.mean[0])


class DiffusionQ(Cell):
    "Reinforcement learning with response times (Pedersen, Frank & Biele, 2017)"
    params = dict(alpha=Param(.3, 0, 1), v=Param(2, -10, 10), a=Param(1.5, .3, 6), t0=Param(.2, 0, 1))
    does, state = ("choice", "rt"), "q"
    def init(p, state): state.q[:] = .5
    def response(p, state, trial):
        return Wiener(p.v * (state.q[trial.options[1]] - state.q[trial.options[0]]), p.a, .5, p.t0)
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])
