# WHAT: defines nothing
# CLASS: verdict
# EXPECT: error
