"""Words for secrets and personal data in several languages, as parts of regular expressions.

Apart, because two tables use them: that of private names, whose words have `_` between them, and that of secret texts.
"""

from __future__ import annotations

PASSWORDS = (
    "kennwort|contrase[nñ]a|mot_de_passe|motdepasse|senha|palavra_?passe|wachtwoord|l[oö]senord|adgangskode|kodeord|"
    "passord|"  # codespell:ignore passord
    "salasana|heslo|has[lł]o|jelsz[oó]|[sş]ifre|lozinka|пароль|密[码碼]|口令|パスワード|暗証番号|비밀번호|كلمة_?المرور|"
    "סיסמה|mật_?khẩu|mat_?khau|kata_?sandi"
)
SPOKEN_PASSWORDS = PASSWORDS.replace("_", "[ _]")

ASCII_STEMS = (
    *("kennwort", "contrase", "senha", "palavra", "wachtwoord", "senord", "adgangskode", "kodeord"),
    "passord",  # codespell:ignore passord
    *("salasana", "heslo", "haslo", "jelsz", "ifre", "lozinka", "khau", "sandi"),
)
OTHER_STEMS = ("hasło", "пароль", "密", "口令", "パスワード", "暗証番号", "비밀번호", "كلمة", "סיסמה", "khẩu")
"""In small letters, each of the words but `mot de passe` has one of these stems, or one of those in ASCII."""

NAMES = (
    "vorname|nachname|pr[eé]nom|nom_de_famille|nom(?:e|bre)_completo|apellidos?|sobrenome|cognome|voornaam|achternaam|"
    "fornavn|etternavn|efternavn|f[oö]rnamn|nazwisko|geburts(?:datum|tag)|"
    "(?:date|fecha|data)_(?:de_|di_)?na(?:sc|c|i)\\w*"
)
PHONES = "telefon(?:nummer|o|e)?|tel[eé]fono|t[eé]l[eé]phone|handy(?:nummer|nr)|celular"
PLACES = (
    "stra(?:ss|ß)e|hausnummer|postleitzahl|anschrift|"
    "adresse|"  # codespell:ignore adresse
    "direcci[oó]n|endere[cç]o|indirizzo|c[oó]d(?:igo|e)_postal"
)

PERSON = (
    "(?:user(?!_agent)|customer|client|person|people|contact|patient|employee|member|buyer|seller|guest|passenger|"
    "recipient|sender|subscriber|student|visitor|applicant|payer|payee|shopper|driver|billing|shipping)s?"
)
PART_OF_PERSON = "(?:(?:account|attributes|contact|data|details|info|profile|properties|traits|[0-9]+)_)*"

WORDS_OF_SECRETS = (
    r"(?:api|subscription)[_.-]?key|authori[sz]ation|cookie|credential|csrf|pass(?:word|wort)|passwd|passphrase|passcode|pwd|"
    r"secret(?!ar)|token(?!i[sz])|jwt|saml_?(?:response|request|assertion)|"
    r"access[_.-]?key|private[_.-]?key|account[_.-]?key|signature|session[_.-]?id|recovery[_.-]?code|"
    + SPOKEN_PASSWORDS
)
PERSONAL_WORDS = (
    r"ssn|social[_.-]?security|card[_.-]?(?:number|no|holder)|cvv|cvc|iban|(?:first|last|full|user|family)[_.-]?name|"
    r"phone(?:[_.-]?number)?|e[_.-]?mail|date[_.-]?of[_.-]?birth|passport|national[_.-]?id|tax[_.-]?id"
)
SPOKEN_WORDS = (
    r"(?:api|subscription)[ _.-]?key|pass(?:word|wort)|iban|"
    r"passwd|passphrase|passcode|pwd|secret|access[ _.-]?key|auth[_.-]?token|ssn|jwt|" + SPOKEN_PASSWORDS
)
WORDS_OF_PASSWORDS = rf"pass(?:word|wort|phrase|code)|passwd|{SPOKEN_PASSWORDS}"
QUOTED = r"""b?\\{0,7}(?:"[^"\n]{0,500}"|'[^'\n]{0,500}')"""
VALUE = rf"""(?:\\{{0,7}}"[^"\n]{{0,500}}"|\\{{0,7}}'[^'\n]{{0,500}}'|[\[(]{{1,3}}{QUOTED}(?:,\s?{QUOTED}){{0,20}}
    |[^\s'",;&)\]}}\\]+)"""

HINTS_OF_PASSWORDS = (
    *("passw", "passphrase", "passcode", " code ", " pin ", "key provided", "key given", "key received", "key used"),
    *("token'", 'token"', "token '", 'token "', "token:", "token :", "token=", "token ="),
    *("mot de", "mot_de", "motde", *ASCII_STEMS, *OTHER_STEMS),
)
