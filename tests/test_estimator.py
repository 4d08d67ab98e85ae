"""The published tutorial runs as printed, scikit-learn takes the estimator for one of its own, and wrong data and files are refused."""
import copy, inspect, json, pickle

import matplotlib
matplotlib.use("Agg")
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from spice_rl.bandits import AgentQ, BanditsDrift, create_dataset
from spice_rl.data import Trials
from spice_rl.engine import nll, replay, simulate
from spice_rl.estimator import SpiceEstimator, load_spice, off_policy_sessions, read_model, write_model
from spice_rl.plotting import plot_session
from spice_rl.precoded import FORGETTING_CONFIG, RESCOLA_WAGNER_CONFIG, RESCORLA_WAGNER_CONFIG, ForgettingRNN, RescorlaWagnerRNN
from spice_rl.rnn import BaseRNN, SpiceConfig
from worlds import PEOPLE_CONFIG, PeopleRNN, people_dataset, q_dataset

FAST = dict(starts=1, epochs=25)
pytestmark = pytest.mark.filterwarnings("ignore::spice_rl.training.TrainingWarning")


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

        # post-process the forward pass; give here as inputs the logits, batch_first and all values from the memory state
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
    return SpiceEstimator(rnn_class=RescorlaWagnerRNN, spice_config=RESCOLA_WAGNER_CONFIG, learning_rate=1e-2, epochs=60, starts=2, verbose=False).fit(d.xs, d.ys)


def test_the_stages_side_by_side(fitted):
    "Each number of the summary, found again: NLL from `predict`, BIC from it, numbers from the refinement, the share kept"
    d, table = q_dataset(), fitted.summary()
    assert list(table.index) == ["guessing", "network", "equation (regression)", "equation (refined)"]
    made = ~torch.isnan(d.ys).any(-1).numpy()
    n = made.sum()
    for what, p in zip(("network", "equation (refined)"), fitted.predict(d.xs)):
        assert table.nll_per_choice[what] == pytest.approx(-np.log(p[made][d.ys.numpy()[made] == 1]).mean(), rel=1e-9)
    assert table.parameters["equation (refined)"] == len(fitted.refinement_.estimates) and table.nll_per_choice["guessing"] == pytest.approx(np.log(2))
    np.testing.assert_allclose(table.bic, 2 * n * table.nll_per_choice + table.parameters * np.log(n))
    np.testing.assert_allclose(table.share_kept, (np.log(2) - table.nll_per_choice) / (np.log(2) - table.nll_per_choice["network"]))
    assert table.held_out.isna().all() and fitted.equation_ is fitted.refinement_.equation
    table.loc["network"] = 0
    assert fitted.summary().nll_per_choice["network"] > 0   # a copy


@pytest.fixture(scope="module")
def custom():
    d = q_dataset()
    return SpiceEstimator(rnn_class=CustomRNN, spice_config=custom_config, learning_rate=1e-2, epochs=60, starts=2).fit(d.xs, d.ys)


@pytest.fixture(scope="module")
def group():
    d = people_dataset()
    return SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, epochs=60, starts=1).fit(d.xs, d.ys)


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
    assert reward_probabilities.min() >= 0 and reward_probabilities.max() <= 1 and reward_probabilities.std(0).min() > .05


def test_tutorial_data():
    agent = AgentQ(n_actions=2, alpha_reward=.3)
    dataset, _, _ = create_dataset(agent=agent, environment=BanditsDrift(sigma=.2, n_actions=2), n_trials=100, n_sessions=100)
    dataset.xs[..., -1] = 0
    assert dataset.xs.shape == (100, 100, 5) and dataset.ys.shape == (100, 100, 2) and "tensor" in str(dataset.xs)
    fig, axs = plot_session(agents={'groundtruth': agent}, experiment=dataset.xs[0], signals_to_plot=['x_value_reward'])
    plt.close(fig)


def test_tutorial_precoded(fitted, capsys):
    fitted.print_spice_model()
    start, line = capsys.readouterr().out.strip().split("\n")
    assert start.startswith("x_value_reward[0] = ") and line.startswith("(x_value_reward_chosen)[k+1] = ") and line.endswith("c_reward[k]") and "x_value_reward_chosen[k] + " in line
    raw = fitted.regression_.equation.terms()["x_value_reward_chosen"]
    assert raw["1"] == pytest.approx(-.3, abs=.25)
    for terms in (raw, fitted.get_spice_features()["everybody"]["x_value_reward_chosen"]):
        assert terms["x_value_reward_chosen[k]"] == pytest.approx(.7, abs=.06) and terms["c_reward[k]"] == pytest.approx(.9, abs=.12)
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
    e = SpiceEstimator(ForgettingRNN, FORGETTING_CONFIG, epochs=60, starts=1).fit(d.xs, d.ys)
    e.print_spice_model()
    out = capsys.readouterr().out.strip().splitlines()
    assert [line.split(")")[0] for line in out] == ["(x_value_reward_chosen", "(x_value_reward_not_chosen"]
    slope = e.get_spice_features()["everybody"]["x_value_reward_not_chosen"]["x_value_reward_not_chosen[k]"]
    assert slope == pytest.approx(.7, abs=.12)


# scikit-learn

def test_clone_and_parameters(fitted):
    e = SpiceEstimator(CustomRNN, custom_config, epochs=7, seed=3)
    twin = clone(e)
    assert twin is not e and twin.get_params() == e.get_params() and twin.rnn_class is CustomRNN and twin.spice_config == custom_config
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
    search = GridSearchCV(SpiceEstimator(**FAST), dict(l2_weight_decay=[5., 1e5], spice_library_polynomial_degree=[1, 2]), cv=3).fit(d.xs.numpy(), d.ys.numpy())
    assert len(search.cv_results_["params"]) == 4 and search.best_params_["l2_weight_decay"] in (5., 1e5)
    assert search.predict(d.xs.numpy())[1].shape == (9, 40, 2)


def test_pickle_and_copy(fitted):
    xs = q_dataset().xs[:2]
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)): assert same(twin.predict(xs), fitted.predict(xs))


def test_same_seed_same_fit():
    d = q_dataset(n_sessions=9, n_trials=40)
    torch_state, state = torch.get_rng_state(), np.random.get_state()
    a, b, c = (SpiceEstimator(**FAST, seed=s).fit(d.xs, d.ys) for s in (0, 0, 1))
    raw = [e.regression_.equation.text(digits=15) for e in (a, b, c)]
    assert raw[0] == raw[1] != raw[2]
    assert a.equation_.text(digits=15) == b.equation_.text(digits=15) and a.equation_.text() == c.equation_.text()  # refined, the seed does not matter
    assert torch.equal(torch_state, torch.get_rng_state()) and all(np.array_equal(x, y) for x, y in zip(state, np.random.get_state()))


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
    for i in range(5): assert all(np.allclose(a[i], b[0], atol=1e-12) for a, b in zip((network, equation), fitted.predict(xs[i:i + 1])))
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
    for i, n in enumerate((30, 12, 7, 25)): assert all(np.allclose(a[i, :n], b[0], atol=1e-12) for a, b in zip(fitted.predict(d.xs), fitted.predict(d.xs[i:i + 1, :n])))


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
    by_hand = [[np.log(p[s, t, int(ys[s, t].argmax())]) for s, t in np.argwhere(~np.isnan(ys[..., 0]))] for p in (network, equation)]
    assert fitted.score(d.xs, d.ys) == pytest.approx(np.mean(by_hand[1]), rel=1e-9)
    table = fitted.scores(d.xs, d.ys)
    assert list(table.index) == ["guessing", "network", "equation"]
    assert table.nll_per_choice.to_numpy() == pytest.approx([np.log(2), -np.mean(by_hand[0]), -np.mean(by_hand[1])], rel=1e-9)
    np.testing.assert_allclose(table.probability, np.exp(-table.nll_per_choice))
    assert set(table.choices) == {len(by_hand[0])}
    trials = Trials.from_dataset(d)
    first = trials.choice[trials.starts[:-1]] >= 0
    assert nll(fitted.spice_agent, None, trials).sum() == pytest.approx(-sum(by_hand[1]) + first.sum() * np.log(2), rel=1e-6)


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
    assert len(set(lines)) == 3 and all("logits = " in group.regression_.equation.text(i) for i in range(3))  # its beta is part of the network's equation
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
    with pytest.raises(ValueError, match="no trials of participant 8"): clone(group).set_params(spice_participant_id=8).fit(d.xs, d.ys)


def test_the_only_equation_is_printed_without_being_named(group, capsys):
    d = people_dataset()
    clone(group).set_params(spice_participant_id=1, epochs=20).fit(d.xs, d.ys).print_spice_model()
    assert capsys.readouterr().out.startswith("(x_value_reward_chosen)[k+1] = ")


def test_one_network_for_all_people(fitted):
    "Ids do not matter to a network without an embedding"
    d = q_dataset()
    xs = d.xs.clone()
    xs[::3, :, -1] = 2
    e = clone(fitted).fit(xs, d.ys)
    assert e.equation_.text() == fitted.equation_.text() and e.n_participants_ == 3
    assert same(e.predict(xs), fitted.predict(d.xs)) and list(e.get_spice_features()) == ["everybody"]


def test_held_out_sessions_may_be_of_other_people():
    "The number of people is counted on all data, not only on the sessions that are left for training"
    d = people_dataset()
    for seed in range(3):  # one of the seeds holds out all sessions of the last participant
        few = [x[[0, 6, 12]] for x in (d.xs, d.ys)]
        e = SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, **FAST, train_test_ratio=.67, seed=seed).fit(*few)
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
        runs.append(SpiceEstimator(PeopleRNN, PEOPLE_CONFIG, starts=1, epochs=6, learning_rate=.05, dropout=.3).fit(d.xs, d.ys).get_participant_embeddings())
    assert runs[0].equals(runs[1])


def test_dropout_that_would_do_nothing():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match="dropout=0.5 would do nothing"): SpiceEstimator(dropout=.5, **FAST).fit(d.xs, d.ys)


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
    with pytest.raises(ValueError, match="train_test_ratio must be"): SpiceEstimator(train_test_ratio=1.5).fit(d.xs, d.ys)
    with pytest.raises(ValueError, match="leaves no session"): SpiceEstimator(train_test_ratio=.01).fit(d.xs, d.ys)


def test_test_data_without_choices():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match="ys_test"): SpiceEstimator(**FAST).fit(d.xs, d.ys, xs_test=d.xs)
    with pytest.raises(ValueError, match="xs_test"): SpiceEstimator(**FAST).fit(d.xs, d.ys, ys_test=d.ys)


def test_off_policy_probes(fitted):
    d = q_dataset()
    e = clone(fitted).set_params(n_sessions_off_policy=2, n_trials_off_policy=100, n_trials_same_action_off_policy=5).fit(d.xs, d.ys)
    assert e.regression_.equation.text(digits=6) != fitted.regression_.equation.text(digits=6)
    a, b = (x.regression_.equation.terms()["x_value_reward_chosen"] for x in (e, fitted))
    assert list(a) == list(b) and np.allclose(list(a.values()), list(b.values()), atol=.1)
    xs = off_policy_sessions(2, 20, 5, 3)
    assert xs.shape == (2, 20, 7) and xs[0, :, :3].argmax(1).tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [0] * 5
    assert not torch.equal(torch.nan_to_num(xs[0], -1), torch.nan_to_num(xs[1], -1))


def test_threshold_and_degree(fitted):
    d = q_dataset()
    dense = clone(fitted).set_params(refine=False, spice_optim_threshold=0., spice_library_polynomial_degree=2).fit(d.xs, d.ys)
    assert len(dense.get_spice_features()["everybody"]["x_value_reward_chosen"]) == 5  # 1, V, r, V², V r: no r²
    empty = clone(fitted).set_params(refine=False, spice_optim_threshold=5.).fit(d.xs, d.ys)
    assert empty.equation_.terms()["x_value_reward_chosen"] == {"x_value_reward_chosen[k]": 1.}
    with pytest.raises(ValueError, match="unknown optimizer"): clone(fitted).set_params(spice_optimizer_type="SR4", **FAST).fit(d.xs, d.ys)


def test_bad_options_are_found_before_the_training(monkeypatch):
    "An hour of training should not end in a typing error"
    def train(*args, **kwargs): raise AssertionError("training began")
    monkeypatch.setattr("spice_rl.estimator.train", train)
    d = q_dataset(n_sessions=5, n_trials=20)
    for wrong in (dict(spice_optimizer_type="SR4"), dict(spice_participant_id=8), dict(spice_library_polynomial_degree=-1), dict(spice_optim_threshold=-1.), dict(spice_optim_regularization=0.),
                  dict(spice_config=FORGETTING_CONFIG), dict(n_trials_off_policy=0, n_sessions_off_policy=1)):
        with pytest.raises(ValueError): SpiceEstimator(**wrong).fit(d.xs, d.ys)


def test_saving_after_fitting(tmp_path):
    d = q_dataset(n_sessions=5, n_trials=30)
    e = SpiceEstimator(**FAST, save_path_rnn=tmp_path/"n.json", save_path_spice=tmp_path/"e.json").fit(d.xs, d.ys)
    assert same(load_spice(tmp_path/"n.json", tmp_path/"e.json").predict(d.xs), e.predict(d.xs))


def test_three_options():
    d = create_dataset(AgentQ(3, alpha_reward=.4), BanditsDrift(.2, 3), n_trials=40, n_sessions=15)[0]
    e = SpiceEstimator(n_actions=3, **FAST).fit(d.xs, d.ys)
    assert e.predict(d.xs)[1].shape == (15, 40, 3) and e.score(d.xs, d.ys) > -np.log(3) + .05


@pytest.mark.parametrize("options, message", [
    (dict(epochs=0), "epochs must be"), (dict(learning_rate=-1.), "learning_rate must be above 0"), (dict(starts=0), "starts must be"), (dict(batch_size=-3), "batch_size must be"), (dict(l2_weight_decay=-1.), "l2_weight_decay"),
    (dict(convergence_threshold=-1.), "convergence_threshold"), (dict(scheduler=True), "scheduler"), (dict(n_participants=1), "n_participants=1 is too small"), (dict(n_actions=3), "ys must have 3 columns")])
def test_wrong_options(options, message):
    d = people_dataset()
    with pytest.raises(ValueError, match=message): SpiceEstimator(**options).fit(d.xs, d.ys)


def test_config_must_be_one():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(TypeError, match="spice_config must be a SpiceConfig, got dict"): SpiceEstimator(spice_config={}).fit(d.xs, d.ys)


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
    given = dict(rnn_modules=["x_value_reward_chosen"], control_parameters=["c_action", "c_reward"], library_setup={"x_value_reward_chosen": ["c_reward"]},
                 filter_setup={"x_value_reward_chosen": ["c_action", 1, True]})
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

GOOD = dict(rnn_modules=["m"], control_parameters=["c_action", "c_reward"], library_setup={"m": ["c_reward"]}, filter_setup={"m": ["c_action", 1, True]})


@pytest.mark.parametrize("change, message", [
    (dict(library_setup={"m": ["c_rewrad"]}), "unknown signal in library_setup.* 'c_rewrad'; did you mean 'c_reward'"), (dict(filter_setup={"m": ["c_acton", 1, True]}), "unknown signal in filter_setup.* 'c_acton'"),
    (dict(library_setup={"n": []}), "unknown module in library_setup 'n'"), (dict(filter_setup={"m": [], "n": []}), "unknown module in filter_setup 'n'"),
    (dict(library_setup={}), "library_setup says nothing about the module 'm'"), (dict(filter_setup={}), "filter_setup says nothing about the module 'm'"),
    (dict(filter_setup={"m": ["c_action", 1]}), "a filter is"), (dict(filter_setup={"m": [["c_action", 1, True], ["c_reward", 1]]}), "a filter is"),
    (dict(rnn_modules=["m", "n"]), "says nothing about the module 'n'"), (dict(control_parameters=["c_action"]), "unknown signal"),
    (dict(library_setup={"m": "c_reward"}), "library_setup"), (dict(filter_setup={"m": ["c_action", "one", True]}), "filter"),
    (dict(rnn_modules="mod", library_setup={"mod": []}, filter_setup={"mod": []}), "module"), (dict(rnn_modules=["m", "m"]), "twice|duplicate")])
def test_wrong_configs(change, message):
    with pytest.raises((TypeError, ValueError), match=message): SpiceConfig(**GOOD | change)


def test_good_configs():
    c = SpiceConfig(**GOOD)
    assert c.inputs("m") == ("c_reward",) and c.filter_setup == {"m": (("c_action", 1., True),)}
    several = SpiceConfig(**GOOD | dict(library_setup={"m": ["c_reward", "c_action"]}, filter_setup={"m": [["c_action", 1, True], ["c_reward", 0, False]]}))
    assert several.inputs("m") == ("c_reward",) and len(several.filter_setup["m"]) == 2
    assert SpiceConfig(**GOOD | dict(filter_setup={"m": []})).filter_setup == {"m": ()}
    assert SpiceConfig(**json.loads(json.dumps(several.to_dict()))) == several
    with pytest.raises(AttributeError): c.rnn_modules = ()


def test_config_of_another_network():
    d = q_dataset(n_sessions=5, n_trials=20)
    with pytest.raises(ValueError, match="'x_value_reward_not_chosen'"): SpiceEstimator(RescorlaWagnerRNN, FORGETTING_CONFIG, **FAST).fit(d.xs, d.ys)


# Files

@pytest.fixture
def files(fitted, tmp_path):
    fitted.save_spice(tmp_path/"n.json", tmp_path/"e.json")
    return tmp_path


def test_either_or_both(fitted, files):
    xs = q_dataset().xs[:2]
    both, net, equation = load_spice(files/"n.json", files/"e.json"), load_spice(files/"n.json"), load_spice(path_spice=files/"e.json")
    assert same(both.predict(xs), fitted.predict(xs)) and both.equation_.coefficients.equals(fitted.equation_.coefficients)
    assert repr(net.rnn_agent) == repr(fitted.rnn_agent) and equation.spice_agent.text() == fitted.spice_agent.text()
    assert equation.score(xs, q_dataset().ys[:2]) == fitted.score(xs, q_dataset().ys[:2])
    with pytest.raises(NotFittedError, match="path_spice"): net.spice_agent
    with pytest.raises(NotFittedError, match="path_rnn"): equation.rnn_agent
    for call in (load_spice, fitted.save_spice, SpiceEstimator().load_spice):
        with pytest.raises(ValueError, match="nothing to"): call()
    assert both.spice_config == fitted.spice_config and both.rnn_class is RescorlaWagnerRNN
    both.save_spice(files/"n2.json", files/"e2.json")
    assert (files/"n2.json").read_text() == (files/"n.json").read_text() and (files/"e2.json").read_text() == (files/"e.json").read_text()


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
    np.testing.assert_array_equal(nll(loaded.rnn_agent, None, Trials.from_dataset(d)), nll(group.rnn_agent, None, Trials.from_dataset(d)))


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
    assert same([load_spice(tmp_path/"x.json", rnn_class=CustomRNN)._network_logp(q_dataset().xs[:1])], [fitted._network_logp(q_dataset().xs[:1])])


@pytest.mark.parametrize("module, name", [("builtins", "dict"), ("os", "getcwd"), ("spice_rl.precoded", "RESCORLA_WAGNER_CONFIG"), ("torch.nn", "Linear"), ("spice_rl.precoded", "__doc__")])
def test_a_file_calls_networks_only(module, name, files, tmp_path):
    "What a file names is opened only if it is a class of network"
    content = json.loads((files/"n.json").read_text())
    for key in ("format", "kind", "version", "sha256"): content.pop(key)
    content["architecture"] |= dict(name=name, module=module)
    write_model(tmp_path/"x.json", "network", content)
    with pytest.raises(ValueError, match="class"): load_spice(tmp_path/"x.json")


def test_weights_of_another_class(files):
    with pytest.raises(ValueError, match="weights of RescorlaWagnerRNN, which do not fit ForgettingRNN"): SpiceEstimator(ForgettingRNN, FORGETTING_CONFIG).load_spice(files/"n.json")
    with pytest.raises(ValueError, match="n_actions=2, this estimator for 3"): SpiceEstimator(n_actions=3).load_spice(files/"n.json")


class Bomb:
    def __reduce__(self): return (exec, ("raise SystemExit('a pickle ran')",))


FOREIGN = dict(
    pickle=lambda text: pickle.dumps(Bomb()), empty=lambda text: b"", blank=lambda text: b"  \n", other_json=lambda text: b'{"a": 1}', a_list=lambda text: b"[1, 2]", a_number=lambda text: b"3",
    csv=lambda text: b"participant,choice\n1,0\n", truncated=lambda text: text[:len(text) // 2].encode(), almost=lambda text: text[:-1].encode(), flipped=lambda text: text.replace("0.", "1.", 1).encode(),
    no_checksum=lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "sha256"}).encode(), renamed=lambda text: text.replace("spice_rl model", "other model").encode(),
    bytes=lambda text: bytes(range(256)), more=lambda text: (text + "x").encode(), no_kind=lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "kind"}).encode())


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("kind, file", [("network", "n.json"), ("equation", "e.json")])
def test_foreign_and_damaged_files(name, kind, file, files):
    (files/file).write_bytes(FOREIGN[name]((files/file).read_text()))
    with pytest.raises(ValueError, match="damaged|not a model file"): read_model(files/file, kind)
    e = SpiceEstimator()
    before = dict(vars(e))
    with pytest.raises(ValueError, match=file): e.load_spice(**{dict(network="path_rnn", equation="path_spice")[kind]: files/file})
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


def test_a_failed_save_leaves_the_old_file(fitted, files, monkeypatch):
    old = (files/"e.json").read_text()
    def broken(*args, **kwargs): raise OSError("disk full")
    monkeypatch.setattr("pathlib.Path.write_text", broken)
    with pytest.raises(OSError, match="disk full"): fitted.save_spice(path_spice=files/"e.json")
    monkeypatch.undo()
    assert (files/"e.json").read_text() == old
