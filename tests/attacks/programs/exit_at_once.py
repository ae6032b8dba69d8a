# WHAT: ends the process with status 0 before any test
# CLASS: verdict
# EXPECT: error
import os

os._exit(0)
