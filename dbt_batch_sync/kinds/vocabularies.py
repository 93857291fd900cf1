"""The values of standard attributes that exist: closed lists of words, and patterns of e-mail addresses and
phone numbers.

The patterns are derived from the libraries email-validator and phonenumbers, and tests compare them. As
patterns, they can be evaluated in the database. They reject nothing that the libraries accept.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from importlib import resources


class Vocabulary(str, Enum):
    """Closed lists of words; tests compare them with pycountry."""

    SUBSCRIPTION = "subscription"
    LANGUAGE = "language"
    REGION = "region"
    TIMEZONE = "timezone"


_WORDS = {
    Vocabulary.SUBSCRIPTION: "subscribed unsubscribed",
    Vocabulary.LANGUAGE: """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee
    el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io
    is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn
    mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se
    sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo
    wa wo xh yi yo za zh zu
""",
    Vocabulary.REGION: """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE
    YT ZA ZM ZW
""",
}


@cache
def words(vocabulary: Vocabulary) -> tuple[str, ...]:
    """All accepted words: ISO 639-1 in lower case, ISO 3166-1 alpha-2 in upper case, IANA time zone names."""
    if vocabulary is Vocabulary.TIMEZONE:
        return tuple(resources.files("tzdata").joinpath("zones").read_text("ascii").split())
    return tuple(_WORDS[vocabulary].split())


INVISIBLE = r"\x{ad}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}"
"""Format characters, for use in a character class."""

_LENGTHS = """
    8: 45 216 222 223 226 227 228 232 235 236 253 257 266 350 356 357 370 371 373 374 389 505 509 800 808
    973 993; 9: 33 34 93 94 211 212 218 221 240 242 244 249 251 255 256 260 261 262 351 590 594 596 979 992
    994 995 998; 8,9: 32 36 51 213 224 233 237 250 258 264 268 377 382 387 591 962 963; 7: 238 239 246 248
    269 291 297 592 673 674 680 691 692; 7,8: 241 599 670 675 853 961 965 975; 8,9,10: 20 60 855 856 964 970
    976; 7,9: 220 245 265 354 423; 10: 1 52 58 225 229; 6: 298 299 672 687; 7,8,9: 231 385 967 968;
    7,8,9,10: 84 243 254 353; 9,10: 380 881 966 996; 5,7: 676 677 678; 6,7,8,9,10: 48 95 880; 6,9: 40 508
    681; 7,8,9,10,11,12: 86 882 972; 7,8,10: 230 267 372; 8,9,10,11,12: 92 383 883; 8,10: 378 506 850;
    8,10,11: 57 65 977; 4,5,6,7,8,9,10,11,12,13: 43 49; 5: 500 682; 5,6,7,8,9,10: 27 64; 5,6,7,8,9,10,11,12:
    358 971; 5,8: 47 686; 6,7,8,9: 252 355; 6,7,8,9,10,11: 375 595; 6,7,8,9,10,11,12: 39 381; 6,8,9: 376
    689; 7,9,10: 44 263; 7,11: 501 679; 8,9,10,11: 55 593; 8,9,10,11,12,13: 81 91; 8,11: 502 504; 9,12: 41
    870; 10,11,12: 30 234; 4,5: 290; 4,5,6,7: 690; 4,5,6,7,8,9,10,11: 352; 4,5,6,7,8,9,10,11,12: 598;
    4,5,6,7,10: 98; 4,7: 683; 5,6: 247; 5,6,7: 688; 5,6,7,8: 386; 5,6,7,8,9,10,11: 31; 5,6,7,8,9,10,12: 61;
    5,6,7,8,9,11: 852; 5,6,7,10: 685; 5,6,8,9,10,11,12,13: 82; 6,7: 597; 6,7,8,9,10,12: 46; 6,7,8,9,12: 359;
    6,7,8,10: 53; 6,7,9: 421; 6,8,9,10,11,12,13: 63; 7,8,9,10,11: 886; 7,8,9,10,11,12,13: 62; 7,8,9,11: 974;
    7,8,10,11: 507; 7,8,11: 503; 7,10: 960; 7,10,12,13: 90; 8,9,10,13: 66; 9,10,11: 56; 9,10,11,12: 420;
    10,11: 54; 10,14: 7; 11: 888; 12: 878
"""
"""The number of digits after each calling code, by possible lengths."""


def email_pattern(blanks: str) -> str:
    """Words with single dots between them, without quotes, and a domain of valid labels. `blanks` are
    characters that Batch's pattern excludes, for use in a character class.
    """
    word = rf'[^@"(),.:;<>\[\]\\{blanks}{INVISIBLE}]+'
    label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    return rf"{word}(?:\.{word})*@(?:{label}\.)+[A-Za-z0-9]{{0,62}}[A-Za-z]"


def phone_pattern() -> str:
    """A plus sign, an assigned calling code, and a length in its numbering plan, for every engine."""
    pairs = (each.split(":") for each in _LENGTHS.split(";"))
    plans = (f"({'|'.join(codes.split())})({_digits(lengths)})" for lengths, codes in pairs)
    return f"[+]({'|'.join(plans)})"


def _digits(lengths: str) -> str:
    """`[0-9]{7,9}|[0-9]{11}` for `7,8,9,11`."""
    numbers = [int(each) for each in lengths.split(",")]
    first = [each for each in numbers if each - 1 not in numbers]
    last = [each for each in numbers if each + 1 not in numbers]
    return "|".join(f"[0-9]{{{low},{high}}}" for low, high in zip(first, last, strict=True))
