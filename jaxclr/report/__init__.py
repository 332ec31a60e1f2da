"""The report: one page of one experiment, or of several beside each other."""

from jaxclr.report.write import write_report

__all__ = ["write_report"]
