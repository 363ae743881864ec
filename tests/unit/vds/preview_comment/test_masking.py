"""No secret is shown, however it is spelt, and what is none stays readable."""

import json
from typing import Any

import pytest

from vds.preview_comment.masking import SECRET, masked, masked_message, masked_text

S = "hunter2Pa55"
TEXTS = [
    f"spring.datasource.password={S}\n",
    f"db:\n  password: {S}\n",
    f"API_KEY={S}\nDEBUG=1\n",
    f"admin:$2y$10$abcdefghijklmnopqrstuv{S}",
    f"[Interface]\nPrivateKey = {S}=\n",
    # Siblings.
    f"db:\n  password: |\n    first\n    {S}\n",
    f"passwords:\n- {S}\n",
    f"tokens:\n  ci: {S}\n",
    f'"passwords": [\n  "{S}"\n]',
    f"requirepass {S}\nport 6379\n",
    f"<password>{S}</password>",
    f'<add key="Password" value="{S}"/>',
    f"define('DB_PASSWORD', '{S}');",
    f":password => '{S}'",
    f"machine x login me password {S}",
    f"export PGPASSWORD={S}",
    f"ENV ADMIN_PASSWORD {S}",
    f"set requirepass {S}",
    f"apiVersion: v1\nkind: Secret\nstringData:\n  a: {S}\n",
    f"[remote]\nuser = me\npass = {S}\n",
    f"DATABASES = {{'PASSWORD': '{S}'}}",
    f"oauth2_client_secret: '{S}'",
    f"aws_secret_access_key = {S}",
    f"root:$6$saltsalt$abcdefgh{S}",
    f"{{SSHA}}{S}{S}",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{S}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{S}",
    f'{{\n  "token": {{\n    "a": "{S}"\n  }},\n  "b": 1\n}}',
    f"my-password: first line\\\n  {S}",
]
ARGUMENTS = [
    f"--password={S}",
    f"curl -u admin:{S} https://x",
    f"kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:{S}",
    # Siblings.
    f"-password {S}",
    f"curl --user admin:{S} https://x",
    f"curl -H 'X-Api-Key: {S}' https://x",
    f"wget --header='PRIVATE-TOKEN: {S}' https://x",
    f"https://x.example/a?token={S}&b=1",
    f"https://x.example/a?sig={S}&se=1",
    f"sshpass -p {S} ssh host",
    f"mysql -uroot -p{S}",
    f"mysqldump --user=root -p {S} db",
    f"redis-cli -a {S} ping",
    f"docker login -u me -p {S} registry.example.no",
    f"openssl enc -aes-256-cbc -pass pass:{S}",
    f"kubectl create secret generic x --from-literal=password={S}",
    f"PGPASSWORD={S} psql -h db",
    f"etcdctl --user root:{S} --password={S}",
    f"smbclient //x/y -U me%{S}",
    f"htpasswd -nb me {S}",
    f"echo 'me:{S}' | chpasswd",
]
VARIABLES = {
    "DSN": f"app:{S}@tcp(db:3306)/x",
    "ConnectionStrings__Default": f"Server=db;Password={S};",
    "STORAGE": f"AccountName=x;AccountKey={S}==;",
    "ENCRYPTION_KEY": S,
    "SECRET_KEY_BASE": S,
    "MYSQL_PWD": S,
    "Authorization": f"Bearer {S}",
    "OPENAI": f"sk-proj-{S}{'a' * 28}",
    "V": f"hvs.CAESI{S}",
    "SLACK_URL": f"https://hooks.slack.com/services/T00000000/B00000000/{S}",
    # Siblings.
    "JDBC": f"jdbc:postgresql://db/x?user=a&password={S}",
    "AMQP": f"amqp://me:{S}@mq/x",
    "POSTGRES": f"postgresql://me:{S}/x@db/x",
    "MONGO": f"mongodb+srv://me:{S}@db.example/x",
    "SMTP_PASS": S,
    "DB_PASS_PROD": S,
    "REDIS_AUTH": S,
    "DJANGO_SECRET_KEY": S,
    "NEXTAUTH_SECRET": S,
    "JWT": S,
    "TOKEN_2": S,
    "PASSWORD_OLD": S,
    "PGPASSWORD": S,
    "SSH_PRIVATE_KEY_B64": S,
    "client_key_pem": S,
    "VAULT_UNSEAL_KEYS": S,
    "SERVICEBUS": f"Endpoint=sb://x.servicebus.example/;SharedAccessKeyName=a;SharedAccessKey={S}",
    "GOOGLE": f"AIza{S}{'a' * 24}",
    "SENDGRID": f"SG.{S}.{S}",
    "STRIPE": f"sk_live_{S}",
    "SLACK": f"xoxb-1234-{S}",
    "DOCKER": f"dckr_pat_{S}",
    "NPM": f"npm_{S}{'a' * 25}",
    "TEAMS": f"https://x.webhook.office.com/webhookb2/{S}",
    "DISCORD": f"https://discord.com/api/webhooks/1/{S}",
    "TELEGRAM": f"https://api.telegram.org/bot1:{S}/sendMessage",
    "BLOB": f"{S}Kq7Zt0Vw9Xn4Rb2Lm8Ys3Gd5",
    "COOKIE": S,
    "SENTRY_DSN": f"https://{S}@o1.ingest.example/1",
    "BASIC": f"Basic {S}",
}
FIELDS: list[dict[str, Any]] = [
    {"encryptionKey": S},
    {"masterKey": S},
    {"passwords": [S]},
    {"tokens": {"ci": S}},
    {"headers": {"Authorization": f"Basic {S}"}},
    {"args": ["--requirepass", S]},
    # Siblings.
    {"args": ["-u", f"admin:{S}"], "command": ["curl"]},
    {"command": ["curl", "-u", f"admin:{S}", "https://x"]},
    {"command": ["mysql", f"-p{S}"]},
    {"command": ["sshpass", "-p", S, "ssh"]},
    {"auths": {"r.example": {"auth": S}}},
    {"credentials": {"username": "me", "password": S}},
    {".dockerconfigjson": S},
    {"dockerConfigJson": S},
    {".dockercfg": S},
    {".pgpass": f"*:*:*:u:{S}"},
    {".netrc": S},
    {"credentials": [{"first": S}]},
    {"secret": {"value": S}},
    {"secrets": {"a": {"b": [S]}}},
    {"set": [{"name": "adminPassword", "value": S}]},
    {"parameters": [{"key": "db_password", "value": S}]},
    {"headers": [{"name": "X-Api-Key", "value": S}]},
    {"Key": "API_TOKEN", "Value": S, "value": S},
    {"signingKey": S},
    {"apikey": S},
    {"api_keys": [S]},
    {"presharedKey": S},
    {"cookie_secret": S},
    {"mail": {"auth": S}},
    {"authPassword": S},
    {"adminPasswordHash": S},
    {"oauth": {"clientSecret": S}},
    {"unsealKeys": {"one": S}},
    {"extraObjects": [{"apiVersion": "v1", "kind": "Secret", "stringData": {"a": S}}]},
    {"json": json.dumps({"a": {"password": S}})},
    {"json": json.dumps([{"name": "DB_PASSWORD", "value": S}])},
    {"docker": json.dumps({"auths": {"r.example": {"auth": S}}})},
    {"yaml": f"a: 1\n---\nkind: Secret\ndata:\n  a: {S}\n"},
]
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"kind": "Secret", "data": {"a": S}})}
OBJECTS: list[dict[str, Any]] = [
    {"items": [{"kind": "Secret", "stringData": {"a": S}}]},
    {"metadata": {"annotations": APPLIED}},
    {"items": [{"kind": "Secret", "data": {"name": S, "enabled": S}}]},
    {"metadata": {"annotations": {"last-applied": json.dumps({"items": [{"kind": "Secret", "data": {"a": S}}]})}}},
]
SHAPES = [
    *({"data": {"c": text}} for text in TEXTS),
    *({"create": argument} for argument in ARGUMENTS),
    *({"args": ["sh", "-c", argument]} for argument in ARGUMENTS),
    *({"env": [{"name": name, "value": value}]} for name, value in VARIABLES.items()),
    *({"environment": {name: value}} for name, value in VARIABLES.items()),
    *({"data": {".env": f"{name}={value}"}} for name, value in VARIABLES.items()),
    *({"data": {"c": f"{name}: '{value}'"}} for name, value in VARIABLES.items()),
    *({"values": field} for field in FIELDS),
    *OBJECTS,
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: json.dumps(shape)[:70])
def test_a_secret_is_hidden_however_it_is_spelt(shape: dict[str, Any]) -> None:
    """Finding 11: 26 of 36 were shown."""
    assert S not in json.dumps(masked(shape))


@pytest.mark.parametrize("kind", ["kubernetes:core/v1:Secret", "vault:generic/secret:Secret"])
def test_every_value_of_a_secret_is_hidden_whatever_its_key_is(kind: str) -> None:
    data = {"data": {"name": S, "enabled": S, "path": S}, "stringData": {"ttl": S}, "dataJson": S}
    assert S not in json.dumps(masked(data, kind=kind))
    assert S not in json.dumps(masked({"items": [data]}, kind="kubernetes:core/v1:SecretList"))


SHOWN: list[Any] = [
    {"automountServiceAccountToken": False, "certificateSecret": "wildcard", "secretName": "tls"},
    {"imagePullSecrets": [{"name": "regcred"}]},
    {"imagePullSecrets": ["regcred"]},
    {"volumes": [{"name": "x", "secret": {"secretName": "x", "items": [{"key": "tls.crt", "path": "tls.crt"}]}}]},
    {"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}]},
    {
        "projected": {
            "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600, "audience": "a"}}]
        }
    },
    {"auth": {"enabled": True, "existingSecret": "db", "database": "app"}},
    {"secrets": {"create": True, "name": "x"}},
    {"hard": {"count/secrets": "100", "secrets": "20"}, "max_tokens": 4096},
    {"signingKey": {"armoured": "-----BEGIN PGP PUBLIC KEY BLOCK-----\nmQINBF3qk9s", "fingerprint": "83FB96DF"}},
    {"rules": [{"resources": ["secrets", "configmaps", "serviceaccounts/token"], "verbs": ["get"]}]},
    {"topologyKey": "kubernetes.io/hostname", "matchLabelKeys": ["a"], "key": "dedicated", "cacheKey": "x"},
    {"hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIo2xVbLqN5T0Hk9wQ7ZsJx3mYd8RfUeKpGhCvBnMaSd"},
    {
        "signingKey": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBF3qk9sBEADJw7Zt0Vw9Xn4Rb2Lm8Ys3Gd5\n"
        "-----END PGP PUBLIC KEY BLOCK-----"
    },
    {"image": f"registry.example.no/a/b:1.25@sha256:{'0a' * 32}"},
    {"image": "docker.io/library/nginx:1.25"},
    {"tokenTTL": 3600, "authUrl": "https://login.example.no", "passwordFile": "/run/x", "secretRef": {"name": "x"}},
    {"args": ["--token-ttl=1h", "--tls-private-key-file=/etc/x.key", "--authorization-mode=RBAC", "--v=2"]},
    {"args": ["--auth-token-file", "/etc/tokens"]},
    {"note": "https://example.no:8443/a@b"},
    {"note": "git@github.com:a/b.git, ssh://git@example.no/a"},
    {"note": "redis://cache:6379/0"},
    {"mesh-auth-enabled": "true", "mesh-auth-gc-interval": "5m0s", "gateway-api-secrets-namespace": "cilium-secrets"},
    {"data": {"nginx.conf": "location / {\n  proxy_pass http://backend;\n}\n"}},
    {"data": {"a": "password: ${DB_PASSWORD}\ntoken: $(cat /run/t)\nsecret: {{ .Values.x }}\nkey: value\n"}},
    {"data": {"config.json": '{"resources": ["secrets", "configmaps"], "sink": "https://logs.example.no"}'}},
    {"name": "MutatingAdmissionWebhookConfigurationV1Beta1", "cipher": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {"script": "sysctl -w net.ipv4.ip_forward=1\nmkdir -p /x\n"},
    {"checksum": "h1:abcdEFGH0123456789abcdEFGH0123456789abcdEFG="},
    {"uid": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "commit": "27d5ce7f107fe9357f9df03efb73ab90386fccae"},
]


@pytest.mark.parametrize("value", SHOWN, ids=lambda value: json.dumps(value)[:60])
def test_what_is_no_secret_stays_readable(value: Any) -> None:
    assert masked(value) == value


def test_of_a_text_only_the_lines_with_a_secret_are_hidden() -> None:
    text = f"sink: https://logs.example.no\npassword: {S}\ndb:\n  token: |\n    {S}\n  host: db\n"
    assert masked_text(text) == f"sink: https://logs.example.no\n{SECRET}\ndb:\n  token: |\n{SECRET}\n  host: db\n"


def test_a_message_keeps_what_is_no_secret() -> None:
    said = "Secret db: stringData.password: is written in clear, the token: must be a reference"
    assert masked_message(said) == said
    for secret in (f"password: {S}", f"--token={S}", f"https://me:{S}@x.no", f"Authorization: Bearer {S}"):
        found = masked_message(f"command failed: {secret} in pod web")
        assert S not in found
        assert found.startswith("command failed:")
        assert found.endswith("in pod web")


@pytest.mark.parametrize("text", ["eyJaaaaaaaa-" * 100_000, "a:" * 300_000, "password " * 100_000, "://a" * 300_000])
def test_a_long_line_takes_no_time_with_its_square(text: str) -> None:
    """Finding 27."""
    masked_text(text)
    masked_message(text)
