"""The provider's process: `serve.py FOLDER REDIRECT_URI CLIENT_ID CLIENT_SECRET` prints its URL."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

FOLDER, REDIRECT_URI, CLIENT_ID, CLIENT_SECRET = sys.argv[1:5]
PEOPLE = {"ana": ("Ana", "Prifti"), "besim": ("Besim", "Kodra")}
STATE = {"person": "ana", "mischief": ""}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def _application(environ: dict[str, Any], start: Any) -> Any:
    return HANDLER(environ, start)


SERVER = make_server("127.0.0.1", 0, _application, handler_class=Quiet)
ADDRESS = f"http://127.0.0.1:{SERVER.server_port}"


def rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def configure() -> None:
    from django.conf import settings

    settings.configure(
        SECRET_KEY="the provider's own",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            f"{__name__}.who_sits_there",
        ],
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(FOLDER) / "provider.sqlite"),
            }
        },
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": f"{ADDRESS}/o",
            "OIDC_RSA_PRIVATE_KEY": rsa_key(),
            "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who you are", "profile": "your name"},
        },
    )


def who_sits_there(handle: Any) -> Any:
    """Signs the person in who was told to sit there, as if they had typed their password."""

    def answer(request: Any) -> Any:
        from django.contrib.auth import get_user_model

        request.user = get_user_model().objects.get(username=STATE["person"])
        return handle(request)

    return answer


def become(request: Any) -> Any:
    from django.http import HttpResponse

    STATE["person"], STATE["mischief"] = request.GET["person"], request.GET["mischief"]
    assert STATE["mischief"] in MISCHIEF
    return HttpResponse("ok")


MISCHIEF: dict[str, dict[str, Any]] = {
    "": {},
    "nonce": {"nonce": "another"},
    "no-nonce": {"nonce": None},
    "aud": {"aud": "another-client"},
    "many-aud": {"aud": [CLIENT_ID, "another-client"]},
    "azp": {"azp": "another-client"},
    "iss": {"iss": "https://another.example"},
    "expired": {"exp": 1_600_000_000},
    "no-exp": {"exp": None},
    "old": {"iat": 1_600_000_000},
    "future": {"iat": 9_000_000_000},
    "no-sub": {"sub": None},
    "alg-none": {},
    "alg-shared": {},
    "other-key": {},
    "cut": {},
}
"""The lies by name: which claims are changed; None takes one away."""


def _lie(token: str) -> str:
    """The token with its claims changed and signed anew, or with another kind of signature."""
    from jwcrypto import jwk, jwt
    from oauth2_provider.settings import oauth2_settings

    head, body, _signature = token.split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body))
    mischief = STATE["mischief"]
    claims |= MISCHIEF[mischief]
    claims = {name: value for name, value in claims.items() if value is not None}
    if mischief == "alg-none":
        bare = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        return f"{bare}.{body}."
    if mischief == "cut":
        return token[:-8]
    key = jwk.JWK.from_pem(oauth2_settings.OIDC_RSA_PRIVATE_KEY.encode())
    if mischief == "other-key":
        key = jwk.JWK.from_pem(rsa_key().encode())
    if mischief == "alg-shared":
        # The classic confusion: the public key, which all know, as the secret of a shared-key MAC.
        public = key.export_to_pem()
        header["alg"] = "HS256"
        key = jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(public).rstrip(b"=").decode())
    made = jwt.JWT(header=header, claims=claims)
    made.make_signed_token(key)
    return str(made.serialize())


configure()

import django  # noqa: E402 - after the settings

django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402


class Validator(OAuth2Validator):
    """The toolkit's own, which adds a name and then lies as it was told to."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        user = request.user
        return {"given_name": user.first_name, "family_name": user.last_name}

    def finalize_id_token(self, *given: Any) -> str:
        token = super().finalize_id_token(*given)
        return _lie(token) if STATE["mischief"] else token


urlpatterns = [
    path("become", become),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


def prepare() -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    for name, (first, last) in PEOPLE.items():
        get_user_model().objects.create(username=name, first_name=first, last_name=last)
    Application.objects.create(
        name="Kulla",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=REDIRECT_URI,
        algorithm=Application.RS256_ALGORITHM,
        skip_authorization=True,
    )


if __name__ == "__main__":
    sys.modules["provider_settings"] = sys.modules[__name__]
    prepare()
    HANDLER = WSGIHandler()
    sys.stdout.write(f"{ADDRESS}\n")
    sys.stdout.flush()
    SERVER.serve_forever()
