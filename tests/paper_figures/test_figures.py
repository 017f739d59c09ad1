"""Every figure draws, says what it has to say, and carries the hash of what it was drawn from."""

import io
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

from experiments.catalogue import EXPERIMENTS
from paper_figures import store, style
from paper_figures.catalogue import FIGURES
from paper_figures.record import Inputs
from theory.catalogue import CLAIMS

FOLDER = Path(store.__file__).parent
each_figure = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)


def drawn(figure, results):
    with style.applied():
        picture = figure.draw(store.load(figure, results))
        picture.draw_without_rendering()
    return picture


@each_figure
def test_catalogue_row(figure):
    assert (FOLDER / f"{figure.name}.py").is_file()
    assert FIGURES[figure.name] is figure
    assert set(figure.experiments) <= {name for name, experiment in EXPERIMENTS.items() if experiment.needs is None}
    assert set(figure.claims) <= set(CLAIMS)
    assert figure.experiments or figure.claims
    assert not figure.title.endswith(".")
    assert figure.caption.endswith(".")
    assert not figure.figure_of_paper.endswith(".")


def test_every_figure_file_is_in_the_catalogue():
    machinery = {"__init__", "__main__", "catalogue", "contests", "record", "report", "store", "style"}
    assert {path.stem for path in FOLDER.glob("*.py")} - machinery == set(FIGURES)


@each_figure
def test_axes_are_labelled_and_fit_a_page(figure, results):
    picture = drawn(figure, results)
    width, height = picture.get_size_inches()
    assert width in (style.COLUMN, style.PAGE)
    assert height < 9
    assert picture.axes
    for ax in picture.axes:
        assert ax.get_xlabel()
        assert ax.lines or ax.collections or ax.patches or ax.images
    assert picture.axes[0].get_ylabel()


@each_figure
def test_bands_say_how_many_trials(figure, results):
    picture = drawn(figure, results)
    if any(isinstance(drawn, PolyCollection) for ax in picture.axes for drawn in ax.collections):
        words = " ".join(text.get_text() for legend in picture.legends for text in legend.get_texts())
        assert re.search(r"95 % interval, [\d,]+( to [\d,]+)? trials", words)


def written_texts(picture):
    """Every text that is drawn; matplotlib keeps tick labels outside the limits too, and does not draw them."""
    for ax in picture.axes:
        yield from ax.texts
        yield from (ax.xaxis.label, ax.yaxis.label, ax._left_title)
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            yield from (label for label, at in zip(axis.get_ticklabels(), axis.get_ticklocs()) if low <= at <= high)
    for legend in [*picture.legends, *(ax.get_legend() for ax in picture.axes if ax.get_legend())]:
        yield from legend.get_texts()


@each_figure
def test_text_does_not_overlap_and_stays_inside(figure, results):
    """No two texts of a picture lie on each other, and none leaves the page."""
    picture = drawn(figure, results)
    outer = picture.bbox
    boxes = [(text.get_window_extent(), text.get_text()) for text in written_texts(picture) if text.get_text()]
    for i, (one, first) in enumerate(boxes):
        assert outer.x0 - 2 <= one.x0 < one.x1 <= outer.x1 + 2, f"{first!r} leaves the page"
        assert outer.y0 - 2 <= one.y0 < one.y1 <= outer.y1 + 2, f"{first!r} leaves the page"
        for other, second in boxes[:i]:
            common = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(common) < 2, f"{first!r} lies on {second!r}"


@each_figure
@pytest.mark.parametrize("format", store.FORMATS)
def test_bytes(figure, format, results, pictures):
    """The hash stands in the file, the bytes are those of the results alone, and no date or path is in them."""
    inputs = store.load(figure, results)
    picture = (pictures / f"{figure.name}.{format}").read_bytes()
    assert store.encode(figure, inputs, format) == picture
    assert f"results-sha256:{inputs.digest}".encode() in picture
    assert b"CreationDate" not in picture
    assert b"<dc:date>" not in picture
    assert str(FOLDER.parent).encode() not in picture
    if format == "png":
        image = Image.open(io.BytesIO(picture))
        assert image.info["Source"].endswith(inputs.digest)
        assert np.asarray(image.convert("L")).min() < 100


@each_figure
def test_no_warnings_with_one_trial(figure, results):
    """Results of a single trial have no interval; the figure still draws."""
    inputs = store.load(figure, results)
    single = {name: d.isel(trial=[0]).assign_attrs(d.attrs) for name, d in inputs.results.items()}
    with style.applied(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw(Inputs(single, inputs.claims)).draw_without_rendering()


def test_the_digest_is_of_arrays_and_claims(results, own_results, new_results, tmp_path):
    figure = FIGURES["generalisation_gap"]
    digest = store.load(figure, results).digest
    assert store.load(figure, own_results).digest == digest
    assert store.load(figure, new_results(tmp_path / "other", seed=1)).digest != digest
    path = own_results / "claims.json"
    content = json.loads(path.read_text())
    content["provenance"]["time"] = "later"
    content["claims"] = [row | {"seconds": 99} for row in content["claims"]]
    path.write_text(json.dumps(content))
    assert store.load(figure, own_results).digest == digest
    for row in content["claims"]:
        row["verdict"] = "fails"
    path.write_text(json.dumps(content))
    assert store.load(figure, own_results).digest != digest


# --- style ---------------------------------------------------------------------------------------


def test_the_interval_covers():
    """95 % of intervals from 5 normal draws hold the mean: within 5 standard errors of the share."""
    draws = 2000
    samples = np.random.default_rng(0).standard_normal((draws, 5))
    _, low, high = style.mean_interval(samples)
    share = np.mean((low <= 0) & (high >= 0))
    assert abs(share - 0.95) < 5 * np.sqrt(0.95 * 0.05 / draws)


def test_both_intervals_are_one():
    samples = np.random.default_rng(1).standard_normal((3, 7))
    error = samples.std(axis=1, ddof=1) / np.sqrt(7)
    for one, other in zip(style.mean_interval(samples), style.error_interval(samples.mean(axis=1), error, 7)):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_labels_are_moved_apart():
    with style.applied():
        picture, (ax,) = style.panels()
        ax.plot([0, 1], [0, 1])
        style.label_ends(ax, [(0.5, "one", "k"), (0.5, "two", "k"), (0.52, "three", "k"), (1.0, "far", "k")])
        picture.draw_without_rendering()
    heights = {text.get_text(): text.get_window_extent() for text in ax.texts}
    assert heights["one"].y1 <= heights["two"].y0 + 1 or heights["two"].y1 <= heights["one"].y0 + 1
    assert heights["two"].y1 <= heights["three"].y0 + 1
    assert heights["three"].y1 < heights["far"].y0


def test_a_reference_slope_has_its_slope():
    with style.applied():
        _, (ax,) = style.panels()
        ax.loglog([1, 100], [1, 100])
        style.reference_slope(ax, 1.5, (2.0, 3.0), 4.0)
    x, y = ax.lines[-1].get_data()
    assert np.log(y[1] / y[0]) / np.log(x[1] / x[0]) == pytest.approx(1.5)
    assert ax.texts[-1].get_text() == "slope 1.5"


def test_the_style_is_taken_back():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with style.applied():
        assert matplotlib.rcParams["font.family"] == ["STIXGeneral"]
    assert dict(matplotlib.rcParams) == before


def luminance(colour):
    import matplotlib.colors

    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_ink_reads_on_paper():
    assert 1.05 / (luminance(style.INK) + 0.05) > 12
    assert 1.05 / (luminance(style.QUIET) + 0.05) > 4.5
    assert len({*style.COLOURS.values()}) == len(style.COLOURS)
    for colour in {*style.COLOURS.values(), *style.CYCLE}:
        assert 1.05 / (luminance(style.for_text(colour)) + 0.05) > 2.99


def test_the_key_tells_the_range_of_trials():
    with style.applied():
        for trials, told in ((7, "7"), ([40, 4000, 240], "40 to 4,000"), ([5, 5], "5")):
            picture, _ = style.panels()
            style.key(picture, trials=trials)
            (text,) = picture.legends[0].get_texts()
            assert text.get_text() == f"95 % interval, {told} trials"
