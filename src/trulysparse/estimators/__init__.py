"""scikit-learn's face of the library."""

from trulysparse.estimators.classifier import SparseMLPClassifier
from trulysparse.estimators.regressor import SparseMLPRegressor

__all__ = ["SparseMLPClassifier", "SparseMLPRegressor"]
