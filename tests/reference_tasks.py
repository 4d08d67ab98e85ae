"""Slow log likelihoods of the published models, from the rows of one person's table as it stands in the file: the
judge of `spice_rl.tasks`, reader included. Each takes the rows (a frame with the published columns) and the
parameters by their published names as a dict, and options by name. `LOGLIK` holds them by model."""
import math

import numpy as np

LOGLIK = {}


def judges(*models):
    "Names the models that a function is the judge of"
    def keep(f):
        LOGLIK.update(dict.fromkeys(models, f))
        return f
    return keep


def log_softmax(x, k): return float(x[k] - max(x) - math.log(sum(math.exp(v - max(x)) for v in x)))


def log_logistic(x): return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))


def records(rows): return rows.to_dict("records")


# bandit2arm, bandit4arm, bandit4arm2, banditNarm

def delta(p, choices, outcomes, n):
    q, total = np.zeros(n), 0.
    for c, r in zip(choices, outcomes):
        total += log_softmax(p["tau"] * q, c)
        q[c] += p["A"] * (r - q[c])
    return total


@judges("bandit2arm_delta")
def bandit2arm_delta(rows, p): return delta(p, rows.choice - 1, rows.outcome, 2)


@judges("banditNarm_delta")
def net_delta(rows, p): return delta(p, rows.choice - 1, rows.gain - abs(rows.loss), 4)


def gains_losses(p, rows, gain_rate, loss_rate, gain_forget, loss_forget):
    gains, losses, total, xi = np.zeros(4), np.zeros(4), 0., p.get("xi")
    for row in records(rows):
        c, score, others = int(row["choice"]) - 1, gains + losses, np.arange(4) != row["choice"] - 1
        log_p = log_softmax(score, c)
        total += log_p if xi is None else math.log((1 - xi) * math.exp(log_p) + xi / 4)
        gains[others] *= 1 - gain_forget
        losses[others] *= 1 - loss_forget
        gains[c] += gain_rate * (p.get("R", 1) * row["gain"] - gains[c])
        losses[c] += loss_rate * (-p.get("P", 1) * abs(row["loss"]) - losses[c])
    return total


@judges(*(f"{task}_{m}" for task in ("bandit4arm", "banditNarm") for m in ("4par", "lapse", "2par_lapse")))
def same_rates(rows, p): return gains_losses(p, rows, p["Arew"], p["Apun"], p["Arew"], p["Apun"])


@judges("bandit4arm_lapse_decay", "banditNarm_lapse_decay")
def own_decay(rows, p): return gains_losses(p, rows, p["Arew"], p["Apun"], p["d"], p["d"])


@judges("bandit4arm_singleA_lapse", "banditNarm_singleA_lapse")
def one_rate(rows, p): return gains_losses(p, rows, p["A"], p["A"], p["A"], p["A"])


def kalman(p, choices, outcomes):
    mean, var, total, keep = np.full(4, p["mu0"]), np.full(4, p["s0"]**2), 0., p["lambda"]
    for c, r in zip(choices, outcomes):
        total += log_softmax(p["beta"] * mean, c)
        gain = var[c] / (var[c] + 4**2)
        mean[c] += gain * (r - mean[c])
        var[c] -= gain * var[c]
        mean, var = keep * mean + (1 - keep) * p["theta"], keep**2 * var + p["sD"]**2
    return total


@judges("bandit4arm2_kalman_filter")
def restless(rows, p): return kalman(p, rows.choice - 1, rows.outcome)


@judges("banditNarm_kalman_filter")
def net_restless(rows, p): return kalman(p, rows.choice - 1, rows.gain - abs(rows.loss))


# ts

def two_steps(rows, p, trans_prob, before=False):
    a1, a2, b1, b2 = (p.get(name, p.get(name[:-1])) for name in ("a1", "a2", "beta1", "beta2"))
    first, second, total, previous = np.zeros(2), np.zeros((2, 2)), 0., None
    transitions = np.array([[trans_prob, 1 - trans_prob], [1 - trans_prob, trans_prob]])
    for row in records(rows):
        c, (s, k) = row["level1_choice"] - 1, divmod(row["level2_choice"] - 1, 2)
        x = b1 * (p["w"] * transitions @ second.max(1) + (1 - p["w"]) * first)
        if previous is not None: x[previous] += p["pi"]
        total += log_softmax(x, c) + log_softmax(b2 * second[s], k)
        old = second[s, k]
        second[s, k] += a2 * (row["reward"] - old)
        first[c] += a1 * (old - first[c])
        first[c] += a1 * p.get("lambda", 1) * (row["reward"] - (old if before else second[s, k]))
        previous = c
    return total


@judges("ts_par4", "ts_par6", "ts_par7")
def ts(rows, p, trans_prob=.7): return two_steps(rows, p, trans_prob)


@judges("ts_par7_daw")
def ts_daw(rows, p, trans_prob=.7): return two_steps(rows, p, trans_prob, before=True)


# dd

def discounting(rows, p, worth):
    x = p["beta"] * (worth(rows.amount_later, rows.delay_later) - worth(rows.amount_sooner, rows.delay_sooner))
    return sum(log_logistic(v if c else -v) for v, c in zip(x, rows.choice))


@judges("dd_hyperbolic", "dd_hyperbolic_single")
def dd_hyperbolic(rows, p): return discounting(rows, p, lambda a, d: a / (1 + p["k"] * d))


@judges("dd_exp")
def dd_exp(rows, p): return discounting(rows, p, lambda a, d: a / np.exp(d * p["r"]))


@judges("dd_cs", "dd_cs_single")
def dd_cs(rows, p): return discounting(rows, p, lambda a, d: a * np.exp(-(p["r"] * d)**p["s"]))


# choiceRT

def log_first_passage(t, v, a, w):
    """Log density of time t at the lower boundary: images of the source for small times, waves for large ones
    (Feller, 1968)"""
    u, k = t / a**2, np.arange(-60, 61)
    if u < .3: series = ((w + 2 * k) * np.exp(-(w + 2 * k)**2 / (2 * u))).sum() / math.sqrt(2 * math.pi * u**3)
    else: series = math.pi * (k * np.exp(-(k * math.pi)**2 * u / 2) * np.sin(k * math.pi * w))[61:].sum()
    return math.log(series / a**2) - v * a * w - v**2 * t / 2


@judges("choiceRT_ddm", "choiceRT_ddm_single")
def diffusion(rows, p):
    return sum(log_first_passage(t - p["tau"], -p["delta"], p["alpha"], 1 - p["beta"]) if c == 2 else
               log_first_passage(t - p["tau"], p["delta"], p["alpha"], p["beta"]) for c, t in zip(rows.choice, rows.RT))


# prl, prl_multipleB

def signs(rows): return list(zip(rows.choice - 1, np.sign(rows.outcome)))


def counterfactual(rows, p, own=False):
    total, v = 0., [0., 0.]
    for c, o in signs(rows):
        x = p["beta"] * (p.get("alpha", 0) - (v[0] - v[1]))
        total += log_logistic(x if c else -x)
        surprise = [o - v[c], -o - v[1 - c]]
        rates = (
            [p["eta"]] * 2
            if "eta" in p
            else [p["eta_pos"] if d >= 0 else p["eta_neg"] for d in (surprise if own else surprise[:1] * 2)]
        )
        v[c], v[1 - c] = v[c] + rates[0] * surprise[0], v[1 - c] + rates[1] * surprise[1]
    return total


def by_block(f):
    return lambda rows, p: sum(f(rows[rows.block == b], p) for b in rows.block.unique())


@judges("prl_fictitious", "prl_fictitious_rp", "prl_fictitious_woa", "prl_fictitious_rp_woa")
def prl_fictitious(rows, p): return counterfactual(rows, p)


@judges("prl_fictitious_rp_own")
def prl_fictitious_rp_own(rows, p): return counterfactual(rows, p, own=True)


def reward_punishment(rows, p, good):
    """From the whole history of an arm: each outcome counts by its rate, times what the later ones on that arm left
    of it"""
    past, total = ([], []), 0.
    for c, o in signs(rows):
        v = [
            sum(rate * r * math.prod(1 - later for later, _ in arm[i + 1 :]) for i, (rate, r) in enumerate(arm))
            for arm in past
        ]
        total += log_softmax(p["beta"] * np.array(v), c)
        past[c].append((p["Arew"] if good(o, v[c]) else p["Apun"], o))
    return total


@judges("prl_rp")
def prl_rp(rows, p): return reward_punishment(rows, p, lambda o, v: o > 0)


@judges("prl_rp_pe")
def prl_rp_pe(rows, p): return reward_punishment(rows, p, lambda o, v: o >= v)


LOGLIK |= dict(prl_fictitious_multipleB=by_block(prl_fictitious), prl_rp_multipleB=by_block(prl_rp))


@judges("prl_ewa")
def prl_ewa(rows, p):
    total, seen = 0., ([], [])
    for c, o in signs(rows):
        v = []
        for arm in seen:   # sum of decayed outcomes, divided step by step
            value, n = 0., 0.
            for r in arm: value, n = (p["phi"] * n * value + r) / (p["rho"] * n + 1), p["rho"] * n + 1
            v.append(value)
        total += log_softmax(p["beta"] * np.array(v), c)
        seen[c].append(o)
    return total


# pst

@judges("pst_Q", "pst_gainloss_Q")
def selection(rows, p, q0=0.):
    q, total = {k: q0 for k in "123456"}, 0.
    for kind, c, r in zip(rows.type.astype(str), rows.choice, rows.reward):
        x = p["beta"] * (q[kind[0]] - q[kind[1]])
        total += log_logistic(x if c == 1 else -x)
        taken = kind[0] if c == 1 else kind[1]
        rate = p["alpha"] if "alpha" in p else p["alpha_neg"] if r < q[taken] else p["alpha_pos"]
        q[taken] = (1 - rate) * q[taken] + rate * r
    return total


# igt

def payoffs(rows, payscale): return list(zip(rows.choice - 1, (rows.gain - abs(rows.loss)) / payscale))


def felt(x, p): return x**p["alpha"] if x >= 0 else -p["lambda"] * abs(x)**p["alpha"]


def decks(rows, p, payscale, learn):
    total, v = 0., np.zeros(4)
    for c, x in payoffs(rows, payscale):
        total += log_softmax((3**p["cons"] - 1) * v, c)
        v = learn(v, np.eye(4)[c], felt(x, p))
    return total


@judges("igt_pvl_delta")
def igt_pvl_delta(rows, p, payscale=100): return decks(rows, p, payscale, lambda v, c, u: v + c * p["A"] * (u - v))


@judges("igt_pvl_decay")
def igt_pvl_decay(rows, p, payscale=100): return decks(rows, p, payscale, lambda v, c, u: p["A"] * v + c * u)


def perseverance(rows, p, payscale, even):
    total, q, history = 0., np.zeros(4), []
    for t, (c, x) in enumerate(payoffs(rows, payscale)):
        stay = sum((p["K"]**(t - 1 - s) * more for s, more in enumerate(history)), np.zeros(4))
        total += log_softmax((3**p["cons"] - 1) * (p["w"] * q + (1 - p["w"]) * stay), c)
        history.append(np.eye(4)[c] * (0 if even and x == 0 else p["epP"] if x >= 0 else p["epN"]))
        q[c] += p["A"] * (felt(x, p) - q[c])
    return total


@judges("igt_vpp")
def igt_vpp(rows, p, payscale=100): return perseverance(rows, p, payscale, False)


@judges("igt_vpp_even")
def igt_vpp_even(rows, p, payscale=100): return perseverance(rows, p, payscale, True)


def outcomes_frequencies(rows, p, payscale, even):
    total, ev, ef, last = 0., np.zeros(4), np.zeros(4), {}
    for t, (c, x) in enumerate(payoffs(rows, payscale)):
        stay = np.array([3**(-p["K"] * (t - last[k])) if k in last else 0. for k in range(4)])
        total += log_softmax(ev + p["betaF"] * ef + p["betaP"] * stay, c)
        mine, other = (p["Arew"], p["Apun"]) if x >= 0 else (p["Apun"], p["Arew"])
        if even and x == 0: mine = other = np.mean([p["Arew"], p["Apun"]])
        ev[c] += mine * (x - ev[c])
        chosen = np.eye(4)[c] > 0
        ef += np.where(chosen, mine, other) * (np.where(chosen, 1, -1 / 3) * np.sign(x) - ef)
        last[c] = t
    return total


@judges("igt_orl")
def igt_orl(rows, p, payscale=100): return outcomes_frequencies(rows, p, payscale, False)


@judges("igt_orl_even")
def igt_orl_even(rows, p, payscale=100): return outcomes_frequencies(rows, p, payscale, True)


# gng

@judges("gng_m1", "gng_m2", "gng_m3", "gng_m4")
def go(rows, p):
    values, total = {}, 0.
    for row in records(rows):
        v = values.setdefault(row["cue"], dict(go=0., no=0., cue=0.))
        w = v["go"] - v["no"] + p.get("b", 0) + p.get("pi", 0) * v["cue"]
        p_go = (1 - p["xi"]) / (1 + math.exp(-w)) + p["xi"] / 2
        total += math.log(p_go if row["keyPressed"] else 1 - p_go)
        felt = row["outcome"] * (p["rho"] if "rho" in p else p["rhoPun"] if row["outcome"] < 0 else p["rhoRew"])
        for name in ("cue", "go" if row["keyPressed"] else "no"): v[name] = (1 - p["ep"]) * v[name] + p["ep"] * felt
    return total


# ra

@judges("ra_prospect", "ra_noLA", "ra_noRA")
def gambles(rows, p):
    def worth(x): return np.sign(x) * abs(x)**p.get("rho", 1) * (p.get("lambda", 1) if x < 0 else 1)
    x = [p["tau"] * (np.mean([worth(row.gain), worth(-abs(row.loss))]) - worth(row.cert)) for row in rows.itertuples()]
    return sum(log_logistic(v if taken else -v) for v, taken in zip(x, rows.gamble))


# ug

@judges("ug_bayes")
def ug_bayes(rows, p, itself=1):
    total = 0.
    for t, (x, taken) in enumerate(zip(rows.offer, rows.accept)):
        norm = np.mean([10.] * 4 + list(rows.offer[:t + itself]))
        u = p["tau"] * (x - p["alpha"] * max(norm - x, 0) - p["beta"] * max(x - norm, 0))
        total += log_logistic(u if taken else -u)
    return total


@judges("ug_bayes_before")
def ug_bayes_before(rows, p): return ug_bayes(rows, p, itself=0)


@judges("ug_delta")
def ug_delta(rows, p):
    total = 0.
    for t, (x, taken) in enumerate(zip(rows.offer, rows.accept)):
        left = (1 - p["ep"])**np.arange(t, -1, -1)
        norm = 10 * left[0] + sum(p["ep"] * left[1:] * np.array(rows.offer[:t]))
        u = p["tau"] * (x - p["alpha"] * max(norm - x, 0))
        total += log_logistic(u if taken else -u)
    return total


# bart

def balloons(rows, utility):
    "`utility(l, well, pumps)` of pump l, after all balloons before"
    total, well, pumps = 0., 0, 0
    for n, burst in zip(rows.pumps, rows.explosion):
        total += sum(log_logistic(utility(l, well, pumps)) for l in range(1, n + 1))
        if not burst: total += log_logistic(-utility(n + 1, well, pumps))
        well, pumps = well + n - burst, pumps + n
    return total


@judges("bart_par4")
def bart_par4(rows, p):
    def utility(l, well, pumps):
        burst = 1 - (p["phi"] + p["eta"] * well) / (1 + p["eta"] * pumps)
        return p["tau"] * (-p["gam"] / math.log(1 - burst) - l)
    return balloons(rows, utility)


@judges("bart_ewmv")
def bart_ewmv(rows, p):
    def utility(l, well, pumps):
        weight = math.exp(-p["eta"] * pumps)
        b = weight * p["phi"] + (1 - weight) * (pumps - well) / pumps if pumps else p["phi"]
        outcomes, chance = np.array([1, -p["lambda"] * (l - 1)]), np.array([1 - b, b])
        mean = outcomes @ chance
        return p["tau"] * (mean + p["rho"] * ((outcomes - mean)**2 @ chance))
    return balloons(rows, utility)


# pstRT, pstRT_ddm

def passages(rows, p, drifts, boundaries):
    return sum(log_first_passage(t - p["tau"], -v, a, .5) if c == 1 else log_first_passage(t - p["tau"], v, a, .5)
               for c, t, v, a in zip(rows.choice, rows.RT, drifts, boundaries))


@judges("pstRT_ddm")
def pstRT_ddm(rows, p): return passages(rows, p, [p[f"d{c}"] for c in rows.cond], [p["a"]] * len(rows))


@judges("pstRT_rlddm1", "pstRT_rlddm6")
def rlddm(rows, p, initQ=.5):
    q, drifts = {(cond, c): initQ for cond in (1, 2, 3) for c in (1, 2)}, []
    for row in records(rows):
        drifts.append(p["v"] * (q[row["cond"], 1] - q[row["cond"], 2]))
        error = row["feedback"] - q[row["cond"], row["choice"]]
        q[row["cond"], row["choice"]] += error * (
            p["alpha"] if "alpha" in p else p["alpha_pos"] if error > 0 else p["alpha_neg"]
        )
    return passages(rows, p, drifts, p["a"] * (rows.iter / 10)**p.get("bp", 0))


# peer

@judges("peer_ocu")
def peer_ocu(rows, p):
    total = 0.
    for row in records(rows):
        worth = {
            kind: sum(
                chance * row[f"{kind}_{end}payoff"] ** p["rho"]
                for end, chance in (("H", row["p_gamble"]), ("L", 1 - row["p_gamble"]))
            )
            for kind in ("safe", "risky")
        }
        follow = {0: 0, 1: -p["ocu"], 2: 0, 3: p["ocu"]}[row["condition"]]
        x = p["tau"] * (worth["risky"] - worth["safe"] + follow)
        total += log_logistic(x if row["choice"] else -x)
    return total


# rdt

@judges("rdt_happiness")
def happiness(rows, p):
    total, past, last = 0., [], None
    for t, row in enumerate(records(rows)):
        if row["RT_happy"] != last:
            fade = [p["gam"]**(t - j) for j in range(t)]
            mean = p["w0"] + sum(
                p[w] * sum(f * x[i] for f, x in zip(fade, past)) for i, w in enumerate(("w1", "w2", "w3"))
            )
            total -= .5 * ((row["happy"] - mean) / p["sig"])**2 + math.log(p["sig"]) + .5 * math.log(2 * math.pi)
        last, mean = row["RT_happy"], (row["gain"] - abs(row["loss"])) / 2
        past.append((0, mean, row["outcome"] - mean) if row["gamble"] else (row["type"] * row["cert"], 0, 0))
    return total


# cra

def lotteries(rows, p, chance):
    return sum(
        log_logistic(
            (2 * r["choice"] - 1)
            * p["gamma"]
            * (chance(r["prob"], r["ambig"]) * r["reward_var"] ** p["alpha"] - .5 * r["reward_fix"] ** p["alpha"])
        )
        for r in records(rows)
    )


@judges("cra_linear")
def cra_linear(rows, p): return lotteries(rows, p, lambda prob, a: prob - p["beta"] * a / 2)


@judges("cra_exp")
def cra_exp(rows, p): return lotteries(rows, p, lambda prob, a: prob * prob**(p["beta"] * a))


# dbdm

def weighted(p, h, h_prob, l, cumulative):
    def w(x): return 0. if x == 0 else math.exp(-math.pow(-math.log(x) + 0., p["tau"])) if x < 1 else 1.
    def v(x): return x**p["rho"] if x > 0 else 0. if x == 0 else -p["lambda"] * abs(x)**p["rho"]
    a, b = w(h_prob), w(1 - h_prob)
    if cumulative and min(h, l) >= 0: return a * (v(h) - v(l)) + v(l)       # what is sure, and what comes on top
    if cumulative and max(h, l) <= 0: return b * (v(l) - v(h)) + v(h)
    return a * v(h) + b * v(l)


def described(rows, p, cumulative):
    total = 0.
    for r in records(rows):
        x = np.array(
            [p["beta"] * weighted(p, r[f"opt{k}hval"], r[f"opt{k}hprob"], r[f"opt{k}lval"], cumulative) for k in (1, 2)]
        )
        total += log_softmax(x, int(r["choice"]) - 1)
    return total


@judges("dbdm_prob_weight")
def dbdm(rows, p): return described(rows, p, False)


@judges("dbdm_cumulative")
def dbdm_cumulative(rows, p): return described(rows, p, True)


# task2AFC

@judges("task2AFC_sdt")
def sdt(rows, p, coefficients=1):
    total = 0.
    for stimulus in (0, 1):
        said = rows.response[rows.stimulus == stimulus]
        n, k, x = len(said), int(said.sum()), (p["d"] / 2 if stimulus else -p["d"] / 2) - p["c"]
        y = .07056 * x**3 + 1.5976 * x
        total += k * log_logistic(y) + (n - k) * log_logistic(-y) + coefficients * math.log(math.comb(n, k))
    return total


@judges("task2AFC_normal")
def sdt_normal(rows, p):
    from scipy.special import log_ndtr
    x = np.where(rows.stimulus == 1, p["d"], -p["d"]) / 2 - p["c"]
    return float(log_ndtr(np.where(rows.response == 1, x, -x)).sum())


# alt

def cut(q, gamma): return sorted([0., gamma * (q - .5) + .5, 1.])[1]


def one_belief(rows, p, bend):
    q, total = .5, 0.
    for r in records(rows):
        x = -p["beta"] * np.array([bend(q, p["gamma"]) * r["bluePunish"], bend(1 - q, p["gamma"]) * r["orangePunish"]])
        total += log_softmax(x, int(r["choice"]) - 1)
        q = (1 - p["A"]) * q + p["A"] * r["outcome"]
    return total


@judges("alt_delta")
def alt_delta(rows, p): return one_belief(rows, p, cut)


@judges("alt_delta_smooth")
def alt_delta_smooth(rows, p): return one_belief(rows, p, lambda q, g: 0. if q == 0 else 1 / (1 + (1 / q - 1)**g))


def own_beliefs(rows, p, q, offered):
    kept, q, total = [0., 0.], [q, q], 0.
    for r in records(rows):
        shown, c = (r["bluePunish"], r["orangePunish"]), int(r["choice"]) - 1
        cost = [cut(q[k], p["gamma"]) * shown[k] for k in (0, 1)] if offered else kept
        total += log_softmax(-p["beta"] * np.array(cost), c)
        q[c] = (1 - p["A"]) * q[c] + p["A"] * r["outcome"]
        kept[c] = cut(q[c], p["gamma"]) * shown[c]
    return total


@judges("alt_gamma")
def alt_gamma(rows, p): return own_beliefs(rows, p, 0., False)


@judges("alt_gamma_offered")
def alt_gamma_offered(rows, p): return own_beliefs(rows, p, .5, True)


# wcs

def card_sorting(rows, p, floor_first, sheet=None):
    if sheet is None:
        from importlib.resources import files
        lines = (files("spice_rl")/"datasets/tasks/wcs_sheet.csv").read_text().split()
        sheet = [[int(x) for x in line.split(",")[1:]] for line in lines]
    attention, total = [1 / 3] * 3, 0.
    for t, row in enumerate(records(rows)):
        matches = [rule[t] for rule in sheet]
        d, e = (p["d"], 1e-4) if t or floor_first else (1, 0)
        weight = {
            deck: e + (1 - 2 * e) * sum(a**d for a, m in zip(attention, matches) if m == deck) for deck in (1, 2, 3, 4)
        }
        if weight[row["choice"]] == 0: return -math.inf
        total += math.log(weight[row["choice"]] / sum(weight.values()))
        fits = [a * ((m == row["choice"]) == bool(row["outcome"])) for a, m in zip(attention, matches)]
        if sum(fits) == 0: continue
        rate = p["r"] if row["outcome"] else p["p"]
        attention = [(1 - rate) * a + rate * f / sum(fits) for a, f in zip(attention, fits)]
        attention = [.9998 * a / sum(attention) + .0001 for a in attention]
    return total


@judges("wcs_sql")
def wcs_sql(rows, p, **how): return card_sorting(rows, p, False, **how)


@judges("wcs_sql_floor")
def wcs_sql_floor(rows, p, **how): return card_sorting(rows, p, True, **how)


# cgt

@judges("cgt_cm")
def gambling(rows, p, stakes=(5, 25, 50, 75, 95)):
    total = 0.
    for r in records(rows):
        odds = p["c"] / (1 - p["c"]) * (r["n_red_boxes"] / (10 - r["n_red_boxes"]))**p["alpha"]
        total += math.log((odds if r["red_chosen"] else 1) / (1 + odds))
        q = (r["n_red_boxes"] if r["red_chosen"] else 10 - r["n_red_boxes"]) / 10
        in_time, points = sorted(stakes, reverse=not r["gamble_type"]), r["trial_initial_points"] / 100
        worth = [
            q * math.log(1 + points * (1 + s / 100))
            + (1 - q) * math.log(1 + p["rho"] * points * (1 - s / 100))
            - p["beta"] * .25 * b
            for b, s in enumerate(in_time)
        ]
        total += log_softmax(p["gamma"] * np.array(worth), in_time.index(r["percentage_staked"]))
    return total


# hgf

@judges("hgf_ibrb", "hgf_ibrb_single")
def gaussian_filter(rows, p, L=3, mu0=(.5, 1), sigma0=(.1, 1), input_first=False):
    mu, sigma = dict(zip(range(2, L + 1), mu0)), dict(zip(range(2, L + 1), sigma0))
    kappa, omega = ({l: p[f"{name}_{l}"] for l in range(2, L + 1) if f"{name}_{l}" in p} for name in ("kappa", "omega"))
    total, expected = 0., None
    for row in sorted(records(rows), key=lambda r: r["trialNum"]):
        u, y = row["u"], row["y"]
        if u not in (0, 1) or y not in (0, 1): continue
        m = 1 / (1 + math.exp(-mu[2]))
        used, expected = m if input_first else expected, m
        if used is not None:
            total += math.log((used if y else 1 - used) ** p["zeta"] / (used ** p["zeta"] + (1 - used) ** p["zeta"]))
        v = {l: sigma[l] + math.exp(omega[l] + (kappa[l] * mu[l + 1] if l < L else 0)) for l in mu}
        new, spread = {}, {}
        for l in range(2, L + 1):
            if l == 2:
                spread[2] = v[2] / (1 + v[2] * m * (1 - m))
                new[2] = mu[2] + spread[2] * (u - m)
                continue
            k = kappa[l - 1]
            w = math.exp(k * mu[l] + omega[l - 1]) / v[l - 1]
            surprise = (spread[l - 1] + (new[l - 1] - mu[l - 1])**2) / v[l - 1] - 1
            spread[l] = v[l] / (1 + v[l] * k * k * w / 2 * (w + (2 * w - 1) * surprise))
            new[l] = mu[l] + spread[l] * k * w * surprise / 2
        mu, sigma = new, spread
    return total


# beyond_two_step

def second_steps(rows):
    "First choice, second place and option within it, reward, of each row"
    for row in records(rows): yield (row["level1_choice"] - 1, *divmod(row["level2_choice"] - 1, 2), row["reward"])


def planned(rows, p, transitions, w, b1, b2, a1, a2, pi):
    "Two steps whose transitions are given by what was counted: a function of counts (2, 2) that returns (2, 2)"
    first, second, count, stuck, total = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2), 0.
    for c, s, k, r in second_steps(rows):
        total += log_softmax(
            b1 * (w * transitions(count) @ second.max(1) + (1 - w) * first) + pi * stuck, c
        ) + log_softmax(b2 * second[s], k)
        d1, d2 = second[s, k] - first[c], r - second[s, k]
        first[c] += a1 * (d1 + p["lambda"] * d2)
        second[s, k] += a2 * d2
        count[c, s] += 1
        stuck = np.eye(2)[c]
    return total


@judges("ts_par7_counts")
def ts_counts(rows, p):
    return planned(
        rows,
        p,
        lambda n: (1 + n) / (2 + n.sum(1, keepdims=True)),
        *(p[x] for x in ("w", "beta1", "beta2", "a1", "a2", "pi")),
    )


@judges("ts_hybrid_mbmf")
def ts_pyem(rows, p):
    def snapped(n):
        return (
            np.array([[.7, .3], [.3, .7]])
            if n.trace() > n.sum() - n.trace()
            else np.array([[.3, .7], [.7, .3]])
        )
    return planned(
        rows, p, snapped, *(p[x] for x in ("omega", "beta1", "beta2", "alpha1", "alpha2")), p["beta1"] * p["r"]
    )


@judges("ts_kool")
def kool(rows, p, payscale=9):
    habit, place, last, side, total = {k: .5 for k in (1, 2, 3, 4)}, {1: .5, 0: .5}, None, None, 0.
    for row in records(rows):
        shown, c = (row["left"], row["right"]), row["choice"]
        x = [
            p["beta"]
            * (p["w"] * place[k % 2] + (1 - p["w"]) * habit[k] + p["pi"] * (k == last) + p["rho"] * (i == side))
            for i, k in enumerate(shown)
        ]
        total += log_softmax(x, shown.index(c))
        d1, d2 = place[c % 2] - habit[c], row["reward"] / payscale - place[c % 2]
        habit[c] += p["alpha"] * d1 + p["alpha"] * p["lambda"] * d2
        place[c % 2] += p["alpha"] * d2
        last, side = c, shown.index(c)
    return total


# beyond_risk

def prospect(rows, p, weight):
    """Cumulative: outcomes in order, gains by differences of weights from the best down, losses from the worst up;
    weight(probability, is it a gain?)"""
    total = 0.
    def felt(x): return x**p["alpha"] if x >= 0 else -p["lambda"] * abs(x)**p.get("beta", p["alpha"])
    for row in records(rows):
        outcomes, worth = [(row["win"], row["prob"]), (row["other"], 1 - row["prob"])], 0.
        for gain in (True, False):
            before, sum_before = 0., 0.
            for x, q in sorted((o for o in outcomes if (o[0] >= 0) == gain), key=lambda o: -abs(o[0])):
                sum_before += q
                now = 1. if sum_before > 1 - 1e-12 else weight(sum_before, gain)
                worth += (now - before) * felt(x)
                before = now
        x = p["mu"] * (worth - felt(row["sure"]))
        total += log_logistic(x if row["gamble"] else -x)
    return total


def tversky_kahneman(q, g): return q**g / (q**g + (1 - q)**g)**(1 / g)


@judges("pt_tk")
def pt_tk(rows, p): return prospect(rows, p, lambda q, gain: tversky_kahneman(q, p["gamma"]))


@judges("pt_tk1992")
def pt_tk1992(rows, p):
    return prospect(rows, p, lambda q, gain: tversky_kahneman(q, p["gamma"] if gain else p["delta"]))


@judges("pt_prelec")
def pt_prelec(rows, p): return prospect(rows, p, lambda q, gain: math.exp(-p["delta"] * (-math.log(q))**p["gamma"]))


@judges("pt_gonzalez_wu")
def pt_gonzalez_wu(rows, p):
    return prospect(
        rows, p, lambda q, gain: p["delta"] * q ** p["gamma"] / (p["delta"] * q ** p["gamma"] + (1 - q) ** p["gamma"])
    )


# beyond_discounting

@judges("dd_beta_delta")
def dd_beta_delta(rows, p):
    return discounting(rows, p, lambda a, d: a * np.where(d > 0, p["present"], 1) * np.exp(d * math.log(p["delta"])))


def bernoulli(x, yes): return sum(log_logistic(v if c else -v) for v, c in zip(x, yes))


def efforts(rows, cost):
    "What is gained by the harder of two efforts, for costs of each"
    return rows.amount_hard - rows.amount_easy - cost(rows.effort_hard) + cost(rows.effort_easy)


@judges("effort_parabolic", "effort_others_1k")
def parabolic(rows, p): return bernoulli(p["beta"] * efforts(rows, lambda e: p["k"] * e * e), rows.choice)


@judges("effort_linear")
def linear(rows, p): return bernoulli(p["beta"] * efforts(rows, lambda e: p["k"] * e), rows.choice)


@judges("effort_hyperbolic")
def hyperbolic_effort(rows, p):
    return bernoulli(
        p["beta"]
        * (rows.amount_hard / (1 + p["k"] * rows.effort_hard) - rows.amount_easy / (1 + p["k"] * rows.effort_easy)),
        rows.choice,
    )


@judges("effort_others_2k")
def parabolic_others(rows, p):
    return sum(
        parabolic(mine, dict(p, k=p[k]))
        for k, mine in (("k_self", rows[rows.other == 0]), ("k_other", rows[rows.other == 1]))
    )


@judges("probability_hyperbolic")
def odds_against(rows, p):
    def worth(amount, q): return amount / (1 + p["k"] * (1 / q - 1))
    return bernoulli(
        p["beta"] * (worth(rows.amount_risky, rows.prob_risky) - worth(rows.amount_safe, rows.prob_safe)), rows.choice
    )


@judges("social_hyperbolic", "social_weighted")
def social(rows, p):
    return bernoulli(
        p["beta"] * (p.get("w", 1) * rows.amount_other / (1 + p["k"] * rows.distance) - rows.amount_self), rows.choice
    )


# beyond_confidence

def normal_log_share(low, high):
    "Log of the share of a standard normal between two numbers, in whichever tail it lies, with 50 digits"
    import mpmath
    with mpmath.workdps(60):
        return float(
            mpmath.log(
                (mpmath.erfc(mpmath.mpf(low) / mpmath.sqrt(2)) - mpmath.erfc(mpmath.mpf(high) / mpmath.sqrt(2))) / 2
            )
        )


@judges("meta_d")
def meta_d(rows, p):
    "Criteria of the ratings on one line, -inf to inf; the rating given the answer, times the answer"
    mid, total = p["M"] * p["c"], 0.
    up, down = np.cumsum([p[f"up_{j}"] for j in (1, 2, 3)]), np.cumsum([p[f"down_{j}"] for j in (1, 2, 3)])
    cuts = [-math.inf, *(mid - down[::-1]), mid, *(mid + up), math.inf]
    for s, answer, rating in zip(rows.stimulus, rows.response, rows.confidence):
        half, place = (s - .5) * p["d"], 3 + rating if answer else 4 - rating
        first = normal_log_share(p["c"] - half, math.inf) if answer else normal_log_share(-math.inf, p["c"] - half)
        inside = [x - p["M"] * half for x in cuts]
        side = (inside[4], math.inf) if answer else (-math.inf, inside[4])
        total += first + normal_log_share(inside[place], inside[place + 1]) - normal_log_share(*side)
    return total


# beyond_change

@judges("bandit2arm_hmm")
def hidden_markov(rows, p):
    "Forward algorithm with matrices"
    belief, move = np.array([.5, .5]), np.array([[1 - p["hazard"], p["hazard"]], [p["hazard"], 1 - p["hazard"]]])
    total = 0.
    for c, r in zip(rows.choice - 1, rows.outcome):
        total += log_softmax(p["tau"] * belief, c)
        win = np.array([p["p_good"] if k == c else 1 - p["p_good"] for k in (0, 1)])
        belief = move @ (belief * (win if r > 0 else 1 - win))
        belief /= belief.sum()
    return total


@judges("bandit2arm_changepoint")
def change_points(rows, p):
    "By segments: the evidence of everything since a change is a ratio of beta functions (no runs that grow)"
    def log_beta(a, b): return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    arms, wins, h, total = (rows.choice - 1).to_numpy(), (rows.outcome > 0).to_numpy(), p["hazard"], 0.
    def counts(first, last):
        return [
            (
                sum(wins[t] and arms[t] == k for t in range(first, last)),
                sum(not wins[t] and arms[t] == k for t in range(first, last)),
            )
            for k in (0, 1)
        ]
    # probability of the data before t, and of a change at t
    begun = [1.]
    for t, c in enumerate(arms):
        since = [counts(s, t) for s in range(t + 1)]
        weight = np.array(
            [
                begun[s] * math.exp(sum(log_beta(1 + a, 1 + b) for a, b in since[s])) * (1 - h) ** (t - s)
                for s in range(t + 1)
            ]
        )
        weight[-1] = begun[t]
        value = [sum(w * (1 + n[k][0]) / (2 + sum(n[k])) for w, n in zip(weight, since)) / weight.sum() for k in (0, 1)]
        total += log_softmax(p["tau"] * np.array(value), c)
        begun.append(
            h
            * sum(
                begun[s] * math.exp(sum(log_beta(1 + a, 1 + b) for a, b in counts(s, t + 1))) * (1 - h) ** (t - s)
                for s in range(t + 1)
            )
        )
    return total


@judges("changepoint_delta")
def moving_share(rows, p):
    "The belief as a weighted sum of all outcomes so far"
    total, out = 0., rows.outcome.to_numpy()
    for t, said in enumerate(rows.prediction):
        belief = 150 * (1 - p["alpha"])**t + sum(p["alpha"] * (1 - p["alpha"])**(t - 1 - s) * out[s] for s in range(t))
        total += -.5 * ((said - belief) / p["sd"])**2 - math.log(p["sd"] * math.sqrt(2 * math.pi))
    return total


@judges("changepoint_reduced")
def reduced_bayesian(rows, p):
    total, belief, run = 0., 150., 0.
    for said, x in zip(rows.prediction, rows.outcome):
        total += -.5 * ((said - belief) / p["sd"])**2 - math.log(p["sd"] * math.sqrt(2 * math.pi))
        variance = math.inf if run == 0 else 100 + 100 / run
        usual = (
            0.
            if run == 0
            else (1 - p["hazard"]) * math.exp(-((x - belief) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        )
        new = p["hazard"] / 300 / (p["hazard"] / 300 + usual)
        rate = new + (1 - new) / (run + 1)
        belief, run = belief + rate * (x - belief), (run + 1) * (1 - new) + new
    return total
