"""The demo's shop on its busiest day: sales, catalogue and stock, seeded by the day, the same on every machine.

The Friday after the fourth Thursday of November sells about seven times what another Friday sells.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

USUAL = 1_400
RUSH = 7.0
NOVEMBER, FRIDAY = 11, 4


class Product(NamedTuple):
    """One line of the catalogue. `discount` is the campaign's, as a share of the price."""

    code: str
    name: str
    category: str
    price: float
    discount: float


class Sale(NamedTuple):
    """One line of a receipt, as a till sends it."""

    sale_id: str
    code: str
    quantity: int
    status: str
    sold_at: datetime


class Stock(NamedTuple):
    """What a warehouse has of a product, and how much of it a usual week takes."""

    code: str
    on_hand: int
    a_week: int


CATALOGUE = (
    Product("EL-01", "Headphones", "Electronics", 129.0, 0.35),
    Product("EL-02", "Smart speaker", "Electronics", 89.0, 0.40),
    Product("EL-03", "Tablet", "Electronics", 349.0, 0.25),
    Product("EL-04", "Charger", "Electronics", 29.0, 0.20),
    Product("HO-01", "Coffee machine", "Home", 189.0, 0.30),
    Product("HO-02", "Desk lamp", "Home", 45.0, 0.15),
    Product("HO-03", "Blanket", "Home", 39.0, 0.25),
    Product("TO-01", "Building bricks", "Toys", 59.0, 0.20),
    Product("TO-02", "Board game", "Toys", 35.0, 0.10),
    Product("TO-03", "Plush bear", "Toys", 22.0, 0.10),
    Product("FA-01", "Winter coat", "Fashion", 159.0, 0.30),
    Product("FA-02", "Scarf", "Fashion", 25.0, 0.15),
    Product("FA-03", "Boots", "Fashion", 110.0, 0.25),
)


def is_black_friday(day: date) -> bool:
    """Tell whether `day` is the Friday after the fourth Thursday of November."""
    return day.month == NOVEMBER and day.weekday() == FRIDAY and 23 <= day.day <= 29


def sales_of(day: date) -> list[Sale]:
    """One day's sales in the order in which the tills sent them; some were sent twice, some are void or unreadable."""
    random = Random(f"sales of {day.isoformat()}")
    count = round(USUAL * (RUSH if is_black_friday(day) else 1.0) * random.uniform(0.94, 1.06))
    seconds = sorted(_second(random, is_black_friday(day)) for _ in range(count))
    sales = [_sale(random, day, number, second) for number, second in enumerate(seconds)]
    return [copy for sale in sales for copy in [sale] * (2 if random.random() < 0.01 else 1)]


def stock_of(day: date) -> list[Stock]:
    """The stock at the end of a day."""
    random = Random(f"stock of {day.isoformat()}")
    weekly = {product.code: random.randint(120, 900) for product in CATALOGUE}
    return [Stock(code, round(a_week * random.uniform(0.1, 3.2)), a_week) for code, a_week in weekly.items()]


def _second(random: Random, is_rush: bool) -> int:
    """A moment between opening at 8 and closing at 22; on a rush day many already wait at the door."""
    waits_at_the_door = is_rush and random.random() < 0.3
    hour = 8 + random.expovariate(0.6) if waits_at_the_door else random.gauss(15.5, 3.4)
    return int((hour if 8 <= hour < 22 else random.uniform(8, 22)) * 3600)


def _sale(random: Random, day: date, number: int, second: int) -> Sale:
    pull = [1 + 6 * product.discount * is_black_friday(day) for product in CATALOGUE]
    code = random.choices(CATALOGUE, weights=pull)[0].code
    status = "void" if random.random() < 0.015 else "sold"
    at = datetime.combine(day, time()) + timedelta(seconds=second)
    quantity = random.choices((1, 2, 3), weights=(80, 16, 4))[0]
    return Sale(f"S{day:%y%m%d}-{number:05d}", "??" if random.random() < 0.004 else code, quantity, status, at)
