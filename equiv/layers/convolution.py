"""Cross-correlation of images with many channels.

A convolution of the affine group at N elements is one of the plane with N times as many channels: thousands of products
for each pixel. On an accelerator it is XLA's convolution. On a CPU that one is fast only where nothing is around it:
inside a ``scan``, which is where networks are trained, it was found 3 to 30 times slower. So there are two others:

- each row of the kernel is a product of matrices, of the image's k shifts along the row, next to each other;
- images in tiles of 16 x 16 pixels and a discrete Fourier transform of each leave three real products per pixel and
  pair of channels where a 5 x 5 kernel has 25; with enough tiles to share the transform of the kernel this is two to
  three times faster, forward and backward, unless there are few channels, or too many for the memory of the transforms.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["convolve"]

TILE, WIDEST = 16, 9
"""Pixels along a tile, and along the widest kernel that leaves half a tile."""
CHANNELS, TILES = 64, 128
"""From how many channels, in and out, and tiles on, all images together, transforms are faster; measured."""
PAIRS = 2**18
"""Up to how many pairs of channels; a transformed kernel takes 1152 bytes for each in float32."""


def convolve(
    values: Float[Array, "*batch i h w"], kernel: Float[Array, "o i k k"], padding: str
) -> Float[Array, "*batch o h2 w2"]:
    """Cross-correlation, ``sum_{i, y} kernel[o, i, y] values[..., i, x + y]``.

    Args:
        values: (..., I, H, W).
        kernel: (O, I, k, k), k odd for "same".
        padding: "valid", or "same" for zeros around the image.

    Example:
        >>> convolve(jnp.ones((1, 3, 3)), jnp.ones((2, 1, 3, 3)), "same")[0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]

    Reference:
        Mathieu, Henaff, LeCun, Fast Training of Convolutional Networks through FFTs, ICLR 2014 (arXiv 1312.5851).
    """
    batch, size = values.shape[:-3], kernel.shape[-1]
    flat = values.reshape(-1, *values.shape[-3:])
    if padding == "same":
        flat = jnp.pad(flat, [(0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2)])
    across = TILE - size + 1
    rows, columns = (-(-(side - size + 1) // across) for side in flat.shape[-2:])
    few, many = sorted(kernel.shape[:2])
    if size > WIDEST:
        out = _directly(flat, kernel)
    else:
        share = few >= CHANNELS and few * many <= PAIRS and len(flat) * rows * columns >= TILES
        out = jax.lax.platform_dependent(flat, kernel, cpu=_by_tiles if share else _by_rows, default=_directly)
    return out.reshape(*batch, *out.shape[1:])


def _directly(values: Array, kernel: Array) -> Array:
    return jax.lax.conv_general_dilated(values, kernel, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))


def _by_rows(values: Array, kernel: Array) -> Array:
    """For each row of the kernel a product of matrices, (pixels, k I) times (k I, O)."""
    dtype = values.dtype
    if dtype not in (jnp.float32, jnp.float64):
        values, kernel = values.astype(jnp.float32), kernel.astype(jnp.float32)
    (n, channels, height, width), (out, _, size, _) = values.shape, kernel.shape
    height, width = height - size + 1, width - size + 1
    values = jnp.moveaxis(values, 1, -1)
    rows = jnp.transpose(kernel, (2, 3, 1, 0)).reshape(size, size * channels, out)
    found = jnp.zeros((), values.dtype)
    for i in range(size):
        shifts = [values[:, i : i + height, j : j + width] for j in range(size)]
        found = found + jnp.concatenate(shifts, axis=-1).reshape(-1, size * channels) @ rows[i]
    return jnp.moveaxis(found.reshape(n, height, width, out), -1, 1).astype(dtype)


def _by_tiles(values: Array, kernel: Array) -> Array:
    """Overlapping tiles, transformed; for each frequency a product of matrices; and back."""
    dtype = values.dtype
    if dtype not in (jnp.float32, jnp.float64):
        values, kernel = values.astype(jnp.float32), kernel.astype(jnp.float32)
    (n, channels, height, width), (out, _, size, _) = values.shape, kernel.shape
    height, width = height - size + 1, width - size + 1
    across = TILE - size + 1
    rows, columns = -(-height // across), -(-width // across)
    values = jnp.pad(values, [(0, 0), (0, 0), (0, rows * across - height), (0, columns * across - width)])
    tiles = jnp.stack([values[:, :, i * across : i * across + TILE, :] for i in range(rows)], axis=2)
    tiles = jnp.stack([tiles[..., j * across : j * across + TILE] for j in range(columns)], axis=3)

    half = TILE // 2 + 1
    a = jnp.fft.rfft2(tiles).transpose(4, 5, 0, 2, 3, 1).reshape(TILE * half, -1, channels)
    b = jnp.conj(jnp.fft.rfft2(kernel, s=(TILE, TILE))).transpose(2, 3, 1, 0).reshape(TILE * half, channels, out)
    product = lambda x, y: jnp.einsum("fti,fio->fto", x, y)
    real, imaginary = product(a.real, b.real), product(a.imag, b.imag)
    both = product(a.real + a.imag, b.real + b.imag)
    found = jax.lax.complex(real - imaginary, both - real - imaginary)

    found = found.reshape(TILE, half, n, rows, columns, out).transpose(2, 5, 3, 4, 0, 1)
    found = jnp.fft.irfft2(found, s=(TILE, TILE))[..., :across, :across].transpose(0, 1, 2, 4, 3, 5)
    return found.reshape(n, out, rows * across, columns * across)[:, :, :height, :width].astype(dtype)
