"The avoidance task and its files; what its eight models are, their likelihoods and laws are in test_avoidance_laws.py"
import numpy as np
import pandas as pd
import pytest
from spice_rl import SYMBOLS, AvoidanceTask, Avoidance, Param, avoidance_model, avoidance_models
from spice_rl import avoidance_tutorial_files, nll, play, read_avoidance, simulate, to_files, with_bias, with_decay
from spice_rl import with_novel

@pytest.fixture(scope="module")
def people():
    "Three people with few trials"
    return simulate(
        avoidance_model("QLearning", temperature=.4),
        AvoidanceTask(n_learning=6, n_transfer=2, groups=dict(zip("abc", "xxy"))),
        pd.DataFrame(dict(temperature=.4), index=list("abc")),
        seed=1,
    )


@pytest.fixture
def tables():
    "The two tables of the people that ship with the package, cut to six"
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    return [f[f.participant_id.isin(["s01", "s02", "s16", "s17", "s31", "s32"])].reset_index(drop=True) for f in frames]


def test_files_come_back(people, tmp_path):
    paths = tmp_path / "learning.csv", tmp_path / "transfer.csv"
    to_files(people, *paths)
    again = read_avoidance(*paths)
    for name in ("choice", "reward", "offer", "context", "participant"):
        np.testing.assert_array_equal(getattr(again, name), getattr(people, name))
    assert dict(again.per_participant("group_code")) == dict(a="x", b="x", c="y")


def test_play_keeps_to_the_offer(people):
    choices = play(avoidance_model("QLearning"), None, people, times=50, seed=3)
    assert choices.shape == (50, len(people)) and (choices[..., None] == people.offer[None, :, :2]).any(2).all()
    np.testing.assert_array_equal(
        choices, play(avoidance_model("QLearning"), None, people, times=50, seed=3, threads=1)
    )


def test_play_agrees_with_the_likelihood(people):
    """The mean log-probability of simulated choices is minus the entropy that the probabilities imply, on transfer
    (nothing learned there depends on choices)"""
    cell = avoidance_model("QLearning+novel", temperature=.5, novel_value=.3, factual_lr=.01, counterfactual_lr=.01)
    choices = play(cell, None, people, times=4000, seed=5)
    rows = np.flatnonzero((people.context == 4) & (people.offer[:, 1] == 8))
    assert (choices[:, rows] == 8).mean() == pytest.approx(1 / (1 + np.exp(-.3 / .5)), abs=.04)


# Bad input

def change(frame, column, value, row=3):
    frame = frame.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    "table, column, value, message",
    [
        (
            0,
            "choice_made",
            np.nan,
            "choice_made is empty in the learning trials, participant 's01', line 5.*missing_choices=True",
        ),
        (1, "choice_made", np.nan, "choice_made is empty in the transfer trials"),
        (0, "choice_made", 2, "must be 0 .left. or 1 .right., got 2"),
        (
            0,
            "feedback_L",
            "ten",
            "'feedback_L' must hold numbers, got 'ten' in the learning trials, participant 's01', line 5",
        ),
        (0, "feedback_R", np.nan, "feedback_R is empty in the learning trials"),
        (
            0,
            "symbol_L_name",
            "80R1",
            "unknown symbol '80R1' in column 'symbol_L_name' of the learning trials, participant 's01', line 5",
        ),
        (1, "symbol_R_name", "Nil", "unknown symbol 'Nil'"),
        (0, "symbol_names", "Reward3", "unknown pair 'Reward3'"),
        (0, "symbol_names", "Punish2", "are not the pair 'Punish2'"),
        (0, "group_code", "other", "has two groups in the learning trials"),
        (1, "participant_id", None, "participant_id is empty in the transfer trials, line 5"),
        (1, "group_code", None, "group_code is empty in the transfer trials"),
    ],
)
def test_bad_cells(tables, table, column, value, message):
    tables[table] = change(tables[table], column, value)
    with pytest.raises(ValueError, match=message): read_avoidance(*tables)


def test_equal_symbols(tables):
    tables[1] = change(change(tables[1], "symbol_L_name", "75R1"), "symbol_R_name", "75R2")
    with pytest.raises(ValueError, match="two symbols of equal value in the transfer trials"): read_avoidance(*tables)


@pytest.mark.parametrize("table, phase", [(0, "learning"), (1, "transfer")])
def test_people_in_one_file_only(tables, table, phase):
    tables[table] = tables[table][tables[table].participant_id != "s16"]
    with pytest.raises(ValueError, match=f"no {phase} trials for participant \\('s16'\\)"): read_avoidance(*tables)


def test_groups_of_the_files_differ(tables):
    tables[1] = tables[1].assign(group_code=tables[1].group_code.replace("no pain", "none"))
    with pytest.raises(ValueError, match="'no pain' in the learning trials but in 'none' in the transfer trials"):
        read_avoidance(*tables)


@pytest.mark.parametrize(
    "column, table, near",
    [
        ("choice_made", 0, "choice_mad"),
        ("feedback_L", 0, "feedback_left"),
        ("group_code", 1, "groupcode"),
        ("symbol_names", 0, "symbolnames"),
    ],
)
def test_missing_columns(tables, column, table, near):
    tables[table] = tables[table].rename(columns={column: near})
    with pytest.raises(ValueError, match=f"(learning|transfer) trials: no column '{column}'.*{near}"):
        read_avoidance(*tables)


def test_missing_and_empty_files(tables, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"): read_avoidance(tmp_path / "nowhere.csv", tables[1])
    with pytest.raises(ValueError, match="learning trials: the table has no rows"):
        read_avoidance(tables[0][:0], tables[1])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match="transfer trials: the file .* is empty"):
        read_avoidance(tables[0], tmp_path / "empty.csv")


def test_ids_of_two_types(tables):
    tables[0] = tables[0].assign(participant_id=tables[0].participant_id.str[1:].astype(int))
    tables[1] = tables[1].assign(participant_id=tables[1].participant_id.str[1:])
    with pytest.raises(ValueError, match="as text in one file and as numbers in the other"): read_avoidance(*tables)


@pytest.mark.parametrize(
    "ids", [lambda s: s.str[1:].astype(int), lambda s: s.str.replace("s", "my_id_"), lambda s: s + " é"]
)
def test_any_kind_of_id_and_group(tables, ids):
    trials = read_avoidance(
        *(
            t.assign(
                participant_id=ids(t.participant_id),
                group_code=t.group_code.map({"no pain": 1, "acute pain": 2, "chronic pain": 3}),
            )
            for t in tables
        )
    )
    assert list(trials.participants) == list(ids(tables[0].participant_id).unique())
    assert set(trials.per_participant("group_code")) == {1, 2, 3}


def test_further_columns_stay(tables):
    tables[0]["rt"] = np.arange(len(tables[0]))
    frame = read_avoidance(*tables).to_frame()
    assert frame.rt[:len(tables[0])].tolist() == list(range(len(tables[0]))) and frame.rt[len(tables[0]):].isna().all()


# Names

def test_names():
    assert set(avoidance_models()) >= {
        "QLearning",
        "ActorCritic",
        "Advantage",
        "Relative",
        "Hybrid2012",
        "Hybrid2021",
        "StandardHybrid2012",
        "StandardHybrid2021",
    }
    assert type(avoidance_model("Hybrid2012+novel+bias")) is type(avoidance_model("Hybrid2012+bias+novel"))
    assert list(avoidance_model("Hybrid2012+decay+novel+bias").params)[-3:] == [
        "valence_factor",
        "novel_value",
        "decay_factor",
    ]
    assert avoidance_model("QLearning+novel", temperature=.3).values["temperature"] == .3


@pytest.mark.parametrize(
    "name, message",
    [
        ("Qlearning+novel", "unknown model 'Qlearning'; nearest is 'QLearning\\+novel'"),
        ("QLearning+nove", "unknown option 'nove'.*nearest is 'QLearning\\+novel'"),
        ("QLearning+bias", "'bias' does not apply to QLearning; nearest is"),
        ("Relative+bias", "does not apply to Relative"),
        ("ActorCritic+novel+novel", "twice"),
        (3, "is a text"),
    ],
)
def test_wrong_names(name, message):
    with pytest.raises(ValueError, match=message): avoidance_model(name)


def test_defaults_are_the_published_centres():
    centres = dict(
        QLearning=[.28, .18, .06],
        ActorCritic=[.33, .33, .48, .06],
        Relative=[.19, .15, .33, .05],
        Advantage=[.28, .18, .06, .5],
        Hybrid2012=[.49, .49, .33, .33, .48, .06, .7],
        Hybrid2021=[.49, .49, .33, .33, .48, .06, .69, .04],
    )
    for name, values in centres.items(): assert list(avoidance_model(name).values.values()) == values
    bounds = dict(
        temperature=(.01, 1),
        mixing_factor=(0, 1),
        valence_factor=(0, 1),
        noise_factor=(0, .2),
        decay_factor=(0, .2),
        novel_value=(-1, 1),
    )
    for name, p in avoidance_model("Hybrid2021+bias+novel+decay").params.items():
        assert (p.lower, p.upper) == bounds.get(name, (.01, .99))


def test_decay_of_the_actor_warns():
    with pytest.warns(UserWarning, match="decay changes nothing in ActorCritic"):
        with_decay(type(avoidance_model("ActorCritic")))()


def test_options_as_functions():
    base = type(avoidance_model("Hybrid2012"))
    assert list(with_novel(with_bias(base)).params) == list(avoidance_model("Hybrid2012+bias+novel").params)
    with pytest.raises(ValueError, match="already"): with_novel(with_novel(base))
    with pytest.raises(ValueError, match="does not apply to QLearning"): with_bias(type(avoidance_model("QLearning")))


def test_a_model_of_ones_own_is_found_by_name(people):
    class Sluggish(Avoidance):
        params = dict(lr=Param(.1, 0, 1), temperature=Param(.2, .01, 1))
        state = "q",
        def value(p, q): return q
        def learn(p, state, chosen, other, r_chosen, r_other): state.q[chosen] += p.lr * (r_chosen - state.q[chosen])
    assert np.isfinite(nll(avoidance_model("Sluggish+novel"), trials=people)).all() and "Sluggish" in avoidance_models()


def test_a_built_in_name_is_taken():
    with pytest.raises(ValueError, match="QLearning is the name of a model of spice_rl.models.qlearning"):
        class QLearning(Avoidance): pass


def test_values_must_be_in_the_state():
    with pytest.raises(ValueError, match="value of Lost asks for 'w', which is not in its state"):
        class Lost(Avoidance):
            params, state = dict(temperature=Param(.2, .01, 1)), ("q",)
            def value(p, w): return w
            def learn(p, state, chosen, other, r_chosen, r_other): pass


def test_symbols():
    assert len(SYMBOLS) == 9 and AvoidanceTask.n_actions == 9
    with pytest.raises(ValueError, match="n_learning must be a whole number of at least 1, got 0"):
        AvoidanceTask(n_learning=0)
    with pytest.raises(ValueError, match="no group for participant"):
        simulate(avoidance_model("QLearning"), AvoidanceTask(groups={0: "a"}), people=2)


def test_a_column_called_phase_is_not_overwritten(tables):
    tables[0]["phase"] = "learning"
    assert len(read_avoidance(*tables)) == sum(map(len, tables))   # says the same: nothing is lost
    tables[1]["phase"] = "scanner"
    with pytest.raises(ValueError, match="the column 'phase' of the transfer trials says 'scanner'.*rename yours"):
        read_avoidance(*tables)


def test_numbers_of_trials_are_whole():
    with pytest.raises(ValueError, match="n_learning must be a whole number of at least 1, got 1.5"):
        AvoidanceTask(n_learning=1.5)
    assert len(AvoidanceTask(n_learning=2., n_transfer=1).design([0])) == 8 + 32


# Labels of people and groups

def test_people_of_files_stay_apart(tables, tmp_path):
    "Text stays text in both files, if one of them needs it"
    paths = tmp_path / "l.csv", tmp_path / "t.csv"
    for named in (("1.1", "1.10"), ("01", "1"), ("1e5", "100000"), ("TRUE", "true")):
        for table, path in zip(tables, paths):
            new = dict(zip(table.participant_id.unique(), named))
            table.assign(participant_id=table.participant_id.map(lambda w: new.get(w, f"x{w}"))).to_csv(
                path, index=False
            )
        trials = read_avoidance(*paths)
        assert trials.participants[:2] == named and trials.n_participants == tables[0].participant_id.nunique()


def test_numbers_of_files_are_numbers_in_both(tables, tmp_path):
    paths = tmp_path / "l.csv", tmp_path / "t.csv"
    for table, path in zip(tables, paths):
        table.assign(
            participant_id=table.participant_id.factorize()[0] + 9, group_code=table.group_code.factorize()[0]
        ).to_csv(path, index=False, sep=";", encoding="utf-16")
    trials = read_avoidance(*paths)
    assert trials.participants == tuple(range(9, 9 + trials.n_participants))
    assert set(trials.per_participant("group_code")) == set(range(tables[0].group_code.nunique()))


@pytest.mark.parametrize("column", ["participant_id", "group_code"])
def test_blanks_at_the_end_of_labels(tables, column):
    one = tables[0][column].iloc[0]
    tables[0].loc[tables[0].index[5], column] = f"{one} "
    with pytest.raises(
        ValueError, match=rf"learning trials: {column} {one!r} and '{one} ' \(line 7\) differ only in blanks"
    ):
        read_avoidance(*tables)


def test_a_code_in_place_of_an_outcome(tables):
    tables[0].loc[tables[0].index[:3], "feedback_L"] = -999
    with pytest.raises(
        ValueError,
        match="feedback_L is -999 in the learning trials, participant .*, line 2 \\(3 such rows\\), apart from all "
              "others",
    ):
        read_avoidance(*tables)
