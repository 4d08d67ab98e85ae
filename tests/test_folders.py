"""Files and folders: the old result or the new one after a kill at any point, one run at a time, names inside, links
not followed, a full disk named."""
import json, os, random, re, resource, shutil, signal, subprocess, sys, textwrap, time, warnings
from html import unescape
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from killing import files, hidden, in_a_fork, verdict
from spice_rl.models.avoidance import avoidance_tutorial_files
from spice_rl.models.bandits import AgentQ, BanditsDrift, BanditsFlip, RescorlaWagner
from spice_rl.output.cli import main
from spice_rl.output.equation_folder import DiscoveryFolder, write_discovery
from spice_rl.core.playing import simulate
from spice_rl.discovery.estimator import SpiceEstimator
from spice_rl.inference.fitting import fit
from spice_rl.core.folders import FolderHeld, check_places, claim, file_names, finished, held, inside, listed, publish
from spice_rl.core.folders import staged, write_table, write_text, written
from spice_rl.core.pieces import _to_text, run_pieces
from spice_rl.output.page import write_page
from spice_rl.output.pipeline import Pipeline
from spice_rl.output.apa import literal
from spice_rl.output.report import write_report
from spice_rl.output.run_folder import RunFolder
from spice_rl.core.style import save_figure

pytestmark = [
    pytest.mark.filterwarnings("ignore:the equation keeps only", "ignore:no two of", "ignore:.* holds a run with"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed in a fork"),
]


# Killed at every point

def result(folder, texts, keep=(), kinds=("FIT",)):
    "A run that writes these files"
    with held(folder) as folder:
        claimed = claim(folder, {kind: "data" if kind == "DATA" else "" for kind in kinds})
        with staged(folder) as place:
            for name, text in texts.items():
                (place/name).parent.mkdir(parents=True, exist_ok=True)
                write_text(place/name, text)
            return publish(folder, place, claimed, keep)


OLD = {
    "fits.csv": "old",
    "figures/a.png": "old",
    "figures/gone/b.png": "old",
    "data/x.csv": "old",
    "run_FIT.json": "{\"old\": 1}",
}
NEW = {
    "fits.csv": "new",
    "figures/a.png": "new",
    "more/c.png": "new",
    "data/y.csv": "new",
    "run_FIT.json": "{\"new\": 1}",
}


@pytest.mark.parametrize("before, keep", [("nothing", ()), ("a result", ()), ("a result", ("DATA",))])
def test_killed_at_every_point(tmp_path, before, keep):
    made, kinds = tmp_path/"made", ("DATA", "FIT")
    for name, texts in dict(old=OLD, new=NEW).items():
        (made/name).mkdir(parents=True)
        (made/name/"mine.txt").write_text("mine")
        if before == "a result" or name == "new": result(made/name, OLD if before == "a result" else NEW, kinds=kinds)
    if before == "a result": result(made/"new", NEW, keep, kinds)
    old, new = files(made/"old"), files(made/"new")
    assert ("data/x.csv" in new) == (before == "a result" and bool(keep))
    assert "figures/gone/b.png" not in new
    assert not (made/"new/figures/gone").exists()
    seen, at = [], 0
    while True:
        folder = tmp_path/f"{at}"
        shutil.copytree(made/"old", folder)
        ended, n = in_a_fork(lambda: result(folder, NEW, keep, kinds), folder, at=at)
        assert ended in ("killed", "done")
        seen.append(verdict(folder, old, new, "run_FIT.json"))
        if ended == "done": break
        at += 1
    assert at > 30 and seen == sorted(seen, key=["old", "new"].index) and {*seen} == {"old", "new"}, (
        "first always the old one, from one point on always the new one"
    )


@settings(max_examples=12, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c/a", "c/d/a", "e"]), st.text(max_size=3), max_size=5),
    st.dictionaries(st.sampled_from(["a", "b", "c/a", "c/d/a", "e"]), st.text(max_size=3), max_size=5),
    st.lists(st.integers(0, 60), min_size=1, max_size=3),
)
def test_killed_again_and_again(tmp_path_factory, one, two, points):
    "Kills while a killed run is being finished, too"
    folder = tmp_path_factory.mktemp("killed")
    for texts in (one, two): texts["run_FIT.json"] = json.dumps(texts)
    result(folder, two)
    new = files(folder)
    shutil.rmtree(folder)
    result(folder, one)
    old = files(folder)
    for at in points:
        in_a_fork(lambda: result(folder, two), folder, at=at)
        seen = files(folder)
        assert seen.items() <= old.items() or seen.items() <= new.items()
    assert verdict(folder, old, new, "run_FIT.json") in ("old", "new")


def test_one_file_is_old_or_new(tmp_path):
    fitted = fit(AgentQ(), simulate(AgentQ(), BanditsDrift(), people=3, n_trials=30, seed=1), starts=1, threads=1)
    figure = plt.figure(figsize=(2, 1))
    figure.add_axes((.2, .2, .7, .7)).plot([1, 2])
    figure.axes[0].set_axis_off()       # to write fonts into a file takes ten times as long
    for name, write in {
        "fits.csv": fitted.to_csv,
        "a.pdf": lambda path: save_figure(figure, path),
        "a.png": lambda path: save_figure(figure, path),
    }.items():
        folder = tmp_path/name.replace(".", "_")
        folder.mkdir()
        write(folder/name)
        new, size = files(folder), (folder/name).stat().st_size
        (folder/name).write_text("old")
        old, ended = files(folder), None
        for stop in [*(dict(at=k) for k in range(6)), *(dict(size=int(size * x)) for x in (.001, .3, .9))]:
            (folder/name).write_text("old")
            ended, n = in_a_fork(lambda: write(folder/name), folder, **stop)
            if ended == "done" and "at" in stop: assert files(folder) == new and n <= stop["at"]
            else: assert ended == "killed" and files(folder) in (old, new)
        write(folder/name)
        assert files(folder) == new and not hidden(folder), "what was left half written goes with the next file"


@pytest.fixture(scope="module")
def found():
    "Two discoveries and their data"
    out = []
    for seed, alpha in ((1, .3), (2, .8)):
        trials = simulate(AgentQ(alpha_reward=alpha, beta_reward=3.), BanditsDrift(), people=4, n_trials=30, seed=seed)
        data = trials.to_dataset()
        out.append((SpiceEstimator(starts=1, epochs=20).fit(data.xs, data.ys), trials))
    return out


@pytest.fixture(scope="module")
def tables():
    "The first six people that ship with the package, in two groups"
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    frames = [f[f.participant_id.isin(["s01", "s02", "s16", "s17"])].reset_index(drop=True) for f in frames]
    return frames


@pytest.fixture
def quick(monkeypatch):
    "Runs of Pipeline and discoveries that draw next to nothing; benchmarks/kills.py kills those that draw"
    def write(result, folder, names):
        for name in [
            "BIC-model-comparisons.png",
            *(f"parameter_fits/{names['models'][m]}-model-fits.png" for m in result.fits),
        ]:
            (folder/name).parent.mkdir(exist_ok=True)
            write_text(folder/name, name)
    monkeypatch.setattr("spice_rl.output.pipeline._write_figures", write)
    monkeypatch.setattr(
        "spice_rl.output.equation_folder._figures",
        lambda *_: ({name: plt.figure(figsize=(.1, .1)) for name in ("equation.png", "session.png")}, {}),
    )


def pipeline(tables, out, seed=1, **change):
    arguments = dict(
        mode="fit",
        learning_filename=tables[0],
        transfer_filename=tables[1],
        models=["QLearning"],
        number_of_runs=1,
        simulations=2,
        random_params=False,
        output_dir=out,
    )
    return Pipeline(seed=seed).run(**(arguments | change))


def killed_at_shares(tmp_path, first, second, shares, record):
    "Two runs into one folder, the second killed at these shares of its changes"
    for name, work in dict(old=[first], new=[first, second]).items():
        for run in work: run(tmp_path/name)
    old, new = files(tmp_path/"old"), files(tmp_path/"new")
    assert old != new
    shutil.copytree(tmp_path/"old", tmp_path/"count")
    ended, n = in_a_fork(lambda: second(tmp_path/"count"), tmp_path/"count")
    assert ended == "done" and files(tmp_path/"count") == new
    seen = []
    for share in shares:
        folder = tmp_path/f"at {share}"
        shutil.copytree(tmp_path/"old", folder)
        ended, _ = in_a_fork(lambda: second(folder), folder, at=int(share * n))
        assert ended == "killed"
        seen.append(verdict(folder, old, new, record))
    return seen


def test_discovery_is_old_or_new(found, quick, tmp_path):
    assert killed_at_shares(
        tmp_path,
        *((lambda folder, pair=pair: write_discovery(*pair, folder)) for pair in found),
        (.3, .97),
        "run_DISCOVER.json",
    ) == ["old", "new"]


def test_pipeline_is_old_or_new(tables, quick, tmp_path):
    assert killed_at_shares(
        tmp_path,
        lambda folder: pipeline(tables, folder),
        lambda folder: pipeline(tables, folder, models=["QLearning", "Advantage"]),
        (.4, .8, .97),
        "run_FIT.json",
    )[::2] == ["old", "new"]


# One run at a time

def test_a_second_run_is_refused(found, tables, quick, tmp_path):
    (tmp_path/"d").mkdir()
    with held(tmp_path/"d", what="somebody"):
        for second in (
            lambda: write_discovery(*found[0], tmp_path / "d"),
            lambda: pipeline(tables, tmp_path / "d"),
            lambda: result(tmp_path / "d", OLD),
        ):
            with pytest.raises(
                FolderHeld,
                match=rf"another run is at work in .*\(somebody, process {os.getpid()} on .*wait until it ends, or "
                      rf"choose another",
            ):
                second()
    assert not files(tmp_path/"d")
    result(tmp_path/"d", OLD)


def test_the_command_line_is_refused_before_the_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "spice_rl.discovery.estimator.SpiceEstimator.fit",
        lambda *_: pytest.fail("worked before it looked at the folder"),
    )
    with held(tmp_path/"out"):
        assert main(["demo", "--out", str(tmp_path/"out")]) == 2
    said = capsys.readouterr().err
    assert "another run is at work in" in said and "choose another --out" in said and said.count("\n") == 1


def test_a_lock_ends_with_its_process(tmp_path):
    def hold():
        with held(tmp_path): os.kill(os.getpid(), signal.SIGKILL)
    assert in_a_fork(hold, tmp_path)[0] == "killed"
    result(tmp_path, OLD)


# Records

@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[1]", "null", "[\"../precious.txt\", \"/etc/hostname\", \"link/x\", \"\", \"..\"]"]
)
def test_a_damaged_or_foreign_list_deletes_nothing(tmp_path, text):
    folder, other = tmp_path/"a", tmp_path/"b"
    other.mkdir()
    for p in (tmp_path/"precious.txt", other/"x"): p.write_text("mine")
    result(folder, OLD)
    (folder/"link").symlink_to(other)
    (folder/".files_FIT.json").write_text(text)
    with pytest.warns(UserWarning, match="counts as none|is no file inside the folder"): result(folder, NEW)
    assert (tmp_path/"precious.txt").read_text() == (other/"x").read_text() == "mine"
    assert (folder / "fits.csv").read_text() == "new" and not list(folder.glob("*before*")), (
        "the record says whose these files are"
    )


def test_files_of_somebody_else_are_kept(tmp_path):
    (tmp_path/"fits.csv").write_text("mine")
    with pytest.warns(UserWarning, match=r"1 file stood .* 'fits.csv' is 'fits \(before 1\).csv'"):
        result(tmp_path, OLD)
    assert (tmp_path/"fits (before 1).csv").read_text() == "mine" and (tmp_path/"fits.csv").read_text() == "old"
    result(tmp_path, NEW)
    assert (tmp_path/"fits (before 1).csv").read_text() == "mine"


@pytest.mark.parametrize(
    "plan",
    [
        "",
        "[]",
        "{}",
        dict(staged="..", away=[], new=[], aside={}),
        dict(staged=".unfinished-00000000", away=["../precious.txt"], new=[], aside={}),
        dict(staged=".unfinished-00000000", away=[], new=["a/../../x"], aside={}),
        dict(staged=".unfinished-00000000", away=[], new=[], aside={"a": "/tmp/x"}),
    ],
)
def test_a_foreign_plan_is_refused(tmp_path, plan):
    (tmp_path/"precious.txt").write_text("mine")
    result(tmp_path/"a", OLD)
    (tmp_path/"a/UNFINISHED.json").write_text(plan if isinstance(plan, str) else json.dumps(plan))
    for open_it in (lambda: finished(tmp_path/"a"), lambda: result(tmp_path/"a", NEW), lambda: RunFolder(tmp_path/"a")):
        with pytest.raises(ValueError, match="is damaged or names files outside the folder; delete it"): open_it()
    assert (tmp_path/"precious.txt").read_text() == "mine" and (tmp_path/"a/fits.csv").read_text() == "old"


def test_a_folder_belongs_to_one_kind_of_run(found, tables, quick, tmp_path):
    pipeline(tables, tmp_path/"p")
    with pytest.raises(ValueError, match="holds another kind of run .*choose another folder"):
        write_discovery(*found[0], tmp_path / "p")
    write_discovery(*found[0], tmp_path/"d")
    with pytest.raises(ValueError, match="holds a discovered equation .*choose another output_dir"):
        pipeline(tables, tmp_path / "d")
    with pytest.warns(
        UserWarning, match=r"holds a run with other data \(seed 0, 4 participants\); its files are replaced"
    ):
        write_discovery(*found[1], tmp_path / "d")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_discovery(*found[1], tmp_path/"d")


# Names and links

@given(
    st.lists(
        st.one_of(
            st.text(max_size=400),
            st.sampled_from(
                ["../x", "/etc/x", "CON", "a", "A", "a.", ".a", "-a", "ä", "a\u0308", "x" * 300, "x" * 299 + "y"]
            ),
        ),
        unique=True,
        max_size=8,
    )
)
def test_names_are_safe_and_apart(labels):
    names = file_names(labels)
    assert list(names) == labels and len({n.casefold() for n in names.values()}) == len(labels)
    for name in names.values():
        assert 0 < len(name.encode()) <= 100
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]|^[. -]|[. ]$', name)
        assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name)
        assert inside("/folder", name) == Path("/folder", name)


ODD = ["../../../escaped", "x" * 300, "a b", "ab", "<b>x</b>", r"*y* [a](http://b) | $\no$"]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    "A run with groups of these names, and a report on it, made in a folder full of modules"
    frames = [pd.read_csv(f) for f in avoidance_tutorial_files()]
    who = sorted(frames[0].participant_id.unique())[:2 * len(ODD)]
    frames = [
        f[f.participant_id.isin(who)].assign(group_code=f.participant_id.map(dict(zip(who, ODD * 2)))) for f in frames
    ]
    out, here = tmp_path_factory.mktemp("odd")/"deep/er/still/out", tmp_path_factory.mktemp("here")
    def dot(figure, path):
        with plt.style.context("default"): plt.figure(figsize=(.1, .1)).savefig(path)
        plt.close()
    with pytest.MonkeyPatch.context() as patch:
        # what is in the pictures does not matter here, what they are called does
        patch.setattr("spice_rl.core.style.save_figure", dot)
        made = pipeline(frames, out)
    record = json.loads((out/"run_FIT.json").read_text())
    record["platform"], record["models"]["QLearning"]["about"], record["models"]["QLearning"]["latex"] = (
        "<i>p</i>",
        "![x](http://y) <u>z</u>",
        r"\text{<s>q</s>}",
    )
    (out/"run_FIT.json").write_text(json.dumps(record))
    for name in ("pandas", "numpy", "ipykernel_launcher", "statistics", "matplotlib", "traitlets", "pyarrow"):
        (here / f"{name}.py").write_text(
            f"open({str(here / 'RAN')!r}, 'a').write(__name__)\nraise ImportError('a file of the current folder')"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("PYTHONPATH", os.pathsep.join(["", ".", os.environ.get("PYTHONPATH", "")]))
        return made, out, here, write_report(out)[0].read_text()


pytestmark.append(pytest.mark.filterwarnings("ignore:constrained_layout not applied"))


def test_groups_of_any_name(odd):
    made, out, here, page = odd
    assert not [p for p in out.parents[3].rglob("*escaped*") if out not in p.parents] and sum(
        "model_simulations.png" in f for f in made.files
    ) == len(ODD), "'a b' and 'ab' are two groups"
    for label in ODD:
        assert f"All Models in Place of the Group {label}" in unescape(re.sub(r"<[^>]+>", "", page)), label


def test_no_module_of_the_current_folder_is_run(odd): assert not (odd[2]/"RAN").exists()


def test_html_of_labels_is_text(odd):
    page = odd[3]
    assert not re.search(r"<b>x|<i>p|<u>z|<s>q|<img[^>]*src=\"(?!data:)|<a\b|href=\"http", page)
    text = unescape(re.sub(r"<[^>]+>", "", page))
    for label in ODD: assert f"{label}, n = 2" in text, label
    for said in ("<i>p</i>", "x (http://y) <u>z</u>", "<s>q</s>"): assert said in text, said


def test_links_are_not_followed(tables, quick, tmp_path):
    (tmp_path/"other").mkdir()
    (tmp_path/"secret.png").write_bytes(b"secret")
    for name in ("model_behaviours", "parameter_fits"):
        out = tmp_path/f"out {name}"
        out.mkdir()
        (out/name).symlink_to(tmp_path/"other")
        with pytest.raises(ValueError, match="is a symbolic link, and links in a folder of results are not followed"):
            pipeline(tables, out)
    assert not list((tmp_path/"other").iterdir())
    (tmp_path/"lock").mkdir()
    (tmp_path/"lock/.lock").symlink_to(tmp_path/"secret.png")
    with pytest.raises(ValueError, match="is a symbolic link"): pipeline(tables, tmp_path/"lock")
    assert (tmp_path/"secret.png").read_bytes() == b"secret"
    result(tmp_path/"r", OLD)
    (tmp_path/"r/fits.csv").unlink()
    (tmp_path/"r/fits.csv").symlink_to(tmp_path/"secret.png")
    result(tmp_path/"r", NEW)   # the link goes, not what it leads to
    assert (tmp_path/"secret.png").read_bytes() == b"secret" and not (tmp_path/"r/fits.csv").is_symlink()


def test_no_picture_from_outside_gets_into_a_page(tables, quick, tmp_path):
    out = tmp_path/"out"
    pipeline(tables, out)
    picture = out/"BIC-model-comparisons.png"
    shutil.move(picture, tmp_path/"outside.png")
    picture.symlink_to(tmp_path/"outside.png")
    with pytest.raises(ValueError, match="is a symbolic link"): write_report(out)
    (out/".files_FIT.json").write_text(json.dumps([*json.loads((out/".files_FIT.json").read_text()), "../outside.png"]))
    with pytest.warns(UserWarning, match="is no file inside the folder"):
        assert "../outside.png" not in RunFolder(out).figures("FIT")


def test_places_are_checked_before_the_work(tables, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "spice_rl.output.pipeline.fit", lambda *_, **__: pytest.fail("fitted before it looked at the folder")
    )
    (tmp_path/"run_FIT.json").mkdir()
    with pytest.raises(ValueError, match="is a folder, and a file of that name is to be written"):
        pipeline(tables, tmp_path)
    (tmp_path/"run_FIT.json").rmdir()
    (tmp_path/"parameter_fits").write_text("mine")
    with pytest.raises(ValueError, match="is a file, and a folder is needed there"): pipeline(tables, tmp_path)
    assert (tmp_path/"parameter_fits").read_text() == "mine" and not hidden(tmp_path)


# A full disk

def too_big(work, folder, size):
    "The error of a process whose files may have no more than so many bytes"
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        work()
    return in_a_fork(limited, folder)[0]


def test_a_full_disk_is_named_and_leaves_the_old_result(found, tables, quick, tmp_path):
    fitted = fit(AgentQ(), simulate(AgentQ(), BanditsDrift(), people=8, n_trials=30, seed=1), starts=1, threads=1)
    write_discovery(*found[0], tmp_path/"d")
    pipeline(tables, tmp_path/"p")
    (tmp_path/"c").mkdir()
    (tmp_path/"c/fits.csv").write_text("old")
    for folder, work in dict(
        d=lambda: write_discovery(*found[1], tmp_path / "d"),
        p=lambda: pipeline(tables, tmp_path / "p", seed=2),
        c=lambda: fitted.to_csv(tmp_path / "c/fits.csv"),
    ).items():
        before = files(tmp_path/folder)
        said = too_big(work, tmp_path/folder, 900)
        assert re.search(
            rf"File too large; what was there before is unchanged: '{tmp_path}/{folder}/[\w.-]+\.\w+'", said
        ), said
        assert files(tmp_path/folder) == before and not hidden(tmp_path/folder)


def test_devices_are_written_to(tmp_path):
    write_text("/dev/null", "x")
    assert not os.path.isfile("/dev/null") and os.path.exists("/dev/null")


# Labels

def test_formulas_are_said_and_written_as_they_are(tmp_path):
    frame = pd.DataFrame(dict(group=["=1+1", "a", "-3", "+1.5e3", "@x"], n=range(5)))
    with pytest.warns(
        UserWarning, match=r"2 labels begin as a formula does \('=1\+1'\).*written into .*a.csv' as they are"
    ):
        write_table(frame, tmp_path / "a.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path/"a.csv", dtype=dict(group=str)), frame, check_dtype=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_table(frame[2:4], tmp_path/"a.csv")


# A report of what a killed run has left

def test_a_report_of_a_killed_run_is_of_the_new_one(tables, quick, tmp_path):
    first = lambda folder: pipeline(tables, folder)
    second = lambda folder: pipeline(tables, folder, models=["Advantage"])
    first(tmp_path/"a")
    def record_comes(event, args):
        return (
            event == "os.rename" and str(args[1]) == str(tmp_path / "a/run_FIT.json") and ".unfinished-" in str(args[0])
        )
    assert in_a_fork(lambda: second(tmp_path/"a"), tmp_path/"a", when=record_comes)[0] == "killed"
    assert (tmp_path/"a/UNFINISHED.json").exists() and not (tmp_path/"a/run_FIT.json").exists()
    assert RunFolder(tmp_path/"a").models.keys() == {"Advantage"}
    assert list(pd.read_csv(tmp_path/"a/group_BIC.csv")) == ["group", "Advantage", "best_model"]
    assert not (tmp_path/"a/UNFINISHED.json").exists()


@pytest.mark.parametrize("before", [False, True])
def test_a_page_of_a_killed_run_is_of_the_new_one(tmp_path, capsys, before):
    trials = simulate(
        RescorlaWagner(), BanditsFlip(), pd.DataFrame(dict(alpha=.4, beta=4.), index=["a", "b"]), n_trials=30, seed=1
    )
    def write(name): write_page(fit(RescorlaWagner(), trials, starts=1, name=name), trials, tmp_path/"o", checks=False)
    if before: write("first model")
    (tmp_path/"o").mkdir(exist_ok=True)
    def record_comes(event, args):
        return (
            event == "os.rename"
            and str(args[1]) == str(tmp_path / "o/run_FITS.json")
            and ".unfinished-" in str(args[0])
        )
    assert in_a_fork(lambda: write("second model"), tmp_path/"o", when=record_comes)[0] == "killed"
    assert (tmp_path/"o/UNFINISHED.json").exists() and not (tmp_path/"o/run_FITS.json").exists()
    assert main(["report", str(tmp_path/"o")]) == 0 and "page.html" in capsys.readouterr().out
    page = (tmp_path/"o/page.html").read_text()
    assert "second model" in page and "first model" not in page
