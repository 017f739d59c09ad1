"""SYMSOL, PASCAL3D+ and ModelNet10-SO(3): files written here are read, and what is wrong with others is told."""

import base64
import os
import pickle
import re
import zlib

import numpy as np
import pytest
import scipy.io
from public_files import pages, write_modelnet, write_pascal, write_picture, write_symsol
from scipy.spatial.transform import Rotation

from experiments.data import modelnet10_so3, pascal3d, public, symsol
from experiments.data.records import records
from experiments.record import Mistake


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(public.VARIABLE, raising=False)


def refused(*parts):
    return pytest.raises(Mistake, match=".*".join(map(re.escape, map(str, parts))))


# --- pickles, pictures, records ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [0, 1, 2, pickle.HIGHEST_PROTOCOL])
def test_a_pickle_of_plain_data(tmp_path, protocol):
    content = {"a.v001": np.arange(4.0), "b": (1, 2.5, "x", None, True), "c": [np.float64(3)]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    found = public.unpickle(tmp_path / "a.pkl")
    assert found.keys() == content.keys()
    np.testing.assert_array_equal(found["a.v001"], content["a.v001"])
    assert (found["b"], found["c"]) == (content["b"], content["c"])


def test_a_pickle_of_python_2(tmp_path):
    """Texts are bytes there, and an array is made by ``numpy.core.multiarray._reconstruct``."""
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    array += b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"
    array += b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'" + b"\\x00" * 6 + rb"\xf0?" + b"\\x00" * 7 + rb"@" + b"'\ntb"
    (tmp_path / "a.pkl").write_bytes(b"(dS'bed_0001.v001'\n" + array + b"s.")
    assert {name: value.tolist() for name, value in public.unpickle(tmp_path / "a.pkl").items()} == {
        "bed_0001.v001": [1, 2]
    }


class Evil:
    def __reduce__(self):
        return (os.system, ("echo evil > evil",))


@pytest.mark.parametrize("value", [Evil(), {"a": [Evil()]}, print, np.random.default_rng])
def test_a_pickle_that_asks_for_more_is_refused(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    with refused(tmp_path / "a.pkl", "is not a pickle of plain data (it asks for"):
        public.unpickle(tmp_path / "a.pkl")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"a": 1})[:-2], b"\x80\x09."])
def test_a_damaged_pickle_is_named(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with refused(tmp_path / "a.pkl", "is not a pickle of plain data"):
        public.unpickle(tmp_path / "a.pkl")


def test_pictures(tmp_path):
    x = np.arange(36, dtype=np.uint8).reshape(4, 3, 3) * 7
    write_picture(tmp_path / "a.png", x)
    np.testing.assert_array_equal(public.picture(tmp_path / "a.png", "a"), x)
    np.testing.assert_array_equal(public.picture((tmp_path / "a.png").read_bytes(), "a"), x)
    write_picture(tmp_path / "b.png", x[..., 0])
    np.testing.assert_array_equal(public.picture(tmp_path / "b.png", "b"), np.repeat(x[..., :1], 3, axis=-1))
    for wrong in (b"", b"abc", (tmp_path / "a.png").read_bytes()[:-30]):
        with refused("the picture is missing, damaged or no picture; fetch it again"):
            public.picture(wrong, "the picture")
    with refused("no.png is missing, damaged or no picture"):
        public.picture(tmp_path / "no.png", "no.png")
    with pytest.raises(ValueError, match="4 x 3 pixels has no means over squares of side 2"):
        public.shrink(x, 2)


WRITTEN = (
    "c-rmVyH6BR6bA5_VV}UV$V<dGqT&l@hPNW3B9)aD9cl!%*_cSQF&0$DSXdehODq2ZV+^ISur!1iD`R0}VnwIn9@t%w4}}jB(eGEVfcS-"
    "6bCP@3d*^uGqKy0aY5Ln6-z!&Je93sFKUw-SrLVI~z8e(3A1r$vS$It^`+I>WA|fIpA|fIi&0kah|9d|c{AvH6TK4MepF~7NL_|bHWWx"
    "nzpG|m8{)_yj{P&utHG?&ubB}Ui?nCwc>elMFRfVdCs#ld)DpQp&vzN1Tndh0|%-8gjbWi$YYAV&9dY_z3wj`$$6N#b3mx{*~am7sVAZ"
    "QET`M3Qh|MjN)?gQ>)qgS|f<L2bpoyn_(>tkWq)!A`345MQNlpN0|heru0Ihs$7j}TCD=vJeh0FpcV-D(^rpyWQc8ixodx!0}6K>|wda"
    "jVfrK*`;1H4YF^a+h0;R)Y7ie*QhXUy@x7h83$<YNxBGcpm{JyLyWD5>T?Mr*IDeB*(6v;@t$4?CL4nML@}}p2D33l<ev$ZXuv#S5MIn"
    "0!nuE6gCr3va6?fI{_uT8jP9<DB0Cu*hoOht_I@<0!WTr4Mz0@l<aCStRtXgSA+330!nr@7}XL`va7)`Pe9482ICq6O16Dvj)0PFUs+8"
    "+$+oYoBA{g3S5^{0a%lU?ECD6kzA{5V$+oXd6Hv14D^moNZ2QV20VUhMGC@Ge3;Rj}O18adKtRd17xf7!+4iDT4_(}%dkObmz<v=C5fK"
    "p)5fKsDbUK+NA|fIpA{#APcK(0Fn@X+k{J+*wL`2qV<+E))b_(<&0VUfh&|v~fwo{-N2q@W3fu1LzWIF|Vj)0Qw6zC8ECEF>`vjmiEr$"
    "7e@DA`Vdo*|%QI|VvG0Lk5UBk42&CEJapQv{T3H<J1ZDA{f#^$}3A-AL*spk%v|)I&hYb|a~qfRgP-QWpUw+l{170!p?UNepy<*KQ;+P"
    "_o@fVxVNZk#v%PlI=!P2LUD9jieI<lx#PWjuSTVrhBP%_q_&hHb0l2&1+98A|fIpA|kR?Bv*USp!nRswEBM$5fKp)5s`nk|6iQtSDNWJ"
    "|NQ?^f0Uj8@NC5i0DtEi+0zem-nH?vCp8wv@A1$7-@If^7SLn?O%_<JU`-a#WC2YU&}0Ek7SLn?O%~8(0ZkUrWPx=}7Whw}|DP@E|LeS"
    "&{EX)RY5t$Obam<K($%G_OIMe!E?r%^x^#8v>eAJvYyRJs>HnJ-{&znpcK0T=?CYOaMP(l"
)
"""A file of the LMDB library, 0.9: 70 names on three leaves, one long value, one name deleted and one added later."""


def test_records_of_the_library(tmp_path):
    (tmp_path / "data.mdb").write_bytes(zlib.decompress(base64.b85decode(WRITTEN)))
    found = dict(records(tmp_path / "data.mdb"))
    expected = {
        f"night_stand_{i:04d}.v{i % 3:03d}": bytes([i]) * (5000 if i == 33 else 60) for i in range(70) if i != 3
    }
    assert found == expected | {"bed_0001.v001": b"new"}
    assert list(found) == sorted(found)


def test_records_of_ours(tmp_path):
    content = {"b": b"1", "a": b"x" * 301}
    (tmp_path / "data.mdb").write_bytes(pages(content))
    assert dict(records(tmp_path / "data.mdb")) == content


def test_damaged_records_are_named(tmp_path):
    path = tmp_path / "data.mdb"
    with refused(path, "is missing or empty"):
        dict(records(path))
    whole = zlib.decompress(base64.b85decode(WRITTEN))
    for content in (b"x", b"x" * 9000, whole[:4000], whole[:8192], whole[:-9000]):
        path.write_bytes(content)
        with refused(path, "is no file of LMDB, or is damaged; fetch it again"):
            dict(records(path))


# --- SYMSOL -----------------------------------------------------------------------------------------------------------

KINDS = {"cube": 24, "cyl": 720, "tetX": 1}


@pytest.mark.parametrize("below", ["", "symsol", "symsol_dataset"])
def test_symsol(tmp_path, below):
    for part, n in (("train", 3), ("test", 2)):
        written = write_symsol(tmp_path / below, part, KINDS, n)
        for shape, (x, rotations) in written.items():
            found = symsol.load(str(tmp_path), part, shape)
            np.testing.assert_array_equal(found.x, np.moveaxis(x, -1, 1))
            np.testing.assert_allclose(found.rotations, rotations, rtol=0, atol=1e-6)
            assert (found.x.dtype, found.rotations.dtype, found.y.dtype) == (np.uint8, np.float32, np.int32)
            assert found.y.tolist() == [symsol.SHAPES.index(shape)] * n
    small = symsol.load(str(tmp_path), "train", "cube", n=1, side=7)
    np.testing.assert_array_equal(
        small.x, np.moveaxis(write_symsol(tmp_path / "x", "train", KINDS, 3)["cube"][0], -1, 1)[:1, :, ::32, ::32]
    )
    assert symsol.missing(str(tmp_path), "train", "test") is None


def test_symsol_is_missing_packed_or_damaged(tmp_path):
    sentence = symsol.missing(str(tmp_path), "train")
    assert "has no symsol/train/rotations.npz or symsol_dataset/train/rotations.npz" in sentence
    assert "implicit-pdf.github.io" in sentence
    assert "no folder of data was named" in symsol.missing("", "train")
    (tmp_path / "symsol_dataset.zip").write_bytes(b"PK")
    assert "symsol_dataset.zip is packed; unpack it there: cd" in symsol.missing(str(tmp_path), "train")
    write_symsol(tmp_path, "train", KINDS, 2)
    with refused("has no rotations of icosa"):
        symsol.load(str(tmp_path), "train", "icosa")
    (tmp_path / "train" / "images" / "cube_00001.png").unlink()
    with refused("cube_00001.png is missing, damaged or no picture"):
        symsol.load(str(tmp_path), "train", "cube")
    assert len(symsol.load(str(tmp_path), "train", "cube", n=1).y) == 1
    write_picture(tmp_path / "train" / "images" / "tetX_00000.png", np.zeros((10, 224, 3), np.uint8))
    with refused("tetX_00000.png has 10 x 224 pixels, not 224 x 224"):
        symsol.load(str(tmp_path), "train", "tetX")
    for wrong in (np.zeros((2, 24, 3, 3)), np.zeros((2, 3, 3)), np.zeros((0, 24, 3, 3))):
        np.savez(tmp_path / "train" / "rotations.npz", cube=wrong)
        with refused("has to hold rotations (n, k, 3, 3) of cube, got", wrong.shape):
            symsol.load(str(tmp_path), "train", "cube")
    (tmp_path / "train" / "rotations.npz").write_bytes(b"PK\x03\x04")
    with refused("rotations.npz is damaged or has no rotations of cube"):
        symsol.load(str(tmp_path), "train", "cube")
    with pytest.raises(ValueError, match=r"the shapes of SYMSOL are tet, .*, got 'torus'"):
        symsol.load(str(tmp_path), "train", "torus")
    with pytest.raises(ValueError, match="the parts of SYMSOL are train and test, got 'val'"):
        symsol.load(str(tmp_path), "val", "cube")


# --- ModelNet10-SO(3) -------------------------------------------------------------------------------------------------

NAMES = ("night_stand_0201.v000", "bed_0516.v003", "bed_0516.v001", "toilet_0400.v019")


@pytest.mark.parametrize("packed", [False, True])
def test_modelnet(tmp_path, packed):
    grey, rotations = write_modelnet(tmp_path, NAMES, packed)
    assert modelnet10_so3.missing(str(tmp_path), "test") is None
    found = modelnet10_so3.load(str(tmp_path), "test")
    np.testing.assert_array_equal(found.x, np.repeat(grey[:, None], 3, axis=1))
    np.testing.assert_allclose(found.rotations, rotations[:, None], rtol=0, atol=1e-6)
    assert found.y.tolist() == [6, 1, 1, 9]
    assert (found.x.dtype, found.rotations.dtype, found.y.dtype) == (np.uint8, np.float32, np.int32)
    beds = modelnet10_so3.load(str(tmp_path), "test", ("bed",), n=1, side=7)
    np.testing.assert_array_equal(beds.x[0, 2], grey[1, ::32, ::32])
    assert modelnet10_so3.load(str(tmp_path), "test", n=1, side=7).y.tolist() == [6, 1, 9]  # one of each class
    with refused("has no picture of sofa; choose other classes"):
        modelnet10_so3.load(str(tmp_path), "test", ("sofa",))


def test_modelnet_is_missing_or_damaged(tmp_path):
    sentence = modelnet10_so3.missing(str(tmp_path), "train")
    for word in ("modelnet10/modelnet10_train.npz", "train_100V.Rawjpg.lmdb/data.mdb", "leoshine"):
        assert word in sentence
    write_modelnet(tmp_path, NAMES, packed=False)
    below = tmp_path / "ModelNet10-SO3" / "test_20V.Rawjpg.lmdb"
    turns = {name: np.eye(4)[0] for name in NAMES}
    for wrong, words in (
        ([], "has to hold a dictionary of quaternions"),
        (turns | {"bed_1.v1": np.eye(4)[0]}, "has no picture bed_1.v1, of which viewID2quat.pkl knows"),
        (turns | {NAMES[0]: np.zeros(4)}, "has to hold four numbers, not all 0"),
        (turns | {NAMES[0]: np.zeros(3)}, "has to hold four numbers, not all 0"),
    ):
        (below / "viewID2quat.pkl").write_bytes(pickle.dumps(wrong, protocol=2))
        with refused(words):
            modelnet10_so3.load(str(tmp_path), "test")
    (below / "data.mdb").write_bytes(pages({"x_1.v1": b"abc", "bed_1.v1": b"abc"}))
    for name, words in (("x_1.v1", "has a view x_1.v1 of no class"), ("bed_1.v1", "the picture bed_1.v1 in")):
        (below / "viewID2quat.pkl").write_bytes(pickle.dumps({name: np.eye(4)[0]}, protocol=2))
        with refused(words):
            modelnet10_so3.load(str(tmp_path), "test")
    (below / "viewID2quat.pkl").unlink()
    assert f"{below / 'viewID2quat.pkl'} is missing" in modelnet10_so3.missing(str(tmp_path), "test")
    place = tmp_path / "modelnet10"
    place.mkdir()
    right = {"imgs": np.zeros((2, 224, 224, 1), np.uint8), "rots": np.zeros((2, 3, 3)), "cat_ids": np.zeros(2, int)}
    for wrong, words in (
        ({"imgs": right["imgs"]}, "lacks imgs, rots or cat_ids"),
        (right | {"imgs": right["imgs"][:1]}, "expected bytes (2, 224, 224, 1)"),
        (right | {"cat_ids": np.array([0, 10])}, "classes from 0 to 9"),
    ):
        np.savez(place / "modelnet10_test.npz", **wrong)
        with refused(words):
            modelnet10_so3.load(str(tmp_path), "test")
    with pytest.raises(ValueError, match=r"the classes of ModelNet10 are bathtub, .*, got 'lamp'"):
        modelnet10_so3.load(str(tmp_path), "test", ("lamp",))
    with pytest.raises(ValueError, match=r"the parts of ModelNet10-SO\(3\) are train, train_limited, test, got 'val'"):
        modelnet10_so3.load(str(tmp_path), "val")


# --- PASCAL3D+ --------------------------------------------------------------------------------------------------------


def projection(azimuth, elevation, roll, distance, scale, middle):
    """The camera's 3 x 4 matrix as the data set's own code has it: turn, move away, project, roll, flip, shift."""
    a, e, t = np.radians([azimuth, elevation, roll])
    place = distance * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    turn = Rotation.from_euler("x", e - np.pi / 2).as_matrix() @ Rotation.from_euler("z", -a).as_matrix()
    outer = np.concatenate([turn, -turn @ place[:, None]], axis=1)
    inner = np.array([[scale, 0, 0], [0, scale, 0], [0, 0, -1]])
    inner = np.diag([1, -1, 1]) @ Rotation.from_euler("z", t).as_matrix() @ inner
    return np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1]]) @ inner @ outer


def test_the_rotation_is_that_of_the_projection():
    """A projection matrix is K [R | t], K upper triangular with a positive diagonal, whatever it was made of."""
    angles = (35.0, -20.0, 12.0)
    p = projection(*angles, 5.0, 3000.0, (80.0, 60.0))
    q, r = np.linalg.qr(p[:, :3][::-1].T)
    k, rotation = r.T[::-1, ::-1], q.T[::-1]
    signs = np.diag(np.sign(np.diag(k)))
    np.testing.assert_allclose(pascal3d.viewpoint(*angles), signs @ rotation, rtol=0, atol=1e-12)
    k = k @ signs
    np.testing.assert_allclose(k / k[2, 2], [[3000, 0, 80], [0, 3000, 60], [0, 0, 1]], rtol=0, atol=1e-8)


def test_looking_at_a_thing():
    """A point in space is seen at the same place by both ways: through the old camera and the warp, or the new one."""
    scale, middle, side = 400.0, (80.0, 60.0), 64
    rotation = pascal3d.viewpoint(40.0, 15.0, -7.0)
    k = np.array([[scale, 0, middle[0]], [0, scale, middle[1]], [0, 0, 1]])
    thing = pascal3d.Thing(rotation, k, np.array([90.0, 10.0, 150.0, 50.0]))
    homography, turned = pascal3d.look_at(thing, side)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    change = turned @ rotation.T
    corners = np.array([[x, y, 1.0] for x in (90, 150) for y in (10, 50)])
    seen = corners @ np.linalg.inv(homography).T
    seen = seen[:, :2] / seen[:, 2:]
    assert np.abs(np.abs(seen - side / 2).max() - side / 2) < 1e-9  # the box fits, and touches a side
    rays = corners @ np.linalg.inv(k).T @ change.T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    assert np.ptp(np.sort(rays[:, 2])[:2]) < 1e-12  # two corners are as far from the middle as any
    assert change[0, 0] > 0.9
    assert abs(change[1, 0]) < 1e-12  # upright
    np.testing.assert_allclose(
        seen - side / 2, rays[:, :2] / rays[:, 2:] * _scale(homography, k, change, side), atol=1e-9
    )


def _scale(homography, k, change, side):
    """The focal length of the new camera, from the map of pixels."""
    inner = np.linalg.inv(homography) @ k @ change.T
    return inner[0, 0] / inner[2, 2]


def test_pascal(tmp_path):
    root = write_pascal(tmp_path, "test", {"2008_1": "car", "2008_2": "tvmonitor", "2008_3": "car"})
    write_pascal(tmp_path, "train", {"2009_1": "boat"})
    found = pascal3d.load(str(tmp_path), "test", side=32)
    assert found.x.shape == (3, 3, 32, 32)
    assert found.y.tolist() == [5, 5, 11]
    assert (found.x.dtype, found.rotations.dtype, found.y.dtype) == (np.uint8, np.float32, np.int32)
    np.testing.assert_allclose(
        found.rotations[:, 0] @ np.swapaxes(found.rotations[:, 0], 1, 2),
        np.broadcast_to(np.eye(3), (3, 3, 3)),
        atol=1e-6,
    )
    middle = found.x[0, :, 12:20, 12:20].reshape(3, -1)
    assert (np.abs(middle - np.array([[200], [100], [50]])) < 12).all()  # what is in the box
    assert len(pascal3d.load(str(tmp_path), "test", ("tvmonitor",), side=8).y) == 1
    assert pascal3d.load(str(tmp_path), "test", n=1, side=8).y.tolist() == [5, 11]  # one of each class
    assert pascal3d.load(str(tmp_path), "train", side=8).y.tolist() == [2]
    (root / "Image_sets" / "boat_imagenet_val.txt").write_text("n01_2\n")
    with refused("n01_2.mat is missing; it is published with the others"):
        pascal3d.load(str(tmp_path), "train", side=8)
    with refused("has no picture of sofa for test"):
        pascal3d.load(str(tmp_path), "test", ("sofa",))
    assert pascal3d.missing(str(tmp_path), "train", "test") is None


@pytest.mark.parametrize(
    "fields",
    [{"occluded": 1}, {"truncated": 1}, {"difficult": 1}, {"viewpoint": []}, {"viewpoint": {"azimuth": 1.0}},
     {"bbox": [5.0, 5.0, 5.0, 9.0]}, {"viewpoint": {"distance": 0.0}}],
    ids=["occluded", "cut off", "difficult", "no viewpoint", "no distance", "no box", "far too near"],
)  # fmt: skip
def test_pictures_that_are_not_used(tmp_path, fields):
    root = write_pascal(tmp_path, "test", {"2008_1": "car"}, **fields)
    assert pascal3d.read(root / "Annotations" / "car_pascal" / "2008_1.mat") is None


def test_the_first_of_several_things(tmp_path):
    root = write_pascal(tmp_path, "test", {"2008_1": "car"})
    path = root / "Annotations" / "car_pascal" / "2008_1.mat"
    thing = scipy.io.loadmat(path, simplify_cells=True)["record"]["objects"]
    scipy.io.savemat(path, {"record": {"objects": [thing, thing | {"occluded": 1}]}})
    np.testing.assert_array_equal(pascal3d.read(path).rotation, pascal3d.viewpoint(30.0, 10.0, 5.0))


def test_pascal_is_missing_or_damaged(tmp_path):
    sentence = pascal3d.missing(str(tmp_path), "test")
    for word in ("ImageSets/Main/aeroplane_val.txt", "PASCAL3D+_release1.1.zip"):
        assert word in sentence
    root = write_pascal(tmp_path, "test", {"2008_1": "car"})
    path = root / "Annotations" / "car_pascal" / "2008_1.mat"
    for content in (b"", b"a text\n"):
        path.write_bytes(content)
        with refused(path, "is damaged or lacks a field of a viewpoint"):
            pascal3d.load(str(tmp_path), "test")
    for content in ({"x": 1}, {"record": {"objects": {"viewpoint": {"distance": 1.0}}}}):
        scipy.io.savemat(path, content)
        with refused(path, "is damaged or lacks a field of a viewpoint"):
            pascal3d.read(path)
    write_pascal(tmp_path, "test", {"2008_1": "car"})
    (root / "Images" / "car_pascal" / "2008_1.jpg").write_bytes(b"x")
    with refused("2008_1.jpg is missing, damaged or no picture"):
        pascal3d.load(str(tmp_path), "test")
    with pytest.raises(ValueError, match=r"the classes of PASCAL3D\+ are aeroplane, .*, got 'cat'"):
        pascal3d.load(str(tmp_path), "test", ("cat",))
    with pytest.raises(ValueError, match=r"the parts of PASCAL3D\+ are train and test, got 'val'"):
        pascal3d.load(str(tmp_path), "val")
