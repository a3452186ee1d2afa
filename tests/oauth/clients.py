"""Stock OAuth 2.0 clients against a running mesh: Authlib and requests-oauthlib, with no code of our own between.

Usage: clients.py BASE_URL, with CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN and REFRESH_TOKEN_2 in the environment; during a
rotation also with FORMER_SECRET, which is valid, and ENDED_SECRET, which is revoked. Ends with status 0 if every library
gets, uses, refreshes and revokes tokens, and sees errors as errors.
"""

import os
import sys

# The local mesh speaks plain HTTP.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session as Authlib
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as RequestsOauthlib

TIMEOUT = 30


def use(session, base):
    """Calls a method that needs a partner's or a person's token."""
    answer = session.get(base + "/v1/reservations", timeout=TIMEOUT)
    assert answer.status_code == 200, (answer.status_code, answer.text)


def metadata(base):
    """The metadata of RFC 8414, whose URLs all else uses."""
    found = requests.get(base + "/.well-known/oauth-authorization-server", timeout=TIMEOUT).json()
    assert found["issuer"] == base, found
    for key in ("token_endpoint", "revocation_endpoint", "jwks_uri"):
        assert found[key].startswith(base + "/"), found
    assert requests.get(found["jwks_uri"], timeout=TIMEOUT).json()["keys"], "no keys"
    return found


def authlib_client(base, server, client_id, secret):
    for method in ("client_secret_basic", "client_secret_post"):
        session = Authlib(client_id, secret, token_endpoint_auth_method=method)
        token = session.fetch_token(server["token_endpoint"], grant_type="client_credentials", timeout=TIMEOUT)
        assert token["token_type"] == "Bearer" and token["expires_in"] > 0, "token"
        use(session, base)
        authlib_refused(server, client_id, "wrong", method)


def authlib_refused(server, client_id, secret, method):
    wrong = Authlib(client_id, secret, token_endpoint_auth_method=method)
    try:
        wrong.fetch_token(server["token_endpoint"], grant_type="client_credentials", timeout=TIMEOUT)
    except OAuthError as error:
        assert error.error == "invalid_client", error
    else:
        raise AssertionError("a wrong secret got a token")


def authlib_person(base, server, refresh_token):
    token = {"access_token": "expired", "token_type": "Bearer", "refresh_token": refresh_token, "expires_at": 1}
    session = Authlib(token_endpoint_auth_method="none", token=token)
    session.refresh_token(server["token_endpoint"], timeout=TIMEOUT)
    use(session, base)
    latest = session.token["refresh_token"]
    assert latest != refresh_token, "the refresh token was not rotated"
    revoked = session.revoke_token(server["revocation_endpoint"], token=latest, token_type_hint="refresh_token")
    assert revoked.status_code == 200, revoked.text
    try:
        session.refresh_token(server["token_endpoint"], refresh_token=latest, timeout=TIMEOUT)
        raise AssertionError("a revoked login was refreshed")
    except OAuthError as error:
        assert error.error == "invalid_grant", error


def requests_oauthlib_client(base, server, client_id, secret):
    for given in ({"auth": HTTPBasicAuth(client_id, secret)}, {"client_secret": secret, "include_client_id": True}):
        session = RequestsOauthlib(client=BackendApplicationClient(client_id=client_id))
        session.fetch_token(server["token_endpoint"], timeout=TIMEOUT, **given)
        use(session, base)
    requests_oauthlib_refused(server, client_id, "wrong")


def requests_oauthlib_refused(server, client_id, secret):
    session = RequestsOauthlib(client=BackendApplicationClient(client_id=client_id))
    try:
        session.fetch_token(server["token_endpoint"], auth=HTTPBasicAuth(client_id, secret), timeout=TIMEOUT)
    except InvalidClientError:
        pass
    else:
        raise AssertionError("a wrong secret got a token")


def rotation(base, server, client_id):
    """Both secrets of a rotation are valid, and a revoked one is not."""
    if former := os.environ.get("FORMER_SECRET"):
        authlib_client(base, server, client_id, former)
        requests_oauthlib_client(base, server, client_id, former)
    if ended := os.environ.get("ENDED_SECRET"):
        for method in ("client_secret_basic", "client_secret_post"):
            authlib_refused(server, client_id, ended, method)
        requests_oauthlib_refused(server, client_id, ended)


def requests_oauthlib_person(base, server, refresh_token):
    token = {"access_token": "expired", "token_type": "Bearer", "refresh_token": refresh_token, "expires_in": -1}
    session = RequestsOauthlib(client_id="a-browser", token=token)
    session.refresh_token(server["token_endpoint"], timeout=TIMEOUT)
    use(session, base)
    logged_out = session.post(base + "/v1/auth/logout", json={}, timeout=TIMEOUT)
    assert logged_out.status_code == 200, logged_out.text
    refused = session.get(base + "/v1/reservations", timeout=TIMEOUT)
    assert refused.status_code == 401, refused.text


def main():
    base = sys.argv[1]
    client_id, secret = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
    server = metadata(base)
    authlib_client(base, server, client_id, secret)
    requests_oauthlib_client(base, server, client_id, secret)
    rotation(base, server, client_id)
    authlib_person(base, server, os.environ["REFRESH_TOKEN"])
    requests_oauthlib_person(base, server, os.environ["REFRESH_TOKEN_2"])
    print("Authlib and requests-oauthlib: tokens, use, refresh, revocation, rotation, logout, errors")


if __name__ == "__main__":
    main()
