"""A run of 20 small pieces that tests/test_pieces.py kills and starts again: `python pieces_script.py FOLDER
[seconds a piece takes at least]`."""
import hashlib, sys, time
import numpy as np
import pandas as pd
from spice_rl.core.pieces import run_pieces

FOLDER, PAUSE = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.


def learn(seed, trials):
    "Simulate a Rescorla-Wagner learner and fit its learning rate on a grid."
    time.sleep(PAUSE)
    rng = np.random.default_rng(seed)
    alpha, q, grid = rng.random(), np.zeros(2), np.linspace(.01, .99, 99)
    values, nll = np.zeros((99, 2)), np.zeros(99)
    for _ in range(trials):
        k = int(rng.random() < 1 / (1 + np.exp(3 * (q[0] - q[1]))))
        r = float(rng.random() < (.8, .2)[k])
        nll += np.log1p(np.exp(3 * (values[:, 1 - k] - values[:, k])))
        q[k] += alpha * (r - q[k])
        values[:, k] += grid * (r - values[:, k])
    return pd.DataFrame(dict(alpha=alpha, fitted=grid[nll.argmin()], nll=nll.min()), index=[f"p{seed:02d}"])


if __name__ == "__main__":
    pieces = {f"person {i}": dict(seed=i, trials=100) for i in range(20)}
    print("started", flush=True)
    found = run_pieces(learn, pieces, folder=FOLDER, about=dict(trials=100))
    print(hashlib.sha256(pd.concat(found).to_csv(float_format=float.hex).encode()).hexdigest())
