"""A Stan program of hBayesDM 1.0 run by PyStan 3. Called by benchmarks/beside_stan.py in the Python that has both:
python stan_program.py ts_par7 work.json draws.npz

`work.json` holds the data, what to replace in the program ('replace': text -> text), how to sample ('sample'), first
values ('init'), and which quantities to keep ('keep'). `draws.npz` gets those, (chain, draw, …), and seconds: `build`,
wall and CPU of the compiler (NaN where PyStan had compiled the program before); `wall` and `cpu` of sampling, with all
processes that it started. Stan has since changed how arrays are declared, so the text of the program is changed where
it must be (`current`), and no further.
"""
import json
import os
import re
import resource
import sys
import time
from importlib.util import find_spec
from pathlib import Path
import numpy as np


def current(program):
    "The program with today's arrays and remainders, and without the file of its licence."
    program = re.sub(r'#include .*', '', program)
    arrays = r'^(\s*)((?:int|real)(?:<[^>]*>)?)\s+(\w+)\s*\[([^\]]+)\];'
    program = re.sub(arrays, r'\1array[\4] \2 \3;', program, flags=re.M)
    return re.sub(r'modulus\(([^,()]+\[[^\]]*\]), 2\)', r'(\1 % 2)', program)


def replaced(program, changes):
    "The program with each text in place of another, which must be there."
    for old, new in changes.items():
        if old not in program: raise ValueError(f"the program has no {old!r} to replace")
        program = program.replace(old, new)
    return program


def cpu():
    "CPU seconds of this process and all that it started, whether they have ended or not."
    tick, ended = os.sysconf('SC_CLK_TCK'), resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = [f.read_text().rsplit(')', 1)[1].split() for f in Path('/proc').glob('[0-9]*/stat') if f.exists()]
    children = [x for x in alive if int(x[1]) == os.getpid()]
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(int(x[11]) + int(x[12]) for x in children) / tick


def main(name, work, out):
    import stan
    work = json.loads(Path(work).read_text())
    file = Path(find_spec('hbayesdm').origin).parent / 'common' / 'stan_files' / f'{name}.stan'
    wall, start = time.perf_counter(), cpu()
    model = stan.build(replaced(current(file.read_text()), work['replace']), data=work['data'], random_seed=1)
    build = [time.perf_counter() - wall, cpu() - start]
    if build[1] < 1: build = [np.nan, np.nan]   # it was compiled before
    wall, start = time.perf_counter(), cpu()
    found = model.sample(**work['sample'], **({'init': work['init']} if work['init'] else {}))
    seconds, chains = dict(wall=time.perf_counter() - wall, cpu=cpu() - start), work['sample']['num_chains']
    draws = {key: found[key].reshape(*found[key].shape[:-1], -1, chains) for key in work['keep']}
    np.savez(out, build=build, **seconds, **{key: np.moveaxis(x, [-1, -2], [0, 1]) for key, x in draws.items()})


if __name__ == '__main__': main(*sys.argv[1:])
