"""The units that numbers come with, as written, and the scales that multiply them."""

from __future__ import annotations

import re
from decimal import Decimal

# Every unit of a dimension with its worth in the dimension's base unit. Names in small letters
# stand for any case and for their plural; the others are written as they are here.
_DIMENSIONS: dict[str, dict[str, str]] = {
    "%": {"%": "1", "percent": "1", "per cent": "1", "percentage point": "1"},
    "mass": {
        "µg": "1e-6", "μg": "1e-6", "mcg": "1e-6", "microgram": "1e-6", "ng": "1e-9",
        "pg": "1e-12", "nanogram": "1e-9", "mg": "1e-3", "milligram": "1e-3", "g": "1",
        "gram": "1", "gramme": "1", "kg": "1000", "kilogram": "1000", "kilo": "1000",
        "t": "1e6", "tonne": "1e6", "metric ton": "1e6",
    },
    "pound of mass": {"lb": "1", "lbs": "1", "ounce": "0.0625", "oz": "0.0625", "ton": "2000"},
    "length": {
        "nm": "1e-9", "nanometer": "1e-9", "nanometre": "1e-9", "µm": "1e-6", "μm": "1e-6",
        "micrometer": "1e-6", "micrometre": "1e-6", "mm": "1e-3", "millimeter": "1e-3",
        "millimetre": "1e-3", "cm": "1e-2", "centimeter": "1e-2", "centimetre": "1e-2", "m": "1",
        "meter": "1", "metre": "1", "km": "1000", "kilometer": "1000", "kilometre": "1000",
    },
    "foot": {
        "ft": "12", "foot": "12", "feet": "12", "inch": "1", "inches": "1", "yard": "36",
        "yd": "36",
    },
    "mile": {"mi": "1", "mile": "1"},
    "nautical mile": {"nautical mile": "1", "nmi": "1"},
    "area": {
        "square meter": "1", "square metre": "1", "m2": "1", "m²": "1", "sq m": "1",
        "hectare": "1e4", "ha": "1e4", "square kilometer": "1e6", "square kilometre": "1e6",
        "km2": "1e6", "km²": "1e6", "sq km": "1e6",
    },
    "square mile": {"square mile": "1", "sq mi": "1"},
    "square foot": {"square foot": "1", "square feet": "1", "sq ft": "1"},
    "acre": {"acre": "1"},
    "volume": {
        "µl": "1e-6", "μl": "1e-6", "µL": "1e-6", "μL": "1e-6", "microliter": "1e-6",
        "ml": "1e-3", "mL": "1e-3", "milliliter": "1e-3", "millilitre": "1e-3", "cl": "1e-2",
        "dl": "0.1", "dL": "0.1", "l": "1", "L": "1", "liter": "1", "litre": "1",
        "cubic meter": "1000", "cubic metre": "1000", "m3": "1000", "m³": "1000",
    },
    "gallon": {"gallon": "1"},
    "pint": {"pint": "1"},
    "barrel": {"barrel": "1"},
    "time": {
        "ns": "1e-9", "nanosecond": "1e-9", "microsecond": "1e-6", "ms": "1e-3",
        "millisecond": "1e-3", "s": "1", "sec": "1", "second": "1", "min": "60", "minute": "60",
        "h": "3600", "hr": "3600", "hour": "3600", "day": "86400", "week": "604800",
        "fortnight": "1209600",
    },
    "month": {
        "month": "1", "quarter": "3", "year": "12", "yr": "12", "decade": "120",
        "century": "1200", "centuries": "1200", "millennium": "12000", "millennia": "12000",
    },
    "USD": {"$": "1", "US$": "1", "USD": "1", "dollar": "1", "cent": "0.01"},
    "GBP": {"£": "1", "GBP": "1", "pound": "1", "pence": "0.01"},
    "EUR": {"€": "1", "EUR": "1", "euro": "1"},
    "JPY": {"¥": "1", "JPY": "1", "yen": "1"},
    "krone": {"kr": "1", "krona": "1", "kronor": "1", "krone": "1", "kroner": "1"},
    "franc": {"CHF": "1", "franc": "1"},
    "rupee": {"₹": "1", "INR": "1", "rupee": "1"},
    "celsius": {"°C": "1", "degrees celsius": "1", "degree celsius": "1"},
    "fahrenheit": {"°F": "1", "degrees fahrenheit": "1", "degree fahrenheit": "1"},
    "degree": {"°": "1", "degree": "1"},
    "kelvin": {"K": "1", "kelvin": "1"},
    "byte": {
        "byte": "1", "kB": "1e3", "KB": "1e3", "kilobyte": "1e3", "MB": "1e6", "megabyte": "1e6",
        "GB": "1e9", "gigabyte": "1e9", "TB": "1e12", "terabyte": "1e12",
    },
    "bit": {"bit": "1", "kbit": "1e3", "Mbit": "1e6", "megabit": "1e6", "Gbit": "1e9"},
    "power": {
        "mW": "1e-3", "W": "1", "watt": "1", "kW": "1e3", "kilowatt": "1e3", "MW": "1e6",
        "megawatt": "1e6", "GW": "1e9", "gigawatt": "1e9",
    },
    "energy": {
        "J": "1", "joule": "1", "kJ": "1e3", "kWh": "3.6e6", "MWh": "3.6e9", "GWh": "3.6e12",
    },
    "calorie": {"cal": "1", "kcal": "1e3", "calorie": "1", "kilocalorie": "1e3"},
    "horsepower": {"hp": "1", "horsepower": "1", "bhp": "1"},
    "voltage": {"mV": "1e-3", "V": "1", "volt": "1", "kV": "1e3", "kilovolt": "1e3"},
    "current": {"mA": "1e-3", "A": "1", "amp": "1", "ampere": "1"},
    "frequency": {"Hz": "1", "hertz": "1", "kHz": "1e3", "MHz": "1e6", "GHz": "1e9"},
    "pressure": {
        "Pa": "1", "pascal": "1", "hPa": "1e2", "kPa": "1e3", "mbar": "1e2", "bar": "1e5",
        "MPa": "1e6",
    },
    "psi": {"psi": "1"},
    "mmHg": {"mmHg": "1"},
    "concentration": {
        "pM": "1e-12", "nM": "1e-9", "µM": "1e-6", "μM": "1e-6", "mM": "1e-3", "nmol": "1e-9",
        "µmol": "1e-6", "μmol": "1e-6", "mmol": "1e-3", "mol": "1",
    },
    "knot": {"knot": "1", "kn": "1"},
    "mph": {"mph": "1"},
    "decibel": {"dB": "1", "decibel": "1"},
    "kilobase": {"bp": "1", "kb": "1e3", "Mb": "1e6"},
    "fold": {"fold": "1"},
}  # fmt: skip

SCALES = {
    "hundred": Decimal(100),
    "thousand": Decimal(1000),
    "million": Decimal(10**6),
    "billion": Decimal(10**9),
    "trillion": Decimal(10**12),
    "k": Decimal(1000),
    "mn": Decimal(10**6),
    "bn": Decimal(10**9),
}
MONEY = frozenset({"USD", "GBP", "EUR", "JPY", "krone", "franc", "rupee"})
# A bare number isn't one of these: 5 % is not 5, and £5 is not 5.
STRICT = MONEY | {"%"}
CURRENCY_SIGNS = {
    sign: dimension
    for dimension in sorted(MONEY)
    for sign in _DIMENSIONS[dimension]
    if not sign[0].islower()
}

_UNITS = {
    unit: (dimension, Decimal(worth))
    for dimension, units in _DIMENSIONS.items()
    for unit, worth in units.items()
}
_IS_WORD = re.compile(r"[a-z][a-z ]{2,}")


def unit_of(written: str) -> tuple[str, Decimal]:
    """Return the dimension of a unit that UNIT found, and its worth; "km/h" is its own one."""
    unit, _, per = re.sub(r"\s*(?:/|\bper\b(?! cent))\s*", "/", written.strip()).partition("/")
    found = _UNITS.get(unit)
    if found is None:
        lower = re.sub(r"\s+", " ", unit.lower())
        found = _UNITS.get(lower) or _UNITS.get(lower.removesuffix("s")) or (lower, Decimal(1))
    if not per:
        return found
    over = _UNITS.get(per) or _UNITS.get(per.lower().removesuffix("s")) or (per, Decimal(1))
    return f"{found[0]}/{over[0]}", found[1] / over[1]


def _alternatives() -> str:
    """Return the pattern of all units, the longest first; words in any case, with a plural."""
    written = []
    for unit in sorted(_UNITS, key=lambda unit: (-len(unit), unit)):
        escaped = re.escape(unit).replace(r"\ ", r"\s+")
        written.append(rf"(?i:{escaped}s?)" if _IS_WORD.fullmatch(unit) else escaped)
    return "|".join(written)


_ONE = rf"(?:{_alternatives()})(?![^\W_])"
UNIT = rf"{_ONE}(?:\s?/\s?{_ONE}|\s+per\s+(?!cent){_ONE})?"
