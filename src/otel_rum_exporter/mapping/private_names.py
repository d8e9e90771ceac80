"""Names of attributes whose values never leave: one table for code and documentation.

A name is compared word by word, so that `cardNumber`, `card-number`, `CARD_NUMBER` and `card.number` are one name.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from .._attributes import PRIVATE_ATTRIBUTES, SESSION_ATTRIBUTES, USER_ATTRIBUTES
from .._pattern import lazy_pattern
from . import secret_words
from .caches import cache_short_texts

MAX_CACHED_CHARS = 256


class Treatment(Enum):
    """The treatment of an attribute's value. Truth values of names without `NEVER` are always sent."""

    SENT = "sent"
    NUMBERS = "sent if it is a number or a truth value"
    TRUTH = "sent if it is a truth value"
    NEVER = "never sent"


SENT = Treatment.SENT


class PrivateNames(NamedTuple):
    """A row of the table: what the values are, and the names that they have.

    `words` are matched in names written with `_` between words; `_?` also matches a name written in one word.
    `is_whole` matches the name from its start to its end. `has_kinds` excepts names that end in a word of `KINDS`.
    """

    what: str
    words: tuple[str, ...]
    shown: str
    is_whole: bool = False
    has_kinds: bool = False
    treatment: Treatment = Treatment.TRUTH


def _names(*names: str) -> tuple[str, ...]:
    return tuple(name.lower().replace(".", "_") for name in names)


PRIVATE_NAMES: tuple[PrivateNames, ...] = (
    PrivateNames(
        "Ids of session and user: RUM gets them as UUIDs or hashes, and never here",
        (*_names(*SESSION_ATTRIBUTES, *USER_ATTRIBUTES, *PRIVATE_ATTRIBUTES, "session.previous_id"), "device_id"),
        "`session.id`, `user.id`, `user.anonymous_id`, `app.installation.id`, `device.id`, `rum.…` of this exporter",
        is_whole=True,
        treatment=Treatment.NEVER,
    ),
    PrivateNames(
        "The end user",
        ("enduser(?:_.*)?",),
        "`enduser.*`",
        is_whole=True,
        treatment=Treatment.NEVER,
    ),
    PrivateNames(
        "People's names and ids",
        (
            "(?:first|last|full|given|family|middle|maiden|sur|nick|birth|legal|preferred|screen_?user)_?names?",
            "(?:user|login|account|customer|cardholder|card_?holder)_?name",
            f"{secret_words.PERSON}_{secret_words.PART_OF_PERSON}(?:name|display_?name|title|initials|login|handle)s?$",
            f"(?:user|customer|person|patient|employee|member|visitor|student|subscriber)_{secret_words.PART_OF_PERSON}id$",
            "(?:display_?name|(?:account|policy)_?holder|beneficiary|payee|recipients?|sender|addressee|nick)",
            "(?:userid|uid|userprincipalname|card_?holder|surname|forename|maiden)",
            rf"(?:{secret_words.NAMES}|\A(?:user|login)\Z)",
            "(?:date_of_birth|birth_?(?:date|day|year)|dob|marital_status|gender|ethnicity|religion|nationality)",
        ),
        "`first_name`, `fullName`, `surname`, `username`, `user.name`, `customer.profile.name`, `user_id`, "
        "`date_of_birth`",
    ),
    PrivateNames(
        "E-mail addresses and phone numbers",
        (
            r"\w*e_?mail\w*",
            "(?:mail|mailto|reply_to)",
            "(?:tele|cell|mobile|home|work|contact|smart)?_?phone(?:_?(?:no|nr|number|num))?s?[0-9]*",
            "(?:msisdn|fax|mobile$|mobile_?(?:no|nr|number|num)|cell|tel|telefon|whats_?app|imsi|imei)",
            f"contact_?(?:no|nr|number|num)|{secret_words.PHONES}",
        ),
        "`email`, `user.mail`, `emailAddress`, `phone`, `phoneNumber`, `mobile`, `msisdn`, `fax`, `imei`",
        has_kinds=True,
    ),
    PrivateNames(
        "Postal addresses and places",
        (
            (
                "(?:street|home|"  # codespell:ignore street
                "postal|shipping|billing|delivery|mailing|residential|user|customer|contact|work)"
                "_?addr(?:ess)?(?:es)?"
            ),
            (
                "(?:address|addr)_?(?:line|street|"  # codespell:ignore street
                "city|zip|[0-9])[0-9_]*"
            ),
            (
                "(?:street(?:_?"  # codespell:ignore street
                "(?:name|number|line))?[0-9]*|house_?number|zip(?:_?code)?|post(?:al)?_?code|plz)"
            ),
            "(?:latitude|longitude|lat|lon|lng|(?:geo|user|home|current|device)_?location|gps|coordinates)",
            f"(?:{secret_words.PLACES})",
        ),
        "`shipping_address`, `addressLine1`, `zip`, `postal_code`, `latitude`, `geo.location.lon`",
        has_kinds=True,
    ),
    PrivateNames(
        "Addresses, except of servers",
        ("(?:addr(?:ess)?(?:es)?)",),
        "`address`, `remote_addr`; not `server.address`, `network.local.address`",
    ),
    PrivateNames(
        "IP and hardware addresses of people's machines",
        (
            (
                "(?:client|remote|peer|user|source|src|visitor|real|forwarded|sock|public|cf_connecting|origin)_?"
                "ip(?:v[46])?"
            ),
            "(?:mac|idfa|idfv|gaid|aaid|android_?id|advertising_?id|device_?serial|serial_?number)$",
            "(?:ip|ip_?addr(?:ess)?|mac_?addr(?:ess)?|x_?forwarded_?for|forwarded|x_?real_?ip|true_client_ip)$",
        ),
        "`client.address`, `client.ip`, `net.peer.ip`, `network.peer.address`, `x-forwarded-for`, `ip_address`",
    ),
    PrivateNames(
        "Cards and bank accounts",
        (
            "(?:credit|debit|payment|bank|gift|cc)_?cards?\\w*",
            "card(?:_?(?:no|nr|num|number|cvv2?|cvc2?|code|expiry|exp|pin|data|details|pan|holder))?[0-9]*$",
            "(?:cvv2?|cvc2?|csc|pan|iban|bic|swift|cc_?(?:no|nr|num|number|exp)|primary_account_number|security_code)",
            "(?:bank_?account|account_?(?:no|nr|num|number)|routing_?(?:no|number)|sort_?code|blz)",
        ),
        "`card`, `card_number`, `creditCard`, `pan`, `cvv`, `iban`, `account_number`, `sortCode`",
    ),
    PrivateNames(
        "National ids and ids of authorities",
        (
            (
                "(?:ssn|social_?security(?:_?(?:no|number))?|"
                "national_?(?:id|insurance)\\w*|nin|"  # codespell:ignore nin
                "nino|itin|tin|ein)"
            ),
            "(?:tax_?(?:id|no|number|payer)\\w*|passport\\w*|driv(?:er|ing)s?_?licen[cs]e\\w*|licen[cs]e_?plate)",
            "(?:id_?(?:card|number)|identity_?(?:card|number|document)|personal_?(?:id|number|code))",
            "(?:personnummer|cpf|cnpj|aadhaar|aadhar|bsn|dni|nie|curp|pesel|nhs_?(?:no|number)|codice_?fiscale|mrn)",
            "(?:steuer_?(?:id|nummer)|insurance_?(?:no|number|id)|medical_?record\\w*|health_?(?:id|number)|vat_?(?:id|no|number))",
            "medicare(?:_?(?:id|no|number))?",
        ),
        "`ssn`, `national_id`, `passportNumber`, `tax_id`, `drivers_license`, `cpf`, `nhs_number`",
    ),
    PrivateNames(
        "Credentials",
        (
            r"\w*(?:password|passwd|passphrase|passcode|pass_?wor[dt])\w*",
            rf"\w*(?:{secret_words.PASSWORDS})\w*|clave|parola",
            r"\w*(?:pwd|secret|credential|cookie|csrf|xsrf|jwt)\w*",
            r"\w*(?:token|authorization|api_?key|access_?key|private_?key|secret_?key|bearer|connection_?string)\w*",
            "(?:auth|oauth2?|authn|authz|authentication|creds?|pass|pin|pin_?code|otp|totp|mfa(?:_?code)?|nonce|salt)",
            "(?:(?:signing|encryption|license|subscription|master|shared|ssh)_?keys?)",
            "(?:(?:service|session|account|storage|webhook|hmac)_?keys?)",
            "(?:session_?id|sess_?id|sid|sessionid|jsessionid|phpsessid|session$|signature|sig|hmac|dsn|conn_?str(?:ing)?)",
            "(?:github|gitlab|azure|slack|stripe|sendgrid|openai|anthropic|twilio|mailgun|google|algolia|maps)_?(?:pat|keys?)",
            "(?:pgp|gpg|licence|deploy|client|consumer|publishable)_?keys?",
            "(?:access|activation|sms|auth|login|reset|invite|invitation|confirmation)_?codes?",
            "(?:magic|reset|invite|invitation|verification|activation|unsubscribe)_?(?:link|url)",
            "(?:recovery_?codes?|backup_?codes?|verification_?code|security_?(?:answer|question)|mnemonic|seed_?phrase)",
            "(?:saml_?(?:assertion|request|response)|oidc_?data|assertion|client_?principal|database_?url|code_?verifier)",
        ),
        "`password`, `passwd`, `pwd`, `pass`, `pin`, `secret`, `token`, `jwt`, `auth`, `api_key`, `accessKey`, "
        "`cookie`, `csrf`, `session`, `signature`, `dsn`",
        has_kinds=True,
        treatment=Treatment.NUMBERS,
    ),
    PrivateNames(
        "Statements and parameters of databases",
        (
            (
                "db_(?:.*_)?(?:statement|parameters?|params?|args?|arguments?|bind(?:ing)?s?|values?|document|filter|user|"
                "username|connection_string|keys?|row|data|payload|body|command|pipeline)(?:_.*)?"
            ),
            "db_query_text(?:_.*)?|db_sql(?:_.*)?",
            "(?:.*_)?(?:sql|query|statement)_(?:parameters?|params?|args?|arguments?|bind(?:ing)?s?|values?)(?:_.*)?",
            "(?:.*_)?(?:sql|raw_query|raw_sql|sql_text|sql_query|cypher|db_url)",
        ),
        "`db.statement`, `db.query.text`, `db.query.parameter.*`, `db.statement.parameters`, `db.user`, `sql`; not "
        "`db.query.summary`",
        is_whole=True,
        treatment=Treatment.NUMBERS,
    ),
    PrivateNames(
        "Documents and variables of GraphQL",
        ("graphql_(?!operation_(?:name|type)$|field_(?:name|path|type)$).*",),
        "`graphql.*`, except `graphql.operation.name` and `.type`, `graphql.field.name`, `.path` and `.type`",
        is_whole=True,
    ),
    PrivateNames(
        "Queries, forms, bodies and other content that people write",
        (
            "(?:.*_)?(?:query_?string|query_?params?|search_?params?|form_?data)(?:_.*)?",
            "(?:.*_)?(?:url|http|request)_query(?:_.*)?",
            "(?:.*_)?(?:form|post_?data|raw_?body|(?:request|response|http|message|msg|mail|email)_(?:body|payload|form|value|data))",
            "(?:.*_)?(?:message|document)_contents?(?:_(?!type|length|encoding).*)?|(?:request|response)_data",
            "http_(?:request|response)_(?:body|form|params?|data)(?:_.*)?",
            "gen_ai_(?:prompt|completion|input_messages|output_messages|system_instructions|tool_call|content)(?:_.*)?",
            "(?:llm_(?:prompts?|completions?|input_messages|output_messages)|traceloop_entity_(?:input|output))(?:_.*)?",
            "ai_(?:prompt|response_(?:text|object|tool_calls)|tool_?call_(?:args|result)|values?)(?:_.*)?|all_messages(?:_.*)?",
            "langfuse_(?:.*_)?(?:in|out)put(?:_.*)?|mlflow_span(?:inputs|outputs)|tool_(?:parameters|arguments|response)",
            "(?:celery|task|job|faas|rpc|code|function|method)_(?:args|kwargs|arguments|locals|payload)(?:_.*)?",
            "(?:.*_)?(?:locals|search_?(?:term|terms|query|text|string)|searched_for)(?:_.*)?|prompts?|(?:in|out)put_value",
            "messaging_url|process_command(?:_args|_line)?|process_environment_variable_.*",
        ),
        "`url.query`, `query_string`, `http.request.body`, `form_data`, `gen_ai.input.messages`, `celery.args`, "
        "`code.locals`, `process.command_line`",
        is_whole=True,
        treatment=Treatment.NUMBERS,
    ),
    PrivateNames(
        "Captured headers that name a person or a machine",
        (
            (
                "http_(?:request|response)_headers?_(?:from|remote_user|via|forwarded|baggage|origin_ip|www_authenticate|"
                "(?:x_)?(?:user|username|user_id|forwarded_(?:for|user|email|preferred_username)|real_ip|client_ip|"
                "cluster_client_ip|original_forwarded_for|envoy_external_address|appengine_user_\\w+|ms_client_\\w+|"
                "amzn_oidc_\\w+|goog_\\w+)|cf_connecting_ip|client_ip|true_client_ip|fastly_client_ip)"
            ),
        ),
        "`http.request.header.x-forwarded-for`, `.forwarded`, `.from`, `.x-user`, `.x-amzn-oidc-data`",
        is_whole=True,
    ),
)
"""Names are in words, in lower case, with `_` between them."""

KINDS = (
    *("type", "kind", "method", "scheme", "provider", "mechanism", "status", "result", "outcome", "flow", "policy"),
    *("enabled", "required", "expired", "valid", "verified", "template", "algorithm", "category", "subject_type"),
)
"""A name that ends in one of these words has no secret: `auth.method`, `token_type`, `email.provider`."""

COUNTS = (
    *("tokens", "count", "counts", "usage", "length", "size", "max", "min", "total", "limit", "ttl", "expires", "age"),
    *("expires_in", "expiry", "attempts", "retries", "remaining", "duration", "seconds", "millis", "ms", "bytes"),
    *("num", "budget", "rate", "cost", "version", "rows", "ratio", "number_of", "affected", "returned", "index"),
)
"""A number under a name with one of these words is a measurement: `gen_ai.usage.input_tokens`."""

_SERVERS = lazy_pattern(
    r"(?:^|_)(?:server|local|destination|host|upstream|listen|bind|service|node|pod|container|broker|rpc|k8s|memory)_"
    r"(?:socket_)?(?:address|addr)$"
)
_COUNTS = lazy_pattern(rf"(?:^|_)(?:{'|'.join(COUNTS)})(?:_|$)")
_KINDS = lazy_pattern(rf"_(?:{'|'.join(KINDS)})$")
_TRUTH_VALUES = frozenset({"true", "false", "yes", "no", "none", "null", "undefined"})
_is_number = re.compile(r"\d+(?:\.\d+)?").fullmatch
_CAMEL = lazy_pattern(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = lazy_pattern(r"[\W_]+")
_HEADER = lazy_pattern(r"^http_(?:request|response)_headers?_")


def _pattern_of(row: PrivateNames) -> re.Pattern[str]:
    words = "|".join(row.words)
    return lazy_pattern(f"(?:{words})$" if row.is_whole else f"(?:^|_)(?:{words})[0-9]*(?:_|$)")


_ROWS = tuple((_pattern_of(row), row) for row in PRIVATE_NAMES)


@cache_short_texts(1024, MAX_CACHED_CHARS)
def treatment_of(name: str) -> Treatment:
    """Return what happens to the value of an attribute, by its name; of a value in maps, their names joined by dots."""
    words = in_words(name[:MAX_CACHED_CHARS])
    row = next((row for pattern, row in _ROWS if _matches(pattern, row, words)), None)
    if row is None or _SERVERS.search(words):
        return Treatment.SENT
    if row.has_kinds and _KINDS.search(words):
        return Treatment.SENT
    return Treatment.TRUTH if row.treatment is Treatment.NUMBERS and not _COUNTS.search(words) else row.treatment


def is_harmless(name: str, value: str) -> bool:
    """Return whether a text's value after a secret's name is none: a truth value, a count, or a kind."""
    if value.lower() in _TRUTH_VALUES:
        return True
    words = in_words(name)
    return bool(_KINDS.search(words) or (_is_number(value) and _COUNTS.search(words)))


def in_words(name: str) -> str:
    """Return a name in lower case with `_` between its words: `card_number` of `cardNumber`."""
    return _SEPARATORS.sub("_", _CAMEL.sub("_", name)).strip("_").lower()


def _matches(pattern: re.Pattern[str], row: PrivateNames, words: str) -> bool:
    return bool(pattern.match(words) if row.is_whole else pattern.search(words))
