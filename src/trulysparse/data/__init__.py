"""Samples and labels: from files and arrays to batches."""

from trulysparse.data.matrix import Matrix, Reader, as_matrix, check_finite
from trulysparse.data.scaling import Scaling
from trulysparse.data.scaling_figures import fit_scaling

__all__ = ["Matrix", "Reader", "Scaling", "as_matrix", "check_finite", "fit_scaling"]
