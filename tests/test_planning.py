"""`power`: what a study of a given size would recover"""
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spice_rl import AvoidanceTask, BanditsDrift, avoidance_model, correlation_power, plot_power, power
from worlds import TwoRates

TASK = BanditsDrift(sigma=.2)


@pytest.fixture(scope="module")
def plan():
    return power(TwoRates(), TASK, people=[20, 80], trials=[25, 250], bounds=dict(beta=(1, 8)), starts=2, seed=3)


def test_more_trials_recover_more(plan):
    r = plan.table[plan.table.people == 80].pivot(index="parameter", columns="trials", values="r")
    assert (r[250] > r[25] + .1).all()
    needed = plan.table.pivot_table(index="parameter", columns="trials", values="people_for_80")
    assert (needed[250] < needed[25]).all() and (needed > 84).all().all()   # a perfect estimate takes 85


def test_more_people_narrow_the_range_and_find_more(plan):
    t = plan.table.set_index(["trials", "parameter", "people"])
    width = (t.r_high - t.r_low).unstack("people")
    assert (width[80] < width[20]).all() and (t.power.unstack("people")[80] > t.power.unstack("people")[20]).all()
    assert (t.r.unstack("people")[80] == t.r.unstack("people")[20]).all()


def test_power_is_what_studies_find():
    rng, n, rho = np.random.default_rng(0), 40, .35
    x = rng.standard_normal((4000, n))
    y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((4000, n))
    z = [(a - a.mean(1, keepdims=True)) / a.std(1, keepdims=True) for a in (x, y)]
    r = (z[0] * z[1]).mean(1)
    found = np.mean(2 * stats.t.sf(abs(r) * np.sqrt((n - 2) / (1 - r**2)), n - 2) < .05)   # Pearson's test
    assert correlation_power(rho, n) == pytest.approx(found, abs=.025)


def test_the_range_of_r_is_what_studies_find(plan):
    "Fisher's range against studies of twenty people simulated anew"
    from spice_rl import parameter_recovery
    r = parameter_recovery(TwoRates(), TASK, people=1200, n_trials=25, bounds=dict(beta=(1, 8)), starts=1, seed=9).table
    alpha = r[r.parameter == "alpha"]
    found = [np.corrcoef(alpha.true[i:i + 20], alpha.fitted[i:i + 20])[0, 1] for i in range(0, 1200, 20)]
    row = plan.table.query("trials == 25 and parameter == 'alpha' and people == 20").iloc[0]
    assert .85 <= np.mean((np.array(found) > row.r_low) & (np.array(found) < row.r_high)) <= 1


def test_words(plan):
    assert plan.smallest()["alpha"] == 250
    assert "alpha: recovered with r ≥ 0.8 from 250 trials on" in repr(plan)
    assert "<table" in plan._repr_html_()
    hard = power(TwoRates(), TASK, people=[20], trials=[10], bounds=dict(beta=(1, 8)), starts=1)
    assert np.isnan(hard.smallest()["alpha"]) and "plan more trials, or another task" in hard.notes()[0]
    assert set(plan.warnings) == {25, 250}


def test_models_are_told_apart_better_with_more_trials(tmp_path):
    models = [avoidance_model(m) for m in ("QLearning", "Advantage")]
    bounds = {m: dict(temperature=(.05, .2)) for m in ("QLearning", "Advantage")}
    options = dict(people=[5, 40], trials=[1, 24], bounds=bounds, starts=1, folder=tmp_path)
    task = lambda n: AvoidanceTask(n_learning=n, n_transfer=1)
    t = power(models, task, **options).table
    # a Q-learner is simpler, so BIC finds it with few trials, too
    found = t[(t.people == 40) & (t.model == "Advantage")].set_index("trials").identified
    assert found[24] > found[1] + .1
    group = t.pivot_table(index=["model", "trials"], columns="people", values="as_group")
    assert (group[40] >= group[5]).all()
    pd.testing.assert_frame_equal(power(models, task, **options).table, t)   # from the pieces that were kept
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1 trials", "24 trials"]
    assert len(plot_power(power(models, task, **options))[1]) == 3


def test_same_seed_same_table():
    a, b, c = (
        power(TwoRates(), TASK, people=[10], trials=[30], bounds=dict(beta=(1, 8)), starts=1, seed=s).table
        for s in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(a, b)
    assert not a.r.equals(c.r)


@pytest.mark.parametrize(
    "change, error, why",
    [
        (dict(people=[]), ValueError, "people is empty"),
        (dict(people=[3]), ValueError, "at least 4, got 3"),
        (dict(people=[20.5]), ValueError, "each of people must be a whole number"),
        (dict(trials=[0]), ValueError, "at least 1, got 0"),
        (dict(effect=0), ValueError, "effect must be above 0 and below 1, got 0"),
        (dict(target=1.5), ValueError, "target must be above 0 and below 1, got 1.5"),
        (dict(task=AvoidanceTask()), TypeError, "give a function from the number of trials"),
        (dict(bounds=dict(betta=(1, 2))), ValueError, "did you mean 'beta'"),
    ],
)
def test_wrong_calls(change, error, why):
    with pytest.raises(error, match=why):
        power(**(dict(cells=TwoRates(), task=TASK, people=[10], trials=[20]) | change))


def test_a_task_is_needed():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'task'"): power(TwoRates())
    with pytest.raises(TypeError, match="power needs a task: an environment such as"): power(TwoRates(), None)
