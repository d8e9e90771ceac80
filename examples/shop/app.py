"""A small shop with Flask and the OpenTelemetry API. It contains no code for RUM."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import uuid
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import requests
from flask import Flask, abort, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from opentelemetry import trace
from werkzeug.exceptions import HTTPException

PORT = int(os.environ.get("SHOP_PORT", "8000"))
SHOP_URL = f"http://127.0.0.1:{PORT}"
CARRIER_URL = os.environ.get("SHOP_CARRIER_URL", "http://127.0.0.1:9")
COUPONS = {"TEA10": 10}
EXPIRED_COUPONS = {"SUMMER24"}

app = Flask(__name__)
app.secret_key = os.environ.get("SHOP_SECRET_KEY") or secrets.token_hex()
app.permanent_session_lifetime = timedelta(minutes=30)
tracer = trace.get_tracer("shop")


@dataclass(frozen=True)
class Product:
    """An article of the shop."""

    sku: str
    name: str
    words: str
    price: float
    left: int


PRODUCTS = {
    product.sku: product
    for product in (
        Product("teapot", "Teapot", "Stoneware, holds one litre, pours without a drip.", 39.0, 7),
        Product("kettle", "Kettle", "Whistles in G major when the water boils.", 54.5, 3),
        Product("cup", "Cup", "Thin enough for tea, strong enough for Mondays.", 9.8, 42),
    )
}


class CouponExpiredError(Exception):
    """The coupon was valid once."""


@app.before_request
def set_session_and_user() -> None:
    """Put the visitor's session and user on the current span."""
    # RUM's sessions and users come from the standard attributes `session.id` and `user.id`. Child spans inherit them.
    # A client of the API sends the session in a header.
    span = trace.get_current_span()
    if request.path.startswith("/api/"):
        span.set_attribute("session.id", request.headers.get("X-Session", ""))
        return
    session.permanent = True
    span.set_attribute("session.id", session.setdefault("id", str(uuid.uuid4())))
    if "user" in session:
        span.set_attribute("user.id", session["user"])


@app.get("/")
def home() -> str:
    """Show all products."""
    return render_template("home.html", products=PRODUCTS.values())


@app.get("/products/<sku>")
def product(sku: str) -> str:
    """Show a product with its stock and price from another service."""
    if sku not in PRODUCTS:
        abort(HTTPStatus.NOT_FOUND)
    return render_template("product.html", product=PRODUCTS[sku], stock=stock(sku))


@app.get("/cart")
def cart() -> str:
    """Show the cart, its total, and the day of delivery if the carrier answers."""
    lines = [(PRODUCTS[sku], quantity) for sku, quantity in session.get("cart", {}).items()]
    total = sum(stock(product.sku)["price"] * quantity for product, quantity in lines)
    return render_template("cart.html", lines=lines, total=total, day=delivery_day() if lines else None)


@app.post("/cart")
def add_to_cart() -> ResponseReturnValue:
    """Put a product into the cart. A quantity that is not a number counts as 1."""
    sku = request.form["sku"]
    if sku not in PRODUCTS:
        abort(HTTPStatus.NOT_FOUND)
    try:
        quantity = int(request.form["quantity"])
    except ValueError as error:
        # The visitor sees no error, but the exception is recorded to count how often this happens.
        trace.get_current_span().record_exception(error)
        quantity = 1
    content = session.get("cart", {})
    session["cart"] = {**content, sku: content.get(sku, 0) + quantity}
    return redirect(url_for("cart"))


@app.post("/checkout")
def checkout() -> str:
    """Place the order. An expired coupon raises an exception, which is the bug of this shop."""
    with tracer.start_as_current_span("place order") as span:
        coupon = request.form.get("coupon", "").strip().upper()
        span.set_attributes({"shop.pieces": sum(session.get("cart", {}).values()), "shop.coupon": coupon})
        discount = percent_off(coupon)
        session.pop("cart", None)
    return render_template("message.html", title="Thank you", words=f"Your order is placed, {discount} % off.")


@app.post("/login")
def log_in() -> ResponseReturnValue:
    """Store the visitor's name without a password."""
    session["user"] = request.form["user"]
    return redirect(url_for("home"))


@app.get("/api/stock/<sku>")
def stock_api(sku: str) -> ResponseReturnValue:
    """Return stock and price of a product."""
    if sku not in PRODUCTS:
        abort(HTTPStatus.NOT_FOUND)
    return jsonify(left=PRODUCTS[sku].left, price=PRODUCTS[sku].price)


@app.get("/health")
def health() -> str:
    """Respond to health checks."""
    return "open"


@app.errorhandler(HTTPStatus.NOT_FOUND)
@app.errorhandler(HTTPStatus.INTERNAL_SERVER_ERROR)
def failed(error: HTTPException) -> ResponseReturnValue:
    """Show a page for 404 and 500."""
    words = "We do not have that." if error.code == HTTPStatus.NOT_FOUND else "Something broke, and it was not you."
    return render_template("message.html", title=error.name, words=words), error.code or 500


def stock(sku: str) -> dict[str, float]:
    """Request stock and price over HTTP from the stock service, which is part of this program."""
    answer = requests.get(f"{SHOP_URL}/api/stock/{sku}", headers={"X-Session": session["id"]}, timeout=5)
    answer.raise_for_status()
    found: dict[str, float] = answer.json()
    return found


def delivery_day() -> str | None:
    """Request the day of delivery from the carrier, whose server is always down."""
    try:
        return requests.get(f"{CARRIER_URL}/delivery-day", timeout=2).text
    except requests.RequestException:
        return None


def percent_off(coupon: str) -> int:
    """Return the discount of a coupon."""
    if coupon in EXPIRED_COUPONS:
        raise CouponExpiredError(f"coupon {coupon} expired on 31 August 2024")
    return COUPONS.get(coupon, 0)


if __name__ == "__main__":
    # SIGTERM stops a container. Exit normally then, so that the last spans are sent.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(port=PORT, threaded=True)
