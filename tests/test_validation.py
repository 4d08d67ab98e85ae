"""The Pipeline's validation mode: files, the same people again, given parameters, resuming, and bad input"""
import json, os, pickle, signal, subprocess, sys, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spice_rl import Pipeline, avoidance_model, avoidance_tutorial_files, read_avoidance, simulate_like

MODELS = ["QLearning+novel", "Advantage+novel"]


@pytest.fixture(scope="module")
def tables():
    "Six people, two of each group"
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    few = [who for g, mine in frames[0].groupby("group_code", sort=False) for who in mine.participant_id.unique()[:2]]
    return [f[f.participant_id.isin(few)] for f in frames]


def settings(tables, out, **change):
    return (
        dict(
            mode="validation",
            recovery="parameter",
            learning_filename=tables[0],
            transfer_filename=tables[1],
            models=MODELS,
            number_of_runs=2,
            bounds={m.split("+")[0]: {"temperature": (.01, .2)} for m in MODELS},
            output_dir=out,
        )
        | change
    )


def run(tables, out, seed=3, **change): return Pipeline(seed=seed).run(**settings(tables, out, **change))


@pytest.fixture(scope="module")
def validated(tables, tmp_path_factory):
    out = tmp_path_factory.mktemp("modelling")
    return out, run(tables, out), run(tables, out, recovery="model", generate_data=False)


@pytest.fixture(autouse=True)
def unrendered(monkeypatch):
    """Figures are drawn and their files are there, but empty: to write one as pixels and as PDF takes longer than
    all fits of a run (`validated` writes them)"""
    def empty(drawn, path, width=None):
        Path(path).touch()
        return path
    monkeypatch.setattr("spice_rl.core.style.save_figure", empty)


def test_all_files(validated):
    out, parameter, model = validated
    for name in (
        "correlations/recovery_correlation_plot.png",
        *[f"correlations/{m}_correlation_plot.png" for m in MODELS],
        "param_recovery_corrs.csv",
        "fit_data_PARAMETER.pkl",
        "full_fit_data_PARAMETER.pkl",
        *[
            f"data/generated/{m}_0/{m}_0_generated_{part}.csv"
            for m in MODELS
            for part in ("learning", "transfer", "parameters")
        ],
    ):
        assert name in parameter.files and (out / name).stat().st_size, name
    for name in (
        "model_recovery.png",
        "fit_data_MODEL.pkl",
        "full_fit_data_MODEL.pkl",
        "model_recovery_confusion_acutepain.csv",
    ):
        assert name in model.files and (out / name).stat().st_size, name
    assert not [f for f in os.listdir(out) if f.startswith((".unfinished", ".pieces"))]
    corrs = pd.read_csv(out / "param_recovery_corrs.csv")
    assert list(corrs) == ["Model", "Parameter", "Correlation"] and set(corrs.Model) == set(MODELS)
    assert corrs.Correlation.to_numpy() == pytest.approx(parameter.recovery.summary().r.to_numpy())


def test_frames_as_the_seed_reads_them(validated):
    out, parameter, model = validated
    fits = pickle.loads((out / "fit_data_PARAMETER.pkl").read_bytes())
    assert list(fits) == MODELS
    assert list(fits[MODELS[0]])[:4] == ["participant", "pain_group", "run", "fit"]
    assert len(fits[MODELS[0]]) == 6
    fits = pickle.loads((out / "fit_data_MODEL.pkl").read_bytes())
    assert list(fits[MODELS[1]].model.unique()) == MODELS and len(fits[MODELS[1]]) == 12
    both = parameter.recovery.fits[MODELS[0]].nll, model.recovery.fits[MODELS[0]].query("generated == @MODELS[0]").nll
    assert both[0].to_numpy() == pytest.approx(both[1].to_numpy(), abs=.01)   # the same people, fitted again


def test_generated_data_are_what_the_models_do(validated):
    out, *_ = validated
    folder = out / "data/generated/QLearning+novel_0"
    trials = read_avoidance(*(folder / f"QLearning+novel_0_generated_{part}.csv" for part in ("learning", "transfer")))
    true = pd.read_csv(folder / "QLearning+novel_0_generated_parameters.csv", index_col="participant")
    assert true.temperature.between(.01, .2).all()
    assert list(true.index) == list(trials.participants)
    assert true.nunique().min() == 6


def test_same_seed_same_tables(tables, validated, tmp_path):
    out, first, _ = validated
    again = run(tables, tmp_path)
    pd.testing.assert_frame_equal(first.recovery.table, again.recovery.table)
    assert not first.recovery.table.true.equals(run(tables, tmp_path / "other", seed=4).recovery.table.true)


def test_data_sets_are_counted_and_cleared(tables, tmp_path):
    generated = tmp_path / "data/generated"
    two = run(tables, tmp_path, datasets_to_generate=2, models=MODELS[:1], bounds=None)
    assert sorted(os.listdir(generated)) == ["QLearning+novel_0", "QLearning+novel_1"]
    assert two.recovery.summary().n.unique().tolist() == [12]
    run(tables, tmp_path, models=MODELS[1:], bounds=None, clear_data=False)
    assert len(list(generated.rglob("*_parameters.csv"))) == 3
    (generated / "mine.txt").write_text("kept")
    run(tables, tmp_path, models=MODELS[1:], bounds=None)
    assert [p.name for p in generated.rglob("*_parameters.csv")] == ["Advantage+novel_0_generated_parameters.csv"]
    assert (generated / "mine.txt").is_file()


def test_parameters_can_be_given(tables, tmp_path):
    given = {"QLearning": {"temperature": .11, "factual_lr": [.1, .2, .3, .4, .5, .6]}}
    true = run(
        tables, tmp_path, models=MODELS[:1], bounds=None, parameters=given, fixed={"QLearning": {"novel_value": .25}}
    ).recovery.table.pivot(index="participant", columns="parameter", values="true")
    assert (true.temperature == .11).all()
    assert sorted(true.factual_lr) == [.1, .2, .3, .4, .5, .6]
    assert (true.novel_value == .25).all()
    assert (true.counterfactual_lr == .18).all()


def test_parameters_of_an_earlier_fit(tables, tmp_path):
    fitted = Pipeline(seed=1).run(
        mode="fit",
        learning_filename=tables[0],
        transfer_filename=tables[1],
        models=MODELS[:1],
        number_of_runs=1,
        simulations=2,
        output_dir=tmp_path,
    )
    found = run(tables, tmp_path, models=MODELS[:1], bounds=None, fit_filename=tmp_path / "fit_data_FIT.csv")
    true = found.recovery.table.pivot(index="participant", columns="parameter", values="true")
    pd.testing.assert_frame_equal(
        true, fitted.fits[MODELS[0]].parameters.loc[true.index, true.columns], check_names=False, check_exact=True
    )
    # the fit mode's files stay
    assert "BIC-model-comparisons.png" in fitted.files and (tmp_path / "BIC-model-comparisons.png").is_file()


def test_new_trials_in_place_of_files(tmp_path):
    design = {"learning": {"trials": 6, "blocks": 2}, "transfer": {"trials": 1}}
    found = Pipeline(seed=0).run(
        mode="validation",
        recovery="model",
        models=MODELS,
        task_design=design,
        number_of_participants=4,
        number_of_runs=1,
        output_dir=tmp_path,
    )
    assert set(found.recovery.table.n) == {4 * 12 + 32} and found.recovery.table.participant.nunique() == 4


def test_one_process_or_two(tables, validated, tmp_path):
    import joblib
    with joblib.parallel_config(backend="loky", n_jobs=2): again = run(tables, tmp_path)
    pd.testing.assert_frame_equal(validated[1].recovery.table, again.recovery.table)


@pytest.mark.parametrize("recovery", ["parameter", "model"])
def test_each_model_takes_what_it_has(tables, tmp_path, recovery):
    both = ["QLearning", "QLearning+novel"]
    found = run(
        tables,
        tmp_path,
        models=both,
        recovery=recovery,
        bounds={"QLearning": {"novel_value": (-.5, .5)}},
        fixed={"QLearning": {"novel_value": .25}},
    ).recovery
    assert list(found.fits) == both


SCRIPT = """
import sys; sys.path.insert(0, {here!r})
import pandas as pd
from test_validation import run
run([pd.read_csv(f) for f in {files!r}], {out!r}, recovery='model', datasets_to_generate=4)
"""


def test_a_killed_run_goes_on(tables, tmp_path):
    files = [str(tmp_path / f"{part}.csv") for part in ("learning", "transfer")]
    for table, file in zip(tables, files): table.to_csv(file, index=False)
    script = SCRIPT.format(here=str(Path(__file__).parent), files=files, out=str(tmp_path / "killed"))
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | dict(PYTHONPATH=str(Path(__file__).parents[1]))
    )
    pieces = tmp_path / "killed/.pieces_MODEL/pieces"
    while process.poll() is None and len(list(pieces.glob("*.piece"))) < 2: time.sleep(.02)
    with pytest.raises(RuntimeError, match="another run is at work"): run(tables, tmp_path / "killed")
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {f.name: f.stat().st_mtime_ns for f in pieces.glob("*.piece")}
    assert 2 <= len(done) < 8 and not (tmp_path / "killed/model_recovery.png").exists()
    tables = [pd.read_csv(f) for f in files]
    after = run(tables, tmp_path / "killed", recovery="model", datasets_to_generate=4)
    whole = run(tables, tmp_path / "whole", recovery="model", datasets_to_generate=4)
    pd.testing.assert_frame_equal(after.recovery.table, whole.recovery.table)
    assert (tmp_path / "killed/model_recovery_confusion.csv").read_bytes() == (
        tmp_path / "whole/model_recovery_confusion.csv"
    ).read_bytes()
    assert not pieces.exists()


@pytest.mark.parametrize(
    "change, why",
    [
        (dict(recovery="foo"), "recovery must be 'parameter' or 'model', got 'foo'"),
        (dict(recovery=None), "recovery must be"),
        (dict(recovery="model", models=MODELS[:1], bounds=None), "give two or more in models"),
        (dict(generate_data=False), "run with generate_data=True first"),
        (dict(generate_data="no"), "generate_data must be True or False"),
        (dict(clear_data=1), "clear_data must be True or False"),
        (dict(datasets_to_generate=0), "datasets_to_generate must be a whole number of at least 1"),
        (dict(simulations=3), "simulations belongs to mode='fit'"),
        (dict(parameters={"QLearning": {"temprature": .1}}), "did you mean 'temperature'"),
        (dict(parameters={"QLearning+novel": {}}), "without its options"),
        (dict(parameters={"QLearning": {"temperature": 5.}}), "outside the bounds"),
        (dict(parameters={"QLearning": {"temperature": [.1, .2]}}), "one for each of the 6 participants, got 2"),
        (dict(parameters={}, fit_filename="x.csv"), "give one of them"),
        (dict(parameters={}, generate_data=False), "generate_data is False"),
        (dict(fit_filename="fit_data_FIT.pkl"), "a pickle can run code"),
        (dict(fit_filename="nowhere.csv"), "no file 'nowhere.csv'"),
        (dict(task_design={"learning": {"trails": 3}}, number_of_participants=3), "did you mean 'trials'"),
        (dict(task_design=[24]), "must be a dictionary such as"),
        (dict(task_design={"learning": {"trials": 3}}), "how many people to simulate"),
        (dict(number_of_participants=1), "a recovery compares people"),
        (dict(mode="validate"), "mode must be 'fit' or 'validation'"),
    ],
)
def test_bad_input_before_any_work(tables, tmp_path, change, why):
    with pytest.raises(ValueError, match=why): run(tables, tmp_path / "out", **change)
    assert not [f for f in (tmp_path / "out").rglob("*.png")]


def test_a_damaged_data_set_is_refused(tables, tmp_path):
    run(tables, tmp_path, models=MODELS[:1], bounds=None)
    file = tmp_path / "data/generated/QLearning+novel_0/QLearning+novel_0_generated_parameters.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]))
    with pytest.raises(ValueError, match="are not those of"):
        run(tables, tmp_path, models=MODELS[:1], bounds=None, generate_data=False)


def test_simulate_like_gives_the_same_people(tables):
    trials = read_avoidance(*tables)
    a, b = (simulate_like(avoidance_model("QLearning"), trials, seed=1).choice for _ in range(2))
    assert (a == b).all() and not (a == trials.choice).all()
