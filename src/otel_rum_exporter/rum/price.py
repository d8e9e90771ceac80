"""The cost of events at AWS's list price. Discounts, free tiers and regional prices are not known here."""

from __future__ import annotations

from decimal import Decimal

USD_PER_EVENT = 1 / 100_000
PRICE_DATE = "November 2026"
PRICE_PAGE = "https://aws.amazon.com/cloudwatch/pricing/"


def usd(events: float) -> float:
    """Return the list price of a number of events."""
    return events * USD_PER_EVENT


def price_in_words(events: float) -> str:
    """Return the list price of a number of events as text."""
    amount = usd(events)
    return f"{amount:,.2f} USD" if amount >= 1 or not amount else f"{Decimal(f'{amount:.2g}'):f} USD"
