"""The cache forgets in the right order, and never holds more than its budget."""

from hypothesis import given
from hypothesis import strategies as st

from interpose_ros.matching.bounded_cache import BoundedCache


def test_the_least_recently_used_goes_first():
    cache: BoundedCache[str, int] = BoundedCache(30.0)
    for number, key in enumerate("abc"):
        cache.put(key, number, 10)
    assert cache.get("a") == 0
    cache.put("d", 3, 10)
    assert [cache.get(key) for key in "abcd"] == [0, None, 2, 3]
    assert cache.nbytes == 30


def test_a_value_above_the_budget_is_not_kept_and_pushes_nothing_out():
    cache: BoundedCache[str, int] = BoundedCache(30.0)
    cache.put("a", 1, 10)
    cache.put("b", 2, 31)
    assert (cache.get("a"), cache.get("b"), cache.nbytes) == (1, None, 10)
    cache.put("a", 3, 31)
    assert (cache.get("a"), cache.nbytes) == (None, 0)


def test_a_new_value_replaces_the_old_one():
    cache: BoundedCache[str, int] = BoundedCache(30.0)
    cache.put("a", 1, 10)
    cache.put("a", 2, 20)
    assert (cache.get("a"), cache.nbytes) == (2, 20)
    cache.clear()
    assert (cache.get("a"), cache.nbytes) == (None, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40))))
def test_the_budget_holds(puts):
    cache: BoundedCache[int, int] = BoundedCache(100.0)
    sizes = {}
    for key, nbytes in puts:
        cache.put(key, nbytes, nbytes)
        sizes[key] = nbytes
        assert cache.nbytes <= 100
        assert cache.get(key) == nbytes
    held = [key for key in sizes if cache.get(key) is not None]
    assert cache.nbytes == sum(sizes[key] for key in held)
