"""Wrong calls end in one sentence of ours: what was needed, what came. And arrays may lie in memory as they like."""
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

import spice_rl as S
from spice_rl import AgentQ, BanditsDrift, Cell, Param, RescorlaWagner, Trials, nll, simulate, to_agent

TASK = BanditsDrift()
TRIALS = simulate(RescorlaWagner(), TASK, people=2, sessions=2, n_trials=20, seed=1)
THREE = simulate(S.Lapse(), BanditsDrift(n_actions=3), people=2, n_trials=20, seed=1)
FRAME, DATA = TRIALS.to_frame(), TRIALS.to_dataset()
AGENT = to_agent(AgentQ())


def table(**changed):
    "Read the frame with one argument changed."
    return S.read_trials(FRAME, **dict(block="session", trial="trial") | changed)


def update(*told): return AGENT.reset().update(*told)


def example(task, **options): return S.read_task(task, str(S.find_task(task).file), **options)


WRONG = {   # what the error says: the call
    # agents
    "history must be pairs (action, reward), such as [(1, 1.), (2, 0.)], got 5": lambda: AGENT.predict(5),
    "such as [(1, 1.), (2, 0.)], got 1 on trial 1": lambda: AGENT.predict([1, 2]),
    "one for each action) must be a number, got 'x'": lambda: update(1, "x"),
    "one for each action) must be a number, got None": lambda: update(1, None),
    "must be a finite number, got inf": lambda: update(1, np.inf),
    "reward must be one number, or one for each of the 2 actions, got [1, 2, 3]": lambda: update(1, [1, 2, 3]),
    "action must be one of [1, 2], or None for a trial without a choice; got [1] on trial 1": lambda: update([1], 1.),
    "the agent knows 2 actions, [1, 2], and the trials have 3 options, [0, 1, 2]": lambda: S.score_agent(AGENT, THREE),
    "knows 2 actions, [1, 2], and the trials have 3 options": lambda: S.check_agent(AGENT, THREE),
    "agent must have reset, predict, update and a list of actions, got int": lambda: S.check_agent(5, TRIALS),
    "got AgentQ; to_agent(cell) makes one of a cell": lambda: S.score_agent(AgentQ(), TRIALS),
    "got the class Agent; to_agent": lambda: S.score_agent(S.Agent, TRIALS),
    "seed must be a whole number of at least 0, got 'x'": lambda: S.check_agent(AGENT, TRIALS, seed="x"),
    # runs, fetching
    "simulated must be a list of simulated studies, as `simulate` returns them, got NoneType":
        lambda: S.compare_runs(TRIALS, None),
    "as `simulate` returns them, got int at place 1": lambda: S.compare_runs(TRIALS, [5] * 20),
    "trials must be Trials, got int": lambda: S.repeat_by_run(5),
    "file must be a path, a text such as 'results', got 5": lambda: S.fetch_dataset("dezfouli2019", file=5),
    "unknown data set ['dezfouli2019']": lambda: S.fetch_dataset(["dezfouli2019"]),
    # reading
    "an export is read from a file, a folder or a list of files, its path a text such as 'study.csv', got int":
        lambda: S.read_export(5),
    "its path a text such as 'study.csv', got nothing": lambda: S.read_export(None),
    "got DataFrame; read_trials takes a frame": lambda: S.is_export(FRAME),
    "a table is read from one file, its path a text such as 'study.csv', got list": lambda: S.read_table(["a.csv"]),
    "options takes a list of labels, got 5": lambda: table(options=5),
    "sees takes the name of a column, a list of them, or a dict name -> column, got 5": lambda: table(sees=5),
    "one column is needed, with a value a trial, got a frame with the columns":
        lambda: Trials.from_arrays([0, 1], [1, 0], participant=FRAME),
    "does must be a list of what people do, or one of them, got 5": lambda: TRIALS.answered(5),
    "unknown name of what people do 'rt'": lambda: TRIALS.answered("rt"),
    "participants must be a list of labels, one for each id, or one of them, got 5":
        lambda: Trials.from_dataset(DATA, participants=5),
    "ys is missing: the next choice": lambda: S.DatasetRNN(DATA.xs, None),
    "labels must be a list of names of columns, or one of them, got 5": lambda: S.read_table(__file__, labels=5),
    "wide must be a list of names with {}, or one of them, got 5": lambda: S.read_export(__file__, wide=5),
    # options of published models, worlds and tables
    "payscale must be above 0, got 0": lambda: S.task_model("igt_orl", payscale=0),
    "payscale must be above 0, got -1": lambda: S.task_model("ts_kool", payscale=-1),
    "trans_prob must be at least 0 and at most 1, got 7": lambda: S.task_model("ts_par4", trans_prob=7),
    "noise must be above 0, got 0": lambda: S.task_model("changepoint_reduced", noise=0),
    "lowest must be below highest, got lowest=0 and highest=0": lambda: S.task_model("changepoint_delta", highest=0),
    "coefficients must be a whole number of at least 0 and at most 1, got 2":
        lambda: S.task_model("task2AFC_sdt", coefficients=2),
    "sigma0 must be above 0, got 0": lambda: S.task_model("hgf_ibrb", sigma0=[0, 1]),
    "mu0 must be a number, got 'x'": lambda: S.task_model("hgf_ibrb", mu0="x"),
    "input_first must be 0 or 1 (or True or False), got 'x'": lambda: S.task_model("hgf_ibrb", input_first="x"),
    "input_first must be 0 or 1 (or True or False), got 2": lambda: example("hgf", input_first=2),
    "unknown model ['dd_hyperbolic']": lambda: S.task_model(["dd_hyperbolic"]),
    "unknown task ['dd']": lambda: S.find_task(["dd"]),
    "unknown setting of the world of dd 'x' (there are: n_trials)": lambda: S.task_world("dd", x=0),
    "p must be 2 chances from 0 to 1, one for each arm, got 0.5": lambda: S.task_world("bandit2arm", p=.5),
    "p[1] must be at least 0 and at most 1, got 2": lambda: S.task_world("bandit2arm", p=[.5, 2]),
    "p must be 6 chances from 0 to 1": lambda: S.task_world("pst", p=[.5, .5]),
    "drift must be at least 0, got -1": lambda: S.task_world("bandit4arm", drift=-1),
    "drift must be a finite number, got inf": lambda: S.task_world("ts", drift=np.inf),
    "block must be a whole number of at least 1, got 0": lambda: S.task_world("alt", block=0),
    "chance must be at least 0 and at most 1, got 2": lambda: S.task_world("alt", chance=2),
    "hazard must be at least 0 and at most 1, got -1": lambda: S.task_world("changepoint", hazard=-1),
    "others must be True or False, got 'x'": lambda: S.task_world("effort", others="x"),
    "most must be a whole number of at least 1, got 2.5": lambda: S.task_world("bart", most=2.5),
    "criterion must be a whole number of at least 1, got 2.5": lambda: S.task_world("wcs", criterion=2.5),
    "must be a list of percents, such as stakes=[5, 25, 50, 75, 95], got 'x'": lambda: example("cgt", stakes="x"),
    "stakes[0] must be at least 0 and at most 100, got -5": lambda: example("cgt", stakes=[-5, 5]),
    "sheet must be the path of a table, or an array of three rows, got 5": lambda: example("wcs", sheet=5),
    "sheet: there is no file 'no.csv'": lambda: example("wcs", sheet="no.csv"),
    # threads, and what is true or false
    "threads must be a whole number of at least 1, got 0; or None for all cores":
        lambda: simulate(RescorlaWagner(), TASK, threads=0),
    "threads must be a whole number of at least 1, got 'x'": lambda: nll(RescorlaWagner(), None, TRIALS, threads="x"),
    "threads must be a whole number of at least 1, got -1":
        lambda: S.gradient(RescorlaWagner(), None, TRIALS, threads=-1),
    "threads must be a whole number of at least 1, got 1.5": lambda: S.fit(RescorlaWagner(), TRIALS, threads=1.5),
    "after must be True or False, got 'x'": lambda: S.replay(RescorlaWagner(), TRIALS, after="x"),
    "expected must be True or False, got 'x'": lambda: S.replay(RescorlaWagner(), TRIALS, expected="x"),
    "counterfactual must be True or False, got 'x'": lambda: BanditsDrift(counterfactual="x"),
    "deterministic must be True or False, got 'x'": lambda: AgentQ(deterministic="x"),
    "trace must be True or False, got 'x'": lambda: S.bandit_library(trace="x"),
    "options must be True or False, got 'x'": lambda: S.avoidance_models(options="x"),
    # tasks and learners
    "sigma must be a finite number, got inf": lambda: BanditsDrift(sigma=np.inf),
    "n_actions must be a whole number of at least 2, got 'x'": lambda: AgentQ(n_actions="x"),
    "a standard deviation, must be at least 0, got -1": lambda: AgentQ(parameter_variance=-1),
    "a standard deviation, must be a number, got 'x'": lambda: AgentQ(parameter_variance="x"),
    "agent must be a list of cells, or one such as AgentQ(), 1 or more, got 0": lambda: S.create_dataset([], TASK),
    "environment must be a task such as BanditsDrift(), got DataFrame": lambda: S.create_dataset(AgentQ(), FRAME),
    "trials must be of the avoidance task, with a column 'phase'": lambda: S.to_files(TRIALS, "a.csv", "b.csv"),
    "name must be a parameter's name, such as 'temperature', got 5": lambda: S.parameter_symbol(5),
    "model must be a class of Avoidance, such as QLearning, got 5": lambda: S.with_bias(5),
    "such as QLearning, got <class 'int'>": lambda: S.with_novel(int),
    # fits and what is made of them
    "unknown column of the trials for groups ['sex']": lambda: S.fit(RescorlaWagner(), TRIALS, groups=["sex"]),
    "trials must be Trials, got DataFrame": lambda: S.fit_hbi([RescorlaWagner(), S.RandomChoice()], FRAME),
    "options must be a dict, options=dict(name=dict(bounds=…)), got int":
        lambda: S.fit_hbi([RescorlaWagner(), S.RandomChoice()], TRIALS, options=5),
    "cells is empty": lambda: S.cross_validate({}, TRIALS),
    "people must be a whole number of at least 1, got 'x'": lambda: S.correlation_power(.3, "x"),
    "folder must be a path": lambda: S.power(RescorlaWagner(), TASK, folder=5),
    "keep must be a list of columns of the trials' table": lambda: S.trialwise(RescorlaWagner(), TRIALS, keep=5),
    "one cell is needed": lambda: S.trialwise(FRAME, TRIALS),
    "frame must be what trialwise(cell, trials) returned, got Trials": lambda: S.to_events(TRIALS),
    "n_sessions must be a whole number of at least 1, got 0": lambda: S.off_policy_sessions(0, 10, 2, 2),
    "environment must be a task such as BanditsDrift(), got int": lambda: S.power(RescorlaWagner(), 0, [10], [10]),
    "hierarchical must be True or False, got 'x'":
        lambda: S.sample_posterior(RescorlaWagner(), TRIALS, hierarchical="x"),
    "folds must be a whole number of at least 2, got 'x'": lambda: S.search_library(TRIALS, folds="x"),
    "groups must be a dict or a Series participant -> group, got int": lambda: S.AvoidanceTask(groups=5),
    "name must be a text, got int": lambda: S.fit_hierarchical(
        RescorlaWagner(), simulate(RescorlaWagner(), TASK, people=4, n_trials=20, seed=1), name=5),
    "participant must be one label, got list": lambda: to_agent(AgentQ(), participant=["a"]),
    "models must be a list of names of models, got int": lambda: S.fixed_priors(5),
    "kinds must be a whole number of at least 1, got [1]": lambda: S.individual_equations(TRIALS, kinds=[1]),
    "target_accept must be a number, got 'x'": lambda: S.sample_posterior(RescorlaWagner(), TRIALS, target_accept="x"),
    "spread must be a number, got 'x'": lambda: S.simulation_based_calibration(RescorlaWagner(), TASK, spread="x"),
    "sequences must be a list of participants, or one of them, got 5":
        lambda: S.simulate_like(RescorlaWagner(), TRIALS, sequences=5),
    "the duration must be seconds": lambda: S.to_events(
        S.trialwise(RescorlaWagner(), TRIALS), onset=np.tile(np.arange(20.), 4), duration=len),
    # figures
    "axs must be axes of matplotlib, such as plt.subplots() makes, got int":
        lambda: S.plot_equation(S.rescorla_wagner_equation(.3, 3.), axs=5),
    "ax must be axes of matplotlib, such as plt.subplots() makes, got str": lambda: S.axes_for("x", (1, 1), name="ax"),
    "signals_to_plot must be a list of latent values": lambda: S.plot_session(RescorlaWagner(), DATA.xs[0], 5),
    "labels must be a list of names, or one of them, got 5":
        lambda: S.plot_session(RescorlaWagner(), DATA.xs[0], labels=5),
    "options is empty: name at least one": lambda: S.explore(RescorlaWagner(), TASK, options=[]),
    "option must be 0..1, got [1]; are options counted from 1?":
        lambda: S.plot_session(RescorlaWagner(), DATA.xs[0], option=[1]),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_call_ends_in_one_sentence(said):
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as raised: WRONG[said]()
    assert said in str(raised.value)


def balloons():
    "The example of the balloon task, its participants counted, one row impossible."
    rows = pd.read_csv(S.find_task("bart").file).assign(subjID=7)
    return rows.assign(pumps=0, explosion=1)


NUMBERED = simulate(RescorlaWagner(), TASK, people=3, n_trials=20, seed=1)
TWICE = pd.DataFrame({"alpha": .2, "beta": 1.}, pd.Index([0, 1, 2, 2], name="participant"))
COUNTED = {   # the participant as the error names it: the call
    "for participant 0": lambda: S.replay_arrays(RescorlaWagner(), dict(alpha=2., beta=1.), NUMBERED),
    "two rows of parameters for participant 2": lambda: S.replay_arrays(RescorlaWagner(), TWICE, NUMBERED),
    "one participant (2)":
        lambda: S.fit_hierarchical(RescorlaWagner(), NUMBERED, groups={0: "a", 1: "a", 2: "b"}),
    "of person 4 under": lambda: S.select_models(pd.DataFrame({"a": [1., np.nan], "b": [1., 2.]}, index=[3, 4])),
    "of participant 7 (": lambda: S.read_task("bart", balloons()),
    "group 0 has one participant (0)":
        lambda: S.fit_hierarchical(RescorlaWagner(), NUMBERED, groups=[0, 1, 1]),
    "the person 3 is there twice": lambda: S.select_models(pd.DataFrame({"a": 1., "b": 2.}, index=[3, 3])),
    "got inf for participant 1":
        lambda: S.fit_hierarchical(RescorlaWagner(), NUMBERED, covariates=dict(age={0: 1., 1: np.inf, 2: 3.})),
}


@pytest.mark.parametrize("said", COUNTED)
def test_an_error_names_numbered_people_by_their_number(said):
    with pytest.raises(ValueError) as raised: COUNTED[said]()
    assert said in str(raised.value) and "np." not in str(raised.value)


def test_a_wrong_trial_teaches_an_agent_nothing():
    agent = to_agent(AgentQ()).update(1, 1.)
    before = agent.predict()
    for told in ((7, 1.), (1, "x"), (1, [1, 2, 3])):
        with pytest.raises((TypeError, ValueError)): agent.update(*told)
    with pytest.raises(TypeError): agent.predict(5)
    assert agent.history == [(1, 1.)]
    np.testing.assert_array_equal(agent.predict(), before)


class Broken(S.Agent):
    def predict(self, history=None): return np.full(2, np.nan)


class Short(S.Agent):
    def predict(self, history=None): return np.ones(1)


@pytest.mark.parametrize("kind, said", [(Broken, "sum to nan"), (Short, "one probability for each of the 2 actions")])
def test_an_agent_whose_predictions_are_none(kind, said):
    with pytest.raises(AssertionError, match=said): S.score_agent(kind(AgentQ(), AgentQ().p(), [0, 1]), TRIALS)


# What is made wrongly: models, answers, tasks, environments, terms, views

def made(base, **body): return type("Mine", (base,), body)


def answer(name="Odd", **more):
    "A kind of answer, made known with one thing changed."
    kind = S.AnswerKind(name, (namedtuple(name, "mean sd"),), {})
    def flat(answer, *_): return 0.
    S.add_density(kind, flat, flat, flat, **dict(support="any number") | more)


def nothing(*_): return None
def returns_q(p, state, trial, option): return state.q[option]


def coins(**changed):
    amount = S.tasks.published.TaskColumn("an amount", lower=0)
    given = dict(
        columns=dict(amount=amount),
        read=lambda rows: dict(choice=(rows.amount > 1).astype(int)),
        models=dict(coins_delta=CHOOSER),
    )
    return S.Task("coins", "toss a coin", "nobody", **given | changed)


RATE, HEAT = dict(lr=Param(.3, 0, 1)), dict(temperature=Param(.1, .01, 1))
CHOOSER = made(S.TaskCell, logit=lambda p, state, trial, option: 0.)
OF_AVOIDANCE = dict(
    params=RATE | HEAT, state="q", value=lambda p, q: q, learn=lambda p, state, chosen, other, r_chosen, r_other: None
)
WORLD = dict(start=lambda e, uniform, normal, world: None, pay=lambda e, world, choice, uniform, normal, reward: None)
AMOUNTS = pd.DataFrame(dict(subjID=[1, 1, 2], amount=[0, 1, 2]))

MADE = {   # what the error says: how it is made
    "the rule logit of Mine takes (self, p, state, trial, option), and is called as logit(p, state, trial, option)":
        lambda: made(Cell, logit=lambda self, p, state, trial, option: 0.),
    "the rule response of Mine takes (p, state), and is called as response(p, state, trial)":
        lambda: made(Cell, response=lambda p, state: 0.),
    "the rule probabilities of Mine takes (p, trial), and is called as probabilities(p, state, trial)":
        lambda: made(Cell, probabilities=lambda p, trial: 0.),
    "alpha of Mine must be a Param with a default and bounds, such as Param(.3, 0, 1), got 0.3":
        lambda: made(Cell, params=dict(alpha=.3)),
    "params of Mine must be a dict, params = dict(alpha=Param(.3, 0, 1)), got ['alpha']":
        lambda: made(Cell, params=["alpha"]),
    "the rule learn of Mine takes (p, state, trial), and is called as learn(p, state, chosen, other, r_chosen, "
    "r_other)":
        lambda: made(S.Avoidance, **OF_AVOIDANCE | dict(learn=lambda p, state, trial: None)),
    "Mine needs the parameter temperature, such as Param(.1, .01, 1)":
        lambda: made(S.Avoidance, **OF_AVOIDANCE | dict(params=RATE)),
    "value of Mine compares nothing: its arguments after p are latent values of one symbol, as in value(p, q)":
        lambda: made(S.Avoidance, **OF_AVOIDANCE | dict(value=lambda p: 0.)),
    "value of Mine asks for 'v', which is not in its state ('q',)":
        lambda: made(S.Avoidance, **OF_AVOIDANCE | dict(value=lambda p, v: v)),
    "unknown option of Mine 'novl'; did you mean 'novel'?":
        lambda: made(S.Avoidance, **OF_AVOIDANCE | dict(options="novl")),
    "the limit of sd must be a Limit, such as Limit(0, ends=False), got (0, inf)":
        lambda: answer(limits=dict(sd=(0, np.inf))),
    "Odd has no parameter 'scale' (it has: mean, sd)": lambda: answer(limits=dict(scale=S.Limit(0))),
    "Mine lacks the rule pay(e, world, choice, uniform, normal, reward): write it into the class":
        lambda: made(S.Bandits, start=WORLD["start"], pays=WORLD["pay"])(),
    "the rule pay of Mine takes (e, world, choice, reward), and is called as pay(e, world, choice, uniform, normal, "
    "reward)":
        lambda: made(S.Bandits, **WORLD | dict(pay=lambda e, world, choice, reward: None)),
    "gain of Mine must be a Param with a default and bounds, such as Param(.3, 0, 1), got 0.1":
        lambda: made(S.Bandits, **WORLD, settings=dict(gain=.1)),
    "`world` has 2 places (2 for options, 0 by `extra`), and by `draws` there are 2 uniform and 0 normal random "
    "numbers on a trial":
        lambda: made(S.Bandits, **WORLD | dict(start=lambda e, uniform, normal, world: world.__setitem__(5, 1.)))(),
    "index 0 is out of bounds for axis 0 with size 0; `world` has":
        lambda: made(S.Bandits, **WORLD | dict(pay=lambda e, world, choice, uniform, normal, reward: normal[0]))(),
    "the rule update of Mine returns something; it writes into state, such as state.q[0] = .5, and returns nothing":
        lambda: S.fit(
            made(
                Cell, params=RATE, state="q", init=nothing, logit=returns_q, update=lambda p, state, trial: state.q + 1
            )(),
            TRIALS,
        ),
    "the rule update of Mine returns something; it writes into state, such as state.q[0] = .5, and returns":
        lambda: S.nll(
            made(
                Cell,
                params=RATE,
                state="q",
                sees="load",
                init=nothing,
                logit=returns_q,
                update=lambda p, state, trial: trial.load,
            )(),
            trials=S.Trials.from_arrays([0, 1], [1., 0.], sees=dict(load=[1., 2.])),
        ),
    "the rule init of Mine returns something; it writes into state":
        lambda: S.fit(
            made(Cell, params=RATE, state="q", init=lambda p, state: .5, logit=returns_q, update=nothing)(), TRIALS
        ),
    "the rule learn of Mine returns something; it writes into state":
        lambda: simulate(
            made(S.Avoidance, **OF_AVOIDANCE | dict(learn=lambda p, state, chosen, other, r_chosen, r_other: p.lr))(),
            S.AvoidanceTask(n_learning=1, n_transfer=1),
            people=1,
        ),
    "the rule pay of Mine returns something; it writes into what it is given (reward[choice] = 1.), and returns "
    "nothing":
        lambda: made(S.Bandits, **WORLD | dict(pay=lambda e, world, choice, uniform, normal, reward: 1.))(),
    "the rule start of Mine returns something; it writes into what it is given (world[0] = .5), and returns nothing":
        lambda: made(S.Bandits, **WORLD | dict(start=lambda e, uniform, normal, world: 1.))(),
    "'E' object has no attribute 'gian' (settings: gain)":
        lambda: made(
            S.Bandits, **WORLD | dict(start=lambda e, uniform, normal, world: e.gian), settings=dict(gain=Param(.1))
        )(),
    "columns of the task 'coins' must be a dict, such as dict(amount=TaskColumn('an amount', lower=0)), got ['amount']":
        lambda: coins(columns=["amount"]),
    "the model 'x' of the task 'coins' must be a class of TaskCell, got RescorlaWagner":
        lambda: coins(models=dict(x=RescorlaWagner)),
    "read of the task 'coins' must be a function of a frame, got int": lambda: coins(read=5),
    "world of the task 'coins' must be a class, got": lambda: coins(world=S.TaskWorld(5)),
    "read of the task coins must return a dict, arguments of Trials.from_arrays":
        lambda: S.read_task(coins(read=nothing), AMOUNTS),
    "unknown argument of Trials.from_arrays in read of the task coins 'choices'; did you mean 'choice'?":
        lambda: S.read_task(coins(read=lambda rows: dict(choices=rows.amount)), AMOUNTS),
    "draw of Mine must return a dict, arguments of Trials.from_arrays":
        lambda: simulate(CHOOSER(), made(S.TaskWorld, draw=nothing)(5)),
    "in line 2, participant 1 (1 such rows)": lambda: S.read_task(coins(), AMOUNTS.assign(amount=[-1, 1, 2])),
    "terms must be a list of terms, such as [('value',), ('last', 'stay')], got 5": lambda: S.discover(TRIALS, terms=5),
    "a term must be a signal or a product of several, such as ('last', 'stay'), got 5":
        lambda: S.discover(TRIALS, terms=[5]),
    "views must be a dict, views=dict(after_losses=function), got function":
        lambda: S.check_fit(RescorlaWagner(), TRIALS, views=nothing),
    "the view 'mine' must be a function of a table of choices, got int":
        lambda: S.check_fit(RescorlaWagner(), TRIALS, views=dict(mine=5)),
    "the view 'mine' must return a frame, a row for each participant and a column for each point, got Series":
        lambda: S.check_fit(
            RescorlaWagner(), TRIALS, views=dict(mine=lambda t: t.groupby("participant").reward.mean())
        ),
    "the view 'mine' must return one row for each participant (0, …) and one column for each point, got rows [1, 2, 3]":
        lambda: S.check_fit(RescorlaWagner(), TRIALS, views=dict(mine=lambda t: t.groupby("trial")[["reward"]].mean())),
    "a view needs a name of its own, a text, got 'runs'":
        lambda: S.check_fit(RescorlaWagner(), TRIALS, views=dict(runs=nothing)),
}


@pytest.mark.parametrize("said", MADE)
def test_what_is_made_wrongly_says_so(said):
    known = dict(S.avoidance._MODELS)
    try:
        with pytest.raises((TypeError, ValueError, IndexError, AttributeError)) as raised: MADE[said]()
    finally:
        S.avoidance._MODELS.clear()
        S.avoidance._MODELS.update(known)
    assert said in str(raised.value)


def test_functions_of_an_answer_are_compiled_where_they_are_not():
    kind = S.AnswerKind("Shifted", (namedtuple("Shifted", "start"),), {})
    def density(answer, value): return answer.start - value if value >= answer.start else -np.inf
    def draw(answer, rng): return answer.start + rng.standard_exponential()
    def mean(answer): return answer.start + 1
    S.add_density(kind, density, draw, mean, support="a number from start on")
    try:
        assert S.check_density(kind(2.)) < 8 and S.mean_answer(kind(2.)) == 3
        cell = made(
            Cell, does="rating", gets="outcome", state=dict(x=1), response=lambda p, state, trial: kind(state.x[0])
        )
        said = S.draw_answer(kind(0.), 1, n=50)
        trials = Trials.from_arrays(participant=np.zeros(50, int), does=dict(rating=said), gets=dict(outcome=said))
        assert (said >= 0).all() and nll(cell(), trials=trials).iloc[0] == pytest.approx(said.sum())
    finally: del S.density.DENSITIES[kind]


# Arrays of any layout

class Sees(Cell):
    "All that trials can hold goes into a choice."
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 20))
    sees, gets, state = ("size", "hour"), ("shown", "late"), ("q",)
    def logit(p, state, trial, option): return p.beta * state.q[option] * trial.size[option] + trial.hour
    def update(p, state, trial):
        told = trial.reward[trial.choice] + trial.shown[trial.choice] * trial.late + trial.context
        state.q[trial.choice] += p.alpha * (told - state.q[trial.choice])


N = 24
RNG = np.random.default_rng(0)
PLAIN = dict(choice=RNG.integers(3, size=N), reward=RNG.random((N, 3)), participant=np.repeat([0, 1], N // 2),
             session=np.repeat(np.arange(4), N // 4) % 2, offer=RNG.permuted(np.tile([0, 1, 2], (N, 1)), axis=1),
             context=RNG.integers(2, size=N), counted=RNG.random(N) < .9)
MORE = dict(size=RNG.random((N, 3)), hour=RNG.random(N), shown=RNG.random((N, 3)), late=RNG.random(N))


def strided(x):
    "Every other row of an array that is twice as long."
    return np.repeat(x, 2, axis=0)[::2]


def sliced(x):
    "Every other column of an array that is twice as wide."
    return np.repeat(x, 2, axis=-1)[..., ::2]


def turned(x): return x[::-1].copy()[::-1]


def locked(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def trials_of(changed=None, how=None):
    plain, more = dict(PLAIN), dict(MORE)
    if changed in plain: plain[changed] = how(plain[changed])
    elif changed: more[changed] = how(more[changed])
    return Trials.from_arrays(**plain, sees={n: more[n] for n in Sees.sees}, gets={n: more[n] for n in Sees.gets})


@pytest.fixture(scope="module")
def straight(): return trials_of(), nll(Sees(), trials=trials_of())


@pytest.mark.parametrize("how", [np.asfortranarray, strided, sliced, turned, locked], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", [*PLAIN, *MORE])
def test_arrays_of_any_layout(name, how, straight):
    trials = trials_of(name, how)
    assert trials.equals(straight[0])
    arrays = [getattr(trials, n) for n in PLAIN] + list(trials.columns.values())
    assert all(x.flags.c_contiguous for x in arrays)
    np.testing.assert_array_equal(nll(Sees(), trials=trials), straight[1])
    part = Trials(**{n: how(getattr(trials, n)) if n == name else getattr(trials, n) for n in PLAIN},
                  options=trials.options, participants=trials.participants, _frame=trials._frame, _rows=trials._rows,
                  columns={n: how(x) if n == name else x for n, x in trials.columns.items()})
    np.testing.assert_array_equal(nll(Sees(), trials=part), straight[1])


def test_one_row_stands_for_all_and_the_callers_arrays_stay_theirs():
    assert TRIALS.offer.strides[0] == 0
    choice = np.array([0, 1, 0, 1])
    Trials.from_arrays(choice, np.ones(4))
    choice[0] = 1   # still to be written to
