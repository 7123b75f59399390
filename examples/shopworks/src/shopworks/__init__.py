"""Back office of a small mail-order shop."""

from shopworks.archive import load_archive, pack_months, save_archive
from shopworks.catalogue import has_negative, parse_price, price_list, zone_surcharges
from shopworks.feeds import body_lines, content_length
from shopworks.logs import status_counts
from shopworks.pricing import apply_coupons, order_total, supplier_scores, typical_price
from shopworks.stock import (
    missing_parts,
    reading_spread,
    reorder_level,
    reserve,
    shippable,
    unique_in_order,
)
from shopworks.suggestions import bundle_preview, closest_name, edit_distance, rank_products
from shopworks.suppliers import ask_price, collect_prices, settle_transfers
from shopworks.warehouse import dispatch, stamp, wait_for_scale

__all__ = [
    "apply_coupons",
    "ask_price",
    "body_lines",
    "bundle_preview",
    "closest_name",
    "collect_prices",
    "content_length",
    "dispatch",
    "edit_distance",
    "has_negative",
    "load_archive",
    "missing_parts",
    "order_total",
    "pack_months",
    "parse_price",
    "price_list",
    "rank_products",
    "reading_spread",
    "reorder_level",
    "reserve",
    "save_archive",
    "settle_transfers",
    "shippable",
    "stamp",
    "status_counts",
    "supplier_scores",
    "typical_price",
    "unique_in_order",
    "wait_for_scale",
    "zone_surcharges",
]
