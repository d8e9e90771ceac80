"""A program that reads a database with SQLAlchemy, under one span of its own, and fails at its end."""

from __future__ import annotations

from opentelemetry import trace
from sqlalchemy import create_engine, text

engine = create_engine("sqlite://")

with trace.get_tracer("report").start_as_current_span("monthly report"), engine.connect() as connection:
    connection.execute(text("CREATE TABLE sale (total INTEGER, email TEXT)"))
    for total in range(5):
        connection.execute(
            text("INSERT INTO sale VALUES (:total, :email)"), {"total": total, "email": "ada@example.com"}
        )
    assert connection.scalar(text("SELECT SUM(total) FROM sale")) == 10
    connection.execute(text("INSERT INTO sales VALUES (:email)"), {"email": "ada@example.com"})
