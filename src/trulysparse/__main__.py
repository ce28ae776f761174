"""python -m trulysparse"""

from trulysparse.cli import main

main()
