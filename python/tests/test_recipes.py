"""Recipes, reports, files and packages from Python."""
import numpy as np
import pytest

import glia


def test_what_there_is():
    names = [r.name for r in glia.recipes.all()]
    assert {"k-means", "dqn", "gan", "translation"} <= set(names)
    settings = {s.name: s.fallback for s in glia.recipes.named("k-means").settings()}
    assert settings["clusters"] == 10


def test_a_run(tmp_path):
    rng = np.random.default_rng(0)
    table = np.concatenate([rng.normal(c, 0.1, (20, 2)) for c in (0, 5, 10)])
    path = tmp_path / "points.csv"
    path.write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in table) + "\n")
    run = glia.recipes.train("k-means", data=str(path), clusters=3, out=tmp_path / "run", quiet=True)
    results = {r.name: r.value for r in run.results}
    assert 0 < results["inertia"] < 5
    assert "<iframe" in run._repr_html_()
    predictor = glia.recipes.load(run.folder)
    assert predictor.predict("5,5")[0].name
    with pytest.raises(glia.Error, match="clusters"):
        glia.recipes.train("k-means", clusters="many", quiet=True)


def test_reports():
    report = glia.report.Report("title", sections=[
        glia.report.Section("bars", glia.report.Bars([glia.report.Bars.Bar("x", 1.0)])),
        glia.report.Section("table", glia.report.Table(
            [glia.report.Table.Column("a")], [["text"], [1], [2.5]]))])
    assert "title" in glia.report.to_html(report) and "<iframe" in report._repr_html_()


def test_files(tmp_path):
    tensors = {"a": glia.ones((2, 3)), "b": glia.tensor([1, 2])}
    path = str(tmp_path / "t.safetensors")
    glia.io.write_safetensors(path, tensors)
    assert list(glia.io.read_safetensors(path)) == ["a", "b"]
    glia.io.write_npy(str(tmp_path / "a.npy"), np.float32([[1, 2]]))
    assert np.load(tmp_path / "a.npy").tolist() == [[1, 2]]


def test_packages():
    x = glia.tensor(np.random.default_rng(0).normal(size=(50, 3)))
    pca = glia.classic.PCA(n_components=2)
    assert pca.fit(x) is pca and pca.transform(x).shape == (50, 2)
    assert glia.text.Vocabulary.of_characters(["abc"]).size() == 7
    env = glia.rl.make("CartPole-v1")
    assert env.action_space().n() == 2
    seen = np.empty(4, np.float32)
    env.reset(seen, seed=7)
    first = seen.copy()
    step = env.step(1, seen)
    assert step.reward == 1 and not step.terminated and (seen != first).any()
    with pytest.raises(TypeError):
        env.reset(np.empty(4, np.float32)[::2])
    buffer = glia.rl.ReplayBuffer(10, env.observation_space(), env.action_space())
    buffer.add(first, 1, 1.0, seen, False)
    assert buffer.sample(3).observations.shape == (3, 4)


def test_complex_and_sparse():
    z = glia.Complex(glia.ones((2,)), glia.ones((2,)))
    assert (z * z).im.tolist() == [2, 2] and (1 - z).re.tolist() == [0, 0]
    re, im = z
    a = glia.Csr.from_dense(glia.tensor([[0.0, 2], [3, 0]]))
    assert glia.spmm(a, glia.ones((2,))).tolist() == [2, 3] and a.nnz() == 2
