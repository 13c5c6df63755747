"""What makes statistics of stored bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..statistics.units import Units
from ..uncertainty import Sampler

Ints = NDArray[np.int64]


class Source(Protocol):
    """Makes the statistic of one name from what is stored."""

    @property
    def stored(self) -> str:
        """The name under which it is stored."""
        ...

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Any:
        """The statistic of all images together, of the images' bytes and of the sum that was kept, if any."""
        ...

    def stack(self, blobs: Sequence[bytes], pooled: Any) -> Any:
        """The statistics of some images: what a metric answers with a leading axis for."""
        ...

    def sampler(self, units: Units, pooled: Any, stacks: Iterable[Any]) -> Sampler:
        """What resamples of the images are drawn from."""
        ...
