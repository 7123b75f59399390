"""Shelves and orders."""

import pytest
from shopworks.stock import missing_parts, reading_spread, shippable, unique_in_order


def test_only_what_is_there_can_be_sent():
    assert shippable(["a", "b", "a", "c"], ["c", "a"]) == ["a", "a", "c"]
    assert shippable([], ["a"]) == []
    assert shippable(["a"], []) == []


def test_a_busy_morning():
    ordered = ["art-%04d" % (n * 7 % 1300) for n in range(400)]
    available = ["art-%04d" % n for n in range(0, 1300, 2)]
    ready = shippable(ordered, available)
    assert len(ready) == 200
    assert ready[:3] == ["art-0000", "art-0014", "art-0028"]


def test_articles_keep_the_order_of_the_aisles():
    assert unique_in_order(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]
    many = ["s%d" % (n % 60) for n in range(600)]
    assert unique_in_order(many) == ["s%d" % n for n in range(60)]


def test_parts_are_pairs_of_name_and_size():
    parts = [["bolt", 4], ["nut", 4], ["bolt", 6]]
    assert missing_parts([["bolt", 6], ["bolt", 8], ["nut", 4]], parts) == [["bolt", 8]]


def test_spread_of_sensor_readings():
    assert reading_spread([2, 4, 4, 4, 5, 5, 7, 9]) == 4.0
    assert reading_spread([n * 37 % 200 for n in range(150_000)]) == pytest.approx(3333.25)
    with pytest.raises(ZeroDivisionError):
        reading_spread([])
