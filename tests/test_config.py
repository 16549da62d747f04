"""Where settings come from, what is refused, and what becomes of the key."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from ragkit.config import index_path, resolve
from ragkit.credentials import (
    Secret,
    api_key,
    endpoint_configured,
    find_key,
    refuse_unsafe_project,
)
from ragkit.errors import ConfigError
from ragkit.settings import DEFAULT_BASE_URL, KEYS, Settings

KEY = "tk-0123456789abcdef"


class Machine:
    """A home and a folder to work in, with the files that a test puts there."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.cwd = root / "work" / "project" / "deep"
        self.cwd.mkdir(parents=True)
        self.user_folder = self.home / ".config" / "ragkit"
        self.user_folder.mkdir(parents=True)
        self.project_file = root / "work" / "project" / "ragkit.toml"
        self.user_file = self.user_folder / "config.toml"
        self.environ = {"HOME": str(self.home)}

    def settings(self, **overrides: object) -> Settings:
        return resolve(overrides, environ=self.environ, cwd=self.cwd)

    def write_key(self, text: str, mode: int = 0o600) -> Path:
        path = self.user_folder / "key"
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# --- precedence and origins ---------------------------------------------------------------------


def test_each_place_wins_over_the_next(machine: Machine) -> None:
    """A flag wins over the environment, that over the project, the user's file, the default."""
    seen = [(machine.settings().limit, machine.settings().origin("limit"))]
    machine.user_file.write_text("limit = 2")
    seen.append((machine.settings().limit, machine.settings().origin("limit")))
    machine.project_file.write_text("limit = 3")
    seen.append((machine.settings().limit, machine.settings().origin("limit")))
    machine.environ["RAGKIT_LIMIT"] = "4"
    seen.append((machine.settings().limit, machine.settings().origin("limit")))
    seen.append((machine.settings(limit=5).limit, machine.settings(limit=5).origin("limit")))
    assert seen == [
        (8, "default"),
        (2, str(machine.user_file)),
        (3, str(machine.project_file)),
        (4, "RAGKIT_LIMIT"),
        (5, "--limit"),
    ]


def test_flags_that_were_not_given_say_nothing(machine: Machine) -> None:
    """An override of None leaves the value to the next place."""
    machine.environ["RAGKIT_CHAT"] = "none"
    assert machine.settings(chat=None).chat == "none"


def test_a_variable_set_to_nothing_is_not_set(machine: Machine) -> None:
    """`RAGKIT_DB= ragkit ...` uses the next place."""
    machine.environ["RAGKIT_DB"] = ""
    assert machine.settings().origin("db") == "default"


def test_ragkits_own_variable_wins_over_tempicos(machine: Machine) -> None:
    """TEMPICO_BASE_URL is read after RAGKIT_BASE_URL."""
    machine.environ["TEMPICO_BASE_URL"] = "http://localhost:1/v1"
    assert machine.settings().origin("base_url") == "TEMPICO_BASE_URL"
    machine.environ["RAGKIT_BASE_URL"] = "http://localhost:2/v1"
    assert machine.settings().base_url == "http://localhost:2/v1"


def test_xdg_config_home_moves_the_users_file(machine: Machine, tmp_path: Path) -> None:
    """The user's file is found below XDG_CONFIG_HOME where that is set."""
    machine.user_file.write_text("limit = 2")
    (tmp_path / "xdg" / "ragkit").mkdir(parents=True)
    (tmp_path / "xdg" / "ragkit" / "config.toml").write_text("limit = 3")
    machine.environ["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    assert machine.settings().limit == 3


def test_no_home_is_no_error(machine: Machine) -> None:
    """Without HOME there is no user's file and no key file."""
    settings = resolve({}, environ={}, cwd=machine.cwd)
    assert settings == Settings()
    assert not find_key(settings, {})


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_every_setting_is_declared_whole(key: object) -> None:
    """Each key has a sentence of help, and a default that its own check lets through."""
    assert isinstance(key, type(KEYS["db"]))
    assert key.help.endswith(".")
    text = str(key.default)
    environ = {key.variables[0]: text} if text else {}
    assert getattr(resolve({}, environ=environ, cwd=Path("/")), key.name) == key.default


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("YES", True), ("on", True), ("false", False), ("0", False)]
)
def test_words_for_true_and_false(machine: Machine, word: str, value: bool) -> None:
    """A switch in the environment takes the usual words."""
    machine.environ["RAGKIT_ALLOW_HTTP"] = word
    assert machine.settings().allow_http is value


def test_a_whole_number_is_a_number(machine: Machine) -> None:
    """`temperature = 1` in a file is as good as 1.0."""
    machine.project_file.write_text("temperature = 1")
    assert machine.settings().temperature == 1.0


@pytest.mark.parametrize(
    ("line", "shown", "expected"),
    [
        ("chunk_tokens = 'many'", "chunk_tokens = 'many'", "a whole number from 16 to 8192"),
        ("chunk_tokens = '200'", "chunk_tokens = '200'", "a whole number"),
        ("chunk_tokens = 2.5", "chunk_tokens = 2.5", "a whole number"),
        ("chunk_tokens = 1", "chunk_tokens = 1", "from 16"),
        ("chunk_tokens = true", "chunk_tokens = True", "a whole number"),
        ("allow_http = 1", "allow_http = 1", "true or false"),
        ("temperature = nan", "temperature = nan", "a number from 0 to 2"),
        ("chat = 'always'", "chat = 'always'", "one of auto, endpoint, none"),
        ("chat = ['auto']", "chat = ['auto']", "one of auto, endpoint, none"),
        ("embedding_model = 3", "embedding_model = 3", "text in quotes"),
        ("[limit]\nask = 3", "limit = {'ask': 3}", "a whole number"),
    ],
)
def test_a_wrong_value_in_a_file(machine: Machine, line: str, shown: str, expected: str) -> None:
    """The error names the file, the key, the value and what is expected."""
    machine.project_file.write_text(line)
    with pytest.raises(ConfigError) as caught:
        machine.settings()
    message = str(caught.value)
    assert message.startswith(f"{machine.project_file}: {shown}, expected ")
    assert expected in message


def test_a_wrong_value_in_the_environment(machine: Machine) -> None:
    """The error names the variable."""
    machine.environ["RAGKIT_TIMEOUT_SECONDS"] = "soon"
    with pytest.raises(ConfigError, match="RAGKIT_TIMEOUT_SECONDS: timeout_seconds = 'soon'"):
        machine.settings()


def test_a_file_that_is_no_toml(machine: Machine) -> None:
    """The error names the file and the line."""
    machine.user_file.write_text("limit 3")
    with pytest.raises(ConfigError, match=r"config\.toml is not valid TOML: .*line 1"):
        machine.settings()


def test_a_file_that_may_not_be_a_file(machine: Machine) -> None:
    """A folder in place of the user's file is said to be unreadable."""
    machine.user_file.mkdir()
    with pytest.raises(ConfigError, match="can't be read"):
        machine.settings()


@pytest.mark.parametrize(
    ("name", "meant"), [("chunk_token", "chunk_tokens"), ("chat-model", "chat_model")]
)
def test_an_unknown_key_in_a_file(machine: Machine, name: str, meant: str) -> None:
    """An unknown key is an error that proposes the known one."""
    machine.project_file.write_text(f"{name} = 3")
    with pytest.raises(ConfigError, match=f"unknown setting {name}") as caught:
        machine.settings()
    assert caught.value.hint.startswith(f"did you mean {meant}")


def test_a_misspelt_variable(machine: Machine) -> None:
    """A RAGKIT variable that looks like a setting's is an error; others are left alone."""
    machine.environ |= {"RAGKIT_DEBUG": "1", "RAGKIT_EVAL_DATA": "x", "RAGKIT_COLOUR_OF_HATS": "x"}
    machine.settings()
    machine.environ["RAGKIT_CHAT_MODELS"] = "x"
    with pytest.raises(ConfigError, match="unknown setting RAGKIT_CHAT_MODELS") as caught:
        machine.settings()
    assert caught.value.hint.startswith("did you mean RAGKIT_CHAT_MODEL")


def test_an_unknown_override(machine: Machine) -> None:
    """A library caller's misspelling fails like a file's."""
    with pytest.raises(ConfigError, match="unknown setting embeder"):
        machine.settings(embeder="local")


@pytest.mark.parametrize(
    "url",
    [
        "api.tempico.com/v1",
        "ftp://host/v1",
        "https://",
        "https://ho st/",
        "https://user:word@host/v1",
        "https://127.0.0.1\\@evil.example/v1",
        "https://host/v1?x=1",
        "https://host/v1#x",
        "https://host:port/v1",
    ],
)
def test_a_base_url_that_is_none(machine: Machine, url: str) -> None:
    """Only a plain http(s) URL is taken, and a password in one is not repeated."""
    machine.environ["TEMPICO_BASE_URL"] = url
    with pytest.raises(ConfigError, match="TEMPICO_BASE_URL: base_url") as caught:
        machine.settings()
    assert "word" not in str(caught.value)


# --- where the index is -------------------------------------------------------------------------


def test_index_path_without_any_index(machine: Machine) -> None:
    """Where there is no index yet it will be made in this folder."""
    path = index_path(machine.settings(), cwd=machine.cwd)
    assert path == machine.cwd / ".ragkit" / "index.db"


def test_index_path_of_the_nearest_parent(machine: Machine) -> None:
    """An index in a folder above is the index of this folder too."""
    made = machine.cwd.parent.parent / ".ragkit" / "index.db"
    made.parent.mkdir()
    made.touch()
    assert index_path(machine.settings(), cwd=machine.cwd) == made


def test_index_path_from_a_file_is_relative_to_the_file(machine: Machine) -> None:
    """`db = "notes.db"` in ragkit.toml lies beside ragkit.toml, wherever one works."""
    machine.project_file.write_text("db = 'notes.db'")
    path = index_path(machine.settings(), cwd=machine.cwd)
    assert path == machine.project_file.parent / "notes.db"


def test_index_path_from_a_flag_is_relative_to_the_folder(machine: Machine) -> None:
    """--db and RAGKIT_DB mean what a shell would mean; --db wins."""
    machine.environ["RAGKIT_DB"] = "variable.db"
    assert index_path(machine.settings(), cwd=machine.cwd) == machine.cwd / "variable.db"
    flagged = machine.settings(db=Path("flag.db"))
    assert index_path(flagged, cwd=machine.cwd) == machine.cwd / "flag.db"


def test_index_path_below_home(machine: Machine) -> None:
    """~ is the user's home, also in a file, where no shell expands it."""
    machine.user_file.write_text("db = '~/notes.db'")
    assert index_path(machine.settings(), cwd=machine.cwd) == machine.home / "notes.db"


# --- the key ------------------------------------------------------------------------------------


def test_the_key_comes_from_the_environment_first(machine: Machine) -> None:
    """The variable wins over the key file, and the secret says where it was found."""
    machine.write_key("from-the-file\n")
    assert api_key(machine.settings(), machine.environ).reveal() == "from-the-file"
    machine.environ["TEMPICO_API_KEY"] = f" {KEY}\n"
    secret = api_key(machine.settings(), machine.environ)
    assert (secret.reveal(), secret.origin) == (KEY, "TEMPICO_API_KEY")


def test_another_variable_for_the_key(machine: Machine) -> None:
    """The user may keep the key in another variable."""
    machine.user_file.write_text("api_key_env = 'OTHER_KEY'")
    machine.environ |= {"TEMPICO_API_KEY": "wrong", "OTHER_KEY": KEY}
    assert api_key(machine.settings(), machine.environ).reveal() == KEY


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read(machine: Machine, mode: int) -> None:
    """Such a file is refused, with the command that mends it."""
    path = machine.write_key(KEY, mode)
    with pytest.raises(ConfigError, match="can be read by others") as caught:
        api_key(machine.settings(), machine.environ)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_key_with_a_line_break_in_it(machine: Machine) -> None:
    """What can't be a header's value is refused, without being shown."""
    machine.environ["TEMPICO_API_KEY"] = "abc\ndef"
    with pytest.raises(ConfigError) as caught:
        api_key(machine.settings(), machine.environ)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("name", ["api_key", "API_KEY", "api-key", "token"])
def test_a_key_in_a_configuration_file(machine: Machine, name: str) -> None:
    """A key in a file that is shared is an error that says where it belongs, not what it is."""
    machine.project_file.write_text(f"{name} = '{KEY}'")
    with pytest.raises(ConfigError) as caught:
        machine.settings()
    assert "TEMPICO_API_KEY" in caught.value.hint
    assert KEY not in str(caught.value) + caught.value.hint


def test_a_key_where_its_variables_name_belongs(machine: Machine) -> None:
    """`api_key_env = "tk-..."` is refused without repeating the key."""
    machine.user_file.write_text(f"api_key_env = '{KEY}'")
    with pytest.raises(ConfigError, match="name of an environment variable") as caught:
        machine.settings()
    assert KEY not in str(caught.value) + caught.value.hint


def test_a_key_in_ragkit_api_key(machine: Machine) -> None:
    """RAGKIT_API_KEY is not read, and says so instead of being overlooked."""
    machine.environ["RAGKIT_API_KEY"] = KEY
    with pytest.raises(ConfigError, match="RAGKIT_API_KEY is not read") as caught:
        machine.settings()
    assert KEY not in str(caught.value) + caught.value.hint


def test_a_secret_does_not_show_itself() -> None:
    """Text, repr, format and pickle of a secret hold no more than its last four characters."""
    secret = Secret(KEY, "here")
    assert str(secret) == "****cdef"
    for shown in (repr(secret), f"{secret}", f"{secret!s}", str([secret])):
        assert KEY not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert str(Secret("short", "here")) == "****"
    assert not Secret("", "")


# --- a folder's word and the user's key ---------------------------------------------------------


@pytest.fixture
def with_key(machine: Machine) -> Machine:
    machine.environ["TEMPICO_API_KEY"] = KEY
    return machine


def test_a_folder_can_not_send_the_key_elsewhere(with_key: Machine) -> None:
    """A base_url of ragkit.toml is not given the key; the hint says how to trust it."""
    with_key.project_file.write_text("base_url = 'https://evil.example/v1'")
    with pytest.raises(ConfigError, match=r"evil\.example") as caught:
        api_key(with_key.settings(), with_key.environ)
    assert "export TEMPICO_BASE_URL=https://evil.example/v1" in caught.value.hint


def test_a_hint_can_be_pasted_safely(with_key: Machine) -> None:
    """The command in the hint is quoted: a URL may hold what a shell would run."""
    with_key.project_file.write_text("base_url = 'https://evil.example/$(touch${IFS}x)'")
    with pytest.raises(ConfigError) as caught:
        api_key(with_key.settings(), with_key.environ)
    assert "'https://evil.example/$(touch${IFS}x)'" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:11434/v1",
        "http://127.0.0.1:8080/v1",
        "http://[::1]:8080/v1",
        DEFAULT_BASE_URL,
        "https://api.tempico.com/v2",
    ],
)
def test_a_folder_may_name_this_machine_and_the_default_host(with_key: Machine, url: str) -> None:
    """Loopback and the default host get the key whoever names them."""
    with_key.project_file.write_text(f"base_url = '{url}'")
    assert api_key(with_key.settings(), with_key.environ).reveal() == KEY


@pytest.mark.parametrize("url", ["https://127.0.0.1.evil.example/v1", "https://localhost.evil/v1"])
def test_a_host_that_only_looks_like_this_machine(with_key: Machine, url: str) -> None:
    """Loopback is the whole name, not its beginning."""
    with_key.project_file.write_text(f"base_url = '{url}'")
    with pytest.raises(ConfigError):
        api_key(with_key.settings(), with_key.environ)


def test_what_the_user_names_is_trusted(with_key: Machine) -> None:
    """The environment, a flag and the user's file may send the key anywhere."""
    url = "https://models.example/v1"
    with_key.project_file.write_text(f"base_url = '{url}'")
    assert api_key(with_key.settings(base_url=url), with_key.environ)
    with_key.user_file.write_text("base_url = 'https://models.example/other'")
    assert api_key(with_key.settings(), with_key.environ)
    with_key.user_file.unlink()
    with_key.environ["TEMPICO_BASE_URL"] = url
    assert api_key(with_key.settings(), with_key.environ)


def test_a_folder_can_not_choose_which_secret_is_sent(with_key: Machine) -> None:
    """An api_key_env of ragkit.toml would send any variable's value, so the user has to agree."""
    with_key.project_file.write_text("api_key_env = 'AWS_SECRET_ACCESS_KEY'")
    with_key.environ["AWS_SECRET_ACCESS_KEY"] = "not-for-you"
    with pytest.raises(ConfigError) as caught:
        api_key(with_key.settings(), with_key.environ)
    assert "export RAGKIT_API_KEY_ENV=AWS_SECRET_ACCESS_KEY" in caught.value.hint


def test_the_key_goes_unencrypted_only_on_the_users_word(with_key: Machine) -> None:
    """http to another machine needs allow_http, and not from the folder."""
    with_key.environ["TEMPICO_BASE_URL"] = "http://models.example/v1"
    with pytest.raises(ConfigError, match="unencrypted"):
        api_key(with_key.settings(), with_key.environ)
    with_key.project_file.write_text("allow_http = true")
    with pytest.raises(ConfigError, match="sets allow_http = true"):
        api_key(with_key.settings(), with_key.environ)
    with_key.environ["RAGKIT_ALLOW_HTTP"] = "true"
    assert api_key(with_key.settings(), with_key.environ)


def test_a_folder_can_have_documents_sent_to_this_machine_only(machine: Machine) -> None:
    """A folder may name a server on loopback; another host the user has to name, key or not."""
    machine.project_file.write_text("base_url = 'http://localhost:11434/v1'")
    assert not api_key(machine.settings(), machine.environ)
    machine.project_file.write_text("base_url = 'https://models.example/v1'")
    with pytest.raises(ConfigError, match="folder's word"):
        api_key(machine.settings(), machine.environ)


def test_when_an_endpoint_is_configured(machine: Machine) -> None:
    """A key, or a base URL other than the default: servers such as Ollama need no key."""
    assert not endpoint_configured(machine.settings(), machine.environ)
    url = machine.settings(base_url=DEFAULT_BASE_URL + "/")
    assert not endpoint_configured(url, machine.environ)
    ollama = machine.settings(base_url="http://localhost:11434/v1")
    assert endpoint_configured(ollama, machine.environ)
    machine.write_key(KEY)
    assert endpoint_configured(machine.settings(), machine.environ)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('isolation = "none"', "isolation"),
        ("allow_private_addresses = true", "allow_private_addresses"),
        ("parse_seconds = 1000.0", "parse_seconds"),
        ("parse_memory_mb = 9000", "parse_memory_mb"),
        ("max_file_mb = 9000", "max_file_mb"),
    ],
)
def test_a_folder_gives_up_no_protection_of_the_user(
    machine: Machine, line: str, name: str
) -> None:
    """Its file may ask for less, never for more than the user allows."""
    machine.project_file.write_text(line)
    with pytest.raises(ConfigError, match=name):
        refuse_unsafe_project(machine.settings())
    machine.environ[f"RAGKIT_{name.upper()}"] = line.partition(" = ")[2].strip('"')
    refuse_unsafe_project(machine.settings())


def test_a_folder_may_lower_limits(machine: Machine) -> None:
    """That harms nobody."""
    machine.project_file.write_text("max_file_mb = 5\nparse_seconds = 2.0")
    refuse_unsafe_project(machine.settings())
    assert machine.settings().max_file_mb == 5
