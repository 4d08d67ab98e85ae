"""From an export to a page: twelve files as programs and laboratories write them, of simulated people, each read,
fitted, compared, turned into an equation, checked and reported in at most six lines of Python; some on the command
line, too.

python benchmarks/exports.py             all of them; writes results/exports.csv
python benchmarks/exports.py jspsych     these; the others stay as they are
python benchmarks/exports.py --keep DIR  files and pages stay in DIR, to be looked at

Every recipe runs in a process of its own. `lines`: those of the recipe that really ran (counted by the interpreter),
the import among them; `commands`: for recipes of the command line, how many. `cpu_s`: of the process, in which numba
compiles nothing that it has kept. The five steps: "yes", or what was said where one is not possible."""
import argparse
import csv
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spice_rl import BanditsFlip, RescorlaWagner, SymbolPairs, simulate, task_model, task_world

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / 'benchmarks/results/exports.csv'
STEPS = ('fit', 'comparison', 'equation', 'checks', 'report')
MOST = 6   # lines of Python; of commands two


def learners(seed, environment, n_trials, people=20):
    "Simulated choices of people who differ in learning rate and inverse temperature, and how long they took."
    rng = np.random.default_rng(seed)
    truth = pd.DataFrame(dict(alpha=rng.beta(3, 4, people), beta=2 + rng.gamma(4, .6, people)),
                         index=[f'{i + 1:02d}' for i in range(people)])
    trials = simulate(RescorlaWagner(), environment, truth, n_trials=n_trials, seed=seed)
    return trials, rng.gamma(6, .09, len(trials)).round(3), rng


def rows_of(trials, times):
    "Person, number of the trial, code of the choice, reward (a whole number), and time of each row."
    number = np.arange(len(trials)) - trials.starts[trials.session] + 1
    paid = trials.reward[np.arange(len(trials)), trials.choice]
    return zip([trials.participants[i] for i in trials.participant], number, trials.choice, paid.astype(int), times)


def as_csv(records, separator=',', quote=csv.QUOTE_MINIMAL, header=True):
    "Dicts as a table in text; what a record lacks is empty."
    out, names = io.StringIO(), list(dict.fromkeys(name for r in records for name in r))
    writer = csv.DictWriter(out, names, restval='', delimiter=separator, quoting=quote, lineterminator='\n')
    if header: writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def jspsych(folder):
    "One JSON of all: instructions, a cross, practice, choices between two pictures that change sides, feedback"
    trials, times, rng = learners(1, BanditsFlip(flip=.03), 80)
    screens, index = [], {}
    def add(who, **screen):
        index[who] = index.get(who, -1) + 1
        screens.append(dict(subject=who, trial_index=index[who], time_elapsed=900 * index[who]) | screen)
    for who, t, c, won, rt in rows_of(trials, times):
        if t == 1:
            add(who, trial_type='instructions', rt=8100, view_history=[dict(page_index=0, viewing_time=8100)])
            practice = [('practice', i, int(rng.integers(2)), int(rng.integers(2))) for i in range(4)]
        else: practice = []
        for phase, _, chosen, paid in [*practice, ('main', t, c, won)]:
            left = int(rng.integers(2))
            add(who, trial_type='html-keyboard-response', task='fixation', phase=phase, rt=None, response=None)
            add(who, trial_type='html-keyboard-response', task='choice', phase=phase, rt=round(1000 * rt),
                response='fj'[int(chosen != left)], left=['sun.png', 'moon.png'][left],
                right=['moon.png', 'sun.png'][left], points=int(paid))
            add(who, trial_type='html-keyboard-response', task='feedback', phase=phase, rt=None, response=None)
    (folder / 'jatos_results.json').write_text(json.dumps(screens), encoding='utf-8')
    return folder / 'jatos_results.json', 'reversal'


def psychopy(folder):
    "A folder with a CSV of each person: a loop of practice, the loop of trials, rows of welcome and end"
    trials, times, _ = learners(2, BanditsFlip(flip=.03), 80)
    by, folder = {}, folder / 'data'
    folder.mkdir(exist_ok=True)
    for who, t, c, won, rt in rows_of(trials, times):
        own = by.setdefault(who, [{'welcome.rt': 3.1}, *({'practice.thisRepN': 0, 'practice.thisTrialN': i,
              'practice.thisN': i, 'key_resp.keys': 'left', 'key_resp.rt': .6, 'won': 1} for i in range(3))])
        own.append({'trials.thisRepN': 0, 'trials.thisTrialN': t - 1, 'trials.thisN': t - 1,
                    'key_resp.keys': ('left', 'right')[c], 'key_resp.rt': rt, 'won': won})
    for who, own in by.items():
        own = [r | {'participant': who, 'session': '001', 'expName': 'reversal'} for r in [*own, {'goodbye.rt': 2.2}]]
        names = dict.fromkeys(n for r in own for n in r)
        text = as_csv([{n: r.get(n, '') for n in names} for r in own]) + ',' * (len(names) - 1) + '\n'
        (folder / f'{who}_reversal_2026-11-03_10h12.csv').write_text('\ufeff' + text, encoding='utf-8')
    return folder, 'reversal'


def gorilla(folder):
    "One CSV: a screen a row, the last line END OF FILE; pairs of four symbols, the response is the symbol"
    trials, times, _ = learners(3, SymbolPairs(), 100)
    names, rows = 'ABCD', []
    for (who, t, c, won, rt), offered in zip(rows_of(trials, times), trials.offer):
        about = {'Event Index': 2 * t, 'Participant Private ID': 7000000 + int(who), 'Spreadsheet Row': t}
        rows.append(about | {'display': 'trial', 'Zone Type': 'fixation'})
        rows.append(about | {'Event Index': 2 * t + 1, 'display': 'trial', 'Zone Type': 'response_button_image',
                             'Response': names[c], 'Reaction Time': 1000 * rt, 'left': names[offered[0]],
                             'right': names[offered[1]], 'won': won})
    text = as_csv(rows)
    (folder / 'data_exp_1234-v3_task-abcd.csv').write_text(text + 'END OF FILE\n', encoding='utf-8')
    return folder / 'data_exp_1234-v3_task-abcd.csv', 'pairs of four'


def wide(trials, times, start, name):
    "A dict for each person, with columns for each trial."
    people = {}
    for who, t, c, won, rt in rows_of(trials, times):
        people.setdefault(who, start(who)).update(name(t, c, won, rt))
    return list(people.values())


def qualtrics(folder):
    "One row a person, three lines of header, a column for each trial"
    trials, times, _ = learners(4, BanditsFlip(flip=.05), 60)
    people = wide(trials, times,
                  lambda who: {'StartDate': '2026-11-02 09:14:01', 'RecordedDate': '2026-11-02 09:31:40',
                               'ResponseId': f'R_3p{who}', 'Finished': 'True', 'Q1_age': 20 + int(who)},
                  lambda t, c, won, rt: {f'T{t}_choice': ('Left', 'Right')[c], f'T{t}_points': won})
    names = list(people[0])
    text = as_csv([{n: n for n in names}, {n: json.dumps(dict(ImportId=f'QID_{n}')) for n in names}, *people],
                  quote=csv.QUOTE_ALL)
    (folder / 'Bandit_November 2, 2026_10.02.csv').write_text(text, encoding='utf-8')
    return folder / 'Bandit_November 2, 2026_10.02.csv', 'reversal'


def eprime(folder):
    "A folder with the log of each person (UTF-16), a practice procedure and the trials"
    trials, times, _ = learners(5, BanditsFlip(flip=.03), 80)
    frame = ('\tLevel: 3\n\t*** LogFrame Start ***\n\tProcedure: {}\n\tTrial: {}\n\tStim.RESP: {}\n\tStim.RT: {}\n'
             '\tWon: {}\n\t*** LogFrame End ***\n')
    by, folder = {}, folder / 'logs'
    folder.mkdir(exist_ok=True)
    for who, t, c, won, rt in rows_of(trials, times):
        own = by.setdefault(who, [frame.format('PracticeProc', i + 1, 1, 700, 1) for i in range(3)])
        own.append(frame.format('TrialProc', t, c + 1, round(1000 * rt), won))
    for who, own in by.items():
        head = (f'*** Header Start ***\nVersionPersist: 1\nExperiment: Reversal\nSubject: {int(who)}\nSession: 1\n'
                '*** Header End ***\n')
        end = 'Level: 1\n*** LogFrame Start ***\nExperiment: Reversal\n*** LogFrame End ***\n'
        (folder / f'Reversal-{int(who)}-1.txt').write_text(head + ''.join(own) + end, encoding='utf-16')
    return folder, 'reversal'


def opensesame(folder):
    "A folder with a CSV of each person, all cells quoted, `practice` is yes or no"
    trials, times, _ = learners(6, BanditsFlip(flip=.03), 80)
    by, folder = {}, folder / 'subjects'
    folder.mkdir(exist_ok=True)
    for who, t, c, won, rt in rows_of(trials, times):
        about = dict(subject_nr=int(who), opensesame_version='4.0.24', datetime='11/03/26 10:12:44')
        own = by.setdefault(who, [about | dict(practice='yes', count_trial=0, response='z', response_time=650, won=1)])
        own.append(about | dict(practice='no', count_trial=t, response='zm'[c], response_time=1000 * rt, won=won))
    for who, own in by.items():
        (folder / f'subject-{int(who)}.csv').write_text(as_csv(own, quote=csv.QUOTE_ALL), encoding='utf-8')
    return folder, 'reversal'


def inquisit(folder):
    "One .iqdat of all people, tabs, a row a screen: crosses, choices, feedback"
    trials, times, _ = learners(7, BanditsFlip(flip=.03), 80)
    rows = []
    for who, t, c, won, rt in rows_of(trials, times):
        about = dict(build='6.6.1', date='110326', time='10:12', subject=int(who), blockcode='main')
        rows += [about | dict(trialcode='fixation', trialnum=3 * t, response=0, latency=500, won=''),
                 about | dict(trialcode='choose', trialnum=3 * t + 1, response=('deckA', 'deckB')[c],
                              latency=round(1000 * rt), won=won),
                 about | dict(trialcode='feedback', trialnum=3 * t + 2, response=57, latency=900, won='')]
    (folder / 'bandit_raw.iqdat').write_text(as_csv(rows, '\t'), encoding='utf-8')
    return folder / 'bandit_raw.iqdat', 'reversal'


def otree(folder):
    "One row a participant, columns app.round.player.field"
    trials, times, _ = learners(8, BanditsFlip(flip=.05), 60)
    people = wide(trials, times,
                  lambda who: {'participant.id_in_session': int(who), 'participant.code': f'x7{who}kq',
                               'participant._current_page_name': 'End', 'session.code': 'ab12cd34'},
                  lambda t, c, won, rt: {f'bandit.{t}.player.id_in_group': 1, f'bandit.{t}.player.choice': 'AB'[c],
                                         f'bandit.{t}.player.payoff': float(won)})
    (folder / 'all_apps_wide-2026-11-03.csv').write_text(as_csv(people), encoding='utf-8')
    return folder / 'all_apps_wide-2026-11-03.csv', 'reversal'


def labjs(folder):
    "One CSV of all people, a row a screen, the end of the screen in `ended_on`"
    trials, times, _ = learners(9, BanditsFlip(flip=.03), 80)
    rows = []
    for who, t, c, won, rt in rows_of(trials, times):
        about = dict(participant_id=who)
        if t == 1: rows.append(about | dict(sender='Instruction', sender_type='html.Screen', sender_id='0',
                                            ended_on='response', response='continue'))
        rows += [about | dict(sender='Fixation', sender_type='html.Screen', sender_id=f'1_{t}_0', ended_on='timeout'),
                 about | dict(sender='Choice', sender_type='html.Screen', sender_id=f'1_{t}_1', ended_on='response',
                              response=('left', 'right')[c], duration=1000 * rt, points=won),
                 about | dict(sender='Feedback', sender_type='html.Screen', sender_id=f'1_{t}_2', ended_on='timeout')]
    (folder / 'labjs_data.csv').write_text(as_csv(rows), encoding='utf-8')
    return folder / 'labjs_data.csv', 'reversal'


def comma(x): return f'{x:g}'.replace('.', ',')


def discounting(folder):
    "Semicolons and decimal commas, as Excel saves in half of Europe; less today, or more after some days"
    rng = np.random.default_rng(10)
    truth = pd.DataFrame(dict(k=np.exp(rng.normal(-4, 1, 20)), beta=rng.gamma(4, .25, 20)),
                         index=[f'VP{i + 1:02d}' for i in range(20)])
    trials = simulate(task_model('dd_hyperbolic'), task_world('dd_hyperbolic'), truth, seed=10)
    amount, delay = trials.columns['amount'], trials.columns['delay']
    rows = [dict(VP=who, Durchgang=t, Heute=comma(amount[i, 0]), Spaeter=comma(amount[i, 1]), Tage=comma(delay[i, 1]),
                 Wahl=('heute', 'spaeter')[c], RT=comma(rt))
            for i, (who, t, c, rt) in enumerate(zip([trials.participants[p] for p in trials.participant],
                np.arange(len(trials)) - trials.starts[trials.session] + 1, trials.choice,
                rng.gamma(6, .2, len(trials)).round(3)))]
    (folder / 'Diskontierung.csv').write_text(as_csv(rows, ';'), encoding='cp1252')
    return folder / 'Diskontierung.csv', 'delay discounting'


def reversal(folder):
    "Semicolons and decimal commas; response times in seconds, the chances of the schedule, missed trials, two blocks"
    trials, times, rng = learners(11, BanditsFlip(flip=.03), 100)
    chance, rows = trials.to_frame()[['p_0', 'p_1']].to_numpy(), []
    for (who, t, c, won, rt), p in zip(rows_of(trials, times), chance):
        missed = rng.random() < .03
        rows.append(dict(id=who, block=1 + (t > 50), trial=t, choice='' if missed else ('blue', 'green')[c],
                         points='' if missed else 10 * won, rt='' if missed else comma(rt), p_blue=comma(p[0]),
                         p_green=comma(p[1])))
    (folder / 'reversal_all.csv').write_text(as_csv(rows, ';'), encoding='utf-8-sig')
    return folder / 'reversal_all.csv', 'reversal, response times'


def two_step(folder):
    "Tabs; two stages in the published columns, and a group for each person"
    rng, n = np.random.default_rng(12), 20
    who = [f's{i + 1}' for i in range(n)]
    truth = pd.DataFrame(dict(a=rng.beta(4, 4, n), beta=rng.gamma(9, .5, n), pi=rng.uniform(0, .4, n),
                              w=np.r_[rng.beta(3, 6, n // 2), rng.beta(6, 3, n // 2)]), who)
    model = task_model('ts_par4')
    trials = simulate(model, task_world('ts'), truth, n_trials=150, seed=12)
    return written_two_steps(trials, folder)


def written_two_steps(trials, folder):
    "The two stages of each trial in one row."
    first, second = trials.choice[::2], trials.choice[1::2]
    paid = trials.reward[np.arange(1, len(trials), 2), second]
    who = [trials.participants[i] for i in trials.participant[::2]]
    rows = [dict(subjID=w, group='patient' if int(w[1:]) <= 10 else 'control', level1_choice=a + 1, level2_choice=b - 1,
                 reward=int(r)) for w, a, b, r in zip(who, first, second, paid)]
    (folder / 'two_step.txt').write_text(as_csv(rows, '\t'), encoding='utf-8')
    return folder / 'two_step.txt', 'two steps'


@dataclass(frozen=True)
class Recipe:
    "A file and what a person writes to get from it to a page; FILE and PAGE are put in."
    program: str   # Which program wrote it
    make: object   # Function of a folder that writes it: (path, task)
    form: str      # How the form of the file is known
    lines: str     # Python


IMPORT = 'from spice_rl import bandit_models, compare, discover, fit, read_trials, write_page\n'
GO_ON = '''fits = [fit(model, trials) for model in bandit_models(trials)]
print(compare(fits))
found = discover(trials)
page = write_page([*fits, found], trials, PAGE)
'''
WRITTEN, DOCUMENTED, OWN = 'as the program writes it', 'as it is documented', 'of our own'


def bandit(reading): return f'{IMPORT}trials = read_trials(FILE, {reading})\n{GO_ON}'


RECIPES = [
    Recipe(
        'jsPsych',
        jspsych,
        WRITTEN,
        bandit(
            "rows=dict(task='choice', phase='main'), choice='response', left='left', right='right', sides=('f', 'j'), "
            "reward='points'"
        ),
    ),
    Recipe('PsychoPy', psychopy, WRITTEN, bandit("rows='trials', choice='key_resp.keys', reward='won'")),
    Recipe(
        'Gorilla',
        gorilla,
        DOCUMENTED,
        bandit("rows={'Zone Type': 'response_button_image'}, choice='Response', reward='won', offer=['left', 'right']"),
    ),
    Recipe('Qualtrics', qualtrics, DOCUMENTED, bandit("choice='T{}_choice', reward='T{}_points'")),
    Recipe('E-Prime', eprime, DOCUMENTED, bandit("rows=dict(Procedure='TrialProc'), choice='Stim.RESP', reward='Won'")),
    Recipe('OpenSesame', opensesame, DOCUMENTED, bandit("rows=dict(practice='no'), choice='response', reward='won'")),
    Recipe('Inquisit', inquisit, DOCUMENTED, bandit("rows=dict(trialcode='choose'), choice='response', reward='won'")),
    Recipe('oTree', otree, DOCUMENTED, bandit("choice='bandit.{}.player.choice', reward='bandit.{}.player.payoff'")),
    Recipe('lab.js', labjs, WRITTEN, bandit("rows=dict(sender='Choice'), choice='response', reward='points'")),
    Recipe(
        'delay discounting',
        discounting,
        OWN,
        '''from spice_rl import compare, discover, fit, read_trials, task_model, write_page
trials = read_trials(FILE, participant='VP', choice='Wahl', options=['heute', 'spaeter'], reward=None, sees=dict(amount=['Heute', 'Spaeter'], delay=[0, 'Tage']))
fits = [fit(task_model(name), trials) for name in ('dd_hyperbolic', 'dd_exp', 'dd_cs')]
print(compare(fits))
found = discover(trials)
page = write_page([*fits, found], trials, PAGE)
''',
    ),
    Recipe('reversal', reversal, OWN, bandit("participant='id', reward='points', block='block', trial='trial'")),
    Recipe(
        'two steps',
        two_step,
        OWN,
        '''from spice_rl import compare, discover, fit, read_task, task_model, write_page
trials = read_task('ts', FILE)
fits = [fit(task_model(name), trials, groups='group') for name in ('ts_par4', 'ts_par6')]
print(compare(fits))
found = discover(trials)
page = write_page([*fits, found], trials, PAGE)
''',
    ),
]

RUN = '''
import json, sys, warnings
source, names, ran, said = open(sys.argv[1]).read(), {}, set(), []
code = compile(source, 'recipe', 'exec')
def count(frame, event, arg):
    if frame.f_code is not code: return None
    if event == 'line': ran.add(frame.f_lineno)
    return count
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter('always')
    sys.settrace(count)
    exec(code, names)
    sys.settrace(None)
trials = names['trials']
print(json.dumps(dict(lines=len(ran), rows=len(trials), people=trials.n_participants, fits=len(names['fits']),
                      found=str(names['found']),
                      said=[str(w.message) for w in heard])), file=open(sys.argv[2], 'w'))
'''


def steps(written, page):
    "Which of the five steps were taken, by what lies in the folder of the page."
    text = (page / 'page.html').read_text(encoding='utf-8') if (page / 'page.html').is_file() else ''
    there = dict(fit=(page / 'fits.csv').is_file(), comparison=(page / 'comparison.csv').is_file(),
                 equation='logit[' in written['found'], checks=(page / 'check_points.csv').is_file(), report=bool(text))
    return {name: 'yes' if yes else 'no' for name, yes in there.items()}


def one(recipe, folder):
    "One recipe in a fresh process: a row of the table, and what was heard on the way."
    folder.mkdir(parents=True, exist_ok=True)
    path, task = recipe.make(folder)
    page, script, result = folder / 'page', folder / 'recipe.py', folder / 'result.json'
    script.write_text(recipe.lines.replace('FILE', repr(str(path))).replace('PAGE', repr(str(page))), encoding='utf-8')
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, '-c', RUN, script, result], capture_output=True, text=True, env=environment()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (folder / 'said.txt').write_text(done.stdout + done.stderr, encoding='utf-8')
    if done.returncode: raise SystemExit(f'{recipe.program}: the recipe failed\n{done.stderr[-2000:]}')
    written = json.loads(result.read_text())
    if written['lines'] > MOST: raise SystemExit(f'{recipe.program}: {written["lines"]} lines')
    row = dict(program=recipe.program, file=recipe.make.__doc__, form=recipe.form, rows=written['rows'],
               people=written['people'], task=task, lines=written['lines'],
               cpu_s=round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1))
    return row | steps(written, page), written['said']


def environment():
    settings = dict(line.split('=') for line in (ROOT / '.ci/env').read_text().split())
    return os.environ | settings | dict(PYTHONPATH=str(ROOT))


def main(wanted, keep):
    names = [r.program.lower() for r in RECIPES]
    odd = next((w for w in wanted if w.lower() not in names), None)
    if odd: raise SystemExit(f'no export {odd!r}; there are: {", ".join(names)}')
    known = pd.read_csv(RESULTS).set_index('program').to_dict('index') if RESULTS.is_file() else {}
    with tempfile.TemporaryDirectory() as place:
        for recipe in RECIPES:
            if wanted and recipe.program.lower() not in map(str.lower, wanted): continue
            row, heard = one(recipe, Path(keep or place) / recipe.program.replace(' ', '_'))
            known[row.pop('program')] = row
            print(
                recipe.program,
                {k: row[k] for k in ('rows', 'people', 'lines', 'cpu_s', *STEPS)},
                *heard,
                sep='\n  ',
                flush=True,
            )
            table = pd.DataFrame.from_dict(
                {r.program: known[r.program] for r in RECIPES if r.program in known}, 'index'
            )
            table.rename_axis('program').to_csv(RESULTS)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('programs', nargs='*')
    parser.add_argument('--keep', metavar='DIR')
    args = parser.parse_args()
    main(args.programs, args.keep)
