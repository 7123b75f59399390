"""Suppliers, printers, scales and bays."""

import asyncio
from threading import Lock

from shopworks.suppliers import ask_price, collect_prices, settle_transfers
from shopworks.warehouse import dispatch, stamp, take_bay, wait_for_scale


def test_prices_come_in_the_order_of_the_articles():
    assert asyncio.run(ask_price("tea")) == 100 + sum(b"tea") % 900
    skus = ["tea", "mug", "pot", "jar", "lid", "cup"]
    assert asyncio.run(collect_prices(skus)) == [100 + sum(s.encode()) % 900 for s in skus]
    assert asyncio.run(collect_prices([])) == []


def test_each_transfer_sees_what_is_left():
    balances = {"main": 100, "spare": 10}
    left = asyncio.run(settle_transfers(balances, [("main", 70), ("main", 70), ("spare", 4)]))
    assert left == [30, 0, 6]
    assert balances == {"main": 0, "spare": 6}


def test_parcels_are_labelled():
    assert asyncio.run(dispatch("o-17")) == "label o-17 handed over"


def test_the_scale_settles():
    assert asyncio.run(wait_for_scale([900, 950, 1010, 1008, 1009], 3)) == 1008
    assert asyncio.run(wait_for_scale([5], 0)) == 5


def test_every_truck_gets_a_bay_of_its_own():
    async def both():
        bays, lock = {}, Lock()
        numbers = await asyncio.gather(take_bay(bays, "red", lock), take_bay(bays, "blue", lock))
        return numbers, bays

    numbers, bays = asyncio.run(both())
    assert numbers == [1, 2]
    assert bays == {"next": 3, "red": 1, "blue": 2}


def test_labels_are_stamped():
    assert asyncio.run(stamp(b"AB")) == "AB/197"
    assert asyncio.run(stamp(b"")) == "/0"
