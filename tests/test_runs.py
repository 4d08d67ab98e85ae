"""Runs of choices, counted by hand: missing trials and ends of sessions cut them, and the statistics are those of
the definition"""
from itertools import groupby

import numpy as np
import pandas as pd
import pytest

from spice_rl import AgentQ, BanditsDrift, Trials, compare_runs, repeat_by_run, run_lengths, run_statistics, simulate


def odd_trials(seed, n_options=3):
    rng = np.random.default_rng(seed)
    n = 400
    choice = np.where(rng.random(n) < .07, -1, rng.integers(n_options, size=n))
    choice[1:] = np.where((rng.random(n - 1) < .5) & (choice[:-1] >= 0), choice[:-1], choice[1:])
    reward = np.where((choice < 0) | (rng.random(n) < .1), np.nan, rng.integers(0, 3, n))
    return Trials.from_arrays(
        choice, reward, np.repeat(["b", "a"], n // 2), np.arange(n) // 23, options=range(n_options)
    )


def plain_runs(trials):
    "(participant, session, option, length, whole) of each run, one choice after the other"
    out = []
    for session in range(trials.n_sessions):
        rows = range(trials.starts[session], trials.starts[session + 1])
        who = trials.participants[trials.participant[rows[0]]]
        own = [(k, len(list(g))) for k, g in groupby(trials.choice[r] for r in rows)]
        for i, (option, length) in enumerate(own):
            whole = 0 < i < len(own) - 1 and own[i - 1][0] >= 0 and own[i + 1][0] >= 0
            if option >= 0: out.append((who, session, option, length, whole))
    return out


@pytest.mark.parametrize("seed", range(4))
def test_runs_and_statistics_are_the_definition(seed):
    trials = odd_trials(seed)
    runs = run_lengths(trials)
    mine = runs[["participant", "session", "option", "length", "whole"]]
    assert [tuple(r) for r in mine.itertuples(index=False)] == plain_runs(trials)
    table = run_statistics(trials)
    assert list(table.index) == list(trials.participants)
    for who in trials.participants:
        own = [r for r in plain_runs(trials) if r[0] == who]
        pairs, at = [], 0
        for session in {r[1] for r in own}:
            rows = list(range(trials.starts[session], trials.starts[session + 1]))
            lengths, whole = [], []
            for option, group in groupby(trials.choice[r] for r in rows):
                lengths.append(len(list(group)))
                whole.append(option >= 0)
            for i in range(len(lengths) - 1):
                inside = i >= 1 and i + 1 < len(lengths) - 1 and all(whole[i - 1:i + 3])
                if inside: pairs.append((np.log(lengths[i]), np.log(lengths[i + 1])))
        assert table.runs[who] == len(pairs)
        assert table.run_correlation[who] == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1], abs=1e-12)
        stays = [
            trials.choice[r] == trials.choice[r - 1]
            for r in np.flatnonzero(np.array(trials.participants, object)[trials.participant] == who)
            if r and trials.session[r] == trials.session[r - 1] and min(trials.choice[r], trials.choice[r - 1]) >= 0
        ]
        assert table["repeat"][who] == pytest.approx(np.mean(stays), abs=1e-12)


def test_repeats_by_run_and_reward():
    trials = odd_trials(9)
    counted = {}
    shown = [trials.reward[r, trials.choice[r]] for r in range(trials.n_trials - 1)
             if trials.choice[r] >= 0 and trials.choice[r + 1] >= 0 and trials.session[r] == trials.session[r + 1]]
    middle, so_far = np.nanmean(shown), 0
    for r in range(trials.n_trials - 1):
        c, after = trials.choice[r], trials.choice[r + 1]
        again = r and c >= 0 and c == trials.choice[r - 1] and trials.session[r] == trials.session[r - 1]
        so_far = so_far + 1 if again else 1
        if c < 0 or after < 0 or trials.session[r] != trials.session[r + 1] or np.isnan(trials.reward[r, c]): continue
        run = "1" if so_far == 1 else "2" if so_far == 2 else "3 to 5" if so_far < 6 else "6 or more"
        key = (
            (trials.participants[trials.participant[r]], run),
            "rewarded" if trials.reward[r, c] > middle else "not rewarded",
        )
        counted.setdefault(key, []).append(after == c)
    table = repeat_by_run(trials)
    assert {(i, k) for i, row in table.iterrows() for k in table if not np.isnan(row[k])} == set(counted)
    for (i, k), stays in counted.items(): assert table.loc[i, k] == pytest.approx(np.mean(stays))


def test_nothing_to_count():
    same = Trials.from_arrays(np.zeros(6, int), np.ones(6), ["a"] * 3 + ["b"] * 3, options=[0, 1])
    table = run_statistics(same)
    assert (table["repeat"] == 1).all() and table.run_correlation.isna().all() and table.repeat_sd.isna().all()
    assert repeat_by_run(same) is None
    with pytest.raises(ValueError, match="no runs"):
        run_lengths(Trials.from_arrays(-np.ones(3, int), np.full(3, np.nan), ["a"] * 3, options=[0, 1]))


def test_a_model_that_made_the_choices_is_not_told_apart():
    people = pd.DataFrame(
        dict(alpha_reward=np.linspace(.2, .6, 12), beta_reward=3.), index=[f"p{i}" for i in range(12)]
    )
    made = [
        simulate(AgentQ(), BanditsDrift(.2), people.assign(alpha_penalty=people.alpha_reward), n_trials=120, seed=seed)
        for seed in range(21)
    ]
    found = compare_runs(made[0], made[1:])
    # one session: nothing between sessions
    assert found.studies == 20 and list(found.table.index) == ["repeat", "run_correlation"]
    assert found.remarks() == []
    with pytest.raises(ValueError, match="at least 20 simulated studies, got one"): compare_runs(made[0], made[1])
