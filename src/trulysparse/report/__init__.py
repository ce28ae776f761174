"""What people look at: the report of a run, several runs compared, a network drawn."""

from trulysparse.report.connections import input_strength
from trulysparse.report.network_diagram import network_diagram
from trulysparse.report.network_text import network_text
from trulysparse.report.run_report import RunReport, write_report

__all__ = ["RunReport", "input_strength", "network_diagram", "network_text", "write_report"]
