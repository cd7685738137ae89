"""The bench of depths: every picture once, in order, never more under way than the depth."""

from itertools import count

from common.inference.depth_bench import TURNS, compare
from common.ports import Sample


def test_it_runs_every_depth_over_the_same_kind_of_pictures():
    log, most, closed = [], {}, []

    def opened(depth, stack):
        numbers, under_way = count(), []
        stack.callback(lambda: closed.append(depth))

        def following():
            number = next(numbers)
            return Sample(str(number), number, number, 0.0, 0.0)

        def begin(sample):
            under_way.append(sample.data)
            most[depth] = max(most.get(depth, 0), len(under_way))

            def finish():
                assert under_way.pop(0) == sample.data
                log.append((depth, sample.data))

            return finish

        return following, begin

    figures = compare(opened, (1, 2, 3), pictures=5)
    assert most == {1: 1, 2: 2, 3: 3}
    assert sorted(closed) == sorted([1, 2, 3] * TURNS)
    assert [number for depth, number in log if depth == 2][:9] == list(range(9))
    assert set(figures) == {
        "depth_1", "depth_2", "depth_3", "depth_2_throughput_ratio", "depth_3_throughput_ratio",
    }  # fmt: skip
    assert figures["depth_2"]["pictures_per_s"] > 0
    assert set(figures["depth_2"]["age_ms"]) == {"p50", "p95", "p99"}
