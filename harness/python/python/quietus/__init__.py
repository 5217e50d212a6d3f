"""Quietus from Python: where its binary is, and what its report says.

``python -m quietus`` is the command; ``quietus.pytest_plugin`` is the plugin for pytest. What
terminates programs and judges them is the binary alone.
"""

from quietus._find import QuietusNotFound, find_quietus_bin
from quietus._report import Finding, Report

__all__ = ["Finding", "QuietusNotFound", "Report", "find_quietus_bin"]
