"""Where data leaves the house."""

import io
import subprocess
import sys
import zlib
from decimal import Decimal
from http.client import HTTPResponse
from pathlib import Path

import shopworks
from shopworks import content_length, pack_months
from shopworks.export import preview
from shopworks.records import Payment, from_row
from shopworks.wording import slug

SOURCES = str(Path(shopworks.__file__).parent.parent)


class Line:
    """A connection that has answered already."""

    def __init__(self, answer):
        self.answer = answer

    def makefile(self, mode):
        return io.BytesIO(self.answer)


def answer(body, headers=b""):
    head = b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body)
    response = HTTPResponse(Line(head + body))
    response.begin()
    return response


def test_feeds_of_other_shops():
    assert content_length(answer(b"abc")) == 3


def test_months_are_packed_in_order():
    months = [b"january " * 50, b"february " * 50, b"march"]
    assert [zlib.decompress(packed) for packed in pack_months(months)] == months


def test_pages_are_escaped():
    assert preview(["a<b"]) == "<ul><li>a&lt;b</li></ul>"


def test_formats_are_there_as_soon_as_export_is_imported():
    code = "import shopworks.export, shopworks.formats as f; print(sorted(f.WRITERS))"
    run = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": SOURCES}, stdout=subprocess.PIPE, check=True
    )
    assert run.stdout.decode().strip() == "['page']"


def test_payments_are_read_by_their_annotations():
    row = {"order": "o-1", "amount": "12.50", "parts": "2"}
    assert from_row(Payment, row) == Payment("o-1", Decimal("12.50"), 2)


def test_words_on_paper():
    assert slug("Tea & Mugs, 2 pieces!") == "tea-mugs-2-pieces"


def test_the_public_names_are_there():
    for name in shopworks.__all__:
        assert callable(getattr(shopworks, name))
