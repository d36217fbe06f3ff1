"""What each code means at length: a page of Markdown for each, as package data. `mcp-guard explain` shows them."""

import re
from collections.abc import Mapping
from importlib.resources import files

FILES = ("warnings.md", "errors.md")


def pages() -> Mapping[str, str]:
    """The text of every page, by its code: warnings first, each in order."""
    texts = (files(__name__).joinpath(name).read_text(encoding="utf-8") for name in FILES)
    sections = (section for text in texts for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:])
    return {code: body.strip() for code, _, body in (section.partition("\n") for section in sections)}
