"""How every test runs: strict jax, checked signatures, reproducible draws.

Nothing here is needed to use the library; it makes the tests unforgiving. jax refuses silent changes of rank and dtype
and the reuse of a random key, matmuls are done in full precision, and the shapes in the signatures of `equiv` are
checked by beartype, which is why the import hook stands before anything that imports `equiv`.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA's remarks on programs read from the cache drown the report
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the workers have one core each
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # with more threads a program can hang

import hypothesis
import jax
from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_matmul_precision", "highest")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

install_import_hook("equiv", "beartype.beartype")
pytest_plugins = ["equiv.testing.plugin"]

# ci: the same draws on every machine; the time of a first compilation is no reason to fail, and the explain phase
# runs a failing example again and again, each time with a compilation.
_EXPLAINED = (hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate, hypothesis.Phase.shrink)
hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    phases=_EXPLAINED,
    max_examples=30,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # as above: compilation
)
# soak: by hand, HYPOTHESIS_PROFILE=soak make test; new draws each time, many of them.
hypothesis.settings.register_profile(
    "soak", hypothesis.settings.get_profile("ci"), derandomize=False, max_examples=2000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items):
    """The canaries first: with a miscompiling jax no other result means anything."""
    items.sort(key=lambda item: item.path.name != "test_platform.py")


MOST_MAPS = 30_000
"""Linux gives a process 65,530 memory maps, a compiled program keeps about 30, and XLA crashes when none is left."""

MOST_TESTS = 500
"""jax has 8,192 programs at hand; once they are taken, a new one is forgotten at once and its calls are all slow.

A test that counts programs then counts none. Until here a test has left about three.
"""


def pytest_runtest_teardown(item, nextitem):
    """Programs are dropped, and read again from the cache on disk, long before a worker has too many of them."""
    item.session.done = getattr(item.session, "done", 0) + 1
    maps = Path("/proc/self/maps")
    many = item.session.done % 20 == 0 and maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS
    if many or item.session.done % MOST_TESTS == 0:
        jax.clear_caches()
