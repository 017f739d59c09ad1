"""Equivariant maps of matrix groups: how fast they are found and applied, side by side with emlp 1.0.3.

Both run in this process and take turns. What is compared:

- ``test_invariants``: an orthonormal basis of the invariant tensors. emlp's solutions are forgotten before each call,
  and so is everything that is cached here; the first call of each, which compiles, is not counted. emlp computes in
  float32 unless told otherwise, and is timed in both precisions; the ratio that is asked for is at the precision of our
  bases, float64. The null-space route alone, which knows nothing about the groups, has to be as fast as emlp in
  float32. Both count the same dimension, and our bases solve the constraints that emlp writes down.
- ``test_layer_is_built``: everything a linear layer of O(3) needs before it is applied, 128 to 144 channels.
- ``test_layer_is_applied``: the projector and the layer on 500 inputs, forward and with gradients, compiled, float32.
  Each program is compiled twice, and the two copies take turns as well: how far their medians are apart is the noise.
- ``test_wide_layer``: 1024 channels in a fresh process, in seconds and in memory.

OpenBLAS gets one thread from ``make bench``, which is the better setting for emlp too where the cores are shared: its
singular value decompositions wait for each other otherwise. Cases in which emlp takes long are marked ``slow``; they
are chosen by ``make bench MARKS=slow``.
"""

import dataclasses
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equiv import groups
from equiv.layers import affine, gated
from equiv.reps import Rep, algebra, generators, intertwiners, scalar, spread, tensor

os.environ["TQDM_DISABLE"] = "1"  # its bar stumbles over the numpy numbers that emlp gives it
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("emlp", reason="emlp cannot be imported here; `make bench` installs it", exc_type=ImportError)
    import emlp.groups
    import emlp.nn
    import emlp.nn.flax
    import emlp.reps

CACHES = [algebra, generators] + [getattr(intertwiners, f) for f in ("basis", "terms", "_solve", "_moves", "_volume")]


@dataclasses.dataclass(frozen=True)
class Case:
    """A tensor of rank (p, q) of a group, here and there; its invariants; how many times faster ours have to be."""

    ours: Callable[[], groups.Group]
    theirs: Callable[[], Any]
    rank: tuple[int, int]
    dim: int
    wanted: float = 1


CASES = {
    "SO(3) T4": Case(lambda: groups.so(3), lambda: emlp.groups.SO(3), (4, 0), 3),
    "SO(3) T5": Case(lambda: groups.so(3), lambda: emlp.groups.SO(3), (5, 0), 6),
    "SO(3) T6": Case(lambda: groups.so(3), lambda: emlp.groups.SO(3), (6, 0), 15, 1000),
    "SO(5) T4": Case(lambda: groups.so(5), lambda: emlp.groups.SO(5), (4, 0), 3, 1000),
    "O(5) T4": Case(lambda: groups.o(5), lambda: emlp.groups.O(5), (4, 0), 3),
    "SO+(1,3) T(2,2)": Case(lambda: groups.lorentz(1, 3), emlp.groups.SO13p, (2, 2), 4, 1000),
    "O(1,3) T4": Case(lambda: groups.lorentz(1, 3, "full"), emlp.groups.O13, (4, 0), 3),
    "SO+(1,3) T(3,2)": Case(lambda: groups.lorentz(1, 3), emlp.groups.SO13p, (3, 2), 0),
    "S(4) T4": Case(lambda: groups.symmetric(4), lambda: emlp.groups.S(4), (4, 0), 15),
    "S(6) T4": Case(lambda: groups.symmetric(6), lambda: emlp.groups.S(6), (4, 0), 15, 1000),
    "S(8) T4": Case(lambda: groups.symmetric(8), lambda: emlp.groups.S(8), (4, 0), 15),
}
SLOW = ("SO(5) T4", "O(5) T4", "SO+(1,3) T(3,2)", "S(6) T4", "S(8) T4")
LAYER_WANTED = 500
ROUNDS, BUDGET = 5, 20.0
"""Rounds, fewer if they take more seconds than this."""
APPLIED_ROUNDS, CALLS = 150, 20
"""Rounds in random order, and calls in each turn, of what is applied."""


def forget() -> None:
    for cached in CACHES:
        cached.cache_clear()
    emlp.reps.Rep.solcache.clear()


def seconds(call: Callable[[], Any]) -> float:
    forget()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def take_turns(calls: dict[str, tuple[int, Callable[[], Any]]]) -> dict[str, list[float]]:
    """Seconds of each call; after a first call that is not counted, every round makes it so many times."""
    for _, call in calls.values():
        call()
    found, start = {name: [] for name in calls}, time.perf_counter()
    for done in range(ROUNDS):
        if done and time.perf_counter() - start > BUDGET:
            break
        for name, (times, call) in calls.items():
            found[name] += [seconds(call) for _ in range(times)]
    return found


def told(times: list[float], unit: float = 1e3) -> str:
    """Median, lower and upper quartile, in milliseconds."""
    low, median, high = np.percentile(np.multiply(times, unit), [25, 50, 75])
    return f"{median:9.3g} ({low:.3g} to {high:.3g})"


@pytest.fixture(scope="module")
def table(pytestconfig):
    """Lines that are printed at the end, with the load of the machine before and after."""
    lines, before = [], os.getloadavg()
    yield lines
    loads = ", ".join(f"{' '.join(f'{load:.1f}' for load in each)}" for each in (before, os.getloadavg()))
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\nmilliseconds: median (quartiles); ratio of medians, emlp / ours")  # noqa: T201
        print("\n".join(lines))  # noqa: T201
        print(f"load average before and after: {loads}; threads of OpenBLAS: {os.environ.get('OPENBLAS_NUM_THREADS')}")  # noqa: T201


def ratio(slower: list[float], faster: list[float]) -> float:
    return statistics.median(slower) / statistics.median(faster)


def marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


# --- finding the maps ------------------------------------------------------------------------------------------------


def theirs(case: Case, wide: bool) -> tuple[Any, Callable[[], np.ndarray]]:
    """The representation and its basis, in single or double precision."""
    with jax.enable_x64(wide):
        rep = emlp.reps.T(*case.rank, case.theirs())

    def call() -> np.ndarray:
        with jax.enable_x64(wide):
            return np.asarray(rep.equivariant_basis())

    return rep, call


def invariants(rep: Rep) -> intertwiners.Basis:
    return intertwiners.basis(scalar(rep.group), rep)


@pytest.mark.parametrize("name", [marked(name) for name in CASES])
def test_invariants(benchmark, table, name):
    case = CASES[name]
    rep = tensor(case.ours(), *case.rank)
    ((word, _),) = intertwiners.terms(rep)
    (_, single), (wide_rep, double) = (theirs(case, wide) for wide in (False, True))
    times = take_turns(
        {
            "float32": (1, single),
            "float64": (1, double),
            "ours": (9, lambda: invariants(rep)),
            "null space": (3, lambda: intertwiners._null_space(word)),
        }
    )
    benchmark.pedantic(invariants, args=(rep,), setup=forget, rounds=5)

    with jax.enable_x64(True):
        rows = np.asarray(invariants(rep).matrix(np.float64))
        other = intertwiners._null_space(word)
        constraints = wide_rep.constraint_matrix()
        residual, generic = (float(jnp.abs(constraints @ r.T).max(initial=0.0)) for r in (rows, other.rows))
    faster, by_null_space = ratio(times["float64"], times["ours"]), ratio(times["float32"], times["null space"])
    table.append(
        f"{name:16} emlp float32 {told(times['float32'])}, float64 {told(times['float64'])}; "
        f"ours {told(times['ours'])}, null space {told(times['null space'])}; ratio {faster:.0f} "
        f"(asked {case.wanted:.0f}; {ratio(times['float32'], times['ours']):.0f} to float32), "
        f"null space {by_null_space:.1f} (asked 1); |C Q| {residual:.0e}, null space {generic:.0e}"
    )
    assert len(rows) == other.dim == single().shape[1] == double().shape[1] == case.dim
    assert max(residual, generic) < 1e-13
    np.testing.assert_allclose(rows @ rows.T, np.eye(case.dim), atol=1e-14)
    assert faster >= case.wanted
    assert by_null_space >= 1


def channels() -> tuple[Rep, Rep]:
    hidden = spread(groups.o(3), 128)
    return hidden, gated(hidden).rep_in


def their_channels() -> tuple[Any, Any]:
    hidden = emlp.nn.uniform_rep(128, emlp.groups.O(3))
    return hidden, emlp.nn.gated(hidden)


def test_layer_is_built(benchmark, table):
    reps, their_reps = channels(), their_channels()
    build = affine.__wrapped__  # without its cache
    times = take_turns({"emlp": (1, lambda: emlp.nn.flax.Linear(*their_reps)), "ours": (9, lambda: build(*reps))})
    benchmark.pedantic(build, args=reps, setup=forget, rounds=5)
    faster = ratio(times["emlp"], times["ours"])
    table.append(
        f"O(3) layer, 128 to 144 channels: emlp float32 {told(times['emlp'])}; ours {told(times['ours'])}; "
        f"ratio {faster:.0f} (asked {LAYER_WANTED})"
    )
    basis = (their_reps[0] >> their_reps[1]).equivariant_basis()
    assert intertwiners.basis(*reps).dim == basis.shape[1] == 2586
    assert faster >= LAYER_WANTED


# --- applying them ---------------------------------------------------------------------------------------------------


def programs() -> dict[str, tuple[tuple[Callable, tuple], tuple[Callable, tuple]]]:
    """What is computed -> emlp's function with its arguments, and ours."""
    reps, their_reps = channels(), their_channels()
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    shape = (reps[1].dim, reps[0].dim)
    w, x, y = normal(*shape), normal(500, shape[1]), normal(500, shape[0])
    basis, layer = intertwiners.basis(*reps), affine(*reps)
    projector = (their_reps[0] >> their_reps[1]).equivariant_projector()
    project = lambda w: (projector @ w.reshape(-1)).reshape(shape)
    their_layer = emlp.nn.flax.Linear(*their_reps)
    key = jax.random.key(0)
    params, their_params = layer.init(key, jnp.float32), their_layer.init(key, x)
    square = lambda f: lambda w: jnp.sum(f(w) ** 2)
    error = lambda f: lambda p: jnp.mean((f(p, x) - y) ** 2)
    return {
        "projector": ((project, (w,)), (basis.project, (w,))),
        "projector, gradient": ((jax.grad(square(project)), (w,)), (jax.grad(square(basis.project)), (w,))),
        "layer": ((their_layer.apply, (their_params, x)), (layer.apply, (params, x))),
        "layer, gradient": (
            (jax.value_and_grad(error(their_layer.apply)), (their_params,)),
            (jax.value_and_grad(error(layer.apply)), (params,)),
        ),
    }


@pytest.mark.parametrize("what", ["projector", "projector, gradient", "layer", "layer, gradient"])
def test_layer_is_applied(benchmark, table, what):
    both = dict(zip(("emlp", "ours"), programs()[what]))
    copies = {
        (name, copy): (jax.jit(lambda *args, f=f: f(*args)), args)
        for name, (f, args) in both.items()
        for copy in (0, 1)
    }
    times, rng = {key: [] for key in copies}, np.random.default_rng(0)
    for f, args in copies.values():
        jax.block_until_ready(f(*args))
    for _ in range(APPLIED_ROUNDS):
        for k in rng.permutation(len(copies)):
            key, (f, args) = list(copies.items())[k]
            start = time.perf_counter()
            for _ in range(CALLS):
                jax.block_until_ready(f(*args))
            times[key].append((time.perf_counter() - start) / CALLS)
    f, args = copies["ours", 0]
    benchmark.pedantic(lambda: jax.block_until_ready(f(*args)), rounds=20)
    all_of = {name: times[name, 0] + times[name, 1] for name in both}
    noise = max(abs(ratio(times[name, 0], times[name, 1]) - 1) for name in both)
    slower = 1 / ratio(all_of["emlp"], all_of["ours"])
    table.append(
        f"{what:20} emlp {told(all_of['emlp'])}; ours {told(all_of['ours'])}; ratio {1 / slower:.2f} "
        f"(asked 1; two copies of one program differ by {noise:.2f})"
    )
    assert slower <= 1 + noise


# --- a wide layer ----------------------------------------------------------------------------------------------------

WIDE = """
import re, time
from equiv.groups import o
from equiv.layers import affine, gated
from equiv.reps import spread
hidden = spread(o(3), 1024)
start = time.perf_counter()
layer = affine(hidden, gated(hidden).rep_in)
took = time.perf_counter() - start
print(took, int(re.search(r"VmHWM[^0-9]*([0-9]+) kB", open("/proc/self/status").read())[1]) / 2**20)
"""


def test_wide_layer(benchmark, table):
    """A fresh process, and the most memory it ever had, as Linux tells; ``getrusage`` would count the parent's too."""

    def build() -> tuple[float, ...]:
        done = subprocess.run([sys.executable, "-c", WIDE], capture_output=True, text=True, check=True)
        return tuple(map(float, done.stdout.split()))

    build()
    found = [build() for _ in range(3)]
    benchmark.pedantic(build, rounds=1)
    took, memory = (statistics.median(values) for values in zip(*found))
    table.append(f"O(3) layer, 1024 channels: {took:.2f} s (asked below 3), {memory:.2f} GB at most (asked below 2)")
    assert took < 3
    assert memory < 2
