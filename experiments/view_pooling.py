"""How well is a shape known from any number of views, if the network was trained on sets of one size?

Shapes and silhouettes are those of ``experiments.data.views``. A network encodes each view, pools the set and decodes
the occupancy of each pixel (``experiments.models.views``). Encoders and decoders are equal, and so are steps; every
step draws new shapes, so that nothing is seen twice. Methods:

- ``mean``, ``max``, ``sum``: poolings without parameters, trained on sets of ``seen`` views;
- ``gru``: reads the views one after the other; the same training;
- ``attention``: attention pooling, all of it trained on sets of ``seen`` views;
- ``attention_sizes``: the same, trained on sets of 1 to ``seen`` views, each size as often;
- ``attention_staged``: two stages (FASet). Encoder and decoder are trained on single views, for ``base_share`` of the
  steps, where the pooling does nothing; then the pooling alone, on sets of ``seen`` views.

Of all learning rates the one with the least cross-entropy on other sets of ``seen`` views is taken; for
``attention_sizes`` on sets of 1 to ``seen``. Then the first 1, 2, 3 ... views of test shapes are pooled, and the same
views in random orders.

Arrays, for (method, trial): ``iou`` over (views), intersection over union with the true pixels of those that are more
likely than not, averaged over shapes; ``cross_entropy`` over (views), of a pixel in nats; ``order_spread`` over
(views), the standard deviation over orders of the IoU of one set, averaged over shapes; ``rate``, the learning rate
that was taken. For (method,): ``n_parameters``.

Reference:
    Yang, Wang, Markham, Trigoni, AttSets and FASet, IJCV 2019.

Differs from the paper: silhouettes of made-up shapes in the plane instead of pictures of solids; all methods take as
many steps; ``attention_sizes`` is not in it.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from jax import Array

from experiments.data.views import Views, draw_views
from experiments.models import n_parameters
from experiments.models.views import SetNetwork, set_network
from experiments.record import Experiment, Point, among, positive, whole
from experiments.train import Stage, fit, fit_staged

__all__ = ["EXPERIMENT", "METHODS", "Config", "intersection_over_union", "run"]

METHODS = ("mean", "max", "sum", "gru", "attention", "attention_sizes", "attention_staged")
_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of view_pooling."""

    methods: tuple[str, ...] = METHODS  # mean, max, sum, gru, attention, attention_sizes, attention_staged
    views: tuple[int, ...] = _COUNTS  # of a shape in tests
    seen: int = 12  # views of a shape in training
    trials: int = 5  # trainings, each with shapes of its own
    shapes: int = 200  # that are tested, and on which learning rates are chosen
    orders: int = 6  # of the same views
    pieces: int = 3  # ellipses and rectangles of a shape
    side: int = 16  # pixels in a row of the occupancy
    rays: int = 24  # of a view
    width: int = 128  # of hidden layers
    features: int = 64  # of a view and of a set
    steps: int = 2000  # of training
    base_share: float = 0.5  # of the steps that attention_staged gives to encoder and decoder
    batch_size: int = 24  # shapes of one step
    learning_rates: tuple[float, ...] = (0.0025, 0.005, 0.01)  # at the first step; the best one is taken

    def __post_init__(self) -> None:
        among(self, "methods", METHODS)
        whole(self, "views", "seen", "trials", "shapes", "pieces", "side", "rays", "width", "features", "batch_size")
        whole(self, "orders", "steps", least=2)
        positive(self, "learning_rates")
        if not 0 < self.base_share < 1:
            raise ValueError(f"base_share has to be between 0 and 1, got {self.base_share}")


def intersection_over_union(found: Array, true: Array) -> Array:
    """The pixels in both of two sets over those in one or the other.

    Args:
        found: (..., pixels) booleans.
        true: (..., pixels) booleans, some of them true.

    Example:
        >>> intersection_over_union(jnp.array([True, True, False]), jnp.array([True, False, False])).item()
        0.5
    """
    both, either = (jnp.sum(pixels, axis=-1, dtype=jnp.float32) for pixels in (found & true, found | true))
    return both / either


def _cross_entropy(logits: Array, views: Views) -> Array:
    return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, views.occupancy.reshape(logits.shape)))


def _network(config: Config, method: str) -> SetNetwork:
    pooling = method.partition("_")[0]
    return set_network(pooling, side=config.side, rays=config.rays, width=config.width, features=config.features)


def _drawn(config: Config, key: Array, n: int, n_views: int) -> Views:
    size = {"n_pieces": config.pieces, "side": config.side, "rays": config.rays, "dtype": jnp.float32}
    return draw_views(key, n, n_views, **size)


@functools.cache
def _program(config: Config, method: str) -> tuple[Any, Any, Any]:
    """Train with one rate; the cross-entropy on sets as in training; the results on sets of all sizes."""
    network = _network(config, method)

    def loss(params: Any, views: Views) -> Array:
        n, n_views = views.angle.shape
        size = 1 + jnp.arange(n, dtype=jnp.int32) % n_views if method == "attention_sizes" else jnp.full(n, n_views)
        present = jnp.arange(n_views, dtype=size.dtype)[None] < size[:, None]
        return _cross_entropy(network.decode(params, network.encode(params, views), present), views)

    def on(n_views: int) -> Any:
        return lambda params, key, _: loss(params, _drawn(config, key, config.batch_size, n_views))

    @jax.jit
    def trained(key: Array, rate: Array) -> Any:
        init_key, fit_key = jax.random.split(key)
        params, how = network.init(init_key), {"batch_size": 1, "learning_rate": rate}
        if method == "attention_staged":
            base = round(config.base_share * config.steps)
            stages = (
                Stage(on(1), ("pooling",), base),
                Stage(on(config.seen), ("encoder", "decoder"), config.steps - base),
            )
            return fit_staged(stages, params, fit_key, 1, **how)
        return fit(on(config.seen), params, fit_key, 1, n_steps=config.steps, **how)

    @jax.jit
    def tested(params: Any, views: Views, orders: Array) -> tuple[Array, ...]:
        features, true = network.encode(params, views), views.occupancy.reshape(len(views.angle), -1) > 0

        def one(count: Array) -> tuple[Array, ...]:
            """Of the first views; an absent view is left out wherever it stands, so that any order is one of them."""

            def in_order(order: Array) -> Array:
                return network.decode(params, jnp.take_along_axis(features, order[..., None], axis=1), order < count)

            logits = jax.lax.map(in_order, orders)
            iou = intersection_over_union(logits > 0, jnp.broadcast_to(true[None], logits.shape))
            return jnp.mean(iou[0]), _cross_entropy(logits[0], views), jnp.mean(jnp.std(iou, axis=0, ddof=1))

        return jax.lax.map(one, jnp.asarray(config.views, orders.dtype))

    return trained, jax.jit(loss), tested


@functools.cache
def _trial(config: Config) -> Any:
    """What all methods share: views to choose a learning rate on, views to test on, and their orders."""

    @jax.jit
    def drawn(key: Array) -> tuple[Views, Views, Array]:
        choice_key, test_key, order_key = tuple(jax.random.split(key, 3))
        most = max(config.views)
        views = [_drawn(config, k, config.shapes, n) for k, n in ((choice_key, config.seen), (test_key, most))]
        shuffled = jnp.argsort(jax.random.uniform(order_key, (config.orders, config.shapes, most)), axis=-1)
        return *views, shuffled.at[0].set(jnp.arange(most, dtype=shuffled.dtype)[None])  # the first as given

    return drawn


def run(config: Config, key: Array, point: Point) -> xr.Dataset:
    """Train one network several times, and test it on sets of all sizes.

    Args:
        config: settings.
        key: the same for every method.
        point: ``method``.
    """
    method = point["method"]
    same = dataclasses.replace(config, methods=METHODS, trials=1)  # what programs depend on
    trained, loss, tested = _program(same, method)
    found, rates = [], []
    for trial in range(config.trials):
        train_key, test_key = tuple(jax.random.split(jax.random.fold_in(key, trial)))
        choice, views, orders = _trial(same)(test_key)
        tried = [trained(jax.random.clone(train_key), jnp.float32(rate)) for rate in config.learning_rates]
        losses = [float(loss(params, choice)) for params in tried]
        best = int(np.argmin(np.nan_to_num(losses, nan=np.inf)))
        rates.append(config.learning_rates[best])
        found.append(tested(tried[best], views, orders))
    axes = ("trial", "views")
    names = ("iou", "cross_entropy", "order_spread")
    return xr.Dataset(
        {name: (axes, np.stack(values)) for name, values in zip(names, zip(*found))}
        | {
            "rate": (axes[:1], np.float32(rates)),
            "n_parameters": (("method",), [n_parameters(_network(config, method))]),
        },
        coords={"trial": np.arange(config.trials), "views": list(config.views), "method": [method]},
    )


EXPERIMENT = Experiment(
    name="view_pooling",
    statement="How well is a shape known from any number of views, if training had sets of one size?",
    config=Config,
    presets={
        "smoke": Config(
            methods=("attention", "attention_staged"),
            trials=2,
            shapes=50,
            orders=2,
            steps=60,
            learning_rates=(0.005,),
        ),
        "desk": Config(),
        "paper": Config(
            seen=24,
            trials=5,
            shapes=1000,
            side=32,
            rays=48,
            width=512,
            features=256,
            steps=20_000,
            batch_size=64,
            learning_rates=(0.0005, 0.001, 0.002),
        ),
    },
    axes=lambda config: {"method": config.methods},
    run=run,
    claims=(
        "staged_pooling_loses_nothing_with_more_views",
        "staged_pooling_is_better_for_one_view",
        "sets_of_all_sizes_do_what_stages_do",
    ),
    cost={"smoke": 15, "desk": 220, "paper": 5_000},
    version=1,
    precision="float32",
    tolerance=0.1,
    paired=("method",),
)
