"""Odd tables: files as programs write them, and what `read_trials` makes of each. Nothing here is slow.

    python benchmarks/odd_tables.py           # a table of all of them on screen
    python benchmarks/odd_tables.py --write   # and the files themselves, into the folder odd_tables/

Those of programs that are not at hand everywhere (R, PsychoPy, jsPsych, lab.js, polars, Excel, SQLite) are kept in
`tests/tables/`, with the scripts that made them; the others are written here. `tests/test_tables.py` holds each row,
`nbs/howto/odd_tables.ipynb` shows them.
"""
import csv, gzip, io, sqlite3, sys, tempfile, warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from spice_rl import read_trials

KEPT = Path(__file__).resolve().parents[1]/'tests/tables'
CHOICES = ['left', 'right', 'right', None, 'left', 'right', 'left', 'left', 'right', 'right', 'left', 'right']
REWARDS = [.5, 0., 1., np.nan, .5, 0., 1., 0., .5, 1., 0., 1.]
BASE = pd.DataFrame(dict(participant=['01']*6 + ['1']*6, trial=[1, 2, 3, 4, 5, 6]*2, choice=CHOICES, reward=REWARDS))
PLAIN = dict(people=('01', '1'), choices=CHOICES, rewards=REWARDS) # what is in it, however it is written


@dataclass
class Odd:
    "One odd table: how it comes about, how it is read, and what must come out"
    name: str          # of the file
    by: str            # the program
    odd: str           # what is odd about it
    made: object = None                # function → bytes, text or frame; None: kept in tests/tables
    ask: dict = field(default_factory=dict) # arguments of `read_trials`
    truth: dict = None # people, choices, rewards; None: refused
    refused: str = ''  # words of the refusal
    said: object = ''  # words of the warning, or of each of several

    def source(self, folder):
        "The path of the table, written if it has to be, or the frame"
        if self.made is None: return KEPT/self.name
        made = self.made()
        if isinstance(made, pd.DataFrame): return made
        path = Path(folder)/self.name
        path.write_bytes(made.encode() if isinstance(made, str) else made)
        return path

    def read(self, folder):
        "(Trials or None, the refusal or '', warnings)"
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter('always')
            try:
                trials, refusal = read_trials(self.source(folder), **self.ask), ''
            except (ValueError, TypeError) as e:
                trials, refusal = None, str(e).replace(f'{folder}/', '').replace(f'{KEPT}/', '')
        return trials, refusal, [str(w.message) for w in said]


def found(trials):
    "What was read, in the order of the file"
    back = np.argsort(trials._rows)
    code, paid = trials.choice[back], trials.reward[back]
    return dict(people=trials.participants, choices=[None if c < 0 else trials.options[c] for c in code],
                rewards=[np.nan if c < 0 else float(r[c]) for c, r in zip(code, paid)])

def text(**options):
    "The plain table as pandas writes it"
    return lambda frame=BASE: frame.to_csv(index=False, **options)

def coded(encoding, **options): return lambda: text(**options)().encode(encoding)
def changed(**columns): return lambda: BASE.assign(**columns).to_csv(index=False)
def named(*people): return changed(participant=np.repeat(people, 6))
def truth(**changes): return PLAIN | changes

def struct():
    "A struct array of MATLAB, saved and loaded by scipy: a field that was empty is an empty array"
    from scipy.io import loadmat, savemat
    file = io.BytesIO()
    savemat(
        file,
        dict(
            d=dict(
                who=np.repeat([1., 2.], 6),
                choice=np.array(
                    [np.array([]) if c is None else np.array([1. + (c == 'right')]) for c in CHOICES], dtype=object
                ),
                reward=np.array([np.array([]) if np.isnan(r) else np.array([r]) for r in REWARDS], dtype=object),
            )
        ),
    )
    d = loadmat(file, squeeze_me=True)['d'].item()
    return pd.DataFrame(dict(zip(('who', 'choice', 'reward'), d)))

def database():
    with tempfile.TemporaryDirectory() as folder:
        with sqlite3.connect(Path(folder)/'x.db') as c: BASE.to_sql('trials', c, index=False)
        return (Path(folder)/'x.db').read_bytes()

def eprime(feedback=0):
    "As E-DataAid exports: UTF-16, tabs, a line above the header; a trial without a response has a feedback of 0"
    frame = BASE.assign(choice=BASE.choice.map(dict(left=1, right=2)), reward=BASE.reward.fillna(feedback))
    lines = frame.to_csv(index=False, sep='\t', float_format='%g').replace('.0\t', '\t')
    return ('C:\\data\\bandit-all.emrg2\n' + lines).replace('\n', '\r\n').encode('utf-16')

def fixed(): return BASE.fillna({'choice': 'NA'}).to_string(index=False)
def quoted():
    return BASE.assign(comment=['fine', 'a "good" one', 'two\nlines'] * 4).to_csv(index=False, quoting=csv.QUOTE_ALL)
def savetxt():
    file = io.StringIO()
    np.savetxt(
        file,
        np.c_[np.repeat([1, 2], 6), [1, 2, 2, np.nan, 1, 2, 1, 1, 2, 2, 1, 2], REWARDS],
        fmt='%g',
        header='participant choice reward',
    )
    return file.getvalue()

NUMBERED = [None if c is None else 1 + (c == 'right') for c in CHOICES]
TWO = truth(people=(1, 2), choices=NUMBERED)
SIDED = BASE.assign(on_left=['A', 'B']*6, on_right=['B', 'A']*6)
TAKEN = [None if c is None else (('A', 'B'), ('B', 'A'))[i % 2][c == 'right'] for i, c in enumerate(CHOICES)]
KEYS = ['f', 'j', 'j', None, 'f', 'j', 'f', 'f']
ONE = dict(participant='subject', choice='response', reward='points')
JSPSYCH = dict(people=('007',), choices=KEYS, rewards=[1., 0, 1, np.nan, 1, 0, 1, 0])
PSYCHOPY = dict(choice='key_resp.keys', reward='points')
LOOP = dict(
    people=('01',),
    choices=['left', 'right', 'right', None, 'left', 'right', 'left', 'left'],
    rewards=[1, 0, 0, np.nan, 1, 0, 1, 1],
)
QUALTRICS = (
    'participant,choice,reward\n"Who are you?","Which '
    'one?","Points"\n"{""ImportId"":""QID1""}","{""ImportId"":""QID2""}","{""ImportId"":""QID3""}"\n'
    + BASE.drop(columns='trial').to_csv(index=False, header=False)
)

ODD = [
    # separators, decimal marks, encodings, what stands above the header
    Odd('plain.csv', 'pandas', 'nothing', text(), truth=PLAIN),
    Odd('europe.csv', 'Excel in Europe', 'semicolons and decimal commas', text(sep=';', decimal=','), truth=PLAIN),
    Odd(
        'hint.csv',
        'Excel',
        'a line `sep=;` above the header',
        lambda: 'sep=;\n' + text(sep=';', decimal=',')(),
        truth=PLAIN,
    ),
    Odd('tabs.csv', 'pandas', 'tabs in a .csv', text(sep='\t'), truth=PLAIN),
    Odd('commas.tsv', 'pandas', 'commas in a .tsv', text(), truth=PLAIN),
    Odd('unicode.txt', 'Excel, "Unicode text"', 'UTF-16, tabs', coded('utf-16', sep='\t'), truth=PLAIN),
    Odd('bom.csv', 'Excel, "CSV UTF-8"', 'a byte order mark', coded('utf-8-sig', lineterminator='\r\n'), truth=PLAIN),
    Odd(
        'latin.csv',
        'older SPSS',
        'Windows-1252',
        lambda: changed(choice=BASE.choice.replace(dict(left='höher')))().encode('cp1252'),
        truth=truth(choices=['höher' if c == 'left' else c for c in CHOICES]),
        said='was read as Windows-1252',
    ),
    Odd(
        'two_codes.csv',
        'two programs, one after the other',
        'UTF-8 and Windows-1252 in one file',
        lambda: 'participant,choice,reward\nZoë,left,1\n'.encode() + 'Zoë,right,0\n'.encode('cp1252'),
        refused='neither in UTF-8 nor in UTF-16 or Windows-1252 (line 3',
    ),
    Odd('mac.csv', 'Excel for the Mac, older', 'lines end with CR', text(lineterminator='\r'), truth=PLAIN),
    Odd(
        'comments.csv',
        'a lab',
        'comment lines and a blank one above the header',
        lambda: '# Experiment 2, room 3\n# pilot\n\n' + text()(),
        truth=PLAIN,
    ),
    Odd('savetxt.txt', 'numpy.savetxt', 'the header is a comment', savetxt, truth=TWO),
    Odd('spaces.csv', 'by hand', 'a blank after each comma', lambda: text()().replace(',', ', '), truth=PLAIN),
    Odd('fixed.txt', 'pandas to_string', 'columns filled with blanks, NA and NaN', fixed, truth=PLAIN),
    Odd('blank_lines.csv', 'a text editor', 'blank lines', lambda: text()().replace('\n', '\n\n'), truth=PLAIN),
    Odd('quotes.csv', 'csv.writer', 'everything quoted; line breaks within cells', quoted, truth=PLAIN),
    Odd(
        'trailing.csv',
        'a spreadsheet',
        'a separator at the end of each row, not of the header',
        lambda: text()().replace('\n', ',\n').replace(',\n', '\n', 1),
        truth=PLAIN,
    ),
    Odd(
        'comma_comma.csv',
        'a script',
        'decimal commas between commas',
        lambda: 'participant,choice,reward\n' + ''.join(f'a,{c},0,5\n' for c in 'xyxy'),
        refused='if these are decimal commas, save it with semicolons',
    ),
    Odd(
        'thousands.csv',
        'Excel in Europe',
        '1,000: a thousand, or one?',
        lambda: 'participant;choice;reward\n' + ''.join(f'a;{c};1,000\n' for c in 'xyxy'),
        refused='write numbers with a decimal point, and nothing between thousands',
    ),
    # labels
    Odd('dots.csv', 'a lab', 'people 1.1 and 1.10', named('1.1', '1.10'), truth=truth(people=('1.1', '1.10'))),
    Odd(
        'exponents.csv', 'a lab', 'people 1e5 and 100000', named('1e5', '100000'), truth=truth(people=('1e5', '100000'))
    ),
    Odd(
        'hashes.csv',
        'a server',
        'people 12e4567 and 12e04567',
        named('12e4567', '12e04567'),
        truth=truth(people=('12e4567', '12e04567')),
    ),
    Odd('signs.csv', 'a lab', 'people +1 and 1', named('+1', '1'), truth=truth(people=('+1', '1'))),
    Odd(
        'truths.csv',
        'a lab',
        'people TRUE and true',
        named('TRUE', 'true'),
        truth=truth(people=('TRUE', 'true')),
        said='differ only in case',
    ),
    Odd('blank_end.csv', 'a lab', 'people p1 and "p1 "', named('p1', 'p1 '), refused='differ only in blanks'),
    # answers that are none
    Odd(
        'timeout.csv',
        'a lab',
        'timeout for no answer',
        changed(choice=BASE.choice.fillna('timeout')),
        refused="or say missing=['timeout']",
    ),
    Odd(
        'timeout_said.csv',
        'a lab',
        'the same, declared',
        changed(choice=BASE.choice.fillna('timeout')),
        dict(missing='timeout'),
        truth=PLAIN,
    ),
    Odd(
        'null_and_none.csv',
        'a lab',
        'None where nobody answered',
        changed(choice=BASE.choice.fillna('None')),
        truth=PLAIN,
        said="1 choice read as missing, where the column 'choice' says 'None'",
    ),
    Odd(
        'dashes.csv',
        'a lab',
        '-- for no answer',
        lambda: (
            pd.concat([BASE] * 2).sort_values('participant', kind='stable').fillna({'choice': '--'}).to_csv(index=False)
        ),
        refused="or say missing=['--']",
    ),
    Odd(
        'nines.csv',
        'SPSS',
        '999 for no answer',
        lambda: BASE.assign(choice=pd.Series(NUMBERED).fillna(999).astype(int)).to_csv(index=False),
        refused='missing=[999]',
    ),
    Odd(
        'nines_said.csv',
        'SPSS',
        'the same, declared',
        lambda: BASE.assign(choice=pd.Series(NUMBERED).fillna(999).astype(int)).to_csv(index=False),
        dict(missing=999),
        truth=truth(choices=NUMBERED),
    ),
    Odd(
        'loss.csv',
        'SPSS',
        'a reward of -999',
        changed(reward=BASE.reward.mask(BASE.trial == 2, -999)),
        refused="missing={'reward': -999}",
    ),
    Odd(
        'undefined.csv',
        "MATLAB's writetable (by hand)",
        '<undefined> and NaN',
        changed(choice=BASE.choice.fillna('<undefined>'), reward=BASE.reward.astype(object).fillna('NaN')),
        dict(missing='<undefined>'),
        truth=PLAIN,
    ),
    Odd(
        'struct.mat',
        'MATLAB structs through scipy',
        'an empty field is an empty array',
        struct,
        dict(participant='who'),
        truth=truth(people=(1, 2), choices=NUMBERED),
    ),
    # order, sessions, sides
    Odd(
        'shuffled.csv',
        'a database',
        'rows in no order',
        lambda: BASE.iloc[[3, 0, 5, 1, 2, 4, 8, 6, 11, 10, 7, 9]].to_csv(index=False),
        said="the column 'trial' falls from 4 to 1",
        truth=dict(
            people=('01', '1'),
            choices=[CHOICES[i] for i in (3, 0, 5, 1, 2, 4, 8, 6, 11, 10, 7, 9)],
            rewards=[REWARDS[i] for i in (3, 0, 5, 1, 2, 4, 8, 6, 11, 10, 7, 9)],
        ),
    ),
    Odd(
        'days.csv',
        'a lab',
        'a column Day that is not named',
        changed(Day=[1, 1, 1, 2, 2, 2] * 2),
        truth=PLAIN,
        said="with block='Day' it starts anew",
    ),
    Odd(
        'anew.csv',
        'a lab',
        'trials begin at 1 again',
        changed(trial=[1, 2, 3] * 4),
        truth=PLAIN,
        said='does a session begin there?',
    ),
    Odd(
        'sides.csv',
        'a lab',
        'the choice is a side',
        lambda: SIDED.to_csv(index=False),
        dict(left='on_left', right='on_right'),
        truth=truth(choices=TAKEN),
    ),
    Odd(
        'counted.csv',
        'by mistake',
        'choice=trial',
        lambda: (
            pd.concat([BASE] * 4)
            .sort_values('participant', kind='stable')
            .assign(trial=[*range(1, 25)] * 2, reward=1.0)
            .to_csv(index=False)
        ),
        dict(choice='trial'),
        refused='the number of the trial?',
    ),
    # what R writes
    Odd('r_write_csv.csv', 'R, write.csv', 'names of rows, NA', truth=PLAIN),
    Odd('r_write_csv2.csv', 'R, write.csv2', 'semicolons, decimal commas, NA', truth=PLAIN),
    Odd('r_write_table.txt', 'R, write.table', 'blanks; names of rows without a header', truth=PLAIN),
    Odd('r_write_table_tab.txt', 'R, write.table', 'tabs, no quotes, empty cells', truth=PLAIN),
    Odd(
        'r_logical.csv',
        'R',
        'TRUE, FALSE, NA',
        truth=truth(choices=[None if c is None else c == 'left' for c in CHOICES]),
    ),
    Odd(
        'r_utf16.txt',
        'R',
        'UTF-16 without a mark; -999 for no answer',
        ask=dict(missing=-999),
        truth=truth(choices=[None if c is None else 1 + (c == 'left') for c in CHOICES]),
    ),
    Odd('r_saved.rds', 'R, saveRDS', 'no text', refused="'r_saved.rds', an R file; save it as .csv"),
    # what experiments write
    Odd(
        'psychopy_wide.csv',
        'PsychoPy',
        'a last row of nobody, a row of instructions, None for no key',
        ask=PSYCHOPY,
        truth=LOOP,
        said="says 'None'",
    ),
    Odd('psychopy_semi.csv', 'PsychoPy', 'the same with semicolons', ask=PSYCHOPY, truth=LOOP, said="says 'None'"),
    Odd('psychopy_summary.csv', 'PsychoPy, saveAsText', 'one row a condition', refused="no column 'participant'"),
    Odd(
        'jspsych_all.csv',
        'jsPsych',
        'instructions, fixations, a survey',
        ask=ONE,
        refused="Say which rows are trials, such as rows={'task': 'choice'}",
    ),
    Odd(
        'jspsych_all.csv',
        'jsPsych',
        'the same, with rows=',
        ask=ONE | dict(rows=dict(task='choice')),
        truth=JSPSYCH,
        said=("8 of 18 rows are trials", "says 'null'"),
    ),
    Odd(
        'jspsych_choices.csv',
        'jsPsych, filter()',
        'null for no answer',
        ask=ONE,
        truth=JSPSYCH,
        said="1 choice read as missing, where the column 'response' says 'null'",
    ),
    Odd(
        'jspsych.json',
        'jsPsych',
        'JSON, with rows=',
        ask=ONE | dict(rows=dict(task='choice')),
        truth=JSPSYCH,
        said=("8 of 18 rows are trials", "says 'null'"),
    ),
    Odd(
        'labjs.csv',
        'lab.js',
        'most rows are no choices',
        ask=dict(choice='response', reward='points'),
        refused="such as rows={'sender': 'Choice'}",
    ),
    Odd(
        'labjs.csv',
        'lab.js',
        'the same, with rows=',
        ask=dict(choice='response', reward='points', rows=dict(sender='Choice')),
        said='6 of 12 rows are trials',
        truth=dict(
            people=('01',), choices=['left', 'right', 'right', None, 'left', 'right'], rewards=[0, 1, 0, np.nan, 0, 1]
        ),
    ),
    Odd(
        'qualtrics.csv',
        'Qualtrics (by hand)',
        'three lines of header',
        lambda: QUALTRICS,
        refused='is a Qualtrics export',
    ),
    Odd(
        'qualtrics.csv',
        'Qualtrics (by hand)',
        "the same, with source='qualtrics'",
        lambda: QUALTRICS,
        ask=dict(source='qualtrics'),
        truth=PLAIN,
    ),
    Odd(
        'gorilla.csv',
        'Gorilla (by hand)',
        'a last line END OF FILE',
        lambda: text()() + 'END OF FILE,,,\n',
        refused='is a Gorilla export',
    ),
    Odd(
        'gorilla.csv',
        'Gorilla (by hand)',
        "the same, with source='gorilla'",
        lambda: text()() + 'END OF FILE,,,\n',
        ask=dict(source='gorilla'),
        truth=PLAIN,
    ),
    Odd(
        'eprime.txt',
        'E-DataAid (by hand)',
        'UTF-16, a line above the header, feedback without an answer',
        eprime,
        refused='reward 0.0 in participant',
    ),
    Odd(
        'eprime_empty.txt',
        'E-DataAid (by hand)',
        'the same, feedback empty',
        lambda: eprime(np.nan),
        truth=truth(choices=NUMBERED),
        said="what stands above the header of 'eprime_empty.txt' (line 2) is not read",
    ),
    Odd(
        'eprime_log.txt',
        'E-Prime (by hand)',
        'a log',
        lambda: '*** Header Start ***\r\nSubject: 1\r\n*** Header End ***\r\n'.encode('utf-16'),
        refused='holds no LogFrame that ends',
    ),
    # other programs
    Odd('polars.csv', 'polars', 'nothing', truth=PLAIN),
    Odd('polars_bar.txt', 'polars', 'bars, quotes, a byte order mark', truth=PLAIN),
    Odd(
        'polars_bool.csv',
        'polars',
        'true, false',
        truth=truth(choices=[None if c is None else c == 'left' for c in CHOICES]),
    ),
    Odd('sqlite.csv', 'SQLite, -csv', 'nothing', truth=PLAIN),
    Odd('sqlite_list.txt', 'SQLite, -list', 'bars', truth=PLAIN),
    Odd('study.db', 'SQLite', 'no text', database, refused="'study.db', a database"),
    Odd('workbook.xlsx', 'openpyxl', 'no text', refused="'workbook.xlsx', an Excel workbook; save it as .csv"),
    Odd(
        'renamed.csv',
        'somebody',
        'a workbook called .csv',
        lambda: (KEPT / 'workbook.xlsx').read_bytes(),
        refused="'renamed.csv', a zip archive, as Excel",
    ),
    Odd(
        'study.csv.gz',
        'gzip',
        'compressed',
        lambda: gzip.compress(text()().encode(), mtime=0),
        refused='a compressed file',
    ),
    Odd(
        'page.csv',
        'a server',
        'a page to log in',
        lambda: '<!DOCTYPE html><html><body>Please log in</body></html>',
        refused='a web page',
    ),
    # damage
    Odd(
        'cut.csv', 'a full disk', 'the last line is half there', lambda: text()()[:-9], refused='the file was cut off?'
    ),
    Odd(
        'nul.csv',
        'a crash',
        'NUL bytes at the end',
        lambda: text()().encode() + b'\0' * 7,
        refused='the last 7 bytes of',
    ),
    Odd(
        'no_header.csv',
        'a script',
        'no header',
        lambda: BASE.assign(choice=NUMBERED).to_csv(index=False, header=False).replace('01,', '2,'),
        refused='the first line must name the columns',
    ),
    Odd(
        'twice.csv',
        'a merge',
        'two columns of one name',
        lambda: text()().replace('trial', 'reward', 1),
        refused="2 columns of 'twice.csv' are called 'reward'",
    ),
    Odd(
        'ragged.csv',
        'by hand',
        'a line with too many fields',
        lambda: text()().replace('1,3,', '1,3,,,', 1),
        refused='line 4 has 6 fields, and its header 4',
    ),
]

def rows():
    "The table of all: file, program, what is odd, what comes out"
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for odd in ODD:
            trials, refusal, said = odd.read(folder)
            what = f'refused: {refusal}' if trials is None else 'read' + ''.join(f'; said: {s}' for s in said)
            out.append({'file': odd.name, 'written by': odd.by, 'odd': odd.odd, 'what comes out': what})
    return pd.DataFrame(out)


if __name__ == '__main__':
    with pd.option_context('display.max_colwidth', 200, 'display.width', 250): print(rows().to_string(index=False))
    if '--write' in sys.argv:
        Path('odd_tables').mkdir(exist_ok=True)
        for odd in ODD: odd.source('odd_tables')
