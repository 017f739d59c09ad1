"""Where a result comes from: the code, the versions, the device and the settings it was computed with."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

__all__ = ["provenance"]

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "xarray", "flax", "optax", "equiv")


def provenance() -> dict[str, Any]:
    """What has to be known to compute a result again.

    Returns:
        ``git_commit`` (that of the environment variable EQUIV_COMMIT in a copy of a checkout), ``git_dirty``,
        ``versions`` (JSON), ``device``, ``precision``, ``xla_flags`` and ``time`` (UTC, ISO 8601).

    Example:
        >>> sorted(provenance())
        ['device', 'git_commit', 'git_dirty', 'precision', 'time', 'versions', 'xla_flags']
    """
    device = jax.devices()[0]
    x64 = "float64" if jax.config.jax_enable_x64 else "float32"
    return {
        "git_commit": os.environ.get("EQUIV_COMMIT") or _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": json.dumps({"python": platform.python_version()} | _versions()),
        "device": f"{device.platform}: {device.device_kind}",
        "precision": f"{x64}, matrix products {jax.config.jax_default_matmul_precision or 'default'}",
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _git(*arguments: str) -> str:
    try:
        found = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
