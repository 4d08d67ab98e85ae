"""Published models of tasks: golden numbers of the real programs, a plain likelihood of each (`reference_tasks.py`),
their tables, and bad input.

A new task is three entries here: its models in PARAMETERS (name low start high), one model of each form of rules in
COMPILED, and what is special about drawing its parameters in NARROW; its plain likelihoods stand in
`reference_tasks.py`, its example in `spice_rl/datasets/tasks`. What speaks of all models runs their rules as plain
Python (`by_hand`): compiling one takes about 2 seconds. SPICE_RL_ALL_TASKS=1 in the environment compiles all of
them."""
import ast, inspect, json, os, pickle
from collections import namedtuple
from functools import cache

import numpy as np
import pandas as pd
import pytest

from reference_tasks import LOGLIK
from spice_rl import Trials, find_task, fit, make_trial, nll, read_task, read_trials, simulate, task_example, task_model
from spice_rl import task_models, task_world
from spice_rl.core.density import draw_answer
from spice_rl.core.wide_trials import _log_likelihood, _trial_at

inf = np.inf
PARAMETERS = dict(
    bandit2arm_delta="A 0 .5 1, tau 0 1 5",
    bandit4arm_4par="Arew 0 .1 1, Apun 0 .1 1, R 0 1 30, P 0 1 30",
    bandit4arm_lapse="Arew 0 .1 1, Apun 0 .1 1, R 0 1 30, P 0 1 30, xi 0 .1 1",
    bandit4arm_lapse_decay="Arew 0 .1 1, Apun 0 .1 1, R 0 1 30, P 0 1 30, xi 0 .1 1, d 0 .1 1",
    bandit4arm_2par_lapse="Arew 0 .1 1, Apun 0 .1 1, xi 0 .1 1",
    bandit4arm_singleA_lapse="A 0 .1 1, R 0 1 30, P 0 1 30, xi 0 .1 1",
    bandit4arm2_kalman_filter="lambda 0 .9 1, theta 0 50 100, beta 0 .1 1, mu0 0 85 100, s0 0 6 15, sD 0 3 15",
    banditNarm_delta="A 0 .5 1, tau 0 1 5",
    banditNarm_kalman_filter="lambda 0 .9 1, theta 0 50 100, beta 0 .1 1, mu0 0 85 100, s0 0 6 15, sD 0 3 15",
    banditNarm_4par="Arew 0 .1 1, Apun 0 .1 1, R 0 1 30, P 0 1 30",
    banditNarm_lapse="Arew 0 .1 1, Apun 0 .1 1, R 0 1 30, P 0 1 30, xi 0 .1 1",
    banditNarm_lapse_decay="Arew 0 .1 1, Apun 0 .1 1, R 0 1 30, P 0 1 30, xi 0 .1 1, d 0 .1 1",
    banditNarm_2par_lapse="Arew 0 .1 1, Apun 0 .1 1, xi 0 .1 1",
    banditNarm_singleA_lapse="A 0 .1 1, R 0 1 30, P 0 1 30, xi 0 .1 1",
    ts_par4="a 0 .5 1, beta 0 1 inf, pi 0 1 5, w 0 .5 1",
    ts_par6="a1 0 .5 1, beta1 0 1 inf, a2 0 .5 1, beta2 0 1 inf, pi 0 1 5, w 0 .5 1",
    ts_par7="a1 0 .5 1, beta1 0 1 inf, a2 0 .5 1, beta2 0 1 inf, pi 0 1 5, w 0 .5 1, lambda 0 .5 1",
    ts_par7_daw="a1 0 .5 1, beta1 0 1 inf, a2 0 .5 1, beta2 0 1 inf, pi 0 1 5, w 0 .5 1, lambda 0 .5 1",
    dd_hyperbolic="k 0 .1 1, beta 0 1 5",
    dd_exp="r 0 .1 1, beta 0 1 5",
    dd_cs="r 0 .1 1, s 0 1 10, beta 0 1 5",
    dd_hyperbolic_single="k 0 .1 1, beta 0 1 5",
    dd_cs_single="r 0 .1 1, s 0 1 10, beta 0 1 5",
    choiceRT_ddm="alpha 0 .5 inf, beta 0 .5 1, delta -inf 0 inf, tau 0 .15 1",
    choiceRT_ddm_single="alpha 0 .5 inf, beta 0 .5 1, delta -inf 0 inf, tau 0 .15 1",
)
# Tasks 10 to 18
PARAMETERS |= dict(
    prl_fictitious="eta 0 .5 1, alpha -inf 0 inf, beta 0 1 10",
    prl_fictitious_rp="eta_pos 0 .5 1, eta_neg 0 .5 1, alpha -inf 0 inf, beta 0 1 10",
    prl_fictitious_rp_own="eta_pos 0 .5 1, eta_neg 0 .5 1, alpha -inf 0 inf, beta 0 1 10",
    prl_fictitious_woa="eta 0 .5 1, beta 0 1 10",
    prl_fictitious_rp_woa="eta_pos 0 .5 1, eta_neg 0 .5 1, beta 0 1 10",
    prl_rp="Apun 0 .1 1, Arew 0 .1 1, beta 0 1 10",
    prl_rp_pe="Apun 0 .1 1, Arew 0 .1 1, beta 0 1 10",
    prl_ewa="phi 0 .5 1, rho 0 .1 1, beta 0 1 10",
    prl_fictitious_multipleB="eta 0 .5 1, alpha -inf 0 inf, beta 0 1 10",
    prl_rp_multipleB="Apun 0 .1 1, Arew 0 .1 1, beta 0 1 10",
    pst_Q="alpha 0 .5 1, beta 0 1 10",
    pst_gainloss_Q="alpha_pos 0 .5 1, alpha_neg 0 .5 1, beta 0 1 10",
    igt_pvl_delta="A 0 .5 1, alpha 0 .5 2, cons 0 1 5, lambda 0 1 10",
    igt_pvl_decay="A 0 .5 1, alpha 0 .5 2, cons 0 1 5, lambda 0 1 10",
    igt_vpp="A 0 .5 1, alpha 0 .5 2, cons 0 1 5, lambda 0 1 10, epP -inf 0 inf, epN -inf 0 inf, K 0 .5 1, w 0 .5 1",
    igt_vpp_even="A 0 .5 1, alpha 0 .5 2, cons 0 1 5, lambda 0 1 10, epP -inf 0 inf, epN -inf 0 inf, K 0 .5 1, w 0 .5 "
                 "1",
    igt_orl="Arew 0 .1 1, Apun 0 .1 1, K 0 .1 5, betaF -inf .1 inf, betaP -inf 1 inf",
    igt_orl_even="Arew 0 .1 1, Apun 0 .1 1, K 0 .1 5, betaF -inf .1 inf, betaP -inf 1 inf",
    gng_m1="xi 0 .1 1, ep 0 .2 1, rho 0 7.38905609893065 inf",
    gng_m2="xi 0 .1 1, ep 0 .2 1, b -inf 0 inf, rho 0 7.38905609893065 inf",
    gng_m3="xi 0 .1 1, ep 0 .2 1, b -inf 0 inf, pi -inf 0 inf, rho 0 7.38905609893065 inf",
    gng_m4="xi 0 .1 1, ep 0 .2 1, b -inf 0 inf, pi -inf 0 inf, rhoRew 0 7.38905609893065 inf, rhoPun 0 "
           "7.38905609893065 inf",
    ra_prospect="rho 0 1 2, lambda 0 1 5, tau 0 1 30",
    ra_noLA="rho 0 1 2, tau 0 1 30",
    ra_noRA="lambda 0 1 5, tau 0 1 30",
    ug_bayes="alpha 0 1 20, beta 0 .5 10, tau 0 1 10",
    ug_bayes_before="alpha 0 1 20, beta 0 .5 10, tau 0 1 10",
    ug_delta="alpha 0 1 20, tau 0 1 10, ep 0 .5 1",
    bart_par4="phi 0 .5 1, eta 0 1 inf, gam 0 1 inf, tau 0 1 inf",
    bart_ewmv="phi 0 .5 1, eta 0 .5 inf, rho -.5 0 .5, tau 0 1 inf, lambda 0 1 inf",
    pstRT_ddm="a 0 1.8 inf, tau 0 .3 inf, d1 -inf .8 inf, d2 -inf .4 inf, d3 -inf .3 inf",
    pstRT_rlddm1="a 0 1.8 inf, tau 0 .3 inf, v -inf 4.5 inf, alpha 0 .02 1",
    pstRT_rlddm6="a 0 1.6 inf, bp -.3 .02 .3, tau 0 .2 inf, v -inf 2.8 inf, alpha_pos 0 .04 1, alpha_neg 0 .02 1",
    peer_ocu="rho 0 1 2, tau 0 1 inf, ocu -inf 0 inf",
)
# Tasks 30 to 37
PARAMETERS |= dict(
    rdt_happiness="w0 -inf 1 inf, w1 -inf 1 inf, w2 -inf 1 inf, w3 -inf 1 inf, gam 0 .5 1, sig 0 1 inf",
    cra_linear="alpha 0 1 2, beta -inf 0 inf, gamma 0 1 inf",
    cra_exp="alpha 0 1 2, beta -inf 0 inf, gamma 0 1 inf",
    dbdm_prob_weight="tau 0 .8 1, rho 0 .7 2, lambda 0 2.5 5, beta 0 .2 1",
    dbdm_cumulative="tau 0 .8 1, rho 0 .7 2, lambda 0 2.5 5, beta 0 .2 1",
    task2AFC_sdt="d -inf 0 inf, c -inf 0 inf",
    task2AFC_normal="d -inf 0 inf, c -inf 0 inf",
    alt_delta="A 0 .5 1, beta 0 1 20, gamma 0 1 10",
    alt_gamma="A 0 .5 1, beta 0 1 20, gamma 0 1 10",
    alt_delta_smooth="A 0 .5 1, beta 0 1 20, gamma 0 1 10",
    alt_gamma_offered="A 0 .5 1, beta 0 1 20, gamma 0 1 10",
    wcs_sql="r 0 .1 1, p 0 .1 1, d 0 1 5",
    wcs_sql_floor="r 0 .1 1, p 0 .1 1, d 0 1 5",
    cgt_cm="alpha 0 1 5, c 0 .5 1, rho 0 1 inf, beta 0 1 inf, gamma 0 1 inf",
    hgf_ibrb="kappa_2 0 1 2, omega_2 -10 -4 0, omega_3 -15 -6 0, zeta 0 1 2",
    hgf_ibrb_single="kappa_2 0 1 2, omega_2 -10 -4 0, omega_3 -15 -6 0, zeta 0 1 2",
)
# models that hBayesDM has not
OURS = {
    "ts_par7_daw",
    "prl_fictitious_rp_own",
    "prl_rp_pe",
    "igt_vpp_even",
    "igt_orl_even",
    "ug_bayes_before",
    "dbdm_cumulative",
    "task2AFC_normal",
    "alt_delta_smooth",
    "alt_gamma_offered",
    "wcs_sql_floor",
}

BEYOND = dict(  # models that hBayesDM does not have (nbs/tasks/50 to 59): no golden rows
    ts_par7_counts="a1 0 .5 1, beta1 0 1 inf, a2 0 .5 1, beta2 0 1 inf, pi 0 1 5, w 0 .5 1, lambda 0 .5 1",
    ts_hybrid_mbmf="beta1 0 1 20, beta2 0 1 20, alpha1 0 .5 1, alpha2 0 .5 1, lambda 0 .5 1, r -inf 0 inf, omega 0 .5 "
                   "1",
    ts_kool="beta 0 3 20, alpha 0 .5 1, lambda 0 .5 1, w 0 .5 1, pi -inf 0 inf, rho -inf 0 inf",
    pt_tk="alpha 0 .88 2, lambda 0 2.25 10, gamma .2 .61 2, mu 0 1 20",
    pt_tk1992="alpha 0 .88 2, beta 0 .88 2, lambda 0 2.25 10, gamma .2 .61 2, delta .2 .69 2, mu 0 1 20",
    pt_prelec="alpha 0 .88 2, lambda 0 2.25 10, delta 0 1 5, gamma 0 .65 2, mu 0 1 20",
    pt_gonzalez_wu="alpha 0 .88 2, lambda 0 2.25 10, delta 0 .77 5, gamma 0 .44 2, mu 0 1 20",
    dd_beta_delta="present 0 .8 1, delta 0 .99 1, beta 0 1 5",
    effort_parabolic="k 0 1 20, beta 0 1 20",
    effort_linear="k 0 1 20, beta 0 1 20",
    effort_hyperbolic="k 0 1 20, beta 0 1 20",
    effort_others_1k="k 0 1 20, beta 0 1 20",
    effort_others_2k="k_self 0 1 20, k_other 0 1 20, beta 0 1 20",
    probability_hyperbolic="k 0 1 20, beta 0 1 20",
    social_hyperbolic="k 0 .1 20, beta 0 1 20",
    social_weighted="k 0 .1 20, w 0 1 20, beta 0 1 20",
    meta_d="d 0 1 6, c -3 0 3, M 0 1 3, up_1 0 .5 5, up_2 0 .5 5, up_3 0 .5 5, down_1 0 .5 5, down_2 0 .5 5, down_3 0 "
           ".5 5",
    bandit2arm_hmm="p_good .5 .75 .99, hazard .001 .1 .5, tau 0 3 20",
    bandit2arm_changepoint="hazard .001 .1 .5, tau 0 3 20",
    changepoint_reduced="hazard 0 .1 1, sd 0 10 inf",
    changepoint_delta="alpha 0 .3 1, sd 0 10 inf",
)
PARAMETERS |= BEYOND
OURS |= set(BEYOND)
# what a usual learner compiles to, many other tests hold
COMPILED = ["bandit4arm_lapse", "ts_par7", "dd_hyperbolic", "choiceRT_ddm"]
# of these the simulation is compiled, too: a world, and a design; recoveries in the notebooks of tasks compile others
LIVED = ["ts_par7", "choiceRT_ddm"]
# by task: where parameters are drawn, if not anywhere in the bounds
NARROW = dict(
    choiceRT=dict(alpha=(.5, 3), tau=(.05, .2)),
    pstRT=dict(a=(.5, 3), tau=(.05, .3)),
    pstRT_ddm=dict(a=(.5, 3), tau=(.05, .3)),
    hgf=dict(kappa_2=(.2, 1.5), omega_2=(-6, -1), omega_3=(-8, -3)),
)

MODELS = task_models()
TASK = dict(zip(MODELS.model, MODELS.task))
TASKS = sorted(set(TASK.values()))
each_model, each_task = pytest.mark.parametrize("model", MODELS.model), pytest.mark.parametrize("task", TASKS)
if os.environ.get("SPICE_RL_ALL_TASKS"): COMPILED = LIVED = list(MODELS.model)


# What both sides of a comparison need

read_csv, example = cache(pd.read_csv), cache(task_example)   # there are many models of a task


def table(task): return read_csv(find_task(task).file).copy()


def written(name): return name + "_" if name == "lambda" else name


def drawn(model, seed):
    "Random parameters of a model, by their published names"
    rng, out = np.random.default_rng(seed), {}
    for name, param in task_model(model).params.items():
        low, high = NARROW.get(TASK[model], {}).get(name, (max(param.lower, -3), min(param.upper, 5)))
        out[name.rstrip("_")] = rng.uniform(low, high)
    return out


def by_hand(cell, trials, parameters):
    "Log likelihood of all trials by the rules as plain Python, called one by one"
    p, total = cell.p(**parameters), 0.
    for first, last in zip(trials.starts[:-1], trials.starts[1:]):
        state = cell.init(p, trials.n_options)
        for row in range(first, last):
            trial = _trial_at(cell, trials, row)
            if trials.answered(cell.does)[row] and trials.counted[row]: total += _log_likelihood(cell, p, state, trial)
            state = cell.update(p, state, trial)
    return total


def golden(shared):
    """Rows of the real programs' numbers, of tasks that are here: model, options, parameters, table of the person,
    log likelihood, decisions"""
    for file in ("golden_tasks.json", "golden_task_options.json"):
        if not (shared/"golden"/file).is_file(): pytest.skip(f"no golden numbers in {shared}")
        for row in json.loads((shared/"golden"/file).read_text()):
            if row["model"] not in TASK: continue
            rows = read_csv(shared/"data/tasks"/find_task(TASK[row["model"]]).file.name)
            yield row["model"], row.get("options", {}), flat(row["parameters"]), rows[rows.subjID == row["subject"]], \
                row.get("loglik_exact_density", row["loglik"]), row["n_counted"]


def flat(parameters):
    "A list as the parameters of the levels from 2 on: kappa_2, kappa_3, …"
    lists = {name: x if isinstance(x, list) else None for name, x in parameters.items()}
    return {
        f"{name}_{i}" if lists[name] else name: y
        for name, x in parameters.items()
        for i, y in enumerate(lists[name] or [x], 2)
    }


# Numbers

def test_golden_rows(shared):
    n = 0
    for model, options, parameters, rows, loglik, counted in golden(shared):
        trials = read_task(TASK[model], rows, **reading(TASK[model], options))
        assert by_hand(task_model(model, **options), trials, parameters) == pytest.approx(loglik, rel=1e-9), (
            model,
            parameters,
        )
        assert trials.n_counted == counted, model
        n += 1
    assert n >= 3 * sum(model in MODELS.model.tolist() for model in PARAMETERS if model not in OURS)


def test_golden_rows_compiled(shared):
    for model, options, parameters, rows, loglik, _ in golden(shared):
        if model not in COMPILED: continue
        trials = read_task(TASK[model], rows, **reading(TASK[model], options))
        assert -nll(task_model(model, **options), parameters, trials).item() == pytest.approx(loglik, rel=1e-9), (
            model,
            parameters,
        )


def reading(task, options={}):
    "Options of reading that a part of a table needs, and those that a model shares with reading"
    return dict(banditNarm=dict(Narm=4), cgt=dict(stakes=(5, 25, 50, 75, 95))).get(task, {}) | {
        n: x for n, x in options.items() if n in find_task(task).options
    }


@each_model
def test_likelihood_is_the_plain_one(model):
    rows, trials = table(TASK[model]), example(TASK[model])
    for seed, who in enumerate(trials.participants[:2]):
        p = drawn(model, seed)
        plain = LOGLIK[model](rows[rows.subjID == who].reset_index(drop=True), p)
        assert by_hand(task_model(model), trials.take(who), p) == pytest.approx(plain, rel=1e-9), p


def test_options_change_the_rules():
    rows, trials = table("ts"), task_example("ts")
    for model in ("ts_par4", "ts_par7_daw"):
        p, mine = drawn(model, 1), rows[rows.subjID == "s1"]
        own = by_hand(task_model(model, trans_prob=.9), trials.take("s1"), p)
        assert own == pytest.approx(LOGLIK[model](mine, p, trans_prob=.9), rel=1e-9)
        assert own != by_hand(task_model(model), trials.take("s1"), p)


def test_published_and_better_variant_differ_only_where_they_should():
    "Both are held: the published model errs where the text says, its neighbour does not, and elsewhere they are one"
    def both(task, one, other, p, keep):
        rows = table(task).query(keep)
        return [by_hand(task_model(m), read_task(task, rows), p) for m in (one, other)]
    p = dict(Apun=.6, Arew=.3, beta=3)
    one, other = both("prl", "prl_rp", "prl_rp_pe", p, "outcome != 0")
    assert one == pytest.approx(other, rel=1e-12)
    one, other = both("prl", "prl_rp", "prl_rp_pe", p, "choice > 0")
    assert abs(one - other) > .1
    p = dict(eta_pos=.4, eta_neg=.4, alpha=.1, beta=3)
    assert both("prl", "prl_fictitious_rp", "prl_fictitious_rp_own", p, "choice > 0")[0] == pytest.approx(
        both("prl", "prl_fictitious_rp", "prl_fictitious_rp_own", p, "choice > 0")[1]
    )
    one, other = both("prl", "prl_fictitious_rp", "prl_fictitious_rp_own", p | dict(eta_neg=.1), "choice > 0")
    assert abs(one - other) > .1
    for name in ("vpp", "orl"):
        p = drawn(f"igt_{name}", 1)
        one, other = both("igt", f"igt_{name}", f"igt_{name}_even", p, "gain != abs(loss)")
        assert one == pytest.approx(other, rel=1e-12)
        one, other = both("igt", f"igt_{name}", f"igt_{name}_even", p, "choice > 0")
        assert abs(one - other) > 1e-3


def test_choices_against_all_odds_keep_their_digits():
    "Where a probability would have rounded to 0, the log likelihood is the difference of what was weighed"
    def loglik(model, p, **columns):
        trials = read_task(TASK[model], pd.DataFrame(dict(subjID="a") | columns))
        return by_hand(task_model(model), trials, p)
    assert loglik("ra_prospect", {"rho": 2, "lambda": 1, "tau": 30}, gain=10, loss=0, cert=0, gamble=[0]) == -30 * 50
    p = dict(eta=1, alpha=0, beta=10)   # the value difference is 2 after a win
    assert loglik("prl_fictitious", p, choice=[1, 2], outcome=1) == pytest.approx(-np.log(2) - 20, rel=1e-9)
    assert loglik("prl_fictitious", p | dict(alpha=-100), choice=[2], outcome=1) == -1000
    p = dict(xi=0, ep=1, rho=900)
    assert loglik("gng_m1", p, cue=1, keyPressed=[1, 0], outcome=1) == pytest.approx(-np.log(2) - 900, rel=1e-12)
    assert loglik("gng_m1", p | dict(xi=.2), cue=1, keyPressed=[1, 0], outcome=1) == pytest.approx(
        np.log(.5) + np.log(.1), rel=1e-12
    )
    assert loglik("gng_m1", p | dict(xi=1), cue=1, keyPressed=[1, 0], outcome=1) == pytest.approx(
        2 * np.log(.5), rel=1e-12
    )
    assert loglik("bart_par4", dict(phi=1, eta=1, gam=1, tau=1), pumps=[30], explosion=1) == 0
    assert np.isfinite(loglik("bart_par4", dict(phi=1, eta=1, gam=1, tau=1), pumps=[30], explosion=0))


def test_an_early_norm_differs_from_a_late_one():
    """ug_bayes judges an offer by a norm that it has moved already, its neighbour by the one before; they meet at
    equal offers"""
    p = drawn("ug_bayes", 0)
    for offers, same in (([10, 10, 10], True), ([10, 4, 10], False)):
        trials = read_task("ug", pd.DataFrame(dict(subjID="a", offer=offers, accept=[1, 0, 1])))
        late, early = (by_hand(task_model(m), trials, p) for m in ("ug_bayes", "ug_bayes_before"))
        assert (late == pytest.approx(early, rel=1e-12)) == same


def test_worlds_of_tasks_10_to_18():
    n = 6000
    def near(x, expected, sd=.5): assert abs(np.mean(x) - expected) < 5 * sd / np.sqrt(len(x)), (np.mean(x), expected)
    arms = task_world("prl", n_trials=n, p=1).design([0]).reward
    assert (arms.sum(1) == 0).all() and set(np.diff(np.flatnonzero(np.diff(arms[:, 0])))) == {*range(15, 21)}
    mine = task_world("prl", n_trials=n, p=.9).design([0]).reward   # the same swaps, as the seed is the same
    near(mine[arms == 1] == 1, .9)
    near(mine[arms == -1] == 1, .1)
    blocks = task_world("prl_multipleB", n_trials=40, n_blocks=4).design([0, 1])
    assert blocks.n_sessions == 8 and set(np.bincount(blocks.session)) == {40}
    pairs = task_world("pst", n_trials=n).design([0])
    assert set(map(tuple, np.sort(pairs.offer))) == {(0, 1), (2, 3), (4, 5)}
    near(pairs.offer[:, 0] % 2, .5)
    for k, p in enumerate((.8, .2, .7, .3, .6, .4)): near(pairs.reward[:, k], p)
    cards = task_world("igt", n_trials=n).design([0]).reward
    for k, (mean, sd) in enumerate(((-25, 145), (-25, 410), (25, 35), (25, 85))): near(cards[:, k], mean, sd)
    assert (cards[:, 2] == 0).any()
    cues = task_world("gng", n_trials=n).design([0])
    for cue in range(4):
        paid = cues.reward[cues.context == cue]
        assert set(np.unique(paid)) == ({0, 1} if cue < 2 else {-1, 0})
        assert (paid.sum(1) == (1 if cue < 2 else -1)).all()
        near(paid[:, 1 - cue % 2] == (1 if cue < 2 else 0), .8)
    gambles = task_world("ra", n_trials=n).design([0]).columns
    assert ((gambles["cert"] > 0) == (gambles["loss"] == 0)).all() and (gambles["gain"] >= 2).all()
    near(gambles["cert"] > 0, .2)
    offers = task_world("ug", n_trials=n).design([0]).columns["amount"]
    assert sorted(np.round([offers[:n // 2].mean(), offers[n // 2:].mean()])) == [4, 8]
    assert 1 <= offers.min()
    assert offers.max() <= 20
    stimuli = task_world("pstRT", n_trials=n).design([0])
    assert (stimuli.reward.sum(1) == 1).all()
    assert (stimuli.context.reshape(-1, 3).sum(1) == 3).all()
    assert stimuli.columns["iter"].max() == n / 3
    for k, p in enumerate((.8, .7, .6)): near(stimuli.reward[stimuli.context == k, 1], p)
    peers = task_world("peer", n_trials=n).design([0]).columns
    np.testing.assert_array_equal(peers["both"].sum(0), n / 4)
    assert (peers["high"] > peers["low"]).all()


def test_balloons_burst_at_any_pump():
    "Whoever always pumps bursts them all, after 1 to `most` pumps, each as likely"
    balloons, rng, n = task_world("bart", most=4), np.random.default_rng(0), 4000
    e, world, reward, pumps, now = namedtuple("E", "most")(4), np.zeros(3), np.zeros(2), [], 0
    balloons.rules["start"](e, None, None, world)
    while len(pumps) < n:
        balloons.rules["pay"](e, world, 1, rng.random(2), None, reward)
        now += 1
        if reward[1] == 0: pumps, now = [*pumps, now], 0
    assert abs(np.bincount(pumps, minlength=5)[1:] / n - .25).max() < 5 * np.sqrt(.25 * .75 / n) and max(pumps) == 4


@pytest.mark.parametrize(
    "model, columns, said",
    [
        (
            "pst_Q",
            dict(type=[12, 33], choice=1, reward=1),
            "type must be two different digits from 1 to 6, those of the stimuli shown .34., got 33 of participant 'a' "
            ".1 such rows",
        ),
        (
            "bart_par4",
            dict(pumps=[3, 0], explosion=1),
            "it must be at least 1 where explosion is 1, got 0 of participant 'a' .1 such rows",
        ),
        ("prl_rp_multipleB", dict(choice=1, outcome=[1]), "prl_multipleB needs the column 'block'"),
        ("pstRT_rlddm1", dict(cond=1, iter=1, choice=1, RT=[.5]), "pstRT needs the column 'feedback'"),
    ],
)
def test_tables_that_cannot_be(model, columns, said):
    with pytest.raises(ValueError, match=said): read_task(model, pd.DataFrame(dict(subjID="a") | columns))


def test_options_of_tasks_10_to_18():
    for model, task, options in (
        ("pst_gainloss_Q", "pst", dict(q0=.5)),
        ("igt_orl", "igt", dict(payscale=30)),
        ("igt_vpp_even", "igt", dict(payscale=30)),
        ("pstRT_rlddm6", "pstRT", dict(initQ=.2)),
    ):
        rows, trials, p = table(task), task_example(task).take("s1"), drawn(model, 1)
        own = by_hand(task_model(model, **options), trials, p)
        assert own == pytest.approx(LOGLIK[model](rows[rows.subjID == "s1"], p, **options), rel=1e-9)
        assert own != by_hand(task_model(model), trials, p)


@pytest.mark.parametrize("model", COMPILED)
def test_compiled_is_plain(model):
    trials, p = example(TASK[model]), drawn(model, 3)
    for who, value in nll(task_model(model), p, trials).items():
        assert -value == pytest.approx(by_hand(task_model(model), trials.take(who), p), rel=1e-10)


# The registry

def test_parameters_are_the_published_ones():
    found = {}
    for model in MODELS.model:
        params = task_model(model).params
        found[model] = [(n.rstrip("_"), p.lower, p.default, p.upper) for n, p in params.items()]
    def row(text): return [(x.split()[0], *map(float, x.split()[1:])) for x in text.split(", ")]
    assert found == {model: row(text) for model, text in PARAMETERS.items()}


@each_task
def test_a_task_says_all(task):
    t = find_task(task)
    assert t.name == task and t.paper and t.title and t.file.is_file()
    assert {*LOGLIK} >= {*t.models}, "each model has a plain likelihood in reference_tasks.py"
    assert all(cls.__doc__ and (cls.paper or t.paper) for cls in t.models.values())
    assert all(m.startswith(task.split("_")[0]) for m in t.models) and repr(t).startswith(task)
    assert set(task_models(task).model) == set(t.models) and list(task_models(task).task.unique()) == [task]


def lines_of_code(cls):
    "Lines of a class without its docstring, comments and empty lines, a statement a line."
    tree = ast.parse(inspect.getsource(cls)).body[0]
    tree.body = [x for x in tree.body if not isinstance(x, ast.Expr)]
    return sum(1 for line in ast.unparse(tree).splitlines() if line)


def test_a_model_is_a_dozen_lines():
    assert np.median([lines_of_code(find_task(m).models[m]) for m in MODELS.model]) <= 12


def test_lambda_is_read_both_ways():
    trials = task_example("ts").take("s1")
    p = drawn("ts_par7", 0)
    q = {written(name): x for name, x in p.items()}
    assert "lambda_" in q
    assert (
        nll(task_model("ts_par7"), p, trials).item()
        == nll(task_model("ts_par7"), q, trials).item()
        == nll(task_model("ts_par7", **p), trials=trials).item()
    )
    frame = pd.DataFrame([p], index=["s1"])
    assert nll(task_model("ts_par7"), frame, trials).item() == nll(task_model("ts_par7", **q), trials=trials).item()


def test_models_with_options_can_be_kept():
    cell = task_model("ts_par4", trans_prob=.8, w=.25)
    again = pickle.loads(pickle.dumps(cell))
    assert type(again) is type(cell) and again.values == cell.values and again.options == dict(trans_prob=.8)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: task_model("dd_hyperbolik"), "unknown model 'dd_hyperbolik'; did you mean 'dd_hyperbolic'?"),
        (
            lambda: task_model("ts_par7", transprob=.8),
            "unknown option or parameter 'transprob'; did you mean 'trans_prob'?",
        ),
        (lambda: task_model("ts_par7", lamda=.8), "did you mean 'lambda'?"),
        (lambda: task_model("ts_par7", w=2), r"w must lie in \[0, 1\], got 2"),
        (lambda: task_models("bandit2arms"), "unknown task 'bandit2arms'; did you mean 'bandit2arm'?"),
        (lambda: task_example("bandit"), "unknown task 'bandit'"),
        (lambda: read_task("choicert", pd.DataFrame()), "unknown task 'choicert'; did you mean 'choiceRT'?"),
        (lambda: read_task("dd", table("dd"), Narm=3), "unknown option of reading dd 'Narm'"),
        (
            lambda: read_task("banditNarm", table("bandit4arm"), Narm=3),
            "got 4; arms that nobody chose are not counted: say how many there are, Narm=4",
        ),
        (lambda: read_task("dd", [1, 2]), "a list of files must hold paths, got int"),
    ],
)
def test_what_there_is_not_is_named(call, said):
    with pytest.raises((ValueError, TypeError), match=said): call()


# Tables

def same(a, b):
    assert a.equals(b) and a.participants == b.participants


@each_task
def test_file_and_frame_and_odd_names_are_one(task, tmp_path):
    rows, own = table(task), example(task)
    odd = rows.rename(
        columns=lambda c: c.upper().replace("_", "") if len(c) % 2 else f"{c[:2]}_{c[2:].lower()}"
    ).assign(mood=3)
    same(read_task(task, rows), own)
    same(read_task(task, odd[sorted(odd)]), own)
    rows.rename(columns=dict(subjID="participant")).to_csv(tmp_path/"t.tsv", sep="\t", index=False)
    same(read_task(task, tmp_path/"t.tsv"), own)


@each_task
def test_people_come_in_the_order_of_their_first_row(task):
    rows, own = table(task), example(task)
    turned = pd.concat([rows[rows.subjID == who] for who in ("s3", "s1", "s2")], ignore_index=True)
    back = read_task(task, turned)
    assert back.participants == ("s3", "s1", "s2")
    for who in own.participants:
        for name in ("choice", "reward", "offer"):
            np.testing.assert_array_equal(getattr(back.take(who), name), getattr(own.take(who), name))
    mixed = (
        rows.assign(order=rows.groupby("subjID").cumcount()).sort_values("order", kind="stable").drop(columns="order")
    )
    mixed = read_task(task, mixed.reset_index(drop=True))
    assert mixed.participants == own.participants
    for name in ("choice", "reward", "offer", "participant", "session"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(own, name))
    for name, x in own.columns.items(): np.testing.assert_array_equal(mixed.columns[name], x)


@each_task
def test_rows_with_a_hole_are_out_before_anything_else(task):
    rows, t = table(task), find_task(task)
    for column in t.columns:
        holes = rows.astype({column: float})
        holes.loc[[3, 50], column] = np.nan
        with pytest.warns(
            UserWarning,
            match=f"2 of {len(rows)} rows were taken out, since a needed number is missing there .the first: line 5, "
                  f"{column}",
        ):
            found = read_task(task, holes)
        same(found, read_task(task, rows.drop(index=[3, 50])))
        with pytest.raises(ValueError, match=f"every row of this table lacks a number that {task} needs"):
            read_task(task, rows.assign(**{column: np.nan}))
    with pytest.warns(UserWarning, match="2 of .* participant"):
        read_task(task, rows.assign(subjID=rows.subjID.where(~rows.index.isin([3, 50]))))


@each_task
def test_what_cannot_be_is_named(task):
    rows, t = table(task), find_task(task)
    for name, column in t.columns.items():
        with pytest.raises(ValueError, match=f"{task} needs the column '{name}'.*, and the table has"):
            read_task(task, rows.drop(columns=name))
        with pytest.raises(ValueError, match=f"{task} needs one column '{name}', and the table has"):
            read_task(task, rows.assign(**{name + "_": 1}))
        for wrong in (
            [99.] * bool(column.codes)
            + [column.lower - 1] * (column.lower > -inf)
            + [column.upper + 1] * (column.upper < inf)
            + [1.5] * column.whole
        ):
            bad = rows.astype({name: float})
            bad.loc[41, name] = wrong
            with pytest.raises(
                ValueError,
                match=f"{name} must be .*, got {wrong:g} in line 43, participant '{rows.subjID[41]}' .1 such rows",
            ):
                read_task(task, bad)
        words = rows.astype({name: object})
        words.loc[2, name] = "often"
        with pytest.raises(
            ValueError, match=f"column '{name}' must hold numbers, got 'often' in line 4, participant 's1'"
        ):
            read_task(task, words)
    with pytest.raises(ValueError, match=f"{task} needs the column 'subjID'"):
        read_task(task, rows.drop(columns="subjID"))
    with pytest.raises(ValueError, match="the table has no rows"): read_task(task, rows.iloc[:0])


@each_task
def test_one_person_and_one_row(task):
    rows = table(task)
    assert read_task(task, rows[rows.subjID == "s2"], **reading(task)).participants == ("s2",)
    assert read_task(task, rows.iloc[[7]], **reading(task)).n_participants == 1
    before = rows.copy()
    read_task(task, rows)
    pd.testing.assert_frame_equal(rows, before)


# Worlds

def answer(cell, state, trial, rng):
    "What one person does on one trial, by the rules as plain Python: a dict"
    if "response" in cell.rules: now = draw_answer(cell.response(cell.p(), state, trial), rng)
    elif "sample" in cell.rules: now = cell.sample(cell.p(), state, trial, rng)
    else:
        x = np.exp(cell.logits(cell.p(), state, trial)[trial.options])
        now = int(rng.choice(trial.options, p=x / x.sum()))
    return dict(zip(cell.does, now if isinstance(now, tuple) else (now,)))


def on_a_design(cell, world, seed):
    "Trials of one person in a `TaskWorld`"
    design, rng = world.design(["one"], seed), np.random.default_rng(seed)
    state, out = cell.init(cell.p(), design.n_options), []
    for row in range(len(design)):
        trial = _trial_at(cell, design, row)
        out.append(answer(cell, state, trial, rng))
        state = cell.update(cell.p(), state, trial._replace(**out[-1]))
    return world.chosen(design, {name: np.array([now[name] for now in out]) for name in cell.does})


def in_a_world(cell, world, seed, n=24):
    "The same where a world shows and pays as people go along"
    rng, settings, state, rows = np.random.default_rng(seed), dict(zip(world.settings, world.values)), None, []
    e, numbers = namedtuple("E", settings)(**settings), np.zeros(world.n_world)
    state = cell.init(cell.p(), world.n_actions)
    def luck(): return rng.random(world.n_uniform), rng.standard_normal(world.n_normal)
    world.rules["start"](e, *luck(), numbers)
    for _ in range(n):
        columns = {name: np.zeros(world.n_actions if each == "options" else 1) for name, each in world.sees.items()}
        options, reward = np.arange(world.n_offer or world.n_actions), np.zeros(world.n_actions)
        seen = namedtuple("Seen", ("options", *columns))(options, *columns.values())
        if "show" in world.rules: world.rules["show"](e, numbers, *luck(), seen)
        columns = {name: x if world.sees[name] == "options" else x[0] for name, x in columns.items()}
        choice = answer(cell, state, make_trial(n_options=world.n_actions, options=seen.options, **columns), rng)[
            "choice"
        ]
        world.rules["pay"](e, numbers, choice, *luck(), reward)
        reward[np.arange(len(reward)) != choice] = np.nan
        state = cell.update(cell.p(), state, make_trial(choice, reward, world.n_actions, seen.options, **columns))
        rows.append((choice, reward, seen.options, *columns.values()))
    choices, rewards, offers, *shown = map(np.array, zip(*rows))
    return Trials.from_arrays(
        choices, rewards, options=range(world.n_actions), offer=offers, sees=dict(zip(world.sees, shown))
    )


@each_model
def test_simulated_people_have_a_likelihood(model):
    few = dict(n_trials=24) if "n_trials" in inspect.signature(find_task(TASK[model]).world).parameters else {}
    cell, world, known = task_model(model), task_world(TASK[model], **few), example(TASK[model])
    made = (on_a_design if hasattr(world, "design") else in_a_world)(cell, world, 1)
    assert np.isfinite(by_hand(task_model(model), made, {}))
    assert (made.n_options, made.does, sorted(made.columns)) == (known.n_options, known.does, sorted(known.columns))
    for name, x in made.columns.items():
        assert (x.ndim, np.isnan(x).any()) == (known.columns[name].ndim, np.isnan(known.columns[name]).any()), name
    assert (np.isfinite(made.reward).sum(1) <= 1).all()


@pytest.mark.parametrize("model", LIVED)
def test_simulation_agrees_with_the_likelihood(model):
    "Twice: the same seed, the same people; and who else is there changes nothing"
    cell, world = task_model(model), task_world(TASK[model])
    many = {} if hasattr(world, "design") else dict(n_trials=60)
    made = simulate(cell, world, people=3, seed=2, **many)
    assert np.isfinite(nll(cell, trials=made)).all()
    pd.testing.assert_frame_equal(made.to_frame(), simulate(cell, world, people=3, seed=2, **many).to_frame())
    same(simulate(cell, world, people=4, seed=2, **many).take([0, 1, 2]), made)


def test_worlds_are_what_they_say():
    arms = task_world("bandit2arm", n_trials=4000, p=(.9, .2)).design([0])
    assert set(np.unique(arms.reward)) == {-1, 1} and abs((arms.reward.mean(0) + 1) / 2 - [.9, .2]).max() < .03
    four = task_world("bandit4arm", n_trials=3000).design([0])
    assert set(np.unique(four.columns["gain"])) == {0, 1} and set(np.unique(four.columns["loss"])) == {-1, 0}
    assert .4 < four.columns["gain"].mean() < .6
    restless = task_world("bandit4arm2", n_trials=3000).design([0]).reward
    assert 45 < restless.mean() < 55
    assert restless.min() >= 1
    assert restless.max() <= 100
    assert (restless == restless.round()).all()
    steps = simulate(task_model("ts_par7"), task_world("ts"), n_trials=2000, seed=1)
    own = steps.offer[1::2, 0] == 2 + 2 * steps.choice[::2]
    assert abs(own.mean() - .7) < 4 * np.sqrt(.7 * .3 / 1000)
    assert set(np.unique(steps.reward[1::2][np.isfinite(steps.reward[1::2])])) == {0, 1}
    delays = task_world("dd", n_trials=500).design([0]).columns
    assert set(delays["delay"][:, 0]) == {0, 2} and delays["amount"][:, 1].min() >= 10.5
    with pytest.raises(ValueError, match="n_trials must be a whole number"): task_world("dd", n_trials=0)


# Where the published program surprises: its likelihood under its name, the better one beside it (rdt to hgf)

def likelihood(model, trials, p, **options): return by_hand(task_model(model, **options), trials, p)


def of_one(task, who="s1"):
    rows = table(task)
    return rows[rows.subjID == who].reset_index(drop=True)


def test_ratings_with_the_same_time():
    rows, p = of_one("rdt"), drawn("rdt_happiness", 1)
    twice = read_task("rdt", rows, same_time=True)
    assert (read_task("rdt", rows).n_counted, twice.n_counted) == (13, 14)
    own = rows.assign(RT_happy=np.cumsum((rows.happy != rows.happy.shift()) | (rows.RT_happy != rows.RT_happy.shift())))
    assert likelihood("rdt_happiness", twice, p) == pytest.approx(LOGLIK["rdt_happiness"](own, p), rel=1e-9)
    with pytest.raises(ValueError, match="same_time must be True or False"): read_task("rdt", rows, same_time=2)


def test_two_outcomes_the_other_way_round_are_the_same_lottery():
    rows, p = of_one("dbdm"), drawn("dbdm_prob_weight", 2)
    turned = rows.assign(opt1hprob=1 - rows.opt1hprob, opt1hval=rows.opt1lval, opt1lval=rows.opt1hval)
    for model in ("dbdm_prob_weight", "dbdm_cumulative"):
        a, b = (likelihood(model, read_task("dbdm", r), p) for r in (rows, turned))
        assert a == pytest.approx(b, rel=1e-9)


def test_binomial_coefficients_are_an_option():
    rows, p = of_one("task2AFC"), drawn("task2AFC_sdt", 1)
    single = likelihood("task2AFC_sdt", read_task("task2AFC", rows), p, coefficients=0)
    assert single == pytest.approx(LOGLIK["task2AFC_sdt"](rows, p, coefficients=0), rel=1e-9)
    assert np.isfinite(likelihood("task2AFC_normal", read_task("task2AFC", rows), dict(d=200, c=60)))


def test_what_an_outcome_means():
    rows, p = of_one("alt"), drawn("alt_delta", 3)
    other = rows.assign(outcome=np.where(rows.choice == 1, rows.outcome, 1 - rows.outcome))
    for model, means in (("alt_delta", "chosen punished"), ("alt_gamma", "blue punished")):
        plain = likelihood(model, read_task("alt", rows), p)
        assert (
            plain
            == pytest.approx(LOGLIK[model](rows, p), rel=1e-9)
            != likelihood(model, read_task("alt", rows, means=means), p)
        )
        assert likelihood(model, read_task("alt", rows, means=means), p) == pytest.approx(
            LOGLIK[model](other, p), rel=1e-9
        )
    for model, means in (("alt_delta", "blue punished"), ("alt_gamma", "chosen punished")):
        assert likelihood(model, read_task("alt", rows, means=means), p) == likelihood(model, read_task("alt", rows), p)
    with pytest.raises(ValueError, match="means must be None, 'blue punished' or 'chosen punished'"):
        read_task("alt", rows, means="orange")


def test_cards_come_from_the_sheet_that_is_given(tmp_path):
    rows, p = of_one("wcs"), drawn("wcs_sql", 1)
    rng = np.random.default_rng(1)
    sheet = np.array([rng.permutation(4)[:3] + 1 for _ in range(60)]).T
    rows = rows.assign(choice=sheet[0, :len(rows)], outcome=rng.integers(0, 2, len(rows)))
    pd.DataFrame(sheet, index=["color", "form", "number"]).to_csv(tmp_path/"sheet.csv", header=False)
    for given in (sheet, pd.DataFrame(sheet), tmp_path/"sheet.csv", str(tmp_path/"sheet.csv")):
        own = likelihood("wcs_sql", read_task("wcs", rows, sheet=given), p)
        assert own == pytest.approx(LOGLIK["wcs_sql"](rows, p, sheet=sheet), rel=1e-9)
    with pytest.warns(UserWarning, match="outcomes cannot be by this sheet .the first: participant 's1', card"):
        read_task("wcs", rows)
    for wrong, said in (
        (sheet[:2], "sheet must hold three rows"),
        (sheet + 1, "sheet must hold three rows"),
        (sheet[:, :9], "has 52 rows, and the sheet 9 cards"),
    ):
        with pytest.raises(ValueError, match=said): read_task("wcs", rows, sheet=wrong)


def test_a_first_card_that_matches_nothing():
    rows, p = of_one("wcs"), drawn("wcs_sql", 1)
    rows.loc[0, "choice"] = (
        {1, 2, 3, 4} - {int(x) + 1 for n in ("color", "form", "number") for x in task_example("wcs").columns[n][:1]}
    ).pop()
    rows.loc[0, "outcome"] = 0
    trials = read_task("wcs", rows)
    with np.errstate(divide="ignore"): assert likelihood("wcs_sql", trials, p) == -inf == LOGLIK["wcs_sql"](rows, p)
    assert likelihood("wcs_sql_floor", trials, p) == pytest.approx(LOGLIK["wcs_sql_floor"](rows, p), rel=1e-9)
    rows.loc[0, "outcome"] = 1      # right, and matches nothing: attention stays
    with pytest.warns(UserWarning, match="card 1, deck .*matches on 0"): trials = read_task("wcs", rows)
    assert likelihood("wcs_sql_floor", trials, p) == pytest.approx(LOGLIK["wcs_sql_floor"](rows, p), rel=1e-9)


def test_stakes_and_practice():
    rows, p = of_one("cgt").replace(dict(percentage_staked={25: 100})), drawn("cgt_cm", 1)
    trials = read_task("cgt", rows)
    assert trials.options[2:] == ("5 %", "50 %", "75 %", "95 %", "100 %")
    assert likelihood("cgt_cm", trials, p) == pytest.approx(
        LOGLIK["cgt_cm"](rows, p, stakes=(5, 50, 75, 95, 100)), rel=1e-9
    )
    rows, own = of_one("cgt"), read_task("cgt", of_one("cgt"), practice=False, stakes=(5, 25, 50, 75, 95))
    assert own.n_counted == 72
    assert likelihood("cgt_cm", own, p) == pytest.approx(LOGLIK["cgt_cm"](rows[rows.assessment_stage > 0], p), rel=1e-9)
    with pytest.raises(
        ValueError, match="percentage_staked is 95 for participant 's1', which is not among the stakes 5, 25, 50, 75"
    ):
        read_task("cgt", rows, stakes=(5, 25, 50, 75))
    with pytest.raises(ValueError, match="every row is practice"):
        read_task("cgt", rows.assign(assessment_stage=0), practice=False)


def test_levels_of_a_filter():
    rows, four = of_one("hgf"), dict(L=4, mu0=(.5, 1, .7), sigma0=(.1, 1, .8))
    p = dict(kappa_2=.8, kappa_3=.4, omega_2=-2.5, omega_3=-3.5, omega_4=-5, zeta=1.2)
    for first in (False, True):
        trials = read_task("hgf", rows, input_first=first)
        assert trials.n_counted == 37 + first
        assert likelihood("hgf_ibrb", trials, p, **four, input_first=first) == pytest.approx(
            LOGLIK["hgf_ibrb"](rows, p, **four, input_first=first), rel=1e-9
        )
    own = read_task("hgf", rows)
    same(read_task("hgf", rows.sample(frac=1, random_state=1)), own)
    same(read_task("hgf", rows.assign(trialNum=3 * rows.trialNum)), own)        # gaps
    cell = task_model("hgf_ibrb", **four, zeta=.5)
    again = pickle.loads(pickle.dumps(cell))
    assert type(again) is type(cell) and again.values == cell.values and list(cell.params) == list(p)
    assert type(task_model("hgf_ibrb", L=3)) is type(task_model("hgf_ibrb"))
    for wrong, said in (
        (dict(L=4), "mu0 must hold 3 numbers, one for each level from 2 to 4, got 2"),
        (dict(L=1), "L must be"),
        (dict(input_first=2), "input_first must be 0 or 1"),
    ):
        with pytest.raises(ValueError, match=said): task_model("hgf_ibrb", **wrong)
    with pytest.raises(ValueError, match="trialNum is 3 more than once for participant 's1'"):
        read_task("hgf", rows.replace(dict(trialNum={4: 3})))
    with pytest.raises(ValueError, match="no row has a u and a y that are 0 or 1"): read_task("hgf", rows.assign(u=2))


def test_worlds_from_rdt_to_hgf_are_what_they_say():
    mood = task_world("rdt", n_trials=400).design([0])
    assert 2 <= 400 / mood.n_counted <= 3 and mood.answered()[0]
    c = mood.columns
    assert set(np.sign(c["cert"])) == {-1, 0, 1}
    assert (c["outcome"][c["gamble"] == 0] == c["cert"][c["gamble"] == 0]).all()
    odds = task_world("cra", n_trials=400).design([0]).columns
    assert set(odds["prob"][odds["ambig"][:, 1] > 0, 1]) == {.5}
    assert set(odds["prob"][:, 0]) == {.5}
    assert (odds["ambig"][:, 0] == 0).all()
    lotteries = task_world("dbdm", n_trials=400).design([0]).columns
    assert (lotteries["high"] >= lotteries["low"]).all()
    stakes = task_world("cgt", n_trials=40).design([0])
    rises = stakes.columns["place"][1::2, 2] == 0
    assert len(stakes) == 80 and rises.sum() == 20 and (np.sort(stakes.columns["place"][:, 2:]) == np.arange(5)).all()
    hurt = task_world("alt", n_trials=2000, block=500, chance=.9).design([0]).columns
    assert (hurt["punished"].sum(1) == 1).all() and (hurt["punished"][:, 0] == hurt["outcome"]).all()
    halves = hurt["outcome"].reshape(4, 500).mean(1)
    assert abs(np.sort(halves) - [.1, .1, .9, .9]).max() < .05
    cards = in_a_world(task_model("wcs_sql_floor", r=1, p=1, d=5), task_world("wcs", criterion=3), 1, n=300)
    decks = np.array([cards.columns[n] for n in ("color", "form", "number")])
    assert (decks == decks[0]).all(0).sum() == 0
    right, rule, streak = np.nansum(cards.reward, 1), 0, 0
    for t in range(300):
        assert right[t] == (cards.choice[t] == decks[rule, t])
        streak = streak + 1 if right[t] else 0
        if streak == 3: rule, streak = (rule + 1) % 3, 0
    inputs = task_world("hgf", n_trials=600, block=200).design([0]).columns["u"].reshape(3, 200).mean(1)
    assert abs(np.sort(inputs) - [.2, .5, .8]).max() < .12


# Beyond hBayesDM

def test_options_of_models_beyond():
    rows, trials = table("ts_kool"), task_example("ts_kool").take("s2")
    p = drawn("ts_kool", 2)
    own = by_hand(task_model("ts_kool", payscale=20), trials, p)
    assert own == pytest.approx(LOGLIK["ts_kool"](rows[rows.subjID == "s2"], p, payscale=20), rel=1e-9)
    assert own != by_hand(task_model("ts_kool"), trials, p)


def test_a_pair_is_a_pair():
    rows = table("ts_kool")
    rows.loc[4, ["left", "right"]] = 2, 3
    with pytest.raises(
        ValueError,
        match=r"left and right must be one pair, 1 and 2 or 3 and 4, got \[2 3\] of participant 's1' \(1 such rows\)",
    ):
        read_task("ts_kool", rows)


def test_models_beyond_meet_those_that_are_known():
    "Special cases: known transitions, known weights, one rate"
    rows, trials = table("ts"), task_example("ts").take("s1")
    same = dict(beta1=3., beta2=2., alpha1=.4, alpha2=.6, r=0., omega=0.) | {"lambda": .3}
    daw = dict(beta1=3., beta2=2., a1=.4, a2=.6, pi=0., w=0.) | {"lambda": .3}
    assert by_hand(task_model("ts_hybrid_mbmf"), trials, same) == pytest.approx(
        by_hand(task_model("ts_par7_daw"), trials, daw), rel=1e-12
    )
    some = task_example("pt").take("s1")
    p = dict(alpha=.8, gamma=1., mu=.3) | {"lambda": 2.}
    plain = [
        by_hand(task_model(f"pt_{m}"), some, p | more)
        for m, more in (
            ("tk", {}),
            ("prelec", dict(delta=1.)),
            ("gonzalez_wu", dict(delta=1.)),
            ("tk1992", dict(beta=.8, delta=1.)),
        )
    ]
    assert plain == pytest.approx([plain[0]] * 4, rel=1e-10)
    others = task_example("effort_others").take("s1")
    assert by_hand(task_model("effort_others_2k"), others, dict(k_self=3., k_other=3., beta=1.)) == pytest.approx(
        by_hand(task_model("effort_others_1k"), others, dict(k=3., beta=1.)), rel=1e-12
    )


def test_runs_that_are_old_are_taken_together():
    "After more trials than runs are followed, with no change ever, the worth of an arm is still that of all its wins"
    cell = task_model("bandit2arm_changepoint", hazard=.001)
    p = cell.p()
    state = cell.init(p)
    for t in range(150): state = cell.update(p, state, make_trial(0, 1. if t % 4 else -1.))
    assert state.runs.sum() == pytest.approx(1, abs=1e-12) and state.runs[-1] > .9 and state.seen[-1, 0] == 150
    assert state.wins[-1, 0] == 112
    assert cell.logits(p, state, make_trial())[0] / p.tau == pytest.approx(113 / 152, abs=.02)


def test_a_number_in_place_of_a_column_is_the_same_on_every_trial():
    frame = pd.DataFrame(
        dict(
            participant=list("aabb"), choice=["now", "later"] * 2, today=[5., 6, 7, 8], later=10., days=[3, 30, 3, 30]
        )
    )
    asked = dict(reward=None, options=["now", "later"])
    t = read_trials(frame, sees=dict(amount=["today", "later"], delay=[0, "days"]), **asked)
    np.testing.assert_array_equal(t.columns["delay"], np.c_[np.zeros(4), frame.days])
    assert list(frame.columns) == ["participant", "choice", "today", "later", "days"]
    other = read_trials(frame.assign(zero=0), sees=dict(amount=["today", "later"], delay=["zero", "days"]), **asked)
    np.testing.assert_array_equal(t.columns["delay"], other.columns["delay"])
    np.testing.assert_allclose(
        nll(task_model("dd_hyperbolic"), trials=t), nll(task_model("dd_hyperbolic"), trials=other), rtol=1e-12
    )
    with pytest.raises(ValueError, match="no column 0 for sees"): read_trials(frame, sees=dict(delay=[0, 1]), **asked)


def test_groups_of_a_published_table_are_kept(tmp_path):
    rows = pd.DataFrame(
        dict(
            subjID=np.repeat(["01", "1"], 30),
            level1_choice=1,
            level2_choice=np.tile([1, 2, 3], 20),
            reward=0,
            group=np.repeat(["p", "c"], 30),
            trial=np.arange(60),
        )
    )
    rows.to_csv(tmp_path/"t.csv", index=False)
    t = read_task("ts", tmp_path/"t.csv")
    assert t.per_participant("group").to_dict() == {"01": "p", "1": "c"}
    found = fit(task_model("ts_par4"), t, groups="group", starts=1)
    assert list(found.groups) == ["p", "c"]
