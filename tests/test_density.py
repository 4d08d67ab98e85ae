"""Densities of answers: against 40 digits and more, each sampler against its density, one rule for what cannot be."""
import math, subprocess, sys
from collections import namedtuple
from functools import cache

import mpmath as mp
import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from scipy import stats
from scipy.special import ndtr

from spice_rl import density
from spice_rl.core.density import *
from spice_rl.core.density import _log_bessel, _log_first, _log_still

EXAMPLES = [Normal(.3, 1.2), LogNormal(-.5, .8), Beta(.3, 4.), Binomial(12, .35), Poisson(3.2), VonMises(.7, 2.5),
            Wiener(1., 1.5, .4, .2), Wiener(1., 1.5, .4, .2, sv=.8, sz=.3),
            RacingDiffusion([1., 2., .5], 1.2, .4, .2), LBA([1., -.5, 2.], 1.2, .4, .2, .7)]
IDS = [f"{type(e).__name__}{i}" for i, e in enumerate(EXAMPLES)]
each = pytest.mark.parametrize("answer", EXAMPLES, ids=IDS)
TIMED = [e for e in EXAMPLES if "rt" in DENSITIES[type(e)].names]


def test_every_kind_has_an_example():
    assert {type(e) for e in EXAMPLES} >= {k for k in DENSITIES if k.__module__ == density.__name__}


def some_values(answer, n=200): # draws, as the values that `log_density` takes
    drawn = draw_answer(answer, 0, n=n)
    return drawn if isinstance(drawn, tuple) else (drawn,)


# The Wiener density

def wiener(choice, t, v, a, z, sv=0, sz=0):
    """Log density of the decision time, from the series for small times alone (with enough terms and digits for all).

    With a varying start each term, (w + 2k) exp(−A w² − B w − C), is integrated in closed form."""
    t, v, a, z, sv, sz = map(mp.mpf, (t, v, a, z, sv, sz))
    if choice: v, z = -v, 1 - z
    u, spread = t / a**2, 1 + sv**2 * t
    n = int(mp.sqrt(2 * u * 320) / 2) + 3
    front = -mp.log(2 * mp.pi * u**3) / 2 - 2 * mp.log(a) - mp.log(spread) / 2
    if sz == 0:
        s = mp.fsum((z + 2*k) * mp.exp(-(z + 2*k)**2 / (2*u)) for k in range(-n, n + 1))
        return mp.log(s) + (sv**2 * a**2 * z**2 - 2*v*a*z - v*v*t) / (2 * spread) + front
    A = 1 / (2*u) - sv**2 * a**2 / (2 * spread)
    def term(k):
        B, C = 2*k / u + v*a / spread, 2 * mp.mpf(k)**2 / u + v*v*t / (2 * spread)
        h, low, high = B / (2*A), z - sz/2, z + sz/2
        x, y = mp.sqrt(A) * (low + h), mp.sqrt(A) * (high + h)
        area = mp.erfc(x) - mp.erfc(y) if x > 0 else mp.erfc(-y) - mp.erfc(-x) if y < 0 else mp.erf(y) - mp.erf(x)
        return mp.exp(h*h*A - C) * ((mp.exp(-x*x) - mp.exp(-y*y)) / (2*A) + (2*k - h) * mp.sqrt(mp.pi / A) / 2 * area)
    return mp.log(mp.fsum(map(term, range(-n, n + 1))) / sz) + front


def miss(found, truth): # relative error; absolute where the truth is within .01 of 0
    return float(abs(found - truth) / max(abs(truth), mp.mpf(".01")))


@pytest.fixture
def digits():
    with mp.workdps(150): yield


def test_wiener_on_a_grid(digits):
    us = [1e-4, 1e-3, .01, .1, math.nextafter(.25, 0), .25, .3, 1, 5, 20]
    for i, (v, a, z, u) in enumerate(
        (v, a, z, u) for v in (-6, -1.3, 0, 0.4, 6) for a in (0.3, 1, 6) for z in (0.02, 0.37, 0.5, 0.98) for u in us
    ):
        found = log_density(Wiener(v, a, z, 0), i % 2, u * a * a)
        assert miss(found, wiener(i % 2, u * a * a, v, a, z)) < 1e-10, (i % 2, v, a, z, u)


@pytest.mark.parametrize("sv", [0, 1.3])
def test_wiener_anywhere(sv, digits):
    rng = np.random.default_rng(1)
    for i in range(400):
        v, a, z, u = rng.uniform(-6, 6), rng.uniform(.3, 6), rng.uniform(.02, .98), 10**rng.uniform(-4, math.log10(20))
        t = float(u * a * a)
        found, truth = log_density(Wiener(v, a, z, 0, sv), i % 2, t), wiener(i % 2, t, v, a, z, sv)
        assert miss(found, truth) < 1e-10, (i % 2, v, a, z, t)


@pytest.mark.parametrize("sv", [0, 1.3])
def test_wiener_from_any_start(sv, digits):
    rng = np.random.default_rng(2)
    for i in range(60):
        v, a, z, u = rng.uniform(-6, 6), rng.uniform(.3, 6), rng.uniform(.05, .95), 10**rng.uniform(-4, math.log10(20))
        t, sz = float(u * a * a), float(rng.uniform(.001, 1.999) * min(z, 1 - z))
        found, truth = log_density(Wiener(v, a, z, 0, sv, sz), i % 2, t), wiener(i % 2, t, v, a, z, sv, sz)
        assert miss(found, truth) < 1e-10, (i % 2, v, a, z, t, sz)


def test_wiener_where_the_density_is_no_float(digits):
    for args in [
        (1, 1e-3, -50, 1, 0.01),
        (0, 1e-6, 3, 1, 0.9),
        (1, 1e-5, 6, 6, 0.02),
        (0, 0.5, 1, 2, 1e-9),
        (0, 0.3, 1, 2, 1 - 1e-9),
    ]:
        assert miss(log_density(Wiener(*args[2:], 0), *args[:2]), wiener(*args)) < 1e-12
    assert log_density(Wiener(1, 1, .5, 0), 0, 900.) < -4000  # late: e^(−4900), and no floor


def test_wiener_drift_that_varies_is_an_average_over_drifts():
    x, w = np.polynomial.hermite_e.hermegauss(80)
    for choice, rt in [(0, .3), (1, .5), (1, 2.)]:
        plain = [np.exp(log_density(Wiener(.7 + 1.1 * d, 1.4, .4, .2), choice, rt)) for d in x]
        assert log_density(Wiener(0.7, 1.4, 0.4, 0.2, 1.1), choice, rt) == pytest.approx(
            np.log(w @ plain / w.sum()), abs=1e-10
        )


def test_wiener_has_no_step_where_the_series_change():
    for z in (.02, .3, .5, .98):
        for sv in (0, 1):
            answer, at = Wiener(1.2, 2, z, 0, sv), .25 * 4
            t = at * (1 + np.linspace(-1, 1, 9) * 1e-6)
            for choice in (0, 1):
                f = log_density(answer, choice, t)
                slope = np.diff(f) / np.diff(t)
                assert np.ptp(slope) < 1e-4 * max(1, abs(slope.mean())), (
                    "the slope from the left is that from the right"
                )
                assert abs(f[4] - (f[3] + f[5]) / 2) < 1e-11


def over_log_time(answer, n=6000, most=1e5):
    "Times after t0, and the integral of the density up to each, for each choice."
    k = len(answer.drifts) if hasattr(answer, "drifts") else 2
    y = np.linspace(math.log(1e-9), math.log(most), n)
    parts = [np.exp(log_density(answer, c, answer.t0 + np.exp(y)) + y) for c in range(k)]
    return np.exp(y), [np.append(0, np.cumsum((p[1:] + p[:-1]) / 2 * np.diff(y))) for p in parts]


WIENERS = [
    Wiener(1, 1.5, 0.4, 0),
    Wiener(-6, 6, 0.98, 0),
    Wiener(0, 0.3, 0.02, 0),
    Wiener(6, 1, 0.02, 0),
    Wiener(-0.5, 2, 0.6, 0, 1.5),
    Wiener(2, 2, 0.5, 0, 0, 0.9),
    Wiener(1, 1.2, 0.4, 0.0, 1, 0.4),
]


@pytest.mark.parametrize("answer", WIENERS)
def test_wiener_mass(answer):
    t, mass = over_log_time(answer)
    assert mass[0][-1] + mass[1][-1] == pytest.approx(1, abs=1e-9)
    choice, time = mean_answer(answer)
    assert choice == pytest.approx(mass[1][-1], abs=1e-9)
    total = mass[0] + mass[1]
    assert time == pytest.approx(np.sum(np.diff(total) * (t[1:] + t[:-1]) / 2), rel=1e-4)
    v, a, z, _, sv, sz = answer
    if sv == sz == 0 and v: assert choice == pytest.approx((1 - math.exp(-2*v*a*z)) / (1 - math.exp(-2*v*a)), rel=1e-12)


# Races

def first(t, v, b, A, s, ballistic):
    "Log density of one arrival, by the closed form of the papers."
    t, v, b, A, s = map(mp.mpf, (t, v, b, A, s))
    scale = s * t if ballistic else mp.sqrt(t)
    share = mp.ncdf(v / s) if ballistic else 1
    if A == 0: return mp.log(b / t / scale * mp.npdf((b - v*t) / scale) / share)
    low, high = (b - A - v*t) / scale, (b - v*t) / scale
    between = mp.ncdf(-low) - mp.ncdf(-high) if low > 0 else mp.ncdf(high) - mp.ncdf(low)
    return mp.log((v * between + scale / t * (mp.npdf(low) - mp.npdf(high))) / A / share)


def still(t, v, b, A, s, ballistic):
    "Log probability of no arrival, by closed forms; A and v above 0."
    t, v, b, A, s = map(mp.mpf, (t, v, b, A, s))
    def whole(x):
        if ballistic:
            y = (x / t - v) / s
            return (s * t * (y * mp.ncdf(y) + mp.npdf(y)) - x * mp.ncdf(-v / s)) / mp.ncdf(v / s)
        y, other = (x - v*t) / mp.sqrt(t), (x + v*t) / mp.sqrt(t)
        return mp.sqrt(t) * (y * mp.ncdf(y) + mp.npdf(y)) - (mp.exp(2*v*x) * mp.ncdf(-other) + mp.ncdf(y)) / (2*v)
    return mp.log((whole(b) - whole(b - A)) / A)


@pytest.mark.parametrize("ballistic", [False, True])
def test_one_accumulator(ballistic, digits):
    rng = np.random.default_rng(3)
    for i in range(150):
        v, b, s = rng.uniform(-2 if ballistic else .01, 6), rng.uniform(.3, 4), rng.uniform(.2, 2) if ballistic else 1.
        A, t = float(b * [0, 1, rng.uniform()][i % 3]), float(10**rng.uniform(-2.5, 2))
        args = (t, v, b, A, s, ballistic)
        assert miss(_log_first(*args), first(*args)) < 1e-10, args
        truth = still(*args[:3], A or b * 1e-30, s, ballistic)
        assert abs(_log_still(*args) - truth) < 1e-10 * max(1, abs(truth)), args


@pytest.mark.parametrize(
    "answer",
    [
        RacingDiffusion([1, 2, 0.5], 1, 0.4, 0.2),
        RacingDiffusion([0, 3], 1.2, 0, 0),
        RacingDiffusion([0, 0, 0], 1, 0.9, 0),
        LBA([1, 2, 0.5], 1, 0.4, 0.2),
        LBA([3, 2.5], 1, 0, 0.2, 0.3),
        LBA([-1, -3], 1, 0.9, 0.1),
        LBA([2], 1, 0.5, 0),
    ],
)
def test_race_mass(answer):
    t, mass = over_log_time(answer, 12_000, 1e12)
    assert sum(m[-1] for m in mass) == pytest.approx(1, abs=1e-9)
    choice, time = mean_answer(answer)
    assert choice == pytest.approx(sum(i * m[-1] for i, m in enumerate(mass)), abs=1e-8)
    if len(answer.drifts) > 1:
        assert time == pytest.approx(answer.t0 + np.sum(np.diff(sum(mass)) * (t[1:] + t[:-1]) / 2), rel=1e-4)
    else: assert time == math.inf


def test_mean_time_that_is_infinite():
    assert mean_answer(RacingDiffusion([0, 0], 1, .5, 0))[1] == math.inf
    assert mean_answer(RacingDiffusion([0, 0, 0], 1, .5, 0))[1] < math.inf


# The others

def test_line_and_circle_against_scipy():
    x = np.array([-4.2, -1, 0, .2, 3, 50])
    assert log_density(Normal(.3, 1.2), x) == pytest.approx(stats.norm(.3, 1.2).logpdf(x), rel=1e-13)
    assert log_density(LogNormal(0.3, 1.2), x[3:]) == pytest.approx(
        stats.lognorm(1.2, scale=math.exp(0.3)).logpdf(x[3:]), rel=1e-13
    )
    angle = np.linspace(-math.pi, math.pi, 11)
    assert log_density(VonMises(40, 2.5), angle) == pytest.approx(stats.vonmises(2.5, 40).logpdf(angle), rel=1e-12)


def test_counts_and_shares_with_many_digits(digits):
    lg = mp.loggamma
    for rate in (1e-20, .3, 7, 15.5, 400, 1e6, 1e12):
        for k in {
            1,
            2,
            15,
            16,
            17,
            math.floor(rate),
            math.floor(rate + 2 * math.sqrt(rate)),
            math.floor(2 * rate),
        } - {0}:
            truth = k * mp.log(mp.mpf(rate)) - mp.mpf(rate) - lg(k + 1)
            assert miss(log_density(Poisson(rate), k), truth) < 1e-11, (rate, k)
    for n, p in [(1, .5), (20, 1e-9), (20, .999), (1000, .3), (10**9, .5), (10**12, .001)]:
        for k in {1, n - 1, math.floor(n * p), math.floor(n * p + 3 * math.sqrt(n * p * (1 - p)))}:
            if not 0 < k < n: continue
            q = mp.mpf(p)
            truth = lg(n + 1) - lg(k + 1) - lg(n - k + 1) + k * mp.log(q) + (n - k) * mp.log(1 - q)
            assert miss(log_density(Binomial(n, p), k), truth) < 1e-10, (n, p, k)
    for mean, n in [(.5, 1e-3), (.2, .5), (.5, 2), (.9, 30), (.3, 1e4), (.3, 1e9)]:
        for x in (1e-300, .01, .3, .3001, .5, .99):
            m, y = mp.mpf(mean), mp.mpf(x)
            a, b = m * mp.mpf(n), (1 - m) * mp.mpf(n)
            truth = lg(a + b) - lg(a) - lg(b) + (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y)
            assert miss(log_density(Beta(mean, n), x), truth) < 1e-10, (mean, n, x)


def test_bessel(digits):
    for kappa in (0, 1e-12, .3, 5, 19.99, 20, 20.01, 50, 700, 1e8, 1e300):
        truth = (
            mp.log(mp.besseli(0, mp.mpf(kappa))) - kappa
            if kappa < 1e5
            else -mp.log(2 * mp.pi * mp.mpf(kappa)) / 2 + 1 / (8 * mp.mpf(kappa))
        )
        assert abs(_log_bessel(kappa) - truth) < 1e-13 * max(1, abs(truth)), kappa


def test_certain_counts():
    assert [log_density(Binomial(4, p), k) for p in (0, 1) for k in (0, 2, 4)] == [
        0,
        -math.inf,
        -math.inf,
        -math.inf,
        -math.inf,
        0,
    ]
    assert [log_density(Poisson(0), k) for k in (0, 1)] == [0, -math.inf]
    assert log_density(Binomial(0, .3), 0) == 0
    assert (draw_answer(Binomial(7, 1), 0, n=5) == 7).all() and (draw_answer(Poisson(0), 0, n=5) == 0).all()


# Samplers

def fits(drawn, cdf): # p of Kolmogorov and Smirnov
    return stats.kstest(drawn, cdf).pvalue


CDFS = [(Normal(.3, 1.2), stats.norm(.3, 1.2).cdf), (LogNormal(-.5, .8), stats.lognorm(.8, scale=math.exp(-.5)).cdf),
        (Beta(.3, 4), stats.beta(1.2, 2.8).cdf), (Beta(.5, .2), stats.beta(.1, .1).cdf),
        *((VonMises(0, k), stats.vonmises(k).cdf) for k in (0, 1e-12, .01, .5, 3, 200)),
        (VonMises(0, 1e10), stats.norm(0, 1e-5).cdf)]


@pytest.mark.parametrize("answer, cdf", CDFS, ids=[str(a) for a, _ in CDFS])
def test_draws_of_one_number(answer, cdf):
    drawn = draw_answer(answer, 1, n=20_000)
    assert fits(drawn, cdf) > 1e-4
    assert fits(drawn * 1.05 + .02 * np.std(drawn), cdf) < 1e-4, "a sampler that is a little off is seen"


DRAWN = [
    *WIENERS,
    Wiener(20, 6, 0.3, 0.1),
    Wiener(0, 1, 0.5, 0),
    Wiener(300, 1, 0.5, 0),
    RacingDiffusion([1, 2, 0.5], 1, 0.4, 0.2),
    RacingDiffusion([0, 3], 1.2, 0, 0.2),
    RacingDiffusion([4, 3.9], 2, 2, 0),
    LBA([1, 2, 0.5], 1, 0.4, 0.2),
    LBA([3, 2.5], 1, 0, 0.2, 0.3),
    LBA([-1, -3], 1, 1, 0.1),
    LBA([1], 1, 0.3, 0),
]


@pytest.mark.parametrize("answer", DRAWN, ids=str)
def test_draws_of_choice_and_time(answer):
    "Choices are as frequent as the mass of their density; the times of each, put through its integral, are uniform."
    n = 8000
    choice, rt = draw_answer(answer, 1, n=n)
    t, mass = over_log_time(answer, 20_000, 1e9)
    share = np.array([m[-1] for m in mass])
    for c, p in enumerate(share):
        assert stats.binomtest(int((choice == c).sum()), n, min(p / share.sum(), 1)).pvalue > 1e-4
    for c in range(len(mass)):
        if (choice == c).sum() < 100: continue
        cdf = lambda x: np.interp(x - answer.t0, t, mass[c] / mass[c][-1])
        assert fits(rt[choice == c], cdf) > 1e-4
        if (choice == c).sum() > 3000:
            assert fits(answer.t0 + 1.3 * (rt[choice == c] - answer.t0), cdf) < 1e-4, (
                "times a little too long are seen"
            )


@each
def test_draws_agree_with_the_density(answer): assert abs(check_density(answer, 20_000, 3)) < 5


@pytest.mark.parametrize(
    "off",
    [
        Wiener(1, 1.58, 0.4, 0.2),
        Wiener(1, 1.5, 0.44, 0.2),
        Wiener(1.2, 1.5, 0.4, 0.2),
        Wiener(1, 1.5, 0.4, 0.21),
        Wiener(1, 1.5, 0.4, 0.2, sv=0.6),
    ],
)
def test_a_sampler_of_something_else_is_found(off):
    class Wrong(namedtuple("Wrong", "v a z t0 sv sz", defaults=(0., 0.)), metaclass=AnswerKind): pass
    right, (v, a, z, t0, sv, sz) = DENSITIES[Wiener], off
    add_density(
        Wrong,
        njit(lambda answer, choice, rt: log_density(Wiener(*answer), choice, rt)),
        njit(lambda answer, rng: draw_answer(Wiener(v, a, z, t0, sv, sz), rng)),
        right.mean,
        names=right.names,
        support=right.support,
    )
    try:
        with pytest.raises(ValueError, match="draws and density of Wrong.* do not agree"):
            check_density(Wrong(1, 1.5, 0.4, 0.2), 20_000)
    finally: del DENSITIES[Wrong]


def test_draws_follow_the_generator():
    for answer in EXAMPLES:
        rng = np.random.default_rng(5)
        one, again = [draw_answer(answer, rng) for _ in range(3)], draw_answer(answer, 5, n=3)
        assert np.array_equal(np.transpose(one), again), (
            "one by one or together, from a Generator or its seed: the same"
        )
    assert isinstance(draw_answer(EXAMPLES[0], 0), float) and [type(x) for x in draw_answer(TIMED[0], 0)] == [
        int,
        float,
    ]


@each
def test_draws_are_possible(answer): assert np.isfinite(log_density(answer, *some_values(answer, 2000))).all()


def test_draws_at_the_edge_of_floats():
    for answer in (
        LogNormal(800, 30),
        LogNormal(-800, 30),
        Beta(0.5, 1e-4),
        Beta(1 - 1e-12, 1),
        Wiener(0, 1e-12, 0.5, 0.3),
        Wiener(500, 5, 0.01, 0.3),
    ):
        assert np.isfinite(log_density(answer, *some_values(answer))).all(), answer


def test_draws_of_extremes():
    for answer in (
        Poisson(1e15),
        Binomial(2.0**50, 0.3),
        VonMises(0.2, 1e300),
        VonMises(0.2, 1e-300),
        LBA([-1e300, 1.0], 1, 0.5, 0.1),
        RacingDiffusion([1e-300, 1e6], 1, 0.5, 0.1),
        Wiener(1e6, 1, 0.5, 0.1),
        Wiener(-3, 1, 1e-200, 0.1),
        Wiener(1, 1e-200, 0.5, 0.1),
    ):
        drawn = np.array(draw_answer(answer, 0, n=200), float)
        assert np.isfinite(drawn).all() and not np.isnan(log_density(answer, *some_values(answer))).any(), answer
    for answer, sd in ((Poisson(1e15), math.sqrt(1e15)), (Binomial(2.**50, .3), math.sqrt(2.**50 * .21))):
        z = (draw_answer(answer, 0, n=2000) - mean_answer(answer)) / sd
        assert fits(z, stats.norm.cdf) > 1e-4


def test_rare_choices_do_not_stop_the_check():
    assert abs(check_density(Wiener(4, 1.1, .5, 0), 20_000)) < 5
    assert check_density(Binomial(3, 1)) == 0


# Means

@each
def test_means(answer):
    n = 40_000
    drawn = np.reshape(draw_answer(answer, 7, n=n), (-1, n))
    for found, column in zip(np.atleast_1d(mean_answer(answer)), drawn):
        if isinstance(answer, VonMises):
            column = (
                np.angle(np.mean(np.exp(1j * column)))
                + np.zeros(n)
                + np.random.default_rng(0).normal(0, column.std(), n)
            )
        assert abs(column.mean() - found) < 5 * column.std() / math.sqrt(n)


# What cannot be

def broken(answer):
    "Each way to break one parameter: its name, and the answer."
    entry = DENSITIES[type(answer)]
    for name in answer._fields:
        limit = entry.limits.get(name, density.Limit())
        bad = [math.nan, math.inf, -math.inf]
        bad += (
            [limit.lower - 0.5, limit.upper + max(0.5, abs(limit.upper))]
            + [limit.lower, limit.upper] * (not limit.ends)
            + [2.5] * limit.whole
        )
        for value in bad:
            if name in entry.many:
                for i in range(len(getattr(answer, name))):
                    values = list(getattr(answer, name))
                    values[i] = value
                    yield name, answer._replace(**{name: values})
            else: yield name, answer._replace(**{name: value})


@each
def test_parameters_that_cannot_be_make_everything_nan(answer):
    check_answer(answer)
    count = 0
    for name, bad in broken(answer):
        assert np.isnan(log_density(bad, *some_values(answer, 5))).all(), bad
        assert np.isnan(np.reshape(draw_answer(bad, 0), -1)[-1]) and np.isnan(mean_answer(bad)).all(), bad
        assert np.isnan(log_density(bad, *[math.inf] * len(DENSITIES[type(answer)].names))), (
            "a wrong parameter comes before a wrong value"
        )
        with pytest.raises(
            ValueError, match=rf"^{name}(\[\d\])? of {type(answer).__name__} must be|^the highest start A|^z ± sz/2"
        ):
            check_answer(bad)
        count += 1
    assert count >= 3 * len(answer)


@pytest.mark.parametrize(
    "answer",
    [
        Wiener(1, 1, 0.1, 0, sz=0.2),
        Wiener(1, 1, 0.9, 0, sz=0.3),
        RacingDiffusion([1.0], 1, 1.1, 0),
        LBA([1.0], 1, 1.1, 0),
    ],
)
def test_parameters_that_do_not_go_together(answer):
    assert (
        np.isnan(log_density(answer, 0, 0.5))
        and np.isnan(draw_answer(answer, 0)[1])
        and draw_answer(answer, 0)[0] == -1
        and np.isnan(mean_answer(answer)).all()
    )
    with pytest.raises(ValueError, match="must be between 0 and 1|must be at most the threshold"): check_answer(answer)


OUTSIDE = {
    Normal: [math.inf, -math.inf],
    LogNormal: [0, -1, math.inf],
    Beta: [0, 1, -0.1, 1.1, math.inf],
    Binomial: [-1, 13, 2.5, math.inf],
    Poisson: [-1, 0.5, math.inf],
    VonMises: [-3.2, 3.2, math.inf, 90],
    **dict.fromkeys(
        [Wiener, RacingDiffusion, LBA], [(0, 0.2), (1, 0.1), (0, -1), (0, math.inf), (-1, 0.5), (3, 0.5), (0.5, 0.5)]
    ),
}


@each
def test_values_outside_the_support(answer):
    assert type(answer) in OUTSIDE, f"add values that {type(answer).__name__} cannot take to OUTSIDE"
    for value in OUTSIDE[type(answer)]: assert log_density(answer, *np.atleast_1d(value)) == -math.inf, value
    n = len(DENSITIES[type(answer)].names)
    for i in range(n):
        value = [1.] * n
        value[i] = math.nan
        assert np.isnan(log_density(answer, *value)), "a missing value is NaN, not impossible"


def test_wrong_things_are_named():
    for wrong, kind, words in [
        (lambda: log_density(3, 1), TypeError, "answer must be one of the kinds of answer"),
        (lambda: log_density((0.0, 1.0), 1), TypeError, "answer must be one of the kinds of answer"),
        (
            lambda: log_density(Normal(0, 1), 1, 2),
            TypeError,
            "is value: log_density\\(answer, value\\), got 2 values",
        ),
        (lambda: log_density(Normal("a", 1), 1), TypeError, "mean of Normal must be a number, got 'a'"),
        (lambda: log_density(Normal([1, 2], 1), 1), TypeError, "mean of Normal must be a number, got"),
        (lambda: log_density(LBA([], 1, 0, 0), 0, 1), TypeError, "drifts of LBA must be a list of numbers"),
        (lambda: draw_answer(Normal(0, 1), "a"), TypeError, "rng must be"),
        (lambda: draw_answer(Normal(0, 1), 0, n=2.5), ValueError, "n must be a whole number"),
        (
            lambda: check_answer(Poisson(-1)),
            ValueError,
            "rate of Poisson must be at least 0 and at most .*, got -1.0",
        ),
        (
            lambda: add_density(namedtuple("A", "b"), None, None, None, support=""),
            TypeError,
            "kind must be a class of named tuples",
        ),
        (
            lambda: add_density(Normal, None, None, None, support="", names=("a", "b", "c")),
            ValueError,
            "one or two names",
        ),
        (
            lambda: add_density(Normal, None, None, None, support="", limits=dict(scale=1)),
            ValueError,
            "Normal has no parameter 'scale'",
        ),
    ]:
        with pytest.raises(kind, match=words): wrong()


# Compiled rules, and the caller's things

@cache
def rule_of(kind):
    "A compiled rule that reckons with answers of this kind: density, draw and mean"
    return njit(error_model="numpy")(
        lambda f, value, rng: (log_density(kind(*f), *value), draw_answer(kind(*f), rng), mean_answer(kind(*f))))


@each
def test_compiled_rules_get_the_same(answer):
    kind, many = type(answer), DENSITIES[type(answer)].many
    fields = tuple(np.array(x, float) if n in many else float(x) for n, x in zip(kind._fields, answer))
    value = tuple(v[0] for v in some_values(answer))
    density, drawn, mean = rule_of(kind)(fields, value, np.random.default_rng(2))
    assert density == log_density(answer, *value)
    assert np.array_equal(drawn, draw_answer(answer, 2))
    assert mean == mean_answer(answer)


def test_rules_may_use_defaults_names_and_whole_numbers():
    @njit
    def rule(x):
        if x > 1: return Wiener(x, 2, .5, t0=0, sv=1)
        return Wiener(x, 1.5, .5, .2)
    assert rule(2.) == Wiener(2, 2, .5, 0, 1) and rule(.5) == Wiener(.5, 1.5, .5, .2) and type(rule(2.).a) is float

    @njit
    def race(q): return log_density(RacingDiffusion((1 + q[0], 1 + q[1]), 1, 0, .1), 1, .6)
    assert race(np.array([.2, .4])) == log_density(RacingDiffusion([1.2, 1.4], 1, 0, .1), 1, .6)


def test_a_rule_with_an_unknown_answer_says_so():
    Unknown = namedtuple("Unknown", "a")
    with pytest.raises(
        TypingError, match="an answer must be one of the kinds \\(Normal, .*make your own known by add_density"
    ):
        njit(lambda x: log_density(Unknown(x), 1.0))(2.0)


def test_arrays_keep_their_shape_and_stay_as_they_are():
    choice, rt = np.array([[0], [1]]), np.array([.3, .5, .9])
    drifts = np.array([1, 2])
    out = log_density(RacingDiffusion(drifts, 1, .5, .1), choice, rt)
    assert out.shape == (2, 3) and out[1, 2] == log_density(RacingDiffusion([1, 2], 1, .5, .1), 1, .9)
    assert (
        drifts.dtype == int
        and log_density(Normal(0, 1), np.zeros((0,))).shape == (0,)
        and isinstance(log_density(Normal(0, 1), 1), float)
    )


def test_the_module_waits_until_it_is_used():
    code = ("import sys, spice_rl; assert 'numba' not in sys.modules; spice_rl.Normal; "
            "print([name in sys.modules for name in ('spice_rl.core.density', 'torch', 'pandas')])")
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[True, False, False]\n"
    )
