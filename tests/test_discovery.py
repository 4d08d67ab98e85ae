"""The folder of a discovered equation and its report: facts are those of the data and the fit, citations have
references, printed rules are the equation"""
import json
import re
import shutil
from html import unescape
from types import SimpleNamespace
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_report import coarse, text_of
from spice_rl import AgentQ, BanditsDrift, DatasetRNN, DiscoveryFolder, ForgettingRNN, ParticipantEmbeddingRNN
from spice_rl import SpiceEstimator, Trials, create_dataset, discovery_rules, read_trials, references
from spice_rl import rescorla_wagner_equation, rule_latex, stay_after_reward, write_discovery, write_report
from spice_rl.output.equation_folder import _analysed, _recovered, _stay
from spice_rl.discovery.precoded import FORGETTING_CONFIG, PARTICIPANT_EMBEDDING_CONFIG
from spice_rl.output.apa import REFERENCES

RECORD = "run_DISCOVER.json"


def made(n_sessions, agents, n_actions=2, shared=True):
    d = create_dataset(agents, BanditsDrift(.2, n_actions), n_trials=60, n_sessions=n_sessions, seed=3)[0]
    if shared: d.xs[..., -1] = 0
    return d


@pytest.fixture(scope="module", autouse=True)
def coarse_figures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spice_rl.core.style.save_figure", coarse)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    "One equation for everybody, that of the regression alone, one for each of two people, and kinds of people"
    base, out = tmp_path_factory.mktemp("found"), {}
    few, many = ([AgentQ(alpha_reward=a, beta_reward=3.) for a in rates] for rates in ((.2, .6), (.2, .3, .4, .5, .6)))
    for name, data, options in (
        ("one", made(15, AgentQ(alpha_reward=.3, beta_reward=3.)), dict()),
        (
            "regression",
            made(12, AgentQ(3, alpha_reward=.4, beta_reward=3., forget_rate=.2), 3),
            dict(rnn_class=ForgettingRNN, spice_config=FORGETTING_CONFIG, n_actions=3, refine=False),
        ),
        (
            "each",
            made(2, few, shared=False),
            dict(rnn_class=ParticipantEmbeddingRNN, spice_config=PARTICIPANT_EMBEDDING_CONFIG),
        ),
        (
            "kinds",
            made(2, many, shared=False),
            dict(rnn_class=ParticipantEmbeddingRNN, spice_config=PARTICIPANT_EMBEDDING_CONFIG),
        ),
    ):
        e = SpiceEstimator(starts=2 if name == "one" else 1, epochs=40, **options).fit(data.xs, data.ys)
        names = write_discovery(
            e,
            DatasetRNN(data.xs, data.ys),
            base / name,
            truth=rescorla_wagner_equation(.3, 3.) if name == "one" else None,
        )
        out[name] = SimpleNamespace(
            folder=base / name, names=names, estimator=e, data=data, run=DiscoveryFolder(base / name)
        )
    return out


pytestmark = pytest.mark.filterwarnings("ignore:the equation keeps only", "ignore:no two of")


@pytest.fixture(scope="module")
def pages(folders): return {name: write_report(f.folder)[0].read_text() for name, f in folders.items()}


# What is written

@pytest.mark.parametrize("name", ["one", "regression", "each", "kinds"])
def test_folder(folders, name):
    f = folders[name]
    assert sorted(f.names) == sorted(p.name for p in f.folder.iterdir() if p.name != "report.html" and p.name[0] != ".")
    assert f.names[-1] == RECORD
    r, d = f.run.record, f.data
    choices = ~np.isnan(d.xs[..., 0].numpy())
    assert r["data"]["choices"] == choices.sum()
    assert r["data"]["sessions"] == len(d.xs)
    assert r["data"]["participants"] == len(np.unique(d.xs[..., -1]))
    assert r["data"]["rewards"] == dict(few=[0., 1.])
    assert r["training"]["nll"] == pytest.approx(f.estimator.training_.nll)
    assert r["network"]["optimiser"] == "L-BFGS"
    assert r["settings"]["epochs"] == 40
    assert r["seed"] == 0
    assert r["network"]["tells_apart"] == (name in ("each", "kinds"))
    pd.testing.assert_frame_equal(
        f.run.scores,
        f.estimator.summary()
        .dropna(axis=1, how="all")
        .pipe(
            lambda s: s.assign(probability=np.exp(-s.nll_per_choice))[["nll_per_choice", "probability", *s.columns[1:]]]
        )
        .rename_axis("model"),
        check_dtype=False,
    )
    assert len(f.run.table("starts")) == len(f.estimator.training_.table)


def test_same_bytes_again(folders, tmp_path):
    f = folders["each"]
    write_discovery(f.estimator, DatasetRNN(f.data.xs, f.data.ys), tmp_path)
    for name in f.names:
        if not name.endswith(".png"): assert (tmp_path/name).read_bytes() == (f.folder/name).read_bytes(), name


def test_trials_and_datasets_are_alike(folders, tmp_path):
    f = folders["one"]
    write_discovery(f.estimator, Trials.from_dataset(DatasetRNN(f.data.xs, f.data.ys)), tmp_path)
    there = json.loads((tmp_path/RECORD).read_text())["data"]
    assert there == f.run.record["data"] | dict(simulated=False)


def test_bad_input(folders, tmp_path):
    f, e = folders["one"], folders["one"].estimator
    data = DatasetRNN(f.data.xs, f.data.ys)
    with pytest.raises(ValueError, match="call fit"): write_discovery(SpiceEstimator(), data, tmp_path)
    with pytest.raises(ValueError, match="call fit"):
        write_discovery(
            SpiceEstimator().load_spice(f.folder / "network.json", f.folder / "equation.json"), data, tmp_path
        )
    with pytest.raises(TypeError, match="make DatasetRNN"): write_discovery(e, f.data.xs, tmp_path)
    with pytest.raises(ValueError, match="these data have 5 participants, and the estimator was fitted to 1"):
        write_discovery(e, DatasetRNN(folders["kinds"].data.xs, folders["kinds"].data.ys), tmp_path)
    with pytest.raises(ValueError, match="is a file; name a folder"): write_discovery(e, data, f.folder/"scores.csv")
    assert not list(tmp_path.iterdir())


def test_stay_after_reward_by_hand(folders):
    d = folders["kinds"].data
    t, xs = stay_after_reward(Trials.from_dataset(DatasetRNN(d.xs, d.ys))), d.xs.numpy()
    for who, row in t.iterrows():
        mine = xs[xs[:, 0, -1] == who]
        choice, paid = mine[..., :2].argmax(-1), np.nansum(mine[..., 2:4] * mine[..., :2], -1)
        same = choice[:, 1:] == choice[:, :-1]
        np.testing.assert_allclose(row, [same[paid[:, :-1] == 1].mean(), same[paid[:, :-1] == 0].mean()])
    said = folders["kinds"].run.record["data"]["stay"]
    assert said["test"] == pytest.approx(
        list((lambda r: (r.statistic, r.df, r.pvalue))(stats.ttest_rel(t.above, t.others)))
    )


# The rule that is printed

def test_the_printed_rule_is_the_learner():
    "Follow the printed lines, and compare choice probabilities with those of the agent"
    agent = AgentQ(alpha_reward=.3, beta_reward=2., forget_rate=.2, alpha_choice=.4, beta_choice=1.)
    lines = rule_latex(
        ["alpha", "beta", "Q at the start", "forget_rate", "forgets toward", "alpha_choice", "beta_choice"]
    )
    space = dict(alpha=.3, beta=2., varphi=.2, Q_varphi=.5, alpha_C=.4, beta_C=1., Q=[.5, .5], C=[0., 0.])
    steps = [
        l.split(r" &\leftarrow ")
        for l in lines.removeprefix(r"\begin{aligned}").removesuffix(r"\end{aligned}").split(r" \\ ")
        if "leftarrow" in l
    ]
    plain = lambda x: re.sub(
        r"([QC])_c",
        r"\1[c]",
        re.sub(
            r"([QC])_u",
            r"\1[u]",
            x.replace(r"Q_{\varphi}", "Q_varphi")
            .replace(r"\alpha_{C}", "alpha_C")
            .replace(r"\alpha", "alpha")
            .replace(r"\varphi", "varphi")
            .replace(r"\,", "*"),
        ),
    )
    state = agent.init(agent.p())
    from spice_rl.core.cell import make_trial
    for c, r in ((0, 1.), (0, 0.), (1, 1.), (1, 1.), (0, 0.)):
        for left, right in steps:
            value = eval(plain(right), {}, space | dict(c=c, u=1 - c, r=r))
            space[left[0]][c if left.endswith("_c") else 1 - c] = value
        state = agent.update(agent.p(), state, make_trial(c, [r if k == c else np.nan for k in (0, 1)]))
        logits = agent.logits(agent.p(), state, make_trial())
        assert logits[0] - logits[1] == pytest.approx(
            2. * (space["Q"][0] - space["Q"][1]) + (space["C"][0] - space["C"][1])
        )


# The page

@pytest.mark.parametrize("name", ["one", "regression", "each", "kinds"])
def test_page(folders, pages, name):
    page, f = pages[name], folders[name]
    assert not re.search(r"<script|<link|<iframe|@import|url\(|src=\"(?!data:)|href=\"(?!#)", page) and set(
        re.findall(r"https?://[^\"' )<]+", page)
    ) == {"http://www.w3.org/1998/Math/MathML"}
    numbers = lambda kind: [int(n) for n in re.findall(rf"<strong>{kind} (\d+)</strong>", page)]
    for kind in ("Table", "Figure"): assert numbers(kind) == list(range(1, len(numbers(kind)) + 1))
    assert page.count("<img") == len(f.run.record["figures"]) == 3
    assert "$" not in page
    assert "Traceback" not in page
    assert "nan" not in text_of(page)
    assert "None" not in text_of(page)
    text = text_of(page)
    assert "not known here" not in text
    assert "Weinhardt, D., Eckstein" in text
    assert "Brunton, S. L., Proctor" in text
    assert ("Piray, P." in text) == (name == "kinds")
    assert ("Levenberg, K." in text) == (name in ("one", "each"))
    for key, value in f.run.record["versions"].items(): assert value in text, key
    for score in f.run.scores.nll_per_choice: assert f"{score:.4f}" in text
    assert f"{f.run.record['data']['choices']} choices" in text
    assert f"SHA-256: {f.run.record['data']['sha256'][:16]}" in text


def test_numbers_are_those_of_the_files(folders, pages):
    text, f = text_of(pages["one"]), folders["one"]
    for r in f.run.table("estimates").itertuples():
        assert (
            f"{r.estimate:.3f} {r.se:.3f} [{r.lower:.3f},\xa0{r.upper:.3f}]".replace("-", "−").replace("\xa0", " ")
            in text
        )
    for r in f.estimator.refinement_.as_rl().parameters.itertuples(): assert f"{r.value:.3f} {r.se:.3f}" in text
    for note in f.estimator.refinement_.notes(): assert note in text
    assert "Found and True" in text and "Dashed: the truth" in text


def test_rules(folders):
    done = {name: list(r.index[r.done]) for name, r in ((name, discovery_rules(f.run)) for name, f in folders.items())}
    assert done["one"] == [2, 3, 4, 5] and done["regression"] == [2, 7] and 7 in done["kinds"]
    evidence = discovery_rules(folders["each"].run).evidence
    assert "parameter_recovery" in evidence[5] and "simulate" in evidence[8] and "trialwise" in evidence[9]


def test_every_citation_has_a_reference(pages):
    for page in pages.values():
        assert len(references(text_of(page)[: text_of(page).rindex("References")])) == len(
            re.findall(r"\(\d{4}\)\. ", text_of(page)[text_of(page).rindex("References") :])
        )
    for key, text in REFERENCES.items(): assert key[-4:] in text and text.startswith(re.match(r"[\w-]+", key)[0]), key


# Folders that hold something else

def test_both_and_neither(folders, tmp_path):
    shutil.copytree(folders["one"].folder, tmp_path/"both")
    (tmp_path/"both/run_FIT.json").write_text("{}")
    with pytest.raises(ValueError, match="give each a folder of its own"): write_report(tmp_path/"both")
    (tmp_path/"empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no run.*Pipeline\(\).*write_discovery"): write_report(tmp_path/"empty")
    with pytest.raises(ValueError, match="holds no discovery.*write_discovery"): DiscoveryFolder(tmp_path/"empty")
    shutil.copytree(folders["one"].folder, tmp_path/"lost")
    (tmp_path/"lost/terms.csv").unlink()
    with pytest.raises(ValueError, match="no terms.csv; write it anew"): DiscoveryFolder(tmp_path/"lost").table("terms")


# What the page says of unusual runs

def test_few_people_and_rewards_make_no_nan():
    rows = lambda who, reward: pd.DataFrame(dict(participant=who, choice=[0, 0, 1, 1], reward=reward))
    one, none = (
        _stay(stay_after_reward(read_trials(t)))
        for t in (rows("a", [1, 0, 1, 0]), pd.concat([rows("a", 1), rows("b", 0)]))
    )
    assert json.dumps(one, allow_nan=False) and one["n"] == 1 and one["above"] == [1., None] and none is None
    assert _analysed(SimpleNamespace(record=dict(data=dict(simulated=False, stay=None)))) == (
        False,
        "nobody's rewards vary, so that choices after better and worse ones cannot be compared",
    )


def test_a_mechanism_that_was_not_found_is_not_recovered():
    number = dict(what="alpha", found=.3, se=.02, truth=.31)
    for more, done in (
        ([], True),
        ([dict(what="forget_rate", found=None, se=None, truth=.2)], False),
        ([dict(what="forget_rate", found=.2, se=.01, truth=None)], False),
    ):
        assert _recovered(SimpleNamespace(record=dict(truth=dict(beside=[number, *more]))))[0] == done


def test_one_participant_of_a_shared_network_and_bagging_and_labels_are_no_markdown(tmp_path):
    d = made(2, [AgentQ(alpha_reward=a, beta_reward=3.) for a in (.2, .6)], shared=False)
    e = SpiceEstimator(starts=1, epochs=40, bagging=True, spice_participant_id=1).fit(d.xs, d.ys)
    write_discovery(e, DatasetRNN(d.xs, d.ys), tmp_path)
    record = json.loads((tmp_path/RECORD).read_text())
    record["data"]["options"], record["command"] = (
        ["$5 *now*", "<b>$10_later_"],
        "spice-rl discover a.csv --options '$5 *now*' '<b>$10_later_' `$x$`",
    )
    (tmp_path/RECORD).write_text(json.dumps(record))
    text = text_of(write_report(tmp_path)[0].read_text())
    assert "All participants share the weights" in text
    assert "embedding" not in text
    assert "The equation of participant 1 is" in text
    assert "those of that participant, by maximum likelihood" in text
    assert "Not drawn" not in text
    assert DiscoveryFolder(tmp_path).record["figures"] == ["equation.png", "scores.png", "session.png"]
    assert "not finite or worse than guessing was replaced" in text and "random start was trained, each" in text
    text = unescape(text)
    assert "($5 *now*, <b>$10_later_)" in text and record["command"] in text
