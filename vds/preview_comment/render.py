"""Reports of stacks → one comment that a forge takes, and the full report that has everything. Pure."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vds.preview_comment.budget import LIMIT, Block, fit, size
from vds.preview_comment.change_lines import change_blocks
from vds.preview_comment.difference import LONGEST
from vds.preview_comment.report import StackReport
from vds.preview_comment.verdict_lines import verdict_blocks
from vds.shared.markdown import code


def marker(stacks: Sequence[str]) -> str:
    """The hidden first line by which a comment about these stacks is found again."""
    # A digest: a name may hold what ends an HTML comment, and many names are longer than a line.
    digest = hashlib.sha256("\n".join(sorted(stacks)).encode()).hexdigest()[:16]
    return f"<!-- vds-platform preview {digest} -->"


def comment(reports: Sequence[StackReport], *, limit: int = LIMIT, full_report: str = "") -> str:
    """The comment, at most `limit` long. `full_report` is a Markdown link or a name to find the rest by."""
    return _text(reports, limit, f"<sub>Full report: {full_report}</sub>" if full_report else "")


def full(reports: Sequence[StackReport]) -> str:
    """Everything, however long."""
    return _text(reports, None, "")


def _text(reports: Sequence[StackReport], limit: int | None, closing: str) -> str:
    # Which files of tenants change may be another thing after the next commit.
    first = marker([report.stack for report in reports if report.compared != "objects"])
    blocks = list(_blocks(reports, LONGEST if limit is not None else sys.maxsize))
    if limit is None:
        blocks = [replace(block, text=block.whole or block.text) for block in blocks]
    most = limit if limit is not None else sum(2 * size(block.text) + 200 for block in blocks) + 2000
    return f"{first}\n{fit(blocks, limit=most - size(first) - 1, closing=closing)}"


def _blocks(reports: Sequence[StackReport], longest: int) -> Iterator[Block]:
    touched = [report for report in reports if report.touched_by]
    untouched = [report.stack for report in reports if not report.touched_by]
    if not touched:
        yield Block("## ✅ No stack is touched by this change")
    # All verdicts come before the first detail.
    for report in sorted(touched, key=lambda report: not report.stopped):
        yield from verdict_blocks(report)
        yield from change_blocks(report, longest)
    if untouched:
        yield Block(f"Not touched: {', '.join(code(stack) for stack in untouched)}.")
