"""The order of times, kept for the next who asks for the same. Pure numpy.

The views of a training set are joined one after the other to the same spine, so its rows are sorted
by time once.
"""

import numpy as np
import numpy.typing as npt

from warehouse.engines.counting_sort import rises, sort_by_time
from warehouse.engines.parts import Int64s


class TimeOrder:
    """Sorts by time, by the last order where that fits. Threads may share it: what one of them
    overwrites costs another a sort."""

    def __init__(self) -> None:
        self.last: npt.NDArray[np.uint32] | None = None

    def sort(self, times: Int64s) -> tuple[npt.NDArray[np.integer], Int64s]:
        """An order in which these times rise, rows of one time in any order; and the times so."""
        last = self.last
        if last is not None and len(last) == len(times):
            ordered = times[last]
            if rises(ordered):
                return last, ordered
        order = sort_by_time(times)
        if len(order) < 1 << 32:
            self.last = order.astype(np.uint32)
        return order, times[order]
