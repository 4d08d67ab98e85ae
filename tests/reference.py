"""The judges: likelihoods written slowly and plainly from the published equations, without the package's cells and
engine.

Sessions are lists of trials, and a trial is a dict: `choice` (None: missing), `reward` (a dict, option -> what was
shown), `options` (those on offer), `counted`. A learner is a generator function: shown the trials one by one it
yields, before each, a dict option -> logit. Everything works with complex parameters too, so that a derivative can
be had to the last digit."""
import cmath, math


# What a learner is judged by

def minus_log_softmax(x, choice):
    "-log of the softmax probability of `choice`; x: a dict option -> logit"
    top = max(v.real for v in x.values())
    total = 0
    for v in x.values(): total = total + cmath.exp(v - top)
    out = top + cmath.log(total) - x[choice]
    return out if isinstance(sum(x.values()), complex) else out.real


def nll(learner, p, sessions):
    "Summed NLL of the counted choices"
    total = 0.
    for session in sessions:
        for x, trial in zip(learner(p, session), session):
            if trial["choice"] is not None and trial["counted"]: total = total + minus_log_softmax(x, trial["choice"])
    return total


def gradient(learner, p, sessions, step=1e-30):
    "Derivative of the NLL by each parameter, a dict: complex steps lose no digit (Squire & Trapp, 1998)"
    return {k: nll(learner, {**p, k: complex(p[k], step)}, sessions).imag / step for k in p}


def sessions_of(trials, person):
    "The sessions of one person of a `Trials`, as lists of dicts"
    out = []
    for s in range(len(trials.starts) - 1):
        rows = range(trials.starts[s], trials.starts[s + 1])
        if trials.participants[trials.participant[rows[0]]] != person: continue
        out.append(
            [
                dict(
                    choice=int(trials.choice[t]) if trials.choice[t] >= 0 else None,
                    reward={k: float(r) for k, r in enumerate(trials.reward[t]) if not math.isnan(r)},
                    options=[int(k) for k in trials.offer[t] if k >= 0],
                    counted=bool(trials.counted[t]),
                )
                for t in rows
            ]
        )
    return out


# Learners

def q_learner(p, session, n=3):
    """AgentQ of SPEC_SPICE: asymmetric rates, counterfactual learning, forgetting and a choice trace.

    All updates are computed from the old values and added. With partial feedback the others are imagined to have
    paid 1 - r, and the sign of r picks the counterfactual rate; with full feedback it is the outcome shown, and its
    sign."""
    q, trace = {k: .5 for k in range(n)}, {k: 0. for k in range(n)}
    for trial in session:
        yield {k: p["beta_reward"] * q[k] + p["beta_choice"] * trace[k] for k in trial["options"]}
        a, shown = trial["choice"], trial["reward"]
        if a is None: continue
        old_q, old_trace = dict(q), dict(trace)
        if a in shown:
            rate = p["alpha_reward"] if shown[a] > .5 else p["alpha_penalty"]
            q[a] = old_q[a] + rate * (shown[a] - old_q[a])
        for b in trial["options"]:
            trace[b] = old_trace[b] + p["alpha_choice"] * ((1. if b == a else 0.) - old_trace[b])
            if b == a: continue
            imagined, sign = None, None
            if b in shown: imagined, sign = shown[b], shown[b]
            elif a in shown: imagined, sign = 1 - shown[a], shown[a]
            move = p["forget_rate"] * (.5 - old_q[b])
            if imagined is not None:
                rate = p["alpha_counterfactual_reward"] if sign > .5 else p["alpha_counterfactual_penalty"]
                move = move + rate * (imagined - old_q[b])
            q[b] = old_q[b] + move


def rescorla_wagner(p, session, n=3):
    "Only alpha and beta"
    full = dict(
        alpha_reward=p["alpha"],
        alpha_penalty=p["alpha"],
        beta_reward=p["beta"],
        beta_choice=0.,
        alpha_choice=1.,
        forget_rate=0.,
        alpha_counterfactual_reward=0.,
        alpha_counterfactual_penalty=0.,
    )
    return q_learner(full, session, n)


def line_learner(p, session, n=3):
    """Values in logits: the chosen one becomes c0 + c1 V + c2 r, the others d0 + d1 V; all start at `start` and
    weigh `weight`"""
    v = {k: p["start"] for k in range(n)}
    for trial in session:
        yield {k: p["weight"] * v[k] for k in trial["options"]}
        a = trial["choice"]
        if a is None: continue
        for k in trial["options"]:
            if k != a: v[k] = p["d0"] + p["d1"] * v[k]
            elif a in trial["reward"]: v[k] = p["c0"] + p["c1"] * v[k] + p["c2"] * trial["reward"][a]


def pearce_hall(p, session, n=3):
    "A learning rate that follows surprise (Pearce & Hall, 1980)"
    q, surprise = {k: .5 for k in range(n)}, {k: 1. for k in range(n)}
    for trial in session:
        yield {k: p["beta"] * q[k] for k in trial["options"]}
        a = trial["choice"]
        if a is None or a not in trial["reward"]: continue
        pe = trial["reward"][a] - q[a]
        q[a] = q[a] + p["kappa"] * surprise[a] * pe
        surprise[a] = (1 - p["eta"]) * surprise[a] + p["eta"] * (pe if pe.real > 0 else -pe)


def coin(p, session, n=2):
    "Prefers option 1, whatever happens"
    for trial in session: yield {k: p["bias"] if k == 1 else 0. for k in trial["options"]}


# A module of a network

def module(weight, value, inputs, hidden=6):
    """value + f: a constant, a slope for each variable, the products of pairs, and bends w z/√(1 + z²), z linear in
    the variables"""
    x, w = [value, *inputs], list(weight)
    if any(math.isnan(i) for i in inputs): return value
    out = value + w.pop(0)
    for v in x: out += w.pop(0) * v
    for j in range(len(x)):
        for m in range(j): out += w.pop(0) * x[j] * x[m]
    for _ in range(hidden):
        size, z = w.pop(0), w.pop(0)
        for v in x: z += w.pop(0) * v
        out += size * z / math.sqrt(1 + z * z)
    assert not w
    return out


# Derivatives to any digit

def exact_derivatives(trials, alpha, beta, start=.5, digits=50):
    """Gradient and Hessian of the NLL of Rescorla-Wagner, one person and session, by alpha and beta: mpmath with
    `digits` digits.

    Differences with a step of 10^(-digits/3) lose nothing then."""
    import mpmath
    with mpmath.workdps(digits):
        number, step = mpmath.mpf, mpmath.mpf(10)**-(digits // 3)
        rows = [(int(c), number(float(r[c]))) for c, r in zip(trials.choice, trials.reward)]
        def value(i, j):
            a, b = number(alpha) + i * step * (number(alpha) or 1), number(beta) + j * step * (number(beta) or 1)
            out = number(0)
            q = [number(start)] * trials.n_options
            for choice, reward in rows:
                out += mpmath.log(sum(mpmath.exp(b * (v - q[choice])) for v in q))
                q[choice] += a * (reward - q[choice])
            return out
        h = [step * (number(x) or 1) for x in (alpha, beta)]
        at, up, down = value(0, 0), (value(1, 0), value(0, 1)), (value(-1, 0), value(0, -1))
        cross = (value(1, 1) - value(1, -1) - value(-1, 1) + value(-1, -1)) / (4 * h[0] * h[1])
        own = [(u - 2 * at + d) / s**2 for u, d, s in zip(up, down, h)]
        return [float((u - d) / (2 * s)) for u, d, s in zip(up, down, h)], [
            [float(own[0]), float(cross)],
            [float(cross), float(own[1])],
        ]
