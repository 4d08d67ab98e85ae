"""Simulations and replays stop where the likelihood would, and wrong calls say what was wrong."""
import warnings

import numpy as np
import pandas as pd
import pytest

from spice_rl.core import loops, wide
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, BanditsFixed, Cell, Lanes, Param, RescorlaWagner, Trials
from spice_rl import explore, gradient, hessian, nll, parameter_recovery, play, replay, simulate, softmax


class Hidden(RescorlaWagner):
    "Reads rewards that are not shown, so its values become NaN."
    def update(p, state, trial):
        for k in range(2): state.q[k] += p.alpha * (trial.reward[k] - state.q[k])


class Runaway(Cell):
    "Values double until they are infinite."
    params = dict(a=Param(1.))
    state = 'q',
    def init(p, state): state.q[:] = 1.
    def logits(p, state, trial): return state.q
    def update(p, state, trial):
        state.q[trial.choice] *= 1e30
        state.q[1 - trial.choice] *= .5


class Never(RescorlaWagner):
    "An option that is never taken: a logit of -infinity is no breakdown."
    def logits(p, state, trial): return np.array([0., -np.inf])


TRIALS = simulate(RescorlaWagner(), BanditsDrift(), people=3, n_trials=30, seed=1)


@pytest.mark.parametrize("cell", [Hidden(), Runaway()])
def test_simulation_stops_with_person_and_trial(cell):
    with pytest.raises(FloatingPointError, match=r"has NaN or infinite logits at trial \d+ of simulated participant 0"):
        simulate(cell, BanditsDrift(), people=2, n_trials=200, seed=1)


def test_the_same_person_is_named_by_any_number_of_threads():
    said = []
    for threads in (1, 2):
        with pytest.raises(FloatingPointError) as error:
            simulate(Hidden(), BanditsDrift(), people=6, n_trials=50, seed=1, threads=threads)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_play_stops_too():
    full = simulate(RescorlaWagner(), BanditsFixed(counterfactual=True), people=2, n_trials=50, seed=1)
    with pytest.raises(FloatingPointError, match="simulated participant 0"): play(Runaway(), None, full)


def test_minus_infinity_is_a_choice_never_made():
    assert (simulate(Never(), BanditsDrift(), n_trials=50, seed=1).choice == 0).all()


def test_replay_says_nothing_rather_than_zero_and_one():
    with pytest.warns(UserWarning, match="NaN or infinite logits from trial 1 of participant 0 on"):
        table = replay(Hidden(), TRIALS)
    first = table.trial == 0
    assert table.loc[first, ["p_0", "p_1"]].eq(.5).all(axis=None)
    assert table.loc[~first, ["p_0", "p_1"]].isna().all(axis=None)


def test_softmax_of_what_is_not_on_offer_and_of_nothing():
    assert softmax(np.array([0., np.nan, 0.])).tolist() == [.5, 0., .5]
    assert softmax(np.array([0., -np.inf])).tolist() == [1., 0.]
    assert np.isnan(softmax(np.array([np.inf, 0.]))).all() and np.isnan(softmax(np.full(2, np.nan))).all()


def test_play_refuses_outcomes_that_nobody_knows():
    with pytest.raises(
        ValueError,
        match=r"these trials hide \(NaN\) what the options that were not chosen would have paid \(participant 0",
    ):
        play(RescorlaWagner(), None, TRIALS)
    full = simulate(RescorlaWagner(), BanditsDrift(counterfactual=True), people=2, n_trials=30, seed=1)
    assert play(RescorlaWagner(), None, full, times=3).shape == (3, 60)


def test_rewards_that_a_cell_does_not_presume():
    points = Trials.from_arrays(TRIALS.choice, TRIALS.reward * 2 - 1, TRIALS.participant, options=[0, 1])
    with pytest.warns(
        UserWarning, match="rewards go from -1 to 1, and RescorlaWagner starts as for rewards from 0 to 1"
    ):
        nll(RescorlaWagner(), trials=points)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        nll(RescorlaWagner(), trials=TRIALS)
    assert not said
    with pytest.raises(ValueError, match="takes the outcome that was not shown for 1 − reward"):
        nll(AgentQ(alpha_counterfactual_reward=.3), trials=points)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: nll(RescorlaWagner(), TRIALS), TypeError, r"write nll\(cell, trials=trials\)"),
        (lambda: nll(RescorlaWagner()), TypeError, "trials must be Trials, got nothing"),
        (
            lambda: gradient(RescorlaWagner(), None, TRIALS.to_frame()),
            TypeError,
            "trials must be Trials, got DataFrame",
        ),
        (lambda: hessian(RescorlaWagner(), TRIALS), TypeError, "parameters come before trials"),
        (
            lambda: nll(RescorlaWagner(), [.3, 3], TRIALS),
            TypeError,
            "parameters must be None, a dict of numbers or a frame",
        ),
        (lambda: nll(RescorlaWagner(), dict(alpha="x"), TRIALS), TypeError, "alpha must be a number, got 'x'"),
        (lambda: replay(TRIALS, RescorlaWagner()), TypeError, "the order is cell first, then trials"),
        (lambda: simulate(RescorlaWagner(), TRIALS), TypeError, "environment must be a task such as BanditsDrift"),
        (lambda: simulate(RescorlaWagner(), BanditsDrift), TypeError, r"write BanditsDrift\(\)"),
        (lambda: simulate(RescorlaWagner(), AvoidanceTask), TypeError, r"write AvoidanceTask\(\)"),
        (lambda: parameter_recovery(RescorlaWagner(), AvoidanceTask, people=2), TypeError, r"write AvoidanceTask\(\)"),
        (lambda: explore(RescorlaWagner(), AvoidanceTask), TypeError, r"write AvoidanceTask\(\)"),
        (
            lambda: simulate(RescorlaWagner(), BanditsDrift(), people=2.5),
            ValueError,
            "people must be a whole number of at least 1, got 2.5",
        ),
        (
            lambda: simulate(RescorlaWagner(), BanditsDrift(), seed=None),
            TypeError,
            "seed must be a whole number of at least 0, got None",
        ),
        (
            lambda: simulate(AgentQ(n_actions=2), BanditsDrift(n_actions=3)),
            ValueError,
            "made for 2 options, and BanditsDrift has 3",
        ),
        (lambda: BanditsDrift(n_actions="2"), TypeError, "n_actions must be a whole number of at least 2, got '2'"),
        (lambda: RescorlaWagner(alpha=None), TypeError, "alpha must be a number, got None"),
        (lambda: Param("a"), TypeError, "default must be a number, got 'a'"),
    ],
)
def test_wrong_calls_are_one_sentence(call, error, words):
    with pytest.raises(error, match=words): call()


class PerCue(Cell):
    "One value per cue, in an array that has one number per option."
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 20))
    state = 'v',
    def init(p, state): state.v[:] = 0.
    def logits(p, state, trial): return np.array([0., p.beta * state.v[trial.context]])
    def update(p, state, trial):
        state.v[trial.context] += p.alpha * (trial.reward[trial.choice] - state.v[trial.context])


def cued(cues):
    return Trials.from_arrays(np.arange(40) % 2, (np.arange(40) % 3 == 0) * 1., context=np.arange(40) % cues)


def test_an_index_out_of_range_is_an_error_whatever_the_data_hold():
    assert np.isfinite(nll(PerCue(), trials=cued(2))).all()
    for call in (
        lambda t: nll(PerCue(), trials=t),
        lambda t: replay(PerCue(), t),
        lambda t: gradient(PerCue(), None, t),
    ):
        with pytest.raises(
            IndexError, match=r"a rule of PerCue reaches for what is not there: index 2 .* context 2, options \[0, 1\]"
        ):
            call(cued(4))


TABLE = np.array([0., 1.])


class Looked(Cell):
    "Reads an array from outside."
    params = dict(beta=Param(1.))
    def init(p, state): pass
    def logits(p, state, trial): return p.beta * TABLE
    def update(p, state, trial): pass


def test_an_array_from_outside_is_read_as_it_is_now():
    right = lambda: -30 * np.log(np.exp(TABLE) / np.exp(TABLE).sum())[0]
    trials = Trials.from_arrays(np.zeros(30, int), np.ones(30), options=[0, 1])
    try:
        assert nll(Looked(), trials=trials).iloc[0] == pytest.approx(right(), abs=1e-12)
        TABLE[1] = 2.
        assert nll(Looked(), trials=trials).iloc[0] == pytest.approx(right(), abs=1e-12)
    finally: TABLE[1] = 1.


class Watcher(Cell):
    "A value that fades on every trial, also where nothing is chosen, and moves toward what is seen."
    params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 20))
    state = 'q',
    watches = True
    def init(p, state): state.q[:] = 1.
    def logits(p, state, trial): return p.beta * state.q
    def update(p, state, trial):
        for k in range(2): state.q[k] *= .9
        if trial.choice >= 0: state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


class Blinker(Watcher):
    watches = False


def by_hand(cell, trials):
    "The likelihood and the states before each choice, by the cell's own methods in plain Python"
    from spice_rl import make_trial
    p, total, states = cell.p(), 0., []
    state = cell.init(p, 2)
    for t in range(len(trials)):
        trial = make_trial(int(trials.choice[t]), trials.reward[t], 2)
        states.append(state.q.copy())
        if trial.choice >= 0: total -= np.log(softmax(cell.logits(p, state, trial)))[trial.choice]
        state = cell.update(p, state, trial)
    return total, np.array(states)


@pytest.mark.parametrize("cell", [Watcher(), Blinker()])
@pytest.mark.parametrize("lanes", [1, 5000])
def test_who_watches_is_updated_where_the_choice_is_missing(cell, lanes):
    choice, reward = np.array([0, -1, 1, -1, -1, 0, 1]), np.array([1., np.nan, 0., np.nan, np.nan, 1., np.nan])
    trials = Trials.from_arrays(choice, reward, options=[0, 1])
    total, states = by_hand(cell, trials)
    assert nll(cell, trials=trials).iloc[0] == pytest.approx(total, abs=1e-12)
    many = Lanes(cell, trials, 1).nll(np.tile([.3, 3.], (lanes, 1)), np.zeros(lanes, int))
    np.testing.assert_allclose(many, total, atol=1e-12)
    np.testing.assert_allclose(replay(cell, trials)[["q_0", "q_1"]], states, atol=1e-12)


def test_watching_differs():
    trials = Trials.from_arrays([0, -1, -1, 1], [1., np.nan, np.nan, 0.], options=[0, 1])
    assert abs(nll(Watcher(), trials=trials).iloc[0] - nll(Blinker(), trials=trials).iloc[0]) > 1e-3
    with pytest.raises(ValueError, match="it cannot be both"):
        class Both(Watcher): needs_feedback = True


def test_contexts_that_nobody_reads_are_said_once():
    trials = Trials.from_arrays(np.arange(12) % 2, np.ones(12), context=np.arange(12) % 2)
    with pytest.warns(UserWarning, match="Blinker never reads trial.context, and these trials have 2 contexts"):
        nll(Blinker(), trials=trials)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        nll(PerCue(), trials=trials)
    assert not said


def test_names_that_no_rule_could_write():
    with pytest.raises(
        ValueError, match="cannot have 'lambda' as a name, since a rule could not write p.lambda; call it lambda_"
    ):
        class Decay(Cell): params = dict([("lambda", Param(.5))])
    with pytest.raises(ValueError, match="call it learning_rate_"):
        class Rate(Cell): params = {"learning rate": Param(.5)}


def test_replay_names_options_by_their_labels():
    trials = Trials.from_arrays([0, 1, 1], [1., 0., 1.], options=["left", "right"])
    assert {"p_left", "logit_right", "q_left"} <= set(replay(RescorlaWagner(), trials))
    odd = Trials.from_arrays([0, 1, 1], [1., 0., 1.], options=["chosen", "other"])   # trialwise has a column p_chosen
    assert {"p_0", "p_1"} <= set(replay(RescorlaWagner(), odd))


@pytest.mark.parametrize("pointers", [False, True])
def test_lanes_may_stand_in_any_memory(pointers):
    "People and parameters that are every second row of a larger array are read like others, by either loop"
    trials = simulate(RescorlaWagner(), BanditsDrift(), people=4, n_trials=30, seed=0)
    theta, who = np.tile([.3, 3., 9.], (8, 1)) * np.linspace(.5, 1., 8)[:, None], np.repeat(np.arange(4), 2)
    apart, lanes = (theta[::2, :2], who[::2]), Lanes(RescorlaWagner(), trials, 1)
    together = tuple(map(np.ascontiguousarray, apart))
    if pointers: lanes.loop = None
    assert not apart[0].flags.contiguous and not apart[1].flags.contiguous
    np.testing.assert_array_equal(lanes.nll(*apart), lanes.nll(*together))
    for one, other in zip(lanes.scoring(*apart), lanes.scoring(*together)): np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize("home", [loops._draw, wide._pick])
def test_an_option_without_weight_is_never_drawn(home, greedy):
    """The sum of weights is rounded, so the largest luck can leave something over: it belongs to the last option
    that has a weight"""
    shaped = (lambda x: x[:, None].copy()) if home is loops._draw else np.copy
    for k in range(1, 100):
        x = np.r_[-np.inf, -np.log(1 + np.arange(100) * k / 7), -800., -np.inf]
        assert home(shaped(x), np.arange(len(x)), np.nextafter(1, 0), greedy) == (
            1 if greedy else home(shaped(x[:-2]), np.arange(len(x) - 2), np.nextafter(1, 0), greedy)
        )
    few = np.log([1., 2., 1.])
    assert [home(shaped(few), np.arange(3), u, False) for u in (0., .2, .3, .7, .8, np.nextafter(1, 0))] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
