"""Equations of single people: kinds found and told apart, numbers shrunk, differences between people not taken for
mechanisms, and what the estimator says"""
import numpy as np
import pandas as pd
import pytest
from spice_rl import AgentQ, BanditsDrift, SpiceEstimator, search_library, fit, individual_equations, load_spice, nll
from spice_rl import parameter_recovery, plot_individuals, read_trials, rescorla_wagner_equation, simulate
from worlds import PEOPLE_CONFIG, PeopleRNN

CHOSEN, OTHERS = "x_value_reward_chosen", "x_value_reward_not_chosen"


def mixture(people=10, n_trials=150, seed=0, **second):
    parts = [
        simulate(AgentQ(**options), BanditsDrift(.2), people=people, n_trials=n_trials, seed=2 * seed + i).to_frame()
        for i, options in enumerate((dict(alpha_reward=.2), second))
    ]
    return read_trials(
        pd.concat(
            [p.assign(participant=name + " " + p.participant.astype(str)) for name, p in zip("ab", parts)],
            ignore_index=True,
        )
    )


@pytest.fixture(scope="module")
def mixed(): return mixture(alpha_reward=.7)

@pytest.fixture(scope="module")
def found(mixed): return individual_equations(mixed, kinds=2)


def test_two_kinds_of_learner_are_told_apart(found):
    assert len(found.kinds) == 2 and found.tried[2] < found.tried[1] and found.ibic == found.tried.min()
    table = pd.crosstab(found.people.index.str[0], found.people.kind)
    assert table.max(axis=1).sum() >= 19 and table.idxmax(axis=1).is_unique
    alpha = found.rules().alpha
    assert abs(alpha[alpha.index.str[0] == "a"].mean() - .2) < .08
    assert abs(alpha[alpha.index.str[0] == "b"].mean() - .7) < .1


def test_everybody_has_the_terms_of_their_kind(found):
    for who, row in found.people.iterrows():
        own, kind = found.equation.terms(who), found.typical.terms(row.kind)
        changes = lambda terms: {
            (m, t) for m, ts in terms.items() for t, c in ts.items() if not (t == f"{m}[k]" and c == 1)
        }
        assert changes(own) == changes(kind)


def test_the_numbers_are_those_of_the_table_and_the_likelihood_is_the_engines(found, mixed):
    assert np.allclose(nll(found.equation, trials=mixed).to_numpy(), found.people.nll.to_numpy())
    assert np.allclose(found.probability.sum(axis=1), 1)
    assert (found.people.probability == found.probability.max(axis=1)).all()
    assert found.people.n.sum() == mixed.n_counted and np.isclose(found.kinds.people.sum(), mixed.n_participants)


def test_numbers_are_shrunk_toward_the_kind(found, mixed):
    own = fit(found.typical, mixed).parameters
    reward = f"{CHOSEN}: c_reward"
    for kind in found.kinds.index:
        who = found.people.index[found.people.kind == kind]
        assert found.equation.coefficients.loc[who, reward].std() < own.loc[who, reward].std()
        left = found.spread().loc[kind]
        assert ((left.left_open > 0) & (left.left_open <= 1.001)).all()


def test_errors_of_single_numbers_are_those_of_a_posterior(found):
    "The standard error of a person is that of the curvature: less than the population's sd where choices say something"
    i = list(found.equation.coefficients.index).index("a 0")
    frame = found.equation.covariance[i]
    assert list(frame) == list(frame.index) and (np.linalg.eigvalsh(frame) > 0).all()
    assert (found.as_rl("a 0").parameters.se.dropna() > 0).all()


def test_the_order_of_people_changes_nothing(mixed, found):
    shuffled = mixed.take(participants=list(np.random.default_rng(1).permutation(np.array(mixed.participants, object))))
    again = individual_equations(shuffled, kinds=2)
    assert np.isclose(again.ibic, found.ibic, atol=.1)
    assert np.allclose(again.rules().alpha[found.people.index], found.rules().alpha, atol=1e-2)


def test_differences_between_people_are_not_taken_for_mechanisms():
    rng = np.random.default_rng(0)
    truth = pd.DataFrame(
        dict(
            alpha_reward=np.clip(rng.normal(.4, .15, 30), .05, .95),
            beta_reward=np.clip(rng.normal(3, 1, 30), .5, 8),
        )
    )
    trials = simulate(AgentQ(), BanditsDrift(.2), truth.assign(alpha_penalty=truth.alpha_reward), n_trials=200, seed=0)
    shared, pooled = individual_equations(trials, kinds=1), search_library(trials)
    assert len(pooled.scores) == 1 and set(pooled.equation.terms()) != {CHOSEN}   # one equation for everybody has more
    assert set(shared.typical.terms()) == {CHOSEN} and any("once people may differ" in note for note in shared.notes())
    alpha = shared.spread().loc["kind 1", "alpha"]
    assert abs(alpha["mean"] - truth.alpha_reward.mean()) < .04 and abs(alpha.sd - truth.alpha_reward.std()) < .05
    alone = fit(
        shared.equation.__class__(
            shared.typical.equation_rules,
            shared.typical.state,
            shared.typical.coefficients,
            list(shared.typical.held),
            shared.typical.bounds,
        ),
        trials,
    )
    error = lambda alpha: np.sqrt(np.mean((alpha - truth.alpha_reward.to_numpy())**2))
    assert error(shared.rules().alpha.to_numpy()) < error(1 - alone.parameters[f"{CHOSEN}: {CHOSEN}"].to_numpy())


def test_it_starts_from_an_equation_too(mixed):
    start = individual_equations(mixed, equation=rescorla_wagner_equation(.3, 3, forget=.1), kinds=1)
    alpha = start.rules().alpha
    assert alpha[alpha.index.str[0] == "a"].mean() < .4 < alpha[alpha.index.str[0] == "b"].mean()
    assert {r.module for r in start.equation.equation_rules} <= {CHOSEN, OTHERS}


def test_the_equations_are_cells(found):
    played = simulate(
        found.equation, BanditsDrift(.2), found.equation.coefficients[list(found.equation.params)], n_trials=50, seed=1
    )
    assert played.n_participants == len(found.people)
    kind = found.cell("kind 1")
    assert kind.text() in found.text("kind 1") or set(kind.params) < set(found.typical.params)
    assert len(parameter_recovery(kind, BanditsDrift(.2), people=4, n_trials=60, starts=1).table) == 4 * len(
        kind.params
    )


def test_bad_input(mixed):
    with pytest.raises(ValueError, match="five participants or more, got 3"):
        individual_equations(mixed.take(participants=list(mixed.participants[:3])))
    with pytest.raises(TypeError, match="must be Trials"): individual_equations(mixed.to_frame())
    with pytest.raises(ValueError, match="kinds must be a whole number"): individual_equations(mixed, kinds=1.5)
    with pytest.raises(TypeError, match="must be an Equation"): individual_equations(mixed, equation=AgentQ())
    with pytest.raises(ValueError, match="no term of the library"):
        individual_equations(simulate(AgentQ(beta_reward=0), BanditsDrift(.2), people=6, n_trials=50, seed=0))
    frame = mixed.to_frame()
    frame.loc[frame.participant == "a 3", "choice"] = np.nan
    with pytest.raises(ValueError, match="every choice is missing"): individual_equations(read_trials(frame))


def test_the_estimator_says_what_differs_between_people(tmp_path):
    mixed = mixture(6, alpha_reward=.7)
    data = mixed.to_dataset()
    estimator = SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, epochs=60, starts=1, wide=False).fit(data.xs, data.ys)
    told = estimator.differences()
    assert {"mean", "sd", "left_open"} <= set(told) and "alpha" in told.index.get_level_values("what")
    alpha = estimator.refinement_.rules().alpha
    first = np.array([w.startswith("a") for w in mixed.participants])
    assert alpha[first].mean() < .4 < alpha[~first].mean()
    summary = estimator.summary()
    assert summary.parameters["equation (refined)"] == estimator.refinement_.numbers
    assert summary.share_kept["equation (refined)"] > .9
    assert len(estimator.get_participant_embeddings()) == mixed.n_participants
    estimator.save_spice(path_spice=tmp_path / "equation.json")
    assert load_spice(path_spice=tmp_path / "equation.json").equation_.text(3) == estimator.equation_.text(3)


def test_the_estimator_without_people_says_why_it_cannot_tell():
    data = mixture(3, 60, alpha_reward=.7).to_dataset()
    with pytest.raises(ValueError, match="tells people apart"):
        SpiceEstimator(epochs=5, starts=1, wide=False).fit(data.xs, data.ys).differences()


def test_the_figure(found):
    _, ax = plot_individuals(found, truth={w: w[0] for w in found.people.index})
    assert ax.get_xlabel() == "alpha" and "kind 1" in ax.get_legend().get_texts()[0].get_text()
    with pytest.raises(ValueError, match="unknown parameter"): plot_individuals(found, y="gamma")


def test_people_who_are_alike_have_no_spread():
    "What is not known about the group's mean is no difference between people."
    same = simulate(AgentQ(alpha_reward=.4), BanditsDrift(.2), people=20, n_trials=80, seed=1)
    spread = individual_equations(same, kinds=1).spread().xs("kind 1")
    assert (spread.sd < .05 * spread["mean"].abs()).all()
    assert (spread.left_open > .9).all()
