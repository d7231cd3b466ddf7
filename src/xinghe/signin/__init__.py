"""Coming in: passwords, sessions, an OpenID provider, and how failed tries are slowed."""

from xinghe.signin.oidc import Provider, ProviderFailed
from xinghe.signin.passwords import PasswordRefused, Passwords
from xinghe.signin.service import NotLetIn, NotOffered, SignIn, Stale, Unknown, set_password
from xinghe.signin.sessions import NewSession, Owner, Session, Sessions
from xinghe.signin.throttle import Slowed, Throttle
