"""Bundles and nearly right names."""

from shopworks.suggestions import bundle_preview, edit_distance, newest_alerts


def test_twenty_pairs_are_enough_for_the_editor():
    pairs = bundle_preview(["art-%03d" % (n * 7 % 400) for n in range(400)])
    assert len(pairs) == 20
    assert pairs[0] == ("art-000", "art-001")
    assert bundle_preview(["b", "a"]) == [("a", "b")]
    assert bundle_preview([]) == []


def test_reading_the_feed_marks_everything_as_seen():
    feed = iter(["low on tea", "door open", "scale broken", "late truck"])
    assert newest_alerts(feed) == ["low on tea", "door open", "scale broken"]
    assert next(feed, None) is None


def test_typing_errors():
    assert edit_distance("teapot", "teapots") == 1
    assert edit_distance("", "abc") == 3
    assert edit_distance("kettle", "teapot") == 5
