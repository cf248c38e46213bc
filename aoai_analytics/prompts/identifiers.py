"""Identifiers of personal data, as data: a pattern to find candidates, and a check to confirm them.

Checks use check digits and internal rules from python-stdnum, or phonenumbers for telephone numbers; both are
pure Python, offline and follow the authorities' rules. Names and postal addresses are not found: that needs a
language model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: How many characters before a candidate are searched for a confirming word.
CONTEXT = 60


@dataclass(frozen=True)
class Identifier:
    """A kind of number: ``proof`` names the stdnum module whose ``is_valid`` decides, '' if the pattern is enough.

    ``context`` must match in the ``CONTEXT`` characters before, if the number's form alone is too weak (a
    check digit accepts about one in ten arbitrary numbers). Every match of ``pattern`` contains a match of ``sign``:
    text without one is skipped.
    """

    kind: str
    pattern: re.Pattern[str]
    sign: re.Pattern[str]
    proof: str = ""
    context: re.Pattern[str] | None = None


_AT = re.compile("@")
_SIX_DIGITS = re.compile(r"\d(?:[ .-]?\d){5}")
_CODE = re.compile(r"[A-Z]{2}\d{2}")


def _row(
    kind: str, pattern: str, proof: str = "", context: str = "", sign: re.Pattern[str] = _SIX_DIGITS
) -> Identifier:
    vouching = re.compile(rf"(?:{context})", re.IGNORECASE) if context else None
    # Not part of a longer number or word.
    return Identifier(kind, re.compile(rf"(?<![\w.-])(?:{pattern})(?![\w-])"), sign, proof, vouching)


# Earlier rows win if two match the same characters.
IDENTIFIERS = (
    Identifier(
        "e-mail address",
        re.compile(
            r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b"
        ),
        _AT,
    ),
    _row("IBAN", r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?", "iban", sign=_CODE),
    # Visa, Mastercard, Diners Club, Discover, JCB, UnionPay, in groups of four or ungrouped, and American Express.
    _row(
        "payment card",
        r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|3[0568]\d\d|6\d{3})(?:([ -]?)\d{4})(?:\1\d{4})(?:\1\d{2,4})"
        r"|3[47]\d\d([ -]?)\d{6}\2\d{5}",
        "luhn",
    ),
    _row("Italian tax code", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", "it.codicefiscale", sign=_CODE),
    _row("Mexican CURP", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", "mx.curp"),
    _row("Chinese identity number", r"\d{17}[\dX]", "cn.ric"),
    _row("French social security number", r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", "fr.nir"),
    _row("Swiss AHV number", r"756\.\d{4}\.\d{4}\.\d{2}", "ch.ssn"),
    _row("Korean registration number", r"\d{6}-\d{7}", "kr.rrn"),
    _row("Brazilian CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}", "br.cpf"),
    _row("Belgian national number", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", "be.nn"),
    _row("Spanish DNI or NIE", r"\d{8}-?[A-Z]", "es.dni"),
    _row("Spanish DNI or NIE", r"[XYZ]-?\d{7}-?[A-Z]", "es.nie"),
    _row("Finnish identity code", r"\d{6}[-+A]\d{3}[0-9A-Y]", "fi.hetu"),
    _row("Swedish personal number", r"(?:\d{2})?\d{6}[-+]\d{4}", "se.personnummer"),
    _row("US social security number", r"\d{3}-\d{2}-\d{4}", "us.ssn"),
    _row("Norwegian identity number", r"\d{6} ?\d{5}", "no.fodselsnummer", "fødsels|personnummer|norw"),
    _row("Danish CPR number", r"\d{6}-\d{4}", "dk.cpr", "cpr"),
    _row("German tax id", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", "de.idnr", r"steuer|idnr|id-nr|tax"),
    _row("Polish PESEL", r"\d{11}", "pl.pesel", "pesel"),
    _row("Dutch BSN", r"\d{9}|\d{4}\.\d{2}\.\d{3}", "nl.bsn", "bsn|burgerservice"),
    _row("Irish PPS number", r"\d{7}[A-W][A-IW]?", "ie.pps", "pps"),
    _row("NHS number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", "nhs"),
    _row("Indian Aadhaar number", r"[2-9]\d{3} ?\d{4} ?\d{4}", "in_.aadhaar", "aadhaar|aadhar"),
    _row("Indian PAN", r"[A-Z]{5}\d{4}[A-Z]", "in_.pan", r"\bpan\b|permanent account", _CODE),
    _row("Canadian SIN", r"\d{3}[ -]?\d{3}[ -]?\d{3}", "ca.sin", r"\bsin\b|social insurance"),
    _row("Australian TFN", r"\d{3} ?\d{3} ?\d{3}", "au.tfn", r"tfn|tax file"),
    _row("Japanese My Number", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "jp.in_", "my number|マイナンバ|個人番号"),
    _row("South African id", r"\d{13}", "za.idnr", r"\bid\b|identity"),
)  # fmt: skip
#: All their signs, without duplicates.
SIGNS = frozenset(identifier.sign for identifier in IDENTIFIERS)

#: phonenumbers finds telephone numbers: only those with + and a country code, because others are ambiguous.
PHONE = "telephone number"
