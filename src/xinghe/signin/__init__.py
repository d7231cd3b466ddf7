"""Coming in: passwords, sessions, an OpenID provider, and how failed tries are slowed."""

from xinghe.signin.passwords import PasswordRefused, Passwords
from xinghe.signin.throttle import Slowed, Throttle
