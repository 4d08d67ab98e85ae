"""The published tutorial runs as printed, scikit-learn takes the estimator for one of its own, and wrong data and
files are refused."""
import copy, hashlib, inspect, json, math, pickle, warnings

import matplotlib
matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from hypothesis import HealthCheck, given, settings, strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score

from spice_rl.models.bandits import AgentQ, BanditsDrift, create_dataset
from spice_rl.core.tensors import DatasetRNN
from spice_rl.core.data import Trials
from spice_rl.core.engine import nll
from spice_rl.core.replaying import replay, replay_arrays
from spice_rl.core.playing import simulate
from spice_rl import __version__
from spice_rl.discovery.equation import equation_from_dict, equation_to_dict, rescorla_wagner_equation
from spice_rl.discovery.estimator import SpiceEstimator, load_spice
from spice_rl.discovery.sessions import off_policy_sessions
from spice_rl.discovery.model_files import _digest, read_model, write_model
from spice_rl.inference.hierarchy import fit_hierarchical
from spice_rl.output.plotting import plot_session
from spice_rl.discovery.precoded import FORGETTING_CONFIG, RESCOLA_WAGNER_CONFIG, RESCORLA_WAGNER_CONFIG, ForgettingRNN
from spice_rl.discovery.precoded import RescorlaWagnerRNN
from spice_rl.discovery.rnn import BaseRNN, SpiceConfig
from spice_rl.discovery.traces import discover
from spice_rl.discovery.trace_equations import TraceEquation
from worlds import PEOPLE_CONFIG, PeopleRNN, people_dataset, q_dataset

FAST = dict(starts=1, epochs=25, wide=False)
pytestmark = pytest.mark.filterwarnings("ignore::spice_rl.discovery.training.TrainingWarning")


class CustomRNN(BaseRNN):

    # set up a dictionary with initial values for each state in memory
    init_values = {
        'x_value_reward': 0.5,
    }

    def __init__(
        self,
        n_actions,
        **kwargs,
    ):
        super(CustomRNN, self).__init__(n_actions=n_actions)

        # set up the submodules
        self.submodules_rnn['x_value_reward_chosen'] = self.setup_module(input_size=1)

    def forward(self, inputs, prev_state=None, batch_first=False):
        # First, we have to initialize all the inputs and outputs (i.e. logits)
        inputs, ids, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        actions, rewards, _, _ = inputs

        for timestep, action, reward in zip(timesteps, actions, rewards):

            # record the inputs for training SINDy later on
            self.record_signal('c_action', action)
            self.record_signal('c_reward', reward)
            self.record_signal('x_value_reward_chosen', self.state['x_value_reward'])

            # Let's perform the belief update for the reward-based value of the chosen option
            next_value_reward_chosen = self.call_module(
                key_module='x_value_reward_chosen',
                key_state='x_value_reward',
                action=action,
                inputs=reward,
            )

            # and keep the value of the not-chosen option unchanged
            next_value_reward_not_chosen = self.state['x_value_reward'] * (1-action)
            self.state['x_value_reward'] = next_value_reward_chosen + next_value_reward_not_chosen

            # Now keep track of this value in the output array
            logits[timestep] = self.state['x_value_reward']

        # post-process the forward pass; give here as inputs the logits, batch_first and all values from the memory
        # state
        logits = self.post_forward_pass(logits, batch_first)

        return logits, self.get_state()


custom_config = SpiceConfig(
    rnn_modules=['x_value_reward_chosen'],
    control_parameters=['c_action', 'c_reward'],
    library_setup={
        'x_value_reward_chosen': ['c_reward'],
    },
    filter_setup={
        'x_value_reward_chosen': ['c_action', 1, True],
    },
)


@pytest.fixture(scope="module")
def fitted():
    d = q_dataset()
    return SpiceEstimator(
        rnn_class=RescorlaWagnerRNN,
        spice_config=RESCOLA_WAGNER_CONFIG,
        learning_rate=1e-2,
        epochs=60,
        starts=2,
        verbose=False,
    ).fit(d.xs, d.ys)


def test_the_stages_side_by_side(fitted):
    """Each number of the summary, found again: NLL from `predict`, BIC from it, numbers from the refinement, the
    share kept"""
    d, table = q_dataset(), fitted.summary()
    assert list(table.index) == [
        "guessing",
        "ceiling",
        "wide search",
        "network",
        "equation (regression)",
        "equation (refined)",
    ]
    made = ~torch.isnan(d.ys).any(-1).numpy()
    n = made.sum()
    for what, p in zip(("network", "equation (refined)"), fitted.predict(d.xs)):
        assert table.nll_per_choice[what] == pytest.approx(-np.log(p[made][d.ys.numpy()[made] == 1]).mean(), rel=1e-9)
    assert table.parameters["equation (refined)"] == len(fitted.refinement_.estimates)
    assert table.nll_per_choice["guessing"] == pytest.approx(np.log(2))
    beside = table.index.isin(["ceiling", "wide search"])
    np.testing.assert_allclose(
        table.bic[~beside], (2 * n * table.nll_per_choice + table.parameters * np.log(n))[~beside]
    )
    assert table.bic[beside].isna().all()   # learned from some of the sessions alone
    np.testing.assert_allclose(
        table.share_kept, (np.log(2) - table.nll_per_choice) / (np.log(2) - table.nll_per_choice["network"])
    )
    assert np.isfinite(table.held_out).all() and fitted.equation_ is fitted.refinement_.equation
    table.loc["network"] = 0
    assert fitted.summary().nll_per_choice["network"] > 0   # a copy


@pytest.fixture(scope="module")
def custom():
    d = q_dataset()
    return SpiceEstimator(
        rnn_class=CustomRNN, spice_config=custom_config, learning_rate=1e-2, epochs=60, starts=2, wide=False
    ).fit(d.xs, d.ys)


@pytest.fixture(scope="module")
def group():
    d = people_dataset()
    return SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, epochs=60, starts=1, wide=False).fit(d.xs, d.ys)


def same(a, b): return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b))


def uneven(seed=4):
    "Sessions of different lengths with missing choices"
    rng, rows = np.random.default_rng(seed), []
    t = simulate(AgentQ(alpha_reward=.3), BanditsDrift(.2), people=1, sessions=4, n_trials=30, seed=seed)
    keep = np.concatenate([s * 30 + np.arange(n) for s, n in enumerate((30, 12, 7, 25))])
    choice, reward = t.choice[keep].copy(), t.reward[keep].copy()
    gone = rng.random(len(keep)) < .2
    gone[[29, 41, 48, 73]] = False
    gone[30] = True  # the first of a session
    choice[gone], reward[gone] = -1, np.nan
    return Trials.from_arrays(choice, reward, None, t.session[keep], options=range(2))


# The tutorial

def test_tutorial_environment():
    n_actions, sigma, n_trials = 2, .2, 100
    environment = BanditsDrift(sigma=sigma, n_actions=n_actions)
    reward_probabilities = np.zeros((n_trials, n_actions))
    for index_trials in range(n_trials):
        reward_probabilities[index_trials] = environment.reward_probs
        environment.step(choice=0)
    assert reward_probabilities.min() >= 0
    assert reward_probabilities.max() <= 1
    assert reward_probabilities.std(0).min() > .05


def test_tutorial_data():
    agent = AgentQ(n_actions=2, alpha_reward=.3)
    dataset, _, _ = create_dataset(
        agent=agent, environment=BanditsDrift(sigma=.2, n_actions=2), n_trials=100, n_sessions=100
    )
    dataset.xs[..., -1] = 0
    assert dataset.xs.shape == (100, 100, 5) and dataset.ys.shape == (100, 100, 2) and "tensor" in str(dataset.xs)
    fig, axs = plot_session(agents={'groundtruth': agent}, experiment=dataset.xs[0], signals_to_plot=['x_value_reward'])
    plt.close(fig)


def test_tutorial_precoded(fitted, capsys):
    fitted.print_spice_model()
    start, line = capsys.readouterr().out.strip().split("\n")
    assert start.startswith("x_value_reward[0] = ")
    assert line.startswith("(x_value_reward_chosen)[k+1] = ")
    assert line.endswith("c_reward[k]")
    assert "x_value_reward_chosen[k] + " in line
    raw = fitted.regression_.equation.terms()["x_value_reward_chosen"]
    assert raw["1"] == pytest.approx(-.3, abs=.25)
    for terms in (raw, fitted.get_spice_features()["everybody"]["x_value_reward_chosen"]):
        assert terms["x_value_reward_chosen[k]"] == pytest.approx(.7, abs=.06)
        assert terms["c_reward[k]"] == pytest.approx(.9, abs=.12)
    assert "1" not in terms and repr(fitted.equation_.as_rl()).startswith("Rescorla-Wagner: alpha = 0.")
    agents = {'groundtruth': AgentQ(alpha_reward=.3), 'rnn': fitted.rnn_agent, 'spice': fitted.spice_agent}
    fig, axs = plot_session(agents, q_dataset().xs[0], signals_to_plot=['x_value_reward'])
    plt.close(fig)


def test_tutorial_custom_network(custom, fitted):
    "The same network, written by hand, gives the same equation to the last digit"
    assert custom.equation_.text() == fitted.equation_.text() and custom.training_.nll == fitted.training_.nll


def test_tutorial_save_and_load(fitted, tmp_path):
    rnn, spice = tmp_path/"rnn_model.pkl", str(tmp_path/"spice_model.pkl")
    fitted.save_spice(path_rnn=rnn, path_spice=spice)
    loaded = SpiceEstimator(rnn_class=CustomRNN, spice_config=custom_config)
    loaded.load_spice(path_rnn=rnn, path_spice=spice)
    xs = q_dataset().xs[:3]
    assert same(fitted.predict(xs), loaded.predict(xs)) and loaded.spice_agent.text() == fitted.spice_agent.text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rnn_model.pkl", "spice_model.pkl"]


def test_both_spellings_are_one_thing(): assert RESCOLA_WAGNER_CONFIG is RESCORLA_WAGNER_CONFIG


def test_forgetting_is_found(capsys):
    d = q_dataset(n_sessions=60, n_trials=50, forget_rate=.3)
    e = SpiceEstimator(ForgettingRNN, FORGETTING_CONFIG, epochs=60, starts=1, wide=False).fit(d.xs, d.ys)
    e.print_spice_model()
    out = capsys.readouterr().out.strip().splitlines()
    assert [line.split(")")[0] for line in out] == ["(x_value_reward_chosen", "(x_value_reward_not_chosen"]
    slope = e.get_spice_features()["everybody"]["x_value_reward_not_chosen"]["x_value_reward_not_chosen[k]"]
    assert slope == pytest.approx(.7, abs=.12)


# scikit-learn

def test_clone_and_parameters(fitted):
    e = SpiceEstimator(CustomRNN, custom_config, epochs=7, seed=3)
    twin = clone(e)
    assert twin is not e
    assert twin.get_params() == e.get_params()
    assert twin.rnn_class is CustomRNN
    assert twin.spice_config == custom_config
    names = set(inspect.signature(SpiceEstimator.__init__).parameters) - {"self"}
    assert set(e.get_params()) == names
    for name in names: assert getattr(e, name) is e.get_params()[name]
    assert e.set_params(epochs=9, learning_rate=.1) is e and e.epochs == 9
    with pytest.raises(ValueError, match="sequence_length"): e.set_params(sequence_length=5)
    with pytest.raises(TypeError, match="sequence_length"): SpiceEstimator(sequence_length=5)
    assert not hasattr(clone(fitted), "equation_")


def test_repr(fitted, custom):
    assert "epochs=7" in repr(SpiceEstimator(epochs=7)) and "CustomRNN" in repr(custom) and repr(fitted)
    assert "SpiceEstimator" in custom._repr_html_() if hasattr(custom, "_repr_html_") else True


def test_cross_validation():
    d = q_dataset(n_sessions=9, n_trials=40)
    scores = cross_val_score(SpiceEstimator(**FAST), d.xs.numpy(), d.ys.numpy(), cv=3)
    assert scores.shape == (3,) and (scores > -np.log(2)).all()
    np.testing.assert_array_equal(scores, cross_val_score(SpiceEstimator(**FAST), d.xs, d.ys, cv=3))


def test_grid_search():
    d = q_dataset(n_sessions=9, n_trials=40)
    search = GridSearchCV(
        SpiceEstimator(**FAST), dict(l2_weight_decay=[5., 1e5], spice_library_polynomial_degree=[2]), cv=2
    ).fit(d.xs.numpy(), d.ys.numpy())
    assert len(search.cv_results_["params"]) == 2
    assert search.best_estimator_.spice_library_polynomial_degree == 2
    assert search.best_params_["l2_weight_decay"] in (5., 1e5)
    assert search.predict(d.xs.numpy())[1].shape == (9, 40, 2)


@pytest.mark.parametrize("cv, kind", [(2, lambda x: x), (3, lambda x: x.numpy())], ids=["tensor", "array"])
def test_cross_val_predict(cv, kind):
    "Each session's probabilities are those of the estimator that was fitted to the other folds"
    d = q_dataset(n_sessions=6, n_trials=30)
    xs, ys = kind(d.xs), kind(d.ys)
    p = cross_val_predict(SpiceEstimator(**FAST, refine=False), xs, ys, cv=cv, method="predict_proba")
    first = 6 // cv
    assert p.shape == (6, 30, 2)
    np.testing.assert_array_equal(
        p[:first], SpiceEstimator(**FAST, refine=False).fit(xs[first:], ys[first:]).predict_proba(xs[:first])
    )
    with pytest.raises(TypeError, match="method='predict_proba'"):
        cross_val_predict(SpiceEstimator(**FAST, refine=False), xs, ys, cv=cv)


def test_predictions_cannot_be_stacked(fitted):
    xs = q_dataset().xs[:2]
    both = fitted.predict(xs)
    for stack in (np.array, np.asarray, np.stack, np.concatenate):
        for given_ in (both, [both, both]):
            # a pair, as a list of arrays: asked for by name
            if stack in (np.stack, np.concatenate) and given_ is both: continue
            with pytest.raises(TypeError, match="network, equation = estimator.predict"): stack(given_)
    network, equation = both
    assert len(both) == 2 and both[0] is network is both.network and both[1] is equation is both.equation
    np.testing.assert_array_equal(fitted.predict_proba(xs), equation)


def test_people_not_seen_before():
    "They are predicted as the mean of the others, and it is said; nobody's score is NaN"
    d = people_dataset()
    who = d.xs[:, 0, -1].numpy()
    with pytest.warns(UserWarning, match="1 of the participants were not among those that were learned from"):
        scores = cross_val_score(
            SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, **FAST), d.xs.numpy(), d.ys.numpy(), groups=who, cv=GroupKFold(3)
        )
    assert np.isfinite(scores).all() and (scores > -np.log(2)).all()
    e = SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, **FAST).fit(d.xs[who < 2], d.ys[who < 2])
    assert e.participants_ == (0, 1)
    new = d.xs[who == 2]
    with pytest.warns(UserWarning, match=r"\(2\): they are predicted as the mean"): p = e.predict_proba(new)
    c = e.equation_.coefficients.mean().to_dict() | e.equation_.held
    held = type(e.equation_)(e.equation_.equation_rules, e.equation_.state, c, list(e.equation_.held))
    np.testing.assert_allclose(p, np.exp(e._equation_logp(new, held)), atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        e.predict_proba(d.xs[who == 1])


@pytest.mark.skipif(not hasattr(BaseEstimator, "__sklearn_tags__"), reason="scikit-learn before 1.6 has no such tags")
def test_tags_are_true(fitted):
    tags = fitted.__sklearn_tags__()
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.allow_nan
    assert not tags.input_tags.sparse
    assert tags.target_tags.required
    assert tags.target_tags.multi_output
    assert tags.estimator_type is None
    assert tags.requires_fit
    assert not tags.non_deterministic
    assert np.isfinite(fitted.score(*uneven_tensors()))
    assert fitted.classes_.tolist() == [[0, 1]] * 60
    assert fitted.n_features_in_ == 5


def uneven_tensors():
    d = uneven().to_dataset()
    return d.xs, d.ys


TABLE = ("hands over a table (samples, features); sessions have three axes, and on those it is asked here by a test of "
         "its own")
WORDS = "wants scikit-learn's words; ours say what a session is and how it is made"
NOT_FOR_SESSIONS = dict(
    check_fit_score_takes_y=TABLE,
    check_estimators_overwrite_params=TABLE,
    check_dont_overwrite_parameters=TABLE,
    check_estimators_fit_returns_self=TABLE,
    check_readonly_memmap_input=TABLE,
    check_n_features_in_after_fitting=TABLE,
    check_positive_only_tag_during_fit=TABLE,
    check_estimators_dtypes=TABLE,
    check_pipeline_consistency=TABLE,
    check_estimators_pickle=TABLE,
    check_f_contiguous_array_estimator=TABLE,
    check_methods_sample_order_invariance=TABLE,
    check_methods_subset_invariance=TABLE,
    check_dict_unchanged=TABLE,
    check_fit_idempotent=TABLE,
    check_fit_check_is_fitted=TABLE,
    check_n_features_in=TABLE,
    check_fit2d_predict1d=TABLE,
    check_complex_data=WORDS,
    check_dtype_object=WORDS,
    check_estimators_empty_data_messages=WORDS,
    check_estimator_sparse_tag=WORDS,
    check_estimator_sparse_array=WORDS,
    check_estimator_sparse_matrix=WORDS,
    check_fit2d_1sample=WORDS,
    check_fit2d_1feature=WORDS,
    check_parameters_default_constructible="allows plain numbers and names as defaults; spice_config is a SpiceConfig, "
                                           "frozen and comparable",
)


@pytest.mark.skipif(
    not hasattr(BaseEstimator, "__sklearn_tags__"), reason="scikit-learn before 1.6 says not which checks fail"
)
def test_the_checks_of_scikit_learn(recwarn):
    """All of them, tables included: what is not in the list passes, and what is in it fails (or is no check of this
    version)"""
    from sklearn.utils.estimator_checks import check_estimator
    class Tables(SpiceEstimator):
        __init__ = SpiceEstimator.__init__
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.two_d_array = True
            return tags
    found = check_estimator(Tables(epochs=2, starts=1), expected_failed_checks=NOT_FOR_SESSIONS, on_skip=None)
    outcome = {}
    for check in found: outcome.setdefault(check["check_name"], set()).add(check["status"])
    assert {"check_estimator_cloneable", "check_estimators_unfitted", "check_requires_y_none", "check_set_params"} <= {
        name for name, how in outcome.items() if how == {"passed"}
    }
    assert not [name for name, how in outcome.items() if name in NOT_FOR_SESSIONS and "xfail" not in how], (
        "passes now: take it off the list"
    )


def test_data_of_any_make_give_the_same(fitted):
    """What scikit-learn asks of tables, asked of sessions: types, order in memory, read-only memory, subsets, order
    of sessions, twice the same, nothing changed"""
    d = q_dataset(n_sessions=8, n_trials=30)
    xs, ys = d.xs.numpy(), d.ys.numpy()
    frozen = [x.copy() for x in (xs, ys)]
    for x in frozen: x.flags.writeable = False
    e = SpiceEstimator(**FAST)
    before, params = e.get_params(), copy.deepcopy(e.get_params())
    assert e.fit(xs, ys) is e and e.get_params() == before == params
    text = e.equation_.text(digits=12)
    attributes = {
        k: copy.deepcopy(v) for k, v in vars(e).items() if k in ("n_actions_", "participants_", "n_features_in_")
    }
    p = e.predict_proba(xs)
    assert attributes == {k: getattr(e, k) for k in attributes}
    for given_ in (
        (xs.astype(np.float64), ys.astype(np.float64)),
        (np.asfortranarray(xs), np.asfortranarray(ys)),
        frozen,
        (d.xs, d.ys),
        (xs, ys),
    ):
        assert e.fit(*given_).equation_.text(digits=12) == text
        np.testing.assert_array_equal(e.predict_proba(given_[0]), p)
    np.testing.assert_array_equal(e.predict_proba(xs[::-1].copy()), p[::-1])
    for i in range(8): np.testing.assert_allclose(e.predict_proba(xs[i:i + 1]), p[i:i + 1], atol=1e-12)
    with pytest.raises(ValueError, match="X has 7 features, but SpiceEstimator is expecting 5"):
        e.predict_proba(np.concatenate([xs, xs[..., 3:]], -1))


def test_pickle_and_copy(fitted):
    xs = q_dataset().xs[:2]
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert same(twin.predict(xs), fitted.predict(xs))


def test_same_seed_same_fit():
    d = q_dataset(n_sessions=9, n_trials=40)
    torch_state, state = torch.get_rng_state(), np.random.get_state()
    a, b, c = (SpiceEstimator(**FAST, seed=s).fit(d.xs, d.ys) for s in (0, 0, 1))
    raw = [e.regression_.equation.text(digits=15) for e in (a, b, c)]
    assert raw[0] == raw[1] != raw[2]
    # refined, the seed does not matter
    assert a.equation_.text(digits=15) == b.equation_.text(digits=15) and a.equation_.text() == c.equation_.text()
    assert torch.equal(torch_state, torch.get_rng_state())
    assert all(np.array_equal(x, y) for x, y in zip(state, np.random.get_state()))


@pytest.mark.parametrize("what", ["spice_agent", "rnn_agent"])
def test_not_fitted(what):
    with pytest.raises(NotFittedError, match="call fit"): getattr(SpiceEstimator(), what)
    for call in ("print_spice_model", "get_spice_features", "get_participant_embeddings"):
        with pytest.raises(NotFittedError): getattr(SpiceEstimator(), call)()
    with pytest.raises(NotFittedError): SpiceEstimator().predict(q_dataset().xs)


# Predicting and scoring

def test_predict(fitted):
    xs = q_dataset().xs[:5]
    network, equation = fitted.predict(xs)
    for p in (network, equation):
        assert p.shape == (5, 60, 2) and (p > 0).all()
        np.testing.assert_allclose(p.sum(-1), 1)
    assert abs(network - equation).max() < .05
    for i in range(5):
        assert all(
            np.allclose(a[i], b[0], atol=1e-12) for a, b in zip((network, equation), fitted.predict(xs[i : i + 1]))
        )
    assert same(fitted.predict(xs), fitted.predict(xs.numpy()))


def test_predict_is_what_the_cells_say(fitted):
    "predict(xs)[s, t] is the probability of choice t + 1"
    xs = q_dataset().xs[:3]
    trials = Trials.from_dataset(xs)
    for p, cell in zip(fitted.predict(xs), (fitted.rnn_agent, fitted.spice_agent)):
        said = replay(cell, trials)[["p_0", "p_1"]].to_numpy().reshape(3, 60, 2)
        np.testing.assert_allclose(p[:, :-1], said[:, 1:], atol=1e-12)


def test_predict_sessions_of_different_lengths(fitted):
    trials = uneven()
    d = trials.to_dataset()
    for p in fitted.predict(d.xs):
        assert p.shape == (4, 30, 2)
        for s, n in enumerate((30, 12, 7, 25)): assert np.isfinite(p[s, :n]).all() and np.isnan(p[s, n:]).all()
        x = d.xs.numpy()
        for s, t in zip(*np.nonzero(np.isnan(x[..., 0]))):  # nothing is learned on a missing trial
            if 0 < t and np.isfinite(p[s, t]).all(): np.testing.assert_allclose(p[s, t], p[s, t - 1], atol=1e-12)
        np.testing.assert_allclose(p[1, 0], .5)
    for i, n in enumerate((30, 12, 7, 25)):
        assert all(
            np.allclose(a[i, :n], b[0], atol=1e-12)
            for a, b in zip(fitted.predict(d.xs), fitted.predict(d.xs[i : i + 1, :n]))
        )


def test_network_and_equation_agree_where_a_session_ends(fitted):
    "The last choice is missing, but rewards were in sight: a trial for the one is a trial for the other"
    xs = q_dataset().xs[:1, :10].clone()
    xs[0, 9, :2], xs[0, 9, 2:4] = np.nan, .5
    network, equation = fitted.predict(xs)
    np.testing.assert_array_equal(np.isnan(network), np.isnan(equation))


@pytest.mark.parametrize("data", [q_dataset, lambda: uneven().to_dataset()])
def test_score_by_hand(fitted, data):
    d = data()
    ys = d.ys.numpy()
    network, equation = fitted.predict(d.xs)
    by_hand = [
        [np.log(p[s, t, int(ys[s, t].argmax())]) for s, t in np.argwhere(~np.isnan(ys[..., 0]))]
        for p in (network, equation)
    ]
    assert fitted.score(d.xs, d.ys) == pytest.approx(np.mean(by_hand[1]), rel=1e-9)
    table = fitted.scores(d.xs, d.ys)
    assert list(table.index) == ["guessing", "network", "equation", "wide search", "ceiling"]
    assert table.nll_per_choice.to_numpy()[:3] == pytest.approx(
        [np.log(2), -np.mean(by_hand[0]), -np.mean(by_hand[1])], rel=1e-9
    )
    np.testing.assert_allclose(table.probability, np.exp(-table.nll_per_choice))
    assert set(table.choices) == {len(by_hand[0])}
    trials = Trials.from_dataset(d)
    first = trials.choice[trials.starts[:-1]] >= 0
    assert nll(fitted.spice_agent, None, trials).sum() == pytest.approx(
        -sum(by_hand[1]) + first.sum() * np.log(2), rel=1e-6
    )


def test_nothing_to_score(fitted):
    d = q_dataset()
    with pytest.raises(ValueError, match="no choice to score"): fitted.score(d.xs, torch.full_like(d.ys, np.nan))


# Several people

def test_an_equation_for_each(group):
    features = group.get_spice_features()
    assert list(features) == [0, 1, 2] and group.n_participants_ == 3
    raw = [group.regression_.equation.terms(i)["x_value_reward_chosen"]["x_value_reward_chosen[k]"] for i in range(3)]
    slopes = [features[i]["x_value_reward_chosen"].get("x_value_reward_chosen[k]", 0.) for i in range(3)]
    for x in (raw, slopes): assert x[0] > x[1] > x[2]  # learning rates .2, .5, .8
    assert set(group.regression_.table.participant) == {0, 1, 2}


def test_printed_by_participant(group, capsys):
    lines = []
    for i in range(3):
        group.print_spice_model(i)
        lines.append(capsys.readouterr().out.strip())
        assert lines[-1] == group.equation_.text(i)
    # its beta is part of the network's equation
    assert len(set(lines)) == 3 and all("logits = " in group.regression_.equation.text(i) for i in range(3))
    group.print_spice_model()
    assert capsys.readouterr().out.strip() == lines[0]
    with pytest.raises(ValueError, match="nothing of participant 7"): group.print_spice_model(7)


def test_embeddings(group, fitted):
    table = group.get_participant_embeddings()
    assert table.shape == (3, 2) and table.index.name == "participant" and len(table.drop_duplicates()) == 3
    np.testing.assert_array_equal(table, group.network_.participant_embedding.weight[0].detach())
    with pytest.raises(ValueError, match="RescorlaWagnerRNN has no embedding"): fitted.get_participant_embeddings()


def test_predictions_for_people(group):
    d = people_dataset()
    network, equation = group.predict(d.xs)
    assert abs(network - np.exp(group._equation_logp(d.xs, group.regression_.equation))).max() < .1
    one = d.xs[d.xs[:, 0, -1] == 2]
    assert same(group.predict(one), (network[d.xs[:, 0, -1] == 2], equation[d.xs[:, 0, -1] == 2]))
    as_other = one.clone()
    as_other[..., -1] = 0
    assert all(abs(a - b).max() > .01 for a, b in zip(group.predict(one), group.predict(as_other)))
    assert group.score(d.xs, d.ys) > -np.log(2) + .05
    trials = Trials.from_dataset(d)
    for agent in (group.rnn_agent, group.spice_agent): assert nll(agent, None, trials).shape == (3,)


def test_the_equation_of_one_person(group, capsys):
    d = people_dataset()
    e = clone(group).set_params(spice_participant_id=1).fit(d.xs, d.ys)
    assert list(e.get_spice_features()) == [1]
    assert e.equation_.text(1) == group.equation_.text(1)
    mine = d.xs[:, 0, -1] == 1
    assert same([e.predict(d.xs[mine])[1]], [group.predict(d.xs[mine])[1]])
    e.print_spice_model(1)
    assert capsys.readouterr().out
    with pytest.raises(ValueError, match="no trials of participant 8"):
        clone(group).set_params(spice_participant_id=8).fit(d.xs, d.ys)


def test_the_only_equation_is_printed_without_being_named(group, capsys):
    d = people_dataset()
    clone(group).set_params(spice_participant_id=1, epochs=20).fit(d.xs, d.ys).print_spice_model()
    assert capsys.readouterr().out.startswith("(x_value_reward_chosen)[k+1] = ")


def test_one_network_for_all_people(fitted):
    "Ids do not matter to a network without an embedding"
    d = q_dataset()
    xs = d.xs.clone()
    xs[::3, :, -1] = 2
    e = clone(fitted).set_params(wide=False).fit(xs, d.ys)
    assert e.equation_.text() == fitted.equation_.text() and e.n_participants_ == 3
    assert same(e.predict(xs), fitted.predict(d.xs)) and list(e.get_spice_features()) == ["everybody"]


def test_held_out_sessions_may_be_of_other_people():
    "The number of people is counted on all data, not only on the sessions that are left for training"
    d = people_dataset()
    for seed in range(3):  # one of the seeds holds out all sessions of the last participant
        few = [x[[0, 6, 12]] for x in (d.xs, d.ys)]
        e = SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, **FAST, refine=False, train_test_ratio=.67, seed=seed).fit(*few)
        assert e.n_participants_ == 3
        assert np.isfinite(e.predict(few[0])[0]).all()


def test_test_data_of_other_people():
    d = people_dataset()
    old, new = d.xs[:, 0, -1] < 2, d.xs[:, 0, -1] == 2
    try: e = SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, **FAST).fit(d.xs[old], d.ys[old], d.xs[new], d.ys[new])
    except ValueError as error: assert "xs_test" in str(error)
    else: assert e.n_participants_ == 3


def test_dropout_follows_the_seed():
    d, runs = people_dataset(), []
    for s in (1, 2):
        torch.manual_seed(s)
        runs.append(
            SpiceEstimator(
                PeopleRNN, PEOPLE_CONFIG, starts=1, epochs=6, learning_rate=.05, dropout=.3, wide=False, refine=False
            )
            .fit(d.xs, d.ys)
            .get_participant_embeddings()
        )
    assert runs[0].equals(runs[1])


def test_dropout_that_would_do_nothing():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match="dropout=0.5 would do nothing"):
        SpiceEstimator(dropout=0.5, **FAST).fit(d.xs, d.ys)


def test_experiments():
    "An id of the experiment in the last column but one: the network is told, and everything else works as without"
    class ExperimentRNN(RescorlaWagnerRNN):
        seen = []
        def init_forward_pass(self, inputs, prev_state=None, batch_first=False):
            out = super().init_forward_pass(inputs, prev_state, batch_first)
            ExperimentRNN.seen.append((self.n_experiments, set(out[1][1].flatten().tolist())))
            return out
    d = q_dataset(n_sessions=9, n_trials=40)
    experiment = torch.zeros(9, 40, 1)
    experiment[5:] = 1
    xs = torch.cat([d.xs[..., :4], experiment, d.xs[..., 4:]], -1)
    e = SpiceEstimator(ExperimentRNN, RESCORLA_WAGNER_CONFIG, n_experiments=2, **FAST).fit(xs, d.ys)
    assert (2, {0, 1}) in ExperimentRNN.seen
    plain = SpiceEstimator(RescorlaWagnerRNN, RESCORLA_WAGNER_CONFIG, **FAST).fit(d.xs, d.ys)
    assert e.equation_.text() == plain.equation_.text() and same(e.predict(xs), plain.predict(d.xs))
    assert np.isfinite(simulate(e.rnn_agent, BanditsDrift(.2), n_trials=5).choice).all()


# Options

def test_train_test_ratio():
    d = q_dataset(n_sessions=10, n_trials=40)
    e = SpiceEstimator(**FAST, train_test_ratio=.7).fit(d.xs, d.ys)
    assert np.isfinite(e.training_.test_nll) and e.training_.test_nll != e.training_.nll
    with pytest.raises(ValueError, match="train_test_ratio must be"):
        SpiceEstimator(train_test_ratio=1.5).fit(d.xs, d.ys)
    with pytest.raises(ValueError, match="leaves no session"): SpiceEstimator(train_test_ratio=.01).fit(d.xs, d.ys)


def test_test_data_without_choices():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match="ys_test"): SpiceEstimator(**FAST).fit(d.xs, d.ys, xs_test=d.xs)
    with pytest.raises(ValueError, match="xs_test"): SpiceEstimator(**FAST).fit(d.xs, d.ys, ys_test=d.ys)


def test_off_policy_probes(fitted):
    d = q_dataset()
    e = (
        clone(fitted)
        .set_params(
            wide=False,
            refine=False,
            n_sessions_off_policy=2,
            n_trials_off_policy=100,
            n_trials_same_action_off_policy=5,
        )
        .fit(d.xs, d.ys)
    )
    assert e.regression_.equation.text(digits=6) != fitted.regression_.equation.text(digits=6)
    a, b = (x.regression_.equation.terms()["x_value_reward_chosen"] for x in (e, fitted))
    assert list(a) == list(b) and np.allclose(list(a.values()), list(b.values()), atol=.1)
    xs = off_policy_sessions(2, 20, 5, 3)
    assert xs.shape == (2, 20, 7) and xs[0, :, :3].argmax(1).tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [0] * 5
    assert not torch.equal(torch.nan_to_num(xs[0], -1), torch.nan_to_num(xs[1], -1))


def test_threshold_and_degree(fitted):
    d = q_dataset()
    dense = (
        clone(fitted)
        .set_params(refine=False, wide=False, spice_optim_threshold=0., spice_library_polynomial_degree=2)
        .fit(d.xs, d.ys)
    )
    assert len(dense.get_spice_features()["everybody"]["x_value_reward_chosen"]) == 5  # 1, V, r, V², V r: no r²
    empty = clone(fitted).set_params(refine=False, wide=False, spice_optim_threshold=5.).fit(d.xs, d.ys)
    assert empty.network_equation_.terms()["x_value_reward_chosen"] == {"x_value_reward_chosen[k]": 1.}
    with pytest.raises(ValueError, match="unknown optimizer"):
        clone(fitted).set_params(spice_optimizer_type="SR4", **FAST).fit(d.xs, d.ys)


def test_bad_options_are_found_before_the_training(monkeypatch):
    "An hour of training should not end in a typing error"
    def train(*args, **kwargs): raise AssertionError("training began")
    monkeypatch.setattr("spice_rl.discovery.estimator.train", train)
    d = q_dataset(n_sessions=5, n_trials=20)
    for wrong in (
        dict(spice_optimizer_type="SR4"),
        dict(spice_participant_id=8),
        dict(spice_library_polynomial_degree=-1),
        dict(spice_optim_threshold=-1.),
        dict(spice_optim_regularization=0.),
        dict(spice_config=FORGETTING_CONFIG),
        dict(n_trials_off_policy=0, n_sessions_off_policy=1),
    ):
        with pytest.raises(ValueError): SpiceEstimator(**wrong).fit(d.xs, d.ys)


def test_saving_after_fitting(tmp_path):
    d = q_dataset(n_sessions=5, n_trials=30)
    e = SpiceEstimator(**FAST, save_path_rnn=tmp_path/"n.json", save_path_spice=tmp_path/"e.json").fit(d.xs, d.ys)
    assert same(load_spice(tmp_path/"n.json", tmp_path/"e.json").predict(d.xs), e.predict(d.xs))


def test_three_options():
    d = create_dataset(AgentQ(3, alpha_reward=.4), BanditsDrift(.2, 3), n_trials=40, n_sessions=15)[0]
    e = SpiceEstimator(n_actions=3, **FAST).fit(d.xs, d.ys)
    assert e.predict(d.xs)[1].shape == (15, 40, 3) and e.score(d.xs, d.ys) > -np.log(3) + .05


def test_options_are_counted_in_ys():
    d = create_dataset(AgentQ(4, alpha_reward=.4), BanditsDrift(.2, 4), n_trials=30, n_sessions=8)[0]
    e = SpiceEstimator(**FAST).fit(d.xs, d.ys)
    assert e.n_actions is None and e.n_actions_ == 4 and e.predict_proba(d.xs).shape == (8, 30, 4)
    with pytest.raises(ValueError, match="ys must have 2 columns"): SpiceEstimator(n_actions=2).fit(d.xs, d.ys)


def test_what_cannot_be_is_said_before_the_training(monkeypatch, tmp_path):
    def train(*args, **kwargs): raise AssertionError("training began")
    monkeypatch.setattr("spice_rl.discovery.estimator.train", train)
    d = q_dataset(n_sessions=5, n_trials=20)
    trials = Trials.from_dataset(d)
    (tmp_path/"file").write_text("")
    for kind, said, options, data in [
        (TypeError, "rnn_class must be a class of network.* got the class str", dict(rnn_class=str), (d.xs, d.ys)),
        (TypeError, "without brackets: rnn_class=RescorlaWagnerRNN", dict(rnn_class=RescorlaWagnerRNN()), (d.xs, d.ys)),
        (TypeError, "rnn_class must be .* got NoneType", dict(rnn_class=None), (d.xs, d.ys)),
        (ValueError, "device must be 'cpu' or 'cuda'.*'gpu'", dict(device="gpu"), (d.xs, d.ys)),
        (TypeError, "learning_rate must be a number, got 'fast'", dict(learning_rate="fast"), (d.xs, d.ys)),
        (TypeError, "epochs must be a whole number.*'10'", dict(epochs="10"), (d.xs, d.ys)),
        (ValueError, "starts must be a whole number", dict(starts=1.5), (d.xs, d.ys)),
        (TypeError, "seed must be a whole number.*None", dict(seed=None), (d.xs, d.ys)),
        (ValueError, "dropout must be", dict(dropout=2), (d.xs, d.ys)),
        (ValueError, "n_actions must be", dict(n_actions=1), (d.xs, d.ys)),
        (ValueError, "embedding_size must be", dict(embedding_size=-1), (d.xs, d.ys)),
        (TypeError, "got Trials: dataset = trials.to_dataset", {}, (trials,)),
        (TypeError, "got DatasetRNN: fit\\(dataset.xs", {}, (d,)),
        (ValueError, "requires y to be passed", {}, (d.xs,)),
        (ValueError, "xs carries gradients", {}, (d.xs.clone().requires_grad_(), d.ys)),
        (ValueError, "ys carries gradients", {}, (d.xs, d.ys.clone().requires_grad_())),
        (
            ValueError,
            "save_path_rnn='.*' cannot be written: there is no folder",
            dict(save_path_rnn=str(tmp_path / "no" / "n.json")),
            (d.xs, d.ys),
        ),
        (
            ValueError,
            "save_path_spice must be the path of a file, and .* is a folder",
            dict(save_path_spice=tmp_path),
            (d.xs, d.ys),
        ),
        (
            ValueError,
            "cannot be written: there is no folder",
            dict(save_path_spice=tmp_path / "file" / "e.json"),
            (d.xs, d.ys),
        ),
        (TypeError, "save_path_rnn must be the path of a file, got int", dict(save_path_rnn=3), (d.xs, d.ys)),
    ]:
        with pytest.raises(kind, match=said): SpiceEstimator(**options).fit(*data)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_never_worse_than_the_stage_before():
    """People who always alternate need values that run away: refine has no such equation, so that of the regression
    is kept, and it is said"""
    xs, ys = alternating()
    with pytest.warns(UserWarning, match="estimating the equation on the choices made it worse"):
        e = SpiceEstimator(epochs=150, starts=2).fit(xs, ys)
    table = e.summary()
    assert e.network_equation_ is e.regression_.equation
    assert "so the network's equation is that of the regression" in e.remarks_[0]
    assert table.index.drop("wide search")[-1] == "equation (regression)"
    assert table.bic["equation (regression)"] < table.bic["equation (refined)"]
    assert table.bic.iloc[-1] <= table.bic.iloc[-2] and table.nll_per_choice.iloc[-1] == pytest.approx(-e.score(xs, ys))


def forgetful(people, sessions, n_trials, seed=0):
    "People who forget what they do not choose, which the network of Rescorla-Wagner has no room for"
    rates = pd.DataFrame(dict(alpha_reward=np.linspace(.3, .6, people)))
    trials = simulate(
        AgentQ(beta_reward=4., forget_rate=.4),
        BanditsDrift(.2),
        rates,
        people=people,
        sessions=sessions,
        n_trials=n_trials,
        seed=seed,
    )
    return trials.to_dataset()


def test_the_best_equation_may_be_that_of_the_wide_search(tmp_path):
    """By held-out choices: then equation_ is a cell of traces with numbers from all choices, the network's own
    stays, and both are saved, scored and loaded"""
    d = forgetful(8, 10, 60)
    trials = Trials.from_dataset(d)
    with pytest.warns(
        UserWarning,
        match="and that is equation_, with numbers from all choices; the network's own stays network_equation_",
    ):
        e = SpiceEstimator(starts=1, epochs=20).fit(d.xs, d.ys)
    assert isinstance(e.equation_, TraceEquation)
    assert "forgetting" in e.equation_.as_rl().name
    assert e.equation_.structure == e.wide_.structure
    whole = fit_hierarchical(TraceEquation(e.equation_.structure), trials)
    np.testing.assert_allclose(
        e.equation_.numbers(), whole.means.typical.droplevel("group")[list(e.equation_.params)], rtol=.02
    )
    assert e.summary().index[-1] == "wide search"
    assert e.network_equation_ is e.spice_agent
    assert e.network_equation_ is e.refinement_.equation
    last = e.summary().loc["wide search"]
    assert last.nll_per_choice == pytest.approx(-e.score(d.xs, d.ys))
    assert last.bic < e.summary().bic["equation (refined)"] - 100
    first_choices = trials.n_trials - int(np.nansum(d.ys.numpy()))
    assert last.bic == pytest.approx(whole.integrated_bic - 2 * first_choices * np.log(2), abs=.5)
    first = trials.starts[:-1]
    assert nll(e.equation_, trials=trials).sum() == pytest.approx(
        len(first) * np.log(2) - (trials.n_trials - len(first)) * e.score(d.xs, d.ys), rel=1e-6
    )
    assert e.score(d.xs, d.ys) == pytest.approx(np.log(e.predict_proba(d.xs)[d.ys.numpy() == 1]).mean())
    assert e.score(d.xs, d.ys) > -e.scores(d.xs, d.ys).nll_per_choice["equation"] + .01
    e.save_spice(path_spice=tmp_path/"e.json")
    again = load_spice(path_spice=tmp_path/"e.json")
    assert again.equation_.to_dict() == e.equation_.to_dict()
    assert again.network_equation_.text() == e.network_equation_.text()
    content = json.loads((tmp_path/"e.json").read_text())
    content["best"]["numbers"]["alpha"] = 2.
    content.pop("sha256")
    (tmp_path / "e.json").write_text(
        json.dumps(content | dict(sha256=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()))
    )
    with pytest.raises(ValueError, match="is no model that can be used: alpha must lie"):
        load_spice(path_spice=tmp_path / "e.json")


def test_people_with_one_session_are_judged_by_its_last_fifth():
    """So that numbers that differ between people are of people who are known; what comes before is learned from, and
    nothing else"""
    d = forgetful(20, 1, 60)
    trials = Trials.from_dataset(d)
    e = SpiceEstimator(starts=1, epochs=15).fit(d.xs, d.ys)
    # 12 of 59 choices are held out, and the first
    alone = discover(Trials.from_dataset(DatasetRNN(d.xs[:, :48], d.ys[:, :48])), verbose=False)
    assert e.wide_.choices == 20 * 48
    assert e.wide_.structure == alone.structure
    assert e.wide_.integrated_bic == pytest.approx(alone.integrated_bic, abs=1e-6)
    logp = torch.log_softmax(torch.tensor(replay_arrays(e.wide_.cell, None, trials)[0]), -1).reshape(20, 60, 2).numpy()
    later = np.take_along_axis(logp, trials.choice.reshape(20, 60, 1), -1)[:, 48:, 0]
    assert e.summary().held_out["wide search"] == pytest.approx(-later.mean())


def alternating():
    rng = np.random.default_rng(0)
    t = Trials.from_arrays(
        np.concatenate([(k + np.arange(50)) % 2 for k in rng.integers(0, 2, 20)]),
        rng.integers(0, 2, 1000),
        None,
        np.repeat(np.arange(20), 50),
        options=range(2),
    )
    d = t.to_dataset()
    return d.xs, d.ys


def test_the_kept_equation_is_the_better_one(fitted, group):
    for e in (fitted, group):
        table = e.summary()
        assert table.bic.iloc[-1] == table.bic.filter(like="equation").min() and not e.remarks_
        assert e.equation_ is (
            e.refinement_.equation if table.index[-1] == "equation (refined)" else e.regression_.equation
        )


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(epochs=0), "epochs must be"),
        (dict(learning_rate=-1.), "learning_rate must be above 0"),
        (dict(starts=0), "starts must be"),
        (dict(batch_size=-3), "batch_size must be"),
        (dict(l2_weight_decay=-1.), "l2_weight_decay"),
        (dict(convergence_threshold=-1.), "convergence_threshold"),
        (dict(scheduler=True), "scheduler"),
        (dict(n_participants=1), "n_participants=1 is too small"),
        (dict(n_actions=3), "ys must have 3 columns"),
    ],
)
def test_wrong_options(options, message):
    d = people_dataset()
    with pytest.raises(ValueError, match=message): SpiceEstimator(**options).fit(d.xs, d.ys)


def test_config_must_be_one():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(TypeError, match="spice_config must be a SpiceConfig, got dict"):
        SpiceEstimator(spice_config={}).fit(d.xs, d.ys)


# Data

BAD_DATA = dict(
    current=("ys holds the choice of the same trial", lambda xs, ys: (xs, xs[..., :2].clone())),
    no_id=("no id column", lambda xs, ys: (xs[..., :4], ys)),
    other_sessions=("same sessions and trials", lambda xs, ys: (xs[:3], ys)),
    other_trials=("same sessions and trials", lambda xs, ys: (xs[:, :5], ys)),
    flat=("must be", lambda xs, ys: (xs[0], ys[0])),
    fraction=("single 1 among 0", lambda xs, ys: (put(xs, (0, 3, 0), .5), ys)),
    minus_one=("Replace it by NaN", lambda xs, ys: (put(xs, (0, 3, slice(0, 2)), -1.), ys)),
    infinite=("finite", lambda xs, ys: (put(xs, (0, 3, 2), np.inf), ys)),
    id_changes=("changes within a session", lambda xs, ys: (put(xs, (0, 3, -1), 1.), ys)),
    id_of_half=("whole number from 0", lambda xs, ys: (put(xs, (0, slice(None), -1), .5), ys)),
    id_missing=("whole number from 0", lambda xs, ys: (put(xs, (0, slice(None), -1), np.nan), ys)),
    shifted=("must be the choice of", lambda xs, ys: (xs, ys.roll(3, 1))),
    three_columns=("features", lambda xs, ys: (xs, torch.cat([ys, ys[..., :1]], -1))),
    empty=("empty", lambda xs, ys: (xs[:0], ys[:0])),
    nothing=("no choice to predict", lambda xs, ys: (xs, torch.full_like(ys, np.nan))),
    text=("numbers", lambda xs, ys: (np.full(xs.shape, "a"), ys)),
)


def put(x, where, value):
    x = x.clone()
    x[where] = value
    return x


@pytest.mark.parametrize("name", BAD_DATA)
def test_wrong_data_are_refused(name):
    message, spoil = BAD_DATA[name]
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match=message): SpiceEstimator(**FAST).fit(*spoil(d.xs, d.ys))


def test_nothing_of_the_callers_is_changed():
    d = q_dataset(n_sessions=5, n_trials=30)
    given = dict(
        rnn_modules=["x_value_reward_chosen"],
        control_parameters=["c_action", "c_reward"],
        library_setup={"x_value_reward_chosen": ["c_reward"]},
        filter_setup={"x_value_reward_chosen": ["c_action", 1, True]},
    )
    copies, before = copy.deepcopy(given), [x.numpy().copy() for x in (d.xs, d.ys)]
    config = SpiceConfig(**given)
    as_was = copy.deepcopy(config)
    arrays = d.xs.numpy().astype(np.float64), d.ys.numpy().astype(np.float64)
    for a in arrays: a.flags.writeable = False
    for x, y in (d.xs, d.ys), arrays:
        e = SpiceEstimator(spice_config=config, **FAST).fit(x, y, x, y)
        e.predict(x); e.score(x, y); e.scores(x, y)
    assert given == copies and config == as_was and e.spice_config is config
    for x, b in zip((d.xs, d.ys), before): np.testing.assert_array_equal(x.numpy(), b)
    given["library_setup"]["x_value_reward_chosen"].append("c_action")
    given["rnn_modules"].append("more")
    assert config == as_was


# The config

GOOD = dict(
    rnn_modules=["m"],
    control_parameters=["c_action", "c_reward"],
    library_setup={"m": ["c_reward"]},
    filter_setup={"m": ["c_action", 1, True]},
)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            dict(library_setup={"m": ["c_rewrad"]}),
            "unknown signal in library_setup.* 'c_rewrad'; did you mean 'c_reward'",
        ),
        (dict(filter_setup={"m": ["c_acton", 1, True]}), "unknown signal in filter_setup.* 'c_acton'"),
        (dict(library_setup={"n": []}), "unknown module in library_setup 'n'"),
        (dict(filter_setup={"m": [], "n": []}), "unknown module in filter_setup 'n'"),
        (dict(library_setup={}), "library_setup says nothing about the module 'm'"),
        (dict(filter_setup={}), "filter_setup says nothing about the module 'm'"),
        (dict(filter_setup={"m": ["c_action", 1]}), "a filter is"),
        (dict(filter_setup={"m": [["c_action", 1, True], ["c_reward", 1]]}), "a filter is"),
        (dict(rnn_modules=["m", "n"]), "says nothing about the module 'n'"),
        (dict(control_parameters=["c_action"]), "unknown signal"),
        (dict(library_setup={"m": "c_reward"}), "library_setup"),
        (dict(filter_setup={"m": ["c_action", "one", True]}), "filter"),
        (dict(rnn_modules="mod", library_setup={"mod": []}, filter_setup={"mod": []}), "module"),
        (dict(rnn_modules=["m", "m"]), "twice|duplicate"),
    ],
)
def test_wrong_configs(change, message):
    with pytest.raises((TypeError, ValueError), match=message): SpiceConfig(**GOOD | change)


def test_good_configs():
    c = SpiceConfig(**GOOD)
    assert c.inputs("m") == ("c_reward",) and c.filter_setup == {"m": (("c_action", 1., True),)}
    several = SpiceConfig(
        **GOOD
        | dict(
            library_setup={"m": ["c_reward", "c_action"]},
            filter_setup={"m": [["c_action", 1, True], ["c_reward", 0, False]]},
        )
    )
    assert several.inputs("m") == ("c_reward",) and len(several.filter_setup["m"]) == 2
    assert SpiceConfig(**GOOD | dict(filter_setup={"m": []})).filter_setup == {"m": ()}
    assert SpiceConfig(**json.loads(json.dumps(several.to_dict()))) == several
    with pytest.raises(AttributeError): c.rnn_modules = ()


def test_config_of_another_network():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match="'x_value_reward_not_chosen'"):
        SpiceEstimator(RescorlaWagnerRNN, FORGETTING_CONFIG, **FAST).fit(d.xs, d.ys)


# Files

@pytest.fixture
def files(fitted, tmp_path):
    fitted.save_spice(tmp_path/"n.json", tmp_path/"e.json")
    return tmp_path


def test_either_or_both(fitted, files):
    xs = q_dataset().xs[:2]
    both, net = load_spice(files/"n.json", files/"e.json"), load_spice(files/"n.json")
    equation = load_spice(path_spice=files/"e.json")
    assert same(both.predict(xs), fitted.predict(xs))
    assert both.equation_.coefficients.equals(fitted.equation_.coefficients)
    assert repr(net.rnn_agent) == repr(fitted.rnn_agent) and equation.spice_agent.text() == fitted.spice_agent.text()
    assert equation.score(xs, q_dataset().ys[:2]) == fitted.score(xs, q_dataset().ys[:2])
    with pytest.raises(NotFittedError, match="path_spice"): net.spice_agent
    with pytest.raises(NotFittedError, match="path_rnn"): equation.rnn_agent
    for call in (load_spice, fitted.save_spice, SpiceEstimator().load_spice):
        with pytest.raises(ValueError, match="nothing to"): call()
    assert both.spice_config == fitted.spice_config and both.rnn_class is RescorlaWagnerRNN
    both.save_spice(files/"n2.json", files/"e2.json")
    assert (files/"n2.json").read_text() == (files/"n.json").read_text()
    assert (files/"e2.json").read_text() == (files/"e.json").read_text()


def test_a_loaded_equation_is_a_cell(fitted, files):
    t = simulate(load_spice(path_spice=files/"e.json").spice_agent, BanditsDrift(.2), people=2, n_trials=20, seed=1)
    assert t.to_frame().equals(simulate(fitted.spice_agent, BanditsDrift(.2), people=2, n_trials=20, seed=1).to_frame())


def test_people_survive_a_file(group, tmp_path):
    d = people_dataset()
    group.save_spice(tmp_path/"n", tmp_path/"e")
    loaded = load_spice(tmp_path/"n", tmp_path/"e")
    assert loaded.rnn_class is PeopleRNN and loaded.n_participants_ == 3
    assert same(loaded.predict(d.xs), group.predict(d.xs)) and loaded.get_spice_features() == group.get_spice_features()
    assert loaded.get_participant_embeddings().equals(group.get_participant_embeddings())
    np.testing.assert_array_equal(
        nll(loaded.rnn_agent, None, Trials.from_dataset(d)), nll(group.rnn_agent, None, Trials.from_dataset(d))
    )


def test_large_rewards_survive_a_file(tmp_path):
    "The units in which a network measures its inputs belong to its weights"
    d = q_dataset(n_sessions=8, n_trials=30)
    xs = d.xs.clone()
    xs[..., 2:4] *= 100
    e = SpiceEstimator(**FAST).fit(xs, d.ys)
    e.save_spice(tmp_path/"n", tmp_path/"e")
    assert same(load_spice(tmp_path/"n", tmp_path/"e").predict(xs), e.predict(xs))


def test_a_class_that_is_not_here(fitted, files, tmp_path):
    content = json.loads((files/"n.json").read_text())
    for key in ("format", "kind", "version", "sha256"): content.pop(key)
    content["architecture"] |= dict(name="Elsewhere", module="no_such_module")
    write_model(tmp_path/"x.json", "network", content)
    with pytest.raises(ValueError, match="rnn_class=Elsewhere"): load_spice(tmp_path/"x.json")
    assert same(
        [load_spice(tmp_path / "x.json", rnn_class=CustomRNN)._network_logp(q_dataset().xs[:1])],
        [fitted._network_logp(q_dataset().xs[:1])],
    )


@pytest.mark.parametrize(
    "module, name",
    [
        ("builtins", "dict"),
        ("os", "getcwd"),
        ("spice_rl.discovery.precoded", "RESCORLA_WAGNER_CONFIG"),
        ("torch.nn", "Linear"),
        ("spice_rl.discovery.precoded", "__doc__"),
    ],
)
def test_a_file_calls_networks_only(module, name, files, tmp_path):
    "What a file names is opened only if it is a class of network"
    content = json.loads((files/"n.json").read_text())
    for key in ("format", "kind", "version", "sha256"): content.pop(key)
    content["architecture"] |= dict(name=name, module=module)
    write_model(tmp_path/"x.json", "network", content)
    with pytest.raises(ValueError, match="class"): load_spice(tmp_path/"x.json")


def test_weights_of_another_class(files):
    with pytest.raises(ValueError, match="weights of RescorlaWagnerRNN, which do not fit ForgettingRNN"):
        SpiceEstimator(ForgettingRNN, FORGETTING_CONFIG).load_spice(files / "n.json")
    with pytest.raises(ValueError, match="n_actions=2, this estimator for 3"):
        SpiceEstimator(n_actions=3).load_spice(files / "n.json")


class Bomb:
    def __reduce__(self): return (exec, ("raise SystemExit('a pickle ran')",))


FOREIGN = dict(
    pickle=lambda text: pickle.dumps(Bomb()),
    empty=lambda text: b"",
    blank=lambda text: b"  \n",
    other_json=lambda text: b'{"a": 1}',
    a_list=lambda text: b"[1, 2]",
    a_number=lambda text: b"3",
    csv=lambda text: b"participant,choice\n1,0\n",
    truncated=lambda text: text[: len(text) // 2].encode(),
    almost=lambda text: text[:-1].encode(),
    flipped=lambda text: text.replace("0.", "1.", 1).encode(),
    no_checksum=lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "sha256"}).encode(),
    renamed=lambda text: text.replace("spice_rl model", "other model").encode(),
    bytes=lambda text: bytes(range(256)),
    more=lambda text: (text + "x").encode(),
    no_kind=lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "kind"}).encode(),
)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("kind, file", [("network", "n.json"), ("equation", "e.json")])
def test_foreign_and_damaged_files(name, kind, file, files):
    (files/file).write_bytes(FOREIGN[name]((files/file).read_text()))
    with pytest.raises(ValueError, match="damaged|not a model file"): read_model(files/file, kind)
    e = SpiceEstimator()
    before = dict(vars(e))
    with pytest.raises(ValueError, match=file):
        e.load_spice(**{dict(network="path_rnn", equation="path_spice")[kind]: files / file})
    assert vars(e) == before  # nothing half loaded


def test_wrong_kind_and_no_file(files):
    with pytest.raises(ValueError, match="path_rnn and path_spice swapped"): load_spice(files/"e.json", files/"n.json")
    with pytest.raises(FileNotFoundError, match="no model file"): load_spice(files/"none.json")
    with pytest.raises((OSError, ValueError)): load_spice(files)


def test_a_bad_second_file_leaves_the_estimator_as_it_was(fitted, files):
    (files/"e.json").write_text("{}")
    e = SpiceEstimator()
    with pytest.raises(ValueError): e.load_spice(files/"n.json", files/"e.json")
    assert not hasattr(e, "network_")


def signed(content): return json.dumps(content | dict(sha256=_digest(content)))


@pytest.fixture(scope="module")
def written(fitted, tmp_path_factory):
    "What the files of a network and of an equation hold, as text"
    folder = tmp_path_factory.mktemp("written")
    fitted.save_spice(folder/"n.json", folder/"e.json")
    return {kind: (folder/file).read_text() for kind, file in (("network", "n.json"), ("equation", "e.json"))}


def content_of(text):
    content = json.loads(text)
    content.pop("sha256")
    return content


def opened(kind, path): return load_spice(path) if kind == "network" else load_spice(path_spice=path)


WRONG_FILES = dict(
    newer=("was written by spice_rl 99.0.1, and this is", lambda c: c.update(version="99.0.1")),
    no_version=("its version is None", lambda c: c.pop("version")),
    odd_version=("its version is 'x'", lambda c: c.update(version="x")),
    other_kind=("a model of kind 'cake'", lambda c: c.update(kind="cake")),
    a_list_as_kind=("a model of kind \\[", lambda c: c.update(kind=[])),
    save_path=("options has 'save_path_rnn'", lambda c: c["options"].update(save_path_rnn="x")),
    unknown=("the file has 'colour'", lambda c: c.update(colour=1)),
    missing=("the file lacks 'options'", lambda c: c.pop("options")),
    kind_of_options=("options must be a dict", lambda c: c.update(options=[])),
    fraction=("n_actions must be a whole number", lambda c: c["options"].update(n_actions=2.5)),
    truth=("n_actions must be a whole number", lambda c: c["options"].update(n_actions=True)),
    huge=("n_actions must be a whole number", lambda c: c["options"].update(n_actions=10**12)),
    text=("dropout must be a number", lambda c: c["options"].update(dropout="x")),
    nan=("dropout must be", lambda c: c["options"].update(dropout=math.nan)),
    config=("config lacks 'rnn_modules'", lambda c: c["config"].pop("rnn_modules")),
    signals=("library_setup", lambda c: c["config"].update(library_setup={"x_value_reward_chosen": 3})),
)
WRONG_NETWORKS = dict(
    weight=(
        "must be a finite number|must be a number",
        lambda c: next(iter(c["weights"].values()))["values"].__setitem__(0, math.nan),
    ),
    infinite=(
        "must be a finite number",
        lambda c: next(iter(c["weights"].values()))["values"].__setitem__(0, math.inf),
    ),
    shape=("needs 4", lambda c: next(iter(c["weights"].values())).update(shape=[2, 2])),
    fewer=("which do not fit RescorlaWagnerRNN", lambda c: c["weights"].popitem()),
    people=("n_participants must be", lambda c: c["architecture"].update(n_participants=10**15)),
    name=("name of the architecture must be a name", lambda c: c["architecture"].update(name=3)),
    kind_of_weights=("weights must be a dict", lambda c: c.update(weights=[])),
)
WRONG_EQUATIONS = dict(
    coefficient=("must be a finite number", lambda c: c["equation"]["coefficients"][0].__setitem__(0, math.nan)),
    row=("must be 1 rows of", lambda c: c["equation"]["coefficients"].append([])),
    exponent=(
        "each exponent must be a whole number",
        lambda c: c["equation"]["rules"][0]["terms"][0].__setitem__(0, 1.5),
    ),
    negative=("each exponent must be", lambda c: c["equation"]["rules"][0]["terms"][0].__setitem__(0, -2)),
    endless=("each exponent must be", lambda c: c["equation"]["rules"][0]["terms"][0].__setitem__(0, 10**9)),
    no_rules=("rules must be a list", lambda c: c["equation"].update(rules="x")),
    nested=("must be", lambda c: c["equation"]["rules"][0].update(terms=[[[0]]])),
    unknown=("a rule has 'colour'", lambda c: c["equation"]["rules"][0].update(colour=1)),
    label=("labels", lambda c: c["equation"].update(participants=[math.nan])),
)


@pytest.mark.parametrize(
    "kind, name",
    [("network", n) for n in WRONG_FILES | WRONG_NETWORKS] + [("equation", n) for n in WRONG_FILES | WRONG_EQUATIONS],
)
def test_each_way_in_which_a_file_can_be_wrong(kind, name, written, tmp_path):
    "With a checksum that is right: such a file was made, not damaged"
    content, path = content_of(written[kind]), tmp_path/"x.json"
    ways = WRONG_FILES | (WRONG_NETWORKS if kind == "network" else WRONG_EQUATIONS)
    ways[name][1](content)
    path.write_text(signed(content))
    with pytest.raises(ValueError, match=ways[name][0]) as error: opened(kind, path)
    assert "\n" not in str(error.value) and "x.json" in str(error.value)


@pytest.mark.parametrize(
    "text, said",
    [
        ('{"format": 1, "format": 2}', "it has 'format' twice"),
        ("[" * 100_000, "nested deeper than any model"),
        ('{"a":' * 100_000, "nested deeper"),
        ("NaN", "not a model file"),
        ("1e999", "not a model file"),
    ],
)
def test_odd_json(text, said, tmp_path):
    (tmp_path/"x.json").write_text(text)
    with pytest.raises(ValueError, match=said): load_spice(tmp_path/"x.json")


def test_a_folder_is_no_file(tmp_path):
    for call in (
        lambda: load_spice(tmp_path),
        lambda: load_spice(path_spice=str(tmp_path)),
        lambda: SpiceEstimator().load_spice(tmp_path),
    ):
        with pytest.raises(ValueError, match="is a folder, and a model is a file in it"): call()
    with pytest.raises(TypeError, match="given by its path, got int"): load_spice(3)
    with pytest.raises(TypeError, match="rnn_class must be a class"): load_spice(write_network(tmp_path), rnn_class=3)


def write_network(folder):
    d = q_dataset(n_sessions=5, n_trials=20)
    SpiceEstimator(**FAST, refine=False).fit(d.xs, d.ys).save_spice(folder/"n.json")
    return folder/"n.json"


def places(tree, at=()):
    "Every place in plain data, as a path of keys"
    yield at
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, (*at, key))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(
        [10**9, -1.5, .25, 1e300, math.nan, math.inf, "", "x", "x_value_reward", [], {}, [[]], {"a": 1}, ["x", 1]]
    ),
)


@pytest.mark.parametrize("kind", ["network", "equation"])
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_change_of_a_file_is_loaded_or_refused(kind, written, tmp_path, data):
    "What is loaded is what the file says: saved again, it is the same; what is not loaded is refused in one sentence"
    content, path = content_of(written[kind]), tmp_path/"x.json"
    at = data.draw(st.sampled_from([p for p in places(content) if p]))
    *way, last = at
    parent = content
    for key in way: parent = parent[key]
    how = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if how == "replace": parent[last] = data.draw(ODD)
    elif how == "remove": del parent[last]
    elif isinstance(parent, dict): parent["more"] = data.draw(ODD)
    else: parent.insert(last, data.draw(ODD))
    path.write_text(signed(content))
    try: loaded = opened(kind, path)
    except ValueError as error: return sentence(str(error))
    loaded.save_spice(**{dict(network="path_rnn", equation="path_spice")[kind]: tmp_path/"again.json"})
    again = json.loads((tmp_path/"again.json").read_text())
    assert same_data(again | dict(sha256=0, version=0), without_defaults(content, again) | dict(sha256=0, version=0))


def sentence(text):
    assert (
        "\n" not in text and len(text) < 2000 and ("x.json" in text or text.startswith("the file holds a network"))
    ), text


def without_defaults(content, again):
    "What may be left out of a file counts as what it then is"
    out = copy.deepcopy(content)
    out["config"].setdefault("degrees", {})
    if out["config"]["degrees"] is None: out["config"]["degrees"] = {}
    if out["kind"] == "equation":
        for key in ("held", "bounds", "covariance"):
            out["equation"][key] = again["equation"][key] if out["equation"].get(key) is None else out["equation"][key]
        for rule in out["equation"]["rules"]: rule.setdefault("fixed", []) or rule.pop("fixed")
    return out


def same_data(a, b):
    "Equal plain data, where NaN is NaN and 1 is 1.0"
    text = lambda x: json.dumps(x, sort_keys=True)
    numbers = lambda x: (
        {k: numbers(v) for k, v in x.items()}
        if isinstance(x, dict)
        else [numbers(v) for v in x]
        if isinstance(x, list)
        else float(x)
        if isinstance(x, (int, float))
        else x
    )
    return text(numbers(a)) == text(numbers(b))


def test_equations_as_data():
    e = rescorla_wagner_equation(.3, 3)
    again = equation_from_dict(json.loads(json.dumps(equation_to_dict(e))))
    assert again.text(digits=12) == e.text(digits=12) and again.held == e.held


def test_a_failed_save_leaves_the_old_file(fitted, files, monkeypatch):
    old = (files/"e.json").read_text()
    def broken(*args, **kwargs): raise OSError("disk full")
    monkeypatch.setattr("pathlib.Path.write_text", broken)
    with pytest.raises(OSError, match="disk full"): fitted.save_spice(path_spice=files/"e.json")
    monkeypatch.undo()
    assert (files/"e.json").read_text() == old


def test_a_ceiling_that_fails_costs_a_sentence_and_not_the_fit(monkeypatch):
    def fails(*given, **more): raise FloatingPointError("no finite likelihood")
    monkeypatch.setattr("spice_rl.discovery.stages.choice_ceiling", fails)
    dataset = simulate(AgentQ(alpha_reward=.3), BanditsDrift(.2), sessions=24, n_trials=50, seed=1).to_dataset()
    found = SpiceEstimator(**FAST | dict(wide=True)).fit(dataset.xs, dataset.ys)
    assert found.ceiling_ is None and found.wide_ is not None
    assert "there is no ceiling beside the equation: no finite likelihood" in found.notes()
