"""The architectures: what each was made for comes back exactly; hard-coded equations stay what they are; files,
groups and people"""
from dataclasses import replace
import json
import warnings
import numpy as np
import pandas as pd
import pytest
import torch
from spice_rl import AgentQ, BanditsDrift, BaseRNN, Equation, NetworkCell, Rule, SpiceConfig, SpiceEstimator, Trials
from spice_rl import WorkingMemoryRNN, delta_rule, equation_from_dict, equation_to_dict, hard_coded, load_spice, nll
from spice_rl import one_rule, refine, regress, replay_arrays, simulate, take_payment, train
from worlds import ARCHITECTURES, network, people_dataset, q_dataset, regression

VALUE, HABIT = "x_value_reward", "x_value_choice"
each = pytest.mark.parametrize("kind", ARCHITECTURES)


class Fixed(BaseRNN):
    "A delta rule with a rate of .3, hard-coded; its scale is learned"
    init_values = {VALUE: .5}

    def __init__(self, n_actions=2, **kwargs):
        super().__init__(n_actions=n_actions, **kwargs)
        self.submodules_eq[f"{VALUE}_chosen"] = lambda value, inputs: value + .3 * (inputs[..., 0] - value)
        self.betas[VALUE] = self.setup_constant()

    def forward(self, inputs, prev_state=None, batch_first=False):
        inputs, _, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        for timestep, action, reward in zip(timesteps, *inputs[:2]):
            self.record_signal("c_action", action)
            self.record_signal("c_reward", reward)
            self.state[VALUE] = self.call_module(f"{VALUE}_chosen", VALUE, action=action, inputs=reward) + self.state[
                VALUE
            ] * (1 - action)
            logits[timestep] = self.betas[VALUE]() * self.state[VALUE]
        return self.post_forward_pass(logits, batch_first), self.get_state()


FIXED_CONFIG = SpiceConfig(
    [f"{VALUE}_chosen"],
    ["c_action", "c_reward"],
    {f"{VALUE}_chosen": ["c_reward"]},
    {f"{VALUE}_chosen": ["c_action", 1, True]},
)


def everyone(data): return Trials.from_dataset(data)


# Everything an estimator does

@each
def test_an_estimator_needs_nothing_else(kind, tmp_path, capsys):
    cls, config, data = ARCHITECTURES[kind]
    d, people = data(), data is people_dataset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # short training: starts need not agree, and little is kept
        e = SpiceEstimator(cls, config, epochs=6, starts=1, refine=False, wide=False).fit(d.xs, d.ys)
    e.print_spice_model()
    assert "(x_value_reward_chosen)[k+1] =" in capsys.readouterr().out
    assert list(e.get_spice_features()) == ([0, 1, 2] if people else ["everybody"])
    assert e.summary().loc["network", "nll_per_choice"] < np.log(2)
    if people: assert e.get_participant_embeddings().shape == (3, 2)
    else:
        with pytest.raises(ValueError, match="has no embedding"): e.get_participant_embeddings()
    for agent in (e.rnn_agent, e.spice_agent):
        table = agent.table([0, 1]) if people else None
        assert (
            simulate(agent, BanditsDrift(.2), table, n_trials=8, **({} if people else dict(people=2)), seed=1).n_trials
            == 16
        )
    rnn, spice = tmp_path / "rnn.json", tmp_path / "spice.json"
    e.save_spice(rnn, spice)
    again = load_spice(rnn, spice)
    assert type(again.network_) is cls and again.spice_config == config
    for a, b in zip(e.predict(d.xs[:3]), again.predict(d.xs[:3])): np.testing.assert_array_equal(a, b)
    assert again.network_equation_.equation_rules == e.network_equation_.equation_rules


@pytest.mark.parametrize("kind", ["embedding", "weinhardt", "memory"])
def test_embedding_size_is_an_argument(kind, tmp_path):
    cls, config, _ = ARCHITECTURES[kind]
    d = people_dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e = SpiceEstimator(cls, config, epochs=3, starts=1, refine=False, wide=False, embedding_size=3).fit(d.xs, d.ys)
    assert e.get_participant_embeddings().shape == (3, 3)
    e.save_spice(path_rnn=tmp_path / "rnn.json")
    np.testing.assert_array_equal(
        load_spice(tmp_path / "rnn.json").get_participant_embeddings(), e.get_participant_embeddings()
    )


# Exact networks

def test_perseveration_comes_back():
    "Weights set by hand; the scales come out as weights of the values"
    cls, config, data = ARCHITECTURES["perseveration"]
    net = cls().reset(1, np.random.default_rng(0)).eval()
    with torch.no_grad():
        for m in net.own_modules(): m.weight.zero_()
        for name, line in {
            f"{VALUE}_chosen": [0., -.3, .3],
            f"{VALUE}_not_chosen": [.1, -.2],
            f"{HABIT}_chosen": [.5, -.5],
            f"{HABIT}_not_chosen": [0., -.5],
        }.items():
            net.submodules_rnn[name].weight[0, :len(line)] = torch.tensor(line, dtype=torch.float64)
        net.betas[VALUE].weight.fill_(3.)
        net.betas[HABIT].weight.fill_(1.5)
    d = data()
    e = regress(net, config, d.xs, d.ys, threshold=0.).equation
    want = {
        f"weight: {VALUE}": 3.,
        f"weight: {HABIT}": 1.5,
        f"{VALUE}_chosen: {VALUE}_chosen": .7,
        f"{VALUE}_chosen: c_reward": .3,
        f"{VALUE}_not_chosen: 1": .1,
        f"{HABIT}_chosen: 1": .5,
        f"{HABIT}_not_chosen: {HABIT}_not_chosen": .5,
    }
    assert {k: e.row()[k] for k in want} == pytest.approx(want, abs=1e-8)
    agent = AgentQ(alpha_reward=.3, forget_rate=.2, beta_choice=1.5, alpha_choice=.5)
    assert nll(e, None, everyone(d)).sum() == pytest.approx(nll(agent, None, everyone(d)).sum(), rel=1e-7)


@pytest.mark.parametrize("kind", ["perseveration", "memory"])
def test_one_rule_says_the_same(kind):
    e = regression(kind).equation
    one = one_rule(e)
    assert [r.module for r in one.equation_rules if r.state == HABIT] == [HABIT]
    t = everyone(q_dataset())
    assert nll(one, None, t).sum() == pytest.approx(nll(e, None, t).sum(), rel=1e-10)
    assert one_rule(one) is one


def test_a_learning_rate_is_a_polynomial():
    "One rate, and two rates for two rewards, are exact: the regression loses nothing"
    cls, config, data = ARCHITECTURES["learning_rate"]
    net = cls().reset(1, np.random.default_rng(0)).eval()
    logit = lambda p: np.log(p / (1 - p))
    with torch.no_grad():
        net.submodules_rnn["x_learning_rate_reward"].weight.zero_()
        net.submodules_rnn["x_learning_rate_reward"].weight[0, :3] = torch.tensor(
            [logit(.2), -1., logit(.6) - logit(.2)], dtype=torch.float64
        )
        net.betas[VALUE].weight.fill_(3.)
    d = data()
    terms = regress(net, config, d.xs, d.ys, threshold=1e-6).equation.terms()[f"{VALUE}_chosen"]
    assert {t: c for t, c in terms.items() if abs(c) > 1e-9} == pytest.approx(
        {f"{VALUE}_chosen[k]": .8, "c_reward[k]": .6, f"{VALUE}_chosen[k] c_reward[k]": -.4}, abs=1e-8
    )


# Hard-coded equations

def test_hard_coded_equations_are_tried_out():
    assert hard_coded(delta_rule, 2) == {(1, 0, 0): 1., (0, 1, 1): 1., (1, 0, 1): -1.}
    assert hard_coded(take_payment, 2) == {(0, 1, 1): 1.}
    assert hard_coded(lambda value, inputs: 0. * value, 1) == {(0, 0): 0.}
    assert hard_coded(lambda value, inputs: torch.sigmoid(value), 1) is None
    assert hard_coded(lambda value, inputs: value**3, 1) == {(3, 0): 1.}
    assert hard_coded(lambda value, inputs: value**3, 1, degree=2) is None


def test_buffers_are_written_down_as_they_stand():
    e = regression("memory").equation
    fixed = {r.module: dict(zip(r.terms, r.fixed)) for r in e.equation_rules if r.fixed}
    assert fixed == {
        "x_reward_1": {(0, 1, 1): 1.},
        "x_reward_2": {(0, 1): 1.},
        "x_choice_1": {(0, 1): 1.},
        "x_choice_2": {(0, 1): 1.},
    }
    assert all(e.row()[f"weight: {s}"] == 0 and f"weight: {s}" in e.held for s in fixed)
    assert all(r.parameter(t) in e.held for r in e.equation_rules if r.fixed for t in r.terms)
    assert "x_reward_1" not in e.text().split("logits =")[1]
    again = equation_from_dict(json.loads(json.dumps(equation_to_dict(e))))
    assert again.equation_rules == e.equation_rules and again.coefficients.equals(e.coefficients)


def two_back(weight=0.):
    "A value, and a habit that follows the last two choices"
    rules = [Rule(f"{VALUE}_chosen", VALUE, (("c_action", "action", 1.),), (("c_reward", "reward"),), ((1, 0), (0, 1))),
             Rule(HABIT, HABIT, (), (("c_action", "action"), ("x_choice_1", "x_choice_1")), ((0, 1, 0), (0, 0, 1))),
             Rule("x_choice_1", "x_choice_1", (), (("c_action", "action"),), ((0, 1),), (1.,))]
    numbers = {
        f"start: {VALUE}": 1.5,
        f"start: {HABIT}": 0.,
        "start: x_choice_1": 0.,
        f"weight: {VALUE}": 1.,
        f"weight: {HABIT}": 1.,
        "weight: x_choice_1": weight,
        f"{VALUE}_chosen: {VALUE}_chosen": .7,
        f"{VALUE}_chosen: c_reward": .9,
        f"{HABIT}: c_action": .4,
        f"{HABIT}: x_choice_1": .8,
        "x_choice_1: c_action": 1.,
    }
    return Equation(rules, [VALUE, HABIT, "x_choice_1"], numbers)


def test_refinement_leaves_buffers_alone():
    "What nothing reads is left out, and the rest comes back"
    truth = two_back()
    trials = simulate(truth, BanditsDrift(.2, 3), n_trials=100, sessions=20, seed=0)
    more = Rule("x_choice_2", "x_choice_2", (), (("x_choice_1", "x_choice_1"),), ((0, 1),), (1.,))
    habit = replace(
        truth.equation_rules[1],
        signals=(("c_action", "action"), ("x_choice_1", "x_choice_1"), ("x_choice_2", "x_choice_2")),
        terms=((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
    )
    rules = [truth.equation_rules[0], habit, truth.equation_rules[2], more]
    wide = Equation(
        rules,
        [*truth.state, "x_choice_2"],
        dict(truth.row())
        | {
            "start: x_choice_2": 0.,
            "weight: x_choice_2": 0.,
            f"{HABIT}: {HABIT}": .2,
            f"{HABIT}: x_choice_2": .1,
            "x_choice_2: x_choice_1": 1.,
        },
    )
    found = refine(wide, trials)
    assert [r.module for r in found.equation.equation_rules] == [f"{VALUE}_chosen", HABIT, "x_choice_1"]
    want = pd.Series(
        {
            f"start: {VALUE}": 1.5,
            f"{VALUE}_chosen: {VALUE}_chosen": .7,
            f"{VALUE}_chosen: c_reward": .9,
            f"{HABIT}: c_action": .4,
            f"{HABIT}: x_choice_1": .8,
        }
    )
    numbers = found.estimates.set_index("parameter")
    assert set(numbers.index) == set(want.index)
    assert (abs(numbers.estimate - want) < 3.5 * numbers.se).all()


def test_a_hard_coded_rule_of_a_value():
    "Its coefficients stay, and its scale is estimated; without its `fixed`, they are estimated, too"
    d = q_dataset()
    out = train(Fixed(), d.xs, d.ys, starts=2)
    e, t = regress(out.network, FIXED_CONFIG, d.xs, d.ys).equation, everyone(d)
    rule = e.equation_rules[0]
    assert dict(zip(rule.terms, rule.fixed)) == {(1, 0): .7, (0, 1): .3}
    found = refine(e, t)
    beta = found.estimates.set_index("parameter").loc[f"weight: {VALUE}"]
    assert abs(beta.estimate - 3) < 3 * beta.se
    assert beta.estimate == pytest.approx(out.network.betas[VALUE].weight.item(), abs=2 * beta.se)
    assert found.equation.held[f"{VALUE}_chosen: c_reward"] == .3 and f"weight: {VALUE}" in found.equation.params
    free = refine(e, t, library=[replace(rule, fixed=(), terms=((0, 0), (1, 0), (0, 1)))])
    assert f"{VALUE}_chosen: c_reward" in free.estimates.parameter.tolist()
    assert free.equation.row()[f"weight: {VALUE}"] == 1.
    assert free.scores.nll.item() < found.scores.nll.item() + .5
    np.testing.assert_allclose(nll(found.equation, None, t).sum(), found.scores.nll.item(), rtol=1e-9)


def test_fixed_numbers_are_checked():
    truth = two_back()
    with pytest.raises(ValueError, match="hard-coded as 1 .*got 2"):
        Equation(truth.equation_rules, truth.state, dict(truth.row()) | {"x_choice_1: c_action": 2.})
    with pytest.raises(ValueError, match="has 1 terms, but 2 coefficients"):
        Equation(
            [*truth.equation_rules[:2], replace(truth.equation_rules[2], fixed=(1., 2.))],
            truth.state,
            dict(truth.row()),
        )
    with pytest.raises(ValueError, match="degree of the terms of 'x_value_reward_chosen'"):
        replace(FIXED_CONFIG, degrees={f"{VALUE}_chosen": 0})
    with pytest.raises(ValueError, match="unknown module in degrees"): replace(FIXED_CONFIG, degrees={"x_valu": 2})


# Where values start

@pytest.mark.parametrize("size", [0, 2])
def test_starts_are_learned(size):
    net = WorkingMemoryRNN(n_participants=3, embedding_size=size).reset(2, np.random.default_rng(0))
    d = people_dataset()
    net(d.xs, batch_first=True)[0].square().sum().backward()
    assert net.initial_values[VALUE].weight.grad[:, 0].ne(0).all()
    net = network("memory") if not size else net.reset(1, np.random.default_rng(1)).eval()
    starts = [net.starts(i)[VALUE] for i in range(3)]
    assert len(set(starts)) == (3 if size else 1) and starts[0] != .5
    cell = NetworkCell(net, [0, 1, 2] if size else None)
    _, states = replay_arrays(cell, None, t := everyone(d))
    for s, who in enumerate(t.session_participant): np.testing.assert_array_equal(states[t.starts[s], 0], starts[who])
    assert cell.init(cell.p(**(dict(participant=2.) if size else {}))).x_value_reward[0] == starts[2]


def test_a_start_of_nothing():
    class Lost(Fixed):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.initial_values["x_valu"] = self.setup_initial_value()
    with pytest.raises(ValueError, match="none of the latent values: x_value_reward"):
        Lost()(q_dataset().xs, batch_first=True)


# Groups

def test_equations_of_groups():
    d, (_, config, _) = people_dataset(), ARCHITECTURES["embedding"]
    net, before = network("embedding"), network("embedding").participant_embedding.weight.clone()
    found = regress(net, config, d.xs, d.ys, groups=["slow", "fast", "fast"])
    assert list(found.equation.coefficients.index) == ["slow", "fast"]
    assert torch.equal(net.participant_embedding.weight, before)
    alone = regress(net, config, d.xs, d.ys, threshold=0., groups=list("abc")).equation.coefficients
    # a group of one is that person
    np.testing.assert_allclose(alone, regress(net, config, d.xs, d.ys, threshold=0.).equation.coefficients, atol=1e-9)
    members = found.equation.for_members({0: "slow", 1: "fast", 2: "fast"})
    assert members.row(2).equals(members.row(1).rename(2))
    assert np.isfinite(nll(members, None, Trials.from_dataset(d))).all()
    with pytest.raises(ValueError, match="unknown group 'fas'; did you mean 'fast'"):
        found.equation.for_members({0: "fas"})
    with pytest.raises(ValueError, match="each of the 3 participants, got 2"):
        regress(net, config, d.xs, d.ys, groups=["a", "b"])
    with pytest.raises(ValueError, match="give one of them"):
        regress(net, config, d.xs, d.ys, groups=["a", "b", "b"], only=0)
