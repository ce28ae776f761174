"""What importing the package leaves for later."""

from __future__ import annotations

import subprocess
import sys

import pytest

import trulysparse as ts


def test_importing_leaves_scikit_learn_alone():
    """The core must start fast and small; the estimators bring scikit-learn when they are asked for."""
    code = (
        "import sys, trulysparse as ts; assert 'sklearn' not in sys.modules\n"
        "ts.TablePreprocessor; assert 'sklearn' in sys.modules and 'trulysparse.estimators' not in sys.modules\n"
        "ts.SparseMLPClassifier; assert 'trulysparse.estimators' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ts.nothing  # noqa: B018
