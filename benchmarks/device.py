"""Does a graphics card train the networks faster? Seconds and fit of `SpiceEstimator` on the processor and on CUDA, in
one run.

Writes results/device.csv. Run: python benchmarks/device.py (needs a card that torch can use; says so where there is
none).
"""
import os
os.environ.setdefault('OMP_NUM_THREADS', '1')
import time
from pathlib import Path

import pandas as pd
import torch

from spice_rl import BanditsDrift, RescorlaWagner, SpiceEstimator, simulate

RESULTS = Path(__file__).parent / 'results'


def trained(device, data):
    "Wall and CPU seconds of 200 epochs of network and regression, and the likelihood of the two."
    wall, cpu = time.time(), time.process_time()
    estimator = SpiceEstimator(device=device, refine=False, epochs=200, starts=2, seed=0, wide=False).fit(
        data.xs, data.ys
    )
    if device == 'cuda': torch.cuda.synchronize()
    wall, cpu = time.time() - wall, time.process_time() - cpu
    nll = estimator.summary().nll_per_choice
    return dict(
        device=device, wall_seconds=wall, cpu_seconds=cpu, network=nll['network'], equation=nll['equation (regression)']
    )


def main():
    if not torch.cuda.is_available(): raise SystemExit('no graphics card that torch can use is here: nothing was run')
    torch.set_num_threads(1)
    rows = []
    for people, n_trials in ((100, 100), (700, 140)):
        data = simulate(
            RescorlaWagner(alpha=.3, beta=3.), BanditsDrift(sigma=.2), people=people, n_trials=n_trials, seed=1
        ).to_dataset()
        trained('cuda', data)  # the first run loads and compiles
        rows += [
            dict(choices=people * n_trials, card=torch.cuda.get_device_name(0), torch=torch.__version__)
            | trained(device, data)
            for device in ('cpu', 'cuda')
        ]
    table = pd.DataFrame(rows).round(5)
    table.to_csv(RESULTS / 'device.csv', index=False)
    print(table.to_string(index=False))


if __name__ == '__main__': main()
