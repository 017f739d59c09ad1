"""Tiny files in the formats of public data sets, for tests that read them."""

import gzip
import io
import pickle

import numpy as np
import PIL.Image
import scipy.io
from scipy.spatial.transform import Rotation


def idx(array):
    """The bytes of a file in the idx format."""
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    kind = array.dtype.newbyteorder(">")
    head = bytes([0, 0, codes[kind.str[1:]], array.ndim]) + np.asarray(array.shape, ">u4").tobytes()
    return head + array.astype(kind).tobytes()


def images(n, side, seed=0):
    """Random pictures with a blob each, and labels."""
    draw = np.random.default_rng(seed)
    x = np.zeros((n, side, side), np.uint8)
    edge = side // 4
    x[:, edge:-edge, edge:-edge] = draw.integers(0, 256, (n, side - 2 * edge, side - 2 * edge))
    return x, draw.integers(0, 10, n).astype(np.uint8)


def write_mnist(folder, n_train, n_test, dot="-", packed=True, seed=0):
    """The four files; returns the images and labels of both."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for begin, n in (("train", n_train), ("t10k", n_test)):
        written.append(images(n, 28, seed + n))
        for kind, array in zip(("images{}idx3", "labels{}idx1"), written[-1]):
            path = folder / f"{begin}-{kind.format(dot)}-ubyte{'.gz' * packed}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return written


def write_affnist(path, x, y):
    """One file of affNIST."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"image": x.reshape(len(x), -1).T, "label_int": y[None], "label_one_of_n": np.eye(10, dtype=np.uint8)[y].T}
    scipy.io.savemat(path, {"affNISTdata": record})


def poses(n, k, seed=0):
    """Pictures (n, 224, 224, 3) of large blocks, and rotations (n, k, 3, 3)."""
    draw = np.random.default_rng(seed)
    x = np.repeat(np.repeat(draw.integers(0, 256, (n, 7, 7, 3), np.uint8), 32, 1), 32, 2)
    return x, Rotation.random(n * k, rng=seed).as_matrix().reshape(n, k, 3, 3)


def write_picture(path, x):
    """One picture, in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(x).save(path, quality=95)


def write_symsol(folder, part, shapes, n):
    """One part; returns the pictures and rotations of each shape, which is in the order of {shape: k}."""
    written = {shape: poses(n, k, seed) for seed, (shape, k) in enumerate(shapes.items())}
    for shape, (x, _) in written.items():
        for i, picture in enumerate(x):
            write_picture(folder / part / "images" / f"{shape}_{i:05d}.png", picture)
    np.savez(folder / part / "rotations.npz", **{shape: rotations for shape, (_, rotations) in written.items()})
    return written


def pages(records):
    """The bytes of a file of LMDB with a few short records, which fit into one leaf."""
    size, root = 4096, 2
    one_tree = lambda entries, at: (
        np.array([0, 0, 0], "<u4").tobytes()[:8] + np.array([0, 1, 0, entries, at], "<u8").tobytes()
    )
    leaf, places = bytearray(size), []
    end = size
    for name, value in sorted(records.items()):
        node = np.array([len(value) & 0xFFFF, len(value) >> 16, 0, len(name)], "<u2").tobytes() + name.encode() + value
        end -= len(node) + len(node) % 2
        leaf[end : end + len(node)] = node
        places.append(end)
    leaf[:16] = np.array([root], "<u8").tobytes() + np.array([0, 2, 16 + 2 * len(places), end], "<u2").tobytes()
    leaf[16 : 16 + 2 * len(places)] = np.array(places, "<u2").tobytes()
    meta = b""
    for page in (0, 1):
        head = np.array([page], "<u8").tobytes() + np.array([0, 8, 0, 0], "<u2").tobytes()
        free = np.array([size], "<u4").tobytes() + bytes(4) + np.array([0, 0, 0, 0, 2**64 - 1], "<u8").tobytes()
        body = np.array([0xBEEFC0DE, 1], "<u4").tobytes() + np.array([0, 1 << 20], "<u8").tobytes() + free
        body += one_tree(len(places), root if page else 2**64 - 1) + np.array([root, page], "<u8").tobytes()
        meta += (head + body).ljust(size, b"\0")
    return meta + bytes(leaf)


def write_modelnet(folder, names, packed, seed=0, part="test"):
    """One part, as published or (packed) in one file of numpy; returns grey pictures and rotations."""
    draw = np.random.default_rng(seed)
    grey = np.repeat(np.repeat(draw.integers(0, 256, (len(names), 7, 7), np.uint8), 32, 1), 32, 2)
    turns = Rotation.random(len(names), rng=seed)
    quaternions = turns.as_quat(scalar_first=True)
    if packed:
        place = folder / "modelnet10"
        place.mkdir(parents=True, exist_ok=True)
        labels = [MODELNET.index(name.rpartition("_")[0]) for name in names]
        np.savez(
            place / f"modelnet10_{part}.npz", imgs=grey[..., None], rots=turns.as_matrix(), cat_ids=np.array(labels)
        )
    else:
        place = folder / "ModelNet10-SO3" / f"{part}_{100 if part == 'train' else 20}V.Rawjpg.lmdb"
        place.mkdir(parents=True)
        (place / "viewID2quat.pkl").write_bytes(pickle.dumps(dict(zip(names, quaternions)), protocol=2))
        content = {}
        for name, x in zip(names, grey):
            file = io.BytesIO()
            PIL.Image.fromarray(x).save(file, "PNG")
            content[name] = file.getvalue()
        (place / "data.mdb").write_bytes(pages(content))
    return grey, turns.as_matrix()


MODELNET = ("bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet")


PASCAL = (
    *("aeroplane", "bicycle", "boat", "bottle", "bus", "car"),
    *("chair", "diningtable", "motorbike", "sofa", "train", "tvmonitor"),
)


def write_pascal(folder, part, names, **fields):
    """A part with one thing for each class and name; ``fields`` replace those of the record."""
    root = folder / "PASCAL3D+_release1.1"
    voc = root / "PASCAL" / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main"
    voc.mkdir(parents=True, exist_ok=True)
    (root / "Image_sets").mkdir(exist_ok=True)
    for kind in PASCAL:
        mine = [name for name, of in names.items() if of == kind]
        half = {"train": "train", "test": "val"}[part]
        (voc / f"{kind}_{half}.txt").write_text("".join(f"{name}  {1 if name in mine else -1}\n" for name in names))
        for half in ("train", "val"):
            (root / "Image_sets" / f"{kind}_imagenet_{half}.txt").write_text("")
        for name in mine:
            x = np.full((120, 160, 3), 30, np.uint8)
            x[40:80, 60:110] = (200, 100, 50)
            write_picture(root / "Images" / f"{kind}_pascal" / f"{name}.jpg", x)
            seen = {"azimuth": 30.0, "elevation": 10.0, "theta": 5.0, "distance": 4.0, "focal": 1.0, "viewport": 3000.0}
            seen |= {"px": 80.0, "py": 60.0}
            thing = {"class": kind, "bbox": [61.0, 41.0, 109.0, 79.0], "viewpoint": seen}
            thing |= {"occluded": 0, "truncated": 0, "difficult": 0} | fields
            path = root / "Annotations" / f"{kind}_pascal" / f"{name}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            scipy.io.savemat(path, {"record": {"objects": thing}})
    return root
