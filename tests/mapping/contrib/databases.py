"""Databases and caches that need no server: no call to one is an event, and no statement is in an event."""

from __future__ import annotations

import asyncio
import contextlib
import socketserver
import sqlite3
from threading import Thread

import fakeredis
import pymemcache.client
import redis
import sqlalchemy
import tortoise
from opentelemetry.instrumentation import dbapi as dbapi_instrumentation
from opentelemetry.instrumentation.pymemcache import PymemcacheInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.instrumentation.tortoiseorm import TortoiseORMInstrumentor
from tortoise import fields, models

from tests.mapping.contrib.telemetry import Telemetry

PRIVATE = "SECRET"
"""A value that no source line has, because the stacks of errors have source lines."""

SELECT = "SELECT 'ann@example.com', ?"


def dbapi(telemetry: Telemetry) -> None:
    """Run statements; the instrumentations of MySQL's, PostgreSQL's and SQL Server's drivers are made of this one."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        traced = dbapi_instrumentation.instrument_connection(
            __name__, connection, "postgresql", tracer_provider=telemetry.spans
        )
        cursor = traced.cursor()
        cursor.execute(SELECT, (PRIVATE,))
        cursor.executemany("CREATE TABLE notes (text)", [()])
        traced.commit()
        cursor.close()


def sqlite3_driver(telemetry: Telemetry) -> None:
    """Run a statement that succeeds, and one that fails and is handled."""
    SQLite3Instrumentor().instrument(tracer_provider=telemetry.spans)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.cursor()
        cursor.execute(SELECT, (PRIVATE,))
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("SELECT secret FROM missing")
        cursor.close()
    SQLite3Instrumentor().uninstrument()


def sqlalchemy_engine(telemetry: Telemetry) -> None:
    """Run a statement that fails, within a span of the application's that the exception leaves."""
    engine = sqlalchemy.create_engine("sqlite://")
    SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=telemetry.spans)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT :name"), {"name": PRIVATE})
    with (
        contextlib.suppress(sqlalchemy.exc.OperationalError),
        telemetry.spans.get_tracer("shop").start_as_current_span("monthly report"),
        engine.connect() as connection,
    ):
        connection.execute(sqlalchemy.text("SELECT * FROM missing WHERE a = :name"), {"name": PRIVATE})
    SQLAlchemyInstrumentor().uninstrument()
    engine.dispose()


def redis_client(telemetry: Telemetry) -> None:
    """Make a call, a pipeline, and a call whose error is handled."""
    RedisInstrumentor().instrument(tracer_provider=telemetry.spans)
    client = fakeredis.FakeRedis()
    client.set("session", PRIVATE)
    with client.pipeline() as pipeline:
        pipeline.llen("a")
        pipeline.llen("b")
        pipeline.execute()
    with contextlib.suppress(redis.ResponseError):
        client.lpop("session")
    client.close()
    RedisInstrumentor().uninstrument()


class Note(models.Model):
    """A table."""

    id = fields.IntField(primary_key=True)
    text = fields.TextField()


def tortoise_orm(telemetry: Telemetry) -> None:
    """Write a row, and count it."""

    async def work() -> None:
        await tortoise.Tortoise.init(db_url="sqlite://:memory:", modules={"models": [__name__]})
        await tortoise.Tortoise.generate_schemas()
        await Note.create(text=PRIVATE)
        await Note.filter(text=PRIVATE).count()
        await tortoise.Tortoise.close_connections()

    TortoiseORMInstrumentor().instrument(tracer_provider=telemetry.spans)
    asyncio.run(work())
    TortoiseORMInstrumentor().uninstrument()


class Cache(socketserver.StreamRequestHandler):
    """Responds to memcached's commands as an empty cache does."""

    def handle(self) -> None:
        """Read commands until the connection is closed."""
        for line in self.rfile:
            if line.startswith(b"set"):
                self.rfile.readline()
                self.wfile.write(b"STORED\r\n")
            else:
                self.wfile.write(b"END\r\n")


def memcached_client(telemetry: Telemetry) -> None:
    """Store a value, and look it up."""
    PymemcacheInstrumentor().instrument(tracer_provider=telemetry.spans)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cache) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        client = pymemcache.client.Client(server.server_address)
        client.set("session", PRIVATE, noreply=False)
        client.get("session")
        client.close()
        server.shutdown()
        thread.join()
    PymemcacheInstrumentor().uninstrument()
