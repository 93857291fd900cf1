"""The dbt tests and the renderer accept the same words. `RENEW_GOLDEN=1` updates the file."""

from __future__ import annotations

import os
import textwrap

from harness.project import ROOT

from dbt_batch_sync.kinds.vocabularies import Vocabulary, phone_pattern, words

PATH = ROOT / "macros" / "tests" / "vocabularies.sql"
NOTE = """\
{#- The closed lists of `dbt_batch_sync/kinds/vocabularies.py`: ISO 639-1, ISO 3166-1 alpha-2 and the IANA time zones. Written by
    `RENEW_GOLDEN=1 pytest tests/golden`. -#}
"""


def expected() -> str:
    macros = []
    for vocabulary in (Vocabulary.LANGUAGE, Vocabulary.REGION, Vocabulary.TIMEZONE):
        listed = textwrap.fill(" ".join(words(vocabulary)), 120, break_on_hyphens=False)
        name = f"{vocabulary.value}_words"
        macros.append(f"{{% macro {name}() %}}{{{{ return('\n{listed}\n'.split()) }}}}{{% endmacro %}}\n")
    return NOTE + "\n\n".join(macros)


CODES = ROOT / "macros" / "tests" / "calling_codes.sql"
CODES_NOTE = """\
{#- `phone_pattern` of `dbt_batch_sync/kinds/vocabularies.py`. Written by `RENEW_GOLDEN=1 pytest tests/golden`. -#}
"""


def test_macros_and_renderer_share_calling_codes() -> None:
    pattern = "' ~\n'".join(textwrap.wrap(phone_pattern(), 120, break_on_hyphens=False))
    text = f"{CODES_NOTE}{{% macro phone_pattern() %}}{{{{ return(\n'{pattern}'\n) }}}}{{% endmacro %}}\n"
    if os.environ.get("RENEW_GOLDEN"):
        CODES.write_text(text, encoding="utf-8")
    assert CODES.read_text(encoding="utf-8") == text


def test_macros_and_renderer_share_vocabularies() -> None:
    if os.environ.get("RENEW_GOLDEN"):
        PATH.write_text(expected(), encoding="utf-8")
    assert PATH.read_text(encoding="utf-8") == expected()
    assert not any("'" in word or "\\" in word for vocabulary in Vocabulary for word in words(vocabulary))
