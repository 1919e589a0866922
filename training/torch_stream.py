"""A torch dataset over a training set. Imported only by who asks for it: it imports torch."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from training.matrices import Matrices


class TorchRows(IterableDataset):  # type: ignore[misc]  # torch is optional, so unknown here
    """Batches (features float32 [n, k], label [n]) in the order of a seed and an epoch, or features
    alone where the set has no label. Give it to a `DataLoader` with `batch_size=None`.

    Workers share the rows between them. Call `set_epoch` before each epoch to see another order.
    """

    def __init__(self, matrices: Matrices) -> None:
        super().__init__()
        self.matrices = matrices

    def set_epoch(self, epoch: int) -> None:
        """Shuffle otherwise from the next iteration on."""
        self.matrices = replace(self.matrices, order=replace(self.matrices.order, epoch=epoch))

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        order = self.matrices.order
        if worker is not None:
            order = order.of_worker(worker.id, worker.num_workers)
        for features, label in self.matrices.batches(order):
            inputs = torch.from_numpy(features)
            yield inputs if label is None else (inputs, torch.from_numpy(label))
