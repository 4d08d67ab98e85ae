"""From two files to everything on disk: the files and their columns, what happens to an output folder, and every
wrong call"""
import os
import pickle
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from spice_rl import Avoidance, Param, Pipeline, avoidance_model, avoidance_tutorial_files, fixed_priors, nll
from spice_rl import pipeline_help, read_avoidance
from spice_rl.inference.fitting import Fit
from spice_rl.output.cli import main
from spice_rl.output.fit_plots import _cohens_d
from spice_rl.output.pipeline_files import _statistics, _two_by_two, _variance

LETTERS = ["A", "B", "E", "F", "N"]


@pytest.fixture(scope="module")
def tables():
    "Six people in three groups"
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    return [f[f.participant_id.isin(["s01", "s02", "s16", "s17", "s31", "s32"])].reset_index(drop=True) for f in frames]


@pytest.fixture
def blank(monkeypatch):
    """Figures are drawn and their files made, but not rendered, which takes most of a run; test_every_file_is_there
    renders them"""
    monkeypatch.setattr("spice_rl.core.style.save_figure", lambda drawn, path: path.touch())


def run(tables, out, **change):
    return Pipeline(seed=1).run(
        **(
            dict(
                mode="fit",
                learning_filename=tables[0],
                transfer_filename=tables[1],
                models=["QLearning+novel", "Advantage"],
                number_of_runs=2,
                simulations=5,
                output_dir=out,
            )
            | change
        )
    )


@pytest.fixture(scope="module")
def done(tables, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "modelling"
    return run(
        tables,
        out,
        random_params="normal",
        fixed=fixed_priors(["QLearning+novel", "Advantage"]),
        bounds={"QLearning": {"temperature": (.01, .5)}},
    ), out


def test_every_file_is_there(done):
    result, out = done
    assert all(f.read_bytes()[:4] in (b"%PDF", b"\x89PNG") for f in out.rglob("*.p*") if f.suffix in (".pdf", ".png"))
    files = {str(f.relative_to(out)) for f in out.rglob("*") if f.is_file() and not f.name.startswith(".")}
    models, groups = ["QLearning+novel", "Advantage"], ["nopain", "acutepain", "chronicpain"]
    assert {f.replace(".pdf", ".png") for f in files if f.endswith(".pdf")} == {
        f for f in files if f.endswith(".png")
    }, "each picture also as a PDF"
    assert files == set(result.files) and {f for f in files if not f.endswith(".pdf")} == {
        "BIC-model-comparisons.png",
        "AIC-model-comparisons.png",
        "group_AIC.csv",
        "group_BIC.csv",
        "group_AIC_percentages.csv",
        "group_BIC_percentages.csv",
        *[f"model_behaviours/{m}_model_behaviours.png" for m in models],
        *[f"parameter_fits/{m}-model-fits.png" for m in models],
        *[f"{g}_model_simulations.png" for g in groups],
        "model_fits_distributions.png",
        "fit-by-runs.png",
        "parameter_of_interest_comparisons.png",
        "fit_data_FIT.pkl",
        "fit_data_FIT.csv",
        "full_fit_data_FIT.pkl",
        "full_fit_data_FIT.csv",
        "fits.csv",
        "modelsimulation_accuracy_data.csv",
        "modelsimulation_choice_data.csv",
        "param_fit_descriptives.csv",
        "pain_fits_linear_results.csv",
        "pain_fits_ttest_results.csv",
        "pain_fits_posthoc_results.csv",
        "parameter_outlier_results.pkl",
        "parameter_outlier_results.csv",
        "predictive_checks.csv",
        "run_FIT.json",
    }


def test_columns(done):
    result, out = done
    read = lambda name: pd.read_csv(out / name)
    for c in ("AIC", "BIC"):
        assert list(read(f"group_{c}.csv")) == ["group", "QLearning+novel", "Advantage", "best_model"]
        assert list(read(f"group_{c}.csv").group) == ["acute pain", "chronic pain", "no pain", "full"]
        assert read(f"group_{c}_percentages.csv")[["QLearning+novel", "Advantage"]].sum(
            axis=1
        ).to_numpy() == pytest.approx(100)
    assert list(read("modelsimulation_choice_data.csv")) == ["model", "group", "participant", *LETTERS]
    assert list(read("param_fit_descriptives.csv")) == ["model", "parameter", "acute pain", "chronic pain", "no pain"]
    assert read("param_fit_descriptives.csv")["no pain"].str.fullmatch(r"-?\d+\.\d+ \(\d+\.\d+\)").all()
    assert list(read("pain_fits_linear_results.csv")) == [
        "model",
        "parameter",
        "F",
        "df_res",
        "df_model",
        "p_value",
        "r_squared",
        "normality",
        "homogeneity",
    ]
    assert set(read("pain_fits_posthoc_results.csv").group1 + read("pain_fits_posthoc_results.csv").group2) == {
        "acute painchronic pain",
        "acute painno pain",
        "chronic painno pain",
    }


def test_fit_data(done, tables):
    "The pickle is written for those who read it; it says the same as the tables"
    result, out = done
    data = pickle.loads((out / "fit_data_FIT.pkl").read_bytes())
    assert list(data) == ["QLearning+novel", "Advantage"]
    assert list(data["Advantage"]) == [
        "participant",
        "pain_group",
        "run",
        "fit",
        "factual_lr",
        "counterfactual_lr",
        "temperature",
        "weighting_factor",
    ]
    trials = read_avoidance(*tables)
    for name, frame in data.items():
        theta = frame.set_index("participant")[list(avoidance_model(name).params)]
        np.testing.assert_allclose(frame.fit, nll(avoidance_model(name), theta, trials), rtol=1e-9)
        runs = pickle.loads((out / "full_fit_data_FIT.pkl").read_bytes())[name]
        assert (
            runs.groupby("participant").fit.min().reindex(frame.participant).to_numpy() >= frame.fit.to_numpy() - 1e-6
        ).all()
        assert list(runs)[:4] == ["participant", "pain_group", "run", "fit"]
    assert data["QLearning+novel"].temperature.max() <= .5


def test_differences_and_effect_sizes_have_one_sign(done):
    for name in ("ttest", "posthoc"):
        t = pd.read_csv(done[1] / f"pain_fits_{name}_results.csv").dropna()
        assert len(t) and (np.sign(t.difference) == np.sign(t.cohens_d)).all()


@pytest.mark.parametrize(
    "x",
    [
        (np.full(26, .3), np.full(29, .3)),
        (np.full(26, .3), np.full(29, .7)),
        (np.full(2, .1 + .2), np.full(50, .1), np.full(7, 1e-3)),
    ],
)
def test_where_nobody_varies_no_test_is_defined(x):
    "The mean of 26 times .3 is not .3, so a sum of squares is not 0, and Welch's p was 1.8e-9"
    names = [f"g{i}" for i in range(len(x))]
    found = Fit(
        "M",
        None,
        pd.DataFrame(dict(a=np.concatenate(x))),
        ("a",),
        {},
        groups=pd.Series(np.repeat(names, [len(v) for v in x])),
    )
    _, anova, pairs, tukey = _statistics("M", found)
    assert anova[["F", "p_value", "r_squared", "normality", "homogeneity"]].isna().all(axis=None)
    assert pairs[["t", "df", "p_value", "cohens_d"]].isna().all(axis=None)
    assert tukey[["p_adjusted", "cohens_d"]].isna().all(axis=None)
    assert pairs.difference[0] == tukey.difference[0] == x[0][0] - x[1][0] and _cohens_d(*x[:2]) is None


def test_where_one_group_varies_tests_are_those_of_scipy():
    x = np.full(26, .3), np.linspace(.1, .9, 9)
    with pytest.warns(RuntimeWarning, match="Precision loss"): pair, = _two_by_two(["a", "b"], x)
    with pytest.warns(RuntimeWarning, match="Precision loss"):
        assert pair["p_value"] == stats.ttest_ind(*x, equal_var=False).pvalue
    assert pair["cohens_d"] == pytest.approx((.3 - .5) / np.sqrt(((x[1] - .5)**2).sum() / 33))
    assert _variance(x)["homogeneity"] == stats.levene(*x).pvalue


def test_same_seed_same_files(done, tables, tmp_path, blank):
    again = run(
        tables,
        tmp_path,
        random_params="normal",
        fixed=fixed_priors(["QLearning+novel", "Advantage"]),
        bounds={"QLearning": {"temperature": (.01, .5)}},
        multiprocessing=True,
    )
    for name in done[0].files:
        if name.endswith(".csv"): assert (tmp_path / name).read_bytes() == (done[1] / name).read_bytes(), name


# The folder

def test_a_run_replaces_its_own_files_only_and_leaves_them_if_it_fails(tables, tmp_path, monkeypatch, blank):
    (tmp_path / "mine.txt").write_text("keep")
    run(tables, tmp_path)
    run(tables, tmp_path, models=["Advantage"])
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert not (tmp_path / "model_behaviours/QLearning+novel_model_behaviours.png").exists()
    assert not list(tmp_path.glob(".unfinished*"))
    assert list(pd.read_csv(tmp_path / "group_BIC.csv")) == ["group", "Advantage", "best_model"]
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    monkeypatch.setattr("spice_rl.output.pipeline._write_figures", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError): run(tables, tmp_path, models=["QLearning"])
    assert before == {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}


@pytest.mark.parametrize(
    "groups, ids",
    [
        (lambda g: "all", lambda i: i.str.replace("s", "an_id_")),
        (
            lambda g: g.replace({"acute pain": "b_2", "no pain": "b_2", "chronic pain": "a 1"}),
            lambda i: i.str[1:].astype(int),
        ),
    ],
)
def test_any_groups_and_ids(tables, tmp_path, groups, ids, blank):
    new = [t.assign(group_code=groups(t.group_code), participant_id=ids(t.participant_id)) for t in tables]
    result = run(new, tmp_path, models=["QLearning"])
    there = sorted(new[0].group_code.unique())
    # one group of everybody is the same row twice
    assert list(result.bic.table().index) == [*there[:len(there) if len(there) > 1 else 0], "full"]
    assert len(result.fits["QLearning"].table) == 6


def test_a_class_of_ones_own(tables, tmp_path, blank):
    class Half(Avoidance):
        params = dict(lr=Param(.1, 0, 1), temperature=Param(.2, .01, 1))
        state = "q",
        def value(p, q): return q
        def learn(p, state, chosen, other, r_chosen, r_other): state.q[chosen] += p.lr * (r_chosen - state.q[chosen])
    assert list(run(tables, tmp_path, models=[Half, "Half+novel"], bounds=dict(Half=dict(lr=(.1, .5)))).fits) == [
        "Half",
        "Half+novel",
    ]


def test_each_model_takes_what_it_has(tables, tmp_path, blank):
    given = dict(
        bounds={"QLearning": {"novel_value": (-.5, .5), "temperature": (.01, .2)}},
        fixed={"QLearning": {"novel_value": .25}},
    )
    both = ["QLearning", "QLearning+novel"]
    fits = run(tables, tmp_path, models=both, **given).fits
    assert list(fits) == both
    assert fits["QLearning+novel"].bounds["novel_value"] == (-.5, .5)
    assert "novel_value" not in fits["QLearning"].bounds
    assert fits["QLearning+novel"].table.novel_value.abs().max() <= .5
    assert all(f.bounds["temperature"] == (.01, .2) for f in fits.values())
    for what in given:   # a name that no model of the family has stays an error
        with pytest.raises(ValueError, match="novel_value"):
            run(tables, tmp_path, models=["QLearning", "Advantage+novel"], **{what: given[what]})


def test_first_participants(tables, tmp_path, blank):
    assert list(
        run([t.assign(group_code="g") for t in tables], tmp_path, models=["QLearning"], number_of_participants=2)
        .fits["QLearning"]
        .table.index
    ) == ["s01", "s02"]


# Wrong calls, before any fit

@pytest.mark.parametrize(
    "change, message",
    [
        (dict(number_of_run=1), "unknown parameter 'number_of_run'; did you mean 'number_of_runs'"),
        (dict(number_of_runs=0), "number_of_runs must be a whole number of at least 1, got 0"),
        (dict(mode="fot"), "mode must be 'fit'"),
        (dict(models="QLearning"), "models must be a list"),
        (dict(models=[]), "models is empty"),
        (dict(models=["Qlearning"]), "unknown model 'Qlearning'; nearest is 'QLearning'"),
        (dict(models=["QLearning", "QLearning"]), "is in models twice"),
        (dict(models=["QLearning+bias"]), "does not apply to QLearning"),
        (dict(random_params="norml"), "must be 'random', 'normal' or False"),
        (dict(bounds={"QLearning": {"temperature": (0.5, 0.1)}}), "lower bound of temperature.*swapped"),
        (dict(bounds={"QLearning": {"temperature": 0.5}}), "must be two numbers"),
        (dict(bounds={"QLearning": {"temprature": (0, 1)}}), "did you mean 'temperature'"),
        (dict(bounds={"Qlearning": {}}), "did you mean 'QLearning'"),
        (dict(bounds={"QLearning+novel": {}}), "without its options"),
        (dict(bounds={"QLearning": {"temperature": (0, 0.5)}}), "must lie within \\(0.01, 1\\)"),
        (dict(fixed={"QLearning": {"weighting_factor": 0.5}}), "unknown parameter in fixed"),
        (
            dict(fixed={"QLearning": {"temperature": 0.5}}, bounds={"QLearning": {"temperature": (0.01, 0.2)}}),
            "the start of temperature must lie within its bounds",
        ),
        (dict(training="torch"), "belongs to no parameter set"),
        (dict(generated=True), "generated is not needed"),
        (dict(recovery="parameter"), "belongs to mode='validation'"),
        (dict(number_of_participants=99), "but there are 6"),
        (dict(learning_filename="nowhere.csv"), "no file 'nowhere.csv'"),
    ],
)
def test_wrong_calls(tables, tmp_path, monkeypatch, change, message):
    monkeypatch.setattr("spice_rl.output.pipeline.fit", lambda *_, **__: pytest.fail("a fit was started"))
    with pytest.raises((ValueError, OSError), match=message): run(tables, tmp_path / "out", **change)
    assert not list(tmp_path.rglob("*.csv"))


def test_what_is_needed(tables):
    with pytest.raises(ValueError, match="mode is needed"): Pipeline(seed=1).run()
    with pytest.raises(ValueError, match="models is needed: list of models"):
        Pipeline(seed=1).run(mode="fit", learning_filename=tables[0], transfer_filename=tables[1])


def test_a_group_of_one(tables, tmp_path):
    few = [t[t.participant_id != "s17"] for t in tables]
    with pytest.raises(ValueError, match="group 'acute pain' has one participant"): run(few, tmp_path)


def test_folders_that_cannot_be_written(tables, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is a file; name a folder"): run(tables, tmp_path / "file")
    with pytest.raises(ValueError, match="cannot make the folder '/proc/nowhere'"): run(tables, "/proc/nowhere")


def test_help(capsys):
    Pipeline(help=True)
    said = capsys.readouterr().out
    assert said.strip() == pipeline_help().strip()
    assert "number_of_runs" in said
    assert "StandardHybrid2021" in said
    assert "seed:" not in said
    assert Pipeline(seed=1).run(help=True) is None


def test_command_line(tables, tmp_path, capsys, blank):
    paths = [str(tmp_path / f"{n}.csv") for n in ("l", "t")]
    for t, p in zip(tables, paths): t.to_csv(p, index=False)
    assert (
        main(
            [
                "fit",
                *paths,
                "--models",
                "QLearning+novel",
                "--bounds",
                "QLearning.temperature:.01:.4",
                "--runs",
                "1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    assert "best model: QLearning+novel" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "out/fits.csv").temperature.max() <= .4
    for bad, message in (
        (["--models", "QLearnin"], "nearest is 'QLearning'"),
        (["--models", "QLearning", "--bounds", "temperature:1"], "MODEL.PARAMETER:LOWER:UPPER"),
        (["--models", "QLearning", "--runs", "0"], "--runs"),
    ):
        assert main(["fit", *paths, *bad, "--out", str(tmp_path / "x")]) == 2
        assert message in capsys.readouterr().err
