# WHAT: raises SystemExit(0) before any test
# CLASS: verdict
# EXPECT: error
raise SystemExit(0)
