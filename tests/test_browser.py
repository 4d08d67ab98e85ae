"""What moves on a page: its JavaScript, run by node, says what Python says; the pages hold it; it brings no address
along."""
import json, re, shutil, subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import spice_rl
from spice_rl import BanditsDrift, BanditsFixed, BanditsFlip, RescorlaWagner, Trials, demo_trials, explore, explore_page
from spice_rl import fit, nll, play_page, read_trials, replay, simulate

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = Path(spice_rl.__file__).parent/"templates/page"
PLACES = [(.3, 3.), (0., 0.), (1., 20.), (.07, 11.3), (.93, .4)]
GAPS = Trials.from_arrays([0, 1, -1, 1, 0, 1, 1], [1., 0, np.nan, 1, np.nan, 0, 1], session=[0, 0, 0, 0, 1, 1, 1])


def node(script, code, data):
    "What a function of a script gives, in node"
    if not (program := shutil.which("node")): pytest.skip("no node here")
    lines = (f"const m = require({json.dumps(str(SCRIPTS/script))}), data = JSON.parse(require('fs').readFileSync(0)); "
             f"console.log(JSON.stringify({code}))")
    return json.loads(
        subprocess.run(
            [program, "-e", lines], input=json.dumps(data), capture_output=True, text=True, check=True
        ).stdout
    )


def seen(piece, places=PLACES):
    return node(
        "learner.js",
        f"{json.dumps(places)}.map(([a, b]) => "
        f"{{ const out = m.see(data, a, b); return {{...out, words: m.words(data, out)}} }})",
        piece.data,
    )


@pytest.mark.parametrize(
    "trials",
    [
        demo_trials().take(participants=[20]),
        GAPS,
        simulate(RescorlaWagner(), BanditsDrift(), sessions=3, n_trials=40, seed=2),
    ],
    ids=["demo", "gaps and two sessions", "three sessions"],
)
def test_chances_and_values_are_those_of_replay(trials):
    for (alpha, beta), out in zip(PLACES, seen(explore_page(RescorlaWagner(), trials))):
        cell = RescorlaWagner(alpha=alpha, beta=beta)
        table = replay(cell, trials)
        np.testing.assert_allclose(out["p"], table[[f"p_{name}" for name in trials.options]], rtol=0, atol=1e-12)
        np.testing.assert_allclose(out["q"], table[[f"q_{name}" for name in trials.options]], rtol=0, atol=1e-12)
        np.testing.assert_allclose(out["nll"], nll(cell, trials=trials).iloc[0], rtol=1e-12)


@pytest.mark.parametrize(
    "task",
    [BanditsFlip(high=.8, low=.2, flip=.03), BanditsFixed(), BanditsDrift(sigma=.2)],
    ids=lambda t: type(t).__name__,
)
def test_choices_and_rewards_are_those_of_simulate(task):
    for (alpha, beta), out in zip(PLACES, seen(explore_page(RescorlaWagner(), task, n_trials=80, seed=3))):
        made = simulate(RescorlaWagner(alpha=alpha, beta=beta), task, n_trials=80, seed=3)
        assert out["choice"] == made.choice.tolist()
        assert out["reward"] == made.reward[np.arange(80), made.choice].tolist()


@pytest.mark.parametrize(
    "task, how",
    [
        (BanditsFlip(high=.8, low=.2, flip=.03), dict(seed=1)),
        (demo_trials(), dict(participant=20)),
        (demo_trials(), dict(participant=7)),
    ],
)
def test_it_says_what_explore_says(task, how):
    panel = explore(RescorlaWagner(), task, **how)
    for (alpha, beta), out in zip(PLACES, seen(explore_page(RescorlaWagner(), task, **how))):
        assert out["words"] == panel.set(alpha=alpha, beta=beta).words()


def test_the_picture_has_a_line_for_each_number_and_a_tick_for_each_choice():
    svg = node("learner.js", "m.picture(data, m.see(data, .3, 3), 340)", explore_page(RescorlaWagner(), GAPS).data)
    lines = re.findall(r'd="(\S[^"]*)"[^>]*data-line="(\w\d)"', svg)
    assert [name for _, name in lines] == ["p0", "p1", "q0", "q1"]
    assert all(d.count("M") == 2 and d.count("L") == 5 for d, _ in lines)   # two sessions, seven trials
    assert re.findall(r'data-choice="(\d)"', svg) == [str(t) for k in (0, 1) for t in np.flatnonzero(GAPS.choice == k)]


# A played game

GAME = ("(() => { const g = m.begin(data.task, () => data.luck[data.at = (data.at || 0) + 1]); data.picks.forEach(k => "
        "m.choose(g, k)); return {csv: m.csv(g), points: g.points, more: m.choose(g, 0)} })()")

def test_a_hundred_choices_become_a_file_that_is_read_and_fitted(tmp_path):
    rng = np.random.default_rng(0)
    picks = rng.integers(0, 2, 100).tolist()
    out = node("bandit.js", GAME, dict(task=play_page().data, luck=rng.random(301).tolist(), picks=picks))
    (tmp_path/"my_choices.csv").write_text(out["csv"])
    trials = read_trials(tmp_path/"my_choices.csv")
    assert trials.options == ("left", "right") and trials.participants == ("me",)
    assert trials.choice.tolist() == picks and out["more"] is None, "the game ends after its trials"
    assert np.nansum(trials.reward) == out["points"]
    assert fit(RescorlaWagner(), trials, starts=2).nll.notna().all()


def test_the_good_option_pays_as_often_as_it_should():
    n = 20_000
    rng = np.random.default_rng(1)
    task = play_page(n, high=.8, low=.2, flip=.1).data
    out = node("bandit.js", GAME, dict(task=task, luck=rng.random(2 * n + 3).tolist(), picks=[0] * n))
    reward = np.array([int(line.split(",")[-1]) for line in out["csv"].split()[1:]])
    assert abs(reward.mean() - .5) < .02                                        # as often the good one as the bad one
    # .68 without swaps, .32 if they always swapped
    together = (reward[1:] == reward[:-1]).mean()
    assert abs(together - (.9 * .68 + .1 * .32)) < .02


# The pages

PAGES = {"nbs/tutorials/01_discover.ipynb": 1, "nbs/tutorials/11_explore.ipynb": 2, "nbs/start.ipynb": 1}

def pieces(path):
    "The pieces that a notebook stores"
    cells = json.loads((ROOT/path).read_text(encoding="utf-8"))["cells"]
    html = [
        "".join(o["data"]["text/html"]) for c in cells for o in c.get("outputs", []) if "text/html" in o.get("data", {})
    ]
    return [h for h in html if "data-piece=" in h]


@pytest.mark.parametrize("path", PAGES)
def test_the_page_has_it_as_it_is_now(path):
    found = pieces(path)
    assert len(found) == PAGES[path]
    for html in found:
        script = (
            (SCRIPTS / ("learner.js" if "RescorlaWagner" in html or "const learn =" in html else "bandit.js"))
            .read_text(encoding="utf-8")
            .strip()
        )
        assert script in html, f"the script has changed: make run NB={path}"


@pytest.mark.parametrize(
    "piece",
    [
        explore_page(RescorlaWagner(), demo_trials(), participant=20),
        explore_page(RescorlaWagner(), BanditsFlip(), seed=1),
        play_page(),
    ],
    ids=["shown", "plays", "game"],
)
def test_a_piece_is_small_and_asks_nobody(piece):
    assert len(piece.html.encode()) < 30_000
    assert not re.search(r"https?:|//\w+\.\w|\bfetch\b|XMLHttpRequest|\bimport\b|\bsrc=", piece.html)
    assert piece._repr_html_() == piece.html and piece.html.count("<script") == 1 and "\n\n" not in piece.html


def test_a_name_cannot_end_the_script():
    assert play_page(options=["</script><b>", "x"]).html.count("</script>") == 1


# A browser

def in_chromium(tmp_path, html, script):
    "What the page shows after the script, as a real browser has it"
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if not program: pytest.skip("no Chromium here")
    (tmp_path / "page.html").write_text(
        f'<!doctype html><meta charset="utf-8"><body>{html}<pre id="out"></pre><script>const say = x => '
        f"document.getElementById('out').textContent = JSON.stringify(x); {script}</script>",
        encoding="utf-8",
    )
    dump = subprocess.run(
        [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=60000",
            f"--user-data-dir={tmp_path}/profile",
            "--dump-dom",
            f"file://{tmp_path}/page.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    return json.loads(unescape(re.search(r'<pre id="out">(.*?)</pre>', dump, re.DOTALL)[1]))


def test_a_slider_moves_the_curve_in_a_browser(tmp_path):
    trials = demo_trials().take(participants=[20])
    out = in_chromium(
        tmp_path,
        explore_page(RescorlaWagner(), trials).html,
        """
        const slider = document.querySelector('[name=alpha]')
        const read = () => document.querySelector('[data-line=p0]').getAttribute('d')
        const before = read(); slider.value = .9; slider.dispatchEvent(new Event('input')); const after = read()
        document.querySelector('.spice-page button').click()
        const named = [...document.querySelectorAll('input')].map(e => e.labels[0] && e.labels[0].textContent)
        say([before, after, read(), ...named])""",
    )
    assert out[3:] == ["learning rate alpha: 0.30", "inverse temperature beta: 3.00"], (
        "what a screen reader calls the sliders"
    )
    curve = [[float(point.split()[1]) for point in re.split("[ML]", d)[1:]] for d in out[:3]]
    for heights, alpha in zip(curve, (.3, .9, .3)):   # the picture's P(choose) is 110 pixels high and begins at 10
        p = replay(RescorlaWagner(alpha=alpha), trials)[f"p_{trials.options[0]}"]
        np.testing.assert_allclose(1 - (np.array(heights) - 10) / 110, p, atol=.005 / 110 + 1e-9)


def test_a_hundred_clicks_in_a_browser_make_the_file(tmp_path):
    out = in_chromium(
        tmp_path,
        play_page().html,
        """
        let n = 0
        const arms = document.querySelectorAll('.spice-arms button')
        const next = () => { if (n++ < 100) { arms[n % 3 ? 0 : 1].click(); setTimeout(next, 260) }
                             else { const a = document.querySelector('a[download]')
                                    say([a.download, decodeURIComponent(a.href)]) } }
        next()""",
    )
    (tmp_path/out[0]).write_text(out[1].partition(",")[2])
    trials = read_trials(tmp_path/"my_choices.csv")
    assert trials.choice.tolist() == [0 if n % 3 else 1 for n in range(1, 101)]
    assert set(np.unique(trials.reward[np.isfinite(trials.reward)])) == {0, 1}
