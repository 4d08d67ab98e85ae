"""Slow log likelihoods of the published models, from the rows of one person's table as it stands in the file: the judge of
`spice_rl.tasks`, reader included. Each takes the rows (a frame with the published columns) and the parameters by their published
names as a dict, and options by name. `LOGLIK` holds them by model."""
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
    "Log density of time t at the lower boundary: images of the source for small times, waves for large ones (Feller, 1968)"
    u, k = t / a**2, np.arange(-60, 61)
    if u < .3: series = ((w + 2 * k) * np.exp(-(w + 2 * k)**2 / (2 * u))).sum() / math.sqrt(2 * math.pi * u**3)
    else: series = math.pi * (k * np.exp(-(k * math.pi)**2 * u / 2) * np.sin(k * math.pi * w))[61:].sum()
    return math.log(series / a**2) - v * a * w - v**2 * t / 2


@judges("choiceRT_ddm", "choiceRT_ddm_single")
def diffusion(rows, p):
    return sum(log_first_passage(t - p["tau"], -p["delta"], p["alpha"], 1 - p["beta"]) if c == 2 else
               log_first_passage(t - p["tau"], p["delta"], p["alpha"], p["beta"]) for c, t in zip(rows.choice, rows.RT))


# beyond_two_step

def second_steps(rows):
    "First choice, second place and option within it, reward, of each row"
    for row in records(rows): yield (row["level1_choice"] - 1, *divmod(row["level2_choice"] - 1, 2), row["reward"])


def planned(rows, p, transitions, w, b1, b2, a1, a2, pi):
    "Two steps whose transitions are given by what was counted: a function of counts (2, 2) that returns (2, 2)"
    first, second, count, stuck, total = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2), 0.
    for c, s, k, r in second_steps(rows):
        total += log_softmax(b1 * (w * transitions(count) @ second.max(1) + (1 - w) * first) + pi * stuck, c) + log_softmax(b2 * second[s], k)
        d1, d2 = second[s, k] - first[c], r - second[s, k]
        first[c] += a1 * (d1 + p["lambda"] * d2)
        second[s, k] += a2 * d2
        count[c, s] += 1
        stuck = np.eye(2)[c]
    return total


@judges("ts_par7_counts")
def ts_counts(rows, p):
    return planned(rows, p, lambda n: (1 + n) / (2 + n.sum(1, keepdims=True)), *(p[x] for x in ("w", "beta1", "beta2", "a1", "a2", "pi")))


@judges("ts_hybrid_mbmf")
def ts_pyem(rows, p):
    def snapped(n): return np.array([[.7, .3], [.3, .7]]) if n.trace() > n.sum() - n.trace() else np.array([[.3, .7], [.7, .3]])
    return planned(rows, p, snapped, *(p[x] for x in ("omega", "beta1", "beta2", "alpha1", "alpha2")), p["beta1"] * p["r"])


@judges("ts_kool")
def kool(rows, p, payscale=9):
    habit, place, last, side, total = {k: .5 for k in (1, 2, 3, 4)}, {1: .5, 0: .5}, None, None, 0.
    for row in records(rows):
        shown, c = (row["left"], row["right"]), row["choice"]
        x = [p["beta"] * (p["w"] * place[k % 2] + (1 - p["w"]) * habit[k] + p["pi"] * (k == last) + p["rho"] * (i == side)) for i, k in enumerate(shown)]
        total += log_softmax(x, shown.index(c))
        d1, d2 = place[c % 2] - habit[c], row["reward"] / payscale - place[c % 2]
        habit[c] += p["alpha"] * d1 + p["alpha"] * p["lambda"] * d2
        place[c % 2] += p["alpha"] * d2
        last, side = c, shown.index(c)
    return total


# beyond_risk

def prospect(rows, p, weight):
    "Cumulative: outcomes in order, gains by differences of weights from the best down, losses from the worst up; weight(probability, is it a gain?)"
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
def pt_tk1992(rows, p): return prospect(rows, p, lambda q, gain: tversky_kahneman(q, p["gamma"] if gain else p["delta"]))


@judges("pt_prelec")
def pt_prelec(rows, p): return prospect(rows, p, lambda q, gain: math.exp(-p["delta"] * (-math.log(q))**p["gamma"]))


@judges("pt_gonzalez_wu")
def pt_gonzalez_wu(rows, p):
    return prospect(rows, p, lambda q, gain: p["delta"] * q**p["gamma"] / (p["delta"] * q**p["gamma"] + (1 - q)**p["gamma"]))


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
    return bernoulli(p["beta"] * (rows.amount_hard / (1 + p["k"] * rows.effort_hard) - rows.amount_easy / (1 + p["k"] * rows.effort_easy)), rows.choice)


@judges("effort_others_2k")
def parabolic_others(rows, p):
    return sum(parabolic(mine, dict(p, k=p[k])) for k, mine in (("k_self", rows[rows.other == 0]), ("k_other", rows[rows.other == 1])))


@judges("probability_hyperbolic")
def odds_against(rows, p):
    def worth(amount, q): return amount / (1 + p["k"] * (1 / q - 1))
    return bernoulli(p["beta"] * (worth(rows.amount_risky, rows.prob_risky) - worth(rows.amount_safe, rows.prob_safe)), rows.choice)


@judges("social_hyperbolic", "social_weighted")
def social(rows, p):
    return bernoulli(p["beta"] * (p.get("w", 1) * rows.amount_other / (1 + p["k"] * rows.distance) - rows.amount_self), rows.choice)


# beyond_confidence

def normal_log_share(low, high):
    "Log of the share of a standard normal between two numbers, in whichever tail it lies, with 50 digits"
    import mpmath
    with mpmath.workdps(60): return float(mpmath.log((mpmath.erfc(mpmath.mpf(low) / mpmath.sqrt(2)) - mpmath.erfc(mpmath.mpf(high) / mpmath.sqrt(2))) / 2))


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
    belief, move, total = np.array([.5, .5]), np.array([[1 - p["hazard"], p["hazard"]], [p["hazard"], 1 - p["hazard"]]]), 0.
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
    def counts(first, last): return [(sum(wins[t] and arms[t] == k for t in range(first, last)), sum(not wins[t] and arms[t] == k for t in range(first, last))) for k in (0, 1)]
    begun = [1.]                                                      # probability of the data before t, and of a change at t
    for t, c in enumerate(arms):
        since = [counts(s, t) for s in range(t + 1)]
        weight = np.array([begun[s] * math.exp(sum(log_beta(1 + a, 1 + b) for a, b in since[s])) * (1 - h)**(t - s) for s in range(t + 1)])
        weight[-1] = begun[t]
        value = [sum(w * (1 + n[k][0]) / (2 + sum(n[k])) for w, n in zip(weight, since)) / weight.sum() for k in (0, 1)]
        total += log_softmax(p["tau"] * np.array(value), c)
        begun.append(h * sum(begun[s] * math.exp(sum(log_beta(1 + a, 1 + b) for a, b in counts(s, t + 1))) * (1 - h)**(t - s) for s in range(t + 1)))
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
        usual = 0. if run == 0 else (1 - p["hazard"]) * math.exp(-(x - belief)**2 / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        new = p["hazard"] / 300 / (p["hazard"] / 300 + usual)
        rate = new + (1 - new) / (run + 1)
        belief, run = belief + rate * (x - belief), (run + 1) * (1 - new) + new
    return total
