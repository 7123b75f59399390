"""The price list and the delivery zones."""

import pytest
from shopworks.catalogue import has_negative, price_list, zone_surcharges


def test_rows_become_lines():
    assert price_list([("tea", 3, 2.5), ("mug", None, "x")]) == "tea;3;2.5\nmug;None;x"
    assert price_list([]) == ""


def test_the_whole_list():
    rows = [("art-%04d" % n, n % 70, n * 3 % 1000, "shelf", n % 9, 19, n, n + 1) for n in range(900)]
    text = price_list(rows)
    assert text.count("\n") == 899
    assert text.splitlines()[10] == "art-0010;10;30;shelf;1;19;10;11"


def test_every_zone_has_its_highest_surcharge():
    highest = zone_surcharges("zones")
    assert sorted(highest) == ["Z%d" % n for n in range(1, 10)]
    assert set(highest.values()) == {1850}


def test_a_broken_cell_is_reported_also_behind_a_negative_one():
    assert has_negative(["3", "-1"])
    assert not has_negative(["3", "0"])
    with pytest.raises(ValueError):
        has_negative(["-1", "three"])
