"""Tables that a stranger brings: each odd one is read rightly or refused with its reason; random ones come back
whatever way they are written"""
import io, re, warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from spice_rl.core.data import Trials
from spice_rl.core.reading import read_trials
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
        wanted = [odd.said] * bool(odd.said) if isinstance(odd.said, str) else odd.said
        assert len(said) == len(wanted) and all(words in text for words, text in zip(wanted, said)), said


# Random tables, written in random ways

LABELS = {
    'numbers': [3, 10, 7],
    'text': ['left', 'right', 'up'],
    'zeros': ['01', '1', '001'],
    'dots': ['1.1', '1.10', '2.0'],
    'exponents': ['1e5', '100000', '1E5x'],
    'signs': ['+1', '1', '-1x'],
    'umlauts': ['höher', 'tiefer', 'größer'],
    'hashes': ['12e45', '1.2e46', '120e44'],
    'commas': ['0,5', '1,5', 'a;b'],
    'quotes': ['"q"', "it's", 'a b'],
}
WAYS = st.fixed_dictionaries(
    dict(
        sep=st.sampled_from([',', ';', '\t', '|']),
        decimal=st.sampled_from(['.', ',']),
        encoding=st.sampled_from(['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'cp1252']),
        lineterminator=st.sampled_from(['\n', '\r\n']),
        na_rep=st.sampled_from(['', 'NA']),
        quoting=st.sampled_from([0, 2]),
    )
)
SLOW = settings(max_examples=25, deadline=None, derandomize=True, database=None)


@st.composite
def tables(draw):
    "A table of 2-4 people with 1-2 days of 3-6 trials, kinds of labels, holes; and how it is read"
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    people = draw(st.sampled_from(sorted(LABELS)))
    options = draw(st.sampled_from(sorted(LABELS)))
    rows = [
        (LABELS[people][p], LABELS['dots'][day], t)
        for p in range(draw(st.integers(2, 3)))
        for day in range(draw(st.integers(1, 2)))
        for t in range(1, draw(st.integers(4, 6)))
    ]
    frame = pd.DataFrame(rows, columns=['who', 'day', 'nr'])
    code = np.r_[0, 1, 2, 0, 1, 2, rng.integers(0, 3, len(frame))][:len(frame)]
    late = (rng.random(len(frame)) < .15) & (np.arange(len(frame)) > 5) & (frame.groupby('who').cumcount() > 2)
    unseen = late | (rng.random(len(frame)) < .1) & (np.arange(len(frame)) > 2)
    frame['pick'] = [None if l else LABELS[options][c] for c, l in zip(code, late)]
    frame['won'] = np.where(unseen, np.nan, rng.integers(-4, 5, len(frame)) / 4)
    return frame, dict(
        participant='who',
        choice='pick',
        reward='won',
        block='day',
        trial='nr',
        options=LABELS[options] if draw(st.booleans()) else sorted(LABELS[options]),
    )


def read(source, ask):
    "What is read, people and options by their labels; nothing but case and encodings may be said"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        trials = read_trials(source, **ask)
    assert all('differ only in case' in str(w.message) or 'Windows-1252' in str(w.message) for w in said), [
        str(w.message) for w in said
    ]
    return trials


def same(a, b):
    for name in ('choice', 'reward', 'offer', 'participant', 'session', 'context', 'counted'):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.participants == b.participants and a.options == b.options and a.contexts == b.contexts


@SLOW
@given(tables(), WAYS)
def test_whatever_way_it_is_written(tmp_path_factory, made, way):
    frame, ask = made
    path = tmp_path_factory.mktemp('x')/'table.csv'
    if way['sep'] == ',' and way['quoting'] == 0: way['decimal'] = '.' # else 0,5 is two fields
    frame.to_csv(path, index=False, **way)
    same(read(path, ask), read(frame, ask))


@SLOW
@given(tables(), WAYS)
def test_codes_for_missing_are_empty_cells(tmp_path_factory, made, way):
    frame, ask = made
    path = tmp_path_factory.mktemp('x')/'table.csv'
    if way['sep'] == ',' and way['quoting'] == 0: way['decimal'] = '.'
    numbers = isinstance(frame.pick.dropna().iloc[0], (int, float, np.number))
    code, loss = -99 if numbers else 'too slow', -999
    coded = frame.assign(pick=frame.pick.where(frame.pick.notna(), code), won=frame.won.fillna(loss))
    coded.loc[coded.pick == code, 'won'] = np.nan
    for source in (coded, path):
        coded.to_csv(path, index=False, **way)
        same(read(source, ask | dict(missing=dict(pick=code, won=[loss]))), read(frame, ask))


@SLOW
@given(tables(), st.permutations(range(3)), st.randoms(use_true_random=False))
def test_names_of_people_and_options_change_nothing(made, order, random):
    frame, ask = made
    plain = read(frame, ask)
    who, options = dict(zip(LABELS['text'], order)), ask['options']
    new = {l: f'person {i}' for i, l in enumerate(frame.who.unique())}
    renamed = read(
        frame.assign(who=frame.who.map(new), pick=frame.pick.map(dict(zip(options, 'abc')))),
        ask | dict(options=['a', 'b', 'c']),
    )
    np.testing.assert_array_equal(renamed.choice, plain.choice)
    np.testing.assert_array_equal(renamed.reward, plain.reward)
    np.testing.assert_array_equal(renamed.starts, plain.starts)
    turned = read(frame, ask | dict(options=[options[k] for k in order])) # the codes follow the order of the options
    there = plain.choice >= 0
    np.testing.assert_array_equal(np.array(order)[turned.choice[there]], plain.choice[there])
    np.testing.assert_array_equal(turned.reward, plain.reward[:, order])


@SLOW
@given(tables(), st.randoms(use_true_random=False))
def test_interleaving_and_splitting_by_person_change_nothing(made, random):
    frame, ask = made
    plain = read(frame, ask)
    queues = {w: g.index.tolist() for w, g in frame.groupby('who', sort=False)}
    # of each person in order, people mixed
    order = [queues[w].pop(0) for w in random.sample(frame.who.tolist(), len(frame))]
    mixed = read(frame.loc[order], ask)
    for who in plain.participants:
        one, other, alone = plain.take(who), mixed.take(who), read(frame[frame.who == who], ask)
        for t in (other, alone):
            np.testing.assert_array_equal(t.choice, one.choice)
            np.testing.assert_array_equal(t.reward, one.reward)
            np.testing.assert_array_equal(t.starts, one.starts)
    assert set(mixed.participants) == set(plain.participants)


@SLOW
@given(
    tables(),
    st.sampled_from(['object', 'string', 'category']),
    st.sampled_from(['float32', 'Float64', 'object']),
    st.sampled_from(['int16', 'float64', 'Int64', 'uint8']),
)
def test_dtypes_change_nothing(made, labels, rewards, numbers):
    frame, ask = made
    if labels == 'string' and not isinstance(frame.pick.dropna().iloc[0], str): labels = 'object'
    who = frame.who.astype(object if labels == 'string' and not isinstance(frame.who.iloc[0], str) else labels)
    other = frame.assign(
        who=who, pick=frame.pick.astype(labels), won=frame.won.astype(rewards), nr=frame.nr.astype(numbers)
    )
    same(read(other, ask), read(frame, ask))


@settings(SLOW, max_examples=25)
@given(
    st.lists(
        st.from_regex(r'[+-]?[0-9]{1,3}(\.[0-9]{1,2})?(e[0-9])?|true|True|TRUE|NA?|x', fullmatch=True),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_no_two_texts_become_one_label(tmp_path_factory, labels):
    "People of a file: as many as there are texts, each printed as it was written"
    labels = [l for l in labels if l != 'NA']
    if len(labels) < 2: return
    path = tmp_path_factory.mktemp('x')/'t.csv'
    path.write_text('participant,choice,reward\n' + ''.join(f'{l},{c},1\n' for l in labels for c in 'abab'))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        people = read_trials(path).participants
    assert len(people) == len(labels)
    assert [str(p) if not isinstance(p, bool) else str(p).casefold() for p in people] == [
        l if not isinstance(people[0], bool) else l.casefold() for l in labels
    ]


# Codes for "no answer"

WORDS = [
    'null',
    'none',
    'NONE',
    'miss',
    'missed',
    'timeout',
    'time out',
    'no response',
    'No_Response',
    '--',
    '-',
    '.',
    '?',
    'n/a',
    'NULL',
    'nan',
    'NaN',
    'NA',
    'omission',
    'too slow',
]

def bandit(**columns):
    rng = np.random.default_rng(1)
    base = pd.DataFrame(
        dict(
            participant=np.repeat([1, 2, 3], 30),
            choice=rng.choice(['left', 'right'], 90),
            reward=rng.integers(0, 2, 90),
        )
    )
    return base.assign(**columns)

LATE = np.arange(90) % 9 == 4

@pytest.mark.parametrize('word', WORDS)
@pytest.mark.parametrize('way', ['frame', 'file'])
def test_words_for_no_answer(word, way, tmp_path):
    """Never an option in silence: refused, or read as missing; declared they are missing; named among the options
    they are one"""
    frame = bandit(reward=bandit().reward.where(~LATE))
    coded = frame.assign(choice=frame.choice.where(~LATE, word))
    source = coded if way == 'frame' else tmp_path/'t.csv'
    coded.to_csv(tmp_path/'t.csv', index=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        try:
            trials = read_trials(source)
        except ValueError as e:
            assert repr(word) in str(e) and 'missing' in str(e) and 'options=' in str(e)
        else:
            assert (
                way == 'file'
                and trials.options == ('left', 'right')
                and (said and repr(word) in str(said[0].message) or word in ('nan', 'NaN', 'NA'))
            )
    declared = read_trials(source, missing=word)
    assert (declared.choice[LATE] == -1).all() and declared.options == ('left', 'right') and declared.n_counted == 80
    assert read_trials(source, options=['left', 'right', word], missing=[]).n_counted == 90


@pytest.mark.parametrize(
    'others, code',
    [
        ((0, 1), 9),
        ((0, 1), 99),
        ((0, 1), 999),
        ((0, 1), -1),
        ((1, 2), -9),
        ((1, 2, 3), -99),
        ((0, 1), -999),
        ((1, 2), 9),
        ((1, 2), 0),
    ],
)
def test_numbers_for_no_answer(others, code):
    choice = np.random.default_rng(0).choice(others, 90)
    frame = bandit(choice=np.where(LATE, code, choice), reward=bandit().reward.where(~LATE))
    with pytest.raises(
        ValueError,
        match=rf"choice {code} in participant 1, line 6 and 9 more rows.*missing\? Then empty the cell, or say "
              rf"missing=\[{code}\]",
    ):
        read_trials(frame)
    for missing in (code, [code], dict(choice=code), str(code), float(code)):
        assert read_trials(frame, missing=missing).options == others
        assert read_trials(frame, missing=missing).n_counted == 80
    assert read_trials(frame, options=[*others, code]).n_counted == 90


@pytest.mark.parametrize(
    'options',
    [
        (1, 2),
        (0, 1),
        (-1, 1),
        (0, 1, 2),
        (1, 2, 3, 4),
        (7, 8, 9),
        (5, 6, 7, 8, 9),
        (10, 20, 50, 99),
        ('A', 'B', 'none of them'),
        ('0', '1'),
        (.5, 1.5),
        (True, False),
        (*range(97, 102),),
    ],
)
def test_options_that_are_no_codes(options):
    "No false alarm: each is chosen about as often as the others and is rewarded"
    frame = bandit(choice=np.random.default_rng(0).choice(np.array(options, object), 90))
    assert set(read_trials(frame).options) == set(options)


def test_an_option_that_is_never_paid():
    frame = bandit(reward=bandit().reward.astype(float))
    frame.loc[LATE, ['choice', 'reward']] = 'stop', np.nan
    with pytest.raises(ValueError, match="choice 'stop' .* and its reward is never shown: missing"): read_trials(frame)
    assert read_trials(frame, options=['left', 'right', 'stop']).n_options == 3
    assert read_trials(frame, reward=None).n_options == 3 # nothing is shown to anybody
    pairs = frame.assign(a='left', b=np.where(frame.choice == 'left', 'stop', frame.choice))
    assert read_trials(pairs, offer=['a', 'b']).n_options == 3 # it was on offer
    # two thirds of all are hidden: 'stop' may have had bad luck
    hidden = frame.assign(reward=frame.reward.mask(np.arange(90) % 3 > 0))
    hidden.loc[np.flatnonzero(LATE)[3:], 'choice'] = 'left'
    assert read_trials(hidden).n_options == 3


@pytest.mark.parametrize('code', [-999, -99, 99, 999, -9])
def test_rewards_apart_from_all_others(code):
    frame = bandit(reward=np.where(LATE, code, bandit().reward))
    with pytest.raises(
        ValueError,
        match=rf"reward {code} in participant \d, line 6 \(10 such rows\) stands apart .* missing={{'reward': {code}}}",
    ):
        read_trials(frame)
    hidden, real = read_trials(frame, missing=dict(reward=code)), read_trials(frame, missing=dict(reward=[]))
    assert np.isfinite(hidden.reward).sum() == 80 and np.isfinite(real.reward).sum() == 90 and hidden.n_counted == 90


@pytest.mark.parametrize(
    'rewards', [np.arange(100)[::-1], [0, 99], [-1, 1], [-10, 0, 10], [-50, -99, 0], [0, 30, 99], [.1, .2, 9.]]
)
def test_rewards_that_are_no_codes(rewards):
    assert np.isfinite(read_trials(bandit(reward=np.resize(rewards, 90))).reward).sum() == 90


@pytest.mark.parametrize(
    'missing, error, words',
    [
        (dict(points=-9), ValueError, "unknown column in missing 'points'"),
        (dict(choice=dict(a=1)), TypeError, 'missing takes words and numbers'),
        ([['a']], TypeError, "such as missing=\\['timeout', 99\\]"),
        (object(), TypeError, 'missing takes words and numbers'),
    ],
)
def test_what_missing_takes(missing, error, words):
    with pytest.raises(error, match=words): read_trials(bandit(), missing=missing)


@pytest.mark.parametrize(
    'column, words',
    [
        (np.tile(np.arange(1, 31), 3), 'count up from row to row: the number of the trial'),
        (np.tile(np.random.default_rng(0).permutation(30), 3), 'nobody takes any of them twice'),
    ],
)
def test_other_columns_in_place_of_the_choice(column, words):
    with pytest.raises(ValueError, match=words): read_trials(bandit(choice=column))


# Labels

@pytest.mark.parametrize(
    'ask, what', [(dict(), 'participant'), (dict(block='day'), 'block'), (dict(context='set'), 'context')]
)
def test_blanks_at_the_end(ask, what):
    frame = bandit(participant='p1', day='d1', set='s1')
    one = frame[column := ask.get(what, 'participant')].iloc[0]
    frame.loc[7:, column] = f'{one} '
    with pytest.raises(ValueError, match=rf"{what} {one!r} and '{one} ' \(line 9\) differ only in blanks"):
        read_trials(frame, **ask)


def test_groups_of_a_file_stay_apart(tmp_path):
    people = np.repeat(['a', 'b', 'c'], 30)
    bandit(
        participant=people,
        group=np.repeat(['01', '1', '2'], 30),
        age=np.repeat(['30', '31', '30'], 30),
        rt=np.tile(['.50', '.5'], 45),
    ).to_csv(tmp_path / 't.csv', index=False)
    trials = read_trials(tmp_path/'t.csv')
    assert trials.per_participant('group').tolist() == ['01', '1', '2']
    assert trials.per_participant('age').tolist() == [30, 31, 30]
    assert trials.to_frame().rt.tolist() == [.5] * 90


def test_words_that_mean_empty_are_no_people(tmp_path):
    bandit(participant=np.repeat(['1', 'None', '3'], 30)).to_csv(tmp_path/'t.csv', index=False)
    with pytest.raises(ValueError, match="column 'participant' says 'None' in 30 rows, which is read as empty"):
        read_trials(tmp_path / 't.csv')


def test_contexts_have_labels():
    frame = bandit(coins=np.tile([7, 3, 4], 30))
    trials = read_trials(frame, context='coins')
    assert trials.contexts == (3, 4, 7)
    assert trials.n_contexts == 3
    assert trials.context[:3].tolist() == [2, 0, 1]
    assert '3 contexts (3, 4, 7)' in repr(trials)
    assert trials.take(1).contexts == trials.split_time()[1].contexts == (3, 4, 7)
    assert read_trials(frame).contexts == (0,)
    assert Trials.from_arrays([0, 1], [1, 0], context=[0, 2]).contexts == (0, 1, 2)


# Order and sessions: said, never wrong in silence

def said(frame, **ask):
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter('always')
        read_trials(frame, **ask)
    assert all(x.category is UserWarning and x.filename == __file__ for x in w) # it names the caller's line
    return [str(x.message) for x in w]


@pytest.mark.parametrize('name', ['session', 'Session', 'BLOCK', 'run', 'day', 'session_id', 'blockNumber', 'Block Nr'])
def test_sessions_that_are_not_named(name):
    (message,) = said(bandit(**{name: np.tile(np.repeat([1, 2], 15), 3)}))
    assert f'the column {name!r} is not used' in message and f'block={name!r}' in message
    assert not said(bandit(**{name: np.repeat([1, 2, 3], 30)})) # one each
    assert not said(bandit(**{name: np.tile(np.repeat([1, 2], 15), 3)}), block=name)


@pytest.mark.parametrize('name', ['trial', 'Trial', 'trial_index', 'TrialNr', 't'])
def test_trials_that_are_not_named(name):
    number = np.tile(np.arange(30), 3)
    assert not said(bandit(**{name: number})) and not said(bandit(**{name: np.arange(90)}))
    (message,) = said(bandit(**{name: number}).sample(frac=1, random_state=0))
    assert f'the column {name!r} falls from' in message and f'trial={name!r}' in message
    (message,) = said(bandit(**{name: number % 10}))
    assert f'the column {name!r} falls from 9 to 0 (lines 11 and 12)' in message
    assert 'does a session begin there?' in message
    assert not said(bandit(**{name: number % 10}, part=number // 10), block='part')


def test_lines_are_those_of_the_file(tmp_path):
    "Comment lines, blank lines and line breaks in cells are counted"
    (tmp_path / 't.csv').write_text(
        '# made by hand\n\nparticipant,choice,reward,note\nann,a,1,"two\nlines"\n\nann,b,0,\nann,a,won,\nann,b,1,\n'
    )
    with pytest.raises(ValueError, match="got 'won' in participant 'ann', line 8"): read_trials(tmp_path/'t.csv')
