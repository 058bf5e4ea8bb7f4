"""Text of others in Markdown: names, numbers and errors are shown as they are, and nothing is fetched from elsewhere.

Streamlit draws Markdown in messages, captions and labels. A picture in it makes the browser ask another computer for it, which
then learns of the visit. So every text that is not our own goes through `as_text`, and whole documents through
`without_pictures`.
"""

import re

_MARKS = re.compile(r"([\\`*\[\]<$])")
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_DIRECTIVE = re.compile(r":(?=[a-z][\w/+-]*:)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def as_text(text: object) -> str:
    """Return Markdown that is drawn as this text, in one line: no pictures, links, formulas, colours or icons."""
    line = _MARKS.sub(r"\\\1", _CONTROL.sub(" ", str(text)))
    return _DIRECTIVE.sub(r"\\:", _UNDERSCORE.sub(r"\\_", line))


def without_pictures(document: str) -> str:
    """Return a Markdown document with a link in the place of each picture."""
    return re.sub(r"!+\[", "[", document)
