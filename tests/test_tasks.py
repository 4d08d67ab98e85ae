"""Published models of tasks: golden numbers of the real programs, a plain likelihood of each (`reference_tasks.py`), their tables, and bad input.

A new task is three entries here: its models in PARAMETERS (name low start high), one model of each form of rules in COMPILED, and what
is special about drawing its parameters in NARROW; its plain likelihoods stand in `reference_tasks.py`, its example in
`spice_rl/datasets/tasks`. What speaks of all models runs their rules as plain Python (`by_hand`): compiling one takes about 2 seconds.
SPICE_RL_ALL_TASKS=1 in the environment compiles all of them."""
import json, os, pickle
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

from reference_tasks import LOGLIK
from spice_rl import Trials, find_task, make_trial, nll, read_task, simulate, task_example, task_model, task_models, task_world
from spice_rl.density import draw_answer
from spice_rl.wide import _log_likelihood, _trial_at

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
BEYOND = dict(  # models that hBayesDM does not have (nbs/tasks/50 to 59): no golden rows
    ts_par7_counts="a1 0 .5 1, beta1 0 1 inf, a2 0 .5 1, beta2 0 1 inf, pi 0 1 5, w 0 .5 1, lambda 0 .5 1",
    ts_hybrid_mbmf="beta1 0 1 20, beta2 0 1 20, alpha1 0 .5 1, alpha2 0 .5 1, lambda 0 .5 1, r -inf 0 inf, omega 0 .5 1",
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
    meta_d="d 0 1 6, c -3 0 3, M 0 1 3, up_1 0 .5 5, up_2 0 .5 5, up_3 0 .5 5, down_1 0 .5 5, down_2 0 .5 5, down_3 0 .5 5",
    bandit2arm_hmm="p_good .5 .75 .99, hazard .001 .1 .5, tau 0 3 20",
    bandit2arm_changepoint="hazard .001 .1 .5, tau 0 3 20",
    changepoint_reduced="hazard 0 .1 1, sd 0 10 inf",
    changepoint_delta="alpha 0 .3 1, sd 0 10 inf",
)
PARAMETERS |= BEYOND
COMPILED = ["bandit2arm_delta", "bandit4arm_lapse", "ts_par7", "dd_cs", "choiceRT_ddm"]
NARROW = dict(choiceRT=dict(alpha=(.5, 3), tau=(.05, .2)))  # by task: where parameters are drawn, if not anywhere in the bounds

MODELS = task_models()
TASK = dict(zip(MODELS.model, MODELS.task))
TASKS = sorted(set(TASK.values()))
each_model, each_task = pytest.mark.parametrize("model", MODELS.model), pytest.mark.parametrize("task", TASKS)
if os.environ.get("SPICE_RL_ALL_TASKS"): COMPILED = list(MODELS.model)


# What both sides of a comparison need

def table(task): return pd.read_csv(find_task(task).file)


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
            if trials.answered(cell.does)[row]: total += _log_likelihood(cell, p, state, trial)
            state = cell.update(p, state, trial)
    return total


def golden(shared):
    "Rows of the real programs' numbers, of tasks that are here: model, options, parameters, table of the person, log likelihood, decisions"
    for file in ("golden_tasks.json", "golden_task_options.json"):
        if not (shared/"golden"/file).is_file(): pytest.skip(f"no golden numbers in {shared}")
        for row in json.loads((shared/"golden"/file).read_text()):
            if row["model"] not in TASK: continue
            rows = pd.read_csv(shared/"data/tasks"/find_task(TASK[row["model"]]).file.name)
            yield row["model"], row.get("options", {}), row["parameters"], rows[rows.subjID == row["subject"]], \
                row.get("loglik_exact_density", row["loglik"]), row["n_counted"]


# Numbers

def test_golden_rows(shared):
    n = 0
    for model, options, parameters, rows, loglik, counted in golden(shared):
        trials = read_task(TASK[model], rows, **reading(TASK[model]))
        assert by_hand(task_model(model, **options), trials, parameters) == pytest.approx(loglik, rel=1e-9), (model, parameters)
        assert trials.n_counted == counted, model
        n += 1
    assert n >= 3 * sum(model in MODELS.model.tolist() for model in PARAMETERS if model not in BEYOND and not model.endswith("_daw"))


def test_golden_rows_compiled(shared):
    for model, options, parameters, rows, loglik, _ in golden(shared):
        if model not in COMPILED: continue
        trials = read_task(TASK[model], rows, **reading(TASK[model]))
        assert -nll(task_model(model, **options), parameters, trials).item() == pytest.approx(loglik, rel=1e-9), (model, parameters)


def reading(task): return dict(Narm=4) if task == "banditNarm" else {}


@each_model
def test_likelihood_is_the_plain_one(model):
    rows, trials = table(TASK[model]), task_example(TASK[model])
    for seed, who in enumerate(trials.participants[:2]):
        p = drawn(model, seed)
        plain = LOGLIK[model](rows[rows.subjID == who].reset_index(drop=True), p)
        assert by_hand(task_model(model), trials.take(who), p) == pytest.approx(plain, rel=1e-9), p


def test_options_change_the_rules():
    rows, trials = table("ts"), task_example("ts")
    for model in ("ts_par4", "ts_par7_daw"):
        p, mine = drawn(model, 1), rows[rows.subjID == "s1"]
        own = by_hand(task_model(model, trans_prob=.9), trials.take("s1"), p)
        assert own == pytest.approx(LOGLIK[model](mine, p, trans_prob=.9), rel=1e-9) and own != by_hand(task_model(model), trials.take("s1"), p)


@pytest.mark.parametrize("model", COMPILED)
def test_compiled_is_plain(model):
    trials, p = task_example(TASK[model]), drawn(model, 3)
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


def test_lambda_is_read_both_ways():
    trials = task_example("ts").take("s1")
    p = drawn("ts_par7", 0)
    q = {written(name): x for name, x in p.items()}
    assert "lambda_" in q and nll(task_model("ts_par7"), p, trials).item() == nll(task_model("ts_par7"), q, trials).item() == nll(task_model("ts_par7", **p), trials=trials).item()
    frame = pd.DataFrame([p], index=["s1"])
    assert nll(task_model("ts_par7"), frame, trials).item() == nll(task_model("ts_par7", **q), trials=trials).item()


def test_models_with_options_can_be_kept():
    cell = task_model("ts_par4", trans_prob=.8, w=.25)
    again = pickle.loads(pickle.dumps(cell))
    assert type(again) is type(cell) and again.values == cell.values and again.options == dict(trans_prob=.8)


@pytest.mark.parametrize("call, said", [
    (lambda: task_model("dd_hyperbolik"), "unknown model 'dd_hyperbolik'; did you mean 'dd_hyperbolic'?"),
    (lambda: task_model("ts_par7", transprob=.8), "unknown option or parameter 'transprob'; did you mean 'trans_prob'?"),
    (lambda: task_model("ts_par7", lamda=.8), "did you mean 'lambda'?"),
    (lambda: task_model("ts_par7", w=2), r"w must lie in \[0, 1\], got 2"),
    (lambda: task_models("bandit2arms"), "unknown task 'bandit2arms'; did you mean 'bandit2arm'?"),
    (lambda: task_example("bandit"), "unknown task 'bandit'"),
    (lambda: read_task("choicert", pd.DataFrame()), "unknown task 'choicert'; did you mean 'choiceRT'?"),
    (lambda: read_task("dd", table("dd"), Narm=3), "unknown option of reading dd 'Narm'"),
    (lambda: read_task("banditNarm", table("bandit4arm"), Narm=3), "got 4; arms that nobody chose are not counted: say how many there are, Narm=4"),
    (lambda: read_task("dd", [1, 2]), "trials are read from a path or a pandas DataFrame, got list"),
])
def test_what_there_is_not_is_named(call, said):
    with pytest.raises((ValueError, TypeError), match=said): call()


# Tables

def same(a, b):
    assert a.equals(b) and a.participants == b.participants


@each_task
def test_file_and_frame_and_odd_names_are_one(task, tmp_path):
    rows, own = table(task), task_example(task)
    odd = rows.rename(columns=lambda c: c.upper().replace("_", "") if len(c) % 2 else f"{c[:2]}_{c[2:].lower()}").assign(mood=3)
    same(read_task(task, rows), own)
    same(read_task(task, odd[sorted(odd)]), own)
    rows.rename(columns=dict(subjID="participant")).to_csv(tmp_path/"t.tsv", sep="\t", index=False)
    same(read_task(task, tmp_path/"t.tsv"), own)


@each_task
def test_people_come_in_the_order_of_their_first_row(task):
    rows, own = table(task), task_example(task)
    turned = pd.concat([rows[rows.subjID == who] for who in ("s3", "s1", "s2")], ignore_index=True)
    back = read_task(task, turned)
    assert back.participants == ("s3", "s1", "s2")
    for who in own.participants:
        for name in ("choice", "reward", "offer"): np.testing.assert_array_equal(getattr(back.take(who), name), getattr(own.take(who), name))
    mixed = rows.assign(order=rows.groupby("subjID").cumcount()).sort_values("order", kind="stable").drop(columns="order")
    mixed = read_task(task, mixed.reset_index(drop=True))
    assert mixed.participants == own.participants
    for name in ("choice", "reward", "offer", "participant", "session"): np.testing.assert_array_equal(getattr(mixed, name), getattr(own, name))
    for name, x in own.columns.items(): np.testing.assert_array_equal(mixed.columns[name], x)


@each_task
def test_rows_with_a_hole_are_out_before_anything_else(task):
    rows, t = table(task), find_task(task)
    for column in t.columns:
        holes = rows.astype({column: float})
        holes.loc[[3, 50], column] = np.nan
        with pytest.warns(UserWarning, match=f"2 of {len(rows)} rows were taken out, since a needed number is missing there .the first: line 5, {column}"):
            found = read_task(task, holes)
        same(found, read_task(task, rows.drop(index=[3, 50])))
        with pytest.raises(ValueError, match=f"every row of this table lacks a number that {task} needs"): read_task(task, rows.assign(**{column: np.nan}))
    with pytest.warns(UserWarning, match="2 of .* participant"): read_task(task, rows.assign(subjID=rows.subjID.where(~rows.index.isin([3, 50]))))


@each_task
def test_what_cannot_be_is_named(task):
    rows, t = table(task), find_task(task)
    for name, column in t.columns.items():
        with pytest.raises(ValueError, match=f"{task} needs the column '{name}'.*, and the table has"): read_task(task, rows.drop(columns=name))
        with pytest.raises(ValueError, match=f"{task} needs one column '{name}', and the table has"): read_task(task, rows.assign(**{name + "_": 1}))
        for wrong in [99.] * bool(column.codes) + [column.lower - 1] * (column.lower > -inf) + [column.upper + 1] * (column.upper < inf) + [1.5] * column.whole:
            bad = rows.astype({name: float})
            bad.loc[41, name] = wrong
            with pytest.raises(ValueError, match=f"{name} must be .*, got {wrong:g} in line 43, participant 's2' .1 such rows"): read_task(task, bad)
        words = rows.astype({name: object})
        words.loc[2, name] = "often"
        with pytest.raises(ValueError, match=f"column '{name}' must hold numbers, got 'often' in line 4, participant 's1'"): read_task(task, words)
    with pytest.raises(ValueError, match=f"{task} needs the column 'subjID'"): read_task(task, rows.drop(columns="subjID"))
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


def in_a_world(cell, world, seed, n=60):
    "The same where a world shows and pays as people go along"
    rng, settings, state, rows = np.random.default_rng(seed), dict(zip(world.settings, world.values)), None, []
    e, numbers, state = namedtuple("E", settings)(**settings), np.zeros(world.n_world), cell.init(cell.p(), world.n_actions)
    def luck(): return rng.random(world.n_uniform), rng.standard_normal(world.n_normal)
    world.rules["start"](e, *luck(), numbers)
    for _ in range(n):
        seen, reward = namedtuple("Seen", "options")(np.zeros(world.n_offer, int)), np.zeros(world.n_actions)
        world.rules["show"](e, numbers, *luck(), seen)
        choice = answer(cell, state, make_trial(n_options=world.n_actions, options=seen.options), rng)["choice"]
        world.rules["pay"](e, numbers, choice, *luck(), reward)
        reward[np.arange(len(reward)) != choice] = np.nan
        state = cell.update(cell.p(), state, make_trial(choice, reward, world.n_actions, seen.options))
        rows.append((choice, reward, seen.options))
    choices, rewards, offers = map(np.array, zip(*rows))
    return Trials.from_arrays(choices, rewards, options=range(world.n_actions), offer=offers)


@each_model
def test_simulated_people_have_a_likelihood(model):
    cell, world, example = task_model(model), task_world(TASK[model]), task_example(TASK[model])
    made = (on_a_design if hasattr(world, "design") else in_a_world)(cell, world, 1)
    assert np.isfinite(by_hand(task_model(model), made, {}))
    assert (made.n_options, made.does, sorted(made.columns)) == (example.n_options, example.does, sorted(example.columns))
    for name, x in made.columns.items(): assert (x.ndim, np.isnan(x).any()) == (example.columns[name].ndim, np.isnan(example.columns[name]).any()), name
    assert (np.isfinite(made.reward).sum(1) <= 1).all()


@pytest.mark.parametrize("model", COMPILED)
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
    assert 45 < restless.mean() < 55 and restless.min() >= 1 and restless.max() <= 100 and (restless == restless.round()).all()
    steps = simulate(task_model("ts_par7"), task_world("ts"), n_trials=2000, seed=1)
    own = steps.offer[1::2, 0] == 2 + 2 * steps.choice[::2]
    assert abs(own.mean() - .7) < 4 * np.sqrt(.7 * .3 / 1000) and set(np.unique(steps.reward[1::2][np.isfinite(steps.reward[1::2])])) == {0, 1}
    delays = task_world("dd", n_trials=500).design([0]).columns
    assert set(delays["delay"][:, 0]) == {0, 2} and delays["amount"][:, 1].min() >= 10.5
    with pytest.raises(ValueError, match="n_trials must be a whole number"): task_world("dd", n_trials=0)


# Beyond hBayesDM

def test_options_of_models_beyond():
    rows, trials = table("ts_kool"), task_example("ts_kool").take("s2")
    p = drawn("ts_kool", 2)
    own = by_hand(task_model("ts_kool", payscale=20), trials, p)
    assert own == pytest.approx(LOGLIK["ts_kool"](rows[rows.subjID == "s2"], p, payscale=20), rel=1e-9) and own != by_hand(task_model("ts_kool"), trials, p)


def test_a_pair_is_a_pair():
    rows = table("ts_kool")
    rows.loc[4, ["left", "right"]] = 2, 3
    with pytest.raises(ValueError, match=r"left and right must be one pair, 1 and 2 or 3 and 4, got \[2 3\] of participant 's1' \(1 such rows\)"):
        read_task("ts_kool", rows)


def test_models_beyond_meet_those_that_are_known():
    "Special cases: known transitions, known weights, one rate"
    rows, trials = table("ts"), task_example("ts").take("s1")
    same = dict(beta1=3., beta2=2., alpha1=.4, alpha2=.6, r=0., omega=0.) | {"lambda": .3}
    daw = dict(beta1=3., beta2=2., a1=.4, a2=.6, pi=0., w=0.) | {"lambda": .3}
    assert by_hand(task_model("ts_hybrid_mbmf"), trials, same) == pytest.approx(by_hand(task_model("ts_par7_daw"), trials, daw), rel=1e-12)
    some = task_example("pt").take("s1")
    p = dict(alpha=.8, gamma=1., mu=.3) | {"lambda": 2.}
    plain = [by_hand(task_model(f"pt_{m}"), some, p | more) for m, more in (("tk", {}), ("prelec", dict(delta=1.)), ("gonzalez_wu", dict(delta=1.)), ("tk1992", dict(beta=.8, delta=1.)))]
    assert plain == pytest.approx([plain[0]] * 4, rel=1e-10)
    others = task_example("effort_others").take("s1")
    assert by_hand(task_model("effort_others_2k"), others, dict(k_self=3., k_other=3., beta=1.)) == pytest.approx(by_hand(task_model("effort_others_1k"), others, dict(k=3., beta=1.)), rel=1e-12)


def test_runs_that_are_old_are_taken_together():
    "After more trials than runs are followed, with no change ever, the worth of an arm is still that of all its wins"
    cell = task_model("bandit2arm_changepoint", hazard=.001)
    p = cell.p()
    state = cell.init(p)
    for t in range(150): state = cell.update(p, state, make_trial(0, 1. if t % 4 else -1.))
    assert state.runs.sum() == pytest.approx(1, abs=1e-12) and state.runs[-1] > .9 and state.seen[-1, 0] == 150
    assert state.wins[-1, 0] == 112 and cell.logits(p, state, make_trial())[0] / p.tau == pytest.approx(113 / 152, abs=.02)
