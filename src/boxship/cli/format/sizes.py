"""Sizes for people."""

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def human_size(size: float, digits: int = 4) -> str:
    """Powers of 1000 in ``digits`` significant digits: ``1.982MB``, ``0B``."""
    return _scaled(size, 1000.0, _DECIMAL, digits)


def binary_size(size: float) -> str:
    """Powers of 1024: ``23.54GiB``."""
    return _scaled(size, 1024.0, _BINARY, 4)


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    power = 0
    while size >= base and power < len(units) - 1:
        size /= base
        power += 1
    return f"{_significant(size, digits)}{units[power]}"


def _significant(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa}e{power}" if exponent else mantissa
