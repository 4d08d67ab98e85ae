"""People beside simulated people: what is counted is counted again by plain loops; how people are simulated is the
strongest way that the trials allow, and said"""
import numpy as np
import pandas as pd
import pytest

from scipy import stats

from spice_rl import BanditsFixed, BanditsFlip, Cell, Param, RescorlaWagner, Trials, check_fit, fit, fit_hierarchical
from spice_rl import read_trials, run_statistics, simulate, task_example, task_model, to_line
from spice_rl.output.checkup import _any, _Compared, _distances, _share
from spice_rl.output.simulated_people import _thetas
from spice_rl.output.views import _Design, _panels, _steadiness

PEOPLE = pd.DataFrame(dict(alpha=[.2, .5, .8], beta=4.), index=["a", "b", "c"])


@pytest.fixture(scope="module")
def trials(): return simulate(RescorlaWagner(), BanditsFlip(flip=.05), PEOPLE, sessions=2, n_trials=60, seed=3)


def missing(trials):
    "The same with every seventh choice missing"
    gone = np.arange(len(trials)) % 7 == 2
    frame = trials.to_frame()
    return Trials.from_arrays(
        np.where(gone, -1, trials.choice),
        np.where(gone[:, None], np.nan, trials.reward),
        np.array(trials.participants)[trials.participant],
        trials.session % 2,
        extra={k: frame[k].to_numpy() for k in ("p_0", "p_1")},
    )


def test_what_is_counted_is_the_definition(trials):
    t = missing(trials)
    p, found, middle = t.to_frame()[["p_0", "p_1"]].to_numpy(), _panels(_Design(t, 10), t.choice), np.nanmean(t.reward)
    hits, stays, since = {}, {}, {}
    for s in range(t.n_sessions):
        rows, who, run = range(t.starts[s], t.starts[s + 1]), t.participant[t.starts[s]], 0
        changes = [r for r in rows[1:] if p[r].argmax() != p[r - 1].argmax()]
        for r in rows:
            c, best, before = t.choice[r], p[r].argmax(), t.choice[r - 1] if r > rows[0] else -1
            if c >= 0: hits.setdefault((who, (r - rows[0]) // 6), []).append(c == best)
            if before >= 0 and c >= 0:
                size = 0 if run == 1 else 1 if run == 2 else 2 if run <= 5 else 3
                stays.setdefault((who, (0 if t.reward[r - 1, before] > middle else 4) + size), []).append(c == before)
            run = run + 1 if c >= 0 and c == before else 1
            after = max((x for x in changes if x <= r), default=None)
            until = min((x for x in changes if x > r), default=None)
            if until is not None and until - r <= 5: key, new = r - until, p[until].argmax()
            elif after is not None and r - after <= 14: key, new = r - after, best
            else: continue
            if c >= 0: since.setdefault((who, key + 5), []).append(c == new)
    for panel, judge in dict(learning=hits, repeat=stays, reversal=since).items():
        there = {tuple(i) for i in np.argwhere(np.isfinite(found[panel]))}
        assert there == set(judge), panel
        for at, values in judge.items(): assert found[panel][at] == pytest.approx(np.mean(values)), (panel, at)


def test_the_way_is_the_strongest_there_is(trials):
    said = check_fit(RescorlaWagner(), trials, times=20)
    assert said.way == "schedule" and "own schedule" in said.how
    frame, who = trials.to_frame(), np.array(trials.participants)[trials.participant]
    other = Trials.from_arrays(
        trials.choice,
        trials.reward,
        who,
        trials.session % 2,
        extra={"p_0": .01 + 0 * frame.p_0, "p_1": .01 + 0 * frame.p_0},
    )
    said = check_fit(RescorlaWagner(), other, times=20)
    assert said.way == "one step ahead"
    assert "0.01 of the choices should have been rewarded" in said.how
    assert said.runs is None
    shown = simulate(RescorlaWagner(), BanditsFlip(counterfactual=True), PEOPLE, n_trials=60, seed=1)
    assert check_fit(RescorlaWagner(), shown, times=20).way == "own trials"
    said = check_fit(RescorlaWagner(), trials, BanditsFlip(flip=.05), times=20)
    assert said.way == "environment" and "BanditsFlip" in said.how and "reversal" in said.tests.index


def test_a_model_that_looks_at_what_people_did_not_see_goes_one_step_ahead(trials):
    class Peeks(Cell):
        "Learns from all rewards that are there"
        params = dict(alpha=Param(.3, 0, 1), beta=Param(3., 0, 20))
        state = "q",
        def init(p, state): pass
        def logits(p, state, trial): return p.beta * state.q
        def update(p, state, trial):
            for k in range(len(state.q)):
                if trial.reward[k] == trial.reward[k]: state.q[k] += p.alpha * (trial.reward[k] - state.q[k])
    said = check_fit(Peeks(), trials, times=20)
    assert said.way == "one step ahead" and "learns from what the other options paid" in said.how


def test_same_seed_same_table_and_missing_stays_missing(trials):
    t = missing(trials)
    one, again, other = (check_fit(RescorlaWagner(), t, times=20, seed=s) for s in (5, 5, 6))
    assert one.table.equals(again.table) and not one.table.equals(other.table)
    assert one.table.people.equals(other.table.people)
    assert ((one.table.low <= one.table.simulated + 1e-9) & (one.table.simulated <= one.table.high + 1e-9)).all()


def test_farthest_point_against_each_study():
    rng = np.random.default_rng(0)
    studies = rng.normal(size=(99, 6))
    assert _share(_distances(np.r_[9., np.zeros(5)], studies)) == .01
    assert _share(_distances(studies.mean(0), studies)) == 1


def test_response_times_of_a_density(trials):
    t = task_example("choiceRT")
    said = check_fit(task_model("choiceRT_ddm"), t, times=20)
    assert said.way == "own trials" and "rt" in said.tests.index
    rt = said.table[said.table.panel == "rt"]
    own = [
        np.quantile(next(t.columns[n] for n in t.does if n != "choice")[(t.participant == i) & (t.choice == 1)], .5)
        for i in range(t.n_participants)
    ]
    row = rt[(rt.x == .5) & (rt.line == rt.line.iloc[0])]
    assert row.people.item() == pytest.approx(np.mean(own))


def test_response_times_that_no_model_speaks_of(trials):
    frame, n = trials.to_frame(), len(trials)
    t = Trials.from_arrays(
        trials.choice,
        trials.reward,
        np.array(trials.participants)[trials.participant],
        trials.session % 2,
        extra=dict(rt=np.random.default_rng(1).gamma(3, .2, n), p_0=frame.p_0.to_numpy(), p_1=frame.p_1.to_numpy()),
    )
    said = check_fit(RescorlaWagner(), t, times=20)
    assert said.table[said.table.panel == "rt"].simulated.isna().all()
    assert "says nothing of response times" in said.notes[0]
    assert np.isnan(said.tests.p["rt"])
    figure, axs = said.plot()
    assert len(axs) == 6 and [ax.get_title("left") for ax in axs][-1] == "Response times"
    with pytest.raises(ValueError, match="unknown column"): check_fit(RescorlaWagner(), t, times=20, rt="rtt")


def test_what_cannot_be_checked(trials):
    for wrong in (trials, "QLearning", PEOPLE):
        with pytest.raises(TypeError, match="found must be what fit"): check_fit(wrong, trials)
    with pytest.raises(TypeError, match="trials must be Trials"): check_fit(RescorlaWagner(), trials.to_frame())
    with pytest.raises(ValueError, match="at least 20"): check_fit(RescorlaWagner(), trials, times=3)
    with pytest.raises(TypeError, match="environment must be a task"): check_fit(RescorlaWagner(), trials, trials)


def test_statistics_of_all_people_at_once_are_those_of_run_statistics(trials):
    rng = np.random.default_rng(2)
    short = trials.take(participants=["a", "c"])
    frame = missing(trials)
    for t in (
        trials,
        short,
        frame,
        Trials.from_arrays(rng.integers(0, 2, 9), np.ones(9), ["x", "x", "x", "y", "y", "y", "y", "y", "z"]),
    ):
        judge = run_statistics(t)[["repeat", "run_correlation", "repeat_sd"]].to_numpy(float)
        np.testing.assert_allclose(_steadiness(t), judge, atol=1e-12)


def test_one_p_allows_for_all_that_was_looked_at():
    rng = np.random.default_rng(1)
    studies = [dict(learning=rng.normal(size=(1, 5)), repeat=rng.normal(size=(1, 8))) for _ in range(200)]
    c = _Compared(dict(learning=np.full((1, 5), 2.6), repeat=np.zeros((1, 8))), studies, {})
    far = c.farthest()
    alone, together = _share(far["learning"]), _share(np.r_[far["learning"][0], _any(far)[1:]])
    by_hand = 1 + sum(max(far["learning"][i], far["repeat"][i]) >= far["learning"][0] for i in range(1, 201))
    assert together == by_hand / 201 and alone < together
    again = [{k: x + (3 if k == "learning" else 0) for k, x in s.items()} for s in studies[:10]]
    before = c.studies["learning"].copy()
    c.correct(again)   # what fitting moves is taken off
    np.testing.assert_allclose(c.studies["learning"], before - 3)
    assert c.corrected


def test_whose_parameters(trials):
    found = fit(RescorlaWagner(), trials, starts=1)
    plain, anew = check_fit(found, trials, times=20, refits=0), check_fit(found, trials, times=20, refits=10)
    assert "as they are" in plain.how and "fitted and simulated once more" in anew.how
    assert plain.table.people.equals(anew.table.people) and not plain.table.simulated.equals(anew.table.simulated)
    drawn_to_a_prior = fit(
        RescorlaWagner(), trials, starts=1, priors=dict(alpha=stats.beta(60, 40), beta=stats.gamma(60, scale=.05))
    )
    assert "finds others" in check_fit(drawn_to_a_prior, trials, times=20, refits=10).how
    together = fit_hierarchical(RescorlaWagner(), trials)
    said = check_fit(together, trials, times=20)
    assert "drawn anew in each study" in said.how
    with pytest.raises(
        ValueError, match="refits=10: nobody can be fitted anew, since parameters are not those of `fit`"
    ):
        check_fit(together, trials, times=20, refits=10)
    with pytest.raises(ValueError, match="one step ahead"): check_fit(found, bare(trials), times=20, refits=10)
    # of more people than these
    some = check_fit(found, trials.take(participants=["b", "c"]), BanditsFlip(flip=.05), times=20)
    assert some.way == "environment"


def test_draws_are_those_of_the_posterior(trials):
    found = fit_hierarchical(RescorlaWagner(), trials)
    frames = _thetas(found, found.cell, found.parameters, trials, 4000, 3)
    line = to_line(np.array([f.to_numpy() for f in frames]), [Param(.5, *found.bounds[n]) for n in found.names])
    np.testing.assert_allclose(line.mean(0), found.modes, atol=.08 * np.sqrt(found.covariances.max()))
    for i in range(3):
        np.testing.assert_allclose(np.cov(line[:, i].T), found.covariances[i], atol=.08 * found.covariances[i].max())


def bare(trials):
    "The same without a schedule"
    return Trials.from_arrays(
        trials.choice, trials.reward, np.array(trials.participants)[trials.participant], trials.session % 2
    )


def test_estimates_of_each_alone_give_way_to_a_joint_fit_one_step_ahead():
    """The model is right, and many people's noisy estimates are told from them; draws of a joint fit are not, unless
    the user wants the estimates"""
    rng, n = np.random.default_rng(1), 250
    truth = pd.DataFrame(dict(alpha=rng.beta(3, 4, n), beta=rng.gamma(4, 1, n)), index=[f"p{i}" for i in range(n)])
    t = bare(simulate(RescorlaWagner(), BanditsFlip(flip=.03), truth, n_trials=25, seed=6))
    found = fit(RescorlaWagner(), t, starts=2)
    alone, said = check_fit(found, t, times=40, refits=0), check_fit(found, t, times=40)
    assert alone.remarks() and "as they are" in alone.how and any("follow the luck" in x for x in alone.notes)
    assert not said.remarks() and "fitted together" in said.how and not said.notes
    assert said.table.people.equals(alone.table.people)


def test_a_joint_fit_holds_what_was_held_and_keeps_bounds(trials):
    from spice_rl.output.simulated_people import _joint
    found = fit(RescorlaWagner(), trials, starts=1, bounds=dict(alpha=(.1, .6)), hold=dict(beta=4.))
    frames = _joint(found, trials, 20, 0)
    assert len(frames) == 20 and all((f.beta == 4.).all() and f.alpha.between(.1, .6).all() for f in frames)
    assert not frames[0].alpha.equals(frames[1].alpha)


def test_columns_that_do_not_say_what_was_paid_say_nothing_of_the_better_option():
    "Options were named anew, and p_0 is the other one's: whoever is told by it would have chosen the worse option."
    trials = simulate(RescorlaWagner(alpha=.4, beta=6.), BanditsFixed(.9, .1), people=6, n_trials=60, seed=1)
    frame = trials.to_frame()
    turned = read_trials(frame.assign(choice=frame.choice.map({0: "right", 1: "left"})), block="session", trial="trial")
    assert _Design(trials, 10).what == "the better option"
    assert _Design(turned, 10).what == "the option chosen most often"
    checked = check_fit(fit(RescorlaWagner(), turned, starts=1), turned, times=20)
    assert "reversal" not in checked.tests.index
    assert set(checked.table.line[checked.table.panel == "learning"]) == {"the option chosen most often"}
