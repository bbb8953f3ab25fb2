import gc

from interpose_ros.engine.process_settings import keep_what_is_there


def test_what_is_there_takes_part_in_no_further_round_and_what_comes_later_does():
    try:
        before = [[]]
        keep_what_is_there()
        frozen, after = gc.get_freeze_count(), [[]]
        looked_at = gc.get_objects()
        assert frozen > 10_000
        assert not any(seen is before for seen in looked_at)
        assert any(seen is after for seen in looked_at)
    finally:
        gc.unfreeze()
