"""Back office of a small mail-order shop."""

from shopworks.archive import pack_months
from shopworks.catalogue import has_negative, price_list, zone_surcharges
from shopworks.feeds import content_length
from shopworks.logs import status_counts
from shopworks.pricing import apply_coupons, sales_shares
from shopworks.stock import missing_parts, reading_spread, shippable, unique_in_order
from shopworks.suggestions import bundle_preview, edit_distance
from shopworks.suppliers import ask_price, collect_prices, settle_transfers
from shopworks.warehouse import dispatch, stamp, wait_for_scale

__all__ = [
    "apply_coupons",
    "ask_price",
    "bundle_preview",
    "collect_prices",
    "content_length",
    "dispatch",
    "edit_distance",
    "has_negative",
    "missing_parts",
    "pack_months",
    "price_list",
    "reading_spread",
    "sales_shares",
    "settle_transfers",
    "shippable",
    "stamp",
    "status_counts",
    "unique_in_order",
    "wait_for_scale",
    "zone_surcharges",
]
