"""How large a condition may be, and how much work one decision may cost. Numbers, and why they are what they are."""

SOURCE_LENGTH = 16_384
"""Characters of one condition."""

NODES = 4_096
"""Parts of one condition, after its macros are expanded."""

NESTING = 64
"""Levels of brackets, calls and `?:` in one condition: about five Python frames each while parsing."""

DEPTH = 128
"""Height of the syntax tree, chains such as `a + b + c` included: one or two Python frames each while evaluating."""

VALUE_DEPTH = 64
"""Levels of lists and maps that a comparison follows into the arguments."""

STEPS = 1_000_000
"""The budget of one decision. A step is about one operation of the source, 50 to 100 ns: in all a tenth of a second."""

STRING_UNIT = 64
"""Characters searched, compared or copied for one step."""

REGEX_UNIT = 32
"""Characters matched against a small regular expression for one step."""

READING = 32
"""Steps for reading a time, a duration or a time zone out of a text."""

READING_ADDRESS = 128
"""Steps for reading an IP address out of a text."""

PATTERN_LENGTH = 512
"""Characters of a regular expression that is not a literal: it costs memory and time before it matches anything."""
