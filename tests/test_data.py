"""Pins `spice_rl.core.data`: nothing of a table is lost, splits leak nothing, and every wrong table or tensor is
refused with a reason"""
import copy, pickle, re, warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from spice_rl.core.tensors import DatasetRNN, check_xs_ys
from spice_rl.core.data import Trials
from spice_rl.core.reading import convert_dataset, read_trials

SHARED = Path(__file__).parents[2]/'shared'/'data'/'bandit2arm.tsv'
ARRAYS = ('choice', 'reward', 'offer', 'participant', 'session', 'context', 'counted')


def refuses(*parts, error=(ValueError, TypeError)):
    "The block raises `error`, and its message has all `parts`"
    return pytest.raises(error, match='(?s)' + ''.join(f'(?=.*{re.escape(p)})' for p in parts))

def table(**columns):
    base = dict(participant=['ann']*4 + ['bob']*4, choice=list('LRRLLLRR'), reward=[1., 0, 1, 0, 1, 1, 0, 0])
    return pd.DataFrame(base | columns)

def random_table(seed, labels=('x', 'y', 'z'), people=7, interleave=True):
    "People with 1-3 sessions of 3-12 trials, missing choices, hidden rewards, further columns, an odd index"
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(people):
        for b in range(rng.integers(1, 4)):
            for t in range(rng.integers(3, 13)): rows.append((f'p{p:02}', b, t))
    frame = pd.DataFrame(rows, columns=['who', 'block', 't'])
    n = len(frame)
    code = rng.integers(0, len(labels), n)
    code[:2*len(labels)] = [*range(len(labels))]*2
    choice = np.array(labels, object)[code]
    hole = rng.random(n) < .1
    hole[frame.groupby('who').head(2).index] = False
    reward = np.where(hole | (rng.random(n) < .1), np.nan, rng.normal(size=n))
    frame['pick'] = pd.Series(np.where(hole, None, choice))
    frame['won'] = reward
    frame['rt'] = pd.array(rng.integers(200, 900, n), dtype='Int64')
    frame['note'] = pd.Categorical(rng.choice(['a', 'b'], n))
    frame['when'] = pd.Timestamp('2026-01-01') + pd.to_timedelta(np.arange(n), 's')
    frame['ok'] = rng.random(n) < .5
    if interleave: # people interleaved, the order of each kept
        slot = np.argsort(rng.random(n), kind='stable')
        order = pd.Series(frame['who'].to_numpy()[slot])
        rank = order.groupby(order).cumcount()
        first = frame.reset_index().groupby('who')['index'].first()
        frame = frame.iloc[(order.map(first) + rank).to_numpy()]
    frame.index = pd.Index(rng.permutation(n)*10 - 7, name='odd')
    return frame[['rt', 'pick', 'note', 'who', 'when', 'won', 'block', 'ok', 't']]

COLUMNS = dict(participant='who', choice='pick', reward='won', block='block', trial='t')


# Reading

@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('labels', [('x', 'y', 'z'), (3, 1, 10), (True, False), (.5, 1.5)])
def test_round_trip(seed, labels):
    frame = random_table(seed, labels)
    before = frame.copy()
    trials = read_trials(frame, **COLUMNS)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(trials.to_frame(), before)
    taken = trials.to_frame()
    taken['rt'] = 0
    pd.testing.assert_frame_equal(trials.to_frame(), before)
    assert trials.options == tuple(sorted(labels))

@pytest.mark.parametrize('seed', range(5))
def test_arrays_say_what_the_table_says(seed):
    frame = random_table(seed)
    trials = read_trials(frame, **COLUMNS)
    ordered = frame.iloc[trials._rows]
    assert [trials.participants[p] for p in trials.participant] == ordered['who'].tolist()
    assert trials.participants == tuple(frame['who'].unique())
    picked = [None if c < 0 else trials.options[c] for c in trials.choice]
    assert picked == [None if pd.isna(c) else c for c in ordered['pick']]
    there = trials.choice >= 0
    np.testing.assert_array_equal(trials.reward[there, trials.choice[there]], ordered['won'].to_numpy()[there])
    assert np.isfinite(trials.reward).sum() == frame['won'].notna().sum()
    assert len(trials) == trials.n_trials == len(frame) and trials.n_counted == frame['pick'].notna().sum()
    assert trials.n_sessions == frame.groupby(['who', 'block']).ngroups
    assert (np.diff(trials.session) >= 0).all() and trials.session[0] == 0 and trials.starts[-1] == len(frame)
    for s, (a, b) in enumerate(zip(trials.starts, trials.starts[1:])):
        part = ordered.iloc[a:b]
        assert (trials.session[a:b] == s).all() and part['block'].nunique() == part['who'].nunique() == 1
        assert part['t'].is_monotonic_increasing
        assert trials.participants[trials.session_participant[s]] == part['who'].iloc[0]
    for name in ARRAYS: assert not getattr(trials, name).flags.writeable
    assert (trials.offer == np.arange(3)).all() and (trials.context == 0).all() and trials.counted.all()

def test_interleaving_changes_nothing():
    plain, mixed = random_table(3, interleave=False), random_table(3)
    a, b = read_trials(plain, **COLUMNS), read_trials(mixed, **COLUMNS)
    for p in a.participants: np.testing.assert_array_equal(a.take(p).choice, b.take(p).choice)

def test_labels_and_order():
    assert read_trials(table(choice=[10, 9]*4)).options == (9, 10)
    assert read_trials(table(choice=[1., 2, None, 1, 1, 2, 2, 1], reward=np.nan)).options == (1, 2)
    given = read_trials(table(), options=['R', 'L'])
    assert given.options == ('R', 'L') and given.choice.tolist() == [1, 0, 0, 1, 1, 1, 0, 0]
    assert read_trials(table(), options=['L', 'R', 'never']).n_options == 3
    assert read_trials(table(choice='L'), options=['L', 'R']).choice.max() == 0
    assert read_trials(table(choice=[-1, 1]*4)).options == (-1, 1) # a pair of signs is a code, not a hole
    assert read_trials(table(choice=[-1, 0, 1, 1, 0, -1, 1, 0]), options=[-1, 0, 1]).n_options == 3
    assert read_trials(table(choice=pd.Categorical(list('LRRLLLRR'), categories=['R', 'L']))).options == ('L', 'R')

def test_reward_columns():
    full = read_trials(table(a=1, b=[0, 2]*4), reward=['a', 'b'])
    assert full.reward[:2].tolist() == [[1, 0], [1, 2]]
    assert np.isnan(read_trials(table(), reward=None).reward).all()
    assert read_trials(table(reward=[True, False]*4)).reward[0, 0] == 1
    assert read_trials(table(reward=pd.array([1, None]*4, dtype='Int64'))).reward[0, 0] == 1
    kept = read_trials(table(reward=[250.]*8)).reward
    assert np.nanmax(kept) == 250

def test_offer_and_context():
    frame = table(o1=list('LRRLLLRR'), o2=[None, *'LLRRRLL'], pair=['b', 'a']*4)
    trials = read_trials(frame, offer=['o1', 'o2'], context='pair')
    assert trials.offer[:2].tolist() == [[0, -1], [1, 0]] and trials.context[:2].tolist() == [1, 0]
    moved = read_trials(frame.assign(o1=frame.o2, o2=frame.o1), offer=['o1', 'o2'])
    assert moved.offer[0].tolist() == [0, -1] # padding is always last

def test_files(tmp_path):
    for name, sep in [
        ('a.csv', ','),
        ('a.tsv', '\t'),
        ('tab.txt', '\t'),
        ('semi.txt', ';'),
        ('blank.txt', ' '),
        ('comma.txt', ','),
        ('semi.csv', ';'),
        ('tab.csv', '\t'),
        ('comma.tsv', ','),
        ('bar.dat', '|'),
        ('no_ending', ','),
    ]:
        table().to_csv(tmp_path/name, sep=sep, index=False)
        pd.testing.assert_frame_equal(read_trials(tmp_path/name).to_frame(), table())
        assert read_trials(str(tmp_path/name)).participants == ('ann', 'bob')
    table(participant=['01']*4 + ['1']*4).to_csv(tmp_path/'z.csv', index=False)
    assert read_trials(tmp_path/'z.csv').participants == ('01', '1')

@pytest.mark.skipif(not SHARED.exists(), reason='needs ../shared/data')
def test_bandit2arm():
    trials = read_trials(SHARED, participant='subjID', reward='outcome', trial='trial')
    assert trials.n_participants == 20 and trials.options == (1, 2) and (np.diff(trials.starts) == 100).all()
    pd.testing.assert_frame_equal(trials.to_frame(), pd.read_csv(SHARED, sep='\t'))

def test_prints_short():
    trials = read_trials(table(choice=['L', 'R', None, 'L', 'L', 'L', 'R', 'R'], reward=np.nan))
    assert '2 participants' in repr(trials) and '1 missing' in repr(trials) and len(repr(trials)) < 200
    assert '<table' in trials._repr_html_()
    many = Trials.from_arrays([0, 1]*50, [0.]*100, options=range(100), participant=np.repeat(range(50), 2))
    assert '100 in all' in repr(many) and len(repr(many)) < 250

def test_frozen_and_copied():
    trials = read_trials(table())
    with pytest.raises(AttributeError): trials.options = ()
    for other in (copy.deepcopy(trials), pickle.loads(pickle.dumps(trials))):
        np.testing.assert_array_equal(other.choice, trials.choice)


def test_a_tuple_can_be_a_name():
    frame = table()
    frame.columns = pd.MultiIndex.from_tuples([('d', c) for c in frame])
    trials = read_trials(frame, participant=('d', 'participant'), choice=('d', 'choice'), reward=('d', 'reward'))
    for name in ARRAYS: np.testing.assert_array_equal(getattr(trials, name), getattr(read_trials(table()), name))
    assert trials.to_dataset(extra=('d', 'reward')).xs.shape[2] == 6
    both = read_trials(table(a=1, b=[0, 2]*4), reward=('a', 'b')) # no such column: two names
    assert both.reward[:2].tolist() == [[1, 0], [1, 2]]

def sided(**columns):
    return pd.DataFrame(
        dict(
            participant=[1] * 6,
            choice=['f', 'j', 'j', None, 'f', 'j'],
            reward=[1, 0, 1, np.nan, 0, 1],
            left=list('ABABBA'),
            right=list('BABAAB'),
        )
        | columns
    )

ASK = dict(left='left', right='right', sides=('f', 'j'))

def test_sides_give_options():
    trials = read_trials(sided(), **ASK)
    assert [trials.options[c] if c >= 0 else None for c in trials.choice] == ['A', 'A', 'B', None, 'B', 'B']
    assert trials.offer.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1]] # left first
    words = sided(choice=['Left', 'right', 'right', None, 'LEFT', 'right'])
    np.testing.assert_array_equal(read_trials(words, left='left', right='right').choice, trials.choice)
    taken = sided(choice=['A', 'A', 'B', None, 'B', 'B'])
    # options in the choice column: what stood there is what was on offer
    same_ = read_trials(taken, left='left', right='right')
    for name in ARRAYS: np.testing.assert_array_equal(getattr(same_, name), getattr(trials, name))
    coded = sided(choice=['f', 'j', 'j', 'none', 'f', 'j'])
    np.testing.assert_array_equal(read_trials(coded, **ASK, missing='none').choice, trials.choice)
    # what each side paid
    full = read_trials(sided(l=[1, 2, 3, 4, 5, 6], r=[-1, -2, -3, -4, -5, -6]), **ASK, reward=['l', 'r'])
    assert full.reward.tolist() == [[1, -1], [-2, 2], [3, -3], [-4, 4], [-5, 5], [6, -6]]
    many = read_trials(sided(right=list('BABACC')), **ASK, options=['C', 'B', 'A'])
    assert many.options == ('C', 'B', 'A') and many.choice.tolist() == [2, 2, 1, -1, 1, 0]

def test_codes_in_structs_of_matlab():
    empty = np.array([])
    frame = table(
        choice=[np.array([1.]), np.array([2.]), empty, 1., 2., 2., 1., 1.],
        reward=[np.array([1.]), 0., empty, 1., 0., 0., 1., 1.],
    )
    trials = read_trials(frame)
    assert trials.options == (1, 2)
    assert trials.choice.tolist() == [0, 1, -1, 0, 1, 1, 0, 0]
    assert np.isnan(trials.reward[2]).all()
    assert trials.reward[0, 0] == 1

def test_ids_counted_from_one_are_said():
    xs, ys = read_trials(table()).to_dataset().xs.clone(), read_trials(table()).to_dataset().ys
    xs[..., -1] += 1
    with pytest.warns(UserWarning, match='ids run from 1 to 2, and nobody is 0'): DatasetRNN(xs, ys)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        DatasetRNN(xs, ys, participants=['nobody', 'ann', 'bob'])
        xs[..., -1] += 1 # other people of a larger study
        DatasetRNN(xs, ys)


# What reading refuses

def test_refuses_files(tmp_path):
    table().to_csv(tmp_path/'study.csv', index=False)
    with refuses('no file', 'studdy.csv', "did you mean 'study.csv'", error=FileNotFoundError):
        read_trials(tmp_path / 'studdy.csv')
    (tmp_path/'empty.csv').write_text('')
    with refuses('is empty', 'needs a header'): read_trials(tmp_path/'empty.csv')
    (tmp_path/'header.csv').write_text('participant,choice,reward\n')
    with refuses('no rows'): read_trials(tmp_path/'header.csv')
    (tmp_path/'wide.csv').write_text('participant,choice,reward\n' + 'a,1,2,9\n'*3)
    with refuses('more fields than its header'): read_trials(tmp_path/'wide.csv')
    (tmp_path/'twice.csv').write_text('participant,choice,reward,reward\n1,a,1,2\n1,b,0,2\n')
    with refuses('2 columns of', "twice.csv' are called 'reward'"): read_trials(tmp_path/'twice.csv')
    (tmp_path/'ragged.csv').write_text('participant,choice,reward\na,1,2\na,1,2,3,4\n')
    with refuses('cannot read', 'line 3'): read_trials(tmp_path/'ragged.csv')
    (tmp_path/'a.xlsx').write_text('x')
    (tmp_path/'none').mkdir()
    with refuses('the folder', 'holds no .csv'): read_trials(tmp_path/'none')
    with refuses('.csv, .tsv or .txt', 'a.xlsx'): read_trials(tmp_path/'a.xlsx')

WRONG = {
    'a list': (lambda: read_trials([1, 2]), ['a list of files must hold paths', 'got int']),
    'a number': (lambda: read_trials(7), ['a path, a list of paths or a pandas DataFrame', 'got int']),
    'no rows': (lambda: read_trials(table()[:0]), ['no rows', "'choice'"]),
    'no column':
        (
            lambda: read_trials(table(), choice='Choise'),
            [
                "no column 'Choise' for choice",
                "nearest is 'choice'",
                "there are ('participant', 'choice', 'reward')",
                "choice='choice'",
            ],
        ),
    'no reward': (lambda: read_trials(table().drop(columns='reward')), ["no column 'reward'", 'reward=None']),
    'no name': (lambda: read_trials(table(), participant=None), ['participant needs the name of a column']),
    'list for one': (lambda: read_trials(table(), choice=['choice']), ['choice takes one column name']),
    'column twice':
        (lambda: read_trials(pd.concat([table(), table()[['choice']]], axis=1)), ["2 columns are called 'choice'"]),
    'two roles': (lambda: read_trials(table(), reward='choice'), ["column 'choice' is named twice", 'choice, reward']),
    'slip':
        (
            lambda: read_trials(table(choice=list('LRRLLLRK'))),
            ["choice 'K' appears once", "participant 'bob', line 9", "options=['K', 'L', 'R']"],
        ),
    'blank':
        (
            lambda: read_trials(table(choice=[*'LRL', ' ', *'LR', ' ', 'R'])),
            ["choice ' '", "participant 'ann', line 5", 'is blank'],
        ),
    'case':
        (
            lambda: read_trials(table(choice=list('LRRLlRRl'))),
            ["'L' and 'l'", 'differ only in case', "participant 'bob', line 6"],
        ),
    'one option': (lambda: read_trials(table(choice='L')), ["only one option was ever chosen, 'L'", 'options=[...]']),
    'no choice': (lambda: read_trials(table(choice=None, reward=np.nan)), ['empty in every row']),
    'minus one':
        (
            lambda: read_trials(table(choice=[1, 2, -1, 1, 2, -1, 1, 2])),
            ['choice -1', "participant 'ann', line 4", 'missing? Then empty the cell', 'options=[-1, 1, 2]'],
        ),
    'mixed': (lambda: read_trials(table(choice=[1, 'L']*4)), ['all numbers or all strings', 'options=[...]']),
    'lists in cells': (lambda: read_trials(table(choice=[[1]]*8)), ['choice needs plain labels']),
    'unknown':
        (
            lambda: read_trials(table(), options=['L', 'M']),
            ["choice 'R' in participant 'ann', line 3", "options=['L', 'M']"],
        ),
    'text number':
        (lambda: read_trials(table(choice=[1, 2]*4), options=['1', '2']), ['text and number differ', "1 is not '1'"]),
    'options text': (lambda: read_trials(table(), options='LR'), ['options takes a list', "'LR'"]),
    'options twice': (lambda: read_trials(table(), options=['L', 'L']), ['a label twice']),
    'options one': (lambda: read_trials(table(), options=['L']), ['at least two options']),
    'reward text':
        (
            lambda: read_trials(table(reward=[1, 0, 'won', 1, 0, 1, 1, 0])),
            ["column 'reward' must hold numbers", "got 'won' in participant 'ann', line 4"],
        ),
    'reward comma': (lambda: read_trials(table(reward=['0,5']*8)), ["got '0,5'", '8 such cells']),
    'reward list': (lambda: read_trials(table(reward=[[1]]*8)), ['must hold numbers', 'got [1]']),
    'reward date': (lambda: read_trials(table(reward=pd.Timestamp('2026'))), ['must hold numbers, got datetime64']),
    'reward inf':
        (
            lambda: read_trials(table(reward=[1, 0, 1, 0, np.inf, 0, 0, 0])),
            ['must be finite', "participant 'bob', line 6"],
        ),
    'reward of nothing':
        (
            lambda: read_trials(table(choice=['L', 'R', None, *'RLLRR'])),
            ['reward 1.0', "participant 'ann', line 4", 'choice is missing'],
        ),
    'reward columns': (lambda: read_trials(table(b=0), reward=['reward']), ['lists 1 columns', "2 options ('L', 'R')"]),
    'backwards':
        (
            lambda: read_trials(table(trial=[1, 2, 4, 3] * 2), trial='trial'),
            [
                'trial 3 comes after trial 4',
                'lines 4 and 5',
                "participant 'ann'",
                "frame.sort_values(['participant', 'trial'])",
                'block=',
            ],
        ),
    'twice':
        (
            lambda: read_trials(table(trial=[1, 2, 2, 3] * 2, b=7), trial='trial', block='b'),
            [
                'trial 2 comes twice',
                'lines 3 and 4',
                'session 7',
                "['participant', 'b', 'trial']",
                'remove duplicates',
            ],
        ),
    'no trial number':
        (lambda: read_trials(table(trial=[1, 2, None, 4]*2), trial='trial'), ['trial is empty', 'line 4']),
    'trial text':
        (lambda: read_trials(table(trial='one'), trial='trial'), ["column 'trial' must hold numbers", "'one'"]),
    'block returns':
        (
            lambda: read_trials(table(b=[1, 2, 1, 1] * 2), block='b'),
            ["session 1 of participant 'ann' comes back in line 4", 'trial=...'],
        ),
    'block empty': (lambda: read_trials(table(b=[1, 1, None, 2]*2), block='b'), ['block is empty in line 4']),
    'person empty':
        (
            lambda: read_trials(table(participant=['ann'] * 4 + [None] * 4)),
            ['participant is empty in line 6', '4 such rows'],
        ),
    'person list': (lambda: read_trials(table(participant=[['ann']]*8)), ['participant needs plain labels']),
    'single':
        (lambda: read_trials(table(participant=['a', 'a', 'b', 'c', *'dddd'])), ['two trials or more', "('b', 'c')"]),
    'all missing':
        (
            lambda: read_trials(table(choice=[*'LRLR', None, None, None, None], reward=np.nan)),
            ['every choice is missing', "('bob')"],
        ),
    'context empty': (lambda: read_trials(table(c=[1, None]*4), context='c'), ['context is empty', 'line 3']),
    'not offered':
        (
            lambda: read_trials(table(a='L', b=[None, 'R'] * 4), offer=['a', 'b']),
            ["choice 'R' was not on offer", "participant 'ann', line 4", "only ['L']"],
        ),
    'left alone': (lambda: read_trials(sided(), left='left'), ['left and right come together']),
    'sides alone': (lambda: read_trials(sided(), sides=('f', 'j')), ['sides goes with left= and right=']),
    'sides and offer':
        (lambda: read_trials(sided(), left='left', right='right', offer=['left', 'right']), ['leave out offer=']),
    'which side':
        (
            lambda: read_trials(sided(), left='left', right='right'),
            [
                "which of the choices ('f', 'j') in column 'choice' is left?",
                'sides=(LEFT, RIGHT)',
                "offer=['left', 'right']",
            ],
        ),
    'sides by number':
        (
            lambda: read_trials(
                sided(choice=[0, 1, 1, None, 0, 1], left=[0, 1] * 3, right=[1, 0] * 3), left='left', right='right'
            ),
            ['which of the choices (0, 1)', 'sides=(LEFT, RIGHT)'],
        ),
    'no such side':
        (
            lambda: read_trials(sided(choice=list('fjjxfj')), **ASK),
            ["choice 'x' in participant 1, line 5", "not one of the sides ('f', 'j')"],
        ),
    'nothing stood there':
        (
            lambda: read_trials(sided(left=[None, *'BABBA']), **ASK),
            ["choice 'f' in participant 1, line 2 took a side where nothing stood: column 'left' is empty"],
        ),
    'sides text':
        (lambda: read_trials(sided(), left='left', right='right', sides='fj'), ["sides takes two labels", "got 'fj'"]),
    'three rewards for two sides':
        (
            lambda: read_trials(sided(a=1, b=1, c=1), **ASK, reward=['a', 'b', 'c']),
            ['reward lists 3 columns', 'one for each side'],
        ),
    'no column to split by': (lambda: read_trials(table()).per_participant('sex'), ["no column 'sex'; there are"]),
    'list to split by':
        (lambda: read_trials(table()).per_participant(['sex']), ["column takes one column name, got ['sex']"]),
    'nothing in it': (lambda: Trials(), ['Trials need options, and got none', 'read_trials(table)']),
    'list of no files': (lambda: read_trials([]), ['got an empty list of files']),
    'wrong options':
        (
            lambda: Trials.from_dataset(read_trials(table()).to_dataset().xs, n_options='2'),
            ['the number of options must be a whole number of at least 2', "got '2'"],
        ),
    'extra is a number': (lambda: read_trials(table()).to_dataset(extra=5), ['no column 5 for extra']),
    'offered twice':
        (
            lambda: read_trials(table(a=list('LRRLLLRR'), b=list('LLLRRRLL')), offer=['a', 'b']),
            ['offered twice', 'line 2'],
        ),
}

@pytest.mark.parametrize('case', WRONG)
def test_refuses(case):
    call, parts = WRONG[case]
    with refuses(*parts): call()

def test_blocks_may_interleave_if_trial_says_the_order():
    frame = table(b=[1, 2, 1, 2]*2, trial=[1, 2, 3, 4]*2)
    assert read_trials(frame, block='b', trial='trial').n_sessions == 4


# Parts and splits

def test_take():
    trials = read_trials(random_table(1), **COLUMNS)
    some = trials.take([trials.participants[4], trials.participants[1]])
    assert some.participants == (trials.participants[1], trials.participants[4]) and some.options == trials.options
    frame = random_table(1)
    pd.testing.assert_frame_equal(some.to_frame(), frame[frame.who.isin(some.participants)])
    one = trials.take(sessions=2)
    assert one.n_sessions == 1 and len(one) == np.diff(trials.starts)[2] and one.n_participants == 1
    np.testing.assert_array_equal(one.choice, trials.choice[trials.session == 2])
    again = some.take(some.participants[1])
    pd.testing.assert_frame_equal(again.to_frame(), frame[frame.who == again.participants[0]])
    with refuses("no participant 'p1'", 'nearest', 'there are'): trials.take('p1')
    with refuses('no session 99'): trials.take(sessions=[0, 99])
    with refuses('no trial is left'): trials.take(trials.participants[0], sessions=trials.n_sessions - 1)

def identity(trials, mask):
    "The rows of the file behind some trials"
    return set(trials.to_frame().index[trials._rows[mask & (trials.choice >= 0)]])

@pytest.mark.parametrize('split', ['split_time', 'split_sessions', 'split_participants'])
@pytest.mark.parametrize('share', [.1, .3, .5, .9])
@pytest.mark.parametrize('seed', range(4))
def test_splits_lose_and_leak_nothing(split, share, seed):
    trials = read_trials(random_table(seed), **COLUMNS)
    train, test = getattr(trials, split)(share, **({} if split == 'split_time' else dict(seed=seed)))
    assert train.n_counted + test.n_counted == trials.n_counted and train.n_counted > 0 and test.n_counted > 0
    a, b = identity(train, train.counted), identity(test, test.counted)
    assert not a & b and a | b == identity(trials, trials.counted)
    assert trials.counted.all() # the whole was not changed
    if split == 'split_time':
        assert len(test) == len(trials) and not identity(train, train.choice >= 0) & b
        for s in range(trials.n_sessions): # train is the first part, test the rest
            late = test.counted[test.session == s]
            assert (np.diff(late.astype(int)) >= 0).all() and (~late).sum() == (train.session == s).sum()
    else: assert len(train) + len(test) == len(trials)
    if split == 'split_participants': assert not set(train.participants) & set(test.participants)
    else: assert train.participants == test.participants == trials.participants

def test_split_sessions_within_each_person():
    frame = random_table(5, people=20)
    trials = read_trials(frame, **COLUMNS)
    train, test = trials.split_sessions(.3, seed=0)
    n = np.bincount(trials.session_participant, minlength=20)
    held = np.bincount(test.session_participant, minlength=20)
    assert (held[n == 1] == 0).all() and (held[n > 1] == 1).all()

def test_splits_are_repeatable_and_differ_by_seed():
    trials = read_trials(random_table(5, people=30), **COLUMNS)
    for split in (trials.split_sessions, trials.split_participants):
        first = [set(split(.5, seed=s)[1].to_frame().index) for s in range(3)]
        assert first[0] == set(split(.5, seed=0)[1].to_frame().index) and first[0] != first[1] != first[2]
    assert len(trials.split_participants(.5, seed=np.random.default_rng(1))[1].participants) == 15

def test_split_of_a_split_counts_only_what_counted():
    trials = read_trials(random_table(0), **COLUMNS)
    _, test = trials.split_time(.5)
    a, b = test.split_time(.3)
    assert a.n_counted + b.n_counted == test.n_counted

def test_splits_refuse():
    trials = read_trials(table())
    for share in (0, 1, 30, -.1, np.nan):
        with refuses('share to hold out, must be above 0 and below 1', repr(share), error=ValueError):
            trials.split_time(share)
    for share in ('half', [.3], None):
        with refuses('share to hold out, must be a number', repr(share), error=TypeError): trials.split_time(share)
    for seed in ('a', None, -1, 1.5):
        with refuses('seed must be a whole number', repr(seed)): trials.split_participants(seed=seed)
        with refuses('seed must be a whole number', repr(seed)):
            read_trials(table(b=[1, 1, 2, 2] * 2), block='b').split_sessions(seed=seed)
    with refuses('two sessions or more', 'block=...'): trials.split_sessions()
    with refuses('two people or more', "('ann')"): trials.take('ann').split_participants()
    with refuses('session of two trials'): Trials.from_arrays([0, 1], [1, 1], session=[0, 1]).split_time()


# Arrays

def test_from_arrays_reads_back():
    rng = np.random.default_rng(0)
    choice, reward = rng.integers(-1, 3, 60), rng.normal(size=(60, 3))
    for r in (reward, np.where(np.arange(3) == choice[:, None], reward, np.nan)):
        trials = Trials.from_arrays(
            choice,
            r,
            np.repeat(list('abc'), 20),
            np.tile(np.repeat([0, 1], 10), 6)[:60],
            options=['x', 'y', 'z'],
            extra=dict(rt=np.arange(60)),
        )
        frame = trials.to_frame()
        pay = [c for c in frame if str(c).startswith('reward')]
        same = read_trials(frame, block='session', reward=pay[0] if len(pay) == 1 else pay, options=['x', 'y', 'z'])
        for name in ARRAYS: np.testing.assert_array_equal(getattr(same, name), getattr(trials, name))
        assert trials.to_frame()['rt'].tolist() == list(range(60))

def test_from_arrays_forms():
    assert Trials.from_arrays([0, 1, np.nan], [1, 0, np.nan]).choice.tolist() == [0, 1, -1]
    assert Trials.from_arrays([0, 0], [[1, 0], [1, 0]]).n_options == 2
    assert Trials.from_arrays([0, 1], [1, 0], participant=['b', 'a']).participants == ('b', 'a')
    assert Trials.from_arrays([0, 1], [1, 0], options=[('a', 1), ('b', 2)]).to_frame()['choice'].tolist() == [
        ('a', 1),
        ('b', 2),
    ]
    mixed = Trials.from_arrays([0, 1, 0, 1], [1, 2, 3, 4], participant=[5, 6, 5, 6], counted=[True, True, False, True])
    assert mixed.choice.tolist() == [0, 0, 1, 1] and mixed.counted.tolist() == [True, False, True, True]
    offered = Trials.from_arrays([0, 2], [1, 2], options=range(3), offer=[[-1, 0], [1, 2]], context=[0, 3])
    assert offered.offer.tolist() == [[0, -1], [1, 2]] and offered.context.tolist() == [0, 3]
    back = read_trials(offered.to_frame(), offer=['offer_0', 'offer_1'], context='context', options=range(3))
    assert back.offer.tolist() == offered.offer.tolist()

def test_from_arrays_leaves_the_callers():
    choice, reward = np.array([0, 1, -1]), np.array([1., 0, np.nan])
    trials = Trials.from_arrays(choice, reward)
    choice[0] = 1
    assert trials.choice[0] == 0 and reward.flags.writeable

@pytest.mark.parametrize(
    'call, parts',
    [
        (dict(choice=[1, 2], options='ab'), ['options takes a list']),
        (
            dict(choice=[1, 2], options=['a', 'b']),
            ['must be 0..1 or -1', 'got 2', 'participant 0, row 1', 'counted from 1?'],
        ),
        (dict(choice=[0, -2]), ['codes 0, 1', 'got -2']),
        (dict(choice=[0, 0.5]), ['got 0.5']),
        (dict(choice=['a', 'b']), ['for labels use read_trials']),
        (dict(choice=[1, 2]), ['code 0 is never chosen: are choices counted from 1?', 'options=range(3)']),
        (
            dict(choice=[0, 1, 999, 1], reward=[1., 0, 0, 1]),
            ['choice 999 stands beside (0, 1): missing? Then write -1'],
        ),
        (dict(choice=[0, 0]), ['at least two options', 'options=[...]']),
        (dict(choice=[]), ['one value a trial', 'shape (0,)']),
        (dict(choice=[[0, 1]]), ['one value a trial', 'shape (1, 2)']),
        (dict(reward=[1, 2, 3]), ['reward must have one value a trial, 2 in all', 'shape (3,)']),
        (dict(reward=['a', 'b']), ['reward must be numbers']),
        (dict(reward=[1, np.inf]), ['reward must be finite', 'row 1']),
        (dict(reward=[[1, 2], [3, 4]], options=['a', 'b', 'c']), ['each of the 3 options', 'shape (2, 2)']),
        (dict(choice=[0, -1], options=['a', 'b']), ['belongs to no option', 'row 1']),
        (dict(participant=[1]), ['participant must have one value a trial']),
        (dict(participant=[1, None]), ['participant is empty']),
        (dict(session=[1, 2, 3]), ['session must have one value']),
        (dict(offer=[[0], [0]]), ['not on offer', 'row 1']),
        (dict(offer=[[0, 1], [1, 7]]), ['offer must be 0..1', 'got 7']),
        (dict(offer=[0, 1]), ['offer must have one row a trial']),
        (dict(context=[0, -1]), ['context must be codes', 'got -1']),
        (dict(counted=[0, 1]), ['True or False']),
        (dict(extra=dict(choice=[1, 2])), ["column 'choice', which is taken"]),
        (dict(extra=[1, 2]), ['extra must be a dict', 'got list']),
        (dict(extra=dict(rt=[1])), ["extra column 'rt' must have one value"]),
    ],
)
def test_from_arrays_refuses(call, parts):
    with refuses(*parts): Trials.from_arrays(**(dict(choice=[0, 1], reward=[1., 0]) | call))


# Tensors

def same(a, b): assert torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(-9), b.nan_to_num(-9))

@pytest.mark.parametrize('seed', range(6))
def test_dataset_round_trip(seed):
    trials = read_trials(random_table(seed), **COLUMNS)
    for part in (trials, *trials.split_time(.3), *trials.split_sessions(.5)):
        data = part.to_dataset(extra=['rt', 'ok'])
        back = Trials.from_dataset(data)
        again = back.to_dataset(extra=['extra_0', 'extra_1'])
        same(again.xs, data.xs), same(again.ys, data.ys)
        assert again.participants == data.participants == part.participants
        np.testing.assert_array_equal(back.choice, part.choice) # extra columns mark even a missing last trial
        np.testing.assert_array_equal(back.participant, part.participant)
        np.testing.assert_array_equal(back.starts, part.starts)
        np.testing.assert_allclose(back.reward, part.reward, rtol=1e-6)
        there = (part.choice >= 0) & (np.arange(len(part)) != part.starts[part.session])
        np.testing.assert_array_equal(back.counted[there], part.counted[there])

def test_dataset_layout():
    trials = read_trials(
        table(
            choice=['L', 'R', None, *'LLLRR'],
            reward=[1, 0, np.nan, 5, 1, 1, 0, 0],
            participant=['a'] * 5 + ['b'] * 3,
            rt=range(8),
        )
    )
    data = trials.to_dataset(extra=['rt'])
    nan = np.nan
    assert data.xs.shape == (2, 5, 6) and data.ys.shape == (2, 5, 2) and data.xs.dtype == data.ys.dtype == torch.float32
    np.testing.assert_array_equal(
        data.xs[0],
        [
            [1, 0, 1, nan, 0, 0],
            [0, 1, nan, 0, 1, 0],
            [nan, nan, nan, nan, 2, 0],
            [1, 0, 5, nan, 3, 0],
            [1, 0, 1, nan, 4, 0],
        ],
    )
    np.testing.assert_array_equal(data.ys[0], [[0, 1], [nan, nan], [1, 0], [1, 0], [nan, nan]])
    np.testing.assert_array_equal(data.xs[1, 3:], [[nan]*5 + [1]]*2)
    assert data.ys[1, 2:].isnan().all()
    assert data.n_actions == 2
    assert data.participants == ('a', 'b')
    assert '2 sessions' in repr(data)

def test_dataset_is_a_torch_dataset():
    data = read_trials(random_table(0), **COLUMNS).to_dataset()
    xs, ys = next(iter(torch.utils.data.DataLoader(data, batch_size=3)))
    assert xs.shape[0] == ys.shape[0] == 3 and len(data) == len(data.xs) and len(list(data)) == len(data)

def test_dataset_is_ours_to_write_to():
    trials = read_trials(table())
    xs, ys = (x.numpy() for x in (trials.to_dataset().xs, trials.to_dataset().ys))
    before = xs.copy()
    data = DatasetRNN(xs, ys)
    data.xs[..., -1] = 0
    np.testing.assert_array_equal(xs, before)
    assert Trials.from_dataset(data).n_sessions == 2

def test_uncounted_is_not_asked_for():
    trials = read_trials(random_table(2), **COLUMNS)
    train, test = trials.split_time(.3)
    asked = lambda t: int((~t.to_dataset().ys[..., 0].isnan()).sum())
    first = int((trials.choice[trials.starts[:-1]] >= 0).sum()) # no row of ys for a session's first choice
    assert asked(train) + asked(test) == asked(trials) == trials.n_counted - first

def test_convert_dataset():
    frame = random_table(0)
    same(convert_dataset(frame, **COLUMNS).xs, read_trials(frame, **COLUMNS).to_dataset().xs)

def test_from_xs_alone():
    data = read_trials(table(rt=1)).to_dataset(extra='rt')
    plain = read_trials(table()).to_dataset()
    assert Trials.from_dataset(plain.xs).options == (0, 1)
    assert Trials.from_dataset(plain.xs.numpy(), participants=['x', 'y']).participants == ('x', 'y')
    assert Trials.from_dataset(data.xs, n_options=2).to_frame()['extra_0'].eq(1).all()
    with refuses('no id column?', 'n_actions'): Trials.from_dataset(data.xs)
    with refuses('needed 2 participants, got 1'): Trials.from_dataset(plain.xs, participants=['x'])
    with refuses('nothing but NaN'): Trials.from_dataset(torch.where(torch.arange(5) < 4, np.nan, plain.xs))

def test_to_dataset_refuses():
    with refuses('must hold numbers', "'a'", 'participant', 'row'): read_trials(table(note='a')).to_dataset(['note'])
    with refuses("no column 'rtt' for extra", "nearest is 'rt'"): read_trials(table(rt=1)).to_dataset(['rtt'])
    pairs = read_trials(table(a=list('LRRLLLRR'), b=[None, *'LLRRRLL']), offer=['a', 'b'])
    with refuses('on offer', 'without offer='): pairs.to_dataset()
    with refuses('finite'): read_trials(table(reward=1e39)).to_dataset() # too large for float32

def test_check_shares_memory():
    data = read_trials(table()).to_dataset()
    xs, ys = check_xs_ys(data.xs, data.ys)
    assert xs.data_ptr() == data.xs.data_ptr() and ys.data_ptr() == data.ys.data_ptr()
    assert check_xs_ys(data.xs)[1] is None and check_xs_ys(data.xs.double(), n_actions=2)[0].dtype == torch.float32
    fixed = data.xs.numpy().copy()
    fixed.flags.writeable = False
    check_xs_ys(fixed, data.ys.tolist())

def test_check_accepts_a_known_last_choice():
    "xs = choices[:-1], ys = choices[1:] is the usual way to make them"
    data = read_trials(table()).to_dataset()
    check_xs_ys(data.xs[:, :-1], data.ys[:, :-1])

def edit(xs=None, ys=None):
    "The tensors of a good dataset, with one change each: (where, value)"
    data = read_trials(table()).to_dataset()
    for x, change in ((data.xs, xs), (data.ys, ys)):
        if change: x[change[0]] = change[1]
    return data.xs, data.ys

NAN, PAD = float('nan'), slice(2, None)
BAD = {
    'two dims': (lambda x, y: (x[0], y), ['(session, trial, feature)', 'got shape (4, 5)', 'xs[None]']),
    'ys dims': (lambda x, y: (x, y[0]), ['ys must be (session, trial, option)', 'ys[None]']),
    'empty': (lambda x, y: (x[:0], y[:0]), ['xs is empty']),
    'text': (lambda x, y: (np.full((1, 2, 5), 'a'), y), ['xs must be numbers']),
    'ragged': (lambda x, y: ([[[1, 2]], [[1]]], y), ['sessions of one length']),
    'sessions': (lambda x, y: (x, y[:1]), ['same sessions and trials', '(2, 4) and (1, 4)']),
    'trials': (lambda x, y: (x, y[:, :3]), ['same sessions and trials', '(2, 4) and (2, 3)']),
    'no id': (lambda x, y: (x[..., :4], y), ['2 × 2 + 1 features', 'got 4', 'no id column?']),
    'no id, no ys': (lambda x, y: (x[..., :4],), ['no id column?']),
    'too few': (lambda x, y: (x[..., :3], y), ['got 3']),
    'n_actions': (lambda x, y: (x, y, 3), ['ys must have 3 columns', 'got 2']),
    'one option': (lambda x, y: (x, y[..., :1]), ['at least two options']),
    'not hot': (lambda x, y: edit(((1, 2, 0), 2.)), ['one-hot', 'xs[1, 2]']),
    'two hot': (lambda x, y: edit(((0, 0, slice(0, 2)), 1.)), ['one-hot', '[1.0, 1.0] in xs[0, 0]']),
    'half NaN': (lambda x, y: edit(((0, 1, 0), NAN)), ['one-hot', 'xs[0, 1]']),
    'minus one': (lambda x, y: edit(((0, 3, slice(0, 2)), -1)), ['-1 for missing or padding? Replace it by NaN']),
    'ys not hot': (lambda x, y: edit(None, ((1, 1, 0), .5)), ['one-hot', 'ys[1, 1]']),
    'guess':
        (
            lambda x, y: (torch.cat([x[..., :4], x[..., -2:], x[..., -1:]], -1),),
            ['3 options guessed from 7 features', 'pass n_actions'],
        ),
    'inf': (lambda x, y: edit(((1, 0, 3), float('inf'))), ['finite', 'xs[1, 0, 3]']),
    'id text': (lambda x, y: edit(((0, 0, 4), .5)), ['whole number from 0', 'got 0.5 in xs[0, 0]']),
    'id negative': (lambda x, y: edit(((slice(None), slice(None), 4), -1)), ['whole number from 0', 'got -1']),
    'id NaN': (lambda x, y: edit(((1, 3, 4), NAN)), ['whole number from 0', 'got nan', 'padding needs it too']),
    'id changes': (lambda x, y: edit(((0, 2, 4), 1)), ['changes within a session, from 0 to 1 in xs[0, 2]']),
    'same trial': (lambda x, y: (x, x[..., :2]), ['choice of the same trial', 'ys[:, :-1] = xs[:, 1:, :n_actions]']),
    'contradicts':
        (lambda x, y: edit(None, ((1, 1), y[1, 1].flip(0))), ['must be the choice of xs[s, t + 1]', 'ys[1, 1]']),
    'ys knows': (lambda x, y: edit(((0, 1, slice(0, 4)), NAN)), ['ys knows a choice that xs lacks', 'ys[0, 0]']),
    'on padding': (lambda x, y: edit(((0, PAD, slice(0, 4)), NAN)), ['on padding', 'ys[0, 2]']),
}

@pytest.mark.parametrize('case', BAD)
def test_check_refuses(case):
    change, parts = BAD[case]
    with refuses(*parts): check_xs_ys(*change(*edit()))

def test_dataset_refuses():
    xs, ys = edit()
    with refuses('needed 2 participants, got 1'): DatasetRNN(xs, ys, ['ann'])
    with refuses('changes within a session'): DatasetRNN(*edit(((0, 2, 4), 1)))

def test_a_million_trials_read_in_seconds():
    import time
    n, rng = 10**6, np.random.default_rng(0)
    frame = pd.DataFrame(
        dict(participant=np.repeat(np.arange(1000), 1000), choice=rng.integers(0, 2, n), reward=rng.random(n))
    )
    start = time.perf_counter()
    assert len(read_trials(frame)) == n
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("name", ["session", "block"])
def test_a_column_of_sessions_that_is_not_used_is_said(name):
    table = pd.DataFrame({"participant": 4 * [1], "choice": [0, 1, 0, 1], "reward": 1., name: [1, 1, 2, 2]})
    with pytest.warns(UserWarning, match=f"block='{name}'"): assert read_trials(table).n_sessions == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_trials(table, block=name).n_sessions == 2
        read_trials(table.assign(**{name: 1}))


def test_a_column_of_two_labels_is_read_as_0_and_1():
    "Its labels go where the trials go; what is given afterwards is no part of what is seen"
    table = pd.DataFrame(
        dict(
            participant=[1, 1, 2, 2],
            choice=["a", "b", "a", "b"],
            reward=1,
            cue=["hard", "easy", None, "hard"],
            on=[True, False, True, True],
            later=[1., 2, 3, 4],
        )
    )
    trials = read_trials(table, sees=["cue", "on"], gets="later")
    assert np.array_equal(trials.columns["cue"], [1, 0, np.nan, 1], equal_nan=True)
    assert trials.columns["on"].tolist() == [1, 0, 1, 1]
    assert trials.words == dict(cue=("easy", "hard"))
    assert trials.sees == ("cue", "on")
    assert trials.gets == ("later",)
    assert "cue (0: easy, 1: hard)" in repr(trials)
    first, second = trials.take(participants=[1]), trials.take(participants=[2])
    for part in first, second, pickle.loads(pickle.dumps(trials)):
        assert (part.words, part.gets) == (trials.words, trials.gets)
    assert Trials.concat([first, second]).words == trials.words
    assert read_trials(trials.to_frame(), sees=["cue", "on"], gets="later").equals(trials)
    ordered = table.assign(cue=pd.Categorical(table.cue, ["hard", "easy"]))
    assert read_trials(ordered, sees="cue").words == dict(cue=("hard", "easy"))
    with pytest.raises(ValueError, match="different tasks"):
        Trials.concat([first, read_trials(ordered, sees=["cue", "on"], gets="later").take(participants=[2])])
    with pytest.raises(
        ValueError,
        match=r"column 'cue' must hold numbers, or two labels, .* the 3 labels \('easy', 'hard', 'odd'\): write "
              r"columns of 0 and 1",
    ):
        read_trials(table.assign(cue=["hard", "easy", "odd", "odd"]), sees="cue")
    with pytest.raises(ValueError, match="must hold numbers, got 'low'"):
        read_trials(table.assign(cue=["low", "high", "low", "low"]), gets="cue")


def met(who, contexts, named=True):
    "One person who met these contexts, a trial each; with codes only, if they are not named"
    n = len(contexts)
    if not named: return Trials.from_arrays(np.arange(n) % 2, np.ones(n), [who]*n, context=contexts, options=[0, 1])
    return read_trials(
        pd.DataFrame(
            dict(participant=who, choice=np.arange(n) % 2, reward=1., context=pd.Series(contexts, dtype=object))
        ),
        context='context',
        options=[0, 1],
    )


def test_concat_keeps_apart_what_are_different_contexts():
    both = Trials.concat([met('ann', ['easy', 'hard']), met('bob', ['hard', 'odd', 'hard'])])
    assert both.contexts == ('easy', 'hard', 'odd') and both.context.tolist() == [0, 1, 1, 2, 1]
    # what is new may stand first
    before = Trials.concat([met('ann', ['middle', 'odd']), met('bob', ['easy', 'odd'])])
    assert before.contexts == ('easy', 'middle', 'odd') and before.context.tolist() == [1, 2, 0, 2]
    # as one table would have them
    assert both.equals(read_trials(both.to_frame(), context='context', options=[0, 1]))
    for part in both.take('ann'), both.take('bob'): assert part.contexts == both.contexts
    again = Trials.concat([both.take('bob'), both.take('ann')])
    assert again.contexts == both.contexts and again.context.tolist() == [1, 2, 1, 0, 1]
    mixed = Trials.concat([met('ann', ['easy', 'hard']), met('bob', [2, 1])])                # no order: as they appear
    assert mixed.contexts == ('easy', 'hard', 1, 2) and mixed.context.tolist() == [0, 1, 3, 2]


def test_concat_of_contexts_without_labels():
    codes = Trials.concat([met('ann', [0, 1], False), met('bob', [0, 2], False)])
    assert codes._contexts is None and codes.context.tolist() == [0, 1, 0, 2]
    for parts in (
        [met('ann', ['easy', 'hard']), met('bob', [0, 1], False)],
        [met('bob', [0, 1], False), met('ann', ['easy', 'hard'])],
    ):
        with refuses(
            "labels in all of these trials or in none",
            "('easy', 'hard') with participant 'ann'",
            "only codes with participant 'bob'",
            "read_trials(table, context=",
        ):
            Trials.concat(parts)


def test_concat_of_offers_and_columns_of_other_widths():
    two = Trials.from_arrays([0, 2], [1, 0], ['ann']*2, options=range(3), offer=[[0, 1], [1, 2]])
    three = Trials.from_arrays([0, 1], [1, 0], ['bob']*2, options=range(3))
    assert Trials.concat([two, three]).offer.tolist() == [[0, 1, -1], [1, 2, -1], [0, 1, 2], [0, 1, 2]]
    assert Trials.concat([three, two]).offer.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, -1], [1, 2, -1]]
    one = lambda who, size: Trials.from_arrays([0, 1], [1, 0], [who]*2, sees=dict(size=size))
    with refuses("different tasks", "size of each option"):
        Trials.concat([one('ann', [1., 2]), one('bob', [[1., 2], [3, 4]])])
