"Tables that a stranger brings: each odd one is read rightly or refused with its reason; random ones come back whatever way they are written"
import io, re, warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from spice_rl.data import Trials, read_trials
from test_project import load

ROOT = Path(__file__).resolve().parents[1]
TABLES = load(ROOT/'benchmarks/odd_tables.py')


# Odd tables, as programs write them

@pytest.mark.parametrize('odd', TABLES.ODD, ids=lambda o: o.name)
def test_odd_table(odd, tmp_path):
    trials, refusal, said = odd.read(tmp_path)
    if odd.truth is None:
        assert trials is None and odd.refused in refusal and '\n' not in refusal, refusal
    else:
        assert trials is not None, refusal
        read = TABLES.found(trials)
        assert read['people'] == odd.truth['people'] and read['choices'] == odd.truth['choices']
        np.testing.assert_array_equal(read['rewards'], odd.truth['rewards'])
        assert len(said) == bool(odd.said) and odd.said in ''.join(said), said
