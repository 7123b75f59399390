"""The access log."""

import io

from shopworks.logs import repeat_errors, status_counts


def test_counts_by_status():
    log = io.StringIO("08:00 /tea 200 512\n08:01 /mug 404 0\nbroken line\n08:02 /tea 200 512\n")
    assert status_counts(log) == {"200": 2, "404": 1}
    assert status_counts(io.StringIO("")) == {}


def test_a_day_of_the_shop():
    lines = ["%02d:%02d /article/%05d/details %d %d\n" % (n // 600, n % 60, n, 200 + n % 3, n) for n in range(14_000)]
    assert status_counts(io.StringIO("".join(lines))) == {"200": 4667, "201": 4667, "202": 4666}


def test_errors_are_written_once_more():
    log = io.StringIO("a /x 500 1\nb /y 200 1\nc /z 500 1\n")
    assert repeat_errors(log) == 2
    assert log.getvalue().splitlines()[3:] == ["again: a /x 500 1", "again: c /z 500 1"]
