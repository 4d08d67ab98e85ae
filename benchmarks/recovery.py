"""Recovery: how well are parameters and models recovered, how long does it take, and do intervals hold what they
promise?

`python benchmarks/recovery.py [parameters|models|coverage|time]` writes results/recovery_*.csv; without a word it
does all. CPU seconds, one thread where nothing else is said."""
import contextlib
import sys
import tempfile
import time
from pathlib import Path
import joblib
import pandas as pd
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, Pipeline, avoidance_model, avoidance_models, fixed_priors
from spice_rl import model_recovery, parameter_recovery, read_avoidance

SHARED, RESULTS = Path(__file__).resolve().parents[2] / 'shared/data', Path(__file__).parent / 'results'
FILES = SHARED / 'tutorial_learning_data.csv', SHARED / 'tutorial_transfer_data.csv'
SEED_MODELS = ['QLearning+novel', 'ActorCritic+novel', 'Advantage+novel']
# r between true and fitted when the optimum is found, on the reference's own 239 data sets (shared/SPEC_RL.md)
OPTIMUM = {'QLearning+novel': dict(factual_lr=.97, counterfactual_lr=.97, temperature=.77, novel_value=.99),
           'ActorCritic+novel':
               dict(factual_actor_lr=.95, counterfactual_actor_lr=.88, critic_lr=.78, temperature=.79, novel_value=.98),
           'Relative+novel':
               dict(factual_lr=.98, counterfactual_lr=.97, contextual_lr=.86, temperature=.83, novel_value=.99),
           'Advantage+novel':
               dict(factual_lr=.94, counterfactual_lr=.92, temperature=.82, weighting_factor=.98, novel_value=.99),
           'Hybrid2012+novel':
               dict(
                   factual_lr=.58,
                   counterfactual_lr=.58,
                   factual_actor_lr=.64,
                   counterfactual_actor_lr=.55,
                   critic_lr=.40,
                   temperature=.78,
                   mixing_factor=.95,
                   novel_value=.98,
               )}


def cells(names): return {n: avoidance_model(n) for n in names}


def narrow(names): return {n.split('+')[0]: {'temperature': (.01, .2)} for n in names}


def save(frame, name):
    frame.to_csv(RESULTS / f'recovery_{name}.csv', index=False, float_format='%.4g')
    print(frame.to_string(), flush=True)


def identified(r):
    """What the expected information says of each model: the sloppiest direction, how wide the choices leave it open,
    and how certain its least certain parameter is, all in standard deviations of the true values."""
    rows = []
    for model, d in r.directions().iterrows():
        t = r.table[r.table.model == model].groupby('parameter', sort=False)
        certain = (t.se.median() / t.true.std()).sort_values()
        pair = r.tradeoffs().query('model == @model').iloc[0]
        rows.append(
            dict(
                model=model,
                sloppiest_direction=d.direction,
                left_open_by_sd=d.width,
                least_certain=certain.index[-1],
                its_median_se_in_sd=certain.iloc[-1],
                strongest_pair=f'{pair["first"]}, {pair["second"]}',
                correlation=pair.correlation,
            )
        )
    return pd.DataFrame(rows)


def parameters(trials):
    """The seed's settings (15 people's sequences, temperature in (.01, .20), uniform draws), and 240 people on the
    same sequences."""
    rows, pairs = [], []
    for people in (15, 240):
        start = time.process_time()
        r = parameter_recovery(cells(OPTIMUM), trials, people=people, bounds=narrow(OPTIMUM), seed=1251, threads=1)
        s = r.summary().reset_index().assign(people=people)
        s['reference_optimum_239'] = [OPTIMUM[m][p] for m, p in zip(s.model, s.parameter)]
        rows.append(s)
        pairs.append(identified(r).assign(people=people))
        print(people, 'people', time.process_time() - start, 's', *r.notes(), sep='\n', flush=True)
    save(pd.concat(rows), 'parameters')
    save(pd.concat(pairs), 'identifiability')


def models(trials):
    "Model recovery: the seed's three models with default starts, all eight with fewer."
    rows = []
    for name, some, starts in (('seed', SEED_MODELS, 10), ('eight', [f'{m}+novel' for m in avoidance_models()], 1)):
        start = time.process_time()
        r = model_recovery(cells(some), trials, bounds=narrow(some), seed=1251, starts=starts, threads=1)
        cpu = time.process_time() - start
        for by, group in (
            ('participant', None),
            ('dataset', None),
            *(('participant', g) for g in r.table.group.unique()),
        ):
            c = r.confusion(by, group)
            rows += [
                dict(models=name, by=by, group=group or 'full', generated=g, best=b, share=c.loc[g, b], cpu_s=cpu)
                for g in c.index
                for b in c.columns
            ]
        print(name, cpu, r, flush=True)
    save(pd.DataFrame(rows), 'models')


def coverage():
    "95 % intervals of a thousand people, off the bounds."
    rows = []
    agent = dict(
        hold={p: x for p, x in AgentQ().values.items() if p not in ('alpha_reward', 'alpha_penalty', 'beta_reward')}
    )
    for label, cell, task, options in (
        (
            'QLearning',
            avoidance_model('QLearning'),
            AvoidanceTask(n_learning=96),
            dict(bounds=dict(temperature=(.05, .5))),
        ),
        ('AgentQ', AgentQ(), BanditsDrift(sigma=.2), agent | dict(n_trials=2000, bounds=dict(beta_reward=(2, 8)))),
        (
            'AgentQ, half the trials',
            AgentQ(),
            BanditsDrift(sigma=.2),
            agent | dict(n_trials=1000, bounds=dict(beta_reward=(2, 8))),
        ),
        (
            'AgentQ, some choosing almost at random',
            AgentQ(),
            BanditsDrift(sigma=.2),
            agent | dict(n_trials=1000, bounds=dict(beta_reward=(.5, 8))),
        ),
    ):
        start = time.process_time()
        r = parameter_recovery(cell, task, people=1000, seed=5, threads=1, **options)
        rows.append(r.summary().reset_index().assign(model=label, cpu_s=time.process_time() - start))
    save(pd.concat(rows), 'coverage')


def recover(trials, names, people, backend=None, threads=1):
    "CPU and wall seconds of a model recovery."
    cpu, wall = time.process_time(), time.perf_counter()
    with backend or contextlib.nullcontext():
        model_recovery(cells(names), trials, people=people, bounds=narrow(names), seed=1, threads=threads, starts=1)
    return time.process_time() - cpu, time.perf_counter() - wall


def timing(trials):
    "The seed's two runs; growth with people and models."
    rows = []
    about = dict(
        mode='validation',
        learning_filename=FILES[0],
        transfer_filename=FILES[1],
        models=SEED_MODELS,
        random_params='random',
        fixed=fixed_priors(SEED_MODELS),
        bounds=narrow(SEED_MODELS),
        output_dir=tempfile.mkdtemp(),
    )
    for what, reference, options in (('parameter', 117., {}), ('model', 291., dict(generate_data=False))):
        cpu = time.process_time()
        Pipeline(seed=1251).run(recovery=what, **about, **options)
        cpu = time.process_time() - cpu
        rows.append(
            dict(
                what=f"the seed's {what} recovery, default starts, all files and figures",
                models=3,
                people=15,
                cpu_s=cpu,
                reference_s=reference,
                ratio=reference / cpu,
            )
        )
    for names in (SEED_MODELS, [f'{m}+novel' for m in avoidance_models()]):
        for people in (15, 60, 240, 1000):
            if len(names) == 8 and people > 15: continue   # minutes for 15 people: the rest is in proportion
            cpu, wall = recover(trials, names, people)
            rows.append(dict(what='model recovery, starts=1', models=len(names), people=people, cpu_s=cpu, wall_s=wall))
            print(rows[-1], flush=True)
    save(pd.DataFrame(rows), 'time')


def spread(trials):
    "How a model recovery divides over threads and workers, in wall seconds: for a machine that does nothing else."
    rows = []
    for threads in (1, 2):
        rows.append(
            dict(
                how=f'{threads} thread{"s" * (threads > 1)}',
                models=3,
                people=120,
                wall_s=recover(trials, SEED_MODELS, 120, threads=threads)[1],
            )
        )
    from dask.distributed import Client, LocalCluster
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        recover(trials, SEED_MODELS, 15, joblib.parallel_config(backend='dask'))   # workers import and compile
        rows.append(
            dict(
                how='2 Dask workers',
                models=3,
                people=120,
                wall_s=recover(trials, SEED_MODELS, 120, joblib.parallel_config(backend='dask'))[1],
            )
        )
    save(pd.DataFrame(rows), 'spread')


if __name__ == '__main__':
    asked = sys.argv[1:] or ['coverage', 'parameters', 'models', 'time', 'spread']
    if 'coverage' in asked: coverage()
    # status 0: other scripts go on
    if set(asked) - {'coverage'} and not FILES[0].is_file():
        sys.exit(print(f"{FILES[0]} is not here: the rest is left out"))
    if 'parameters' in asked: parameters(read_avoidance(*FILES))
    if 'models' in asked: models(read_avoidance(*FILES))
    if 'time' in asked: timing(read_avoidance(*FILES))
    if 'spread' in asked: spread(read_avoidance(*FILES))
