"""A network whose weights were set by hand to a known rule must give back that rule: each coefficient, however
small, and nothing else."""
import numpy as np
import pytest
import torch

from spice_rl.models.bandits import AgentQ, BanditsDrift, create_dataset
from spice_rl.core.data import Trials
from spice_rl.core.engine import nll
from spice_rl.core.replaying import replay_arrays
from spice_rl.discovery.equation import CHOSEN, OTHERS, Equation, equation_from_dict, equation_to_dict
from spice_rl.discovery.equation import rescorla_wagner_equation
from spice_rl.discovery.sessions import off_policy_sessions
from spice_rl.discovery.library import evaluate_terms, polynomial_terms, term_latex, term_text, two_valued
from spice_rl.discovery.precoded import FORGETTING_CONFIG, RESCORLA_WAGNER_CONFIG, RescorlaWagnerRNN
from spice_rl.discovery.rnn import SpiceConfig
from spice_rl.discovery.network_cell import NetworkCell
from spice_rl.discovery.sindy import OPTIMIZERS, regress, sparse_regression
from worlds import PEOPLE_CONFIG, PeopleRNN, exact_network, q_dataset


def rescorla_wagner(alpha, beta=3.): return -alpha * (beta / 2 - .5), -alpha, alpha * beta


def found(network, config=RESCORLA_WAGNER_CONFIG, data=None, **options):
    d = q_dataset() if data is None else data
    return regress(network, config, d.xs, d.ys, **options)


def chosen(regression): return regression.equation.terms()[CHOSEN]


def close(terms, want, **tolerance):
    assert list(terms) == list(want)
    assert list(terms.values()) == pytest.approx(list(want.values()), **(dict(abs=1e-9) | tolerance))


V, R = f"{CHOSEN}[k]", "c_reward[k]"


# Exact rules

@pytest.mark.parametrize("alpha", [.02, .1, .3, .6, .98])
@pytest.mark.parametrize("threshold", [None, 0., .005])
def test_the_rule_comes_back(alpha, threshold):
    # slow learning takes long to be seen
    data = q_dataset(**(dict(n_sessions=40, n_trials=200) if alpha < .1 else {}), alpha_reward=alpha)
    out = found(exact_network(rescorla_wagner(alpha)), data=data, threshold=threshold)
    c = rescorla_wagner(alpha)
    close(chosen(out), {"1": c[0], V: 1 + c[1], R: c[2]})
    truth = rescorla_wagner_equation(alpha, 3)
    assert nll(out.equation, None, Trials.from_dataset(data)).sum() == pytest.approx(
        nll(truth, None, Trials.from_dataset(data)).sum(), rel=1e-9
    )


def test_equal_equations_print_alike():
    "A coefficient that misses .1 by a rounding error is printed like .1"
    assert rescorla_wagner_equation(.1 - 1e-12, 3).text() == rescorla_wagner_equation(.1 + 1e-12, 3).text() == \
        f"({CHOSEN})[k+1] = -0.100 1 + 0.900 {V} + 0.300 {R}"


@pytest.mark.parametrize("forget", [.02, .2])
@pytest.mark.parametrize("threshold", [None, 0.])
def test_forgetting_comes_back(forget, threshold):
    net = exact_network(rescorla_wagner(.3), others=(.5 * forget, -forget))
    data = (
        q_dataset(n_sessions=100, n_trials=200, forget_rate=forget)
        if forget < .1
        else q_dataset(n_sessions=40, forget_rate=forget)
    )
    terms = found(net, FORGETTING_CONFIG, data, threshold=threshold).equation.terms()[OTHERS]
    # the constant may be too small to be worth a term
    if forget > .1 or threshold == 0:
        assert terms == pytest.approx({"1": .5 * forget, f"{OTHERS}[k]": 1 - forget}, abs=1e-9)
    else:
        assert terms[f"{OTHERS}[k]"] == pytest.approx(1 - forget, abs=4e-3)


def test_no_forgetting_comes_back_as_nothing():
    out = found(exact_network(rescorla_wagner(.3), others=(0., 0.)), FORGETTING_CONFIG)
    assert out.equation.terms()[OTHERS] == {f"{OTHERS}[k]": 1.}


def test_a_rule_of_its_own_scale():
    out = found(exact_network((.05, -.02, .013)), threshold=0.)
    close(chosen(out), {"1": .05, V: .98, R: .013})


# Degree 2

def test_an_asymmetric_learner_needs_the_product():
    "alpha⁺ .6, alpha⁻ .2, beta 3: -.2 + .8 V + 1.4 r - .4 V r"
    data = q_dataset(n_sessions=60, alpha_reward=.6, alpha_penalty=.2)
    out = found(exact_network((-.2, -.2, 1.4), product=-.4), data=data, degree=2)
    close(chosen(out), {"1": -.2, V: .8, R: 1.4, f"{V} {R}": -.4})
    agent = AgentQ(alpha_reward=.6, alpha_penalty=.2)
    np.testing.assert_allclose(
        nll(out.equation, None, Trials.from_dataset(data)), nll(agent, None, Trials.from_dataset(data)), rtol=1e-6
    )
    line = found(exact_network((-.2, -.2, 1.4), product=-.4), data=data)
    assert set(chosen(line)) <= {"1", V, R} and line.table.nll.min() > out.table.nll.min()


@pytest.mark.parametrize("threshold", [None, 0.])
def test_the_square_of_a_binary_reward_never_enters(threshold):
    out = found(exact_network(), degree=2, threshold=threshold)
    assert not any("^2" in t and "c_reward" in t for t in out.equation.params)
    assert {t.split(": ")[1] for t in out.equation.params if t.startswith(CHOSEN)} == {
        "1",
        CHOSEN,
        "c_reward",
        f"{CHOSEN}^2",
        f"{CHOSEN} c_reward",
    }
    if threshold is None: close(chosen(out), {"1": -.3, V: .7, R: .9})


def test_the_square_of_a_graded_reward_may_enter():
    d = q_dataset(n_sessions=10)
    xs = d.xs.clone()
    xs[..., 2:4] *= torch.rand(xs[..., 2:4].shape, generator=torch.Generator().manual_seed(0))
    out = regress(exact_network(), RESCORLA_WAGNER_CONFIG, xs, d.ys, degree=2, threshold=1e-6)
    assert f"{CHOSEN}: c_reward^2" in out.equation.params
    close(chosen(out), {"1": -.3, V: .7, R: .9}, abs=1e-6)


@pytest.mark.parametrize("degree", [0, -1, 1.5])
def test_wrong_degree(degree):
    with pytest.raises(ValueError, match=f"whole number of at least 1, got {degree}"):
        found(exact_network(), degree=degree)


# Choices of the regression

@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_finds_the_rule(name):
    out = found(exact_network(rescorla_wagner(.3), product=.004), degree=2, threshold=.05, optimizer=name)
    assert set(chosen(out)) == {"1", V, R} and list(chosen(out).values()) == pytest.approx([-.3, .7, .9], abs=.02)
    default = found(exact_network(), optimizer=name)
    close(chosen(default), {"1": -.3, V: .7, R: .9})


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("cut", [.01, .1])
def test_sparse_regression(name, cut):
    rng = np.random.default_rng(0)
    columns = np.c_[np.ones(400), rng.normal(size=(400, 4))]
    truth = np.array([-.3, .7, 0, .2, cut / 5])
    got = sparse_regression(columns, columns @ truth, cut, name)
    assert (got != 0).tolist() == [True, True, False, True, False]
    np.testing.assert_allclose(got[:2], truth[:2], atol=cut)
    np.testing.assert_allclose(sparse_regression(columns, columns @ truth, 0., name), truth, atol=1e-12)
    np.testing.assert_array_equal(sparse_regression(columns, columns @ truth, 9., name), np.zeros(5))


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(optimizer="SR4"), "unknown optimizer 'SR4'.*STLSQ"),
        (dict(threshold=-.1), "threshold must be at least 0"),
        (dict(regularization=0.), "regularization must be above 0"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message): found(exact_network(), **options)


def test_the_table_of_candidates():
    out = found(exact_network(product=.05), degree=2)
    t = out.table
    assert t.chosen.sum() == 1 and t.bic[t.chosen].item() == t.bic.min() and set(t.participant) == {"everybody"}
    trials = Trials.from_dataset(q_dataset())
    np.testing.assert_allclose(t.bic, 2 * t.nll + t.terms * np.log(trials.n_counted))
    assert t.nll[t.chosen].item() == pytest.approx(nll(out.equation, None, trials).sum(), rel=1e-9)
    assert t.terms.is_unique


def test_a_threshold_of_ones_own_is_obeyed():
    out = found(exact_network((-.3, -.3, .9), product=.004), degree=2, threshold=.05)
    assert set(chosen(out)) == {"1", V, R} and len(out.table) == 1
    assert found(exact_network(), threshold=5.).equation.terms()[CHOSEN] == {V: 1.}


# Where the signals come from

def test_probes_off_policy():
    probes, d = off_policy_sessions(2, 200, 5, 2, seed=1), q_dataset()
    a, b = found(exact_network(), probes=probes), found(exact_network())
    close(chosen(a), {"1": -.3, V: .7, R: .9})
    assert a.equation.text(digits=9) == b.equation.text(digits=9)
    np.testing.assert_allclose(a.table.nll.min(), b.table.nll.min())  # the likelihood is that of the people's choices
    never = found(exact_network(rescorla_wagner(.3), others=(.1, -.2)), FORGETTING_CONFIG, probes=probes, threshold=0.)
    assert never.equation.terms()[OTHERS] == pytest.approx({"1": .1, f"{OTHERS}[k]": .8}, abs=1e-9)


def test_hidden_and_missing_are_left_out():
    "Trials without a choice or without a reward teach the regression nothing wrong"
    d = q_dataset(n_sessions=20)
    trials, rng = Trials.from_dataset(d), np.random.default_rng(0)
    gone, hidden = rng.random(trials.n_trials) < .15, rng.random(trials.n_trials) < .2
    gone[trials.starts[1:] - 1] = False
    holed = Trials.from_arrays(
        np.where(gone, -1, trials.choice),
        np.where((gone | hidden)[:, None], np.nan, trials.reward),
        trials.participant,
        trials.session,
        options=range(2),
    ).to_dataset()
    close(chosen(found(exact_network(), data=holed)), {"1": -.3, V: .7, R: .9})
    both = found(exact_network(rescorla_wagner(.3), others=(.1, -.2)), FORGETTING_CONFIG, holed, threshold=0.)
    assert both.equation.terms()[OTHERS] == pytest.approx({"1": .1, f"{OTHERS}[k]": .8}, abs=1e-9)
    uneven = [x.clone() for x in (holed.xs, holed.ys)]
    uneven[0][3:9, 20:, :4], uneven[1][3:9, 19:] = np.nan, np.nan
    close(chosen(regress(exact_network(), RESCORLA_WAGNER_CONFIG, *uneven)), {"1": -.3, V: .7, R: .9})


def test_no_reward_was_ever_shown():
    d = q_dataset(n_sessions=5)
    xs = d.xs.clone()
    xs[..., 2:4] = np.nan
    with pytest.raises(ValueError, match="nothing to regress"):
        regress(exact_network(), RESCORLA_WAGNER_CONFIG, xs, d.ys)


def test_nothing_is_changed():
    d, net = q_dataset(n_sessions=5), exact_network()
    before, weights = d.xs.clone(), {k: v.clone() for k, v in net.state_dict().items()}
    regress(net, RESCORLA_WAGNER_CONFIG, d.xs, d.ys)
    assert torch.equal(torch.nan_to_num(before, -9), torch.nan_to_num(d.xs, -9))
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())
    assert net.submodules_sindy == {} and net.recording is None
    with pytest.raises(ValueError): regress(net, FORGETTING_CONFIG, d.xs, d.ys)
    assert net.submodules_sindy == {} and net.recording is None


# Mistakes in the config or the network

def config(**change):
    return SpiceConfig(
        **dict(
            rnn_modules=[CHOSEN],
            control_parameters=["c_action", "c_reward", "c_extra"],
            library_setup={CHOSEN: ["c_reward"]},
            filter_setup={CHOSEN: ["c_action", 1, True]},
        )
        | change
    )


class Recording(RescorlaWagnerRNN):
    "Records one more signal"
    def extra(self, action, reward): raise NotImplementedError

    def forward(self, inputs, prev_state=None, batch_first=False):
        inputs, ids, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        actions, rewards, _, _ = inputs
        for timestep, action, reward in zip(timesteps, actions, rewards):
            self.record_signal("c_action", action)
            self.record_signal("c_reward", reward)
            self.record_signal("c_extra", self.extra(action, reward))
            chosen = self.call_module(CHOSEN, "x_value_reward", action=action, inputs=reward)
            self.state["x_value_reward"] = chosen + self.state["x_value_reward"] * (1 - action)
            logits[timestep] = self.state["x_value_reward"]
        return self.post_forward_pass(logits, batch_first), self.get_state()


def with_weights(cls):
    net = cls().reset(1, np.random.default_rng(0)).eval()
    net.load_state_dict(exact_network().state_dict())
    return net


@pytest.mark.parametrize(
    "filters", [["c_action", 0, True], [], ["c_reward", 1, False], [["c_action", 1, True], ["c_reward", 1, False]]]
)
def test_a_filter_that_is_not_the_gate(filters):
    with pytest.raises(ValueError, match="picks other options than those on which forward calls the module"):
        found(exact_network(), config(filter_setup={CHOSEN: filters}))


def test_a_signal_that_is_never_recorded():
    with pytest.raises(ValueError, match=r"never calls record_signal\('c_extra'.*c_action, c_reward"):
        found(exact_network(), config(library_setup={CHOSEN: ["c_reward", "c_extra"]}))


def test_a_filter_on_a_signal_that_is_never_recorded():
    with pytest.raises(ValueError, match=r"never calls record_signal\('c_extra'"):
        found(exact_network(), config(filter_setup={CHOSEN: [["c_action", 1, True], ["c_extra", 1, True]]}))


def test_a_signal_that_no_learner_could_see():
    class Odd(Recording):
        def extra(self, action, reward): return reward ** 2 + action
    with pytest.raises(ValueError, match="'c_extra' is none of those an equation can use"):
        found(with_weights(Odd), config(library_setup={CHOSEN: ["c_reward", "c_extra"]}))


@pytest.mark.parametrize("kind", ["value", "other name"])
def test_signals_are_recognised_by_what_they_are(kind):
    class Named(Recording):
        def extra(self, action, reward):
            return (
                self.state["x_value_reward"]
                if kind == "value"
                else torch.nan_to_num(reward).sum(1, keepdim=True).expand_as(reward)
            )
    out = found(
        with_weights(Named), config(library_setup={CHOSEN: ["c_reward", "c_extra"]}), threshold=.01, optimizer="STLSQ"
    )
    signal = dict(out.equation.equation_rules[0].signals)["c_extra"]
    assert signal == ("x_value_reward" if kind == "value" else "chosen_reward")


def test_modules_that_are_not_there():
    with pytest.raises(
        ValueError, match="a module 'x_value_reward_not_chosen', but the network has: x_value_reward_chosen"
    ):
        found(exact_network(), FORGETTING_CONFIG)


def test_a_module_that_the_config_forgets():
    "The network forgets, but the config speaks of the chosen option only: the equation would leave something out"
    with pytest.raises(ValueError, match="x_value_reward_not_chosen|does not stand for"):
        found(exact_network(others=(.1, -.2)), config())


def test_logits_that_are_not_values():
    class Bent(RescorlaWagnerRNN):
        def post_forward_pass(self, logits, batch_first=False):
            return super().post_forward_pass(logits, batch_first) ** 2
    with pytest.raises(ValueError, match="not a weighted sum"): found(with_weights(Bent))


def test_a_weight_in_the_logits_is_read_off():
    class Doubled(RescorlaWagnerRNN):
        def post_forward_pass(self, logits, batch_first=False):
            return 2 * super().post_forward_pass(logits, batch_first)
    out = found(with_weights(Doubled))
    assert out.equation.row()["weight: x_value_reward"] == pytest.approx(2, abs=1e-8)
    assert "logits = 2.000 x_value_reward" in out.equation.text()


# People

def people_network(beta=(1., 1.5, .5)):
    "Three people with exact Rescorla-Wagner rules of their own: the embedding carries the constant and the beta"
    net = PeopleRNN(n_participants=3).reset(1, np.random.default_rng(0)).eval()
    with torch.no_grad():
        net.participant_embedding.weight[0] = torch.tensor(
            [[-.3, beta[0] - 1], [-.1, beta[1] - 1], [0., beta[2] - 1]], dtype=torch.float64
        )
        w = net.submodules_rnn[CHOSEN].weight
        w.zero_()
        w[0, 1], w[0, 2], w[0, 3] = -.3, .9, 1.  # value, reward, first number of the embedding
        net.betas["x_value_reward"].weight[0] = torch.tensor([1., 0., 1.], dtype=torch.float64)
    return net


def group_data():
    return create_dataset([AgentQ(alpha_reward=.3)] * 3, BanditsDrift(.2), n_trials=50, n_sessions=8, seed=2)[0]


@pytest.mark.parametrize("beta", [(1., 1., 1.), (1., 1.5, .5)])
def test_each_person_gets_their_own_rule(beta):
    out = found(people_network(beta), PEOPLE_CONFIG, group_data(), participants=["ann", "bob", "cem"], threshold=0.)
    assert list(out.equation.coefficients.index) == ["ann", "bob", "cem"]
    for who, constant, b in zip(("ann", "bob", "cem"), (-.3, -.1, 0.), beta):
        row = out.equation.row(who)
        assert row[
            [f"{CHOSEN}: 1", f"{CHOSEN}: {CHOSEN}", f"{CHOSEN}: c_reward", "weight: x_value_reward"]
        ].tolist() == pytest.approx([constant, .7, .9, b], abs=1e-8)


@pytest.mark.parametrize("who", [0, 2])
def test_one_person_of_a_group(who):
    d = group_data()
    out = found(people_network(), PEOPLE_CONFIG, d, only=who, threshold=0.)
    assert list(out.equation.coefficients.index) == [who]
    assert out.equation.row()[f"{CHOSEN}: 1"] == pytest.approx((-.3, -.1, 0.)[who], abs=1e-8)
    probed = found(people_network(), PEOPLE_CONFIG, d, only=who, threshold=0., probes=off_policy_sessions(1, 100, 5, 2))
    assert probed.equation.row()[f"{CHOSEN}: 1"] == pytest.approx((-.3, -.1, 0.)[who], abs=1e-8)


def test_a_person_without_trials():
    with pytest.raises(ValueError, match="no trials of participant 5; there are"):
        found(people_network(), PEOPLE_CONFIG, group_data(), only=5)


# The equation that came out

def test_the_equation_is_the_network():
    d = q_dataset()
    trials = Trials.from_dataset(d)
    for net, setup in ((exact_network(), RESCORLA_WAGNER_CONFIG), (exact_network(others=(.1, -.2)), FORGETTING_CONFIG)):
        a = replay_arrays(found(net, setup, threshold=0.).equation, None, trials)[0]
        b = replay_arrays(NetworkCell(net), None, trials)[0]
        np.testing.assert_allclose(a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True), atol=1e-8)


def test_the_equation_survives_being_written_down():
    e = found(exact_network(others=(.1, -.2)), FORGETTING_CONFIG, degree=2).equation
    again = equation_from_dict(equation_to_dict(e))
    assert again.text() == e.text() and again.latex() == e.latex() and again.coefficients.equals(e.coefficients)
    trials = Trials.from_dataset(q_dataset())
    assert nll(again, None, trials).equals(nll(e, None, trials))


def test_small_coefficients_are_printed():
    text = rescorla_wagner_equation(.0004, 3).text()
    assert "0.0012 c_reward[k]" in text and "-0.0004 1" in text


def test_coefficients_must_fit_the_rules():
    e = rescorla_wagner_equation(.3, 3)
    with pytest.raises(ValueError, match="missing or unknown"):
        Equation(e.equation_rules, e.state, {"start: x_value_reward": .5})


# Terms

def test_terms():
    assert polynomial_terms(2, 2) == [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    assert polynomial_terms(2, 2, [1]) == [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1)]
    assert [len(polynomial_terms(3, d)) for d in range(4)] == [1, 4, 10, 20]
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(
        evaluate_terms(polynomial_terms(2, 2), x), np.c_[np.ones(5), x, x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2]
    )
    assert [term_text(t, ["v", "r"]) for t in polynomial_terms(2, 2)] == [
        "1",
        "v[k]",
        "r[k]",
        "v[k]^2",
        "v[k] r[k]",
        "r[k]^2",
    ]
    assert term_latex((0, 0), ["v", "r"]) == ""
    assert two_valued(np.array([[0, 1, 3], [1, 1, 3], [0, 2, 3], [1, 3, 3]])) == [0, 2]
