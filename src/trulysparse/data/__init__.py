"""From files and arrays to batches."""

from trulysparse.data.matrix import Matrix, as_matrix, check_finite
from trulysparse.data.scaling import Scaling, fit_scaling

__all__ = ["Matrix", "Scaling", "as_matrix", "check_finite", "fit_scaling"]
