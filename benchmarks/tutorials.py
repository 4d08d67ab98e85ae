"""What a tutorial costs a reader: CPU seconds on one core, in a fresh process that has compiled nothing yet. Writes
results/tutorials.csv.

python benchmarks/tutorials.py            all of them
python benchmarks/tutorials.py 14 15      these; the others stay as they are"""
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'benchmarks/results/tutorials.csv'
RUN = ("import sys; sys.path.insert(0, '.ci'); from pathlib import Path; import notebooks; "
       "sys.exit(notebooks.check_one(Path(sys.argv[1]).resolve(), slow=True) and 1)")


def cost(path):
    "CPU and wall seconds of a notebook."
    settings = dict(line.split('=') for line in (ROOT / '.ci/env').read_text().split())
    with tempfile.TemporaryDirectory() as empty:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, '-c', RUN, path],
            cwd=ROOT,
            check=True,
            env=os.environ | settings | dict(NUMBA_CACHE_DIR=empty, PYTHONPATH=str(ROOT)),
            preexec_fn=lambda: os.sched_setaffinity(0, [max(os.sched_getaffinity(0))]),
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return dict(
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s=time.perf_counter() - start
    )


def main(numbers):
    paths = sorted((ROOT / 'nbs/tutorials').glob('[0-9]*.ipynb'))
    known = pd.read_csv(RESULTS).set_index('tutorial').to_dict('index') if RESULTS.is_file() else {}
    for path in paths:
        if not numbers or path.name.split('_')[0].lstrip('0') in {n.lstrip('0') for n in numbers}:
            known[path.stem] = cost(path)
    table = pd.DataFrame.from_dict(
        {p.stem: known[p.stem] for p in paths if p.stem in known}, orient='index'
    ).rename_axis('tutorial')
    table.round(1).to_csv(RESULTS)
    print(table.round(1).to_string())


if __name__ == '__main__': main(sys.argv[1:])
