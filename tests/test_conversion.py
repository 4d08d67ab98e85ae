"""Files as programs for experiments write them: every kept row is the one that was written, and what is no trial is
named"""
import json

import numpy as np
import pytest

from spice_rl import PROGRAMS, Export, read_export, read_trials

KEYS, WON = ["f", "j", None, "f"], [1, 0, None, 1]


def write(folder, **texts):
    for name, text in texts.items(): (folder/name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def psychopy(who, empty="None"):
    rows = [f",{t},{k or empty},{'' if w is None else w},{who}" for t, (k, w) in enumerate(zip(KEYS, WON))]
    return (
        "\n".join(
            ["practice.thisN,trials.thisN,key.keys,won,participant", f",,,,{who}", f"0,,f,1,{who}", *rows, ",,,,"]
        )
        + "\n"
    )


def screens(who):
    out = []
    for t, (k, w) in enumerate(zip(KEYS, WON)):
        out += [dict(subject=who, trial_index=2 * t, trial_type="keyboard", task="cross", response=None),
                dict(subject=who, trial_index=2 * t + 1, trial_type="keyboard", task="choice", response=k, points=w)]
    return out


def same(trials, people):
    assert trials.participants == people
    code = [-1 if k is None else "fj".index(k) for k in KEYS] * len(people)
    np.testing.assert_array_equal(trials.choice, code)
    np.testing.assert_array_equal(
        trials.reward[np.arange(len(code)), code][np.array(code) >= 0], [1, 0, 1] * len(people)
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_folder_of_psychopy(tmp_path):
    write(tmp_path, b__csv=psychopy("7"), a__csv=psychopy("007"), notes__md="no table", _hidden__csv=psychopy("9"))
    ask = dict(choice="key.keys", reward="won", rows="trials")
    (tmp_path/"_hidden.csv").rename(tmp_path/".hidden.csv")
    same(read_trials(tmp_path, **ask), ("007", "7"))
    same(read_trials([tmp_path/"b.csv", tmp_path/"a.csv"], **ask), ("7", "007"))
    export = read_export(tmp_path, rows="trials", choice="key.keys", labels=["participant"])
    assert isinstance(export, Export) and export.line(0) == "4 of a.csv" and export.line(4) == "4 of b.csv"
    assert list(export.frame.file) == ["a"] * 4 + ["b"] * 4


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("jatos", [False, True])
def test_screens_of_jspsych(tmp_path, jatos):
    people = [screens("01"), screens("1")]
    text = "\n".join(map(json.dumps, people)) if jatos else json.dumps(sum(people, []))
    path = write(tmp_path, data__txt=text)/"data.txt"
    ask = dict(choice="response", reward="points")
    same(read_trials(path, **ask, rows=dict(task="choice")), ("01", "1"))
    with pytest.raises(
        ValueError, match=r"10 of 16 rows have no 'response'.*rows=\{'task': 'choice'\}.*'cross' \(8 rows, 0"
    ):
        read_trials(path, **ask)


def test_what_is_left_out_is_said(tmp_path):
    path = write(tmp_path, data__json=json.dumps(screens("a") + screens("b")))/"data.json"
    with pytest.warns(UserWarning, match=r"8 of 16 rows are trials by rows=\{'task': 'choice'\}"):
        read_export(path, rows=dict(task="choice"), choice="response")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_row_a_person(tmp_path):
    names = "ResponseId,RecordedDate,choice_1,won_1,choice_2,won_2,choice_10,won_10\n"
    text = names + "R_1,x,f,1,j,0,f,1\nR_2,x,j,1,,,f,0\n"
    trials = read_trials(write(tmp_path, q__csv=text)/"q.csv", choice="choice_{}", reward="won_{}")
    np.testing.assert_array_equal(trials.choice, [0, 1, 0, 1, -1, 0])   # 10 behind 2
    with pytest.raises(ValueError, match="no column is called 'pick_{}'"):
        read_trials(tmp_path/"q.csv", choice="pick_{}", reward="won_{}")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_columns_of_one_trial_are_named(tmp_path):
    for other in "choice_01", "choice_١":   # an Arabic 1
        text = f"ResponseId,choice_1,{other},choice_2\nR_1,f,j,f\nR_2,j,f,j\n"
        with pytest.raises(ValueError, match=f"'choice_1' and '{other}'"):
            read_trials(write(tmp_path, q__csv=text)/"q.csv", choice="choice_{}", reward=None)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_raised_digit_is_no_number_of_a_trial(tmp_path):
    text = "ResponseId,RecordedDate,choice_1,choice_2,choice_²\nR_1,x,f,j,x\nR_2,x,j,f,y\n"
    trials = read_trials(write(tmp_path, q__csv=text)/"q.csv", choice="choice_{}", reward=None)
    assert trials.choice.tolist() == [0, 1, 1, 0] and trials.to_frame()["choice_²"].tolist() == ["x", "x", "y", "y"]
    trials = read_trials(
        write(tmp_path, q__csv=text.replace("²", "٣")) / "q.csv",
        choice="choice_{}",
        reward=None,
        options=["f", "j", "x", "y"],
    )
    assert trials.choice.tolist() == [0, 1, 2, 1, 0, 3]   # a decimal digit of another script is one


def test_errors_name_file_and_line(tmp_path):
    text = "ID,blockcode,trialcode,subject,response,won\n" + "\n".join(
        f"1,b,t,{w},f,{r}" for w, r in [(1, 1), (1, 0), (2, 1), (2, "x")]
    )
    write(tmp_path, a__csv=text + "\n", b__csv=text.replace("x", "1") + "\n")
    with pytest.raises(ValueError, match="line 5 of a.csv"):
        read_trials(tmp_path, choice="response", reward="won", options=["f", "j"])


@pytest.mark.parametrize(
    "texts, ask, said",
    [
        (
            dict(a__csv=psychopy("1")),
            dict(rows="trial", choice="key.keys"),
            r"the loops here are \['practice', 'trials'\]",
        ),
        (
            dict(a__csv=psychopy("1")),
            dict(rows=dict(part=1), choice="key.keys"),
            "rows names a column 'part' that there is not",
        ),
        (dict(a__csv=psychopy("1")), dict(rows={"key.keys": "k"}, choice="key.keys"), "no row has 'k' in 'key.keys'"),
        (
            dict(a__csv=psychopy("1"), b__json=json.dumps(screens("1"))),
            {},
            "'b.json' and 'a.csv' were not written by the same program",
        ),
        (dict(a__csv=psychopy("1")), dict(program="psychopi"), "the program must be one of psychopy"),
        (dict(a__json="[1, 2]"), {}, "must hold a list of objects, one for each screen, got int"),
        (dict(a__json="[]"), {}, "got an empty list"),
        (dict(a__json='[{"x": 1}'), {}, "cannot read 'a.json' as JSON"),
        (dict(a__txt="*** Header Start ***\nSubject: 1\n*** Header End ***\n"), {}, "holds no LogFrame that ends"),
        (dict(a__csv="x,y\n1,2\n1,2,3\n"), {}, "line 3 of 'a.csv' has 3 fields, its header 2"),
        (dict(a__md=""), {}, "holds no .csv"),
    ],
)
def test_bad_exports(tmp_path, texts, ask, said):
    write(tmp_path, **texts)
    with pytest.raises(ValueError, match=said): read_export(tmp_path, **ask)


def test_rows_and_source_are_for_files(tmp_path):
    import pandas as pd
    with pytest.raises(TypeError, match="are for files"):
        read_trials(pd.DataFrame(dict(choice=["a"])), rows=dict(choice="a"))
    with pytest.raises(FileNotFoundError, match="no file"): read_trials([tmp_path/"nowhere.csv"])
    assert set(PROGRAMS) >= {
        "psychopy",
        "jspsych",
        "gorilla",
        "qualtrics",
        "eprime",
        "opensesame",
        "inquisit",
        "otree",
        "labjs",
    }


def test_practice_that_was_kept_is_named(tmp_path):
    def person(who):
        return [
            dict(
                subject=who,
                trial_index=i,
                trial_type="keyboard",
                task="choice",
                phase="practice" if i < 2 else "main",
                response=k,
                points=1,
            )
            for i, k in enumerate("fjfjf")
        ]
    path = write(tmp_path, data__json=json.dumps(person("a") + person("b")))/"data.json"
    ask = dict(choice="response", reward="points")
    with pytest.warns(
        UserWarning,
        match=r"4 of 10 rows say 'practice' in the column 'phase'.*rows=\{'task': 'choice', 'phase': 'main'\}",
    ):
        assert len(read_trials(path, rows=dict(task="choice"), **ask)) == 10
    with pytest.warns(UserWarning) as said:
        assert len(read_trials(path, rows=dict(task="choice", phase="main"), **ask)) == 6
    assert not [w for w in said if "practice" in str(w.message)]
    import pandas as pd
    frame = pd.DataFrame(
        dict(participant=list("aabb"), choice=list("fjfj"), reward=[1, 0, 1, 0], practice=["yes", "no"] * 2)
    )
    with pytest.warns(
        UserWarning, match=r"2 of 4 rows say 'yes' in the column 'practice'.*frame\[frame\['practice'\] == 'no'\]"
    ):
        read_trials(frame)


def test_a_group_that_practises_is_no_practice():
    import warnings

    import pandas as pd
    frame = pd.DataFrame(
        dict(
            participant=list("aabb"),
            choice=list("fjfj"),
            reward=[1, 0, 1, 0],
            arm=["practice"] * 2 + ["control"] * 2,
            note=["a", "b"] * 2,
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_trials(frame)


@pytest.mark.parametrize(
    "columns, near",
    [
        (["key_resp.keys", "won"], "key_resp.keys"),
        (["Stim.RESP", "Won"], "Stim.RESP"),
        (["Response", "x"], "Response"),
        (["x", "y"], None),
    ],
)
def test_where_answers_may_be_is_said(columns, near):
    import pandas as pd
    with pytest.raises(
        ValueError, match=f"nearest is '{near}'" if near else r"no column 'choice' for choice; there are"
    ):
        read_trials(pd.DataFrame({"participant": [1], **{c: ["f"] for c in columns}}))
