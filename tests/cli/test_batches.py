"""How a long file becomes requests."""

import json

from api._commands import predict


def test_batches_keep_every_row_in_order_within_both_limits():
    """Wide rows are cut by bytes, narrow ones by number; nothing is lost or doubled."""
    narrow = [{"x": number} for number in range(2500)]
    wide = [{"x": "w" * 1_500_000} for _ in range(5)]

    by_number = list(predict._parts(narrow))
    by_size = list(predict._parts(wide))

    assert [first for first, _ in by_number] == [0, 1000, 2000]
    assert [row for _, body in by_number for row in json.loads(body)["rows"]] == narrow
    assert [first for first, _ in by_size] == [0, 2, 4]
    assert max(len(body) for _, body in by_size) < 4_500_000
    assert [row for _, body in by_size for row in json.loads(body)["rows"]] == wide


def test_a_row_above_the_limit_is_left_for_the_server_to_refuse():
    assert [first for first, _ in predict._parts([{"x": "w" * 5_000_000}, {"x": 1}])] == [0, 1]
