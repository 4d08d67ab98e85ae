"The overview of the benchmarks page says what the recorded results say."
import re

import numpy as np
import pandas as pd
import pytest

from spice_rl import task_model, task_models
from test_project import NOTEBOOKS, ROOT, cells

TEXT = next(s for s in cells(NOTEBOOKS["nbs/benchmarks.ipynb"], "markdown") if "| Question |" in s)
ROWS = {re.match(r"\| \[(.*?)\]", line)[1]: line for line in TEXT.splitlines() if line.startswith("| [")}


def read(name): return pd.read_csv(ROOT/f"benchmarks/results/{name}.csv")


def number(x, digits=2): # a half goes up, and no zero stands before the point
    return re.sub(r"^0\.", ".", f"{x + 1e-9:,.{digits}f}")


def span(x, digits=2, word=" to "): return f"{number(x.min(), digits)}{word}{number(x.max(), digits)}"


def terms():
    found, less = read("equation_structures"), read("equation_sessions")
    exact = less.groupby(["learner", "sessions", "seed"]).exact.first().groupby(level=[0, 1]).mean().unstack()
    return [
        f"{found.exact.sum()} of {len(found)}",
        f"{span(100 * exact[10], 0)} %",
        f"{number(100 * exact[200].min(), 0)} % even with 20,000",
    ]


def numbers():
    n = read("equation_numbers").query("exact")
    inside = ((n.true >= n.lower) & (n.true <= n.upper)).mean()
    by = n.assign(square=(n.estimate - n.true)**2).groupby(["learner", "number"])
    return [
        f"{len(n)} numbers",
        f"{100 * inside:.1f} % of 95 %",
        f"{number((by.square.mean() ** .5 / by.bound.mean()).max())} times",
    ]


def people():
    t = read("equation_people").set_index("model").held_out_nll
    return [f"NLL {t['Q-learning, two rates']} beside our {t['equation, degree 1']} and {t['equation, degree 2']}"]


def lacking():
    t = read("equation_avoidance").set_index("model").behind
    words = {3: "three", 5: "five"}
    return [
        f"beats {words[(t > t.discovered).sum()]}",
        f"loses to {words[(t < t.discovered).sum()]}",
        f"by {t.discovered:.0f} BIC",
    ]


def networks():
    t = read("architecture_numbers")
    off = t[t.exact].assign(z=lambda d: ((d.estimate - d.true) / d.se)**2).groupby(["learner", "seed"]).z.mean()**.5
    share, words = t.drop_duplicates(["learner", "seed", "who"]).groupby("learner").exact.mean(), {4: "four", 5: "five"}
    assert share.min() == .5, "half of the people"
    return [f"{words[(share == 1).sum()]} of {words[len(share)]}", f"{number(off.max())} times"]


def optima():
    t = read("fitting_optima")
    missed = (t.missed_seed_0 + t.missed_seed_1).sum()
    return [
        f"{len(t)} models",
        f"{len(t) * 30 - missed} of {len(t) * 30} fits",
        f"{number(t.worst_miss.max(), 3)} nats",
    ]


def parameters():
    t = read("recovery_parameters").query("people == 240")
    rates = t[t.model.str.startswith("Hybrid") & t.parameter.str.endswith("lr")]
    edged = t[t.model.str.startswith(("Hybrid", "ActorCritic"))]
    return [
        f"r from {span(t[~t.model.str.startswith('Hybrid')].r)}",
        span(rates.r),
        f"{span(100 * edged.coverage, 0)} %",
    ]


def models():
    t = (
        read("recovery_models")
        .query("models == 'eight' and group == 'full' and by == 'participant' and generated == best")
        .set_index("generated")
        .share
        * 100
    )
    hybrid = t.index.str.startswith("Hybrid2012")
    return [f"{span(t[~hybrid], 0)} %", f"Hybrid2012: {t[hybrid].iloc[0]:.0f} %"]


def groups():
    t = (
        read("hierarchy_groups")
        .query("test == 'hierarchical effect' and (effect_in_sd == 0 or parameter == 'beta')")
        .significant
        * 100
    )
    return [f"{span(t, 1)} %"]


def kinds():
    t = read("selection_hbi").query("way == 'HBI'").set_index("people")
    low = pd.Series({p: int(p.split("/")[0]) / 40 - f for p, f in t.frequency_one.items()})
    held = pd.concat([t.covered_one, t.covered_two]) * 100
    return [f"{span(100 * t.attributed, 0)} % of people", f"{span(low)} too low", f"{span(held, 0)} %"]


def single():
    t = read("individuals_mixed").groupby("learners")[["right_terms", "right_terms_alone"]].mean() * 100
    s = read("individuals_spread")
    words = {4: "four"}
    return [
        f"{span(t.right_terms, 0)} %",
        f"alone {span(t.right_terms_alone, 0)} %",
        f"{words[(s.alpha_rmse_true_model_hierarchical < s.alpha_rmse).sum()]} of five",
    ]


def speed():
    t = read("fitting_speed").set_index("what").ratio
    starts = t[t.index.str.startswith("one start") & t.notna()]
    whole = t[t.index.str.contains("tutorial") & t.notna()]
    return [
        f"{number(np.floor(starts.min() / 1000) * 1000, 0)} to {number(np.floor(starts.max() / 1000) * 1000, 0)} times",
        f"as a whole {whole.iloc[0]:.0f} times",
        f"{read('speed').ratio.iloc[0]:.0f} times",
    ]


@pytest.mark.parametrize(
    "question, said",
    {
        "Are the right terms found?": terms,
        "Are their numbers right?": numbers,
        "Does it hold for real people?": people,
        "What if the library lacks something?": lacking,
        "Does each network learn what it is for?": networks,
        "Is the best fit found?": optima,
        "Are parameters recovered?": parameters,
        "Are models told apart?": models,
        "Do groups differ?": groups,
        "Are posteriors calibrated?": lambda: [f"diverged in {read('calibration').diverged.iloc[0]}"],
        "Who follows which model?": kinds,
        "Equations of single people": single,
        "Speed": speed,
    }.items(),
)
def test_the_overview_says_what_was_recorded(question, said):
    for words in said(): assert words in ROWS[question], f"{words!r} is not in\n{ROWS[question]}"


def not_recovered(models, least=.5):
    "What the page of a task says of its models, by the recorded results."
    t, word = read("tasks"), "[benchmark](../benchmarks.ipynb#tasks-are-the-published-models-parameters-found-again)"
    lost = {m: t[(t.model == m) & ~(t.r_hierarchical >= least)] for m in models}
    def r(x): return number(x).replace("-0.", "-.")
    lost = {
        m: ", ".join(f"`{x.parameter}` ({r(x.r_hierarchical)})" for x in rows.itertuples()) for m, rows in lost.items()
    }
    said = f"Of 100 simulated people who are fitted all together ({word}), true and estimated values correlate "
    if not any(lost.values()): said += "by .5 or more for every parameter of these models."
    else:
        said += (f"less than .5 for {'; '.join(f'{x} of `{m}`' for m, x in lost.items() if x)}. Differences between "
                 f"people in ")
        said += "these say little; `parameter_recovery` tells whether a longer design of your own does better."
    left = [f"`{m}`" for m in models if m not in set(t.model)]
    return said + (f" Not measured: {', '.join(left)}." if left else "")


def test_pages_of_tasks_say_what_is_not_recovered():
    models, wrong = task_models(), {}
    modules = [type(task_model(m)).__module__.removeprefix("spice_rl.") for m in models.model]
    for name, nb in NOTEBOOKS.items():
        exported = next((s.split()[-1] for s in cells(nb, "code") if s.startswith("#| default_exp tasks.")), None)
        mine = models.model[[m == exported for m in modules]]
        text = "\n".join(cells(nb, "markdown"))
        if len(mine) and not_recovered(mine) not in text: wrong[name] = not_recovered(mine)
    assert not wrong, "\n".join(f"{name} does not say: {text}" for name, text in wrong.items())


def test_task_models_name_what_is_not_recovered():
    t, shipped = read("tasks"), pd.read_csv(ROOT/"spice_rl/datasets/task_recovery.csv")
    pd.testing.assert_frame_equal(shipped, t[list(shipped)])
    lost = t[~(t.r_hierarchical >= .5)].groupby("model").parameter.agg(", ".join)
    for row in task_models().itertuples():
        known = lost.get(row.model, "") if (t.model == row.model).any() else "not measured"
        assert row.not_recovered == known, row.model


def test_the_page_says_what_stands_beside_stan():
    t = (
        read("beside_stan")
        .set_index(["model", "participant", "parameter", "method"])[["mean", "sd", "mcse"]]
        .unstack("method")
    )
    def beside(one, other):
        apart = (t["mean"][one] - t["mean"][other]).abs()
        inside = apart < 2 * np.hypot(t.mcse[one], t.mcse[other])
        return 100 * inside.groupby("model").mean(), (apart / t.sd[other]).max()
    same, near = beside("NUTS, ours", "Stan, ours"), beside("NUTS, near the published", "Stan, published")
    time = read("beside_stan_time").set_index(["method", "model"])
    cost = (time.cpu / time.least_ess).unstack("model")
    times = (cost.loc["Stan, ours"] / cost.loc["NUTS, ours"]).map(lambda x: number(x, 1))
    said = [
        f"{span(same[0], 0)} % of the means",
        f"more than {number(same[1])} sd",
        f"{span(near[0], 0)} % do",
        f"{number(near[1])} sd for one",
        f"{times.ts_par7} times our CPU in ts_par7",
        f"{times.choiceRT_ddm} times in choiceRT_ddm",
        f"{times.igt_orl} times in igt_orl",
        f"R-hat {time.worst_r_hat['NUTS, ours', 'igt_orl']:.2f}",
        f"up to {number(beside('fit_hierarchical', 'NUTS, ours')[1])} sd",
    ]
    text = next(
        c for c in cells(NOTEBOOKS["nbs/benchmarks.ipynb"], "markdown") if c.startswith("With the same group model")
    )
    for words in said: assert words in text, words
