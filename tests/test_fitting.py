"""Fits, comparisons and checks: never worse than another search, the same for the same seed, and honest about what
they do not know"""
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, BanditsFixed, Cell, Lanes, Param, Trials, avoidance_model
from spice_rl import check, compare, cross_validate, fit, fixed_priors, nll, parameter_bounds, read_avoidance
from spice_rl import RescorlaWagner, read_trials, rescorla_wagner_equation, simulate

SHARED = Path(__file__).resolve().parents[2] / "shared"


class TwoParameters(Cell):
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3., 0, 20))
    state = "q",
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, k): return p.beta * state.q[k]
    def update(p, state, trial): state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])


@pytest.fixture(scope="module")
def bandit():
    "Eight people at a bandit"
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(
        dict(alpha=rng.uniform(.1, .8, 8), beta=rng.uniform(2, 8, 8)), index=[f"p{i}" for i in range(8)]
    )
    return simulate(TwoParameters(), BanditsDrift(.1), truth, n_trials=150, seed=1), truth


@pytest.fixture(scope="module")
def avoiding():
    "Six people in two groups at the avoidance task"
    return simulate(
        avoidance_model("Advantage", weighting_factor=.9),
        AvoidanceTask(n_transfer=3, groups={i: "ab"[i % 2] for i in range(6)}),
        people=6,
        seed=2,
    )


# The optimum

def test_as_good_as_another_search(bandit):
    trials, truth = bandit
    found, lanes, rng = fit(TwoParameters(), trials), Lanes(TwoParameters(), trials, 1), np.random.default_rng(0)
    other = [
        min(
            minimize(
                lambda x: lanes.nll(x[None], [i])[0],
                [rng.random(), 20 * rng.random()],
                method="L-BFGS-B",
                bounds=[(0, 1), (0, 20)],
            ).fun
            for _ in range(15)
        )
        for i in range(8)
    ]
    assert (found.nll.to_numpy() <= np.array(other) + 1e-5).all()
    assert (found.nll <= nll(TwoParameters(), truth, trials)).all()
    assert found.table.converged.all() and (found.table.agree >= 2).all()
    np.testing.assert_allclose(found.nll, nll(TwoParameters(), found.parameters, trials), rtol=1e-12)


@pytest.mark.skipif(not (SHARED / "golden/q2_50x200.csv").is_file(), reason="../shared is not here")
def test_golden_optimum():
    "Summed maximum-likelihood NLL of ../shared/golden/q2_50x200.csv, and how well its parameters can be recovered"
    frame = pd.read_csv(SHARED / "golden/q2_50x200.csv")
    truth = pd.read_csv(SHARED / "golden/q2_50x200_truth.csv")
    from spice_rl import read_trials
    who = frame.columns[0]
    trials = read_trials(frame, participant=who, choice="choice", reward="reward")
    found = fit(TwoParameters(), trials)
    assert found.nll.sum() == pytest.approx(3205.6841, abs=.01)
    truth = truth.set_index(truth.columns[0])
    assert [
        np.corrcoef(truth.loc[found.table.index, n], found.table[n])[0, 1] for n in ("alpha", "beta")
    ] == pytest.approx([.850, .694], abs=.005)


@pytest.mark.skipif(not (SHARED / "data/tutorial_learning_data.csv").is_file(), reason="../shared is not here")
def test_best_known_optimum():
    "QLearning+novel on the tutorial's people, whose best NLL is known"
    trials = read_avoidance(SHARED / "data/tutorial_learning_data.csv", SHARED / "data/tutorial_transfer_data.csv")
    assert fit(avoidance_model("QLearning+novel"), trials).nll.sum() == pytest.approx(2942.683, abs=.01)


@pytest.mark.skipif(not (SHARED / "data/tutorial_learning_data.csv").is_file(), reason="../shared is not here")
@pytest.mark.parametrize("model, known", [("Relative+novel", 2586.0261), ("ActorCritic", 2774.7635)])
def test_no_better_optimum_is_known(model, known):
    """Totals of the tutorial's people from thousands of starts: one of them misses 5.5 nats if it believes the first
    ten starts that agree"""
    trials = read_avoidance(SHARED / "data/tutorial_learning_data.csv", SHARED / "data/tutorial_transfer_data.csv")
    assert fit(avoidance_model(model), trials).nll.sum() < known + .01


class Edge(Cell):
    "The logit is 4ab below the line a + b = 1, and falls to -4 beyond it."
    params = dict(a=Param(.2, 0, 1), b=Param(.1, 0, 1))
    state = "q",
    def init(p, state): state.q[0] = 4 * p.a * p.b if p.a + p.b < 1 else -4.
    def logit(p, state, trial, k): return state.q[k]
    def update(p, state, trial): pass


def test_an_optimum_on_an_edge_is_found():
    "Choices ask for a logit of log 4, the edge allows 1, at a = b = .5"
    trials = Trials.from_arrays([0] * 80 + [1] * 20, np.zeros(100))
    at_edge = 80 * np.log1p(np.exp(-1)) + 20 * np.log1p(np.exp(1))
    found = fit(Edge(), trials)
    assert found.nll.iloc[0] == pytest.approx(at_edge, abs=1e-3) and found.table.converged.all()


def one_sided():
    "A person who takes the first option whatever happens"
    rng = np.random.default_rng(3)
    return Trials.from_arrays(np.zeros(120, int), rng.integers(0, 2, 120), options=[0, 1])


def test_who_learns_slowly_is_found():
    """People who repeat themselves, as learners: the best rate is often below .01, a narrow valley that most starts
    pass by"""
    class Repeats(Cell):
        params = dict(alpha=Param(.3, 0, 1), beta=Param(3, 0, 50), decay=Param(.3, 0, 1), stay=Param(1, 0, 50))
        state = "q", "h"
        def init(p, state): state.q[:] = .5
        def logit(p, state, trial, k): return p.beta * state.q[k] + p.stay * state.h[k]
        def update(p, state, trial):
            state.q[trial.choice] += p.alpha * (trial.reward[trial.choice] - state.q[trial.choice])
            for k in range(len(state.h)): state.h[k] += p.decay * ((1. if k == trial.choice else 0.) - state.h[k])

    rng, n = np.random.default_rng(0), 600
    truth = pd.DataFrame(
        dict(
            alpha=rng.uniform(0, 1, n),
            beta=rng.exponential(1, n),
            decay=rng.uniform(0, 1, n),
            stay=.5 + rng.exponential(1, n),
        )
    )
    odd = (41, 68, 89, 121, 175, 180, 191, 238, 289, 320, 334, 391, 495, 566, 597)
    every = simulate(Repeats(), BanditsFixed(), truth, n_trials=1000, seed=1)
    trials = every.take(participants=[every.participants[i] for i in odd])
    rates, betas = np.meshgrid(np.r_[0, 10**np.linspace(-3.3, 0, 60)], np.r_[0, 10**np.linspace(-2, np.log10(20), 40)])
    grid, lanes = np.c_[rates.ravel(), betas.ravel()], Lanes(TwoParameters(), trials, 1)
    least = np.array([lanes.nll(grid, np.full(len(grid), i)).min() for i in range(len(odd))])
    for seed in range(4):
        assert (fit(TwoParameters(), trials, seed=seed, threads=1).nll.to_numpy() < least + 1e-6).all()


def test_one_sided_person_has_one_nll():
    "Where beta is 0 alpha is free, and starts that end there agree on nothing; the judge is a grid"
    trials = one_sided()
    a, b = np.meshgrid(np.r_[np.geomspace(1e-5, 1, 400), 0], np.linspace(0, 20, 101))
    grid = Lanes(TwoParameters(), trials, 1).nll(np.c_[a.ravel(), b.ravel()], np.zeros(a.size, int)).min()
    values = [fit(TwoParameters(), trials, seed=seed).nll.iloc[0] for seed in (731, 0)]
    assert max(values) <= grid + 1e-6 and np.ptp(values) < 1e-4


class Product(TwoParameters):
    "beta and gain are only ever multiplied."
    params = TwoParameters.params | dict(gain=Param(1., 0, 5))
    def logit(p, state, trial, k): return p.beta * p.gain * state.q[k]


def test_a_free_direction_is_no_agreement(bandit):
    """The best NLL is that of the model without the superfluous parameter; starts agree on it, not on where, and the
    notes say which parameters are free"""
    trials = bandit[0].take(participants=["p0", "p1"])
    found, plain = fit(Product(), trials), fit(TwoParameters(), trials, bounds=dict(beta=(0, 20)))
    assert (found.nll <= plain.nll + 1e-4).all() and (found.table.agree < .5 * found.table.starts).all()
    lonely = found.table.index[found.table.agree < 2]
    notes = found.notes()
    for who in lonely:
        assert any(note.startswith("beta is free for participant") and who in note for note in notes), notes
    assert not any("no two starts" in note for note in notes)
    assert (plain.table.agree >= 8).all()


class Endless(TwoParameters):
    params = dict(alpha=Param(.5, 0, 1), beta=Param(3., 0))


def test_what_runs_away_is_named(bandit):
    """A person who always takes what paid last: the larger beta the likelier, without end. With bounds it ends
    there; others are told nothing."""
    choices, rewards = [0, 1] + [1] * 38, [0., 1.] + [1.] * 38
    trials = Trials.from_arrays(choices, rewards, ["3"] * 40, options=[0, 1])
    found = fit(Endless(), trials)
    assert found.running == (("3", "beta"),) and not found.table.converged.any() and found.table.se_beta.isna().all()
    assert (
        "beta runs away for participant 3: the farther it goes the likelier these choices get; give it bounds"
        in found.notes()
    )
    bounded = fit(Endless(), trials, bounds=dict(beta=(0, 10)))
    assert bounded.running == () and bounded.table.at_bound.iloc[0] == "alpha, beta" and bounded.table.converged.all()
    usual = fit(Endless(), bandit[0])
    assert usual.running == () and usual.table.converged.all()
    np.testing.assert_allclose(usual.nll, fit(TwoParameters(), bandit[0], bounds=dict(beta=(0, 20))).nll, atol=1e-4)


def test_starts_grow_with_disagreement_alone(bandit):
    """Where all starts agree there is one round of them, and the point to start from; there are never more than
    forty rounds' worth"""
    easy = fit(TwoParameters(), bandit[0], starts=6).table
    hard = fit(AgentQ(), bandit[0].take(participants=["p0"]), starts=2).table
    assert (easy.starts == 7).any() and (easy.agree >= 5).all() and hard.starts.max() <= 81


def test_standard_errors_tell_the_spread():
    "Of 200 data sets of one learner, the fitted values spread as the standard errors say"
    trials = simulate(TwoParameters(), BanditsDrift(.1), dict(alpha=.4, beta=4.), people=200, n_trials=400, seed=3)
    t = fit(TwoParameters(), trials, starts=4).table
    for name in ("alpha", "beta"): assert t[f"se_{name}"].median() == pytest.approx(t[name].std(), rel=.15)
    assert (abs(t.alpha - .4) < 1.96 * t.se_alpha).mean() == pytest.approx(.95, abs=.04)


def test_information_criteria(bandit):
    t = fit(TwoParameters(), bandit[0], starts=3).table
    np.testing.assert_allclose(t.aic, 2 * 2 + 2 * t.nll)
    np.testing.assert_allclose(t.bic, 2 * np.log(150) + 2 * t.nll)
    assert (t.k == 2).all() and (t.n == 150).all()


def test_same_seed_same_result_alone_or_together(bandit):
    trials = bandit[0]
    a, b = fit(TwoParameters(), trials, seed=4), fit(TwoParameters(), trials, seed=4, threads=1)
    alone = fit(TwoParameters(), trials.take(participants=["p0", "p1"]), seed=4)
    pd.testing.assert_frame_equal(a.table, b.table)
    pd.testing.assert_frame_equal(a.table.loc[["p0", "p1"]], alone.table)
    before = np.random.get_state()[1].copy()
    fit(TwoParameters(), trials, seed=4)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


# Options

def test_map_pulls_toward_the_prior(bandit):
    trials = bandit[0]
    free = fit(TwoParameters(), trials)
    drawn = fit(TwoParameters(), trials, priors=dict(beta=stats.gamma(40, scale=.1)))
    assert drawn.table.beta.std() < free.table.beta.std()
    assert (drawn.nll >= free.nll - 1e-6).all()
    assert drawn.table.se_beta.median() < free.table.se_beta.median()
    nowhere = fit(TwoParameters(), trials, priors=dict(alpha=stats.norm(.2, 1e-4)))
    assert nowhere.table.alpha.to_numpy() == pytest.approx(.2, abs=.002)


def test_priors_of_the_parameters(bandit):
    class WithPrior(TwoParameters):
        params = TwoParameters.params | dict(alpha=Param(.5, 0, 1, prior=stats.beta(50, 50)))
    assert (
        fit(WithPrior(), bandit[0], priors=True, starts=3).table.alpha.std()
        < fit(WithPrior(), bandit[0], starts=3).table.alpha.std()
    )
    with pytest.raises(ValueError, match="needs parameters with priors"): fit(TwoParameters(), bandit[0], priors=True)


def test_hold_and_bounds(bandit):
    held = fit(TwoParameters(), bandit[0], hold=dict(alpha=.3), bounds=dict(beta=(1, 2)), starts=3)
    assert (held.table.alpha == .3).all()
    assert held.table.beta.between(1, 2).all()
    assert (held.table.k == 1).all()
    assert held.names == ("beta",)
    assert "beta" in set(held.table.at_bound) and held.table.se_beta[held.table.at_bound == "beta"].isna().all()


def test_one_start(bandit):
    one = fit(TwoParameters(), bandit[0], draw=None, start=dict(alpha=.2, beta=1.))
    assert (one.table.starts == 1).all() and (one.nll >= fit(TwoParameters(), bandit[0]).nll - 1e-6).all()


def test_unbounded_parameters():
    class Line(Cell):
        params = dict(bias=Param(0.), slope=Param(1., 0))
        state = "q",
        def init(p, state): state.q[0] = p.bias
        def logit(p, state, trial, k): return p.slope * state.q[k]
        def update(p, state, trial): pass
    trials = Trials.from_arrays([0] * 80 + [1] * 20, np.zeros(100))
    t = fit(Line(), trials, hold=dict(slope=2.)).table
    assert 2 * t["bias"].iloc[0] == pytest.approx(np.log(4), abs=1e-3)


def test_any_cell():
    "AgentQ and an equation are fitted with the same call"
    trials = simulate(
        AgentQ(),
        BanditsDrift(.2),
        dict(alpha_reward=.3, alpha_penalty=.3, beta_reward=3.),
        people=2,
        n_trials=100,
        seed=1,
    )
    keep = {n: v for n, v in AgentQ().values.items() if n not in ("alpha_reward", "beta_reward")}
    assert (fit(AgentQ(), trials, hold=keep, starts=3).nll <= nll(AgentQ(), keep, trials)).all()
    equation = rescorla_wagner_equation(.3, 3.)
    hold = {n: v for n, v in equation.values.items() if n.startswith(("start", "weight"))}
    assert (fit(equation, trials, hold=hold, starts=3).nll <= nll(equation, None, trials) + 1e-6).all()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(starts=0), "starts must be a whole number of at least 1, got 0"),
        (dict(starts=1.5), "starts must be"),
        (dict(draw="norml"), "draw must be"),
        (dict(bounds=dict(alfa=(0, 1))), "did you mean 'alpha'"),
        (dict(bounds=dict(alpha=(.5, .1))), "are they swapped"),
        (dict(bounds=dict(alpha=(-1, .5))), "must lie within \\(0, 1\\)"),
        (dict(bounds=dict(alpha=.5)), "must be two numbers"),
        (dict(hold=dict(alpha=2)), "must lie in"),
        (dict(hold=dict(alpha=.1, beta=1)), "nothing to fit"),
        (dict(start=dict(beta=30)), "the start of beta must lie within"),
        (dict(priors=dict(gama=stats.norm())), "unknown parameter 'gama'"),
    ],
)
def test_bad_options(bandit, options, message):
    with pytest.raises(ValueError, match=message): fit(TwoParameters(), bandit[0], **options)


def test_breakdown_is_named(bandit):
    class Broken(TwoParameters):
        def logit(p, state, trial, k): return np.nan * p.beta + state.q[k]
    with pytest.raises(FloatingPointError, match="Broken gives no finite likelihood for participant 'p0'"):
        fit(Broken(), bandit[0], starts=2)


def test_it_prints_and_is_saved(bandit, tmp_path):
    found = fit(TwoParameters(), bandit[0], starts=3)
    assert "8 participants" in repr(found) and "<table" in found._repr_html_()
    found.to_csv(tmp_path / "fit.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "fit.csv", index_col=0, keep_default_na=False, na_values=["nan", ""]).drop(
            columns="at_bound"
        ),
        found.table.drop(columns="at_bound"),
        check_dtype=False,
    )


def test_notes_name_people():
    "One choice only: nothing can be learned, and the fit says so"
    trials = Trials.from_arrays([0, 0, 0, 0], [1., 1, 1, 1], ["x"] * 4, options=range(2))
    assert any("at its bound" in note for note in fit(TwoParameters(), trials, starts=3).notes())


# Comparison

def test_percentages_follow_people_not_rows(avoiding):
    "The reference lines people up by position: shuffled rows must change nothing"
    fits = [fit(avoidance_model(n), avoiding, starts=3, name=n) for n in ("QLearning", "Advantage")]
    straight = compare(fits)
    shuffled = compare([fits[0], replace(fits[1], table=fits[1].table.sample(frac=1, random_state=1))])
    pd.testing.assert_frame_equal(straight.percentages(), shuffled.percentages())
    assert straight.percentages().drop(columns="best_model").sum(axis=1).to_numpy() == pytest.approx(100)
    assert list(straight.table().index) == ["a", "b", "full"]
    np.testing.assert_allclose(
        straight.table().loc["full", ["QLearning", "Advantage"]].astype(float), [f.table.bic.mean() for f in fits]
    )
    with pytest.raises(ValueError, match="two fits are called 'QLearning'"): compare([fits[0], fits[0]])
    with pytest.raises(ValueError, match="criterion must be"): compare(fits, "waic")


def test_cross_validation_counts_every_choice_once(avoiding):
    held = cross_validate(
        dict(coin=avoidance_model("QLearning")),
        avoiding,
        folds=3,
        hold=dict(factual_lr=.3, counterfactual_lr=.2),
        bounds=dict(temperature=(.999999, 1)),
        starts=1,
    )
    np.testing.assert_allclose(
        held.values.coin,
        nll(avoidance_model("QLearning"), dict(factual_lr=.3, counterfactual_lr=.2, temperature=1.), avoiding),
        rtol=1e-4,
    )
    with pytest.raises(ValueError, match="folds must be a whole number of at least 2, got 1"):
        cross_validate([avoidance_model("QLearning")], avoiding, folds=1)


# Checks

def test_check_counts_as_by_hand(avoiding):
    found = check(fit(avoidance_model("Advantage"), avoiding, starts=3), avoiding, times=30)
    frame = avoiding.to_frame()
    learning = frame[frame.phase == "learning"]
    number = learning.groupby(["participant_id", "symbol_names"]).cumcount()
    early = learning[(number < 6) & (learning.context_val_name == "Reward") & (learning.group_code == "a")]
    row = found.learning.query("group == 'a' and context == 'Reward' and bin == 1").iloc[0]
    assert row.people == pytest.approx(early.groupby("participant_id").accuracy.mean().mean())
    transfer = frame[(frame.phase == "transfer") & (frame.group_code == "b")]
    chosen = transfer.symbol_L_name.where(transfer.choice_made == 0, transfer.symbol_R_name)
    novel = transfer[(transfer.symbol_L_name == "Zero") | (transfer.symbol_R_name == "Zero")]
    rate = (chosen[novel.index] == "Zero").groupby(novel.participant_id).mean().mean() * 100
    assert found.transfer.query("group == 'b' and kind == 'N'").people.iloc[0] == pytest.approx(rate)
    assert ((found.learning.lower <= found.learning.model) & (found.learning.model <= found.learning.upper)).all()


def test_check_needs_the_task(bandit):
    with pytest.raises(ValueError, match="knows the avoidance task only"):
        check(fit(TwoParameters(), bandit[0], starts=2), bandit[0])


# Priors

def test_fixed_priors():
    assert fixed_priors(["QLearning+novel", "ActorCritic"]) == dict(
        QLearning=dict(factual_lr=.28, counterfactual_lr=.18, temperature=.06, novel_value=0.),
        ActorCritic=dict(factual_actor_lr=.33, counterfactual_actor_lr=.33, critic_lr=.48, temperature=.06),
    )
    assert fixed_priors(["QLearning"], {"QLearning": {"temperature": .5}})["QLearning"]["temperature"] == .5
    assert parameter_bounds(["Hybrid2021"])["Hybrid2021"]["noise_factor"] == (0, .2)
    for bad, message in (
        (dict(Qlearning={}), "unknown model in overrides 'Qlearning'; did you mean 'QLearning'"),
        ({"QLearning": {"temprature": 1}}, "did you mean 'temperature'"),
        ({"QLearning": 3}, "must be a dictionary"),
    ):
        with pytest.raises(ValueError, match=message): fixed_priors(["QLearning"], bad)
    with pytest.raises(ValueError, match="must be a list of names"): fixed_priors("QLearning")


def test_starts_that_meet_go_on_as_one():
    "A start that comes to where a better one of the same person is stops there: the same best, at fewer likelihoods"
    from spice_rl.inference.descent import _anywhere, _Descent, _Objective
    cell = TwoParameters()
    trials = simulate(
        cell, BanditsDrift(.2), pd.DataFrame(dict(alpha=[.2, .5, .8], beta=[2., 5., 1.])), n_trials=200, seed=1
    )
    o = _Objective(cell, trials, {n: (p.lower, p.upper) for n, p in cell.params.items()}, {}, {}, 1)
    x, who, spent, scoring = _anywhere(o, 60, np.random.default_rng(0)), np.repeat(range(3), 20), {}, o.scoring
    ends = {}
    for how, known in (("alone", None), ("together", (np.zeros((3, 1, 2)), np.full((3, 1), np.inf)))):
        def counted(x, who):
            spent[how] = spent.get(how, 0) + len(x)
            return scoring(x, who)
        o.scoring = counted
        d = ends[how] = _Descent(o, x, who)
        d.run(np.arange(60), 200, 1e-3, known)
        joined = d.into != np.arange(60)
        assert joined.any() == (how == "together") and (who[d.into] == who).all()
        d.arrived()
        assert (d.v[d.into] == d.v).all() and (d.x[d.into] == d.x).all()
    alone, together = (ends[how].v.reshape(3, 20).min(1) for how in ("alone", "together"))
    np.testing.assert_allclose(together, alone, atol=1e-3)
    assert spent["together"] < .9 * spent["alone"]
    # where an earlier round ended counts, too
    best = ends["alone"].x.reshape(3, 20, 2)[range(3), ends["alone"].v.reshape(3, 20).argmin(1)][:, None]
    d = _Descent(o, x, who)
    d.run(np.arange(60), 200, 1e-3, (best, alone[:, None]))
    d.arrived()
    assert (d.x.reshape(3, 20, 2) == best).all(2).any(1).all()


def test_folds_are_of_choices_that_count():
    "Every second trial without a choice: the same as without these trials, and no part is empty."
    own = simulate(RescorlaWagner(), BanditsDrift(.2), people=4, n_trials=60, seed=1).to_frame()
    every = pd.concat(
        [own.assign(trial=2 * own.trial), own.assign(trial=2 * own.trial + 1, choice=np.nan, reward=np.nan)]
    )
    every = every.sort_values(["participant", "trial"])
    one, other = (
        cross_validate([RescorlaWagner()], read_trials(t, block="session", trial="trial"), folds=2).values
        for t in (own, every))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_prior_that_ends_is_a_bound():
    "Its end may round to a place outside, as .2 + .1 does; one that is infinite decides for everybody, and is refused."
    trials = simulate(RescorlaWagner(alpha=.6), BanditsDrift(.2), people=4, n_trials=80, seed=1)
    prior = fit(RescorlaWagner(), trials, priors=dict(alpha=stats.uniform(.2, .1)))
    bound = fit(RescorlaWagner(), trials, bounds=dict(alpha=(.2, .3)))
    np.testing.assert_allclose(prior.table.nll, bound.table.nll, rtol=1e-9)
    assert list(prior.table.at_bound) == list(bound.table.at_bound)
    with pytest.raises(ValueError, match="the prior of alpha is infinite at 0"):
        fit(RescorlaWagner(), trials, priors=dict(alpha=stats.beta(.5, .5)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "prior", [stats.gamma(2, scale=2), stats.halfnorm(scale=3), stats.invgamma(3), stats.norm(3, 1)]
)
def test_a_prior_without_an_end_needs_no_warning(prior):
    "The inverse temperature has no upper bound, and neither has its prior."
    class Open(RescorlaWagner): params = RescorlaWagner.params | dict(beta=Param(3., 0))
    trials = simulate(RescorlaWagner(), BanditsDrift(.2), people=2, n_trials=60, seed=1)
    assert (fit(Open(), trials, priors=dict(beta=prior)).table.beta > 0).all()
