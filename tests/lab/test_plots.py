"""The data that notebooks load, the experiments that they log, and the plots that they draw."""

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from support import ROOT, files_under

from autograder.lab import datasets, experiments
from autograder.lab.plots import basic
from autograder.records import PtqlabError


def test_the_median_channel_uses_less_than_half_of_the_tensors_range() -> None:
    ranges = datasets.load_layer(datasets=ROOT / "datasets").weight.abs().amax(dim=1)
    assert ranges.median() / ranges.max() < 0.5
    assert ranges.max() / ranges.min() > 3


def test_the_manifest_describes_each_file_and_the_script_that_made_it() -> None:
    manifest = json.loads((ROOT / "datasets/manifest.json").read_text(encoding="utf-8"))
    files = [path.relative_to(ROOT / "datasets").as_posix() for path in files_under(ROOT / "datasets")]
    scripts = {name for name in files if name.endswith(".py")}
    assert set(files) - scripts - {"README.md", "manifest.json"} == set(manifest)
    assert {entry["script"] for entry in manifest.values()} <= scripts
    for name, entry in manifest.items():
        content = (ROOT / "datasets" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) == entry["bytes"] < 10_000_000
        assert {"licence", "seed", "text", "torch", "tensors"} <= set(entry)


def test_the_layer_is_the_linear_layer_that_it_says_it_is() -> None:
    layer = datasets.load_layer(datasets=ROOT / "datasets")
    linear = torch.nn.Linear(256, 256)
    with torch.no_grad():
        linear.weight.copy_(layer.weight)
        linear.bias.copy_(layer.bias)
        assert torch.allclose(linear(layer.inputs).relu(), layer.hidden(), atol=1e-5)
    assert layer.logits().shape == (256, layer.head_weight.shape[0])
    assert layer.accuracy(layer.logits()) > 0.6, "it was trained"
    assert torch.equal(layer.logits(hidden=layer.hidden()), layer.logits(weight=layer.weight))


def a_copy(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("manifest.json", "char_layer.safetensors"):
        (folder / name).write_bytes((ROOT / "datasets" / name).read_bytes())
    return folder


def test_data_is_found_by_argument_variable_course_upwards_in_the_installed_kit_and_beside_it(
    tmp_path, monkeypatch
) -> None:
    names = ("argument", "variable", "course/datasets", "kit", "named/datasets", "clone")
    places = [a_copy(tmp_path / name) for name in names]
    work = tmp_path / "course/exercises/01"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setattr(datasets, "_INSTALLED", places[3])
    monkeypatch.setattr(datasets, "_IN_A_CLONE", places[5])
    monkeypatch.setenv("PTQLAB_DATASETS", str(places[1]))
    assert datasets.find_datasets(places[0]) == places[0]
    assert datasets.find_datasets() == places[1]
    monkeypatch.delenv("PTQLAB_DATASETS")
    monkeypatch.setenv("PTQLAB_COURSE", str(tmp_path / "named"))
    assert datasets.find_datasets() == places[4]
    monkeypatch.delenv("PTQLAB_COURSE")
    assert datasets.find_datasets() == places[2]
    (places[2] / "manifest.json").unlink()
    assert datasets.find_datasets() == places[3]
    (places[3] / "manifest.json").unlink()
    assert datasets.find_datasets() == places[5]
    (places[5] / "manifest.json").unlink()
    with pytest.raises(PtqlabError, match=r"no datasets folder was found from .* upwards\. Start"):
        datasets.load_layer()


def test_a_named_folder_without_data_is_an_error_and_not_skipped(tmp_path, monkeypatch) -> None:
    with pytest.raises(PtqlabError, match=r"^load_layer\(datasets=…\) names .* which holds no manifest\.json"):
        datasets.load_layer(datasets=tmp_path)
    monkeypatch.setenv("PTQLAB_DATASETS", str(tmp_path))
    with pytest.raises(PtqlabError, match=r"^PTQLAB_DATASETS names .* which holds no manifest\.json"):
        datasets.load_layer()


def test_a_changed_a_missing_and_an_unlisted_file_each_get_their_sentence(tmp_path) -> None:
    folder = a_copy(tmp_path / "datasets")
    with pytest.raises(PtqlabError, match=r"does not list other\.safetensors"):
        datasets.load_layer("other.safetensors", folder)
    data = bytearray((folder / "char_layer.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "char_layer.safetensors").write_bytes(data)
    with pytest.raises(PtqlabError, match=r"not the file of the course: its sha256 should start \w{12}, but"):
        datasets.load_layer(datasets=folder)
    (folder / "char_layer.safetensors").unlink()
    with pytest.raises(PtqlabError, match=r"char_layer\.safetensors is missing\. Unpack"):
        datasets.load_layer(datasets=folder)


# --- monitoring and plots -----------------------------------------------------------------------


def test_each_experiment_is_one_line_of_json_with_its_time(tmp_path) -> None:
    log = tmp_path / "log.jsonl"
    assert experiments.read_experiments(log) == []
    experiments.log_experiment("first", log, bits=8, error=torch.tensor(0.5))
    experiments.log_experiment("第二", log, note="a\nb")
    assert log.read_text(encoding="utf-8").count("\n") == 2
    first, second = experiments.read_experiments(log)
    assert (first["experiment"], first["bits"], first["error"]) == ("first", 8, 0.5)
    assert (second["experiment"], second["note"]) == ("第二", "a\nb")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", first["time"])


def every_plot() -> dict[str, Figure]:
    weight = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    rows = [
        {"bits": bits, "granularity": name, "sqnr_db": 6.0 * bits, "kl_nats": 10.0**-bits}
        for name in ("per tensor", "per channel")
        for bits in (3, 2)
    ]
    return {
        "staircase": basic.plot_staircase(weight[0].sort().values, weight[0].sort().values.round(), "title"),
        "histograms": basic.plot_histograms(weight, weight.round().to(torch.int8)),
        "ranges": basic.plot_channel_ranges(weight),
        "errors": basic.plot_errors(weight, {"a": weight.round(), "b": (weight * 2).round() / 2}),
        "sweep": basic.plot_sweep(rows),
    }


@pytest.mark.parametrize("name", ["staircase", "histograms", "ranges", "errors", "sweep"])
def test_every_axis_of_a_plot_is_labelled_in_plain_english(name, tmp_path) -> None:
    figure = every_plot()[name]
    figure.savefig(tmp_path / "plot.png")  # a plot that can't be drawn raises here
    labels = [axes.get_ylabel() for axes in figure.axes] + [figure.axes[-1].get_xlabel()]
    assert all(labels)
    assert not [label for label in labels if re.search(r"[\u2e80-\uffff]", label)], "no CJK font is needed"


def test_a_plot_is_not_left_open_for_pyplot_to_show_a_second_time() -> None:
    every_plot()
    assert basic.plt.get_fignums() == []


def test_the_sweep_plot_draws_each_granularity_over_rising_bits() -> None:
    left, right = every_plot()["sweep"].axes
    assert [line.get_label() for line in left.get_lines()] == ["per tensor", "per channel"]
    assert [list(line.get_xdata()) for line in right.get_lines()] == [[2, 3], [2, 3]]
    assert list(left.get_lines()[0].get_ydata()) == [12.0, 18.0]
    assert right.get_yscale() == "log"


def test_the_histogram_counts_every_weight_once_on_both_sides() -> None:
    left, right = every_plot()["histograms"].axes
    assert [sum(bar.get_height() for bar in axes.patches) for axes in (left, right)] == [48, 48]


def test_the_error_plot_shows_the_sqnr_of_each_channel() -> None:
    right = every_plot()["errors"].axes[1]
    weight = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    widest = weight[weight.abs().amax(dim=1).argmax()]
    noise = (widest - widest.round()).square().sum()
    in_db = 10 * math.log10(widest.square().sum() / noise)
    assert right.get_lines()[0].get_ydata()[0] == pytest.approx(in_db, rel=1e-5)


def test_plots_need_no_display(tmp_path) -> None:
    program = "import torch, autograder.lab.plots.basic as p; p.plot_channel_ranges(torch.ones(2, 2)).savefig('x.png')"
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
