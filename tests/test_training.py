"""Training keeps books: what failed is reported and replaced, what is random follows its seed, and every option does
something."""
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import reference as ref
from spice_rl import training as training_module
from spice_rl.models.bandits import AgentQ, BanditsDrift, create_dataset
from spice_rl.core.tensors import DatasetRNN
from spice_rl.core.data import Trials
from spice_rl.core.engine import nll
from spice_rl.discovery.precoded import RescorlaWagnerRNN
from spice_rl.discovery.rnn import BaseRNN
from spice_rl.discovery.network_cell import NetworkCell
from spice_rl.discovery.modules import ValueModule, _torch_step
from spice_rl.discovery.training import APART, Loss, Plan, TrainingError, TrainingWarning, train
from worlds import PeopleRNN, exact_network, network, people, people_dataset, q_dataset

SHORT = dict(starts=2, rounds=1, epochs=25)


@pytest.fixture(scope="module")
def data():
    d = q_dataset(n_sessions=40, n_trials=20)
    return d.xs, d.ys


def quiet(*args, **options):
    "Train, and let the warnings be"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return train(*args, **options)


@pytest.fixture(scope="module")
def trained(data): return quiet(RescorlaWagnerRNN(), *data, **SHORT | dict(epochs=60))


def weights(network): return torch.cat([p.detach().flatten() for p in network.parameters()])


# One module

def a_module(inputs, hidden, rows=5, options=2, starts=1, seed=0):
    rng = np.random.default_rng(seed)
    module = ValueModule(inputs, hidden)
    module.reset(starts, rng)
    with torch.no_grad(): module.weight.add_(torch.as_tensor(rng.normal(0, .3, tuple(module.weight.shape))))
    draw = lambda *shape: torch.as_tensor(rng.normal(size=shape))
    return (
        module,
        draw(starts * rows, options),
        draw(starts * rows, options, inputs),
        (draw(starts * rows, options) > 0).double(),
    )


SIZES = [(0, 6, 1), (1, 6, 1), (1, 0, 1), (2, 3, 1), (3, 6, 3), (0, 2, 2)]


@pytest.mark.parametrize("inputs, hidden, starts", SIZES)
def test_module_is_its_formula(inputs, hidden, starts):
    module, value, x, gate = a_module(inputs, hidden, starts=starts)
    with torch.no_grad(): out = module(value, x, gate)
    for i in range(len(value)):
        for k in range(2):
            want = (
                ref.module(module.weight[i // 5].tolist(), value[i, k].item(), x[i, k].tolist(), hidden)
                if gate[i, k]
                else 0.
            )
            assert out[i, k].item() == pytest.approx(want, abs=1e-12)


def check(f, *args): assert torch.autograd.gradcheck(f, args)


@pytest.mark.parametrize("inputs, hidden, starts", SIZES)
@pytest.mark.parametrize("holes", [False, True])
def test_module_gradient(inputs, hidden, starts, holes):
    module, value, x, gate = a_module(inputs, hidden, starts=starts)
    if holes and inputs: x[::2, 0, -1] = np.nan
    fixed = x.isnan()
    def f(weight, value, free):
        module.weight = nn.Parameter(weight.detach())
        del module._parameters["weight"]
        module.weight = weight
        return module(value, torch.where(fixed, torch.nan, free), gate)
    w, free = module.weight.detach().clone().requires_grad_(), torch.nan_to_num(x).requires_grad_()
    value = value.clone().requires_grad_()
    if not inputs: return check(lambda w, v: f(w, v, free), w, value)
    check(f, w, value, free)


@pytest.mark.parametrize("inputs, hidden, starts", SIZES)
@pytest.mark.parametrize("holes", [False, True])
def test_compiled_step_is_the_torch_step(inputs, hidden, starts, holes):
    module, value, x, gate = a_module(inputs, hidden, starts=starts, seed=1)
    if holes and inputs: x[::2, 0, -1] = np.nan
    gate = gate * torch.linspace(.5, 1, gate.numel()).reshape(gate.shape)  # a gate may be a share
    value, out, grads = value.requires_grad_(), [], []
    for step in (module, lambda *a: _torch_step(module.weight, *a)):
        module.weight.grad = value.grad = None
        y = step(value, x, gate)
        (y * torch.arange(1., y.numel() + 1).reshape(y.shape)).sum().backward()
        out.append(y.detach())
        grads.append((module.weight.grad.clone(), value.grad.clone()))
    torch.testing.assert_close(*out, rtol=1e-12, atol=1e-12)
    for a, b in zip(*grads): torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    assert not out[0].isnan().any()


def test_a_hidden_input_leaves_the_value():
    module, value, x, _ = a_module(2, 6)
    x[0, 0, 0] = np.nan
    with torch.no_grad(): out = module(value, x, torch.ones_like(value))
    assert out[0, 0] == value[0, 0] and (out[1:] != value[1:]).all()


def test_starts_are_independent(data):
    "Three starts side by side give what each gives alone"
    xs, ys = data
    net = RescorlaWagnerRNN().reset(3, np.random.default_rng(0))
    together = Loss(net, xs, ys)
    loss = together()
    loss.sum().backward()
    own, grad = weights(net).reshape(3, -1), net.submodules_rnn["x_value_reward_chosen"].weight.grad
    for i in range(3):
        one = RescorlaWagnerRNN().reset(1, np.random.default_rng(0))
        with torch.no_grad(): one.submodules_rnn["x_value_reward_chosen"].weight.copy_(own[i:i + 1])
        alone = Loss(one, xs, ys)()
        alone.sum().backward()
        assert alone.item() == pytest.approx(loss[i].item(), rel=1e-12)
        torch.testing.assert_close(
            one.submodules_rnn["x_value_reward_chosen"].weight.grad[0], grad[i], rtol=1e-10, atol=1e-12
        )


# The loss

def test_loss_is_the_likelihood(data):
    xs, ys = data
    net = exact_network()
    with torch.no_grad(): loss = Loss(net, xs, ys)().item()
    trials = Trials.from_dataset(DatasetRNN(xs, ys))
    p = dict(start=.5, weight=1., c0=-.3, c1=.7, c2=.9, d0=0., d1=1.)
    want = ref.nll(ref.line_learner, p, ref.sessions_of(trials, 0))
    first = xs.shape[0] * np.log(2)  # ys does not ask for the first choice of a session
    assert loss * np.nansum(ys.numpy()) == pytest.approx(want - first, rel=1e-6)
    assert nll(NetworkCell(net), None, trials).sum() == pytest.approx(want, rel=1e-6)


def holes(xs, ys, seed=0, share=.15):
    "The same data with some choices missing in the middle of sessions"
    trials = Trials.from_dataset(DatasetRNN(xs, ys))
    gone = np.random.default_rng(seed).random(trials.n_trials) < share
    gone[trials.starts[1:] - 1] = False
    choice, reward = np.where(gone, -1, trials.choice), np.where(gone[:, None], np.nan, trials.reward)
    return Trials.from_arrays(choice, reward, trials.participant, trials.session, options=range(2)).to_dataset()


def summed(net, d):
    with torch.no_grad(): return Loss(net, d.xs, d.ys)().item() * np.nansum(d.ys.numpy())


@pytest.mark.parametrize("kind", ["rescorla", "forgetting"])
def test_missing_trials_are_padding(kind, data):
    "Missing trials put anywhere into sessions leave the NLL as it is"
    net, d = network(kind), DatasetRNN(*(x[:8] for x in data))
    trials = Trials.from_dataset(d)
    rng = np.random.default_rng(0)
    first = np.isin(np.arange(trials.n_trials), trials.starts[:-1])
    rows = np.sort(np.r_[np.arange(trials.n_trials), rng.choice(np.flatnonzero(~first), 60)])
    new = np.r_[False, np.diff(rows) == 0]
    padded = Trials.from_arrays(
        np.where(new, -1, trials.choice[rows]),
        np.where(new[:, None], np.nan, trials.reward[rows]),
        trials.participant[rows],
        trials.session[rows],
        options=range(2),
    ).to_dataset()
    assert padded.xs.shape[1] > d.xs.shape[1]
    assert summed(net, padded) == pytest.approx(summed(net, d), rel=1e-12)


def test_a_session_padded_at_its_end(data):
    xs, ys = data
    net = network("rescorla")
    longer = [torch.cat([x, torch.full((len(x), 7, x.shape[2]), np.nan)], 1) for x in (xs, ys)]
    longer[0][..., -1] = xs[:, :1, -1]
    with torch.no_grad(): assert Loss(net, *longer)().item() == pytest.approx(Loss(net, xs, ys)().item(), rel=1e-12)


@pytest.mark.parametrize("n_steps", [1, 7, 19, 20, 1000])
def test_cutting_the_gradient_keeps_the_loss(n_steps, data):
    net = network("rescorla")
    with torch.no_grad():
        assert Loss(net, *data, n_steps=n_steps)().item() == pytest.approx(Loss(net, *data)().item(), rel=1e-12)


@pytest.mark.parametrize("n_steps", [1, 7, 15])
def test_cutting_the_gradient_at_a_missing_trial_keeps_the_loss(n_steps, data):
    "A piece that begins with a missing trial still knows what the learner thought before it"
    net, d = network("rescorla"), holes(*data)
    with torch.no_grad():
        assert Loss(net, d.xs, d.ys, n_steps=n_steps)().item() == pytest.approx(
            Loss(net, d.xs, d.ys)().item(), rel=1e-12
        )


def test_training_sees_through_holes(data):
    "The same network comes out, whether missing trials stand in the data or not"
    d = DatasetRNN(*(x[:10] for x in data))
    # some begin with a missing trial, none with two: the second choice is the one that is asked for
    holed = holes(d.xs, d.ys, seed=3, share=.2)
    trials = Trials.from_dataset(holed)
    there = trials.choice >= 0
    first = np.isin(np.arange(trials.n_trials), trials.starts[:-1])
    kept = Trials.from_arrays(
        trials.choice[there], trials.reward[there], trials.participant[there], trials.session[there], options=range(2)
    ).to_dataset()
    # then the first choice that is there is asked for in the one and not in the other
    asked_first = trials.choice[first] < 0
    holed.ys[:, 0][asked_first] = np.nan
    a, b = (quiet(RescorlaWagnerRNN(), x.xs, x.ys, **SHORT, seed=2) for x in (holed, kept))
    assert np.nansum(holed.ys.numpy()) - np.nansum(kept.ys.numpy()) == 0
    assert a.nll == pytest.approx(b.nll, rel=1e-6)


def test_no_choice_to_predict(data):
    xs, ys = data
    with pytest.raises(ValueError, match="no choice to predict"):
        train(RescorlaWagnerRNN(), xs, torch.full_like(ys, np.nan))


# The guard

@pytest.fixture
def spoil(monkeypatch):
    "Starts `which` of round 0 get weights that are bad, and stay so: training does not move them"
    def make(which, bad=9., always=False):
        real_round, rounds = training_module._round, []
        def _round(network, xs, ys, test, plan, n_starts, rng):
            new, stopped = real_round(network, xs, ys, test, plan, n_starts, rng)
            rounds.append(n_starts)
            if len(rounds) == 1 or always:
                for i in which:
                    if i < len(new): new[i].nll = bad
            return new, stopped
        monkeypatch.setattr(training_module, "_round", _round)
        return rounds
    return make


def bad_reset(monkeypatch, which, weight, rounds=1):
    "In the first `rounds` rounds, the starts `which` begin at weights from which no way leads back"
    real, seen = BaseRNN.reset, []
    def reset(self, starts, rng):
        out = real(self, starts, rng)
        if self.training is False or starts == 1: return out  # the measuring and the loading reset
        seen.append(starts)
        if len(seen) <= rounds:
            with torch.no_grad():
                for i in which: self.submodules_rnn["x_value_reward_chosen"].weight[i] = weight
        return out
    monkeypatch.setattr(BaseRNN, "reset", reset)
    return seen


@pytest.mark.parametrize("weight", [np.nan, 1e200])
def test_a_start_that_is_not_finite_is_replaced(weight, monkeypatch, data):
    seen = bad_reset(monkeypatch, [1], weight)
    out = quiet(RescorlaWagnerRNN().train(), *data, starts=3, rounds=3, epochs=40)
    assert seen and out.table.verdict[1] in ("not finite", "worse than guessing") and out.table["round"].max() >= 1
    assert out.nll < .62 and (out.table[out.table["round"] == 0].index == [0, 1, 2]).all()
    assert torch.isfinite(weights(out.network)).all()


def test_a_start_that_is_stuck_is_replaced(monkeypatch, data):
    """Values that explode have a loss far above guessing; the line search cannot always climb down, and the table
    says how it ended"""
    bad_reset(monkeypatch, [0], 40.)
    out = quiet(RescorlaWagnerRNN().train(), *data, starts=2, rounds=2, epochs=40)
    assert out.nll < out.chance and out.nll < .62
    if out.table.verdict[0] not in ("best", "agrees"): assert len(out.table) > 2


@pytest.mark.parametrize(
    "bad, verdict", [(9., "worse than guessing"), (np.nan, "not finite"), (.69, "apart from the best")]
)
def test_failed_starts_are_reported_and_replaced(bad, verdict, spoil, data):
    rounds = spoil([1], bad)
    out = train(RescorlaWagnerRNN(), *data, starts=3, rounds=4, epochs=60)
    assert rounds[0] == 3 and rounds[1] >= 1
    assert out.table.verdict[1] == verdict and len(out.table) > 3
    assert (out.table.verdict.isin(["best", "agrees"])).sum() >= 3 and "best" in set(out.table.verdict)
    assert out.nll == out.table.nll.min() and verdict in repr(out) and verdict in out._repr_html_()


def test_the_best_start_is_kept(data):
    xs, ys = data
    out = quiet(RescorlaWagnerRNN(), xs, ys, **SHORT)
    with torch.no_grad(): assert Loss(out.network, xs, ys)().item() == pytest.approx(out.nll, rel=1e-12)
    assert out.network.n_starts == 1 and not out.network.training and not out.interrupted
    assert out.chance == pytest.approx(np.log(2)) and np.isnan(out.test_nll)


def test_nothing_better_than_guessing(spoil, data):
    spoil([0, 1, 2], 5., always=True)
    with pytest.raises(TrainingError, match="(?s)better than guessing.*4 worse than guessing|6 worse than guessing"):
        train(RescorlaWagnerRNN(), *data, starts=2, rounds=3, epochs=5)


def test_choices_at_random_are_not_learned():
    "No signal: the error, or an NLL at most a little below guessing, but never worse"
    d = create_dataset(AgentQ(beta_reward=0.), BanditsDrift(.2), n_trials=40, n_sessions=10)[0]
    try: out = quiet(RescorlaWagnerRNN(), d.xs, d.ys, epochs=30, starts=2, rounds=1)
    except TrainingError as e: assert "better than guessing" in str(e)
    else: assert out.chance - .05 < out.nll <= out.chance


def test_no_two_agree(spoil, data):
    spoil([1, 2], .69, always=True)
    with pytest.warns(TrainingWarning, match="no two of 3 starts agree"):
        train(RescorlaWagnerRNN(), *data, starts=3, rounds=1, epochs=25)


def test_one_start_needs_no_witness(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(RescorlaWagnerRNN(), *data, starts=1, rounds=1, epochs=10)


def test_a_network_that_cannot_learn(data):
    class Stubborn(RescorlaWagnerRNN):
        def forward(self, inputs, prev_state=None, batch_first=False):
            logits, state = super().forward(inputs, prev_state, batch_first)
            choice = (
                torch.nan_to_num(inputs[..., :2])
                .double()
                .repeat(*([self.n_starts, 1, 1] if batch_first else [1, self.n_starts, 1]))
            )
            return logits * 0 - 9 * choice, state
    with pytest.raises(TrainingError, match="right columns"): train(Stubborn(), *data, starts=2, rounds=2, epochs=5)


# Ctrl-C

def interrupt(monkeypatch, at):
    "Raise KeyboardInterrupt from inside the loss on its `at`-th call"
    real, calls = Loss.__call__, []
    def call(self):
        calls.append(1)
        if len(calls) == at: raise KeyboardInterrupt
        return real(self)
    monkeypatch.setattr(Loss, "__call__", call)


@pytest.mark.parametrize("options", [{}, dict(batch_size=10)])
def test_ctrl_c_keeps_the_best_so_far(options, monkeypatch, data):
    xs, ys = data
    interrupt(monkeypatch, 25)
    with pytest.warns(TrainingWarning, match="stopped by Ctrl-C"):
        out = train(
            RescorlaWagnerRNN(),
            xs,
            ys,
            starts=2,
            rounds=3,
            epochs=200,
            learning_rate=.05 if options else .01,
            **options,
        )
    assert out.interrupted and out.table["round"].max() == 0 and out.nll < out.chance
    assert out.table.passes.max() <= 25
    with torch.no_grad(): assert Loss(out.network, xs, ys)().item() == pytest.approx(out.nll, rel=1e-12)


def test_ctrl_c_before_anything_was_learned(monkeypatch, data):
    """Nothing is better than guessing yet, so nothing is kept; the reason is Ctrl-C, not the data, and the message
    says so"""
    bad_reset(monkeypatch, [0, 1], 40.)
    interrupt(monkeypatch, 1)
    with pytest.raises((TrainingError, KeyboardInterrupt), match="Ctrl-C"):
        train(RescorlaWagnerRNN().train(), *data, starts=2, epochs=50)


def test_ctrl_c_with_parameters_made_by_hand(monkeypatch, data):
    "No start ends before its epochs do, or whether the 50th call came would hang on how soon they converge"
    interrupt(monkeypatch, 50)
    with pytest.warns(TrainingWarning, match="stopped by Ctrl-C"):
        out = train(LinearRNN(), *data, starts=3, rounds=2, epochs=30, convergence_threshold=0)
    assert out.interrupted and out.nll < out.chance and out.table["round"].max() == 0
    assert len(out.table) == 2 and out.table.passes[0] == 30   # in the second start, after the whole first one


# Randomness

def test_same_seed_same_weights(data):
    a, b, c = (quiet(RescorlaWagnerRNN(), *data, **SHORT, seed=s) for s in (3, 3, 4))
    assert torch.equal(weights(a.network), weights(b.network)) and a.table.equals(b.table)
    assert not torch.equal(weights(a.network), weights(c.network))


@pytest.mark.parametrize("options", [{}, dict(batch_size=5), dict(bagging=True), dict(n_steps_per_call=15)])
def test_global_generators_are_left_alone(options, data):
    xs, ys = (x[:10] for x in data)
    torch.manual_seed(5)
    np.random.seed(5)
    torch_state, state, threads = torch.get_rng_state(), np.random.get_state(), torch.get_num_threads()
    runs = []
    for _ in range(2):
        runs.append(
            weights(
                quiet(
                    RescorlaWagnerRNN(),
                    xs,
                    ys,
                    starts=2,
                    rounds=1,
                    epochs=8,
                    learning_rate=.1 if len(options) and not options.get("bagging") else .01,
                    **options,
                ).network
            )
        )
        assert torch.equal(torch_state, torch.get_rng_state()) and torch.get_num_threads() == threads
        assert all(np.array_equal(a, b) for a, b in zip(state, np.random.get_state()))
        np.random.random(); torch.rand(1); torch_state, state = torch.get_rng_state(), np.random.get_state()
    assert torch.equal(*runs)


def test_dropout_follows_the_seed():
    "What dropout hides is drawn from the seed of `train`, not from torch's global generator"
    d, runs = people_dataset(), []
    for s in (1, 2):
        torch.manual_seed(s)
        before = torch.get_rng_state()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)
            runs.append(
                weights(
                    train(
                        PeopleRNN(n_participants=3, dropout=.5),
                        d.xs,
                        d.ys,
                        starts=1,
                        rounds=1,
                        epochs=5,
                        seed=0,
                        learning_rate=.05,
                    ).network
                )
            )
        assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*runs)


def test_the_data_stay(data):
    copies = [x.clone() for x in data]
    quiet(RescorlaWagnerRNN(), *data, **SHORT, batch_size=7)
    for x, copy in zip(data, copies): assert torch.equal(torch.nan_to_num(x, -9), torch.nan_to_num(copy, -9))


# Networks of other makes

class LinearRNN(BaseRNN):
    "A module that torch made, not `setup_module`"
    init_values = {"x_value_reward": .5}

    def __init__(self, n_actions=2, **kwargs):
        super().__init__(n_actions=n_actions, **kwargs)
        with (
            torch.random.fork_rng()
        ):  # torch draws first weights from its global generator: they would hang on the tests before
            torch.manual_seed(0)
            self.linear = nn.Linear(2, 1)

    def forward(self, inputs, prev_state=None, batch_first=False):
        inputs, ids, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
        actions, rewards, _, _ = inputs
        for timestep, action, reward in zip(timesteps, actions, rewards):
            value = self.state["x_value_reward"]
            new = value + self.linear(torch.stack([value, torch.nan_to_num(reward)], -1)).squeeze(-1)
            self.state["x_value_reward"] = torch.where(action == 1, new, value)
            logits[timestep] = self.state["x_value_reward"]
        return self.post_forward_pass(logits, batch_first), self.get_state()


class MixedRNN(RescorlaWagnerRNN):
    "A module of `setup_module`, and a beta made by hand"
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.beta = nn.Parameter(torch.ones(1))

    def forward(self, inputs, prev_state=None, batch_first=False):
        logits, state = super().forward(inputs, prev_state, batch_first)
        return self.beta * logits, state


@pytest.mark.parametrize("make", [LinearRNN, MixedRNN])
def test_parameters_made_by_hand_train(make, data, trained):
    net = make()
    first = [p.detach().clone() for p in net.parameters()]
    out = quiet(net, *data, starts=2, rounds=1, epochs=60, seed=1)
    assert out.nll == pytest.approx(trained.nll, abs=2e-3)
    assert all((p.double() != f.double()).any() for p, f in zip(net.parameters(), first))
    assert np.isfinite(nll(NetworkCell(out.network), None, people(2))).all()


def test_people_get_their_own_numbers():
    d = people_dataset()
    together = quiet(RescorlaWagnerRNN(), d.xs, d.ys, **SHORT)
    apart = quiet(PeopleRNN(n_participants=3), d.xs, d.ys, **SHORT | dict(epochs=60))
    assert apart.nll < together.nll - .002


def test_ids_beyond_the_embedding():
    d = people_dataset()
    with pytest.raises(ValueError, match="participant 2 does not exist.*n_participants=2"):
        train(PeopleRNN(n_participants=2), d.xs, d.ys, **SHORT)


def test_three_options():
    d = create_dataset(AgentQ(3, alpha_reward=.4), BanditsDrift(.2, 3), n_trials=40, n_sessions=15)[0]
    out = quiet(RescorlaWagnerRNN(n_actions=3), d.xs, d.ys, **SHORT)
    assert out.chance == pytest.approx(np.log(3)) and out.nll < out.chance - .05


@pytest.mark.parametrize("scale", [100., .01])
def test_points_may_be_large(scale, data, trained):
    xs, ys = data
    scaled = xs.clone()
    scaled[..., 2:4] *= scale
    assert quiet(RescorlaWagnerRNN(), scaled, ys, **SHORT | dict(epochs=60)).nll == pytest.approx(trained.nll, abs=2e-3)


# Options

def test_minibatches(data):
    full = quiet(RescorlaWagnerRNN(), *data, **SHORT)
    batches = quiet(RescorlaWagnerRNN(), *data, starts=2, rounds=1, epochs=25, batch_size=10, learning_rate=.03)
    assert not torch.equal(weights(full.network), weights(batches.network)) and batches.nll < .62
    assert batches.table.passes.tolist() == [25, 25]
    # one batch holds them all
    large = quiet(RescorlaWagnerRNN(), *data, starts=1, rounds=1, epochs=15, batch_size=1000, learning_rate=.1)
    assert large.nll < large.chance


def test_every_option_does_something(data):
    xs, ys = (x[:10, :8] for x in data)
    base = dict(starts=1, rounds=1, epochs=8, seed=0)
    run = lambda **o: weights(quiet(RescorlaWagnerRNN(), xs, ys, **base | o).network)
    adam = dict(batch_size=5, learning_rate=.1, epochs=15)
    plain, batches = run(), run(**adam)
    for option in (
        dict(learning_rate=.1),
        dict(l2_weight_decay=500.),
        dict(bagging=True),
        adam,
        dict(epochs=12),
        dict(seed=1),
    ):
        assert not torch.equal(run(**option), plain), option
    for option in (
        dict(scheduler=True),
        dict(learning_rate=.07),
        dict(l2_weight_decay=500.),
        dict(batch_size=3),
        dict(n_steps_per_call=3),
        dict(bagging=True),
    ):
        assert not torch.equal(run(**adam | option), batches), option


def test_truncated_gradients_differ(data):
    net = RescorlaWagnerRNN().reset(1, np.random.default_rng(0))
    grads = []
    for n in (None, 20, 5):
        net.zero_grad()
        Loss(net, *data, n_steps=n)().sum().backward()
        grads.append(net.submodules_rnn["x_value_reward_chosen"].weight.grad.clone())
    assert torch.equal(grads[0], grads[1]) and not torch.allclose(grads[0], grads[2])


def test_convergence_ends_training(data):
    loose, tight = (
        quiet(RescorlaWagnerRNN(), *data, starts=2, rounds=1, epochs=150, convergence_threshold=c) for c in (1e-2, 1e-7)
    )
    assert loose.table.passes.max() < tight.table.passes.max() and tight.nll <= loose.nll


def test_penalty_shrinks_the_bends(data):
    sizes = [
        quiet(RescorlaWagnerRNN(), *data, **SHORT, l2_weight_decay=w).network.penalty().item()
        for w in (0., 5., 500.)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_bagging_lets_each_start_see_other_sessions(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # they need not agree
        out = train(RescorlaWagnerRNN(), *(x[:20] for x in data), starts=3, rounds=2, epochs=40, bagging=True)
    assert len(out.table) == 3 and out.table.nll.nunique() == 3
    with torch.no_grad():
        assert Loss(out.network, *(x[:20] for x in data))().item() == pytest.approx(out.nll, rel=1e-12)


def test_weights_of_sessions_count_repeats(data):
    "A session with weight 2 is a session that is there twice"
    xs, ys = (x[:5] for x in data)
    net, times = network("rescorla"), np.array([2, 0, 1, 1, 3])
    repeated = np.repeat(np.arange(5), times)
    with torch.no_grad():
        assert Loss(net, xs, ys, times[None])().item() == pytest.approx(
            Loss(net, xs[repeated], ys[repeated])().item(), rel=1e-12
        )


def test_test_data_decide(data):
    xs, ys = data
    out = quiet(RescorlaWagnerRNN(), xs[:20], ys[:20], xs[20:], ys[20:], **SHORT | dict(epochs=60))
    with torch.no_grad():
        assert Loss(out.network, xs[20:], ys[20:])().item() == pytest.approx(out.test_nll, rel=1e-12)
        assert Loss(out.network, xs[:20], ys[:20])().item() == pytest.approx(out.nll, rel=1e-12)
    assert out.test_nll == out.table.test_nll[out.table.verdict.isin(["best"])].min()


def test_patience_ends_training(data):
    xs, ys = data
    few = (xs[:2], ys[:2], xs[2:], ys[2:])
    many = dict(starts=1, rounds=1, epochs=50, l2_weight_decay=0., convergence_threshold=0.)
    assert (
        quiet(RescorlaWagnerRNN(), *few, **many, patience=2).table.passes[0]
        < quiet(RescorlaWagnerRNN(), *few, **many, patience=1000).table.passes[0]
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(epochs=0), "epochs must be a whole number of at least 1"),
        (dict(epochs=1.5), "epochs must be a whole number"),
        (dict(batch_size=0), "batch_size must be"),
        (dict(n_steps_per_call=0), "n_steps_per_call must be"),
        (dict(patience=-1), "patience must be"),
        (dict(learning_rate=0.), "learning_rate must be above 0"),
        (dict(learning_rate=float("nan")), "learning_rate must be above 0"),
        (dict(l2_weight_decay=-1.), "l2_weight_decay must be at least 0"),
        (dict(convergence_threshold=-1.), "convergence_threshold"),
        (dict(scheduler=True), "set batch_size, or leave scheduler out"),
        (dict(starts=0), "starts must be a whole number of at least 1"),
        (dict(rounds=0), "rounds must be a whole number of at least 1"),
    ],
)
def test_wrong_options(options, message, data):
    with pytest.raises(ValueError, match=message): train(RescorlaWagnerRNN(), *data, **options)


def test_an_unknown_option_is_refused(data):
    with pytest.raises(TypeError, match="sequence_length"): train(RescorlaWagnerRNN(), *data, sequence_length=5)


def test_test_choices_are_needed_too(data):
    xs, ys = data
    with pytest.raises(ValueError, match="ys_test"): train(RescorlaWagnerRNN(), xs, ys, xs_test=xs)
    with pytest.raises(ValueError, match="xs_test"): train(RescorlaWagnerRNN(), xs, ys, ys_test=ys)


# What `forward` may do wrong

def test_forward_without_timesteps_is_refused_where_choices_are_missing(data):
    class Counts(RescorlaWagnerRNN):
        def forward(self, inputs, prev_state=None, batch_first=False):
            inputs, _, logits, _ = self.init_forward_pass(inputs, prev_state, batch_first)
            for t, (action, reward) in enumerate(zip(*inputs[:2])): logits[t] = self.state["x_value_reward"]
            return self.post_forward_pass(logits, batch_first), self.get_state()
    d = holes(*data)
    with pytest.raises(RuntimeError, match="for timestep, … in zip"): train(Counts(), d.xs, d.ys, **SHORT)


def test_forgotten_logits_are_named(data):
    class Forgets(RescorlaWagnerRNN):
        def forward(self, inputs, prev_state=None, batch_first=False):
            inputs, _, logits, timesteps = self.init_forward_pass(inputs, prev_state, batch_first)
            for t in timesteps:
                if t != 3: logits[t] = self.state["x_value_reward"]
            return self.post_forward_pass(logits, batch_first), self.get_state()
    with pytest.raises(RuntimeError, match=r"left logits\[3\] empty"): train(Forgets(), *data, **SHORT)


def test_a_module_called_wrongly(data):
    class TwoInputs(RescorlaWagnerRNN):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.submodules_rnn["x_value_reward_chosen"] = self.setup_module(input_size=2)
    with pytest.raises(ValueError, match="set up for input_size=2, but is called with 1"):
        train(TwoInputs(), *data, **SHORT)


def test_inputs_of_a_wrong_shape():
    with pytest.raises(ValueError, match="id column missing"): RescorlaWagnerRNN()(torch.zeros(3, 2, 4))


def test_both_orders_of_axes(data):
    net, xs = network("forgetting"), data[0][:4]
    with torch.no_grad():
        (a, s), (b, r) = net(xs, batch_first=True), net(xs.transpose(0, 1))
    assert torch.equal(a, b.transpose(0, 1)) and all(torch.equal(s[k], r[k]) for k in s)
    first, state = net(xs[:, :12], batch_first=True)
    second, _ = net(xs[:, 12:], state, batch_first=True)
    torch.testing.assert_close(torch.cat([first, second], 1), a)


def test_plan_is_checked_alone():
    assert Plan().epochs == 1024 and APART == 1e-3
    with pytest.raises(Exception): Plan().epochs = 3
