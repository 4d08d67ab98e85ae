"""Is what `discover` finds true of people who differ? Run: python benchmarks/discover.py [studies] [power] [learners]
[people] [alike] [time] [scale] [kinds]

- studies: 40 studies of 25 people × 120 trials who learn by Rescorla-Wagner at rates of their own and do nothing else
  (the first twenty are those of the fault report): mechanisms that nobody has,
  and whether intervals of the group's means hold them -> results/discover_studies.csv, discover_intervals.csv
- power: 40 studies of the same people with one mechanism more (forgetting, a choice kernel, perseveration, two rates, a
  stay trace): is it found? -> results/discover_power.csv
- learners: the six learners of benchmarks/equations.py, one participant with 100 sessions (20 seeds): exact structure,
  errors beside Cramér-Rao bounds, intervals -> results/discover_learners.csv, discover_numbers.csv
- people, alike: 101 real people (Dezfouli et al., 2019), fitted on seven blocks and judged on blocks 2 and 8; everybody
  with numbers of their own, or one set for all -> results/discover_people_differ.csv, discover_people_alike.csv,
  discover_steps_differ.csv, discover_steps_alike.csv
- time: CPU seconds, on these people's nine blocks and on a file of tutorial size -> results/discover_time.csv
- scale: CPU seconds and peak memory with 175, 350 and 700 simulated people × 457 trials, each in a process of its own
  -> results/discover_scale.csv
- kinds: 40 people of two kinds (half forget; half repeat; half forget and the others repeat), or of one with numbers
  that are spread: are they found as such? 10 data sets each -> results/discover_kinds.csv
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
import numpy as np
import pandas as pd

from spice_rl import AgentQ, BanditsDrift, RescorlaWagner, TraceEquation, TraceStructure, discover, read_trials
from spice_rl import simulate
from spice_rl.core.params import to_line
from spice_rl.discovery.trace_search import _TraceLine
from spice_rl.discovery.pulls import _Data

RESULTS = Path(__file__).parent / 'results'
DATA = Path(__file__).parents[2] / 'shared' / 'data' / 'dezfouli2019_train.csv.gz'
PLAIN = TraceStructure(('value',))
HABIT, LAST = ('choice',), ('last',)
# one mechanism more: terms, form of the value, and people's numbers
MORE = {
    'forgetting': ((), dict(others='forgotten'), dict(forget=lambda rng, n: rng.beta(6, 14, n))),
    'choice kernel':
        (
            (HABIT,),
            {},
            dict(alpha_choice=lambda rng, n: rng.beta(5, 5, n), beta_choice=lambda rng, n: rng.normal(1, .3, n)),
        ),
    'perseveration': ((LAST,), {}, dict(kappa=lambda rng, n: rng.normal(1, .3, n))),
    'two rates':
        (
            (),
            dict(rates='two'),
            dict(alpha_reward=lambda rng, n: rng.beta(6, 4, n), alpha_penalty=lambda rng, n: rng.beta(3, 12, n)),
        ),
    'stay trace':
        (
            (('last', 'stay'),),
            {},
            dict(alpha_stay=lambda rng, n: rng.beta(2, 8, n), kappa_stay=lambda rng, n: rng.normal(1.5, .5, n)),
        ),
}


def save(frame, name):
    frame.to_csv(RESULTS / f'discover_{name}.csv', index=False, float_format='%.5g')
    print(frame.to_string(), flush=True)


def group(seed, people=25):
    "Rates and temperatures of a study's people."
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame(dict(alpha=rng.beta(4, 6, people), beta=rng.uniform(2, 5, people)))


def study(seed, mechanism=None, people=25, n_trials=120):
    "The choices of a study, and the structure behind them."
    rng, truth = group(seed, people)
    play = dict(people=people, n_trials=n_trials, seed=seed)
    if mechanism is None: return simulate(RescorlaWagner(), BanditsDrift(sigma=.2), truth, **play), PLAIN
    terms, form, draws = MORE[mechanism]
    truth = truth.assign(**{name: draw(rng, people) for name, draw in draws.items()})
    cell = TraceEquation(TraceStructure((('value',), *terms), **form))
    return simulate(cell, BanditsDrift(sigma=.2), truth[list(cell.params)], **play), cell.structure


def has(structure, mechanism):
    "Is a mechanism in a structure?"
    alone = {HABIT, LAST, ('choice_2',)} & set(structure.terms)
    return {
        'forgetting': structure.others in ('forgotten', 'together'),
        'choice kernel': bool(alone),
        'perseveration': bool(alone),
        'two rates': structure.rates == 'two',
        'stay trace': 'stay' in structure.signals,
    }[mechanism]


def said(structure):
    return (
        ', '.join(' × '.join(t) for t in structure.terms)
        + f"; {structure.rates}, {structure.others}, {structure.start}"
    )


def studies():
    "Plain learners who differ."
    rng, rows, held = np.random.default_rng(0), [], []
    cell = TraceEquation(PLAIN)
    means = {
        name: to_line(x[:, None], [cell.params[name]]).mean()
        for name, x in (('alpha', rng.beta(4, 6, 10**6)), ('beta', rng.uniform(2, 5, 10**6)))
    }
    for seed in range(40):
        trials, truth = study(seed)
        began = time.process_time()
        found = discover(trials, threads=1, verbose=False)
        rows.append(
            dict(
                seed=seed,
                right=found.structure == truth,
                found=said(found.structure),
                integrated_bic=found.integrated_bic,
                cpu_s=time.process_time() - began,
            )
        )
        for name, mean in means.items() if found.structure == truth else ():
            g = found.fit.means.droplevel('group').loc[name]
            sample = to_line(group(seed)[1][[name]].to_numpy(), [cell.params[name]]).mean()
            held.append(
                dict(
                    seed=seed,
                    parameter=name,
                    true=mean,
                    of_these_people=sample,
                    mean=g['mean'],
                    lower=g.lower,
                    upper=g.upper,
                    holds=g.lower <= mean <= g.upper,
                )
            )
        print(rows[-1], flush=True)
    save(pd.DataFrame(rows), 'studies')
    save(pd.DataFrame(held), 'intervals')
    print(
        f"right in {sum(r['right'] for r in rows)} of {len(rows)}",
        pd.DataFrame(held).groupby('parameter').holds.mean().to_dict(),
    )


def power():
    "One mechanism more."
    rows = []
    for mechanism in MORE:
        for seed in range(40):
            trials, truth = study(seed, mechanism)
            began = time.process_time()
            found = discover(trials, threads=1, verbose=False)
            rows.append(
                dict(
                    mechanism=mechanism,
                    seed=seed,
                    found=has(found.structure, mechanism),
                    exact=found.structure == truth,
                    structure=said(found.structure),
                    cpu_s=time.process_time() - began,
                )
            )
        mine = [r for r in rows if r['mechanism'] == mechanism]
        print(
            mechanism,
            sum(r['found'] for r in mine),
            sum(r['exact'] for r in mine),
            [r['structure'] for r in mine if not r['found']],
            flush=True,
        )
    frame = pd.DataFrame(rows)
    save(frame, 'power')
    print(frame.groupby('mechanism')[['found', 'exact']].sum())


LEARNERS = {
    'alpha .1': (dict(alpha_reward=.1), PLAIN, dict(alpha=.1, beta=3.)),
    'alpha .3': (dict(alpha_reward=.3), PLAIN, dict(alpha=.3, beta=3.)),
    'alpha .6': (dict(alpha_reward=.6), PLAIN, dict(alpha=.6, beta=3.)),
    'alpha+ .6, alpha- .2':
        (
            dict(alpha_reward=.6, alpha_penalty=.2),
            TraceStructure(('value',), rates='two'),
            dict(alpha_reward=.6, alpha_penalty=.2, beta=3.),
        ),
    'alpha .3, forgetting .2':
        (
            dict(alpha_reward=.3, forget_rate=.2),
            TraceStructure(('value',), others='forgotten'),
            dict(alpha=.3, forget=.2, beta=3.),
        ),
    'alpha .3, perseveration':
        (
            dict(alpha_reward=.3, beta_choice=1., alpha_choice=.5),
            TraceStructure(('value', HABIT)),
            dict(alpha_choice=.5, alpha=.3, beta=3., beta_choice=1.),
        ),
}


def bounds_of(structure, true, trials):
    "Cramér-Rao bounds on the line: from the expected information at the truth."
    cell = TraceEquation(structure, true)
    line = _TraceLine(cell, trials, _Data(trials, .5), 1)
    z = to_line(np.array([list(true.values())]), line.params)
    return dict(zip(true, zip(z[0], np.sqrt(np.diag(np.linalg.inv(line.scoring(z, np.arange(1))[2][0]))))))


def learners():
    "Six learners, one at a time."
    rows, numbers = [], []
    for learner, (options, truth, true) in LEARNERS.items():
        for seed in range(20):
            trials = simulate(AgentQ(**options), BanditsDrift(sigma=.2), sessions=100, n_trials=100, seed=seed)
            began = time.process_time()
            found = discover(trials, threads=1, verbose=False)
            rows.append(
                dict(
                    learner=learner,
                    seed=seed,
                    exact=found.structure == truth,
                    structure=said(found.structure),
                    cpu_s=time.process_time() - began,
                )
            )
            for name, (at, bound) in bounds_of(truth, true, trials).items() if found.structure == truth else ():
                g = found.group.loc[name]
                numbers.append(
                    dict(
                        learner=learner,
                        seed=seed,
                        number=name,
                        true=true[name],
                        estimate=g.typical,
                        error_in_bounds=(g['mean'] - at) / bound,
                        holds=g.typical_lower <= true[name] <= g.typical_upper,
                    )
                )
        mine = [r for r in rows if r['learner'] == learner]
        print(learner, sum(r['exact'] for r in mine), [r['structure'] for r in mine if not r['exact']], flush=True)
    numbers = pd.DataFrame(numbers)
    save(pd.DataFrame(rows), 'learners')
    save(numbers, 'numbers')
    print(
        numbers.groupby('learner').error_in_bounds.agg(lambda e: np.sqrt((e**2).mean())),
        numbers.groupby('learner').holds.mean(),
    )


def blocks():
    "The real people: seven blocks to fit, two to judge by, and all nine; None where they are not here."
    if not DATA.exists(): return print(f"{DATA} is not here: this part needs the file of the 101 people")
    table = pd.read_csv(DATA)
    read = lambda rows: read_trials(rows, participant='participant', choice='choice', reward='reward', block='block')
    return read(table[~table.block.isin([2, 8])]), read(table[table.block.isin([2, 8])]), read(table)


def real(kind):
    "One search on the real people."
    if (data := blocks()) is None: return
    learn, judge, _ = data
    began = time.process_time()
    found = discover(learn, people=kind, threads=1, verbose=False)
    row = dict(
        people=kind,
        judged=found.score(judge),
        fitted=found.score(learn),
        parameters=len(found.group),
        integrated_bic=found.integrated_bic,
        cpu_s=time.process_time() - began,
        structure=said(found.structure),
    )
    print(found, found.steps.to_string(), sep='\n')
    save(pd.DataFrame([row]), f'people_{kind}')
    save(found.steps, f'steps_{kind}')


def people(): real('differ')


def alike(): real('alike')


def timing():
    "CPU seconds, second call (compiled)."
    small, rows = study(0)[0], []
    discover(small, threads=1, verbose=False)
    sets = {'25 people × 120 choices': small, '60 people × 200 choices': study(1, 'forgetting', 60, 200)[0]}
    if (data := blocks()) is not None: sets['101 people, nine blocks'] = data[2]
    for name, trials in sets.items():
        began = time.process_time()
        found = discover(trials, threads=1, verbose=False)
        rows.append(
            dict(trials=name, choices=found.choices, parameters=len(found.group), cpu_s=time.process_time() - began)
        )
        print(rows[-1], flush=True)
    save(pd.DataFrame(rows), 'time')


def many(people, n_trials=457):
    """People with the nine numbers that real people ask for (value, habit, last choice, stay trace, reward), and the
    structure behind them."""
    rng = np.random.default_rng(0)
    cell = TraceEquation(
        TraceStructure((('value',), HABIT, LAST, ('last', 'stay'), ('last', 'reward'), ('last', 'stay', 'reward')))
    )
    draws = dict(
        alpha=rng.beta(2, 8, people),
        alpha_stay=rng.beta(2, 8, people),
        alpha_choice=rng.beta(2, 6, people),
        beta=rng.gamma(8, .25, people),
        beta_choice=rng.normal(-1, .5, people),
        kappa=rng.normal(1, .7, people),
        kappa_stay=rng.normal(2, .7, people),
        kappa_reward=rng.normal(-.5, .4, people),
        kappa_stay_reward=rng.normal(-1, .4, people),
    )
    truth = pd.DataFrame(draws)[list(cell.params)]
    return simulate(cell, BanditsDrift(sigma=.2), truth, people=people, n_trials=n_trials, seed=0), cell.structure


def scale_of(people):
    "Of one size: run in a process of its own, whose peak memory is then that of this search."
    trials, truth = many(people)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = discover(trials, threads=1, verbose=False)
    cpu, peak = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(
        people=people,
        choices=found.choices,
        parameters=len(found.group),
        right=found.structure == truth,
        cpu_s=cpu,
        before_mb=before / 1024,
        peak_mb=peak / 1024,
    )


def scale():
    "Time and memory as people become more."
    rows = []
    for people in (175, 350, 700):
        with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as alone:
            rows.append(alone.submit(scale_of, people).result())
        print(rows[-1], flush=True)
    save(pd.DataFrame(rows), 'scale')


def halves(what, seed, people=40, n_trials=300):
    "Choices of people of one kind or two, and who is of the first."
    rng, first = np.random.default_rng(seed), np.arange(people) < people // 2
    forget, kappa = rng.beta(8, 12, people), rng.normal(1, .3, people)
    spread = dict(forget=rng.beta(2, 6, people), kappa=rng.normal(.7, .7, people))
    numbers = {
        'half forget': dict(forget=np.where(first, forget, 0)),
        'half repeat': dict(kappa=np.where(first, kappa, 0)),
        'half forget, half repeat': dict(forget=np.where(first, forget, 0), kappa=np.where(first, 0, kappa)),
        'all forget, spread': dict(forget=spread['forget']),
        'all repeat, spread': dict(kappa=spread['kappa']),
        'all both, spread': spread,
    }[what]
    cell = TraceEquation(
        TraceStructure(
            (('value',), LAST) if 'kappa' in numbers else (('value',),),
            others='forgotten' if 'forget' in numbers else 'kept',
        )
    )
    truth = pd.DataFrame(dict(alpha=rng.beta(4, 6, people), beta=rng.uniform(2, 5, people)) | numbers)
    return simulate(
        cell, BanditsDrift(sigma=.2), truth[list(cell.params)], people=people, n_trials=n_trials, seed=seed
    ), first


def kinds():
    "People of one kind and of two."
    rows = []
    for what in (
        'half forget',
        'half repeat',
        'half forget, half repeat',
        'all forget, spread',
        'all repeat, spread',
        'all both, spread',
    ):
        for n_trials in (150, 300):
            for seed in range(10):
                trials, first = halves(what, seed, n_trials=n_trials)
                began = time.process_time()
                found = discover(trials, threads=1, verbose=False)
                n = 1 if found.kind_groups is None else len(found.kind_groups)
                match = (found.kinds.kind == 'kind 1').to_numpy() == first
                rows.append(
                    dict(
                        people=what,
                        n_trials=n_trials,
                        seed=seed,
                        kinds=n,
                        asked=2 if 'half' in what else 1,
                        right_people=max(match.sum(), (~match).sum()) if n == 2 else np.nan,
                        names='; '.join(found.kinds.name.unique()),
                        cpu_s=time.process_time() - began,
                    )
                )
            mine = rows[-10:]
            print(what, n_trials, [r['kinds'] for r in mine], flush=True)
    save(pd.DataFrame(rows), 'kinds')


if __name__ == '__main__':
    parts = dict(
        studies=studies,
        power=power,
        learners=learners,
        people=people,
        alike=alike,
        time=timing,
        scale=scale,
        kinds=kinds,
    )
    for part in sys.argv[1:] or parts: parts[part]()
