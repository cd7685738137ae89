"""`lineside bench --model M`: which of a model's files is fastest on this device, truly.

Every artefact on every runtime that reads it gets a fresh process: its memory is its own,
and one that crashes is a row that says so. One form of report for every device, so that
reports of several can be laid side by side.
"""

from apps.model_bench.bench import run
from apps.model_bench.merge import merged
from apps.model_bench.report import as_markdown, as_svg, as_text

__all__ = ["as_markdown", "as_svg", "as_text", "merged", "run"]
