"""The heavy work of one day, with numbers of articles and orders as the shop has them."""

import asyncio
import io

from shopworks.catalogue import price_list, zone_surcharges
from shopworks.logs import status_counts
from shopworks.pricing import sales_shares
from shopworks.stock import reading_spread, shippable, unique_in_order
from shopworks.suggestions import bundle_preview, edit_distance
from shopworks.suppliers import collect_prices
from shopworks.warehouse import dispatch, stamp, wait_for_scale

NAMES = ["%s %s" % (kind, n) for kind in ("Green tea", "Black tea", "Mug", "Kettle", "Jar") for n in range(60)]


def test_morning_orders(benchmark):
    ordered = ["art-%04d" % (n * 11 % 1500) for n in range(700)]
    available = ["art-%04d" % n for n in range(0, 1500, 2)]
    assert len(benchmark(shippable, ordered, available, rounds=15)) == 350


def test_picking_list(benchmark):
    skus = ["art-%03d" % (n * 13 % 150) for n in range(900)]
    assert len(benchmark(unique_in_order, skus, rounds=30)) == 150


def test_sales_report(benchmark):
    sold = [n * 17 % 90 for n in range(800)]
    assert len(benchmark(sales_shares, sold, rounds=12)) == 800


def test_print_shop(benchmark):
    rows = [("art-%04d" % n, n % 70, n * 3 % 1000, "shelf", n % 9, 19, n, n + 1) for n in range(2500)]
    assert benchmark(price_list, rows, rounds=25).count(";") == 2500 * 7


def test_sensor_day(benchmark):
    readings = [n * 37 % 200 for n in range(180_000)]
    assert benchmark(reading_spread, readings, rounds=2) > 3000


def test_access_log(benchmark):
    lines = ["%02d:%02d /article/%05d/details %d %d\n" % (n // 600, n % 60, n, 200 + n % 3, n) for n in range(20_000)]
    text = "".join(lines)
    assert len(benchmark(lambda: status_counts(io.StringIO(text)), rounds=4)) == 3


def test_zones(benchmark):
    assert len(benchmark(zone_surcharges, "zones", rounds=4)) == 9


def test_bundle_editor(benchmark):
    skus = ["art-%03d" % (n * 7 % 450) for n in range(450)]
    assert len(benchmark(bundle_preview, skus, rounds=3)) == 20


def test_search_box(benchmark):
    def nearest(typed):
        return min(NAMES, key=lambda name: edit_distance(typed, name))

    assert benchmark(nearest, "Grene tea 17", rounds=4) == "Green tea 17"


def test_supplier_prices(benchmark):
    skus = ["art-%d" % n for n in range(8)]
    assert len(benchmark(lambda: asyncio.run(collect_prices(skus)), rounds=3)) == 8


def test_parcels(benchmark):
    async def parcels():
        return await asyncio.gather(*(dispatch("o-%d" % n) for n in range(6)))

    assert len(benchmark(lambda: asyncio.run(parcels()), rounds=3)) == 6


def test_scales(benchmark):
    async def scales():
        readings = [[100 * n, 100 * n + 40, 100 * n + 60, 100 * n + 61] for n in range(1, 5)]
        return await asyncio.gather(*(wait_for_scale(each, 3) for each in readings))

    assert benchmark(lambda: asyncio.run(scales()), rounds=3) == [161, 261, 361, 461]


def test_stamps(benchmark):
    assert benchmark(lambda: asyncio.run(stamp(b"PARCEL-0815" * 40)), rounds=8)
