"""Arithmetic of money."""

VAT = 0.19


def with_vat(net):
    """The price that people pay."""
    if net is None:
        return None
    gross = net * (1 + VAT)
    return round(gross, 2)


def rounded(value, digits=2):
    return None if value is None else round(value, digits)
