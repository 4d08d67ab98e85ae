"""Models and people at once, judged by the paper's update equations in plain Python, by the reference's numbers, by
the hierarchical fit, and by what must not change anything"""
from math import exp, lgamma, log, pi
import numpy as np
import pandas as pd
import pytest
from scipy.special import digamma
from spice_rl import AgentQ, BanditsDrift, CandidateFit, Cell, Param, RescorlaWagner, Trials, fit_hbi, fit_hierarchical
from spice_rl import from_line, nll, read_trials, rescorla_wagner_equation, select_models, simulate
from spice_rl.inference.variational import _B, _S, _V, _Candidate, _concurrent, _infer, _pack, _price, _unpack
from worlds import HELD, Bias, Q


class Dual(Cell):
    params = dict(up=Param(.5, 0, 1), down=Param(.5, 0, 1), beta=Param(3., 0, 20))
    state = "q",
    def init(p, state): state.q[:] = .5
    def logit(p, state, trial, k): return p.beta * state.q[k]
    def update(p, state, trial):
        pe = trial.reward[trial.choice] - state.q[trial.choice]
        if pe > 0: state.q[trial.choice] += p.up * pe
        else: state.q[trial.choice] += p.down * pe


class Broken(Q):
    def logit(p, state, trial, k): return np.inf * (k - .5) * p.beta


def people(q=45, dual=15, n_trials=200, seed=0):
    rng = np.random.default_rng(seed)
    a = pd.DataFrame(
        from_line(np.c_[rng.normal(-.5, .8, q), rng.normal(-1.2, .5, q)], list(Q.params.values())),
        columns=list(Q.params),
    )
    b = pd.DataFrame(
        from_line(
            np.c_[rng.normal(1., .6, dual), rng.normal(-2., .6, dual), rng.normal(-1.2, .5, dual)],
            list(Dual.params.values()),
        ),
        columns=list(Dual.params),
    )
    frames = [simulate(Q(), BanditsDrift(.15), a, n_trials=n_trials, seed=seed + 1).to_frame()]
    if dual:
        frames.append(
            simulate(Dual(), BanditsDrift(.15), b, n_trials=n_trials, seed=seed + 1000)
            .to_frame()
            .assign(participant=lambda f: f.participant + q)
        )
    return read_trials(
        pd.concat(frames, ignore_index=True), participant="participant", choice="choice", reward="reward"
    )


CELLS = dict(Q=Q(), Dual=Dual(), Bias=Bias())


@pytest.fixture(scope="module")
def sixty(): return people()


@pytest.fixture(scope="module")
def found(sixty): return fit_hbi(CELLS, sixty)


@pytest.fixture(scope="module")
def few(): return people(8, 6, 100, 3)


@pytest.fixture(scope="module")
def few_found(few): return fit_hbi(CELLS, few)


# The reference

def test_numbers_of_the_reference(sixty, found):
    """Update equations of payampiray/cbm_python (e72193f, hbi_updates.py) on this likelihood, modes by scipy's BFGS,
    tolerance 1e-6: 59 turns, 122 s. There `_V`, `_S`, `_B` are .5, .01, 1, too"""
    assert found.bound == pytest.approx(-4957.92430, abs=1e-3)
    np.testing.assert_allclose(found.models.people, [42.51269, 17.46745, .0198621], atol=1e-4)
    models = [_Candidate(c, sixty, None) for c in CELLS.values()]
    for m, c in zip(found.fits.values(), models): assert c.line.o.names == list(m.means.index)
    groups = [(20., f.means["mean"].to_numpy(), f.variances.variance.to_numpy() * 10.5) for f in found.fits.values()]
    held = _infer(models, _pack(models, groups), [np.zeros((60, len(f.means))) for f in found.fits.values()], "held")
    assert held[3][-1] == pytest.approx(-6034.374, abs=.01) and held[4] and found.null_bound > held[3][-1]


# The paper's equations, in plain Python, on people and models that are exactly normal

class Normal:
    """A model of one or two numbers: the log likelihood of person n is constant[n] - (theta - center[n])²
    precision[n] / 2, summed"""
    def __init__(self, center, precision, constant):
        self.center, self.precision, self.constant = (
            np.array(center, float),
            np.array(precision, float),
            np.array(constant, float),
        )


class NormalCandidate(_Candidate):
    def __init__(self, model):
        self.m, (n, k) = model, model.center.shape
        self.a0, self.unit, self.wide, self.who, self.lame = (
            np.zeros(k),
            np.ones(k),
            np.full(k, 2.5),
            np.arange(n),
            np.zeros(n, int),
        )
        self.H = self.J = self.F = np.einsum("nk,kl->nkl", model.precision, np.eye(k))

    def search(self, a, s, draws, best, most):
        self.expand(a, s, np.zeros_like(self.m.center))
        return self.mode, self.value

    def expand(self, a, s, u, small=0.):
        theta = (self.m.precision * self.m.center + a / s**2) / (self.m.precision + 1 / s**2)
        self.mode, self.z = (theta - a) / s, theta + .1 * s   # any point nearby gives the same parabola
        nll = lambda z: -self.m.constant + .5 * (self.m.precision * (z - self.m.center)**2).sum(1)
        self.value, self.f, self.g = (
            nll(theta) + .5 * (self.mode**2).sum(1),
            nll(self.z),
            self.m.precision * (self.z - self.m.center),
        )


def paper(models, turns=4000):
    """Piray et al. (2019), turn by turn: N, a, sigma and responsibilities, and the bound from its expectations one
    by one"""
    K, n = len(models), len(models[0].center)
    r, theta, A = np.ones((n, K)), [], []
    for m in models:
        A.append([[p + 1 / 6.25 for p in row] for row in m.precision])
        theta.append([[p * c / a for p, c, a in zip(*rows)] for rows in zip(m.precision, m.center, A[-1])])
    bounds = []
    for _ in range(turns):
        N = [sum(r[i, k] for i in range(n)) for k in range(K)]
        alpha = [1 + N[k] for k in range(K)]
        log_m = [digamma(alpha[k]) - digamma(sum(alpha)) for k in range(K)]
        mean, scatter, a, beta, nu, sigma, tau, log_tau = ([None] * K for _ in range(8))
        for k, m in enumerate(models):
            D = range(m.center.shape[1])
            mean[k] = [sum(r[i, k] * theta[k][i][d] for i in range(n)) / N[k] for d in D]
            scatter[k] = [
                sum(r[i, k] * (theta[k][i][d] ** 2 + 1 / A[k][i][d]) for i in range(n)) / N[k] - mean[k][d] ** 2
                for d in D
            ]
            beta[k], nu[k] = 1 + N[k], .5 + N[k] / 2
            a[k] = [N[k] * mean[k][d] / beta[k] for d in D]
            sigma[k] = [.01 + .5 * (N[k] * scatter[k][d] + N[k] / beta[k] * mean[k][d]**2) for d in D]
            tau[k], log_tau[k] = [nu[k] / s for s in sigma[k]], [digamma(nu[k]) - log(s) for s in sigma[k]]
        E = np.empty((n, K))
        for k, m in enumerate(models):
            D = range(m.center.shape[1])
            for i in range(n):
                A[k][i] = [m.precision[i][d] + tau[k][d] for d in D]
                theta[k][i] = [(m.precision[i][d] * m.center[i][d] + tau[k][d] * a[k][d]) / A[k][i][d] for d in D]
                # E log p(x | h) + E log p(h | mu, tau) - E log q(h)
                E[i, k] = m.constant[i] + sum(
                    -.5 * m.precision[i][d] * ((theta[k][i][d] - m.center[i][d]) ** 2 + 1 / A[k][i][d])
                    + .5 * log_tau[k][d]
                    - .5 * log(2 * pi)
                    - .5 * tau[k][d] * ((theta[k][i][d] - a[k][d]) ** 2 + 1 / A[k][i][d])
                    - .5 / beta[k]
                    + .5 * log(2 * pi)
                    + .5
                    - .5 * log(A[k][i][d])
                    for d in D
                )
        before = r.copy()
        for i in range(n):
            w = [E[i, k] + log_m[k] for k in range(K)]
            r[i] = [exp(x - max(w)) for x in w]
            r[i] /= r[i].sum()
        L = sum(
            r[i, k] * (E[i, k] + log_m[k] - (log(r[i, k]) if r[i, k] > 0 else 0.)) for i in range(n) for k in range(K)
        )
        L += (
            lgamma(K)
            - lgamma(sum(alpha))
            + sum(lgamma(x) for x in alpha)
            - sum((alpha[k] - 1) * log_m[k] for k in range(K))
        )
        for k, m in enumerate(models):
            for d in range(m.center.shape[1]):
                t, lt, b, v, s = tau[k][d], log_tau[k][d], beta[k], nu[k], sigma[k][d]
                p_mu = .5 * (lt - log(2 * pi)) - .5 * (t * a[k][d]**2 + 1 / b)
                q_mu = .5 * (lt + log(b) - log(2 * pi)) - .5
                p_tau = .5 * log(.01) - lgamma(.5) - .5 * lt - .01 * t
                q_tau = v * log(s) - lgamma(v) + (v - 1) * lt - s * t
                L += p_mu - q_mu + p_tau - q_tau
        bounds.append(L)
        if abs(r - before).max() < 1e-11: break
    return dict(N=N, a=a, sigma=sigma, r=r, bounds=bounds)


def normals(seed=0, n=(7, 4)):
    rng, total = np.random.default_rng(seed), sum(n)
    first = np.repeat([True, False], n)
    one = Normal(
        np.where(first, rng.normal(1.5, .7, total), rng.normal(0, 2., total))[:, None],
        rng.gamma(3, 1., (total, 1)),
        rng.normal(0, 1., total) + 1.5 * first - 30,
    )
    two = Normal(
        rng.normal([-.5, 2.], [.8, .5], (total, 2)),
        rng.gamma(3, 1., (total, 2)),
        rng.normal(0, 1., total) + 2.5 * ~first - 30,
    )
    return [one, two]


@pytest.mark.parametrize("seed", range(3))
def test_paper_turn_by_turn(seed):
    models = normals(seed)
    slow, quick = paper(models), _concurrent([NormalCandidate(m) for m in models], 1, 0)
    assert (np.diff(slow["bounds"]) > -1e-9).all()   # exactly normal: the bound never falls
    assert quick["converged"]
    assert max(quick["starts"]) == pytest.approx(quick["bounds"][-1], abs=.05)
    assert quick["starts"][0] == pytest.approx(slow["bounds"][-1], abs=.05)
    if quick["bounds"][-1] > slow["bounds"][-1] + 1e-4: return   # a higher bound from the other start
    assert quick["bounds"][-1] == pytest.approx(slow["bounds"][-1], abs=1e-5)
    np.testing.assert_allclose(quick["r"], slow["r"], atol=1e-5)
    for (N, a, sigma), *theirs in zip(quick["groups"], slow["N"], slow["a"], slow["sigma"]):
        for ours, other in zip((N, a, sigma), theirs): np.testing.assert_allclose(ours, other, atol=1e-4)


def test_bound_never_falls_on_parabolas():
    models = [NormalCandidate(m) for m in normals(5, (10, 9))]
    x = _pack(models, [(19., c.a0, c.unit * 9.) for c in models])
    bounds = _infer(models, x, [np.zeros_like(c.m.center) for c in models])[3]
    assert (np.diff(bounds) > -1e-9).all()
    groups = [(3., np.array([.2]), np.array([.7])), (8., np.array([-1., 2.]), np.array([3., 4.]))]
    for ours, theirs in zip(_unpack(models, _pack(models, groups)), groups):
        for one, other in zip(ours, theirs): np.testing.assert_allclose(one, other)


# Laws

def test_what_is_reported_belongs_together(sixty, found):
    r = found.responsibilities
    np.testing.assert_allclose(r.sum(axis=1), 1)
    np.testing.assert_allclose(r.sum(), found.models.people, atol=1e-9)
    np.testing.assert_allclose([f.people for f in found.fits.values()], found.models.people)
    np.testing.assert_allclose(found.models.frequency, (1 + found.models.people) / 63)
    assert found.models.exceedance.sum() == pytest.approx(1) and found.models.protected.sum() == pytest.approx(1)
    evidences = pd.DataFrame({m: f.evidence + _price(f.people, len(f.means)) for m, f in found.fits.items()})
    # given the evidences, this is the selection of models
    np.testing.assert_allclose(select_models(evidences).people, r, atol=1e-4)
    for m, f in found.fits.items():
        np.testing.assert_allclose(nll(f.cell, f.parameters, sixty), f.table.nll)
        N, theta = f.people, f.modes
        w, c = r[m].to_numpy(), np.diagonal(f.covariances, axis1=1, axis2=2)
        a0 = _Candidate(CELLS[m], sixty, None).a0
        a = (w @ theta.to_numpy() + _B * a0) / (_B + N)
        np.testing.assert_allclose(f.means["mean"], a, atol=1e-4)
        sigma = _S + .5 * (w @ ((theta.to_numpy() - a)**2 + c) + _B * (a - a0)**2)
        np.testing.assert_allclose(f.variances.variance, sigma / (_V + N / 2), rtol=1e-4)
        np.testing.assert_allclose(f.means.se, np.sqrt(f.variances.variance / (_B + N)), rtol=1e-6)
        assert f.means.df.to_numpy() == pytest.approx(1 + N)
        assert (f.means.lower < f.means["mean"]).all()
        assert (f.table.responsibility == r[m]).all()
        assert isinstance(f, CandidateFit) and m in repr(f) and m in f._repr_html_()
    assert (found.table.model == found.assigned).all()
    assert found.table.beta.notna().sum() == (found.assigned != "Bias").sum()
    assert (found.assigned[:45] == "Q").mean() > .9 and (found.assigned[45:] == "Dual").mean() > .7


def test_order_of_people_and_models(few, few_found):
    one = few_found
    frame = few.to_frame()
    order = np.random.default_rng(0).permutation(frame.participant.unique())
    other = fit_hbi(
        dict(reversed(CELLS.items())),
        read_trials(
            pd.concat([frame[frame.participant == p] for p in order]),
            participant="participant",
            choice="choice",
            reward="reward",
        ),
    )
    assert other.bound == pytest.approx(one.bound, abs=1e-4) and other.risk == pytest.approx(one.risk, abs=1e-4)
    pd.testing.assert_frame_equal(
        one.responsibilities,
        other.responsibilities.loc[one.responsibilities.index, list(CELLS)],
        atol=1e-3,
        check_names=False,
    )
    pd.testing.assert_frame_equal(one.models, other.models.loc[list(CELLS)], atol=1e-3)
    for m in CELLS: pd.testing.assert_frame_equal(one.fits[m].means, other.fits[m].means, atol=1e-3)


def test_seed_and_generator(few, few_found):
    one, other = few_found, fit_hbi(CELLS, few, seed=0)
    assert repr(one) == repr(other) and one.bound == other.bound
    assert fit_hbi(CELLS, few, seed=np.random.default_rng(1)).bound == pytest.approx(one.bound, abs=1e-4)


def test_one_model_of_everybody_is_the_hierarchical_fit():
    trials = people(40, 0, 200, 7)
    found, alone = fit_hbi(dict(Q=Q(), Bias=Bias()), trials), fit_hierarchical(Q(), trials)
    f = found.fits["Q"]
    assert f.people == pytest.approx(40, abs=.01) and found.models.protected["Q"] > .99
    a0 = _Candidate(Q(), trials, None).a0
    # the prior counts for one person
    np.testing.assert_allclose(f.means["mean"], (40 * alone.means["mean"] + a0) / 41, atol=.01)
    np.testing.assert_allclose(f.variances.variance, alone.variances.variance, rtol=.06)
    ratio = f.means.se.to_numpy() / alone.means.se.to_numpy()
    # of the two, only the hierarchical fit's error knows that people's modes move with the mean
    assert (ratio < 1).all() and (ratio > .8).all()
    np.testing.assert_allclose(f.modes, alone.modes, atol=.1)
    np.testing.assert_allclose(f.evidence, alone.table.evidence, atol=.2)
    assert any("nobody follows Bias" in n for n in found.notes())
    assert found.fits["Bias"].means["mean"].iloc[0] == pytest.approx(.5, abs=.01)


def test_a_model_under_two_names(few):
    "Nothing tells them apart: half of everybody, and chance"
    found = fit_hbi(dict(one=Q(), again=Q()), few)
    np.testing.assert_allclose(found.responsibilities, .5, atol=1e-6)
    np.testing.assert_allclose(found.models.protected, .5, atol=1e-6)
    assert found.risk > .5


def test_group_is_not_contaminated(sixty, found):
    """Who follows one learning rate pulls the means of the two together; where people count by how well it explains
    them, less so"""
    alone = fit_hierarchical(Dual(), sixty)
    gap = lambda means: means["up"] - means["down"]
    assert gap(alone.means["mean"].droplevel("group")) < 1.5 < gap(found.fits["Dual"].means["mean"]) < 4.   # truth: 3


def test_equations_and_agents(few):
    with_memory = AgentQ()
    found = fit_hbi(
        {"equation": rescorla_wagner_equation(alpha=.4, beta=3.), "agent": with_memory, "Bias": Bias()},
        few,
        options=dict(agent=dict(hold=HELD)),
    )
    assert found.converged and found.models.people["Bias"] < 1 and "equation" in repr(found)
    f = found.fits["equation"]
    np.testing.assert_allclose(nll(f.cell, f.parameters, few), f.table.nll)
    assert list(found.fits["agent"].means.index) == [p for p in with_memory.params if p not in HELD]


def test_groups_of_people(few, few_found):
    groups = {p: "ab"[i >= 8] for i, p in enumerate(few.participants)}
    found, plain = fit_hbi(CELLS, few, groups=groups), few_found
    pd.testing.assert_frame_equal(found.models, plain.models)
    assert list(found.models_by_group.index.get_level_values(0).unique()) == ["a", "b"] and len(found.same) == 1
    np.testing.assert_allclose(found.models_by_group.groupby("group").people.sum(), [8, 6])
    assert found.models_by_group.people["b", "Dual"] > found.models_by_group.people["a", "Dual"]
    assert any("a and b: models are equally frequent" in n for n in found.notes())
    assert (found.groups == pd.Series(groups)).all()
    column = read_trials(
        few.to_frame().assign(kind=lambda f: f.participant.map(groups)),
        participant="participant",
        choice="choice",
        reward="reward",
    )
    pd.testing.assert_frame_equal(fit_hbi(CELLS, column, groups="kind").models_by_group, found.models_by_group)


def test_hbi_t_test(found):
    t = found.test("Dual", "up", -.5)
    row = found.fits["Dual"].means.loc["up"]
    assert t.t == pytest.approx((row["mean"] + .5) / row.se)
    assert t.df == pytest.approx(1 + found.models.people["Dual"])
    assert t.p < .001
    at_end = found.test("Dual", "up", row.lower)
    assert at_end.p == pytest.approx(.05)
    with pytest.raises(ValueError, match="unknown model 'dual'; did you mean 'Dual'"): found.test("dual", "up")
    with pytest.raises(ValueError, match="unknown parameter 'alpha'"): found.test("Dual", "alpha")
    with pytest.raises(ValueError, match="value must be a finite number, got nan"): found.test("Dual", "up", np.nan)
    with pytest.raises(TypeError, match="value must be a number, got 'a'"): found.test("Dual", "up", "a")


# What it says when something is not as it should be

def test_people_whom_nothing_explains(few):
    frame = few.to_frame()
    rng = np.random.default_rng(0)
    mine = frame.participant == frame.participant.iloc[0]
    frame.loc[mine, "choice"] = rng.integers(0, 2, mine.sum())
    found = fit_hbi(
        dict(Q=Q(), Dual=Dual()), read_trials(frame, participant="participant", choice="choice", reward="reward")
    )
    assert any("better than guessing: 0" in n for n in found.remarks) and np.isfinite(found.bound)


def test_choices_that_say_nothing():
    trials = simulate(Bias(), BanditsDrift(.15), pd.DataFrame(dict(bias=np.zeros(20))), n_trials=60, seed=1)
    found = fit_hbi(dict(Q=Q(), Dual=Dual()), trials)
    assert found.converged and np.isfinite(found.models.to_numpy()).all()
    assert any("better than guessing" in n for n in found.remarks)


class Idle(Bias):
    params = dict(bias=Param(.5), idle=Param(1.))


def test_silent_parameter(few):
    found = fit_hbi(dict(Bias=Bias(), Idle=Idle()), few)
    assert any("Idle: nobody's choices say anything about idle" in n for n in found.remarks) and found.converged
    f = found.fits["Idle"]
    np.testing.assert_allclose(f.means.loc["idle", ["mean", "typical"]], 1., atol=1e-6)
    np.testing.assert_allclose(f.modes.idle, 1., atol=1e-6)
    same = fit_hbi(dict(Bias=Bias(), Idle=Idle()), few, options=dict(Idle=dict(hold=dict(idle=1.))))
    np.testing.assert_allclose(same.responsibilities, .5, atol=1e-6)   # without it, the two are one model
    assert found.models.frequency["Bias"] > .5   # with it, a mean and a variance are paid for


@pytest.mark.parametrize("cells, options, error, words", [
    (dict(Q=Q()), {}, ValueError, "two models or more, got .'Q'.; one model is fitted by fit_hierarchical"),
    ([], {}, ValueError, "two models or more"),
    ([Q(), Q()], {}, ValueError, "the model 'Q' is there twice"),
    (["Q", "Dual"], {}, TypeError, "got 'Q'; avoidance_model"),
    (dict(a="Q", b=Q()), {}, TypeError, "model 'a' must be a cell, got 'Q'"),
    (Q(), {}, TypeError, "a list of models or a dict"),
    (CELLS, dict(starts=0), ValueError, "starts must be a whole number"),
    (CELLS, dict(options=dict(q={})), ValueError, "unknown model 'q'"),
    (CELLS, dict(options=dict(Q=dict(held={}))), ValueError, "unknown option of Q 'held'; did you mean 'hold'"),
    (CELLS, dict(options=dict(Q=dict(hold=dict(gamma=1.)))), ValueError, "unknown parameter 'gamma'"),
    (CELLS, dict(options=dict(Q=dict(hold=dict(alpha=.5, beta=2.)))), ValueError, "all parameters of Q are held"),
    (CELLS, dict(options=dict(Q=dict(start=dict(alpha=3.)))), ValueError, "start of alpha must lie within"),
    (CELLS, dict(groups={0: "a"}), ValueError, "no group is given for 13 of 14 people"),
    (CELLS, dict(groups="kind"), ValueError, "kind"),
    (dict(Q=Q(), broken=Broken()), {}, FloatingPointError, "broken gives no finite likelihood for participant 0"),
])
def test_bad_input(few, cells, options, error, words):
    with pytest.raises(error, match=words): fit_hbi(cells, few, **options)


def test_one_person(few):
    with pytest.raises(ValueError, match="two people or more, got 1"): fit_hbi(CELLS, few.take(few.participants[:1]))


def test_people_who_say_nothing_count_in_no_frequency():
    "The first five never see a reward: nothing is said about any number of a model that learns from rewards"
    trials = simulate(RescorlaWagner(), BanditsDrift(), people=15, n_trials=40, seed=2)
    reward, who = trials.reward.copy(), np.array(trials.participants)[trials.participant]
    reward[trials.participant < 5] = np.nan
    mute, models = Trials.from_arrays(trials.choice, reward, who, options=[0, 1]), dict(one=RescorlaWagner(), two=Q())
    group = pd.Series(["ab"[i % 2] for i in range(15)], list(mute.participants))
    f = fit_hbi(models, mute, groups=group)
    heard = fit_hbi(models, mute.take(list(mute.participants[5:])), groups=group.iloc[5:])
    assert list(f.responsibilities.index) == list(mute.participants[5:]) and "left out" in f.remarks[0]
    pd.testing.assert_frame_equal(f.models, heard.models)
