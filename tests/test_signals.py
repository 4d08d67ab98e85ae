"Trial by trial: what a cell thinks, against the rules run by hand; and events that BIDS readers can use"
import numpy as np
import pandas as pd
import pytest
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, Cell, Param, Trials, avoidance_model, fit_hierarchical, nll
from spice_rl import read_trials, simulate, to_events, trialwise

AGENT = AgentQ(alpha_reward=.4, alpha_penalty=.1, beta_reward=3., beta_choice=.7, alpha_choice=.5)


class Slow(Cell):
    "A value that forgets on its own, too"
    params = dict(alpha=Param(.3, 0, 1), phi=Param(.2, 0, 1), beta=Param(3., 0, 20))
    state = "q",
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, k): return p.beta * state.q[k]
    def update(p, state, trial):
        state.q[trial.choice] = (1 - p.phi) * state.q[trial.choice] + p.alpha * (
            trial.reward[trial.choice] - state.q[trial.choice]
        )


@pytest.fixture(scope="module")
def trials():
    truth = pd.DataFrame(dict(alpha_reward=[.2, .6, .4], beta_reward=[2., 5., 3.]), index=["a", "b", "c"])
    return simulate(AGENT, BanditsDrift(.1), truth, n_trials=40, sessions=2, seed=4)


def test_against_the_rules_by_hand(trials):
    frame, row = trialwise(AGENT, trials), 0
    p = AGENT.p()
    for s in range(trials.n_sessions):
        q, h = np.full(2, .5), np.zeros(2)
        for t in range(trials.starts[s], trials.starts[s + 1]):
            k, got = trials.choice[t], frame.iloc[t]
            x = p.beta_reward * q + p.beta_choice * h
            prob = np.exp(x) / np.exp(x).sum()
            r = trials.reward[t, k]
            np.testing.assert_allclose(
                [got.p_0, got.p_1, got.p_chosen, got.surprise, got.x_value_reward_chosen, got.reward],
                [*prob, prob[k], -np.log(prob[k]), q[k], r],
                rtol=1e-9,
            )
            rate = p.alpha_reward if r > .5 else p.alpha_penalty
            np.testing.assert_allclose(
                [got.x_value_reward_pe, got.x_value_reward_change], [r - q[k], rate * (r - q[k])], atol=1e-6
            )
            q[k] += rate * (r - q[k])
            h += p.alpha_choice * ((np.arange(2) == k) - h)
    assert frame.x_value_choice_pe.isna().all()
    assert frame.counted.all()
    assert list(frame.choice[:5]) == [trials.options[k] for k in trials.choice[:5]]


def test_surprise_is_the_likelihood(trials):
    parameters = fit_hierarchical(
        AGENT,
        trials,
        hold=dict(
            alpha_counterfactual_reward=0.,
            alpha_counterfactual_penalty=0.,
            forget_rate=0.,
            alpha_penalty=.1,
            beta_choice=.7,
            alpha_choice=.5,
        ),
    ).parameters
    frame = trialwise(AGENT, trials, parameters)
    np.testing.assert_allclose(frame.groupby("participant").surprise.sum(), nll(AGENT, parameters, trials), rtol=1e-9)


def test_expected_reward_of_another_rule(trials):
    "With a decay the value that stays where it is expects more than itself: q (alpha + phi) / alpha"
    frame = trialwise(Slow(), trials)
    np.testing.assert_allclose(frame.q_pe, frame.reward - frame.q_chosen * (.3 + .2) / .3, atol=1e-6)


def test_avoidance_with_transfer():
    model = avoidance_model("ActorCritic")
    trials = simulate(model, AvoidanceTask(n_transfer=2), people=3, seed=1)
    frame = trialwise(model, trials)
    hidden = np.isnan(trials.reward).all(1)
    pe = [c for c in frame if c.endswith("_pe")]
    assert len(frame) == trials.n_trials
    assert hidden.any()
    assert frame.loc[hidden, pe].isna().all().all()
    assert frame.loc[~hidden, pe].notna().any().any()
    np.testing.assert_allclose(
        frame.groupby("participant", sort=False).surprise.sum(), nll(model, None, trials), rtol=1e-9
    )


def test_gaps_and_columns():
    trials = read_trials(
        pd.DataFrame(
            dict(
                who="x",
                choice=["l", None, "r", "l"],
                pay=[1., np.nan, np.nan, 0.],
                onset=[.5, 3., 5.5, 8.],
                rt=[.4, np.nan, .5, .3],
            )
        ),
        participant="who",
        choice="choice",
        reward="pay",
        options=["l", "r"],
    )
    frame = trialwise(AGENT, trials, keep=["onset", "rt"])
    assert frame.choice.fillna("").tolist() == ["l", "", "r", "l"]
    assert frame.x_value_reward_pe.isna().tolist() == [False, True, True, False]
    assert frame.surprise.isna().tolist() == [False, True, False, False]
    events = to_events(frame, trial_type="choice", columns=["surprise", "rt"])
    assert list(events) == ["onset", "duration", "trial_type", "surprise", "rt"]
    assert events.onset.tolist() == [.5, 3., 5.5, 8.]
    with pytest.raises(ValueError, match="no column of the trials"): trialwise(AGENT, trials, keep=["offset"])
    with pytest.raises(ValueError, match="a column of the result"): trialwise(AGENT, trials, keep=["choice"])


def test_files(trials, tmp_path):
    frame = trialwise(AGENT, trials).assign(onset=np.tile(np.arange(40.), 6))
    frame.loc[3, "reward"] = np.nan
    to_events(frame, duration=2., columns=["reward", "x_value_reward_pe"], folder=tmp_path, task="drift")
    files = sorted(f.name for f in tmp_path.rglob("*.tsv"))
    assert files == [f"sub-{p}_task-drift_run-{r}_events.tsv" for p in "abc" for r in (1, 2)]
    text = (tmp_path / "sub-a" / "func" / files[0]).read_text().splitlines()
    assert text[0].split("\t") == ["onset", "duration", "trial_type", "reward", "x_value_reward_pe"]
    assert text[4].split("\t")[3] == "n/a"
    assert len(text) == 41
    with pytest.raises(ValueError, match="stand for two"):
        to_events(frame.assign(participant=frame.participant.map(dict(a="s-1", b="s1", c="s2"))), folder=tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(onset="nowhere"), "no column 'nowhere'"),
        (dict(onset=np.arange(3.)), "must be seconds"),
        (dict(onset=np.nan), "is nan"),
        (dict(onset=0., duration=-1.), "is -1"),
        (dict(onset=np.arange(240.)[::-1]), "lies before"),
        (dict(onset=0., columns=["x"]), "no column 'x'"),
    ],
)
def test_bad_events(trials, change, message):
    with pytest.raises(ValueError, match=message): to_events(trialwise(AGENT, trials), **change)
