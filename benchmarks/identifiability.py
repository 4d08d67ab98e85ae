"""Identifiability: do standard errors and correlations by the expected information say how the estimates of simulated
people scatter?

`python benchmarks/identifiability.py` writes results/identifiability_models.csv (some 2 minutes). Everybody has the
model's usual parameters, temperature .15, on the task as it is published."""
import time
from pathlib import Path
import pandas as pd
from spice_rl import AvoidanceTask, avoidance_model, avoidance_models, identify

RESULTS = Path(__file__).parent / 'results'


def main():
    rows = []
    for name in avoidance_models():
        people, start = 40 if 'Hybrid' in name else 200, time.process_time()   # a hybrid takes seconds a person
        found = identify(
            avoidance_model(name), AvoidanceTask(), at=dict(temperature=.15), people=people, starts=1, threads=1
        )
        e, t = found.errors(), found.tradeoffs()
        miss = (t.correlation - t.simulated).abs()
        rows.append(
            dict(
                model=name,
                people=people,
                scatter_least=e.scatter.min(),
                scatter_most=e.scatter.max(),
                scatters_most=e.scatter.idxmax(),
                strongest=f'{t["first"][0]}, {t["second"][0]}',
                correlation=t.correlation[0],
                simulated=t.simulated[0],
                median_miss=miss.median(),
                largest_miss=miss.max(),
                open=', '.join(e.index[e.of_range > 12**-.5]),
                at_bound=e.at_bound.max() / people,
                two_solutions=found.rivals.participant.nunique() / people,
                cpu_s=time.process_time() - start,
            )
        )
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / 'identifiability_models.csv', index=False, float_format='%.4g')


if __name__ == '__main__': main()
