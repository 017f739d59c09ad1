r"""PASCAL3D+ 1.1: twelve classes of photographed things and which way they face, from the files it is published in.

A picture has a file of MATLAB with azimuth a, elevation e and roll t (degrees), distance, focal length, and the box
around the thing. In the camera (x right, y down, z ahead) the thing is turned by

    R = diag(1, -1, 1) R_z(t) diag(1, 1, -1) R_x(e - 90 deg) R_z(-a)

Things in the margin of a photograph are seen at an angle. So each picture is what a camera at the same place sees that
looks at the middle of the box (of the narrowest cone around its corners) and holds all of it: the photograph is warped
by a homography, and the label is turned with the camera.

Used is the first thing of each picture, unless it is occluded, cut off or difficult, or has no viewpoint. Training are
the training pictures of VOC 2012 and all of ImageNet's, testing are VOC's for validation.

Reference:
    Xiang, Mottaghi, Savarese, Beyond PASCAL, WACV 2014, for the data; Mohlin, Sullivan, Bianchi, Probabilistic
    Orientation Estimation with Matrix Fisher Distributions, NeurIPS 2020 (arXiv 2006.09740), for the cameras, as read
    in public code of it.

Differs from the paper: the public code takes the horizontal middle of the photograph for its vertical one as well; here
each is itself. Pictures are not augmented, and rendered ones are not used.
"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.io
import scipy.ndimage
from scipy.spatial.transform import Rotation

from experiments.data.public import Poses, find, folder, picture
from experiments.record import Mistake

__all__ = ["CLASSES", "PARTS", "PUBLISHED", "SIDE", "Thing", "load", "look_at", "missing", "read", "viewpoint"]

CLASSES = (
    *("aeroplane", "bicycle", "boat", "bottle", "bus", "car"),
    *("chair", "diningtable", "motorbike", "sofa", "train", "tvmonitor"),
)
"""In the order of the labels."""
PARTS = ("train", "test")
"""Of which ``test`` has the pictures that VOC 2012 has for validation."""
SIDE = 224
"""Pixels along one side, unless another is asked for."""
PUBLISHED = "PASCAL3D+ (cvgl.stanford.edu/projects/pascal3d.html), archive PASCAL3D+_release1.1.zip"
"""Where the files come from."""
_ROOT = "PASCAL3D+_release1.1"


class Thing(NamedTuple):
    """What one picture shows.

    Attributes:
        rotation: (3, 3), object -> camera.
        intrinsic: (3, 3), camera -> pixels.
        box: left, top, right, bottom, in pixels.
    """

    rotation: np.ndarray
    intrinsic: np.ndarray
    box: np.ndarray


def viewpoint(azimuth: float, elevation: float, roll: float) -> np.ndarray:
    """The rotation object -> camera.

    Args:
        azimuth: degrees, from the front of the object.
        elevation: degrees.
        roll: degrees.

    Returns:
        (3, 3).

    Example:
        >>> up = viewpoint(30.0, 0.0, 0.0) @ np.array([0.0, 0.0, 1.0])  # the object's z axis, seen from its side
        >>> [round(abs(float(x)), 6) for x in up], bool(up[1] < 0)  # y is down
        ([0.0, 1.0, 0.0], True)
    """
    turn = Rotation.from_euler("zx", [-azimuth, elevation - 90], degrees=True).as_matrix()
    return np.diag([1, -1, 1]) @ Rotation.from_euler("z", roll, degrees=True).as_matrix() @ np.diag([1, 1, -1]) @ turn


def read(path: Path) -> Thing | None:
    """The first thing of a picture; None if it is hidden in part, difficult, or without a viewpoint.

    Raises:
        Mistake: the file cannot be read or lacks a field.
    """
    if not path.is_file():
        raise Mistake(f"{path} is missing; it is published with the others: {PUBLISHED}")
    try:
        content = scipy.io.loadmat(path, simplify_cells=True)
        things = content["record"]["objects"]
        thing: dict[str, Any] = things if isinstance(things, dict) else things[0]
        seen, box = thing["viewpoint"], np.asarray(thing["bbox"], np.float64)
        hidden = any(np.any(thing[name]) for name in ("occluded", "truncated", "difficult"))
        if hidden or not isinstance(seen, dict) or not seen.get("distance"):
            return None
        if not (box[0] < box[2] and box[1] < box[3]):
            return None
        rotation = viewpoint(*(float(seen[name]) for name in ("azimuth", "elevation", "theta")))
        scale = float(seen["focal"]) * float(seen["viewport"])
        intrinsic = np.array([[scale, 0, float(seen["px"])], [0, scale, float(seen["py"])], [0, 0, 1]])
        if box.shape != (4,) or not np.isfinite([*rotation.flat, *intrinsic.flat, *box]).all() or scale <= 0:
            raise ValueError
    except (
        Exception
    ) as error:  # whatever scipy raises on bytes that are not of the format, and fields that are not there
        raise Mistake(f"{path} is damaged or lacks a field of a viewpoint; fetch it again") from error
    return Thing(rotation, intrinsic, box)


def _middle(rays: np.ndarray) -> np.ndarray:
    """The axis of the narrowest cone around unit vectors (n, 3): two or three of them are on its edge."""
    axes = [a + b for a, b in itertools.combinations(rays, 2)]
    for three in itertools.combinations(rays, 3):
        if abs(np.linalg.det(np.stack(three))) > 1e-12:
            axes.append(np.linalg.solve(np.stack(three), np.ones(3)))
    axes = [axis / np.linalg.norm(axis) for axis in axes]
    return max(axes, key=lambda axis: (rays @ axis).min())


def look_at(thing: Thing, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The camera that looks at a thing, upright as before, and sees all of its box.

    Args:
        thing: what is seen.
        side: pixels along one side of the new picture.

    Returns:
        The homography (3, 3) from new pixels to old ones, and the rotation (3, 3) object -> new camera.
    """
    left, top, right, bottom = thing.box
    corners = np.array([[x, y, 1] for x in (left, right) for y in (top, bottom)])
    rays = corners @ np.linalg.inv(thing.intrinsic).T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    ahead = _middle(rays)
    across = np.array([1.0, 0, 0]) - ahead[0] * ahead
    across /= np.linalg.norm(across)
    turn = np.stack([across, np.cross(ahead, across), ahead])
    seen = rays @ turn.T
    reach = np.abs(seen[:, :2] / seen[:, 2:]).max()
    scale = side / 2 / reach
    intrinsic = np.array([[scale, 0, side / 2], [0, scale, side / 2], [0, 0, 1]])
    return thing.intrinsic @ turn.T @ np.linalg.inv(intrinsic), turn @ thing.rotation


def _warped(image: np.ndarray, homography: np.ndarray, side: int) -> np.ndarray:
    """(3, side, side), linear between pixels, black outside."""
    row, column = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    x, y, w = np.einsum("ij,jrc->irc", homography, np.stack([column, row, np.ones_like(row)]))
    places = np.stack([y, x]) / w
    parts = [scipy.ndimage.map_coordinates(channel, places, order=1) for channel in np.moveaxis(image, -1, 0) / 255]
    return np.round(255 * np.stack(parts)).astype(np.uint8)


def _lists(root: Path, part: str) -> dict[str, list[tuple[str, Path]]]:
    """Class -> (kind of its pictures, list of their names)."""
    if part not in PARTS:
        raise ValueError(f"the parts of PASCAL3D+ are {' and '.join(PARTS)}, got {part!r}")
    voc = {"train": "train", "test": "val"}[part]
    found = {}
    for name in CLASSES:
        files = [f"{_ROOT}/PASCAL/VOCdevkit/VOC2012/ImageSets/Main/{name}_{voc}.txt"]
        if part == "train":
            files += [f"{_ROOT}/Image_sets/{name}_imagenet_{half}.txt" for half in ("train", "val")]
        kinds = ("pascal", "imagenet", "imagenet")
        found[name] = list(zip(kinds, find(root, [files], PUBLISHED)))
    return found


def missing(data: str, *parts: str) -> str | None:
    """The sentence that says what is missing of these parts; None if nothing is."""
    try:
        for part in parts:
            _lists(folder(data), part)
    except Mistake as mistake:
        return str(mistake)
    return None


def load(data: str, part: str, classes: tuple[str, ...] = CLASSES, n: int | None = None, side: int = SIDE) -> Poses:
    """The pictures of some classes, each turned towards its thing.

    Args:
        data: the folder of public data sets; empty for that of ``EQUIV_DATA``.
        part: ``train`` or ``test``.
        classes: some of ``CLASSES``.
        n: only the first ones of each class; all if None.
        side: pixels along one side.

    Returns:
        Pictures (n, 3, side, side), rotations (n, 1, 3, 3) and labels (n,), the place in ``CLASSES``.

    Raises:
        ValueError: another part or class.
        Mistake: a file is missing or damaged, or there is no picture of these classes.
    """
    unknown = [name for name in classes if name not in CLASSES]
    if unknown:
        raise ValueError(f"the classes of PASCAL3D+ are {', '.join(CLASSES)}, got {unknown[0]!r}")
    root = folder(data)
    lists = _lists(root, part)
    images, rotations, y = [], [], []
    counts = dict.fromkeys(classes, 0)
    named = ((name, kind, line.split()) for name in classes for kind, path in lists[name] for line in _lines(path))
    for name, kind, words in named:
        if counts[name] == n:
            continue
        ending = {"pascal": "jpg", "imagenet": "JPEG"}[kind]
        image = root / _ROOT / "Images" / f"{name}_{kind}" / f"{words[0]}.{ending}"
        if kind == "pascal" and not image.is_file():  # lists of VOC name all pictures, also those without the class
            continue
        thing = read(root / _ROOT / "Annotations" / f"{name}_{kind}" / f"{words[0]}.mat")
        if thing is None:
            continue
        homography, rotation = look_at(thing, side)
        images.append(_warped(picture(image, image), homography, side))
        rotations.append(rotation)
        y.append(CLASSES.index(name))
        counts[name] += 1
    if not y:
        raise Mistake(f"{root / _ROOT} has no picture of {', '.join(classes)} for {part}; fetch it again")
    return Poses(np.stack(images), np.array(rotations, np.float32)[:, None], np.array(y, np.int32))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip()]
