"""Networks of views: what the order and absent views change, what the stages train, and what is counted."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import sweep, view_pooling
from experiments.data.views import draw_views
from experiments.models.views import POOLINGS, set_network
from experiments.view_pooling import EXPERIMENT, Config, intersection_over_union

SIZE = {"side": 8, "rays": 10}
SMALL = Config(
    trials=1, views=(1, 3, 5), seen=3, shapes=6, orders=3, steps=6, batch_size=3, width=8, features=6, **SIZE
)


@functools.cache
def views():
    return jax.jit(lambda key: draw_views(key, 4, 5, n_pieces=2, **SIZE, dtype=jnp.float32))(jax.random.key(0))


@functools.cache
def network(pooling):
    net = set_network(pooling, width=12, features=6, **SIZE)
    params = net.init(jax.random.key(1))
    return net, params, jax.jit(net.encode)(params, views()), jax.jit(net.decode)


EACH = pytest.mark.parametrize("pooling", POOLINGS)


@EACH
def test_only_a_gru_sees_the_order(pooling):
    _, params, x, decode = network(pooling)
    all_there = jnp.ones((4, 5), bool)
    given = decode(params, x, all_there)
    gap = np.abs(decode(params, x[:, ::-1], all_there) - given).max() / np.abs(given).max()
    assert gap > 1e-2 if pooling == "gru" else gap < 1e-5


@EACH
def test_absent_views_are_left_out(pooling):
    _, params, x, decode = network(pooling)
    present = jnp.asarray([[True, False, True, True, False]] * 4)
    spoilt = jnp.where(present[..., None], x, 1e6)
    found = decode(params, spoilt, present)
    kept = decode(params, x[:, jnp.array([0, 2, 3])], jnp.ones((4, 3), bool))
    np.testing.assert_allclose(found, kept, rtol=0, atol=1e-5 * float(jnp.abs(kept).max()))


@EACH
def test_poolings_of_the_encoders(pooling):
    """Encoders and decoders are equal; all but the GRU leave a single view as it is, and all but the sum copies."""
    _, params, _, decode = network(pooling)
    other, other_params, other_x, _ = network("mean")
    for name in ("encoder", "decoder"):
        sizes = [jax.tree.map(jnp.shape, p[name]) for p in (params, other_params)]
        assert sizes[0] == sizes[1]
    same = params | {"encoder": other_params["encoder"], "decoder": other_params["decoder"]}
    one = jnp.ones((4, 1), bool)
    single = other.decode(other_params, other_x[:, :1], one)
    gaps = [
        float(jnp.abs(decode(same, jnp.repeat(other_x[:, :1], n, axis=1), jnp.repeat(one, n, axis=1)) - single).max())
        for n in (1, 5)
    ]
    assert gaps[0] > 1e-3 if pooling == "gru" else gaps[0] < 1e-5
    assert gaps[1] > 1e-3 if pooling in ("gru", "sum") else gaps[1] < 1e-5


def test_stages():
    """Single views train encoder and decoder, sets train the pooling."""
    how = dataclasses.replace(SMALL, methods=view_pooling.METHODS)
    trained = view_pooling._program(how, "attention_staged")[0](jax.random.key(0), jnp.float32(0.01))
    start = view_pooling._network(how, "attention").init(jax.random.split(jax.random.key(0))[0])
    moved = {name: jax.tree.map(lambda a, b: bool((a != b).any()), trained[name], start[name]) for name in start}
    assert all(all(jax.tree.leaves(part)) for part in moved.values())
    base = view_pooling._program(dataclasses.replace(how, base_share=0.5, seen=5), "attention_staged")[0]
    larger = base(jax.random.key(0), jnp.float32(0.01))
    for name in ("encoder", "decoder"):  # sets of another size change the second stage only
        assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), trained[name], larger[name])))
    assert (trained["pooling"]["weight"] != larger["pooling"]["weight"]).any()


def test_what_is_counted():
    found = jnp.asarray([[True, True, False, False], [False] * 4])
    true = jnp.asarray([[True, False, True, False], [True] * 4])
    np.testing.assert_allclose(intersection_over_union(found, true), [1 / 3, 0])
    assert intersection_over_union(true, true).tolist() == [1, 1]


@functools.cache
def cell(method):
    """After training with a rate that is far too high, and with one that is not."""
    config = dataclasses.replace(SMALL, steps=100, batch_size=12, shapes=30, learning_rates=(1e30, 0.01))
    return sweep.cell(EXPERIMENT, config, 0, {"method": method}).squeeze()


def test_training_takes_the_best_rate_and_learns():
    found = cell("mean")
    assert found.rate == np.float32(0.01)
    assert (found.cross_entropy < 0.4).all()  # of a pixel that is even as likely: log 2
    assert (found.order_spread < 1e-2).all()  # a pixel at even odds may fall to either side


def test_a_gru_depends_on_the_order():
    found = cell("gru")
    assert found.order_spread.sel(views=1) < 1e-6
    assert found.order_spread.sel(views=5) > 1e-4
    assert found.n_parameters > cell("mean").n_parameters
