"""Samples and labels: from files and arrays to batches."""

from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.data.f_scores import f_scores
from trulysparse.data.matrix import Matrix, Reader, as_matrix, check_finite
from trulysparse.data.scaling import Scaling, unscaled
from trulysparse.data.scaling_figures import fit_scaling
from trulysparse.data.target_scaling import fit_target_scaling
from trulysparse.data.targets import check_labels, check_values

__all__ = [
    "ImageAugmentation",
    "Matrix",
    "Reader",
    "Scaling",
    "as_matrix",
    "check_finite",
    "check_labels",
    "check_values",
    "f_scores",
    "fit_scaling",
    "fit_target_scaling",
    "unscaled",
]
