"""`python3 src/xinghe/doctor`: makes a package of this folder wherever it stands, then runs it."""

import importlib
import importlib.util
import os
import sys

NAME = "xinghe_doctor"
FOLDER = os.path.dirname(os.path.abspath(__file__))

spec = importlib.util.spec_from_file_location(
    NAME, os.path.join(FOLDER, "__init__.py"), submodule_search_locations=[FOLDER]
)
if spec is None or spec.loader is None:
    raise SystemExit(f"{FOLDER} is not whole")
sys.modules[NAME] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[NAME])
try:
    run = importlib.import_module(NAME + ".run")
except ImportError as error:
    # Debian's python3-minimal has half of the standard library.
    mend = "apt-get install -y python3 python3-venv"
    raise SystemExit(f"fail  python       {error}\n{'':<18} -> {mend}   (as root)") from None
sys.exit(run.main(sys.argv[1:]))
