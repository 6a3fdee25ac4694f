"""A command as others may read it: what is secret is cut, wherever and however it is written."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.layers.command import Command
from jupyter_dockerize.layers.redact import redact

SECRET = "CANARYcanary7391"  # by its shape no token: only its place says that it is secret
SHAPED = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"

CUT = [
    ("pip install -i https://me:§@a.example/simple x", "pip install -i https://a.example/simple x"),
    ("pip install --index-url=https://§@a.example/simple x",
     "pip install --index-url=https://a.example/simple x"),
    ("pip install -ihttps://me:§@a.example/simple", "pip install -ihttps://a.example/simple"),
    ("pip install git+https://§:x-oauth-basic@a.example/x.git#egg=x",
     "pip install git+https://a.example/x.git#egg=x"),
    ("pip install 'x @ https://me:§@a.example/x.whl'", "pip install 'x @ https://a.example/x.whl'"),
    ("pip install https://me:'§'@a.example/x.whl", "pip install https://a.example/x.whl"),
    ("pip install -i https://me:pa/§@a.example/simple x", "pip install -i https://*** x"),
    ("conda install -c https://conda.anaconda.org/t/§/me x",
     "conda install -c https://conda.anaconda.org/t/***/me x"),
    ("curl -O 'https://a.example/x?raw=1&sig=§&v=2'", "curl -O 'https://a.example/x?raw=1&sig=***&v=2'"),
    ("curl https://a.example/x?§", "curl https://a.example/x?***"),
    ("curl me:§@a.example/x", "curl me:***@a.example/x"),
    ("curl -u me:§ https://a.example", "curl -u me:*** https://a.example"),
    ("curl -H 'Authorization: Bearer §' a", "curl -H 'Authorization: ***' a"),
    ("curl -H Authorization:\\ Bearer\\ § a", "curl -H Authorization:\\ *** a"),
    ('x "$(curl -H "Authorization: token §" a)"', 'x "$(curl -H "Authorization: token ***" a)"'),
    ("curl -H 'PRIVATE-TOKEN: §' a", "curl -H 'PRIVATE-TOKEN: ***' a"),
    ("x --password § y", "x --password *** y"),
    ("x --password=§ y", "x --password=*** y"),
    ("x --api-key '§ two words' y", "x --api-key '***' y"),
    ("HF_TOKEN=§ python x.py", "HF_TOKEN=*** python x.py"),
    ("export WANDB_API_KEY='§' ; x", "export WANDB_API_KEY='***' ; x"),
    ("docker run -e DB_PASSWORD=§ i", "docker run -e DB_PASSWORD=*** i"),
    ("x --build-arg=NPM_TOKEN=§ .", "x --build-arg=NPM_TOKEN=*** ."),
    ("bash -c 'TOKEN=\"§\" x'", "bash -c 'TOKEN=***'"),
    ("echo '{\"token\": \"§\"}'", "echo '{\"token\": \"***\"}'"),
    ("sshpass -p § ssh me@a", "sshpass -p *** ssh me@a"),
    ("x --password '$§'", "x --password '***'"),
    ("TOKEN=§\necho § | x", "TOKEN=***\necho *** | x"),
    (f"echo {SHAPED}", "echo ***"),
    ("echo '-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----' > k",
     "echo '-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----' > k"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "safe"), CUT)
def test_a_secret_is_cut_and_the_rest_stays(text: str, safe: str) -> None:
    command = Command.parse(text.replace("§", SECRET))
    assert command.safe == safe
    assert command.secret
    assert any(SECRET in secret or SHAPED in secret for secret in command.secrets)


@pytest.mark.parametrize(
    "text",
    [
        "pip install google-auth==2.3 flask-debugtoolbar-sqlalchemy python-secrets",
        "conda install google-auth=2.3 secrets=1.0",
        "pip install 'git+ssh://git@github.com/me/it.git@v1#egg=it&subdirectory=a'",
        "git clone git@github.com:me/it",
        "git clone https://$USER:${TOKEN}@a.example/it",
        "x --password $PASSWORD --token \"$TOKEN\"",
        "HF_TOKEN=$(cat token) x",
        "curl 'https://a.example:8443/x?version=1.2.3#readme'",
        "curl http://$HOST:${PORT}/x",
        "docker pull python:3.11@sha256:0123abc",
        "docker login --password-stdin a.example",
        "ssh-keygen --key-file k",
        "pip install --trusted-host a.example --keyring-provider subprocess x",
        "apt-get install -y --allow-unauthenticated libpam-token:amd64",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == (text, ())


PLACES = st.sampled_from(
    [
        "https://user:{}@a.example/simple", "https://{}@a.example", "https://{}:@a.example",
        "https://a.example/x?token={}", "https://a.example/x?a=b&sig={}", "--password {}", "--password={}",
        "--token '{}'", '--api-key "{}"', "MY_TOKEN={}", "SECRET_KEY='{}'", "export A_PASSWORD={}",
        "-H 'Authorization: Bearer {}'", '-H "Authorization: Basic {}"', "Authorization: Bearer {}",
    ]
)  # fmt: skip
AROUND = st.text(st.sampled_from(list("ab é;&|()<>$`'\"\\\n #=:{}*~\t")), max_size=12)


@settings(max_examples=800, deadline=None)
@given(AROUND, PLACES, AROUND)
@example("'", "--password '{}'", "'")
@example("$(", "https://user:{}@a.example/simple", ")")
@example('"', '--api-key "{}"', '"')
def test_a_planted_secret_never_stays(before: str, place: str, after: str) -> None:
    text = f"{before} {place.format(SECRET)} {after}"
    try:
        command = Command.parse(text)
    except UsageError:
        return
    assert SECRET not in command.safe
    assert command.text == text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_a_token_is_known_by_its_shape_wherever_it_stands(before: str, after: str) -> None:
    assert SHAPED not in redact(f"{before} {SHAPED} {after}")[0]
