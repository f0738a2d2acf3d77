"""Verifies tokens as verify.mjs does, with PyJWT."""

import json
import sys

import jwt


def verify(jwks, issuer, audience, algorithm, token):
    key = jwt.PyJWKClient(jwks).get_signing_key_from_jwt(token)
    return jwt.decode(token, key.key, algorithms=[algorithm], audience=audience, issuer=issuer)["sub"]


found = []
for given in json.load(sys.stdin):
    try:
        found.append(verify(**given))
    except jwt.PyJWTError as e:
        found.append(f"refused: {type(e).__name__}: {e}")
print(json.dumps({"pyjwt": found}))
