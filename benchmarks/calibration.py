"""Is the posterior sampled right? Simulation-based calibration, and the golden data set of ../shared beside maximum
likelihood and the hierarchical fit. Run: make bench (needs the extra: pip install "spice-rl[bayes]")

200 simulations of each: a person who goes through the avoidance task as it is (96 learning and 384 transfer trials)
with the parameters of QLearning, uniform within their bounds; a person with the two rates and the inverse temperature
of AgentQ at a drifting bandit (100 trials); and a group of 8 people (two-parameter Q-learning, 40 trials each), sampled
as a hierarchy. Of each, the ranks of the true values among 99 of the draws (2 chains × 500 after 300). Writes
results/calibration_ranks.csv, results/calibration.csv, results/posterior_golden.csv and
results/posterior_golden_group.csv. Names as arguments run these alone (`QLearning`: 375 CPU s); the results kept are
those of `QLearning`.
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import sys, time
from pathlib import Path
import pandas as pd
from spice_rl import AgentQ, AvoidanceTask, BanditsDrift, RescorlaWagner, avoidance_model, fit, fit_hierarchical
from spice_rl import read_trials, sample_posterior, simulation_based_calibration

RESULTS = Path(__file__).parent / 'results'
GOLDEN = Path(__file__).parents[2] / 'shared' / 'golden' / 'q2_50x200.csv'
HELD = dict(
    alpha_counterfactual_reward=0.,
    alpha_counterfactual_penalty=0.,
    beta_choice=0.,
    alpha_choice=1.,
    forget_rate=0.,
)


RUNS = {
    'QLearning': lambda: simulation_based_calibration(avoidance_model('QLearning'), AvoidanceTask()),
    'AgentQ': lambda: simulation_based_calibration(AgentQ(), BanditsDrift(.2), hold=HELD, n_trials=100),
    'group of 8': lambda: simulation_based_calibration(RescorlaWagner(), BanditsDrift(.2), people=8, n_trials=40),
}


def calibration(names):
    "Ranks, and what the tests say of them."
    for name in names:
        start = time.process_time()
        found = RUNS[name]()
        t = found.table().assign(
            model=name,
            simulations=len(found.ranks),
            diverged=(found.runs.divergences > 0).sum(),
            least_ess=found.runs.ess.min(),
            cpu_s=time.process_time() - start,
        )
        print(found, flush=True)
        yield (
            found.ranks.reset_index().melt('simulation', var_name='quantity', value_name='rank').assign(model=name),
            t.rename_axis('quantity').reset_index(),
        )


def golden():
    "Each parameter of each person by three methods, and the true value."
    trials = read_trials(GOLDEN, participant='participant', choice='choice', reward='reward')
    truth = pd.read_csv(GOLDEN.with_name('q2_50x200_truth.csv'), index_col=0)
    rows, everybody = [], []
    ml, together = fit(RescorlaWagner(), trials, threads=1), fit_hierarchical(RescorlaWagner(), trials, threads=1)
    for what, hierarchical in (('alone', False), ('together', True)):
        start = time.process_time()
        found = sample_posterior(RescorlaWagner(), trials, hierarchical=hierarchical)
        print(f"{what}: {time.process_time() - start:.0f} CPU s; {found.attrs['notes']}", flush=True)
        theta, f = found.posterior.theta, (together if hierarchical else ml).table
        for q in RescorlaWagner.params:
            draws = theta.sel(parameter=q)
            rows += [
                pd.DataFrame(
                    dict(
                        people=what,
                        parameter=q,
                        participant=truth.index,
                        true=truth[q].to_numpy(),
                        fit=f[q].to_numpy(),
                        se=f[f'se_{q}'].to_numpy(),
                        mean=draws.mean(('chain', 'draw')).to_numpy(),
                        sd=draws.std(('chain', 'draw')).to_numpy(),
                    )
                )
            ]
        everybody += [dict(people=what, cpu_s=time.process_time() - start, notes=found.attrs['notes'])]
        if hierarchical:
            for q in RescorlaWagner.params:
                d = found.posterior.sel(parameter=q, group='everybody')
                everybody += [
                    dict(people='group', parameter=q, number=n, fit=x, se=se, mean=float(y.mean()), sd=float(y.std()))
                    for n, x, se, y in (
                        ('mean', *together.means.loc[(q, 'everybody'), ['mean', 'se']], d['mean']),
                        ('variance', *together.variances.loc[q, ['variance', 'se']], d['sd'] ** 2),
                    )
                ]
    return pd.concat(rows), pd.DataFrame(everybody)


def main():
    RESULTS.mkdir(exist_ok=True)
    names = sys.argv[1:] or [*RUNS, 'golden']
    found = list(calibration([n for n in names if n != 'golden']))
    if found:
        pd.concat([ranks for ranks, _ in found])[['model', 'quantity', 'simulation', 'rank']].to_csv(
            RESULTS / 'calibration_ranks.csv', index=False
        )
        pd.concat([table for _, table in found]).to_csv(RESULTS / 'calibration.csv', index=False, float_format='%.4g')
    if 'golden' not in names or not GOLDEN.exists(): return print('no comparison with the golden data set')
    people, group = golden()
    people.to_csv(RESULTS / 'posterior_golden.csv', index=False, float_format='%.4g')
    group.to_csv(RESULTS / 'posterior_golden_group.csv', index=False, float_format='%.4g')
    print(group.to_string())


if __name__ == '__main__': main()
