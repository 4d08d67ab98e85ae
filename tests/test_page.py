"""One page on any fits: what it says is what was found, what comes from data is shown as it was written, and its
code runs as printed"""
import html
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spice_rl import BanditsFlip, RescorlaWagner, Trials, bandit_models, check_fit, compare, discover, fit
from spice_rl import fit_hierarchical, page_of, simulate, task_example, task_model, write_page
from spice_rl.output import page
from spice_rl.output.page import check_folder
from spice_rl.output.page_text import _whole_code

@pytest.fixture(scope="module", autouse=True)
def no_pdf():
    "The figures beside a page are made, those for papers without what a PDF holds: test_plotting.py renders one"
    write = page.save_figure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            page, "save_figure", lambda drawn, path: path.touch() if path.suffix == ".pdf" else write(drawn, path)
        )
        yield


PEOPLE = pd.DataFrame(dict(alpha=np.linspace(.2, .7, 6), beta=4.), index=[f"p{i}" for i in range(6)])


def words(path):
    "What a reader reads"
    text = re.sub(r"<style.*?</style>|base64,[^\"]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def run_code(folder, monkeypatch):
    "Run the code of the page in its folder; its names. It stands on the page as it is run."
    code = _whole_code(json.loads((folder/"run_FITS.json").read_text()))
    assert code and code in words(folder/"page.html")
    monkeypatch.chdir(folder)
    there = {}
    exec(compile(code, "page", "exec"), there)
    return there


def bandit(groups=("<b>x</b>", "=1+1")):
    t = simulate(RescorlaWagner(), BanditsFlip(flip=.04), PEOPLE, n_trials=60, seed=2)
    frame, who = t.to_frame(), np.array(t.participants)[t.participant]
    return Trials.from_arrays(
        t.choice,
        t.reward,
        who,
        options=["left_", "*right*"],
        extra=dict(p_0=frame.p_0.to_numpy(), p_1=frame.p_1.to_numpy(), sort=np.array(groups)[t.participant % 2]),
    )


def test_a_bandit_with_groups(tmp_path, monkeypatch):
    trials = bandit()
    cells = {type(m).__name__: m for m in bandit_models(trials)}
    fits = [fit(cells[n], trials, name=n, groups="sort") for n in ("RescorlaWagner", "ChoiceKernel")]
    with pytest.warns(UserWarning, match="as a formula does"):
        files = write_page(fits, trials, tmp_path / "o", names=dict(RescorlaWagner="<i>delta</i> rule", alpha="speed"))
    assert files[0] == tmp_path/"o/page.html"
    assert {"fits.csv", "parameters.csv", "groups.csv", "comparison.csv", "check.svg", "check.pdf", "trials.csv"} <= {
        f.name for f in files
    }
    text, raw = words(files[0]), files[0].read_text()
    assert "<i>delta</i> rule" in text
    assert "<b>x</b>" in text
    assert "<b>x" not in raw
    assert "<i>delta" not in raw
    assert "speed (alpha)" in text
    assert "inverse temperature (beta)" in text
    assert "http" not in re.sub(r"base64,[^\"]*|xmlns\S*", "", raw)
    c, t = compare(fits), pd.read_csv(tmp_path/"o/comparison.csv")
    d = c.values["ChoiceKernel"] - c.values["RescorlaWagner"]
    row = t[t.model == "ChoiceKernel"].iloc[0]
    assert row.behind == pytest.approx(d.mean()) and row.bic == pytest.approx(c.values["ChoiceKernel"].mean())
    each = pd.read_csv(tmp_path/"o/parameters.csv")
    own = each[(each.model == "RescorlaWagner") & (each.parameter == "alpha")].set_index("participant").estimate
    np.testing.assert_allclose(own, fits[0].parameters.alpha)
    there = run_code(tmp_path/"o", monkeypatch)
    for mine, again in zip(fits, there["fits"]):
        np.testing.assert_allclose(mine.nll, again.nll, atol=1e-6)
        assert list(mine.groups) == list(again.groups)
    assert there["checked"].table.people.to_numpy() == pytest.approx(pd.read_csv(tmp_path/"o/check_points.csv").people)
    again = page_of(tmp_path/"o")
    assert again[0].read_text() == raw
    anew = check_folder(tmp_path/"o", model="ChoiceKernel", times=20)
    assert anew.name == "ChoiceKernel"
    assert "20 simulated studies" in words(files[0])
    assert "check_fit(fits[1], trials, times=20, seed=0)" in words(files[0])
    with pytest.raises(ValueError, match="unknown model 'Choice'"): check_folder(tmp_path/"o", model="Choice")


def test_pairs_on_offer(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    offer = np.array([[0, 1], [2, 3]])[rng.integers(2, size=240)]
    first = rng.random(240) < .7
    choice = np.where(first, offer[:, 0], offer[:, 1])
    trials = Trials.from_arrays(
        choice,
        (rng.random(240) < np.where(first, .8, .2)).astype(float),
        np.repeat(["007", "7"], 120),
        offer=offer,
        options=list("ABCD"),
    )
    found = fit(RescorlaWagner(), trials)
    write_page(found, trials, tmp_path/"o")
    text = words(tmp_path/"o/page.html")
    assert "2 people" in text
    assert "among 4 options (A, B, C, D)" in text
    assert "one model has no rival" in text
    assert "one step ahead" in text
    there = run_code(tmp_path/"o", monkeypatch)
    np.testing.assert_array_equal(there["trials"].offer, trials.offer)
    assert there["trials"].participants == ("007", "7")
    np.testing.assert_allclose(there["fits"][0].nll, found.nll, atol=1e-6)


def test_a_published_task_hierarchical(tmp_path, monkeypatch):
    trials = task_example("dd")
    found = fit_hierarchical(task_model("dd_hyperbolic"), trials)
    write_page([found], trials, tmp_path/"o", command="spice-rl fit <file>")
    text = words(tmp_path/"o/page.html")
    assert "discount rate (k)" in text
    assert "Mazur, 1987" in text
    assert "integrated" in text
    assert "spice-rl fit <file>" in text
    assert "from spice_rl.tasks.dd import Hyperbolic" in text
    there = run_code(tmp_path/"o", monkeypatch)
    for name, x in trials.columns.items(): np.testing.assert_array_equal(there["trials"].columns[name], x)
    assert there["fits"][0].log_likelihood == pytest.approx(found.log_likelihood, abs=1e-4)


def test_a_class_of_ones_own_has_no_code_that_would_not_run(tmp_path):
    class Mine(RescorlaWagner): "A model of mine"
    trials = bandit(("a", "b"))
    write_page(fit(Mine(), trials, starts=1), trials, tmp_path/"o", checks=False)
    text = words(tmp_path/"o/page.html")
    assert json.loads((tmp_path/"o/run_FITS.json").read_text())["code"] is None
    assert "keep your script with this page" in text and "A model of mine" in text and "This was not looked at" in text


def test_what_is_refused(tmp_path):
    trials = bandit(("a", "b"))
    found = fit(RescorlaWagner(), trials, starts=1)
    for fits, said in (([], "fits is empty"), ([found, found], "two fits are called 'RescorlaWagner'")):
        with pytest.raises(ValueError, match=said): write_page(fits, trials, tmp_path/"o", checks=False)
    with pytest.raises(TypeError, match="fits must be what fit"): write_page(trials, found, tmp_path/"o")
    with pytest.raises(TypeError, match="recovery must be what"):
        write_page(found, trials, tmp_path / "o", recovery=found)
    with pytest.raises(ValueError, match="other people"):
        write_page(found, trials.take(participants=["p0"]), tmp_path / "o", checks=False)
    (tmp_path/"run_DISCOVER.json").write_text("{}")
    with pytest.raises(ValueError, match="another kind of run"): write_page(found, trials, tmp_path)
    with pytest.raises(ValueError, match="no folder"): page_of(tmp_path/"nowhere")
    (tmp_path/"x").mkdir()
    (tmp_path/"x/run_FITS.json").write_text('{"what": ')
    with pytest.raises(ValueError, match="damaged or cut off"): page_of(tmp_path/"x")


def test_fits_of_other_choices(tmp_path):
    "The same people with fewer choices, or one more that is missing"
    p = pd.DataFrame(dict(alpha=.4, beta=4.), index=["a", "b", "c"])
    fewer, trials = (simulate(RescorlaWagner(), BanditsFlip(), p, n_trials=n, seed=1) for n in (40, 60))
    old, new = (fit(RescorlaWagner(), t, starts=1, name=f"of {t.n_trials}") for t in (fewer, trials))
    for fits in ([old], [new, old], [old, new]):
        with pytest.raises(
            ValueError,
            match=r"of 120 was fitted to other choices than those of these trials: 'a' has 40 there and 60 here \(3 "
                  r"people differ\)",
        ):
            write_page(fits, trials, tmp_path/"o", checks=False)
    choice = trials.choice.copy()
    choice[70] = -1
    with pytest.raises(
        ValueError, match="of 180 was fitted to other choices than those of these trials: 'b' has 60 there and 59 here$"
    ):
        write_page(new, replace(trials, choice=choice), tmp_path/"o", checks=False)
    assert not (tmp_path/"o").exists()
    offer = trials.offer.copy()
    offer[5] = trials.choice[5], -1   # a forced choice counts for no fit
    forced = replace(trials, choice=choice, offer=offer)
    # an equation may be judged on other choices
    assert write_page(
        [fit(RescorlaWagner(), forced, starts=1), discover(fewer, people="alike", budget=1)],
        forced,
        tmp_path / "o",
        checks=False,
    )


def test_nothing_that_was_asked_for_is_ignored(tmp_path):
    trials = bandit(("a", "b"))
    found, other = fit(RescorlaWagner(), trials, starts=1), fit(bandit_models(trials)[1], trials, starts=1)
    assert other.name != found.name
    def written(**options): return write_page(found, trials, tmp_path/"o", **dict(checks=False) | options)
    with pytest.raises(
        ValueError,
        match=r"unknown model or parameter in names 'alfa'; did you mean 'alpha'\? \(there are: RescorlaWagner, alpha, "
              r"beta\)",
    ):
        written(names=dict(alfa="speed"))
    with pytest.raises(ValueError, match=r"names\['alpha'\] must be a text, such as 'learning rate', got ''"):
        written(names=dict(alpha=""))
    with pytest.raises(ValueError, match="with checks=False there is none; leave it out"):
        written(environment=BanditsFlip())
    with pytest.raises(TypeError, match="checks must be True, False, or what check_fit returned, got str"):
        written(checks="no")
    with pytest.raises(ValueError, match="starts must be a whole number of at least 1"): written(starts=0)
    checked = check_fit(found, trials, times=20, seed=4)
    with pytest.raises(ValueError, match="a check that was made already; leave it out"):
        written(checks=checked, environment=BanditsFlip())
    with pytest.raises(ValueError, match="unknown model in checks 'RescorlaWagner'"):
        write_page(other, trials, tmp_path / "o", checks=checked)
    assert not (tmp_path/"o").exists()
    best, worse = sorted((found, other), key=lambda f: f.diagnostics.bic.mean())
    write_page(
        [found, other],
        trials,
        tmp_path / "o",
        checks=check_fit(worse, trials, times=20, seed=4),
        seed=np.random.default_rng(1),
    )
    text, record = words(tmp_path/"o/page.html"), json.loads((tmp_path/"o/run_FITS.json").read_text())
    said = record["models"][worse.name]["words"]
    assert f"simulated by {said}" in text and "simulated by it" not in text   # another than the best
    assert "check_fit" not in _whole_code(record) and "a generator, which is not kept" in text   # it would not repeat


@pytest.mark.parametrize("people", ["differ", "alike"])
def test_what_discover_found_has_its_words_and_typical_numbers(tmp_path, people):
    trials = bandit(("a", "b"))
    found = discover(trials, people=people, most=2, verbose=False, threads=1)
    page = words(write_page(found, trials, tmp_path, checks=False)[0])
    assert found.name in page and all(line in page for line in found.words())
    assert f"{len(found.group)} parameters" in page and "nan" not in page
    for row in found.group.itertuples():
        assert f"{row.typical:.3f}".replace("0.", ".", 1) in page or f"{row.typical:.3f}" in page


def test_a_check_knows_what_discover_found(tmp_path):
    trials = bandit(("a", "b"))
    found = discover(trials, most=2, verbose=False, threads=1)
    a, b = (check_fit(x, trials, times=20, refits=0) for x in (found, found.fit))
    pd.testing.assert_frame_equal(a.table, b.table)
    assert (tmp_path/"check.svg") in write_page(found, trials, tmp_path, checks=a)


def test_other_models_share_a_table_and_rules_stand_at_the_end(tmp_path):
    trials = bandit()
    cells = {type(m).__name__: m for m in bandit_models(trials)}
    names = ("RescorlaWagner", "PearceHall", "ChoiceKernel")
    fits = [fit(cells[n], trials, name=n, starts=2) for n in names]
    files = write_page(fits, trials, tmp_path/"o", checks=False)
    text, best = words(files[0]), compare(fits).values.mean().idxmin()
    assert best == "RescorlaWagner"
    assert text.count("Estimates of the Other Models") == 1
    assert "Estimates of Choice kernel" not in text
    assert text.index("References") < text.index("The rules of the models, as they ran") < text.index("def logit")
    rows = [
        " ".join(re.sub(r"<[^>]+>", " ", r).split())
        for r in re.findall(r"<tr.*?</tr>", files[0].read_text(encoding="utf-8"), flags=re.DOTALL)
    ]
    mean = fits[1].parameters.beta.mean()
    # Pearce and Hall's, in words
    assert any(r.startswith(f"inverse temperature (beta) 6 {mean:.2f}") for r in rows), rows


def test_a_note_does_not_hide_that_people_are_not_told_apart(tmp_path, capsys):
    from spice_rl.output.commands import _print_check
    _print_check(
        dict(name="M", studies=20, way="schedule", remarks=[], notes=["the model says nothing of response times"])
    )
    said = capsys.readouterr().out
    assert "In no view are people told from simulated people" in said and "says nothing of response times" in said
    t = simulate(RescorlaWagner(), BanditsFlip(flip=.04), PEOPLE, n_trials=60, seed=2)
    frame, who = t.to_frame(), np.array(t.participants)[t.participant]
    t = Trials.from_arrays(
        t.choice,
        t.reward,
        who,
        extra=dict(
            p_0=frame.p_0.to_numpy(), p_1=frame.p_1.to_numpy(), rt=np.random.default_rng(1).gamma(3, .2, len(t))
        ),
    )
    found = fit(RescorlaWagner(), t, starts=2)
    checked = check_fit(found, t, times=20)
    assert not checked.remarks() and checked.notes
    page = words(write_page(found, t, tmp_path/"o", checks=checked)[0])
    assert "In none of these views are people told from simulated people" in page
    assert "says nothing of response times" in page
