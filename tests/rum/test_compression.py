"""Compression of request bodies, with both libraries."""

from __future__ import annotations

import gzip
import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from otel_rum_exporter.rum.compression import compress
from otel_rum_exporter.rum.request import body
from tests.rum.batches import batch

BODIES = {
    "empty": b"",
    "one event": body(batch()),
    "many events": body(batch(*(f'{{"text":"{"é" * number}"}}' for number in range(100)))),
}
COMPRESS_IN_A_PROCESS = """
import sys

class Blocked:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
from otel_rum_exporter.rum.compression import compress
assert sys.argv[1] not in sys.modules
content = compress(sys.stdin.buffer.read())
assert type(content) is bytes
sys.stdout.buffer.write(content)
"""


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES.keys())
def test_a_body_is_compressed_to_the_same_gzip_each_time(content: bytes) -> None:
    """A retry sends the same bytes: the header has no time."""
    compressed = compress(content)
    assert gzip.decompress(compressed) == content
    assert type(compressed) is bytes  # all that botocore's signers, redirects and proxies accept
    assert compressed == compress(content)
    assert compressed[4:8] == bytes(4)


def test_libdeflate_compresses_where_it_is_installed() -> None:
    """Nothing else shows that the slower library is used."""
    if importlib.util.find_spec("deflate") is None:
        pytest.skip("this platform has no wheel of deflate")
    import deflate

    content = BODIES["many events"]
    assert compress(content) == deflate.gzip_compress(content, 5)


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES.keys())
def test_without_libdeflate_the_standard_library_compresses(content: bytes) -> None:
    """There are platforms without a wheel."""
    done = subprocess.run(
        [sys.executable, "-c", COMPRESS_IN_A_PROCESS, "deflate"],
        input=content,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert done.stdout == gzip.compress(content, 5, mtime=0)


def test_threads_compress_at_the_same_time() -> None:
    """Up to eight threads send, and libdeflate compresses without the interpreter's lock."""
    contents = [BODIES["many events"] * (1 + number % 5) + b"%d" % number for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        assert [gzip.decompress(one) for one in threads.map(compress, contents)] == contents
