"""Reads HdrHistogram logs with the Python implementation and says as JSON what it finds.

hlog_read.py LOG...: by tag (an empty one for lines without), all lines of all logs added up: percentiles, maximum, count, and
every step with its count.
"""

import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

BOUNDS = (1, 3_600_000_000_000, 3)
PERCENTILES = (0, 50, 75, 90, 95, 99, 99.9, 99.99, 100)


def shown(histogram):
    steps = ([item.value_iterated_to, item.count_at_value_iterated_to] for item in histogram.get_recorded_iterator())
    return {
        "percentiles": [histogram.get_value_at_percentile(percentile) for percentile in PERCENTILES],
        "max": histogram.get_max_value(),
        "min": histogram.get_min_value(),
        "count": histogram.get_total_count(),
        "steps": list(steps),
    }


def main(paths):
    by_tag = {}
    for path in paths:
        reader = HistogramLogReader(path, HdrHistogram(*BOUNDS))
        while (interval := reader.get_next_interval_histogram()) is not None:
            tag = interval.get_tag() or ""
            by_tag.setdefault(tag, HdrHistogram(*BOUNDS)).add(interval)
    json.dump({tag: shown(found) for tag, found in by_tag.items()}, sys.stdout)


main(sys.argv[1:])
