"""Skerry Line fare calculator, price list 2025/26.

Works out what a party of passengers and their vehicle pay for one single
crossing, or for a return, on routes R1 to R4.  The prices are those approved
at the operations meeting of 18 March 2025 and are valid from 1 April 2025 to
31 March 2026.  All sums are kept in whole pence, never in floating point, so
that a day's takings agree with the till.

Not covered: the Tarn Skerry excursion (R5), freight above 3.5 tonnes and
ten-journey booklets, all of which the ticket offices sell at fixed prices.

Maintainer: Joanna Pike, digital systems.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field

VALID_FROM = dt.date(2025, 4, 1)
VALID_TO = dt.date(2026, 3, 31)

# Adult single fare in pence.  A child pays exactly half.
ADULT = {"R1": 1480, "R2": 1960, "R3": 620, "R4": 840}

# Vehicle fares in pence: motorcycle, car up to 5.0 m, vehicle of 5.0 to 6.0 m,
# and the charge for each further half metre or part of it.
VEHICLE = {
    "R1": (1650, 4600, 5800, 650),
    "R2": (2100, 6100, 7700, 850),
    "R3": (900, 2200, 2800, 300),
    "R4": (1150, 2800, 3500, 400),
}

# Longest vehicle in metres.  The Petrel's turning space decides R3; the other
# figures are the longest vehicle that can be booked without a telephone call.
MAX_LENGTH_M = {"R1": 12.0, "R2": 12.0, "R3": 8.0, "R4": 12.0}

EXTRAS = {"dog": 400, "bicycle": 300, "kayak": 800, "luggage": 500, "lounge": 600}

SENIOR_OFF = 20      # per cent, passengers aged 60 and over
ISLANDER_OFF = 50    # per cent, passenger fares
ISLANDER_VEHICLE_OFF = 40
GROUP_OFF = 15       # per cent, from GROUP_SIZE passengers
GROUP_SIZE = 10
RETURN_OFF = 10
PEAK_SUPPLEMENT = 500

# A quoted price is held for the customer this long.  It was 15 minutes until
# people on Ulvary, with one bar of signal, asked for more.
QUOTE_HOLD_MINUTES = 25


class FareError(ValueError):
    """A fare that cannot be worked out.  `code` is shown on the till.

    F-02  route unknown, or not sold by this module
    F-05  date of travel outside the price list
    F-07  negative or missing vehicle length
    F-09  extra not on the price list, or not carried on this route
    F-11  vehicle too long for the ship on this route
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Passenger:
    """One traveller.  Age decides between infant, child, adult and senior."""

    age: int
    islander: bool = False

    @property
    def is_infant(self) -> bool:
        return self.age < 5

    @property
    def is_child(self) -> bool:
        return 5 <= self.age <= 15

    @property
    def is_senior(self) -> bool:
        return self.age >= 60


@dataclass
class Booking:
    """Everything the calculator needs to know about one crossing."""

    route: str
    date: dt.date
    passengers: list[Passenger]
    vehicle_length_m: float | None = None
    motorcycle: bool = False
    extras: list[str] = field(default_factory=list)


def round_down_to_10p(pence: int) -> int:
    """Drop the odd pence: 1184 becomes 1180.

    The old calculator rounded to the nearest ten pence, which sometimes went
    against the passenger.  Rounding is done once per discounted fare, not on
    the total.
    """
    return pence - pence % 10


def take_off(pence: int, per_cent: int) -> int:
    """Reduce a fare by a whole percentage, rounding down to 10 pence."""
    if per_cent == 0:
        return pence
    return round_down_to_10p(pence * (100 - per_cent) // 100)


def best_discount(passenger: Passenger, party_size: int) -> int:
    """Return the largest percentage the passenger is entitled to.

    Discounts are never added together.  Infants are counted when the size of
    a group is worked out, although they travel free.
    """
    offers = [0]
    if passenger.is_senior:
        offers.append(SENIOR_OFF)
    if passenger.islander:
        offers.append(ISLANDER_OFF)
    if party_size >= GROUP_SIZE:
        offers.append(GROUP_OFF)
    return max(offers)


def passenger_pence(route: str, passenger: Passenger, party_size: int) -> int:
    """Single fare of one passenger, after the best discount."""
    if passenger.is_infant:
        return 0
    fare = ADULT[route] // 2 if passenger.is_child else ADULT[route]
    return take_off(fare, best_discount(passenger, party_size))


def is_peak(date: dt.date) -> bool:
    """Fridays and Sundays in July and August (weekday 4 and 6)."""
    return date.month in (7, 8) and date.weekday() in (4, 6)


def excess_length_pence(route: str, length_m: float) -> int:
    """Charge for what sticks out beyond 6.0 metres, per begun half metre.

    A motorhome of 7.2 m on R1 has 1.2 m of excess, hence three half metres,
    and pays 3 x 650 = 1950 pence on top of the fare for 5.0 to 6.0 m.  The
    length is rounded to the centimetre first, since the tape is no better.
    """
    excess_cm = round(length_m * 100) - 600
    if excess_cm <= 0:
        return 0
    return math.ceil(excess_cm / 50) * VEHICLE[route][3]


def vehicle_pence(booking: Booking) -> int:
    """Single fare of the vehicle.

    The Islander reduction is given if anyone in the party holds a card: the
    driver is often the mainland cousin.  The peak supplement is added after
    the reduction, so that it is the same for everybody, and motorcycles do
    not pay it.
    """
    motorcycle, car, long_car, _ = VEHICLE[booking.route]
    islander = any(p.islander for p in booking.passengers)
    off = ISLANDER_VEHICLE_OFF if islander else 0
    if booking.motorcycle:
        return take_off(motorcycle, off)
    length = booking.vehicle_length_m
    if length is None:
        return 0
    if length <= 0:
        raise FareError("F-07", "vehicle length must be more than zero")
    if length > MAX_LENGTH_M[booking.route]:
        raise FareError("F-11", f"{length} m is too long for {booking.route}")
    base = car if length <= 5.0 else long_car + excess_length_pence(booking.route, length)
    fare = take_off(base, off)
    if is_peak(booking.date):
        fare += PEAK_SUPPLEMENT
    return fare


def extras_pence(booking: Booking) -> int:
    """Extras are not discounted.  Lounge seats exist on MV Aldith (R1) only."""
    total = 0
    for name in booking.extras:
        if name not in EXTRAS or (name == "lounge" and booking.route != "R1"):
            raise FareError("F-09", f"no such extra on {booking.route}: {name}")
        total += EXTRAS[name]
    return total


def single_fare(booking: Booking) -> int:
    """Total for one crossing in pence."""
    if booking.route not in ADULT:
        raise FareError("F-02", f"unknown route {booking.route}")
    if not VALID_FROM <= booking.date <= VALID_TO:
        raise FareError("F-05", f"no prices for {booking.date.isoformat()}")
    size = len(booking.passengers)
    people = sum(passenger_pence(booking.route, p, size) for p in booking.passengers)
    return people + vehicle_pence(booking) + extras_pence(booking)


def return_fare(adult_single: int) -> int:
    """Twice the single passenger fare less 10 per cent, rounded down."""
    return take_off(2 * adult_single, RETURN_OFF)


def as_pounds(pence: int) -> str:
    """Format for the ticket: 1480 becomes '£14.80'."""
    return f"£{pence // 100}.{pence % 100:02d}"


if __name__ == "__main__":
    family = Booking(
        route="R1",
        date=dt.date(2025, 8, 1),  # a Friday in August, so peak
        passengers=[Passenger(41), Passenger(39), Passenger(9), Passenger(3)],
        vehicle_length_m=7.2,
        extras=["dog"],
    )
    print(as_pounds(single_fare(family)))
